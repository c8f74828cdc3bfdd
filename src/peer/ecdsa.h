/* ECDSA signatures as certificates hold them, and the other certificate that each one makes. Private to peer/.
 *
 * Where (r, s) signs, (r, n - s) signs the same (n: the order of the curve), and anybody can compute it: of a certificate
 * signed with ECDSA there are two, the same but for their fingerprints. So whoever is denied by a fingerprint has another
 * one, and a deny list has to look for both. Reading is strict, since a signature that could be written in more ways would have as
 * many fingerprints: GnuTLS takes BER. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define ECDSA_BYTES_MAX 66 /* of a number of P-521 */

struct ecdsa {
	struct slice r; /* big-endian, not 0, without leading zeros */
	struct slice s;
};

/* Ecdsa-Sig-Value (RFC 3279 2.2.3) in DER. False: it is none, or a number is too long for every curve that is known here. */
bool ecdsa_read(struct ecdsa *out, struct slice signature);

/* The fingerprints of the certificate (DER) with the other signature. E_NOT_FOUND: it is not signed so, or not in strict DER, or by
 * a key of a curve that is not known here; E_NOMEM. */
int ecdsa_twin(uint8_t sha256[static 32], uint8_t sha1[static 20], struct slice certificate);
