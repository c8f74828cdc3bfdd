/* The few fields of a certificate that OCSP is about, read without building the whole of it.
 * Private to peer/.
 *
 * What is read here was judged before, or will be: only the place of each field is made sure of.
 * Thread: any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define OCSP_SHA1_BYTES 20
#define OCSP_HASH_BYTES_MAX 32

/* Borrowed from the certificate. */
struct ocsp_cert {
	struct slice serial;  /* content of the INTEGER, never empty */
	struct slice issuer;  /* the Name, whole */
	struct slice subject; /* the Name, whole */
	struct slice spki;    /* whole */
	struct slice key; /* octets of the BIT STRING subjectPublicKey: what key hashes are over */
	struct slice extensions; /* content of the SEQUENCE; empty: none */
};

/* False: it is no certificate. */
bool ocsp_cert_read(struct ocsp_cert *out, struct slice der);

/* The hashes that a CertID may have (RFC 6960 4.1.1). */
enum ocsp_hash { OCSP_SHA1, OCSP_SHA256, OCSP_HASH_COUNT };

/* Content of the OID. */
struct slice ocsp_hash_oid(enum ocsp_hash hash);
/* Returns how many bytes; 0: memory is out. */
size_t ocsp_hash(enum ocsp_hash hash, struct slice bytes, uint8_t out[static OCSP_HASH_BYTES_MAX]);

/* One extension of a run of them, as certificates and answers have it (RFC 5280 4.1). False:
 * malformed. */
struct ocsp_extension {
	struct slice oid;
	bool critical;
	struct slice value;
};
bool ocsp_next_extension(struct slice *in, struct ocsp_extension *out);
