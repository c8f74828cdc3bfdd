#include "peer/crl_table.h"

#include <string.h>

#include "base/err.h"
#include "unit.h"

#define MANY 500000

static struct slice serial_of(uint8_t out[static 8], uint32_t n)
{
	/* Positive, and in its shortest form. */
	out[0] = 0x40;
	for (size_t i = 0; i < 7; i++) {
		out[1 + i] = (uint8_t)((uint64_t)n * 0x9e3779b97f4aULL >> 8 * i);
	}
	return slice_of(out, 8);
}

static void siphash_is_the_published_one(void)
{
	/* Key 00..0f, input 00..n-1: the vectors of the reference implementation (vectors.h, 128 bits), as OpenSSL
	 * computes them, too. */
	static const struct {
		size_t len;
		uint8_t hash[16];
	} vectors[] = {
		{0,
	         {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7,
	          0x55, 0x02, 0x93}},
		{1,
	         {0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b,
	          0x22, 0xfc, 0x45}},
		{7,
	         {0xa1, 0xf1, 0xeb, 0xbe, 0xd8, 0xdb, 0xc1, 0x53, 0xc0, 0xb8, 0x4a, 0xa6, 0x1f,
	          0xf0, 0x82, 0x39}},
		{8,
	         {0x3b, 0x62, 0xa9, 0xba, 0x62, 0x58, 0xf5, 0x61, 0x0f, 0x83, 0xe2, 0x64, 0xf3,
	          0x14, 0x97, 0xb4}},
		{9,
	         {0x26, 0x44, 0x99, 0x06, 0x0a, 0xd9, 0xba, 0xab, 0xc4, 0x7f, 0x8b, 0x02, 0xbb,
	          0x6d, 0x71, 0xed}},
		{15,
	         {0x54, 0x93, 0xe9, 0x99, 0x33, 0xb0, 0xa8, 0x11, 0x7e, 0x08, 0xec, 0x0f, 0x97,
	          0xcf, 0xc3, 0xd9}},
		{16,
	         {0x6e, 0xe2, 0xa4, 0xca, 0x67, 0xb0, 0x54, 0xbb, 0xfd, 0x33, 0x15, 0xbf, 0x85,
	          0x23, 0x05, 0x77}},
		{20,
	         {0x9e, 0x25, 0xfc, 0x83, 0x3f, 0x22, 0x90, 0x73, 0x3e, 0x93, 0x44, 0xa5, 0xe8,
	          0x38, 0x39, 0xeb}},
		{63,
	         {0x51, 0x50, 0xd1, 0x77, 0x2f, 0x50, 0x83, 0x4a, 0x50, 0x3e, 0x06, 0x9a, 0x97,
	          0x3f, 0xbd, 0x7c}},
	};
	uint8_t key[16];
	uint8_t input[64];
	for (size_t i = 0; i < sizeof(input); i++) {
		input[i] = (uint8_t)i;
	}
	memcpy(key, input, sizeof(key));
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		uint8_t hash[16];
		crl_siphash(hash, key, slice_of(input, vectors[i].len));
		CU_ASSERT_EQUAL(memcmp(hash, vectors[i].hash, sizeof(hash)), 0);
	}
}

static void each_of_many_entries_is_found_and_no_other(void)
{
	struct crl_table table;
	struct crl_entry entry;
	uint8_t bytes[8];
	CU_ASSERT_EQUAL_FATAL(crl_table_init(&table, MANY), E_OK);
	for (uint32_t i = 0; i < MANY; i++) {
		entry = (struct crl_entry){.revoked_at_s = i, .reason = i % 7};
		crl_table_add(&table, serial_of(bytes, i), &entry);
	}
	crl_table_sort(&table);
	size_t found = 0;
	size_t wrong = 0;
	for (uint32_t i = 0; i < MANY; i++) {
		if (crl_table_find(&table, serial_of(bytes, i), &entry)) {
			found++;
			wrong += entry.revoked_at_s != i || entry.reason != i % 7;
		}
		wrong += crl_table_find(&table, serial_of(bytes, MANY + i), &entry);
	}
	CU_ASSERT_EQUAL(found, MANY);
	CU_ASSERT_EQUAL(wrong, 0);
	crl_table_release(&table);
}

/* As a CA could arrange it that knew the key: a lookup must still end, and rightly. */
static void entries_that_lie_together_are_found(void)
{
	enum { COUNT = 1000 };
	static struct crl_row rows[COUNT + 3];
	struct crl_table table;
	struct crl_entry entry;
	CU_ASSERT_EQUAL_FATAL(crl_table_init(&table, 0), E_OK);
	table.rows = rows;
	table.count = COUNT + 3;
	for (size_t at = 0; at < 3; at++) {
		uint8_t bytes[8];
		uint8_t hash[16];
		struct slice serial = serial_of(bytes, (uint32_t)at);
		crl_siphash(hash, table.key, serial);
		/* All of the first eight octets the same, below, around and above the wanted one. */
		for (size_t i = 0; i < COUNT + 3; i++) {
			memcpy(rows[i].hash, hash, 8);
			memset(rows[i].hash + 8, i % 2 == 0 ? 0x00 : 0xff, 3);
			rows[i].reason = 1;
		}
		memcpy(rows[at * COUNT / 2].hash, hash, 11);
		rows[at * COUNT / 2].reason = 9;
		crl_table_sort(&table);
		CU_ASSERT(crl_table_find(&table, serial, &entry));
		CU_ASSERT_EQUAL(entry.reason, 9);
	}
}

static void tables_of_every_small_size_find_their_entries(void)
{
	for (uint32_t count = 0; count < 40; count++) {
		struct crl_table table;
		struct crl_entry entry = {.reason = 1};
		uint8_t bytes[8];
		size_t found = 0;
		CU_ASSERT_EQUAL_FATAL(crl_table_init(&table, count), E_OK);
		for (uint32_t i = 0; i < count; i++) {
			crl_table_add(&table, serial_of(bytes, i), &entry);
		}
		crl_table_sort(&table);
		for (uint32_t i = 0; i < 2 * count + 10; i++) {
			found += crl_table_find(&table, serial_of(bytes, i), &entry);
		}
		CU_ASSERT_EQUAL(found, count);
		crl_table_release(&table);
	}
}

static void a_serial_is_found_however_it_is_padded(void)
{
	struct crl_table table;
	struct crl_entry entry = {.reason = 1};
	CU_ASSERT_EQUAL_FATAL(crl_table_init(&table, 2), E_OK);
	crl_table_add(&table, SLICE("\x01"), &entry);
	crl_table_add(&table, SLICE("\xfe"), &entry);
	crl_table_sort(&table);
	CU_ASSERT(crl_table_find(&table, SLICE("\x01"), &entry));
	CU_ASSERT(crl_table_find(&table, SLICE("\x00\x00\x01"), &entry));
	CU_ASSERT(crl_table_find(&table, SLICE("\xff\xff\xfe"), &entry));
	/* 254 is not -2. */
	CU_ASSERT_FALSE(crl_table_find(&table, SLICE("\x00\xfe"), &entry));
	CU_ASSERT_FALSE(crl_table_find(&table, SLICE("\x01\x00"), &entry));
	CU_ASSERT_FALSE(crl_table_find(&table, SLICE("\x00"), &entry));
	CU_ASSERT_FALSE(crl_table_find(&table, SLICE(""), &entry));
	crl_table_release(&table);
}

static void dates_are_held_at_the_ends_of_what_fits(void)
{
	static const struct {
		int64_t given;
		int64_t kept;
	} rows[] = {
		{-1, 0},
		{INT64_MIN, 0},
		{0, 0},
		{1800000000, 1800000000},
		{UINT32_MAX, UINT32_MAX},
		{(int64_t)UINT32_MAX + 1, UINT32_MAX},
		{INT64_MAX, UINT32_MAX},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct crl_table table;
		struct crl_entry entry = {.revoked_at_s = rows[i].given};
		CU_ASSERT_EQUAL_FATAL(crl_table_init(&table, 1), E_OK);
		crl_table_add(&table, SLICE("\x05"), &entry);
		crl_table_sort(&table);
		CU_ASSERT(crl_table_find(&table, SLICE("\x05"), &entry));
		CU_ASSERT_EQUAL(entry.revoked_at_s, rows[i].kept);
		crl_table_release(&table);
	}
}

static void of_two_entries_the_earlier_revocation_counts(void)
{
	struct crl_table table;
	struct crl_entry entry;
	CU_ASSERT_EQUAL_FATAL(crl_table_init(&table, 3), E_OK);
	crl_table_add(&table, SLICE("\x05"), &(struct crl_entry){300, 1});
	crl_table_add(&table, SLICE("\x05"), &(struct crl_entry){100, 2});
	crl_table_add(&table, SLICE("\x05"), &(struct crl_entry){200, 3});
	crl_table_sort(&table);
	CU_ASSERT(crl_table_find(&table, SLICE("\x05"), &entry));
	CU_ASSERT_EQUAL(entry.revoked_at_s, 100);
	CU_ASSERT_EQUAL(entry.reason, 2);
	crl_table_release(&table);
}

static void two_tables_do_not_share_a_key(void)
{
	struct crl_table a;
	struct crl_table b;
	CU_ASSERT_EQUAL_FATAL(crl_table_init(&a, 0), E_OK);
	CU_ASSERT_EQUAL_FATAL(crl_table_init(&b, 0), E_OK);
	CU_ASSERT_NOT_EQUAL(memcmp(a.key, b.key, sizeof(a.key)), 0);
	crl_table_release(&a);
	crl_table_release(&b);
}

static const struct unit_test tests[] = {
	{"SipHash is the published one", siphash_is_the_published_one},
	{"each of many entries is found and no other", each_of_many_entries_is_found_and_no_other},
	{"entries that lie together are found", entries_that_lie_together_are_found},
	{"tables of every small size find their entries",
         tables_of_every_small_size_find_their_entries},
	{"a serial is found however it is padded", a_serial_is_found_however_it_is_padded},
	{"dates are held at the ends of what fits", dates_are_held_at_the_ends_of_what_fits},
	{"of two entries the earlier revocation counts",
         of_two_entries_the_earlier_revocation_counts},
	{"two tables do not share a key", two_tables_do_not_share_a_key},
};
UNIT_MAIN("peer/crl_table", tests)
