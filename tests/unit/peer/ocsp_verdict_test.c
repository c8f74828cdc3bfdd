#include "base/err.h"
#include "pki.h"
#include "unit.h"

#include <string.h>

#include "peer/ocsp.h"

static struct chain *chain_of(const struct pki_cert *const *certs)
{
	struct slice der[8];
	size_t count = 0;
	while (certs[count] != NULL) {
		der[count] = certs[count]->der;
		count++;
	}
	struct chain *chain;
	CU_ASSERT_EQUAL_FATAL(chain_new(&chain, der, count), E_OK);
	return chain;
}

static struct trust *usual_trust(void)
{
	return pki_trust(&(struct pki_trust_spec){.anchors = {pki_root()}, .max_depth = 4});
}

/* Of leaf and intermediate. */
static struct verdict *usual_verdict(struct trust *trust, int64_t now_s)
{
	return pki_judge_certs(
		trust, (const struct pki_cert *const[]){pki_leaf(), pki_intermediate(), NULL},
		now_s);
}

static struct ocsp_answer answer_of(enum revocation_status status)
{
	return (struct ocsp_answer){
		.status = status,
		.this_update_s = PKI_NOW - 100,
		.next_update_s = PKI_NOW + 1000,
		.until_s = PKI_NOW + 1001,
		.revoked_at_s = status == REVOCATION_REVOKED ? PKI_NOW - 5000 : 0,
		.reason = status == REVOCATION_REVOKED ? 1 : 0,
	};
}

static void the_issuer_is_found_in_the_chain_or_among_the_anchors(void)
{
	struct trust *trust = usual_trust();
	struct chain *chain = chain_of(
		(const struct pki_cert *const[]){pki_leaf(), pki_root(), pki_intermediate(), NULL});
	struct verdict *verdict;
	CU_ASSERT_EQUAL_FATAL(peer_judge(&verdict, trust, NULL, chain, PKI_NOW), E_OK);
	CU_ASSERT_EQUAL(verdict->class, CLASS_OK);
	CU_ASSERT_TRUE(slice_equal(ocsp_issuer(verdict, trust, chain), pki_intermediate()->der));
	verdict_unref(&verdict);
	chain_unref(&chain);
	trust_free(&trust);

	trust = pki_trust(&(struct pki_trust_spec){.anchors = {pki_root(), pki_intermediate()}});
	chain = chain_of((const struct pki_cert *const[]){pki_leaf(), NULL});
	CU_ASSERT_EQUAL_FATAL(peer_judge(&verdict, trust, NULL, chain, PKI_NOW), E_OK);
	CU_ASSERT_EQUAL(verdict->class, CLASS_OK);
	CU_ASSERT_TRUE(slice_equal(ocsp_issuer(verdict, trust, chain), pki_intermediate()->der));
	verdict_unref(&verdict);
	chain_unref(&chain);
	trust_free(&trust);
}

static void without_an_anchored_issuer_there_is_none(void)
{
	struct pki_spec self = {.subject = "CN=self", .key = PKI_P256_D};
	const struct pki_cert *leaf = pki_make(&self);
	struct trust *trust = pki_trust(&(struct pki_trust_spec){.anchors = {leaf}});
	struct chain *chain = chain_of((const struct pki_cert *const[]){leaf, NULL});
	struct verdict *verdict;
	CU_ASSERT_EQUAL_FATAL(peer_judge(&verdict, trust, NULL, chain, PKI_NOW), E_OK);
	CU_ASSERT_EQUAL(verdict->path_count, 1);
	CU_ASSERT_EQUAL(ocsp_issuer(verdict, trust, chain).len, 0);
	verdict_unref(&verdict);
	chain_unref(&chain);

	chain = chain_of((const struct pki_cert *const[]){pki_leaf(), pki_intermediate(), NULL});
	CU_ASSERT_EQUAL_FATAL(peer_judge(&verdict, trust, NULL, chain, PKI_NOW), E_OK);
	CU_ASSERT_EQUAL(verdict->class, CLASS_UNKNOWN_ISSUER);
	CU_ASSERT_EQUAL(ocsp_issuer(verdict, trust, chain).len, 0);
	verdict_unref(&verdict);
	chain_unref(&chain);
	trust_free(&trust);
}

static void a_good_answer_leaves_the_class_and_tells_where_it_is_from(void)
{
	struct trust *trust = usual_trust();
	struct verdict *base = usual_verdict(trust, PKI_NOW);
	struct ocsp_answer answer = answer_of(REVOCATION_GOOD);
	struct verdict *verdict;
	CU_ASSERT_EQUAL_FATAL(ocsp_verdict(&verdict, base, &answer, true, "unused", PKI_NOW), E_OK);
	CU_ASSERT_PTR_NOT_EQUAL(verdict, base);
	CU_ASSERT_EQUAL(verdict->class, CLASS_OK);
	CU_ASSERT_EQUAL(verdict->code, 0);
	CU_ASSERT_EQUAL(verdict->finding_count, 0);
	CU_ASSERT_TRUE(verdict->revocation.checked);
	CU_ASSERT_EQUAL(verdict->revocation.source, REVOCATION_SOURCE_OCSP);
	CU_ASSERT_EQUAL(verdict->revocation.status, REVOCATION_GOOD);
	CU_ASSERT_EQUAL(verdict->revocation.this_update_s, answer.this_update_s);
	CU_ASSERT_EQUAL(verdict->revocation.next_update_s, answer.next_update_s);
	CU_ASSERT_FALSE(base->revocation.checked);
	verdict_unref(&base);
	verdict_unref(&verdict);
	trust_free(&trust);
}

static void a_verdict_is_a_copy_of_its_own(void)
{
	struct trust *trust = usual_trust();
	struct verdict *base = usual_verdict(trust, PKI_NOW);
	struct ocsp_answer answer = answer_of(REVOCATION_GOOD);
	struct verdict *verdict;
	verdict_ref(base);
	CU_ASSERT_EQUAL_FATAL(ocsp_verdict(&verdict, base, &answer, true, NULL, PKI_NOW), E_OK);
	CU_ASSERT_EQUAL(verdict->refs, 1);
	CU_ASSERT_EQUAL(base->refs, 2);
	CU_ASSERT_EQUAL(verdict->path_count, base->path_count);
	CU_ASSERT_PTR_NOT_EQUAL(verdict->path[0].subject, base->path[0].subject);
	CU_ASSERT_PTR_NOT_EQUAL(verdict->anchor_file, base->anchor_file);
	struct verdict *second = base;
	verdict_unref(&second);
	verdict_unref(&base);
	CU_ASSERT_STRING_EQUAL(verdict->path[0].subject, "CN=client,O=Test");
	CU_ASSERT_STRING_EQUAL(verdict->path[2].subject, "CN=Root,O=Test");
	CU_ASSERT_TRUE(strlen(verdict->anchor_file) > 0);
	verdict_unref(&verdict);
	trust_free(&trust);
}

static void revoked_goes_before_whatever_is_milder(void)
{
	struct trust *trust = usual_trust();
	int64_t late = pki_leaf()->not_after + 10;
	struct verdict *base = usual_verdict(trust, late);
	CU_ASSERT_EQUAL_FATAL(base->class, CLASS_EXPIRED);
	struct ocsp_answer answer = answer_of(REVOCATION_REVOKED);
	answer.this_update_s = late - 100;
	answer.next_update_s = late + 1000;
	answer.until_s = late + 1001;
	for (int hard = 0; hard < 2; hard++) {
		struct verdict *verdict;
		CU_ASSERT_EQUAL_FATAL(ocsp_verdict(&verdict, base, &answer, hard != 0, NULL, late),
		                      E_OK);
		CU_ASSERT_EQUAL(verdict->class, CLASS_REVOKED);
		CU_ASSERT_EQUAL(verdict->code, 23);
		CU_ASSERT_EQUAL(verdict->depth, 0);
		CU_ASSERT_EQUAL(verdict->finding_count, base->finding_count + 1);
		CU_ASSERT_EQUAL(verdict->findings[0].at_s, answer.revoked_at_s);
		CU_ASSERT_STRING_EQUAL(verdict->findings[0].detail, "key compromise");
		CU_ASSERT_EQUAL(verdict->findings[1].class, CLASS_EXPIRED);
		CU_ASSERT_EQUAL(verdict->revocation.status, REVOCATION_REVOKED);
		CU_ASSERT_EQUAL(base->class, CLASS_EXPIRED);
		verdict_unref(&verdict);
	}
	verdict_unref(&base);
	trust_free(&trust);
}

static void what_nobody_knows_is_refused_when_hard_alone(void)
{
	struct trust *trust = usual_trust();
	struct verdict *base = usual_verdict(trust, PKI_NOW);
	struct ocsp_answer unknown = answer_of(REVOCATION_UNKNOWN);
	struct ocsp_answer old = answer_of(REVOCATION_GOOD);
	struct ocsp_answer early = answer_of(REVOCATION_GOOD);
	old.until_s = PKI_NOW;
	early.this_update_s = PKI_NOW + OCSP_SKEW_S + 1;
	const struct {
		const struct ocsp_answer *answer;
		enum revocation_source source;
		const char *detail;
	} cases[] = {
		{&unknown, REVOCATION_SOURCE_OCSP,
	         "the OCSP responder does not know the certificate"},
		{NULL, REVOCATION_SOURCE_NONE, "nobody answered"},
		{&old, REVOCATION_SOURCE_NONE, "the OCSP answer is out of date"},
		{&early, REVOCATION_SOURCE_NONE, "the OCSP answer is out of date"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct verdict *verdict;
		CU_ASSERT_EQUAL_FATAL(ocsp_verdict(&verdict, base, cases[i].answer, true,
		                                   "nobody answered", PKI_NOW),
		                      E_OK);
		CU_ASSERT_EQUAL(verdict->class, CLASS_REVOCATION_UNKNOWN);
		CU_ASSERT_EQUAL(verdict->code, 3);
		CU_ASSERT_EQUAL(verdict->finding_count, 1);
		CU_ASSERT_STRING_EQUAL(verdict->findings[0].detail, cases[i].detail);
		verdict_unref(&verdict);
		CU_ASSERT_EQUAL_FATAL(ocsp_verdict(&verdict, base, cases[i].answer, false,
		                                   "nobody answered", PKI_NOW),
		                      E_OK);
		CU_ASSERT_EQUAL(verdict->class, CLASS_OK);
		CU_ASSERT_EQUAL(verdict->finding_count, 0);
		CU_ASSERT_TRUE(verdict->revocation.checked);
		CU_ASSERT_EQUAL(verdict->revocation.source, cases[i].source);
		CU_ASSERT_EQUAL(verdict->revocation.status, REVOCATION_UNKNOWN);
		verdict_unref(&verdict);
	}
	verdict_unref(&base);
	trust_free(&trust);
}

static void a_verdict_holds_no_longer_than_the_answer(void)
{
	struct trust *trust = usual_trust();
	struct verdict *base = usual_verdict(trust, PKI_NOW);
	struct ocsp_answer answer = answer_of(REVOCATION_GOOD);
	struct verdict *verdict;
	CU_ASSERT_EQUAL_FATAL(ocsp_verdict(&verdict, base, &answer, true, NULL, PKI_NOW), E_OK);
	CU_ASSERT_EQUAL(verdict->holds_until_s, answer.until_s);
	CU_ASSERT_EQUAL(verdict->holds_from_s, answer.this_update_s - OCSP_SKEW_S);
	verdict_unref(&verdict);
	/* Nor longer than the verdict it is about. */
	answer.this_update_s = base->holds_from_s;
	answer.until_s = base->holds_until_s + 1;
	CU_ASSERT_EQUAL_FATAL(ocsp_verdict(&verdict, base, &answer, true, NULL, PKI_NOW), E_OK);
	CU_ASSERT_EQUAL(verdict->holds_until_s, base->holds_until_s);
	CU_ASSERT_EQUAL(verdict->holds_from_s, base->holds_from_s);
	verdict_unref(&verdict);
	/* Without one, what it says is the same at any time. */
	CU_ASSERT_EQUAL_FATAL(ocsp_verdict(&verdict, base, NULL, true, NULL, PKI_NOW), E_OK);
	CU_ASSERT_EQUAL(verdict->holds_until_s, base->holds_until_s);
	verdict_unref(&verdict);
	verdict_unref(&base);
	trust_free(&trust);
}

static void the_evidence_of_a_crl_gives_way_unless_it_says_revoked(void)
{
	struct trust *trust = usual_trust();
	struct verdict *base = usual_verdict(trust, PKI_NOW);
	struct ocsp_answer answer = answer_of(REVOCATION_GOOD);
	struct verdict *verdict;
	base->revocation = (struct revocation){.checked = true,
	                                       .source = REVOCATION_SOURCE_CRL,
	                                       .status = REVOCATION_GOOD,
	                                       .number = "2A",
	                                       .this_update_s = 7};
	CU_ASSERT_EQUAL_FATAL(ocsp_verdict(&verdict, base, &answer, true, NULL, PKI_NOW), E_OK);
	CU_ASSERT_EQUAL(verdict->revocation.source, REVOCATION_SOURCE_OCSP);
	CU_ASSERT_STRING_EQUAL(verdict->revocation.number, "");
	verdict_unref(&verdict);
	CU_ASSERT_EQUAL_FATAL(ocsp_verdict(&verdict, base, NULL, false, NULL, PKI_NOW), E_OK);
	CU_ASSERT_EQUAL(verdict->revocation.source, REVOCATION_SOURCE_CRL);
	CU_ASSERT_EQUAL(verdict->revocation.status, REVOCATION_GOOD);
	verdict_unref(&verdict);
	base->revocation.status = REVOCATION_REVOKED;
	CU_ASSERT_EQUAL_FATAL(ocsp_verdict(&verdict, base, &answer, true, NULL, PKI_NOW), E_OK);
	CU_ASSERT_EQUAL(verdict->revocation.source, REVOCATION_SOURCE_CRL);
	CU_ASSERT_EQUAL(verdict->revocation.status, REVOCATION_REVOKED);
	CU_ASSERT_STRING_EQUAL(verdict->revocation.number, "2A");
	verdict_unref(&verdict);
	verdict_unref(&base);
	trust_free(&trust);
}

/* The answer would be about a certificate that nobody vouches for. */
static void a_verdict_without_an_issuer_stays_itself(void)
{
	struct ocsp_answer answer = answer_of(REVOCATION_REVOKED);
	struct verdict *verdict;
	struct trust *trust = pki_trust(&(struct pki_trust_spec){.anchors = {pki_intermediate()}});
	const struct pki_cert *stranger =
		pki_make(&(struct pki_spec){.subject = "CN=x", .key = PKI_P256_D});
	struct verdict *base =
		pki_judge_certs(trust, (const struct pki_cert *const[]){stranger, NULL}, PKI_NOW);
	CU_ASSERT_EQUAL_FATAL(ocsp_verdict(&verdict, base, &answer, true, NULL, PKI_NOW), E_OK);
	CU_ASSERT_PTR_EQUAL(verdict, base);
	CU_ASSERT_EQUAL(base->refs, 2);
	CU_ASSERT_EQUAL(base->class, CLASS_SELF_SIGNED);
	verdict_unref(&verdict);
	verdict_unref(&base);
	trust_free(&trust);
	static const enum peer_class alone[] = {CLASS_LIMIT_EXCEEDED, CLASS_MALFORMED_CERTIFICATE};
	for (size_t i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL_FATAL(verdict_single(&base, alone[i], 0, NULL), E_OK);
		base->path_count = 2;
		CU_ASSERT_EQUAL_FATAL(ocsp_verdict(&verdict, base, NULL, true, NULL, PKI_NOW), E_OK);
		CU_ASSERT_PTR_EQUAL(verdict, base);
		verdict_unref(&verdict);
		verdict_unref(&base);
	}
}

static const struct unit_test tests[] = {
	{"the issuer is found in the chain or among the anchors",
         the_issuer_is_found_in_the_chain_or_among_the_anchors},
	{"without an anchored issuer there is none", without_an_anchored_issuer_there_is_none},
	{"a good answer leaves the class and tells where it is from",
         a_good_answer_leaves_the_class_and_tells_where_it_is_from},
	{"a verdict is a copy of its own", a_verdict_is_a_copy_of_its_own},
	{"revoked goes before whatever is milder", revoked_goes_before_whatever_is_milder},
	{"what nobody knows is refused when hard alone",
         what_nobody_knows_is_refused_when_hard_alone},
	{"a verdict holds no longer than the answer", a_verdict_holds_no_longer_than_the_answer},
	{"the evidence of a CRL gives way unless it says revoked",
         the_evidence_of_a_crl_gives_way_unless_it_says_revoked},
	{"a verdict without an issuer stays itself", a_verdict_without_an_issuer_stays_itself},
};

int main(void)
{
	int code = unit_run("peer/ocsp_verdict", tests, sizeof(tests) / sizeof(tests[0]));
	pki_release();
	return code;
}
