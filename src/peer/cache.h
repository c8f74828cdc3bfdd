/* Verdicts of chains seen before, per worker: bounded, least recently used goes first.
 *
 * Key: SHA-256 of the presented chain and the trust id; value: the verdict, used only inside of its validity interval
 * (both ends: clocks step back). Holds the one shared chain object of each chain, too.
 * Thread: one worker. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "peer/chain.h"
#include "peer/trust.h"
#include "peer/verdict.h"

struct peer_cache;

struct peer_cache_stats {
	uint64_t chain_hits, chain_misses, verdict_hits, verdict_misses;
};

/* At most `entries` chains and `bytes` of certificates. */
int peer_cache_new(struct peer_cache **out, size_t entries, size_t bytes);
void peer_cache_free(struct peer_cache **cache);
/* The shared object for these certificates, made if need be; a new reference for the caller. */
int peer_cache_chain(struct peer_cache *cache, struct chain **out, const struct slice *der, size_t count);
/* The verdict as of now_s, judged if it is not cached; a new reference. A cached one is indistinguishable from a fresh one. */
int peer_cache_judge(struct peer_cache *cache, struct verdict **out, const struct trust *trust,
                     struct chain *chain, int64_t now_s);
const struct peer_cache_stats *peer_cache_stats(const struct peer_cache *cache);
