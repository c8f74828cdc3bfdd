/* Any bytes of a responder are read within their bounds, and refused with a sentence or taken; what is taken as good OpenSSL verifies, too,
 * and has nothing graver about the certificate. A verdict with an answer is never milder than without. */
#include <openssl/ocsp.h>
#include <time.h>

#include "chain_check.h"
#include "der_tree.h"
#include "peer/classify.h"
#include "peer/ocsp.h"
#include "x509_mutate.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	return x509_mutate(data, size, max_size, seed);
}

/* Made once. */
static struct world {
	X509 *leaf;
	X509 *issuer;
	X509_STORE *store; /* trusts the issuer, at FUZZ_NOW */
	struct chain *chain;
	struct verdict *good; /* without an answer */
	struct verdict *bad;  /* expired by then */
	int64_t later_s;
} world;

static void must(bool done)
{
	BUG_IF(!done);
}

static X509 *read_theirs(enum fuzz_cert cert)
{
	struct slice der = fuzz_cert(cert);
	const unsigned char *p = der.data;
	X509 *x = d2i_X509(NULL, &p, (long)der.len);
	must(x != NULL);
	return x;
}

static void make_world(void)
{
	if (world.chain != NULL) {
		return;
	}
	world.leaf = read_theirs(FUZZ_CLIENT);
	world.issuer = read_theirs(FUZZ_INTERMEDIATE);
	world.store = X509_STORE_new();
	must(world.store != NULL && X509_STORE_add_cert(world.store, world.issuer) == 1);
	X509_VERIFY_PARAM *param = X509_STORE_get0_param(world.store);
	X509_VERIFY_PARAM_set_time(param, FUZZ_NOW);
	must(X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN) == 1);
	const struct slice der[] = {fuzz_cert(FUZZ_CLIENT), fuzz_cert(FUZZ_INTERMEDIATE)};
	must(chain_new(&world.chain, der, 2) == E_OK);
	const struct fuzz_trust *trust = &fuzz_trusts()[FUZZ_TRUST_MEDIUM];
	must(peer_judge(&world.good, trust->trust, NULL, world.chain, FUZZ_NOW) == E_OK);
	must(world.good->class == CLASS_OK);
	world.later_s = world.chain->certs[0].not_after_s + 1;
	must(peer_judge(&world.bad, trust->trust, NULL, world.chain, world.later_s) == E_OK);
	must(world.bad->class == CLASS_EXPIRED);
}

/* --- against OpenSSL --- */

static bool is_about_leaf(const OCSP_CERTID *id)
{
	bool found = false;
	for (int i = 0; i < 2 && !found; i++) {
		OCSP_CERTID *ours = OCSP_cert_to_id(i == 0 ? EVP_sha1() : EVP_sha256(), world.leaf,
		                                    world.issuer);
		must(ours != NULL);
		found = OCSP_id_cmp(ours, id) == 0;
		OCSP_CERTID_free(ours);
	}
	return found;
}

/* Are all entries about certificates of the leaf's issuer, as far as their hashes go? */
static bool is_of_one_issuer(OCSP_BASICRESP *basic)
{
	const OCSP_CERTID *first = NULL;
	for (int i = 0; i < OCSP_resp_count(basic); i++) {
		const OCSP_CERTID *id = OCSP_SINGLERESP_get0_id(OCSP_resp_get0(basic, i));
		if (first != NULL && OCSP_id_issuer_cmp(first, id) != 0) {
			return false;
		}
		first = id;
	}
	return true;
}

/* In an answer that may be out of date, too. */
static bool says(OCSP_BASICRESP *basic, int wanted)
{
	for (int i = 0; i < OCSP_resp_count(basic); i++) {
		OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);
		if (is_about_leaf(OCSP_SINGLERESP_get0_id(single)) &&
		    OCSP_single_get0_status(single, NULL, NULL, NULL, NULL) == wanted) {
			return true;
		}
	}
	return false;
}

static bool is_cert(struct der_tree *tree, unsigned node)
{
	struct buf der;
	buf_init(&der, OCSP_ANSWER_BYTES_MAX);
	der_tree_write(tree, node, &der);
	const unsigned char *p = der.data;
	X509 *x = d2i_X509(NULL, &p, (long)der.len);
	X509_free(x);
	buf_release(&der);
	return x != NULL;
}

/* Without the certificates that OpenSSL cannot read: we look at none that did not sign, and they are not signed themselves. */
static void write_readable(struct buf *out, struct slice bytes)
{
	static struct der_tree tree;
	der_tree_init(&tree, bytes);
	/* OCSPResponse, [0], ResponseBytes, OCTET STRING, BasicOCSPResponse, [0], SEQUENCE */
	static const size_t way[] = {0, 1, 0, 1, 0, 3, 0};
	unsigned node = 0;
	for (size_t i = 0; i < sizeof(way) / sizeof(way[0]); i++) {
		node = i > 0 && node == 0 ? 0 : der_tree_child(&tree, node, way[i]);
	}
	unsigned *link = &tree.nodes[node].child;
	while (node != 0 && tree.nodes[node].parent && *link != 0) {
		if (is_cert(&tree, *link)) {
			link = &tree.nodes[*link].next;
		} else {
			*link = tree.nodes[*link].next;
		}
	}
	der_tree_write_all(&tree, out);
	der_tree_release(&tree);
}

static void check_against_openssl(const struct ocsp_answer *answer, struct slice bytes)
{
	struct buf readable;
	buf_init(&readable, OCSP_ANSWER_BYTES_MAX);
	write_readable(&readable, bytes);
	BUG_IF(readable.err != E_OK);
	const unsigned char *p = readable.data;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &p, (long)readable.len);
	BUG_IF(response == NULL || p != readable.data + readable.len);
	BUG_IF(OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL);
	OCSP_BASICRESP *basic = OCSP_response_get1_basic(response);
	BUG_IF(basic == NULL);
	static const int statuses[] = {
		[REVOCATION_GOOD] = V_OCSP_CERTSTATUS_GOOD,
		[REVOCATION_REVOKED] = V_OCSP_CERTSTATUS_REVOKED,
		[REVOCATION_UNKNOWN] = V_OCSP_CERTSTATUS_UNKNOWN,
	};
	BUG_IF(!says(basic, statuses[answer->status]));
	if (answer->status == REVOCATION_GOOD) {
		STACK_OF(X509) *certs = sk_X509_new_null();
		must(certs != NULL && sk_X509_push(certs, world.issuer) > 0);
		/* About several issuers it believes nobody who is no issuer of all (README.md); the
		 * signature has to be good all the same. */
		unsigned long flags = is_of_one_issuer(basic) ? 0 : OCSP_NOVERIFY;
		BUG_IF(OCSP_basic_verify(basic, certs, world.store, flags) != 1);
		sk_X509_free(certs);
		BUG_IF(says(basic, V_OCSP_CERTSTATUS_REVOKED));
	}
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	buf_release(&readable);
}

/* --- with a verdict --- */

static void check_verdict(const struct verdict *base, const struct ocsp_answer *answer, bool hard,
                          int64_t now_s)
{
	struct verdict *verdict;
	BUG_IF(ocsp_verdict(&verdict, base, answer, hard, NULL, now_s) != E_OK);
	chain_check_verdict(verdict, &fuzz_trusts()[FUZZ_TRUST_MEDIUM], world.chain, now_s);
	bool good = answer != NULL && answer->status == REVOCATION_GOOD;
	bool current = answer != NULL && answer->until_s > now_s &&
	               answer->this_update_s - OCSP_SKEW_S <= now_s;
	bool revoked = current && answer->status == REVOCATION_REVOKED;
	if (base->class != CLASS_OK || revoked || (hard && !(good && current))) {
		BUG_IF(verdict->class == CLASS_OK);
	} else {
		BUG_IF(verdict->class != CLASS_OK);
	}
	BUG_IF(verdict->finding_count < base->finding_count);
	BUG_IF(verdict->holds_from_s < base->holds_from_s);
	BUG_IF(verdict->holds_until_s > base->holds_until_s);
	BUG_IF(current && verdict->holds_until_s > answer->until_s);
	verdict_unref(&verdict);
}

static void check_verdicts(const struct ocsp_answer *answer)
{
	for (int hard = 0; hard < 2; hard++) {
		check_verdict(world.good, answer, hard != 0, FUZZ_NOW);
		check_verdict(world.bad, answer, hard != 0, world.later_s);
	}
	BUG_IF(world.good->refs != 1 || world.good->class != CLASS_OK);
}

static int read(struct ocsp_answer *out, struct slice bytes, const uint8_t *nonce,
                enum profile profile)
{
	const char *why = NULL;
	int err = ocsp_read(out, bytes, fuzz_cert(FUZZ_CLIENT), fuzz_cert(FUZZ_INTERMEDIATE), nonce,
	                    profile, FUZZ_NOW, &why);
	BUG_IF((err == E_OK) != (why == NULL) || (err != E_OK && err != E_INVALID));
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* That of the seeds. */
	static const uint8_t nonce[OCSP_NONCE_BYTES] = {1, 2, 3};
	uint8_t *copy = fuzz_copy(data, size);
	struct slice bytes = slice_of(copy, size);
	struct ocsp_answer answer = {0};
	struct ocsp_answer other = {0};
	make_world();
	int err = read(&answer, bytes, NULL, PROFILE_LEGACY);
	if (err == E_OK) {
		BUG_IF(answer.until_s <= FUZZ_NOW || answer.reason > 10);
		BUG_IF(answer.this_update_s - OCSP_SKEW_S > FUZZ_NOW);
		check_against_openssl(&answer, bytes);
	}
	check_verdicts(err == E_OK ? &answer : NULL);
	/* More is asked of it: never taken then, or with another meaning, if it was not before. */
	for (int i = 0; i < 3; i++) {
		int stricter = read(&other, bytes, i == 0 ? nonce : NULL,
		                    i == 1 ? PROFILE_MEDIUM : PROFILE_HIGH);
		BUG_IF(stricter == E_OK && (err != E_OK || other.status != answer.status ||
		                            other.until_s != answer.until_s));
	}
	free(copy);
	return 0;
}
