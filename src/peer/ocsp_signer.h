/* Who signed an OCSP answer, and may he? RFC 6960 4.2.2.2. Private to peer/. Thread: any; nothing
 * is kept.
 *
 * The issuer itself, by the very key that is asked for; or a delegate whose certificate came with
 * the answer: issued by that key with id-kp-OCSPSigning, valid now, without unknown critical
 * extensions, of a strength that the profile takes. A responder that is trusted by configuration
 * alone (4.2.2.2, 1) does not exist here.
 *
 * Whether a delegate was revoked in turn is not asked, be there an id-pkix-ocsp-nocheck (4.2.2.2.1)
 * or not: that would take one more answer, by the issuer's own key. A CA that delegates should do
 * so for short times.
 *
 * Bounded: the issuer's signature is tried once and two delegates at most, so that no answer
 * costs more than five signature checks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "config/config.h"
#include "peer/algorithm.h"

/* Borrowed from the answer. */
struct ocsp_signed {
	struct slice tbs; /* what is signed, whole */
	struct signature_kind kind;
	struct slice signature;
	bool by_key;            /* how the responder is named */
	struct slice responder; /* by_key: SHA-1 of its key; else its Name, whole */
	struct slice certs;     /* content of SEQUENCE OF Certificate; empty: none */
};

/* E_OK: *until_s is no later than the first second at which the delegate's certificate has
 * expired. E_INVALID: nobody who may signed it, and *why says more, static; E_NOMEM. */
int ocsp_check_signer(const struct ocsp_signed *answer, struct slice issuer, enum profile profile,
                      int64_t now_s, int64_t *until_s, const char **why);
