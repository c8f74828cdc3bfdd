#include "event/event.h"

#include "event/certificate.h"
#include "event/encoder.h"
#include "event/message.h"
#include "event/parts.h"
#include "peer/classes.h"

static void put_outcome(struct encoder *e, const struct handshake *hs)
{
	if (hs->presented) {
		put_literals(e, FIELD_EVENT_CATEGORY, "\"network\",\"authentication\"");
	} else {
		put_literals(e, FIELD_EVENT_CATEGORY, "\"network\"");
	}
	if (hs->decision != DECISION_DENY) {
		put_literals(e, FIELD_EVENT_TYPE, "\"connection\",\"allowed\"");
	} else if (hs->denied_by == DENIED_BY_HANDSHAKE) {
		put_literals(e, FIELD_EVENT_TYPE, "\"connection\",\"error\"");
	} else {
		put_literals(e, FIELD_EVENT_TYPE, "\"connection\",\"denied\"");
	}
	put_literal(e, FIELD_EVENT_ACTION, "tls-handshake");
	if (hs->decision != DECISION_DENY) {
		put_literal(e, FIELD_EVENT_OUTCOME, "success");
	} else {
		put_literal(e, FIELD_EVENT_OUTCOME, "failure");
	}
}

static void put_event(struct encoder *e, const struct handshake *hs)
{
	const struct peer_class_row *row = peer_class_row(hs->class);
	put_string(e, FIELD_EVENT_ID, hs->id);
	put_literal(e, FIELD_EVENT_KIND, "event");
	put_outcome(e, hs);
	put_string(e, FIELD_EVENT_REASON, row->name);
	put_key(e, FIELD_EVENT_CODE);
	json_u64_text(&e->json, hs->code);
	put_u64(e, FIELD_EVENT_SEVERITY, row->severity);
	put_time(e, FIELD_EVENT_START, hs->start_us);
	put_time(e, FIELD_EVENT_END, hs->end_us);
	put_u64(e, FIELD_EVENT_DURATION, hs->duration_ns);
	put_literal(e, FIELD_EVENT_DATASET, "tlscribe.handshake");
	put_literal(e, FIELD_EVENT_MODULE, "tlscribe");
	json_close(&e->json, (struct json_mark){0}, '}');
}

/* As it was asked for, by the client or by us. */
static struct slice server_name(const struct handshake *hs)
{
	const struct hello *hello = &hs->hello;
	if (!hello->has_server_name || (!hello->seen && !hs->egress)) {
		return (struct slice){0};
	}
	return slice_of(hello->server_name, hello->server_name_len);
}

/* The fingerprint of the leaf that we showed; the peer's certificate stands on the other side. */
static void put_shown(struct encoder *e, const struct handshake *hs)
{
	const struct negotiated *tls = &hs->tls;
	if (!tls->has_server_certificate) {
		return;
	}
	struct json_mark hash = open_object(e, "hash");
	struct slice sha256 = slice_of(tls->server_certificate_sha256, 32);
	if (hs->egress) {
		put_hex(e, FIELD_TLS_CLIENT_HASH_SHA256, sha256);
	} else {
		put_hex(e, FIELD_TLS_SERVER_HASH_SHA256, sha256);
	}
	close_object(e, hash);
}

static void put_tls(struct encoder *e, const struct handshake *hs)
{
	const struct negotiated *tls = &hs->tls;
	struct json_mark object = open_object(e, "tls");
	if (tls->version != TLS_VERSION_NONE) {
		put_string(e, FIELD_TLS_VERSION, tls->version == TLS_VERSION_1_3 ? "1.3" : "1.2");
		put_literal(e, FIELD_TLS_VERSION_PROTOCOL, "tls");
	}
	put_string(e, FIELD_TLS_CIPHER, tls->cipher);
	put_string(e, FIELD_TLS_CURVE, tls->group);
	if (tls->version != TLS_VERSION_NONE) {
		put_bool(e, FIELD_TLS_RESUMED, tls->resumed);
	}
	put_bool(e, FIELD_TLS_ESTABLISHED, tls->established);
	put_text(e, FIELD_TLS_NEXT_PROTOCOL, slice_of(tls->alpn, tls->alpn_len));

	struct json_mark client = open_object(e, "client");
	put_text(e, FIELD_TLS_CLIENT_SERVER_NAME, server_name(hs));
	put_string(e, FIELD_TLS_CLIENT_JA3, hs->hello.ja3);
	if (hs->egress) {
		put_shown(e, hs);
	} else {
		put_certificate(e, hs);
	}
	close_object(e, client);

	struct json_mark server = open_object(e, "server");
	if (hs->egress) {
		put_certificate(e, hs);
	} else {
		put_shown(e, hs);
	}
	close_object(e, server);
	close_object(e, object);
}

void put_identity(struct encoder *e, const struct handshake *hs, const struct ips *ips)
{
	const struct cert *presented = certificate_leaf(hs);
	struct slice user = {0};
	/* A server is nobody's user. */
	if (hs->verified && !hs->egress && presented != NULL) {
		user = certificate_identity(presented);
		struct json_mark object = open_object(e, "user");
		put_text(e, FIELD_USER_NAME, user);
		put_roles(e, presented->qualified);
		close_object(e, object);
	}
	struct json_mark related = open_object(e, "related");
	put_related_ips(e, ips);
	struct json_mark mark;
	if (hs->chain != NULL && hs->chain->parsed && hs->chain->count > 0 &&
	    open_array(e, FIELD_RELATED_HASH, &mark)) {
		const struct cert *leaf = &hs->chain->certs[0];
		json_hex(&e->json, slice_of(leaf->sha256, 32));
		json_hex(&e->json, slice_of(leaf->sha1, 20));
		if (leaf->parsed) {
			json_hex(&e->json, slice_of(leaf->spki_sha256, 32));
		}
		close_array(e, FIELD_RELATED_HASH, mark);
	}
	put_texts(e, FIELD_RELATED_USER, &user, 1);
	struct slice host = server_name(hs);
	put_texts(e, FIELD_RELATED_HOSTS, &host, 1);
	close_object(e, related);
}

static void write_handshake(struct encoder *e, const struct handshake *hs)
{
	struct message message;
	struct ips ips;

	put_event(e, hs);
	message_handshake(&message, hs);
	put_when_and_what(e, hs->end_us, &message);
	put_observer(e, labels_of(e->from, hs->service));
	put_service(e, hs->service);
	ips_format(&ips, &hs->source, &hs->destination, &hs->peer);
	put_ends(e,
	         &(struct ends){
			 .source = &hs->source,
			 .destination = &hs->destination,
			 .domain = server_name(hs),
			 .counted = true,
			 .source_bytes = hs->source_bytes,
			 .destination_bytes = hs->destination_bytes,
			 .server = hs->egress ? hs->server : NULL,
			 .egress = hs->egress,
			 .protocol = hs->hello.seen || hs->egress ? "tls" : NULL,
		 },
	         &ips);
	put_tls(e, hs);
	put_identity(e, hs, &ips);
	put_tlscribe(e, hs, &ips, NULL);
}

int event_encode_handshake(struct buf *out, const struct event_source *from,
                           const struct handshake *hs)
{
	struct encoder e;
	encoder_begin(&e, out, from);
	write_handshake(&e, hs);
	if (encoder_plan(&e)) {
		write_handshake(&e, hs);
	}
	return encoder_finish(&e);
}

int event_encode_minimal(struct buf *out, const struct event_source *from,
                         const struct handshake *hs)
{
	/* What could not be kept in memory is not to be trusted either: nothing but the id, the
	 * times and the ends. */
	struct handshake bare = {
		.egress = hs->egress,
		.connection = hs->connection,
		.start_us = hs->start_us,
		.end_us = hs->end_us,
		.duration_ns = hs->duration_ns,
		.client_hello_us = -1,
		.handshake_us = -1,
		.verify_us = -1,
		.source = hs->source,
		.destination = hs->destination,
		.peer = hs->peer,
		.source_bytes = hs->source_bytes,
		.destination_bytes = hs->destination_bytes,
		.tls = {.alert_sent = -1, .alert_received = -1},
		.class = CLASS_INTERNAL_ERROR,
		.code = peer_class_row(CLASS_INTERNAL_ERROR)->code_leaf,
		.detail = "out of memory",
		.decision = DECISION_DENY,
		.denied_by = DENIED_BY_HANDSHAKE,
	};
	struct event_source plain = *from;
	plain.labels = (struct slice){0};
	memcpy(bare.id, hs->id, sizeof(bare.id));
	return event_encode_handshake(out, &plain, &bare);
}
