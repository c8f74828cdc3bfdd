#include "peer/list_file_keys.h"

#include <stdlib.h>
#include <strings.h>

#include "base/err.h"

int keys_add(struct keys *keys, const uint8_t *key)
{
	if (keys->count == keys->cap) {
		size_t cap = keys->cap == 0 ? 16 : keys->cap * 2;
		uint8_t *bytes = reallocarray(keys->bytes, cap, keys->width);
		if (bytes == NULL) {
			return E_NOMEM;
		}
		keys->bytes = bytes;
		keys->cap = cap;
	}
	memcpy(keys->bytes + keys->count * keys->width, key, keys->width);
	keys->count++;
	return E_OK;
}

static int compare_sha256(const void *a, const void *b)
{
	return memcmp(a, b, SHA256_BYTES);
}

static int compare_sha1(const void *a, const void *b)
{
	return memcmp(a, b, SHA1_BYTES);
}

void keys_sort(struct keys *keys)
{
	if (keys->count > 0) {
		qsort(keys->bytes, keys->count, keys->width,
		      keys->width == SHA1_BYTES ? compare_sha1 : compare_sha256);
	}
}

bool keys_have(const struct keys *keys, const uint8_t *key)
{
	return keys->count > 0 &&
	       bsearch(key, keys->bytes, keys->count, keys->width,
	               keys->width == SHA1_BYTES ? compare_sha1 : compare_sha256) != NULL;
}

void keys_release(struct keys *keys)
{
	free(keys->bytes);
	keys->bytes = NULL;
	keys->count = 0;
	keys->cap = 0;
}

static struct slice significant(struct slice serial)
{
	while (serial.len > 1 && serial.data[0] == 0) {
		serial.data++;
		serial.len--;
	}
	return serial;
}

static int compare_serials(struct slice a, struct slice b)
{
	return a.len != b.len ? (a.len < b.len ? -1 : 1) : memcmp(a.data, b.data, a.len);
}

static int compare_serial_entries(const void *a, const void *b)
{
	const struct serial_entry *left = a;
	const struct serial_entry *right = b;
	return compare_serials(left->serial, right->serial);
}

static bool same_issuer(struct slice a, struct slice b)
{
	return a.len == b.len &&
	       (a.len == 0 || strncasecmp((const char *)a.data, (const char *)b.data, a.len) == 0);
}

/* RFC 4514 has no blanks around the separators, people do. An escaped one belongs to its value. Shortens
 * `text` in place. */
static void canonical_issuer(struct slice *issuer, uint8_t *text)
{
	size_t len = 0;
	size_t fixed = 0;    /* up to here blanks are part of a value */
	bool in_type = true; /* up to the `=`: none of its blanks counts */
	bool skip = true;    /* blanks: behind a separator */
	for (size_t i = 0; i < issuer->len; i++) {
		uint8_t c = text[i];
		if (c == ' ' && (skip || in_type)) {
			continue;
		}
		skip = in_type && c == '=';
		in_type = in_type && c != '=';
		if (c == ',' || c == '+') {
			while (len > fixed && text[len - 1] == ' ') {
				len--;
			}
			in_type = true;
		}
		text[len++] = c;
		if (c == '\\' && i + 1 < issuer->len) {
			text[len++] = text[++i];
			fixed = len;
		}
	}
	*issuer = slice_of(text, len);
}

int serials_add(struct serials *serials, struct slice serial, struct slice issuer)
{
	if (serials->count == serials->cap) {
		size_t cap = serials->cap == 0 ? 16 : serials->cap * 2;
		struct serial_entry *entries = reallocarray(serials->entries, cap, sizeof(*entries));
		if (entries == NULL) {
			return E_NOMEM;
		}
		serials->entries = entries;
		serials->cap = cap;
	}
	struct serial_entry *entry = &serials->entries[serials->count];
	if (!arena_copy(&serials->arena, &entry->serial, significant(serial)) ||
	    !arena_copy(&serials->arena, &entry->issuer, issuer)) {
		return E_NOMEM;
	}
	canonical_issuer(&entry->issuer, (uint8_t *)entry->issuer.data);
	serials->count++;
	return E_OK;
}

void serials_sort(struct serials *serials)
{
	if (serials->count > 0) {
		qsort(serials->entries, serials->count, sizeof(serials->entries[0]),
		      compare_serial_entries);
	}
}

bool serials_have(const struct serials *serials, struct slice serial, struct slice issuer)
{
	serial = significant(serial);
	size_t low = 0;
	size_t high = serials->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare_serials(serials->entries[middle].serial, serial) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	for (; low < serials->count && slice_equal(serials->entries[low].serial, serial); low++) {
		if (same_issuer(serials->entries[low].issuer, issuer)) {
			return true;
		}
	}
	return false;
}

void serials_release(struct serials *serials)
{
	free(serials->entries);
	arena_release(&serials->arena);
	*serials = (struct serials){0};
}
