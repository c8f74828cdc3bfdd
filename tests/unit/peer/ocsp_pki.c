#include "ocsp_pki.h"

#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>

#define MUST(call) must((call), #call)

static void must(bool done, const char *what)
{
	if (!done) {
		fprintf(stderr, "ocsp_pki: %s failed\n", what);
		exit(99);
	}
}

static X509 *x509(const struct pki_cert *cert)
{
	const unsigned char *p = cert->der.data;
	X509 *x = d2i_X509(NULL, &p, (long)cert->der.len);
	MUST(x != NULL);
	return x;
}

static EVP_PKEY *private_key(enum pki_key_kind kind)
{
	gnutls_datum_t der;
	MUST(gnutls_x509_privkey_export2_pkcs8(pki_key(kind), GNUTLS_X509_FMT_DER, NULL,
	                                       GNUTLS_PKCS_PLAIN, &der) >= 0);
	const unsigned char *p = der.data;
	EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &p, (long)der.size);
	MUST(key != NULL);
	gnutls_free(der.data);
	return key;
}

static const EVP_MD *digest_of(enum pki_key_kind key, const char *given)
{
	if (key == PKI_ED25519 || key == PKI_ED448) {
		return NULL;
	}
	const EVP_MD *digest = EVP_get_digestbyname(given != NULL ? given : "SHA256");
	MUST(digest != NULL);
	return digest;
}

static X509_EXTENSION *extension(const char *oid, bool critical)
{
	static const unsigned char null[] = {0x05, 0x00};
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	MUST(object != NULL && value != NULL &&
	     ASN1_OCTET_STRING_set(value, null, sizeof(null)) == 1);
	X509_EXTENSION *made = X509_EXTENSION_create_by_OBJ(NULL, object, critical, value);
	MUST(made != NULL);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(object);
	return made;
}

static void add_entry(OCSP_BASICRESP *basic, const struct ocsp_pki_spec *spec,
                      const struct ocsp_pki_entry *entry)
{
	X509 *subject = x509(entry->cert != NULL ? entry->cert : spec->leaf);
	X509 *issuer = x509(entry->issuer != NULL ? entry->issuer : spec->issuer);
	OCSP_CERTID *id = OCSP_cert_id_new(
		EVP_get_digestbyname(entry->digest != NULL ? entry->digest : "SHA1"),
		X509_get_subject_name(issuer), X509_get0_pubkey_bitstr(issuer),
		X509_get0_serialNumber(subject));
	int64_t from = entry->this_update != 0 ? entry->this_update : OCSP_PKI_THIS;
	int64_t until = entry->next_update != 0 ? entry->next_update : OCSP_PKI_NEXT;
	ASN1_TIME *this_update = ASN1_GENERALIZEDTIME_set(NULL, from);
	ASN1_TIME *next_update =
		until == OCSP_PKI_NONE ? NULL : ASN1_GENERALIZEDTIME_set(NULL, until);
	ASN1_TIME *revoked_at = ASN1_GENERALIZEDTIME_set(NULL, OCSP_PKI_THIS - 86400);
	MUST(id != NULL && this_update != NULL && revoked_at != NULL);
	OCSP_SINGLERESP *single =
		OCSP_basic_add1_status(basic, id, (int)entry->status, entry->reason_plus_1 - 1,
	                               revoked_at, this_update, next_update);
	MUST(single != NULL);
	if (entry->extension != NULL) {
		X509_EXTENSION *e = extension(entry->extension, entry->critical);
		MUST(OCSP_SINGLERESP_add_ext(single, e, -1) == 1);
		X509_EXTENSION_free(e);
	}
	ASN1_TIME_free(revoked_at);
	ASN1_TIME_free(next_update);
	ASN1_TIME_free(this_update);
	OCSP_CERTID_free(id);
	X509_free(issuer);
	X509_free(subject);
}

static void sign(OCSP_BASICRESP *basic, const struct ocsp_pki_spec *spec)
{
	const struct pki_cert *signer = spec->signer != NULL ? spec->signer : spec->issuer;
	X509 *cert = x509(signer);
	EVP_PKEY *key = private_key(signer->key);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *key_context;
	MUST(context != NULL &&
	     EVP_DigestSignInit(context, &key_context, digest_of(signer->key, spec->digest), NULL,
	                        key) == 1);
	if (spec->pss) {
		MUST(EVP_PKEY_CTX_set_rsa_padding(key_context, RSA_PKCS1_PSS_PADDING) == 1 &&
		     EVP_PKEY_CTX_set_rsa_pss_saltlen(key_context, RSA_PSS_SALTLEN_DIGEST) == 1);
	}
	for (size_t i = 0; spec->certs[i] != NULL; i++) {
		X509 *sent = x509(spec->certs[i]);
		MUST(OCSP_basic_add1_cert(basic, sent) == 1);
		X509_free(sent);
	}
	/* OpenSSL has no way to set another time than the clock's. */
	int64_t produced_at = spec->produced_at != 0 ? spec->produced_at : OCSP_PKI_THIS;
	MUST(ASN1_GENERALIZEDTIME_set((ASN1_GENERALIZEDTIME *)OCSP_resp_get0_produced_at(basic),
	                              produced_at) != NULL);
	unsigned long flags = OCSP_NOTIME | OCSP_NOCERTS | (spec->by_key ? OCSP_RESPID_KEY : 0);
	MUST(OCSP_basic_sign_ctx(basic, cert, context, NULL, flags) == 1);
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	X509_free(cert);
}

static struct slice encode(OCSP_RESPONSE *response)
{
	unsigned char *der = NULL;
	int len = i2d_OCSP_RESPONSE(response, &der);
	MUST(len > 0);
	struct slice kept = pki_keep(slice_of(der, (size_t)len));
	OPENSSL_free(der);
	OCSP_RESPONSE_free(response);
	return kept;
}

struct slice ocsp_pki_answer(const struct ocsp_pki_spec *spec)
{
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	MUST(basic != NULL);
	size_t count = spec->entry_count == 0 ? 1 : spec->entry_count;
	for (size_t i = 0; i < count; i++) {
		add_entry(basic, spec, &spec->entries[i]);
	}
	if (spec->nonce != NULL) {
		size_t len = spec->nonce_len == 0 ? OCSP_NONCE_BYTES : spec->nonce_len;
		MUST(OCSP_basic_add1_nonce(basic, (unsigned char *)spec->nonce, (int)len) == 1);
	}
	if (spec->extension != NULL) {
		X509_EXTENSION *e = extension(spec->extension, spec->critical);
		MUST(OCSP_BASICRESP_add_ext(basic, e, -1) == 1);
		X509_EXTENSION_free(e);
	}
	sign(basic, spec);
	OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	MUST(response != NULL);
	OCSP_BASICRESP_free(basic);
	return encode(response);
}

struct slice ocsp_pki_error(int status)
{
	OCSP_RESPONSE *response = OCSP_response_create(status, NULL);
	MUST(response != NULL);
	return encode(response);
}

struct slice ocsp_pki_tbs(struct slice answer)
{
	const unsigned char *p = answer.data;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &p, (long)answer.len);
	MUST(response != NULL);
	OCSP_BASICRESP *basic = OCSP_response_get1_basic(response);
	MUST(basic != NULL);
	unsigned char *der = NULL;
	int len = i2d_OCSP_RESPDATA(OCSP_resp_get0_respdata(basic), &der);
	MUST(len > 0);
	struct slice tbs = pki_keep(slice_of(der, (size_t)len));
	OPENSSL_free(der);
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	return tbs;
}

struct slice ocsp_pki_sign(struct slice tbs, enum pki_key_kind kind)
{
	static const uint8_t ecdsa_sha256[] = {0x06, 0x08, 0x2a, 0x86, 0x48,
	                                       0xce, 0x3d, 0x04, 0x03, 0x02};
	static const uint8_t type[] = {0x06, 0x09, 0x2b, 0x06, 0x01, 0x05,
	                               0x05, 0x07, 0x30, 0x01, 0x01};
	static const uint8_t successful[] = {0x0a, 0x01, 0x00};
	EVP_PKEY *key = private_key(kind);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char signature[1 + 256] = {0};
	size_t len = sizeof(signature) - 1;
	MUST(EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && context != NULL &&
	     EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
	     EVP_DigestSign(context, signature + 1, &len, tbs.data, tbs.len) == 1);
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	struct slice algorithm = pki_tlv(0x30, slice_of(ecdsa_sha256, sizeof(ecdsa_sha256)));
	struct slice bits = pki_tlv(0x03, slice_of(signature, len + 1));
	struct slice basic = pki_tlv(0x30, pki_join(tbs, pki_join(algorithm, bits)));
	struct slice bytes =
		pki_tlv(0x30, pki_join(slice_of(type, sizeof(type)), pki_tlv(0x04, basic)));
	return pki_tlv(0x30,
	               pki_join(slice_of(successful, sizeof(successful)), pki_tlv(0xa0, bytes)));
}

int ocsp_pki_read(struct ocsp_answer *out, struct slice answer, const struct pki_cert *leaf,
                  const struct pki_cert *issuer, const char **why)
{
	int err = ocsp_read(out, answer, leaf->der, issuer->der, NULL, PROFILE_MEDIUM, PKI_NOW, why);
	must((*why == NULL) == (err == 0), "a sentence with every refusal, and none without");
	*why = *why == NULL ? "" : *why;
	return err;
}
