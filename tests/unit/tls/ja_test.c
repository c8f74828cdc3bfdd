#include "tls/ja.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "tls/hello_parse.h"
#include "unit.h"

/* A list of two-byte numbers in network order, from numbers. */
struct list {
	size_t len;
	uint8_t bytes[70000];
};

static void put(struct list *l, unsigned n)
{
	l->bytes[l->len++] = (uint8_t)(n >> 8);
	l->bytes[l->len++] = (uint8_t)n;
}

/* From "1301,1302": hexadecimal, or decimal with a '-' between them. */
static void put_all(struct list *l, const char *text, int base)
{
	while (*text != '\0') {
		char *end;
		put(l, (unsigned)strtoul(text, &end, base));
		text = *end == '\0' ? end : end + 1;
	}
}

/* Extensions of these types, all of them empty. */
static void put_extensions(struct list *l, const char *text, int base)
{
	while (*text != '\0') {
		char *end;
		put(l, (unsigned)strtoul(text, &end, base));
		put(l, 0);
		text = *end == '\0' ? end : end + 1;
	}
}

static struct slice list_slice(const struct list *l)
{
	return slice_of(l->bytes, l->len);
}

static bool ja3_of(char text[static JA3_MAX], const struct ja_hello *hello)
{
	ja3(text, hello);
	return strlen(text) == JA3_MAX - 1;
}

static bool ja3_is(const struct ja_hello *hello, const char *expected)
{
	char text[JA3_MAX];
	ja3(text, hello);
	if (strcmp(text, expected) != 0) {
		printf("\n%s instead of %s\n", text, expected);
	}
	return strcmp(text, expected) == 0;
}

static bool ja4_is(const struct ja_hello *hello, const char *expected)
{
	char text[JA4_MAX];
	ja4(text, hello);
	if (strcmp(text, expected) != 0) {
		printf("\n%s instead of %s\n", text, expected);
	}
	return strcmp(text, expected) == 0;
}

/* --- published values --- */

static int nibble(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* A line of vectors.txt: name, capture, JA3, JA4, message. */
static bool vector_holds(char *line)
{
	char *save;
	const char *name = strtok_r(line, " \n", &save);
	strtok_r(NULL, " \n", &save);
	const char *expected3 = strtok_r(NULL, " \n", &save);
	const char *expected4 = strtok_r(NULL, " \n", &save);
	const char *hex = strtok_r(NULL, " \n", &save);
	CU_ASSERT_PTR_NOT_NULL_FATAL(hex);
	size_t len = strlen(hex) / 2;
	uint8_t *message = malloc(len);
	for (size_t i = 0; i < len; i++) {
		message[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
	}
	struct hello hello;
	struct hello_offer offer;
	CU_ASSERT_EQUAL(hello_parse(&hello, &offer, slice_of(message + 4, len - 4)), E_OK);
	bool holds = strcmp(hello.ja4, expected4) == 0 &&
	             (strcmp(expected3, "-") == 0 || strcmp(hello.ja3, expected3) == 0);
	if (!holds) {
		printf("\n%s: %s %s\n", name, hello.ja3, hello.ja4);
	}
	CU_ASSERT_EQUAL(strlen(hello.ja3), 32);
	free(message);
	return holds;
}

static void well_known_clients_have_their_published_fingerprints(void)
{
	char path[4096];
	char line[8192];
	const char *srcdir = getenv("srcdir");
	snprintf(path, sizeof(path), "%s/tests/data/ja/vectors.txt", srcdir != NULL ? srcdir : ".");
	FILE *file = fopen(path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	unsigned count = 0;
	while (fgets(line, sizeof(line), file) != NULL) {
		if (line[0] != '#') {
			count++;
			CU_ASSERT(vector_holds(line));
		}
	}
	fclose(file);
	CU_ASSERT(count >= 10);
}

/* README.md of salesforce/ja3. */
static void the_examples_of_ja3_hold(void)
{
	struct list suites = {0};
	struct list extensions = {0};
	struct list groups = {0};
	put_all(&suites, "47-53-5-10-49161-49162-49171-49172-50-56-19-4", 10);
	put_extensions(&extensions, "0-10-11", 10);
	put_all(&groups, "23-24-25", 10);
	struct ja_hello hello = {
		.version = 769,
		.suites = list_slice(&suites),
		.extensions = list_slice(&extensions),
		.groups = list_slice(&groups),
		.formats = SLICE("\0"),
	};
	CU_ASSERT(ja3_is(&hello, "ada70206e40642a3e4461f35503241d5"));

	suites.len = 0;
	put_all(&suites, "4-5-10-9-100-98-3-6-19-18-99", 10);
	hello = (struct ja_hello){.version = 769, .suites = list_slice(&suites)};
	CU_ASSERT(ja3_is(&hello, "de350869b8c85de67a350c8d186f11e6"));
}

static const char spec_suites[] =
	"1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035";
static const char spec_extensions[] =
	"001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015";
static const char spec_signatures[] = "0403,0804,0401,0503,0805,0501,0806,0601";

/* The example of FoxIO's JA4.md, with lists of the caller's. */
static struct ja_hello spec_hello(struct list lists[static 3])
{
	memset(lists, 0, 3 * sizeof(*lists));
	put_all(&lists[0], spec_suites, 16);
	put_extensions(&lists[1], spec_extensions, 16);
	put_all(&lists[2], spec_signatures, 16);
	return (struct ja_hello){
		.version = 0x0303,
		.versions = SLICE("\x03\x04\x03\x03"),
		.suites = list_slice(&lists[0]),
		.extensions = list_slice(&lists[1]),
		.signatures = list_slice(&lists[2]),
		.alpn = SLICE("\x02h2\x08http/1.1"),
	};
}

static struct list lists[3];

static void the_example_of_ja4_holds(void)
{
	struct ja_hello hello = spec_hello(lists);
	CU_ASSERT(ja4_is(&hello, "t13d1516h2_8daaf6152771_e5627efa2ab1"));
	hello.signatures = (struct slice){0};
	CU_ASSERT(ja4_is(&hello, "t13d1516h2_8daaf6152771_6d807ffa2a79"));
}

/* --- the rules --- */

static void grease_changes_neither(void)
{
	struct ja_hello hello = spec_hello(lists);
	char before[JA3_MAX];
	CU_ASSERT(ja3_of(before, &hello));
	static struct list greased[3];
	memset(greased, 0, sizeof(greased));
	put_all(&greased[0], "0a0a,", 16);
	put_all(&greased[0], spec_suites, 16);
	put_all(&greased[0], "fafa", 16);
	put_extensions(&greased[1], "1a1a,", 16);
	put_extensions(&greased[1], spec_extensions, 16);
	put_extensions(&greased[1], "eaea", 16);
	put_all(&greased[2], "2a2a,", 16);
	put_all(&greased[2], spec_signatures, 16);
	hello.versions = SLICE("\xba\xba\x03\x04\x03\x03");
	hello.groups = SLICE("\xca\xca");
	hello.suites = list_slice(&greased[0]);
	hello.extensions = list_slice(&greased[1]);
	hello.signatures = list_slice(&greased[2]);
	CU_ASSERT(ja4_is(&hello, "t13d1516h2_8daaf6152771_e5627efa2ab1"));
	CU_ASSERT(ja3_is(&hello, before));
	/* Not one of them: RFC 8701 2 has sixteen. */
	hello.groups = SLICE("\x0a\x1a");
	char after[JA3_MAX];
	CU_ASSERT(ja3_of(after, &hello) && strcmp(before, after) != 0);
}

static void order_counts_in_ja3_alone(void)
{
	struct ja_hello hello = spec_hello(lists);
	char before[JA3_MAX];
	char after[JA3_MAX];
	ja3(before, &hello);
	for (size_t i = 0; i < 2; i++) {
		uint8_t byte = lists[0].bytes[i];
		lists[0].bytes[i] = lists[0].bytes[i + 2];
		lists[0].bytes[i + 2] = byte;
	}
	ja3(after, &hello);
	CU_ASSERT(strcmp(before, after) != 0);
	CU_ASSERT(ja4_is(&hello, "t13d1516h2_8daaf6152771_e5627efa2ab1"));
}

/* JA4.md, "ALPN Extension Value". */
static void the_first_protocol_is_two_characters(void)
{
	static const struct {
		struct slice alpn;
		const char *expected;
	} rows[] = {
		{SLICE(""), "00"},
		{SLICE("\x02h2\x08http/1.1"), "h2"},
		{SLICE("\x08http/1.1"), "h1"},
		{SLICE("\x01x"), "xx"},
		{SLICE("\x01\xab"), "ab"},
		{SLICE("\x01\x20"), "20"},
		{SLICE("\x02\xab\xcd"), "ad"},
		{SLICE("\x02\x20\x61"), "21"},
		{SLICE("\x02\x30\xab"), "3b"},
		{SLICE("\x02\x61\x20"), "60"},
		{SLICE("\x04\x30\x31\xab\xcd"), "3d"},
		{SLICE("\x04\x30\xab\xcd\x31"), "01"},
		{SLICE("\x05h2"), "00"},
		{SLICE("\x00"), "00"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ja_hello hello = spec_hello(lists);
		hello.alpn = rows[i].alpn;
		char text[JA4_MAX];
		ja4(text, &hello);
		CU_ASSERT_EQUAL(strlen(text), JA4_MAX - 1);
		CU_ASSERT_NSTRING_EQUAL(text + 8, rows[i].expected, 2);
		CU_ASSERT_STRING_EQUAL(text + 10, "_8daaf6152771_e5627efa2ab1");
	}
}

static void the_highest_version_counts(void)
{
	static const struct {
		uint16_t legacy;
		struct slice versions;
		const char *expected;
	} rows[] = {
		{0x0303, SLICE("\x03\x03\x03\x04\x03\x02"), "13"},
		{0x0304, SLICE("\x03\x03"), "12"},
		{0x0303, {NULL, 0}, "12"},
		{0x0302, {NULL, 0}, "11"},
		{0x0301, {NULL, 0}, "10"},
		{0x0300, {NULL, 0}, "s3"},
		{0x0002, {NULL, 0}, "s2"},
		{0xfeff, {NULL, 0}, "d1"},
		{0xfefd, {NULL, 0}, "d2"},
		{0xfefc, {NULL, 0}, "d3"},
		{0x1234, {NULL, 0}, "00"},
		{0x0303, SLICE("\x0a\x0a"), "00"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ja_hello hello = spec_hello(lists);
		hello.version = rows[i].legacy;
		hello.versions = rows[i].versions;
		char text[JA4_MAX];
		ja4(text, &hello);
		CU_ASSERT_NSTRING_EQUAL(text + 1, rows[i].expected, 2);
	}
}

static void nothing_is_no_hash_of_nothing(void)
{
	struct ja_hello hello = {.version = 0x0303, .suites = SLICE("\x0a\x0a")};
	CU_ASSERT(ja4_is(&hello, "t12i000000_000000000000_000000000000"));
	/* A name and a protocol are in the first part already. */
	struct list extensions = {0};
	put_extensions(&extensions, "0000,0010", 16);
	hello.extensions = list_slice(&extensions);
	hello.signatures = SLICE("\x04\x03");
	hello.alpn = SLICE("\x02h2");
	CU_ASSERT(ja4_is(&hello, "t12d0002h2_000000000000_000000000000"));
}

/* --- much of it --- */

static void long_lists_are_counted_as_99_and_hashed_whole(void)
{
	static struct list up;
	static struct list down;
	up.len = down.len = 0;
	for (unsigned i = 0; i < 400; i++) {
		put(&up, i);
		put(&down, 399 - i);
	}
	struct ja_hello hello = {.version = 0x0303, .suites = list_slice(&up)};
	CU_ASSERT(ja3_is(&hello, "d053f51dec76a4a9f5312c67f8db6fd0"));
	CU_ASSERT(ja4_is(&hello, "t12i990000_bfe6a6711f94_000000000000"));
	hello.suites = list_slice(&down);
	CU_ASSERT(ja4_is(&hello, "t12i990000_bfe6a6711f94_000000000000"));
}

static void more_than_anybody_sends_has_no_ja4(void)
{
	static struct list many;
	many.len = 0;
	for (unsigned i = 0; i < JA_CODES_MAX; i++) {
		put(&many, 7);
	}
	struct ja_hello hello = {.version = 0x0303, .suites = list_slice(&many)};
	CU_ASSERT(ja4_is(&hello, "t12i990000_3a2cf220d6a7_000000000000"));
	put(&many, 7);
	hello.suites = list_slice(&many);
	CU_ASSERT(ja4_is(&hello, ""));
	char text[JA3_MAX];
	CU_ASSERT(ja3_of(text, &hello));
	while (many.len < 65534) {
		put(&many, 0xffff);
	}
	hello.suites = list_slice(&many);
	CU_ASSERT(ja4_is(&hello, ""));
	CU_ASSERT(ja3_of(text, &hello));

	many.len = 0;
	for (unsigned i = 0; i <= JA_CODES_MAX; i++) {
		put(&many, 9);
		put(&many, 0);
	}
	hello.suites = SLICE("\x13\x01");
	hello.extensions = list_slice(&many);
	CU_ASSERT(ja4_is(&hello, ""));
}

static void malformed_extensions_have_no_fingerprint(void)
{
	struct ja_hello hello = spec_hello(lists);
	size_t len = hello.extensions.len;
	/* Each of them takes 4 bytes. */
	for (size_t cut = 0; cut < len; cut++) {
		/* An exact copy, so that a sanitizer sees a byte read behind it. */
		uint8_t *copy = malloc(cut + (cut == 0));
		memcpy(copy, lists[1].bytes, cut);
		hello.extensions = slice_of(copy, cut);
		char text3[JA3_MAX];
		char text4[JA4_MAX];
		ja3(text3, &hello);
		ja4(text4, &hello);
		CU_ASSERT_EQUAL(strlen(text3), cut % 4 == 0 ? 32 : 0);
		CU_ASSERT_EQUAL(strlen(text4), cut % 4 == 0 ? JA4_MAX - 1 : 0);
		free(copy);
	}
}

static void a_malformed_hello_has_no_fingerprint(void)
{
	/* Version 1.2, one suite, one extension without content. */
	uint8_t body[64] = {3, 3};
	static const uint8_t rest[] = {0, 0, 2, 0x13, 0x01, 1, 0, 0, 4, 0, 23, 0, 0};
	memcpy(body + 34, rest, sizeof(rest));
	size_t len = 34 + sizeof(rest);
	struct hello hello;
	struct hello_offer offer;
	CU_ASSERT_EQUAL(hello_parse(&hello, &offer, slice_of(body, len - 1)), E_INVALID);
	CU_ASSERT_STRING_EQUAL(hello.ja3, "");
	CU_ASSERT_STRING_EQUAL(hello.ja4, "");
	CU_ASSERT_EQUAL(hello_parse(&hello, &offer, slice_of(body, len)), E_OK);
	CU_ASSERT_NSTRING_EQUAL(hello.ja4, "t12i010100_", 11);
}

static const struct unit_test tests[] = {
	{"well-known clients have their published fingerprints",
         well_known_clients_have_their_published_fingerprints},
	{"the examples of JA3 hold", the_examples_of_ja3_hold},
	{"the example of JA4 holds", the_example_of_ja4_holds},
	{"GREASE changes neither", grease_changes_neither},
	{"order counts in JA3 alone", order_counts_in_ja3_alone},
	{"the first protocol is two characters", the_first_protocol_is_two_characters},
	{"the highest version counts", the_highest_version_counts},
	{"nothing is no hash of nothing", nothing_is_no_hash_of_nothing},
	{"long lists are counted as 99 and hashed whole",
         long_lists_are_counted_as_99_and_hashed_whole},
	{"more than anybody sends has no JA4", more_than_anybody_sends_has_no_ja4},
	{"malformed extensions have no fingerprint", malformed_extensions_have_no_fingerprint},
	{"a malformed hello has no fingerprint", a_malformed_hello_has_no_fingerprint},
};
UNIT_MAIN("tls/ja", tests)
