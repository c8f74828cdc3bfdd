#include "base/bug.h"

#include <stdio.h>
#include <stdlib.h>

void bug_found(const char *file, int line, const char *function, const char *condition)
{
	fprintf(stderr, "tlscribe: bug at %s:%d in %s(): %s\n", file, line, function, condition);
	abort();
}
