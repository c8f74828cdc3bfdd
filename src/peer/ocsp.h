/* OCSP, RFC 6960: the question about one certificate, and the answer read, checked and made small.
 * Bytes in, bytes out.
 *
 * An answer counts when it is of type basic, about this very certificate (issuer name and key hash,
 * SHA-1 or SHA-256, and serial), signed by the issuer itself or by a delegate that the issuer
 * certified with id-kp-OCSPSigning and that is valid now (4.2.2.2), of a strength that the profile
 * takes, and current: thisUpdate not in the future (5 minutes of skew), nextUpdate not past;
 * without a nextUpdate it is current for 5 minutes from thisUpdate. With a nonce asked for, one
 * that comes back has to be the same (RFC 8954; responders may leave it out, then the dates
 * decide). Of several entries about the certificate the gravest counts. An unknown critical
 * extension, of the answer or of its entry about the certificate, refuses it. A delegate's own
 * revocation is not asked for, with id-pkix-ocsp-nocheck or without (ocsp_signer.h). At most five
 * signature checks.
 *
 * Thread: any; nothing is kept. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "config/config.h"
#include "peer/chain.h"
#include "peer/trust.h"
#include "peer/verdict.h"

#define OCSP_ANSWER_BYTES_MAX (64 << 10)
#define OCSP_NONCE_BYTES 32
#define OCSP_SKEW_S 300    /* how far an answer may be ahead of our clock */
#define OCSP_UNDATED_S 300 /* how long one without a nextUpdate is current */

/* Names the certificate an answer is about: SHA-256 over issuer (DER) and serial. */
struct ocsp_id {
	uint8_t sha256[32];
};

struct ocsp_answer {
	enum revocation_status status; /* GOOD, REVOKED; UNKNOWN: the responder does not know it */
	int64_t this_update_s;
	int64_t until_s;       /* from this second on it is no longer current */
	int64_t next_update_s; /* 0: none was given */
	int64_t revoked_at_s;  /* REVOKED */
	unsigned reason;       /* REVOKED: RFC 5280 5.3.1 */
};

/* `leaf` and `issuer` are whole certificates (DER). E_INVALID: one cannot be read; E_NOMEM. */
int ocsp_id(struct ocsp_id *out, struct slice leaf, struct slice issuer);
/* Appends the request. `nonce`: OCSP_NONCE_BYTES, or NULL. */
int ocsp_request(struct buf *out, struct slice leaf, struct slice issuer, const uint8_t *nonce);
/* Reads what a responder sent. E_INVALID: it does not count, and *why says why, static; E_NOMEM. */
int ocsp_read(struct ocsp_answer *out, struct slice response, struct slice leaf, struct slice issuer,
              const uint8_t *nonce, enum profile profile, int64_t now_s, const char **why);

/* The first http or https URL of id-ad-ocsp in the certificate's authority information access,
 * of printable ASCII without spaces, backslashes and user information, at most 2,000 bytes,
 * copied into `out` with a NUL. False: there is none, or it does not fit. */
bool ocsp_url(char *out, size_t cap, struct slice leaf);

/* The issuer of the leaf in the verdict's path: its DER, the chain's or the trust's. Empty: the
 * path is not anchored, or is the leaf alone. */
struct slice ocsp_issuer(const struct verdict *verdict, const struct trust *trust,
                         const struct chain *chain);
/* A verdict that is `base` and what the answer (NULL: there is none) says of the leaf:
 * `revoked`, or with `hard` and no current answer, or one that is UNKNOWN, `revocation_unknown`;
 * its interval lies within the answer's. `base` stays as it is: it may be shared. Evidence of a
 * CRL gives way to that of the answer unless the CRL says revoked. `detail` (static) says why
 * there is none; NULL. A base without an issuer of the leaf in its path, or of class
 * malformed_certificate or limit_exceeded, comes back itself, with one more reference. E_NOMEM. */
int ocsp_verdict(struct verdict **out, const struct verdict *base, const struct ocsp_answer *answer,
                 bool hard, const char *detail, int64_t now_s);
