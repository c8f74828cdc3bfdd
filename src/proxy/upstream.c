#include "proxy/upstream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/err.h"

#define WARN_GAP_NS UINT64_C(10000000000)

struct server {
	const char *name; /* the configuration's */
	struct address address;
};

struct upstream {
	_Atomic size_t turn;
	_Atomic uint64_t warned_ns;
	size_t count;
	struct server servers[];
};

int upstream_new(struct upstream **out, const struct config_upstream *config, const char *file,
                 struct diag *diag)
{
	struct upstream *upstream =
		calloc(1, sizeof(*upstream) + config->server_count * sizeof(upstream->servers[0]));
	if (upstream == NULL) {
		return E_NOMEM;
	}
	int err = E_OK;
	for (size_t i = 0; i < config->server_count; i++) {
		const struct config_text *text = &config->servers[i].address;
		size_t one = 1;
		int found = address_resolve(&upstream->servers[upstream->count].address, &one,
		                            text->text);
		if (found == E_OK) {
			upstream->servers[upstream->count++].name = text->text;
			continue;
		}
		diag_error(diag, file, text->at,
		           found == E_NOT_FOUND
		                   ? "the upstream server %s has no address"
		                   : "the upstream server %s is no HOST:PORT or unix:/path",
		           text->text);
		err = E_INVALID;
	}
	if (err != E_OK) {
		free(upstream);
		return err;
	}
	*out = upstream;
	return E_OK;
}

void upstream_free(struct upstream **upstream)
{
	free(*upstream);
	*upstream = NULL;
}

size_t upstream_count(const struct upstream *upstream)
{
	return upstream->count;
}

size_t upstream_first(struct upstream *upstream)
{
	return atomic_fetch_add_explicit(&upstream->turn, 1, memory_order_relaxed) % upstream->count;
}

const struct address *upstream_address(const struct upstream *upstream, size_t i)
{
	BUG_IF(i >= upstream->count);
	return &upstream->servers[i].address;
}

const char *upstream_name(const struct upstream *upstream, size_t i)
{
	BUG_IF(i >= upstream->count);
	return upstream->servers[i].name;
}

bool upstream_should_warn(struct upstream *upstream)
{
	uint64_t now = clock_mono_ns();
	uint64_t before = atomic_load_explicit(&upstream->warned_ns, memory_order_relaxed);
	return (before == 0 || now - before >= WARN_GAP_NS) &&
	       atomic_compare_exchange_strong(&upstream->warned_ns, &before, now);
}

int upstream_connect(const struct upstream *upstream, size_t i, int *fd)
{
	const struct address *address = upstream_address(upstream, i);
	int s = socket(address->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s == -1) {
		return err_from_errno();
	}
	if (address->sa.ss_family != AF_UNIX) {
		int one = 1;
		setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
	if (connect(s, (const struct sockaddr *)&address->sa, address->len) == 0) {
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
