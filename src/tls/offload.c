#include "tls/offload.h"

#include <stdbool.h>
#include <stdlib.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/err.h"

struct offload {
	EVP_PKEY *pkey; /* immutable: any number of threads may sign with it */
	gnutls_pk_algorithm_t algorithm;
	unsigned bits;
};

static void offload_free(struct offload *o)
{
	EVP_PKEY_free(o->pkey);
	free(o);
}

static const EVP_MD *digest_of(gnutls_sign_algorithm_t algorithm)
{
	switch (gnutls_sign_get_hash_algorithm(algorithm)) {
	case GNUTLS_DIG_SHA256:
		return EVP_sha256();
	case GNUTLS_DIG_SHA384:
		return EVP_sha384();
	case GNUTLS_DIG_SHA512:
		return EVP_sha512();
	default:
		return NULL;
	}
}

/* What GnuTLS asks for: the hash to be padded as PSS, a finished DigestInfo to be padded as PKCS #1 (it says RSA_RAW
 * then), or the hash for ECDSA. */
static int set_up(EVP_PKEY_CTX *ctx, const struct offload *o, gnutls_sign_algorithm_t algorithm)
{
	if (o->algorithm == GNUTLS_PK_ECDSA) {
		return 1;
	}
	if (algorithm == GNUTLS_SIGN_RSA_RAW) {
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING);
	}
	const EVP_MD *digest = digest_of(algorithm);
	if (digest == NULL || EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) <= 0 ||
	    EVP_PKEY_CTX_set_signature_md(ctx, digest) <= 0) {
		return 0;
	}
	/* RFC 8446 4.2.3: the salt is as long as the digest */
	return EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST);
}

static int sign_hash(gnutls_privkey_t key, gnutls_sign_algorithm_t algorithm, void *userdata,
                     unsigned flags, const gnutls_datum_t *hash, gnutls_datum_t *signature)
{
	(void)key;
	(void)flags;
	const struct offload *o = userdata;
	int ret = GNUTLS_E_PK_SIGN_FAILED;
	size_t len = (size_t)EVP_PKEY_get_size(o->pkey);
	signature->data = gnutls_malloc(len);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(o->pkey, NULL);
	if (signature->data == NULL || ctx == NULL) {
		ret = GNUTLS_E_MEMORY_ERROR;
		goto out;
	}
	if (EVP_PKEY_sign_init(ctx) > 0 && set_up(ctx, o, algorithm) > 0 &&
	    EVP_PKEY_sign(ctx, signature->data, &len, hash->data, hash->size) > 0) {
		signature->size = (unsigned)len;
		ret = 0;
	}
out:
	EVP_PKEY_CTX_free(ctx);
	if (ret != 0) {
		ERR_clear_error();
		gnutls_free(signature->data);
		signature->data = NULL;
	}
	return ret;
}

static void deinit(gnutls_privkey_t key, void *userdata)
{
	(void)key;
	offload_free(userdata);
}

static int has_algorithm(const struct offload *o, gnutls_sign_algorithm_t algorithm)
{
	gnutls_pk_algorithm_t pk = gnutls_sign_get_pk_algorithm(algorithm);
	if (algorithm == GNUTLS_SIGN_RSA_RAW) {
		return o->algorithm == GNUTLS_PK_RSA;
	}
	if (digest_of(algorithm) == NULL) {
		return 0;
	}
	return pk == o->algorithm || (o->algorithm == GNUTLS_PK_RSA && pk == GNUTLS_PK_RSA_PSS) ||
	       gnutls_sign_supports_pk_algorithm(algorithm, o->algorithm);
}

static int info(gnutls_privkey_t key, unsigned flags, void *userdata)
{
	(void)key;
	const struct offload *o = userdata;
	if ((flags & GNUTLS_PRIVKEY_INFO_PK_ALGO) != 0) {
		return (int)o->algorithm;
	}
	if ((flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS) != 0) {
		return (int)o->bits;
	}
	if ((flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO) != 0) {
		return has_algorithm(o, (gnutls_sign_algorithm_t)GNUTLS_FLAGS_TO_SIGN_ALGO(flags));
	}
	return -1;
}

/* An encrypted key must fail, not ask at the terminal. */
static int no_password(char *text, int size, int writing, void *arg)
{
	(void)text;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static bool describe(struct offload *o)
{
	o->bits = (unsigned)EVP_PKEY_get_bits(o->pkey);
	switch (EVP_PKEY_get_base_id(o->pkey)) {
	case EVP_PKEY_RSA:
		o->algorithm = GNUTLS_PK_RSA;
		return true;
	case EVP_PKEY_EC:
		o->algorithm = GNUTLS_PK_ECDSA;
		return o->bits == 256 || o->bits == 384 || o->bits == 521;
	default:
		return false;
	}
}

int offload_key_new(gnutls_privkey_t *key, const gnutls_datum_t *pem)
{
	struct offload *o = calloc(1, sizeof(*o));
	BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->size);
	int err = E_NOMEM;
	if (o == NULL || bio == NULL) {
		goto free_offload;
	}
	err = E_INVALID;
	o->pkey = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	if (o->pkey == NULL || !describe(o)) {
		goto free_offload;
	}
	err = E_NOMEM;
	if (gnutls_privkey_init(key) != 0) {
		goto free_offload;
	}
	if (gnutls_privkey_import_ext4(*key, o, NULL, sign_hash, NULL, deinit, info,
	                               GNUTLS_PRIVKEY_IMPORT_AUTO_RELEASE) != 0) {
		gnutls_privkey_deinit(*key);
		goto free_offload;
	}
	BIO_free(bio);
	return E_OK;

free_offload:
	ERR_clear_error();
	BIO_free(bio);
	if (o != NULL) {
		offload_free(o);
	}
	return err;
}
