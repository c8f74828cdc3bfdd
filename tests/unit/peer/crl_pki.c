#include "crl_pki.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "peer/der.h"

#define CHAINS_MAX 64

static struct {
	const struct pki_cert *cert;
	struct chain *chain;
} chains[CHAINS_MAX];
static size_t chain_count;

static void must(int code, const char *what)
{
	if (code < 0) {
		fprintf(stderr, "crl_pki: %s: %s\n", what, gnutls_strerror(code));
		exit(99);
	}
}
#define MUST(call) must((call), #call)

static struct slice oid(const char *text)
{
	uint8_t content[64];
	size_t len = der_oid_from_text(text, content, sizeof(content));
	if (len == 0) {
		exit(99);
	}
	return pki_tlv(DER_OID, slice_of(content, len));
}

struct slice crl_pki_extension(const char *name, bool critical, struct slice value)
{
	struct slice in = oid(name);
	if (critical) {
		in = pki_join(in, SLICE("\x01\x01\xff"));
	}
	return pki_tlv(DER_SEQUENCE, pki_join(in, pki_tlv(DER_OCTET_STRING, value)));
}

struct slice crl_pki_point(const char *url)
{
	return pki_tlv(0xa0, pki_tlv(0xa0, pki_tlv(0x86, slice_text(url))));
}

static struct slice time_of(int64_t at)
{
	char text[32];
	struct tm tm;
	time_t t = (time_t)at;
	gmtime_r(&t, &tm);
	bool utc = tm.tm_year >= 50 && tm.tm_year < 150;
	size_t len = strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &tm);
	size_t century = utc ? 2 : 0;
	return pki_tlv(utc ? DER_UTC_TIME : DER_GENERALIZED_TIME,
	               slice_of(text + century, len - century));
}

static struct slice times_of(const struct crl_pki_spec *spec)
{
	if (spec->times.len > 0) {
		return spec->times;
	}
	struct slice in = time_of(spec->this_update != 0 ? spec->this_update : PKI_NOW - PKI_DAY);
	if (spec->next_update == CRL_PKI_NONE) {
		return in;
	}
	return pki_join(in, time_of(spec->next_update != 0 ? spec->next_update : PKI_NOW + PKI_DAY));
}

static struct slice entry_of(const struct crl_pki_entry *entry)
{
	if (entry->instead.len > 0) {
		return entry->instead;
	}
	struct slice in = pki_join(pki_tlv(DER_INTEGER, entry->serial),
	                           time_of(entry->at != 0 ? entry->at : PKI_NOW - PKI_DAY));
	struct slice rest = entry->rest;
	if (entry->reason != 0) {
		uint8_t reason[] = {0x0a, 1, (uint8_t)entry->reason};
		rest = pki_tlv(DER_SEQUENCE, crl_pki_extension("2.5.29.21", false,
		                                               slice_of(reason, sizeof(reason))));
	}
	return pki_tlv(DER_SEQUENCE, pki_join(in, rest));
}

static struct slice revoked_of(const struct crl_pki_spec *spec)
{
	struct slice in = {0};
	if (spec->revoked.len > 0) {
		return spec->revoked;
	}
	for (size_t i = 0; i < CRL_PKI_ENTRIES; i++) {
		const struct crl_pki_entry *entry = &spec->entries[i];
		if (entry->serial.len > 0 || entry->instead.len > 0) {
			in = pki_join(in, entry_of(entry));
		}
	}
	return in.len > 0 ? pki_tlv(DER_SEQUENCE, in) : in;
}

static struct slice name_of(const struct crl_pki_spec *spec)
{
	if (spec->issuer_name.len > 0) {
		return spec->issuer_name;
	}
	gnutls_datum_t name;
	MUST(gnutls_x509_crt_get_raw_dn(spec->issuer->crt, &name));
	struct slice kept = pki_keep(slice_of(name.data, name.size));
	gnutls_free(name.data);
	return kept;
}

/* RFC 4055 3.1 with SHA-256 in both places */
static struct slice pss_identifier(uint8_t salt)
{
	struct slice sha256 =
		pki_tlv(DER_SEQUENCE, pki_join(oid("2.16.840.1.101.3.4.2.1"), SLICE("\x05\x00")));
	struct slice mask = pki_tlv(DER_SEQUENCE, pki_join(oid("1.2.840.113549.1.1.8"), sha256));
	struct slice parameters = pki_join(pki_join(pki_tlv(0xa0, sha256), pki_tlv(0xa1, mask)),
	                                   pki_tlv(0xa2, pki_tlv(DER_INTEGER, slice_of(&salt, 1))));
	return pki_tlv(DER_SEQUENCE,
	               pki_join(oid("1.2.840.113549.1.1.10"), pki_tlv(DER_SEQUENCE, parameters)));
}

static struct slice rsa_identifier(const char *name)
{
	return pki_tlv(DER_SEQUENCE, pki_join(oid(name), SLICE("\x05\x00")));
}

static struct slice algorithm_of(const struct crl_pki_spec *spec, gnutls_sign_algorithm_t *out)
{
	enum pki_key_kind key = spec->issuer->key;
	bool rsa = key == PKI_RSA1024 || key == PKI_RSA2048;
	switch (spec->algorithm) {
	case CRL_PKI_PSS:
	case CRL_PKI_PSS_SALT_20:
		*out = GNUTLS_SIGN_RSA_PSS_SHA256;
		return pss_identifier(spec->algorithm == CRL_PKI_PSS ? 32 : 20);
	case CRL_PKI_MD5:
		*out = GNUTLS_SIGN_RSA_MD5;
		return rsa_identifier("1.2.840.113549.1.1.4");
	case CRL_PKI_SHA1:
		*out = rsa ? GNUTLS_SIGN_RSA_SHA1 : GNUTLS_SIGN_ECDSA_SHA1;
		return rsa ? rsa_identifier("1.2.840.113549.1.1.5")
		           : pki_tlv(DER_SEQUENCE, oid("1.2.840.10045.4.1"));
	case CRL_PKI_USUAL:
		break;
	}
	if (rsa) {
		*out = GNUTLS_SIGN_RSA_SHA256;
		return rsa_identifier("1.2.840.113549.1.1.11");
	}
	if (key == PKI_ED25519 || key == PKI_ED448) {
		*out = key == PKI_ED448 ? GNUTLS_SIGN_EDDSA_ED448 : GNUTLS_SIGN_EDDSA_ED25519;
		return pki_tlv(DER_SEQUENCE, oid(key == PKI_ED448 ? "1.3.101.113" : "1.3.101.112"));
	}
	*out = GNUTLS_SIGN_ECDSA_SHA256;
	return pki_tlv(DER_SEQUENCE, oid("1.2.840.10045.4.3.2"));
}

static struct slice sign(const struct crl_pki_spec *spec, gnutls_sign_algorithm_t algorithm,
                         struct slice tbs)
{
	enum pki_key_kind signer = spec->issuer->key;
	if (spec->wrong_signature) {
		signer = signer == PKI_P256_D ? PKI_P256_C : PKI_P256_D;
	}
	gnutls_privkey_t key;
	gnutls_datum_t data = {(unsigned char *)tbs.data, (unsigned)tbs.len};
	gnutls_datum_t signature;
	MUST(gnutls_privkey_init(&key));
	MUST(gnutls_privkey_import_x509(key, pki_key(signer), 0));
	MUST(gnutls_privkey_sign_data2(key, algorithm, 0, &data, &signature));
	struct slice bits = pki_tlv(
		DER_BIT_STRING, pki_join(SLICE("\0"), slice_of(signature.data, signature.size)));
	gnutls_free(signature.data);
	gnutls_privkey_deinit(key);
	return bits;
}

struct slice crl_pki_make(const struct crl_pki_spec *spec)
{
	gnutls_sign_algorithm_t algorithm;
	struct slice outer = algorithm_of(spec, &algorithm);
	struct slice tbs = spec->version.len > 0 ? spec->version
	                   : spec->v1            ? (struct slice){0}
	                                         : SLICE("\x02\x01\x01");
	tbs = pki_join(tbs, spec->inner.len > 0 ? spec->inner : outer);
	tbs = pki_join(pki_join(tbs, name_of(spec)), times_of(spec));
	tbs = pki_join(tbs, revoked_of(spec));
	struct slice extensions = {0};
	for (size_t i = 0; i < CRL_PKI_EXTENSIONS; i++) {
		extensions = pki_join(extensions, spec->extensions[i]);
	}
	if (extensions.len > 0) {
		tbs = pki_join(tbs, pki_tlv(0xa0, pki_tlv(DER_SEQUENCE, extensions)));
	}
	tbs = pki_tlv(DER_SEQUENCE, pki_join(tbs, spec->tail));
	return pki_tlv(DER_SEQUENCE, pki_join(pki_join(tbs, outer), sign(spec, algorithm, tbs)));
}

struct crl *crl_pki_crl(const struct crl_pki_spec *spec)
{
	struct crl *crl;
	const char *why;
	if (crl_parse(&crl, crl_pki_make(spec), &why) != E_OK) {
		fprintf(stderr, "crl_pki: %s\n", why);
		exit(99);
	}
	return crl;
}

struct slice crl_pki_pem(struct slice der)
{
	gnutls_datum_t in = {(unsigned char *)der.data, (unsigned)der.len};
	gnutls_datum_t out;
	MUST(gnutls_pem_base64_encode2("X509 CRL", &in, &out));
	struct slice pem = pki_keep(slice_of(out.data, out.size));
	gnutls_free(out.data);
	return pem;
}

const struct pki_cert *crl_pki_ca(const char *subject, enum pki_key_kind key,
                                  const struct pki_cert *issuer)
{
	return pki_make(&(struct pki_spec){
		.subject = subject,
		.key = key,
		.issuer = issuer,
		.ca = true,
		.key_usage = GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN,
	});
}

const struct cert *crl_pki_read(const struct pki_cert *cert)
{
	for (size_t i = 0; i < chain_count; i++) {
		if (chains[i].cert == cert) {
			return &chains[i].chain->certs[0];
		}
	}
	if (chain_count == CHAINS_MAX) {
		exit(99);
	}
	struct chain *chain;
	if (chain_new(&chain, &cert->der, 1) != E_OK || chain_parse(chain) != E_OK ||
	    !chain->certs[0].parsed) {
		exit(99);
	}
	chains[chain_count].cert = cert;
	chains[chain_count++].chain = chain;
	return &chain->certs[0];
}

void crl_pki_release(void)
{
	while (chain_count > 0) {
		chain_unref(&chains[--chain_count].chain);
	}
	pki_release();
}
