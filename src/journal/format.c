#include "journal/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/err.h"

#define RAW_MAGIC "tlscrib\n"
#define RAW_FLAG_PREVIOUS 1u
#define COMMIT_MAGIC 0x54494d43u
#define TIP_MAGIC 0x50495443u
#define TIP_FLAG_CLEAN 1u
#define TIP_FLAG_FILE 2u
/* No log gets there; keeps every sum of an index and a count far from overflow. */
#define INDEX_MAX (UINT64_C(1) << 62)

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)v);
	put16(p + 2, (uint16_t)(v >> 16));
}

static void put64(uint8_t *p, uint64_t v)
{
	put32(p, (uint32_t)v);
	put32(p + 4, (uint32_t)(v >> 32));
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) | (uint32_t)get16(p + 2) << 16;
}

static uint64_t get64(const uint8_t *p)
{
	return (uint64_t)get32(p) | (uint64_t)get32(p + 4) << 32;
}

int raw_key_compare(struct raw_key a, struct raw_key b)
{
	if (a.first != b.first) {
		return a.first < b.first ? -1 : 1;
	}
	return a.counter < b.counter ? -1 : a.counter > b.counter;
}

void raw_name_format(char out[static RAW_NAME_LEN + 1], struct raw_key key)
{
	snprintf(out, RAW_NAME_LEN + 1, "%016" PRIx64 "-%08" PRIx32 ".raw", key.first, key.counter);
}

/* Lower-case digits only: a name has one spelling. */
static bool parse_hex(const char *text, size_t digits, uint64_t *out)
{
	uint64_t n = 0;
	for (size_t i = 0; i < digits; i++) {
		char c = text[i];
		if (c >= '0' && c <= '9') {
			n = n << 4 | (uint64_t)(c - '0');
		} else if (c >= 'a' && c <= 'f') {
			n = n << 4 | (uint64_t)(c - 'a' + 10);
		} else {
			return false;
		}
	}
	*out = n;
	return true;
}

bool raw_name_parse(const char *name, struct raw_key *key)
{
	uint64_t first = 0;
	uint64_t counter = 0;
	if (strlen(name) != RAW_NAME_LEN || !parse_hex(name, 16, &first) || name[16] != '-' ||
	    !parse_hex(name + 17, 8, &counter) || strcmp(name + 25, ".raw") != 0 ||
	    first >= INDEX_MAX) {
		return false;
	}
	*key = (struct raw_key){.first = first, .counter = (uint32_t)counter};
	return true;
}

void raw_header_encode(uint8_t out[static RAW_HEADER_LEN], const struct raw_header *h)
{
	memset(out, 0, RAW_HEADER_LEN);
	memcpy(out, RAW_MAGIC, 8);
	put32(out + 8, FORMAT_VERSION);
	put32(out + 12, h->has_previous ? RAW_FLAG_PREVIOUS : 0);
	put64(out + 16, h->key.first);
	put32(out + 24, h->key.counter);
	put32(out + 28, h->previous.counter);
	put64(out + 32, h->previous.first);
	put64(out + 40, h->previous_end);
	put64(out + 48, h->salt);
	put32(out + 60, crc32c(0, out, 60));
}

int raw_header_decode(struct raw_header *h, const uint8_t in[static RAW_HEADER_LEN])
{
	if (memcmp(in, RAW_MAGIC, 8) != 0 || get32(in + 60) != crc32c(0, in, 60)) {
		return E_CORRUPT;
	}
	if (get32(in + 8) > FORMAT_VERSION) {
		return E_VERSION;
	}
	uint32_t flags = get32(in + 12);
	*h = (struct raw_header){
		.key = {.first = get64(in + 16), .counter = get32(in + 24)},
		.has_previous = (flags & RAW_FLAG_PREVIOUS) != 0,
		.previous = {.first = get64(in + 32), .counter = get32(in + 28)},
		.previous_end = get64(in + 40),
		.salt = get64(in + 48),
	};
	if (get32(in + 8) != FORMAT_VERSION || (flags & ~RAW_FLAG_PREVIOUS) != 0 ||
	    h->key.first >= INDEX_MAX) {
		return E_CORRUPT;
	}
	return E_OK;
}

static uint32_t commit_crc(const uint8_t *head, uint64_t salt, struct slice entries)
{
	uint8_t salt_bytes[8];
	put64(salt_bytes, salt);
	uint32_t crc = crc32c(0, salt_bytes, sizeof(salt_bytes));
	crc = crc32c(crc, head, COMMIT_HEAD_LEN - 4);
	return crc32c(crc, entries.data, entries.len);
}

void commit_head_encode(uint8_t out[static COMMIT_HEAD_LEN], const struct commit_head *h,
                        uint64_t salt, struct slice entries)
{
	memset(out, 0, COMMIT_HEAD_LEN);
	put32(out, COMMIT_MAGIC);
	put32(out + 4, h->bytes);
	put64(out + 8, h->first);
	put32(out + 16, h->count);
	put64(out + 24, h->durable);
	put32(out + 36, commit_crc(out, salt, entries));
}

bool commit_head_decode(struct commit_head *h, const uint8_t in[static COMMIT_HEAD_LEN],
                        struct raw_key key, uint64_t offset)
{
	if (get32(in) != COMMIT_MAGIC || get32(in + 20) != 0 || get32(in + 32) != 0) {
		return false;
	}
	*h = (struct commit_head){
		.bytes = get32(in + 4),
		.first = get64(in + 8),
		.count = get32(in + 16),
		.durable = get64(in + 24),
		.crc = get32(in + 36),
	};
	if (h->bytes > COMMIT_ENTRIES_MAX || h->count == 0 || h->count > SEGMENT_ENTRIES ||
	    h->bytes < (uint64_t)h->count * 3 || h->durable > offset || h->durable < RAW_HEADER_LEN) {
		return false;
	}
	/* Within the file's segment, and not before its first entry. */
	return h->first >= key.first && h->first < INDEX_MAX &&
	       (h->first + h->count - 1) / SEGMENT_ENTRIES == key.first / SEGMENT_ENTRIES;
}

bool commit_check(const struct commit_head *h, const uint8_t head[static COMMIT_HEAD_LEN],
                  uint64_t salt, struct slice entries)
{
	if (entries.len != h->bytes || commit_crc(head, salt, entries) != h->crc) {
		return false;
	}
	size_t at = 0;
	uint32_t count = 0;
	while (entries.len - at >= 2) {
		size_t len = (size_t)entries.data[at] << 8 | entries.data[at + 1];
		at += 2;
		if (len == 0 || len > entries.len - at) {
			return false;
		}
		at += len;
		count++;
	}
	return at == entries.len && count == h->count;
}

void tip_encode(uint8_t out[static TIP_LEN], const struct tip *t)
{
	memset(out, 0, TIP_LEN);
	put32(out, TIP_MAGIC);
	put16(out + 4, FORMAT_VERSION);
	put16(out + 6,
	      (uint16_t)((t->clean ? TIP_FLAG_CLEAN : 0) | (t->has_file ? TIP_FLAG_FILE : 0)));
	put64(out + 8, t->generation);
	put64(out + 16, t->file.first);
	put32(out + 24, t->file.counter);
	put64(out + 32, t->offset);
	put64(out + 40, t->next_index);
	put32(out + 60, crc32c(0, out, 60));
}

int tip_decode(struct tip *t, const uint8_t in[static TIP_LEN])
{
	if (get32(in) != TIP_MAGIC || get32(in + 60) != crc32c(0, in, 60)) {
		return E_CORRUPT;
	}
	if (get16(in + 4) > FORMAT_VERSION) {
		return E_VERSION;
	}
	uint16_t flags = get16(in + 6);
	*t = (struct tip){
		.clean = (flags & TIP_FLAG_CLEAN) != 0,
		.has_file = (flags & TIP_FLAG_FILE) != 0,
		.generation = get64(in + 8),
		.file = {.first = get64(in + 16), .counter = get32(in + 24)},
		.offset = get64(in + 32),
		.next_index = get64(in + 40),
	};
	bool sound = get16(in + 4) == FORMAT_VERSION && t->next_index < INDEX_MAX &&
	             t->offset <= RAW_FILE_MAX && t->file.first <= t->next_index;
	return sound ? E_OK : E_CORRUPT;
}

bool identity_name_valid(const char *name, size_t max)
{
	size_t n = 0;
	for (; name[n] != '\0'; n++) {
		if (name[n] <= ' ' || name[n] > '~' || n == max) {
			return false;
		}
	}
	return n > 0;
}

size_t identity_encode(char *out, size_t size, const struct identity *id)
{
	int n = snprintf(out, size, "tlscribe journal %d\norigin %s\nnode %s\nepoch %" PRIu64 "\n",
	                 FORMAT_VERSION, id->origin, id->node, id->epoch);
	if (n < 0 || (size_t)n >= size) {
		return 0;
	}
	int tail = snprintf(out + n, size - (size_t)n, "crc32c %08" PRIx32 "\n",
	                    crc32c(0, out, (size_t)n));
	return tail < 0 || (size_t)tail >= size - (size_t)n ? 0 : (size_t)n + (size_t)tail;
}

/* "<key> <value>\n" at *at; the value goes to `out`. */
static bool take_line(const char **at, const char *key, char *out, size_t size)
{
	size_t key_len = strlen(key);
	const char *end = strchr(*at, '\n');
	if (end == NULL || strncmp(*at, key, key_len) != 0) {
		return false;
	}
	const char *value = *at + key_len;
	size_t len = end < value ? 0 : (size_t)(end - value);
	if (len == 0 || len >= size) {
		return false;
	}
	memcpy(out, value, len);
	out[len] = '\0';
	*at = end + 1;
	return identity_name_valid(out, size);
}

static bool parse_decimal(const char *text, uint64_t *out)
{
	uint64_t n = 0;
	if (*text == '\0' || strlen(text) > 18) {
		return false;
	}
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9') {
			return false;
		}
		n = n * 10 + (uint64_t)(*text - '0');
	}
	*out = n;
	return true;
}

int identity_decode(struct identity *id, struct slice text)
{
	char copy[IDENTITY_MAX + 1];
	if (text.len > IDENTITY_MAX || (text.len > 0 && memchr(text.data, 0, text.len) != NULL)) {
		return E_CORRUPT;
	}
	if (text.len > 0) {
		memcpy(copy, text.data, text.len);
	}
	copy[text.len] = '\0';

	const char *at = copy;
	char number[24];
	uint64_t version = 0;
	*id = (struct identity){0};
	if (!take_line(&at, "tlscribe journal ", number, sizeof(number)) ||
	    !parse_decimal(number, &version)) {
		return E_CORRUPT;
	}
	/* Nothing behind the first line is promised to a program that does not know the version. */
	if (version > FORMAT_VERSION) {
		return E_VERSION;
	}
	if (version != FORMAT_VERSION || !take_line(&at, "origin ", id->origin, sizeof(id->origin)) ||
	    !take_line(&at, "node ", id->node, sizeof(id->node)) ||
	    !take_line(&at, "epoch ", number, sizeof(number)) || !parse_decimal(number, &id->epoch)) {
		return E_CORRUPT;
	}
	uint64_t crc = 0;
	size_t covered = (size_t)(at - copy);
	if (!take_line(&at, "crc32c ", number, sizeof(number)) || strlen(number) != 8 ||
	    !parse_hex(number, 8, &crc) || *at != '\0' || crc != crc32c(0, copy, covered)) {
		return E_CORRUPT;
	}
	return E_OK;
}
