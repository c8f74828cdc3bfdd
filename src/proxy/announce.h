/* The PROXY header (version 2) that tells a back end whose connection this is and what came of its handshake
 * (docs/proxy-protocol.md). It belongs to one client connection: a connection to a back end that was opened with it is never shared.
 *
 * Thread: an announcer is made by the main thread and immutable; the rest any. */
#pragma once

#include "base/buf.h"
#include "config/config.h"
#include "event/handshake.h"

struct announcer;
struct service;
struct tls_service;

/* What is told of the service's own certificates. *out is NULL when none of its back ends (upstream, quarantine, routes) wants a
 * header. E_NOMEM. `tls` may be freed afterwards. */
int announcer_new(struct announcer **out, const struct config_service *config,
                  const struct tls_service *tls);
/* Takes *announcer and leaves NULL there; NULL is fine. */
void announcer_free(struct announcer **announcer);

/* Appends the header for an ingress handshake that was let in or goes to quarantine; its class and decision stand. Nothing when
 * service->announcer is NULL. Errors are kept in `out`; PROXY_HEADER_MAX bytes are always enough. */
void announce_handshake(struct buf *out, const struct handshake *hs, const struct service *service);
