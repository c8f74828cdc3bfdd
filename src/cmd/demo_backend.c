#include "cmd/demo_backend.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/err.h"

#define REQUEST_MAX 8192

struct demo_backend {
	pthread_t thread;
	int listener;
	int stop; /* eventfd, readable once it is time to go */
};

static const char answer[] = "HTTP/1.1 200 OK\r\n"
			     "Content-Type: text/plain\r\n"
			     "Content-Length: 27\r\n"
			     "Connection: close\r\n"
			     "\r\n"
			     "hello from behind tlscribe\n";

/* One request, one answer. Requests have no body here; whoever is slow is not waited for. */
static void serve(int fd)
{
	const struct timeval patience = {1, 0};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	char request[REQUEST_MAX];
	size_t have = 0;
	while (have < sizeof(request)) {
		ssize_t n = recv(fd, request + have, sizeof(request) - have, 0);
		if (n <= 0) {
			return;
		}
		have += (size_t)n;
		if (memmem(request, have, "\r\n\r\n", 4) != NULL) {
			break;
		}
	}
	send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	/* Closing with unread bytes would reset the answer away. */
	while (recv(fd, request, sizeof(request), 0) > 0) {
	}
}

static void *run(void *arg)
{
	struct demo_backend *backend = arg;
	struct pollfd ready[2] = {{.fd = backend->listener, .events = POLLIN},
	                          {.fd = backend->stop, .events = POLLIN}};
	for (;;) {
		if (poll(ready, 2, -1) == -1) {
			continue;
		}
		if (ready[1].revents != 0) {
			return NULL;
		}
		int fd = accept4(backend->listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd != -1) {
			serve(fd);
			close(fd);
		}
	}
}

static int open_listener(struct demo_backend *backend, uint16_t *port)
{
	backend->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = {.sin_family = AF_INET};
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	socklen_t len = sizeof(at);
	if (backend->listener == -1 ||
	    bind(backend->listener, (struct sockaddr *)&at, sizeof(at)) == -1 ||
	    listen(backend->listener, 64) == -1 ||
	    getsockname(backend->listener, (struct sockaddr *)&at, &len) == -1) {
		return err_from_errno();
	}
	*port = ntohs(at.sin_port);
	return E_OK;
}

static void free_backend(struct demo_backend *backend)
{
	if (backend->listener != -1) {
		close(backend->listener);
	}
	if (backend->stop != -1) {
		close(backend->stop);
	}
	free(backend);
}

int demo_backend_start(struct demo_backend **out, uint16_t *port)
{
	struct demo_backend *backend = calloc(1, sizeof(*backend));
	if (backend == NULL) {
		return E_NOMEM;
	}
	backend->listener = -1;
	backend->stop = eventfd(0, EFD_CLOEXEC);
	int err = backend->stop == -1 ? err_from_errno() : open_listener(backend, port);
	if (err == E_OK && pthread_create(&backend->thread, NULL, run, backend) != 0) {
		err = E_LIMIT;
	}
	if (err != E_OK) {
		free_backend(backend);
		return err;
	}
	*out = backend;
	return E_OK;
}

void demo_backend_stop(struct demo_backend **backend)
{
	if (*backend == NULL) {
		return;
	}
	const uint64_t one = 1;
	ssize_t n;
	do {
		n = write((*backend)->stop, &one, sizeof(one));
	} while (n == -1);
	pthread_join((*backend)->thread, NULL);
	free_backend(*backend);
	*backend = NULL;
}
