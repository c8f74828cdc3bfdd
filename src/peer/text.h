/* Strings of a certificate: from their ASN.1 types to UTF-8, and what in them is no text. Private to
 * peer/. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

/* Length of the UTF-8 character at the beginning of `s`, which is not empty, with its code point; 0
 * if there is none (RFC 3629). */
size_t text_utf8_char(struct slice s, uint32_t *out);
/* C0, DEL and C1: they move cursors, end lines and strings, and are in nobody's name. */
bool text_is_control(uint32_t c);

/* A string of one byte a unit: UTF8String, PrintableString, IA5String, ... */
bool text_is_byte_string(uint8_t tag);
/* BMPString, UniversalString. */
bool text_is_wide_string(uint8_t tag);
/* Appends the content of a wide string (UTF-16 and UTF-32 in practice) as UTF-8. False: it cannot be read to its
 * end. */
bool text_widen(struct buf *b, uint8_t tag, struct slice content);

enum text_fault {
	TEXT_FINE,
	TEXT_NUL,
	TEXT_CONTROL,
	TEXT_NOT_UNICODE, /* of a type of Unicode, and none */
	TEXT_NOT_STRING,  /* of another type */
	TEXT_NOT_ASCII,
	TEXT_EMPTY,
	TEXT_FAULTS
};

/* What is wrong with the content of a value of this type. Bytes beyond ASCII in the types older than Unicode, of
 * which nobody knows what they mean, are no fault as such; an empty string is none. */
enum text_fault text_fault(uint8_t tag, struct slice content);
/* The same for an IA5String as general names have it (RFC 5280 4.2.1.6): ASCII, not empty. */
enum text_fault text_ia5_fault(struct slice content);
