#include "config/options.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "config/config.h"

#define MEMBER_SIZE(owner, member) sizeof(((owner *)0)->member)
#define OPTION(path_, kind_, owner, member, ...) \
	{.path = path_, \
	 .kind = OPTION_##kind_, \
	 .offset = offsetof(owner, member), \
	 .size = MEMBER_SIZE(owner, member), \
	 __VA_ARGS__},
#define OBJECT(path_, ...) {.path = path_, .kind = OPTION_OBJECT, __VA_ARGS__},
#define ELEMENTS(path_, owner, list, count_, element, ...) \
	{.path = path_, \
	 .kind = OPTION_ELEMENTS, \
	 .offset = offsetof(owner, list), \
	 .count = OPTION_AT(owner, count_), \
	 .element_size = sizeof(element), \
	 __VA_ARGS__},
#define MEMBERS(path_, owner, list, count_, element, ...) \
	{.path = path_, \
	 .kind = OPTION_MEMBERS, \
	 .offset = offsetof(owner, list), \
	 .count = OPTION_AT(owner, count_), \
	 .element_size = sizeof(element), \
	 __VA_ARGS__},

static const struct config_option options[] = {
#include "config/options.def"
};
#define COUNT (sizeof(options) / sizeof(options[0]))

/* Where the last key of a path begins. */
static const char *last_key(const char *path)
{
	const char *dot = strrchr(path, '.');
	return dot == NULL ? path : dot + 1;
}

size_t option_count(void)
{
	return COUNT;
}

const struct config_option *option_at(size_t i)
{
	BUG_IF(i >= COUNT);
	return &options[i];
}

const char *option_name(const struct config_option *option)
{
	return last_key(option->path);
}

static bool is_in_group(const struct config_option *option, const char *group)
{
	size_t len = (size_t)(last_key(option->path) - option->path);
	if (len == 0) {
		return group[0] == '\0';
	}
	return strlen(group) == len - 1 && memcmp(group, option->path, len - 1) == 0;
}

const struct config_option *option_next(const char *group, const struct config_option *after)
{
	for (size_t i = after == NULL ? 0 : (size_t)(after - options) + 1; i < COUNT; i++) {
		if (is_in_group(&options[i], group)) {
			return &options[i];
		}
	}
	return NULL;
}

const struct config_option *option_find(const char *group, const char *name)
{
	const struct config_option *option = NULL;
	while ((option = option_next(group, option)) != NULL) {
		if (!option->key && strcmp(option_name(option), name) == 0) {
			return option;
		}
	}
	return NULL;
}

unsigned option_distance(const char *a, const char *b)
{
	enum { MAX = 64 };
	size_t a_len = strlen(a), b_len = strlen(b);
	if (a_len > MAX || b_len > MAX) {
		return UINT_MAX;
	}
	/* Levenshtein's, one row at a time: row[j] is the distance of a's first i letters to b's first j. */
	unsigned row[MAX + 1];
	for (size_t j = 0; j <= b_len; j++) {
		row[j] = (unsigned)j;
	}
	for (size_t i = 1; i <= a_len; i++) {
		unsigned diagonal = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned changed = diagonal + (a[i - 1] != b[j - 1]);
			unsigned shorter = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
			diagonal = row[j];
			row[j] = changed < shorter ? changed : shorter;
		}
	}
	return row[b_len];
}

const struct config_option *option_nearest(const char *group, const char *name)
{
	const struct config_option *nearest = NULL;
	/* Half of the letters wrong is no typing error any more. */
	unsigned best = (unsigned)(strlen(name) / 2) + 1;
	const struct config_option *option = NULL;
	while ((option = option_next(group, option)) != NULL) {
		unsigned distance = option_distance(name, option_name(option));
		if (!option->key && distance < best) {
			best = distance;
			nearest = option;
		}
	}
	return nearest;
}

const struct config_option *option_elsewhere(const char *name)
{
	for (size_t i = 0; i < COUNT; i++) {
		if (!options[i].key && strcmp(option_name(&options[i]), name) == 0) {
			return &options[i];
		}
	}
	return NULL;
}

bool option_is_map(const struct config_option *option)
{
	return option->kind == OPTION_OBJECT || option->kind == OPTION_ELEMENTS ||
	       option->kind == OPTION_MEMBERS;
}

const char *option_group(char out[static OPTION_GROUP_MAX], const struct config_option *option)
{
	const char *each = option->kind == OPTION_ELEMENTS  ? "[]"
	                   : option->kind == OPTION_MEMBERS ? "{}"
	                                                    : "";
	int n = snprintf(out, OPTION_GROUP_MAX, "%s%s", option->path, each);
	BUG_IF(n < 0 || n >= OPTION_GROUP_MAX);
	return out;
}
