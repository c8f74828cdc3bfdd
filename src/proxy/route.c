#include "proxy/route.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "http/head.h"
#include "proxy/upstream.h"

/* No path is longer than a request line may be set to; a longer one is refused by whoever asks for it. */
#define READING_MAX 65536

struct routes {
	size_t count;
	struct route items[]; /* by rank */
};

/* --- compiling --- */

/* A route with a host stands before those without, an exact path before prefixes: the more a route says, the sooner. */
static int compare(const void *a, const void *b)
{
	const struct route *one = a, *other = b;
	if (one->rank != other->rank) {
		return one->rank > other->rank ? -1 : 1;
	}
	if (one->path_len != other->path_len) {
		return one->path_len > other->path_len ? -1 : 1;
	}
	return one->config < other->config ? -1 : 1; /* as written */
}

static unsigned rank(const struct config_route *config)
{
	unsigned host = config->host.text == NULL ? 0 : config->host.text[0] == '*' ? 2 : 4;
	return host + (config->exact.text != NULL ? 1 : 0);
}

int routes_new(struct routes **out, const struct config_service *service, const char *file,
               struct diag *diag)
{
	struct routes *routes =
		calloc(1, sizeof(*routes) + service->route_count * sizeof(routes->items[0]));
	if (routes == NULL) {
		return E_NOMEM;
	}
	int err = E_OK;
	for (; routes->count < service->route_count; routes->count++) {
		const struct config_route *config = &service->routes[routes->count];
		struct route *route = &routes->items[routes->count];
		const char *path =
			config->exact.text != NULL ? config->exact.text : config->path.text;
		*route = (struct route){
			.config = config,
			.rank = rank(config),
			.path_len = path == NULL ? 0 : strlen(path),
		};
		if (config->upstream.at.line == 0) {
			continue;
		}
		int one = upstream_new(&route->upstream, &config->upstream, service->name.text,
		                       file, diag);
		err = err == E_OK ? one : err;
	}
	if (err != E_OK) {
		routes_free(&routes);
		return err;
	}
	qsort(routes->items, routes->count, sizeof(routes->items[0]), compare);
	*out = routes;
	return E_OK;
}

void routes_free(struct routes **routes)
{
	for (size_t i = 0; *routes != NULL && i < (*routes)->count; i++) {
		upstream_free(&(*routes)->items[i].upstream);
	}
	free(*routes);
	*routes = NULL;
}

size_t routes_count(const struct routes *routes)
{
	return routes == NULL ? 0 : routes->count;
}

const struct route *routes_at(const struct routes *routes, size_t i)
{
	return &routes->items[i];
}

/* --- the most generous reading of a path --- */

static int hex(uint8_t c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One pass of percent-decoding; decodes to what some back end would see. */
static size_t decode(uint8_t *to, struct slice from)
{
	size_t n = 0;
	for (size_t i = 0; i < from.len; i++) {
		uint8_t c = from.data[i];
		if (c == '%' && i + 2 < from.len && hex(from.data[i + 1]) >= 0 &&
		    hex(from.data[i + 2]) >= 0) {
			c = (uint8_t)(hex(from.data[i + 1]) << 4 | hex(from.data[i + 2]));
			i += 2;
		}
		to[n++] = c == '\\' ? '/' : c;
	}
	return n;
}

/* Leaves out path parameters (`;x=1` of a segment), merges slashes, resolves `.` and `..` (RFC 3986 5.2.4). In place. */
static size_t resolve(uint8_t *path, size_t len)
{
	size_t n = 0;
	size_t i = 0;
	bool open = false; /* the last segment ended with the path, not with a slash */
	while (i < len) {
		while (i < len && path[i] == '/') {
			i++;
		}
		size_t start = i;
		while (i < len && path[i] != '/') {
			i++;
		}
		const uint8_t *parameter = memchr(path + start, ';', i - start);
		size_t size = parameter == NULL ? i - start : (size_t)(parameter - (path + start));
		open = i == len && size > 0;
		if (size == 0 || (size == 1 && path[start] == '.')) {
			open = false;
			continue;
		}
		if (size == 2 && path[start] == '.' && path[start + 1] == '.') {
			while (n > 0 && path[--n] != '/') {
			}
			open = false;
			continue;
		}
		path[n++] = '/';
		memmove(path + n, path + start, size);
		n += size;
	}
	if (!open) {
		path[n++] = '/';
	}
	return n;
}

/* --- finding --- */

static bool host_fits(const char *pattern, struct slice host)
{
	if (pattern == NULL) {
		return true;
	}
	if (pattern[0] != '*') {
		return http_equal_fold(slice_text(pattern), host);
	}
	/* One label, as everywhere. */
	const uint8_t *dot = memchr(host.data, '.', host.len);
	return dot != NULL && dot != host.data &&
	       http_equal_fold(slice_text(pattern + 1),
	                       slice_of(dot, host.len - (size_t)(dot - host.data)));
}

static bool path_fits(const struct route *route, struct slice path)
{
	if (route->config->exact.text != NULL) {
		return path.len == route->path_len &&
		       memcmp(path.data, route->config->exact.text, path.len) == 0;
	}
	return route->path_len == 0 ||
	       (path.len >= route->path_len &&
	        memcmp(path.data, route->config->path.text, route->path_len) == 0);
}

static const struct route *find(const struct routes *routes, struct slice host, struct slice path)
{
	for (size_t i = 0; i < routes->count; i++) {
		const struct route *route = &routes->items[i];
		if (path_fits(route, path) && host_fits(route->config->host.text, host)) {
			return route;
		}
	}
	return NULL;
}

/* Nothing in it that two back ends could read in two ways. */
static bool plain(struct slice path)
{
	for (size_t i = 0; i < path.len; i++) {
		uint8_t c = path.data[i];
		if (c == '%' || c == ';' || c == '\\' ||
		    (i > 0 && path.data[i - 1] == '/' && (c == '/' || c == '.'))) {
			return false;
		}
	}
	return true;
}

bool routes_find(const struct routes *routes, struct slice host, struct slice path,
                 const struct route **out)
{
	*out = NULL;
	if (routes == NULL || routes->count == 0) {
		return true;
	}
	*out = find(routes, host, path);
	if (plain(path)) {
		return true;
	}
	if (path.len >= READING_MAX) {
		return false;
	}
	/* Also decoded twice, as a back end behind another decoding proxy would, and with its parameters but not its dots undone: each
	 * reading has to lead to the same place. */
	uint8_t *reading = malloc(path.len + 1);
	if (reading == NULL) {
		return false;
	}
	bool same = true;
	struct slice now = path;
	for (int pass = 0; pass < 3 && same; pass++) {
		size_t len = pass == 0 ? path.len : decode(reading, now);
		if (pass == 0) {
			memcpy(reading, path.data, path.len);
		}
		now = slice_of(reading, len);
		same = find(routes, host, now) == *out;
		uint8_t *resolved = same ? malloc(len + 1) : NULL;
		if (same && resolved == NULL) {
			same = false;
		} else if (same) {
			memcpy(resolved, reading, len);
			same = find(routes, host, slice_of(resolved, resolve(resolved, len))) ==
			       *out;
		}
		free(resolved);
	}
	free(reading);
	return same;
}
