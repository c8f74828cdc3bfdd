#include "peer/constraints.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "peer/der.h"
#include "pki.h"
#include "unit.h"

#define EMAIL 0x81
#define DNS 0x82
#define DIRECTORY 0xa4
#define URI 0x86
#define IP 0x87
#define OTHER 0xa0
#define PERMITTED 0xa0
#define EXCLUDED 0xa1

/* Of a CA with one subtree, and one with this name (or none, tag 0): is there a violation? */
static bool violated(uint8_t kind, uint8_t base_tag, struct slice base, uint8_t name_tag,
                     struct slice name)
{
	struct cert_x509 issuer_facts = {.has_constraints = true};
	struct cert_x509 facts = {0};
	struct cert issuer = {.x509 = &issuer_facts};
	struct cert cert = {.x509 = &facts};
	struct slice subtree = pki_tlv(DER_SEQUENCE, pki_tlv(base_tag, base));
	*(kind == PERMITTED ? &issuer_facts.permitted : &issuer_facts.excluded) = subtree;
	facts.subject = SLICE("\x30\x00");
	facts.names = name_tag == 0 ? SLICE("") : pki_tlv(name_tag, name);
	unsigned comparisons = 1000;
	const char *violation = constraints_check(&issuer, &cert, &comparisons);
	CU_ASSERT(comparisons > 0);
	return violation != NULL;
}

struct row {
	uint8_t tag;
	struct slice base;
	struct slice name;
	bool permitted; /* no violation of a permitted subtree */
	bool excluded;  /* a violation of an excluded one */
};

static void check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct row *r = &rows[i];
		bool permitted = !violated(PERMITTED, r->tag, r->base, r->tag, r->name);
		bool excluded = violated(EXCLUDED, r->tag, r->base, r->tag, r->name);
		CU_ASSERT_EQUAL(permitted, r->permitted);
		CU_ASSERT_EQUAL(excluded, r->excluded);
		if (permitted != r->permitted || excluded != r->excluded) {
			printf("\n    row %zu: permitted %d, excluded %d", i, permitted, excluded);
		}
	}
}

static void dns_names_are_compared_by_labels(void)
{
	static const struct row rows[] = {
		{DNS, SLICE("example.org"), SLICE("example.org"), true, true},
		{DNS, SLICE("example.org"), SLICE("A.EXAMPLE.Org"), true, true},
		{DNS, SLICE("example.org"), SLICE("badexample.org"), false, false},
		{DNS, SLICE("a.example.org"), SLICE("example.org"), false, false},
		{DNS, SLICE(""), SLICE("any.thing"), true, true},
		/* A wildcard is within what holds all of it, and hit by what excludes any of it. */
		{DNS, SLICE("example.org"), SLICE("*.example.org"), true, true},
		{DNS, SLICE("a.example.org"), SLICE("*.example.org"), false, true},
		{DNS, SLICE("a.b.example.org"), SLICE("*.example.org"), false, false},
		/* Neither permitted nor safely outside: what is no name, and what is no constraint. */
		{DNS, SLICE("example.org"), SLICE("a..example.org"), false, true},
		{DNS, SLICE("example.org"), SLICE("a.example.org."), false, true},
		{DNS, SLICE("example.org"), SLICE("a\0.example.org"), false, true},
		{DNS, SLICE("example.org"), SLICE(""), false, true},
		{DNS, SLICE(".example.org"), SLICE("a.example.org"), false, true},
		{DNS, SLICE("*.example.org"), SLICE("a.example.org"), false, true},
	};
	check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

static void mailboxes_are_compared_by_host_or_whole(void)
{
	static const struct row rows[] = {
		{EMAIL, SLICE("a@example.org"), SLICE("a@EXAMPLE.org"), true, true},
		{EMAIL, SLICE("a@example.org"), SLICE("A@example.org"), false, false},
		{EMAIL, SLICE("example.org"), SLICE("a@example.org"), true, true},
		{EMAIL, SLICE("example.org"), SLICE("a@b.example.org"), false, false},
		{EMAIL, SLICE(".example.org"), SLICE("a@b.example.org"), true, true},
		{EMAIL, SLICE(".example.org"), SLICE("a@example.org"), false, false},
		{EMAIL, SLICE("example.org"), SLICE("a@b@example.org"), false, true},
		{EMAIL, SLICE("example.org"), SLICE("@example.org"), false, true},
		{EMAIL, SLICE("example.org"), SLICE("example.org"), false, true},
		{EMAIL, SLICE("example.org"), SLICE("a\0@example.org"), false, true},
	};
	check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

static void uris_are_compared_by_host(void)
{
	static const struct row rows[] = {
		{URI, SLICE("example.org"), SLICE("https://example.org/x"), true, true},
		{URI, SLICE("example.org"), SLICE("https://u:p@example.org:8443/x@evil.example"),
	         true, true},
		{URI, SLICE("example.org"), SLICE("https://evil.example/@example.org"), false, false},
		{URI, SLICE("example.org"), SLICE("https://a.example.org"), false, false},
		{URI, SLICE(".example.org"), SLICE("spiffe://a.example.org?x"), true, true},
		{URI, SLICE(".example.org"), SLICE("spiffe://example.org"), false, false},
		{URI, SLICE("example.org"), SLICE("urn:example:org"), false, true},
		{URI, SLICE("example.org"), SLICE("https://192.0.2.1/"), false, true},
		{URI, SLICE("example.org"), SLICE("https://[2001:db8::1]/"), false, true},
		{URI, SLICE("example.org"), SLICE("https:///x"), false, true},
		/* NUL and controls anywhere: readers stop at different bytes. */
		{URI, SLICE("example.org"), SLICE("https://example.org/\0"), false, true},
		{URI, SLICE("example.org"), SLICE("https://example.org/\n"), false, true},
		{URI, SLICE("example.org"), SLICE("https://example.org/\xc3\xa4"), false, true},
	};
	check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

static void addresses_are_compared_under_their_mask(void)
{
	static const struct row rows[] = {
		{IP, SLICE("\xc0\0\2\0\xff\xff\xff\0"), SLICE("\xc0\0\2\x09"), true, true},
		{IP, SLICE("\xc0\0\2\0\xff\xff\xff\0"), SLICE("\xc0\0\3\x09"), false, false},
		{IP, SLICE("\xc0\0\2\0\xff\xff\xff\0"),
	         SLICE("\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"), false, false},
		{IP, SLICE("\xc0\0\2\0\xff\xff\xff\0"), SLICE("abc"), false, true},
		{IP, SLICE("\xc0\0\2\0\xff\0\xff\0"), SLICE("\xc0\0\2\x09"), false, true},
		{IP, SLICE("\xc0\0\2\0"), SLICE("\xc0\0\2\0"), false, true},
		{IP, SLICE(""), SLICE("\xc0\0\2\0"), false, true},
	};
	check_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

/* A Name of one RDN for each pair of attribute octet and string value. */
static struct slice name_of(const char *attributes, const struct slice *values)
{
	struct slice rdns = SLICE("");
	for (size_t i = 0; attributes[i] != '\0'; i++) {
		uint8_t oid[] = {0x06, 0x03, 0x55, 0x04, (uint8_t)attributes[i]};
		struct slice ava =
			pki_tlv(DER_SEQUENCE, pki_join(slice_of(oid, sizeof(oid)), values[i]));
		rdns = pki_join(rdns, pki_tlv(DER_SET, ava));
	}
	return pki_tlv(DER_SEQUENCE, rdns);
}

static void directory_names_are_compared_by_their_first_rdns(void)
{
	static const struct {
		struct slice base;
		struct slice name;
		bool permitted;
		bool excluded;
	} values[] = {
		{SLICE("\x0c\x04"
	               "Acme"),
	         SLICE("\x0c\x04"
	               "Acme"),
	         true, true},
		{SLICE("\x0c\x04"
	               "Acme"),
	         SLICE("\x13\x04"
	               "aCME"),
	         true, true},
		{SLICE("\x0c\x04"
	               "Acme"),
	         SLICE("\x0c\x05"
	               "Acme2"),
	         false, false},
		{SLICE("\x0c\x06"
	               "Acme X"),
	         SLICE("\x0c\x0a"
	               "  acme   x"),
	         true, true},
		{SLICE("\x0c\x06"
	               "Acme X"),
	         SLICE("\x0c\x05"
	               "acmex"),
	         false, false},
		{SLICE("\x0c\x05"
	               "Acm\xc3\xa9"),
	         SLICE("\x0c\x05"
	               "Acm\xc3\xa9"),
	         true, true},
		/* Beyond ASCII, and between encodings, nobody here can tell: never a yes. */
		{SLICE("\x0c\x05"
	               "Acm\xc3\xa9"),
	         SLICE("\x0c\x05"
	               "Acm\xc3\x89"),
	         false, true},
		{SLICE("\x0c\x01"
	               "A"),
	         SLICE("\x1e\x02\x00"
	               "A"),
	         false, true},
		/* NUL and controls: neither equal to themselves nor safely another name. */
		{SLICE("\x0c\x01"
	               "A"),
	         SLICE("\x0c\x03"
	               "A\0B"),
	         false, true},
		{SLICE("\x0c\x02"
	               "A\n"),
	         SLICE("\x0c\x02"
	               "A\n"),
	         false, true},
	};
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct slice base = name_of("\x0a", &values[i].base);
		struct slice both[] = {values[i].name, SLICE("\x0c\x01"
		                                             "x")};
		struct slice name = name_of("\x0a\x03", both);
		CU_ASSERT_EQUAL(!violated(PERMITTED, DIRECTORY, base, DIRECTORY, name),
		                values[i].permitted);
		CU_ASSERT_EQUAL(violated(EXCLUDED, DIRECTORY, base, DIRECTORY, name),
		                values[i].excluded);
	}
	struct slice acme = SLICE("\x0c\x04"
	                          "Acme");
	struct slice two[] = {acme, acme};
	/* Another attribute, a shorter name, and a base that is no Name. */
	CU_ASSERT_TRUE(violated(PERMITTED, DIRECTORY, name_of("\x0a", &acme), DIRECTORY,
	                        name_of("\x0b", &acme)));
	CU_ASSERT_TRUE(violated(PERMITTED, DIRECTORY, name_of("\x0a\x0b", two), DIRECTORY,
	                        name_of("\x0a", &acme)));
	CU_ASSERT_TRUE(violated(EXCLUDED, DIRECTORY, SLICE("\x05\x00"), DIRECTORY,
	                        name_of("\x0a", &acme)));
}

static void forms_bind_only_names_of_their_form(void)
{
	struct slice host = SLICE("example.org");
	CU_ASSERT_FALSE(violated(PERMITTED, DNS, host, EMAIL, SLICE("a@other.example")));
	CU_ASSERT_FALSE(violated(EXCLUDED, DNS, host, URI, SLICE("https://example.org")));
	CU_ASSERT_FALSE(violated(PERMITTED, DNS, host, 0, SLICE("")));
	/* A form that cannot be compared refuses every name of that form, and nothing else. */
	struct slice other = SLICE("\x06\x02\x2a\x03\xa0\x03\x0c\x01x");
	CU_ASSERT_TRUE(violated(PERMITTED, OTHER, other, OTHER, other));
	CU_ASSERT_TRUE(violated(EXCLUDED, OTHER, other, OTHER, other));
	CU_ASSERT_FALSE(violated(PERMITTED, OTHER, other, DNS, host));
}

static void addresses_in_the_subject_count_whatever_others_are_named(void)
{
	struct cert_x509 issuer_facts = {.has_constraints = true};
	struct cert_x509 facts = {0};
	struct cert issuer = {.x509 = &issuer_facts};
	struct cert cert = {.x509 = &facts};
	unsigned comparisons = 1000;
	issuer_facts.permitted = pki_tlv(DER_SEQUENCE, pki_tlv(EMAIL, SLICE("example.org")));
	struct slice ava = SLICE("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01\x16\x06"
	                         "a@evil");
	facts.subject = pki_tlv(DER_SEQUENCE, pki_tlv(DER_SET, pki_tlv(DER_SEQUENCE, ava)));
	CU_ASSERT_PTR_NOT_NULL(constraints_check(&issuer, &cert, &comparisons));
	facts.names = pki_tlv(EMAIL, SLICE("a@example.org"));
	CU_ASSERT_PTR_NOT_NULL(constraints_check(&issuer, &cert, &comparisons));
	facts.subject = SLICE("\x30\x00");
	CU_ASSERT_PTR_NULL(constraints_check(&issuer, &cert, &comparisons));
}

static void minimum_and_maximum_are_refused(void)
{
	struct cert_x509 issuer_facts = {.has_constraints = true};
	struct cert_x509 facts = {.subject = SLICE("\x30\x00")};
	struct cert issuer = {.x509 = &issuer_facts};
	struct cert cert = {.x509 = &facts};
	unsigned comparisons = 1000;
	struct slice base = pki_tlv(DNS, SLICE("example.org"));
	issuer_facts.excluded = pki_tlv(DER_SEQUENCE, pki_join(base, SLICE("\x80\x01\x01")));
	CU_ASSERT_PTR_NOT_NULL(constraints_check(&issuer, &cert, &comparisons));
}

/* RFC 5280 4.2.1.6: whoever meant a form that there is gets no certificate past it by writing another one. */
static void forms_that_do_not_exist_are_refused(void)
{
	static const uint8_t good[] = {0xa0, 0x81, 0x82, 0xa3, 0xa5, 0x86, 0x88};
	static const uint8_t bad[] = {0x80, 0xa1, 0xa2, 0x83, 0x84, 0x85, 0xa6,
	                              0xa7, 0x89, 0x02, 0x16, 0x30, 0xc2};
	struct cert_x509 issuer_facts = {.has_constraints = true};
	struct cert_x509 facts = {.subject = SLICE("\x30\x00")};
	struct cert issuer = {.x509 = &issuer_facts};
	struct cert cert = {.x509 = &facts};
	unsigned comparisons = 1000;
	for (size_t i = 0; i < sizeof(good); i++) {
		issuer_facts.permitted =
			pki_tlv(DER_SEQUENCE, pki_tlv(good[i], SLICE("a.example")));
		CU_ASSERT_PTR_NULL(constraints_check(&issuer, &cert, &comparisons));
	}
	for (size_t i = 0; i < sizeof(bad); i++) {
		issuer_facts.permitted = pki_tlv(DER_SEQUENCE, pki_tlv(bad[i], SLICE("a.example")));
		CU_ASSERT_PTR_NOT_NULL(constraints_check(&issuer, &cert, &comparisons));
	}
	/* A directory name that is none, and one with something behind it */
	issuer_facts.permitted = pki_tlv(DER_SEQUENCE, pki_tlv(0xa4, SLICE("\x86\x01\x61")));
	CU_ASSERT_PTR_NOT_NULL(constraints_check(&issuer, &cert, &comparisons));
	issuer_facts.permitted = pki_tlv(DER_SEQUENCE, pki_tlv(0xa4, SLICE("\x30\x00\x05\x00")));
	CU_ASSERT_PTR_NOT_NULL(constraints_check(&issuer, &cert, &comparisons));
	issuer_facts.permitted = pki_tlv(DER_SEQUENCE, pki_tlv(0xa4, SLICE("\x30\x00")));
	CU_ASSERT_PTR_NULL(constraints_check(&issuer, &cert, &comparisons));
}

static void comparisons_run_out(void)
{
	struct cert_x509 issuer_facts = {.has_constraints = true};
	struct cert_x509 facts = {.subject = SLICE("\x30\x00")};
	struct cert issuer = {.x509 = &issuer_facts};
	struct cert cert = {.x509 = &facts};
	struct slice subtree = pki_tlv(DER_SEQUENCE, pki_tlv(DNS, SLICE("a")));
	struct slice name = pki_tlv(DNS, SLICE("b"));
	for (int i = 0; i < 20; i++) {
		issuer_facts.excluded = pki_join(issuer_facts.excluded, subtree);
		facts.names = pki_join(facts.names, name);
	}
	/* 20 subtrees looked at once, then for each of 20 names. */
	unsigned comparisons = 421;
	CU_ASSERT_PTR_NULL(constraints_check(&issuer, &cert, &comparisons));
	CU_ASSERT_EQUAL(comparisons, 1);
	comparisons = 300;
	constraints_check(&issuer, &cert, &comparisons);
	CU_ASSERT_EQUAL(comparisons, 0);
}

static void long_names_and_subtrees_cost_more(void)
{
	static uint8_t bytes[1024];
	memset(bytes, 'a', sizeof(bytes));
	struct cert_x509 issuer_facts = {.has_constraints = true};
	struct cert_x509 facts = {.subject = SLICE("\x30\x00")};
	struct cert issuer = {.x509 = &issuer_facts};
	struct cert cert = {.x509 = &facts};
	issuer_facts.excluded = pki_tlv(DER_SEQUENCE, pki_tlv(URI, SLICE("a.example")));
	facts.names = pki_tlv(EMAIL, slice_of(bytes, sizeof(bytes)));
	/* The subtree alone, then against the name: 1, and 1 with 8 times 128 bytes. */
	unsigned comparisons = 11;
	CU_ASSERT_PTR_NULL(constraints_check(&issuer, &cert, &comparisons));
	CU_ASSERT_EQUAL(comparisons, 1);
	comparisons = 10;
	constraints_check(&issuer, &cert, &comparisons);
	CU_ASSERT_EQUAL(comparisons, 0);
}

static const struct unit_test tests[] = {
	{"DNS names are compared by labels", dns_names_are_compared_by_labels},
	{"mailboxes are compared by host or whole", mailboxes_are_compared_by_host_or_whole},
	{"URIs are compared by host", uris_are_compared_by_host},
	{"addresses are compared under their mask", addresses_are_compared_under_their_mask},
	{"directory names are compared by their first RDNs",
         directory_names_are_compared_by_their_first_rdns},
	{"forms bind only names of their form", forms_bind_only_names_of_their_form},
	{"addresses in the subject count whatever others are named",
         addresses_in_the_subject_count_whatever_others_are_named},
	{"minimum and maximum are refused", minimum_and_maximum_are_refused},
	{"forms that do not exist are refused", forms_that_do_not_exist_are_refused},
	{"comparisons run out", comparisons_run_out},
	{"long names and subtrees cost more", long_names_and_subtrees_cost_more},
};

int main(void)
{
	int code = unit_run("peer/constraints", tests, sizeof(tests) / sizeof(tests[0]));
	pki_release();
	return code;
}
