#include "peer/trust.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "pki.h"
#include "unit.h"

/* Loads CA files; what was said stays in `diag`. NULL when it was refused. */
static struct trust *load(char *const *paths, size_t count, const char *purpose, struct diag *diag)
{
	struct config_text files[4];
	for (size_t i = 0; i < count; i++) {
		files[i] = (struct config_text){paths[i], {10 + (unsigned)i, 5}};
	}
	struct config_client client = {
		.ca = {files, count, {9, 1}},
		.purpose = {(char *)purpose, {20, 3}},
		.profile = PROFILE_MEDIUM,
		.max_depth = 4,
	};
	diag_init(diag);
	struct trust *trust = NULL;
	int err = trust_new(&trust, &client, &(struct config_limits){0}, "conf.yaml", diag);
	CU_ASSERT_EQUAL(err == E_OK, diag->errors == 0);
	CU_ASSERT(err == E_OK || err == E_INVALID);
	return err == E_OK ? trust : NULL;
}

/* One file is refused with a sentence that has `words`, at the place where it is named. */
static void refused(char *path, const char *words)
{
	struct diag diag;
	struct trust *trust = load(&path, 1, NULL, &diag);
	CU_ASSERT_PTR_NULL(trust);
	CU_ASSERT_EQUAL_FATAL(diag.errors, 1);
	CU_ASSERT_EQUAL(diag.first->at.line, 10);
	CU_ASSERT_EQUAL(diag.first->at.column, 5);
	CU_ASSERT_STRING_EQUAL(diag.first->file, "conf.yaml");
	CU_ASSERT_PTR_NOT_NULL(strstr(diag.first->text, path));
	bool said = strstr(diag.first->text, words) != NULL;
	CU_ASSERT_TRUE(said);
	if (!said) {
		printf("\n    %s", diag.first->text);
	}
	diag_release(&diag);
	trust_free(&trust);
}

static void files_that_give_no_anchor_are_refused_where_they_are_named(void)
{
	struct slice pem = pki_pem(pki_root()->der);
	refused((char[]){"/tmp/tlscribe-no-such-file"}, err_text(E_NOT_FOUND));
	refused((char[]){"/tmp"}, "");
	refused(pki_file(SLICE("")), "empty");
	refused(pki_file(SLICE("hello\n")), "no PEM CERTIFICATE block");
	refused(pki_file(pki_root()->der), "no PEM CERTIFICATE block");
	refused(pki_file(SLICE("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")),
	        "no PEM CERTIFICATE block");
	refused(pki_file(SLICE("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")),
	        "block 1 cannot be parsed");
	refused(pki_file(SLICE("-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n")),
	        "block 1 cannot be parsed");
	refused(pki_file(pki_join(pem, slice_of(pem.data, pem.len / 2))), "block 2 has no end");
	refused(pki_file(pki_join(slice_of(pem.data, pem.len / 2), pem)), "block 1 has no end");
	struct slice cut = pki_pem(slice_of(pki_root()->der.data, pki_root()->der.len - 1));
	refused(pki_file(pki_join(pki_join(pem, cut), pem)), "block 2 cannot be parsed");
	refused(pki_file(pki_join(pem, SLICE("-----BEGIN TRUSTED CERTIFICATE-----\nAAAA\n-----END "
	                                     "TRUSTED CERTIFICATE-----\n"))),
	        "block 2 is not a plain CERTIFICATE");
}

static void every_wrong_file_is_named_in_one_run(void)
{
	char *paths[] = {pki_file(SLICE("x")), pki_file(pki_pem(pki_root()->der)),
	                 pki_file(SLICE("y"))};
	struct diag diag;
	CU_ASSERT_PTR_NULL(load(paths, 3, "nonsense", &diag));
	CU_ASSERT_EQUAL(diag.errors, 3);
	CU_ASSERT_EQUAL(diag.first->at.line, 10);
	CU_ASSERT_EQUAL(diag.first->next->at.line, 12);
	CU_ASSERT_EQUAL(diag.last->at.line, 20);
	diag_release(&diag);
}

static void purposes_are_names_or_oids(void)
{
	static const struct {
		const char *purpose;
		bool good;
	} rows[] = {
		{NULL, true},          {"clientAuth", true},
		{"any", true},         {"1.3.6.1.4.1.311.20.2.2", true},
		{"", false},           {"serverauth", false},
		{"1", false},          {"1.2.3x", false},
		{"ClientAuth", false},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct diag diag;
		struct trust *trust = load(NULL, 0, rows[i].purpose, &diag);
		CU_ASSERT_EQUAL(trust != NULL, rows[i].good);
		CU_ASSERT_EQUAL(diag.errors, rows[i].good ? 0 : 1);
		diag_release(&diag);
		trust_free(&trust);
	}
}

static void each_certificate_is_one_anchor_in_the_order_of_the_files(void)
{
	struct slice root = pki_pem(pki_root()->der);
	struct slice intermediate = pki_pem(pki_intermediate()->der);
	struct slice text = pki_join(SLICE("# a comment\r\n"),
	                             pki_join(root, pki_join(SLICE("\nmore text\n"), intermediate)));
	char *paths[] = {pki_file(text), pki_file(pki_join(root, root))};
	struct diag diag;
	struct trust *trust = load(paths, 2, NULL, &diag);
	CU_ASSERT_PTR_NOT_NULL_FATAL(trust);
	CU_ASSERT_EQUAL_FATAL(trust_anchor_count(trust), 2);
	const struct trust_anchor *first = trust_anchor_at(trust, 0);
	CU_ASSERT_STRING_EQUAL(first->subject, "CN=Root,O=Test");
	CU_ASSERT_STRING_EQUAL(first->file, paths[0]);
	CU_ASSERT_EQUAL(first->at.line, 10);
	CU_ASSERT(slice_equal(first->der, pki_root()->der));
	CU_ASSERT_EQUAL(first->not_after_s, pki_root()->not_after);
	gnutls_datum_t name;
	CU_ASSERT_EQUAL(gnutls_x509_crt_get_raw_dn(pki_root()->crt, &name), 0);
	CU_ASSERT(slice_equal(first->subject_der, slice_of(name.data, name.size)));
	gnutls_free(name.data);
	CU_ASSERT_STRING_EQUAL(trust_anchor_at(trust, 1)->subject, "CN=Intermediate,O=Test");
	diag_release(&diag);
	trust_free(&trust);
}

/* The warnings for one anchor, as one text. */
static void warns(const struct pki_cert *anchor, const char *words)
{
	char *path = pki_file(pki_pem(anchor->der));
	struct diag diag;
	struct trust *trust = load(&path, 1, NULL, &diag);
	CU_ASSERT_PTR_NOT_NULL(trust);
	CU_ASSERT_EQUAL(diag.warnings, words == NULL ? 0 : 1);
	if (words != NULL && diag.first != NULL) {
		bool said = strstr(diag.first->text, words) != NULL;
		CU_ASSERT_TRUE(said);
		CU_ASSERT_EQUAL(diag.first->at.line, 10);
		if (!said) {
			printf("\n    %s", diag.first->text);
		}
	}
	diag_release(&diag);
	trust_free(&trust);
}

static void operators_are_warned_of_anchors_that_will_not_do(void)
{
	int64_t now = time(NULL);
	struct pki_spec spec = {.subject = "CN=Warned",
	                        .key = PKI_P256_A,
	                        .ca = true,
	                        .not_before = now - 1000,
	                        .not_after = now + 100 * PKI_DAY};
	warns(pki_make(&spec), NULL);
	spec.not_after = now + 29 * PKI_DAY;
	warns(pki_make(&spec), "expires on");
	spec.not_after = now - 100;
	warns(pki_make(&spec), "expired on");
	spec.not_before = now + 1000;
	spec.not_after = now + 100 * PKI_DAY;
	warns(pki_make(&spec), "not valid before");
	spec.not_before = now - 1000;
	spec.ca = false;
	warns(pki_make(&spec), "is no CA");
	spec.ca = true;
	spec.key_usage = GNUTLS_KEY_CRL_SIGN;
	warns(pki_make(&spec), "is no CA");
	spec.key_usage = 0;
	spec.key = PKI_RSA1024;
	warns(pki_make(&spec), "too short");
	spec.key = PKI_DSA;
	warns(pki_make(&spec), "unsupported kind");
}

static void all_that_can_change_a_verdict_changes_the_id(void)
{
	struct pki_trust_spec specs[] = {
		{.anchors = {pki_root()}, .profile = PROFILE_MEDIUM, .max_depth = 4},
		{.anchors = {pki_intermediate()}, .profile = PROFILE_MEDIUM, .max_depth = 4},
		{.anchors = {pki_root(), pki_intermediate()},
	         .profile = PROFILE_MEDIUM,
	         .max_depth = 4},
		{.anchors = {pki_root()}, .profile = PROFILE_HIGH, .max_depth = 4},
		{.anchors = {pki_root()}, .profile = PROFILE_MEDIUM, .max_depth = 5},
		{.anchors = {pki_root()}, .profile = PROFILE_MEDIUM, .max_depth = 4, .purpose = "any"},
		{.anchors = {pki_root()},
	         .profile = PROFILE_MEDIUM,
	         .max_depth = 4,
	         .purpose = "1.2.3"},
		{.profile = PROFILE_MEDIUM, .max_depth = 4},
		{.profile = PROFILE_MEDIUM, .max_depth = 4, .pinned = true},
		{.anchors = {pki_root()},
	         .profile = PROFILE_MEDIUM,
	         .max_depth = 4,
	         .issuers = {pki_intermediate()}},
		{.anchors = {pki_root()},
	         .profile = PROFILE_MEDIUM,
	         .max_depth = 4,
	         .issuers = {pki_root()}},
		{.anchors = {pki_root()},
	         .profile = PROFILE_MEDIUM,
	         .max_depth = 4,
	         .limits = {.signature_checks = 31}},
		{.anchors = {pki_root()},
	         .profile = PROFILE_MEDIUM,
	         .max_depth = 4,
	         .limits = {.name_comparisons = 65535}},
	};
	enum { COUNT = sizeof(specs) / sizeof(specs[0]) };
	struct trust *trusts[COUNT];
	for (size_t i = 0; i < COUNT; i++) {
		trusts[i] = pki_trust(&specs[i]);
		for (size_t k = 0; k < i; k++) {
			CU_ASSERT_NOT_EQUAL(memcmp(trust_id(trusts[i]), trust_id(trusts[k]), 32), 0);
		}
	}
	for (size_t i = 0; i < COUNT; i++) {
		trust_free(&trusts[i]);
	}
	char *path = pki_file(pki_pem(pki_root()->der));
	struct diag diag;
	struct trust *one = load(&path, 1, NULL, &diag);
	diag_release(&diag);
	struct trust *same = load(&path, 1, "clientAuth", &diag);
	diag_release(&diag);
	CU_ASSERT_EQUAL(memcmp(trust_id(one), trust_id(same), 32), 0);
	trust_free(&one);
	trust_free(&same);
	/* Defaults that are written out change nothing. */
	struct pki_trust_spec written = {
		.profile = PROFILE_MEDIUM,
		.max_depth = 4,
		.limits = {.signature_checks = 32, .name_comparisons = 65536}};
	struct pki_trust_spec left_out = {.profile = PROFILE_MEDIUM, .max_depth = 4};
	one = pki_trust(&written);
	same = pki_trust(&left_out);
	CU_ASSERT_EQUAL(memcmp(trust_id(one), trust_id(same), 32), 0);
	trust_free(&one);
	trust_free(&same);
	struct trust *none = NULL;
	trust_free(&none);
	CU_ASSERT_PTR_NULL(none);
}

/* One sentence with these words at this line; an error refuses. */
static void said_of(const struct config_client *client, enum diag_level level, unsigned line,
                    const char *words)
{
	struct diag diag;
	diag_init(&diag);
	struct trust *trust = NULL;
	int err = trust_new(&trust, client, &(struct config_limits){0}, "conf.yaml", &diag);
	CU_ASSERT_EQUAL(err, level == DIAG_ERROR ? E_INVALID : E_OK);
	CU_ASSERT_EQUAL(diag.errors + diag.warnings, words == NULL ? 0 : 1);
	if (diag.first != NULL && words != NULL) {
		CU_ASSERT_EQUAL(diag.first->level, level);
		CU_ASSERT_EQUAL(diag.first->at.line, line);
		CU_ASSERT_PTR_NOT_NULL(strstr(diag.first->text, words));
	}
	diag_release(&diag);
	trust_free(&trust);
}

static void pinned_trust_takes_no_ca_and_needs_a_list(void)
{
	struct config_text file = {pki_file(pki_pem(pki_root()->der)), {3, 1}};
	struct config_texts one = {&file, 1, {3, 1}};
	struct config_client pinned = {
		.trust = TRUST_PINNED, .trust_at = {2, 1}, .allow = {&file, 1, {4, 1}}};
	struct diag diag;
	diag_init(&diag);
	struct trust *trust = NULL;
	CU_ASSERT_EQUAL(trust_new(&trust, &pinned, &(struct config_limits){0}, "conf.yaml", &diag),
	                E_OK);
	CU_ASSERT_EQUAL(trust_anchor_count(trust), 0);
	CU_ASSERT_EQUAL(diag.errors + diag.warnings, 0);
	diag_release(&diag);
	trust_free(&trust);

	struct config_client client = pinned;
	client.allow.count = 0;
	said_of(&client, DIAG_ERROR, 2, "needs allow");
	client = pinned;
	client.ca = one;
	said_of(&client, DIAG_ERROR, 3, "ca does not go with trust: pinned");
	client = pinned;
	client.issuers = one;
	said_of(&client, DIAG_ERROR, 3, "issuers does not go");
	client = pinned;
	client.crl = one;
	said_of(&client, DIAG_ERROR, 3, "crl does not go");
	client = pinned;
	client.crl_fetch.at = (struct mark){5, 1};
	said_of(&client, DIAG_ERROR, 5, "crl_fetch does not go");
	client = pinned;
	client.revocation = REVOCATION_SOFT;
	client.revocation_at = (struct mark){6, 1};
	said_of(&client, DIAG_ERROR, 6, "revocation does not go");
	client = pinned;
	client.ocsp.mode = REVOCATION_HARD;
	client.ocsp.at = (struct mark){7, 1};
	said_of(&client, DIAG_ERROR, 7, "ocsp does not go");
}

static void issuers_are_cas_beside_a_ca(void)
{
	int64_t now = time(NULL);
	struct pki_spec ca_spec = {.subject = "CN=Now",
	                           .key = PKI_P256_A,
	                           .ca = true,
	                           .not_before = now - 1000,
	                           .not_after = now + 100 * PKI_DAY};
	struct config_text ca = {pki_file(pki_pem(pki_make(&ca_spec)->der)), {3, 1}};
	/* Expired is fine: a renewed one has the same name and key. */
	ca_spec = (struct pki_spec){.subject = "CN=Below",
	                            .issuer = pki_make(&ca_spec),
	                            .key = PKI_P256_B,
	                            .ca = true,
	                            .not_before = now - 1000,
	                            .not_after = now - 10};
	struct config_text old = {pki_file(pki_pem(pki_make(&ca_spec)->der)), {6, 1}};
	struct config_text leaf = {pki_file(pki_pem(pki_leaf()->der)), {6, 1}};
	struct config_text garbage = {pki_file(SLICE("garbage")), {6, 1}};
	struct config_client client = {.ca = {&ca, 1, {3, 1}}, .issuers = {&old, 1, {5, 1}}};
	struct diag diag;
	diag_init(&diag);
	struct trust *trust = NULL;
	CU_ASSERT_EQUAL(trust_new(&trust, &client, &(struct config_limits){0}, "conf.yaml", &diag),
	                E_OK);
	CU_ASSERT_EQUAL(diag.errors + diag.warnings, 0);
	CU_ASSERT_EQUAL(trust_anchor_count(trust), 1);
	diag_release(&diag);
	trust_free(&trust);
	client.issuers.items = &leaf;
	said_of(&client, DIAG_WARNING, 6, "is no CA");
	client.issuers.items = &garbage;
	said_of(&client, DIAG_ERROR, 6, "issuer file");
	client.issuers.items = &old;
	client.ca.count = 0;
	said_of(&client, DIAG_ERROR, 5, "issuers needs ca");
}

static void operators_are_warned_of_issuers_that_keep_nobody_out(void)
{
	int64_t now = time(NULL);
	struct pki_spec specs[] = {
		{.subject = "CN=Root", .key = PKI_P256_A},
		{.subject = "CN=Intermediate", .key = PKI_P256_B},
		{.subject = "CN=Other root", .key = PKI_P256_D},
	};
	struct slice pem[3];
	for (size_t i = 0; i < 3; i++) {
		specs[i].ca = true;
		specs[i].not_before = now - 1000;
		specs[i].not_after = now + 100 * PKI_DAY;
		specs[i].issuer = i == 1 ? pki_make(&specs[0]) : NULL;
		pem[i] = pki_pem(pki_make(&specs[i])->der);
	}
	struct config_text root = {pki_file(pem[0]), {3, 1}};
	struct config_text intermediate = {pki_file(pem[1]), {6, 1}};
	struct config_text chain = {pki_file(pki_join(pem[1], pem[0])), {6, 1}};
	struct config_text both[] = {{intermediate.text, {3, 1}}, {pki_file(pem[2]), {4, 1}}};
	struct config_client client = {.ca = {&root, 1, {3, 1}}, .issuers = {&chain, 1, {5, 1}}};
	said_of(&client, DIAG_WARNING, 6, "CN=Root stands in ca, too");
	client.ca.items = &both[0];
	client.issuers.items = &intermediate;
	said_of(&client, DIAG_WARNING, 6, "CN=Intermediate stands in ca, too");
	/* Beside others it is one of those who are meant. */
	client.ca = (struct config_texts){both, 2, {3, 1}};
	said_of(&client, DIAG_WARNING, 0, NULL);
}

static void hundreds_of_anchors_are_found_by_name(void)
{
	struct slice text = SLICE("");
	for (int i = 0; i < 300; i++) {
		char subject[32];
		snprintf(subject, sizeof(subject), "CN=CA %d", i);
		struct pki_spec spec = {.subject = subject, .key = PKI_P256_A, .ca = true};
		text = pki_join(text, pki_pem(pki_make(&spec)->der));
	}
	char *path = pki_file(text);
	struct diag diag;
	struct trust *trust = load(&path, 1, NULL, &diag);
	diag_release(&diag);
	CU_ASSERT_PTR_NOT_NULL_FATAL(trust);
	CU_ASSERT_EQUAL(trust_anchor_count(trust), 300);
	struct pki_spec ca = {.subject = "CN=CA 217", .key = PKI_P256_A, .ca = true};
	struct pki_spec leaf = {.subject = "CN=x", .key = PKI_P256_C, .issuer = pki_make(&ca)};
	struct slice der = pki_make(&leaf)->der;
	struct verdict *verdict = pki_judge(trust, &der, 1, PKI_NOW);
	CU_ASSERT_EQUAL(verdict->class, CLASS_OK);
	CU_ASSERT_EQUAL(verdict->signature_checks, 1);
	CU_ASSERT_STRING_EQUAL(verdict->path[1].subject, "CN=CA 217");
	verdict_unref(&verdict);
	trust_free(&trust);
}

static const struct unit_test tests[] = {
	{"files that give no anchor are refused where they are named",
         files_that_give_no_anchor_are_refused_where_they_are_named},
	{"every wrong file is named in one run", every_wrong_file_is_named_in_one_run},
	{"purposes are names or OIDs", purposes_are_names_or_oids},
	{"each certificate is one anchor, in the order of the files",
         each_certificate_is_one_anchor_in_the_order_of_the_files},
	{"operators are warned of anchors that will not do",
         operators_are_warned_of_anchors_that_will_not_do},
	{"all that can change a verdict changes the id",
         all_that_can_change_a_verdict_changes_the_id},
	{"pinned trust takes no CA and needs a list", pinned_trust_takes_no_ca_and_needs_a_list},
	{"issuers are CAs beside a CA", issuers_are_cas_beside_a_ca},
	{"operators are warned of issuers that keep nobody out",
         operators_are_warned_of_issuers_that_keep_nobody_out},
	{"hundreds of anchors are found by name", hundreds_of_anchors_are_found_by_name},
};

int main(void)
{
	int code = unit_run("peer/trust", tests, sizeof(tests) / sizeof(tests[0]));
	pki_release();
	return code;
}
