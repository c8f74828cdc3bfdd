#include "base/err.h"
#include "peer/der.h"
#include "peer/ocsp.h"
#include "peer/ocsp_cert.h"

/* How long an element with this content is. */
static size_t element_len(size_t content)
{
	size_t len = 2 + content;
	for (size_t rest = content < 0x80 ? 0 : content; rest != 0; rest >>= 8) {
		len++;
	}
	return len;
}

/* Tag and length in its shortest form (X.690 10.1). */
static void put_head(struct buf *out, uint8_t tag, size_t content)
{
	buf_append_byte(out, tag);
	if (content < 0x80) {
		buf_append_byte(out, (uint8_t)content);
		return;
	}
	size_t octets = element_len(content) - content - 2;
	buf_append_byte(out, (uint8_t)(0x80 | octets));
	while (octets-- > 0) {
		buf_append_byte(out, (uint8_t)(content >> 8 * octets));
	}
}

static void put(struct buf *out, uint8_t tag, struct slice content)
{
	put_head(out, tag, content.len);
	buf_append_slice(out, content);
}

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
	put_head(out, DER_CONTEXT_CONSTRUCTED | 2, NONCE_TAGGED);
	put_head(out, DER_SEQUENCE, NONCE_EXTENSIONS);
	put_head(out, DER_SEQUENCE, NONCE_EXTENSION);
	put(out, DER_OID, slice_of(nonce_oid, sizeof(nonce_oid)));
	put_head(out, DER_OCTET_STRING, NONCE_VALUE);
	put(out, DER_OCTET_STRING, slice_of(nonce, OCSP_NONCE_BYTES));
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
	size_t algorithm = element_len(oid.len) + element_len(0);
	size_t cert_id = element_len(algorithm) + 2 * element_len(OCSP_SHA1_BYTES) +
	                 element_len(of.serial.len);
	size_t request = element_len(cert_id);
	size_t list = element_len(request);
	size_t tbs = element_len(list) + (nonce != NULL ? element_len(NONCE_TAGGED) : 0);

	put_head(out, DER_SEQUENCE, element_len(tbs)); /* OCSPRequest */
	put_head(out, DER_SEQUENCE, tbs);              /* TBSRequest */
	put_head(out, DER_SEQUENCE, list);             /* requestList */
	put_head(out, DER_SEQUENCE, request);          /* Request */
	put_head(out, DER_SEQUENCE, cert_id);          /* CertID */
	put_head(out, DER_SEQUENCE, algorithm);
	put(out, DER_OID, oid);
	put_head(out, DER_NULL, 0);
	put(out, DER_OCTET_STRING, slice_of(name, OCSP_SHA1_BYTES));
	put(out, DER_OCTET_STRING, slice_of(key, OCSP_SHA1_BYTES));
	put(out, DER_INTEGER, of.serial);
	if (nonce != NULL) {
		put_nonce(out, nonce);
	}
	return out->err;
}
