/* One producer's side of the journal: two buffers, so that a worker pays one uncontended lock and a
 * memcpy while the journal thread works on what came before.
 *
 * The worker appends {u32 length, body} to `filling`; the journal thread swaps the buffers once
 * `draining` is empty, and empties that only as commits become durable: what is not yet durable is
 * always in memory.
 *
 * Thread: the comments in the struct say who owns what. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

struct journal;

struct journal_producer {
	struct journal *journal;
	void (*wake)(void *arg); /* NULL: nobody waits */
	void *arg;
	uint64_t submitted; /* the last ticket; the producer's */

	pthread_mutex_t lock; /* guards filling */
	struct buf filling;

	/* The journal thread's: */
	struct buf draining;
	size_t done;           /* of draining: durable */
	size_t staged;         /* of draining: in the commit that is being made */
	uint64_t staged_count; /* entries from done to staged */

	_Atomic uint64_t durable;
	_Atomic uint64_t failed_from;
	_Atomic size_t queued; /* bytes, both buffers */
};

void producer_init(struct journal_producer *p, struct journal *j, void (*wake)(void *arg),
                   void *arg);
void producer_release(struct journal_producer *p);

/* E_NOMEM: nothing was taken. The producer's thread. */
int producer_put(struct journal_producer *p, struct slice body);

/* The rest is for the journal thread. */

/* True: there is something to stage. */
bool producer_pull(struct journal_producer *p);
/* The next body that is not staged. False: none. */
bool producer_peek(const struct journal_producer *p, struct slice *body);
/* The body that was peeked at is part of the commit now. */
void producer_stage(struct journal_producer *p);
/* The staged bodies are durable; how many there were. */
uint64_t producer_settle(struct journal_producer *p);
