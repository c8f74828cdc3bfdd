/* A connection until its handshake is over: the PROXY header, is this TLS at all, and what the TLS session asks of its owner. */
#include <errno.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/err.h"
#include "proxy/announced.h"
#include "proxy/conn.h"
#include "proxy/judge.h"
#include "proxy/shard.h"

/* Beside the certificates a client's flight holds key exchange, CertificateVerify, Finished, record headers, and
 * application data may follow in the same read. */
#define FLIGHT_REST_BYTES (64 * 1024)

/* --- ending without a verdict --- */

void conn_end_handshake(struct conn *c, enum peer_class class, const char *detail, int alert)
{
	struct handshake *hs = c->hs;
	judge_end(hs, class, detail);
	if (c->tls == NULL || c->state != CONN_HANDSHAKE) {
		alert = -1;
	} else if (c->service != NULL) {
		alert = policy_alert_shown(c->service->config->client.alert, alert);
	}
	hs->tls.alert_sent = alert;
	handshake_finish(c);
	conn_refuse(c, alert);
}

/* A handshake that failed before the service was chosen presented nothing that could be judged. */
struct judge conn_judge(struct conn *c, const struct service *service,
                        const struct snapshot *snapshot)
{
	if (service == NULL) {
		return (struct judge){.cache = c->shard->cache};
	}
	return (struct judge){.service = service,
	                      .trust = service->trust,
	                      .lists = snapshot_lists(snapshot, service),
	                      .policy = &service->policy,
	                      .cache = c->shard->cache,
	                      .desk = c->shard->desk,
	                      .query = &c->status};
}

/* By the newest lists, if only those changed since it was accepted. */
static struct judge judge_of(struct conn *c)
{
	if (c->snapshot != c->shard->snapshot &&
	    snapshot_same_plan(c->snapshot, c->shard->snapshot)) {
		snapshot_unref(&c->snapshot);
		c->snapshot = snapshot_ref(c->shard->snapshot);
		c->hs->policy_epoch = snapshot_epoch(c->snapshot);
		c->hs->policy_sha256 = snapshot_sha256(c->snapshot);
	}
	return conn_judge(c, c->service, c->snapshot);
}

static void handshake_failed(struct conn *c)
{
	if (c->input.over) {
		conn_end_handshake(c, CLASS_LIMIT_EXCEEDED, "more bytes than a handshake may have",
		                   -1);
		return;
	}
	if ((c->input.eof || c->input.error != 0) &&
	    tls_session_failure(c->tls) == TLS_FAILURE_PROTOCOL) {
		/* GnuTLS asked for the rest of a record and there was none: it calls that a wrong length. */
		conn_end_handshake(c, CLASS_PEER_CLOSED, "inside of a record", -1);
		return;
	}
	struct judge judge = judge_of(c);
	struct judged judged = judge_failure(c->hs, &judge, c->tls);
	if (judged.verdict) { /* an unusable certificate, or a failed proof: as any other denial from here */
		conn_judged(c);
		return;
	}
	conn_end_handshake(c, judged.class, judged.detail, judged.alert);
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

/* --- waiting for an OCSP answer --- */

static void on_status(void *owner, const struct ocsp_answer *answer, const char *why)
{
	struct conn *c = owner;
	struct judge judge = judge_of(c);
	judge_answer(c->hs, &judge, answer, why);
	conn_judged(c);
}

void conn_status_late(struct conn *c)
{
	status_cancel(c->shard->desk, &c->status);
	on_status(c, NULL, "no answer within the time of a handshake");
}

static void judge(struct conn *c)
{
	struct judge judge = judge_of(c);
	c->status.answered = on_status;
	c->status.owner = c;
	if (judge_complete(c->hs, &judge, c->tls) != JUDGE_WAITS) {
		conn_judged(c);
		return;
	}
	c->state = CONN_STATUS;
	conn_wait(c, 0);
	if (input_settle(&c->input) != E_OK) {
		conn_end_handshake(c, CLASS_INTERNAL_ERROR, "out of memory", -1);
	}
}

/* --- the steps --- */

void conn_handshake_step(struct conn *c)
{
	switch (tls_session_handshake(c->tls)) {
	case TLS_DONE:
		c->input.budget = UINT64_MAX; /* it bounded the handshake */
		judge(c);
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
		conn_end_handshake(c, CLASS_INTERNAL_ERROR, "out of memory", -1);
	}
}

/* RFC 8446 5.1 and 4: a TLS record of type handshake that begins with a ClientHello. True: go on with TLS. */
static bool sniff(struct conn *c)
{
	const struct config_limits *limits = &snapshot_config(c->snapshot)->limits;
	const uint8_t *p = c->input.data + c->input.off;
	size_t n = input_unread(&c->input);
	if (p[0] != 22 || (n > 1 && p[1] != 3)) {
		conn_end_handshake(c, CLASS_NOT_TLS, NULL, -1);
		return false;
	}
	if (n >= 9 && (p[3] << 8 | p[4]) >= 4 && p[5] == 1) {
		uint64_t announced = (uint64_t)p[6] << 16 | (uint64_t)p[7] << 8 | p[8];
		if (announced > limits->client_hello_bytes) {
			conn_end_handshake(c, CLASS_LIMIT_EXCEEDED, "the ClientHello is too long",
			                   -1);
			return false;
		}
	}
	const struct tls_limits tls_limits = {
		.certificate_bytes = limits->certificate_chain_bytes,
		.certificates = limits->certificates,
		/* It comes back within a ClientHello, which has to stay within its own limit. */
		.ticket_bytes = limits->client_hello_bytes / 2,
	};
	if (tls_session_new(&c->tls, &tls_owner, c, &tls_limits, &c->hs->hello, &c->hs->tls) !=
	    E_OK) {
		conn_end_handshake(c, CLASS_INTERNAL_ERROR, "out of memory", -1);
		return false;
	}
	c->state = CONN_HANDSHAKE;
	return true;
}

void conn_sniff_step(struct conn *c)
{
	if (input_unread(&c->input) == 0 && !input_fill(&c->input, c->fd, c->shard->input)) {
		if (c->input.eof || c->input.error != 0) {
			conn_end_handshake(c, CLASS_PEER_CLOSED,
			                   c->input.eof ? "before the first byte"
			                                : "reset before the first byte",
			                   -1);
		}
		return;
	}
	if (sniff(c)) {
		conn_handshake_step(c);
	}
}

/* From here on its source is known: now it counts for it. */
void conn_proxy_step(struct conn *c)
{
	struct sockaddr_storage source;
	struct announced announced = announced_read(c, &source);
	if (announced.step == ANNOUNCED_MORE) {
		return;
	}
	if (announced.step == ANNOUNCED_FAILED) {
		conn_end_handshake(c, announced.class, announced.detail, -1);
		return;
	}
	enum limits_answer answer =
		limits_move(c->shard->shared->limits, (const struct sockaddr *)&c->counts_for,
	                    (const struct sockaddr *)&source,
	                    snapshot_config(c->snapshot)->limits.connections_per_source);
	if (answer != LIMITS_GRANTED) {
		conn_end_handshake(c, CLASS_LIMIT_EXCEEDED, limits_refusal(answer), -1);
		return;
	}
	c->counts_for = source;
	c->state = CONN_SNIFF;
	conn_sniff_step(c);
}
