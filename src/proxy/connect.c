/* From a verdict that lets in to a back end that listens: servers in turn, the next one when one fails. */
#include <unistd.h>

#include "base/err.h"
#include "proxy/conn.h"
#include "proxy/shard.h"
#include "proxy/upstream.h"

/* RFC 8446 6.2: internal_error, "unrelated to the peer": the client learns that it was not its certificate. */
#define ALERT_INTERNAL_ERROR 80

static void try_next(struct conn *c);

static void on_writable(struct ev_loop *loop, struct ev_io *io, int events)
{
	(void)events;
	struct conn *c = io->data;
	ev_io_stop(loop, io);
	if (upstream_connected(c->relay.fd) == E_OK) {
		relay_start(c);
		return;
	}
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
		size_t i = (c->server + c->servers_tried++) % upstream_count(upstream);
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
		c->relay.fd = -1;
	}
	give_up(c);
}

void conn_connect(struct conn *c)
{
	if (c->state == CONN_CONNECT) { /* the connect timer: this server does not answer */
		ev_io_stop(c->shard->loop, &c->relay.io);
		close(c->relay.fd);
		c->relay.fd = -1;
	} else {
		c->state = CONN_CONNECT;
		c->server = upstream_first(c->service->upstream);
	}
	try_next(c);
}
