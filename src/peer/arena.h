/* Memory that is freed all at once: what hangs below one chain or one trust.
 *
 * Thread: one at a time. */
#pragma once

#include <stddef.h>

#include "base/slice.h"

struct arena_block;

struct arena {
	struct arena_block *first;
	size_t bytes; /* taken from the heap */
};

/* n zeroed bytes, aligned for any type; NULL when memory is out. n may be 0. */
void *arena_alloc(struct arena *arena, size_t n);
/* A zeroed array; NULL also when count * size overflows. */
void *arena_array(struct arena *arena, size_t count, size_t size);
/* A copy; false when memory is out. An empty slice stays empty. */
bool arena_copy(struct arena *arena, struct slice *out, struct slice bytes);
void arena_release(struct arena *arena);
