/* Counts the heap's bytes: this program's malloc comes before libc's for every library, and hands
 * on to it. While nobody watches that costs one comparison. AddressSanitizer has a malloc of its own,
 * and then nothing is counted. */
#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>

#include "verify.h"

static bool watching;
static int64_t held;
static int64_t peak;

#ifndef __SANITIZE_ADDRESS__

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t count, size_t n);
extern void *__libc_realloc(void *p, size_t n);
extern void __libc_free(void *p);

static void count(int64_t bytes)
{
	held += bytes;
	peak = held > peak ? held : peak;
}

static void *taken(void *p)
{
	if (watching && p != NULL) {
		count((int64_t)malloc_usable_size(p));
	}
	return p;
}

void *malloc(size_t n)
{
	return taken(__libc_malloc(n));
}

void *calloc(size_t n, size_t size)
{
	return taken(__libc_calloc(n, size));
}

void *realloc(void *p, size_t n)
{
	int64_t before = watching && p != NULL ? (int64_t)malloc_usable_size(p) : 0;
	void *moved = __libc_realloc(p, n);
	if (watching && (moved != NULL || n == 0)) {
		count(-before);
	}
	return taken(moved);
}

void free(void *p)
{
	if (watching && p != NULL) {
		count(-(int64_t)malloc_usable_size(p));
	}
	__libc_free(p);
}

#endif

void heap_watch(void)
{
	held = 0;
	peak = 0;
	watching = true;
}

int64_t heap_held(void)
{
	return held;
}

int64_t heap_peak(void)
{
	return peak;
}

void heap_ignore(void)
{
	watching = false;
}
