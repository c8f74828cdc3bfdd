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

/* --- how else a path could be read --- */

static int hex(uint8_t c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One pass of percent-decoding, in place; decodes to what some back end would see. Some undo the dots alone, before anything else. */
static size_t decode(uint8_t *path, size_t len, bool dots_alone)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		uint8_t c = path[i];
		if (c == '%' && i + 2 < len && hex(path[i + 1]) >= 0 && hex(path[i + 2]) >= 0) {
			uint8_t decoded = (uint8_t)(hex(path[i + 1]) << 4 | hex(path[i + 2]));
			if (!dots_alone || decoded == '.') {
				c = decoded;
				i += 2;
			}
		}
		path[n++] = c == '\\' ? '/' : c;
	}
	return n;
}

/* Resolves `.` and `..` (RFC 3986 5.2.4), in place. Some servers take several slashes for one before, some leave out the parameters of
 * segments (`;x=1`): with either, another segment goes. The path begins with a slash. */
static size_t resolve(uint8_t *path, size_t len, bool merge, bool strip)
{
	size_t n = 0;
	for (size_t i = 0; i < len;) {
		size_t start = ++i;
		while (i < len && path[i] != '/') {
			i++;
		}
		size_t size = i - start;
		const uint8_t *parameter = strip ? memchr(path + start, ';', size) : NULL;
		size = parameter == NULL ? size : (size_t)(parameter - (path + start));
		bool dots = size == 2 && memcmp(path + start, "..", 2) == 0;
		if (dots) {
			while (n > 0 && path[--n] != '/') {
			}
		}
		if (dots || (size == 1 && path[start] == '.') || (size == 0 && merge)) {
			if (i == len) {
				path[n++] = '/';
			}
			continue;
		}
		path[n++] = '/';
		memmove(path + n, path + start, size);
		n += size;
	}
	return n;
}

/* --- finding --- */

/* RFC 1034 3.1: the same name, said to be complete. Many back ends drop the dot. */
static struct slice without_dot(struct slice host)
{
	host.len -= host.len > 1 && host.data[host.len - 1] == '.';
	return host;
}

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

/* A reading of the path, and what its dots make of it: do they all lead to `route`? `scratch` has as much room. */
static bool all_lead_to(const struct route *route, const struct routes *routes, struct slice host,
                        struct slice reading, uint8_t *scratch)
{
	if (find(routes, host, reading) != route) {
		return false;
	}
	for (unsigned how = 0; how < 4; how++) {
		memcpy(scratch, reading.data, reading.len);
		size_t len = resolve(scratch, reading.len, (how & 1) != 0, (how & 2) != 0);
		if (find(routes, host, slice_of(scratch, len)) != route) {
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
	host = without_dot(host);
	if (slice_equal(path, SLICE("*"))) { /* RFC 9110 9.3.7: the whole server, its root included */
		path = SLICE("/");
	}
	*out = find(routes, host, path);
	if (plain(path)) {
		return true;
	}
	if (path.len >= READING_MAX) {
		return false;
	}
	uint8_t *reading = malloc(2 * path.len);
	if (reading == NULL) {
		return false;
	}
	/* Also decoded twice, as a back end behind another decoding proxy would. */
	uint8_t *scratch = reading + path.len;
	memcpy(reading, path.data, path.len);
	size_t len = path.len;
	bool same = all_lead_to(*out, routes, host, path, scratch);
	len = decode(reading, len, true);
	same = same && all_lead_to(*out, routes, host, slice_of(reading, len), scratch);
	for (int pass = 0; pass < 2; pass++) {
		len = decode(reading, len, false);
		same = same && all_lead_to(*out, routes, host, slice_of(reading, len), scratch);
	}
	free(reading);
	return same;
}
