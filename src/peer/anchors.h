/* A compiled trust as the judge sees it. Private to peer/. Thread: immutable, read by every
 * worker. */
#pragma once

#include <stdbool.h>

#include "config/config.h"
#include "peer/arena.h"
#include "peer/cert.h"
#include "peer/hostname.h"
#include "peer/trust.h"

#define TRUST_SIGNATURES_MAX 1024 /* no service may allow more for one chain */

struct anchor {
	struct trust_anchor shown;
	struct cert cert;
};

struct anchor_set {
	struct anchor *items; /* in the order of the configuration, each certificate once */
	size_t count;
	size_t cap;
};

struct trust {
	struct anchor_set ca;
	const struct anchor **by_subject; /* of `ca`, sorted by the folded subject, then by order */
	struct anchor_set issuers;        /* one of these has to be in the path; none: whoever */
	struct arena arena;
	bool pinned; /* no path: the leaf is on an allow list, or it is nobody's */
	bool any_purpose;
	struct slice purpose; /* content of the OID; unset with any_purpose */
	enum profile profile;
	unsigned max_depth;
	bool servers;              /* of an upstream; else clients */
	struct hostname name;      /* of the server; HOSTNAME_NONE for clients */
	unsigned signature_checks; /* work that one chain may make; 1 to TRUST_SIGNATURES_MAX */
	unsigned name_comparisons; /* > 0 */
	uint8_t id[32];
};

/* The anchors with this subject (folded, as name_fold() does it): how many, and the first
 * of a row of pointers. */
size_t trust_find(const struct trust *trust, struct slice subject,
                  const struct anchor *const **first);
/* The anchor that is this very certificate; NULL. */
const struct anchor *trust_find_cert(const struct trust *trust, const struct cert *cert);

/* The same subject and key: a renewed or cross-signed certificate of the same CA. */
bool trust_is_same_ca(const struct cert *a, const struct cert *b);
/* Warns of CAs out of date or soon to be, of what is no CA or too weak, and of issuers that keep nobody out. */
void trust_warn(const struct trust *trust, const char *file, struct diag *diag);
/* Is this CA one of `issuers`? By subject and key, so that a renewed or cross-signed certificate of the same CA is the same. */
bool trust_is_issuer(const struct trust *trust, const struct cert *cert);

/* Reads every PEM CERTIFICATE block of one file into `set`; what they hang on goes into `arena`. What is wrong goes to
 * `diag` at `path`'s mark, and begins with `what` ("CA file"). E_INVALID and errors of files; E_NOMEM. */
int anchors_read(struct anchor_set *set, struct arena *arena, const struct config_text *path,
                 const char *what, const char *file, struct diag *diag);
void anchors_release(struct anchor_set *set);
