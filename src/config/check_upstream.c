#include <stdbool.h>
#include <string.h>

#include "config/check.h"

static void check_tls(const struct config *config, const struct config_upstream *upstream,
                      struct diag *diag)
{
	const struct config_upstream_tls *tls = &upstream->tls;
	if (tls->at.line == 0) {
		return;
	}
	struct mark at = tls->verify_at.line != 0 ? tls->verify_at : tls->at;
	bool has_ca = tls->ca.at.line != 0;
	if (tls->verify == UPSTREAM_VERIFY_NONE) {
		/* An error, no warning: whoever names a CA believes that servers are checked against it. */
		if (has_ca) {
			diag_error(diag, config->path, tls->ca.at,
			           "ca beside verify: none: no server would be checked against it");
		}
		return;
	}
	if (!has_ca) {
		diag_error(diag, config->path, at,
		           "verify: required needs a ca to verify servers with");
	}
	for (size_t i = 0; i < upstream->server_count && tls->server_name.at.line == 0; i++) {
		const struct config_text *address = &upstream->servers[i].address;
		if (address->text != NULL && strncmp(address->text, "unix:", 5) == 0) {
			diag_error(
				diag, config->path, address->at,
				"tls to %s needs a server_name: its address has no host to verify",
				address->text);
		}
	}
}

static void check_upstream(const struct config *config, const struct config_service *service,
                           const struct config_upstream *upstream, struct diag *diag)
{
	if (upstream->at.line == 0) {
		return;
	}
	check_tls(config, upstream, diag);
	if (upstream->host.text != NULL && service->mode_at.line != 0 && service->mode == MODE_TCP) {
		diag_error(diag, config->path, upstream->host.at,
		           "host needs mode: http, and this is mode: tcp");
	}
}

void check_upstreams(const struct config *config, const struct config_service *service,
                     struct diag *diag)
{
	check_upstream(config, service, &service->upstream, diag);
	check_upstream(config, service, &service->quarantine, diag);
	for (size_t i = 0; i < service->route_count; i++) {
		check_upstream(config, service, &service->routes[i].upstream, diag);
	}
}
