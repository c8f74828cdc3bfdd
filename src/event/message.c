#include "event/message.h"

#include "event/certificate.h"
#include "peer/classes.h"

#define SERVICE_MAX 128 /* encoded bytes of a service's name, */
#define SHOWN_MAX 256   /* and of a subject, server name or path: the whole is in its own field */
#define METHOD_MAX 32
#define DAY_S 86400

void message_text(struct message *m, const char *text)
{
	size_t used;
	m->len += json_escape(m->text + m->len, sizeof(m->text) - m->len, slice_text(text), &used);
}

void message_bounded(struct message *m, struct slice text, size_t max)
{
	size_t room = sizeof(m->text) - m->len;
	size_t used;
	m->len += json_escape(m->text + m->len, max < room ? max : room, text, &used);
	if (used < text.len) {
		message_text(m, "...");
	}
}

void message_u64(struct message *m, uint64_t n)
{
	char text[21];
	char *at = text + sizeof(text) - 1;
	*at = '\0';
	do {
		*--at = (char)('0' + n % 10);
		n /= 10;
	} while (n != 0);
	message_text(m, at);
}

void message_count(struct message *m, uint64_t n, const char *noun)
{
	message_u64(m, n);
	message_text(m, " ");
	message_text(m, noun);
	if (n != 1) {
		message_text(m, "s");
	}
}

void message_service(struct message *m, const struct event_service *service)
{
	if (service != NULL && service->name != NULL) {
		message_bounded(m, slice_text(service->name), SERVICE_MAX);
		message_text(m, ": ");
	}
}

/* "client certificate", or which one above it: of an issuer it must not be said that it is the
 * client's. */
static void certificate_at(struct message *m, int depth, bool egress)
{
	if (depth == 0) {
		message_text(m, egress ? "back end certificate" : "client certificate");
	} else {
		message_text(m, "issuing certificate ");
		message_u64(m, (uint64_t)depth);
	}
}

static void whole_days(struct message *m, int64_t seconds)
{
	if (seconds < DAY_S) {
		message_text(m, "less than a day");
	} else {
		message_count(m, (uint64_t)(seconds / DAY_S), "day");
	}
}

/* What is wrong with the dates of the primary finding's certificate; false: nothing that a
 * number of days could tell. */
static bool wrong_dates(struct message *m, const struct handshake *hs)
{
	const struct verdict *verdict = hs->verdict;
	int64_t now_s = hs->end_us / 1000000;
	const struct finding *first = &verdict->findings[0];
	if (verdict->finding_count == 0 || first->at_s == 0) {
		return false;
	}
	int64_t at_s = encoder_us(first->at_s) / 1000000;
	if (first->class == CLASS_EXPIRED && at_s < now_s) {
		certificate_at(m, first->depth, hs->egress);
		message_text(m, " expired ");
		whole_days(m, now_s - at_s);
		message_text(m, " ago");
		return true;
	}
	if (first->class == CLASS_NOT_YET_VALID && at_s > now_s) {
		certificate_at(m, first->depth, hs->egress);
		message_text(m, " becomes valid only in ");
		whole_days(m, at_s - now_s);
		return true;
	}
	/* Of a revocation, when it was. */
	if (first->class == CLASS_REVOKED && at_s <= now_s) {
		certificate_at(m, first->depth, hs->egress);
		message_text(m, " was revoked ");
		whole_days(m, now_s - at_s);
		message_text(m, " ago");
		return true;
	}
	return false;
}

static void fault(struct message *m, const struct handshake *hs)
{
	const char *leaf = hs->egress ? "the back end certificate" : "the client certificate";
	const char *text = peer_class_sentence(hs->class, hs->egress);
	if (hs->verdict != NULL && wrong_dates(m, hs)) {
		return;
	}
	if (hs->verdict != NULL && hs->verdict->depth > 0 && strncmp(text, leaf, strlen(leaf)) == 0) {
		certificate_at(m, hs->verdict->depth, hs->egress);
		message_text(m, text + strlen(leaf));
	} else {
		message_text(m, strncmp(text, "the ", 4) == 0 ? text + 4 : text);
	}
}

/* The fault and a few words more, if there are some. */
static void fault_and_detail(struct message *m, const struct handshake *hs)
{
	const char *detail = hs->detail;
	if (hs->verdict != NULL) {
		detail = hs->verdict->finding_count > 0 ? hs->verdict->findings[0].detail : NULL;
	}
	fault(m, hs);
	if (detail != NULL) {
		message_text(m, ": ");
		message_text(m, detail);
	}
}

/* " (CN=acme-7)": whom it is about. */
static void whom(struct message *m, const struct handshake *hs)
{
	const struct cert *leaf = certificate_leaf(hs);
	if (leaf != NULL) {
		struct slice name = certificate_common_name(&leaf->subject);
		if (name.len > 0) {
			message_text(m, " (CN=");
			message_bounded(m, name, SHOWN_MAX);
			message_text(m, ")");
		} else if (leaf->subject.text.len > 0) {
			message_text(m, " (");
			message_bounded(m, leaf->subject.text, SHOWN_MAX);
			message_text(m, ")");
		}
	} else if ((hs->egress || hs->class == CLASS_UNKNOWN_SERVER_NAME) &&
	           hs->hello.has_server_name) {
		message_text(m, " (");
		message_bounded(m, slice_of(hs->hello.server_name, hs->hello.server_name_len),
		                SHOWN_MAX);
		message_text(m, ")");
	}
}

void message_handshake(struct message *m, const struct handshake *hs)
{
	m->len = 0;
	message_service(m, hs->service);
	fault_and_detail(m, hs);
	if (hs->decision == DECISION_ALLOW_TOLERATED) {
		message_text(m, ", tolerated");
	} else if (hs->decision == DECISION_ALLOW_UNVERIFIED && hs->class != CLASS_NOT_CHECKED) {
		message_text(m, ", let through");
	} else if (hs->decision == DECISION_QUARANTINE) {
		message_text(m, ", quarantined");
	}
	whom(m, hs);
}

static const char *cause_text(const char *cause)
{
	static const struct {
		const char *cause;
		const char *text;
	} causes[] = {
		{"date", "a date passed"},
		{"list", "a list changed"},
		{"policy", "the policy changed"},
		{"removed", "its service was removed"},
	};
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		if (strcmp(cause, causes[i].cause) == 0) {
			return causes[i].text;
		}
	}
	return cause;
}

void message_revoked(struct message *m, const struct connection_revoked *revoked,
                     const struct handshake *hs)
{
	m->len = 0;
	message_service(m, hs->service);
	message_text(m, revoked->closed ? "connection closed after " : "connection goes on after ");
	message_text(m, cause_text(revoked->cause));
	/* Of a service that is gone its cause says it all. */
	if (strcmp(revoked->cause, "removed") != 0) {
		message_text(m, ": ");
		fault_and_detail(m, hs);
	}
	whom(m, hs);
}

/* "GET api.example/orders", or as much of it as the client said. */
static void asked(struct message *m, const struct request_event *request)
{
	if (request->method.len == 0) {
		message_text(m, "a request");
	} else {
		message_bounded(m, request->method, METHOD_MAX);
	}
	if (request->host.len > 0 || request->path.len > 0) {
		message_text(m, request->method.len == 0 ? " for " : " ");
		message_bounded(m, request->host, SHOWN_MAX);
		message_bounded(m, request->path, SHOWN_MAX);
	}
}

void message_request(struct message *m, const struct request_event *request)
{
	m->len = 0;
	message_service(m, request->service);
	asked(m, request);
	if (request->denied) {
		message_text(m, " was denied");
	} else if (request->status != 0) {
		message_text(m, " was answered");
	} else {
		message_text(m, " got no answer");
	}
	if (request->status != 0) {
		message_text(m, " with ");
		message_u64(m, request->status);
	}
	if (request->cut_off) {
		message_text(m, ", which broke off");
	}
	if (request->denied && request->detail != NULL) {
		message_text(m, ": ");
		message_bounded(m, slice_text(request->detail), SHOWN_MAX);
	}
}
