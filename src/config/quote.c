#include "config/quote.h"

#include <stdio.h>
#include <string.h>

const char *quote(char out[static QUOTE_MAX], const char *text)
{
	size_t n = 0;
	out[n++] = '"';
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		/* A cut never falls into a character of several bytes. */
		if (n >= QUOTE_MAX - 10 && (*p & 0xC0) != 0x80) {
			memcpy(out + n, "...", 3);
			n += 3;
			break;
		}
		if (*p < 0x20 || *p == 0x7F) {
			n += (size_t)sprintf(out + n, "\\x%02x", *p);
		} else {
			out[n++] = (char)*p;
		}
	}
	out[n++] = '"';
	out[n] = '\0';
	return out;
}

void quote_json(struct buf *out, const char *text)
{
	buf_append_byte(out, '"');
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\') {
			buf_append_byte(out, '\\');
			buf_append_byte(out, *p);
		} else if (*p < 0x20 || *p == 0x7F) {
			buf_printf(out, "\\u%04x", *p);
		} else {
			buf_append_byte(out, *p);
		}
	}
	buf_append_byte(out, '"');
}
