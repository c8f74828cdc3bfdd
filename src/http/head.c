/* What is refused, and with which status. Whatever is seen first in the order of the bytes decides; what takes the whole head is
 * looked at behind the empty line, in the order of this table.
 *
 *   414  a request line of more than limits->line bytes
 *   431  a head of more than limits->head bytes, more than limits->fields fields
 *   505  a well-formed version that is neither HTTP/1.0 nor HTTP/1.1
 *   400  a line that does not end with CRLF, a CR or LF anywhere else, an empty line before the request line;
 *        a method that is no token, CONNECT, the preface of HTTP/2, HTTP/0.9, a malformed version;
 *        a target with control bytes, SP, DEL, "#" or beyond ASCII; one that is neither "/..." nor "*" of OPTIONS nor
 *        http:// or https:// with a valid authority;
 *        a field name that is empty or no token, white space before the colon, a folded line, control bytes in a value;
 *        no Host, several, an invalid one, one that differs from the target's authority;
 *        Transfer_Encoding and Content_Length, Transfer-Encoding in HTTP/1.0, beside Content-Length, repeated, or not ending with
 *        the only chunked in it; several Content-Lengths, a list, anything but digits, beyond 2^63 - 1
 *   501  a transfer coding before a final chunked
 *   417  an Expect that is not 100-continue
 *
 * A response is bad for the same reasons (without those of targets, Host and Expect), for a status outside of 100-599, and for
 * Transfer-Encoding or Content-Length (but 0) on 1xx and 204. */
#include "http/head.h"

#include "http/head_private.h"

typedef enum http_parsed read_line(struct http_head *head, const struct http_limits *limits,
                                   struct slice bytes, size_t *taken);

/* The first line, unless it was read already, and the fields behind *at. */
static enum http_parsed read_from(struct http_head *head, const struct http_limits *limits,
                                  struct slice bytes, read_line *first, size_t *at, size_t *count)
{
	if (*at == 0) {
		enum http_parsed parsed = first(head, limits, bytes, at);
		if (parsed != HTTP_DONE) {
			return parsed;
		}
	}
	return http_fields_read(head, limits->fields, bytes, at, count);
}

/* A head that comes in one piece is read in one go. Of one that comes in several, each line is read when it is whole, and all of
 * them once more at the end: the slices would not have survived that the bytes move. A line that is not whole is read from its
 * start each time, which costs no more than its own TLS record did. */
static enum http_parsed read_head(struct http_head *head, struct http_scan *scan,
                                  const struct http_limits *limits, struct slice bytes,
                                  read_line *first)
{
	*head = (struct http_head){.fields = head->fields};
	if (bytes.len == 0) {
		return HTTP_MORE;
	}
	struct slice within = bytes;
	if (within.len > limits->head) {
		within.len = limits->head;
	}
	bool again = scan->checked > 0;
	size_t at = scan->checked;
	size_t count = scan->fields;
	enum http_parsed parsed = read_from(head, limits, within, first, &at, &count);
	if (parsed == HTTP_MORE) {
		scan->checked = at;
		scan->fields = (unsigned)count;
		return within.len == limits->head ? http_bad(head, 431, "the head is too long")
		                                  : HTTP_MORE;
	}
	if (parsed == HTTP_DONE && again) {
		at = 0;
		count = 0;
		parsed = read_from(head, limits, within, first, &at, &count);
	}
	*scan = (struct http_scan){0};
	head->bytes = at;
	head->field_count = count;
	return parsed;
}

enum http_parsed http_request_parse(struct http_head *head, struct http_scan *scan,
                                    const struct http_limits *limits, struct slice bytes)
{
	enum http_parsed parsed = read_head(head, scan, limits, bytes, http_request_line);
	return parsed == HTTP_DONE ? http_request_meaning(head) : parsed;
}

enum http_parsed http_response_parse(struct http_head *head, struct http_scan *scan,
                                     const struct http_limits *limits, struct slice bytes,
                                     enum http_verb verb)
{
	enum http_parsed parsed = read_head(head, scan, limits, bytes, http_status_line);
	if (parsed == HTTP_DONE) {
		parsed = http_response_meaning(head, verb);
	}
	if (parsed == HTTP_BAD) {
		head->bad_status = 502; /* whatever it was, for the client it is this */
	}
	return parsed;
}
