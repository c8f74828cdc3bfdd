#include "peer/cache.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "tests/unit/peer/crl_pki.h"
#include "tests/unit/peer/pki.h"
#include "unit.h"

#define MIB (1U << 20)

static struct trust *root_trust(enum profile profile)
{
	return pki_trust(&(struct pki_trust_spec){
		.anchors = {pki_root()}, .profile = profile, .max_depth = 4});
}

static bool same_text(const char *a, const char *b)
{
	return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

static bool same_revocation(const struct revocation *a, const struct revocation *b)
{
	return a->checked == b->checked && a->source == b->source && a->status == b->status &&
	       strcmp(a->number, b->number) == 0 && a->this_update_s == b->this_update_s &&
	       a->next_update_s == b->next_update_s;
}

static bool same_verdict(const struct verdict *a, const struct verdict *b)
{
	bool same = a->class == b->class && a->code == b->code && a->depth == b->depth &&
	            a->finding_count == b->finding_count && a->holds_from_s == b->holds_from_s &&
	            a->holds_until_s == b->holds_until_s && a->path_count == b->path_count &&
	            a->signature_checks == b->signature_checks &&
	            a->name_comparisons == b->name_comparisons &&
	            same_revocation(&a->revocation, &b->revocation) &&
	            same_text(a->anchor_file, b->anchor_file);
	for (size_t i = 0; same && i < a->finding_count; i++) {
		same = a->findings[i].class == b->findings[i].class &&
		       a->findings[i].depth == b->findings[i].depth &&
		       a->findings[i].code == b->findings[i].code &&
		       a->findings[i].at_s == b->findings[i].at_s &&
		       same_text(a->findings[i].detail, b->findings[i].detail);
	}
	for (size_t i = 0; same && i < a->path_count; i++) {
		same = strcmp(a->path[i].subject, b->path[i].subject) == 0 &&
		       memcmp(a->path[i].sha256, b->path[i].sha256, 32) == 0;
	}
	return same;
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

/* --- cached, fresh, and at any other time that a verdict says it holds --- */

#define SPAN_S 60 /* every date of these certificates and CRLs is this near to PKI_NOW */
#define CHAINS 8
#define SETS 12

/* xorshift32: the same numbers in each run. */
static uint32_t random_state = 2463534242U;

static uint32_t random_below(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % n;
}

static int64_t random_time(void)
{
	return PKI_NOW - SPAN_S + (int64_t)random_below(2 * SPAN_S + 1);
}

struct world {
	const struct pki_cert *roots[2];
	const struct pki_cert *
		cas[3]; /* of one name and key: by either root, and by the first with other dates */
	const struct pki_cert *leaves[CHAINS];
	struct slice chains[CHAINS][4];
	size_t lengths[CHAINS];
	struct trust *trusts[SETS];
	struct lists *lists[SETS];
};

static void make_chains(struct world *w)
{
	w->roots[0] = crl_pki_ca("CN=World 1", PKI_P256_A, NULL);
	w->roots[1] = crl_pki_ca("CN=World 2", PKI_P256_D, NULL);
	for (size_t i = 0; i < 3; i++) {
		struct pki_spec spec = {.subject = "CN=World CA",
		                        .key = PKI_P256_B,
		                        .issuer = w->roots[i % 2],
		                        .ca = true,
		                        .key_usage = GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN};
		spec.not_after = i == 2 ? 0 : random_time();
		spec.not_before = i == 2 ? random_time() : 0;
		w->cas[i] = pki_make(&spec);
	}
	for (size_t i = 0; i < CHAINS; i++) {
		struct pki_spec spec = {.subject = "CN=client",
		                        .key = PKI_P256_C,
		                        .issuer = i == 6 ? NULL : w->cas[0],
		                        .wrong_signature = i == 7};
		spec.not_before = i % 3 == 1 ? random_time() : 0;
		spec.not_after = i % 3 == 2 ? random_time() : 0;
		w->leaves[i] = pki_make(&spec);
		w->lengths[i] = 0;
		w->chains[i][w->lengths[i]++] = w->leaves[i]->der;
		for (size_t k = 0; k < 3; k++) {
			if (k == 0 || random_below(3) > 0) {
				w->chains[i][w->lengths[i]++] = w->cas[(k + i) % 3]->der;
			}
		}
	}
}

static struct slice random_crl(const struct pki_cert *issuer, const struct pki_cert *const *certs,
                               size_t count)
{
	int64_t from = random_time();
	struct crl_pki_spec spec = {
		.issuer = issuer,
		.this_update = from,
		.next_update = random_below(4) == 0 ? CRL_PKI_NONE : from + random_below(SPAN_S),
		.entries = {{.serial = crl_pki_read(certs[random_below((uint32_t)count)])->serial}},
	};
	return crl_pki_make(&spec);
}

static struct slice random_list(const struct world *w)
{
	const struct cert *cert = crl_pki_read(w->leaves[random_below(CHAINS)]);
	char line[80] = "spki ";
	for (size_t i = 0; i < 32; i++) {
		snprintf(line + 5 + 2 * i, 3, "%02x", cert->spki_sha256[i]);
	}
	return random_below(2) == 0 ? pki_pem(cert->der) : pki_keep(slice_text(line));
}

static void make_sets(struct world *w)
{
	for (size_t i = 0; i < SETS; i++) {
		bool pinned = i % 6 == 5;
		struct pki_trust_spec trust = {.pinned = pinned, .profile = PROFILE_MEDIUM};
		trust.max_depth = 4;
		if (!pinned) {
			trust.anchors[0] = w->roots[random_below(2)];
			trust.anchors[1] = random_below(2) == 0 ? w->roots[0] : w->roots[1];
			trust.issuers[0] = random_below(4) == 0 ? w->cas[1] : NULL;
			trust.limits.signature_checks = random_below(3) == 0 ? 6 : 0;
		}
		w->trusts[i] = pki_trust(&trust);
		struct pki_lists_spec lists = {.revocation = REVOCATION_OFF};
		if (!pinned && random_below(4) > 0) {
			lists.revocation = random_below(2) == 0 ? REVOCATION_SOFT : REVOCATION_HARD;
			lists.scope = random_below(2) == 0 ? REVOCATION_PATH : REVOCATION_LEAF;
			lists.crls[0] = random_crl(w->cas[0], w->leaves, CHAINS);
			lists.crls[1] = random_crl(w->roots[0], w->cas, 3);
			lists.crls[2] = random_crl(w->cas[0], w->leaves, CHAINS);
			lists.crls[3] = random_crl(w->roots[1], w->cas, 3);
		}
		if (pinned || random_below(4) == 0) {
			lists.allow[0] = random_list(w);
		}
		if (random_below(4) == 0) {
			lists.deny[0] = random_list(w);
		}
		w->lists[i] = random_below(8) == 0 ? NULL : pki_lists(w->trusts[i], &lists);
	}
}

/* A time at which the verdict says that it holds as well. */
static int64_t time_within(const struct verdict *verdict)
{
	int64_t from = verdict->holds_from_s;
	int64_t last = verdict->holds_until_s == INT64_MAX ? INT64_MAX : verdict->holds_until_s - 1;
	int64_t inside = random_time();
	switch (random_below(3)) {
	case 0:
		return from;
	case 1:
		return last;
	default:
		return inside < from ? from : inside > last ? last : inside;
	}
}

static void cached_verdicts_are_fresh_whatever_lists_say_and_time_it_is(void)
{
	struct world w;
	struct peer_cache *cache;
	unsigned classes[CLASS_COUNT] = {0};
	make_chains(&w);
	make_sets(&w);
	CU_ASSERT_EQUAL_FATAL(peer_cache_new(&cache, 5, MIB), E_OK);
	unsigned differ = 0;
	unsigned changes = 0;
	for (int i = 0; i < 1500; i++) {
		size_t c = random_below(CHAINS);
		size_t s = random_below(SETS);
		int64_t now_s = random_time();
		struct chain *chain;
		struct verdict *cached;
		struct verdict *fresh;
		struct verdict *later;
		CU_ASSERT_EQUAL_FATAL(peer_cache_chain(cache, &chain, w.chains[c], w.lengths[c]),
		                      E_OK);
		CU_ASSERT_EQUAL_FATAL(
			peer_cache_judge(cache, &cached, w.trusts[s], w.lists[s], chain, now_s),
			E_OK);
		CU_ASSERT_EQUAL_FATAL(peer_judge(&fresh, w.trusts[s], w.lists[s], chain, now_s),
		                      E_OK);
		CU_ASSERT_EQUAL_FATAL(
			peer_judge(&later, w.trusts[s], w.lists[s], chain, time_within(fresh)),
			E_OK);
		differ += same_verdict(cached, fresh) && same_verdict(fresh, later) ? 0 : 1;
		changes += fresh->holds_until_s < PKI_NOW + SPAN_S ? 1 : 0;
		classes[fresh->class]++;
		verdict_unref(&cached);
		verdict_unref(&fresh);
		verdict_unref(&later);
		chain_unref(&chain);
	}
	CU_ASSERT_EQUAL(differ, 0);
	/* The world is one in which something happens. */
	CU_ASSERT(changes > 200);
	CU_ASSERT(peer_cache_stats(cache)->verdict_hits > 20);
	static const enum peer_class seen[] = {CLASS_OK,
	                                       CLASS_REVOKED,
	                                       CLASS_REVOCATION_UNKNOWN,
	                                       CLASS_EXPIRED,
	                                       CLASS_SELF_SIGNED,
	                                       CLASS_NOT_ALLOWLISTED,
	                                       CLASS_BAD_SIGNATURE,
	                                       CLASS_NOT_YET_VALID};
	for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
		CU_ASSERT(classes[seen[i]] > 0);
		if (classes[seen[i]] == 0) {
			printf("\n    never %s", peer_class_row(seen[i])->name);
		}
	}
	peer_cache_free(&cache);
	for (size_t i = 0; i < SETS; i++) {
		lists_unref(&w.lists[i]);
		trust_free(&w.trusts[i]);
	}
}

static void verdicts_by_different_lists_stay_apart(void)
{
	struct trust *trust = root_trust(PROFILE_MEDIUM);
	struct pki_lists_spec denied = {.deny = {pki_pem(pki_leaf()->der)}};
	struct lists *sets[] = {
		NULL, pki_lists(trust, &(struct pki_lists_spec){.revocation = REVOCATION_OFF}),
		pki_lists(trust, &denied)};
	static const enum peer_class classes[] = {CLASS_OK, CLASS_OK, CLASS_DENYLISTED};
	struct peer_cache *cache;
	struct chain *chain;
	struct slice der[] = {pki_leaf()->der, pki_intermediate()->der};
	CU_ASSERT_EQUAL_FATAL(peer_cache_new(&cache, 4, MIB), E_OK);
	CU_ASSERT_EQUAL_FATAL(peer_cache_chain(cache, &chain, der, 2), E_OK);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < 3; i++) {
			struct verdict *verdict;
			CU_ASSERT_EQUAL_FATAL(
				peer_cache_judge(cache, &verdict, trust, sets[i], chain, PKI_NOW),
				E_OK);
			CU_ASSERT_EQUAL(verdict->class, classes[i]);
			verdict_unref(&verdict);
		}
	}
	CU_ASSERT_EQUAL(peer_cache_stats(cache)->verdict_hits, 3);
	CU_ASSERT_EQUAL(peer_cache_stats(cache)->verdict_misses, 3);
	/* A new set of the same content is the same one: what was judged by it goes on. */
	struct lists *again = pki_lists(trust, &denied);
	struct verdict *verdict;
	CU_ASSERT_EQUAL_FATAL(peer_cache_judge(cache, &verdict, trust, again, chain, PKI_NOW), E_OK);
	CU_ASSERT_EQUAL(peer_cache_stats(cache)->verdict_hits, 4);
	verdict_unref(&verdict);
	lists_unref(&again);
	lists_unref(&sets[1]);
	lists_unref(&sets[2]);
	chain_unref(&chain);
	peer_cache_free(&cache);
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
	{"cached verdicts are fresh, whatever lists say and time it is",
         cached_verdicts_are_fresh_whatever_lists_say_and_time_it_is},
	{"verdicts by different lists stay apart", verdicts_by_different_lists_stay_apart},
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
	crl_pki_release();
	return code;
}
