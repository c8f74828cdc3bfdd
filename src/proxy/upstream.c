#include "proxy/upstream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "proxy/upstream_private.h"

#define WARN_GAP_NS UINT64_C(10000000000)

/* --- made --- */

/* HOST of HOST:PORT, without brackets; its form was checked. */
static int copy_host(char **out, const char *name)
{
	const char *colon = strrchr(name, ':');
	if (strncmp(name, "unix:", 5) == 0 || colon == NULL) {
		*out = NULL;
		return E_OK;
	}
	size_t len = (size_t)(colon - name);
	if (len >= 2 && name[0] == '[' && name[len - 1] == ']') {
		name++;
		len -= 2;
	}
	*out = strndup(name, len);
	return *out == NULL ? E_NOMEM : E_OK;
}

static int find_addresses(struct server *server, const struct config_text *text, const char *file,
                          struct diag *diag)
{
	int err = copy_host(&server->host, text->text);
	if (err != E_OK) {
		return err;
	}
	server->address_count = UPSTREAM_ADDRESSES_MAX;
	err = address_resolve(server->addresses, &server->address_count, text->text);
	if (err != E_OK) {
		diag_error(diag, file, text->at,
		           err == E_NOT_FOUND
		                   ? "the upstream server %s has no address"
		                   : "the upstream server %s is no HOST:PORT or unix:/path",
		           text->text);
		return E_INVALID;
	}
	struct address address;
	server->literal = address_parse(&address, text->text) == E_OK;
	return E_OK;
}

/* Goes on after a fault, so that one check shows them all. */
static int add_servers(struct upstream *upstream, const char *file, struct diag *diag)
{
	const struct config_upstream *config = upstream->config;
	int err = E_OK;
	for (size_t i = 0; i < config->server_count; i++) {
		const struct config_server *from = &config->servers[i];
		struct server *server = &upstream->servers[upstream->count++];
		pthread_mutex_init(&server->lock, NULL);
		server->name = from->address.text;
		server->backup = from->backup;
		server->weight = from->weight == 0 ? 1 : from->weight;
		int one = find_addresses(server, &from->address, file, diag);
		err = err == E_OK ? one : err;
	}
	return err;
}

int upstream_new(struct upstream **out, const struct config_upstream *config, const char *owner,
                 const char *file, struct diag *diag)
{
	BUG_IF(config->server_count == 0 || config->server_count > UPSTREAM_SERVERS_MAX);
	struct upstream *upstream = calloc(1, sizeof(*upstream));
	if (upstream == NULL) {
		return E_NOMEM;
	}
	upstream->config = config;
	upstream->owner = owner;
	upstream->servers = calloc(config->server_count, sizeof(*upstream->servers));
	int err = upstream->servers == NULL ? E_NOMEM : add_servers(upstream, file, diag);
	if (err != E_NOMEM) { /* one check shows all */
		int tls = upstream_tls_build(upstream, file, diag);
		err = err == E_OK ? tls : err;
	}
	if (err == E_OK) {
		err = balance_order(upstream, false);
	}
	if (err == E_OK) {
		err = balance_order(upstream, true);
	}
	if (err != E_OK) {
		upstream_free(&upstream);
		return err;
	}
	*out = upstream;
	return E_OK;
}

void upstream_free(struct upstream **u)
{
	struct upstream *upstream = *u;
	*u = NULL;
	if (upstream == NULL) {
		return;
	}
	upstream_tls_release(upstream);
	for (size_t i = 0; i < upstream->count; i++) {
		free(upstream->servers[i].host);
		pthread_mutex_destroy(&upstream->servers[i].lock);
	}
	free(upstream->groups[0].order);
	free(upstream->groups[1].order);
	free(upstream->servers);
	free(upstream);
}

/* --- asked --- */

const struct config_upstream *upstream_config(const struct upstream *upstream)
{
	return upstream->config;
}

const char *upstream_owner(const struct upstream *upstream)
{
	return upstream->owner;
}

size_t upstream_count(const struct upstream *upstream)
{
	return upstream->count;
}

static struct server *server_at(const struct upstream *upstream, size_t i)
{
	BUG_IF(i >= upstream->count);
	return &upstream->servers[i];
}

void upstream_address(const struct upstream *upstream, size_t i, struct address *out)
{
	struct server *server = server_at(upstream, i);
	pthread_mutex_lock(&server->lock);
	*out = server->addresses[server->address];
	pthread_mutex_unlock(&server->lock);
}

const char *upstream_name(const struct upstream *upstream, size_t i)
{
	return server_at(upstream, i)->name;
}

const char *upstream_host(const struct upstream *upstream, size_t i)
{
	return server_at(upstream, i)->host;
}

const struct tls_client *upstream_tls(const struct upstream *upstream)
{
	return upstream->tls;
}

const struct trust *upstream_trust(const struct upstream *upstream, size_t i)
{
	return server_at(upstream, i)->trust;
}

const char *upstream_server_name(const struct upstream *upstream, size_t i)
{
	return server_at(upstream, i)->server_name;
}

bool upstream_should_warn(struct upstream *upstream)
{
	uint64_t now = clock_mono_ns();
	uint64_t before = atomic_load_explicit(&upstream->warned_ns, memory_order_relaxed);
	return (before == 0 || now - before >= WARN_GAP_NS) &&
	       atomic_compare_exchange_strong(&upstream->warned_ns, &before, now);
}

/* --- connected --- */

int upstream_connect(const struct upstream *upstream, size_t i, int *fd)
{
	struct address address;
	upstream_address(upstream, i, &address);
	int s = socket(address.sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s == -1) {
		return err_from_errno();
	}
	if (address.sa.ss_family != AF_UNIX) {
		int one = 1;
		setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
	if (connect(s, (const struct sockaddr *)&address.sa, address.len) == 0) {
		*fd = s;
		return E_OK;
	}
	/* A unix socket with a full backlog says EAGAIN and is not connecting: that server is busy. */
	if (errno == EINPROGRESS) {
		*fd = s;
		return E_AGAIN;
	}
	int saved = errno;
	close(s);
	errno = saved;
	return E_IO;
}

int upstream_connected(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
		return E_IO;
	}
	errno = error;
	return error == 0 ? E_OK : E_IO;
}

/* --- looked up again --- */

bool upstream_has_name(const struct upstream *upstream, size_t i)
{
	return !server_at(upstream, i)->literal;
}

void upstream_readdress(struct upstream *upstream, size_t i, const struct address *found,
                        size_t count)
{
	struct server *server = server_at(upstream, i);
	count = count > UPSTREAM_ADDRESSES_MAX ? UPSTREAM_ADDRESSES_MAX : count;
	pthread_mutex_lock(&server->lock);
	bool was_lost = server->lost;
	server->lost = count == 0;
	if (count > 0) {
		/* Name servers rotate their answers: that alone is no reason to go elsewhere. */
		struct address current = server->addresses[server->address];
		server->address = 0;
		for (size_t k = 0; k < count; k++) {
			server->addresses[k] = found[k];
			if (address_equal(&found[k], &current)) {
				server->address = k;
			}
		}
		server->address_count = count;
	}
	pthread_mutex_unlock(&server->lock);
	if (count == 0 && !was_lost) {
		log_warning("service %s: the name of %s cannot be resolved; it keeps its address",
		            upstream->owner, server->name);
	} else if (count > 0 && was_lost) {
		log_info("service %s: the name of %s can be resolved again", upstream->owner,
		         server->name);
	}
}
