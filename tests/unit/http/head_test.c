/* Requests and responses, whole and in pieces, by the vectors of tests/data/http; and the small readers of fields. */
#include "http/head.h"
#include "unit.h"
#include "vectors.h"

static const struct http_limits limits = {.line = 8192, .head = 32768, .fields = 100};

static json_t *requests, *responses;

struct reading {
	struct http_field fields[HTTP_FIELDS_MAX];
	struct http_head head;
	struct http_scan scan;
};

static struct reading *reading_new(void)
{
	struct reading *r = calloc(1, sizeof(*r));
	BUG_IF(r == NULL);
	r->head.fields = r->fields;
	return r;
}

static enum http_verb verb_of(const json_t *vector)
{
	const char *verb = json_string_value(json_object_get(vector, "verb"));
	BUG_IF(verb != NULL && strcmp(verb, "HEAD") != 0);
	return verb == NULL ? HTTP_GET : HTTP_HEAD;
}

static enum http_parsed parse(struct reading *r, bool response, const json_t *vector,
                              struct slice bytes)
{
	return response ? http_response_parse(&r->head, &r->scan, &limits, bytes, verb_of(vector))
	                : http_request_parse(&r->head, &r->scan, &limits, bytes);
}

static const char *framing_name(enum http_framing framing)
{
	static const char *const names[] = {"none", "length", "chunked", "until_close"};
	return names[framing];
}

static void check_meaning(const json_t *vector, const struct http_head *h, struct slice bytes)
{
	const char *framing = json_string_value(json_object_get(vector, "framing"));
	vectors_check(vector, "framing",
	              framing == NULL || strcmp(framing, framing_name(h->framing)) == 0);
	vectors_check(vector, "method", vectors_agree_bytes(vector, "method", h->method));
	vectors_check(vector, "path", vectors_agree_bytes(vector, "path", h->path));
	vectors_check(vector, "query", vectors_agree_bytes(vector, "query", h->query));
	vectors_check(vector, "authority", vectors_agree_bytes(vector, "authority", h->authority));
	vectors_check(vector, "host", vectors_agree_bytes(vector, "host", h->host));
	vectors_check(vector, "reason", vectors_agree_bytes(vector, "reason", h->reason));
	vectors_check(vector, "port", vectors_agree_number(vector, "port", h->port));
	vectors_check(vector, "code", vectors_agree_number(vector, "code", h->status));
	vectors_check(vector, "length", vectors_agree_number(vector, "length", h->length));
	vectors_check(vector, "fields", vectors_agree_number(vector, "fields", h->field_count));
	vectors_check(vector, "close", vectors_agree_bool(vector, "close", h->close));
	vectors_check(vector, "upgrade", vectors_agree_bool(vector, "upgrade", h->upgrade));
	vectors_check(vector, "expect_continue",
	              vectors_agree_bool(vector, "expect_continue", h->expect_continue));
	struct slice rest = slice_of(bytes.data + h->bytes, bytes.len - h->bytes);
	vectors_check(vector, "rest", vectors_agree_bytes(vector, "rest", rest));
}

static void check_whole(json_t *file, bool response)
{
	size_t i;
	json_t *vector;
	json_array_foreach(json_object_get(file, "vectors"), i, vector)
	{
		struct slice bytes = vectors_bytes(json_object_get(vector, "raw"));
		struct reading *r = reading_new();
		enum http_parsed parsed = parse(r, response, vector, bytes);
		unsigned status = parsed == HTTP_BAD ? r->head.bad_status : 0;
		vectors_check(vector, "a whole head is MORE", parsed != HTTP_MORE);
		vectors_check(vector, "status", vectors_agree_number(vector, "status", status));
		vectors_check(vector, "reason", parsed != HTTP_BAD || r->head.bad != NULL);
		if (parsed == HTTP_DONE) {
			check_meaning(vector, &r->head, bytes);
		}
		free(r);
		free((void *)bytes.data);
	}
}

static void every_request_vector_gets_its_status(void)
{
	check_whole(requests, false);
}

static void every_response_vector_gets_its_status(void)
{
	check_whole(responses, true);
}

/* The same bytes of both inputs, or the same static text. */
static bool same_slice(struct slice a, const uint8_t *a_base, struct slice b, const uint8_t *b_base)
{
	return a.len == b.len &&
	       (a.len == 0 || a.data == b.data || a.data - a_base == b.data - b_base);
}

static bool same_head(const struct http_head *a, const uint8_t *a_base, const struct http_head *b,
                      const uint8_t *b_base)
{
#define SAME(member) same_slice(a->member, a_base, b->member, b_base)
	bool same = SAME(method) && SAME(target) && SAME(path) && SAME(query) && SAME(authority) &&
	            SAME(host) && SAME(reason) && a->verb == b->verb && a->port == b->port &&
	            a->status == b->status && a->minor == b->minor && a->bytes == b->bytes &&
	            a->field_count == b->field_count && a->framing == b->framing &&
	            a->length == b->length && a->close == b->close && a->upgrade == b->upgrade &&
	            a->expect_continue == b->expect_continue;
	for (size_t i = 0; same && i < a->field_count; i++) {
		same = SAME(fields[i].name) && SAME(fields[i].value) &&
		       a->fields[i].id == b->fields[i].id;
	}
#undef SAME
	return same;
}

/* Feeds longer and longer copies, each of its own memory. The answer has to be that for the whole, and to come with the byte
 * that ends the head. */
static void check_pieces(const json_t *vector, bool response)
{
	struct slice bytes = vectors_bytes(json_object_get(vector, "raw"));
	struct reading *whole = reading_new(), *r = reading_new();
	enum http_parsed expected = parse(whole, response, vector, bytes);
	/* A piece a byte takes the square of the length; those beyond limits come in larger ones. */
	size_t step = bytes.len < 2000 ? 1 : 613;
	enum http_parsed parsed = HTTP_MORE;
	size_t len = 0;
	uint8_t *copy = NULL;
	while (parsed == HTTP_MORE && len < bytes.len) {
		len = len + step < bytes.len ? len + step : bytes.len;
		free(copy);
		copy = malloc(len);
		BUG_IF(copy == NULL);
		memcpy(copy, bytes.data, len);
		parsed = parse(r, response, vector, slice_of(copy, len));
	}
	vectors_check(vector, "another answer in pieces", parsed == expected);
	vectors_check(vector, "another status in pieces",
	              parsed != HTTP_BAD || (r->head.bad_status == whole->head.bad_status &&
	                                     r->head.bad == whole->head.bad));
	if (parsed == HTTP_DONE && expected == HTTP_DONE) {
		vectors_check(vector, "another head in pieces",
		              same_head(&whole->head, bytes.data, &r->head, copy));
		vectors_check(vector, "not done with the last byte of the head",
		              len - whole->head.bytes < step);
	}
	free(copy);
	free(r);
	free(whole);
	free((void *)bytes.data);
}

static void a_request_in_pieces_gets_the_same_answer(void)
{
	size_t i;
	json_t *vector;
	json_array_foreach(json_object_get(requests, "vectors"), i, vector)
	{
		check_pieces(vector, false);
	}
}

static void a_response_in_pieces_gets_the_same_answer(void)
{
	size_t i;
	json_t *vector;
	json_array_foreach(json_object_get(responses, "vectors"), i, vector)
	{
		check_pieces(vector, true);
	}
}

/* Of text: as a request, with a state of its own. */
static enum http_parsed request(struct reading *r, const char *text)
{
	r->scan = (struct http_scan){0};
	return http_request_parse(&r->head, &r->scan, &limits, slice_text(text));
}

static void a_bare_line_end_is_refused_before_the_head_is_whole(void)
{
	struct reading *r = reading_new();

	CU_ASSERT_EQUAL(request(r, "GET / HTTP/1.1\r\nHost: a\n"), HTTP_BAD);
	CU_ASSERT_EQUAL(r->head.bad_status, 400);
	CU_ASSERT_EQUAL(request(r, "GET / HTTP/1.1\r\nHost: a\rb"), HTTP_BAD);
	CU_ASSERT_EQUAL(request(r, "GET / HTTP/1.1\n"), HTTP_BAD);
	CU_ASSERT_EQUAL(request(r, "\r"), HTTP_BAD);
	CU_ASSERT_EQUAL(request(r, "GET / HTTP/1.1\r\n\rG"), HTTP_BAD);
	CU_ASSERT_EQUAL(request(r, "GET / HTTP/1.1\r\nHost: a\r"), HTTP_MORE);
	free(r);
}

static void a_line_found_good_is_not_looked_at_again_before_the_end(void)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n";
	char bytes[sizeof(text)];
	struct reading *r = reading_new();

	memcpy(bytes, text, sizeof(text));
	size_t two_lines = strlen("GET / HTTP/1.1\r\nHost: a\r\n");
	CU_ASSERT_EQUAL(
		http_request_parse(&r->head, &r->scan, &limits, slice_of(bytes, two_lines + 2)),
		HTTP_MORE);
	CU_ASSERT_EQUAL(r->scan.checked, two_lines);
	CU_ASSERT_EQUAL(r->scan.fields, 1);
	memset(bytes, '\n', two_lines);
	CU_ASSERT_EQUAL(
		http_request_parse(&r->head, &r->scan, &limits, slice_of(bytes, sizeof(text) - 3)),
		HTTP_MORE);
	CU_ASSERT_EQUAL(
		http_request_parse(&r->head, &r->scan, &limits, slice_of(bytes, sizeof(text) - 1)),
		HTTP_BAD);
	free(r);
}

static void a_scan_is_ready_for_the_next_head_when_one_is_over(void)
{
	struct reading *r = reading_new();
	struct slice get = SLICE("GET / HTTP/1.1\r\nHost: a\r\n\r\n");

	for (size_t len = 0; len < get.len; len++) {
		CU_ASSERT_EQUAL(
			http_request_parse(&r->head, &r->scan, &limits, slice_of(get.data, len)),
			HTTP_MORE);
	}
	CU_ASSERT_EQUAL(http_request_parse(&r->head, &r->scan, &limits, get), HTTP_DONE);
	CU_ASSERT_EQUAL(r->scan.checked, 0);
	CU_ASSERT_EQUAL(http_request_parse(&r->head, &r->scan, &limits, get), HTTP_DONE);
	CU_ASSERT_EQUAL(r->head.bytes, get.len);
	free(r);
}

/* 414 and 431 come with the first byte that is too many, not with the line's end. */
static void what_cannot_end_within_a_limit_is_refused_at_the_limit(void)
{
	static const struct http_limits small = {.line = 16, .head = 40, .fields = 2};
	struct reading *r = reading_new();
	struct slice line = SLICE("GET /aa HTTP/1.1\r\n"), longer = SLICE("GET /aaa HTTP/1.1\r\n");
	struct slice head = SLICE("GET / HTTP/1.1\r\nHost: aaaaaaaaaaaaaa\r\n\r\n");
	struct slice beyond = SLICE("GET / HTTP/1.1\r\nHost: aaaaaaaaaaaaaaa\r\n\r\n");
	struct slice fields = SLICE("GET / HTTP/1.1\r\nA:\r\nB:\r\nC");

	CU_ASSERT_EQUAL(http_request_parse(&r->head, &r->scan, &small, line), HTTP_MORE);
	r->scan = (struct http_scan){0};
	CU_ASSERT_EQUAL(http_request_parse(&r->head, &r->scan, &small, slice_of(longer.data, 18)),
	                HTTP_BAD);
	CU_ASSERT_EQUAL(r->head.bad_status, 414);

	CU_ASSERT_EQUAL(head.len, 40);
	r->scan = (struct http_scan){0};
	CU_ASSERT_EQUAL(http_request_parse(&r->head, &r->scan, &small, head), HTTP_DONE);
	CU_ASSERT_EQUAL(http_request_parse(&r->head, &r->scan, &small, slice_of(beyond.data, 39)),
	                HTTP_MORE);
	CU_ASSERT_EQUAL(http_request_parse(&r->head, &r->scan, &small, slice_of(beyond.data, 40)),
	                HTTP_BAD);
	CU_ASSERT_EQUAL(r->head.bad_status, 431);

	r->scan = (struct http_scan){0};
	CU_ASSERT_EQUAL(http_request_parse(&r->head, &r->scan, &small, fields), HTTP_BAD);
	CU_ASSERT_EQUAL(r->head.bad_status, 431);
	free(r);
}

static void a_trailer_section_is_read_like_fields(void)
{
	static const struct http_limits small = {.line = 0, .head = 12, .fields = 2};
	struct reading *r = reading_new();

	CU_ASSERT_EQUAL(
		http_trailer_parse(&r->head, &limits,
	                           SLICE("A: b\r\nHost: x y\r\nContent-Length: z\r\n\r\nC")),
		HTTP_DONE);
	CU_ASSERT_EQUAL(r->head.field_count, 3);
	CU_ASSERT_EQUAL(r->head.bytes, 38);
	CU_ASSERT_EQUAL(r->head.fields[1].id, HTTP_FIELD_HOST);
	CU_ASSERT_TRUE(slice_equal(r->head.fields[1].value, SLICE("x y")));
	CU_ASSERT_EQUAL(http_trailer_parse(&r->head, &limits, SLICE("\r\n")), HTTP_DONE);
	CU_ASSERT_EQUAL(r->head.field_count, 0);
	CU_ASSERT_EQUAL(http_trailer_parse(&r->head, &limits, SLICE("A: b\r\n")), HTTP_MORE);
	CU_ASSERT_EQUAL(http_trailer_parse(&r->head, &limits, SLICE("")), HTTP_MORE);
	CU_ASSERT_EQUAL(http_trailer_parse(&r->head, &limits, SLICE("A : b\r\n\r\n")), HTTP_BAD);
	CU_ASSERT_EQUAL(r->head.bad_status, 400);
	CU_ASSERT_EQUAL(http_trailer_parse(&r->head, &small, SLICE("A:\r\nB:\r\nC:\r\n\r\n")),
	                HTTP_BAD);
	CU_ASSERT_EQUAL(r->head.bad_status, 431);
	CU_ASSERT_EQUAL(http_trailer_parse(&r->head, &small, SLICE("A:\r\nBbbb:\r\n\r\n")),
	                HTTP_BAD);
	CU_ASSERT_EQUAL(r->head.bad_status, 431);
	CU_ASSERT_EQUAL(http_trailer_parse(&r->head, &small, SLICE("A:\r\nBbb:\r\n\r\n")),
	                HTTP_DONE);
	free(r);
}

static void every_byte_is_in_its_classes(void)
{
	/* RFC 9110 5.6.2 and 5.5, written out. */
	static const char tchar[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	struct reading *r = reading_new();
	for (unsigned byte = 0; byte < 256; byte++) {
		uint8_t one = (uint8_t)byte;
		bool token = byte != 0 && strchr(tchar, (int)byte) != NULL;
		CU_ASSERT_EQUAL(http_is_token(slice_of(&one, 1)), token);

		bool text = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
		/* At each place of an eight of bytes, alone and beside HTAB. */
		for (size_t at = 0; at < 20; at++) {
			uint8_t section[] = "A:xxxxxxxxxxxx\txxxxxxx\r\n\r\n";
			section[2 + at] = one;
			CU_ASSERT_EQUAL(http_trailer_parse(&r->head, &limits,
			                                   slice_of(section, sizeof(section) - 1)),
			                text ? HTTP_DONE : HTTP_BAD);
		}
	}
	free(r);
}

static void a_field_is_known_in_any_case(void)
{
	static const struct {
		const char *name;
		enum http_field_id id;
	} names[] = {
		{"Host", HTTP_FIELD_HOST},
		{"hOsT", HTTP_FIELD_HOST},
		{"Connection", HTTP_FIELD_CONNECTION},
		{"Keep-Alive", HTTP_FIELD_KEEP_ALIVE},
		{"Proxy-Connection", HTTP_FIELD_PROXY_CONNECTION},
		{"Proxy-Authenticate", HTTP_FIELD_PROXY_AUTHENTICATE},
		{"PROXY-AUTHORIZATION", HTTP_FIELD_PROXY_AUTHORIZATION},
		{"TE", HTTP_FIELD_TE},
		{"Trailer", HTTP_FIELD_TRAILER},
		{"Transfer-Encoding", HTTP_FIELD_TRANSFER_ENCODING},
		{"content-length", HTTP_FIELD_CONTENT_LENGTH},
		{"Upgrade", HTTP_FIELD_UPGRADE},
		{"HTTP2-Settings", HTTP_FIELD_HTTP2_SETTINGS},
		{"Expect", HTTP_FIELD_EXPECT},
		{"Via", HTTP_FIELD_VIA},
		{"Max-Forwards", HTTP_FIELD_MAX_FORWARDS},
		{"Forwarded", HTTP_FIELD_FORWARDED},
		{"X-Forwarded-For", HTTP_FIELD_X_FORWARDED},
		{"x_forwarded_for", HTTP_FIELD_X_FORWARDED},
		{"X-FORWARDED_Client-Cert", HTTP_FIELD_X_FORWARDED},
		{"X-Forwarded-", HTTP_FIELD_X_FORWARDED},
		{"X-Real-IP", HTTP_FIELD_X_FORWARDED},
		{"X_Real_IP", HTTP_FIELD_X_FORWARDED},
		{"X-Real-IPs", HTTP_FIELD_OTHER},
		{"X-Forwarded", HTTP_FIELD_OTHER},
		{"X", HTTP_FIELD_OTHER},
		{"", HTTP_FIELD_OTHER},
		{"Hos", HTTP_FIELD_OTHER},
		{"Hosts", HTTP_FIELD_OTHER},
		{"Content_Length", HTTP_FIELD_OTHER},
		{"Transfer_Encoding", HTTP_FIELD_OTHER},
		{"Proxy-Authorizations", HTTP_FIELD_OTHER},
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		CU_ASSERT_EQUAL(http_field_id(slice_text(names[i].name)), names[i].id);
	}
}

static void a_list_gives_its_elements_without_empty_ones(void)
{
	struct slice rest = SLICE(" ,a ,\t, b c,,d"), element;

	CU_ASSERT_TRUE(http_list_next(&rest, &element) && slice_equal(element, SLICE("a")));
	CU_ASSERT_TRUE(http_list_next(&rest, &element) && slice_equal(element, SLICE("b c")));
	CU_ASSERT_TRUE(http_list_next(&rest, &element) && slice_equal(element, SLICE("d")));
	CU_ASSERT_FALSE(http_list_next(&rest, &element));
	rest = SLICE(" ,, ");
	CU_ASSERT_FALSE(http_list_next(&rest, &element));
	rest = (struct slice){0};
	CU_ASSERT_FALSE(http_list_next(&rest, &element));
}

static void case_folds_for_ascii_letters_alone(void)
{
	CU_ASSERT_TRUE(http_equal_fold(SLICE("aZ09-_"), SLICE("Az09-_")));
	CU_ASSERT_TRUE(http_equal_fold(SLICE(""), SLICE("")));
	CU_ASSERT_FALSE(http_equal_fold(SLICE("a"), SLICE("ab")));
	CU_ASSERT_FALSE(http_equal_fold(SLICE("@"), SLICE("`")));
	CU_ASSERT_FALSE(http_equal_fold(SLICE("["), SLICE("{")));
	CU_ASSERT_FALSE(http_equal_fold(SLICE("\xc4"), SLICE("\xe4")));
	CU_ASSERT_FALSE(http_equal_fold(SLICE("-"), SLICE("_")));
}

static void an_empty_text_is_neither_token_nor_authority(void)
{
	struct slice host;
	uint16_t port;

	CU_ASSERT_FALSE(http_is_token(SLICE("")));
	CU_ASSERT_FALSE(http_authority_parse((struct slice){0}, &host, &port));
	CU_ASSERT_TRUE(http_authority_parse(SLICE("a:1"), &host, &port));
	CU_ASSERT_TRUE(slice_equal(host, SLICE("a")));
	CU_ASSERT_EQUAL(port, 1);
}

/* RFC 9110 9.2.2 */
static void only_idempotent_methods_may_be_tried_again(void)
{
	CU_ASSERT_TRUE(http_is_idempotent(HTTP_GET));
	CU_ASSERT_TRUE(http_is_idempotent(HTTP_HEAD));
	CU_ASSERT_TRUE(http_is_idempotent(HTTP_PUT));
	CU_ASSERT_TRUE(http_is_idempotent(HTTP_DELETE));
	CU_ASSERT_TRUE(http_is_idempotent(HTTP_OPTIONS));
	CU_ASSERT_TRUE(http_is_idempotent(HTTP_TRACE));
	CU_ASSERT_FALSE(http_is_idempotent(HTTP_POST));
	CU_ASSERT_FALSE(http_is_idempotent(HTTP_PATCH));
	CU_ASSERT_FALSE(http_is_idempotent(HTTP_CONNECT));
	CU_ASSERT_FALSE(http_is_idempotent(HTTP_OTHER));
}

static void methods_are_known_by_their_case(void)
{
	static const struct {
		const char *text;
		enum http_verb verb;
	} verbs[] = {
		{"GET", HTTP_GET},        {"HEAD", HTTP_HEAD},     {"POST", HTTP_POST},
		{"PUT", HTTP_PUT},        {"DELETE", HTTP_DELETE}, {"OPTIONS", HTTP_OPTIONS},
		{"TRACE", HTTP_TRACE},    {"PATCH", HTTP_PATCH},   {"get", HTTP_OTHER},
		{"connect", HTTP_OTHER},  {"G", HTTP_OTHER},       {"GETS", HTTP_OTHER},
		{"PROPFIND", HTTP_OTHER}, {"Head", HTTP_OTHER},
	};
	struct reading *r = reading_new();
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		char text[100];
		snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: a\r\n\r\n", verbs[i].text);
		CU_ASSERT_EQUAL(request(r, text), HTTP_DONE);
		CU_ASSERT_EQUAL(r->head.verb, verbs[i].verb);
	}
	free(r);
}

static const struct unit_test tests[] = {
	{"every request vector gets its status", every_request_vector_gets_its_status},
	{"every response vector gets its status", every_response_vector_gets_its_status},
	{"a request in pieces gets the same answer", a_request_in_pieces_gets_the_same_answer},
	{"a response in pieces gets the same answer", a_response_in_pieces_gets_the_same_answer},
	{"a bare line end is refused before the head is whole",
         a_bare_line_end_is_refused_before_the_head_is_whole},
	{"a line found good is not looked at again before the end",
         a_line_found_good_is_not_looked_at_again_before_the_end},
	{"a scan is ready for the next head when one is over",
         a_scan_is_ready_for_the_next_head_when_one_is_over},
	{"what cannot end within a limit is refused at the limit",
         what_cannot_end_within_a_limit_is_refused_at_the_limit},
	{"a trailer section is read like fields", a_trailer_section_is_read_like_fields},
	{"every byte is in its classes", every_byte_is_in_its_classes},
	{"a field is known in any case", a_field_is_known_in_any_case},
	{"a list gives its elements without empty ones",
         a_list_gives_its_elements_without_empty_ones},
	{"case folds for ASCII letters alone", case_folds_for_ascii_letters_alone},
	{"an empty text is neither token nor authority",
         an_empty_text_is_neither_token_nor_authority},
	{"only idempotent methods may be tried again", only_idempotent_methods_may_be_tried_again},
	{"methods are known by their case", methods_are_known_by_their_case},
};

int main(void)
{
	requests = vectors_open("requests.json");
	responses = vectors_open("responses.json");
	int status = unit_run("http/head", tests, sizeof(tests) / sizeof(tests[0]));
	json_decref(requests);
	json_decref(responses);
	return status;
}
