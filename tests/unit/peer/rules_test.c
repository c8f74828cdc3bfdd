#include "peer/rules.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "pki.h"
#include "unit.h"

/* What the rules say of this certificate alone. `serial`: another one than it has; NULL: its own. */
static struct findings check(const struct pki_spec *spec, enum role role, const struct slice *serial)
{
	struct findings findings = {0};
	struct trust *trust = pki_trust(&(struct pki_trust_spec){
		.anchors = {pki_root()}, .profile = PROFILE_MEDIUM, .max_depth = 4});
	struct pki_spec whole = *spec;
	whole.subject = whole.subject == NULL ? "CN=x" : whole.subject;
	whole.issuer = pki_root();
	struct slice der = pki_make(&whole)->der;
	struct chain *chain;
	CU_ASSERT_EQUAL_FATAL(chain_new(&chain, &der, 1), E_OK);
	CU_ASSERT_EQUAL_FATAL(chain_parse(chain), E_OK);
	CU_ASSERT_TRUE_FATAL(chain->certs[0].parsed);
	if (serial != NULL) {
		chain->certs[0].serial = *serial;
	}
	rules_check_cert(&findings, trust, &chain->certs[0], 0, role, PKI_NOW);
	chain_unref(&chain);
	trust_free(&trust);
	return findings;
}

/* CLASS_OK: nothing is found. */
static void expect(const struct pki_spec *spec, enum role role, const struct slice *serial,
                   enum peer_class class, const char *detail)
{
	struct findings findings = check(spec, role, serial);
	CU_ASSERT_EQUAL(findings.count, class == CLASS_OK ? 0 : 1);
	if (class == CLASS_OK || findings.count == 0) {
		return;
	}
	CU_ASSERT_EQUAL(findings.items[0].class, class);
	CU_ASSERT(findings.items[0].detail != NULL && strcmp(findings.items[0].detail, detail) == 0);
}

/* RFC 5280 4.1.2.2 */
static void serial_numbers_end_at_20_octets(void)
{
	static const struct {
		struct slice serial;
		bool fits;
	} rows[] = {
		{SLICE("\x01"), true},
		{SLICE("\0"), true},
		{SLICE("\x80"), true}, /* negative */
		{SLICE("\x7f"
	               "1234567890123456789"),
	         true},
		{SLICE("\0\xff"
	               "1234567890123456789"),
	         true},
		{SLICE("\x7f"
	               "12345678901234567890"),
	         false},
		{SLICE("\0\xff"
	               "12345678901234567890"),
	         false},
	};
	const struct pki_spec spec = {.key = PKI_P256_C};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int role = ROLE_LEAF; role <= ROLE_ANCHOR; role++) {
			expect(&spec, (enum role)role, &rows[i].serial,
			       rows[i].fits ? CLASS_OK : CLASS_MALFORMED_CERTIFICATE,
			       "a serial number of more than 20 octets");
		}
	}
}

/* RFC 5280 4.2.1.3, RFC 8446 4.4.2.4 */
static void a_leafs_key_usage_has_to_let_it_sign(void)
{
	static const struct {
		unsigned usage;
		bool signs;
	} rows[] = {
		{0, true}, /* no such extension */
		{GNUTLS_KEY_DIGITAL_SIGNATURE, true},
		{GNUTLS_KEY_DIGITAL_SIGNATURE | GNUTLS_KEY_KEY_AGREEMENT, true},
		{GNUTLS_KEY_KEY_AGREEMENT, false},
		{GNUTLS_KEY_KEY_AGREEMENT | GNUTLS_KEY_ENCIPHER_ONLY, false},
		{GNUTLS_KEY_KEY_ENCIPHERMENT | GNUTLS_KEY_DATA_ENCIPHERMENT, false},
		{GNUTLS_KEY_NON_REPUDIATION, false},
		{GNUTLS_KEY_CRL_SIGN, false},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct pki_spec spec = {.key = PKI_P256_C, .key_usage = rows[i].usage};
		expect(&spec, ROLE_LEAF, NULL, rows[i].signs ? CLASS_OK : CLASS_WRONG_PURPOSE,
		       "key usage without digitalSignature");
		/* Of an issuer it is not asked. */
		expect(&spec, ROLE_ISSUER, NULL, CLASS_OK, NULL);
	}
	/* 4.2.1.3: one bit at least, so none lets it do nothing. */
	const struct pki_spec none = {.key = PKI_P256_C,
	                              .extensions = {{"2.5.29.15", SLICE("\x03\x01\x00"), true}}};
	expect(&none, ROLE_LEAF, NULL, CLASS_WRONG_PURPOSE, "key usage without digitalSignature");
}

/* RFC 5280 4.2.1.3, 4.2.1.9, 4.2.1.10 */
static void what_only_cas_may_have_is_refused_in_others(void)
{
	/* permitted: dNSName "x" */
	struct slice constraints = SLICE("\x30\x07\xa0\x05\x30\x03\x82\x01x");
	struct pki_spec constrained = {.key = PKI_P256_C,
	                               .extensions = {{"2.5.29.30", constraints, false}}};
	expect(&constrained, ROLE_LEAF, NULL, CLASS_NAME_NOT_PERMITTED,
	       "name constraints in a certificate that is no CA");
	constrained.extensions[0].critical = true;
	expect(&constrained, ROLE_LEAF, NULL, CLASS_NAME_NOT_PERMITTED,
	       "name constraints in a certificate that is no CA");
	constrained.ca = true;
	expect(&constrained, ROLE_LEAF, NULL, CLASS_OK, NULL);

	struct pki_spec signs = {.key = PKI_P256_C,
	                         .key_usage =
	                                 GNUTLS_KEY_DIGITAL_SIGNATURE | GNUTLS_KEY_KEY_CERT_SIGN};
	expect(&signs, ROLE_LEAF, NULL, CLASS_WRONG_PURPOSE,
	       "key usage keyCertSign in a certificate that is no CA");
	signs.no_basic_constraints = true;
	expect(&signs, ROLE_LEAF, NULL, CLASS_WRONG_PURPOSE,
	       "key usage keyCertSign in a certificate that is no CA");
	signs.no_basic_constraints = false;
	signs.ca = true;
	expect(&signs, ROLE_LEAF, NULL, CLASS_OK, NULL);
}

/* RFC 5280 4.2: of the leaf, and of whoever stands above it */
static void critical_extensions_have_to_be_understood(void)
{
	static const struct {
		const char *oid;
		struct slice value;
		bool understood;
	} rows[] = {
		{"2.5.29.32", SLICE("\x30\x06\x30\x04\x06\x02\x2a\x03"),
	         true}, /* policies: evidence */
		{"2.5.29.17", SLICE("\x30\x03\x82\x01x"), true},
		{"2.5.29.14", SLICE("\x04\x01x"), false},            /* 4.2.1.2: never critical */
		{"2.5.29.35", SLICE("\x30\x03\x80\x01x"), false},    /* 4.2.1.1: the same */
		{"2.5.29.36", SLICE("\x30\x03\x80\x01\x00"), false}, /* policy constraints */
		{"2.5.29.33", SLICE("\x30\x00"), false},             /* policy mappings */
		{"2.5.29.54", SLICE("\x02\x01\x00"), false},         /* inhibit any-policy */
		{"2.5.29.31", SLICE("\x30\x00"), false},             /* CRL distribution points */
		{"1.3.6.1.5.5.7.1.14", SLICE("\x30\x00"), false},    /* proxy certificates */
		{"1.3.6.1.5.5.7.1.1",
	         SLICE("\x30\x0f\x30\x0d\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x01\x86\x01x"), false},
		{"1.2.3.4", SLICE("\x05\x00"), false},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int role = ROLE_LEAF; role <= ROLE_ANCHOR; role++) {
			struct pki_spec spec = {.key = PKI_P256_C,
			                        .extensions = {{rows[i].oid, rows[i].value, true}}};
			struct findings findings = check(&spec, (enum role)role, NULL);
			CU_ASSERT_EQUAL(findings.count, rows[i].understood ? 0 : 1);
			if (findings.count > 0) {
				CU_ASSERT_EQUAL(findings.items[0].class,
				                CLASS_UNKNOWN_CRITICAL_EXTENSION);
			}
			spec.extensions[0].critical = false;
			CU_ASSERT_EQUAL(check(&spec, (enum role)role, NULL).count, 0);
		}
	}
}

static const struct unit_test tests[] = {
	{"serial numbers end at 20 octets", serial_numbers_end_at_20_octets},
	{"a leaf's key usage has to let it sign", a_leafs_key_usage_has_to_let_it_sign},
	{"what only CAs may have is refused in others", what_only_cas_may_have_is_refused_in_others},
	{"critical extensions have to be understood", critical_extensions_have_to_be_understood},
};

int main(void)
{
	int code = unit_run("peer/rules", tests, sizeof(tests) / sizeof(tests[0]));
	pki_release();
	return code;
}
