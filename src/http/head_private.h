/* Inside of http/ alone: the parts that a head is read by. Each finds errors in the order of the bytes, so that a head gives the same
 * answer however it comes in pieces. */
#pragma once

#include "base/slice.h"
#include "http/head.h"

static inline enum http_parsed http_bad(struct http_head *head, unsigned status, const char *why)
{
	head->bad_status = status;
	head->bad = why;
	return HTTP_BAD;
}

/* The line's end at *at: CRLF and nothing else (RFC 9112 2.2). DONE: *at is behind it. `other`: why any byte but CR and LF is bad. */
enum http_parsed http_line_end(struct http_head *head, const uint8_t **at, const uint8_t *end,
                               const char *other);
/* The first line of a request, at the start of `bytes`: *taken of them. Of an absolute-form, head->authority is the target's. */
enum http_parsed http_request_line(struct http_head *head, const struct http_limits *limits,
                                   struct slice bytes, size_t *taken);
enum http_parsed http_status_line(struct http_head *head, const struct http_limits *limits,
                                  struct slice bytes, size_t *taken);
/* Field lines from bytes + *at on into head->fields from *count on. DONE: *at is behind the empty line. MORE: behind the last
 * whole line. */
enum http_parsed http_fields_read(struct http_head *head, unsigned max, struct slice bytes,
                                  size_t *at, size_t *count);
/* What the fields of a whole head mean together: Host, framing, persistence, expectations. DONE or BAD. */
enum http_parsed http_request_meaning(struct http_head *head);
enum http_parsed http_response_meaning(struct http_head *head, enum http_verb verb);
