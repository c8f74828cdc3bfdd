/* Reads DER (X.690): strict, borrowed, bounded by its slice. Every byte is a stranger's.
 *
 * A cursor is a slice that gets shorter. Only what DER allows is read: definite lengths in their
 * shortest form and tags below 31. False leaves the cursor where it was. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum der_tag {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_NULL = 0x05,
	DER_OID = 0x06,
	DER_UTF8_STRING = 0x0c,
	DER_NUMERIC_STRING = 0x12,
	DER_PRINTABLE_STRING = 0x13,
	DER_T61_STRING = 0x14,
	DER_IA5_STRING = 0x16,
	DER_UTC_TIME = 0x17,
	DER_GENERALIZED_TIME = 0x18,
	DER_VISIBLE_STRING = 0x1a,
	DER_UNIVERSAL_STRING = 0x1c,
	DER_BMP_STRING = 0x1e,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
	DER_CONTEXT = 0x80, /* | number: [n] IMPLICIT of a primitive type */
	DER_CONTEXT_CONSTRUCTED =
		0xa0, /* | number: [n] EXPLICIT, or IMPLICIT of a constructed type */
};

/* One element. `content` is what stands behind tag and length, `whole` all of it; either may be
 * NULL. */
bool der_any(struct slice *in, uint8_t *tag, struct slice *content, struct slice *whole);
/* The same if its tag is this one; an OID has to be a well-formed one. */
bool der_get(struct slice *in, uint8_t tag, struct slice *content);
bool der_get_whole(struct slice *in, uint8_t tag, struct slice *content, struct slice *whole);
/* Is there an element, and has it this tag? */
bool der_next_is(struct slice in, uint8_t tag);

/* Of the content of a BOOLEAN, 0x00 or 0xff. */
bool der_bool(struct slice content, bool *out);
/* Of the content of a non-negative INTEGER in its shortest form. What exceeds UINT32_MAX is held
 * there. */
bool der_uint(struct slice content, uint32_t *out);
/* Of the content of a BIT STRING: its octets and how many bits of the last one do not count. */
bool der_bits(struct slice content, struct slice *octets, unsigned *unused);
/* UTCTime or GeneralizedTime as RFC 5280 4.1.2.5 has them (seconds given, Z, no fraction):
 * seconds since 1970 UTC. */
bool der_time(uint8_t tag, struct slice content, int64_t *out);

/* Dotted text with NUL. False: the OID is malformed, has an arc above 128 bits, or does not fit. */
#define DER_OID_TEXT_MAX 160
bool der_oid_text(struct slice content, char *out, size_t cap);
/* The content of an OID from dotted text. Returns its length; 0: the text is no OID or does not
 * fit. */
size_t der_oid_from_text(const char *text, uint8_t *out, size_t cap);
