/* Between a socket's address and what events say of it.
 *
 * Thread: any. */
#pragma once

#include <sys/socket.h>

#include "event/handshake.h"

/* IPv4-mapped IPv6 addresses are AF_INET; anything but those two families has the family alone. */
void endpoint_of(struct endpoint *out, const struct sockaddr *sa);
/* The way back: a socket address with this address and port; of other families the family alone. */
void endpoint_sockaddr(struct sockaddr_storage *out, const struct endpoint *endpoint);
/* Our own address of a connected socket, and the other side's; family 0 if it cannot be told. */
void endpoint_own(struct endpoint *out, int fd);
void endpoint_peer(struct endpoint *out, int fd);
