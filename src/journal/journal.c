#include "journal/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "event/event.h"
#include "journal/prepare.h"
#include "journal/producer.h"
#include "journal/store.h"
#include "journal/writer.h"

#define QUEUE_BYTES_DEFAULT (8u << 20)
#define RETRY_NS UINT64_C(250000000)
/* Commits begin at least this far apart. An fdatasync costs 50-110 us of CPU time, whatever it carries: one for each handshake
 * was 11-14 % of all; an entry that comes alone is still written at once. */
#define COMMIT_GAP_NS UINT64_C(3000000)
/* What a broken disk may cost at the end. */
#define GIVE_UP_NS UINT64_C(3000000000)

struct journal {
	struct store store;
	struct preparer preparer;
	struct writer writer;
	size_t queue_bytes;
	struct journal_producer **producers;
	size_t producer_count;
	size_t turn; /* whose entries come first in the next commit; the journal thread's */

	pthread_t thread;
	bool started;
	_Atomic bool sleeping; /* the journal thread has found nothing and waits, or is about to */
	_Atomic bool healthy;
	pthread_mutex_t lock; /* guards poked, stop, give_up_ns */
	pthread_cond_t work;
	bool poked;
	bool stop;
	uint64_t give_up_ns;       /* with stop: a broken disk is tried until then */
	pthread_mutex_t done_lock; /* guards nothing but the sleep in journal_wait() */
	pthread_cond_t done;

	_Atomic uint64_t commits;
	_Atomic uint64_t entries;
	_Atomic uint64_t failures;
};

static void cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / 1000000000),
	                         .tv_nsec = (long)(ns % 1000000000)};
}

static size_t file_bytes_of(const struct journal_options *options)
{
	size_t bytes = options->file_bytes == 0 ? RAW_FILE_DEFAULT : options->file_bytes;
	if (bytes < RAW_FILE_MIN) {
		return RAW_FILE_MIN;
	}
	return bytes > RAW_FILE_MAX ? RAW_FILE_MAX : bytes;
}

int journal_open(struct journal **out, const struct journal_options *options,
                 struct journal_found *found, struct diag *diag)
{
	struct journal *j = calloc(1, sizeof(*j));
	if (j == NULL) {
		return E_NOMEM;
	}
	int err = store_open(&j->store, options, found, diag);
	if (err != E_OK) {
		goto free_journal;
	}
	size_t file_bytes = file_bytes_of(options);
	preparer_init(&j->preparer, j->store.io, j->store.dir_fd, file_bytes);
	err = preparer_fill(&j->preparer);
	if (err != E_OK) {
		diag_error(diag, j->store.path, (struct mark){0},
		           "no journal file of %zu bytes can be made: %s", file_bytes,
		           err_text(err));
		goto release_preparer;
	}
	err = writer_init(&j->writer, &j->store, &j->preparer, file_bytes);
	if (err != E_OK) {
		goto release_preparer;
	}
	j->queue_bytes = options->queue_bytes == 0 ? QUEUE_BYTES_DEFAULT : options->queue_bytes;
	atomic_init(&j->healthy, true);
	pthread_mutex_init(&j->lock, NULL);
	pthread_mutex_init(&j->done_lock, NULL);
	cond_init(&j->work);
	cond_init(&j->done);
	*out = j;
	return E_OK;

release_preparer:
	preparer_release(&j->preparer);
	store_close(&j->store);
free_journal:
	free(j);
	return err;
}

int journal_producer_new(struct journal *j, struct journal_producer **out, void (*wake)(void *arg),
                         void *arg)
{
	BUG_IF(j->started);
	struct journal_producer **grown =
		reallocarray(j->producers, j->producer_count + 1, sizeof(*grown));
	if (grown == NULL) {
		return E_NOMEM;
	}
	j->producers = grown;
	struct journal_producer *p = calloc(1, sizeof(*p));
	if (p == NULL) {
		return E_NOMEM;
	}
	producer_init(p, j, wake, arg);
	j->producers[j->producer_count++] = p;
	*out = p;
	return E_OK;
}

/* Fills the commit in the order of the producers, each in its own order. False: there is
 * nothing. */
static bool stage(struct journal *j)
{
	bool full = false;
	for (size_t n = 0; n < j->producer_count && !full; n++) {
		struct journal_producer *p = j->producers[(j->turn + n) % j->producer_count];
		struct slice body;
		if (!producer_pull(p)) {
			continue;
		}
		while (!full && producer_peek(p, &body)) {
			full = writer_add(&j->writer, body) == E_LIMIT;
			if (!full) {
				producer_stage(p);
			}
		}
	}
	/* Nobody is always last when commits are full. */
	j->turn = j->producer_count == 0 ? 0 : (j->turn + 1) % j->producer_count;
	return j->writer.count > 0;
}

static void wake(struct journal_producer *p)
{
	if (p->wake != NULL) {
		p->wake(p->arg);
	}
}

/* Whoever waits in journal_wait() looks again. */
static void wake_waiters(struct journal *j)
{
	pthread_mutex_lock(&j->done_lock);
	pthread_cond_broadcast(&j->done);
	pthread_mutex_unlock(&j->done_lock);
}

static void publish_success(struct journal *j)
{
	bool healed = !atomic_exchange(&j->healthy, true);
	for (size_t i = 0; i < j->producer_count; i++) {
		struct journal_producer *p = j->producers[i];
		uint64_t count = producer_settle(p);
		atomic_fetch_add_explicit(&j->entries, count, memory_order_relaxed);
		if (healed) {
			/* Behind the tickets: who sees nothing failed any more sees them
			 * durable. */
			atomic_store_explicit(&p->failed_from, UINT64_MAX, memory_order_release);
		}
		if (count > 0 || healed) {
			wake(p);
		}
	}
	atomic_fetch_add_explicit(&j->commits, 1, memory_order_relaxed);
	wake_waiters(j);
	if (healed) {
		log_warning("%s: the journal can be written again; nothing was lost", j->store.path);
	}
}

static void publish_failure(struct journal *j, int err)
{
	atomic_fetch_add_explicit(&j->failures, 1, memory_order_relaxed);
	if (!atomic_load(&j->healthy)) {
		return;
	}
	log_error(
		"%s: the journal cannot be written: %s; entries are kept in memory and tried again",
		j->store.path, err_text(err));
	atomic_store(&j->healthy, false);
	for (size_t i = 0; i < j->producer_count; i++) {
		struct journal_producer *p = j->producers[i];
		atomic_store_explicit(&p->failed_from, atomic_load(&p->durable) + 1,
		                      memory_order_release);
		wake(p);
	}
	wake_waiters(j);
}

/* False: the end was asked for, and the time for a broken disk is over. */
static bool wait_for_retry(struct journal *j)
{
	uint64_t until_ns = clock_mono_ns() + RETRY_NS;
	struct timespec until = timespec_of(until_ns);
	pthread_mutex_lock(&j->lock);
	int waited = 0;
	while (waited != ETIMEDOUT) {
		waited = pthread_cond_timedwait(&j->work, &j->lock, &until);
	}
	bool over = j->stop && clock_mono_ns() >= j->give_up_ns;
	pthread_mutex_unlock(&j->lock);
	return !over;
}

/* False: the end. */
static bool wait_for_work(struct journal *j)
{
	pthread_mutex_lock(&j->lock);
	while (!j->poked && !j->stop) {
		pthread_cond_wait(&j->work, &j->lock);
	}
	bool more = j->poked || !j->stop;
	j->poked = false;
	pthread_mutex_unlock(&j->lock);
	return more;
}

/* After a commit, until COMMIT_GAP_NS behind its beginning: under load the next one takes more along. */
static void pace(struct journal *j, uint64_t began_ns)
{
	struct timespec until = timespec_of(began_ns + COMMIT_GAP_NS);
	pthread_mutex_lock(&j->lock);
	int waited = 0;
	while (waited != ETIMEDOUT && !j->stop) {
		waited = pthread_cond_timedwait(&j->work, &j->lock, &until);
	}
	pthread_mutex_unlock(&j->lock);
}

static void *journal_main(void *arg)
{
	struct journal *j = arg;
	for (;;) {
		if (!stage(j)) {
			/* Said before looking once more: a producer that appends after that look
			 * reads `sleeping` behind the same lock, so it sees true and pokes. */
			atomic_store(&j->sleeping, true);
			if (!stage(j)) {
				bool more = wait_for_work(j);
				atomic_store(&j->sleeping, false);
				if (!more) {
					break;
				}
				continue;
			}
			atomic_store(&j->sleeping, false);
		}
		uint64_t began_ns = clock_mono_ns();
		int err;
		while ((err = writer_commit(&j->writer)) != E_OK) {
			publish_failure(j, err);
			if (!wait_for_retry(j)) {
				return NULL;
			}
		}
		publish_success(j);
		pace(j, began_ns);
	}
	return NULL;
}

int journal_start(struct journal *j)
{
	BUG_IF(j->started);
	int err = preparer_start(&j->preparer);
	if (err != E_OK) {
		return err;
	}
	/* Signals are for the main thread. */
	sigset_t all;
	sigset_t before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&j->thread, NULL, journal_main, j);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	j->started = failed == 0;
	return failed == 0 ? E_OK : E_LIMIT;
}

int journal_submit(struct journal_producer *p, struct slice body, uint64_t *ticket)
{
	BUG_IF(body.len == 0 || body.len > EVENT_BODY_MAX);
	int err = producer_put(p, body);
	if (err != E_OK) {
		return err;
	}
	*ticket = ++p->submitted;
	struct journal *j = p->journal;
	if (atomic_load(&j->sleeping)) {
		pthread_mutex_lock(&j->lock);
		j->poked = true;
		pthread_cond_broadcast(&j->work);
		pthread_mutex_unlock(&j->lock);
	}
	return E_OK;
}

uint64_t journal_durable(const struct journal_producer *p)
{
	return atomic_load_explicit(&p->durable, memory_order_acquire);
}

uint64_t journal_failed_from(const struct journal_producer *p)
{
	return atomic_load_explicit(&p->failed_from, memory_order_acquire);
}

bool journal_pressure(const struct journal_producer *p)
{
	return atomic_load_explicit(&p->queued, memory_order_relaxed) > p->journal->queue_bytes;
}

bool journal_healthy(const struct journal *j)
{
	return atomic_load(&j->healthy);
}

int journal_wait(struct journal_producer *p, uint64_t ticket, unsigned timeout_ms)
{
	struct journal *j = p->journal;
	struct timespec until = timespec_of(clock_mono_ns() + (uint64_t)timeout_ms * 1000000);
	int err = E_TIMEOUT;
	int waited = 0;
	pthread_mutex_lock(&j->done_lock);
	for (;;) {
		if (journal_durable(p) >= ticket) {
			err = E_OK;
			break;
		}
		if (journal_failed_from(p) <= ticket) {
			err = E_IO;
			break;
		}
		if (waited == ETIMEDOUT) {
			break;
		}
		waited = pthread_cond_timedwait(&j->done, &j->done_lock, &until);
	}
	pthread_mutex_unlock(&j->done_lock);
	return err;
}

void journal_stats(const struct journal *j, struct journal_stats *out)
{
	*out = (struct journal_stats){
		.commits = atomic_load(&j->commits),
		.entries = atomic_load(&j->entries),
		.failures = atomic_load(&j->failures),
		.files = atomic_load(&j->writer.files),
		.poisoned = atomic_load(&j->writer.poisoned),
		.prepared_late = atomic_load(&j->preparer.late),
	};
}

static uint64_t count_lost(const struct journal *j)
{
	uint64_t lost = 0;
	for (size_t i = 0; i < j->producer_count; i++) {
		lost += j->producers[i]->submitted - journal_durable(j->producers[i]);
	}
	return lost;
}

void journal_stop(struct journal **journal)
{
	struct journal *j = *journal;
	if (j == NULL) {
		return;
	}
	*journal = NULL;
	pthread_mutex_lock(&j->lock);
	j->stop = true;
	j->give_up_ns = clock_mono_ns() + GIVE_UP_NS;
	pthread_cond_broadcast(&j->work);
	pthread_mutex_unlock(&j->lock);
	if (j->started) {
		pthread_join(j->thread, NULL);
	} else {
		journal_main(j);
	}
	preparer_release(&j->preparer);

	uint64_t lost = count_lost(j);
	writer_release(&j->writer);
	if (lost > 0) {
		log_error("%s: the journal could not be written to its end: %" PRIu64
		          " entries are lost",
		          j->store.path, lost);
	} else if (store_mark_clean(&j->store) != E_OK) {
		log_error("%s: the clean end of the journal could not be recorded", j->store.path);
	}
	store_close(&j->store);
	for (size_t i = 0; i < j->producer_count; i++) {
		producer_release(j->producers[i]);
		free(j->producers[i]);
	}
	free(j->producers);
	pthread_cond_destroy(&j->done);
	pthread_cond_destroy(&j->work);
	pthread_mutex_destroy(&j->done_lock);
	pthread_mutex_destroy(&j->lock);
	free(j);
}
