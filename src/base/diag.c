#include "base/diag.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void diag_init(struct diag *d)
{
	*d = (struct diag){0};
}

void diag_release(struct diag *d)
{
	while (d->first != NULL) {
		struct diag_item *item = d->first;
		d->first = item->next;
		free(item->file);
		free(item->text);
		free(item);
	}
	*d = (struct diag){0};
}

/* Sorted by line and column: several passes find things, the operator reads from the top. */
static void insert(struct diag *d, struct diag_item *item)
{
	struct diag_item **at = &d->first;
	while (*at != NULL &&
	       ((*at)->at.line < item->at.line ||
	        ((*at)->at.line == item->at.line && (*at)->at.column <= item->at.column))) {
		at = &(*at)->next;
	}
	item->next = *at;
	*at = item;
	if (item->next == NULL) {
		d->last = item;
	}
}

static void add(struct diag *d, enum diag_level level, const char *file, struct mark at,
                const char *format, va_list args)
{
	if (level == DIAG_ERROR) {
		d->errors++;
	} else {
		d->warnings++;
	}
	struct diag_item *item = calloc(1, sizeof(*item));
	if (item == NULL) {
		return;
	}
	item->level = level;
	item->at = at;
	item->file = file == NULL ? NULL : strdup(file);
	if (vasprintf(&item->text, format, args) == -1) {
		item->text = NULL;
	}
	insert(d, item);
}

void diag_error(struct diag *d, const char *file, struct mark at, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add(d, DIAG_ERROR, file, at, format, args);
	va_end(args);
}

void diag_warn(struct diag *d, const char *file, struct mark at, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add(d, DIAG_WARNING, file, at, format, args);
	va_end(args);
}

void diag_print(const struct diag *d, FILE *to)
{
	for (const struct diag_item *item = d->first; item != NULL; item = item->next) {
		if (item->file != NULL && item->at.line != 0) {
			fprintf(to, "%s:%u:%u: ", item->file, item->at.line, item->at.column);
		} else if (item->file != NULL) {
			fprintf(to, "%s: ", item->file);
		}
		fprintf(to, "%s%s\n", item->level == DIAG_WARNING ? "warning: " : "",
		        item->text == NULL ? "out of memory" : item->text);
	}
}
