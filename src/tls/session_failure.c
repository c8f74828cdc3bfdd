/* Why a handshake ended: GnuTLS's codes, read together with how far it had come. */
#include "tls/session_private.h"

/* RFC 8446 5.1 */
enum { CONTENT_ALERT = 21, CONTENT_HANDSHAKE = 22 };

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

/* In TLS 1.2 a server's key signs the parameters of the key exchange (RFC 8422 5.4): what is wrong with these says
 * nothing about the key. */
static enum tls_failure key_exchange_failure(int code)
{
	switch (code) {
	case GNUTLS_E_PK_SIG_VERIFY_FAILED:
	case GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM:
	case GNUTLS_E_INCOMPATIBLE_SIG_WITH_KEY:
	case GNUTLS_E_CERTIFICATE_ERROR:
	case GNUTLS_E_UNKNOWN_PK_ALGORITHM:
	case GNUTLS_E_PK_INVALID_PUBKEY:
		return TLS_FAILURE_POSSESSION;
	default:
		return TLS_FAILURE_PROTOCOL;
	}
}

/* What a server's answer to our ClientHello says, when it is no. handshake_failure can be anything and stays an alert. */
static enum tls_failure refusal(const struct tls_session *s)
{
	switch (gnutls_alert_get(s->gnutls)) {
	case GNUTLS_A_PROTOCOL_VERSION:
		return TLS_FAILURE_NO_VERSION;
	case GNUTLS_A_INSUFFICIENT_SECURITY:
		return TLS_FAILURE_NO_CIPHER;
	case GNUTLS_A_UNRECOGNIZED_NAME:
		return TLS_FAILURE_UNKNOWN_NAME;
	default:
		return TLS_FAILURE_PEER_ALERT;
	}
}

/* What only the client's side can tell; TLS_FAILURE_NONE: nothing. */
static enum tls_failure client_failure(const struct tls_session *s, int code)
{
	if (s->pulled > 0 && s->first != CONTENT_ALERT && s->first != CONTENT_HANDSHAKE) {
		return TLS_FAILURE_NOT_TLS;
	}
	if (code == GNUTLS_E_HANDSHAKE_TOO_LARGE || (s->pull_max != 0 && s->pulled >= s->pull_max)) {
		return TLS_FAILURE_CERTIFICATES_LIMIT;
	}
	/* An end inside of a record has the code of a record that is too short. */
	if (s->ended && code == GNUTLS_E_UNEXPECTED_PACKET_LENGTH) {
		return TLS_FAILURE_PEER_CLOSED;
	}
	if (!s->answered && code == GNUTLS_E_FATAL_ALERT_RECEIVED) {
		return refusal(s);
	}
	if (!s->answered && code == GNUTLS_E_UNSUPPORTED_VERSION_PACKET) {
		return TLS_FAILURE_NO_VERSION;
	}
	return TLS_FAILURE_NONE;
}

enum tls_failure session_failure(const struct tls_session *s, int code)
{
	enum tls_failure own = s->client != NULL ? client_failure(s, code) : TLS_FAILURE_NONE;
	if (own != TLS_FAILURE_NONE) {
		return own;
	}
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
	if (s->presented && s->last_message == GNUTLS_HANDSHAKE_SERVER_KEY_EXCHANGE) {
		return key_exchange_failure(code);
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
