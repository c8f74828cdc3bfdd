#include "peer/cache.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/err.h"
#include "peer/classify.h"

#define ANCHOR_BYTES \
	512 /* its subject and the name of its file, roughly: the operator's, not a stranger's */

struct slot {
	uint8_t id[32];          /* of lists, or of a trust without any */
	struct verdict *verdict; /* NULL: free */
	uint64_t used;           /* the cache's clock; the lowest goes first */
};

struct entry {
	struct entry *next; /* in its bucket */
	struct entry *newer;
	struct entry *older;
	struct chain *chain;
	size_t bytes;
	struct slot slots[PEER_CACHE_VERDICTS];
};

struct peer_cache {
	size_t entries_max;
	size_t bytes_max;
	size_t bucket_mask;
	struct entry **buckets;
	struct entry *newest;
	struct entry *oldest;
	uint64_t clock;
	struct peer_cache_stats stats;
};

int peer_cache_new(struct peer_cache **out, size_t entries, size_t bytes)
{
	BUG_IF(entries == 0);

	struct peer_cache *cache = calloc(1, sizeof(*cache));
	if (cache == NULL) {
		return E_NOMEM;
	}
	size_t buckets = 16;
	while (buckets < entries && buckets < SIZE_MAX / 4 / sizeof(struct entry *)) {
		buckets *= 2;
	}
	cache->entries_max = entries;
	cache->bytes_max = bytes;
	cache->bucket_mask = buckets - 1;
	cache->buckets = calloc(buckets, sizeof(struct entry *));
	if (cache->buckets == NULL) {
		free(cache);
		return E_NOMEM;
	}
	*out = cache;
	return E_OK;
}

/* SHA-256 is as good as random: its first bytes are the hash. */
static struct entry **bucket_of(struct peer_cache *cache, const uint8_t sha256[32])
{
	uint64_t n;
	memcpy(&n, sha256, sizeof(n));
	return &cache->buckets[n & cache->bucket_mask];
}

static struct entry *lookup(struct peer_cache *cache, const uint8_t sha256[32])
{
	for (struct entry *entry = *bucket_of(cache, sha256); entry != NULL; entry = entry->next) {
		if (memcmp(entry->chain->sha256, sha256, 32) == 0) {
			return entry;
		}
	}
	return NULL;
}

static void unlink_entry(struct peer_cache *cache, struct entry *entry)
{
	*(entry->newer == NULL ? &cache->newest : &entry->newer->older) = entry->older;
	*(entry->older == NULL ? &cache->oldest : &entry->older->newer) = entry->newer;
	entry->newer = NULL;
	entry->older = NULL;
}

static void link_newest(struct peer_cache *cache, struct entry *entry)
{
	entry->older = cache->newest;
	*(cache->newest == NULL ? &cache->oldest : &cache->newest->newer) = entry;
	cache->newest = entry;
}

static void drop(struct peer_cache *cache, struct entry *entry)
{
	struct entry **at = bucket_of(cache, entry->chain->sha256);
	while (*at != entry) {
		at = &(*at)->next;
	}
	*at = entry->next;
	unlink_entry(cache, entry);
	cache->stats.entries--;
	cache->stats.bytes -= entry->bytes;
	for (size_t i = 0; i < PEER_CACHE_VERDICTS; i++) {
		verdict_unref(&entry->slots[i].verdict);
	}
	chain_unref(&entry->chain);
	free(entry);
}

void peer_cache_free(struct peer_cache **cache)
{
	struct peer_cache *c = *cache;
	*cache = NULL;
	if (c == NULL) {
		return;
	}
	while (c->oldest != NULL) {
		drop(c, c->oldest);
	}
	free(c->buckets);
	free(c);
}

/* Room for one more entry of this size; false: it never fits. */
static bool make_room(struct peer_cache *cache, size_t bytes)
{
	if (bytes > cache->bytes_max) {
		return false;
	}
	while (cache->stats.entries == cache->entries_max ||
	       cache->stats.bytes > cache->bytes_max - bytes) {
		drop(cache, cache->oldest);
	}
	return true;
}

/* All slots count from the beginning, so that nothing grows later; a path has subjects of the
 * chain and one more. */
static size_t verdict_bytes(const struct chain *chain)
{
	size_t bytes = sizeof(struct verdict) + ANCHOR_BYTES;
	for (size_t i = 0; i < chain->count; i++) {
		bytes += chain->certs[i].subject.text.len + 1;
	}
	return PEER_CACHE_VERDICTS * bytes;
}

/* Keeps `chain` if there is room; it is the caller's in any case. */
static void keep(struct peer_cache *cache, struct chain *chain)
{
	size_t bytes = sizeof(struct entry) + chain_memory(chain) + verdict_bytes(chain);
	if (!make_room(cache, bytes)) {
		return;
	}
	struct entry *entry = calloc(1, sizeof(*entry));
	if (entry == NULL) {
		return;
	}
	struct entry **bucket = bucket_of(cache, chain->sha256);
	entry->bytes = bytes;
	entry->chain = chain_ref(chain);
	entry->next = *bucket;
	*bucket = entry;
	link_newest(cache, entry);
	cache->stats.entries++;
	cache->stats.bytes += bytes;
}

int peer_cache_chain(struct peer_cache *cache, struct chain **out, const struct slice *der,
                     size_t count)
{
	BUG_IF(count == 0);

	uint8_t sha256[32];
	int err = chain_hash(sha256, der, count);
	if (err != E_OK) {
		return err;
	}
	struct entry *entry = lookup(cache, sha256);
	if (entry != NULL) {
		cache->stats.chain_hits++;
		unlink_entry(cache, entry);
		link_newest(cache, entry);
		*out = chain_ref(entry->chain);
		return E_OK;
	}
	cache->stats.chain_misses++;
	struct chain *chain;
	err = chain_new(&chain, der, count);
	if (err != E_OK) {
		return err;
	}
	err = chain_parse(chain);
	if (err != E_OK) {
		chain_unref(&chain);
		return err;
	}
	keep(cache, chain);
	*out = chain;
	return E_OK;
}

/* The slot of this trust and its lists, whatever is in it; NULL. */
static struct slot *slot_of(struct entry *entry, const uint8_t *id)
{
	for (size_t i = 0; i < PEER_CACHE_VERDICTS; i++) {
		if (entry->slots[i].verdict != NULL && memcmp(entry->slots[i].id, id, 32) == 0) {
			return &entry->slots[i];
		}
	}
	return NULL;
}

static struct slot *slot_for(struct entry *entry, const uint8_t *id)
{
	struct slot *slot = slot_of(entry, id);
	if (slot != NULL) {
		return slot;
	}
	slot = &entry->slots[0];
	for (size_t i = 1; i < PEER_CACHE_VERDICTS; i++) {
		if (entry->slots[i].used < slot->used) {
			slot = &entry->slots[i];
		}
	}
	return slot;
}

int peer_cache_judge(struct peer_cache *cache, struct verdict **out, const struct trust *trust,
                     const struct lists *lists, struct chain *chain, int64_t now_s)
{
	const uint8_t *id = lists == NULL ? trust_id(trust) : lists_id(lists);
	struct entry *entry = lookup(cache, chain->sha256);
	struct slot *slot = entry == NULL ? NULL : slot_of(entry, id);
	if (slot != NULL && now_s >= slot->verdict->holds_from_s &&
	    now_s < slot->verdict->holds_until_s) {
		cache->stats.verdict_hits++;
		slot->used = ++cache->clock;
		*out = verdict_ref(slot->verdict);
		return E_OK;
	}
	cache->stats.verdict_misses++;
	int err = peer_judge(out, trust, lists, chain, now_s);
	if (err != E_OK || entry == NULL) {
		return err;
	}
	slot = slot_for(entry, id);
	verdict_unref(&slot->verdict);
	memcpy(slot->id, id, sizeof(slot->id));
	slot->verdict = verdict_ref(*out);
	slot->used = ++cache->clock;
	return E_OK;
}

const struct peer_cache_stats *peer_cache_stats(const struct peer_cache *cache)
{
	return &cache->stats;
}
