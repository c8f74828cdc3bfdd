/* Links to back ends that wait for their next request: one pool a worker, by upstream and server, the one used last first.
 *
 * A link that its server closes, or that says something unasked, leaves at once; one that nobody needed for POOL_IDLE_S leaves too, since
 * back ends close idle connections and a request on a dying one may be lost. Links of an old configuration are closed when a new one comes.
 *
 * Thread: the shard's worker. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <ev.h>

#define POOL_IDLE_S 15
#define POOL_MAX 1024 /* idle links of one worker; beyond, the oldest goes */

struct link;
struct pool;
struct upstream;

/* E_NOMEM. */
int pool_new(struct pool **out, struct ev_loop *loop);
/* Closes what is in it. NULL is fine. */
void pool_free(struct pool **pool);
/* NULL: none is idle. The caller attaches itself. */
struct link *pool_take(struct pool *pool, struct upstream *upstream, size_t server);
/* Takes *link, between two messages and with nothing unread. */
void pool_put(struct pool *pool, struct link **link);
/* Closes all: another configuration, or the drain. */
void pool_clear(struct pool *pool);
