#include "config/yaml.h"

#include <libfyaml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "config/quote.h"
#include "config/utf8.h"

/* libfyaml talks to us in pieces: "<input>:LINE:COLUMN: error: SENTENCE", then lines of source. */
struct report {
	char text[512];
	size_t len;
};

struct builder {
	const char *file;
	struct diag *diag;
	struct fy_parser *parser;
	struct yaml_node *root;
	struct yaml_node *open[YAML_DEPTH_MAX]; /* lists and maps that are not ended yet */
	unsigned depth;
	unsigned nodes;
	unsigned documents;
	char *key; /* read, its value comes next */
	struct mark key_at;
	struct mark last; /* an empty value has no place of its own */
};

/* libfyaml would read invalid UTF-8 and NUL in its own way, so they never reach it. */
static bool check_bytes(const char *file, const char *text, size_t len, struct diag *diag)
{
	struct mark at = {1, 1};
	const unsigned char *p = (const unsigned char *)text;
	while (len > 0) {
		size_t n = utf8_length(p, len);
		if (n == 0) {
			diag_error(diag, file, at, "the byte 0x%02x is not UTF-8", *p);
			return false;
		}
		if (utf8_is_control(p, true)) {
			diag_error(diag, file, at, "the control character 0x%02x is not allowed",
			           n == 1 ? *p : p[1]);
			return false;
		}
		if (*p == '\n') {
			at.line++;
			at.column = 0;
		}
		at.column++;
		p += n;
		len -= n;
	}
	return true;
}

static void collect(struct fy_diag *fyd, void *user, const char *text, size_t len)
{
	(void)fyd;
	struct report *report = user;
	size_t room = sizeof(report->text) - 1 - report->len;
	size_t n = len < room ? len : room;
	memcpy(report->text + report->len, text, n);
	report->len += n;
	report->text[report->len] = '\0';
}

static void report_syntax(struct builder *b, struct report *report)
{
	static const char sign[] = ": error: ";
	struct mark at = b->last;
	const char *sentence = "this is not valid YAML";
	/* Warnings may stand before the error. */
	char *found = strstr(report->text, sign);
	if (found != NULL) {
		char *line = found;
		while (line > report->text && line[-1] != '\n') {
			line--;
		}
		char *place = strstr(line, ">:");
		unsigned l = 0, c = 0;
		if (place != NULL && place < found && sscanf(place, ">:%u:%u", &l, &c) == 2 &&
		    l > 0) {
			at = (struct mark){l, c};
		}
		sentence = found + sizeof(sign) - 1;
		found[sizeof(sign) - 1 + strcspn(sentence, "\n")] = '\0';
	}
	diag_error(b->diag, b->file, at, "%s", sentence);
}

static struct mark mark_of(struct builder *b, const struct fy_mark *mark)
{
	if (mark != NULL) {
		b->last = (struct mark){(unsigned)mark->line + 1, (unsigned)mark->column + 1};
	}
	return b->last;
}

/* The text of a scalar; NULL with *err set. E_INVALID: it has control characters, reported. */
static char *copy_text(struct builder *b, struct fy_token *token, struct mark at, int *err)
{
	size_t len = 0;
	const char *text = token == NULL ? "" : fy_token_get_text(token, &len);
	if (text == NULL) {
		*err = E_NOMEM;
		return NULL;
	}
	char *copy = strndup(text, len);
	if (copy == NULL) {
		*err = E_NOMEM;
		return NULL;
	}
	/* Escapes such as "\0" or "\ud800" make what the file itself could not hold. */
	bool bad = strlen(copy) != len;
	for (size_t at_byte = 0, n; at_byte < len && !bad; at_byte += n) {
		const unsigned char *p = (const unsigned char *)copy + at_byte;
		n = utf8_length(p, len - at_byte);
		bad = n == 0 || utf8_is_control(p, false);
	}
	if (bad) {
		diag_error(b->diag, b->file, at,
		           "a control character or line end is not allowed in a value");
		free(copy);
		*err = E_INVALID;
		return NULL;
	}
	*err = E_OK;
	return copy;
}

/* Hangs a new node where the text stands; takes the key that was read. NULL: *err says why. */
static struct yaml_node *add_node(struct builder *b, enum yaml_kind kind, struct mark at, int *err)
{
	if (++b->nodes > YAML_NODES_MAX) {
		diag_error(b->diag, b->file, at, "the file has more than %d values", YAML_NODES_MAX);
		*err = E_INVALID;
		return NULL;
	}
	struct yaml_node *node = calloc(1, sizeof(*node));
	if (node == NULL) {
		*err = E_NOMEM;
		return NULL;
	}
	node->kind = kind;
	node->at = at;
	node->key = b->key;
	node->key_at = b->key_at;
	b->key = NULL;
	if (b->depth == 0) {
		yaml_free(b->root);
		b->root = node;
		return node;
	}
	struct yaml_node *parent = b->open[b->depth - 1];
	if (parent->last == NULL) {
		parent->first = node;
	} else {
		parent->last->next = node;
	}
	parent->last = node;
	parent->count++;
	return node;
}

static bool wants_key(const struct builder *b)
{
	return b->depth > 0 && b->open[b->depth - 1]->kind == YAML_MAP && b->key == NULL;
}

static int take_key(struct builder *b, struct fy_token *token, struct mark at)
{
	int err;
	char *key = copy_text(b, token, at, &err);
	if (key == NULL) {
		return err;
	}
	struct yaml_node *map = b->open[b->depth - 1];
	if (map->count >= YAML_KEYS_MAX) {
		diag_error(b->diag, b->file, at, "more than %d keys in one place", YAML_KEYS_MAX);
		free(key);
		return E_INVALID;
	}
	for (const struct yaml_node *node = map->first; node != NULL; node = node->next) {
		if (strcmp(node->key, key) == 0) {
			char shown[QUOTE_MAX];
			diag_error(b->diag, b->file, at, "%s is given twice, first in line %u",
			           quote(shown, key), node->key_at.line);
			break;
		}
	}
	b->key = key;
	b->key_at = at;
	return E_OK;
}

static int take_scalar(struct builder *b, struct fy_event *event, struct mark at)
{
	if (wants_key(b)) {
		return take_key(b, event->scalar.value, at);
	}
	int err;
	struct yaml_node *node = add_node(b, YAML_SCALAR, at, &err);
	if (node == NULL) {
		return err;
	}
	node->plain = event->scalar.value == NULL ||
	              fy_token_scalar_style(event->scalar.value) == FYSS_PLAIN;
	node->text = copy_text(b, event->scalar.value, at, &err);
	if (err == E_INVALID) {
		node->kind = YAML_BAD;
		return E_OK;
	}
	return err;
}

static int take_open(struct builder *b, enum yaml_kind kind, struct mark at)
{
	if (wants_key(b)) {
		diag_error(b->diag, b->file, at, "a key has to be a plain text");
		return E_INVALID;
	}
	if (b->depth == YAML_DEPTH_MAX) {
		diag_error(b->diag, b->file, at, "nested more than %d deep", YAML_DEPTH_MAX);
		return E_INVALID;
	}
	int err;
	struct yaml_node *node = add_node(b, kind, at, &err);
	if (node == NULL) {
		return err;
	}
	b->open[b->depth++] = node;
	return E_OK;
}

static int take_alias(struct builder *b, struct mark at)
{
	diag_error(b->diag, b->file, at, "aliases (*) are not used here: write the value out");
	if (wants_key(b)) {
		return E_INVALID;
	}
	int err;
	return add_node(b, YAML_BAD, at, &err) == NULL ? err : E_OK;
}

static void refuse_properties(struct builder *b, struct fy_token *anchor, struct fy_token *tag)
{
	if (anchor != NULL) {
		diag_error(b->diag, b->file, mark_of(b, fy_token_start_mark(anchor)),
		           "anchors (&) are not used here");
	}
	if (tag != NULL) {
		diag_error(b->diag, b->file, mark_of(b, fy_token_start_mark(tag)),
		           "tags (!) are not used here");
	}
}

static int take_event(struct builder *b, struct fy_event *event)
{
	struct mark at = mark_of(b, fy_event_start_mark(event));
	if (event->type == FYET_SCALAR && event->scalar.value != NULL && at.column > 1) {
		enum fy_scalar_style style = fy_token_scalar_style(event->scalar.value);
		/* The mark is behind the opening quote; people look for the quote. */
		at.column -= style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
	}
	switch (event->type) {
	case FYET_DOCUMENT_START:
		if (++b->documents > 1) {
			diag_error(b->diag, b->file, at,
			           "a second document starts here: a configuration is one");
			return E_INVALID;
		}
		return E_OK;
	case FYET_SCALAR:
		refuse_properties(b, event->scalar.anchor, event->scalar.tag);
		return take_scalar(b, event, at);
	case FYET_ALIAS:
		return take_alias(b, at);
	case FYET_MAPPING_START:
		refuse_properties(b, event->mapping_start.anchor, event->mapping_start.tag);
		return take_open(b, YAML_MAP, at);
	case FYET_SEQUENCE_START:
		refuse_properties(b, event->sequence_start.anchor, event->sequence_start.tag);
		return take_open(b, YAML_LIST, at);
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		if (b->depth > 0) {
			b->depth--;
		}
		return E_OK;
	default:
		return E_OK;
	}
}

static int take_all(struct builder *b, struct report *report)
{
	struct fy_event *event;
	while ((event = fy_parser_parse(b->parser)) != NULL) {
		int err = take_event(b, event);
		bool end = event->type == FYET_STREAM_END;
		fy_parser_event_free(b->parser, event);
		if (err != E_OK) {
			return err;
		}
		if (end) {
			break;
		}
	}
	if (fy_parser_get_stream_error(b->parser) || strstr(report->text, ": error: ") != NULL) {
		report_syntax(b, report);
		return E_INVALID;
	}
	/* libfyaml ends without a word where "- a" is followed by "b: 1". */
	if (b->depth > 0 || b->key != NULL) {
		diag_error(b->diag, b->file, b->last, "the text ends in the middle of a value");
		return E_INVALID;
	}
	return E_OK;
}

static int start_parser(struct builder *b, struct report *report, const char *text, size_t len)
{
	struct fy_diag_cfg talk;
	fy_diag_cfg_default(&talk);
	talk.fp = NULL;
	talk.output_fn = collect;
	talk.user = report;
	talk.colorize = false;
	struct fy_diag *fyd = fy_diag_create(&talk);
	if (fyd == NULL) {
		return E_NOMEM;
	}
	b->parser = fy_parser_create(
		&(struct fy_parse_cfg){.flags = FYPCF_QUIET | FYPCF_JSON_NONE, .diag = fyd});
	fy_diag_unref(fyd);
	if (b->parser == NULL || fy_parser_set_string(b->parser, text, len) != 0) {
		return E_NOMEM;
	}
	return E_OK;
}

int yaml_parse(struct yaml_node **out, const char *file, const char *text, size_t len,
               struct diag *diag)
{
	if (len > YAML_BYTES_MAX) {
		diag_error(diag, file, (struct mark){0}, "the file is larger than %d MiB",
		           YAML_BYTES_MAX >> 20);
		return E_INVALID;
	}
	if (!check_bytes(file, text, len, diag)) {
		return E_INVALID;
	}
	struct report report = {.len = 0};
	struct builder b = {.file = file, .diag = diag, .last = {1, 1}};
	int err = start_parser(&b, &report, text, len);
	if (err == E_OK) {
		err = take_all(&b, &report);
	}
	if (err == E_OK && b.root == NULL) {
		diag_error(diag, file, (struct mark){0}, "the file is empty");
		err = E_INVALID;
	}
	fy_parser_destroy(b.parser);
	free(b.key);
	if (err != E_OK) {
		yaml_free(b.root);
		return err;
	}
	*out = b.root;
	return E_OK;
}

void yaml_free(struct yaml_node *node)
{
	/* Recursion is bounded by YAML_DEPTH_MAX; siblings, which are not, go in a loop. */
	while (node != NULL) {
		struct yaml_node *next = node->next;
		yaml_free(node->first);
		free(node->text);
		free(node->key);
		free(node);
		node = next;
	}
}

bool yaml_is_null(const struct yaml_node *node)
{
	return node->kind == YAML_SCALAR && node->plain &&
	       (node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
	        strcmp(node->text, "null") == 0);
}
