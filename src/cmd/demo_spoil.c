#include "cmd/demo_spoil.h"

#include <stdbool.h>
#include <string.h>

#define NARROW "narrow.test"

/* The DER element at `at`: its whole length, and where its content starts. Certificates made above are
 * below 64 KiB. False: no element. */
static bool der_element(const gnutls_datum_t *der, size_t at, size_t *content, size_t *len)
{
	if (at + 4 > der->size) {
		return false;
	}
	const unsigned char *p = der->data + at;
	size_t head = 2;
	size_t body = p[1];
	if (p[1] == 0x81) {
		head = 3;
		body = p[2];
	} else if (p[1] == 0x82) {
		head = 4;
		body = (size_t)p[2] << 8 | p[3];
	} else if (p[1] >= 0x80) {
		return false;
	}
	*content = at + head;
	*len = head + body;
	return at + *len <= der->size;
}

int demo_spoil_curve(gnutls_datum_t *der, gnutls_privkey_t issuer)
{
	static const unsigned char p256[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
	size_t tbs, algorithm, bits, inside, tbs_len, algorithm_len, bits_len, all;
	if (!der_element(der, 0, &tbs, &all) || !der_element(der, tbs, &inside, &tbs_len)) {
		return GNUTLS_E_ASN1_DER_ERROR;
	}
	algorithm = tbs + tbs_len;
	if (!der_element(der, algorithm, &inside, &algorithm_len)) {
		return GNUTLS_E_ASN1_DER_ERROR;
	}
	bits = algorithm + algorithm_len;
	if (!der_element(der, bits, &inside, &bits_len) || bits_len > 127) {
		return GNUTLS_E_ASN1_DER_ERROR;
	}
	unsigned char *oid = memmem(der->data + tbs, tbs_len, p256, sizeof(p256));
	if (oid == NULL) {
		return GNUTLS_E_ASN1_DER_ERROR;
	}
	oid[sizeof(p256) - 1] = 0x06;

	const gnutls_datum_t data = {der->data + tbs, (unsigned)tbs_len};
	gnutls_datum_t signature = {NULL, 0};
	int code = gnutls_privkey_sign_data(issuer, GNUTLS_DIG_SHA256, 0, &data, &signature);
	if (code < 0) {
		return code;
	}
	/* An ECDSA signature is 70 to 72 bytes, so the outer length has two bytes and may differ by a few. */
	size_t body = tbs_len + algorithm_len + 3 + signature.size;
	unsigned char *out = gnutls_malloc(body + 4);
	if (out == NULL || signature.size > 126 || body > 65535) {
		gnutls_free(out);
		gnutls_free(signature.data);
		return GNUTLS_E_MEMORY_ERROR;
	}
	const unsigned char head[] = {0x30, 0x82, (unsigned char)(body >> 8), (unsigned char)body};
	const unsigned char bit_string[] = {0x03, (unsigned char)(signature.size + 1), 0x00};
	memcpy(out, head, sizeof(head));
	memcpy(out + 4, der->data + tbs, tbs_len + algorithm_len);
	memcpy(out + 4 + tbs_len + algorithm_len, bit_string, sizeof(bit_string));
	memcpy(out + 4 + tbs_len + algorithm_len + 3, signature.data, signature.size);
	gnutls_free(signature.data);
	gnutls_free(der->data);
	der->data = out;
	der->size = (unsigned)(body + 4);
	return 0;
}

/* RFC 5280 4.2.1.10 */
static int narrow(gnutls_x509_crt_t crt)
{
	gnutls_x509_name_constraints_t constraints;
	gnutls_datum_t name = {(unsigned char *)NARROW, sizeof(NARROW) - 1};
	int code = gnutls_x509_name_constraints_init(&constraints);
	if (code < 0) {
		return code;
	}
	code = gnutls_x509_name_constraints_add_permitted(constraints, GNUTLS_SAN_DNSNAME, &name);
	if (code >= 0) {
		code = gnutls_x509_crt_set_name_constraints(crt, constraints, 1);
	}
	gnutls_x509_name_constraints_deinit(constraints);
	return code;
}

int demo_spoil_fields(gnutls_x509_crt_t crt, enum demo_spoil how)
{
	static const char outside[] = "acme.test";
	static const char split[] = "acme-admin\0.test"; /* C reads half of it */
	static const unsigned char null[] = {0x05, 0x00};
	switch (how) {
	case SPOIL_LAST:
		return gnutls_x509_crt_set_basic_constraints(crt, 1, 0);
	case SPOIL_NARROW:
		return narrow(crt);
	case SPOIL_OTHER_NAME:
		return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, outside,
		                                            sizeof(outside) - 1, GNUTLS_FSAN_SET);
	case SPOIL_CRITICAL:
		/* RFC 5612: an arc for examples */
		return gnutls_x509_crt_set_extension_by_oid(crt, "1.3.6.1.4.1.32473.1", null,
		                                            sizeof(null), 1);
	case SPOIL_NUL_NAME:
		return gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, split,
		                                     sizeof(split) - 1);
	default:
		return 0;
	}
}
