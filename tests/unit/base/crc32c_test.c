#include "base/crc32c.h"

#include <string.h>

#include "unit.h"

/* Bit by bit from the definition: what both the table and the processor have to agree with. */
static uint32_t by_definition(uint32_t crc, const uint8_t *p, size_t n)
{
	crc = ~crc;
	for (; n > 0; n--) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++) {
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
		}
	}
	return ~crc;
}

static void known_values_come_out(void)
{
	uint8_t bytes[32];
	CU_ASSERT_EQUAL(crc32c(0, "123456789", 9), 0xe3069283u);
	CU_ASSERT_EQUAL(crc32c(0, "", 0), 0);
	/* RFC 3720 B.4 */
	memset(bytes, 0, sizeof(bytes));
	CU_ASSERT_EQUAL(crc32c(0, bytes, sizeof(bytes)), 0x8a9136aau);
	memset(bytes, 0xff, sizeof(bytes));
	CU_ASSERT_EQUAL(crc32c(0, bytes, sizeof(bytes)), 0x62a8ab43u);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = (uint8_t)i;
	}
	CU_ASSERT_EQUAL(crc32c(0, bytes, sizeof(bytes)), 0x46dd794eu);
}

static void parts_give_what_the_whole_gives(void)
{
	uint8_t bytes[300];
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = (uint8_t)(i * 167 + 13);
	}
	uint32_t whole = crc32c(0, bytes, sizeof(bytes));
	for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
		uint32_t crc = crc32c(0, bytes, cut);
		CU_ASSERT_EQUAL(crc32c(crc, bytes + cut, sizeof(bytes) - cut), whole);
	}
}

static void every_length_and_alignment_follows_the_definition(void)
{
	uint8_t bytes[80];
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = (uint8_t)(i * 31 + 7);
	}
	for (size_t from = 0; from < 8; from++) {
		for (size_t n = 0; from + n <= sizeof(bytes); n++) {
			CU_ASSERT_EQUAL(crc32c(5, bytes + from, n),
			                by_definition(5, bytes + from, n));
		}
	}
}

static const struct unit_test tests[] = {
	{"known values come out", known_values_come_out},
	{"parts give what the whole gives", parts_give_what_the_whole_gives},
	{"every length and alignment follows the definition",
         every_length_and_alignment_follows_the_definition},
};
UNIT_MAIN("base/crc32c", tests)
