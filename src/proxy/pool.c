#include "proxy/pool.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "proxy/link.h"

#define BUCKETS 256

struct idle {
	struct pool *pool;
	struct link *link;
	struct idle *previous, *next; /* of the bucket; the newest first */
	struct idle *older, *younger; /* of the pool */
	double since;
};

struct pool {
	struct ev_loop *loop;
	struct ev_timer sweep;
	struct idle *oldest, *youngest;
	size_t count;
	struct idle *buckets[BUCKETS];
};

static struct idle **bucket_of(struct pool *pool, const struct upstream *upstream, size_t server)
{
	uintptr_t key = ((uintptr_t)upstream >> 4) * 31 + server;
	return &pool->buckets[(key ^ key >> 8) % BUCKETS];
}

/* Out of both lists; the link is the caller's. */
static struct link *unlink_idle(struct idle *idle)
{
	struct pool *pool = idle->pool;
	struct link *link = idle->link;
	struct idle **bucket = bucket_of(pool, link_upstream(link), link_server(link));
	if (idle->previous != NULL) {
		idle->previous->next = idle->next;
	} else {
		*bucket = idle->next;
	}
	if (idle->next != NULL) {
		idle->next->previous = idle->previous;
	}
	if (idle->older != NULL) {
		idle->older->younger = idle->younger;
	} else {
		pool->oldest = idle->younger;
	}
	if (idle->younger != NULL) {
		idle->younger->older = idle->older;
	} else {
		pool->youngest = idle->older;
	}
	pool->count--;
	free(idle);
	return link;
}

static void drop(struct idle *idle)
{
	struct link *link = unlink_idle(idle);
	link_close(&link, false);
}

/* An idle link has nothing to say: the server closed it, or it is out of step. */
static void on_ready(void *owner, int events)
{
	(void)events;
	struct idle *idle = owner;
	/* A TLS server may send tickets at any time: link_quiet() reads those. */
	if (!link_quiet(idle->link)) {
		drop(idle);
	}
}

static const struct link_ops idle_ops = {.ready = on_ready};

static void on_sweep(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)events;
	struct pool *pool = timer->data;
	struct idle *idle = pool->oldest;
	while (idle != NULL && ev_now(loop) - idle->since >= POOL_IDLE_S) {
		struct idle *younger = idle->younger;
		drop(idle);
		idle = younger;
	}
	if (pool->oldest == NULL) {
		ev_timer_stop(loop, timer);
	}
}

int pool_new(struct pool **out, struct ev_loop *loop)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	if (pool == NULL) {
		return E_NOMEM;
	}
	pool->loop = loop;
	ev_timer_init(&pool->sweep, on_sweep, 1, 1);
	pool->sweep.data = pool;
	*out = pool;
	return E_OK;
}

void pool_free(struct pool **pool)
{
	if (*pool != NULL) {
		pool_clear(*pool);
		free(*pool);
		*pool = NULL;
	}
}

struct link *pool_take(struct pool *pool, struct upstream *upstream, size_t server)
{
	for (struct idle *idle = *bucket_of(pool, upstream, server); idle != NULL;
	     idle = idle->next) {
		if (link_upstream(idle->link) == upstream && link_server(idle->link) == server) {
			return unlink_idle(idle);
		}
	}
	return NULL;
}

void pool_put(struct pool *pool, struct link **link)
{
	struct idle *idle = malloc(sizeof(*idle));
	if (idle == NULL) {
		link_close(link, false);
		return;
	}
	if (pool->count == POOL_MAX) {
		drop(pool->oldest);
	}
	pool->count++;
	struct idle **bucket = bucket_of(pool, link_upstream(*link), link_server(*link));
	*idle = (struct idle){
		.pool = pool,
		.link = *link,
		.next = *bucket,
		.older = pool->youngest,
		.since = ev_now(pool->loop),
	};
	*link = NULL;
	if (*bucket != NULL) {
		(*bucket)->previous = idle;
	}
	*bucket = idle;
	if (pool->youngest != NULL) {
		pool->youngest->younger = idle;
	} else {
		pool->oldest = idle;
	}
	pool->youngest = idle;
	link_attach(idle->link, &idle_ops, idle);
	link_wait(idle->link, EV_READ);
	if (!ev_is_active(&pool->sweep)) {
		ev_timer_again(pool->loop, &pool->sweep);
	}
}

void pool_clear(struct pool *pool)
{
	struct idle *idle = pool->oldest;
	while (idle != NULL) {
		struct idle *younger = idle->younger;
		drop(idle);
		idle = younger;
	}
	ev_timer_stop(pool->loop, &pool->sweep);
}
