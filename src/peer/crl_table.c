#include "peer/crl_table.h"

#include <gnutls/crypto.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/err.h"

#define HASH_BYTES sizeof(((struct crl_row *)0)->hash)

static uint64_t little_endian(const uint8_t *p, size_t n)
{
	uint64_t word = 0;
	for (size_t i = 0; i < n; i++) {
		word |= (uint64_t)p[i] << 8 * i;
	}
	return word;
}

static uint64_t rotate(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

static void rounds(uint64_t v[static 4], int count)
{
	for (int i = 0; i < count; i++) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

static void absorb(uint64_t v[static 4], uint64_t word)
{
	v[3] ^= word;
	rounds(v, 2);
	v[0] ^= word;
}

static void put_half(uint8_t *out, uint64_t v[static 4])
{
	rounds(v, 4);
	uint64_t half = v[0] ^ v[1] ^ v[2] ^ v[3];
	for (size_t i = 0; i < 8; i++) {
		out[i] = (uint8_t)(half >> 8 * i);
	}
}

void crl_siphash(uint8_t out[static 16], const uint8_t key[static 16], struct slice data)
{
	uint64_t k0 = little_endian(key, 8);
	uint64_t k1 = little_endian(key + 8, 8);
	/* "somepseudorandomlygeneratedbytes"; 0xee asks for 128 bits. */
	uint64_t v[4] = {0x736f6d6570736575 ^ k0, 0x646f72616e646f6d ^ k1 ^ 0xee,
	                 0x6c7967656e657261 ^ k0, 0x7465646279746573 ^ k1};
	size_t at = 0;
	for (; data.len - at >= 8; at += 8) {
		absorb(v, little_endian(data.data + at, 8));
	}
	uint64_t rest = at < data.len ? little_endian(data.data + at, data.len - at) : 0;
	absorb(v, rest | (uint64_t)data.len << 56);
	v[2] ^= 0xee;
	put_half(out, v);
	v[1] ^= 0xdd;
	put_half(out + 8, v);
}

int crl_table_init(struct crl_table *table, size_t cap)
{
	*table = (struct crl_table){.cap = cap};
	if (gnutls_rnd(GNUTLS_RND_RANDOM, table->key, sizeof(table->key)) < 0) {
		return E_NOMEM;
	}
	if (cap > 0) {
		table->rows = calloc(cap, sizeof(*table->rows));
		if (table->rows == NULL) {
			return E_NOMEM;
		}
	}
	return E_OK;
}

void crl_table_release(struct crl_table *table)
{
	free(table->rows);
	*table = (struct crl_table){0};
}

/* X.690 8.3.2: the shortest form, whatever was given. */
static struct slice shortest(struct slice serial)
{
	while (serial.len > 1 && ((serial.data[0] == 0x00 && serial.data[1] < 0x80) ||
	                          (serial.data[0] == 0xff && serial.data[1] >= 0x80))) {
		serial = slice_of(serial.data + 1, serial.len - 1);
	}
	return serial;
}

static void hash_serial(uint8_t out[static 16], const struct crl_table *table, struct slice serial)
{
	crl_siphash(out, table->key, shortest(serial));
}

void crl_table_add(struct crl_table *table, struct slice serial, const struct crl_entry *entry)
{
	BUG_IF(table->count == table->cap);

	uint8_t hash[16];
	hash_serial(hash, table, serial);
	int64_t at = entry->revoked_at_s;
	struct crl_row *row = &table->rows[table->count++];
	memcpy(row->hash, hash, sizeof(row->hash));
	row->reason = (uint8_t)entry->reason;
	row->revoked_at = at < 0 ? 0 : at > UINT32_MAX ? UINT32_MAX : (uint32_t)at;
}

static int compare(const void *a, const void *b)
{
	const struct crl_row *left = a;
	const struct crl_row *right = b;
	int order = memcmp(left->hash, right->hash, HASH_BYTES);
	if (order != 0) {
		return order;
	}
	return left->revoked_at < right->revoked_at ? -1 : left->revoked_at > right->revoked_at;
}

void crl_table_sort(struct crl_table *table)
{
	if (table->count > 1) {
		qsort(table->rows, table->count, sizeof(*table->rows), compare);
	}
}

static uint64_t prefix(const uint8_t *hash)
{
	uint64_t value;
	memcpy(&value, hash, sizeof(value));
	return __builtin_bswap64(value);
}

/* The share of the rows that so large a part of all hashes has. */
static size_t share(uint64_t part, size_t count)
{
	return (size_t)((unsigned __int128)part * count >> 64);
}

/* Where the hash should be: hashes are uniform, so that each step leaves about the square root of
 * the distance. */
static size_t guess(const struct crl_table *table, const uint8_t *hash)
{
	uint64_t wanted = prefix(hash);
	size_t at = share(wanted, table->count);
	for (int i = 0; i < 3; i++) {
		uint64_t found = prefix(table->rows[at].hash);
		if (wanted >= found) {
			size_t up = share(wanted - found, table->count);
			size_t most = table->count - 1 - at;
			at += up < most ? up : most;
		} else {
			size_t down = share(found - wanted, table->count);
			at -= down < at ? down : at;
		}
	}
	return at;
}

static bool is_below(const struct crl_table *table, size_t at, const uint8_t *hash)
{
	return memcmp(table->rows[at].hash, hash, HASH_BYTES) < 0;
}

/* The first row that is not below the hash: from the guess in steps that double, then by halves. A bad
 * guess costs the logarithm of its error, no more. */
static size_t lower_bound(const struct crl_table *table, const uint8_t *hash)
{
	size_t low = guess(table, hash);
	size_t high = low;
	for (size_t step = 4; low > 0 && !is_below(table, low, hash); step *= 2) {
		high = low;
		low -= step < low ? step : low;
	}
	for (size_t step = 4; high < table->count && is_below(table, high, hash); step *= 2) {
		low = high;
		high += step < table->count - high ? step : table->count - high;
	}
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (is_below(table, middle, hash)) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

bool crl_table_find(const struct crl_table *table, struct slice serial, struct crl_entry *entry)
{
	if (table->count == 0) {
		return false;
	}
	uint8_t hash[16];
	hash_serial(hash, table, serial);
	size_t at = lower_bound(table, hash);
	if (at == table->count || memcmp(table->rows[at].hash, hash, HASH_BYTES) != 0) {
		return false;
	}
	*entry = (struct crl_entry){table->rows[at].revoked_at, table->rows[at].reason};
	return true;
}
