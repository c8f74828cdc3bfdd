#include "event/lookup.h"

#include <string.h>

bool lookup_take(struct lookup *r, uint8_t c)
{
	if (r->at < r->text.len && r->text.data[r->at] == c) {
		r->at++;
		return true;
	}
	return false;
}

bool lookup_string(struct lookup *r, struct slice *out)
{
	if (!lookup_take(r, '"')) {
		return false;
	}
	size_t start = r->at;
	while (r->at < r->text.len && r->text.data[r->at] != '"') {
		r->at += r->text.data[r->at] == '\\' ? 2 : 1;
	}
	if (r->at >= r->text.len) {
		return false;
	}
	*out = slice_of(r->text.data + start, r->at - start);
	r->at++;
	return true;
}

/* Any value, brackets and braces counted. *out is all of it. */
static bool read_value(struct lookup *r, struct slice *out)
{
	size_t start = r->at;
	unsigned depth = 0;
	do {
		struct slice ignored;
		if (r->at >= r->text.len) {
			return false;
		}
		uint8_t c = r->text.data[r->at];
		if (c == '"') {
			if (!lookup_string(r, &ignored)) {
				return false;
			}
		} else if (c == '{' || c == '[') {
			depth++;
			r->at++;
		} else if (c == '}' || c == ']') {
			if (depth == 0) {
				return false;
			}
			depth--;
			r->at++;
		} else if (depth > 0) {
			r->at++;
		} else {
			while (r->at < r->text.len && r->text.data[r->at] != ',' &&
			       r->text.data[r->at] != '}' && r->text.data[r->at] != ']') {
				r->at++;
			}
		}
	} while (depth > 0);
	*out = slice_of(r->text.data + start, r->at - start);
	return out->len > 0;
}

/* Among the members from here to the closing brace, which is passed when the name is not there. */
static bool find_member(struct lookup *r, struct slice name, struct slice *value)
{
	do {
		struct slice key;
		if (!lookup_string(r, &key) || !lookup_take(r, ':') || !read_value(r, value)) {
			r->at = r->text.len;
			return false;
		}
		if (slice_equal(key, name)) {
			return true;
		}
	} while (lookup_take(r, ','));
	lookup_take(r, '}');
	return false;
}

/* The next name of a path with dots. */
static struct slice next_name(const char **path)
{
	const char *end = strchr(*path, '.');
	size_t len = end == NULL ? strlen(*path) : (size_t)(end - *path);
	struct slice name = slice_of(*path, len);
	*path += end == NULL ? len : len + 1;
	return name;
}

bool lookup_value(struct slice body, const char *path, struct slice *value)
{
	struct lookup r = {body, 0};
	struct slice name = next_name(&path);
	if (!slice_equal(name, SLICE("event"))) {
		struct slice ignored;
		/* No member has the empty name: all of the object is passed. */
		find_member(&r, slice_of(NULL, 0), &ignored);
		if (!lookup_take(&r, ',') || !find_member(&r, name, value)) {
			return false;
		}
		if (*path == '\0') {
			return true;
		}
		r = (struct lookup){*value, 0};
		if (!lookup_take(&r, '{')) {
			return false;
		}
	}
	while (*path != '\0') {
		if (!find_member(&r, next_name(&path), value)) {
			return false;
		}
		r = (struct lookup){*value, 0};
		if (*path != '\0' && !lookup_take(&r, '{')) {
			return false;
		}
	}
	return true;
}

bool lookup_is_cut(struct slice body, const char *path)
{
	struct slice value;
	if (!lookup_value(body, "tlscribe.truncated", &value)) {
		return false;
	}
	struct lookup r = {value, 0};
	struct slice name;
	if (!lookup_take(&r, '[')) {
		return true;
	}
	do {
		if (!lookup_string(&r, &name)) {
			return true;
		}
		if (slice_equal(name, slice_text(path))) {
			return true;
		}
	} while (lookup_take(&r, ','));
	return false;
}
