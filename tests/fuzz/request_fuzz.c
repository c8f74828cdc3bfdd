#include "head_fuzz.h"

static enum http_parsed head_parse(struct http_head *head, struct http_scan *scan,
                                   const struct http_limits *limits, struct slice bytes, int how)
{
	(void)how;
	enum http_parsed parsed = http_request_parse(head, scan, limits, bytes);
	unsigned status = head->bad_status;
	BUG_IF(parsed == HTTP_BAD && status != 400 && status != 414 && status != 417 &&
	       status != 431 && status != 501 && status != 505);
	BUG_IF(parsed == HTTP_DONE &&
	       (head->framing == HTTP_UNTIL_CLOSE || head->verb == HTTP_CONNECT ||
	        head->host.len == 0 || head->path.len == 0 ||
	        (head->path.data[0] != '/' && !slice_equal(head->path, SLICE("*")))));
	return parsed;
}

static void head_write_line(struct buf *out, const struct http_head *head)
{
	buf_append_slice(out, head->method);
	buf_append_text(out, " ");
	buf_append_slice(out, head->target);
	buf_append_text(out, head->minor == 0 ? " HTTP/1.0" : " HTTP/1.1");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	head_fuzz(data, size, 1);
	return 0;
}
