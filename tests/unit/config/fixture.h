/* Files of the source tree, and what a configuration was told, as texts. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/err.h"
#include "config/config.h"

/* The whole file with a NUL behind it; ends the program if it cannot be read. */
static inline char *fixture_read(const char *folder, const char *name, size_t *len)
{
	char *path;
	if (asprintf(&path, "%s/%s", folder, name) == -1) {
		exit(99);
	}
	FILE *file = fopen(path, "rb");
	if (file == NULL) {
		perror(path);
		exit(99);
	}
	char *text = malloc((1 << 20) + 1);
	*len = text == NULL ? 0 : fread(text, 1, 1 << 20, file);
	if (text == NULL || *len == 1 << 20) {
		fprintf(stderr, "%s: too large\n", path);
		exit(99);
	}
	text[*len] = '\0';
	fclose(file);
	free(path);
	return text;
}

/* What diag_print() would show, on the heap. Inlined, gcc 12 takes the text for a local one. */
__attribute__((noinline, unused)) static char *fixture_said(const struct diag *diag)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);
	if (to == NULL) {
		exit(99);
	}
	diag_print(diag, to);
	fclose(to);
	return text;
}

/* The configuration of a text that has to be good; config_free(). Ends the program if it is not. */
__attribute__((noinline, unused)) static struct config *fixture_parse(const char *text)
{
	struct config *config = NULL;
	struct diag diag;
	diag_init(&diag);
	if (config_parse(&config, "test.yaml", text, strlen(text), &diag) != E_OK) {
		diag_print(&diag, stderr);
		exit(99);
	}
	diag_release(&diag);
	return config;
}
