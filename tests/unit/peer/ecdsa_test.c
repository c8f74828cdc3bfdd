#include "peer/ecdsa.h"

#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "peer/der.h"
#include "pki.h"
#include "unit.h"

static struct slice unhex(const char *text)
{
	uint8_t bytes[80];
	size_t n = strlen(text) / 2;
	for (size_t i = 0; i < n; i++) {
		unsigned byte;
		if (i == sizeof(bytes) || sscanf(text + 2 * i, "%2x", &byte) != 1) {
			exit(99);
		}
		bytes[i] = (uint8_t)byte;
	}
	return pki_keep(slice_of(bytes, n));
}

/* SEC 2, version 2 */
static const struct curve {
	enum pki_key_kind key;
	const char *order;
} curves[] = {
	{PKI_P224, "ffffffffffffffffffffffffffff16a2e0b8f03e13dd29455c5c2a3d"},
	{PKI_P256_A, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"},
	{PKI_P384, "ffffffffffffffffffffffffffffffffffffffffffffffff"
                   "c7634d81f4372ddf581a0db248b0a77aecec196accc52973"},
};
#define CURVES (sizeof(curves) / sizeof(curves[0]))

/* What stands before the signature of a certificate, and the contents of its two numbers. */
struct parts {
	struct slice rest;
	struct slice r;
	struct slice s;
};

static struct parts take_apart(const struct pki_cert *cert)
{
	struct parts out;
	struct slice der = cert->der;
	struct slice in;
	struct slice field;
	struct slice tbs;
	struct slice algorithm;
	struct slice octets;
	unsigned unused;
	if (!der_get(&der, DER_SEQUENCE, &in) || !der_get_whole(&in, DER_SEQUENCE, &field, &tbs) ||
	    !der_get_whole(&in, DER_SEQUENCE, &field, &algorithm) ||
	    !der_get(&in, DER_BIT_STRING, &field) || !der_bits(field, &octets, &unused) ||
	    !der_get(&octets, DER_SEQUENCE, &in) || !der_get(&in, DER_INTEGER, &out.r) ||
	    !der_get(&in, DER_INTEGER, &out.s)) {
		exit(99);
	}
	out.rest = pki_join(tbs, algorithm);
	return out;
}

static struct slice put_together(struct slice rest, struct slice signature)
{
	struct slice bits = pki_tlv(DER_BIT_STRING, pki_join(SLICE("\0"), signature));
	return pki_tlv(DER_SEQUENCE, pki_join(rest, bits));
}

static struct slice pair(struct slice r, struct slice s)
{
	return pki_tlv(DER_SEQUENCE, pki_join(pki_tlv(DER_INTEGER, r), pki_tlv(DER_INTEGER, s)));
}

/* n - s, digit by digit as at school, as the content of an INTEGER. */
static struct slice other_s(const struct curve *curve, struct slice s)
{
	struct slice n = unhex(curve->order);
	uint8_t out[80] = {0};
	int borrow = 0;
	for (size_t i = 0; i < n.len; i++) {
		int digit = n.data[n.len - 1 - i] - borrow;
		digit -= i < s.len ? s.data[s.len - 1 - i] : 0;
		borrow = digit < 0;
		out[n.len - i] = (uint8_t)(digit + 256 * borrow);
	}
	size_t at = 0;
	while (at < n.len && out[at] == 0 && out[at + 1] < 0x80) {
		at++;
	}
	return pki_keep(slice_of(out + at, n.len + 1 - at));
}

static const struct pki_cert *ca_of(const struct curve *curve)
{
	return pki_make(&(struct pki_spec){.subject = "CN=CA", .key = curve->key, .ca = true});
}

static const struct pki_cert *leaf_of(const struct pki_cert *ca)
{
	return pki_make(&(struct pki_spec){.subject = "CN=client", .key = PKI_P256_D, .issuer = ca});
}

static struct slice hex_line(const char *word, gnutls_digest_algorithm_t hash, struct slice der)
{
	uint8_t digest[32];
	char line[100];
	int len = snprintf(line, sizeof(line), "%s ", word);
	if (gnutls_hash_fast(hash, der.data, der.len, digest) < 0) {
		exit(99);
	}
	for (unsigned i = 0; i < gnutls_hash_get_len(hash); i++) {
		len += snprintf(line + len, sizeof(line) - (size_t)len, "%02X", digest[i]);
	}
	return pki_keep(slice_of(line, (size_t)len));
}

static enum peer_class judge(const struct trust *trust, const struct pki_lists_spec *spec,
                             struct slice der)
{
	struct lists *lists = spec == NULL ? NULL : pki_lists(trust, spec);
	const struct pki_cert cert = {.der = der};
	struct verdict *verdict =
		pki_judge_by(trust, lists, (const struct pki_cert *const[]){&cert, NULL}, PKI_NOW);
	enum peer_class class = verdict->class;
	verdict_unref(&verdict);
	if (lists != NULL) {
		lists_unref(&lists);
	}
	return class;
}

static struct trust *trust_of(const struct pki_cert *ca)
{
	return pki_trust(&(struct pki_trust_spec){.anchors = {ca}, .max_depth = 4});
}

/* P-224 is too weak for every profile; whoever tolerates that has lists all the same. */
static enum peer_class good_of(const struct curve *curve)
{
	return curve->key == PKI_P224 ? CLASS_WEAK_ALGORITHM : CLASS_OK;
}

static void a_denied_fingerprint_denies_the_other_signature_too(void)
{
	for (size_t i = 0; i < CURVES; i++) {
		const struct pki_cert *ca = ca_of(&curves[i]);
		const struct pki_cert *leaf = leaf_of(ca);
		struct parts parts = take_apart(leaf);
		struct slice twin =
			put_together(parts.rest, pair(parts.r, other_s(&curves[i], parts.s)));
		struct trust *trust = trust_of(ca);
		/* It is a certificate as good as the first one. */
		CU_ASSERT_FALSE(slice_equal(twin, leaf->der));
		CU_ASSERT_EQUAL(judge(trust, NULL, twin), good_of(&curves[i]));
		const struct slice entries[] = {
			hex_line("sha256", GNUTLS_DIG_SHA256, leaf->der),
			hex_line("sha1", GNUTLS_DIG_SHA1, leaf->der),
			pki_pem(leaf->der),
		};
		for (size_t k = 0; k < sizeof(entries) / sizeof(entries[0]); k++) {
			struct pki_lists_spec spec = {.deny = {entries[k]}};
			CU_ASSERT_EQUAL(judge(trust, &spec, leaf->der), CLASS_DENYLISTED);
			CU_ASSERT_EQUAL(judge(trust, &spec, twin), CLASS_DENYLISTED);
			CU_ASSERT_EQUAL(judge(trust, &spec, leaf_of(ca)->der), good_of(&curves[i]));
		}
		trust_free(&trust);
	}
}

static void an_allowed_fingerprint_allows_no_other_signature(void)
{
	const struct pki_cert *ca = ca_of(&curves[1]);
	const struct pki_cert *leaf = leaf_of(ca);
	struct parts parts = take_apart(leaf);
	struct slice twin = put_together(parts.rest, pair(parts.r, other_s(&curves[1], parts.s)));
	struct trust *trust = trust_of(ca);
	struct pki_lists_spec spec = {.allow = {pki_pem(leaf->der)}};
	CU_ASSERT_EQUAL(judge(trust, &spec, leaf->der), CLASS_OK);
	CU_ASSERT_EQUAL(judge(trust, &spec, twin), CLASS_NOT_ALLOWLISTED);
	trust_free(&trust);
}

static void the_other_signature_of_the_other_one_is_the_first(void)
{
	for (size_t i = 0; i < CURVES; i++) {
		/* Numbers of every length and sign come up. */
		for (unsigned n = 0; n < 40; n++) {
			const struct pki_cert *leaf = leaf_of(ca_of(&curves[i]));
			struct parts parts = take_apart(leaf);
			struct slice twin = put_together(
				parts.rest, pair(parts.r, other_s(&curves[i], parts.s)));
			uint8_t sha256[2][32];
			uint8_t sha1[2][20];
			uint8_t digest[32];
			CU_ASSERT_EQUAL(ecdsa_twin(sha256[0], sha1[0], leaf->der), E_OK);
			CU_ASSERT_EQUAL(ecdsa_twin(sha256[1], sha1[1], twin), E_OK);
			gnutls_hash_fast(GNUTLS_DIG_SHA256, twin.data, twin.len, digest);
			CU_ASSERT_EQUAL(memcmp(sha256[0], digest, 32), 0);
			gnutls_hash_fast(GNUTLS_DIG_SHA1, twin.data, twin.len, digest);
			CU_ASSERT_EQUAL(memcmp(sha1[0], digest, 20), 0);
			gnutls_hash_fast(GNUTLS_DIG_SHA256, leaf->der.data, leaf->der.len, digest);
			CU_ASSERT_EQUAL(memcmp(sha256[1], digest, 32), 0);
		}
	}
}

static void certificates_signed_otherwise_have_no_twin(void)
{
	static const enum pki_key_kind kinds[] = {PKI_RSA2048, PKI_ED25519, PKI_ED448};
	uint8_t sha256[32];
	uint8_t sha1[20];
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct pki_cert *cert =
			pki_make(&(struct pki_spec){.subject = "CN=CA", .key = kinds[i]});
		CU_ASSERT_EQUAL(ecdsa_twin(sha256, sha1, cert->der), E_NOT_FOUND);
	}
	CU_ASSERT_EQUAL(ecdsa_twin(sha256, sha1, SLICE("")), E_NOT_FOUND);
	CU_ASSERT_EQUAL(ecdsa_twin(sha256, sha1, SLICE("\x30\x02\x30\x00")), E_NOT_FOUND);
	/* A number above every order. */
	uint8_t most[67] = {0};
	memset(most + 1, 0xff, 66);
	struct parts parts = take_apart(leaf_of(ca_of(&curves[1])));
	struct slice der = put_together(parts.rest, pair(parts.r, slice_of(most, sizeof(most))));
	CU_ASSERT_EQUAL(ecdsa_twin(sha256, sha1, der), E_NOT_FOUND);
}

/* Anybody can write such a one: it has to cost its sender the verdict, not the proxy its memory. */
static void a_short_number_makes_a_long_one(void)
{
	uint8_t sha256[32];
	uint8_t sha1[20];
	for (size_t i = 0; i < CURVES; i++) {
		const struct pki_cert *ca = ca_of(&curves[i]);
		struct trust *trust = trust_of(ca);
		struct parts parts = take_apart(leaf_of(ca));
		struct slice one = SLICE("\1");
		struct slice der = put_together(parts.rest, pair(parts.r, one));
		struct slice twin =
			put_together(parts.rest, pair(parts.r, other_s(&curves[i], one)));
		uint8_t digest[32];
		CU_ASSERT_EQUAL(ecdsa_twin(sha256, sha1, der), E_OK);
		gnutls_hash_fast(GNUTLS_DIG_SHA256, twin.data, twin.len, digest);
		CU_ASSERT_EQUAL(memcmp(sha256, digest, 32), 0);
		CU_ASSERT_EQUAL(judge(trust, NULL, der), CLASS_BAD_SIGNATURE);
		trust_free(&trust);
	}
}

/* RFC 3279 2.2.3, X.690 8.1, 10: each of them would be one more fingerprint of the same certificate. */
static void a_signature_that_is_no_der_is_wrong(void)
{
	const struct pki_cert *ca = ca_of(&curves[1]);
	struct parts parts = take_apart(leaf_of(ca));
	struct slice r = pki_tlv(DER_INTEGER, parts.r);
	struct slice s = pki_tlv(DER_INTEGER, parts.s);
	struct slice both = pki_join(r, s);
	uint8_t long_form[] = {DER_SEQUENCE, 0x81, (uint8_t)both.len};
	struct slice bare = parts.s;
	if (bare.data[0] == 0) {
		bare = slice_of(bare.data + 1, bare.len - 1);
	}
	const struct slice signatures[] = {
		pair(parts.r, pki_join(SLICE("\0\0"), parts.s)),
		pair(pki_join(SLICE("\0\0"), parts.r), parts.s),
		pki_join(slice_of(long_form, sizeof(long_form)), both),
		pki_join(pki_join(SLICE("\x30\x80"), both), SLICE("\0\0")),
		pki_join(pki_tlv(DER_SEQUENCE, both), SLICE("\x05\0")),
		pki_tlv(DER_SEQUENCE, pki_join(both, SLICE("\x05\0"))),
		pki_tlv(DER_SEQUENCE, r),
		pair(parts.r, SLICE("")),
		pair(parts.r, SLICE("\0")),
		pair(parts.r, pki_join(SLICE("\xff"), bare)),
		SLICE(""),
	};
	struct trust *trust = trust_of(ca);
	CU_ASSERT_EQUAL(judge(trust, NULL, put_together(parts.rest, pair(parts.r, parts.s))),
	                CLASS_OK);
	for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
		struct ecdsa unused;
		CU_ASSERT_FALSE(ecdsa_read(&unused, signatures[i]));
		CU_ASSERT_EQUAL(judge(trust, NULL, put_together(parts.rest, signatures[i])),
		                CLASS_BAD_SIGNATURE);
	}
	trust_free(&trust);
}

static const struct unit_test tests[] = {
	{"a denied fingerprint denies the other signature too",
         a_denied_fingerprint_denies_the_other_signature_too},
	{"an allowed fingerprint allows no other signature",
         an_allowed_fingerprint_allows_no_other_signature},
	{"the other signature of the other one is the first",
         the_other_signature_of_the_other_one_is_the_first},
	{"certificates signed otherwise have no twin", certificates_signed_otherwise_have_no_twin},
	{"a short number makes a long one", a_short_number_makes_a_long_one},
	{"a signature that is no DER is wrong", a_signature_that_is_no_der_is_wrong},
};

int main(void)
{
	int code = unit_run("peer/ecdsa", tests, sizeof(tests) / sizeof(tests[0]));
	pki_release();
	return code;
}
