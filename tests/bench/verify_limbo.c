/* The cases of x509-limbo that are made to exhaust (tests/data/limbo): time and memory of each. */
#include <gnutls/x509.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "peer/classify.h"
#include "peer/pki.h"
#include "verify.h"

#define CERTS_MAX 256
#define NOW_S 1795219200 /* 2026-11-21, as limbo_test.c judges them */

static struct slice der_of(const json_t *pem)
{
	const char *text = json_string_value(pem);
	bench_must(text != NULL, "a certificate");
	gnutls_datum_t in = {(unsigned char *)text, (unsigned)strlen(text)};
	gnutls_datum_t out;
	bench_must(gnutls_pem_base64_decode2("CERTIFICATE", &in, &out) >= 0, "a certificate");
	struct slice kept = pki_keep(slice_of(out.data, out.size));
	gnutls_free(out.data);
	return kept;
}

/* What a stranger makes us do: the chain copied, parsed, judged and given back. */
static void judge(const struct trust *trust, const struct slice *der, size_t count)
{
	struct chain *chain;
	struct verdict *verdict;
	bench_must(chain_new(&chain, der, count) == E_OK &&
	                   peer_judge(&verdict, trust, NULL, chain, NOW_S) == E_OK &&
	                   verdict->class != CLASS_OK && verdict->signature_checks > 0,
	           "a verdict");
	verdict_unref(&verdict);
	chain_unref(&chain);
}

static void run_case(const json_t *test)
{
	const char *id = json_string_value(json_object_get(test, "id"));
	struct slice der[CERTS_MAX];
	size_t count = 1;
	size_t i;
	json_t *pem;
	der[0] = der_of(json_object_get(test, "peer_certificate"));
	json_array_foreach(json_object_get(test, "untrusted_intermediates"), i, pem)
	{
		bench_must(count < CERTS_MAX, id);
		der[count++] = der_of(pem);
	}
	json_t *anchors = json_object_get(test, "trusted_certs");
	bench_must(json_array_size(anchors) == 1, id);
	struct pki_cert anchor = {.der = der_of(json_array_get(anchors, 0))};
	struct trust *trust = pki_trust(&(struct pki_trust_spec){
		.anchors = {&anchor}, .profile = PROFILE_MEDIUM, .max_depth = 4});

	double start = bench_now_us();
	judge(trust, der, count);
	double took = bench_now_us() - start;
	heap_watch();
	judge(trust, der, count);
	double peak = (double)heap_peak();
	heap_ignore();
	trust_free(&trust);
	char name[256];
	const char *bare = strrchr(id, ':');
	snprintf(name, sizeof(name), "dos_us:%s", bare == NULL ? id : bare + 1);
	bench_report(name, took);
	snprintf(name, sizeof(name), "dos_bytes:%s", bare == NULL ? id : bare + 1);
	bench_report(name, peak);
}

void bench_limbo(const char *cases)
{
	json_error_t error;
	json_t *document = json_load_file(cases, 0, &error);
	bench_must(document != NULL, cases);
	size_t i;
	size_t count = 0;
	json_t *test;
	json_array_foreach(json_object_get(document, "testcases"), i, test)
	{
		const char *tier = json_string_value(json_object_get(test, "tier"));
		if (tier != NULL && strcmp(tier, "dos") == 0) {
			run_case(test);
			count++;
		}
	}
	bench_must(count == 7, "the number of cases");
	json_decref(document);
}
