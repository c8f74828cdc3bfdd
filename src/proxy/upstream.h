/* The back end of one service: its servers, taken in turn.
 *
 * Names are resolved when the configuration is compiled, never on a worker.
 * Thread: made by the main thread; upstream_first() from any worker. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"
#include "config/config.h"
#include "net/address.h"

struct upstream;

/* Errors go to `diag`: an address that cannot be parsed or resolved. */
int upstream_new(struct upstream **out, const struct config_upstream *config, const char *file,
                 struct diag *diag);
void upstream_free(struct upstream **upstream);
size_t upstream_count(const struct upstream *upstream);
/* The server to begin with: round robin over all connections. Go on with (first + i) % count when it fails. */
size_t upstream_first(struct upstream *upstream);
const struct address *upstream_address(const struct upstream *upstream, size_t i);
/* Starts a connection. *fd is a non-blocking socket. E_OK: connected; E_AGAIN: wait until it can be written,
 * then upstream_connected(). Others: failed, no descriptor, errno says why. */
int upstream_connect(const struct upstream *upstream, size_t i, int *fd);
/* The server's address as configured. */
const char *upstream_name(const struct upstream *upstream, size_t i);
/* True at most every 10 s: then say that no server could be reached. Any worker. */
bool upstream_should_warn(struct upstream *upstream);
/* E_OK, or why the connection that was started failed; errno says more. */
int upstream_connected(int fd);
