/* The algorithms a certificate can have: which we can check, what events call them, how strong they
 * are.
 *
 * Names are Go's (crypto/x509: PublicKeyAlgorithm, SignatureAlgorithm), as ECS wants; where Go
 * has none ("RSA-PSS", "Ed448") the usual one. Thread: any, constant. */
#pragma once

#include <gnutls/abstract.h>
#include <stdbool.h>

#include "base/slice.h"
#include "config/config.h"

enum hash_strength { HASH_BROKEN, HASH_SHA1, HASH_SHA224, HASH_STRONG };

struct signature_kind {
	const char *name;                  /* NULL: unknown */
	gnutls_sign_algorithm_t algorithm; /* GNUTLS_SIGN_UNKNOWN: not to be verified here */
	enum hash_strength hash;
	gnutls_digest_algorithm_t pss_digest; /* RSASSA-PSS only, otherwise GNUTLS_DIG_UNKNOWN */
	unsigned pss_salt;                    /* bytes */
};

struct key_kind {
	const char *name;  /* NULL: unknown */
	const char *curve; /* elliptic curves in Weierstrass form only; NULL: none, or unknown */
	unsigned bits;
	bool supported; /* TLS can authenticate with it, and it can verify certificates */
	bool weak; /* whatever its size: an RSA exponent that is even or 1, a curve that is not named */
	bool tls; /* supported, and the TLS library takes it from a certificate */
	bool ec;
	bool rsa;
	/* An uncompressed key on P-256, named or described: x || y, 32 bytes each. Empty: another one. */
	struct slice p256_point;
	bool pss; /* for RSASSA-PSS alone */
	/* with `pss`: for one hash alone (RFC 4055 3.3); GNUTLS_DIG_UNKNOWN: any */
	gnutls_digest_algorithm_t pss_digest;
	unsigned pss_salt; /* at least, with pss_digest */
};

/* From the content of an AlgorithmIdentifier. False: it is malformed. */
bool signature_kind_read(struct signature_kind *out, struct slice identifier);
bool signature_kind_is_ecdsa(const struct signature_kind *kind);
/* From the content of a SubjectPublicKeyInfo. False: it is malformed. */
bool key_kind_read(struct key_kind *out, struct slice spki);

/* NULL, or what is too weak about it for this profile, static. */
const char *key_weakness(const struct key_kind *key, enum profile profile);
const char *signature_weakness(const struct signature_kind *signature, enum profile profile);
