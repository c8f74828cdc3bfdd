/* Inside of tls/ alone: what the two sides of a session share. */
#pragma once

#include <gnutls/gnutls.h>

#include "tls/creds_private.h"
#include "tls/session.h"

/* Of a server's session; all zero where the service resumes nothing. */
struct session_ticket {
	bool on; /* GnuTLS may take one, or give one */
	bool given;
	bool holding;    /* what the socket does not take goes to `held`, and counts as sent */
	struct buf held; /* to be sent before anything else */
	size_t held_out;
	size_t body_len;    /* of the Certificate message that came; 0: none with certificates */
	uint8_t sha256[32]; /* of these certificates */
};

struct tls_session {
	gnutls_session_t gnutls;
	const struct tls_owner *ops;
	void *owner;
	struct tls_limits limits;
	struct hello *hello; /* NULL with `client` */
	struct negotiated *negotiated;
	const struct tls_service *service; /* the server's side, once chosen */
	const struct tls_client *client;   /* the client's side; NULL: this is a server's */
	enum tls_failure failure;
	int gnutls_error; /* the code behind TLS_FAILURE_PROTOCOL, _CERTIFICATE, ... */
	bool hello_seen;
	bool answered;         /* client: the ServerHello was taken */
	bool presented;        /* a Certificate message with certificates was read */
	bool verify_seen;      /* a signature with its key came */
	unsigned last_message; /* newest incoming handshake message type */
	bool complete;         /* the handshake, on both sides */
	bool proven;
	int peer_alert;    /* -1: none */
	bool starved;      /* pull said EAGAIN since this was cleared */
	bool ended;        /* pull said that nothing more comes */
	uint8_t first;     /* byte that the peer sent */
	uint64_t pulled;   /* bytes in all */
	uint64_t pull_max; /* no more than these; 0: the owner counts */

	struct session_ticket ticket; /* the server's side alone */

	/* the client's side alone */
	char *server_name;    /* NULL: none was sent */
	unsigned tickets;     /* that came */
	unsigned tickets_out; /* that tls_session_ticket() gave */
	uint64_t since_ns;    /* monotonic: when the server proved its key */
};

/* Everything that does not depend on the side. E_NOMEM; the caller frees `s` with tls_session_free(). */
int session_start(struct tls_session *s, unsigned flags);
/* The result of a hook that ends the handshake. */
int session_fail(struct tls_session *s, enum tls_failure failure);
/* As writev(2) to the owner, behind what is held. */
ssize_t session_push(struct tls_session *s, const struct iovec *iov, int count);
/* Hooks on incoming handshake messages: 0, or what session_fail() gave. */
int session_certificate(struct tls_session *s, struct slice body);
/* Why GnuTLS ended the handshake with `code`. */
enum tls_failure session_failure(const struct tls_session *s, int code);
/* The client's part of a completed handshake: 0, or what session_fail() gave. */
int session_client_complete(struct tls_session *s);
/* From now on nothing is noted of handshake messages but tickets. */
void session_client_detach(struct tls_session *s);
/* The server's side of resumption. The first ClientHello, after it chose the service: may a ticket be taken and given?
 * 0, or what session_fail() gave. */
int session_ticket_offer(struct tls_session *s, struct slice body, bool has_versions);
/* The certificates that came in a Certificate message. */
void session_ticket_note(struct tls_session *s, struct slice body, const struct slice *der,
                         size_t count);
/* A resumed handshake is complete: shows the owner what was presented in the full one. 0, or what session_fail() gave. */
int session_ticket_resumed(struct tls_session *s);
