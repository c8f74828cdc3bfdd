/* The cases of x509-limbo, with client and server purposes exchanged, through peer_judge(): may
 * this chain log in? */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/err.h"
#include "peer/classify.h"
#include "peer/crl_store.h"
#include "unit.h"

#include <gnutls/gnutls.h>

/* 2026-11-21: for cases that ask for the present; fixed, so that a verdict never changes with
 * the calendar. */
#define NOW_S 1795219200
#define CERTS_MAX 1024

struct deviation {
	const char *id;
	const char *reason;
};

/* Cases of tier `strict` that do not come out as x509-limbo wants them, each with its reason (told at length in
 * tests/data/limbo/README.md); one that does is to be taken off the list. Tiers `must` and `dos` have none. */
static const struct deviation strict_deviations[] = {
	/* Stricter than the case */
	{"pathlen::validation-ignores-pathlen-in-leaf",
         "refused: the leaf's key usage lacks digitalSignature"},
	{"rfc5280::ca-as-leaf", "refused: the leaf's key usage lacks digitalSignature"},
	{"pathlen::max-chain-depth-1-self-issued", "refused: max_depth counts every intermediate"},
	/* Refused for another reason */
	{"crl::crlnumber-critical",
         "the CRL is refused when it is read, and the configuration with it"},
	{"webpki::forbidden-dsa-leaf", "refused as unsupported_key"},
	{"webpki::forbidden-dsa-root", "refused as unknown_issuer: that key verifies nothing"},
	/* Accepted: rules for those who issue, which do not change who is meant */
	{"rfc5280::aki::leaf-missing-aki", "key identifiers are hints"},
	{"rfc5280::aki::intermediate-missing-aki", "key identifiers are hints"},
	{"rfc5280::aki::cross-signed-root-missing-aki", "key identifiers are hints"},
	{"rfc5280::ski::root-missing-ski", "key identifiers are hints"},
	{"rfc5280::ski::intermediate-missing-ski", "key identifiers are hints"},
	{"crl::crlnumber-missing", "CRL numbers are evidence"},
	{"rfc5280::root-non-critical-basic-constraints", "the flag counts, critical or not"},
	{"rfc5280::nc::permitted-dns-match-noncritical", "constraints count, critical or not"},
	{"rfc5280::pc::ica-noncritical-pc", "not critical, and asks for no policy here"},
	{"rfc5280::san::noncritical-with-empty-subject", "the name counts, critical or not"},
	{"rfc5280::san::underscore-dns", "in use"},
	{"rfc5280::san::ip-in-dns", "a name of the right syntax, and never taken for an address"},
	{"rfc5280::serial::zero", "RFC 5280 4.1.2.2: to be handled gracefully"},
	/* Accepted: rules of the web alone */
	{"webpki::v1-cert", "RFC 5280 4.1.2.1: version 1 is right where there are no extensions"},
	{"webpki::ee-basicconstraints-ca", "a CA's key may log in if its usage says so"},
	{NULL, NULL},
};

static json_t *document;

static int64_t case_time(const json_t *test)
{
	const char *text = json_string_value(json_object_get(test, "validation_time"));
	struct tm tm = {0};
	if (text == NULL) {
		return NOW_S;
	}
	/* Fractions and the zone, always +00:00 here, are behind it. */
	return strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) == NULL ? -1 : (int64_t)timegm(&tm);
}

static bool push_pem(struct slice *der, size_t *count, const json_t *pem)
{
	const char *text = json_string_value(pem);
	gnutls_datum_t in = {(unsigned char *)text, (unsigned)strlen(text)};
	gnutls_datum_t out;
	if (*count == CERTS_MAX || gnutls_pem_base64_decode2("CERTIFICATE", &in, &out) < 0) {
		return false;
	}
	der[(*count)++] = slice_of(out.data, out.size);
	return true;
}

/* PEM blocks in a file of their own, as an operator would give them; `path` ends in XXXXXX. */
static void write_pem(char *path, const json_t *blocks)
{
	int fd = mkstemp(path);
	CU_ASSERT_FATAL(fd != -1);
	size_t i;
	json_t *pem;
	json_array_foreach(blocks, i, pem)
	{
		dprintf(fd, "%s\n", json_string_value(pem));
	}
	close(fd);
}

struct setup {
	struct trust *trust;
	struct lists *lists; /* NULL: anchors or CRLs were refused, as a start with them would be */
};

/* With CRLs: each certificate of the path needs a current one. */
static void setup_case(struct setup *out, const json_t *test)
{
	char ca_path[] = "/tmp/tlscribe-limbo-XXXXXX";
	char crl_path[] = "/tmp/tlscribe-limbo-XXXXXX";
	const json_t *crls = json_object_get(test, "crls");
	bool with_crls = json_array_size(crls) > 0;
	json_t *depth = json_object_get(test, "max_chain_depth");
	struct config_text ca = {.text = ca_path};
	struct config_text crl = {.text = crl_path};
	struct config_client client = {
		.ca = {&ca, 1, {0}},
		.crl = {&crl, with_crls ? 1 : 0, {0}},
		.revocation = with_crls ? REVOCATION_HARD : REVOCATION_OFF,
		.revocation_scope = REVOCATION_PATH,
		.purpose = {.text = (char *)"clientAuth"},
		.profile = PROFILE_MEDIUM,
		.max_depth = json_is_integer(depth) ? (unsigned)json_integer_value(depth) : 4,
	};
	struct config_limits limits = {.signature_checks = 32, .name_comparisons = 65536};
	write_pem(ca_path, json_object_get(test, "trusted_certs"));
	write_pem(crl_path, crls);
	struct diag diag;
	diag_init(&diag);
	struct crl_store *store;
	CU_ASSERT_EQUAL_FATAL(crl_store_new(&store), E_OK);
	*out = (struct setup){0};
	if (trust_new(&out->trust, &client, &limits, NULL, &diag) != E_OK ||
	    lists_new(&out->lists, out->trust, &client, NULL, store, NULL, &diag) != E_OK) {
		CU_ASSERT(diag.errors > 0);
		out->lists = NULL;
	}
	crl_store_free(&store);
	diag_release(&diag);
	unlink(ca_path);
	unlink(crl_path);
}

/* NULL: the setup was refused. */
static struct verdict *run_case(const json_t *test)
{
	struct slice der[CERTS_MAX];
	size_t count = 0;
	bool read = push_pem(der, &count, json_object_get(test, "peer_certificate"));
	size_t i;
	json_t *pem;
	json_array_foreach(json_object_get(test, "untrusted_intermediates"), i, pem)
	{
		read = read && push_pem(der, &count, pem);
	}
	CU_ASSERT_TRUE(read);
	struct setup setup;
	setup_case(&setup, test);
	struct verdict *verdict = NULL;
	if (read && setup.lists != NULL) {
		struct chain *chain;
		CU_ASSERT_EQUAL(chain_new(&chain, der, count), E_OK);
		CU_ASSERT_EQUAL(
			peer_judge(&verdict, setup.trust, setup.lists, chain, case_time(test)),
			E_OK);
		chain_unref(&chain);
	}
	lists_unref(&setup.lists);
	trust_free(&setup.trust);
	for (i = 0; i < count; i++) {
		gnutls_free((void *)der[i].data);
	}
	return verdict;
}

static bool is_deviation(const struct deviation *deviations, const char *id)
{
	for (; deviations != NULL && deviations->id != NULL; deviations++) {
		if (strcmp(deviations->id, id) == 0) {
			return true;
		}
	}
	return false;
}

/* Is the verdict's class among those that the case takes? */
static bool agrees(const json_t *test, const struct verdict *verdict)
{
	size_t i;
	json_t *name;
	json_array_foreach(json_object_get(test, "classes"), i, name)
	{
		const char *text = json_string_value(name);
		bool refused = verdict == NULL || verdict->class != CLASS_OK;
		if (strcmp(text, "any_failure") == 0 && refused) {
			return true;
		}
		if (verdict != NULL && strcmp(peer_class_row(verdict->class)->name, text) == 0) {
			return true;
		}
	}
	return false;
}

struct tally {
	unsigned cases;
	unsigned agreed;
	unsigned wrong_accepts;
};

/* `deviations` NULL: there are none. */
static struct tally run_tier(const char *tier, const struct deviation *deviations)
{
	struct tally tally = {0};
	size_t i;
	json_t *test;
	json_array_foreach(json_object_get(document, "testcases"), i, test)
	{
		const char *id = json_string_value(json_object_get(test, "id"));
		if (strcmp(json_string_value(json_object_get(test, "tier")), tier) != 0) {
			continue;
		}
		struct verdict *verdict = run_case(test);
		bool expected = strcmp(json_string_value(json_object_get(test, "expected_result")),
		                       "SUCCESS") == 0;
		bool agreed = agrees(test, verdict);
		bool accepted = verdict != NULL && verdict->class == CLASS_OK;
		tally.cases++;
		tally.agreed += agreed ? 1 : 0;
		tally.wrong_accepts += accepted && !expected ? 1 : 0;
		if (agreed == is_deviation(deviations, id)) {
			printf("\n    %s %s (%s)", id,
			       agreed ? "is listed as a deviation and agrees"
			              : "deviates and is not listed",
			       verdict == NULL ? "setup refused"
			                       : peer_class_row(verdict->class)->name);
			CU_FAIL("a case and the list of deviations disagree");
		}
		verdict_unref(&verdict);
	}
	printf("\n    %s: %u of %u agree", tier, tally.agreed, tally.cases);
	return tally;
}

static size_t length_of(const struct deviation *deviations)
{
	size_t n = 0;
	while (deviations[n].id != NULL) {
		n++;
	}
	return n;
}

static void must_cases_all_agree(void)
{
	struct tally tally = run_tier("must", NULL);
	CU_ASSERT_EQUAL(tally.cases, 100);
	CU_ASSERT_EQUAL(tally.agreed, 100);
	CU_ASSERT_EQUAL(tally.wrong_accepts, 0);
}

static void strict_cases_agree_but_for_the_ones_that_are_listed(void)
{
	struct tally tally = run_tier("strict", strict_deviations);
	CU_ASSERT_EQUAL(tally.cases, 49);
	CU_ASSERT_EQUAL(tally.agreed + length_of(strict_deviations), tally.cases);
}

static void work_is_bounded_for_chains_made_to_exhaust(void)
{
	size_t i;
	json_t *test;
	unsigned cases = 0;
	json_array_foreach(json_object_get(document, "testcases"), i, test)
	{
		if (strcmp(json_string_value(json_object_get(test, "tier")), "dos") != 0) {
			continue;
		}
		struct verdict *verdict = run_case(test);
		cases++;
		CU_ASSERT_PTR_NOT_NULL(verdict);
		if (verdict == NULL) {
			continue;
		}
		printf("\n    %s: %s after %u signatures and %u names",
		       json_string_value(json_object_get(test, "id")),
		       peer_class_row(verdict->class)->name, verdict->signature_checks,
		       verdict->name_comparisons);
		CU_ASSERT_NOT_EQUAL(verdict->class, CLASS_OK);
		CU_ASSERT(verdict->signature_checks > 0 && verdict->signature_checks <= 32);
		CU_ASSERT(verdict->name_comparisons > 0 && verdict->name_comparisons <= 65536);
		verdict_unref(&verdict);
	}
	CU_ASSERT_EQUAL(cases, 7);
}

static const struct unit_test tests[] = {
	{"must cases all agree", must_cases_all_agree},
	{"strict cases agree but for the ones that are listed",
         strict_cases_agree_but_for_the_ones_that_are_listed},
	{"work is bounded for chains made to exhaust", work_is_bounded_for_chains_made_to_exhaust},
};

int main(void)
{
	json_error_t error;
	document = json_load_file(SOURCE_DIR "/tests/data/limbo/limbo-client.json", 0, &error);
	if (document == NULL) {
		fprintf(stderr, "%s\n", error.text);
		return 99;
	}
	int code = unit_run("peer/limbo", tests, sizeof(tests) / sizeof(tests[0]));
	json_decref(document);
	return code;
}
