/* One fetched CRL on disk: is what came better than what is there? Private to crl_fetch.c.
 *
 * Thread: any; blocks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "peer/crl.h"
#include "peer/trust.h"

#define CRL_FETCH_ERROR_LEN 512 /* has a path in it, maybe */
#define CRL_FETCH_SKEW_S 300    /* clocks differ */

/* Of all CRLs of a file; usually it is one. */
struct crl_facts {
	size_t count;          /* 0: there is none */
	int64_t this_update_s; /* the earliest */
	int64_t next_update_s; /* the earliest; 0: none is given */
	size_t entries;
};

/* Reads what is there. E_NOT_FOUND: nothing; E_INVALID, E_IO, ...: nothing of use, *facts is empty, too. */
int crl_file_look(const char *path, struct crl_facts *facts);
/* What is known of who signs what came. */
struct crl_checks {
	enum crl_signer (*signer)(void *context, const struct crl *crl);
	void *context;
	/* One whose signature nobody can check may take the place of another one: nobody on the way could make it up, or it could
	 * do no more than refuse clients. */
	bool unknown_replaces;
};

/* Writes `body` in place of `path`, durably and whole, if it is better; the file's mtime then is modified_s, or 0: when the CRL was made.
 * E_OK: *facts are of what is there now, and *changed says if that is something else than before. E_INVALID: it is refused; E_*: it cannot be
 * written; `error` is a sentence, and everything is as it was, but for *facts: those of what is there. */
int crl_file_take(const char *path, struct slice body, int64_t modified_s, int64_t now_s,
                  const struct crl_checks *checks, struct crl_facts *facts, bool *changed,
                  char error[static CRL_FETCH_ERROR_LEN]);
