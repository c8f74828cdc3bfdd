#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "config/check.h"
#include "config/options.h"
#include "config/quote.h"
#include "config/value.h"

static const char *const class_names[] = {
	"default",
#define CLASS(symbol, name, ...) name,
#include "peer/classes.def"
#undef CLASS
};
#define CLASS_COUNT (sizeof(class_names) / sizeof(class_names[0]))

static void check_class(const struct config *config, const struct config_text *class,
                        struct diag *diag)
{
	const char *nearest = NULL;
	unsigned best = (unsigned)(strlen(class->text) / 2) + 1;
	for (size_t i = 0; i < CLASS_COUNT; i++) {
		unsigned distance = option_distance(class->text, class_names[i]);
		if (distance == 0) {
			return;
		}
		if (distance < best) {
			best = distance;
			nearest = class_names[i];
		}
	}
	char shown[QUOTE_MAX];
	diag_error(diag, config->path, class->at, "status: there is no class %s%s%s%s",
	           quote(shown, class->text), nearest == NULL ? "" : ": did you mean ",
	           nearest == NULL ? "" : nearest, nearest == NULL ? "" : "?");
}

static void check_denials(const struct config *config, const struct config_service *service,
                          struct diag *diag)
{
	bool over_http = service->deny == DENY_HTTP;
	if (over_http && service->mode_at.line != 0 && service->mode == MODE_TCP) {
		diag_error(diag, config->path, service->deny_at,
		           "deny: http needs mode: http, and this is mode: tcp");
		return;
	}
	for (size_t i = 0; i < service->status_count; i++) {
		const struct config_text *class = &service->statuses[i].class;
		if (class->text != NULL) {
			check_class(config, class, diag);
		}
	}
	if (service->status_count > 0 && !over_http) {
		diag_error(diag, config->path, service->statuses[0].class.at,
		           "status needs deny: http: an alert has none");
	}
	if (service->redirect.text != NULL && !over_http) {
		diag_error(diag, config->path, service->redirect.at,
		           "redirect needs deny: http: an alert leads nowhere");
	}
}

static void check_quarantine(const struct config *config, const struct config_service *service,
                             struct diag *diag)
{
	struct mark at = service->quarantine.at;
	if (at.line == 0) {
		return;
	}
	if (service->redirect.text != NULL) {
		diag_error(
			diag, config->path, service->redirect.at,
			"redirect beside quarantine: whoever is denied can only go to one of them");
	}
	if (service->client.verify_at.line == 0) {
		return;
	}
	if (service->client.verify == VERIFY_NONE) {
		diag_error(diag, config->path, at,
		           "quarantine beside verify: none: nobody would ever go there");
	} else if (service->client.verify == VERIFY_PASSTHROUGH) {
		diag_warn(
			diag, config->path,
			at, "quarantine beside verify: passthrough, which refuses nobody: it is never used");
	}
}

static void check_alpn(const struct config *config, const struct config_service *service,
                       struct diag *diag)
{
	for (size_t i = 0; i < service->tls.alpn.count && service->mode == MODE_HTTP; i++) {
		const struct config_text *protocol = &service->tls.alpn.items[i];
		if (strcmp(protocol->text, "http/1.1") != 0 &&
		    strcmp(protocol->text, "http/1.0") != 0) {
			diag_error(diag, config->path, protocol->at,
			           "alpn: mode: http speaks http/1.1 and http/1.0, not %s",
			           protocol->text);
		}
	}
}

/* Two lines of one name would be read as a list by some back ends, and as the first or the last one by others. */
static void refuse_repeated(const struct config *config, const struct config_text *header,
                            const struct config_text *before, struct diag *diag)
{
	if (header->text == NULL || before->text == NULL ||
	    !value_same_header(header->text, before->text)) {
		return;
	}
	if (before->at.line == 0) {
		diag_error(diag, config->path, header->at,
		           "the header %s is event_id_header already, which can be renamed",
		           header->text);
	} else {
		diag_error(diag, config->path, header->at, "the header %s is in line %u already",
		           header->text, before->at.line);
	}
}

/* Against event_id_header and the first `before` of `headers`. */
static void check_header(const struct config *config, const struct config_service *service,
                         const struct config_text *header, size_t before, struct diag *diag)
{
	refuse_repeated(config, header, &service->event_id_header, diag);
	for (size_t i = 0; i < before; i++) {
		refuse_repeated(config, header, &service->headers[i].name, diag);
	}
}

static void check_renamed(const struct config *config, const struct config_service *service,
                          const struct config_text *name, struct diag *diag)
{
	char text[300], shown[QUOTE_MAX];
	snprintf(text, sizeof(text), "%s", name->text);
	const char *why = value_check(FORMAT_HEADER, text);
	if (why != NULL) {
		diag_error(diag, config->path, name->at, "names: %s %s", quote(shown, name->text),
		           why);
		return;
	}
	check_header(config, service, name, service->header_count, diag);
}

static void check_headers(const struct config *config, const struct config_service *service,
                          struct diag *diag)
{
	for (size_t i = 0; i < service->header_count; i++) {
		check_header(config, service, &service->headers[i].name, i, diag);
	}
	for (size_t i = 0; i < service->identity_count; i++) {
		const struct config_labels *names = &service->identities[i].names;
		for (size_t n = 0; n < names->count; n++) {
			check_renamed(config, service, &names->items[n].value, diag);
		}
	}
}

static void check_route(const struct config *config, const struct config_service *service,
                        const struct config_route *route, struct diag *diag)
{
	if (route->host.at.line == 0 && route->path.at.line == 0 && route->exact.at.line == 0) {
		diag_error(diag, config->path, route->at,
		           "the route has none of host, path and exact: it would take everything");
	}
	if (route->path.text != NULL && route->exact.text != NULL) {
		diag_error(diag, config->path, route->exact.at,
		           "exact beside path: a route goes by one of them");
	}
	if (route->rewrite.text != NULL && route->path.text == NULL) {
		diag_error(diag, config->path, route->rewrite.at,
		           "rewrite needs path: it stands in its place");
	}
	if (route->require != REQUIRE_VERIFIED || service->client.verify_at.line == 0) {
		return;
	}
	if (service->client.verify == VERIFY_NONE) {
		diag_error(
			diag, config->path, route->at,
			"require: verified beside verify: none: nobody is asked for a certificate, "
			"so nobody could pass");
	} else if (service->client.verify == VERIFY_REQUIRED &&
	           service->client.tolerate.mode == TOLERATE_NONE &&
	           service->quarantine.at.line == 0) {
		diag_warn(
			diag, config->path, route->at,
			"require: verified does nothing beside verify: required without tolerate");
	}
}

static bool is_same(const struct config_text *a, const struct config_text *b)
{
	return a->text == NULL || b->text == NULL ? a->text == b->text
	                                          : strcmp(a->text, b->text) == 0;
}

/* One label in place of the `*`, as for server names. */
static bool is_under(const char *host, const char *wildcard)
{
	const char *rest = strchr(host, '.');
	return wildcard[0] == '*' && rest != NULL && strcmp(rest, wildcard + 1) == 0;
}

/* A typing error in a host leaves its paths to another route, which may be an open one. */
static void check_reached(const struct config *config, const struct config_service *service,
                          const struct config_route *route, struct diag *diag)
{
	const char *host = route->host.text;
	if (host == NULL || service->is_default || service->sni_host == SNI_HOST_OFF) {
		return;
	}
	for (size_t i = 0; i < service->server_names.count; i++) {
		const char *name = service->server_names.items[i].text;
		if (name == NULL || strcmp(name, host) == 0 || is_under(host, name) ||
		    is_under(name, host)) {
			return;
		}
	}
	diag_warn(diag, config->path, route->host.at,
	          "no server name of the service is this host: the route is never used");
}

/* `open` takes all that `closed` closes, on its hosts. Not so where it names the path itself: that is meant. */
static bool is_opened(const struct config_route *closed, const struct config_route *open)
{
	const char *path = closed->path.text != NULL ? closed->path.text : closed->exact.text;
	if (open->require == REQUIRE_VERIFIED || open->host.text == NULL ||
	    open->exact.text != NULL || path == NULL) {
		return false;
	}
	if (closed->host.text != NULL && !is_under(open->host.text, closed->host.text)) {
		return false;
	}
	size_t len = open->path.text == NULL ? 0 : strlen(open->path.text);
	return len < strlen(path) &&
	       strncmp(path, open->path.text == NULL ? "" : open->path.text, len) == 0;
}

static void check_closed(const struct config *config, const struct config_service *service,
                         const struct config_route *closed, struct diag *diag)
{
	for (size_t i = 0; i < service->route_count; i++) {
		const struct config_route *open = &service->routes[i];
		if (is_opened(closed, open)) {
			diag_warn(diag, config->path, closed->at,
			          "require: verified does not hold for host %s: the route in line "
			          "%u has a host and goes first",
			          open->host.text, open->at.line);
		}
	}
}

static void check_routes(const struct config *config, const struct config_service *service,
                         struct diag *diag)
{
	for (size_t i = 0; i < service->route_count; i++) {
		const struct config_route *route = &service->routes[i];
		check_route(config, service, route, diag);
		check_reached(config, service, route, diag);
		if (route->require == REQUIRE_VERIFIED) {
			check_closed(config, service, route, diag);
		}
		for (size_t b = 0; b < i; b++) {
			const struct config_route *before = &service->routes[b];
			if (is_same(&route->host, &before->host) &&
			    is_same(&route->path, &before->path) &&
			    is_same(&route->exact, &before->exact) &&
			    (route->host.text != NULL || route->path.text != NULL ||
			     route->exact.text != NULL)) {
				diag_error(
					diag, config->path, route->at,
					"a route of the same host and path is in line %u already",
					before->at.line);
				break;
			}
		}
	}
}

void check_http(const struct config *config, const struct config_service *service, struct diag *diag)
{
	check_denials(config, service, diag);
	check_quarantine(config, service, diag);
	check_alpn(config, service, diag);
	check_headers(config, service, diag);
	check_routes(config, service, diag);
}
