/* What peer/ found out about a presented chain: every fault with its depth, and the one class that
 * counts first.
 *
 * Immutable once made, counted, shared by cache and handshakes of one worker. Tolerance is not
 * part of it: policy/decide.h says which findings were tolerated. Thread: the worker that made
 * it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peer/classes.h"

#define VERDICT_FINDINGS_MAX 32 /* more than these: the gravest stay */
#define VERDICT_PATH_MAX 20     /* certificates of a path; no longer one is looked for */

struct finding {
	enum peer_class class;
	int depth; /* 0 leaf; position in the path, for a certificate outside of it in the chain */
	unsigned code; /* X509_V_ERR_ number or ours, by class and depth */
	int64_t at_s; /* expired: notAfter; not_yet_valid: notBefore, of that certificate; else 0 */
	const char *detail; /* a few words, static; NULL */
};

struct path_step {
	char *subject; /* RFC 4514 text as in dn.text, owned by the verdict */
	uint8_t sha256[32];
};

struct verdict {
	unsigned refs;
	enum peer_class class; /* primary: the lowest of the findings, else CLASS_OK, CLASS_NOT_CHECKED */
	unsigned code;         /* of the primary finding, else of the class */
	int depth;             /* of the primary finding, else 0 */
	size_t finding_count;
	struct finding findings[VERDICT_FINDINGS_MAX]; /* sorted by class, then depth; one of each class and depth */
	/* The verdict is the same for every second in [holds_from_s, holds_until_s). */
	int64_t holds_from_s;
	int64_t holds_until_s;
	size_t path_count;                       /* 0: no path to an anchor */
	struct path_step path[VERDICT_PATH_MAX]; /* leaf to anchor; with findings: the path that has them */
	char *anchor_file;                       /* the CA file that the anchor came from; NULL */
	unsigned signature_checks;               /* work that was done */
};

struct verdict *verdict_ref(struct verdict *verdict);
/* Takes *verdict and leaves NULL there; NULL is fine. */
void verdict_unref(struct verdict **verdict);
