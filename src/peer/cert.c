#include "peer/cert.h"

#include <gnutls/crypto.h>
#include <gnutls/x509.h>

#include "base/err.h"
#include "peer/der.h"
#include "peer/ecdsa.h"
#include "peer/identity.h"
#include "peer/name.h"
#include "peer/qualified.h"

static int fingerprints(struct cert *cert)
{
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, cert->der.data, cert->der.len, cert->sha256) < 0 ||
	    gnutls_hash_fast(GNUTLS_DIG_SHA1, cert->der.data, cert->der.len, cert->sha1) < 0) {
		return E_NOMEM;
	}
	return E_OK;
}

static bool read_validity(struct cert *cert, struct slice validity)
{
	uint8_t tag;
	struct slice time;
	return der_any(&validity, &tag, &time, NULL) && der_time(tag, time, &cert->not_before_s) &&
	       der_any(&validity, &tag, &time, NULL) && der_time(tag, time, &cert->not_after_s) &&
	       validity.len == 0;
}

static bool read_version(struct cert *cert, struct slice *tbs)
{
	struct slice explicit_version;
	struct slice number;
	uint32_t version;
	cert->version = 1;
	if (!der_next_is(*tbs, DER_CONTEXT_CONSTRUCTED | 0)) {
		return true;
	}
	if (!der_get(tbs, DER_CONTEXT_CONSTRUCTED | 0, &explicit_version) ||
	    !der_get(&explicit_version, DER_INTEGER, &number) || explicit_version.len != 0 ||
	    !der_uint(number, &version) || version > 2) {
		return false;
	}
	cert->version = version + 1;
	return true;
}

/* GnuTLS reads no curve that is described: it is told which one it is. Telling it of the named one,
 * too, costs a tenth of reading it once more, for most keys that come. */
static int import_key(struct cert_x509 *x)
{
	struct slice point = x->key_kind.p256_point;
	if (point.len > 0) {
		unsigned half = (unsigned)point.len / 2;
		gnutls_datum_t left = {(unsigned char *)point.data, half};
		gnutls_datum_t right = {(unsigned char *)point.data + half, half};
		return gnutls_pubkey_import_ecc_raw(x->key, GNUTLS_ECC_CURVE_SECP256R1, &left,
		                                    &right);
	}
	gnutls_datum_t spki = {(unsigned char *)x->spki.data, (unsigned)x->spki.len};
	return gnutls_pubkey_import(x->key, &spki, GNUTLS_X509_FMT_DER);
}

/* GnuTLS is the second opinion on the format, and reads the key. */
static int import_with_gnutls(struct cert *cert)
{
	if (cert->der.len > UINT32_MAX) {
		return E_INVALID;
	}
	gnutls_x509_crt_t crt;
	if (gnutls_x509_crt_init(&crt) < 0) {
		return E_NOMEM;
	}
	gnutls_datum_t der = {(unsigned char *)cert->der.data, (unsigned)cert->der.len};
	int code = gnutls_x509_crt_import(crt, &der, GNUTLS_X509_FMT_DER);
	gnutls_x509_crt_deinit(crt);
	if (code < 0) {
		return code == GNUTLS_E_MEMORY_ERROR ? E_NOMEM : E_INVALID;
	}
	if (!cert->x509->key_kind.supported) {
		return E_OK;
	}
	if (gnutls_pubkey_init(&cert->x509->key) < 0) {
		cert->x509->key = NULL;
		return E_NOMEM;
	}
	code = import_key(cert->x509);
	/* SEC 1 3.2.2.1: a point has to be on its curve, which importing does not look at. */
	code = code < 0 ? code : gnutls_pubkey_verify_params(cert->x509->key);
	if (code < 0) {
		gnutls_pubkey_deinit(cert->x509->key);
		cert->x509->key = NULL;
	}
	return code == GNUTLS_E_MEMORY_ERROR ? E_NOMEM : E_OK;
}

static int read_names(struct cert *cert, struct arena *arena, struct slice issuer,
                      struct slice subject)
{
	struct cert_x509 *x = cert->x509;
	int err = name_read(arena, &cert->issuer, issuer);
	err = err != E_OK ? err : name_read(arena, &cert->subject, subject);
	err = err != E_OK ? err : name_fold(arena, &x->issuer_folded, x->issuer);
	err = err != E_OK ? err : name_fold(arena, &x->subject_folded, x->subject);
	x->self_issued = slice_equal(x->issuer_folded, x->subject_folded);
	return err;
}

/* RFC 5280 4.1.2.8: bits, from version 2 on. False: malformed. */
static bool skip_unique_id(struct slice *tbs, uint8_t number, unsigned version)
{
	struct slice bits;
	struct slice octets;
	unsigned unused;
	return !der_get(tbs, DER_CONTEXT | number, &bits) ||
	       (version >= 2 && der_bits(bits, &octets, &unused));
}

/* RFC 5280 4.1.2, in its order */
static int read_tbs(struct cert *cert, struct arena *arena, struct slice tbs,
                    struct slice outer_algorithm)
{
	struct cert_x509 *x = cert->x509;
	struct slice algorithm;
	struct slice issuer;
	struct slice validity;
	struct slice subject;
	struct slice spki;
	if (!read_version(cert, &tbs) || !der_get(&tbs, DER_INTEGER, &cert->serial) ||
	    cert->serial.len == 0 || !der_get(&tbs, DER_SEQUENCE, &algorithm) ||
	    !der_get_whole(&tbs, DER_SEQUENCE, &issuer, &x->issuer) ||
	    !der_get(&tbs, DER_SEQUENCE, &validity) || !read_validity(cert, validity) ||
	    !der_get_whole(&tbs, DER_SEQUENCE, &subject, &x->subject) ||
	    !der_get_whole(&tbs, DER_SEQUENCE, &spki, &x->spki)) {
		return E_INVALID;
	}
	/* RFC 5280 4.1.1.2: the algorithm that is signed has to be the one that is used */
	if (!slice_equal(algorithm, outer_algorithm) ||
	    !signature_kind_read(&x->signature_kind, algorithm) ||
	    !key_kind_read(&x->key_kind, spki)) {
		return E_INVALID;
	}
	int err = read_names(cert, arena, issuer, subject);
	if (err != E_OK) {
		return err;
	}
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, x->spki.data, x->spki.len, cert->spki_sha256) < 0) {
		return E_NOMEM;
	}
	if (!skip_unique_id(&tbs, 1, cert->version) || !skip_unique_id(&tbs, 2, cert->version)) {
		return E_INVALID;
	}
	struct slice outer;
	struct slice extensions;
	if (der_get(&tbs, DER_CONTEXT_CONSTRUCTED | 3, &outer)) {
		if (cert->version < 3 || !der_get(&outer, DER_SEQUENCE, &extensions) ||
		    outer.len != 0) {
			return E_INVALID;
		}
		err = cert_read_extensions(cert, arena, extensions);
		if (err != E_OK) {
			return err;
		}
	}
	return tbs.len == 0 ? E_OK : E_INVALID;
}

static int find_twin(struct cert *cert)
{
	struct cert_x509 *x = cert->x509;
	if (!signature_kind_is_ecdsa(&x->signature_kind)) {
		return E_OK;
	}
	int err = ecdsa_twin(x->twin_sha256, x->twin_sha1, cert->der);
	x->has_twin = err == E_OK;
	return err == E_NOT_FOUND ? E_OK : err;
}

static int read_certificate(struct cert *cert, struct arena *arena)
{
	struct slice in = cert->der;
	struct slice certificate;
	struct slice tbs;
	struct slice algorithm;
	struct slice signature;
	unsigned unused;
	if (!der_get(&in, DER_SEQUENCE, &certificate) || in.len != 0 ||
	    !der_get_whole(&certificate, DER_SEQUENCE, &tbs, &cert->x509->tbs) ||
	    !der_get(&certificate, DER_SEQUENCE, &algorithm) ||
	    !der_get(&certificate, DER_BIT_STRING, &signature) || certificate.len != 0 ||
	    !der_bits(signature, &cert->x509->signature, &unused) || unused != 0) {
		return E_INVALID;
	}
	int err = read_tbs(cert, arena, tbs, algorithm);
	err = err != E_OK ? err : import_with_gnutls(cert);
	return err != E_OK ? err : find_twin(cert);
}

int cert_parse(struct cert *cert, struct arena *arena)
{
	struct slice der = cert->der;
	*cert = (struct cert){.der = der};
	int err = fingerprints(cert);
	if (err != E_OK) {
		return err;
	}
	cert->x509 = arena_alloc(arena, sizeof(*cert->x509));
	if (cert->x509 == NULL) {
		return E_NOMEM;
	}
	err = read_certificate(cert, arena);
	if (err == E_OK) {
		err = qualified_read(&cert->qualified, arena, cert->x509->subject,
		                     cert->x509->qc_statements);
	}
	if (err != E_OK) {
		/* Half a certificate is no evidence: what was read before the fault goes. */
		struct cert bare = {.der = der};
		memcpy(bare.sha256, cert->sha256, sizeof(bare.sha256));
		memcpy(bare.sha1, cert->sha1, sizeof(bare.sha1));
		cert_release(cert);
		*cert = bare;
		return err == E_INVALID ? E_OK : err;
	}
	struct cert_x509 *x = cert->x509;
	x->identity_fault = identity_fault(x);
	x->identity_malformed = x->identity_fault != NULL;
	cert->key_algorithm = x->key_kind.name;
	cert->key_bits = x->key_kind.bits;
	cert->key_curve = x->key_kind.curve;
	cert->signature_algorithm = x->signature_kind.name;
	cert->parsed = true;
	return E_OK;
}

const char *cert_identity_fault(const struct cert *cert)
{
	return cert->parsed ? cert->x509->identity_fault : NULL;
}

bool cert_is_for_tls(const struct cert *cert)
{
	return cert->parsed && cert->x509->key != NULL && cert->x509->key_kind.tls;
}

void cert_release(struct cert *cert)
{
	if (cert->x509 != NULL && cert->x509->key != NULL) {
		gnutls_pubkey_deinit(cert->x509->key);
	}
	cert->x509 = NULL;
	cert->parsed = false;
}
