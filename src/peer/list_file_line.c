#include "peer/list_file_line.h"

#include <string.h>
#include <strings.h>

bool line_is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

struct slice line_trim(struct slice s)
{
	while (s.len > 0 && line_is_blank(s.data[0])) {
		s = slice_of(s.data + 1, s.len - 1);
	}
	while (s.len > 0 && line_is_blank(s.data[s.len - 1])) {
		s.len--;
	}
	return s;
}

struct slice line_without_comment(struct slice s)
{
	const uint8_t *at = s.len == 0 ? NULL : memchr(s.data, '#', s.len);
	return line_trim(at == NULL ? s : slice_of(s.data, (size_t)(at - s.data)));
}

bool line_take_word(struct slice *s, const char *word)
{
	size_t n = strlen(word);
	if (s->len <= n || !line_is_blank(s->data[n]) ||
	    strncasecmp((const char *)s->data, word, n) != 0) {
		return false;
	}
	*s = line_trim(slice_of(s->data + n, s->len - n));
	return true;
}

bool line_starts_with(struct slice s, const char *what)
{
	return s.len >= strlen(what) && memcmp(s.data, what, strlen(what)) == 0;
}

struct slice line_without_label(struct slice s)
{
	static const char label[] = "Fingerprint=";
	return line_starts_with(s, label) ? slice_of(s.data + strlen(label), s.len - strlen(label))
	                                  : s;
}

static int digit_of(uint8_t c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool line_is_digit(uint8_t c)
{
	return digit_of(c) >= 0;
}

size_t line_read_hex(uint8_t *out, size_t cap, struct slice text)
{
	size_t digits = 0;
	for (size_t i = 0; i < text.len; i++) {
		bool between = line_is_blank(text.data[i]) || text.data[i] == ':';
		if (!between && (digit_of(text.data[i]) < 0 || digits == 2 * cap)) {
			return 0;
		}
		digits += between ? 0 : 1;
	}
	size_t at = digits % 2;
	memset(out, 0, cap);
	for (size_t i = 0; i < text.len; i++) {
		int digit = digit_of(text.data[i]);
		if (digit >= 0) {
			out[at / 2] = (uint8_t)(out[at / 2] | digit << (at % 2 == 0 ? 4 : 0));
			at++;
		}
	}
	return digits;
}

static int base64_of(uint8_t c)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c == 0 ? NULL : strchr(alphabet, c);
	return at == NULL ? -1 : (int)(at - alphabet);
}

bool line_read_base64(uint8_t out[static 32], struct slice text)
{
	if (text.len != 44 || text.data[43] != '=') {
		return false;
	}
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;
	for (size_t i = 0; i < 43; i++) {
		int value = base64_of(text.data[i]);
		if (value < 0) {
			return false;
		}
		bits = (bits << 6 | (uint32_t)value) & 0xffff;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (uint8_t)(bits >> have);
		}
	}
	/* 3.5: bits that stand for nothing are zero */
	return (bits & ((1U << have) - 1)) == 0;
}
