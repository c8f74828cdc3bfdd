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

#define VERDICT_FINDINGS_MAX \
	32                  /* more than these: the gravest stay, and the last is limit_exceeded */
#define VERDICT_PATH_MAX 20 /* certificates of a path; no longer one is looked for */

struct finding {
	enum peer_class class;
	int depth; /* 0 leaf; position in the path, for a certificate outside of it in the chain */
	unsigned code; /* X509_V_ERR_ number or ours, by class and depth */
	int64_t at_s; /* expired: notAfter; not_yet_valid: notBefore; revoked: when it was; else 0 */
	const char *detail; /* a few words, static; NULL */
};

/* What is known of the leaf's revocation, and from where: evidence, also where nothing is wrong. */
enum revocation_source { REVOCATION_SOURCE_NONE, REVOCATION_SOURCE_CRL, REVOCATION_SOURCE_OCSP };
enum revocation_status { REVOCATION_GOOD, REVOCATION_REVOKED, REVOCATION_UNKNOWN };

#define REVOCATION_NUMBER_MAX 40 /* hexadecimal digits: RFC 5280 5.2.3 allows 20 octets */

struct revocation {
	enum revocation_source source; /* NONE: nobody was asked, or nobody knew; only status counts then */
	enum revocation_status status;
	bool checked; /* the service checks revocation; all else is unset without */
	char number[REVOCATION_NUMBER_MAX + 1]; /* CRL number, upper-case hexadecimal; "" : none */
	int64_t this_update_s;
	int64_t next_update_s; /* 0: none was given */
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
	struct revocation revocation;            /* of the leaf */
	unsigned signature_checks;               /* work that was done */
	unsigned name_comparisons;
};

struct verdict *verdict_ref(struct verdict *verdict);
/* Takes *verdict and leaves NULL there; NULL is fine. */
void verdict_unref(struct verdict **verdict);
