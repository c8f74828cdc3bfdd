#include "peer/chain.h"

#include <gnutls/crypto.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/err.h"
#include "peer/arena.h"
#include "peer/cert.h"

#define KEY_BYTES 2048 /* a gnutls_pubkey_t and its numbers, roughly */

int chain_hash(uint8_t out[static 32], const struct slice *der, size_t count)
{
	gnutls_hash_hd_t hash;
	if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) < 0) {
		return E_NOMEM;
	}
	int code = 0;
	for (size_t i = 0; i < count && code >= 0; i++) {
		uint32_t len = (uint32_t)der[i].len;
		uint8_t head[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
		                   (uint8_t)len};
		code = gnutls_hash(hash, head, sizeof(head));
		if (code >= 0 && der[i].len > 0) {
			code = gnutls_hash(hash, der[i].data, der[i].len);
		}
	}
	gnutls_hash_deinit(hash, out);
	return code < 0 ? E_NOMEM : E_OK;
}

int chain_new(struct chain **out, const struct slice *der, size_t count)
{
	BUG_IF(count == 0);

	struct chain *chain = calloc(1, sizeof(*chain));
	if (chain == NULL) {
		return E_NOMEM;
	}
	chain->refs = 1;
	chain->count = count;
	chain->arena = calloc(1, sizeof(*chain->arena));
	if (chain->arena == NULL) {
		goto free_chain;
	}
	chain->certs = arena_array(chain->arena, count, sizeof(*chain->certs));
	if (chain->certs == NULL || chain_hash(chain->sha256, der, count) != E_OK) {
		goto release_arena;
	}
	for (size_t i = 0; i < count; i++) {
		struct cert *cert = &chain->certs[i];
		if (!arena_copy(chain->arena, &cert->der, der[i]) ||
		    gnutls_hash_fast(GNUTLS_DIG_SHA256, cert->der.data, cert->der.len,
		                     cert->sha256) < 0 ||
		    gnutls_hash_fast(GNUTLS_DIG_SHA1, cert->der.data, cert->der.len, cert->sha1) <
		            0) {
			goto release_arena;
		}
		chain->bytes += der[i].len;
	}
	*out = chain;
	return E_OK;

release_arena:
	arena_release(chain->arena);
	free(chain->arena);
free_chain:
	free(chain);
	return E_NOMEM;
}

int chain_parse(struct chain *chain)
{
	if (chain->parsed) {
		return E_OK;
	}
	for (size_t i = 0; i < chain->count; i++) {
		/* After a failure for lack of memory it goes on where it stopped. */
		if (chain->certs[i].parsed) {
			continue;
		}
		int err = cert_parse(&chain->certs[i], chain->arena);
		if (err != E_OK) {
			return err;
		}
	}
	chain->parsed = true;
	return E_OK;
}

struct chain *chain_ref(struct chain *chain)
{
	chain->refs++;
	return chain;
}

void chain_unref(struct chain **chain)
{
	struct chain *c = *chain;
	*chain = NULL;
	if (c == NULL) {
		return;
	}
	BUG_IF(c->refs == 0);
	if (--c->refs > 0) {
		return;
	}
	for (size_t i = 0; i < c->count; i++) {
		cert_release(&c->certs[i]);
	}
	arena_release(c->arena);
	free(c->arena);
	free(c);
}

size_t chain_memory(const struct chain *chain)
{
	return sizeof(*chain) + sizeof(*chain->arena) + chain->arena->bytes +
	       (chain->parsed ? chain->count * KEY_BYTES : 0);
}
