/* The link of an exchange: a server in its turn, a link that waited or a new one, and what is sent on it. */
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "proxy/conn.h"
#include "proxy/exchange.h"
#include "proxy/link.h"
#include "proxy/pool.h"
#include "proxy/shard.h"

/* --- getting one --- */

static void on_open(void *owner)
{
	struct exchange *x = owner;
	x->state = EXCHANGE_ACTIVE;
	if (exchange_write_link(x) == EXCHANGE_STAYS) {
		exchange_go_on(x);
	}
}

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
	if (exchange_connect(x) == EXCHANGE_STAYS) {
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
	/* Its own may be one with lists that nobody else needs any more. */
	link_renew(link, x->conn->snapshot);
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

enum exchange_result exchange_connect(struct exchange *x)
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

static void rest_link(struct exchange *x)
{
	link_attach(x->own_link, &own_ops, x);
	link_wait(x->own_link, EV_READ);
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
		rest_link(x);
	} else {
		pool_put(x->conn->shard->pool, &x->link);
	}
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
	if (!x->pooled) { /* that an idle connection ends is no failure of its server */
		upstream_failed(x->upstream, x->server, clock_mono_ns());
	}
	return exchange_answer(x, 502, x->conn->id, x->up.done);
}

/* --- sending --- */

/* What the link does not take is kept. */
enum exchange_result exchange_send_link(struct exchange *x, const uint8_t *data, size_t len)
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
