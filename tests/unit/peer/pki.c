#include "pki.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "peer/crl_store.h"

static struct kept {
	struct kept *next;
	struct pki_cert cert;
	char *path; /* to be removed */
	uint8_t bytes[];
} * all;

static gnutls_x509_privkey_t keys[PKI_KEY_COUNT];

static void must(int code, const char *what)
{
	if (code < 0) {
		fprintf(stderr, "pki: %s: %s\n", what, gnutls_strerror(code));
		exit(99);
	}
}
#define MUST(call) must((call), #call)

static struct kept *keep(size_t extra)
{
	struct kept *k = calloc(1, sizeof(*k) + extra);
	if (k == NULL) {
		exit(99);
	}
	k->next = all;
	all = k;
	return k;
}

struct slice pki_keep(struct slice bytes)
{
	struct kept *k = keep(bytes.len + 1);
	if (bytes.len > 0) {
		memcpy(k->bytes, bytes.data, bytes.len);
	}
	return slice_of(k->bytes, bytes.len);
}

void pki_release(void)
{
	while (all != NULL) {
		struct kept *k = all;
		all = k->next;
		if (k->cert.crt != NULL) {
			gnutls_x509_crt_deinit(k->cert.crt);
			gnutls_free((void *)k->cert.der.data);
		}
		if (k->path != NULL) {
			unlink(k->path);
		}
		free(k);
	}
	for (int i = 0; i < PKI_KEY_COUNT; i++) {
		if (keys[i] != NULL) {
			gnutls_x509_privkey_deinit(keys[i]);
			keys[i] = NULL;
		}
	}
}

gnutls_x509_privkey_t pki_key(enum pki_key_kind kind)
{
	if (keys[kind] != NULL) {
		return keys[kind];
	}
	static const struct {
		gnutls_pk_algorithm_t algorithm;
		unsigned bits;
	} kinds[PKI_KEY_COUNT] = {
		[PKI_P256_A] = {GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)},
		[PKI_P256_B] = {GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)},
		[PKI_P256_C] = {GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)},
		[PKI_P256_D] = {GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)},
		[PKI_P384] = {GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1)},
		[PKI_P224] = {GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP224R1)},
		[PKI_ED25519] = {GNUTLS_PK_EDDSA_ED25519, 256},
		[PKI_ED448] = {GNUTLS_PK_EDDSA_ED448, 456},
		[PKI_RSA1024] = {GNUTLS_PK_RSA, 1024},
		[PKI_RSA2048] = {GNUTLS_PK_RSA, 2048},
		[PKI_DSA] = {GNUTLS_PK_DSA, 1024},
	};
	MUST(gnutls_x509_privkey_init(&keys[kind]));
	MUST(gnutls_x509_privkey_generate(keys[kind], kinds[kind].algorithm, kinds[kind].bits, 0));
	return keys[kind];
}

void pki_use_key(enum pki_key_kind kind, gnutls_x509_privkey_t key)
{
	keys[kind] = key;
}

static void set_key_ids(gnutls_x509_crt_t crt, const struct pki_cert *issuer)
{
	uint8_t id[64];
	size_t len = sizeof(id);
	MUST(gnutls_x509_crt_get_key_id(crt, 0, id, &len));
	MUST(gnutls_x509_crt_set_subject_key_id(crt, id, len));
	if (issuer != NULL) {
		len = sizeof(id);
		MUST(gnutls_x509_crt_get_key_id(issuer->crt, 0, id, &len));
	}
	MUST(gnutls_x509_crt_set_authority_key_id(crt, id, len));
}

static void set_extensions(gnutls_x509_crt_t crt, const struct pki_spec *spec)
{
	if (!spec->no_basic_constraints && (spec->version == 0 || spec->version == 3)) {
		MUST(gnutls_x509_crt_set_basic_constraints(crt, spec->ca,
		                                           spec->path_length_plus_1 - 1));
	}
	if (spec->key_usage != 0) {
		MUST(gnutls_x509_crt_set_key_usage(crt, spec->key_usage));
	}
	for (size_t i = 0; i < 4 && spec->purposes[i] != NULL; i++) {
		MUST(gnutls_x509_crt_set_key_purpose_oid(crt, spec->purposes[i], 0));
	}
	for (size_t i = 0; i < 4 && spec->dns[i] != NULL; i++) {
		MUST(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, spec->dns[i],
		                                          (unsigned)strlen(spec->dns[i]),
		                                          GNUTLS_FSAN_APPEND));
	}
	if (spec->key_ids) {
		set_key_ids(crt, spec->issuer);
	}
	for (size_t i = 0; i < 4 && spec->extensions[i].oid != NULL; i++) {
		const struct pki_extension *e = &spec->extensions[i];
		MUST(gnutls_x509_crt_set_extension_by_oid(crt, e->oid, e->value.data, e->value.len,
		                                          e->critical));
	}
}

static void set_subject(gnutls_x509_crt_t crt, const struct pki_spec *spec)
{
	if (spec->subject_cn.len > 0) {
		MUST(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_ORGANIZATION_NAME, 0, "Raw",
		                                   3));
		MUST(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 1,
		                                   spec->subject_cn.data,
		                                   (unsigned)spec->subject_cn.len));
	} else if (spec->subject != NULL) {
		MUST(gnutls_x509_crt_set_dn(crt, spec->subject, NULL));
	}
}

static gnutls_digest_algorithm_t digest_of(const struct pki_spec *spec, enum pki_key_kind signer)
{
	if (spec->digest != 0) {
		return spec->digest;
	}
	return signer == PKI_ED25519 ? GNUTLS_DIG_SHA512
	       : signer == PKI_ED448 ? GNUTLS_DIG_SHAKE_256
	       : signer == PKI_DSA   ? GNUTLS_DIG_SHA1
	                             : GNUTLS_DIG_SHA256;
}

const struct pki_cert *pki_make(const struct pki_spec *spec)
{
	static uint8_t serial = 1;
	struct kept *k = keep(0);
	struct pki_cert *cert = &k->cert;
	gnutls_x509_crt_t crt;
	MUST(gnutls_x509_crt_init(&crt));
	cert->crt = crt;
	cert->key = spec->key;
	cert->not_before = spec->not_before != 0 ? spec->not_before : PKI_NOW - 365 * PKI_DAY;
	cert->not_after = spec->not_after != 0 ? spec->not_after : PKI_NOW + 365 * PKI_DAY;
	MUST(gnutls_x509_crt_set_version(crt, spec->version == 0 ? 3 : spec->version));
	uint8_t number[2] = {0x0a, serial++};
	MUST(gnutls_x509_crt_set_serial(crt, number, sizeof(number)));
	MUST(gnutls_x509_crt_set_activation_time(crt, cert->not_before));
	MUST(gnutls_x509_crt_set_expiration_time(crt, cert->not_after));
	set_subject(crt, spec);
	MUST(gnutls_x509_crt_set_key(crt, pki_key(spec->key)));
	set_extensions(crt, spec);

	/* Another issuer's name, or another key than the issuer's, takes a stand-in that has it. */
	enum pki_key_kind signer = spec->issuer == NULL ? spec->key : spec->issuer->key;
	if (spec->wrong_signature) {
		signer = signer == PKI_P256_D ? PKI_P256_C : PKI_P256_D;
	}
	gnutls_x509_crt_t issuer = spec->issuer == NULL ? crt : spec->issuer->crt;
	gnutls_x509_crt_t stand_in = NULL;
	if (spec->issuer_name != NULL) {
		MUST(gnutls_x509_crt_init(&stand_in));
		MUST(gnutls_x509_crt_set_dn(stand_in, spec->issuer_name, NULL));
		issuer = stand_in;
	}
	gnutls_privkey_t key;
	MUST(gnutls_privkey_init(&key));
	MUST(gnutls_privkey_import_x509(key, pki_key(signer), 0));
	MUST(gnutls_x509_crt_privkey_sign(crt, issuer, key, digest_of(spec, signer),
	                                  spec->sign_flags));
	gnutls_privkey_deinit(key);
	if (stand_in != NULL) {
		gnutls_x509_crt_deinit(stand_in);
	}
	gnutls_datum_t der;
	MUST(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &der));
	cert->der = slice_of(der.data, der.size);
	return cert;
}

const struct pki_cert *pki_root(void)
{
	static const struct pki_cert *root;
	if (root == NULL) {
		root = pki_make(&(struct pki_spec){.subject = "CN=Root,O=Test",
		                                   .key = PKI_P256_A,
		                                   .ca = true,
		                                   .key_usage = GNUTLS_KEY_KEY_CERT_SIGN});
	}
	return root;
}

const struct pki_cert *pki_intermediate(void)
{
	static const struct pki_cert *intermediate;
	if (intermediate == NULL) {
		intermediate = pki_make(&(struct pki_spec){.subject = "CN=Intermediate,O=Test",
		                                           .key = PKI_P256_B,
		                                           .issuer = pki_root(),
		                                           .ca = true,
		                                           .key_usage = GNUTLS_KEY_KEY_CERT_SIGN});
	}
	return intermediate;
}

const struct pki_cert *pki_leaf(void)
{
	static const struct pki_cert *leaf;
	if (leaf == NULL) {
		leaf = pki_make(&(struct pki_spec){.subject = "CN=client,O=Test",
		                                   .key = PKI_P256_C,
		                                   .issuer = pki_intermediate(),
		                                   .key_usage = GNUTLS_KEY_DIGITAL_SIGNATURE,
		                                   .purposes = {GNUTLS_KP_TLS_WWW_CLIENT}});
	}
	return leaf;
}

char *pki_file(struct slice content)
{
	static const char pattern[] = "/tmp/tlscribe-test-XXXXXX";
	struct kept *k = keep(sizeof(pattern));
	memcpy(k->bytes, pattern, sizeof(pattern));
	k->path = (char *)k->bytes;
	int fd = mkstemp(k->path);
	if (fd == -1 || write(fd, content.data, content.len) != (ssize_t)content.len) {
		exit(99);
	}
	close(fd);
	return k->path;
}

struct slice pki_pem(struct slice der)
{
	gnutls_datum_t in = {(unsigned char *)der.data, (unsigned)der.len};
	gnutls_datum_t out;
	MUST(gnutls_pem_base64_encode2("CERTIFICATE", &in, &out));
	struct slice pem = pki_keep(slice_of(out.data, out.size));
	gnutls_free(out.data);
	return pem;
}

/* The certificates up to the first NULL, each in a file of its own. */
static struct config_texts files_of(struct config_text *files, const struct pki_cert *const *certs,
                                    size_t max)
{
	size_t count = 0;
	while (count < max && certs[count] != NULL) {
		files[count] = (struct config_text){pki_file(pki_pem(certs[count]->der)), {1, 1}};
		count++;
	}
	return (struct config_texts){files, count, {1, 1}};
}

struct trust *pki_trust(const struct pki_trust_spec *spec)
{
	struct config_text anchors[8];
	struct config_text issuers[4];
	struct config_text allow = {.text = (char *)"read by the lists"};
	struct config_client client = {
		.ca = files_of(anchors, spec->anchors, 8),
		.issuers = files_of(issuers, spec->issuers, 4),
		.trust = spec->pinned ? TRUST_PINNED : TRUST_CA,
		.allow = {&allow, spec->pinned ? 1 : 0, {0}},
		.purpose = {(char *)spec->purpose, {1, 1}},
		.profile = spec->profile,
		.max_depth = spec->max_depth,
	};
	struct diag diag;
	diag_init(&diag);
	struct trust *trust = NULL;
	if (trust_new(&trust, &client, &spec->limits, "test.yaml", &diag) != E_OK) {
		diag_print(&diag, stderr);
		exit(99);
	}
	diag_release(&diag);
	return trust;
}

/* The contents up to the first that is nothing at all; an empty file has a pointer. */
static struct config_texts lists_of(struct config_text *files, const struct slice *contents)
{
	size_t count = 0;
	while (count < 4 && contents[count].data != NULL) {
		files[count] = (struct config_text){pki_file(contents[count]), {1, 1}};
		count++;
	}
	return (struct config_texts){files, count, {1, 1}};
}

struct lists *pki_lists(const struct trust *trust, const struct pki_lists_spec *spec)
{
	struct config_text crls[4];
	struct config_text allow[4];
	struct config_text deny[4];
	struct config_client client = {
		.crl = lists_of(crls, spec->crls),
		.allow = lists_of(allow, spec->allow),
		.deny = lists_of(deny, spec->deny),
		.revocation = spec->revocation,
		.revocation_scope = spec->scope,
		.profile = PROFILE_MEDIUM,
	};
	struct crl_store *store;
	struct lists *lists;
	struct diag diag;
	diag_init(&diag);
	if (crl_store_new(&store) != E_OK ||
	    lists_new(&lists, trust, &client, NULL, store, "test.yaml", &diag) != E_OK) {
		diag_print(&diag, stderr);
		exit(99);
	}
	crl_store_free(&store);
	diag_release(&diag);
	return lists;
}

struct trust *pki_server_trust(const struct pki_cert *const *anchors, const char *name)
{
	struct config_text files[8];
	size_t count = 0;
	while (count < 8 && anchors[count] != NULL) {
		files[count] = (struct config_text){pki_file(pki_pem(anchors[count]->der)), {1, 1}};
		count++;
	}
	struct config_upstream_tls config = {
		.at = {1, 1},
		.verify = count > 0 ? UPSTREAM_VERIFY_REQUIRED : UPSTREAM_VERIFY_NONE,
		.ca = {files, count, {0}},
	};
	struct diag diag;
	diag_init(&diag);
	struct trust *trust = NULL;
	if (trust_new_server(&trust, &config, name, "test.yaml", &diag) != E_OK) {
		diag_print(&diag, stderr);
		exit(99);
	}
	diag_release(&diag);
	return trust;
}

static struct verdict *judge(const struct trust *trust, const struct lists *lists,
                             const struct slice *der, size_t count, int64_t now_s)
{
	struct chain *chain;
	struct verdict *verdict;
	if (chain_new(&chain, der, count) != E_OK ||
	    peer_judge(&verdict, trust, lists, chain, now_s) != E_OK) {
		exit(99);
	}
	chain_unref(&chain);
	return verdict;
}

struct verdict *pki_judge(const struct trust *trust, const struct slice *der, size_t count,
                          int64_t now_s)
{
	return judge(trust, NULL, der, count, now_s);
}

struct verdict *pki_judge_by(const struct trust *trust, const struct lists *lists,
                             const struct pki_cert *const *certs, int64_t now_s)
{
	struct slice der[16];
	size_t count = 0;
	while (count < 16 && certs[count] != NULL) {
		der[count] = certs[count]->der;
		count++;
	}
	return judge(trust, lists, der, count, now_s);
}

struct verdict *pki_judge_certs(const struct trust *trust, const struct pki_cert *const *certs,
                                int64_t now_s)
{
	return pki_judge_by(trust, NULL, certs, now_s);
}

struct slice pki_tlv(uint8_t tag, struct slice content)
{
	uint8_t head[5] = {tag};
	size_t head_len = 2;
	if (content.len < 0x80) {
		head[1] = (uint8_t)content.len;
	} else if (content.len < 0x100) {
		head[1] = 0x81;
		head[2] = (uint8_t)content.len;
		head_len = 3;
	} else if (content.len < 0x10000) {
		head[1] = 0x82;
		head[2] = (uint8_t)(content.len >> 8);
		head[3] = (uint8_t)content.len;
		head_len = 4;
	} else {
		head[1] = 0x83;
		head[2] = (uint8_t)(content.len >> 16);
		head[3] = (uint8_t)(content.len >> 8);
		head[4] = (uint8_t)content.len;
		head_len = 5;
	}
	return pki_join(slice_of(head, head_len), content);
}

struct slice pki_join(struct slice a, struct slice b)
{
	struct kept *k = keep(a.len + b.len + 1);
	if (a.len > 0) {
		memcpy(k->bytes, a.data, a.len);
	}
	if (b.len > 0) {
		memcpy(k->bytes + a.len, b.data, b.len);
	}
	return slice_of(k->bytes, a.len + b.len);
}
