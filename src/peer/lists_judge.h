/* A set of lists as the judge sees it. Private to peer/. Thread: immutable, read by every worker. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "peer/arena.h"
#include "peer/cert.h"
#include "peer/findings.h"
#include "peer/list_file.h"
#include "peer/lists.h"
#include "peer/revocation.h"

struct lists {
	_Atomic unsigned refs;
	uint8_t id[32];
	struct revocation_check revocation; /* of `crls` */
	struct crl **crls;                  /* a reference each; sorted by crl_compare() */
	size_t crl_count;
	size_t crl_cap;
	struct list_file **allow;
	size_t allow_count;
	struct list_file **deny;
	size_t deny_count;
	struct lists_file *files;
	size_t file_count;
	size_t file_cap;
	struct arena arena; /* their paths */
};

/* Each of these takes NULL for no lists. */

/* denylisted at `depth`, if this certificate is on a deny list. It may be one that could not be parsed. */
void lists_judge_denied(struct findings *findings, const struct lists *lists,
                        const struct cert *cert, int depth);
/* not_allowlisted, if there are allow lists, or have to be (`needed`), and the leaf (parsed) is on none. `proven`: a path shows
 * that its issuer signed it, list_file_find(). */
void lists_judge_allowed(struct findings *findings, const struct lists *lists, bool needed,
                         const struct cert *leaf, bool proven);
/* Is revocation checked at all? */
bool lists_revoke(const struct lists *lists);
