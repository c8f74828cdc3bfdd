/* What a worker remembers of the servers of its upstreams: sessions that can be resumed, and how the last check's handshake ended.
 *
 * With a session the chain is kept that was shown in the full handshake it goes back to: it is judged anew at every use, so a
 * server that would not be trusted now is not trusted for having been so once. All of it belongs to one configuration and goes with
 * it; a ticket of one that was replaced is not kept.
 *
 * Thread: the shard's worker. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "peer/chain.h"
#include "peer/classes.h"

/* Sessions kept of one server. A ticket is used once (RFC 8446 C.4), so this many connections can be resumed at a time. */
#define RECALL_SESSIONS 4
/* One that is longer is not kept: a ticket has 64 KiB at most, but servers send some hundred bytes. */
#define RECALL_SESSION_BYTES 16384

struct recall;
struct upstream;

struct recall_session {
	struct buf data;     /* tls_session_ticket()'s */
	struct chain *chain; /* a reference */
};

/* E_NOMEM. */
int recall_new(struct recall **out);
/* Takes *recall and leaves NULL there; NULL is fine. */
void recall_free(struct recall **recall);
/* Another configuration: forgets all. */
void recall_clear(struct recall *recall);

/* Moves the newest session of this server to *out, which ends with recall_session_release(). False: none. */
bool recall_take(struct recall *recall, const struct upstream *upstream, size_t server,
                 struct recall_session *out);
/* Takes what *session has. The oldest one goes; without memory, this one. */
void recall_put(struct recall *recall, const struct upstream *upstream, size_t server,
                struct recall_session *session);
/* Its sessions are worth nothing any more: its chain is not trusted. */
void recall_forget(struct recall *recall, const struct upstream *upstream, size_t server);
void recall_session_release(struct recall_session *session);

/* A check's handshake ended in this class. True: the one before did not, or there was none. */
bool recall_changed(struct recall *recall, const struct upstream *upstream, size_t server,
                    enum peer_class class);
