#include "event/audit_entry.h"

#include "event/parts.h"

static void put_list_of_one(struct encoder *e, enum event_field field, const char *text)
{
	struct slice element = slice_text(text);
	put_texts(e, field, &element, 1);
}

void audit_open(struct encoder *e, struct audit_entry *entry)
{
	put_string(e, FIELD_EVENT_ID, entry->id);
	put_literal(e, FIELD_EVENT_KIND, "event");
	put_list_of_one(e, FIELD_EVENT_CATEGORY, entry->category);
	put_list_of_one(e, FIELD_EVENT_TYPE, entry->type);
	put_string(e, FIELD_EVENT_ACTION, entry->action);
	put_string(e, FIELD_EVENT_OUTCOME, entry->failed ? "failure" : "success");
	put_u64(e, FIELD_EVENT_SEVERITY, entry->severity);
	if (entry->has_span) {
		put_time(e, FIELD_EVENT_START, entry->from_us);
		put_time(e, FIELD_EVENT_END, entry->until_us);
	}
	put_literal(e, FIELD_EVENT_DATASET, "tlscribe.audit");
	put_literal(e, FIELD_EVENT_MODULE, "tlscribe");
	json_close(&e->json, (struct json_mark){0}, '}');
	put_when_and_what(e, entry->at_us, &entry->message);
	put_observer(e, e->from->labels);
	entry->tlscribe = open_object(e, "tlscribe");
	put_log(e);
}

void audit_open_details(struct encoder *e, struct audit_entry *entry)
{
	entry->audit = open_object(e, "audit");
}

int audit_close(struct encoder *e, struct audit_entry *entry)
{
	close_object(e, entry->audit);
	put_truncated(e);
	close_object(e, entry->tlscribe);
	return encoder_finish(e);
}
