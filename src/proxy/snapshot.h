/* The policy in force: one configuration, compiled (services with their credentials and trust, and per listener who serves which
 * name), and the lists as they were when it was made. When a CRL or a list changes, a new one takes its place that shares all else.
 *
 * Built by the main thread, immutable, counted by its connections. `check` builds one to see whether it can be built. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/slice.h"
#include "config/config.h"
#include "event/event.h"
#include "http/identity.h"
#include "peer/crl_store.h"
#include "peer/lists.h"
#include "proxy/service.h"

struct networks;
struct upstream;

/* A name on a listener. Exact names stand before wildcards; the default service, if any, is apart. */
struct route_name {
	const char *name; /* "api.example" or "*.example" */
	const struct service *service;
};

struct listener_routes {
	const struct config_listener *config;
	struct route_name *names;
	size_t name_count;
	const struct service *fallback; /* the default service; NULL: unknown names are refused */
	struct networks *proxies; /* whose PROXY header is believed, and needed; NULL: nobody's */
};

struct snapshot;

/* Compiles `config` and takes it (*config becomes NULL, on failure too), and reads its lists through `store` (NULL: by
 * itself). Every problem goes to `diag`; E_INVALID if one is an error. Main thread. */
int snapshot_build(struct snapshot **out, struct config **config, uint64_t epoch,
                   struct crl_store *store, struct diag *diag);
/* The same configuration with its lists read anew. A service whose files cannot be read keeps those of `old`: the reasons are errors
 * in `diag`, and no failure. E_END: no list changed; E_NOMEM, E_IO. Main thread. */
int snapshot_renew(struct snapshot **out, const struct snapshot *old, uint64_t epoch,
                   struct crl_store *store, struct diag *diag);
/* They differ in lists alone, if at all: one was renewed from the other. */
bool snapshot_same_plan(const struct snapshot *a, const struct snapshot *b);
/* Where fetched CRLs are kept: STATE/crl. The caller's to free; NULL: out of memory. */
char *snapshot_crl_folder(const struct config *config);
/* Any thread; the count is atomic. */
struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot **s);

/* Header names that no client may send, of all services. */
const struct identity_names *snapshot_names(const struct snapshot *s);
const struct config *snapshot_config(const struct snapshot *s);
uint64_t snapshot_epoch(const struct snapshot *s);
/* Over the configuration's bytes and the content of every file it names; 32 bytes. */
const uint8_t *snapshot_sha256(const struct snapshot *s);
size_t snapshot_listener_count(const struct snapshot *s);
const struct listener_routes *snapshot_listener(const struct snapshot *s, size_t i);
/* Every upstream of every service, in the order of the file; the service's own, its quarantine, its routes'. */
size_t snapshot_upstream_count(const struct snapshot *s);
struct upstream *snapshot_upstream(const struct snapshot *s, size_t i);
/* Whose it is. */
const struct service *snapshot_upstream_service(const struct snapshot *s, size_t i);
/* The node's labels, encoded, for entries without a service. */
struct slice snapshot_labels(const struct snapshot *s);
/* What was read, for audit.config. */
const struct audit_file *snapshot_files(const struct snapshot *s, size_t *count);

size_t snapshot_service_count(const struct snapshot *s);
const struct service *snapshot_service(const struct snapshot *s, size_t i);
/* What changes of this service's trust; `service` is one of this snapshot's, or of one with the same plan. */
const struct lists *snapshot_lists(const struct snapshot *s, const struct service *service);

/* The service for a server name on listener i: case-folded, exact before one-label wildcard, else the default.
 * name.len 0: none was sent. NULL: nobody takes it. */
const struct service *snapshot_match(const struct snapshot *s, size_t listener, struct slice name);
