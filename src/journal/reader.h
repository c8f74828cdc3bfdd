/* Reads a journal from its directory, with or without the daemon, never past `tip` (or, without a daemon, past the last
 * valid commit). Needs read permission only and writes nothing.
 *
 * Thread: one at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/slice.h"

struct journal_reader;

/* `state` is the state directory. E_NOT_FOUND: no journal there. */
int journal_reader_open(struct journal_reader **out, const char *state, struct diag *diag);
void journal_reader_close(struct journal_reader **r);
/* The next entry: the whole canonical line without newline, valid until the next call, and its sequence number.
 * E_END: nothing more is durable yet. E_CORRUPT: a sentence is in `diag` of open; reading goes on behind it if it can. */
int journal_reader_next(struct journal_reader *r, struct slice *entry, uint64_t *sequence);
/* Go on at this sequence number (or the first one behind it that exists). */
int journal_reader_seek(struct journal_reader *r, uint64_t sequence);
/* Sleeps until there may be more, at most timeout_ms. E_OK, E_TIMEOUT. */
int journal_reader_wait(struct journal_reader *r, unsigned timeout_ms);
