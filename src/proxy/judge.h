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
#include "proxy/service.h"
#include "proxy/status.h"
#include "tls/session.h"

/* What a peer is judged by. */
struct judge {
	const struct service *service; /* with `desk` */
	const struct trust *trust;
	const struct lists *lists; /* of this trust; NULL: none */
	const struct policy *policy;
	struct peer_cache *cache;
	struct status_desk *desk;   /* asks for OCSP answers; NULL: nobody does */
	struct status_query *query; /* with `desk`: waits for one */
	bool patient; /* JUDGE_LATER rather than without an answer because too many are asked for already */
};

enum judge_step {
	JUDGE_DECIDED,
	JUDGE_WAITS, /* the query's `answered` will be called: then judge_answer() */
	JUDGE_LATER  /* nothing was decided: judge again in a while */
};

struct judged {
	bool verdict; /* the handshake now has a class of a judged certificate: park it like any other */
	enum peer_class class; /* else: what it ended with */
	const char *detail;
	int alert; /* that fits; -1: none */
};

/* Possession is proven: judges hs->chain, if there is one, and decides. Whom that lets in is asked about where the service wants an OCSP answer. */
enum judge_step judge_presented(struct handshake *hs, const struct judge *judge);
/* The answer that was waited for is there, or none is to be had (NULL, and why): judges and decides as of now, as dates, lists and the policy may have
 * changed meanwhile. Nobody is asked. */
void judge_answer(struct handshake *hs, const struct judge *judge, const struct ocsp_answer *answer,
                  const char *why);
/* The handshake is complete: judge what was presented, decide. On a resumed session to a server that is the chain of the
 * handshake it goes back to: the caller has put it there. */
enum judge_step judge_complete(struct handshake *hs, const struct judge *judge,
                               const struct tls_session *tls);
/* It failed: why? Certificates that GnuTLS could not work with, and failed proofs, are judged and denied here. */
struct judged judge_failure(struct handshake *hs, const struct judge *judge,
                            const struct tls_session *tls);
/* Ends with a class that needs no verdict. */
void judge_end(struct handshake *hs, enum peer_class class, const char *detail);
