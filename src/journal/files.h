/* The journal's directory: names, lock, tip and identity. Reading here never changes anything.
 *
 * Thread: one at a time for each object. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "journal/format.h"
#include "journal/io.h"

/* The raw files of a directory in the order of the log. */
struct raw_list {
	struct raw_key *keys;
	size_t count;
	size_t cap;
};

void raw_list_release(struct raw_list *list);
/* Lists anew. E_NOMEM, E_IO, ...; then the list is empty. */
int raw_list_read(struct raw_list *list, int dir_fd);

/* Opens a regular file to read; anything else under that name is E_CORRUPT. */
int file_open_read(int *fd, int dir_fd, const char *name);
/* Reads up to n bytes at `offset`; *got is less only at the end of the file. */
int file_read(int fd, void *out, size_t n, uint64_t offset, size_t *got);

/* True while a daemon holds the lock; asks without taking it. `lock_fd` -1: nobody can hold it. */
bool lock_is_held(int lock_fd);
/* Takes the lock for the life of *fd. E_BUSY: held by another. */
int lock_take(int *fd, int dir_fd, const struct journal_io *io);

/* E_OK, E_NOT_FOUND (none or empty), E_CORRUPT, E_VERSION, E_IO. */
int tip_read(struct tip *t, int tip_fd);
int tip_write(const struct tip *t, int tip_fd, const struct journal_io *io);

/* E_NOT_FOUND: none. A sentence about anything else is in `diag`; `path` is the directory's, for
 * that sentence. */
int identity_read(struct identity *id, int dir_fd, const char *path, struct diag *diag);
/* Makes it at once, whole and durable. */
int identity_write(const struct identity *id, int dir_fd, const struct journal_io *io);
