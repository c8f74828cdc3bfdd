/* Files that list certificates: who is allowed, who is denied.
 *
 * One entry a line; `#` begins a comment (not behind an issuer: a name may have one in it); empty lines are fine. Letter
 * case, colons and blanks between hexadecimal digits do not count, nor do case and blanks around `,`, `+` and the `=` of a type in an issuer:
 *
 *     AB:CD:...                                64 digits: SHA-256 of the certificate
 *     sha256 AB:CD:...                         the same
 *     sha1 AB:CD:...                           40 digits: SHA-1; on deny lists alone, as two certificates can be made to share one
 *     spki AB:CD:... | spki <base64>           SHA-256 of its public key (SubjectPublicKeyInfo), hexadecimal or as RFC 7469 writes it
 *     serial 0A1B issuer CN=Some CA,O=Some     serial number and issuer, both as events write them (tls.client.issuer)
 *
 * Before the digits of sha256 and sha1 may stand `Fingerprint=`, as openssl prints it. PEM certificates stand for their SHA-256; they may be
 * mixed with lines. On deny lists a fingerprint stands for both certificates
 * that an ECDSA signature makes (ecdsa.h). Thread: made by the main thread; immutable. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "config/config.h"
#include "peer/chain.h"

#define LIST_FILE_BYTES_MAX (64U << 20)
#define LIST_FILE_ERRORS_MAX 20 /* wrong lines that are told of; the rest is one sentence more */

struct list_file;

enum list_use {
	LIST_ALLOW,
	LIST_DENY,
	LIST_PINNED /* allow, and nothing that an unproven certificate can say: no serial */
};

/* Reads one regular file (at most LIST_FILE_BYTES_MAX). Each wrong line is an error in `diag` with the list's own path and line; `at`
 * and `file` say where the configuration names it. Warnings: an allow list without an entry, since nobody gets in; what looks
 * like a comment behind an issuer; `spki` for
 * LIST_PINNED, as whoever holds that key can write any name into a certificate around it. E_INVALID; E_NOMEM. */
int list_file_read(struct list_file **out, const struct config_text *path, enum list_use use,
                   const char *file, struct diag *diag);
/* Takes *list and leaves NULL there; NULL is fine. */
void list_file_free(struct list_file **list);
/* Lines and PEM blocks that name somebody, repeated ones as well. */
size_t list_file_entries(const struct list_file *list);
/* Of the whole file: 32 bytes. */
const uint8_t *list_file_sha256(const struct list_file *list);
/* Has it an entry of either fingerprint? *what as below. */
bool list_file_has(const struct list_file *list, const uint8_t sha256[static 32],
                   const uint8_t sha1[static 20], const char **what);
/* Is this certificate on it? One that could not be parsed is known by its fingerprints. `proven`: its issuer signed it, as a
 * path shows; without that an entry of serial number and issuer, which anybody can write, is passed over. *what: a static word for
 * the kind of entry that found it. */
bool list_file_find(const struct list_file *list, const struct cert *cert, bool proven,
                    const char **what);
