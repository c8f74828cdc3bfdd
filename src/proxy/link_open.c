/* From a server's number to a link that carries bytes: connect, PROXY header, TLS, judgement, record. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bug.h"
#include "base/err.h"
#include "net/io_wait.h"
#include "net/proxy_protocol.h"
#include "proxy/link_private.h"
#include "proxy/shard.h"
#include "proxy/upstream.h"

/* Beside the certificates a server's flight holds key exchange, CertificateVerify, Finished and record headers. */
#define FLIGHT_REST_BYTES (64 * 1024)
/* How long, and for how many bytes, a server that was refused may take to read why. */
#define LINGER_MS 2000
#define LINGER_BYTES (256 * 1024)
/* So many of a worker at a time: nobody counts their descriptors, and one more refusal finds the same in the events. */
#define LINGERING_MAX 64
/* Reads after which no ticket is expected any more: servers send them with their first answer. */
#define TICKET_READS 32

static void set_timer(struct link *link, uint64_t ms)
{
	ev_timer_stop(link->shard->loop, &link->timer);
	ev_now_update(link->shard->loop);
	ev_timer_set(&link->timer, (double)ms / 1e3, 0);
	ev_timer_start(link->shard->loop, &link->timer);
}

void link_opening_free(struct link *link)
{
	struct link_opening *opening = link->opening;
	if (opening == NULL) {
		return;
	}
	BUG_IF(opening->hs != NULL);
	shard_unpark(link->shard, &opening->park);
	buf_release(&opening->header);
	recall_session_release(&opening->offered);
	free(opening);
	link->opening = NULL;
}

/* `why` outlives the link. */
static void fail(struct link *link, enum link_failure failure, const char *why)
{
	const struct link_ops *ops = link->ops;
	void *owner = link->owner;
	link_free(link, false);
	ops->failed(owner, failure, why);
}

/* --- refusing: closing with unread input would send RST, and RST destroys the alert on its way --- */

static void linger(struct link *link)
{
	struct shard *s = link->shard;
	link_opening_free(link);
	input_release(&link->input);
	link->state = LINK_LINGERING;
	link->next = s->lingering;
	if (s->lingering != NULL) {
		s->lingering->previous = link;
	}
	s->lingering = link;
	s->lingering_count++;
	io_wait(s->loop, &link->io, link->fd, EV_READ);
	set_timer(link, LINGER_MS);
}

static void lingering_ready(struct link *link)
{
	struct shard *s = link->shard;
	ssize_t n = recv(link->fd, s->link_input, sizeof(s->link_input), 0);
	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	link->input.received += n > 0 ? (uint64_t)n : 0;
	if (n <= 0 || link->input.received > LINGER_BYTES) {
		link_free(link, false);
	}
}

void links_end_lingering(struct shard *s)
{
	while (s->lingering != NULL) {
		link_free(s->lingering, false);
	}
}

/* Tells the server why, as far as there is an alert for it, and the owner. */
static void refuse(struct link *link, enum link_failure failure, int alert, const char *why)
{
	const struct link_ops *ops = link->ops;
	void *owner = link->owner;
	if (alert >= 0) {
		tls_session_alert(link->tls, alert);
	}
	if (alert >= 0 && link->shard->lingering_count < LINGERING_MAX &&
	    shutdown(link->fd, SHUT_WR) == 0) {
		linger(link);
	} else {
		link_free(link, false);
	}
	ops->failed(owner, failure, why);
}

/* --- open --- */

static void opened(struct link *link)
{
	ev_timer_stop(link->shard->loop, &link->timer);
	link_opening_free(link);
	link->state = LINK_OPEN;
	link_keep_tickets(link);
	io_wait(link->shard->loop, &link->io, link->fd, 0);
	link->ops->open(link->owner);
}

static void on_durable(void *owner)
{
	opened(owner);
}

static void on_lost(void *owner)
{
	fail(owner, LINK_RECORD, "the event of its TLS handshake could not be written");
}

static const struct parked_ops park_ops = {.durable = on_durable, .lost = on_lost};

static void park(struct link *link)
{
	if (shard_is_lost(link->shard, link->opening->park.ticket)) {
		on_lost(link);
		return;
	}
	link->state = LINK_PARKED;
	io_wait(link->shard->loop, &link->io, link->fd, 0);
	set_timer(link, snapshot_config(link->snapshot)->timeouts.park_ms);
	shard_park(link->shard, &link->opening->park);
}

/* --- the handshake's end --- */

/* Class, decision and alert stand in hs: records, and tells server and owner. */
static void deny(struct link *link, enum link_failure failure)
{
	const struct handshake *hs = link->opening->hs;
	const struct peer_class_row *row = peer_class_row(hs->class);
	int alert = hs->tls.alert_sent;
	char why[160];
	if (hs->denied_by == DENIED_BY_VERIFY) {
		failure = LINK_UNTRUSTED;
		snprintf(why, sizeof(why), "its certificate was refused (%s)", row->name);
	} else {
		snprintf(why, sizeof(why), "the TLS handshake ended with %s", row->name);
	}
	bool wait;
	egress_record(link, &wait);
	refuse(link, failure, alert, why);
}

/* Whose tickets are kept from now on; those of a server that is not trusted are worth nothing. */
static void use_session(struct link *link, bool good)
{
	struct link_opening *opening = link->opening;
	struct shard *s = link->shard;
	const struct handshake *hs = opening->hs;
	if (!snapshot_same_plan(
		    link->snapshot,
		    s->snapshot)) { /* its tickets would outlive what they were given under */
		return;
	}
	if (!good) {
		recall_forget(s->recall, link->upstream, link->server);
		return;
	}
	link->chain = hs->chain == NULL ? NULL : chain_ref(hs->chain);
	link->reads_for_tickets = TICKET_READS;
}

static void complete(struct link *link)
{
	link->input.budget = UINT64_MAX; /* it bounded the handshake */
	bool good = egress_judge(link);
	use_session(link, good);
	if (input_settle(&link->input) != E_OK) {
		egress_end(link, CLASS_INTERNAL_ERROR, "out of memory");
		good = false;
	}
	if (!good) {
		deny(link, LINK_TLS);
		return;
	}
	bool wait;
	if (!egress_record(link, &wait)) {
		fail(link, LINK_RECORD, "out of memory for the event of its TLS handshake");
	} else if (wait) {
		park(link);
	} else {
		opened(link);
	}
}

static void handshake_step(struct link *link)
{
	switch (tls_session_handshake(link->tls)) {
	case TLS_DONE:
		complete(link);
		return;
	case TLS_AGAIN_READ:
		io_wait(link->shard->loop, &link->io, link->fd, EV_READ);
		break;
	case TLS_AGAIN_WRITE:
		io_wait(link->shard->loop, &link->io, link->fd, EV_WRITE);
		break;
	default:
		egress_fail(link);
		if (link->opening->offered.chain != NULL) {
			/* Who cannot cope with one session is offered no other: its next handshake is a full one. */
			use_session(link, false);
		}
		deny(link, LINK_TLS);
		return;
	}
	if (input_settle(&link->input) != E_OK) {
		egress_end(link, CLASS_INTERNAL_ERROR, "out of memory");
		deny(link, LINK_TLS);
	}
}

/* --- and its beginning --- */

/* One whose chain would not be trusted now is not offered: the server may have a new certificate. */
static void offer_session(struct link *link)
{
	struct shard *s = link->shard;
	struct recall_session *offered = &link->opening->offered;
	if (!snapshot_same_plan(link->snapshot, s->snapshot) ||
	    !recall_take(s->recall, link->upstream, link->server, offered)) {
		return;
	}
	if (!egress_would_trust(link, offered->chain)) {
		recall_session_release(offered);
		recall_forget(s->recall, link->upstream, link->server);
	}
}

static void begin_tls(struct link *link)
{
	const struct config_limits *limits = &snapshot_config(link->snapshot)->limits;
	const struct tls_client *client = upstream_tls(link->upstream);
	if (client == NULL) {
		opened(link);
		return;
	}
	/* What cannot be recorded is not begun. */
	if (!journal_healthy(link->shard->shared->journal) || egress_begin(link) != E_OK) {
		fail(link, LINK_RECORD, "its TLS handshake could not be recorded");
		return;
	}
	link->state = LINK_HANDSHAKE;
	input_init(&link->input, limits->certificate_chain_bytes + FLIGHT_REST_BYTES);
	offer_session(link);
	const struct tls_limits tls_limits = {
		.certificate_bytes = limits->certificate_chain_bytes,
		.certificates = limits->certificates,
	};
	if (tls_session_new_client(&link->tls, &link_tls_owner, link, &tls_limits, client,
	                           upstream_server_name(link->upstream, link->server),
	                           buf_slice(&link->opening->offered.data),
	                           &link->opening->hs->tls) != E_OK) {
		egress_end(link, CLASS_INTERNAL_ERROR, "out of memory");
		deny(link, LINK_TLS);
		return;
	}
	handshake_step(link);
}

void link_opening_cut(struct link *link, bool expired)
{
	if (link->state != LINK_HANDSHAKE) {
		return;
	}
	if (expired) {
		egress_end(link, CLASS_TIMEOUT, NULL);
	} else if (link->opening->check) { /* by a reload or the end */
		egress_drop(link);
		return;
	} else if (link->shard->draining) {
		egress_end(link, CLASS_SHUTDOWN, NULL);
	} else {
		egress_end(link, CLASS_PEER_CLOSED, "given up, nobody needs it any more");
	}
	bool wait;
	egress_record(link, &wait);
}

/* --- connecting --- */

static void send_header(struct link *link)
{
	struct link_opening *opening = link->opening;
	link->state = LINK_HEADER;
	while (opening->header_sent < opening->header.len) {
		ssize_t n = send(link->fd, opening->header.data + opening->header_sent,
		                 opening->header.len - opening->header_sent, MSG_NOSIGNAL);
		if (n == -1 && errno == EAGAIN) {
			io_wait(link->shard->loop, &link->io, link->fd, EV_WRITE);
			return;
		}
		if (n == -1 && errno != EINTR) {
			fail(link, LINK_UNREACHABLE, strerror(errno));
			return;
		}
		opening->header_sent += n > 0 ? (size_t)n : 0;
	}
	begin_tls(link);
}

static bool is_short(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM ||
	       error == EADDRNOTAVAIL;
}

static void connected(struct link *link)
{
	if (link->fd == -1) {
		int error = link->opening->error;
		fail(link, is_short(error) ? LINK_SHORT : LINK_UNREACHABLE, strerror(error));
	} else if (upstream_connected(link->fd) != E_OK) {
		fail(link, LINK_UNREACHABLE, strerror(errno));
	} else {
		send_header(link);
	}
}

/* --- events --- */

static void on_io(struct ev_loop *loop, struct ev_io *io, int events)
{
	(void)loop;
	struct link *link = io->data;
	switch (link->state) {
	case LINK_CONNECTING:
		connected(link);
		return;
	case LINK_HEADER:
		send_header(link);
		return;
	case LINK_HANDSHAKE:
		input_ready(&link->input);
		handshake_step(link);
		return;
	case LINK_PARKED:
		BUG_IF(true); /* nothing is waited for */
		return;
	case LINK_OPEN:
		link_io_ready(link, events);
		return;
	case LINK_LINGERING:
		lingering_ready(link);
		return;
	}
}

static void on_timer(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	struct link *link = timer->data;
	switch (link->state) {
	case LINK_CONNECTING:
	case LINK_HEADER:
		fail(link, LINK_TIMEOUT, "no answer within timeouts.connect");
		return;
	case LINK_HANDSHAKE:
		egress_end(link, CLASS_TIMEOUT, NULL);
		deny(link, LINK_TIMEOUT);
		return;
	case LINK_PARKED:
		fail(link, LINK_RECORD,
		     "the event of its TLS handshake was not durable within timeouts.park");
		return;
	case LINK_OPEN:
		link_timer_ready(link);
		return;
	case LINK_LINGERING:
		link_free(link, false);
		return;
	}
}

static struct link_opening *opening_new(const struct link_purpose *purpose)
{
	struct link_opening *opening = calloc(1, sizeof(*opening));
	if (opening == NULL) {
		return NULL;
	}
	opening->service = purpose->service;
	opening->check = purpose->check;
	if (purpose->connection != NULL) {
		size_t len = strlen(purpose->connection);
		BUG_IF(len > ID_MAX);
		memcpy(opening->connection, purpose->connection, len + 1);
	}
	buf_init(&opening->header, PROXY_HEADER_BUDGET);
	buf_append_slice(&opening->header, purpose->proxy_header);
	if (opening->header.err != E_OK) {
		buf_release(&opening->header);
		free(opening);
		return NULL;
	}
	opening->park.ops = &park_ops;
	return opening;
}

int link_open(struct link **out, struct shard *s, struct upstream *upstream, size_t server,
              const struct link_purpose *purpose, const struct link_ops *ops, void *owner)
{
	BUG_IF(!worker_is_current(s->worker));
	struct link *link = calloc(1, sizeof(*link));
	struct link_opening *opening = opening_new(purpose);
	if (link == NULL || opening == NULL) {
		if (opening != NULL) {
			buf_release(&opening->header);
		}
		free(opening);
		free(link);
		return E_NOMEM;
	}
	opening->park.owner = link;
	*link = (struct link){.shard = s,
	                      .snapshot = snapshot_ref(purpose->snapshot),
	                      .upstream = upstream,
	                      .server = server,
	                      .ops = ops,
	                      .owner = owner,
	                      .state = LINK_CONNECTING,
	                      .fd = -1,
	                      .opening = opening};
	int err = upstream_connect(upstream, server, &link->fd);
	ev_io_init(&link->io, on_io, link->fd, EV_WRITE);
	ev_timer_init(&link->timer, on_timer, 0, 0);
	link->io.data = link->timer.data = link;
	set_timer(link, snapshot_config(link->snapshot)->timeouts.connect_ms);
	if (err == E_AGAIN) {
		ev_io_start(s->loop, &link->io);
	} else {
		/* It stands, or never will: told once the owner is back in the loop. */
		opening->error = errno;
		link->fd = err == E_OK ? link->fd : -1;
		ev_feed_event(s->loop, &link->io, EV_WRITE);
	}
	*out = link;
	return E_OK;
}
