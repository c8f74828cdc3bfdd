#include "proxy/shard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/err.h"
#include "base/log.h"
#include "proxy/check.h"
#include "proxy/conn.h"
#include "proxy/link.h"
#include "proxy/recall.h"
#include "proxy/exchange.h"
#include "proxy/pool.h"

/* Presented chains and verdicts kept per worker: a chain of two takes some 6 KiB. */
#define CACHE_ENTRIES 4096
#define CACHE_BYTES (32 << 20)

/* What can be in the mailbox. */
enum letter_kind { LETTER_CONFIG, LETTER_DRAIN, LETTER_STOP };

struct letter {
	struct queue_node node;
	enum letter_kind kind;
	struct shard_config *config;
	uint64_t deadline_ms;
};

/* --- accepting --- */

static void update_pause(struct shard *s)
{
	bool pause = journal_pressure(s->producer);
	if (pause == s->paused) {
		return;
	}
	s->paused = pause;
	for (unsigned i = 0; i < s->acceptor_count; i++) {
		if (s->acceptors[i] != NULL) { /* handed over to a new configuration, or never made */
			acceptor_pause(s->acceptors[i], pause);
		}
	}
}

static void on_accepted(void *arg, unsigned listener, int fd, const struct sockaddr *peer,
                        socklen_t len)
{
	struct shard *s = arg;
	conn_accept(s, listener, fd, peer, len);
	update_pause(s);
}

static void free_acceptors(struct acceptor **acceptors, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		acceptor_free(&acceptors[i]);
	}
	free(acceptors);
}

/* The acceptor of a socket that stays is kept: its queue is, too. */
static struct acceptor *take_over(struct shard *s, int fd, unsigned number)
{
	for (unsigned i = 0; i < s->acceptor_count; i++) {
		if (s->acceptors[i] != NULL && acceptor_fd(s->acceptors[i]) == fd) {
			struct acceptor *kept = s->acceptors[i];
			s->acceptors[i] = NULL;
			acceptor_renumber(kept, number);
			return kept;
		}
	}
	return NULL;
}

/* One worker asks for all: a server is not to be asked more often on machines with more cores. */
static void start_checks(struct shard *s)
{
	if (s->index == 0 && !s->draining && checks_new(&s->checks, s, s->snapshot) != E_OK) {
		log_error("out of memory: no back end is checked");
	}
}

/* The rest of what makes a snapshot the one in force. Takes it. */
static void adopt(struct shard *s, struct snapshot *snapshot)
{
	snapshot_unref(&s->snapshot);
	s->snapshot = snapshot;
	s->source = *s->shared->source;
	s->source.labels = snapshot_labels(snapshot);
}

/* Only lists changed: sockets, back ends and everything else stay. */
static void renew(struct shard *s, struct shard_config *config)
{
	adopt(s, config->snapshot);
	free(config);
	if (s->checks != NULL) {
		checks_renew(s->checks, s->snapshot);
	}
	live_policy_changed(s, "list");
	s->shared->applied(s->shared->arg);
}

static void configure(struct shard *s, struct shard_config *config)
{
	if (s->snapshot != NULL && snapshot_same_plan(s->snapshot, config->snapshot)) {
		renew(s, config);
		return;
	}
	struct acceptor **acceptors = calloc(config->listener_count + 1, sizeof(struct acceptor *));
	BUG_IF(acceptors == NULL); /* start or reload: a few pointers */
	for (unsigned i = 0; i < config->listener_count && !s->draining; i++) {
		acceptors[i] = take_over(s, config->fds[i], i);
		if (acceptors[i] == NULL && acceptor_new(&acceptors[i], s->loop, config->fds[i], i,
		                                         on_accepted, s) != E_OK) {
			log_error("out of memory: worker %u cannot accept on one of its listeners",
			          s->index);
		}
	}
	/* What is queued on a socket that goes was accepted by the kernel under the old configuration. */
	for (unsigned i = 0; i < s->acceptor_count; i++) {
		if (s->acceptors[i] != NULL) {
			acceptor_drain(s->acceptors[i]);
		}
	}
	free_acceptors(s->acceptors, s->acceptor_count);
	/* Only now: emptying the old sockets may have begun a pause, or ended one. */
	for (unsigned i = 0; i < config->listener_count; i++) {
		if (acceptors[i] != NULL) {
			acceptor_pause(acceptors[i], s->paused);
		}
	}
	s->acceptors = acceptors;
	s->acceptor_count = config->listener_count;
	checks_free(&s->checks);
	pool_clear(s->pool); /* to the back ends of the old one */
	recall_clear(s->recall);
	adopt(s, config->snapshot);
	free(config);
	start_checks(s);
	live_policy_changed(s, "policy");
	s->shared->applied(s->shared->arg);
}

/* --- draining --- */

void shard_conn_gone(struct shard *s)
{
	if (s->draining && s->conns == NULL && !s->done) {
		s->done = true;
		pool_clear(s->pool);
		ev_timer_stop(s->loop, &s->deadline);
		s->shared->drained(s->shared->arg);
	}
}

static void on_deadline(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	struct shard *s = timer->data;
	struct conn *c = s->conns;
	while (c != NULL) {
		struct conn *next = c->next;
		conn_cut(c); /* frees c or leaves it refused; never another one */
		c = next;
	}
}

/* HTTP clients would keep their connections for minutes: those between two requests end now, others with their answer. */
static void end_idle(struct shard *s)
{
	struct conn *c = s->conns;
	while (c != NULL) {
		struct conn *next = c->next;
		if (c->state == CONN_HTTP) {
			exchange_drain(c->http); /* frees c at most */
		}
		c = next;
	}
}

static void drain(struct shard *s, uint64_t deadline_ms)
{
	if (!s->draining) {
		/* What is queued was accepted by the kernel in our name. */
		for (unsigned i = 0; i < s->acceptor_count; i++) {
			if (s->acceptors[i] != NULL) {
				acceptor_drain(s->acceptors[i]);
			}
		}
		s->draining = true;
		checks_free(&s->checks);
		free_acceptors(s->acceptors, s->acceptor_count);
		s->acceptors = NULL;
		s->acceptor_count = 0;
		end_idle(s);
		s->shared->applied(s->shared->arg);
	}
	ev_timer_stop(s->loop, &s->deadline);
	ev_now_update(s->loop);
	ev_timer_set(&s->deadline, (double)deadline_ms / 1e3, 0);
	ev_timer_start(s->loop, &s->deadline);
	shard_conn_gone(s);
}

/* --- parking --- */

bool shard_submit(struct shard *s, const struct buf *body, uint64_t *ticket)
{
	int err = body->err != E_OK ? body->err
	                            : journal_submit(s->producer, buf_slice(body), ticket);
	if (err != E_OK) {
		return false;
	}
	s->last_ticket = *ticket;
	update_pause(s);
	return true;
}

bool shard_is_lost(const struct shard *s, uint64_t ticket)
{
	return ticket >= journal_failed_from(s->producer);
}

void shard_park(struct shard *s, struct parked *parked)
{
	BUG_IF(parked->waiting);
	BUG_IF(s->parked_last != NULL && s->parked_last->ticket > parked->ticket);
	parked->waiting = true;
	parked->next = NULL;
	parked->previous = s->parked_last;
	if (s->parked_last != NULL) {
		s->parked_last->next = parked;
	} else {
		s->parked_first = parked;
	}
	s->parked_last = parked;
}

void shard_unpark(struct shard *s, struct parked *parked)
{
	if (!parked->waiting) {
		return;
	}
	parked->waiting = false;
	if (parked->previous != NULL) {
		parked->previous->next = parked->next;
	} else {
		s->parked_first = parked->next;
	}
	if (parked->next != NULL) {
		parked->next->previous = parked->previous;
	} else {
		s->parked_last = parked->previous;
	}
}

static void release_parked(struct shard *s)
{
	/* In this order: what became durable in between is not taken for failed. */
	uint64_t failed_from = journal_failed_from(s->producer);
	uint64_t durable = journal_durable(s->producer);
	/* From the ends, one at a time: who is told may take others along. */
	while (s->parked_first != NULL && s->parked_first->ticket <= durable) {
		struct parked *parked = s->parked_first;
		shard_unpark(s, parked);
		parked->ops->durable(parked->owner);
	}
	while (s->parked_last != NULL && s->parked_last->ticket >= failed_from) {
		struct parked *parked = s->parked_last;
		shard_unpark(s, parked);
		parked->ops->lost(parked->owner);
	}
}

/* --- the worker's side --- */

static void on_message(void *arg, struct queue_node *node)
{
	struct shard *s = arg;
	struct letter *letter = (struct letter *)node;
	switch (letter->kind) {
	case LETTER_CONFIG:
		configure(s, letter->config);
		break;
	case LETTER_DRAIN:
		drain(s, letter->deadline_ms);
		break;
	case LETTER_STOP:
		live_stop(s);
		checks_free(&s->checks);
		worker_leave(s->worker);
		break;
	}
	free(letter);
}

static void on_woken(void *arg)
{
	struct shard *s = arg;
	release_parked(s);
	update_pause(s);
}

static const struct worker_ops worker_ops = {.message = on_message, .woken = on_woken};

static void wake(void *arg)
{
	struct shard *s = arg;
	worker_wake(s->worker);
}

static void on_tick(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	exchange_tick(timer->data);
}

/* --- from outside --- */

int shard_new(struct shard **out, unsigned index, const struct shard_shared *shared)
{
	struct shard *s = calloc(1, sizeof(*s));
	if (s == NULL) {
		return E_NOMEM;
	}
	s->index = index;
	s->shared = shared;
	id_source_init(&s->ids, shared->boot, index);
	int err = peer_cache_new(&s->cache, CACHE_ENTRIES, CACHE_BYTES);
	if (err != E_OK) {
		goto free_shard;
	}
	err = recall_new(&s->recall);
	if (err != E_OK) {
		goto free_cache;
	}
	err = worker_new(&s->worker, &worker_ops, s);
	if (err != E_OK) {
		goto free_recall;
	}
	s->loop = worker_loop(s->worker);
	ev_timer_init(&s->deadline, on_deadline, 0, 0);
	s->deadline.data = s;
	ev_timer_init(&s->tick, on_tick, 0, 0);
	s->tick.data = s;
	live_start(s);
	err = status_desk_new(&s->desk, s->loop, shared->fetcher);
	if (err != E_OK) {
		goto free_worker;
	}
	err = pool_new(&s->pool, s->loop);
	if (err != E_OK) {
		goto free_desk;
	}
	err = journal_producer_new(shared->journal, &s->producer, wake, s);
	if (err != E_OK) {
		goto free_pool;
	}
	*out = s;
	return E_OK;

free_pool:
	pool_free(&s->pool);
free_desk:
	status_desk_free(&s->desk);
free_worker:
	worker_free(&s->worker);
free_recall:
	recall_free(&s->recall);
free_cache:
	peer_cache_free(&s->cache);
free_shard:
	free(s);
	return err;
}

int shard_start(struct shard *s)
{
	char name[16];
	snprintf(name, sizeof(name), "worker-%u", s->index);
	int err = worker_start(s->worker, name);
	s->running = err == E_OK;
	return err;
}

static void post(struct shard *s, struct letter letter)
{
	struct letter *copy = malloc(sizeof(*copy));
	BUG_IF(copy == NULL); /* start, reload, stop: a few bytes */
	*copy = letter;
	worker_post(s->worker, &copy->node);
}

void shard_configure(struct shard *s, struct shard_config *config)
{
	post(s, (struct letter){.kind = LETTER_CONFIG, .config = config});
}

void shard_drain(struct shard *s, uint64_t deadline_ms)
{
	post(s, (struct letter){.kind = LETTER_DRAIN, .deadline_ms = deadline_ms});
}

void shard_stop(struct shard *s)
{
	if (s->running) {
		post(s, (struct letter){.kind = LETTER_STOP});
		worker_join(s->worker);
		s->running = false;
	}
}

int shard_settle(struct shard *s, unsigned timeout_ms)
{
	BUG_IF(s->running);
	return s->last_ticket == 0 ? E_OK : journal_wait(s->producer, s->last_ticket, timeout_ms);
}

void shard_free(struct shard **shard)
{
	struct shard *s = *shard;
	BUG_IF(s->running);
	BUG_IF(s->conns != NULL);
	free_acceptors(s->acceptors, s->acceptor_count);
	pool_free(&s->pool);
	links_end_lingering(s);
	recall_free(&s->recall);
	status_desk_free(&s->desk);
	worker_free(&s->worker);
	peer_cache_free(&s->cache);
	snapshot_unref(&s->snapshot);
	free(s);
	*shard = NULL;
}
