#include "proxy/conn.h"

#include <errno.h>
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
#include "proxy/judge.h"
#include "proxy/shard.h"

/* Beside the certificates a client's flight holds key exchange, CertificateVerify, Finished, record headers, and
 * application data may follow in the same read. */
#define FLIGHT_REST_BYTES (64 * 1024)

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

/* --- ending without a verdict --- */

/* Records the end of a handshake that reached no verdict, and lets go: with the alert where there is one to send. */
static void end_handshake(struct conn *c, enum peer_class class, const char *detail, int alert)
{
	struct handshake *hs = c->hs;
	judge_end(hs, class, detail);
	if (c->tls == NULL || c->state != CONN_HANDSHAKE) {
		alert = -1;
	}
	hs->tls.alert_sent = alert;
	handshake_finish(c);
	conn_refuse(c, alert);
}

/* A handshake that failed before the service was chosen presented nothing that could be judged. */
static struct judge judge_of(const struct conn *c)
{
	if (c->service == NULL) {
		return (struct judge){.cache = c->shard->cache};
	}
	return (struct judge){c->service->trust, &c->service->policy, c->shard->cache};
}

static void handshake_failed(struct conn *c)
{
	if (c->input.over) {
		end_handshake(c, CLASS_LIMIT_EXCEEDED, "more bytes than a handshake may have", -1);
		return;
	}
	if ((c->input.eof || c->input.error != 0) &&
	    tls_session_failure(c->tls) == TLS_FAILURE_PROTOCOL) {
		/* GnuTLS asked for the rest of a record and there was none: it calls that a wrong length. */
		end_handshake(c, CLASS_PEER_CLOSED, "inside of a record", -1);
		return;
	}
	struct judge judge = judge_of(c);
	struct judged judged = judge_failure(c->hs, &judge, c->tls);
	if (judged.verdict) { /* an unusable certificate, or a failed proof: as any other denial from here */
		conn_judged(c);
		return;
	}
	end_handshake(c, judged.class, judged.detail, judged.alert);
}

/* --- TLS: what the session asks of its owner --- */

static ssize_t on_pull(void *owner, void *data, size_t len)
{
	struct conn *c = owner;
	return input_pull(&c->input, c->fd, c->shard->input, data, len);
}

static ssize_t on_push(void *owner, const struct iovec *iov, int count)
{
	struct conn *c = owner;
	struct msghdr message = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
	ssize_t n = sendmsg(c->fd, &message, MSG_NOSIGNAL);
	c->sent_bytes += n > 0 ? (uint64_t)n : 0;
	return n;
}

static const struct tls_service *on_choose(void *owner)
{
	struct conn *c = owner;
	struct handshake *hs = c->hs;
	c->hello_ns = clock_mono_ns();
	c->input.budget =
		snapshot_config(c->snapshot)->limits.certificate_chain_bytes + FLIGHT_REST_BYTES;
	struct slice name = slice_of(hs->hello.server_name, hs->hello.server_name_len);
	c->service = snapshot_match(c->snapshot, c->listener, name);
	if (c->service == NULL) {
		return NULL;
	}
	hs->service = &c->service->event;
	hs->requested = tls_service_requests(c->service->tls);
	hs->ca_names = tls_service_sends_ca_names(c->service->tls);
	return c->service->tls;
}

static int on_presented(void *owner, const struct slice *der, size_t count)
{
	struct conn *c = owner;
	c->hs->presented = true;
	c->hs->possession = POSSESSION_NOT_REACHED;
	return peer_cache_chain(c->shard->cache, &c->hs->chain, der, count);
}

static const struct tls_owner tls_owner = {
	.pull = on_pull,
	.push = on_push,
	.choose = on_choose,
	.presented = on_presented,
};

/* --- the steps --- */

static void handshake_step(struct conn *c)
{
	struct judge judge;
	switch (tls_session_handshake(c->tls)) {
	case TLS_DONE:
		c->input.budget = UINT64_MAX; /* it bounded the handshake */
		judge = judge_of(c);
		judge_complete(c->hs, &judge, c->tls);
		conn_judged(c);
		return;
	case TLS_AGAIN_READ:
		conn_wait(c, EV_READ);
		break;
	case TLS_AGAIN_WRITE:
		conn_wait(c, EV_WRITE);
		break;
	default:
		handshake_failed(c);
		return;
	}
	if (input_settle(&c->input) != E_OK) {
		end_handshake(c, CLASS_INTERNAL_ERROR, "out of memory", -1);
	}
}

/* RFC 8446 5.1 and 4: a TLS record of type handshake that begins with a ClientHello. True: go on with TLS. */
static bool sniff(struct conn *c)
{
	const struct config_limits *limits = &snapshot_config(c->snapshot)->limits;
	const uint8_t *p = c->input.data + c->input.off;
	size_t n = input_unread(&c->input);
	if (p[0] != 22 || (n > 1 && p[1] != 3)) {
		end_handshake(c, CLASS_NOT_TLS, NULL, -1);
		return false;
	}
	if (n >= 9 && (p[3] << 8 | p[4]) >= 4 && p[5] == 1) {
		uint64_t announced = (uint64_t)p[6] << 16 | (uint64_t)p[7] << 8 | p[8];
		if (announced > limits->client_hello_bytes) {
			end_handshake(c, CLASS_LIMIT_EXCEEDED, "the ClientHello is too long", -1);
			return false;
		}
	}
	const struct tls_limits tls_limits = {
		.certificate_bytes = limits->certificate_chain_bytes,
		.certificates = limits->certificates,
	};
	if (tls_session_new(&c->tls, &tls_owner, c, &tls_limits, &c->hs->hello, &c->hs->tls) !=
	    E_OK) {
		end_handshake(c, CLASS_INTERNAL_ERROR, "out of memory", -1);
		return false;
	}
	c->state = CONN_HANDSHAKE;
	return true;
}

static void sniff_step(struct conn *c)
{
	if (input_unread(&c->input) == 0 && !input_fill(&c->input, c->fd, c->shard->input)) {
		if (c->input.eof || c->input.error != 0) {
			end_handshake(c, CLASS_PEER_CLOSED,
			              c->input.eof ? "before the first byte"
			                           : "reset before the first byte",
			              -1);
		}
		return;
	}
	if (sniff(c)) {
		handshake_step(c);
	}
}

static const char *limit_detail(enum limits_answer answer)
{
	switch (answer) {
	case LIMITS_TOO_MANY:
		return "too many connections";
	case LIMITS_TOO_MANY_OF_SOURCE:
		return "too many connections of this source";
	default:
		return "out of memory";
	}
}

/* From here on its source is known: now it counts for it. */
static void proxy_step(struct conn *c)
{
	struct sockaddr_storage source;
	struct announced announced = announced_read(c, &source);
	if (announced.step == ANNOUNCED_MORE) {
		return;
	}
	if (announced.step == ANNOUNCED_FAILED) {
		end_handshake(c, announced.class, announced.detail, -1);
		return;
	}
	enum limits_answer answer =
		limits_move(c->shard->shared->limits, (const struct sockaddr *)&c->counts_for,
	                    (const struct sockaddr *)&source,
	                    snapshot_config(c->snapshot)->limits.connections_per_source);
	if (answer != LIMITS_GRANTED) {
		end_handshake(c, CLASS_LIMIT_EXCEEDED, limit_detail(answer), -1);
		return;
	}
	c->counts_for = source;
	c->state = CONN_SNIFF;
	sniff_step(c);
}

void conn_judged(struct conn *c)
{
	struct handshake *hs = c->hs;
	c->allowed = hs->decision != DECISION_DENY;
	c->over_http = !c->allowed && hs->tls.established && c->service->config->deny == DENY_HTTP;
	c->alert = c->allowed || c->over_http ? -1 : policy_alert(hs->class, hs->tls.version);
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
	} else if (c->service->config->mode == MODE_HTTP) {
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
		end_handshake(c, CLASS_SHUTDOWN, NULL, -1);
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
		proxy_step(c);
		return;
	case CONN_SNIFF:
		sniff_step(c);
		return;
	case CONN_HANDSHAKE:
		handshake_step(c);
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
		end_handshake(c, CLASS_TIMEOUT, NULL, -1);
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
		end_handshake(c, CLASS_LIMIT_EXCEEDED, limit_detail(answer), -1);
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
