#include "peer/lists.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "peer/crl_store.h"
#include "peer/lists_judge.h"
#include "tests/unit/peer/crl_pki.h"
#include "tests/unit/peer/pki.h"
#include "unit.h"

#define PATHS(...) ((char *const[]){__VA_ARGS__, NULL})
#define FINGERPRINT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"

/* What a service names; paths end with NULL. */
struct named {
	char *const *crls;
	char *const *urls;
	char *const *allow;
	char *const *deny;
	enum revocation_mode revocation;
	enum revocation_scope scope;
	const char *folder;
	const struct trust *trust; /* NULL: the usual one */
	struct crl_store *store;   /* NULL: one of its own */
};

static struct trust *usual;

static const struct pki_cert *ca(void)
{
	static const struct pki_cert *cert;
	cert = cert != NULL ? cert : crl_pki_ca("CN=Lists CA", PKI_P256_A, NULL);
	return cert;
}

static struct trust *trust_with(unsigned max_depth)
{
	return pki_trust(&(struct pki_trust_spec){
		.anchors = {ca()}, .profile = PROFILE_MEDIUM, .max_depth = max_depth});
}

/* CRLs current now, as what is told of them goes by the clock. */
static struct slice crl_of(const struct pki_cert *issuer, int64_t from, int64_t until)
{
	return crl_pki_make(&(struct crl_pki_spec){
		.issuer = issuer,
		.this_update = time(NULL) + from,
		.next_update = time(NULL) + until,
		.entries = {{.serial = SLICE("\x11")}},
	});
}

static struct slice good_crl(void)
{
	return crl_of(ca(), -1000, 1000);
}

static struct config_texts texts(struct config_text *items, char *const *paths, unsigned line)
{
	size_t count = 0;
	for (; paths != NULL && paths[count] != NULL; count++) {
		items[count] = (struct config_text){paths[count], {line + (unsigned)count, 5}};
	}
	return (struct config_texts){items, count, {line, 1}};
}

/* NULL: they were refused. CRLs stand from line 10 on, URLs from 20, allow from 30, deny from 40. */
static struct lists *load(const struct named *named, struct diag *diag)
{
	struct config_text crls[8];
	struct config_text urls[8];
	struct config_text allow[8];
	struct config_text deny[8];
	struct config_client client = {
		.crl = texts(crls, named->crls, 10),
		.crl_fetch = {.at = {19, 1}, .urls = texts(urls, named->urls, 20)},
		.allow = texts(allow, named->allow, 30),
		.deny = texts(deny, named->deny, 40),
		.revocation = named->revocation,
		.revocation_scope = named->scope,
		.profile = PROFILE_MEDIUM,
	};
	struct crl_store *own = NULL;
	if (named->store == NULL && crl_store_new(&own) != E_OK) {
		exit(99);
	}
	diag_init(diag);
	struct lists *lists = NULL;
	int err = lists_new(&lists, named->trust != NULL ? named->trust : usual, &client,
	                    named->folder, named->store != NULL ? named->store : own, "conf.yaml",
	                    diag);
	crl_store_free(&own);
	CU_ASSERT_EQUAL(err == E_OK, diag->errors == 0);
	CU_ASSERT(err == E_OK || err == E_INVALID);
	return err == E_OK ? lists : NULL;
}

/* Good, with nothing said about it. */
static struct lists *good(const struct named *named)
{
	struct diag diag;
	struct lists *lists = load(named, &diag);
	if (lists == NULL || diag.warnings > 0) {
		diag_print(&diag, stdout);
	}
	CU_ASSERT_PTR_NOT_NULL_FATAL(lists);
	CU_ASSERT_EQUAL(diag.warnings, 0);
	diag_release(&diag);
	return lists;
}

/* One sentence with these words, at this line of the configuration. */
static void says(const struct named *named, enum diag_level level, unsigned line, const char *words)
{
	struct diag diag;
	struct lists *lists = load(named, &diag);
	CU_ASSERT_EQUAL(lists != NULL, level == DIAG_WARNING);
	CU_ASSERT_EQUAL(diag.errors + diag.warnings, 1);
	if (diag.first != NULL) {
		bool said = strstr(diag.first->text, words) != NULL;
		CU_ASSERT_TRUE(said);
		CU_ASSERT_EQUAL(diag.first->level, level);
		CU_ASSERT_EQUAL(diag.first->at.line, line);
		CU_ASSERT_STRING_EQUAL(diag.first->file, "conf.yaml");
		if (!said) {
			printf("\n    %s", diag.first->text);
		}
	}
	lists_unref(&lists);
	diag_release(&diag);
}

/* --- folders --- */

static char *folder_new(void)
{
	static char path[40];
	snprintf(path, sizeof(path), "/tmp/tlscribe-lists-XXXXXX");
	if (mkdtemp(path) == NULL) {
		exit(99);
	}
	return path;
}

/* Writes folder/name; returns the path, which lives as long as the program. */
static char *put(const char *folder, const char *name, struct slice content)
{
	char text[256];
	int len = snprintf(text, sizeof(text), "%s/%s", folder, name);
	char *path = (char *)pki_keep(slice_of(text, (size_t)len + 1)).data;
	FILE *file = fopen(path, "w");
	if (file == NULL || fwrite(content.data, 1, content.len, file) != content.len ||
	    fclose(file) != 0) {
		exit(99);
	}
	return path;
}

static void every_file_is_read_and_told_of(void)
{
	const struct pki_cert *second = crl_pki_ca("CN=Second", PKI_P256_B, ca());
	char *crls =
		pki_file(pki_join(crl_pki_pem(good_crl()), crl_pki_pem(crl_of(second, -5, 500))));
	char *der = pki_file(good_crl());
	char *allow = pki_file(SLICE(FINGERPRINT));
	char *deny = pki_file(SLICE("# nobody\n"));
	struct lists *lists = good(&(struct named){.crls = PATHS(crls, der),
	                                           .allow = PATHS(allow),
	                                           .deny = PATHS(deny),
	                                           .revocation = REVOCATION_HARD});
	const struct {
		const char *path;
		const char *kind;
		size_t entries;
		const char *issuer;
	} rows[] = {
		{crls, "crl", 1, "CN=Lists CA"}, {crls, "crl", 1, "CN=Second"},
		{der, "crl", 1, "CN=Lists CA"},  {allow, "allow", 1, NULL},
		{deny, "deny", 0, NULL},
	};
	CU_ASSERT_EQUAL_FATAL(lists_file_count(lists), 5);
	for (size_t i = 0; i < 5; i++) {
		const struct lists_file *file = lists_file_at(lists, i);
		CU_ASSERT_STRING_EQUAL(file->path, rows[i].path);
		CU_ASSERT_STRING_EQUAL(file->kind, rows[i].kind);
		CU_ASSERT_EQUAL(file->entries, rows[i].entries);
		CU_ASSERT_EQUAL(file->issuer == NULL, rows[i].issuer == NULL);
		if (rows[i].issuer != NULL) {
			CU_ASSERT_STRING_EQUAL(file->issuer, rows[i].issuer);
			CU_ASSERT(file->this_update_s < file->next_update_s);
		} else {
			CU_ASSERT_EQUAL(file->this_update_s, 0);
		}
	}
	CU_ASSERT_EQUAL(
		memcmp(lists_file_at(lists, 0)->sha256, lists_file_at(lists, 1)->sha256, 32), 0);
	CU_ASSERT_NOT_EQUAL(
		memcmp(lists_file_at(lists, 1)->sha256, lists_file_at(lists, 2)->sha256, 32), 0);
	struct lists *again = lists_ref(lists);
	lists_unref(&lists);
	CU_ASSERT_PTR_NULL(lists);
	CU_ASSERT_EQUAL(lists_file_count(again), 5);
	lists_unref(&again);
	lists_unref(&again);
}

static void folders_give_their_files_in_order(void)
{
	char *folder = folder_new();
	char inner[64];
	snprintf(inner, sizeof(inner), "%s/inner", folder);
	CU_ASSERT_EQUAL(mkdir(inner, 0700), 0);
	/* A folder in it, and what editors leave, are no CRLs. */
	char *hidden = put(folder, ".b.crl.swp", SLICE("garbage"));
	says(&(struct named){.crls = PATHS(folder)}, DIAG_ERROR, 10, "has no file in it");
	char *c = put(folder, "c.crl", good_crl());
	char *a = put(folder, "a", crl_pki_pem(good_crl()));
	char *b = put(folder, "b.pem", crl_pki_pem(good_crl()));
	struct lists *lists = good(&(struct named){.crls = PATHS(folder)});
	CU_ASSERT_EQUAL_FATAL(lists_file_count(lists), 3);
	CU_ASSERT_STRING_EQUAL(lists_file_at(lists, 0)->path, a);
	CU_ASSERT_STRING_EQUAL(lists_file_at(lists, 1)->path, b);
	CU_ASSERT_STRING_EQUAL(lists_file_at(lists, 2)->path, c);
	lists_unref(&lists);
	/* However the folder is written, its files have one name. */
	char *slash = NULL;
	CU_ASSERT_NOT_EQUAL_FATAL(asprintf(&slash, "%s//", folder), -1);
	lists = good(&(struct named){.crls = PATHS(slash)});
	CU_ASSERT_STRING_EQUAL(lists_file_at(lists, 0)->path, a);
	lists_unref(&lists);
	free(slash);
	/* One that is wrong is named. */
	char *wrong = put(folder, "readme", SLICE("hello"));
	says(&(struct named){.crls = PATHS(folder)}, DIAG_ERROR, 10, wrong);
	unlink(wrong);
	/* So is one that leads nowhere: somebody counts on it. */
	CU_ASSERT_EQUAL(symlink("/tmp/tlscribe-no-such-crl", wrong), 0);
	says(&(struct named){.crls = PATHS(folder)}, DIAG_ERROR, 10, wrong);
	unlink(wrong);
	CU_ASSERT_EQUAL(symlink(c, wrong), 0);
	lists = good(&(struct named){.crls = PATHS(folder)});
	CU_ASSERT_EQUAL(lists_file_count(lists), 4);
	lists_unref(&lists);
	char *const all[] = {wrong, a, b, c, hidden};
	for (size_t i = 0; i < 5; i++) {
		unlink(all[i]);
	}
	rmdir(inner);
	CU_ASSERT_EQUAL(rmdir(folder), 0);
}

static void whatever_is_wrong_is_told_in_one_run(void)
{
	struct diag diag;
	struct lists *lists = load(
		&(struct named){
			.crls = PATHS((char *)"/tmp/tlscribe-no-such-crl", pki_file(good_crl()),
	                              pki_file(SLICE("garbage"))),
			.allow = PATHS((char *)"/tmp/tlscribe-no-such-list",
	                               pki_file(SLICE("x\ny\n"))),
			.deny = PATHS(pki_file(SLICE("sha256 1\n"))),
		},
		&diag);
	CU_ASSERT_PTR_NULL(lists);
	CU_ASSERT_EQUAL(diag.errors, 6);
	/* In the configuration, and in the lists themselves. */
	static const unsigned lines[] = {10, 12, 30, 1, 2, 1};
	unsigned sum = 0;
	for (const struct diag_item *item = diag.first; item != NULL; item = item->next) {
		bool known = false;
		for (size_t i = 0; i < 6; i++) {
			known = known || item->at.line == lines[i];
		}
		CU_ASSERT_TRUE(known);
		sum += item->at.line;
	}
	CU_ASSERT_EQUAL(sum, 10 + 12 + 30 + 1 + 2 + 1);
	diag_release(&diag);
}

static void indirect_crls_are_refused_with_a_word(void)
{
	/* issuingDistributionPoint: indirectCRL TRUE (RFC 5280 5.2.5) */
	struct slice value = SLICE("\x30\x03\x84\x01\xff");
	struct slice indirect = crl_pki_make(&(struct crl_pki_spec){
		.issuer = ca(), .extensions = {crl_pki_extension("2.5.29.28", true, value)}});
	says(&(struct named){.crls = PATHS(pki_file(indirect))}, DIAG_ERROR, 10, "indirect");
}

static char *cache_file(const char *folder, const char *url)
{
	struct buf path;
	buf_init(&path, 4096);
	crl_cache_path(&path, folder, url);
	char *kept = (char *)pki_keep(buf_slice(&path)).data;
	buf_release(&path);
	return kept;
}

static void fetched_crls_are_taken_from_their_folder(void)
{
	char *folder = folder_new();
	char *urls[] = {(char *)"http://crl.example/a.crl", (char *)"http://crl.example/b.crl",
	                NULL};
	struct named named = {.urls = urls, .folder = folder, .revocation = REVOCATION_HARD};
	/* Nothing was fetched yet. */
	struct lists *before = good(&named);
	CU_ASSERT_EQUAL(lists_file_count(before), 0);
	char *path = cache_file(folder, urls[1]);
	CU_ASSERT_EQUAL(strncmp(path, folder, strlen(folder)), 0);
	put(folder, path + strlen(folder) + 1, good_crl());
	struct lists *after = good(&named);
	CU_ASSERT_EQUAL_FATAL(lists_file_count(after), 1);
	CU_ASSERT_STRING_EQUAL(lists_file_at(after, 0)->path, path);
	CU_ASSERT_NOT_EQUAL(memcmp(lists_id(before), lists_id(after), 32), 0);
	/* What the network gave is no fault of the configuration. */
	put(folder, path + strlen(folder) + 1, SLICE("<html>"));
	says(&named, DIAG_WARNING, 21, "http://crl.example/b.crl is not used");
	named.folder = NULL;
	struct lists *nowhere = good(&named);
	CU_ASSERT_EQUAL(lists_file_count(nowhere), 0);
	lists_unref(&before);
	lists_unref(&after);
	lists_unref(&nowhere);
	unlink(path);
	CU_ASSERT_EQUAL(rmdir(folder), 0);
}

static void all_that_can_change_a_verdict_changes_the_id(void)
{
	struct slice crl = good_crl();
	char *a = pki_file(SLICE(FINGERPRINT));
	char *b = pki_file(SLICE("# b\n" FINGERPRINT));
	char *crl_file = pki_file(crl);
	char *other_crl = pki_file(crl_of(ca(), -999, 1000));
	struct trust *deeper = trust_with(5);
	const struct named sets[] = {
		{.revocation = REVOCATION_OFF},
		{.revocation = REVOCATION_SOFT},
		{.revocation = REVOCATION_HARD},
		{.revocation = REVOCATION_HARD, .scope = REVOCATION_LEAF},
		{.trust = deeper},
		{.allow = PATHS(a)},
		{.allow = PATHS(b)},
		{.allow = PATHS(a, b)},
		{.allow = PATHS(b, a)},
		{.deny = PATHS(a)},
		{.allow = PATHS(a), .deny = PATHS(b)},
		{.crls = PATHS(crl_file)},
		{.crls = PATHS(other_crl)},
		{.crls = PATHS(crl_file, other_crl)},
	};
	enum { COUNT = sizeof(sets) / sizeof(sets[0]) };
	struct lists *lists[COUNT];
	for (size_t i = 0; i < COUNT; i++) {
		lists[i] = good(&sets[i]);
		CU_ASSERT_NOT_EQUAL(memcmp(lists_id(lists[i]), trust_id(usual), 32), 0);
		for (size_t k = 0; k < i; k++) {
			CU_ASSERT_NOT_EQUAL(memcmp(lists_id(lists[i]), lists_id(lists[k]), 32), 0);
		}
	}
	/* The same bytes in another file are the same set. */
	struct lists *copy =
		good(&(struct named){.allow = PATHS(pki_file(SLICE(FINGERPRINT))),
	                             .deny = PATHS(pki_file(SLICE("# b\n" FINGERPRINT)))});
	CU_ASSERT_EQUAL(memcmp(lists_id(copy), lists_id(lists[10]), 32), 0);
	lists_unref(&copy);
	copy = good(&(struct named){.crls = PATHS(pki_file(crl))});
	CU_ASSERT_EQUAL(memcmp(lists_id(copy), lists_id(lists[11]), 32), 0);
	lists_unref(&copy);
	for (size_t i = 0; i < COUNT; i++) {
		lists_unref(&lists[i]);
	}
	trust_free(&deeper);
}

static void operators_are_warned_of_crls_that_will_not_do(void)
{
	struct named named = {.crls = PATHS(pki_file(crl_of(ca(), -1000, -10)))};
	says(&named, DIAG_WARNING, 10, "is past its nextUpdate");
	named.crls = PATHS(pki_file(crl_of(ca(), 500, 1000)));
	says(&named, DIAG_WARNING, 10, "not current before its thisUpdate");
	/* The name of an anchor, another key. */
	const struct pki_cert *namesake = crl_pki_ca("CN=Lists CA", PKI_P256_D, NULL);
	named.crls = PATHS(pki_file(crl_of(namesake, -1000, 1000)));
	says(&named, DIAG_WARNING, 10, "that one's key did not sign it");
	/* A name that no anchor has may be an intermediate's: nothing is said. */
	const struct pki_cert *other = crl_pki_ca("CN=Anybody", PKI_P256_D, NULL);
	named.crls = PATHS(pki_file(crl_of(other, -1000, 1000)));
	struct lists *lists = good(&named);
	lists_unref(&lists);
	/* Unless there can be none. */
	struct trust *flat = trust_with(0);
	named.trust = flat;
	says(&named, DIAG_WARNING, 10, "max_depth is 0");
	named.crls = PATHS(pki_file(good_crl()));
	lists = good(&named);
	lists_unref(&lists);
	trust_free(&flat);
	/* The key of one of the issuers counts as well. */
	struct trust *issuers = pki_trust(&(struct pki_trust_spec){
		.anchors = {ca()}, .issuers = {namesake}, .profile = PROFILE_MEDIUM, .max_depth = 4});
	named.trust = issuers;
	named.crls = PATHS(pki_file(crl_of(namesake, -1000, 1000)));
	lists = good(&named);
	lists_unref(&lists);
	trust_free(&issuers);
}

static void operators_are_warned_of_cas_without_a_crl(void)
{
	const struct pki_cert *other = crl_pki_ca("CN=Anybody", PKI_P256_D, NULL);
	struct named named = {.crls = PATHS(pki_file(crl_of(other, -1000, 1000))),
	                      .revocation = REVOCATION_HARD};
	says(&named, DIAG_WARNING, 10, "no CRL of the CA CN=Lists CA");
	/* An intermediate has the leaf, maybe, and its CRL is this one. */
	named.scope = REVOCATION_LEAF;
	struct lists *lists = good(&named);
	lists_unref(&lists);
	named.scope = REVOCATION_PATH;
	named.revocation = REVOCATION_SOFT;
	lists = good(&named);
	lists_unref(&lists);
	/* What is fetched may be it. */
	named.revocation = REVOCATION_HARD;
	named.urls = PATHS((char *)"http://crl.example/a.crl");
	named.folder = "/tmp/tlscribe-no-such-folder";
	lists = good(&named);
	lists_unref(&lists);
	named.urls = NULL;
	named.crls = PATHS(pki_file(good_crl()), pki_file(crl_of(other, -1000, 1000)));
	lists = good(&named);
	lists_unref(&lists);
}

static void a_crl_that_did_not_change_is_one_object(void)
{
	struct crl_store *store;
	CU_ASSERT_EQUAL_FATAL(crl_store_new(&store), E_OK);
	char *crl = pki_file(good_crl());
	struct lists *first = good(&(struct named){.crls = PATHS(crl), .store = store});
	struct lists *second = good(&(struct named){
		.crls = PATHS(crl), .deny = PATHS(pki_file(SLICE(""))), .store = store});
	CU_ASSERT_EQUAL(first->crl_count, 1);
	CU_ASSERT_PTR_EQUAL(first->crls[0], second->crls[0]);
	/* It outlives the store, and the set that was first. */
	crl_store_free(&store);
	lists_unref(&first);
	struct crl_entry entry;
	CU_ASSERT_TRUE(crl_find(second->crls[0], SLICE("\x11"), &entry));
	lists_unref(&second);
}

static void pinned_services_take_no_serial_numbers(void)
{
	struct trust *pinned = pki_trust(&(struct pki_trust_spec){.pinned = true});
	char *serials = pki_file(SLICE("serial 12 issuer CN=x\n"));
	struct diag diag;
	CU_ASSERT_PTR_NULL(load(&(struct named){.allow = PATHS(serials), .trust = pinned}, &diag));
	CU_ASSERT_EQUAL(diag.errors, 1);
	diag_release(&diag);
	/* To deny by them is fine. */
	struct lists *lists = good(&(struct named){.allow = PATHS(pki_file(SLICE(FINGERPRINT))),
	                                           .deny = PATHS(serials),
	                                           .trust = pinned});
	lists_unref(&lists);
	trust_free(&pinned);
}

static const struct unit_test tests[] = {
	{"every file is read and told of", every_file_is_read_and_told_of},
	{"folders give their files in order", folders_give_their_files_in_order},
	{"whatever is wrong is told in one run", whatever_is_wrong_is_told_in_one_run},
	{"indirect CRLs are refused with a word", indirect_crls_are_refused_with_a_word},
	{"fetched CRLs are taken from their folder", fetched_crls_are_taken_from_their_folder},
	{"all that can change a verdict changes the id",
         all_that_can_change_a_verdict_changes_the_id},
	{"operators are warned of CRLs that will not do",
         operators_are_warned_of_crls_that_will_not_do},
	{"operators are warned of CAs without a CRL", operators_are_warned_of_cas_without_a_crl},
	{"a CRL that did not change is one object", a_crl_that_did_not_change_is_one_object},
	{"pinned services take no serial numbers", pinned_services_take_no_serial_numbers},
};

int main(void)
{
	usual = trust_with(4);
	int code = unit_run("peer/lists", tests, sizeof(tests) / sizeof(tests[0]));
	trust_free(&usual);
	crl_pki_release();
	return code;
}
