/* The name that a server's certificate has to carry (RFC 9525), and whether it does. Private to peer/.
 *
 * Only the subject alternative name counts, never the common name (6.1). A dNSName matches without regard to ASCII case; its
 * left-most label can be a whole `*`, which stands for exactly one label, with at least two labels behind it, as OpenSSL and GnuTLS
 * ask for, too. Names beyond ASCII are compared as A-labels (6.3), so both sides have to be in that form already. An address
 * is compared with iPAddress by its bytes, never with a dNSName that looks like it (6.4). Thread: any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "peer/cert.h"

#define HOSTNAME_MAX 253 /* RFC 1034 3.1, as text without the last dot */

enum hostname_kind { HOSTNAME_NONE, HOSTNAME_DNS, HOSTNAME_ADDRESS };

struct hostname {
	enum hostname_kind kind;
	uint8_t len;
	uint8_t bytes[HOSTNAME_MAX]; /* the name in lower case, without a last dot; the address, 4 or 16 bytes */
};

/* Reads a host name or an IPv4 or IPv6 address. E_INVALID: `text` is neither. */
int hostname_parse(struct hostname *out, const char *text);
/* Is one of the certificate's names this one? `hostname` has to be one (not HOSTNAME_NONE). */
bool hostname_matches(const struct hostname *hostname, const struct cert *cert);
