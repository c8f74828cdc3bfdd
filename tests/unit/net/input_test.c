#include "net/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "unit.h"

static uint8_t scratch[INPUT_SCRATCH_LEN];

static void make_pair(int pair[2])
{
	CU_ASSERT_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
}

static void close_pair(int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

static void one_read_serves_many_pulls(void)
{
	int pair[2];
	make_pair(pair);
	CU_ASSERT_EQUAL(write(pair[1], "abcdef", 6), 6);
	struct input in;
	input_init(&in, 100);
	char out[4];
	CU_ASSERT_EQUAL(input_pull(&in, pair[0], scratch, out, 4), 4);
	CU_ASSERT_EQUAL(input_unread(&in), 2);
	CU_ASSERT_EQUAL(input_pull(&in, pair[0], scratch, out, 4), 2);
	CU_ASSERT_EQUAL(memcmp(out, "ef", 2), 0);
	CU_ASSERT_EQUAL(input_pull(&in, pair[0], scratch, out, 4), -1);
	CU_ASSERT_EQUAL(errno, EAGAIN);
	CU_ASSERT_EQUAL(in.received, 6);
	input_release(&in);
	close_pair(pair);
}

static void nothing_passes_the_budget(void)
{
	int pair[2];
	make_pair(pair);
	CU_ASSERT_EQUAL(write(pair[1], "abcdef", 6), 6);
	struct input in;
	input_init(&in, 5);
	char out[8];
	CU_ASSERT_EQUAL(input_pull(&in, pair[0], scratch, out, 4), 4);
	CU_ASSERT_EQUAL(input_pull(&in, pair[0], scratch, out, 4), -1);
	CU_ASSERT_EQUAL(errno, EMSGSIZE);
	CU_ASSERT(in.over);
	in.budget = 100;
	CU_ASSERT_EQUAL(input_pull(&in, pair[0], scratch, out, 4), -1);
	input_release(&in);
	close_pair(pair);
}

static void a_rest_outlives_the_scratch_memory(void)
{
	int pair[2];
	make_pair(pair);
	CU_ASSERT_EQUAL(write(pair[1], "abcdef", 6), 6);
	struct input in;
	input_init(&in, 100);
	char out[8];
	CU_ASSERT_EQUAL(input_pull(&in, pair[0], scratch, out, 1), 1);
	CU_ASSERT_EQUAL(input_settle(&in), E_OK);
	memset(scratch, 'x', sizeof(scratch));
	CU_ASSERT_EQUAL(input_pull(&in, pair[0], scratch, out, 8), 5);
	CU_ASSERT_EQUAL(memcmp(out, "bcdef", 5), 0);
	CU_ASSERT_EQUAL(input_settle(&in), E_OK);
	CU_ASSERT_PTR_NULL(in.data);
	input_release(&in);
	close_pair(pair);
}

static void the_end_is_told_apart_from_nothing_yet(void)
{
	int pair[2];
	make_pair(pair);
	struct input in;
	input_init(&in, 100);
	char out[8];
	CU_ASSERT_EQUAL(input_pull(&in, pair[0], scratch, out, 8), -1);
	CU_ASSERT_EQUAL(errno, EAGAIN);
	close(pair[1]);
	CU_ASSERT_EQUAL(input_pull(&in, pair[0], scratch, out, 8),
	                -1); /* dry until the loop says there is more */
	input_ready(&in);
	CU_ASSERT_EQUAL(input_pull(&in, pair[0], scratch, out, 8), 0);
	CU_ASSERT(in.eof);
	input_release(&in);
	close(pair[0]);
}

/* A header that comes in pieces is looked at as a whole. */
static void more_comes_behind_what_is_unread(void)
{
	int pair[2];
	make_pair(pair);
	struct input in;
	input_init(&in, 3);
	CU_ASSERT_FALSE(input_more(&in, pair[0], scratch));
	static const char text[] = "abcdef";
	for (size_t i = 0; i < 6; i++) {
		CU_ASSERT_EQUAL(write(pair[1], text + i, 1), 1);
		input_ready(&in);
		CU_ASSERT(input_more(&in, pair[0], scratch));
		CU_ASSERT_EQUAL(input_unread(&in), i + 1);
		CU_ASSERT_EQUAL(memcmp(in.data + in.off, text, i + 1), 0);
		CU_ASSERT_FALSE(input_more(&in, pair[0], scratch)); /* and loses nothing */
		CU_ASSERT_EQUAL(input_settle(&in), E_OK);
		memset(scratch, 0xee, sizeof(scratch)); /* another connection's */
	}
	CU_ASSERT_EQUAL(in.received, 6);
	in.off += 3;
	char out[8];
	CU_ASSERT_EQUAL(input_pull(&in, pair[0], scratch, out, 8), 3);
	CU_ASSERT_EQUAL(memcmp(out, "def", 3), 0);
	close(pair[1]);
	input_ready(&in);
	CU_ASSERT_FALSE(input_more(&in, pair[0], scratch));
	CU_ASSERT(in.eof);
	input_release(&in);
	close(pair[0]);
}

static void more_never_exceeds_the_scratch_memory(void)
{
	int pair[2];
	make_pair(pair);
	static uint8_t much[2 * INPUT_SCRATCH_LEN];
	struct input in;
	input_init(&in, 0);
	CU_ASSERT_EQUAL(write(pair[1], "abc", 3), 3);
	CU_ASSERT(input_more(&in, pair[0], scratch));
	CU_ASSERT(write(pair[1], much, sizeof(much)) > INPUT_SCRATCH_LEN);
	input_ready(&in);
	CU_ASSERT(input_more(&in, pair[0], scratch));
	CU_ASSERT_EQUAL(input_unread(&in), INPUT_SCRATCH_LEN);
	CU_ASSERT_EQUAL(memcmp(in.data, "abc", 4), 0);
	CU_ASSERT_FALSE(in.dry);
	input_release(&in);
	close_pair(pair);
}

static const struct unit_test tests[] = {
	{"more comes behind what is unread", more_comes_behind_what_is_unread},
	{"more never exceeds the scratch memory", more_never_exceeds_the_scratch_memory},
	{"one read serves many pulls", one_read_serves_many_pulls},
	{"nothing passes the budget", nothing_passes_the_budget},
	{"a rest outlives the scratch memory", a_rest_outlives_the_scratch_memory},
	{"the end is told apart from nothing yet", the_end_is_told_apart_from_nothing_yet},
};
UNIT_MAIN("net/input", tests)
