/* A fuzz target is a function that takes any bytes and aborts when a promise is broken. `./dev fuzz` drives it with libFuzzer;
 * `make check` with what lies in corpus/<target> (replay.c). */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/bug.h"
#include "base/err.h"
#include "base/slice.h"

/* Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Of targets that know how their inputs are made: changes one where it lies, at most to max_size bytes, and returns the new
 * size. The same seed makes the same of it. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* A copy of exactly its size, so that AddressSanitizer sees whoever reads beyond. */
static inline uint8_t *fuzz_copy(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size == 0 ? 1 : size);
	BUG_IF(copy == NULL);
	if (size > 0) {
		memcpy(copy, data, size);
	}
	return copy;
}

/* Where to split next: made of the bytes, so that an input always does the same. */
static inline size_t fuzz_step(uint32_t *state, size_t most)
{
	*state = *state * 1664525U + 1013904223U;
	return 1 + (*state >> 8) % most;
}

static inline uint32_t fuzz_seed(const uint8_t *data, size_t size)
{
	uint32_t hash = 2166136261U;
	for (size_t i = 0; i < size; i++) {
		hash = (hash ^ data[i]) * 16777619U;
	}
	return hash;
}

static inline bool fuzz_is_inside(struct slice part, const uint8_t *data, size_t size)
{
	return part.len == 0 || (part.data >= data && part.data + part.len <= data + size);
}
