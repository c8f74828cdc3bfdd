#include "peer/lists.h"

#include <dirent.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/err.h"
#include "peer/anchors.h"
#include "peer/crl_store.h"
#include "peer/lists_judge.h"

#define LISTS_VERSION "tlscribe lists 1"
#define PATH_BYTES_MAX 8192

/* What lists_new() is about, and where it is: every error is told, so that one run of `check` finds all. */
struct build {
	struct lists *lists;
	const struct trust *trust;
	struct crl_store *store;
	const char *file;
	struct diag *diag;
	gnutls_hash_hd_t hash;
	int64_t now_s;
	int err;          /* the first one, E_NOMEM before others */
	bool awaited;     /* a CRL that is to be fetched is not at hand */
	const char *path; /* of the CRL that is read; borrowed */
	struct mark at;
};

static void fail(struct build *b, int err)
{
	if (b->err == E_OK || err == E_NOMEM) {
		b->err = err == E_NOMEM ? E_NOMEM : E_INVALID;
	}
}

static void hash_bytes(struct build *b, const void *bytes, size_t len)
{
	if (gnutls_hash(b->hash, bytes, len) < 0) {
		fail(b, E_NOMEM);
	}
}

/* Remembers a file that was read; `row->path` is copied. */
static int add_file(struct build *b, struct lists_file row)
{
	struct lists *lists = b->lists;
	if (lists->file_count == lists->file_cap) {
		size_t cap = lists->file_cap == 0 ? 8 : lists->file_cap * 2;
		struct lists_file *files = reallocarray(lists->files, cap, sizeof(*files));
		if (files == NULL) {
			return E_NOMEM;
		}
		lists->files = files;
		lists->file_cap = cap;
	}
	size_t len = strlen(row.path) + 1;
	char *path = arena_alloc(&lists->arena, len);
	if (path == NULL) {
		return E_NOMEM;
	}
	memcpy(path, row.path, len);
	row.path = path;
	lists->files[lists->file_count++] = row;
	/* What a file is, not where: its path shows in no verdict. */
	hash_bytes(b, row.kind, strlen(row.kind) + 1);
	hash_bytes(b, row.sha256, sizeof(row.sha256));
	return E_OK;
}

/* --- CRLs --- */

static void warn_about(struct build *b, const struct crl *crl)
{
	const struct crl_info *info = crl_info(crl);
	char when[CLOCK_TEXT_LEN + 1];
	if (info->next_update_s != 0 && b->now_s > info->next_update_s) {
		clock_format(when, info->next_update_s * 1000000);
		diag_warn(b->diag, b->file, b->at,
		          "CRL %s: that of %s is past its nextUpdate, %.19sZ", b->path,
		          info->issuer, when);
	} else if (b->now_s < info->this_update_s) {
		clock_format(when, info->this_update_s * 1000000);
		diag_warn(b->diag, b->file, b->at,
		          "CRL %s: that of %s is not current before its thisUpdate, %.19sZ",
		          b->path, info->issuer, when);
	}
	enum crl_signer signer = trust_crl_signer(b->trust, crl);
	if (signer == CRL_SIGNER_FALSE) {
		diag_warn(b->diag, b->file, b->at,
		          "CRL %s: has the name of the CA %s, but that one's key did not sign it",
		          b->path, info->issuer);
	} else if (signer == CRL_SIGNER_UNKNOWN && b->trust->max_depth == 0) {
		/* With intermediates it may be the CRL of one that clients send. */
		diag_warn(b->diag, b->file, b->at,
		          "CRL %s: no CA of this service is called %s, and max_depth is 0", b->path,
		          info->issuer);
	}
}

static int grow_crls(struct lists *lists)
{
	if (lists->crl_count < lists->crl_cap) {
		return E_OK;
	}
	size_t cap = lists->crl_cap == 0 ? 8 : lists->crl_cap * 2;
	struct crl **crls = reallocarray(lists->crls, cap, sizeof(struct crl *));
	if (crls == NULL) {
		return E_NOMEM;
	}
	lists->crls = crls;
	lists->crl_cap = cap;
	return E_OK;
}

static int take_crl(void *context, struct crl *crl, const uint8_t sha256[static 32])
{
	struct build *b = context;
	const struct crl_info *info = crl_info(crl);
	struct lists_file row = {
		.path = b->path,
		.kind = "crl",
		.entries = info->entries,
		.issuer = info->issuer,
		.this_update_s = info->this_update_s,
		.next_update_s = info->next_update_s,
	};
	memcpy(row.sha256, sha256, sizeof(row.sha256));
	if (grow_crls(b->lists) != E_OK) {
		crl_unref(&crl);
		return E_NOMEM;
	}
	b->lists->crls[b->lists->crl_count++] = crl;
	warn_about(b, crl);
	return add_file(b, row);
}

static void read_crl(struct build *b, const char *path, struct mark at)
{
	const char *why = NULL;
	b->path = path;
	b->at = at;
	int err = crl_store_read(b->store, path, take_crl, b, &why);
	if (err != E_OK) {
		diag_error(b->diag, b->file, at, "CRL %s: %s", path,
		           why == NULL ? err_text(err) : why);
		fail(b, err);
	}
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* `crl/` and `crl` are the same folder, and its files the same files. */
static int length_of(const char *folder)
{
	size_t len = strnlen(folder, PATH_BYTES_MAX);
	while (len > 0 && folder[len - 1] == '/') {
		len--;
	}
	return (int)len;
}

/* Returns how many files it had. */
static size_t read_folder(struct build *b, const struct config_text *folder,
                          struct dirent *const *names, size_t count)
{
	size_t files = 0;
	for (size_t i = 0; i < count; i++) {
		struct buf path;
		struct stat st;
		buf_init(&path, PATH_BYTES_MAX);
		buf_printf(&path, "%.*s/%s", length_of(folder->text), folder->text,
		           names[i]->d_name);
		buf_append_byte(&path, 0);
		const char *text = (const char *)path.data;
		int err = path.err;
		if (err == E_OK && stat(text, &st) == -1) {
			err = err_from_errno();
		}
		if (err != E_OK) {
			diag_error(b->diag, b->file, folder->at, "CRL %s/%s: %s", folder->text,
			           names[i]->d_name, err_text(err));
			fail(b, err);
		}
		if (err != E_OK || S_ISREG(st.st_mode)) {
			files++;
		}
		if (err == E_OK && S_ISREG(st.st_mode)) {
			read_crl(b, text, folder->at);
		}
		buf_release(&path);
	}
	return files;
}

static void read_crls(struct build *b, const struct config_text *path)
{
	struct stat st;
	if (stat(path->text, &st) == -1 || !S_ISDIR(st.st_mode)) {
		read_crl(b, path->text, path->at);
		return;
	}
	struct dirent **names = NULL;
	int count = scandir(path->text, &names, is_visible, compare_names);
	if (count == -1) {
		int err = err_from_errno();
		diag_error(b->diag, b->file, path->at, "CRL folder %s: %s", path->text,
		           err_text(err));
		fail(b, err);
		return;
	}
	if (read_folder(b, path, names, (size_t)count) == 0) {
		diag_error(b->diag, b->file, path->at, "CRL folder %s: has no file in it",
		           path->text);
		fail(b, E_INVALID);
	}
	for (int i = 0; i < count; i++) {
		free(names[i]);
	}
	free(names);
}

/* What was fetched came from the network: it may be absent, or wrong, and is no fault of the configuration. */
static void read_fetched(struct build *b, const char *folder, const struct config_text *url)
{
	struct buf path;
	buf_init(&path, PATH_BYTES_MAX);
	crl_cache_path(&path, folder, url->text);
	int err = path.err;
	const char *why = NULL;
	if (err == E_OK) {
		b->path = (const char *)path.data;
		b->at = url->at;
		err = crl_store_read(b->store, b->path, take_crl, b, &why);
	}
	b->awaited = b->awaited || err != E_OK;
	if (err == E_NOMEM) {
		fail(b, err);
	} else if (err != E_OK && err != E_NOT_FOUND) {
		diag_warn(b->diag, b->file, url->at, "what was fetched from %s is not used: %s",
		          url->text, why == NULL ? err_text(err) : why);
	}
	buf_release(&path);
}

static void sort_crls(struct lists *lists)
{
	if (lists->crl_count > 0) {
		qsort(lists->crls, lists->crl_count, sizeof(struct crl *), crl_compare);
	}
	lists->revocation.crls = lists->crls;
	lists->revocation.crl_count = lists->crl_count;
}

static bool has_crl_of(const struct lists *lists, const struct cert *ca)
{
	for (size_t i = 0; i < lists->crl_count; i++) {
		if (slice_equal(crl_info(lists->crls[i])->issuer_folded, ca->x509->subject_folded)) {
			return true;
		}
	}
	return false;
}

/* Of intermediates that clients send nothing is known here; the CAs themselves are in every path. */
static void warn_of_missing(struct build *b, const struct config_client *client)
{
	const struct trust *trust = b->trust;
	bool all = client->revocation_scope == REVOCATION_PATH || trust->max_depth == 0;
	if (client->revocation != REVOCATION_HARD || b->awaited || !all ||
	    (client->crl.count == 0 && client->crl_fetch.urls.count == 0)) {
		return;
	}
	struct mark at = client->crl.count > 0 ? client->crl.at : client->crl_fetch.at;
	for (size_t i = 0; i < trust->ca.count; i++) {
		const struct anchor *ca = &trust->ca.items[i];
		if (ca->cert.x509->ca && !has_crl_of(b->lists, &ca->cert)) {
			diag_warn(b->diag, b->file, at,
			          "there is no CRL of the CA %s: with revocation: hard everybody "
			          "below it is revocation_unknown",
			          ca->shown.subject);
		}
	}
}

/* --- allow and deny --- */

static void read_lists(struct build *b, const struct config_texts *paths, enum list_use use,
                       struct list_file ***lists, size_t *count)
{
	*lists = paths->count == 0 ? NULL : calloc(paths->count, sizeof(struct list_file *));
	if (paths->count > 0 && *lists == NULL) {
		fail(b, E_NOMEM);
		return;
	}
	for (size_t i = 0; i < paths->count; i++) {
		struct list_file *list;
		int err = list_file_read(&list, &paths->items[i], use, b->file, b->diag);
		if (err != E_OK) {
			fail(b, err);
			continue;
		}
		(*lists)[(*count)++] = list;
		struct lists_file row = {
			.path = paths->items[i].text,
			.kind = use == LIST_DENY ? "deny" : "allow",
			.entries = list_file_entries(list),
		};
		memcpy(row.sha256, list_file_sha256(list), sizeof(row.sha256));
		err = add_file(b, row);
		if (err != E_OK) {
			fail(b, err);
		}
	}
}

/* --- the set --- */

static void read_all(struct build *b, const struct config_client *client, const char *folder)
{
	for (size_t i = 0; i < client->crl.count; i++) {
		read_crls(b, &client->crl.items[i]);
	}
	for (size_t i = 0; folder != NULL && i < client->crl_fetch.urls.count; i++) {
		read_fetched(b, folder, &client->crl_fetch.urls.items[i]);
	}
	struct lists *lists = b->lists;
	sort_crls(lists);
	if (b->err == E_OK) {
		warn_of_missing(b, client);
	}
	read_lists(b, &client->allow, b->trust->pinned ? LIST_PINNED : LIST_ALLOW, &lists->allow,
	           &lists->allow_count);
	read_lists(b, &client->deny, LIST_DENY, &lists->deny, &lists->deny_count);
}

int lists_new(struct lists **out, const struct trust *trust, const struct config_client *client,
              const char *folder, struct crl_store *store, const char *file, struct diag *diag)
{
	struct lists *lists = calloc(1, sizeof(*lists));
	if (lists == NULL) {
		return E_NOMEM;
	}
	atomic_init(&lists->refs, 1);
	lists->revocation.mode = client->revocation;
	lists->revocation.scope = client->revocation_scope;
	lists->revocation.profile = client->profile;
	struct build b = {
		.lists = lists,
		.trust = trust,
		.store = store,
		.file = file,
		.diag = diag,
		.now_s = clock_wall_us() / 1000000,
		.awaited = folder == NULL && client->crl_fetch.urls.count > 0,
	};
	if (gnutls_hash_init(&b.hash, GNUTLS_DIG_SHA256) < 0) {
		lists_unref(&lists);
		return E_NOMEM;
	}
	const uint8_t modes[] = {(uint8_t)client->revocation, (uint8_t)client->revocation_scope};
	hash_bytes(&b, LISTS_VERSION, sizeof(LISTS_VERSION));
	hash_bytes(&b, trust_id(trust), 32);
	hash_bytes(&b, modes, sizeof(modes));
	read_all(&b, client, folder);
	gnutls_hash_deinit(b.hash, lists->id);
	if (b.err != E_OK) {
		lists_unref(&lists);
		return b.err;
	}
	*out = lists;
	return E_OK;
}

struct lists *lists_ref(struct lists *lists)
{
	atomic_fetch_add_explicit(&lists->refs, 1, memory_order_relaxed);
	return lists;
}

static void free_lists(struct list_file **lists, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		list_file_free(&lists[i]);
	}
	free(lists);
}

void lists_unref(struct lists **lists)
{
	struct lists *l = *lists;
	*lists = NULL;
	if (l == NULL || atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1) {
		return;
	}
	for (size_t i = 0; i < l->crl_count; i++) {
		crl_unref(&l->crls[i]);
	}
	free(l->crls);
	free_lists(l->allow, l->allow_count);
	free_lists(l->deny, l->deny_count);
	free(l->files);
	arena_release(&l->arena);
	free(l);
}

const uint8_t *lists_id(const struct lists *lists)
{
	return lists->id;
}

size_t lists_file_count(const struct lists *lists)
{
	return lists->file_count;
}

const struct lists_file *lists_file_at(const struct lists *lists, size_t i)
{
	BUG_IF(i >= lists->file_count);
	return &lists->files[i];
}
