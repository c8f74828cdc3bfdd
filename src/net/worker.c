#include "net/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/err.h"

struct worker {
	const struct worker_ops *ops;
	void *arg;
	struct ev_loop *loop;
	struct ev_async bell;
	struct queue mailbox;
	pthread_t thread;
	bool started;
};

static _Thread_local const struct worker *current;

static void on_bell(struct ev_loop *loop, struct ev_async *bell, int events)
{
	(void)loop;
	(void)events;
	struct worker *w = bell->data;
	struct queue_node *message;
	while ((message = queue_pop(&w->mailbox)) != NULL) {
		w->ops->message(w->arg, message);
	}
	w->ops->woken(w->arg);
}

int worker_new(struct worker **out, const struct worker_ops *ops, void *arg)
{
	struct worker *w = calloc(1, sizeof(*w));
	if (w == NULL) {
		return E_NOMEM;
	}
	w->ops = ops;
	w->arg = arg;
	w->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (w->loop == NULL) {
		free(w);
		return E_IO;
	}
	queue_init(&w->mailbox);
	ev_async_init(&w->bell, on_bell);
	w->bell.data = w;
	ev_async_start(w->loop, &w->bell);
	*out = w;
	return E_OK;
}

static void *run(void *arg)
{
	struct worker *w = arg;
	current = w;
	ev_run(w->loop, 0);
	return NULL;
}

int worker_start(struct worker *w, const char *thread_name)
{
	/* Signals are the main thread's. */
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int ret = pthread_create(&w->thread, NULL, run, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret != 0) {
		return E_LIMIT;
	}
	pthread_setname_np(w->thread, thread_name);
	w->started = true;
	return E_OK;
}

void worker_join(struct worker *w)
{
	if (w->started) {
		pthread_join(w->thread, NULL);
		w->started = false;
	}
}

void worker_free(struct worker **worker)
{
	struct worker *w = *worker;
	if (w == NULL) {
		return;
	}
	BUG_IF(w->started);
	struct queue_node *message;
	while ((message = queue_pop(&w->mailbox)) != NULL) {
		w->ops->message(w->arg, message);
	}
	ev_async_stop(w->loop, &w->bell);
	ev_loop_destroy(w->loop);
	queue_release(&w->mailbox);
	free(w);
	*worker = NULL;
}

struct ev_loop *worker_loop(struct worker *w)
{
	return w->loop;
}

bool worker_is_current(const struct worker *w)
{
	return current == w;
}

void worker_post(struct worker *w, struct queue_node *message)
{
	queue_push(&w->mailbox, message);
	ev_async_send(w->loop, &w->bell);
}

void worker_wake(struct worker *w)
{
	ev_async_send(w->loop, &w->bell);
}

void worker_leave(struct worker *w)
{
	BUG_IF(!worker_is_current(w));
	ev_break(w->loop, EVBREAK_ALL);
}
