/* What an operator has to be told about a configuration or a file: errors and warnings with
 * their place.
 *
 * Filled by whoever loads or compiles something, printed once by the command.
 * Thread: one at a time. */
#pragma once

#include <stdio.h>

struct mark {
	unsigned line;   /* from 1; 0: no place in the file (a default, or the file as a whole) */
	unsigned column; /* from 1 */
};

enum diag_level { DIAG_ERROR, DIAG_WARNING };

struct diag_item {
	struct diag_item *next;
	enum diag_level level;
	struct mark at;
	char *file; /* may be NULL */
	char *text; /* one sentence, no final full stop or newline */
};

struct diag {
	struct diag_item *first;
	struct diag_item *last;
	unsigned errors;
	unsigned warnings;
};

void diag_init(struct diag *d);
void diag_release(struct diag *d);
/* Copies everything. Out of memory still counts the item, so that an error is never taken for
 * success. */
void diag_error(struct diag *d, const char *file, struct mark at, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void diag_warn(struct diag *d, const char *file, struct mark at, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* One line an item in order of file position, "file:line:column: sentence"; warnings say
 * "warning: " first. */
void diag_print(const struct diag *d, FILE *to);
