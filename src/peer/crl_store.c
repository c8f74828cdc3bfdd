#include "peer/crl_store.h"

#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/err.h"
#include "base/file.h"

/* What stays the same for as long as nobody touched the file. */
struct identity {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified;
	struct timespec changed;
};

struct stored_file {
	struct stored_file *next;
	char *path;
	struct identity identity;
	/* The clock that stamps files had moved on when the file was looked at: whoever writes to it later leaves
	 * another `changed`. */
	bool settled;
	uint8_t sha256[32];
	struct crl **crls;
	size_t count;
};

struct crl_store {
	struct stored_file *first;
};

int crl_store_new(struct crl_store **out)
{
	*out = calloc(1, sizeof(**out));
	return *out == NULL ? E_NOMEM : E_OK;
}

static void release_crls(struct stored_file *file)
{
	for (size_t i = 0; i < file->count; i++) {
		crl_unref(&file->crls[i]);
	}
	free(file->crls);
	file->crls = NULL;
	file->count = 0;
}

static void free_file(struct stored_file *file)
{
	if (file != NULL) {
		release_crls(file);
		free(file->path);
		free(file);
	}
}

void crl_store_free(struct crl_store **store)
{
	struct crl_store *s = *store;
	*store = NULL;
	while (s != NULL && s->first != NULL) {
		struct stored_file *file = s->first;
		s->first = file->next;
		free_file(file);
	}
	free(s);
}

static bool is_later(struct timespec a, struct timespec b)
{
	return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

static bool is_same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_same(const struct identity *a, const struct identity *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       is_same_time(a->modified, b->modified) && is_same_time(a->changed, b->changed);
}

static int look_at(const char *path, struct identity *out, bool *settled, const char **why)
{
	struct timespec now;
	struct stat st;
	/* The kernel stamps files by the coarse clock. */
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (stat(path, &st) == -1) {
		int err = err_from_errno();
		*why = err_text(err);
		return err;
	}
	/* Opening a FIFO would wait for somebody. */
	if (!S_ISREG(st.st_mode)) {
		*why = "it is no regular file";
		return E_INVALID;
	}
	if (st.st_size > CRL_BYTES_MAX) {
		*why = "it is too large";
		return E_LIMIT;
	}
	*out = (struct identity){st.st_dev, st.st_ino, st.st_size, st.st_mtim, st.st_ctim};
	*settled = is_later(now, st.st_ctim);
	return E_OK;
}

static int add_crl(struct stored_file *file, struct slice der, const char **why)
{
	struct crl **crls = reallocarray(file->crls, file->count + 1, sizeof(*crls));
	if (crls == NULL) {
		*why = err_text(E_NOMEM);
		return E_NOMEM;
	}
	file->crls = crls;
	int err = crl_parse(&crls[file->count], der, why);
	if (err == E_OK) {
		file->count++;
	}
	return err;
}

static const uint8_t *find(struct slice in, const char *what)
{
	return in.len == 0 ? NULL : memmem(in.data, in.len, what, strlen(what));
}

static bool starts_with(struct slice in, const char *what)
{
	return in.len >= strlen(what) && memcmp(in.data, what, strlen(what)) == 0;
}

static struct slice skip(struct slice in, size_t n)
{
	return slice_of(in.data + n, in.len - n);
}

static int read_block(struct stored_file *file, struct slice block, const char **why)
{
	gnutls_datum_t pem = {(unsigned char *)block.data, (unsigned)block.len};
	gnutls_datum_t der;
	int code = gnutls_pem_base64_decode2("X509 CRL", &pem, &der);
	if (code < 0) {
		int err = code == GNUTLS_E_MEMORY_ERROR ? E_NOMEM : E_INVALID;
		*why = err == E_NOMEM ? err_text(err) : "a PEM block of it cannot be read";
		return err;
	}
	int err = add_crl(file, slice_of(der.data, der.size), why);
	gnutls_free(der.data);
	return err;
}

/* Text between the blocks, and blocks of other things, are passed over, but every block has to be whole: behind half a
 * block the rest of the file may be missing. */
static int read_pem(struct stored_file *file, struct slice text, const char **why)
{
	static const char begin[] = "-----BEGIN ";
	static const char end[] = "-----END ";
	static const char label[] = "X509 CRL-----";
	enum { BEGIN_LEN = sizeof(begin) - 1, END_LEN = sizeof(end) - 1 };
	const uint8_t *at;
	while ((at = find(text, begin)) != NULL) {
		struct slice block = skip(text, (size_t)(at - text.data));
		struct slice inside = skip(block, BEGIN_LEN);
		const uint8_t *last = find(inside, end);
		if (last == NULL ||
		    find(slice_of(inside.data, (size_t)(last - inside.data)), begin)) {
			*why = "a PEM block of it has no end";
			return E_INVALID;
		}
		struct slice tail = skip(inside, (size_t)(last - inside.data) + END_LEN);
		const uint8_t *dashes = find(tail, "-----");
		if (dashes == NULL) {
			*why = "a PEM block of it has no end";
			return E_INVALID;
		}
		text = skip(tail, (size_t)(dashes - tail.data) + 5);
		if (starts_with(inside, label)) {
			if (!starts_with(skip(inside, (size_t)(last - inside.data) + END_LEN),
			                 label)) {
				*why = "a PEM block of it has no end";
				return E_INVALID;
			}
			int err = read_block(
				file, slice_of(block.data, (size_t)(text.data - block.data)), why);
			if (err != E_OK) {
				return err;
			}
		}
	}
	if (file->count == 0) {
		*why = "it has no CRL, neither PEM (X509 CRL) nor DER";
		return E_INVALID;
	}
	return E_OK;
}

static int read_content(struct stored_file *file, struct slice content, const char **why)
{
	/* A CRL is never shorter than 128 bytes, so that its length's first octet is no ASCII, as
	 * that of PEM is. */
	if (content.len >= 2 && content.data[0] == 0x30 && content.data[1] >= 0x80) {
		return add_crl(file, content, why);
	}
	return read_pem(file, content, why);
}

static int share_crls(struct stored_file *file, const struct stored_file *old, const char **why)
{
	file->crls = calloc(old->count, sizeof(struct crl *));
	if (file->crls == NULL) {
		*why = err_text(E_NOMEM);
		return E_NOMEM;
	}
	for (; file->count < old->count; file->count++) {
		file->crls[file->count] = crl_ref(old->crls[file->count]);
	}
	return E_OK;
}

/* Fills hash and CRLs of a new record; what `old`, NULL for none, has of the same bytes stays. */
static int load(struct stored_file *file, const struct stored_file *old, const char **why)
{
	struct buf content;
	buf_init(&content, CRL_BYTES_MAX);
	int err = file_load(&content, file->path, CRL_BYTES_MAX);
	if (err != E_OK) {
		*why = err == E_LIMIT ? "it is too large" : err_text(err);
		goto release_content;
	}
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, content.data, content.len, file->sha256) < 0) {
		err = E_NOMEM;
		*why = err_text(err);
		goto release_content;
	}
	err = old != NULL && memcmp(old->sha256, file->sha256, sizeof(old->sha256)) == 0
	              ? share_crls(file, old, why)
	              : read_content(file, buf_slice(&content), why);

release_content:
	buf_release(&content);
	return err;
}

static struct stored_file **find_path(struct crl_store *store, const char *path)
{
	struct stored_file **at = &store->first;
	while (*at != NULL && strcmp((*at)->path, path) != 0) {
		at = &(*at)->next;
	}
	return at;
}

/* The record of the file as it is now; *out stays the store's. */
static int get(struct crl_store *store, const char *path, struct stored_file **out, const char **why)
{
	/* Looked at before it is read: if it changes in between, it is read once more next time. */
	struct identity identity = {0};
	bool settled = false;
	int err = look_at(path, &identity, &settled, why);
	if (err != E_OK) {
		return err;
	}
	struct stored_file **at = find_path(store, path);
	if (*at != NULL && (*at)->settled && is_same(&(*at)->identity, &identity)) {
		*out = *at;
		return E_OK;
	}
	struct stored_file *file = calloc(1, sizeof(*file));
	if (file == NULL || (file->path = strdup(path)) == NULL) {
		*why = err_text(E_NOMEM);
		free(file);
		return E_NOMEM;
	}
	file->identity = identity;
	file->settled = settled;
	err = load(file, *at, why);
	if (err != E_OK) {
		free_file(file);
		return err;
	}
	if (*at != NULL) {
		struct stored_file *old = *at;
		*at = old->next;
		free_file(old);
	}
	file->next = store->first;
	store->first = file;
	*out = file;
	return E_OK;
}

int crl_store_read(struct crl_store *store, const char *path,
                   int (*use)(void *context, struct crl *crl, const uint8_t sha256[static 32]),
                   void *context, const char **why)
{
	struct stored_file *file;
	*why = NULL;
	int err = get(store, path, &file, why);
	for (size_t i = 0; err == E_OK && i < file->count; i++) {
		err = use(context, crl_ref(file->crls[i]), file->sha256);
		if (err != E_OK) {
			*why = err_text(err);
		}
	}
	return err;
}

static bool is_used(const struct stored_file *file)
{
	for (size_t i = 0; i < file->count; i++) {
		if (crl_is_shared(file->crls[i])) {
			return true;
		}
	}
	return false;
}

void crl_store_purge(struct crl_store *store)
{
	struct stored_file **at = &store->first;
	while (*at != NULL) {
		struct stored_file *file = *at;
		if (is_used(file)) {
			at = &file->next;
		} else {
			*at = file->next;
			free_file(file);
		}
	}
}

void crl_cache_path(struct buf *out, const char *folder, const char *url)
{
	uint8_t sha256[32];
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, url, strlen(url), sha256) < 0) {
		out->err = out->err == E_OK ? E_NOMEM : out->err;
		return;
	}
	buf_append_text(out, folder);
	buf_append_byte(out, '/');
	buf_append_hex(out, slice_of(sha256, sizeof(sha256)), false);
	buf_append_text(out, ".crl");
	buf_append_byte(out, '\0');
}
