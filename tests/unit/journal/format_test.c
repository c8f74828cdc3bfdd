#include "journal/format.h"

#include <string.h>

#include "base/crc32c.h"
#include "base/err.h"
#include "unit.h"

static void names_sort_as_the_log_and_have_one_spelling(void)
{
	struct raw_key key = {.first = 0xabcdef, .counter = 0x12};
	struct raw_key back;
	char name[RAW_NAME_LEN + 1];
	raw_name_format(name, key);
	CU_ASSERT_STRING_EQUAL(name, "0000000000abcdef-00000012.raw");
	CU_ASSERT_TRUE(raw_name_parse(name, &back));
	CU_ASSERT_EQUAL(raw_key_compare(key, back), 0);
	CU_ASSERT_FALSE(raw_name_parse("0000000000ABCDEF-00000012.raw", &back));
	CU_ASSERT_FALSE(raw_name_parse("0000000000abcdef-00000012.raw~", &back));
	CU_ASSERT_FALSE(raw_name_parse("0000000000abcdef-0000012.raw", &back));
	CU_ASSERT_FALSE(raw_name_parse("ffffffffffffffff-00000000.raw", &back));
	CU_ASSERT(raw_key_compare((struct raw_key){1, 9}, (struct raw_key){2, 0}) < 0);
	CU_ASSERT(raw_key_compare((struct raw_key){2, 1}, (struct raw_key){2, 0}) > 0);
}

static void every_flipped_bit_of_a_header_or_tip_is_noticed(void)
{
	struct raw_header header = {.key = {65536 + 7, 1},
	                            .has_previous = true,
	                            .previous = {65536, 0},
	                            .previous_end = 4711,
	                            .salt = 99};
	uint8_t bytes[RAW_HEADER_LEN];
	raw_header_encode(bytes, &header);
	struct raw_header back;
	CU_ASSERT_EQUAL(raw_header_decode(&back, bytes), E_OK);
	CU_ASSERT_EQUAL(back.key.first, header.key.first);
	CU_ASSERT_EQUAL(back.previous_end, 4711);
	CU_ASSERT_EQUAL(back.salt, 99);
	struct tip tip = {.clean = true,
	                  .has_file = true,
	                  .generation = 3,
	                  .file = {5, 0},
	                  .offset = 99,
	                  .next_index = 8};
	uint8_t tip_bytes[TIP_LEN];
	tip_encode(tip_bytes, &tip);
	struct tip tip_back;
	CU_ASSERT_EQUAL(tip_decode(&tip_back, tip_bytes), E_OK);
	CU_ASSERT_EQUAL(tip_back.next_index, 8);
	CU_ASSERT_TRUE(tip_back.clean);
	for (size_t bit = 0; bit < RAW_HEADER_LEN * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		tip_bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CU_ASSERT_EQUAL(raw_header_decode(&back, bytes), E_CORRUPT);
		CU_ASSERT_EQUAL(tip_decode(&tip_back, tip_bytes), E_CORRUPT);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		tip_bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void a_newer_version_is_told_from_damage(void)
{
	struct raw_header header = {.key = {0, 0}};
	uint8_t bytes[RAW_HEADER_LEN];
	raw_header_encode(bytes, &header);
	bytes[8]++;
	uint32_t crc = crc32c(0, bytes, 60);
	memcpy(bytes + 60, &crc, 4);
	CU_ASSERT_EQUAL(raw_header_decode(&header, bytes), E_VERSION);
	struct identity id;
	CU_ASSERT_EQUAL(identity_decode(&id, SLICE("tlscribe journal 2\nwhatever\n")), E_VERSION);
	CU_ASSERT_EQUAL(identity_decode(&id, SLICE("tlscribe journal 1\nwhatever\n")), E_CORRUPT);
	CU_ASSERT_EQUAL(identity_decode(&id, SLICE("")), E_CORRUPT);
}

static void identity_survives_and_notices_every_changed_byte(void)
{
	struct identity id = {.origin = "audit.example", .node = "edge-1", .epoch = 3};
	struct identity back;
	char text[IDENTITY_MAX];
	size_t len = identity_encode(text, sizeof(text), &id);
	CU_ASSERT(len > 0);
	CU_ASSERT_EQUAL(identity_decode(&back, slice_of(text, len)), E_OK);
	CU_ASSERT_STRING_EQUAL(back.origin, id.origin);
	CU_ASSERT_STRING_EQUAL(back.node, id.node);
	CU_ASSERT_EQUAL(back.epoch, 3);
	for (size_t i = 0; i < len; i++) {
		text[i] ^= 1;
		CU_ASSERT_NOT_EQUAL(identity_decode(&back, slice_of(text, len)), E_OK);
		text[i] ^= 1;
		CU_ASSERT_NOT_EQUAL(identity_decode(&back, slice_of(text, i)), E_OK);
	}
	CU_ASSERT_FALSE(identity_name_valid("", 10));
	CU_ASSERT_FALSE(identity_name_valid("a b", 10));
	CU_ASSERT_FALSE(identity_name_valid("a\nb", 10));
	CU_ASSERT_FALSE(identity_name_valid("01234567890", 10));
	CU_ASSERT_TRUE(identity_name_valid("0123456789", 10));
}

static void a_commit_of_another_salt_or_place_is_none(void)
{
	static const uint8_t entries[] = {0, 3, 'a', 'b', 'c', 0, 1, 'd'};
	struct slice body = slice_of(entries, sizeof(entries));
	struct commit_head head = {.bytes = sizeof(entries), .first = 10, .count = 2, .durable = 64};
	struct commit_head back;
	struct raw_key key = {.first = 10};
	uint8_t bytes[COMMIT_HEAD_LEN];
	commit_head_encode(bytes, &head, 7, body);
	CU_ASSERT_TRUE(commit_head_decode(&back, bytes, key, 64));
	CU_ASSERT_TRUE(commit_check(&back, bytes, 7, body));
	CU_ASSERT_FALSE(commit_check(&back, bytes, 8, body));
	CU_ASSERT_FALSE(commit_head_decode(&back, bytes, (struct raw_key){.first = 11}, 64));
	CU_ASSERT_FALSE(commit_head_decode(&back, bytes,
	                                   (struct raw_key){.first = 10 + SEGMENT_ENTRIES}, 64));
	CU_ASSERT_FALSE(commit_head_decode(&back, bytes, key, 63));
}

/* The CRC is right, the lengths inside lie. */
static void entries_have_to_fill_their_commit_exactly(void)
{
	static const uint8_t lies[][8] = {
		{0, 3, 'a', 'b', 'c', 0, 2, 'd'}, /* beyond the end */
		{0, 3, 'a', 'b', 'c', 0, 0, 'd'}, /* an empty one */
		{0, 6, 'a', 'b', 'c', 0, 1, 'd'}, /* one, where two were said */
		{0, 5, 'a', 'b', 'c', 0, 1, 'd'}, /* a byte too many */
	};
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct slice body = slice_of(lies[i], 8);
		struct commit_head head = {.bytes = 8, .first = 0, .count = 2, .durable = 64};
		uint8_t bytes[COMMIT_HEAD_LEN];
		commit_head_encode(bytes, &head, 7, body);
		CU_ASSERT_TRUE(commit_head_decode(&head, bytes, (struct raw_key){0}, 64));
		CU_ASSERT_FALSE(commit_check(&head, bytes, 7, body));
	}
}

static const struct unit_test tests[] = {
	{"names sort as the log and have one spelling", names_sort_as_the_log_and_have_one_spelling},
	{"every flipped bit of a header or tip is noticed",
         every_flipped_bit_of_a_header_or_tip_is_noticed},
	{"a newer version is told from damage", a_newer_version_is_told_from_damage},
	{"identity survives and notices every changed byte",
         identity_survives_and_notices_every_changed_byte},
	{"a commit of another salt or place is none", a_commit_of_another_salt_or_place_is_none},
	{"entries have to fill their commit exactly", entries_have_to_fill_their_commit_exactly},
};
UNIT_MAIN("journal/format", tests)
