/* The client's side: handshakes that come to nothing, and what is said of them. */
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "pair.h"
#include "unit.h"

static const char *const versions[] = {PAIR_12, PAIR_13};

/* The server's whole answer to our ClientHello. */
static void expect(struct slice answer, bool end, enum tls_failure failure, int alert)
{
	struct tls_client *client = pair_client(NULL);
	struct pair pair;
	pair_open(&pair, NULL, client, "backend.example", SLICE(""));
	CU_ASSERT_EQUAL(pair_answer(&pair, answer, end), TLS_FAILED);
	CU_ASSERT_EQUAL(tls_session_failure(pair.client), failure);
	CU_ASSERT_EQUAL(tls_session_peer_alert(pair.client), alert);
	CU_ASSERT_EQUAL(pair.negotiated.alert_received, alert);
	CU_ASSERT_FALSE(pair.negotiated.established);
	CU_ASSERT_FALSE(tls_session_possession_proven(pair.client));
	pair_close(&pair);
	tls_client_free(&client);
}

static void alerts_tell_why_a_server_refused(void)
{
	static const struct {
		uint8_t alert;
		enum tls_failure failure;
	} rows[] = {
		{40, TLS_FAILURE_PEER_ALERT}, /* handshake_failure: anything */
		{70, TLS_FAILURE_NO_VERSION}, {71, TLS_FAILURE_NO_CIPHER},
		{80, TLS_FAILURE_PEER_ALERT}, {112, TLS_FAILURE_UNKNOWN_NAME},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t record[] = {21, 3, 3, 0, 2, 2, rows[i].alert};
		expect(slice_of(record, sizeof(record)), false, rows[i].failure, rows[i].alert);
	}
}

/* RFC 6066 3: a warning means that the server goes on. */
static void a_warning_about_the_name_does_not_end_the_handshake(void)
{
	struct tls_client *client = pair_client(NULL);
	struct pair pair;
	pair_open(&pair, NULL, client, "backend.example", SLICE(""));
	CU_ASSERT_EQUAL(pair_answer(&pair, SLICE("\x15\x03\x03\x00\x02\x01\x70"), false),
	                TLS_AGAIN_READ);
	CU_ASSERT_EQUAL(tls_session_failure(pair.client), TLS_FAILURE_NONE);
	pair_close(&pair);
	tls_client_free(&client);
}

static void servers_that_speak_no_tls_are_told_apart(void)
{
	expect(SLICE("HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n"), false,
	       TLS_FAILURE_NOT_TLS, -1);
	expect(SLICE("H"), true, TLS_FAILURE_NOT_TLS, -1);
	expect(SLICE("220 mail.example ESMTP\r\n"), true, TLS_FAILURE_NOT_TLS, -1);
	expect(SLICE("SSH-2.0-OpenSSH_9.2\r\n"), false, TLS_FAILURE_NOT_TLS, -1);
	/* Application data before a handshake. */
	expect(SLICE("\x17\x03\x03\x00\x01x"), true, TLS_FAILURE_NOT_TLS, -1);
}

static void servers_that_go_away_are_told(void)
{
	expect(SLICE(""), true, TLS_FAILURE_PEER_CLOSED, -1);
	expect(SLICE("\x16\x03\x03"), true, TLS_FAILURE_PEER_CLOSED, -1);
	expect(SLICE("\x16\x03\x03\x00\x50\x02\x00"), true, TLS_FAILURE_PEER_CLOSED, -1);
}

/* A TLS 1.2 ServerHello in its record. */
static struct slice server_hello(const char *version, const char *suite)
{
	uint8_t random[32];
	memset(random, 0x5a, sizeof(random));
	struct slice body = pki_join(slice_of(version, 2), slice_of(random, 32));
	body = pki_join(body, slice_of("\0", 1));
	body = pki_join(body, slice_of(suite, 2));
	/* compression null; renegotiation_info, extended_master_secret */
	body = pki_join(body, slice_of("\0\0\x09\xff\x01\0\x01\0\0\x17\0\0", 12));
	uint8_t head[] = {22, 3, 3, 0, (uint8_t)(body.len + 4), 2, 0, 0, (uint8_t)body.len};
	return pki_join(slice_of(head, sizeof(head)), body);
}

#define TLS_ECDHE_RSA_AES_128_GCM "\xc0\x2f"

static void broken_answers_are_protocol_errors(void)
{
	/* A message that no server sends; a ServerHello of two bytes; a suite that was not offered. */
	expect(SLICE("\x16\x03\x03\x00\x04\x63\x00\x00\x00"), false, TLS_FAILURE_PROTOCOL, -1);
	expect(SLICE("\x16\x03\x03\x00\x06\x02\x00\x00\x02\x03\x03"), false, TLS_FAILURE_PROTOCOL,
	       -1);
	expect(server_hello("\3\3", "\0\x2f"), false, TLS_FAILURE_PROTOCOL, -1);
	expect(SLICE("\x16\x03\x03\xff\xff"), false, TLS_FAILURE_PROTOCOL, -1);
}

static void versions_that_were_not_offered_are_no_common_version(void)
{
	expect(server_hello("\3\2", TLS_ECDHE_RSA_AES_128_GCM), false, TLS_FAILURE_NO_VERSION, -1);
	expect(server_hello("\3\1", TLS_ECDHE_RSA_AES_128_GCM), false, TLS_FAILURE_NO_VERSION, -1);
	expect(server_hello("\3\0", TLS_ECDHE_RSA_AES_128_GCM), false, TLS_FAILURE_NO_VERSION, -1);
}

/* A TLS 1.2 Certificate message with `count` certificates of `len` bytes, in records. */
static struct slice certificates(size_t count, size_t len, uint8_t fill)
{
	uint8_t *one = malloc(len + 3);
	memset(one, fill, len + 3);
	one[0] = (uint8_t)(len >> 16);
	one[1] = (uint8_t)(len >> 8);
	one[2] = (uint8_t)len;
	size_t all = count * (len + 3);
	uint8_t head[] = {11,
	                  (uint8_t)((all + 3) >> 16),
	                  (uint8_t)((all + 3) >> 8),
	                  (uint8_t)(all + 3),
	                  (uint8_t)(all >> 16),
	                  (uint8_t)(all >> 8),
	                  (uint8_t)all};
	struct slice message = slice_of(head, sizeof(head));
	for (size_t i = 0; i < count; i++) {
		message = pki_join(message, slice_of(one, len + 3));
	}
	free(one);
	struct slice records = SLICE("");
	while (message.len > 0) {
		size_t n = message.len < 16384 ? message.len : 16384;
		uint8_t record[] = {22, 3, 3, (uint8_t)(n >> 8), (uint8_t)n};
		records =
			pki_join(records, pki_join(slice_of(record, 5), slice_of(message.data, n)));
		message = slice_of(message.data + n, message.len - n);
	}
	return pki_join(server_hello("\3\3", TLS_ECDHE_RSA_AES_128_GCM), records);
}

static void too_much_of_certificates_is_a_limit(void)
{
	expect(certificates(5, 16, 0x30), false, TLS_FAILURE_CERTIFICATES_LIMIT, -1);
	expect(certificates(1, 70000, 0x30), false, TLS_FAILURE_CERTIFICATES_LIMIT, -1);
	expect(certificates(4, 70000, 0x30), false, TLS_FAILURE_CERTIFICATES_LIMIT, -1);
}

/* Messages that go on for ever are read up to a bound, whatever they are. */
static void an_endless_answer_is_cut(void)
{
	/* A Certificate message of 16 MiB less one byte. */
	struct slice answer = SLICE("\x16\x03\x03\x00\x04\x0b\xff\xff\xff");
	uint8_t *record = calloc(1, 5 + 16384);
	memcpy(record, "\x16\x03\x03\x40\x00", 5);
	for (int i = 0; i < 32; i++) {
		answer = pki_join(answer, slice_of(record, 5 + 16384));
	}
	free(record);
	struct tls_client *client = pair_client(NULL);
	struct pair pair;
	pair_open(&pair, NULL, client, NULL, SLICE(""));
	CU_ASSERT_EQUAL(
		pair_answer(&pair, pki_join(server_hello("\3\3", TLS_ECDHE_RSA_AES_128_GCM), answer),
	                    false),
		TLS_FAILED);
	CU_ASSERT_EQUAL(tls_session_failure(pair.client), TLS_FAILURE_CERTIFICATES_LIMIT);
	CU_ASSERT(pair.pulled < 65536 + (192 << 10) + 2 * 16384);
	pair_close(&pair);
	tls_client_free(&client);
}

/* It is shown to the judge, who says what is wrong with it. */
static void a_leaf_that_cannot_be_read_is_shown_and_ends_the_handshake(void)
{
	struct tls_client *client = pair_client(NULL);
	struct pair pair;
	pair_open(&pair, NULL, client, NULL, SLICE(""));
	CU_ASSERT_EQUAL(pair_answer(&pair, certificates(2, 100, 0x30), false), TLS_FAILED);
	CU_ASSERT_EQUAL(tls_session_failure(pair.client), TLS_FAILURE_CERTIFICATE);
	CU_ASSERT_EQUAL(pair.presented, 1);
	CU_ASSERT_EQUAL(pair.shown_count, 2);
	CU_ASSERT_EQUAL(pair.shown[0].len, 100);
	CU_ASSERT_EQUAL(pair.negotiated.version, TLS_VERSION_1_2);
	pair_close(&pair);
	tls_client_free(&client);
}

/* Signs something else. */
static int sign_wrong(gnutls_privkey_t key, gnutls_sign_algorithm_t algorithm, void *userdata,
                      unsigned flags, const gnutls_datum_t *hash, gnutls_datum_t *signature)
{
	(void)key;
	gnutls_datum_t other = {gnutls_malloc(hash->size), hash->size};
	memcpy(other.data, hash->data, hash->size);
	other.data[0] ^= 1;
	int ret = gnutls_privkey_sign_hash2(userdata, algorithm, flags, &other, signature);
	gnutls_free(other.data);
	return ret;
}

static void release_wrong(gnutls_privkey_t key, void *userdata)
{
	(void)key;
	gnutls_privkey_deinit(userdata);
}

static int info_wrong(gnutls_privkey_t key, unsigned flags, void *userdata)
{
	(void)key;
	(void)userdata;
	if ((flags & GNUTLS_PRIVKEY_INFO_PK_ALGO) != 0) {
		return GNUTLS_PK_ECDSA;
	}
	if ((flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS) != 0) {
		return 256;
	}
	if ((flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO) != 0) {
		return gnutls_sign_supports_pk_algorithm(GNUTLS_FLAGS_TO_SIGN_ALGO(flags),
		                                         GNUTLS_PK_ECDSA);
	}
	return -1;
}

static void a_server_without_its_key_proves_nothing(void)
{
	struct tls_client *client = pair_client(NULL);
	for (size_t i = 0; i < 2; i++) {
		gnutls_privkey_t real, wrong;
		gnutls_privkey_init(&real);
		gnutls_privkey_init(&wrong);
		gnutls_privkey_import_x509(real, pki_key(pair_leaf()->key), 0);
		gnutls_privkey_import_ext4(wrong, real, NULL, sign_wrong, NULL, release_wrong,
		                           info_wrong, GNUTLS_PRIVKEY_IMPORT_AUTO_RELEASE);
		struct pair_server server = {.priority = versions[i], .key = wrong};
		pair_server_start(&server);
		struct pair pair;
		pair_open(&pair, &server, client, NULL, SLICE(""));
		CU_ASSERT_FALSE(pair_shake(&pair));
		CU_ASSERT_EQUAL(pair.outcome, TLS_FAILED);
		CU_ASSERT_EQUAL(tls_session_failure(pair.client), TLS_FAILURE_POSSESSION);
		CU_ASSERT_FALSE(tls_session_possession_proven(pair.client));
		CU_ASSERT_FALSE(pair.negotiated.established);
		CU_ASSERT_EQUAL(pair.presented, 1);
		CU_ASSERT_EQUAL(pair.negotiated.version, i == 0 ? TLS_VERSION_1_2 : TLS_VERSION_1_3);
		pair_close(&pair);
		pair_server_stop(&server);
	}
	tls_client_free(&client);
}

static void a_server_with_older_suites_alone_refuses_us(void)
{
	static const char *const priorities[] = {
		"NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA",
		"NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-CBC",
		"NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+DHE-RSA",
	};
	const struct pki_cert *leaf = pki_make(&(struct pki_spec){
		.subject = "CN=old", .key = PKI_RSA2048, .issuer = pki_intermediate()});
	struct tls_client *client = pair_client(NULL);
	for (size_t i = 0; i < sizeof(priorities) / sizeof(priorities[0]); i++) {
		struct pair_server server = {.priority = priorities[i], .leaf = leaf};
		pair_server_start(&server);
		struct pair pair;
		pair_open(&pair, &server, client, NULL, SLICE(""));
		CU_ASSERT_FALSE(pair_shake(&pair));
		CU_ASSERT_EQUAL(tls_session_failure(pair.client), TLS_FAILURE_PEER_ALERT);
		CU_ASSERT_EQUAL(tls_session_peer_alert(pair.client), 40);
		pair_close(&pair);
		pair_server_stop(&server);
	}
	tls_client_free(&client);
}

static void an_owner_that_cannot_keep_what_was_shown_ends_it(void)
{
	struct tls_client *client = pair_client(NULL);
	for (size_t i = 0; i < 2; i++) {
		struct pair_server server = {.priority = versions[i]};
		pair_server_start(&server);
		struct pair pair;
		pair_open(&pair, &server, client, NULL, SLICE(""));
		pair.refuse = true;
		CU_ASSERT_FALSE(pair_shake(&pair));
		CU_ASSERT_EQUAL(tls_session_failure(pair.client), TLS_FAILURE_INTERNAL);
		pair_close(&pair);
		pair_server_stop(&server);
	}
	tls_client_free(&client);
}

static const struct unit_test tests[] = {
	{"alerts tell why a server refused", alerts_tell_why_a_server_refused},
	{"a warning about the name does not end the handshake",
         a_warning_about_the_name_does_not_end_the_handshake},
	{"servers that speak no TLS are told apart", servers_that_speak_no_tls_are_told_apart},
	{"servers that go away are told", servers_that_go_away_are_told},
	{"broken answers are protocol errors", broken_answers_are_protocol_errors},
	{"versions that were not offered are no common version",
         versions_that_were_not_offered_are_no_common_version},
	{"too much of certificates is a limit", too_much_of_certificates_is_a_limit},
	{"an endless answer is cut", an_endless_answer_is_cut},
	{"a leaf that cannot be read is shown and ends the handshake",
         a_leaf_that_cannot_be_read_is_shown_and_ends_the_handshake},
	{"a server without its key proves nothing", a_server_without_its_key_proves_nothing},
	{"a server with older suites alone refuses us", a_server_with_older_suites_alone_refuses_us},
	{"an owner that cannot keep what was shown ends it",
         an_owner_that_cannot_keep_what_was_shown_ends_it},
};

int main(void)
{
	int code = unit_run("tls/session_failure", tests, sizeof(tests) / sizeof(tests[0]));
	pki_release();
	return code;
}
