#include "base/err.h"
#include "peer/der.h"
#include "peer/der_put.h"
#include "peer/ocsp.h"
#include "peer/ocsp_cert.h"

/* RFC 8954 2.1: an extension whose value is the nonce as OCTET STRING. Every length is below
 * 128, a head two bytes. */
static const uint8_t nonce_oid[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02};
enum {
	NONCE_VALUE = 2 + OCSP_NONCE_BYTES,
	NONCE_EXTENSION = 2 + sizeof(nonce_oid) + 2 + NONCE_VALUE,
	NONCE_EXTENSIONS = 2 + NONCE_EXTENSION,
	NONCE_TAGGED = 2 + NONCE_EXTENSIONS,
};

static void put_nonce(struct buf *out, const uint8_t *nonce)
{
	der_put_head(out, DER_CONTEXT_CONSTRUCTED | 2, NONCE_TAGGED);
	der_put_head(out, DER_SEQUENCE, NONCE_EXTENSIONS);
	der_put_head(out, DER_SEQUENCE, NONCE_EXTENSION);
	der_put(out, DER_OID, slice_of(nonce_oid, sizeof(nonce_oid)));
	der_put_head(out, DER_OCTET_STRING, NONCE_VALUE);
	der_put(out, DER_OCTET_STRING, slice_of(nonce, OCSP_NONCE_BYTES));
}

/* RFC 6960 4.1.1, one question, not signed. Names and keys are hashed with SHA-1: it identifies
 * here and protects nothing, and it is what every responder knows. */
int ocsp_request(struct buf *out, struct slice leaf, struct slice issuer, const uint8_t *nonce)
{
	struct ocsp_cert of;
	struct ocsp_cert by;
	if (!ocsp_cert_read(&of, leaf) || !ocsp_cert_read(&by, issuer)) {
		return E_INVALID;
	}
	uint8_t name[OCSP_HASH_BYTES_MAX];
	uint8_t key[OCSP_HASH_BYTES_MAX];
	if (ocsp_hash(OCSP_SHA1, of.issuer, name) == 0 || ocsp_hash(OCSP_SHA1, by.key, key) == 0) {
		return E_NOMEM;
	}
	struct slice oid = ocsp_hash_oid(OCSP_SHA1);
	size_t algorithm = der_put_len(oid.len) + der_put_len(0);
	size_t cert_id = der_put_len(algorithm) + 2 * der_put_len(OCSP_SHA1_BYTES) +
	                 der_put_len(of.serial.len);
	size_t request = der_put_len(cert_id);
	size_t list = der_put_len(request);
	size_t tbs = der_put_len(list) + (nonce != NULL ? der_put_len(NONCE_TAGGED) : 0);

	der_put_head(out, DER_SEQUENCE, der_put_len(tbs)); /* OCSPRequest */
	der_put_head(out, DER_SEQUENCE, tbs);              /* TBSRequest */
	der_put_head(out, DER_SEQUENCE, list);             /* requestList */
	der_put_head(out, DER_SEQUENCE, request);          /* Request */
	der_put_head(out, DER_SEQUENCE, cert_id);          /* CertID */
	der_put_head(out, DER_SEQUENCE, algorithm);
	der_put(out, DER_OID, oid);
	der_put_head(out, DER_NULL, 0);
	der_put(out, DER_OCTET_STRING, slice_of(name, OCSP_SHA1_BYTES));
	der_put(out, DER_OCTET_STRING, slice_of(key, OCSP_SHA1_BYTES));
	der_put(out, DER_INTEGER, of.serial);
	if (nonce != NULL) {
		put_nonce(out, nonce);
	}
	return out->err;
}
