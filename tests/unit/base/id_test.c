#include "base/id.h"

#include <limits.h>
#include <string.h>

#include "unit.h"

static void boot_part_is_base32_and_differs_each_time(void)
{
	char a[ID_BOOT_LEN + 1];
	char b[ID_BOOT_LEN + 1];
	id_boot(a);
	id_boot(b);
	CU_ASSERT_EQUAL(strlen(a), ID_BOOT_LEN);
	CU_ASSERT_EQUAL(strspn(a, "0123456789abcdefghjkmnpqrstvwxyz"), ID_BOOT_LEN);
	CU_ASSERT_STRING_NOT_EQUAL(a, b);
}

static void ids_count_up_in_hexadecimal(void)
{
	struct id_source s;
	char id[ID_MAX + 1];
	id_source_init(&s, "q3k9c1m2x7w4z", 2);
	id_next(&s, id);
	CU_ASSERT_STRING_EQUAL(id, "q3k9c1m2x7w4z-2-1");
	for (int i = 2; i <= 0x18f; i++) {
		id_next(&s, id);
	}
	CU_ASSERT_STRING_EQUAL(id, "q3k9c1m2x7w4z-2-18f");
}

static void numbers_of_worker_and_id_do_not_run_together(void)
{
	struct id_source one;
	struct id_source eleven;
	char a[ID_MAX + 1];
	char b[ID_MAX + 1];
	id_source_init(&one, "q3k9c1m2x7w4z", 1);
	id_source_init(&eleven, "q3k9c1m2x7w4z", 11);
	one.next = 0x11;
	id_next(&one, a);
	id_next(&eleven, b);
	CU_ASSERT_STRING_EQUAL(a, "q3k9c1m2x7w4z-1-11");
	CU_ASSERT_STRING_EQUAL(b, "q3k9c1m2x7w4z-11-1");
}

static void the_longest_id_fits(void)
{
	struct id_source s;
	char id[ID_MAX + 1];
	id_source_init(&s, "q3k9c1m2x7w4z", UINT_MAX);
	s.next = UINT64_MAX;
	id_next(&s, id);
	CU_ASSERT_STRING_EQUAL(id, "q3k9c1m2x7w4z-4294967295-ffffffffffffffff");
	CU_ASSERT_EQUAL(strlen(id), ID_MAX);
}

static const struct unit_test tests[] = {
	{"boot part is base32 and differs each time", boot_part_is_base32_and_differs_each_time},
	{"ids count up in hexadecimal", ids_count_up_in_hexadecimal},
	{"numbers of worker and id do not run together",
         numbers_of_worker_and_id_do_not_run_together},
	{"the longest id fits", the_longest_id_fits},
};
UNIT_MAIN("base/id", tests)
