/* The client's side of an exchange: what it is sent, kept where it does not take it at once, and what it says, used from the worker's memory
 * where nothing waits before it. */
#include <string.h>

#include "base/err.h"
#include "proxy/conn.h"
#include "proxy/exchange.h"
#include "proxy/shard.h"

#define TURNS 8            /* records or requests in one go: others have a turn, too */
#define RECORD_BYTES 16384 /* a TLS record */

/* --- what the client is sent --- */

bool exchange_sent(const struct exchange *x)
{
	return !x->client_flushing && x->down_off == x->down.len;
}

static enum exchange_result client_gone(struct exchange *x, enum tls_outcome outcome)
{
	if (outcome != TLS_TRUNCATED) {
		return exchange_end(x, CLOSE_CLIENT_ERROR, false);
	}
	return exchange_end(
		x, x->state == EXCHANGE_IDLE ? CLOSE_CLIENT_CLOSED : CLOSE_CLIENT_TRUNCATED, false);
}

enum exchange_result exchange_flush(struct exchange *x)
{
	while (!exchange_sent(x)) {
		size_t n = 0;
		size_t rest = x->down.len - x->down_off;
		rest = rest < RECORD_BYTES ? rest : RECORD_BYTES;
		enum tls_outcome outcome =
			x->client_flushing ? tls_session_flush(x->conn->tls, &n)
					   : tls_session_write(x->conn->tls,
		                                               x->down.data + x->down_off, rest, &n);
		if (outcome == TLS_AGAIN_WRITE || outcome == TLS_AGAIN_READ) {
			x->client_flushing = true;
			return EXCHANGE_STAYS;
		}
		if (outcome != TLS_DONE) {
			return client_gone(x, outcome);
		}
		x->client_flushing = false;
		x->down_off += n;
		x->progress = true;
	}
	buf_release(&x->down);
	buf_init(&x->down, SIZE_MAX);
	x->down_off = 0;
	return EXCHANGE_STAYS;
}

static enum exchange_result keep_down(struct exchange *x, const uint8_t *data, size_t len)
{
	buf_append(&x->down, data, len);
	return x->down.err == E_OK ? EXCHANGE_STAYS : exchange_end(x, CLOSE_INTERNAL_ERROR, false);
}

enum exchange_result exchange_send(struct exchange *x, const void *data, size_t len)
{
	const uint8_t *from = data;
	x->conn->relay.to_client += len;
	while (len > 0) {
		if (!exchange_sent(x)) {
			return keep_down(x, from, len);
		}
		size_t n = 0;
		enum tls_outcome outcome = tls_session_write(
			x->conn->tls, from, len < RECORD_BYTES ? len : RECORD_BYTES, &n);
		if (outcome == TLS_AGAIN_WRITE || outcome == TLS_AGAIN_READ) {
			x->client_flushing = true; /* how much of it GnuTLS keeps, flushing tells */
			return keep_down(x, from, len);
		}
		if (outcome != TLS_DONE) {
			return client_gone(x, outcome);
		}
		from += n;
		len -= n;
	}
	return EXCHANGE_STAYS;
}

/* --- what the client says --- */

/* What was read waits in `in` until it can be used; more is read when there is nothing, or when a head is not whole. */
bool exchange_may_read(const struct exchange *x)
{
	if (x->client_eof || x->closing || x->state == EXCHANGE_ANSWER) {
		return false;
	}
	return x->state == EXCHANGE_HEAD ||
	       (x->in_off == x->in.len && x->rest_off == x->rest.len && !x->up_broken);
}

static enum exchange_result read_head(struct exchange *x, struct slice bytes, size_t *used)
{
	struct shard *s = x->conn->shard;
	struct http_limits limits = exchange_limits(x);
	limits.line = snapshot_config(x->conn->snapshot)->limits.request_line_bytes;
	struct http_head head = {.fields = s->fields};
	*used = 0;
	switch (http_request_parse(&head, &x->scan, &limits, bytes)) {
	case HTTP_MORE:
		x->state = EXCHANGE_HEAD;
		return EXCHANGE_STAYS;
	case HTTP_DONE:
		x->scan = (struct http_scan){0};
		return exchange_request(x, &head, bytes, used);
	case HTTP_BAD:
		break;
	}
	return exchange_deny(x, head.bad_status, DENIED_BY_REQUEST, head.bad, NULL);
}

static enum exchange_result use(struct exchange *x, struct slice bytes, size_t *used)
{
	*used = 0;
	if (x->state == EXCHANGE_IDLE || x->state == EXCHANGE_HEAD) {
		return read_head(x, bytes, used);
	}
	if (x->state == EXCHANGE_ACTIVE && !x->up.done) {
		return exchange_body(x, bytes, used);
	}
	return EXCHANGE_STAYS;
}

/* What waits in `in`, as long as some of it can be used. */
static enum exchange_result use_waiting(struct exchange *x)
{
	for (int turn = 0; turn < TURNS && x->in_off < x->in.len; turn++) {
		size_t used = 0;
		struct slice bytes = slice_of(x->in.data + x->in_off, x->in.len - x->in_off);
		if (use(x, bytes, &used) == EXCHANGE_GONE) {
			return EXCHANGE_GONE;
		}
		x->in_off += used;
		if (used == 0) {
			return EXCHANGE_STAYS;
		}
	}
	if (x->in_off == x->in.len) {
		buf_release(&x->in);
		buf_init(&x->in, SIZE_MAX);
		x->in_off = 0;
	}
	return EXCHANGE_STAYS;
}

/* What was used is not kept: a client that never stops in between two requests would fill the memory with them. */
static void drop_used(struct exchange *x)
{
	size_t left = x->in.len - x->in_off;
	if (x->in_off > 0) {
		memmove(x->in.data, x->in.data + x->in_off, left);
		buf_truncate(&x->in, left);
		x->in_off = 0;
	}
}

/* New bytes, in the worker's scratch memory: used from there if nothing waits before them. */
static enum exchange_result take(struct exchange *x, const uint8_t *data, size_t len)
{
	x->conn->relay.from_client += len;
	x->window_bytes += len;
	x->progress = true;
	size_t used = 0;
	if (x->in_off == x->in.len && use(x, slice_of(data, len), &used) == EXCHANGE_GONE) {
		return EXCHANGE_GONE;
	}
	if (used == len) {
		return EXCHANGE_STAYS;
	}
	bool waited = x->in_off < x->in.len;
	drop_used(x);
	buf_append(&x->in, data + used, len - used);
	if (x->in.err != E_OK) {
		return exchange_end(x, CLOSE_INTERNAL_ERROR, false);
	}
	return waited || used > 0 ? use_waiting(x) : EXCHANGE_STAYS;
}

static enum exchange_result client_ended(struct exchange *x)
{
	x->client_eof = true;
	if (x->state == EXCHANGE_IDLE) {
		return exchange_end(x, CLOSE_CLIENT_CLOSED, true);
	}
	if (x->state == EXCHANGE_HEAD || !x->up.done) { /* a request that was cut off is none */
		return exchange_end(x, CLOSE_CLIENT_CLOSED, false);
	}
	x->last = true;
	return EXCHANGE_STAYS;
}

static enum exchange_result read_client(struct exchange *x, bool *more)
{
	struct shard *s = x->conn->shard;
	size_t n = 0;
	*more = false;
	enum tls_outcome outcome = tls_session_read(x->conn->tls, s->relay, sizeof(s->relay), &n);
	switch (outcome) {
	case TLS_DONE:
		*more = true;
		return take(x, s->relay, n);
	case TLS_AGAIN_READ:
		return EXCHANGE_STAYS;
	case TLS_AGAIN_WRITE:
		x->read_wants_write = true;
		return EXCHANGE_STAYS;
	case TLS_CLOSED:
		return client_ended(x);
	default:
		return client_gone(x, outcome);
	}
}

enum exchange_result exchange_pump(struct exchange *x)
{
	if (use_waiting(x) == EXCHANGE_GONE) {
		return EXCHANGE_GONE;
	}
	bool more = true;
	x->read_wants_write = false;
	for (int turn = 0; more && turn < TURNS && exchange_may_read(x); turn++) {
		if (read_client(x, &more) == EXCHANGE_GONE) {
			return EXCHANGE_GONE;
		}
		/* One that came whole: what follows raises an event, unless our buffer has it already. */
		more = more && input_unread(&x->conn->input) > 0;
	}
	return EXCHANGE_STAYS;
}
