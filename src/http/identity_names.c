#include <stdlib.h>

#include "base/bug.h"
#include "base/err.h"
#include "http/identity_private.h"

#define LONGEST 63 /* lengths from here on share a bit */

struct identity_names {
	char **items; /* folded, sorted, each once */
	size_t count;
	size_t room;
	uint64_t lengths[64]; /* by the first character: a bit for each length that occurs */
};

static uint8_t fold(uint8_t c)
{
	if (c >= 'A' && c <= 'Z') {
		return (uint8_t)(c + ('a' - 'A'));
	}
	return c == '_' ? '-' : c;
}

static size_t slot(uint8_t folded)
{
	return folded & 63;
}

static uint64_t length_bit(size_t len)
{
	return 1ULL << (len < LONGEST ? len : LONGEST);
}

/* As strcmp(), of a folded name with any. */
static int compare(const char *folded, struct slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		int difference = (uint8_t)folded[i] - fold(name.data[i]);
		/* The folded one ends with NUL, which no name of a field holds; one that does anyway equals none. */
		if (difference != 0 || folded[i] == '\0') {
			return difference != 0 ? difference : -1;
		}
	}
	return (uint8_t)folded[name.len];
}

/* Where it is, or where it would have to go. */
static size_t search(const struct identity_names *names, struct slice name, bool *found)
{
	size_t low = 0;
	size_t high = names->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int difference = compare(names->items[middle], name);
		if (difference == 0) {
			*found = true;
			return middle;
		}
		if (difference < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	*found = false;
	return low;
}

bool identity_names_has(const struct identity_names *names, struct slice name)
{
	if (name.len == 0 || (names->lengths[slot(fold(name.data[0]))] & length_bit(name.len)) == 0) {
		return false;
	}
	bool found = false;
	search(names, name, &found);
	return found;
}

int identity_names_add(struct identity_names *names, const char *name)
{
	struct slice text = slice_text(name);
	BUG_IF(text.len == 0);
	bool found = false;
	size_t at = search(names, text, &found);
	if (found) {
		return E_OK;
	}
	if (names->count == names->room) {
		size_t room = names->room == 0 ? 64 : names->room * 2;
		char **items = reallocarray(names->items, room, sizeof(*items));
		if (items == NULL) {
			return E_NOMEM;
		}
		names->items = items;
		names->room = room;
	}
	char *copy = malloc(text.len + 1);
	if (copy == NULL) {
		return E_NOMEM;
	}
	for (size_t i = 0; i <= text.len; i++) {
		copy[i] = (char)fold((uint8_t)name[i]);
	}
	memmove(names->items + at + 1, names->items + at,
	        (names->count - at) * sizeof(*names->items));
	names->items[at] = copy;
	names->count++;
	names->lengths[slot((uint8_t)copy[0])] |= length_bit(text.len);
	return E_OK;
}

int identity_names_new(struct identity_names **out)
{
	struct identity_names *names = calloc(1, sizeof(*names));
	if (names == NULL) {
		return E_NOMEM;
	}
	int err = identity_names_add(names, IDENTITY_EVENT_ID_HEADER);
	for (size_t i = 0; err == E_OK && i < identity_row_count(); i++) {
		err = identity_names_add(names, identity_row_at(i)->name);
	}
	if (err != E_OK) {
		identity_names_free(&names);
		return err;
	}
	*out = names;
	return E_OK;
}

int identity_names_add_service(struct identity_names *names, const struct config_service *service)
{
	int err = E_OK;
	for (size_t i = 0; i < service->identity_count; i++) {
		const struct config_labels *renamed = &service->identities[i].names;
		for (size_t j = 0; err == E_OK && j < renamed->count; j++) {
			err = identity_names_add(names, renamed->items[j].value.text);
		}
	}
	for (size_t i = 0; err == E_OK && i < service->header_count; i++) {
		err = identity_names_add(names, service->headers[i].name.text);
	}
	if (err == E_OK && service->event_id_header.text != NULL) {
		err = identity_names_add(names, service->event_id_header.text);
	}
	return err;
}

void identity_names_free(struct identity_names **names)
{
	if (*names == NULL) {
		return;
	}
	for (size_t i = 0; i < (*names)->count; i++) {
		free((*names)->items[i]);
	}
	free((*names)->items);
	free(*names);
	*names = NULL;
}
