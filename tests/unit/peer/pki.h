/* Certificates of every kind for tests: made in memory, with any fault. Keys are made once a
 * program.
 *
 * Failures of the helper itself end the program: no test can go on without its certificate. */
#pragma once

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "peer/classify.h"
#include "peer/lists.h"
#include "peer/trust.h"

#define PKI_NOW 1800000000 /* 2027-01-15T08:00:00Z */
#define PKI_DAY 86400

/* Kinds of key; P-256 ones by number, so that certificates can have different ones. */
enum pki_key_kind {
	PKI_P256_A,
	PKI_P256_B,
	PKI_P256_C,
	PKI_P256_D,
	PKI_P384,
	PKI_P224,
	PKI_ED25519,
	PKI_ED448,
	PKI_RSA1024,
	PKI_RSA2048,
	PKI_DSA,
	PKI_KEY_COUNT,
};
gnutls_x509_privkey_t pki_key(enum pki_key_kind kind);
/* This one instead of one that is made; before the first use of its kind. pki_release() frees it. */
void pki_use_key(enum pki_key_kind kind, gnutls_x509_privkey_t key);

struct pki_extension {
	const char *oid;
	struct slice value;
	bool critical;
};

/* Zero is a sensible value everywhere. */
struct pki_spec {
	const char *subject;     /* RFC 4514; NULL: empty */
	struct slice subject_cn; /* instead: DER of one string value, as common name next to O=Raw */
	enum pki_key_kind key;
	const struct pki_cert *issuer;    /* NULL: itself */
	const char *issuer_name;          /* another name than the issuer's */
	bool wrong_signature;             /* signed with another key than the issuer's */
	gnutls_digest_algorithm_t digest; /* 0: SHA-256, or what the key asks for */
	unsigned sign_flags;
	int64_t not_before; /* 0: a year before PKI_NOW */
	int64_t not_after;  /* 0: a year after */
	bool ca;
	bool no_basic_constraints;
	int path_length_plus_1; /* 0: none */
	unsigned key_usage;     /* GNUTLS_KEY_*; 0: no extension */
	const char *purposes[4];
	const char *dns[4];
	bool key_ids;     /* subject and authority key identifier */
	unsigned version; /* 0: 3 */
	struct pki_extension extensions[4];
};

struct pki_cert {
	struct slice der;
	gnutls_x509_crt_t crt;
	enum pki_key_kind key;
	int64_t not_before;
	int64_t not_after;
};

/* Lives until pki_release(). */
const struct pki_cert *pki_make(const struct pki_spec *spec);
/* From any bytes: no certificate object behind it. */
struct slice pki_keep(struct slice bytes);
void pki_release(void);

/* Usual ones: a root, an intermediate below it, a leaf for clients. */
const struct pki_cert *pki_root(void);
const struct pki_cert *pki_intermediate(void);
const struct pki_cert *pki_leaf(void);

struct pki_trust_spec {
	const struct pki_cert *anchors[8];
	const struct pki_cert *issuers[4];
	bool pinned;
	const char *purpose;  /* NULL: clientAuth */
	enum profile profile; /* 0: legacy */
	unsigned max_depth;
	struct config_limits limits; /* 0: the defaults */
};
/* Through CA files as an operator's; ended with trust_free(). */
struct trust *pki_trust(const struct pki_trust_spec *spec);

/* The same for a server of an upstream with these CAs (NULL at the end); `verify: none` without any. */
struct trust *pki_server_trust(const struct pki_cert *const *anchors, const char *name);

/* What can change about it: files with these contents. */
struct pki_lists_spec {
	struct slice crls[4];
	struct slice allow[4];
	struct slice deny[4];
	enum revocation_mode revocation;
	enum revocation_scope scope;
};
/* Ended with lists_unref(). */
struct lists *pki_lists(const struct trust *trust, const struct pki_lists_spec *spec);

/* Judges without lists; the caller unrefs the verdict. */
struct verdict *pki_judge(const struct trust *trust, const struct slice *der, size_t count,
                          int64_t now_s);
/* The same for up to 16 certificates, NULL at the end. */
struct verdict *pki_judge_certs(const struct trust *trust, const struct pki_cert *const *certs,
                                int64_t now_s);
/* The same with lists; NULL: none. */
struct verdict *pki_judge_by(const struct trust *trust, const struct lists *lists,
                             const struct pki_cert *const *certs, int64_t now_s);

/* DER: a tag with a content, and a run of such; kept until pki_release(). */
struct slice pki_tlv(uint8_t tag, struct slice content);
struct slice pki_join(struct slice a, struct slice b);

/* A file in /tmp with these bytes; the path lives until pki_release(), which removes it. */
char *pki_file(struct slice content);
/* PEM of a certificate. */
struct slice pki_pem(struct slice der);
