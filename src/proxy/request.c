/* From a request's head to a link: whose it is, where it goes, and what of it is sent. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "http/rewrite.h"
#include "proxy/conn.h"
#include "proxy/exchange.h"
#include "proxy/link.h"
#include "proxy/pool.h"
#include "proxy/route.h"
#include "proxy/shard.h"

/* --- may it go on? --- */

/* R8, R10: one matcher for TLS and HTTP. A client that was let in by one service must not speak to another one behind the same
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

/* --- the link --- */

static void on_open(void *owner)
{
	struct exchange *x = owner;
	x->state = EXCHANGE_ACTIVE;
	if (exchange_write_link(x) == EXCHANGE_STAYS) {
		exchange_go_on(x);
	}
}

static enum exchange_result connect_next(struct exchange *x);

static void on_failed(void *owner, enum link_failure failure, const char *why)
{
	struct exchange *x = owner;
	x->link = NULL;
	if (failure == LINK_RECORD) {
		exchange_end(x, CLOSE_JOURNAL_FAILED, false);
		return;
	}
	x->untrusted |= failure == LINK_UNTRUSTED || failure == LINK_TLS;
	if (failure != LINK_SHORT) {
		upstream_failed(x->upstream, x->server, clock_mono_ns());
	}
	if (upstream_should_warn(x->upstream)) {
		log_warning("service %s: the back end %s could not be used: %s",
		            x->conn->service->event.name, upstream_name(x->upstream, x->server),
		            why);
	}
	exchange_release_link(x, false);
	if (connect_next(x) == EXCHANGE_STAYS) {
		exchange_go_on(x);
	}
}

static void on_ready(void *owner, int events)
{
	struct exchange *x = owner;
	if ((events & EV_WRITE) != 0 && exchange_write_link(x) == EXCHANGE_GONE) {
		return;
	}
	if ((events & EV_READ) != 0 && x->link != NULL && exchange_read_link(x) == EXCHANGE_GONE) {
		return;
	}
	if (x->conn->state == CONN_HTTP) { /* else it became a tunnel */
		exchange_go_on(x);
	}
}

static const struct link_ops link_ops = {.open = on_open, .failed = on_failed, .ready = on_ready};

/* A link with a PROXY header says who the client is: it serves that client alone. */
static bool belongs_to_client(const struct exchange *x)
{
	return upstream_config(x->upstream)->proxy_protocol == PROXY_PROTOCOL_V2;
}

static struct link *take_link(struct exchange *x)
{
	if (!belongs_to_client(x)) {
		return pool_take(x->conn->shard->pool, x->upstream, x->server);
	}
	struct link *link = x->own_link;
	if (link != NULL && (link_upstream(link) != x->upstream || link_server(link) != x->server)) {
		return NULL;
	}
	x->own_link = NULL;
	return link;
}

/* One that waited. What its server said unasked would be taken for the answer to this request, so a link that is not quiet is given up;
 * one that shows signs of dying too, as not every request can be sent twice. */
static bool reuse_link(struct exchange *x)
{
	struct link *link = take_link(x);
	while (link != NULL && !link_quiet(link)) {
		link_close(&link, false);
		link = take_link(x);
	}
	if (link == NULL) {
		return false;
	}
	x->link = link;
	x->pooled = true;
	link_attach(link, &link_ops, x);
	return true;
}

static enum exchange_result open_link(struct exchange *x)
{
	struct conn *c = x->conn;
	const struct link_purpose purpose = {
		.snapshot = c->snapshot,
		.service = &c->service->event,
		.connection = c->id,
		.proxy_header = belongs_to_client(x) ? buf_slice(&c->announce) : slice_of(NULL, 0),
	};
	x->pooled = false;
	if (link_open(&x->link, c->shard, x->upstream, x->server, &purpose, &link_ops, x) != E_OK) {
		return exchange_end(x, CLOSE_INTERNAL_ERROR, false);
	}
	x->state = EXCHANGE_LINK;
	return EXCHANGE_STAYS;
}

/* A client whose link is its own stays with its server, as long as that is up. */
static size_t choose_server(struct exchange *x)
{
	if (x->own_link != NULL && link_upstream(x->own_link) == x->upstream) {
		size_t i = link_server(x->own_link);
		uint64_t bit = UINT64_C(1) << i % 64;
		if ((x->tried.bits[i / 64] & bit) == 0 && upstream_is_up(x->upstream, i)) {
			x->tried.bits[i / 64] |= bit;
			return i;
		}
	}
	return upstream_pick(x->upstream, &x->tried, clock_mono_ns());
}

static enum exchange_result connect_next(struct exchange *x)
{
	x->state = EXCHANGE_LINK;
	x->server = choose_server(x);
	if (x->server == UPSTREAM_NOBODY) {
		/* A back end that was there and was not what it should be is a bad gateway; none at all is no service. */
		return exchange_answer(x, x->untrusted ? 502 : 503, x->conn->id, x->up.done);
	}
	upstream_use(x->upstream, x->server);
	if (reuse_link(x)) {
		x->state = EXCHANGE_ACTIVE;
		return exchange_write_link(x);
	}
	return open_link(x);
}

void exchange_release_link(struct exchange *x, bool reusable)
{
	if (x->server != UPSTREAM_NOBODY) {
		upstream_release(x->upstream, x->server);
		x->server = UPSTREAM_NOBODY;
	}
	if (x->link == NULL) {
		return;
	}
	if (!reusable) {
		link_close(&x->link, true);
	} else if (belongs_to_client(x)) {
		link_close(&x->own_link, false);
		x->own_link = x->link;
		x->link = NULL;
		exchange_rest_link(x);
	} else {
		pool_put(x->conn->shard->pool, &x->link);
	}
}

/* The link's own end, while it waits for its client's next request. */
static void on_own_ready(void *owner, int events)
{
	(void)events;
	struct exchange *x = owner;
	if (!link_quiet(x->own_link)) {
		link_close(&x->own_link, false);
	}
}

static const struct link_ops own_ops = {.ready = on_own_ready};

void exchange_rest_link(struct exchange *x)
{
	link_attach(x->own_link, &own_ops, x);
	link_wait(x->own_link, EV_READ);
}

enum exchange_result exchange_link_lost(struct exchange *x)
{
	/* RFC 9112 9.3.1: an idle connection may be closed by its server in the moment it is used. Then, and only for what does no
	 * harm when it is done twice, the request goes out once more, on a fresh link. */
	if (x->pooled && x->retriable) {
		link_close(&x->link, true);
		x->head_off = 0;
		x->up_broken = false;
		return open_link(x);
	}
	upstream_failed(x->upstream, x->server, clock_mono_ns());
	return exchange_answer(x, 502, x->conn->id, x->up.done);
}

/* --- sending --- */

/* What the link does not take is kept. */
static enum exchange_result send_link(struct exchange *x, const uint8_t *data, size_t len)
{
	while (len > 0 && !x->up_broken) {
		size_t n = 0;
		switch (link_write(x->link, data, len, &n)) {
		case LINK_DONE:
			data += n;
			len -= n;
			x->progress = true;
			break;
		case LINK_AGAIN:
			buf_append(&x->rest, data, len);
			return x->rest.err == E_OK ? EXCHANGE_STAYS
			                           : exchange_end(x, CLOSE_INTERNAL_ERROR, false);
		default:
			x->up_broken = true; /* it may have said why: its answer is read */
			break;
		}
	}
	x->link_flushing = link_flush(x->link) == LINK_AGAIN;
	return EXCHANGE_STAYS;
}

static bool send_waiting(struct exchange *x, struct buf *from, size_t *off)
{
	while (*off < from->len && !x->up_broken) {
		size_t n = 0;
		switch (link_write(x->link, from->data + *off, from->len - *off, &n)) {
		case LINK_DONE:
			*off += n;
			x->progress = true;
			break;
		case LINK_AGAIN:
			return false;
		default:
			x->up_broken = true;
			break;
		}
	}
	return true;
}

enum exchange_result exchange_write_link(struct exchange *x)
{
	if (x->state != EXCHANGE_ACTIVE || !send_waiting(x, &x->head, &x->head_off) ||
	    !send_waiting(x, &x->rest, &x->rest_off)) {
		return EXCHANGE_STAYS;
	}
	buf_release(&x->rest);
	buf_init(&x->rest, SIZE_MAX);
	x->rest_off = 0;
	x->head_off = x->head.len; /* also when it broke: nothing of it goes any more */
	if (!x->retriable && x->head.len > 0) {
		buf_release(&x->head);
		buf_init(&x->head, SIZE_MAX);
		x->head_off = 0;
	}
	x->link_flushing = link_flush(x->link) == LINK_AGAIN;
	return EXCHANGE_STAYS;
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
	const struct config_limits *config = &snapshot_config(x->conn->snapshot)->limits;
	const struct http_limits limits = {
		.line = config->head_bytes,
		.head = config->head_bytes,
		.fields = (unsigned)config->head_fields,
	};
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
	return frame.err == E_OK ? send_link(x, frame.data, frame.len)
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
	return send_link(x, bytes.data, n);
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
	return connect_next(x);
}
