#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/err.h"

#define PIECE 16384

int file_load(struct buf *out, const char *path, size_t max)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1) {
		return err_from_errno();
	}
	size_t before = out->len;
	int err = out->err;
	while (err == E_OK) {
		char piece[PIECE];
		ssize_t n = read(fd, piece, sizeof(piece));
		if (n == -1 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			err = n == 0 ? E_OK : err_from_errno();
			break;
		}
		if ((size_t)n > max - (out->len - before)) {
			err = E_LIMIT;
			break;
		}
		buf_append(out, piece, (size_t)n);
		err = out->err;
	}
	close(fd);
	if (err != E_OK) {
		buf_truncate(out, before);
	}
	return err;
}
