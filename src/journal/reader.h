/* Reads a journal from its directory, with or without the daemon, never past `tip` (or, without a
 * daemon, past the last valid commit). Needs read permission only and writes nothing.
 *
 * Thread: one at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/slice.h"

struct journal_reader;

/* `state` is the state directory. E_NOT_FOUND: no journal there. E_VERSION, E_ACCESS, E_IO,
 * E_NOMEM. Every error but E_NOMEM is a sentence in `diag`, which has to outlive the reader. */
int journal_reader_open(struct journal_reader **out, const char *state, struct diag *diag);
/* Takes *r and leaves NULL there; NULL is fine. */
void journal_reader_close(struct journal_reader **r);

/* The next entry: the whole canonical line without newline, valid until the next call, and its
 * sequence number, which is above all that came before (since open or seek).
 * E_END: nothing more is durable yet; ask again later.
 * E_CORRUPT: entries are missing here, a sentence is in `diag` of open, once for each hole; the
 * next call goes on behind it. E_VERSION, E_IO, E_ACCESS, E_NOMEM: a sentence is in `diag`; the
 * next call tries again. */
int journal_reader_next(struct journal_reader *r, struct slice *entry, uint64_t *sequence);
/* Go on at this sequence number (or the first one behind it that exists). Back is possible, too. */
int journal_reader_seek(struct journal_reader *r, uint64_t sequence);
/* The number that the first entry behind the readable ones will have: N entries back begin at *end
 * - N. */
int journal_reader_end(struct journal_reader *r, uint64_t *end);
/* Sleeps until there may be more, at most timeout_ms. E_OK, E_TIMEOUT; E_AGAIN: a signal came. */
int journal_reader_wait(struct journal_reader *r, unsigned timeout_ms);
