/* What is a character, and which characters are let in. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The length of the valid UTF-8 character at p (RFC 3629 4: shortest form, no surrogates), 0 if there is none. left > 0. */
size_t utf8_length(const unsigned char *p, size_t left);
/* C0, DEL, C1: nothing of this is needed, and all of it can deceive on a terminal. Tab and line ends are let in
 * with lines_allowed. p is at a valid character. */
bool utf8_is_control(const unsigned char *p, bool lines_allowed);
