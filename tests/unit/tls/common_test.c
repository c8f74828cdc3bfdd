/* What client and service share. The service's members are written by hand: what a priority string makes of them is
 * creds.c's, and shown by real handshakes. */
#include <string.h>

#include "tls/creds_private.h"
#include "unit.h"

enum {
	AES_128_13 = 0x1301,
	AES_256_13 = 0x1302,
	ECDSA_12 = 0xc02b,
	RSA_12 = 0xc02f,
	P256 = 23,
	P384 = 24,
	X25519 = 29,
	X448 = 30,
};

/* P-256 and RSA certificates, both versions, h2 before http/1.1. */
static struct tls_service service_of_both(void)
{
	return (struct tls_service){
		.tls12 = true,
		.tls13 = true,
		.certificate_count = 2,
		.certificates = {{.algorithm = GNUTLS_PK_ECDSA, .bits = 256},
	                         {.algorithm = GNUTLS_PK_RSA, .bits = 2048}},
		.alpn_count = 2,
		.alpn = {{(unsigned char *)"h2", 2}, {(unsigned char *)"http/1.1", 8}},
		.suite_count = 3,
		.suites = {{.id = AES_128_13, .tls13 = true},
	                   {.id = ECDSA_12, .ecdsa = true},
	                   {.id = RSA_12, .rsa = true}},
		.group_count = 2,
		.groups = {X25519, P256},
	};
}

/* A hello that has all of it in common. */
static struct hello hello_of(uint16_t first, uint16_t second)
{
	return (struct hello){
		.seen = true, .version_count = second == 0 ? 1 : 2, .versions = {first, second}};
}

static struct hello_offer good_offer(void)
{
	return (struct hello_offer){
		.has_versions = true,
		.suites = SLICE("\x13\x01\xc0\x2b\xc0\x2f"),
		.groups = SLICE("\x00\x1d\x00\x17"),
		.signatures = SLICE("\x04\x03\x08\x04"),
		.alpn = SLICE("\x02h2\x08http/1.1"),
	};
}

static void what_is_common_is_ok(void)
{
	struct tls_service service = service_of_both();
	struct hello_offer offer = good_offer();
	struct hello hello = hello_of(TLS_VERSION_1_3, TLS_VERSION_1_2);
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_OK);
	hello = hello_of(TLS_VERSION_1_2, 0);
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_OK);
}

static void versions_have_to_meet(void)
{
	struct tls_service service = service_of_both();
	struct hello_offer offer = good_offer();
	struct hello hello = hello_of(0x0302, 0x0301);
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_NO_VERSION);
	hello = hello_of(TLS_VERSION_1_2, 0);
	service.tls12 = false;
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_NO_VERSION);
	service = service_of_both();
	service.tls13 = false;
	hello = hello_of(TLS_VERSION_1_3, 0);
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_NO_VERSION);
}

/* RFC 8446 4.2.1 */
static void the_legacy_version_is_a_maximum_of_12_at_most(void)
{
	struct tls_service service = service_of_both();
	struct hello_offer offer = good_offer();
	offer.has_versions = false;
	struct hello hello = hello_of(TLS_VERSION_1_3, 0);
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_OK);
	service.tls12 = false;
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_NO_VERSION);
	service = service_of_both();
	hello = hello_of(0x0302, 0);
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_NO_VERSION);
}

/* The version is settled first: a suite of the other one does not help. */
static void suites_count_for_their_version(void)
{
	struct tls_service service = service_of_both();
	struct hello_offer offer = good_offer();
	struct hello hello = hello_of(TLS_VERSION_1_3, TLS_VERSION_1_2);
	offer.suites = SLICE("\xc0\x2b\xc0\x2f");
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_NO_CIPHER);
	offer.suites = SLICE("\x13\x02");
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_NO_CIPHER);
	hello = hello_of(TLS_VERSION_1_2, 0);
	offer.suites = SLICE("\x13\x01");
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_NO_CIPHER);
}

static void a_suite_of_1_2_needs_a_key_of_its_kind(void)
{
	struct tls_service service = service_of_both();
	struct hello_offer offer = good_offer();
	struct hello hello = hello_of(TLS_VERSION_1_2, 0);
	service.certificate_count = 1; /* ECDSA alone */
	offer.suites = SLICE("\xc0\x2f");
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_NO_CIPHER);
	offer.suites = SLICE("\xc0\x2b");
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_OK);
	service.certificates[0].algorithm = GNUTLS_PK_RSA;
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_NO_CIPHER);
}

static void groups_have_to_meet(void)
{
	struct tls_service service = service_of_both();
	struct hello_offer offer = good_offer();
	struct hello hello = hello_of(TLS_VERSION_1_3, TLS_VERSION_1_2);
	offer.groups = SLICE("\x00\x18\x00\x1e");
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_NO_GROUP);
	offer.groups = SLICE("\x00\x18\x00\x17");
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_OK);
	offer.groups = slice_of(NULL, 0); /* absent: any (RFC 8422 4) */
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_OK);
	/* A group of the service that has no number here must not match one that the client calls 0. */
	service.groups[0] = service.groups[1] = 0;
	offer.groups = SLICE("\x00\x00");
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_NO_GROUP);
}

static void a_certificate_can_sign_what_is_offered(void)
{
	struct tls_service service = service_of_both();
	struct hello_offer offer = good_offer();
	struct hello new = hello_of(TLS_VERSION_1_3, TLS_VERSION_1_2);
	struct hello old = hello_of(TLS_VERSION_1_2, 0);
	/* RFC 8446 4.2.3: 1.3 has no PKCS #1 and ties the hash to the curve. */
	offer.signatures = SLICE("\x04\x01\x05\x03");
	CU_ASSERT_EQUAL(tls_service_common(&service, &new, &offer), TLS_COMMON_NO_SIGNATURE);
	CU_ASSERT_EQUAL(tls_service_common(&service, &old, &offer), TLS_COMMON_OK);
	offer.signatures = SLICE("\x08\x05");
	CU_ASSERT_EQUAL(tls_service_common(&service, &new, &offer), TLS_COMMON_OK);
	offer.signatures = SLICE("\x08\x07\x02\x03\x08\x09");
	CU_ASSERT_EQUAL(tls_service_common(&service, &new, &offer), TLS_COMMON_NO_SIGNATURE);
	CU_ASSERT_EQUAL(tls_service_common(&service, &old, &offer), TLS_COMMON_NO_SIGNATURE);
	service.certificates[1].algorithm = GNUTLS_PK_EDDSA_ED25519;
	CU_ASSERT_EQUAL(tls_service_common(&service, &new, &offer), TLS_COMMON_OK);
	service.certificates[1].algorithm = GNUTLS_PK_RSA_PSS;
	CU_ASSERT_EQUAL(tls_service_common(&service, &new, &offer), TLS_COMMON_OK);
	offer.signatures = SLICE("\x08\x04");
	CU_ASSERT_EQUAL(tls_service_common(&service, &new, &offer), TLS_COMMON_NO_SIGNATURE);
}

/* RFC 7301 3.2. */
static void protocols_have_to_meet_where_both_name_some(void)
{
	struct tls_service service = service_of_both();
	struct hello_offer offer = good_offer();
	struct hello hello = hello_of(TLS_VERSION_1_3, TLS_VERSION_1_2);
	offer.alpn = SLICE("\x03"
	                   "foo\x07http/1.");
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_NO_PROTOCOL);
	offer.alpn = SLICE("\x03"
	                   "foo\x08http/1.1");
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_OK);
	offer.alpn = slice_of(NULL, 0);
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_OK);
	service.alpn_count = 0;
	offer.alpn = SLICE("\x03"
	                   "foo");
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_OK);
}

/* The first thing that is missing is named, in this order. */
static void faults_have_an_order(void)
{
	struct tls_service service = service_of_both();
	struct hello_offer offer = {.has_versions = true,
	                            .suites = SLICE("\x00\x00"),
	                            .groups = SLICE("\x00\x00"),
	                            .signatures = SLICE("\x00\x00"),
	                            .alpn = SLICE("\x01x")};
	struct hello hello = hello_of(0x0301, 0);
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_NO_VERSION);
	hello = hello_of(TLS_VERSION_1_3, 0);
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_NO_CIPHER);
	offer.suites = SLICE("\x13\x01");
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_NO_GROUP);
	offer.groups = SLICE("\x00\x1d");
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_NO_SIGNATURE);
	offer.signatures = SLICE("\x04\x03");
	CU_ASSERT_EQUAL(tls_service_common(&service, &hello, &offer), TLS_COMMON_NO_PROTOCOL);
}

static const struct unit_test tests[] = {
	{"what is common is ok", what_is_common_is_ok},
	{"versions have to meet", versions_have_to_meet},
	{"the legacy version is a maximum, of 1.2 at most",
         the_legacy_version_is_a_maximum_of_12_at_most},
	{"suites count for their version", suites_count_for_their_version},
	{"a suite of TLS 1.2 needs a key of its kind", a_suite_of_1_2_needs_a_key_of_its_kind},
	{"groups have to meet", groups_have_to_meet},
	{"a certificate can sign what is offered", a_certificate_can_sign_what_is_offered},
	{"protocols have to meet where both name some", protocols_have_to_meet_where_both_name_some},
	{"faults have an order", faults_have_an_order},
};

UNIT_MAIN("tls/common", tests)
