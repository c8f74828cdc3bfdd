/* Reads the commits of one raw file, believing nothing: bounded memory, every CRC checked.
 *
 * Thread: one at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "journal/format.h"

struct scan {
	int fd; /* -1: closed */
	struct raw_header header;
	uint64_t offset; /* of the next commit */
	uint8_t *data;   /* the file's bytes from `at` */
	size_t len;
	size_t cap;
	uint64_t at;
	uint64_t spent; /* by searches in this file, against their bound */
};

/* E_NOT_FOUND, E_CORRUPT (no valid header, or that of another file), E_VERSION, E_NOMEM, E_IO. */
int scan_open(struct scan *s, int dir_fd, struct raw_key key);
/* A closed one is fine. */
void scan_close(struct scan *s);

/* Bytes in the file now, as far as a raw file can be. */
int scan_size(const struct scan *s, uint64_t *size);

/* The commit at s->offset, if it ends at or before `limit`; then goes behind it. `entries` is valid
 * until the next call.
 * E_END: no valid commit begins here. E_NOMEM, E_IO. */
int scan_next(struct scan *s, uint64_t limit, struct commit_head *head, struct slice *entries);

/* Searches behind s->offset for the next valid commit with first index >= `first` and puts
 * s->offset there.
 * E_END: none before `limit` (s->offset stays). The work is bounded for all searches of a file
 * together, also if it was made to be slow. */
int scan_resync(struct scan *s, uint64_t limit, uint64_t first, struct commit_head *head);

/* Behind the last byte that is not zero, at least s->offset. */
int scan_used(struct scan *s, uint64_t *used);
/* What was read ahead is forgotten: the file may have changed. */
void scan_forget(struct scan *s);
