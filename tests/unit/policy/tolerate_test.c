#include "policy/tolerate.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "unit.h"

#define NOW 1800000000
#define ANY (-1)

static struct config_tolerate_item item(const char *name, int depth, int64_t for_s, int64_t until_s)
{
	return (struct config_tolerate_item){{(char *)name, {7, 3}}, depth, for_s, until_s};
}

static int compile(struct tolerate **out, struct config_tolerate_item *items, size_t count,
                   struct diag *diag)
{
	struct config_tolerate config = {TOLERATE_LIST, {6, 1}, items, count};
	diag_init(diag);
	*out = NULL;
	return tolerate_new(out, &config, "conf.yaml", diag);
}

/* Does a tolerance of one item forgive one finding? */
static bool forgives(struct config_tolerate_item one, enum peer_class class, int depth,
                     unsigned code, int64_t at_s, int64_t now_s)
{
	struct tolerate *tolerate;
	struct diag diag;
	CU_ASSERT_EQUAL_FATAL(compile(&tolerate, &one, 1, &diag), E_OK);
	struct verdict verdict = {.class = class, .finding_count = 1};
	verdict.findings[0] =
		(struct finding){.class = class, .depth = depth, .code = code, .at_s = at_s};
	uint32_t match = tolerate_match(tolerate, &verdict, now_s);
	CU_ASSERT(match <= 1);
	diag_release(&diag);
	tolerate_free(&tolerate);
	return match == 1;
}

static void names_and_numbers_stand_for_classes(void)
{
	static const struct {
		const char *name;
		enum peer_class class;
		unsigned code;
		bool forgiven;
	} rows[] = {
		{"expired", CLASS_EXPIRED, 10, true},
		{"X509_V_ERR_CERT_HAS_EXPIRED", CLASS_EXPIRED, 10, true},
		{"10", CLASS_EXPIRED, 10, true},
		{"10", CLASS_NOT_YET_VALID, 9, false},
		{"unknown_issuer", CLASS_UNKNOWN_ISSUER, 20, true},
		{"unknown_issuer", CLASS_UNKNOWN_ISSUER, 19, true},
		{"19", CLASS_UNKNOWN_ISSUER, 19, true},
		{"19", CLASS_UNKNOWN_ISSUER, 20, false},
		{"X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN", CLASS_UNKNOWN_ISSUER, 20, false},
		{"20", CLASS_UNKNOWN_ISSUER, 20, true},
		{"20", CLASS_UNKNOWN_ISSUER, 19, false},
		{"2", CLASS_UNKNOWN_ISSUER, 20, true},
		{"X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE", CLASS_UNKNOWN_ISSUER, 20, true},
		{"18", CLASS_SELF_SIGNED, 18, true},
		{"18", CLASS_UNKNOWN_ISSUER, 19, false},
		{"X509_V_ERR_INVALID_CA", CLASS_ISSUER_NOT_CA, 79, true},
		{"1006", CLASS_WEAK_ALGORITHM, 1006, true},
		{"weak_algorithm", CLASS_WEAK_ALGORITHM, 1006, true},
		{"79", CLASS_ISSUER_NOT_CA, 79, true},
		{"21", CLASS_UNKNOWN_ISSUER, 20, true},
		{"21", CLASS_UNKNOWN_ISSUER, 19, false},
		{"26", CLASS_WRONG_PURPOSE, 26, true},
		{"X509_V_ERR_PERMITTED_VIOLATION", CLASS_NAME_NOT_PERMITTED, 47, true},
		{"22", CLASS_CHAIN_TOO_LONG, 22, true},
		{"25", CLASS_PATH_LENGTH_EXCEEDED, 25, true},
		{"34", CLASS_UNKNOWN_CRITICAL_EXTENSION, 34, true},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool forgiven = forgives(item(rows[i].name, ANY, ANY, INT64_MAX), rows[i].class, 0,
		                         rows[i].code, NOW, NOW);
		CU_ASSERT_EQUAL(forgiven, rows[i].forgiven);
		if (forgiven != rows[i].forgiven) {
			printf("\n    %s", rows[i].name);
		}
	}
}

struct row {
	const char *name;
	const char *number;
	enum peer_class class;
	bool part;
};
static const struct row openssl_rows[] = {
#define X509_V_ERR(name, number, class, code) {"X509_V_ERR_" #name, #number, CLASS_##class, false},
#define X509_V_PART(name, number, class) {"X509_V_ERR_" #name, #number, CLASS_##class, true},
#include "peer/x509_v_err.def"
#undef X509_V_ERR
#undef X509_V_PART
};
#define OPENSSL_ROWS (sizeof(openssl_rows) / sizeof(openssl_rows[0]))

/* Name and number are the same thing. */
static void check_taken(const struct row *row)
{
	struct config_tolerate_item both[] = {item(row->name, ANY, ANY, INT64_MAX),
	                                      item(row->number, ANY, ANY, INT64_MAX)};
	struct tolerate *tolerate;
	struct diag diag;
	CU_ASSERT_EQUAL(compile(&tolerate, both, 2, &diag), E_OK);
	char text[256];
	if (tolerate != NULL) {
		tolerate_describe(tolerate, text, sizeof(text));
		const char *name = peer_class_row(row->class)->name;
		CU_ASSERT_EQUAL(strncmp(text, name, strlen(name)), 0);
		size_t half = (strlen(text) - 2) / 2;
		CU_ASSERT_EQUAL(strncmp(text, text + half + 2, half), 0);
	}
	diag_release(&diag);
	tolerate_free(&tolerate);
}

/* Both ways to write it are refused with the class in the sentence. */
static void check_refused(const struct row *row, const char *words)
{
	const char *const ways[] = {row->name, row->number};
	for (size_t i = 0; i < 2; i++) {
		struct config_tolerate_item one = item(ways[i], ANY, ANY, INT64_MAX);
		struct tolerate *tolerate;
		struct diag diag;
		CU_ASSERT_EQUAL(compile(&tolerate, &one, 1, &diag), E_INVALID);
		CU_ASSERT_EQUAL_FATAL(diag.errors, 1);
		CU_ASSERT_PTR_NOT_NULL(strstr(diag.first->text, peer_class_row(row->class)->name));
		CU_ASSERT_PTR_NOT_NULL(strstr(diag.first->text, words));
		diag_release(&diag);
	}
}

static void an_openssl_name_is_its_class_or_is_refused(void)
{
	unsigned taken = 0, never = 0, parts = 0;
	for (size_t i = 0; i < OPENSSL_ROWS; i++) {
		const struct row *row = &openssl_rows[i];
		if (!peer_class_row(row->class)->tolerable) {
			check_refused(row, "can never be tolerated");
			never++;
		} else if (row->part) {
			check_refused(row, "name the class if all of it is meant");
			parts++;
		} else {
			check_taken(row);
			taken++;
		}
	}
	CU_ASSERT(taken > 0 && never > 0 && parts > 0);
}

/* What nobody can forgive: no by its issuer, no by the operator, no proof, nothing to believe. */
static void the_classes_that_can_be_tolerated_are_these(void)
{
	static const enum peer_class tolerable[] = {
		CLASS_SELF_SIGNED,          CLASS_UNKNOWN_ISSUER, CLASS_ISSUER_NOT_CA,
		CLASS_PATH_LENGTH_EXCEEDED, CLASS_CHAIN_TOO_LONG, CLASS_UNKNOWN_CRITICAL_EXTENSION,
		CLASS_NAME_NOT_PERMITTED,   CLASS_WRONG_PURPOSE,  CLASS_WEAK_ALGORITHM,
		CLASS_NOT_YET_VALID,        CLASS_EXPIRED,
	};
	size_t count = sizeof(tolerable) / sizeof(tolerable[0]);
	for (unsigned i = 0; i < CLASS_COUNT; i++) {
		bool listed = false;
		for (size_t k = 0; k < count; k++) {
			listed = listed || tolerable[k] == i;
		}
		CU_ASSERT_EQUAL(peer_class_row((enum peer_class)i)->tolerable, listed);
		struct config_tolerate_item one =
			item(peer_class_row((enum peer_class)i)->name, ANY, ANY, INT64_MAX);
		struct tolerate *tolerate;
		struct diag diag;
		CU_ASSERT_EQUAL(compile(&tolerate, &one, 1, &diag), listed ? E_OK : E_INVALID);
		diag_release(&diag);
		tolerate_free(&tolerate);
	}
}

static void what_is_unknown_or_never_tolerable_is_refused(void)
{
	static const struct {
		const char *name;
		const char *words;
	} rows[] = {
		{"expierd", "did you mean expired?"},
		{"selfsigned", "did you mean self_signed?"},
		{"X509_V_ERR_CERT_HAS_EXPIERD", "did you mean X509_V_ERR_CERT_HAS_EXPIRED?"},
		{"CERT_HAS_EXPIRED", "there is no class"},
		{"", "there is no class"},
		{"77777", "there is no class"},
		{"9999999999", "there is no class"},
		{"-1", "there is no class"},
		{"10 ", "there is no class"},
		{"ok", "ok can never be tolerated"},
		{"0", "ok can never be tolerated"},
		{"malformed_certificate", "can never be tolerated"},
		{"possession_failed", "can never be tolerated"},
		{"unsupported_key", "can never be tolerated"},
		{"6", "unsupported_key can never be tolerated"},
		{"limit_exceeded", "can never be tolerated"},
		{"no_certificate", "can never be tolerated"},
		{"denylisted", "can never be tolerated"},
		{"timeout", "can never be tolerated"},
		{"revoked", "revoked can never be tolerated"},
		{"23", "revoked can never be tolerated"},
		{"X509_V_ERR_CERT_REVOKED", "revoked can never be tolerated"},
		{"not_allowlisted", "put the certificate on a list"},
		{"issuer_not_allowed", "among the issuers"},
		{"bad_signature", "bad_signature can never be tolerated"},
		{"7", "bad_signature can never be tolerated"},
		{"identity_malformed", "can never be tolerated"},
		{"revocation_unknown", "`soft` in revocation and ocsp.mode"},
		{"3", "`soft` in revocation and ocsp.mode"},
		{"12", "revocation_unknown can never be tolerated: `soft`"},
		{"wrong_name", "fault of back ends"},
		{"24", "X509_V_ERR_NO_ISSUER_PUBLIC_KEY (24) is only a part of issuer_not_ca"},
		{"32", "only a part of issuer_not_ca"},
		{"X509_V_ERR_EXCLUDED_VIOLATION", "(48) is only a part of name_not_permitted"},
		{"66", "only a part of weak_algorithm"},
		{"27", "there is no class"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config_tolerate_item items[] = {item("expired", ANY, ANY, INT64_MAX),
		                                       item(rows[i].name, ANY, ANY, INT64_MAX)};
		struct tolerate *tolerate;
		struct diag diag;
		CU_ASSERT_EQUAL(compile(&tolerate, items, 2, &diag), E_INVALID);
		CU_ASSERT_PTR_NULL(tolerate);
		CU_ASSERT_EQUAL_FATAL(diag.errors, 1);
		CU_ASSERT_EQUAL(diag.first->at.line, 7);
		bool said = strstr(diag.first->text, rows[i].words) != NULL;
		CU_ASSERT_TRUE(said);
		if (!said) {
			printf("\n    %s: %s", rows[i].name, diag.first->text);
		}
		diag_release(&diag);
	}
}

static void very_long_names_are_refused_without_a_suggestion(void)
{
	char name[5000];
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	struct config_tolerate_item one = item(name, ANY, ANY, INT64_MAX);
	struct tolerate *tolerate;
	struct diag diag;
	CU_ASSERT_EQUAL(compile(&tolerate, &one, 1, &diag), E_INVALID);
	CU_ASSERT_PTR_NULL(strstr(diag.first->text, "did you mean"));
	diag_release(&diag);
}

/* Else one of many words in a list would make a CA of every client, and nobody would notice. */
static void certificates_that_make_certificates_are_warned_of(void)
{
	struct config_tolerate_item items[] = {item("expired", ANY, ANY, INT64_MAX),
	                                       item("issuer_not_ca", ANY, ANY, INT64_MAX)};
	struct tolerate *tolerate;
	struct diag diag;
	CU_ASSERT_EQUAL_FATAL(compile(&tolerate, items, 2, &diag), E_OK);
	CU_ASSERT_EQUAL_FATAL(diag.warnings, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(diag.first->text, "issue more of them"));
	CU_ASSERT_EQUAL(diag.first->at.line, 7);
	diag_release(&diag);
	tolerate_free(&tolerate);
}

static void depth_narrows(void)
{
	CU_ASSERT_TRUE(forgives(item("expired", 0, ANY, INT64_MAX), CLASS_EXPIRED, 0, 10, NOW, NOW));
	CU_ASSERT_FALSE(forgives(item("expired", 0, ANY, INT64_MAX), CLASS_EXPIRED, 1, 10, NOW, NOW));
	CU_ASSERT_TRUE(forgives(item("expired", 1, ANY, INT64_MAX), CLASS_EXPIRED, 1, 10, NOW, NOW));
	CU_ASSERT_TRUE(
		forgives(item("expired", ANY, ANY, INT64_MAX), CLASS_EXPIRED, 3, 10, NOW, NOW));
}

static void age_counts_from_the_certificates_own_date(void)
{
	struct config_tolerate_item week = item("expired", ANY, 604800, INT64_MAX);
	CU_ASSERT_TRUE(forgives(week, CLASS_EXPIRED, 0, 10, NOW - 1, NOW));
	CU_ASSERT_TRUE(forgives(week, CLASS_EXPIRED, 0, 10, NOW - 604800, NOW));
	CU_ASSERT_FALSE(forgives(week, CLASS_EXPIRED, 0, 10, NOW - 604801, NOW));
	struct config_tolerate_item early = item("not_yet_valid", ANY, 300, INT64_MAX);
	CU_ASSERT_TRUE(forgives(early, CLASS_NOT_YET_VALID, 0, 9, NOW + 300, NOW));
	CU_ASSERT_FALSE(forgives(early, CLASS_NOT_YET_VALID, 0, 9, NOW + 301, NOW));
	struct config_tolerate_item one = item("self_signed", ANY, 300, INT64_MAX);
	struct tolerate *tolerate;
	struct diag diag;
	CU_ASSERT_EQUAL(compile(&tolerate, &one, 1, &diag), E_INVALID);
	CU_ASSERT_EQUAL(diag.errors, 1);
	diag_release(&diag);
}

static void tolerance_itself_ends(void)
{
	struct config_tolerate_item one = item("expired", ANY, ANY, NOW);
	CU_ASSERT_TRUE(forgives(one, CLASS_EXPIRED, 0, 10, NOW - 10, NOW - 1));
	CU_ASSERT_FALSE(forgives(one, CLASS_EXPIRED, 0, 10, NOW - 10, NOW));
	CU_ASSERT_FALSE(forgives(one, CLASS_EXPIRED, 0, 10, NOW - 10, NOW + 1));
}

/* Each condition by itself would forgive; one that fails is enough. */
static void all_conditions_of_an_item_have_to_hold(void)
{
	struct config_tolerate_item one = item("expired", 0, 604800, NOW + 100);
	CU_ASSERT_TRUE(forgives(one, CLASS_EXPIRED, 0, 10, NOW - 604800, NOW));
	CU_ASSERT_FALSE(forgives(one, CLASS_EXPIRED, 1, 10, NOW - 604800, NOW));
	CU_ASSERT_FALSE(forgives(one, CLASS_EXPIRED, 0, 10, NOW - 604801, NOW));
	CU_ASSERT_FALSE(forgives(one, CLASS_EXPIRED, 0, 10, NOW, NOW + 100));
	CU_ASSERT_FALSE(forgives(one, CLASS_NOT_YET_VALID, 0, 9, NOW + 1, NOW));
	struct config_tolerate_item root = item("19", 1, ANY, NOW + 100);
	CU_ASSERT_TRUE(forgives(root, CLASS_UNKNOWN_ISSUER, 1, 19, 0, NOW));
	CU_ASSERT_FALSE(forgives(root, CLASS_UNKNOWN_ISSUER, 2, 19, 0, NOW));
	CU_ASSERT_FALSE(forgives(root, CLASS_UNKNOWN_ISSUER, 1, 20, 0, NOW));
	CU_ASSERT_FALSE(forgives(root, CLASS_UNKNOWN_ISSUER, 1, 19, 0, NOW + 100));
}

static void any_item_that_fits_is_enough(void)
{
	struct config_tolerate_item items[] = {item("expired", 0, 10, INT64_MAX),
	                                       item("expired", 1, ANY, INT64_MAX),
	                                       item("wrong_purpose", ANY, ANY, INT64_MAX)};
	struct tolerate *tolerate;
	struct diag diag;
	CU_ASSERT_EQUAL_FATAL(compile(&tolerate, items, 3, &diag), E_OK);
	struct verdict verdict = {.finding_count = 4};
	verdict.findings[0] = (struct finding){.class = CLASS_UNKNOWN_ISSUER, .code = 20};
	verdict.findings[1] = (struct finding){.class = CLASS_WRONG_PURPOSE, .depth = 2};
	verdict.findings[2] = (struct finding){.class = CLASS_EXPIRED, .depth = 0, .at_s = NOW - 11};
	verdict.findings[3] = (struct finding){.class = CLASS_EXPIRED, .depth = 1, .at_s = NOW - 11};
	CU_ASSERT_EQUAL(tolerate_match(tolerate, &verdict, NOW), 2 | 8);
	diag_release(&diag);
	tolerate_free(&tolerate);
}

static void none_and_all_need_no_list(void)
{
	struct verdict verdict = {.finding_count = CLASS_NO_CERTIFICATE};
	uint32_t tolerable = 0;
	for (unsigned i = 0; i < CLASS_NO_CERTIFICATE; i++) {
		verdict.findings[i].class = (enum peer_class)i;
		tolerable |= peer_class_row((enum peer_class)i)->tolerable ? UINT32_C(1) << i : 0;
	}
	struct diag diag;
	diag_init(&diag);
	struct tolerate *tolerate;
	char text[64];
	CU_ASSERT_EQUAL_FATAL(
		tolerate_new(&tolerate, &(struct config_tolerate){.mode = TOLERATE_NONE}, "f", &diag),
		E_OK);
	CU_ASSERT_EQUAL(tolerate_match(tolerate, &verdict, NOW), 0);
	tolerate_describe(tolerate, text, sizeof(text));
	CU_ASSERT_STRING_EQUAL(text, "none");
	tolerate_free(&tolerate);
	CU_ASSERT_EQUAL_FATAL(
		tolerate_new(&tolerate, &(struct config_tolerate){.mode = TOLERATE_ALL}, "f", &diag),
		E_OK);
	CU_ASSERT_EQUAL(tolerate_match(tolerate, &verdict, NOW), tolerable);
	CU_ASSERT_NOT_EQUAL(tolerable, 0);
	tolerate_describe(tolerate, text, sizeof(text));
	CU_ASSERT_STRING_EQUAL(text, "all");
	tolerate_free(&tolerate);
	CU_ASSERT_PTR_NULL(tolerate);
	tolerate_free(&tolerate);
	diag_release(&diag);
}

static void descriptions_name_every_condition_and_are_cut_at_the_end(void)
{
	struct config_tolerate_item items[] = {
		item("expired", 0, 604800, 1801353600), item("not_yet_valid", ANY, 5400, INT64_MAX),
		item("19", ANY, ANY, INT64_MAX), item("self_signed", ANY, ANY, 1800000001),
		item("expired", ANY, 0, INT64_MAX)};
	struct tolerate *tolerate;
	struct diag diag;
	CU_ASSERT_EQUAL_FATAL(compile(&tolerate, items, 5, &diag), E_OK);
	char text[256];
	tolerate_describe(tolerate, text, sizeof(text));
	CU_ASSERT_STRING_EQUAL(
		text, "expired (depth 0, for 7d, until 2027-01-31), not_yet_valid (for 90m), "
		      "unknown_issuer (code 19), self_signed (until 2027-01-15T08:00:01Z), expired "
		      "(for 0s)");
	for (size_t cap = 1; cap < sizeof(text); cap++) {
		char small[256];
		memset(small, 'x', sizeof(small));
		tolerate_describe(tolerate, small, cap);
		CU_ASSERT(memchr(small, '\0', cap) != NULL);
		CU_ASSERT_EQUAL(small[cap], 'x');
		CU_ASSERT_EQUAL(strncmp(small, text, strlen(small)), 0);
	}
	diag_release(&diag);
	tolerate_free(&tolerate);
}

static const struct unit_test tests[] = {
	{"names and numbers stand for classes", names_and_numbers_stand_for_classes},
	{"an OpenSSL name is its class or is refused", an_openssl_name_is_its_class_or_is_refused},
	{"the classes that can be tolerated are these", the_classes_that_can_be_tolerated_are_these},
	{"what is unknown or never tolerable is refused",
         what_is_unknown_or_never_tolerable_is_refused},
	{"very long names are refused without a suggestion",
         very_long_names_are_refused_without_a_suggestion},
	{"certificates that make certificates are warned of",
         certificates_that_make_certificates_are_warned_of},
	{"depth narrows", depth_narrows},
	{"age counts from the certificate's own date", age_counts_from_the_certificates_own_date},
	{"tolerance itself ends", tolerance_itself_ends},
	{"all conditions of an item have to hold", all_conditions_of_an_item_have_to_hold},
	{"any item that fits is enough", any_item_that_fits_is_enough},
	{"none and all need no list", none_and_all_need_no_list},
	{"descriptions name every condition and are cut at the end",
         descriptions_name_every_condition_and_are_cut_at_the_end},
};
UNIT_MAIN("policy/tolerate", tests)
