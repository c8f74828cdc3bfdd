#include "config/binder.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "config/quote.h"

#define ERRORS_MAX 100 /* more help nobody, and the list is kept sorted */

void binder_complain(struct binder *b, struct mark at, const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (b->diag->errors < ERRORS_MAX) {
		diag_error(b->diag, b->file, at, "%s", text);
	} else if (b->diag->errors == ERRORS_MAX) {
		diag_error(b->diag, b->file, at, "too many errors, the rest is left out");
	}
}

static void store(char *base, const struct config_option *o, int64_t value)
{
	switch (o->size) {
	case sizeof(uint8_t):
		*(uint8_t *)(base + o->offset) = (uint8_t)value;
		return;
	case sizeof(uint32_t):
		*(uint32_t *)(base + o->offset) = (uint32_t)value;
		return;
	case sizeof(uint64_t):
		*(uint64_t *)(base + o->offset) = (uint64_t)value;
		return;
	default:
		BUG_IF(true);
	}
}

void binder_mark(char *base, size_t where, struct mark at)
{
	if (where != 0) {
		*(struct mark *)(base + where - 1) = at;
	}
}

/* "a|b|c" as "a, b, c". */
const char *binder_words(char *out, size_t cap, const char *words)
{
	size_t n = 0;
	for (const char *p = words; *p != '\0' && n + 3 < cap; p++) {
		out[n++] = *p == '|' ? ',' : *p;
		if (*p == '|') {
			out[n++] = ' ';
		}
	}
	out[n] = '\0';
	return out;
}

/* The place of `text` in "a|b|c"; the number of words when it is none of them. */
int binder_word(const char *words, const char *text, bool *found)
{
	size_t len = strlen(text);
	int i = 0;
	*found = true;
	for (const char *p = words;; i++) {
		size_t n = strcspn(p, "|");
		if (n == len && memcmp(p, text, n) == 0) {
			return i;
		}
		if (p[n] == '\0') {
			*found = false;
			return i + 1;
		}
		p += n + 1;
	}
}

/* A scalar with a value, or a sentence why not. */
static bool is_value(struct binder *b, const struct config_option *o, const struct yaml_node *node,
                     const char *expected)
{
	if (node->kind == YAML_BAD) {
		return false;
	}
	if (node->kind != YAML_SCALAR) {
		binder_complain(b, node->at, "%s: expected %s, not a %s", option_name(o), expected,
		                node->kind == YAML_LIST ? "list" : "map");
		return false;
	}
	if (yaml_is_null(node)) {
		binder_complain(b, node->at, "%s has no value: expected %s", option_name(o),
		                expected);
		return false;
	}
	return true;
}

static bool is_word(struct binder *b, const struct config_option *o, const struct yaml_node *node,
                    int *index)
{
	char words[160], shown[QUOTE_MAX];
	binder_words(words, sizeof(words), o->words);
	if (!is_value(b, o, node, words)) {
		return false;
	}
	bool found;
	*index = binder_word(o->words, node->text, &found);
	if (!found) {
		binder_complain(b, node->at, "%s: %s is not one of: %s", option_name(o),
		                quote(shown, node->text), words);
	}
	return found;
}

/* The text in its one form, on the heap; NULL after a complaint. */
char *binder_text(struct binder *b, const struct config_option *o, const struct yaml_node *node)
{
	int ignored;
	char shown[QUOTE_MAX];
	if (o->words != NULL && !is_word(b, o, node, &ignored)) {
		return NULL;
	}
	if (!is_value(b, o, node, value_format_said(o->format))) {
		return NULL;
	}
	size_t max = o->kind == OPTION_TEXT && o->max > 0 ? (size_t)o->max : 4000;
	if (strlen(node->text) > max) {
		binder_complain(b, node->at, "%s is longer than %zu bytes", option_name(o), max);
		return NULL;
	}
	char *text = NULL;
	if (o->format == FORMAT_FILE && node->text[0] != '/' && node->text[0] != '\0') {
		if (asprintf(&text, "%s/%s", b->folder, node->text) == -1) {
			text = NULL;
		}
	} else {
		text = strdup(node->text);
	}
	if (text == NULL) {
		b->nomem = true;
		return NULL;
	}
	const char *why = o->words != NULL ? NULL : value_check(o->format, text);
	if (why != NULL) {
		binder_complain(b, node->at, "%s: %s %s", option_name(o), quote(shown, node->text),
		                why);
		free(text);
		return NULL;
	}
	return text;
}

void scalar_text(struct binder *b, const struct config_option *o, char *base,
                 const struct yaml_node *node)
{
	if (o->word != NULL && node->kind == YAML_SCALAR && strcmp(node->text, o->word) == 0) {
		return;
	}
	char *text = binder_text(b, o, node);
	*(struct config_text *)(base + o->offset) = (struct config_text){text, node->at};
}

void scalar_bool(struct binder *b, const struct config_option *o, char *base,
                 const struct yaml_node *node)
{
	char shown[QUOTE_MAX];
	if (!is_value(b, o, node, "true or false")) {
		return;
	}
	bool yes = strcmp(node->text, "true") == 0;
	if (!node->plain || (!yes && strcmp(node->text, "false") != 0)) {
		binder_complain(b, node->at, "%s: %s is not true or false%s", option_name(o),
		                quote(shown, node->text), node->plain ? "" : " without quotes");
		return;
	}
	store(base, o, yes);
	binder_mark(base, o->mark, node->at);
}

/* Whether the text is a number of this kind, in units of the member. */
static bool read_number(const struct config_option *o, const char *text, int64_t *out)
{
	switch (o->kind) {
	case OPTION_COUNT:
		return value_count(text, out);
	case OPTION_SIZE:
		return value_size(text, out);
	case OPTION_DATE:
		return value_date(text, out);
	case OPTION_MODE:
		return value_mode(text, out);
	case OPTION_DURATION: {
		int64_t ms;
		if (!value_duration(text, &ms) || ms % o->unit_ms != 0) {
			return false;
		}
		*out = ms / o->unit_ms;
		return true;
	}
	default:
		BUG_IF(true);
	}
}

static void print_bound(char out[static VALUE_TEXT_MAX], const struct config_option *o,
                        int64_t value)
{
	if (o->kind == OPTION_SIZE) {
		value_print_size(out, value);
	} else if (o->kind == OPTION_DURATION) {
		value_print_duration(out, value * o->unit_ms);
	} else {
		snprintf(out, VALUE_TEXT_MAX, o->kind == OPTION_MODE ? "%04llo" : "%lld",
		         (long long)value);
	}
}

static const char *number_said(const struct config_option *o)
{
	switch (o->kind) {
	case OPTION_SIZE:
		return "a size such as 64KiB (B, KiB, MiB, GiB)";
	case OPTION_DURATION:
		return o->unit_ms == 1 ? "a duration such as 10s (ms, s, m, h, d)"
		                       : "a duration such as 7d (s, m, h, d)";
	case OPTION_DATE:
		return "a date such as 2027-01-31 or 2027-01-31T12:00:00Z";
	case OPTION_MODE:
		return "permissions in octal such as \"0660\"";
	default:
		return "a whole number";
	}
}

void scalar_number(struct binder *b, const struct config_option *o, char *base,
                   const struct yaml_node *node)
{
	char shown[QUOTE_MAX], min[VALUE_TEXT_MAX], max[VALUE_TEXT_MAX];
	/* The word may be null, which would be no value. */
	if (o->word != NULL && node->kind == YAML_SCALAR && strcmp(node->text, o->word) == 0 &&
	    (node->plain || !o->nullable)) {
		store(base, o, o->word_value);
		return;
	}
	if (!is_value(b, o, node, number_said(o))) {
		return;
	}
	int64_t value;
	if (o->kind == OPTION_COUNT && !node->plain) {
		binder_complain(b, node->at, "%s: %s is a text: write the number without quotes",
		                option_name(o), quote(shown, node->text));
		return;
	}
	if (!read_number(o, node->text, &value)) {
		binder_complain(b, node->at, "%s: %s is not %s%s%s", option_name(o),
		                quote(shown, node->text), number_said(o),
		                o->word == NULL ? "" : " or ", o->word == NULL ? "" : o->word);
		return;
	}
	if (value < o->min || value > o->max) {
		print_bound(min, o, o->min);
		print_bound(max, o, o->max);
		binder_complain(b, node->at, "%s: %s is not from %s to %s", option_name(o),
		                quote(shown, node->text), min, max);
		return;
	}
	store(base, o, value);
	binder_mark(base, o->mark, node->at);
}

void scalar_choice(struct binder *b, const struct config_option *o, char *base,
                   const struct yaml_node *node)
{
	int index;
	if (is_word(b, o, node, &index)) {
		store(base, o, index);
		binder_mark(base, o->mark, node->at);
	}
}

void scalar_range(struct binder *b, const struct config_option *o, char *base,
                  const struct yaml_node *node)
{
	static const char expected[] = "a number, or two with a - between them";
	char shown[QUOTE_MAX];
	int64_t from, to;
	if (!is_value(b, o, node, expected)) {
		return;
	}
	if (!value_range(node->text, &from, &to)) {
		binder_complain(b, node->at, "%s: %s is not %s", option_name(o),
		                quote(shown, node->text), expected);
		return;
	}
	if (from < o->min || to > o->max || from > to) {
		binder_complain(b, node->at, "%s: %s does not lie, in this order, from %lld to %lld",
		                option_name(o), quote(shown, node->text), (long long)o->min,
		                (long long)o->max);
		return;
	}
	store(base, o, from);
	*(unsigned *)(base + o->upper - 1) = (unsigned)to;
}
