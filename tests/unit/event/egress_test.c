/* What the event of a handshake of ours with a back end says: of the server, as of clients. */
#include "fixture.h"
#include "peer/classes.h"
#include "table.h"

/* The event as JSON, checked against the table. Ends with json_decref(). */
static json_t *encoded(const struct fixture *f)
{
	struct buf line;
	fixture_line(&line, f);
	json_t *entry = fixture_parse(&line);
	CU_ASSERT_PTR_NOT_NULL_FATAL(entry);
	table_check(entry);
	buf_release(&line);
	return entry;
}

static bool says(const struct fixture *f, const char *path, const char *expected)
{
	json_t *entry = encoded(f);
	bool same = strcmp(fixture_string(entry, path), expected) == 0;
	if (!same) {
		printf("\n%s: %s instead of %s\n", path, fixture_string(entry, path), expected);
	}
	json_decref(entry);
	return same;
}

/* Every member that the client's certificate has in an ingress event, and no other one. */
static void the_server_has_all_that_a_client_would_have(void)
{
	struct fixture f;
	fixture_init(&f);
	json_t *ingress = encoded(&f);
	json_t *client = json_deep_copy(fixture_get(ingress, "tls.client"));
	json_object_del(client, "server_name");
	json_object_del(client, "ja3");
	fixture_egress(&f);
	json_t *egress = encoded(&f);
	CU_ASSERT(json_equal(fixture_get(egress, "tls.server"), client));
	static const char *const same[] = {
		"tlscribe.evidence.chain_sha256",
		"tlscribe.evidence.possession",
		"tlscribe.evidence.chain_length",
		"tlscribe.evidence.presented",
		"tlscribe.spki_sha256",
		"tlscribe.days_left",
		"tlscribe.path",
		"tlscribe.anchor_file",
		"tlscribe.certificate",
		"related.hash",
		"event.category",
		"event.type",
		"event.outcome",
		"tlscribe.verified",
	};
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		CU_ASSERT_PTR_NOT_NULL(fixture_get(egress, same[i]));
		CU_ASSERT(json_equal(fixture_get(egress, same[i]), fixture_get(ingress, same[i])));
	}
	json_decref(client);
	json_decref(ingress);
	json_decref(egress);
}

static void the_ends_are_ours_and_the_servers(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_egress(&f);
	json_t *entry = encoded(&f);
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "network.direction"), "egress");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "network.protocol"), "tls");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "source.ip"), "10.0.0.2");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "destination.ip"), "10.0.0.7");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "destination.domain"), "backend.example");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "server.address"), "backend.example:8443");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tls.client.server_name"), "backend.example");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.connection"), "q3k9c1m2x7w4a-2-18f");
	json_t *host = json_array_get(fixture_get(entry, "related.hosts"), 0);
	CU_ASSERT_STRING_EQUAL(json_string_value(host), "backend.example");
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tlscribe.client_hello"));
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tlscribe.evidence.ca_names"));
	CU_ASSERT(json_is_true(fixture_get(entry, "tlscribe.evidence.requested")));
	json_decref(entry);
}

static void a_server_is_nobodys_user(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_egress(&f);
	CU_ASSERT(f.hs.verified);
	json_t *entry = encoded(&f);
	CU_ASSERT(json_is_true(fixture_get(entry, "tlscribe.verified")));
	CU_ASSERT_PTR_NULL(fixture_get(entry, "user"));
	CU_ASSERT_PTR_NULL(fixture_get(entry, "related.user"));
	json_decref(entry);
}

static void of_our_own_certificate_the_fingerprint_is_shown(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_egress(&f);
	json_t *entry = encoded(&f);
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tls.client.hash.sha256"),
	                       "F0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF000102030405060708090A0B0C0D0E0F");
	CU_ASSERT_EQUAL(json_object_size(fixture_get(entry, "tls.client")), 2);
	CU_ASSERT_EQUAL(json_object_size(fixture_get(entry, "tls.client.hash")), 1);
	json_decref(entry);
	f.hs.tls.has_server_certificate = false;
	CU_ASSERT(says(&f, "tls.client.hash.sha256", "(absent)"));
	f.hs.hello.has_server_name = false;
	entry = encoded(&f);
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tls.client"));
	CU_ASSERT_PTR_NULL(fixture_get(entry, "destination.domain"));
	CU_ASSERT_PTR_NULL(fixture_get(entry, "related.hosts"));
	json_decref(entry);
}

static void the_mode_is_the_upstreams_and_never_the_services(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_egress(&f);
	f.hs.verify_mode = "none";
	CU_ASSERT(says(&f, "tlscribe.verify_mode", "none"));
	f.hs.verify_mode = NULL;
	CU_ASSERT(says(&f, "tlscribe.verify_mode", "(absent)"));
	f.hs.egress = false;
	f.hs.verify_mode = "none";
	CU_ASSERT(says(&f, "tlscribe.verify_mode", "required"));
}

static void a_health_check_belongs_to_no_connection(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_egress(&f);
	f.hs.connection = NULL;
	CU_ASSERT(says(&f, "tlscribe.connection", "(absent)"));
	/* The id of an ingress handshake is its connection's: it does not say so twice. */
	f.hs.egress = false;
	f.hs.connection = "q3k9c1m2x7w4a-2-18f";
	CU_ASSERT(says(&f, "tlscribe.connection", "(absent)"));
}

static void the_message_speaks_of_the_back_end(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_egress(&f);
	CU_ASSERT(says(&f, "message", "partner-a: back end certificate is good (CN=acme-7)"));
	fixture_fault(&f, CLASS_EXPIRED);
	f.verdict.findings[0].at_s = FIXTURE_NOW_S - 3 * FIXTURE_DAY_S;
	CU_ASSERT(says(&f, "message",
	               "partner-a: back end certificate expired 3 days ago (CN=acme-7)"));
	f.verdict.findings[0].depth = 1;
	CU_ASSERT(says(&f, "message",
	               "partner-a: issuing certificate 1 expired 3 days ago (CN=acme-7)"));
	fixture_fault(&f, CLASS_UNKNOWN_ISSUER);
	CU_ASSERT(says(
		&f, "message",
		"partner-a: issuer of the back end certificate is not trusted here (CN=acme-7)"));
	fixture_fault(&f, CLASS_WRONG_NAME);
	CU_ASSERT(says(&f, "message", "partner-a: certificate is for another name (CN=acme-7)"));
	fixture_nothing(&f, CLASS_PEER_CLOSED);
	fixture_egress(&f);
	f.hs.service = &f.service;
	CU_ASSERT(says(&f, "message",
	               "partner-a: back end closed the connection during the handshake "
	               "(backend.example)"));
}

static void no_class_calls_a_back_end_a_client(void)
{
	struct fixture f;
	for (int class = 0; class < CLASS_COUNT; class ++) {
		for (int depth = 0; depth < 2; depth++) {
			fixture_init(&f);
			fixture_egress(&f);
			fixture_fault(&f, (enum peer_class) class);
			f.verdict.depth = depth;
			json_t *entry = encoded(&f);
			const char *message = fixture_string(entry, "message");
			CU_ASSERT_PTR_NULL(strstr(message, "client"));
			CU_ASSERT_PTR_NULL(strstr(message, "the the"));
			json_decref(entry);
		}
	}
}

static void without_memory_it_is_still_an_egress_event_of_its_connection(void)
{
	struct fixture f;
	struct buf line;
	fixture_init(&f);
	fixture_egress(&f);
	fixture_head(&line);
	CU_ASSERT_EQUAL(event_encode_minimal(&line, &f.from, &f.hs), E_OK);
	json_t *entry = fixture_parse(&line);
	CU_ASSERT_PTR_NOT_NULL_FATAL(entry);
	table_check(entry);
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "network.direction"), "egress");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.connection"), "q3k9c1m2x7w4a-2-18f");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.class"), "internal_error");
	json_decref(entry);
	buf_release(&line);
}

static const struct unit_test tests[] = {
	{"the server has all that a client would have", the_server_has_all_that_a_client_would_have},
	{"the ends are ours and the server's", the_ends_are_ours_and_the_servers},
	{"a server is nobody's user", a_server_is_nobodys_user},
	{"of our own certificate the fingerprint is shown",
         of_our_own_certificate_the_fingerprint_is_shown},
	{"the mode is the upstream's and never the service's",
         the_mode_is_the_upstreams_and_never_the_services},
	{"a health check belongs to no connection", a_health_check_belongs_to_no_connection},
	{"the message speaks of the back end", the_message_speaks_of_the_back_end},
	{"no class calls a back end a client", no_class_calls_a_back_end_a_client},
	{"without memory it is still an egress event of its connection",
         without_memory_it_is_still_an_egress_event_of_its_connection},
};
UNIT_MAIN("event/egress", tests)
