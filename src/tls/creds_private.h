/* Inside of tls/ alone: the members that a session is set up from. */
#pragma once

#include <gnutls/gnutls.h>

#include "tls/creds.h"

#define TLS_CERTIFICATES_MAX 8
#define TLS_ALPN_MAX 8
#define TLS_SUITES_MAX 64
#define TLS_GROUPS_MAX 16

/* ECDHE with AEAD only, our order: AES-128-GCM is the cheapest with AES-NI, ChaCha20 for clients without. */
#define TLS_PRIORITY_REST \
	":-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-" \
	"POLY1305:-MAC-ALL:+AEAD" \
	":-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1:%SERVER_" \
	"PRECEDENCE"
#define TLS_PRIORITY_12 "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" TLS_PRIORITY_REST
#define TLS_PRIORITY_13 "NORMAL:-VERS-ALL:+VERS-TLS1.3" TLS_PRIORITY_REST

struct tls_suite {
	uint16_t id;
	bool tls13;
	bool rsa;   /* 1.2: the suite wants an RSA certificate */
	bool ecdsa; /* 1.2: the suite wants an ECDSA or EdDSA certificate */
};

struct tls_certificate {
	gnutls_datum_t der; /* of the leaf, to recognise which one was shown */
	uint8_t sha256[32];
	gnutls_datum_t subject; /* RFC 4514, with NUL */
	int64_t not_before_s, not_after_s;
	gnutls_pk_algorithm_t algorithm;
	unsigned bits;
};

/* Reads chain and key and gives them to the credentials; `leaf` says what they are. `role` is "server" or "client", for
 * warnings. Problems go to `diag`: E_INVALID then. Ends with certificate_release(). */
int certificate_load(gnutls_certificate_credentials_t credentials, struct tls_certificate *leaf,
                     const char *role, const struct config_certificate *config, const char *file,
                     struct diag *diag);
void certificate_release(struct tls_certificate *leaf);
struct tls_certificate_info certificate_info(const struct tls_certificate *leaf);

struct tls_service {
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority;
	bool request;
	bool ca_names;
	bool tls12, tls13;
	size_t certificate_count;
	struct tls_certificate certificates[TLS_CERTIFICATES_MAX];
	size_t alpn_count;
	gnutls_datum_t alpn[TLS_ALPN_MAX]; /* the configuration keeps the bytes */
	size_t suite_count;
	struct tls_suite suites[TLS_SUITES_MAX];
	size_t group_count;
	uint16_t groups[TLS_GROUPS_MAX];
	bool client_order;         /* the client's favourite group is taken; false: perhaps ours */
	gnutls_datum_t ticket_key; /* size 0: nothing is resumed */
};

struct tls_client {
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority;
	bool has_certificate;
	struct tls_certificate certificate;
	uint64_t number; /* no other client of this process has it: what resumes a session says whose it is */
};
