/* One accepted connection, from its first byte to its last.
 *
 *   PROXY ──▶ SNIFF ──▶ HANDSHAKE ──▶ STATUS ──▶ PARKED ──▶ CONNECT ──▶ RELAY ──▶ gone
 *     │         │           │           │          │          │           │
 *     └─────────┴───────────┴───────────┴──────────┴──────────┴───────────┴──▶ REFUSED (alert, SHUT_WR, discard until FIN) ──▶ gone
 *
 * PROXY is for peers that have to send a PROXY header (announced.h), others begin with SNIFF; STATUS waits for an OCSP answer, where the
 * service wants one and it is not at hand. handshake_finish() is called exactly once, on every way out of PROXY, SNIFF, HANDSHAKE and
 * STATUS. A live connection is judged again when its verdict may have changed (live.h). A connection with a verdict is then
 * parked until its event is durable; one without ends at once. No application byte passes before RELAY.
 *
 * Thread: its shard's worker. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <ev.h>

#include "event/handshake.h"
#include "net/input.h"
#include "proxy/client.h"
#include "proxy/judge.h"
#include "proxy/live.h"
#include "proxy/close_reason.h"
#include "proxy/parked.h"
#include "proxy/relay.h"
#include "proxy/snapshot.h"
#include "proxy/status.h"
#include "proxy/upstream.h"
#include "tls/session.h"

struct exchange;
struct shard;

enum conn_state {
	CONN_PROXY,
	CONN_SNIFF,
	CONN_HANDSHAKE,
	CONN_STATUS,
	CONN_PARKED,
	CONN_CONNECT,
	CONN_HTTP,
	CONN_RELAY,
	CONN_REFUSED
};

struct conn {
	struct shard *shard;
	struct conn *previous, *next;
	struct parked park; /* of its handshake's event */

	enum conn_state state;
	int fd;
	unsigned listener;
	bool counted;  /* in the limits table */
	bool recorded; /* handshake_finish() was called */
	struct sockaddr_storage
		counts_for; /* while `counted`: the source in the limits table; AF_UNSPEC: not known yet */
	struct snapshot *snapshot; /* a reference: the configuration that this connection lives by */
	const struct service *service; /* NULL until the ClientHello is read */

	struct input input;
	struct tls_session *tls;
	struct handshake *hs;       /* until the event is encoded */
	struct status_query status; /* for an OCSP answer: in STATUS, and when it is judged again */
	struct live live;
	uint64_t start_ns;
	uint64_t hello_ns;   /* when the ClientHello was complete */
	uint64_t sent_bytes; /* to the client, TLS included */
	struct ev_io io;
	struct ev_timer timer;

	/* what stays of the handshake */
	char id[ID_MAX + 1];
	bool allowed;
	bool over_http; /* denied, and told so over HTTP */
	int alert;      /* for a refusal; -1: none */
	struct endpoint source, destination;
	struct endpoint announcer; /* the TCP peer, where a PROXY header changed the source; family 0 otherwise */
	struct client client;      /* mode http */
	struct upstream *upstream; /* where it goes: the service's, or the quarantine */
	struct buf announce;       /* the PROXY header for back ends that want one */

	uint64_t discarded;    /* while REFUSED */
	uint64_t last_byte_ns; /* while RELAY: any direction */
	size_t server;         /* upstream server in use */
	struct upstream_tried tried;
	struct relay relay;
	struct exchange *http; /* while HTTP */
};

/* A new connection on listener `listener` of the shard's snapshot. Takes fd, whatever happens. */
void conn_accept(struct shard *s, unsigned listener, int fd, const struct sockaddr *peer,
                 socklen_t len);
/* Its event is durable: let it in, or refuse it. */
void conn_durable(struct conn *c);
/* Its event could not be written: close it. */
void conn_journal_failed(struct conn *c);
/* The drain deadline: ends with class or close reason `shutdown`. */
void conn_cut(struct conn *c);

/* For relay.c, refuse.c: ends the connection for good, with its connection-end event if it was let in. */
void conn_close(struct conn *c, enum close_reason reason);
/* For finish.c alone among the others: frees without a word. */
void conn_free(struct conn *c);
/* Waits for these events (EV_READ | EV_WRITE) of the client; 0: none. */
void conn_wait(struct conn *c, int events);
/* The one timer; the state tells what it means. 0: stops it. */
void conn_timer(struct conn *c, uint64_t ms);

/* conn_handshake.c: an event of the client's socket in the states PROXY, SNIFF and HANDSHAKE. */
void conn_proxy_step(struct conn *c);
void conn_sniff_step(struct conn *c);
void conn_handshake_step(struct conn *c);
/* conn_handshake.c: records the end of a handshake that reached no verdict, and lets go: with the alert where there is one to send
 * (-1: none). `detail` is static or NULL. */
void conn_end_handshake(struct conn *c, enum peer_class class, const char *detail, int alert);

/* What this connection is judged by under `service` of `snapshot` (NULL: no service was chosen). */
struct judge conn_judge(struct conn *c, const struct service *service,
                        const struct snapshot *snapshot);
/* conn_handshake.c: in STATUS, the handshake's time is over: goes on without an answer. */
void conn_status_late(struct conn *c);
/* The class and decision stand in c->hs: record, park, then on. */
void conn_judged(struct conn *c);

/* finish.c: encodes the event and submits it; BUG on a second call. Frees c->hs. The class and decision stand in hs.
 * False: nothing could be recorded, the connection has to go. */
bool handshake_finish(struct conn *c);
/* finish.c: the connection-end event, if the service wants one or `always`. */
void connection_end_record(struct conn *c, enum close_reason reason, bool always);

/* refuse.c: the alert (or -1), SHUT_WR, then discard until FIN, 2 s or 256 KiB. */
void conn_refuse(struct conn *c, int alert);
void conn_refused_ready(struct conn *c);
/* refuse.c: a live connection that is no longer good: its connection-end, the alert, and the end as above. */
void conn_revoke(struct conn *c, int alert);
/* refuse.c: the same without an alert; what is to be recorded has been. */
void conn_linger(struct conn *c);

/* connect.c: reaches a server of the service's upstream, then relays. */
void conn_connect(struct conn *c);
