/* From what the TLS session found to class, verdict and decision in struct handshake.
 *
 * Thread: the connection's worker. */
#pragma once

#include <stdbool.h>

#include "event/handshake.h"
#include "peer/cache.h"
#include "peer/lists.h"
#include "peer/trust.h"
#include "policy/decide.h"
#include "tls/session.h"

/* What a peer is judged by. */
struct judge {
	const struct trust *trust;
	const struct lists *lists; /* of this trust; NULL: none */
	const struct policy *policy;
	struct peer_cache *cache;
};

struct judged {
	bool verdict; /* the handshake now has a class of a judged certificate: park it like any other */
	enum peer_class class; /* else: what it ended with */
	const char *detail;
	int alert; /* that fits; -1: none */
};

/* The handshake is complete: judge what was presented, decide. On a resumed session to a server that is the chain of the
 * handshake it goes back to: the caller has put it there. */
void judge_complete(struct handshake *hs, const struct judge *judge, const struct tls_session *tls);
/* It failed: why? Certificates that GnuTLS could not work with, and failed proofs, are judged and denied here. */
struct judged judge_failure(struct handshake *hs, const struct judge *judge,
                            const struct tls_session *tls);
/* Ends with a class that needs no verdict. */
void judge_end(struct handshake *hs, enum peer_class class, const char *detail);
