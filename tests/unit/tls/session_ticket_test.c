/* Resumption with a service: who gets a ticket, what it opens, and when it no longer does. */
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pair.h"
#include "peer/pki.h"
#include "unit.h"
#include "visit.h"

#define LIFETIME_S 7200

static time_t clock_offset_s;

static time_t shifted_time(time_t *out)
{
	time_t now = time(NULL) + clock_offset_s;
	if (out != NULL) {
		*out = now;
	}
	return now;
}

static void a_resumed_session_shows_what_the_full_one_was_shown(void)
{
	struct tls_service *service = visit_service(true, NULL);
	struct visitor visitor = visit_known();
	SSL_SESSION *session = visit_ticket(service, &visitor);
	/* It has no certificate with it this time, and is asked for none. */
	struct visitor bare = {0};
	for (int i = 0; i < 2; i++) {
		struct visit visit;
		visit_open(&visit, service, i == 0 ? &bare : &visitor, session);
		CU_ASSERT_TRUE_FATAL(visit_shake(&visit));
		CU_ASSERT_TRUE(SSL_session_reused(visit.client) == 1);
		CU_ASSERT_TRUE(visit.negotiated.resumed);
		CU_ASSERT_TRUE(visit.negotiated.established);
		CU_ASSERT_EQUAL(visit.negotiated.version, TLS_VERSION_1_3);
		CU_ASSERT_STRING_EQUAL(visit.negotiated.group, "x25519");
		CU_ASSERT_FALSE(visit.negotiated.has_server_certificate);
		CU_ASSERT_TRUE(tls_session_possession_proven(visit.server));
		CU_ASSERT_EQUAL(visit.presented, 1);
		CU_ASSERT_EQUAL_FATAL(visit.shown_count, 2);
		CU_ASSERT_TRUE(slice_equal(slice_of(visit.shown[0].der, visit.shown[0].len),
		                           pki_leaf()->der));
		CU_ASSERT_TRUE(slice_equal(slice_of(visit.shown[1].der, visit.shown[1].len),
		                           pki_intermediate()->der));
		/* Both directions work. */
		size_t moved = 0;
		uint8_t byte = 0;
		CU_ASSERT_EQUAL(tls_session_write(visit.server, "x", 1, &moved), TLS_DONE);
		CU_ASSERT_EQUAL(visit_read(&visit, &byte, 1), 1);
		CU_ASSERT_EQUAL(byte, 'x');
		CU_ASSERT_EQUAL(SSL_write(visit.client, "y", 1), 1);
		CU_ASSERT_EQUAL(tls_session_read(visit.server, &byte, 1, &moved), TLS_DONE);
		CU_ASSERT_EQUAL(byte, 'y');
		SSL_SESSION_free(visit_close(&visit));
	}
	SSL_SESSION_free(session);
	tls_service_free(&service);
}

static void who_presented_nothing_is_resumed_with_nothing(void)
{
	struct tls_service *service = visit_service(true, NULL);
	struct visitor bare = {0};
	SSL_SESSION *session = visit_ticket(service, &bare);
	struct visit visit;
	/* Not even with a certificate that came to hand since. */
	struct visitor visitor = visit_known();
	visit_open(&visit, service, &visitor, session);
	CU_ASSERT_TRUE_FATAL(visit_shake(&visit));
	CU_ASSERT_TRUE(visit.negotiated.resumed);
	CU_ASSERT_EQUAL(visit.presented, 0);
	CU_ASSERT_FALSE(tls_session_possession_proven(visit.server));
	SSL_SESSION_free(visit_close(&visit));
	SSL_SESSION_free(session);
	tls_service_free(&service);
}

static void a_service_without_resumption_gives_and_takes_none(void)
{
	struct tls_service *service = visit_service(false, NULL);
	struct tls_service *other = visit_service(true, NULL);
	struct visitor visitor = visit_known();
	struct visit visit;
	uint8_t byte;
	visit_open(&visit, service, &visitor, NULL);
	CU_ASSERT_TRUE(visit_shake(&visit));
	tls_session_give_ticket(visit.server);
	CU_ASSERT_EQUAL(visit_read(&visit, &byte, 1), 0);
	CU_ASSERT_EQUAL(visit.tickets, 0);
	SSL_SESSION_free(visit_close(&visit));

	SSL_SESSION *session = visit_ticket(other, &visitor);
	CU_ASSERT_FALSE(visit_is_resumed(service, &visitor, session));
	CU_ASSERT_TRUE(visit_is_resumed(other, &visitor, session));
	SSL_SESSION_free(session);
	tls_service_free(&service);
	tls_service_free(&other);
}

static void a_ticket_opens_nothing_but_the_service_that_gave_it(void)
{
	/* The same configuration, compiled twice: two services, or one before and after a reload. */
	struct tls_service *service = visit_service(true, NULL);
	struct tls_service *again = visit_service(true, NULL);
	struct visitor visitor = visit_known();
	SSL_SESSION *session = visit_ticket(service, &visitor);
	CU_ASSERT_FALSE(visit_is_resumed(again, &visitor, session));
	CU_ASSERT_TRUE(visit_is_resumed(service, &visitor, session));
	SSL_SESSION_free(session);
	tls_service_free(&service);
	tls_service_free(&again);
}

/* The same session with `len` bytes at the first place of `from` replaced. */
static SSL_SESSION *forge(SSL_SESSION *session, const uint8_t *from, const uint8_t *to, size_t len)
{
	uint8_t *der = NULL;
	int der_len = i2d_SSL_SESSION(session, &der);
	CU_ASSERT_TRUE_FATAL(der_len > 0);
	uint8_t *at = memmem(der, (size_t)der_len, from, len);
	CU_ASSERT_PTR_NOT_NULL_FATAL(at);
	memcpy(at, to, len);
	const unsigned char *p = der;
	SSL_SESSION *forged = d2i_SSL_SESSION(NULL, &p, der_len);
	CU_ASSERT_PTR_NOT_NULL_FATAL(forged);
	OPENSSL_free(der);
	return forged;
}

static void a_ticket_that_was_changed_is_passed_over(void)
{
	struct tls_service *service = visit_service(true, NULL);
	struct visitor visitor = visit_known();
	SSL_SESSION *session = visit_ticket(service, &visitor);
	const uint8_t *ticket = NULL;
	size_t len = 0;
	SSL_SESSION_get0_ticket(session, &ticket, &len);
	CU_ASSERT_TRUE_FATAL(len > 64);
	/* Name of the key, initial vector, length, state, the last bytes of that and of the code behind it. */
	const size_t places[] = {0, 15, 16, 32, 33, 34, len / 2, len - 40, len - 20, len - 1};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		uint8_t *changed = malloc(len);
		memcpy(changed, ticket, len);
		changed[places[i]] ^= 1;
		SSL_SESSION *forged = forge(session, ticket, changed, len);
		CU_ASSERT_FALSE(visit_is_resumed(service, &visitor, forged));
		SSL_SESSION_free(forged);
		free(changed);
	}
	CU_ASSERT_TRUE(visit_is_resumed(service, &visitor, session));
	SSL_SESSION_free(session);
	tls_service_free(&service);
}

static void a_ticket_without_its_secret_ends_the_handshake(void)
{
	struct tls_service *service = visit_service(true, NULL);
	struct visitor visitor = visit_known();
	SSL_SESSION *session = visit_ticket(service, &visitor);
	uint8_t secret[48];
	size_t len = SSL_SESSION_get_master_key(session, secret, sizeof(secret));
	secret[0] ^= 1;
	CU_ASSERT_EQUAL(SSL_SESSION_set1_master_key(session, secret, len), 1);
	struct visit visit;
	visit_open(&visit, service, &visitor, session);
	/* RFC 8446 4.2.11: a binder that does not validate */
	CU_ASSERT_FALSE(visit_shake(&visit));
	CU_ASSERT_EQUAL(visit.outcome, TLS_FAILED);
	CU_ASSERT_EQUAL(tls_session_failure(visit.server), TLS_FAILURE_PROTOCOL);
	CU_ASSERT_EQUAL(tls_session_failure_alert(visit.server), GNUTLS_A_ILLEGAL_PARAMETER);
	CU_ASSERT_EQUAL(visit.presented, 0);
	SSL_SESSION_free(visit_close(&visit));
	SSL_SESSION_free(session);
	tls_service_free(&service);
}

static void a_ticket_lives_two_hours_from_its_full_handshake(void)
{
	struct tls_service *service = visit_service(true, NULL);
	struct visitor visitor = visit_known();
	gnutls_global_set_time_function(shifted_time);
	/* GnuTLS derives its keys anew every six hours: some of these are across that. */
	for (time_t begin = 0; begin < 6 * 3600; begin += 3600) {
		clock_offset_s = begin;
		SSL_SESSION *session = visit_ticket(service, &visitor);
		clock_offset_s = begin + LIFETIME_S - 10;
		CU_ASSERT_TRUE(visit_is_resumed(service, &visitor, session));
		clock_offset_s = begin + LIFETIME_S + 10;
		CU_ASSERT_FALSE(visit_is_resumed(service, &visitor, session));
		/* A clock that was put back says nothing of its age. */
		clock_offset_s = begin - 10;
		CU_ASSERT_FALSE(visit_is_resumed(service, &visitor, session));
		SSL_SESSION_free(session);
	}
	clock_offset_s = 0;
	gnutls_global_set_time_function(time);
	tls_service_free(&service);
}

static void tls_1_2_is_never_resumed(void)
{
	struct tls_service *service = visit_service(true, NULL);
	struct visitor visitor = visit_known();
	visitor.tls12 = true;
	struct visit visit;
	uint8_t byte;
	visit_open(&visit, service, &visitor, NULL);
	CU_ASSERT_TRUE_FATAL(visit_shake(&visit));
	CU_ASSERT_EQUAL(visit.negotiated.version, TLS_VERSION_1_2);
	tls_session_give_ticket(visit.server);
	CU_ASSERT_EQUAL(visit_read(&visit, &byte, 1), 0);
	SSL_SESSION *session = SSL_get1_session(visit.client);
	CU_ASSERT_EQUAL(SSL_SESSION_has_ticket(session), 0);
	SSL_SESSION_free(visit_close(&visit));
	CU_ASSERT_FALSE(visit_is_resumed(service, &visitor, session));
	SSL_SESSION_free(session);

	/* Nor is a session of 1.3 by a hello of 1.2. */
	struct visitor newer = visit_known();
	session = visit_ticket(service, &newer);
	visit_open(&visit, service, &visitor, NULL);
	const uint8_t *ticket = NULL;
	size_t len = 0;
	SSL_SESSION_get0_ticket(session, &ticket, &len);
	uint8_t *copy = malloc(len);
	memcpy(copy, ticket, len);
	CU_ASSERT_EQUAL(SSL_set_session_ticket_ext(visit.client, copy, (int)len), 1);
	visit.ticket = ticket;
	visit.ticket_len = len;
	CU_ASSERT_TRUE(visit_shake(&visit));
	CU_ASSERT_TRUE(visit.offered);
	CU_ASSERT_FALSE(visit.negotiated.resumed);
	CU_ASSERT_EQUAL(visit.presented, 1);
	free(copy);
	SSL_SESSION_free(visit_close(&visit));
	SSL_SESSION_free(session);
	tls_service_free(&service);
}

static void a_hello_that_is_asked_for_again_is_not_resumed(void)
{
	struct tls_service *service = visit_service(true, NULL);
	struct visitor visitor = visit_known();
	SSL_SESSION *session = visit_ticket(service, &visitor);
	/* Its one share is of P-256, and the service wants the other group. */
	struct visitor retried = visitor;
	retried.groups = "P-256:X25519";
	CU_ASSERT_FALSE(visit_is_resumed(service, &retried, session));
	CU_ASSERT_TRUE(visit_is_resumed(service, &visitor, session));
	struct visit visit;
	uint8_t byte;
	visit_open(&visit, service, &retried, NULL);
	CU_ASSERT_TRUE(visit_shake(&visit));
	CU_ASSERT_STRING_EQUAL(visit.negotiated.group, "x25519");
	tls_session_give_ticket(visit.server);
	CU_ASSERT_EQUAL(visit_read(&visit, &byte, 1), 0);
	CU_ASSERT_EQUAL(visit.tickets, 0);
	SSL_SESSION_free(visit_close(&visit));
	/* With P-256 alone nothing has to be asked. */
	retried.groups = "P-256";
	SSL_SESSION_free(session);
	session = visit_ticket(service, &retried);
	CU_ASSERT_TRUE(visit_is_resumed(service, &retried, session));
	SSL_SESSION_free(session);
	tls_service_free(&service);

	/* In the client's order its favourite is taken, and nothing asked. */
	service = visit_service(true, PAIR_BOTH);
	retried.groups = "P-384:X25519";
	session = visit_ticket(service, &retried);
	CU_ASSERT_TRUE(visit_is_resumed(service, &retried, session));
	SSL_SESSION_free(session);
	tls_service_free(&service);
}

/* The session as it would be of a client that calls it older than any ticket may get. */
static SSL_SESSION *aged(SSL_SESSION *session)
{
	/* ticket_lifetime_hint in OpenSSL's DER: [9] INTEGER 7200 */
	static const uint8_t hint[] = {0xa9, 0x04, 0x02, 0x02, 0x1c, 0x20};
	static const uint8_t longer[] = {0xa9, 0x04, 0x02, 0x02, 0x7f, 0xff};
	SSL_SESSION *old = forge(session, hint, longer, sizeof(hint));
	SSL_SESSION_set_time(old, (long)time(NULL) - 20000);
	return old;
}

static void nobody_gets_the_certificates_of_a_ticket_that_was_passed_over(void)
{
	struct tls_service *service = visit_service(true, NULL);
	struct visitor visitor = visit_known();
	SSL_SESSION *session = visit_ticket(service, &visitor);
	SSL_SESSION *old = aged(session);
	/* Tickets are in the clear in a ClientHello: anybody may have it, if not its secret. */
	struct visitor thief = {0};
	struct visit visit;
	uint8_t byte;
	visit_open(&visit, service, &thief, old);
	CU_ASSERT_TRUE_FATAL(visit_shake(&visit));
	CU_ASSERT_TRUE(visit.offered);
	CU_ASSERT_FALSE(visit.negotiated.resumed);
	CU_ASSERT_EQUAL(visit.presented, 0);
	tls_session_give_ticket(visit.server);
	CU_ASSERT_EQUAL(visit_read(&visit, &byte, 1), 0);
	CU_ASSERT_EQUAL(visit.tickets, 0);
	SSL_SESSION_free(visit_close(&visit));
	SSL_SESSION_free(old);

	/* Who has a certificate of its own gets a ticket with that. */
	old = aged(session);
	struct visitor third = {.leaf = pki_leaf()};
	visit_open(&visit, service, &third, old);
	CU_ASSERT_TRUE_FATAL(visit_shake(&visit));
	CU_ASSERT_TRUE(visit.offered);
	CU_ASSERT_FALSE(visit.negotiated.resumed);
	CU_ASSERT_EQUAL(visit.shown_count, 1);
	tls_session_give_ticket(visit.server);
	CU_ASSERT_EQUAL(visit_read(&visit, &byte, 1), 0);
	CU_ASSERT_EQUAL(visit.tickets, 1);
	SSL_SESSION *own = visit_close(&visit);
	visit_open(&visit, service, &third, own);
	CU_ASSERT_TRUE(visit_shake(&visit));
	CU_ASSERT_TRUE(visit.negotiated.resumed);
	CU_ASSERT_EQUAL(visit.shown_count, 1);
	SSL_SESSION_free(visit_close(&visit));
	SSL_SESSION_free(own);
	SSL_SESSION_free(old);
	SSL_SESSION_free(session);
	tls_service_free(&service);
}

static void data_that_comes_before_the_handshake_is_over_is_never_read(void)
{
	struct tls_service *service = visit_service(true, NULL);
	struct visitor visitor = visit_known();
	SSL_SESSION *session = visit_ticket(service, &visitor);
	/* RFC 8446 8: it could be a replay. No ticket allows it, and who sends it all the same gains nothing. */
	CU_ASSERT_EQUAL(SSL_SESSION_set_max_early_data(session, 1000), 1);
	struct visit visit;
	size_t moved = 0;
	visit_open(&visit, service, &visitor, session);
	CU_ASSERT_EQUAL(SSL_write_early_data(visit.client, "early", 5, &moved), 1);
	CU_ASSERT_TRUE(visit_shake(&visit));
	CU_ASSERT_EQUAL(SSL_get_early_data_status(visit.client), SSL_EARLY_DATA_REJECTED);
	uint8_t data[16];
	CU_ASSERT_EQUAL(tls_session_read(visit.server, data, sizeof(data), &moved), TLS_AGAIN_READ);
	CU_ASSERT_EQUAL(SSL_write(visit.client, "late", 4), 4);
	CU_ASSERT_EQUAL(tls_session_read(visit.server, data, sizeof(data), &moved), TLS_DONE);
	CU_ASSERT_EQUAL(moved, 4);
	CU_ASSERT_EQUAL(memcmp(data, "late", 4), 0);
	SSL_SESSION_free(visit_close(&visit));
	SSL_SESSION_free(session);
	tls_service_free(&service);
}

static void a_resumed_session_that_its_owner_cannot_take_ends(void)
{
	struct tls_service *service = visit_service(true, NULL);
	struct visitor visitor = visit_known();
	SSL_SESSION *session = visit_ticket(service, &visitor);
	struct visit visit;
	visit_open(&visit, service, &visitor, session);
	visit.refuse = true;
	CU_ASSERT_FALSE(visit_shake(&visit));
	CU_ASSERT_EQUAL(visit.outcome, TLS_FAILED);
	CU_ASSERT_EQUAL(tls_session_failure(visit.server), TLS_FAILURE_INTERNAL);
	CU_ASSERT_FALSE(visit.negotiated.established);
	SSL_SESSION_free(visit_close(&visit));
	SSL_SESSION_free(session);
	tls_service_free(&service);
}

static const struct unit_test tests[] = {
	{"a resumed session shows what the full one was shown",
         a_resumed_session_shows_what_the_full_one_was_shown},
	{"who presented nothing is resumed with nothing",
         who_presented_nothing_is_resumed_with_nothing},
	{"a service without resumption gives and takes none",
         a_service_without_resumption_gives_and_takes_none},
	{"a ticket opens nothing but the service that gave it",
         a_ticket_opens_nothing_but_the_service_that_gave_it},
	{"a ticket that was changed is passed over", a_ticket_that_was_changed_is_passed_over},
	{"a ticket without its secret ends the handshake",
         a_ticket_without_its_secret_ends_the_handshake},
	{"a ticket lives two hours from its full handshake",
         a_ticket_lives_two_hours_from_its_full_handshake},
	{"TLS 1.2 is never resumed", tls_1_2_is_never_resumed},
	{"a hello that is asked for again is not resumed",
         a_hello_that_is_asked_for_again_is_not_resumed},
	{"nobody gets the certificates of a ticket that was passed over",
         nobody_gets_the_certificates_of_a_ticket_that_was_passed_over},
	{"data that comes before the handshake is over is never read",
         data_that_comes_before_the_handshake_is_over_is_never_read},
	{"a resumed session that its owner cannot take ends",
         a_resumed_session_that_its_owner_cannot_take_ends},
};

int main(void)
{
	int code = unit_run("tls/session_ticket", tests, sizeof(tests) / sizeof(tests[0]));
	pki_release();
	return code;
}
