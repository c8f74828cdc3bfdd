/* Socket addresses from text: HOST:PORT, [IPv6]:PORT, unix:/path. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ADDRESS_TEXT_MAX 128

struct address {
	struct sockaddr_storage sa;
	socklen_t len;
};

/* Literal addresses only. E_INVALID: not of this form. */
int address_parse(struct address *out, const char *text);
/* Host names, too, through getaddrinfo(3): may block, so never on a worker. Writes at most *count addresses and says how
 * many. E_NOT_FOUND: the name has no address; E_INVALID as above. */
int address_resolve(struct address *out, size_t *count, const char *text);
bool address_equal(const struct address *a, const struct address *b);
