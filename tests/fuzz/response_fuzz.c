#include "head_fuzz.h"

static enum http_parsed head_parse(struct http_head *head, struct http_scan *scan,
                                   const struct http_limits *limits, struct slice bytes, int how)
{
	enum http_verb verb = how == 0 ? HTTP_GET : HTTP_HEAD;
	enum http_parsed parsed = http_response_parse(head, scan, limits, bytes, verb);
	BUG_IF(parsed == HTTP_BAD && head->bad_status != 502);
	BUG_IF(parsed == HTTP_DONE && (head->status < 100 || head->status > 599));
	BUG_IF(parsed == HTTP_DONE && head->framing != HTTP_NO_BODY &&
	       (verb == HTTP_HEAD || head->status < 200 || head->status == 204 ||
	        head->status == 304));
	return parsed;
}

static void head_write_line(struct buf *out, const struct http_head *head)
{
	buf_append_text(out, head->minor == 0 ? "HTTP/1.0 " : "HTTP/1.1 ");
	buf_append_u64(out, head->status);
	buf_append_text(out, " ");
	buf_append_slice(out, head->reason);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	head_fuzz(data, size, 2);
	return 0;
}
