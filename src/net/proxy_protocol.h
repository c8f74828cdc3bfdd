/* The PROXY protocol, versions 1 and 2 (haproxy: doc/proxy-protocol.txt): who the client behind a load balancer is, and, towards
 * our back ends, who ours was.
 *
 * Thread: any; nothing is kept. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"
#include "config/config.h"

#define PROXY_HEADER_BUDGET \
	4096 /* nothing longer is taken: what senders use has some hundred bytes */
#define PROXY_HEADER_MAX \
	PROXY_HEADER_BUDGET /* nothing longer is sent: receivers have such bounds, too */

enum proxy_parsed {
	PROXY_MORE, /* a good beginning */
	PROXY_DONE,
	PROXY_LONG, /* version 2, and announces more than PROXY_HEADER_BUDGET */
	PROXY_BAD
};

struct proxy_header {
	size_t bytes; /* of the header */
	unsigned version;
	bool local; /* v2 LOCAL, v1 UNKNOWN, v2 AF_UNSPEC and datagrams: the connection's own addresses stand */
	struct sockaddr_storage source, destination; /* AF_INET, AF_INET6; AF_UNIX without a path */
	const char *bad;                             /* PROXY_BAD: a few words, static */
};

/* Reads the header at the start of `bytes`; what stands behind it is not looked at. PROXY_BAD also when it can be told from what
 * there is that none begins here. TLVs are checked for their lengths, a CRC32C for its value, and skipped. */
enum proxy_parsed proxy_header_parse(struct proxy_header *out, struct slice bytes);

/* What a version 2 header says of a handshake; all of it borrowed. */
struct proxy_announce {
	const struct sockaddr *source,
		*destination; /* NULL or not AF_INET, AF_INET6: command PROXY with AF_UNSPEC; LOCAL if `local` */
	bool local;             /* our own connection: a health check */
	struct slice authority; /* 0x02, the server name; empty: left out */
	struct slice unique_id; /* 0x05, at most 128 bytes */
	bool tls;               /* the 0x20 TLV with all below */
	const char *version;    /* 0x21 "TLSv1.3"; NULL */
	const char *cipher;     /* 0x23 IANA name; NULL */
	const char *signature_algorithm; /* 0x24 of our certificate, as OpenSSL says, e.g. "RSA-SHA256"; NULL */
	const char *key_algorithm; /* 0x25 of our certificate, e.g. "RSA2048", "EC256"; NULL */
	bool certificate; /* PP2_CLIENT_CERT_CONN and _SESS: presented on this connection, possession proven */
	bool resumed;    /* presented in the full handshake before it: PP2_CLIENT_CERT_SESS alone */
	uint32_t verify; /* 0: there is a certificate and it was verified; else not 0 */
	struct slice common_name; /* 0x22 of the client certificate, last CN; empty: left out */
	struct slice der;         /* 0x28 client certificate */
};
/* Appends the header with its CRC32C. Never longer than PROXY_HEADER_MAX: the client certificate is left out where it does not fit,
 * then the common name, then the server name. Errors are kept in `out`. */
void proxy_header_write(struct buf *out, const struct proxy_announce *announce);

/* Networks whose headers are believed, of listeners[].proxy_protocol. */
struct networks;
/* *out is NULL when there are none. Errors go to `diag`: not of the form ADDRESS, ADDRESS/BITS or unix; bits set beyond the prefix.
 * E_INVALID, E_NOMEM. */
int networks_new(struct networks **out, const struct config_texts *texts, const char *file,
                 struct diag *diag);
/* Takes *networks and leaves NULL there; NULL is fine. */
void networks_free(struct networks **networks);
/* IPv4-mapped IPv6 addresses count as IPv4. NULL networks have nobody. */
bool networks_have(const struct networks *networks, const struct sockaddr *peer);
