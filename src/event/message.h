/* The one sentence of an entry, for people. Only for event/. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "event/event.h"
#include "event/json.h"

/* Escaped text that grows up to what a string may have. */
struct message {
	size_t len;
	uint8_t text[JSON_TEXT_MAX];
};

void message_text(struct message *m, const char *text);
/* At most `max` encoded bytes of it; three dots stand for the rest. */
void message_bounded(struct message *m, struct slice text, size_t max);
void message_u64(struct message *m, uint64_t n);
/* "1 day", "3 days". */
void message_count(struct message *m, uint64_t n, const char *noun);

/* "partner-a: "; nothing where no service was chosen. */
void message_service(struct message *m, const struct event_service *service);
/* "partner-a: client certificate expired 3 days ago (CN=acme-7)"; of an egress handshake "back
 * end certificate ...". */
void message_handshake(struct message *m, const struct handshake *hs);
/* "partner-a: connection closed after a list changed: client certificate is on the deny list
 * (CN=acme-7)". `hs` is what is true now. */
void message_revoked(struct message *m, const struct connection_revoked *revoked,
                     const struct handshake *hs);
/* "partner-a: GET api.example/orders was answered with 200" */
void message_request(struct message *m, const struct request_event *request);
