#include "proxy/exchange.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/err.h"
#include "proxy/conn.h"
#include "proxy/link.h"
#include "proxy/shard.h"

#define BODY_WINDOW_BYTES 1024 /* of a request's body, in each timeouts.request */
#define TICK_S 0.1

/* --- busy or not --- */

static void set_busy(struct exchange *x, bool busy)
{
	struct shard *s = x->conn->shard;
	if (busy == x->busy) {
		return;
	}
	x->busy = busy;
	if (busy) {
		x->busy_previous = NULL;
		x->busy_next = s->busy;
		if (s->busy != NULL) {
			s->busy->busy_previous = x;
		}
		s->busy = x;
		if (!ev_is_active(&s->tick)) {
			ev_timer_set(&s->tick, TICK_S, TICK_S);
			ev_timer_start(s->loop, &s->tick);
		}
		return;
	}
	if (x->busy_previous != NULL) {
		x->busy_previous->busy_next = x->busy_next;
	} else {
		s->busy = x->busy_next;
	}
	if (x->busy_next != NULL) {
		x->busy_next->busy_previous = x->busy_previous;
	}
}

static const struct config_timeouts *timeouts(const struct exchange *x)
{
	return &snapshot_config(x->conn->snapshot)->timeouts;
}

static uint64_t patience_ms(const struct exchange *x, enum exchange_wait wait)
{
	switch (wait) {
	case WAIT_HEAD:
		return timeouts(x)->header_ms;
	case WAIT_BODY:
		return timeouts(x)->request_ms;
	case WAIT_UPSTREAM:
		return timeouts(x)->upstream_ms;
	case WAIT_CLIENT:
		break;
	}
	return timeouts(x)->idle_ms;
}

/* The link has its own timeout while it opens. */
static enum exchange_wait whom(const struct exchange *x)
{
	if (x->state == EXCHANGE_HEAD) {
		return WAIT_HEAD;
	}
	if (!exchange_sent(x) || x->state == EXCHANGE_ANSWER) {
		return WAIT_CLIENT;
	}
	bool taken = x->head_off == x->head.len && x->rest_off == x->rest.len && !x->link_flushing;
	bool body = x->state == EXCHANGE_ACTIVE && taken && !x->up.done && !x->up_broken;
	return body && !x->expecting ? WAIT_BODY : WAIT_UPSTREAM;
}

static void watch(struct exchange *x)
{
	if (x->state == EXCHANGE_IDLE) {
		set_busy(x, false);
		return;
	}
	enum exchange_wait wait = whom(x);
	bool renew = x->progress && wait != WAIT_HEAD &&
	             (wait != WAIT_BODY || x->window_bytes >= BODY_WINDOW_BYTES);
	if (!x->busy || wait != x->wait || renew) {
		x->wait = wait;
		x->window_bytes = 0;
		x->deadline_ns = clock_mono_ns() + patience_ms(x, wait) * 1000000;
		set_busy(x, true);
	}
	x->progress = false;
}

static enum exchange_result too_late(struct exchange *x)
{
	switch (x->wait) {
	case WAIT_HEAD:
		return exchange_deny(x, 408, DENIED_BY_REQUEST, "the head took too long", NULL);
	case WAIT_BODY:
		return x->answered ? exchange_end(x, CLOSE_CLIENT_TIMEOUT, false)
		                   : exchange_deny(x, 408, DENIED_BY_REQUEST,
		                                   "the body took too long", NULL);
	case WAIT_UPSTREAM:
		if (x->state == EXCHANGE_LINK) { /* it has a timeout of its own */
			x->deadline_ns = clock_mono_ns() + timeouts(x)->upstream_ms * 1000000;
			return EXCHANGE_STAYS;
		}
		if (x->server != UPSTREAM_NOBODY) {
			upstream_failed(x->upstream, x->server, clock_mono_ns());
		}
		return x->answered ? exchange_end(x, CLOSE_UPSTREAM_TIMEOUT, false)
		                   : exchange_answer(x, 504, x->conn->id, x->up.done);
	case WAIT_CLIENT:
		break;
	}
	return exchange_end(x, CLOSE_CLIENT_TIMEOUT, false);
}

struct http_limits exchange_limits(const struct exchange *x)
{
	const struct config_limits *config = &snapshot_config(x->conn->snapshot)->limits;
	return (struct http_limits){
		.line = config->head_bytes,
		.head = config->head_bytes,
		.fields = (unsigned)config->head_fields,
	};
}

/* --- waiting --- */

/* What waits in `in` waits for nobody else: its turn was over. */
static bool can_go_on(const struct exchange *x)
{
	if (x->in_off == x->in.len) {
		return false;
	}
	return x->state == EXCHANGE_IDLE ||
	       (x->state == EXCHANGE_ACTIVE && !x->up.done && !x->up_broken &&
	        x->head_off == x->head.len && x->rest_off == x->rest.len);
}

void exchange_wait(struct exchange *x)
{
	struct conn *c = x->conn;
	if (input_settle(&c->input) != E_OK) {
		exchange_end(x, CLOSE_INTERNAL_ERROR, false);
		return;
	}
	bool read = exchange_may_read(x);
	bool sent = exchange_sent(x);
	/* What cannot be read before something is written would call us again and again. */
	int client = (read && !x->read_wants_write ? EV_READ : 0) |
	             (!sent || x->read_wants_write || x->closing ? EV_WRITE : 0);
	conn_wait(c, client);
	if (x->link != NULL && x->state == EXCHANGE_ACTIVE) {
		bool waiting = !x->up_broken && (x->head_off < x->head.len ||
		                                 x->rest_off < x->rest.len || x->link_flushing);
		link_wait(x->link, (sent ? EV_READ : 0) | (waiting ? EV_WRITE : 0));
	}
	watch(x);
	/* What is buffered raises no event. */
	if (((read && input_unread(&c->input) > 0) || can_go_on(x)) && !ev_is_active(&x->again)) {
		ev_timer_set(&x->again, 0, 0);
		ev_timer_start(c->shard->loop, &x->again);
	}
}

void exchange_go_on(struct exchange *x)
{
	if (exchange_pump(x) == EXCHANGE_STAYS) {
		exchange_wait(x);
	}
}

static void on_again(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	struct exchange *x = timer->data;
	input_ready(&x->conn->input);
	exchange_go_on(x);
}

static enum exchange_result close_write(struct exchange *x)
{
	struct conn *c = x->conn;
	switch (tls_session_close_write(c->tls)) {
	case TLS_AGAIN_WRITE:
		exchange_wait(x);
		return EXCHANGE_GONE;
	default:
		break;
	}
	connection_end_record(c, x->end_reason, false);
	exchange_free(&c->http);
	conn_linger(c);
	return EXCHANGE_GONE;
}

void exchange_client_ready(struct exchange *x, int events)
{
	x->conn->last_byte_ns = clock_mono_ns();
	if (x->closing) {
		close_write(x);
		return;
	}
	if ((events & EV_WRITE) != 0 && !exchange_sent(x)) {
		if (exchange_flush(x) == EXCHANGE_GONE) {
			return;
		}
		if (exchange_sent(x) && x->down_body.done && exchange_over(x) == EXCHANGE_GONE) {
			return;
		}
		if (exchange_sent(x) && x->link != NULL && x->state == EXCHANGE_ACTIVE &&
		    exchange_read_link(x) == EXCHANGE_GONE) {
			return;
		}
	}
	exchange_go_on(x);
}

/* --- from one to the next --- */

static void reset(struct exchange *x)
{
	exchange_release_link(x, false);
	http_chunked_release(&x->up.chunks);
	http_chunked_release(&x->down_body.chunks);
	buf_release(&x->head);
	buf_release(&x->rest);
	buf_release(&x->answer);
	free(x->note.text);
	x->note = (struct request_note){0};
	x->up = x->down_body = (struct body){0};
	buf_init(&x->head, SIZE_MAX);
	buf_init(&x->rest, SIZE_MAX);
	buf_init(&x->answer, SIZE_MAX);
	x->head_off = x->rest_off = 0;
	x->answer_scan = (struct http_scan){0};
	x->tried = (struct upstream_tried){0};
	x->upstream = NULL;
	x->server = UPSTREAM_NOBODY;
	x->verb = HTTP_OTHER;
	x->minor = 1;
	x->status = 0;
	x->informational = 0;
	x->retriable = x->websocket = x->pooled = x->untrusted = x->answered = x->link_close = false;
	x->up_broken = x->link_flushing = x->expecting = false;
}

/* A server may answer before it has read all of a request. What it still waits for would be the next request: another client's. */
static bool request_went(const struct exchange *x)
{
	return x->up.done && !x->up_broken && x->head_off == x->head.len &&
	       x->rest_off == x->rest.len && !x->link_flushing;
}

bool exchange_is_last(const struct exchange *x)
{
	const struct conn *c = x->conn;
	return x->last || x->client_eof || c->shard->draining ||
	       !snapshot_same_plan(c->snapshot, c->shard->snapshot);
}

enum exchange_result exchange_over(struct exchange *x)
{
	struct conn *c = x->conn;
	exchange_record(x, true);
	/* A reload since the head was passed on waits for the next answer: a client that was not told may have asked again. */
	bool last = x->last || x->client_eof || c->shard->draining || !x->up.done;
	exchange_release_link(x, request_went(x) && x->down_body.done && !x->link_close);
	reset(x);
	x->state = EXCHANGE_IDLE;
	set_busy(x, false); /* whatever comes next has a time of its own */
	if (last) {
		return exchange_end(x, x->end_reason, true);
	}
	c->last_byte_ns = clock_mono_ns();
	return EXCHANGE_STAYS;
}

enum exchange_result exchange_end(struct exchange *x, enum close_reason reason, bool proper)
{
	struct conn *c = x->conn;
	exchange_record(x, false); /* one that was cut off was asked for all the same */
	exchange_release_link(x, false);
	x->end_reason = reason;
	if (proper && exchange_sent(x)) {
		x->closing = true;
		x->state = EXCHANGE_ANSWER;
		return close_write(x);
	}
	conn_close(c, reason);
	return EXCHANGE_GONE;
}

/* Takes the heap memory of `b`, from `off` on. */
static struct relay_rest rest_of(struct buf *b, size_t off)
{
	struct relay_rest rest = {0};
	if (off < b->len) {
		rest = (struct relay_rest){b->data, off, b->len};
		buf_init(b, SIZE_MAX);
	}
	return rest;
}

void exchange_tunnel(struct exchange *x)
{
	struct conn *c = x->conn;
	c->relay.link = x->link; /* with its count in the upstream */
	x->link = NULL;
	x->server = UPSTREAM_NOBODY;
	c->relay.up = rest_of(&x->in, x->in_off);
	c->relay.down = rest_of(&x->down, x->down_off);
	c->relay.to_client -=
		c->relay.down.len - c->relay.down.off; /* the relay counts it when it goes */
	c->relay.flushing = x->client_flushing;
	c->relay.client_eof = x->client_eof;
	exchange_free(&c->http);
	relay_start(c);
}

/* --- the beginning and the end --- */

void exchange_begin(struct conn *c)
{
	struct exchange *x = calloc(1, sizeof(*x));
	if (x == NULL) {
		conn_close(c, CLOSE_INTERNAL_ERROR);
		return;
	}
	x->conn = c;
	x->server = UPSTREAM_NOBODY;
	x->end_reason = CLOSE_CLIENT_CLOSED;
	buf_init(&x->in, SIZE_MAX);
	buf_init(&x->down, SIZE_MAX);
	reset(x);
	ev_timer_init(&x->again, on_again, 0, 0);
	x->again.data = x;
	c->http = x;
	c->state = CONN_HTTP;
	c->last_byte_ns = clock_mono_ns();
	conn_timer(c, timeouts(x)->idle_ms);
	/* What came with the Finished is in our buffer already and raises no event. */
	if (exchange_pump(x) == EXCHANGE_GONE) {
		return;
	}
	if (c->shard->draining && x->state == EXCHANGE_IDLE && x->in_off == x->in.len) {
		/* Its handshake was still going on when the others were told. */
		exchange_end(x, CLOSE_SHUTDOWN, true);
		return;
	}
	exchange_wait(x);
}

void exchange_free(struct exchange **exchange)
{
	struct exchange *x = *exchange;
	if (x == NULL) {
		return;
	}
	*exchange = NULL;
	set_busy(x, false);
	ev_timer_stop(x->conn->shard->loop, &x->again);
	reset(x);
	link_close(&x->own_link, true);
	buf_release(&x->in);
	buf_release(&x->down);
	buf_release(&x->head);
	buf_release(&x->rest);
	buf_release(&x->answer);
	free(x);
}

void exchange_idle_check(struct exchange *x)
{
	uint64_t quiet_ms = (clock_mono_ns() - x->conn->last_byte_ns) / 1000000;
	uint64_t idle_ms = timeouts(x)->idle_ms;
	if (x->state != EXCHANGE_IDLE || quiet_ms < idle_ms) {
		conn_timer(x->conn, x->state != EXCHANGE_IDLE ? idle_ms : idle_ms - quiet_ms);
		return;
	}
	exchange_end(x, CLOSE_IDLE_TIMEOUT, true);
}

void exchange_drain(struct exchange *x)
{
	if (x->state == EXCHANGE_IDLE && x->in_off == x->in.len) {
		exchange_end(x, CLOSE_SHUTDOWN, true);
	}
}

void exchange_renew(struct exchange *x, struct snapshot *snapshot)
{
	if (x->link != NULL) {
		link_renew(x->link, snapshot);
	}
	if (x->own_link != NULL) {
		link_renew(x->own_link, snapshot);
	}
}

void exchange_tick(struct shard *s)
{
	uint64_t now_ns = clock_mono_ns();
	struct exchange *x = s->busy;
	while (x != NULL) {
		struct exchange *next = x->busy_next;
		if (now_ns >= x->deadline_ns && too_late(x) == EXCHANGE_STAYS) {
			exchange_go_on(x); /* never frees another one */
		}
		x = next;
	}
	if (s->busy == NULL) {
		ev_timer_stop(s->loop, &s->tick);
	}
}
