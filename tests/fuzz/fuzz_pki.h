/* The certificates and keys that inputs of the x509 targets are about: fixed, since a corpus is worth nothing under other
 * keys. They lie in tests/fuzz/pki, throw-away material made by make_seeds.c.
 *
 * Failures of the helper itself end the program. Thread: one. */
#pragma once

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "config/config.h"
#include "peer/lists.h"
#include "peer/trust.h"

#define FUZZ_NOW 1800000000 /* 2027-01-15T08:00:00Z, PKI_NOW of the unit tests */

enum fuzz_key {
	FUZZ_KEY_P256_A,
	FUZZ_KEY_P256_B,
	FUZZ_KEY_P256_C,
	FUZZ_KEY_P256_D,
	FUZZ_KEY_P384,
	FUZZ_KEY_ED25519,
	FUZZ_KEY_ED448,
	FUZZ_KEY_RSA1024,
	FUZZ_KEY_RSA2048,
	FUZZ_KEY_COUNT,
};

enum fuzz_cert {
	FUZZ_ROOT,
	FUZZ_INTERMEDIATE, /* by ROOT */
	FUZZ_ISSUING,      /* by INTERMEDIATE */
	FUZZ_CONSTRAINED,  /* by ROOT, with name constraints of every form */
	FUZZ_EDWARDS,      /* roots of other kinds of key */
	FUZZ_EDWARDS448,
	FUZZ_RSA,
	FUZZ_WEAK,      /* RSA of 1024 bits and SHA-1 */
	FUZZ_STRANGER,  /* a root that nobody trusts */
	FUZZ_CLIENT,    /* by INTERMEDIATE */
	FUZZ_SELF,      /* a client signed by itself */
	FUZZ_RESPONDER, /* by INTERMEDIATE, for OCSP */
	FUZZ_CERT_COUNT,
};

/* Where a file of tests/fuzz/pki lies; overwritten by the next call but three. */
const char *fuzz_pki_path(const char *name);
const char *fuzz_key_name(enum fuzz_key key);
const char *fuzz_cert_name(enum fuzz_cert cert);
enum fuzz_key fuzz_cert_key(enum fuzz_cert cert);
/* Read once, never freed. */
gnutls_x509_privkey_t fuzz_key(enum fuzz_key key);
struct slice fuzz_cert(enum fuzz_cert cert);
/* Its Name, whole. */
struct slice fuzz_cert_subject(enum fuzz_cert cert);

/* Signs `tbs` as this one does: into `out`, at most `cap` bytes. The same bytes get the same signature. 0: it does not fit. */
size_t fuzz_sign(enum fuzz_cert signer, struct slice tbs, uint8_t *out, size_t cap);

enum fuzz_trust_name {
	FUZZ_TRUST_MEDIUM,
	FUZZ_TRUST_HIGH,
	FUZZ_TRUST_LEGACY_ANY, /* WEAK, too, and whatever the purpose */
	FUZZ_TRUST_ISSUERS,    /* ISSUING has to be in the path */
	FUZZ_TRUST_PARTIAL,    /* intermediates and a client as anchors */
	FUZZ_TRUST_LISTED,     /* as MEDIUM, with CRLs and a deny list */
	FUZZ_TRUST_PINNED,
	FUZZ_TRUST_TIGHT,  /* as LEGACY_ANY, and hardly any work is allowed */
	FUZZ_TRUST_SERVER, /* of an upstream */
	FUZZ_TRUST_NONE,   /* no anchors */
	FUZZ_TRUST_COUNT,
};

struct fuzz_trust {
	const char *name;
	struct trust *trust;
	struct lists *lists; /* NULL: none */
	enum profile profile;
	bool any_purpose;
	bool pinned;
	unsigned max_depth;
	unsigned signature_checks;
	unsigned name_comparisons;
	/* Whoever this one lets in, that one lets in as well; the same: nothing is known. */
	enum fuzz_trust_name laxer;
};

/* All of them, made by the first call and never freed. */
const struct fuzz_trust *fuzz_trusts(void);
