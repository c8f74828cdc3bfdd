/* HTTP from one thread of its own, by libcurl: what nobody else has the time to wait for (CRLs, OCSP answers).
 *
 * Only http and https; no redirects to other schemes, at most 3 of them; certificates of https servers are checked against the system's store; a
 * body beyond the limit, or a time beyond the timeout, ends the fetch. Nothing is retried here. Many run at once, at most 64, others wait their turn.
 *
 * Thread: fetcher_submit() from any; `done` is called from the fetcher's own. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/queue.h"
#include "base/slice.h"

struct fetcher;

struct fetch {
	struct queue_node node; /* the fetcher's */
	/* asked; all of it has to live until `done` */
	const char *url;
	const char *content_type; /* with `post`; NULL: GET */
	struct slice post;
	const char *accept;          /* NULL: none */
	int64_t if_modified_since_s; /* GET; 0: unconditional. A 304 comes with status 304 and no body */
	uint64_t timeout_ms;
	size_t max_bytes; /* of the body */
	/* Called once, always, also at fetcher_stop() (error "stopped"). Owns the fetch from then on. */
	void (*done)(struct fetch *fetch);
	void *arg;
	/* answered; valid while `done` runs */
	int err; /* E_OK: an answer came, whatever its status; E_TIMEOUT, E_LIMIT, E_IO, E_NOMEM */
	long status; /* of HTTP */
	struct buf body;
	int64_t last_modified_s; /* 0: not told */
	char error[256];         /* a sentence, without secrets; "" with E_OK */
};

int fetcher_start(struct fetcher **out);
/* Ends what runs; every `done` was called when it returns. NULL is fine. */
void fetcher_stop(struct fetcher **fetcher);
void fetcher_submit(struct fetcher *fetcher, struct fetch *fetch);
