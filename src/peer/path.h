/* From the leaf to an anchor: the search for a path among what was presented and what is trusted.
 * Private to peer/.
 *
 * Any order, duplicates and unrelated certificates are fine (RFC 8446 4.4.2); cross-signed CAs are
 * tried one after the other. Issuer and subject are linked by the folded name (name_fold()), key
 * identifiers only say whom to try first (RFC 5280 4.2.1.1: a hint). The first path without a fault
 * is taken, else the one with the mildest faults.
 *
 * Everything that can be wrong with a path counts when paths are compared: its certificates, the issuers that the service
 * asks for, denied and revoked CAs. What is wrong with the leaf whatever the path (names, lists) is left to classify.c: no
 * other path would make it good.
 *
 * Work is bounded, since a stranger chooses the certificates: the trust says how many signatures are
 * verified, those of CRLs among them, and names compared; PATH_STEPS_MAX certificates are visited. Thread: one
 * worker. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "peer/anchors.h"
#include "peer/cert.h"
#include "peer/findings.h"
#include "peer/lists.h"

#define PATH_STEPS_MAX 256

struct path {
	size_t count;
	const struct cert *certs[VERDICT_PATH_MAX]; /* leaf first */
	const struct anchor *anchor; /* of the last one; NULL: it leads to no anchor */
	struct findings findings;
	struct revocation revocation; /* of the leaf */
};

struct path_result {
	bool limited;     /* the work was too much; `best` is worth nothing then */
	struct path best; /* anchored, or as far as it went, with the reason among its findings */
	int64_t holds_from_s;
	int64_t holds_until_s;
	unsigned signature_checks; /* set in any case */
	unsigned name_comparisons;
};

/* The leaf has to be parsed; others that are not are passed over. `lists` may be NULL. */
void path_search(struct path_result *out, const struct trust *trust, const struct lists *lists,
                 const struct chain *chain, int64_t now_s);
