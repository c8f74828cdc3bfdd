/* BUG_IF: invariants of the program itself, checked in release builds too. Never on input.
 *
 * Thread: any. */
#pragma once

#define BUG_IF(cond) \
	do { \
		if (__builtin_expect(!!(cond), 0)) { \
			bug_found(__FILE__, __LINE__, __func__, #cond); \
		} \
	} while (0)

/* Says where on stderr and aborts. */
_Noreturn void bug_found(const char *file, int line, const char *function, const char *condition);
