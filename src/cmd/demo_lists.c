#include "cmd/demo_lists.h"

#include <stdio.h>
#include <time.h>

#include <gnutls/crypto.h>
#include <gnutls/x509.h>

#include "base/err.h"

#define DAY_S 86400L

static int err_of(int code)
{
	return code >= 0 ? E_OK : code == GNUTLS_E_MEMORY_ERROR ? E_NOMEM : E_IO;
}

static int fill_crl(gnutls_x509_crl_t crl, gnutls_x509_crt_t issuer, gnutls_x509_crt_t revoked)
{
	static const unsigned char number[] = {1};
	time_t now = time(NULL);
	unsigned char ski[64];
	size_t ski_len = sizeof(ski);
	int code;
	if ((code = gnutls_x509_crl_set_version(crl, 2)) < 0 ||
	    (code = gnutls_x509_crl_set_this_update(crl, now - DAY_S)) < 0 ||
	    (code = gnutls_x509_crl_set_next_update(crl, now + 30 * DAY_S)) < 0 ||
	    (code = gnutls_x509_crl_set_number(crl, number, sizeof(number))) < 0 ||
	    (code = gnutls_x509_crt_get_subject_key_id(issuer, ski, &ski_len, NULL)) < 0 ||
	    (code = gnutls_x509_crl_set_authority_key_id(crl, ski, ski_len)) < 0) {
		return code;
	}
	return gnutls_x509_crl_set_crt(crl, revoked, now - DAY_S);
}

/* *out is gnutls_free()'s. */
static int make_crl(gnutls_datum_t *out, const struct demo_identity *ca,
                    const struct demo_identity *who)
{
	gnutls_x509_crl_t crl = NULL;
	gnutls_x509_crt_t issuer = NULL, revoked = NULL;
	int code;
	if ((code = gnutls_x509_crl_init(&crl)) >= 0 && (code = gnutls_x509_crt_init(&issuer)) >= 0 &&
	    (code = gnutls_x509_crt_init(&revoked)) >= 0 &&
	    (code = gnutls_x509_crt_import(issuer, &ca->der, GNUTLS_X509_FMT_DER)) >= 0 &&
	    (code = gnutls_x509_crt_import(revoked, &who->der, GNUTLS_X509_FMT_DER)) >= 0 &&
	    (code = fill_crl(crl, issuer, revoked)) >= 0 &&
	    (code = gnutls_x509_crl_privkey_sign(crl, issuer, ca->key, GNUTLS_DIG_SHA256, 0)) >= 0) {
		code = gnutls_x509_crl_export2(crl, GNUTLS_X509_FMT_PEM, out);
	}
	gnutls_x509_crl_deinit(crl);
	gnutls_x509_crt_deinit(issuer);
	gnutls_x509_crt_deinit(revoked);
	return code;
}

static int write_list(const struct demo_pki *pki, const char *name, enum demo_id who)
{
	const gnutls_datum_t *der = &pki->ids[who].der;
	unsigned char hash[32];
	int code = gnutls_hash_fast(GNUTLS_DIG_SHA256, der->data, der->size, hash);
	if (code < 0) {
		return err_of(code);
	}
	char text[128];
	size_t len = (size_t)snprintf(text, sizeof(text), "# %s\nsha256 ", pki->ids[who].name);
	for (size_t i = 0; i < sizeof(hash); i++) {
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%02X", hash[i]);
	}
	text[len++] = '\n';
	return demo_pki_write(pki->dir, name, ".txt", slice_of(text, len));
}

int demo_lists_make(const struct demo_pki *pki)
{
	gnutls_datum_t crl;
	int code = make_crl(&crl, &pki->ids[DEMO_DEV], &pki->ids[DEMO_REVOKED]);
	if (code < 0) {
		return err_of(code);
	}
	int err = demo_pki_write(pki->dir, "dev", ".crl", slice_of(crl.data, crl.size));
	gnutls_free(crl.data);
	if (err == E_OK) {
		err = write_list(pki, "deny", DEMO_DENIED);
	}
	return err == E_OK ? write_list(pki, "allow", DEMO_SERVER) : err;
}
