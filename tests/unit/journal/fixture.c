#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/err.h"
#include "event/event.h"
#include "journal/files.h"
#include "journal/format.h"

void fixture_make(char path[static FIXTURE_PATH])
{
	const char *top = getenv("TMPDIR");
	snprintf(path, FIXTURE_PATH, "%s/tlscribe-journal-XXXXXX", top == NULL ? "/tmp" : top);
	BUG_IF(mkdtemp(path) == NULL);
}

static void file_path(char out[static FIXTURE_PATH * 2], const char *state, const char *name)
{
	snprintf(out, FIXTURE_PATH * 2, "%s/" FORMAT_DIR "/%s", state, name);
}

void fixture_remove(const char *path)
{
	char inner[FIXTURE_PATH * 2];
	file_path(inner, path, "");
	DIR *dir = opendir(inner);
	if (dir != NULL) {
		for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
			unlinkat(dirfd(dir), e->d_name, 0);
		}
		closedir(dir);
		rmdir(inner);
	}
	BUG_IF(rmdir(path) != 0);
}

void fixture_read_file(const char *state, const char *name, struct buf *out)
{
	char path[FIXTURE_PATH * 2];
	file_path(path, state, name);
	buf_reset(out);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	BUG_IF(fd == -1);
	struct stat st;
	BUG_IF(fstat(fd, &st) == -1);
	uint8_t *to = buf_reserve(out, (size_t)st.st_size + 1);
	size_t got = 0;
	BUG_IF(to == NULL || file_read(fd, to, (size_t)st.st_size, 0, &got) != E_OK);
	out->len = got;
	close(fd);
}

void fixture_write_file(const char *state, const char *name, struct slice bytes)
{
	char path[FIXTURE_PATH * 2];
	file_path(path, state, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	BUG_IF(fd == -1 || io_write_all(&journal_io_system, fd, bytes.data, bytes.len, 0) != E_OK);
	close(fd);
}

void fixture_copy(const char *from, const char *to)
{
	char inner[FIXTURE_PATH * 2];
	file_path(inner, to, "");
	mkdir(inner, 0700);
	file_path(inner, from, "");
	DIR *dir = opendir(inner);
	BUG_IF(dir == NULL);
	struct buf bytes;
	buf_init(&bytes, SIZE_MAX);
	for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
		/* What is being prepared comes and goes. */
		if (e->d_name[0] != '.' && strncmp(e->d_name, "prepared", 8) != 0) {
			fixture_read_file(from, e->d_name, &bytes);
			fixture_write_file(to, e->d_name, buf_slice(&bytes));
		}
	}
	buf_release(&bytes);
	closedir(dir);
}

static void list_raw(const char *state, struct raw_list *list)
{
	char inner[FIXTURE_PATH * 2];
	file_path(inner, state, "");
	int fd = open(inner, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	BUG_IF(fd == -1 || raw_list_read(list, fd) != E_OK);
	close(fd);
}

bool fixture_raw_name(const char *state, size_t n, char name[static 64])
{
	struct raw_list list = {0};
	list_raw(state, &list);
	bool found = n < list.count;
	if (found) {
		raw_name_format(name, list.keys[n]);
	}
	raw_list_release(&list);
	return found;
}

size_t fixture_raw_count(const char *state)
{
	struct raw_list list = {0};
	list_raw(state, &list);
	size_t count = list.count;
	raw_list_release(&list);
	return count;
}

void fixture_body(struct buf *out, unsigned who, uint64_t n, size_t len)
{
	buf_printf(out, "\"id\":\"%u-%" PRIu64 "\",\"fill\":\"", who, n);
	while (out->len + 2 < len) {
		buf_append_byte(out, (uint8_t)('a' + (n + out->len) % 26));
	}
	buf_append_text(out, "\"}");
	BUG_IF(out->err != E_OK);
}

uint64_t fixture_submit(struct journal_producer *p, unsigned who, uint64_t n, size_t len)
{
	struct buf body;
	buf_init(&body, EVENT_BODY_MAX);
	fixture_body(&body, who, n, len);
	uint64_t ticket = 0;
	BUG_IF(journal_submit(p, buf_slice(&body), &ticket) != E_OK);
	buf_release(&body);
	return ticket;
}

bool fixture_is_entry(struct slice line, uint64_t sequence, unsigned who, uint64_t n, size_t len)
{
	struct buf body;
	struct buf whole;
	buf_init(&body, EVENT_BODY_MAX);
	buf_init(&whole, EVENT_MAX);
	fixture_body(&body, who, n, len);
	buf_printf(&whole, EVENT_HEAD "%" PRIu64 ",", sequence);
	buf_append_slice(&whole, buf_slice(&body));
	bool equal = slice_equal(line, buf_slice(&whole));
	buf_release(&body);
	buf_release(&whole);
	return equal;
}

bool fixture_parse(struct slice line, unsigned *who, uint64_t *n)
{
	char copy[128];
	size_t len = line.len < sizeof(copy) - 1 ? line.len : sizeof(copy) - 1;
	memcpy(copy, line.data, len);
	copy[len] = '\0';
	return sscanf(copy, EVENT_HEAD "%*u,\"id\":\"%u-%" SCNu64 "\"", who, n) == 2;
}

int fixture_open(struct journal **j, const char *state, const struct journal_io *io,
                 struct journal_found *found)
{
	struct journal_options options = {.state = state,
	                                  .origin = "audit.example",
	                                  .node = "edge-1",
	                                  .file_bytes = 1,
	                                  .io = io};
	struct diag diag;
	diag_init(&diag);
	int err = journal_open(j, &options, found, &diag);
	if (err != E_OK) {
		diag_print(&diag, stderr);
	}
	diag_release(&diag);
	return err;
}

struct journal *fixture_start(const char *state, const struct journal_io *io,
                              struct journal_producer **p, struct journal_found *found)
{
	struct journal *j = NULL;
	struct journal_found ignored;
	BUG_IF(fixture_open(&j, state, io, found == NULL ? &ignored : found) != E_OK);
	BUG_IF(journal_producer_new(j, p, NULL, NULL) != E_OK);
	BUG_IF(journal_start(j) != E_OK);
	return j;
}

void fixture_read_all(const char *state, struct fixture_entries *out)
{
	*out = (struct fixture_entries){0};
	struct diag diag;
	diag_init(&diag);
	struct journal_reader *r = NULL;
	out->err = journal_reader_open(&r, state, &diag);
	struct slice line;
	uint64_t sequence;
	while (r != NULL && ((out->err = journal_reader_next(r, &line, &sequence)) == E_OK ||
	                     out->err == E_CORRUPT)) {
		if (out->err == E_CORRUPT) {
			out->holes++;
			continue;
		}
		if ((out->count & (out->count - 1)) == 0) {
			size_t cap = out->count == 0 ? 1 : out->count * 2;
			out->all = reallocarray(out->all, cap, sizeof(*out->all));
			BUG_IF(out->all == NULL);
		}
		uint8_t *copy = malloc(line.len);
		BUG_IF(copy == NULL);
		memcpy(copy, line.data, line.len);
		out->all[out->count++] = (struct fixture_entry){sequence, slice_of(copy, line.len)};
	}
	journal_reader_close(&r);
	diag_release(&diag);
}

void fixture_entries_release(struct fixture_entries *e)
{
	for (size_t i = 0; i < e->count; i++) {
		free((void *)e->all[i].line.data);
	}
	free(e->all);
	*e = (struct fixture_entries){0};
}

struct fixture_fault fixture_faults[CALL_KINDS];

static bool fails(enum fixture_call kind)
{
	struct fixture_fault *f = &fixture_faults[kind];
	unsigned n = atomic_fetch_add(&f->seen, 1) + 1;
	unsigned from = atomic_load(&f->from);
	if (from == 0 || n < from || n - from >= atomic_load(&f->count) ||
	    atomic_load(&f->short_bytes) != 0) {
		return false;
	}
	errno = atomic_load(&f->error);
	return true;
}

static ssize_t faulty_pwrite(int fd, const void *data, size_t n, off_t offset)
{
	if (fails(CALL_PWRITE)) {
		return -1;
	}
	unsigned at_most = atomic_load(&fixture_faults[CALL_PWRITE].short_bytes);
	return pwrite(fd, data, at_most != 0 && n > at_most ? at_most : n, offset);
}

static int faulty_fdatasync(int fd)
{
	(void)fd;
	return fails(CALL_FDATASYNC) ? -1 : 0;
}

static int faulty_fsync(int fd)
{
	struct stat st;
	BUG_IF(fstat(fd, &st) == -1);
	return fails(S_ISDIR(st.st_mode) ? CALL_FSYNC_DIRECTORY : CALL_FSYNC) ? -1 : 0;
}

static int faulty_openat(int dir_fd, const char *name, int flags, mode_t mode)
{
	return fails(CALL_OPENAT) ? -1 : openat(dir_fd, name, flags, mode);
}

static int faulty_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	return fails(CALL_RENAMEAT) ? -1 : renameat(from_fd, from, to_fd, to);
}

static int faulty_unlinkat(int dir_fd, const char *name, int flags)
{
	return fails(CALL_UNLINKAT) ? -1 : unlinkat(dir_fd, name, flags);
}

static int faulty_ftruncate(int fd, off_t length)
{
	return fails(CALL_FTRUNCATE) ? -1 : ftruncate(fd, length);
}

static int faulty_fallocate(int fd, int mode, off_t offset, off_t length)
{
	return fails(CALL_FALLOCATE) ? -1 : fallocate(fd, mode, offset, length);
}

static int no_sync(int fd)
{
	(void)fd;
	return 0;
}

static int plain_openat(int dir_fd, const char *name, int flags, mode_t mode)
{
	return openat(dir_fd, name, flags, mode);
}

const struct journal_io fixture_fast = {
	.pwrite = pwrite,
	.fdatasync = no_sync,
	.fsync = no_sync,
	.openat = plain_openat,
	.renameat = renameat,
	.unlinkat = unlinkat,
	.ftruncate = ftruncate,
	.fallocate = fallocate,
};

const struct journal_io fixture_faulty = {
	.pwrite = faulty_pwrite,
	.fdatasync = faulty_fdatasync,
	.fsync = faulty_fsync,
	.openat = faulty_openat,
	.renameat = faulty_renameat,
	.unlinkat = faulty_unlinkat,
	.ftruncate = faulty_ftruncate,
	.fallocate = faulty_fallocate,
};

void fixture_no_faults(void)
{
	for (int i = 0; i < CALL_KINDS; i++) {
		atomic_store(&fixture_faults[i].from, 0);
		atomic_store(&fixture_faults[i].short_bytes, 0);
		atomic_store(&fixture_faults[i].seen, 0);
	}
}

void fixture_fail(enum fixture_call kind, unsigned count, int error)
{
	struct fixture_fault *f = &fixture_faults[kind];
	atomic_store(&f->from, 0);
	atomic_store(&f->error, error);
	atomic_store(&f->count, count);
	atomic_store(&f->from, atomic_load(&f->seen) + 1);
}

bool fixture_until(bool (*done)(void *arg), void *arg)
{
	for (int i = 0; i < 20000; i++) {
		if (done(arg)) {
			return true;
		}
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	return false;
}
