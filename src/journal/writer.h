/* One commit at a time: entries are added, then made durable together, in the current raw file or
 * in a new one.
 *
 * A file whose write or sync failed is poisoned: it is closed and never synced again, because the
 * kernel reports a lost page only once (a second fdatasync may succeed over data that is gone). The
 * commit is still in memory and goes to a new file, whose first index cuts off whatever the failed
 * write left.
 *
 * Thread: the journal's. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/slice.h"
#include "journal/prepare.h"
#include "journal/store.h"

struct writer {
	struct store *store;       /* borrowed */
	struct preparer *preparer; /* borrowed */
	uint64_t file_bytes;
	uint64_t next_index; /* the first number that is not durable */

	int fd; /* the current file; -1: the next commit begins one */
	struct raw_key key;
	uint64_t salt;
	uint64_t end; /* behind its last durable commit */

	bool has_previous; /* the last file with a durable commit, for the next header */
	struct raw_key previous;
	uint64_t previous_end;
	bool has_name; /* the last name that was given, whatever became of it */
	struct raw_key newest;

	uint8_t *data; /* a file's header, then the commit that is being collected: head, entries */
	size_t bytes;  /* of entries */
	uint32_t count;

	_Atomic uint64_t files;    /* put to use */
	_Atomic uint64_t poisoned; /* given up after an error */
};

/* Goes on where the store was found to end. E_NOMEM. */
int writer_init(struct writer *w, struct store *store, struct preparer *preparer,
                uint64_t file_bytes);
/* Closes the current file, cut to its used size. */
void writer_release(struct writer *w);

/* Copies `body` behind EVENT_HEAD and the next number. E_LIMIT: the commit is full (never when it
 * is empty). */
int writer_add(struct writer *w, struct slice body);
/* Makes what was added durable and begins an empty commit. On an error what was added stays, to be
 * tried again in another file: E_NOSPACE, E_IO, ... */
int writer_commit(struct writer *w);
