/* Signing with libcrypto in place of nettle: the same signature for less.
 *
 * On one core of the machine in tests/bench/README.md nettle 3.8 makes some 530 RSA-2048 and 15,000 P-256 signatures a
 * second, libcrypto 3.0 some 1,340 and 33,000; with RSA that is most of what a handshake costs.
 *
 * Thread: keys are made by the main thread and sign on every worker at once. */
#pragma once

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

/* A private key that signs through libcrypto, from PEM text (which is not kept). RSA and ECDSA on P-256, P-384, P-521. The caller
 * owns *key (gnutls_privkey_deinit). E_INVALID: it is of another kind, or is encrypted, or cannot be read; E_NOMEM. */
int offload_key_new(gnutls_privkey_t *key, const gnutls_datum_t *pem);
