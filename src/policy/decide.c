#include "policy/decide.h"

#include "base/bug.h"
#include "peer/classes.h"

enum { ALERT_HANDSHAKE_FAILURE = 40, ALERT_CERTIFICATE_REQUIRED = 116 };

static void deny(struct handshake *hs, enum denied_by by)
{
	hs->decision = DECISION_DENY;
	hs->denied_by = by;
}

/* Who did not pass: out, or where the service wants to have them. */
static void refuse(struct handshake *hs, const struct policy *policy)
{
	if (policy->quarantine) {
		hs->decision = DECISION_QUARANTINE;
	} else {
		deny(hs, DENIED_BY_VERIFY);
	}
}

static void decide_absent(struct handshake *hs, const struct policy *policy)
{
	enum verify_mode verify = policy->verify;
	hs->class = verify == VERIFY_NONE ? CLASS_NOT_REQUESTED : CLASS_NO_CERTIFICATE;
	hs->code = peer_class_row(hs->class)->code_leaf;
	if (verify == VERIFY_REQUIRED) {
		refuse(hs, policy);
	} else {
		hs->decision = DECISION_ALLOW_ANONYMOUS;
	}
}

static bool all_tolerated(const struct handshake *hs)
{
	for (size_t i = 0; i < hs->verdict->finding_count; i++) {
		if ((hs->tolerated & (UINT32_C(1) << i)) == 0) {
			return false;
		}
	}
	return hs->verdict->finding_count > 0;
}

static void decide_presented(struct handshake *hs, const struct policy *policy, int64_t now_s)
{
	hs->class = hs->verdict->class;
	hs->code = hs->verdict->code;
	if (hs->class == CLASS_LIMIT_EXCEEDED) {
		/* Nothing is known of the certificate: not even passthrough or a quarantine has a
		 * verdict to hand on. */
		deny(hs, DENIED_BY_LIMIT);
		return;
	}
	if (hs->class == CLASS_OK) {
		hs->decision = DECISION_ALLOW;
		hs->verified = true;
		return;
	}
	if (policy->verify == VERIFY_PASSTHROUGH) {
		hs->decision = DECISION_ALLOW_UNVERIFIED;
		return;
	}
	hs->tolerated =
		policy->tolerate == NULL ? 0 : tolerate_match(policy->tolerate, hs->verdict, now_s);
	if (all_tolerated(hs)) {
		hs->decision = DECISION_ALLOW_TOLERATED;
	} else {
		refuse(hs, policy);
	}
}

static void clear(struct handshake *hs)
{
	hs->detail = NULL;
	hs->denied_by = DENIED_BY_NOBODY;
	hs->tolerated = 0;
	hs->verified = false;
}

void policy_decide(struct handshake *hs, const struct policy *policy, int64_t now_s)
{
	/* A certificate without a verdict, or one whose key was not proven, must never come to a
	 * decision. */
	BUG_IF(hs->presented != (hs->verdict != NULL));
	BUG_IF(hs->presented && hs->possession != POSSESSION_PROVEN);
	BUG_IF(hs->presented && policy->verify == VERIFY_NONE);

	clear(hs);
	if (hs->presented) {
		decide_presented(hs, policy, now_s);
	} else {
		decide_absent(hs, policy);
	}
}

void policy_end(struct handshake *hs, enum peer_class class, const char *detail)
{
	clear(hs);
	hs->class = class;
	hs->code = peer_class_row(class)->code_leaf;
	if (hs->verdict != NULL && hs->verdict->class == class) {
		hs->code = hs->verdict->code;
	}
	hs->detail = detail;
	if (class < CLASS_NO_CERTIFICATE) {
		deny(hs, DENIED_BY_VERIFY);
	} else if (class == CLASS_LIMIT_EXCEEDED) {
		deny(hs, DENIED_BY_LIMIT);
	} else if (class == CLASS_SHUTDOWN) {
		deny(hs, DENIED_BY_SHUTDOWN);
	} else {
		deny(hs, DENIED_BY_HANDSHAKE);
	}
}

int policy_alert(enum peer_class class, enum tls_version version)
{
	unsigned alert = peer_class_row(class)->alert;
	if (alert == 0) {
		return -1;
	}
	/* RFC 8446 6.2: certificate_required is new in 1.3; before, RFC 5246 7.4.6 has
	 * handshake_failure. */
	if (alert == ALERT_CERTIFICATE_REQUIRED && version != TLS_VERSION_1_3) {
		return ALERT_HANDSHAKE_FAILURE;
	}
	return (int)alert;
}

int policy_alert_shown(enum alert_mode mode, int alert)
{
	/* RFC 8446 6.2: handshake_failure says that no acceptable set of parameters was to be had. */
	return alert >= 0 && mode == ALERT_GENERIC ? ALERT_HANDSHAKE_FAILURE : alert;
}
