/* One `bind:` of the configuration: its listening sockets.
 *
 * TCP has a socket per worker (SO_REUSEPORT: the kernel spreads), unix one for all. Closing a listening socket resets what is
 * queued on it, so a reload keeps the listener whose address stays.
 *
 * Thread: the main thread; the descriptors are accepted on by the workers. */
#pragma once

#include <stdbool.h>

#include "base/diag.h"
#include "config/config.h"

struct listener;

/* Binds and listens. A stale unix socket file, that nobody answers on, is replaced. Errors go to `diag`. */
int listener_open(struct listener **out, const struct config_listener *config, unsigned workers,
                  const char *file, struct diag *diag);
/* Removes the unix socket file, too. */
void listener_close(struct listener **listener);
/* Takes no more connections: clients are refused by the kernel. The descriptors stay, as a worker may still have to forget them; end
 * with listener_close(). */
void listener_shut(struct listener *listener);
/* The socket of this worker. */
int listener_fd(const struct listener *listener, unsigned worker);
const char *listener_name(const struct listener *listener);
/* Can serve this configuration as it is. */
bool listener_fits(const struct listener *listener, const struct config_listener *config);
