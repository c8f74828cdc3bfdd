/* The main of a fuzz target where no fuzzer is: every file of the corpus, or of the arguments, once. */
#ifndef LIBFUZZER

#include <dirent.h>
#include <stdio.h>

#include "fuzz.h"

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
	printf("%zu inputs\n", count);
	return count > 0 ? 0 : 1;
}

#endif
