/* One connection in this process: a client's session of ours against a GnuTLS server, over a socket pair, both sides moved
 * in turn until nothing moves any more.
 *
 * Failures of the helper itself end the program. */
#pragma once

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peer/pki.h"
#include "tls/session.h"

#define PAIR_BOTH "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
#define PAIR_12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define PAIR_13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"

/* A server that many connections come to. Zero is a sensible value everywhere. */
struct pair_server {
	const char *priority;         /* NULL: PAIR_BOTH */
	const struct pki_cert *leaf;  /* NULL: pair_leaf() */
	const struct pki_cert *above; /* NULL: none is sent with the leaf */
	gnutls_privkey_t key;         /* in place of the leaf's; taken */
	bool ask;                     /* for a client certificate */
	const struct pki_cert *named; /* the only CA named in that */
	bool tickets;
	bool ids; /* TLS 1.2: sessions by their id, kept here */

	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t cache;
	gnutls_datum_t ticket_key;
	struct {
		uint8_t key[64], data[16384];
		size_t key_len, data_len;
	} stored;
};

struct pair {
	int fds[2]; /* ours, the server's */
	struct pair_server *of;
	gnutls_session_t server;
	int server_code; /* of its last step */
	struct tls_session *client;
	enum tls_outcome outcome; /* of the client's last step */
	struct negotiated negotiated;
	bool trickle; /* our side gets one byte at a time, then EAGAIN */
	bool starve;  /* inside of it */
	bool refuse;  /* presented() says E_NOMEM */
	uint64_t pulled;
	size_t presented; /* calls */
	size_t shown_count;
	struct {
		uint8_t der[4096];
		size_t len;
	} shown[4];
	uint8_t extensions[64]; /* types that came in our ClientHello; those above 255 as 255 */
	size_t extension_count;
	char sni[256]; /* empty: none */
};

/* Usual ones: for servers, from pki_intermediate(). */
const struct pki_cert *pair_leaf(void);
/* A client of `certificate` and its key; NULL: it has none. */
struct tls_client *pair_client(const struct pki_cert *certificate);
/* PEM of a key, as a file. */
char *pair_key_file(gnutls_x509_privkey_t key);

void pair_server_start(struct pair_server *server);
void pair_server_stop(struct pair_server *server);
/* Both sides, before their first step. `server` NULL: nobody speaks at fds[1] but the test. */
void pair_open(struct pair *pair, struct pair_server *server, const struct tls_client *client,
               const char *server_name, struct slice resume);
/* The handshake, to its end on both sides or to where nobody goes on; true: both are through. */
bool pair_shake(struct pair *pair);
/* One more message of the server arrives: reads until there is nothing, and gives what the client's last read said. */
enum tls_outcome pair_settle(struct pair *pair);
void pair_close(struct pair *pair);
/* What the client sends is thrown away, and `bytes` are what it is told, then perhaps the end. Gives the outcome. */
enum tls_outcome pair_answer(struct pair *pair, struct slice bytes, bool end);
