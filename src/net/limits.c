#include "net/limits.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/bug.h"
#include "base/err.h"

#define STRIPES 64
#define BUCKETS 256

struct source {
	struct source *next;
	uint64_t key[2];
	uint64_t count;
};

struct stripe {
	pthread_mutex_t lock; /* guards buckets */
	struct source *buckets[BUCKETS];
};

struct limits {
	_Atomic uint64_t count;
	uint64_t seed; /* sources choose their address: they must not choose their bucket */
	struct stripe stripes[STRIPES];
};

int limits_new(struct limits **out)
{
	struct limits *limits = calloc(1, sizeof(*limits));
	if (limits == NULL) {
		return E_NOMEM;
	}
	BUG_IF(getrandom(&limits->seed, sizeof(limits->seed), 0) != sizeof(limits->seed));
	for (size_t i = 0; i < STRIPES; i++) {
		BUG_IF(pthread_mutex_init(&limits->stripes[i].lock, NULL) != 0);
	}
	*out = limits;
	return E_OK;
}

void limits_free(struct limits **limits)
{
	if (*limits == NULL) {
		return;
	}
	BUG_IF(atomic_load(&(*limits)->count) != 0);
	for (size_t i = 0; i < STRIPES; i++) {
		pthread_mutex_destroy(&(*limits)->stripes[i].lock);
	}
	free(*limits);
	*limits = NULL;
}

/* False: a unix socket or an unknown source, which has no address to count by. */
static bool key_of(const struct sockaddr *peer, uint64_t key[2])
{
	key[0] = key[1] = 0;
	if (peer->sa_family == AF_INET) {
		key[0] = 4;
		memcpy(&key[1], &((const struct sockaddr_in *)peer)->sin_addr, 4);
		return true;
	}
	if (peer->sa_family == AF_INET6) {
		const struct in6_addr *ip = &((const struct sockaddr_in6 *)peer)->sin6_addr;
		if (IN6_IS_ADDR_V4MAPPED(ip)) {
			key[0] = 4;
			memcpy(&key[1], ip->s6_addr + 12, 4);
		} else {
			key[0] = 6;
			memcpy(&key[1], ip->s6_addr, 8);
		}
		return true;
	}
	return false;
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	return x ^ x >> 33;
}

static struct source **find(struct limits *limits, const uint64_t key[2], struct stripe **stripe)
{
	uint64_t hash = mix(key[0] ^ mix(key[1] ^ limits->seed));
	*stripe = &limits->stripes[hash % STRIPES];
	pthread_mutex_lock(&(*stripe)->lock);
	struct source **at = &(*stripe)->buckets[hash / STRIPES % BUCKETS];
	while (*at != NULL && memcmp((*at)->key, key, 2 * sizeof(uint64_t)) != 0) {
		at = &(*at)->next;
	}
	return at;
}

static enum limits_answer acquire_source(struct limits *limits, const uint64_t key[2],
                                         uint64_t per_source)
{
	struct stripe *stripe;
	struct source **at = find(limits, key, &stripe);
	enum limits_answer answer = LIMITS_GRANTED;
	if (*at == NULL) {
		*at = calloc(1, sizeof(**at));
		if (*at == NULL) {
			answer = LIMITS_NO_MEMORY;
			goto unlock;
		}
		memcpy((*at)->key, key, sizeof((*at)->key));
	}
	if ((*at)->count >= per_source) {
		answer = LIMITS_TOO_MANY_OF_SOURCE;
		goto unlock;
	}
	(*at)->count++;
unlock:
	pthread_mutex_unlock(&stripe->lock);
	return answer;
}

enum limits_answer limits_acquire(struct limits *limits, const struct sockaddr *peer,
                                  uint64_t connections, uint64_t per_source)
{
	if (atomic_fetch_add_explicit(&limits->count, 1, memory_order_relaxed) >= connections) {
		atomic_fetch_sub_explicit(&limits->count, 1, memory_order_relaxed);
		return LIMITS_TOO_MANY;
	}
	uint64_t key[2];
	if (!key_of(peer, key)) {
		return LIMITS_GRANTED;
	}
	enum limits_answer answer = acquire_source(limits, key, per_source);
	if (answer != LIMITS_GRANTED) {
		atomic_fetch_sub_explicit(&limits->count, 1, memory_order_relaxed);
	}
	return answer;
}

static void release_source(struct limits *limits, const uint64_t key[2])
{
	struct stripe *stripe;
	struct source **at = find(limits, key, &stripe);
	BUG_IF(*at == NULL || (*at)->count == 0);
	if (--(*at)->count == 0) {
		struct source *gone = *at;
		*at = gone->next;
		free(gone);
	}
	pthread_mutex_unlock(&stripe->lock);
}

enum limits_answer limits_move(struct limits *limits, const struct sockaddr *from,
                               const struct sockaddr *to, uint64_t per_source)
{
	uint64_t key[2];
	if (key_of(to, key)) {
		enum limits_answer answer = acquire_source(limits, key, per_source);
		if (answer != LIMITS_GRANTED) {
			return answer;
		}
	}
	if (key_of(from, key)) {
		release_source(limits, key);
	}
	return LIMITS_GRANTED;
}

void limits_release(struct limits *limits, const struct sockaddr *peer)
{
	BUG_IF(atomic_fetch_sub_explicit(&limits->count, 1, memory_order_relaxed) == 0);
	uint64_t key[2];
	if (key_of(peer, key)) {
		release_source(limits, key);
	}
}

uint64_t limits_count(const struct limits *limits)
{
	return atomic_load_explicit(&limits->count, memory_order_relaxed);
}

const char *limits_refusal(enum limits_answer answer)
{
	switch (answer) {
	case LIMITS_TOO_MANY:
		return "too many connections";
	case LIMITS_TOO_MANY_OF_SOURCE:
		return "too many connections of this source";
	default:
		return "out of memory";
	}
}
