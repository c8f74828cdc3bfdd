/* Who waits in a shard until an entry of the journal is durable: a connection for its handshake's event, a link for its own.
 *
 * Thread: the shard's worker. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct parked_ops {
	/* The entry is durable. */
	void (*durable)(void *owner);
	/* It could not be written so far. */
	void (*lost)(void *owner);
};

/* Part of its owner; shard_unpark() before the owner goes. */
struct parked {
	const struct parked_ops *ops;
	void *owner;
	struct parked *previous, *next; /* the shard's */
	bool waiting;                   /* in the shard's list */
	uint64_t ticket;                /* of the entry */
};
