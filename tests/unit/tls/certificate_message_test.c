#include "tls/certificate_message.h"

#include <stdlib.h>

#include "base/err.h"
#include "unit.h"

#define TWO_12 \
	"\x00\x00\x09" \
	"\x00\x00\x01" \
	"A" \
	"\x00\x00\x02" \
	"BC"
#define TWO_13 \
	"\x00" \
	"\x00\x00\x0f" \
	"\x00\x00\x01" \
	"A" \
	"\x00\x02xx" \
	"\x00\x00\x02" \
	"BC" \
	"\x00\x00"

static void both_versions_are_split(void)
{
	struct slice der[4];
	size_t count = 4;
	CU_ASSERT_EQUAL(certificate_message_parse(der, &count, SLICE(TWO_12), false), E_OK);
	CU_ASSERT_EQUAL(count, 2);
	CU_ASSERT(slice_equal(der[0], SLICE("A")));
	CU_ASSERT(slice_equal(der[1], SLICE("BC")));
	count = 4;
	CU_ASSERT_EQUAL(certificate_message_parse(der, &count, SLICE(TWO_13), true), E_OK);
	CU_ASSERT_EQUAL(count, 2);
	CU_ASSERT(slice_equal(der[1], SLICE("BC")));
}

static void none_is_none(void)
{
	struct slice der[1];
	size_t count = 1;
	CU_ASSERT_EQUAL(certificate_message_parse(der, &count, SLICE("\x00\x00\x00"), false), E_OK);
	CU_ASSERT_EQUAL(count, 0);
	count = 1;
	CU_ASSERT_EQUAL(certificate_message_parse(der, &count, SLICE("\x00\x00\x00\x00"), true),
	                E_OK);
	CU_ASSERT_EQUAL(count, 0);
}

static void more_than_fit_is_a_limit(void)
{
	struct slice der[1];
	size_t count = 1;
	CU_ASSERT_EQUAL(certificate_message_parse(der, &count, SLICE(TWO_12), false), E_LIMIT);
}

static void empty_entries_are_refused(void)
{
	struct slice der[2];
	size_t count = 2;
	CU_ASSERT_EQUAL(
		certificate_message_parse(der, &count, SLICE("\x00\x00\x03\x00\x00\x00"), false),
		E_INVALID);
}

static void refuse_every_prefix(struct slice message, bool tls13)
{
	for (size_t len = 0; len < message.len; len++) {
		uint8_t *copy = malloc(len + (len == 0));
		memcpy(copy, message.data, len);
		struct slice der[4];
		size_t count = 4;
		CU_ASSERT_EQUAL(certificate_message_parse(der, &count, slice_of(copy, len), tls13),
		                E_INVALID);
		free(copy);
	}
}

static void every_prefix_is_refused(void)
{
	refuse_every_prefix(SLICE(TWO_12), false);
	refuse_every_prefix(SLICE(TWO_13), true);
}

static const struct unit_test tests[] = {
	{"both versions are split", both_versions_are_split},
	{"none is none", none_is_none},
	{"more than fit is a limit", more_than_fit_is_a_limit},
	{"empty entries are refused", empty_entries_are_refused},
	{"every prefix is refused", every_prefix_is_refused},
};
UNIT_MAIN("tls/certificate_message", tests)
