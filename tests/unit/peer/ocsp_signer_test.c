#include "base/err.h"
#include "ocsp_pki.h"
#include "unit.h"

#include <string.h>

static const struct pki_cert *ca_with(enum pki_key_kind key)
{
	return pki_make(&(struct pki_spec){
		.subject = "CN=CA,O=Test", .key = key, .ca = true, .key_ids = true});
}

static const struct pki_cert *leaf_of(const struct pki_cert *issuer)
{
	return pki_make(&(struct pki_spec){
		.subject = "CN=client,O=Test", .key = PKI_P256_C, .issuer = issuer});
}

/* A delegate of the usual intermediate, good in every way. */
static struct pki_spec delegate_spec(void)
{
	return (struct pki_spec){.subject = "CN=Responder,O=Test",
	                         .key = PKI_P256_D,
	                         .issuer = pki_intermediate(),
	                         .key_usage = GNUTLS_KEY_DIGITAL_SIGNATURE,
	                         .purposes = {GNUTLS_KP_OCSP_SIGNING}};
}

/* The usual answer, signed by this one, whose certificate comes with it. */
static struct ocsp_pki_spec signed_by(const struct pki_cert *signer)
{
	return (struct ocsp_pki_spec){.leaf = pki_leaf(),
	                              .issuer = pki_intermediate(),
	                              .signer = signer,
	                              .certs = {signer}};
}

static int read_spec(const struct ocsp_pki_spec *spec, struct ocsp_answer *answer, const char **why)
{
	return ocsp_pki_read(answer, ocsp_pki_answer(spec), spec->leaf, spec->issuer, why);
}

static void is_good(const struct ocsp_pki_spec *spec)
{
	struct ocsp_answer answer;
	const char *why;
	CU_ASSERT_EQUAL(read_spec(spec, &answer, &why), E_OK);
	CU_ASSERT_STRING_EQUAL(why, "");
}

static void is_refused(const struct ocsp_pki_spec *spec, const char *expected)
{
	struct ocsp_answer answer;
	const char *why;
	CU_ASSERT_EQUAL(read_spec(spec, &answer, &why), E_INVALID);
	CU_ASSERT_STRING_EQUAL(why, expected);
}

/* The same for a delegate. */
static void delegate_is_refused(const struct pki_spec *delegate, const char *expected)
{
	struct ocsp_pki_spec spec = signed_by(pki_make(delegate));
	is_refused(&spec, expected);
}

/* RFC 6960 4.2.1, ResponderID */
static void an_issuer_signs_with_every_kind_of_key_by_name_or_by_key(void)
{
	static const enum pki_key_kind kinds[] = {PKI_P256_A, PKI_P384, PKI_ED25519, PKI_ED448,
	                                          PKI_RSA2048};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct pki_cert *ca = ca_with(kinds[i]);
		struct ocsp_pki_spec spec = {.leaf = leaf_of(ca), .issuer = ca};
		is_good(&spec);
		spec.by_key = true;
		is_good(&spec);
		spec.certs[0] = ca; /* many send it along */
		is_good(&spec);
		if (kinds[i] == PKI_RSA2048) {
			spec.pss = true;
			is_good(&spec);
		}
	}
}

/* RFC 5280 7.1: which of its certificates is in the path is up to the client. */
static void an_issuer_is_itself_however_its_name_is_written(void)
{
	const struct pki_cert *ca = ca_with(PKI_P256_A);
	const struct pki_cert *spelled = pki_make(
		&(struct pki_spec){.subject = "CN=ca,O=TEST", .key = PKI_P256_A, .ca = true});
	const struct pki_cert *other = pki_make(
		&(struct pki_spec){.subject = "CN=CB,O=Test", .key = PKI_P256_A, .ca = true});
	const struct pki_cert *leaf = leaf_of(ca);
	struct ocsp_pki_spec spec = {.leaf = leaf, .issuer = ca};
	struct slice bytes = ocsp_pki_answer(&spec);
	struct ocsp_answer answer;
	const char *why;
	CU_ASSERT_EQUAL(ocsp_pki_read(&answer, bytes, leaf, spelled, &why), E_OK);
	CU_ASSERT_EQUAL(ocsp_pki_read(&answer, bytes, leaf, other, &why), E_INVALID);
}

/* RFC 6960 4.2.2.2 */
static void a_delegate_signs_by_name_or_by_key(void)
{
	static const enum pki_key_kind kinds[] = {PKI_P256_D, PKI_ED25519, PKI_RSA2048};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct pki_spec delegate = delegate_spec();
		delegate.key = kinds[i];
		struct ocsp_pki_spec spec = signed_by(pki_make(&delegate));
		is_good(&spec);
		spec.by_key = true;
		is_good(&spec);
	}
	struct pki_spec plain = delegate_spec();
	plain.key_usage = 0;
	plain.purposes[0] = GNUTLS_KP_TLS_WWW_CLIENT;
	plain.purposes[1] = GNUTLS_KP_OCSP_SIGNING;
	plain.extensions[0] =
		(struct pki_extension){.oid = "1.3.6.1.5.5.7.48.1.5", .value = SLICE("\x05\x00")};
	struct ocsp_pki_spec spec = signed_by(pki_make(&plain));
	is_good(&spec);
	plain.key_usage = GNUTLS_KEY_NON_REPUDIATION;
	spec = signed_by(pki_make(&plain));
	is_good(&spec);
}

static void a_delegate_that_was_not_sent_is_nobody(void)
{
	struct pki_spec delegate = delegate_spec();
	struct ocsp_pki_spec spec = signed_by(pki_make(&delegate));
	static const char nobody[] =
		"the OCSP answer comes from nobody who may answer for the issuer";
	spec.certs[0] = NULL;
	is_refused(&spec, nobody);
	spec.certs[0] = pki_intermediate();
	is_refused(&spec, nobody);
	spec.certs[0] = pki_leaf();
	is_refused(&spec, nobody);
}

static void a_delegate_without_ocsp_signing_is_refused(void)
{
	static const char not_for[] = "the responder's certificate is not for OCSP signing";
	struct pki_spec delegate = delegate_spec();
	delegate.purposes[0] = NULL;
	delegate_is_refused(&delegate, not_for);
	delegate.purposes[0] = GNUTLS_KP_TLS_WWW_CLIENT;
	delegate_is_refused(&delegate, not_for);
	delegate.purposes[0] = GNUTLS_KP_ANY;
	delegate_is_refused(&delegate, not_for);
	/* A client cannot clear itself. */
	struct ocsp_pki_spec spec = signed_by(pki_leaf());
	is_refused(&spec, not_for);
}

static void a_delegate_is_refused_before_and_after_its_time(void)
{
	struct pki_spec delegate = delegate_spec();
	delegate.not_after = PKI_NOW - 1;
	delegate_is_refused(&delegate, "the responder's certificate has expired");
	delegate.not_after = PKI_NOW;
	struct ocsp_pki_spec spec = signed_by(pki_make(&delegate));
	is_good(&spec);
	delegate = delegate_spec();
	delegate.not_before = PKI_NOW + 1;
	delegate_is_refused(&delegate, "the responder's certificate is not yet valid");
	delegate.not_before = PKI_NOW;
	spec = signed_by(pki_make(&delegate));
	is_good(&spec);
}

static void an_answer_ends_with_its_delegate(void)
{
	struct pki_spec delegate = delegate_spec();
	struct ocsp_answer answer;
	const char *why;
	delegate.not_after = PKI_NOW + 60;
	struct ocsp_pki_spec spec = signed_by(pki_make(&delegate));
	CU_ASSERT_EQUAL_FATAL(read_spec(&spec, &answer, &why), E_OK);
	CU_ASSERT_EQUAL(answer.until_s, PKI_NOW + 61);
	CU_ASSERT_EQUAL(answer.next_update_s, OCSP_PKI_NEXT);
	delegate.not_after = OCSP_PKI_NEXT + 60;
	spec = signed_by(pki_make(&delegate));
	CU_ASSERT_EQUAL_FATAL(read_spec(&spec, &answer, &why), E_OK);
	CU_ASSERT_EQUAL(answer.until_s, OCSP_PKI_NEXT + 1);
}

/* RFC 6960 4.2.2.2: issued directly, by the CA that issued the certificate in question */
static void a_delegate_of_another_ca_is_refused(void)
{
	struct pki_spec delegate = delegate_spec();
	delegate.issuer = pki_root();
	delegate_is_refused(&delegate, "the responder's certificate is of another issuer");
	/* Same name, another key. */
	struct pki_spec namesake = {
		.subject = "CN=Intermediate,O=Test", .key = PKI_P256_A, .ca = true};
	delegate.issuer = pki_make(&namesake);
	delegate_is_refused(&delegate, "the responder's certificate is not signed by the issuer");
	delegate = delegate_spec();
	delegate.wrong_signature = true;
	delegate_is_refused(&delegate, "the responder's certificate is not signed by the issuer");
	/* Not directly: below an own CA. */
	struct pki_spec below = {.subject = "CN=Below,O=Test",
	                         .key = PKI_P256_A,
	                         .issuer = pki_intermediate(),
	                         .ca = true};
	delegate = delegate_spec();
	delegate.issuer = pki_make(&below);
	struct ocsp_pki_spec spec = signed_by(pki_make(&delegate));
	spec.certs[1] = delegate.issuer;
	is_refused(&spec, "the responder's certificate is of another issuer");
}

static void a_delegate_with_a_fault_of_its_own_is_refused(void)
{
	struct pki_spec delegate = delegate_spec();
	delegate.extensions[0] = (struct pki_extension){
		.oid = "1.2.3.4", .value = SLICE("\x05\x00"), .critical = true};
	delegate_is_refused(&delegate,
	                    "the responder's certificate has an unknown critical extension");
	delegate.extensions[0].critical = false;
	struct ocsp_pki_spec spec = signed_by(pki_make(&delegate));
	is_good(&spec);
	delegate = delegate_spec();
	delegate.key_usage = GNUTLS_KEY_KEY_AGREEMENT | GNUTLS_KEY_CRL_SIGN;
	delegate_is_refused(&delegate, "the responder's key is not for signatures");
	delegate = delegate_spec();
	delegate.key = PKI_RSA1024;
	delegate_is_refused(&delegate, "the responder's key is too weak");
	delegate = delegate_spec();
	delegate.digest = GNUTLS_DIG_SHA1;
	delegate_is_refused(&delegate, "the signature of the responder's certificate is too weak");
}

static void a_signature_over_sha1_is_refused_but_for_legacy(void)
{
	static const enum pki_key_kind kinds[] = {PKI_P256_A, PKI_RSA2048};
	for (size_t i = 0; i < 2; i++) {
		const struct pki_cert *ca = ca_with(kinds[i]);
		struct ocsp_pki_spec spec = {.leaf = leaf_of(ca), .issuer = ca, .digest = "SHA1"};
		is_refused(&spec, "the signature of the OCSP answer is too weak");
		struct ocsp_answer answer;
		const char *why;
		struct slice bytes = ocsp_pki_answer(&spec);
		CU_ASSERT_EQUAL(ocsp_read(&answer, bytes, spec.leaf->der, ca->der, NULL,
		                          PROFILE_LEGACY, PKI_NOW, &why),
		                E_OK);
		CU_ASSERT_EQUAL(ocsp_read(&answer, bytes, spec.leaf->der, ca->der, NULL,
		                          PROFILE_HIGH, PKI_NOW, &why),
		                E_INVALID);
	}
}

static void a_wrong_signature_is_refused(void)
{
	struct ocsp_pki_spec spec = {.leaf = pki_leaf(), .issuer = pki_intermediate()};
	struct slice tbs = ocsp_pki_tbs(ocsp_pki_answer(&spec));
	struct ocsp_answer answer;
	const char *why;
	CU_ASSERT_EQUAL(ocsp_pki_read(&answer, ocsp_pki_sign(tbs, PKI_P256_B), pki_leaf(),
	                              pki_intermediate(), &why),
	                E_OK);
	CU_ASSERT_EQUAL(ocsp_pki_read(&answer, ocsp_pki_sign(tbs, PKI_P256_D), pki_leaf(),
	                              pki_intermediate(), &why),
	                E_INVALID);
	CU_ASSERT_STRING_EQUAL(why, "the signature of the OCSP answer is wrong");
	/* Nor does a delegate's own signature count under the issuer's name. */
	struct pki_spec delegate = delegate_spec();
	delegate.subject = "CN=Intermediate,O=Test";
	delegate.purposes[0] = NULL;
	struct ocsp_pki_spec namesake = signed_by(pki_make(&delegate));
	is_refused(&namesake, "the responder's certificate is not for OCSP signing");
}

/* RFC 6960 4.2.1: the responderID names who signed */
static void a_signer_under_another_name_is_refused(void)
{
	/* The issuer's own key. */
	struct pki_spec renamed = {
		.subject = "CN=Another,O=Test", .key = PKI_P256_B, .issuer = pki_root(), .ca = true};
	struct ocsp_pki_spec spec = {
		.leaf = pki_leaf(), .issuer = pki_intermediate(), .signer = pki_make(&renamed)};
	is_refused(&spec, "the OCSP answer comes from nobody who may answer for the issuer");
	spec.by_key = true;
	is_good(&spec);
}

static void two_delegates_are_tried_and_no_more(void)
{
	struct pki_spec good = delegate_spec();
	struct pki_spec bad = delegate_spec();
	bad.purposes[0] = NULL;
	const struct pki_cert *signer = pki_make(&good);
	struct ocsp_pki_spec spec = signed_by(signer);
	spec.certs[0] = pki_make(&bad);
	spec.certs[1] = signer;
	is_good(&spec);
	spec.certs[1] = pki_make(&bad);
	spec.certs[2] = signer;
	is_refused(&spec, "the responder's certificate is not for OCSP signing");
	/* Those of other names cost nothing. */
	for (size_t i = 0; i < 12; i++) {
		spec.certs[i] = i % 2 == 0 ? pki_leaf() : pki_root();
	}
	spec.certs[12] = signer;
	is_good(&spec);
}

static const struct unit_test tests[] = {
	{"an issuer signs with every kind of key, by name or by key",
         an_issuer_signs_with_every_kind_of_key_by_name_or_by_key},
	{"an issuer is itself however its name is written",
         an_issuer_is_itself_however_its_name_is_written},
	{"a delegate signs by name or by key", a_delegate_signs_by_name_or_by_key},
	{"a delegate that was not sent is nobody", a_delegate_that_was_not_sent_is_nobody},
	{"a delegate without OCSP signing is refused", a_delegate_without_ocsp_signing_is_refused},
	{"a delegate is refused before and after its time",
         a_delegate_is_refused_before_and_after_its_time},
	{"an answer ends with its delegate", an_answer_ends_with_its_delegate},
	{"a delegate of another CA is refused", a_delegate_of_another_ca_is_refused},
	{"a delegate with a fault of its own is refused",
         a_delegate_with_a_fault_of_its_own_is_refused},
	{"a signature over SHA-1 is refused but for legacy",
         a_signature_over_sha1_is_refused_but_for_legacy},
	{"a wrong signature is refused", a_wrong_signature_is_refused},
	{"a signer under another name is refused", a_signer_under_another_name_is_refused},
	{"two delegates are tried and no more", two_delegates_are_tried_and_no_more},
};

int main(void)
{
	int code = unit_run("peer/ocsp_signer", tests, sizeof(tests) / sizeof(tests[0]));
	pki_release();
	return code;
}
