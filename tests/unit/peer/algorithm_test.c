#include "peer/algorithm.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "peer/der.h"
#include "peer/signature.h"
#include "pki.h"
#include "unit.h"

static const enum profile profiles[] = {PROFILE_LEGACY, PROFILE_MEDIUM, PROFILE_HIGH};

static struct slice identifier(const char *oid, struct slice parameters)
{
	uint8_t der[64];
	size_t len = der_oid_from_text(oid, der, sizeof(der));
	CU_ASSERT_FATAL(len > 0);
	return pki_join(pki_tlv(DER_OID, slice_of(der, len)), parameters);
}

/* The content of a SubjectPublicKeyInfo. */
static struct slice spki(const char *oid, struct slice parameters, struct slice key)
{
	return pki_join(pki_tlv(DER_SEQUENCE, identifier(oid, parameters)),
	                pki_tlv(DER_BIT_STRING, pki_join(SLICE("\0"), key)));
}

static struct slice rsa_key(unsigned bits, struct slice exponent)
{
	static uint8_t modulus[2048];
	size_t octets = (bits + 7) / 8;
	memset(modulus, 0xff, sizeof(modulus));
	modulus[0] = 0;
	modulus[1] = (uint8_t)(0xff >> (octets * 8 - bits));
	/* The sign takes an octet where the highest bit is the first one of its octet. */
	struct slice n =
		modulus[1] >= 0x80 ? slice_of(modulus, octets + 1) : slice_of(modulus + 1, octets);
	return pki_tlv(DER_SEQUENCE,
	               pki_join(pki_tlv(DER_INTEGER, n), pki_tlv(DER_INTEGER, exponent)));
}

static struct slice rsa_spki(unsigned bits, struct slice exponent)
{
	return spki("1.2.840.113549.1.1.1", SLICE("\x05\x00"), rsa_key(bits, exponent));
}

static void rsa_keys_are_judged_by_their_size(void)
{
	static const struct {
		unsigned bits;
		bool strong[3]; /* legacy, medium, high */
	} rows[] = {
		{512, {false, false, false}}, {1023, {false, false, false}},
		{1024, {true, false, false}}, {2047, {true, false, false}},
		{2048, {true, true, false}},  {3071, {true, true, false}},
		{3072, {true, true, true}},   {8192, {true, true, true}},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct key_kind kind;
		CU_ASSERT_TRUE(key_kind_read(&kind, rsa_spki(rows[i].bits, SLICE("\1\0\1"))));
		CU_ASSERT_EQUAL(kind.bits, rows[i].bits);
		CU_ASSERT_TRUE(kind.supported && kind.tls);
		for (size_t k = 0; k < 3; k++) {
			CU_ASSERT_EQUAL(key_weakness(&kind, profiles[k]) == NULL, rows[i].strong[k]);
		}
	}
	/* What verification costs is bounded. */
	struct key_kind kind;
	CU_ASSERT_TRUE(key_kind_read(&kind, rsa_spki(8193, SLICE("\1\0\1"))));
	CU_ASSERT_FALSE(kind.supported || kind.tls);
	CU_ASSERT_TRUE(key_kind_read(&kind, rsa_spki(2048, SLICE("\1\0\0\0\0\0\0\0\1"))));
	CU_ASSERT_FALSE(kind.supported || kind.tls);
}

static void rsa_exponents_that_hide_nothing_are_weak_in_every_profile(void)
{
	static const struct {
		struct slice exponent;
		bool strong;
	} rows[] = {
		{SLICE("\0"), false}, {SLICE("\1"), false},    {SLICE("\2"), false},
		{SLICE("\3"), true},  {SLICE("\1\0\1"), true}, {SLICE("\1\0\0"), false},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct key_kind kind;
		CU_ASSERT_TRUE(key_kind_read(&kind, rsa_spki(4096, rows[i].exponent)));
		for (size_t k = 0; k < 3; k++) {
			CU_ASSERT_EQUAL(key_weakness(&kind, profiles[k]) == NULL, rows[i].strong);
		}
	}
}

static void curves_and_kinds_of_key_are_judged_alike_by_every_profile(void)
{
	static const struct {
		const char *oid;
		struct slice parameters;
		const char *name;
		const char *curve;
		bool supported;
		bool strong;
	} rows[] = {
		{"1.2.840.10045.2.1", SLICE("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"), "ECDSA",
	         "P-256", true, true},
		{"1.2.840.10045.2.1", SLICE("\x06\x05\x2b\x81\x04\x00\x22"), "ECDSA", "P-384", true,
	         true},
		{"1.2.840.10045.2.1", SLICE("\x06\x05\x2b\x81\x04\x00\x23"), "ECDSA", "P-521", true,
	         true},
		{"1.2.840.10045.2.1", SLICE("\x06\x05\x2b\x81\x04\x00\x21"), "ECDSA", "P-224", true,
	         false},
		{"1.2.840.10045.2.1", SLICE("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x01"), "ECDSA",
	         "P-192", true, false},
		{"1.2.840.10045.2.1", SLICE("\x06\x05\x2b\x81\x04\x00\x0a"), "ECDSA", "secp256k1",
	         false, true},
		{"1.2.840.10045.2.1", SLICE("\x06\x02\x2a\x03"), "ECDSA", NULL, false, true},
		/* Parameters of the issuer's key, RFC 3279 2.3.5: whose? */
		{"1.2.840.10045.2.1", SLICE("\x05\x00"), "ECDSA", NULL, false, true},
		{"1.3.101.112", SLICE(""), "Ed25519", NULL, true, true},
		{"1.3.101.113", SLICE(""), "Ed448", NULL, true, true},
		{"1.2.840.10040.4.1", SLICE("\x05\x00"), "DSA", NULL, false, true},
		{"1.3.101.110", SLICE(""), NULL, NULL, false, true}, /* X25519 */
		{"1.2.3.4", SLICE(""), NULL, NULL, false, true},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct key_kind kind;
		CU_ASSERT_TRUE(key_kind_read(
			&kind, spki(rows[i].oid, rows[i].parameters, SLICE("\x04\x01\x02"))));
		CU_ASSERT_EQUAL(kind.name == NULL, rows[i].name == NULL);
		CU_ASSERT(rows[i].name == NULL || strcmp(kind.name, rows[i].name) == 0);
		CU_ASSERT_EQUAL(kind.curve == NULL, rows[i].curve == NULL);
		CU_ASSERT(rows[i].curve == NULL || strcmp(kind.curve, rows[i].curve) == 0);
		CU_ASSERT_EQUAL(kind.supported, rows[i].supported);
		CU_ASSERT_EQUAL(kind.tls, rows[i].supported);
		for (size_t k = 0; k < 3; k++) {
			CU_ASSERT_EQUAL(key_weakness(&kind, profiles[k]) == NULL, rows[i].strong);
		}
	}
}

/* X.690 8.8.2 */
static void a_null_with_content_is_malformed(void)
{
	struct key_kind key;
	struct signature_kind signature;
	CU_ASSERT_FALSE(key_kind_read(&key, spki("1.2.840.113549.1.1.1", SLICE("\x05\x01\x00"),
	                                         rsa_key(2048, SLICE("\x01\x00\x01")))));
	CU_ASSERT_FALSE(signature_kind_read(
		&signature, identifier("1.2.840.113549.1.1.11", SLICE("\x05\x01\x00"))));
	CU_ASSERT_TRUE(signature_kind_read(&signature,
	                                   identifier("1.2.840.113549.1.1.11", SLICE("\x05\x00"))));
}

/* RFC 8410 3: of them alone it is said that there are none, and keys with some are read by nobody. */
static void parameters_of_edwards_curves_are_malformed(void)
{
	static const char *const oids[] = {"1.3.101.112", "1.3.101.113"};
	static const struct slice parameters[] = {SLICE("\x05\x00"), SLICE("\x06\x03\x2b\x65\x70")};
	for (size_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < 2; k++) {
			struct key_kind key;
			struct signature_kind signature;
			CU_ASSERT_FALSE(key_kind_read(
				&key, spki(oids[i], parameters[k], SLICE("\x04\x01\x02"))));
			CU_ASSERT_FALSE(signature_kind_read(&signature,
			                                    identifier(oids[i], parameters[k])));
		}
		struct signature_kind signature;
		CU_ASSERT_TRUE(signature_kind_read(&signature, identifier(oids[i], SLICE(""))));
	}
}

static void hashes_are_judged_by_profile_and_md5_never_passes(void)
{
	static const struct {
		const char *oid;
		bool strong[3]; /* legacy, medium, high */
	} rows[] = {
		{"1.2.840.113549.1.1.2", {false, false, false}},
		{"1.2.840.113549.1.1.4", {false, false, false}},
		{"1.2.840.113549.1.1.5", {true, false, false}},
		{"1.2.840.10045.4.1", {true, false, false}},
		{"1.2.840.10040.4.3", {true, false, false}},
		{"1.2.840.113549.1.1.14", {true, false, false}},
		{"1.2.840.10045.4.3.1", {true, false, false}},
		{"1.2.840.113549.1.1.11", {true, true, true}},
		{"1.2.840.113549.1.1.12", {true, true, true}},
		{"1.2.840.113549.1.1.13", {true, true, true}},
		{"1.2.840.10045.4.3.2", {true, true, true}},
		{"1.2.840.10045.4.3.3", {true, true, true}},
		{"1.2.840.10045.4.3.4", {true, true, true}},
		{"1.3.101.112", {true, true, true}},
		{"1.3.101.113", {true, true, true}},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct signature_kind kind;
		CU_ASSERT_TRUE(signature_kind_read(&kind, identifier(rows[i].oid, SLICE(""))));
		CU_ASSERT_PTR_NOT_NULL(kind.name);
		for (size_t k = 0; k < 3; k++) {
			CU_ASSERT_EQUAL(signature_weakness(&kind, profiles[k]) == NULL,
			                rows[i].strong[k]);
		}
	}
	struct signature_kind unknown;
	CU_ASSERT_TRUE(signature_kind_read(&unknown, identifier("1.2.3.4", SLICE(""))));
	CU_ASSERT_EQUAL(unknown.algorithm, GNUTLS_SIGN_UNKNOWN);
	CU_ASSERT_PTR_NULL(unknown.name);
}

#define SHA1_ID SLICE("\x06\x05\x2b\x0e\x03\x02\x1a")
#define SHA256_ID SLICE("\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01")
#define SHA512_ID SLICE("\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03")
#define MGF1_ID SLICE("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08")

/* RSASSA-PSS-params (RFC 4055 3.1) of one hash for both parts. */
static struct slice pss(struct slice hash, struct slice mask_hash, const char *salt)
{
	struct slice mask = pki_join(MGF1_ID, pki_tlv(DER_SEQUENCE, mask_hash));
	struct slice number = slice_of(salt, 1);
	return pki_tlv(DER_SEQUENCE,
	               pki_join(pki_tlv(0xa0, pki_tlv(DER_SEQUENCE, hash)),
	                        pki_join(pki_tlv(0xa1, pki_tlv(DER_SEQUENCE, mask)),
	                                 pki_tlv(0xa2, pki_tlv(DER_INTEGER, number)))));
}

#define OID_PSS "1.2.840.113549.1.1.10"

static void pss_parameters_say_what_is_verified(void)
{
	struct signature_kind kind;
	CU_ASSERT_TRUE(
		signature_kind_read(&kind, identifier(OID_PSS, pss(SHA256_ID, SHA256_ID, "\x20"))));
	CU_ASSERT_EQUAL(kind.algorithm, GNUTLS_SIGN_RSA_PSS_SHA256);
	CU_ASSERT_EQUAL(kind.pss_salt, 32);
	CU_ASSERT_PTR_NULL(signature_weakness(&kind, PROFILE_HIGH));
	/* Two hashes are what nobody can verify. */
	CU_ASSERT_TRUE(
		signature_kind_read(&kind, identifier(OID_PSS, pss(SHA256_ID, SHA512_ID, "\x20"))));
	CU_ASSERT_EQUAL(kind.algorithm, GNUTLS_SIGN_UNKNOWN);
	/* Without parameters it is SHA-1. */
	CU_ASSERT_TRUE(signature_kind_read(&kind, identifier(OID_PSS, SLICE(""))));
	CU_ASSERT_PTR_NOT_NULL(signature_weakness(&kind, PROFILE_MEDIUM));
	CU_ASSERT_FALSE(signature_kind_read(&kind, identifier(OID_PSS, SLICE("\x30\x02\xa0\x05"))));
}

/* RFC 4055 3.3 */
static void pss_keys_that_are_kept_to_a_hash_verify_no_other(void)
{
	static const struct {
		bool restricted;
		const char *key_salt;
		bool pss_signature;
		bool strong_hash; /* SHA-512, else SHA-256, of the signature */
		bool verifies;    /* comes as far as the signature's own arithmetic */
	} rows[] = {
		{false, "\x20", true, false, true},   {false, "\x20", true, true, true},
		{false, "\x20", false, false, false}, {true, "\x20", true, false, true},
		{true, "\x20", true, true, false},    {true, "\x21", true, false, false},
		{true, "\x10", true, false, true},    {true, "\x20", false, false, false},
	};
	/* The usual RSA certificate, its key said to be another kind. */
	const struct pki_cert *signer =
		pki_make(&(struct pki_spec){.subject = "CN=Pss", .key = PKI_RSA2048, .ca = true});
	const struct pki_cert *signed_by[2][2];
	static const gnutls_digest_algorithm_t digests[] = {GNUTLS_DIG_SHA256, GNUTLS_DIG_SHA512};
	for (size_t k = 0; k < 4; k++) {
		signed_by[k / 2][k % 2] = pki_make(&(struct pki_spec){
			.subject = "CN=leaf",
			.key = PKI_P256_C,
			.issuer = signer,
			.digest = digests[k % 2],
			.sign_flags = k / 2 == 1 ? GNUTLS_PRIVKEY_SIGN_FLAG_RSA_PSS : 0});
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice der[] = {signed_by[rows[i].pss_signature][rows[i].strong_hash]->der,
		                      signer->der};
		struct chain *chain;
		CU_ASSERT_EQUAL_FATAL(chain_new(&chain, der, 2), E_OK);
		CU_ASSERT_EQUAL_FATAL(chain_parse(chain), E_OK);
		struct key_kind *key = &chain->certs[1].x509->key_kind;
		struct slice parameters =
			rows[i].restricted ? pss(SHA256_ID, SHA256_ID, rows[i].key_salt) : SLICE("");
		CU_ASSERT_TRUE(key_kind_read(
			key, spki(OID_PSS, parameters, rsa_key(2048, SLICE("\1\0\1")))));
		CU_ASSERT_TRUE(key->pss && key->supported);
		CU_ASSERT_EQUAL(signature_verify(&chain->certs[0], &chain->certs[1]),
		                rows[i].verifies ? SIGNATURE_GOOD : SIGNATURE_WRONG);
		chain_unref(&chain);
	}
	struct key_kind kind;
	/* A mask of another hash, and parameters that are none: nothing here can use such keys. */
	CU_ASSERT_TRUE(key_kind_read(&kind, spki(OID_PSS, pss(SHA256_ID, SHA1_ID, "\x20"),
	                                         rsa_key(2048, SLICE("\1\0\1")))));
	CU_ASSERT_FALSE(kind.supported || kind.tls);
	CU_ASSERT_TRUE(key_kind_read(
		&kind, spki(OID_PSS, SLICE("\x05\x00"), rsa_key(2048, SLICE("\1\0\1")))));
	CU_ASSERT_FALSE(kind.supported || kind.tls);
}

/* P-256 as ECParameters (RFC 3279 2.3.5), from SEC 2. */
static struct slice described_p256(void)
{
	struct slice field =
		SLICE("\x06\x07\x2a\x86\x48\xce\x3d\x01\x01\x02\x21\x00"
	              "\xff\xff\xff\xff\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00"
	              "\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
	struct slice a = SLICE("\xff\xff\xff\xff\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00"
	                       "\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfc");
	struct slice b = SLICE("\x5a\xc6\x35\xd8\xaa\x3a\x93\xe7\xb3\xeb\xbd\x55\x76\x98\x86\xbc"
	                       "\x65\x1d\x06\xb0\xcc\x53\xb0\xf6\x3b\xce\x3c\x3e\x27\xd2\x60\x4b");
	struct slice generator =
		SLICE("\x04\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2"
	              "\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96"
	              "\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16"
	              "\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5");
	struct slice order =
		SLICE("\x00\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"
	              "\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51");
	struct slice curve = pki_tlv(
		DER_SEQUENCE, pki_join(pki_tlv(DER_OCTET_STRING, a), pki_tlv(DER_OCTET_STRING, b)));
	struct slice head = pki_join(SLICE("\x02\x01\x01"), pki_tlv(DER_SEQUENCE, field));
	struct slice tail =
		pki_join(pki_tlv(DER_OCTET_STRING, generator), pki_tlv(DER_INTEGER, order));
	return pki_tlv(DER_SEQUENCE,
	               pki_join(head, pki_join(curve, pki_join(tail, SLICE("\x02\x01\x01")))));
}

/* CVE-2020-0601: who may choose the generator knows the key to every point. */
static void a_described_curve_is_the_known_one_only_to_the_last_bit(void)
{
	struct slice point = pki_join(SLICE("\x04"), slice_of((const uint8_t[64]){1}, 64));
	struct slice described = described_p256();
	struct key_kind kind;
	CU_ASSERT_TRUE(key_kind_read(&kind, spki("1.2.840.10045.2.1", described, point)));
	CU_ASSERT_TRUE_FATAL(kind.curve != NULL);
	CU_ASSERT_STRING_EQUAL(kind.curve, "P-256");
	CU_ASSERT_TRUE(kind.supported);
	CU_ASSERT_FALSE(kind.tls);
	CU_ASSERT(slice_equal(kind.p256_point, slice_of(point.data + 1, 64)));
	for (size_t k = 0; k < 3; k++) {
		CU_ASSERT_PTR_NOT_NULL(key_weakness(&kind, profiles[k]));
	}
	/* The cofactor, which follows from the rest, is the last three bytes. */
	for (size_t i = 0; i < described.len - 3; i++) {
		struct slice changed = pki_keep(described);
		((uint8_t *)changed.data)[i] ^= 0x01;
		bool read = key_kind_read(&kind, spki("1.2.840.10045.2.1", changed, point));
		CU_ASSERT_FALSE(read && kind.supported);
	}
	/* A compressed point, and none. */
	CU_ASSERT_TRUE(key_kind_read(
		&kind, spki("1.2.840.10045.2.1", described, slice_of(point.data, 33))));
	CU_ASSERT_FALSE(kind.supported);
	CU_ASSERT_TRUE(key_kind_read(&kind, spki("1.2.840.10045.2.1", described, SLICE(""))));
	CU_ASSERT_FALSE(kind.supported);
}

/* RFC 5480 2.2 */
static void a_point_is_taken_for_one_of_p256_only_when_it_is(void)
{
	struct slice point = pki_join(SLICE("\x04"), slice_of((const uint8_t[64]){1}, 64));
	struct slice p256 = identifier("1.2.840.10045.3.1.7", SLICE(""));
	const char *others[] = {"1.3.132.0.34", "1.3.132.0.10", "1.3.36.3.3.2.8.1.1.7", "1.2.3"};
	struct key_kind kind;
	CU_ASSERT_TRUE(key_kind_read(&kind, spki("1.2.840.10045.2.1", p256, point)));
	CU_ASSERT(slice_equal(kind.p256_point, slice_of(point.data + 1, 64)));
	CU_ASSERT_TRUE(kind.supported && kind.tls);
	CU_ASSERT_PTR_NULL(key_weakness(&kind, PROFILE_HIGH));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		CU_ASSERT_TRUE(key_kind_read(
			&kind, spki("1.2.840.10045.2.1", identifier(others[i], SLICE("")), point)));
		CU_ASSERT_EQUAL(kind.p256_point.len, 0);
	}
	/* Compressed, as octets alone, too long, and none. */
	struct slice keys[] = {slice_of(point.data, 33), slice_of(point.data + 1, 64),
	                       pki_join(point, SLICE("\0")), SLICE("")};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		CU_ASSERT_TRUE(key_kind_read(&kind, spki("1.2.840.10045.2.1", p256, keys[i])));
		CU_ASSERT_EQUAL(kind.p256_point.len, 0);
	}
}

static const struct unit_test tests[] = {
	{"RSA keys are judged by their size", rsa_keys_are_judged_by_their_size},
	{"RSA exponents that hide nothing are weak in every profile",
         rsa_exponents_that_hide_nothing_are_weak_in_every_profile},
	{"curves and kinds of key are judged alike by every profile",
         curves_and_kinds_of_key_are_judged_alike_by_every_profile},
	{"a NULL with content is malformed", a_null_with_content_is_malformed},
	{"parameters of Edwards curves are malformed", parameters_of_edwards_curves_are_malformed},
	{"hashes are judged by profile, and MD5 never passes",
         hashes_are_judged_by_profile_and_md5_never_passes},
	{"PSS parameters say what is verified", pss_parameters_say_what_is_verified},
	{"PSS keys that are kept to a hash verify no other",
         pss_keys_that_are_kept_to_a_hash_verify_no_other},
	{"a point is taken for one of P-256 only when it is",
         a_point_is_taken_for_one_of_p256_only_when_it_is},
	{"a described curve is the known one only to the last bit",
         a_described_curve_is_the_known_one_only_to_the_last_bit},
};

int main(void)
{
	int code = unit_run("peer/algorithm", tests, sizeof(tests) / sizeof(tests[0]));
	pki_release();
	return code;
}
