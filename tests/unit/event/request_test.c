/* What the event of a request says, whatever bytes the client put into it. */
#include "event/json.h"
#include "fixture.h"
#include "table.h"

/* The event as JSON, checked against the table. Ends with json_decref(). */
static json_t *encoded(const struct fixture *f, const struct request_event *request)
{
	struct buf line;
	fixture_request_line(&line, f, request);
	CU_ASSERT(line.len <= EVENT_MAX - 19);
	json_t *entry = fixture_parse(&line);
	CU_ASSERT_PTR_NOT_NULL_FATAL(entry);
	table_check(entry);
	buf_release(&line);
	return entry;
}

static bool says(const struct fixture *f, const struct request_event *request, const char *path,
                 const char *expected)
{
	json_t *entry = encoded(f, request);
	bool same = strcmp(fixture_string(entry, path), expected) == 0;
	if (!same) {
		printf("\n%s: %s instead of %s\n", path, fixture_string(entry, path), expected);
	}
	json_decref(entry);
	return same;
}

static int64_t number(json_t *entry, const char *path)
{
	json_t *value = fixture_get(entry, path);
	return json_is_integer(value) ? json_integer_value(value) : -1;
}

static void what_was_asked_and_answered_is_told(void)
{
	struct fixture f;
	fixture_init(&f);
	struct request_event request = fixture_request(&f);
	json_t *entry = encoded(&f, &request);
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "event.action"), "request");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "http.request.method"), "POST");
	CU_ASSERT_EQUAL(number(entry, "http.request.body.bytes"), 512);
	CU_ASSERT_EQUAL(number(entry, "http.response.status_code"), 201);
	CU_ASSERT_EQUAL(number(entry, "http.response.body.bytes"), 70000);
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "url.domain"), "api.example");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "url.path"), "/v1/orders");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "server.address"), "10.0.0.7:8080");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.connection"), f.hs.id);
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "event.id"), fixture_request_id);
	CU_ASSERT_EQUAL(number(entry, "event.duration"), 3500000);
	CU_ASSERT_EQUAL(number(entry, "event.severity"), 0);
	CU_ASSERT_PTR_NULL(fixture_get(entry, "source.bytes"));
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tls"));
	json_decref(entry);
}

static void roles_are_those_of_a_verified_client(void)
{
	static const struct slice roles[] = {SLICE_OF("PSP_PI"), SLICE_OF("PSP_AI")};
	struct fixture f;
	fixture_init(&f);
	struct request_event request = fixture_request(&f);
	request.roles = roles;
	request.role_count = 2;
	json_t *entry = encoded(&f, &request);
	json_t *shown = fixture_get(entry, "user.roles");
	CU_ASSERT_EQUAL(json_array_size(shown), 2);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(shown, 1)), "PSP_AI");
	json_decref(entry);
	request.verified = false;
	entry = encoded(&f, &request);
	CU_ASSERT_PTR_NULL(fixture_get(entry, "user"));
	json_decref(entry);
}

static void the_query_is_left_out_unless_given(void)
{
	struct fixture f;
	fixture_init(&f);
	struct request_event request = fixture_request(&f);
	CU_ASSERT(says(&f, &request, "url.query", "(absent)"));
	request.query = SLICE("token=s3cret");
	CU_ASSERT(says(&f, &request, "url.query", "token=s3cret"));
	/* Only there: the sentence goes into places where nobody expects a query. */
	CU_ASSERT(says(&f, &request, "message",
	               "partner-a: POST api.example/v1/orders was answered with 201"));
	CU_ASSERT(says(&f, &request, "url.path", "/v1/orders"));
}

static void outcome_is_what_became_of_it(void)
{
	struct fixture f;
	fixture_init(&f);
	struct request_event request = fixture_request(&f);
	request.status = 502;
	CU_ASSERT(says(&f, &request, "event.outcome", "success"));
	request.cut_off = true;
	CU_ASSERT(says(&f, &request, "event.outcome", "unknown"));
	CU_ASSERT(says(
		&f, &request, "message",
		"partner-a: POST api.example/v1/orders was answered with 502, which broke off"));
	request.cut_off = false;
	request.status = 0;
	json_t *entry = encoded(&f, &request);
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "event.outcome"), "unknown");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "message"),
	                       "partner-a: POST api.example/v1/orders got no answer");
	CU_ASSERT_PTR_NULL(fixture_get(entry, "http.response"));
	json_decref(entry);
	fixture_deny(&request, DENIED_BY_ROUTE, 0, NULL);
	CU_ASSERT(says(&f, &request, "event.outcome", "failure"));
	CU_ASSERT(says(&f, &request, "message", "partner-a: POST api.example/v1/orders was denied"));
}

static void a_denial_says_by_what_and_why(void)
{
	static const struct {
		enum denied_by by;
		const char *name;
		int severity;
	} denials[] = {
		{DENIED_BY_ROUTE, "route", 3},
		{DENIED_BY_AUTHORITY, "authority", 5},
		{DENIED_BY_REQUEST, "request", 4},
	};
	struct fixture f;
	fixture_init(&f);
	for (size_t i = 0; i < sizeof(denials) / sizeof(denials[0]); i++) {
		struct request_event request = fixture_request(&f);
		fixture_deny(&request, denials[i].by, 403, "it is \"so\"");
		json_t *entry = encoded(&f, &request);
		CU_ASSERT_STRING_EQUAL(fixture_string(entry, "event.action"), "request-denied");
		CU_ASSERT_STRING_EQUAL(fixture_string(entry, "event.reason"), denials[i].name);
		CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.denied_by"), denials[i].name);
		CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.detail"), "it is \"so\"");
		CU_ASSERT_EQUAL(number(entry, "event.severity"), denials[i].severity);
		CU_ASSERT_STRING_EQUAL(
			json_string_value(json_array_get(fixture_get(entry, "event.type"), 1)),
			"denied");
		CU_ASSERT_STRING_EQUAL(
			fixture_string(entry, "message"),
			"partner-a: POST api.example/v1/orders was denied with 403: it is \"so\"");
		CU_ASSERT_PTR_NULL(fixture_get(entry, "server"));
		json_decref(entry);
	}
}

static void a_request_that_could_not_be_read_is_told_without_what_is_unknown(void)
{
	struct fixture f;
	fixture_init(&f);
	struct request_event request = {
		.connection = f.hs.id, .status = 400, .class = CLASS_NO_CERTIFICATE};
	memcpy(request.id, fixture_request_id, sizeof(fixture_request_id));
	fixture_deny(&request, DENIED_BY_REQUEST, 400, "a bare CR");
	json_t *entry = encoded(&f, &request);
	static const char *const absent[] = {
		"url", "http.request.method", "service", "source", "destination", "user", "related",
	};
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
		CU_ASSERT_PTR_NULL(fixture_get(entry, absent[i]));
	}
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "message"),
	                       "a request was denied with 400: a bare CR");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.class"), "no_certificate");
	CU_ASSERT_EQUAL(number(entry, "http.request.body.bytes"), 0);
	json_decref(entry);
	request.host = SLICE("api.example");
	CU_ASSERT(says(&f, &request, "message",
	               "a request for api.example was denied with 400: a bare CR"));
}

static void the_user_is_shown_only_when_verified(void)
{
	struct fixture f;
	fixture_init(&f);
	struct request_event request = fixture_request(&f);
	CU_ASSERT(says(&f, &request, "user.name", "acme-7"));
	request.verified = false;
	request.class = CLASS_EXPIRED;
	json_t *entry = encoded(&f, &request);
	CU_ASSERT_PTR_NULL(fixture_get(entry, "user"));
	CU_ASSERT_PTR_NULL(fixture_get(entry, "related.user"));
	CU_ASSERT(json_is_false(fixture_get(entry, "tlscribe.verified")));
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.class"), "expired");
	json_decref(entry);
}

static void the_peer_is_shown_where_it_is_not_the_source(void)
{
	struct fixture f;
	fixture_init(&f);
	struct request_event request = fixture_request(&f);
	CU_ASSERT(says(&f, &request, "tlscribe.peer.ip", "(absent)"));
	request.peer = fixture_ipv4("\x0a\x00\x00\x63", 33000);
	json_t *entry = encoded(&f, &request);
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.peer.ip"), "10.0.0.99");
	CU_ASSERT_EQUAL(number(entry, "tlscribe.peer.port"), 33000);
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "source.ip"), "192.0.2.7");
	CU_ASSERT_EQUAL(json_array_size(fixture_get(entry, "related.ip")), 3);
	json_decref(entry);
}

static void hostile_bytes_stay_within_their_fields(void)
{
	static const char *const cut[] = {
		"http.request.method", "url.domain",      "url.path",
		"url.query",           "user.name",       "related.user",
		"related.hosts",       "tlscribe.detail", "server.address",
	};
	static const char nasty[] =
		"\0\r\n\"\\\xff\xc0\xaf\xf0\x9f\x94\x92\x7f\x1b[31m,}]{\"event\":1}";
	enum { BIG = 40 * 1024 };
	static uint8_t big[BIG];
	static char text[BIG + 1];
	for (size_t i = 0; i < BIG; i++) {
		big[i] = (uint8_t)nasty[i % (sizeof(nasty) - 1)];
	}
	memset(text, '\x01', BIG);
	struct fixture f;
	fixture_init(&f);
	struct request_event request = fixture_request(&f);
	struct slice all = slice_of(big, BIG);
	request.method = all;
	request.host = all;
	request.path = all;
	request.query = all;
	request.user_name = all;
	fixture_deny(&request, DENIED_BY_REQUEST, UINT32_MAX, text);
	request.upstream = text;
	request.request_bytes = UINT64_MAX / 2;
	request.response_bytes = UINT64_MAX / 2;
	json_t *entry = encoded(&f, &request);
	CU_ASSERT_EQUAL(json_array_size(fixture_get(entry, "tlscribe.truncated")),
	                sizeof(cut) / sizeof(cut[0]));
	for (size_t i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
		CU_ASSERT(fixture_is_cut(entry, cut[i]));
	}
	CU_ASSERT_PTR_NOT_NULL(strstr(fixture_string(entry, "message"), " was denied with "));
	json_decref(entry);

	/* Every byte alone, and behind the longest text that is not cut. */
	for (unsigned byte = 0; byte < 256; byte++) {
		uint8_t one = (uint8_t)byte;
		request = fixture_request(&f);
		request.path = slice_of(&one, 1);
		json_decref(encoded(&f, &request));
		memset(big, 'x', JSON_TEXT_MAX);
		big[JSON_TEXT_MAX - 1] = one;
		request.path = slice_of(big, JSON_TEXT_MAX);
		entry = encoded(&f, &request);
		bool plain = byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
		CU_ASSERT_EQUAL(fixture_is_cut(entry, "url.path"), !plain);
		json_decref(entry);
	}
}

static void a_buffer_that_is_too_small_stays_as_it_was(void)
{
	uint8_t memory[300];
	struct fixture f;
	struct buf out;
	fixture_init(&f);
	struct request_event request = fixture_request(&f);
	buf_init_fixed(&out, memory, sizeof(memory));
	buf_append_text(&out, "before");
	CU_ASSERT_EQUAL(event_encode_request(&out, &f.from, &request), E_LIMIT);
	CU_ASSERT(slice_equal(buf_slice(&out), SLICE("before")));
}

static const struct unit_test tests[] = {
	{"what was asked and answered is told", what_was_asked_and_answered_is_told},
	{"roles are those of a verified client", roles_are_those_of_a_verified_client},
	{"the query is left out unless given", the_query_is_left_out_unless_given},
	{"outcome is what became of it", outcome_is_what_became_of_it},
	{"a denial says by what and why", a_denial_says_by_what_and_why},
	{"a request that could not be read is told without what is unknown",
         a_request_that_could_not_be_read_is_told_without_what_is_unknown},
	{"the user is shown only when verified", the_user_is_shown_only_when_verified},
	{"the peer is shown where it is not the source",
         the_peer_is_shown_where_it_is_not_the_source},
	{"hostile bytes stay within their fields", hostile_bytes_stay_within_their_fields},
	{"a buffer that is too small stays as it was", a_buffer_that_is_too_small_stays_as_it_was},
};
UNIT_MAIN("event/request", tests)
