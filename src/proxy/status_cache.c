#include "proxy/status_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

struct status_cache {
	size_t count, max;
	size_t bucket_count;               /* a power of two */
	struct status_entry *first, *last; /* by use */
	struct status_entry *buckets[];
};

int status_cache_new(struct status_cache **out, size_t max)
{
	size_t bucket_count = 1;
	while (bucket_count < max) {
		bucket_count *= 2;
	}
	struct status_cache *cache =
		calloc(1, sizeof(*cache) + bucket_count * sizeof(cache->buckets[0]));
	if (cache == NULL) {
		return E_NOMEM;
	}
	cache->max = max;
	cache->bucket_count = bucket_count;
	*out = cache;
	return E_OK;
}

void status_cache_free(struct status_cache **cache)
{
	if (*cache == NULL) {
		return;
	}
	struct status_entry *entry = (*cache)->first;
	while (entry != NULL) {
		struct status_entry *next = entry->next;
		free(entry);
		entry = next;
	}
	free(*cache);
	*cache = NULL;
}

/* Keys are SHA-256: their first bytes are as good as any hash. */
static struct status_entry **bucket_of(struct status_cache *cache, const uint8_t *key)
{
	uint64_t hash;
	memcpy(&hash, key, sizeof(hash));
	return &cache->buckets[hash & (cache->bucket_count - 1)];
}

static struct status_entry *look_up(struct status_cache *cache, const uint8_t *key)
{
	struct status_entry *entry = *bucket_of(cache, key);
	while (entry != NULL && memcmp(entry->key, key, STATUS_KEY_LEN) != 0) {
		entry = entry->chain;
	}
	return entry;
}

static void unlink_use(struct status_cache *cache, struct status_entry *entry)
{
	*(entry->previous == NULL ? &cache->first : &entry->previous->next) = entry->next;
	*(entry->next == NULL ? &cache->last : &entry->next->previous) = entry->previous;
}

static void link_first(struct status_cache *cache, struct status_entry *entry)
{
	entry->previous = NULL;
	entry->next = cache->first;
	*(cache->first == NULL ? &cache->last : &cache->first->previous) = entry;
	cache->first = entry;
}

static void drop_last(struct status_cache *cache)
{
	struct status_entry *entry = cache->last;
	struct status_entry **link = bucket_of(cache, entry->key);
	while (*link != entry) {
		link = &(*link)->chain;
	}
	*link = entry->chain;
	unlink_use(cache, entry);
	free(entry);
	cache->count--;
}

const struct status_entry *status_cache_find(struct status_cache *cache,
                                             const uint8_t key[static STATUS_KEY_LEN])
{
	struct status_entry *entry = look_up(cache, key);
	if (entry != NULL) {
		unlink_use(cache, entry);
		link_first(cache, entry);
	}
	return entry;
}

static struct status_entry *make(struct status_cache *cache, const uint8_t *key)
{
	if (cache->count == cache->max) {
		drop_last(cache);
	}
	struct status_entry *entry = calloc(1, sizeof(*entry));
	if (entry == NULL) {
		return NULL;
	}
	struct status_entry **bucket = bucket_of(cache, key);
	memcpy(entry->key, key, STATUS_KEY_LEN);
	entry->chain = *bucket;
	*bucket = entry;
	link_first(cache, entry);
	cache->count++;
	return entry;
}

void status_cache_put(struct status_cache *cache, const uint8_t key[static STATUS_KEY_LEN],
                      const struct ocsp_answer *answer, int64_t until_s, const char *why,
                      uint64_t retry_at_ns)
{
	struct status_entry *entry = look_up(cache, key);
	if (entry == NULL) {
		entry = make(cache, key);
		if (entry == NULL) {
			return;
		}
	}
	entry->why = why;
	entry->answer = why == NULL ? *answer : (struct ocsp_answer){0};
	entry->until_s = until_s;
	entry->retry_at_ns = retry_at_ns;
}
