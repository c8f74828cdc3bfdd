/* Who the client of a connection is, for as long as the connection lives: what its handshake showed, ready for every request.
 *
 * Filled by handshake_finish() before the handshake is freed. Thread: the connection's worker. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "event/handshake.h"
#include "http/identity.h"
#include "peer/qualified.h"

struct service;

#define CLIENT_FIELDS_MAX (64 * 1024)

struct client {
	bool denied;   /* by its handshake: every request is answered so */
	bool verified; /* class ok and nothing tolerated */
	enum peer_class class;
	bool unnameable; /* its certificate has names that go into no header (cert_identity_fault()) */
	struct slice user_name;                  /* own memory; empty unless verified */
	struct slice roles[QUALIFIED_ROLES_MAX]; /* static texts; none unless verified */
	size_t role_count;
	struct slice server_name; /* own memory; as sent, lower case; empty: none */
	struct buf fields; /* our header fields, the same for all of its requests, each "Name: value\r\n" */
	char node[ENDPOINT_IP_MAX + 4]; /* RFC 7239 6: its address, quoted and bracketed as need be */
};

/* Before the event is encoded: renders the presets and what goes with them. *omitted is what the event has to tell. E_NOMEM. */
int client_describe(struct client *client, const struct handshake *hs,
                    const struct service *service, struct identity_omitted *omitted);
/* After it was encoded: the custom headers, made of the event's own bytes. True: one more was left out, and the event has to be encoded
 * again. E_NOMEM shows in client->fields.err. */
bool client_describe_custom(struct client *client, const struct service *service,
                            struct slice event_body, struct identity_omitted *omitted);
void client_release(struct client *client);
