/* The PROXY header at the start of a connection from a load balancer that the listener believes (docs/proxy-protocol.md).
 *
 * Such a peer has to send one. Until it is read the connection counts in all, and for no source: what bounds it is the number of
 * connections, the handshake timer and PROXY_HEADER_BUDGET.
 *
 * Thread: the connection's worker. */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

#include "peer/classes.h"

struct conn;

/* Has a peer with this address to send a header on the connection's listener? */
bool announced_wanted(const struct conn *c, const struct sockaddr *peer);

enum announced_step {
	ANNOUNCED_MORE,  /* wait until the socket can be read */
	ANNOUNCED_READ,  /* bytes behind the header may be unread in c->input */
	ANNOUNCED_FAILED /* ends with this class and detail */
};
struct announced {
	enum announced_step step;
	enum peer_class class;
	const char *detail; /* static; NULL */
};

/* Reads the header as far as it has come. With ANNOUNCED_READ source, destination and peer of the handshake are what it says, and
 * `counts_for` is whose connection it is: the limits have not been asked yet. */
struct announced announced_read(struct conn *c, struct sockaddr_storage *counts_for);
