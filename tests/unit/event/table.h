/* Holds an entry to fields.def: known names only, in the order of the table, of the right type,
 * allowed for the action, and none missing that the action always has. */
#pragma once

#include "fixture.h"

struct table_walk {
	unsigned action; /* its bit */
	int last;        /* the row before */
	bool seen[FIELD_COUNT];
	char path[256];
	unsigned faults;
};

static inline void table_fault(struct table_walk *walk, const char *what)
{
	fprintf(stderr, "%s: %s\n", walk->path, what);
	walk->faults++;
}

static inline bool table_is_string(json_t *value, bool uncut)
{
	/* Not more than 1,024 encoded bytes are not more than 1,024 decoded ones either, for all
	 * that the encoder escapes. */
	return json_is_string(value) && json_string_length(value) > 0 &&
	       (uncut || json_string_length(value) <= 1024);
}

static inline bool table_is_ip(json_t *value)
{
	return table_is_string(value, false) &&
	       strspn(json_string_value(value), "0123456789abcdef:.") == json_string_length(value);
}

static inline bool table_is_time(json_t *value)
{
	return table_is_string(value, false) && json_string_length(value) == 27 &&
	       json_string_value(value)[26] == 'Z';
}

static inline void table_object(struct table_walk *walk, json_t *object);

static inline void table_array(struct table_walk *walk, const struct field_row *row, json_t *array)
{
	size_t i;
	json_t *value;
	bool uncut = (row->flags & FIELD_UNCUT) != 0;
	if (json_array_size(array) == 0 || (!uncut && json_array_size(array) > 32)) {
		table_fault(walk, "wrong number of elements");
	}
	json_array_foreach(array, i, value)
	{
		if (row->type == FIELD_TYPE_OS) {
			int row_itself = walk->last;
			table_object(walk, value);
			walk->last = row_itself;
			for (int sub = row_itself + 1; sub < FIELD_COUNT; sub++) {
				const struct field_row *member = field_row((enum event_field)sub);
				size_t len = strlen(row->path);
				if (strncmp(member->path, row->path, len) == 0 &&
				    member->path[len] == '.' && member->required != 0 &&
				    json_object_get(value, member->name) == NULL) {
					table_fault(walk, "an element without what it always has");
				}
			}
		} else if (row->type == FIELD_TYPE_IPS ? !table_is_ip(value)
		                                       : !table_is_string(value, uncut)) {
			table_fault(walk, "wrong element");
		}
	}
	/* What follows stands behind all the rows of the elements. */
	while (row->type == FIELD_TYPE_OS && walk->last + 1 < FIELD_COUNT &&
	       strncmp(field_row((enum event_field)(walk->last + 1))->path, row->path,
	               strlen(row->path)) == 0) {
		walk->last++;
	}
}

static inline void table_value(struct table_walk *walk, enum event_field field, json_t *value)
{
	const struct field_row *row = field_row(field);
	bool good = true;
	if ((int)field <= walk->last) {
		table_fault(walk, "not in the order of the table");
	}
	if ((row->actions & walk->action) == 0 || (row->flags & FIELD_RESERVED) != 0) {
		table_fault(walk, "not for this action");
	}
	walk->last = (int)field;
	walk->seen[field] = true;
	switch (row->type) {
	case FIELD_TYPE_K:
		good = table_is_string(value, (row->flags & FIELD_UNCUT) != 0);
		break;
	case FIELD_TYPE_N:
		good = json_is_integer(value);
		break;
	case FIELD_TYPE_B:
		good = json_is_boolean(value);
		break;
	case FIELD_TYPE_T:
		good = table_is_time(value);
		break;
	case FIELD_TYPE_IP:
		good = table_is_ip(value);
		break;
	case FIELD_TYPE_MAP:
		good = json_is_object(value) && json_object_size(value) > 0;
		break;
	case FIELD_TYPE_KS:
	case FIELD_TYPE_IPS:
	case FIELD_TYPE_OS:
		good = json_is_array(value);
		if (good) {
			table_array(walk, row, value);
		}
		break;
	}
	if (!good) {
		table_fault(walk, "wrong type");
	}
}

static inline void table_object(struct table_walk *walk, json_t *object)
{
	const char *name;
	json_t *value;
	size_t len = strlen(walk->path);
	if (!json_is_object(object) || json_object_size(object) == 0) {
		table_fault(walk, "no object, or an empty one");
		return;
	}
	json_object_foreach(object, name, value)
	{
		snprintf(walk->path + len, sizeof(walk->path) - len, "%s%s", len > 0 ? "." : "",
		         name);
		enum event_field field = field_by_path(slice_text(walk->path));
		if (field != FIELD_COUNT) {
			table_value(walk, field, value);
		} else if (json_is_object(value)) {
			table_object(walk, value);
		} else {
			table_fault(walk, "no row of the table");
		}
		walk->path[len] = '\0';
	}
}

/* Borrows `entry`. */
static inline void table_check(json_t *entry)
{
	struct table_walk walk = {.last = -1};
	enum event_action action = action_by_name(fixture_string(entry, "event.action"));
	CU_ASSERT_FATAL(action < ACTION_BUILT_COUNT);
	walk.action = 1u << action;
	table_object(&walk, entry);
	for (int i = 0; i < FIELD_COUNT; i++) {
		const struct field_row *row = field_row((enum event_field)i);
		/* Rows of elements are required in each element only. */
		bool in_elements = i > 0 && strstr(row->path, "findings.") != NULL;
		in_elements = in_elements || strstr(row->path, "path.") != NULL ||
		              strstr(row->path, "files.") != NULL;
		if ((row->required & walk.action) != 0 && !walk.seen[i] && !in_elements) {
			snprintf(walk.path, sizeof(walk.path), "%s", row->path);
			table_fault(&walk, "missing");
		}
	}
	CU_ASSERT_EQUAL(walk.faults, 0);
}
