#include "proxy/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/err.h"
#include "net/io_wait.h"
#include "proxy/link_private.h"
#include "proxy/shard.h"

/* --- TLS: what the session asks of its owner --- */

static ssize_t on_pull(void *owner, void *data, size_t len)
{
	struct link *link = owner;
	return input_pull(&link->input, link->fd, link->shard->link_input, data, len);
}

static ssize_t on_push(void *owner, const struct iovec *iov, int count)
{
	struct link *link = owner;
	struct msghdr message = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
	ssize_t n = sendmsg(link->fd, &message, MSG_NOSIGNAL);
	if (n == -1 && errno != EAGAIN && errno != EINTR) {
		/* GnuTLS would not read any more from a session that cannot send, and a server that goes away early may have
		 * said why: it is told that all went, and who writes is told the truth. */
		link->write_broken = true;
		n = 0;
		for (int i = 0; i < count; i++) {
			n += (ssize_t)iov[i].iov_len;
		}
		return n;
	}
	link->sent_bytes += n > 0 ? (uint64_t)n : 0;
	return n;
}

static int on_presented(void *owner, const struct slice *der, size_t count)
{
	return egress_presented(owner, der, count);
}

const struct tls_owner link_tls_owner = {
	.pull = on_pull,
	.push = on_push,
	.presented = on_presented,
};

void link_keep_tickets(struct link *link)
{
	while (link->chain != NULL) {
		struct recall_session session = {0};
		buf_init(&session.data, RECALL_SESSION_BYTES);
		if (!tls_session_ticket(link->tls, &session.data)) {
			buf_release(&session.data);
			break;
		}
		if (!snapshot_same_plan(link->snapshot, link->shard->snapshot) ||
		    session.data.err != E_OK) {
			buf_release(&session.data);
			chain_unref(&link->chain);
			break;
		}
		session.chain = chain_ref(link->chain);
		recall_put(link->shard->recall, link->upstream, link->server, &session);
	}
	if (link->chain != NULL && link->reads_for_tickets-- == 0) {
		chain_unref(&link->chain);
	}
}

/* --- reading --- */

static enum link_io read_plain(struct link *link, void *data, size_t cap, size_t *n)
{
	ssize_t got = recv(link->fd, data, cap, 0);
	if (got > 0) {
		*n = (size_t)got;
		link->drained = *n < cap; /* the socket is level-triggered: more will tell */
		return LINK_DONE;
	}
	if (got == 0) {
		return LINK_EOF;
	}
	if (errno == EAGAIN || errno == EINTR) {
		link->drained = errno == EAGAIN;
		return LINK_AGAIN;
	}
	return LINK_RESET;
}

static enum link_io read_tls(struct link *link, void *data, size_t cap, size_t *n)
{
	enum link_io io = LINK_AGAIN;
	switch (tls_session_read(link->tls, data, cap, n)) {
	case TLS_DONE:
		io = LINK_DONE;
		break;
	case TLS_AGAIN_READ:
		link->drained = true;
		break;
	case TLS_AGAIN_WRITE:
		link->drained = link->read_wants_write = true;
		break;
	case TLS_CLOSED:
		link->ended = io = LINK_EOF;
		break;
	case TLS_TRUNCATED:
	case TLS_FAILED:
		link->ended = io = LINK_RESET;
		break;
	}
	if (input_settle(&link->input) != E_OK) {
		link->ended = LINK_RESET;
		io = io == LINK_DONE ? io : LINK_RESET;
	}
	if (link->chain != NULL) {
		link_keep_tickets(link);
	}
	return io;
}

enum link_io link_read(struct link *link, void *data, size_t cap, size_t *n)
{
	BUG_IF(link->state != LINK_OPEN || cap == 0);
	size_t ahead = 0;
	if (link->has_ahead) {
		*(uint8_t *)data = link->ahead;
		link->has_ahead = false;
		ahead = 1;
		if (cap == 1) {
			*n = 1;
			return LINK_DONE;
		}
	}
	size_t got = 0;
	enum link_io io = link->ended;
	if (io == LINK_DONE && link->drained) {
		io = LINK_AGAIN;
	} else if (io == LINK_DONE) {
		io = link->tls == NULL ? read_plain(link, data, cap, &got)
		                       : read_tls(link, (uint8_t *)data + ahead, cap - ahead, &got);
	}
	*n = ahead + got;
	return *n > 0 ? LINK_DONE : io;
}

/* TLS alone: is there a byte, or an end? Tickets and key updates make a socket readable, too. */
static bool has_something(struct link *link)
{
	if (link->has_ahead || link->ended != LINK_DONE) {
		return true;
	}
	if (link->drained) {
		return false;
	}
	size_t n = 0;
	link->has_ahead = read_tls(link, &link->ahead, 1, &n) == LINK_DONE;
	return link->has_ahead || link->ended != LINK_DONE;
}

bool link_quiet(struct link *link)
{
	BUG_IF(link->state != LINK_OPEN);
	if (link->tls != NULL) {
		link->drained = false;
		input_ready(&link->input);
		return !has_something(link) && !link->write_broken;
	}
	uint8_t byte;
	ssize_t n = recv(link->fd, &byte, 1, MSG_PEEK);
	return n == -1 && errno == EAGAIN;
}

/* --- writing --- */

/* What is kept goes when the socket can be written, whether or not the owner waits for that. */
static void update(struct link *link)
{
	int events = link->wanted;
	if ((link->tail != NULL && !link->write_broken) ||
	    (link->read_wants_write && (link->wanted & EV_READ) != 0)) {
		events |= EV_WRITE;
	}
	io_wait(link->shard->loop, &link->io, link->fd, events);
}

static enum link_io write_plain(struct link *link, const void *data, size_t len, size_t *n)
{
	ssize_t sent = send(link->fd, data, len, MSG_NOSIGNAL);
	if (sent >= 0) {
		*n = (size_t)sent;
		return LINK_DONE;
	}
	return errno == EAGAIN || errno == EINTR ? LINK_AGAIN : LINK_RESET;
}

static void drop_tail(struct link *link)
{
	free(link->tail);
	link->tail = NULL;
	link->tail_off = link->tail_len = 0;
	link->record_inside = false;
}

/* The socket does not take the record that GnuTLS made of data. How much of it is in there only the end of the record will tell, as
 * servers can ask for shorter records (RFC 8449): a copy makes good for the rest. */
static bool keep_tail(struct link *link, const void *data, size_t len)
{
	link->tail = malloc(len);
	if (link->tail == NULL) {
		return false;
	}
	memcpy(link->tail, data, len);
	link->tail_off = 0;
	link->tail_len = len;
	link->record_inside = true;
	update(link);
	return true;
}

enum link_io link_flush(struct link *link)
{
	BUG_IF(link->state != LINK_OPEN);
	while (link->tail != NULL && !link->write_broken) {
		size_t n = 0;
		enum tls_outcome outcome =
			link->record_inside
				? tls_session_flush(link->tls, &n)
				: tls_session_write(link->tls, link->tail + link->tail_off,
		                                    link->tail_len - link->tail_off, &n);
		if (outcome == TLS_AGAIN_WRITE || outcome == TLS_AGAIN_READ) {
			link->record_inside = true;
			return LINK_AGAIN;
		}
		if (outcome != TLS_DONE) {
			link->write_broken = true;
			break;
		}
		link->record_inside = false;
		link->tail_off += n;
		BUG_IF(link->tail_off > link->tail_len);
		if (link->tail_off == link->tail_len) {
			drop_tail(link);
		}
	}
	if (link->write_broken) {
		drop_tail(link);
		return LINK_RESET;
	}
	return LINK_DONE;
}

/* One record. LINK_AGAIN: it was taken, and nothing more until the socket can be written. */
static enum link_io write_record(struct link *link, const void *data, size_t len, size_t *n)
{
	len = len < LINK_RECORD_BYTES ? len : LINK_RECORD_BYTES;
	switch (tls_session_write(link->tls, data, len, n)) {
	case TLS_DONE:
		break;
	case TLS_AGAIN_READ:
	case TLS_AGAIN_WRITE:
		if (keep_tail(link, data, len)) {
			*n = len;
			return LINK_AGAIN;
		}
		link->write_broken = true;
		break;
	default:
		link->write_broken = true;
	}
	return link->write_broken ? LINK_RESET : LINK_DONE;
}

enum link_io link_write(struct link *link, const void *data, size_t len, size_t *n)
{
	BUG_IF(link->state != LINK_OPEN || link->shut);
	if (link->tls == NULL) {
		return write_plain(link, data, len, n);
	}
	enum link_io io = link_flush(link);
	size_t all = 0;
	while (io == LINK_DONE && all < len) {
		size_t one = 0;
		io = write_record(link, (const uint8_t *)data + all, len - all, &one);
		all += one;
	}
	*n = all;
	return io == LINK_AGAIN && all > 0 ? LINK_DONE : io;
}

enum link_io link_shut(struct link *link)
{
	BUG_IF(link->state != LINK_OPEN);
	if (link->shut) {
		return LINK_DONE;
	}
	if (link->tls != NULL) {
		if (link_flush(link) == LINK_AGAIN) {
			return LINK_AGAIN;
		}
		if (!link->write_broken && tls_session_close_write(link->tls) == TLS_AGAIN_WRITE) {
			return LINK_AGAIN;
		}
	}
	link->shut = true;
	shutdown(link->fd, SHUT_WR);
	return LINK_DONE;
}

/* --- waiting --- */

void link_wait(struct link *link, int events)
{
	BUG_IF(link->state != LINK_OPEN);
	struct ev_loop *loop = link->shard->loop;
	link->wanted = events;
	if (link->tls != NULL && (events & EV_READ) != 0 && has_something(link)) {
		/* What GnuTLS or our buffer holds raises no event of the socket. A timer, as libev calls an event that is fed
		 * within a callback before it looks at any other socket: a busy server would have the worker for itself. */
		if (!ev_is_active(&link->timer)) {
			ev_timer_set(&link->timer, 0, 0);
			ev_timer_start(loop, &link->timer);
		}
	} else {
		ev_timer_stop(loop, &link->timer);
	}
	update(link);
}

void link_timer_ready(struct link *link)
{
	if ((link->wanted & EV_READ) != 0 && has_something(link)) {
		link->ops->ready(link->owner, EV_READ);
	}
}

void link_io_ready(struct link *link, int events)
{
	int happened = 0;
	bool read = (events & EV_READ) != 0;
	if ((events & EV_WRITE) != 0) {
		if (link->read_wants_write) {
			link->read_wants_write = false;
			read = true;
		}
		if (link->tls == NULL || link_flush(link) != LINK_AGAIN) {
			happened |= link->wanted & EV_WRITE;
		}
	}
	if (read) {
		link->drained = false;
		input_ready(&link->input);
		if (link->tls == NULL || has_something(link)) {
			happened |= link->wanted & EV_READ;
		}
	}
	update(link);
	if (happened != 0) {
		link->ops->ready(link->owner, happened);
	}
}

/* --- the rest --- */

void link_attach(struct link *link, const struct link_ops *ops, void *owner)
{
	link->ops = ops;
	link->owner = owner;
	link->drained = false;
}

struct upstream *link_upstream(const struct link *link)
{
	return link->upstream;
}

size_t link_server(const struct link *link)
{
	return link->server;
}

static void leave_lingering(struct link *link)
{
	link->shard->lingering_count--;
	if (link->previous != NULL) {
		link->previous->next = link->next;
	} else {
		link->shard->lingering = link->next;
	}
	if (link->next != NULL) {
		link->next->previous = link->previous;
	}
}

void link_free(struct link *link, bool abort)
{
	struct ev_loop *loop = link->shard->loop;
	ev_io_stop(loop, &link->io);
	ev_timer_stop(loop, &link->timer);
	if (link->state == LINK_LINGERING) {
		leave_lingering(link);
	}
	link_opening_free(link);
	tls_session_free(&link->tls);
	input_release(&link->input);
	chain_unref(&link->chain);
	free(link->tail);
	if (link->fd != -1) {
		if (abort) {
			struct linger reset = {.l_onoff = 1, .l_linger = 0};
			setsockopt(link->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		}
		close(link->fd);
	}
	snapshot_unref(&link->snapshot);
	free(link);
}

void link_renew(struct link *link, struct snapshot *snapshot)
{
	snapshot_unref(&link->snapshot);
	link->snapshot = snapshot_ref(snapshot);
}

void link_close(struct link **link, bool abort)
{
	struct link *l = *link;
	*link = NULL;
	if (l == NULL) {
		return;
	}
	if (l->state == LINK_OPEN) {
		/* RFC 8446 6.1: each side says that it ends; what the socket does not take at once is lost. */
		if (!abort && l->tls != NULL && l->ended != LINK_RESET) {
			link_shut(l);
		}
	} else {
		link_opening_cut(l, false);
	}
	link_free(l, abort);
}

void link_expire(struct link **link)
{
	if ((*link)->state != LINK_OPEN) {
		link_opening_cut(*link, true);
		link_free(*link, true);
		*link = NULL;
	} else {
		link_close(link, true);
	}
}
