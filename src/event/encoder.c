#include "event/encoder.h"

#include "base/err.h"

void encoder_begin(struct encoder *e, struct buf *out, const struct event_source *from)
{
	*e = (struct encoder){.from = from};
	json_begin(&e->json, out, EVENT_BODY_MAX);
}

int encoder_finish(struct encoder *e)
{
	/* The object around everything: its opening brace is part of EVENT_HEAD. */
	struct json_mark whole = {0};
	json_close(&e->json, whole, '}');
	return json_finish(&e->json);
}

static bool has_bit(const uint64_t *bits, int field)
{
	return (bits[field / 64] >> field % 64 & 1) != 0;
}

/* Leaves out arrays below `parent`, last first, while `excess` bytes are too many. */
static size_t drop_below(struct encoder *e, const char *parent, size_t excess)
{
	for (int i = FIELD_COUNT - 1; i >= 0 && excess > 0; i--) {
		const struct field_row *row = field_row((enum event_field)i);
		if (!field_is_array(row->type) || e->array_bytes[i] == 0 ||
		    i == FIELD_TLSCRIBE_TRUNCATED ||
		    strncmp(row->path, parent, strlen(parent)) != 0) {
			continue;
		}
		/* Its name comes in return, with quotes and comma, if it was not there as a cut
		 * already. */
		size_t name = has_bit(e->cut, i) ? 0 : strlen(row->path) + 3;
		size_t gain = e->array_bytes[i] > name ? e->array_bytes[i] - name : 0;
		e->drop[i / 64] |= 1ULL << i % 64;
		excess = gain < excess ? excess - gain : 0;
	}
	return excess;
}

bool encoder_plan(struct encoder *e)
{
	struct json *j = &e->json;
	if (j->lost == 0 || j->out->err != E_OK) {
		return false;
	}
	size_t excess = json_total(j) - j->limit;
	uint64_t any_cut = 0;
	for (int word = 0; word < ENCODER_WORDS; word++) {
		any_cut |= e->cut[word];
	}
	if (any_cut == 0) {
		excess += sizeof("\"truncated\":[]") - 1; /* tlscribe.truncated is still to come */
	}
	excess = drop_below(e, "tlscribe.", excess);
	/* Only one of them is there. */
	excess = drop_below(e, "tls.client.x509.", excess);
	drop_below(e, "tls.server.x509.", excess);

	memset(e->cut, 0, sizeof(e->cut));
	memset(e->array_bytes, 0, sizeof(e->array_bytes));
	json_begin(j, j->out, EVENT_BODY_MAX);
	return true;
}

void put_observer(struct encoder *e, struct slice labels)
{
	struct json_mark ecs = open_object(e, "ecs");
	put_literal(e, FIELD_ECS_VERSION, FIELDS_ECS_VERSION);
	close_object(e, ecs);
	if (labels.len > 0) {
		put_raw(e, FIELD_LABELS, labels.data, labels.len);
		json_raw(&e->json, ",", 1);
	}
	struct json_mark observer = open_object(e, "observer");
	put_string(e, FIELD_OBSERVER_NAME, e->from->node);
	put_literal(e, FIELD_OBSERVER_PRODUCT, "tlscribe");
	put_literal(e, FIELD_OBSERVER_VERSION, PACKAGE_VERSION);
	put_literal(e, FIELD_OBSERVER_TYPE, "proxy");
	close_object(e, observer);
}

void put_log(struct encoder *e)
{
	put_literal(e, FIELD_TLSCRIBE_SCHEMA, FIELDS_VERSION);
	put_string(e, FIELD_TLSCRIBE_LOG, e->from->log);
	put_string(e, FIELD_TLSCRIBE_BOOT, e->from->boot);
}

void put_truncated(struct encoder *e)
{
	struct json_mark mark =
		json_open(&e->json, "\"truncated\":[", sizeof("\"truncated\":[") - 1);
	for (int word = 0; word < ENCODER_WORDS; word++) {
		for (uint64_t bits = e->cut[word]; bits != 0; bits &= bits - 1) {
			const struct field_row *row =
				field_row((enum event_field)(word * 64 + __builtin_ctzll(bits)));
			json_text(&e->json, slice_text(row->path));
		}
	}
	json_close(&e->json, mark, ']');
}

bool open_array(struct encoder *e, enum event_field field, struct json_mark *mark)
{
	if (has_bit(e->drop, (int)field)) {
		encoder_note_cut(e, field);
		return false;
	}
	*mark = json_open(&e->json, encoder_keys[field].data, encoder_keys[field].len);
	json_raw(&e->json, "[", 1);
	return true;
}

void close_array(struct encoder *e, enum event_field field, struct json_mark mark)
{
	json_close(&e->json, mark, ']');
	e->array_bytes[field] = (uint32_t)(json_total(&e->json) - mark.total);
}

bool put_element(struct encoder *e, enum event_field field, struct slice value, unsigned *count)
{
	if (value.len == 0) {
		return false;
	}
	if (*count == ENCODER_ARRAY_MAX) {
		encoder_note_cut(e, field);
		return false;
	}
	(*count)++;
	if (json_text(&e->json, value)) {
		encoder_note_cut(e, field);
	}
	return true;
}

void put_texts(struct encoder *e, enum event_field field, const struct slice *texts, size_t count)
{
	struct json_mark mark;
	if (count == 0 || !open_array(e, field, &mark)) {
		return;
	}
	unsigned put = 0;
	for (size_t i = 0; i < count; i++) {
		if (!put_element(e, field, texts[i], &put) && put == ENCODER_ARRAY_MAX &&
		    texts[i].len > 0) {
			break;
		}
	}
	close_array(e, field, mark);
}
