/* Is a certificate of this path revoked, as far as CRLs tell? RFC 5280 6.3. Private to peer/.
 *
 * For each certificate of the scope (leaf, or every one below the anchor) the CRLs of its issuer's name are looked at whose signature is the
 * issuer's own: by the very key of the path. One is current from thisUpdate until nextUpdate; one without a nextUpdate
 * stays current. Revoked by any of them, current, strong and about this certificate or not, is revoked (`removeFromCRL` is for deltas alone), and so
 * where the issuer's certificate does not let it sign CRLs. That it is not takes one that is current, covers the certificate (crl_covers()),
 * of an issuer that may sign it and of a strength that the profile takes; without such a one it is `revocation_unknown` with `hard`, and nothing with `soft`. Codes of that, as OpenSSL numbers them: 12 the CRL has expired, 11
 * it is not yet valid, 8 its signature is wrong or too weak, 35 the issuer may not sign CRLs, 44 it covers others, 3 there is none.
 *
 * The anchor is never checked, so neither is a leaf that is its own anchor.
 *
 * Thread: one worker. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peer/cert.h"
#include "peer/crl.h"
#include "peer/findings.h"
#include "peer/verdict.h"

struct revocation_check {
	enum revocation_mode mode;
	enum revocation_scope scope;
	enum profile profile;
	struct crl *const *crls; /* sorted by the bytes of the issuer's Name (crl_compare) */
	size_t crl_count;
};

/* The order of `crls`: by issuer, the newest thisUpdate first. For qsort over struct crl *. */
int crl_compare(const void *a, const void *b);

/* Adds what it finds to `findings`, tells of the leaf in `told`, and narrows [*from_s, *until_s) to where no update of a CRL
 * that was looked at passes. `path` is anchored, leaf first. Each CRL's signature is counted down from *signatures, which never passes 0; false: more would
 * have been needed, the findings are worth nothing then. With mode `off`, and for a leaf that is its own anchor, nothing is touched. */
bool revocation_check_path(const struct revocation_check *check, struct findings *findings,
                           struct revocation *told, const struct cert *const *path, size_t count,
                           int64_t now_s, int64_t *from_s, int64_t *until_s, unsigned *signatures);

/* A few words for a CRLReason (RFC 5280 5.3.1), static; NULL: unspecified, or unknown. */
const char *revocation_reason(unsigned reason);
