#include "tls/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tls/certificate_message.h"
#include "tls/session_private.h"

/* Non-fatal results of gnutls_handshake() in a row: warning alerts mostly. */
#define WARNINGS_MAX 16
/* Messages without data in a row: tickets, key updates, empty records. GnuTLS itself ends TLS 1.2 at so many empty records; a peer that
 * sends them faster than they are read would have the worker for itself. */
#define QUIET_MAX 200

static ssize_t on_pull(gnutls_transport_ptr_t ptr, void *data, size_t len)
{
	struct tls_session *s = ptr;
	if (s->pull_max != 0 && s->pulled >= s->pull_max) {
		gnutls_transport_set_errno(s->gnutls, EMSGSIZE);
		return -1;
	}
	ssize_t n = s->ops->pull(s->owner, data, len);
	if (n > 0) {
		s->first = s->pulled == 0 ? *(const uint8_t *)data : s->first;
		s->pulled += (uint64_t)n;
	}
	s->ended = n == 0;
	if (n == -1) {
		s->starved = errno == EAGAIN;
		gnutls_transport_set_errno(s->gnutls, errno);
	}
	return n;
}

static ssize_t on_push(gnutls_transport_ptr_t ptr, const giovec_t *iov, int count)
{
	struct tls_session *s = ptr;
	ssize_t n = session_push(s, (const struct iovec *)iov, count);
	if (n == -1) {
		gnutls_transport_set_errno(s->gnutls, errno);
	}
	return n;
}

/* Never wait inside of GnuTLS: pull says EAGAIN. */
static int on_pull_timeout(gnutls_transport_ptr_t ptr, unsigned ms)
{
	(void)ptr;
	(void)ms;
	return 1;
}

/* GnuTLS says GNUTLS_E_AGAIN also between two records of one message, and after messages of its own, with input left: such
 * input raises no event, so go on until pull had nothing more. */
static bool has_more_input(struct tls_session *s, uint64_t pulled_before)
{
	return !s->starved && s->pulled != pulled_before &&
	       gnutls_record_get_direction(s->gnutls) == 0;
}

int session_fail(struct tls_session *s, enum tls_failure failure)
{
	s->failure = failure;
	return GNUTLS_E_APPLICATION_ERROR_MIN; /* any fatal code: `failure` tells */
}

int session_certificate(struct tls_session *s, struct slice body)
{
	if (s->presented || body.len > s->limits.certificate_bytes) {
		return session_fail(s, s->presented ? TLS_FAILURE_PROTOCOL
		                                    : TLS_FAILURE_CERTIFICATES_LIMIT);
	}
	struct slice der[CERTIFICATES_MAX];
	size_t count = s->limits.certificates < CERTIFICATES_MAX ? s->limits.certificates
	                                                         : CERTIFICATES_MAX;
	bool tls13 = gnutls_protocol_get_version(s->gnutls) == GNUTLS_TLS1_3;
	int err = certificate_message_parse(der, &count, body, tls13);
	if (err == E_LIMIT) {
		return session_fail(s, TLS_FAILURE_CERTIFICATES_LIMIT);
	}
	if (err != E_OK) {
		s->gnutls_error = GNUTLS_E_UNEXPECTED_PACKET_LENGTH;
		return session_fail(s, TLS_FAILURE_PROTOCOL);
	}
	if (count == 0) {
		return 0;
	}
	s->presented = true;
	if (s->ticket.on) {
		session_ticket_note(s, body, der, count);
	}
	/* From here on a leaf without digitalSignature reaches our own judgement instead of ending the handshake. Not
	 * earlier: the same call forbids the extended master secret. */
	gnutls_session_enable_compatibility_mode(s->gnutls);
	return s->ops->presented(s->owner, der, count) == E_OK
	               ? 0
	               : session_fail(s, TLS_FAILURE_INTERNAL);
}

int session_start(struct tls_session *s, unsigned flags)
{
	s->negotiated->alert_sent = s->negotiated->alert_received = s->peer_alert = -1;
	if (gnutls_init(&s->gnutls, flags | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) != 0) {
		s->gnutls = NULL;
		return E_NOMEM;
	}
	gnutls_session_set_ptr(s->gnutls, s);
	gnutls_transport_set_ptr(s->gnutls, s);
	gnutls_transport_set_pull_function(s->gnutls, on_pull);
	gnutls_transport_set_vec_push_function(s->gnutls, on_push);
	gnutls_transport_set_pull_timeout_function(s->gnutls, on_pull_timeout);
	gnutls_handshake_set_timeout(s->gnutls, GNUTLS_INDEFINITE_TIMEOUT);
	return E_OK;
}

void tls_session_free(struct tls_session **session)
{
	struct tls_session *s = *session;
	if (s == NULL) {
		return;
	}
	if (s->gnutls != NULL) {
		gnutls_deinit(s->gnutls);
	}
	buf_release(&s->ticket.held);
	free(s->server_name);
	free(s);
	*session = NULL;
}

static enum tls_version version_of(gnutls_protocol_t protocol)
{
	return protocol == GNUTLS_TLS1_3   ? TLS_VERSION_1_3
	       : protocol == GNUTLS_TLS1_2 ? TLS_VERSION_1_2
	                                   : TLS_VERSION_NONE;
}

static const char *group_name(gnutls_group_t group)
{
	switch (group) {
	case GNUTLS_GROUP_X25519:
		return "x25519";
	case GNUTLS_GROUP_X448:
		return "x448";
	case GNUTLS_GROUP_SECP256R1:
		return "secp256r1";
	case GNUTLS_GROUP_SECP384R1:
		return "secp384r1";
	case GNUTLS_GROUP_SECP521R1:
		return "secp521r1";
	case GNUTLS_GROUP_INVALID:
		return NULL;
	default:
		return gnutls_group_get_name(group);
	}
}

static void note_shown(struct tls_session *s, const struct tls_certificate *ours, size_t count)
{
	const gnutls_datum_t *shown = gnutls_certificate_get_ours(s->gnutls);
	for (size_t i = 0; shown != NULL && i < count; i++) {
		if (slice_equal(slice_of(shown->data, shown->size),
		                slice_of(ours[i].der.data, ours[i].der.size))) {
			memcpy(s->negotiated->server_certificate_sha256, ours[i].sha256, 32);
			s->negotiated->has_server_certificate = true;
		}
	}
}

/* As far as it came: GnuTLS knows the version once the ClientHello is answered. */
static void note_negotiated(struct tls_session *s)
{
	struct negotiated *n = s->negotiated;
	if (s->client != NULL
	            ? !s->answered
	            : s->service == NULL || s->last_message == GNUTLS_HANDSHAKE_CLIENT_HELLO) {
		return;
	}
	n->version = version_of(gnutls_protocol_get_version(s->gnutls));
	n->group = group_name(gnutls_group_get(s->gnutls));
	if (s->client != NULL) {
		note_shown(s, &s->client->certificate, s->client->has_certificate ? 1 : 0);
	} else {
		note_shown(s, s->service->certificates, s->service->certificate_count);
	}
	gnutls_datum_t alpn;
	if (gnutls_alpn_get_selected_protocol(s->gnutls, &alpn) == 0 &&
	    alpn.size <= sizeof(n->alpn)) {
		n->alpn_len = (uint8_t)alpn.size;
		memcpy(n->alpn, alpn.data, alpn.size);
	}
}

static enum tls_outcome complete(struct tls_session *s)
{
	struct negotiated *n = s->negotiated;
	note_negotiated(s);
	n->cipher = gnutls_ciphersuite_get(s->gnutls);
	n->resumed = gnutls_session_is_resumed(s->gnutls) != 0;
	s->proven = s->presented && s->verify_seen;
	if (s->client != NULL && session_client_complete(s) != 0) {
		return TLS_FAILED;
	}
	if (s->client == NULL && n->resumed && session_ticket_resumed(s) != 0) {
		return TLS_FAILED;
	}
	s->complete = true;
	n->established = true;
	return TLS_DONE;
}

enum tls_outcome tls_session_handshake(struct tls_session *s)
{
	int ret = GNUTLS_E_AGAIN;
	for (int warnings = 0; warnings < WARNINGS_MAX;) {
		s->starved = false;
		uint64_t before = s->pulled;
		ret = gnutls_handshake(s->gnutls);
		if (ret == GNUTLS_E_SUCCESS) {
			return complete(s);
		}
		if (ret == GNUTLS_E_AGAIN && has_more_input(s, before)) {
			continue;
		}
		if (ret == GNUTLS_E_AGAIN) {
			return gnutls_record_get_direction(s->gnutls) == 0 ? TLS_AGAIN_READ
			                                                   : TLS_AGAIN_WRITE;
		}
		if (gnutls_error_is_fatal(ret)) {
			break;
		}
		warnings++;
	}
	note_negotiated(s);
	if (ret == GNUTLS_E_FATAL_ALERT_RECEIVED || ret == GNUTLS_E_WARNING_ALERT_RECEIVED) {
		s->peer_alert = (int)gnutls_alert_get(s->gnutls);
		s->negotiated->alert_received = s->peer_alert;
	}
	if (s->failure == TLS_FAILURE_NONE) {
		s->gnutls_error = ret;
		s->failure = session_failure(s, ret);
	}
	return TLS_FAILED;
}

enum tls_failure tls_session_failure(const struct tls_session *s)
{
	return s->failure;
}

int tls_session_failure_alert(const struct tls_session *s)
{
	if (s->failure == TLS_FAILURE_NAME_CHANGED) {
		return GNUTLS_A_ILLEGAL_PARAMETER;
	}
	if (s->gnutls_error == 0) {
		return -1;
	}
	int level = 0;
	return gnutls_error_to_alert(s->gnutls_error, &level);
}

int tls_session_peer_alert(const struct tls_session *s)
{
	return s->peer_alert;
}

bool tls_session_possession_proven(const struct tls_session *s)
{
	return s->proven;
}

void tls_session_detach(struct tls_session *s)
{
	/* TLS 1.3 sends handshake messages later, too (KeyUpdate); nothing of them is a server's to see. */
	if (s->client != NULL) {
		session_client_detach(s);
	} else {
		gnutls_handshake_set_hook_function(s->gnutls, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_PRE,
		                                   NULL);
	}
	s->hello = NULL;
	s->negotiated = NULL;
}

static enum tls_outcome outcome_of(struct tls_session *s, ssize_t ret)
{
	switch (ret) {
	case GNUTLS_E_AGAIN:
	case GNUTLS_E_INTERRUPTED:
		return gnutls_record_get_direction(s->gnutls) == 0 ? TLS_AGAIN_READ
		                                                   : TLS_AGAIN_WRITE;
	case GNUTLS_E_PREMATURE_TERMINATION:
	case GNUTLS_E_PULL_ERROR:
	case GNUTLS_E_PUSH_ERROR:
		return TLS_TRUNCATED;
	case GNUTLS_E_REHANDSHAKE:
		gnutls_alert_send(s->gnutls, GNUTLS_AL_FATAL, GNUTLS_A_NO_RENEGOTIATION);
		s->failure = TLS_FAILURE_PROTOCOL;
		return TLS_FAILED;
	case GNUTLS_E_FATAL_ALERT_RECEIVED:
		s->failure = TLS_FAILURE_PEER_ALERT;
		s->peer_alert = (int)gnutls_alert_get(s->gnutls);
		return TLS_FAILED;
	default:
		s->failure = TLS_FAILURE_PROTOCOL;
		return TLS_FAILED;
	}
}

enum tls_outcome tls_session_read(struct tls_session *s, void *data, size_t len, size_t *moved)
{
	ssize_t ret = GNUTLS_E_AGAIN;
	int quiet = 0;
	for (int warnings = 0; warnings < WARNINGS_MAX;) {
		s->starved = false;
		uint64_t before = s->pulled;
		ret = gnutls_record_recv(s->gnutls, data, len);
		if (ret > 0) {
			*moved = (size_t)ret;
			return TLS_DONE;
		}
		if (ret == 0) {
			return TLS_CLOSED;
		}
		if (ret == GNUTLS_E_AGAIN && has_more_input(s, before)) {
			if (++quiet > QUIET_MAX) {
				ret = GNUTLS_E_TOO_MANY_EMPTY_PACKETS;
				break;
			}
			continue;
		}
		if (ret != GNUTLS_E_WARNING_ALERT_RECEIVED) {
			break;
		}
		warnings++;
	}
	return outcome_of(s, ret);
}

enum tls_outcome tls_session_write(struct tls_session *s, const void *data, size_t len,
                                   size_t *moved)
{
	ssize_t ret = gnutls_record_send(s->gnutls, data, len);
	if (ret >= 0) {
		*moved = (size_t)ret;
		return TLS_DONE;
	}
	return outcome_of(s, ret);
}

enum tls_outcome tls_session_flush(struct tls_session *s, size_t *moved)
{
	return tls_session_write(s, NULL, 0, moved);
}

void tls_session_alert(struct tls_session *s, int alert)
{
	gnutls_alert_send(s->gnutls, GNUTLS_AL_FATAL, (gnutls_alert_description_t)alert);
}

enum tls_outcome tls_session_close_write(struct tls_session *s)
{
	int ret = gnutls_bye(s->gnutls, GNUTLS_SHUT_WR);
	if (ret == GNUTLS_E_SUCCESS) {
		return TLS_DONE;
	}
	return ret == GNUTLS_E_AGAIN || ret == GNUTLS_E_INTERRUPTED ? TLS_AGAIN_WRITE : TLS_FAILED;
}
