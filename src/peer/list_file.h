/* Files that list certificates: who is allowed, who is denied.
 *
 * One entry a line; `#` begins a comment; empty lines are fine. Letter case, colons and spaces between hexadecimal digits do not count:
 *
 *     AB:CD:...                                64 digits: SHA-256 of the certificate
 *     sha256 AB:CD:...                         the same
 *     sha1 AB:CD:...                           40 digits: SHA-1; on deny lists alone, as two certificates can be made to share one
 *     spki AB:CD:... | spki <base64>           SHA-256 of its public key (SubjectPublicKeyInfo), hexadecimal or as RFC 7469 writes it
 *     serial 0A1B issuer CN=Some CA,O=Some     serial number and issuer, the issuer as events write it (tls.client.issuer)
 *
 * PEM certificates stand for their SHA-256; they may be mixed with lines. Thread: made by the main thread; immutable. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "config/config.h"
#include "peer/chain.h"

struct list_file;

enum list_use {
	LIST_ALLOW,
	LIST_DENY,
	LIST_PINNED /* allow, and nothing that an unproven certificate can say: no serial */
};

/* Reads one file (at most 64 MiB). Each wrong line is an error in `diag` with the list's own path and line; `at` and `file` say
 * where the configuration names it. An empty allow list is a warning: nobody gets in. E_INVALID; E_NOMEM. */
int list_file_read(struct list_file **out, const struct config_text *path, enum list_use use,
                   const char *file, struct diag *diag);
void list_file_free(struct list_file **list);
size_t list_file_entries(const struct list_file *list);
const uint8_t *list_file_sha256(const struct list_file *list);
/* Is this certificate (parsed) on it? *what: a static word for the kind of entry that found it. */
bool list_file_find(const struct list_file *list, const struct cert *cert, const char **what);
