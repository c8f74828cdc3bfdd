#include "journal/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"

/* openat is variadic: a table entry cannot be. */
static int system_openat(int dir_fd, const char *name, int flags, mode_t mode)
{
	return openat(dir_fd, name, flags, mode);
}

const struct journal_io journal_io_system = {
	.pwrite = pwrite,
	.fdatasync = fdatasync,
	.fsync = fsync,
	.openat = system_openat,
	.renameat = renameat,
	.unlinkat = unlinkat,
	.ftruncate = ftruncate,
	.fallocate = fallocate,
};

int io_write_all(const struct journal_io *io, int fd, const void *data, size_t n, off_t offset)
{
	const uint8_t *at = data;
	while (n > 0) {
		ssize_t done = io->pwrite(fd, at, n, offset);
		if (done == -1 && errno == EINTR) {
			continue;
		}
		if (done == -1) {
			return err_from_errno();
		}
		if (done == 0) {
			return E_IO;
		}
		at += done;
		n -= (size_t)done;
		offset += done;
	}
	return E_OK;
}
