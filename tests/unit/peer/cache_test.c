#include "peer/cache.h"

#include <string.h>

#include "base/err.h"
#include "pki.h"
#include "unit.h"

#define MIB (1U << 20)

static struct trust *root_trust(enum profile profile)
{
	return pki_trust(&(struct pki_trust_spec){
		.anchors = {pki_root()}, .profile = profile, .max_depth = 4});
}

static bool same_verdict(const struct verdict *a, const struct verdict *b)
{
	bool same = a->class == b->class && a->code == b->code && a->depth == b->depth &&
	            a->finding_count == b->finding_count && a->holds_from_s == b->holds_from_s &&
	            a->holds_until_s == b->holds_until_s && a->path_count == b->path_count &&
	            a->signature_checks == b->signature_checks &&
	            (a->anchor_file == NULL) == (b->anchor_file == NULL);
	for (size_t i = 0; same && i < a->finding_count; i++) {
		same = a->findings[i].class == b->findings[i].class &&
		       a->findings[i].depth == b->findings[i].depth &&
		       a->findings[i].code == b->findings[i].code &&
		       a->findings[i].at_s == b->findings[i].at_s;
	}
	for (size_t i = 0; same && i < a->path_count; i++) {
		same = strcmp(a->path[i].subject, b->path[i].subject) == 0 &&
		       memcmp(a->path[i].sha256, b->path[i].sha256, 32) == 0;
	}
	return same && (a->anchor_file == NULL || strcmp(a->anchor_file, b->anchor_file) == 0);
}

static void a_cached_verdict_is_the_one_a_fresh_judge_gives(void)
{
	struct trust *trust = root_trust(PROFILE_MEDIUM);
	struct peer_cache *cache;
	CU_ASSERT_EQUAL_FATAL(peer_cache_new(&cache, 100, MIB), E_OK);
	struct pki_spec specs[] = {
		{.subject = "CN=1", .issuer = pki_intermediate(), .key = PKI_P256_C},
		{.subject = "CN=2",
	         .issuer = pki_intermediate(),
	         .key = PKI_P256_C,
	         .not_after = PKI_NOW + 50},
		{.subject = "CN=3",
	         .issuer = pki_intermediate(),
	         .key = PKI_P256_C,
	         .not_before = PKI_NOW + 50},
		{.subject = "CN=4", .key = PKI_P256_C},
		{.subject = "CN=5",
	         .issuer = pki_intermediate(),
	         .key = PKI_RSA1024,
	         .wrong_signature = true},
	};
	/* Around every date of them, with steps back. */
	static const int64_t times[] = {PKI_NOW, PKI_NOW + 49,   PKI_NOW + 50, PKI_NOW + 51,
	                                PKI_NOW, PKI_NOW + 1000, PKI_NOW + 51};
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		struct slice der[] = {pki_make(&specs[i])->der, pki_intermediate()->der};
		for (size_t k = 0; k < sizeof(times) / sizeof(times[0]); k++) {
			for (int again = 0; again < 2; again++) {
				struct chain *chain;
				struct verdict *verdict;
				struct verdict *fresh;
				CU_ASSERT_EQUAL_FATAL(peer_cache_chain(cache, &chain, der, 2), E_OK);
				CU_ASSERT_EQUAL_FATAL(peer_cache_judge(cache, &verdict, trust, NULL,
				                                       chain, times[k]),
				                      E_OK);
				CU_ASSERT_EQUAL_FATAL(
					peer_judge(&fresh, trust, NULL, chain, times[k]), E_OK);
				CU_ASSERT(same_verdict(verdict, fresh));
				verdict_unref(&verdict);
				verdict_unref(&fresh);
				chain_unref(&chain);
			}
		}
	}
	const struct peer_cache_stats *stats = peer_cache_stats(cache);
	CU_ASSERT_EQUAL(stats->chain_misses, 5);
	CU_ASSERT_EQUAL(stats->chain_hits, 65);
	CU_ASSERT_EQUAL(stats->verdict_hits + stats->verdict_misses, 70);
	/* Every second look at the same time at least is a hit. */
	CU_ASSERT(stats->verdict_hits >= 35);
	peer_cache_free(&cache);
	CU_ASSERT_PTR_NULL(cache);
	trust_free(&trust);
}

static void equal_chains_are_one_object(void)
{
	struct peer_cache *cache;
	struct chain *first;
	struct chain *second;
	struct chain *other;
	struct slice der[] = {pki_leaf()->der, pki_intermediate()->der};
	CU_ASSERT_EQUAL_FATAL(peer_cache_new(&cache, 4, MIB), E_OK);
	CU_ASSERT_EQUAL(peer_cache_chain(cache, &first, der, 2), E_OK);
	CU_ASSERT_EQUAL(peer_cache_chain(cache, &second, der, 2), E_OK);
	CU_ASSERT_EQUAL(peer_cache_chain(cache, &other, der, 1), E_OK);
	CU_ASSERT_PTR_EQUAL(first, second);
	CU_ASSERT_PTR_NOT_EQUAL(first, other);
	CU_ASSERT_TRUE(first->parsed);
	CU_ASSERT_EQUAL(first->refs, 3);
	peer_cache_free(&cache);
	CU_ASSERT_EQUAL(first->refs, 2);
	chain_unref(&first);
	chain_unref(&second);
	chain_unref(&other);
}

static void verdicts_of_different_trusts_stay_apart(void)
{
	struct trust *legacy = root_trust(PROFILE_LEGACY);
	struct trust *medium = root_trust(PROFILE_MEDIUM);
	struct peer_cache *cache;
	struct chain *chain;
	struct pki_spec spec = {
		.subject = "CN=weak", .issuer = pki_intermediate(), .key = PKI_RSA1024};
	struct slice der[] = {pki_make(&spec)->der, pki_intermediate()->der};
	CU_ASSERT_EQUAL_FATAL(peer_cache_new(&cache, 4, MIB), E_OK);
	CU_ASSERT_EQUAL_FATAL(peer_cache_chain(cache, &chain, der, 2), E_OK);
	for (int i = 0; i < 3; i++) {
		struct verdict *verdict;
		CU_ASSERT_EQUAL_FATAL(
			peer_cache_judge(cache, &verdict, legacy, NULL, chain, PKI_NOW), E_OK);
		CU_ASSERT_EQUAL(verdict->class, CLASS_OK);
		verdict_unref(&verdict);
		CU_ASSERT_EQUAL_FATAL(
			peer_cache_judge(cache, &verdict, medium, NULL, chain, PKI_NOW), E_OK);
		CU_ASSERT_EQUAL(verdict->class, CLASS_WEAK_ALGORITHM);
		verdict_unref(&verdict);
	}
	CU_ASSERT_EQUAL(peer_cache_stats(cache)->verdict_hits, 4);
	chain_unref(&chain);
	peer_cache_free(&cache);
	trust_free(&legacy);
	trust_free(&medium);
}

static void more_trusts_than_slots_are_judged_all_the_same(void)
{
	struct trust *trusts[PEER_CACHE_VERDICTS + 2];
	struct peer_cache *cache;
	struct chain *chain;
	struct slice der[] = {pki_leaf()->der, pki_intermediate()->der};
	CU_ASSERT_EQUAL_FATAL(peer_cache_new(&cache, 4, MIB), E_OK);
	CU_ASSERT_EQUAL_FATAL(peer_cache_chain(cache, &chain, der, 2), E_OK);
	for (int round = 0; round < 2; round++) {
		for (unsigned i = 0; i < PEER_CACHE_VERDICTS + 2; i++) {
			if (round == 0) {
				trusts[i] = pki_trust(&(struct pki_trust_spec){
					.anchors = {pki_root()}, .max_depth = i});
			}
			struct verdict *verdict;
			CU_ASSERT_EQUAL_FATAL(
				peer_cache_judge(cache, &verdict, trusts[i], NULL, chain, PKI_NOW),
				E_OK);
			CU_ASSERT_EQUAL(verdict->class, i == 0 ? CLASS_CHAIN_TOO_LONG : CLASS_OK);
			verdict_unref(&verdict);
		}
	}
	chain_unref(&chain);
	peer_cache_free(&cache);
	for (unsigned i = 0; i < PEER_CACHE_VERDICTS + 2; i++) {
		trust_free(&trusts[i]);
	}
}

static void many_distinct_chains_stay_within_the_bounds(void)
{
	struct trust *trust = root_trust(PROFILE_MEDIUM);
	struct peer_cache *by_count;
	struct peer_cache *by_bytes;
	CU_ASSERT_EQUAL_FATAL(peer_cache_new(&by_count, 10, 64 * MIB), E_OK);
	CU_ASSERT_EQUAL_FATAL(peer_cache_new(&by_bytes, 100000, 200000), E_OK);
	struct peer_cache *caches[] = {by_count, by_bytes};
	struct slice der[] = {pki_keep(pki_leaf()->der), pki_intermediate()->der};
	uint8_t *last = (uint8_t *)der[0].data + der[0].len - 1;
	for (int i = 0; i < 2000; i++) {
		/* Another signature each time: they are parsed, and all are different chains. */
		last[0] = (uint8_t)i;
		last[-1] = (uint8_t)(i >> 8);
		for (size_t k = 0; k < 2; k++) {
			struct chain *chain;
			CU_ASSERT_EQUAL_FATAL(peer_cache_chain(caches[k], &chain, der, 2), E_OK);
			if (i % 100 == 0) {
				struct verdict *verdict;
				CU_ASSERT_EQUAL_FATAL(peer_cache_judge(caches[k], &verdict, trust,
				                                       NULL, chain, PKI_NOW),
				                      E_OK);
				verdict_unref(&verdict);
			}
			chain_unref(&chain);
			CU_ASSERT(peer_cache_stats(caches[k])->entries <= (k == 0 ? 10 : 100000));
			CU_ASSERT(peer_cache_stats(caches[k])->bytes <= (k == 0 ? 64 * MIB : 200000));
		}
	}
	CU_ASSERT_EQUAL(peer_cache_stats(by_count)->entries, 10);
	CU_ASSERT(peer_cache_stats(by_bytes)->entries > 1);
	peer_cache_free(&by_count);
	peer_cache_free(&by_bytes);
	trust_free(&trust);
}

static void the_least_recently_used_goes_first(void)
{
	struct peer_cache *cache;
	struct slice certs[] = {SLICE("a"), SLICE("b"), SLICE("c")};
	CU_ASSERT_EQUAL_FATAL(peer_cache_new(&cache, 2, MIB), E_OK);
	/* a, b, a again: b is the oldest when c comes, and a is still there. */
	static const size_t order[] = {0, 1, 0, 2, 0, 1};
	static const bool hit[] = {false, false, true, false, true, false};
	uint64_t hits = 0;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		struct chain *chain;
		CU_ASSERT_EQUAL_FATAL(peer_cache_chain(cache, &chain, &certs[order[i]], 1), E_OK);
		chain_unref(&chain);
		hits += hit[i] ? 1 : 0;
		CU_ASSERT_EQUAL(peer_cache_stats(cache)->chain_hits, hits);
	}
	peer_cache_free(&cache);
}

static void what_is_too_large_is_judged_but_not_kept(void)
{
	struct trust *trust = root_trust(PROFILE_MEDIUM);
	struct peer_cache *cache;
	struct chain *chain;
	struct verdict *verdict;
	struct slice der[] = {pki_leaf()->der, pki_intermediate()->der};
	CU_ASSERT_EQUAL_FATAL(peer_cache_new(&cache, 10, 100), E_OK);
	CU_ASSERT_EQUAL_FATAL(peer_cache_chain(cache, &chain, der, 2), E_OK);
	CU_ASSERT_EQUAL(chain->refs, 1);
	CU_ASSERT_EQUAL_FATAL(peer_cache_judge(cache, &verdict, trust, NULL, chain, PKI_NOW), E_OK);
	CU_ASSERT_EQUAL(verdict->class, CLASS_OK);
	CU_ASSERT_EQUAL(verdict->refs, 1);
	CU_ASSERT_EQUAL(peer_cache_stats(cache)->entries, 0);
	verdict_unref(&verdict);
	chain_unref(&chain);
	peer_cache_free(&cache);
	trust_free(&trust);
}

static const struct unit_test tests[] = {
	{"a cached verdict is the one a fresh judge gives",
         a_cached_verdict_is_the_one_a_fresh_judge_gives},
	{"equal chains are one object", equal_chains_are_one_object},
	{"verdicts of different trusts stay apart", verdicts_of_different_trusts_stay_apart},
	{"more trusts than slots are judged all the same",
         more_trusts_than_slots_are_judged_all_the_same},
	{"many distinct chains stay within the bounds", many_distinct_chains_stay_within_the_bounds},
	{"the least recently used goes first", the_least_recently_used_goes_first},
	{"what is too large is judged but not kept", what_is_too_large_is_judged_but_not_kept},
};

int main(void)
{
	int code = unit_run("peer/cache", tests, sizeof(tests) / sizeof(tests[0]));
	pki_release();
	return code;
}
