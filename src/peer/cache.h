/* Verdicts of chains seen before, per worker: bounded, least recently used goes first.
 *
 * Key: SHA-256 of the presented chain and the id of lists (which holds that of its trust), or of the trust without lists; value: the verdict, used only inside of
 * its validity interval (both ends: clocks step back). Holds the one shared chain object of each
 * chain, too. What somebody else still holds a reference of lives on after it left the cache,
 * and no longer counts here. Thread: one worker. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "peer/chain.h"
#include "peer/lists.h"
#include "peer/trust.h"
#include "peer/verdict.h"

#define PEER_CACHE_VERDICTS \
	4 /* of one chain, by different trusts and lists; the least recently used goes first */

struct peer_cache;

struct peer_cache_stats {
	uint64_t chain_hits, chain_misses, verdict_hits, verdict_misses;
	uint64_t entries; /* chains held now */
	uint64_t bytes;   /* of memory behind them */
};

/* At most `entries` chains (> 0) and `bytes` of memory behind chains and verdicts. E_NOMEM. */
int peer_cache_new(struct peer_cache **out, size_t entries, size_t bytes);
void peer_cache_free(struct peer_cache **cache);
/* The shared object for these certificates (count > 0), made and parsed if need be; a new
 * reference for the caller. One that is too large for the cache is not kept. E_NOMEM. */
int peer_cache_chain(struct peer_cache *cache, struct chain **out, const struct slice *der,
                     size_t count);
/* The verdict as of now_s, judged if it is not cached; a new reference. A cached one is
 * indistinguishable from a fresh one. E_NOMEM. */
int peer_cache_judge(struct peer_cache *cache, struct verdict **out, const struct trust *trust,
                     const struct lists *lists, struct chain *chain, int64_t now_s);
const struct peer_cache_stats *peer_cache_stats(const struct peer_cache *cache);
