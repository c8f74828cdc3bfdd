#include "base/err.h"

#include <errno.h>
#include <string.h>

#include "unit.h"

static void no_errno_is_taken_for_success(void)
{
	for (int n = 0; n < 200; n++) {
		errno = n;
		CU_ASSERT(err_from_errno() < E_OK);
		CU_ASSERT_EQUAL(errno, n);
	}
}

static void system_errors_keep_their_meaning(void)
{
	static const struct {
		int from;
		enum err to;
	} pairs[] = {
		{ENOMEM, E_NOMEM},      {EAGAIN, E_AGAIN},     {EINTR, E_AGAIN},
		{EEXIST, E_EXISTS},     {ENOENT, E_NOT_FOUND}, {ENOTDIR, E_NOT_FOUND},
		{EACCES, E_ACCESS},     {EPERM, E_ACCESS},     {EROFS, E_ACCESS},
		{EBUSY, E_BUSY},        {EADDRINUSE, E_BUSY},  {ENOSPC, E_NOSPACE},
		{EDQUOT, E_NOSPACE},    {EMFILE, E_LIMIT},     {ENFILE, E_LIMIT},
		{ETIMEDOUT, E_TIMEOUT}, {EIO, E_IO},           {ECONNREFUSED, E_IO},
	};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		errno = pairs[i].from;
		CU_ASSERT_EQUAL(err_from_errno(), pairs[i].to);
	}
}

static void every_error_has_words_of_its_own(void)
{
	for (int a = E_TIMEOUT; a <= E_OK; a++) {
		CU_ASSERT_STRING_NOT_EQUAL(err_text(a), "unknown error");
		for (int b = E_TIMEOUT; b < a; b++) {
			CU_ASSERT_STRING_NOT_EQUAL(err_text(a), err_text(b));
		}
	}
	CU_ASSERT_STRING_EQUAL(err_text(1), "unknown error");
	CU_ASSERT_STRING_EQUAL(err_text(-1000), "unknown error");
}

static const struct unit_test tests[] = {
	{"no errno is taken for success", no_errno_is_taken_for_success},
	{"system errors keep their meaning", system_errors_keep_their_meaning},
	{"every error has words of its own", every_error_has_words_of_its_own},
};
UNIT_MAIN("base/err", tests)
