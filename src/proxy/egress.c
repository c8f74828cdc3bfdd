/* The record of a TLS handshake that we make with a server, and what we think of that server. */
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/err.h"
#include "proxy/endpoint.h"
#include "proxy/judge.h"
#include "proxy/link_private.h"
#include "proxy/shard.h"
#include "proxy/upstream.h"

static void note_server_name(struct handshake *hs, const char *name)
{
	size_t len = name == NULL ? 0 : strlen(name);
	if (len == 0 || len > sizeof(hs->hello.server_name)) {
		return;
	}
	hs->hello.has_server_name = true;
	hs->hello.server_name_len = (uint16_t)len;
	memcpy(hs->hello.server_name, name, len);
}

static bool is_required(const struct link *link)
{
	return upstream_config(link->upstream)->tls.verify == UPSTREAM_VERIFY_REQUIRED;
}

int egress_begin(struct link *link)
{
	struct link_opening *opening = link->opening;
	struct handshake *hs = calloc(1, sizeof(*hs));
	if (hs == NULL) {
		return E_NOMEM;
	}
	opening->hs = hs;
	opening->start_ns = clock_mono_ns();
	id_next(&link->shard->ids, hs->id);
	hs->egress = true;
	hs->connection = opening->connection[0] != '\0' ? opening->connection : NULL;
	hs->service = opening->service;
	hs->server = upstream_name(link->upstream, link->server);
	hs->verify_mode = is_required(link) ? "required" : "none";
	hs->start_us = clock_wall_us();
	hs->client_hello_us = hs->handshake_us = hs->verify_us = -1;
	hs->tls.alert_sent = hs->tls.alert_received = -1;
	hs->policy_epoch = snapshot_epoch(link->snapshot);
	hs->policy_sha256 = snapshot_sha256(link->snapshot);
	endpoint_own(&hs->source, link->fd);
	endpoint_peer(&hs->destination, link->fd);
	if (hs->destination.family == 0) { /* it is gone already */
		struct address address;
		upstream_address(link->upstream, link->server, &address);
		endpoint_of(&hs->destination, (const struct sockaddr *)&address.sa);
	}
	note_server_name(hs, upstream_server_name(link->upstream, link->server));
	return E_OK;
}

int egress_presented(struct link *link, const struct slice *der, size_t count)
{
	struct handshake *hs = link->opening->hs;
	hs->presented = true;
	hs->possession = POSSESSION_NOT_REACHED;
	return peer_cache_chain(link->shard->cache, &hs->chain, der, count);
}

/* A server that need not be verified may be anybody, but is never taken for verified. */
static struct policy policy_of(const struct link *link)
{
	return (struct policy){.verify = is_required(link) ? VERIFY_REQUIRED : VERIFY_PASSTHROUGH};
}

static struct judge judge_of(const struct link *link, const struct policy *policy)
{
	return (struct judge){.trust = upstream_trust(link->upstream, link->server),
	                      .policy = policy,
	                      .cache = link->shard->cache};
}

bool egress_would_trust(struct link *link, struct chain *chain)
{
	if (!is_required(link)) {
		return true;
	}
	struct verdict *verdict = NULL;
	if (peer_cache_judge(link->shard->cache, &verdict,
	                     upstream_trust(link->upstream, link->server), NULL, chain,
	                     clock_wall_us() / 1000000) != E_OK) {
		return false;
	}
	bool good = verdict->class == CLASS_OK;
	verdict_unref(&verdict);
	return good;
}

bool egress_judge(struct link *link)
{
	struct handshake *hs = link->opening->hs;
	if (hs->tls.resumed) {
		/* Nothing is shown in such a handshake: the server is the one of the full one, judged as of now. */
		BUG_IF(link->opening->offered.chain == NULL);
		chain_unref(&hs->chain);
		hs->chain = chain_ref(link->opening->offered.chain);
		hs->presented = true;
	}
	struct policy policy = policy_of(link);
	struct judge judge = judge_of(link, &policy);
	judge_complete(hs, &judge, link->tls);
	if (hs->decision != DECISION_DENY) {
		return true;
	}
	hs->tls.alert_sent = policy_alert(hs->class, hs->tls.version);
	return false;
}

void egress_fail(struct link *link)
{
	struct handshake *hs = link->opening->hs;
	if (link->input.over) {
		egress_end(link, CLASS_LIMIT_EXCEEDED, "more bytes than a handshake may have");
		return;
	}
	if ((link->input.eof || link->input.error != 0) &&
	    tls_session_failure(link->tls) == TLS_FAILURE_PROTOCOL) {
		/* GnuTLS asked for the rest of a record and there was none: it calls that a wrong length. */
		egress_end(link, CLASS_PEER_CLOSED, "inside of a record");
		return;
	}
	struct policy policy = policy_of(link);
	struct judge judge = judge_of(link, &policy);
	struct judged judged = judge_failure(hs, &judge, link->tls);
	if (judged.verdict) { /* an unusable certificate, or a failed proof */
		hs->tls.alert_sent = policy_alert(hs->class, hs->tls.version);
		return;
	}
	egress_end(link, judged.class, judged.detail);
	hs->tls.alert_sent = judged.alert;
}

void egress_end(struct link *link, enum peer_class class, const char *detail)
{
	judge_end(link->opening->hs, class, detail);
}

static void release(struct link *link)
{
	struct handshake *hs = link->opening->hs;
	chain_unref(&hs->chain);
	verdict_unref(&hs->verdict);
	if (link->tls != NULL) {
		tls_session_detach(link->tls);
	}
	free(hs);
	link->opening->hs = NULL;
}

void egress_drop(struct link *link)
{
	BUG_IF(!link->opening->check || link->opening->hs == NULL);
	release(link);
}

/* The same outcome as the last time says nothing new. A configuration that was replaced is not remembered. */
static bool is_told(const struct link *link)
{
	struct shard *s = link->shard;
	return link->opening->check && snapshot_same_plan(link->snapshot, s->snapshot) &&
	       !recall_changed(s->recall, link->upstream, link->server, link->opening->hs->class);
}

static bool submit(struct link *link)
{
	struct shard *s = link->shard;
	struct handshake *hs = link->opening->hs;
	struct buf body;
	buf_init_fixed(&body, s->event, sizeof(s->event));
	bool whole = event_encode_handshake(&body, &s->source, hs) == E_OK;
	if (!whole) {
		buf_reset(&body);
		event_encode_minimal(&body, &s->source, hs);
	}
	if (shard_submit(s, &body, &link->opening->park.ticket)) {
		return whole;
	}
	/* Out of memory even for this: counted, and audit.gap will say how many. */
	atomic_fetch_add_explicit(&s->refused, 1, memory_order_relaxed);
	return false;
}

bool egress_record(struct link *link, bool *wait)
{
	struct handshake *hs = link->opening->hs;
	BUG_IF(hs == NULL);
	hs->end_us = clock_wall_us();
	hs->duration_ns = clock_mono_ns() - link->opening->start_ns;
	hs->handshake_us = (int64_t)(hs->duration_ns / 1000);
	hs->source_bytes = link->sent_bytes;
	hs->destination_bytes = link->input.received;
	*wait = false;
	bool recorded = true;
	if (!is_told(link)) {
		recorded = submit(link);
		*wait = snapshot_config(link->snapshot)->record == RECORD_BEFORE_TRAFFIC;
	}
	release(link);
	return recorded;
}
