/* Inside of tls/ alone: the members that a session is set up from. */
#pragma once

#include <gnutls/gnutls.h>

#include "tls/creds.h"

#define TLS_CERTIFICATES_MAX 8
#define TLS_ALPN_MAX 8
#define TLS_SUITES_MAX 64
#define TLS_GROUPS_MAX 16

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
};
