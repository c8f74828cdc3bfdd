#include "journal/recover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/err.h"
#include "base/log.h"
#include "fixture.h"
#include "journal/format.h"
#include "unit.h"

#define WAIT_MS 20000
#define COMMITS 5
#define RAW_NAME "0000000000000000-00000000.raw"

/* A journal of five commits in one file, as a crash leaves it, and what the tip said after each.
 * The first commit has three entries, each later one has one. */
struct image {
	char state[FIXTURE_PATH];
	struct buf raw;
	struct buf identity;
	struct tip tips[COMMITS + 1];
	uint8_t tip_bytes[COMMITS + 1][TIP_LEN];
};

static void take_tip(struct image *image, size_t i)
{
	struct buf bytes;
	buf_init(&bytes, SIZE_MAX);
	fixture_read_file(image->state, FORMAT_TIP, &bytes);
	BUG_IF(bytes.len != TIP_LEN || tip_decode(&image->tips[i], bytes.data) != E_OK);
	memcpy(image->tip_bytes[i], bytes.data, TIP_LEN);
	buf_release(&bytes);
}

static void image_make(struct image *image)
{
	fixture_make(image->state);
	struct journal_found found;
	struct journal *j = NULL;
	struct journal_producer *p = NULL;
	BUG_IF(fixture_open(&j, image->state, &fixture_fast, &found) != E_OK);
	BUG_IF(journal_producer_new(j, &p, NULL, NULL) != E_OK);
	take_tip(image, 0);
	fixture_submit(p, 0, 0, 60);
	fixture_submit(p, 0, 1, 60);
	uint64_t ticket = fixture_submit(p, 0, 2, 60);
	BUG_IF(journal_start(j) != E_OK);
	for (size_t i = 1; i <= COMMITS; i++) {
		BUG_IF(journal_wait(p, ticket, WAIT_MS) != E_OK);
		take_tip(image, i);
		BUG_IF(image->tips[i].next_index != i + 2);
		if (i < COMMITS) {
			ticket = fixture_submit(p, 0, i + 2, 60);
		}
	}
	buf_init(&image->raw, SIZE_MAX);
	buf_init(&image->identity, SIZE_MAX);
	fixture_read_file(image->state, RAW_NAME, &image->raw);
	fixture_read_file(image->state, FORMAT_IDENTITY, &image->identity);
	journal_stop(&j);
}

static void image_release(struct image *image)
{
	buf_release(&image->raw);
	buf_release(&image->identity);
	fixture_remove(image->state);
}

/* Puts the image back: these bytes of the raw file, this tip (-1: none, -2: a damaged one). */
static void image_restore(const struct image *image, const uint8_t *raw, size_t len, int tip)
{
	char name[64];
	char path[FIXTURE_PATH * 2];
	while (fixture_raw_name(image->state, 0, name)) {
		snprintf(path, sizeof(path), "%s/" FORMAT_DIR "/%s", image->state, name);
		BUG_IF(unlink(path) != 0);
	}
	fixture_write_file(image->state, FORMAT_IDENTITY, buf_slice(&image->identity));
	fixture_write_file(image->state, RAW_NAME, slice_of(raw, len));
	snprintf(path, sizeof(path), "%s/" FORMAT_DIR "/" FORMAT_TIP, image->state);
	unlink(path);
	if (tip >= 0) {
		fixture_write_file(image->state, FORMAT_TIP,
		                   slice_of(image->tip_bytes[tip], TIP_LEN));
	} else if (tip == -2) {
		fixture_write_file(image->state, FORMAT_TIP, SLICE("no tip at all"));
	}
}

static size_t used_bytes(const uint8_t *raw, size_t len)
{
	while (len > 0 && raw[len - 1] == 0) {
		len--;
	}
	return len;
}

struct expected {
	uint64_t below;      /* entries below are readable, */
	uint64_t above;      /* and from here on, */
	uint64_t next_index; /* up to here; then the new run's */
	uint64_t torn_bytes;
	unsigned holes;
};

/* Reads, starts a run that adds one entry, reads again. Both times exactly what was expected has to
 * be there. */
static bool behaves(const char *state, const struct expected *x)
{
	bool good = true;
	for (int round = 0; round < 2; round++) {
		uint64_t end = x->next_index + (uint64_t)round;
		if (round == 1) {
			struct journal_found found;
			struct journal_producer *p = NULL;
			struct journal *j = fixture_start(state, &fixture_fast, &p, &found);
			good = good && found.next_index == x->next_index &&
			       found.torn_bytes == x->torn_bytes && !found.clean;
			fixture_submit(p, 0, x->next_index, 60);
			journal_stop(&j);
		}
		struct fixture_entries e;
		fixture_read_all(state, &e);
		uint64_t index = 0;
		for (size_t i = 0; i < e.count; i++, index++) {
			if (index == x->below) {
				index = x->above;
			}
			good = good && e.all[i].sequence == index &&
			       fixture_is_entry(e.all[i].line, index, 0, index, 60);
		}
		index = index == x->below ? x->above : index;
		good = good && index == end && e.err == E_END && e.holes == x->holes;
		if (!good) {
			fprintf(stderr, "round %d: %zu entries, %u holes, to %llu of %llu\n", round,
			        e.count, e.holes, (unsigned long long)index,
			        (unsigned long long)end);
		}
		fixture_entries_release(&e);
	}
	return good;
}

static bool check_state(const struct image *image, const uint8_t *raw, size_t len, int tip,
                        struct expected x)
{
	image_restore(image, raw, len, tip);
	bool good = behaves(image->state, &x);
	if (!good) {
		fprintf(stderr, "len %zu, tip %d\n", len, tip);
	}
	return good;
}

/* The tip is from before the last two commits, as after a power cut, or is gone. */
static void a_tail_cut_at_any_byte_is_torn_and_all_before_it_is_kept(void)
{
	struct image image;
	image_make(&image);
	for (size_t len = image.tips[COMMITS - 2].offset; len <= image.tips[COMMITS].offset; len++) {
		size_t whole = COMMITS;
		while (image.tips[whole].offset > len) {
			whole--;
		}
		struct expected x = {.below = image.tips[whole].next_index,
		                     .next_index = image.tips[whole].next_index};
		x.above = x.below;
		size_t used = used_bytes(image.raw.data, len);
		x.torn_bytes = used > image.tips[whole].offset ? used - image.tips[whole].offset : 0;
		CU_ASSERT_TRUE(check_state(&image, image.raw.data, len, COMMITS - 2, x));
		CU_ASSERT_TRUE(check_state(&image, image.raw.data, len, len % 2 == 0 ? -1 : -2, x));
	}
	image_release(&image);
}

/* The same cuts under a tip that says it was all durable. */
static void a_cut_below_the_tip_is_corruption_and_no_number_is_given_twice(void)
{
	struct image image;
	image_make(&image);
	for (size_t len = image.tips[COMMITS - 2].offset; len < image.tips[COMMITS].offset; len++) {
		size_t whole = COMMITS;
		while (image.tips[whole].offset > len) {
			whole--;
		}
		uint64_t end = image.tips[COMMITS].next_index;
		struct expected x = {.below = image.tips[whole].next_index,
		                     .above = end,
		                     .next_index = end,
		                     .holes = 1};
		CU_ASSERT_TRUE(check_state(&image, image.raw.data, len, COMMITS, x));
	}
	image_release(&image);
}

static void a_flip_in_the_last_commit_is_torn_or_corruption_as_the_tip_says(void)
{
	struct image image;
	image_make(&image);
	size_t begin = image.tips[COMMITS - 1].offset;
	size_t end = image.tips[COMMITS].offset;
	uint64_t last = image.tips[COMMITS - 1].next_index;
	for (size_t at = begin; at < end; at++) {
		image.raw.data[at] ^= 0x40;
		struct expected torn = {.below = last, .above = last, .next_index = last};
		torn.torn_bytes = used_bytes(image.raw.data, image.raw.len) - begin;
		CU_ASSERT_TRUE(check_state(&image, image.raw.data, image.raw.len, COMMITS - 1, torn));
		struct expected corrupt = {
			.below = last, .above = last + 1, .next_index = last + 1, .holes = 1};
		CU_ASSERT_TRUE(check_state(&image, image.raw.data, image.raw.len, COMMITS, corrupt));
		image.raw.data[at] ^= 0x40;
	}
	image_release(&image);
}

/* The commit behind it proves that this one was durable, whatever the tip says. */
static void a_flip_before_a_valid_commit_is_corruption_and_costs_one_commit(void)
{
	struct image image;
	image_make(&image);
	uint64_t lost = image.tips[COMMITS - 2].next_index;
	for (size_t at = image.tips[COMMITS - 2].offset; at < image.tips[COMMITS - 1].offset; at++) {
		image.raw.data[at] ^= 0x01;
		struct expected x = {
			.below = lost, .above = lost + 1, .next_index = lost + 2, .holes = 1};
		CU_ASSERT_TRUE(
			check_state(&image, image.raw.data, image.raw.len, (int)(at % 3) + 2, x));
		CU_ASSERT_TRUE(check_state(&image, image.raw.data, image.raw.len, -1, x));
		image.raw.data[at] ^= 0x01;
	}
	image_release(&image);
}

static void a_damaged_header_costs_its_file_and_not_its_numbers(void)
{
	struct image image;
	image_make(&image);
	uint64_t end = image.tips[COMMITS].next_index;
	for (size_t at = 0; at < RAW_HEADER_LEN; at++) {
		image.raw.data[at] ^= 0x80;
		struct expected x = {.below = 0, .above = end, .next_index = end, .holes = 1};
		CU_ASSERT_TRUE(check_state(&image, image.raw.data, image.raw.len, COMMITS, x));
		image.raw.data[at] ^= 0x80;
	}
	image_release(&image);
}

/* What an earlier file left on the same blocks: whole commits, right numbers, right places, another
 * salt. */
static void stale_commits_of_a_recycled_file_do_not_count(void)
{
	struct image old;
	struct image image;
	image_make(&old);
	image_make(&image);
	size_t keep = image.tips[COMMITS - 2].offset;
	CU_ASSERT_EQUAL_FATAL(old.tips[COMMITS - 2].offset, keep);
	memcpy(image.raw.data + keep, old.raw.data + keep, old.tips[COMMITS].offset - keep);
	uint64_t end = image.tips[COMMITS - 2].next_index;
	struct expected x = {.below = end, .above = end, .next_index = end};
	x.torn_bytes = used_bytes(image.raw.data, image.raw.len) - keep;
	CU_ASSERT_TRUE(check_state(&image, image.raw.data, image.raw.len, COMMITS - 2, x));
	CU_ASSERT_TRUE(check_state(&image, image.raw.data, image.raw.len, -1, x));
	image_release(&image);
	image_release(&old);
}

static void a_missing_or_damaged_tip_is_rebuilt_from_the_files(void)
{
	struct image image;
	image_make(&image);
	for (int tip = -2; tip <= COMMITS; tip++) {
		uint64_t end = image.tips[COMMITS].next_index;
		struct expected x = {.below = end, .above = end, .next_index = end};
		CU_ASSERT_TRUE(check_state(&image, image.raw.data, image.raw.len, tip, x));
		struct buf bytes;
		struct tip rebuilt = {0};
		buf_init(&bytes, SIZE_MAX);
		fixture_read_file(image.state, FORMAT_TIP, &bytes);
		CU_ASSERT(bytes.len == TIP_LEN && tip_decode(&rebuilt, bytes.data) == E_OK);
		CU_ASSERT_EQUAL(rebuilt.next_index, end + 1);
		buf_release(&bytes);
	}
	image_release(&image);
}

static void the_last_file_is_not_overwritten_and_a_torn_tail_stays(void)
{
	struct image image;
	image_make(&image);
	size_t len = image.tips[COMMITS].offset - 1;
	image_restore(&image, image.raw.data, len, COMMITS - 1);
	struct journal_producer *p = NULL;
	struct journal *j = fixture_start(image.state, &fixture_fast, &p, NULL);
	fixture_submit(p, 0, 9, 60);
	journal_stop(&j);
	struct buf now;
	buf_init(&now, SIZE_MAX);
	fixture_read_file(image.state, RAW_NAME, &now);
	CU_ASSERT_TRUE(slice_equal(buf_slice(&now), slice_of(image.raw.data, len)));
	buf_release(&now);
	image_release(&image);
}

static void a_removed_last_file_is_corruption_and_no_number_is_given_twice(void)
{
	struct image image;
	image_make(&image);
	image_restore(&image, image.raw.data, image.raw.len, COMMITS);
	struct journal_producer *p = NULL;
	struct journal *j = fixture_start(image.state, &fixture_fast, &p, NULL);
	uint64_t ticket = fixture_submit(p, 0, 7, 60);
	BUG_IF(journal_wait(p, ticket, WAIT_MS) != E_OK);
	journal_stop(&j);
	char name[64];
	char path[FIXTURE_PATH * 2];
	CU_ASSERT_TRUE_FATAL(fixture_raw_name(image.state, 1, name));
	snprintf(path, sizeof(path), "%s/" FORMAT_DIR "/%s", image.state, name);
	CU_ASSERT_EQUAL(unlink(path), 0);
	struct journal_found found;
	j = fixture_start(image.state, &fixture_fast, &p, &found);
	CU_ASSERT_EQUAL(found.next_index, 8);
	CU_ASSERT_FALSE(found.clean);
	fixture_submit(p, 0, 8, 60);
	journal_stop(&j);
	struct fixture_entries e;
	fixture_read_all(image.state, &e);
	CU_ASSERT_EQUAL(e.holes, 1);
	CU_ASSERT_EQUAL_FATAL(e.count, 8);
	CU_ASSERT_EQUAL(e.all[6].sequence, 6);
	CU_ASSERT_EQUAL(e.all[7].sequence, 8);
	fixture_entries_release(&e);
	image_release(&image);
}

static const struct unit_test tests[] = {
	{"a tail cut at any byte is torn, and all before it is kept",
         a_tail_cut_at_any_byte_is_torn_and_all_before_it_is_kept},
	{"a cut below the tip is corruption, and no number is given twice",
         a_cut_below_the_tip_is_corruption_and_no_number_is_given_twice},
	{"a flip in the last commit is torn or corruption, as the tip says",
         a_flip_in_the_last_commit_is_torn_or_corruption_as_the_tip_says},
	{"a flip before a valid commit is corruption and costs one commit",
         a_flip_before_a_valid_commit_is_corruption_and_costs_one_commit},
	{"a damaged header costs its file and not its numbers",
         a_damaged_header_costs_its_file_and_not_its_numbers},
	{"stale commits of a recycled file do not count",
         stale_commits_of_a_recycled_file_do_not_count},
	{"a missing or damaged tip is rebuilt from the files",
         a_missing_or_damaged_tip_is_rebuilt_from_the_files},
	{"the last file is not overwritten, and a torn tail stays",
         the_last_file_is_not_overwritten_and_a_torn_tail_stays},
	{"a removed last file is corruption, and no number is given twice",
         a_removed_last_file_is_corruption_and_no_number_is_given_twice},
};

int main(void)
{
	/* Every damage is logged loudly, thousands of times here. */
	log_init((enum log_level)0);
	return unit_run("journal/recover", tests, sizeof(tests) / sizeof(tests[0]));
}
