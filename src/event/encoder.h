/* What all encoders of this folder share: the line that is being written, field by field, in the
 * order of fields.def.
 *
 * Keys come from the table, values through put_*(): an absent value writes nothing. Cuts are
 * noted and named at the end. A line that grew too long is written a second time without its
 * last arrays (encoder_plan()). Only for event/. Thread: one at a time; nothing outlives the
 * call. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "event/event.h"
#include "event/fields.h"
#include "event/json.h"

#define ENCODER_ARRAY_MAX 32
#define ENCODER_WORDS ((FIELD_COUNT + 63) / 64)

struct encoder {
	struct json json;
	const struct event_source *from;
	uint64_t cut[ENCODER_WORDS];       /* a bit a field: to be named in tlscribe.truncated */
	uint64_t drop[ENCODER_WORDS];      /* arrays to leave out */
	uint32_t array_bytes[FIELD_COUNT]; /* what each array took, key and comma included */
};

/* `"name":` of each field: with a constant field a key is a memcpy of constant length. */
static const struct slice encoder_keys[FIELD_COUNT] = {
#define FIELD(symbol, parent, name, type, flags, actions, required, ocsf, cef, doc) \
	{(const uint8_t *)"\"" name "\":", sizeof("\"" name "\":") - 1},
#include "event/fields.def"
#undef FIELD
};

void encoder_begin(struct encoder *e, struct buf *out, const struct event_source *from);
/* Closes the line. E_OK, E_LIMIT or what the buf ran into. */
int encoder_finish(struct encoder *e);
/* After a line that was too long: chooses the arrays to leave out, those of tlscribe and then
 * those of tls.client.x509 or tls.server.x509, last first, until it fits, and starts anew. False: it fits as it is,
 * or nothing will help. */
bool encoder_plan(struct encoder *e);

/* "ecs" to "observer", which all entries have. `labels` is what event_labels_encode() wrote. */
void put_observer(struct encoder *e, struct slice labels);
/* tlscribe.schema, .log and .boot. */
void put_log(struct encoder *e);
/* tlscribe.truncated; the last thing to write. */
void put_truncated(struct encoder *e);
/* tlscribe.path and others: elements open_element() ... close_element() between open_array() and
 * close_array(). */
bool open_array(struct encoder *e, enum event_field field, struct json_mark *mark);
void close_array(struct encoder *e, enum event_field field, struct json_mark mark);
/* An array of strings; empty ones are skipped. */
void put_texts(struct encoder *e, enum event_field field, const struct slice *texts, size_t count);
/* One element of an array; false: 32 are there, or `value` is empty, and nothing was written. */
bool put_element(struct encoder *e, enum event_field field, struct slice value, unsigned *count);

static inline void encoder_note_cut(struct encoder *e, enum event_field field)
{
	e->cut[field / 64] |= 1ULL << field % 64;
}

/* Constants of our own, which need no escape. */
#define put_literal(e, field, literal) \
	put_raw(e, field, "\"" literal "\",", sizeof("\"" literal "\",") - 1)
#define put_literals(e, field, list) put_raw(e, field, "[" list "],", sizeof("[" list "],") - 1)
#define open_object(e, name) json_open(&(e)->json, "\"" name "\":{", sizeof("\"" name "\":{") - 1)
#define close_object(e, mark) json_close(&(e)->json, mark, '}')
#define open_element(e) json_open(&(e)->json, "{", 1)
#define close_element(e, mark) json_close(&(e)->json, mark, '}')

/* Always inline: `field` has to be a constant where the key is copied. */
#define ENCODER_INLINE static inline __attribute__((always_inline))

ENCODER_INLINE void put_key(struct encoder *e, enum event_field field)
{
	json_raw(&e->json, encoder_keys[field].data, encoder_keys[field].len);
}

ENCODER_INLINE void put_raw(struct encoder *e, enum event_field field, const void *value, size_t len)
{
	put_key(e, field);
	json_raw(&e->json, value, len);
}

ENCODER_INLINE void put_text(struct encoder *e, enum event_field field, struct slice text)
{
	if (text.len > 0) {
		put_key(e, field);
		if (json_text(&e->json, text)) {
			encoder_note_cut(e, field);
		}
	}
}

/* NULL is absent. */
ENCODER_INLINE void put_string(struct encoder *e, enum event_field field, const char *text)
{
	put_text(e, field, slice_text(text));
}

ENCODER_INLINE void put_hex(struct encoder *e, enum event_field field, struct slice bytes)
{
	if (bytes.len > 0) {
		put_key(e, field);
		if (json_hex(&e->json, bytes)) {
			encoder_note_cut(e, field);
		}
	}
}

ENCODER_INLINE void put_u64(struct encoder *e, enum event_field field, uint64_t n)
{
	put_key(e, field);
	json_u64(&e->json, n);
}

ENCODER_INLINE void put_i64(struct encoder *e, enum event_field field, int64_t n)
{
	put_key(e, field);
	json_i64(&e->json, n);
}

ENCODER_INLINE void put_bool(struct encoder *e, enum event_field field, bool yes)
{
	put_key(e, field);
	json_bool(&e->json, yes);
}

ENCODER_INLINE void put_time(struct encoder *e, enum event_field field, int64_t wall_us)
{
	put_key(e, field);
	json_time(&e->json, wall_us);
}

#define ENCODER_S_MIN (-62167219200LL) /* the years 0 to 9999, as clock_format() */
#define ENCODER_S_MAX 253402300799LL

/* A certificate's moment, which may be any number. */
static inline int64_t encoder_us(int64_t s)
{
	return (s < ENCODER_S_MIN   ? ENCODER_S_MIN
	        : s > ENCODER_S_MAX ? ENCODER_S_MAX
	                            : s) *
	       1000000;
}

ENCODER_INLINE void put_time_s(struct encoder *e, enum event_field field, int64_t s)
{
	put_time(e, field, encoder_us(s));
}
