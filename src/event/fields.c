#include "event/fields.h"

#include "base/bug.h"

/* The short words of fields.def. */
enum {
	I = FIELD_INDEXED,
	ECS = FIELD_ECS,
	RESERVED = FIELD_RESERVED,
	UNCUT = FIELD_UNCUT,
	H = 1 << ACTION_TLS_HANDSHAKE,
	E = 1 << ACTION_CONNECTION_END,
	AS = 1 << ACTION_AUDIT_START,
	AP = 1 << ACTION_AUDIT_STOP,
	AH = 1 << ACTION_AUDIT_HEARTBEAT,
	AC = 1 << ACTION_AUDIT_CONFIG,
	AG = 1 << ACTION_AUDIT_GAP,
	RD = 1 << ACTION_REQUEST_DENIED,
	R = 1 << ACTION_REQUEST | RD,
	V = 1 << ACTION_CONNECTION_REVOKED,
	S = 1 << ACTION_CERTIFICATE_SEEN,
	ALL = (1 << ACTION_COUNT) - 1,
};

static const struct field_row rows[] = {
#define FIELD(symbol, parent, name, type, flags, actions, required, ocsf, cef, doc) \
	{parent name, name, FIELD_TYPE_##type, flags, actions, required, ocsf, cef, doc},
#include "event/fields.def"
#undef FIELD
};

static const char *const actions[ACTION_COUNT] = {
	[ACTION_TLS_HANDSHAKE] = "tls-handshake",
	[ACTION_REQUEST] = "request",
	[ACTION_REQUEST_DENIED] = "request-denied",
	[ACTION_CONNECTION_END] = "connection-end",
	[ACTION_AUDIT_START] = "audit.start",
	[ACTION_AUDIT_STOP] = "audit.stop",
	[ACTION_AUDIT_HEARTBEAT] = "audit.heartbeat",
	[ACTION_AUDIT_CONFIG] = "audit.config",
	[ACTION_AUDIT_GAP] = "audit.gap",
	[ACTION_CONNECTION_REVOKED] = "connection-revoked",
	[ACTION_CERTIFICATE_SEEN] = "certificate-seen",
};

const struct field_row *field_row(enum event_field field)
{
	BUG_IF(field >= FIELD_COUNT);
	return &rows[field];
}

enum event_field field_by_path(struct slice path)
{
	for (int i = 0; i < FIELD_COUNT; i++) {
		if (slice_equal(path, slice_text(rows[i].path))) {
			return (enum event_field)i;
		}
	}
	return FIELD_COUNT;
}

const char *action_name(enum event_action action)
{
	BUG_IF(action >= ACTION_COUNT);
	return actions[action];
}

enum event_action action_by_name(const char *name)
{
	for (int i = 0; i < ACTION_COUNT; i++) {
		if (strcmp(actions[i], name) == 0) {
			return (enum event_action)i;
		}
	}
	return ACTION_COUNT;
}
