/* What a configuration was compiled into: services, who serves which name on each listener, back ends. Everything of a
 * snapshot that does not change with a list or a CRL. Private to snapshot.c.
 *
 * Thread: made by the main thread, immutable, counted by its snapshots. */
#pragma once

#include <stdatomic.h>
#include <stddef.h>

#include "base/diag.h"
#include "base/slice.h"
#include "config/config.h"
#include "proxy/service.h"
#include "proxy/snapshot.h"

struct identity_names;

struct back_end {
	struct upstream *upstream;
	const struct service *service;
};

struct plan {
	_Atomic unsigned refs;
	struct config *config;
	struct slice labels; /* of the node, encoded; ours */
	struct service *services;
	size_t service_count;
	struct listener_routes *listeners;
	size_t listener_count;
	struct back_end *back_ends; /* the services' */
	size_t back_end_count;
	struct identity_names *names;
};

/* Compiles `config` and takes it (*config becomes NULL, on failure too). Every problem goes to `diag`; E_INVALID if one is an
 * error. One reference. */
int plan_build(struct plan **out, struct config **config, struct diag *diag);
struct plan *plan_ref(struct plan *plan);
void plan_unref(struct plan **plan);
/* As snapshot_match(). */
const struct service *plan_match(const struct plan *plan, size_t listener, struct slice name);
