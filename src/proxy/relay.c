#include "proxy/relay.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/err.h"
#include "proxy/conn.h"
#include "proxy/link.h"
#include "proxy/shard.h"
#include "proxy/upstream.h"

#define TURNS 8 /* records a side moves in one go: others have a turn, too */

/* What a pump found: go on waiting, or the connection was closed and must not be touched. */
enum pumped { PUMPED_WAIT, PUMPED_GONE };

void relay_init(struct relay *r)
{
	*r = (struct relay){.link = NULL};
}

void relay_release(struct relay *r, struct ev_loop *loop, bool abort)
{
	free(r->up.data);
	free(r->down.data);
	r->up = r->down = (struct relay_rest){0};
	ev_timer_stop(loop, &r->again);
	if (r->link != NULL) {
		upstream_release(link_upstream(r->link), link_server(r->link));
		link_close(&r->link, abort);
	}
}

static bool keep(struct relay_rest *rest, const uint8_t *data, size_t len)
{
	BUG_IF(rest->data != NULL);
	rest->data = malloc(len);
	if (rest->data == NULL) {
		return false;
	}
	memcpy(rest->data, data, len);
	rest->off = 0;
	rest->len = len;
	return true;
}

static void advance(struct relay_rest *rest, size_t n)
{
	rest->off += n;
	BUG_IF(rest->off > rest->len);
	if (rest->off == rest->len) {
		free(rest->data);
		*rest = (struct relay_rest){0};
	}
}

static enum pumped gone(struct conn *c, enum close_reason reason)
{
	conn_close(c, reason);
	return PUMPED_GONE;
}

/* The client's socket is gone. After our close_notify, or after its own, that is how connections end. */
static enum pumped client_gone(struct conn *c, enum tls_outcome outcome)
{
	const struct relay *r = &c->relay;
	if (outcome != TLS_TRUNCATED) {
		return gone(c, CLOSE_CLIENT_ERROR);
	}
	return gone(c, r->client_shut  ? CLOSE_UPSTREAM_CLOSED
	               : r->client_eof ? CLOSE_CLIENT_CLOSED
	                               : CLOSE_CLIENT_TRUNCATED);
}

/* So is the back end's: one that said FIN before has merely closed. */
static enum pumped upstream_gone(struct conn *c)
{
	return gone(c, c->relay.upstream_eof ? CLOSE_UPSTREAM_CLOSED : CLOSE_UPSTREAM_RESET);
}

/* The back end went away while the client still sends: closing with unread input would reset the client, too, and a reset
 * may overtake the answer. */
static enum pumped end_broken(struct conn *c, enum close_reason reason)
{
	connection_end_record(c, reason, false);
	relay_release(&c->relay, c->shard->loop, true);
	conn_linger(c);
	return PUMPED_GONE;
}

/* --- client to back end --- */

/* Nothing more can be sent: the client's bytes are dropped, and no more of them read. */
static void break_up(struct relay *r)
{
	r->up_broken = true;
	free(r->up.data);
	r->up = (struct relay_rest){0};
}

/* Sends; what does not go is kept. -1: it never will. */
static int send_up(struct conn *c, const uint8_t *data, size_t len)
{
	size_t sent = 0;
	if (link_write(c->relay.link, data, len, &sent) == LINK_RESET) {
		return -1;
	}
	if (c->relay.up.data != NULL) {
		advance(&c->relay.up, sent);
		return 0;
	}
	return sent == len || keep(&c->relay.up, data + sent, len - sent) ? 0 : -1;
}

static enum pumped read_client(struct conn *c, bool *more)
{
	struct relay *r = &c->relay;
	size_t n = 0;
	*more = false;
	switch (tls_session_read(c->tls, c->shard->relay, sizeof(c->shard->relay), &n)) {
	case TLS_DONE:
		r->from_client += n;
		*more = true;
		if (send_up(c, c->shard->relay, n) != 0) {
			break_up(r);
		}
		return PUMPED_WAIT;
	case TLS_AGAIN_READ:
		return PUMPED_WAIT;
	case TLS_AGAIN_WRITE:
		r->up_wants_write = true;
		return PUMPED_WAIT;
	case TLS_CLOSED:
		r->client_eof = true;
		*more = true;
		return PUMPED_WAIT;
	case TLS_TRUNCATED:
		return client_gone(c, TLS_TRUNCATED);
	case TLS_FAILED:
		break;
	}
	return client_gone(c, TLS_FAILED);
}

static enum pumped pump_up(struct conn *c)
{
	struct relay *r = &c->relay;
	r->up_wants_write = r->read_again = false;
	bool more = true;
	for (int turn = 0; more && turn < TURNS; turn++) {
		if (r->up.data != NULL) {
			if (send_up(c, r->up.data + r->up.off, r->up.len - r->up.off) != 0) {
				break_up(r);
			}
			if (r->up.data != NULL) {
				return PUMPED_WAIT;
			}
		}
		if (r->up_broken) {
			return PUMPED_WAIT;
		}
		if (r->client_eof) {
			r->upstream_shut = link_shut(r->link) == LINK_DONE;
			return PUMPED_WAIT;
		}
		if (read_client(c, &more) == PUMPED_GONE) {
			return PUMPED_GONE;
		}
	}
	/* With a rest for the back end its socket calls for the next turn. */
	r->read_again = more && r->up.data == NULL && !r->up_broken;
	return PUMPED_WAIT;
}

/* --- back end to client --- */

/* Sends what is in `down`. True: all of it went. */
static enum pumped send_down(struct conn *c, bool *all)
{
	struct relay *r = &c->relay;
	while (r->down.data != NULL) {
		size_t n = 0;
		enum tls_outcome outcome =
			r->flushing ? tls_session_flush(c->tls, &n)
				    : tls_session_write(c->tls, r->down.data + r->down.off,
		                                        r->down.len - r->down.off, &n);
		if (outcome == TLS_AGAIN_WRITE || outcome == TLS_AGAIN_READ) {
			r->flushing = true;
			*all = false;
			return PUMPED_WAIT;
		}
		if (outcome != TLS_DONE) {
			return client_gone(c, outcome);
		}
		r->flushing = false;
		r->to_client += n;
		advance(&r->down, n);
	}
	*all = true;
	return PUMPED_WAIT;
}

/* Straight from the worker's scratch memory; only a rest is kept. */
static enum pumped write_client(struct conn *c, size_t len)
{
	struct relay *r = &c->relay;
	size_t n = 0;
	enum tls_outcome outcome = tls_session_write(c->tls, c->shard->relay, len, &n);
	if (outcome == TLS_DONE) {
		r->to_client += n;
		return n == len || keep(&r->down, c->shard->relay + n, len - n)
		               ? PUMPED_WAIT
		               : gone(c, CLOSE_INTERNAL_ERROR);
	}
	if (outcome == TLS_AGAIN_WRITE || outcome == TLS_AGAIN_READ) {
		r->flushing = true;
		return keep(&r->down, c->shard->relay, len) ? PUMPED_WAIT
		                                            : gone(c, CLOSE_INTERNAL_ERROR);
	}
	return client_gone(c, outcome);
}

static enum pumped end_client(struct conn *c)
{
	struct relay *r = &c->relay;
	if (r->client_shut) {
		return PUMPED_WAIT;
	}
	switch (tls_session_close_write(c->tls)) {
	case TLS_DONE:
		r->client_shut = true;
		shutdown(c->fd, SHUT_WR);
		return PUMPED_WAIT;
	case TLS_AGAIN_WRITE:
		return PUMPED_WAIT;
	default:
		return client_gone(c, TLS_TRUNCATED);
	}
}

static enum pumped read_upstream(struct conn *c, bool *more)
{
	struct relay *r = &c->relay;
	size_t n = 0;
	switch (link_read(r->link, c->shard->relay, sizeof(c->shard->relay), &n)) {
	case LINK_DONE:
		return write_client(c, n);
	case LINK_AGAIN:
		*more = false;
		return PUMPED_WAIT;
	case LINK_EOF:
		if (r->up_broken) { /* a reset that writing was told of: no proper end */
			break;
		}
		r->upstream_eof = true;
		r->upstream_first = !r->client_eof;
		return PUMPED_WAIT;
	case LINK_RESET:
		break;
	}
	return r->up_broken ? end_broken(c, CLOSE_UPSTREAM_RESET) : upstream_gone(c);
}

static enum pumped pump_down(struct conn *c)
{
	struct relay *r = &c->relay;
	for (int turn = 0; turn < TURNS; turn++) {
		bool all = true;
		if (send_down(c, &all) == PUMPED_GONE) {
			return PUMPED_GONE;
		}
		if (!all) {
			return PUMPED_WAIT;
		}
		if (r->upstream_eof) {
			return end_client(c);
		}
		bool more = true;
		if (read_upstream(c, &more) == PUMPED_GONE) {
			return PUMPED_GONE;
		}
		if (!more) {
			return PUMPED_WAIT;
		}
	}
	return PUMPED_WAIT;
}

/* --- both --- */

static void wait_for_more(struct conn *c)
{
	struct relay *r = &c->relay;
	if (r->client_shut && r->up_broken) {
		end_broken(c, CLOSE_UPSTREAM_CLOSED);
		return;
	}
	if (r->client_shut && r->upstream_shut && r->up.data == NULL) {
		conn_close(c, r->upstream_first ? CLOSE_UPSTREAM_CLOSED : CLOSE_CLIENT_CLOSED);
		return;
	}
	int client = 0;
	bool read = !r->client_eof && !r->up_broken && r->up.data == NULL;
	client |= read && !r->up_wants_write ? EV_READ : 0;
	client |= r->down.data != NULL || r->up_wants_write || (r->upstream_eof && !r->client_shut)
	                  ? EV_WRITE
	                  : 0;
	int upstream = 0;
	upstream |= !r->upstream_eof && r->down.data == NULL ? EV_READ : 0;
	upstream |= r->up.data != NULL || (r->client_eof && !r->upstream_shut && !r->up_broken)
	                    ? EV_WRITE
	                    : 0;
	conn_wait(c, client);
	link_wait(r->link, upstream);
	if (r->read_again && !ev_is_active(&r->again)) {
		/* What GnuTLS or our buffer holds raises no event of the socket. A timer, as libev calls an event that
		 * is fed within a callback before it looks at any other socket: a busy client would have the worker for
		 * itself. */
		ev_timer_set(&r->again, 0, 0);
		ev_timer_start(c->shard->loop, &r->again);
	}
}

static void on_again(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	struct conn *c = timer->data;
	input_ready(&c->input);
	relay_client_ready(c, EV_READ);
}

static void on_upstream(void *owner, int events)
{
	struct conn *c = owner;
	c->last_byte_ns = clock_mono_ns();
	if ((events & EV_WRITE) != 0 && pump_up(c) == PUMPED_GONE) {
		return;
	}
	if ((events & EV_READ) != 0 && pump_down(c) == PUMPED_GONE) {
		return;
	}
	if (input_settle(&c->input) != E_OK) {
		conn_close(c, CLOSE_INTERNAL_ERROR);
		return;
	}
	wait_for_more(c);
}

static const struct link_ops link_ops = {.ready = on_upstream};

void relay_client_ready(struct conn *c, int events)
{
	c->last_byte_ns = clock_mono_ns();
	struct relay *r = &c->relay;
	bool read = (events & EV_READ) != 0 || r->up_wants_write;
	if (read && r->up.data == NULL && pump_up(c) == PUMPED_GONE) {
		return;
	}
	if ((events & EV_WRITE) != 0 && pump_down(c) == PUMPED_GONE) {
		return;
	}
	if (input_settle(&c->input) != E_OK) {
		conn_close(c, CLOSE_INTERNAL_ERROR);
		return;
	}
	wait_for_more(c);
}

void relay_start(struct conn *c)
{
	c->state = CONN_RELAY;
	conn_timer(c, snapshot_config(c->snapshot)->timeouts.idle_ms);
	ev_timer_init(&c->relay.again, on_again, 0, 0);
	c->relay.again.data = c;
	link_attach(c->relay.link, &link_ops, c);
	/* What came with the Finished is in our buffer already and raises no event: read first, then poll. */
	relay_client_ready(c, EV_READ);
}
