#include "peer/chain.h"

#include <gnutls/crypto.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "peer/der.h"
#include "pki.h"
#include "unit.h"

static struct chain *parse(struct slice der)
{
	struct chain *chain;
	CU_ASSERT_EQUAL_FATAL(chain_new(&chain, &der, 1), E_OK);
	CU_ASSERT_EQUAL_FATAL(chain_parse(chain), E_OK);
	return chain;
}

static bool is_text(struct slice s, const char *text)
{
	bool same = slice_equal(s, slice_text(text));
	if (!same) {
		printf("\n    \"%.*s\" is not \"%s\"", (int)s.len, (const char *)s.data, text);
	}
	return same;
}

static void names_are_rfc_4514_as_gnutls_prints_them(void)
{
	static const char *const subjects[] = {
		"CN=acme-7,O=Acme\\, Inc,C=NL", "CN=a\\+b\\;c\\<d\\>e\\\"f\\\\g,OU=one,OU=two,O=x",
		"UID=u,DC=example,DC=org",      "EMAIL=a@example.org,serialNumber=12,title=t,CN=x",
		"CN=Caf\xc3\xa9 \xe2\x82\xac",
	};
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		const struct pki_cert *cert =
			pki_make(&(struct pki_spec){.subject = subjects[i], .key = PKI_P256_A});
		struct chain *chain = parse(cert->der);
		gnutls_datum_t text;
		CU_ASSERT_EQUAL_FATAL(gnutls_x509_crt_get_dn3(cert->crt, &text, 0), 0);
		CU_ASSERT(is_text(chain->certs[0].subject.text, (const char *)text.data));
		CU_ASSERT(slice_equal(chain->certs[0].issuer.text, chain->certs[0].subject.text));
		gnutls_free(text.data);
		chain_unref(&chain);
	}
}

static void hostile_bytes_in_names_come_out_as_hex_pairs(void)
{
	static const struct {
		struct slice der;   /* of the common name's value */
		const char *text;   /* in the name */
		struct slice value; /* kept raw */
	} rows[] = {
		{SLICE("\x0c\x03"
	               "a\0b"),
	         "CN=a\\00b,O=Raw", SLICE("a\0b")},
		{SLICE("\x0c\x04"
	               "a\r\nb"),
	         "CN=a\\0d\\0ab,O=Raw", SLICE("a\r\nb")},
		{SLICE("\x0c\x03"
	               "a\xff"
	               "b"),
	         "CN=a\\ffb,O=Raw",
	         SLICE("a\xff"
	               "b")},
		{SLICE("\x0c\x02\xc0\x80"), "CN=\\c0\\80,O=Raw", SLICE("\xc0\x80")},
		{SLICE("\x0c\x03\xed\xa0\x80"), "CN=\\ed\\a0\\80,O=Raw", SLICE("\xed\xa0\x80")},
		{SLICE("\x0c\x04\xf4\x90\x80\x80"), "CN=\\f4\\90\\80\\80,O=Raw",
	         SLICE("\xf4\x90\x80\x80")},
		{SLICE("\x0c\x04\xf0\x9f\x98\x80"), "CN=\xf0\x9f\x98\x80,O=Raw",
	         SLICE("\xf0\x9f\x98\x80")},
		{SLICE("\x0c\x01\x7f"), "CN=\\7f,O=Raw", SLICE("\x7f")},
		{SLICE("\x14\x03"
	               "a\xe9"
	               "b"),
	         "CN=a\\e9b,O=Raw",
	         SLICE("a\xe9"
	               "b")},
		{SLICE("\x1e\x04\x00"
	               "a\x20\xac"),
	         "CN=a\xe2\x82\xac,O=Raw", SLICE("a\xe2\x82\xac")},
		{SLICE("\x1e\x03\x00"
	               "a\x20"),
	         "CN=#1e03006120,O=Raw",
	         SLICE("\x00"
	               "a\x20")},
		{SLICE("\x1c\x04\x00\x01\xf6\x00"), "CN=\xf0\x9f\x98\x80,O=Raw",
	         SLICE("\xf0\x9f\x98\x80")},
		{SLICE("\x02\x01\x05"), "CN=#020105,O=Raw", SLICE("\x05")},
		{SLICE("\x0c\x04"
	               " #x "),
	         "CN=\\ #x\\ ,O=Raw", SLICE(" #x ")},
		{SLICE("\x0c\x02"
	               "#x"),
	         "CN=\\#x,O=Raw", SLICE("#x")},
		{SLICE("\x0c\x00"), "CN=,O=Raw", SLICE("")},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct chain *chain = parse(
			pki_make(&(struct pki_spec){.subject_cn = rows[i].der, .key = PKI_P256_A})
				->der);
		const struct dn *subject = &chain->certs[0].subject;
		CU_ASSERT_TRUE_FATAL(chain->certs[0].parsed);
		CU_ASSERT(is_text(subject->text, rows[i].text));
		CU_ASSERT_EQUAL_FATAL(subject->value_count, 2);
		CU_ASSERT_EQUAL(subject->values[1].attribute, DN_COMMON_NAME);
		CU_ASSERT(slice_equal(subject->values[1].value, rows[i].value));
		chain_unref(&chain);
	}
}

static void long_names_are_read_whole_and_values_bounded(void)
{
	char subject[1024] = "CN=long";
	for (int i = 0; i < 99; i++) {
		strcat(subject, ",OU=x");
	}
	struct chain *chain =
		parse(pki_make(&(struct pki_spec){.subject = subject, .key = PKI_P256_A})->der);
	CU_ASSERT(is_text(chain->certs[0].subject.text, subject));
	CU_ASSERT_EQUAL(chain->certs[0].subject.value_count, CERT_VALUES_MAX);
	chain_unref(&chain);

	static uint8_t big[60000];
	memset(big, 0x01, sizeof(big));
	struct slice cn = pki_tlv(DER_UTF8_STRING, slice_of(big, sizeof(big)));
	struct pki_spec spec = {.subject_cn = cn, .key = PKI_P256_A};
	chain = parse(pki_make(&spec)->der);
	CU_ASSERT_EQUAL(chain->certs[0].subject.text.len, strlen("CN=,O=Raw") + 3 * sizeof(big));
	chain_unref(&chain);
}

static void everything_an_event_needs_is_read(void)
{
	struct slice names = SLICE("\x82\x09"
	                           "a.example"
	                           "\x81\x0b"
	                           "b@c.example"
	                           "\x86\x0b"
	                           "urn:example"
	                           "\x87\x04\xc0\x00\x02\x01"
	                           "\x87\x03"
	                           "bad"
	                           "\xa4\x0f\x30\x0d\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x0c\x02"
	                           "d\n"
	                           "\xa0\x09\x06\x02\x2a\x03\xa0\x03\x0c\x01"
	                           "x"
	                           "\x88\x01\x2a");
	struct pki_spec spec = {
		.subject = "CN=leaf,OU=unit,O=org,L=place,ST=state,C=NL",
		.key = PKI_P256_C,
		.issuer = pki_root(),
		.not_before = 1000000000,
		.not_after = 4000000000,
		.key_usage = GNUTLS_KEY_DIGITAL_SIGNATURE | GNUTLS_KEY_DECIPHER_ONLY,
		.purposes = {GNUTLS_KP_TLS_WWW_CLIENT, "1.2.3.4"},
		.extensions = {{"2.5.29.17", pki_tlv(DER_SEQUENCE, names), false},
	                       {"2.5.29.32", SLICE("\x30\x06\x30\x04\x06\x02\x2a\x03"), false}},
	};
	const struct pki_cert *made = pki_make(&spec);
	struct chain *chain = parse(made->der);
	const struct cert *cert = &chain->certs[0];
	CU_ASSERT_TRUE_FATAL(cert->parsed);
	CU_ASSERT_EQUAL(cert->version, 3);
	uint8_t serial[32];
	size_t serial_len = sizeof(serial);
	gnutls_x509_crt_get_serial(made->crt, serial, &serial_len);
	CU_ASSERT(slice_equal(cert->serial, slice_of(serial, serial_len)));
	CU_ASSERT(is_text(cert->issuer.text, "CN=Root,O=Test"));
	CU_ASSERT_EQUAL(cert->not_before_s, 1000000000);
	CU_ASSERT_EQUAL(cert->not_after_s, 4000000000);
	CU_ASSERT_STRING_EQUAL(cert->key_algorithm, "ECDSA");
	CU_ASSERT_EQUAL(cert->key_bits, 256);
	CU_ASSERT_STRING_EQUAL(cert->key_curve, "P-256");
	CU_ASSERT_STRING_EQUAL(cert->signature_algorithm, "ECDSA-SHA256");
	CU_ASSERT_EQUAL_FATAL(cert->subject.value_count, 6);
	CU_ASSERT_EQUAL_FATAL(cert->key_usage_count, 2);
	CU_ASSERT_STRING_EQUAL(cert->key_usages[0], "digitalSignature");
	CU_ASSERT_STRING_EQUAL(cert->key_usages[1], "decipherOnly");
	CU_ASSERT_EQUAL_FATAL(cert->purpose_count, 2);
	CU_ASSERT(is_text(cert->purposes[0], "clientAuth"));
	CU_ASSERT(is_text(cert->purposes[1], "1.2.3.4"));
	CU_ASSERT_EQUAL_FATAL(cert->policy_count, 1);
	CU_ASSERT(is_text(cert->policies[0], "1.2.3"));
	static const struct {
		enum san_type type;
		struct slice value;
	} sans[] = {
		{SAN_DNS, SLICE("a.example")},
		{SAN_EMAIL, SLICE("b@c.example")},
		{SAN_URI, SLICE("urn:example")},
		{SAN_IP, SLICE("\xc0\x00\x02\x01")},
		{SAN_IP, SLICE("bad")},
		{SAN_DN, SLICE("CN=d\\0a")},
		{SAN_OTHER, SLICE("\x0c\x01"
	                          "x")},
	};
	CU_ASSERT_EQUAL_FATAL(cert->san_count, sizeof(sans) / sizeof(sans[0]));
	for (size_t i = 0; i < cert->san_count; i++) {
		CU_ASSERT_EQUAL(cert->sans[i].type, sans[i].type);
		CU_ASSERT(slice_equal(cert->sans[i].value, sans[i].value));
	}
	CU_ASSERT(is_text(cert->sans[6].oid, "1.2.3"));
	chain_unref(&chain);
}

static void fingerprints_are_those_of_gnutls(void)
{
	const struct pki_cert *made = pki_leaf();
	struct chain *chain = parse(made->der);
	uint8_t expected[32];
	size_t len = sizeof(expected);
	CU_ASSERT_EQUAL(
		gnutls_x509_crt_get_fingerprint(made->crt, GNUTLS_DIG_SHA256, expected, &len), 0);
	CU_ASSERT_EQUAL(memcmp(expected, chain->certs[0].sha256, 32), 0);
	len = sizeof(expected);
	CU_ASSERT_EQUAL(gnutls_x509_crt_get_fingerprint(made->crt, GNUTLS_DIG_SHA1, expected, &len),
	                0);
	CU_ASSERT_EQUAL(memcmp(expected, chain->certs[0].sha1, 20), 0);
	len = sizeof(expected);
	CU_ASSERT_EQUAL(
		gnutls_x509_crt_get_key_id(made->crt, GNUTLS_KEYID_USE_SHA256, expected, &len), 0);
	CU_ASSERT_EQUAL(memcmp(expected, chain->certs[0].spki_sha256, 32), 0);
	chain_unref(&chain);
}

static void the_chains_hash_tells_where_certificates_end(void)
{
	struct slice one[] = {SLICE("ab"), SLICE("c")};
	struct slice other[] = {SLICE("a"), SLICE("bc")};
	struct chain *first;
	struct chain *second;
	CU_ASSERT_EQUAL(chain_new(&first, one, 2), E_OK);
	CU_ASSERT_EQUAL(chain_new(&second, other, 2), E_OK);
	CU_ASSERT_NOT_EQUAL(memcmp(first->sha256, second->sha256, 32), 0);
	/* SHA-256 of 00 00 00 02 'a' 'b' 00 00 00 01 'c' */
	uint8_t expected[32];
	CU_ASSERT_EQUAL(gnutls_hash_fast(GNUTLS_DIG_SHA256, "\0\0\0\2ab\0\0\0\1c", 11, expected), 0);
	CU_ASSERT_EQUAL(memcmp(first->sha256, expected, 32), 0);
	CU_ASSERT_EQUAL(first->bytes, 3);
	chain_unref(&first);
	chain_unref(&second);
}

static void what_cannot_be_read_keeps_its_fingerprints_alone(void)
{
	struct slice half = slice_of(pki_leaf()->der.data, pki_leaf()->der.len - 1);
	struct chain *chain = parse(half);
	const struct cert *cert = &chain->certs[0];
	uint8_t zero[32] = {0};
	CU_ASSERT_FALSE(cert->parsed);
	CU_ASSERT_TRUE(chain->parsed);
	CU_ASSERT(slice_equal(cert->der, half));
	CU_ASSERT_NOT_EQUAL(memcmp(cert->sha256, zero, 32), 0);
	CU_ASSERT_EQUAL(cert->subject.text.len, 0);
	CU_ASSERT_PTR_NULL(cert->key_algorithm);
	CU_ASSERT_EQUAL(memcmp(cert->spki_sha256, zero, 32), 0);
	chain_unref(&chain);
}

static bool is_malformed(const struct pki_spec *spec)
{
	struct chain *chain = parse(pki_make(spec)->der);
	bool parsed = chain->certs[0].parsed;
	chain_unref(&chain);
	return !parsed;
}

static void broken_extensions_make_a_certificate_malformed(void)
{
	static const struct {
		const char *oid;
		struct slice value;
	} rows[] = {
		{"2.5.29.19", SLICE("\x30\x03\x01\x01\x05")}, /* BOOLEAN that is neither */
		{"2.5.29.19", SLICE("\x30\x06\x01\x01\xff\x02\x01\xff")}, /* negative path length */
		{"2.5.29.15", SLICE("\x04\x01\x80")},                     /* no BIT STRING */
		{"2.5.29.15", SLICE("\x03\x02\x09\x80")},                 /* nine unused bits */
		{"2.5.29.37", SLICE("\x30\x02\x05\x00")}, /* a purpose that is no OID */
		/* X.690 8.19.2: an arc without an end, and one with a needless octet */
		{"2.5.29.37", SLICE("\x30\x04\x06\x02\x2a\x83")},
		{"2.5.29.37", SLICE("\x30\x05\x06\x03\x2a\x80\x01")},
		{"2.5.29.32", SLICE("\x30\x06\x30\x04\x06\x02\x2a\x83")},
		{"2.5.29.17", SLICE("\x30\x00")},         /* no names */
		{"2.5.29.17", SLICE("\x30\x02\x9e\x00")}, /* a form that does not exist */
		{"2.5.29.17", SLICE("\x30\x04\x82\x05"
	                            "ab")},               /* a name longer than its list */
		{"2.5.29.30", SLICE("\x30\x00")},         /* no constraints */
		{"2.5.29.30", SLICE("\x30\x02\xa0\x00")}, /* empty subtrees */
		{"2.5.29.32", SLICE("\x30\x00")},         /* no policies */
		{"2.5.29.32", SLICE("\x30\x02\x05\x00")},
		{"1.3.6.1.5.5.7.1.1", SLICE("malformed")},
		{"1.3.6.1.5.5.7.1.1", SLICE("\x30\x00")}, /* no access descriptions */
		{"1.3.6.1.5.5.7.1.1",
	         SLICE("\x30\x08\x30\x06\x06\x02\x2a\x03\x05\x00")}, /* no general name */
		{"2.5.29.14", SLICE("\x05\x00")},
		{"2.5.29.35", SLICE("\x30\x03\x80\x05\x01")},
		{"2.5.29.35", SLICE("\x30\x06\x80\x01\x01\x01\x01\xff")}, /* a BOOLEAN behind it */
		{"2.5.29.35", SLICE("\x30\x06\x82\x01\x01\x80\x01\x01")}, /* the other way round */
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pki_spec spec = {
			.subject = "CN=x",
			.key = PKI_P256_A,
			.no_basic_constraints = true,
			.extensions = {{rows[i].oid, rows[i].value, false}},
		};
		bool malformed = is_malformed(&spec);
		CU_ASSERT_TRUE(malformed);
		if (!malformed) {
			printf("\n    row %zu", i);
		}
	}
	CU_ASSERT_FALSE(is_malformed(&(struct pki_spec){.subject = "CN=x", .key = PKI_P256_A}));
}

static void many_extensions_are_refused_and_two_of_a_kind_too(void)
{
	struct slice extension = SLICE("\x30\x08\x06\x02\x2a\x03\x04\x02\x05\x00");
	struct slice der = pki_leaf()->der;
	/* The list of extensions is the end of the signed part: [3] { SEQUENCE { ... } }. */
	struct slice in = der;
	struct slice certificate;
	struct slice tbs = SLICE("");
	struct slice rest;
	struct slice list = SLICE("");
	CU_ASSERT(der_get(&in, DER_SEQUENCE, &certificate) &&
	          der_get(&certificate, DER_SEQUENCE, &tbs));
	struct slice head = tbs;
	uint8_t tag = 0;
	for (rest = tbs; rest.len > 0;) {
		head = slice_of(tbs.data, tbs.len - rest.len);
		struct slice element;
		CU_ASSERT_TRUE_FATAL(der_any(&rest, &tag, &element, NULL));
		if (tag == 0xa3) {
			CU_ASSERT_TRUE_FATAL(der_get(&element, DER_SEQUENCE, &list));
		}
	}
	for (int variant = 0; variant < 3; variant++) {
		struct slice extensions = list;
		int more = variant == 0 ? 1 : variant == 1 ? 2 : 260;
		for (int i = 0; i < more; i++) {
			struct slice one = pki_keep(extension);
			if (variant == 2) {
				((uint8_t *)one.data)[4] = (uint8_t)(i < 100 ? 1 : 2 + i / 100);
				((uint8_t *)one.data)[5] = (uint8_t)(i % 100);
			}
			extensions = pki_join(extensions, one);
		}
		struct slice new_tbs =
			pki_tlv(0x30, pki_join(head, pki_tlv(0xa3, pki_tlv(0x30, extensions))));
		struct chain *chain = parse(pki_tlv(0x30, pki_join(new_tbs, certificate)));
		CU_ASSERT_EQUAL(chain->certs[0].parsed, variant == 0);
		chain_unref(&chain);
	}
}

static void dates_are_read_to_the_second_or_not_at_all(void)
{
	static const struct {
		uint8_t tag;
		struct slice text;
		int64_t expected; /* -1: refused */
	} rows[] = {
		{DER_UTC_TIME, SLICE("700101000000Z"), 0},
		{DER_UTC_TIME, SLICE("491231235959Z"), 2524607999},
		{DER_UTC_TIME, SLICE("500101000000Z"), -631152000},
		{DER_UTC_TIME, SLICE("240229120000Z"), 1709208000},
		{DER_GENERALIZED_TIME, SLICE("20500101000000Z"), 2524608000},
		{DER_GENERALIZED_TIME, SLICE("99991231235959Z"), 253402300799},
		{DER_GENERALIZED_TIME, SLICE("19000228000000Z"), -2203977600},
		{DER_UTC_TIME, SLICE("230229120000Z"), -1},
		{DER_GENERALIZED_TIME, SLICE("19000229000000Z"), -1},
		{DER_UTC_TIME, SLICE("241301000000Z"), -1},
		{DER_UTC_TIME, SLICE("240100000000Z"), -1},
		{DER_UTC_TIME, SLICE("240101240000Z"), -1},
		{DER_UTC_TIME, SLICE("240101006000Z"), -1},
		{DER_UTC_TIME, SLICE("240101000060Z"), -1},
		{DER_UTC_TIME, SLICE("2401010000Z"), -1},
		{DER_UTC_TIME, SLICE("240101000000+0000"), -1},
		{DER_UTC_TIME, SLICE("2401010000-1Z"), -1},
		{DER_GENERALIZED_TIME, SLICE("20240101000000.5Z"), -1},
		{DER_UTF8_STRING, SLICE("240101000000Z"), -1},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t time = -1;
		bool read = der_time(rows[i].tag, rows[i].text, &time);
		CU_ASSERT_EQUAL(read, rows[i].expected != -1);
		if (read && rows[i].expected != -1) {
			CU_ASSERT_EQUAL(time, rows[i].expected);
		}
	}
}

static void oids_go_to_text_and_back(void)
{
	static const char *const oids[] = {"1.3.6.1.5.5.7.3.2", "2.5.29.37.0", "2.999.3", "0.39",
	                                   "1.2.840.113549.1.1.11"};
	for (size_t i = 0; i < sizeof(oids) / sizeof(oids[0]); i++) {
		uint8_t der[64];
		char text[DER_OID_TEXT_MAX];
		size_t len = der_oid_from_text(oids[i], der, sizeof(der));
		CU_ASSERT(len > 0);
		CU_ASSERT_TRUE(der_oid_text(slice_of(der, len), text, sizeof(text)));
		CU_ASSERT_STRING_EQUAL(text, oids[i]);
	}
	static const char *const bad[] = {"",      "1",    "1.",   "3.1",  "1.40", "1.2.",
	                                  "1.2.x", ".1.2", "1..2", "1.02", "1.2 ", "a"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t der[64];
		CU_ASSERT_EQUAL(der_oid_from_text(bad[i], der, sizeof(der)), 0);
	}
	char text[DER_OID_TEXT_MAX];
	/* An arc of 128 bits, as of a UUID (X.667). */
	CU_ASSERT_TRUE(der_oid_text(SLICE("\x69\x83\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
	                                  "\xff\xff\xff\xff\xff\x7f"),
	                            text, sizeof(text)));
	CU_ASSERT_STRING_EQUAL(text, "2.25.340282366920938463463374607431768211455");
	CU_ASSERT_FALSE(der_oid_text(SLICE("\x2a\x80\x01"), text, sizeof(text)));
	CU_ASSERT_FALSE(der_oid_text(SLICE("\x2a\x83"), text, sizeof(text)));
	CU_ASSERT_FALSE(der_oid_text(SLICE("\x2a\x03"), text, 5));
	CU_ASSERT_TRUE(der_oid_text(SLICE("\x2a\x03"), text, 6));
}

static void lengths_have_to_be_the_shortest(void)
{
	static const struct slice bad[] = {
		SLICE("\x04\x81\x01x"),
		SLICE("\x04\x82\x00\x01x"),
		SLICE("\x04\x80x\x00\x00"),
		SLICE("\x04\x02x"),
		SLICE("\x04"),
		SLICE("\x1f\x01x"),
		SLICE("\x04\x84\xff\xff\xff\xffx"),
		SLICE("\x04\x89\x01"),
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct slice in = bad[i];
		uint8_t tag;
		CU_ASSERT_FALSE(der_any(&in, &tag, NULL, NULL));
		CU_ASSERT(in.data == bad[i].data && in.len == bad[i].len);
	}
}

static const struct unit_test tests[] = {
	{"names are RFC 4514, as GnuTLS prints them", names_are_rfc_4514_as_gnutls_prints_them},
	{"hostile bytes in names come out as hex pairs",
         hostile_bytes_in_names_come_out_as_hex_pairs},
	{"long names are read whole, and values bounded",
         long_names_are_read_whole_and_values_bounded},
	{"everything an event needs is read", everything_an_event_needs_is_read},
	{"fingerprints are those of GnuTLS", fingerprints_are_those_of_gnutls},
	{"the chain's hash tells where certificates end",
         the_chains_hash_tells_where_certificates_end},
	{"what cannot be read keeps its fingerprints alone",
         what_cannot_be_read_keeps_its_fingerprints_alone},
	{"broken extensions make a certificate malformed",
         broken_extensions_make_a_certificate_malformed},
	{"many extensions are refused, and two of a kind too",
         many_extensions_are_refused_and_two_of_a_kind_too},
	{"dates are read to the second or not at all", dates_are_read_to_the_second_or_not_at_all},
	{"OIDs go to text and back", oids_go_to_text_and_back},
	{"lengths have to be the shortest", lengths_have_to_be_the_shortest},
};

int main(void)
{
	int code = unit_run("peer/chain", tests, sizeof(tests) / sizeof(tests[0]));
	pki_release();
	return code;
}
