/* The vectors of tests/data/http: {name, raw, status, ...}. A code point is a byte; a text may be a list of texts and of
 * [text, count]. */
#pragma once

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/bug.h"
#include "base/err.h"
#include "unit.h"

/* The whole file; `vectors` are in it. */
static inline json_t *vectors_open(const char *name)
{
	char path[4096];
	json_error_t error;
	snprintf(path, sizeof(path), "%s/tests/data/http/%s", SOURCE_DIR, name);
	json_t *file = json_load_file(path, JSON_ALLOW_NUL, &error);
	if (file == NULL) {
		fprintf(stderr, "%s:%d: %s\n", path, error.line, error.text);
	}
	BUG_IF(file == NULL || json_array_size(json_object_get(file, "vectors")) < 50);
	return file;
}

static inline void vectors_append_text(struct buf *out, const json_t *text, json_int_t count)
{
	const uint8_t *utf8 = (const uint8_t *)json_string_value(text);
	size_t len = json_string_length(text);
	BUG_IF(utf8 == NULL);
	for (; count > 0; count--) {
		for (size_t i = 0; i < len; i++) {
			/* jansson has checked the UTF-8. */
			BUG_IF(utf8[i] > 0xc3);
			uint8_t byte = utf8[i];
			if (byte >= 0xc2) {
				byte = (uint8_t)(byte << 6 | (utf8[++i] & 0x3f));
			}
			buf_append_byte(out, byte);
		}
	}
}

/* A copy on the heap of exactly its size, so that a sanitizer sees whoever reads beyond. */
static inline struct slice vectors_bytes(const json_t *text)
{
	struct buf out;
	buf_init(&out, 1 << 20);
	if (json_is_string(text)) {
		vectors_append_text(&out, text, 1);
	}
	for (size_t i = 0; i < json_array_size(text); i++) {
		const json_t *part = json_array_get(text, i);
		if (json_is_array(part)) {
			vectors_append_text(&out, json_array_get(part, 0),
			                    json_integer_value(json_array_get(part, 1)));
		} else {
			vectors_append_text(&out, part, 1);
		}
	}
	BUG_IF(out.err != E_OK);
	uint8_t *copy = malloc(out.len == 0 ? 1 : out.len);
	BUG_IF(copy == NULL);
	if (out.len > 0) {
		memcpy(copy, out.data, out.len);
	}
	struct slice bytes = slice_of(copy, out.len);
	buf_release(&out);
	return bytes;
}

/* True if `what` is what the vector says, or if it says nothing. */
static inline bool vectors_agree_bytes(const json_t *vector, const char *member, struct slice what)
{
	const json_t *value = json_object_get(vector, member);
	if (value == NULL) {
		return true;
	}
	struct slice expected = vectors_bytes(value);
	bool same = slice_equal(expected, what);
	free((void *)expected.data);
	return same;
}

static inline bool vectors_agree_number(const json_t *vector, const char *member, uint64_t what)
{
	const json_t *value = json_object_get(vector, member);
	return value == NULL || (uint64_t)json_integer_value(value) == what;
}

static inline bool vectors_agree_bool(const json_t *vector, const char *member, bool what)
{
	const json_t *value = json_object_get(vector, member);
	return value == NULL || json_is_true(value) == what;
}

/* A failure with the vector's name. */
static inline void vectors_check(const json_t *vector, const char *what, bool good)
{
	if (!good) {
		fprintf(stderr, "\n    %s: %s", json_string_value(json_object_get(vector, "name")),
		        what);
	}
	CU_ASSERT_TRUE(good);
}
