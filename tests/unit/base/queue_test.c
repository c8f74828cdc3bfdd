#include "base/queue.h"

#include <sched.h>
#include <stddef.h>

#include "unit.h"

#define PRODUCERS 4
#define ITEMS 5000

struct item {
	struct queue_node node; /* first: a node is its item */
	int producer;
	int number;
};

static void first_in_first_out(void)
{
	struct queue q;
	struct item items[3];
	queue_init(&q);
	CU_ASSERT_PTR_NULL(queue_pop(&q));
	queue_push(&q, &items[0].node);
	queue_push(&q, &items[1].node);
	CU_ASSERT_PTR_EQUAL(queue_pop(&q), &items[0].node);
	queue_push(&q, &items[2].node);
	CU_ASSERT_PTR_EQUAL(queue_pop(&q), &items[1].node);
	CU_ASSERT_PTR_EQUAL(queue_pop(&q), &items[2].node);
	CU_ASSERT_PTR_NULL(queue_pop(&q));
	queue_release(&q);
}

static void a_node_may_be_pushed_again_after_it_was_popped(void)
{
	struct queue q;
	struct item a;
	struct item b;
	queue_init(&q);
	queue_push(&q, &a.node);
	queue_push(&q, &b.node);
	CU_ASSERT_PTR_EQUAL(queue_pop(&q), &a.node);
	queue_push(&q, &a.node);
	CU_ASSERT_PTR_EQUAL(queue_pop(&q), &b.node);
	CU_ASSERT_PTR_EQUAL(queue_pop(&q), &a.node);
	CU_ASSERT_PTR_NULL(queue_pop(&q));
	queue_release(&q);
}

static struct queue shared;
static struct item pushed[PRODUCERS][ITEMS];

static void *produce(void *arg)
{
	struct item *items = arg;
	for (int i = 0; i < ITEMS; i++) {
		queue_push(&shared, &items[i].node);
	}
	return NULL;
}

static void nothing_is_lost_and_each_producer_keeps_its_order(void)
{
	pthread_t threads[PRODUCERS];
	int next[PRODUCERS] = {0};
	queue_init(&shared);
	for (int p = 0; p < PRODUCERS; p++) {
		for (int i = 0; i < ITEMS; i++) {
			pushed[p][i].producer = p;
			pushed[p][i].number = i;
		}
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[p], NULL, produce, pushed[p]), 0);
	}
	int wrong = 0;
	for (int got = 0; got < PRODUCERS * ITEMS;) {
		struct item *item = (struct item *)queue_pop(&shared);
		if (item == NULL) {
			sched_yield();
			continue;
		}
		wrong += item->number != next[item->producer];
		next[item->producer] = item->number + 1;
		got++;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	for (int p = 0; p < PRODUCERS; p++) {
		pthread_join(threads[p], NULL);
		CU_ASSERT_EQUAL(next[p], ITEMS);
	}
	CU_ASSERT_PTR_NULL(queue_pop(&shared));
	queue_release(&shared);
}

static const struct unit_test tests[] = {
	{"first in, first out", first_in_first_out},
	{"a node may be pushed again after it was popped",
         a_node_may_be_pushed_again_after_it_was_popped},
	{"nothing is lost and each producer keeps its order",
         nothing_is_lost_and_each_producer_keeps_its_order},
};
UNIT_MAIN("base/queue", tests)
