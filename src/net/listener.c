#include "net/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/err.h"
#include "net/address.h"

#define BACKLOG 4096 /* the kernel cuts it to net.core.somaxconn */

struct listener {
	struct address address;
	char *name;
	unsigned mode;
	bool shut;
	unsigned count;
	int fds[];
};

static const char *unix_path(const struct address *a)
{
	return a->sa.ss_family == AF_UNIX ? ((const struct sockaddr_un *)&a->sa)->sun_path : NULL;
}

/* A socket file that nobody listens on is left over from a crash. Anything else is not ours to remove. */
static void remove_stale(const struct address *a)
{
	struct stat st;
	if (lstat(unix_path(a), &st) != 0 || !S_ISSOCK(st.st_mode)) {
		return;
	}
	/* Non-blocking: one that listens and has its queue full would keep us. */
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1) {
		return;
	}
	if (connect(fd, (const struct sockaddr *)&a->sa, a->len) == -1 && errno == ECONNREFUSED) {
		unlink(unix_path(a));
	}
	close(fd);
}

static int open_socket(const struct address *a, unsigned mode, int *out)
{
	int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1) {
		return err_from_errno();
	}
	int one = 1;
	if (a->sa.ss_family == AF_UNIX) {
		remove_stale(a);
	} else if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	           setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) != 0) {
		goto fail;
	}
	/* [::] means IPv6 here: an address is what the configuration says, whatever the sysctl. */
	if (a->sa.ss_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) != 0) {
		goto fail;
	}
	if (bind(fd, (const struct sockaddr *)&a->sa, a->len) != 0) {
		goto fail;
	}
	if (a->sa.ss_family == AF_UNIX && mode != 0 && chmod(unix_path(a), mode) != 0) {
		goto fail;
	}
	if (listen(fd, BACKLOG) != 0) {
		goto fail;
	}
	*out = fd;
	return E_OK;

fail:;
	int err = err_from_errno();
	int saved = errno;
	close(fd);
	errno = saved;
	return err;
}

/* SO_REUSEPORT lets a second process bind silently and take half of the connections: ask first. */
static bool taken(const struct address *a)
{
	if (a->sa.ss_family == AF_UNIX) {
		return false;
	}
	int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1) {
		return false;
	}
	int one = 1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (a->sa.ss_family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	}
	bool in_use = bind(fd, (const struct sockaddr *)&a->sa, a->len) != 0 && errno == EADDRINUSE;
	close(fd);
	return in_use;
}

int listener_open(struct listener **out, const struct config_listener *config, unsigned workers,
                  const char *file, struct diag *diag)
{
	struct address address;
	if (address_parse(&address, config->bind.text) != E_OK) {
		diag_error(
			diag, file, config->bind.at,
			"bind: \"%s\" is no address of ours (IP:PORT, [IPv6]:PORT or unix:/path)",
			config->bind.text);
		return E_INVALID;
	}
	unsigned count = address.sa.ss_family == AF_UNIX ? 1 : workers;
	struct listener *listener = calloc(1, sizeof(*listener) + count * sizeof(int));
	if (listener == NULL) {
		return E_NOMEM;
	}
	listener->address = address;
	listener->mode = config->mode;
	listener->name = strdup(config->bind.text);
	int err = E_NOMEM;
	if (listener->name == NULL) {
		goto close_listener;
	}
	if (taken(&address)) {
		diag_error(diag, file, config->bind.at,
		           "cannot listen on %s: the address is in use", config->bind.text);
		err = E_BUSY;
		goto close_listener;
	}
	for (; listener->count < count; listener->count++) {
		err = open_socket(&address, config->mode, &listener->fds[listener->count]);
		if (err != E_OK) {
			diag_error(diag, file, config->bind.at, "cannot listen on %s: %s",
			           config->bind.text, strerror(errno));
			goto close_listener;
		}
	}
	*out = listener;
	return E_OK;

close_listener:
	listener_close(&listener);
	return err;
}

static void unlink_path(const struct listener *l)
{
	if (l->count > 0 && !l->shut && unix_path(&l->address) != NULL) {
		unlink(unix_path(&l->address));
	}
}

void listener_shut(struct listener *l)
{
	unlink_path(l);
	l->shut = true;
	for (unsigned i = 0; i < l->count; i++) {
		shutdown(l->fds[i], SHUT_RDWR);
	}
}

void listener_close(struct listener **listener)
{
	struct listener *l = *listener;
	if (l == NULL) {
		return;
	}
	unlink_path(l);
	for (unsigned i = 0; i < l->count; i++) {
		close(l->fds[i]);
	}
	free(l->name);
	free(l);
	*listener = NULL;
}

int listener_fd(const struct listener *listener, unsigned worker)
{
	BUG_IF(listener->count > 1 && worker >= listener->count);
	return listener->fds[listener->count == 1 ? 0 : worker];
}

const char *listener_name(const struct listener *listener)
{
	return listener->name;
}

bool listener_fits(const struct listener *listener, const struct config_listener *config)
{
	struct address address;
	return address_parse(&address, config->bind.text) == E_OK &&
	       address_equal(&address, &listener->address) && listener->mode == config->mode;
}
