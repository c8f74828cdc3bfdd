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

/* Cases that do not come out as expected, each with its reason; one that does is to be taken off
 * the list. */
static const struct deviation must_deviations[] = {
	{"webpki::explicit-curve",
         "refused as unsupported_key: no TLS library here can use such a key at all"},
	{NULL, NULL},
};

/* RFC 5280 is stricter towards CAs than towards those who verify, and the Web PKI has rules of
 * its own. */
static const struct deviation strict_deviations[] = {
	{"pathlen::validation-ignores-pathlen-in-leaf",
         "refused: the leaf's key usage lacks digitalSignature"},
	{"rfc5280::ca-as-leaf", "refused: the leaf's key usage lacks digitalSignature"},
	{"pathlen::max-chain-depth-1-self-issued", "refused: max_depth counts every intermediate"},
	{"webpki::forbidden-dsa-leaf", "refused as unsupported_key"},
	{"webpki::forbidden-dsa-root", "refused as unknown_issuer: that key verifies nothing"},
	{"rfc5280::aki::leaf-missing-aki", "key identifiers are hints"},
	{"rfc5280::aki::intermediate-missing-aki", "key identifiers are hints"},
	{"rfc5280::aki::cross-signed-root-missing-aki", "key identifiers are hints"},
	{"rfc5280::ski::root-missing-ski", "key identifiers are hints"},
	{"rfc5280::ski::intermediate-missing-ski", "key identifiers are hints"},
	{"rfc5280::nc::permitted-dns-match-noncritical", "constraints count, critical or not"},
	{"rfc5280::nc::not-allowed-in-ee-noncritical", "without effect in a leaf"},
	{"rfc5280::nc::not-allowed-in-ee-critical", "without effect in a leaf"},
	{"rfc5280::pc::ica-noncritical-pc", "policies are not processed, and it is not critical"},
	{"rfc5280::san::noncritical-with-empty-subject", "a rule for CAs"},
	{"rfc5280::san::underscore-dns", "in use"},
	{"rfc5280::san::ip-in-dns", "names of clients are compared by rules, not here"},
	{"rfc5280::serial::too-long", "RFC 5280 4.1.2.2: to be handled gracefully"},
	{"rfc5280::serial::zero", "RFC 5280 4.1.2.2: to be handled gracefully"},
	{"rfc5280::root-non-critical-basic-constraints", "a rule for CAs; the flag counts"},
	{"rfc5280::leaf-ku-keycertsign", "without effect in a leaf"},
	{"webpki::malformed-aia", "not read"},
	{"webpki::v1-cert", "a leaf may be of version 1; a CA may not"},
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

/* The anchors as a CA file, as an operator would give them. NULL: they were refused. */
static struct trust *case_trust(const json_t *test)
{
	char path[] = "/tmp/tlscribe-limbo-XXXXXX";
	int fd = mkstemp(path);
	if (fd == -1) {
		return NULL;
	}
	size_t i;
	json_t *pem;
	json_array_foreach(json_object_get(test, "trusted_certs"), i, pem)
	{
		dprintf(fd, "%s\n", json_string_value(pem));
	}
	close(fd);
	json_t *depth = json_object_get(test, "max_chain_depth");
	struct config_text ca = {.text = path};
	struct config_client client = {
		.ca = {&ca, 1, {0}},
		.purpose = {.text = (char *)"clientAuth"},
		.profile = PROFILE_MEDIUM,
		.max_depth = json_is_integer(depth) ? (unsigned)json_integer_value(depth) : 4,
	};
	struct diag diag;
	diag_init(&diag);
	struct trust *trust = NULL;
	if (trust_new(&trust, &client, &(struct config_limits){0}, NULL, &diag) != E_OK) {
		trust = NULL;
	}
	diag_release(&diag);
	unlink(path);
	return trust;
}

/* NULL: the anchors were refused. */
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
	struct trust *trust = case_trust(test);
	struct verdict *verdict = NULL;
	if (read && trust != NULL) {
		struct chain *chain;
		CU_ASSERT_EQUAL(chain_new(&chain, der, count), E_OK);
		CU_ASSERT_EQUAL(peer_judge(&verdict, trust, NULL, chain, case_time(test)), E_OK);
		chain_unref(&chain);
	}
	trust_free(&trust);
	for (i = 0; i < count; i++) {
		gnutls_free((void *)der[i].data);
	}
	return verdict;
}

static bool is_deviation(const struct deviation *deviations, const char *id)
{
	for (; deviations->id != NULL; deviations++) {
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

static bool needs_crl(const json_t *test)
{
	return json_array_size(json_object_get(test, "crls")) > 0;
}

struct tally {
	unsigned cases;
	unsigned agreed;
	unsigned wrong_accepts;
};

static struct tally run_tier(const char *tier, const struct deviation *deviations)
{
	struct tally tally = {0};
	size_t i;
	json_t *test;
	json_array_foreach(json_object_get(document, "testcases"), i, test)
	{
		const char *id = json_string_value(json_object_get(test, "id"));
		if (strcmp(json_string_value(json_object_get(test, "tier")), tier) != 0 ||
		    needs_crl(test)) {
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
			       verdict == NULL ? "anchors refused"
			                       : peer_class_row(verdict->class)->name);
			CU_FAIL("a case and the list of deviations disagree");
		}
		verdict_unref(&verdict);
	}
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

static void must_cases_agree_and_none_is_wrongly_accepted(void)
{
	struct tally tally = run_tier("must", must_deviations);
	CU_ASSERT_EQUAL(tally.cases, 94);
	CU_ASSERT_EQUAL(tally.wrong_accepts, 0);
	CU_ASSERT_EQUAL(tally.agreed + length_of(must_deviations), tally.cases);
}

static void strict_cases_agree_but_for_the_ones_that_are_listed(void)
{
	struct tally tally = run_tier("strict", strict_deviations);
	CU_ASSERT_EQUAL(tally.cases, 47);
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
		printf("\n    %s: %s after %u signatures",
		       json_string_value(json_object_get(test, "id")),
		       peer_class_row(verdict->class)->name, verdict->signature_checks);
		CU_ASSERT_NOT_EQUAL(verdict->class, CLASS_OK);
		CU_ASSERT(verdict->signature_checks <= 32);
		verdict_unref(&verdict);
	}
	CU_ASSERT_EQUAL(cases, 7);
}

static const struct unit_test tests[] = {
	{"must cases agree and none is wrongly accepted",
         must_cases_agree_and_none_is_wrongly_accepted},
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
