/* Certificates that no library would make. Thread: any. */
#pragma once

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

/* Names another curve in the key of a P-256 certificate (X9.62 prime239v3: its name is as long, and GnuTLS does not know
 * it) and signs it again with the ECDSA key of its issuer, so that the key is all that is wrong. Replaces der->data,
 * which was and stays gnutls_free()'s. 0 or a GNUTLS_E_* code; the certificate may be half changed then. */
int demo_spoil_curve(gnutls_datum_t *der, gnutls_privkey_t issuer);
