#include "config/value.h"

#include <stdio.h>
#include <string.h>

#include "config/options.h"
#include "config/quote.h"
#include "unit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct number {
	const char *text;
	int64_t value; /* -1: refused */
};

static void check_numbers(const struct number *cases, size_t count,
                          bool (*read)(const char *, int64_t *))
{
	for (size_t i = 0; i < count; i++) {
		int64_t got = -2;
		bool good = read(cases[i].text, &got);
		if (good != (cases[i].value != -1) || (good && got != cases[i].value)) {
			fprintf(stderr, "\n%s: %d %lld\n", cases[i].text, good, (long long)got);
		}
		CU_ASSERT_EQUAL(good, cases[i].value != -1);
		CU_ASSERT(!good || got == cases[i].value);
	}
}

static void counts_are_digits_alone(void)
{
	static const struct number cases[] = {
		{"0", 0},
		{"10", 10},
		{"9223372036854775807", INT64_MAX},
		{"9223372036854775808", -1},
		{"", -1},
		{"-1", -1},
		{"+1", -1},
		{"1 ", -1},
		{" 1", -1},
		{"1_000", -1},
		{"0x1", -1},
		{"1e3", -1},
		{"1.0", -1},
	};
	check_numbers(cases, COUNT(cases), value_count);
}

static void sizes_have_a_binary_unit(void)
{
	static const struct number cases[] = {
		{"1B", 1},      {"64KiB", 65536}, {"2MiB", 2097152}, {"3GiB", 3221225472},
		{"0B", 0},      {"64", -1},       {"64K", -1},       {"64kib", -1},
		{"64 KiB", -1}, {"KiB", -1},      {"1.5KiB", -1},    {"8589934592GiB", -1},
		{"64KiBs", -1},
	};
	check_numbers(cases, COUNT(cases), value_size);
}

static void durations_have_a_unit(void)
{
	static const struct number cases[] = {
		{"1ms", 1},
		{"2s", 2000},
		{"3m", 180000},
		{"4h", 14400000},
		{"7d", 604800000},
		{"0s", 0},
		{"5", -1},
		{"5 s", -1},
		{"5S", -1},
		{"1w", -1},
		{"1h30m", -1},
		{"-1s", -1},
		{"106751991168d", -1},
		{"ms", -1},
	};
	check_numbers(cases, COUNT(cases), value_duration);
}

static void dates_are_days_or_seconds_in_utc(void)
{
	static const struct number cases[] = {
		{"1970-01-01", 0},
		{"2027-01-31", 1801353600},
		{"2027-01-31T12:34:56Z", 1801398896},
		{"2028-02-29", 1835395200},
		{"2027-02-29", -1},
		{"2027-13-01", -1},
		{"2027-00-01", -1},
		{"2027-1-31", -1},
		{"2027-01-31T12:34:56", -1},
		{"2027-01-31T12:34:56+01:00", -1},
		{"2027-01-31T24:00:00Z", -1},
		{"2027-01-31T23:59:60Z", -1},
		{"1969-12-31", -1},
		{"", -1},
		{"2027-01-31Z", -1},
		{" 027-01-31", -1},
	};
	check_numbers(cases, COUNT(cases), value_date);
}

static void modes_are_octal(void)
{
	static const struct number cases[] = {
		{"0660", 0660}, {"660", 0660}, {"777", 0777}, {"0680", -1},
		{"66", -1},     {"00660", -1}, {"rw-", -1},   {"", -1},
	};
	check_numbers(cases, COUNT(cases), value_mode);
}

static void numbers_print_in_the_largest_unit_that_divides(void)
{
	char text[VALUE_TEXT_MAX];
	CU_ASSERT_STRING_EQUAL(value_print_size(text, 65536), "64KiB");
	CU_ASSERT_STRING_EQUAL(value_print_size(text, 65537), "65537B");
	CU_ASSERT_STRING_EQUAL(value_print_size(text, 0), "0B");
	CU_ASSERT_STRING_EQUAL(value_print_duration(text, 300000), "5m");
	CU_ASSERT_STRING_EQUAL(value_print_duration(text, 1500), "1500ms");
	CU_ASSERT_STRING_EQUAL(value_print_duration(text, 86400000), "1d");
	CU_ASSERT_STRING_EQUAL(value_print_date(text, 1801353600), "2027-01-31");
	CU_ASSERT_STRING_EQUAL(value_print_date(text, 1801398896), "2027-01-31T12:34:56Z");
}

struct shape {
	const char *text;
	bool good;
};

static void check_shapes(enum value_format format, const struct shape *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char text[512];
		snprintf(text, sizeof(text), "%s", cases[i].text);
		const char *why = value_check(format, text);
		if ((why == NULL) != cases[i].good) {
			fprintf(stderr, "\n%s: %s\n", cases[i].text, why == NULL ? "let in" : why);
		}
		CU_ASSERT_EQUAL(why == NULL, cases[i].good);
	}
}

static void addresses_are_host_and_port_or_a_unix_path(void)
{
	static const struct shape cases[] = {
		{"127.0.0.1:80", true},
		{"0.0.0.0:65535", true},
		{"localhost:1", true},
		{"a-b.example:443", true},
		{"[::]:443", true},
		{"[::ffff:1.2.3.4]:443", true},
		{"unix:/run/x", true},
		{"127.0.0.1", false},
		{"127.0.0.1:", false},
		{":80", false},
		{"1.2.3:80", false},
		{"1.2.3.4.5:80", false},
		{"[::1]", false},
		{"[]:80", false},
		{"[::1:80", false},
		{"::1:80", false},
		{"[fe80::1%eth0]:80", false},
		{"a b:80", false},
		{"localhost:http", false},
		{"localhost:-1", false},
		{"unix:", false},
		{"unix:/", false},
		{"unix:x", false},
		{"http://a:80", false},
		{"", false},
		{"[::1]x:80", false},
		{"a:80:80", false},
	};
	check_shapes(FORMAT_ADDRESS, cases, COUNT(cases));
}

static void purposes_are_two_words_or_an_oid(void)
{
	static const struct shape cases[] = {
		{"clientAuth", true}, {"any", true},   {"1.3.6.1.5.5.7.3.2", true},
		{"2.999", true},      {"0.39", true},  {"clientauth", false},
		{"", false},          {"1", false},    {"3.1", false},
		{"1.40", false},      {"1.3.", false}, {".1.3", false},
		{"1..3", false},      {"1.03", false}, {"1.3.4294967296", false},
		{"1.3 ", false},
	};
	check_shapes(FORMAT_PURPOSE, cases, COUNT(cases));
}

static void names_are_safe_in_ids_and_paths(void)
{
	static const struct shape cases[] = {
		{"edge-1.example_x", true},
		{"7", true},
		{"", false},
		{"-a", false},
		{".a", false},
		{"..", false},
		{"a/b", false},
		{"a b", false},
		{"\xc3\xa4", false},
		{"a+b", false},
	};
	check_shapes(FORMAT_NAME, cases, COUNT(cases));
}

static void server_names_are_host_names_with_at_most_a_first_wildcard(void)
{
	static const struct shape cases[] = {
		{"a", true},           {"a.example", true},
		{"*.a.example", true}, {"xn--mller-kva.example", true},
		{"1.example", true},   {"*", false},
		{"*.", false},         {"*.*.a", false},
		{"a.*", false},        {"*a.b", false},
		{"a_b.c", false},      {"a.b.", false},
		{".a", false},         {"1.2.3.4", false},
		{"::1", false},        {"-a.b", false},
		{"a:1", false},        {"\xc3\xa4.b", false},
	};
	check_shapes(FORMAT_SERVER_NAME, cases, COUNT(cases));
}

static void the_nearest_option_is_found_and_a_far_one_is_not(void)
{
	const struct config_option *near = option_nearest("limits", "conections");
	CU_ASSERT_PTR_NOT_NULL_FATAL(near);
	CU_ASSERT_STRING_EQUAL(near->path, "limits.connections");
	CU_ASSERT_PTR_NULL(option_nearest("limits", "xyzzy"));
	CU_ASSERT_PTR_NULL(option_nearest("limits", ""));
	CU_ASSERT_EQUAL(option_distance("kitten", "sitting"), 3);
	CU_ASSERT_EQUAL(option_distance("", "abc"), 3);
	char longest[400];
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	CU_ASSERT_PTR_NULL(option_nearest("", longest));
}

static void quoted_text_is_short_and_without_control_bytes(void)
{
	char out[QUOTE_MAX], text[400];
	CU_ASSERT_STRING_EQUAL(quote(out, "a\x1b[1m\n"), "\"a\\x1b[1m\\x0a\"");
	memset(text, '\x01', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	CU_ASSERT(strlen(quote(out, text)) < QUOTE_MAX);
	for (size_t i = 0; i + 4 < sizeof(text); i += 4) {
		memcpy(text + i, "\xf0\x9f\x98\x80", 4);
	}
	text[396] = '\0';
	const char *shown = quote(out, text);
	CU_ASSERT(strlen(shown) < QUOTE_MAX);
	/* Whole characters, then the sign of the cut. */
	CU_ASSERT_EQUAL((strlen(shown) - 5) % 4, 0);
}

static const struct unit_test tests[] = {
	{"counts are digits alone", counts_are_digits_alone},
	{"sizes have a binary unit", sizes_have_a_binary_unit},
	{"durations have a unit", durations_have_a_unit},
	{"dates are days or seconds in UTC", dates_are_days_or_seconds_in_utc},
	{"modes are octal", modes_are_octal},
	{"numbers print in the largest unit that divides",
         numbers_print_in_the_largest_unit_that_divides},
	{"addresses are host and port or a unix path", addresses_are_host_and_port_or_a_unix_path},
	{"purposes are two words or an OID", purposes_are_two_words_or_an_oid},
	{"names are safe in ids and paths", names_are_safe_in_ids_and_paths},
	{"server names are host names with at most a first wildcard",
         server_names_are_host_names_with_at_most_a_first_wildcard},
	{"the nearest option is found and a far one is not",
         the_nearest_option_is_found_and_a_far_one_is_not},
	{"quoted text is short and without control bytes",
         quoted_text_is_short_and_without_control_bytes},
};
UNIT_MAIN("config/value", tests)
