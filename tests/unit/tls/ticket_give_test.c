/* How a service gives tickets: when, how many, of whom, and what becomes of them on a full socket. */
#include <gnutls/gnutls.h>
#include <string.h>

#include "base/err.h"
#include "pair.h"
#include "peer/pki.h"
#include "unit.h"
#include "visit.h"

#define LIFETIME_S 7200

static void one_ticket_comes_when_it_is_given_and_no_other(void)
{
	struct tls_service *service = visit_service(true, NULL);
	struct visitor visitor = visit_known();
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

static void a_long_chain_gets_no_ticket(void)
{
	struct tls_service *service = visit_service(true, NULL);
	struct visitor visitor = visit_known();
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
		CU_ASSERT_TRUE(session == NULL || visit_is_resumed(service, &visitor, session));
		SSL_SESSION_free(session);
	}
	tls_service_free(&service);
}

static void a_ticket_that_the_socket_does_not_take_goes_out_with_the_next_write(void)
{
	struct tls_service *service = visit_service(true, NULL);
	struct visitor visitor = visit_known();
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
		CU_ASSERT_TRUE(visit_is_resumed(service, &visitor, session));
		SSL_SESSION_free(session);
	}
	tls_service_free(&service);
}

static void a_ticket_that_was_held_back_goes_out_before_the_end(void)
{
	struct tls_service *service = visit_service(true, NULL);
	struct visitor visitor = visit_known();
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

static int compile(const char *priority, bool resumption, struct diag *diag)
{
	struct tls_service *service = NULL;
	diag_init(diag);
	int err = visit_compile(&service, resumption, priority, diag);
	tls_service_free(&service);
	return err;
}

static void resumption_that_could_not_be_safe_is_refused_where_it_is_configured(void)
{
	static const struct {
		const char *priority, *sentence;
	} bad[] = {
		{PAIR_BOTH ":+PSK", "forward secrecy"},
		{PAIR_BOTH ":+DHE-PSK", "forward secrecy"},
		{PAIR_BOTH ":+ECDHE-PSK", "forward secrecy"},
		{PAIR_BOTH ":+RSA-PSK", "forward secrecy"},
		{PAIR_BOTH ":+GROUP-GC256B", "groups"},
		{PAIR_12, "does not allow TLS 1.3"},
	};
	struct diag diag;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CU_ASSERT_EQUAL(compile(bad[i].priority, true, &diag), E_INVALID);
		CU_ASSERT_EQUAL_FATAL(diag.errors, 1);
		CU_ASSERT_PTR_NOT_NULL(strstr(diag.first->text, "tls.resumption"));
		CU_ASSERT_PTR_NOT_NULL(strstr(diag.first->text, bad[i].sentence));
		diag_release(&diag);
		CU_ASSERT_EQUAL(compile(bad[i].priority, false, &diag), E_OK);
		diag_release(&diag);
	}
	static const char *const good[] = {NULL, PAIR_BOTH, PAIR_13, PAIR_BOTH ":%NO_TICKETS",
	                                   PAIR_BOTH ":%SERVER_PRECEDENCE:-GROUP-ALL:+GROUP-X25519:"
	                                             "+GROUP-ALL:-GROUP-GC256B:-GROUP-GC512A"};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CU_ASSERT_EQUAL(compile(good[i], true, &diag), E_OK);
		diag_release(&diag);
		struct tls_service *service = visit_service(true, good[i]);
		struct visitor visitor = visit_known();
		SSL_SESSION *session = visit_ticket(service, &visitor);
		CU_ASSERT_TRUE(visit_is_resumed(service, &visitor, session));
		SSL_SESSION_free(session);
		tls_service_free(&service);
	}
}

static const struct unit_test tests[] = {
	{"one ticket comes when it is given and no other",
         one_ticket_comes_when_it_is_given_and_no_other},
	{"a long chain gets no ticket", a_long_chain_gets_no_ticket},
	{"a ticket that the socket does not take goes out with the next write",
         a_ticket_that_the_socket_does_not_take_goes_out_with_the_next_write},
	{"a ticket that was held back goes out before the end",
         a_ticket_that_was_held_back_goes_out_before_the_end},
	{"resumption that could not be safe is refused where it is configured",
         resumption_that_could_not_be_safe_is_refused_where_it_is_configured},
};

int main(void)
{
	int code = unit_run("tls/ticket_give", tests, sizeof(tests) / sizeof(tests[0]));
	pki_release();
	return code;
}
