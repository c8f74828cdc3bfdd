/* A certificate of ours with its key: read, checked, and given to GnuTLS. */
#include "tls/creds_private.h"

#include <time.h>

#include <gnutls/crypto.h>
#include <gnutls/x509.h>

#include "base/err.h"
#include "tls/certificate_message.h"
#include "tls/offload.h"

#define WARN_DAYS 30
#define DAY_S 86400

static void warn_of_dates(const char *role, const struct config_text *chain, gnutls_x509_crt_t crt,
                          const char *file, struct diag *diag)
{
	const char *path = chain->text;
	struct mark at = chain->at;
	time_t now = time(NULL);
	time_t until = gnutls_x509_crt_get_expiration_time(crt);
	time_t from = gnutls_x509_crt_get_activation_time(crt);
	if (until < now) {
		diag_warn(diag, file, at, "the %s certificate in %s has expired", role, path);
	} else if (until < now + (time_t)WARN_DAYS * DAY_S) {
		diag_warn(diag, file, at, "the %s certificate in %s expires in %ld days", role,
		          path, (long)((until - now) / DAY_S));
	} else if (from > now) {
		diag_warn(diag, file, at, "the %s certificate in %s is not yet valid", role, path);
	}
}

/* What the chain's first certificate says of itself. */
static int note_leaf(struct tls_certificate *leaf, const gnutls_datum_t *der, const char *role,
                     const struct config_certificate *config, const char *file, struct diag *diag)
{
	gnutls_x509_crt_t crt;
	if (gnutls_x509_crt_init(&crt) != 0) {
		return E_NOMEM;
	}
	int err = E_NOMEM;
	if (gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) == 0 &&
	    gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &leaf->der) == 0 &&
	    gnutls_x509_crt_get_dn3(crt, &leaf->subject, 0) == 0 &&
	    gnutls_hash_fast(GNUTLS_DIG_SHA256, leaf->der.data, leaf->der.size, leaf->sha256) == 0) {
		leaf->algorithm =
			(gnutls_pk_algorithm_t)gnutls_x509_crt_get_pk_algorithm(crt, &leaf->bits);
		leaf->not_before_s = gnutls_x509_crt_get_activation_time(crt);
		leaf->not_after_s = gnutls_x509_crt_get_expiration_time(crt);
		warn_of_dates(role, &config->chain, crt, file, diag);
		err = E_OK;
	}
	gnutls_x509_crt_deinit(crt);
	return err;
}

/* RSA and ECDSA keys sign through libcrypto (offload.h), others through GnuTLS itself. */
static int import_key(gnutls_privkey_t *key, const gnutls_datum_t *pem)
{
	if (offload_key_new(key, pem) == E_OK) {
		return 0;
	}
	int ret = gnutls_privkey_init(key);
	if (ret == 0) {
		ret = gnutls_privkey_import_x509_raw(*key, pem, GNUTLS_X509_FMT_PEM, NULL, 0);
		if (ret != 0) {
			gnutls_privkey_deinit(*key);
		}
	}
	return ret;
}

/* Gives chain and key to the credentials, which then own them. 0 or GnuTLS's code. */
static int set_key(gnutls_certificate_credentials_t credentials, const gnutls_datum_t *chain,
                   const gnutls_datum_t *pem, struct tls_certificate *leaf, const char *role,
                   const struct config_certificate *config, const char *file, struct diag *diag)
{
	gnutls_pcert_st certs[CERTIFICATES_MAX];
	unsigned count = CERTIFICATES_MAX;
	int ret = gnutls_pcert_list_import_x509_raw(certs, &count, chain, GNUTLS_X509_FMT_PEM,
	                                            GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED |
	                                                    GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
	if (ret < 0) {
		return ret;
	}
	if (note_leaf(leaf, &certs[0].cert, role, config, file, diag) != E_OK) {
		ret = GNUTLS_E_MEMORY_ERROR;
		goto free_certs;
	}
	gnutls_privkey_t key;
	ret = import_key(&key, pem);
	if (ret < 0) {
		goto free_certs;
	}
	/* It signs and verifies once, so a key that does not match is found here. */
	ret = gnutls_certificate_set_key(credentials, NULL, 0, certs, (int)count, key);
	if (ret >= 0) {
		return 0;
	}
	gnutls_privkey_deinit(key);
free_certs:
	for (unsigned i = 0; i < count; i++) {
		gnutls_pcert_deinit(&certs[i]);
	}
	return ret;
}

int certificate_load(gnutls_certificate_credentials_t credentials, struct tls_certificate *leaf,
                     const char *role, const struct config_certificate *config, const char *file,
                     struct diag *diag)
{
	gnutls_datum_t chain = {NULL, 0};
	gnutls_datum_t key = {NULL, 0};
	int err = E_INVALID;
	if (gnutls_load_file(config->chain.text, &chain) != 0) {
		diag_error(diag, file, config->chain.at, "cannot read the certificate %s",
		           config->chain.text);
		goto out;
	}
	if (gnutls_load_file(config->key.text, &key) != 0) {
		diag_error(diag, file, config->key.at, "cannot read the private key %s",
		           config->key.text);
		goto out;
	}
	int ret = set_key(credentials, &chain, &key, leaf, role, config, file, diag);
	if (ret == GNUTLS_E_CERTIFICATE_KEY_MISMATCH) {
		diag_error(diag, file, config->key.at,
		           "the key %s does not belong to the certificate %s", config->key.text,
		           config->chain.text);
	} else if (ret < 0) {
		diag_error(diag, file, config->chain.at,
		           "the certificate %s with the key %s cannot be used: %s",
		           config->chain.text, config->key.text, gnutls_strerror(ret));
	} else {
		err = E_OK;
	}
out:
	if (err != E_OK) {
		certificate_release(leaf);
	}
	gnutls_free(chain.data);
	if (key.data != NULL) {
		gnutls_memset(key.data, 0, key.size);
	}
	gnutls_free(key.data);
	return err;
}

void certificate_release(struct tls_certificate *leaf)
{
	gnutls_free(leaf->der.data);
	gnutls_free(leaf->subject.data);
	*leaf = (struct tls_certificate){0};
}

struct tls_certificate_info certificate_info(const struct tls_certificate *leaf)
{
	return (struct tls_certificate_info){
		.subject = (const char *)leaf->subject.data,
		.not_before_s = leaf->not_before_s,
		.not_after_s = leaf->not_after_s,
		.der = slice_of(leaf->der.data, leaf->der.size),
	};
}
