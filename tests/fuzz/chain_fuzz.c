/* Any chain gives a verdict within the limits, the same one fresh, cached and at every second that it claims to hold for; a
 * stricter trust lets nobody in whom a laxer one keeps out, and neither the order of issuers nor a stranger among them
 * keeps out who was in. */
#include <strings.h>

#include "chain_check.h"
#include "peer/cache.h"
#include "peer/classify.h"
#include "peer/ocsp.h"
#include "x509_mutate.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	return chain_mutate(data, size, max_size, seed);
}

static struct verdict *judge(const struct fuzz_trust *trust, struct chain *chain, int64_t now_s)
{
	struct verdict *verdict;
	BUG_IF(peer_judge(&verdict, trust->trust, trust->lists, chain, now_s) != E_OK);
	chain_check_verdict(verdict, trust, chain, now_s);
	return verdict;
}

static void check_moment(const struct fuzz_trust *trust, struct chain *chain,
                         const struct verdict *now, int64_t at)
{
	struct verdict *then = judge(trust, chain, at);
	chain_check_same(now, then, true);
	verdict_unref(&then);
}

/* The first and the last second that it holds for, as far as clocks go. */
static void check_interval(const struct fuzz_trust *trust, struct chain *chain,
                           const struct verdict *verdict)
{
	if (verdict->holds_from_s != INT64_MIN) {
		check_moment(trust, chain, verdict, verdict->holds_from_s);
	}
	if (verdict->holds_until_s != INT64_MAX) {
		check_moment(trust, chain, verdict, verdict->holds_until_s - 1);
	}
}

static void check_cached(const struct fuzz_trust *trust, const struct chain *chain,
                         const struct verdict *fresh)
{
	static struct peer_cache *cache;
	if (cache == NULL) {
		BUG_IF(peer_cache_new(&cache, 8, 1 << 20) != E_OK);
	}
	struct slice der[CHAIN_FILE_MAX];
	struct chain *shared;
	for (size_t i = 0; i < chain->count; i++) {
		der[i] = chain->certs[i].der;
	}
	BUG_IF(peer_cache_chain(cache, &shared, der, chain->count) != E_OK);
	for (int i = 0; i < 2; i++) {
		struct verdict *cached;
		BUG_IF(peer_cache_judge(cache, &cached, trust->trust, trust->lists, shared,
		                        FUZZ_NOW) != E_OK);
		chain_check_same(fresh, cached, true);
		verdict_unref(&cached);
	}
	const struct peer_cache_stats *stats = peer_cache_stats(cache);
	BUG_IF(stats->entries > 8 || stats->bytes > 1 << 20);
	chain_unref(&shared);
}

/* The issuers the other way round, and a stranger behind them (RFC 8446 4.4.2). More work is no change of mind. */
static void check_order(const struct fuzz_trust *trust, const struct chain *chain)
{
	struct slice der[CHAIN_FILE_MAX + 1];
	struct chain *other;
	der[0] = chain->certs[0].der;
	for (size_t i = 1; i < chain->count; i++) {
		der[i] = chain->certs[chain->count - i].der;
	}
	der[chain->count] = fuzz_cert(FUZZ_STRANGER);
	BUG_IF(chain_new(&other, der, chain->count + 1) != E_OK);
	struct verdict *verdict = judge(trust, other, FUZZ_NOW);
	BUG_IF(verdict->class != CLASS_OK && verdict->class != CLASS_LIMIT_EXCEEDED);
	verdict_unref(&verdict);
	chain_unref(&other);
}

/* What is asked about a certificate is made of it. */
static void check_ocsp(const struct chain *chain)
{
	char url[2048];
	struct ocsp_id id;
	struct buf request;
	struct slice leaf = chain->certs[0].der;
	struct slice issuer = chain->count > 1 ? chain->certs[1].der : fuzz_cert(FUZZ_INTERMEDIATE);
	buf_init(&request, 1 << 20);
	if (ocsp_url(url, sizeof(url), leaf)) {
		BUG_IF(strncasecmp(url, "http", 4) != 0 || strlen(url) > 2000);
		for (const char *c = url; *c != '\0'; c++) {
			BUG_IF(*c <= ' ' || *c >= 0x7f || *c == '\\');
		}
	}
	bool named = ocsp_id(&id, leaf, issuer) == E_OK;
	bool asked = ocsp_request(&request, leaf, issuer, NULL) == E_OK;
	BUG_IF(chain->certs[0].parsed && chain->count > 1 && chain->certs[1].parsed && !named);
	BUG_IF(asked && request.len == 0);
	buf_release(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct fuzz_trust *trusts = fuzz_trusts();
	struct verdict *verdicts[FUZZ_TRUST_COUNT];
	struct chain_input in;
	chain_input_read(&in, data, size);
	struct chain *chain = chain_check_new(&in, data, size);
	if (chain == NULL) {
		return 0;
	}
	BUG_IF(chain_parse(chain) != E_OK);
	chain_check_evidence(chain);
	check_ocsp(chain);
	for (size_t i = 0; i < FUZZ_TRUST_COUNT; i++) {
		verdicts[i] = judge(&trusts[i], chain, FUZZ_NOW);
	}
	for (size_t i = 0; i < FUZZ_TRUST_COUNT; i++) {
		enum peer_class laxer = verdicts[trusts[i].laxer]->class;
		BUG_IF(verdicts[i]->class == CLASS_OK && laxer != CLASS_OK &&
		       laxer != CLASS_LIMIT_EXCEEDED);
	}
	BUG_IF(verdicts[FUZZ_TRUST_NONE]->class == CLASS_OK);
	/* The rest costs too much for all of them. */
	size_t one = in.how % FUZZ_TRUST_COUNT;
	check_interval(&trusts[one], chain, verdicts[one]);
	check_cached(&trusts[one], chain, verdicts[one]);
	if (verdicts[one]->class == CLASS_OK && chain->count < CHAIN_FILE_MAX) {
		check_order(&trusts[one], chain);
	}
	for (size_t i = 0; i < FUZZ_TRUST_COUNT; i++) {
		verdict_unref(&verdicts[i]);
	}
	chain_unref(&chain);
	return 0;
}
