/* What the TLS folder learns of a handshake: the ClientHello as evidence, and what was negotiated.
 *
 * Plain data without GnuTLS, so that event/ can read it. All strings come from the peer: any byte can stand
 * in them. Thread: belongs to its connection. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HELLO_NAME_MAX \
	1040 /* a little above the event's cut at 1,024, so that the cut is seen there */
#define HELLO_ALPN_MAX 256
#define HELLO_VERSIONS_MAX 16

struct hello {
	bool seen;                /* a whole ClientHello was read; all below is unset otherwise */
	bool has_server_name;     /* a server_name extension with a host_name was there */
	uint16_t server_name_len; /* bytes kept, lower-cased */
	uint8_t server_name[HELLO_NAME_MAX];
	uint8_t sha256[32]; /* of the first ClientHello handshake message, its 4-byte header included */
	uint16_t versions[HELLO_VERSIONS_MAX]; /* as offered: supported_versions, else the legacy one; GREASE left out */
	uint8_t version_count;
	uint16_t cipher_count; /* suites offered, GREASE and signalling values included */
	uint16_t alpn_len; /* RFC 7301 list without its outer length: length byte, name, ...; cut at whole names */
	uint8_t alpn[HELLO_ALPN_MAX];
	char ja3[33]; /* MD5 in lower-case hexadecimal; "": not computed */
	char ja4[37]; /* "t13d1516h2_8daaf6152771_e5627efa2ab1" */
};

enum tls_version { TLS_VERSION_NONE = 0, TLS_VERSION_1_2 = 0x0303, TLS_VERSION_1_3 = 0x0304 };

/* As far as the handshake came: unset members are 0, NULL or -1. */
struct negotiated {
	enum tls_version version;
	const char *cipher; /* IANA name, static */
	const char *group;  /* ECDHE group as in the event: "x25519", "secp256r1", ..., static */
	uint8_t alpn_len;
	uint8_t alpn[255];
	bool established; /* both Finished messages were verified */
	bool resumed;
	int alert_sent;                        /* number, -1: none */
	int alert_received;                    /* number, -1: none */
	bool has_server_certificate;           /* we showed one; as a client, too */
	uint8_t server_certificate_sha256[32]; /* of the leaf we showed */
};
