/* What is wrong with the demo's certificates beyond dates and issuers. Thread: any. */
#pragma once

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

enum demo_spoil {
	SPOIL_NOTHING,
	/* before it is signed */
	SPOIL_LAST,       /* a CA with path length 0 */
	SPOIL_NARROW,     /* a CA for the names of narrow.test alone */
	SPOIL_OTHER_NAME, /* a name outside of it */
	SPOIL_CRITICAL,   /* a critical extension that nobody knows */
	SPOIL_NUL_NAME,   /* a common name with NUL in it */
	/* afterwards */
	SPOIL_SIGNATURE,
	SPOIL_BYTES,
	SPOIL_CURVE,
	SPOIL_KEY,
};

/* Those of before: changes the fields of a certificate that is not signed yet; nothing for all others. 0 or a GNUTLS_E_* code. */
int demo_spoil_fields(gnutls_x509_crt_t crt, enum demo_spoil how);

/* Names another curve in the key of a P-256 certificate (X9.62 prime239v3: its name is as long, and GnuTLS does not know
 * it) and signs it again with the ECDSA key of its issuer, so that the key is all that is wrong. Replaces der->data,
 * which was and stays gnutls_free()'s. 0 or a GNUTLS_E_* code; the certificate may be half changed then. */
int demo_spoil_curve(gnutls_datum_t *der, gnutls_privkey_t issuer);
