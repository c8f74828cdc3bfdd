/* A chain of two certificates with P-256 keys, as partners show them, below a root that is trusted:
 * judged anew, remembered, and its two signature checks alone. */
#include <stdio.h>

#include "base/err.h"
#include "peer/cache.h"
#include "peer/cert.h"
#include "peer/classify.h"
#include "peer/pki.h"
#include "peer/signature.h"
#include "verify.h"

#define CHAINS 64 /* different leaves that take turns */
#define BATCH 16  /* of them: short, so that what disturbs one disturbs its neighbour */
#define TURNS 61
#define CACHED 1024

static const char point_url[] = "http://crl.partner.example/issuing-ca-3.crl";
static const char responder_url[] = "http://ocsp.partner.example/";

struct pair {
	struct slice der[2]; /* leaf, intermediate */
};

static struct slice distribution_points(void)
{
	struct slice uri = pki_tlv(0x86, slice_text(point_url));
	return pki_tlv(0x30, pki_tlv(0x30, pki_tlv(0xa0, pki_tlv(0xa0, uri))));
}

static struct slice information_access(void)
{
	struct slice method = SLICE("\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x01");
	struct slice uri = pki_tlv(0x86, slice_text(responder_url));
	return pki_tlv(0x30, pki_tlv(0x30, pki_join(method, uri)));
}

static const struct pki_cert *make_root(void)
{
	return pki_make(&(struct pki_spec){
		.subject = "CN=Partner Root CA,O=Partner B.V.,C=NL",
		.key = PKI_P256_A,
		.ca = true,
		.key_ids = true,
		.key_usage = GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN,
	});
}

static const struct pki_cert *make_intermediate(const struct pki_cert *root)
{
	return pki_make(&(struct pki_spec){
		.subject = "CN=Partner Issuing CA 3,O=Partner B.V.,C=NL",
		.key = PKI_P256_B,
		.issuer = root,
		.ca = true,
		.path_length_plus_1 = 1,
		.key_ids = true,
		.key_usage = GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN,
		.extensions = {{"2.5.29.31", distribution_points(), false}},
	});
}

static const struct pki_cert *make_leaf(const struct pki_cert *intermediate, int i)
{
	char subject[128];
	char dns[64];
	snprintf(subject, sizeof(subject), "CN=client-%d.acme.example,OU=Payments,O=Acme,C=NL", i);
	snprintf(dns, sizeof(dns), "client-%d.acme.example", i);
	return pki_make(&(struct pki_spec){
		.subject = subject,
		.key = PKI_P256_C,
		.issuer = intermediate,
		.key_ids = true,
		.key_usage = GNUTLS_KEY_DIGITAL_SIGNATURE,
		.purposes = {GNUTLS_KP_TLS_WWW_CLIENT},
		.dns = {dns},
		.extensions = {{"2.5.29.31", distribution_points(), false},
	                       {"1.3.6.1.5.5.7.1.1", information_access(), false}},
	});
}

/* Through a cache that remembers none of them: what a worker does for a new client. */
static double judge_fresh(struct peer_cache *cache, const struct trust *trust,
                          const struct pair *pairs)
{
	double start = bench_now_us();
	for (size_t i = 0; i < BATCH; i++) {
		struct chain *chain;
		struct verdict *verdict;
		bench_must(peer_cache_chain(cache, &chain, pairs[i].der, 2) == E_OK &&
		                   peer_cache_judge(cache, &verdict, trust, NULL, chain, PKI_NOW) ==
		                           E_OK &&
		                   verdict->class == CLASS_OK && verdict->signature_checks == 2,
		           "a fresh verdict");
		verdict_unref(&verdict);
		chain_unref(&chain);
	}
	return (bench_now_us() - start) / BATCH;
}

static double judge_cached(struct peer_cache *cache, const struct trust *trust,
                           const struct pair *pairs)
{
	double start = bench_now_us();
	for (size_t i = 0; i < CACHED; i++) {
		struct chain *chain;
		struct verdict *verdict;
		bench_must(peer_cache_chain(cache, &chain, pairs[i % CHAINS].der, 2) == E_OK &&
		                   peer_cache_judge(cache, &verdict, trust, NULL, chain, PKI_NOW) ==
		                           E_OK &&
		                   verdict->class == CLASS_OK,
		           "a remembered verdict");
		verdict_unref(&verdict);
		chain_unref(&chain);
	}
	return (bench_now_us() - start) / CACHED;
}

/* Parsing alone, the copies and hashes of a chain included. */
static double parse(const struct pair *pairs)
{
	double start = bench_now_us();
	for (size_t i = 0; i < BATCH; i++) {
		struct chain *chain;
		bench_must(chain_new(&chain, pairs[i].der, 2) == E_OK &&
		                   chain_parse(chain) == E_OK && chain->certs[0].parsed,
		           "a chain");
		chain_unref(&chain);
	}
	return (bench_now_us() - start) / BATCH;
}

/* Of chains whose keys are ready: nothing but the two signatures. */
static double check_signatures(struct chain *const *chains, const struct cert *root)
{
	double start = bench_now_us();
	for (size_t i = 0; i < BATCH; i++) {
		const struct cert *certs = chains[i]->certs;
		bench_must(signature_verify(&certs[0], &certs[1]) == SIGNATURE_GOOD &&
		                   signature_verify(&certs[1], root) == SIGNATURE_GOOD,
		           "a signature");
	}
	return (bench_now_us() - start) / BATCH;
}

void bench_chain(void)
{
	static struct pair pairs[CHAINS];
	static struct chain *chains[CHAINS];
	const struct pki_cert *root = make_root();
	const struct pki_cert *intermediate = make_intermediate(root);
	struct trust *trust = pki_trust(&(struct pki_trust_spec){
		.anchors = {root}, .profile = PROFILE_MEDIUM, .max_depth = 4});
	for (int i = 0; i < CHAINS; i++) {
		pairs[i] = (struct pair){{make_leaf(intermediate, i)->der, intermediate->der}};
		bench_must(chain_new(&chains[i], pairs[i].der, 2) == E_OK &&
		                   chain_parse(chains[i]) == E_OK,
		           "a chain");
	}
	struct chain *root_chain;
	bench_must(chain_new(&root_chain, &root->der, 1) == E_OK && chain_parse(root_chain) == E_OK,
	           "the root");
	struct peer_cache *small;
	struct peer_cache *large;
	bench_must(peer_cache_new(&small, 1, SIZE_MAX) == E_OK &&
	                   peer_cache_new(&large, CHAINS, SIZE_MAX) == E_OK,
	           "a cache");

	/* Warm: lazy set-up of libraries, and the cache. */
	judge_fresh(small, trust, pairs);
	judge_cached(large, trust, pairs);
	check_signatures(chains, &root_chain->certs[0]);
	double fresh[TURNS];
	double signatures[TURNS];
	double ratios[TURNS];
	double parsed[TURNS];
	double cached[TURNS];
	for (size_t i = 0; i < TURNS; i++) {
		size_t at = i * BATCH % CHAINS;
		/* Neighbours in time: their ratio is steadier than that of medians. */
		signatures[i] = check_signatures(chains + at, &root_chain->certs[0]);
		fresh[i] = judge_fresh(small, trust, pairs + at);
		ratios[i] = fresh[i] / signatures[i];
		parsed[i] = parse(pairs + at);
		cached[i] = judge_cached(large, trust, pairs);
	}
	bench_report_median("signatures_us", signatures, TURNS);
	bench_report_median("fresh_us", fresh, TURNS);
	bench_report_median("fresh_ratio", ratios, TURNS);
	bench_report_median("parse_us", parsed, TURNS);
	bench_report_median("cached_us", cached, TURNS);

	peer_cache_free(&large);
	peer_cache_free(&small);
	chain_unref(&root_chain);
	for (int i = 0; i < CHAINS; i++) {
		chain_unref(&chains[i]);
	}
	trust_free(&trust);
}
