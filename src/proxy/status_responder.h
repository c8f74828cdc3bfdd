/* OCSP responders as one worker knows them: who has failed lately, and may therefore not be asked. Private to status.c.
 *
 * Named by what the configuration says, its responder or one of its prefixes; bounded all the same, as configurations come and go.
 * Thread: one worker. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATUS_RESPONDERS_MAX 64

struct responder {
	char *name;
	unsigned open;     /* questions */
	unsigned failures; /* in a row */
	uint64_t down_until_ns;
	uint64_t used; /* the greatest was used last */
};

struct responders {
	struct responder *items[STATUS_RESPONDERS_MAX];
	size_t count;
	uint64_t uses;
};

/* All zero is an empty table. No question may be open. */
void responders_release(struct responders *responders);
/* Valid while it has open questions, and until the next call. NULL: out of memory, or all of them have open questions. */
struct responder *responders_find(struct responders *responders, const char *name);
/* False: it failed too often in a row, and it is too early, or somebody else is trying already. */
bool responder_may_be_asked(const struct responder *responder, uint64_t now_ns);
/* Logs when it goes down. `error` is a sentence. */
void responder_failed(struct responder *responder, uint64_t now_ns, const char *error);
/* Logs when it had been down. */
void responder_answered(struct responder *responder);
