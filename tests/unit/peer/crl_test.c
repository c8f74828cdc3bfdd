#include "peer/crl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "crl_pki.h"
#include "peer/der.h"
#include "pki.h"
#include "unit.h"

#define OID_NUMBER "2.5.29.20"
#define OID_REASON "2.5.29.21"
#define OID_INVALIDITY "2.5.29.24"
#define OID_DELTA "2.5.29.27"
#define OID_POINT "2.5.29.28"
#define OID_CERTIFICATE_ISSUER "2.5.29.29"
#define OID_POINTS "2.5.29.31"
#define OID_AUTHORITY "2.5.29.35"
#define OID_FRESHEST "2.5.29.46"
#define OID_STRANGE "1.3.6.1.4.1.99999.1"

static struct slice seq(struct slice content)
{
	return pki_tlv(DER_SEQUENCE, content);
}

static const struct pki_cert *ca(void)
{
	static const struct pki_cert *made;
	if (made == NULL) {
		made = crl_pki_ca("CN=Issuer,O=Test", PKI_P256_A, NULL);
	}
	return made;
}

/* NULL: it was read. */
static const char *fault_of(struct slice der)
{
	struct crl *crl;
	const char *why = "unset";
	int err = crl_parse(&crl, der, &why);
	if (err == E_OK) {
		crl_unref(&crl);
		return NULL;
	}
	CU_ASSERT_EQUAL(err, E_INVALID);
	CU_ASSERT_PTR_NOT_NULL(why);
	return why;
}

static const char *fault(const struct crl_pki_spec *spec)
{
	struct crl_pki_spec with_issuer = *spec;
	with_issuer.issuer = ca();
	return fault_of(crl_pki_make(&with_issuer));
}

static void refused(const struct crl_pki_spec *spec, const char *sentence)
{
	const char *why = fault(spec);
	CU_ASSERT_PTR_NOT_NULL(why);
	if (why == NULL || strcmp(why, sentence) != 0) {
		printf("\n    \"%s\" instead of \"%s\"", why == NULL ? "(read)" : why, sentence);
		CU_FAIL("another sentence");
	}
}

static void taken(const struct crl_pki_spec *spec)
{
	const char *why = fault(spec);
	CU_ASSERT_PTR_NULL(why);
	if (why != NULL) {
		printf("\n    %s", why);
	}
}

static void what_gnutls_made_is_read(void)
{
	gnutls_x509_crl_t made;
	gnutls_datum_t der;
	gnutls_privkey_t key;
	const uint8_t key_id[] = {1, 2, 3};
	CU_ASSERT_FATAL(gnutls_x509_crl_init(&made) == 0 && gnutls_privkey_init(&key) == 0);
	gnutls_privkey_import_x509(key, pki_key(PKI_P256_A), 0);
	gnutls_x509_crl_set_version(made, 2);
	gnutls_x509_crl_set_this_update(made, PKI_NOW - 5);
	gnutls_x509_crl_set_next_update(made, PKI_NOW + 5);
	gnutls_x509_crl_set_crt_serial(made, "\x01\x02", 2, PKI_NOW - 100);
	gnutls_x509_crl_set_crt_serial(made, "\x7f\xff\xff", 3, PKI_NOW - 200);
	gnutls_x509_crl_set_number(made, "\x0a\xbc", 2);
	gnutls_x509_crl_set_authority_key_id(made, key_id, sizeof(key_id));
	CU_ASSERT_FATAL(gnutls_x509_crl_privkey_sign(made, ca()->crt, key, GNUTLS_DIG_SHA256, 0) ==
	                0);
	CU_ASSERT_FATAL(gnutls_x509_crl_export2(made, GNUTLS_X509_FMT_DER, &der) == 0);

	struct crl *crl;
	struct crl_entry entry;
	const char *why = NULL;
	CU_ASSERT_EQUAL_FATAL(crl_parse(&crl, slice_of(der.data, der.size), &why), E_OK);
	const struct crl_info *info = crl_info(crl);
	CU_ASSERT_STRING_EQUAL(info->issuer, "CN=Issuer,O=Test");
	CU_ASSERT(slice_equal(info->issuer_der, crl_pki_read(ca())->x509->subject));
	CU_ASSERT(slice_equal(info->authority_key_id, slice_of(key_id, sizeof(key_id))));
	CU_ASSERT_STRING_EQUAL(info->number, "0ABC");
	CU_ASSERT_EQUAL(info->this_update_s, PKI_NOW - 5);
	CU_ASSERT_EQUAL(info->next_update_s, PKI_NOW + 5);
	CU_ASSERT_EQUAL(info->entries, 2);
	CU_ASSERT_FALSE(info->only_users || info->only_cas);
	CU_ASSERT(crl_find(crl, SLICE("\x01\x02"), &entry));
	CU_ASSERT_EQUAL(entry.revoked_at_s, PKI_NOW - 100);
	CU_ASSERT_EQUAL(entry.reason, 0);
	CU_ASSERT(crl_find(crl, SLICE("\x7f\xff\xff"), &entry));
	CU_ASSERT_EQUAL(entry.revoked_at_s, PKI_NOW - 200);
	CU_ASSERT_FALSE(crl_find(crl, SLICE("\x01\x03"), &entry));
	CU_ASSERT(crl_is_signed_by(crl, crl_pki_read(ca())));
	crl_unref(&crl);
	CU_ASSERT_PTR_NULL(crl);
	gnutls_free(der.data);
	gnutls_x509_crl_deinit(made);
	gnutls_privkey_deinit(key);
}

/* One with something everywhere. */
static struct slice full_crl(void)
{
	struct slice invalidity = pki_tlv(DER_GENERALIZED_TIME, SLICE("20261231235959Z"));
	return crl_pki_make(&(struct crl_pki_spec){
		.issuer = ca(),
		.entries = {{.serial = SLICE("\x11"), .reason = 1},
	                    {.serial = SLICE("\x12"),
	                     .rest = seq(crl_pki_extension(OID_INVALIDITY, false, invalidity))}},
		.extensions = {crl_pki_extension(OID_NUMBER, false, SLICE("\x02\x01\x05")),
	                       crl_pki_extension(OID_AUTHORITY, false,
	                                         seq(pki_tlv(0x80, SLICE("key")))),
	                       crl_pki_extension(OID_POINT, true,
	                                         seq(crl_pki_point("http://a.test/1.crl"))),
	                       crl_pki_extension(OID_STRANGE, false, SLICE("x"))},
	});
}

static void every_prefix_is_refused(void)
{
	struct slice der = full_crl();
	CU_ASSERT_PTR_NULL(fault_of(der));
	for (size_t len = 0; len < der.len; len++) {
		/* On the heap, so that a sanitizer sees what is read behind it. */
		uint8_t *copy = malloc(len + 1);
		memcpy(copy + 1, der.data, len);
		CU_ASSERT_PTR_NOT_NULL(fault_of(slice_of(copy + 1, len)));
		free(copy);
	}
	CU_ASSERT_STRING_EQUAL(fault_of(pki_join(der, SLICE("\0"))),
	                       "something stands behind its end");
}

static void a_changed_bit_breaks_form_or_signature(void)
{
	struct slice der = full_crl();
	uint8_t *copy = malloc(der.len);
	size_t kept = 0;
	for (size_t bit = 0; bit < der.len * 8; bit++) {
		struct crl *crl;
		const char *why;
		memcpy(copy, der.data, der.len);
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (crl_parse(&crl, slice_of(copy, der.len), &why) == E_OK) {
			kept++;
			CU_ASSERT_FALSE(crl_is_signed_by(crl, crl_pki_read(ca())));
			crl_unref(&crl);
		}
	}
	/* Serials, dates and the signature can be changed without breaking the form. */
	CU_ASSERT(kept > 100);
	free(copy);
}

/* RFC 5280 5.1.2.1 */
static void versions_other_than_2_are_refused_but_for_plain_v1(void)
{
	struct slice number = crl_pki_extension(OID_NUMBER, false, SLICE("\x02\x01\x05"));
	taken(&(struct crl_pki_spec){.v1 = true, .entries = {{.serial = SLICE("\x11")}}});
	refused(&(struct crl_pki_spec){.v1 = true, .extensions = {number}},
	        "it is of version 1 and has extensions");
	refused(&(struct crl_pki_spec){.v1 = true,
	                               .entries = {{.serial = SLICE("\x11"), .reason = 1}}},
	        "an entry is malformed");
	refused(&(struct crl_pki_spec){.version = SLICE("\x02\x01\x00")},
	        "it is of a version other than 2");
	refused(&(struct crl_pki_spec){.version = SLICE("\x02\x01\x02")},
	        "it is of a version other than 2");
	refused(&(struct crl_pki_spec){.version = SLICE("\x02\x01\xff")},
	        "its version is malformed");
	refused(&(struct crl_pki_spec){.version = SLICE("\x02\x00")}, "its version is malformed");
}

/* RFC 5280 5.1.1.2 */
static void an_inner_algorithm_that_differs_is_refused(void)
{
	/* ecdsa-with-SHA384, and none at all */
	refused(&(struct crl_pki_spec){.inner = SLICE(
					       "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03")},
	        "its two signature algorithms differ");
	refused(&(struct crl_pki_spec){.inner = SLICE("\x04\x00")},
	        "its two signature algorithms differ");
}

static void an_algorithm_that_cannot_be_checked_is_refused(void)
{
	struct slice name = crl_pki_read(ca())->x509->subject;
	/* id-dsa-with-sha224 */
	struct slice algorithm = SLICE("\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x01");
	struct slice tbs =
		seq(pki_join(pki_join(SLICE("\x02\x01\x01"), algorithm),
	                     pki_join(name, pki_tlv(DER_UTC_TIME, SLICE("270101000000Z")))));
	struct slice der =
		seq(pki_join(pki_join(tbs, algorithm), pki_tlv(DER_BIT_STRING, SLICE("\0\1"))));
	CU_ASSERT_STRING_EQUAL(fault_of(der), "its signature algorithm is not supported");
}

/* RFC 5280 5.1.2.3 */
static void an_issuer_without_a_name_is_refused(void)
{
	refused(&(struct crl_pki_spec){.issuer_name = SLICE("\x30\x00")},
	        "its issuer is malformed");
	refused(&(struct crl_pki_spec){.issuer_name = seq(SLICE("\x31\x00"))},
	        "its issuer is malformed");
	refused(&(struct crl_pki_spec){.issuer_name = SLICE("\x31\x00")},
	        "its issuer is malformed");
}

static void times_are_read_strictly(void)
{
	taken(&(struct crl_pki_spec){.next_update = CRL_PKI_NONE});
	taken(&(struct crl_pki_spec){.next_update = 4102444800}); /* 2100, a GeneralizedTime */
	refused(&(struct crl_pki_spec){.next_update = PKI_NOW - 2 * PKI_DAY},
	        "its nextUpdate comes before its thisUpdate");
	refused(&(struct crl_pki_spec){.times = pki_tlv(DER_UTC_TIME, SLICE("2701010000Z"))},
	        "its thisUpdate is malformed");
	refused(&(struct crl_pki_spec){.times = SLICE("\x05\x00")}, "its thisUpdate is malformed");
	struct slice good = pki_tlv(DER_UTC_TIME, SLICE("270101000000Z"));
	refused(&(struct crl_pki_spec){.times = pki_join(
					       good, pki_tlv(DER_GENERALIZED_TIME, SLICE("2027")))},
	        "its nextUpdate is malformed");
	struct slice entry = seq(pki_join(SLICE("\x02\x01\x05"), pki_tlv(DER_UTC_TIME, SLICE("0"))));
	refused(&(struct crl_pki_spec){.entries = {{.instead = entry}}},
	        "the date of an entry is malformed");
}

/* RFC 5280 5.2.3 */
static void numbers_are_read_strictly(void)
{
	static const char malformed[] = "its number is malformed";
	const struct {
		struct slice value;
		const char *sentence;
	} rows[] = {
		{SLICE("\x02\x01\x80"), malformed}, /* negative */
		{SLICE("\x02\x02\x00\x01"), malformed},
		{SLICE("\x02\x00"), malformed},
		{SLICE("\x02\x01\x01\x00"), malformed},
		{SLICE("\x04\x01\x01"), malformed},
		{pki_tlv(DER_INTEGER, SLICE("123456789012345678901")),
	         "its number is longer than 20 octets"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		refused(&(struct crl_pki_spec){.extensions = {crl_pki_extension(OID_NUMBER, false,
		                                                                rows[i].value)}},
		        rows[i].sentence);
	}
	/* None at all, and the longest: 20 octets of value, the highest bit set. */
	struct crl *without = crl_pki_crl(&(struct crl_pki_spec){.issuer = ca()});
	CU_ASSERT_STRING_EQUAL(crl_info(without)->number, "");
	crl_unref(&without);
	struct slice longest = pki_tlv(DER_INTEGER, SLICE("\x00\xff"
	                                                  "1234567890123456789"));
	struct crl *crl = crl_pki_crl(&(struct crl_pki_spec){
		.issuer = ca(), .extensions = {crl_pki_extension(OID_NUMBER, false, longest)}});
	CU_ASSERT_STRING_EQUAL(crl_info(crl)->number, "FF31323334353637383930313233343536373839");
	crl_unref(&crl);
}

static void refused_serial(struct slice serial)
{
	struct slice date = pki_tlv(DER_UTC_TIME, SLICE("270101000000Z"));
	struct slice entry = seq(pki_join(pki_tlv(DER_INTEGER, serial), date));
	refused(&(struct crl_pki_spec){.entries = {{.instead = entry}}},
	        "the serial number of an entry is malformed");
}

/* RFC 5280 4.1.2.2 */
static void serials_are_read_strictly_and_odd_ones_stay_revocable(void)
{
	refused_serial(SLICE(""));
	refused_serial(SLICE("\x00\x01"));
	refused_serial(SLICE("\xff\xfe"));
	refused_serial(SLICE("123456789012345678901")); /* 21 octets */
	refused_serial(SLICE("\x00\xff"
	                     "12345678901234567890")); /* the same, the highest bit set */
	refused_serial(SLICE("\x80"
	                     "12345678901234567890"));
	const struct slice odd[] = {
		SLICE("\x00"),
		SLICE("\xff"),
		SLICE("12345678901234567890"),
		SLICE("\x00\xff"
	              "1234567890123456789"),
	};
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct crl_entry entry;
		struct crl *crl = crl_pki_crl(
			&(struct crl_pki_spec){.issuer = ca(), .entries = {{.serial = odd[i]}}});
		CU_ASSERT(crl_find(crl, odd[i], &entry));
		crl_unref(&crl);
	}
}

static void entries_are_read_strictly(void)
{
	static const char entry_sentence[] = "an entry is malformed";
	struct slice reason = crl_pki_extension(OID_REASON, false, SLICE("\x0a\x01\x01"));
	struct crl_pki_entry odd = {.serial = SLICE("\x11")};
	odd.rest = SLICE("\x05\x00");
	refused(&(struct crl_pki_spec){.entries = {odd}}, entry_sentence);
	odd.rest = pki_join(seq(reason), SLICE("\x05\x00"));
	refused(&(struct crl_pki_spec){.entries = {odd}}, entry_sentence);
	odd.rest = SLICE("\x30\x00");
	refused(&(struct crl_pki_spec){.entries = {odd}}, "a list of extensions is empty");
	odd.rest = seq(pki_join(reason, reason));
	refused(&(struct crl_pki_spec){.entries = {odd}}, "an extension is there twice");
	odd.rest = seq(crl_pki_extension(OID_REASON, false, SLICE("\x02\x01\x01")));
	refused(&(struct crl_pki_spec){.entries = {odd}}, "the reason of an entry is malformed");
	odd.rest = seq(crl_pki_extension(OID_INVALIDITY, false,
	                                 pki_tlv(DER_UTC_TIME, SLICE("270101000000Z"))));
	refused(&(struct crl_pki_spec){.entries = {odd}},
	        "the invalidity date of an entry is malformed");
	/* Of two entries the second counts as much. */
	refused(&(struct crl_pki_spec){.entries = {{.serial = SLICE("\x10")}, odd}},
	        "the invalidity date of an entry is malformed");
	refused(&(struct crl_pki_spec){.revoked = seq(SLICE("\x02\x01\x01"))},
	        "the serial number of an entry is malformed");
	/* RFC 5280 5.1.2.6 wants it left out; it says the same. */
	taken(&(struct crl_pki_spec){.revoked = SLICE("\x30\x00")});
	refused(&(struct crl_pki_spec){.tail = SLICE("\x05\x00")}, "it is malformed");
}

/* RFC 5280 5.2.5, 5.3.3 */
static void indirect_crls_are_refused(void)
{
	static const char sentence[] = "it is an indirect CRL, which is not supported";
	struct slice indirect = crl_pki_extension(OID_POINT, true, seq(SLICE("\x84\x01\xff")));
	refused(&(struct crl_pki_spec){.extensions = {indirect}}, sentence);
	indirect = crl_pki_extension(OID_POINT, false, seq(SLICE("\x84\x01\xff")));
	refused(&(struct crl_pki_spec){.extensions = {indirect}}, sentence);
	struct slice issuer = seq(pki_tlv(0xa4, crl_pki_read(ca())->x509->subject));
	for (int critical = 0; critical < 2; critical++) {
		struct slice extension = crl_pki_extension(OID_CERTIFICATE_ISSUER, critical, issuer);
		refused(&(struct crl_pki_spec){.entries = {{.serial = SLICE("\x10")},
		                                           {.serial = SLICE("\x11"),
		                                            .rest = seq(extension)}}},
		        sentence);
	}
}

/* RFC 5280 5.2.4 */
static void delta_crls_are_refused(void)
{
	for (int critical = 0; critical < 2; critical++) {
		struct slice delta = crl_pki_extension(OID_DELTA, critical, SLICE("\x02\x01\x01"));
		refused(&(struct crl_pki_spec){.extensions = {delta}},
		        "it is a delta CRL, which is not supported");
	}
	/* That there are deltas does not matter: the complete list is complete. */
	taken(&(struct crl_pki_spec){
		.extensions = {crl_pki_extension(OID_FRESHEST, false,
	                                         seq(seq(crl_pki_point("http://a.test/d"))))}});
}

static void crls_for_some_reasons_or_attributes_are_refused(void)
{
	static const char malformed[] = "its issuing distribution point is malformed";
	const struct {
		struct slice value;
		const char *sentence;
	} rows[] = {
		{seq(SLICE("\x83\x02\x00\xff")), "it covers some reasons of revocation only"},
		{seq(SLICE("\x85\x01\xff")), "it is about attribute certificates only"},
		{seq(SLICE("\x81\x01\xff\x82\x01\xff")),
	         "it is for users only and for CAs only at the same time"},
		{seq(SLICE("\x81\x01\x01")), malformed},
		{seq(SLICE("\x82\x00")), malformed},
		{seq(SLICE("\x84\x01\x01")), malformed},
		{seq(SLICE("\x85\x01\x01")), malformed},
		{seq(SLICE("\x82\x01\xff\x81\x01\xff")), malformed}, /* out of order */
		{seq(SLICE("\x86\x00")), malformed},
		{seq(SLICE("\xa0\x00")), malformed},
		{SLICE("\x31\x00"), malformed},
		{SLICE("\x30\x00\x05\x00"), malformed},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		refused(&(struct crl_pki_spec){.extensions = {crl_pki_extension(OID_POINT, true,
		                                                                rows[i].value)}},
		        rows[i].sentence);
	}
	taken(&(struct crl_pki_spec){
		.extensions = {crl_pki_extension(OID_POINT, true,
	                                         seq(SLICE("\x84\x01\x00\x85\x01\x00")))}});
}

/* RFC 5280 5.2, 5.3 */
static void critical_extensions_that_are_not_understood_are_refused(void)
{
	static const char sentence[] = "it has a critical extension that is not understood";
	refused(&(struct crl_pki_spec){.extensions = {crl_pki_extension(OID_STRANGE, true,
	                                                                SLICE("\x05\x00"))}},
	        sentence);
	refused(&(struct crl_pki_spec){.extensions = {crl_pki_extension(OID_NUMBER, true,
	                                                                SLICE("\x02\x01\x05"))}},
	        sentence);
	refused(&(struct crl_pki_spec){.extensions = {crl_pki_extension(OID_AUTHORITY, true,
	                                                                SLICE("\x30\x00"))}},
	        sentence);
	const char *const of_entries[] = {OID_STRANGE, OID_REASON, OID_INVALIDITY};
	for (size_t i = 0; i < sizeof(of_entries) / sizeof(of_entries[0]); i++) {
		struct slice extension =
			crl_pki_extension(of_entries[i], true, SLICE("\x0a\x01\x01"));
		refused(&(struct crl_pki_spec){.entries = {{.serial = SLICE("\x11"),
		                                            .rest = seq(extension)}}},
		        "an entry has a critical extension that is not understood");
	}
	struct slice strange = crl_pki_extension(OID_STRANGE, false, SLICE("\x05\x00"));
	taken(&(struct crl_pki_spec){
		.entries = {{.serial = SLICE("\x11"), .rest = seq(strange)}},
		.extensions = {strange},
	});
}

static void extensions_are_read_strictly(void)
{
	static const char sentence[] = "an extension is malformed";
	struct slice strange = crl_pki_extension(OID_STRANGE, false, SLICE("\x05\x00"));
	refused(&(struct crl_pki_spec){.extensions = {strange, strange}},
	        "an extension is there twice");
	refused(&(struct crl_pki_spec){.extensions = {SLICE("\x30\x00")}}, sentence);
	refused(&(struct crl_pki_spec){.extensions = {SLICE("\x05\x00")}}, sentence);
	/* critical is neither 00 nor FF */
	refused(
		&(struct crl_pki_spec){
			.extensions = {SLICE("\x30\x0a\x06\x03\x55\x1d\x14\x01\x01\x01\x04\x00")}},
		sentence);
	refused(&(struct crl_pki_spec){.tail = pki_tlv(0xa0, SLICE("\x30\x00"))},
	        "a list of extensions is empty");
	refused(&(struct crl_pki_spec){.tail = pki_tlv(0xa0, seq(strange)), .extensions = {strange}},
	        "it is malformed");
	refused(&(struct crl_pki_spec){.tail = pki_tlv(0xa0,
	                                               pki_join(seq(strange), SLICE("\x05\x00")))},
	        "its extensions are malformed");
	refused(&(struct crl_pki_spec){.extensions = {crl_pki_extension(OID_AUTHORITY, false,
	                                                                SLICE("\x30\x01\x80"))}},
	        "its authority key identifier is malformed");
	struct slice many = {0};
	for (char i = 0; i < 33; i++) {
		char oid[] = "1.2.3.11";
		oid[6] = (char)('1' + i / 9);
		oid[7] = (char)('1' + i % 9);
		many = pki_join(many, crl_pki_extension(oid, false, SLICE("\x05\x00")));
	}
	refused(&(struct crl_pki_spec){.extensions = {many}}, "it has too many extensions");
}

static void reasons_are_told_and_unknown_ones_revoke(void)
{
	static const struct {
		int given;
		unsigned told;
	} rows[] = {{1, 1}, {6, 6}, {7, 0}, {8, 8}, {10, 10}, {11, 0}, {0x80, 0}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct crl_entry entry;
		struct crl *crl = crl_pki_crl(&(struct crl_pki_spec){
			.issuer = ca(),
			.entries = {{.serial = SLICE("\x11"), .reason = rows[i].given}}});
		CU_ASSERT(crl_find(crl, SLICE("\x11"), &entry));
		CU_ASSERT_EQUAL(entry.reason, rows[i].told);
		crl_unref(&crl);
	}
}

static void signatures_of_every_kind_are_checked(void)
{
	static const struct {
		enum pki_key_kind key;
		int algorithm;
		bool good;
	} rows[] = {
		{PKI_P256_A, CRL_PKI_USUAL, true},
		{PKI_P384, CRL_PKI_USUAL, true},
		{PKI_RSA2048, CRL_PKI_USUAL, true},
		{PKI_RSA2048, CRL_PKI_PSS, true},
		{PKI_ED25519, CRL_PKI_USUAL, true},
		{PKI_ED448, CRL_PKI_USUAL, true},
		{PKI_RSA2048, CRL_PKI_SHA1, true},
		{PKI_P256_A, CRL_PKI_SHA1, true},
		{PKI_RSA2048, CRL_PKI_MD5, true},
		/* It says a length of the salt that it has not. */
		{PKI_RSA2048, CRL_PKI_PSS_SALT_20, false},
	};
	const struct cert *stranger = crl_pki_read(crl_pki_ca("CN=Issuer,O=Test", PKI_P256_D, NULL));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct pki_cert *issuer = crl_pki_ca("CN=Issuer,O=Test", rows[i].key, NULL);
		struct crl *crl = crl_pki_crl(
			&(struct crl_pki_spec){.issuer = issuer, .algorithm = rows[i].algorithm});
		CU_ASSERT_EQUAL(crl_is_signed_by(crl, crl_pki_read(issuer)), rows[i].good);
		CU_ASSERT_FALSE(crl_is_signed_by(crl, stranger));
		crl_unref(&crl);
	}
}

static void what_eddsa_signed_is_kept_and_counted(void)
{
	struct crl *digest = crl_pki_crl(&(struct crl_pki_spec){.issuer = ca()});
	const struct pki_cert *issuer = crl_pki_ca("CN=Issuer,O=Test", PKI_ED25519, NULL);
	struct slice padding = pki_keep(slice_of((uint8_t[60000]){0}, 60000));
	struct crl *whole = crl_pki_crl(&(struct crl_pki_spec){
		.issuer = issuer, .extensions = {crl_pki_extension(OID_STRANGE, false, padding)}});
	CU_ASSERT(crl_info(whole)->bytes > crl_info(digest)->bytes + padding.len);
	CU_ASSERT(crl_is_signed_by(whole, crl_pki_read(issuer)));
	crl_unref(&whole);
	crl_unref(&digest);
}

/* RFC 5280 4.2.1.3, 6.3.3 (f) */
static void an_issuer_without_crl_sign_signed_nothing(void)
{
	static const struct {
		unsigned usage;
		bool good;
	} rows[] = {
		{0, true},
		{GNUTLS_KEY_CRL_SIGN, true},
		{GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN, true},
		{GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_DIGITAL_SIGNATURE, false},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct pki_cert *issuer =
			pki_make(&(struct pki_spec){.subject = "CN=Issuer",
		                                    .key = PKI_P256_B,
		                                    .ca = true,
		                                    .key_usage = rows[i].usage});
		struct crl *crl = crl_pki_crl(&(struct crl_pki_spec){.issuer = issuer});
		CU_ASSERT_EQUAL(crl_is_signed_by(crl, crl_pki_read(issuer)), rows[i].good);
		crl_unref(&crl);
	}
	struct cert unread = {0};
	struct crl *crl = crl_pki_crl(&(struct crl_pki_spec){.issuer = ca()});
	CU_ASSERT_FALSE(crl_is_signed_by(crl, &unread));
	crl_unref(&crl);
}

static void weak_signatures_are_named_by_profile(void)
{
	const struct pki_cert *issuer = crl_pki_ca("CN=Issuer,O=Test", PKI_RSA2048, NULL);
	static const struct {
		int algorithm;
		bool weak[3]; /* legacy, medium, high */
	} rows[] = {
		{CRL_PKI_USUAL, {false, false, false}},
		{CRL_PKI_PSS, {false, false, false}},
		{CRL_PKI_SHA1, {false, true, true}},
		{CRL_PKI_MD5, {true, true, true}},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct crl *crl = crl_pki_crl(
			&(struct crl_pki_spec){.issuer = issuer, .algorithm = rows[i].algorithm});
		for (int profile = PROFILE_LEGACY; profile <= PROFILE_HIGH; profile++) {
			CU_ASSERT_EQUAL(crl_weakness(crl, (enum profile)profile) != NULL,
			                rows[i].weak[profile]);
		}
		crl_unref(&crl);
	}
}

/* Does a CRL with this issuing distribution point cover a certificate with these distribution points? */
static bool covers(struct slice point, bool is_ca, struct slice points)
{
	struct pki_spec spec = {
		.subject = "CN=subject", .key = PKI_P256_C, .issuer = ca(), .ca = is_ca};
	if (points.len > 0) {
		spec.extensions[0] = (struct pki_extension){OID_POINTS, points, false};
	}
	struct crl *crl = crl_pki_crl(&(struct crl_pki_spec){
		.issuer = ca(), .extensions = {crl_pki_extension(OID_POINT, true, point)}});
	bool result = crl_covers(crl, crl_pki_read(pki_make(&spec)));
	crl_unref(&crl);
	return result;
}

/* RFC 5280 6.3.3 (b) (2) (ii) and (iii) */
static void crls_for_users_or_cas_cover_these_alone(void)
{
	struct slice none = {0};
	struct slice users = seq(SLICE("\x81\x01\xff"));
	struct slice cas = seq(SLICE("\x82\x01\xff"));
	CU_ASSERT(covers(users, false, none));
	CU_ASSERT_FALSE(covers(users, true, none));
	CU_ASSERT_FALSE(covers(cas, false, none));
	CU_ASSERT(covers(cas, true, none));
	CU_ASSERT(covers(SLICE("\x30\x00"), false, none));
	CU_ASSERT(covers(SLICE("\x30\x00"), true, none));
}

/* RFC 5280 6.3.3 (b) (2) (i) */
static void a_part_of_a_crl_covers_those_who_name_it(void)
{
	struct slice none = {0};
	struct slice one = crl_pki_point("http://a.test/1.crl");
	struct slice two = crl_pki_point("http://a.test/2.crl");
	struct slice part = seq(one);
	CU_ASSERT(covers(part, false, seq(seq(one))));
	CU_ASSERT(covers(part, false, seq(pki_join(seq(two), seq(one)))));
	CU_ASSERT_FALSE(covers(part, false, seq(seq(two))));
	CU_ASSERT_FALSE(covers(part, false, none));
	/* A list that is whole covers all. */
	CU_ASSERT(covers(SLICE("\x30\x00"), false, seq(seq(two))));

	/* Several names of one point: one in common is enough. */
	struct slice url_1 = pki_tlv(0x86, SLICE("ldap://a.test/1"));
	struct slice url_2 = pki_tlv(0x86, SLICE("http://a.test/1.crl"));
	struct slice both = pki_tlv(0xa0, pki_tlv(0xa0, pki_join(url_1, url_2)));
	CU_ASSERT(covers(part, false, seq(seq(both))));
	CU_ASSERT(covers(seq(both), false, seq(seq(one))));
	CU_ASSERT_FALSE(covers(seq(both), false, seq(seq(two))));

	/* A point for some reasons, or of another CRL issuer, is another one. */
	CU_ASSERT_FALSE(covers(part, false, seq(seq(pki_join(one, SLICE("\x81\x02\x00\x80"))))));
	struct slice other_issuer =
		pki_tlv(0xa2, pki_tlv(0xa4, crl_pki_read(pki_root())->x509->subject));
	CU_ASSERT_FALSE(covers(part, false, seq(seq(pki_join(one, other_issuer)))));

	/* The issuer's own name stands for all of its certificates. */
	struct slice issuer_name = pki_tlv(0xa4, crl_pki_read(ca())->x509->subject);
	CU_ASSERT(covers(seq(pki_tlv(0xa0, pki_tlv(0xa0, issuer_name))), false, none));
	struct slice other_name = pki_tlv(0xa4, crl_pki_read(pki_root())->x509->subject);
	CU_ASSERT_FALSE(covers(seq(pki_tlv(0xa0, pki_tlv(0xa0, other_name))), false, none));

	/* Names relative to the issuer. */
	struct slice relative =
		pki_tlv(0xa0, pki_tlv(0xa1, seq(SLICE("\x06\x03\x55\x04\x03\x0c\x01\x31"))));
	CU_ASSERT(covers(seq(relative), false, seq(seq(relative))));
	CU_ASSERT_FALSE(covers(seq(relative), false, seq(seq(one))));
}

static void distribution_points_that_break_their_form_cover_nothing(void)
{
	struct slice one = crl_pki_point("http://a.test/1.crl");
	struct slice part = seq(one);
	CU_ASSERT_FALSE(covers(part, false, SLICE("\x05\x00")));
	CU_ASSERT_FALSE(covers(part, false, seq(SLICE("\x05\x00"))));
	CU_ASSERT_FALSE(covers(part, false, seq(SLICE("\x30\x00"))));
	CU_ASSERT_FALSE(covers(part, false, seq(seq(SLICE("\xa0\x02\xa0\x05")))));
	CU_ASSERT_FALSE(covers(seq(SLICE("\xa0\x02\xa0\x00")), false, seq(seq(one))));
}

static void comparing_names_of_points_is_bounded(void)
{
	struct slice names = {0};
	struct slice points = {0};
	uint8_t digit[4] = "0000";
	for (int i = 0; i < 70; i++) {
		digit[2] = (uint8_t)('0' + i / 10);
		digit[3] = (uint8_t)('0' + i % 10);
		names = pki_join(names, pki_tlv(0x86, slice_of(digit, 4)));
		digit[0] = '1';
		points = pki_join(
			points,
			seq(pki_tlv(0xa0, pki_tlv(0xa0, pki_tlv(0x86, slice_of(digit, 4))))));
		digit[0] = '0';
	}
	struct slice last = seq(pki_tlv(0xa0, pki_tlv(0xa0, pki_tlv(0x86, SLICE("0000")))));
	struct slice part = seq(pki_tlv(0xa0, pki_tlv(0xa0, names)));
	CU_ASSERT(covers(part, false, seq(last)));
	/* 70 times 70 come before it. */
	CU_ASSERT_FALSE(covers(part, false, seq(pki_join(points, last))));
}

/* What is between 64 KiB and 16 MiB long. */
static void put(struct buf *out, uint8_t tag, struct slice content)
{
	buf_append_byte(out, tag);
	buf_append_byte(out, 0x83);
	for (int shift = 16; shift >= 0; shift -= 8) {
		buf_append_byte(out, (uint8_t)(content.len >> shift));
	}
	buf_append_slice(out, content);
}

static void entries_cost_sixteen_bytes(void)
{
	enum { MANY = 100000 };
	struct buf entries;
	struct buf list;
	buf_init(&entries, 16 << 20);
	buf_init(&list, 16 << 20);
	for (uint32_t i = 0; i < MANY; i++) {
		const uint8_t serial[] = {
			0x30,      0x15, 0x02, 0x04, 0x40, (uint8_t)(i >> 16), (uint8_t)(i >> 8),
			(uint8_t)i};
		buf_append(&entries, serial, sizeof(serial));
		buf_append_slice(&entries, SLICE("\x17\x0d"
		                                 "270101000000Z"));
	}
	put(&list, DER_SEQUENCE, buf_slice(&entries));
	struct crl_pki_spec spec = {.issuer = ca()};
	struct crl *empty = crl_pki_crl(&spec);
	/* Its header, with the entries and a signature that nobody asks about. */
	struct slice head = crl_pki_make(&spec);
	struct slice outer;
	struct slice tbs;
	CU_ASSERT_FATAL(der_get(&head, DER_SEQUENCE, &outer) && der_get(&outer, DER_SEQUENCE, &tbs));
	struct buf der;
	struct buf body;
	buf_init(&der, 16 << 20);
	buf_init(&body, 16 << 20);
	buf_append_slice(&body, tbs);
	buf_append_slice(&body, buf_slice(&list));
	put(&der, DER_SEQUENCE, buf_slice(&body));
	buf_append_slice(&der, outer);
	buf_reset(&body);
	put(&body, DER_SEQUENCE, buf_slice(&der));
	struct crl *crl = NULL;
	const char *why = NULL;
	CU_ASSERT_EQUAL_FATAL(crl_parse(&crl, buf_slice(&body), &why), E_OK);
	struct crl_entry entry;
	CU_ASSERT_EQUAL(crl_info(crl)->entries, MANY);
	CU_ASSERT_EQUAL(crl_info(crl)->bytes, crl_info(empty)->bytes + 16 * MANY);
	CU_ASSERT(crl_find(crl, SLICE("\x40\x01\x86\x9f"), &entry));
	CU_ASSERT_FALSE(crl_find(crl, SLICE("\x40\x01\x86\xa0"), &entry));
	crl_unref(&crl);
	crl_unref(&empty);
	buf_release(&body);
	buf_release(&der);
	buf_release(&list);
	buf_release(&entries);
}

static void references_are_counted(void)
{
	struct crl *crl = crl_pki_crl(&(struct crl_pki_spec){.issuer = ca()});
	CU_ASSERT_FALSE(crl_is_shared(crl));
	struct crl *other = crl_ref(crl);
	CU_ASSERT_PTR_EQUAL(other, crl);
	CU_ASSERT(crl_is_shared(crl));
	crl_unref(&crl);
	CU_ASSERT_PTR_NULL(crl);
	CU_ASSERT_FALSE(crl_is_shared(other));
	CU_ASSERT_STRING_EQUAL(crl_info(other)->issuer, "CN=Issuer,O=Test");
	crl_unref(&other);
	crl_unref(&other);
}

static const struct unit_test tests[] = {
	{"what GnuTLS made is read", what_gnutls_made_is_read},
	{"every prefix is refused", every_prefix_is_refused},
	{"a changed bit breaks form or signature", a_changed_bit_breaks_form_or_signature},
	{"versions other than 2 are refused but for plain v1",
         versions_other_than_2_are_refused_but_for_plain_v1},
	{"an inner algorithm that differs is refused", an_inner_algorithm_that_differs_is_refused},
	{"an algorithm that cannot be checked is refused",
         an_algorithm_that_cannot_be_checked_is_refused},
	{"an issuer without a name is refused", an_issuer_without_a_name_is_refused},
	{"times are read strictly", times_are_read_strictly},
	{"numbers are read strictly", numbers_are_read_strictly},
	{"serials are read strictly and odd ones stay revocable",
         serials_are_read_strictly_and_odd_ones_stay_revocable},
	{"entries are read strictly", entries_are_read_strictly},
	{"indirect CRLs are refused", indirect_crls_are_refused},
	{"delta CRLs are refused", delta_crls_are_refused},
	{"CRLs for some reasons or attributes are refused",
         crls_for_some_reasons_or_attributes_are_refused},
	{"critical extensions that are not understood are refused",
         critical_extensions_that_are_not_understood_are_refused},
	{"extensions are read strictly", extensions_are_read_strictly},
	{"reasons are told and unknown ones revoke", reasons_are_told_and_unknown_ones_revoke},
	{"signatures of every kind are checked", signatures_of_every_kind_are_checked},
	{"what EdDSA signed is kept and counted", what_eddsa_signed_is_kept_and_counted},
	{"an issuer without cRLSign signed nothing", an_issuer_without_crl_sign_signed_nothing},
	{"weak signatures are named by profile", weak_signatures_are_named_by_profile},
	{"CRLs for users or CAs cover these alone", crls_for_users_or_cas_cover_these_alone},
	{"a part of a CRL covers those who name it", a_part_of_a_crl_covers_those_who_name_it},
	{"distribution points that break their form cover nothing",
         distribution_points_that_break_their_form_cover_nothing},
	{"comparing names of points is bounded", comparing_names_of_points_is_bounded},
	{"entries cost sixteen bytes", entries_cost_sixteen_bytes},
	{"references are counted", references_are_counted},
};

int main(void)
{
	int code = unit_run("peer/crl", tests, sizeof(tests) / sizeof(tests[0]));
	crl_pki_release();
	return code;
}
