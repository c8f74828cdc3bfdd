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

static void ranges_are_one_number_or_two(void)
{
	static const struct {
		const char *text;
		int64_t from, to; /* -1: refused */
	} cases[] = {
		{"204", 204, 204},
		{"200-399", 200, 399},
		{"9-1", 9, 1},
		{"", -1, -1},
		{"-", -1, -1},
		{"200-", -1, -1},
		{"-200", -1, -1},
		{"200-299-399", -1, -1},
		{"2xx", -1, -1},
		{"200 - 299", -1, -1},
		{"9223372036854775808", -1, -1},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t from = 0, to = 0;
		bool good = value_range(cases[i].text, &from, &to);
		CU_ASSERT_EQUAL(good, cases[i].from != -1);
		CU_ASSERT(!good || (from == cases[i].from && to == cases[i].to));
	}
}

/* What a format takes, with its one form, and what it does not: NULL. */
struct text {
	const char *text;
	const char *form;
};

static void check_texts(enum value_format format, const struct text *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char text[512];
		snprintf(text, sizeof(text), "%s", cases[i].text);
		const char *why = value_check(format, text);
		if ((why == NULL) != (cases[i].form != NULL) ||
		    (why == NULL && strcmp(text, cases[i].form) != 0)) {
			fprintf(stderr, "\n%s: %s\n", cases[i].text, why == NULL ? text : why);
		}
		CU_ASSERT_EQUAL(why == NULL, cases[i].form != NULL);
		CU_ASSERT(why != NULL || cases[i].form == NULL || strcmp(text, cases[i].form) == 0);
	}
}

static void networks_are_addresses_with_bits(void)
{
	static const struct text cases[] = {
		{"10.0.0.0/8", "10.0.0.0/8"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"10.1.2.3", "10.1.2.3"},
		{"fd00::/128", "fd00::/128"},
		{"::1", "::1"},
		{"unix", "unix"},
		{"10.0.0.0/33", NULL},
		{"fd00::/129", NULL},
		{"10.0.0.0/", NULL},
		{"10.0.0.0/-1", NULL},
		{"10.0.0/8", NULL},
		{"10.0.0.0/8/8", NULL},
		{"[::1]", NULL},
		{"/8", NULL},
		{"lb.example", NULL},
		{"unix:/x", NULL},
		{"", NULL},
		{"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb/64", NULL},
	};
	check_texts(FORMAT_NETWORK, cases, COUNT(cases));
}

/* RFC 9110 5.6.2 and 7.6.1 */
static void header_names_are_tokens_that_forwarding_does_not_need(void)
{
	static const struct text cases[] = {
		{"X-Partner", "X-Partner"},
		{"x_partner", "x_partner"},
		{"!#$%&'*+-.^_`|~9", "!#$%&'*+-.^_`|~9"},
		{"X-Forwarded-User", "X-Forwarded-User"},
		{"Host2", "Host2"},
		{"", NULL},
		{"X Y", NULL},
		{"X:", NULL},
		{"X\r\nY", NULL},
		{"X\x7f", NULL},
		{"X\xc3\xa4", NULL},
		{"X(", NULL},
		{"\"X\"", NULL},
		{"Host", NULL},
		{"hOST", NULL},
		{"Content-Length", NULL},
		{"CONTENT_LENGTH", NULL},
		{"transfer-encoding", NULL},
		{"Connection", NULL},
		{"Keep-Alive", NULL},
		{"Proxy-Connection", NULL},
		{"Proxy-Authorization", NULL},
		{"TE", NULL},
		{"Trailer", NULL},
		{"Upgrade", NULL},
		{"HTTP2-Settings", NULL},
		{"Expect", NULL},
		{"Via", NULL},
		{"Forwarded", NULL},
		{"X-Forwarded-For", NULL},
		{"x_forwarded_proto", NULL},
		{"X-Forwarded-Host", NULL},
		{"X-Forwarded-Port", NULL},
	};
	check_texts(FORMAT_HEADER, cases, COUNT(cases));
}

static void header_names_are_the_same_in_any_case_and_with_underscores(void)
{
	CU_ASSERT_TRUE(value_same_header("X-Partner-Id", "x_PARTNER-id"));
	CU_ASSERT_TRUE(value_same_header("", ""));
	CU_ASSERT_FALSE(value_same_header("X-Partner", "X-Partner-"));
	CU_ASSERT_FALSE(value_same_header("X-Partner-", "X-Partner"));
	CU_ASSERT_FALSE(value_same_header("X-Partner", "XPartner"));
}

static void paths_of_routes_can_be_read_in_one_way(void)
{
	static const struct text cases[] = {
		{"/", "/"},
		{"/admin/", "/admin/"},
		{"/a.b/..c/...", "/a.b/..c/..."},
		{"/a-._~!$&'()*+,=:@z", "/a-._~!$&'()*+,=:@z"},
		{"", NULL},
		{"admin", NULL},
		{"//", NULL},
		{"/a//b", NULL},
		{"/.", NULL},
		{"/..", NULL},
		{"/./a", NULL},
		{"/a/../b", NULL},
		{"/%61", NULL},
		{"/a;b", NULL},
		{"/a?b", NULL},
		{"/a#b", NULL},
		{"/a\\b", NULL},
		{"/a b", NULL},
		{"/\xc3\xa4", NULL},
	};
	check_texts(FORMAT_PATH, cases, COUNT(cases));
}

static void targets_are_a_path_perhaps_with_a_query(void)
{
	static const struct text cases[] = {
		{"/healthz?full=1&x=%20", "/healthz?full=1&x=%20"},
		{"/", "/"},
		{"", NULL},
		{"healthz", NULL},
		{"/a b", NULL},
		{"/a\r\n", NULL},
		{"/a#b", NULL},
		{"/\xc3\xa4", NULL},
	};
	check_texts(FORMAT_TARGET, cases, COUNT(cases));
}

/* RFC 9110 7.2 */
static void authorities_are_a_host_perhaps_with_a_port(void)
{
	static const struct text cases[] = {
		{"Api.Example", "api.example"},
		{"api.example:8443", "api.example:8443"},
		{"10.0.0.1:80", "10.0.0.1:80"},
		{"[FD00::1]", "[fd00::1]"},
		{"[::1]:80", "[::1]:80"},
		{"", NULL},
		{":80", NULL},
		{"a:", NULL},
		{"a:0", NULL},
		{"a:65536", NULL},
		{"a:80:80", NULL},
		{"[::1", NULL},
		{"[]", NULL},
		{"[::1]x", NULL},
		{"[10.0.0.1]", NULL},
		{"::1", NULL},
		{"user@a", NULL},
		{"a/b", NULL},
		{"a_b", NULL},
	};
	check_texts(FORMAT_AUTHORITY, cases, COUNT(cases));
}

static void names_of_servers_are_hosts_or_addresses(void)
{
	static const struct text cases[] = {
		{"Backend.Internal", "backend.internal"},
		{"10.0.0.1", "10.0.0.1"},
		{"fd00::1", "fd00::1"},
		{"[fd00::1]", NULL},
		{"10.0.0.256", NULL},
		{"*.internal", NULL},
		{"a:80", NULL},
		{"a_b", NULL},
		{"", NULL},
	};
	check_texts(FORMAT_PEER_NAME, cases, COUNT(cases));
}

static void redirects_go_to_http_urls(void)
{
	static const struct text cases[] = {
		{"https://help.example/certificates?lang=en#how",
	         "https://help.example/certificates?lang=en#how"},
		{"http://help.example", "http://help.example"},
		{"https://[::1]:8443/", "https://[::1]:8443/"},
		{"https://", NULL},
		{"https:///x", NULL},
		{"//help.example/", NULL},
		{"/help", NULL},
		{"javascript:alert(1)", NULL},
		{"HTTPS://help.example/", NULL},
		{"https://user@help.example/", NULL},
		{"https://help.example/a b", NULL},
		{"https://help.example/\r\nX: y", NULL},
		{"https://help.example/\xc3\xa4", NULL},
		{"https://help.example/\"", NULL},
	};
	check_texts(FORMAT_URL, cases, COUNT(cases));
}

static void fetched_urls_have_no_credentials_and_no_fragment(void)
{
	static const struct text cases[] = {
		{"http://CA.Example/A/b.crl?x=Y", "http://ca.example/A/b.crl?x=Y"},
		{"https://ca.example", "https://ca.example"},
		{"https://ca.example:8443/a@b", "https://ca.example:8443/a@b"},
		{"http://[FD00::1]/", "http://[fd00::1]/"},
		{"http://10.0.0.1/", "http://10.0.0.1/"},
		{"http://user@ca.example/", NULL},
		{"http://user:secret@ca.example/", NULL},
		{"http://ca.example/#a", NULL},
		{"http://ca.example#a", NULL},
		{"http://ca.example:0/", NULL},
		{"http://ca.example:65536/", NULL},
		{"http://ca_b.example/", NULL},
		{"http://a b/", NULL},
		{"http://ca.example/a b", NULL},
		{"http://ca.example/\n", NULL},
		{"http://", NULL},
		{"http:///a", NULL},
		{"ftp://ca.example/", NULL},
		{"file:///etc/passwd", NULL},
		{"ldap://ca.example/", NULL},
		{"ca.example/a.crl", NULL},
		{"", NULL},
	};
	check_texts(FORMAT_FETCH, cases, COUNT(cases));
}

static void prefixes_of_urls_have_their_host_whole(void)
{
	static const struct text cases[] = {
		{"http://CA.example/", "http://ca.example/"},
		{"http://ca.example/ocsp/A", "http://ca.example/ocsp/A"},
		{"https://[::1]:80/", "https://[::1]:80/"},
		{"http://ca.example", NULL},
		{"http://ca.example:80", NULL},
		{"http://ca.example?x=/", NULL},
		{"http://", NULL},
		{"http", NULL},
		{"", NULL},
		{"http://user@ca.example/", NULL},
	};
	check_texts(FORMAT_FETCH_PREFIX, cases, COUNT(cases));
}

static const struct unit_test tests[] = {
	{"ranges are one number or two", ranges_are_one_number_or_two},
	{"networks are addresses with bits", networks_are_addresses_with_bits},
	{"header names are tokens that forwarding does not need",
         header_names_are_tokens_that_forwarding_does_not_need},
	{"header names are the same in any case and with underscores",
         header_names_are_the_same_in_any_case_and_with_underscores},
	{"paths of routes can be read in one way", paths_of_routes_can_be_read_in_one_way},
	{"targets are a path perhaps with a query", targets_are_a_path_perhaps_with_a_query},
	{"authorities are a host perhaps with a port", authorities_are_a_host_perhaps_with_a_port},
	{"names of servers are hosts or addresses", names_of_servers_are_hosts_or_addresses},
	{"redirects go to HTTP URLs", redirects_go_to_http_urls},
	{"fetched URLs have no credentials and no fragment",
         fetched_urls_have_no_credentials_and_no_fragment},
	{"prefixes of URLs have their host whole", prefixes_of_urls_have_their_host_whole},
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
