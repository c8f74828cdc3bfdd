/* The faults found so far: a sorted set. Private to peer/. Thread: one worker. */
#pragma once

#include "peer/verdict.h"

struct findings {
	size_t count;
	struct finding items[VERDICT_FINDINGS_MAX]; /* by class, then depth; one of each class and depth */
};

/* Of two of the same class and depth the first stays. Beyond VERDICT_FINDINGS_MAX the least
 * grave ones go, and the last is CLASS_LIMIT_EXCEEDED in their place: nobody may be let in by tolerance for those that are
 * left. `code` 0: the class's own. at_s: when the fault began or ends, for the classes
 * that have such a moment, else 0. */
void findings_add(struct findings *findings, enum peer_class class, int depth, unsigned code,
                  int64_t at_s, const char *detail);
/* Is `a` the milder set: none at all, a later primary class, fewer? */
bool findings_milder(const struct findings *a, const struct findings *b);
