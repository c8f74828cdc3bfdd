/* A request: whose it is, where it goes, and what of it is sent. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "http/rewrite.h"
#include "proxy/conn.h"
#include "proxy/exchange.h"
#include "proxy/route.h"
#include "proxy/shard.h"

/* --- may it go on? --- */

/* One matcher for TLS and HTTP. A client that was let in by one service must not speak to another one behind the same
 * listener (CVE-2025-23419 and its kin). */
static const char *authority_fault(const struct exchange *x, const struct http_head *head)
{
	const struct conn *c = x->conn;
	enum sni_host mode = c->service->config->sni_host;
	if (mode == SNI_HOST_OFF) {
		return NULL;
	}
	/* RFC 1034 3.1: a dot at its end says that the name is complete; a server name has none (RFC 6066 3). */
	struct slice host = head->host;
	host.len -= host.len > 1 && host.data[host.len - 1] == '.';
	if (mode == SNI_HOST_EXACT && !http_equal_fold(host, c->client.server_name)) {
		return "the host is not the server name of the handshake";
	}
	const struct service *service = snapshot_match(c->snapshot, c->listener, host);
	if (service == NULL) {
		return "no service takes this host";
	}
	return service == c->service ? NULL : "the host belongs to another service";
}

static bool over_limit(const struct exchange *x, uint64_t bytes)
{
	return bytes > x->conn->service->config->body_limit_bytes;
}

/* --- what is sent --- */

static const enum forwarded forwarded_as[] = {
	[FORWARDED_X] = HTTP_FORWARD_X,
	[FORWARDED_RFC7239] = HTTP_FORWARD_RFC7239,
	[FORWARDED_NONE] = HTTP_FORWARD_NOTHING,
};

static enum exchange_result write_head(struct exchange *x, const struct http_head *head,
                                       const struct route *route)
{
	const struct conn *c = x->conn;
	const struct config_upstream *upstream = upstream_config(x->upstream);
	struct http_outgoing o = {
		.path = head->path,
		.host = upstream->host.text != NULL ? slice_text(upstream->host.text)
	                                            : head->authority,
		.own = buf_slice(&c->client.fields),
		.never = snapshot_names(c->snapshot),
		.websocket = x->websocket,
		.forwarded = forwarded_as[c->service->config->forwarded],
		.forwarded_for = slice_text(c->client.node),
	};
	struct buf path = {0};
	if (route != NULL && route->config->rewrite.text != NULL && head->path.data[0] == '/') {
		buf_init(&path, SIZE_MAX);
		buf_append_text(&path, route->config->rewrite.text);
		buf_append(&path, head->path.data + route->path_len,
		           head->path.len - route->path_len);
		o.path = buf_slice(&path);
	}
	http_request_write(&x->head, head, &o);
	int err = path.err;
	buf_release(&path);
	return x->head.err == E_OK && err == E_OK ? EXCHANGE_STAYS
	                                          : exchange_end(x, CLOSE_INTERNAL_ERROR, false);
}

/* --- the body --- */

static enum exchange_result too_large(struct exchange *x)
{
	return x->answered ? exchange_end(x, CLOSE_REQUEST_REFUSED, false)
	                   : exchange_deny(x, 413, DENIED_BY_REQUEST, "the body is too large", NULL);
}

/* The section is not passed on (RFC 9110 6.5.1: who merges it into the head takes fields that nobody looked at), and read all the same:
 * what is malformed there may be the next request to somebody else. Why not, NULL: it is good. */
static const char *trailer_fault(struct exchange *x)
{
	struct shard *s = x->conn->shard;
	struct http_head trailer = {.fields = s->fields};
	struct slice section = http_chunked_trailer(&x->up.chunks);
	const struct http_limits limits = exchange_limits(x);
	if (section.len == 0 || http_trailer_parse(&trailer, &limits, section) == HTTP_DONE) {
		return NULL;
	}
	return trailer.bad != NULL ? trailer.bad : "a malformed trailer section";
}

static enum exchange_result bad_body(struct exchange *x, const char *why)
{
	return x->answered ? exchange_end(x, CLOSE_REQUEST_REFUSED, false)
	                   : exchange_deny(x, 400, DENIED_BY_REQUEST, why, NULL);
}

static enum exchange_result chunked_body(struct exchange *x, struct slice bytes, size_t *used)
{
	struct shard *s = x->conn->shard;
	struct buf frame;
	buf_init_fixed(&frame, s->frame, sizeof(s->frame));
	struct slice rest = bytes;
	for (bool more = true; more;) {
		struct slice data;
		const char *why;
		switch (http_chunked_next(&x->up.chunks, &rest, &data)) {
		case HTTP_CHUNK_DATA:
			x->up.bytes += data.len;
			if (over_limit(x, x->up.bytes)) {
				return too_large(x);
			}
			http_chunk_begin(&frame, data.len);
			buf_append_slice(&frame, data);
			buf_append_slice(&frame, SLICE("\r\n"));
			break;
		case HTTP_CHUNK_END:
			why = trailer_fault(x);
			if (why != NULL) {
				return bad_body(x, why);
			}
			x->up.done = true;
			http_chunk_end(&frame, NULL);
			more = false;
			break;
		case HTTP_CHUNK_MORE:
			more = false;
			break;
		case HTTP_CHUNK_BAD:
			return bad_body(x, x->up.chunks.bad);
		}
		/* Small chunks grow by their new framing: on with what there is. */
		more = more && frame.len < sizeof(s->frame) / 2;
	}
	*used = bytes.len - rest.len;
	return frame.err == E_OK ? exchange_send_link(x, frame.data, frame.len)
	                         : exchange_end(x, CLOSE_INTERNAL_ERROR, false);
}

enum exchange_result exchange_body(struct exchange *x, struct slice bytes, size_t *used)
{
	*used = 0;
	x->expecting = false; /* it does not wait */
	if (x->up_broken || x->head_off < x->head.len || x->rest_off < x->rest.len) {
		return EXCHANGE_STAYS;
	}
	if (x->up.framing == HTTP_CHUNKED) {
		return chunked_body(x, bytes, used);
	}
	size_t n = bytes.len < x->up.left ? bytes.len : (size_t)x->up.left;
	x->up.left -= n;
	x->up.bytes += n;
	x->up.done = x->up.left == 0;
	*used = n;
	return exchange_send_link(x, bytes.data, n);
}

/* Sets x->up; a body that is here already goes along with its head. */
static enum exchange_result begin_body(struct exchange *x, const struct http_head *head,
                                       struct slice rest, size_t *used)
{
	x->up.framing = head->framing;
	x->up.left = head->framing == HTTP_LENGTH ? head->length : 0;
	x->up.done = head->framing == HTTP_NO_BODY ||
	             (head->framing == HTTP_LENGTH && head->length == 0);
	if (head->framing == HTTP_CHUNKED) {
		http_chunked_init(&x->up.chunks,
		                  snapshot_config(x->conn->snapshot)->limits.head_bytes);
	} else if (!x->up.done && x->up.left <= rest.len) {
		*used += (size_t)x->up.left;
		buf_append(&x->head, rest.data, (size_t)x->up.left);
		x->up.bytes = x->up.left;
		x->up.left = 0;
		x->up.done = true;
	}
	x->retriable = x->up.done && http_is_idempotent(head->verb);
	return x->head.err == E_OK ? EXCHANGE_STAYS : exchange_end(x, CLOSE_INTERNAL_ERROR, false);
}

/* --- the whole --- */

static enum exchange_result choose(struct exchange *x, const struct http_head *head,
                                   const struct route **route)
{
	struct conn *c = x->conn;
	*route = NULL;
	if (c->upstream != c->service->upstream) { /* in quarantine: never to the normal upstreams */
		x->upstream = c->upstream;
		return EXCHANGE_STAYS;
	}
	if (!routes_find(c->service->routes, head->host, head->path, route)) {
		return exchange_deny(x, 400, DENIED_BY_REQUEST,
		                     "the path can be read in two ways, for two routes", head);
	}
	x->upstream = *route != NULL && (*route)->upstream != NULL ? (*route)->upstream
	                                                           : c->service->upstream;
	if (*route != NULL && (*route)->config->require == REQUIRE_VERIFIED && !c->client.verified) {
		return exchange_deny(x, 403, DENIED_BY_ROUTE, "the route wants a verified client",
		                     head);
	}
	return EXCHANGE_STAYS;
}

/* Where every request is to be recorded, one that cannot be is not begun; nor does a client that asks on and on fill the memory while
 * the disk is slow. */
static bool can_be_recorded(const struct exchange *x)
{
	const struct shard *s = x->conn->shard;
	return x->conn->service->config->requests != REQUESTS_ALL ||
	       (!s->paused && journal_healthy(s->shared->journal));
}

enum exchange_result exchange_request(struct exchange *x, const struct http_head *head,
                                      struct slice bytes, size_t *used)
{
	struct conn *c = x->conn;
	*used = head->bytes;
	x->verb = head->verb;
	x->minor = head->minor;
	x->last = head->close;
	x->end_reason = CLOSE_CLIENT_CLOSED;
	x->state = EXCHANGE_ACTIVE;
	x->start_ns = clock_mono_ns();
	if (c->client.denied) {
		return exchange_answer_denial(x, head);
	}
	if (!can_be_recorded(x)) {
		return exchange_answer(x, 503, c->id, false);
	}
	const char *fault = authority_fault(x, head);
	if (fault != NULL) {
		return exchange_deny(x, 421, DENIED_BY_AUTHORITY, fault, head);
	}
	const struct route *route;
	if (choose(x, head, &route) == EXCHANGE_GONE) {
		return EXCHANGE_GONE;
	}
	if (x->state == EXCHANGE_ANSWER) {
		return EXCHANGE_STAYS;
	}
	if (head->framing == HTTP_LENGTH && over_limit(x, head->length)) {
		return exchange_deny(x, 413, DENIED_BY_REQUEST, "the body is too large", head);
	}
	x->expecting = head->expect_continue;
	struct slice key = {0};
	x->websocket = http_wants_websocket(head, &key);
	if (x->websocket) {
		memcpy(x->websocket_key, key.data, sizeof(x->websocket_key));
	}
	if (!exchange_note(x, head)) {
		return exchange_end(x, CLOSE_INTERNAL_ERROR, false);
	}
	uint64_t hops;
	if (http_max_forwards(head, &hops) &&
	    hops == 0) { /* we are the last one: 501, as it is not ours to answer */
		return exchange_answer(x, 501, c->id, false);
	}
	if (write_head(x, head, route) == EXCHANGE_GONE ||
	    begin_body(x, head, slice_of(bytes.data + head->bytes, bytes.len - head->bytes),
	               used) == EXCHANGE_GONE) {
		return EXCHANGE_GONE;
	}
	return exchange_connect(x);
}
