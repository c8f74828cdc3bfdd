/* The verdict of a live connection stays true: it is judged again when a date passes, a CRL or a list changes, or the policy does.
 *
 * A connection keeps of its handshake what it takes: the presented chain, what it was let in with, and how long that holds. It is judged as
 * a handshake would be that comes now: by the service of its name in the policy in force. Whom that would deny, or would no longer
 * call verified, is revoked: a connection-revoked event, and with `on_change: close` the alert of its class and the end.
 *
 * A change of the policy looks at every connection, a slice at a time so that nobody waits for it; dates are looked at once a second. What
 * changes during a sweep makes another one of everybody, behind it: however often something changes, each connection has its turn.
 *
 * Thread: the shard's worker. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "event/handshake.h"

struct conn;
struct shard;

struct live {
	struct chain *chain; /* a reference; NULL: nothing was presented, or nobody was let in */
	enum decision decision;
	bool verified;
	bool requested;
	bool told;      /* on_change: log: it was said, once is enough */
	bool behind;    /* let in by a policy that another one had replaced during the handshake */
	uint64_t epoch; /* of the policy that it was judged by last */
	uint64_t asked_epoch; /* of the one by which an OCSP answer is waited for */
	enum tls_version version;
	int64_t holds_from_s; /* the decision is the same for every second in [holds_from_s, holds_until_s) */
	int64_t holds_until_s;
};

/* What a shard needs for it. Zeroed, then live_start(). */
struct live_sweep {
	struct conn *next; /* whom to look at next; NULL: nothing to do */
	const char *cause; /* of the sweep */
	const char *again; /* everybody once more, for this cause, when it is through; NULL: no */
	int64_t from_s, until_s; /* outside of it some connection's decision may change */
};

/* The handshake of an allowed connection is over: keeps what is needed. Before the handshake is freed. */
void live_begin(struct conn *c, const struct handshake *hs);
/* The connection goes: lets go of all. */
void live_end(struct conn *c);
/* The shard has another snapshot: looks at everybody. `cause`: "list" or "policy". */
void live_policy_changed(struct shard *s, const char *cause);
/* Starts the timers. */
void live_start(struct shard *s);
void live_stop(struct shard *s);
