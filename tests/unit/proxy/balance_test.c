/* Whose turn it is: by weight and exactly so, around servers that are out, with a clock that only the test moves. */
#include "proxy/upstream.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "unit.h"

#define SECOND UINT64_C(1000000000)
#define SERVERS_MAX 8

static struct config_server servers[SERVERS_MAX];
static char names[SERVERS_MAX][32];
static struct config_upstream config;

/* One of `weights` a server; below 0: a backup. */
static struct upstream *make(enum balance_mode balance, const int *weights, size_t count)
{
	config = (struct config_upstream){.at = {1, 1},
	                                  .servers = servers,
	                                  .server_count = count,
	                                  .balance = balance,
	                                  .failures = 3,
	                                  .back_off_ms = 1000};
	for (size_t i = 0; i < count; i++) {
		snprintf(names[i], sizeof(names[i]), "127.0.0.1:%zu", 9000 + i);
		servers[i] = (struct config_server){.address = {names[i], {1, 1}},
		                                    .weight = (unsigned)abs(weights[i]),
		                                    .backup = weights[i] < 0};
	}
	struct diag diag;
	diag_init(&diag);
	struct upstream *upstream = NULL;
	if (upstream_new(&upstream, &config, "api", "test.yaml", &diag) != E_OK) {
		diag_print(&diag, stderr);
		abort();
	}
	diag_release(&diag);
	return upstream;
}
#define MAKE(balance, ...) \
	make(balance, (const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

static size_t pick(struct upstream *upstream, uint64_t now_ns)
{
	struct upstream_tried tried = {.rounds = 0};
	return upstream_pick(upstream, &tried, now_ns);
}

static void fail(struct upstream *upstream, size_t i, unsigned times, uint64_t now_ns)
{
	while (times-- > 0) {
		upstream_failed(upstream, i, now_ns);
	}
}

/* How often each of them is picked. */
static void count_picks(struct upstream *upstream, size_t picks, uint64_t now_ns,
                        unsigned counts[static SERVERS_MAX])
{
	memset(counts, 0, SERVERS_MAX * sizeof(counts[0]));
	for (size_t k = 0; k < picks; k++) {
		size_t i = pick(upstream, now_ns);
		CU_ASSERT_FATAL(i < SERVERS_MAX);
		counts[i]++;
	}
}

/* --- turns --- */

static void equal_servers_take_turns(void)
{
	struct upstream *upstream = MAKE(BALANCE_ROUND_ROBIN, 1, 1, 1);
	for (size_t k = 0; k < 9; k++) {
		CU_ASSERT_EQUAL(pick(upstream, 1), k % 3);
	}
	upstream_free(&upstream);
}

static void weights_are_kept_exactly(void)
{
	struct upstream *upstream = MAKE(BALANCE_ROUND_ROBIN, 5, 1, 2);
	unsigned counts[SERVERS_MAX];
	count_picks(upstream, 800, 1, counts);
	CU_ASSERT_EQUAL(counts[0], 500);
	CU_ASSERT_EQUAL(counts[1], 100);
	CU_ASSERT_EQUAL(counts[2], 200);
	upstream_free(&upstream);
}

static void turns_are_spread_evenly(void)
{
	/* Reduced to 2, 2, 1 there is an order in which nobody comes twice in a row. */
	struct upstream *upstream = MAKE(BALANCE_ROUND_ROBIN, 100, 100, 50);
	size_t before = UPSTREAM_NOBODY;
	for (size_t k = 0; k < 50; k++) {
		size_t i = pick(upstream, 1);
		CU_ASSERT_NOT_EQUAL(i, before);
		before = i;
	}
	upstream_free(&upstream);
}

static void a_dead_servers_turns_are_shared_by_weight(void)
{
	struct upstream *upstream = MAKE(BALANCE_ROUND_ROBIN, 1, 3, 2);
	fail(upstream, 0, 3, 1);
	unsigned counts[SERVERS_MAX];
	count_picks(upstream, 500, 1, counts);
	CU_ASSERT_EQUAL(counts[0], 0);
	CU_ASSERT_EQUAL(counts[1], 300);
	CU_ASSERT_EQUAL(counts[2], 200);
	upstream_free(&upstream);
}

static void nobody_is_tried_twice(void)
{
	struct upstream *upstream = MAKE(BALANCE_ROUND_ROBIN, 3, 1, -1, 2);
	struct upstream_tried tried = {.rounds = 0};
	unsigned seen = 0;
	for (size_t k = 0; k < 4; k++) {
		size_t i = upstream_pick(upstream, &tried, 1);
		CU_ASSERT_FATAL(i < 4);
		CU_ASSERT_EQUAL(seen >> i & 1, 0);
		seen |= 1u << i;
		CU_ASSERT(k < 3 || i == 2); /* the backup at last */
	}
	CU_ASSERT_EQUAL(upstream_pick(upstream, &tried, 1), UPSTREAM_NOBODY);
	upstream_free(&upstream);
}

/* --- from many workers --- */

#define THREADS 4
#define PICKS 10000

struct crowd {
	struct upstream *upstream;
	unsigned counts[SERVERS_MAX];
};

static void *pick_many(void *arg)
{
	struct crowd *crowd = arg;
	for (size_t k = 0; k < PICKS; k++) {
		size_t i = pick(crowd->upstream, 1);
		if (i < SERVERS_MAX) { /* CUnit is not for threads: what is missing shows in the sum */
			crowd->counts[i]++;
			upstream_use(crowd->upstream, i);
			upstream_succeeded(crowd->upstream, i);
			upstream_release(crowd->upstream, i);
		}
	}
	return NULL;
}

static void shares_are_exact_over_all_workers(void)
{
	struct upstream *upstream = MAKE(BALANCE_ROUND_ROBIN, 5, 2, 1);
	struct crowd crowds[THREADS] = {{0}};
	pthread_t threads[THREADS];
	for (size_t t = 0; t < THREADS; t++) {
		crowds[t].upstream = upstream;
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[t], NULL, pick_many, &crowds[t]), 0);
	}
	unsigned counts[SERVERS_MAX] = {0};
	for (size_t t = 0; t < THREADS; t++) {
		pthread_join(threads[t], NULL);
		for (size_t i = 0; i < SERVERS_MAX; i++) {
			counts[i] += crowds[t].counts[i];
		}
	}
	CU_ASSERT_EQUAL(counts[0], THREADS * PICKS * 5 / 8);
	CU_ASSERT_EQUAL(counts[1], THREADS * PICKS * 2 / 8);
	CU_ASSERT_EQUAL(counts[2], THREADS * PICKS * 1 / 8);
	upstream_free(&upstream);
}

static void *probe_once(void *arg)
{
	struct crowd *crowd = arg;
	size_t i = pick(crowd->upstream, 1 + SECOND);
	crowd->counts[0] = i == 0;
	return NULL;
}

static void of_many_workers_one_probes(void)
{
	for (size_t round = 0; round < 50; round++) {
		struct upstream *upstream = MAKE(BALANCE_ROUND_ROBIN, 1, -1);
		fail(upstream, 0, 3, 1);
		struct crowd crowds[THREADS] = {{0}};
		pthread_t threads[THREADS];
		unsigned probes = 0;
		for (size_t t = 0; t < THREADS; t++) {
			crowds[t].upstream = upstream;
			CU_ASSERT_EQUAL_FATAL(
				pthread_create(&threads[t], NULL, probe_once, &crowds[t]), 0);
		}
		for (size_t t = 0; t < THREADS; t++) {
			pthread_join(threads[t], NULL);
			probes += crowds[t].counts[0];
		}
		CU_ASSERT_EQUAL(probes, 1);
		upstream_free(&upstream);
	}
}

/* --- least connections --- */

static void the_least_used_is_next(void)
{
	struct upstream *upstream = MAKE(BALANCE_LEAST_CONNECTIONS, 1, 1, 1);
	for (size_t i = 0; i < 3; i++) {
		upstream_use(upstream, i);
	}
	upstream_use(upstream, 0);
	upstream_use(upstream, 2);
	CU_ASSERT_EQUAL(pick(upstream, 1), 1);
	CU_ASSERT_EQUAL(pick(upstream, 1), 1);
	upstream_use(upstream, 1);
	upstream_use(upstream, 1);
	upstream_release(upstream, 2);
	CU_ASSERT_EQUAL(pick(upstream, 1), 2);
	upstream_free(&upstream);
}

static void use_counts_by_weight(void)
{
	struct upstream *upstream = MAKE(BALANCE_LEAST_CONNECTIONS, 1, 4);
	unsigned counts[2] = {0};
	for (size_t k = 0; k < 100; k++) {
		size_t i = pick(upstream, 1);
		CU_ASSERT_FATAL(i < 2);
		upstream_use(upstream, i);
		counts[i]++;
	}
	CU_ASSERT_EQUAL(counts[0], 20);
	CU_ASSERT_EQUAL(counts[1], 80);
	upstream_free(&upstream);
}

static void idle_servers_take_turns(void)
{
	struct upstream *upstream = MAKE(BALANCE_LEAST_CONNECTIONS, 1, 1, 1);
	unsigned counts[SERVERS_MAX];
	count_picks(upstream, 30, 1, counts);
	CU_ASSERT_EQUAL(counts[0], 10);
	CU_ASSERT_EQUAL(counts[1], 10);
	CU_ASSERT_EQUAL(counts[2], 10);
	upstream_free(&upstream);
}

static void the_least_used_backup_waits_like_any(void)
{
	struct upstream *upstream = MAKE(BALANCE_LEAST_CONNECTIONS, 1, -1);
	upstream_use(upstream, 0);
	upstream_use(upstream, 0);
	CU_ASSERT_EQUAL(pick(upstream, 1), 0);
	upstream_free(&upstream);
}

/* --- backups --- */

static void backups_wait_until_all_others_are_out(void)
{
	struct upstream *upstream = MAKE(BALANCE_ROUND_ROBIN, 1, -1, 1, -1);
	unsigned counts[SERVERS_MAX];
	count_picks(upstream, 10, 1, counts);
	CU_ASSERT_EQUAL(counts[1] + counts[3], 0);
	upstream_checked(upstream, 0, false);
	count_picks(upstream, 10, 1, counts);
	CU_ASSERT_EQUAL(counts[2], 10);
	fail(upstream, 2, 3, 1);
	count_picks(upstream, 10, 1, counts);
	CU_ASSERT_EQUAL(counts[1], 5);
	CU_ASSERT_EQUAL(counts[3], 5);
	upstream_checked(upstream, 0, true);
	count_picks(upstream, 10, 1, counts);
	CU_ASSERT_EQUAL(counts[0], 10);
	upstream_free(&upstream);
}

static void only_backups_serve_as_well(void)
{
	struct upstream *upstream = MAKE(BALANCE_ROUND_ROBIN, -1, -1);
	unsigned counts[SERVERS_MAX];
	count_picks(upstream, 10, 1, counts);
	CU_ASSERT_EQUAL(counts[0], 5);
	CU_ASSERT_EQUAL(counts[1], 5);
	upstream_free(&upstream);
}

/* --- failures --- */

static void only_failures_in_a_row_count(void)
{
	struct upstream *upstream = MAKE(BALANCE_ROUND_ROBIN, 1, -1);
	fail(upstream, 0, 2, 1);
	upstream_succeeded(upstream, 0);
	fail(upstream, 0, 2, 1);
	CU_ASSERT_EQUAL(pick(upstream, 1), 0);
	fail(upstream, 0, 1, 1);
	CU_ASSERT_EQUAL(pick(upstream, 1), 1);
	upstream_free(&upstream);
}

static void without_a_number_failures_take_nobody_out(void)
{
	struct upstream *upstream = MAKE(BALANCE_ROUND_ROBIN, 1, -1);
	config.failures = 0;
	fail(upstream, 0, 1000, 1);
	CU_ASSERT_EQUAL(pick(upstream, 1), 0);
	upstream_free(&upstream);
}

static void the_back_off_doubles_sixteenfold(void)
{
	struct upstream *upstream = MAKE(BALANCE_ROUND_ROBIN, 1, -1);
	static const unsigned times[] = {1, 2, 4, 8, 16, 16, 16};
	uint64_t now = 1;
	fail(upstream, 0, 3, now);
	for (size_t k = 0; k < sizeof(times) / sizeof(times[0]); k++) {
		CU_ASSERT_EQUAL(pick(upstream, now + times[k] * SECOND - 1), 1);
		now += times[k] * SECOND;
		CU_ASSERT_EQUAL(pick(upstream, now), 0);
		fail(upstream, 0, 1, now);
	}
	/* Back for once, it begins anew. */
	now += 16 * SECOND;
	CU_ASSERT_EQUAL(pick(upstream, now), 0);
	upstream_succeeded(upstream, 0);
	fail(upstream, 0, 3, now);
	CU_ASSERT_EQUAL(pick(upstream, now + SECOND - 1), 1);
	CU_ASSERT_EQUAL(pick(upstream, now + SECOND), 0);
	upstream_free(&upstream);
}

static void one_connection_at_a_time_probes(void)
{
	struct upstream *upstream = MAKE(BALANCE_ROUND_ROBIN, 1, 1);
	fail(upstream, 0, 3, 1);
	uint64_t now = 1 + SECOND;
	unsigned counts[SERVERS_MAX];
	count_picks(upstream, 10, now, counts);
	CU_ASSERT_EQUAL(counts[0], 1);
	CU_ASSERT_EQUAL(counts[1], 9);
	upstream_succeeded(upstream, 0);
	count_picks(upstream, 10, now, counts);
	CU_ASSERT_EQUAL(counts[0], 5);
	upstream_free(&upstream);
}

static void a_probe_without_an_end_is_forgotten(void)
{
	struct upstream *upstream = MAKE(BALANCE_ROUND_ROBIN, 1, -1);
	fail(upstream, 0, 3, 1);
	uint64_t now = 1 + SECOND;
	CU_ASSERT_EQUAL(pick(upstream, now), 0);
	CU_ASSERT_EQUAL(pick(upstream, now + 10 * SECOND - 1), 1);
	CU_ASSERT_EQUAL(pick(upstream, now + 10 * SECOND), 0);
	upstream_free(&upstream);
}

static void stragglers_do_not_lengthen_the_back_off(void)
{
	/* A hundred connections were under way when the server went: that is one outage. */
	struct upstream *upstream = MAKE(BALANCE_ROUND_ROBIN, 1, -1);
	fail(upstream, 0, 100, 1);
	CU_ASSERT_EQUAL(pick(upstream, 1 + SECOND), 0);
	upstream_free(&upstream);
}

static void those_out_are_better_than_nobody(void)
{
	struct upstream *upstream = MAKE(BALANCE_ROUND_ROBIN, 1, 1, -1);
	fail(upstream, 0, 3, 1);
	fail(upstream, 2, 3, 2);
	fail(upstream, 1, 3, 3);
	struct upstream_tried tried = {.rounds = 0};
	/* Who is out the longest has the best chance; nobody twice. */
	CU_ASSERT_EQUAL(upstream_pick(upstream, &tried, 4), 0);
	CU_ASSERT_EQUAL(upstream_pick(upstream, &tried, 4), 2);
	CU_ASSERT_EQUAL(upstream_pick(upstream, &tried, 4), 1);
	CU_ASSERT_EQUAL(upstream_pick(upstream, &tried, 4), UPSTREAM_NOBODY);
	/* A check has looked: that is more than a failure. */
	upstream_checked(upstream, 0, false);
	upstream_checked(upstream, 2, false);
	CU_ASSERT_EQUAL(pick(upstream, 4), 1);
	upstream_checked(upstream, 1, false);
	CU_ASSERT_EQUAL(pick(upstream, 4), UPSTREAM_NOBODY);
	upstream_free(&upstream);
}

/* --- checks --- */

static void a_server_out_by_checks_is_never_picked(void)
{
	struct upstream *upstream = MAKE(BALANCE_ROUND_ROBIN, 1);
	CU_ASSERT(upstream_is_up(upstream, 0));
	upstream_checked(upstream, 0, false);
	CU_ASSERT(!upstream_is_up(upstream, 0));
	CU_ASSERT_EQUAL(pick(upstream, 1), UPSTREAM_NOBODY);
	CU_ASSERT_EQUAL(pick(upstream, 1000000 * SECOND), UPSTREAM_NOBODY);
	upstream_free(&upstream);
}

static void a_good_check_ends_a_back_off(void)
{
	struct upstream *upstream = MAKE(BALANCE_ROUND_ROBIN, 1, -1);
	fail(upstream, 0, 3, 1);
	upstream_checked(upstream, 0, false);
	upstream_checked(upstream, 0, true);
	CU_ASSERT_EQUAL(pick(upstream, 1), 0);
	fail(upstream, 0, 2, 1);
	CU_ASSERT_EQUAL(pick(upstream, 1), 0);
	upstream_free(&upstream);
}

/* --- reloads --- */

static void a_reload_keeps_what_is_known(void)
{
	struct upstream *old = MAKE(BALANCE_ROUND_ROBIN, 1, 1, 1);
	config.check.at.line = 1;
	fail(old, 0, 3, 1);
	upstream_checked(old, 1, false);
	struct upstream *new = MAKE(BALANCE_ROUND_ROBIN, 1, 1, 1);
	config.check.at.line = 1;
	upstream_inherit(new, old);
	unsigned counts[SERVERS_MAX];
	count_picks(new, 10, 1, counts);
	CU_ASSERT_EQUAL(counts[2], 10);
	count_picks(new, 10, 1 + SECOND, counts);
	CU_ASSERT_EQUAL(counts[0], 1);
	upstream_free(&new);
	upstream_free(&old);
}

static void without_checks_a_reload_takes_everybody_in(void)
{
	struct upstream *old = MAKE(BALANCE_ROUND_ROBIN, 1);
	upstream_checked(old, 0, false);
	struct upstream *new = MAKE(BALANCE_ROUND_ROBIN, 1);
	upstream_inherit(new, old);
	CU_ASSERT_EQUAL(pick(new, 1), 0);
	upstream_free(&new);
	upstream_free(&old);
}

static void a_probe_under_way_is_not_waited_for_after_a_reload(void)
{
	struct upstream *old = MAKE(BALANCE_ROUND_ROBIN, 1, -1);
	fail(old, 0, 3, 1);
	CU_ASSERT_EQUAL(pick(old, 1 + SECOND), 0);
	struct upstream *new = MAKE(BALANCE_ROUND_ROBIN, 1, -1);
	upstream_inherit(new, old);
	CU_ASSERT_EQUAL(pick(new, 1 + SECOND), 0);
	CU_ASSERT_EQUAL(pick(new, 1 + SECOND), 1);
	upstream_free(&new);
	upstream_free(&old);
}

static const struct unit_test tests[] = {
	{"equal servers take turns", equal_servers_take_turns},
	{"weights are kept exactly", weights_are_kept_exactly},
	{"turns are spread evenly", turns_are_spread_evenly},
	{"a dead server's turns are shared by weight", a_dead_servers_turns_are_shared_by_weight},
	{"nobody is tried twice", nobody_is_tried_twice},
	{"shares are exact over all workers", shares_are_exact_over_all_workers},
	{"of many workers one probes", of_many_workers_one_probes},
	{"the least used is next", the_least_used_is_next},
	{"use counts by weight", use_counts_by_weight},
	{"idle servers take turns", idle_servers_take_turns},
	{"the least used backup waits like any", the_least_used_backup_waits_like_any},
	{"backups wait until all others are out", backups_wait_until_all_others_are_out},
	{"only backups serve as well", only_backups_serve_as_well},
	{"only failures in a row count", only_failures_in_a_row_count},
	{"without a number failures take nobody out", without_a_number_failures_take_nobody_out},
	{"the back-off doubles, sixteenfold at most", the_back_off_doubles_sixteenfold},
	{"one connection at a time probes", one_connection_at_a_time_probes},
	{"a probe without an end is forgotten", a_probe_without_an_end_is_forgotten},
	{"stragglers do not lengthen the back-off", stragglers_do_not_lengthen_the_back_off},
	{"those out are better than nobody", those_out_are_better_than_nobody},
	{"a server out by checks is never picked", a_server_out_by_checks_is_never_picked},
	{"a good check ends a back-off", a_good_check_ends_a_back_off},
	{"a reload keeps what is known", a_reload_keeps_what_is_known},
	{"without checks a reload takes everybody in", without_checks_a_reload_takes_everybody_in},
	{"a probe under way is not waited for after a reload",
         a_probe_under_way_is_not_waited_for_after_a_reload},
};
UNIT_MAIN("proxy/balance", tests)
