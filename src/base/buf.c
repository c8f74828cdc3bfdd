#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/err.h"

#define FIRST_CAP 256

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void buf_init_fixed(struct buf *b, void *data, size_t cap)
{
	*b = (struct buf){.data = data, .cap = cap, .max = cap, .fixed = true};
}

void buf_release(struct buf *b)
{
	if (!b->fixed) {
		free(b->data);
	}
	*b = (struct buf){0};
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->err = E_OK;
}

static int grow(struct buf *b, size_t need)
{
	if (need > b->max || b->fixed) {
		return E_LIMIT;
	}
	size_t cap = b->cap == 0 ? FIRST_CAP : b->cap;
	while (cap < need) {
		cap = cap > b->max / 2 ? b->max : cap * 2;
	}
	if (cap > b->max) {
		cap = b->max;
	}
	uint8_t *data = realloc(b->data, cap);
	if (data == NULL) {
		return E_NOMEM;
	}
	b->data = data;
	b->cap = cap;
	return E_OK;
}

uint8_t *buf_reserve(struct buf *b, size_t n)
{
	if (b->err != E_OK) {
		return NULL;
	}
	if (n > b->cap - b->len) {
		int err = n > SIZE_MAX - b->len ? E_LIMIT : grow(b, b->len + n);
		if (err != E_OK) {
			b->err = err;
			return NULL;
		}
	}
	return b->data + b->len;
}

void buf_append(struct buf *b, const void *data, size_t n)
{
	if (n == 0) {
		return;
	}
	uint8_t *room = buf_reserve(b, n);
	if (room != NULL) {
		memcpy(room, data, n);
		b->len += n;
	}
}

void buf_append_slice(struct buf *b, struct slice s)
{
	buf_append(b, s.data, s.len);
}

void buf_append_text(struct buf *b, const char *text)
{
	buf_append(b, text, strlen(text));
}

void buf_append_byte(struct buf *b, uint8_t byte)
{
	uint8_t *room = buf_reserve(b, 1);
	if (room != NULL) {
		*room = byte;
		b->len++;
	}
}

void buf_append_u64(struct buf *b, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);
	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n != 0);
	buf_append(b, digits + at, sizeof(digits) - at);
}

void buf_append_i64(struct buf *b, int64_t n)
{
	if (n < 0) {
		buf_append_byte(b, '-');
		buf_append_u64(b, -(uint64_t)n);
	} else {
		buf_append_u64(b, (uint64_t)n);
	}
}

void buf_append_hex(struct buf *b, struct slice bytes, bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	uint8_t *room = buf_reserve(b, bytes.len * 2);
	if (room == NULL) {
		return;
	}
	for (size_t i = 0; i < bytes.len; i++) {
		room[2 * i] = (uint8_t)digits[bytes.data[i] >> 4];
		room[2 * i + 1] = (uint8_t)digits[bytes.data[i] & 15];
	}
	b->len += bytes.len * 2;
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	BUG_IF(n < 0);
	/* vsnprintf() wants room for its NUL, which does not count afterwards. */
	char *room = (char *)buf_reserve(b, (size_t)n + 1);
	if (room == NULL) {
		return;
	}
	va_start(args, format);
	vsnprintf(room, (size_t)n + 1, format, args);
	va_end(args);
	b->len += (size_t)n;
}

void buf_truncate(struct buf *b, size_t len)
{
	BUG_IF(len > b->len);
	b->len = len;
}
