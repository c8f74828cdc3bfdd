#include "peer/qualified.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "peer/cert.h"
#include "peer/der.h"
#include "pki.h"
#include "unit.h"

#define QC_STATEMENTS "1.3.6.1.5.5.7.1.3"

/* --- DER by hand --- */

struct der {
	size_t len;
	uint8_t bytes[8192];
};

static void put(struct der *d, uint8_t tag, struct slice content)
{
	CU_ASSERT_FATAL(d->len + content.len + 4 <= sizeof(d->bytes));
	d->bytes[d->len++] = tag;
	if (content.len >= 256) {
		d->bytes[d->len++] = 0x82;
		d->bytes[d->len++] = (uint8_t)(content.len >> 8);
	} else if (content.len >= 128) {
		d->bytes[d->len++] = 0x81;
	}
	d->bytes[d->len++] = (uint8_t)content.len;
	if (content.len > 0) {
		memcpy(d->bytes + d->len, content.data, content.len);
	}
	d->len += content.len;
}

static struct slice slice(const struct der *d)
{
	return slice_of(d->bytes, d->len);
}

static void put_oid(struct der *d, const char *dotted)
{
	uint8_t oid[64];
	size_t len = der_oid_from_text(dotted, oid, sizeof(oid));
	CU_ASSERT_FATAL(len > 0);
	put(d, DER_OID, slice_of(oid, len));
}

/* A QCStatement with this information, or none. */
static void put_statement(struct der *list, const char *dotted, struct slice info)
{
	static struct der statement;
	statement.len = 0;
	put_oid(&statement, dotted);
	memcpy(statement.bytes + statement.len, info.data == NULL ? (const uint8_t *)"" : info.data,
	       info.len);
	statement.len += info.len;
	put(list, DER_SEQUENCE, slice(&statement));
}

static void put_role(struct der *roles, const char *dotted, const char *name)
{
	struct der role = {.len = 0};
	put_oid(&role, dotted);
	put(&role, DER_UTF8_STRING, slice_text(name));
	put(roles, DER_SEQUENCE, slice(&role));
}

static void put_psd2(struct der *list, const struct der *roles, struct slice name, struct slice id)
{
	static struct der in;
	static struct der info;
	in.len = info.len = 0;
	put(&in, DER_SEQUENCE, slice(roles));
	put(&in, DER_UTF8_STRING, name);
	put(&in, DER_UTF8_STRING, id);
	put(&info, DER_SEQUENCE, slice(&in));
	put_statement(list, "0.4.0.19495.2", slice(&info));
}

/* --- reading --- */

static struct arena arena;

/* NULL: nothing was said. Lives until done(). */
static const struct qualified *read_list(const struct der *list)
{
	static struct der whole;
	const struct qualified *q;
	whole.len = 0;
	put(&whole, DER_SEQUENCE, slice(list));
	/* An exact copy, so that a sanitizer sees a byte read behind it. */
	uint8_t *copy = malloc(whole.len);
	memcpy(copy, whole.bytes, whole.len);
	CU_ASSERT_EQUAL(qualified_read(&q, &arena, SLICE("\x30\0"), slice_of(copy, whole.len)),
	                E_OK);
	free(copy);
	return q;
}

static void done(void)
{
	arena_release(&arena);
	arena = (struct arena){0};
}

/* All of them, with spaces between. */
static bool says(const struct slice *texts, size_t count, const char *expected)
{
	char all[4096];
	size_t len = 0;
	for (size_t i = 0; i < count; i++) {
		len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%.*s", i > 0 ? " " : "",
		                        (int)texts[i].len, (const char *)texts[i].data);
		CU_ASSERT_FATAL(len < sizeof(all));
	}
	all[len] = '\0';
	if (strcmp(all, expected) != 0) {
		printf("\n\"%s\" instead of \"%s\"\n", all, expected);
	}
	return strcmp(all, expected) == 0;
}

static bool list_says(const struct der *list, const char *expected)
{
	const struct qualified *q = read_list(list);
	bool same = q != NULL && says(q->statements, q->statement_count, expected);
	done();
	return same;
}

static bool is_no_evidence(const struct der *list)
{
	const struct qualified *q = read_list(list);
	done();
	return q == NULL;
}

/* --- the statements --- */

static void statements_are_words(void)
{
	struct der list = {.len = 0};
	put_statement(&list, "0.4.0.1862.1.1", SLICE(""));
	put_statement(&list, "0.4.0.1862.1.2",
	              SLICE("\x30\x0b\x13\x03"
	                    "EUR\x02\x01\x05\x02\x01\x03"));
	put_statement(&list, "0.4.0.1862.1.3", SLICE("\x02\x01\x0a"));
	put_statement(&list, "0.4.0.1862.1.4", SLICE(""));
	put_statement(&list, "0.4.0.1862.1.5", SLICE("\x30\0"));
	put_statement(&list, "0.4.0.1862.1.6",
	              SLICE("\x30\x12\x06\x07\x04\0\x8e\x46\x01\x06\x03"
	                    "\x06\x07\x04\0\x8e\x46\x01\x06\x02"));
	put_statement(&list, "0.4.0.1862.1.7",
	              SLICE("\x30\x08\x13\x02"
	                    "DE\x13\x02NL"));
	put_statement(&list, "1.3.6.1.5.5.7.11.2", SLICE("\x30\0"));
	put_statement(&list, "1.2.3.4", SLICE("\x05\0"));
	CU_ASSERT(list_says(&list, "qcCompliance qcLimitValue qcRetentionPeriod:10 qcSSCD qcPDS "
	                           "qcType:web qcType:eseal qcCClegislation:DE qcCClegislation:NL "
	                           "pkixQCSyntax-v2 1.2.3.4"));
}

static void what_is_unknown_stays_an_oid(void)
{
	struct der list = {.len = 0};
	put_statement(&list, "0.4.0.1862.1.6",
	              SLICE("\x30\x0c\x06\x07\x04\0\x8e\x46\x01\x06\x01\x06\x01\x2a"));
	put_statement(&list, "0.4.0.1862.1.8", SLICE(""));
	CU_ASSERT(list_says(&list, "qcType:esign qcType:1.2 0.4.0.1862.1.8"));
}

/* TS 119 495 annex A. */
static void roles_and_authority_of_psd2_are_read(void)
{
	struct der list = {.len = 0};
	struct der roles = {.len = 0};
	put_role(&roles, "0.4.0.19495.1.3", "PSP_AI");
	put_role(&roles, "0.4.0.19495.1.2", "PSP_PI");
	put_role(&roles, "0.4.0.19495.1.3", "PSP_AI");
	put_role(&roles, "0.4.0.19495.1.1", "PSP_AS");
	put_role(&roles, "0.4.0.19495.1.4", "PSP_IC");
	put_psd2(&list, &roles, SLICE("Federal Authority"), SLICE("DE-BAFIN"));
	const struct qualified *q = read_list(&list);
	CU_ASSERT_PTR_NOT_NULL_FATAL(q);
	CU_ASSERT(says(q->roles, q->role_count, "PSP_AI PSP_PI PSP_AS PSP_IC"));
	CU_ASSERT(says(q->statements, q->statement_count,
	               "psd2Role:PSP_AI psd2Role:PSP_PI psd2Role:PSP_AI psd2Role:PSP_AS "
	               "psd2Role:PSP_IC psd2NCAName:Federal Authority psd2NCAId:DE-BAFIN"));
	done();
}

static void a_role_is_what_its_oid_says(void)
{
	struct der list = {.len = 0};
	struct der roles = {.len = 0};
	put_role(&roles, "0.4.0.19495.1.2", "PSP_AI");
	put_psd2(&list, &roles, SLICE("N"), SLICE("I"));
	CU_ASSERT(is_no_evidence(&list));

	roles.len = list.len = 0;
	put_role(&roles, "1.2.3", "PSP_AI");
	put_role(&roles, "0.4.0.19495.1.0", "Unspecified");
	put_psd2(&list, &roles, SLICE("N"), SLICE("I"));
	const struct qualified *q = read_list(&list);
	CU_ASSERT_PTR_NOT_NULL_FATAL(q);
	CU_ASSERT_EQUAL(q->role_count, 0);
	CU_ASSERT(says(q->statements, q->statement_count,
	               "psd2Role:1.2.3 psd2Role:0.4.0.19495.1.0 psd2NCAName:N psd2NCAId:I"));
	done();
}

static void two_statements_of_psd2_are_none(void)
{
	struct der list = {.len = 0};
	struct der roles = {.len = 0};
	put_role(&roles, "0.4.0.19495.1.2", "PSP_PI");
	put_psd2(&list, &roles, SLICE("N"), SLICE("I"));
	CU_ASSERT(!is_no_evidence(&list));
	put_psd2(&list, &roles, SLICE("N"), SLICE("I"));
	CU_ASSERT(is_no_evidence(&list));
}

/* --- hostile bytes --- */

static void malformed_statements_are_no_evidence(void)
{
	static const struct {
		const char *oid;
		struct slice info;
	} bad[] = {
		{"0.4.0.1862.1.1", SLICE("\x05\0")}, /* complete in itself */
		{"0.4.0.1862.1.4", SLICE("\x05\0")},
		{"0.4.0.1862.1.2", SLICE("\x30\x01")},
		{"0.4.0.1862.1.2", SLICE("\x30\0\x30\0")},
		{"0.4.0.1862.1.3", SLICE("")},
		{"0.4.0.1862.1.3", SLICE("\x02\x01\xff")},
		{"0.4.0.1862.1.3", SLICE("\x02\x02\0\x0a")},
		{"0.4.0.1862.1.3", SLICE("\x02\x01\x0a\x05\0")},
		{"0.4.0.1862.1.6", SLICE("")},
		{"0.4.0.1862.1.6", SLICE("\x30\0")},
		{"0.4.0.1862.1.6", SLICE("\x30\x02\x06\0")},
		{"0.4.0.1862.1.6", SLICE("\x30\x02\x05\0")},
		{"0.4.0.1862.1.7", SLICE("\x30\0")},
		{"0.4.0.1862.1.7", SLICE("\x30\x05\x13\x03"
	                                 "DEU")},
		{"0.4.0.1862.1.7", SLICE("\x30\x04\x0c\x02"
	                                 "DE")},
		{"0.4.0.19495.2", SLICE("")},
		{"0.4.0.19495.2", SLICE("\x30\0")},
		{"0.4.0.19495.2", SLICE("\x30\x08\x30\0\x0c\x01N\x0c\x01I")},
		{"1.2.3.4", SLICE("\x05")},
		{"1.2.3.4", SLICE("\x05\0\x05\0")},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct der list = {.len = 0};
		put_statement(&list, "0.4.0.1862.1.1", SLICE(""));
		CU_ASSERT(!is_no_evidence(&list));
		put_statement(&list, bad[i].oid, bad[i].info);
		CU_ASSERT(is_no_evidence(&list));
	}
	struct der list = {.len = 0};
	put(&list, DER_OCTET_STRING, SLICE("x"));
	CU_ASSERT(is_no_evidence(&list));
	list.len = 0;
	put(&list, DER_SEQUENCE, SLICE(""));
	CU_ASSERT(is_no_evidence(&list));
	list.len = 0;
	CU_ASSERT(is_no_evidence(&list));
	const struct qualified *q;
	CU_ASSERT_EQUAL(qualified_read(&q, &arena, SLICE("\x30\0"), SLICE("\x31\0")), E_OK);
	CU_ASSERT_PTR_NULL(q);
	done();
}

static void every_prefix_is_no_evidence(void)
{
	struct der list = {.len = 0};
	struct der roles = {.len = 0};
	put_role(&roles, "0.4.0.19495.1.2", "PSP_PI");
	put_statement(&list, "0.4.0.1862.1.1", SLICE(""));
	put_psd2(&list, &roles, SLICE("N"), SLICE("I"));
	struct der whole = {.len = 0};
	put(&whole, DER_SEQUENCE, slice(&list));
	for (size_t len = 0; len <= whole.len; len++) {
		uint8_t *copy = malloc(len + (len == 0));
		memcpy(copy, whole.bytes, len);
		const struct qualified *q;
		CU_ASSERT_EQUAL(qualified_read(&q, &arena, SLICE("\x30\0"), slice_of(copy, len)),
		                E_OK);
		CU_ASSERT_EQUAL(q != NULL, len == whole.len);
		free(copy);
		done();
	}
}

static void no_byte_is_too_strange(void)
{
	struct der list = {.len = 0};
	struct der roles = {.len = 0};
	put_role(&roles, "0.4.0.19495.1.2", "PSP_PI");
	put_statement(&list, "0.4.0.1862.1.3", SLICE("\x02\x01\x0a"));
	put_psd2(&list, &roles, SLICE("N"), SLICE("I"));
	unsigned kept = 0;
	for (size_t at = 0; at < list.len; at++) {
		uint8_t before = list.bytes[at];
		for (unsigned byte = 0; byte < 256; byte++) {
			list.bytes[at] = (uint8_t)byte;
			const struct qualified *q = read_list(&list);
			kept += q != NULL;
			/* One statement of the two may have become an unknown one: never both. */
			CU_ASSERT(q == NULL || q->statement_count >= 2);
			done();
		}
		list.bytes[at] = before;
	}
	CU_ASSERT(kept >= list.len);
	CU_ASSERT(kept < list.len * 256);
}

static void lists_keep_their_first_values(void)
{
	static struct der list;
	list.len = 0;
	for (unsigned i = 0; i < CERT_VALUES_MAX + 5; i++) {
		put_statement(&list, "0.4.0.1862.1.4", SLICE(""));
	}
	const struct qualified *q = read_list(&list);
	CU_ASSERT_PTR_NOT_NULL_FATAL(q);
	CU_ASSERT_EQUAL(q->statement_count, CERT_VALUES_MAX);
	done();
	/* What is not kept is read all the same. */
	put_statement(&list, "0.4.0.1862.1.3", SLICE(""));
	CU_ASSERT(is_no_evidence(&list));
}

static void an_authority_has_256_characters_at_most(void)
{
	uint8_t name[1025];
	memset(name, 'n', sizeof(name));
	for (size_t len = 1024; len <= 1025; len++) {
		struct der list = {.len = 0};
		struct der roles = {.len = 0};
		put_role(&roles, "0.4.0.19495.1.2", "PSP_PI");
		put_psd2(&list, &roles, slice_of(name, len), SLICE("I"));
		CU_ASSERT_EQUAL(is_no_evidence(&list), len > 1024);
	}
}

/* --- within a certificate --- */

static struct chain *chain_of(const struct pki_spec *spec)
{
	struct slice der = pki_make(spec)->der;
	struct chain *chain;
	CU_ASSERT_EQUAL_FATAL(chain_new(&chain, &der, 1), E_OK);
	CU_ASSERT_EQUAL_FATAL(chain_parse(chain), E_OK);
	CU_ASSERT_FATAL(chain->certs[0].parsed);
	return chain;
}

static void a_certificate_tells_what_it_says_of_itself(void)
{
	struct chain *chain = chain_of(&(struct pki_spec){
		.subject = "CN=tpp,2.5.4.97=#0c0d50534444452d424146494e2d31,O=Acme",
		.key = PKI_P256_A,
		.extensions = {{QC_STATEMENTS,
	                        SLICE("\x30\x0a\x30\x08\x06\x06\x04\0\x8e\x46\x01\x01"), false}},
	});
	const struct qualified *q = chain->certs[0].qualified;
	CU_ASSERT_PTR_NOT_NULL_FATAL(q);
	CU_ASSERT(says(q->organization_identifiers, q->organization_identifier_count,
	               "PSDDE-BAFIN-1"));
	CU_ASSERT(says(q->statements, q->statement_count, "qcCompliance"));
	CU_ASSERT(!chain->certs[0].x509->unknown_critical);
	chain_unref(&chain);
}

static void most_certificates_say_nothing(void)
{
	struct chain *chain = chain_of(&(struct pki_spec){.subject = "CN=a,O=b", .key = PKI_P256_A});
	CU_ASSERT_PTR_NULL(chain->certs[0].qualified);
	chain_unref(&chain);
}

static void broken_statements_break_no_certificate(void)
{
	struct chain *chain = chain_of(&(struct pki_spec){
		.subject = "CN=a,O=b",
		.key = PKI_P256_A,
		.extensions = {{QC_STATEMENTS, SLICE("\x30\x0a\x30"), false}},
	});
	CU_ASSERT_PTR_NULL(chain->certs[0].qualified);
	CU_ASSERT(!chain->certs[0].x509->unknown_critical);
	chain_unref(&chain);
}

/* RFC 5280 4.2: it is shown, but nobody acts upon it. */
static void critical_statements_are_an_unknown_critical_extension(void)
{
	struct chain *chain = chain_of(&(struct pki_spec){
		.subject = "CN=a,O=b",
		.key = PKI_P256_A,
		.extensions = {{QC_STATEMENTS,
	                        SLICE("\x30\x0a\x30\x08\x06\x06\x04\0\x8e\x46\x01\x01"), true}},
	});
	CU_ASSERT_PTR_NOT_NULL(chain->certs[0].qualified);
	CU_ASSERT(chain->certs[0].x509->unknown_critical);
	chain_unref(&chain);
}

static const struct unit_test tests[] = {
	{"statements are words", statements_are_words},
	{"what is unknown stays an OID", what_is_unknown_stays_an_oid},
	{"roles and authority of PSD2 are read", roles_and_authority_of_psd2_are_read},
	{"a role is what its OID says", a_role_is_what_its_oid_says},
	{"two statements of PSD2 are none", two_statements_of_psd2_are_none},
	{"malformed statements are no evidence", malformed_statements_are_no_evidence},
	{"every prefix is no evidence", every_prefix_is_no_evidence},
	{"no byte is too strange", no_byte_is_too_strange},
	{"lists keep their first values", lists_keep_their_first_values},
	{"an authority has 256 characters at most", an_authority_has_256_characters_at_most},
	{"a certificate tells what it says of itself", a_certificate_tells_what_it_says_of_itself},
	{"most certificates say nothing", most_certificates_say_nothing},
	{"broken statements break no certificate", broken_statements_break_no_certificate},
	{"critical statements are an unknown critical extension",
         critical_statements_are_an_unknown_critical_extension},
};

int main(void)
{
	int code = unit_run("peer/qualified", tests, sizeof(tests) / sizeof(tests[0]));
	pki_release();
	return code;
}
