#include "config/routes.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bug.h"
#include "config/options.h"

/* A server name as one service has it. */
struct claim {
	const struct config_text *name;
	const struct config_service *service;
	bool reported; /* once is enough, on however many listeners it is wrong */
};

struct routes {
	const struct config *config;
	struct diag *diag;
	struct claim *claims; /* by name, then by place */
	size_t claim_count;
	bool *on;               /* [service]: is on the listener that is looked at */
	bool *used;             /* [service]: is on some listener */
	bool *default_reported; /* [service] */
};

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int order = strcmp(x->name->text, y->name->text);
	if (order != 0) {
		return order;
	}
	const struct mark *p = &x->name->at, *q = &y->name->at;
	return p->line != q->line ? (p->line > q->line) - (p->line < q->line)
	                          : (p->column > q->column) - (p->column < q->column);
}

static void collect_claims(struct routes *r)
{
	for (size_t i = 0; i < r->config->service_count; i++) {
		const struct config_service *service = &r->config->services[i];
		for (size_t n = 0; n < service->server_names.count; n++) {
			r->claims[r->claim_count++] = (struct claim){
				.name = &service->server_names.items[n], .service = service};
		}
	}
	qsort(r->claims, r->claim_count, sizeof(r->claims[0]), compare_claims);
}

static const char *bind_text(const struct config_listener *listener)
{
	return listener->bind.text == NULL ? "?" : listener->bind.text;
}

/* Within one service a name twice is wrong on every listener, and on none. */
static void check_repeated(struct routes *r)
{
	for (size_t i = 1; i < r->claim_count; i++) {
		const struct claim *before = &r->claims[i - 1];
		struct claim *claim = &r->claims[i];
		if (claim->service == before->service &&
		    strcmp(claim->name->text, before->name->text) == 0) {
			diag_error(r->diag, r->config->path, claim->name->at,
			           "the server name %s is in line %u already", claim->name->text,
			           before->name->at.line);
			claim->reported = true;
		}
	}
}

static const struct config_service *find_service(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->service_count; i++) {
		if (config->services[i].name.text != NULL &&
		    strcmp(config->services[i].name.text, name) == 0) {
			return &config->services[i];
		}
	}
	return NULL;
}

static void refuse_service(struct routes *r, const struct config_text *name)
{
	const char *nearest = NULL;
	unsigned best = (unsigned)(strlen(name->text) / 2) + 1;
	for (size_t i = 0; i < r->config->service_count; i++) {
		const char *known = r->config->services[i].name.text;
		unsigned distance = known == NULL ? best : option_distance(name->text, known);
		if (distance < best) {
			best = distance;
			nearest = known;
		}
	}
	diag_error(r->diag, r->config->path, name->at, "services: there is no service %s%s%s%s",
	           name->text, nearest == NULL ? "" : ": did you mean ",
	           nearest == NULL ? "" : nearest, nearest == NULL ? "" : "?");
}

static void mark_services(struct routes *r, const struct config_listener *listener)
{
	size_t count = r->config->service_count;
	bool all = listener->services.at.line == 0;
	for (size_t i = 0; i < count; i++) {
		r->on[i] = all;
		r->used[i] = r->used[i] || all;
	}
	for (size_t i = 0; i < listener->services.count; i++) {
		const struct config_text *name = &listener->services.items[i];
		const struct config_service *service = find_service(r->config, name->text);
		if (service == NULL) {
			refuse_service(r, name);
			continue;
		}
		size_t at = (size_t)(service - r->config->services);
		if (r->on[at]) {
			diag_error(r->diag, r->config->path, name->at,
			           "services: %s is in this list already", name->text);
		}
		r->on[at] = true;
		r->used[at] = true;
	}
}

static void check_claims(struct routes *r, const struct config_listener *listener)
{
	const struct claim *before = NULL;
	for (size_t i = 0; i < r->claim_count; i++) {
		struct claim *claim = &r->claims[i];
		if (!r->on[claim->service - r->config->services]) {
			continue;
		}
		if (before != NULL && before->service != claim->service && !claim->reported &&
		    strcmp(before->name->text, claim->name->text) == 0) {
			diag_error(r->diag, r->config->path, claim->name->at,
			           "the server name %s is taken on listener %s already, by service "
			           "%s in line %u",
			           claim->name->text, bind_text(listener),
			           before->service->name.text == NULL ? "?"
			                                              : before->service->name.text,
			           before->name->at.line);
			claim->reported = true;
		}
		before = claim;
	}
}

static void check_defaults(struct routes *r, const struct config_listener *listener)
{
	const struct config_service *before = NULL;
	for (size_t i = 0; i < r->config->service_count; i++) {
		const struct config_service *service = &r->config->services[i];
		if (!r->on[i] || !service->is_default) {
			continue;
		}
		if (before != NULL && !r->default_reported[i]) {
			diag_error(r->diag, r->config->path, service->default_at,
			           "listener %s has a default service already, in line %u",
			           bind_text(listener), before->default_at.line);
			r->default_reported[i] = true;
		}
		before = before == NULL ? service : before;
	}
}

/* One form for all ways to write an address, so that [::1]:443 and [0:0::1]:0443 are seen to be the same. */
static void normalise(char out[static 512], const char *address)
{
	char host[300];
	struct in6_addr v6;
	const char *colon = strrchr(address, ':');
	if (strncmp(address, "unix:", 5) == 0) {
		snprintf(out, 512, "%s", address);
		return;
	}
	BUG_IF(colon == NULL);
	unsigned long port = strtoul(colon + 1, NULL, 10);
	snprintf(host, sizeof(host), "%.*s", (int)(colon - address), address);
	size_t len = strlen(host);
	if (host[0] == '[' && len > 2) {
		host[len - 1] = '\0';
		char text[INET6_ADDRSTRLEN];
		if (inet_pton(AF_INET6, host + 1, &v6) == 1 &&
		    inet_ntop(AF_INET6, &v6, text, sizeof(text)) != NULL) {
			snprintf(out, 512, "[%s]:%lu", text, port);
			return;
		}
	}
	snprintf(out, 512, "%s:%lu", host, port);
}

static void check_binds(struct routes *r)
{
	for (size_t i = 0; i < r->config->listener_count; i++) {
		const struct config_text *bind = &r->config->listeners[i].bind;
		char one[512], other[512];
		for (size_t j = 0; j < i && bind->text != NULL; j++) {
			const struct config_text *before = &r->config->listeners[j].bind;
			if (before->text == NULL) {
				continue;
			}
			normalise(one, bind->text);
			normalise(other, before->text);
			if (strcasecmp(one, other) == 0) {
				diag_error(
					r->diag, r->config->path,
					bind->at, "bind: %s is the address of the listener in line %u already",
					bind->text, before->at.line);
				break;
			}
		}
	}
}

static void check_all(struct routes *r)
{
	const struct config *config = r->config;
	collect_claims(r);
	check_repeated(r);
	check_binds(r);
	for (size_t i = 0; i < config->listener_count; i++) {
		mark_services(r, &config->listeners[i]);
		check_claims(r, &config->listeners[i]);
		check_defaults(r, &config->listeners[i]);
	}
	for (size_t i = 0; i < config->service_count && config->listener_count > 0; i++) {
		if (!r->used[i] && config->services[i].name.text != NULL) {
			diag_warn(r->diag, config->path, config->services[i].at,
			          "the service %s is on no listener", config->services[i].name.text);
		}
	}
}

void routes_check(const struct config *config, struct diag *diag)
{
	size_t names = 0, services = config->service_count;
	for (size_t i = 0; i < services; i++) {
		names += config->services[i].server_names.count;
	}
	struct routes r = {.config = config, .diag = diag};
	r.claims = calloc(names + 1, sizeof(r.claims[0]));
	r.on = calloc(3 * services + 1, sizeof(r.on[0]));
	if (r.claims == NULL || r.on == NULL) {
		diag_error(diag, config->path, (struct mark){0}, "out of memory");
	} else {
		r.used = r.on + services;
		r.default_reported = r.used + services;
		check_all(&r);
	}
	free(r.claims);
	free(r.on);
}
