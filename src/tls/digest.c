#include "tls/digest.h"

#include <gnutls/crypto.h>

#include "base/bug.h"

void digest_sha256(uint8_t out[32], const struct slice *parts, size_t count)
{
	gnutls_hash_hd_t hash;
	BUG_IF(gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) != 0);
	for (size_t i = 0; i < count; i++) {
		BUG_IF(gnutls_hash(hash, parts[i].data, parts[i].len) != 0);
	}
	gnutls_hash_deinit(hash, out);
}
