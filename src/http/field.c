#include "base/bug.h"
#include "http/head.h"
#include "http/head_private.h"
#include "http/syntax.h"

enum http_parsed http_line_end(struct http_head *head, const uint8_t **at, const uint8_t *end,
                               const char *other)
{
	const uint8_t *p = *at;
	if (p == end) {
		return HTTP_MORE;
	}
	if (*p == '\n') {
		return http_bad(head, 400, "a line ends with LF alone");
	}
	if (*p != '\r') {
		return http_bad(head, 400, other);
	}
	if (p + 1 == end) {
		return HTTP_MORE;
	}
	if (p[1] != '\n') {
		return http_bad(head, 400, "a CR without LF");
	}
	*at = p + 2;
	return HTTP_DONE;
}

static enum http_parsed bad_name(struct http_head *head, const uint8_t *at, size_t len)
{
	uint8_t byte = at[len];
	if (byte == '\n') {
		return http_bad(head, 400, "a line ends with LF alone");
	}
	if (http_is_space(byte)) {
		/* RFC 9112 5.2 and 5.1: servers have read both in different ways. */
		return http_bad(head, 400,
		                len == 0 ? "a folded line" : "white space before the colon");
	}
	if (byte == '\r') {
		return http_bad(head, 400, "a line without colon");
	}
	return http_bad(head, 400, byte == ':' ? "an empty field name" : "a field name is no token");
}

/* RFC 9112 5: field-name ":" OWS field-value OWS, and CRLF. */
static enum http_parsed field_line(struct http_head *head, struct http_field *field,
                                   const uint8_t **at, const uint8_t *end)
{
	const uint8_t *name = *at;
	size_t name_len = http_run(name, end, HTTP_CLASS_TOKEN);
	const uint8_t *p = name + name_len;
	if (p == end) {
		return HTTP_MORE;
	}
	if (name_len == 0 || *p != ':') {
		return bad_name(head, name, name_len);
	}
	p++;
	const uint8_t *value = p;
	p += http_text_run(p, end);
	size_t value_len = (size_t)(p - value);
	enum http_parsed parsed = http_line_end(head, &p, end, "a control byte in a field value");
	if (parsed != HTTP_DONE) {
		return parsed;
	}
	field->name = slice_of(name, name_len);
	field->value = http_trim(slice_of(value, value_len));
	field->id = http_field_id(field->name);
	*at = p;
	return HTTP_DONE;
}

enum http_parsed http_fields_read(struct http_head *head, unsigned max, struct slice bytes,
                                  size_t *at, size_t *count)
{
	const uint8_t *end = bytes.data + bytes.len;
	const uint8_t *p = bytes.data + *at;

	BUG_IF(max > HTTP_FIELDS_MAX);
	while (p < end) {
		enum http_parsed parsed;
		if (*p == '\r') {
			parsed = http_line_end(head, &p, end, NULL);
			if (parsed == HTTP_DONE) {
				*at = (size_t)(p - bytes.data);
			}
			return parsed;
		}
		if (*count >= max) {
			return http_bad(head, 431, "too many fields");
		}
		parsed = field_line(head, &head->fields[*count], &p, end);
		if (parsed != HTTP_DONE) {
			return parsed;
		}
		*count += 1;
		*at = (size_t)(p - bytes.data);
	}
	return HTTP_MORE;
}

enum http_parsed http_trailer_parse(struct http_head *head, const struct http_limits *limits,
                                    struct slice bytes)
{
	*head = (struct http_head){.fields = head->fields};
	if (bytes.len == 0) {
		return HTTP_MORE;
	}
	struct slice within = slice_of(bytes.data, bytes.len);
	if (within.len > limits->head) {
		within.len = limits->head;
	}
	enum http_parsed parsed =
		http_fields_read(head, limits->fields, within, &head->bytes, &head->field_count);
	if (parsed == HTTP_MORE && within.len == limits->head) {
		return http_bad(head, 431, "the trailer section is too long");
	}
	return parsed;
}

/* `known` is written in small letters; `_` of the name counts as `-`. */
static bool begins_loosely(struct slice name, struct slice known)
{
	if (name.len < known.len) {
		return false;
	}
	for (size_t i = 0; i < known.len; i++) {
		uint8_t byte = name.data[i] == '_' ? '-' : http_lower(name.data[i]);
		if (byte != known.data[i]) {
			return false;
		}
	}
	return true;
}

static enum http_field_id x_field_id(struct slice name)
{
	struct slice real_ip = SLICE("x-real-ip");
	if (begins_loosely(name, SLICE("x-forwarded-")) ||
	    (name.len == real_ip.len && begins_loosely(name, real_ip))) {
		return HTTP_FIELD_X_FORWARDED;
	}
	return HTTP_FIELD_OTHER;
}

struct known_field {
	struct slice name;
	enum http_field_id id;
};

#define KNOWN(text, field) \
	{ \
		{(const uint8_t *)(text), sizeof(text) - 1}, HTTP_FIELD_##field \
	}

/* At most two have the same length. */
static const struct known_field known_fields[][2] = {
	[2] = {KNOWN("te", TE)},
	[3] = {KNOWN("via", VIA)},
	[4] = {KNOWN("host", HOST)},
	[6] = {KNOWN("expect", EXPECT)},
	[7] = {KNOWN("upgrade", UPGRADE), KNOWN("trailer", TRAILER)},
	[9] = {KNOWN("forwarded", FORWARDED)},
	[10] = {KNOWN("connection", CONNECTION), KNOWN("keep-alive", KEEP_ALIVE)},
	[12] = {KNOWN("max-forwards", MAX_FORWARDS)},
	[14] = {KNOWN("content-length", CONTENT_LENGTH), KNOWN("http2-settings", HTTP2_SETTINGS)},
	[16] = {KNOWN("proxy-connection", PROXY_CONNECTION)},
	[17] = {KNOWN("transfer-encoding", TRANSFER_ENCODING)},
	[18] = {KNOWN("proxy-authenticate", PROXY_AUTHENTICATE)},
	[19] = {KNOWN("proxy-authorization", PROXY_AUTHORIZATION)},
};

enum http_field_id http_field_id(struct slice name)
{
	if (name.len < sizeof(known_fields) / sizeof(known_fields[0])) {
		const struct known_field *known = known_fields[name.len];
		for (size_t i = 0; i < 2 && known[i].name.len > 0; i++) {
			if (http_equal_fold(name, known[i].name)) {
				return known[i].id;
			}
		}
	}
	if (name.len > 0 && http_lower(name.data[0]) == 'x') {
		return x_field_id(name);
	}
	return HTTP_FIELD_OTHER;
}
