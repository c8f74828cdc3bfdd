/* Bytes both ways between an accepted client and its back end, with bounded buffers.
 *
 * At most one record (16 KiB) waits in each direction; while it does, the other side is not read: back-pressure. A half-close is
 * kept: close_notify becomes FIN and FIN becomes close_notify. A client that goes away without close_notify may have
 * been cut off by anyone, so the back end sees a reset, never a proper end (RFC 8446 6.1); a TLS back end that does is passed on as
 * such, too. A back end that answers an upload early and goes away has its answer delivered.
 *
 * Thread: the connection's worker. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ev.h>

struct conn;
struct link;

/* Bytes that the other side did not take yet. */
struct relay_rest {
	uint8_t *data;
	size_t off;
	size_t len;
};

struct relay {
	struct link *link;      /* to the back end; NULL: none */
	struct relay_rest up;   /* for the back end */
	struct relay_rest down; /* for the client */
	bool flushing;          /* GnuTLS keeps a record of `down`: flush before the next */
	bool up_wants_write; /* reading from the client waits until it can be written (key update) */
	bool read_again;     /* the client's turn was over before its input was */
	struct ev_timer again; /* its next turn: in the loop's next round, behind everybody else's */
	bool client_eof;       /* close_notify came */
	bool upstream_eof;     /* FIN came */
	bool upstream_first;   /* before the client's end */
	bool upstream_shut;    /* our end was sent to the back end */
	bool up_broken; /* the back end takes nothing more, what it said before is still on its way */
	bool client_shut;     /* we sent close_notify and FIN to the client */
	uint64_t from_client; /* application bytes */
	uint64_t to_client;
};

void relay_init(struct relay *r);
/* Closes the back end, with a reset if `abort`. */
void relay_release(struct relay *r, struct ev_loop *loop, bool abort);
/* The link to the back end stands (c->relay.link), and was counted by upstream_use(): both are the relay's from here on. */
void relay_start(struct conn *c);
/* An event on the client's socket. */
void relay_client_ready(struct conn *c, int events);
