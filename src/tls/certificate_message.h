/* The raw Certificate message: what was presented, before any library had an opinion on it. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

#define CERTIFICATES_MAX 64

/* Splits the message body (RFC 5246 7.4.2, RFC 8446 4.4.2) into borrowed certificates, leaf first. *count is the room of
 * `der` on the way in and the number found on the way out; 0: the client has none. E_LIMIT: more than fit;
 * E_INVALID: lengths that do not add up, or an empty entry. */
int certificate_message_parse(struct slice *der, size_t *count, struct slice body, bool tls13);
