#include "journal/producer.h"

#include <stdint.h>
#include <string.h>

#include "base/bug.h"
#include "base/err.h"

/* A buffer that one burst made larger is given back. */
#define KEEP_BYTES (1u << 20)

void producer_init(struct journal_producer *p, struct journal *j, void (*wake)(void *arg), void *arg)
{
	*p = (struct journal_producer){.journal = j, .wake = wake, .arg = arg};
	atomic_init(&p->failed_from, UINT64_MAX);
	pthread_mutex_init(&p->lock, NULL);
	buf_init(&p->filling, SIZE_MAX);
	buf_init(&p->draining, SIZE_MAX);
}

void producer_release(struct journal_producer *p)
{
	buf_release(&p->filling);
	buf_release(&p->draining);
	pthread_mutex_destroy(&p->lock);
}

int producer_put(struct journal_producer *p, struct slice body)
{
	uint32_t len = (uint32_t)body.len;
	pthread_mutex_lock(&p->lock);
	uint8_t *to = buf_reserve(&p->filling, sizeof(len) + body.len);
	if (to == NULL) {
		/* What is there stays good: only this body has no room. */
		p->filling.err = E_OK;
		pthread_mutex_unlock(&p->lock);
		return E_NOMEM;
	}
	memcpy(to, &len, sizeof(len));
	memcpy(to + sizeof(len), body.data, body.len);
	p->filling.len += sizeof(len) + body.len;
	/* Within the lock, so that it never falls before it rose. */
	atomic_fetch_add_explicit(&p->queued, sizeof(len) + body.len, memory_order_relaxed);
	pthread_mutex_unlock(&p->lock);
	return E_OK;
}

bool producer_pull(struct journal_producer *p)
{
	if (p->done < p->draining.len) {
		return true;
	}
	if (p->draining.cap > KEEP_BYTES) {
		buf_release(&p->draining);
		buf_init(&p->draining, SIZE_MAX);
	}
	buf_reset(&p->draining);
	p->done = 0;
	p->staged = 0;
	pthread_mutex_lock(&p->lock);
	struct buf full = p->filling;
	p->filling = p->draining;
	p->draining = full;
	pthread_mutex_unlock(&p->lock);
	return p->draining.len > 0;
}

bool producer_peek(const struct journal_producer *p, struct slice *body)
{
	if (p->staged == p->draining.len) {
		return false;
	}
	uint32_t len;
	memcpy(&len, p->draining.data + p->staged, sizeof(len));
	*body = slice_of(p->draining.data + p->staged + sizeof(len), len);
	return true;
}

void producer_stage(struct journal_producer *p)
{
	struct slice body;
	BUG_IF(!producer_peek(p, &body));
	p->staged += sizeof(uint32_t) + body.len;
	p->staged_count++;
}

uint64_t producer_settle(struct journal_producer *p)
{
	uint64_t count = p->staged_count;
	if (count == 0) {
		return 0;
	}
	atomic_fetch_sub_explicit(&p->queued, p->staged - p->done, memory_order_relaxed);
	p->done = p->staged;
	p->staged_count = 0;
	/* Release: who sees the ticket durable sees everything that led there. */
	atomic_fetch_add_explicit(&p->durable, count, memory_order_release);
	return count;
}
