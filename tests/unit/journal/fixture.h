/* Journals in a directory of their own, entries that say where they come from, and a disk that does
 * as it is told. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"
#include "journal/io.h"
#include "journal/journal.h"
#include "journal/reader.h"

#define FIXTURE_PATH 512

/* A new empty directory under $TMPDIR; ends with fixture_remove(). */
void fixture_make(char path[static FIXTURE_PATH]);
void fixture_remove(const char *path);
/* The journal of `from` as a crash would leave it this moment, as the journal of `to`. */
void fixture_copy(const char *from, const char *to);
/* Of STATE/journal/name. */
void fixture_read_file(const char *state, const char *name, struct buf *out);
void fixture_write_file(const char *state, const char *name, struct slice bytes);
/* The n-th raw file's name, in the order of the log. False: there is none. */
bool fixture_raw_name(const char *state, size_t n, char name[static 64]);
size_t fixture_raw_count(const char *state);

/* The body that producer `who` submits as its n-th: `len` bytes at least, more if it has to be. */
void fixture_body(struct buf *out, unsigned who, uint64_t n, size_t len);
/* Submits it; the ticket. */
uint64_t fixture_submit(struct journal_producer *p, unsigned who, uint64_t n, size_t len);
/* Whether `line` is exactly what entry `sequence` with that body has to be. */
bool fixture_is_entry(struct slice line, uint64_t sequence, unsigned who, uint64_t n, size_t len);
/* From a line: who and n. False: no line of ours. */
bool fixture_parse(struct slice line, unsigned *who, uint64_t *n);

/* Opens with the smallest files; `io` NULL: the system's. What went wrong is printed. */
int fixture_open(struct journal **j, const char *state, const struct journal_io *io,
                 struct journal_found *found);
/* The same with one producer and the threads running. */
struct journal *fixture_start(const char *state, const struct journal_io *io,
                              struct journal_producer **p, struct journal_found *found);

struct fixture_entry {
	uint64_t sequence;
	struct slice line; /* owned */
};

struct fixture_entries {
	struct fixture_entry *all;
	size_t count;
	unsigned holes; /* times E_CORRUPT was returned */
	int err;        /* what ended the reading; E_END is good */
};

/* Everything that a reader gets now. */
void fixture_read_all(const char *state, struct fixture_entries *out);
void fixture_entries_release(struct fixture_entries *e);

/* Syncs cost nothing; everything else is the system's. */
extern const struct journal_io fixture_fast;

/* Calls of a kind fail from the `from`-th on (counted from 1; 0: none), `count` times, with
 * `error`. */
enum fixture_call {
	CALL_PWRITE,
	CALL_FDATASYNC,
	CALL_FSYNC,
	CALL_FSYNC_DIRECTORY,
	CALL_OPENAT,
	CALL_RENAMEAT,
	CALL_UNLINKAT,
	CALL_FTRUNCATE,
	CALL_FALLOCATE,
	CALL_KINDS
};
struct fixture_fault {
	_Atomic unsigned seen;
	_Atomic unsigned from;
	_Atomic unsigned count;
	_Atomic int error;
	_Atomic unsigned short_bytes; /* pwrite only: this much is written, without error */
};
extern struct fixture_fault fixture_faults[CALL_KINDS];
/* As fixture_fast, with the faults above. */
extern const struct journal_io fixture_faulty;
void fixture_no_faults(void);
/* From now on `count` calls of this kind fail. */
void fixture_fail(enum fixture_call kind, unsigned count, int error);

/* Waits until `done(arg)`, 20 s at most. */
bool fixture_until(bool (*done)(void *arg), void *arg);
