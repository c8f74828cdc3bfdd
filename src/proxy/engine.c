#include "proxy/engine.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "proxy/engine_private.h"
#include "proxy/start.h"

#define SETTLE_MS 10000
#define WORKERS_MAX 256

static unsigned worker_count(const struct config *config)
{
	if (config->workers != 0) {
		return config->workers;
	}
	cpu_set_t set; /* of this process: a pinned or contained one has fewer cores than the machine */
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
	return n > WORKERS_MAX ? WORKERS_MAX : (unsigned)n;
}

/* --- what the shards report --- */

static void on_applied(void *arg)
{
	struct engine *e = arg;
	sem_post(&e->applied);
}

static void on_drained(void *arg)
{
	struct engine *e = arg;
	atomic_fetch_add(&e->drained, 1);
	ev_async_send(e->loop, &e->bell);
}

void engine_wait_for_shards(struct engine *e)
{
	for (unsigned i = 0; i < e->shard_count; i++) {
		while (sem_wait(&e->applied) == -1 && errno == EINTR) {
		}
	}
}

static void close_listeners(struct engine *e)
{
	for (size_t i = 0; i < e->listener_count; i++) {
		listener_close(&e->listeners[i]);
	}
	e->listener_count = 0;
}

void engine_publish(struct engine *e)
{
	for (unsigned i = 0; i < e->shard_count; i++) {
		struct shard_config *config =
			calloc(1, sizeof(*config) + e->listener_count * sizeof(int));
		BUG_IF(config == NULL); /* start or reload: a few numbers */
		config->snapshot = snapshot_ref(e->snapshot);
		config->listener_count = (unsigned)e->listener_count;
		for (size_t l = 0; l < e->listener_count; l++) {
			config->fds[l] = listener_fd(e->listeners[l], i);
		}
		shard_configure(e->shards[i], config);
	}
	engine_wait_for_shards(e);
}

void engine_adopt(struct engine *e, struct snapshot *snapshot)
{
	resolver_watch(e->resolver, snapshot);
	crl_fetch_watch(e->crl_fetch, snapshot);
	snapshot_unref(&e->snapshot);
	e->snapshot = snapshot;
	engine_publish(e);
	crl_store_purge(e->crls);
}

/* --- start --- */

static int open_journal(struct engine *e, const struct config *config)
{
	const struct journal_options options = {
		.state = config->state.text,
		.origin = config->origin.text,
		.node = config->node.text,
	};
	struct diag diag;
	diag_init(&diag);
	int err = journal_open(&e->journal, &options, &e->found, &diag);
	start_log_diag(&diag);
	if (err != E_OK && diag.errors == 0) {
		log_error("cannot open the journal in %s: %s", config->state.text, err_text(err));
	}
	diag_release(&diag);
	return err;
}

static int make_shards(struct engine *e, const struct config *config)
{
	unsigned count = worker_count(config);
	e->shards = calloc(count, sizeof(struct shard *));
	if (e->shards == NULL) {
		return E_NOMEM;
	}
	id_boot(e->boot);
	e->node = strdup(config->node.text); /* a reload frees the configuration, not the name */
	if (e->node == NULL) {
		return E_NOMEM;
	}
	e->source = (struct event_source){
		.node = e->node,
		.log = e->found.log,
		.boot = e->boot,
	};
	e->shared.source = &e->source;
	e->shared.boot = e->boot;
	e->shared.journal = e->journal;
	e->shared.limits = e->limits;
	e->shared.fetcher = e->fetcher;
	e->shared.applied = on_applied;
	e->shared.drained = on_drained;
	e->shared.arg = e;
	for (; e->shard_count < count; e->shard_count++) {
		int err = shard_new(&e->shards[e->shard_count], e->shard_count, &e->shared);
		if (err != E_OK) {
			return err;
		}
	}
	id_source_init(&e->auditor.ids, e->boot, count);
	e->auditor.source = e->source;
	e->auditor.source.labels = snapshot_labels(e->snapshot);
	return journal_producer_new(e->journal, &e->auditor.producer, NULL, NULL);
}

/* audit.start and audit.config are durable before the first accept. */
static int record_start(struct engine *e)
{
	const struct audit_start start = {
		.version = PACKAGE_VERSION,
		.at_us = clock_wall_us(),
		.last_stop_clean = e->found.clean,
		.first = e->found.first,
		.recovered_entries = e->found.next_index,
		.torn_bytes = e->found.torn_bytes,
		.workers = e->shard_count,
		.pid = (long)getpid(),
	};
	int err = audit_record_start(&e->auditor, &start);
	if (err == E_OK) {
		err = audit_record_config(&e->auditor, e->snapshot, "start");
	}
	if (err != E_OK) {
		log_error("cannot write the journal in %s: %s",
		          snapshot_config(e->snapshot)->state.text, err_text(err));
	}
	return err;
}

static int start_shards(struct engine *e)
{
	for (unsigned i = 0; i < e->shard_count; i++) {
		int err = shard_start(e->shards[i]);
		if (err != E_OK) {
			log_error("cannot start worker %u: %s", i, err_text(err));
			/* Joining the ones that run and leaving the rest is more than a failed start is worth. */
			exit(1);
		}
	}
	engine_publish(e);
	for (size_t i = 0; i < e->listener_count; i++) {
		log_info("listening on %s", listener_name(e->listeners[i]));
	}
	return E_OK;
}

/* renew_look() sees it: at once could be while somebody writes one of the other files, which are read as well. */
static void on_crl_fetched(void *arg)
{
	(void)arg;
}

static int start_crl_fetch(struct engine *e)
{
	char *folder = snapshot_crl_folder(snapshot_config(e->snapshot));
	int err = folder == NULL ? E_NOMEM : fetcher_start(&e->crl_fetcher);
	err = err == E_OK ? crl_fetch_start(&e->crl_fetch, e->loop, e->crl_fetcher, folder,
	                                    on_crl_fetched, e)
	                  : err;
	free(folder);
	if (err == E_OK) {
		crl_fetch_watch(e->crl_fetch, e->snapshot);
	}
	return err;
}

static int start(struct engine *e)
{
	e->epoch = 1;
	int err = crl_store_new(&e->crls);
	if (err != E_OK) {
		log_error("cannot start: %s", err_text(err));
		return err;
	}
	err = start_load(&e->snapshot, e->path, e->epoch, e->crls);
	if (err != E_OK) {
		return err;
	}
	const struct config *config = snapshot_config(e->snapshot);
	atomic_init(&e->shared.connections_max, start_raise_descriptors(config));
	err = start_listen(&e->listeners, e->snapshot, NULL, 0, NULL, worker_count(config));
	if (err != E_OK) {
		return err;
	}
	e->listener_count = snapshot_listener_count(e->snapshot);
	err = start_drop_privileges(config);
	if (err != E_OK) {
		return err;
	}
	err = open_journal(e, config);
	if (err != E_OK) {
		return err;
	}
	err = limits_new(&e->limits);
	err = err == E_OK ? fetcher_start(&e->fetcher) : err;
	err = err == E_OK ? make_shards(e, config) : err;
	if (err != E_OK) {
		log_error("cannot start: %s", err_text(err));
		return err;
	}
	engine_watch(e);
	err = journal_start(e->journal);
	if (err != E_OK) {
		log_error("cannot start the journal: %s", err_text(err));
		return err;
	}
	err = record_start(e);
	if (err != E_OK) {
		return err;
	}
	err = resolver_start(&e->resolver, address_resolve);
	if (err != E_OK) {
		log_error("cannot start the resolver: %s", err_text(err));
		return err;
	}
	resolver_watch(e->resolver, e->snapshot);
	err = start_crl_fetch(e);
	if (err != E_OK) {
		log_error("cannot start fetching CRLs: %s", err_text(err));
		return err;
	}
	return start_shards(e);
}

/* Nobody asks them any more. */
static void stop_fetchers(struct engine *e)
{
	fetcher_stop(&e->fetcher);
	fetcher_stop(&e->crl_fetcher);
	crl_fetch_stop(&e->crl_fetch);
}

static void destroy(struct engine *e)
{
	resolver_stop(&e->resolver);
	/* Shards look at their producers, which end with the journal; the journal's thread wakes the shards. */
	for (unsigned i = 0; i < e->shard_count; i++) {
		shard_stop(e->shards[i]);
	}
	stop_fetchers(e);
	if (e->journal != NULL) {
		journal_stop(&e->journal);
	}
	for (unsigned i = 0; i < e->shard_count; i++) {
		shard_free(&e->shards[i]);
	}
	close_listeners(e);
	limits_free(&e->limits);
	snapshot_unref(&e->snapshot);
	crl_store_free(&e->crls);
	sem_destroy(&e->applied);
	if (e->loop != NULL) {
		ev_loop_destroy(e->loop);
	}
	free(e->shards);
	free(e->listeners);
	free(e->node);
	free(e->path);
	free(e);
}

int engine_start(struct engine **out, const char *config_path)
{
	struct engine *e = calloc(1, sizeof(*e));
	if (e == NULL) {
		return E_NOMEM;
	}
	sem_init(&e->applied, 0, 0);
	e->loop = ev_default_loop(EVFLAG_NOENV);
	e->path = strdup(config_path);
	int err = e->loop == NULL || e->path == NULL ? E_NOMEM : start(e);
	if (err != E_OK) {
		destroy(e);
		return err;
	}
	*out = e;
	return E_OK;
}

/* A commit holds the entries of several threads in any order: audit.stop is the last one only if the others are durable. */
static void settle_shards(struct engine *e)
{
	int err = E_OK;
	for (unsigned i = 0; i < e->shard_count; i++) {
		shard_stop(e->shards[i]);
		err = err == E_OK ? shard_settle(e->shards[i], SETTLE_MS) : err;
	}
}

void engine_run(struct engine *e)
{
	ev_run(e->loop, 0);
	settle_shards(e);
	stop_fetchers(e);
	const struct audit_stop stop = {
		.at_us = clock_wall_us(),
		.reason = e->stop_reason,
		.handshakes = ENGINE_SUM(e, handshakes),
		.open_connections = ENGINE_SUM(e, cut),
	};
	if (journal_healthy(e->journal)) {
		engine_record_gap(e);
	}
	if (audit_record_stop(&e->auditor, &stop) != E_OK) {
		log_error("the stop is not on the record: the journal cannot be written");
	}
}

void engine_stop(struct engine **engine)
{
	destroy(*engine);
	*engine = NULL;
}
