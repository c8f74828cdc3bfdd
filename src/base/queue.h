/* What crosses threads: an intrusive first-in first-out list behind one mutex. Many may push, one
 * pops.
 *
 * The receiver is woken by whoever pushes (ev_async_send, a condition): the queue does not know how.
 * Thread: any. */
#pragma once

#include <pthread.h>

struct queue_node {
	struct queue_node *next;
};

struct queue {
	pthread_mutex_t lock; /* guards first, last */
	struct queue_node *first;
	struct queue_node *last;
};

void queue_init(struct queue *q);
/* The queue has to be empty. */
void queue_release(struct queue *q);
void queue_push(struct queue *q, struct queue_node *node);
/* Takes the oldest; NULL when empty. */
struct queue_node *queue_pop(struct queue *q);
