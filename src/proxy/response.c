/* From the back end's answer to the client: its head, its body framed anew, its end. */
#include <string.h>

#include <gnutls/crypto.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "http/rewrite.h"
#include "proxy/conn.h"
#include "proxy/exchange.h"
#include "proxy/link.h"
#include "proxy/shard.h"

#define TURNS 8              /* reads in one go: others have a turn, too */
#define INFORMATIONAL_MAX 16 /* 1xx heads of one answer */

/* --- the end, good or bad --- */

static enum exchange_result broken(struct exchange *x, const char *why)
{
	if (upstream_should_warn(x->upstream)) {
		log_warning("service %s: the answer of the back end %s cannot be passed on: %s",
		            x->conn->service->event.name, upstream_name(x->upstream, x->server),
		            why);
	}
	upstream_failed(x->upstream, x->server, clock_mono_ns());
	/* A client that has a part of it must not take it for the whole. */
	return x->answered ? exchange_end(x, CLOSE_UPSTREAM_BROKEN, false)
	                   : exchange_answer(x, 502, x->conn->id, x->up.done);
}

static enum exchange_result finish(struct exchange *x)
{
	x->down_body.done = true;
	return exchange_sent(x) ? exchange_over(x) : EXCHANGE_STAYS;
}

static enum exchange_result ended(struct exchange *x, bool proper)
{
	if (!x->answered && x->answer.len == 0 && x->informational == 0) {
		return exchange_link_lost(x);
	}
	/* A reset that writing was told of reads as a proper end. */
	if (!x->answered || x->down_body.framing != HTTP_UNTIL_CLOSE || !proper || x->up_broken) {
		return broken(x, "it ended early");
	}
	x->link_close = true;
	if (x->down_framing == HTTP_CHUNKED && exchange_send(x, "0\r\n\r\n", 5) == EXCHANGE_GONE) {
		return EXCHANGE_GONE;
	}
	return finish(x);
}

/* --- the head --- */

/* RFC 6455 4.2.2: the answer to this very key, so that the server is known to have understood. */
static bool accepts_websocket(const struct exchange *x, const struct http_head *head)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	uint8_t text[sizeof(x->websocket_key) + sizeof(guid) - 1];
	uint8_t digest[20];
	gnutls_datum_t raw = {digest, sizeof(digest)}, encoded;
	memcpy(text, x->websocket_key, sizeof(x->websocket_key));
	memcpy(text + sizeof(x->websocket_key), guid, sizeof(guid) - 1);
	if (!x->websocket || !head->upgrade ||
	    !http_equal_fold(http_field_value(head, SLICE("Upgrade")), SLICE("websocket")) ||
	    gnutls_hash_fast(GNUTLS_DIG_SHA1, text, sizeof(text), digest) != 0 ||
	    gnutls_base64_encode2(&raw, &encoded) != 0) {
		return false;
	}
	bool same = slice_equal(http_field_value(head, SLICE("Sec-WebSocket-Accept")),
	                        slice_of(encoded.data, encoded.size));
	gnutls_free(encoded.data);
	return same;
}

/* A tunnel from now on: what either side has sent behind its head goes first. */
static enum exchange_result switch_protocols(struct exchange *x, const struct http_head *head,
                                             struct slice rest)
{
	struct conn *c = x->conn;
	struct buf frame;
	if (!accepts_websocket(x, head) || x->head_off < x->head.len) {
		return broken(x, "it switches protocols without being asked, or wrongly");
	}
	upstream_succeeded(x->upstream, x->server);
	buf_init_fixed(&frame, c->shard->frame, sizeof(c->shard->frame));
	http_response_write(&frame, head, HTTP_NO_BODY, 0, false, true);
	buf_append_slice(&frame, rest);
	if (frame.err != E_OK) {
		return broken(x, "its head is too long");
	}
	x->status = 101;
	if (exchange_send(x, frame.data, frame.len) == EXCHANGE_GONE) {
		return EXCHANGE_GONE;
	}
	exchange_record(x, true);
	exchange_tunnel(x);
	return EXCHANGE_GONE; /* the exchange is */
}

static bool content_length(const struct http_head *head, uint64_t *length)
{
	struct slice text = http_field_value(head, SLICE("Content-Length"));
	*length = 0;
	for (size_t i = 0; i < text.len; i++) { /* digits that fit: the parser saw to it */
		*length = *length * 10 + (text.data[i] - '0');
	}
	return text.len > 0;
}

/* What the client is told of the body's length. HTTP/1.0 knows no chunks: such a body ends with the connection. */
static enum http_framing framing_down(struct exchange *x, const struct http_head *head,
                                      uint64_t *length)
{
	*length = head->length;
	switch (head->framing) {
	case HTTP_NO_BODY: /* of HEAD and 304 the length is that of another answer; RFC 9110 8.6: of 204 there is none */
		return head->status != 204 && content_length(head, length) ? HTTP_LENGTH
		                                                           : HTTP_NO_BODY;
	case HTTP_LENGTH:
		return HTTP_LENGTH;
	default:
		break;
	}
	if (x->minor > 0) {
		return HTTP_CHUNKED;
	}
	x->last = true;
	return HTTP_UNTIL_CLOSE;
}

static enum exchange_result pass_body(struct exchange *x, struct buf *frame, struct slice bytes);

static enum exchange_result final_head(struct exchange *x, const struct http_head *head,
                                       struct slice rest)
{
	struct conn *c = x->conn;
	struct buf frame;
	uint64_t length;
	upstream_succeeded(x->upstream, x->server);
	x->answered = true;
	x->status = head->status;
	x->link_close = head->close;
	x->last = exchange_is_last(x) || !x->up.done; /* nobody waits for the rest of an upload */
	x->retriable = false;
	if (x->head_off == x->head.len) { /* else exchange_write_link() does it, once all of it went */
		buf_release(&x->head);
		buf_init(&x->head, SIZE_MAX);
		x->head_off = 0;
	}
	x->down_framing = framing_down(x, head, &length);
	x->down_body.framing = head->framing;
	x->down_body.left = head->length;
	if (head->framing == HTTP_CHUNKED) {
		http_chunked_init(&x->down_body.chunks,
		                  snapshot_config(c->snapshot)->limits.head_bytes);
	}
	buf_init_fixed(&frame, c->shard->frame, sizeof(c->shard->frame));
	http_response_write(&frame, head, x->down_framing, length, x->last, false);
	if (frame.err != E_OK) {
		return exchange_end(x, CLOSE_INTERNAL_ERROR, false);
	}
	return pass_body(x, &frame, rest);
}

/* One head at the start of `bytes`; *used tells how long it was. */
static enum exchange_result one_head(struct exchange *x, struct slice bytes, size_t *used)
{
	struct shard *s = x->conn->shard;
	const struct http_limits limits = exchange_limits(x);
	struct http_head head = {.fields = s->fields};
	*used = 0;
	switch (http_response_parse(&head, &x->answer_scan, &limits, bytes, x->verb)) {
	case HTTP_MORE:
		return EXCHANGE_STAYS;
	case HTTP_BAD:
		return broken(x, head.bad);
	case HTTP_DONE:
		break;
	}
	x->answer_scan = (struct http_scan){0};
	*used = head.bytes;
	struct slice rest = slice_of(bytes.data + head.bytes, bytes.len - head.bytes);
	if (head.status == 101) {
		return switch_protocols(x, &head, rest);
	}
	if (head.status >= 200) {
		*used = bytes.len;
		return final_head(x, &head, rest);
	}
	if (++x->informational > INFORMATIONAL_MAX) {
		return broken(x, "too many 1xx heads");
	}
	x->expecting = x->expecting && head.status != 100;
	if (x->minor == 0) { /* RFC 9110 15.2: not to an HTTP/1.0 client */
		return EXCHANGE_STAYS;
	}
	struct buf frame;
	buf_init_fixed(&frame, s->frame, sizeof(s->frame));
	http_response_write(&frame, &head, HTTP_NO_BODY, 0, false, false);
	return frame.err == E_OK ? exchange_send(x, frame.data, frame.len)
	                         : broken(x, "its head is too long");
}

static enum exchange_result take_head(struct exchange *x, struct slice bytes)
{
	bool kept = x->answer.len > 0;
	if (kept) {
		buf_append_slice(&x->answer, bytes);
		if (x->answer.err != E_OK) {
			return exchange_end(x, CLOSE_INTERNAL_ERROR, false);
		}
		bytes = buf_slice(&x->answer);
	}
	size_t off = 0;
	while (!x->answered && off < bytes.len) {
		size_t used = 0;
		if (one_head(x, slice_of(bytes.data + off, bytes.len - off), &used) ==
		    EXCHANGE_GONE) {
			return EXCHANGE_GONE;
		}
		if (x->state != EXCHANGE_ACTIVE ||
		    x->link == NULL) { /* over, answered by us, or tried again */
			return EXCHANGE_STAYS;
		}
		off += used;
		if (used == 0) {
			break;
		}
	}
	struct buf before = x->answer;
	buf_init(&x->answer, SIZE_MAX);
	if (!x->answered) {
		buf_append(&x->answer, bytes.data + off, bytes.len - off);
	}
	buf_release(&before);
	return x->answer.err == E_OK ? EXCHANGE_STAYS : exchange_end(x, CLOSE_INTERNAL_ERROR, false);
}

/* --- the body --- */

static enum exchange_result send_frame(struct exchange *x, const struct buf *frame)
{
	if (frame->err != E_OK) {
		return exchange_end(x, CLOSE_INTERNAL_ERROR, false);
	}
	return frame->len == 0 ? EXCHANGE_STAYS : exchange_send(x, frame->data, frame->len);
}

static void frame_data(struct exchange *x, struct buf *frame, struct slice data)
{
	x->down_body.bytes += data.len;
	if (data.len == 0) {
		return;
	}
	if (x->down_framing == HTTP_CHUNKED) {
		http_chunk_begin(frame, data.len);
	}
	buf_append_slice(frame, data);
	if (x->down_framing == HTTP_CHUNKED) {
		buf_append_slice(frame, SLICE("\r\n"));
	}
}

static bool frame_end(struct exchange *x, struct buf *frame)
{
	struct shard *s = x->conn->shard;
	struct http_head trailer = {.fields = s->fields};
	struct slice section = http_chunked_trailer(&x->down_body.chunks);
	const struct http_limits limits = exchange_limits(x);
	if (section.len > 0 && http_trailer_parse(&trailer, &limits, section) != HTTP_DONE) {
		return false;
	}
	if (x->down_framing == HTTP_CHUNKED) {
		http_chunk_end(frame, section.len > 0 ? &trailer : NULL);
	}
	return true;
}

/* Decodes and frames anew. */
static enum exchange_result pass_chunks(struct exchange *x, struct buf *frame, struct slice bytes)
{
	struct slice data;
	for (;;) {
		/* Small chunks grow by their new framing. */
		if (frame->len > frame->cap / 2) {
			if (send_frame(x, frame) == EXCHANGE_GONE) {
				return EXCHANGE_GONE;
			}
			buf_reset(frame);
		}
		switch (http_chunked_next(&x->down_body.chunks, &bytes, &data)) {
		case HTTP_CHUNK_DATA:
			frame_data(x, frame, data);
			break;
		case HTTP_CHUNK_MORE:
			return send_frame(x, frame);
		case HTTP_CHUNK_BAD:
			return broken(x, x->down_body.chunks.bad);
		case HTTP_CHUNK_END:
			if (!frame_end(x, frame)) {
				return broken(x, "its trailer section is malformed");
			}
			x->link_close |= bytes.len > 0;
			return send_frame(x, frame) == EXCHANGE_GONE ? EXCHANGE_GONE : finish(x);
		}
	}
}

/* What is in `frame` (a head) goes along with the first part of the body. */
static enum exchange_result pass_body(struct exchange *x, struct buf *frame, struct slice bytes)
{
	struct body *body = &x->down_body;
	switch (body->framing) {
	case HTTP_CHUNKED:
		return pass_chunks(x, frame, bytes);
	case HTTP_UNTIL_CLOSE:
		frame_data(x, frame, bytes);
		return send_frame(x, frame);
	default:
		break;
	}
	size_t n = body->framing == HTTP_NO_BODY ? 0
	           : bytes.len < body->left      ? bytes.len
	                                         : (size_t)body->left;
	body->left -= n;
	body->bytes += n;
	x->link_close |= n < bytes.len; /* out of step: nobody asked for more */
	enum exchange_result result;
	if (frame->len == 0) {
		result = exchange_send(x, bytes.data, n);
	} else {
		buf_append(frame, bytes.data, n);
		result = send_frame(x, frame);
	}
	if (result == EXCHANGE_GONE) {
		return EXCHANGE_GONE;
	}
	return body->framing == HTTP_NO_BODY || body->left == 0 ? finish(x) : EXCHANGE_STAYS;
}

enum exchange_result exchange_read_link(struct exchange *x)
{
	struct shard *s = x->conn->shard;
	for (int turn = 0; turn < TURNS; turn++) {
		if (x->state != EXCHANGE_ACTIVE || x->link == NULL || x->down_body.done ||
		    !exchange_sent(x)) {
			return EXCHANGE_STAYS;
		}
		size_t n = 0;
		switch (link_read(x->link, s->relay, sizeof(s->relay), &n)) {
		case LINK_AGAIN:
			return EXCHANGE_STAYS;
		case LINK_EOF:
			return ended(x, true);
		case LINK_RESET:
			return ended(x, false);
		case LINK_DONE:
			break;
		}
		x->progress = true;
		struct slice bytes = slice_of(s->relay, n);
		struct buf frame;
		buf_init_fixed(&frame, s->frame, sizeof(s->frame));
		enum exchange_result result =
			x->answered ? pass_body(x, &frame, bytes) : take_head(x, bytes);
		if (result == EXCHANGE_GONE) {
			return EXCHANGE_GONE;
		}
		if (n < sizeof(s->relay)) { /* more will tell by itself */
			return EXCHANGE_STAYS;
		}
	}
	return EXCHANGE_STAYS;
}
