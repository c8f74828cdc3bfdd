#include "proxy/status_responder.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/log.h"
#include "proxy/status.h"

static void free_responder(struct responder *responder)
{
	BUG_IF(responder->open != 0);
	free(responder->name);
	free(responder);
}

void responders_release(struct responders *responders)
{
	while (responders->count > 0) {
		free_responder(responders->items[--responders->count]);
	}
}

/* The place of the one that was not used for the longest time; NULL: all are in use. */
static struct responder **find_idle(struct responders *responders)
{
	struct responder **idle = NULL;
	for (size_t i = 0; i < responders->count; i++) {
		struct responder **item = &responders->items[i];
		if ((*item)->open == 0 && (idle == NULL || (*item)->used < (*idle)->used)) {
			idle = item;
		}
	}
	return idle;
}

static struct responder *make(const char *name)
{
	struct responder *responder = calloc(1, sizeof(*responder));
	char *copy = strdup(name);
	if (responder == NULL || copy == NULL) {
		free(copy);
		free(responder);
		return NULL;
	}
	responder->name = copy;
	return responder;
}

static struct responder *add(struct responders *responders, const char *name)
{
	struct responder **place = responders->count < STATUS_RESPONDERS_MAX
	                                   ? &responders->items[responders->count]
	                                   : find_idle(responders);
	struct responder *responder = place == NULL ? NULL : make(name);
	if (responder == NULL) {
		return NULL;
	}
	if (responders->count < STATUS_RESPONDERS_MAX) {
		responders->count++;
	} else {
		free_responder(*place);
	}
	*place = responder;
	return responder;
}

struct responder *responders_find(struct responders *responders, const char *name)
{
	struct responder *found = NULL;
	for (size_t i = 0; i < responders->count && found == NULL; i++) {
		if (strcmp(responders->items[i]->name, name) == 0) {
			found = responders->items[i];
		}
	}
	if (found == NULL) {
		found = add(responders, name);
	}
	if (found != NULL) {
		found->used = ++responders->uses;
	}
	return found;
}

bool responder_may_be_asked(const struct responder *responder, uint64_t now_ns)
{
	return responder->failures < STATUS_FAILURES_MAX ||
	       (responder->open == 0 && now_ns >= responder->down_until_ns);
}

void responder_failed(struct responder *responder, uint64_t now_ns, const char *error)
{
	responder->failures++;
	responder->down_until_ns = now_ns + UINT64_C(1000000) * STATUS_RETRY_MS;
	if (responder->failures == STATUS_FAILURES_MAX) {
		log_warning("OCSP responder %s failed %d times in a row (%s): it is asked one "
		            "question at a time until it answers",
		            responder->name, STATUS_FAILURES_MAX, error);
	}
}

void responder_answered(struct responder *responder)
{
	if (responder->failures >= STATUS_FAILURES_MAX) {
		log_info("OCSP responder %s answers again", responder->name);
	}
	responder->failures = 0;
}
