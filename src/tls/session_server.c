/* The server's side: the ClientHello chooses the service, and a client certificate is asked for. */
#include "tls/session_private.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/err.h"
#include "tls/hello_parse.h"

#define HANDSHAKE_BYTES_MAX (16 << 20)

/* What a session speaks until its ClientHello chooses the service: GnuTLS reads no record without. */
static gnutls_priority_t first_priority;
static pthread_once_t first_once = PTHREAD_ONCE_INIT;

static void make_first_priority(void)
{
	BUG_IF(gnutls_priority_init(&first_priority, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2",
	                            NULL) != 0);
}

static int set_up(struct tls_session *s, const struct tls_service *service)
{
	s->service = service;
	int ret = gnutls_priority_set(s->gnutls, service->priority);
	if (ret == 0) {
		ret = gnutls_credentials_set(s->gnutls, GNUTLS_CRD_CERTIFICATE,
		                             service->credentials);
	}
	if (ret == 0 && service->alpn_count > 0) {
		ret = gnutls_alpn_set_protocols(s->gnutls, service->alpn,
		                                (unsigned)service->alpn_count,
		                                GNUTLS_ALPN_MANDATORY);
	}
	if (ret != 0) {
		return session_fail(s, TLS_FAILURE_INTERNAL);
	}
	/* Never REQUIRE: a client without certificate gets its event and our own alert. */
	gnutls_certificate_server_set_request(s->gnutls, service->request ? GNUTLS_CERT_REQUEST
	                                                                  : GNUTLS_CERT_IGNORE);
	gnutls_certificate_send_x509_rdn_sequence(s->gnutls, service->ca_names ? 0 : 1);
	return 0;
}

static enum tls_failure failure_of(enum tls_common common)
{
	switch (common) {
	case TLS_COMMON_OK:
		break;
	case TLS_COMMON_NO_VERSION:
		return TLS_FAILURE_NO_VERSION;
	case TLS_COMMON_NO_CIPHER:
		return TLS_FAILURE_NO_CIPHER;
	case TLS_COMMON_NO_SIGNATURE:
		return TLS_FAILURE_NO_SIGNATURE;
	case TLS_COMMON_NO_GROUP:
		return TLS_FAILURE_NO_GROUP;
	case TLS_COMMON_NO_PROTOCOL:
		return TLS_FAILURE_NO_PROTOCOL;
	}
	return TLS_FAILURE_NONE;
}

/* RFC 8446 4.1.2: the second hello repeats the first; another name would move the client to a service
 * whose rules it was not judged by. */
static int check_second_hello(struct tls_session *s, struct slice body)
{
	struct hello *second = calloc(1, sizeof(*second));
	if (second == NULL) {
		return session_fail(s, TLS_FAILURE_INTERNAL);
	}
	struct hello_offer offer;
	int err = hello_parse(second, &offer, body);
	bool same = second->has_server_name == s->hello->has_server_name &&
	            slice_equal(slice_of(second->server_name, second->server_name_len),
	                        slice_of(s->hello->server_name, s->hello->server_name_len));
	free(second);
	if (err != E_OK) {
		s->gnutls_error = GNUTLS_E_UNEXPECTED_PACKET_LENGTH;
		return session_fail(s, TLS_FAILURE_PROTOCOL);
	}
	return same ? 0 : session_fail(s, TLS_FAILURE_NAME_CHANGED);
}

static int on_client_hello(struct tls_session *s, struct slice body)
{
	if (s->hello_seen) {
		/* Not foreseen, see ticket_offer.h: no session may come of the tickets of two hellos. */
		if (s->ticket.on) {
			s->gnutls_error = GNUTLS_E_RECEIVED_ILLEGAL_PARAMETER;
			return session_fail(s, TLS_FAILURE_PROTOCOL);
		}
		return check_second_hello(s, body);
	}
	s->hello_seen = true;
	struct hello_offer offer;
	if (hello_parse(s->hello, &offer, body) != E_OK) {
		s->gnutls_error = GNUTLS_E_UNEXPECTED_PACKET_LENGTH;
		return session_fail(s, TLS_FAILURE_PROTOCOL);
	}
	const struct tls_service *service = s->ops->choose(s->owner);
	if (service == NULL) {
		return session_fail(s, TLS_FAILURE_UNKNOWN_NAME);
	}
	enum tls_common common = tls_service_common(service, s->hello, &offer);
	if (common != TLS_COMMON_OK) {
		return session_fail(s, failure_of(common));
	}
	int ret = set_up(s, service);
	return ret != 0 ? ret : session_ticket_offer(s, body, offer.has_versions);
}

static int on_message(gnutls_session_t gnutls, unsigned type, unsigned when, unsigned incoming,
                      const gnutls_datum_t *msg)
{
	(void)when;
	struct tls_session *s = gnutls_session_get_ptr(gnutls);
	if (!incoming) {
		return 0;
	}
	s->last_message = type;
	switch (type) {
	case GNUTLS_HANDSHAKE_CLIENT_HELLO:
		return on_client_hello(s, slice_of(msg->data, msg->size));
	case GNUTLS_HANDSHAKE_CERTIFICATE_PKT:
		return session_certificate(s, slice_of(msg->data, msg->size));
	case GNUTLS_HANDSHAKE_CERTIFICATE_VERIFY:
		s->verify_seen = true;
		return 0;
	default:
		return 0;
	}
}

int tls_session_new(struct tls_session **out, const struct tls_owner *ops, void *owner,
                    const struct tls_limits *limits, struct hello *hello,
                    struct negotiated *negotiated)
{
	struct tls_session *s = calloc(1, sizeof(*s));
	if (s == NULL) {
		return E_NOMEM;
	}
	*s = (struct tls_session){.ops = ops,
	                          .owner = owner,
	                          .limits = *limits,
	                          .hello = hello,
	                          .negotiated = negotiated};
	/* Tickets are for TLS 1.3 alone, given by the owner, and only where the service wants it. */
	int err = session_start(s, GNUTLS_SERVER | GNUTLS_NO_TICKETS | GNUTLS_NO_TICKETS_TLS12 |
	                                   GNUTLS_NO_AUTO_SEND_TICKET);
	if (err != E_OK) {
		goto free_session;
	}
	pthread_once(&first_once, make_first_priority);
	err = E_NOMEM;
	if (gnutls_priority_set(s->gnutls, first_priority) != 0) {
		goto free_session;
	}
	/* The owner's budget bounds what comes in; the library's own bound of 128 KiB would only blur the class. */
	gnutls_handshake_set_max_packet_length(s->gnutls, HANDSHAKE_BYTES_MAX);
	gnutls_handshake_set_hook_function(s->gnutls, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_PRE,
	                                   on_message);
	*out = s;
	return E_OK;

free_session:
	tls_session_free(&s);
	return err;
}
