/* One TLS session, a server's to a client or a client's to a back end: the only face of GnuTLS that the proxy sees.
 *
 * The owner gives bytes in and out (pull, push), chooses the service once the ClientHello is read, and is shown the raw
 * certificates. A client certificate is asked for, never required: the handshake is completed wherever it can be, so
 * possession of the key is proven before anyone judges (design, section 3).
 *
 * GnuTLS 3.7.9 facts held here: ALPN and versions are set in the PRE hook of the ClientHello (in post_client_hello
 * they are ignored); after GNUTLS_E_AGAIN go on until pull met EAGAIN; servers resume TLS 1.3 alone and where the service
 * wants it (session_ticket.c), 0-RTT is never on; renegotiation is answered with no_renegotiation and the end.
 *
 * Thread: the worker of its connection. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/slice.h"
#include "tls/client.h"
#include "tls/creds.h"
#include "tls/hello.h"

struct tls_session;

struct tls_limits {
	size_t certificate_bytes; /* of a Certificate message */
	size_t certificates;      /* in it */
	size_t ticket_bytes; /* of a Certificate message that goes into a ticket, which comes back within a ClientHello; 0,
	                           * and at most: 8 KiB */
};

struct tls_owner {
	/* As recv(2) and writev(2): -1 and errno; EAGAIN ends the step. */
	ssize_t (*pull)(void *owner, void *data, size_t len);
	ssize_t (*push)(void *owner, const struct iovec *iov, int count);
	/* The (first) ClientHello is in hello: which service speaks? NULL: nobody takes this name. */
	const struct tls_service *(*choose)(void *owner);
	/* What the client presented, leaf first, count > 0, borrowed; on a resumed session of a client with us what it
	 * presented in the full handshake that the session goes back to, when this handshake is over. Anything but E_OK
	 * ends the handshake. */
	int (*presented)(void *owner, const struct slice *der, size_t count);
};

enum tls_outcome {
	TLS_DONE,        /* handshake over; bytes moved */
	TLS_AGAIN_READ,  /* wait until the socket can be read */
	TLS_AGAIN_WRITE, /* wait until it can be written */
	TLS_CLOSED,      /* close_notify came: a proper end */
	TLS_TRUNCATED,   /* the peer closed or reset without close_notify */
	TLS_FAILED,      /* see tls_session_failure() */
};

/* Why a handshake ended. */
enum tls_failure {
	TLS_FAILURE_NONE,
	TLS_FAILURE_UNKNOWN_NAME,
	TLS_FAILURE_NO_VERSION,
	TLS_FAILURE_NO_CIPHER,
	TLS_FAILURE_NO_SIGNATURE,
	TLS_FAILURE_NO_GROUP,
	TLS_FAILURE_NO_PROTOCOL,
	TLS_FAILURE_PEER_ALERT,
	TLS_FAILURE_PEER_CLOSED,
	TLS_FAILURE_NOT_TLS, /* a back end speaks something else; servers are told by the owner's look at the first bytes */
	TLS_FAILURE_NAME_CHANGED, /* another SNI after HelloRetryRequest */
	TLS_FAILURE_CERTIFICATE, /* GnuTLS cannot work with what was presented: nothing was proven */
	TLS_FAILURE_POSSESSION,  /* the CertificateVerify is wrong */
	TLS_FAILURE_CERTIFICATES_LIMIT, /* too many certificates, or too long */
	TLS_FAILURE_PROTOCOL,
	TLS_FAILURE_INTERNAL,
};

/* `hello` and `negotiated` are the owner's and are filled as the handshake proceeds. */
int tls_session_new(struct tls_session **out, const struct tls_owner *ops, void *owner,
                    const struct tls_limits *limits, struct hello *hello,
                    struct negotiated *negotiated);
/* The client's side, to a server of an upstream, whose name goes into the SNI (copied; NULL or an address: no SNI). `resume`
 * is what tls_session_ticket() gave for this server, or empty; of another client or name, or older than an hour, it is
 * passed over. No ClientHello is parsed and owner->choose is not called; owner->presented is called with what the server showed, and
 * not on a resumed session (the caller keeps that chain with the ticket). The server's certificate is not judged here: the
 * handshake is completed, the caller judges before it sends a byte. What the server sends until then is bounded. Our leaf
 * is the one in `negotiated`, if the server asked for it. `client` has to outlive the session. E_NOMEM. */
int tls_session_new_client(struct tls_session **out, const struct tls_owner *ops, void *owner,
                           const struct tls_limits *limits, const struct tls_client *client,
                           const char *server_name, struct slice resume,
                           struct negotiated *negotiated);
/* Of a client's session: what resumes it, appended to `out`; false: nothing new came since the last call, or there is no room.
 * TLS 1.3 tickets come with the first reads, also after tls_session_detach(), and are to be used once (RFC 8446 C.4). It
 * has the session's secrets: not for files or logs. */
bool tls_session_ticket(struct tls_session *s, struct buf *out);
/* Of a server's session: gives the client one ticket, which resumes a session with the same compiled service within two
 * hours of this handshake. For the owner to call once it has accepted a client (so that no ticket is of a session that
 * was not), before the first write. What the socket does not take goes out before anything that is written later. Does
 * nothing where no ticket is to be given: TLS 1.2, a service without resumption, a resumed session (a ticket ends with
 * its first handshake's time), a client that offered no psk_dhe_ke or was sent a HelloRetryRequest, a chain that is too
 * long, a second call. */
void tls_session_give_ticket(struct tls_session *s);
/* Of a client's session: the server asked for our certificate. */
bool tls_session_asked(const struct tls_session *s);
/* Frees without a word to the peer. NULL is fine. */
void tls_session_free(struct tls_session **session);

enum tls_outcome tls_session_handshake(struct tls_session *s);
enum tls_failure tls_session_failure(const struct tls_session *s);
/* The alert that fits the failure by the library's own table; -1: none. */
int tls_session_failure_alert(const struct tls_session *s);
/* The fatal alert that the peer ended the session with, in the handshake or later; -1: none. */
int tls_session_peer_alert(const struct tls_session *s);
/* A CertificateVerify (in TLS 1.2 a server's signed key exchange) was seen and the handshake is complete. Also on a resumed
 * session: its secret is from a handshake where that was so (RFC 8446 2.2). */
bool tls_session_possession_proven(const struct tls_session *s);
/* Forgets the handshake's hello and negotiated: they may be freed after this. */
void tls_session_detach(struct tls_session *s);

/* Moves at most len bytes; *moved is set with TLS_DONE. */
enum tls_outcome tls_session_read(struct tls_session *s, void *data, size_t len, size_t *moved);
/* TLS_AGAIN_WRITE: the record is kept inside; call tls_session_flush() until TLS_DONE, then *moved bytes are gone. */
enum tls_outcome tls_session_write(struct tls_session *s, const void *data, size_t len,
                                   size_t *moved);
enum tls_outcome tls_session_flush(struct tls_session *s, size_t *moved);
/* A fatal alert; what the socket does not take at once is lost. */
void tls_session_alert(struct tls_session *s, int alert);
/* close_notify, this direction only. TLS_DONE, TLS_AGAIN_WRITE (call again), TLS_FAILED. */
enum tls_outcome tls_session_close_write(struct tls_session *s);
