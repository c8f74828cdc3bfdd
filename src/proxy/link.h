/* One connection of ours to a server of an upstream: TCP, the PROXY header that goes first, TLS and the judgement of the server, then
 * bytes. Plain or TLS, who uses it sees a byte stream.
 *
 * Every TLS handshake made here leaves an egress event, also one that fails; one that is denied never carries a byte. Health checks
 * leave one only when the outcome differs from the server's last (link_purpose.check); one that is given up has none.
 *
 *   CONNECT ──▶ HEADER ──▶ HANDSHAKE ──▶ OPEN
 *
 * Thread: the shard's worker. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct event_service;
struct link;
struct shard;
struct snapshot;
struct upstream;

enum link_failure {
	LINK_UNREACHABLE, /* refused, no route, nobody home */
	LINK_TIMEOUT,     /* timeouts.connect, for connecting and handshake together */
	LINK_TLS,         /* no handshake came about */
	LINK_UNTRUSTED,   /* the server is not who it should be */
	LINK_RECORD, /* its event could not be made durable: our fault, no other server does better */
	LINK_SHORT /* no descriptor, port or memory for it: our fault, and says nothing of the server */
};

struct link_ops {
	/* The stream stands. */
	void (*open)(void *owner);
	/* It never will; `why` is a sentence for the log. The link is closed when this returns: do not touch it. */
	void (*failed)(void *owner, enum link_failure failure, const char *why);
	/* What was waited for. On a link in the pool: the server closed it, or said something unasked. */
	void (*ready)(void *owner, int events);
};

struct link_purpose {
	struct snapshot *snapshot;           /* a reference is taken for the link's life */
	const struct event_service *service; /* of the event; the snapshot keeps it */
	const char *connection;    /* id of the ingress handshake; copied; NULL: a check */
	struct slice proxy_header; /* to send first; copied */
	bool check;                /* leave an event only when the outcome changed */
};

enum link_io {
	LINK_DONE,  /* *n > 0 bytes moved */
	LINK_AGAIN, /* wait: EV_READ after a read, EV_WRITE after a write */
	LINK_EOF,   /* read: a proper end, FIN in plain, close_notify in TLS */
	LINK_RESET  /* it is gone: reset, cut off without close_notify, or broken TLS */
};

/* Begins to connect to server i. E_OK: ops->open or ops->failed comes later, never before this returns. E_NOMEM. */
int link_open(struct link **out, struct shard *s, struct upstream *upstream, size_t server,
              const struct link_purpose *purpose, const struct link_ops *ops, void *owner);
/* Another owner, after the pool. */
void link_attach(struct link *link, const struct link_ops *ops, void *owner);
/* Waits for these events (EV_READ | EV_WRITE), 0: none. What TLS has read already counts as readable and calls `ready` in the loop's next round. */
void link_wait(struct link *link, int events);
enum link_io link_read(struct link *link, void *data, size_t cap, size_t *n);
/* Like send(2): *n bytes were taken, which may be fewer than len. A TLS record that the socket does not take whole was taken, and
 * goes before the next one. */
enum link_io link_write(struct link *link, const void *data, size_t len, size_t *n);
/* Everything taken by link_write() is on its way: LINK_DONE (*n is not used), LINK_AGAIN, LINK_RESET. */
enum link_io link_flush(struct link *link);
/* The end of what we send: close_notify and FIN. LINK_DONE or LINK_AGAIN, then call again. */
enum link_io link_shut(struct link *link);
/* True if nothing was said unasked and the server has not closed: before a request that must not be repeated. */
bool link_quiet(struct link *link);
struct upstream *link_upstream(const struct link *link);
size_t link_server(const struct link *link);
/* A snapshot with the same plan took the place of the link's: holds on to that one from now on. */
void link_renew(struct link *link, struct snapshot *snapshot);
/* Takes *link and leaves NULL there; NULL is fine. `abort`: with a reset, as something that was cut off. */
void link_close(struct link **link, bool abort);
/* The same, because its owner has waited long enough: a handshake that is not over ends with class timeout. */
void link_expire(struct link **link);
/* Frees those that were refused and have no owner any more. Main thread, after the worker. */
void links_end_lingering(struct shard *s);
