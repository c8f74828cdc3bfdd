/* Which faults of a client certificate a service forgives: compiled from client.tolerate.
 *
 * Thread: immutable; shared. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "config/config.h"
#include "peer/chain.h"
#include "peer/verdict.h"

struct tolerate;

/* Knows class names, OpenSSL's names (X509_V_ERR_CERT_HAS_EXPIRED) and numbers (10). Errors: an unknown name (with the
 * nearest known one), a class that is never tolerable. E_INVALID when `diag` got an error. */
int tolerate_new(struct tolerate **out, const struct config_tolerate *config, const char *file, struct diag *diag);
void tolerate_free(struct tolerate **tolerate);
/* Bit i: verdict->findings[i] is forgiven at now_s. */
uint32_t tolerate_match(const struct tolerate *tolerate, const struct verdict *verdict, const struct chain *chain, int64_t now_s);
/* For people: "none", "all", "expired (depth 0, for 7d), unknown_issuer". Writes at most cap bytes with NUL. */
void tolerate_describe(const struct tolerate *tolerate, char *out, size_t cap);
