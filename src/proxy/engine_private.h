/* Inside of the engine: shared by engine.c, engine_watch.c, reload.c and renew.c. */
#pragma once

#include <semaphore.h>
#include <stdatomic.h>

#include <ev.h>

#include "net/fetcher.h"
#include "net/limits.h"
#include "net/listener.h"
#include "proxy/audit.h"
#include "proxy/crl_fetch.h"
#include "proxy/engine.h"
#include "proxy/renew.h"
#include "proxy/resolver.h"
#include "proxy/shard.h"

struct engine {
	char *path; /* of the configuration */
	struct snapshot *snapshot;
	uint64_t epoch;              /* the last that was tried */
	struct listener **listeners; /* beside the snapshot's */
	size_t listener_count;
	struct journal *journal;
	struct journal_found found;
	char *node;
	char boot[ID_BOOT_LEN + 1];
	struct event_source source; /* without labels: those are the snapshot's */
	struct auditor auditor;
	struct limits *limits;
	struct resolver *resolver;
	struct fetcher *fetcher;     /* OCSP answers */
	struct fetcher *crl_fetcher; /* waits for the disk, too */
	struct crl_fetch *crl_fetch;
	struct crl_store *crls;
	struct renewal renewal;
	struct shard_shared shared;
	struct shard **shards;
	unsigned shard_count;

	struct ev_loop *loop;
	struct ev_signal term, interrupt, hangup;
	struct ev_timer heartbeat, watch;
	struct ev_async bell;     /* a shard is drained */
	_Atomic unsigned drained; /* shards */
	sem_t applied; /* one post for each shard that took a configuration, or emptied its backlog */
	bool draining;
	const char *stop_reason;

	int64_t unhealthy_us;      /* since when the journal cannot be written; 0: it can */
	uint64_t refused_reported; /* in audit.gap so far */
	uint64_t failures_seen;    /* of the journal's commits */
};

/* Of all shards. */
uint64_t engine_sum(const struct engine *e, size_t offset);
#define ENGINE_SUM(e, counter) engine_sum(e, offsetof(struct shard, counter))

/* engine_watch.c: starts signals and timers. */
void engine_watch(struct engine *e);
/* engine_watch.c: an audit.gap entry if connections were turned away since the last one. */
void engine_record_gap(struct engine *e);
/* Until each shard has said that it has what it was sent. */
void engine_wait_for_shards(struct engine *e);
/* Posts snapshot and sockets to every shard and waits until each has them. */
void engine_publish(struct engine *e);
/* Puts a snapshot into force that was renewed from the one that is. Takes it. */
void engine_adopt(struct engine *e, struct snapshot *snapshot);
/* reload.c: what SIGHUP does. */
void engine_reload(struct engine *e);
