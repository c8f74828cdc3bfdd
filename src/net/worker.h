/* A worker: one thread, one libev loop, a mailbox.
 *
 * Whoever has something for it posts a message or wakes it; its owner's functions run on its thread alone.
 * Thread: worker_post() and worker_wake() any; the rest as said. */
#pragma once

#include <stdbool.h>

#include <ev.h>

#include "base/queue.h"

struct worker;

struct worker_ops {
	void (*message)(void *arg, struct queue_node *message); /* takes it */
	void (*woken)(void *arg); /* after worker_wake(), at least once */
};

/* The loop exists at once, the thread from worker_start() on. Main thread. */
int worker_new(struct worker **out, const struct worker_ops *ops, void *arg);
int worker_start(struct worker *w, const char *thread_name);
/* Waits until its loop was ended by worker_leave(). It can still be woken and posted to, to no effect. Main thread. */
void worker_join(struct worker *w);
/* Frees one that was joined, or never started. NULL is fine. Main thread. */
void worker_free(struct worker **w);

struct ev_loop *worker_loop(struct worker *w);
bool worker_is_current(const struct worker *w);
void worker_post(struct worker *w, struct queue_node *message);
void worker_wake(struct worker *w);
/* Ends the loop after the current callbacks. Its own thread. */
void worker_leave(struct worker *w);
