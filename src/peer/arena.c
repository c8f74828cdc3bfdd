#include "peer/arena.h"

#include <stdalign.h>
#include <stdlib.h>

#define BLOCK_BYTES 4096

struct arena_block {
	struct arena_block *next;
	size_t used;
	size_t cap;
	alignas(max_align_t) unsigned char data[];
};

static struct arena_block *add_block(struct arena *arena, size_t cap)
{
	struct arena_block *block = calloc(1, sizeof(*block) + cap);
	if (block == NULL) {
		return NULL;
	}
	block->cap = cap;
	arena->bytes += sizeof(*block) + cap;
	/* A block of its own for something large must not hide the room left in the current one. */
	if (arena->first != NULL && arena->first->cap - arena->first->used > 0 && cap > BLOCK_BYTES) {
		block->next = arena->first->next;
		arena->first->next = block;
	} else {
		block->next = arena->first;
		arena->first = block;
	}
	return block;
}

void *arena_alloc(struct arena *arena, size_t n)
{
	if (n > SIZE_MAX / 2) {
		return NULL;
	}
	size_t size = (n + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
	struct arena_block *block = arena->first;
	if (block == NULL || block->cap - block->used < size) {
		block = add_block(arena, size > BLOCK_BYTES ? size : BLOCK_BYTES);
		if (block == NULL) {
			return NULL;
		}
	}
	void *at = block->data + block->used;
	block->used += size;
	return at;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes)) {
		return NULL;
	}
	return arena_alloc(arena, bytes);
}

bool arena_copy(struct arena *arena, struct slice *out, struct slice bytes)
{
	*out = (struct slice){0};
	if (bytes.len == 0) {
		return true;
	}
	uint8_t *copy = arena_alloc(arena, bytes.len);
	if (copy == NULL) {
		return false;
	}
	memcpy(copy, bytes.data, bytes.len);
	*out = (struct slice){copy, bytes.len};
	return true;
}

void arena_release(struct arena *arena)
{
	while (arena->first != NULL) {
		struct arena_block *block = arena->first;
		arena->first = block->next;
		free(block);
	}
	arena->bytes = 0;
}
