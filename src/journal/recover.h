/* Where a journal ends, found from its files alone, as it is after any kind of stop.
 *
 * Only the last raw file with a valid header is read, from its begin: start-up does not grow with
 * the journal.
 *
 *   - A file's commits are followed until none begins. Behind that nothing counts.
 *   - If a valid commit stands further on, or the tip says that more was durable, the bytes between
 *     were durable once and are unreadable now: corruption. It is reported, the file is kept as it
 *     is, and numbers go on behind what was lost, so that no number is ever given twice and the
 *     hole stays visible.
 *   - Otherwise what follows (zeros, mostly) is the tail of a write that never became durable: a
 *     torn tail, counted, and not an error.
 *
 * Either way the journal goes on in a new file; nothing is overwritten.
 *
 * Thread: any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "journal/files.h"
#include "journal/format.h"

struct recovered {
	uint64_t next_index;   /* the first number that is free */
	bool has_file;         /* a raw file with a valid header was found: */
	struct raw_key file;   /* the last one of them, */
	uint64_t end;          /* the offset behind its last durable commit, */
	uint64_t torn_bytes;   /* and what is behind that and not zero */
	bool has_name;         /* a raw file was found, damaged or not: */
	struct raw_key newest; /* the last one of them */
	bool corrupt;          /* bytes that were durable cannot be read: */
	struct raw_key corrupt_file;
	uint64_t corrupt_at; /* where the first of them is, */
	uint64_t lost;       /* and how many entries they held, as far as can be told */
};

/* Reads only. `tip` NULL: there is none, or a damaged one. Corruption is no error, it is in `out`.
 * E_VERSION, E_NOMEM, E_IO. */
int recover_find_end(struct recovered *out, int dir_fd, const struct raw_list *files,
                     const struct tip *tip);
