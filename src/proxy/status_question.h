/* One question to one OCSP responder, for all who wait for the answer: the request with its nonce, and what was answered. Private to status.c.
 *
 * Thread: the worker's, until the fetch is submitted; the fetcher's, while it runs, but for what is marked as the desk's; then the worker's again. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/queue.h"
#include "net/fetcher.h"
#include "peer/ocsp.h"
#include "proxy/status.h"
#include "proxy/status_cache.h"

struct responder;

struct status_question {
	struct queue_node node;
	struct status_desk *desk;
	/* the desk's */
	struct status_question *previous, *next; /* of those that are open */
	struct status_query *first;
	struct responder *responder;
	uint8_t key[STATUS_KEY_LEN];
	bool late; /* somebody waited in vain */
	/* asked */
	struct fetch fetch;
	struct buf request;
	bool has_nonce;
	uint8_t nonce[OCSP_NONCE_BYTES];
	enum profile profile;
	struct slice leaf, issuer; /* in `bytes` */
	/* answered */
	const char *why; /* static; NULL: there is an answer */
	bool unwell;     /* it is the responder's fault */
	struct ocsp_answer answer;
	char bytes[]; /* URL with its NUL, leaf, issuer */
};

/* Ready to be submitted, but for fetch.done. Everything is copied. NULL: out of memory, or a certificate cannot be asked about. */
struct status_question *status_question_new(const struct config_client *client, struct slice leaf,
                                            struct slice issuer, const char *url);
void status_question_free(struct status_question *question);
/* Makes an answer, or a reason, of what was fetched: while `done` runs. */
void status_question_read(struct status_question *question);
