#include "event/json.h"

#include "base/err.h"
#include "unit.h"

/* The encoded text of a string, without its quotes. */
static bool escapes_to(struct slice text, const char *expected)
{
	uint8_t out[JSON_TEXT_MAX];
	size_t used;
	size_t len = json_escape(out, sizeof(out), text, &used);
	bool same = used == text.len && slice_equal(slice_of(out, len), slice_text(expected));
	if (!same) {
		printf("\n%.*s instead of %s\n", (int)len, (const char *)out, expected);
	}
	return same;
}

static void plain_text_stays_as_it_is(void)
{
	CU_ASSERT(escapes_to(SLICE(""), ""));
	CU_ASSERT(escapes_to((struct slice){NULL, 0}, ""));
	CU_ASSERT(escapes_to(SLICE("a"), "a"));
	CU_ASSERT(
		escapes_to(SLICE("CN=acme-7,O=Acme ~!#[]^_`{|}"), "CN=acme-7,O=Acme ~!#[]^_`{|}"));
}

/* In a run of any length, so that each way through the copying is gone. */
static void every_byte_comes_out_as_ascii_at_every_place(void)
{
	for (unsigned byte = 0; byte < 256; byte++) {
		char expected[8];
		if (byte == '"' || byte == '\\') {
			snprintf(expected, sizeof(expected), "\\%c", byte);
		} else if (byte == 0 || byte >= 0x80) {
			snprintf(expected, sizeof(expected), "\\\\%02x", byte);
		} else if (byte < 0x20 || byte == 0x7f) {
			snprintf(expected, sizeof(expected), "\\u%04x", byte);
		} else {
			snprintf(expected, sizeof(expected), "%c", byte);
		}
		for (size_t at = 0; at < 20; at++) {
			uint8_t text[20];
			char whole[64];
			memset(text, 'x', sizeof(text));
			text[at] = (uint8_t)byte;
			snprintf(whole, sizeof(whole), "%.*s%s%.*s", (int)at, "xxxxxxxxxxxxxxxxxxxx",
			         expected, (int)(19 - at), "xxxxxxxxxxxxxxxxxxxx");
			CU_ASSERT(escapes_to(slice_of(text, sizeof(text)), whole));
		}
	}
}

static void valid_utf8_becomes_utf16_escapes(void)
{
	CU_ASSERT(escapes_to(SLICE("Z\xc3\xbcrich"), "Z\\u00fcrich"));
	CU_ASSERT(escapes_to(SLICE("\xc2\x80\xdf\xbf"), "\\u0080\\u07ff"));
	CU_ASSERT(escapes_to(SLICE("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"),
	                     "\\u0800\\ud7ff\\ue000\\uffff"));
	CU_ASSERT(escapes_to(SLICE("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"),
	                     "\\ud800\\udc00\\udbff\\udfff"));
}

/* RFC 3629 3 and 4 */
static void what_is_no_utf8_is_shown_byte_by_byte(void)
{
	CU_ASSERT(escapes_to(SLICE("\xc0\xaf"), "\\\\c0\\\\af"));           /* overlong slash */
	CU_ASSERT(escapes_to(SLICE("\xe0\x80\xaf"), "\\\\e0\\\\80\\\\af")); /* and longer */
	CU_ASSERT(escapes_to(SLICE("\xf0\x80\x80\xaf"), "\\\\f0\\\\80\\\\80\\\\af"));
	CU_ASSERT(escapes_to(SLICE("\xed\xa0\x80"), "\\\\ed\\\\a0\\\\80")); /* surrogate */
	CU_ASSERT(escapes_to(SLICE("\xf4\x90\x80\x80"),
	                     "\\\\f4\\\\90\\\\80\\\\80")); /* beyond U+10FFFF */
	CU_ASSERT(escapes_to(SLICE("\xf5\x80\x80\x80"), "\\\\f5\\\\80\\\\80\\\\80"));
	CU_ASSERT(escapes_to(SLICE("\xe2\x82"), "\\\\e2\\\\82")); /* ends too early */
	CU_ASSERT(escapes_to(SLICE("\xe2\x82\x41"), "\\\\e2\\\\82A"));
	CU_ASSERT(escapes_to(SLICE("\x80\xc3\xbc"), "\\\\80\\u00fc"));
}

static void a_cut_is_never_inside_an_escape(void)
{
	static const char *const units[] = {
		"\xf0\x9f\x94\x92", "\xc3\xbc", "\xff", "\"", "\n", "a"};
	static const size_t encoded[] = {12, 6, 4, 2, 6, 1};
	for (size_t u = 0; u < sizeof(encoded) / sizeof(encoded[0]); u++) {
		size_t unit_len = strlen(units[u]);
		for (size_t shift = 0; shift < 13; shift++) {
			uint8_t text[2 * JSON_TEXT_MAX];
			size_t len = shift;
			memset(text, 'x', shift);
			while (len + unit_len <= sizeof(text)) {
				memcpy(text + len, units[u], unit_len);
				len += unit_len;
			}
			uint8_t out[JSON_TEXT_MAX];
			size_t used;
			size_t n = json_escape(out, sizeof(out), slice_of(text, len), &used);
			size_t whole_units = (sizeof(out) - shift) / encoded[u];
			CU_ASSERT_EQUAL(n, shift + whole_units * encoded[u]);
			CU_ASSERT_EQUAL(used, shift + whole_units * unit_len);
		}
	}
}

static void objects_without_members_vanish(void)
{
	struct buf b;
	struct json j;
	buf_init(&b, 1000);
	json_begin(&j, &b, 1000);
	struct json_mark whole = json_open(&j, "{", 1);
	struct json_mark first = json_open(&j, "\"a\":{", 5);
	struct json_mark inner = json_open(&j, "\"b\":[", 5);
	CU_ASSERT(!json_close(&j, inner, ']'));
	CU_ASSERT(!json_close(&j, first, '}'));
	json_raw(&j, "\"c\":", 4);
	json_i64(&j, -1);
	struct json_mark last = json_open(&j, "\"d\":{", 5);
	CU_ASSERT(!json_close(&j, last, '}'));
	CU_ASSERT(json_close(&j, whole, '}'));
	CU_ASSERT_EQUAL(json_finish(&j), E_OK);
	CU_ASSERT(slice_equal(buf_slice(&b), SLICE("{\"c\":-1}")));
	buf_release(&b);
}

static void values_keep_their_ends(void)
{
	struct buf b;
	struct json j;
	buf_init(&b, 1000);
	json_begin(&j, &b, 1000);
	json_u64(&j, UINT64_MAX);
	json_i64(&j, INT64_MIN);
	json_u64_text(&j, 0);
	json_bool(&j, true);
	json_bool(&j, false);
	json_hex(&j, SLICE("\x00\xab"));
	json_time(&j, 0);
	CU_ASSERT_EQUAL(json_finish(&j), E_OK);
	CU_ASSERT(slice_equal(
		buf_slice(&b),
		SLICE("18446744073709551615,-9223372036854775808,\"0\",true,false,\"00AB\","
	              "\"1970-01-01T00:00:00.000000Z\"")));
	buf_release(&b);
}

/* The same values into every smaller limit: nothing is written beyond it, and the length is
 * always the true one. */
static void beyond_the_limit_bytes_are_counted(void)
{
	size_t full = 0;
	for (size_t limit = 200; limit > 0; limit--) {
		uint8_t memory[256];
		memset(memory, 0xee, sizeof(memory));
		struct buf b;
		struct json j;
		buf_init_fixed(&b, memory, sizeof(memory));
		buf_append_text(&b, "before");
		json_begin(&j, &b, limit);
		struct json_mark whole = json_open(&j, "{", 1);
		json_raw(&j, "\"text\":", 7);
		json_text(&j, SLICE("one \"two\" \xc3\xbc three four five six"));
		struct json_mark empty = json_open(&j, "\"nothing\":{", 11);
		json_close(&j, empty, '}');
		json_raw(&j, "\"n\":", 4);
		json_u64(&j, 12345);
		struct json_mark array = json_open(&j, "\"hex\":[", 7);
		json_hex(&j, SLICE("\x01\x02"));
		json_close(&j, array, ']');
		json_close(&j, whole, '}');
		if (full == 0) {
			full = json_total(&j) - 1; /* without its last comma */
		}
		CU_ASSERT_EQUAL(json_total(&j), full + 1);
		CU_ASSERT_EQUAL(json_finish(&j), limit < full ? E_LIMIT : E_OK);
		CU_ASSERT_EQUAL(b.len, limit < full ? 6 : 6 + full);
		for (size_t i = 6 + limit; i < sizeof(memory); i++) {
			CU_ASSERT_EQUAL(memory[i], 0xee);
		}
	}
}

static void a_failed_buf_stays_as_it_was(void)
{
	struct buf b;
	struct json j;
	buf_init(&b, 10);
	buf_append_text(&b, "abc");
	b.err = E_NOMEM;
	json_begin(&j, &b, 10);
	json_text(&j, SLICE("x"));
	CU_ASSERT_EQUAL(json_finish(&j), E_NOMEM);
	CU_ASSERT_EQUAL(b.len, 3);
	buf_release(&b);
}

static const struct unit_test tests[] = {
	{"plain text stays as it is", plain_text_stays_as_it_is},
	{"every byte comes out as ASCII at every place",
         every_byte_comes_out_as_ascii_at_every_place},
	{"valid UTF-8 becomes UTF-16 escapes", valid_utf8_becomes_utf16_escapes},
	{"what is no UTF-8 is shown byte by byte", what_is_no_utf8_is_shown_byte_by_byte},
	{"a cut is never inside an escape", a_cut_is_never_inside_an_escape},
	{"objects without members vanish", objects_without_members_vanish},
	{"values keep their ends", values_keep_their_ends},
	{"beyond the limit bytes are counted", beyond_the_limit_bytes_are_counted},
	{"a failed buf stays as it was", a_failed_buf_stays_as_it_was},
};
UNIT_MAIN("event/json", tests)
