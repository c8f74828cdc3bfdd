#include "peer/revocation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crl_pki.h"
#include "pki.h"
#include "unit.h"

#define CRLS_MAX 8
#define FROM (PKI_NOW - 100 * PKI_DAY)
#define UNTIL (PKI_NOW + 100 * PKI_DAY)

/* A root, a CA below it, a leaf; everything that is asked and answered. */
struct asking {
	struct revocation_check check;
	struct crl *crls[CRLS_MAX];
	const struct cert *path[3];
	size_t count;
	int64_t now_s;
	struct findings findings;
	struct revocation told;
	int64_t from_s;
	int64_t until_s;
	unsigned signatures;
};

static const struct pki_cert *root(void)
{
	static const struct pki_cert *made;
	if (made == NULL) {
		made = crl_pki_ca("CN=Root,O=Test", PKI_P256_A, NULL);
	}
	return made;
}

static const struct pki_cert *issuer(void)
{
	static const struct pki_cert *made;
	if (made == NULL) {
		made = crl_pki_ca("CN=Issuer,O=Test", PKI_P256_B, root());
	}
	return made;
}

static const struct pki_cert *leaf(void)
{
	static const struct pki_cert *made;
	if (made == NULL) {
		made = pki_make(&(struct pki_spec){
			.subject = "CN=client", .key = PKI_P256_C, .issuer = issuer()});
	}
	return made;
}

static struct asking ask_for(enum revocation_mode mode, enum revocation_scope scope)
{
	return (struct asking){
		.check = {.mode = mode, .scope = scope, .profile = PROFILE_MEDIUM},
		.path = {crl_pki_read(leaf()), crl_pki_read(issuer()), crl_pki_read(root())},
		.count = 3,
		.now_s = PKI_NOW,
		.signatures = 32,
	};
}

static void add(struct asking *asking, const struct crl_pki_spec *spec)
{
	if (asking->check.crl_count == CRLS_MAX) {
		exit(99);
	}
	asking->crls[asking->check.crl_count++] = crl_pki_crl(spec);
}

static bool ask(struct asking *asking)
{
	qsort(asking->crls, asking->check.crl_count, sizeof(asking->crls[0]), crl_compare);
	asking->check.crls = asking->crls;
	asking->findings = (struct findings){0};
	asking->told = (struct revocation){0};
	asking->from_s = FROM;
	asking->until_s = UNTIL;
	return revocation_check_path(&asking->check, &asking->findings, &asking->told, asking->path,
	                             asking->count, asking->now_s, &asking->from_s,
	                             &asking->until_s, &asking->signatures);
}

static void release(struct asking *asking)
{
	while (asking->check.crl_count > 0) {
		crl_unref(&asking->crls[--asking->check.crl_count]);
	}
}

static void expect(const struct asking *asking, size_t i, enum peer_class class, int depth,
                   unsigned code, const char *detail)
{
	CU_ASSERT_FATAL(i < asking->findings.count);
	const struct finding *f = &asking->findings.items[i];
	CU_ASSERT_EQUAL(f->class, class);
	CU_ASSERT_EQUAL(f->depth, depth);
	CU_ASSERT_EQUAL(f->code, code);
	CU_ASSERT((f->detail == NULL) == (detail == NULL));
	if (f->detail != NULL && detail != NULL) {
		CU_ASSERT_STRING_EQUAL(f->detail, detail);
	}
	if (f->code != code) {
		printf("\n    code %u, %s", f->code, f->detail == NULL ? "" : f->detail);
	}
}

static void a_certificate_that_is_on_no_crl_passes(void)
{
	struct asking a = ask_for(REVOCATION_HARD, REVOCATION_PATH);
	struct slice number = crl_pki_extension("2.5.29.20", false, SLICE("\x02\x01\x2a"));
	add(&a, &(struct crl_pki_spec){.issuer = root(), .entries = {{.serial = SLICE("\x55")}}});
	add(&a, &(struct crl_pki_spec){.issuer = issuer(),
	                               .entries = {{.serial = SLICE("\x55")}},
	                               .extensions = {number}});
	CU_ASSERT(ask(&a));
	CU_ASSERT_EQUAL(a.findings.count, 0);
	CU_ASSERT(a.told.checked);
	CU_ASSERT_EQUAL(a.told.status, REVOCATION_GOOD);
	CU_ASSERT_EQUAL(a.told.source, REVOCATION_SOURCE_CRL);
	CU_ASSERT_STRING_EQUAL(a.told.number, "2A");
	CU_ASSERT_EQUAL(a.told.this_update_s, PKI_NOW - PKI_DAY);
	CU_ASSERT_EQUAL(a.told.next_update_s, PKI_NOW + PKI_DAY);
	CU_ASSERT_EQUAL(a.signatures, 30);
	release(&a);
}

static void a_revoked_leaf_is_found_with_its_reason_and_date(void)
{
	static const struct {
		int reason;
		const char *detail;
	} rows[] = {
		{0, NULL},
		{1, "key compromise"},
		{2, "CA compromise"},
		{3, "affiliation changed"},
		{4, "superseded"},
		{5, "cessation of operation"},
		{6, "certificate hold"},
		{8, "remove from CRL"}, /* of deltas alone: here it revokes */
		{9, "privilege withdrawn"},
		{10, "AA compromise"},
		{99, NULL},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int mode = REVOCATION_SOFT; mode <= REVOCATION_HARD; mode++) {
			struct asking a = ask_for((enum revocation_mode)mode, REVOCATION_LEAF);
			add(&a, &(struct crl_pki_spec){.issuer = issuer(),
			                               .entries = {{.serial = a.path[0]->serial,
			                                            .at = PKI_NOW - 1234,
			                                            .reason = rows[i].reason}}});
			CU_ASSERT(ask(&a));
			CU_ASSERT_EQUAL(a.findings.count, 1);
			expect(&a, 0, CLASS_REVOKED, 0, 23, rows[i].detail);
			CU_ASSERT_EQUAL(a.findings.items[0].at_s, PKI_NOW - 1234);
			CU_ASSERT_EQUAL(a.told.status, REVOCATION_REVOKED);
			CU_ASSERT_EQUAL(a.told.source, REVOCATION_SOURCE_CRL);
			release(&a);
		}
	}
}

static void an_intermediate_is_checked_with_scope_path_alone(void)
{
	for (int scope = REVOCATION_PATH; scope <= REVOCATION_LEAF; scope++) {
		struct asking a = ask_for(REVOCATION_HARD, (enum revocation_scope)scope);
		add(&a, &(struct crl_pki_spec){.issuer = root(),
		                               .entries = {{.serial = a.path[1]->serial}}});
		add(&a, &(struct crl_pki_spec){.issuer = issuer()});
		CU_ASSERT(ask(&a));
		CU_ASSERT_EQUAL(a.findings.count, scope == REVOCATION_PATH ? 1 : 0);
		if (scope == REVOCATION_PATH) {
			expect(&a, 0, CLASS_REVOKED, 1, 23, NULL);
		}
		/* The evidence is of the leaf. */
		CU_ASSERT_EQUAL(a.told.status, REVOCATION_GOOD);
		release(&a);
	}
}

/* RFC 5280 7.1: a CRL may write its issuer's name in another way than the CA's certificate. */
static void a_crl_counts_however_its_issuers_name_is_written(void)
{
	struct slice spelled =
		crl_pki_read(crl_pki_ca("CN=ISSUER,O=test", PKI_P256_B, root()))->x509->subject;
	struct asking a = ask_for(REVOCATION_SOFT, REVOCATION_LEAF);
	CU_ASSERT_FALSE(slice_equal(spelled, a.path[1]->x509->subject));
	add(&a, &(struct crl_pki_spec){.issuer = issuer(),
	                               .issuer_name = spelled,
	                               .entries = {{.serial = a.path[0]->serial}}});
	CU_ASSERT(ask(&a));
	CU_ASSERT_EQUAL(a.findings.count, 1);
	expect(&a, 0, CLASS_REVOKED, 0, 23, NULL);
	release(&a);
}

static void an_anchor_is_never_checked(void)
{
	struct asking a = ask_for(REVOCATION_HARD, REVOCATION_PATH);
	add(&a,
	    &(struct crl_pki_spec){.issuer = root(), .entries = {{.serial = a.path[2]->serial}}});
	a.path[0] = a.path[2];
	a.count = 1;
	CU_ASSERT(ask(&a));
	CU_ASSERT_EQUAL(a.findings.count, 0);
	CU_ASSERT_FALSE(a.told.checked);
	CU_ASSERT_EQUAL(a.from_s, FROM);
	CU_ASSERT_EQUAL(a.until_s, UNTIL);
	release(&a);
}

static void off_touches_nothing(void)
{
	struct asking a = ask_for(REVOCATION_OFF, REVOCATION_PATH);
	add(&a,
	    &(struct crl_pki_spec){.issuer = issuer(), .entries = {{.serial = a.path[0]->serial}}});
	a.signatures = 0;
	CU_ASSERT(ask(&a));
	CU_ASSERT_EQUAL(a.findings.count, 0);
	CU_ASSERT_FALSE(a.told.checked);
	CU_ASSERT_EQUAL(a.until_s, UNTIL);
	release(&a);
}

/* What hard says when this is the only CRL; soft says nothing, and nobody is told anything. */
static void unknown_with(const struct crl_pki_spec *spec, unsigned code, const char *detail)
{
	for (int mode = REVOCATION_SOFT; mode <= REVOCATION_HARD; mode++) {
		struct asking a = ask_for((enum revocation_mode)mode, REVOCATION_LEAF);
		if (spec != NULL) {
			add(&a, spec);
		}
		CU_ASSERT(ask(&a));
		CU_ASSERT_EQUAL(a.findings.count, mode == REVOCATION_HARD ? 1 : 0);
		if (mode == REVOCATION_HARD) {
			expect(&a, 0, CLASS_REVOCATION_UNKNOWN, 0, code, detail);
			CU_ASSERT_EQUAL(a.findings.items[0].at_s, 0);
		}
		CU_ASSERT(a.told.checked);
		CU_ASSERT_EQUAL(a.told.status, REVOCATION_UNKNOWN);
		CU_ASSERT_EQUAL(a.told.source, REVOCATION_SOURCE_NONE);
		CU_ASSERT_STRING_EQUAL(a.told.number, "");
		release(&a);
	}
}

static void what_is_unknown_has_the_code_of_its_cause(void)
{
	struct slice cas_only = crl_pki_extension("2.5.29.28", true, SLICE("\x30\x03\x82\x01\xff"));
	struct slice part = crl_pki_extension("2.5.29.28", true,
	                                      pki_tlv(0x30, crl_pki_point("http://a.test/2.crl")));
	unknown_with(NULL, 3, "there is no CRL of the issuer");
	unknown_with(&(struct crl_pki_spec){.issuer = root()}, 3, "there is no CRL of the issuer");
	unknown_with(&(struct crl_pki_spec){.issuer = issuer(),
	                                    .this_update = PKI_NOW - 5,
	                                    .next_update = PKI_NOW - 1},
	             12, "the CRL has expired");
	unknown_with(&(struct crl_pki_spec){.issuer = issuer(), .this_update = PKI_NOW + 1}, 11,
	             "the CRL is not yet valid");
	unknown_with(&(struct crl_pki_spec){.issuer = issuer(), .wrong_signature = true}, 8,
	             "the issuer did not sign the CRL");
	unknown_with(&(struct crl_pki_spec){.issuer = issuer(), .algorithm = CRL_PKI_SHA1}, 8,
	             "the signature is over SHA-1");
	unknown_with(&(struct crl_pki_spec){.issuer = issuer(), .extensions = {cas_only}}, 44,
	             "the CRLs of the issuer are for other certificates");
	unknown_with(&(struct crl_pki_spec){.issuer = issuer(), .extensions = {part}}, 44,
	             "the CRLs of the issuer are for other certificates");
	/* Expired and forged is forged. */
	unknown_with(&(struct crl_pki_spec){.issuer = issuer(),
	                                    .this_update = PKI_NOW - 5,
	                                    .next_update = PKI_NOW - 1,
	                                    .wrong_signature = true},
	             8, "the issuer did not sign the CRL");
}

/* A CA whose certificate does not let it sign CRLs, with the key of issuer(). */
static const struct pki_cert *without_crl_sign(void)
{
	static const struct pki_cert *made;
	if (made == NULL) {
		made = pki_make(&(struct pki_spec){.subject = "CN=Issuer,O=Test",
		                                   .key = PKI_P256_B,
		                                   .issuer = root(),
		                                   .ca = true,
		                                   .key_usage = GNUTLS_KEY_KEY_CERT_SIGN});
	}
	return made;
}

/* RFC 5280 4.2.1.3, 6.3.3 (f) */
static void a_crl_of_an_issuer_without_crl_sign_clears_nobody(void)
{
	struct asking a = ask_for(REVOCATION_HARD, REVOCATION_LEAF);
	a.path[1] = crl_pki_read(without_crl_sign());
	add(&a, &(struct crl_pki_spec){.issuer = issuer()});
	CU_ASSERT(ask(&a));
	CU_ASSERT_EQUAL(a.findings.count, 1);
	expect(&a, 0, CLASS_REVOCATION_UNKNOWN, 0, 35, "the issuer may not sign CRLs");
	CU_ASSERT_EQUAL(a.signatures, 32);
	release(&a);
}

/* The CA has a certificate with cRLSign, too: which one is in the path is up to the client. */
static void a_crl_of_an_issuer_without_crl_sign_revokes_all_the_same(void)
{
	for (int mode = REVOCATION_SOFT; mode <= REVOCATION_HARD; mode++) {
		struct asking a = ask_for((enum revocation_mode)mode, REVOCATION_LEAF);
		a.path[1] = crl_pki_read(without_crl_sign());
		add(&a, &(struct crl_pki_spec){.issuer = issuer(),
		                               .entries = {{.serial = a.path[0]->serial}}});
		CU_ASSERT(ask(&a));
		CU_ASSERT_EQUAL(a.findings.count, 1);
		expect(&a, 0, CLASS_REVOKED, 0, 23, NULL);
		CU_ASSERT_EQUAL(a.told.status, REVOCATION_REVOKED);
		release(&a);
	}
}

static void the_cause_is_that_of_the_crl_nearest_to_counting(void)
{
	const struct crl_pki_spec expired = {
		.issuer = issuer(), .this_update = PKI_NOW - 5, .next_update = PKI_NOW - 1};
	const struct crl_pki_spec early = {.issuer = issuer(), .this_update = PKI_NOW + 1};
	const struct crl_pki_spec forged = {.issuer = issuer(), .wrong_signature = true};
	const struct crl_pki_spec other = {
		.issuer = issuer(),
		.extensions = {crl_pki_extension("2.5.29.28", true, SLICE("\x30\x03\x82\x01\xff"))}};
	const struct {
		const struct crl_pki_spec *a;
		const struct crl_pki_spec *b;
		unsigned code;
	} rows[] = {
		{&expired, &early, 12}, {&expired, &forged, 12}, {&early, &forged, 11},
		{&forged, &other, 8},   {&expired, &other, 12},
	};
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		struct asking a = ask_for(REVOCATION_HARD, REVOCATION_LEAF);
		add(&a, i % 2 == 0 ? rows[i / 2].a : rows[i / 2].b);
		add(&a, i % 2 == 0 ? rows[i / 2].b : rows[i / 2].a);
		CU_ASSERT(ask(&a));
		CU_ASSERT_EQUAL(a.findings.count, 1);
		CU_ASSERT_EQUAL(a.findings.items[0].code, rows[i / 2].code);
		release(&a);
	}
}

static void revoked_counts_on_crls_that_could_not_clear(void)
{
	struct slice cas_only = crl_pki_extension("2.5.29.28", true, SLICE("\x30\x03\x82\x01\xff"));
	struct crl_pki_spec specs[] = {
		{.this_update = PKI_NOW - 5, .next_update = PKI_NOW - 1},
		{.this_update = PKI_NOW + 1},
		{.algorithm = CRL_PKI_SHA1},
		{.extensions = {cas_only}},
	};
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		struct asking a = ask_for(REVOCATION_SOFT, REVOCATION_LEAF);
		specs[i].issuer = issuer();
		specs[i].entries[0] = (struct crl_pki_entry){.serial = a.path[0]->serial};
		add(&a, &specs[i]);
		/* Nor does one that is current and without it help. */
		add(&a, &(struct crl_pki_spec){.issuer = issuer()});
		CU_ASSERT(ask(&a));
		CU_ASSERT_EQUAL(a.findings.count, 1);
		expect(&a, 0, CLASS_REVOKED, 0, 23, NULL);
		release(&a);
	}
}

/* Anybody can write a CRL in the name of a CA, or be a CA of the same name. */
static void a_crl_that_the_issuer_did_not_sign_changes_nothing(void)
{
	struct asking a = ask_for(REVOCATION_HARD, REVOCATION_LEAF);
	const struct pki_cert *namesake = crl_pki_ca("CN=Issuer,O=Test", PKI_P256_D, NULL);
	add(&a, &(struct crl_pki_spec){.issuer = issuer(),
	                               .wrong_signature = true,
	                               .entries = {{.serial = a.path[0]->serial}}});
	add(&a, &(struct crl_pki_spec){.issuer = namesake,
	                               .this_update = PKI_NOW - 1,
	                               .entries = {{.serial = a.path[0]->serial}}});
	CU_ASSERT(ask(&a));
	CU_ASSERT_EQUAL(a.findings.count, 1);
	expect(&a, 0, CLASS_REVOCATION_UNKNOWN, 0, 8, "the issuer did not sign the CRL");
	/* Each signature once. */
	CU_ASSERT_EQUAL(a.signatures, 30);
	add(&a, &(struct crl_pki_spec){.issuer = issuer()});
	CU_ASSERT(ask(&a));
	CU_ASSERT_EQUAL(a.findings.count, 0);
	CU_ASSERT_EQUAL(a.told.status, REVOCATION_GOOD);
	release(&a);
}

static void the_same_serial_of_another_issuer_is_another_certificate(void)
{
	struct asking a = ask_for(REVOCATION_HARD, REVOCATION_LEAF);
	add(&a,
	    &(struct crl_pki_spec){.issuer = root(), .entries = {{.serial = a.path[0]->serial}}});
	add(&a, &(struct crl_pki_spec){.issuer = issuer()});
	CU_ASSERT(ask(&a));
	CU_ASSERT_EQUAL(a.findings.count, 0);
	release(&a);
}

static void both_ends_of_a_crl_belong_to_it(void)
{
	static const struct {
		int64_t now_s;
		bool good;
	} rows[] = {{PKI_NOW - 11, false},
	            {PKI_NOW - 10, true},
	            {PKI_NOW + 10, true},
	            {PKI_NOW + 11, false}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct asking a = ask_for(REVOCATION_HARD, REVOCATION_LEAF);
		add(&a, &(struct crl_pki_spec){.issuer = issuer(),
		                               .this_update = PKI_NOW - 10,
		                               .next_update = PKI_NOW + 10});
		a.now_s = rows[i].now_s;
		CU_ASSERT(ask(&a));
		CU_ASSERT_EQUAL(a.findings.count == 0, rows[i].good);
		release(&a);
	}
}

static void a_crl_without_an_end_stays_current(void)
{
	struct asking a = ask_for(REVOCATION_HARD, REVOCATION_LEAF);
	add(&a, &(struct crl_pki_spec){.issuer = issuer(), .next_update = CRL_PKI_NONE});
	a.now_s = PKI_NOW + 50 * PKI_DAY;
	CU_ASSERT(ask(&a));
	CU_ASSERT_EQUAL(a.findings.count, 0);
	CU_ASSERT_EQUAL(a.told.next_update_s, 0);
	CU_ASSERT_EQUAL(a.from_s, PKI_NOW - PKI_DAY);
	CU_ASSERT_EQUAL(a.until_s, UNTIL);
	release(&a);
}

static void the_newest_of_several_is_told_of(void)
{
	for (int newest = 0; newest < 3; newest++) {
		struct asking a = ask_for(REVOCATION_HARD, REVOCATION_LEAF);
		for (int i = 0; i < 3; i++) {
			add(&a, &(struct crl_pki_spec){.issuer = issuer(),
			                               .this_update = PKI_NOW -
			                                              (i == newest ? 1 : 10 + i)});
		}
		CU_ASSERT(ask(&a));
		CU_ASSERT_EQUAL(a.told.this_update_s, PKI_NOW - 1);
		CU_ASSERT_EQUAL(a.signatures, 31);
		release(&a);
	}
}

static bool is_same_answer(const struct asking *a, const struct asking *b)
{
	for (size_t i = 0; i < a->findings.count && i < b->findings.count; i++) {
		const struct finding *f = &a->findings.items[i];
		const struct finding *g = &b->findings.items[i];
		if (f->class != g->class || f->depth != g->depth || f->code != g->code ||
		    f->at_s != g->at_s || f->detail != g->detail) {
			return false;
		}
	}
	return a->findings.count == b->findings.count && a->told.status == b->told.status &&
	       a->told.source == b->told.source && a->told.this_update_s == b->told.this_update_s;
}

/* A verdict that is kept has to be what a fresh one would be, for as long as it is said to hold. */
static void within_its_interval_the_answer_does_not_change(void)
{
	struct asking a = ask_for(REVOCATION_HARD, REVOCATION_PATH);
	const struct {
		int from;
		int until;
		bool forged;
	} crls[] = {{-40, -20, false},
	            {-30, -5, false},
	            {-10, 10, false},
	            {-2, 4, true},
	            {20, 30, false}};
	for (size_t i = 0; i < sizeof(crls) / sizeof(crls[0]); i++) {
		add(&a, &(struct crl_pki_spec){.issuer = issuer(),
		                               .this_update = PKI_NOW + crls[i].from,
		                               .next_update = PKI_NOW + crls[i].until,
		                               .wrong_signature = crls[i].forged});
	}
	add(&a, &(struct crl_pki_spec){
			.issuer = root(), .this_update = PKI_NOW - 35, .next_update = PKI_NOW + 25});
	enum { BEFORE = 50, SECONDS = 90 };
	static struct asking answers[SECONDS];
	size_t changes = 0;
	for (int i = 0; i < SECONDS; i++) {
		a.now_s = PKI_NOW - BEFORE + i;
		a.signatures = 1000;
		CU_ASSERT(ask(&a));
		CU_ASSERT(a.from_s <= a.now_s && a.now_s < a.until_s);
		answers[i] = a;
		changes += i > 0 && !is_same_answer(&answers[i - 1], &answers[i]);
	}
	for (int i = 0; i < SECONDS; i++) {
		for (int k = 0; k < SECONDS; k++) {
			if (answers[k].now_s >= answers[i].from_s &&
			    answers[k].now_s < answers[i].until_s) {
				CU_ASSERT(is_same_answer(&answers[i], &answers[k]));
				CU_ASSERT_EQUAL(answers[i].from_s, answers[k].from_s);
				CU_ASSERT_EQUAL(answers[i].until_s, answers[k].until_s);
			}
		}
	}
	/* The first, the root's, the second, the third, none, the last, no root's, none. */
	CU_ASSERT_EQUAL(changes, 8);
	release(&a);
}

static void work_runs_out_and_says_so(void)
{
	struct asking a = ask_for(REVOCATION_HARD, REVOCATION_PATH);
	add(&a, &(struct crl_pki_spec){.issuer = root()});
	for (int i = 0; i < 4; i++) {
		add(&a, &(struct crl_pki_spec){.issuer = issuer(), .wrong_signature = true});
	}
	add(&a, &(struct crl_pki_spec){.issuer = issuer(), .this_update = PKI_NOW - 2 * PKI_DAY});
	/* Four that are forged, the good one, and the root's. */
	for (unsigned signatures = 0; signatures <= 7; signatures++) {
		a.signatures = signatures;
		bool enough = ask(&a);
		CU_ASSERT_EQUAL(enough, signatures >= 6);
		CU_ASSERT_EQUAL(a.signatures, signatures >= 6 ? signatures - 6 : 0);
		CU_ASSERT(!enough || a.findings.count == 0);
	}
	release(&a);
}

/* Of hundreds of parts that a CA cut its list into, one is for this certificate. */
static void parts_for_others_cost_no_signature(void)
{
	struct slice points = pki_tlv(0x30, pki_tlv(0x30, crl_pki_point("http://a.test/3.crl")));
	const struct pki_cert *client =
		pki_make(&(struct pki_spec){.subject = "CN=client",
	                                    .key = PKI_P256_C,
	                                    .issuer = issuer(),
	                                    .extensions = {{"2.5.29.31", points, false}}});
	struct asking a = ask_for(REVOCATION_HARD, REVOCATION_LEAF);
	a.path[0] = crl_pki_read(client);
	for (char i = '0'; i < '8'; i++) {
		char url[] = "http://a.test/0.crl";
		url[14] = i;
		struct slice point = pki_tlv(0x30, crl_pki_point(url));
		add(&a, &(struct crl_pki_spec){
				.issuer = issuer(),
				.extensions = {crl_pki_extension("2.5.29.28", true, point)}});
	}
	a.signatures = 1;
	CU_ASSERT(ask(&a));
	CU_ASSERT_EQUAL(a.findings.count, 0);
	CU_ASSERT_EQUAL(a.told.status, REVOCATION_GOOD);
	CU_ASSERT_EQUAL(a.signatures, 0);
	release(&a);
}

static void both_unknown_and_revoked_are_told_by_depth(void)
{
	struct asking a = ask_for(REVOCATION_HARD, REVOCATION_PATH);
	add(&a, &(struct crl_pki_spec){.issuer = root(),
	                               .entries = {{.serial = a.path[1]->serial, .reason = 2}}});
	CU_ASSERT(ask(&a));
	CU_ASSERT_EQUAL(a.findings.count, 2);
	expect(&a, 0, CLASS_REVOKED, 1, 23, "CA compromise");
	expect(&a, 1, CLASS_REVOCATION_UNKNOWN, 0, 3, "there is no CRL of the issuer");
	release(&a);
}

static const struct unit_test tests[] = {
	{"a certificate that is on no CRL passes", a_certificate_that_is_on_no_crl_passes},
	{"a revoked leaf is found with its reason and date",
         a_revoked_leaf_is_found_with_its_reason_and_date},
	{"an intermediate is checked with scope path alone",
         an_intermediate_is_checked_with_scope_path_alone},
	{"a CRL counts however its issuer's name is written",
         a_crl_counts_however_its_issuers_name_is_written},
	{"an anchor is never checked", an_anchor_is_never_checked},
	{"off touches nothing", off_touches_nothing},
	{"what is unknown has the code of its cause", what_is_unknown_has_the_code_of_its_cause},
	{"a CRL of an issuer without cRLSign clears nobody",
         a_crl_of_an_issuer_without_crl_sign_clears_nobody},
	{"a CRL of an issuer without cRLSign revokes all the same",
         a_crl_of_an_issuer_without_crl_sign_revokes_all_the_same},
	{"the cause is that of the CRL nearest to counting",
         the_cause_is_that_of_the_crl_nearest_to_counting},
	{"revoked counts on CRLs that could not clear", revoked_counts_on_crls_that_could_not_clear},
	{"a CRL that the issuer did not sign changes nothing",
         a_crl_that_the_issuer_did_not_sign_changes_nothing},
	{"the same serial of another issuer is another certificate",
         the_same_serial_of_another_issuer_is_another_certificate},
	{"both ends of a CRL belong to it", both_ends_of_a_crl_belong_to_it},
	{"a CRL without an end stays current", a_crl_without_an_end_stays_current},
	{"the newest of several is told of", the_newest_of_several_is_told_of},
	{"within its interval the answer does not change",
         within_its_interval_the_answer_does_not_change},
	{"work runs out and says so", work_runs_out_and_says_so},
	{"parts for others cost no signature", parts_for_others_cost_no_signature},
	{"both unknown and revoked are told by depth", both_unknown_and_revoked_are_told_by_depth},
};

int main(void)
{
	int code = unit_run("peer/revocation", tests, sizeof(tests) / sizeof(tests[0]));
	crl_pki_release();
	return code;
}
