#include "policy/decide.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "unit.h"

#define NOW 1800000000

static const enum verify_mode modes[] = {VERIFY_NONE, VERIFY_OPTIONAL, VERIFY_REQUIRED,
                                         VERIFY_PASSTHROUGH};

static struct tolerate *compile(enum tolerate_mode mode, const char *name)
{
	struct config_tolerate_item item = {{(char *)name, {1, 1}}, -1, -1, INT64_MAX};
	struct config_tolerate config = {mode, {1, 1}, &item, name == NULL ? 0 : 1};
	struct diag diag;
	struct tolerate *tolerate = NULL;
	diag_init(&diag);
	CU_ASSERT_EQUAL_FATAL(tolerate_new(&tolerate, &config, "f", &diag), E_OK);
	diag_release(&diag);
	return tolerate;
}

/* A verdict with these findings, gravest first. */
static struct verdict verdict_of(const enum peer_class *classes, size_t count)
{
	struct verdict verdict = {.refs = 1, .class = CLASS_OK};
	for (size_t i = 0; i < count; i++) {
		verdict.findings[i] = (struct finding){.class = classes[i],
		                                       .code = peer_class_row(classes[i])->code_leaf,
		                                       .at_s = NOW};
		verdict.finding_count++;
	}
	if (count > 0) {
		verdict.class = classes[0];
		verdict.code = verdict.findings[0].code;
	}
	return verdict;
}

/* What was there before, so that a decision has to set every member of its own. */
static struct handshake dirty(void)
{
	return (struct handshake){
		.class = CLASS_INTERNAL_ERROR,
		.code = 99999,
		.detail = "before",
		.denied_by = DENIED_BY_SHUTDOWN,
		.decision = DECISION_COUNT,
		.tolerated = 0xffffffff,
		.verified = true,
	};
}

static struct handshake decide_by(const struct policy *policy, struct verdict *verdict)
{
	struct handshake hs = dirty();
	hs.requested = policy->verify != VERIFY_NONE;
	hs.presented = verdict != NULL;
	hs.possession = verdict == NULL ? POSSESSION_UNSET : POSSESSION_PROVEN;
	hs.verdict = verdict;
	policy_decide(&hs, policy, NOW);
	return hs;
}

static struct handshake decide(enum verify_mode verify, const struct tolerate *tolerate,
                               struct verdict *verdict)
{
	return decide_by(&(struct policy){.verify = verify, .tolerate = tolerate}, verdict);
}

static void expect(const struct handshake *hs, enum peer_class class, enum decision decision,
                   enum denied_by by)
{
	CU_ASSERT_EQUAL(hs->class, class);
	CU_ASSERT_EQUAL(hs->code, peer_class_row(class)->code_leaf);
	CU_ASSERT_EQUAL(hs->decision, decision);
	CU_ASSERT_EQUAL(hs->denied_by, by);
	CU_ASSERT_PTR_NULL(hs->detail);
	CU_ASSERT_EQUAL(hs->verified, class == CLASS_OK && decision == DECISION_ALLOW);
	if (hs->class != class || hs->decision != decision || hs->denied_by != by) {
		printf("\n    class %s decision %d by %d", peer_class_row(hs->class)->name,
		       hs->decision, hs->denied_by);
	}
}

static void an_absent_certificate_is_refused_by_required_alone(void)
{
	for (enum tolerate_mode mode = TOLERATE_NONE; mode <= TOLERATE_ALL; mode++) {
		struct tolerate *tolerate = compile(mode, NULL);
		struct handshake hs = decide(VERIFY_NONE, tolerate, NULL);
		expect(&hs, CLASS_NOT_REQUESTED, DECISION_ALLOW_ANONYMOUS, DENIED_BY_NOBODY);
		hs = decide(VERIFY_OPTIONAL, tolerate, NULL);
		expect(&hs, CLASS_NO_CERTIFICATE, DECISION_ALLOW_ANONYMOUS, DENIED_BY_NOBODY);
		hs = decide(VERIFY_REQUIRED, tolerate, NULL);
		expect(&hs, CLASS_NO_CERTIFICATE, DECISION_DENY, DENIED_BY_VERIFY);
		hs = decide(VERIFY_PASSTHROUGH, tolerate, NULL);
		expect(&hs, CLASS_NO_CERTIFICATE, DECISION_ALLOW_ANONYMOUS, DENIED_BY_NOBODY);
		tolerate_free(&tolerate);
	}
}

/* Every class that a presented certificate can have, in every mode, tolerated or not. */
static void every_mode_decides_every_class(void)
{
	struct tolerate *none = compile(TOLERATE_NONE, NULL);
	struct tolerate *all = compile(TOLERATE_ALL, NULL);
	for (unsigned i = 0; i < CLASS_COUNT; i++) {
		enum peer_class class = (enum peer_class)i;
		bool judged = class < CLASS_NO_CERTIFICATE;
		if (!judged && class != CLASS_LIMIT_EXCEEDED && class != CLASS_OK &&
		    class != CLASS_NOT_CHECKED) {
			continue;
		}
		bool finding = judged || class == CLASS_LIMIT_EXCEEDED;
		struct verdict verdict = verdict_of(&class, finding ? 1 : 0);
		verdict.class = class;
		verdict.code = peer_class_row(class)->code_leaf;
		for (size_t k = 1; k < sizeof(modes) / sizeof(modes[0]); k++) {
			for (int tolerant = 0; tolerant < 2; tolerant++) {
				enum decision decision = DECISION_DENY;
				enum denied_by by = DENIED_BY_VERIFY;
				if (class == CLASS_LIMIT_EXCEEDED) {
					by = DENIED_BY_LIMIT;
				} else if (class == CLASS_OK) {
					decision = DECISION_ALLOW;
				} else if (modes[k] == VERIFY_PASSTHROUGH) {
					decision = DECISION_ALLOW_UNVERIFIED;
				} else if (tolerant == 1 && peer_class_row(class)->tolerable) {
					decision = DECISION_ALLOW_TOLERATED;
				}
				struct handshake hs =
					decide(modes[k], tolerant == 1 ? all : none, &verdict);
				expect(&hs, class, decision,
				       decision == DECISION_DENY ? by : DENIED_BY_NOBODY);
				CU_ASSERT_EQUAL(hs.tolerated,
				                decision == DECISION_ALLOW_TOLERATED ? 1 : 0);
			}
		}
	}
	tolerate_free(&none);
	tolerate_free(&all);
}

/* A service with a quarantine decides as it would without, but for who is denied by `verify`. */
static void a_quarantine_takes_whom_verify_would_deny_and_nobody_else(void)
{
	struct tolerate *none = compile(TOLERATE_NONE, NULL);
	struct tolerate *all = compile(TOLERATE_ALL, NULL);
	unsigned taken = 0;
	unsigned limited = 0;
	for (unsigned i = 0; i <= CLASS_COUNT; i++) {
		enum peer_class class = (enum peer_class)i;
		bool absent = i == CLASS_COUNT;
		bool finding = class < CLASS_NO_CERTIFICATE || class == CLASS_LIMIT_EXCEEDED;
		if (!absent && !finding && class != CLASS_OK && class != CLASS_NOT_CHECKED) {
			continue;
		}
		struct verdict verdict = verdict_of(&class, finding && !absent ? 1 : 0);
		if (!absent) {
			verdict.class = class;
			verdict.code = peer_class_row(class)->code_leaf;
		}
		for (size_t k = absent ? 0 : 1; k < sizeof(modes) / sizeof(modes[0]); k++) {
			for (int tolerant = 0; tolerant < 2; tolerant++) {
				struct policy policy = {.verify = modes[k],
				                        .tolerate = tolerant == 1 ? all : none};
				struct verdict *judged = absent ? NULL : &verdict;
				struct handshake without = decide_by(&policy, judged);
				policy.quarantine = true;
				struct handshake with = decide_by(&policy, judged);
				bool caught = without.denied_by == DENIED_BY_VERIFY;
				expect(&with, without.class,
				       caught ? DECISION_QUARANTINE : without.decision,
				       caught ? DENIED_BY_NOBODY : without.denied_by);
				CU_ASSERT_EQUAL(with.tolerated, without.tolerated);
				taken += caught ? 1 : 0;
				limited += with.denied_by == DENIED_BY_LIMIT ? 1 : 0;
			}
		}
	}
	CU_ASSERT(taken > 2);
	CU_ASSERT_EQUAL(limited, 6); /* three modes, tolerant or not */
	tolerate_free(&none);
	tolerate_free(&all);
}

static void one_finding_that_is_not_tolerated_denies(void)
{
	static const enum peer_class classes[] = {CLASS_UNKNOWN_ISSUER, CLASS_WRONG_PURPOSE,
	                                          CLASS_EXPIRED};
	struct verdict verdict = verdict_of(classes, 3);
	struct tolerate *expired = compile(TOLERATE_LIST, "expired");
	struct handshake hs = decide(VERIFY_REQUIRED, expired, &verdict);
	expect(&hs, CLASS_UNKNOWN_ISSUER, DECISION_DENY, DENIED_BY_VERIFY);
	CU_ASSERT_EQUAL(hs.tolerated, 4);
	tolerate_free(&expired);

	struct tolerate *all = compile(TOLERATE_ALL, NULL);
	hs = decide(VERIFY_REQUIRED, all, &verdict);
	expect(&hs, CLASS_UNKNOWN_ISSUER, DECISION_ALLOW_TOLERATED, DENIED_BY_NOBODY);
	CU_ASSERT_EQUAL(hs.tolerated, 7);
	static const enum peer_class grave[] = {CLASS_MALFORMED_CERTIFICATE, CLASS_EXPIRED};
	verdict = verdict_of(grave, 2);
	hs = decide(VERIFY_OPTIONAL, all, &verdict);
	expect(&hs, CLASS_MALFORMED_CERTIFICATE, DECISION_DENY, DENIED_BY_VERIFY);
	CU_ASSERT_EQUAL(hs.tolerated, 2);
	tolerate_free(&all);
}

static void as_many_findings_as_there_can_be_are_all_asked_for(void)
{
	enum peer_class classes[VERDICT_FINDINGS_MAX];
	for (size_t i = 0; i < VERDICT_FINDINGS_MAX; i++) {
		classes[i] = CLASS_EXPIRED;
	}
	struct tolerate *expired = compile(TOLERATE_LIST, "expired");
	struct verdict verdict = verdict_of(classes, VERDICT_FINDINGS_MAX);
	struct handshake hs = decide(VERIFY_REQUIRED, expired, &verdict);
	expect(&hs, CLASS_EXPIRED, DECISION_ALLOW_TOLERATED, DENIED_BY_NOBODY);
	CU_ASSERT_EQUAL(hs.tolerated, 0xffffffff);
	verdict.findings[VERDICT_FINDINGS_MAX - 1].class = CLASS_REVOKED;
	hs = decide(VERIFY_REQUIRED, expired, &verdict);
	expect(&hs, CLASS_EXPIRED, DECISION_DENY, DENIED_BY_VERIFY);
	tolerate_free(&expired);
}

static void an_early_end_is_always_denied_by_whom_it_concerns(void)
{
	for (unsigned i = 0; i < CLASS_COUNT; i++) {
		enum peer_class class = (enum peer_class)i;
		struct handshake hs = dirty();
		policy_end(&hs, class, "why");
		CU_ASSERT_EQUAL(hs.class, class);
		CU_ASSERT_EQUAL(hs.code, peer_class_row(class)->code_leaf);
		CU_ASSERT_EQUAL(hs.decision, DECISION_DENY);
		CU_ASSERT_STRING_EQUAL(hs.detail, "why");
		CU_ASSERT_EQUAL(hs.tolerated, 0);
		CU_ASSERT_FALSE(hs.verified);
		enum denied_by by = class < CLASS_NO_CERTIFICATE    ? DENIED_BY_VERIFY
		                    : class == CLASS_LIMIT_EXCEEDED ? DENIED_BY_LIMIT
		                    : class == CLASS_SHUTDOWN       ? DENIED_BY_SHUTDOWN
		                                                    : DENIED_BY_HANDSHAKE;
		CU_ASSERT_EQUAL(hs.denied_by, by);
	}
	struct verdict verdict = {.class = CLASS_UNKNOWN_ISSUER, .code = 19};
	struct handshake hs = dirty();
	hs.verdict = &verdict;
	policy_end(&hs, CLASS_UNKNOWN_ISSUER, NULL);
	CU_ASSERT_EQUAL(hs.code, 19);
}

static void the_code_of_the_finding_is_the_handshakes(void)
{
	struct verdict verdict = {.class = CLASS_UNKNOWN_ISSUER, .code = 19, .finding_count = 1};
	verdict.findings[0] =
		(struct finding){.class = CLASS_UNKNOWN_ISSUER, .depth = 2, .code = 19};
	struct tolerate *none = compile(TOLERATE_NONE, NULL);
	struct handshake hs = decide(VERIFY_REQUIRED, none, &verdict);
	CU_ASSERT_EQUAL(hs.code, 19);
	tolerate_free(&none);
}

static void alerts_are_those_of_the_class_and_version(void)
{
	CU_ASSERT_EQUAL(policy_alert(CLASS_EXPIRED, TLS_VERSION_1_3), 45);
	CU_ASSERT_EQUAL(policy_alert(CLASS_EXPIRED, TLS_VERSION_1_2), 45);
	CU_ASSERT_EQUAL(policy_alert(CLASS_NO_CERTIFICATE, TLS_VERSION_1_3), 116);
	CU_ASSERT_EQUAL(policy_alert(CLASS_NO_CERTIFICATE, TLS_VERSION_1_2), 40);
	CU_ASSERT_EQUAL(policy_alert(CLASS_UNKNOWN_SERVER_NAME, TLS_VERSION_NONE), 112);
	CU_ASSERT_EQUAL(policy_alert(CLASS_OK, TLS_VERSION_1_3), -1);
	for (unsigned i = 0; i < CLASS_COUNT; i++) {
		for (int version = 0; version < 2; version++) {
			int alert = policy_alert((enum peer_class)i,
			                         version == 0 ? TLS_VERSION_1_2 : TLS_VERSION_1_3);
			unsigned row = peer_class_row((enum peer_class)i)->alert;
			CU_ASSERT_EQUAL(alert, row == 0                     ? -1
			                       : row == 116 && version == 0 ? 40
			                                                    : (int)row);
		}
	}
}

static void one_alert_stands_for_all_where_the_service_wants_it(void)
{
	/* RFC 8446 6.2 */
	for (int alert = 0; alert < 256; alert++) {
		CU_ASSERT_EQUAL(policy_alert_shown(ALERT_CLASS, alert), alert);
		CU_ASSERT_EQUAL(policy_alert_shown(ALERT_GENERIC, alert), 40);
	}
	CU_ASSERT_EQUAL(policy_alert_shown(ALERT_CLASS, -1), -1);
	CU_ASSERT_EQUAL(policy_alert_shown(ALERT_GENERIC, -1), -1);
}

static const struct unit_test tests[] = {
	{"an absent certificate is refused by required alone",
         an_absent_certificate_is_refused_by_required_alone},
	{"every mode decides every class", every_mode_decides_every_class},
	{"a quarantine takes whom verify would deny, and nobody else",
         a_quarantine_takes_whom_verify_would_deny_and_nobody_else},
	{"one finding that is not tolerated denies", one_finding_that_is_not_tolerated_denies},
	{"as many findings as there can be are all asked for",
         as_many_findings_as_there_can_be_are_all_asked_for},
	{"an early end is always denied, by whom it concerns",
         an_early_end_is_always_denied_by_whom_it_concerns},
	{"the code of the finding is the handshake's", the_code_of_the_finding_is_the_handshakes},
	{"alerts are those of the class and version", alerts_are_those_of_the_class_and_version},
	{"one alert stands for all where the service wants it",
         one_alert_stands_for_all_where_the_service_wants_it},
};
UNIT_MAIN("policy/decide", tests)
