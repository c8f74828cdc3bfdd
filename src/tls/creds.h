/* What one service shows and asks for in TLS: its certificates, versions, suites, ALPN, and whether clients are asked for
 * a certificate. Compiled from the configuration.
 *
 * Thread: made by the main thread, immutable, read by every worker (counted by its snapshot). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/slice.h"
#include "config/config.h"
#include "tls/hello.h"
#include "tls/hello_parse.h"

struct tls_service;

/* `ca_names` (count may be 0) are DER certificates whose subjects go into CertificateRequest. Errors go to `diag`:
 * files missing or unparsable, a key that does not match, a bad priority string. Warnings: certificates expired or
 * within 30 days of it. E_INVALID when `diag` got an error. */
int tls_service_new(struct tls_service **out, const struct config_service *config,
                    const struct slice *ca_certs, size_t ca_count, const char *file,
                    struct diag *diag);
void tls_service_free(struct tls_service **service);

/* Asks clients for a certificate; sends CA names with it. */
bool tls_service_requests(const struct tls_service *service);
bool tls_service_sends_ca_names(const struct tls_service *service);

/* What the record of a configuration says of a certificate that is shown. */
struct tls_certificate_info {
	const char *subject; /* RFC 4514, the service's */
	int64_t not_before_s;
	int64_t not_after_s;
	struct slice der; /* the leaf, the service's */
};
/* In the order of the configuration; `i` below its number of certificates. */
struct tls_certificate_info tls_service_certificate(const struct tls_service *service, size_t i);

enum tls_common {
	TLS_COMMON_OK,
	TLS_COMMON_NO_VERSION,
	TLS_COMMON_NO_CIPHER,
	TLS_COMMON_NO_SIGNATURE,
	TLS_COMMON_NO_GROUP,
	TLS_COMMON_NO_PROTOCOL
};
/* What client and service share, from the ClientHello itself: GnuTLS's error codes do not tell these apart. */
enum tls_common tls_service_common(const struct tls_service *service, const struct hello *hello,
                                   const struct hello_offer *offer);
