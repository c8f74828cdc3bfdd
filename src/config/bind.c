#include "config/bind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/err.h"
#include "config/binder.h"
#include "config/options.h"
#include "config/quote.h"

#define LABEL_NAME_MAX 64
#define LABEL_VALUE_MAX 256
#define OPTIONS_MAX 256

static void bind_group(struct binder *b, const char *group, char *base, const struct yaml_node *map,
                       struct mark at);
static void bind_option(struct binder *b, const struct config_option *o, char *base,
                        const struct yaml_node *node);

/* A list with a fitting number of elements. */
static bool is_list(struct binder *b, const struct config_option *o, const struct yaml_node *node)
{
	if (node->kind == YAML_BAD) {
		return false;
	}
	if (node->kind != YAML_LIST) {
		binder_complain(b, node->at, "%s: expected a list", option_name(o));
		return false;
	}
	if (node->count < (size_t)o->min) {
		binder_complain(b, node->at, "%s is an empty list", option_name(o));
		return false;
	}
	if (node->count > (size_t)o->max) {
		binder_complain(b, node->at, "%s has more than %lld elements", option_name(o),
		                (long long)o->max);
		return false;
	}
	return true;
}

static void bind_texts(struct binder *b, const struct config_option *o, char *base,
                       const struct yaml_node *node)
{
	struct config_texts *texts = (struct config_texts *)(base + o->offset);
	texts->at = node->at;
	if (!is_list(b, o, node) || node->count == 0) {
		return;
	}
	texts->items = calloc(node->count, sizeof(texts->items[0]));
	if (texts->items == NULL) {
		b->nomem = true;
		return;
	}
	for (const struct yaml_node *item = node->first; item != NULL; item = item->next) {
		char *text = binder_text(b, o, item);
		if (text != NULL) {
			texts->items[texts->count++] = (struct config_text){text, item->at};
		}
	}
}

/* Dots would make a tree of labels.NAME in what reads the events. */
static bool is_label_name(const char *name)
{
	size_t len = strlen(name);
	return len > 0 && len <= LABEL_NAME_MAX &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
	               len;
}

static bool is_label(struct binder *b, const struct config_option *o, const struct yaml_node *node)
{
	char shown[QUOTE_MAX];
	quote(shown, node->key);
	if (!is_label_name(node->key)) {
		binder_complain(b, node->key_at,
		                "%s: the name %s is not 1 to %d letters, digits, _ or -",
		                option_name(o), shown, LABEL_NAME_MAX);
		return false;
	}
	if (node->kind != YAML_SCALAR || yaml_is_null(node) || node->text[0] == '\0' ||
	    strlen(node->text) > LABEL_VALUE_MAX) {
		if (node->kind != YAML_BAD) {
			binder_complain(b, node->at,
			                "%s: the value of %s is not a text of 1 to %d bytes",
			                option_name(o), shown, LABEL_VALUE_MAX);
		}
		return false;
	}
	return true;
}

/* A map whose keys are names, not too many. */
static bool is_named(struct binder *b, const struct config_option *o, const struct yaml_node *node)
{
	if (node->kind == YAML_BAD) {
		return false;
	}
	if (node->kind != YAML_MAP) {
		binder_complain(b, node->at, "%s: expected a map of names and values",
		                option_name(o));
		return false;
	}
	if (node->count > (size_t)o->max) {
		binder_complain(b, node->at, "%s has more than %lld names", option_name(o),
		                (long long)o->max);
		return false;
	}
	return true;
}

static void bind_labels(struct binder *b, const struct config_option *o, char *base,
                        const struct yaml_node *node)
{
	struct config_labels *labels = (struct config_labels *)(base + o->offset);
	if (!is_named(b, o, node)) {
		return;
	}
	labels->items = calloc(node->count + 1, sizeof(labels->items[0]));
	if (labels->items == NULL) {
		b->nomem = true;
		return;
	}
	for (const struct yaml_node *item = node->first; item != NULL; item = item->next) {
		if (!is_label(b, o, item)) {
			continue;
		}
		struct config_label *label = &labels->items[labels->count++];
		label->name = (struct config_text){strdup(item->key), item->key_at};
		label->value = (struct config_text){strdup(item->text), item->at};
		if (label->name.text == NULL || label->value.text == NULL) {
			b->nomem = true;
		}
	}
}

/* An element that is no map may be the value of the first option of its group. */
static void bind_element(struct binder *b, const struct config_option *o, char *element,
                         const struct yaml_node *node)
{
	char group[OPTION_GROUP_MAX];
	option_group(group, o);
	binder_mark(element, o->element_mark, node->at);
	if (node->kind == YAML_MAP) {
		bind_group(b, group, element, node, node->at);
		return;
	}
	if (node->kind == YAML_BAD) {
		return;
	}
	if (!o->brief || node->kind != YAML_SCALAR) {
		binder_complain(b, node->at, "%s: expected a map%s", option_name(o),
		                o->brief ? " or a text" : "");
		return;
	}
	bind_option(b, option_next(group, NULL), element, node);
	/* The rest of the group takes its defaults. */
	bind_group(b, group, element, NULL, node->at);
}

static void bind_elements(struct binder *b, const struct config_option *o, char *base,
                          const struct yaml_node *node)
{
	binder_mark(base, o->mark, node->at);
	if (o->words != NULL) {
		bool found;
		int index =
			binder_word(o->words, node->kind == YAML_SCALAR ? node->text : "", &found);
		if (node->kind == YAML_SCALAR && !found) {
			char words[160], shown[QUOTE_MAX];
			binder_complain(b, node->at, "%s: %s is not %s or a list", option_name(o),
			                quote(shown, node->text),
			                binder_words(words, sizeof(words), o->words));
			return;
		}
		*(unsigned *)(base + o->choice - 1) = (unsigned)index;
		if (found) {
			return;
		}
	}
	if (!is_list(b, o, node)) {
		return;
	}
	char *elements = calloc(node->count, o->element_size);
	if (elements == NULL) {
		b->nomem = true;
		return;
	}
	*(void **)(base + o->offset) = elements;
	*(size_t *)(base + o->count - 1) = node->count;
	for (const struct yaml_node *item = node->first; item != NULL; item = item->next) {
		bind_element(b, o, elements, item);
		elements += o->element_size;
	}
}

/* Each name of the map is an element: the name goes into the first option, and what is no map into the second. */
static void bind_members(struct binder *b, const struct config_option *o, char *base,
                         const struct yaml_node *node)
{
	char group[OPTION_GROUP_MAX];
	if (!is_named(b, o, node)) {
		return;
	}
	char *elements = calloc(node->count + 1, o->element_size);
	if (elements == NULL) {
		b->nomem = true;
		return;
	}
	*(void **)(base + o->offset) = elements;
	*(size_t *)(base + o->count - 1) = node->count;
	option_group(group, o);
	const struct config_option *key = option_next(group, NULL);
	const struct config_option *value = option_next(group, key);
	bool may_be_map = option_next(group, value) != NULL;
	for (const struct yaml_node *item = node->first; item != NULL; item = item->next) {
		struct yaml_node name = {.kind = YAML_SCALAR, .text = item->key, .at = item->key_at};
		bind_option(b, key, elements, &name);
		if (item->kind == YAML_MAP && may_be_map) {
			bind_group(b, group, elements, item, item->at);
		} else if (item->kind != YAML_BAD) {
			bind_option(b, value, elements, item);
			bind_group(b, group, elements, NULL, item->at);
		}
		elements += o->element_size;
	}
}

static void bind_object(struct binder *b, const struct config_option *o, char *base,
                        const struct yaml_node *node)
{
	if (node->kind == YAML_BAD) {
		return;
	}
	if (node->kind != YAML_MAP) {
		binder_complain(b, node->at, "%s: expected a map%s", option_name(o),
		                yaml_is_null(node) ? "; leave it out or give it one" : "");
		return;
	}
	char group[OPTION_GROUP_MAX];
	binder_mark(base, o->mark, node->at);
	bind_group(b, option_group(group, o), base, node, node->at);
}

static void bind_option(struct binder *b, const struct config_option *o, char *base,
                        const struct yaml_node *node)
{
	switch (o->kind) {
	case OPTION_TEXT:
		scalar_text(b, o, base, node);
		return;
	case OPTION_TEXTS:
		bind_texts(b, o, base, node);
		return;
	case OPTION_BOOL:
		scalar_bool(b, o, base, node);
		return;
	case OPTION_COUNT:
	case OPTION_SIZE:
	case OPTION_DURATION:
	case OPTION_DATE:
	case OPTION_MODE:
		scalar_number(b, o, base, node);
		return;
	case OPTION_CHOICE:
		scalar_choice(b, o, base, node);
		return;
	case OPTION_LABELS:
		bind_labels(b, o, base, node);
		return;
	case OPTION_OBJECT:
		bind_object(b, o, base, node);
		return;
	case OPTION_ELEMENTS:
		bind_elements(b, o, base, node);
		return;
	case OPTION_MEMBERS:
		bind_members(b, o, base, node);
		return;
	case OPTION_RANGE:
		scalar_range(b, o, base, node);
		return;
	}
}

/* The default, bound as if it stood in the file at no place. */
static void bind_preset(struct binder *b, const struct config_option *o, char *base)
{
	char group[OPTION_GROUP_MAX];
	if (o->kind == OPTION_OBJECT) {
		if (!o->optional) {
			bind_group(b, option_group(group, o), base, NULL, (struct mark){0});
		}
		return;
	}
	/* Members of a zeroed struct are empty already. */
	if (o->preset == NULL || strcmp(o->preset, "[]") == 0 || strcmp(o->preset, "{}") == 0) {
		return;
	}
	char text[32];
	BUG_IF(strlen(o->preset) >= sizeof(text));
	strcpy(text, o->preset);
	struct yaml_node node = {.kind = YAML_SCALAR, .plain = true, .text = text};
	bind_option(b, o, base, &node);
}

static void refuse_unknown(struct binder *b, const char *group, const struct yaml_node *node)
{
	char shown[QUOTE_MAX];
	quote(shown, node->key);
	const struct config_option *near = option_nearest(group, node->key);
	if (near != NULL) {
		binder_complain(b, node->key_at, "unknown option %s: did you mean %s?", shown,
		                option_name(near));
		return;
	}
	const struct config_option *elsewhere = option_elsewhere(node->key);
	if (elsewhere != NULL) {
		bool at_top = strcmp(elsewhere->path, option_name(elsewhere)) == 0;
		binder_complain(b, node->key_at, "unknown option %s here: %s%s", shown,
		                at_top ? "it stands at the top level of the file" : "there is ",
		                at_top ? "" : elsewhere->path);
		return;
	}
	char known[512] = "";
	size_t n = 0;
	const struct config_option *o = NULL;
	while ((o = option_next(group, o)) != NULL && n < sizeof(known)) {
		if (o->key) {
			continue;
		}
		n += (size_t)snprintf(known + n, sizeof(known) - n, "%s%s", n == 0 ? "" : ", ",
		                      option_name(o));
	}
	binder_complain(b, node->key_at, "unknown option %s: known are %s", shown, known);
}

/* Whether the map says mode: tcp. */
static bool is_tcp(const struct yaml_node *map)
{
	for (const struct yaml_node *node = map->first; node != NULL; node = node->next) {
		if (node->key != NULL && strcmp(node->key, "mode") == 0) {
			return node->kind == YAML_SCALAR && strcmp(node->text, "tcp") == 0;
		}
	}
	return false;
}

/* A group without a map takes its defaults; what it lacks was complained of by whoever has no map. */
static void bind_group(struct binder *b, const char *group, char *base, const struct yaml_node *map,
                       struct mark at)
{
	bool seen[OPTIONS_MAX] = {false};
	BUG_IF(option_count() > OPTIONS_MAX);
	const struct config_option *table = option_at(0);

	for (const struct yaml_node *node = map == NULL ? NULL : map->first; node != NULL;
	     node = node->next) {
		const struct config_option *o = option_find(group, node->key);
		if (o == NULL) {
			refuse_unknown(b, group, node);
			continue;
		}
		/* A key that is given twice was complained of by yaml.c. */
		if (seen[o - table] || (o->nullable && yaml_is_null(node))) {
			continue;
		}
		seen[o - table] = true;
		/* Whoever writes it believes that somebody looks inside the connection. */
		if (o->http && is_tcp(map)) {
			binder_complain(b, node->key_at,
			                "%s needs mode: http, and this is mode: tcp",
			                option_name(o));
			continue;
		}
		bind_option(b, o, base, node);
	}
	const struct config_option *o = NULL;
	while ((o = option_next(group, o)) != NULL) {
		if (seen[o - table] || o->key) {
			continue;
		}
		if (o->required) {
			if (map != NULL) {
				binder_complain(b, at, "%s is missing", o->path);
			}
			continue;
		}
		bind_preset(b, o, base);
	}
}

int bind_tree(struct config *config, const char *file, const char *folder,
              const struct yaml_node *root, struct diag *diag)
{
	struct binder b = {.file = file, .folder = folder, .diag = diag};
	if (root->kind != YAML_MAP) {
		if (root->kind != YAML_BAD) {
			binder_complain(&b, root->at, "a configuration is a map of options");
		}
		return E_OK;
	}
	bind_group(&b, "", (char *)config, root, root->at);
	return b.nomem ? E_NOMEM : E_OK;
}
