#include "peer/text.h"

#include "peer/der.h"

size_t text_utf8_char(struct slice s, uint32_t *out)
{
	static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
	uint8_t first = s.data[0];
	size_t n = first < 0x80                    ? 1
	           : first >= 0xf0 && first < 0xf8 ? 4
	           : first >= 0xe0                 ? 3
	           : first >= 0xc0                 ? 2
	                                           : 0;
	if (n == 0 || first >= 0xf8 || s.len < n) {
		return 0;
	}
	uint32_t c = n == 1 ? first : first & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s.data[i] & 0xc0) != 0x80) {
			return 0;
		}
		c = c << 6 | (s.data[i] & 0x3f);
	}
	if (c < lowest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
		return 0;
	}
	*out = c;
	return n;
}

bool text_is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f);
}

bool text_is_byte_string(uint8_t tag)
{
	return tag == DER_UTF8_STRING || tag == DER_PRINTABLE_STRING || tag == DER_IA5_STRING ||
	       tag == DER_T61_STRING || tag == DER_NUMERIC_STRING || tag == DER_VISIBLE_STRING;
}

bool text_is_wide_string(uint8_t tag)
{
	return tag == DER_BMP_STRING || tag == DER_UNIVERSAL_STRING;
}

/* The next character of a wide string; false: there is none that could be. */
static bool next_wide(uint8_t tag, struct slice *s, uint32_t *out)
{
	size_t unit = tag == DER_BMP_STRING ? 2 : 4;
	if (s->len < unit) {
		return false;
	}
	uint32_t c = 0;
	for (size_t i = 0; i < unit; i++) {
		c = c << 8 | s->data[i];
	}
	if (unit == 2 && c >= 0xd800 && c <= 0xdbff && s->len >= 4) {
		uint32_t low = (uint32_t)s->data[2] << 8 | s->data[3];
		if (low >= 0xdc00 && low <= 0xdfff) {
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
			unit = 4;
		}
	}
	if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
		return false;
	}
	*s = slice_of(s->data + unit, s->len - unit);
	*out = c;
	return true;
}

static void put_utf8(struct buf *b, uint32_t c)
{
	if (c < 0x80) {
		buf_append_byte(b, (uint8_t)c);
		return;
	}
	if (c >= 0x10000) {
		buf_append_byte(b, (uint8_t)(0xf0 | c >> 18));
		buf_append_byte(b, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
	} else if (c >= 0x800) {
		buf_append_byte(b, (uint8_t)(0xe0 | c >> 12));
	} else {
		buf_append_byte(b, (uint8_t)(0xc0 | c >> 6));
		buf_append_byte(b, (uint8_t)(0x80 | (c & 0x3f)));
		return;
	}
	buf_append_byte(b, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
	buf_append_byte(b, (uint8_t)(0x80 | (c & 0x3f)));
}

bool text_widen(struct buf *b, uint8_t tag, struct slice content)
{
	while (content.len > 0) {
		uint32_t c;
		if (!next_wide(tag, &content, &c)) {
			return false;
		}
		put_utf8(b, c);
	}
	return true;
}

static enum text_fault character_fault(uint32_t c)
{
	return c == 0 ? TEXT_NUL : text_is_control(c) ? TEXT_CONTROL : TEXT_FINE;
}

static enum text_fault wide_fault(uint8_t tag, struct slice s)
{
	while (s.len > 0) {
		uint32_t c;
		if (!next_wide(tag, &s, &c)) {
			return TEXT_NOT_UNICODE;
		}
		enum text_fault fault = character_fault(c);
		if (fault != TEXT_FINE) {
			return fault;
		}
	}
	return TEXT_FINE;
}

static enum text_fault utf8_fault(struct slice s)
{
	while (s.len > 0) {
		uint32_t c;
		size_t n = text_utf8_char(s, &c);
		if (n == 0) {
			return TEXT_NOT_UNICODE;
		}
		enum text_fault fault = character_fault(c);
		if (fault != TEXT_FINE) {
			return fault;
		}
		s = slice_of(s.data + n, s.len - n);
	}
	return TEXT_FINE;
}

/* Byte by byte, as in ISO 8859-1: what is no UTF-8 is most often that. A NUL written in two bytes (C0 80) is found here,
 * too. */
static enum text_fault latin_fault(struct slice s)
{
	enum text_fault fault = TEXT_FINE;
	for (size_t i = 0; i < s.len && fault == TEXT_FINE; i++) {
		fault = character_fault(s.data[i]);
	}
	return fault;
}

enum text_fault text_fault(uint8_t tag, struct slice content)
{
	if (text_is_wide_string(tag)) {
		return wide_fault(tag, content);
	}
	if (!text_is_byte_string(tag)) {
		return TEXT_NOT_STRING;
	}
	/* Software puts UTF-8 into every type, and Latin-1 into those that are older. */
	enum text_fault fault = utf8_fault(content);
	return fault == TEXT_NOT_UNICODE && tag != DER_UTF8_STRING ? latin_fault(content) : fault;
}

enum text_fault text_ia5_fault(struct slice content)
{
	if (content.len == 0) {
		return TEXT_EMPTY;
	}
	for (size_t i = 0; i < content.len; i++) {
		enum text_fault fault =
			content.data[i] >= 0x80 ? TEXT_NOT_ASCII : character_fault(content.data[i]);
		if (fault != TEXT_FINE) {
			return fault;
		}
	}
	return TEXT_FINE;
}
