#include "base/slice.h"

#include "unit.h"

static void a_literal_is_taken_without_its_nul(void)
{
	CU_ASSERT_EQUAL(SLICE("abc").len, 3);
	CU_ASSERT_EQUAL(SLICE("").len, 0);
	CU_ASSERT_EQUAL(SLICE("a\0b").len, 3);
}

static void equal_means_every_byte(void)
{
	CU_ASSERT(slice_equal(SLICE("a\0b"), slice_of("a\0b", 3)));
	CU_ASSERT_FALSE(slice_equal(SLICE("a\0b"), SLICE("a\0c")));
	CU_ASSERT_FALSE(slice_equal(SLICE("ab"), SLICE("abc")));
	CU_ASSERT(slice_equal(slice_text("abc"), SLICE("abc")));
}

static void nothing_equals_nothing(void)
{
	CU_ASSERT_EQUAL(slice_text(NULL).len, 0);
	CU_ASSERT(slice_equal(slice_text(NULL), SLICE("")));
	CU_ASSERT(slice_equal((struct slice){0}, slice_of(NULL, 0)));
}

static const struct unit_test tests[] = {
	{"a literal is taken without its NUL", a_literal_is_taken_without_its_nul},
	{"equal means every byte", equal_means_every_byte},
	{"nothing equals nothing", nothing_equals_nothing},
};
UNIT_MAIN("base/slice", tests)
