/* What can change about a trust while the proxy runs: its CRLs, and its allow and deny lists.
 *
 * A set is made for one trust and immutable; when a file changes a new set takes its place (proxy/renew), and with it
 * every verdict. CRLs are large: one that several sets name, or that did not change, is the same object in all of them
 * (peer/crl_store.h).
 *
 * Thread: made by the main thread; read by every worker; the count is atomic. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "config/config.h"
#include "peer/trust.h"

struct crl_store;
struct lists;

/* Reads client.crl, client.allow, client.deny, and of client.crl_fetch what `folder` (a cache of fetched CRLs, by
 * crl_cache_path(); NULL: none) has; what was not fetched yet is no error. Of a folder in client.crl every regular file counts that
 * does not begin with a dot. `trust` has to outlive the set. Errors: a file
 * that is missing, unreadable or wrong, with line for lists; an indirect CRL; an empty folder. Warnings: a CRL that is not current, one
 * that bears the name of a CA of this trust and is not signed by it, or with max_depth 0 the name of none; a CA of this trust
 * without any, where that is `revocation_unknown` for all below it; a fetched file that is wrong, and not used. Of list files: list_file.h. E_INVALID when `diag` got an error; E_NOMEM. Nothing of `client` is kept. */
int lists_new(struct lists **out, const struct trust *trust, const struct config_client *client,
              const char *folder, struct crl_store *store, const char *file, struct diag *diag);
struct lists *lists_ref(struct lists *lists);
/* Takes *lists and leaves NULL there; NULL is fine. */
void lists_unref(struct lists **lists);

/* The trust's id, the content of every file in order, and how revocation is checked, hashed: 32 bytes. */
const uint8_t *lists_id(const struct lists *lists);

/* A file that was read (one with several CRLs is there for each), for audit.config, `check` and whoever looks for changes. */
struct lists_file {
	const char *path;
	const char *kind; /* "crl", "allow", "deny" */
	uint8_t sha256[32];
	size_t entries;
	/* of a CRL, else NULL and 0 */
	const char *issuer;
	int64_t this_update_s;
	int64_t next_update_s; /* 0: none is given */
};
size_t lists_file_count(const struct lists *lists);
const struct lists_file *lists_file_at(const struct lists *lists, size_t i);
