/* The client's side against a GnuTLS server: handshakes that come about, and what passes after them. */
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "pair.h"
#include "unit.h"

static const char *const versions[] = {PAIR_12, PAIR_13};
#define VERSION_COUNT 2

static bool has_extension(const struct pair *pair, uint8_t id)
{
	return memchr(pair->extensions, id, pair->extension_count) != NULL;
}

static void a_handshake_tells_what_was_negotiated_and_shown(void)
{
	for (size_t i = 0; i < VERSION_COUNT; i++) {
		struct pair_server server = {.priority = versions[i], .above = pki_intermediate()};
		pair_server_start(&server);
		struct tls_client *client = pair_client(NULL);
		for (int trickle = 0; trickle < 2; trickle++) {
			struct pair pair;
			pair_open(&pair, &server, client, "backend.example", SLICE(""));
			pair.trickle = trickle == 1;
			CU_ASSERT_TRUE_FATAL(pair_shake(&pair));
			const struct negotiated *n = &pair.negotiated;
			CU_ASSERT_EQUAL(n->version, i == 0 ? TLS_VERSION_1_2 : TLS_VERSION_1_3);
			CU_ASSERT_STRING_EQUAL(n->cipher,
			                       i == 0 ? "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
			                              : "TLS_AES_128_GCM_SHA256");
			CU_ASSERT_STRING_EQUAL(n->group, "x25519");
			CU_ASSERT_TRUE(n->established);
			CU_ASSERT_FALSE(n->resumed);
			CU_ASSERT_EQUAL(n->alert_sent, -1);
			CU_ASSERT_EQUAL(n->alert_received, -1);
			CU_ASSERT_FALSE(n->has_server_certificate);
			CU_ASSERT_EQUAL(n->alpn_len, 0);
			CU_ASSERT_TRUE(tls_session_possession_proven(pair.client));
			CU_ASSERT_FALSE(tls_session_asked(pair.client));
			CU_ASSERT_EQUAL(pair.presented, 1);
			CU_ASSERT_EQUAL(pair.shown_count, 2);
			CU_ASSERT(slice_equal(slice_of(pair.shown[0].der, pair.shown[0].len),
			                      pair_leaf()->der));
			CU_ASSERT(slice_equal(slice_of(pair.shown[1].der, pair.shown[1].len),
			                      pki_intermediate()->der));
			/* What the leaf's key usage cannot say of TLS 1.2 is said there: RFC 7627. */
			CU_ASSERT(i == 1 ||
			          gnutls_session_ext_master_secret_status(pair.server) != 0);
			pair_close(&pair);
		}
		tls_client_free(&client);
		pair_server_stop(&server);
	}
}

/* RFC 6066 3; RFC 7301, RFC 8446 4.2.10: neither ALPN (16) nor early data (42) is ever offered. */
static void the_hello_has_the_name_and_no_more_than_it_should(void)
{
	static const struct {
		const char *name;
		const char *sni;
	} rows[] = {
		{"backend.example", "backend.example"},
		{"backend.example.", "backend.example"},
		{NULL, ""},
		{"192.0.2.1", ""},
		{"2001:db8::1", ""},
		{"", ""},
		{".", ""},
	};
	struct pair_server server = {.tickets = true};
	pair_server_start(&server);
	struct tls_client *client = pair_client(NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pair pair;
		pair_open(&pair, &server, client, rows[i].name, SLICE(""));
		CU_ASSERT_TRUE_FATAL(pair_shake(&pair));
		CU_ASSERT_STRING_EQUAL(pair.sni, rows[i].sni);
		CU_ASSERT_EQUAL(has_extension(&pair, 0), rows[i].sni[0] != '\0');
		CU_ASSERT_FALSE(has_extension(&pair, 16));
		CU_ASSERT_FALSE(has_extension(&pair, 42));
		pair_close(&pair);
	}
	tls_client_free(&client);
	pair_server_stop(&server);
}

/* As the server saw it, with the signature verified. */
static void expect_certificate(struct pair *pair, const struct pki_cert *certificate)
{
	unsigned count = 0;
	const gnutls_datum_t *got = gnutls_certificate_get_peers(pair->server, &count);
	CU_ASSERT_EQUAL(count, certificate == NULL ? 0 : 1);
	CU_ASSERT_EQUAL(pair->negotiated.has_server_certificate, certificate != NULL);
	if (count == 1 && certificate != NULL) {
		uint8_t sha256[32];
		CU_ASSERT(slice_equal(slice_of(got->data, got->size), certificate->der));
		gnutls_hash_fast(GNUTLS_DIG_SHA256, got->data, got->size, sha256);
		CU_ASSERT_EQUAL(memcmp(pair->negotiated.server_certificate_sha256, sha256, 32), 0);
	}
}

static void our_certificate_is_shown_to_who_asks_whatever_the_key(void)
{
	static const enum pki_key_kind kinds[] = {PKI_P256_C, PKI_P384, PKI_RSA2048, PKI_ED25519};
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		const struct pki_cert *certificate = pki_make(&(struct pki_spec){
			.subject = "CN=edge", .key = kinds[k], .issuer = pki_intermediate()});
		struct tls_client *client = pair_client(certificate);
		for (size_t i = 0; i < VERSION_COUNT; i++) {
			struct pair_server server = {.priority = versions[i], .ask = true};
			pair_server_start(&server);
			struct pair pair;
			pair_open(&pair, &server, client, NULL, SLICE(""));
			CU_ASSERT_TRUE(pair_shake(&pair));
			CU_ASSERT_TRUE(tls_session_asked(pair.client));
			expect_certificate(&pair, certificate);
			pair_close(&pair);
			pair_server_stop(&server);
		}
		tls_client_free(&client);
	}
}

/* Of a server that names other CAs, too: it is configured for this server. */
static void our_certificate_is_shown_whatever_cas_are_named(void)
{
	const struct pki_cert *stranger = pki_make(
		&(struct pki_spec){.subject = "CN=Stranger", .key = PKI_P256_A, .ca = true});
	struct tls_client *client = pair_client(pki_leaf());
	for (size_t i = 0; i < VERSION_COUNT; i++) {
		struct pair_server server = {.priority = versions[i], .ask = true, .named = stranger};
		pair_server_start(&server);
		struct pair pair;
		pair_open(&pair, &server, client, NULL, SLICE(""));
		CU_ASSERT_TRUE(pair_shake(&pair));
		expect_certificate(&pair, pki_leaf());
		pair_close(&pair);
		pair_server_stop(&server);
	}
	tls_client_free(&client);
}

static void without_a_certificate_of_ours_none_is_shown(void)
{
	struct tls_client *client = pair_client(NULL);
	for (size_t i = 0; i < VERSION_COUNT; i++) {
		struct pair_server server = {.priority = versions[i], .ask = true};
		pair_server_start(&server);
		struct pair pair;
		pair_open(&pair, &server, client, NULL, SLICE(""));
		CU_ASSERT_TRUE(pair_shake(&pair));
		CU_ASSERT_TRUE(tls_session_asked(pair.client));
		expect_certificate(&pair, NULL);
		pair_close(&pair);
		pair_server_stop(&server);
	}
	tls_client_free(&client);
}

/* peer/ judges key usage, with all else: GnuTLS must not end the handshake before. */
static void a_leaf_without_digital_signature_is_shown_and_not_refused_here(void)
{
	const struct pki_cert *leaf =
		pki_make(&(struct pki_spec){.subject = "CN=odd",
	                                    .key = PKI_P256_D,
	                                    .issuer = pki_intermediate(),
	                                    .key_usage = GNUTLS_KEY_KEY_AGREEMENT});
	struct tls_client *client = pair_client(NULL);
	for (size_t i = 0; i < VERSION_COUNT; i++) {
		char priority[128];
		snprintf(priority, sizeof(priority), "%s:%%DEBUG_ALLOW_KEY_USAGE_VIOLATIONS",
		         versions[i]);
		struct pair_server server = {.priority = priority, .leaf = leaf};
		pair_server_start(&server);
		struct pair pair;
		pair_open(&pair, &server, client, NULL, SLICE(""));
		CU_ASSERT_TRUE(pair_shake(&pair));
		CU_ASSERT_EQUAL(pair.presented, 1);
		CU_ASSERT_TRUE(tls_session_possession_proven(pair.client));
		pair_close(&pair);
		pair_server_stop(&server);
	}
	tls_client_free(&client);
}

#define LOAD 300000

/* Our side sends, the server echoes. */
static void echo(struct pair *pair)
{
	uint8_t *sent = malloc(LOAD);
	uint8_t *got = malloc(LOAD);
	uint8_t *kept = malloc(LOAD);
	for (size_t i = 0; i < LOAD; i++) {
		sent[i] = (uint8_t)(i * 2654435761U >> 13);
	}
	size_t out = 0, taken = 0, back = 0, in = 0;
	bool inside = false;
	for (int idle = 0; in < LOAD && idle < 100000; idle++) {
		size_t moved = 0;
		if (out < LOAD || inside) {
			enum tls_outcome outcome =
				inside ? tls_session_flush(pair->client, &moved)
				       : tls_session_write(pair->client, sent + out, LOAD - out,
			                                   &moved);
			inside = outcome == TLS_AGAIN_WRITE;
			CU_ASSERT_FATAL(inside || outcome == TLS_DONE);
			out += moved;
		}
		ssize_t n = taken < LOAD
		                    ? gnutls_record_recv(pair->server, kept + taken, LOAD - taken)
		                    : 0;
		taken += n > 0 ? (size_t)n : 0;
		if (back < taken) {
			n = gnutls_record_send(pair->server, kept + back, taken - back);
			back += n > 0 ? (size_t)n : 0;
		}
		if (tls_session_read(pair->client, got + in, LOAD - in, &moved) == TLS_DONE) {
			in += moved;
			idle = 0;
		}
	}
	CU_ASSERT_EQUAL(in, LOAD);
	CU_ASSERT_EQUAL(memcmp(sent, got, LOAD), 0);
	free(sent);
	free(got);
	free(kept);
}

static void bytes_pass_in_both_directions(void)
{
	struct tls_client *client = pair_client(NULL);
	for (size_t i = 0; i < VERSION_COUNT; i++) {
		struct pair_server server = {.priority = versions[i], .tickets = true};
		pair_server_start(&server);
		struct pair pair;
		pair_open(&pair, &server, client, NULL, SLICE(""));
		CU_ASSERT_TRUE(pair_shake(&pair));
		tls_session_detach(pair.client);
		echo(&pair);
		pair_close(&pair);
		pair_server_stop(&server);
	}
	tls_client_free(&client);
}

static void ends_are_told_apart(void)
{
	struct tls_client *client = pair_client(NULL);
	for (size_t i = 0; i < VERSION_COUNT; i++) {
		struct pair_server server = {.priority = versions[i]};
		pair_server_start(&server);
		for (int proper = 0; proper < 2; proper++) {
			struct pair pair;
			pair_open(&pair, &server, client, NULL, SLICE(""));
			CU_ASSERT_TRUE(pair_shake(&pair));
			CU_ASSERT_EQUAL(pair_settle(&pair), TLS_AGAIN_READ);
			if (proper == 1) {
				CU_ASSERT_EQUAL(gnutls_bye(pair.server, GNUTLS_SHUT_WR), 0);
			}
			CU_ASSERT_EQUAL(shutdown(pair.fds[1], SHUT_WR), 0);
			CU_ASSERT_EQUAL(pair_settle(&pair),
			                proper == 1 ? TLS_CLOSED : TLS_TRUNCATED);
			/* Our own direction stands until we end it. */
			uint8_t byte;
			size_t moved;
			CU_ASSERT_EQUAL(tls_session_write(pair.client, "x", 1, &moved),
			                proper == 1 ? TLS_DONE : TLS_FAILED);
			if (proper == 1) {
				CU_ASSERT_EQUAL(tls_session_close_write(pair.client), TLS_DONE);
				CU_ASSERT_EQUAL(gnutls_record_recv(pair.server, &byte, 1), 1);
				CU_ASSERT_EQUAL(gnutls_record_recv(pair.server, &byte, 1), 0);
			}
			pair_close(&pair);
		}
		pair_server_stop(&server);
	}
	tls_client_free(&client);
}

static void renegotiation_is_refused(void)
{
	struct tls_client *client = pair_client(NULL);
	struct pair_server server = {.priority = PAIR_12};
	pair_server_start(&server);
	struct pair pair;
	pair_open(&pair, &server, client, NULL, SLICE(""));
	CU_ASSERT_TRUE(pair_shake(&pair));
	CU_ASSERT_EQUAL(gnutls_rehandshake(pair.server), 0);
	CU_ASSERT_EQUAL(pair_settle(&pair), TLS_FAILED);
	uint8_t byte;
	CU_ASSERT_EQUAL(gnutls_record_recv(pair.server, &byte, 1), GNUTLS_E_FATAL_ALERT_RECEIVED);
	CU_ASSERT_EQUAL(gnutls_alert_get(pair.server), GNUTLS_A_NO_RENEGOTIATION);
	pair_close(&pair);
	pair_server_stop(&server);
	tls_client_free(&client);
}

static void requests_for_a_certificate_after_the_handshake_are_refused(void)
{
	struct tls_client *client = pair_client(pki_leaf());
	struct pair_server server = {.priority = PAIR_13};
	pair_server_start(&server);
	struct pair pair;
	pair_open(&pair, &server, client, NULL, SLICE(""));
	CU_ASSERT_TRUE(pair_shake(&pair));
	/* RFC 8446 4.2.6: only of clients that said post_handshake_auth (49) */
	CU_ASSERT_FALSE(has_extension(&pair, 49));
	CU_ASSERT(gnutls_reauth(pair.server, 0) < 0);
	pair_close(&pair);
	pair_server_stop(&server);
	tls_client_free(&client);
}

struct flood {
	size_t len;
	uint8_t bytes[128 * 1024];
};

static ssize_t into_flood(gnutls_transport_ptr_t ptr, const void *data, size_t len)
{
	struct flood *flood = ptr;
	CU_ASSERT_FATAL(len <= sizeof(flood->bytes) - flood->len);
	memcpy(flood->bytes + flood->len, data, len);
	flood->len += len;
	return (ssize_t)len;
}

/* RFC 8446 4.6.1, 5.1: tickets and records of length zero may come at any time, and a server that sends nothing else must not have
 * the worker for itself. */
static void a_flood_of_messages_without_data_is_refused(void)
{
	static const struct {
		bool tickets;
		int messages;
		enum tls_outcome outcome;
	} rows[] = {
		{true, 30, TLS_AGAIN_READ},
		{true, 300, TLS_FAILED},
		{false, 150, TLS_AGAIN_READ},
		{false, 300, TLS_FAILED},
	};
	static struct flood flood;
	struct tls_client *client = pair_client(NULL);
	struct pair_server server = {.priority = PAIR_13, .tickets = true};
	pair_server_start(&server);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pair pair;
		pair_open(&pair, &server, client, NULL, SLICE(""));
		CU_ASSERT_TRUE(pair_shake(&pair));
		CU_ASSERT_EQUAL(pair_settle(&pair), TLS_AGAIN_READ);
		flood.len = 0;
		gnutls_transport_set_ptr(pair.server, &flood);
		gnutls_transport_set_push_function(pair.server, into_flood);
		for (int n = 0; n < rows[i].messages; n++) {
			int ret = rows[i].tickets
			                  ? gnutls_session_ticket_send(pair.server, 1, 0)
			                  : (int)gnutls_record_send2(pair.server, "", 0, 1, 0);
			CU_ASSERT_EQUAL_FATAL(ret, 0);
		}
		CU_ASSERT_EQUAL_FATAL(send(pair.fds[1], flood.bytes, flood.len, 0),
		                      (ssize_t)flood.len);
		CU_ASSERT_EQUAL(pair_settle(&pair), rows[i].outcome);
		pair_close(&pair);
	}
	pair_server_stop(&server);
	tls_client_free(&client);
}

/* In TLS 1.3 the client is through before the server has seen its certificate. */
static void an_alert_after_the_handshake_is_told(void)
{
	struct tls_client *client = pair_client(pki_leaf());
	struct pair_server server = {.priority = PAIR_13, .ask = true};
	pair_server_start(&server);
	struct pair pair;
	pair_open(&pair, &server, client, NULL, SLICE(""));
	CU_ASSERT_TRUE(pair_shake(&pair));
	CU_ASSERT_EQUAL(tls_session_peer_alert(pair.client), -1);
	gnutls_alert_send(pair.server, GNUTLS_AL_FATAL, GNUTLS_A_BAD_CERTIFICATE);
	CU_ASSERT_EQUAL(pair_settle(&pair), TLS_FAILED);
	CU_ASSERT_EQUAL(tls_session_failure(pair.client), TLS_FAILURE_PEER_ALERT);
	CU_ASSERT_EQUAL(tls_session_peer_alert(pair.client), 42);
	pair_close(&pair);
	pair_server_stop(&server);
	tls_client_free(&client);
}

static const struct unit_test tests[] = {
	{"a handshake tells what was negotiated and shown",
         a_handshake_tells_what_was_negotiated_and_shown},
	{"the hello has the name and no more than it should",
         the_hello_has_the_name_and_no_more_than_it_should},
	{"our certificate is shown to who asks, whatever the key",
         our_certificate_is_shown_to_who_asks_whatever_the_key},
	{"our certificate is shown whatever CAs are named",
         our_certificate_is_shown_whatever_cas_are_named},
	{"without a certificate of ours none is shown", without_a_certificate_of_ours_none_is_shown},
	{"a leaf without digitalSignature is shown and not refused here",
         a_leaf_without_digital_signature_is_shown_and_not_refused_here},
	{"bytes pass in both directions", bytes_pass_in_both_directions},
	{"ends are told apart", ends_are_told_apart},
	{"renegotiation is refused", renegotiation_is_refused},
	{"requests for a certificate after the handshake are refused",
         requests_for_a_certificate_after_the_handshake_are_refused},
	{"a flood of messages without data is refused", a_flood_of_messages_without_data_is_refused},
	{"an alert after the handshake is told", an_alert_after_the_handshake_is_told},
};

int main(void)
{
	int code = unit_run("tls/session_client", tests, sizeof(tests) / sizeof(tests[0]));
	pki_release();
	return code;
}
