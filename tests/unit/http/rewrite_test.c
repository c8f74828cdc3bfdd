/* What goes on to the other side: nothing of the hop, nothing that only we may say, framing written anew. */
#include "http/rewrite.h"

#include <stdlib.h>

#include "base/err.h"
#include "unit.h"

static struct http_field fields[HTTP_FIELDS_MAX];
static const struct http_limits limits = {.line = 8192, .head = 32768, .fields = 100};
static char written[65536];

static struct http_head request_of(const char *text)
{
	struct http_head head = {.fields = fields};
	struct http_scan scan = {0};
	if (http_request_parse(&head, &scan, &limits, slice_text(text)) != HTTP_DONE) {
		abort();
	}
	return head;
}

static struct http_head response_of(const char *text, enum http_verb verb)
{
	struct http_head head = {.fields = fields};
	struct http_scan scan = {0};
	if (http_response_parse(&head, &scan, &limits, slice_text(text), verb) != HTTP_DONE) {
		abort();
	}
	return head;
}

static const char *finish(struct buf *out)
{
	buf_append_byte(out, '\0');
	CU_ASSERT_EQUAL(out->err, E_OK);
	return written;
}

static const char *pass_on(const char *text, struct http_outgoing o)
{
	struct http_head head = request_of(text);
	struct identity_names *names = NULL;
	if (identity_names_new(&names) != E_OK) {
		abort();
	}
	o.never = names;
	o.path = o.path.len > 0 ? o.path : head.path;
	o.host = o.host.len > 0 ? o.host : head.authority;
	struct buf out;
	buf_init_fixed(&out, written, sizeof(written));
	http_request_write(&out, &head, &o);
	identity_names_free(&names);
	return finish(&out);
}

static const char *pass_back(const char *text, enum http_verb verb, enum http_framing framing,
                             uint64_t length, bool close)
{
	struct http_head head = response_of(text, verb);
	struct buf out;
	buf_init_fixed(&out, written, sizeof(written));
	http_response_write(&out, &head, framing, length, close, false);
	return finish(&out);
}

static void a_plain_request_keeps_its_fields_in_order(void)
{
	CU_ASSERT_STRING_EQUAL(
		pass_on("GET /a?b=c HTTP/1.1\r\nHost: h:8443\r\nA: 1\r\nB:2\r\nA: 3 \r\n\r\n",
	                (struct http_outgoing){0}),
		"GET /a?b=c HTTP/1.1\r\nHost: h:8443\r\nA: 1\r\nB: 2\r\nA: 3\r\n"
		"Via: 1.1 tlscribe\r\n\r\n");
}

static void fields_of_the_hop_stay_behind(void)
{
	CU_ASSERT_STRING_EQUAL(
		pass_on("GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, x-one , "
	                "X-Two\r\nKeep-Alive: 5\r\n"
	                "Proxy-Connection: x\r\nProxy-Authorization: x\r\nTE: trailers\r\nTrailer: "
	                "X\r\nUpgrade: h2c\r\n"
	                "HTTP2-Settings: x\r\nX-ONE: 1\r\nx-two: 2\r\nX-Three: 3\r\n\r\n",
	                (struct http_outgoing){0}),
		"GET / HTTP/1.1\r\nHost: h\r\nX-Three: 3\r\nVia: 1.1 tlscribe\r\n\r\n");
}

static void what_only_we_may_say_is_gone(void)
{
	CU_ASSERT_STRING_EQUAL(
		pass_on("GET / HTTP/1.1\r\nHost: h\r\nX-SSL-Verify: 0\r\nx_ssl_client_cn: "
	                "root\r\nclient-cert: :AA==:\r\n"
	                "X-Forwarded-For: 1.1.1.1\r\nX_Forwarded_Host: x\r\nForwarded: "
	                "for=1.1.1.1\r\nX-Real-IP: 1\r\n\r\n",
	                (struct http_outgoing){.own = SLICE("X-SSL-Verify: 10\r\n")}),
		"GET / HTTP/1.1\r\nHost: h\r\nX-SSL-Verify: 10\r\nVia: 1.1 tlscribe\r\n\r\n");
}

static void connection_cannot_name_ours(void)
{
	CU_ASSERT_STRING_EQUAL(
		pass_on("GET / HTTP/1.1\r\nHost: h\r\nConnection: X-SSL-Verify, Host, Via, "
	                "Content-Length\r\n"
	                "Content-Length: 3\r\n\r\n",
	                (struct http_outgoing){.own = SLICE("X-SSL-Verify: 10\r\n")}),
		"GET / HTTP/1.1\r\nHost: h\r\nX-SSL-Verify: 10\r\nVia: 1.1 "
		"tlscribe\r\nContent-Length: 3\r\n\r\n");
}

static void framing_is_written_anew(void)
{
	CU_ASSERT_STRING_EQUAL(
		pass_on("POST / HTTP/1.1\r\nHost: h\r\ntransfer-encoding:  Chunked\r\n\r\n",
	                (struct http_outgoing){0}),
		"POST / HTTP/1.1\r\nHost: h\r\nVia: 1.1 tlscribe\r\nTransfer-Encoding: "
		"chunked\r\n\r\n");
	CU_ASSERT_STRING_EQUAL(
		pass_on("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0007\r\n\r\n",
	                (struct http_outgoing){0}),
		"POST / HTTP/1.1\r\nHost: h\r\nVia: 1.1 tlscribe\r\nContent-Length: 7\r\n\r\n");
}

static void the_target_becomes_origin_form(void)
{
	CU_ASSERT_STRING_EQUAL(
		pass_on("GET http://h/x?y HTTP/1.1\r\nHost: h\r\n\r\n",
	                (struct http_outgoing){.path = SLICE("/new/x"), .host = SLICE("inner")}),
		"GET /new/x?y HTTP/1.1\r\nHost: inner\r\nVia: 1.1 tlscribe\r\n\r\n");
	CU_ASSERT_STRING_EQUAL(
		pass_on("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", (struct http_outgoing){0}),
		"OPTIONS * HTTP/1.1\r\nHost: h\r\nVia: 1.1 tlscribe\r\n\r\n");
}

static void who_forwarded_is_said_as_asked(void)
{
	CU_ASSERT_STRING_EQUAL(pass_on("GET / HTTP/1.0\r\nHost: h:1\r\n\r\n",
	                               (struct http_outgoing){.forwarded = HTTP_FORWARD_X}),
	                       "GET / HTTP/1.1\r\nHost: h:1\r\nX-Forwarded-Host: h:1\r\nVia: 1.0 "
	                       "tlscribe\r\n\r\n");
	CU_ASSERT_STRING_EQUAL(
		pass_on("GET / HTTP/1.1\r\nHost: [::1]:1\r\n\r\n",
	                (struct http_outgoing){.forwarded = HTTP_FORWARD_RFC7239,
	                                       .forwarded_for = SLICE("\"[2001:db8::1]\"")}),
		"GET / HTTP/1.1\r\nHost: [::1]:1\r\nForwarded: "
		"for=\"[2001:db8::1]\";proto=https;host=\"[::1]:1\"\r\n"
		"Via: 1.1 tlscribe\r\n\r\n");
}

static void a_response_is_framed_for_its_client(void)
{
	static const char chunked[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
				      "chunked\r\nConnection: X-Hop\r\nX-Hop: 1\r\nA: b\r\n\r\n";
	CU_ASSERT_STRING_EQUAL(pass_back(chunked, HTTP_GET, HTTP_CHUNKED, 0, false),
	                       "HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n");
	CU_ASSERT_STRING_EQUAL(pass_back(chunked, HTTP_GET, HTTP_UNTIL_CLOSE, 0, true),
	                       "HTTP/1.1 200 OK\r\nA: b\r\nConnection: close\r\n\r\n");
	CU_ASSERT_STRING_EQUAL(pass_back("HTTP/1.0 404 \r\nContent-Length: 3\r\n\r\n", HTTP_HEAD,
	                                 HTTP_LENGTH, 3, false),
	                       "HTTP/1.1 404 \r\nContent-Length: 3\r\n\r\n");
}

static void chunks_have_minimal_sizes(void)
{
	struct buf out;
	buf_init_fixed(&out, written, sizeof(written));
	http_chunk_begin(&out, 1);
	http_chunk_begin(&out, 16384);
	http_chunk_begin(&out, SIZE_MAX);
	http_chunk_end(&out, NULL);
	CU_ASSERT_STRING_EQUAL(finish(&out), "1\r\n4000\r\nffffffffffffffff\r\n0\r\n\r\n");
}

static void trailers_say_nothing_of_framing(void)
{
	static const char section[] = "Checksum: 1\r\nContent-Length: 5\r\nHost: "
				      "h\r\nTransfer-Encoding: chunked\r\nConnection: x\r\n\r\n";
	struct http_head trailer = {.fields = fields};
	CU_ASSERT_EQUAL(http_trailer_parse(&trailer, &limits, slice_text(section)), HTTP_DONE);
	struct buf out;
	buf_init_fixed(&out, written, sizeof(written));
	http_chunk_end(&out, &trailer);
	CU_ASSERT_STRING_EQUAL(finish(&out), "0\r\nChecksum: 1\r\n\r\n");
}

#define WEBSOCKET(more) \
	"GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Key: " \
	"dGhlIHNhbXBsZSBub25jZQ==\r\n" \
	"Sec-WebSocket-Version: 13\r\n" more "\r\n"

static bool wants(const char *text)
{
	struct http_head head = request_of(text);
	struct slice key;
	return http_wants_websocket(&head, &key);
}

static void only_websocket_is_an_upgrade(void)
{
	CU_ASSERT_TRUE(wants(WEBSOCKET("Upgrade: WebSocket\r\n")));
	CU_ASSERT_FALSE(wants(WEBSOCKET("")));
	CU_ASSERT_FALSE(wants(WEBSOCKET("Upgrade: h2c\r\n")));
	CU_ASSERT_FALSE(wants(WEBSOCKET("Upgrade: websocket, h2c\r\n")));
	CU_ASSERT_FALSE(wants(WEBSOCKET("Upgrade: websocket\r\nUpgrade: h2c\r\n")));
	CU_ASSERT_FALSE(wants(WEBSOCKET("Upgrade: websocket\r\nContent-Length: 1\r\n")));
	CU_ASSERT_FALSE(wants(WEBSOCKET(
		"Upgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n")));
	CU_ASSERT_FALSE(wants(WEBSOCKET("Upgrade: websocket\r\nsec-websocket-version: 13\r\n")));
	CU_ASSERT_FALSE(wants(
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"));
	CU_ASSERT_FALSE(wants("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
	                      "Sec-WebSocket-Key: "
	                      "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"));
	CU_ASSERT_STRING_EQUAL(pass_on("GET / HTTP/1.1\r\nHost: h\r\nConnection: "
	                               "Upgrade\r\nUpgrade: websocket\r\n\r\n",
	                               (struct http_outgoing){.websocket = true}),
	                       "GET / HTTP/1.1\r\nHost: h\r\nVia: 1.1 tlscribe\r\nConnection: "
	                       "Upgrade\r\nUpgrade: websocket\r\n\r\n");
}

/* RFC 9110 7.6.2 */
static void hops_are_counted_where_they_are_to_be(void)
{
	static const struct {
		const char *method, *value, *becomes;
	} cases[] = {
		{"TRACE", "1", "0"},
		{"OPTIONS", "10", "9"},
		{"GET", "10", "10"},
		{"TRACE", "x", "x"},
		{"OPTIONS", "-1", "-1"},
		{"TRACE", "", ""},
		{"TRACE", "99999999999", "99999999999"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[128], expected[128];
		snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: h\r\nMax-Forwards: %s\r\n\r\n",
		         cases[i].method, cases[i].value);
		snprintf(
			expected, sizeof(expected),
			"%s / HTTP/1.1\r\nHost: h\r\nMax-Forwards: %s\r\nVia: 1.1 tlscribe\r\n\r\n",
			cases[i].method, cases[i].becomes);
		CU_ASSERT_STRING_EQUAL(pass_on(text, (struct http_outgoing){0}), expected);
	}
}

static const struct unit_test tests[] = {
	{"hops are counted where they are to be", hops_are_counted_where_they_are_to_be},
	{"a plain request keeps its fields in order", a_plain_request_keeps_its_fields_in_order},
	{"fields of the hop stay behind", fields_of_the_hop_stay_behind},
	{"what only we may say is gone", what_only_we_may_say_is_gone},
	{"Connection cannot name ours", connection_cannot_name_ours},
	{"framing is written anew", framing_is_written_anew},
	{"the target becomes origin-form", the_target_becomes_origin_form},
	{"who forwarded is said as asked", who_forwarded_is_said_as_asked},
	{"a response is framed for its client", a_response_is_framed_for_its_client},
	{"chunks have minimal sizes", chunks_have_minimal_sizes},
	{"trailers say nothing of framing", trailers_say_nothing_of_framing},
	{"only WebSocket is an upgrade", only_websocket_is_an_upgrade},
};
UNIT_MAIN("http/rewrite", tests)
