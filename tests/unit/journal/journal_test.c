#include "journal/journal.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/err.h"
#include "event/event.h"
#include "fixture.h"
#include "journal/format.h"
#include "unit.h"

#define WAIT_MS 20000

static void what_was_submitted_is_read_back_byte_by_byte(void)
{
	static const size_t sizes[] = {1, 100, 1000, 30000, EVENT_BODY_MAX, 2, EVENT_BODY_MAX - 1};
	char state[FIXTURE_PATH];
	fixture_make(state);
	struct journal_found found;
	struct journal_producer *p = NULL;
	struct journal *j = fixture_start(state, NULL, &p, &found);
	CU_ASSERT_TRUE(found.first);
	CU_ASSERT_EQUAL(found.next_index, 0);
	CU_ASSERT_STRING_EQUAL(found.log, "audit.example/edge-1/1");
	uint64_t ticket = 0;
	for (size_t i = 0; i < 70; i++) {
		ticket = fixture_submit(p, 0, i, sizes[i % 7]);
		CU_ASSERT_EQUAL(ticket, i + 1);
	}
	CU_ASSERT_EQUAL(journal_wait(p, ticket, WAIT_MS), E_OK);
	CU_ASSERT_EQUAL(journal_durable(p), ticket);
	CU_ASSERT_EQUAL(journal_failed_from(p), UINT64_MAX);
	journal_stop(&j);
	CU_ASSERT_PTR_NULL(j);

	struct fixture_entries e;
	fixture_read_all(state, &e);
	CU_ASSERT_EQUAL(e.err, E_END);
	CU_ASSERT_EQUAL(e.holes, 0);
	CU_ASSERT_EQUAL_FATAL(e.count, 70);
	for (size_t i = 0; i < e.count; i++) {
		CU_ASSERT_EQUAL(e.all[i].sequence, i);
		CU_ASSERT_TRUE(fixture_is_entry(e.all[i].line, i, 0, i, sizes[i % 7]));
	}
	fixture_entries_release(&e);
	fixture_remove(state);
}

#define PRODUCERS 4
#define EACH 5000

struct producer_run {
	struct journal_producer *p;
	unsigned who;
	_Atomic uint64_t wakes;
	bool never_ahead; /* of what was submitted */
};

static void count_wake(void *arg)
{
	struct producer_run *run = arg;
	atomic_fetch_add(&run->wakes, 1);
}

static void *produce(void *arg)
{
	struct producer_run *run = arg;
	run->never_ahead = true;
	uint64_t ticket = 0;
	for (uint64_t n = 0; n < EACH; n++) {
		ticket = fixture_submit(run->p, run->who, n, 40 + n % 300);
		if (journal_durable(run->p) > ticket) {
			run->never_ahead = false;
		}
		if (n % 1000 == 999 && journal_wait(run->p, ticket, WAIT_MS) != E_OK) {
			return NULL;
		}
	}
	return run;
}

static void each_of_many_producers_keeps_its_order(void)
{
	char state[FIXTURE_PATH];
	fixture_make(state);
	struct journal_found found;
	struct journal *j = NULL;
	CU_ASSERT_EQUAL_FATAL(fixture_open(&j, state, &fixture_fast, &found), E_OK);
	struct producer_run runs[PRODUCERS] = {0};
	pthread_t threads[PRODUCERS];
	for (unsigned i = 0; i < PRODUCERS; i++) {
		runs[i].who = i;
		CU_ASSERT_EQUAL_FATAL(journal_producer_new(j, &runs[i].p, count_wake, &runs[i]),
		                      E_OK);
	}
	CU_ASSERT_EQUAL_FATAL(journal_start(j), E_OK);
	for (unsigned i = 0; i < PRODUCERS; i++) {
		BUG_IF(pthread_create(&threads[i], NULL, produce, &runs[i]) != 0);
	}
	for (unsigned i = 0; i < PRODUCERS; i++) {
		void *result = NULL;
		pthread_join(threads[i], &result);
		CU_ASSERT_PTR_EQUAL(result, &runs[i]);
		CU_ASSERT_TRUE(runs[i].never_ahead);
		CU_ASSERT_EQUAL(journal_durable(runs[i].p), EACH);
	}
	struct journal_stats stats;
	journal_stats(j, &stats);
	CU_ASSERT_EQUAL(stats.entries, PRODUCERS * EACH);
	journal_stop(&j);
	for (unsigned i = 0; i < PRODUCERS; i++) {
		/* One wake-up a commit at most. */
		CU_ASSERT(atomic_load(&runs[i].wakes) > 0);
		CU_ASSERT(atomic_load(&runs[i].wakes) <= stats.commits);
	}

	struct fixture_entries e;
	fixture_read_all(state, &e);
	CU_ASSERT_EQUAL_FATAL(e.count, PRODUCERS * EACH);
	uint64_t next[PRODUCERS] = {0};
	for (size_t i = 0; i < e.count; i++) {
		unsigned who = PRODUCERS;
		uint64_t n = 0;
		CU_ASSERT_TRUE_FATAL(fixture_parse(e.all[i].line, &who, &n) && who < PRODUCERS);
		CU_ASSERT_EQUAL(n, next[who]++);
		CU_ASSERT_TRUE(fixture_is_entry(e.all[i].line, i, who, n, 40 + n % 300));
	}
	fixture_entries_release(&e);
	fixture_remove(state);
}

/* 66,000 entries over many small files and the boundary at 65,536, with a restart just before
 * it. */
static void files_hold_one_segment_and_numbers_go_on_across_them(void)
{
	char state[FIXTURE_PATH];
	fixture_make(state);
	const uint64_t total = SEGMENT_ENTRIES + 464;
	uint64_t n = 0;
	for (int run = 0; run < 2; run++) {
		struct journal_found found;
		struct journal_producer *p = NULL;
		struct journal *j = fixture_start(state, &fixture_fast, &p, &found);
		CU_ASSERT_EQUAL(found.next_index, n);
		CU_ASSERT_EQUAL(found.first, run == 0);
		CU_ASSERT_EQUAL(found.clean, run == 1);
		uint64_t ticket = 0;
		for (uint64_t until = run == 0 ? SEGMENT_ENTRIES - 3 : total; n < until; n++) {
			ticket = fixture_submit(p, 0, n, 0);
		}
		CU_ASSERT_EQUAL(journal_wait(p, ticket, WAIT_MS), E_OK);
		journal_stop(&j);
	}
	size_t files = fixture_raw_count(state);
	CU_ASSERT(files > 20);
	bool boundary_begins_a_file = false;
	for (size_t i = 0; i < files; i++) {
		char name[64];
		struct raw_key key;
		CU_ASSERT_TRUE(fixture_raw_name(state, i, name) && raw_name_parse(name, &key));
		CU_ASSERT_EQUAL(key.counter, 0);
		boundary_begins_a_file = boundary_begins_a_file || key.first == SEGMENT_ENTRIES;
	}
	CU_ASSERT_TRUE(boundary_begins_a_file);
	struct fixture_entries e;
	fixture_read_all(state, &e);
	CU_ASSERT_EQUAL(e.holes, 0);
	CU_ASSERT_EQUAL_FATAL(e.count, total);
	for (size_t i = 0; i < e.count; i++) {
		if (!fixture_is_entry(e.all[i].line, i, 0, i, 0)) {
			CU_FAIL_FATAL("an entry is not what was submitted");
		}
	}
	fixture_entries_release(&e);
	fixture_remove(state);
}

static void what_was_queued_before_start_and_before_stop_is_written(void)
{
	char state[FIXTURE_PATH];
	fixture_make(state);
	struct journal_found found;
	struct journal_producer *p = NULL;
	struct journal *j = NULL;
	CU_ASSERT_EQUAL_FATAL(fixture_open(&j, state, NULL, &found), E_OK);
	CU_ASSERT_EQUAL_FATAL(journal_producer_new(j, &p, NULL, NULL), E_OK);
	fixture_submit(p, 0, 0, 0);
	journal_stop(&j);
	j = fixture_start(state, NULL, &p, &found);
	CU_ASSERT_TRUE(found.clean);
	CU_ASSERT_EQUAL(found.next_index, 1);
	for (uint64_t n = 1; n < 500; n++) {
		fixture_submit(p, 0, n, 0);
	}
	journal_stop(&j);
	struct fixture_entries e;
	fixture_read_all(state, &e);
	CU_ASSERT_EQUAL(e.count, 500);
	fixture_entries_release(&e);
	fixture_remove(state);
}

static void a_second_instance_is_busy_and_the_first_end_frees_it(void)
{
	char state[FIXTURE_PATH];
	fixture_make(state);
	struct journal_found found;
	struct journal *first = NULL;
	struct journal *second = NULL;
	CU_ASSERT_EQUAL_FATAL(fixture_open(&first, state, NULL, &found), E_OK);
	CU_ASSERT_EQUAL(fixture_open(&second, state, NULL, &found), E_BUSY);
	journal_stop(&first);
	CU_ASSERT_EQUAL(fixture_open(&second, state, NULL, &found), E_OK);
	journal_stop(&second);
	fixture_remove(state);
}

static int open_as(const char *state, const char *origin, const char *node, struct diag *diag)
{
	struct journal_options options = {
		.state = state, .origin = origin, .node = node, .file_bytes = 1};
	struct journal_found found;
	struct journal *j = NULL;
	diag_init(diag);
	int err = journal_open(&j, &options, &found, diag);
	journal_stop(&j);
	return err;
}

/* The error, and that it comes with one sentence that has `words` in it. */
static bool is_refused(int err, int expected, struct diag *diag, const char *words)
{
	bool good = err == expected && diag->errors == 1 && diag->first != NULL &&
	            strstr(diag->first->text, words) != NULL;
	diag_release(diag);
	return good;
}

static void a_foreign_newer_or_damaged_journal_is_refused_with_a_sentence(void)
{
	char state[FIXTURE_PATH];
	fixture_make(state);
	struct diag diag;
	CU_ASSERT_EQUAL(open_as(state, "audit.example", "edge-1", &diag), E_OK);
	diag_release(&diag);
	int err = open_as(state, "other.example", "edge-1", &diag);
	CU_ASSERT_TRUE(is_refused(err, E_INVALID, &diag, "other.example"));
	err = open_as(state, "audit.example", "edge-2", &diag);
	CU_ASSERT_TRUE(is_refused(err, E_INVALID, &diag, "edge-2"));
	fixture_write_file(state, FORMAT_IDENTITY, SLICE("tlscribe journal 9\n"));
	err = open_as(state, "audit.example", "edge-1", &diag);
	CU_ASSERT_TRUE(is_refused(err, E_VERSION, &diag, "newer"));
	fixture_write_file(state, FORMAT_IDENTITY,
	                   SLICE("tlscribe journal 1\norigin audit.example\n"));
	err = open_as(state, "audit.example", "edge-1", &diag);
	CU_ASSERT_TRUE(is_refused(err, E_CORRUPT, &diag, "damaged"));
	fixture_remove(state);

	fixture_make(state);
	err = open_as(state, "audit example", "edge-1", &diag);
	CU_ASSERT_TRUE(is_refused(err, E_INVALID, &diag, "printable"));
	fixture_remove(state);
}

static void a_journal_without_its_identity_is_refused(void)
{
	char state[FIXTURE_PATH];
	fixture_make(state);
	struct journal_producer *p = NULL;
	struct journal *j = fixture_start(state, NULL, &p, NULL);
	fixture_submit(p, 0, 0, 0);
	journal_stop(&j);
	char path[FIXTURE_PATH * 2];
	snprintf(path, sizeof(path), "%s/journal/identity", state);
	CU_ASSERT_EQUAL(unlink(path), 0);
	struct diag diag;
	int err = open_as(state, "audit.example", "edge-1", &diag);
	CU_ASSERT_TRUE(is_refused(err, E_CORRUPT, &diag, "missing"));
	fixture_remove(state);
}

/* Root may write anywhere, so a child tries it as nobody. */
static void a_directory_that_cannot_be_written_is_refused_with_a_sentence(void)
{
	char state[FIXTURE_PATH];
	char inner[FIXTURE_PATH * 2];
	fixture_make(state);
	snprintf(inner, sizeof(inner), "%s/journal", state);
	CU_ASSERT_EQUAL_FATAL(mkdir(inner, 0555), 0);
	CU_ASSERT_EQUAL_FATAL(chmod(state, 0555), 0);
	pid_t child = fork();
	if (child == 0) {
		if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) {
			_exit(2);
		}
		struct diag diag;
		int err = open_as(state, "audit.example", "edge-1", &diag);
		_exit(is_refused(err, E_ACCESS, &diag, "permission denied") ? 0 : 1);
	}
	int status = -1;
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_EQUAL(status, 0);
	chmod(state, 0700);
	chmod(inner, 0700);
	fixture_remove(state);
}

static bool pressure_is_off(void *arg)
{
	return !journal_pressure(arg);
}

static void pressure_rises_with_the_queue_and_falls_with_it(void)
{
	char state[FIXTURE_PATH];
	fixture_make(state);
	struct journal_options options = {
		.state = state, .origin = "o", .node = "n", .file_bytes = 1, .queue_bytes = 10000};
	struct journal_found found;
	struct diag diag;
	struct journal *j = NULL;
	struct journal_producer *p = NULL;
	diag_init(&diag);
	CU_ASSERT_EQUAL_FATAL(journal_open(&j, &options, &found, &diag), E_OK);
	CU_ASSERT_EQUAL_FATAL(journal_producer_new(j, &p, NULL, NULL), E_OK);
	/* Nothing is written before the start. */
	uint64_t ticket = 0;
	for (uint64_t n = 0; n < 9; n++) {
		ticket = fixture_submit(p, 0, n, 1000);
	}
	CU_ASSERT_FALSE(journal_pressure(p));
	ticket = fixture_submit(p, 0, 9, 1000);
	CU_ASSERT_TRUE(journal_pressure(p));
	CU_ASSERT_EQUAL_FATAL(journal_start(j), E_OK);
	CU_ASSERT_EQUAL(journal_wait(p, ticket, WAIT_MS), E_OK);
	CU_ASSERT_TRUE(fixture_until(pressure_is_off, p));
	journal_stop(&j);
	diag_release(&diag);
	fixture_remove(state);
}

static void waiting_for_what_does_not_come_times_out(void)
{
	char state[FIXTURE_PATH];
	fixture_make(state);
	struct journal_producer *p = NULL;
	struct journal *j = fixture_start(state, NULL, &p, NULL);
	CU_ASSERT_EQUAL(journal_wait(p, 1, 1), E_TIMEOUT);
	uint64_t ticket = fixture_submit(p, 0, 0, 0);
	CU_ASSERT_EQUAL(journal_wait(p, ticket, WAIT_MS), E_OK);
	journal_stop(&j);
	fixture_remove(state);
}

/* A run counts as unclean from its first moment, not from its first entry. */
static void a_run_that_was_killed_before_its_first_entry_is_not_clean(void)
{
	char state[FIXTURE_PATH];
	char image[FIXTURE_PATH];
	fixture_make(state);
	fixture_make(image);
	struct journal_producer *p = NULL;
	struct journal *j = fixture_start(state, NULL, &p, NULL);
	fixture_submit(p, 0, 0, 0);
	journal_stop(&j);
	struct journal_found found;
	CU_ASSERT_EQUAL_FATAL(fixture_open(&j, state, NULL, &found), E_OK);
	CU_ASSERT_TRUE(found.clean);
	fixture_copy(state, image);
	journal_stop(&j);
	CU_ASSERT_EQUAL_FATAL(fixture_open(&j, image, NULL, &found), E_OK);
	CU_ASSERT_FALSE(found.clean);
	CU_ASSERT_EQUAL(found.next_index, 1);
	journal_stop(&j);
	fixture_remove(image);
	fixture_remove(state);
}

static void what_an_earlier_run_prepared_is_cleared_away(void)
{
	char state[FIXTURE_PATH];
	fixture_make(state);
	struct journal_producer *p = NULL;
	struct journal *j = fixture_start(state, NULL, &p, NULL);
	journal_stop(&j);
	fixture_write_file(state, "prepared-0000abcd.tmp", SLICE("old"));
	j = fixture_start(state, NULL, &p, NULL);
	journal_stop(&j);
	char path[FIXTURE_PATH * 2];
	snprintf(path, sizeof(path), "%s/journal/prepared-0000abcd.tmp", state);
	CU_ASSERT_EQUAL(access(path, F_OK), -1);
	/* And a run leaves none of its own. */
	snprintf(path, sizeof(path), "%s/journal/prepared-00000000.tmp", state);
	CU_ASSERT_EQUAL(access(path, F_OK), -1);
	fixture_remove(state);
}

static const struct unit_test tests[] = {
	{"what was submitted is read back byte by byte",
         what_was_submitted_is_read_back_byte_by_byte},
	{"each of many producers keeps its order", each_of_many_producers_keeps_its_order},
	{"files hold one segment and numbers go on across them",
         files_hold_one_segment_and_numbers_go_on_across_them},
	{"what was queued before start and before stop is written",
         what_was_queued_before_start_and_before_stop_is_written},
	{"a second instance is busy and the first's end frees it",
         a_second_instance_is_busy_and_the_first_end_frees_it},
	{"a foreign, newer or damaged journal is refused with a sentence",
         a_foreign_newer_or_damaged_journal_is_refused_with_a_sentence},
	{"a journal without its identity is refused", a_journal_without_its_identity_is_refused},
	{"a directory that cannot be written is refused with a sentence",
         a_directory_that_cannot_be_written_is_refused_with_a_sentence},
	{"pressure rises with the queue and falls with it",
         pressure_rises_with_the_queue_and_falls_with_it},
	{"waiting for what does not come times out", waiting_for_what_does_not_come_times_out},
	{"a run that was killed before its first entry is not clean",
         a_run_that_was_killed_before_its_first_entry_is_not_clean},
	{"what an earlier run prepared is cleared away",
         what_an_earlier_run_prepared_is_cleared_away},
};
UNIT_MAIN("journal/journal", tests)
