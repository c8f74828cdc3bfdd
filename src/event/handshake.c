#include "event/handshake.h"

#include "base/bug.h"

const char *decision_name(enum decision decision)
{
	static const char *const names[DECISION_COUNT] = {
		[DECISION_DENY] = "deny",
		[DECISION_ALLOW] = "allow",
		[DECISION_ALLOW_TOLERATED] = "allow_tolerated",
		[DECISION_ALLOW_ANONYMOUS] = "allow_anonymous",
		[DECISION_ALLOW_UNVERIFIED] = "allow_unverified",
		[DECISION_QUARANTINE] = "quarantine",
	};
	BUG_IF(decision >= DECISION_COUNT);
	return names[decision];
}

const char *denied_by_name(enum denied_by by)
{
	static const char *const names[DENIED_BY_COUNT] = {
		[DENIED_BY_VERIFY] = "verify",   [DENIED_BY_HANDSHAKE] = "handshake",
		[DENIED_BY_LIMIT] = "limit",     [DENIED_BY_SHUTDOWN] = "shutdown",
		[DENIED_BY_ROUTE] = "route",     [DENIED_BY_AUTHORITY] = "authority",
		[DENIED_BY_REQUEST] = "request",
	};
	BUG_IF(by >= DENIED_BY_COUNT);
	return names[by];
}

const char *possession_name(enum possession possession)
{
	switch (possession) {
	case POSSESSION_PROVEN:
		return "proven";
	case POSSESSION_FAILED:
		return "failed";
	case POSSESSION_NOT_REACHED:
		return "not_reached";
	case POSSESSION_UNSET:
		break;
	}
	return NULL;
}
