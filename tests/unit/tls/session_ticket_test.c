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

static struct visitor known(void)
{
	return (struct visitor){.leaf = pki_leaf(), .above = pki_intermediate()};
}

/* A full handshake with a ticket at its end. */
static SSL_SESSION *get_ticket(const struct tls_service *service, const struct visitor *visitor)
{
	struct visit visit;
	uint8_t byte;
	visit_open(&visit, service, visitor, NULL);
	CU_ASSERT_TRUE_FATAL(visit_shake(&visit));
	CU_ASSERT_FALSE(visit.negotiated.resumed);
	tls_session_give_ticket(visit.server);
	CU_ASSERT_EQUAL(visit_read(&visit, &byte, 1), 0);
	CU_ASSERT_EQUAL(visit.tickets, 1);
	SSL_SESSION *session = visit_close(&visit);
	CU_ASSERT_PTR_NOT_NULL_FATAL(session);
	return session;
}

/* A handshake that works, resumed or not. */
static bool is_resumed(const struct tls_service *service, const struct visitor *visitor,
                       SSL_SESSION *session)
{
	struct visit visit;
	visit_open(&visit, service, visitor, session);
	CU_ASSERT_TRUE(visit_shake(&visit));
	CU_ASSERT_EQUAL(visit.offered, !visitor->tls12);
	bool resumed = visit.negotiated.resumed;
	CU_ASSERT_EQUAL(resumed, SSL_session_reused(visit.client) == 1);
	CU_ASSERT_EQUAL(visit.presented, visitor->leaf != NULL ? 1 : 0);
	SSL_SESSION_free(visit_close(&visit));
	return resumed;
}

static void a_resumed_session_shows_what_the_full_one_was_shown(void)
{
	struct tls_service *service = visit_service(true, NULL);
	struct visitor visitor = known();
	SSL_SESSION *session = get_ticket(service, &visitor);
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
	SSL_SESSION *session = get_ticket(service, &bare);
	struct visit visit;
	/* Not even with a certificate that came to hand since. */
	struct visitor visitor = known();
	visit_open(&visit, service, &visitor, session);
	CU_ASSERT_TRUE_FATAL(visit_shake(&visit));
	CU_ASSERT_TRUE(visit.negotiated.resumed);
	CU_ASSERT_EQUAL(visit.presented, 0);
	CU_ASSERT_FALSE(tls_session_possession_proven(visit.server));
	SSL_SESSION_free(visit_close(&visit));
	SSL_SESSION_free(session);
	tls_service_free(&service);
}

static void one_ticket_comes_when_it_is_given_and_no_other(void)
{
	struct tls_service *service = visit_service(true, NULL);
	struct visitor visitor = known();
	struct visit visit;
	uint8_t byte;
	size_t moved;
	visit_open(&visit, service, &visitor, NULL);
	/* Too early: nobody was accepted yet. */
	tls_session_give_ticket(visit.server);
	CU_ASSERT_TRUE_FATAL(visit_shake(&visit));
	CU_ASSERT_EQUAL(visit_read(&visit, &byte, 1), 0);
	CU_ASSERT_EQUAL(tls_session_write(visit.server, "x", 1, &moved), TLS_DONE);
	CU_ASSERT_EQUAL(visit_read(&visit, &byte, 1), 1);
	CU_ASSERT_EQUAL(visit.tickets, 0);
	tls_session_detach(visit.server);
	for (int i = 0; i < 3; i++) {
		tls_session_give_ticket(visit.server);
		CU_ASSERT_EQUAL(visit_read(&visit, &byte, 1), 0);
		CU_ASSERT_EQUAL(visit.tickets, 1);
	}
	SSL_SESSION *session = visit_close(&visit);
	CU_ASSERT_EQUAL(SSL_SESSION_get_ticket_lifetime_hint(session), LIFETIME_S);
	CU_ASSERT_EQUAL(SSL_SESSION_get_max_early_data(session), 0);

	/* A resumed session would only prolong the first one's time. */
	visit_open(&visit, service, &visitor, session);
	CU_ASSERT_TRUE(visit_shake(&visit));
	CU_ASSERT_TRUE(visit.negotiated.resumed);
	tls_session_give_ticket(visit.server);
	CU_ASSERT_EQUAL(visit_read(&visit, &byte, 1), 0);
	CU_ASSERT_EQUAL(visit.tickets, 0);
	SSL_SESSION_free(visit_close(&visit));
	SSL_SESSION_free(session);
	tls_service_free(&service);
}

static void a_service_without_resumption_gives_and_takes_none(void)
{
	struct tls_service *service = visit_service(false, NULL);
	struct tls_service *other = visit_service(true, NULL);
	struct visitor visitor = known();
	struct visit visit;
	uint8_t byte;
	visit_open(&visit, service, &visitor, NULL);
	CU_ASSERT_TRUE(visit_shake(&visit));
	tls_session_give_ticket(visit.server);
	CU_ASSERT_EQUAL(visit_read(&visit, &byte, 1), 0);
	CU_ASSERT_EQUAL(visit.tickets, 0);
	SSL_SESSION_free(visit_close(&visit));

	SSL_SESSION *session = get_ticket(other, &visitor);
	CU_ASSERT_FALSE(is_resumed(service, &visitor, session));
	CU_ASSERT_TRUE(is_resumed(other, &visitor, session));
	SSL_SESSION_free(session);
	tls_service_free(&service);
	tls_service_free(&other);
}

static void a_ticket_opens_nothing_but_the_service_that_gave_it(void)
{
	/* The same configuration, compiled twice: two services, or one before and after a reload. */
	struct tls_service *service = visit_service(true, NULL);
	struct tls_service *again = visit_service(true, NULL);
	struct visitor visitor = known();
	SSL_SESSION *session = get_ticket(service, &visitor);
	CU_ASSERT_FALSE(is_resumed(again, &visitor, session));
	CU_ASSERT_TRUE(is_resumed(service, &visitor, session));
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
	struct visitor visitor = known();
	SSL_SESSION *session = get_ticket(service, &visitor);
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
		CU_ASSERT_FALSE(is_resumed(service, &visitor, forged));
		SSL_SESSION_free(forged);
		free(changed);
	}
	CU_ASSERT_TRUE(is_resumed(service, &visitor, session));
	SSL_SESSION_free(session);
	tls_service_free(&service);
}

static void a_ticket_without_its_secret_ends_the_handshake(void)
{
	struct tls_service *service = visit_service(true, NULL);
	struct visitor visitor = known();
	SSL_SESSION *session = get_ticket(service, &visitor);
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
	struct visitor visitor = known();
	gnutls_global_set_time_function(shifted_time);
	/* GnuTLS derives its keys anew every six hours: some of these are across that. */
	for (time_t begin = 0; begin < 6 * 3600; begin += 3600) {
		clock_offset_s = begin;
		SSL_SESSION *session = get_ticket(service, &visitor);
		clock_offset_s = begin + LIFETIME_S - 10;
		CU_ASSERT_TRUE(is_resumed(service, &visitor, session));
		clock_offset_s = begin + LIFETIME_S + 10;
		CU_ASSERT_FALSE(is_resumed(service, &visitor, session));
		/* A clock that was put back says nothing of its age. */
		clock_offset_s = begin - 10;
		CU_ASSERT_FALSE(is_resumed(service, &visitor, session));
		SSL_SESSION_free(session);
	}
	clock_offset_s = 0;
	gnutls_global_set_time_function(time);
	tls_service_free(&service);
}

static void tls_1_2_is_never_resumed(void)
{
	struct tls_service *service = visit_service(true, NULL);
	struct visitor visitor = known();
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
	CU_ASSERT_FALSE(is_resumed(service, &visitor, session));
	SSL_SESSION_free(session);

	/* Nor is a session of 1.3 by a hello of 1.2. */
	struct visitor newer = known();
	session = get_ticket(service, &newer);
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
	struct visitor visitor = known();
	SSL_SESSION *session = get_ticket(service, &visitor);
	/* Its one share is of P-256, and the service wants the other group. */
	struct visitor retried = visitor;
	retried.groups = "P-256:X25519";
	CU_ASSERT_FALSE(is_resumed(service, &retried, session));
	CU_ASSERT_TRUE(is_resumed(service, &visitor, session));
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
	session = get_ticket(service, &retried);
	CU_ASSERT_TRUE(is_resumed(service, &retried, session));
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
	struct visitor visitor = known();
	SSL_SESSION *session = get_ticket(service, &visitor);
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

static void a_long_chain_gets_no_ticket(void)
{
	struct tls_service *service = visit_service(true, NULL);
	struct visitor visitor = known();
	const size_t each = pki_intermediate()->der.len;
	static const size_t ticket_bytes[] = {0, 65536, 8192, 512};
	for (size_t i = 0; i < 8; i++) {
		bool fits = i % 2 == 0;
		visitor.above_count = (fits ? 6000 : 9000) / each;
		visitor.ticket_bytes = ticket_bytes[i / 2];
		struct visit visit;
		uint8_t byte;
		visit_open(&visit, service, &visitor, NULL);
		CU_ASSERT_TRUE(visit_shake(&visit));
		tls_session_give_ticket(visit.server);
		CU_ASSERT_EQUAL(visit_read(&visit, &byte, 1), 0);
		CU_ASSERT_EQUAL(visit.tickets, fits && visitor.ticket_bytes != 512);
		SSL_SESSION *session = visit_close(&visit);
		CU_ASSERT_TRUE(session == NULL || is_resumed(service, &visitor, session));
		SSL_SESSION_free(session);
	}
	tls_service_free(&service);
}

static void a_ticket_that_the_socket_does_not_take_goes_out_with_the_next_write(void)
{
	struct tls_service *service = visit_service(true, NULL);
	struct visitor visitor = known();
	static const size_t rooms[] = {0, 1, 5, 100, 1000};
	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		struct visit visit;
		uint8_t data[16];
		size_t moved = 0;
		visit_open(&visit, service, &visitor, NULL);
		CU_ASSERT_TRUE_FATAL(visit_shake(&visit));
		visit.room = rooms[i];
		tls_session_give_ticket(visit.server);
		CU_ASSERT_EQUAL(visit.room, 0);
		CU_ASSERT_EQUAL(visit_read(&visit, data, sizeof(data)), 0);
		CU_ASSERT_EQUAL(visit.tickets, 0);
		/* Reading goes on meanwhile. */
		CU_ASSERT_EQUAL(SSL_write(visit.client, "question", 8), 8);
		CU_ASSERT_EQUAL(tls_session_read(visit.server, data, sizeof(data), &moved),
		                TLS_DONE);
		CU_ASSERT_EQUAL(moved, 8);
		CU_ASSERT_EQUAL(tls_session_write(visit.server, "answer", 6, &moved),
		                TLS_AGAIN_WRITE);
		visit.room = 300; /* the rest of the ticket, in parts */
		while (tls_session_flush(visit.server, &moved) == TLS_AGAIN_WRITE) {
			CU_ASSERT_EQUAL_FATAL(visit.room, 0);
			visit.room = 300;
		}
		CU_ASSERT_EQUAL(moved, 6);
		CU_ASSERT_EQUAL(visit_read(&visit, data, sizeof(data)), 6);
		CU_ASSERT_EQUAL(memcmp(data, "answer", 6), 0);
		CU_ASSERT_EQUAL(visit.tickets, 1);
		visit.room = SIZE_MAX;
		CU_ASSERT_EQUAL(tls_session_close_write(visit.server), TLS_DONE);
		CU_ASSERT_EQUAL(visit_read(&visit, data, sizeof(data)), 0);
		CU_ASSERT_EQUAL(SSL_get_shutdown(visit.client), SSL_RECEIVED_SHUTDOWN);
		SSL_SESSION *session = visit_close(&visit);
		CU_ASSERT_TRUE(is_resumed(service, &visitor, session));
		SSL_SESSION_free(session);
	}
	tls_service_free(&service);
}

static void a_ticket_that_was_held_back_goes_out_before_the_end(void)
{
	struct tls_service *service = visit_service(true, NULL);
	struct visitor visitor = known();
	struct visit visit;
	uint8_t byte;
	visit_open(&visit, service, &visitor, NULL);
	CU_ASSERT_TRUE_FATAL(visit_shake(&visit));
	visit.room = 7;
	tls_session_give_ticket(visit.server);
	CU_ASSERT_EQUAL(tls_session_close_write(visit.server), TLS_AGAIN_WRITE);
	visit.room = SIZE_MAX;
	CU_ASSERT_EQUAL(tls_session_close_write(visit.server), TLS_DONE);
	CU_ASSERT_EQUAL(visit_read(&visit, &byte, 1), 0);
	CU_ASSERT_EQUAL(visit.tickets, 1);
	CU_ASSERT_EQUAL(SSL_get_shutdown(visit.client), SSL_RECEIVED_SHUTDOWN);
	SSL_SESSION_free(visit_close(&visit));

	/* Freed with it: nothing leaks. */
	visit_open(&visit, service, &visitor, NULL);
	CU_ASSERT_TRUE_FATAL(visit_shake(&visit));
	visit.room = 7;
	tls_session_give_ticket(visit.server);
	CU_ASSERT_EQUAL(visit_close(&visit), NULL);
	tls_service_free(&service);
}

static void a_resumed_session_that_its_owner_cannot_take_ends(void)
{
	struct tls_service *service = visit_service(true, NULL);
	struct visitor visitor = known();
	SSL_SESSION *session = get_ticket(service, &visitor);
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
	{"one ticket comes when it is given and no other",
         one_ticket_comes_when_it_is_given_and_no_other},
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
	{"a long chain gets no ticket", a_long_chain_gets_no_ticket},
	{"a ticket that the socket does not take goes out with the next write",
         a_ticket_that_the_socket_does_not_take_goes_out_with_the_next_write},
	{"a ticket that was held back goes out before the end",
         a_ticket_that_was_held_back_goes_out_before_the_end},
	{"a resumed session that its owner cannot take ends",
         a_resumed_session_that_its_owner_cannot_take_ends},
};

int main(void)
{
	int code = unit_run("tls/session_ticket", tests, sizeof(tests) / sizeof(tests[0]));
	pki_release();
	return code;
}
