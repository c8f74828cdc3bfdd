#include "proxy/resolver.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/err.h"
#include "proxy/snapshot.h"
#include "proxy/upstream.h"

/* A name server that answers does so within this; one that does not is not worth more of an operator's time. */
#define STOP_PATIENCE_NS UINT64_C(200000000)
/* A host name has 255 bytes at most, a port five. */
#define NAME_MAX_BYTES 300
#define NEVER UINT64_MAX

struct resolver {
	int (*look_up)(struct address *out, size_t *count, const char *text);
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t bell;    /* there is something new for the thread */
	pthread_cond_t settled; /* it is not looking any more */
	/* guarded by the lock; the thread lets go of it while it looks, and then looks at nothing of this: */
	struct snapshot *snapshot; /* NULL: nothing to do yet */
	uint64_t *due_ns;          /* of each upstream; NEVER: it has no names */
	uint64_t generation;       /* another one: another snapshot */
	bool looking;
	bool stop;
	bool abandoned; /* the thread has to free all this */
};

static void destroy(struct resolver *r)
{
	pthread_cond_destroy(&r->settled);
	pthread_cond_destroy(&r->bell);
	pthread_mutex_destroy(&r->lock);
	free(r->due_ns);
	free(r);
}

static struct timespec time_of(uint64_t mono_ns)
{
	return (struct timespec){.tv_sec = (time_t)(mono_ns / 1000000000),
	                         .tv_nsec = (long)(mono_ns % 1000000000)};
}

/* --- the thread; the lock is held --- */

/* False: the end or another snapshot came meanwhile, and `upstream` must not be touched. */
static bool ask(struct resolver *r, struct upstream *upstream, size_t server)
{
	char name[NAME_MAX_BYTES];
	struct address found[UPSTREAM_ADDRESSES_MAX];
	size_t count = UPSTREAM_ADDRESSES_MAX;
	uint64_t generation = r->generation;
	snprintf(name, sizeof(name), "%s", upstream_name(upstream, server));
	r->looking = true;
	pthread_mutex_unlock(&r->lock);
	int err = r->look_up(found, &count, name);
	pthread_mutex_lock(&r->lock);
	r->looking = false;
	pthread_cond_signal(&r->settled);
	if (r->stop || r->generation != generation) {
		return false;
	}
	upstream_readdress(upstream, server, found, err == E_OK ? count : 0);
	return true;
}

static void ask_all(struct resolver *r, size_t i)
{
	struct upstream *upstream = snapshot_upstream(r->snapshot, i);
	for (size_t server = 0; server < upstream_count(upstream); server++) {
		if (upstream_has_name(upstream, server) && !ask(r, upstream, server)) {
			return;
		}
	}
	r->due_ns[i] = clock_mono_ns() + upstream_config(upstream)->resolve_ms * 1000000;
}

/* The upstream that is due first. */
static size_t next_due(const struct resolver *r, uint64_t *due_ns)
{
	size_t first = 0;
	*due_ns = NEVER;
	size_t count = r->snapshot == NULL ? 0 : snapshot_upstream_count(r->snapshot);
	for (size_t i = 0; i < count; i++) {
		if (r->due_ns[i] < *due_ns) {
			first = i;
			*due_ns = r->due_ns[i];
		}
	}
	return first;
}

static void *run(void *arg)
{
	struct resolver *r = arg;
	pthread_mutex_lock(&r->lock);
	while (!r->stop) {
		uint64_t due_ns = NEVER;
		size_t i = next_due(r, &due_ns);
		if (due_ns == NEVER) {
			pthread_cond_wait(&r->bell, &r->lock);
		} else if (due_ns > clock_mono_ns()) {
			struct timespec until = time_of(due_ns);
			pthread_cond_timedwait(&r->bell, &r->lock, &until);
		} else {
			ask_all(r, i);
		}
	}
	bool abandoned = r->abandoned;
	pthread_mutex_unlock(&r->lock);
	if (abandoned) {
		destroy(r);
	}
	return NULL;
}

/* --- from outside --- */

int resolver_start(struct resolver **out,
                   int (*look_up)(struct address *out, size_t *count, const char *text))
{
	struct resolver *r = calloc(1, sizeof(*r));
	if (r == NULL) {
		return E_NOMEM;
	}
	r->look_up = look_up;
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->bell, &attr);
	pthread_cond_init(&r->settled, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&r->lock, NULL);
	/* Signals are the main thread's. */
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int ret = pthread_create(&r->thread, NULL, run, r);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret != 0) {
		destroy(r);
		return E_LIMIT;
	}
	pthread_setname_np(r->thread, "resolver");
	*out = r;
	return E_OK;
}

static uint64_t first_due(const struct upstream *upstream, uint64_t now_ns)
{
	uint64_t resolve_ms = upstream_config(upstream)->resolve_ms;
	for (size_t i = 0; resolve_ms != 0 && i < upstream_count(upstream); i++) {
		if (upstream_has_name(upstream, i)) {
			return now_ns + resolve_ms * 1000000;
		}
	}
	return NEVER;
}

void resolver_watch(struct resolver *r, struct snapshot *snapshot)
{
	size_t count = snapshot_upstream_count(snapshot);
	uint64_t *due_ns = calloc(count + 1, sizeof(*due_ns));
	BUG_IF(due_ns == NULL); /* start or reload: a few numbers */
	uint64_t now_ns = clock_mono_ns();
	for (size_t i = 0; i < count; i++) {
		due_ns[i] = first_due(snapshot_upstream(snapshot, i), now_ns);
	}
	pthread_mutex_lock(&r->lock);
	struct snapshot *old = r->snapshot;
	uint64_t *old_due_ns = r->due_ns;
	if (old != NULL && snapshot_same_plan(old, snapshot)) {
		/* The same back ends: what is under way and what is due stays. */
		r->snapshot = snapshot_ref(snapshot);
		pthread_mutex_unlock(&r->lock);
		free(due_ns);
		snapshot_unref(&old);
		return;
	}
	r->snapshot = snapshot_ref(snapshot);
	r->due_ns = due_ns;
	r->generation++;
	pthread_cond_signal(&r->bell);
	pthread_mutex_unlock(&r->lock);
	free(old_due_ns);
	snapshot_unref(&old);
}

void resolver_stop(struct resolver **resolver)
{
	struct resolver *r = *resolver;
	*resolver = NULL;
	if (r == NULL) {
		return;
	}
	pthread_t thread = r->thread;
	struct timespec until = time_of(clock_mono_ns() + STOP_PATIENCE_NS);
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_signal(&r->bell);
	while (r->looking && pthread_cond_timedwait(&r->settled, &r->lock, &until) == 0) {
	}
	struct snapshot *snapshot = r->snapshot;
	r->snapshot = NULL;
	bool abandoned = r->looking;
	r->abandoned = abandoned;
	pthread_mutex_unlock(&r->lock);
	if (abandoned) { /* r is the thread's from here on */
		pthread_detach(thread);
	} else {
		pthread_join(thread, NULL);
		destroy(r);
	}
	snapshot_unref(&snapshot);
}
