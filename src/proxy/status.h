/* OCSP answers for one worker: asked of the fetcher, kept while they are current, shared by all who wait for the same one.
 *
 * The worker never waits: an answer that is not at hand comes by a callback, or not at all within the service's timeout. Bounded: answers kept,
 * questions open. What failed is not asked again for some seconds, and a question that one has waited for in vain is waited for by nobody else; a
 * responder that failed some times in a row is left alone for some seconds, and then asked one question at a time until it answers. So a dead
 * responder costs some handshakes one timeout at most, and then none but one every few seconds.
 *
 * Thread: the loop's, but for status_desk_new() and status_desk_free(): the main thread, before and after the loop runs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ev.h>

#include "base/slice.h"
#include "net/fetcher.h"
#include "peer/ocsp.h"
#include "proxy/service.h"

#define STATUS_KEPT_MAX 4096
#define STATUS_QUESTIONS_MAX 256
#define STATUS_RETRY_MS 5000  /* after a failure, of a question or a responder */
#define STATUS_FAILURES_MAX 3 /* in a row, then the responder is left alone */
#define STATUS_UNKNOWN_S 60   /* a responder that does not know a certificate may soon */
#define STATUS_FETCH_MS_MIN \
	10000 /* an answer that is too late for one handshake is there for the next */

struct status_desk;
struct status_question;

/* Somebody who waits. Embedded in its owner, who sets `answered` and `owner` of the zeroed struct, and calls status_cancel() before it goes. */
struct status_query {
	/* answer NULL: none could be had, `why` is a static sentence. Called once, from the loop, unless cancelled; the query may be asked with
	 * again, and freed. */
	void (*answered)(void *owner, const struct ocsp_answer *answer, const char *why);
	void *owner;
	/* the desk's */
	struct status_query *previous, *next;
	struct status_question *question; /* NULL: waits for nothing */
	struct ev_timer patience;
};

/* `fetcher` and `loop` outlive the desk. E_NOMEM. */
int status_desk_new(struct status_desk **out, struct ev_loop *loop, struct fetcher *fetcher);
/* After the fetcher was stopped, and the loop runs no more; before the loop is destroyed. Nobody may wait. Takes *desk and leaves NULL there;
 * NULL is fine. */
void status_desk_free(struct status_desk **desk);

/* E_OK: *answer is current at now_s. E_NOT_FOUND: there is none and none is to be had now (*why, static): nobody to ask, or it failed a moment ago. E_LIMIT:
 * the same because of too many questions (*why). E_AGAIN: the query waits, for the service's timeout at most. `leaf` and `issuer` are DER, borrowed. */
int status_ask(struct status_desk *desk, const struct service *service, struct slice leaf,
               struct slice issuer, int64_t now_s, struct status_query *query,
               struct ocsp_answer *answer, const char **why);
/* Fine if it does not wait. */
void status_cancel(struct status_desk *desk, struct status_query *query);

/* May the URL that a certificate names be asked: the prefix of client.ocsp.aia that it begins with, NULL: none. Scheme and host are compared without
 * case; a prefix without a path (no slash behind the host) matches nothing, since it could go on with another host; and so does a URL with "." or ".."
 * in its path, plain or encoded, which would lead out of the prefix. */
const char *status_allowed_prefix(const struct config_ocsp *config, const char *url);
