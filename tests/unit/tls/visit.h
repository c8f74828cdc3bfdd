/* One connection in this process: a server's session of ours, and OpenSSL's client, with memory between them.
 *
 * Failures of the helper itself end the program. */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "tls/session.h"

/* A service that shows pair_leaf() and asks for certificates, as tls_service_new() gives it. `priority` NULL: our own. */
int visit_compile(struct tls_service **out, bool resumption, const char *priority,
                  struct diag *diag);
/* One that compiles. */
struct tls_service *visit_service(bool resumption, const char *priority);

/* A client. Zero is a sensible value everywhere. */
struct visitor {
	const struct pki_cert *leaf;  /* NULL: it has no certificate */
	const struct pki_cert *above; /* sent with it; NULL: none */
	size_t above_count;           /* times; 0: once */
	bool tls12;                   /* and nothing newer */
	const char *groups;           /* NULL: OpenSSL's own */
	size_t ticket_bytes;          /* of our session's limits */
};

struct visit {
	struct tls_session *server;
	SSL_CTX *context;
	SSL *client;
	BIO *to_client, *to_server; /* the client's */
	size_t room;                /* bytes that our socket takes yet */
	enum tls_outcome outcome;   /* of our last step */
	int client_code;            /* of its last step: 1, or an SSL_ERROR_* below 0 */
	const struct tls_service *service;
	struct hello hello;
	struct negotiated negotiated;
	bool refuse;      /* presented() says E_NOMEM */
	size_t presented; /* calls */
	size_t shown_count;
	struct {
		uint8_t der[4096];
		size_t len;
	} shown[4];
	const uint8_t *ticket; /* of the session to be resumed */
	size_t ticket_len;
	bool offered;         /* it stood in a ClientHello */
	size_t tickets;       /* that came */
	SSL_SESSION *session; /* the newest of them; NULL: none */
};

/* Both sides, before their first step; `resume` NULL: a new session. Room for everything. */
void visit_open(struct visit *visit, const struct tls_service *service,
                const struct visitor *visitor, SSL_SESSION *resume);
/* The handshake, as far as it goes; true: both are through. Then visit_read() shows what came after it. */
bool visit_shake(struct visit *visit);
/* What the client reads into `data`, at most `len` bytes: how many, 0 for nothing. Takes tickets in, too. */
size_t visit_read(struct visit *visit, void *data, size_t len);
/* Keeps visit->session for the caller, who frees it. */
SSL_SESSION *visit_close(struct visit *visit);

/* Whole visits that have to work: pki_leaf() with its intermediate; a full handshake with a ticket at its end, for the
 * caller to free; and a handshake that offers one, resumed or not. */
struct visitor visit_known(void);
SSL_SESSION *visit_ticket(const struct tls_service *service, const struct visitor *visitor);
bool visit_is_resumed(const struct tls_service *service, const struct visitor *visitor,
                      SSL_SESSION *session);
