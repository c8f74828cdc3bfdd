/* What resumes a client's session, and when it must not. */
#include <string.h>

#include "base/buf.h"
#include "pair.h"
#include "unit.h"

/* The ways in which a server can let itself be resumed. */
static const struct {
	const char *priority;
	bool tickets;
	bool ids;
} ways[] = {
	{PAIR_13, true, false},
	{PAIR_12, true, false},
	{PAIR_12, false, true},
};
#define WAY_COUNT (sizeof(ways) / sizeof(ways[0]))

static struct pair_server server_of(size_t way)
{
	return (struct pair_server){.priority = ways[way].priority,
	                            .tickets = ways[way].tickets,
	                            .ids = ways[way].ids,
	                            .ask = true};
}

/* A handshake with what `resume` gives; its ticket goes there. True: it was a resumed one. */
static bool connect_once(struct pair_server *server, const struct tls_client *client,
                         const char *name, struct buf *resume, bool detach)
{
	struct pair pair;
	pair_open(&pair, server, client, name, buf_slice(resume));
	CU_ASSERT_TRUE_FATAL(pair_shake(&pair));
	bool resumed = pair.negotiated.resumed;
	CU_ASSERT_EQUAL(resumed, gnutls_session_is_resumed(pair.server) != 0);
	CU_ASSERT_EQUAL(pair.presented, resumed ? 0 : 1);
	CU_ASSERT_TRUE(pair.negotiated.established);
	CU_ASSERT_TRUE(tls_session_possession_proven(pair.client));
	CU_ASSERT_EQUAL(memchr(pair.extensions, 42, pair.extension_count), NULL); /* early data */
	if (detach) {
		tls_session_detach(pair.client);
	}
	/* In TLS 1.3 it comes with what is read first. */
	pair_settle(&pair);
	buf_reset(resume);
	CU_ASSERT_TRUE(tls_session_ticket(pair.client, resume));
	CU_ASSERT(resume->len > 0);
	size_t len = resume->len;
	CU_ASSERT_FALSE(tls_session_ticket(pair.client, resume));
	CU_ASSERT_EQUAL(resume->len, len);
	pair_close(&pair);
	return resumed;
}

static void sessions_are_resumed_with_what_came_of_the_last(void)
{
	struct tls_client *client = pair_client(pki_leaf());
	for (size_t i = 0; i < WAY_COUNT; i++) {
		struct pair_server server = server_of(i);
		pair_server_start(&server);
		struct buf resume;
		buf_init(&resume, 65536);
		CU_ASSERT_FALSE(connect_once(&server, client, "backend.example", &resume, false));
		CU_ASSERT_TRUE(connect_once(&server, client, "backend.example", &resume, true));
		CU_ASSERT_TRUE(connect_once(&server, client, "backend.example", &resume, false));
		buf_release(&resume);
		pair_server_stop(&server);
	}
	tls_client_free(&client);
}

/* RFC 8446 4.6.1: same name; and a session has the certificate that was shown in it. */
static void sessions_of_another_client_or_name_are_not_resumed(void)
{
	struct tls_client *client = pair_client(pki_leaf());
	struct tls_client *other = pair_client(NULL);
	for (size_t i = 0; i < WAY_COUNT; i++) {
		struct pair_server server = server_of(i);
		pair_server_start(&server);
		struct buf resume;
		buf_init(&resume, 65536);
		connect_once(&server, client, "backend.example", &resume, false);
		CU_ASSERT_FALSE(connect_once(&server, other, "backend.example", &resume, false));
		CU_ASSERT_FALSE(connect_once(&server, client, "backend.example", &resume, false));
		CU_ASSERT_FALSE(connect_once(&server, client, "backend.exampl", &resume, false));
		CU_ASSERT_FALSE(connect_once(&server, client, NULL, &resume, false));
		CU_ASSERT_TRUE(connect_once(&server, client, NULL, &resume, false));
		CU_ASSERT_FALSE(connect_once(&server, client, "backend.example", &resume, false));
		buf_release(&resume);
		pair_server_stop(&server);
	}
	tls_client_free(&client);
	tls_client_free(&other);
}

/* RFC 8446 4.6.1: the age is the full handshake's, however often it was resumed since. */
static void sessions_older_than_an_hour_are_not_resumed(void)
{
	static const uint64_t hour_ns = 3600ULL * 1000000000;
	struct tls_client *client = pair_client(NULL);
	for (size_t i = 0; i < WAY_COUNT; i++) {
		struct pair_server server = server_of(i);
		pair_server_start(&server);
		struct buf resume;
		buf_init(&resume, 65536);
		connect_once(&server, client, "a", &resume, false);
		uint64_t since[2];
		memcpy(&since[0], resume.data + 8, 8);
		CU_ASSERT_TRUE(connect_once(&server, client, "a", &resume, false));
		memcpy(&since[1], resume.data + 8, 8);
		CU_ASSERT_EQUAL(since[0], since[1]);
		since[0] -= hour_ns + 1;
		memcpy(resume.data + 8, &since[0], 8);
		CU_ASSERT_FALSE(connect_once(&server, client, "a", &resume, false));
		buf_release(&resume);
		pair_server_stop(&server);
	}
	tls_client_free(&client);
}

static void what_cannot_be_read_leads_to_a_full_handshake(void)
{
	struct tls_client *client = pair_client(NULL);
	struct pair_server server = server_of(0);
	pair_server_start(&server);
	struct buf good, cut;
	buf_init(&good, 65536);
	buf_init(&cut, 65536);
	connect_once(&server, client, "a", &good, false);
	for (size_t len = 0; len < good.len; len += len < 32 ? 1 : 97) {
		buf_reset(&cut);
		buf_append(&cut, good.data, len);
		CU_ASSERT_FALSE(connect_once(&server, client, "a", &cut, false));
	}
	buf_release(&good);
	buf_release(&cut);
	pair_server_stop(&server);
	tls_client_free(&client);
}

static void a_server_that_forgot_gets_a_full_handshake(void)
{
	struct tls_client *client = pair_client(NULL);
	for (size_t i = 0; i < WAY_COUNT; i++) {
		struct pair_server server = server_of(i);
		struct pair_server restarted = server_of(i);
		pair_server_start(&server);
		pair_server_start(&restarted);
		struct buf resume;
		buf_init(&resume, 65536);
		connect_once(&server, client, "a", &resume, false);
		CU_ASSERT_FALSE(connect_once(&restarted, client, "a", &resume, false));
		buf_release(&resume);
		pair_server_stop(&server);
		pair_server_stop(&restarted);
	}
	tls_client_free(&client);
}

/* RFC 7627 5.3: without the extension a session could be another one's. */
static void tls12_without_extended_master_secret_is_not_resumed(void)
{
	struct tls_client *client = pair_client(NULL);
	struct pair_server server = {.priority = PAIR_12 ":%NO_SESSION_HASH", .tickets = true};
	pair_server_start(&server);
	struct pair pair;
	pair_open(&pair, &server, client, "a", SLICE(""));
	CU_ASSERT_TRUE(pair_shake(&pair));
	struct buf resume;
	buf_init(&resume, 65536);
	CU_ASSERT_FALSE(tls_session_ticket(pair.client, &resume));
	pair_close(&pair);
	pair_server_stop(&server);
	buf_release(&resume);
	tls_client_free(&client);
}

static void a_server_that_gives_nothing_leaves_nothing(void)
{
	struct tls_client *client = pair_client(NULL);
	static const char *const versions[] = {PAIR_12, PAIR_13};
	for (size_t i = 0; i < 2; i++) {
		struct pair_server server = {.priority = versions[i]};
		pair_server_start(&server);
		struct pair pair;
		pair_open(&pair, &server, client, "a", SLICE(""));
		CU_ASSERT_TRUE(pair_shake(&pair));
		pair_settle(&pair);
		uint64_t pulled = pair.pulled;
		struct buf resume;
		buf_init(&resume, 65536);
		/* A TLS 1.2 server of GnuTLS gives every session an id, which no other connection will know. */
		CU_ASSERT_EQUAL(tls_session_ticket(pair.client, &resume), i == 0);
		CU_ASSERT_EQUAL(pair.pulled, pulled);
		pair_close(&pair);
		pair_server_stop(&server);
		buf_release(&resume);
	}
	tls_client_free(&client);
}

static void a_ticket_without_room_is_none(void)
{
	struct tls_client *client = pair_client(NULL);
	struct pair_server server = server_of(0);
	pair_server_start(&server);
	struct pair pair;
	pair_open(&pair, &server, client, "a", SLICE(""));
	CU_ASSERT_TRUE(pair_shake(&pair));
	pair_settle(&pair);
	struct buf resume;
	buf_init(&resume, 64);
	CU_ASSERT_FALSE(tls_session_ticket(pair.client, &resume));
	CU_ASSERT_EQUAL(resume.len, 0);
	pair_close(&pair);
	pair_server_stop(&server);
	buf_release(&resume);
	tls_client_free(&client);
}

static const struct unit_test tests[] = {
	{"sessions are resumed with what came of the last",
         sessions_are_resumed_with_what_came_of_the_last},
	{"sessions of another client or name are not resumed",
         sessions_of_another_client_or_name_are_not_resumed},
	{"sessions older than an hour are not resumed", sessions_older_than_an_hour_are_not_resumed},
	{"what cannot be read leads to a full handshake",
         what_cannot_be_read_leads_to_a_full_handshake},
	{"a server that forgot gets a full handshake", a_server_that_forgot_gets_a_full_handshake},
	{"TLS 1.2 without extended master secret is not resumed",
         tls12_without_extended_master_secret_is_not_resumed},
	{"a server that gives nothing leaves nothing", a_server_that_gives_nothing_leaves_nothing},
	{"a ticket without room is none", a_ticket_without_room_is_none},
};

int main(void)
{
	int code = unit_run("tls/session_resume", tests, sizeof(tests) / sizeof(tests[0]));
	pki_release();
	return code;
}
