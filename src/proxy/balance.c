/* Whose turn it is, and who is left out.
 *
 * Turns are laid out once: smooth weighted round robin gives an order in which each server stands as often as its weight says
 * and as evenly spread as can be. Workers only count through it, with one atomic. A turn of a server that is out is skipped, so
 * that the others share by their weights what it does not get.
 *
 *   in ──`failures` in a row──▶ out for back_off ──over──▶ one probe ──succeeded──▶ in
 *                                 ▲                            │
 *                                 └──failed: twice as long─────┘
 *
 * When nobody is in, those that are out by failures are tried all the same: a failure can be provoked by a client, and to be refused by
 * a dead server is no worse than to be refused for it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/err.h"
#include "base/log.h"
#include "proxy/upstream_private.h"

/* A back-off becomes 16 times as long, no longer: a server that is back should not wait for hours. */
#define DOUBLINGS_MAX 4
/* Of a probe that ended without a word, as its client went away, nothing is known after this. */
#define PROBE_NS UINT64_C(10000000000)

/* --- the turns --- */

static unsigned greatest_divisor(unsigned a, unsigned b)
{
	while (b != 0) {
		unsigned rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

int balance_order(struct upstream *upstream, bool backup)
{
	struct group *group = &upstream->groups[backup];
	unsigned divisor = 0;
	size_t total = 0;
	for (size_t i = 0; i < upstream->count; i++) {
		if (upstream->servers[i].backup == backup) {
			divisor = greatest_divisor(divisor, upstream->servers[i].weight);
			total += upstream->servers[i].weight;
		}
	}
	if (total == 0) {
		return E_OK;
	}
	total /= divisor;
	group->order = malloc(total);
	if (group->order == NULL) {
		return E_NOMEM;
	}
	long credit[UPSTREAM_SERVERS_MAX] = {0};
	for (; group->length < total; group->length++) {
		size_t best = UPSTREAM_NOBODY;
		for (size_t i = 0; i < upstream->count; i++) {
			if (upstream->servers[i].backup != backup) {
				continue;
			}
			credit[i] += upstream->servers[i].weight / divisor;
			if (best == UPSTREAM_NOBODY || credit[i] > credit[best]) {
				best = i;
			}
		}
		credit[best] -= (long)total;
		group->order[group->length] = (uint8_t)best;
	}
	return E_OK;
}

/* --- the choice --- */

static bool was_tried(const struct upstream_tried *tried, size_t i)
{
	return (tried->bits[i / 64] >> i % 64 & 1) != 0;
}

static bool usable(const struct upstream *upstream, size_t i, const struct upstream_tried *tried,
                   uint64_t now_ns)
{
	const struct server *server = &upstream->servers[i];
	return !was_tried(tried, i) && !atomic_load_explicit(&server->down, memory_order_relaxed) &&
	       atomic_load_explicit(&server->out_until_ns, memory_order_relaxed) <= now_ns;
}

/* Somebody is usable: whoever has the next turn of those. */
static size_t in_turn(struct upstream *upstream, struct group *group,
                      const struct upstream_tried *tried, uint64_t now_ns, size_t somebody)
{
	for (size_t k = 0; k < group->length; k++) {
		size_t turn = atomic_fetch_add_explicit(&group->turn, 1, memory_order_relaxed);
		size_t i = group->order[turn % group->length];
		if (usable(upstream, i, tried, now_ns)) {
			return i;
		}
	}
	return somebody; /* other workers took all of its turns, or it is out since */
}

static size_t find_usable(const struct upstream *upstream, bool backup,
                          const struct upstream_tried *tried, uint64_t now_ns)
{
	for (size_t i = 0; i < upstream->count; i++) {
		if (upstream->servers[i].backup == backup && usable(upstream, i, tried, now_ns)) {
			return i;
		}
	}
	return UPSTREAM_NOBODY;
}

/* `best` has the turn: it is chosen among equals. */
static size_t least_used(const struct upstream *upstream, size_t best,
                         const struct upstream_tried *tried, uint64_t now_ns)
{
	const struct server *servers = upstream->servers;
	uint64_t fewest = atomic_load_explicit(&servers[best].active, memory_order_relaxed);
	size_t first = best;
	for (size_t k = 1; k < upstream->count; k++) {
		size_t i = (first + k) % upstream->count;
		if (servers[i].backup != servers[first].backup ||
		    !usable(upstream, i, tried, now_ns)) {
			continue;
		}
		uint64_t active = atomic_load_explicit(&servers[i].active, memory_order_relaxed);
		if (active * servers[best].weight < fewest * servers[i].weight) {
			best = i;
			fewest = active;
		}
	}
	return best;
}

/* False: it is out, and somebody else tries it already. */
static bool claim(struct server *server, uint64_t now_ns)
{
	if (atomic_load_explicit(&server->out_until_ns, memory_order_relaxed) == 0) {
		return true;
	}
	pthread_mutex_lock(&server->lock);
	uint64_t until = atomic_load_explicit(&server->out_until_ns, memory_order_relaxed);
	bool mine = until <= now_ns;
	if (mine && until != 0) {
		server->probing = true;
		atomic_store_explicit(&server->out_until_ns, now_ns + PROBE_NS,
		                      memory_order_relaxed);
	}
	pthread_mutex_unlock(&server->lock);
	return mine;
}

static size_t pick_of(struct upstream *upstream, bool backup, const struct upstream_tried *tried,
                      uint64_t now_ns)
{
	for (;;) {
		size_t i = find_usable(upstream, backup, tried, now_ns);
		if (i == UPSTREAM_NOBODY) {
			return i;
		}
		i = in_turn(upstream, &upstream->groups[backup], tried, now_ns, i);
		if (upstream->config->balance == BALANCE_LEAST_CONNECTIONS) {
			i = least_used(upstream, i, tried, now_ns);
		}
		if (claim(&upstream->servers[i], now_ns)) {
			return i;
		}
	}
}

static size_t pick_of_all(struct upstream *upstream, const struct upstream_tried *tried,
                          uint64_t now_ns)
{
	size_t i = pick_of(upstream, false, tried, now_ns);
	return i != UPSTREAM_NOBODY ? i : pick_of(upstream, true, tried, now_ns);
}

/* Whoever failed has moved on to its next address: "localhost" is two, and often only one of them answers. */
static bool try_addresses(const struct upstream *upstream, struct upstream_tried *tried)
{
	bool any = false;
	tried->rounds++;
	for (size_t i = 0; i < upstream->count; i++) {
		struct server *server = &upstream->servers[i];
		if (server->literal || !was_tried(tried, i)) {
			continue;
		}
		pthread_mutex_lock(&server->lock);
		bool more = server->address_count > tried->rounds;
		pthread_mutex_unlock(&server->lock);
		if (more) {
			tried->bits[i / 64] &= ~(UINT64_C(1) << i % 64);
			any = true;
		}
	}
	return any;
}

/* Out by failures alone. Whoever is out the longest has the best chance. */
static size_t pick_in_need(const struct upstream *upstream, const struct upstream_tried *tried)
{
	size_t best = UPSTREAM_NOBODY;
	uint64_t soonest = UINT64_MAX;
	for (size_t i = 0; i < upstream->count; i++) {
		const struct server *server = &upstream->servers[i];
		uint64_t until = atomic_load_explicit(&server->out_until_ns, memory_order_relaxed);
		if (!was_tried(tried, i) && until < soonest &&
		    !atomic_load_explicit(&server->down, memory_order_relaxed)) {
			best = i;
			soonest = until;
		}
	}
	return best;
}

size_t upstream_pick(struct upstream *upstream, struct upstream_tried *tried, uint64_t now_ns)
{
	size_t i = pick_of_all(upstream, tried, now_ns);
	if (i == UPSTREAM_NOBODY && try_addresses(upstream, tried)) {
		i = pick_of_all(upstream, tried, now_ns);
	}
	i = i != UPSTREAM_NOBODY ? i : pick_in_need(upstream, tried);
	if (i != UPSTREAM_NOBODY) {
		tried->bits[i / 64] |= UINT64_C(1) << i % 64;
	}
	return i;
}

static struct server *server_at(const struct upstream *upstream, size_t i)
{
	BUG_IF(i >= upstream->count);
	return &upstream->servers[i];
}

void upstream_use(struct upstream *upstream, size_t i)
{
	atomic_fetch_add_explicit(&server_at(upstream, i)->active, 1, memory_order_relaxed);
}

void upstream_release(struct upstream *upstream, size_t i)
{
	uint64_t before =
		atomic_fetch_sub_explicit(&server_at(upstream, i)->active, 1, memory_order_relaxed);
	BUG_IF(before == 0);
}

/* --- in and out --- */

/* The lock is held. True: it was out. */
static bool forget_failures(struct server *server)
{
	bool was_out = atomic_load_explicit(&server->out_until_ns, memory_order_relaxed) != 0;
	atomic_store_explicit(&server->failures, 0, memory_order_relaxed);
	atomic_store_explicit(&server->out_until_ns, 0, memory_order_relaxed);
	server->doublings = 0;
	server->probing = false;
	return was_out;
}

void upstream_succeeded(struct upstream *upstream, size_t i)
{
	struct server *server = server_at(upstream, i);
	/* Nearly always: nothing to forget, and no lock. */
	if (atomic_load_explicit(&server->failures, memory_order_relaxed) == 0) {
		return;
	}
	pthread_mutex_lock(&server->lock);
	bool was_out = forget_failures(server);
	pthread_mutex_unlock(&server->lock);
	if (was_out) {
		log_info("service %s: %s works again", upstream->owner, server->name);
	}
}

/* The lock is held. True: it was in. */
static bool count_failure(struct upstream *upstream, struct server *server, uint64_t now_ns)
{
	uint64_t back_off_ns = upstream->config->back_off_ms * 1000000;
	if (atomic_load_explicit(&server->out_until_ns, memory_order_relaxed) != 0) {
		if (server->probing) { /* others began before it was out: they tell nothing new */
			server->probing = false;
			server->doublings += server->doublings < DOUBLINGS_MAX;
			atomic_store_explicit(&server->out_until_ns,
			                      now_ns + (back_off_ns << server->doublings),
			                      memory_order_relaxed);
		}
		return false;
	}
	unsigned failures = atomic_load_explicit(&server->failures, memory_order_relaxed) + 1;
	atomic_store_explicit(&server->failures, failures, memory_order_relaxed);
	if (failures < upstream->config->failures) {
		return false;
	}
	atomic_store_explicit(&server->out_until_ns, now_ns + back_off_ns, memory_order_relaxed);
	return true;
}

void upstream_failed(struct upstream *upstream, size_t i, uint64_t now_ns)
{
	struct server *server = server_at(upstream, i);
	pthread_mutex_lock(&server->lock);
	bool was_in = upstream->config->failures != 0 && count_failure(upstream, server, now_ns);
	server->address = (server->address + 1) % server->address_count;
	pthread_mutex_unlock(&server->lock);
	if (was_in) {
		log_warning("service %s: %s is left out: it failed %u times in a row",
		            upstream->owner, server->name, upstream->config->failures);
	}
}

void upstream_checked(struct upstream *upstream, size_t i, bool up)
{
	struct server *server = server_at(upstream, i);
	atomic_store_explicit(&server->down, !up, memory_order_relaxed);
	if (up) {
		pthread_mutex_lock(&server->lock);
		forget_failures(server);
		pthread_mutex_unlock(&server->lock);
	}
}

bool upstream_is_up(const struct upstream *upstream, size_t i)
{
	return !atomic_load_explicit(&server_at(upstream, i)->down, memory_order_relaxed);
}

/* --- after a reload --- */

static void inherit_address(struct server *server, struct server *old)
{
	pthread_mutex_lock(&old->lock);
	struct address current = old->addresses[old->address];
	pthread_mutex_unlock(&old->lock);
	for (size_t i = 0; i < server->address_count; i++) {
		if (address_equal(&server->addresses[i], &current)) {
			server->address = i;
		}
	}
}

static void inherit_failures(struct server *server, struct server *old)
{
	pthread_mutex_lock(&old->lock);
	server->doublings = old->doublings;
	unsigned failures = atomic_load_explicit(&old->failures, memory_order_relaxed);
	uint64_t until = atomic_load_explicit(&old->out_until_ns, memory_order_relaxed);
	/* Its probe is the old configuration's, and nobody will tell us: ours may begin at once. */
	until = old->probing ? 1 : until;
	pthread_mutex_unlock(&old->lock);
	atomic_init(&server->failures, failures);
	atomic_init(&server->out_until_ns, until);
}

void upstream_inherit(struct upstream *upstream, const struct upstream *old)
{
	if (strcmp(upstream->owner, old->owner) != 0) {
		return;
	}
	for (size_t i = 0; i < upstream->count; i++) {
		struct server *server = &upstream->servers[i];
		for (size_t k = 0; k < old->count; k++) {
			struct server *same = &old->servers[k];
			if (strcmp(server->name, same->name) != 0) {
				continue;
			}
			inherit_address(server, same);
			if (upstream->config->failures != 0) {
				inherit_failures(server, same);
			}
			/* Without checks nobody would take it in again. */
			atomic_init(&server->down, upstream->config->check.at.line != 0 &&
			                                   !upstream_is_up(old, k));
			break;
		}
	}
}
