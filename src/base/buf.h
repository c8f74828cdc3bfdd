/* Bytes that grow, or fill fixed memory, with a sticky error: append freely, look at `err` once.
 *
 * After an error nothing is appended any more, so what is there is a prefix of what was meant.
 * Thread: one at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct buf {
	uint8_t *data;
	size_t len;
	size_t cap;
	size_t max; /* never grows beyond; E_LIMIT then */
	bool fixed; /* `data` is the caller's */
	int err;    /* the first E_*, for good until buf_reset() */
};

/* Grows on the heap up to `max` bytes. Ends with buf_release(). */
void buf_init(struct buf *b, size_t max);
/* Fills `cap` bytes of the caller's memory. */
void buf_init_fixed(struct buf *b, void *data, size_t cap);
void buf_release(struct buf *b);
/* Empty, error forgotten, memory kept. */
void buf_reset(struct buf *b);

/* Room for n > 0 more bytes at data + len; NULL (and err set) if there is none. */
uint8_t *buf_reserve(struct buf *b, size_t n);
void buf_append(struct buf *b, const void *data, size_t n);
void buf_append_slice(struct buf *b, struct slice s);
void buf_append_text(struct buf *b, const char *text);
void buf_append_byte(struct buf *b, uint8_t byte);
/* Decimal, without leading zeros. */
void buf_append_u64(struct buf *b, uint64_t n);
void buf_append_i64(struct buf *b, int64_t n);
/* Two digits a byte. */
void buf_append_hex(struct buf *b, struct slice bytes, bool upper);
/* Needs room for one byte more than the text has: vsnprintf() writes its NUL. */
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Back to an earlier length. */
void buf_truncate(struct buf *b, size_t len);
static inline struct slice buf_slice(const struct buf *b)
{
	return (struct slice){b->data, b->len};
}
