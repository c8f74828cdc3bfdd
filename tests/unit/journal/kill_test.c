#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/err.h"
#include "fixture.h"
#include "journal/journal.h"
#include "unit.h"

#define KILLS 20
#define BODY_LEN 300
#define WAIT_MS 20000

/* Submits without end and says through the pipe which entries are acknowledged: run, then n. */
_Noreturn static void be_killed(const char *state, unsigned run, int out)
{
	struct journal_producer *p = NULL;
	fixture_start(state, NULL, &p, NULL);
	uint64_t said = 0;
	for (uint64_t n = 0;; n++) {
		uint64_t ticket = fixture_submit(p, run, n, BODY_LEN);
		/* Several in flight, so that commits of many entries are cut as well. */
		if (ticket >= 8 && journal_wait(p, ticket - 7, WAIT_MS) != E_OK) {
			_exit(1);
		}
		uint64_t durable = journal_durable(p);
		if (durable > said) {
			said = durable;
			if (write(out, &said, sizeof(said)) != sizeof(said)) {
				_exit(1);
			}
		}
	}
}

/* Runs a child until it is killed behind its `acks`-th word; how many entries it had
 * acknowledged. */
static uint64_t run_and_kill(const char *state, unsigned run, unsigned acks, unsigned delay_us)
{
	int ends[2];
	BUG_IF(pipe(ends) != 0);
	fflush(NULL);
	pid_t child = fork();
	BUG_IF(child == -1);
	if (child == 0) {
		close(ends[0]);
		be_killed(state, run, ends[1]);
	}
	close(ends[1]);
	uint64_t acked = 0;
	uint64_t word = 0;
	for (unsigned i = 0; i < acks && read(ends[0], &word, sizeof(word)) == sizeof(word); i++) {
		acked = word;
	}
	nanosleep(&(struct timespec){.tv_nsec = (long)delay_us * 1000}, NULL);
	kill(child, SIGKILL);
	/* What it had said until then counts, too. */
	while (read(ends[0], &word, sizeof(word)) == sizeof(word)) {
		acked = word;
	}
	close(ends[0]);
	int status = 0;
	BUG_IF(waitpid(child, &status, 0) != child);
	CU_ASSERT(WIFSIGNALED(status));
	return acked;
}

/* Entries of run r, from its n = 0 on without a gap, each once and as submitted; at least what was
 * acknowledged. */
static void check_all(const char *state, const uint64_t *acked, unsigned runs)
{
	struct fixture_entries e;
	fixture_read_all(state, &e);
	CU_ASSERT_EQUAL(e.err, E_END);
	CU_ASSERT_EQUAL(e.holes, 0);
	uint64_t next[KILLS] = {0};
	unsigned last = 0;
	for (size_t i = 0; i < e.count; i++) {
		unsigned run = KILLS;
		uint64_t n = 0;
		CU_ASSERT_EQUAL(e.all[i].sequence, i);
		CU_ASSERT_TRUE_FATAL(fixture_parse(e.all[i].line, &run, &n) && run < runs &&
		                     run >= last);
		last = run;
		CU_ASSERT_EQUAL(n, next[run]);
		next[run]++;
		CU_ASSERT_TRUE(fixture_is_entry(e.all[i].line, i, run, n, BODY_LEN));
	}
	for (unsigned run = 0; run < runs; run++) {
		CU_ASSERT(next[run] >= acked[run]);
	}
	fixture_entries_release(&e);
}

static void what_was_acknowledged_survives_sigkill_once_and_whole(void)
{
	char state[FIXTURE_PATH];
	fixture_make(state);
	uint64_t acked[KILLS] = {0};
	uint64_t total = 0;
	srandom(20261121);
	for (unsigned run = 0; run < KILLS; run++) {
		acked[run] = run_and_kill(state, run, 1 + (unsigned)random() % 60,
		                          (unsigned)random() % 3000);
		total += acked[run];
		/* Before a new daemon has seen it, and, in the next round, after. */
		check_all(state, acked, run + 1);
	}
	CU_ASSERT(total >= KILLS);
	struct journal_found found;
	struct journal *j = NULL;
	CU_ASSERT_EQUAL_FATAL(fixture_open(&j, state, NULL, &found), E_OK);
	CU_ASSERT_FALSE(found.clean);
	CU_ASSERT_EQUAL(found.torn_bytes, 0);
	CU_ASSERT(found.next_index >= total);
	journal_stop(&j);
	check_all(state, acked, KILLS);
	fixture_remove(state);
}

static const struct unit_test tests[] = {
	{"what was acknowledged survives SIGKILL, once and whole",
         what_was_acknowledged_survives_sigkill_once_and_whole},
};
UNIT_MAIN("journal/kill", tests)
