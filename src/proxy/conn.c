#include "proxy/conn.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/err.h"
#include "net/io_wait.h"
#include "net/proxy_protocol.h"
#include "proxy/announced.h"
#include "proxy/endpoint.h"
#include "proxy/exchange.h"
#include "proxy/shard.h"

/* --- small parts --- */

void conn_wait(struct conn *c, int events)
{
	io_wait(c->shard->loop, &c->io, c->fd, events);
}

void conn_timer(struct conn *c, uint64_t ms)
{
	ev_timer_stop(c->shard->loop, &c->timer);
	if (ms != 0) {
		/* Since when this moment is, not when the loop woke up. */
		ev_now_update(c->shard->loop);
		ev_timer_set(&c->timer, (double)ms / 1e3, 0);
		ev_timer_start(c->shard->loop, &c->timer);
	}
}

void conn_free(struct conn *c)
{
	struct shard *s = c->shard;
	BUG_IF(!worker_is_current(s->worker));
	BUG_IF(!c->recorded);
	BUG_IF(c->hs != NULL);
	ev_io_stop(s->loop, &c->io);
	ev_timer_stop(s->loop, &c->timer);
	shard_unpark(s, &c->park);
	live_end(c);
	exchange_free(&c->http);
	client_release(&c->client);
	buf_release(&c->announce);
	relay_release(&c->relay, s->loop, false);
	tls_session_free(&c->tls);
	input_release(&c->input);
	close(c->fd);
	if (c->counted) {
		limits_release(s->shared->limits, (const struct sockaddr *)&c->counts_for);
	}
	if (c->previous != NULL) {
		c->previous->next = c->next;
	} else {
		s->conns = c->next;
	}
	if (c->next != NULL) {
		c->next->previous = c->previous;
	}
	s->conn_count--;
	snapshot_unref(&c->snapshot);
	free(c);
	shard_conn_gone(s);
}

void conn_close(struct conn *c, enum close_reason reason)
{
	if (c->http != NULL) {
		exchange_record(c->http, false);
	}
	connection_end_record(c, reason,
	                      reason == CLOSE_PARK_TIMEOUT || reason == CLOSE_JOURNAL_FAILED);
	/* What we or the client cut short must not look complete to the back end. */
	bool complete = c->relay.client_eof &&
	                (reason == CLOSE_CLIENT_CLOSED || reason == CLOSE_UPSTREAM_CLOSED);
	relay_release(&c->relay, c->shard->loop, !complete);
	conn_free(c);
}

/* --- from the verdict on --- */

void conn_judged(struct conn *c)
{
	struct handshake *hs = c->hs;
	c->allowed = hs->decision != DECISION_DENY;
	c->over_http = !c->allowed && hs->tls.established && c->service->config->deny == DENY_HTTP;
	c->alert = c->allowed || c->over_http
	                   ? -1
	                   : policy_alert_shown(c->service->config->client.alert,
	                                        policy_alert(hs->class, hs->tls.version));
	c->upstream =
		hs->decision == DECISION_QUARANTINE ? c->service->quarantine : c->service->upstream;
	hs->tls.alert_sent = c->alert;
	bool wait = snapshot_config(c->snapshot)->record == RECORD_BEFORE_TRAFFIC;
	conn_wait(c, 0);
	c->state = CONN_PARKED;
	if (!handshake_finish(c)) {
		conn_free(c);
		return;
	}
	if (input_settle(&c->input) != E_OK) {
		conn_close(c, CLOSE_INTERNAL_ERROR);
		return;
	}
	if (!wait) {
		conn_durable(c);
		return;
	}
	if (shard_is_lost(c->shard, c->park.ticket)) {
		conn_journal_failed(c);
		return;
	}
	conn_timer(c, snapshot_config(c->snapshot)->timeouts.park_ms);
	shard_park(c->shard, &c->park);
}

void conn_durable(struct conn *c)
{
	conn_timer(c, 0);
	if (!c->allowed && !c->over_http) {
		conn_refuse(c, c->alert);
		return;
	}
	/* RFC 8446 4.6.1: whoever comes back with it was let in, on record, and not into the quarantine. */
	if (c->allowed && c->live.decision != DECISION_QUARANTINE) {
		tls_session_give_ticket(c->tls);
	}
	if (c->service->config->mode == MODE_HTTP) {
		exchange_begin(c);
	} else {
		conn_connect(c);
	}
}

void conn_journal_failed(struct conn *c)
{
	conn_close(c, CLOSE_JOURNAL_FAILED);
}

static void on_durable(void *owner)
{
	conn_durable(owner);
}

static void on_lost(void *owner)
{
	conn_journal_failed(owner);
}

static const struct parked_ops park_ops = {.durable = on_durable, .lost = on_lost};

void conn_cut(struct conn *c)
{
	if (c->state == CONN_REFUSED) {
		conn_free(c);
		return;
	}
	atomic_fetch_add_explicit(&c->shard->cut, 1, memory_order_relaxed);
	if (!c->recorded) {
		conn_end_handshake(c, CLASS_SHUTDOWN, NULL, -1);
	} else {
		conn_close(c, CLOSE_SHUTDOWN);
	}
}

/* --- events --- */

static void on_client(struct ev_loop *loop, struct ev_io *io, int events)
{
	(void)loop;
	struct conn *c = io->data;
	input_ready(&c->input);
	switch (c->state) {
	case CONN_PROXY:
		conn_proxy_step(c);
		return;
	case CONN_SNIFF:
		conn_sniff_step(c);
		return;
	case CONN_HANDSHAKE:
		conn_handshake_step(c);
		return;
	case CONN_HTTP:
		exchange_client_ready(c->http, events);
		return;
	case CONN_RELAY:
		relay_client_ready(c, events);
		return;
	case CONN_REFUSED:
		conn_refused_ready(c);
		return;
	case CONN_STATUS:
	case CONN_PARKED:
	case CONN_CONNECT:
		BUG_IF(true); /* nothing is waited for */
	}
}

/* Idle: the timer is not moved at every byte, so look how long it really was. */
static void idle_check(struct conn *c)
{
	uint64_t idle_ms = snapshot_config(c->snapshot)->timeouts.idle_ms;
	uint64_t quiet_ms = (clock_mono_ns() - c->last_byte_ns) / 1000000;
	if (quiet_ms >= idle_ms) {
		conn_close(c, CLOSE_IDLE_TIMEOUT);
	} else {
		conn_timer(c, idle_ms - quiet_ms);
	}
}

static void on_timer(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	struct conn *c = timer->data;
	switch (c->state) {
	case CONN_PROXY:
	case CONN_SNIFF:
	case CONN_HANDSHAKE:
		conn_end_handshake(c, CLASS_TIMEOUT, NULL, -1);
		return;
	case CONN_STATUS:
		conn_status_late(c);
		return;
	case CONN_PARKED:
		conn_close(c, CLOSE_PARK_TIMEOUT);
		return;
	case CONN_CONNECT:
		BUG_IF(true); /* the link has a timer of its own */
		return;
	case CONN_HTTP:
		exchange_idle_check(c->http);
		return;
	case CONN_RELAY:
		idle_check(c);
		return;
	case CONN_REFUSED:
		conn_free(c);
		return;
	}
}

/* --- the beginning --- */

static struct conn *conn_new(struct shard *s, unsigned listener, int fd)
{
	struct conn *c = calloc(1, sizeof(*c));
	struct handshake *hs = calloc(1, sizeof(*hs));
	if (c == NULL || hs == NULL) {
		free(c);
		free(hs);
		return NULL;
	}
	c->shard = s;
	c->hs = hs;
	c->fd = fd;
	c->listener = listener;
	c->alert = -1;
	c->snapshot = snapshot_ref(s->snapshot);
	c->start_ns = clock_mono_ns();
	const struct config *config = snapshot_config(c->snapshot);
	input_init(&c->input,
	           config->limits.client_hello_bytes + config->limits.client_hello_bytes / 8 + 512);
	relay_init(&c->relay);
	buf_init(&c->announce, PROXY_HEADER_MAX);
	c->park.ops = &park_ops;
	c->park.owner = c;
	ev_io_init(&c->io, on_client, fd, 0);
	ev_timer_init(&c->timer, on_timer, 0, 0);
	c->io.data = c->timer.data = c;
	c->next = s->conns;
	if (s->conns != NULL) {
		s->conns->previous = c;
	}
	s->conns = c;
	s->conn_count++;
	return c;
}

static void describe(struct conn *c, const struct sockaddr *peer)
{
	struct handshake *hs = c->hs;
	struct sockaddr_storage own;
	memset(&own, 0, sizeof(own));
	socklen_t len = sizeof(own);
	id_next(&c->shard->ids, hs->id);
	memcpy(c->id, hs->id, sizeof(c->id));
	hs->start_us = clock_wall_us();
	hs->client_hello_us = hs->handshake_us = hs->verify_us = -1;
	hs->tls.alert_sent = hs->tls.alert_received = -1;
	hs->policy_epoch = snapshot_epoch(c->snapshot);
	hs->policy_sha256 = snapshot_sha256(c->snapshot);
	endpoint_of(&hs->source, peer);
	if (getsockname(c->fd, (struct sockaddr *)&own, &len) == 0) {
		endpoint_of(&hs->destination, (const struct sockaddr *)&own);
	}
	c->source = hs->source;
	c->destination = hs->destination;
}

void conn_accept(struct shard *s, unsigned listener, int fd, const struct sockaddr *peer,
                 socklen_t len)
{
	BUG_IF(!worker_is_current(s->worker));
	struct conn *c = NULL;
	/* What cannot be recorded is not begun. */
	if (!journal_healthy(s->shared->journal) || (c = conn_new(s, listener, fd)) == NULL) {
		atomic_fetch_add_explicit(&s->refused, 1, memory_order_relaxed);
		close(fd);
		return;
	}
	describe(c, peer);
	const struct config *config = snapshot_config(c->snapshot);
	uint64_t most = atomic_load_explicit(&s->shared->connections_max, memory_order_relaxed);
	most = config->limits.connections < most ? config->limits.connections : most;
	c->state = announced_wanted(c, peer) ? CONN_PROXY : CONN_SNIFF;
	if (c->state == CONN_SNIFF) {
		memcpy(&c->counts_for, peer, len);
	}
	enum limits_answer answer =
		limits_acquire(s->shared->limits, (const struct sockaddr *)&c->counts_for, most,
	                       config->limits.connections_per_source);
	if (answer != LIMITS_GRANTED) {
		conn_end_handshake(c, CLASS_LIMIT_EXCEEDED, limits_refusal(answer), -1);
		return;
	}
	c->counted = true;
	if (peer->sa_family != AF_UNIX) {
		int one = 1;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
	conn_timer(c, config->limits.handshake_time_ms);
	conn_wait(c, EV_READ);
}
