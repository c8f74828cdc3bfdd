#include "event/audit_entry.h"
#include "event/event.h"

#define CAUSE_MAX 256 /* encoded bytes of it in a message; the whole is in tlscribe.audit.reason */

static const char *last_stop(const struct audit_start *a)
{
	if (a->first) {
		return "none";
	}
	return a->last_stop_clean ? "clean" : "unclean";
}

int event_encode_audit_start(struct buf *out, const struct event_source *from, const char *id,
                             const struct audit_start *a)
{
	struct encoder e;
	bool unclean = !a->first && !a->last_stop_clean;
	struct audit_entry entry = {
		.id = id,
		.action = "audit.start",
		.category = "process",
		.type = "start",
		.severity = unclean ? 5 : 1,
		.at_us = a->at_us,
	};
	message_text(&entry.message, "tlscribe ");
	message_bounded(&entry.message, slice_text(a->version), CAUSE_MAX);
	message_text(&entry.message, " started with ");
	message_count(&entry.message, a->workers, "worker");
	message_text(&entry.message, a->first  ? ", its journal is new"
	                             : unclean ? ", the last stop was not clean"
	                                       : ", the last stop was clean");
	encoder_begin(&e, out, from);
	audit_open(&e, &entry);
	audit_open_details(&e, &entry);
	put_string(&e, FIELD_TLSCRIBE_AUDIT_VERSION, a->version);
	put_string(&e, FIELD_TLSCRIBE_AUDIT_LAST_STOP, last_stop(a));
	put_u64(&e, FIELD_TLSCRIBE_AUDIT_RECOVERED_ENTRIES, a->recovered_entries);
	put_u64(&e, FIELD_TLSCRIBE_AUDIT_TORN_BYTES, a->torn_bytes);
	put_u64(&e, FIELD_TLSCRIBE_AUDIT_WORKERS, a->workers);
	put_i64(&e, FIELD_TLSCRIBE_AUDIT_PID, a->pid);
	return audit_close(&e, &entry);
}

int event_encode_audit_stop(struct buf *out, const struct event_source *from, const char *id,
                            const struct audit_stop *a)
{
	struct encoder e;
	struct audit_entry entry = {
		.id = id,
		.action = "audit.stop",
		.category = "process",
		.type = "end",
		.severity = a->open_connections > 0 ? 3 : 1,
		.at_us = a->at_us,
	};
	message_text(&entry.message, "tlscribe stopped (");
	message_bounded(&entry.message, slice_text(a->reason), CAUSE_MAX);
	message_text(&entry.message, ") after ");
	message_count(&entry.message, a->handshakes, "handshake");
	if (a->open_connections > 0) {
		message_text(&entry.message, ", ");
		message_count(&entry.message, a->open_connections, "connection");
		message_text(&entry.message, " cut off");
	}
	encoder_begin(&e, out, from);
	audit_open(&e, &entry);
	audit_open_details(&e, &entry);
	put_string(&e, FIELD_TLSCRIBE_AUDIT_REASON, a->reason);
	put_u64(&e, FIELD_TLSCRIBE_AUDIT_OPEN_CONNECTIONS, a->open_connections);
	put_u64(&e, FIELD_TLSCRIBE_AUDIT_HANDSHAKES, a->handshakes);
	return audit_close(&e, &entry);
}

int event_encode_audit_heartbeat(struct buf *out, const struct event_source *from, const char *id,
                                 const struct audit_heartbeat *a)
{
	struct encoder e;
	struct audit_entry entry = {
		.id = id,
		.action = "audit.heartbeat",
		.category = "process",
		.type = "info",
		.at_us = a->at_us,
	};
	message_text(&entry.message, "tlscribe is up with ");
	message_count(&entry.message, a->connections, "connection");
	message_text(&entry.message, ", ");
	message_count(&entry.message, a->handshakes, "handshake");
	message_text(&entry.message, " so far");
	encoder_begin(&e, out, from);
	audit_open(&e, &entry);
	audit_open_details(&e, &entry);
	put_u64(&e, FIELD_TLSCRIBE_AUDIT_CONNECTIONS, a->connections);
	put_u64(&e, FIELD_TLSCRIBE_AUDIT_HANDSHAKES, a->handshakes);
	put_u64(&e, FIELD_TLSCRIBE_AUDIT_REFUSED, a->refused);
	return audit_close(&e, &entry);
}

int event_encode_audit_gap(struct buf *out, const struct event_source *from, const char *id,
                           const struct audit_gap *a)
{
	struct encoder e;
	struct audit_entry entry = {
		.id = id,
		.action = "audit.gap",
		.category = "network",
		.type = "denied",
		.failed = true,
		.severity = 8,
		.at_us = a->at_us,
		.from_us = a->from_us,
		.until_us = a->until_us,
		.has_span = true,
	};
	message_count(&entry.message, a->count, "connection");
	message_text(&entry.message,
	             " closed at accept because the journal could not be written: ");
	message_bounded(&entry.message, slice_text(a->cause), CAUSE_MAX);
	encoder_begin(&e, out, from);
	audit_open(&e, &entry);
	audit_open_details(&e, &entry);
	put_string(&e, FIELD_TLSCRIBE_AUDIT_REASON, a->cause);
	put_u64(&e, FIELD_TLSCRIBE_AUDIT_COUNT, a->count);
	return audit_close(&e, &entry);
}
