/* struct config back to text, by the same table that it was bound with. */
#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "config/bind.h"
#include "config/options.h"
#include "config/quote.h"

static void print_group(const char *group, const char *base, struct buf *out);
static void print_option(const struct config_option *o, const char *base, struct buf *out);

static int64_t load(const char *base, const struct config_option *o)
{
	switch (o->size) {
	case sizeof(uint8_t):
		return *(const uint8_t *)(base + o->offset);
	case sizeof(uint32_t):
		return *(const int32_t *)(base + o->offset);
	case sizeof(uint64_t):
		return *(const int64_t *)(base + o->offset);
	default:
		BUG_IF(true);
	}
}

static void print_number(const struct config_option *o, int64_t value, struct buf *out)
{
	char text[VALUE_TEXT_MAX];
	if (o->word != NULL && value == o->word_value) {
		if (o->nullable) {
			buf_append_text(out, o->word);
		} else {
			quote_json(out, o->word);
		}
	} else if (o->kind == OPTION_SIZE) {
		quote_json(out, value_print_size(text, value));
	} else if (o->kind == OPTION_DURATION) {
		quote_json(out, value_print_duration(text, value * o->unit_ms));
	} else if (o->kind == OPTION_DATE) {
		quote_json(out, value_print_date(text, value));
	} else if (o->kind == OPTION_MODE) {
		buf_printf(out, "\"%04llo\"", (long long)value);
	} else {
		buf_append_i64(out, value);
	}
}

static void print_word(const char *words, int64_t index, struct buf *out)
{
	while (index-- > 0) {
		words += strcspn(words, "|") + 1;
	}
	buf_printf(out, "\"%.*s\"", (int)strcspn(words, "|"), words);
}

static void print_text(const struct config_option *o, const struct config_text *text,
                       struct buf *out)
{
	quote_json(out, text->text != NULL ? text->text : o->word);
}

static void print_texts(const struct config_texts *texts, struct buf *out)
{
	buf_append_byte(out, '[');
	for (size_t i = 0; i < texts->count; i++) {
		buf_append_text(out, i == 0 ? "" : ",");
		quote_json(out, texts->items[i].text);
	}
	buf_append_byte(out, ']');
}

static void print_labels(const struct config_labels *labels, struct buf *out)
{
	buf_append_byte(out, '{');
	for (size_t i = 0; i < labels->count; i++) {
		buf_append_text(out, i == 0 ? "" : ",");
		quote_json(out, labels->items[i].name.text);
		buf_append_byte(out, ':');
		quote_json(out, labels->items[i].value.text);
	}
	buf_append_byte(out, '}');
}

static void print_elements(const struct config_option *o, const char *base, struct buf *out)
{
	size_t count = *(const size_t *)(base + o->count - 1);
	const char *elements = *(const char *const *)(base + o->offset);
	char group[OPTION_GROUP_MAX];
	if (o->words != NULL && count == 0) {
		print_word(o->words, *(const unsigned *)(base + o->choice - 1), out);
		return;
	}
	buf_append_byte(out, '[');
	for (size_t i = 0; i < count; i++) {
		buf_append_text(out, i == 0 ? "" : ",");
		print_group(option_group(group, o), elements + i * o->element_size, out);
	}
	buf_append_byte(out, ']');
}

static void print_members(const struct config_option *o, const char *base, struct buf *out)
{
	size_t count = *(const size_t *)(base + o->count - 1);
	const char *element = *(const char *const *)(base + o->offset);
	char group[OPTION_GROUP_MAX];
	option_group(group, o);
	const struct config_option *key = option_next(group, NULL);
	const struct config_option *value = option_next(group, key);
	buf_append_byte(out, '{');
	for (size_t i = 0; i < count; i++, element += o->element_size) {
		buf_append_text(out, i == 0 ? "" : ",");
		print_option(key, element, out);
		buf_append_byte(out, ':');
		if (option_next(group, value) == NULL) {
			print_option(value, element, out);
		} else {
			print_group(group, element, out);
		}
	}
	buf_append_byte(out, '}');
}

static void print_range(const struct config_option *o, const char *base, struct buf *out)
{
	int64_t from = load(base, o);
	unsigned to = *(const unsigned *)(base + o->upper - 1);
	buf_printf(out, "\"%lld", (long long)from);
	if (from != to) {
		buf_printf(out, "-%u", to);
	}
	buf_append_byte(out, '"');
}

/* Whether it says nothing: not given, and without a default. */
static bool is_absent(const struct config_option *o, const char *base)
{
	const char *member = base + o->offset;
	switch (o->kind) {
	case OPTION_TEXT:
		return ((const struct config_text *)member)->text == NULL && o->word == NULL;
	case OPTION_TEXTS:
		return o->min > 0 && ((const struct config_texts *)member)->count == 0;
	case OPTION_MODE:
		return load(base, o) == 0;
	case OPTION_OBJECT:
		return o->optional && ((const struct mark *)(base + o->mark - 1))->line == 0;
	default:
		return false;
	}
}

static void print_option(const struct config_option *o, const char *base, struct buf *out)
{
	const char *member = base + o->offset;
	char group[OPTION_GROUP_MAX];
	switch (o->kind) {
	case OPTION_TEXT:
		print_text(o, (const struct config_text *)member, out);
		return;
	case OPTION_TEXTS:
		print_texts((const struct config_texts *)member, out);
		return;
	case OPTION_BOOL:
		buf_append_text(out, load(base, o) != 0 ? "true" : "false");
		return;
	case OPTION_CHOICE:
		print_word(o->words, load(base, o), out);
		return;
	case OPTION_LABELS:
		print_labels((const struct config_labels *)member, out);
		return;
	case OPTION_OBJECT:
		print_group(option_group(group, o), base, out);
		return;
	case OPTION_ELEMENTS:
		print_elements(o, base, out);
		return;
	case OPTION_MEMBERS:
		print_members(o, base, out);
		return;
	case OPTION_RANGE:
		print_range(o, base, out);
		return;
	default:
		print_number(o, load(base, o), out);
	}
}

/* Where the options of mode http would be refused. */
static bool is_tcp(const char *group, const char *base)
{
	return load(base, option_find(group, "mode")) == MODE_TCP;
}

static void print_group(const char *group, const char *base, struct buf *out)
{
	bool first = true;
	const struct config_option *o = NULL;
	buf_append_byte(out, '{');
	while ((o = option_next(group, o)) != NULL) {
		if (o->key || is_absent(o, base) || (o->http && is_tcp(group, base))) {
			continue;
		}
		buf_append_text(out, first ? "" : ",");
		first = false;
		quote_json(out, option_name(o));
		buf_append_byte(out, ':');
		print_option(o, base, out);
	}
	buf_append_byte(out, '}');
}

void bind_print(const struct config *config, struct buf *out)
{
	print_group("", (const char *)config, out);
}
