/* The main of a fuzz target where no fuzzer is: every file of the corpus, or of the arguments, once, and of targets with a
 * mutator what a few seeds make of each, the same every time. FUZZ_MUTATIONS in the environment: how many. */
#ifndef LIBFUZZER

#include <dirent.h>
#include <stdio.h>

#include "fuzz.h"

#define MUTATIONS 4
#define MUTATED_MAX 8192
#define ROUND 8

static size_t run; /* mutated inputs */

#pragma weak LLVMFuzzerCustomMutator

static unsigned mutations(void)
{
	const char *text = getenv("FUZZ_MUTATIONS");
	return text == NULL ? MUTATIONS : (unsigned)strtoul(text, NULL, 10);
}

/* FUZZ_KEEP: a file that the next input is written to first, so that one that ends the program is there. */
static void keep(const uint8_t *data, size_t size)
{
	const char *path = getenv("FUZZ_KEEP");
	FILE *file = path == NULL ? NULL : fopen(path, "wb");
	if (file != NULL) {
		fwrite(data, 1, size, file);
		fclose(file);
	}
}

/* Each goes on from the one before, and begins anew now and then. */
static void replay_mutated(const uint8_t *data, size_t size)
{
	static uint8_t changed[MUTATED_MAX];
	unsigned count = LLVMFuzzerCustomMutator == NULL || size > MUTATED_MAX ? 0 : mutations();
	uint32_t state = fuzz_seed(data, size);
	size_t len = 0;
	for (unsigned i = 0; i < count; i++) {
		if (i % ROUND == 0) {
			memcpy(changed, data, size);
			len = size;
		}
		unsigned seed = (unsigned)fuzz_step(&state, 1 << 20);
		len = LLVMFuzzerCustomMutator(changed, len, MUTATED_MAX, seed);
		keep(changed, len);
		uint8_t *copy = fuzz_copy(changed, len);
		LLVMFuzzerTestOneInput(copy, len);
		free(copy);
		run++;
	}
}

static void replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	if (file == NULL) {
		perror(path);
		exit(1);
	}
	struct buf bytes;
	buf_init(&bytes, 1 << 20);
	uint8_t piece[4096];
	size_t n;
	while ((n = fread(piece, 1, sizeof(piece), file)) > 0) {
		buf_append(&bytes, piece, n);
	}
	fclose(file);
	BUG_IF(bytes.err != E_OK);
	uint8_t *copy = fuzz_copy(bytes.data, bytes.len);
	LLVMFuzzerTestOneInput(copy, bytes.len);
	free(copy);
	replay_mutated(bytes.data, bytes.len);
	buf_release(&bytes);
}

static size_t replay_all(const char *folder)
{
	DIR *dir = opendir(folder);
	if (dir == NULL) {
		perror(folder);
		exit(1);
	}
	size_t count = 0;
	struct dirent *entry;
	while ((entry = readdir(dir)) != NULL) {
		char path[4096];
		if (entry->d_name[0] == '.') {
			continue;
		}
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		replay(path);
		count++;
	}
	closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		replay(argv[i]);
	}
	size_t count = argc > 1 ? (size_t)argc - 1 : replay_all(CORPUS);
	printf("%zu inputs, %zu mutated ones\n", count, run);
	return count > 0 ? 0 : 1;
}

#endif
