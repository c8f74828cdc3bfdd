/* Where a request of a service goes: by host and path, the longest first.
 *
 * A path can be written in many ways that one back end takes for the same and another one does not: `//admin`, `/x/../admin`, `/%61dmin`,
 * `/admin;v=1`. A client could choose the writing that passes here and means another path there. So every path is looked up as it was sent
 * and as its most generous reading, and where the two find different routes it is refused.
 *
 * Thread: made by the main thread, immutable, read by every worker. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"
#include "base/slice.h"
#include "config/config.h"

struct upstream;

struct route {
	const struct config_route *config;
	struct upstream *upstream; /* NULL: the service's */
	size_t path_len;           /* of `path` or `exact` */
	unsigned rank;             /* exact path before prefix, host before none: see route.c */
};

struct routes;

/* Errors go to `diag`: those of the upstreams. `owner` as for upstream_new(). */
int routes_new(struct routes **out, const struct config_service *service, const char *file,
               struct diag *diag);
void routes_free(struct routes **routes);
size_t routes_count(const struct routes *routes);
const struct route *routes_at(const struct routes *routes, size_t i);
/* The route for this host (without port, any case) and path; NULL in *out: none, the service's upstream. False: the path can be read in
 * two ways that lead to different routes. NULL routes have none. */
bool routes_find(const struct routes *routes, struct slice host, struct slice path,
                 const struct route **out);
