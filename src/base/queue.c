#include "base/queue.h"

#include <stddef.h>

#include "base/bug.h"

void queue_init(struct queue *q)
{
	*q = (struct queue){.first = NULL};
	BUG_IF(pthread_mutex_init(&q->lock, NULL) != 0);
}

void queue_release(struct queue *q)
{
	BUG_IF(q->first != NULL);
	pthread_mutex_destroy(&q->lock);
}

void queue_push(struct queue *q, struct queue_node *node)
{
	node->next = NULL;
	pthread_mutex_lock(&q->lock);
	if (q->last == NULL) {
		q->first = node;
	} else {
		q->last->next = node;
	}
	q->last = node;
	pthread_mutex_unlock(&q->lock);
}

struct queue_node *queue_pop(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	struct queue_node *node = q->first;
	if (node != NULL) {
		q->first = node->next;
		if (q->first == NULL) {
			q->last = NULL;
		}
	}
	pthread_mutex_unlock(&q->lock);
	return node;
}
