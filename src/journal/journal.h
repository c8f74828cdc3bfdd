/* The journal: bodies in, durable numbered entries out, acknowledged by batch.
 *
 * Each producer (a worker, or main) hands over bodies and gets a ticket, 1, 2, 3, ... in its own
 * order. The journal thread collects while the last fdatasync runs, prefixes the sequence numbers,
 * writes one commit with one pwrite, one fdatasync, advances `tip` and publishes "durable up to"
 * per producer with one wake-up. The file format is told in format.h, what a crash leaves in
 * recover.h.
 *
 * Thread: each function says. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/slice.h"

struct journal;
struct journal_producer;
struct journal_io;

struct journal_options {
	const char *state;  /* directory; made if missing (0700); the journal is STATE/journal */
	const char *origin; /* into the log name; a journal of another origin or node is refused */
	const char *node;
	size_t file_bytes;           /* of a raw file; 0: 16 MiB; held between 68 KiB and 1 GiB */
	size_t queue_bytes;          /* of each producer, before journal_pressure(); 0: 8 MiB */
	const struct journal_io *io; /* what stands between us and the disk; NULL: nothing */
};

/* What was found at open. */
struct journal_found {
	bool first;          /* the journal was empty */
	bool clean;          /* the last run ended with journal_stop() */
	uint64_t next_index; /* the first sequence number this run will give */
	uint64_t torn_bytes; /* behind the last valid commit */
	char log[512];       /* "<origin>/<node>/<epoch>" */
};

/* Locks the directory, recovers, prepares the first file; no thread yet. A sentence for the
 * operator goes to `diag`: E_BUSY (another process runs on it), E_INVALID (the journal of another
 * origin or node), E_VERSION, E_ACCESS, E_NOSPACE, E_CORRUPT (whose journal it is cannot be told),
 * E_IO, E_NOMEM. Entries that were durable and are unreadable now do not hinder the start: that is
 * a warning in `diag` and in the log, and their numbers are not given again. Main thread. */
int journal_open(struct journal **out, const struct journal_options *options,
                 struct journal_found *found, struct diag *diag);

/* `wake(arg)` is called from the journal thread after tickets of this producer became durable or
 * failed, or after pressure fell or the journal's health changed, at most once a commit. NULL:
 * nobody waits. Main thread, between open and start. */
int journal_producer_new(struct journal *j, struct journal_producer **out, void (*wake)(void *arg),
                         void *arg);

/* Starts the journal thread and the one that prepares files. Main thread. */
int journal_start(struct journal *j);

/* Copies `body` (event.h says what that is; at most EVENT_BODY_MAX bytes) and gives its ticket.
 * Never blocks on I/O.
 * E_NOMEM: nothing was taken. The producer's thread. */
int journal_submit(struct journal_producer *p, struct slice body, uint64_t *ticket);

/* Every ticket <= the result is durable. The producer's thread. */
uint64_t journal_durable(const struct journal_producer *p);
/* Every ticket >= the result could not be written so far (it is kept and written later);
 * UINT64_MAX: none. That includes tickets given while the journal is not healthy: no wake-up of
 * their own tells of them. After a wake-up look at journal_durable() last: it may have grown past
 * what this said. The producer's thread. */
uint64_t journal_failed_from(const struct journal_producer *p);
/* The queue is over its bound: accept nothing until a wake-up says otherwise. The producer's
 * thread. */
bool journal_pressure(const struct journal_producer *p);
/* False from a failed write until one succeeds again. Any thread. */
bool journal_healthy(const struct journal *j);
/* Waits until `ticket` is durable. E_TIMEOUT; E_IO: it could not be written so far. The producer's
 * thread; never a worker. */
int journal_wait(struct journal_producer *p, uint64_t ticket, unsigned timeout_ms);

struct journal_stats {
	uint64_t commits;
	uint64_t entries;       /* durable, of this run */
	uint64_t failures;      /* commits that failed, each try */
	uint64_t files;         /* put to use */
	uint64_t poisoned;      /* files given up after an error */
	uint64_t prepared_late; /* files made on the spot, because none was ready */
};
/* Counts since open. Any thread, until journal_stop(). */
void journal_stats(const struct journal *j, struct journal_stats *out);

/* Writes what is queued, marks the journal cleanly ended, joins the threads, unlocks. Producers end
 * with it, too. A disk that is broken is tried for 3 s more; what is lost then is counted in the
 * log. NULL is fine. Main thread. */
void journal_stop(struct journal **j);
