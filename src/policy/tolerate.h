/* Which faults of a client certificate a service forgives: compiled from client.tolerate.
 *
 * Thread: immutable; shared. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "config/config.h"
#include "peer/verdict.h"

struct tolerate;

/* Warns of issuer_not_ca, which makes CAs of clients. Knows class names, OpenSSL's names (X509_V_ERR_CERT_HAS_EXPIRED, see peer/x509_v_err.def) and
 * numbers (10, or ours from 1001). A number or an OpenSSL name that stands for one code of a
 * class (19: a self-signed root in the chain) forgives that code alone. Errors: an unknown name
 * (with the nearest known one), a class that is never tolerable, a name or number that says less than
 * the class it belongs to, `for` with a class that has no date. E_INVALID when `diag` got an error; E_NOMEM. Nothing of `config` is kept. */
int tolerate_new(struct tolerate **out, const struct config_tolerate *config, const char *file,
                 struct diag *diag);
/* Takes *tolerate and leaves NULL there; NULL is fine. */
void tolerate_free(struct tolerate **tolerate);
/* Bit i: verdict->findings[i] is forgiven at now_s. `for` counts from notAfter (expired), or
 * until notBefore (not yet valid), both inclusive; `until` is the first second in which nothing
 * is forgiven any more. */
uint32_t tolerate_match(const struct tolerate *tolerate, const struct verdict *verdict,
                        int64_t now_s);
/* Narrows [*from_s, *until_s), which holds now_s, to where tolerate_match() says the same of this verdict. */
void tolerate_narrow(const struct tolerate *tolerate, const struct verdict *verdict, int64_t now_s,
                     int64_t *from_s, int64_t *until_s);
/* For people: "none", "all", "expired (depth 0, for 7d), unknown_issuer". Writes at most cap
 * bytes with NUL (cap > 0). */
void tolerate_describe(const struct tolerate *tolerate, char *out, size_t cap);
