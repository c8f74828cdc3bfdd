#include "http/head.h"
#include "http/head_private.h"
#include "http/syntax.h"

/* The fields that decide, the last of each and how many there are. */
struct found {
	struct slice host, coding, length, expect;
	unsigned hosts, codings, lengths, expects;
	bool close;         /* named by Connection */
	bool upgrade_named; /* the same */
	bool upgrade;       /* an Upgrade field */
	bool lookalike;
};

/* Transfer_Encoding and Content_Length: to a CGI or a WSGI program behind the back end they are the real ones, so whoever
 * sends them means no good. */
static bool is_lookalike(struct slice name)
{
	struct slice real = name.len == 14 ? SLICE("content-length") : SLICE("transfer-encoding");
	if (name.len != real.len) {
		return false;
	}
	for (size_t i = 0; i < name.len; i++) {
		if ((name.data[i] == '_' ? '-' : http_lower(name.data[i])) != real.data[i]) {
			return false;
		}
	}
	return true;
}

static void find_options(struct found *found, struct slice options)
{
	struct slice option;
	while (http_list_next(&options, &option)) {
		found->close = found->close || http_equal_fold(option, SLICE("close"));
		found->upgrade_named =
			found->upgrade_named || http_equal_fold(option, SLICE("upgrade"));
	}
}

static struct found find(const struct http_head *head)
{
	struct found found = {0};
	for (size_t i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];
		switch (field->id) {
		case HTTP_FIELD_HOST:
			found.host = field->value;
			found.hosts++;
			break;
		case HTTP_FIELD_TRANSFER_ENCODING:
			found.coding = field->value;
			found.codings++;
			break;
		case HTTP_FIELD_CONTENT_LENGTH:
			found.length = field->value;
			found.lengths++;
			break;
		case HTTP_FIELD_EXPECT:
			found.expect = field->value;
			found.expects++;
			break;
		case HTTP_FIELD_CONNECTION:
			find_options(&found, field->value);
			break;
		case HTTP_FIELD_UPGRADE:
			found.upgrade = true;
			break;
		case HTTP_FIELD_OTHER:
			found.lookalike = found.lookalike || is_lookalike(field->name);
			break;
		default:
			break;
		}
	}
	return found;
}

/* A list of codings that another one than chunked comes first in: transfer-coding = token *( OWS ";" OWS parameter ), RFC 9112 7.
 * What does not look like one, and a list that does not end with the only chunked in it, is malformed and not merely unknown. */
static bool is_unknown_coding(struct slice value)
{
	const uint8_t *comma = memrchr(value.data, ',', value.len);
	if (comma == NULL) {
		return false;
	}
	size_t before = (size_t)(comma - value.data);
	struct slice last = http_trim(slice_of(comma + 1, value.len - before - 1));
	struct slice rest = slice_of(value.data, before);
	if (!http_equal_fold(last, SLICE("chunked"))) {
		return false;
	}
	for (;;) {
		comma = memchr(rest.data, ',', rest.len);
		size_t len = comma == NULL ? rest.len : (size_t)(comma - rest.data);
		struct slice coding = http_trim(slice_of(rest.data, len));
		const uint8_t *end = coding.data + coding.len;
		size_t token = http_run(coding.data, end, HTTP_CLASS_TOKEN);
		struct slice behind = http_trim(slice_of(coding.data + token, coding.len - token));
		if (token == 0 || (behind.len > 0 && behind.data[0] != ';') ||
		    http_equal_fold(slice_of(coding.data, token), SLICE("chunked"))) {
			return false;
		}
		if (comma == NULL) {
			return true;
		}
		rest = slice_of(comma + 1, rest.len - len - 1);
	}
}

/* RFC 9112 6.1-6.3, without the liberties: DONE and what the fields say, HTTP_NO_BODY if they say nothing. */
static enum http_parsed read_framing(struct http_head *head, const struct found *found)
{
	if (found->lookalike) {
		return http_bad(head, 400, "Transfer_Encoding or Content_Length");
	}
	head->framing = HTTP_NO_BODY;
	if (found->codings > 0) {
		/* RFC 9112 6.1: each of these has been used to smuggle; faulty framing, even where there is a rule for it. */
		if (head->minor == 0) {
			return http_bad(head, 400, "Transfer-Encoding in HTTP/1.0");
		}
		if (found->lengths > 0) {
			return http_bad(head, 400, "Transfer-Encoding and Content-Length");
		}
		if (found->codings > 1) {
			return http_bad(head, 400, "several Transfer-Encoding fields");
		}
		if (!http_equal_fold(found->coding, SLICE("chunked"))) {
			return is_unknown_coding(found->coding)
			               ? http_bad(head, 501, "an unknown transfer coding")
			               : http_bad(head, 400, "a malformed Transfer-Encoding");
		}
		head->framing = HTTP_CHUNKED;
	} else if (found->lengths > 0) {
		/* RFC 9112 6.3 lets equal ones pass for one; nobody needs that. */
		if (found->lengths > 1) {
			return http_bad(head, 400, "several Content-Length fields");
		}
		if (!http_decimal(found->length, INT64_MAX, &head->length)) {
			return http_bad(head, 400, "an invalid Content-Length");
		}
		head->framing = HTTP_LENGTH;
	}
	return HTTP_DONE;
}

static void read_persistence(struct http_head *head, const struct found *found)
{
	/* RFC 9112 9.3 would let an HTTP/1.0 client ask for keep-alive; few are left and an intermediary between can take it wrong
	 * (C.2.2). */
	head->close = head->minor == 0 || found->close;
	/* RFC 9110 7.8: to be ignored in HTTP/1.0. */
	head->upgrade = head->minor == 1 && found->upgrade_named && found->upgrade;
}

/* RFC 9112 3.2: exactly one Host. HTTP/1.0 did not have it, but a request without it belongs to no service. */
static enum http_parsed read_host(struct http_head *head, const struct found *found)
{
	if (found->hosts != 1) {
		return http_bad(head, 400, found->hosts == 0 ? "no Host" : "several Host fields");
	}
	if (!http_authority_parse(found->host, &head->host, &head->port)) {
		return http_bad(head, 400, "an invalid Host");
	}
	/* RFC 9112 3.2.2 lets the target win over Host; a reader behind us that looks at the other one would be in another service.
	 * They have to be the same but for case. A default port is none of the differences that are looked through: which one it
	 * is depends on a scheme that says nothing here, because "http" comes over TLS, too. */
	if (head->authority.len > 0 && !http_equal_fold(head->authority, found->host)) {
		return http_bad(head, 400, "Host differs from the target's authority");
	}
	head->authority = found->host;
	return HTTP_DONE;
}

static enum http_parsed read_expect(struct http_head *head, const struct found *found)
{
	if (found->expects == 0) {
		return HTTP_DONE;
	}
	if (found->expects > 1 || !http_equal_fold(found->expect, SLICE("100-continue"))) {
		return http_bad(head, 417, "an unknown Expect");
	}
	/* RFC 9110 10.1.1: ignored in HTTP/1.0, and without content there is nothing to go on with. */
	head->expect_continue =
		head->minor == 1 && (head->framing == HTTP_CHUNKED || head->length > 0);
	return HTTP_DONE;
}

enum http_parsed http_request_meaning(struct http_head *head)
{
	struct found found = find(head);
	enum http_parsed parsed = read_host(head, &found);
	if (parsed == HTTP_DONE) {
		parsed = read_framing(head, &found);
	}
	if (parsed == HTTP_DONE) {
		parsed = read_expect(head, &found);
	}
	if (parsed == HTTP_DONE) {
		read_persistence(head, &found);
	}
	return parsed;
}

enum http_parsed http_response_meaning(struct http_head *head, enum http_verb verb)
{
	struct found found = find(head);
	enum http_parsed parsed = read_framing(head, &found);
	if (parsed != HTTP_DONE) {
		return parsed;
	}
	read_persistence(head, &found);
	if (head->status < 200 || head->status == 204) {
		/* RFC 9112 6.1, RFC 9110 8.6: must not be sent; who believes them waits for a body that never comes. A length of 0
		 * promises none, and widespread frameworks send it with each 204. */
		if (head->framing == HTTP_CHUNKED || head->length > 0) {
			return http_bad(head, 400, "a body's framing where there is none");
		}
		head->framing = HTTP_NO_BODY;
		return HTTP_DONE;
	}
	if (verb == HTTP_HEAD || head->status == 304) {
		/* RFC 9112 6.3: the fields tell of the body that a GET would have got. */
		head->framing = HTTP_NO_BODY;
		head->length = 0;
	} else if (head->framing == HTTP_NO_BODY) {
		head->framing = HTTP_UNTIL_CLOSE;
		head->close = true;
	}
	return HTTP_DONE;
}
