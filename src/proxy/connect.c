/* From a verdict that lets in to a back end that listens: servers in turn, the next one when one fails. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "proxy/conn.h"
#include "proxy/shard.h"
#include "proxy/upstream.h"

/* RFC 8446 6.2: internal_error, "unrelated to the peer": the client learns that it was not its certificate. */
#define ALERT_INTERNAL_ERROR 80

static void try_next(struct conn *c);

/* Who is on call hears of a dead back end from the log, and once in a while only. */
static void warn(struct conn *c, size_t server, const char *why)
{
	struct upstream *upstream = c->service->upstream;
	if (c->servers_tried == upstream_count(upstream) && upstream_should_warn(upstream)) {
		log_warning(
			"service %s: no back end could be reached; the last one tried was %s: %s",
			c->service->event.name, upstream_name(upstream, server), why);
	}
}

static size_t server_in_turn(const struct conn *c)
{
	return (c->server + c->servers_tried - 1) % upstream_count(c->service->upstream);
}

static void on_writable(struct ev_loop *loop, struct ev_io *io, int events)
{
	(void)events;
	struct conn *c = io->data;
	ev_io_stop(loop, io);
	if (upstream_connected(c->relay.fd) == E_OK) {
		relay_start(c);
		return;
	}
	warn(c, server_in_turn(c), strerror(errno));
	close(c->relay.fd);
	c->relay.fd = -1;
	try_next(c);
}

static void give_up(struct conn *c)
{
	connection_end_record(c, CLOSE_UPSTREAM_UNREACHABLE, false);
	conn_refuse(c, ALERT_INTERNAL_ERROR);
}

static void try_next(struct conn *c)
{
	struct upstream *upstream = c->service->upstream;
	while (c->servers_tried < upstream_count(upstream)) {
		c->servers_tried++;
		size_t i = server_in_turn(c);
		int err = upstream_connect(upstream, i, &c->relay.fd);
		if (err == E_OK) {
			relay_start(c);
			return;
		}
		if (err == E_AGAIN) {
			ev_io_init(&c->relay.io, on_writable, c->relay.fd, EV_WRITE);
			c->relay.io.data = c;
			ev_io_start(c->shard->loop, &c->relay.io);
			conn_timer(c, snapshot_config(c->snapshot)->timeouts.connect_ms);
			return;
		}
		warn(c, i, strerror(errno));
		c->relay.fd = -1;
	}
	give_up(c);
}

void conn_connect(struct conn *c)
{
	if (c->state == CONN_CONNECT) { /* the connect timer: this server does not answer */
		warn(c, server_in_turn(c), "no answer within timeouts.connect");
		ev_io_stop(c->shard->loop, &c->relay.io);
		close(c->relay.fd);
		c->relay.fd = -1;
	} else {
		c->state = CONN_CONNECT;
		c->server = upstream_first(c->service->upstream);
	}
	try_next(c);
}
