#include "cmd/demo_pki.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/crypto.h>
#include <gnutls/x509.h>

#include "base/err.h"
#include "base/log.h"
#include "base/slice.h"
#include "cmd/demo_lists.h"
#include "cmd/demo_spoil.h"

#define SELF DEMO_ID_COUNT

struct spec {
	const char *name;
	const char *subject;
	int issuer; /* a row above, or SELF */
	bool ca;
	bool rsa_1024; /* P-256 otherwise */
	int from_days; /* from now */
	int to_days;
	const char *purpose;
	enum demo_spoil spoil;
};

#define CLIENT GNUTLS_KP_TLS_WWW_CLIENT
#define SERVER GNUTLS_KP_TLS_WWW_SERVER

/* An issuer stands above everything it signs. */
/* clang-format off */
static const struct spec specs[DEMO_ID_COUNT] = {
	[DEMO_ROOT]          = {"root",          "CN=Demo Root,O=Demo",           SELF,       true,  false, -90, 365, NULL,   SPOIL_NOTHING},
	[DEMO_DEV]           = {"dev-ca",        "CN=DEV CA,O=Demo",              DEMO_ROOT,  true,  false, -90, 365, NULL,   SPOIL_NOTHING},
	[DEMO_TST]           = {"tst-ca",        "CN=TST CA,O=Demo",              DEMO_ROOT,  true,  false, -90, 365, NULL,   SPOIL_NOTHING},
	[DEMO_SUB1]          = {"dev-sub1-ca",   "CN=DEV Sub CA 1,O=Demo",        DEMO_DEV,   true,  false, -90, 365, NULL,   SPOIL_NOTHING},
	[DEMO_SUB2]          = {"dev-sub2-ca",   "CN=DEV Sub CA 2,O=Demo",        DEMO_SUB1,  true,  false, -90, 365, NULL,   SPOIL_NOTHING},
	[DEMO_LAST_CA]       = {"dev-last-ca",   "CN=DEV Last CA,O=Demo",         DEMO_DEV,   true,  false, -90, 365, NULL,   SPOIL_LAST},
	[DEMO_ONE_MORE_CA]   = {"one-more-ca",   "CN=One More CA,O=Demo",         DEMO_LAST_CA, true, false, -90, 365, NULL,  SPOIL_NOTHING},
	[DEMO_NARROW_CA]     = {"dev-narrow-ca", "CN=DEV Narrow CA,O=Demo",       DEMO_DEV,   true,  false, -90, 365, NULL,   SPOIL_NARROW},
	[DEMO_SERVER]        = {"server",        "CN=tlscribe demo,O=Demo",       DEMO_ROOT,  false, false, -1,  90,  SERVER, SPOIL_NOTHING},
	[DEMO_VALID]         = {"valid",         "CN=acme-valid,O=Acme",          DEMO_DEV,   false, false, -30, 90,  CLIENT, SPOIL_NOTHING},
	[DEMO_EXPIRED]       = {"expired",       "CN=acme-expired,O=Acme",        DEMO_DEV,   false, false, -60, -3,  CLIENT, SPOIL_NOTHING},
	[DEMO_EARLY]         = {"not-yet-valid", "CN=acme-not-yet-valid,O=Acme",  DEMO_DEV,   false, false, 3,   90,  CLIENT, SPOIL_NOTHING},
	[DEMO_UNTRUSTED]     = {"untrusted",     "CN=acme-untrusted,O=Acme",      DEMO_TST,   false, false, -30, 90,  CLIENT, SPOIL_NOTHING},
	[DEMO_SELF_SIGNED]   = {"self-signed",   "CN=acme-self-signed,O=Acme",    SELF,       false, false, -30, 90,  CLIENT, SPOIL_NOTHING},
	[DEMO_SERVER_ONLY]   = {"server-only",   "CN=acme-server-only,O=Acme",    DEMO_DEV,   false, false, -30, 90,  SERVER, SPOIL_NOTHING},
	[DEMO_WEAK]          = {"weak",          "CN=acme-weak,O=Acme",           DEMO_DEV,   false, true,  -30, 90,  CLIENT, SPOIL_NOTHING},
	[DEMO_TAMPERED]      = {"tampered",      "CN=acme-tampered,O=Acme",       DEMO_DEV,   false, false, -30, 90,  CLIENT, SPOIL_SIGNATURE},
	[DEMO_BELOW_LEAF]    = {"below-leaf",    "CN=acme-below-leaf,O=Acme",     DEMO_VALID, false, false, -20, 90,  CLIENT, SPOIL_NOTHING},
	[DEMO_DEEP]          = {"deep",          "CN=acme-deep,O=Acme",           DEMO_SUB2,  false, false, -30, 90,  CLIENT, SPOIL_NOTHING},
	[DEMO_GARBAGE]       = {"garbage",       "CN=acme-garbage,O=Acme",        DEMO_DEV,   false, false, -30, 90,  CLIENT, SPOIL_BYTES},
	[DEMO_UNKNOWN_CURVE] = {"unknown-curve", "CN=acme-unknown-curve,O=Acme",  DEMO_DEV,   false, false, -30, 90,  CLIENT, SPOIL_CURVE},
	[DEMO_STOLEN]        = {"stolen",        "CN=acme-stolen,O=Acme",         DEMO_DEV,   false, false, -30, 90,  CLIENT, SPOIL_KEY},
	[DEMO_TOO_LONG]      = {"too-long",      "CN=acme-too-long,O=Acme",       DEMO_ONE_MORE_CA, false, false, -30, 90, CLIENT, SPOIL_NOTHING},
	[DEMO_CRITICAL]      = {"critical",      "CN=acme-critical,O=Acme",       DEMO_DEV,   false, false, -30, 90,  CLIENT, SPOIL_CRITICAL},
	[DEMO_OTHER_NAME]    = {"other-name",    "CN=acme-other-name,O=Acme",     DEMO_NARROW_CA, false, false, -30, 90, CLIENT, SPOIL_OTHER_NAME},
	[DEMO_DENIED]        = {"denied",        "CN=acme-denied,O=Acme",         DEMO_DEV,   false, false, -30, 90,  CLIENT, SPOIL_NOTHING},
	[DEMO_REVOKED]       = {"revoked",       "CN=acme-revoked,O=Acme",        DEMO_DEV,   false, false, -30, 90,  CLIENT, SPOIL_NOTHING},
	[DEMO_NO_CRL]        = {"no-crl",        "CN=acme-no-crl,O=Acme",         DEMO_SUB1,  false, false, -30, 90,  CLIENT, SPOIL_NOTHING},
	[DEMO_NUL_NAME]      = {"nul-name",      "O=Acme",                        DEMO_DEV,   false, false, -30, 90,  CLIENT, SPOIL_NUL_NAME},
};
/* clang-format on */

static const char *const server_names[] = {
	"api.demo.test",    "open.demo.test",      "picky.demo.test", "partner.demo.test",
	"listed.demo.test", "unchecked.demo.test", "localhost",
};

static int fail(const char *what, int code)
{
	log_error("demo: %s: %s", what, gnutls_strerror(code));
	return code == GNUTLS_E_MEMORY_ERROR ? E_NOMEM : E_IO;
}

static int make_key(gnutls_privkey_t *out, bool rsa_1024)
{
	gnutls_privkey_t key;
	int code = gnutls_privkey_init(&key);
	if (code < 0) {
		return code;
	}
	code = rsa_1024 ? gnutls_privkey_generate(key, GNUTLS_PK_RSA, 1024, 0)
	                : gnutls_privkey_generate(key, GNUTLS_PK_ECDSA,
	                                          GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
	                                          0);
	if (code < 0) {
		gnutls_privkey_deinit(key);
		return code;
	}
	*out = key;
	return 0;
}

/* Key and pubkey of an identity, replacing those it has. */
static int set_key(struct demo_identity *id, bool rsa_1024)
{
	if (id->key != NULL) {
		gnutls_privkey_deinit(id->key);
		id->key = NULL;
	}
	if (id->pubkey != NULL) {
		gnutls_pubkey_deinit(id->pubkey);
		id->pubkey = NULL;
	}
	int code = make_key(&id->key, rsa_1024);
	if (code < 0) {
		return code;
	}
	code = gnutls_pubkey_init(&id->pubkey);
	return code < 0 ? code : gnutls_pubkey_import_privkey(id->pubkey, id->key, 0, 0);
}

/* Subject, dates and extensions: all but the signature. */
static int fill(gnutls_x509_crt_t crt, const struct spec *spec, gnutls_pubkey_t pubkey)
{
	unsigned char serial[16];
	int code = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));
	if (code < 0) {
		return code;
	}
	/* RFC 5280 4.1.2.2: positive */
	serial[0] = (unsigned char)((serial[0] & 0x3f) | 0x40);
	time_t now = time(NULL);
	unsigned usage = spec->ca ? GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN
	                          : GNUTLS_KEY_DIGITAL_SIGNATURE;
	unsigned char ski[20];
	size_t ski_len = sizeof(ski);

	if ((code = gnutls_x509_crt_set_version(crt, 3)) < 0 ||
	    (code = gnutls_x509_crt_set_serial(crt, serial, sizeof(serial))) < 0 ||
	    (code = gnutls_x509_crt_set_dn(crt, spec->subject, NULL)) < 0 ||
	    (code = gnutls_x509_crt_set_pubkey(crt, pubkey)) < 0 ||
	    (code = gnutls_x509_crt_set_activation_time(crt, now + spec->from_days * 86400L)) < 0 ||
	    (code = gnutls_x509_crt_set_expiration_time(crt, now + spec->to_days * 86400L)) < 0 ||
	    (code = gnutls_x509_crt_set_basic_constraints(crt, spec->ca, -1)) < 0 ||
	    (code = gnutls_x509_crt_set_key_usage(crt, usage)) < 0 ||
	    (code = gnutls_pubkey_get_key_id(pubkey, 0, ski, &ski_len)) < 0 ||
	    (code = gnutls_x509_crt_set_subject_key_id(crt, ski, ski_len)) < 0) {
		return code;
	}
	code = spec->purpose == NULL ? 0
	                             : gnutls_x509_crt_set_key_purpose_oid(crt, spec->purpose, 0);
	return code < 0 ? code : demo_spoil_fields(crt, spec->spoil);
}

static int add_server_names(gnutls_x509_crt_t crt)
{
	for (size_t i = 0; i < sizeof(server_names) / sizeof(server_names[0]); i++) {
		int code = gnutls_x509_crt_set_subject_alt_name(
			crt, GNUTLS_SAN_DNSNAME, server_names[i], (unsigned)strlen(server_names[i]),
			GNUTLS_FSAN_APPEND);
		if (code < 0) {
			return code;
		}
	}
	static const unsigned char loopback[4] = {127, 0, 0, 1};
	return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, loopback,
	                                            sizeof(loopback), GNUTLS_FSAN_APPEND);
}

static int sign(gnutls_x509_crt_t crt, const struct demo_identity *issuer)
{
	gnutls_x509_crt_t by;
	int code = gnutls_x509_crt_init(&by);
	if (code < 0) {
		return code;
	}
	unsigned char ski[64];
	size_t ski_len = sizeof(ski);
	if ((code = gnutls_x509_crt_import(by, &issuer->der, GNUTLS_X509_FMT_DER)) >= 0 &&
	    (code = gnutls_x509_crt_get_subject_key_id(by, ski, &ski_len, NULL)) >= 0 &&
	    (code = gnutls_x509_crt_set_authority_key_id(crt, ski, ski_len)) >= 0) {
		code = gnutls_x509_crt_privkey_sign(crt, by, issuer->key, GNUTLS_DIG_SHA256, 0);
	}
	gnutls_x509_crt_deinit(by);
	return code;
}

static int make_certificate(struct demo_pki *pki, enum demo_id which)
{
	const struct spec *spec = &specs[which];
	struct demo_identity *id = &pki->ids[which];
	gnutls_x509_crt_t crt;
	int code = gnutls_x509_crt_init(&crt);
	if (code < 0) {
		return code;
	}
	code = fill(crt, spec, id->pubkey);
	if (code >= 0 && which == DEMO_SERVER) {
		code = add_server_names(crt);
	}
	if (code >= 0) {
		code = spec->issuer == SELF ? gnutls_x509_crt_privkey_sign(crt, crt, id->key,
		                                                           GNUTLS_DIG_SHA256, 0)
		                            : sign(crt, &pki->ids[spec->issuer]);
	}
	if (code >= 0) {
		code = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &id->der);
	}
	gnutls_x509_crt_deinit(crt);
	return code;
}

static int spoil(struct demo_identity *id, const struct demo_identity *issuer, enum demo_spoil how)
{
	switch (how) {
	case SPOIL_SIGNATURE:
		/* The last byte belongs to the signature's s: still well-formed, no longer right. */
		id->der.data[id->der.size - 1] ^= 0x01;
		return 0;
	case SPOIL_BYTES:
		memset(id->der.data, 0x5a, id->der.size);
		return 0;
	case SPOIL_CURVE:
		return demo_spoil_curve(&id->der, issuer->key);
	case SPOIL_KEY:
		return set_key(id, false);
	default:
		return 0;
	}
}

static int link_chain(struct demo_pki *pki, enum demo_id which)
{
	struct demo_identity *id = &pki->ids[which];
	int at = (int)which;
	do {
		if (id->chain_count == DEMO_CHAIN_MAX) {
			return E_LIMIT;
		}
		gnutls_pcert_st *pcert = &id->chain[id->chain_count++];
		pcert->type = GNUTLS_CRT_X509;
		pcert->cert = pki->ids[at].der;
		pcert->pubkey = pki->ids[at].pubkey;
		at = specs[at].issuer;
	} while (at != SELF && at != DEMO_ROOT);
	return E_OK;
}

int demo_pki_write(const char *dir, const char *name, const char *suffix, struct slice text)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof(path), "%s/%s%s", dir, name, suffix) >= (int)sizeof(path)) {
		return E_LIMIT;
	}
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1) {
		return err_from_errno();
	}
	int err = E_OK;
	while (text.len > 0) {
		ssize_t n = write(fd, text.data, text.len);
		if (n <= 0) {
			err = n == 0 ? E_IO : err_from_errno();
			break;
		}
		text = slice_of(text.data + n, text.len - (size_t)n);
	}
	if (close(fd) == -1 && err == E_OK) {
		err = err_from_errno();
	}
	return err;
}

static int write_chain(const struct demo_pki *pki, const struct demo_identity *id)
{
	char text[DEMO_CHAIN_MAX * 4096];
	size_t len = 0;
	for (unsigned i = 0; i < id->chain_count; i++) {
		gnutls_datum_t pem;
		int code = gnutls_pem_base64_encode2("CERTIFICATE", &id->chain[i].cert, &pem);
		if (code < 0) {
			return fail(id->name, code);
		}
		if (pem.size > sizeof(text) - len) {
			gnutls_free(pem.data);
			return E_LIMIT;
		}
		memcpy(text + len, pem.data, pem.size);
		len += pem.size;
		gnutls_free(pem.data);
	}
	return demo_pki_write(pki->dir, id->name, ".pem", slice_of(text, len));
}

static int write_key(const struct demo_pki *pki, const struct demo_identity *id)
{
	gnutls_x509_privkey_t key;
	int code = gnutls_privkey_export_x509(id->key, &key);
	if (code < 0) {
		return fail(id->name, code);
	}
	gnutls_datum_t pem;
	code = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN,
	                                         &pem);
	gnutls_x509_privkey_deinit(key);
	if (code < 0) {
		return fail(id->name, code);
	}
	int err = demo_pki_write(pki->dir, id->name, ".key", slice_of(pem.data, pem.size));
	gnutls_memset(pem.data, 0, pem.size);
	gnutls_free(pem.data);
	return err;
}

static int make_identity(struct demo_pki *pki, enum demo_id which)
{
	struct demo_identity *id = &pki->ids[which];
	const struct spec *spec = &specs[which];
	id->name = spec->name;
	int code = set_key(id, spec->rsa_1024);
	if (code >= 0) {
		code = make_certificate(pki, which);
	}
	if (code >= 0) {
		code = spoil(id, spec->issuer == SELF ? id : &pki->ids[spec->issuer], spec->spoil);
	}
	if (code < 0) {
		return fail(spec->name, code);
	}
	int err = link_chain(pki, which);
	if (err == E_OK) {
		err = write_chain(pki, id);
	}
	if (err == E_OK) {
		err = write_key(pki, id);
	}
	return err;
}

int demo_pki_make(struct demo_pki *pki, const char *dir)
{
	memset(pki, 0, sizeof(*pki));
	pki->dir = dir;
	for (int i = 0; i < DEMO_ID_COUNT; i++) {
		int err = make_identity(pki, (enum demo_id)i);
		if (err != E_OK) {
			log_error("demo: cannot make the %s certificate: %s", specs[i].name,
			          err_text(err));
			return err;
		}
	}
	int err = demo_lists_make(pki);
	if (err != E_OK) {
		log_error("demo: cannot make the lists: %s", err_text(err));
	}
	return err;
}

void demo_pki_release(struct demo_pki *pki)
{
	for (int i = 0; i < DEMO_ID_COUNT; i++) {
		struct demo_identity *id = &pki->ids[i];
		if (id->pubkey != NULL) {
			gnutls_pubkey_deinit(id->pubkey);
		}
		if (id->key != NULL) {
			gnutls_privkey_deinit(id->key);
		}
		gnutls_free(id->der.data);
	}
	memset(pki, 0, sizeof(*pki));
}
