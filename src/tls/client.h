/* What we show and ask for when we are the client: one upstream's `tls`, compiled.
 *
 * Thread: made by the main thread, immutable, read by every worker (counted by its snapshot). */
#pragma once

#include "base/diag.h"
#include "config/config.h"
#include "tls/creds.h"

struct tls_client;

/* Our certificate and key, if there is one; versions 1.2 and 1.3 with the same suites as services have. Errors go to `diag`. */
int tls_client_new(struct tls_client **out, const struct config_upstream_tls *config,
                   const char *file, struct diag *diag);
void tls_client_free(struct tls_client **client);
/* Of our certificate; false: there is none. */
bool tls_client_certificate(const struct tls_client *client, struct tls_certificate_info *info);
