/* The steps before serving that a reload shares, or that happen once. Each says on stderr what is wrong.
 *
 * Thread: the main thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/listener.h"
#include "proxy/snapshot.h"

/* Each item as a log line. */
void start_log_diag(const struct diag *diag);
/* Reads, checks and compiles `path`; prints errors and warnings. */
int start_load(struct snapshot **out, const char *path, uint64_t epoch, struct crl_store *store);
/* A socket for every listener of `snapshot`; one of `old` where the address stays, then kept[j] is set. */
int start_listen(struct listener ***out, const struct snapshot *snapshot, struct listener **old,
                 size_t old_count, bool *kept, unsigned workers);
/* Closes those of `listeners` that are not among `old`, and frees the list. */
void start_unlisten(struct listener **listeners, size_t count, struct listener **old,
                    size_t old_count);
/* Raises RLIMIT_NOFILE to what limits.connections needs; warns when that is not to be had. Gives the connections that fit: held
 * ones must never take the descriptors that the journal needs. */
uint64_t start_raise_descriptors(const struct config *config);
/* Becomes `user:` for good. */
int start_drop_privileges(const struct config *config);
