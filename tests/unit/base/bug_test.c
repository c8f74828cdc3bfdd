#include "base/bug.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static void a_false_condition_does_nothing(void)
{
	int calls = 0;
	BUG_IF(calls++ != 0);
	CU_ASSERT_EQUAL(calls, 1);
}

static void a_true_condition_says_where_and_aborts(void)
{
	int ends[2];
	CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
	pid_t child = fork();
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		BUG_IF(1 + 1 == 2);
		_exit(0);
	}
	CU_ASSERT_FATAL(child > 0);
	close(ends[1]);
	char text[512];
	size_t len = 0;
	ssize_t n;
	while (len < sizeof(text) - 1 &&
	       (n = read(ends[0], text + len, sizeof(text) - 1 - len)) > 0) {
		len += (size_t)n;
	}
	text[len] = '\0';
	close(ends[0]);
	int status = 0;
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "bug_test.c:"));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(text, "a_true_condition_says_where_and_aborts(): 1 + 1 == 2"));
}

static const struct unit_test tests[] = {
	{"a false condition does nothing", a_false_condition_does_nothing},
	{"a true condition says where and aborts", a_true_condition_says_where_and_aborts},
};
UNIT_MAIN("base/bug", tests)
