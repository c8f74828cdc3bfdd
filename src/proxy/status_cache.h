/* What was asked of OCSP responders lately, answered or failed: bounded, least recently used goes first. Private to status.c.
 *
 * Thread: one worker. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "peer/ocsp.h"

#define STATUS_KEY_LEN 32

struct status_entry {
	struct status_entry *chain;           /* in its bucket */
	struct status_entry *previous, *next; /* by use, the newest first */
	uint8_t key[STATUS_KEY_LEN];
	const char *why; /* static; NULL: there is an answer */
	struct ocsp_answer answer;
	int64_t until_s;      /* of the answer, in wall time */
	uint64_t retry_at_ns; /* of a failure, in monotonic time */
};

struct status_cache;

/* At most `max` entries (> 0). E_NOMEM. */
int status_cache_new(struct status_cache **out, size_t max);
/* NULL is fine. */
void status_cache_free(struct status_cache **cache);
/* The entry, now the one used last; NULL. Until the next status_cache_put(). */
const struct status_entry *status_cache_find(struct status_cache *cache,
                                             const uint8_t key[static STATUS_KEY_LEN]);
/* In place of what was there: an answer until until_s, or, with `why`, a failure until retry_at_ns. Nothing is kept if there is no memory. */
void status_cache_put(struct status_cache *cache, const uint8_t key[static STATUS_KEY_LEN],
                      const struct ocsp_answer *answer, int64_t until_s, const char *why,
                      uint64_t retry_at_ns);
