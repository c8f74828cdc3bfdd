#include "http/syntax.h"

#include "http/head.h"

#define IS_DIGIT(c) ((c) >= '0' && (c) <= '9')
#define IS_ALPHA(c) (((c) >= 'a' && (c) <= 'z') || ((c) >= 'A' && (c) <= 'Z'))
#define IS_ALNUM(c) (IS_DIGIT(c) || IS_ALPHA(c))
#define IS_HOST(c) (IS_ALNUM(c) || (c) == '-' || (c) == '.' || (c) == '_' || (c) == '~')
#define IS_TOKEN(c) \
	(IS_HOST(c) || (c) == '!' || ((c) >= '#' && (c) <= '\'') || (c) == '*' || (c) == '+' || \
	 (c) == '^' || (c) == '`' || (c) == '|')
#define IS_TARGET(c) ((c) > ' ' && (c) < 0x7f && (c) != '#')
#define IS_CONTROL(c) (((c) < ' ' && (c) != '\t') || (c) == 0x7f)

#define CLASS(c) \
	((IS_TOKEN(c) ? HTTP_CLASS_TOKEN : 0) | (IS_TARGET(c) ? HTTP_CLASS_TARGET : 0) | \
	 (IS_CONTROL(c) ? HTTP_CLASS_CONTROL : 0) | (IS_HOST(c) ? HTTP_CLASS_HOST : 0) | \
	 (IS_DIGIT(c) ? HTTP_CLASS_DIGIT : 0))
#define CLASS_4(c) CLASS(c), CLASS((c) + 1), CLASS((c) + 2), CLASS((c) + 3)
#define CLASS_16(c) CLASS_4(c), CLASS_4((c) + 4), CLASS_4((c) + 8), CLASS_4((c) + 12)
#define CLASS_64(c) CLASS_16(c), CLASS_16((c) + 16), CLASS_16((c) + 32), CLASS_16((c) + 48)

const uint8_t http_classes[256] = {CLASS_64(0), CLASS_64(64), CLASS_64(128), CLASS_64(192)};

size_t http_run(const uint8_t *at, const uint8_t *end, enum http_class set)
{
	const uint8_t *p = at;
	while (p < end && http_is(*p, set)) {
		p++;
	}
	return (size_t)(p - at);
}

/* Any byte of eight below 0x20 or 0x7f? Borrows only spill upwards from a byte that is one, so the answer for all of them is
 * exact. HTAB counts: it is rare enough to be looked at by itself. */
static bool eight_may_end_text(uint64_t eight)
{
	const uint64_t ones = 0x0101010101010101U;
	uint64_t below = (eight - ones * 0x20) & ~eight;
	uint64_t del = eight ^ ones * 0x7f;
	return ((below | ((del - ones) & ~del)) & ones * 0x80) != 0;
}

size_t http_text_run(const uint8_t *at, const uint8_t *end)
{
	const uint8_t *p = at;
	for (;;) {
		uint64_t eight;
		while ((size_t)(end - p) >= sizeof(eight)) {
			memcpy(&eight, p, sizeof(eight));
			if (eight_may_end_text(eight)) {
				break;
			}
			p += sizeof(eight);
		}
		while (p < end && *p != '\t' && !http_is(*p, HTTP_CLASS_CONTROL)) {
			p++;
		}
		if (p == end || *p != '\t') {
			return (size_t)(p - at);
		}
		p++;
	}
}

struct slice http_trim(struct slice s)
{
	while (s.len > 0 && http_is_space(s.data[0])) {
		s.data++;
		s.len--;
	}
	while (s.len > 0 && http_is_space(s.data[s.len - 1])) {
		s.len--;
	}
	return s;
}

bool http_decimal(struct slice s, uint64_t max, uint64_t *out)
{
	uint64_t n = 0;
	for (size_t i = 0; i < s.len; i++) {
		if (!http_is(s.data[i], HTTP_CLASS_DIGIT)) {
			return false;
		}
		uint64_t digit = s.data[i] - '0';
		if (n > (max - digit) / 10) {
			return false;
		}
		n = n * 10 + digit;
	}
	*out = n;
	return s.len > 0;
}

bool http_is_token(struct slice s)
{
	return s.len > 0 && http_run(s.data, s.data + s.len, HTTP_CLASS_TOKEN) == s.len;
}

bool http_list_next(struct slice *rest, struct slice *element)
{
	while (rest->len > 0) {
		const uint8_t *comma = memchr(rest->data, ',', rest->len);
		size_t len = comma == NULL ? rest->len : (size_t)(comma - rest->data);
		size_t taken = comma == NULL ? len : len + 1;
		*element = http_trim(slice_of(rest->data, len));
		*rest = slice_of(rest->data + taken, rest->len - taken);
		if (element->len > 0) {
			return true;
		}
	}
	return false;
}

bool http_equal_fold(struct slice a, struct slice b)
{
	if (a.len != b.len) {
		return false;
	}
	for (size_t i = 0; i < a.len; i++) {
		if (http_lower(a.data[i]) != http_lower(b.data[i])) {
			return false;
		}
	}
	return true;
}
