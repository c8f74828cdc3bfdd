/* OCSP answers for tests, made by OpenSSL's responder code: nothing of what reads them has a part
 * in it.
 *
 * Failures of the helper itself end the program. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pki.h"
#include "peer/ocsp.h"

#define OCSP_PKI_NONE (-1)
#define OCSP_PKI_THIS (PKI_NOW - 3600)
#define OCSP_PKI_NEXT (PKI_NOW + 86400)

/* Zero is a sensible value everywhere: good, dates around PKI_NOW, CertID with SHA-1. */
struct ocsp_pki_entry {
	const struct pki_cert *cert;   /* NULL: the leaf of the spec */
	const struct pki_cert *issuer; /* NULL: that of the spec; whatever issued `cert` */
	enum {
		OCSP_PKI_GOOD,
		OCSP_PKI_REVOKED,
		OCSP_PKI_UNKNOWN
	} status;              /* as certStatus is tagged */
	int reason_plus_1;     /* 0: none is given */
	const char *digest;    /* of the CertID; NULL: SHA1 */
	int64_t this_update;   /* 0: OCSP_PKI_THIS */
	int64_t next_update;   /* 0: OCSP_PKI_NEXT; OCSP_PKI_NONE: none */
	const char *extension; /* OID of an extension of the entry; NULL */
	bool critical;
};

struct ocsp_pki_spec {
	const struct pki_cert *leaf;
	const struct pki_cert *issuer;
	size_t entry_count; /* 0: one, zeroed */
	struct ocsp_pki_entry entries[4];
	const struct pki_cert *signer; /* NULL: the issuer */
	bool by_key;
	const char *digest; /* of the signature; NULL: SHA256, or what the key asks for */
	bool pss;
	const struct pki_cert *certs[16]; /* that come with it; none: no `certs` at all */
	const uint8_t *nonce;
	size_t nonce_len;      /* 0: OCSP_NONCE_BYTES */
	int64_t produced_at;   /* 0: OCSP_PKI_THIS */
	const char *extension; /* OID of an extension of the answer; NULL */
	bool critical;
};

/* The whole OCSPResponse; lives until pki_release(). */
struct slice ocsp_pki_answer(const struct ocsp_pki_spec *spec);
/* One without responseBytes: tryLater and others. */
struct slice ocsp_pki_error(int status);
/* The ResponseData of an answer, to be changed, and an answer around one, signed anew over
 * SHA-256. */
struct slice ocsp_pki_tbs(struct slice answer);
struct slice ocsp_pki_sign(struct slice tbs, enum pki_key_kind key);

/* Reads it at PKI_NOW under profile medium, without a nonce. *why is never NULL. */
int ocsp_pki_read(struct ocsp_answer *out, struct slice answer, const struct pki_cert *leaf,
                  const struct pki_cert *issuer, const char **why);
