/* A PROXY header is the same however it comes in pieces and whatever stands behind it, and what was read is read again after it
 * was written. */
#include "fuzz.h"
#include "net/proxy_protocol.h"

static enum proxy_parsed parse(struct proxy_header *out, const uint8_t *data, size_t size)
{
	uint8_t *copy = fuzz_copy(data, size);
	enum proxy_parsed parsed = proxy_header_parse(out, slice_of(copy, size));
	free(copy);
	BUG_IF((parsed == PROXY_BAD) != (out->bad != NULL));
	BUG_IF(parsed == PROXY_DONE && (out->bytes == 0 || out->bytes > size));
	BUG_IF(parsed == PROXY_DONE && out->bytes > PROXY_HEADER_BUDGET);
	BUG_IF(parsed == PROXY_DONE && !out->local && out->source.ss_family == AF_UNSPEC);
	BUG_IF(parsed == PROXY_DONE && out->local && out->source.ss_family != AF_UNSPEC);
	BUG_IF(parsed == PROXY_MORE && size >= PROXY_HEADER_BUDGET);
	return parsed;
}

static void check_same(const struct proxy_header *a, const struct proxy_header *b)
{
	BUG_IF(a->local != b->local);
	BUG_IF(memcmp(&a->source, &b->source, sizeof(a->source)) != 0);
	BUG_IF(memcmp(&a->destination, &b->destination, sizeof(a->destination)) != 0);
}

static void check_rewritten(const struct proxy_header *header)
{
	const struct proxy_announce announce = {
		.source = (const struct sockaddr *)&header->source,
		.destination = (const struct sockaddr *)&header->destination,
	};
	struct buf out;
	struct proxy_header again;
	buf_init(&out, PROXY_HEADER_MAX);
	proxy_header_write(&out, &announce);
	BUG_IF(out.err != E_OK);
	BUG_IF(parse(&again, out.data, out.len) != PROXY_DONE || again.bytes != out.len);
	if (header->source.ss_family == AF_UNIX) { /* is not told on */
		BUG_IF(!again.local);
	} else {
		check_same(header, &again);
	}
	buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header whole, part;
	enum proxy_parsed parsed = parse(&whole, data, size);
	/* The first answer that is not MORE stands, and is the one for the whole. */
	uint32_t state = fuzz_seed(data, size);
	size_t len = 0;
	enum proxy_parsed first = PROXY_MORE;
	while (first == PROXY_MORE && len < size) {
		size_t step = fuzz_step(&state, 9);
		len = step < size - len ? len + step : size;
		first = parse(&part, data, len);
	}
	BUG_IF(first != parsed);
	if (parsed == PROXY_DONE) {
		BUG_IF(part.bytes != whole.bytes);
		check_same(&whole, &part);
		if (!whole.local) {
			check_rewritten(&whole);
		}
	}
	return 0;
}
