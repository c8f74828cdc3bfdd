/* What an upstream's servers have to be, and who we are to them. */
#include <arpa/inet.h>
#include <string.h>

#include "base/err.h"
#include "peer/trust.h"
#include "proxy/upstream_private.h"
#include "tls/client.h"

/* --- what is told: each server has its own trust, and all of them read the same files --- */

static bool is_told(const struct diag *diag, const struct diag_item *item)
{
	for (const struct diag_item *old = diag->first; old != NULL; old = old->next) {
		if (old->at.line == item->at.line && old->at.column == item->at.column &&
		    old->text != NULL && item->text != NULL && strcmp(old->text, item->text) == 0) {
			return true;
		}
	}
	return false;
}

static void tell(struct diag *diag, const struct diag *more)
{
	for (const struct diag_item *item = more->first; item != NULL; item = item->next) {
		const char *text = item->text == NULL ? "out of memory" : item->text;
		if (is_told(diag, item)) {
			continue;
		}
		if (item->level == DIAG_ERROR) {
			diag_error(diag, item->file, item->at, "%s", text);
		} else {
			diag_warn(diag, item->file, item->at, "%s", text);
		}
	}
}

/* --- servers --- */

/* The name that its certificate has to be for; NULL: a unix socket that may be anybody. */
static const char *name_of(const struct upstream *upstream, const struct server *server)
{
	const char *configured = upstream->config->tls.server_name.text;
	return configured != NULL ? configured : server->host;
}

/* RFC 6066 3: "Literal IPv4 and IPv6 addresses are not permitted" in a server name. */
static bool is_address(const char *name)
{
	struct in6_addr address;
	return inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1;
}

static const struct server *with_name(const struct upstream *upstream, size_t before,
                                      const char *name)
{
	for (size_t i = 0; i < before; i++) {
		const char *other = name_of(upstream, &upstream->servers[i]);
		if (other == name || (other != NULL && name != NULL && strcmp(other, name) == 0)) {
			return &upstream->servers[i];
		}
	}
	return NULL;
}

static int add_trust(struct upstream *upstream, size_t i, const char *file, struct diag *diag)
{
	struct server *server = &upstream->servers[i];
	const char *name = name_of(upstream, server);
	server->server_name = name == NULL || is_address(name) ? NULL : name;
	const struct server *same = with_name(upstream, i, name);
	if (same != NULL) {
		server->trust = same->trust;
		server->trust_is_shared = true;
		return E_OK;
	}
	struct diag more;
	diag_init(&more);
	int err = trust_new_server(&server->trust, &upstream->config->tls, name, file, &more);
	tell(diag, &more);
	diag_release(&more);
	return err;
}

int upstream_tls_build(struct upstream *upstream, const char *file, struct diag *diag)
{
	if (upstream->config->tls.at.line == 0) {
		return E_OK;
	}
	int err = tls_client_new(&upstream->tls, &upstream->config->tls, file, diag);
	for (size_t i = 0; i < upstream->count; i++) {
		int one = add_trust(upstream, i, file, diag);
		err = err == E_OK ? one : err;
	}
	return err;
}

void upstream_tls_release(struct upstream *upstream)
{
	tls_client_free(&upstream->tls);
	for (size_t i = 0; i < upstream->count; i++) {
		if (!upstream->servers[i].trust_is_shared) {
			trust_free(&upstream->servers[i].trust);
		}
	}
}
