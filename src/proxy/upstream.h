/* The back end of one service, route or quarantine: its servers, which of them are up, and whose turn it is.
 *
 * A server is taken out by failures in a row (passive, for back_off that doubles) or by its checks (active, check.h).
 * Backup servers are used while no other one is up. Host names are looked up when the configuration is compiled and
 * again every `resolve` by the resolver's thread, never on a worker; a name that cannot be resolved then keeps its
 * addresses. Of several addresses one is used until it fails, then the next one.
 *
 * Thread: made by the main thread; everything that says so is safe from any worker (atomics; a lock of each server for
 * its addresses and for what changes with a failure). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "config/config.h"
#include "net/address.h"

struct tls_client;
struct trust;
struct upstream;

#define UPSTREAM_NOBODY SIZE_MAX
#define UPSTREAM_SERVERS_MAX 256
/* Addresses of one host name that are kept. */
#define UPSTREAM_ADDRESSES_MAX 8

/* Servers that one request or connection has tried. Zero to begin with. */
struct upstream_tried {
	uint64_t bits[UPSTREAM_SERVERS_MAX / 64];
	unsigned rounds; /* so many times those with several addresses were given another chance */
};

/* Errors go to `diag`: an address that cannot be parsed or resolved, certificates, keys and CAs of its `tls`.
 * E_INVALID then; E_NOMEM. `config` and `owner`, the service's name for log lines, are borrowed. */
int upstream_new(struct upstream **out, const struct config_upstream *config, const char *owner,
                 const char *file, struct diag *diag);
/* Takes *upstream and leaves NULL there; NULL is fine. */
void upstream_free(struct upstream **upstream);
const struct config_upstream *upstream_config(const struct upstream *upstream);
const char *upstream_owner(const struct upstream *upstream);
size_t upstream_count(const struct upstream *upstream);

/* What `old` knows about the same servers (same owner, same address as configured) is known here, too: who is down, and which of
 * its addresses works. A reload must not send anybody to a server that is known to be down. Main thread, before any worker has `upstream`. */
void upstream_inherit(struct upstream *upstream, const struct upstream *old);

/* The next server in turn (weighted round robin, or the one with the fewest connections for its weight) among those
 * that are up and were not tried; then backups in the same way; then, once for each further address, servers with several of
 * them. one that is out by failures alone is not tried before its back-off is over, then by one connection at a time, until
 * upstream_succeeded() or upstream_failed() tells how that went or 10 s have passed; but before nobody is tried at all, it is.
 * UPSTREAM_NOBODY: none is left. Marks it in `tried`. Any worker. */
size_t upstream_pick(struct upstream *upstream, struct upstream_tried *tried, uint64_t now_ns);
/* A connection to it is in use (requests, in http mode), or no more: for least-connections. Any worker. */
void upstream_use(struct upstream *upstream, size_t i);
void upstream_release(struct upstream *upstream, size_t i);
/* It did what it should, or it could not be reached, did not answer in time or broke the protocol. Any worker. */
void upstream_succeeded(struct upstream *upstream, size_t i);
void upstream_failed(struct upstream *upstream, size_t i, uint64_t now_ns);
/* Of its checks: up or down from now on. Up ends a back-off, too. Any worker. */
void upstream_checked(struct upstream *upstream, size_t i, bool up);
/* False: its checks took it out. Any worker. */
bool upstream_is_up(const struct upstream *upstream, size_t i);

/* A copy of its address as of now. Any worker. */
void upstream_address(const struct upstream *upstream, size_t i, struct address *out);
/* The server's address as configured. */
const char *upstream_name(const struct upstream *upstream, size_t i);
/* Its host alone, without the brackets of an IPv6 address; NULL: a unix socket. */
const char *upstream_host(const struct upstream *upstream, size_t i);
/* NULL: plain. */
const struct tls_client *upstream_tls(const struct upstream *upstream);
/* With TLS: what server i has to be, and the SNI sent (NULL: none, for addresses). */
const struct trust *upstream_trust(const struct upstream *upstream, size_t i);
const char *upstream_server_name(const struct upstream *upstream, size_t i);

/* Starts a connection. *fd is a non-blocking socket. E_OK: connected; E_AGAIN: wait until it can be written,
 * then upstream_connected(). Others: failed, no descriptor, errno says why. Any worker. */
int upstream_connect(const struct upstream *upstream, size_t i, int *fd);
/* E_OK, or why the connection that was started failed; errno says more. */
int upstream_connected(int fd);
/* True at most every 10 s: then say that no server could be reached. Any worker. */
bool upstream_should_warn(struct upstream *upstream);

/* False: server i has a literal address, there is nothing to look up again. */
bool upstream_has_name(const struct upstream *upstream, size_t i);
/* For the resolver's thread: what a new look-up of server i's host found. 0 addresses: nothing, it keeps what it has.
 * The address in use stays in use if it is still among them. */
void upstream_readdress(struct upstream *upstream, size_t i, const struct address *found,
                        size_t count);
