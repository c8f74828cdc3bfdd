#include "peer/crl_store.h"

#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "crl_pki.h"
#include "pki.h"
#include "unit.h"

#define CRLS_MAX 8

/* What a file gave. */
struct result {
	struct crl *crls[CRLS_MAX];
	size_t count;
	uint8_t sha256[32];
	size_t stop_after; /* 0: never */
};

static int take(void *context, struct crl *crl, const uint8_t sha256[static 32])
{
	struct result *result = context;
	if (result->count == CRLS_MAX) {
		exit(99);
	}
	result->crls[result->count++] = crl;
	memcpy(result->sha256, sha256, sizeof(result->sha256));
	return result->count == result->stop_after ? E_NOSPACE : E_OK;
}

static void drop(struct result *result)
{
	while (result->count > 0) {
		crl_unref(&result->crls[--result->count]);
	}
}

static struct crl_store *new_store(void)
{
	struct crl_store *store;
	if (crl_store_new(&store) != E_OK) {
		exit(99);
	}
	return store;
}

static const struct pki_cert *ca(void)
{
	static const struct pki_cert *made;
	if (made == NULL) {
		/* Its signatures are all of one size. */
		made = crl_pki_ca("CN=Issuer,O=Test", PKI_ED25519, NULL);
	}
	return made;
}

/* One that revokes this serial. */
static struct slice crl_of(const char *serial)
{
	return crl_pki_make(&(struct crl_pki_spec){.issuer = ca(),
	                                           .entries = {{.serial = slice_text(serial)}}});
}

static bool lists(const struct crl *crl, const char *serial)
{
	struct crl_entry entry;
	return crl_find(crl, slice_text(serial), &entry);
}

static void write_file(const char *path, struct slice content)
{
	FILE *file = fopen(path, "we");
	if (file == NULL || fwrite(content.data, 1, content.len, file) != content.len ||
	    fclose(file) != 0) {
		exit(99);
	}
}

static int read_into(struct crl_store *store, const char *path, struct result *result)
{
	const char *why = "unset";
	int err = crl_store_read(store, path, take, result, &why);
	if (err != E_OK) {
		CU_ASSERT_PTR_NOT_NULL(why);
		CU_ASSERT(why == NULL || strcmp(why, "unset") != 0);
	}
	return err;
}

/* What reading a file of this content fails with. */
static int error_of(struct slice content)
{
	struct crl_store *store = new_store();
	struct result result = {0};
	int err = read_into(store, pki_file(content), &result);
	CU_ASSERT_EQUAL(result.count, 0);
	drop(&result);
	crl_store_free(&store);
	return err;
}

static void every_crl_of_a_pem_file_is_read(void)
{
	struct crl_store *store = new_store();
	struct result result = {0};
	struct slice text = pki_join(SLICE("Certificate Revocation List (CRL):\n"),
	                             crl_pki_pem(crl_of("\x11")));
	text = pki_join(pki_join(text, pki_pem(ca()->der)), crl_pki_pem(crl_of("\x12")));
	CU_ASSERT_EQUAL(read_into(store, pki_file(text), &result), E_OK);
	CU_ASSERT_EQUAL_FATAL(result.count, 2);
	CU_ASSERT(lists(result.crls[0], "\x11") && !lists(result.crls[0], "\x12"));
	CU_ASSERT(lists(result.crls[1], "\x12") && !lists(result.crls[1], "\x11"));
	uint8_t sha256[32];
	gnutls_hash_fast(GNUTLS_DIG_SHA256, text.data, text.len, sha256);
	CU_ASSERT_EQUAL(memcmp(result.sha256, sha256, sizeof(sha256)), 0);
	drop(&result);
	crl_store_free(&store);
}

static void a_der_file_is_read(void)
{
	struct crl_store *store = new_store();
	struct result result = {0};
	CU_ASSERT_EQUAL(read_into(store, pki_file(crl_of("\x11")), &result), E_OK);
	CU_ASSERT_EQUAL_FATAL(result.count, 1);
	CU_ASSERT(lists(result.crls[0], "\x11"));
	drop(&result);
	crl_store_free(&store);
}

static void a_file_that_is_not_whole_is_refused(void)
{
	struct slice der = crl_of("\x11");
	struct slice pem = crl_pki_pem(der);
	struct slice two = pki_join(pem, crl_pki_pem(crl_of("\x12")));
	for (size_t len = 0; len < der.len; len += 7) {
		CU_ASSERT_EQUAL(error_of(slice_of(der.data, len)), E_INVALID);
	}
	/* The last newline may be missing. */
	for (size_t len = 0; len < pem.len - 1; len += 7) {
		CU_ASSERT_EQUAL(error_of(slice_of(pem.data, len)), E_INVALID);
	}
	for (size_t len = pem.len + 11; len < two.len - 1; len += 7) {
		CU_ASSERT_EQUAL(error_of(slice_of(two.data, len)), E_INVALID);
	}
	/* Behind half a certificate there may have been a CRL. */
	struct slice certificate = pki_pem(ca()->der);
	CU_ASSERT_EQUAL(error_of(pki_join(pem, slice_of(certificate.data, certificate.len - 30))),
	                E_INVALID);
	CU_ASSERT_EQUAL(error_of(pki_join(slice_of(pem.data, pem.len - 30), pem)), E_INVALID);
}

static void files_without_a_good_crl_are_refused(void)
{
	struct slice good = crl_pki_pem(crl_of("\x11"));
	CU_ASSERT_EQUAL(error_of(SLICE("")), E_INVALID);
	CU_ASSERT_EQUAL(error_of(SLICE("0")), E_INVALID);
	CU_ASSERT_EQUAL(error_of(SLICE("nothing\n")), E_INVALID);
	CU_ASSERT_EQUAL(error_of(pki_pem(ca()->der)), E_INVALID);
	CU_ASSERT_EQUAL(error_of(ca()->der), E_INVALID);
	CU_ASSERT_EQUAL(error_of(pki_join(crl_of("\x11"), crl_of("\x12"))), E_INVALID);
	/* One bad block spoils the file: nobody would miss what it revoked. */
	struct slice bad = crl_pki_pem(slice_of("\x30\x03\x02\x01\x01", 5));
	CU_ASSERT_EQUAL(error_of(pki_join(bad, good)), E_INVALID);
	CU_ASSERT_EQUAL(error_of(SLICE("-----BEGIN X509 CRL-----\n????\n-----END X509 CRL-----\n")),
	                E_INVALID);
	CU_ASSERT_EQUAL(error_of(SLICE("-----BEGIN X509 CRL-----\nMAA=\n-----END CRL-----\n")),
	                E_INVALID);
	CU_ASSERT_EQUAL(error_of(SLICE("-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL--")),
	                E_INVALID);
}

static void what_cannot_be_read_says_why(void)
{
	struct crl_store *store = new_store();
	struct result result = {0};
	char *path = pki_file(SLICE("x"));
	CU_ASSERT_EQUAL(truncate(path, (off_t)CRL_BYTES_MAX + 1), 0);
	CU_ASSERT_EQUAL(read_into(store, path, &result), E_LIMIT);
	CU_ASSERT_EQUAL(unlink(path), 0);
	CU_ASSERT_EQUAL(read_into(store, path, &result), E_NOT_FOUND);
	CU_ASSERT_EQUAL(read_into(store, "/tmp", &result), E_INVALID);
	/* One that nobody writes to: opening it would never end. */
	CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
	CU_ASSERT_EQUAL(read_into(store, path, &result), E_INVALID);
	CU_ASSERT_EQUAL(result.count, 0);
	crl_store_free(&store);
}

static void what_stays_the_same_is_the_same_object(void)
{
	struct crl_store *store = new_store();
	struct result first = {0};
	struct result second = {0};
	struct slice content = crl_pki_pem(crl_of("\x11"));
	char *path = pki_file(content);
	CU_ASSERT_EQUAL(read_into(store, path, &first), E_OK);
	CU_ASSERT_EQUAL(read_into(store, path, &second), E_OK);
	CU_ASSERT_EQUAL_FATAL(first.count, 1);
	CU_ASSERT_EQUAL_FATAL(second.count, 1);
	CU_ASSERT_PTR_EQUAL(first.crls[0], second.crls[0]);
	CU_ASSERT_EQUAL(memcmp(first.sha256, second.sha256, 32), 0);
	drop(&second);
	/* Written anew, with the same bytes. */
	write_file(path, content);
	CU_ASSERT_EQUAL(read_into(store, path, &second), E_OK);
	CU_ASSERT_EQUAL_FATAL(second.count, 1);
	CU_ASSERT_PTR_EQUAL(first.crls[0], second.crls[0]);
	drop(&second);
	drop(&first);
	crl_store_free(&store);
}

static void a_change_is_seen_at_once(void)
{
	struct crl_store *store = new_store();
	char *path = pki_file(crl_of("\x10"));
	/* The same size each time, and often within one tick of the clock that stamps files. */
	for (int i = 0; i < 50; i++) {
		struct result result = {0};
		char serial[] = {(char)(0x20 + i), 0};
		if (i % 2 == 0) {
			write_file(path, crl_of(serial));
		} else {
			char *other = pki_file(crl_of(serial));
			CU_ASSERT_EQUAL(rename(other, path), 0);
		}
		CU_ASSERT_EQUAL(read_into(store, path, &result), E_OK);
		CU_ASSERT_EQUAL_FATAL(result.count, 1);
		CU_ASSERT(lists(result.crls[0], serial));
		drop(&result);
	}
	crl_store_free(&store);
}

static void a_file_that_turns_bad_is_refused_and_read_again_when_good(void)
{
	struct crl_store *store = new_store();
	struct result held = {0};
	struct result result = {0};
	struct slice content = crl_of("\x11");
	char *path = pki_file(content);
	CU_ASSERT_EQUAL(read_into(store, path, &held), E_OK);
	write_file(path, slice_of(content.data, content.len / 2));
	CU_ASSERT_EQUAL(read_into(store, path, &result), E_INVALID);
	CU_ASSERT_EQUAL(result.count, 0);
	CU_ASSERT_EQUAL_FATAL(held.count, 1);
	CU_ASSERT(lists(held.crls[0], "\x11"));
	write_file(path, crl_of("\x12"));
	CU_ASSERT_EQUAL(read_into(store, path, &result), E_OK);
	CU_ASSERT_EQUAL_FATAL(result.count, 1);
	CU_ASSERT(lists(result.crls[0], "\x12"));
	drop(&result);
	drop(&held);
	crl_store_free(&store);
}

static void the_reader_may_stop(void)
{
	struct crl_store *store = new_store();
	struct result result = {.stop_after = 1};
	char *path = pki_file(pki_join(crl_pki_pem(crl_of("\x11")), crl_pki_pem(crl_of("\x12"))));
	CU_ASSERT_EQUAL(read_into(store, path, &result), E_NOSPACE);
	CU_ASSERT_EQUAL(result.count, 1);
	drop(&result);
	crl_store_free(&store);
}

static void purging_keeps_what_somebody_holds(void)
{
	struct crl_store *store = new_store();
	struct result held = {0};
	struct result again = {0};
	char *path = pki_file(pki_join(crl_pki_pem(crl_of("\x11")), crl_pki_pem(crl_of("\x12"))));
	CU_ASSERT_EQUAL(read_into(store, path, &held), E_OK);
	CU_ASSERT_EQUAL_FATAL(held.count, 2);
	/* One of two is enough to keep the file. */
	crl_unref(&held.crls[1]);
	held.count = 1;
	crl_store_purge(store);
	CU_ASSERT(crl_is_shared(held.crls[0]));
	CU_ASSERT_EQUAL(read_into(store, path, &again), E_OK);
	CU_ASSERT_EQUAL_FATAL(again.count, 2);
	CU_ASSERT_PTR_EQUAL(again.crls[0], held.crls[0]);
	drop(&again);
	drop(&held);
	crl_store_free(&store);
}

/* The file was opened since the last call. */
static bool was_opened(int watch)
{
	char events[4096];
	return read(watch, events, sizeof(events)) > 0;
}

/* Reads until the file is no longer opened: its stamp has to be older than a tick of the clock. */
static bool is_remembered(struct crl_store *store, const char *path, int watch)
{
	for (int i = 0; i < 100000; i++) {
		struct result result = {0};
		CU_ASSERT_EQUAL(read_into(store, path, &result), E_OK);
		CU_ASSERT_EQUAL(result.count, 1);
		drop(&result);
		if (!was_opened(watch)) {
			return true;
		}
	}
	return false;
}

static void a_file_is_not_read_again_until_it_is_touched_or_purged(void)
{
	struct crl_store *store = new_store();
	char *path = pki_file(crl_of("\x11"));
	struct result result = {0};
	int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	CU_ASSERT_FATAL(watch != -1 && inotify_add_watch(watch, path, IN_OPEN) != -1);
	CU_ASSERT(is_remembered(store, path, watch));
	CU_ASSERT_EQUAL(chmod(path, 0640), 0);
	CU_ASSERT_EQUAL(read_into(store, path, &result), E_OK);
	CU_ASSERT(was_opened(watch));
	drop(&result);
	CU_ASSERT(is_remembered(store, path, watch));
	/* Nobody holds it. */
	crl_store_purge(store);
	CU_ASSERT_EQUAL(read_into(store, path, &result), E_OK);
	CU_ASSERT(was_opened(watch));
	crl_store_free(&store);
	CU_ASSERT_PTR_NULL(store);
	CU_ASSERT_EQUAL_FATAL(result.count, 1);
	CU_ASSERT_FALSE(crl_is_shared(result.crls[0]));
	CU_ASSERT(lists(result.crls[0], "\x11"));
	drop(&result);
	close(watch);
}

static void a_store_of_nothing_can_be_freed(void)
{
	struct crl_store *store = NULL;
	crl_store_free(&store);
	CU_ASSERT_PTR_NULL(store);
}

static void the_path_of_a_fetched_crl_is_made_of_its_url(void)
{
	struct buf path;
	buf_init(&path, 4096);
	crl_cache_path(&path, "/var/lib/tlscribe/crl", "http://crl.test/ca.crl");
	CU_ASSERT_EQUAL(path.err, E_OK);
	CU_ASSERT_EQUAL(path.len, strlen((const char *)path.data) + 1);
	/* printf http://crl.test/ca.crl | sha256sum */
	CU_ASSERT_STRING_EQUAL((const char *)path.data,
	                       "/var/lib/tlscribe/crl/"
	                       "218b78a11f5f87aa1569203443fa7ae2995356e307bf95c1553de4e6660c80bf"
	                       ".crl");
	buf_release(&path);
}

static const struct unit_test tests[] = {
	{"every CRL of a PEM file is read", every_crl_of_a_pem_file_is_read},
	{"a DER file is read", a_der_file_is_read},
	{"a file that is not whole is refused", a_file_that_is_not_whole_is_refused},
	{"files without a good CRL are refused", files_without_a_good_crl_are_refused},
	{"what cannot be read says why", what_cannot_be_read_says_why},
	{"what stays the same is the same object", what_stays_the_same_is_the_same_object},
	{"a change is seen at once", a_change_is_seen_at_once},
	{"a file that turns bad is refused, and read again when good",
         a_file_that_turns_bad_is_refused_and_read_again_when_good},
	{"the reader may stop", the_reader_may_stop},
	{"purging keeps what somebody holds", purging_keeps_what_somebody_holds},
	{"a file is not read again until it is touched or purged",
         a_file_is_not_read_again_until_it_is_touched_or_purged},
	{"a store of nothing can be freed", a_store_of_nothing_can_be_freed},
	{"the path of a fetched CRL is made of its URL",
         the_path_of_a_fetched_crl_is_made_of_its_url},
};

int main(void)
{
	int code = unit_run("peer/crl_store", tests, sizeof(tests) / sizeof(tests[0]));
	crl_pki_release();
	return code;
}
