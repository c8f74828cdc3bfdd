/* A line of a list file, taken apart: words, and numbers as people and openssl write them. Private to list_file.c. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* A space, a tab, or the carriage return of a Windows line. */
bool line_is_blank(uint8_t c);
/* A hexadecimal one. */
bool line_is_digit(uint8_t c);
/* Without what is blank at both ends. */
struct slice line_trim(struct slice s);
/* Up to the first `#`, trimmed. */
struct slice line_without_comment(struct slice s);
/* Takes the first word off if it is this one, in any case, with something behind it. */
bool line_take_word(struct slice *s, const char *word);
bool line_starts_with(struct slice s, const char *what);
/* Without what `openssl x509 -fingerprint` prints between the name of the hash and its digits. */
struct slice line_without_label(struct slice s);
/* Hexadecimal digits; blanks and colons between them do not count. Number of digits, at most 2 * cap, written right-aligned: an odd one has a
 * zero before it. 0: something else stands there, or more. */
size_t line_read_hex(uint8_t *out, size_t cap, struct slice text);
/* RFC 4648 4, of exactly 32 bytes: 43 characters and the padding. */
bool line_read_base64(uint8_t out[static 32], struct slice text);
