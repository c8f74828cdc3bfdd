/* HTTP from one thread of its own, by libcurl: what nobody else has the time to wait for (CRLs, OCSP answers).
 *
 * Only http and https, straight to the server: no proxy from the environment, no .netrc, no user names in URLs, no cookies. Redirects
 * go to http and https alone, from https to https alone, at most 3 of them. Certificates of https servers are checked against the
 * system's store. A body beyond the limit, a head beyond 64 KiB, or a time beyond the timeout ends the fetch. Nothing is retried here.
 * Many run at once, at most FETCHER_RUNNING_MAX; others wait their turn, and that counts as their time.
 *
 * Thread: fetcher_submit() from any; `done` is called from the fetcher's own, or from the one in fetcher_stop(). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/queue.h"
#include "base/slice.h"

#define FETCHER_RUNNING_MAX 64

struct fetcher;

struct fetch {
	struct queue_node node; /* the fetcher's */
	uint64_t due_ns;        /* the fetcher's */
	/* asked; all of it has to live until `done` */
	const char *url;
	const char *content_type; /* with `post`; NULL: GET */
	struct slice post;
	const char *accept;          /* NULL: none */
	int64_t if_modified_since_s; /* GET; 0: unconditional. A 304 comes with status 304 and no body */
	uint64_t timeout_ms;         /* > 0; from fetcher_submit() on */
	size_t max_bytes;            /* of the body */
	/* Called once, always, also at fetcher_stop() (E_END, "stopped"). Owns the fetch from then on. Others wait meanwhile: a `done` that
	 * takes long (writes files, reads CRLs) is one for a fetcher of its own. */
	void (*done)(struct fetch *fetch);
	void *arg;
	/* answered */
	int err; /* E_OK: an answer came, whatever its status; E_TIMEOUT, E_LIMIT, E_IO, E_NOMEM, E_END */
	long status;             /* of HTTP */
	struct slice body;       /* the fetcher's, only while `done` runs */
	int64_t last_modified_s; /* 0: not told */
	char error[128]; /* a sentence without secrets and without bytes of the server, the same for the same failure; "" with E_OK */
};

/* Starts the thread. E_NOMEM, E_LIMIT, E_IO (libcurl cannot be set up). */
int fetcher_start(struct fetcher **out);
/* Ends what runs and what waits; every `done` was called when it returns. Nobody may submit any more. Takes *fetcher and leaves NULL
 * there; NULL is fine. */
void fetcher_stop(struct fetcher **fetcher);
/* Never fails: `done` tells. */
void fetcher_submit(struct fetcher *fetcher, struct fetch *fetch);
