/* What one worker owns: its loop, its connections, its verdict cache, its ids and its line to the journal.
 *
 * Nothing here is shared between workers but the limits table and the snapshot, which is immutable.
 * Thread: the shard's own worker, unless a function says otherwise. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <ev.h>

#include "base/id.h"
#include "event/event.h"
#include "http/head.h"
#include "journal/journal.h"
#include "net/acceptor.h"
#include "net/input.h"
#include "net/limits.h"
#include "net/listener.h"
#include "net/worker.h"
#include "peer/cache.h"
#include "proxy/live.h"
#include "proxy/parked.h"
#include "proxy/snapshot.h"

/* The longest head that limits.head allows, with what we add to it, and twice what is read in one go: chunks grow when they are
 * framed anew. */
#define SHARD_FRAME_BYTES ((256 + 64) * 1024)

struct conn;
struct link;
struct recall;
struct exchange;
struct pool;
struct fetcher;
struct status_desk;

/* What every shard needs and none owns. Constant after start but for one number. */
struct shard_shared {
	const struct event_source *source;
	const char *boot;
	struct journal *journal;
	struct limits *limits;
	struct fetcher *fetcher;
	_Atomic uint64_t connections_max; /* that the descriptors allow; main changes it at a reload */
	void (*applied)(
		void *arg); /* called by each shard, from its thread, when it has taken a configuration, or
	                             * emptied its sockets at the first shard_drain() */
	void (*drained)(
		void *arg); /* called once by each shard, from its thread, when its last connection is gone */
	void *arg;
};

/* A new configuration: the snapshot and, beside each of its listeners, the socket. */
struct shard_config {
	struct snapshot *snapshot; /* a reference */
	unsigned listener_count;
	int fds[];
};

struct shard {
	unsigned index;
	struct worker *worker;
	struct ev_loop *loop;
	const struct shard_shared *shared;
	struct snapshot *snapshot;  /* for connections to come */
	struct event_source source; /* with the labels of `snapshot` */
	struct journal_producer *producer;
	uint64_t last_ticket; /* of the newest entry */
	struct peer_cache *cache;
	struct id_source ids;
	struct acceptor **acceptors;
	unsigned acceptor_count;
	bool running; /* has its thread; main's */
	bool paused;  /* the journal's queue is full */
	bool draining;
	bool done;                /* `drained` was called */
	struct ev_timer deadline; /* of the drain */

	struct conn *conns; /* all of them, doubly linked */
	uint64_t conn_count;
	struct link *lingering; /* refused servers that may still read why; see link_open.c */
	unsigned lingering_count;
	struct recall *recall;                     /* of the servers of `snapshot` */
	struct parked *parked_first, *parked_last; /* by ticket */
	struct exchange *busy; /* those that wait for somebody; looked at by `tick` */
	struct ev_timer tick;
	struct status_desk *desk; /* OCSP answers */
	struct live_sweep sweep;
	struct ev_timer live_look, live_slice;
	struct checks *checks; /* of the first worker alone; NULL */
	struct pool *pool;     /* links that wait for their next request */

	_Atomic uint64_t handshakes; /* recorded; read by main */
	_Atomic uint64_t refused;    /* closed at accept, nothing could be recorded; read by main */
	_Atomic uint64_t cut;        /* ended by the drain deadline; read by main */

	uint8_t input[INPUT_SCRATCH_LEN]; /* one connection at a time reads through this */
	/* One link at a time reads through this: apart, as a connection may have a rest in the other. */
	uint8_t link_input[INPUT_SCRATCH_LEN];
	uint8_t relay[16384];             /* and copies through this: a TLS record */
	uint8_t event[EVENT_BODY_MAX];    /* and is encoded here */
	uint8_t frame[SHARD_FRAME_BYTES]; /* heads and chunks on their way out are written here */
	struct http_field fields[HTTP_FIELDS_MAX]; /* of the head that is read */
};

/* Makes the shard with its worker and its producer; not running yet. Main thread. */
int shard_new(struct shard **out, unsigned index, const struct shard_shared *shared);
/* Main thread. */
int shard_start(struct shard *s);
/* Hands over a configuration; takes it. Any thread. */
void shard_configure(struct shard *s, struct shard_config *config);
/* Accept what is queued, then no more; end what is open after `deadline_ms`. A second call moves the deadline. Any thread. */
void shard_drain(struct shard *s, uint64_t deadline_ms);
/* After `drained`: ends the thread. The journal may still wake it. Main thread. */
void shard_stop(struct shard *s);
/* After shard_stop(): waits until all of its entries are durable. E_TIMEOUT, E_IO as journal_wait(). Main thread. */
int shard_settle(struct shard *s, unsigned timeout_ms);
/* After shard_stop() and the end of the journal, or before shard_start(). Main thread. */
void shard_free(struct shard **s);

/* A connection was freed: the drain may be over. For conn.c. */
void shard_conn_gone(struct shard *s);
/* Hands an encoded entry to the journal. False: there was no memory for it. */
bool shard_submit(struct shard *s, const struct buf *body, uint64_t *ticket);
/* The entry could not be written so far, and no wake-up will tell of it: do not park for it. */
bool shard_is_lost(const struct shard *s, uint64_t ticket);
/* Waits for the newest entry (parked->ticket): in order of tickets, so right after shard_submit(). */
void shard_park(struct shard *s, struct parked *parked);
/* Fine if it does not wait. */
void shard_unpark(struct shard *s, struct parked *parked);
