#include "journal/reader.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/err.h"
#include "base/log.h"
#include "fixture.h"
#include "journal/files.h"
#include "journal/format.h"
#include "unit.h"

#define WAIT_MS 20000

static void no_journal_is_not_found_with_a_sentence(void)
{
	char state[FIXTURE_PATH];
	fixture_make(state);
	struct diag diag;
	struct journal_reader *r = NULL;
	diag_init(&diag);
	CU_ASSERT_EQUAL(journal_reader_open(&r, state, &diag), E_NOT_FOUND);
	CU_ASSERT_PTR_NULL(r);
	CU_ASSERT_EQUAL(diag.errors, 1);
	diag_release(&diag);
	journal_reader_close(&r);
	fixture_remove(state);
}

#define FOLLOWED 3000

struct follower {
	const char *state;
	uint64_t next;
	bool good;
};

static void *follow(void *arg)
{
	struct follower *f = arg;
	struct diag diag;
	struct journal_reader *r = NULL;
	diag_init(&diag);
	f->good = journal_reader_open(&r, f->state, &diag) == E_OK;
	unsigned idle = 0;
	while (f->good && f->next < FOLLOWED && idle < 200) {
		struct slice line;
		uint64_t sequence = 0;
		int err = journal_reader_next(r, &line, &sequence);
		if (err == E_OK) {
			f->good = sequence == f->next &&
			          fixture_is_entry(line, f->next, 0, f->next, 500);
			f->next++;
			idle = 0;
		} else {
			f->good = err == E_END;
			idle += journal_reader_wait(r, 100) == E_TIMEOUT;
		}
	}
	journal_reader_close(&r);
	diag_release(&diag);
	return NULL;
}

/* About 25 files, and a restart of the writer in the middle. */
static void a_reader_follows_the_writer_over_files_and_restarts(void)
{
	char state[FIXTURE_PATH];
	fixture_make(state);
	struct journal_producer *p = NULL;
	struct journal *j = fixture_start(state, &fixture_fast, &p, NULL);
	struct follower f = {.state = state};
	pthread_t thread;
	BUG_IF(pthread_create(&thread, NULL, follow, &f) != 0);
	uint64_t n = 0;
	for (int run = 0; run < 3; run++) {
		uint64_t ticket = 0;
		for (int i = 0; i < FOLLOWED / 3; i++) {
			ticket = fixture_submit(p, 0, n++, 500);
			if (i % 50 == 0) {
				CU_ASSERT_EQUAL(journal_wait(p, ticket, WAIT_MS), E_OK);
			}
		}
		journal_stop(&j);
		if (run < 2) {
			j = fixture_start(state, &fixture_fast, &p, NULL);
		}
	}
	pthread_join(thread, NULL);
	CU_ASSERT_TRUE(f.good);
	CU_ASSERT_EQUAL(f.next, FOLLOWED);
	CU_ASSERT(fixture_raw_count(state) > 20);
	fixture_remove(state);
}

/* Entries that are in the file but above the tip: what a writer has written and not yet synced. */
static void a_reader_never_passes_the_tip_of_a_living_daemon(void)
{
	char state[FIXTURE_PATH];
	fixture_make(state);
	struct journal_producer *p = NULL;
	struct journal *j = fixture_start(state, &fixture_fast, &p, NULL);
	struct buf tips[3];
	for (uint64_t n = 0; n < 3; n++) {
		CU_ASSERT_EQUAL(journal_wait(p, fixture_submit(p, 0, n, 50), WAIT_MS), E_OK);
		buf_init(&tips[n], SIZE_MAX);
		fixture_read_file(state, FORMAT_TIP, &tips[n]);
	}
	struct diag diag;
	struct journal_reader *r = NULL;
	diag_init(&diag);
	fixture_write_file(state, FORMAT_TIP, buf_slice(&tips[0]));
	CU_ASSERT_EQUAL_FATAL(journal_reader_open(&r, state, &diag), E_OK);
	for (uint64_t n = 0; n < 3; n++) {
		struct slice line;
		uint64_t sequence = 99;
		uint64_t end = 0;
		fixture_write_file(state, FORMAT_TIP, buf_slice(&tips[n]));
		CU_ASSERT_EQUAL(journal_reader_next(r, &line, &sequence), E_OK);
		CU_ASSERT_EQUAL(sequence, n);
		CU_ASSERT_EQUAL(journal_reader_next(r, &line, &sequence), E_END);
		CU_ASSERT_EQUAL(journal_reader_next(r, &line, &sequence), E_END);
		CU_ASSERT_EQUAL(journal_reader_end(r, &end), E_OK);
		CU_ASSERT_EQUAL(end, n + 1);
	}
	/* A daemon without a readable tip has shown nothing yet. */
	journal_reader_close(&r);
	fixture_write_file(state, FORMAT_TIP, SLICE("x"));
	CU_ASSERT_EQUAL_FATAL(journal_reader_open(&r, state, &diag), E_OK);
	struct slice line;
	uint64_t sequence;
	CU_ASSERT_EQUAL(journal_reader_next(r, &line, &sequence), E_END);
	journal_reader_close(&r);
	CU_ASSERT_EQUAL(diag.errors, 0);
	diag_release(&diag);
	for (int i = 0; i < 3; i++) {
		buf_release(&tips[i]);
	}
	journal_stop(&j);
	fixture_remove(state);
}

/* The same bytes with nobody holding the lock. */
static void without_a_daemon_a_reader_goes_to_the_last_valid_commit(void)
{
	char state[FIXTURE_PATH];
	char image[FIXTURE_PATH];
	fixture_make(state);
	fixture_make(image);
	struct journal_producer *p = NULL;
	struct journal *j = fixture_start(state, &fixture_fast, &p, NULL);
	struct buf first_tip;
	buf_init(&first_tip, SIZE_MAX);
	for (uint64_t n = 0; n < 3; n++) {
		CU_ASSERT_EQUAL(journal_wait(p, fixture_submit(p, 0, n, 50), WAIT_MS), E_OK);
		if (n == 0) {
			fixture_read_file(state, FORMAT_TIP, &first_tip);
		}
	}
	fixture_copy(state, image);
	fixture_write_file(image, FORMAT_TIP, buf_slice(&first_tip));
	struct fixture_entries e;
	fixture_read_all(image, &e);
	CU_ASSERT_EQUAL(e.count, 3);
	CU_ASSERT_EQUAL(e.holes, 0);
	fixture_entries_release(&e);
	buf_release(&first_tip);
	journal_stop(&j);
	fixture_remove(image);
	fixture_remove(state);
}

static void seeking_goes_anywhere_forward_and_back(void)
{
	char state[FIXTURE_PATH];
	fixture_make(state);
	struct journal_producer *p = NULL;
	struct journal *j = fixture_start(state, &fixture_fast, &p, NULL);
	for (uint64_t n = 0; n < 600; n++) {
		fixture_submit(p, 0, n, 1000);
	}
	journal_stop(&j);
	CU_ASSERT(fixture_raw_count(state) > 5);
	struct diag diag;
	struct journal_reader *r = NULL;
	diag_init(&diag);
	CU_ASSERT_EQUAL_FATAL(journal_reader_open(&r, state, &diag), E_OK);
	static const uint64_t places[] = {599, 0, 300, 1, 299, 300, 301, 66, 67, 68, 598};
	struct slice line;
	uint64_t sequence = 0;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		CU_ASSERT_EQUAL(journal_reader_seek(r, places[i]), E_OK);
		CU_ASSERT_EQUAL(journal_reader_next(r, &line, &sequence), E_OK);
		CU_ASSERT_EQUAL(sequence, places[i]);
		CU_ASSERT_TRUE(fixture_is_entry(line, sequence, 0, sequence, 1000));
	}
	uint64_t end = 0;
	CU_ASSERT_EQUAL(journal_reader_end(r, &end), E_OK);
	CU_ASSERT_EQUAL(end, 600);
	/* Beyond the end: waits there, and begins exactly there. */
	CU_ASSERT_EQUAL(journal_reader_seek(r, 602), E_OK);
	CU_ASSERT_EQUAL(journal_reader_next(r, &line, &sequence), E_END);
	j = fixture_start(state, &fixture_fast, &p, NULL);
	uint64_t ticket = 0;
	for (uint64_t n = 600; n < 604; n++) {
		ticket = fixture_submit(p, 0, n, 1000);
	}
	CU_ASSERT_EQUAL(journal_wait(p, ticket, WAIT_MS), E_OK);
	CU_ASSERT_EQUAL(journal_reader_next(r, &line, &sequence), E_OK);
	CU_ASSERT_EQUAL(sequence, 602);
	journal_stop(&j);
	journal_reader_close(&r);
	CU_ASSERT_EQUAL(diag.errors, 0);
	diag_release(&diag);
	fixture_remove(state);
}

static void a_removed_file_in_the_middle_is_one_hole(void)
{
	char state[FIXTURE_PATH];
	fixture_make(state);
	struct journal_producer *p = NULL;
	struct journal *j = fixture_start(state, &fixture_fast, &p, NULL);
	for (uint64_t n = 0; n < 600; n++) {
		fixture_submit(p, 0, n, 1000);
	}
	journal_stop(&j);
	char name[64];
	char path[FIXTURE_PATH * 2];
	struct raw_key gone;
	struct raw_key next;
	CU_ASSERT_TRUE_FATAL(fixture_raw_name(state, 3, name) && raw_name_parse(name, &next));
	CU_ASSERT_TRUE_FATAL(fixture_raw_name(state, 2, name) && raw_name_parse(name, &gone));
	snprintf(path, sizeof(path), "%s/" FORMAT_DIR "/%s", state, name);
	CU_ASSERT_EQUAL(unlink(path), 0);
	struct fixture_entries e;
	fixture_read_all(state, &e);
	CU_ASSERT_EQUAL(e.holes, 1);
	CU_ASSERT_EQUAL_FATAL(e.count, 600 - (next.first - gone.first));
	for (size_t i = 0; i < e.count; i++) {
		uint64_t expected = i < gone.first ? i : i + (next.first - gone.first);
		CU_ASSERT_EQUAL(e.all[i].sequence, expected);
	}
	fixture_entries_release(&e);

	/* The oldest ones may be gone: that is no damage. */
	CU_ASSERT_TRUE_FATAL(fixture_raw_name(state, 0, name));
	snprintf(path, sizeof(path), "%s/" FORMAT_DIR "/%s", state, name);
	CU_ASSERT_EQUAL(unlink(path), 0);
	fixture_read_all(state, &e);
	CU_ASSERT_EQUAL(e.holes, 1);
	CU_ASSERT(e.count > 0 && e.all[0].sequence > 0);
	fixture_entries_release(&e);
	fixture_remove(state);
}

/* Damage under the eyes of a reader, while the writer goes on in the same file. */
static void a_hole_in_the_living_file_is_told_once_and_passed(void)
{
	char state[FIXTURE_PATH];
	fixture_make(state);
	struct journal_producer *p = NULL;
	struct journal *j = fixture_start(state, &fixture_fast, &p, NULL);
	struct diag diag;
	struct journal_reader *r = NULL;
	struct slice line;
	uint64_t sequence = 0;
	diag_init(&diag);
	CU_ASSERT_EQUAL(journal_wait(p, fixture_submit(p, 0, 0, 50), WAIT_MS), E_OK);
	CU_ASSERT_EQUAL_FATAL(journal_reader_open(&r, state, &diag), E_OK);
	CU_ASSERT_EQUAL(journal_reader_next(r, &line, &sequence), E_OK);
	struct tip tip;
	struct buf bytes;
	buf_init(&bytes, SIZE_MAX);
	fixture_read_file(state, FORMAT_TIP, &bytes);
	CU_ASSERT_EQUAL_FATAL(tip_decode(&tip, bytes.data), E_OK);
	CU_ASSERT_EQUAL(journal_wait(p, fixture_submit(p, 0, 1, 50), WAIT_MS), E_OK);

	char path[FIXTURE_PATH * 2];
	char name[64];
	CU_ASSERT_TRUE_FATAL(fixture_raw_name(state, 0, name));
	snprintf(path, sizeof(path), "%s/" FORMAT_DIR "/%s", state, name);
	FILE *f = fopen(path, "r+");
	BUG_IF(f == NULL || fseek(f, (long)tip.offset + 50, SEEK_SET) != 0);
	fputc('!', f);
	fclose(f);

	CU_ASSERT_EQUAL(journal_reader_next(r, &line, &sequence), E_CORRUPT);
	CU_ASSERT_EQUAL(diag.errors, 1);
	CU_ASSERT_EQUAL(journal_reader_next(r, &line, &sequence), E_END);
	CU_ASSERT_EQUAL(journal_reader_next(r, &line, &sequence), E_END);
	CU_ASSERT_EQUAL(journal_wait(p, fixture_submit(p, 0, 2, 50), WAIT_MS), E_OK);
	CU_ASSERT_EQUAL(journal_reader_next(r, &line, &sequence), E_OK);
	CU_ASSERT_EQUAL(sequence, 2);
	CU_ASSERT_EQUAL(diag.errors, 1);
	journal_reader_close(&r);
	diag_release(&diag);
	buf_release(&bytes);
	journal_stop(&j);
	fixture_remove(state);
}

/* xorshift64*: the same files in every run. */
static uint64_t next_random(uint64_t *s)
{
	*s ^= *s >> 12;
	*s ^= *s << 25;
	*s ^= *s >> 27;
	return *s * UINT64_C(2685821657736338717);
}

static void patch32(uint8_t *at, uint64_t value)
{
	for (int i = 0; i < 4; i++) {
		at[i] = (uint8_t)(value >> 8 * i);
	}
}

/* A raw file that is meant to hurt: noise, flips, or valid heads and CRCs around lying lengths. */
static void make_hostile(struct buf *raw, uint64_t *random, unsigned kind)
{
	unsigned changes = 1 + (unsigned)(next_random(random) % 20);
	for (unsigned i = 0; i < changes; i++) {
		size_t at = next_random(random) % raw->len;
		switch (kind % 5) {
		case 0: /* flips anywhere in the used part */
			raw->data[at % 4096] ^= (uint8_t)(1 << next_random(random) % 8);
			break;
		case 1: /* magics everywhere */
			memcpy(raw->data + at % (raw->len - 4), "CMIT", 4);
			patch32(raw->data + at % (raw->len - 64) + 4, next_random(random) % 100000);
			break;
		case 2: /* moved pieces */
			memmove(raw->data + at / 2, raw->data + next_random(random) % 2048,
			        raw->len / 8);
			break;
		case 3: { /* a head with a right CRC over entries that lie about their lengths */
			struct raw_header header;
			size_t bytes = 8 + next_random(random) % 500;
			at = RAW_HEADER_LEN + (i == 0 ? 0 : at % (raw->len - 2000));
			struct commit_head head = {
				.bytes = (uint32_t)bytes,
				.first = next_random(random) % 8,
				.count = 1 + (uint32_t)(next_random(random) % (bytes / 3)),
				.durable = RAW_HEADER_LEN};
			for (size_t b = 0; b < bytes; b++) {
				raw->data[at + COMMIT_HEAD_LEN + b] =
					(uint8_t)(next_random(random) % 3);
			}
			uint64_t salt =
				raw_header_decode(&header, raw->data) == E_OK ? header.salt : 0;
			commit_head_encode(raw->data + at, &head, salt,
			                   slice_of(raw->data + at + COMMIT_HEAD_LEN, bytes));
			break;
		}
		default: /* noise */
			for (size_t b = at; b < raw->len && b < at + 3000; b++) {
				raw->data[b] = (uint8_t)next_random(random);
			}
		}
	}
	if (next_random(random) % 4 == 0) {
		raw->len = next_random(random) % raw->len;
	}
}

static void hostile_files_crash_nobody_and_come_to_an_end(void)
{
	char state[FIXTURE_PATH];
	fixture_make(state);
	struct journal_producer *p = NULL;
	struct journal *j = fixture_start(state, &fixture_fast, &p, NULL);
	for (uint64_t n = 0; n < 150; n++) {
		uint64_t ticket = fixture_submit(p, 0, n, 700);
		BUG_IF(n % 10 == 0 && journal_wait(p, ticket, WAIT_MS) != E_OK);
	}
	journal_stop(&j);
	size_t files = fixture_raw_count(state);
	CU_ASSERT(files >= 2);
	struct buf good[8];
	char names[8][64];
	for (size_t i = 0; i < files && i < 8; i++) {
		buf_init(&good[i], SIZE_MAX);
		BUG_IF(!fixture_raw_name(state, i, names[i]));
		fixture_read_file(state, names[i], &good[i]);
	}
	uint64_t random = 20261121;
	struct buf bad;
	buf_init(&bad, SIZE_MAX);
	for (unsigned round = 0; round < 400; round++) {
		size_t victim = next_random(&random) % files;
		buf_reset(&bad);
		buf_append_slice(&bad, buf_slice(&good[victim]));
		make_hostile(&bad, &random, round);
		fixture_write_file(state, names[victim], buf_slice(&bad));
		struct fixture_entries e;
		fixture_read_all(state, &e);
		/* Whatever comes out is in order, and what claims to be ours is ours. */
		for (size_t i = 0; i < e.count; i++) {
			unsigned who = 0;
			uint64_t n = 0;
			CU_ASSERT(i == 0 || e.all[i].sequence > e.all[i - 1].sequence);
			if (fixture_parse(e.all[i].line, &who, &n)) {
				CU_ASSERT_TRUE(fixture_is_entry(e.all[i].line, n, 0, n, 700));
			}
		}
		CU_ASSERT_EQUAL(e.err, E_END);
		fixture_entries_release(&e);
		/* A start on such a directory goes on, or is refused; it never breaks. */
		if (round % 8 == 0) {
			struct journal_found found;
			if (fixture_open(&j, state, &fixture_fast, &found) == E_OK) {
				journal_stop(&j);
			}
		}
		fixture_write_file(state, names[victim], buf_slice(&good[victim]));
	}
	for (size_t i = 0; i < files && i < 8; i++) {
		buf_release(&good[i]);
	}
	buf_release(&bad);
	fixture_remove(state);
}

/* Magics without end: each is looked at, none is a commit, and the search ends. */
static void a_file_of_candidates_is_searched_in_bounded_work(void)
{
	char state[FIXTURE_PATH];
	fixture_make(state);
	struct journal_producer *p = NULL;
	struct journal *j = fixture_start(state, &fixture_fast, &p, NULL);
	CU_ASSERT_EQUAL(journal_wait(p, fixture_submit(p, 0, 0, 50), WAIT_MS), E_OK);
	journal_stop(&j);
	char name[64];
	BUG_IF(!fixture_raw_name(state, 0, name));
	struct buf raw;
	buf_init(&raw, SIZE_MAX);
	fixture_read_file(state, name, &raw);
	size_t begin = raw.len;
	size_t whole = 8u << 20;
	BUG_IF(buf_reserve(&raw, whole - begin) == NULL);
	raw.len = whole;
	memset(raw.data + begin, 0, whole - begin);
	for (size_t at = begin; at + COMMIT_HEAD_LEN < whole; at += COMMIT_HEAD_LEN) {
		struct commit_head head = {
			.bytes = 3u << 20, .first = 1, .count = 1, .durable = RAW_HEADER_LEN};
		commit_head_encode(raw.data + at, &head, 0, (struct slice){0});
	}
	fixture_write_file(state, name, buf_slice(&raw));
	struct fixture_entries e;
	fixture_read_all(state, &e);
	CU_ASSERT_EQUAL(e.count, 1);
	CU_ASSERT_EQUAL(e.err, E_END);
	fixture_entries_release(&e);
	buf_release(&raw);
	fixture_remove(state);
}

static void what_is_not_a_regular_file_is_not_read(void)
{
	char state[FIXTURE_PATH];
	fixture_make(state);
	struct journal_producer *p = NULL;
	struct journal *j = fixture_start(state, &fixture_fast, &p, NULL);
	fixture_submit(p, 0, 0, 50);
	journal_stop(&j);
	char path[FIXTURE_PATH * 2];
	snprintf(path, sizeof(path), "%s/" FORMAT_DIR "/0000000000000001-00000000.raw", state);
	CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
	struct fixture_entries e;
	fixture_read_all(state, &e);
	CU_ASSERT_EQUAL(e.count, 1);
	CU_ASSERT_EQUAL(e.holes, 1);
	CU_ASSERT_EQUAL(e.err, E_END);
	fixture_entries_release(&e);
	fixture_remove(state);
}

static const struct unit_test tests[] = {
	{"no journal is not found, with a sentence", no_journal_is_not_found_with_a_sentence},
	{"a reader follows the writer over files and restarts",
         a_reader_follows_the_writer_over_files_and_restarts},
	{"a reader never passes the tip of a living daemon",
         a_reader_never_passes_the_tip_of_a_living_daemon},
	{"without a daemon a reader goes to the last valid commit",
         without_a_daemon_a_reader_goes_to_the_last_valid_commit},
	{"seeking goes anywhere, forward and back", seeking_goes_anywhere_forward_and_back},
	{"a removed file in the middle is one hole", a_removed_file_in_the_middle_is_one_hole},
	{"a hole in the living file is told once and passed",
         a_hole_in_the_living_file_is_told_once_and_passed},
	{"hostile files crash nobody and come to an end",
         hostile_files_crash_nobody_and_come_to_an_end},
	{"a file of candidates is searched in bounded work",
         a_file_of_candidates_is_searched_in_bounded_work},
	{"what is not a regular file is not read", what_is_not_a_regular_file_is_not_read},
};

int main(void)
{
	log_init((enum log_level)0);
	return unit_run("journal/reader", tests, sizeof(tests) / sizeof(tests[0]));
}
