/* What wakes the main thread: signals, the heartbeat, and once a second a look at the journal and at files that change. */
#include <signal.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "proxy/engine_private.h"

#define HEARTBEAT_S 60.0
#define WATCH_S 1.0

uint64_t engine_sum(const struct engine *e, size_t offset)
{
	uint64_t total = 0;
	for (unsigned i = 0; i < e->shard_count; i++) {
		_Atomic uint64_t *counter = (_Atomic uint64_t *)((char *)e->shards[i] + offset);
		total += atomic_load_explicit(counter, memory_order_relaxed);
	}
	return total;
}

static void on_bell(struct ev_loop *loop, struct ev_async *bell, int events)
{
	(void)events;
	struct engine *e = bell->data;
	if (atomic_load(&e->drained) == e->shard_count) {
		ev_break(loop, EVBREAK_ALL);
	}
}

static void on_stop_signal(struct ev_loop *loop, struct ev_signal *signal, int events)
{
	(void)loop;
	(void)events;
	struct engine *e = signal->data;
	uint64_t drain_ms = snapshot_config(e->snapshot)->timeouts.drain_ms;
	if (e->draining) {
		log_info("asked to stop again: ending what is open now");
		drain_ms = 0;
	} else {
		e->stop_reason = signal->signum == SIGTERM ? "SIGTERM" : "SIGINT";
		log_info("%s: no new connections; open ones have %llu s to end", e->stop_reason,
		         (unsigned long long)drain_ms / 1000);
	}
	for (unsigned i = 0; i < e->shard_count; i++) {
		shard_drain(e->shards[i], drain_ms);
	}
	if (!e->draining) {
		e->draining = true;
		/* Each has accepted what was queued: whoever comes now is to be refused by the kernel, not to hang. */
		engine_wait_for_shards(e);
		for (size_t i = 0; i < e->listener_count; i++) {
			listener_shut(e->listeners[i]);
		}
	}
}

static void on_hangup(struct ev_loop *loop, struct ev_signal *signal, int events)
{
	(void)loop;
	(void)events;
	struct engine *e = signal->data;
	if (e->draining) {
		log_info("SIGHUP is ignored: the end was asked for");
		return;
	}
	engine_reload(e);
}

static void on_heartbeat(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	struct engine *e = timer->data;
	const struct audit_heartbeat heartbeat = {
		.at_us = clock_wall_us(),
		.connections = limits_count(e->limits),
		.handshakes = ENGINE_SUM(e, handshakes),
		.refused = ENGINE_SUM(e, refused),
	};
	if (audit_record_heartbeat(&e->auditor, &heartbeat) != E_OK) {
		log_error("out of memory: a heartbeat is missing on the record");
	}
}

void engine_record_gap(struct engine *e)
{
	uint64_t refused = ENGINE_SUM(e, refused);
	struct journal_stats stats;
	journal_stats(e->journal, &stats);
	/* It may have failed and come back between two looks. */
	bool failed = e->unhealthy_us != 0 || stats.failures != e->failures_seen;
	e->failures_seen = stats.failures;
	if (refused == e->refused_reported) {
		return;
	}
	int64_t now_us = clock_wall_us();
	const struct audit_gap gap = {
		.at_us = now_us,
		.from_us = e->unhealthy_us != 0 ? e->unhealthy_us : now_us,
		.until_us = now_us,
		.count = refused - e->refused_reported,
		.cause = failed ? "the journal could not be written" : "out of memory",
	};
	if (audit_record_gap(&e->auditor, &gap) == E_OK) {
		e->refused_reported = refused;
	}
}

/* Says once when the journal fails and once when it is back, with the number of connections that were turned away. */
static void on_watch(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	struct engine *e = timer->data;
	bool healthy = journal_healthy(e->journal);
	renew_look(e);
	if (!healthy && e->unhealthy_us == 0) {
		e->unhealthy_us = clock_wall_us();
		log_error("the journal cannot be written: connections are refused until it can");
	} else if (healthy) {
		engine_record_gap(e);
		if (e->unhealthy_us != 0) {
			log_info("the journal can be written again: connections are served");
			e->unhealthy_us = 0;
		}
	}
}

static void watch_signal(struct engine *e, struct ev_signal *watcher, int signum,
                         void (*callback)(struct ev_loop *, struct ev_signal *, int))
{
	ev_signal_init(watcher, callback, signum);
	watcher->data = e;
	ev_signal_start(e->loop, watcher);
}

void engine_watch(struct engine *e)
{
	ev_async_init(&e->bell, on_bell);
	ev_timer_init(&e->heartbeat, on_heartbeat, HEARTBEAT_S, HEARTBEAT_S);
	ev_timer_init(&e->watch, on_watch, WATCH_S, WATCH_S);
	e->bell.data = e->heartbeat.data = e->watch.data = e;
	ev_async_start(e->loop, &e->bell);
	ev_timer_start(e->loop, &e->heartbeat);
	ev_timer_start(e->loop, &e->watch);
	watch_signal(e, &e->term, SIGTERM, on_stop_signal);
	watch_signal(e, &e->interrupt, SIGINT, on_stop_signal);
	watch_signal(e, &e->hangup, SIGHUP, on_hangup);
	signal(SIGPIPE, SIG_IGN);
}
