/* Whole lines, byte for byte: what golden.jsonl shows is what stands in the journal. */
#include "fixture.h"
#include "table.h"

/* The line of golden.jsonl with this number, from 1; @VERSION@ stands for the program's. */
static bool golden_line(struct buf *out, unsigned number)
{
	size_t len;
	char *text = fixture_file("tests/unit/event/golden.jsonl", &len);
	buf_init(out, EVENT_MAX);
	if (text == NULL) {
		return false;
	}
	const char *at = text;
	const char *end = text + len;
	for (unsigned i = 1; i < number && at < end; i++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		at = newline == NULL ? end : newline + 1;
	}
	while (at < end && *at != '\n') {
		if ((size_t)(end - at) > 9 && memcmp(at, "@VERSION@", 9) == 0) {
			buf_append_text(out, PACKAGE_VERSION);
			at += 9;
		} else {
			buf_append_byte(out, (uint8_t)*at++);
		}
	}
	free(text);
	return out->len > 0;
}

/* Takes the line. */
static void same_as(unsigned number, struct buf *line)
{
	struct buf expected;
	CU_ASSERT(golden_line(&expected, number));
	bool same = slice_equal(buf_slice(line), buf_slice(&expected));
	if (!same) {
		printf("\ngolden.jsonl line %u should be\n%.*s\n", number, (int)line->len,
		       (const char *)line->data);
	}
	CU_ASSERT(same);
	json_t *entry = fixture_parse(line);
	if (entry != NULL) {
		table_check(entry);
	}
	json_decref(entry);
	buf_release(&expected);
	buf_release(line);
}

static void handshake_is(unsigned number, const struct fixture *f)
{
	struct buf line;
	fixture_line(&line, f);
	same_as(number, &line);
}

static void a_good_certificate(void)
{
	struct fixture f;
	fixture_init(&f);
	handshake_is(1, &f);
}

static void an_expired_one_that_is_tolerated(void)
{
	struct fixture f;
	fixture_init(&f);
	f.certs[0].not_after_s = FIXTURE_NOW_S - 3 * FIXTURE_DAY_S - 7200;
	fixture_fault(&f, CLASS_EXPIRED);
	f.verdict.findings[0].at_s = f.certs[0].not_after_s;
	f.verdict.finding_count = 2;
	f.verdict.findings[1] = (struct finding){
		.class = CLASS_EXPIRED, .depth = 1, .code = 10, .detail = "by a day"};
	f.hs.tolerated = 3;
	f.hs.decision = DECISION_ALLOW_TOLERATED;
	f.hs.denied_by = DENIED_BY_NOBODY;
	f.hs.tls.alert_sent = -1;
	handshake_is(2, &f);
}

static void no_certificate_where_one_is_required(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_fault(&f, CLASS_NO_CERTIFICATE);
	f.hs.presented = false;
	f.hs.possession = POSSESSION_UNSET;
	f.hs.chain = NULL;
	f.hs.verdict = NULL;
	handshake_is(3, &f);
}

static void bytes_that_are_no_tls(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_nothing(&f, CLASS_NOT_TLS);
	f.hs.detail = "an HTTP request";
	handshake_is(4, &f);
}

static void a_certificate_that_cannot_be_read(void)
{
	struct fixture f;
	fixture_init(&f);
	uint8_t sha256[32];
	uint8_t sha1[20];
	memcpy(sha256, f.certs[0].sha256, sizeof(sha256));
	memcpy(sha1, f.certs[0].sha1, sizeof(sha1));
	f.certs[0] = (struct cert){.parsed = false};
	memcpy(f.certs[0].sha256, sha256, sizeof(sha256));
	memcpy(f.certs[0].sha1, sha1, sizeof(sha1));
	fixture_fault(&f, CLASS_MALFORMED_CERTIFICATE);
	f.verdict.path_count = 0;
	f.verdict.anchor_file = NULL;
	f.hs.possession = POSSESSION_NOT_REACHED;
	f.hs.tls.established = false;
	handshake_is(5, &f);
}

static void ipv6_behind_a_proxy(void)
{
	struct fixture f;
	fixture_init(&f);
	f.hs.peer = f.hs.source;
	f.hs.source = (struct endpoint){
		.family = AF_INET6, .port = 40000, .ip = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}};
	f.hs.destination = (struct endpoint){.family = AF_INET6, .port = 443, .ip = {[15] = 1}};
	handshake_is(6, &f);
}

static void a_service_that_asks_for_nothing(void)
{
	struct fixture f;
	fixture_init(&f);
	f.service.verify_mode = "none";
	f.hs.requested = false;
	f.hs.ca_names = false;
	f.hs.presented = false;
	f.hs.possession = POSSESSION_UNSET;
	f.hs.chain = NULL;
	f.hs.verdict = NULL;
	f.hs.verify_us = -1;
	f.hs.class = CLASS_NOT_REQUESTED;
	f.hs.code = 1009;
	f.hs.verified = false;
	f.hs.decision = DECISION_ALLOW_ANONYMOUS;
	f.hs.source = (struct endpoint){.family = AF_UNIX};
	f.hs.destination = (struct endpoint){.family = AF_UNIX};
	handshake_is(7, &f);
}

static void the_end_of_a_connection(void)
{
	struct fixture f;
	fixture_init(&f);
	struct connection_end end = {
		.id = "q3k9c1m2x7w4a-2-190",
		.connection = f.hs.id,
		.start_us = f.hs.start_us,
		.end_us = f.hs.end_us + 1000000,
		.duration_ns = 1001834000,
		.source = f.hs.source,
		.destination = f.hs.destination,
		.source_bytes = 70,
		.destination_bytes = 5000000000,
		.service = &f.service,
		.close_reason = "upstream_reset",
		.sentence = "the upstream broke the connection off",
		.failed = true,
	};
	struct buf line;
	fixture_head(&line);
	CU_ASSERT_EQUAL(event_encode_connection_end(&line, &f.from, &end), E_OK);
	same_as(8, &line);
}

static void a_start_after_a_crash(void)
{
	struct fixture f;
	fixture_init(&f);
	struct audit_start a = {
		.version = "9.8.7",
		.at_us = f.hs.end_us,
		.recovered_entries = 4711,
		.torn_bytes = 100,
		.workers = 1,
		.pid = 77,
	};
	struct buf line;
	fixture_head(&line);
	CU_ASSERT_EQUAL(event_encode_audit_start(&line, &f.from, "q3k9c1m2x7w4a-0-1", &a), E_OK);
	same_as(9, &line);
}

static void a_stop(void)
{
	struct fixture f;
	fixture_init(&f);
	struct audit_stop a = {
		.at_us = f.hs.end_us, .reason = "SIGTERM", .handshakes = 3, .open_connections = 1};
	struct buf line;
	fixture_head(&line);
	CU_ASSERT_EQUAL(event_encode_audit_stop(&line, &f.from, "q3k9c1m2x7w4a-0-2", &a), E_OK);
	same_as(10, &line);
}

static void a_heartbeat(void)
{
	struct fixture f;
	fixture_init(&f);
	struct audit_heartbeat a = {
		.at_us = f.hs.end_us, .connections = 2, .handshakes = 1, .refused = 0};
	struct buf line;
	fixture_head(&line);
	CU_ASSERT_EQUAL(event_encode_audit_heartbeat(&line, &f.from, "q3k9c1m2x7w4a-0-3", &a), E_OK);
	same_as(11, &line);
}

static void a_configuration(void)
{
	struct fixture f;
	fixture_init(&f);
	struct audit_file files[] = {
		{.path = "ca.pem",
	         .kind = "ca",
	         .subject = "CN=Partner A CA",
	         .not_before_s = 0,
	         .not_after_s = FIXTURE_NOW_S},
		{.path = "dh.pem", .kind = "certificate"},
	};
	uint8_t previous[32] = {1};
	struct audit_config a = {
		.at_us = f.hs.end_us,
		.epoch = 13,
		.sha256 = fixture_policy,
		.reason = "reload",
		.previous_sha256 = previous,
		.text = "node: edge-1\nlabels: {site: \"ams1\"}\n",
		.files = files,
		.file_count = 2,
	};
	struct buf line;
	fixture_head(&line);
	CU_ASSERT_EQUAL(event_audit_config_parts(&a), 1);
	CU_ASSERT_EQUAL(event_encode_audit_config(&line, &f.from, "q3k9c1m2x7w4a-0-4", &a, 1), E_OK);
	same_as(12, &line);
}

static void a_gap(void)
{
	struct fixture f;
	fixture_init(&f);
	struct audit_gap a = {
		.at_us = f.hs.end_us,
		.from_us = f.hs.start_us - 60000000,
		.until_us = f.hs.start_us,
		.count = 1200,
		.cause = "no space left on device",
	};
	struct buf line;
	fixture_head(&line);
	CU_ASSERT_EQUAL(event_encode_audit_gap(&line, &f.from, "q3k9c1m2x7w4a-0-5", &a), E_OK);
	same_as(13, &line);
}

static void a_back_end_that_is_who_it_should_be(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_egress(&f);
	handshake_is(15, &f);
}

static void a_back_end_that_has_expired(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_egress(&f);
	f.hs.tls.has_server_certificate = false; /* we showed none */
	f.certs[0].not_after_s = FIXTURE_NOW_S - 3 * FIXTURE_DAY_S;
	fixture_fault(&f, CLASS_EXPIRED);
	f.verdict.findings[0].at_s = f.certs[0].not_after_s;
	handshake_is(16, &f);
}

static void a_quarantined_client_whose_chain_was_too_long_for_a_header(void)
{
	static const char *const omitted[] = {"Client-Cert-Chain"};
	struct fixture f;
	fixture_init(&f);
	fixture_fault(&f, CLASS_UNKNOWN_ISSUER);
	f.verdict.path_count = 0;
	f.verdict.anchor_file = NULL;
	f.hs.tls.alert_sent = -1;
	f.hs.decision = DECISION_QUARANTINE;
	f.hs.denied_by = DENIED_BY_NOBODY;
	f.hs.omitted_headers = omitted;
	f.hs.omitted_header_count = 1;
	handshake_is(17, &f);
}

static void request_is(unsigned number, const struct fixture *f, const struct request_event *request)
{
	struct buf line;
	fixture_request_line(&line, f, request);
	same_as(number, &line);
}

static void a_request(void)
{
	struct fixture f;
	fixture_init(&f);
	struct request_event request = fixture_request(&f);
	request.query = SLICE("page=2&size=50");
	request_is(18, &f, &request);
}

static void a_request_for_another_service(void)
{
	struct fixture f;
	fixture_init(&f);
	struct request_event request = fixture_request(&f);
	fixture_deny(&request, DENIED_BY_AUTHORITY, 421, "another service takes this name");
	request.host = SLICE("admin.example");
	request.response_bytes = 120;
	request.peer = fixture_ipv4("\x0a\x00\x00\x63", 33000);
	request_is(19, &f, &request);
}

static void the_end_of_a_connection_behind_a_proxy(void)
{
	struct fixture f;
	fixture_init(&f);
	struct connection_end end = {
		.id = "q3k9c1m2x7w4a-2-191",
		.connection = f.hs.id,
		.start_us = f.hs.start_us,
		.end_us = f.hs.end_us,
		.duration_ns = 1834000,
		.source = f.hs.source,
		.destination = f.hs.destination,
		.peer = fixture_ipv4("\x0a\x00\x00\x63", 33000),
		.service = &f.service,
		.close_reason = "client_closed",
		.sentence = "the client closed the connection",
	};
	struct buf line;
	fixture_head(&line);
	CU_ASSERT_EQUAL(event_encode_connection_end(&line, &f.from, &end), E_OK);
	same_as(20, &line);
}

static void a_payment_service_provider(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_psd2(&f);
	handshake_is(21, &f);
}

static void a_revoked_certificate(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_psd2(&f);
	fixture_fault(&f, CLASS_REVOKED);
	f.verdict.findings[0].at_s = FIXTURE_NOW_S - 2 * FIXTURE_DAY_S;
	f.verdict.findings[0].detail = "keyCompromise";
	f.verdict.revocation.status = REVOCATION_REVOKED;
	handshake_is(22, &f);
}

static void a_responder_that_is_not_there(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_fault(&f, CLASS_REVOCATION_UNKNOWN);
	f.verdict.findings[0].detail = "the OCSP responder did not answer";
	f.verdict.revocation = (struct revocation){.status = REVOCATION_UNKNOWN, .checked = true};
	handshake_is(23, &f);
}

static void revoked_is(unsigned number, const struct fixture *f,
                       const struct connection_revoked *revoked)
{
	struct buf line;
	fixture_revoked_line(&line, f, revoked);
	same_as(number, &line);
}

static void a_connection_whose_certificate_came_onto_a_crl(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_psd2(&f);
	fixture_fault(&f, CLASS_REVOKED);
	f.verdict.findings[0].at_s = FIXTURE_NOW_S - 60;
	f.verdict.findings[0].detail = "keyCompromise";
	f.verdict.revocation.status = REVOCATION_REVOKED;
	struct connection_revoked revoked = fixture_revoked(&f);
	revoked_is(24, &f, &revoked);
}

static void a_connection_that_outlives_its_certificate(void)
{
	struct fixture f;
	fixture_init(&f);
	f.certs[0].not_after_s = FIXTURE_NOW_S - 1;
	fixture_fault(&f, CLASS_EXPIRED);
	f.verdict.findings[0].at_s = f.certs[0].not_after_s;
	f.hs.peer = fixture_ipv4("\x0a\x00\x00\x63", 33000);
	struct connection_revoked revoked = fixture_revoked(&f);
	revoked.cause = "date";
	revoked.closed = false;
	revoked_is(25, &f, &revoked);
}

static void lists_that_were_replaced(void)
{
	struct fixture f;
	fixture_init(&f);
	struct audit_file files[] = {
		{.path = "partner-a.crl",
	         .kind = "crl",
	         .subject = "CN=Partner A CA",
	         .entries = 500000,
	         .this_update_s = FIXTURE_NOW_S - 60,
	         .next_update_s = FIXTURE_NOW_S + FIXTURE_DAY_S},
		{.path = "endless.crl",
	         .kind = "crl",
	         .subject = "CN=Partner B CA",
	         .this_update_s = FIXTURE_NOW_S},
		{.path = "stolen.txt", .kind = "deny", .entries = 3},
		{.path = "known.txt", .kind = "allow", .entries = 0},
		{.path = "issuing.pem", .kind = "issuer"},
	};
	struct audit_config a = {
		.at_us = f.hs.end_us,
		.epoch = 14,
		.sha256 = fixture_policy,
		.reason = "lists",
		.previous_sha256 = fixture_policy,
		.files = files,
		.file_count = sizeof(files) / sizeof(files[0]),
	};
	struct buf line;
	fixture_head(&line);
	CU_ASSERT_EQUAL(event_encode_audit_config(&line, &f.from, "q3k9c1m2x7w4a-0-6", &a, 1), E_OK);
	same_as(26, &line);
}

static void what_needs_no_memory(void)
{
	struct fixture f;
	fixture_init(&f);
	uint8_t memory[EVENT_MINIMAL_MAX];
	struct buf body;
	buf_init_fixed(&body, memory, sizeof(memory));
	CU_ASSERT_EQUAL(event_encode_minimal(&body, &f.from, &f.hs), E_OK);
	struct buf line;
	fixture_head(&line);
	buf_append_slice(&line, buf_slice(&body));
	same_as(14, &line);
}

static const struct unit_test tests[] = {
	{"a good certificate", a_good_certificate},
	{"an expired one that is tolerated", an_expired_one_that_is_tolerated},
	{"no certificate where one is required", no_certificate_where_one_is_required},
	{"bytes that are no TLS", bytes_that_are_no_tls},
	{"a certificate that cannot be read", a_certificate_that_cannot_be_read},
	{"IPv6 behind a proxy", ipv6_behind_a_proxy},
	{"a service that asks for nothing, on a unix socket", a_service_that_asks_for_nothing},
	{"the end of a connection", the_end_of_a_connection},
	{"a start after a crash", a_start_after_a_crash},
	{"a stop", a_stop},
	{"a heartbeat", a_heartbeat},
	{"a configuration", a_configuration},
	{"a gap", a_gap},
	{"what needs no memory", what_needs_no_memory},
	{"a back end that is who it should be", a_back_end_that_is_who_it_should_be},
	{"a back end that has expired", a_back_end_that_has_expired},
	{"a quarantined client whose chain was too long for a header",
         a_quarantined_client_whose_chain_was_too_long_for_a_header},
	{"a request", a_request},
	{"a request for another service", a_request_for_another_service},
	{"the end of a connection behind a proxy", the_end_of_a_connection_behind_a_proxy},
	{"a payment service provider", a_payment_service_provider},
	{"a revoked certificate", a_revoked_certificate},
	{"a responder that is not there", a_responder_that_is_not_there},
	{"a connection whose certificate came onto a CRL",
         a_connection_whose_certificate_came_onto_a_crl},
	{"a connection that outlives its certificate", a_connection_that_outlives_its_certificate},
	{"lists that were replaced", lists_that_were_replaced},
};
UNIT_MAIN("event/golden", tests)
