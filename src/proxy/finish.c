/* The one place where a handshake becomes its event, and where a let-in connection gets its last one. */
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "proxy/announce.h"
#include "proxy/conn.h"
#include "proxy/shard.h"

static void release(struct conn *c)
{
	if (c->allowed) {
		live_begin(c, c->hs);
	}
	chain_unref(&c->hs->chain);
	verdict_unref(&c->hs->verdict);
	free(c->hs);
	c->hs = NULL;
	if (c->tls != NULL) {
		tls_session_detach(c->tls);
	}
}

/* The event, and what back ends are told of the client: both are made of the handshake, which is gone afterwards. */
static bool encode(struct conn *c, struct buf *body)
{
	struct handshake *hs = c->hs;
	const struct event_source *source = &c->shard->source;
	if (!c->allowed && !c->over_http) {
		return event_encode_handshake(body, source, hs) == E_OK;
	}
	announce_handshake(&c->announce, hs, c->service);
	if (c->announce.err != E_OK) {
		return false;
	}
	if (c->service->config->mode != MODE_HTTP) {
		return event_encode_handshake(body, source, hs) == E_OK;
	}
	struct identity_omitted omitted = {0};
	if (client_describe(&c->client, hs, c->service, &omitted) != E_OK) {
		return false;
	}
	hs->omitted_headers = omitted.names;
	hs->omitted_header_count = omitted.count;
	if (event_encode_handshake(body, source, hs) != E_OK) {
		return false;
	}
	if (client_describe_custom(&c->client, c->service, buf_slice(body), &omitted)) {
		hs->omitted_header_count = omitted.count;
		buf_reset(body);
		if (event_encode_handshake(body, source, hs) != E_OK) {
			return false;
		}
	}
	/* After an error the last header may be without its end. */
	return c->client.fields.err == E_OK;
}

bool handshake_finish(struct conn *c)
{
	BUG_IF(c->recorded);
	BUG_IF(c->hs == NULL);
	c->recorded = true;
	struct shard *s = c->shard;
	struct handshake *hs = c->hs;
	uint64_t now_ns = clock_mono_ns();
	hs->end_us = clock_wall_us();
	hs->duration_ns = now_ns - c->start_ns;
	hs->source_bytes = c->input.received;
	hs->destination_bytes = c->sent_bytes;
	if (c->hello_ns != 0) {
		hs->client_hello_us = (int64_t)((c->hello_ns - c->start_ns) / 1000);
		hs->handshake_us = (int64_t)((now_ns - c->hello_ns) / 1000);
	}
	struct buf body;
	buf_init_fixed(&body, s->event, sizeof(s->event));
	if (!encode(c, &body)) {
		buf_reset(&body);
		event_encode_minimal(&body, &s->source, hs);
		c->allowed = false; /* as this event says */
		c->over_http = false;
		c->alert = -1;
	}
	bool recorded = shard_submit(s, &body, &c->park.ticket);
	if (recorded) {
		atomic_fetch_add_explicit(&s->handshakes, 1, memory_order_relaxed);
	} else {
		/* Out of memory even for this: counted, and audit.gap will say how many. */
		atomic_fetch_add_explicit(&s->refused, 1, memory_order_relaxed);
	}
	release(c);
	return recorded;
}

void connection_end_record(struct conn *c, enum close_reason reason, bool always)
{
	if (!always && (!c->service->config->connection_end || !c->allowed)) {
		return;
	}
	struct shard *s = c->shard;
	const struct close_reason_row *row = close_reason_row(reason);
	uint64_t duration_ns = clock_mono_ns() - c->start_ns;
	int64_t now_us = clock_wall_us();
	struct connection_end end = {
		.connection = c->id,
		.start_us = now_us - (int64_t)(duration_ns / 1000),
		.end_us = now_us,
		.duration_ns = duration_ns,
		.source = c->source,
		.destination = c->destination,
		.peer = c->announcer,
		.source_bytes = c->relay.from_client,
		.destination_bytes = c->relay.to_client,
		.service = &c->service->event,
		.close_reason = row->name,
		.sentence = row->sentence,
		.failed = row->fault,
	};
	id_next(&s->ids, end.id);
	struct buf body;
	buf_init_fixed(&body, s->event, sizeof(s->event));
	event_encode_connection_end(&body, &s->source, &end);
	uint64_t ticket;
	if (!shard_submit(s, &body, &ticket)) {
		log_error("out of memory: the end of connection %s is not on the record", c->id);
	}
}
