#include "event/encoder.h"
#include "event/event.h"
#include "event/message.h"
#include "event/parts.h"

#define SEVERITY_FAILED 3

static void put_event(struct encoder *e, const struct connection_end *end)
{
	put_string(e, FIELD_EVENT_ID, end->id);
	put_literal(e, FIELD_EVENT_KIND, "event");
	put_literals(e, FIELD_EVENT_CATEGORY, "\"network\"");
	put_literals(e, FIELD_EVENT_TYPE, "\"connection\",\"end\"");
	put_literal(e, FIELD_EVENT_ACTION, "connection-end");
	put_string(e, FIELD_EVENT_OUTCOME, end->failed ? "failure" : "success");
	put_u64(e, FIELD_EVENT_SEVERITY, end->failed ? SEVERITY_FAILED : 0);
	put_time(e, FIELD_EVENT_START, end->start_us);
	put_time(e, FIELD_EVENT_END, end->end_us);
	put_u64(e, FIELD_EVENT_DURATION, end->duration_ns);
	put_literal(e, FIELD_EVENT_DATASET, "tlscribe.connection");
	put_literal(e, FIELD_EVENT_MODULE, "tlscribe");
	json_close(&e->json, (struct json_mark){0}, '}');
}

int event_encode_connection_end(struct buf *out, const struct event_source *from,
                                const struct connection_end *end)
{
	struct encoder e;
	struct ips ips;
	struct message message = {.len = 0};

	encoder_begin(&e, out, from);
	put_event(&e, end);
	message_service(&message, end->service);
	message_text(&message, end->sentence);
	put_when_and_what(&e, end->end_us, &message);
	put_observer(&e, labels_of(from, end->service));
	put_service(&e, end->service);
	ips_format(&ips, &end->source, &end->destination, &end->peer);
	put_ends(&e,
	         &(struct ends){
			 .source = &end->source,
			 .destination = &end->destination,
			 .counted = true,
			 .source_bytes = end->source_bytes,
			 .destination_bytes = end->destination_bytes,
		 },
	         &ips);
	struct json_mark related = open_object(&e, "related");
	put_related_ips(&e, &ips);
	close_object(&e, related);
	struct json_mark tlscribe = open_object(&e, "tlscribe");
	put_log(&e);
	put_string(&e, FIELD_TLSCRIBE_CONNECTION, end->connection);
	put_peer(&e, &ips, &end->peer);
	put_string(&e, FIELD_TLSCRIBE_CLOSE_REASON, end->close_reason);
	put_truncated(&e);
	close_object(&e, tlscribe);
	return encoder_finish(&e);
}
