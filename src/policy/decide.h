/* Mode + verdict + tolerance -> decision (design: section 4, modes). Pure.
 *
 * Thread: any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "event/handshake.h"
#include "policy/tolerate.h"

struct policy {
	enum verify_mode verify;
	const struct tolerate *tolerate; /* NULL: nothing is tolerated */
	bool quarantine;                 /* the service has one for those whom it would deny */
};

/* Sets class, code, decision, denied_by, tolerated, verified of a handshake that was completed,
 * from its requested, presented, possession, chain and verdict (verdict is NULL when nothing was
 * presented). now_s: seconds since 1970 UTC.
 *
 *   nothing presented:  none: not_requested, allow_anonymous; required: deny by `verify`;
 *                       optional, passthrough: allow_anonymous
 *   limit_exceeded:     deny by `limit`, in every mode
 *   ok:                 allow, verified
 *   optional, required: all findings tolerated: allow_tolerated; else deny by `verify`, as for a
 *                       certificate that was not checked
 *   passthrough:        allow_unverified; `tolerate` is not looked at
 *
 * With `quarantine` what would be denied by `verify` becomes quarantine; a limit denies still.
 *
 * The class stays what it is, tolerated or not. */
void policy_decide(struct handshake *hs, const struct policy *policy, int64_t now_s);
/* The same for a handshake that ended early with `class`; always deny, for a quarantine takes
 * nobody whose handshake was not completed. A class of a judged
 * certificate (malformed_certificate, possession_failed, unsupported_key) is denied by `verify`,
 * limit_exceeded by `limit`, shutdown by `shutdown`, others by `handshake`. `detail` is static
 * or NULL. */
void policy_end(struct handshake *hs, enum peer_class class, const char *detail);
/* The TLS alert for hs->class in this TLS version; -1: none. 116 exists in 1.3 only (40 in 1.2). */
int policy_alert(enum peer_class class, enum tls_version version);
/* The alert that a service shows in place of `alert`, which is policy_alert()'s or the TLS library's:
 * ALERT_GENERIC makes one of all, handshake_failure, so that no client learns by it which fault was
 * found. -1 (none) stays. Not for handshakes with back ends, nor before the service is known. */
int policy_alert_shown(enum alert_mode mode, int alert);
