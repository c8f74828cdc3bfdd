/* SIGHUP: a good file becomes the new snapshot, once its audit.config is durable; a bad one changes nothing. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "proxy/engine_private.h"
#include "proxy/start.h"
#include "proxy/upstream.h"

static bool same_text(const struct config_text *a, const struct config_text *b)
{
	return a->text == b->text ||
	       (a->text != NULL && b->text != NULL && strcmp(a->text, b->text) == 0);
}

/* What a running process cannot change: its log's identity, its user, its threads. NULL: nothing of it did. */
static const char *restart_needed(const struct config *old, const struct config *new)
{
	if (!same_text(&old->state, &new->state)) {
		return "state";
	}
	if (!same_text(&old->node, &new->node)) {
		return "node";
	}
	if (!same_text(&old->origin, &new->origin)) {
		return "origin";
	}
	if (!same_text(&old->user, &new->user)) {
		return "user";
	}
	return old->workers != new->workers ? "workers" : NULL;
}

/* Who was found to be down is down for the new configuration, too. */
static void inherit(struct snapshot *new, const struct snapshot *old)
{
	for (size_t i = 0; i < snapshot_upstream_count(new); i++) {
		for (size_t k = 0; k < snapshot_upstream_count(old); k++) {
			upstream_inherit(snapshot_upstream(new, i), snapshot_upstream(old, k));
		}
	}
}

/* Takes the new sockets and the snapshot; closes the old sockets that were not kept. */
static void swap(struct engine *e, struct snapshot *snapshot, struct listener **listeners,
                 const bool *kept)
{
	struct listener **old = e->listeners;
	size_t old_count = e->listener_count;
	e->auditor.source.labels = snapshot_labels(snapshot);
	inherit(snapshot, e->snapshot);
	resolver_watch(e->resolver, snapshot);
	crl_fetch_watch(e->crl_fetch, snapshot);
	snapshot_unref(&e->snapshot);
	e->snapshot = snapshot;
	e->listeners = listeners;
	e->listener_count = snapshot_listener_count(snapshot);
	engine_publish(e);
	for (size_t i = 0; i < old_count; i++) {
		if (!kept[i]) {
			listener_close(&old[i]);
		}
	}
	free(old);
}

void engine_reload(struct engine *e)
{
	struct snapshot *snapshot = NULL;
	/* An entry that is handed over now would be written once the disk is back: of a configuration never in force. */
	if (!journal_healthy(e->journal)) {
		log_error("the reload is refused: the journal cannot be written; the configuration "
		          "of before stays in force");
		return;
	}
	/* Each try has its own number, as one may be on record that came to nothing. */
	if (start_load(&snapshot, e->path, ++e->epoch, e->crls) != E_OK) {
		log_error("the reload is refused: %s has errors; the configuration of before stays "
		          "in force",
		          e->path);
		return;
	}
	const char *fixed = restart_needed(snapshot_config(e->snapshot), snapshot_config(snapshot));
	if (fixed != NULL) {
		log_error("the reload is refused: `%s` changed, which needs a restart; the "
		          "configuration of before stays in force",
		          fixed);
		snapshot_unref(&snapshot);
		return;
	}
	bool *kept = calloc(e->listener_count + 1, sizeof(*kept));
	struct listener **listeners = NULL;
	if (kept == NULL || start_listen(&listeners, snapshot, e->listeners, e->listener_count,
	                                 kept, e->shard_count) != E_OK) {
		log_error("the reload is refused: not every listener could be opened; the "
		          "configuration of before stays in force");
		goto drop;
	}
	if (audit_record_config(&e->auditor, snapshot, "reload") != E_OK) {
		log_error("the reload is refused: its audit.config entry cannot be written; the "
		          "configuration of before stays in "
		          "force");
		start_unlisten(listeners, snapshot_listener_count(snapshot), e->listeners,
		               e->listener_count);
		goto drop;
	}
	swap(e, snapshot, listeners, kept);
	crl_store_purge(e->crls);
	renew_restart(e);
	atomic_store(&e->shared.connections_max, start_raise_descriptors(snapshot_config(snapshot)));
	log_info("reloaded %s: configuration %llu is in force", e->path,
	         (unsigned long long)snapshot_epoch(snapshot));
	free(kept);
	return;

drop:
	free(kept);
	snapshot_unref(&snapshot);
}
