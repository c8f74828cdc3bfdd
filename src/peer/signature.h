/* Does this key verify that certificate, or anything else that is signed? Private to peer/. Thread: any; keys are only read. */
#pragma once

#include "peer/cert.h"

enum signature_result {
	SIGNATURE_GOOD,
	SIGNATURE_WRONG,
	SIGNATURE_UNSUPPORTED, /* the algorithm of the signature */
	SIGNATURE_NO_KEY,      /* the issuer's key is of a kind that we cannot use */
};

/* How strong algorithm and key are is not looked at: rules.c judges that. */
enum signature_result signature_verify(const struct cert *cert, const struct cert *issuer);
/* The same for anything that is signed: `tbs` by the key of `issuer`. Both are at most UINT32_MAX
 * bytes. */
enum signature_result signature_verify_bytes(const struct signature_kind *kind, struct slice tbs,
                                             struct slice signature, const struct cert *issuer);
/* The same where only the digest of what is signed was kept, by gnutls_sign_get_hash_algorithm(). Not
 * for EdDSA, which signs the bytes themselves: SIGNATURE_UNSUPPORTED. */
enum signature_result signature_verify_digest(const struct signature_kind *kind, struct slice digest,
                                              struct slice signature, const struct cert *issuer);
