/* Whatever a client sends, its event is one line of ASCII JSON within the bounds. */
#include "fixture.h"
#include "table.h"

#define BIG (60 * 1024)
#define MANY 64

/* Repeated over BIG bytes: NUL, CR LF, quote, backslash, invalid, overlong, surrogate, and good
 * ones. */
static const uint8_t nasty[] =
	"\0\r\n\"\\\xff\xfe\xc0\xaf\xe0\x80\xaf\xed\xa0\x80\xf0\x9f\x94\x92\xc3\xbc\x7f\x1b[31m,}]";

static uint8_t big[BIG];

static void fill_big(void)
{
	for (size_t i = 0; i < sizeof(big); i++) {
		big[i] = nasty[i % (sizeof(nasty) - 1)];
	}
}

/* Checks bounds, JSON and table. Ends with json_decref(). */
static json_t *encoded(const struct fixture *f, struct buf *line)
{
	fixture_line(line, f);
	CU_ASSERT(line->len <= EVENT_MAX - 19); /* the sequence may have 20 digits, here it has one */
	json_t *entry = fixture_parse(line);
	CU_ASSERT_PTR_NOT_NULL_FATAL(entry);
	table_check(entry);
	return entry;
}

static void names_of_60_kib_are_cut_and_told(void)
{
	static const char *const cut[] = {
		"tls.next_protocol",
		"tls.client.server_name",
		"tls.client.subject",
		"tls.client.issuer",
		"tls.client.x509.serial_number",
		"tls.client.x509.subject.common_name",
		"tls.client.x509.issuer.common_name",
		"tls.client.x509.alternative_names",
		"user.name",
		"related.user",
		"related.hosts",
		"destination.domain",
		"observer.name",
		"service.name",
		"tlscribe.log",
		"tlscribe.anchor_file",
		"tlscribe.path.subject",
		"tlscribe.certificate.purposes",
	};
	struct fixture f;
	struct buf line;
	fixture_init(&f);
	fill_big();
	char *text = malloc(BIG + 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	memset(text, '"', BIG);
	text[BIG] = '\0';
	struct slice all = slice_of(big, sizeof(big));
	struct dn_value value = {DN_COMMON_NAME, all};
	struct san san = {SAN_URI, all, all};
	f.certs[0].subject = (struct dn){all, &value, 1};
	f.certs[0].issuer = (struct dn){all, &value, 1};
	f.certs[0].serial = slice_of(big + 1, BIG - 1);
	f.certs[0].sans = &san;
	f.certs[0].san_count = 1;
	f.certs[0].purposes = &all;
	f.verdict.path[0].subject = text;
	f.verdict.anchor_file = text;
	f.from.node = text;
	f.from.log = text;
	f.service.name = text;
	memcpy(f.hs.hello.server_name, big, HELLO_NAME_MAX);
	f.hs.hello.server_name_len = HELLO_NAME_MAX;
	memset(f.hs.tls.alpn, 0x01, sizeof(f.hs.tls.alpn));
	f.hs.tls.alpn_len = 255;

	json_t *entry = encoded(&f, &line);
	CU_ASSERT_EQUAL(json_array_size(fixture_get(entry, "tlscribe.truncated")),
	                sizeof(cut) / sizeof(cut[0]));
	for (size_t i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
		CU_ASSERT(fixture_is_cut(entry, cut[i]));
	}
	json_decref(entry);
	buf_release(&line);
	free(text);
}

/* Every array that a certificate can fill, each element with `len` bytes of the nasty ones. */
static void fill_arrays(struct fixture *f, size_t len, size_t count)
{
	static struct dn_value values[DN_ATTRIBUTE_COUNT * MANY];
	static struct san sans[MANY];
	static struct slice texts[MANY];
	static const char *usages[MANY];
	static struct qualified qualified;
	fill_big();
	struct slice text = slice_of(big, len);
	for (size_t i = 0; i < count; i++) {
		for (int a = 0; a < DN_ATTRIBUTE_COUNT; a++) {
			values[i * DN_ATTRIBUTE_COUNT + (size_t)a] =
				(struct dn_value){(enum dn_attribute)a, text};
		}
		sans[i] = (struct san){(enum san_type)(i % 6), text, text};
		texts[i] = text;
		usages[i] = "digitalSignature";
	}
	f->certs[0].subject = (struct dn){text, values, count * DN_ATTRIBUTE_COUNT};
	f->certs[0].issuer = f->certs[0].subject;
	f->certs[0].sans = sans;
	f->certs[0].san_count = count;
	f->certs[0].purposes = texts;
	f->certs[0].purpose_count = count;
	f->certs[0].policies = texts;
	f->certs[0].policy_count = count;
	f->certs[0].key_usages = usages;
	f->certs[0].key_usage_count = count;
	qualified = (struct qualified){texts, count, texts, count, texts, count < 4 ? count : 4};
	f->certs[0].qualified = &qualified;
}

static void arrays_have_at_most_32_elements(void)
{
	struct fixture f;
	struct buf line;
	fixture_init(&f);
	fill_arrays(&f, 7, 33);
	json_t *entry = encoded(&f, &line);
	CU_ASSERT_EQUAL(json_array_size(fixture_get(entry, "tls.client.x509.alternative_names")),
	                32);
	CU_ASSERT_EQUAL(json_array_size(fixture_get(entry, "tlscribe.certificate.key_usage")), 32);
	CU_ASSERT(fixture_is_cut(entry, "tls.client.x509.alternative_names"));
	CU_ASSERT(fixture_is_cut(entry, "tls.client.x509.subject.locality"));
	CU_ASSERT(fixture_is_cut(entry, "tlscribe.certificate.key_usage"));
	CU_ASSERT(fixture_is_cut(entry, "tlscribe.certificate.organization_identifier"));
	CU_ASSERT(fixture_is_cut(entry, "tlscribe.certificate.qc_statements"));
	json_decref(entry);
	buf_release(&line);

	fill_arrays(&f, 7, 32);
	entry = encoded(&f, &line);
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tlscribe.truncated"));
	json_decref(entry);
	buf_release(&line);
}

static void of_64_names_of_1_kib_the_last_arrays_go_first(void)
{
	struct fixture f;
	struct buf line;
	fixture_init(&f);
	fixture_fault(&f, CLASS_EXPIRED);
	fill_arrays(&f, 1024, MANY);
	json_t *entry = encoded(&f, &line);
	/* All arrays of tlscribe, then those of x509 from the end until the rest fits: one of 32
	 * KiB does. */
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tlscribe.certificate"));
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tlscribe.path"));
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tlscribe.findings"));
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tls.client.x509.alternative_names"));
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tls.client.x509.issuer"));
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tls.client.x509.subject.organization"));
	CU_ASSERT_EQUAL(json_array_size(fixture_get(entry, "tls.client.x509.subject.common_name")),
	                32);
	CU_ASSERT(fixture_is_cut(entry, "tlscribe.findings"));
	CU_ASSERT(fixture_is_cut(entry, "tlscribe.client_hello.versions"));
	CU_ASSERT(fixture_is_cut(entry, "tls.client.x509.subject.organization"));
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tls.client.x509.public_key_algorithm"),
	                       "ECDSA");
	json_decref(entry);
	buf_release(&line);
}

static void of_a_back_end_they_go_in_the_same_way(void)
{
	struct fixture f;
	struct buf line;
	fixture_init(&f);
	fixture_egress(&f);
	fill_arrays(&f, 1024, MANY);
	json_t *entry = encoded(&f, &line);
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tlscribe.certificate"));
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tls.server.x509.alternative_names"));
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tls.server.x509.issuer"));
	CU_ASSERT_EQUAL(json_array_size(fixture_get(entry, "tls.server.x509.subject.common_name")),
	                32);
	CU_ASSERT(fixture_is_cut(entry, "tls.server.x509.subject.organization"));
	CU_ASSERT_FALSE(fixture_is_cut(entry, "tls.client.x509.subject.organization"));
	json_decref(entry);
	buf_release(&line);
}

static void of_a_revoked_connection_they_go_in_the_same_way(void)
{
	struct fixture f;
	struct buf line;
	fixture_init(&f);
	fixture_fault(&f, CLASS_REVOKED);
	fill_arrays(&f, 1024, MANY);
	struct connection_revoked revoked = fixture_revoked(&f);
	fixture_revoked_line(&line, &f, &revoked);
	CU_ASSERT(line.len <= EVENT_MAX - 19);
	json_t *entry = fixture_parse(&line);
	CU_ASSERT_PTR_NOT_NULL_FATAL(entry);
	table_check(entry);
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tlscribe.certificate"));
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tls.client.x509.issuer"));
	CU_ASSERT_EQUAL(json_array_size(fixture_get(entry, "tls.client.x509.subject.common_name")),
	                32);
	CU_ASSERT(fixture_is_cut(entry, "tlscribe.certificate.qc_statements"));
	CU_ASSERT_STRING_EQUAL(fixture_string(entry, "tlscribe.revoked.cause"), "list");
	json_decref(entry);
	buf_release(&line);
}

static void names_of_left_out_headers_are_bounded(void)
{
	static const char *omitted[MANY];
	static char name[2000];
	struct fixture f;
	struct buf line;
	fixture_init(&f);
	memset(name, '"', sizeof(name) - 1);
	for (size_t i = 0; i < MANY; i++) {
		omitted[i] = i == 0 ? name : "X-Header";
	}
	f.hs.omitted_headers = omitted;
	f.hs.omitted_header_count = MANY;
	json_t *entry = encoded(&f, &line);
	CU_ASSERT_EQUAL(json_array_size(fixture_get(entry, "tlscribe.headers.omitted")), 32);
	CU_ASSERT(fixture_is_cut(entry, "tlscribe.headers.omitted"));
	json_decref(entry);
	buf_release(&line);
}

/* The length of the body with a label of `len` bytes in it, and whether its policies are still
 * there. */
static size_t body_with_label(size_t len, bool *has_policies)
{
	static uint8_t labels[EVENT_MAX];
	struct fixture f;
	struct buf line;
	fixture_init(&f);
	fill_arrays(&f, 10, 4);
	f.certs[0].qualified = NULL; /* so that the policies are the last array */
	memset(labels, 'x', sizeof(labels));
	memcpy(labels, "{\"a\":\"", 6);
	memcpy(labels + 6 + len, "\"}", 2);
	f.service.labels = slice_of(labels, 6 + len + 2);
	fixture_line(&line, &f);
	json_t *entry = fixture_parse(&line);
	CU_ASSERT_PTR_NOT_NULL_FATAL(entry);
	*has_policies = fixture_get(entry, "tlscribe.certificate.policies") != NULL;
	CU_ASSERT_EQUAL(*has_policies, !fixture_is_cut(entry, "tlscribe.certificate.policies"));
	CU_ASSERT_PTR_NOT_NULL(fixture_get(entry, "tlscribe.certificate.key_usage"));
	size_t body = line.len - (sizeof(EVENT_HEAD "0,") - 1);
	json_decref(entry);
	buf_release(&line);
	return body;
}

static void the_bound_is_kept_to_the_byte(void)
{
	bool has_policies;
	size_t around = body_with_label(1, &has_policies) - 1;
	CU_ASSERT(has_policies);
	CU_ASSERT_EQUAL(body_with_label(EVENT_BODY_MAX - around - 1, &has_policies),
	                EVENT_BODY_MAX - 1);
	CU_ASSERT(has_policies);
	CU_ASSERT_EQUAL(body_with_label(EVENT_BODY_MAX - around, &has_policies), EVENT_BODY_MAX);
	CU_ASSERT(has_policies);
	CU_ASSERT(body_with_label(EVENT_BODY_MAX - around + 1, &has_policies) < EVENT_BODY_MAX);
	CU_ASSERT(!has_policies);
	CU_ASSERT(body_with_label(EVENT_BODY_MAX - around + 10, &has_policies) < EVENT_BODY_MAX);
	CU_ASSERT(!has_policies);
}

static void all_32_findings_are_kept(void)
{
	struct fixture f;
	struct buf line;
	fixture_init(&f);
	fixture_fault(&f, CLASS_EXPIRED);
	f.verdict.finding_count = VERDICT_FINDINGS_MAX;
	for (int i = 0; i < VERDICT_FINDINGS_MAX; i++) {
		f.verdict.findings[i] = (struct finding){
			.class = CLASS_EXPIRED, .depth = i, .code = 10, .detail = "say \"why\""};
	}
	f.hs.tolerated = 0x80000001;
	json_t *entry = encoded(&f, &line);
	json_t *findings = fixture_get(entry, "tlscribe.findings");
	CU_ASSERT_EQUAL(json_array_size(findings), 32);
	CU_ASSERT(json_is_true(json_object_get(json_array_get(findings, 0), "tolerated")));
	CU_ASSERT_PTR_NULL(json_object_get(json_array_get(findings, 1), "tolerated"));
	CU_ASSERT(json_is_true(json_object_get(json_array_get(findings, 31), "tolerated")));
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(json_array_get(findings, 31), "depth")),
	                31);
	CU_ASSERT_PTR_NULL(fixture_get(entry, "tlscribe.truncated"));
	json_decref(entry);
	buf_release(&line);
}

/* Into a growing buffer and into fixed memory with something before it; small, and too long. */
static void the_same_input_gives_the_same_bytes(void)
{
	static uint8_t memory[EVENT_MAX + 100];
	for (size_t len = 1; len <= 1024; len += 1023) {
		struct fixture f;
		struct buf one, two;
		fixture_init(&f);
		fill_arrays(&f, len, MANY);
		buf_init(&one, EVENT_BODY_MAX);
		buf_init_fixed(&two, memory, sizeof(memory));
		buf_append_text(&two, "before");
		CU_ASSERT_EQUAL(event_encode_handshake(&one, &f.from, &f.hs), E_OK);
		CU_ASSERT_EQUAL(event_encode_handshake(&two, &f.from, &f.hs), E_OK);
		CU_ASSERT(slice_equal(buf_slice(&one), slice_of(two.data + 6, two.len - 6)));
		buf_release(&one);
	}
}

static void a_buffer_that_is_too_small_stays_as_it_was(void)
{
	uint8_t memory[300];
	struct fixture f;
	struct buf out;
	fixture_init(&f);
	buf_init_fixed(&out, memory, sizeof(memory));
	buf_append_text(&out, "before");
	CU_ASSERT_EQUAL(event_encode_handshake(&out, &f.from, &f.hs), E_LIMIT);
	CU_ASSERT(slice_equal(buf_slice(&out), SLICE("before")));
}

static void the_minimal_event_fits_whatever_the_names_are(void)
{
	uint8_t memory[EVENT_MINIMAL_MAX];
	static char name[8 * 1024 + 1];
	struct fixture f;
	struct buf out;
	fixture_init(&f);
	memset(name, '\n', sizeof(name) - 1);
	f.from.node = name;
	f.from.log = name;
	memset(f.hs.id, 'x', ID_MAX);
	f.hs.duration_ns = UINT64_MAX;
	f.hs.source_bytes = UINT64_MAX;
	f.hs.destination_bytes = UINT64_MAX;
	memset(f.hs.source.ip, 0xff, 16);
	f.hs.source.family = AF_INET6;
	memset(f.hs.destination.ip, 0xee, 16);
	f.hs.destination.family = AF_INET6;
	memset(f.hs.peer.ip, 0xdd, 16);
	f.hs.peer.family = AF_INET6;
	f.hs.peer.port = UINT16_MAX;
	f.hs.egress = true;
	f.hs.connection = f.hs.id;
	buf_init_fixed(&out, memory, sizeof(memory));
	CU_ASSERT_EQUAL(event_encode_minimal(&out, &f.from, &f.hs), E_OK);
}

/* The parts' texts, one after the other, and how many files they name. */
static void gather(const struct fixture *f, const struct audit_config *a, struct buf *text,
                   size_t *files)
{
	unsigned parts = event_audit_config_parts(a);
	*files = 0;
	for (unsigned part = 1; part <= parts; part++) {
		struct buf line;
		fixture_head(&line);
		CU_ASSERT_EQUAL(event_encode_audit_config(&line, &f->from, "id", a, part), E_OK);
		json_t *entry = fixture_parse(&line);
		CU_ASSERT_PTR_NOT_NULL_FATAL(entry);
		table_check(entry);
		CU_ASSERT_EQUAL(json_integer_value(fixture_get(entry, "tlscribe.audit.part")), part);
		CU_ASSERT_EQUAL(json_integer_value(fixture_get(entry, "tlscribe.audit.parts")),
		                parts);
		*files += json_array_size(fixture_get(entry, "tlscribe.audit.files"));
		json_t *piece = fixture_get(entry, "tlscribe.audit.text");
		if (piece != NULL) {
			buf_append_text(text, json_string_value(piece));
		}
		json_decref(entry);
		buf_release(&line);
	}
}

static void a_long_configuration_is_whole_again_from_its_parts(void)
{
	static char text[200 * 1024 + 1];
	static struct audit_file files[100];
	static char path[2000];
	struct fixture f;
	struct buf whole;
	size_t file_count;
	fixture_init(&f);
	f.from.labels = SLICE("{\"a\":\"b\"}");
	for (size_t i = 0; i + 8 < sizeof(text); i += 8) {
		memcpy(text + i, "\xf0\x9f\x94\x92\"\\\nx", 8);
	}
	memset(path, 'p', sizeof(path) - 1);
	for (size_t i = 0; i < 100; i++) {
		files[i] = (struct audit_file){.path = path,
		                               .kind = i % 2 == 0 ? "ca" : "crl",
		                               .subject = path,
		                               .entries = INT64_MAX,
		                               .this_update_s = INT64_MIN,
		                               .next_update_s = INT64_MAX};
	}
	struct audit_config a = {.epoch = 1,
	                         .sha256 = fixture_policy,
	                         .reason = "start",
	                         .text = text,
	                         .files = files,
	                         .file_count = 100};
	buf_init(&whole, 1 << 20);
	gather(&f, &a, &whole, &file_count);
	CU_ASSERT(event_audit_config_parts(&a) > 10);
	CU_ASSERT_EQUAL(file_count, 100);
	CU_ASSERT(slice_equal(buf_slice(&whole), slice_text(text)));
	buf_reset(&whole);
	a.text = NULL;
	a.file_count = 0;
	gather(&f, &a, &whole, &file_count);
	CU_ASSERT_EQUAL(event_audit_config_parts(&a), 1);
	CU_ASSERT_EQUAL(whole.len, 0);
	buf_release(&whole);
}

/* splitmix64: the same numbers every time. */
static uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static struct slice random_slice(uint64_t *state)
{
	static const size_t longest[] = {0, 3, 40, 300, 1100, 5000};
	size_t len = random_next(state) % (longest[random_next(state) % 6] + 1);
	return slice_of(big + random_next(state) % (BIG - len), len);
}

static void random_cert(struct cert *cert, uint64_t *state)
{
	static struct dn_value values[2][MANY];
	static struct san sans[MANY];
	static struct slice texts[2][MANY];
	static struct qualified qualified;
	fixture_cert(cert);
	cert->parsed = random_next(state) % 16 != 0;
	cert->serial = random_slice(state);
	cert->not_before_s = (int64_t)random_next(state);
	cert->not_after_s = (int64_t)random_next(state);
	cert->version = (unsigned)random_next(state) % 5;
	cert->subject = (struct dn){random_slice(state), values[0], random_next(state) % MANY};
	cert->issuer = (struct dn){random_slice(state), values[1], random_next(state) % MANY};
	for (size_t i = 0; i < MANY; i++) {
		values[0][i] = (struct dn_value){
			(enum dn_attribute)(random_next(state) % DN_ATTRIBUTE_COUNT),
			random_slice(state)};
		values[1][i] = (struct dn_value){
			(enum dn_attribute)(random_next(state) % DN_ATTRIBUTE_COUNT),
			random_slice(state)};
		sans[i] = (struct san){(enum san_type)(random_next(state) % 6), random_slice(state),
		                       random_slice(state)};
		texts[0][i] = random_slice(state);
		texts[1][i] = random_slice(state);
	}
	cert->sans = sans;
	cert->san_count = random_next(state) % MANY;
	cert->purposes = texts[0];
	cert->purpose_count = random_next(state) % MANY;
	cert->policies = texts[1];
	cert->policy_count = random_next(state) % MANY;
	qualified = (struct qualified){texts[0], random_next(state) % MANY,
	                               texts[1], random_next(state) % MANY,
	                               texts[0], random_next(state) % 5};
	cert->qualified = random_next(state) % 2 == 0 ? &qualified : NULL;
}

static void random_handshake(struct fixture *f, uint64_t *state)
{
	fixture_init(f);
	random_cert(&f->certs[0], state);
	struct handshake *hs = &f->hs;
	fixture_fault(f, (enum peer_class)(random_next(state) % CLASS_COUNT));
	f->verdict.finding_count = random_next(state) % (VERDICT_FINDINGS_MAX + 1);
	for (size_t i = 0; i < f->verdict.finding_count; i++) {
		f->verdict.findings[i] = (struct finding){
			.class = (enum peer_class)(random_next(state) % CLASS_COUNT),
			.depth = (int)(random_next(state) % 20),
			.at_s = (int64_t)random_next(state),
			.detail = random_next(state) % 2 == 0 ? "detail" : NULL,
		};
	}
	f->verdict.revocation = (struct revocation){
		.source = (enum revocation_source)(random_next(state) % 3),
		.status = (enum revocation_status)(random_next(state) % 3),
		.checked = random_next(state) % 2 == 0,
		.this_update_s = (int64_t)random_next(state),
		.next_update_s = (int64_t)random_next(state),
	};
	hs->decision = (enum decision)(random_next(state) % DECISION_COUNT);
	hs->denied_by = (enum denied_by)(random_next(state) % DENIED_BY_COUNT);
	hs->verified = random_next(state) % 2 == 0;
	hs->tolerated = (uint32_t)random_next(state);
	hs->possession = (enum possession)(random_next(state) % 4);
	hs->start_us = (int64_t)random_next(state);
	hs->end_us = (int64_t)random_next(state);
	hs->client_hello_us = (int64_t)random_next(state);
	hs->source.family = random_next(state) % 2 == 0 ? AF_INET6 : AF_INET;
	memcpy(hs->source.ip, big + random_next(state) % (BIG - 16), 16);
	memcpy(hs->hello.server_name, big + random_next(state) % (BIG - HELLO_NAME_MAX),
	       HELLO_NAME_MAX);
	hs->hello.server_name_len = (uint16_t)(random_next(state) % (HELLO_NAME_MAX + 1));
	memcpy(hs->hello.alpn, big + random_next(state) % (BIG - HELLO_ALPN_MAX), HELLO_ALPN_MAX);
	hs->hello.alpn_len = (uint16_t)(random_next(state) % (HELLO_ALPN_MAX + 1));
	memcpy(hs->tls.alpn, big, 255);
	hs->tls.alpn_len = (uint8_t)random_next(state);
	hs->tls.version = random_next(state) % 2 == 0 ? TLS_VERSION_NONE : TLS_VERSION_1_2;
	hs->presented = random_next(state) % 2 == 0;
	hs->chain = random_next(state) % 8 == 0 ? NULL : &f->chain;
	hs->verdict = random_next(state) % 8 == 0 ? NULL : &f->verdict;
	hs->service = random_next(state) % 8 == 0 ? NULL : &f->service;
	hs->egress = random_next(state) % 4 == 0;
	hs->connection = random_next(state) % 2 == 0 ? "q3k9c1m2x7w4a-2-18f" : NULL;
	hs->server = random_next(state) % 2 == 0 ? "unix:/run/back.sock" : NULL;
	hs->peer.family = random_next(state) % 2 == 0 ? AF_INET : 0;
	hs->tls.has_server_certificate = random_next(state) % 2 == 0;
}

static void random_bytes_give_good_events(void)
{
	uint64_t state = 20261121;
	for (size_t i = 0; i < BIG; i++) {
		/* Half of them text and half anything, in runs. */
		big[i] = (uint8_t)((i / 512) % 2 == 0 ? random_next(&state)
		                                      : 0x20 + random_next(&state) % 0x60);
	}
	unsigned dropped = 0;
	for (int i = 0; i < 2000; i++) {
		struct fixture f;
		struct buf line;
		random_handshake(&f, &state);
		json_t *entry = encoded(&f, &line);
		dropped += fixture_is_cut(entry, "tlscribe.certificate.policies") ? 1 : 0;
		json_decref(entry);
		buf_release(&line);

		f.hs.egress = false;
		struct connection_revoked revoked = fixture_revoked(&f);
		revoked.at_us = (int64_t)random_next(&state);
		fixture_revoked_line(&line, &f, &revoked);
		entry = fixture_parse(&line);
		CU_ASSERT_PTR_NOT_NULL_FATAL(entry);
		table_check(entry);
		json_decref(entry);
		buf_release(&line);
	}
	CU_ASSERT(dropped > 100 && dropped < 1900);
}

static const struct unit_test tests[] = {
	{"names of 60 KiB are cut, and told", names_of_60_kib_are_cut_and_told},
	{"arrays have at most 32 elements", arrays_have_at_most_32_elements},
	{"of 64 names of 1 KiB the last arrays go first",
         of_64_names_of_1_kib_the_last_arrays_go_first},
	{"of a back end they go in the same way", of_a_back_end_they_go_in_the_same_way},
	{"of a revoked connection they go in the same way",
         of_a_revoked_connection_they_go_in_the_same_way},
	{"names of left out headers are bounded", names_of_left_out_headers_are_bounded},
	{"the bound is kept to the byte", the_bound_is_kept_to_the_byte},
	{"all 32 findings are kept", all_32_findings_are_kept},
	{"the same input gives the same bytes", the_same_input_gives_the_same_bytes},
	{"a buffer that is too small stays as it was", a_buffer_that_is_too_small_stays_as_it_was},
	{"the minimal event fits whatever the names are",
         the_minimal_event_fits_whatever_the_names_are},
	{"a long configuration is whole again from its parts",
         a_long_configuration_is_whole_again_from_its_parts},
	{"random bytes give good events", random_bytes_give_good_events},
};
UNIT_MAIN("event/hostile", tests)
