/* CRLs of every kind for tests: encoded here, signed with the keys of pki.h, with any fault.
 *
 * As there: failures of the helper itself end the program. */
#pragma once

#include "peer/crl.h"
#include "pki.h"

#define CRL_PKI_ENTRIES 4
#define CRL_PKI_EXTENSIONS 4
#define CRL_PKI_NONE 1 /* of a time: leave it out */

struct crl_pki_entry {
	struct slice serial;  /* content of the INTEGER */
	int64_t at;           /* 0: a day before PKI_NOW */
	int reason;           /* 0: no extension */
	struct slice rest;    /* behind the date, instead of the reason's extension */
	struct slice instead; /* DER: instead of the whole entry */
};

/* Zero is a sensible value everywhere. */
struct crl_pki_spec {
	const struct pki_cert *issuer;
	struct slice issuer_name; /* DER, instead of the issuer's */
	bool wrong_signature;     /* by another P-256 key than the issuer's */
	bool v1;                  /* no version field */
	struct slice version;     /* DER, instead of v2's */
	struct slice inner; /* DER: AlgorithmIdentifier within the TBSCertList, not the outer one */
	enum {
		CRL_PKI_USUAL,
		CRL_PKI_SHA1,
		CRL_PKI_MD5,
		CRL_PKI_PSS,
		CRL_PKI_PSS_SALT_20
	} algorithm;
	int64_t this_update; /* 0: a day before PKI_NOW */
	int64_t next_update; /* 0: a day after */
	struct slice times;  /* DER, instead of both */
	struct crl_pki_entry entries[CRL_PKI_ENTRIES];
	struct slice revoked;                        /* DER, instead of the entries */
	struct slice extensions[CRL_PKI_EXTENSIONS]; /* crl_pki_extension() */
	struct slice tail;                           /* DER behind the extensions */
};

/* DER; lives until pki_release(). */
struct slice crl_pki_make(const struct crl_pki_spec *spec);
/* The same, read; the caller's reference. */
struct crl *crl_pki_crl(const struct crl_pki_spec *spec);
/* One Extension, DER. */
struct slice crl_pki_extension(const char *oid, bool critical, struct slice value);
/* A value of issuingDistributionPoint or CRLDistributionPoints: DistributionPointName with one URL. */
struct slice crl_pki_point(const char *url);
/* PEM of a CRL. */
struct slice crl_pki_pem(struct slice der);

/* A CA for both kinds of signature, and a certificate read; until crl_pki_release(). */
const struct pki_cert *crl_pki_ca(const char *subject, enum pki_key_kind key,
                                  const struct pki_cert *issuer);
const struct cert *crl_pki_read(const struct pki_cert *cert);
/* And everything of pki.h. */
void crl_pki_release(void);
