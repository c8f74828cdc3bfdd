#include "base/buf.h"

#include "base/err.h"
#include "unit.h"

static void error_is_sticky_and_leaves_a_prefix(void)
{
	char memory[4];
	struct buf b;
	buf_init_fixed(&b, memory, sizeof(memory));
	buf_append_text(&b, "abc");
	buf_append_text(&b, "de");
	buf_append_byte(&b, 'f');
	CU_ASSERT_EQUAL(b.err, E_LIMIT);
	CU_ASSERT(slice_equal(buf_slice(&b), SLICE("abc")));
	buf_reset(&b);
	CU_ASSERT_EQUAL(b.err, E_OK);
}

static void grows_up_to_its_bound(void)
{
	struct buf b;
	buf_init(&b, 1000);
	for (int i = 0; i < 1000; i++) {
		buf_append_byte(&b, 'x');
	}
	CU_ASSERT_EQUAL(b.err, E_OK);
	CU_ASSERT_EQUAL(b.len, 1000);
	buf_append_byte(&b, 'x');
	CU_ASSERT_EQUAL(b.err, E_LIMIT);
	buf_release(&b);
}

static void numbers_keep_their_ends(void)
{
	struct buf b;
	buf_init(&b, 1000);
	buf_append_u64(&b, UINT64_MAX);
	buf_append_byte(&b, ' ');
	buf_append_i64(&b, INT64_MIN);
	buf_append_byte(&b, ' ');
	buf_append_u64(&b, 0);
	CU_ASSERT(slice_equal(buf_slice(&b), SLICE("18446744073709551615 -9223372036854775808 0")));
	buf_release(&b);
}

static void hex_has_two_digits_a_byte(void)
{
	struct buf b;
	buf_init(&b, 1000);
	buf_append_hex(&b, SLICE("\x00\xab\x0f"), true);
	buf_append_hex(&b, SLICE("\xab"), false);
	buf_printf(&b, "%s%d", "-", 7);
	CU_ASSERT(slice_equal(buf_slice(&b), SLICE("00AB0Fab-7")));
	buf_release(&b);
}

static void fixed_memory_is_filled_to_the_last_byte_and_not_beyond(void)
{
	char memory[6] = "xxxxxx";
	struct buf b;
	buf_init_fixed(&b, memory, 4);
	buf_append_text(&b, "abcd");
	CU_ASSERT_EQUAL(b.err, E_OK);
	buf_append_byte(&b, 'e');
	CU_ASSERT_EQUAL(b.err, E_LIMIT);
	CU_ASSERT(slice_equal(slice_of(memory, 6), SLICE("abcdxx")));
	buf_release(&b);
	CU_ASSERT_PTR_NULL(b.data);
}

static void impossible_sizes_are_refused(void)
{
	struct buf b;
	buf_init(&b, SIZE_MAX);
	buf_append_byte(&b, 'x');
	CU_ASSERT_PTR_NULL(buf_reserve(&b, SIZE_MAX));
	CU_ASSERT_EQUAL(b.err, E_LIMIT);
	CU_ASSERT(slice_equal(buf_slice(&b), SLICE("x")));
	buf_release(&b);
}

static void appending_nothing_changes_nothing(void)
{
	struct buf b;
	buf_init(&b, 0);
	buf_append(&b, NULL, 0);
	buf_append_slice(&b, (struct slice){0});
	buf_append_text(&b, "");
	buf_append_hex(&b, (struct slice){0}, true);
	CU_ASSERT_EQUAL(b.err, E_OK);
	CU_ASSERT_EQUAL(b.len, 0);
	buf_append_byte(&b, 'x');
	CU_ASSERT_EQUAL(b.err, E_LIMIT);
	buf_release(&b);
}

static void truncating_goes_back_to_an_earlier_length(void)
{
	struct buf b;
	buf_init(&b, 100);
	buf_append_text(&b, "abc");
	buf_truncate(&b, 1);
	buf_append_text(&b, "de");
	CU_ASSERT(slice_equal(buf_slice(&b), SLICE("ade")));
	buf_release(&b);
}

static void a_format_that_does_not_fit_leaves_a_prefix(void)
{
	char memory[4];
	struct buf b;
	buf_init_fixed(&b, memory, sizeof(memory));
	buf_printf(&b, "%d", 12);
	buf_printf(&b, "%d", 345);
	CU_ASSERT_EQUAL(b.err, E_LIMIT);
	CU_ASSERT(slice_equal(buf_slice(&b), SLICE("12")));
}

static const struct unit_test tests[] = {
	{"an error is sticky and leaves a prefix", error_is_sticky_and_leaves_a_prefix},
	{"grows up to its bound", grows_up_to_its_bound},
	{"numbers keep their ends", numbers_keep_their_ends},
	{"hex has two digits a byte", hex_has_two_digits_a_byte},
	{"fixed memory is filled to the last byte and not beyond",
         fixed_memory_is_filled_to_the_last_byte_and_not_beyond},
	{"impossible sizes are refused", impossible_sizes_are_refused},
	{"appending nothing changes nothing", appending_nothing_changes_nothing},
	{"truncating goes back to an earlier length", truncating_goes_back_to_an_earlier_length},
	{"a format that does not fit leaves a prefix", a_format_that_does_not_fit_leaves_a_prefix},
};
UNIT_MAIN("base/buf", tests)
