/* What an event says and what it keeps to itself. */
#include "event/json.h"
#include "fixture.h"
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

static void the_identity_is_shown_only_when_verified(void)
{
	struct fixture f;
	fixture_init(&f);
	CU_ASSERT(says(&f, "user.name", "acme-7"));
	for (int class = 0; class < CLASS_OK; class ++) {
		fixture_init(&f);
		fixture_fault(&f, (enum peer_class) class);
		f.hs.tolerated = 1;
		f.hs.decision = DECISION_ALLOW_TOLERATED;
		f.hs.denied_by = DENIED_BY_NOBODY;
		json_t *entry = encoded(&f);
		CU_ASSERT_PTR_NULL(fixture_get(entry, "user"));
		CU_ASSERT_PTR_NULL(fixture_get(entry, "related.user"));
		CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tls.client.subject"),
		                       "CN=acme-7,O=Acme");
		json_decref(entry);
	}
}

static void the_identity_is_the_first_name_there_is(void)
{
	struct fixture f;
	fixture_init(&f);
	f.certs[0].subject.value_count = 0;
	CU_ASSERT(says(&f, "user.name", "acme-7.example"));
	f.certs[0].sans = fixture_sans + 1; /* an address is no name */
	f.certs[0].san_count = 2;
	CU_ASSERT(says(&f, "user.name", "CN=acme-7,O=Acme"));
	f.certs[0].subject.text.len = 0;
	CU_ASSERT(says(&f, "user.name", "(absent)"));
}

static void outcome_and_type_follow_the_decision(void)
{
	static const char *const types[] = {"", "denied", "error", "denied", "denied"};
	struct fixture f;
	for (int decision = 0; decision < DECISION_COUNT; decision++) {
		for (int by = DENIED_BY_NOBODY; by <= DENIED_BY_SHUTDOWN; by++) {
			bool denied = decision == DECISION_DENY;
			if (denied != (by != DENIED_BY_NOBODY)) {
				continue;
			}
			fixture_init(&f);
			fixture_fault(&f, CLASS_EXPIRED);
			f.hs.decision = (enum decision)decision;
			f.hs.denied_by = (enum denied_by)by;
			json_t *entry = encoded(&f);
			json_t *type = json_array_get(fixture_get(entry, "event.type"), 1);
			CU_ASSERT_STRING_EQUAL(json_string_value(type),
			                       denied ? types[by] : "allowed");
			json_decref(entry);
			CU_ASSERT(says(&f, "event.outcome", denied ? "failure" : "success"));
		}
	}
}

static int64_t days_left(int64_t seconds)
{
	struct fixture f;
	fixture_init(&f);
	f.certs[0].not_after_s = FIXTURE_NOW_S + seconds;
	json_t *entry = encoded(&f);
	int64_t days = json_integer_value(fixture_get(entry, "tlscribe.days_left"));
	json_decref(entry);
	return days;
}

static void days_left_are_whole_and_negative_when_past(void)
{
	CU_ASSERT_EQUAL(days_left(0), 0); /* the second of notAfter still counts */
	CU_ASSERT_EQUAL(days_left(-1), -1);
	CU_ASSERT_EQUAL(days_left(-FIXTURE_DAY_S), -1);
	CU_ASSERT_EQUAL(days_left(-FIXTURE_DAY_S - 1), -2);
	CU_ASSERT_EQUAL(days_left(FIXTURE_DAY_S - 1), 0);
	CU_ASSERT_EQUAL(days_left(FIXTURE_DAY_S), 1);
}

static void dates_of_any_year_are_written(void)
{
	struct fixture f;
	fixture_init(&f);
	f.certs[0].not_before_s = INT64_MIN;
	f.certs[0].not_after_s = INT64_MAX;
	CU_ASSERT(says(&f, "tls.client.not_before", "0000-01-01T00:00:00.000000Z"));
	CU_ASSERT(says(&f, "tls.client.not_after", "9999-12-31T23:59:59.000000Z"));
}

static void message_of(struct fixture *f, int depth, enum peer_class class, int64_t at_s,
                       const char *expected)
{
	fixture_fault(f, class);
	f->verdict.depth = depth;
	f->verdict.findings[0].depth = depth;
	f->verdict.findings[0].at_s = at_s;
	CU_ASSERT(says(f, "message", expected));
}

static void the_message_says_whose_certificate_and_since_when(void)
{
	struct fixture f;
	fixture_init(&f);
	const int64_t day = FIXTURE_DAY_S;
	message_of(&f, 0, CLASS_EXPIRED, FIXTURE_NOW_S - 3 * day,
	           "partner-a: client certificate expired 3 days ago (CN=acme-7)");
	message_of(&f, 0, CLASS_EXPIRED, FIXTURE_NOW_S - 1,
	           "partner-a: client certificate expired less than a day ago (CN=acme-7)");
	message_of(&f, 1, CLASS_EXPIRED, FIXTURE_NOW_S - day,
	           "partner-a: issuing certificate 1 expired 1 day ago (CN=acme-7)");
	message_of(&f, 0, CLASS_NOT_YET_VALID, FIXTURE_NOW_S + 2 * day,
	           "partner-a: client certificate becomes valid only in 2 days (CN=acme-7)");
	message_of(&f, 0, CLASS_EXPIRED, 0, "partner-a: client certificate has expired (CN=acme-7)");
	message_of(&f, 2, CLASS_REVOKED, 0,
	           "partner-a: issuing certificate 2 is revoked (CN=acme-7)");
	message_of(&f, 0, CLASS_REVOKED, FIXTURE_NOW_S - 2 * day,
	           "partner-a: client certificate was revoked 2 days ago (CN=acme-7)");
	message_of(&f, 1, CLASS_REVOKED, FIXTURE_NOW_S,
	           "partner-a: issuing certificate 1 was revoked less than a day ago (CN=acme-7)");
	/* A CA may date it ahead; of that there is nothing to count. */
	message_of(&f, 0, CLASS_REVOKED, FIXTURE_NOW_S + day,
	           "partner-a: client certificate is revoked (CN=acme-7)");
	f.certs[0].subject.value_count = 0;
	message_of(&f, 0, CLASS_REVOKED, 0,
	           "partner-a: client certificate is revoked (CN=acme-7,O=Acme)");
	f.hs.decision = DECISION_ALLOW_UNVERIFIED;
	f.hs.denied_by = DENIED_BY_NOBODY;
	CU_ASSERT(says(&f, "message",
	               "partner-a: client certificate is revoked, let through (CN=acme-7,O=Acme)"));
	f.hs.decision = DECISION_QUARANTINE;
	CU_ASSERT(says(&f, "message",
	               "partner-a: client certificate is revoked, quarantined (CN=acme-7,O=Acme)"));
	f.hs.service = NULL;
	fixture_nothing(&f, CLASS_UNKNOWN_SERVER_NAME);
	fixture_hello(&f.hs.hello);
	CU_ASSERT(says(&f, "message", "no service takes this server name (api.example)"));
}

static void serials_have_no_leading_zero_bytes(void)
{
	struct fixture f;
	fixture_init(&f);
	CU_ASSERT(says(&f, "tls.client.x509.serial_number", "A10B"));
	f.certs[0].serial = SLICE("\x00");
	CU_ASSERT(says(&f, "tls.client.x509.serial_number", "00"));
	f.certs[0].serial = SLICE("\x0a\x00");
	CU_ASSERT(says(&f, "tls.client.x509.serial_number", "0A00"));
	f.certs[0].serial.len = 0;
	CU_ASSERT(says(&f, "tls.client.x509.serial_number", "(absent)"));
}

static void alternative_names_carry_their_type(void)
{
	static const char *const expected[] = {"email:a@b",  "uri:urn:x", "ip:2001:db8::1",
	                                       "ip:#0A0B0C", "dn:CN=x",   "other:1.2"};
	struct san sans[] = {
		{SAN_EMAIL, SLICE("a@b"), {NULL, 0}},
		{SAN_URI, SLICE("urn:x"), {NULL, 0}},
		{SAN_IP, SLICE("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"), {NULL, 0}},
		{SAN_IP, SLICE("\x0a\x0b\x0c"), {NULL, 0}},
		{SAN_DN, SLICE("CN=x"), {NULL, 0}},
		{SAN_OTHER, {NULL, 0}, SLICE("1.2")},
	};
	struct fixture f;
	fixture_init(&f);
	f.certs[0].sans = sans;
	f.certs[0].san_count = sizeof(sans) / sizeof(sans[0]);
	json_t *entry = encoded(&f);
	json_t *names = fixture_get(entry, "tls.client.x509.alternative_names");
	CU_ASSERT_EQUAL(json_array_size(names), f.certs[0].san_count);
	for (size_t i = 0; i < f.certs[0].san_count; i++) {
		CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(names, i)), expected[i]);
	}
	json_decref(entry);
}

static void a_broken_alpn_list_ends_where_it_breaks(void)
{
	struct fixture f;
	fixture_init(&f);
	memcpy(f.hs.hello.alpn, "\x02h2\x00\x09short", 10);
	f.hs.hello.alpn_len = 10;
	json_t *entry = encoded(&f);
	CU_ASSERT_EQUAL(json_array_size(fixture_get(entry, "tlscribe.client_hello.alpn")), 1);
	json_decref(entry);
	f.hs.hello.alpn_len = UINT16_MAX;
	entry = encoded(&f);
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tlscribe.client_hello.alpn"));
	json_decref(entry);
}

static void absent_is_absent(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_nothing(&f, CLASS_TIMEOUT);
	f.hs.source.family = 0;
	f.hs.destination.family = 0;
	f.from.labels.len = 0;
	json_t *entry = encoded(&f);
	static const char *const absent[] = {
		"labels",
		"service",
		"source.ip",
		"destination.ip",
		"network.type",
		"tls.client",
		"tls.server",
		"user",
		"related",
		"tlscribe.client_hello",
		"tlscribe.findings",
		"tlscribe.path",
		"tlscribe.days_left",
		"tlscribe.alert",
		"tlscribe.headers",
		"tlscribe.peer",
		"tlscribe.connection",
		"tlscribe.policy",
		"tlscribe.timing",
		"tlscribe.revocation",
		"tlscribe.revoked",
		"tlscribe.truncated",
	};
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
		CU_ASSERT_PTR_NULL(fixture_get(entry, absent[i]));
	}
	json_decref(entry);
}

static void a_quarantined_client_is_no_user_and_denied_by_nobody(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_fault(&f, CLASS_EXPIRED);
	f.hs.decision = DECISION_QUARANTINE;
	f.hs.denied_by = DENIED_BY_NOBODY;
	json_t *entry = encoded(&f);
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.decision"), "quarantine");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "event.outcome"), "success");
	CU_ASSERT_EQUAL(json_integer_value(fixture_get(entry, "event.severity")),
	                peer_class_row(CLASS_EXPIRED)->severity);
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tlscribe.denied_by"));
	CU_ASSERT_PTR_NULL(fixture_get(entry, "user"));
	CU_ASSERT_PTR_NULL(fixture_get(entry, "related.user"));
	CU_ASSERT(json_is_false(fixture_get(entry, "tlscribe.verified")));
	json_decref(entry);
}

static void headers_that_were_left_out_are_named(void)
{
	static const char *const omitted[] = {"Client-Cert-Chain", "X-Forwarded-Client-Cert"};
	struct fixture f;
	fixture_init(&f);
	f.hs.omitted_headers = omitted;
	f.hs.omitted_header_count = 2;
	json_t *entry = encoded(&f);
	json_t *names = fixture_get(entry, "tlscribe.headers.omitted");
	CU_ASSERT_EQUAL(json_array_size(names), 2);
	for (size_t i = 0; i < 2; i++) {
		CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(names, i)), omitted[i]);
	}
	json_decref(entry);
}

static void labels_of_the_service_win_and_can_take_away(void)
{
	static const struct event_label labels[] = {
		{"site", "ams1"},   {"rack", "7"}, {"tier", "silver"},
		{"tier", "go\"ld"}, {"rack", ""},  {"", "nameless"},
	};
	struct buf out;
	buf_init(&out, EVENT_LABELS_MAX);
	CU_ASSERT_EQUAL(event_labels_encode(&out, labels, 6), E_OK);
	CU_ASSERT(slice_equal(buf_slice(&out), SLICE("{\"site\":\"ams1\",\"tier\":\"go\\\"ld\"}")));
	buf_reset(&out);
	CU_ASSERT_EQUAL(event_labels_encode(&out, labels, 0), E_OK);
	CU_ASSERT_EQUAL(out.len, 0);
	buf_release(&out);
}

static void labels_are_refused_rather_than_cut(void)
{
	static char value[JSON_TEXT_MAX + 2];
	memset(value, 'x', JSON_TEXT_MAX + 1);
	struct event_label labels[20];
	char names[20][8];
	struct buf out;
	buf_init(&out, EVENT_BODY_MAX);
	labels[0] = (struct event_label){"long", value};
	CU_ASSERT_EQUAL(event_labels_encode(&out, labels, 1), E_LIMIT);
	CU_ASSERT_EQUAL(out.len, 0);
	value[JSON_TEXT_MAX] = '\0';
	buf_reset(&out);
	CU_ASSERT_EQUAL(event_labels_encode(&out, labels, 1), E_OK);
	for (int i = 0; i < 20; i++) {
		snprintf(names[i], sizeof(names[i]), "l%d", i);
		labels[i] = (struct event_label){names[i], value};
	}
	buf_reset(&out);
	CU_ASSERT_EQUAL(event_labels_encode(&out, labels, 20), E_LIMIT);
	CU_ASSERT_EQUAL(out.len, 0);
	buf_release(&out);
}

static const struct unit_test tests[] = {
	{"the identity is shown only when verified", the_identity_is_shown_only_when_verified},
	{"the identity is the first name there is", the_identity_is_the_first_name_there_is},
	{"outcome and type follow the decision", outcome_and_type_follow_the_decision},
	{"days left are whole, and negative when past", days_left_are_whole_and_negative_when_past},
	{"dates of any year are written", dates_of_any_year_are_written},
	{"the message says whose certificate and since when",
         the_message_says_whose_certificate_and_since_when},
	{"serials have no leading zero bytes", serials_have_no_leading_zero_bytes},
	{"alternative names carry their type", alternative_names_carry_their_type},
	{"a broken ALPN list ends where it breaks", a_broken_alpn_list_ends_where_it_breaks},
	{"absent is absent", absent_is_absent},
	{"a quarantined client is no user, and denied by nobody",
         a_quarantined_client_is_no_user_and_denied_by_nobody},
	{"headers that were left out are named", headers_that_were_left_out_are_named},
	{"labels of the service win and can take away", labels_of_the_service_win_and_can_take_away},
	{"labels are refused rather than cut", labels_are_refused_rather_than_cut},
};
UNIT_MAIN("event/encode", tests)
