#include "event/template.h"

#include "fixture.h"

static const struct mark here = {7, 3};

/* The sentence of the one error, "" for none. */
static const char *error_of(const char *text)
{
	static char sentence[300];
	struct diag diag;
	struct template *t = NULL;
	diag_init(&diag);
	int err = template_new(&t, text, "x.yaml", here, &diag);
	CU_ASSERT_EQUAL(err == E_OK, diag.errors == 0);
	CU_ASSERT(err == E_OK || (err == E_INVALID && t == NULL));
	sentence[0] = '\0';
	if (diag.first != NULL) {
		CU_ASSERT_EQUAL(diag.first->at.line, 7);
		CU_ASSERT_EQUAL(diag.first->at.column, 3);
		snprintf(sentence, sizeof(sentence), "%s", diag.first->text);
	}
	template_free(&t);
	diag_release(&diag);
	return sentence;
}

static struct template *compile(const char *text)
{
	struct diag diag;
	struct template *t = NULL;
	diag_init(&diag);
	CU_ASSERT_EQUAL_FATAL(template_new(&t, text, NULL, here, &diag), E_OK);
	diag_release(&diag);
	return t;
}

/* Of a body; "(absent)" if it does not render. */
static const char *rendered_of(const char *text, struct slice body)
{
	static char value[8192];
	struct template *t = compile(text);
	struct buf out;
	buf_init_fixed(&out, value, sizeof(value) - 1);
	buf_append_text(&out, "before ");
	bool there = template_render(t, &out, body);
	CU_ASSERT_EQUAL(out.err, E_OK);
	value[out.len] = '\0';
	template_free(&t);
	if (!there) {
		CU_ASSERT_EQUAL(out.len, 7);
		return "(absent)";
	}
	return value + 7;
}

static const char *rendered(const char *text, const struct fixture *f)
{
	struct buf body;
	buf_init(&body, EVENT_MAX);
	CU_ASSERT_EQUAL_FATAL(event_encode_handshake(&body, &f->from, &f->hs), E_OK);
	const char *value = rendered_of(text, buf_slice(&body));
	buf_release(&body);
	return value;
}

static const char *of_good(const char *text)
{
	struct fixture f;
	fixture_init(&f);
	return rendered(text, &f);
}

static const char *of_common_name(struct slice name)
{
	struct fixture f;
	fixture_init(&f);
	struct dn_value value = {DN_COMMON_NAME, name};
	f.certs[0].subject.values = &value;
	f.certs[0].subject.value_count = 1;
	return rendered("{tls.client.x509.subject.common_name}", &f);
}

static void fields_and_text_make_the_value(void)
{
	CU_ASSERT_STRING_EQUAL(of_good("partner={tls.client.x509.subject.common_name};{event.id}"),
	                       "partner=acme-7;q3k9c1m2x7w4a-2-18f");
	CU_ASSERT_STRING_EQUAL(of_good("plain text"), "plain text");
	CU_ASSERT_STRING_EQUAL(of_good(""), "");
	CU_ASSERT_STRING_EQUAL(of_good("{{{event.kind}}} }}{{"), "{event} }{");
}

static void every_type_of_value_renders(void)
{
	CU_ASSERT_STRING_EQUAL(of_good("{tlscribe.verified}"), "true");
	CU_ASSERT_STRING_EQUAL(of_good("{event.severity}"), "0");
	CU_ASSERT_STRING_EQUAL(of_good("{source.ip}"), "192.0.2.7");
	CU_ASSERT_STRING_EQUAL(of_good("{source.port}"), "51514");
	CU_ASSERT_STRING_EQUAL(of_good("{@timestamp}"), "2026-11-21T08:30:00.125290Z");
	CU_ASSERT_STRING_EQUAL(of_good("{tlscribe.days_left}"), "30");
	CU_ASSERT_STRING_EQUAL(of_good("{tls.client.x509.serial_number}"), "A10B");
	CU_ASSERT_STRING_EQUAL(of_good("{tlscribe.certificate.purposes}"), "clientAuth");
	CU_ASSERT_STRING_EQUAL(of_good("{service.name}"), "partner-a");
}

/* Each field of the table that can be in a handshake, against another reader of JSON. */
static void every_field_says_what_the_record_says(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_psd2(&f);
	struct buf line;
	fixture_line(&line, &f);
	json_t *entry = fixture_parse(&line);
	CU_ASSERT_PTR_NOT_NULL_FATAL(entry);
	size_t head = sizeof(EVENT_HEAD "0,") - 1;
	unsigned there = 0;
	for (int i = 0; i < FIELD_COUNT; i++) {
		const struct field_row *row = field_row((enum event_field)i);
		char text[120];
		snprintf(text, sizeof(text), "{%s}", row->path);
		if (error_of(text)[0] != '\0') {
			continue;
		}
		json_t *value = fixture_get(entry, row->path);
		if (json_is_array(value) && json_array_size(value) == 1) {
			value = json_array_get(value, 0);
		}
		const char *got = rendered_of(text, slice_of(line.data + head, line.len - head));
		if (value == NULL || json_is_array(value)) {
			CU_ASSERT_STRING_EQUAL(got, "(absent)");
			continue;
		}
		there++;
		if (json_is_string(value) && strcspn(json_string_value(value), " ,;%\"\\") ==
		                                     strlen(json_string_value(value))) {
			CU_ASSERT_STRING_EQUAL(got, json_string_value(value));
		} else if (!json_is_string(value)) {
			char *number = json_dumps(value, JSON_ENCODE_ANY);
			CU_ASSERT_STRING_EQUAL(got, number);
			free(number);
		}
	}
	CU_ASSERT(there > 50);
	json_decref(entry);
	buf_release(&line);
}

static void an_array_of_several_is_absent(void)
{
	struct fixture f;
	fixture_init(&f);
	struct dn_value two[] = {{DN_COMMON_NAME, SLICE("acme-7")}, {DN_COMMON_NAME, SLICE("root")}};
	f.certs[0].subject.values = two;
	f.certs[0].subject.value_count = 2;
	CU_ASSERT_STRING_EQUAL(rendered("x{tls.client.x509.subject.common_name}", &f), "(absent)");
	CU_ASSERT_STRING_EQUAL(rendered("{event.category}", &f), "(absent)");
	f.certs[0].subject.value_count = 1;
	CU_ASSERT_STRING_EQUAL(rendered("x{tls.client.x509.subject.common_name}", &f), "xacme-7");
}

static void an_absent_field_is_absent(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_nothing(&f, CLASS_NOT_TLS);
	CU_ASSERT_STRING_EQUAL(rendered("{tls.client.subject}", &f), "(absent)");
	CU_ASSERT_STRING_EQUAL(rendered("{service.name}", &f), "(absent)");
	CU_ASSERT_STRING_EQUAL(rendered("{user.name}", &f), "(absent)");
	CU_ASSERT_STRING_EQUAL(rendered("{tlscribe.class}", &f), "not_tls");
}

static void values_cannot_leave_their_place(void)
{
	CU_ASSERT_STRING_EQUAL(of_common_name(SLICE("a\r\nX-Admin: 1")), "a%0D%0AX-Admin:%201");
	CU_ASSERT_STRING_EQUAL(of_common_name(SLICE("a,b;c\"d%e\tf")), "a%2Cb%3Bc%22d%25e%09f");
	CU_ASSERT_STRING_EQUAL(of_common_name(SLICE("\x7f\x1f")), "%7F%1F");
	CU_ASSERT_STRING_EQUAL(of_common_name(SLICE("{event.id}")), "{event.id}");
	CU_ASSERT_STRING_EQUAL(of_common_name(SLICE("\",\"id\":\"x")), "%22%2C%22id%22:%22x");
	CU_ASSERT_STRING_EQUAL(of_common_name(SLICE("back\\slash\\\"")), "back%5Cslash%5C%22");
}

static void letters_are_percent_encoded_utf8(void)
{
	CU_ASSERT_STRING_EQUAL(of_common_name(SLICE("J\xc3\xbcrgen")), "J%C3%BCrgen");
	CU_ASSERT_STRING_EQUAL(of_common_name(SLICE("\xe2\x82\xac")), "%E2%82%AC");
	CU_ASSERT_STRING_EQUAL(of_common_name(SLICE("\xf0\x9f\x94\x91")), "%F0%9F%94%91");
}

static void bytes_that_are_no_utf8_are_shown_as_in_the_record(void)
{
	CU_ASSERT_STRING_EQUAL(of_common_name(SLICE("a\xff\0b")), "a%5Cff%5C00b");
}

static void a_value_that_was_cut_is_absent(void)
{
	uint8_t name[1100];
	memset(name, 'a', sizeof(name));
	CU_ASSERT_STRING_EQUAL(of_common_name(slice_of(name, sizeof(name))), "(absent)");
	CU_ASSERT_EQUAL(strlen(of_common_name(slice_of(name, 1024))), 1024);
}

static void labels_of_the_operator_do_not_confuse(void)
{
	struct fixture f;
	fixture_init(&f);
	f.service.labels = SLICE("{\"service\":\"x\",\"a}\\\"{\":\"],[\\\\\",\"event\":\"y\"}");
	CU_ASSERT_STRING_EQUAL(rendered("{service.name} {event.id}", &f),
	                       "partner-a q3k9c1m2x7w4a-2-18f");
}

static void unknown_fields_are_refused_with_the_nearest_name(void)
{
	CU_ASSERT_STRING_EQUAL(error_of("{tls.client.subjekt}"),
	                       "there is no event field tls.client.subjekt; the nearest one is "
	                       "tls.client.subject");
	CU_ASSERT_STRING_EQUAL(error_of("{}"), "no field of an event has the name in the braces");
	CU_ASSERT_STRING_EQUAL(error_of("{\x1b[31m}"),
	                       "no field of an event has the name in the braces");
	CU_ASSERT(error_of("{event.id }")[0] != '\0');
	char longest[600];
	memset(longest, 'a', sizeof(longest));
	longest[0] = '{';
	memcpy(longest + 598, "}", 2);
	CU_ASSERT_STRING_EQUAL(error_of(longest),
	                       "no field of an event has the name in the braces");
}

static void fields_without_a_single_value_are_refused(void)
{
	CU_ASSERT(strstr(error_of("{labels}"), "single value") != NULL);
	CU_ASSERT(strstr(error_of("{tlscribe.findings}"), "single value") != NULL);
	CU_ASSERT(strstr(error_of("{tlscribe.findings.class}"), "single value") != NULL);
}

static void fields_of_other_entries_are_refused(void)
{
	CU_ASSERT(strstr(error_of("{tlscribe.close_reason}"), "no event of a handshake") != NULL);
	CU_ASSERT(strstr(error_of("{tlscribe.revoked.cause}"), "no event of a handshake") != NULL);
	CU_ASSERT(strstr(error_of("{event.sequence}"), "not known") != NULL);
}

static void braces_without_partner_are_refused(void)
{
	CU_ASSERT(strstr(error_of("{event.id"), "{ without }") != NULL);
	CU_ASSERT(strstr(error_of("x{"), "{ without }") != NULL);
	CU_ASSERT(strstr(error_of("event.id}"), "} without {") != NULL);
	CU_ASSERT(strstr(error_of("{event.id}}"), "} without {") != NULL);
}

static void other_text_than_visible_ascii_is_refused(void)
{
	CU_ASSERT(strstr(error_of("a\r\nX-Admin: 1"), "visible ASCII") != NULL);
	CU_ASSERT(strstr(error_of("a\tb"), "visible ASCII") != NULL);
	CU_ASSERT(strstr(error_of("J\xc3\xbcrgen"), "visible ASCII") != NULL);
	CU_ASSERT(strstr(error_of("\x7f"), "visible ASCII") != NULL);
}

static void too_many_fields_are_refused(void)
{
	char text[65 * 10 + 1];
	for (int i = 0; i < 65; i++) {
		memcpy(text + i * 10, "{event.id}", 11);
	}
	CU_ASSERT(strstr(error_of(text), "more than 64") != NULL);
	text[64 * 10] = '\0';
	CU_ASSERT_STRING_EQUAL(error_of(text), "");
}

static bool tells(const char *text)
{
	struct template *t = compile(text);
	bool yes = template_tells_of_certificate(t);
	template_free(&t);
	return yes;
}

static void what_tells_of_the_certificate_is_known(void)
{
	CU_ASSERT(tells("{tls.client.x509.subject.common_name}"));
	CU_ASSERT(tells("{event.id} {tls.client.hash.sha256}"));
	CU_ASSERT(tells("{user.name}"));
	CU_ASSERT(tells("{message}"));
	CU_ASSERT(tells("{tlscribe.certificate.purposes}"));
	CU_ASSERT(tells("{tlscribe.spki_sha256}"));
	CU_ASSERT(tells("{related.hash}"));
	CU_ASSERT(!tells("{event.id}"));
	CU_ASSERT(!tells("{tls.client.server_name}"));
	CU_ASSERT(!tells("{tlscribe.class} {tlscribe.verified}"));
	CU_ASSERT(!tells("no field"));
}

/* Every beginning of a body, and every body with one byte of another kind: nothing but a value or its absence. */
static void a_broken_body_is_read_within_its_bounds(void)
{
	struct fixture f;
	fixture_init(&f);
	struct buf body;
	buf_init(&body, EVENT_MAX);
	CU_ASSERT_EQUAL_FATAL(event_encode_handshake(&body, &f.from, &f.hs), E_OK);
	struct template *t =
		compile("{tls.client.x509.subject.common_name}{tlscribe.policy.epoch}");
	static const char kinds[] = "\"\\{}[],:u";
	for (size_t i = 0; i < body.len; i++) {
		/* Memory of its own, so that a byte too far is seen. */
		uint8_t *copy = malloc(body.len);
		CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
		memcpy(copy, body.data, body.len);
		char room[8192];
		struct buf out;
		buf_init_fixed(&out, room, sizeof(room));
		copy[i] = (uint8_t)kinds[i % (sizeof(kinds) - 1)];
		template_render(t, &out, slice_of(copy, body.len));
		uint8_t *shorter = realloc(copy, i + 1);
		CU_ASSERT_PTR_NOT_NULL_FATAL(shorter);
		memcpy(shorter, body.data, i + 1);
		buf_reset(&out);
		bool there = template_render(t, &out, slice_of(shorter, i + 1));
		CU_ASSERT(!there || out.len == strlen("acme-712"));
		free(shorter);
	}
	template_free(&t);
	buf_release(&body);
}

static const struct unit_test tests[] = {
	{"fields and text make the value", fields_and_text_make_the_value},
	{"every type of value renders", every_type_of_value_renders},
	{"every field says what the record says", every_field_says_what_the_record_says},
	{"an array of several is absent", an_array_of_several_is_absent},
	{"an absent field is absent", an_absent_field_is_absent},
	{"values cannot leave their place", values_cannot_leave_their_place},
	{"letters are percent-encoded UTF-8", letters_are_percent_encoded_utf8},
	{"bytes that are no UTF-8 are shown as in the record",
         bytes_that_are_no_utf8_are_shown_as_in_the_record},
	{"a value that was cut is absent", a_value_that_was_cut_is_absent},
	{"labels of the operator do not confuse", labels_of_the_operator_do_not_confuse},
	{"unknown fields are refused with the nearest name",
         unknown_fields_are_refused_with_the_nearest_name},
	{"fields without a single value are refused", fields_without_a_single_value_are_refused},
	{"fields of other entries are refused", fields_of_other_entries_are_refused},
	{"braces without partner are refused", braces_without_partner_are_refused},
	{"other text than visible ASCII is refused", other_text_than_visible_ascii_is_refused},
	{"too many fields are refused", too_many_fields_are_refused},
	{"what tells of the certificate is known", what_tells_of_the_certificate_is_known},
	{"a broken body is read within its bounds", a_broken_body_is_read_within_its_bounds},
};
UNIT_MAIN("event/template", tests)
