/* A journal that writes nothing and acknowledges at once: tlscribe-null is the benchmark's measure of what recording costs.
 *
 * Events are still encoded and connections still wait for their wake-up, so the difference to tlscribe is the
 * journal alone: queue, thread, CRC, write, fdatasync, tip. Never installed. */
#include "journal/journal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/err.h"

struct journal_producer {
	struct journal_producer *next;
	void (*wake)(void *arg);
	void *arg;
	uint64_t tickets;
};

struct journal {
	struct journal_producer *producers;
};

int journal_open(struct journal **out, const struct journal_options *options,
                 struct journal_found *found, struct diag *diag)
{
	(void)diag;
	struct journal *j = calloc(1, sizeof(*j));
	if (j == NULL) {
		return E_NOMEM;
	}
	*found = (struct journal_found){.first = true, .clean = true};
	snprintf(found->log, sizeof(found->log), "%s/%s/1", options->origin, options->node);
	*out = j;
	return E_OK;
}

int journal_producer_new(struct journal *j, struct journal_producer **out, void (*wake)(void *arg),
                         void *arg)
{
	struct journal_producer *p = calloc(1, sizeof(*p));
	if (p == NULL) {
		return E_NOMEM;
	}
	*p = (struct journal_producer){.next = j->producers, .wake = wake, .arg = arg};
	j->producers = p;
	*out = p;
	return E_OK;
}

int journal_start(struct journal *j)
{
	(void)j;
	return E_OK;
}

int journal_submit(struct journal_producer *p, struct slice body, uint64_t *ticket)
{
	BUG_IF(body.len == 0);
	*ticket = ++p->tickets;
	if (p->wake != NULL) {
		p->wake(p->arg);
	}
	return E_OK;
}

uint64_t journal_durable(const struct journal_producer *p)
{
	return p->tickets;
}

uint64_t journal_failed_from(const struct journal_producer *p)
{
	(void)p;
	return UINT64_MAX;
}

bool journal_pressure(const struct journal_producer *p)
{
	(void)p;
	return false;
}

void journal_stats(const struct journal *j, struct journal_stats *out)
{
	(void)j;
	*out = (struct journal_stats){0};
}

bool journal_healthy(const struct journal *j)
{
	(void)j;
	return true;
}

int journal_wait(struct journal_producer *p, uint64_t ticket, unsigned timeout_ms)
{
	(void)timeout_ms;
	return ticket <= p->tickets ? E_OK : E_IO;
}

void journal_stop(struct journal **j)
{
	if (*j == NULL) {
		return;
	}
	while ((*j)->producers != NULL) {
		struct journal_producer *next = (*j)->producers->next;
		free((*j)->producers);
		(*j)->producers = next;
	}
	free(*j);
	*j = NULL;
}
