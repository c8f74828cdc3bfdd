/* Refusing so that clients see why: closing with unread input would send RST, and RST destroys the alert on its way. */
#include <errno.h>
#include <sys/socket.h>

#include "proxy/conn.h"
#include "proxy/exchange.h"
#include "proxy/shard.h"

#define DISCARD_MS 2000
#define DISCARD_BYTES (256 * 1024)

void conn_refuse(struct conn *c, int alert)
{
	if (c->tls != NULL && alert >= 0) {
		tls_session_alert(c->tls, alert);
	}
	if (alert < 0) {
		conn_free(c);
		return;
	}
	conn_linger(c);
}

void conn_revoke(struct conn *c, int alert)
{
	if (c->http != NULL) {
		exchange_record(c->http, false);
	}
	connection_end_record(c, CLOSE_REVOKED, false);
	/* What is under way must not look complete to the back end. */
	relay_release(&c->relay, c->shard->loop, true);
	exchange_free(&c->http);
	shard_unpark(c->shard, &c->park);
	conn_refuse(c, alert);
}

void conn_linger(struct conn *c)
{
	if (shutdown(c->fd, SHUT_WR) != 0) {
		conn_free(c);
		return;
	}
	c->state = CONN_REFUSED;
	input_release(&c->input);
	conn_timer(c, DISCARD_MS);
	conn_wait(c, EV_READ);
}

void conn_refused_ready(struct conn *c)
{
	ssize_t n = recv(c->fd, c->shard->input, sizeof(c->shard->input), 0);
	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	c->discarded += n > 0 ? (uint64_t)n : 0;
	if (n <= 0 || c->discarded > DISCARD_BYTES) {
		conn_free(c);
	}
}
