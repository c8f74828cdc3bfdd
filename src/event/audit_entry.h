/* The frame of every audit entry: what is around tlscribe.audit. Only for event/. */
#pragma once

#include "event/encoder.h"
#include "event/message.h"

struct audit_entry {
	const char *id;
	const char *action;
	const char *category; /* of ECS: "process", "configuration", "network" */
	const char *type;     /* "start", "end", "info", "change", "denied" */
	bool failed;          /* event.outcome */
	unsigned severity;
	int64_t at_us;
	int64_t from_us, until_us; /* event.start and .end, if `has_span` */
	bool has_span;
	struct message message;
	struct json_mark tlscribe; /* set by audit_open(), */
	struct json_mark audit;    /* by whoever opens tlscribe.audit */
};

/* Everything up to tlscribe.boot; tlscribe stays open. */
void audit_open(struct encoder *e, struct audit_entry *entry);
/* Opens tlscribe.audit. */
void audit_open_details(struct encoder *e, struct audit_entry *entry);
/* Closes both and the line. E_OK, or as encoder_finish(). */
int audit_close(struct encoder *e, struct audit_entry *entry);
