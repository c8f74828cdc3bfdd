/* Inside of http/ alone: which bytes may stand where. One table for all of the grammar, so that two checks cannot differ. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum http_class {
	HTTP_CLASS_TOKEN = 1, /* tchar, RFC 9110 5.6.2 */
	HTTP_CLASS_TARGET =
		2, /* of a request target: visible ASCII but '#', fragments are never sent */
	HTTP_CLASS_CONTROL =
		4, /* CTL but HTAB, which a value may hold (RFC 9110 5.5); CR and LF are in here */
	HTTP_CLASS_HOST = 8, /* of a registered name: unreserved, RFC 3986 2.3 */
	HTTP_CLASS_DIGIT = 16,
};

extern const uint8_t http_classes[256];

static inline bool http_is(uint8_t byte, enum http_class set)
{
	return (http_classes[byte] & set) != 0;
}

static inline uint8_t http_lower(uint8_t byte)
{
	return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

static inline bool http_is_space(uint8_t byte)
{
	return byte == ' ' || byte == '\t';
}

/* How many bytes from `at` on are of this class. */
size_t http_run(const uint8_t *at, const uint8_t *end, enum http_class set);
/* How many bytes from `at` on may stand in a field value. */
size_t http_text_run(const uint8_t *at, const uint8_t *end);
/* Without SP and HTAB at both ends. */
struct slice http_trim(struct slice s);
/* Decimal digits alone, at least one, not beyond `max`. */
bool http_decimal(struct slice s, uint64_t max, uint64_t *out);
