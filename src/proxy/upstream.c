#include "proxy/upstream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/err.h"

struct upstream {
	_Atomic size_t turn;
	size_t count;
	struct address addresses[];
};

int upstream_new(struct upstream **out, const struct config_upstream *config, const char *file, struct diag *diag)
{
	struct upstream *upstream = calloc(1, sizeof(*upstream) + config->server_count * sizeof(upstream->addresses[0]));
	if (upstream == NULL) {
		return E_NOMEM;
	}
	int err = E_OK;
	for (size_t i = 0; i < config->server_count; i++) {
		const struct config_text *text = &config->servers[i].address;
		size_t one = 1;
		int found = address_resolve(&upstream->addresses[upstream->count], &one, text->text);
		if (found == E_OK) {
			upstream->count++;
			continue;
		}
		diag_error(diag, file, text->at, found == E_NOT_FOUND ? "the upstream server %s has no address"
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
	return &upstream->addresses[i];
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
	close(s);
	return E_IO;
}

int upstream_connected(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
		return E_IO;
	}
	return E_OK;
}
