#include "config/reference.h"

#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "config/options.h"
#include "config/quote.h"

static void write_group(struct buf *out, const char *group, unsigned depth);

static void indent(struct buf *out, unsigned depth)
{
	buf_append_byte(out, '\n');
	while (depth-- > 0) {
		buf_append_text(out, "  ");
	}
}

/* "key": on a line of its own, behind a comma unless it is the first member. */
static void member(struct buf *out, unsigned depth, const char *key)
{
	if (out->len > 0 && out->data[out->len - 1] != '{') {
		buf_append_byte(out, ',');
	}
	indent(out, depth);
	quote_json(out, key);
	buf_append_text(out, ": ");
}

static void member_text(struct buf *out, unsigned depth, const char *key, const char *text)
{
	member(out, depth, key);
	quote_json(out, text);
}

static void member_number(struct buf *out, unsigned depth, const char *key, int64_t n)
{
	member(out, depth, key);
	buf_append_i64(out, n);
}

static void member_words(struct buf *out, unsigned depth, const char *words)
{
	member(out, depth, "enum");
	buf_append_byte(out, '[');
	for (const char *p = words;; p++) {
		size_t n = strcspn(p, "|");
		buf_printf(out, "\"%.*s\"", (int)n, p);
		p += n;
		if (*p == '\0') {
			break;
		}
		buf_append_text(out, ", ");
	}
	buf_append_byte(out, ']');
}

/* A text of the option's format or words. */
static void write_text_type(struct buf *out, const struct config_option *o, unsigned depth)
{
	if (o->words != NULL) {
		member_words(out, depth, o->words);
		return;
	}
	member(out, depth, "type");
	buf_append_text(out, o->numeric    ? "[\"string\", \"integer\"]"
	                     : o->nullable ? "[\"string\", \"null\"]"
	                                   : "\"string\"");
	const char *pattern = value_format_pattern(o->format);
	if (pattern != NULL) {
		member_text(out, depth, "pattern", pattern);
	} else {
		member_number(out, depth, "minLength", 1);
	}
	if (o->kind == OPTION_TEXT && o->max > 0) {
		member_number(out, depth, "maxLength", o->max);
	}
}

static const char *number_pattern(const struct config_option *o)
{
	switch (o->kind) {
	case OPTION_SIZE:
		return VALUE_PATTERN_SIZE;
	case OPTION_DURATION:
		return VALUE_PATTERN_DURATION;
	case OPTION_DATE:
		return VALUE_PATTERN_DATE;
	case OPTION_MODE:
		return VALUE_PATTERN_MODE;
	case OPTION_RANGE:
		return VALUE_PATTERN_RANGE;
	default:
		BUG_IF(true);
	}
}

static void write_count(struct buf *out, const struct config_option *o, unsigned depth)
{
	member_text(out, depth, "type", "integer");
	member_number(out, depth, "minimum", o->min);
	member_number(out, depth, "maximum", o->max);
}

static void write_pattern(struct buf *out, const struct config_option *o, unsigned depth)
{
	member(out, depth, "type");
	buf_append_text(out, o->nullable               ? "[\"string\", \"null\"]"
	                     : o->kind == OPTION_RANGE ? "[\"string\", \"integer\"]"
	                                               : "\"string\"");
	member_text(out, depth, "pattern", number_pattern(o));
}

/* A number, or the one word that stands for a special one. */
static void write_number(struct buf *out, const struct config_option *o, unsigned depth)
{
	void (*write)(struct buf *, const struct config_option *, unsigned) =
		o->kind == OPTION_COUNT ? write_count : write_pattern;
	/* A word that is null is among the types already. */
	if (o->word == NULL || o->nullable) {
		write(out, o, depth);
		return;
	}
	member(out, depth, "anyOf");
	buf_append_text(out, "[{");
	write(out, o, depth + 1);
	indent(out, depth);
	buf_append_text(out, "}, {\"const\": ");
	quote_json(out, o->word);
	buf_append_text(out, "}]");
}

static void write_list_bounds(struct buf *out, const struct config_option *o, unsigned depth)
{
	member_text(out, depth, "type", "array");
	member_number(out, depth, "minItems", o->min);
	member_number(out, depth, "maxItems", o->max);
	member(out, depth, "items");
}

static void write_value(struct buf *out, const struct config_option *o, unsigned depth);

/* The schema of one element, in its braces: a map of the group, or just the value of its option `brief`, or either. */
static void write_element(struct buf *out, const struct config_option *o,
                          const struct config_option *brief, bool map, unsigned depth)
{
	char group[OPTION_GROUP_MAX];
	option_group(group, o);
	buf_append_text(out, brief != NULL && map ? "{\"anyOf\": [{" : "{");
	if (brief != NULL) {
		write_value(out, brief, depth + 1);
		indent(out, depth);
	}
	buf_append_text(out, brief != NULL && map ? "}, {" : "");
	if (map) {
		write_group(out, group, depth + 1);
		indent(out, depth);
	}
	buf_append_text(out, brief != NULL && map ? "}]}" : "}");
}

static void write_list(struct buf *out, const struct config_option *o, unsigned depth)
{
	char group[OPTION_GROUP_MAX];
	write_list_bounds(out, o, depth);
	write_element(out, o, o->brief ? option_next(option_group(group, o), NULL) : NULL, true,
	              depth);
}

static void write_elements(struct buf *out, const struct config_option *o, unsigned depth)
{
	if (o->words == NULL) {
		write_list(out, o, depth);
		return;
	}
	member(out, depth, "anyOf");
	buf_append_text(out, "[{");
	member_words(out, depth + 1, o->words);
	indent(out, depth);
	buf_append_text(out, "}, {");
	write_list(out, o, depth + 1);
	indent(out, depth);
	buf_append_text(out, "}]");
}

static void write_texts(struct buf *out, const struct config_option *o, unsigned depth)
{
	write_list_bounds(out, o, depth);
	buf_append_byte(out, '{');
	write_text_type(out, o, depth + 1);
	indent(out, depth);
	buf_append_byte(out, '}');
}

static void write_labels(struct buf *out, const struct config_option *o, unsigned depth)
{
	member_text(out, depth, "type", "object");
	member_number(out, depth, "maxProperties", o->max);
	member(out, depth, "propertyNames");
	buf_append_text(out, "{\"pattern\": \"^[A-Za-z0-9_-]{1,64}$\"}");
	member(out, depth, "additionalProperties");
	buf_append_text(out, "{\"type\": [\"string\", \"number\", \"boolean\"], \"minLength\": 1, "
	                     "\"maxLength\": 256}");
}

static void write_members(struct buf *out, const struct config_option *o, unsigned depth)
{
	char group[OPTION_GROUP_MAX];
	const struct config_option *key = option_next(option_group(group, o), NULL);
	const struct config_option *value = option_next(group, key);
	member_text(out, depth, "type", "object");
	member_number(out, depth, "maxProperties", o->max);
	member(out, depth, "propertyNames");
	buf_append_byte(out, '{');
	write_value(out, key, depth + 1);
	indent(out, depth);
	buf_append_byte(out, '}');
	member(out, depth, "additionalProperties");
	write_element(out, o, value, option_next(group, value) != NULL, depth);
}

static void write_default(struct buf *out, const struct config_option *o, unsigned depth)
{
	if (o->preset == NULL) {
		return;
	}
	member(out, depth, "default");
	int64_t ignored;
	if (o->kind == OPTION_BOOL || o->kind == OPTION_LABELS || o->kind == OPTION_TEXTS ||
	    o->preset[0] == '[' || o->preset[0] == '{' || strcmp(o->preset, "null") == 0 ||
	    (o->kind == OPTION_COUNT && value_count(o->preset, &ignored))) {
		buf_append_text(out, o->preset);
	} else {
		quote_json(out, o->preset);
	}
}

static void write_description(struct buf *out, const struct config_option *o, unsigned depth)
{
	char text[1024];
	snprintf(text, sizeof(text), "%s%s%s%s%s%s", o->help, o->why == NULL ? "" : " ",
	         o->why == NULL ? "" : o->why,
	         o->computed == NULL ? "" : " Default: ", o->computed == NULL ? "" : o->computed,
	         o->computed == NULL ? "" : ".");
	member_text(out, depth, "description", text);
}

/* What the value may be. */
static void write_value(struct buf *out, const struct config_option *o, unsigned depth)
{
	char group[OPTION_GROUP_MAX];
	switch (o->kind) {
	case OPTION_TEXT:
		write_text_type(out, o, depth);
		break;
	case OPTION_TEXTS:
		write_texts(out, o, depth);
		break;
	case OPTION_BOOL:
		member_text(out, depth, "type", "boolean");
		break;
	case OPTION_CHOICE:
		member_words(out, depth, o->words);
		break;
	case OPTION_LABELS:
		write_labels(out, o, depth);
		break;
	case OPTION_OBJECT:
		write_group(out, option_group(group, o), depth);
		break;
	case OPTION_ELEMENTS:
		write_elements(out, o, depth);
		break;
	case OPTION_MEMBERS:
		write_members(out, o, depth);
		break;
	case OPTION_RANGE:
		write_pattern(out, o, depth);
		break;
	default:
		write_number(out, o, depth);
	}
}

static void write_option(struct buf *out, const struct config_option *o, unsigned depth)
{
	write_description(out, o, depth);
	write_value(out, o, depth);
	write_default(out, o, depth);
}

static void write_required(struct buf *out, const char *group, unsigned depth)
{
	const struct config_option *o = NULL;
	bool first = true;
	while ((o = option_next(group, o)) != NULL) {
		if (!o->required || o->key) {
			continue;
		}
		if (first) {
			member(out, depth, "required");
		}
		buf_append_text(out, first ? "[" : ", ");
		quote_json(out, option_name(o));
		first = false;
	}
	if (!first) {
		buf_append_byte(out, ']');
	}
}

/* The members of the schema of a map; its braces belong to the caller. */
static void write_group(struct buf *out, const char *group, unsigned depth)
{
	member_text(out, depth, "type", "object");
	member(out, depth, "additionalProperties");
	buf_append_text(out, "false");
	write_required(out, group, depth);
	member(out, depth, "properties");
	buf_append_byte(out, '{');
	const struct config_option *o = NULL;
	while ((o = option_next(group, o)) != NULL) {
		if (o->key) {
			continue;
		}
		member(out, depth + 1, option_name(o));
		buf_append_byte(out, '{');
		write_option(out, o, depth + 2);
		indent(out, depth + 1);
		buf_append_byte(out, '}');
	}
	indent(out, depth);
	buf_append_byte(out, '}');
}

void config_schema_write(struct buf *out)
{
	buf_append_byte(out, '{');
	member_text(out, 1, "$schema", "https://json-schema.org/draft/2020-12/schema");
	member_text(out, 1, "title", "tlscribe configuration");
	member_text(out, 1, "description", "Generated from src/config/options.def.");
	write_group(out, "", 1);
	buf_append_text(out, "\n}\n");
}
