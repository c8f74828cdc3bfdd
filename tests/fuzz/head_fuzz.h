/* What holds for every head, whatever the bytes: it is the same in pieces and when it is written again, and it stays inside. */
#pragma once

#include "fuzz.h"
#include "http/head.h"

/* Of a target: reads `bytes` as its kind of head, in its variant `how`. */
static enum http_parsed head_parse(struct http_head *head, struct http_scan *scan,
                                   const struct http_limits *limits, struct slice bytes, int how);
/* Of a target: the first line, without CRLF. */
static void head_write_line(struct buf *out, const struct http_head *head);

struct head_reading {
	struct http_field fields[HTTP_FIELDS_MAX];
	struct http_head head;
	struct http_scan scan;
};

static inline bool head_is_same(const struct http_head *a, const struct http_head *b)
{
#define SAME(member) slice_equal(a->member, b->member)
	bool same = SAME(method) && SAME(target) && SAME(path) && SAME(query) && SAME(authority) &&
	            SAME(host) && SAME(reason) && a->verb == b->verb && a->port == b->port &&
	            a->status == b->status && a->minor == b->minor &&
	            a->field_count == b->field_count && a->framing == b->framing &&
	            a->length == b->length && a->close == b->close && a->upgrade == b->upgrade &&
	            a->expect_continue == b->expect_continue;
	for (size_t i = 0; same && i < a->field_count; i++) {
		same = SAME(fields[i].name) && SAME(fields[i].value) &&
		       a->fields[i].id == b->fields[i].id;
	}
#undef SAME
	return same;
}

static inline void head_check_text(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t byte = text.data[i];
		BUG_IF((byte < ' ' && byte != '\t') || byte == 0x7f);
	}
}

/* Of a good one that was read from `bytes`. */
static inline void head_check(const struct http_head *h, const struct http_limits *limits,
                              struct slice bytes)
{
	BUG_IF(h->bytes > bytes.len || h->bytes > limits->head || h->field_count > limits->fields);
	BUG_IF(h->bytes < 4 || memcmp(bytes.data + h->bytes - 4, "\r\n\r\n", 4) != 0);
	BUG_IF(!fuzz_is_inside(h->method, bytes.data, h->bytes));
	BUG_IF(!fuzz_is_inside(h->target, bytes.data, h->bytes));
	BUG_IF(!fuzz_is_inside(h->query, bytes.data, h->bytes));
	BUG_IF(!fuzz_is_inside(h->authority, bytes.data, h->bytes));
	BUG_IF(!fuzz_is_inside(h->host, bytes.data, h->bytes));
	BUG_IF(!fuzz_is_inside(h->reason, bytes.data, h->bytes));
	/* An empty path is told as "/" or "*". */
	BUG_IF(!fuzz_is_inside(h->path, bytes.data, h->bytes) && h->path.len != 1);
	head_check_text(h->target);
	head_check_text(h->reason);
	for (size_t i = 1; i < h->bytes; i++) {
		BUG_IF((bytes.data[i] == '\n') != (bytes.data[i - 1] == '\r'));
	}
	unsigned lengths = 0, codings = 0;
	for (size_t i = 0; i < h->field_count; i++) {
		const struct http_field *f = &h->fields[i];
		BUG_IF(!fuzz_is_inside(f->name, bytes.data, h->bytes));
		BUG_IF(!fuzz_is_inside(f->value, bytes.data, h->bytes));
		BUG_IF(!http_is_token(f->name) || f->id != http_field_id(f->name));
		head_check_text(f->value);
		lengths += f->id == HTTP_FIELD_CONTENT_LENGTH;
		codings += f->id == HTTP_FIELD_TRANSFER_ENCODING;
	}
	BUG_IF(lengths + codings > 1);
	BUG_IF(h->framing == HTTP_CHUNKED && (codings != 1 || h->minor != 1));
	BUG_IF(h->framing == HTTP_LENGTH && lengths != 1);
	BUG_IF(h->framing == HTTP_UNTIL_CLOSE && (lengths + codings != 0 || !h->close));
	BUG_IF(h->minor == 0 && (!h->close || h->upgrade || h->expect_continue));
}

static inline void head_check_rewritten(const struct http_head *h, int how)
{
	static const struct http_limits wide = {1 << 20, 1 << 20, HTTP_FIELDS_MAX};
	static struct head_reading again;
	struct buf out;
	buf_init(&out, 1 << 20);
	head_write_line(&out, h);
	buf_append_text(&out, "\r\n");
	for (size_t i = 0; i < h->field_count; i++) {
		buf_append_slice(&out, h->fields[i].name);
		buf_append_text(&out, ": ");
		buf_append_slice(&out, h->fields[i].value);
		buf_append_text(&out, "\r\n");
	}
	buf_append_text(&out, "\r\n");
	BUG_IF(out.err != E_OK);
	again = (struct head_reading){.head.fields = again.fields};
	BUG_IF(head_parse(&again.head, &again.scan, &wide, buf_slice(&out), how) != HTTP_DONE);
	BUG_IF(again.head.bytes != out.len || !head_is_same(h, &again.head));
	buf_release(&out);
}

/* The same bytes as they would come from a network, each piece at another place in memory. */
static inline void head_check_pieces(const struct head_reading *whole, enum http_parsed expected,
                                     const struct http_limits *limits, struct slice bytes, int how)
{
	static struct head_reading r;
	uint32_t state = fuzz_seed(bytes.data, bytes.len);
	size_t most = bytes.len / 64 + 1;
	enum http_parsed parsed = HTTP_MORE;
	uint8_t *copy = NULL;
	r = (struct head_reading){.head.fields = r.fields};
	for (size_t len = 0; parsed == HTTP_MORE && len < bytes.len;) {
		size_t step = fuzz_step(&state, most);
		len = step < bytes.len - len ? len + step : bytes.len;
		free(copy);
		copy = fuzz_copy(bytes.data, len);
		parsed = head_parse(&r.head, &r.scan, limits, slice_of(copy, len), how);
		BUG_IF(r.scan.checked > len || r.scan.fields > limits->fields);
	}
	BUG_IF(parsed != expected);
	BUG_IF(parsed == HTTP_BAD && (r.head.bad_status != whole->head.bad_status ||
	                              r.head.bad != whole->head.bad || r.head.bad == NULL));
	BUG_IF(parsed == HTTP_DONE &&
	       (r.head.bytes != whole->head.bytes || !head_is_same(&r.head, &whole->head)));
	free(copy);
}

/* `variants` of reading it, each with limits that inputs seldom reach and with some that they often do. */
static inline void head_fuzz(const uint8_t *data, size_t size, int variants)
{
	static const struct http_limits sets[] = {{8192, 32768, 100}, {40, 120, 4}};
	static struct head_reading whole;
	uint8_t *copy = fuzz_copy(data, size);
	struct slice bytes = slice_of(copy, size);
	for (int i = 0; i < 2 * variants; i++) {
		const struct http_limits *limits = &sets[i % 2];
		whole = (struct head_reading){.head.fields = whole.fields};
		enum http_parsed parsed = head_parse(&whole.head, &whole.scan, limits, bytes, i / 2);
		head_check_pieces(&whole, parsed, limits, bytes, i / 2);
		if (parsed == HTTP_DONE) {
			head_check(&whole.head, limits, bytes);
			head_check_rewritten(&whole.head, i / 2);
		}
	}
	free(copy);
}
