#include "proxy/recall.h"

#include <stdlib.h>

#include "base/err.h"

#define BUCKETS 64

struct entry {
	struct entry *next; /* in its bucket */
	const struct upstream *upstream;
	size_t server;
	struct recall_session sessions[RECALL_SESSIONS]; /* the newest last */
	size_t session_count;
	enum peer_class checked; /* CLASS_COUNT: never */
};

struct recall {
	struct entry *buckets[BUCKETS];
};

int recall_new(struct recall **out)
{
	*out = calloc(1, sizeof(**out));
	return *out == NULL ? E_NOMEM : E_OK;
}

void recall_free(struct recall **recall)
{
	if (*recall != NULL) {
		recall_clear(*recall);
		free(*recall);
		*recall = NULL;
	}
}

static void forget_sessions(struct entry *entry)
{
	while (entry->session_count > 0) {
		recall_session_release(&entry->sessions[--entry->session_count]);
	}
}

void recall_clear(struct recall *recall)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		while (recall->buckets[i] != NULL) {
			struct entry *entry = recall->buckets[i];
			recall->buckets[i] = entry->next;
			forget_sessions(entry);
			free(entry);
		}
	}
}

static struct entry **bucket_of(struct recall *recall, const struct upstream *upstream,
                                size_t server)
{
	uintptr_t key = (uintptr_t)upstream >> 4;
	return &recall->buckets[(key + server) % BUCKETS];
}

static struct entry *find(struct recall *recall, const struct upstream *upstream, size_t server)
{
	struct entry *entry = *bucket_of(recall, upstream, server);
	while (entry != NULL && (entry->upstream != upstream || entry->server != server)) {
		entry = entry->next;
	}
	return entry;
}

/* As many as the configuration has servers. NULL: out of memory. */
static struct entry *find_or_make(struct recall *recall, const struct upstream *upstream,
                                  size_t server)
{
	struct entry *entry = find(recall, upstream, server);
	if (entry != NULL) {
		return entry;
	}
	entry = calloc(1, sizeof(*entry));
	if (entry == NULL) {
		return NULL;
	}
	struct entry **bucket = bucket_of(recall, upstream, server);
	entry->next = *bucket;
	entry->upstream = upstream;
	entry->server = server;
	entry->checked = CLASS_COUNT;
	*bucket = entry;
	return entry;
}

void recall_session_release(struct recall_session *session)
{
	buf_release(&session->data);
	chain_unref(&session->chain);
	*session = (struct recall_session){0};
}

bool recall_take(struct recall *recall, const struct upstream *upstream, size_t server,
                 struct recall_session *out)
{
	struct entry *entry = find(recall, upstream, server);
	if (entry == NULL || entry->session_count == 0) {
		return false;
	}
	struct recall_session *newest = &entry->sessions[--entry->session_count];
	*out = *newest;
	*newest = (struct recall_session){0};
	return true;
}

void recall_put(struct recall *recall, const struct upstream *upstream, size_t server,
                struct recall_session *session)
{
	struct entry *entry = find_or_make(recall, upstream, server);
	if (entry == NULL) {
		recall_session_release(session);
		return;
	}
	if (entry->session_count == RECALL_SESSIONS) {
		recall_session_release(&entry->sessions[0]);
		for (size_t i = 1; i < RECALL_SESSIONS; i++) {
			entry->sessions[i - 1] = entry->sessions[i];
		}
		entry->session_count--;
	}
	entry->sessions[entry->session_count++] = *session;
	*session = (struct recall_session){0};
}

void recall_forget(struct recall *recall, const struct upstream *upstream, size_t server)
{
	struct entry *entry = find(recall, upstream, server);
	if (entry != NULL) {
		forget_sessions(entry);
	}
}

bool recall_changed(struct recall *recall, const struct upstream *upstream, size_t server,
                    enum peer_class class)
{
	struct entry *entry = find_or_make(recall, upstream, server);
	if (entry == NULL) {
		return true;
	}
	bool changed = entry->checked != class;
	entry->checked = class;
	return changed;
}
