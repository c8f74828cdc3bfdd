/* One service, compiled: what it shows, whom it trusts, and where its clients go.
 *
 * Thread: made by the main thread as a part of its snapshot, then immutable (the upstreams know whom of their servers is up). */
#pragma once

#include <stdint.h>

#include "base/diag.h"
#include "config/config.h"
#include "event/event.h"
#include "event/handshake.h"
#include "peer/classes.h"
#include "peer/trust.h"
#include "policy/decide.h"
#include "policy/tolerate.h"

struct announcer;
struct chain;
struct identity_headers;
struct routes;
struct template;
struct tls_service;
struct upstream;

struct service {
	const struct config_service *config; /* the snapshot's configuration keeps it */
	struct trust *trust;
	struct tolerate *tolerate;
	struct policy policy;
	struct tls_service *tls;
	struct upstream *upstream;
	struct upstream *quarantine; /* NULL: none */
	struct event_service event;
	struct announcer *announcer; /* NULL: no back end of it wants a PROXY header */

	/* mode http alone; else empty */
	struct chain **certificates; /* beside config->certificates: the leaf that is shown, read */
	struct routes *routes;
	struct identity_headers *identity;
	struct template **headers;    /* beside config->headers */
	uint16_t status[CLASS_COUNT]; /* of a denial over HTTP */
};

/* Compiles one service of `config`; goes on after a fault, so that one check shows them all. Errors go to `diag`. What was made
 * is released by service_release(), on failure too. */
int service_build(struct service *service, const struct config *config,
                  const struct config_service *from, struct diag *diag);
void service_release(struct service *service);
/* Mode http: the first URI name of the certificate with this fingerprint (32 bytes); empty: it has none. */
struct slice service_uri(const struct service *service, const uint8_t *sha256);
/* The `labels` object of the node's labels and the service's (NULL: none). Own memory in *out. E_LIMIT: they are too long. */
int service_labels(const struct config *config, const struct config_service *service,
                   struct slice *out);
