/* Every option of the configuration, once: options.def as an array.
 *
 * The binding (bind.c), the errors, the canonical copy, the JSON Schema and the option reference are all made from it.
 *
 * A path names an option by its keys; what stands in a list has [] behind the list's name: services[].client.verify.
 * What stands in a map whose keys are names has {} behind it: services[].headers{}.value.
 * A group is the path of a map: "" for the whole file, "limits", "services[]", "services[].client".
 *
 * Thread: constant. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/value.h"

enum option_kind {
	OPTION_TEXT, /* struct config_text; `format` or `words` says what is let in; min, max: bytes */
	OPTION_TEXTS,    /* struct config_texts; the same for each; min, max: elements */
	OPTION_BOOL,     /* bool */
	OPTION_COUNT,    /* an integer member of any size; `word` stands for word_value */
	OPTION_SIZE,     /* the same, in bytes */
	OPTION_DURATION, /* the same, in units of unit_ms */
	OPTION_DATE,     /* the same, seconds since 1970 UTC */
	OPTION_CHOICE,   /* an enum whose values are the places in `words` */
	OPTION_MODE,     /* unsigned, file permissions in octal */
	OPTION_LABELS,   /* struct config_labels; max: labels */
	OPTION_OBJECT,   /* a map of options; has no member of its own */
	OPTION_ELEMENTS, /* an array of structs and its count; min, max: elements; `words`: words instead of a list */
	OPTION_MEMBERS, /* the same from a map: its key is the first option of the group, a value that is no map the second */
	OPTION_RANGE, /* two unsigned: 200-399, or one number for both; the upper one at `upper` */
};

/* A member that may be left out: 0 is none. */
#define OPTION_AT(owner, member) (1 + offsetof(owner, member))

struct config_option {
	const char *path;
	enum option_kind kind;
	size_t offset; /* of the member in the struct of the list element around it, or in struct config */
	size_t size; /* of the member; 0: has none of its own */
	size_t mark; /* OPTION_AT a struct mark for the place of the value */

	enum value_format format;
	const char *words; /* "a|b|c" */
	const char *word;  /* instead of a number; of a TEXT: says the same as leaving it out */
	int64_t word_value;
	int64_t min, max;
	unsigned unit_ms;
	bool numeric; /* a text that may well be written as a number */

	size_t upper;        /* RANGE: OPTION_AT */
	size_t count;        /* ELEMENTS, MEMBERS: OPTION_AT the count */
	size_t element_size; /* ELEMENTS, MEMBERS */
	size_t element_mark; /* ELEMENTS: OPTION_AT the element's struct mark */
	size_t choice; /* ELEMENTS with words: OPTION_AT the enum; a list sets it to the number of words */
	bool brief; /* ELEMENTS: an element may be the value of its first option alone */

	bool key;  /* is the key of its map, and no member */
	bool http; /* refused beside mode: tcp in the same map */
	bool required;
	bool optional; /* OBJECT: left out, none of it has a default, and its mark stays at line 0 */
	const char *like; /* OBJECT: the group whose options are the same; the reference tells them there */
	bool nullable; /* null says the same as leaving it out; with the word "null": is word_value */
	const char *preset;   /* the default as it would be written; NULL: none */
	const char *computed; /* the default in words, when it depends on other things (defaults.c) */
	const char *help;     /* one sentence: what it is */
	const char *why;      /* one sentence: why this default or these bounds */
};

size_t option_count(void);
const struct config_option *option_at(size_t i);
/* The last key of its path. */
const char *option_name(const struct config_option *option);
/* The options of a group in the order of the table: NULL to begin, NULL at the end. A key stands first. */
const struct config_option *option_next(const char *group, const struct config_option *after);
/* NULL: there is none. Keys cannot be found: nobody writes them. */
const struct config_option *option_find(const char *group, const char *name);
/* The option of that group whose name is nearest, if one is near; else NULL. */
const struct config_option *option_nearest(const char *group, const char *name);
/* An option of exactly that name in another group; NULL. */
const struct config_option *option_elsewhere(const char *name);
/* Whether a group is behind it: OBJECT, ELEMENTS, MEMBERS. */
bool option_is_map(const struct config_option *option);
/* The group inside an OBJECT, or of each of the ELEMENTS or MEMBERS; returns `out`. */
#define OPTION_GROUP_MAX 96
const char *option_group(char out[static OPTION_GROUP_MAX], const struct config_option *option);
/* Letters to change, add or take away to make one of the other; texts beyond 64 bytes count as far away. */
unsigned option_distance(const char *a, const char *b);
