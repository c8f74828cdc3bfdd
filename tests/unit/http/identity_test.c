#include "http/identity.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "unit.h"

/* Every header of every preset, from the table itself. */
static const struct {
	const char *preset;
	const char *name;
	bool status;
} table[] = {
#define PRESET(symbol, word, absent)
#define HEADER(preset, name, renderer, kind) {#preset, name, KIND_##kind},
#define KIND_DATA false
#define KIND_STATUS true
#define KIND_PRESENCE true
#include "http/identity.def"
#undef HEADER
#undef PRESET
};
#define TABLE_COUNT (sizeof(table) / sizeof(table[0]))

static const struct {
	const char *symbol;
	const char *word;
} presets[] = {
#define PRESET(symbol, word, absent) {#symbol, word},
#define HEADER(preset, name, renderer, kind)
#include "http/identity.def"
#undef HEADER
#undef PRESET
};
#define PRESET_COUNT (sizeof(presets) / sizeof(presets[0]))

/* --- a certificate by hand --- */

#define TEXT(literal) ((char[]){literal})

static const uint8_t sha256[32] = {0xab, 0xcd, 0xef};
static const uint8_t sha1[20] = {0x0a, 0x1b};
static const uint8_t der[100] = {0x30, 0x62, 0x00, 0xfb, 0xff, 0xbf};
static const struct slice chain[] = {{(const uint8_t *)"\x30\x01\x00", 3},
                                     {(const uint8_t *)"\x30\x02\x00\x00", 4}};
static const struct identity_attribute subject[] = {{"C", {(const uint8_t *)"DE", 2}},
                                                    {"O", {(const uint8_t *)"Acme", 4}},
                                                    {"CN", {(const uint8_t *)"acme-7", 6}}};
static const struct identity_attribute issuer[] = {{"CN", {(const uint8_t *)"Partner A CA", 12}}};
static const struct identity_san sans[] = {
	{IDENTITY_SAN_URI, {(const uint8_t *)"spiffe://a/b", 12}},
	{IDENTITY_SAN_DNS, {(const uint8_t *)"acme-7.example", 14}},
	{IDENTITY_SAN_IP, {(const uint8_t *)"\xc0\x00\x02\x07", 4}},
	{IDENTITY_SAN_EMAIL, {(const uint8_t *)"a@acme.example", 14}},
};

static struct identity good(void)
{
	return (struct identity){
		.used = true,
		.verified = true,
		.class_name = "ok",
		.sentence = "the client certificate is good",
		.now_s = 1795249800, /* 2026-11-21T08:30:00Z */
		.der = {der, sizeof(der)},
		.chain = chain,
		.chain_count = 2,
		.sha256 = sha256,
		.sha1 = sha1,
		.subject = SLICE("CN=acme-7,O=Acme,C=DE"),
		.issuer = SLICE("CN=Partner A CA"),
		.subject_attributes = subject,
		.subject_attribute_count = 3,
		.issuer_attributes = issuer,
		.issuer_attribute_count = 1,
		.serial = SLICE("\x00\xa1\x0b"),
		.not_before_s = 1795249800 - 100 * 86400,
		.not_after_s = 1795249800 + 30 * 86400 + 5,
		.sans = sans,
		.san_count = 4,
		.by = SLICE("spiffe://edge/1"),
	};
}

static struct identity expired(void)
{
	struct identity identity = good();
	identity.verified = false;
	identity.class_name = "expired";
	identity.sentence = "the client certificate has expired";
	identity.code = 10;
	identity.not_after_s = identity.now_s - 1;
	return identity;
}

static struct identity nobody(void)
{
	return (struct identity){.class_name = "no_certificate",
	                         .sentence = "the client presented no certificate",
	                         .code = 1008,
	                         .now_s = 1795249800};
}

/* --- a service by hand --- */

struct setup {
	struct config_service service;
	struct config_identity identity;
	struct config_text only[4], attributes[4];
	struct config_label names[2];
};

static void setup_of(struct setup *s, const char *preset)
{
	*s = (struct setup){.identity = {.at = {5, 9}, .preset = {(char *)preset, {5, 9}}}};
	s->service.identities = &s->identity;
	s->service.identity_count = 1;
	s->identity.only.items = s->only;
	s->identity.attributes = (struct config_texts){s->attributes, 0, {6, 1}};
	s->identity.names.items = s->names;
}

static void add_text(struct config_texts *to, const char *text)
{
	to->items[to->count++] = (struct config_text){(char *)text, {6, 1}};
}

static void add_name(struct setup *s, const char *name, const char *value)
{
	s->names[s->identity.names.count++] =
		(struct config_label){{(char *)name, {7, 1}}, {(char *)value, {7, 20}}};
}

static char written[200000];
static struct identity_omitted omitted;

/* All lines of a service for this identity. */
static const char *write_of(const struct setup *s, const struct identity *identity)
{
	struct diag diag;
	struct identity_headers *headers = NULL;
	struct buf out;
	diag_init(&diag);
	CU_ASSERT_EQUAL_FATAL(identity_headers_new(&headers, &s->service, "x.yaml", &diag), E_OK);
	CU_ASSERT_EQUAL(diag.warnings, 0);
	omitted = (struct identity_omitted){0};
	buf_init_fixed(&out, written, sizeof(written) - 1);
	identity_headers_write(headers, &out, identity, &omitted);
	CU_ASSERT_EQUAL(out.err, E_OK);
	written[out.len] = '\0';
	CU_ASSERT_EQUAL(strlen(written), out.len);
	identity_headers_free(&headers);
	CU_ASSERT_PTR_NULL(headers);
	diag_release(&diag);
	return written;
}

static const char *write_preset(const char *preset, enum identity_absent absent,
                                const struct identity *identity)
{
	struct setup s;
	setup_of(&s, preset);
	s.identity.absent = absent;
	return write_of(&s, identity);
}

/* The value of a header in `written`; "(absent)". */
static const char *value_of(const char *name)
{
	static char value[9000];
	const char *line = written;
	while (*line != '\0') {
		const char *end = strstr(line, "\r\n");
		CU_ASSERT_PTR_NOT_NULL_FATAL(end);
		size_t len = strlen(name);
		if (strncmp(line, name, len) == 0 && strncmp(line + len, ": ", 2) == 0) {
			snprintf(value, sizeof(value), "%.*s", (int)(end - line - (int)len - 2),
			         line + len + 2);
			return value;
		}
		line = end + 2;
	}
	return "(absent)";
}

static size_t count_lines(void)
{
	size_t count = 0;
	for (const char *p = written; (p = strstr(p, "\r\n")) != NULL; p += 2) {
		count++;
	}
	return count;
}

/* The sentence of the first error. */
static const char *error_of(const struct setup *s)
{
	static char sentence[400];
	struct diag diag;
	struct identity_headers *headers = NULL;
	diag_init(&diag);
	int err = identity_headers_new(&headers, &s->service, "x.yaml", &diag);
	CU_ASSERT_EQUAL(err == E_INVALID, diag.errors > 0);
	CU_ASSERT_EQUAL(headers == NULL, err != E_OK);
	sentence[0] = '\0';
	if (diag.first != NULL) {
		CU_ASSERT(diag.first->at.line >= 5);
		snprintf(sentence, sizeof(sentence), "%s", diag.first->text);
	}
	identity_headers_free(&headers);
	diag_release(&diag);
	return sentence;
}

/* --- the presets --- */

static void rfc9440_writes_structured_fields(void)
{
	struct identity identity = good();
	identity.der = SLICE("\x01\x02\xff");
	write_preset("rfc9440", ABSENT_DEFAULT, &identity);
	/* RFC 9440 2.1, 2.2; RFC 8941 3.3.5, 3.3.6 */
	CU_ASSERT_STRING_EQUAL(value_of("Client-Cert"), ":AQL/:");
	CU_ASSERT_STRING_EQUAL(value_of("Client-Cert-Chain"), ":MAEA:, :MAIAAA==:");
	CU_ASSERT_STRING_EQUAL(value_of("Client-Cert-Verified"), "?1;class=ok");
	identity.chain_count = 0;
	write_preset("rfc9440", ABSENT_DEFAULT, &identity);
	CU_ASSERT_STRING_EQUAL(value_of("Client-Cert-Chain"), "(absent)");
	identity = expired();
	write_preset("rfc9440", ABSENT_DEFAULT, &identity);
	CU_ASSERT_STRING_EQUAL(value_of("Client-Cert-Verified"), "?0;class=expired");
}

static void x_ssl_writes_as_haproxy_users_do(void)
{
	struct identity identity = good();
	write_preset("x-ssl", ABSENT_DEFAULT, &identity);
	CU_ASSERT_EQUAL(count_lines(), 12);
	CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Verify"), "0");
	CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Client-CN"), "acme-7");
	CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Client-DN"), "CN=acme-7,O=Acme,C=DE");
	CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Client-Issuer-DN"), "CN=Partner A CA");
	CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Client-Serial"), "A10B");
	CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Client-NotBefore"), "260813083000Z");
	CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Client-NotAfter"), "261221083005Z");
	CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Client-SHA1"),
	                       "0A1B000000000000000000000000000000000000");
	CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Present"), "1");
	CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Verified"), "1");
	CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Class"), "ok");
	identity = expired();
	write_preset("x-ssl", ABSENT_DEFAULT, &identity);
	CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Verify"), "10");
	CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Present"), "1");
	CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Verified"), "0");
	CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Class"), "expired");
}

static void years_that_two_digits_cannot_tell_have_four(void)
{
	struct identity identity = good();
	identity.not_before_s = -631152001; /* 1949-12-31T23:59:59Z */
	identity.not_after_s = 2524608000;  /* 2050-01-01T00:00:00Z, RFC 5280 4.1.2.5 */
	write_preset("x-ssl", ABSENT_DEFAULT, &identity);
	CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Client-NotBefore"), "19491231235959Z");
	CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Client-NotAfter"), "20500101000000Z");
	identity.not_after_s = INT64_MAX;
	write_preset("x-ssl", ABSENT_DEFAULT, &identity);
	CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Client-NotAfter"), "");
}

static void xfcc_writes_pairs(void)
{
	struct identity identity = good();
	identity.der = SLICE("\x01\x02\xff");
	write_preset("xfcc", ABSENT_DEFAULT, &identity);
	CU_ASSERT_STRING_EQUAL(
		value_of("X-Forwarded-Client-Cert"),
		"By=spiffe://edge/1;Hash=abcdef0000000000000000000000000000000000000000000000000000"
		"000000;Cert=\"-----BEGIN%20CERTIFICATE-----%0AAQL%2F%0A-----END%20CERTIFICATE-----"
		"%0A\";Chain=\"-----BEGIN%20CERTIFICATE-----%0AAQL%2F%0A-----END%20CERTIFICATE-----"
		"%0A-----BEGIN%20CERTIFICATE-----%0AMAEA%0A-----END%20CERTIFICATE-----%0A"
		"-----BEGIN%20CERTIFICATE-----%0AMAIAAA%3D%3D%0A-----END%20CERTIFICATE-----%0A\";"
		"Subject=\"CN=acme-7,O=Acme,C=DE\";URI=spiffe://a/b;DNS=acme-7.example");
	CU_ASSERT_STRING_EQUAL(value_of("X-Forwarded-Client-Cert-Verified"), "SUCCESS");
	identity = expired();
	identity.by = (struct slice){0};
	write_preset("xfcc", ABSENT_DEFAULT, &identity);
	CU_ASSERT_EQUAL(strncmp(value_of("X-Forwarded-Client-Cert"), "Hash=", 5), 0);
	CU_ASSERT_STRING_EQUAL(value_of("X-Forwarded-Client-Cert-Verified"), "FAILED:expired");
}

static void nginx_writes_as_its_ingress_does(void)
{
	struct identity identity = good();
	identity.der = SLICE("\x01\x02\xff");
	write_preset("nginx", ABSENT_DEFAULT, &identity);
	CU_ASSERT_EQUAL(count_lines(), 6);
	CU_ASSERT_STRING_EQUAL(value_of("ssl-client-verify"), "SUCCESS");
	CU_ASSERT_STRING_EQUAL(
		value_of("ssl-client-cert"),
		"-----BEGIN%20CERTIFICATE-----%0AAQL%2F%0A-----END%20CERTIFICATE-----%0A");
	CU_ASSERT_STRING_EQUAL(
		value_of("ssl-client-escaped-cert"),
		"-----BEGIN%20CERTIFICATE-----%0AAQL%2F%0A-----END%20CERTIFICATE-----%0A");
	CU_ASSERT_STRING_EQUAL(value_of("ssl-client-subject-dn"), "CN=acme-7,O=Acme,C=DE");
	CU_ASSERT_STRING_EQUAL(value_of("ssl-client-issuer-dn"), "CN=Partner A CA");
	CU_ASSERT_STRING_EQUAL(value_of("ssl-client-s-dn-parsed"), "acme-7");
	identity = expired();
	write_preset("nginx", ABSENT_DEFAULT, &identity);
	CU_ASSERT_STRING_EQUAL(value_of("ssl-client-verify"),
	                       "FAILED:the client certificate has expired");
}

static void pem_has_lines_of_64_characters(void)
{
	struct identity identity = good();
	write_preset("azure", ABSENT_DEFAULT, &identity);
	const char *pem = value_of("X-Client-Certificate");
	const char *body = strstr(pem, "%0A");
	CU_ASSERT_PTR_NOT_NULL_FATAL(body);
	size_t characters = 0;
	for (body += 3; strncmp(body, "%0A", 3) != 0; characters++) {
		body += *body == '%' ? 3 : 1;
	}
	CU_ASSERT_EQUAL(characters, 64);
	CU_ASSERT(strstr(pem, "%2B") != NULL && strstr(pem, "%2F") != NULL);
	CU_ASSERT_PTR_NULL(strpbrk(pem, "+/= "));
	CU_ASSERT_STRING_EQUAL(pem + strlen(pem) - 3, "%0A");
}

static void azure_writes_pem_and_der(void)
{
	struct identity identity = good();
	identity.der = SLICE("\x01\x02\xff\xfe");
	write_preset("azure", ABSENT_DEFAULT, &identity);
	CU_ASSERT_STRING_EQUAL(value_of("X-ARR-ClientCert"), "AQL//g==");
	CU_ASSERT_STRING_EQUAL(value_of("X-Client-Certificate-Verified"), "SUCCESS");
}

static void akamai_writes_the_certificate_or_attributes(void)
{
	struct identity identity = expired();
	identity.der = SLICE("\x01\x02\xff");
	write_preset("akamai", ABSENT_DEFAULT, &identity);
	CU_ASSERT_STRING_EQUAL(value_of("Client-to-Edge-HTTP-Auth"),
	                       "validation-status=invalid;class=expired, certificate=:AQL/:");
	struct setup s;
	setup_of(&s, "akamai");
	add_text(&s.identity.attributes, "cn");
	add_text(&s.identity.attributes, "subject");
	add_text(&s.identity.attributes, "issuer");
	add_text(&s.identity.attributes, "sha256");
	identity = good();
	identity.subject = SLICE("CN=a\\,\\\"b");
	write_of(&s, &identity);
	CU_ASSERT_STRING_EQUAL(
		value_of("Client-to-Edge-HTTP-Auth"),
		"validation-status=valid;class=ok, "
		"sha256=\"ABCDEF0000000000000000000000000000000000000000000000000000000000\", "
		"subject=\"CN=a\\\\2c\\\\22b\", cn=\"acme-7\", issuer=\"CN=Partner A CA\"");
}

static void traefik_writes_body_and_info(void)
{
	struct identity identity = good();
	identity.der = SLICE("\x01\x02\xff\xfb");
	write_preset("traefik", ABSENT_DEFAULT, &identity);
	CU_ASSERT_STRING_EQUAL(value_of("X-Forwarded-Tls-Client-Cert"),
	                       "AQL%2F%2Bw%3D%3D,MAEA,MAIAAA%3D%3D");
	CU_ASSERT_STRING_EQUAL(
		value_of("X-Forwarded-Tls-Client-Cert-Info"),
		"Subject%3D%22C%3DDE%2CO%3DAcme%2CCN%3Dacme-7%22%3B"
		"Issuer%3D%22CN%3DPartner%20A%20CA%22%3BNB%3D%221786609800%22%3B"
		"NA%3D%221797841805%22%3BSAN%3D%22acme-7.example%2Ca%40acme.example%2C192.0.2.7%2C"
		"spiffe%3A%2F%2Fa%2Fb%22");
	CU_ASSERT_STRING_EQUAL(value_of("X-Forwarded-Tls-Client-Cert-Verified"), "SUCCESS");
}

static void azion_writes_its_variables(void)
{
	struct identity identity = good();
	write_preset("azion", ABSENT_DEFAULT, &identity);
	CU_ASSERT_EQUAL(count_lines(), 11);
	CU_ASSERT_STRING_EQUAL(value_of("azion-ssl-client-verify"), "SUCCESS");
	CU_ASSERT_STRING_EQUAL(value_of("azion-ssl-client-fingerprint"),
	                       "0a1b000000000000000000000000000000000000");
	CU_ASSERT_STRING_EQUAL(value_of("azion-ssl-client-i-dn"), "CN=Partner A CA");
	CU_ASSERT_STRING_EQUAL(value_of("azion-ssl-client-s-dn"), "CN=acme-7,O=Acme,C=DE");
	CU_ASSERT_STRING_EQUAL(value_of("azion-ssl-client-s-dn-parsed"), "acme-7");
	CU_ASSERT_STRING_EQUAL(value_of("azion-ssl-client-serial"), "A1:0B");
	CU_ASSERT_STRING_EQUAL(value_of("azion-ssl-client-v-start"), "20260813083000");
	CU_ASSERT_STRING_EQUAL(value_of("azion-ssl-client-v-end"), "20261221083005");
	CU_ASSERT_STRING_EQUAL(value_of("azion-ssl-client-v-remain"), "30");
	identity = expired();
	write_preset("azion", ABSENT_DEFAULT, &identity);
	CU_ASSERT_STRING_EQUAL(value_of("azion-ssl-client-v-remain"), "0");
}

/* --- unverified data --- */

static void every_preset_says_when_data_is_unverified(void)
{
	for (size_t i = 0; i < PRESET_COUNT; i++) {
		struct identity yes = good();
		struct identity no = good();
		no.verified = false;
		no.class_name = "expired";
		no.sentence = "the client certificate has expired";
		no.code = 10;
		char first[sizeof(written)];
		memcpy(first, write_preset(presets[i].word, ABSENT_DEFAULT, &yes), sizeof(first));
		write_preset(presets[i].word, ABSENT_DEFAULT, &no);
		CU_ASSERT_STRING_NOT_EQUAL(first, written);
		CU_ASSERT(strstr(written, "expired") != NULL);
		CU_ASSERT(strstr(first, "expired") == NULL);
	}
}

/* --- absent --- */

static void what_absent_means_by_default(void)
{
	struct identity identity = nobody();
	for (size_t i = 0; i < PRESET_COUNT; i++) {
		write_preset(presets[i].word, ABSENT_DEFAULT, &identity);
		if (strcmp(presets[i].word, "x-ssl") == 0) {
			CU_ASSERT_EQUAL(count_lines(), 12);
			CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Verify"), "");
			CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Client-DN"), "");
			CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Client-SHA256"), "");
			CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Present"), "0");
			CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Verified"), "0");
			CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Class"), "no_certificate");
		} else if (strcmp(presets[i].word, "nginx") == 0) {
			CU_ASSERT_STRING_EQUAL(written, "ssl-client-verify: NONE\r\n");
		} else {
			CU_ASSERT_STRING_EQUAL(written, "");
		}
	}
}

static void omit_writes_nothing(void)
{
	struct identity identity = nobody();
	for (size_t i = 0; i < PRESET_COUNT; i++) {
		CU_ASSERT_STRING_EQUAL(write_preset(presets[i].word, ABSENT_OMIT, &identity), "");
	}
}

static void empty_writes_every_header(void)
{
	struct identity identity = nobody();
	for (size_t i = 1; i < PRESET_COUNT; i++) {
		write_preset(presets[i].word, ABSENT_EMPTY, &identity);
		size_t lines = 0;
		for (size_t j = 0; j < TABLE_COUNT; j++) {
			if (strcmp(table[j].preset, presets[i].symbol) != 0) {
				continue;
			}
			lines++;
			if (!table[j].status) {
				CU_ASSERT_STRING_EQUAL(value_of(table[j].name), "");
			}
		}
		CU_ASSERT_EQUAL(count_lines(), lines);
	}
	write_preset("akamai", ABSENT_EMPTY, &identity);
	CU_ASSERT_STRING_EQUAL(written, "Client-to-Edge-HTTP-Auth: \r\n");
}

static void none_says_so_in_the_status_alone(void)
{
	struct identity identity = nobody();
	write_preset("x-ssl", ABSENT_NONE, &identity);
	CU_ASSERT_STRING_EQUAL(written, "X-SSL-Verify: NONE\r\nX-SSL-Present: 0\r\n"
	                                "X-SSL-Verified: 0\r\nX-SSL-Class: no_certificate\r\n");
	write_preset("xfcc", ABSENT_NONE, &identity);
	CU_ASSERT_STRING_EQUAL(written, "X-Forwarded-Client-Cert-Verified: NONE\r\n");
	write_preset("akamai", ABSENT_NONE, &identity);
	CU_ASSERT_STRING_EQUAL(
		written,
		"Client-to-Edge-HTTP-Auth: validation-status=none;class=no_certificate\r\n");
	write_preset("azure", ABSENT_NONE, &identity);
	CU_ASSERT_STRING_EQUAL(written, "X-Client-Certificate-Verified: NONE\r\n");
	write_preset("traefik", ABSENT_NONE, &identity);
	CU_ASSERT_STRING_EQUAL(written, "X-Forwarded-Tls-Client-Cert-Verified: NONE\r\n");
	write_preset("azion", ABSENT_NONE, &identity);
	CU_ASSERT_STRING_EQUAL(written, "azion-ssl-client-verify: NONE\r\n");
}

static void rfc9440_can_only_omit(void)
{
	struct setup s;
	setup_of(&s, "rfc9440");
	s.identity.absent = ABSENT_EMPTY;
	CU_ASSERT(strstr(error_of(&s), "can only omit") != NULL);
	s.identity.absent = ABSENT_NONE;
	CU_ASSERT(strstr(error_of(&s), "can only omit") != NULL);
	s.identity.absent = ABSENT_OMIT;
	CU_ASSERT_STRING_EQUAL(error_of(&s), "");
}

static void what_a_certificate_lacks_is_absent_too(void)
{
	struct identity identity = good();
	identity.subject = SLICE("");
	identity.subject_attribute_count = 0;
	write_preset("x-ssl", ABSENT_DEFAULT, &identity);
	CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Client-CN"), "");
	CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Client-DN"), "");
	write_preset("nginx", ABSENT_DEFAULT, &identity);
	CU_ASSERT_STRING_EQUAL(value_of("ssl-client-subject-dn"), "(absent)");
	CU_ASSERT_STRING_EQUAL(value_of("ssl-client-s-dn-parsed"), "(absent)");
	CU_ASSERT_EQUAL(omitted.count, 0);
}

/* --- only and names --- */

static void only_takes_what_is_named(void)
{
	struct identity identity = good();
	struct setup s;
	setup_of(&s, "x-ssl");
	add_text(&s.identity.only, "X-SSL-Verify");
	add_text(&s.identity.only, "x-ssl-client-cn"); /* header names have no case */
	write_of(&s, &identity);
	CU_ASSERT_STRING_EQUAL(written, "X-SSL-Verify: 0\r\nX-SSL-Client-CN: acme-7\r\n");
	add_text(&s.identity.only, "X-SSL-Client-Cert");
	CU_ASSERT_STRING_EQUAL(error_of(&s), "preset x-ssl has no header X-SSL-Client-Cert");
	s.identity.only.count--;
	add_text(&s.identity.only, "X-SSL\r\n");
	CU_ASSERT_STRING_EQUAL(error_of(&s), "preset x-ssl has no header of this name");
}

/* Data that nobody says of that it was not verified would be taken for verified. */
static void data_without_a_status_is_of_verified_certificates_alone(void)
{
	struct identity identity = good();
	struct setup s;
	setup_of(&s, "x-ssl");
	add_text(&s.identity.only, "X-SSL-Client-CN");
	add_text(&s.identity.only, "X-SSL-Present");
	s.identity.absent = ABSENT_OMIT;
	CU_ASSERT_STRING_EQUAL(write_of(&s, &identity),
	                       "X-SSL-Client-CN: acme-7\r\nX-SSL-Present: 1\r\n");
	identity.verified = false;
	identity.class_name = "expired";
	identity.code = 10;
	CU_ASSERT_STRING_EQUAL(write_of(&s, &identity), "X-SSL-Present: 1\r\n");
	CU_ASSERT_EQUAL(omitted.count, 0);
	s.identity.absent = ABSENT_EMPTY;
	CU_ASSERT_STRING_EQUAL(write_of(&s, &identity),
	                       "X-SSL-Client-CN: \r\nX-SSL-Present: 1\r\n");
	static const char *const status[] = {"X-SSL-Verify", "X-SSL-Verified", "X-SSL-Class"};
	for (size_t i = 0; i < sizeof(status) / sizeof(status[0]); i++) {
		s.identity.only.count = 2;
		add_text(&s.identity.only, status[i]);
		write_of(&s, &identity);
		CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Client-CN"), "acme-7");
	}

	/* So does every other preset; akamai's one header is both. */
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		if (table[i].status) {
			continue;
		}
		size_t p = 0;
		while (strcmp(presets[p].symbol, table[i].preset) != 0) {
			p++;
		}
		setup_of(&s, presets[p].word);
		add_text(&s.identity.only, table[i].name);
		s.identity.absent = ABSENT_OMIT;
		CU_ASSERT_STRING_EQUAL(write_of(&s, &identity), "");
	}
}

static void names_rename(void)
{
	struct identity identity = good();
	struct setup s;
	setup_of(&s, "azure");
	identity.der = SLICE("\x01\x02\xff");
	add_text(&s.identity.only, "X-ARR-ClientCert");
	add_name(&s, "x-arr-clientcert", "X-Cert");
	CU_ASSERT_STRING_EQUAL(write_of(&s, &identity), "X-Cert: AQL/\r\n");
	add_name(&s, "X_ARR_ClientCert", "X-Cert-2");
	CU_ASSERT(strstr(error_of(&s), "another name already") != NULL);
	s.names[1].name.text = TEXT("X-Client-Certificate");
	CU_ASSERT(strstr(error_of(&s), "not among `only`") != NULL);
	s.names[1].name.text = TEXT("X-SSL-Verify");
	CU_ASSERT_STRING_EQUAL(error_of(&s), "preset azure has no header X-SSL-Verify");
}

static void two_headers_of_one_name_are_refused(void)
{
	struct setup s;
	setup_of(&s, "azion");
	add_name(&s, "azion-ssl-client-serial", "SSL_Client_Cert");
	struct config_identity both[2] = {s.identity, s.identity};
	both[0].preset.text = TEXT("nginx");
	both[0].names.count = 0;
	s.service.identities = both;
	s.service.identity_count = 2;
	CU_ASSERT_STRING_EQUAL(error_of(&s),
	                       "the header SSL_Client_Cert of preset azion is one of preset nginx "
	                       "already: leave one out with `only`, or rename it with `names`");
	struct config_text only[] = {{TEXT("ssl-client-verify"), {6, 1}}};
	both[0].only = (struct config_texts){only, 1, {6, 1}};
	CU_ASSERT_STRING_EQUAL(error_of(&s), "");
}

static void all_presets_stand_side_by_side(void)
{
	struct setup s;
	setup_of(&s, "nginx");
	struct config_identity all[PRESET_COUNT];
	for (size_t i = 0; i < PRESET_COUNT; i++) {
		all[i] = s.identity;
		all[i].preset.text = (char *)presets[i].word;
	}
	s.service.identities = all;
	s.service.identity_count = PRESET_COUNT;
	CU_ASSERT_STRING_EQUAL(error_of(&s), "");
	struct identity identity = good();
	write_of(&s, &identity);
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		CU_ASSERT_STRING_NOT_EQUAL(value_of(table[i].name), "(absent)");
	}
}

static void custom_headers_cannot_take_a_presets_name(void)
{
	struct setup s;
	setup_of(&s, "x-ssl");
	struct config_header custom = {.name = {TEXT("x_ssl_verify"), {9, 5}}};
	s.service.headers = &custom;
	s.service.header_count = 1;
	CU_ASSERT_STRING_EQUAL(error_of(&s),
	                       "the header x_ssl_verify is one of preset x-ssl already");
	custom.name.text = TEXT("X-Partner");
	CU_ASSERT_STRING_EQUAL(error_of(&s), "");
	s.service.event_id_header = (struct config_text){TEXT("X-SSL-Class"), {10, 5}};
	CU_ASSERT_STRING_EQUAL(error_of(&s),
	                       "the header X-SSL-Class is one of preset x-ssl already");
}

static void attributes_belong_to_akamai(void)
{
	struct setup s;
	setup_of(&s, "azure");
	add_text(&s.identity.attributes, "cn");
	CU_ASSERT(strstr(error_of(&s), "belongs to preset akamai") != NULL);
	s.identity.preset.text = TEXT("akamai");
	CU_ASSERT_STRING_EQUAL(error_of(&s), "");
	add_text(&s.identity.attributes, "serial");
	CU_ASSERT(strstr(error_of(&s), "one of subject, cn") != NULL);
}

/* --- hostile names --- */

/* Sets one attribute, the DN and one name of each kind to the same bytes. */
static void hostile(struct identity *identity, struct slice bytes, struct slice dn,
                    struct identity_attribute *attribute, struct identity_san *names)
{
	*identity = good();
	*attribute = (struct identity_attribute){"CN", bytes};
	for (int i = 0; i < 3; i++) {
		names[i] = (struct identity_san){(enum identity_san_type)i, bytes};
	}
	identity->subject = identity->issuer = dn;
	identity->subject_attributes = identity->issuer_attributes = attribute;
	identity->subject_attribute_count = identity->issuer_attribute_count = 1;
	identity->sans = names;
	identity->san_count = 3;
	identity->by = bytes;
}

/* Every byte there is, in every header: lines of visible ASCII, as many as without. */
static void no_value_leaves_its_line(void)
{
	struct identity_attribute attribute;
	struct identity_san names[3];
	struct identity identity;
	for (unsigned byte = 0; byte < 256; byte++) {
		uint8_t bytes[5] = {'a', (uint8_t)byte, 'b', (uint8_t)byte, 'c'};
		struct slice hostile_bytes = slice_of(bytes, sizeof(bytes));
		hostile(&identity, hostile_bytes, hostile_bytes, &attribute, names);
		for (size_t i = 0; i < PRESET_COUNT; i++) {
			write_preset(presets[i].word, ABSENT_DEFAULT, &identity);
			size_t headers = 0;
			for (size_t j = 0; j < TABLE_COUNT; j++) {
				headers += strcmp(table[j].preset, presets[i].symbol) == 0;
			}
			CU_ASSERT_EQUAL(count_lines(), headers);
			for (const char *p = written; *p != '\0'; p++) {
				bool line_end = (*p == '\r' && p[1] == '\n') ||
				                (*p == '\n' && p > written && p[-1] == '\r');
				if (!line_end && (*p < ' ' || *p > '~')) {
					CU_FAIL("a byte that is not visible ASCII");
				}
			}
		}
	}
}

static void xfcc_cannot_be_split(void)
{
	struct identity_attribute attribute;
	struct identity_san names[3];
	struct identity identity;
	hostile(&identity, SLICE("a;b,c=d\"e\\"), SLICE("CN=a\\;b\\,c=d\\\"e\\\\"), &attribute,
	        names);
	identity.chain_count = 0;
	struct setup s;
	setup_of(&s, "xfcc");
	write_of(&s, &identity);
	const char *value = value_of("X-Forwarded-Client-Cert");
	CU_ASSERT(strncmp(value, "By=\"a;b,c=d%22e%5C\";Hash=", 25) == 0);
	CU_ASSERT(strstr(value, ";Subject=\"CN=a\\3bb\\2cc=d\\22e\\5c\";") != NULL);
	CU_ASSERT(strstr(value, ";URI=\"a;b,c=d%22e%5C\";") != NULL);
	CU_ASSERT(strstr(value, ";DNS=\"a%3Bb%2Cc%3Dd%22e%5C\"") != NULL);
	/* However a reader takes a backslash within quotes: none stands before a quote. */
	CU_ASSERT_PTR_NULL(strstr(value, "\\\""));
}

static void names_in_dns_are_escaped_by_rfc4514(void)
{
	struct identity identity = good();
	identity.subject = SLICE("CN=J\xc3\xbc\\,\\\"\\\\\\0a\\ ,O=x\\");
	write_preset("x-ssl", ABSENT_DEFAULT, &identity);
	CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Client-DN"),
	                       "CN=J\\c3\\bc\\,\\\"\\\\\\0a\\20,O=x\\5c");
}

static void common_names_are_percent_encoded(void)
{
	struct identity_attribute attribute = {"CN", SLICE(" 100% J\xc3\xbc\r\nX: \xff\0 ")};
	struct identity identity = good();
	identity.subject_attributes = &attribute;
	identity.subject_attribute_count = 1;
	write_preset("x-ssl", ABSENT_DEFAULT, &identity);
	CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Client-CN"), "%20100%25 J%C3%BC%0D%0AX: %FF%00%20");
}

static void traefik_info_cannot_be_split(void)
{
	struct identity_attribute attribute;
	struct identity_san names[3];
	struct identity identity;
	hostile(&identity, SLICE("a\";NA=\"9\",b%"), SLICE("CN=x"), &attribute, names);
	identity.san_count = 1;
	write_preset("traefik", ABSENT_DEFAULT, &identity);
	/* Decoded once: `Subject="CN=a%22%3BNA%3D%229%22%2Cb%25"` */
	CU_ASSERT_EQUAL(
		strncmp(value_of("X-Forwarded-Tls-Client-Cert-Info"),
	                "Subject%3D%22CN%3Da%2522%253BNA%253D%25229%2522%252Cb%2525%22%3BIssuer", 70),
		0);
}

static void wrong_addresses_are_left_out(void)
{
	struct identity_san names[] = {
		{IDENTITY_SAN_IP, SLICE("\x01\x02\x03")},
		{IDENTITY_SAN_IP, SLICE("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1")}};
	struct identity identity = good();
	identity.sans = names;
	identity.san_count = 2;
	write_preset("traefik", ABSENT_DEFAULT, &identity);
	CU_ASSERT(strstr(value_of("X-Forwarded-Tls-Client-Cert-Info"),
	                 "SAN%3D%222001%3Adb8%3A%3A1%22") != NULL);
}

/* --- too long --- */

static uint8_t large[20000];

static bool was_omitted(const char *name)
{
	for (size_t i = 0; i < omitted.count; i++) {
		if (strcmp(omitted.names[i], name) == 0) {
			return true;
		}
	}
	return false;
}

static void a_value_of_10_kb_is_left_out_and_told(void)
{
	memset(large, 'x', sizeof(large));
	struct identity_attribute attribute = {"CN", {large, 10240}};
	struct identity identity = good();
	identity.subject = slice_of(large, 10240);
	identity.subject_attributes = &attribute;
	identity.subject_attribute_count = 1;
	write_preset("x-ssl", ABSENT_DEFAULT, &identity);
	CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Client-DN"), "(absent)");
	CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Client-CN"), "(absent)");
	CU_ASSERT_STRING_EQUAL(value_of("X-SSL-Client-Serial"), "A10B");
	CU_ASSERT_EQUAL(omitted.count, 2);
	CU_ASSERT(was_omitted("X-SSL-Client-DN") && was_omitted("X-SSL-Client-CN"));
}

static void a_value_of_just_the_limit_is_written(void)
{
	memset(large, 'x', sizeof(large));
	struct identity_attribute attribute = {"CN", {large, IDENTITY_VALUE_MAX}};
	struct identity identity = good();
	identity.subject_attributes = &attribute;
	identity.subject_attribute_count = 1;
	write_preset("x-ssl", ABSENT_DEFAULT, &identity);
	CU_ASSERT_EQUAL(strlen(value_of("X-SSL-Client-CN")), IDENTITY_VALUE_MAX);
	attribute.value.len++;
	write_preset("x-ssl", ABSENT_DEFAULT, &identity);
	CU_ASSERT(was_omitted("X-SSL-Client-CN"));
}

static void xfcc_leaves_out_what_can_be_had_elsewhere_first(void)
{
	memset(large, 'x', sizeof(large));
	struct identity_san names[] = {{IDENTITY_SAN_URI, SLICE("spiffe://a/b")},
	                               {IDENTITY_SAN_DNS, {large, 10240}}};
	struct slice others[] = {{large, 9000}};
	struct identity identity = good();
	identity.chain = others;
	identity.chain_count = 1;
	write_preset("xfcc", ABSENT_DEFAULT, &identity);
	CU_ASSERT_PTR_NOT_NULL(strstr(value_of("X-Forwarded-Client-Cert"), ";Cert="));
	CU_ASSERT_PTR_NULL(strstr(value_of("X-Forwarded-Client-Cert"), ";Chain="));
	CU_ASSERT_EQUAL(omitted.count, 1);
	CU_ASSERT(was_omitted("X-Forwarded-Client-Cert: Chain"));

	identity.sans = names; /* a SAN of 10 KB */
	identity.san_count = 2;
	write_preset("xfcc", ABSENT_DEFAULT, &identity);
	const char *value = value_of("X-Forwarded-Client-Cert");
	CU_ASSERT_PTR_NULL(strstr(value, "DNS="));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(value, ";Subject=\"CN=acme-7,O=Acme,C=DE\";URI=spiffe://a/b"));
	CU_ASSERT(was_omitted("X-Forwarded-Client-Cert: DNS"));

	identity.by = slice_of(large, 8000); /* not even By and Hash fit */
	write_preset("xfcc", ABSENT_DEFAULT, &identity);
	CU_ASSERT_STRING_EQUAL(value_of("X-Forwarded-Client-Cert"), "(absent)");
	CU_ASSERT_STRING_EQUAL(value_of("X-Forwarded-Client-Cert-Verified"), "SUCCESS");
	CU_ASSERT_EQUAL(omitted.count, 1);
	CU_ASSERT(was_omitted("X-Forwarded-Client-Cert"));
}

static void certificates_that_are_too_long_are_left_out(void)
{
	struct slice others[] = {{large, 9000}};
	struct identity identity = good();
	identity.der = slice_of(large, 9000);
	identity.chain = others;
	identity.chain_count = 1;
	struct {
		const char *preset, *left_out;
	} cases[] = {
		{"rfc9440", "Client-Cert"},
		{"rfc9440", "Client-Cert-Chain"},
		{"xfcc", "X-Forwarded-Client-Cert: Cert"},
		{"nginx", "ssl-client-cert"},
		{"nginx", "ssl-client-escaped-cert"},
		{"azure", "X-Client-Certificate"},
		{"azure", "X-ARR-ClientCert"},
		{"akamai", "Client-to-Edge-HTTP-Auth: certificate"},
		{"traefik", "X-Forwarded-Tls-Client-Cert"},
		{"azion", "azion-ssl-client-cert"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_preset(cases[i].preset, ABSENT_DEFAULT, &identity);
		CU_ASSERT(was_omitted(cases[i].left_out));
		CU_ASSERT_STRING_EQUAL(value_of(cases[i].left_out), "(absent)");
		CU_ASSERT(strlen(written) < 3000);
	}
	write_preset("akamai", ABSENT_DEFAULT, &identity);
	CU_ASSERT_STRING_EQUAL(value_of("Client-to-Edge-HTTP-Auth"),
	                       "validation-status=valid;class=ok");
	identity.der = SLICE("\x01\x02\xff");
	write_preset("traefik", ABSENT_DEFAULT, &identity);
	CU_ASSERT_STRING_EQUAL(value_of("X-Forwarded-Tls-Client-Cert"), "AQL%2F");
	CU_ASSERT(was_omitted("X-Forwarded-Tls-Client-Cert: chain"));
}

static void all_that_is_left_out_is_told_and_nothing_else(void)
{
	struct setup s;
	setup_of(&s, "x-ssl");
	struct identity identity = good();
	memset(large, 'x', sizeof(large));
	struct identity_attribute attribute = {"CN", {large, 10240}};
	identity.subject = identity.issuer = slice_of(large, 10240);
	identity.subject_attributes = &attribute;
	identity.subject_attribute_count = 1;
	identity.serial = slice_of(large, 10240);
	identity.der = slice_of(large, 10240);
	identity.san_count = 0;
	struct config_identity all[PRESET_COUNT];
	for (size_t i = 0; i < PRESET_COUNT; i++) {
		all[i] = s.identity;
		all[i].preset.text = (char *)presets[i].word;
	}
	s.service.identities = all;
	s.service.identity_count = PRESET_COUNT;
	write_of(&s, &identity);
	size_t absent = 0;
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		if (strcmp(value_of(table[i].name), "(absent)") == 0) {
			CU_ASSERT(was_omitted(table[i].name));
			absent++;
		}
	}
	CU_ASSERT(absent > 10);
	CU_ASSERT(was_omitted("X-Forwarded-Client-Cert: Cert"));
	CU_ASSERT(was_omitted("X-Forwarded-Client-Cert: Subject"));
	/* The certificate has none. */
	CU_ASSERT(!was_omitted("X-Forwarded-Client-Cert: URI"));
	CU_ASSERT(!was_omitted("X-Forwarded-Client-Cert: DNS"));
}

/* --- the set of names --- */

static void every_header_of_every_preset_is_ours(void)
{
	struct identity_names *names = NULL;
	CU_ASSERT_EQUAL_FATAL(identity_names_new(&names), E_OK);
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		char name[80];
		snprintf(name, sizeof(name), "%s", table[i].name);
		CU_ASSERT(identity_names_has(names, slice_text(name)));
		for (char *p = name; *p != '\0'; p++) {
			*p = *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p == '-' ? '_' : *p;
		}
		CU_ASSERT(identity_names_has(names, slice_text(name)));
		for (char *p = name; *p != '\0'; p++) {
			*p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
		}
		CU_ASSERT(identity_names_has(names, slice_text(name)));
		CU_ASSERT(!identity_names_has(names, slice_of(name, strlen(name) - 1)));
		strcat(name, "x");
		CU_ASSERT(!identity_names_has(names, slice_text(name)));
	}
	CU_ASSERT(identity_names_has(names, SLICE("x-tls-event-id")));
	CU_ASSERT(!identity_names_has(names, SLICE("")));
	CU_ASSERT(!identity_names_has(names, SLICE("host")));
	CU_ASSERT(!identity_names_has(names, SLICE("X-Partner")));
	CU_ASSERT(!identity_names_has(names, SLICE("client-cert\0")));
	CU_ASSERT(!identity_names_has(names, SLICE("client-cer\xf4")));
	identity_names_free(&names);
	CU_ASSERT_PTR_NULL(names);
	identity_names_free(&names);
}

static void names_of_services_are_ours(void)
{
	struct identity_names *names = NULL;
	struct setup s;
	setup_of(&s, "azure");
	add_name(&s, "X-ARR-ClientCert", "X_Cert");
	struct config_header custom[] = {{.name = {TEXT("X-Partner"), {9, 5}}},
	                                 {.name = {TEXT("~partner"), {10, 5}}}};
	s.service.headers = custom;
	s.service.header_count = 2;
	s.service.event_id_header = (struct config_text){TEXT("Trace-Of-TLS"), {0, 0}};
	CU_ASSERT_EQUAL_FATAL(identity_names_new(&names), E_OK);
	CU_ASSERT_EQUAL(identity_names_add_service(names, &s.service), E_OK);
	CU_ASSERT_EQUAL(identity_names_add_service(names, &s.service), E_OK);
	CU_ASSERT(identity_names_has(names, SLICE("x-cert")));
	CU_ASSERT(identity_names_has(names, SLICE("X_PARTNER")));
	CU_ASSERT(identity_names_has(names, SLICE("~Partner")));
	CU_ASSERT(identity_names_has(names, SLICE("trace_of-tls")));
	/* The old name stays ours, on every service. */
	CU_ASSERT(identity_names_has(names, SLICE("x-arr-clientcert")));
	identity_names_free(&names);
}

static void any_number_of_names_is_found(void)
{
	struct identity_names *names = NULL;
	CU_ASSERT_EQUAL_FATAL(identity_names_new(&names), E_OK);
	char name[120];
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 1000; i++) {
			int len = snprintf(
				name, sizeof(name), "h%d-%.*s", i * 7919 % 1000, i % 100,
				"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
			if (round == 0) {
				CU_ASSERT_EQUAL_FATAL(identity_names_add(names, name), E_OK);
			} else {
				CU_ASSERT(identity_names_has(names, slice_of(name, (size_t)len)));
				name[0] = 'g';
				CU_ASSERT(!identity_names_has(names, slice_of(name, (size_t)len)));
			}
		}
	}
	identity_names_free(&names);
}

/* --- the page --- */

/* docs/headers.md lists "| `preset` | `Header` |" for every row of the table, and nothing else. */
static void the_page_lists_the_table(void)
{
	char path[4096];
	const char *srcdir = getenv("srcdir");
	snprintf(path, sizeof(path), "%s/docs/headers.md", srcdir != NULL ? srcdir : ".");
	FILE *file = fopen(path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	char line[2000];
	size_t row = 0;
	while (fgets(line, sizeof(line), file) != NULL) {
		char preset[40], name[60], kind[20];
		if (sscanf(line, "| `%39[^`]` | `%59[^`]` | %19[a-z] |", preset, name, kind) != 3) {
			continue;
		}
		CU_ASSERT_FATAL(row < TABLE_COUNT);
		size_t p = 0;
		while (strcmp(presets[p].symbol, table[row].preset) != 0) {
			p++;
		}
		CU_ASSERT_STRING_EQUAL(preset, presets[p].word);
		CU_ASSERT_STRING_EQUAL(name, table[row].name);
		CU_ASSERT_STRING_EQUAL(kind, table[row].status ? "status" : "data");
		row++;
	}
	fclose(file);
	CU_ASSERT_EQUAL(row, TABLE_COUNT);
}

static void all_values_together_are_bounded(void)
{
	static uint8_t heavy[5500];
	struct setup s;
	setup_of(&s, "nginx");
	struct config_identity all[PRESET_COUNT];
	for (size_t i = 0; i < PRESET_COUNT; i++) {
		all[i] = s.identity;
		all[i].preset.text = (char *)presets[i].word;
	}
	s.service.identities = all;
	s.service.identity_count = PRESET_COUNT;
	struct identity identity = expired();
	identity.der = slice_of(heavy, sizeof(heavy));
	size_t bytes = strlen(write_of(&s, &identity));
	CU_ASSERT(bytes > IDENTITY_TOTAL_MAX / 2);
	CU_ASSERT(bytes < IDENTITY_TOTAL_MAX + TABLE_COUNT * 300);
	CU_ASSERT(omitted.count > 0);
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		CU_ASSERT(!table[i].status || strcmp(value_of(table[i].name), "(absent)") != 0);
	}
}

static const struct unit_test tests[] = {
	{"all values together are bounded", all_values_together_are_bounded},
	{"rfc9440 writes structured fields", rfc9440_writes_structured_fields},
	{"x-ssl writes as HAProxy users do", x_ssl_writes_as_haproxy_users_do},
	{"years that two digits cannot tell have four", years_that_two_digits_cannot_tell_have_four},
	{"xfcc writes pairs", xfcc_writes_pairs},
	{"nginx writes as its ingress does", nginx_writes_as_its_ingress_does},
	{"PEM has lines of 64 characters", pem_has_lines_of_64_characters},
	{"azure writes PEM and DER", azure_writes_pem_and_der},
	{"akamai writes the certificate or attributes", akamai_writes_the_certificate_or_attributes},
	{"traefik writes body and info", traefik_writes_body_and_info},
	{"azion writes its variables", azion_writes_its_variables},
	{"every preset says when data is unverified", every_preset_says_when_data_is_unverified},
	{"what absent means by default", what_absent_means_by_default},
	{"omit writes nothing", omit_writes_nothing},
	{"empty writes every header", empty_writes_every_header},
	{"none says so in the status alone", none_says_so_in_the_status_alone},
	{"rfc9440 can only omit", rfc9440_can_only_omit},
	{"what a certificate lacks is absent, too", what_a_certificate_lacks_is_absent_too},
	{"only takes what is named", only_takes_what_is_named},
	{"data without a status is of verified certificates alone",
         data_without_a_status_is_of_verified_certificates_alone},
	{"names rename", names_rename},
	{"two headers of one name are refused", two_headers_of_one_name_are_refused},
	{"all presets stand side by side", all_presets_stand_side_by_side},
	{"custom headers cannot take a preset's name", custom_headers_cannot_take_a_presets_name},
	{"attributes belong to akamai", attributes_belong_to_akamai},
	{"no value leaves its line", no_value_leaves_its_line},
	{"xfcc cannot be split", xfcc_cannot_be_split},
	{"names in DNs are escaped by RFC 4514", names_in_dns_are_escaped_by_rfc4514},
	{"common names are percent-encoded", common_names_are_percent_encoded},
	{"traefik info cannot be split", traefik_info_cannot_be_split},
	{"wrong addresses are left out", wrong_addresses_are_left_out},
	{"a value of 10 KB is left out and told", a_value_of_10_kb_is_left_out_and_told},
	{"a value of just the limit is written", a_value_of_just_the_limit_is_written},
	{"xfcc leaves out what can be had elsewhere first",
         xfcc_leaves_out_what_can_be_had_elsewhere_first},
	{"certificates that are too long are left out", certificates_that_are_too_long_are_left_out},
	{"all that is left out is told, and nothing else",
         all_that_is_left_out_is_told_and_nothing_else},
	{"every header of every preset is ours", every_header_of_every_preset_is_ours},
	{"names of services are ours", names_of_services_are_ours},
	{"any number of names is found", any_number_of_names_is_found},
	{"the page lists the table", the_page_lists_the_table},
};
UNIT_MAIN("http/identity", tests)
