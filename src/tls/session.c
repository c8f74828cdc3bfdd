#include "tls/session.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/gnutls.h>

#include "base/bug.h"
#include "base/err.h"
#include "tls/certificate_message.h"
#include "tls/creds_private.h"
#include "tls/hello_parse.h"

/* Non-fatal results of gnutls_handshake() in a row: warning alerts mostly. */
#define WARNINGS_MAX 16
#define HANDSHAKE_BYTES_MAX (16 << 20)

struct tls_session {
	gnutls_session_t gnutls;
	const struct tls_owner *ops;
	void *owner;
	struct tls_limits limits;
	struct hello *hello;
	struct negotiated *negotiated;
	const struct tls_service *service;
	enum tls_failure failure;
	int gnutls_error; /* the code behind TLS_FAILURE_PROTOCOL, _CERTIFICATE, ... */
	bool hello_seen;
	bool presented;        /* a Certificate message with certificates was read */
	bool verify_seen;      /* a CertificateVerify came */
	unsigned last_message; /* newest incoming handshake message type */
	bool proven;
	bool starved;    /* pull said EAGAIN since this was cleared */
	uint64_t pulled; /* bytes in all */
};

/* What a session speaks until its ClientHello chooses the service: GnuTLS reads no record without. */
static gnutls_priority_t first_priority;
static pthread_once_t first_once = PTHREAD_ONCE_INIT;

static void make_first_priority(void)
{
	BUG_IF(gnutls_priority_init(&first_priority, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2",
	                            NULL) != 0);
}

static ssize_t on_pull(gnutls_transport_ptr_t ptr, void *data, size_t len)
{
	struct tls_session *s = ptr;
	ssize_t n = s->ops->pull(s->owner, data, len);
	s->pulled += n > 0 ? (uint64_t)n : 0;
	if (n == -1) {
		s->starved = errno == EAGAIN;
		gnutls_transport_set_errno(s->gnutls, errno);
	}
	return n;
}

static ssize_t on_push(gnutls_transport_ptr_t ptr, const giovec_t *iov, int count)
{
	struct tls_session *s = ptr;
	ssize_t n = s->ops->push(s->owner, (const struct iovec *)iov, count);
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

static int fail(struct tls_session *s, enum tls_failure failure)
{
	s->failure = failure;
	return GNUTLS_E_APPLICATION_ERROR_MIN; /* any fatal code: `failure` tells */
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
		return fail(s, TLS_FAILURE_INTERNAL);
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
		return fail(s, TLS_FAILURE_INTERNAL);
	}
	struct hello_offer offer;
	int err = hello_parse(second, &offer, body);
	bool same = second->has_server_name == s->hello->has_server_name &&
	            slice_equal(slice_of(second->server_name, second->server_name_len),
	                        slice_of(s->hello->server_name, s->hello->server_name_len));
	free(second);
	if (err != E_OK) {
		s->gnutls_error = GNUTLS_E_UNEXPECTED_PACKET_LENGTH;
		return fail(s, TLS_FAILURE_PROTOCOL);
	}
	return same ? 0 : fail(s, TLS_FAILURE_NAME_CHANGED);
}

static int on_client_hello(struct tls_session *s, struct slice body)
{
	if (s->hello_seen) {
		return check_second_hello(s, body);
	}
	s->hello_seen = true;
	struct hello_offer offer;
	if (hello_parse(s->hello, &offer, body) != E_OK) {
		s->gnutls_error = GNUTLS_E_UNEXPECTED_PACKET_LENGTH;
		return fail(s, TLS_FAILURE_PROTOCOL);
	}
	const struct tls_service *service = s->ops->choose(s->owner);
	if (service == NULL) {
		return fail(s, TLS_FAILURE_UNKNOWN_NAME);
	}
	enum tls_common common = tls_service_common(service, s->hello, &offer);
	if (common != TLS_COMMON_OK) {
		return fail(s, failure_of(common));
	}
	return set_up(s, service);
}

static int on_certificate(struct tls_session *s, struct slice body)
{
	if (s->presented || body.len > s->limits.certificate_bytes) {
		return fail(s, s->presented ? TLS_FAILURE_PROTOCOL : TLS_FAILURE_CERTIFICATES_LIMIT);
	}
	struct slice der[CERTIFICATES_MAX];
	size_t count = s->limits.certificates < CERTIFICATES_MAX ? s->limits.certificates
	                                                         : CERTIFICATES_MAX;
	bool tls13 = gnutls_protocol_get_version(s->gnutls) == GNUTLS_TLS1_3;
	int err = certificate_message_parse(der, &count, body, tls13);
	if (err == E_LIMIT) {
		return fail(s, TLS_FAILURE_CERTIFICATES_LIMIT);
	}
	if (err != E_OK) {
		s->gnutls_error = GNUTLS_E_UNEXPECTED_PACKET_LENGTH;
		return fail(s, TLS_FAILURE_PROTOCOL);
	}
	if (count == 0) {
		return 0;
	}
	s->presented = true;
	/* From here on a leaf without digitalSignature reaches our own judgement instead of ending the handshake. Not
	 * earlier: the same call forbids the extended master secret. */
	gnutls_session_enable_compatibility_mode(s->gnutls);
	return s->ops->presented(s->owner, der, count) == E_OK ? 0 : fail(s, TLS_FAILURE_INTERNAL);
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
		return on_certificate(s, slice_of(msg->data, msg->size));
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
	negotiated->alert_sent = negotiated->alert_received = -1;
	if (gnutls_init(&s->gnutls, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL |
	                                    GNUTLS_NO_TICKETS | GNUTLS_NO_AUTO_SEND_TICKET) != 0) {
		free(s);
		return E_NOMEM;
	}
	pthread_once(&first_once, make_first_priority);
	if (gnutls_priority_set(s->gnutls, first_priority) != 0) {
		tls_session_free(&s);
		return E_NOMEM;
	}
	gnutls_session_set_ptr(s->gnutls, s);
	gnutls_transport_set_ptr(s->gnutls, s);
	gnutls_transport_set_pull_function(s->gnutls, on_pull);
	gnutls_transport_set_vec_push_function(s->gnutls, on_push);
	gnutls_transport_set_pull_timeout_function(s->gnutls, on_pull_timeout);
	gnutls_handshake_set_timeout(s->gnutls, GNUTLS_INDEFINITE_TIMEOUT);
	/* The owner's budget bounds what comes in; the library's own bound of 128 KiB would only blur the class. */
	gnutls_handshake_set_max_packet_length(s->gnutls, HANDSHAKE_BYTES_MAX);
	gnutls_handshake_set_hook_function(s->gnutls, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_PRE,
	                                   on_message);
	*out = s;
	return E_OK;
}

void tls_session_free(struct tls_session **session)
{
	struct tls_session *s = *session;
	if (s == NULL) {
		return;
	}
	gnutls_deinit(s->gnutls);
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

static void note_server_certificate(struct tls_session *s)
{
	const gnutls_datum_t *ours = gnutls_certificate_get_ours(s->gnutls);
	for (size_t i = 0; ours != NULL && i < s->service->certificate_count; i++) {
		const struct tls_certificate *certificate = &s->service->certificates[i];
		if (slice_equal(slice_of(ours->data, ours->size),
		                slice_of(certificate->der.data, certificate->der.size))) {
			memcpy(s->negotiated->server_certificate_sha256, certificate->sha256, 32);
			s->negotiated->has_server_certificate = true;
		}
	}
}

/* As far as it came: GnuTLS knows the version once it answered the ClientHello. */
static void note_negotiated(struct tls_session *s)
{
	struct negotiated *n = s->negotiated;
	if (s->service == NULL || s->last_message == GNUTLS_HANDSHAKE_CLIENT_HELLO) {
		return;
	}
	n->version = version_of(gnutls_protocol_get_version(s->gnutls));
	n->group = group_name(gnutls_group_get(s->gnutls));
	note_server_certificate(s);
	gnutls_datum_t alpn;
	if (gnutls_alpn_get_selected_protocol(s->gnutls, &alpn) == 0 &&
	    alpn.size <= sizeof(n->alpn)) {
		n->alpn_len = (uint8_t)alpn.size;
		memcpy(n->alpn, alpn.data, alpn.size);
	}
}

/* Codes that GnuTLS 3.7.9 gives for a CertificateVerify that does not prove the key (tls-sig.c, certificate_verify.c). */
static bool is_possession_error(int code)
{
	switch (code) {
	case GNUTLS_E_PK_SIG_VERIFY_FAILED:
	case GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM:
	case GNUTLS_E_RECEIVED_ILLEGAL_PARAMETER:
	case GNUTLS_E_INCOMPATIBLE_SIG_WITH_KEY:
	case GNUTLS_E_CERTIFICATE_ERROR:
	case GNUTLS_E_KEY_USAGE_VIOLATION:
	case GNUTLS_E_UNKNOWN_PK_ALGORITHM:
	case GNUTLS_E_UNWANTED_ALGORITHM:
	case GNUTLS_E_INSUFFICIENT_SECURITY:
	case GNUTLS_E_PK_INVALID_PUBKEY:
	case GNUTLS_E_INVALID_REQUEST:
		return true;
	default:
		return false;
	}
}

/* The next message was not there to be read: that says nothing about the certificate. */
static bool is_record_error(int code)
{
	return code == GNUTLS_E_DECRYPTION_FAILED || code == GNUTLS_E_UNEXPECTED_PACKET ||
	       code == GNUTLS_E_UNEXPECTED_HANDSHAKE_PACKET ||
	       code == GNUTLS_E_UNEXPECTED_PACKET_LENGTH ||
	       code == GNUTLS_E_UNSUPPORTED_VERSION_PACKET || code == GNUTLS_E_RECORD_OVERFLOW;
}

static enum tls_failure classify(const struct tls_session *s, int code)
{
	switch (code) {
	case GNUTLS_E_FATAL_ALERT_RECEIVED:
	case GNUTLS_E_WARNING_ALERT_RECEIVED:
		return TLS_FAILURE_PEER_ALERT;
	case GNUTLS_E_PREMATURE_TERMINATION:
	case GNUTLS_E_PULL_ERROR:
	case GNUTLS_E_PUSH_ERROR:
	case GNUTLS_E_SESSION_EOF:
		return TLS_FAILURE_PEER_CLOSED;
	case GNUTLS_E_MEMORY_ERROR:
		return TLS_FAILURE_INTERNAL;
	default:
		break;
	}
	/* TLS 1.2 reads the leaf with its message, 1.3 when the CertificateVerify needs it. */
	bool at_verify = s->last_message == GNUTLS_HANDSHAKE_CERTIFICATE_VERIFY;
	if (!s->presented || !(at_verify || s->last_message == GNUTLS_HANDSHAKE_CERTIFICATE_PKT) ||
	    is_record_error(code)) {
		return TLS_FAILURE_PROTOCOL;
	}
	return at_verify && is_possession_error(code) ? TLS_FAILURE_POSSESSION
	                                              : TLS_FAILURE_CERTIFICATE;
}

static enum tls_outcome complete(struct tls_session *s)
{
	struct negotiated *n = s->negotiated;
	note_negotiated(s);
	n->cipher = gnutls_ciphersuite_get(s->gnutls);
	n->established = true;
	n->resumed = gnutls_session_is_resumed(s->gnutls) != 0;
	/* Nothing of ours resumes: a session that did would carry an identity nobody proved. */
	BUG_IF(n->resumed);
	s->proven = s->presented && s->verify_seen;
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
		s->negotiated->alert_received = (int)gnutls_alert_get(s->gnutls);
	}
	if (s->failure == TLS_FAILURE_NONE) {
		s->gnutls_error = ret;
		s->failure = classify(s, ret);
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

bool tls_session_possession_proven(const struct tls_session *s)
{
	return s->proven;
}

void tls_session_detach(struct tls_session *s)
{
	/* TLS 1.3 sends handshake messages later, too (KeyUpdate); nothing of them is ours to see. */
	gnutls_handshake_set_hook_function(s->gnutls, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_PRE, NULL);
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
		return TLS_FAILED;
	default:
		return TLS_FAILED;
	}
}

enum tls_outcome tls_session_read(struct tls_session *s, void *data, size_t len, size_t *moved)
{
	ssize_t ret = GNUTLS_E_AGAIN;
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
