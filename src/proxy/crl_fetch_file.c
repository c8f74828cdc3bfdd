#include "proxy/crl_fetch_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "peer/crl_store.h"

/* --- the CRLs of a file --- */

struct crl_set {
	struct crl **items;
	size_t count;
};

static int add(void *context, struct crl *crl, const uint8_t sha256[static 32])
{
	(void)sha256;
	struct crl_set *set = context;
	struct crl **items = reallocarray(set->items, set->count + 1, sizeof(*items));
	if (items == NULL) {
		crl_unref(&crl);
		return E_NOMEM;
	}
	set->items = items;
	set->items[set->count++] = crl;
	return E_OK;
}

static void set_release(struct crl_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		crl_unref(&set->items[i]);
	}
	free(set->items);
	*set = (struct crl_set){0};
}

/* Ends with set_release(), after a failure, too. */
static int set_read(struct crl_set *set, const char *path, const char **why)
{
	struct crl_store *store = NULL;
	*set = (struct crl_set){0};
	*why = err_text(E_NOMEM);
	int err = crl_store_new(&store);
	if (err == E_OK) {
		err = crl_store_read(store, path, add, set, why);
	}
	crl_store_free(&store);
	if (err != E_OK) {
		set_release(set);
	}
	return err;
}

static struct crl_facts facts_of(const struct crl_set *set)
{
	struct crl_facts facts = {.count = set->count};
	for (size_t i = 0; i < set->count; i++) {
		const struct crl_info *info = crl_info(set->items[i]);
		facts.entries += info->entries;
		if (i == 0 || info->this_update_s < facts.this_update_s) {
			facts.this_update_s = info->this_update_s;
		}
		if (info->next_update_s != 0 &&
		    (facts.next_update_s == 0 || info->next_update_s < facts.next_update_s)) {
			facts.next_update_s = info->next_update_s;
		}
	}
	return facts;
}

int crl_file_look(const char *path, struct crl_facts *facts)
{
	struct crl_set set;
	const char *why;
	int err = set_read(&set, path, &why);
	*facts = facts_of(&set);
	set_release(&set);
	return err;
}

/* --- is it better? --- */

/* Upper-case hexadecimal, maybe with zeros in front. */
static int compare_numbers(const char *a, const char *b)
{
	a += strspn(a, "0");
	b += strspn(b, "0");
	size_t a_len = strlen(a), b_len = strlen(b);
	return a_len != b_len ? (a_len < b_len ? -1 : 1) : strcmp(a, b);
}

/* RFC 5280 7.1 */
static bool is_same_issuer(const struct crl_info *a, const struct crl_info *b)
{
	return slice_equal(a->issuer_folded, b->issuer_folded);
}

static bool is_same_list(const struct crl_info *a, const struct crl_info *b)
{
	return is_same_issuer(a, b) && slice_equal(a->authority_key_id, b->authority_key_id) &&
	       a->only_users == b->only_users && a->only_cas == b->only_cas;
}

/* By its date; numbers only grow (RFC 5280 5.2.3), but a CA that was restored from a backup begins again, and has later dates. */
static bool is_older(const struct crl_info *a, const struct crl_info *than)
{
	if (a->this_update_s != than->this_update_s) {
		return a->this_update_s < than->this_update_s;
	}
	return a->number[0] != '\0' && than->number[0] != '\0' &&
	       compare_numbers(a->number, than->number) < 0;
}

/* How the CRLs of a file stand to one that is in use. */
struct comparison {
	bool issuer; /* one is of the same CA, */
	bool list;   /* and of the same key and scope, */
	bool older;  /* but all of those are older */
};

static struct comparison compare(const struct crl_set *new, const struct crl_info *old)
{
	struct comparison found = {.older = true};
	for (size_t i = 0; i < new->count; i++) {
		const struct crl_info *info = crl_info(new->items[i]);
		found.issuer = found.issuer || is_same_issuer(info, old);
		if (is_same_list(info, old)) {
			found.list = true;
			found.older = found.older && is_older(info, old);
		}
	}
	return found;
}

static void explain(char error[static CRL_FETCH_ERROR_LEN], const char *prefix, const char *why)
{
	snprintf(error, CRL_FETCH_ERROR_LEN, "%s%s", prefix, why);
}

static int refuse(char error[static CRL_FETCH_ERROR_LEN], const char *why)
{
	explain(error, "what came is refused: ", why);
	return E_INVALID;
}

/* With what to do if it is right all the same. */
static int refuse_change(char error[static CRL_FETCH_ERROR_LEN], const char *why, const char *path)
{
	snprintf(error, CRL_FETCH_ERROR_LEN,
	         "what came is refused: %s; if that is right, remove %s", why, path);
	return E_INVALID;
}

/* Must `new` not take the place of `old`, which is at `path`? E_INVALID, and why; E_OK. */
static int judge_change(const struct crl_set *new, const struct crl_set *old, const char *path,
                        int64_t now_s, const struct crl_checks *checks,
                        char error[static CRL_FETCH_ERROR_LEN])
{
	for (size_t i = 0; i < old->count; i++) {
		const struct crl_info *info = crl_info(old->items[i]);
		/* It came when its CA was not known here, and is worth nothing: neither are its dates. */
		if (checks->signer(checks->context, old->items[i]) == CRL_SIGNER_FALSE) {
			continue;
		}
		struct comparison found = compare(new, info);
		if (!found.issuer) {
			return refuse_change(error, "it is of another CA than the one in use", path);
		}
		if (found.list && found.older) {
			return refuse(error, "it is older than the one in use");
		}
		if (!found.list && (info->next_update_s == 0 || now_s < info->next_update_s)) {
			return refuse_change(error,
			                     "it is of another key or scope than the one in use, "
			                     "which is still current",
			                     path);
		}
	}
	return E_OK;
}

/* The same of `new` by itself, and of who signed it. */
static int judge(const struct crl_set *new, bool replaces, int64_t now_s,
                 const struct crl_checks *checks, char error[static CRL_FETCH_ERROR_LEN])
{
	for (size_t i = 0; i < new->count; i++) {
		if (crl_info(new->items[i])->this_update_s > now_s + CRL_FETCH_SKEW_S) {
			return refuse(error, "it is from the future");
		}
		enum crl_signer signer = checks->signer(checks->context, new->items[i]);
		if (signer == CRL_SIGNER_FALSE) {
			return refuse(error, "it is not signed by the CA that it names");
		}
		if (signer == CRL_SIGNER_UNKNOWN && replaces && !checks->unknown_replaces) {
			return refuse(error,
			              "nobody can tell whether its CA signed it, and without "
			              "https anybody can make one up; name the CA under `ca` "
			              "or `issuers` of a service that fetches it, or use https");
		}
	}
	return E_OK;
}

/* --- writing --- */

static int write_all(int fd, struct slice bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.data, bytes.len);
		if (n == -1 && errno == EINTR) {
			continue;
		}
		if (n == -1) {
			return err_from_errno();
		}
		bytes = slice_of(bytes.data + n, bytes.len - (size_t)n);
	}
	return E_OK;
}

/* A new file of this name, with these bytes; there is none after a failure. */
static int write_new(const char *path, struct slice bytes)
{
	/* Of a crash, or somebody's link: neither is to be written through. */
	if (unlink(path) == -1 && errno != ENOENT) {
		return err_from_errno();
	}
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1) {
		return err_from_errno();
	}
	int err = write_all(fd, bytes);
	if (close(fd) == -1 && err == E_OK) {
		err = err_from_errno();
	}
	if (err != E_OK) {
		unlink(path);
	}
	return err;
}

static int sync_path(const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
	if (fd == -1) {
		return err_from_errno();
	}
	int err = fsync(fd) == -1 ? err_from_errno() : E_OK;
	close(fd);
	return err;
}

static int sync_folder_of(const char *path)
{
	char *folder = strdup(path);
	if (folder == NULL) {
		return E_NOMEM;
	}
	*strrchr(folder, '/') = '\0';
	int err = sync_path(folder, O_DIRECTORY);
	free(folder);
	return err;
}

static int put_in_place(const char *temporary, const char *path, int64_t modified_s)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_sec = (time_t)modified_s}};
	if (utimensat(AT_FDCWD, temporary, times, AT_SYMLINK_NOFOLLOW) == -1) {
		return err_from_errno();
	}
	int err = sync_path(temporary, 0);
	if (err != E_OK) {
		return err;
	}
	if (rename(temporary, path) == -1) {
		return err_from_errno();
	}
	/* The name is there already: should a crash take it, the old one is, and the next fetch brings the new one again. */
	sync_folder_of(path);
	return E_OK;
}

/* --- taking --- */

static bool holds_already(const char *path, struct slice body)
{
	struct buf content;
	buf_init(&content, body.len);
	bool same = file_load(&content, path, body.len) == E_OK &&
	            slice_equal(buf_slice(&content), body);
	buf_release(&content);
	return same;
}

/* `old` is what is there; the new one is in `temporary`. */
static int replace(const char *path, const char *temporary, const struct crl_set *old,
                   int64_t modified_s, int64_t now_s, const struct crl_checks *checks,
                   struct crl_facts *facts, char error[static CRL_FETCH_ERROR_LEN])
{
	struct crl_set new;
	const char *why;
	int err = set_read(&new, temporary, &why);
	if (err != E_OK) {
		explain(error, "what came is no CRL that can be used: ", why);
		return err;
	}
	err = judge(&new, old->count > 0, now_s, checks, error);
	err = err == E_OK ? judge_change(&new, old, path, now_s, checks, error) : err;
	if (err != E_OK) {
		goto release_new;
	}
	struct crl_facts found = facts_of(&new);
	err = put_in_place(temporary, path, modified_s != 0 ? modified_s : found.this_update_s);
	if (err != E_OK) {
		explain(error, "it cannot be kept below state: ", err_text(err));
		goto release_new;
	}
	*facts = found;

release_new:
	set_release(&new);
	return err;
}

int crl_file_take(const char *path, struct slice body, int64_t modified_s, int64_t now_s,
                  const struct crl_checks *checks, struct crl_facts *facts, bool *changed,
                  char error[static CRL_FETCH_ERROR_LEN])
{
	struct crl_set old;
	const char *why;
	char *temporary = NULL;
	error[0] = '\0';
	*changed = false;
	set_read(&old, path, &why); /* what cannot be read is not worth keeping */
	*facts = facts_of(&old);
	int err = E_OK;
	if (old.count > 0 && holds_already(path, body)) {
		goto release_old;
	}
	if (asprintf(&temporary, "%s.new", path) < 0) {
		temporary = NULL;
		err = E_NOMEM;
		explain(error, "", err_text(err));
		goto release_old;
	}
	err = write_new(temporary, body);
	if (err != E_OK) {
		explain(error, "it cannot be kept below state: ", err_text(err));
		goto release_old;
	}
	err = replace(path, temporary, &old, modified_s, now_s, checks, facts, error);
	*changed = err == E_OK;
	if (err != E_OK) {
		unlink(temporary);
	}

release_old:
	free(temporary);
	set_release(&old);
	return err;
}
