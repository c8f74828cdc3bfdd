/* One handshake, everything there is to know of it: what tls, peer and policy found, ready to be
 * encoded once.
 *
 * Thread: belongs to its connection's worker; freed after its event was encoded. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "base/slice.h"
#include "peer/chain.h"
#include "peer/verdict.h"
#include "tls/hello.h"

enum decision {
	DECISION_DENY,
	DECISION_ALLOW,
	DECISION_ALLOW_TOLERATED,
	DECISION_ALLOW_ANONYMOUS,
	DECISION_ALLOW_UNVERIFIED,
	DECISION_QUARANTINE,
	DECISION_COUNT
};
enum denied_by {
	DENIED_BY_NOBODY,
	DENIED_BY_VERIFY,
	DENIED_BY_HANDSHAKE,
	DENIED_BY_LIMIT,
	DENIED_BY_SHUTDOWN,
	DENIED_BY_ROUTE,     /* a request alone */
	DENIED_BY_AUTHORITY, /* a request alone */
	DENIED_BY_REQUEST,   /* a request alone: malformed or beyond a limit */
	DENIED_BY_COUNT
};
enum possession { POSSESSION_UNSET, POSSESSION_PROVEN, POSSESSION_FAILED, POSSESSION_NOT_REACHED };

/* "allow_tolerated", "verify", "not_reached", ...; NULL for DENIED_BY_NOBODY and
 * POSSESSION_UNSET. */
const char *decision_name(enum decision decision);
const char *denied_by_name(enum denied_by by);
const char *possession_name(enum possession possession);

struct endpoint {
	int family; /* AF_INET, AF_INET6, AF_UNIX; 0: unknown */
	uint16_t port;
	uint8_t ip[16]; /* 4 or 16 bytes, network order; IPv4-mapped addresses are AF_INET here */
};

#define ENDPOINT_IP_MAX 46 /* INET6_ADDRSTRLEN: the longest text and a NUL */
/* Writes the address, IPv6 as RFC 5952 has it, and a NUL; gives its length. 0 and "" for
 * anything but AF_INET, AF_INET6. */
size_t endpoint_ip(char out[static ENDPOINT_IP_MAX], const struct endpoint *endpoint);

/* Of one service, constant: what every event of it says. */
struct event_service {
	const char *name;        /* NULL: no service was chosen */
	const char *verify_mode; /* "required", ... */
	struct slice labels;     /* event_labels_encode() of node and service labels together */
};

struct handshake {
	char id[ID_MAX + 1];
	/* Egress: we are the client, the chain and verdict are the server's, source is our own
	 * address and destination the server's; hello is unset but for the server name that we
	 * sent (has_server_name, server_name_len, server_name; `seen` stays false). */
	bool egress;
	const char *connection; /* egress: id of the ingress handshake it is for; NULL: a health check */
	const char *server;      /* egress: address of the upstream's server as configured; NULL */
	const char *verify_mode; /* egress: "required" or "none", of the upstream's tls; static */
	int64_t start_us;        /* wall clock at accept; egress: when it was begun */
	int64_t end_us;          /* wall clock at handshake_finish(): event.end and @timestamp */
	uint64_t duration_ns;
	int64_t client_hello_us; /* from accept to the whole ClientHello; -1: none came, or egress */
	int64_t handshake_us;    /* from ClientHello to the end of the handshake; -1 */
	int64_t verify_us;       /* judging alone; -1 */

	struct endpoint source;
	struct endpoint destination; /* the address the client spoke to */
	struct endpoint peer; /* TCP peer where a PROXY header changed the source; family 0 otherwise */
	const char *const *omitted_headers; /* identity headers that had to be left out; NULL with 0 */
	size_t omitted_header_count;
	uint64_t source_bytes; /* that the source sent until now: received; egress: sent by us */
	uint64_t destination_bytes; /* that the destination sent until now */

	const struct event_service *service; /* NULL: none was chosen; snapshot keeps it */
	struct hello hello;
	struct negotiated tls;

	bool requested; /* a CertificateRequest was sent; of no meaning for egress */
	bool ca_names;  /* with CA names in it; of no meaning for egress */
	bool presented; /* a Certificate message with at least one certificate arrived */
	enum possession possession;
	struct chain *chain;     /* a reference; NULL: nothing presented */
	struct verdict *verdict; /* a reference; NULL: ended before a verdict */

	enum peer_class class; /* primary class, also without a verdict */
	unsigned code;
	const char *detail; /* of a class without verdict; static; NULL */
	enum decision decision;
	enum denied_by denied_by;
	uint32_t tolerated; /* bit i: verdict->findings[i] was tolerated */
	bool verified;      /* class ok and nothing tolerated */

	uint64_t policy_epoch;
	const uint8_t *policy_sha256; /* 32 bytes, snapshot's */
};
