/* OCSP answers for one worker: asked of the fetcher, kept while they are current, shared by all who wait for the same one.
 *
 * The worker never waits: an answer that is not at hand comes by a callback, or not at all within the service's timeout. Bounded: answers kept,
 * questions open. What failed is not asked again for some seconds, so that a dead responder costs each handshake of a client one timeout at most
 * in that time, and none once it is known to be down.
 *
 * Thread: the shard's worker, but for what status_arrived() says. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "net/fetcher.h"
#include "peer/ocsp.h"
#include "proxy/service.h"

struct status_desk;
struct shard;

/* Somebody who waits. Embedded in its owner; zeroed before first use. */
struct status_query {
	struct status_query *previous, *next;
	void *question; /* the desk's; NULL: waits for nothing */
	/* answer NULL: none could be had, `why` is a static sentence. Called once, from the loop, unless cancelled. */
	void (*answered)(void *owner, const struct ocsp_answer *answer, const char *why);
	void *owner;
};

int status_desk_new(struct status_desk **out, struct shard *shard, struct fetcher *fetcher);
/* Nobody may wait any more. After the fetcher was stopped. NULL is fine. */
void status_desk_free(struct status_desk **desk);

/* E_OK: *answer is current at now_s. E_NOT_FOUND: there is none and none is to be had now (*why): nobody to ask, it failed a moment ago, too many
 * questions. E_AGAIN: the query waits. `leaf` and `issuer` are DER, borrowed. */
int status_ask(struct status_desk *desk, const struct service *service, struct slice leaf,
               struct slice issuer, int64_t now_s, struct status_query *query,
               struct ocsp_answer *answer, const char **why);
/* Fine if it does not wait. */
void status_cancel(struct status_desk *desk, struct status_query *query);
