/* Any file that calls itself a CRL is read within its bounds; of one that is taken OpenSSL says the same: who signed it, whom it lists.
 * A client gets in under `hard` only by a current list that its issuer signed and that it is not on; one that its issuer lists is
 * revoked; and what nobody signed whom the path knows changes nothing. */
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "chain_check.h"
#include "peer/classify.h"
#include "peer/crl.h"
#include "peer/crl_store.h"
#include "peer/revocation.h"
#include "x509_mutate.h"

#define WORK 16
#define ENTRIES_MAX 512 /* compared with OpenSSL's */

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	return x509_mutate(data, size, max_size, seed);
}

static void must(bool done)
{
	BUG_IF(!done);
}

static struct crl *read_file(const char *name)
{
	gnutls_datum_t content;
	gnutls_datum_t der;
	struct crl *crl;
	const char *why;
	must(gnutls_load_file(fuzz_pki_path(name), &content) >= 0);
	if (gnutls_pem_base64_decode2("X509 CRL", &content, &der) < 0) {
		der = content;
		content.data = NULL;
	}
	must(crl_parse(&crl, slice_of(der.data, der.size), &why) == E_OK);
	gnutls_free(content.data);
	gnutls_free(der.data);
	return crl;
}

/* Made once. */
static struct world {
	struct chain *chain; /* every certificate of fuzz_pki.h */
	X509 *theirs[FUZZ_CERT_COUNT];
	struct crl *of_root;
	struct crl *of_intermediate;
	struct chain *client; /* CLIENT, INTERMEDIATE */
	int fd;               /* a file in memory */
	char path[64];
} world;

static void make_world(void)
{
	struct slice der[FUZZ_CERT_COUNT];
	if (world.chain != NULL) {
		return;
	}
	for (int i = 0; i < FUZZ_CERT_COUNT; i++) {
		der[i] = fuzz_cert((enum fuzz_cert)i);
		const unsigned char *p = der[i].data;
		world.theirs[i] = d2i_X509(NULL, &p, (long)der[i].len);
		must(world.theirs[i] != NULL);
	}
	must(chain_new(&world.chain, der, FUZZ_CERT_COUNT) == E_OK);
	must(chain_parse(world.chain) == E_OK);
	must(chain_new(&world.client,
	               (const struct slice[]){der[FUZZ_CLIENT], der[FUZZ_INTERMEDIATE]}, 2) == E_OK);
	world.of_root = read_file("root.crl");
	world.of_intermediate = read_file("intermediate.crl");
	world.fd = memfd_create("crl", MFD_CLOEXEC);
	must(world.fd != -1);
	snprintf(world.path, sizeof(world.path), "/proc/self/fd/%d", world.fd);
}

static const struct cert *cert(enum fuzz_cert which)
{
	return &world.chain->certs[which];
}

/* --- one CRL against OpenSSL --- */

/* Content of the INTEGER. */
static struct slice serial_of(const ASN1_INTEGER *number, uint8_t *out, size_t cap)
{
	uint8_t *p = out;
	int len = i2d_ASN1_INTEGER(number, NULL);
	must(len > 2 && (size_t)len <= cap && i2d_ASN1_INTEGER(number, &p) == len);
	return slice_of(out + 2, (size_t)len - 2);
}

static int64_t time_of(const ASN1_TIME *at)
{
	struct tm tm;
	must(ASN1_TIME_to_tm(at, &tm) == 1);
	return (int64_t)timegm(&tm);
}

static bool lists_serial(X509_CRL *theirs, struct slice wanted)
{
	STACK_OF(X509_REVOKED) *all = X509_CRL_get_REVOKED(theirs);
	uint8_t bytes[64];
	for (int i = 0; i < sk_X509_REVOKED_num(all); i++) {
		const X509_REVOKED *entry = sk_X509_REVOKED_value(all, i);
		struct slice serial =
			serial_of(X509_REVOKED_get0_serialNumber(entry), bytes, sizeof(bytes));
		if (slice_equal(serial, wanted)) {
			return true;
		}
	}
	return false;
}

static void check_entries(const struct crl *crl, X509_CRL *theirs)
{
	STACK_OF(X509_REVOKED) *all = X509_CRL_get_REVOKED(theirs);
	int count = all == NULL ? 0 : sk_X509_REVOKED_num(all);
	uint8_t bytes[64];
	struct crl_entry found;
	BUG_IF((size_t)count != crl_info(crl)->entries);
	for (int i = 0; i < count && i < ENTRIES_MAX; i++) {
		const X509_REVOKED *entry = sk_X509_REVOKED_value(all, i);
		struct slice serial =
			serial_of(X509_REVOKED_get0_serialNumber(entry), bytes, sizeof(bytes));
		BUG_IF(!crl_find(crl, serial, &found) || found.reason > 10);
		int64_t at = time_of(X509_REVOKED_get0_revocationDate(entry));
		at = at < 0 ? 0 : at > UINT32_MAX ? UINT32_MAX : at;
		/* Of several entries about one certificate the first revocation counts. */
		BUG_IF(found.revoked_at_s > at);
	}
	for (int i = 0; i < FUZZ_CERT_COUNT; i++) {
		struct slice serial = cert((enum fuzz_cert)i)->serial;
		BUG_IF(crl_find(crl, serial, &found) != lists_serial(theirs, serial));
	}
}

static void check_signers(const struct crl *crl, X509_CRL *theirs)
{
	for (int i = 0; i < FUZZ_CERT_COUNT; i++) {
		const struct cert *issuer = cert((enum fuzz_cert)i);
		bool ours = crl_is_signed_by(crl, issuer);
		if (ours) {
			BUG_IF(X509_CRL_verify(theirs, X509_get0_pubkey(world.theirs[i])) != 1);
			BUG_IF((issuer->x509->key_usage & KEY_USAGE_CRL_SIGN) == 0);
		}
	}
}

static void check_info(const struct crl_info *info, size_t size)
{
	chain_check_text(slice_text(info->issuer));
	BUG_IF(strspn(info->number, "0123456789ABCDEF") != strlen(info->number));
	BUG_IF(info->next_update_s != 0 && info->next_update_s < info->this_update_s);
	BUG_IF(info->entries > size / 2 || (info->only_users && info->only_cas));
	/* 16 octets an entry, and besides what the rest of it is made to, in blocks. */
	BUG_IF(info->bytes > 16 * info->entries + 8 * size + 16384);
}

static void check_against_openssl(const struct crl *crl, struct slice der)
{
	const unsigned char *p = der.data;
	X509_CRL *theirs = d2i_X509_CRL(NULL, &p, (long)der.len);
	check_info(crl_info(crl), der.len);
	/* It reads the values of names more closely than we do, to whom they are bytes (README.md). */
	if (theirs == NULL) {
		return;
	}
	BUG_IF(p != der.data + der.len);
	BUG_IF(time_of(X509_CRL_get0_lastUpdate(theirs)) != crl_info(crl)->this_update_s);
	const ASN1_TIME *next = X509_CRL_get0_nextUpdate(theirs);
	BUG_IF((next == NULL) != (crl_info(crl)->next_update_s == 0));
	BUG_IF(next != NULL && time_of(next) != crl_info(crl)->next_update_s);
	check_entries(crl, theirs);
	check_signers(crl, theirs);
	X509_CRL_free(theirs);
}

/* --- what it does to a path --- */

/* What may be concluded from it alone. */
struct meaning {
	bool signs;  /* the client's issuer signed it, and it bears that name */
	bool lists;  /* the client */
	bool clears; /* it would do for the client */
	bool other;  /* another CA of the path signed it */
};

static struct meaning meaning_of(const struct crl *crl, enum profile profile)
{
	const struct crl_info *info = crl_info(crl);
	const struct cert *issuer = cert(FUZZ_INTERMEDIATE);
	struct crl_entry entry;
	struct meaning m = {
		.signs = crl_is_signed_by(crl, issuer),
		.lists = crl_find(crl, cert(FUZZ_CLIENT)->serial, &entry),
		.other = crl_is_signed_by(crl, cert(FUZZ_ROOT)),
	};
	m.clears = m.signs && !m.lists && info->this_update_s <= FUZZ_NOW &&
	           (info->next_update_s == 0 || info->next_update_s >= FUZZ_NOW) &&
	           crl_covers(crl, cert(FUZZ_CLIENT)) && crl_weakness(crl, profile) == NULL;
	return m;
}

static void check_path(struct crl *crl, struct revocation_check check)
{
	struct crl *crls[] = {crl, world.of_root};
	const struct cert *path[] = {cert(FUZZ_CLIENT), cert(FUZZ_INTERMEDIATE), cert(FUZZ_ROOT)};
	struct meaning m = meaning_of(crl, check.profile);
	qsort(crls, 2, sizeof(crls[0]), crl_compare);
	check.crls = crls;
	check.crl_count = 2;
	struct findings findings = {0};
	struct revocation told = {0};
	int64_t from = INT64_MIN;
	int64_t until = INT64_MAX;
	unsigned work = WORK;
	BUG_IF(!revocation_check_path(&check, &findings, &told, path, 3, FUZZ_NOW, &from, &until,
	                              &work));
	BUG_IF(work > WORK || from > FUZZ_NOW || until <= FUZZ_NOW);
	bool named = slice_equal(crl_info(crl)->issuer_folded,
	                         cert(FUZZ_INTERMEDIATE)->x509->subject_folded);
	bool leaf_revoked = findings.count > 0 && findings.items[0].class == CLASS_REVOKED &&
	                    findings.items[0].depth == 0;
	BUG_IF(leaf_revoked != (named && m.signs && m.lists));
	BUG_IF((told.status == REVOCATION_GOOD) != (named && m.clears));
	BUG_IF(check.mode == REVOCATION_HARD && findings.count == 0 && !(named && m.clears));
	if (!m.signs && !m.other && check.mode == REVOCATION_SOFT) {
		BUG_IF(findings.count != 0);
	}
}

static void check_paths(struct crl *crl)
{
	for (int i = 0; i < 8; i++) {
		check_path(crl, (struct revocation_check){
					.mode = (i & 1) != 0 ? REVOCATION_HARD : REVOCATION_SOFT,
					.scope = (i & 2) != 0 ? REVOCATION_LEAF : REVOCATION_PATH,
					.profile = (i & 4) != 0 ? PROFILE_MEDIUM : PROFILE_LEGACY,
				});
	}
}

/* --- as a file, PEM or DER, through the judge --- */

static int count_clearing(void *context, struct crl *crl, const uint8_t sha256[static 32])
{
	(void)sha256;
	*(unsigned *)context += meaning_of(crl, PROFILE_MEDIUM).clears ? 1 : 0;
	crl_unref(&crl);
	return E_OK;
}

static void check_file(struct slice file, bool taken)
{
	const struct fuzz_trust *trust = &fuzz_trusts()[FUZZ_TRUST_MEDIUM];
	struct config_text paths[] = {{world.path, {1, 1}},
	                              {(char *)fuzz_pki_path("root.crl"), {1, 1}}};
	struct config_client client = {.crl = {paths, 2, {1, 1}},
	                               .revocation = REVOCATION_HARD,
	                               .revocation_scope = REVOCATION_PATH,
	                               .profile = PROFILE_MEDIUM};
	must(ftruncate(world.fd, 0) == 0 &&
	     pwrite(world.fd, file.data, file.len, 0) == (ssize_t)file.len);
	struct crl_store *store;
	struct lists *lists;
	struct diag diag;
	unsigned clearing = 0;
	const char *why;
	diag_init(&diag);
	must(crl_store_new(&store) == E_OK);
	int read = crl_store_read(store, world.path, count_clearing, &clearing, &why);
	BUG_IF(read == E_NOMEM || (taken && read != E_OK));
	int err = lists_new(&lists, trust->trust, &client, NULL, store, NULL, &diag);
	BUG_IF((err == E_OK) != (read == E_OK) || (err != E_OK) != (diag.errors > 0));
	if (err == E_OK) {
		struct fuzz_trust with = *trust;
		struct verdict *verdict;
		with.lists = lists;
		BUG_IF(peer_judge(&verdict, trust->trust, lists, world.client, FUZZ_NOW) != E_OK);
		chain_check_verdict(verdict, &with, world.client, FUZZ_NOW);
		BUG_IF(verdict->class == CLASS_OK && clearing == 0);
		verdict_unref(&verdict);
		lists_unref(&lists);
	}
	crl_store_free(&store);
	diag_release(&diag);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = fuzz_copy(data, size);
	struct slice bytes = slice_of(copy, size);
	struct crl *crl;
	const char *why = NULL;
	make_world();
	int err = crl_parse(&crl, bytes, &why);
	BUG_IF((err == E_OK) != (why == NULL) || err == E_NOMEM);
	if (err == E_OK) {
		check_against_openssl(crl, bytes);
		check_paths(crl);
		BUG_IF(crl_is_shared(crl));
		crl_unref(&crl);
	}
	if (size > 0) {
		/* Too short a one, which nobody can have signed, is not taken for DER in a file. */
		check_file(bytes, err == E_OK && data[1] >= 0x80);
	}
	free(copy);
	return 0;
}
