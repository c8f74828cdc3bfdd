#include "peer/classify.h"

#include <stdio.h>
#include <string.h>

#include "pki.h"
#include "unit.h"

#define CLIENT \
	{ \
		GNUTLS_KP_TLS_WWW_CLIENT \
	}
#define CERTS(...) ((const struct pki_cert *const[]){__VA_ARGS__, NULL})

static struct trust *root_trust(void)
{
	return pki_trust(&(struct pki_trust_spec){
		.anchors = {pki_root()}, .profile = PROFILE_MEDIUM, .max_depth = 4});
}

static const struct finding *find(const struct verdict *verdict, enum peer_class class, int depth)
{
	for (size_t i = 0; i < verdict->finding_count; i++) {
		if (verdict->findings[i].class == class && verdict->findings[i].depth == depth) {
			return &verdict->findings[i];
		}
	}
	return NULL;
}

/* The primary finding is this one, and the only one unless `others`. */
static void expect_at(const struct trust *trust, const struct pki_cert *const *certs, int64_t now_s,
                      enum peer_class class, int depth, unsigned code, size_t findings)
{
	struct verdict *verdict = pki_judge_certs(trust, certs, now_s);
	if (verdict->class != class || verdict->depth != depth || verdict->code != code ||
	    verdict->finding_count != findings) {
		printf("\n    got %s depth %d code %u, %zu findings",
		       peer_class_row(verdict->class)->name, verdict->depth, verdict->code,
		       verdict->finding_count);
		for (size_t i = 0; i < verdict->finding_count; i++) {
			printf("\n      %s depth %d: %s",
			       peer_class_row(verdict->findings[i].class)->name,
			       verdict->findings[i].depth,
			       verdict->findings[i].detail == NULL ? ""
			                                           : verdict->findings[i].detail);
		}
	}
	CU_ASSERT_EQUAL(verdict->class, class);
	CU_ASSERT_EQUAL(verdict->depth, depth);
	CU_ASSERT_EQUAL(verdict->code, code);
	CU_ASSERT_EQUAL(verdict->finding_count, findings);
	verdict_unref(&verdict);
}

static void expect(const struct trust *trust, const struct pki_cert *const *certs,
                   enum peer_class class, int depth, unsigned code)
{
	expect_at(trust, certs, PKI_NOW, class, depth, code,
	          class == CLASS_OK || class == CLASS_NOT_CHECKED ? 0 : 1);
}

/* The same for a trust that is needed once. */
static void expect_with(struct pki_trust_spec spec, const struct pki_cert *const *certs,
                        enum peer_class class, int depth, unsigned code)
{
	struct trust *trust = pki_trust(&spec);
	expect(trust, certs, class, depth, code);
	trust_free(&trust);
}

/* A leaf below the usual intermediate, with what `spec` says. */
static const struct pki_cert *leaf_with(struct pki_spec spec)
{
	spec.subject = spec.subject == NULL ? "CN=other,O=Test" : spec.subject;
	spec.issuer = spec.issuer == NULL ? pki_intermediate() : spec.issuer;
	return pki_make(&spec);
}

/* A CA below the root, with what `spec` says. */
static const struct pki_cert *ca_with(struct pki_spec spec)
{
	spec.subject = spec.subject == NULL ? "CN=Other Intermediate,O=Test" : spec.subject;
	spec.issuer = spec.issuer == NULL ? pki_root() : spec.issuer;
	spec.key = spec.key == 0 ? PKI_P256_B : spec.key;
	return pki_make(&spec);
}

static void good_chain_is_ok_with_its_path(void)
{
	struct trust *trust = root_trust();
	struct verdict *verdict =
		pki_judge_certs(trust, CERTS(pki_leaf(), pki_intermediate()), PKI_NOW);
	CU_ASSERT_EQUAL(verdict->class, CLASS_OK);
	CU_ASSERT_EQUAL(verdict->code, 0);
	CU_ASSERT_EQUAL(verdict->finding_count, 0);
	CU_ASSERT_EQUAL_FATAL(verdict->path_count, 3);
	CU_ASSERT_STRING_EQUAL(verdict->path[0].subject, "CN=client,O=Test");
	CU_ASSERT_STRING_EQUAL(verdict->path[1].subject, "CN=Intermediate,O=Test");
	CU_ASSERT_STRING_EQUAL(verdict->path[2].subject, "CN=Root,O=Test");
	CU_ASSERT_PTR_NOT_NULL(verdict->anchor_file);
	CU_ASSERT_STRING_EQUAL(verdict->anchor_file, trust_anchor_at(trust, 0)->file);
	CU_ASSERT_EQUAL(verdict->signature_checks, 2);
	verdict_unref(&verdict);
	trust_free(&trust);
}

static void order_and_extra_certificates_do_not_matter(void)
{
	struct trust *trust = root_trust();
	const struct pki_cert *second = ca_with((struct pki_spec){.subject = "CN=Second,O=Test",
	                                                          .issuer = pki_intermediate(),
	                                                          .key = PKI_P256_D,
	                                                          .ca = true});
	const struct pki_cert *leaf =
		leaf_with((struct pki_spec){.issuer = second, .key = PKI_P384, .purposes = CLIENT});
	const struct pki_cert *stranger =
		pki_make(&(struct pki_spec){.subject = "CN=Stranger",
	                                    .key = PKI_P256_D,
	                                    .ca = true,
	                                    .not_after = PKI_NOW - PKI_DAY});
	expect(trust, CERTS(leaf, second, pki_intermediate()), CLASS_OK, 0, 0);
	expect(trust, CERTS(leaf, pki_intermediate(), second), CLASS_OK, 0, 0);
	expect(trust,
	       CERTS(leaf, stranger, pki_root(), pki_intermediate(), leaf, pki_intermediate(),
	             second, second),
	       CLASS_OK, 0, 0);
	trust_free(&trust);
}

static void every_kind_of_key_is_verified(void)
{
	static const struct {
		enum pki_key_kind key;
		gnutls_digest_algorithm_t digest;
		unsigned flags;
		const char *name;
	} kinds[] = {
		{PKI_P256_D, GNUTLS_DIG_SHA256, 0, "ECDSA-SHA256"},
		{PKI_P256_D, GNUTLS_DIG_SHA512, 0, "ECDSA-SHA512"},
		{PKI_P384, GNUTLS_DIG_SHA384, 0, "ECDSA-SHA384"},
		{PKI_ED25519, 0, 0, "Ed25519"},
		{PKI_ED448, 0, 0, "Ed448"},
		{PKI_RSA2048, GNUTLS_DIG_SHA256, 0, "SHA256-RSA"},
		{PKI_RSA2048, GNUTLS_DIG_SHA256, GNUTLS_PRIVKEY_SIGN_FLAG_RSA_PSS, "SHA256-RSAPSS"},
		{PKI_RSA2048, GNUTLS_DIG_SHA384, GNUTLS_PRIVKEY_SIGN_FLAG_RSA_PSS, "SHA384-RSAPSS"},
		{PKI_RSA2048, GNUTLS_DIG_SHA512, GNUTLS_PRIVKEY_SIGN_FLAG_RSA_PSS, "SHA512-RSAPSS"},
	};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct pki_spec root_spec = {.subject = "CN=Kind", .key = kinds[i].key, .ca = true};
		const struct pki_cert *root = pki_make(&root_spec);
		const struct pki_cert *leaf =
			leaf_with((struct pki_spec){.issuer = root,
		                                    .key = kinds[i].key,
		                                    .digest = kinds[i].digest,
		                                    .sign_flags = kinds[i].flags});
		struct trust *trust = pki_trust(&(struct pki_trust_spec){
			.anchors = {root}, .profile = PROFILE_MEDIUM, .max_depth = 0});
		expect(trust, CERTS(leaf), CLASS_OK, 0, 0);
		struct chain *chain;
		CU_ASSERT_EQUAL(chain_new(&chain, &leaf->der, 1), 0);
		CU_ASSERT_EQUAL(chain_parse(chain), 0);
		CU_ASSERT_STRING_EQUAL(chain->certs[0].signature_algorithm, kinds[i].name);
		chain_unref(&chain);
		/* One bit of the signature, which stands last. */
		struct slice bad = pki_keep(leaf->der);
		((uint8_t *)bad.data)[bad.len - 1] ^= 1;
		struct verdict *verdict = pki_judge(trust, &bad, 1, PKI_NOW);
		CU_ASSERT_EQUAL(verdict->class, CLASS_BAD_SIGNATURE);
		verdict_unref(&verdict);
		trust_free(&trust);
	}
}

static void no_anchors_means_not_checked(void)
{
	struct trust *trust = pki_trust(&(struct pki_trust_spec){.max_depth = 4});
	expect(trust, CERTS(pki_leaf(), pki_intermediate()), CLASS_NOT_CHECKED, 0, 1010);
	expect(trust, CERTS(leaf_with((struct pki_spec){.not_after = PKI_NOW - 1})),
	       CLASS_NOT_CHECKED, 0, 1010);
	expect(trust, CERTS(leaf_with((struct pki_spec){.key = PKI_DSA})), CLASS_UNSUPPORTED_KEY, 0,
	       6);
	struct slice garbage = SLICE("garbage");
	struct verdict *verdict = pki_judge(trust, &garbage, 1, PKI_NOW);
	CU_ASSERT_EQUAL(verdict->class, CLASS_MALFORMED_CERTIFICATE);
	verdict_unref(&verdict);
	trust_free(&trust);
}

static void malformed_certificates_are_found_anywhere_in_the_chain(void)
{
	struct trust *trust = root_trust();
	struct slice whole = pki_leaf()->der;
	struct slice broken[] = {
		SLICE(""),
		SLICE("\x30"),
		SLICE("\x30\x80\x00\x00"),
		SLICE("\x04\x03"
	              "abc"),
		pki_join(whole, SLICE("\x00")),      /* trailing byte */
		slice_of(whole.data, whole.len - 1), /* cut */
		slice_of(whole.data + 1, whole.len - 1),
	};
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct slice alone[] = {broken[i]};
		struct verdict *verdict = pki_judge(trust, alone, 1, PKI_NOW);
		CU_ASSERT_EQUAL(verdict->class, CLASS_MALFORMED_CERTIFICATE);
		CU_ASSERT_EQUAL(verdict->code, 1001);
		CU_ASSERT_EQUAL(verdict->path_count, 0);
		verdict_unref(&verdict);
		struct slice behind[] = {whole, pki_intermediate()->der, broken[i]};
		verdict = pki_judge(trust, behind, 3, PKI_NOW);
		CU_ASSERT_EQUAL(verdict->class, CLASS_MALFORMED_CERTIFICATE);
		CU_ASSERT_EQUAL(verdict->depth, 2);
		CU_ASSERT_EQUAL(verdict->finding_count, 1);
		verdict_unref(&verdict);
	}
	trust_free(&trust);
}

static void no_byte_of_a_leaf_can_be_changed_unnoticed(void)
{
	struct trust *trust = root_trust();
	struct slice whole = pki_leaf()->der;
	unsigned accepted = 0;
	for (size_t i = 0; i < whole.len; i++) {
		struct slice changed[] = {pki_keep(whole), pki_intermediate()->der};
		((uint8_t *)changed[0].data)[i] ^= 0x01;
		struct verdict *verdict = pki_judge(trust, changed, 2, PKI_NOW);
		accepted += verdict->class == CLASS_OK ? 1 : 0;
		verdict_unref(&verdict);
	}
	CU_ASSERT_EQUAL(accepted, 0);
	trust_free(&trust);
}

static void keys_that_tls_cannot_use_are_unsupported(void)
{
	struct trust *trust = root_trust();
	expect(trust, CERTS(leaf_with((struct pki_spec){.key = PKI_DSA}), pki_intermediate()),
	       CLASS_UNSUPPORTED_KEY, 0, 6);
	/* The curve's OID within the key, exchanged for one of the same length that nobody
	 * knows. */
	struct slice der = pki_keep(pki_leaf()->der);
	uint8_t *curve = memmem(der.data, der.len, "\x2a\x86\x48\xce\x3d\x03\x01\x07", 8);
	CU_ASSERT_PTR_NOT_NULL(curve);
	if (curve == NULL) {
		return;
	}
	curve[7] = 0x6f;
	struct slice chain[] = {der, pki_intermediate()->der};
	struct verdict *verdict = pki_judge(trust, chain, 2, PKI_NOW);
	CU_ASSERT_EQUAL(verdict->class, CLASS_UNSUPPORTED_KEY);
	CU_ASSERT_PTR_NOT_NULL(find(verdict, CLASS_BAD_SIGNATURE, 0));
	verdict_unref(&verdict);
	trust_free(&trust);
}

/* SEC 1 3.2.2.1: nobody has the private key of such a one, and arithmetic with it may mean anything. */
static void keys_off_their_curve_are_unsupported(void)
{
	static const enum pki_key_kind kinds[] = {PKI_P256_C, PKI_P384};
	struct trust *trust = root_trust();
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct pki_cert *leaf = leaf_with((struct pki_spec){.key = kinds[i]});
		gnutls_datum_t x, y;
		CU_ASSERT_FATAL(gnutls_x509_privkey_export_ecc_raw(pki_key(kinds[i]), NULL, &x, &y,
		                                                   NULL) >= 0);
		struct slice der = pki_keep(leaf->der);
		/* Without its first octet, which may be a sign. */
		uint8_t *last = memmem(der.data, der.len, y.data + 1, y.size - 1);
		CU_ASSERT_PTR_NOT_NULL_FATAL(last);
		last[y.size - 2] ^= 1;
		struct verdict *verdict =
			pki_judge(trust, (struct slice[]){der, pki_intermediate()->der}, 2, PKI_NOW);
		CU_ASSERT_EQUAL(verdict->class, CLASS_UNSUPPORTED_KEY);
		verdict_unref(&verdict);
		gnutls_free(x.data);
		gnutls_free(y.data);
	}
	trust_free(&trust);
}

static void wrong_signatures_are_found_at_their_depth(void)
{
	struct trust *trust = root_trust();
	expect(trust,
	       CERTS(leaf_with((struct pki_spec){.wrong_signature = true}), pki_intermediate()),
	       CLASS_BAD_SIGNATURE, 0, 7);
	const struct pki_cert *forged =
		ca_with((struct pki_spec){.ca = true, .wrong_signature = true});
	expect(trust, CERTS(leaf_with((struct pki_spec){.issuer = forged}), forged),
	       CLASS_BAD_SIGNATURE, 1, 7);
	trust_free(&trust);
}

static void namesake_with_another_key_identifier_is_not_the_issuer(void)
{
	const struct pki_cert *old = pki_make(&(struct pki_spec){
		.subject = "CN=Rekeyed", .key = PKI_P256_A, .ca = true, .key_ids = true});
	const struct pki_cert *new = pki_make(&(struct pki_spec){
		.subject = "CN=Rekeyed", .key = PKI_P256_B, .ca = true, .key_ids = true});
	const struct pki_cert *leaf =
		leaf_with((struct pki_spec){.issuer = new, .key = PKI_P256_C, .key_ids = true});
	struct pki_trust_spec only_old = {
		.anchors = {old}, .profile = PROFILE_MEDIUM, .max_depth = 4};
	expect_with(only_old, CERTS(leaf), CLASS_UNKNOWN_ISSUER, 0, 20);
	/* With both it is the other one, found at the first attempt. */
	struct trust *both = pki_trust(&(struct pki_trust_spec){
		.anchors = {old, new}, .profile = PROFILE_MEDIUM, .max_depth = 4});
	struct verdict *verdict = pki_judge_certs(both, CERTS(leaf), PKI_NOW);
	CU_ASSERT_EQUAL(verdict->class, CLASS_OK);
	CU_ASSERT_EQUAL(verdict->signature_checks, 1);
	verdict_unref(&verdict);
	trust_free(&both);
	/* Without identifiers both are tried. */
	const struct pki_cert *plain =
		leaf_with((struct pki_spec){.issuer = new, .key = PKI_P256_C});
	expect_with((struct pki_trust_spec){.anchors = {old, new},
	                                    .profile = PROFILE_MEDIUM,
	                                    .max_depth = 4},
	            CERTS(plain), CLASS_OK, 0, 0);
}

static void self_signed_is_the_leaf_alone(void)
{
	struct trust *trust = root_trust();
	const struct pki_cert *own = pki_make(
		&(struct pki_spec){.subject = "CN=own", .key = PKI_P256_C, .purposes = CLIENT});
	expect(trust, CERTS(own), CLASS_SELF_SIGNED, 0, 18);
	expect(trust, CERTS(own, pki_intermediate()), CLASS_SELF_SIGNED, 0, 18);
	/* Its own name as issuer, but not its own key. */
	const struct pki_cert *claimed = pki_make(
		&(struct pki_spec){.subject = "CN=own", .key = PKI_P256_C, .wrong_signature = true});
	expect(trust, CERTS(claimed), CLASS_UNKNOWN_ISSUER, 0, 20);
	/* An anchor's name, signed by itself: no forgery of the anchor's signature, but nobody
	 * we know. */
	const struct pki_cert *same_name =
		pki_make(&(struct pki_spec){.subject = "CN=Root,O=Test", .key = PKI_P256_D});
	expect(trust, CERTS(same_name), CLASS_SELF_SIGNED, 0, 18);
	trust_free(&trust);
}

static void unknown_issuer_says_where_the_chain_ends(void)
{
	const struct pki_cert *other = pki_make(
		&(struct pki_spec){.subject = "CN=Other Root", .key = PKI_P256_D, .ca = true});
	struct pki_trust_spec spec = {.anchors = {other}, .profile = PROFILE_MEDIUM, .max_depth = 4};
	expect_with(spec, CERTS(pki_leaf()), CLASS_UNKNOWN_ISSUER, 0, 20);
	expect_with(spec, CERTS(pki_leaf(), pki_intermediate()), CLASS_UNKNOWN_ISSUER, 1, 20);
	expect_with(spec, CERTS(pki_leaf(), pki_intermediate(), pki_root()), CLASS_UNKNOWN_ISSUER,
	            2, 19);
	/* Two CAs that certify each other lead nowhere, in bounded work. */
	const struct pki_cert *absent =
		pki_make(&(struct pki_spec){.subject = "CN=Ring B", .key = PKI_P256_B, .ca = true});
	const struct pki_cert *a = ca_with((struct pki_spec){
		.subject = "CN=Ring A", .issuer = absent, .key = PKI_P256_A, .ca = true});
	const struct pki_cert *b = ca_with((struct pki_spec){
		.subject = "CN=Ring B", .issuer = a, .key = PKI_P256_B, .ca = true});
	const struct pki_cert *leaf = leaf_with((struct pki_spec){.issuer = a, .key = PKI_P256_C});
	expect_with(spec, CERTS(leaf, a, b), CLASS_UNKNOWN_ISSUER, 2, 20);
}

static void issuers_have_to_be_cas(void)
{
	struct trust *trust = root_trust();
	const struct pki_cert *not_ca = ca_with((struct pki_spec){.ca = false});
	expect(trust, CERTS(leaf_with((struct pki_spec){.issuer = not_ca}), not_ca),
	       CLASS_ISSUER_NOT_CA, 1, 79);
	const struct pki_cert *silent = ca_with((struct pki_spec){.no_basic_constraints = true});
	expect(trust, CERTS(leaf_with((struct pki_spec){.issuer = silent}), silent),
	       CLASS_ISSUER_NOT_CA, 1, 79);
	const struct pki_cert *no_sign =
		ca_with((struct pki_spec){.ca = true, .key_usage = GNUTLS_KEY_DIGITAL_SIGNATURE});
	expect(trust, CERTS(leaf_with((struct pki_spec){.issuer = no_sign}), no_sign),
	       CLASS_ISSUER_NOT_CA, 1, 79);
	trust_free(&trust);
	/* Anchors are no exception, nor is version 1. */
	const struct pki_cert *root =
		pki_make(&(struct pki_spec){.subject = "CN=Plain", .key = PKI_P256_A});
	expect_with((struct pki_trust_spec){.anchors = {root}, .profile = PROFILE_MEDIUM},
	            CERTS(leaf_with((struct pki_spec){.issuer = root, .key = PKI_P256_B})),
	            CLASS_ISSUER_NOT_CA, 1, 79);
	const struct pki_cert *v1 =
		pki_make(&(struct pki_spec){.subject = "CN=One", .key = PKI_P256_A, .version = 1});
	expect_with((struct pki_trust_spec){.anchors = {v1}, .profile = PROFILE_MEDIUM},
	            CERTS(leaf_with((struct pki_spec){.issuer = v1, .key = PKI_P256_B})),
	            CLASS_ISSUER_NOT_CA, 1, 79);
}

static void path_length_counts_intermediates_that_are_not_self_issued(void)
{
	struct trust *trust = root_trust();
	const struct pki_cert *top =
		ca_with((struct pki_spec){.subject = "CN=Top", .ca = true, .path_length_plus_1 = 1});
	expect(trust, CERTS(leaf_with((struct pki_spec){.issuer = top}), top), CLASS_OK, 0, 0);
	const struct pki_cert *below = ca_with((struct pki_spec){
		.subject = "CN=Below", .issuer = top, .key = PKI_P256_D, .ca = true});
	expect(trust, CERTS(leaf_with((struct pki_spec){.issuer = below}), below, top),
	       CLASS_PATH_LENGTH_EXCEEDED, 2, 25);
	const struct pki_cert *rekeyed = ca_with((struct pki_spec){
		.subject = "CN=Top", .issuer = top, .key = PKI_P256_D, .ca = true});
	expect(trust, CERTS(leaf_with((struct pki_spec){.issuer = rekeyed}), rekeyed, top),
	       CLASS_OK, 0, 0);
	trust_free(&trust);
	const struct pki_cert *root = pki_make(&(struct pki_spec){
		.subject = "CN=Short", .key = PKI_P256_A, .ca = true, .path_length_plus_1 = 1});
	const struct pki_cert *middle = ca_with((struct pki_spec){.issuer = root, .ca = true});
	expect_with(
		(struct pki_trust_spec){.anchors = {root}, .profile = PROFILE_MEDIUM, .max_depth = 4},
		CERTS(leaf_with((struct pki_spec){.issuer = middle}), middle),
		CLASS_PATH_LENGTH_EXCEEDED, 2, 25);
}

static void max_depth_counts_intermediates(void)
{
	struct pki_trust_spec spec = {
		.anchors = {pki_root()}, .profile = PROFILE_MEDIUM, .max_depth = 1};
	expect_with(spec, CERTS(pki_leaf(), pki_intermediate()), CLASS_OK, 0, 0);
	spec.max_depth = 0;
	expect_with(spec, CERTS(pki_leaf(), pki_intermediate()), CLASS_CHAIN_TOO_LONG, 1, 22);
	expect_with(spec, CERTS(leaf_with((struct pki_spec){.issuer = pki_root()})), CLASS_OK, 0, 0);
}

static void critical_extensions_that_are_not_processed_refuse(void)
{
	struct trust *trust = root_trust();
	struct slice null = SLICE("\x05\x00");
	struct pki_spec unknown = {.extensions = {{"1.2.3.4", null, true}}};
	expect(trust, CERTS(leaf_with(unknown), pki_intermediate()),
	       CLASS_UNKNOWN_CRITICAL_EXTENSION, 0, 34);
	unknown.extensions[0].critical = false;
	expect(trust, CERTS(leaf_with(unknown), pki_intermediate()), CLASS_OK, 0, 0);
	/* policyConstraints, requireExplicitPolicy 0 */
	struct pki_spec policy = {
		.ca = true, .extensions = {{"2.5.29.36", SLICE("\x30\x03\x80\x01\x00"), true}}};
	const struct pki_cert *ca = ca_with(policy);
	expect(trust, CERTS(leaf_with((struct pki_spec){.issuer = ca}), ca),
	       CLASS_UNKNOWN_CRITICAL_EXTENSION, 1, 34);
	trust_free(&trust);
	struct pki_spec at_root = {.subject = "CN=Odd",
	                           .key = PKI_P256_A,
	                           .ca = true,
	                           .extensions = {{"1.2.3.4", null, true}}};
	const struct pki_cert *root = pki_make(&at_root);
	expect_with((struct pki_trust_spec){.anchors = {root}, .profile = PROFILE_MEDIUM},
	            CERTS(leaf_with((struct pki_spec){.issuer = root, .key = PKI_P256_B})),
	            CLASS_UNKNOWN_CRITICAL_EXTENSION, 1, 34);
}

static void name_constraints_bind_what_is_below(void)
{
	struct trust *trust = root_trust();
	/* permitted: dNSName example.org */
	struct slice value = SLICE("\x30\x11\xa0\x0f\x30\x0d\x82\x0b"
	                           "example.org");
	for (int critical = 0; critical < 2; critical++) {
		struct pki_spec spec = {.ca = true,
		                        .extensions = {{"2.5.29.30", value, critical == 1}}};
		const struct pki_cert *ca = ca_with(spec);
		const struct pki_cert *inside =
			leaf_with((struct pki_spec){.issuer = ca, .dns = {"a.example.org"}});
		const struct pki_cert *outside = leaf_with(
			(struct pki_spec){.issuer = ca, .dns = {"a.example.org", "b.example"}});
		expect(trust, CERTS(inside, ca), CLASS_OK, 0, 0);
		expect(trust, CERTS(outside, ca), CLASS_NAME_NOT_PERMITTED, 0, 47);
	}
	trust_free(&trust);
}

static void purpose_is_asked_of_the_leaf_and_its_cas(void)
{
	struct trust *trust = root_trust();
	const struct pki_cert *server =
		leaf_with((struct pki_spec){.purposes = {GNUTLS_KP_TLS_WWW_SERVER}});
	expect(trust, CERTS(server, pki_intermediate()), CLASS_WRONG_PURPOSE, 0, 26);
	const struct pki_cert *any =
		leaf_with((struct pki_spec){.purposes = {GNUTLS_KP_TLS_WWW_SERVER, GNUTLS_KP_ANY}});
	expect(trust, CERTS(any, pki_intermediate()), CLASS_OK, 0, 0);
	expect(trust, CERTS(leaf_with((struct pki_spec){.subject = "CN=none"}), pki_intermediate()),
	       CLASS_OK, 0, 0);
	const struct pki_cert *encrypts = leaf_with(
		(struct pki_spec){.key_usage = GNUTLS_KEY_KEY_ENCIPHERMENT, .purposes = CLIENT});
	expect(trust, CERTS(encrypts, pki_intermediate()), CLASS_WRONG_PURPOSE, 0, 26);
	const struct pki_cert *server_ca =
		ca_with((struct pki_spec){.ca = true, .purposes = {GNUTLS_KP_TLS_WWW_SERVER}});
	const struct pki_cert *below =
		leaf_with((struct pki_spec){.issuer = server_ca, .purposes = CLIENT});
	expect(trust, CERTS(below, server_ca), CLASS_WRONG_PURPOSE, 1, 26);
	trust_free(&trust);
	struct pki_trust_spec spec = {
		.anchors = {pki_root()}, .purpose = "any", .profile = PROFILE_MEDIUM, .max_depth = 4};
	expect_with(spec, CERTS(server, pki_intermediate()), CLASS_OK, 0, 0);
	spec.purpose = "1.3.6.1.4.1.311.20.2.2";
	expect_with(spec, CERTS(pki_leaf(), pki_intermediate()), CLASS_WRONG_PURPOSE, 0, 26);
	const struct pki_cert *card =
		leaf_with((struct pki_spec){.purposes = {"1.3.6.1.4.1.311.20.2.2"}});
	expect_with(spec, CERTS(card, pki_intermediate()), CLASS_OK, 0, 0);
}

static void strength_is_judged_by_profile(void)
{
	static const enum profile profiles[] = {PROFILE_LEGACY, PROFILE_MEDIUM, PROFILE_HIGH};
	static const struct {
		enum pki_key_kind key;            /* of the leaf */
		gnutls_digest_algorithm_t digest; /* of the signature upon it */
		enum peer_class expected[3];
	} rows[] = {
		{PKI_RSA1024,
	         GNUTLS_DIG_SHA256,
	         {CLASS_OK, CLASS_WEAK_ALGORITHM, CLASS_WEAK_ALGORITHM}},
		{PKI_RSA2048, GNUTLS_DIG_SHA256, {CLASS_OK, CLASS_OK, CLASS_WEAK_ALGORITHM}},
		{PKI_P256_C, GNUTLS_DIG_SHA256, {CLASS_OK, CLASS_OK, CLASS_OK}},
		{PKI_P256_C, GNUTLS_DIG_SHA1, {CLASS_OK, CLASS_WEAK_ALGORITHM, CLASS_WEAK_ALGORITHM}},
		{PKI_P224,
	         GNUTLS_DIG_SHA256,
	         {CLASS_WEAK_ALGORITHM, CLASS_WEAK_ALGORITHM, CLASS_WEAK_ALGORITHM}},
		{PKI_ED25519, GNUTLS_DIG_SHA256, {CLASS_OK, CLASS_OK, CLASS_OK}},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct pki_cert *leaf =
			leaf_with((struct pki_spec){.key = rows[i].key, .digest = rows[i].digest});
		for (size_t k = 0; k < 3; k++) {
			struct pki_trust_spec spec = {
				.anchors = {pki_root()}, .profile = profiles[k], .max_depth = 4};
			expect_with(spec, CERTS(leaf, pki_intermediate()), rows[i].expected[k], 0,
			            rows[i].expected[k] == CLASS_OK ? 0 : 1006);
		}
	}
}

static void md5_is_never_strong_enough_but_an_anchors_own_hash_does_not_count(void)
{
	const struct pki_cert *root = pki_make(&(struct pki_spec){
		.subject = "CN=Old", .key = PKI_RSA2048, .ca = true, .digest = GNUTLS_DIG_MD5});
	struct pki_trust_spec spec = {.anchors = {root}, .profile = PROFILE_LEGACY, .max_depth = 4};
	const struct pki_cert *good =
		leaf_with((struct pki_spec){.issuer = root, .key = PKI_P256_C});
	expect_with(spec, CERTS(good), CLASS_OK, 0, 0);
	const struct pki_cert *bad = leaf_with(
		(struct pki_spec){.issuer = root, .key = PKI_P256_C, .digest = GNUTLS_DIG_MD5});
	expect_with(spec, CERTS(bad), CLASS_WEAK_ALGORITHM, 0, 1006);
	/* Its key does. */
	const struct pki_cert *weak_root =
		pki_make(&(struct pki_spec){.subject = "CN=Small", .key = PKI_RSA1024, .ca = true});
	const struct pki_cert *leaf =
		leaf_with((struct pki_spec){.issuer = weak_root, .key = PKI_P256_C});
	spec.anchors[0] = weak_root;
	expect_with(spec, CERTS(leaf), CLASS_OK, 0, 0);
	spec.profile = PROFILE_MEDIUM;
	expect_with(spec, CERTS(leaf), CLASS_WEAK_ALGORITHM, 1, 1006);
	/* And an intermediate's. */
	const struct pki_cert *weak_ca = ca_with((struct pki_spec){.key = PKI_RSA1024, .ca = true});
	spec.anchors[0] = pki_root();
	expect_with(
		spec,
		CERTS(leaf_with((struct pki_spec){.issuer = weak_ca, .key = PKI_P256_C}), weak_ca),
		CLASS_WEAK_ALGORITHM, 1, 1006);
}

static void dates_count_for_every_certificate_of_the_path(void)
{
	const int64_t past = PKI_NOW - 100;
	const int64_t future = PKI_NOW + 100;
	struct trust *trust = root_trust();
	expect(trust, CERTS(leaf_with((struct pki_spec){.not_after = past}), pki_intermediate()),
	       CLASS_EXPIRED, 0, 10);
	expect(trust, CERTS(leaf_with((struct pki_spec){.not_before = future}), pki_intermediate()),
	       CLASS_NOT_YET_VALID, 0, 9);
	const struct pki_cert *old_ca = ca_with((struct pki_spec){.ca = true, .not_after = past});
	expect(trust, CERTS(leaf_with((struct pki_spec){.issuer = old_ca}), old_ca), CLASS_EXPIRED,
	       1, 10);
	const struct pki_cert *new_ca = ca_with((struct pki_spec){.ca = true, .not_before = future});
	expect(trust, CERTS(leaf_with((struct pki_spec){.issuer = new_ca}), new_ca),
	       CLASS_NOT_YET_VALID, 1, 9);
	trust_free(&trust);
	struct pki_spec old_root = {
		.subject = "CN=Old Root", .key = PKI_P256_A, .ca = true, .not_after = past};
	const struct pki_cert *root = pki_make(&old_root);
	struct trust *old = pki_trust(&(struct pki_trust_spec){
		.anchors = {root}, .profile = PROFILE_MEDIUM, .max_depth = 4});
	struct verdict *verdict = pki_judge_certs(
		old, CERTS(leaf_with((struct pki_spec){.issuer = root, .key = PKI_P256_B})),
		PKI_NOW);
	CU_ASSERT_EQUAL(verdict->class, CLASS_EXPIRED);
	CU_ASSERT_EQUAL(verdict->depth, 1);
	CU_ASSERT_EQUAL(verdict->findings[0].at_s, past);
	CU_ASSERT_EQUAL(verdict->path_count, 2);
	verdict_unref(&verdict);
	trust_free(&old);
}

static void a_verdict_holds_exactly_as_long_as_it_says(void)
{
	struct trust *trust = root_trust();
	const struct pki_cert *ca = ca_with((struct pki_spec){
		.ca = true, .not_before = PKI_NOW - 500, .not_after = PKI_NOW + 300});
	const struct pki_cert *leaf = leaf_with((struct pki_spec){
		.issuer = ca, .not_before = PKI_NOW - 200, .not_after = PKI_NOW + 900});
	static const struct {
		int64_t now;
		int64_t from;
		int64_t until;
		enum peer_class class;
	} rows[] = {
		{PKI_NOW, PKI_NOW - 200, PKI_NOW + 301, CLASS_OK},
		{PKI_NOW - 200, PKI_NOW - 200, PKI_NOW + 301, CLASS_OK},
		{PKI_NOW + 300, PKI_NOW - 200, PKI_NOW + 301, CLASS_OK},
		{PKI_NOW + 301, PKI_NOW + 301, PKI_NOW + 901, CLASS_EXPIRED},
		{PKI_NOW - 201, PKI_NOW - 500, PKI_NOW - 200, CLASS_NOT_YET_VALID},
		{PKI_NOW - 501, PKI_NOW - 365 * PKI_DAY, PKI_NOW - 500, CLASS_NOT_YET_VALID},
		{PKI_NOW + 901, PKI_NOW + 901, PKI_NOW + 365 * PKI_DAY + 1, CLASS_EXPIRED},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct verdict *verdict = pki_judge_certs(trust, CERTS(leaf, ca), rows[i].now);
		CU_ASSERT_EQUAL(verdict->class, rows[i].class);
		CU_ASSERT_EQUAL(verdict->holds_from_s, rows[i].from);
		CU_ASSERT_EQUAL(verdict->holds_until_s, rows[i].until);
		verdict_unref(&verdict);
	}
	trust_free(&trust);
}

static void all_faults_are_kept_and_the_gravest_is_first(void)
{
	struct trust *trust = root_trust();
	const struct pki_cert *ca =
		ca_with((struct pki_spec){.ca = false, .not_after = PKI_NOW - 5});
	struct pki_spec spec = {
		.issuer = ca,
		.key = PKI_RSA1024,
		.not_after = PKI_NOW - 7,
		.purposes = {GNUTLS_KP_TLS_WWW_SERVER},
		.extensions = {{"1.2.3.4", SLICE("\x05\x00"), true}},
	};
	struct verdict *verdict = pki_judge_certs(trust, CERTS(leaf_with(spec), ca), PKI_NOW);
	static const struct {
		enum peer_class class;
		int depth;
		unsigned code;
		int64_t at_s;
	} expected[] = {
		{CLASS_ISSUER_NOT_CA, 1, 79, 0},     {CLASS_UNKNOWN_CRITICAL_EXTENSION, 0, 34, 0},
		{CLASS_WRONG_PURPOSE, 0, 26, 0},     {CLASS_WEAK_ALGORITHM, 0, 1006, 0},
		{CLASS_EXPIRED, 0, 10, PKI_NOW - 7}, {CLASS_EXPIRED, 1, 10, PKI_NOW - 5},
	};
	CU_ASSERT_EQUAL_FATAL(verdict->finding_count, sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < verdict->finding_count; i++) {
		CU_ASSERT_EQUAL(verdict->findings[i].class, expected[i].class);
		CU_ASSERT_EQUAL(verdict->findings[i].depth, expected[i].depth);
		CU_ASSERT_EQUAL(verdict->findings[i].code, expected[i].code);
		CU_ASSERT_EQUAL(verdict->findings[i].at_s, expected[i].at_s);
	}
	CU_ASSERT_EQUAL(verdict->class, CLASS_ISSUER_NOT_CA);
	CU_ASSERT_EQUAL(verdict->depth, 1);
	CU_ASSERT_EQUAL(verdict->path_count, 3);
	verdict_unref(&verdict);
	trust_free(&trust);
}

static void without_a_path_everybodys_own_faults_are_found(void)
{
	struct trust *trust = root_trust();
	const struct pki_cert *leaf =
		pki_make(&(struct pki_spec){.subject = "CN=own",
	                                    .key = PKI_P256_C,
	                                    .not_after = PKI_NOW - 1,
	                                    .purposes = {GNUTLS_KP_TLS_WWW_SERVER}});
	const struct pki_cert *extra = pki_make(&(struct pki_spec){
		.subject = "CN=Extra", .key = PKI_P256_D, .ca = true, .not_before = PKI_NOW + 1});
	struct verdict *verdict = pki_judge_certs(trust, CERTS(leaf, extra), PKI_NOW);
	CU_ASSERT_EQUAL(verdict->class, CLASS_SELF_SIGNED);
	CU_ASSERT_EQUAL(verdict->finding_count, 4);
	CU_ASSERT_PTR_NOT_NULL(find(verdict, CLASS_EXPIRED, 0));
	CU_ASSERT_PTR_NOT_NULL(find(verdict, CLASS_WRONG_PURPOSE, 0));
	CU_ASSERT_PTR_NOT_NULL(find(verdict, CLASS_NOT_YET_VALID, 1));
	CU_ASSERT_EQUAL(verdict->path_count, 0);
	CU_ASSERT_PTR_NULL(verdict->anchor_file);
	verdict_unref(&verdict);
	trust_free(&trust);
}

static void of_several_paths_the_faultless_one_is_taken(void)
{
	const struct pki_cert *other_root = pki_make(
		&(struct pki_spec){.subject = "CN=Other Root", .key = PKI_P256_D, .ca = true});
	const struct pki_cert *expired = ca_with(
		(struct pki_spec){.subject = "CN=Cross", .ca = true, .not_after = PKI_NOW - 1});
	const struct pki_cert *cross =
		ca_with((struct pki_spec){.subject = "CN=Cross", .issuer = other_root, .ca = true});
	const struct pki_cert *leaf =
		leaf_with((struct pki_spec){.issuer = cross, .key = PKI_P256_C});
	struct pki_trust_spec both = {
		.anchors = {pki_root(), other_root}, .profile = PROFILE_MEDIUM, .max_depth = 4};
	expect_with(both, CERTS(leaf, expired, cross), CLASS_OK, 0, 0);
	expect_with(both, CERTS(leaf, cross, expired), CLASS_OK, 0, 0);
	struct pki_trust_spec one = {
		.anchors = {pki_root()}, .profile = PROFILE_MEDIUM, .max_depth = 4};
	expect_with(one, CERTS(leaf, cross, expired), CLASS_EXPIRED, 1, 10);
}

static void an_intermediate_can_be_an_anchor(void)
{
	struct pki_trust_spec spec = {
		.anchors = {pki_intermediate()}, .profile = PROFILE_MEDIUM, .max_depth = 0};
	expect_with(spec, CERTS(pki_leaf()), CLASS_OK, 0, 0);
	expect_with(spec, CERTS(pki_leaf(), pki_intermediate(), pki_root()), CLASS_OK, 0, 0);
	/* But it does not make its own issuer trusted. */
	expect_with(spec, CERTS(leaf_with((struct pki_spec){.issuer = pki_root()}), pki_root()),
	            CLASS_UNKNOWN_ISSUER, 1, 19);
}

static void a_leaf_that_is_an_anchor_has_to_be_self_signed(void)
{
	const struct pki_cert *own = pki_make(
		&(struct pki_spec){.subject = "CN=own", .key = PKI_P256_C, .purposes = CLIENT});
	struct pki_trust_spec spec = {.anchors = {own}, .profile = PROFILE_MEDIUM, .max_depth = 0};
	struct trust *trust = pki_trust(&spec);
	expect(trust, CERTS(own), CLASS_OK, 0, 0);
	struct verdict *verdict = pki_judge_certs(trust, CERTS(own), PKI_NOW);
	CU_ASSERT_EQUAL(verdict->path_count, 1);
	verdict_unref(&verdict);
	/* Its rules hold all the same. */
	expect_at(trust, CERTS(own), own->not_after + 1, CLASS_EXPIRED, 0, 10, 1);
	trust_free(&trust);
	spec.anchors[0] = pki_leaf();
	expect_with(spec, CERTS(pki_leaf()), CLASS_UNKNOWN_ISSUER, 0, 20);
}

static void work_beyond_the_limit_is_a_verdict_of_its_own(void)
{
	/* Namesakes of the issuer, none of whom signed it. */
	struct trust *trust = root_trust();
	struct slice der[40] = {pki_leaf()->der};
	for (size_t i = 1; i < 40; i++) {
		der[i] = pki_make(&(struct pki_spec){.subject = "CN=Intermediate,O=Test",
		                                     .issuer = pki_root(),
		                                     .key = PKI_P256_D,
		                                     .ca = true})
		                 ->der;
	}
	struct verdict *verdict = pki_judge(trust, der, 40, PKI_NOW);
	CU_ASSERT_EQUAL(verdict->class, CLASS_LIMIT_EXCEEDED);
	CU_ASSERT_EQUAL(verdict->finding_count, 1);
	CU_ASSERT_EQUAL(verdict->path_count, 0);
	CU_ASSERT_EQUAL(verdict->signature_checks, 32);
	verdict_unref(&verdict);
	/* 31 of them, and the right one at last. */
	der[31] = pki_intermediate()->der;
	verdict = pki_judge(trust, der, 32, PKI_NOW);
	CU_ASSERT_EQUAL(verdict->class, CLASS_OK);
	verdict_unref(&verdict);
	trust_free(&trust);
}

static void steps_are_bounded_where_signatures_are_not_the_cost(void)
{
	/* Five CAs with one name and one key, each self-issued: every order of them is a chain,
	 * and no new signature. */
	struct trust *trust = root_trust();
	struct slice der[16];
	const struct pki_cert *ring = NULL;
	for (size_t i = 1; i < 6; i++) {
		ring = pki_make(
			&(struct pki_spec){.subject = "CN=Ring", .key = PKI_P256_D, .ca = true});
		der[i] = ring->der;
	}
	der[0] = leaf_with((struct pki_spec){.issuer = ring, .key = PKI_P256_C})->der;
	struct verdict *verdict = pki_judge(trust, der, 6, PKI_NOW);
	CU_ASSERT_EQUAL(verdict->class, CLASS_LIMIT_EXCEEDED);
	CU_ASSERT(verdict->signature_checks <= 32);
	verdict_unref(&verdict);
	trust_free(&trust);
}

static void single_verdicts_carry_their_class(void)
{
	struct verdict *verdict;
	CU_ASSERT_EQUAL(verdict_single(&verdict, CLASS_POSSESSION_FAILED, 0, "why"), 0);
	CU_ASSERT_EQUAL(verdict->class, CLASS_POSSESSION_FAILED);
	CU_ASSERT_EQUAL(verdict->code, 1002);
	CU_ASSERT_EQUAL(verdict->finding_count, 1);
	CU_ASSERT_STRING_EQUAL(verdict->findings[0].detail, "why");
	struct verdict *second = verdict_ref(verdict);
	verdict_unref(&verdict);
	CU_ASSERT_PTR_NULL(verdict);
	CU_ASSERT_EQUAL(second->refs, 1);
	verdict_unref(&second);
	verdict_unref(&second);
}

static const struct unit_test tests[] = {
	{"a good chain is ok, with its path", good_chain_is_ok_with_its_path},
	{"order and extra certificates do not matter", order_and_extra_certificates_do_not_matter},
	{"every kind of key is verified", every_kind_of_key_is_verified},
	{"no anchors means not checked", no_anchors_means_not_checked},
	{"malformed certificates are found anywhere in the chain",
         malformed_certificates_are_found_anywhere_in_the_chain},
	{"no byte of a leaf can be changed unnoticed", no_byte_of_a_leaf_can_be_changed_unnoticed},
	{"keys that TLS cannot use are unsupported", keys_that_tls_cannot_use_are_unsupported},
	{"keys off their curve are unsupported", keys_off_their_curve_are_unsupported},
	{"wrong signatures are found at their depth", wrong_signatures_are_found_at_their_depth},
	{"a namesake with another key identifier is not the issuer",
         namesake_with_another_key_identifier_is_not_the_issuer},
	{"self-signed is the leaf alone", self_signed_is_the_leaf_alone},
	{"unknown issuer says where the chain ends", unknown_issuer_says_where_the_chain_ends},
	{"issuers have to be CAs", issuers_have_to_be_cas},
	{"path length counts intermediates that are not self-issued",
         path_length_counts_intermediates_that_are_not_self_issued},
	{"max_depth counts intermediates", max_depth_counts_intermediates},
	{"critical extensions that are not processed refuse",
         critical_extensions_that_are_not_processed_refuse},
	{"name constraints bind what is below", name_constraints_bind_what_is_below},
	{"purpose is asked of the leaf and its CAs", purpose_is_asked_of_the_leaf_and_its_cas},
	{"strength is judged by profile", strength_is_judged_by_profile},
	{"MD5 is never strong enough, but an anchor's own hash does not count",
         md5_is_never_strong_enough_but_an_anchors_own_hash_does_not_count},
	{"dates count for every certificate of the path",
         dates_count_for_every_certificate_of_the_path},
	{"a verdict holds exactly as long as it says", a_verdict_holds_exactly_as_long_as_it_says},
	{"all faults are kept, and the gravest is first",
         all_faults_are_kept_and_the_gravest_is_first},
	{"without a path everybody's own faults are found",
         without_a_path_everybodys_own_faults_are_found},
	{"of several paths the faultless one is taken", of_several_paths_the_faultless_one_is_taken},
	{"an intermediate can be an anchor", an_intermediate_can_be_an_anchor},
	{"a leaf that is an anchor has to be self-signed",
         a_leaf_that_is_an_anchor_has_to_be_self_signed},
	{"work beyond the limit is a verdict of its own",
         work_beyond_the_limit_is_a_verdict_of_its_own},
	{"steps are bounded where signatures are not the cost",
         steps_are_bounded_where_signatures_are_not_the_cost},
	{"single verdicts carry their class", single_verdicts_carry_their_class},
};

int main(void)
{
	int code = unit_run("peer/classify", tests, sizeof(tests) / sizeof(tests[0]));
	pki_release();
	return code;
}
