#include "http/head.h"
#include "http/head_private.h"
#include "http/syntax.h"

struct known_verb {
	struct slice name;
	enum http_verb verb;
};

#define KNOWN(text) \
	{ \
		{(const uint8_t *)#text, sizeof(#text) - 1}, HTTP_##text \
	}

/* At most two have the same length. Methods are case-sensitive (RFC 9110 9.1). */
static const struct known_verb known_verbs[][2] = {
	[3] = {KNOWN(GET), KNOWN(PUT)},         [4] = {KNOWN(POST), KNOWN(HEAD)},
	[5] = {KNOWN(PATCH), KNOWN(TRACE)},     [6] = {KNOWN(DELETE)},
	[7] = {KNOWN(OPTIONS), KNOWN(CONNECT)},
};

static enum http_verb verb_of(struct slice method)
{
	if (method.len < sizeof(known_verbs) / sizeof(known_verbs[0])) {
		const struct known_verb *known = known_verbs[method.len];
		for (size_t i = 0; i < 2 && known[i].name.len > 0; i++) {
			if (slice_equal(method, known[i].name)) {
				return known[i].verb;
			}
		}
	}
	return HTTP_OTHER;
}

bool http_is_idempotent(enum http_verb verb)
{
	switch (verb) {
	case HTTP_GET:
	case HTTP_HEAD:
	case HTTP_PUT:
	case HTTP_DELETE:
	case HTTP_OPTIONS:
	case HTTP_TRACE:
		return true;
	default:
		return false;
	}
}

/* path [ "?" query ], up to the end of the target. */
static void split_path(struct http_head *head, struct slice rest)
{
	const uint8_t *mark = rest.len == 0 ? NULL : memchr(rest.data, '?', rest.len);
	size_t len = mark == NULL ? rest.len : (size_t)(mark - rest.data);
	head->path = slice_of(rest.data, len);
	head->query = slice_of(rest.data + len, rest.len - len);
}

/* RFC 9112 3.2.2. The scheme is looked at without case (RFC 3986 3.1), the authority is compared with Host later. */
static enum http_parsed absolute_form(struct http_head *head)
{
	struct slice schemes[] = {SLICE("http://"), SLICE("https://")};
	struct slice rest = {0};
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t len = schemes[i].len;
		if (head->target.len > len &&
		    http_equal_fold(slice_of(head->target.data, len), schemes[i])) {
			rest = slice_of(head->target.data + len, head->target.len - len);
		}
	}
	if (rest.len == 0) {
		return http_bad(head, 400, "a malformed request target");
	}
	const uint8_t *end = rest.data + rest.len;
	const uint8_t *p = rest.data;
	while (p < end && *p != '/' && *p != '?') {
		p++;
	}
	head->authority = slice_of(rest.data, (size_t)(p - rest.data));
	struct slice host;
	uint16_t port;
	if (!http_authority_parse(head->authority, &host, &port)) {
		return http_bad(head, 400, "an invalid authority in the target");
	}
	split_path(head, slice_of(p, (size_t)(end - p)));
	if (head->path.len == 0) {
		/* RFC 9112 3.2.4: of OPTIONS it stands for the server, not for its root. */
		bool server = head->verb == HTTP_OPTIONS && head->query.len == 0;
		head->path = server ? SLICE("*") : SLICE("/");
	}
	return HTTP_DONE;
}

/* RFC 9112 3.2; authority-form is CONNECT's alone. */
static enum http_parsed read_target(struct http_head *head)
{
	if (head->target.len > 0 && head->target.data[0] == '/') {
		split_path(head, head->target);
		return HTTP_DONE;
	}
	if (slice_equal(head->target, SLICE("*"))) {
		head->path = head->target;
		if (head->verb == HTTP_OPTIONS) {
			return HTTP_DONE;
		}
		return http_bad(head, 400,
		                slice_equal(head->method, SLICE("PRI"))
		                        ? "the preface of HTTP/2"
		                        : "a request target that is OPTIONS' alone");
	}
	return absolute_form(head);
}

/* HTTP-version = "HTTP/" DIGIT "." DIGIT, RFC 9112 2.3; case-sensitive. Minor is UINT32_MAX for one that is not ours. */
static enum http_parsed read_version(struct http_head *head, const uint8_t **at, const uint8_t *end)
{
	static const char pattern[] = "HTTP/0.0";
	const uint8_t *p = *at;
	for (size_t i = 0; i < sizeof(pattern) - 1; i++) {
		if (p + i == end) {
			return HTTP_MORE;
		}
		if (pattern[i] == '0' ? !http_is(p[i], HTTP_CLASS_DIGIT)
		                      : p[i] != (uint8_t)pattern[i]) {
			return http_bad(head, 400, "a malformed version");
		}
	}
	/* 505 has to wait until the line has proven to be one of HTTP. */
	head->minor = p[5] == '1' && p[7] <= '1' ? (unsigned)(p[7] - '0') : UINT32_MAX;
	*at = p + sizeof(pattern) - 1;
	return HTTP_DONE;
}

/* method SP request-target SP HTTP-version CRLF, RFC 9112 3: single spaces, nothing around them. */
static enum http_parsed request_line(struct http_head *head, const uint8_t **at, const uint8_t *end)
{
	const uint8_t *p = *at;
	size_t len = http_run(p, end, HTTP_CLASS_TOKEN);
	if (p + len == end) {
		return HTTP_MORE;
	}
	if (len == 0 && (*p == '\r' || *p == '\n')) {
		/* RFC 9112 2.2 would have it ignored: a second reader that does not, sees another request. */
		return http_bad(head, 400, "an empty line before the request");
	}
	if (len == 0 || p[len] != ' ') {
		return http_bad(head, 400, "a malformed method");
	}
	head->method = slice_of(p, len);
	head->verb = verb_of(head->method);
	if (head->verb == HTTP_CONNECT) {
		return http_bad(head, 400, "CONNECT");
	}
	p += len + 1;
	len = http_run(p, end, HTTP_CLASS_TARGET);
	if (p + len == end) {
		return HTTP_MORE;
	}
	if (p[len] != ' ') {
		return http_bad(head, 400,
		                p[len] == '\r' || p[len] == '\n'
		                        ? "a request line without version"
		                        : "a byte that no request target may have");
	}
	head->target = slice_of(p, len);
	enum http_parsed parsed = read_target(head);
	if (parsed != HTTP_DONE) {
		return parsed;
	}
	p += len + 1;
	parsed = read_version(head, &p, end);
	if (parsed == HTTP_DONE) {
		parsed = http_line_end(head, &p, end, "a malformed version");
	}
	*at = p;
	return parsed;
}

enum http_parsed http_request_line(struct http_head *head, const struct http_limits *limits,
                                   struct slice bytes, size_t *taken)
{
	size_t longest = limits->line + 2;
	bool cut = bytes.len >= longest;
	const uint8_t *p = bytes.data;
	enum http_parsed parsed = request_line(head, &p, p + (cut ? longest : bytes.len));
	if (parsed == HTTP_MORE && cut) {
		return http_bad(head, 414, "the request line is too long");
	}
	if (parsed == HTTP_DONE && head->minor > 1) {
		return http_bad(head, 505, "another version than HTTP/1.0 and HTTP/1.1");
	}
	if (parsed == HTTP_DONE) {
		*taken = (size_t)(p - bytes.data);
	}
	return parsed;
}

/* HTTP-version SP status-code [ SP [ reason-phrase ] ] CRLF: RFC 9112 4 asks for the second SP, but servers leave it
 * out where there is no reason, and there is one way only to read that. */
static enum http_parsed status_line(struct http_head *head, const uint8_t **at, const uint8_t *end)
{
	const uint8_t *p = *at;
	enum http_parsed parsed = read_version(head, &p, end);
	if (parsed != HTTP_DONE) {
		return parsed;
	}
	for (size_t i = 0; i < 4; i++, p++) {
		if (p == end) {
			return HTTP_MORE;
		}
		if (i == 0 ? *p != ' ' : !http_is(*p, HTTP_CLASS_DIGIT)) {
			return http_bad(head, 400, "a malformed status line");
		}
		head->status = i == 0 ? 0 : head->status * 10 + (*p - '0');
	}
	if (p < end && *p == ' ') {
		p++;
		head->reason = slice_of(p, http_text_run(p, end));
		p += head->reason.len;
	}
	parsed = http_line_end(head, &p, end, "a malformed status line");
	*at = p;
	return parsed;
}

enum http_parsed http_status_line(struct http_head *head, const struct http_limits *limits,
                                  struct slice bytes, size_t *taken)
{
	(void)limits; /* the bound of all of the head is this line's, too */
	const uint8_t *p = bytes.data;
	enum http_parsed parsed = status_line(head, &p, p + bytes.len);
	if (parsed != HTTP_DONE) {
		return parsed;
	}
	if (head->minor > 1) {
		return http_bad(head, 505, "another version than HTTP/1.0 and HTTP/1.1");
	}
	if (head->status < 100 || head->status > 599) {
		return http_bad(head, 400, "a status outside of 100-599");
	}
	*taken = (size_t)(p - bytes.data);
	return HTTP_DONE;
}
