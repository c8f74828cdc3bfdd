#include "proxy/snapshot.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/bug.h"
#include "base/err.h"
#include "base/file.h"
#include "net/proxy_protocol.h"
#include "proxy/route.h"
#include "proxy/upstream.h"
#include "tls/client.h"
#include "tls/creds.h"
#include "tls/digest.h"

#define FILE_MAX_BYTES (16 << 20)

struct back_end {
	struct upstream *upstream;
	const struct service *service;
};

struct snapshot {
	_Atomic unsigned refs;
	struct config *config;
	struct slice labels; /* of the node, encoded; ours */
	uint64_t epoch;
	uint8_t sha256[32];
	struct service *services;
	size_t service_count;
	struct listener_routes *listeners;
	size_t listener_count;
	struct back_end *back_ends; /* the services' */
	size_t back_end_count;
	struct identity_names *names;
	struct audit_file *files;
	size_t file_count;
};

/* --- names by listener --- */

static bool listens(const struct config_listener *listener, const struct config_service *service)
{
	for (size_t i = 0; i < listener->services.count; i++) {
		if (strcmp(listener->services.items[i].text, service->name.text) == 0) {
			return true;
		}
	}
	return listener->services.count == 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct route_name *)a)->name, ((const struct route_name *)b)->name);
}

static int build_routes(struct snapshot *s, struct listener_routes *routes,
                        const struct config_listener *listener)
{
	routes->config = listener;
	size_t room = 0;
	for (size_t i = 0; i < s->service_count; i++) {
		room += s->services[i].config->server_names.count;
	}
	routes->names = calloc(room + 1, sizeof(*routes->names));
	if (routes->names == NULL) {
		return E_NOMEM;
	}
	for (size_t i = 0; i < s->service_count; i++) {
		const struct config_service *service = s->services[i].config;
		if (!listens(listener, service)) {
			continue;
		}
		if (service->is_default) {
			routes->fallback = &s->services[i];
		}
		for (size_t n = 0; n < service->server_names.count; n++) {
			routes->names[routes->name_count++] = (struct route_name){
				service->server_names.items[n].text, &s->services[i]};
		}
	}
	qsort(routes->names, routes->name_count, sizeof(*routes->names), compare_names);
	return E_OK;
}

/* --- the files that were read, for audit.config --- */

static bool file_known(const struct snapshot *s, const char *path)
{
	for (size_t i = 0; i < s->file_count; i++) {
		if (strcmp(s->files[i].path, path) == 0) {
			return true;
		}
	}
	return false;
}

static int add_file(struct snapshot *s, const char *path, const char *kind, const char *subject,
                    int64_t not_before_s, int64_t not_after_s)
{
	if (file_known(s, path)) {
		return E_OK;
	}
	struct audit_file *files = reallocarray(s->files, s->file_count + 1, sizeof(*files));
	if (files == NULL) {
		return E_NOMEM;
	}
	s->files = files;
	struct buf content;
	buf_init(&content, FILE_MAX_BYTES + 65536);
	int err = file_load(&content, path, FILE_MAX_BYTES);
	if (err == E_OK) {
		struct audit_file *file = &files[s->file_count++];
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

static int add_anchors(struct snapshot *s, const struct trust *trust)
{
	for (size_t i = 0; i < trust_anchor_count(trust); i++) {
		const struct trust_anchor *anchor = trust_anchor_at(trust, i);
		int err = add_file(s, anchor->file, "ca", anchor->subject, anchor->not_before_s,
		                   anchor->not_after_s);
		if (err != E_OK) {
			return err;
		}
	}
	return E_OK;
}

static int add_certificate(struct snapshot *s, const char *path,
                           const struct tls_certificate_info *info)
{
	return add_file(s, path, "certificate", info->subject, info->not_before_s,
	                info->not_after_s);
}

static int add_service_files(struct snapshot *s, const struct service *service)
{
	int err = add_anchors(s, service->trust);
	for (size_t i = 0; err == E_OK && i < service->config->certificate_count; i++) {
		struct tls_certificate_info info = tls_service_certificate(service->tls, i);
		err = add_certificate(s, service->config->certificates[i].chain.text, &info);
	}
	return err;
}

static int add_upstream_files(struct snapshot *s, const struct upstream *upstream)
{
	const struct config_upstream_tls *tls = &upstream_config(upstream)->tls;
	struct tls_certificate_info info;
	if (upstream_tls(upstream) == NULL) {
		return E_OK;
	}
	int err = add_anchors(s, upstream_trust(upstream, 0));
	return err == E_OK && tls_client_certificate(upstream_tls(upstream), &info)
	               ? add_certificate(s, tls->certificate.chain.text, &info)
	               : err;
}

/* Over the configuration's bytes and path and content of every file: a replaced file under the same path shows. */
static int seal(struct snapshot *s, struct diag *diag)
{
	for (size_t i = 0; i < s->service_count; i++) {
		int err = add_service_files(s, &s->services[i]);
		if (err != E_OK) {
			diag_error(diag, s->config->path, s->services[i].config->at,
			           "a file of service %s changed or went away while it was read",
			           s->services[i].config->name.text);
			return err;
		}
	}
	for (size_t i = 0; i < s->back_end_count; i++) {
		int err = add_upstream_files(s, s->back_ends[i].upstream);
		if (err != E_OK) {
			diag_error(
				diag, s->config->path, upstream_config(s->back_ends[i].upstream)->at,
				"a file of this back end changed or went away while it was read");
			return err;
		}
	}
	struct slice *parts = calloc(1 + 2 * s->file_count, sizeof(*parts));
	if (parts == NULL) {
		return E_NOMEM;
	}
	size_t n = 0;
	parts[n++] = slice_of(s->config->sha256, 32);
	for (size_t i = 0; i < s->file_count; i++) {
		/* With its NUL, so that no two lists of paths read alike. */
		parts[n++] = slice_of(s->files[i].path, strlen(s->files[i].path) + 1);
		parts[n++] = slice_of(s->files[i].sha256, 32);
	}
	digest_sha256(s->sha256, parts, n);
	free(parts);
	return E_OK;
}

/* --- the back ends of all --- */

static int add_back_end(struct snapshot *s, struct upstream *upstream, const struct service *service)
{
	if (upstream == NULL) {
		return E_OK;
	}
	struct back_end *all = reallocarray(s->back_ends, s->back_end_count + 1, sizeof(*all));
	if (all == NULL) {
		return E_NOMEM;
	}
	s->back_ends = all;
	all[s->back_end_count++] = (struct back_end){upstream, service};
	return E_OK;
}

static int collect_back_ends(struct snapshot *s)
{
	int err = E_OK;
	for (size_t i = 0; err == E_OK && i < s->service_count; i++) {
		const struct service *service = &s->services[i];
		err = add_back_end(s, service->upstream, service);
		err = err == E_OK ? add_back_end(s, service->quarantine, service) : err;
		for (size_t r = 0; err == E_OK && r < routes_count(service->routes); r++) {
			err = add_back_end(s, routes_at(service->routes, r)->upstream, service);
		}
	}
	return err;
}

/* --- header names that no client may send --- */

static int build_names(struct snapshot *s)
{
	int err = identity_names_new(&s->names);
	/* CGI makes HTTP_PROXY of it, which many libraries take for their proxy (CVE-2016-5385). */
	err = err == E_OK ? identity_names_add(s->names, "Proxy") : err;
	for (size_t i = 0; err == E_OK && i < s->service_count; i++) {
		err = identity_names_add_service(s->names, s->services[i].config);
	}
	return err;
}

/* --- the whole --- */

static int build(struct snapshot *s, struct diag *diag)
{
	s->services = calloc(s->config->service_count + 1, sizeof(*s->services));
	s->listeners = calloc(s->config->listener_count + 1, sizeof(*s->listeners));
	if (s->services == NULL || s->listeners == NULL) {
		return E_NOMEM;
	}
	int err = service_labels(s->config, NULL, &s->labels);
	if (err == E_LIMIT) {
		diag_error(diag, s->config->path, (struct mark){0},
		           "the labels of the node are longer than %d bytes", EVENT_LABELS_MAX);
	}
	for (; s->service_count < s->config->service_count; s->service_count++) {
		int one = service_build(&s->services[s->service_count], s->config,
		                        &s->config->services[s->service_count], diag);
		err = err == E_OK ? one : err;
	}
	for (size_t i = 0; i < s->config->listener_count; i++) {
		int one = networks_new(&s->listeners[i].proxies,
		                       &s->config->listeners[i].proxy_protocol, s->config->path,
		                       diag);
		err = err == E_OK ? one : err;
	}
	for (; err == E_OK && s->listener_count < s->config->listener_count; s->listener_count++) {
		err = build_routes(s, &s->listeners[s->listener_count],
		                   &s->config->listeners[s->listener_count]);
	}
	if (err == E_OK) {
		err = collect_back_ends(s);
		err = err == E_OK ? build_names(s) : err;
	}
	return err == E_OK ? seal(s, diag) : err;
}

static void destroy(struct snapshot *s)
{
	for (size_t i = 0; s->services != NULL && i < s->config->service_count; i++) {
		service_release(&s->services[i]);
	}
	for (size_t i = 0; s->listeners != NULL && i < s->config->listener_count; i++) {
		networks_free(&s->listeners[i].proxies);
		free(s->listeners[i].names);
	}
	free((void *)s->labels.data);
	free(s->services);
	free(s->listeners);
	identity_names_free(&s->names);
	free(s->back_ends);
	free(s->files);
	config_free(&s->config);
	free(s);
}

int snapshot_build(struct snapshot **out, struct config **config, uint64_t epoch, struct diag *diag)
{
	struct snapshot *s = calloc(1, sizeof(*s));
	if (s == NULL) {
		config_free(config);
		return E_NOMEM;
	}
	atomic_init(&s->refs, 1);
	s->epoch = epoch;
	s->config = *config;
	*config = NULL;
	int err = build(s, diag);
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
	return s->config;
}

const struct identity_names *snapshot_names(const struct snapshot *s)
{
	return s->names;
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
	return s->listener_count;
}

const struct listener_routes *snapshot_listener(const struct snapshot *s, size_t i)
{
	BUG_IF(i >= s->listener_count);
	return &s->listeners[i];
}

size_t snapshot_upstream_count(const struct snapshot *s)
{
	return s->back_end_count;
}

struct upstream *snapshot_upstream(const struct snapshot *s, size_t i)
{
	BUG_IF(i >= s->back_end_count);
	return s->back_ends[i].upstream;
}

const struct service *snapshot_upstream_service(const struct snapshot *s, size_t i)
{
	BUG_IF(i >= s->back_end_count);
	return s->back_ends[i].service;
}

struct slice snapshot_labels(const struct snapshot *s)
{
	return s->labels;
}

const struct audit_file *snapshot_files(const struct snapshot *s, size_t *count)
{
	*count = s->file_count;
	return s->files;
}

/* --- the matcher --- */

static const struct service *find(const struct listener_routes *routes, const char *name)
{
	const struct route_name key = {.name = name};
	const struct route_name *found = bsearch(&key, routes->names, routes->name_count,
	                                         sizeof(*routes->names), compare_names);
	return found == NULL ? NULL : found->service;
}

const struct service *snapshot_match(const struct snapshot *s, size_t listener, struct slice name)
{
	const struct listener_routes *routes = snapshot_listener(s, listener);
	/* RFC 1035: no host name is longer; and one with a NUL inside must not match its front part. */
	char text[256];
	if (name.len == 0 || name.len >= sizeof(text) - 1 ||
	    memchr(name.data, '\0', name.len) != NULL) {
		return routes->fallback;
	}
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.data[i];
		text[i] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
	}
	text[name.len] = '\0';
	/* A literal star is no name: it must not find the wildcard itself. */
	const struct service *service = strchr(text, '*') == NULL ? find(routes, text) : NULL;
	char *dot = strchr(text, '.');
	if (service == NULL && dot != NULL && dot != text && strchr(text, '*') == NULL) {
		dot[-1] = '*';
		service = find(routes, dot - 1);
	}
	return service != NULL ? service : routes->fallback;
}
