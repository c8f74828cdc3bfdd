/* Where the demo keeps its files. Thread: one at a time. */
#pragma once

#include <limits.h>

struct demo_places {
	char dir[PATH_MAX];   /* a temporary directory of our own, mode 0700 */
	char state[PATH_MAX]; /* absolute; inside `dir` unless the operator named another place */
};

/* Makes the directory below TMPDIR. `state` NULL: the journal goes inside. E_INVALID, E_LIMIT, or what mkdtemp(3) met;
 * said on stderr already. */
int demo_places_make(struct demo_places *places, const char *state);
/* Removes the directory with all that is in it; a state elsewhere stays. */
void demo_places_remove(struct demo_places *places);
