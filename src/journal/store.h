/* The state directory as the daemon holds it: locked, ours, recovered.
 *
 * Thread: main opens and closes it; in between the journal thread uses it. */
#pragma once

#include "base/diag.h"
#include "journal/files.h"
#include "journal/format.h"
#include "journal/io.h"
#include "journal/journal.h"
#include "journal/recover.h"

struct store {
	const struct journal_io *io;
	char *path; /* STATE/journal, for sentences */
	int dir_fd;
	int lock_fd;
	int tip_fd;
	struct identity identity;
	struct recovered end; /* as found */
	struct tip tip;       /* as last written */
};

/* Makes what is missing, locks, recovers, and records the run as not cleanly ended. Every refusal
 * is a sentence in `diag`: E_BUSY, E_INVALID (the journal of another), E_VERSION, E_CORRUPT
 * (identity), E_ACCESS, E_NOSPACE, E_IO, E_NOMEM. */
int store_open(struct store *s, const struct journal_options *options, struct journal_found *found,
               struct diag *diag);
/* Unlocks. A store that store_open() refused is closed already. */
void store_close(struct store *s);

/* Writes the tip with these places and the next generation. */
int store_tip(struct store *s, struct raw_key file, uint64_t offset, uint64_t next_index);
/* Records that the run ended with everything written, durably. */
int store_mark_clean(struct store *s);
