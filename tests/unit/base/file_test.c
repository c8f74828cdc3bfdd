#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "unit.h"

static char path[] = "/tmp/tlscribe-file-XXXXXX";

/* A file of `len` times 'x'; remove() ends it. */
static void write_file(size_t len)
{
	memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
	int fd = mkstemp(path);
	CU_ASSERT_FATAL(fd != -1);
	FILE *f = fdopen(fd, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	for (size_t i = 0; i < len; i++) {
		putc('x', f);
	}
	CU_ASSERT_EQUAL_FATAL(fclose(f), 0);
}

static void a_file_is_read_to_its_end(void)
{
	static const size_t lengths[] = {0, 1, 16383, 16384, 16385, 100000};
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct buf b;
		buf_init(&b, 1000000);
		buf_append_text(&b, "before:");
		write_file(lengths[i]);
		CU_ASSERT_EQUAL(file_load(&b, path, 100000), E_OK);
		CU_ASSERT_EQUAL(b.len, 7 + lengths[i]);
		CU_ASSERT(slice_equal(slice_of(b.data, 7), SLICE("before:")));
		CU_ASSERT(lengths[i] == 0 || b.data[b.len - 1] == 'x');
		remove(path);
		buf_release(&b);
	}
}

static void a_file_of_exactly_the_bound_fits(void)
{
	struct buf b;
	buf_init(&b, 20000);
	write_file(20000);
	CU_ASSERT_EQUAL(file_load(&b, path, 20000), E_OK);
	CU_ASSERT_EQUAL(b.len, 20000);
	remove(path);
	buf_release(&b);
}

static void a_longer_file_is_refused_and_leaves_nothing(void)
{
	struct buf b;
	buf_init(&b, 1000000);
	buf_append_text(&b, "before:");
	write_file(20001);
	CU_ASSERT_EQUAL(file_load(&b, path, 20000), E_LIMIT);
	CU_ASSERT(slice_equal(buf_slice(&b), SLICE("before:")));
	buf_release(&b);
	buf_init(&b, 20000);
	CU_ASSERT_EQUAL(file_load(&b, path, 1000000), E_LIMIT);
	CU_ASSERT_EQUAL(b.len, 0);
	remove(path);
	buf_release(&b);
}

static void an_endless_file_ends_at_the_bound(void)
{
	struct buf b;
	buf_init(&b, 1000000);
	CU_ASSERT_EQUAL(file_load(&b, "/dev/zero", 100000), E_LIMIT);
	CU_ASSERT_EQUAL(b.len, 0);
	buf_release(&b);
}

static void what_is_no_readable_file_says_why(void)
{
	struct buf b;
	buf_init(&b, 1000);
	CU_ASSERT_EQUAL(file_load(&b, "/nowhere/at/all", 1000), E_NOT_FOUND);
	CU_ASSERT_EQUAL(file_load(&b, "/", 1000), E_IO);
	buf_release(&b);
}

static const struct unit_test tests[] = {
	{"a file is read to its end", a_file_is_read_to_its_end},
	{"a file of exactly the bound fits", a_file_of_exactly_the_bound_fits},
	{"a longer file is refused and leaves nothing", a_longer_file_is_refused_and_leaves_nothing},
	{"an endless file ends at the bound", an_endless_file_ends_at_the_bound},
	{"what is no readable file says why", what_is_no_readable_file_says_why},
};
UNIT_MAIN("base/file", tests)
