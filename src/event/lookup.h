/* Reads single values out of an event body (event.h): our own canonical JSON, without white space. It was written here, and is read
 * with its bounds checked all the same. Nothing is copied. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct lookup {
	struct slice text;
	size_t at;
};

/* The value at `path` ("tls.client.subject"), as it stands: with quotes, brackets and escapes. False: there is none. */
bool lookup_value(struct slice body, const char *path, struct slice *value);
/* Whether the encoder cut the field at `path` (tlscribe.truncated): what is left of a name is another name. */
bool lookup_is_cut(struct slice body, const char *path);

/* Passes `c` if it comes next. */
bool lookup_take(struct lookup *r, uint8_t c);
/* Passes a string; *out is what stands between its quotes, escaped. */
bool lookup_string(struct lookup *r, struct slice *out);
