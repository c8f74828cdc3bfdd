#include "peer/algorithm.h"

#include <string.h>

#include "peer/der.h"

struct signature_row {
	const char *oid;
	const char *name;
	gnutls_sign_algorithm_t algorithm;
	enum hash_strength hash;
};

static const struct signature_row signatures[] = {
	{"1.2.840.113549.1.1.2", "MD2-RSA", GNUTLS_SIGN_UNKNOWN, HASH_BROKEN},
	{"1.2.840.113549.1.1.4", "MD5-RSA", GNUTLS_SIGN_RSA_MD5, HASH_BROKEN},
	{"1.2.840.113549.1.1.5", "SHA1-RSA", GNUTLS_SIGN_RSA_SHA1, HASH_SHA1},
	{"1.2.840.113549.1.1.14", "SHA224-RSA", GNUTLS_SIGN_RSA_SHA224, HASH_SHA224},
	{"1.2.840.113549.1.1.11", "SHA256-RSA", GNUTLS_SIGN_RSA_SHA256, HASH_STRONG},
	{"1.2.840.113549.1.1.12", "SHA384-RSA", GNUTLS_SIGN_RSA_SHA384, HASH_STRONG},
	{"1.2.840.113549.1.1.13", "SHA512-RSA", GNUTLS_SIGN_RSA_SHA512, HASH_STRONG},
	{"1.2.840.10040.4.3", "DSA-SHA1", GNUTLS_SIGN_DSA_SHA1, HASH_SHA1},
	{"2.16.840.1.101.3.4.3.2", "DSA-SHA256", GNUTLS_SIGN_DSA_SHA256, HASH_STRONG},
	{"1.2.840.10045.4.1", "ECDSA-SHA1", GNUTLS_SIGN_ECDSA_SHA1, HASH_SHA1},
	{"1.2.840.10045.4.3.1", "ECDSA-SHA224", GNUTLS_SIGN_ECDSA_SHA224, HASH_SHA224},
	{"1.2.840.10045.4.3.2", "ECDSA-SHA256", GNUTLS_SIGN_ECDSA_SHA256, HASH_STRONG},
	{"1.2.840.10045.4.3.3", "ECDSA-SHA384", GNUTLS_SIGN_ECDSA_SHA384, HASH_STRONG},
	{"1.2.840.10045.4.3.4", "ECDSA-SHA512", GNUTLS_SIGN_ECDSA_SHA512, HASH_STRONG},
	{"1.3.101.112", "Ed25519", GNUTLS_SIGN_EDDSA_ED25519, HASH_STRONG},
	{"1.3.101.113", "Ed448", GNUTLS_SIGN_EDDSA_ED448, HASH_STRONG},
};

#define OID_PSS "1.2.840.113549.1.1.10"
#define OID_MGF1 "1.2.840.113549.1.1.8"

static const struct {
	const char *oid;
	const char *name;
	gnutls_sign_algorithm_t algorithm;
	gnutls_digest_algorithm_t digest;
	enum hash_strength hash;
} pss_hashes[] = {
	{"1.3.14.3.2.26", "SHA1-RSAPSS", GNUTLS_SIGN_UNKNOWN, GNUTLS_DIG_SHA1, HASH_SHA1},
	{"2.16.840.1.101.3.4.2.1", "SHA256-RSAPSS", GNUTLS_SIGN_RSA_PSS_SHA256, GNUTLS_DIG_SHA256,
         HASH_STRONG},
	{"2.16.840.1.101.3.4.2.2", "SHA384-RSAPSS", GNUTLS_SIGN_RSA_PSS_SHA384, GNUTLS_DIG_SHA384,
         HASH_STRONG},
	{"2.16.840.1.101.3.4.2.3", "SHA512-RSAPSS", GNUTLS_SIGN_RSA_PSS_SHA512, GNUTLS_DIG_SHA512,
         HASH_STRONG},
};
#define PSS_HASHES (sizeof(pss_hashes) / sizeof(pss_hashes[0]))

#define P256 0 /* of `curves` */

/* TLS 1.2 and 1.3 authenticate with the first three in GnuTLS's own settings. */
static const struct {
	const char *oid;
	const char *name;
	unsigned bits;
	bool supported;
} curves[] = {
	[P256] = {"1.2.840.10045.3.1.7", "P-256", 256, true},
	{"1.3.132.0.34", "P-384", 384, true},
	{"1.3.132.0.35", "P-521", 521, true},
	/* Known to GnuTLS, and too weak for every profile: the finding says so, which is more
	 * than "unsupported". */
	{"1.2.840.10045.3.1.1", "P-192", 192, true},
	{"1.3.132.0.33", "P-224", 224, true},
	{"1.3.132.0.10", "secp256k1", 256, false},
	{"1.3.36.3.3.2.8.1.1.7", "brainpoolP256r1", 256, false},
	{"1.3.36.3.3.2.8.1.1.11", "brainpoolP384r1", 384, false},
	{"1.3.36.3.3.2.8.1.1.13", "brainpoolP512r1", 512, false},
};

/* OID as text and what stands behind it. */
static bool read_identifier(struct slice identifier, char oid[static DER_OID_TEXT_MAX],
                            struct slice *parameters)
{
	struct slice content;
	if (!der_get(&identifier, DER_OID, &content)) {
		return false;
	}
	if (!der_oid_text(content, oid, DER_OID_TEXT_MAX)) {
		oid[0] = '\0';
	}
	*parameters = identifier;
	uint8_t tag;
	return identifier.len == 0 ||
	       (der_any(&identifier, &tag, NULL, NULL) && identifier.len == 0);
}

/* A hash named in PSS parameters; `given` is the content of [0], or of the mask generator's
 * parameters. */
static bool read_hash(struct slice given, size_t *index)
{
	struct slice identifier;
	struct slice parameters;
	char oid[DER_OID_TEXT_MAX];
	if (!der_get(&given, DER_SEQUENCE, &identifier) || given.len != 0 ||
	    !read_identifier(identifier, oid, &parameters)) {
		return false;
	}
	for (*index = 0; *index < PSS_HASHES && strcmp(pss_hashes[*index].oid, oid) != 0;) {
		(*index)++;
	}
	return true;
}

static bool read_mask(struct slice given, size_t *index)
{
	struct slice identifier;
	struct slice parameters;
	char oid[DER_OID_TEXT_MAX];
	if (!der_get(&given, DER_SEQUENCE, &identifier) || given.len != 0 ||
	    !read_identifier(identifier, oid, &parameters)) {
		return false;
	}
	if (strcmp(oid, OID_MGF1) != 0) {
		*index = PSS_HASHES;
		return true;
	}
	return read_hash(parameters, index);
}

/* RFC 4055 3.1; what is left out is SHA-1, MGF1 with SHA-1, 20 bytes of salt, trailer 1. */
static bool read_pss(struct signature_kind *out, struct slice parameters)
{
	size_t hash = 0;
	size_t mask = 0;
	uint32_t salt = 20;
	uint32_t trailer = 1;
	struct slice in = {0};
	struct slice field;
	struct slice number;
	if (parameters.len > 0 && (!der_get(&parameters, DER_SEQUENCE, &in) || parameters.len != 0)) {
		return false;
	}
	if (der_get(&in, DER_CONTEXT_CONSTRUCTED | 0, &field) && !read_hash(field, &hash)) {
		return false;
	}
	if (der_get(&in, DER_CONTEXT_CONSTRUCTED | 1, &field) && !read_mask(field, &mask)) {
		return false;
	}
	if (der_get(&in, DER_CONTEXT_CONSTRUCTED | 2, &field) &&
	    (!der_get(&field, DER_INTEGER, &number) || field.len != 0 || !der_uint(number, &salt))) {
		return false;
	}
	if (der_get(&in, DER_CONTEXT_CONSTRUCTED | 3, &field) &&
	    (!der_get(&field, DER_INTEGER, &number) || field.len != 0 ||
	     !der_uint(number, &trailer))) {
		return false;
	}
	if (in.len != 0) {
		return false;
	}
	if (hash < PSS_HASHES) {
		out->name = pss_hashes[hash].name;
		out->hash = pss_hashes[hash].hash;
		/* GnuTLS knows one hash for both parts, and so does everybody else. */
		if (mask == hash && trailer == 1 && salt <= 512) {
			out->algorithm = pss_hashes[hash].algorithm;
			out->pss_digest = pss_hashes[hash].digest;
			out->pss_salt = salt;
		}
	}
	return true;
}

bool signature_kind_read(struct signature_kind *out, struct slice identifier)
{
	char oid[DER_OID_TEXT_MAX];
	struct slice parameters;
	*out = (struct signature_kind){.algorithm = GNUTLS_SIGN_UNKNOWN,
	                               .pss_digest = GNUTLS_DIG_UNKNOWN,
	                               .hash = HASH_STRONG};
	if (!read_identifier(identifier, oid, &parameters)) {
		return false;
	}
	if (strcmp(oid, OID_PSS) == 0) {
		return read_pss(out, parameters);
	}
	for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
		if (strcmp(signatures[i].oid, oid) == 0) {
			out->name = signatures[i].name;
			out->algorithm = signatures[i].algorithm;
			out->hash = signatures[i].hash;
		}
	}
	/* RFC 8410 3: absent */
	bool eddsa = out->algorithm == GNUTLS_SIGN_EDDSA_ED25519 ||
	             out->algorithm == GNUTLS_SIGN_EDDSA_ED448;
	return !eddsa || parameters.len == 0;
}

bool signature_kind_is_ecdsa(const struct signature_kind *kind)
{
	return kind->algorithm != GNUTLS_SIGN_UNKNOWN &&
	       gnutls_sign_get_pk_algorithm(kind->algorithm) == GNUTLS_PK_ECDSA;
}

/* RFC 8017 A.1.1: modulus and exponent. */
static bool read_rsa(struct key_kind *out, struct slice key)
{
	struct slice pair;
	struct slice modulus;
	struct slice exponent;
	uint32_t e;
	if (!der_get(&key, DER_SEQUENCE, &pair) || key.len != 0 ||
	    !der_get(&pair, DER_INTEGER, &modulus) || !der_get(&pair, DER_INTEGER, &exponent) ||
	    pair.len != 0 || !der_uint(exponent, &e) || modulus.len == 0 || modulus.data[0] >= 0x80) {
		return false;
	}
	while (modulus.len > 0 && modulus.data[0] == 0) {
		modulus = slice_of(modulus.data + 1, modulus.len - 1);
	}
	out->bits = modulus.len == 0 ? 0
	                             : (unsigned)(modulus.len * 8) -
	                                       (unsigned)__builtin_clz(modulus.data[0]) + 24;
	out->weak = e < 3 || exponent.data[exponent.len - 1] % 2 == 0;
	out->rsa = true;
	/* A verification costs bits of the modulus squared times bits of the exponent: a
	 * stranger's key must not stall a worker. Go has the same bound for the modulus, and a
	 * smaller one for the exponent. */
	out->supported = out->bits <= 8192 && exponent.len <= 8;
	return true;
}

/* P-256 as ECParameters (RFC 3279 2.3.5): version 1, the field of its prime; a, b; the generator; its order. Seed and cofactor follow
 * from these. */
static const uint8_t p256_field[] = {0x02, 0x01, 0x01, 0x30, 0x2c, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                     0xce, 0x3d, 0x01, 0x01, 0x02, 0x21, 0x00, 0xff, 0xff, 0xff,
                                     0xff, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00,
                                     0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t p256_a_b[] = {
	0x04, 0x20, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xfc, 0x04, 0x20, 0x5a, 0xc6, 0x35, 0xd8, 0xaa, 0x3a,
	0x93, 0xe7, 0xb3, 0xeb, 0xbd, 0x55, 0x76, 0x98, 0x86, 0xbc, 0x65, 0x1d, 0x06, 0xb0,
	0xcc, 0x53, 0xb0, 0xf6, 0x3b, 0xce, 0x3c, 0x3e, 0x27, 0xd2, 0x60, 0x4b};
static const uint8_t p256_generator[] = {
	0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5,
	0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4,
	0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a,
	0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33,
	0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5};
static const uint8_t p256_order[] = {0x00, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
                                     0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9,
                                     0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};

#define SAME(slice, bytes) slice_equal(slice, slice_of(bytes, sizeof(bytes)))

static bool begins(struct slice *in, const uint8_t *bytes, size_t len)
{
	if (in->len < len || memcmp(in->data, bytes, len) != 0) {
		return false;
	}
	*in = slice_of(in->data + len, in->len - len);
	return true;
}

/* All of it, the generator above all: another one of the same curve makes a key that its maker knows for every
 * public point (CVE-2020-0601). */
static bool describes_p256(struct slice parameters)
{
	struct slice in;
	struct slice curve;
	struct slice generator;
	struct slice order;
	return der_get(&parameters, DER_SEQUENCE, &in) && parameters.len == 0 &&
	       begins(&in, p256_field, sizeof(p256_field)) && der_get(&in, DER_SEQUENCE, &curve) &&
	       begins(&curve, p256_a_b, sizeof(p256_a_b)) &&
	       der_get(&in, DER_OCTET_STRING, &generator) && SAME(generator, p256_generator) &&
	       der_get(&in, DER_INTEGER, &order) && SAME(order, p256_order);
}

/* RFC 5480 2.1.1: a named curve, nothing else. One that is described is worth knowing if it is an old friend, so
 * that the chain can be verified and the finding says what is wrong with it. */
static void read_curve(struct key_kind *out, struct slice parameters, struct slice key)
{
	struct slice content;
	char oid[DER_OID_TEXT_MAX];
	/* RFC 5480 2.2: uncompressed */
	bool whole = key.len == 1 + 2 * 32 && key.data[0] == 0x04;
	struct slice point = whole ? slice_of(key.data + 1, key.len - 1) : (struct slice){0};
	out->ec = true;
	if (whole && describes_p256(parameters)) {
		out->curve = "P-256";
		out->bits = 256;
		out->weak = true;
		out->supported = true;
		out->p256_point = point;
		return;
	}
	if (!der_get(&parameters, DER_OID, &content) || parameters.len != 0 ||
	    !der_oid_text(content, oid, sizeof(oid))) {
		return;
	}
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		if (strcmp(curves[i].oid, oid) == 0) {
			out->curve = curves[i].name;
			out->bits = curves[i].bits;
			out->supported = curves[i].supported;
			out->tls = curves[i].supported;
			out->p256_point = i == P256 ? point : (struct slice){0};
		}
	}
}

/* RFC 4055 3.3: a key can be kept to one hash, and to a least length of the salt. False: to something that nothing here can
 * do. */
static bool read_pss_limits(struct key_kind *out, struct slice parameters)
{
	struct signature_kind limits = {.pss_digest = GNUTLS_DIG_UNKNOWN};
	if (parameters.len == 0) {
		return true;
	}
	if (!read_pss(&limits, parameters) || limits.pss_digest == GNUTLS_DIG_UNKNOWN) {
		return false;
	}
	out->pss_digest = limits.pss_digest;
	out->pss_salt = limits.pss_salt;
	return true;
}

bool key_kind_read(struct key_kind *out, struct slice spki)
{
	struct slice identifier;
	struct slice parameters;
	struct slice bits;
	struct slice key;
	unsigned unused;
	char oid[DER_OID_TEXT_MAX];
	*out = (struct key_kind){.pss_digest = GNUTLS_DIG_UNKNOWN};
	if (!der_get(&spki, DER_SEQUENCE, &identifier) || !der_get(&spki, DER_BIT_STRING, &bits) ||
	    spki.len != 0 || !der_bits(bits, &key, &unused) ||
	    !read_identifier(identifier, oid, &parameters)) {
		return false;
	}
	if (strcmp(oid, "1.2.840.113549.1.1.1") == 0 || strcmp(oid, OID_PSS) == 0) {
		out->pss = strcmp(oid, OID_PSS) == 0;
		out->name = out->pss ? "RSA-PSS" : "RSA";
		if (!read_rsa(out, key)) {
			return false;
		}
		out->supported = out->supported && (!out->pss || read_pss_limits(out, parameters));
		out->tls = out->supported;
		return true;
	}
	if (strcmp(oid, "1.2.840.10045.2.1") == 0) {
		out->name = "ECDSA";
		read_curve(out, parameters, key);
	} else if (strcmp(oid, "1.3.101.112") == 0) {
		*out = (struct key_kind){
			.name = "Ed25519", .bits = 256, .supported = true, .tls = true};
		return parameters.len == 0; /* RFC 8410 3 */
	} else if (strcmp(oid, "1.3.101.113") == 0) {
		*out = (struct key_kind){
			.name = "Ed448", .bits = 456, .supported = true, .tls = true};
		return parameters.len == 0;
	} else if (strcmp(oid, "1.2.840.10040.4.1") == 0) {
		out->name = "DSA";
	}
	return true;
}

const char *key_weakness(const struct key_kind *key, enum profile profile)
{
	if (key->rsa) {
		unsigned least = profile == PROFILE_LEGACY   ? 1024
		                 : profile == PROFILE_MEDIUM ? 2048
		                                             : 3072;
		if (key->weak) {
			return "the RSA exponent is even or 1";
		}
		return key->bits < least ? "the RSA key is too short" : NULL;
	}
	if (key->ec && key->weak) {
		return "the elliptic curve is described, not named";
	}
	/* TLS 1.3 has nothing below P-256, so no profile has. */
	if (key->ec && key->curve != NULL && key->bits < 256) {
		return "the elliptic curve is too small";
	}
	return NULL;
}

const char *signature_weakness(const struct signature_kind *signature, enum profile profile)
{
	switch (signature->hash) {
	case HASH_BROKEN:
		return "the signature is over MD5 or MD2";
	case HASH_SHA1:
		return profile == PROFILE_LEGACY ? NULL : "the signature is over SHA-1";
	case HASH_SHA224:
		return profile == PROFILE_LEGACY ? NULL : "the signature is over SHA-224";
	case HASH_STRONG:
		break;
	}
	return NULL;
}
