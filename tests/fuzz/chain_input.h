/* An input of the chain targets: one octet that says how, then certificates, each behind three octets of length, as TLS has
 * them (RFC 8446 4.4.2). A length that says too much ends with the input. What begins with '-' is a file of PEM blocks. */
#pragma once

#include "fuzz.h"

#define CHAIN_INPUT_MAX 64 /* certificates; the rest is not looked at */

struct chain_input {
	uint8_t how;
	bool pem;
	size_t count; /* at least 1, but for PEM */
	struct slice der[CHAIN_INPUT_MAX];
};

static inline void chain_input_read(struct chain_input *in, const uint8_t *data, size_t size)
{
	in->how = size > 0 ? data[0] : 0;
	in->pem = in->how == '-';
	in->count = 0;
	size_t at = 1;
	while (!in->pem && at + 3 <= size && in->count < CHAIN_INPUT_MAX) {
		size_t len = (size_t)data[at] << 16 | (size_t)data[at + 1] << 8 | data[at + 2];
		at += 3;
		len = len < size - at ? len : size - at;
		in->der[in->count++] = slice_of(data + at, len);
		at += len;
	}
	if (!in->pem && in->count == 0) {
		in->der[in->count++] = (struct slice){0};
	}
}

static inline void chain_input_write(const struct chain_input *in, struct buf *out)
{
	buf_append_byte(out, in->how);
	for (size_t i = 0; i < in->count; i++) {
		size_t len = in->der[i].len;
		buf_append_byte(out, (uint8_t)(len >> 16));
		buf_append_byte(out, (uint8_t)(len >> 8));
		buf_append_byte(out, (uint8_t)len);
		buf_append_slice(out, in->der[i]);
	}
}
