#include "http/rewrite.h"

#include <string.h>

#include "http/syntax.h"

static void append_field(struct buf *out, struct slice name, struct slice value)
{
	uint8_t *to = buf_reserve(out, name.len + value.len + 4);
	if (to == NULL) {
		return;
	}
	memcpy(to, name.data, name.len);
	to += name.len;
	*to++ = ':';
	*to++ = ' ';
	if (value.len > 0) {
		memcpy(to, value.data, value.len);
	}
	to += value.len;
	*to++ = '\r';
	*to = '\n';
	out->len += name.len + value.len + 4;
}

static void append_number(struct buf *out, struct slice name, uint64_t number)
{
	buf_append_slice(out, name);
	buf_append_slice(out, SLICE(": "));
	buf_append_u64(out, number);
	buf_append_slice(out, SLICE("\r\n"));
}

static void append_framing(struct buf *out, enum http_framing framing, uint64_t length)
{
	if (framing == HTTP_CHUNKED) {
		buf_append_slice(out, SLICE("Transfer-Encoding: chunked\r\n"));
	} else if (framing == HTTP_LENGTH) {
		append_number(out, SLICE("Content-Length"), length);
	}
}

/* RFC 9110 7.6.1: whatever Connection names belongs to this hop. A message names none as a rule, so the fields are looked through only
 * when one says more than close and keep-alive. */
static bool named_by_connection(const struct http_head *head, struct slice name)
{
	for (size_t i = 0; i < head->field_count; i++) {
		if (head->fields[i].id != HTTP_FIELD_CONNECTION) {
			continue;
		}
		struct slice rest = head->fields[i].value;
		struct slice element;
		while (http_list_next(&rest, &element)) {
			if (http_equal_fold(element, name)) {
				return true;
			}
		}
	}
	return false;
}

static bool connection_names_more(const struct http_head *head)
{
	for (size_t i = 0; i < head->field_count; i++) {
		if (head->fields[i].id != HTTP_FIELD_CONNECTION) {
			continue;
		}
		struct slice rest = head->fields[i].value;
		struct slice element;
		while (http_list_next(&rest, &element)) {
			if (!http_equal_fold(element, SLICE("close")) &&
			    !http_equal_fold(element, SLICE("keep-alive"))) {
				return true;
			}
		}
	}
	return false;
}

static bool of_this_hop(enum http_field_id id)
{
	switch (id) {
	case HTTP_FIELD_CONNECTION:
	case HTTP_FIELD_KEEP_ALIVE:
	case HTTP_FIELD_PROXY_CONNECTION:
	case HTTP_FIELD_PROXY_AUTHENTICATE:
	case HTTP_FIELD_PROXY_AUTHORIZATION:
	case HTTP_FIELD_TE:
	case HTTP_FIELD_TRANSFER_ENCODING:
	case HTTP_FIELD_CONTENT_LENGTH:
	case HTTP_FIELD_UPGRADE:
	case HTTP_FIELD_HTTP2_SETTINGS:
		return true;
	default:
		return false;
	}
}

static bool request_field_stays(const struct http_head *head, const struct http_outgoing *o,
                                const struct http_field *field, bool named)
{
	switch (field->id) {
	case HTTP_FIELD_HOST:
	case HTTP_FIELD_FORWARDED:
	case HTTP_FIELD_X_FORWARDED:
	case HTTP_FIELD_TRAILER: /* the request's trailer section is not passed on (RFC 9110 6.5.1) */
		return false;
	case HTTP_FIELD_EXPECT:
		return head->expect_continue;
	default:
		return !of_this_hop(field->id) && !identity_names_has(o->never, field->name) &&
		       !(named && named_by_connection(head, field->name));
	}
}

static void append_forwarded(struct buf *out, const struct http_head *head,
                             const struct http_outgoing *o)
{
	if (o->forwarded == HTTP_FORWARD_X) {
		append_field(out, SLICE("X-Forwarded-Host"), head->authority);
	} else if (o->forwarded == HTTP_FORWARD_RFC7239) {
		/* An authority that was parsed has no quote and no backslash. */
		buf_append_slice(out, SLICE("Forwarded: for="));
		buf_append_slice(out, o->forwarded_for);
		buf_append_slice(out, SLICE(";proto=https;host=\""));
		buf_append_slice(out, head->authority);
		buf_append_slice(out, SLICE("\"\r\n"));
	}
}

void http_request_write(struct buf *out, const struct http_head *head, const struct http_outgoing *o)
{
	buf_append_slice(out, head->method);
	buf_append_byte(out, ' ');
	buf_append_slice(out, o->path);
	buf_append_slice(out, head->query);
	buf_append_slice(out, SLICE(" HTTP/1.1\r\n"));
	append_field(out, SLICE("Host"), o->host);
	bool named = connection_names_more(head);
	uint64_t hops;
	bool counted = http_max_forwards(head, &hops) && hops > 0;
	for (size_t i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];
		if (counted && field->id == HTTP_FIELD_MAX_FORWARDS) {
			append_number(out, field->name, hops - 1);
		} else if (request_field_stays(head, o, field, named)) {
			append_field(out, field->name, field->value);
		}
	}
	buf_append_slice(out, o->own);
	append_forwarded(out, head, o);
	buf_append_slice(out, head->minor == 0 ? SLICE("Via: 1.0 tlscribe\r\n")
	                                       : SLICE("Via: 1.1 tlscribe\r\n"));
	append_framing(out, head->framing, head->length);
	if (o->websocket) {
		buf_append_slice(out, SLICE("Connection: Upgrade\r\nUpgrade: websocket\r\n"));
	}
	buf_append_slice(out, SLICE("\r\n"));
}

void http_response_write(struct buf *out, const struct http_head *head, enum http_framing framing,
                         uint64_t length, bool close, bool switching)
{
	buf_append_slice(out, SLICE("HTTP/1.1 "));
	buf_append_u64(out, head->status);
	buf_append_byte(out, ' ');
	buf_append_slice(out, head->reason);
	buf_append_slice(out, SLICE("\r\n"));
	bool named = connection_names_more(head);
	for (size_t i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];
		if (!of_this_hop(field->id) && !(named && named_by_connection(head, field->name))) {
			append_field(out, field->name, field->value);
		}
	}
	append_framing(out, framing, length);
	if (switching) {
		buf_append_slice(out, SLICE("Connection: Upgrade\r\nUpgrade: websocket\r\n"));
	} else if (close) {
		buf_append_slice(out, SLICE("Connection: close\r\n"));
	}
	buf_append_slice(out, SLICE("\r\n"));
}

void http_chunk_begin(struct buf *out, size_t size)
{
	char line[2 * sizeof(size) + 2];
	size_t at = sizeof(line);
	line[--at] = '\n';
	line[--at] = '\r';
	for (; size > 0; size >>= 4) {
		line[--at] = "0123456789abcdef"[size & 15];
	}
	buf_append(out, line + at, sizeof(line) - at);
}

void http_chunk_end(struct buf *out, const struct http_head *trailer)
{
	buf_append_slice(out, SLICE("0\r\n"));
	for (size_t i = 0; trailer != NULL && i < trailer->field_count; i++) {
		if (trailer->fields[i].id == HTTP_FIELD_OTHER) {
			append_field(out, trailer->fields[i].name, trailer->fields[i].value);
		}
	}
	buf_append_slice(out, SLICE("\r\n"));
}

struct slice http_field_value(const struct http_head *head, struct slice name)
{
	for (size_t i = 0; i < head->field_count; i++) {
		if (http_equal_fold(head->fields[i].name, name)) {
			return head->fields[i].value;
		}
	}
	return slice_of(NULL, 0);
}

/* False: there is none of that name, or several. */
static bool only_value(const struct http_head *head, struct slice name, struct slice *value)
{
	size_t count = 0;
	for (size_t i = 0; i < head->field_count; i++) {
		if (http_equal_fold(head->fields[i].name, name)) {
			*value = head->fields[i].value;
			count++;
		}
	}
	return count == 1;
}

bool http_max_forwards(const struct http_head *request, uint64_t *hops)
{
	struct slice value;
	return (request->verb == HTTP_TRACE || request->verb == HTTP_OPTIONS) &&
	       only_value(request, SLICE("Max-Forwards"), &value) &&
	       http_decimal(value, UINT32_MAX, hops);
}

bool http_wants_websocket(const struct http_head *request, struct slice *key)
{
	if (!request->upgrade || request->verb != HTTP_GET || request->framing != HTTP_NO_BODY) {
		return false;
	}
	/* Of two keys a server might answer the other one: it would look as if it were at fault. */
	struct slice upgrade, version;
	return only_value(request, SLICE("Upgrade"), &upgrade) &&
	       http_equal_fold(upgrade, SLICE("websocket")) &&
	       only_value(request, SLICE("Sec-WebSocket-Key"), key) && key->len == 24 &&
	       only_value(request, SLICE("Sec-WebSocket-Version"), &version) &&
	       slice_equal(version, SLICE("13"));
}
