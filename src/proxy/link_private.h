/* Inside of a link: shared by link.c, link_open.c and egress.c. */
#pragma once

#include <ev.h>

#include "base/buf.h"
#include "event/handshake.h"
#include "net/input.h"
#include "proxy/link.h"
#include "proxy/parked.h"
#include "proxy/recall.h"
#include "tls/session.h"

/* RFC 8446 5.1: what one record carries at most. */
#define LINK_RECORD_BYTES 16384

enum link_state {
	LINK_CONNECTING,
	LINK_HEADER, /* sending the PROXY header */
	LINK_HANDSHAKE,
	LINK_PARKED, /* until the event of the handshake is durable */
	LINK_OPEN,
	LINK_LINGERING /* refused: the server is to read our alert; nobody owns it any more */
};

/* What is needed until the link is open. */
struct link_opening {
	struct buf header;
	size_t header_sent;
	char connection[ID_MAX + 1]; /* empty: a check */
	const struct event_service *service;
	bool check;
	int error;                     /* errno of a connect that failed at once */
	struct handshake *hs;          /* from the first byte of TLS until its event is encoded */
	uint64_t start_ns;             /* of the handshake */
	struct recall_session offered; /* chain NULL: none was */
	struct parked park;
};

struct link {
	struct shard *shard;
	struct snapshot *snapshot;
	struct upstream *upstream;
	size_t server;
	const struct link_ops *ops;
	void *owner;
	struct link *previous, *next; /* of the shard's lingering ones */

	enum link_state state;
	int fd; /* -1: there never was one */
	struct ev_io io;
	struct ev_timer timer;
	struct link_opening *opening; /* NULL once it is open */

	int wanted;        /* events that the owner waits for */
	bool drained;      /* nothing more can be read before the socket says so */
	bool write_broken; /* nothing more can be sent; what the server said may still be read */
	bool shut;         /* our end was said */
	enum link_io ended; /* LINK_EOF, LINK_RESET: what reading gives from now on; else LINK_DONE */

	/* TLS alone */
	struct tls_session *tls;
	struct input input;
	uint64_t sent_bytes;   /* TLS included */
	bool read_wants_write; /* a key update has to be answered first */
	bool has_ahead;        /* one byte was read to see whether there is any */
	uint8_t ahead;
	bool record_inside; /* GnuTLS keeps a record that the socket did not take */
	uint8_t *tail; /* a copy of what it carries, for servers that want shorter records; NULL */
	size_t tail_off, tail_len;
	struct chain *chain; /* goes with tickets to come; NULL: none is wanted any more */
	unsigned reads_for_tickets;
};

/* link.c: an event of the socket or the timer while the link is open. */
void link_io_ready(struct link *link, int events);
void link_timer_ready(struct link *link);
/* link.c: frees, with everything that hangs on it. */
void link_free(struct link *link, bool abort);
/* link.c: the owner of the TLS session's bytes. */
extern const struct tls_owner link_tls_owner;
/* link.c: keeps the tickets that have come. */
void link_keep_tickets(struct link *link);

/* link_open.c: it was closed before it was open; `expired`: it took too long. */
void link_opening_cut(struct link *link, bool expired);
void link_opening_free(struct link *link);

/* egress.c: the handshake begins. E_NOMEM. */
int egress_begin(struct link *link);
/* egress.c: what the server showed. */
int egress_presented(struct link *link, const struct slice *der, size_t count);
/* egress.c: would a server with this chain be let be as of now? */
bool egress_would_trust(struct link *link, struct chain *chain);
/* egress.c: the handshake is complete: judges what was shown, in a resumed session the chain that was offered. True: the link may
 * be used. */
bool egress_judge(struct link *link);
/* egress.c: it failed or was given up. */
void egress_fail(struct link *link);
void egress_end(struct link *link, enum peer_class class, const char *detail);
/* egress.c: after one of those: makes the event of it. False: it could not be. *wait: nothing may pass before park.ticket is
 * durable. Frees opening->hs. */
bool egress_record(struct link *link, bool *wait);
/* egress.c: a check was given up, by us alone: it has no outcome and leaves no event. Frees opening->hs. */
void egress_drop(struct link *link);
