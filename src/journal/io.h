/* Every call by which the journal changes a disk, in one table, so that a test can stand between.
 *
 * Each function has the shape, results and errno of the system call it is named after. Thread:
 * any. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct journal_io {
	ssize_t (*pwrite)(int fd, const void *data, size_t n, off_t offset);
	int (*fdatasync)(int fd);
	int (*fsync)(int fd);
	int (*openat)(int dir_fd, const char *name, int flags, mode_t mode);
	int (*renameat)(int from_dir_fd, const char *from, int to_dir_fd, const char *to);
	int (*unlinkat)(int dir_fd, const char *name, int flags);
	int (*ftruncate)(int fd, off_t length);
	int (*fallocate)(int fd, int mode, off_t offset, off_t length);
};

/* The system's own. */
extern const struct journal_io journal_io_system;

/* Writes all n bytes, however often it takes. E_OK, or errno translated; then any part of them may
 * be there. */
int io_write_all(const struct journal_io *io, int fd, const void *data, size_t n, off_t offset);
