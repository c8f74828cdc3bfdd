/* From a verdict that lets in to a back end that listens: servers in turn, the next one when one fails. */
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "proxy/conn.h"
#include "proxy/link.h"
#include "proxy/shard.h"

/* RFC 8446 6.2: internal_error, "unrelated to the peer": the client learns that it was not its certificate. */
#define ALERT_INTERNAL_ERROR 80

/* `why` the server before failed; NULL: none was tried. */
static void try_next(struct conn *c, const char *why);

/* Who is on call hears of a dead back end from the log, and once in a while only. */
static void warn(struct conn *c, const char *why)
{
	if (!upstream_should_warn(c->upstream)) {
		return;
	}
	if (why == NULL) {
		log_warning("service %s: no back end is up", c->service->event.name);
		return;
	}
	log_warning("service %s: no back end could be reached; the last one tried was %s: %s",
	            c->service->event.name, upstream_name(c->upstream, c->server), why);
}

static void give_up(struct conn *c)
{
	connection_end_record(c, CLOSE_UPSTREAM_UNREACHABLE, false);
	conn_refuse(c, ALERT_INTERNAL_ERROR);
}

static void on_open(void *owner)
{
	struct conn *c = owner;
	upstream_succeeded(c->upstream, c->server);
	buf_release(&c->announce);
	relay_start(c);
}

static void on_failed(void *owner, enum link_failure failure, const char *why)
{
	struct conn *c = owner;
	c->relay.link = NULL;
	upstream_release(c->upstream, c->server);
	if (failure == LINK_RECORD) {
		conn_journal_failed(c);
		return;
	}
	if (failure != LINK_SHORT) {
		upstream_failed(c->upstream, c->server, clock_mono_ns());
	}
	try_next(c, why);
}

static const struct link_ops link_ops = {.open = on_open, .failed = on_failed};

static void try_next(struct conn *c, const char *why)
{
	size_t next = upstream_pick(c->upstream, &c->tried, clock_mono_ns());
	if (next == UPSTREAM_NOBODY) {
		warn(c, why);
		give_up(c);
		return;
	}
	c->server = next;
	const struct link_purpose purpose = {
		.snapshot = c->snapshot,
		.service = &c->service->event,
		.connection = c->id,
		.proxy_header = upstream_config(c->upstream)->proxy_protocol == PROXY_PROTOCOL_V2
	                                ? buf_slice(&c->announce)
	                                : slice_of(NULL, 0),
	};
	if (link_open(&c->relay.link, c->shard, c->upstream, next, &purpose, &link_ops, c) != E_OK) {
		conn_close(c, CLOSE_INTERNAL_ERROR);
		return;
	}
	upstream_use(c->upstream, next);
}

void conn_connect(struct conn *c)
{
	c->state = CONN_CONNECT;
	if (c->upstream == NULL) {
		c->upstream = c->service->upstream;
	}
	try_next(c, NULL);
}
