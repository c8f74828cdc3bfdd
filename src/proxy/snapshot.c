#include "proxy/snapshot.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/bug.h"
#include "base/err.h"
#include "base/file.h"
#include "proxy/plan.h"
#include "proxy/upstream.h"
#include "tls/client.h"
#include "tls/creds.h"
#include "tls/digest.h"

#define FILE_MAX_BYTES (16 << 20)

struct snapshot {
	_Atomic unsigned refs;
	struct plan *plan;
	uint64_t epoch;
	uint8_t sha256[32];
	struct lists **lists; /* beside the plan's services */
	struct audit_file *files;
	size_t file_count;
};

/* --- the files that were read, for audit.config --- */

/* NULL: it was not read, or there is no snapshot. */
static const struct audit_file *find_file(const struct snapshot *s, const char *path)
{
	for (size_t i = 0; s != NULL && i < s->file_count; i++) {
		if (strcmp(s->files[i].path, path) == 0) {
			return &s->files[i];
		}
	}
	return NULL;
}

/* Room for one more; NULL: out of memory. */
static struct audit_file *grow_files(struct snapshot *s)
{
	struct audit_file *files = reallocarray(s->files, s->file_count + 1, sizeof(*files));
	if (files == NULL) {
		return NULL;
	}
	s->files = files;
	return &files[s->file_count];
}

/* What the plan of `old` was made of is what is in force, whatever stands in the file by now. */
static int add_file(struct snapshot *s, const struct snapshot *old, const char *path,
                    const char *kind, const char *subject, int64_t not_before_s, int64_t not_after_s)
{
	if (find_file(s, path) != NULL) {
		return E_OK;
	}
	struct audit_file *file = grow_files(s);
	if (file == NULL) {
		return E_NOMEM;
	}
	const struct audit_file *before = find_file(old, path);
	if (before != NULL && strcmp(before->kind, kind) == 0) {
		*file = *before;
		s->file_count++;
		return E_OK;
	}
	struct buf content;
	buf_init(&content, FILE_MAX_BYTES + 65536);
	int err = file_load(&content, path, FILE_MAX_BYTES);
	if (err == E_OK) {
		s->file_count++;
		*file = (struct audit_file){.path = path,
		                            .kind = kind,
		                            .subject = subject,
		                            .not_before_s = not_before_s,
		                            .not_after_s = not_after_s};
		digest_sha256(file->sha256, &(struct slice){content.data, content.len}, 1);
	}
	buf_release(&content);
	return err;
}

static int add_anchors(struct snapshot *s, const struct snapshot *old, const struct trust *trust)
{
	for (size_t i = 0; i < trust_anchor_count(trust); i++) {
		const struct trust_anchor *anchor = trust_anchor_at(trust, i);
		int err = add_file(s, old, anchor->file, "ca", anchor->subject,
		                   anchor->not_before_s, anchor->not_after_s);
		if (err != E_OK) {
			return err;
		}
	}
	return E_OK;
}

static int add_certificate(struct snapshot *s, const struct snapshot *old, const char *path,
                           const struct tls_certificate_info *info)
{
	return add_file(s, old, path, "certificate", info->subject, info->not_before_s,
	                info->not_after_s);
}

/* They were hashed when they were read. */
static int add_lists(struct snapshot *s, const struct lists *lists)
{
	for (size_t i = 0; i < lists_file_count(lists); i++) {
		const struct lists_file *from = lists_file_at(lists, i);
		if (find_file(s, from->path) != NULL) {
			continue;
		}
		struct audit_file *file = grow_files(s);
		if (file == NULL) {
			return E_NOMEM;
		}
		*file = (struct audit_file){.path = from->path,
		                            .kind = from->kind,
		                            .subject = from->issuer,
		                            .entries = from->entries,
		                            .this_update_s = from->this_update_s,
		                            .next_update_s = from->next_update_s};
		memcpy(file->sha256, from->sha256, sizeof(file->sha256));
		s->file_count++;
	}
	return E_OK;
}

static int add_service_files(struct snapshot *s, const struct snapshot *old,
                             const struct service *service)
{
	const struct config_texts *issuers = &service->config->client.issuers;
	int err = add_anchors(s, old, service->trust);
	for (size_t i = 0; err == E_OK && i < issuers->count; i++) {
		err = add_file(s, old, issuers->items[i].text, "issuer", NULL, 0, 0);
	}
	err = err == E_OK ? add_lists(s, snapshot_lists(s, service)) : err;
	for (size_t i = 0; err == E_OK && i < service->config->certificate_count; i++) {
		struct tls_certificate_info info = tls_service_certificate(service->tls, i);
		err = add_certificate(s, old, service->config->certificates[i].chain.text, &info);
	}
	return err;
}

static int add_upstream_files(struct snapshot *s, const struct snapshot *old,
                              const struct upstream *upstream)
{
	const struct config_upstream_tls *tls = &upstream_config(upstream)->tls;
	struct tls_certificate_info info;
	if (upstream_tls(upstream) == NULL) {
		return E_OK;
	}
	int err = add_anchors(s, old, upstream_trust(upstream, 0));
	return err == E_OK && tls_client_certificate(upstream_tls(upstream), &info)
	               ? add_certificate(s, old, tls->certificate.chain.text, &info)
	               : err;
}

/* Over the configuration's bytes and path and content of every file: a replaced file under the same path shows. `old` as read_lists() has it. */
static int seal(struct snapshot *s, const struct snapshot *old, struct diag *diag)
{
	for (size_t i = 0; i < s->plan->service_count; i++) {
		int err = add_service_files(s, old, &s->plan->services[i]);
		if (err != E_OK) {
			diag_error(diag, s->plan->config->path, s->plan->services[i].config->at,
			           "a file of service %s changed or went away while it was read",
			           s->plan->services[i].config->name.text);
			return err;
		}
	}
	for (size_t i = 0; i < s->plan->back_end_count; i++) {
		int err = add_upstream_files(s, old, s->plan->back_ends[i].upstream);
		if (err != E_OK) {
			diag_error(
				diag, s->plan->config->path,
				upstream_config(s->plan->back_ends[i].upstream)->at,
				"a file of this back end changed or went away while it was read");
			return err;
		}
	}
	struct slice *parts = calloc(1 + 2 * s->file_count, sizeof(*parts));
	if (parts == NULL) {
		return E_NOMEM;
	}
	size_t n = 0;
	parts[n++] = slice_of(s->plan->config->sha256, 32);
	for (size_t i = 0; i < s->file_count; i++) {
		/* With its NUL, so that no two lists of paths read alike. */
		parts[n++] = slice_of(s->files[i].path, strlen(s->files[i].path) + 1);
		parts[n++] = slice_of(s->files[i].sha256, 32);
	}
	digest_sha256(s->sha256, parts, n);
	free(parts);
	return E_OK;
}

/* --- the whole --- */

static void destroy(struct snapshot *s)
{
	for (size_t i = 0; s->lists != NULL && i < s->plan->service_count; i++) {
		lists_unref(&s->lists[i]);
	}
	free(s->lists);
	free(s->files);
	plan_unref(&s->plan);
	free(s);
}

/* Takes a reference of the plan, on failure too. */
static struct snapshot *snapshot_new(struct plan *plan, uint64_t epoch)
{
	struct snapshot *s = calloc(1, sizeof(*s));
	struct lists **lists = calloc(plan->service_count + 1, sizeof(struct lists *));
	if (s == NULL || lists == NULL) {
		free(s);
		free(lists);
		plan_unref(&plan);
		return NULL;
	}
	atomic_init(&s->refs, 1);
	s->plan = plan;
	s->epoch = epoch;
	s->lists = lists;
	return s;
}

char *snapshot_crl_folder(const struct config *config)
{
	char *folder = NULL;
	return asprintf(&folder, "%s/crl", config->state.text) < 0 ? NULL : folder;
}

/* The lists of every service. With `old` (NULL: none), of the same plan, those that cannot be read are its; else they are an error. */
static int read_lists(struct snapshot *s, const struct snapshot *old, struct crl_store *store,
                      struct diag *diag)
{
	const struct plan *plan = s->plan;
	char *folder = snapshot_crl_folder(plan->config);
	int err = folder == NULL ? E_NOMEM : E_OK;
	for (size_t i = 0; err != E_NOMEM && i < plan->service_count; i++) {
		const struct service *service = &plan->services[i];
		int one = lists_new(&s->lists[i], service->trust, &service->config->client, folder,
		                    store, plan->config->path, diag);
		if (one != E_OK && one != E_NOMEM && old != NULL) {
			s->lists[i] = lists_ref(old->lists[i]);
			one = E_OK;
		}
		err = one == E_OK ? err : one;
	}
	free(folder);
	return err;
}

int snapshot_build(struct snapshot **out, struct config **config, uint64_t epoch,
                   struct crl_store *store, struct diag *diag)
{
	struct plan *plan = NULL;
	struct crl_store *own = NULL;
	int err = plan_build(&plan, config, diag);
	if (err != E_OK) {
		return err;
	}
	struct snapshot *s = snapshot_new(plan, epoch);
	if (s == NULL) {
		return E_NOMEM;
	}
	err = store != NULL ? E_OK : crl_store_new(&own);
	err = err == E_OK ? read_lists(s, NULL, store != NULL ? store : own, diag) : err;
	err = err == E_OK ? seal(s, NULL, diag) : err;
	crl_store_free(&own);
	if (err == E_OK && diag->errors > 0) {
		err = E_INVALID;
	}
	if (err != E_OK) {
		destroy(s);
		return err;
	}
	*out = s;
	return E_OK;
}

static bool same_lists(const struct snapshot *a, const struct snapshot *b)
{
	for (size_t i = 0; i < a->plan->service_count; i++) {
		if (memcmp(lists_id(a->lists[i]), lists_id(b->lists[i]), 32) != 0) {
			return false;
		}
	}
	return true;
}

int snapshot_renew(struct snapshot **out, const struct snapshot *old, uint64_t epoch,
                   struct crl_store *store, struct diag *diag)
{
	struct snapshot *s = snapshot_new(plan_ref(old->plan), epoch);
	if (s == NULL) {
		return E_NOMEM;
	}
	int err = read_lists(s, old, store, diag);
	if (err == E_OK && same_lists(s, old)) {
		err = E_END;
	}
	err = err == E_OK ? seal(s, old, diag) : err;
	if (err != E_OK) {
		destroy(s);
		return err;
	}
	*out = s;
	return E_OK;
}

bool snapshot_same_plan(const struct snapshot *a, const struct snapshot *b)
{
	return a->plan == b->plan;
}

struct snapshot *snapshot_ref(struct snapshot *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void snapshot_unref(struct snapshot **snapshot)
{
	struct snapshot *s = *snapshot;
	*snapshot = NULL;
	if (s != NULL && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1) {
		destroy(s);
	}
}

const struct config *snapshot_config(const struct snapshot *s)
{
	return s->plan->config;
}

const struct identity_names *snapshot_names(const struct snapshot *s)
{
	return s->plan->names;
}

uint64_t snapshot_epoch(const struct snapshot *s)
{
	return s->epoch;
}

const uint8_t *snapshot_sha256(const struct snapshot *s)
{
	return s->sha256;
}

size_t snapshot_listener_count(const struct snapshot *s)
{
	return s->plan->listener_count;
}

const struct listener_routes *snapshot_listener(const struct snapshot *s, size_t i)
{
	BUG_IF(i >= s->plan->listener_count);
	return &s->plan->listeners[i];
}

size_t snapshot_upstream_count(const struct snapshot *s)
{
	return s->plan->back_end_count;
}

struct upstream *snapshot_upstream(const struct snapshot *s, size_t i)
{
	BUG_IF(i >= s->plan->back_end_count);
	return s->plan->back_ends[i].upstream;
}

const struct service *snapshot_upstream_service(const struct snapshot *s, size_t i)
{
	BUG_IF(i >= s->plan->back_end_count);
	return s->plan->back_ends[i].service;
}

struct slice snapshot_labels(const struct snapshot *s)
{
	return s->plan->labels;
}

const struct audit_file *snapshot_files(const struct snapshot *s, size_t *count)
{
	*count = s->file_count;
	return s->files;
}

size_t snapshot_service_count(const struct snapshot *s)
{
	return s->plan->service_count;
}

const struct service *snapshot_service(const struct snapshot *s, size_t i)
{
	BUG_IF(i >= s->plan->service_count);
	return &s->plan->services[i];
}

const struct lists *snapshot_lists(const struct snapshot *s, const struct service *service)
{
	size_t i = (size_t)(service - s->plan->services);
	BUG_IF(i >= s->plan->service_count);
	return s->lists[i];
}

const struct service *snapshot_match(const struct snapshot *s, size_t listener, struct slice name)
{
	return plan_match(s->plan, listener, name);
}
