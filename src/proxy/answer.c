/* Our own answers, and what the record says of requests.
 *
 * A client learns a status and the id of the event, nothing else: why it was refused stands in the record. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "proxy/conn.h"
#include "proxy/exchange.h"
#include "proxy/link.h"
#include "proxy/shard.h"

/* RFC 9110 15, RFC 6585. */
static const char *phrase(unsigned status)
{
	static const struct {
		unsigned status;
		const char *phrase;
	} phrases[] = {
		{302, "Found"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{408, "Request Timeout"},
		{413, "Content Too Large"},
		{414, "URI Too Long"},
		{417, "Expectation Failed"},
		{421, "Misdirected Request"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{502, "Bad Gateway"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
		{505, "HTTP Version Not Supported"},
	};
	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
		if (phrases[i].status == status) {
			return phrases[i].phrase;
		}
	}
	return status < 500 ? "Client Error" : "Server Error";
}

/* RFC 9110 6.6.1 and 5.6.7; not by strftime(), whose names are the locale's. */
static void append_date(struct buf *out)
{
	static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
	                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t now = (time_t)(clock_wall_us() / 1000000);
	struct tm tm;
	if (gmtime_r(&now, &tm) != NULL) {
		buf_printf(out, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n", days[tm.tm_wday],
		           tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
		           tm.tm_sec);
	}
}

/* RFC 9457. */
static void write_answer(struct buf *out, unsigned status, const char *event_id,
                         const char *location, bool close, bool with_body)
{
	char text[256];
	struct buf body;
	buf_init_fixed(&body, text, sizeof(text));
	buf_printf(
		&body,
		"{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,\"event_id\":\"%s\"}\n",
		phrase(status), status, event_id);
	buf_printf(out, "HTTP/1.1 %u %s\r\n", status, phrase(status));
	append_date(out);
	if (location != NULL) {
		buf_append_text(out, "Location: ");
		buf_append_text(out, location);
		buf_append_text(out, "\r\n");
	}
	buf_printf(out, "Content-Type: application/problem+json\r\nContent-Length: %zu\r\n",
	           body.len);
	buf_append_text(out, "Cache-Control: no-store\r\n");
	buf_append_text(out, close ? "Connection: close\r\n\r\n" : "\r\n");
	if (with_body) {
		buf_append_slice(out, buf_slice(&body));
	}
}

static enum exchange_result answer(struct exchange *x, unsigned status, const char *event_id,
                                   const char *location, bool keep)
{
	struct conn *c = x->conn;
	struct buf out;
	if (x->server != UPSTREAM_NOBODY) {
		x->note.upstream = upstream_name(x->upstream, x->server);
	}
	exchange_release_link(x, false);
	x->last = exchange_is_last(x) || !keep;
	x->end_reason = keep ? x->end_reason : CLOSE_REQUEST_REFUSED;
	x->state = EXCHANGE_ANSWER;
	x->status = status;
	x->answered = true;
	x->down_body.done = true;
	buf_init_fixed(&out, c->shard->frame, sizeof(c->shard->frame));
	write_answer(&out, status, event_id, location, x->last, x->verb != HTTP_HEAD);
	if (exchange_send(x, out.data, out.len) == EXCHANGE_GONE) {
		return EXCHANGE_GONE;
	}
	return exchange_sent(x) ? exchange_over(x) : EXCHANGE_STAYS;
}

enum exchange_result exchange_answer(struct exchange *x, unsigned status, const char *event_id,
                                     bool keep)
{
	return answer(x, status, event_id, NULL, keep);
}

/* --- the record --- */

static bool submit(struct exchange *x, struct request_event *event)
{
	struct conn *c = x->conn;
	struct shard *s = c->shard;
	struct buf body;
	uint64_t ticket;
	id_next(&s->ids, event->id);
	event->connection = c->id;
	event->source = c->source;
	event->destination = c->destination;
	event->peer = c->announcer;
	event->service = &c->service->event;
	event->class = c->client.class;
	event->verified = c->client.verified;
	event->user_name = c->client.user_name;
	event->roles = c->client.roles;
	event->role_count = c->client.role_count;
	event->end_us = clock_wall_us();
	buf_init_fixed(&body, s->event, sizeof(s->event));
	event_encode_request(&body, &s->source, event);
	if (!shard_submit(s, &body, &ticket)) {
		log_error("out of memory: a request of connection %s is not on the record", c->id);
		return false;
	}
	return true;
}

static struct slice query_of(const struct exchange *x, struct slice query)
{
	/* Without its "?"; secrets stand in queries, so only where it is allowed. */
	return x->conn->service->config->request_query && query.len > 1
	               ? slice_of(query.data + 1, query.len - 1)
	               : slice_of(NULL, 0);
}

/* What exchange_note() kept. */
static void put_note(struct request_event *event, const struct request_note *note)
{
	const char *at = note->text;
	event->start_us = note->start_us;
	event->method = slice_of(at, note->method_len);
	event->host = slice_of(at + note->method_len, note->host_len);
	event->path = slice_of(at + note->method_len + note->host_len, note->path_len);
	event->query =
		slice_of(at + note->method_len + note->host_len + note->path_len, note->query_len);
}

/* False: it is not on the record. */
static bool record_denial(struct exchange *x, struct request_event *event,
                          const struct http_head *head)
{
	event->denied = true;
	event->start_us = clock_wall_us();
	if (head != NULL) {
		event->method = head->method;
		event->host = head->host;
		event->path = head->path;
		event->query = query_of(x, head->query);
	} else if (x->note.text != NULL) { /* refused in its body */
		put_note(event, &x->note);
		event->request_bytes = x->up.bytes;
	}
	return submit(x, event);
}

enum exchange_result exchange_deny(struct exchange *x, unsigned status, enum denied_by by,
                                   const char *detail, const struct http_head *head)
{
	struct conn *c = x->conn;
	const char *id = c->id;
	struct request_event event = {.denied_by = by, .detail = detail, .status = status};
	/* Who asked for what is somebody else's is always told; who cannot speak HTTP, where it is asked for. */
	bool wanted = by != DENIED_BY_REQUEST || c->service->config->requests != REQUESTS_NONE;
	if (wanted && record_denial(x, &event, head)) {
		id = event.id;
	}
	free(x->note.text);
	x->note = (struct request_note){0};
	return answer(x, status, id, NULL, false);
}

enum exchange_result exchange_answer_denial(struct exchange *x, const struct http_head *head)
{
	const struct conn *c = x->conn;
	const char *location = c->service->config->redirect.text;
	struct request_event event = {
		.denied_by = DENIED_BY_VERIFY,
		.detail = peer_class_row(c->client.class)->sentence,
		.status = location != NULL ? 302 : c->service->status[c->client.class],
	};
	if (c->service->config->requests != REQUESTS_NONE) {
		record_denial(x, &event, head);
	}
	return answer(x, event.status, c->id, location, false);
}

bool exchange_note(struct exchange *x, const struct http_head *head)
{
	if (x->conn->service->config->requests != REQUESTS_ALL) {
		return true;
	}
	struct slice query = query_of(x, head->query);
	const struct slice parts[] = {head->method, head->host, head->path, query};
	size_t len = 0;
	for (size_t i = 0; i < 4; i++) {
		len += parts[i].len;
	}
	char *text = malloc(len + 1);
	if (text == NULL) {
		return false;
	}
	x->note = (struct request_note){.text = text,
	                                .method_len = head->method.len,
	                                .host_len = head->host.len,
	                                .path_len = head->path.len,
	                                .query_len = query.len,
	                                .start_us = clock_wall_us()};
	for (size_t i = 0; i < 4; i++) {
		if (parts[i].len > 0) {
			memcpy(text, parts[i].data, parts[i].len);
		}
		text += parts[i].len;
	}
	return true;
}

void exchange_record(struct exchange *x, bool whole)
{
	const struct request_note *note = &x->note;
	if (note->text == NULL) {
		return;
	}
	struct request_event event = {
		.duration_ns = clock_mono_ns() - x->start_ns,
		.status = x->status,
		.cut_off = x->status != 0 && !whole,
		.request_bytes = x->up.bytes,
		.response_bytes = x->down_body.bytes,
		.upstream = x->server == UPSTREAM_NOBODY ? note->upstream
	                                                 : upstream_name(x->upstream, x->server),
	};
	put_note(&event, note);
	submit(x, &event);
	free(x->note.text);
	x->note = (struct request_note){0};
}
