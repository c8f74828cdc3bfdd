#include "peer/signature.h"

#include <gnutls/x509.h>

/* GnuTLS takes the length of the salt from the key, where an ordinary RSA key has none: a copy
 * of the key is told. The key itself stays as it is, since workers share anchors. */
static int verify_pss(const struct cert_x509 *cert, const struct cert_x509 *issuer,
                      const gnutls_datum_t *tbs, const gnutls_datum_t *signature)
{
	gnutls_pubkey_t key;
	gnutls_x509_spki_t spki;
	int code = gnutls_pubkey_init(&key);
	if (code < 0) {
		return code;
	}
	code = gnutls_x509_spki_init(&spki);
	if (code < 0) {
		goto deinit_key;
	}
	gnutls_datum_t der = {(unsigned char *)issuer->spki.data, (unsigned)issuer->spki.len};
	gnutls_x509_spki_set_rsa_pss_params(spki, cert->signature_kind.pss_digest,
	                                    cert->signature_kind.pss_salt);
	code = gnutls_pubkey_import(key, &der, GNUTLS_X509_FMT_DER);
	code = code < 0 ? code : gnutls_pubkey_set_spki(key, spki, 0);
	code = code < 0 ? code
	                : gnutls_pubkey_verify_data2(key, cert->signature_kind.algorithm, 0, tbs,
	                                             signature);
	gnutls_x509_spki_deinit(spki);

deinit_key:
	gnutls_pubkey_deinit(key);
	return code;
}

/* RFC 8032 5.2.7: S is below the order of the group, so the last of its 57 octets is zero.
 * Nettle 3.8 leaves that octet out, and the same certificate would verify under 256
 * fingerprints. */
static bool is_ed448_tail_clear(const struct cert_x509 *cert)
{
	return cert->signature_kind.algorithm != GNUTLS_SIGN_EDDSA_ED448 ||
	       cert->signature.len == 0 || cert->signature.data[cert->signature.len - 1] == 0;
}

enum signature_result signature_verify(const struct cert *cert, const struct cert *issuer)
{
	const struct cert_x509 *x = cert->x509;
	if (x->signature_kind.algorithm == GNUTLS_SIGN_UNKNOWN) {
		return SIGNATURE_UNSUPPORTED;
	}
	if (issuer->x509->key == NULL) {
		return SIGNATURE_NO_KEY;
	}
	gnutls_datum_t tbs = {(unsigned char *)x->tbs.data, (unsigned)x->tbs.len};
	gnutls_datum_t signature = {(unsigned char *)x->signature.data, (unsigned)x->signature.len};
	int code =
		x->signature_kind.pss_digest != GNUTLS_DIG_UNKNOWN
			? verify_pss(x, issuer->x509, &tbs, &signature)
			: gnutls_pubkey_verify_data2(issuer->x509->key, x->signature_kind.algorithm,
	                                             GNUTLS_VERIFY_ALLOW_BROKEN, &tbs, &signature);
	return code < 0 || !is_ed448_tail_clear(x) ? SIGNATURE_WRONG : SIGNATURE_GOOD;
}
