/* Signatures by libcrypto are checked with GnuTLS: the two libraries have to agree on every scheme that TLS uses. */
#include "tls/offload.h"

#include <stdlib.h>
#include <string.h>

#include <gnutls/x509.h>

#include "base/err.h"
#include "unit.h"

static gnutls_x509_privkey_t generate(gnutls_pk_algorithm_t algorithm, unsigned bits)
{
	gnutls_x509_privkey_t key;
	if (gnutls_x509_privkey_init(&key) != 0 ||
	    gnutls_x509_privkey_generate(key, algorithm, bits, 0) != 0) {
		abort();
	}
	return key;
}

/* As PEM; `password` NULL: in the clear. */
static gnutls_datum_t pem_of(gnutls_x509_privkey_t key, const char *password)
{
	gnutls_datum_t pem;
	unsigned flags = password == NULL ? GNUTLS_PKCS_PLAIN : GNUTLS_PKCS_PBES2_AES_256;
	if (gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, password, flags, &pem) != 0) {
		abort();
	}
	return pem;
}

static void verify_signature(gnutls_privkey_t offloaded, gnutls_x509_privkey_t key,
                             gnutls_sign_algorithm_t scheme)
{
	static const gnutls_datum_t data = {(unsigned char *)"what is signed", 14};
	static const gnutls_datum_t other = {(unsigned char *)"what is singed", 14};
	gnutls_privkey_t shell;
	gnutls_pubkey_t public;
	gnutls_datum_t signature = {NULL, 0};
	if (gnutls_privkey_init(&shell) != 0 || gnutls_privkey_import_x509(shell, key, 0) != 0 ||
	    gnutls_pubkey_init(&public) != 0 ||
	    gnutls_pubkey_import_privkey(public, shell, 0, 0) != 0) {
		abort();
	}
	int ret = gnutls_privkey_sign_data2(offloaded, scheme, 0, &data, &signature);
	CU_ASSERT_EQUAL(ret, 0);
	if (ret == 0) {
		CU_ASSERT_EQUAL(gnutls_pubkey_verify_data2(public, scheme, 0, &data, &signature), 0);
		CU_ASSERT(gnutls_pubkey_verify_data2(public, scheme, 0, &other, &signature) < 0);
	}
	gnutls_free(signature.data);
	gnutls_pubkey_deinit(public);
	gnutls_privkey_deinit(shell);
}

/* Every scheme, several times: ECDSA signatures differ in length. */
static void verify_all(gnutls_pk_algorithm_t algorithm, unsigned bits,
                       const gnutls_sign_algorithm_t *schemes, size_t count)
{
	gnutls_x509_privkey_t key = generate(algorithm, bits);
	gnutls_datum_t pem = pem_of(key, NULL);
	gnutls_privkey_t offloaded;
	CU_ASSERT_EQUAL_FATAL(offload_key_new(&offloaded, &pem), E_OK);
	CU_ASSERT_EQUAL(gnutls_privkey_get_type(offloaded), GNUTLS_PRIVKEY_EXT);
	CU_ASSERT_EQUAL(gnutls_privkey_get_pk_algorithm(offloaded, NULL), (int)algorithm);
	for (size_t i = 0; i < count; i++) {
		for (int times = 0; times < 8; times++) {
			verify_signature(offloaded, key, schemes[i]);
		}
	}
	gnutls_privkey_deinit(offloaded);
	gnutls_free(pem.data);
	gnutls_x509_privkey_deinit(key);
}

static void rsa_signs_as_pkcs1_and_pss(void)
{
	static const gnutls_sign_algorithm_t schemes[] = {
		GNUTLS_SIGN_RSA_SHA256,          GNUTLS_SIGN_RSA_SHA384,
		GNUTLS_SIGN_RSA_SHA512,          GNUTLS_SIGN_RSA_PSS_RSAE_SHA256,
		GNUTLS_SIGN_RSA_PSS_RSAE_SHA384, GNUTLS_SIGN_RSA_PSS_RSAE_SHA512};
	verify_all(GNUTLS_PK_RSA, 2048, schemes, sizeof(schemes) / sizeof(schemes[0]));
	verify_all(GNUTLS_PK_RSA, 3072, schemes, sizeof(schemes) / sizeof(schemes[0]));
}

static void ecdsa_signs_on_each_curve(void)
{
	/* In TLS 1.2 any hash goes with any curve (RFC 5246 7.4.1.4.1); 1.3 ties them (RFC 8446 4.2.3). */
	static const gnutls_sign_algorithm_t any[] = {
		GNUTLS_SIGN_ECDSA_SHA256, GNUTLS_SIGN_ECDSA_SHA384, GNUTLS_SIGN_ECDSA_SHA512};
	static const struct {
		gnutls_ecc_curve_t curve;
		gnutls_sign_algorithm_t own;
	} curves[] = {
		{GNUTLS_ECC_CURVE_SECP256R1, GNUTLS_SIGN_ECDSA_SECP256R1_SHA256},
		{GNUTLS_ECC_CURVE_SECP384R1, GNUTLS_SIGN_ECDSA_SECP384R1_SHA384},
		{GNUTLS_ECC_CURVE_SECP521R1, GNUTLS_SIGN_ECDSA_SECP521R1_SHA512},
	};
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		verify_all(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(curves[i].curve), any, 3);
		verify_all(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(curves[i].curve), &curves[i].own,
		           1);
	}
}

static void refuse(const void *text, size_t len)
{
	/* On the heap and without NUL, so that a sanitizer sees a byte read too many. */
	unsigned char *copy = malloc(len + (len == 0));
	memcpy(copy, text, len);
	gnutls_datum_t pem = {copy, (unsigned)len};
	gnutls_privkey_t key;
	CU_ASSERT_EQUAL(offload_key_new(&key, &pem), E_INVALID);
	free(copy);
}

static void an_encrypted_key_is_refused(void)
{
	gnutls_x509_privkey_t key =
		generate(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1));
	gnutls_datum_t pem = pem_of(key, "secret");
	refuse(pem.data, pem.size);
	gnutls_free(pem.data);
	gnutls_x509_privkey_deinit(key);
}

static void a_key_of_another_kind_is_refused(void)
{
	static const struct {
		gnutls_pk_algorithm_t algorithm;
		gnutls_ecc_curve_t curve;
	} kinds[] = {
		{GNUTLS_PK_EDDSA_ED25519, GNUTLS_ECC_CURVE_ED25519},
		{GNUTLS_PK_EDDSA_ED448, GNUTLS_ECC_CURVE_ED448},
		{GNUTLS_PK_ECDSA, GNUTLS_ECC_CURVE_SECP224R1},
	};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		gnutls_x509_privkey_t key =
			generate(kinds[i].algorithm, GNUTLS_CURVE_TO_BITS(kinds[i].curve));
		gnutls_datum_t pem = pem_of(key, NULL);
		refuse(pem.data, pem.size);
		gnutls_free(pem.data);
		gnutls_x509_privkey_deinit(key);
	}
}

static void junk_is_refused(void)
{
	refuse("", 0);
	refuse("junk", 4);
	static const char empty[] = "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n";
	refuse(empty, sizeof(empty) - 1);
	static const char wrong[] =
		"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
	refuse(wrong, sizeof(wrong) - 1);
	gnutls_x509_privkey_t key =
		generate(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1));
	gnutls_datum_t pem = pem_of(key, NULL);
	/* Without its last line it is no PEM; of a cut last line libcrypto may need no more than the dashes. */
	for (size_t len = 0; len + sizeof("-----END PRIVATE KEY-----\n") < pem.size; len += 7) {
		refuse(pem.data, len);
	}
	gnutls_free(pem.data);
	gnutls_x509_privkey_deinit(key);
}

static const struct unit_test tests[] = {
	{"RSA keys sign as PKCS #1 and PSS with each hash", rsa_signs_as_pkcs1_and_pss},
	{"ECDSA keys sign on each curve with each hash", ecdsa_signs_on_each_curve},
	{"an encrypted key is refused and nobody is asked", an_encrypted_key_is_refused},
	{"a key of another kind is refused", a_key_of_another_kind_is_refused},
	{"what is no key is refused", junk_is_refused},
};

UNIT_MAIN("tls/offload", tests)
