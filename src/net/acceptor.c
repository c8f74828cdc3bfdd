#include "net/acceptor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"

#define BATCH 32       /* a readiness event: others have a turn, too */
#define DRAIN_MAX 8192 /* more than a queue holds: listener.c asks for 4,096 */
#define RETRY_S 0.1
#define WARN_S 10.0

struct acceptor {
	struct ev_loop *loop;
	struct ev_io io;
	struct ev_timer retry;
	unsigned listener;
	bool paused;
	bool starved; /* waiting for descriptors */
	ev_tstamp warned_at;
	acceptor_accepted *accepted;
	void *arg;
};

static void update(struct acceptor *a)
{
	if (a->paused || a->starved) {
		ev_io_stop(a->loop, &a->io);
	} else {
		ev_io_start(a->loop, &a->io);
	}
}

static void starve(struct acceptor *a)
{
	if (a->warned_at == 0 || ev_now(a->loop) - a->warned_at >= WARN_S) {
		log_warning("cannot accept a connection: %s; trying again every 100 ms",
		            strerror(errno));
		a->warned_at = ev_now(a->loop);
	}
	a->starved = true;
	ev_timer_set(&a->retry, RETRY_S, 0);
	ev_timer_start(a->loop, &a->retry);
	update(a);
}

/* False: nothing more to accept now. */
static bool accept_one(struct acceptor *a)
{
	struct sockaddr_storage peer;
	memset(&peer, 0, sizeof(peer));
	socklen_t len = sizeof(peer);
	int fd = accept4(a->io.fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		a->accepted(a->arg, a->listener, fd, (const struct sockaddr *)&peer, len);
		return true;
	}
	switch (errno) {
	case EAGAIN:
		return false;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		starve(a);
		return false;
	default:
		/* accept(2): errors of the new connection itself (ECONNABORTED, EPROTO, ...) are its own matter. */
		return true;
	}
}

static void on_ready(struct ev_loop *loop, struct ev_io *io, int events)
{
	(void)loop;
	(void)events;
	struct acceptor *a = io->data;
	for (int i = 0; i < BATCH && !a->paused; i++) {
		if (!accept_one(a)) {
			return;
		}
	}
}

static void on_retry(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	struct acceptor *a = timer->data;
	a->starved = false;
	update(a);
}

int acceptor_new(struct acceptor **out, struct ev_loop *loop, int fd, unsigned listener,
                 acceptor_accepted *accepted, void *arg)
{
	struct acceptor *a = calloc(1, sizeof(*a));
	if (a == NULL) {
		return E_NOMEM;
	}
	*a = (struct acceptor){.loop = loop, .listener = listener, .accepted = accepted, .arg = arg};
	ev_io_init(&a->io, on_ready, fd, EV_READ);
	ev_timer_init(&a->retry, on_retry, RETRY_S, 0);
	a->io.data = a->retry.data = a;
	update(a);
	*out = a;
	return E_OK;
}

void acceptor_free(struct acceptor **acceptor)
{
	struct acceptor *a = *acceptor;
	if (a == NULL) {
		return;
	}
	ev_io_stop(a->loop, &a->io);
	ev_timer_stop(a->loop, &a->retry);
	free(a);
	*acceptor = NULL;
}

int acceptor_fd(const struct acceptor *acceptor)
{
	return acceptor->io.fd;
}

void acceptor_renumber(struct acceptor *acceptor, unsigned listener)
{
	acceptor->listener = listener;
}

void acceptor_pause(struct acceptor *acceptor, bool pause)
{
	acceptor->paused = pause;
	update(acceptor);
}

void acceptor_drain(struct acceptor *acceptor)
{
	/* Who keeps connecting meanwhile must not keep us here. */
	for (int i = 0; i < DRAIN_MAX && accept_one(acceptor); i++) {
	}
}
