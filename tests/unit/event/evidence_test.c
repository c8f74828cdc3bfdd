/* What an event tells of the ClientHello, of a qualified certificate and of revocation. */
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

static int64_t number(json_t *entry, const char *path)
{
	json_t *value = fixture_get(entry, path);
	return json_is_integer(value) ? json_integer_value(value) : -1;
}

static void fingerprints_are_shown_where_there_are_some(void)
{
	struct fixture f;
	fixture_init(&f);
	json_t *entry = encoded(&f);
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tls.client.ja3"), f.hs.hello.ja3);
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.client_hello.ja4"), f.hs.hello.ja4);
	json_decref(entry);
	f.hs.hello.ja3[0] = f.hs.hello.ja4[0] = '\0';
	entry = encoded(&f);
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tls.client.ja3"));
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tlscribe.client_hello.ja4"));
	CU_ASSERT_PTR_NOT_NULL(fixture_get(entry, "tlscribe.client_hello.sha256"));
	json_decref(entry);
}

static void roles_are_those_of_a_verified_client_alone(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_psd2(&f);
	json_t *entry = encoded(&f);
	CU_ASSERT_EQUAL(json_array_size(fixture_get(entry, "user.roles")), 2);
	json_decref(entry);
	for (int class = 0; class < CLASS_OK; class ++) {
		fixture_init(&f);
		fixture_psd2(&f);
		fixture_fault(&f, (enum peer_class) class);
		f.hs.tolerated = 1;
		f.hs.decision = DECISION_ALLOW_TOLERATED;
		f.hs.denied_by = DENIED_BY_NOBODY;
		entry = encoded(&f);
		CU_ASSERT_PTR_NULL(fixture_get(entry, "user"));
		/* What it claims stays evidence. */
		CU_ASSERT_EQUAL(
			json_array_size(fixture_get(entry, "tlscribe.certificate.qc_statements")),
			6);
		json_decref(entry);
	}
}

static void a_server_is_nobodys_user_whatever_its_roles(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_psd2(&f);
	fixture_egress(&f);
	json_t *entry = encoded(&f);
	CU_ASSERT_PTR_NULL(fixture_get(entry, "user"));
	CU_ASSERT_EQUAL(
		json_array_size(fixture_get(entry, "tlscribe.certificate.organization_identifier")),
		1);
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.revocation.status"), "good");
	json_decref(entry);
}

static void statements_of_any_bytes_can_be_read(void)
{
	static struct slice statements[] = {SLICE_OF("psd2NCAName:a\0\xff\r\nb\"")};
	static const struct qualified qualified = {NULL, 0, statements, 1, NULL, 0};
	struct fixture f;
	fixture_init(&f);
	f.certs[0].qualified = &qualified;
	json_t *entry = encoded(&f);
	json_t *shown = fixture_get(entry, "tlscribe.certificate.qc_statements");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(shown, 0)),
	                       "psd2NCAName:a\\00\\ff\r\nb\"");
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tlscribe.certificate.organization_identifier"));
	CU_ASSERT_PTR_NULL(fixture_get(entry, "user.roles"));
	json_decref(entry);
}

static void revocation_is_told_only_where_it_is_checked(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_psd2(&f);
	f.verdict.revocation.checked = false;
	json_t *entry = encoded(&f);
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tlscribe.revocation"));
	json_decref(entry);
	f.verdict.revocation.checked = true;
	entry = encoded(&f);
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.revocation.source"), "crl");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.revocation.status"), "good");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.revocation.number"), "01F4");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.revocation.this_update"),
	                       "2026-11-21T07:30:00.000000Z");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.revocation.next_update"),
	                       "2026-11-22T08:30:00.000000Z");
	CU_ASSERT_EQUAL(number(entry, "tlscribe.revocation.age_s"), 3600);
	json_decref(entry);
}

static void what_nobody_knows_has_no_source(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_psd2(&f);
	f.verdict.revocation.source = REVOCATION_SOURCE_NONE;
	f.verdict.revocation.status = REVOCATION_UNKNOWN;
	json_t *entry = encoded(&f);
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.revocation.status"), "unknown");
	CU_ASSERT_EQUAL(json_object_size(fixture_get(entry, "tlscribe.revocation")), 1);
	json_decref(entry);
}

static void an_answer_says_what_it_has(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_psd2(&f);
	struct revocation *told = &f.verdict.revocation;
	told->source = REVOCATION_SOURCE_OCSP;
	told->status = REVOCATION_REVOKED;
	told->number[0] = '\0';
	told->next_update_s = 0;
	told->this_update_s = FIXTURE_NOW_S + 100; /* its clock is ahead of ours */
	json_t *entry = encoded(&f);
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.revocation.source"), "ocsp");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.revocation.status"), "revoked");
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tlscribe.revocation.number"));
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tlscribe.revocation.next_update"));
	CU_ASSERT_EQUAL(number(entry, "tlscribe.revocation.age_s"), 0);
	json_decref(entry);
	/* A date that no calendar of events has. */
	told->this_update_s = INT64_MIN;
	told->next_update_s = INT64_MAX;
	entry = encoded(&f);
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.revocation.this_update"),
	                       "0000-01-01T00:00:00.000000Z");
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.revocation.next_update"),
	                       "9999-12-31T23:59:59.000000Z");
	json_decref(entry);
}

static const struct unit_test tests[] = {
	{"fingerprints are shown where there are some", fingerprints_are_shown_where_there_are_some},
	{"roles are those of a verified client alone", roles_are_those_of_a_verified_client_alone},
	{"a server is nobody's user, whatever its roles",
         a_server_is_nobodys_user_whatever_its_roles},
	{"statements of any bytes can be read", statements_of_any_bytes_can_be_read},
	{"revocation is told only where it is checked", revocation_is_told_only_where_it_is_checked},
	{"what nobody knows has no source", what_nobody_knows_has_no_source},
	{"an answer says what it has", an_answer_says_what_it_has},
};
UNIT_MAIN("event/evidence", tests)
