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

static const struct unit_test tests[] = {
	{"an error is sticky and leaves a prefix", error_is_sticky_and_leaves_a_prefix},
	{"grows up to its bound", grows_up_to_its_bound},
	{"numbers keep their ends", numbers_keep_their_ends},
	{"hex has two digits a byte", hex_has_two_digits_a_byte},
};
UNIT_MAIN("base/buf", tests)
