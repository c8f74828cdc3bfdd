/* Appends JSON to a buf: ASCII only, compact, without allocation or printf, and within a limit.
 *
 * Every value ends with a comma; closing an object or an array turns the last one into its
 * bracket. An object or array in which nothing was written vanishes together with its key, so
 * what is absent needs no question beforehand. Beyond the limit bytes are no longer written but
 * still counted: json_total() then says how long it would have been.
 *
 * Escapes: `"` and `\` by a backslash; control characters and DEL as \u00XX; other characters of
 * valid UTF-8 as \uXXXX, those beyond U+FFFF as a surrogate pair. NUL and bytes that are no
 * UTF-8 (overlong forms and surrogates among them) become a backslash and two lower-case hex
 * digits (RFC 4514 2.4); within the JSON string that is `\\xx`: four bytes. NUL is no \u0000,
 * because that is what JSON readers refuse, and a client must not make its own event unreadable.
 *
 * Thread: one at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

#define JSON_TEXT_MAX 1024 /* encoded bytes of one string, its quotes not counted */

struct json {
	struct buf *out;
	uint8_t *at;  /* where the next byte goes */
	uint8_t *end; /* of the room that is there */
	size_t start; /* out->len at json_begin() */
	size_t limit; /* bytes that may be written */
	size_t lost;  /* bytes beyond it, counted only */
	uint8_t last; /* the last one of them */
};

/* A place to go back to. */
struct json_mark {
	size_t total;
	uint8_t last;
};

/* Up to `limit` bytes behind what is in `out` (less if out->max says so). */
void json_begin(struct json *j, struct buf *out, size_t limit);
/* Ends the line: a comma at its end goes. E_OK; or E_LIMIT, or what `out` ran into, and `out` is
 * as long as before. */
int json_finish(struct json *j);
/* Bytes so far, the lost ones included. */
size_t json_total(const struct json *j);

void json_raw_slow(struct json *j, const void *data, size_t len);

/* As they are. */
static inline void json_raw(struct json *j, const void *data, size_t len)
{
	if (__builtin_expect((size_t)(j->end - j->at) >= len, 1)) {
		memcpy(j->at, data, len);
		j->at += len;
	} else {
		json_raw_slow(j, data, len);
	}
}

/* `opening` is the key with its colon and bracket, or the bracket alone. */
struct json_mark json_open(struct json *j, const void *opening, size_t len);
/* `bracket` is ']' or '}'. False: nothing was in it, and it is gone. */
bool json_close(struct json *j, struct json_mark mark, uint8_t bracket);

/* A string. True: it was cut at JSON_TEXT_MAX, never inside of an escape. */
bool json_text(struct json *j, struct slice text);
/* A string of bytes that are escaped already, by json_escape(). */
void json_escaped(struct json *j, const uint8_t *text, size_t len);
/* Upper-case hex. True: cut. */
bool json_hex(struct json *j, struct slice bytes);
void json_u64(struct json *j, uint64_t n);
void json_i64(struct json *j, int64_t n);
/* A number as a string. */
void json_u64_text(struct json *j, uint64_t n);
void json_bool(struct json *j, bool yes);
/* RFC 3339, UTC, microseconds. */
void json_time(struct json *j, int64_t wall_us);

/* Escapes as much of `text` as fits into `max` bytes, in whole characters. Gives the bytes
 * written; *used is how much of `text` they stand for. */
size_t json_escape(uint8_t *out, size_t max, struct slice text, size_t *used);
