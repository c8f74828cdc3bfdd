/* A chunked body is the same however it comes in pieces and when it is written again; data stays inside of the input. */
#include "fuzz.h"
#include "http/chunk.h"

#define TRAILER_MAX 200

struct decoding {
	struct http_chunked chunked;
	struct buf body;
	enum http_chunk last;
	size_t taken;
};

static void decoding_init(struct decoding *d)
{
	*d = (struct decoding){.last = HTTP_CHUNK_MORE};
	http_chunked_init(&d->chunked, TRAILER_MAX);
	buf_init(&d->body, 1 << 20);
}

static void decoding_release(struct decoding *d)
{
	http_chunked_release(&d->chunked);
	buf_release(&d->body);
}

static void decode(struct decoding *d, struct slice bytes)
{
	struct slice rest = bytes, data;
	while ((d->last = http_chunked_next(&d->chunked, &rest, &data)) == HTTP_CHUNK_DATA) {
		BUG_IF(data.len == 0 || !fuzz_is_inside(data, bytes.data, bytes.len));
		buf_append_slice(&d->body, data);
	}
	BUG_IF(d->last == HTTP_CHUNK_MORE && rest.len != 0);
	BUG_IF(d->last == HTTP_CHUNK_BAD && d->chunked.bad == NULL);
	BUG_IF(d->chunked.trailer.len > TRAILER_MAX || d->body.err != E_OK);
	d->taken += bytes.len - rest.len;
}

static void decode_pieces(struct decoding *d, const uint8_t *data, size_t size)
{
	uint32_t state = fuzz_seed(data, size);
	size_t most = state % 3 == 0 ? 1 : 40;
	for (size_t at = 0; d->last == HTTP_CHUNK_MORE && at < size;) {
		size_t step = fuzz_step(&state, most);
		size_t len = step < size - at ? step : size - at;
		uint8_t *copy = fuzz_copy(data + at, len);
		decode(d, slice_of(copy, len));
		free(copy);
		at += len;
	}
}

static void check_same(const struct decoding *a, const struct decoding *b)
{
	BUG_IF(a->last != b->last || !slice_equal(buf_slice(&a->body), buf_slice(&b->body)));
	BUG_IF(!slice_equal(http_chunked_trailer(&a->chunked), http_chunked_trailer(&b->chunked)));
}

/* In one chunk, with the same trailer section. */
static void check_rewritten(const struct decoding *d)
{
	struct buf out;
	struct decoding again;
	buf_init(&out, 1 << 20);
	if (d->body.len > 0) {
		buf_printf(&out, "%zx\r\n", d->body.len);
		buf_append_slice(&out, buf_slice(&d->body));
		buf_append_text(&out, "\r\n");
	}
	buf_append_text(&out, "0\r\n");
	struct slice trailer = http_chunked_trailer(&d->chunked);
	buf_append_slice(&out, trailer.len > 0 ? trailer : SLICE("\r\n"));
	BUG_IF(out.err != E_OK);
	decoding_init(&again);
	decode(&again, buf_slice(&out));
	BUG_IF(again.taken != out.len);
	check_same(d, &again);
	decoding_release(&again);
	buf_release(&out);
}

/* The section can be read without knowing where it came from; that it is good is not promised. */
static void check_trailer(const struct decoding *d)
{
	static struct http_field fields[HTTP_FIELDS_MAX];
	static const struct http_limits limits = {.head = TRAILER_MAX, .fields = 20};
	struct http_head head = {.fields = fields};
	struct slice trailer = http_chunked_trailer(&d->chunked);
	if (trailer.len > 0) {
		enum http_parsed parsed = http_trailer_parse(&head, &limits, trailer);
		BUG_IF(parsed == HTTP_MORE);
		BUG_IF(parsed == HTTP_DONE && head.bytes != trailer.len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct decoding whole, pieces;
	uint8_t *copy = fuzz_copy(data, size);
	decoding_init(&whole);
	decoding_init(&pieces);
	decode(&whole, slice_of(copy, size));
	decode_pieces(&pieces, data, size);
	BUG_IF(size > 0 && whole.taken != pieces.taken);
	check_same(&whole, &pieces);
	BUG_IF(whole.last == HTTP_CHUNK_BAD && whole.chunked.bad != pieces.chunked.bad);
	if (whole.last == HTTP_CHUNK_END) {
		check_trailer(&whole);
		check_rewritten(&whole);
	}
	decoding_release(&pieces);
	decoding_release(&whole);
	free(copy);
	return 0;
}
