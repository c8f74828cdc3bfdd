/* The host names of back ends, looked up again every `resolve` of their upstream: one thread, because getaddrinfo(3) blocks
 * for as long as name servers are silent.
 *
 * Thread: main starts, tells and stops it. */
#pragma once

#include <stddef.h>

#include "net/address.h"

struct resolver;
struct snapshot;

/* Starts the thread; it has nothing to do yet. `look_up` is address_resolve(), or a test's own. E_NOMEM, E_LIMIT. */
int resolver_start(struct resolver **out,
                   int (*look_up)(struct address *out, size_t *count, const char *text));
/* From now on for the upstreams of this snapshot, of which it keeps a reference, and for no others: none of those before is
 * touched once this has returned. Their names were looked up when they were made, so the first look-up is one interval away. */
void resolver_watch(struct resolver *r, struct snapshot *snapshot);
/* Ends the thread. One that waits for a name server is left behind after a moment, and touches nothing when it wakes up:
 * nobody should wait for DNS to end a program. Takes *r and leaves NULL there; NULL is fine. */
void resolver_stop(struct resolver **r);
