/* The server's side of resumption: TLS 1.3 alone, by tickets that hold the whole session, so that nothing is kept here.
 *
 * A ticket is sealed with a key that the compiled service made for itself and shows to nobody: another service, another
 * configuration or another process cannot open it, and it dies with a reload. The names of one service share it, as they
 * share all rules. It is given after the caller accepted a full handshake, once, and lives for TICKET_LIFETIME_S from that
 * handshake: resumed sessions get no other. What it holds of the client are the certificates that were presented;
 * possession was proven then, and the caller judges them again at every use.
 *
 * GnuTLS 3.7.9 facts held here:
 *   - the certificates of a ticket that it opened and then found too old by the client's own word stay in the session. A
 *     client without certificate would get them with its next ticket: what goes into one has to be what was presented.
 *   - the state in a ticket has a length of two bytes that nobody checks: long chains get no ticket.
 *   - in TLS 1.2 a ticket is part of the handshake: GNUTLS_NO_TICKETS_TLS12 is set on every session. */
#include "tls/session_private.h"

#include <errno.h>
#include <string.h>

#include "base/bug.h"
#include "base/err.h"
#include "tls/certificate_message.h"
#include "tls/digest.h"
#include "tls/ticket_offer.h"

/* RFC 8446 4.6.1 allows 7 days; clients come back within minutes, and what a ticket proves gets no better. */
#define TICKET_LIFETIME_S 7200
/* Of a Certificate message that goes into a ticket: usual chains have 2 to 8 KiB, and the client sends it all in its next
 * ClientHello. */
#define TICKET_CHAIN_MAX (8U << 10)
/* One ticket in its records. */
#define HELD_MAX (32U << 10)

static bool offers_tls13(const struct hello *hello)
{
	for (size_t i = 0; i < hello->version_count; i++) {
		if (hello->versions[i] == TLS_VERSION_1_3) {
			return true;
		}
	}
	return false;
}

int session_ticket_offer(struct tls_session *s, struct slice body, bool has_versions)
{
	const struct tls_service *service = s->service;
	/* RFC 8446 4.2.1: only supported_versions leads to 1.3 */
	if (service->ticket_key.size == 0 || !has_versions || !offers_tls13(s->hello) ||
	    !ticket_offer_fits(body, service->groups, service->group_count, service->client_order)) {
		return 0;
	}
	gnutls_db_set_cache_expiration(s->gnutls, TICKET_LIFETIME_S);
	if (gnutls_session_ticket_enable_server(s->gnutls, &service->ticket_key) != 0) {
		return session_fail(s, TLS_FAILURE_INTERNAL);
	}
	s->ticket.on = true;
	return 0;
}

void session_ticket_note(struct tls_session *s, struct slice body, const struct slice *der,
                         size_t count)
{
	s->ticket.body_len = body.len;
	digest_sha256(s->ticket.sha256, der, count);
}

/* What GnuTLS has for the client's certificates. False: more than there can be. */
static bool list_peers(const struct tls_session *s, struct slice der[static CERTIFICATES_MAX],
                       size_t *count)
{
	unsigned n = 0;
	const gnutls_datum_t *peers = gnutls_certificate_get_peers(s->gnutls, &n);
	*count = peers == NULL ? 0 : n;
	if (*count > CERTIFICATES_MAX) {
		return false;
	}
	for (size_t i = 0; i < *count; i++) {
		der[i] = slice_of(peers[i].data, peers[i].size);
	}
	return true;
}

int session_ticket_resumed(struct tls_session *s)
{
	/* A session that was resumed in any other way would carry an identity that nobody proved. */
	BUG_IF(!s->ticket.on || gnutls_protocol_get_version(s->gnutls) != GNUTLS_TLS1_3);
	struct slice der[CERTIFICATES_MAX];
	size_t count = 0;
	if (!list_peers(s, der, &count) || count > s->limits.certificates) {
		return session_fail(s, TLS_FAILURE_CERTIFICATES_LIMIT);
	}
	if (count == 0) {
		return 0;
	}
	s->presented = true;
	s->proven = true;
	return s->ops->presented(s->owner, der, count) == E_OK
	               ? 0
	               : session_fail(s, TLS_FAILURE_INTERNAL);
}

static bool holds_what_was_presented(const struct tls_session *s)
{
	struct slice der[CERTIFICATES_MAX];
	size_t count = 0;
	if (!list_peers(s, der, &count) || s->presented != (count > 0)) {
		return false;
	}
	uint8_t sha256[32];
	digest_sha256(sha256, der, count);
	return count == 0 || memcmp(sha256, s->ticket.sha256, sizeof(sha256)) == 0;
}

void tls_session_give_ticket(struct tls_session *s)
{
	size_t max = s->limits.ticket_bytes == 0 || s->limits.ticket_bytes > TICKET_CHAIN_MAX
	                     ? TICKET_CHAIN_MAX
	                     : s->limits.ticket_bytes;
	if (!s->ticket.on || !s->complete || s->ticket.given ||
	    gnutls_session_is_resumed(s->gnutls) != 0 || s->ticket.body_len > max ||
	    !holds_what_was_presented(s)) {
		return;
	}
	s->ticket.given = true;
	/* Held back here, because after GNUTLS_E_AGAIN nothing else might be sent until this very call was through. What
	 * else can go wrong is memory, then there is no ticket, or the connection, whose next step tells. */
	s->ticket.holding = true;
	(void)gnutls_session_ticket_send(s->gnutls, 1, 0);
	s->ticket.holding = false;
}

/* False: errno says why not. */
static bool push_held(struct tls_session *s)
{
	struct session_ticket *t = &s->ticket;
	while (t->held_out < t->held.len) {
		struct iovec rest = {t->held.data + t->held_out, t->held.len - t->held_out};
		ssize_t n = s->ops->push(s->owner, &rest, 1);
		if (n < 0) {
			return false;
		}
		t->held_out += (size_t)n;
	}
	buf_release(&t->held);
	t->held_out = 0;
	return true;
}

/* Keeps what is behind the first `n` bytes and gives the length of all; -1 and errno. */
static ssize_t hold(struct tls_session *s, const struct iovec *iov, int count, size_t n)
{
	struct buf *held = &s->ticket.held;
	size_t all = 0;
	if (held->max == 0) {
		buf_init(held, HELD_MAX);
	}
	for (int i = 0; i < count; i++) {
		size_t skip = n > all ? n - all : 0;
		skip = skip < iov[i].iov_len ? skip : iov[i].iov_len;
		buf_append(held, (const uint8_t *)iov[i].iov_base + skip, iov[i].iov_len - skip);
		all += iov[i].iov_len;
	}
	if (held->err != E_OK) {
		errno = ENOMEM;
		return -1;
	}
	return (ssize_t)all;
}

ssize_t session_push(struct tls_session *s, const struct iovec *iov, int count)
{
	if (s->ticket.held.len > 0) {
		if (s->ticket.holding) {
			return hold(s, iov, count, 0);
		}
		if (!push_held(s)) {
			return -1;
		}
	}
	ssize_t n = s->ops->push(s->owner, iov, count);
	if (!s->ticket.holding || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		return n;
	}
	return hold(s, iov, count, n < 0 ? 0 : (size_t)n);
}
