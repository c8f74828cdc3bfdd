#include "peer/name.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "peer/der.h"
#include "peer/identity.h"
#include "pki.h"
#include "unit.h"

#define COMMON_NAME SLICE("\x55\x04\x03")
#define ORGANIZATION SLICE("\x55\x04\x0a")
#define COUNTRY SLICE("\x55\x04\x06")
#define UNIQUE_ID SLICE("\x55\x04\x2d")
#define EMAIL_ADDRESS SLICE("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01")

static struct slice attribute(struct slice oid, uint8_t tag, struct slice value)
{
	return pki_tlv(DER_SEQUENCE, pki_join(pki_tlv(DER_OID, oid), pki_tlv(tag, value)));
}

static struct slice rdn(struct slice oid, uint8_t tag, struct slice value)
{
	return pki_tlv(DER_SET, attribute(oid, tag, value));
}

static struct slice name_of(struct slice rdns)
{
	return pki_tlv(DER_SEQUENCE, rdns);
}

static bool same_name(struct slice a, struct slice b)
{
	struct arena arena = {0};
	struct slice left;
	struct slice right;
	CU_ASSERT_EQUAL_FATAL(name_fold(&arena, &left, a), E_OK);
	CU_ASSERT_EQUAL_FATAL(name_fold(&arena, &right, b), E_OK);
	bool same = slice_equal(left, right);
	arena_release(&arena);
	return same;
}

/* RFC 5280 7.1 */
static void case_spaces_and_string_types_make_no_other_name(void)
{
	static const struct {
		uint8_t left_tag;
		struct slice left;
		uint8_t right_tag;
		struct slice right;
		bool same;
	} rows[] = {
		{DER_UTF8_STRING, SLICE("Acme"), DER_PRINTABLE_STRING, SLICE("Acme"), true},
		{DER_UTF8_STRING, SLICE("Acme"), DER_UTF8_STRING, SLICE("aCME"), true},
		{DER_UTF8_STRING, SLICE(" Acme  Inc "), DER_PRINTABLE_STRING, SLICE("acme inc"),
	         true},
		{DER_UTF8_STRING, SLICE("   "), DER_UTF8_STRING, SLICE(""), true},
		{DER_UTF8_STRING, SLICE("J\xc3\xbcrgen"), DER_UTF8_STRING, SLICE("j\xc3\xbcrgen"),
	         true},
		/* Beyond ASCII bytes count: other tables, other names. */
		{DER_UTF8_STRING, SLICE("\xc3\x84"), DER_UTF8_STRING, SLICE("\xc3\xa4"), false},
		{DER_UTF8_STRING, SLICE("Acme"), DER_UTF8_STRING, SLICE("Ac me"), false},
		{DER_UTF8_STRING, SLICE("Acme"), DER_UTF8_STRING, SLICE("Acm"), false},
		{DER_UTF8_STRING, SLICE("Acme"), DER_UTF8_STRING, SLICE("Acme\0"), false},
		{DER_UTF8_STRING, SLICE("a\tb"), DER_UTF8_STRING, SLICE("a b"), false},
		{DER_UTF8_STRING, SLICE("a"), DER_T61_STRING, SLICE("a"), false},
		{DER_UTF8_STRING, SLICE("a"), DER_BMP_STRING, SLICE("\0a"), false},
		{DER_BMP_STRING, SLICE("\0a"), DER_BMP_STRING, SLICE("\0a"), true},
		{DER_BMP_STRING, SLICE("\0a"), DER_BMP_STRING, SLICE("\0A"), false},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool same = same_name(name_of(rdn(COMMON_NAME, rows[i].left_tag, rows[i].left)),
		                      name_of(rdn(COMMON_NAME, rows[i].right_tag, rows[i].right)));
		CU_ASSERT_EQUAL(same, rows[i].same);
		if (same != rows[i].same) {
			printf("\n    row %zu", i);
		}
	}
}

static void attributes_and_their_order_make_a_name(void)
{
	struct slice cn = rdn(COMMON_NAME, DER_UTF8_STRING, SLICE("a"));
	struct slice o = rdn(ORGANIZATION, DER_UTF8_STRING, SLICE("b"));
	CU_ASSERT_TRUE(same_name(name_of(pki_join(cn, o)), name_of(pki_join(cn, o))));
	CU_ASSERT_FALSE(same_name(name_of(pki_join(cn, o)), name_of(pki_join(o, cn))));
	CU_ASSERT_FALSE(same_name(name_of(cn), name_of(pki_join(cn, cn))));
	CU_ASSERT_FALSE(
		same_name(name_of(cn), name_of(rdn(ORGANIZATION, DER_UTF8_STRING, SLICE("a")))));
	/* Two attributes in one RDN are not two RDNs, but they are a set. */
	struct slice first = attribute(COMMON_NAME, DER_UTF8_STRING, SLICE("a"));
	struct slice second = attribute(COMMON_NAME, DER_PRINTABLE_STRING, SLICE("B"));
	struct slice folded = attribute(COMMON_NAME, DER_UTF8_STRING, SLICE("b"));
	struct slice one = name_of(pki_tlv(DER_SET, pki_join(first, second)));
	CU_ASSERT_TRUE(same_name(one, name_of(pki_tlv(DER_SET, pki_join(folded, first)))));
	CU_ASSERT_FALSE(same_name(
		one, name_of(pki_join(pki_tlv(DER_SET, first), pki_tlv(DER_SET, second)))));
	/* What stands in a value is never taken for the next attribute. */
	struct slice inside = SLICE("a\0\0\0\x03\x55\x04\x0a\x0c\0\0\0\x01"
	                            "b");
	CU_ASSERT_FALSE(same_name(name_of(rdn(COMMON_NAME, DER_UTF8_STRING, inside)),
	                          name_of(pki_join(cn, o))));
}

static void names_that_cannot_be_read_fold_to_nothing(void)
{
	static const struct slice bad[] = {SLICE(""), SLICE("\x31\x00"), SLICE("\x30\x02\x05\x00"),
	                                   SLICE("\x30\x02\x31\x05"), SLICE("\x30\x00\x00")};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct arena arena = {0};
		struct slice out = SLICE("x");
		CU_ASSERT_EQUAL(name_fold(&arena, &out, bad[i]), E_OK);
		CU_ASSERT_EQUAL(out.len, 0);
		arena_release(&arena);
	}
}

/* Issued by the root's key under another name. */
static enum peer_class class_of_leaf_by(const struct trust *trust, const char *issuer)
{
	const struct pki_cert *ca =
		pki_make(&(struct pki_spec){.subject = issuer, .key = PKI_P256_A, .ca = true});
	const struct pki_cert *leaf = pki_make(
		&(struct pki_spec){.subject = "CN=client", .key = PKI_P256_C, .issuer = ca});
	struct verdict *verdict = pki_judge(trust, &leaf->der, 1, PKI_NOW);
	enum peer_class class = verdict->class;
	verdict_unref(&verdict);
	return class;
}

static void an_issuer_is_found_however_its_name_is_written(void)
{
	struct trust *trust = pki_trust(&(struct pki_trust_spec){
		.anchors = {pki_root()}, .profile = PROFILE_MEDIUM, .max_depth = 0});
	CU_ASSERT_EQUAL(class_of_leaf_by(trust, "CN=Root,O=Test"), CLASS_OK);
	CU_ASSERT_EQUAL(class_of_leaf_by(trust, "CN=ROOT,O=test"), CLASS_OK);
	CU_ASSERT_EQUAL(class_of_leaf_by(trust, "CN=\\ root\\ ,O=Test"), CLASS_OK);
	CU_ASSERT_EQUAL(class_of_leaf_by(trust, "CN=Ro ot,O=Test"), CLASS_UNKNOWN_ISSUER);
	CU_ASSERT_EQUAL(class_of_leaf_by(trust, "CN=Root"), CLASS_UNKNOWN_ISSUER);
	trust_free(&trust);
}

static void expect_fault(struct slice subject, struct slice names, const char *expected)
{
	struct cert_x509 x = {.subject = subject, .issuer = SLICE("\x30\x00"), .names = names};
	const char *fault = identity_fault(&x);
	bool right =
		expected == NULL ? fault == NULL : fault != NULL && strcmp(fault, expected) == 0;
	CU_ASSERT_TRUE(right);
	if (!right) {
		printf("\n    \"%s\", not \"%s\"", fault == NULL ? "" : fault,
		       expected == NULL ? "" : expected);
	}
}

static void nul_and_controls_in_a_subject_are_found(void)
{
	static const struct {
		struct slice oid;
		uint8_t tag;
		struct slice value;
		const char *expected;
	} rows[] = {
		{COMMON_NAME, DER_UTF8_STRING, SLICE("J\xc3\xbcrgen \xf0\x9f\x98\x80"), NULL},
		{COMMON_NAME, DER_UTF8_STRING, SLICE(""), NULL},
		{COMMON_NAME, DER_UTF8_STRING, SLICE("a\0b"), "NUL in the common name"},
		{COMMON_NAME, DER_UTF8_STRING, SLICE("a\n"), "control characters in the common name"},
		{COMMON_NAME, DER_UTF8_STRING, SLICE("\x1b[m"),
	         "control characters in the common name"},
		{COMMON_NAME, DER_UTF8_STRING, SLICE("\x7f"),
	         "control characters in the common name"},
		/* U+009B moves the cursor of a terminal. */
		{COMMON_NAME, DER_UTF8_STRING, SLICE("\xc2\x9b"),
	         "control characters in the common name"},
		{COMMON_NAME, DER_UTF8_STRING, SLICE("\xff"), "no valid Unicode in the common name"},
		{COMMON_NAME, DER_UTF8_STRING, SLICE("\xc0\x80"),
	         "no valid Unicode in the common name"},
		{COMMON_NAME, DER_UTF8_STRING, SLICE("\xed\xa0\x80"),
	         "no valid Unicode in the common name"},
		{COMMON_NAME, DER_BMP_STRING, SLICE("\0a\x20\xac"), NULL},
		{COMMON_NAME, DER_BMP_STRING, SLICE("\0a\0\0"), "NUL in the common name"},
		{COMMON_NAME, DER_BMP_STRING, SLICE("\0\r"), "control characters in the common name"},
		{COMMON_NAME, DER_BMP_STRING, SLICE("\0a\0"), "no valid Unicode in the common name"},
		{COMMON_NAME, DER_BMP_STRING, SLICE("\xd8\0\0a"),
	         "no valid Unicode in the common name"},
		{COMMON_NAME, DER_UNIVERSAL_STRING, SLICE("\0\x11\0\0"),
	         "no valid Unicode in the common name"},
		/* Latin-1 where it never belonged: no more than untidy. */
		{COMMON_NAME, DER_T61_STRING, SLICE("J\xfcrgen"), NULL},
		{COMMON_NAME, DER_PRINTABLE_STRING, SLICE("J\xfcrgen@x"), NULL},
		{COMMON_NAME, DER_T61_STRING, SLICE("a\x9b"),
	         "control characters in the common name"},
		{COMMON_NAME, DER_PRINTABLE_STRING, SLICE("a\xc0\x80"),
	         "control characters in the common name"},
		{COMMON_NAME, DER_INTEGER, SLICE("\x05"), "no string in the common name"},
		{ORGANIZATION, DER_UTF8_STRING, SLICE("a\0"), "NUL in the subject"},
		{EMAIL_ADDRESS, DER_IA5_STRING, SLICE("a\0@b"), "NUL in the subject"},
		{UNIQUE_ID, DER_BIT_STRING, SLICE("\0\0"), NULL},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice first = rdn(COUNTRY, DER_PRINTABLE_STRING, SLICE("NL"));
		struct slice second = rdn(rows[i].oid, rows[i].tag, rows[i].value);
		expect_fault(name_of(pki_join(first, second)), SLICE(""), rows[i].expected);
	}
}

static void nul_and_controls_in_alternative_names_are_found(void)
{
	struct slice upn = SLICE("\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03");
	struct slice other = SLICE("\x06\x02\x2a\x03");
	const struct {
		uint8_t form;
		struct slice value;
		const char *expected;
	} rows[] = {
		{0x82, SLICE("a.example"), NULL},
		{0x82, SLICE("a\0.example"), "NUL in a DNS name"},
		{0x82, SLICE(""), "nothing in a DNS name"},
		{0x82, SLICE("\xc3\xa4.example"), "bytes beyond ASCII in a DNS name"},
		{0x81, SLICE("a@b\r\n"), "control characters in an e-mail address"},
		{0x86, SLICE("spiffe://td/a"), NULL},
		{0x86, SLICE("spiffe://td/a\0b"), "NUL in a URI"},
		{0x87, SLICE("\xc0\0\2\1"), NULL},
		{0x87, SLICE("\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"), NULL},
		{0x87, SLICE("\xc0\0\2"), "an IP address of a wrong length"},
		{0xa4, name_of(rdn(COMMON_NAME, DER_UTF8_STRING, SLICE("a\0"))),
	         "NUL in a directory name"},
		{0xa0,
	         pki_join(upn, pki_tlv(0xa0, pki_tlv(DER_UTF8_STRING, SLICE("a@corp\0.example")))),
	         "NUL in a user principal name"},
		{0xa0, pki_join(upn, pki_tlv(0xa0, pki_tlv(DER_UTF8_STRING, SLICE("a@corp")))), NULL},
		{0xa0, pki_join(upn, pki_tlv(0xa0, SLICE("\x05\x00"))),
	         "no string in a user principal name"},
		{0xa0, pki_join(other, pki_tlv(0xa0, pki_tlv(DER_UTF8_STRING, SLICE("\0")))), NULL},
		{0x88, SLICE("\x2a\x03"), NULL},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice good = pki_tlv(0x82, SLICE("first.example"));
		expect_fault(SLICE("\x30\x00"),
		             pki_join(good, pki_tlv(rows[i].form, rows[i].value)), rows[i].expected);
	}
}

static void of_the_issuer_only_nul_and_controls_count(void)
{
	static const struct {
		struct slice value;
		const char *expected;
	} rows[] = {
		{SLICE("J\xfcrgen"), NULL},
		{SLICE("a\0"), "NUL in the issuer's name"},
		{SLICE("a\n"), "control characters in the issuer's name"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cert_x509 x = {
			.subject = SLICE("\x30\x00"),
			.issuer = name_of(rdn(COMMON_NAME, DER_UTF8_STRING, rows[i].value))};
		const char *fault = identity_fault(&x);
		CU_ASSERT_EQUAL(fault == NULL, rows[i].expected == NULL);
		if (fault != NULL && rows[i].expected != NULL) {
			CU_ASSERT_STRING_EQUAL(fault, rows[i].expected);
		}
	}
}

static void a_malformed_name_of_the_leaf_is_a_finding_and_one_of_a_ca_is_none(void)
{
	struct trust *trust = pki_trust(&(struct pki_trust_spec){
		.anchors = {pki_root()}, .profile = PROFILE_MEDIUM, .max_depth = 4});
	const struct pki_cert *leaf =
		pki_make(&(struct pki_spec){.subject_cn = pki_tlv(DER_UTF8_STRING, SLICE("a\0b")),
	                                    .key = PKI_P256_C,
	                                    .issuer = pki_root()});
	struct verdict *verdict = pki_judge(trust, &leaf->der, 1, PKI_NOW);
	CU_ASSERT_EQUAL(verdict->class, CLASS_IDENTITY_MALFORMED);
	CU_ASSERT_EQUAL(verdict->depth, 0);
	CU_ASSERT_STRING_EQUAL(verdict->findings[0].detail, "NUL in the common name");
	verdict_unref(&verdict);
	const struct pki_cert *ca =
		pki_make(&(struct pki_spec){.subject_cn = pki_tlv(DER_UTF8_STRING, SLICE("\xff")),
	                                    .key = PKI_P256_B,
	                                    .issuer = pki_root(),
	                                    .ca = true});
	const struct pki_cert *below =
		pki_make(&(struct pki_spec){.subject = "CN=c", .key = PKI_P256_C, .issuer = ca});
	const struct slice chain[] = {below->der, ca->der};
	verdict = pki_judge(trust, chain, 2, PKI_NOW);
	CU_ASSERT_EQUAL(verdict->class, CLASS_OK);
	verdict_unref(&verdict);
	trust_free(&trust);
}

/* An RDN of `count` attributes, "a" and the letters behind it, from the last one if `reversed`; its Name's content. */
static struct slice many(size_t count, bool reversed)
{
	struct slice set = SLICE("");
	for (size_t i = 0; i < count; i++) {
		uint8_t letter = (uint8_t)('a' + (reversed ? count - 1 - i : i));
		set = pki_join(set, attribute(COMMON_NAME, DER_UTF8_STRING, slice_of(&letter, 1)));
	}
	return pki_tlv(DER_SET, set);
}

/* Each attribute is compared with each: a stranger's two long ones would stall a worker. */
static void sets_of_many_attributes_are_not_compared(void)
{
	CU_ASSERT_EQUAL(name_within(many(16, false), many(16, true)), NAME_WITHIN);
	CU_ASSERT_EQUAL(name_within(many(16, false), many(15, true)), NAME_OUTSIDE);
	CU_ASSERT_EQUAL(name_within(many(17, false), many(17, false)), NAME_UNDECIDED);
	CU_ASSERT_EQUAL(name_within(many(17, false), many(1, false)), NAME_UNDECIDED);
	CU_ASSERT_EQUAL(name_within(many(1, false), many(17, false)), NAME_UNDECIDED);
}

static const struct unit_test tests[] = {
	{"case, spaces and string types make no other name",
         case_spaces_and_string_types_make_no_other_name},
	{"attributes and their order make a name", attributes_and_their_order_make_a_name},
	{"names that cannot be read fold to nothing", names_that_cannot_be_read_fold_to_nothing},
	{"an issuer is found however its name is written",
         an_issuer_is_found_however_its_name_is_written},
	{"NUL and controls in a subject are found", nul_and_controls_in_a_subject_are_found},
	{"NUL and controls in alternative names are found",
         nul_and_controls_in_alternative_names_are_found},
	{"of the issuer only NUL and controls count", of_the_issuer_only_nul_and_controls_count},
	{"a malformed name of the leaf is a finding, and one of a CA is none",
         a_malformed_name_of_the_leaf_is_a_finding_and_one_of_a_ca_is_none},
	{"sets of many attributes are not compared", sets_of_many_attributes_are_not_compared},
};

int main(void)
{
	int code = unit_run("peer/name", tests, sizeof(tests) / sizeof(tests[0]));
	pki_release();
	return code;
}
