/* From a verdict that lets in to a back end that listens: servers in turn, the next one when one fails. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "proxy/conn.h"
#include "proxy/shard.h"
#include "proxy/upstream.h"

/* RFC 8446 6.2: internal_error, "unrelated to the peer": the client learns that it was not its certificate. */
#define ALERT_INTERNAL_ERROR 80

/* `why` the server before failed; NULL: none was tried. */
static void try_next(struct conn *c, const char *why);

/* Who is on call hears of a dead back end from the log, and once in a while only. */
static void warn(struct conn *c, const char *why)
{
	struct upstream *upstream = c->service->upstream;
	if (!upstream_should_warn(upstream)) {
		return;
	}
	if (why == NULL) {
		log_warning("service %s: no back end is up", c->service->event.name);
		return;
	}
	log_warning("service %s: no back end could be reached; the last one tried was %s: %s",
	            c->service->event.name, upstream_name(upstream, c->server), why);
}

static void start(struct conn *c)
{
	upstream_succeeded(c->service->upstream, c->server);
	relay_start(c);
}

static void failed(struct conn *c)
{
	upstream_failed(c->service->upstream, c->server, clock_mono_ns());
	c->relay.fd = -1;
}

static void on_writable(struct ev_loop *loop, struct ev_io *io, int events)
{
	(void)events;
	struct conn *c = io->data;
	ev_io_stop(loop, io);
	if (upstream_connected(c->relay.fd) == E_OK) {
		start(c);
		return;
	}
	const char *why = strerror(errno);
	close(c->relay.fd);
	failed(c);
	try_next(c, why);
}

static void try_next(struct conn *c, const char *why)
{
	struct upstream *upstream = c->service->upstream;
	for (;;) {
		size_t next = upstream_pick(upstream, &c->tried, clock_mono_ns());
		if (next == UPSTREAM_NOBODY) {
			break;
		}
		c->server = next;
		int err = upstream_connect(upstream, next, &c->relay.fd);
		if (err == E_OK) {
			start(c);
			return;
		}
		if (err == E_AGAIN) {
			ev_io_init(&c->relay.io, on_writable, c->relay.fd, EV_WRITE);
			c->relay.io.data = c;
			ev_io_start(c->shard->loop, &c->relay.io);
			conn_timer(c, snapshot_config(c->snapshot)->timeouts.connect_ms);
			return;
		}
		why = strerror(errno);
		failed(c);
	}
	warn(c, why);
	connection_end_record(c, CLOSE_UPSTREAM_UNREACHABLE, false);
	conn_refuse(c, ALERT_INTERNAL_ERROR);
}

void conn_connect(struct conn *c)
{
	if (c->state == CONN_CONNECT) { /* the connect timer: this server does not answer */
		ev_io_stop(c->shard->loop, &c->relay.io);
		close(c->relay.fd);
		failed(c);
		try_next(c, "no answer within timeouts.connect");
		return;
	}
	c->state = CONN_CONNECT;
	try_next(c, NULL);
}
