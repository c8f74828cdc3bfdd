/* Names are looked up again in due time, and nobody waits for a name server that is silent.
 *
 * The snapshot here is the test's own, a list of upstreams, and so are the answers of the name server. */
#include "proxy/resolver.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "proxy/snapshot.h"
#include "proxy/upstream.h"
#include "unit.h"

/* --- the snapshot --- */

struct snapshot {
	unsigned refs;
	struct upstream *upstreams[2];
	size_t count;
	unsigned plan; /* 0: its own */
};

struct snapshot *snapshot_ref(struct snapshot *s)
{
	s->refs++;
	return s;
}

void snapshot_unref(struct snapshot **s)
{
	if (*s != NULL) {
		(*s)->refs--;
	}
	*s = NULL;
}

size_t snapshot_upstream_count(const struct snapshot *s)
{
	return s->count;
}

struct upstream *snapshot_upstream(const struct snapshot *s, size_t i)
{
	return s->upstreams[i];
}

bool snapshot_same_plan(const struct snapshot *a, const struct snapshot *b)
{
	return a == b || (a->plan != 0 && a->plan == b->plan);
}

static struct config_server named = {.address = {(char *)"localhost:80", {1, 1}}, .weight = 1};
static struct config_server literal = {.address = {(char *)"127.0.0.1:80", {1, 1}}, .weight = 1};
static struct config_upstream often = {
	.at = {1, 1}, .servers = &named, .server_count = 1, .resolve_ms = 1};
static struct config_upstream never = {
	.at = {1, 1}, .servers = &named, .server_count = 1, .resolve_ms = 3600000};
static struct config_upstream nameless = {
	.at = {1, 1}, .servers = &literal, .server_count = 1, .resolve_ms = 1};

static struct upstream *make(const struct config_upstream *config)
{
	struct upstream *upstream = NULL;
	struct diag diag;
	diag_init(&diag);
	if (upstream_new(&upstream, config, "api", "test.yaml", &diag) != E_OK) {
		diag_print(&diag, stderr);
		abort();
	}
	diag_release(&diag);
	return upstream;
}

/* --- the name server --- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news = PTHREAD_COND_INITIALIZER;
static unsigned asked, answered;
static bool silent;
static bool unknown;
static const char *answer = "127.0.0.1:80";

static void begin(void)
{
	asked = answered = 0;
	silent = unknown = false;
	answer = "127.0.0.1:80";
}

static int look_up(struct address *out, size_t *count, const char *text)
{
	pthread_mutex_lock(&lock);
	CU_ASSERT_STRING_EQUAL(text, "localhost:80");
	asked++;
	pthread_cond_broadcast(&news);
	while (silent) {
		pthread_cond_wait(&news, &lock);
	}
	int err = unknown ? E_NOT_FOUND : address_parse(out, answer);
	*count = err == E_OK ? 1 : *count;
	answered++;
	pthread_cond_broadcast(&news);
	pthread_mutex_unlock(&lock);
	return err;
}

/* Until so many more questions came. */
static void wait_for_questions(unsigned more)
{
	pthread_mutex_lock(&lock);
	unsigned goal = asked + more;
	while (asked < goal) {
		pthread_cond_wait(&news, &lock);
	}
	pthread_mutex_unlock(&lock);
}

static void set(bool *what, bool value)
{
	pthread_mutex_lock(&lock);
	*what = value;
	pthread_cond_broadcast(&news);
	pthread_mutex_unlock(&lock);
}

static bool is_at(const struct upstream *upstream, const char *text)
{
	struct address is, wanted;
	upstream_address(upstream, 0, &is);
	return address_parse(&wanted, text) == E_OK && address_equal(&is, &wanted);
}

static struct resolver *start(void)
{
	struct resolver *r = NULL;
	begin();
	CU_ASSERT_EQUAL_FATAL(resolver_start(&r, look_up), E_OK);
	return r;
}

/* --- the promises --- */

static void a_name_is_followed(void)
{
	struct snapshot s = {.upstreams = {make(&often)}, .count = 1};
	struct resolver *r = start();
	answer = "127.0.0.7:80";
	resolver_watch(r, &s);
	wait_for_questions(2); /* the answer before was taken */
	CU_ASSERT(is_at(s.upstreams[0], "127.0.0.7:80"));
	pthread_mutex_lock(&lock);
	answer = "127.0.0.8:80";
	pthread_mutex_unlock(&lock);
	wait_for_questions(3);
	CU_ASSERT(is_at(s.upstreams[0], "127.0.0.8:80"));
	resolver_stop(&r);
	CU_ASSERT_PTR_NULL(r);
	CU_ASSERT_EQUAL(s.refs, 0);
	upstream_free(&s.upstreams[0]);
}

static void a_name_that_is_lost_keeps_its_address(void)
{
	struct snapshot s = {.upstreams = {make(&often)}, .count = 1};
	struct resolver *r = start();
	answer = "127.0.0.7:80";
	resolver_watch(r, &s);
	wait_for_questions(2);
	set(&unknown, true);
	wait_for_questions(3);
	CU_ASSERT(is_at(s.upstreams[0], "127.0.0.7:80"));
	resolver_stop(&r);
	upstream_free(&s.upstreams[0]);
}

static void addresses_and_distant_dates_are_not_looked_up(void)
{
	struct snapshot quiet = {.upstreams = {make(&nameless), make(&never)}, .count = 2};
	struct snapshot s = {.upstreams = {make(&often)}, .count = 1};
	struct resolver *r = start();
	answer = "127.0.0.9:80";
	resolver_watch(r, &quiet);
	CU_ASSERT_EQUAL(quiet.refs, 1);
	/* Others are, at the same time. */
	struct resolver *other = NULL;
	CU_ASSERT_EQUAL_FATAL(resolver_start(&other, look_up), E_OK);
	resolver_watch(other, &s);
	wait_for_questions(5);
	CU_ASSERT(is_at(s.upstreams[0], "127.0.0.9:80"));
	CU_ASSERT(is_at(quiet.upstreams[0], "127.0.0.1:80"));
	CU_ASSERT(!is_at(quiet.upstreams[1], "127.0.0.9:80"));
	resolver_stop(&other);
	resolver_stop(&r);
	CU_ASSERT_EQUAL(quiet.refs, 0);
	upstream_free(&s.upstreams[0]);
	upstream_free(&quiet.upstreams[0]);
	upstream_free(&quiet.upstreams[1]);
}

static void an_answer_for_an_old_snapshot_is_dropped(void)
{
	struct snapshot old = {.upstreams = {make(&often)}, .count = 1};
	struct snapshot new = {.upstreams = {make(&often)}, .count = 1};
	struct resolver *r = start();
	silent = true;
	answer = "127.0.0.7:80";
	resolver_watch(r, &old);
	wait_for_questions(1);
	resolver_watch(r, &new);
	CU_ASSERT_EQUAL(old.refs, 0);
	upstream_free(&old.upstreams[0]); /* whoever touches it now is found by the sanitizers */
	set(&silent, false);
	wait_for_questions(2);
	CU_ASSERT(is_at(new.upstreams[0], "127.0.0.7:80"));
	resolver_stop(&r);
	CU_ASSERT_EQUAL(new.refs, 0);
	upstream_free(&new.upstreams[0]);
}

static void a_snapshot_that_differs_in_lists_takes_over_what_is_under_way(void)
{
	struct snapshot old = {.upstreams = {make(&often)}, .count = 1, .plan = 1};
	struct snapshot new = {.upstreams = {old.upstreams[0]}, .count = 1, .plan = 1};
	struct resolver *r = start();
	silent = true;
	answer = "127.0.0.7:80";
	resolver_watch(r, &old);
	wait_for_questions(1);
	resolver_watch(r, &new);
	CU_ASSERT_EQUAL(old.refs, 0);
	CU_ASSERT_EQUAL(new.refs, 1);
	set(&silent, false);
	wait_for_questions(1); /* by now the answer to the first was taken */
	CU_ASSERT(is_at(new.upstreams[0], "127.0.0.7:80"));
	resolver_stop(&r);
	CU_ASSERT_EQUAL(new.refs, 0);
	upstream_free(&new.upstreams[0]);
}

static void a_silent_name_server_does_not_hold_up_the_end(void)
{
	struct snapshot s = {.upstreams = {make(&often)}, .count = 1};
	struct resolver *r = start();
	silent = true;
	resolver_watch(r, &s);
	wait_for_questions(1);
	resolver_stop(&r); /* while it is silent */
	CU_ASSERT_EQUAL(s.refs, 0);
	CU_ASSERT_EQUAL(answered, 0);
	upstream_free(&s.upstreams[0]);
	set(&silent, false);
	pthread_mutex_lock(&lock);
	while (answered == 0) {
		pthread_cond_wait(&news, &lock);
	}
	pthread_mutex_unlock(&lock);
}

static void one_with_nothing_to_do_ends_at_once(void)
{
	struct resolver *r = start();
	resolver_stop(&r);
	CU_ASSERT_PTR_NULL(r);
	resolver_stop(&r);
}

static const struct unit_test tests[] = {
	{"a name is followed", a_name_is_followed},
	{"a name that is lost keeps its address", a_name_that_is_lost_keeps_its_address},
	{"addresses and distant dates are not looked up",
         addresses_and_distant_dates_are_not_looked_up},
	{"an answer for an old snapshot is dropped", an_answer_for_an_old_snapshot_is_dropped},
	{"a snapshot that differs in lists takes over what is under way",
         a_snapshot_that_differs_in_lists_takes_over_what_is_under_way},
	{"a silent name server does not hold up the end",
         a_silent_name_server_does_not_hold_up_the_end},
	{"one with nothing to do ends at once", one_with_nothing_to_do_ends_at_once},
};
UNIT_MAIN("proxy/resolver", tests)
