/* request and request-denied: what a client asked for within its connection. All strings are the
 * client's, whatever bytes it chose. */
#include "base/bug.h"
#include "event/encoder.h"
#include "event/event.h"
#include "event/message.h"
#include "event/parts.h"
#include "peer/classes.h"

/* Of a denial: one for another service's name may be somebody trying doors. */
static unsigned severity(enum denied_by by)
{
	switch (by) {
	case DENIED_BY_NOBODY:
		return 0;
	case DENIED_BY_AUTHORITY:
		return 5;
	case DENIED_BY_REQUEST:
		return 4;
	default:
		return 3;
	}
}

static void put_event(struct encoder *e, const struct request_event *request)
{
	put_string(e, FIELD_EVENT_ID, request->id);
	put_literal(e, FIELD_EVENT_KIND, "event");
	put_literals(e, FIELD_EVENT_CATEGORY, "\"network\",\"web\"");
	if (request->denied) {
		put_literals(e, FIELD_EVENT_TYPE, "\"access\",\"denied\"");
		put_literal(e, FIELD_EVENT_ACTION, "request-denied");
		put_literal(e, FIELD_EVENT_OUTCOME, "failure");
	} else {
		put_literals(e, FIELD_EVENT_TYPE, "\"access\",\"allowed\"");
		put_literal(e, FIELD_EVENT_ACTION, "request");
		put_string(e, FIELD_EVENT_OUTCOME,
		           request->status != 0 && !request->cut_off ? "success" : "unknown");
	}
	/* As the handshake's, if that is why. */
	put_string(e, FIELD_EVENT_REASON,
	           request->denied_by == DENIED_BY_VERIFY ? peer_class_row(request->class)->name
	                                                  : denied_by_name(request->denied_by));
	put_u64(e, FIELD_EVENT_SEVERITY, severity(request->denied_by));
	put_time(e, FIELD_EVENT_START, request->start_us);
	put_time(e, FIELD_EVENT_END, request->end_us);
	put_u64(e, FIELD_EVENT_DURATION, request->duration_ns);
	put_literal(e, FIELD_EVENT_DATASET, "tlscribe.request");
	put_literal(e, FIELD_EVENT_MODULE, "tlscribe");
	json_close(&e->json, (struct json_mark){0}, '}');
}

static void put_http(struct encoder *e, const struct request_event *request)
{
	struct json_mark http = open_object(e, "http");
	struct json_mark asked = open_object(e, "request");
	put_text(e, FIELD_HTTP_REQUEST_METHOD, request->method);
	struct json_mark body = open_object(e, "body");
	put_u64(e, FIELD_HTTP_REQUEST_BODY_BYTES, request->request_bytes);
	close_object(e, body);
	close_object(e, asked);
	if (request->status != 0) {
		struct json_mark response = open_object(e, "response");
		put_u64(e, FIELD_HTTP_RESPONSE_STATUS_CODE, request->status);
		body = open_object(e, "body");
		put_u64(e, FIELD_HTTP_RESPONSE_BODY_BYTES, request->response_bytes);
		close_object(e, body);
		close_object(e, response);
	}
	close_object(e, http);

	struct json_mark url = open_object(e, "url");
	put_text(e, FIELD_URL_DOMAIN, request->host);
	put_text(e, FIELD_URL_PATH, request->path);
	put_text(e, FIELD_URL_QUERY, request->query);
	close_object(e, url);
}

static void put_who(struct encoder *e, const struct request_event *request, const struct ips *ips)
{
	/* Never a rejected identity, whatever the caller says. */
	struct slice name = request->verified ? request->user_name : (struct slice){0};
	struct json_mark user = open_object(e, "user");
	put_text(e, FIELD_USER_NAME, name);
	if (request->verified) {
		put_texts(e, FIELD_USER_ROLES, request->roles, request->role_count);
	}
	close_object(e, user);

	struct json_mark related = open_object(e, "related");
	put_related_ips(e, ips);
	put_texts(e, FIELD_RELATED_USER, &name, 1);
	put_texts(e, FIELD_RELATED_HOSTS, &request->host, 1);
	close_object(e, related);
}

int event_encode_request(struct buf *out, const struct event_source *from,
                         const struct request_event *request)
{
	BUG_IF(request->denied != (request->denied_by != DENIED_BY_NOBODY));

	struct encoder e;
	struct ips ips;
	struct message message;
	encoder_begin(&e, out, from);
	put_event(&e, request);
	message_request(&message, request);
	put_when_and_what(&e, request->end_us, &message);
	put_observer(&e, labels_of(from, request->service));
	put_service(&e, request->service);
	ips_format(&ips, &request->source, &request->destination, &request->peer);
	put_ends(&e,
	         &(struct ends){
			 .source = &request->source,
			 .destination = &request->destination,
			 .server = request->upstream,
			 .protocol = "http",
		 },
	         &ips);
	put_http(&e, request);
	put_who(&e, request, &ips);
	struct json_mark tlscribe = open_object(&e, "tlscribe");
	put_log(&e);
	put_string(&e, FIELD_TLSCRIBE_CONNECTION, request->connection);
	put_peer(&e, &ips, &request->peer);
	put_string(&e, FIELD_TLSCRIBE_CLASS, peer_class_row(request->class)->name);
	put_bool(&e, FIELD_TLSCRIBE_VERIFIED, request->verified);
	if (request->denied) {
		put_string(&e, FIELD_TLSCRIBE_DENIED_BY, denied_by_name(request->denied_by));
		put_string(&e, FIELD_TLSCRIBE_DETAIL, request->detail);
	}
	put_truncated(&e);
	close_object(&e, tlscribe);
	return encoder_finish(&e);
}
