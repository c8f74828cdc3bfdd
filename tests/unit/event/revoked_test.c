/* connection-revoked: what it says, and that it says the same as a handshake would. */
#include "fixture.h"
#include "table.h"

static json_t *encoded(const struct fixture *f, const struct connection_revoked *revoked)
{
	struct buf line;
	fixture_revoked_line(&line, f, revoked);
	json_t *entry = fixture_parse(&line);
	CU_ASSERT_PTR_NOT_NULL_FATAL(entry);
	table_check(entry);
	buf_release(&line);
	return entry;
}

static json_t *handshake(const struct fixture *f)
{
	struct buf line;
	fixture_line(&line, f);
	json_t *entry = fixture_parse(&line);
	CU_ASSERT_PTR_NOT_NULL_FATAL(entry);
	buf_release(&line);
	return entry;
}

static bool says(const struct fixture *f, const struct connection_revoked *revoked,
                 const char *path, const char *expected)
{
	json_t *entry = encoded(f, revoked);
	bool same = strcmp(fixture_string(entry, path), expected) == 0;
	if (!same) {
		printf("\n%s: %s instead of %s\n", path, fixture_string(entry, path), expected);
	}
	json_decref(entry);
	return same;
}

/* The second element of event.type. */
static const char *type_of(json_t *entry)
{
	return json_string_value(json_array_get(fixture_get(entry, "event.type"), 1));
}

static void it_belongs_to_its_connection(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_fault(&f, CLASS_DENYLISTED);
	struct connection_revoked revoked = fixture_revoked(&f);
	json_t *entry = encoded(&f, &revoked);
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "event.action"), "connection-revoked");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "event.id"), revoked.id);
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.connection"), f.hs.id);
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "event.outcome"), "failure");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "event.reason"), "denylisted");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "event.code"), "1004");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "@timestamp"), "2026-11-21T08:30:00.500000Z");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.revoked.decision_before"), "allow");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.decision"), "deny");
	CU_ASSERT_EQUAL(json_integer_value(fixture_get(entry, "event.severity")),
	                peer_class_row(CLASS_DENYLISTED)->severity);
	json_decref(entry);
}

static void closed_is_an_end_and_logged_is_not(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_fault(&f, CLASS_REVOKED);
	struct connection_revoked revoked = fixture_revoked(&f);
	json_t *entry = encoded(&f, &revoked);
	CU_ASSERT_STRING_EQUAL(type_of(entry), "end");
	CU_ASSERT(json_is_true(fixture_get(entry, "tlscribe.revoked.closed")));
	json_decref(entry);
	revoked.closed = false;
	entry = encoded(&f, &revoked);
	CU_ASSERT_STRING_EQUAL(type_of(entry), "info");
	CU_ASSERT(json_is_false(fixture_get(entry, "tlscribe.revoked.closed")));
	json_decref(entry);
}

/* Whatever the class, as the handshake's event of the same moment has it. */
static void the_certificate_is_told_of_as_in_a_handshake(void)
{
	static const char *const same[] = {
		"service",
		"labels",
		"source.ip",
		"destination.port",
		"tls.client.x509",
		"tls.client.hash",
		"related.hash",
		"tlscribe.class",
		"tlscribe.findings",
		"tlscribe.path",
		"tlscribe.policy",
		"tlscribe.certificate",
		"tlscribe.verified",
		"tlscribe.decision",
		"tlscribe.revocation",
		"tlscribe.days_left",
		"tlscribe.spki_sha256",
		"tlscribe.verify_mode",
		"tlscribe.anchor_file",
		"tlscribe.denied_by",
		"tlscribe.evidence.chain_sha256",
		"tls.client.subject",
		"tls.client.not_after",
		"event.code",
	};
	for (int class = 0; class < CLASS_OK; class ++) {
		struct fixture f;
		fixture_init(&f);
		fixture_psd2(&f);
		fixture_fault(&f, (enum peer_class) class);
		struct connection_revoked revoked = fixture_revoked(&f);
		revoked.at_us = f.hs.end_us;
		json_t *then = handshake(&f);
		json_t *now = encoded(&f, &revoked);
		for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
			CU_ASSERT_PTR_NOT_NULL(fixture_get(now, same[i]));
			CU_ASSERT(json_equal(fixture_get(now, same[i]), fixture_get(then, same[i])));
		}
		json_decref(then);
		json_decref(now);
	}
}

static void nothing_is_said_of_the_session(void)
{
	static const char *const absent[] = {
		"event.start",
		"event.duration",
		"tls.version",
		"tls.established",
		"tls.server",
		"tls.client.server_name",
		"tls.client.ja3",
		"destination.domain",
		"source.bytes",
		"related.hosts",
		"tlscribe.client_hello",
		"tlscribe.evidence.requested",
		"tlscribe.evidence.possession",
		"tlscribe.headers",
		"tlscribe.alert",
		"tlscribe.timing",
		"tlscribe.close_reason",
	};
	static const char *const omitted[] = {"Client-Cert"};
	struct fixture f;
	fixture_init(&f);
	fixture_fault(&f, CLASS_REVOKED);
	f.hs.omitted_headers = omitted;
	f.hs.omitted_header_count = 1;
	struct connection_revoked revoked = fixture_revoked(&f);
	json_t *entry = encoded(&f, &revoked);
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
		CU_ASSERT_PTR_NULL(fixture_get(entry, absent[i]));
	}
	json_decref(entry);
}

static void a_client_without_certificate_has_none_to_tell_of(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_fault(&f, CLASS_NO_CERTIFICATE);
	f.hs.chain = NULL;
	f.hs.verdict = NULL;
	f.hs.presented = false;
	struct connection_revoked revoked = fixture_revoked(&f);
	revoked.before = DECISION_ALLOW_ANONYMOUS;
	revoked.cause = "policy";
	json_t *entry = encoded(&f, &revoked);
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tls"));
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tlscribe.evidence"));
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "event.reason"), "no_certificate");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.revoked.decision_before"),
	                       "allow_anonymous");
	json_decref(entry);
}

static void who_is_no_longer_verified_is_no_user(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_psd2(&f);
	struct connection_revoked revoked = fixture_revoked(&f);
	revoked.cause = "removed";
	json_t *entry = encoded(&f, &revoked);
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "user.name"), "acme-7");
	CU_ASSERT_EQUAL(json_array_size(fixture_get(entry, "user.roles")), 2);
	/* Nothing is wrong with the client, and yet its connection ends. */
	CU_ASSERT_EQUAL(json_integer_value(fixture_get(entry, "event.severity")), 3);
	json_decref(entry);
	fixture_fault(&f, CLASS_REVOKED);
	entry = encoded(&f, &revoked);
	CU_ASSERT_PTR_NULL(fixture_get(entry, "user"));
	CU_ASSERT_PTR_NULL(fixture_get(entry, "related.user"));
	json_decref(entry);
}

static void the_message_says_what_happened_and_why(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_fault(&f, CLASS_REVOKED);
	f.verdict.findings[0].at_s = FIXTURE_NOW_S - 2 * FIXTURE_DAY_S;
	f.verdict.findings[0].detail = "keyCompromise";
	struct connection_revoked revoked = fixture_revoked(&f);
	CU_ASSERT(says(&f, &revoked, "message",
	               "partner-a: connection closed after a list changed: client certificate was "
	               "revoked 2 days ago: keyCompromise (CN=acme-7)"));
	fixture_fault(&f, CLASS_EXPIRED);
	f.verdict.findings[0].at_s = FIXTURE_NOW_S - 1;
	revoked.cause = "date";
	revoked.closed = false;
	CU_ASSERT(says(&f, &revoked, "message",
	               "partner-a: connection goes on after a date passed: client certificate "
	               "expired less than a day ago (CN=acme-7)"));
	fixture_fault(&f, CLASS_UNKNOWN_ISSUER);
	revoked.cause = "policy";
	revoked.closed = true;
	CU_ASSERT(
		says(&f, &revoked, "message",
	             "partner-a: connection closed after the policy changed: issuer of the client "
	             "certificate is not trusted here (CN=acme-7)"));
	f.hs.class = CLASS_UNKNOWN_SERVER_NAME;
	f.hs.detail = "the service is gone";
	f.hs.verdict = NULL;
	revoked.cause = "removed";
	CU_ASSERT(says(&f, &revoked, "message",
	               "partner-a: connection closed after its service was removed (CN=acme-7)"));
}

static const struct unit_test tests[] = {
	{"it belongs to its connection", it_belongs_to_its_connection},
	{"closed is an end, and logged is not", closed_is_an_end_and_logged_is_not},
	{"the certificate is told of as in a handshake",
         the_certificate_is_told_of_as_in_a_handshake},
	{"nothing is said of the session", nothing_is_said_of_the_session},
	{"a client without certificate has none to tell of",
         a_client_without_certificate_has_none_to_tell_of},
	{"who is no longer verified is no user", who_is_no_longer_verified_is_no_user},
	{"the message says what happened and why", the_message_says_what_happened_and_why},
};
UNIT_MAIN("event/revoked", tests)
