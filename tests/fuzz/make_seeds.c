/* Makes what is missing of tests/fuzz/pki and of the seeds of the x509 targets: make tests/fuzz/make_seeds, then
 *
 *     tests/fuzz/make_seeds .../tests/fuzz
 *
 * Nothing is written over: with another key or CA, inputs that were found would no longer mean what they did. Keys and
 * certificates are throw-away material. */
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "chain_input.h"
#include "fuzz_pki.h"
#include "peer/crl_pki.h"
#include "peer/ocsp_pki.h"
#include "peer/pki.h"

#define CHAIN_MAX 8

static const char *folder;
static const struct pki_cert *certs[FUZZ_CERT_COUNT];

static void must(bool done, const char *what)
{
	if (!done) {
		fprintf(stderr, "make_seeds: %s\n", what);
		exit(1);
	}
}
#define MUST(call) must((call), #call)

/* Where a file goes; NULL: it is there already. */
static const char *missing(const char *in, const char *name, const char *suffix)
{
	static char path[4096];
	snprintf(path, sizeof(path), "%s/%s/%s%s", folder, in, name, suffix);
	return access(path, F_OK) == 0 ? NULL : path;
}

static void write_file(const char *path, struct slice content)
{
	FILE *file = fopen(path, "wb");
	must(file != NULL && fwrite(content.data, 1, content.len, file) == content.len &&
	             fclose(file) == 0,
	     path);
}

/* --- keys and CAs --- */

static const struct {
	enum pki_key_kind kind;
	gnutls_pk_algorithm_t algorithm;
	unsigned bits;
} key_rows[FUZZ_KEY_COUNT] = {
	[FUZZ_KEY_P256_A] = {PKI_P256_A, GNUTLS_PK_ECDSA,
                             GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)},
	[FUZZ_KEY_P256_B] = {PKI_P256_B, GNUTLS_PK_ECDSA,
                             GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)},
	[FUZZ_KEY_P256_C] = {PKI_P256_C, GNUTLS_PK_ECDSA,
                             GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)},
	[FUZZ_KEY_P256_D] = {PKI_P256_D, GNUTLS_PK_ECDSA,
                             GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)},
	[FUZZ_KEY_P384] = {PKI_P384, GNUTLS_PK_ECDSA,
                           GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1)},
	[FUZZ_KEY_ED25519] = {PKI_ED25519, GNUTLS_PK_EDDSA_ED25519, 256},
	[FUZZ_KEY_ED448] = {PKI_ED448, GNUTLS_PK_EDDSA_ED448, 456},
	[FUZZ_KEY_RSA1024] = {PKI_RSA1024, GNUTLS_PK_RSA, 1024},
	[FUZZ_KEY_RSA2048] = {PKI_RSA2048, GNUTLS_PK_RSA, 2048},
};

static void make_key(enum fuzz_key key)
{
	const char *path = missing("pki", fuzz_key_name(key), ".key");
	if (path != NULL) {
		gnutls_x509_privkey_t made;
		gnutls_datum_t pem;
		MUST(gnutls_x509_privkey_init(&made) >= 0);
		MUST(gnutls_x509_privkey_generate(made, key_rows[key].algorithm, key_rows[key].bits,
		                                  0) >= 0);
		MUST(gnutls_x509_privkey_export2_pkcs8(made, GNUTLS_X509_FMT_PEM, NULL,
		                                       GNUTLS_PKCS_PLAIN, &pem) >= 0);
		write_file(path, slice_of(pem.data, pem.size));
		gnutls_free(pem.data);
		gnutls_x509_privkey_deinit(made);
	}
	pki_use_key(key_rows[key].kind, fuzz_key(key));
}

static struct slice subtree(uint8_t tag, struct slice content)
{
	return pki_tlv(0x30, pki_tlv(tag, content));
}

/* Each form of name; the directory name is O=Fuzz. */
static struct slice constraints(void)
{
	static const uint8_t address[] = {10, 0, 0, 0, 255, 0, 0, 0};
	struct slice organization =
		pki_tlv(0x30, pki_tlv(0x31, pki_tlv(0x30, pki_join(SLICE("\x06\x03\x55\x04\x0a"),
	                                                           pki_tlv(0x0c, SLICE("Fuzz"))))));
	struct slice permitted = subtree(0x82, SLICE("fuzz.example"));
	permitted = pki_join(permitted, subtree(0x81, SLICE("fuzz.example")));
	permitted = pki_join(permitted, subtree(0x86, SLICE(".fuzz.example")));
	permitted = pki_join(permitted, subtree(0x87, slice_of(address, sizeof(address))));
	permitted = pki_join(permitted, subtree(0xa4, organization));
	struct slice excluded = subtree(0x82, SLICE("bad.fuzz.example"));
	excluded = pki_join(excluded, subtree(0x81, SLICE("bad@fuzz.example")));
	return pki_tlv(0x30, pki_join(pki_tlv(0xa0, permitted), pki_tlv(0xa1, excluded)));
}

#define CA .ca = true, .key_usage = GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN, .key_ids = true
#define CLIENT \
	.key = PKI_P256_C, .key_usage = GNUTLS_KEY_DIGITAL_SIGNATURE, \
	.purposes = {GNUTLS_KP_TLS_WWW_CLIENT}

static struct pki_spec cert_spec(enum fuzz_cert cert)
{
	switch (cert) {
	case FUZZ_ROOT:
		return (struct pki_spec){.subject = "CN=Root,O=Fuzz", .key = PKI_P256_A, CA};
	case FUZZ_INTERMEDIATE:
		return (struct pki_spec){.subject = "CN=Intermediate,O=Fuzz",
		                         .key = PKI_P256_B,
		                         .issuer = certs[FUZZ_ROOT],
		                         CA};
	case FUZZ_ISSUING:
		return (struct pki_spec){.subject = "CN=Issuing,O=Fuzz",
		                         .key = PKI_P384,
		                         .issuer = certs[FUZZ_INTERMEDIATE],
		                         .path_length_plus_1 = 1,
		                         CA};
	case FUZZ_CONSTRAINED:
		return (struct pki_spec){.subject = "CN=Constrained,O=Fuzz",
		                         .key = PKI_P256_D,
		                         .issuer = certs[FUZZ_ROOT],
		                         .extensions = {{"2.5.29.30", constraints(), true}},
		                         CA};
	case FUZZ_EDWARDS:
		return (struct pki_spec){.subject = "CN=Edwards,O=Fuzz", .key = PKI_ED25519, CA};
	case FUZZ_EDWARDS448:
		return (struct pki_spec){.subject = "CN=Edwards448,O=Fuzz", .key = PKI_ED448, CA};
	case FUZZ_RSA:
		return (struct pki_spec){.subject = "CN=RSA,O=Fuzz", .key = PKI_RSA2048, CA};
	case FUZZ_WEAK:
		return (struct pki_spec){.subject = "CN=Weak,O=Fuzz",
		                         .key = PKI_RSA1024,
		                         .digest = GNUTLS_DIG_SHA1,
		                         CA};
	case FUZZ_STRANGER:
		return (struct pki_spec){.subject = "CN=Stranger,O=Fuzz", .key = PKI_P256_C, CA};
	case FUZZ_CLIENT:
		return (struct pki_spec){.subject = "CN=client,O=Fuzz",
		                         .issuer = certs[FUZZ_INTERMEDIATE],
		                         .key_ids = true,
		                         CLIENT};
	case FUZZ_SELF:
		return (struct pki_spec){.subject = "CN=self,O=Fuzz", CLIENT};
	case FUZZ_RESPONDER:
		return (struct pki_spec){
			.subject = "CN=Responder,O=Fuzz",
			.key = PKI_P256_D,
			.issuer = certs[FUZZ_INTERMEDIATE],
			.key_usage = GNUTLS_KEY_DIGITAL_SIGNATURE,
			.purposes = {GNUTLS_KP_OCSP_SIGNING},
			.extensions = {{"1.3.6.1.5.5.7.48.1.5", SLICE("\x05\x00"), false}}};
	case FUZZ_CERT_COUNT:
		break;
	}
	abort();
}

static void make_cert(enum fuzz_cert cert)
{
	static struct pki_cert read[FUZZ_CERT_COUNT];
	struct pki_spec spec = cert_spec(cert);
	const char *path = missing("pki", fuzz_cert_name(cert), ".pem");
	if (path != NULL) {
		write_file(path, pki_pem(pki_make(&spec)->der));
	}
	struct slice der = fuzz_cert(cert);
	gnutls_datum_t in = {(unsigned char *)der.data, (unsigned)der.len};
	read[cert] = (struct pki_cert){.der = der, .key = spec.key};
	MUST(gnutls_x509_crt_init(&read[cert].crt) >= 0);
	MUST(gnutls_x509_crt_import(read[cert].crt, &in, GNUTLS_X509_FMT_DER) >= 0);
	certs[cert] = &read[cert];
}

/* Serial numbers that nothing else has: the certificates are made last. */
#define DENIED_SERIAL 0x62
#define REVOKED_SERIAL 0x63

static void make_lists(void)
{
	static const uint8_t revoked[] = {0x0a, REVOKED_SERIAL};
	const char *path = missing("pki", "root.crl", "");
	if (path != NULL) {
		write_file(path, crl_pki_make(&(struct crl_pki_spec){.issuer = certs[FUZZ_ROOT]}));
	}
	path = missing("pki", "intermediate.crl", "");
	if (path != NULL) {
		write_file(path, crl_pki_pem(crl_pki_make(&(struct crl_pki_spec){
					 .issuer = certs[FUZZ_INTERMEDIATE],
					 .entries = {{.serial = slice_of(revoked, sizeof(revoked)),
		                                      .reason = 1}}})));
	}
	path = missing("pki", "deny.txt", "");
	if (path != NULL) {
		char text[128];
		snprintf(text, sizeof(text), "serial 0A%02X issuer CN=Intermediate,O=Fuzz\n",
		         DENIED_SERIAL);
		write_file(path, slice_text(text));
	}
}

/* --- chains --- */

/* `chain`: NULL at the end. */
static void seed_chain(const char *name, const struct pki_cert *const chain[static CHAIN_MAX])
{
	struct chain_input in = {.how = 0};
	while (in.count < CHAIN_MAX && chain[in.count] != NULL) {
		in.der[in.count] = chain[in.count]->der;
		in.count++;
	}
	const char *path = missing("corpus/chain", name, "");
	if (path != NULL) {
		struct buf out;
		buf_init(&out, 1 << 16);
		chain_input_write(&in, &out);
		write_file(path, buf_slice(&out));
		buf_release(&out);
	}
}

/* A leaf and its issuers. */
static void seed_leaf(const char *name, struct pki_spec spec, enum fuzz_cert issuer)
{
	spec.issuer = certs[issuer];
	const struct pki_cert *leaf = pki_make(&spec);
	switch (issuer) {
	case FUZZ_ISSUING:
		seed_chain(name, (const struct pki_cert *[CHAIN_MAX]){leaf, certs[FUZZ_ISSUING],
		                                                      certs[FUZZ_INTERMEDIATE]});
		break;
	case FUZZ_INTERMEDIATE:
	case FUZZ_CONSTRAINED:
		seed_chain(name, (const struct pki_cert *[CHAIN_MAX]){leaf, certs[issuer]});
		break;
	default:
		seed_chain(name, (const struct pki_cert *[CHAIN_MAX]){leaf});
		break;
	}
}

static struct slice general_names(void)
{
	static const uint8_t address[] = {10, 1, 2, 3};
	struct slice names = pki_tlv(0x82, SLICE("a.fuzz.example"));
	names = pki_join(names, pki_tlv(0x82, SLICE("*.fuzz.example")));
	names = pki_join(names, pki_tlv(0x81, SLICE("a@fuzz.example")));
	names = pki_join(names, pki_tlv(0x86, SLICE("spiffe://a.fuzz.example/client")));
	names = pki_join(names, pki_tlv(0x87, slice_of(address, sizeof(address))));
	struct slice subject = fuzz_cert_subject(FUZZ_CLIENT);
	names = pki_join(names, pki_tlv(0xa4, subject));
	struct slice other = pki_join(SLICE("\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03"),
	                              pki_tlv(0xa0, pki_tlv(0x0c, SLICE("a@fuzz.example"))));
	return pki_tlv(0x30, pki_join(names, pki_tlv(0xa0, other)));
}

/* RFC 3739 3.2.6 with ETSI TS 119 495: one role, and who granted it */
static struct slice qc_statements(void)
{
	struct slice role = pki_tlv(0x30, pki_join(SLICE("\x06\x07\x04\x00\x81\x98\x27\x01\x01"),
	                                           pki_tlv(0x0c, SLICE("PSP_AS"))));
	struct slice psd2 = pki_tlv(0x30, role);
	psd2 = pki_join(psd2, pki_tlv(0x0c, SLICE("Fuzz Authority")));
	psd2 = pki_tlv(0x30, pki_join(psd2, pki_tlv(0x0c, SLICE("XX-FUZZ"))));
	struct slice statement =
		pki_tlv(0x30, pki_join(SLICE("\x06\x06\x04\x00\x81\x98\x27\x02"), psd2));
	struct slice compliance = pki_tlv(0x30, SLICE("\x06\x06\x04\x00\x8e\x46\x01\x01"));
	return pki_tlv(0x30, pki_join(compliance, statement));
}

static void make_good_chains(void)
{
	seed_chain("client", (const struct pki_cert *[CHAIN_MAX]){certs[FUZZ_CLIENT],
	                                                          certs[FUZZ_INTERMEDIATE]});
	seed_chain("self", (const struct pki_cert *[CHAIN_MAX]){certs[FUZZ_SELF]});
	seed_chain("with-the-root", (const struct pki_cert *[CHAIN_MAX]){certs[FUZZ_CLIENT],
	                                                                 certs[FUZZ_INTERMEDIATE],
	                                                                 certs[FUZZ_ROOT]});
	seed_chain("in-another-order-and-twice",
	           (const struct pki_cert *[CHAIN_MAX]){
			   certs[FUZZ_CLIENT], certs[FUZZ_ROOT], certs[FUZZ_STRANGER],
			   certs[FUZZ_INTERMEDIATE], certs[FUZZ_INTERMEDIATE]});
	const struct pki_spec usual = {.subject = "CN=a,O=Fuzz", CLIENT};
	seed_leaf("two-intermediates", usual, FUZZ_ISSUING);
	seed_leaf("directly", usual, FUZZ_ROOT);
	seed_leaf("by-ed25519", usual, FUZZ_EDWARDS);
	seed_leaf("by-ed448", usual, FUZZ_EDWARDS448);
	seed_leaf("by-rsa", usual, FUZZ_RSA);
	struct pki_spec spec = usual;
	spec.sign_flags = GNUTLS_PRIVKEY_SIGN_FLAG_RSA_PSS;
	seed_leaf("by-rsa-pss", spec, FUZZ_RSA);
	spec = usual;
	spec.digest = GNUTLS_DIG_SHA1;
	seed_leaf("by-rsa-with-sha1", spec, FUZZ_RSA);
	seed_leaf("by-weak", spec, FUZZ_WEAK);
	spec = usual;
	spec.key = PKI_RSA2048;
	seed_leaf("rsa", spec, FUZZ_INTERMEDIATE);
	spec.key = PKI_ED25519;
	seed_leaf("ed25519", spec, FUZZ_INTERMEDIATE);
	spec.key = PKI_P384;
	seed_leaf("p384", spec, FUZZ_INTERMEDIATE);
	spec = usual;
	spec.extensions[0] = (struct pki_extension){"2.5.29.17", general_names(), false};
	seed_leaf("names-that-are-permitted", spec, FUZZ_CONSTRAINED);
	spec.extensions[1] = (struct pki_extension){"1.3.6.1.5.5.7.1.3", qc_statements(), false};
	/* policy 2.5.29.32.0; OCSP and CA issuers; a distribution point */
	spec.extensions[2] = (struct pki_extension){
		"2.5.29.32", SLICE("\x30\x08\x30\x06\x06\x04\x55\x1d\x20\x00"), false};
	spec.extensions[3] = (struct pki_extension){
		"1.3.6.1.5.5.7.1.1",
		pki_tlv(0x30,
	                pki_tlv(0x30, pki_join(SLICE("\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x01"),
	                                       pki_tlv(0x86, SLICE("http://ocsp.fuzz.example/"))))),
		false};
	seed_leaf("qualified", spec, FUZZ_INTERMEDIATE);
	spec = usual;
	spec.extensions[0] = (struct pki_extension){
		"2.5.29.31", pki_tlv(0x30, pki_tlv(0x30, crl_pki_point("http://fuzz.example/crl"))),
		false};
	seed_leaf("distribution-point", spec, FUZZ_INTERMEDIATE);
	spec = (struct pki_spec){.subject = "CN=server,O=Fuzz",
	                         .key = PKI_P256_C,
	                         .purposes = {GNUTLS_KP_TLS_WWW_SERVER},
	                         .dns = {"server.fuzz.example"}};
	seed_leaf("server", spec, FUZZ_ROOT);
	seed_leaf("version-1",
	          (struct pki_spec){.subject = "CN=a,O=Fuzz", .key = PKI_P256_C, .version = 1},
	          FUZZ_INTERMEDIATE);
}

static void make_bad_chains(void)
{
	const struct pki_spec usual = {.subject = "CN=a,O=Fuzz", CLIENT};
	struct pki_spec spec = usual;
	seed_leaf("unknown-issuer", spec, FUZZ_STRANGER);
	seed_leaf("issuer-not-ca", spec, FUZZ_CLIENT);
	spec.not_after = PKI_NOW - PKI_DAY;
	seed_leaf("expired", spec, FUZZ_INTERMEDIATE);
	spec = usual;
	spec.not_before = PKI_NOW + PKI_DAY;
	seed_leaf("not-yet-valid", spec, FUZZ_INTERMEDIATE);
	spec = usual;
	spec.wrong_signature = true;
	seed_leaf("bad-signature", spec, FUZZ_INTERMEDIATE);
	spec = usual;
	spec.purposes[0] = GNUTLS_KP_CODE_SIGNING;
	seed_leaf("wrong-purpose", spec, FUZZ_INTERMEDIATE);
	spec = usual;
	spec.extensions[0] = (struct pki_extension){"1.2.3.4", SLICE("\x05\x00"), true};
	seed_leaf("unknown-critical-extension", spec, FUZZ_INTERMEDIATE);
	spec = usual;
	spec.dns[0] = "bad.fuzz.example";
	seed_leaf("name-that-is-excluded", spec, FUZZ_CONSTRAINED);
	spec.dns[0] = "other.example";
	seed_leaf("name-that-is-not-permitted", spec, FUZZ_CONSTRAINED);
	spec = (struct pki_spec){.subject_cn = pki_tlv(0x0c, SLICE("a\0b")), CLIENT};
	seed_leaf("nul-in-the-name", spec, FUZZ_INTERMEDIATE);
	spec.subject_cn = pki_tlv(0x1e, SLICE("\0a\0b\xd8\0\xdc\0"));
	seed_leaf("bmp-string", spec, FUZZ_INTERMEDIATE);
	spec.subject_cn = pki_tlv(0x14, SLICE("\xe4\xf6"));
	seed_leaf("teletex-string", spec, FUZZ_INTERMEDIATE);
	spec = usual;
	spec.ca = true;
	spec.key_usage = GNUTLS_KEY_KEY_CERT_SIGN;
	spec.issuer = certs[FUZZ_ISSUING];
	spec.key = PKI_P256_C;
	const struct pki_cert *below = pki_make(&spec);
	spec = usual;
	spec.issuer = below;
	seed_chain("path-length-exceeded",
	           (const struct pki_cert *[CHAIN_MAX]){pki_make(&spec), below, certs[FUZZ_ISSUING],
	                                                certs[FUZZ_INTERMEDIATE]});
	/* The same key and name under two CAs, one of them nobody's. */
	struct pki_spec cross = {.subject = "CN=Intermediate,O=Fuzz",
	                         .key = PKI_P256_B,
	                         .issuer = certs[FUZZ_STRANGER],
	                         CA};
	seed_chain("cross-signed", (const struct pki_cert *[CHAIN_MAX]){
					   certs[FUZZ_CLIENT], pki_make(&cross),
					   certs[FUZZ_STRANGER], certs[FUZZ_INTERMEDIATE]});
	struct pki_spec expired = {.subject = "CN=Intermediate,O=Fuzz",
	                           .key = PKI_P256_B,
	                           .issuer = certs[FUZZ_ROOT],
	                           .not_after = PKI_NOW - PKI_DAY,
	                           CA};
	seed_chain("one-of-two-issuers-expired",
	           (const struct pki_cert *[CHAIN_MAX]){certs[FUZZ_CLIENT], pki_make(&expired),
	                                                certs[FUZZ_INTERMEDIATE]});
	/* By serial number: everything else is made by now. */
	for (uint8_t serial = 0; serial < REVOKED_SERIAL;) {
		struct pki_spec next = usual;
		next.issuer = certs[FUZZ_INTERMEDIATE];
		const struct pki_cert *leaf = pki_make(&next);
		uint8_t number[8];
		size_t len = sizeof(number);
		MUST(gnutls_x509_crt_get_serial(leaf->crt, number, &len) >= 0 && len == 2);
		serial = number[1];
		MUST(serial <= REVOKED_SERIAL);
		if (serial == DENIED_SERIAL || serial == REVOKED_SERIAL) {
			seed_chain(serial == DENIED_SERIAL ? "denylisted" : "revoked",
			           (const struct pki_cert *[CHAIN_MAX]){leaf,
			                                                certs[FUZZ_INTERMEDIATE]});
		}
	}
	const char *path = missing("corpus/chain", "pem", "");
	if (path != NULL) {
		write_file(path, pki_join(pki_pem(certs[FUZZ_CLIENT]->der),
		                          pki_pem(certs[FUZZ_INTERMEDIATE]->der)));
	}
}

/* --- CRLs --- */

static void seed_crl(const char *name, struct crl_pki_spec spec)
{
	const char *path = missing("corpus/crl", name, "");
	if (path != NULL) {
		write_file(path, crl_pki_make(&spec));
	}
}

static struct slice serial_of(enum fuzz_cert cert)
{
	static uint8_t number[24];
	size_t len = sizeof(number);
	MUST(gnutls_x509_crt_get_serial(certs[cert]->crt, number, &len) >= 0);
	return pki_keep(slice_of(number, len));
}

static void make_crls(void)
{
	const struct pki_cert *ca = certs[FUZZ_INTERMEDIATE];
	struct slice number = crl_pki_extension("2.5.29.20", false, SLICE("\x02\x02\x01\x02"));
	struct slice key_id = crl_pki_extension("2.5.29.35", false, SLICE("\x30\x03\x80\x01\x01"));
	const struct crl_pki_entry client = {.serial = serial_of(FUZZ_CLIENT), .reason = 4};
	const struct crl_pki_entry other = {.serial = SLICE("\x01"), .reason = 1};
	seed_crl("empty", (struct crl_pki_spec){.issuer = ca});
	seed_crl("usual", (struct crl_pki_spec){
				  .issuer = ca, .entries = {other}, .extensions = {number, key_id}});
	seed_crl("revokes-the-client", (struct crl_pki_spec){.issuer = ca,
	                                                     .entries = {other, client},
	                                                     .extensions = {number}});
	seed_crl("of-the-root",
	         (struct crl_pki_spec){.issuer = certs[FUZZ_ROOT], .entries = {other}});
	seed_crl("revokes-the-intermediate",
	         (struct crl_pki_spec){.issuer = certs[FUZZ_ROOT],
	                               .entries = {{.serial = serial_of(FUZZ_INTERMEDIATE)}}});
	seed_crl("wrong-signature",
	         (struct crl_pki_spec){.issuer = ca, .wrong_signature = true, .entries = {client}});
	seed_crl("version-1", (struct crl_pki_spec){.issuer = ca,
	                                            .v1 = true,
	                                            .entries = {{.serial = SLICE("\x01")}}});
	seed_crl("expired", (struct crl_pki_spec){.issuer = ca, .next_update = PKI_NOW - 60});
	seed_crl("not-yet", (struct crl_pki_spec){.issuer = ca, .this_update = PKI_NOW + 60});
	seed_crl("no-next-update", (struct crl_pki_spec){.issuer = ca, .next_update = CRL_PKI_NONE});
	seed_crl("delta",
	         (struct crl_pki_spec){
			 .issuer = ca,
			 .extensions = {number, crl_pki_extension("2.5.29.27", true,
	                                                          SLICE("\x02\x01\x01"))}});
	/* users only; CAs only; indirect */
	seed_crl("users-only",
	         (struct crl_pki_spec){.issuer = ca,
	                               .extensions = {crl_pki_extension(
					       "2.5.29.28", true, SLICE("\x30\x03\x81\x01\xff"))}});
	seed_crl("cas-only",
	         (struct crl_pki_spec){.issuer = ca,
	                               .extensions = {crl_pki_extension(
					       "2.5.29.28", true, SLICE("\x30\x03\x82\x01\xff"))}});
	seed_crl("indirect",
	         (struct crl_pki_spec){.issuer = ca,
	                               .extensions = {crl_pki_extension(
					       "2.5.29.28", true, SLICE("\x30\x03\x84\x01\xff"))}});
	seed_crl("distribution-point",
	         (struct crl_pki_spec){
			 .issuer = ca,
			 .extensions = {crl_pki_extension(
				 "2.5.29.28", true,
				 pki_tlv(0x30, crl_pki_point("http://fuzz.example/crl")))}});
	seed_crl("ed25519",
	         (struct crl_pki_spec){.issuer = certs[FUZZ_EDWARDS], .entries = {other}});
	seed_crl("rsa", (struct crl_pki_spec){.issuer = certs[FUZZ_RSA], .entries = {other}});
	seed_crl("rsa-pss",
	         (struct crl_pki_spec){.issuer = certs[FUZZ_RSA], .algorithm = CRL_PKI_PSS});
	seed_crl("weak",
	         (struct crl_pki_spec){.issuer = certs[FUZZ_WEAK], .algorithm = CRL_PKI_SHA1});
	const char *path = missing("corpus/crl", "pem", "");
	if (path != NULL) {
		struct crl_pki_spec first = {.issuer = ca};
		struct crl_pki_spec second = {.issuer = certs[FUZZ_ROOT]};
		write_file(path, pki_join(crl_pki_pem(crl_pki_make(&first)),
		                          crl_pki_pem(crl_pki_make(&second))));
	}
}

/* --- OCSP answers --- */

static void seed_ocsp(const char *name, struct ocsp_pki_spec spec)
{
	spec.leaf = spec.leaf == NULL ? certs[FUZZ_CLIENT] : spec.leaf;
	spec.issuer = spec.issuer == NULL ? certs[FUZZ_INTERMEDIATE] : spec.issuer;
	const char *path = missing("corpus/ocsp", name, "");
	if (path != NULL) {
		write_file(path, ocsp_pki_answer(&spec));
	}
}

static void make_ocsp(void)
{
	static const uint8_t nonce[OCSP_NONCE_BYTES] = {1, 2, 3};
	static const uint8_t other_nonce[OCSP_NONCE_BYTES] = {4, 5, 6};
	const struct pki_cert *by = certs[FUZZ_RESPONDER];
	seed_ocsp("good", (struct ocsp_pki_spec){0});
	seed_ocsp("good-by-key", (struct ocsp_pki_spec){.by_key = true});
	seed_ocsp("good-by-delegate", (struct ocsp_pki_spec){.signer = by, .certs = {by}});
	seed_ocsp("good-by-delegate-key",
	          (struct ocsp_pki_spec){
			  .signer = by, .by_key = true, .certs = {certs[FUZZ_INTERMEDIATE], by}});
	seed_ocsp("good-by-delegate-that-is-not-sent", (struct ocsp_pki_spec){.signer = by});
	seed_ocsp("good-with-nonce", (struct ocsp_pki_spec){.nonce = nonce});
	seed_ocsp("good-with-another-nonce", (struct ocsp_pki_spec){.nonce = other_nonce});
	seed_ocsp("good-without-next-update",
	          (struct ocsp_pki_spec){
			  .entries = {{.this_update = PKI_NOW - 10, .next_update = OCSP_PKI_NONE}}});
	seed_ocsp("good-with-sha256", (struct ocsp_pki_spec){.entries = {{.digest = "SHA256"}}});
	seed_ocsp("revoked", (struct ocsp_pki_spec){
				     .entries = {{.status = OCSP_PKI_REVOKED, .reason_plus_1 = 2}}});
	seed_ocsp("unknown", (struct ocsp_pki_spec){.entries = {{.status = OCSP_PKI_UNKNOWN}}});
	seed_ocsp("good-and-revoked",
	          (struct ocsp_pki_spec){.entry_count = 2,
	                                 .entries = {{0}, {.status = OCSP_PKI_REVOKED}}});
	seed_ocsp("about-another", (struct ocsp_pki_spec){.leaf = certs[FUZZ_ISSUING]});
	seed_ocsp("out-of-date", (struct ocsp_pki_spec){.entries = {{.next_update = PKI_NOW - 10}}});
	seed_ocsp("by-a-stranger", (struct ocsp_pki_spec){.signer = certs[FUZZ_STRANGER],
	                                                  .certs = {certs[FUZZ_STRANGER]}});
	seed_ocsp("critical-extension",
	          (struct ocsp_pki_spec){.extension = "1.2.3.4", .critical = true});
	seed_ocsp("extension", (struct ocsp_pki_spec){.entries = {{.extension = "1.2.3.4"}}});
	const char *path = missing("corpus/ocsp", "try-later", "");
	if (path != NULL) {
		write_file(path, ocsp_pki_error(3));
	}
}

int main(int argc, char **argv)
{
	must(argc == 2, "usage: make_seeds .../tests/fuzz");
	folder = argv[1];
	for (int i = 0; i < FUZZ_KEY_COUNT; i++) {
		make_key((enum fuzz_key)i);
	}
	for (int i = 0; i < FUZZ_CERT_COUNT; i++) {
		make_cert((enum fuzz_cert)i);
	}
	make_lists();
	make_good_chains();
	make_bad_chains();
	make_crls();
	make_ocsp();
	return 0;
}
