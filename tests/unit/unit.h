/* One test program per module: a table of promises, run by CUnit, non-zero exit when one is broken.
 *
 *   static const struct unit_test tests[] = {
 *           {"append refuses what does not fit", append_refuses_what_does_not_fit},
 *   };
 *   UNIT_MAIN("base/buf", tests)
 */
#pragma once

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

struct unit_test {
	const char *promise;
	void (*run)(void);
};

static inline int unit_run(const char *suite_name, const struct unit_test *tests, size_t count)
{
	if (CU_initialize_registry() != CUE_SUCCESS) {
		return 99;
	}
	CU_pSuite suite = CU_add_suite(suite_name, NULL, NULL);
	for (size_t i = 0; suite != NULL && i < count; i++) {
		if (CU_add_test(suite, tests[i].promise, tests[i].run) == NULL) {
			return 99;
		}
	}
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	unsigned failures = CU_get_number_of_failures();
	unsigned run = CU_get_number_of_tests_run();
	CU_cleanup_registry();
	return failures == 0 && run == count && count > 0 ? 0 : 1;
}

#define UNIT_MAIN(suite, tests) \
	int main(void) \
	{ \
		return unit_run(suite, tests, sizeof(tests) / sizeof((tests)[0])); \
	}
