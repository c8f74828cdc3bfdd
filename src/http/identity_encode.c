#include "http/identity_encode.h"

#include <time.h>

#include "base/bug.h"

#define PEM_LINE 48 /* bytes: 64 characters */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static bool is_unreserved(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

static bool stays(struct slice bytes, size_t i, enum percent_set set)
{
	uint8_t c = bytes.data[i];
	if (c < ' ' || c > '~') {
		return false;
	}
	switch (set) {
	case PERCENT_STRICT:
		break;
	case PERCENT_TEXT:
		return c != '%' && (c != ' ' || (i > 0 && i + 1 < bytes.len));
	case PERCENT_NAME:
		return c != '%' && c != '"' && c != '\\' && c != ',' && c != ';' && c != '=';
	case PERCENT_URI:
		return c != '"' && c != '\\' && c != ' ';
	case PERCENT_HOST:
		return is_unreserved(c) || c == '*';
	}
	return is_unreserved(c);
}

static void percent(struct buf *out, uint8_t c)
{
	buf_append_byte(out, '%');
	buf_append_hex(out, slice_of(&c, 1), true);
}

void encode_percent(struct buf *out, struct slice bytes, enum percent_set set)
{
	for (size_t i = 0; i < bytes.len && out->err == 0; i++) {
		if (stays(bytes, i, set)) {
			buf_append_byte(out, bytes.data[i]);
		} else {
			percent(out, bytes.data[i]);
		}
	}
}

/* Four characters for up to three bytes. */
static void quad(char out[static 4], const uint8_t *in, size_t len)
{
	uint32_t bits = (uint32_t)in[0] << 16 | (len > 1 ? (uint32_t)in[1] << 8 : 0) |
	                (len > 2 ? (uint32_t)in[2] : 0);
	for (int i = 0; i < 4; i++) {
		out[i] = alphabet[bits >> (18 - 6 * i) & 63];
	}
	if (len < 3) {
		out[3] = '=';
	}
	if (len < 2) {
		out[2] = '=';
	}
}

void encode_base64(struct buf *out, struct slice bytes)
{
	for (size_t i = 0; i < bytes.len && out->err == 0; i += 3) {
		char text[4];
		quad(text, bytes.data + i, bytes.len - i);
		buf_append(out, text, sizeof(text));
	}
}

static void strict(struct buf *out, const char *text, size_t len)
{
	encode_percent(out, slice_of(text, len), PERCENT_STRICT);
}

void encode_url_pem(struct buf *out, struct slice der)
{
	buf_append_text(out, "-----BEGIN%20CERTIFICATE-----%0A");
	for (size_t i = 0; i < der.len && out->err == 0; i += PEM_LINE) {
		size_t line = der.len - i < PEM_LINE ? der.len - i : PEM_LINE;
		for (size_t j = 0; j < line; j += 3) {
			char text[4];
			quad(text, der.data + i + j, line - j);
			strict(out, text, sizeof(text));
		}
		buf_append_text(out, "%0A");
	}
	buf_append_text(out, "-----END%20CERTIFICATE-----%0A");
}

static void hex_pair(struct buf *out, uint8_t c)
{
	buf_append_byte(out, '\\');
	buf_append_hex(out, slice_of(&c, 1), false);
}

static bool is_hex(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* The escape that begins at dn.data[i]; gives its length. */
static size_t escape(struct buf *out, struct slice dn, size_t i, enum dn_form form)
{
	if (dn.len - i < 2) {
		hex_pair(out, '\\');
		return 1;
	}
	uint8_t c = dn.data[i + 1];
	if (is_hex(c)) {
		/* A lone hex digit is no escape of RFC 4514; the reader sees a backslash there. */
		if (dn.len - i < 3 || !is_hex(dn.data[i + 2])) {
			hex_pair(out, '\\');
			return 1;
		}
		buf_append(out, dn.data + i, 3);
		return 3;
	}
	if (form == DN_HEX || c <= ' ' || c > '~') {
		hex_pair(out, c);
	} else {
		buf_append(out, dn.data + i, 2);
	}
	return 2;
}

void encode_dn(struct buf *out, struct slice dn, enum dn_form form)
{
	for (size_t i = 0; i < dn.len && out->err == 0;) {
		uint8_t c = dn.data[i];
		if (c == '\\') {
			i += escape(out, dn, i, form);
			continue;
		}
		if (c < ' ' || c > '~' || (form == DN_HEX && (c == '"' || c == ';'))) {
			hex_pair(out, c);
		} else {
			buf_append_byte(out, c);
		}
		i++;
	}
}

void encode_sf_string(struct buf *out, struct slice ascii)
{
	buf_append_byte(out, '"');
	for (size_t i = 0; i < ascii.len; i++) {
		BUG_IF(ascii.data[i] < ' ' || ascii.data[i] > '~');
		if (ascii.data[i] == '"' || ascii.data[i] == '\\') {
			buf_append_byte(out, '\\');
		}
		buf_append_byte(out, ascii.data[i]);
	}
	buf_append_byte(out, '"');
}

void encode_sf_bytes(struct buf *out, struct slice bytes)
{
	buf_append_byte(out, ':');
	encode_base64(out, bytes);
	buf_append_byte(out, ':');
}

bool encode_time(struct buf *out, int64_t s, enum time_form form)
{
	time_t when = (time_t)s;
	struct tm tm;
	if (gmtime_r(&when, &tm) == NULL || tm.tm_year < -1900 || tm.tm_year > 8099) {
		return false;
	}
	int year = tm.tm_year + 1900;
	bool two = form == TIME_ASN1 && year >= 1950 && year <= 2049;
	char text[32];
	size_t len = strftime(text, sizeof(text), "%m%d%H%M%S", &tm);
	char digits[4] = {(char)('0' + year / 1000), (char)('0' + year / 100 % 10),
	                  (char)('0' + year / 10 % 10), (char)('0' + year % 10)};
	buf_append(out, two ? digits + 2 : digits, two ? 2 : 4);
	buf_append(out, text, len);
	if (form == TIME_ASN1) {
		buf_append_byte(out, 'Z');
	}
	return true;
}
