/* CRLs that were read from files, so that none is read twice: by several services, or again because another file changed.
 *
 * Thread: the main thread. */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/diag.h"
#include "peer/crl.h"

struct crl_store;

int crl_store_new(struct crl_store **out);
/* CRLs that others hold live on. NULL is fine. */
void crl_store_free(struct crl_store **store);

/* Every CRL of a file, PEM (each X509 CRL block) or DER. Not read again while device, inode, size, and times (mtime, ctime) stay.
 * `use` is called for each with a reference that is the callee's, and with the SHA-256 of the whole file; it may stop with an error. Returns that,
 * or E_INVALID, E_NOT_FOUND, E_ACCESS, E_IO, E_LIMIT (beyond CRL_BYTES_MAX), E_NOMEM; *why then is a static sentence. */
int crl_store_read(struct crl_store *store, const char *path,
                   int (*use)(void *context, struct crl *crl, const uint8_t sha256[static 32]),
                   void *context, const char **why);
/* Lets go of what nobody else holds. After a new configuration is in force. */
void crl_store_purge(struct crl_store *store);

/* The file in `folder` where the CRL of this URL is kept when it was fetched: <folder>/<SHA-256 of the URL>.crl, appended to `out` with a
 * NUL. The fetcher writes it (whole, renamed into place), lists_new() reads it. */
void crl_cache_path(struct buf *out, const char *folder, const char *url);
