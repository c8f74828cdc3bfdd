/* connection-revoked: a client's connection that would not come in now as it did then. What is
 * known of its certificate stands here as it did in its handshake, judged as of now. */
#include "base/bug.h"
#include "event/certificate.h"
#include "event/encoder.h"
#include "event/event.h"
#include "event/message.h"
#include "event/parts.h"
#include "peer/classes.h"

#define SEVERITY_LEAST 3 /* also where the certificate is as good as ever and the service is gone */

static void put_event(struct encoder *e, const struct connection_revoked *revoked)
{
	const struct peer_class_row *row = peer_class_row(revoked->now->class);
	put_string(e, FIELD_EVENT_ID, revoked->id);
	put_literal(e, FIELD_EVENT_KIND, "event");
	put_literals(e, FIELD_EVENT_CATEGORY, "\"network\",\"authentication\"");
	if (revoked->closed) {
		put_literals(e, FIELD_EVENT_TYPE, "\"connection\",\"end\"");
	} else {
		put_literals(e, FIELD_EVENT_TYPE, "\"connection\",\"info\"");
	}
	put_literal(e, FIELD_EVENT_ACTION, "connection-revoked");
	put_literal(e, FIELD_EVENT_OUTCOME, "failure");
	put_string(e, FIELD_EVENT_REASON, row->name);
	put_key(e, FIELD_EVENT_CODE);
	json_u64_text(&e->json, revoked->now->code);
	put_u64(e, FIELD_EVENT_SEVERITY,
	        row->severity > SEVERITY_LEAST ? row->severity : SEVERITY_LEAST);
	put_literal(e, FIELD_EVENT_DATASET, "tlscribe.connection");
	put_literal(e, FIELD_EVENT_MODULE, "tlscribe");
	json_close(&e->json, (struct json_mark){0}, '}');
}

static void write_revoked(struct encoder *e, const struct connection_revoked *revoked,
                          const struct handshake *hs)
{
	struct message message;
	struct ips ips;

	put_event(e, revoked);
	message_revoked(&message, revoked, hs);
	put_when_and_what(e, revoked->at_us, &message);
	put_observer(e, labels_of(e->from, hs->service));
	put_service(e, hs->service);
	ips_format(&ips, &hs->source, &hs->destination, &hs->peer);
	put_ends(e,
	         &(struct ends){
			 .source = &hs->source,
			 .destination = &hs->destination,
			 .protocol = "tls",
		 },
	         &ips);
	struct json_mark tls = open_object(e, "tls");
	struct json_mark client = open_object(e, "client");
	put_certificate(e, hs);
	close_object(e, client);
	close_object(e, tls);
	put_identity(e, hs, &ips);
	put_tlscribe(e, hs, &ips, revoked);
}

int event_encode_connection_revoked(struct buf *out, const struct event_source *from,
                                    const struct connection_revoked *revoked)
{
	BUG_IF(revoked->now->egress || revoked->now->policy_sha256 == NULL);

	struct handshake hs = *revoked->now;
	hs.end_us = revoked->at_us; /* days, ages and sentences are told from here */
	hs.client_hello_us = -1;
	hs.handshake_us = -1;
	hs.verify_us = -1;
	hs.hello = (struct hello){0};
	hs.tls = (struct negotiated){.alert_sent = -1, .alert_received = -1};
	hs.omitted_header_count = 0;

	struct encoder e;
	encoder_begin(&e, out, from);
	write_revoked(&e, revoked, &hs);
	if (encoder_plan(&e)) {
		write_revoked(&e, revoked, &hs);
	}
	return encoder_finish(&e);
}
