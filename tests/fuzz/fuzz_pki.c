#include "fuzz_pki.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/diag.h"
#include "base/err.h"
#include "peer/crl_store.h"

#define MUST(call) must((call), #call)

static const char *const key_names[FUZZ_KEY_COUNT] = {
	[FUZZ_KEY_P256_A] = "p256-a",   [FUZZ_KEY_P256_B] = "p256-b",
	[FUZZ_KEY_P256_C] = "p256-c",   [FUZZ_KEY_P256_D] = "p256-d",
	[FUZZ_KEY_P384] = "p384",       [FUZZ_KEY_ED25519] = "ed25519",
	[FUZZ_KEY_ED448] = "ed448",     [FUZZ_KEY_RSA1024] = "rsa1024",
	[FUZZ_KEY_RSA2048] = "rsa2048",
};

static const struct {
	const char *name;
	enum fuzz_key key;
	gnutls_sign_algorithm_t algorithm;
} cert_rows[FUZZ_CERT_COUNT] = {
	[FUZZ_ROOT] = {"root", FUZZ_KEY_P256_A, GNUTLS_SIGN_ECDSA_SHA256},
	[FUZZ_INTERMEDIATE] = {"intermediate", FUZZ_KEY_P256_B, GNUTLS_SIGN_ECDSA_SHA256},
	[FUZZ_ISSUING] = {"issuing", FUZZ_KEY_P384, GNUTLS_SIGN_ECDSA_SHA256},
	[FUZZ_CONSTRAINED] = {"constrained", FUZZ_KEY_P256_D, GNUTLS_SIGN_ECDSA_SHA256},
	[FUZZ_EDWARDS] = {"edwards", FUZZ_KEY_ED25519, GNUTLS_SIGN_EDDSA_ED25519},
	[FUZZ_EDWARDS448] = {"edwards448", FUZZ_KEY_ED448, GNUTLS_SIGN_EDDSA_ED448},
	[FUZZ_RSA] = {"rsa", FUZZ_KEY_RSA2048, GNUTLS_SIGN_RSA_SHA256},
	[FUZZ_WEAK] = {"weak", FUZZ_KEY_RSA1024, GNUTLS_SIGN_RSA_SHA1},
	[FUZZ_STRANGER] = {"stranger", FUZZ_KEY_P256_C, GNUTLS_SIGN_ECDSA_SHA256},
	[FUZZ_CLIENT] = {"client", FUZZ_KEY_P256_C, GNUTLS_SIGN_ECDSA_SHA256},
	[FUZZ_SELF] = {"self", FUZZ_KEY_P256_C, GNUTLS_SIGN_ECDSA_SHA256},
	[FUZZ_RESPONDER] = {"responder", FUZZ_KEY_P256_D, GNUTLS_SIGN_ECDSA_SHA256},
};

static void must(int code, const char *what)
{
	if (code < 0) {
		fprintf(stderr, "fuzz_pki: %s: %s\n", what, gnutls_strerror(code));
		exit(99);
	}
}

const char *fuzz_pki_path(const char *name)
{
	static char paths[4][4096];
	static unsigned next;
	char *path = paths[next++ % 4];
	snprintf(path, sizeof(paths[0]), "%s/%s", FUZZ_PKI, name);
	return path;
}

const char *fuzz_key_name(enum fuzz_key key)
{
	return key_names[key];
}

const char *fuzz_cert_name(enum fuzz_cert cert)
{
	return cert_rows[cert].name;
}

enum fuzz_key fuzz_cert_key(enum fuzz_cert cert)
{
	return cert_rows[cert].key;
}

static gnutls_datum_t load(const char *name, const char *suffix)
{
	char file[64];
	gnutls_datum_t content;
	snprintf(file, sizeof(file), "%s%s", name, suffix);
	int code = gnutls_load_file(fuzz_pki_path(file), &content);
	must(code, file);
	return content;
}

gnutls_x509_privkey_t fuzz_key(enum fuzz_key key)
{
	static gnutls_x509_privkey_t keys[FUZZ_KEY_COUNT];
	if (keys[key] == NULL) {
		gnutls_datum_t pem = load(key_names[key], ".key");
		MUST(gnutls_x509_privkey_init(&keys[key]));
		MUST(gnutls_x509_privkey_import2(keys[key], &pem, GNUTLS_X509_FMT_PEM, NULL,
		                                 GNUTLS_PKCS_PLAIN));
		gnutls_free(pem.data);
	}
	return keys[key];
}

struct slice fuzz_cert(enum fuzz_cert cert)
{
	static gnutls_datum_t all[FUZZ_CERT_COUNT];
	if (all[cert].data == NULL) {
		gnutls_datum_t pem = load(cert_rows[cert].name, ".pem");
		MUST(gnutls_pem_base64_decode2("CERTIFICATE", &pem, &all[cert]));
		gnutls_free(pem.data);
	}
	return slice_of(all[cert].data, all[cert].size);
}

struct slice fuzz_cert_subject(enum fuzz_cert cert)
{
	static gnutls_datum_t all[FUZZ_CERT_COUNT];
	if (all[cert].data == NULL) {
		struct slice der = fuzz_cert(cert);
		gnutls_datum_t in = {(unsigned char *)der.data, (unsigned)der.len};
		gnutls_x509_crt_t crt;
		MUST(gnutls_x509_crt_init(&crt));
		MUST(gnutls_x509_crt_import(crt, &in, GNUTLS_X509_FMT_DER));
		MUST(gnutls_x509_crt_get_raw_dn(crt, &all[cert]));
		gnutls_x509_crt_deinit(crt);
	}
	return slice_of(all[cert].data, all[cert].size);
}

size_t fuzz_sign(enum fuzz_cert signer, struct slice tbs, uint8_t *out, size_t cap)
{
	gnutls_privkey_t key;
	gnutls_datum_t data = {(unsigned char *)tbs.data, (unsigned)tbs.len};
	gnutls_datum_t signature;
	MUST(gnutls_privkey_init(&key));
	MUST(gnutls_privkey_import_x509(key, fuzz_key(cert_rows[signer].key), 0));
	MUST(gnutls_privkey_sign_data2(key, cert_rows[signer].algorithm,
	                               GNUTLS_PRIVKEY_FLAG_REPRODUCIBLE, &data, &signature));
	gnutls_privkey_deinit(key);
	size_t len = signature.size <= cap ? signature.size : 0;
	memcpy(out, signature.data, len);
	gnutls_free(signature.data);
	return len;
}

/* --- trusts --- */

#define FILES_MAX 8

static void use_certs(struct config_texts *texts, struct config_text files[static FILES_MAX],
                      const char *const *names)
{
	for (size_t i = 0; i < FILES_MAX && names[i] != NULL; i++) {
		char *path = strdup(fuzz_pki_path(names[i]));
		must(path == NULL ? GNUTLS_E_MEMORY_ERROR : 0, names[i]);
		files[i] = (struct config_text){path, {1, 1}};
		texts->count = i + 1;
	}
	texts->items = files;
}

static void forget_files(struct config_texts *texts)
{
	for (size_t i = 0; i < texts->count; i++) {
		free(texts->items[i].text);
	}
}

static void made(int err, struct diag *diag)
{
	if (err != E_OK) {
		diag_print(diag, stderr);
		exit(99);
	}
	diag_release(diag);
}

struct recipe {
	const char *ca[FILES_MAX];
	const char *issuers[FILES_MAX];
	const char *crl[FILES_MAX];
	const char *allow[FILES_MAX];
	const char *deny[FILES_MAX];
};

static void make_trust(struct fuzz_trust *out, const struct recipe *recipe)
{
	struct config_text files[5][FILES_MAX];
	struct config_client client = {
		.purpose = {(char *)(out->any_purpose ? "any" : "clientAuth"), {1, 1}},
		.profile = out->profile,
		.max_depth = out->max_depth,
		.trust = recipe->allow[0] != NULL ? TRUST_PINNED : TRUST_CA,
		.revocation = recipe->crl[0] != NULL ? REVOCATION_HARD : REVOCATION_OFF,
		.revocation_scope = REVOCATION_PATH,
	};
	use_certs(&client.ca, files[0], recipe->ca);
	use_certs(&client.issuers, files[1], recipe->issuers);
	use_certs(&client.crl, files[2], recipe->crl);
	use_certs(&client.allow, files[3], recipe->allow);
	use_certs(&client.deny, files[4], recipe->deny);
	const struct config_limits limits = {
		.signature_checks = out->signature_checks,
		.name_comparisons = out->name_comparisons,
	};
	struct diag diag;
	diag_init(&diag);
	made(trust_new(&out->trust, &client, &limits, NULL, &diag), &diag);
	if (client.crl.count + client.allow.count + client.deny.count > 0) {
		struct crl_store *store;
		must(crl_store_new(&store) == E_OK ? 0 : GNUTLS_E_MEMORY_ERROR, "crl_store_new");
		diag_init(&diag);
		made(lists_new(&out->lists, out->trust, &client, NULL, store, NULL, &diag), &diag);
		crl_store_free(&store);
	}
	forget_files(&client.ca);
	forget_files(&client.issuers);
	forget_files(&client.crl);
	forget_files(&client.allow);
	forget_files(&client.deny);
}

static void make_server_trust(struct fuzz_trust *out, const struct recipe *recipe)
{
	struct config_text files[FILES_MAX];
	struct config_upstream_tls config = {
		.at = {1, 1},
		.verify = UPSTREAM_VERIFY_REQUIRED,
	};
	struct diag diag;
	diag_init(&diag);
	use_certs(&config.ca, files, recipe->ca);
	made(trust_new_server(&out->trust, &config, "server.fuzz.example", NULL, &diag), &diag);
	forget_files(&config.ca);
}

static const struct recipe recipes[FUZZ_TRUST_COUNT] = {
	[FUZZ_TRUST_MEDIUM] = {.ca = {"root.pem", "rsa.pem", "edwards.pem", "edwards448.pem"}},
	[FUZZ_TRUST_HIGH] = {.ca = {"root.pem", "rsa.pem", "edwards.pem", "edwards448.pem"}},
	[FUZZ_TRUST_LEGACY_ANY] = {.ca = {"root.pem", "rsa.pem", "edwards.pem", "edwards448.pem",
                                          "weak.pem"}},
	[FUZZ_TRUST_ISSUERS] = {.ca = {"root.pem"}, .issuers = {"issuing.pem"}},
	[FUZZ_TRUST_PARTIAL] = {.ca = {"intermediate.pem", "constrained.pem", "self.pem"}},
	[FUZZ_TRUST_LISTED] = {.ca = {"root.pem"},
                               .crl = {"root.crl", "intermediate.crl"},
                               .deny = {"deny.txt"}},
	[FUZZ_TRUST_PINNED] = {.allow = {"client.pem", "self.pem"}},
	[FUZZ_TRUST_TIGHT] = {.ca = {"root.pem", "rsa.pem", "edwards.pem", "edwards448.pem",
                                     "weak.pem"}},
	[FUZZ_TRUST_SERVER] = {.ca = {"root.pem"}},
};

#define USUAL .max_depth = 4, .signature_checks = 32, .name_comparisons = 65536

const struct fuzz_trust *fuzz_trusts(void)
{
	static struct fuzz_trust all[FUZZ_TRUST_COUNT] = {
		[FUZZ_TRUST_MEDIUM] = {"medium", USUAL, .profile = PROFILE_MEDIUM,
	                               .laxer = FUZZ_TRUST_LEGACY_ANY},
		[FUZZ_TRUST_HIGH] = {"high", USUAL, .profile = PROFILE_HIGH,
	                             .laxer = FUZZ_TRUST_MEDIUM},
		[FUZZ_TRUST_LEGACY_ANY] = {"legacy-any", USUAL, .profile = PROFILE_LEGACY,
	                                   .any_purpose = true, .laxer = FUZZ_TRUST_LEGACY_ANY},
		[FUZZ_TRUST_ISSUERS] = {"issuers", USUAL, .profile = PROFILE_MEDIUM,
	                                .laxer = FUZZ_TRUST_MEDIUM},
		[FUZZ_TRUST_PARTIAL] = {"partial", USUAL, .profile = PROFILE_MEDIUM,
	                                .laxer = FUZZ_TRUST_PARTIAL},
		[FUZZ_TRUST_LISTED] = {"listed", USUAL, .profile = PROFILE_MEDIUM,
	                               .laxer = FUZZ_TRUST_MEDIUM},
		[FUZZ_TRUST_PINNED] = {"pinned", USUAL, .pinned = true, .profile = PROFILE_MEDIUM,
	                               .laxer = FUZZ_TRUST_PINNED},
		[FUZZ_TRUST_TIGHT] = {"tight", .max_depth = 2, .signature_checks = 2,
	                              .name_comparisons = 24, .profile = PROFILE_LEGACY,
	                              .any_purpose = true, .laxer = FUZZ_TRUST_LEGACY_ANY},
		[FUZZ_TRUST_SERVER] = {"server", USUAL, .profile = PROFILE_MEDIUM,
	                               .laxer = FUZZ_TRUST_SERVER},
		[FUZZ_TRUST_NONE] = {"none", USUAL, .profile = PROFILE_MEDIUM,
	                             .laxer = FUZZ_TRUST_NONE},
	};
	for (size_t i = 0; i < FUZZ_TRUST_COUNT && all[FUZZ_TRUST_NONE].trust == NULL; i++) {
		if (i == FUZZ_TRUST_SERVER) {
			make_server_trust(&all[i], &recipes[i]);
		} else {
			make_trust(&all[i], &recipes[i]);
		}
	}
	return all;
}
