/* Zeroed files, made ahead: a commit into blocks that exist and were written costs half of one into
 * a growing file, and a full disk shows here first.
 *
 * A thread of low priority keeps one file ready under a temporary name. Who needs one and finds
 * none makes it on the spot, rather than waiting for a thread that the scheduler may have put last,
 * and has its blocks reserved instead of written: they read as zeros as well and commits into them
 * are slower, but nobody waits for a whole file of zeros.
 *
 * Thread: each function says. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <pthread.h>

#include "journal/io.h"

#define PREPARED_PREFIX "prepared-"
#define PREPARED_NAME_LEN 21 /* "prepared-" + 8 hexadecimal digits + ".tmp" */

struct prepared {
	int fd; /* -1: none */
	char name[PREPARED_NAME_LEN + 1];
};

struct preparer {
	const struct journal_io *io;
	int dir_fd; /* borrowed */
	uint64_t file_bytes;
	pthread_t thread;
	bool started;
	_Atomic bool stop;
	_Atomic uint32_t next_name;
	_Atomic uint64_t late; /* files made on the spot */
	pthread_mutex_t lock;  /* guards ready */
	pthread_cond_t changed;
	struct prepared ready;
};

/* No thread yet. */
int preparer_init(struct preparer *p, const struct journal_io *io, int dir_fd, uint64_t file_bytes);
/* Makes the file that is kept ready, now. Before preparer_start(). */
int preparer_fill(struct preparer *p);
int preparer_start(struct preparer *p);
/* Ends the thread, removes what was not used. Also after a failed start. */
void preparer_release(struct preparer *p);

/* A zeroed, durable file; the caller's to name or to drop. Any thread. */
int preparer_take(struct preparer *p, struct prepared *out);
/* Closes and removes a file that was not put to use. Any thread. */
void prepared_drop(struct prepared *file, const struct journal_io *io, int dir_fd);
/* Removes what an earlier run left. E_ACCESS, E_IO, ... */
int prepared_clean(const struct journal_io *io, int dir_fd);
