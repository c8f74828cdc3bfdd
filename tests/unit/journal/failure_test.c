#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/err.h"
#include "base/log.h"
#include "fixture.h"
#include "journal/format.h"
#include "journal/journal.h"
#include "journal/prepare.h"
#include "unit.h"

#define WAIT_MS 20000
#define FOREVER 1000000000u

struct watched {
	struct journal *j;
	struct journal_producer *p;
	char state[FIXTURE_PATH];
	uint64_t submitted;
	struct journal_producer *idle; /* submits nothing */
	_Atomic unsigned wakes;        /* of the idle one */
};

static void note_wake(void *arg)
{
	struct watched *w = arg;
	atomic_fetch_add(&w->wakes, 1);
}

static void begin(struct watched *w)
{
	*w = (struct watched){0};
	fixture_no_faults();
	fixture_make(w->state);
	struct journal_found found;
	BUG_IF(fixture_open(&w->j, w->state, &fixture_faulty, &found) != E_OK);
	BUG_IF(journal_producer_new(w->j, &w->p, NULL, NULL) != E_OK);
	BUG_IF(journal_producer_new(w->j, &w->idle, note_wake, w) != E_OK);
	BUG_IF(journal_start(w->j) != E_OK);
}

static uint64_t submit(struct watched *w)
{
	uint64_t n = w->submitted++;
	return fixture_submit(w->p, 0, n, 50);
}

static int submit_and_wait(struct watched *w)
{
	return journal_wait(w->p, submit(w), WAIT_MS);
}

/* Stops, and has everything that was submitted once and in order. */
static bool end(struct watched *w)
{
	fixture_no_faults();
	journal_stop(&w->j);
	struct fixture_entries e;
	fixture_read_all(w->state, &e);
	bool good = e.err == E_END && e.holes == 0 && e.count == w->submitted;
	for (size_t i = 0; good && i < e.count; i++) {
		good = fixture_is_entry(e.all[i].line, i, 0, i, 50);
	}
	fixture_entries_release(&e);
	fixture_remove(w->state);
	return good;
}

static struct journal_stats stats_of(const struct watched *w)
{
	struct journal_stats stats;
	journal_stats(w->j, &stats);
	return stats;
}

static bool has_prepared_another(void *arg)
{
	(void)arg;
	/* Identity, tip, the first file and the one behind it. */
	return atomic_load(&fixture_faults[CALL_FSYNC].seen) >= 4;
}

/* The thread that prepares files makes the same calls: once it rests, an error is the commit's
 * alone. */
static void wait_for_preparer(void)
{
	CU_ASSERT_TRUE(fixture_until(has_prepared_another, NULL));
}

static void one_failed_call_poisons_the_file_and_nobody_notices(void)
{
	static const struct {
		enum fixture_call call;
		int error;
	} faults[] = {
		{CALL_FDATASYNC, EIO}, {CALL_FDATASYNC, ENOSPC}, {CALL_FDATASYNC, EINTR},
		{CALL_PWRITE, EIO},    {CALL_PWRITE, ENOSPC},
	};
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct watched w;
		begin(&w);
		CU_ASSERT_EQUAL(submit_and_wait(&w), E_OK);
		CU_ASSERT_EQUAL(submit_and_wait(&w), E_OK);
		uint64_t files = stats_of(&w).files;
		wait_for_preparer();
		fixture_fail(faults[i].call, 1, faults[i].error);
		CU_ASSERT_EQUAL(submit_and_wait(&w), E_OK);
		CU_ASSERT_TRUE(journal_healthy(w.j));
		struct journal_stats stats = stats_of(&w);
		CU_ASSERT_EQUAL(stats.failures, 0);
		CU_ASSERT_EQUAL(stats.poisoned, 1);
		CU_ASSERT_EQUAL(stats.files, files + 1);
		CU_ASSERT_EQUAL(submit_and_wait(&w), E_OK);
		CU_ASSERT_TRUE(end(&w));
	}
}

static void short_writes_are_gone_on_with(void)
{
	struct watched w;
	begin(&w);
	atomic_store(&fixture_faults[CALL_PWRITE].short_bytes, 7);
	for (int i = 0; i < 20; i++) {
		CU_ASSERT_EQUAL(submit_and_wait(&w), E_OK);
	}
	CU_ASSERT_EQUAL(stats_of(&w).poisoned, 0);
	CU_ASSERT_TRUE(end(&w));
}

static bool is_healthy(void *arg)
{
	return journal_healthy(arg);
}

/* The wake-up comes behind the news, so it is waited for. */
static bool was_woken_once(void *arg)
{
	struct watched *w = arg;
	return atomic_load(&w->wakes) == 1;
}

static bool was_woken_twice(void *arg)
{
	struct watched *w = arg;
	return atomic_load(&w->wakes) == 2;
}

static bool has_tried_again(void *arg)
{
	struct watched *w = arg;
	return stats_of(w).failures >= 3;
}

/* The whole way: failed and published, kept, tried again, healed, published. */
static void check_outage(enum fixture_call call, int error)
{
	struct watched w;
	begin(&w);
	CU_ASSERT_EQUAL(submit_and_wait(&w), E_OK);
	uint64_t durable = journal_durable(w.p);
	fixture_fail(call, FOREVER, error);
	/* In the current file or, where only new files fail, when it is full. */
	int err = E_OK;
	for (int i = 0; i < 2000 && err == E_OK; i++) {
		durable = w.submitted;
		err = submit_and_wait(&w);
	}
	CU_ASSERT_EQUAL(err, E_IO);
	CU_ASSERT_FALSE(journal_healthy(w.j));
	CU_ASSERT_EQUAL(journal_durable(w.p), durable);
	CU_ASSERT_EQUAL(journal_failed_from(w.p), durable + 1);
	/* What comes while it is broken has failed as well, and waits. */
	uint64_t late = submit(&w);
	CU_ASSERT(journal_failed_from(w.p) <= late);
	CU_ASSERT_EQUAL(journal_wait(w.p, late, WAIT_MS), E_IO);
	CU_ASSERT_TRUE(fixture_until(has_tried_again, &w));
	CU_ASSERT_EQUAL(journal_durable(w.p), durable);
	/* Who had nothing to write has to know as well: it would let clients in. */
	CU_ASSERT_TRUE(fixture_until(was_woken_once, &w));
	CU_ASSERT_EQUAL(journal_failed_from(w.idle), 1);

	fixture_no_faults();
	CU_ASSERT_TRUE(fixture_until(is_healthy, w.j));
	CU_ASSERT_EQUAL(submit_and_wait(&w), E_OK);
	CU_ASSERT_EQUAL(journal_failed_from(w.p), UINT64_MAX);
	CU_ASSERT_TRUE(fixture_until(was_woken_twice, &w));
	CU_ASSERT_EQUAL(journal_failed_from(w.idle), UINT64_MAX);
	CU_ASSERT_TRUE(end(&w));
}

static void a_disk_that_fails_every_sync_is_waited_for(void)
{
	check_outage(CALL_FDATASYNC, EIO);
}

static void a_disk_that_fails_every_write_is_waited_for(void)
{
	check_outage(CALL_PWRITE, ENOSPC);
}

/* One segment of entries does not fill the smallest file; a full file needs the next one. */
static void a_directory_that_takes_no_new_file_is_waited_for(void)
{
	check_outage(CALL_RENAMEAT, EIO);
}

static void a_disk_that_makes_no_new_file_is_waited_for(void)
{
	check_outage(CALL_OPENAT, EMFILE);
}

/* The name is in the directory but not durable, and cannot be taken back: the next file makes it
 * void. */
static void a_file_whose_name_is_not_durable_does_not_count(void)
{
	struct watched w;
	begin(&w);
	CU_ASSERT_EQUAL(submit_and_wait(&w), E_OK);
	wait_for_preparer();
	fixture_fail(CALL_FDATASYNC, 1, EIO); /* ends the current file */
	fixture_fail(CALL_FSYNC_DIRECTORY, 1, EIO);
	fixture_fail(CALL_UNLINKAT, FOREVER, EIO);
	CU_ASSERT_NOT_EQUAL(submit_and_wait(&w), E_TIMEOUT);
	CU_ASSERT_TRUE(fixture_until(is_healthy, w.j));
	CU_ASSERT_EQUAL(submit_and_wait(&w), E_OK);
	char name[64];
	char other[64];
	CU_ASSERT_TRUE(fixture_raw_name(w.state, 1, name));
	CU_ASSERT_TRUE(fixture_raw_name(w.state, 2, other));
	CU_ASSERT_STRING_EQUAL(name, "0000000000000001-00000000.raw");
	CU_ASSERT_STRING_EQUAL(other, "0000000000000001-00000001.raw");
	CU_ASSERT_TRUE(end(&w));
}

static void stopping_on_a_broken_disk_ends_and_is_not_clean(void)
{
	struct watched w;
	begin(&w);
	CU_ASSERT_EQUAL(submit_and_wait(&w), E_OK);
	fixture_fail(CALL_FDATASYNC, FOREVER, EIO);
	submit(&w);
	submit(&w);
	journal_stop(&w.j);
	fixture_no_faults();
	struct journal_found found;
	CU_ASSERT_EQUAL(fixture_open(&w.j, w.state, &fixture_faulty, &found), E_OK);
	CU_ASSERT_FALSE(found.clean);
	/* The failed write may have left whole commits in the file: then they are found. */
	CU_ASSERT(found.next_index >= 1 && found.next_index <= 3);
	w.submitted = found.next_index;
	CU_ASSERT_TRUE(end(&w));
}

/* Each call of a short life fails in turn: either the open is refused, or in the end everything is
 * there. */
static void an_error_at_any_call_loses_nothing(void)
{
	for (int call = 0; call < CALL_KINDS; call++) {
		for (unsigned n = 1;; n++) {
			struct watched w = {0};
			fixture_no_faults();
			fixture_make(w.state);
			atomic_store(&fixture_faults[call].error, EIO);
			atomic_store(&fixture_faults[call].count, 1);
			atomic_store(&fixture_faults[call].from, n);
			struct journal_found found;
			struct diag diag;
			diag_init(&diag);
			struct journal_options options = {.state = w.state,
			                                  .origin = "o",
			                                  .node = "n",
			                                  .file_bytes = 1,
			                                  .io = &fixture_faulty};
			int err = journal_open(&w.j, &options, &found, &diag);
			if (err != E_OK) {
				CU_ASSERT(diag.errors == 1);
				diag_release(&diag);
				fixture_remove(w.state);
				continue;
			}
			diag_release(&diag);
			BUG_IF(journal_producer_new(w.j, &w.p, NULL, NULL) != E_OK);
			BUG_IF(journal_start(w.j) != E_OK);
			for (int i = 0; i < 4; i++) {
				uint64_t ticket = submit(&w);
				while (journal_wait(w.p, ticket, WAIT_MS) == E_IO) {
					usleep(1000);
				}
				CU_ASSERT(journal_durable(w.p) >= ticket);
			}
			journal_stop(&w.j);
			bool reached = atomic_load(&fixture_faults[call].seen) >= n;
			w.j = NULL;
			CU_ASSERT_TRUE(end(&w));
			if (!reached) {
				break;
			}
		}
	}
}

/* Made on the spot: of full size, all zero, whether the file system can reserve blocks or not. */
static void a_file_made_late_is_as_good_as_a_prepared_one(void)
{
	char state[FIXTURE_PATH];
	fixture_make(state);
	fixture_no_faults();
	int dir_fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct preparer p;
	CU_ASSERT_EQUAL_FATAL(preparer_init(&p, &fixture_faulty, dir_fd, 100000), E_OK);
	for (unsigned i = 0; i < 2; i++) {
		struct prepared file = {.fd = -1};
		CU_ASSERT_EQUAL_FATAL(preparer_take(&p, &file), E_OK);
		CU_ASSERT_EQUAL(atomic_load(&p.late), i + 1);
		static uint8_t bytes[100001];
		CU_ASSERT_EQUAL(pread(file.fd, bytes, sizeof(bytes), 0), 100000);
		for (size_t at = 0; at < 100000; at++) {
			if (bytes[at] != 0) {
				CU_FAIL_FATAL("a prepared file is not zero");
			}
		}
		prepared_drop(&file, &fixture_faulty, dir_fd);
		fixture_fail(CALL_FALLOCATE, FOREVER, EOPNOTSUPP);
	}
	struct prepared none = {.fd = -1};
	fixture_fail(CALL_FALLOCATE, FOREVER, ENOSPC);
	CU_ASSERT_EQUAL(preparer_take(&p, &none), E_NOSPACE);
	CU_ASSERT_EQUAL(none.fd, -1);
	fixture_no_faults();
	preparer_release(&p);
	close(dir_fd);
	fixture_remove(state);
}

static const struct unit_test tests[] = {
	{"one failed call poisons the file and nobody notices",
         one_failed_call_poisons_the_file_and_nobody_notices},
	{"short writes are gone on with", short_writes_are_gone_on_with},
	{"a disk that fails every sync is waited for", a_disk_that_fails_every_sync_is_waited_for},
	{"a disk that fails every write is waited for", a_disk_that_fails_every_write_is_waited_for},
	{"a directory that takes no new file is waited for",
         a_directory_that_takes_no_new_file_is_waited_for},
	{"a disk that makes no new file is waited for", a_disk_that_makes_no_new_file_is_waited_for},
	{"a file whose name is not durable does not count",
         a_file_whose_name_is_not_durable_does_not_count},
	{"stopping on a broken disk ends and is not clean",
         stopping_on_a_broken_disk_ends_and_is_not_clean},
	{"a file made late is as good as a prepared one",
         a_file_made_late_is_as_good_as_a_prepared_one},
	{"an error at any call loses nothing", an_error_at_any_call_loses_nothing},
};

int main(void)
{
	log_init((enum log_level)0);
	return unit_run("journal/failure", tests, sizeof(tests) / sizeof(tests[0]));
}
