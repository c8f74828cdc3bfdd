#include "journal/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

#define IDENTITY_TEMPORARY FORMAT_IDENTITY ".tmp"

void raw_list_release(struct raw_list *list)
{
	free(list->keys);
	*list = (struct raw_list){0};
}

static int list_add(struct raw_list *list, struct raw_key key)
{
	if (list->count == list->cap) {
		size_t cap = list->cap == 0 ? 64 : list->cap * 2;
		struct raw_key *keys = reallocarray(list->keys, cap, sizeof(*keys));
		if (keys == NULL) {
			return E_NOMEM;
		}
		list->keys = keys;
		list->cap = cap;
	}
	list->keys[list->count++] = key;
	return E_OK;
}

static int compare_keys(const void *a, const void *b)
{
	return raw_key_compare(*(const struct raw_key *)a, *(const struct raw_key *)b);
}

int raw_list_read(struct raw_list *list, int dir_fd)
{
	list->count = 0;
	/* Opened anew: a descriptor's reading position would be shared with its duplicates. */
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1) {
		return err_from_errno();
	}
	DIR *dir = fdopendir(fd);
	if (dir == NULL) {
		int err = err_from_errno();
		close(fd);
		return err;
	}
	int err = E_OK;
	errno = 0;
	for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
		struct raw_key key;
		if (raw_name_parse(entry->d_name, &key)) {
			err = list_add(list, key);
			if (err != E_OK) {
				goto close_dir;
			}
		}
		errno = 0;
	}
	if (errno != 0) {
		err = err_from_errno();
		goto close_dir;
	}
	if (list->count > 0) {
		qsort(list->keys, list->count, sizeof(*list->keys), compare_keys);
	}

close_dir:
	closedir(dir);
	if (err != E_OK) {
		list->count = 0;
	}
	return err;
}

int file_open_read(int *fd, int dir_fd, const char *name)
{
	/* Not blocking: a FIFO that somebody put there must not hold us. */
	int opened = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (opened == -1) {
		return errno == ELOOP ? E_CORRUPT : err_from_errno();
	}
	struct stat st;
	if (fstat(opened, &st) == -1 || !S_ISREG(st.st_mode)) {
		close(opened);
		return E_CORRUPT;
	}
	*fd = opened;
	return E_OK;
}

int file_read(int fd, void *out, size_t n, uint64_t offset, size_t *got)
{
	*got = 0;
	while (*got < n) {
		ssize_t done = pread(fd, (uint8_t *)out + *got, n - *got, (off_t)(offset + *got));
		if (done == -1 && errno == EINTR) {
			continue;
		}
		if (done == -1) {
			return err_from_errno();
		}
		if (done == 0) {
			break;
		}
		*got += (size_t)done;
	}
	return E_OK;
}

/* An open file description's lock: it ends with the descriptor, however the process ends, and a
 * second one in the same process conflicts as well. */
bool lock_is_held(int lock_fd)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	return lock_fd != -1 && fcntl(lock_fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

int lock_take(int *fd, int dir_fd, const struct journal_io *io)
{
	int opened = io->openat(dir_fd, FORMAT_LOCK,
	                        O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (opened == -1) {
		return err_from_errno();
	}
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (fcntl(opened, F_OFD_SETLK, &lock) == -1) {
		int err = errno == EACCES || errno == EAGAIN ? E_BUSY : err_from_errno();
		close(opened);
		return err;
	}
	*fd = opened;
	return E_OK;
}

int tip_read(struct tip *t, int tip_fd)
{
	if (tip_fd == -1) {
		return E_NOT_FOUND;
	}
	int err = E_CORRUPT;
	/* The daemon may be writing it this moment: half an old and half a new one fails the CRC,
	 * and is gone the next time. */
	for (int attempt = 0; attempt < 8 && err == E_CORRUPT; attempt++) {
		uint8_t bytes[TIP_LEN];
		size_t got = 0;
		err = file_read(tip_fd, bytes, sizeof(bytes), 0, &got);
		if (err != E_OK) {
			return err;
		}
		if (got == 0) {
			return E_NOT_FOUND;
		}
		err = got < sizeof(bytes) ? E_CORRUPT : tip_decode(t, bytes);
	}
	return err;
}

int tip_write(const struct tip *t, int tip_fd, const struct journal_io *io)
{
	uint8_t bytes[TIP_LEN];
	tip_encode(bytes, t);
	return io_write_all(io, tip_fd, bytes, sizeof(bytes), 0);
}

int identity_read(struct identity *id, int dir_fd, const char *path, struct diag *diag)
{
	struct mark nowhere = {0};
	int fd = -1;
	int err = file_open_read(&fd, dir_fd, FORMAT_IDENTITY);
	if (err == E_NOT_FOUND) {
		return err;
	}
	uint8_t bytes[IDENTITY_MAX + 1];
	size_t got = 0;
	if (err == E_OK) {
		err = file_read(fd, bytes, sizeof(bytes), 0, &got);
		close(fd);
	}
	if (err == E_OK) {
		err = identity_decode(id, slice_of(bytes, got));
	}
	if (err == E_VERSION) {
		diag_error(diag, path, nowhere,
		           "the journal was written by a newer tlscribe; this one reads format %d",
		           FORMAT_VERSION);
	} else if (err == E_CORRUPT) {
		diag_error(diag, path, nowhere,
		           "the file \"%s\" is damaged: whose journal this is cannot be told",
		           FORMAT_IDENTITY);
	} else if (err != E_OK) {
		diag_error(diag, path, nowhere, "the file \"%s\" cannot be read: %s",
		           FORMAT_IDENTITY, err_text(err));
	}
	return err;
}

int identity_write(const struct identity *id, int dir_fd, const struct journal_io *io)
{
	char text[IDENTITY_MAX];
	size_t len = identity_encode(text, sizeof(text), id);
	if (len == 0) {
		return E_LIMIT;
	}
	int fd = io->openat(dir_fd, IDENTITY_TEMPORARY,
	                    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1) {
		return err_from_errno();
	}
	int err = io_write_all(io, fd, text, len, 0);
	if (err == E_OK && io->fsync(fd) == -1) {
		err = err_from_errno();
	}
	if (close(fd) == -1 && err == E_OK) {
		err = err_from_errno();
	}
	if (err == E_OK && io->renameat(dir_fd, IDENTITY_TEMPORARY, dir_fd, FORMAT_IDENTITY) == -1) {
		err = err_from_errno();
	}
	if (err == E_OK && io->fsync(dir_fd) == -1) {
		err = err_from_errno();
	}
	return err;
}
