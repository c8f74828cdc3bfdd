#include <string.h>
#include <strings.h>

#include "proxy/status.h"

/* Up to and without the slash behind the host; 0: there is none. */
static size_t origin_length(const char *url)
{
	const char *host = strstr(url, "://");
	const char *slash = host == NULL || host[3] == '/' ? NULL : strchr(host + 3, '/');
	return slash == NULL ? 0 : (size_t)(slash - url);
}

static bool is_dots(const char *segment, size_t len)
{
	return (len == 1 && segment[0] == '.') ||
	       (len == 2 && segment[0] == '.' && segment[1] == '.');
}

/* Would a server, or whoever is on the way, see another path than what is written? */
static bool path_wanders(const char *path)
{
	static const char *const encoded[] = {"%2e", "%2f", "%5c"}; /* . / \ */
	size_t path_len = strcspn(path, "?#");
	for (size_t i = 0; i < path_len; i++) {
		for (size_t e = 0; e < sizeof(encoded) / sizeof(encoded[0]); e++) {
			if (strncasecmp(path + i, encoded[e], 3) == 0) {
				return true;
			}
		}
		if (path[i] == '\\') {
			return true;
		}
		if (path[i] == '/' && is_dots(path + i + 1, strcspn(path + i + 1, "/?#"))) {
			return true;
		}
	}
	return false;
}

const char *status_allowed_prefix(const struct config_ocsp *config, const char *url)
{
	size_t origin = origin_length(url);
	if (origin == 0 || path_wanders(url + origin)) {
		return NULL;
	}
	for (size_t i = 0; i < config->aia.count; i++) {
		const char *prefix = config->aia.items[i].text;
		if (origin_length(prefix) == origin && strncasecmp(url, prefix, origin) == 0 &&
		    strncmp(url + origin, prefix + origin, strlen(prefix + origin)) == 0) {
			return prefix;
		}
	}
	return NULL;
}
