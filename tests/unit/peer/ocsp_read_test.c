#include "base/err.h"
#include "ocsp_pki.h"
#include "unit.h"

#include <openssl/ocsp.h>
#include <string.h>

#define ARCHIVE_CUTOFF "1.3.6.1.5.5.7.48.1.6"

static const struct pki_cert *other_leaf(void)
{
	static const struct pki_cert *leaf;
	if (leaf == NULL) {
		leaf = pki_make(&(struct pki_spec){.subject = "CN=other,O=Test",
		                                   .key = PKI_P256_C,
		                                   .issuer = pki_intermediate()});
	}
	return leaf;
}

static struct ocsp_pki_spec usual(void)
{
	return (struct ocsp_pki_spec){.leaf = pki_leaf(), .issuer = pki_intermediate()};
}

static int read_usual(struct ocsp_answer *out, const struct ocsp_pki_spec *spec, const char **why)
{
	return ocsp_pki_read(out, ocsp_pki_answer(spec), pki_leaf(), pki_intermediate(), why);
}

/* With a nonce, at some time. */
static int read_at(const struct ocsp_pki_spec *spec, const uint8_t *nonce, int64_t now_s)
{
	struct ocsp_answer answer;
	const char *why;
	return ocsp_read(&answer, ocsp_pki_answer(spec), pki_leaf()->der, pki_intermediate()->der,
	                 nonce, PROFILE_MEDIUM, now_s, &why);
}

static void a_good_answer_counts_until_its_next_update(void)
{
	struct ocsp_pki_spec spec = usual();
	struct ocsp_answer answer;
	const char *why;
	CU_ASSERT_EQUAL_FATAL(read_usual(&answer, &spec, &why), E_OK);
	CU_ASSERT_EQUAL(answer.status, REVOCATION_GOOD);
	CU_ASSERT_EQUAL(answer.this_update_s, OCSP_PKI_THIS);
	CU_ASSERT_EQUAL(answer.next_update_s, OCSP_PKI_NEXT);
	CU_ASSERT_EQUAL(answer.until_s, OCSP_PKI_NEXT + 1);
	CU_ASSERT_EQUAL(answer.revoked_at_s, 0);
}

static void revoked_comes_with_its_time_and_reason(void)
{
	struct ocsp_pki_spec spec = usual();
	struct ocsp_answer answer;
	const char *why;
	spec.entries[0].status = OCSP_PKI_REVOKED;
	spec.entries[0].reason_plus_1 = OCSP_REVOKED_STATUS_KEYCOMPROMISE + 1;
	CU_ASSERT_EQUAL_FATAL(read_usual(&answer, &spec, &why), E_OK);
	CU_ASSERT_EQUAL(answer.status, REVOCATION_REVOKED);
	CU_ASSERT_EQUAL(answer.revoked_at_s, OCSP_PKI_THIS - 86400);
	CU_ASSERT_EQUAL(answer.reason, 1);
	spec.entries[0].reason_plus_1 = 0;
	CU_ASSERT_EQUAL_FATAL(read_usual(&answer, &spec, &why), E_OK);
	CU_ASSERT_EQUAL(answer.status, REVOCATION_REVOKED);
	CU_ASSERT_EQUAL(answer.reason, 0);
	/* A reason that nobody knows takes nothing away from the word. */
	spec.entries[0].reason_plus_1 = 78;
	CU_ASSERT_EQUAL_FATAL(read_usual(&answer, &spec, &why), E_OK);
	CU_ASSERT_EQUAL(answer.status, REVOCATION_REVOKED);
	CU_ASSERT_EQUAL(answer.reason, 0);
}

static void a_certificate_that_the_responder_does_not_know_is_unknown(void)
{
	struct ocsp_pki_spec spec = usual();
	struct ocsp_answer answer;
	const char *why;
	spec.entries[0].status = OCSP_PKI_UNKNOWN;
	CU_ASSERT_EQUAL_FATAL(read_usual(&answer, &spec, &why), E_OK);
	CU_ASSERT_EQUAL(answer.status, REVOCATION_UNKNOWN);
}

static void certificates_are_named_with_sha1_or_sha256_and_nothing_else(void)
{
	struct ocsp_pki_spec spec = usual();
	CU_ASSERT_EQUAL(read_at(&spec, NULL, PKI_NOW), E_OK);
	spec.entries[0].digest = "SHA256";
	CU_ASSERT_EQUAL(read_at(&spec, NULL, PKI_NOW), E_OK);
	spec.entries[0].digest = "SHA512";
	CU_ASSERT_EQUAL(read_at(&spec, NULL, PKI_NOW), E_INVALID);
	spec.entries[0].digest = "MD5";
	CU_ASSERT_EQUAL(read_at(&spec, NULL, PKI_NOW), E_INVALID);
}

static void an_answer_about_another_certificate_is_refused(void)
{
	struct ocsp_pki_spec spec = usual();
	struct ocsp_answer answer;
	const char *why;
	spec.entries[0].cert = other_leaf();
	CU_ASSERT_EQUAL(read_usual(&answer, &spec, &why), E_INVALID);
	CU_ASSERT_STRING_EQUAL(why, "the OCSP answer is about another certificate");

	/* The serial alone names nobody: another name of the same key, another key of that name. */
	struct pki_spec renamed = {.subject = "CN=Other,O=Test", .key = PKI_P256_B, .ca = true};
	struct pki_spec rekeyed = {
		.subject = "CN=Intermediate,O=Test", .key = PKI_P256_D, .ca = true};
	const struct pki_spec *issuers[] = {&renamed, &rekeyed};
	for (size_t i = 0; i < 2; i++) {
		spec = usual();
		spec.entries[0].issuer = pki_make(issuers[i]);
		CU_ASSERT_EQUAL(read_usual(&answer, &spec, &why), E_INVALID);
		CU_ASSERT_STRING_EQUAL(why, "the OCSP answer is about another certificate");
	}
}

static void an_entry_is_found_among_those_about_others(void)
{
	struct ocsp_pki_spec spec = usual();
	struct ocsp_answer answer;
	const char *why;
	spec.entry_count = 3;
	spec.entries[0] = (struct ocsp_pki_entry){.cert = other_leaf(), .status = OCSP_PKI_GOOD};
	spec.entries[1] = (struct ocsp_pki_entry){.status = OCSP_PKI_REVOKED};
	spec.entries[2] = (struct ocsp_pki_entry){.cert = other_leaf(), .status = OCSP_PKI_GOOD};
	CU_ASSERT_EQUAL_FATAL(read_usual(&answer, &spec, &why), E_OK);
	CU_ASSERT_EQUAL(answer.status, REVOCATION_REVOKED);
	spec.entries[0].status = OCSP_PKI_REVOKED;
	spec.entries[1].status = OCSP_PKI_GOOD;
	spec.entries[2].status = OCSP_PKI_REVOKED;
	CU_ASSERT_EQUAL_FATAL(read_usual(&answer, &spec, &why), E_OK);
	CU_ASSERT_EQUAL(answer.status, REVOCATION_GOOD);
}

static void of_several_entries_the_gravest_counts(void)
{
	static const struct {
		int first, second;
		enum revocation_status expected;
	} cases[] = {
		{OCSP_PKI_GOOD, OCSP_PKI_REVOKED, REVOCATION_REVOKED},
		{OCSP_PKI_REVOKED, OCSP_PKI_GOOD, REVOCATION_REVOKED},
		{OCSP_PKI_UNKNOWN, OCSP_PKI_REVOKED, REVOCATION_REVOKED},
		{OCSP_PKI_REVOKED, OCSP_PKI_UNKNOWN, REVOCATION_REVOKED},
		{OCSP_PKI_GOOD, OCSP_PKI_UNKNOWN, REVOCATION_UNKNOWN},
		{OCSP_PKI_UNKNOWN, OCSP_PKI_GOOD, REVOCATION_UNKNOWN},
		{OCSP_PKI_GOOD, OCSP_PKI_GOOD, REVOCATION_GOOD},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int earlier = 0; earlier < 2; earlier++) {
			struct ocsp_pki_spec spec = usual();
			struct ocsp_answer answer;
			const char *why;
			spec.entry_count = 2;
			spec.entries[0].status = cases[i].first;
			spec.entries[1].status = cases[i].second;
			spec.entries[1].digest = "SHA256";
			spec.entries[earlier].next_update = PKI_NOW + 60;
			CU_ASSERT_EQUAL_FATAL(read_usual(&answer, &spec, &why), E_OK);
			CU_ASSERT_EQUAL(answer.status, cases[i].expected);
			CU_ASSERT_EQUAL(answer.until_s, PKI_NOW + 61);
		}
	}
}

static void an_entry_out_of_date_hides_no_revocation_and_spoils_the_rest(void)
{
	for (size_t old = 0; old < 2; old++) {
		struct ocsp_pki_spec spec = usual();
		struct ocsp_answer answer;
		const char *why;
		spec.entry_count = 2;
		spec.entries[old].next_update = PKI_NOW - 1;
		CU_ASSERT_EQUAL(read_usual(&answer, &spec, &why), E_INVALID);
		spec.entries[1 - old].status = OCSP_PKI_REVOKED;
		CU_ASSERT_EQUAL(read_usual(&answer, &spec, &why), E_OK);
		CU_ASSERT_EQUAL(answer.status, REVOCATION_REVOKED);
	}
}

/* RFC 6960 4.2.2.1 */
static void an_answer_is_refused_before_and_after_its_time(void)
{
	struct ocsp_pki_spec spec = usual();
	CU_ASSERT_EQUAL(read_at(&spec, NULL, OCSP_PKI_NEXT), E_OK);
	CU_ASSERT_EQUAL(read_at(&spec, NULL, OCSP_PKI_NEXT + 1), E_INVALID);
	CU_ASSERT_EQUAL(read_at(&spec, NULL, OCSP_PKI_THIS), E_OK);
	CU_ASSERT_EQUAL(read_at(&spec, NULL, OCSP_PKI_THIS - OCSP_SKEW_S), E_OK);
	CU_ASSERT_EQUAL(read_at(&spec, NULL, OCSP_PKI_THIS - OCSP_SKEW_S - 1), E_INVALID);
	spec.produced_at = PKI_NOW + OCSP_SKEW_S;
	CU_ASSERT_EQUAL(read_at(&spec, NULL, PKI_NOW), E_OK);
	spec.produced_at++;
	CU_ASSERT_EQUAL(read_at(&spec, NULL, PKI_NOW), E_INVALID);

	struct ocsp_answer answer;
	const char *why;
	spec = usual();
	spec.entries[0].next_update = PKI_NOW - 60;
	CU_ASSERT_EQUAL(read_usual(&answer, &spec, &why), E_INVALID);
	CU_ASSERT_STRING_EQUAL(why, "the OCSP answer is out of date");
	spec = usual();
	spec.entries[0].this_update = PKI_NOW + 3600;
	CU_ASSERT_EQUAL(read_usual(&answer, &spec, &why), E_INVALID);
	CU_ASSERT_STRING_EQUAL(why, "the OCSP answer is from the future");
	spec = usual();
	spec.entries[0].next_update = OCSP_PKI_THIS - 1;
	CU_ASSERT_EQUAL(read_usual(&answer, &spec, &why), E_INVALID);
	CU_ASSERT_STRING_EQUAL(why, "an entry of the OCSP answer is malformed");
}

static void without_a_next_update_it_is_current_for_five_minutes(void)
{
	struct ocsp_pki_spec spec = usual();
	struct ocsp_answer answer;
	const char *why;
	spec.entries[0].next_update = OCSP_PKI_NONE;
	spec.entries[0].this_update = PKI_NOW - 299;
	CU_ASSERT_EQUAL_FATAL(read_usual(&answer, &spec, &why), E_OK);
	CU_ASSERT_EQUAL(answer.next_update_s, 0);
	CU_ASSERT_EQUAL(answer.until_s, PKI_NOW + 1);
	CU_ASSERT_EQUAL(read_at(&spec, NULL, PKI_NOW + 1), E_INVALID);
}

/* RFC 8954 2.1 */
static void a_nonce_that_comes_back_has_to_be_the_one_sent(void)
{
	uint8_t nonce[OCSP_NONCE_BYTES + 1];
	uint8_t other[OCSP_NONCE_BYTES];
	memset(nonce, 'n', sizeof(nonce));
	memset(other, 'n', sizeof(other));
	other[OCSP_NONCE_BYTES - 1] ^= 1;
	struct ocsp_pki_spec spec = usual();
	CU_ASSERT_EQUAL(read_at(&spec, nonce, PKI_NOW), E_OK);
	spec.nonce = nonce;
	CU_ASSERT_EQUAL(read_at(&spec, nonce, PKI_NOW), E_OK);
	CU_ASSERT_EQUAL(read_at(&spec, NULL, PKI_NOW), E_OK);
	CU_ASSERT_EQUAL(read_at(&spec, other, PKI_NOW), E_INVALID);
	spec.nonce_len = OCSP_NONCE_BYTES - 1;
	CU_ASSERT_EQUAL(read_at(&spec, nonce, PKI_NOW), E_INVALID);
	spec.nonce_len = OCSP_NONCE_BYTES + 1;
	CU_ASSERT_EQUAL(read_at(&spec, nonce, PKI_NOW), E_INVALID);
	/* As plain bytes, not as the OCTET STRING that was sent. */
	spec.nonce = NULL;
	spec.extension = "1.3.6.1.5.5.7.48.1.2";
	CU_ASSERT_EQUAL(read_at(&spec, nonce, PKI_NOW), E_INVALID);
	CU_ASSERT_EQUAL(read_at(&spec, NULL, PKI_NOW), E_OK);
}

/* RFC 6960 4.4, RFC 5280 4.2 */
static void an_unknown_critical_extension_is_refused(void)
{
	static const char *const oids[] = {ARCHIVE_CUTOFF, "1.2.3.4"};
	for (size_t i = 0; i < 2; i++) {
		struct ocsp_pki_spec spec = usual();
		spec.extension = oids[i];
		CU_ASSERT_EQUAL(read_at(&spec, NULL, PKI_NOW), E_OK);
		spec.critical = true;
		CU_ASSERT_EQUAL(read_at(&spec, NULL, PKI_NOW), E_INVALID);
		spec = usual();
		spec.entry_count = 2;
		spec.entries[1].cert = other_leaf();
		spec.entries[0].extension = oids[i];
		CU_ASSERT_EQUAL(read_at(&spec, NULL, PKI_NOW), E_OK);
		spec.entries[0].critical = true;
		CU_ASSERT_EQUAL(read_at(&spec, NULL, PKI_NOW), E_INVALID);
		/* What is said of others is not for us. */
		spec.entries[0].critical = false;
		spec.entries[1].extension = oids[i];
		spec.entries[1].critical = true;
		CU_ASSERT_EQUAL(read_at(&spec, NULL, PKI_NOW), E_OK);
	}
}

/* RFC 6960 2.3, 4.2.1 */
static void a_responder_that_declines_is_told_by_its_word(void)
{
	static const struct {
		int status;
		const char *word;
	} cases[] = {
		{OCSP_RESPONSE_STATUS_MALFORMEDREQUEST, "malformed"},
		{OCSP_RESPONSE_STATUS_INTERNALERROR, "internalError"},
		{OCSP_RESPONSE_STATUS_TRYLATER, "tryLater"},
		{4, "unknown status"},
		{OCSP_RESPONSE_STATUS_SIGREQUIRED, "sigRequired"},
		{OCSP_RESPONSE_STATUS_UNAUTHORIZED, "unauthorized"},
		{7, "unknown status"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ocsp_answer answer;
		const char *why;
		CU_ASSERT_EQUAL(ocsp_pki_read(&answer, ocsp_pki_error(cases[i].status), pki_leaf(),
		                              pki_intermediate(), &why),
		                E_INVALID);
		CU_ASSERT_PTR_NOT_NULL(strstr(why, cases[i].word));
	}
}

static struct slice replaced(struct slice in, const char *from, const char *to)
{
	struct slice out = pki_keep(in);
	size_t len = strlen(from);
	size_t count = 0;
	for (size_t i = 0; i + len <= out.len; i++) {
		if (memcmp(out.data + i, from, len) == 0) {
			memcpy((uint8_t *)out.data + i, to, len);
			count++;
		}
	}
	CU_ASSERT_TRUE_FATAL(count > 0);
	return out;
}

static int read_bytes(struct slice bytes)
{
	struct ocsp_answer answer;
	const char *why;
	return ocsp_pki_read(&answer, bytes, pki_leaf(), pki_intermediate(), &why);
}

/* RFC 5280 4.1.2.5.2: YYYYMMDDHHMMSSZ and nothing else */
static void times_are_read_strictly(void)
{
	struct ocsp_pki_spec spec = usual();
	struct slice tbs = ocsp_pki_tbs(ocsp_pki_answer(&spec));
	CU_ASSERT_EQUAL(read_bytes(ocsp_pki_sign(tbs, PKI_P256_B)), E_OK);
	/* OCSP_PKI_NEXT */
	static const char next[] = "20270116080000Z";
	static const char *const wrong[] = {
		"20270116080000z", "202701160800.0Z", "2027011608+000Z", "20271316080000Z",
		"20270132080000Z", "20270116240000Z", "20270116086000Z", "20270116080060Z",
		" 0270116080000Z", "20270116080000 ",
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct slice changed = replaced(tbs, next, wrong[i]);
		CU_ASSERT_EQUAL(read_bytes(ocsp_pki_sign(changed, PKI_P256_B)), E_INVALID);
	}
	/* as UTCTime */
	CU_ASSERT_EQUAL(read_bytes(ocsp_pki_sign(replaced(tbs, "\x18\x0f", "\x17\x0f"), PKI_P256_B)),
	                E_INVALID);
}

/* RFC 5280 4.1.1.2: that of the hash in the CertID, which is compared by its OID alone. */
static void broken_parameters_of_a_hash_are_refused(void)
{
	struct ocsp_pki_spec spec = usual();
	struct slice tbs = pki_keep(ocsp_pki_tbs(ocsp_pki_answer(&spec)));
	uint8_t *null = memmem(tbs.data, tbs.len, "\x02\x1a\x05\x00", 4);
	CU_ASSERT_PTR_NOT_NULL_FATAL(null);
	CU_ASSERT_EQUAL(read_bytes(ocsp_pki_sign(tbs, PKI_P256_B)), E_OK);
	null[3] = 1; /* an octet that is not there */
	CU_ASSERT_EQUAL(read_bytes(ocsp_pki_sign(tbs, PKI_P256_B)), E_INVALID);
}

/* ResponseData around other parts than those of `tbs`; an empty slice leaves one out. */
static struct slice tbs_with(struct slice version, struct slice singles)
{
	struct ocsp_pki_spec spec = usual();
	struct slice tbs = ocsp_pki_tbs(ocsp_pki_answer(&spec));
	/* SEQUENCE, [1] responder, producedAt, SEQUENCE: told apart by their tags and lengths. */
	const uint8_t *p = tbs.data + (tbs.data[1] == 0x81 ? 3 : tbs.data[1] == 0x82 ? 4 : 2);
	size_t responder = 2U + p[1];
	size_t produced = 2U + p[responder + 1];
	struct slice head = slice_of(p, responder + produced);
	struct slice rest = slice_of(p + head.len, (size_t)(tbs.data + tbs.len - p) - head.len);
	return pki_tlv(0x30, pki_join(version, pki_join(head, singles.len > 0 ? singles : rest)));
}

static void only_version_one_is_read(void)
{
	static const struct {
		struct slice version;
		int expected;
	} cases[] = {
		{{(const uint8_t *)"", 0}, E_OK},
		{{(const uint8_t *)"\xa0\x03\x02\x01\x00", 5}, E_OK},
		{{(const uint8_t *)"\xa0\x03\x02\x01\x01", 5}, E_INVALID},
		{{(const uint8_t *)"\xa0\x03\x02\x01\xff", 5}, E_INVALID},
		{{(const uint8_t *)"\xa0\x00", 2}, E_INVALID},
		{{(const uint8_t *)"\x02\x01\x00", 3}, E_INVALID},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice tbs = tbs_with(cases[i].version, (struct slice){0});
		CU_ASSERT_EQUAL(read_bytes(ocsp_pki_sign(tbs, PKI_P256_B)), cases[i].expected);
	}
}

static void an_answer_without_entries_is_refused(void)
{
	struct slice none = slice_of("\x30\x00", 2);
	struct slice empty = slice_of("\x30\x02\x30\x00", 4);
	CU_ASSERT_EQUAL(read_bytes(ocsp_pki_sign(tbs_with((struct slice){0}, none), PKI_P256_B)),
	                E_INVALID);
	CU_ASSERT_EQUAL(read_bytes(ocsp_pki_sign(tbs_with((struct slice){0}, empty), PKI_P256_B)),
	                E_INVALID);
}

static void what_is_no_basic_answer_is_refused(void)
{
	struct ocsp_pki_spec spec = usual();
	struct slice good = ocsp_pki_answer(&spec);
	CU_ASSERT_EQUAL(read_bytes(good), E_OK);
	CU_ASSERT_EQUAL(read_bytes((struct slice){0}), E_INVALID);
	CU_ASSERT_EQUAL(read_bytes(SLICE("HTTP/1.1 200 OK\r\n\r\n")), E_INVALID);
	CU_ASSERT_EQUAL(read_bytes(pki_join(good, SLICE("\0"))), E_INVALID);
	CU_ASSERT_EQUAL(read_bytes(pki_leaf()->der), E_INVALID);
	/* successful, and nothing in it */
	CU_ASSERT_EQUAL(read_bytes(slice_of("\x30\x03\x0a\x01\x00", 5)), E_INVALID);

	struct ocsp_answer answer;
	const char *why;
	/* id-pkix-ocsp-basic, with another last arc */
	struct slice typed = replaced(good, "\x2b\x06\x01\x05\x05\x07\x30\x01\x01",
	                              "\x2b\x06\x01\x05\x05\x07\x30\x01\x07");
	CU_ASSERT_EQUAL(ocsp_pki_read(&answer, typed, pki_leaf(), pki_intermediate(), &why),
	                E_INVALID);
	CU_ASSERT_STRING_EQUAL(why, "the OCSP answer is of an unknown type");
	struct slice padding = pki_keep(slice_of(NULL, 0));
	for (size_t i = 0; i <= OCSP_ANSWER_BYTES_MAX; i += 4096) {
		static const uint8_t zeros[4096];
		padding = pki_join(padding, slice_of(zeros, sizeof(zeros)));
	}
	CU_ASSERT_EQUAL(ocsp_pki_read(&answer, pki_join(good, padding), pki_leaf(),
	                              pki_intermediate(), &why),
	                E_INVALID);
	CU_ASSERT_STRING_EQUAL(why, "the OCSP answer is too large");
}

/* One that a delegate signed: the most parts that an answer can have. */
static struct slice rich_answer(void)
{
	static const uint8_t nonce[OCSP_NONCE_BYTES] = {7};
	static const struct pki_cert *delegate;
	if (delegate == NULL) {
		delegate = pki_make(&(struct pki_spec){.subject = "CN=Responder",
		                                       .key = PKI_P256_D,
		                                       .issuer = pki_intermediate(),
		                                       .purposes = {GNUTLS_KP_OCSP_SIGNING}});
	}
	struct ocsp_pki_spec spec = usual();
	spec.signer = delegate;
	spec.certs[0] = delegate;
	spec.nonce = nonce;
	spec.entry_count = 2;
	spec.entries[0].cert = other_leaf();
	spec.entries[1].extension = ARCHIVE_CUTOFF;
	return ocsp_pki_answer(&spec);
}

static bool same_answer(const struct ocsp_answer *a, const struct ocsp_answer *b)
{
	return a->status == b->status && a->this_update_s == b->this_update_s &&
	       a->until_s == b->until_s && a->next_update_s == b->next_update_s &&
	       a->revoked_at_s == b->revoked_at_s && a->reason == b->reason;
}

static void every_prefix_is_refused_and_every_changed_byte_changes_nothing(void)
{
	struct ocsp_pki_spec spec = usual();
	struct slice answers[] = {ocsp_pki_answer(&spec), rich_answer()};
	for (size_t n = 0; n < 2; n++) {
		struct slice bytes = answers[n];
		struct ocsp_answer whole;
		struct ocsp_answer answer;
		const char *why;
		CU_ASSERT_EQUAL_FATAL(
			ocsp_pki_read(&whole, bytes, pki_leaf(), pki_intermediate(), &why), E_OK);
		size_t taken = 0;
		size_t changed = 0;
		for (size_t len = 0; len < bytes.len; len++) {
			/* A copy of its own, so that a sanitizer sees what is read behind it. */
			struct slice prefix = pki_keep(slice_of(bytes.data, len));
			taken += ocsp_pki_read(&answer, prefix, pki_leaf(), pki_intermediate(),
			                       &why) != E_INVALID;
		}
		CU_ASSERT_EQUAL(taken, 0);
		struct slice copy = pki_keep(bytes);
		uint8_t *p = (uint8_t *)copy.data;
		for (size_t i = 0; i < copy.len; i++) {
			static const uint8_t masks[] = {0x01, 0x20, 0x80, 0xff};
			for (size_t m = 0; m < sizeof(masks); m++) {
				p[i] ^= masks[m];
				int err = ocsp_pki_read(&answer, copy, pki_leaf(),
				                        pki_intermediate(), &why);
				changed += err != E_INVALID &&
				           (err != E_OK || !same_answer(&answer, &whole));
				p[i] ^= masks[m];
			}
		}
		CU_ASSERT_EQUAL(changed, 0);
	}
}

/* The parser behind a good signature: a responder may be anybody's. */
static void every_changed_byte_that_is_signed_is_read_or_refused(void)
{
	struct ocsp_pki_spec spec = usual();
	struct slice tbs = ocsp_pki_tbs(ocsp_pki_answer(&spec));
	struct slice serial = {0};
	for (size_t i = 0; i < tbs.len; i++) {
		struct slice copy = pki_keep(tbs);
		((uint8_t *)copy.data)[i] ^= 0x01;
		int err = read_bytes(ocsp_pki_sign(copy, PKI_P256_B));
		CU_ASSERT_TRUE(err == E_OK || err == E_INVALID);
		/* INTEGER of two bytes, as the test's serials are: nobody else's counts. */
		if (i + 4 <= tbs.len && memcmp(tbs.data + i, "\x02\x02\x0a", 3) == 0) {
			serial = slice_of(tbs.data + i, 4);
		}
		if (serial.data != NULL && tbs.data + i < serial.data + serial.len) {
			CU_ASSERT_EQUAL(err, E_INVALID);
		}
	}
	CU_ASSERT_PTR_NOT_NULL(serial.data);
}

static const struct unit_test tests[] = {
	{"a good answer counts until its next update", a_good_answer_counts_until_its_next_update},
	{"revoked comes with its time and reason", revoked_comes_with_its_time_and_reason},
	{"a certificate that the responder does not know is unknown",
         a_certificate_that_the_responder_does_not_know_is_unknown},
	{"certificates are named with SHA-1 or SHA-256 and nothing else",
         certificates_are_named_with_sha1_or_sha256_and_nothing_else},
	{"an answer about another certificate is refused",
         an_answer_about_another_certificate_is_refused},
	{"an entry is found among those about others", an_entry_is_found_among_those_about_others},
	{"of several entries the gravest counts", of_several_entries_the_gravest_counts},
	{"an entry out of date hides no revocation and spoils the rest",
         an_entry_out_of_date_hides_no_revocation_and_spoils_the_rest},
	{"an answer is refused before and after its time",
         an_answer_is_refused_before_and_after_its_time},
	{"without a next update it is current for five minutes",
         without_a_next_update_it_is_current_for_five_minutes},
	{"a nonce that comes back has to be the one sent",
         a_nonce_that_comes_back_has_to_be_the_one_sent},
	{"an unknown critical extension is refused", an_unknown_critical_extension_is_refused},
	{"a responder that declines is told by its word",
         a_responder_that_declines_is_told_by_its_word},
	{"times are read strictly", times_are_read_strictly},
	{"broken parameters of a hash are refused", broken_parameters_of_a_hash_are_refused},
	{"only version one is read", only_version_one_is_read},
	{"an answer without entries is refused", an_answer_without_entries_is_refused},
	{"what is no basic answer is refused", what_is_no_basic_answer_is_refused},
	{"every prefix is refused and every changed byte changes nothing",
         every_prefix_is_refused_and_every_changed_byte_changes_nothing},
	{"every changed byte that is signed is read or refused",
         every_changed_byte_that_is_signed_is_read_or_refused},
};

int main(void)
{
	int code = unit_run("peer/ocsp_read", tests, sizeof(tests) / sizeof(tests[0]));
	pki_release();
	return code;
}
