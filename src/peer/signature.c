#include "peer/signature.h"

#include <gnutls/x509.h>

#include "peer/ecdsa.h"

/* gnutls_pubkey_verify_data2() or gnutls_pubkey_verify_hash2() */
typedef int verify_fn(gnutls_pubkey_t key, gnutls_sign_algorithm_t algorithm, unsigned flags,
                      const gnutls_datum_t *data, const gnutls_datum_t *signature);

/* GnuTLS takes the length of the salt from the key, where an ordinary RSA key has none: a copy
 * of the key is told. The key itself stays as it is, since workers share anchors. */
static int verify_pss(verify_fn *verify, const struct signature_kind *kind,
                      const struct cert_x509 *issuer, const gnutls_datum_t *tbs,
                      const gnutls_datum_t *signature)
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
	gnutls_x509_spki_set_rsa_pss_params(spki, kind->pss_digest, kind->pss_salt);
	code = gnutls_pubkey_import(key, &der, GNUTLS_X509_FMT_DER);
	code = code < 0 ? code : gnutls_pubkey_set_spki(key, spki, 0);
	code = code < 0 ? code : verify(key, kind->algorithm, 0, tbs, signature);
	gnutls_x509_spki_deinit(spki);

deinit_key:
	gnutls_pubkey_deinit(key);
	return code;
}

/* RFC 8032 5.2.7: S is below the order of the group, so the last of its 57 octets is zero.
 * Nettle 3.8 leaves that octet out, and the same certificate would verify under 256
 * fingerprints. */
static bool is_ed448_tail_clear(const struct signature_kind *kind, struct slice signature)
{
	return kind->algorithm != GNUTLS_SIGN_EDDSA_ED448 || signature.len == 0 ||
	       signature.data[signature.len - 1] == 0;
}

/* RFC 3279 2.2.3, X.690 10: GnuTLS reads BER, and the same certificate would verify under any number of fingerprints. */
static bool is_written_strictly(const struct signature_kind *kind, struct slice signature)
{
	struct ecdsa unused;
	return !signature_kind_is_ecdsa(kind) || ecdsa_read(&unused, signature);
}

static enum signature_result verify_any(verify_fn *verify, const struct signature_kind *kind,
                                        struct slice tbs, struct slice signature,
                                        const struct cert *issuer)
{
	if (kind->algorithm == GNUTLS_SIGN_UNKNOWN) {
		return SIGNATURE_UNSUPPORTED;
	}
	if (issuer->x509->key == NULL) {
		return SIGNATURE_NO_KEY;
	}
	/* RFC 4055 1.2, 3.3: what the key is kept to, its signatures have to keep */
	const struct key_kind *key = &issuer->x509->key_kind;
	if (key->pss && (kind->pss_digest == GNUTLS_DIG_UNKNOWN ||
	                 (key->pss_digest != GNUTLS_DIG_UNKNOWN &&
	                  (kind->pss_digest != key->pss_digest || kind->pss_salt < key->pss_salt)))) {
		return SIGNATURE_WRONG;
	}
	if (!is_written_strictly(kind, signature)) {
		return SIGNATURE_WRONG;
	}
	gnutls_datum_t data = {(unsigned char *)tbs.data, (unsigned)tbs.len};
	gnutls_datum_t value = {(unsigned char *)signature.data, (unsigned)signature.len};
	int code = kind->pss_digest != GNUTLS_DIG_UNKNOWN
	                   ? verify_pss(verify, kind, issuer->x509, &data, &value)
	                   : verify(issuer->x509->key, kind->algorithm, GNUTLS_VERIFY_ALLOW_BROKEN,
	                            &data, &value);
	return code < 0 || !is_ed448_tail_clear(kind, signature) ? SIGNATURE_WRONG : SIGNATURE_GOOD;
}

enum signature_result signature_verify_bytes(const struct signature_kind *kind, struct slice tbs,
                                             struct slice signature, const struct cert *issuer)
{
	return verify_any(gnutls_pubkey_verify_data2, kind, tbs, signature, issuer);
}

enum signature_result signature_verify_digest(const struct signature_kind *kind, struct slice digest,
                                              struct slice signature, const struct cert *issuer)
{
	if (kind->algorithm == GNUTLS_SIGN_EDDSA_ED25519 ||
	    kind->algorithm == GNUTLS_SIGN_EDDSA_ED448) {
		return SIGNATURE_UNSUPPORTED;
	}
	return verify_any(gnutls_pubkey_verify_hash2, kind, digest, signature, issuer);
}

enum signature_result signature_verify(const struct cert *cert, const struct cert *issuer)
{
	const struct cert_x509 *x = cert->x509;
	return signature_verify_bytes(&x->signature_kind, x->tbs, x->signature, issuer);
}
