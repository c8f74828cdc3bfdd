#include "proxy/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/err.h"
#include "http/identity.h"
#include "net/proxy_protocol.h"
#include "proxy/route.h"

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

static int build_routes(struct plan *p, struct listener_routes *routes,
                        const struct config_listener *listener)
{
	routes->config = listener;
	size_t room = 0;
	for (size_t i = 0; i < p->service_count; i++) {
		room += p->services[i].config->server_names.count;
	}
	routes->names = calloc(room + 1, sizeof(*routes->names));
	if (routes->names == NULL) {
		return E_NOMEM;
	}
	for (size_t i = 0; i < p->service_count; i++) {
		const struct config_service *service = p->services[i].config;
		if (!listens(listener, service)) {
			continue;
		}
		if (service->is_default) {
			routes->fallback = &p->services[i];
		}
		for (size_t n = 0; n < service->server_names.count; n++) {
			routes->names[routes->name_count++] = (struct route_name){
				service->server_names.items[n].text, &p->services[i]};
		}
	}
	qsort(routes->names, routes->name_count, sizeof(*routes->names), compare_names);
	return E_OK;
}

/* --- the back ends of all --- */

static int add_back_end(struct plan *p, struct upstream *upstream, const struct service *service)
{
	if (upstream == NULL) {
		return E_OK;
	}
	struct back_end *all = reallocarray(p->back_ends, p->back_end_count + 1, sizeof(*all));
	if (all == NULL) {
		return E_NOMEM;
	}
	p->back_ends = all;
	all[p->back_end_count++] = (struct back_end){upstream, service};
	return E_OK;
}

static int collect_back_ends(struct plan *p)
{
	int err = E_OK;
	for (size_t i = 0; err == E_OK && i < p->service_count; i++) {
		const struct service *service = &p->services[i];
		err = add_back_end(p, service->upstream, service);
		err = err == E_OK ? add_back_end(p, service->quarantine, service) : err;
		for (size_t r = 0; err == E_OK && r < routes_count(service->routes); r++) {
			err = add_back_end(p, routes_at(service->routes, r)->upstream, service);
		}
	}
	return err;
}

/* --- header names that no client may send --- */

static int build_names(struct plan *p)
{
	int err = identity_names_new(&p->names);
	/* CGI makes HTTP_PROXY of it, which many libraries take for their proxy (CVE-2016-5385). */
	err = err == E_OK ? identity_names_add(p->names, "Proxy") : err;
	for (size_t i = 0; err == E_OK && i < p->service_count; i++) {
		err = identity_names_add_service(p->names, p->services[i].config);
	}
	return err;
}

/* --- the whole --- */

static int build(struct plan *p, struct diag *diag)
{
	p->services = calloc(p->config->service_count + 1, sizeof(*p->services));
	p->listeners = calloc(p->config->listener_count + 1, sizeof(*p->listeners));
	if (p->services == NULL || p->listeners == NULL) {
		return E_NOMEM;
	}
	int err = service_labels(p->config, NULL, &p->labels);
	if (err == E_LIMIT) {
		diag_error(diag, p->config->path, (struct mark){0},
		           "the labels of the node are longer than %d bytes", EVENT_LABELS_MAX);
	}
	for (; p->service_count < p->config->service_count; p->service_count++) {
		int one = service_build(&p->services[p->service_count], p->config,
		                        &p->config->services[p->service_count], diag);
		err = err == E_OK ? one : err;
	}
	for (size_t i = 0; i < p->config->listener_count; i++) {
		int one = networks_new(&p->listeners[i].proxies,
		                       &p->config->listeners[i].proxy_protocol, p->config->path,
		                       diag);
		err = err == E_OK ? one : err;
	}
	for (; err == E_OK && p->listener_count < p->config->listener_count; p->listener_count++) {
		err = build_routes(p, &p->listeners[p->listener_count],
		                   &p->config->listeners[p->listener_count]);
	}
	if (err == E_OK) {
		err = collect_back_ends(p);
		err = err == E_OK ? build_names(p) : err;
	}
	return err;
}

static void destroy(struct plan *p)
{
	for (size_t i = 0; p->services != NULL && i < p->config->service_count; i++) {
		service_release(&p->services[i]);
	}
	for (size_t i = 0; p->listeners != NULL && i < p->config->listener_count; i++) {
		networks_free(&p->listeners[i].proxies);
		free(p->listeners[i].names);
	}
	free((void *)p->labels.data);
	free(p->services);
	free(p->listeners);
	identity_names_free(&p->names);
	free(p->back_ends);
	config_free(&p->config);
	free(p);
}

int plan_build(struct plan **out, struct config **config, struct diag *diag)
{
	struct plan *p = calloc(1, sizeof(*p));
	if (p == NULL) {
		config_free(config);
		return E_NOMEM;
	}
	atomic_init(&p->refs, 1);
	p->config = *config;
	*config = NULL;
	int err = build(p, diag);
	if (err == E_OK && diag->errors > 0) {
		err = E_INVALID;
	}
	if (err != E_OK) {
		destroy(p);
		return err;
	}
	*out = p;
	return E_OK;
}

struct plan *plan_ref(struct plan *plan)
{
	atomic_fetch_add_explicit(&plan->refs, 1, memory_order_relaxed);
	return plan;
}

void plan_unref(struct plan **plan)
{
	struct plan *p = *plan;
	*plan = NULL;
	if (p != NULL && atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1) {
		destroy(p);
	}
}

/* --- the matcher --- */

static const struct service *find(const struct listener_routes *routes, const char *name)
{
	const struct route_name key = {.name = name};
	const struct route_name *found = bsearch(&key, routes->names, routes->name_count,
	                                         sizeof(*routes->names), compare_names);
	return found == NULL ? NULL : found->service;
}

const struct service *plan_match(const struct plan *p, size_t listener, struct slice name)
{
	BUG_IF(listener >= p->listener_count);
	const struct listener_routes *routes = &p->listeners[listener];
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
