#include "peer/hostname.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "pki.h"
#include "unit.h"

/* Does a certificate with these GeneralNames answer to `wanted`? */
static bool matches(const char *wanted, struct slice names)
{
	struct hostname hostname;
	CU_ASSERT_EQUAL_FATAL(hostname_parse(&hostname, wanted), E_OK);
	struct cert_x509 x509 = {.has_names = true, .names = names};
	struct cert cert = {.parsed = true, .x509 = &x509};
	return hostname_matches(&hostname, &cert);
}

static struct slice dns(struct slice name)
{
	return pki_tlv(0x82, name);
}

static void expect(const char *wanted, const char *presented, bool match)
{
	bool got = matches(wanted, dns(slice_text(presented)));
	CU_ASSERT_EQUAL(got, match);
	if (got != match) {
		printf("\n    %s for %s", presented, wanted);
	}
}

/* RFC 9525 6.3, RFC 4343 */
static void names_match_without_regard_to_case(void)
{
	expect("backend.example", "backend.example", true);
	expect("backend.example", "BACKEND.Example", true);
	expect("Backend.EXAMPLE", "backend.example", true);
	expect("backend.example", "backend.exampl", false);
	expect("backend.example", "backend.example2", false);
	expect("backend.example", "xbackend.example", false);
	expect("backend.example", "a.backend.example", false);
	expect("a.backend.example", "backend.example", false);
	expect("backend.example", "example", false);
	expect("backend.example", "", false);
	expect("backend", "backend", true);
	expect("a_b.example", "a_b.example", true);
	expect("k.example", "\xe2\x84\xaa.example", false); /* U+212A folds to k elsewhere */
}

static void a_last_dot_counts_in_what_is_asked_for_alone(void)
{
	expect("backend.example.", "backend.example", true);
	/* RFC 5280 4.2.1.6: a dNSName has none */
	expect("backend.example", "backend.example.", false);
	expect("backend.example.", "backend.example.", false);
	expect("a.backend.example", "*.backend.example.", false);
}

/* RFC 9525 6.3: the whole left-most label, and one label */
static void a_wildcard_is_one_whole_first_label(void)
{
	expect("a.backend.example", "*.backend.example", true);
	expect("A.backend.example", "*.BACKEND.example", true);
	expect("xn--bcher-kva.backend.example", "*.backend.example", true);
	expect("a.b.backend.example", "*.backend.example", false);
	expect("backend.example", "*.backend.example", false);
	expect("a.other.example", "*.backend.example", false);
	expect("abackend.example", "*.backend.example", false);
	/* Partial, not the first, several. */
	expect("a1.backend.example", "a*.backend.example", false);
	expect("a1.backend.example", "*1.backend.example", false);
	expect("a1b.backend.example", "a*b.backend.example", false);
	expect("xn--a.backend.example", "xn--*.backend.example", false);
	expect("a.b.backend.example", "a.*.backend.example", false);
	expect("a.b.backend.example", "*.*.backend.example", false);
	expect("a.b.backend.example", "*.b.*", false);
	expect("aa.backend.example", "**.backend.example", false);
	/* Of a whole top-level domain, or of everything. */
	expect("backend.example", "*.example", false);
	expect("backend", "*", false);
	expect("backend.example", "*", false);
	expect("backend.example", "*.", false);
	expect("a.backend.example", "*..backend.example", false);
	expect("a.backend.example", ".backend.example", false);
}

/* CVE-2009-2408: what stands behind the NUL was for the CA alone */
static void a_name_with_nul_never_matches(void)
{
	CU_ASSERT_FALSE(matches("backend.example", dns(SLICE("backend.example\0.evil.example"))));
	CU_ASSERT_FALSE(matches("backend.example", dns(SLICE("backend.example\0"))));
	CU_ASSERT_FALSE(matches("backend.example", dns(SLICE("\0backend.example"))));
	CU_ASSERT_FALSE(matches("a.backend.example", dns(SLICE("*.backend.example\0"))));
	CU_ASSERT_FALSE(matches("a.backend.example", dns(SLICE("*.backend\0.example"))));
	CU_ASSERT_FALSE(matches("backend.example", dns(SLICE("backend.example "))));
	CU_ASSERT_FALSE(matches("backend.example", dns(SLICE("backend.example\n"))));
}

static void any_of_several_names_will_do(void)
{
	struct slice names = pki_join(dns(SLICE("a.example")), dns(SLICE("b.example")));
	names = pki_join(names, pki_tlv(0x87, SLICE("\xc0\x00\x02\x01")));
	CU_ASSERT_TRUE(matches("a.example", names));
	CU_ASSERT_TRUE(matches("b.example", names));
	CU_ASSERT_FALSE(matches("c.example", names));
	CU_ASSERT_TRUE(matches("192.0.2.1", names));
	CU_ASSERT_FALSE(matches("192.0.2.2", names));
	CU_ASSERT_FALSE(matches("a.example", SLICE("")));
}

/* RFC 9525 6.1: rfc822Name, URI and the like are not host names, whatever their text */
static void other_forms_of_names_do_not_count(void)
{
	static const uint8_t forms[] = {0x81, 0x86, 0x88, 0xa0, 0xa4, 0x0c};
	for (size_t i = 0; i < sizeof(forms); i++) {
		CU_ASSERT_FALSE(
			matches("backend.example", pki_tlv(forms[i], SLICE("backend.example"))));
		CU_ASSERT_FALSE(matches("192.0.2.1", pki_tlv(forms[i], SLICE("\xc0\x00\x02\x01"))));
	}
}

/* RFC 9525 6.4 */
static void addresses_match_by_their_bytes(void)
{
	static const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
	struct slice four = pki_tlv(0x87, SLICE("\xc0\x00\x02\x01"));
	struct slice sixteen = pki_tlv(0x87, slice_of(v6, 16));
	CU_ASSERT_TRUE(matches("192.0.2.1", four));
	CU_ASSERT_TRUE(matches("2001:db8::1", sixteen));
	CU_ASSERT_TRUE(matches("2001:0DB8:0:0::0001", sixteen));
	CU_ASSERT_FALSE(matches("2001:db8::2", sixteen));
	CU_ASSERT_FALSE(matches("192.0.2.1", sixteen));
	CU_ASSERT_FALSE(matches("::ffff:192.0.2.1", four));
	CU_ASSERT_FALSE(matches("192.0.2.1", pki_tlv(0x87, SLICE("\xc0\x00\x02"))));
	CU_ASSERT_FALSE(
		matches("192.0.2.1", pki_tlv(0x87, SLICE("\xc0\x00\x02\x01\xff\xff\xff\xff"))));
	CU_ASSERT_FALSE(matches("192.0.2.1", pki_tlv(0x87, SLICE(""))));
	/* Nor as text in either form. */
	expect("192.0.2.1", "192.0.2.1", false);
	expect("192.0.2.1", "*.0.2.1", false);
	CU_ASSERT_FALSE(matches("192.0.2.1", pki_tlv(0x87, SLICE("192.0.2.1"))));
}

static void what_is_no_name_is_refused(void)
{
	char label[65];
	char name[300];
	memset(label, 'a', 64);
	label[64] = '\0';
	snprintf(name, sizeof(name), "%.63s.%.63s.%.63s.%.61s", label, label, label, label);
	struct hostname out;
	CU_ASSERT_EQUAL(hostname_parse(&out, name), E_OK);
	CU_ASSERT_EQUAL(out.len, 253);
	snprintf(name, sizeof(name), "%.63s.%.63s.%.63s.%.62s", label, label, label, label);
	CU_ASSERT_EQUAL(hostname_parse(&out, name), E_INVALID);
	CU_ASSERT_EQUAL(hostname_parse(&out, label), E_INVALID);
	CU_ASSERT_EQUAL(hostname_parse(&out, label + 1), E_OK);
	static const char *const rows[] = {
		"",
		".",
		"..",
		"a..b",
		".a",
		"*.backend.example",
		"a b",
		"a/b",
		"a:1",
		"[::1]",
		"a\xc3\xa9.example",
		"a.b..",
		"127.1",
		"1.2.3",
		"1.2.3.4.5",
		"256.1.1.1",
		"a.1",
		"fe80::1%lo",
		"::g",
		"a,b",
		"a\n",
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CU_ASSERT_EQUAL(hostname_parse(&out, rows[i]), E_INVALID);
	}
}

static const struct unit_test tests[] = {
	{"names match without regard to case", names_match_without_regard_to_case},
	{"a last dot counts in what is asked for alone",
         a_last_dot_counts_in_what_is_asked_for_alone},
	{"a wildcard is one whole first label", a_wildcard_is_one_whole_first_label},
	{"a name with NUL never matches", a_name_with_nul_never_matches},
	{"any of several names will do", any_of_several_names_will_do},
	{"other forms of names do not count", other_forms_of_names_do_not_count},
	{"addresses match by their bytes", addresses_match_by_their_bytes},
	{"what is no name is refused", what_is_no_name_is_refused},
};

int main(void)
{
	int code = unit_run("peer/hostname", tests, sizeof(tests) / sizeof(tests[0]));
	pki_release();
	return code;
}
