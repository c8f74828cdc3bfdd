/* HTTP on one client connection: requests and their answers, one exchange after another.
 *
 *            ┌────────────────────────────── keep-alive ◀──────────────────────────────┐
 *            ▼                                                                          │
 *   IDLE ──▶ HEAD ──▶ (authority, route, require) ──▶ LINK ──▶ ACTIVE ──▶ the answer is over ──▶ gone
 *                        │                             │          │
 *                        └────────▶ ANSWER ◀───────────┴──────────┤      ANSWER: one of our own
 *                                                                 └──▶ CONN_RELAY, after a 101: a tunnel
 *
 * What the client sends behind a request waits in `in`, so that pipelined requests are served in order; it is not read beyond one
 * record then. In each direction at most one record of body waits; while it does, the other side is not read: back-pressure.
 *
 * A busy exchange has a deadline that the shard looks at ten times a second: no timer is moved for a request. Between requests the
 * connection's idle timer runs.
 *
 * Files: exchange.c the states, deadlines and ends; exchange_client.c the client's side; request.c from head to body; exchange_link.c the way to a
 * server; response.c its answer; answer.c our own answers and the record. Thread: the connection's worker. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ev.h>

#include "base/buf.h"
#include "base/slice.h"
#include "event/handshake.h"
#include "http/chunk.h"
#include "http/head.h"
#include "proxy/close_reason.h"
#include "proxy/upstream.h"

struct conn;
struct link;
struct shard;
struct snapshot;

enum exchange_state {
	EXCHANGE_IDLE,
	EXCHANGE_HEAD,
	EXCHANGE_LINK,
	EXCHANGE_ACTIVE,
	EXCHANGE_ANSWER
};

/* Whom a busy exchange waits for, when its deadline passes. */
enum exchange_wait { WAIT_HEAD, WAIT_BODY, WAIT_UPSTREAM, WAIT_CLIENT };

/* A body on its way from one side to the other. */
struct body {
	enum http_framing framing;
	uint64_t left; /* HTTP_LENGTH */
	struct http_chunked chunks;
	uint64_t bytes; /* of content so far */
	bool done;
};

/* What a request event says, kept only where the service wants one. */
struct request_note {
	char *text; /* method, host, path and query, one after the other */
	size_t method_len, host_len, path_len, query_len;
	int64_t start_us;
	const char *upstream; /* whose link we gave up for an answer of our own; NULL */
};

struct exchange {
	struct conn *conn;
	enum exchange_state state;
	struct exchange *busy_previous, *busy_next; /* of the shard, while not IDLE */
	bool busy;
	enum exchange_wait wait;
	uint64_t deadline_ns;
	bool progress;         /* bytes moved since it was set */
	uint64_t window_bytes; /* from the client since then */
	uint64_t start_ns;     /* of the request: its head was whole */

	/* the client */
	struct buf in; /* read and not yet used */
	size_t in_off;
	struct http_scan scan;
	bool client_eof;      /* close_notify came */
	bool client_flushing; /* GnuTLS keeps a record */
	bool read_wants_write;
	struct buf down; /* for the client, waiting */
	size_t down_off;
	bool last;                    /* the connection ends with this answer, */
	enum close_reason end_reason; /* for this reason */
	bool closing;                 /* close_notify is being sent */
	struct ev_timer again; /* the next turn: in the loop's next round, behind everybody else's */

	/* the request */
	enum http_verb verb;
	unsigned minor;
	bool retriable; /* idempotent, and all of it is in `head` */
	bool websocket;
	char websocket_key[24];
	bool expecting; /* the client waits for a 100 before it sends its body */
	struct body up;
	struct buf head; /* for the back end: the head, and a body that was there at once */
	size_t head_off;
	struct request_note note;

	/* the back end */
	struct upstream *upstream;
	struct upstream_tried tried;
	size_t server; /* in use; UPSTREAM_NOBODY */
	struct link *link;
	struct link *own_link; /* between requests, where a link belongs to one client (PROXY protocol) */
	bool pooled;           /* the link has served a request before: it may be dying */
	bool untrusted;        /* a server was reached and could not be trusted */
	struct buf rest;       /* of the request's body, what the link did not take */
	size_t rest_off;
	bool link_flushing; /* TLS keeps a record of it */
	bool up_broken;     /* the link takes nothing more; an answer may still come */
	struct buf answer;  /* a part of a response's head */
	struct http_scan answer_scan;
	bool answered;          /* the final head was passed on */
	bool link_close;        /* the link does not persist */
	unsigned informational; /* 1xx passed on */
	unsigned status;
	struct body down_body;
	enum http_framing down_framing; /* towards the client */
};

/* Takes over a connection that was let in, or is to be denied over HTTP. Out of memory closes it. */
void exchange_begin(struct conn *c);
/* For conn_free() and conn_close(). NULL is fine. */
void exchange_free(struct exchange **x);
/* An event on the client's socket. */
void exchange_client_ready(struct exchange *x, int events);
/* The connection's timer, between requests: how long was it idle? */
void exchange_idle_check(struct exchange *x);
/* Ends an idle connection; a busy one ends with its answer. */
void exchange_drain(struct exchange *x);
/* Its links hold on to this snapshot from now on, which has the same plan. */
void exchange_renew(struct exchange *x, struct snapshot *snapshot);
/* Every 100 ms while there are busy ones: looks at the deadlines. */
void exchange_tick(struct shard *s);

/* --- among these files --- */

/* Every function that returns this may have ended the connection: EXCHANGE_GONE, touch nothing. */
enum exchange_result { EXCHANGE_STAYS, EXCHANGE_GONE };

/* exchange_client.c: sends, keeping what the client does not take at once; `data` may be the worker's scratch. */
enum exchange_result exchange_send(struct exchange *x, const void *data, size_t len);
/* Nothing waits for the client. */
bool exchange_sent(const struct exchange *x);
/* What waits for it, as far as it takes it. */
enum exchange_result exchange_flush(struct exchange *x);
/* There is room for what it says. */
bool exchange_may_read(const struct exchange *x);
/* Reads and uses it, a turn's worth. */
enum exchange_result exchange_pump(struct exchange *x);

/* exchange.c: the bounds of heads and trailer sections; a request's own line has one besides. */
struct http_limits exchange_limits(const struct exchange *x);
/* exchange.c: no further request is served on this connection: the client or we said so, the worker drains, or another configuration came into force. */
bool exchange_is_last(const struct exchange *x);
/* The answer was passed on whole: the next request, or the end. */
enum exchange_result exchange_over(struct exchange *x);
/* Ends the connection. `proper`: close_notify first, and what is on its way arrives; else the client sees that it was cut off. */
enum exchange_result exchange_end(struct exchange *x, enum close_reason reason, bool proper);
/* Uses what the client sent, then waits on both sides: the end of every callback. */
void exchange_go_on(struct exchange *x);
/* The waiting alone. */
void exchange_wait(struct exchange *x);

/* request.c: a whole head is at the start of `bytes`; *used says how many of them were taken. */
enum exchange_result exchange_request(struct exchange *x, const struct http_head *head,
                                      struct slice bytes, size_t *used);
/* request.c: body bytes of the client; *used as above. Takes none while some wait. */
enum exchange_result exchange_body(struct exchange *x, struct slice bytes, size_t *used);
/* exchange_link.c: the next server in turn; without one, 502 or 503. */
enum exchange_result exchange_connect(struct exchange *x);
/* Gives the link back, to the pool if it can serve again. */
void exchange_release_link(struct exchange *x, bool reusable);
/* The link broke before an answer came: another try, or 502. */
enum exchange_result exchange_link_lost(struct exchange *x);
/* The link can be written: what waits for it. */
enum exchange_result exchange_write_link(struct exchange *x);
/* Body bytes for it; what it does not take is kept. */
enum exchange_result exchange_send_link(struct exchange *x, const uint8_t *data, size_t len);

/* response.c: the link can be read. */
enum exchange_result exchange_read_link(struct exchange *x);
/* exchange.c: after a 101: the connection is a tunnel from now on, and x is gone. */
void exchange_tunnel(struct exchange *x);

/* answer.c: our own answer, as RFC 9457 with the event's id and nothing else. `keep`: the connection may go on, where nothing of the request is
 * still to come. */
enum exchange_result exchange_answer(struct exchange *x, unsigned status, const char *event_id,
                                     bool keep);
/* answer.c: a denial of the handshake: by status of its class, or a redirect, with the handshake's id. The request is recorded if the
 * service wants that. */
enum exchange_result exchange_answer_denial(struct exchange *x, const struct http_head *head);
/* answer.c: records a refusal (always for authority and route), then answers; the connection ends. head NULL: it could not be read. */
enum exchange_result exchange_deny(struct exchange *x, unsigned status, enum denied_by by,
                                   const char *detail, const struct http_head *head);
/* answer.c: the request event of an exchange that is over or cut off, if the service wants one; once. */
void exchange_record(struct exchange *x, bool whole);
/* answer.c: keeps what that event needs. False: out of memory. */
bool exchange_note(struct exchange *x, const struct http_head *head);
