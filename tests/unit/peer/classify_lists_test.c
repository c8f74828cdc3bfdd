#include "peer/classify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer/findings.h"
#include "tests/unit/peer/crl_pki.h"
#include "tests/unit/peer/pki.h"
#include "unit.h"

#define CERTS(...) ((const struct pki_cert *const[]){__VA_ARGS__, NULL})

/* An expected finding. */
struct fault {
	enum peer_class class;
	int depth;
};
#define FAULTS(...) ((const struct fault[]){__VA_ARGS__, {CLASS_OK, 0}})
#define NONE ((const struct fault[]){{CLASS_OK, 0}})

static void print(const struct verdict *verdict)
{
	printf("\n    got %s", peer_class_row(verdict->class)->name);
	for (size_t i = 0; i < verdict->finding_count; i++) {
		const struct finding *f = &verdict->findings[i];
		printf("\n      %s depth %d: %s", peer_class_row(f->class)->name, f->depth,
		       f->detail == NULL ? "" : f->detail);
	}
}

/* Exactly these findings, in order. */
static void has(const struct verdict *verdict, const struct fault *faults)
{
	size_t count = 0;
	bool same = true;
	for (; faults[count].class != CLASS_OK; count++) {
		same = same && count < verdict->finding_count &&
		       verdict->findings[count].class == faults[count].class &&
		       verdict->findings[count].depth == faults[count].depth;
	}
	same = same && count == verdict->finding_count &&
	       (count == 0 || verdict->class == faults[0].class);
	CU_ASSERT_TRUE(same);
	if (!same) {
		print(verdict);
	}
}

static void expect_at(const struct trust *trust, const struct pki_lists_spec *spec,
                      const struct pki_cert *const *certs, int64_t now_s, const struct fault *faults)
{
	struct lists *lists = spec == NULL ? NULL : pki_lists(trust, spec);
	struct verdict *verdict = pki_judge_by(trust, lists, certs, now_s);
	has(verdict, faults);
	verdict_unref(&verdict);
	if (lists != NULL) {
		lists_unref(&lists);
	}
}

static void expect(const struct trust *trust, const struct pki_lists_spec *spec,
                   const struct pki_cert *const *certs, const struct fault *faults)
{
	expect_at(trust, spec, certs, PKI_NOW, faults);
}

static struct trust *root_trust(void)
{
	return pki_trust(&(struct pki_trust_spec){
		.anchors = {pki_root()}, .profile = PROFILE_MEDIUM, .max_depth = 4});
}

/* A list entry of each kind for a certificate, with a line end. */
enum entry { ENTRY_SHA256, ENTRY_SHA1, ENTRY_SPKI, ENTRY_SERIAL, ENTRY_PEM, ENTRY_COUNT };

static struct slice hex_line(const char *word, const uint8_t *bytes, size_t len, const char *rest)
{
	struct slice out = pki_keep(slice_text(word));
	for (size_t i = 0; i < len; i++) {
		char digits[3];
		snprintf(digits, sizeof(digits), "%02X", bytes[i]);
		out = pki_join(out, slice_text(digits));
	}
	out = pki_join(out, slice_text(rest));
	return pki_join(out, SLICE("\n"));
}

static struct slice entry(enum entry kind, const struct pki_cert *cert)
{
	struct chain *chain;
	if (chain_new(&chain, &cert->der, 1) != 0 || chain_parse(chain) != 0) {
		exit(99);
	}
	const struct cert *c = &chain->certs[0];
	char issuer[200];
	snprintf(issuer, sizeof(issuer), " issuer %.*s", (int)c->issuer.text.len,
	         c->issuer.text.data == NULL ? "" : (const char *)c->issuer.text.data);
	struct slice out = SLICE("");
	switch (kind) {
	case ENTRY_SHA256:
		out = hex_line("", c->sha256, 32, "");
		break;
	case ENTRY_SHA1:
		out = hex_line("sha1 ", c->sha1, 20, "");
		break;
	case ENTRY_SPKI:
		out = hex_line("spki ", c->spki_sha256, 32, "");
		break;
	case ENTRY_SERIAL:
		out = hex_line("serial ", c->serial.data, c->serial.len, issuer);
		break;
	case ENTRY_PEM:
		out = pki_pem(cert->der);
		break;
	case ENTRY_COUNT:
		exit(99);
	}
	chain_unref(&chain);
	return out;
}

static const struct pki_cert *stranger(void)
{
	static const struct pki_cert *cert;
	if (cert == NULL) {
		cert = pki_make(&(struct pki_spec){.subject = "CN=stranger", .key = PKI_P256_D});
	}
	return cert;
}

/* --- deny --- */

static void denied_leaves_are_refused_by_every_kind_of_entry(void)
{
	struct trust *trust = root_trust();
	for (enum entry kind = 0; kind < ENTRY_COUNT; kind++) {
		struct pki_lists_spec spec = {.deny = {SLICE(""), entry(kind, pki_leaf())}};
		spec.deny[0] = entry(kind, stranger());
		expect(trust, &spec, CERTS(pki_leaf(), pki_intermediate()),
		       FAULTS({CLASS_DENYLISTED, 0}));
		struct pki_lists_spec others = {.deny = {entry(kind, stranger())}};
		expect(trust, &others, CERTS(pki_leaf(), pki_intermediate()), NONE);
	}
	trust_free(&trust);
}

static void every_certificate_of_the_path_can_be_denied(void)
{
	struct trust *trust = root_trust();
	struct pki_lists_spec ca = {.deny = {entry(ENTRY_SHA256, pki_intermediate())}};
	expect(trust, &ca, CERTS(pki_leaf(), pki_intermediate()), FAULTS({CLASS_DENYLISTED, 1}));
	struct pki_lists_spec anchor = {.deny = {entry(ENTRY_SPKI, pki_root())}};
	expect(trust, &anchor, CERTS(pki_leaf(), pki_intermediate()), FAULTS({CLASS_DENYLISTED, 2}));
	/* What the path does not need is not judged. */
	struct pki_lists_spec extra = {.deny = {entry(ENTRY_SHA256, stranger())}};
	expect(trust, &extra, CERTS(pki_leaf(), stranger(), pki_intermediate()), NONE);
	trust_free(&trust);
}

static void without_a_path_everything_presented_can_be_denied(void)
{
	struct trust *trust = pki_trust(&(struct pki_trust_spec){
		.anchors = {stranger()}, .profile = PROFILE_MEDIUM, .max_depth = 4});
	const struct pki_cert *extra =
		pki_make(&(struct pki_spec){.subject = "CN=extra", .key = PKI_P256_D, .ca = true});
	struct pki_lists_spec spec = {.deny = {entry(ENTRY_SHA256, pki_leaf()),
	                                       entry(ENTRY_SHA256, pki_intermediate()),
	                                       entry(ENTRY_SHA256, extra)}};
	expect(trust, &spec, CERTS(pki_leaf(), pki_intermediate(), extra),
	       FAULTS({CLASS_UNKNOWN_ISSUER, 1}, {CLASS_DENYLISTED, 0}, {CLASS_DENYLISTED, 1},
	              {CLASS_DENYLISTED, 2}));
	trust_free(&trust);
}

static void deny_lists_count_without_a_ca(void)
{
	struct trust *trust = pki_trust(&(struct pki_trust_spec){.max_depth = 4});
	struct pki_lists_spec spec = {.deny = {entry(ENTRY_SPKI, pki_intermediate())}};
	expect(trust, &spec, CERTS(pki_leaf(), pki_intermediate()), FAULTS({CLASS_DENYLISTED, 1}));
	struct lists *lists = pki_lists(trust, &spec);
	struct verdict *verdict = pki_judge_by(trust, lists, CERTS(pki_leaf()), PKI_NOW);
	CU_ASSERT_EQUAL(verdict->class, CLASS_NOT_CHECKED);
	verdict_unref(&verdict);
	lists_unref(&lists);
	trust_free(&trust);
}

static void malformed_certificates_are_denied_by_their_fingerprint(void)
{
	struct trust *trust = root_trust();
	struct pki_cert garbage = {.der = SLICE("garbage")};
	struct chain *chain;
	CU_ASSERT_EQUAL_FATAL(chain_new(&chain, &garbage.der, 1), 0);
	struct pki_lists_spec spec = {.deny = {hex_line("", chain->certs[0].sha256, 32, "")}};
	chain_unref(&chain);
	expect(trust, &spec, CERTS(&garbage),
	       FAULTS({CLASS_MALFORMED_CERTIFICATE, 0}, {CLASS_DENYLISTED, 0}));
	trust_free(&trust);
}

static void a_denied_intermediate_gives_way_to_another_path(void)
{
	const struct pki_cert *other_root = pki_make(
		&(struct pki_spec){.subject = "CN=Other Root", .key = PKI_P256_D, .ca = true});
	struct pki_spec cross = {.subject = "CN=Intermediate,O=Test",
	                         .key = PKI_P256_B,
	                         .issuer = other_root,
	                         .ca = true};
	const struct pki_cert *crossed = pki_make(&cross);
	struct trust *trust = pki_trust(&(struct pki_trust_spec){
		.anchors = {pki_root(), other_root}, .profile = PROFILE_MEDIUM, .max_depth = 4});
	struct pki_lists_spec spec = {.deny = {entry(ENTRY_SHA256, pki_intermediate())}};
	expect(trust, &spec, CERTS(pki_leaf(), pki_intermediate(), crossed), NONE);
	expect(trust, &spec, CERTS(pki_leaf(), crossed, pki_intermediate()), NONE);
	/* Its key denied, none of them is left. */
	struct pki_lists_spec key = {.deny = {entry(ENTRY_SPKI, pki_intermediate())}};
	expect(trust, &key, CERTS(pki_leaf(), pki_intermediate(), crossed),
	       FAULTS({CLASS_DENYLISTED, 1}));
	trust_free(&trust);
}

/* --- allow --- */

static void only_listed_leaves_are_allowed(void)
{
	static const enum entry kinds[] = {ENTRY_SHA256, ENTRY_SPKI, ENTRY_SERIAL, ENTRY_PEM};
	struct trust *trust = root_trust();
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct pki_lists_spec spec = {
			.allow = {entry(kinds[i], stranger()), entry(kinds[i], pki_leaf())}};
		expect(trust, &spec, CERTS(pki_leaf(), pki_intermediate()), NONE);
		/* Its issuer's entry is not the leaf's. */
		struct pki_lists_spec others = {.allow = {entry(kinds[i], pki_intermediate())}};
		expect(trust, &others, CERTS(pki_leaf(), pki_intermediate()),
		       FAULTS({CLASS_NOT_ALLOWLISTED, 0}));
	}
	/* A list of nobody is a list. */
	struct pki_lists_spec nobody = {.allow = {SLICE("# nobody yet\n")}};
	expect(trust, &nobody, CERTS(pki_leaf(), pki_intermediate()),
	       FAULTS({CLASS_NOT_ALLOWLISTED, 0}));
	trust_free(&trust);
}

static void denial_beats_permission(void)
{
	struct trust *trust = root_trust();
	struct pki_lists_spec spec = {.allow = {entry(ENTRY_SHA256, pki_leaf())},
	                              .deny = {entry(ENTRY_SPKI, pki_leaf())}};
	expect(trust, &spec, CERTS(pki_leaf(), pki_intermediate()), FAULTS({CLASS_DENYLISTED, 0}));
	trust_free(&trust);
}

static void an_unproven_serial_allows_nobody(void)
{
	/* The issuer's name, in a certificate that another key signed. */
	struct slice listed = entry(ENTRY_SERIAL, pki_leaf());
	const struct pki_cert *namesake = pki_make(&(struct pki_spec){
		.subject = "CN=Intermediate,O=Test", .key = PKI_P256_D, .ca = true});
	const struct pki_cert *forged = pki_make(
		&(struct pki_spec){.subject = "CN=forged", .key = PKI_P256_C, .issuer = namesake});
	struct slice forged_entry = entry(ENTRY_SERIAL, forged);
	struct trust *trust = root_trust();
	struct pki_lists_spec spec = {.allow = {listed, forged_entry}};
	expect(trust, &spec, CERTS(forged),
	       FAULTS({CLASS_UNKNOWN_ISSUER, 0}, {CLASS_NOT_ALLOWLISTED, 0}));
	/* A fingerprint says who it is all the same, and a deny list believes what is claimed. */
	struct pki_lists_spec by_hash = {.allow = {entry(ENTRY_SHA256, forged)}};
	expect(trust, &by_hash, CERTS(forged), FAULTS({CLASS_UNKNOWN_ISSUER, 0}));
	struct pki_lists_spec denied = {.deny = {forged_entry}};
	expect(trust, &denied, CERTS(forged),
	       FAULTS({CLASS_UNKNOWN_ISSUER, 0}, {CLASS_DENYLISTED, 0}));
	trust_free(&trust);
}

static void allow_lists_count_without_a_ca(void)
{
	struct trust *trust = pki_trust(&(struct pki_trust_spec){.max_depth = 4});
	struct pki_lists_spec spec = {.allow = {entry(ENTRY_SHA256, pki_leaf())}};
	struct lists *lists = pki_lists(trust, &spec);
	struct verdict *verdict = pki_judge_by(trust, lists, CERTS(pki_leaf()), PKI_NOW);
	CU_ASSERT_EQUAL(verdict->class, CLASS_NOT_CHECKED);
	verdict_unref(&verdict);
	lists_unref(&lists);
	expect(trust, &spec, CERTS(stranger()), FAULTS({CLASS_NOT_ALLOWLISTED, 0}));
	trust_free(&trust);
}

/* --- issuers --- */

static struct trust *trust_of_issuers(const struct pki_cert *issuer, const struct pki_cert *second)
{
	return pki_trust(&(struct pki_trust_spec){.anchors = {pki_root()},
	                                          .issuers = {issuer, second},
	                                          .profile = PROFILE_MEDIUM,
	                                          .max_depth = 4});
}

static void one_of_the_issuers_has_to_be_in_the_path(void)
{
	struct trust *named = trust_of_issuers(pki_intermediate(), NULL);
	expect(named, NULL, CERTS(pki_leaf(), pki_intermediate()), NONE);
	const struct pki_cert *direct = pki_make(
		&(struct pki_spec){.subject = "CN=direct", .key = PKI_P256_C, .issuer = pki_root()});
	expect(named, NULL, CERTS(direct), FAULTS({CLASS_ISSUER_NOT_ALLOWED, 0}));
	/* To have it lie beside the path does not help. */
	expect(named, NULL, CERTS(direct, pki_intermediate()),
	       FAULTS({CLASS_ISSUER_NOT_ALLOWED, 0}));
	trust_free(&named);
	struct trust *other = trust_of_issuers(stranger(), NULL);
	expect(other, NULL, CERTS(pki_leaf(), pki_intermediate()),
	       FAULTS({CLASS_ISSUER_NOT_ALLOWED, 0}));
	trust_free(&other);
	struct trust *either = trust_of_issuers(stranger(), pki_intermediate());
	expect(either, NULL, CERTS(pki_leaf(), pki_intermediate()), NONE);
	trust_free(&either);
	struct trust *anchor = trust_of_issuers(pki_root(), NULL);
	expect(anchor, NULL, CERTS(pki_leaf(), pki_intermediate()), NONE);
	trust_free(&anchor);
	/* The leaf itself is no issuer, be it named or not. */
	struct trust *leaf = trust_of_issuers(pki_leaf(), NULL);
	expect(leaf, NULL, CERTS(pki_leaf(), pki_intermediate()),
	       FAULTS({CLASS_ISSUER_NOT_ALLOWED, 0}));
	trust_free(&leaf);
}

static void a_renewed_issuer_is_the_same_and_a_namesake_is_not(void)
{
	struct pki_spec spec = {.subject = "CN=Intermediate,O=Test",
	                        .key = PKI_P256_B,
	                        .issuer = pki_root(),
	                        .ca = true,
	                        .not_after = PKI_NOW + 900 * (int64_t)PKI_DAY};
	struct trust *renewed = trust_of_issuers(pki_make(&spec), NULL);
	expect(renewed, NULL, CERTS(pki_leaf(), pki_intermediate()), NONE);
	trust_free(&renewed);
	spec.key = PKI_P256_D;
	struct trust *namesake = trust_of_issuers(pki_make(&spec), NULL);
	expect(namesake, NULL, CERTS(pki_leaf(), pki_intermediate()),
	       FAULTS({CLASS_ISSUER_NOT_ALLOWED, 0}));
	trust_free(&namesake);
	/* Nor is another name for the same key. */
	spec.key = PKI_P256_B;
	spec.subject = "CN=Intermediate 2,O=Test";
	struct trust *renamed = trust_of_issuers(pki_make(&spec), NULL);
	expect(renamed, NULL, CERTS(pki_leaf(), pki_intermediate()),
	       FAULTS({CLASS_ISSUER_NOT_ALLOWED, 0}));
	trust_free(&renamed);
}

static void the_path_through_an_issuer_that_is_asked_for_wins(void)
{
	/* A CA that two partners' CAs have certified; only one of these is asked for. */
	const struct pki_cert *wanted = pki_make(&(struct pki_spec){
		.subject = "CN=Wanted", .key = PKI_P256_B, .issuer = pki_root(), .ca = true});
	const struct pki_cert *other = pki_make(&(struct pki_spec){
		.subject = "CN=Other", .key = PKI_P256_D, .issuer = pki_root(), .ca = true});
	struct pki_spec spec = {.subject = "CN=Both", .key = PKI_P384, .issuer = other, .ca = true};
	const struct pki_cert *by_other = pki_make(&spec);
	spec.issuer = wanted;
	const struct pki_cert *by_wanted = pki_make(&spec);
	const struct pki_cert *leaf = pki_make(
		&(struct pki_spec){.subject = "CN=c", .key = PKI_P256_C, .issuer = by_other});
	struct trust *trust = trust_of_issuers(wanted, NULL);
	expect(trust, NULL, CERTS(leaf, by_other, other, by_wanted, wanted), NONE);
	expect(trust, NULL, CERTS(leaf, by_wanted, by_other, wanted, other), NONE);
	expect(trust, NULL, CERTS(leaf, by_other, other), FAULTS({CLASS_ISSUER_NOT_ALLOWED, 0}));
	trust_free(&trust);
}

static void issuers_count_where_no_anchor_is_reached(void)
{
	/* Whoever tolerates unknown_issuer still asks for the issuers. */
	struct trust *trust = pki_trust(&(struct pki_trust_spec){.anchors = {stranger()},
	                                                         .issuers = {pki_intermediate()},
	                                                         .profile = PROFILE_MEDIUM,
	                                                         .max_depth = 4});
	expect(trust, NULL, CERTS(pki_leaf(), pki_intermediate()),
	       FAULTS({CLASS_UNKNOWN_ISSUER, 1}));
	expect(trust, NULL, CERTS(pki_leaf()),
	       FAULTS({CLASS_UNKNOWN_ISSUER, 0}, {CLASS_ISSUER_NOT_ALLOWED, 0}));
	const struct pki_cert *own =
		pki_make(&(struct pki_spec){.subject = "CN=own", .key = PKI_P256_C});
	expect(trust, NULL, CERTS(own, pki_intermediate()),
	       FAULTS({CLASS_SELF_SIGNED, 0}, {CLASS_ISSUER_NOT_ALLOWED, 0}));
	/* Its certificate beside a signature by another key shows nothing. */
	const struct pki_cert *forged = pki_make(&(struct pki_spec){.subject = "CN=forged",
	                                                            .key = PKI_P256_C,
	                                                            .issuer = pki_intermediate(),
	                                                            .wrong_signature = true});
	expect(trust, NULL, CERTS(forged, pki_intermediate()),
	       FAULTS({CLASS_BAD_SIGNATURE, 0}, {CLASS_ISSUER_NOT_ALLOWED, 0}));
	trust_free(&trust);
}

/* --- pinned --- */

static struct trust *pinned_trust(void)
{
	return pki_trust(
		&(struct pki_trust_spec){.pinned = true, .profile = PROFILE_MEDIUM, .max_depth = 4});
}

static void pinned_certificates_are_good_whoever_signed_them(void)
{
	static const enum entry kinds[] = {ENTRY_SHA256, ENTRY_SPKI, ENTRY_PEM};
	struct trust *trust = pinned_trust();
	const struct pki_cert *nobody =
		pki_make(&(struct pki_spec){.subject = "CN=Nobody", .key = PKI_P256_A});
	const struct pki_cert *unknown =
		pki_make(&(struct pki_spec){.subject = "CN=x", .key = PKI_P256_C, .issuer = nobody});
	const struct pki_cert *const certs[] = {stranger(), pki_leaf(), unknown};
	for (size_t i = 0; i < 3; i++) {
		for (size_t k = 0; k < 3; k++) {
			struct pki_lists_spec spec = {.allow = {entry(kinds[k], certs[i])}};
			struct lists *lists = pki_lists(trust, &spec);
			struct verdict *verdict =
				pki_judge_by(trust, lists, CERTS(certs[i]), PKI_NOW);
			has(verdict, NONE);
			CU_ASSERT_EQUAL(verdict->class, CLASS_OK);
			CU_ASSERT_EQUAL(verdict->path_count, 0);
			CU_ASSERT_EQUAL(verdict->signature_checks, 0);
			CU_ASSERT_EQUAL(verdict->holds_from_s, certs[i]->not_before);
			CU_ASSERT_EQUAL(verdict->holds_until_s, certs[i]->not_after + 1);
			CU_ASSERT_FALSE(verdict->revocation.checked);
			verdict_unref(&verdict);
			lists_unref(&lists);
		}
	}
	trust_free(&trust);
}

static void who_is_not_pinned_is_not_allowed(void)
{
	struct trust *trust = pinned_trust();
	struct pki_lists_spec spec = {.allow = {entry(ENTRY_SHA256, stranger())}};
	expect(trust, &spec, CERTS(pki_leaf(), pki_intermediate()),
	       FAULTS({CLASS_NOT_ALLOWLISTED, 0}));
	/* A pinned certificate behind the leaf is not the leaf. */
	expect(trust, &spec, CERTS(pki_leaf(), stranger()), FAULTS({CLASS_NOT_ALLOWLISTED, 0}));
	expect(trust, &spec, CERTS(pki_root()),
	       FAULTS({CLASS_NOT_ALLOWLISTED, 0}, {CLASS_WRONG_PURPOSE, 0}));
	/* Without any list nobody is. */
	expect(trust, NULL, CERTS(stranger()), FAULTS({CLASS_NOT_ALLOWLISTED, 0}));
	trust_free(&trust);
}

static void faults_of_a_pinned_certificate_count(void)
{
	struct trust *trust = pinned_trust();
	static const struct {
		struct pki_spec spec;
		enum peer_class class;
	} rows[] = {
		{{.not_after = PKI_NOW - 1}, CLASS_EXPIRED},
		{{.not_before = PKI_NOW + 1}, CLASS_NOT_YET_VALID},
		{{.purposes = {GNUTLS_KP_TLS_WWW_SERVER}}, CLASS_WRONG_PURPOSE},
		{{.key_usage = GNUTLS_KEY_KEY_ENCIPHERMENT}, CLASS_WRONG_PURPOSE},
		{{.key = PKI_RSA1024}, CLASS_WEAK_ALGORITHM},
		{{.extensions = {{"1.2.3.4", {(const uint8_t *)"\x05\x00", 2}, true}}},
	         CLASS_UNKNOWN_CRITICAL_EXTENSION},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pki_spec spec = rows[i].spec;
		spec.subject = "CN=pinned";
		const struct pki_cert *cert = pki_make(&spec);
		struct pki_lists_spec lists = {.allow = {entry(ENTRY_SHA256, cert)}};
		expect(trust, &lists, CERTS(cert), FAULTS({rows[i].class, 0}));
	}
	struct pki_spec dsa = {.subject = "CN=dsa", .key = PKI_DSA};
	const struct pki_cert *unsupported = pki_make(&dsa);
	struct pki_lists_spec lists = {.allow = {entry(ENTRY_SHA256, unsupported)}};
	struct lists *read = pki_lists(trust, &lists);
	struct verdict *verdict = pki_judge_by(trust, read, CERTS(unsupported), PKI_NOW);
	CU_ASSERT_EQUAL(verdict->class, CLASS_UNSUPPORTED_KEY);
	verdict_unref(&verdict);
	lists_unref(&read);
	/* It expires while it is pinned. */
	struct pki_lists_spec own = {.allow = {entry(ENTRY_SHA256, stranger())}};
	expect_at(trust, &own, CERTS(stranger()), stranger()->not_after, NONE);
	expect_at(trust, &own, CERTS(stranger()), stranger()->not_after + 1,
	          FAULTS({CLASS_EXPIRED, 0}));
	trust_free(&trust);
}

static void a_pinned_certificate_can_be_denied(void)
{
	struct trust *trust = pinned_trust();
	struct pki_lists_spec spec = {.allow = {entry(ENTRY_SHA256, stranger())},
	                              .deny = {entry(ENTRY_SHA1, stranger())}};
	expect(trust, &spec, CERTS(stranger()), FAULTS({CLASS_DENYLISTED, 0}));
	trust_free(&trust);
}

static void what_a_pinned_client_sends_along_is_not_looked_at(void)
{
	struct trust *trust = pinned_trust();
	struct pki_cert garbage = {.der = SLICE("garbage")};
	struct pki_lists_spec spec = {.allow = {entry(ENTRY_SHA256, stranger())},
	                              .deny = {entry(ENTRY_SHA256, pki_intermediate())}};
	expect(trust, &spec, CERTS(stranger(), pki_intermediate(), &garbage), NONE);
	expect(trust, &spec, CERTS(&garbage), FAULTS({CLASS_MALFORMED_CERTIFICATE, 0}));
	trust_free(&trust);
}

/* --- identity --- */

static void names_with_control_bytes_are_found(void)
{
	/* UTF8String "a", NUL, "b" */
	const struct pki_cert *cert = pki_make(&(struct pki_spec){
		.subject_cn = SLICE("\x0c\x03"
	                            "a\0b"),
		.key = PKI_P256_C,
		.issuer = pki_intermediate(),
	});
	struct trust *trust = root_trust();
	struct verdict *verdict = pki_judge_certs(trust, CERTS(cert, pki_intermediate()), PKI_NOW);
	has(verdict, FAULTS({CLASS_IDENTITY_MALFORMED, 0}));
	CU_ASSERT_PTR_NOT_NULL(verdict->findings[0].detail);
	verdict_unref(&verdict);
	trust_free(&trust);
	struct trust *pinned = pinned_trust();
	struct pki_lists_spec spec = {.allow = {entry(ENTRY_SHA256, cert)}};
	expect(pinned, &spec, CERTS(cert), FAULTS({CLASS_IDENTITY_MALFORMED, 0}));
	trust_free(&pinned);
	struct trust *nobody = pki_trust(&(struct pki_trust_spec){.max_depth = 4});
	expect(nobody, NULL, CERTS(cert), FAULTS({CLASS_IDENTITY_MALFORMED, 0}));
	trust_free(&nobody);
}

/* --- revocation --- */

struct authority {
	const struct pki_cert *root;
	const struct pki_cert *other_root;
	const struct pki_cert *ca;      /* by root */
	const struct pki_cert *crossed; /* the same by other_root */
	const struct pki_cert *leaf;    /* by either */
	struct slice root_crl, other_crl, ca_crl;
};

static struct slice serial_of(const struct pki_cert *cert)
{
	return crl_pki_read(cert)->serial;
}

/* CRLs of all three CAs, on which nobody is. */
static struct authority make_authority(void)
{
	struct authority a;
	a.root = crl_pki_ca("CN=CRL Root", PKI_P256_A, NULL);
	a.other_root = crl_pki_ca("CN=CRL Other Root", PKI_P256_D, NULL);
	a.ca = crl_pki_ca("CN=CRL CA", PKI_P256_B, a.root);
	a.crossed = crl_pki_ca("CN=CRL CA", PKI_P256_B, a.other_root);
	a.leaf = pki_make(
		&(struct pki_spec){.subject = "CN=client", .key = PKI_P256_C, .issuer = a.ca});
	a.root_crl = crl_pki_make(&(struct crl_pki_spec){.issuer = a.root});
	a.other_crl = crl_pki_make(&(struct crl_pki_spec){.issuer = a.other_root});
	a.ca_crl = crl_pki_make(&(struct crl_pki_spec){.issuer = a.ca});
	return a;
}

static struct trust *trust_in(const struct pki_cert *first, const struct pki_cert *second)
{
	return pki_trust(&(struct pki_trust_spec){
		.anchors = {first, second}, .profile = PROFILE_MEDIUM, .max_depth = 4});
}

static struct slice crl_with(const struct pki_cert *issuer, const struct pki_cert *revoked)
{
	return crl_pki_make(&(struct crl_pki_spec){
		.issuer = issuer, .entries = {{.serial = serial_of(revoked), .reason = 1}}});
}

static void revoked_leaves_are_refused_and_evidence_says_by_whom(void)
{
	struct authority a = make_authority();
	struct trust *trust = trust_in(a.root, NULL);
	struct pki_lists_spec spec = {.crls = {a.root_crl, crl_with(a.ca, a.leaf)},
	                              .revocation = REVOCATION_HARD};
	struct lists *lists = pki_lists(trust, &spec);
	struct verdict *verdict = pki_judge_by(trust, lists, CERTS(a.leaf, a.ca), PKI_NOW);
	has(verdict, FAULTS({CLASS_REVOKED, 0}));
	CU_ASSERT_TRUE(verdict->revocation.checked);
	CU_ASSERT_EQUAL(verdict->revocation.source, REVOCATION_SOURCE_CRL);
	CU_ASSERT_EQUAL(verdict->revocation.status, REVOCATION_REVOKED);
	CU_ASSERT_EQUAL(verdict->revocation.next_update_s, PKI_NOW + PKI_DAY);
	/* Two of the chain, two of CRLs. */
	CU_ASSERT_EQUAL(verdict->signature_checks, 4);
	verdict_unref(&verdict);
	lists_unref(&lists);
	struct pki_lists_spec good = {.crls = {a.root_crl, a.ca_crl}, .revocation = REVOCATION_HARD};
	lists = pki_lists(trust, &good);
	verdict = pki_judge_by(trust, lists, CERTS(a.leaf, a.ca), PKI_NOW);
	has(verdict, NONE);
	CU_ASSERT_EQUAL(verdict->revocation.status, REVOCATION_GOOD);
	CU_ASSERT_EQUAL(verdict->holds_from_s, PKI_NOW - PKI_DAY);
	CU_ASSERT_EQUAL(verdict->holds_until_s, PKI_NOW + PKI_DAY + 1);
	verdict_unref(&verdict);
	lists_unref(&lists);
	/* Switched off, nobody looks at CRLs. */
	spec.revocation = REVOCATION_OFF;
	expect(trust, &spec, CERTS(a.leaf, a.ca), NONE);
	trust_free(&trust);
}

static void hard_and_soft_part_where_nothing_is_known(void)
{
	struct authority a = make_authority();
	struct trust *trust = trust_in(a.root, NULL);
	struct pki_lists_spec spec = {.crls = {a.root_crl}, .revocation = REVOCATION_HARD};
	expect(trust, &spec, CERTS(a.leaf, a.ca), FAULTS({CLASS_REVOCATION_UNKNOWN, 0}));
	spec.revocation = REVOCATION_SOFT;
	expect(trust, &spec, CERTS(a.leaf, a.ca), NONE);
	/* Out of date, a CRL still says who was revoked. */
	struct pki_lists_spec old = {.crls = {a.root_crl, a.ca_crl}, .revocation = REVOCATION_HARD};
	expect_at(trust, &old, CERTS(a.leaf, a.ca), PKI_NOW + PKI_DAY, NONE);
	expect_at(trust, &old, CERTS(a.leaf, a.ca), PKI_NOW + PKI_DAY + 1,
	          FAULTS({CLASS_REVOCATION_UNKNOWN, 0}, {CLASS_REVOCATION_UNKNOWN, 1}));
	old.crls[1] = crl_with(a.ca, a.leaf);
	old.revocation = REVOCATION_SOFT;
	expect_at(trust, &old, CERTS(a.leaf, a.ca), PKI_NOW + PKI_DAY + 1,
	          FAULTS({CLASS_REVOKED, 0}));
	/* The leaf alone. */
	struct pki_lists_spec leaf = {
		.crls = {a.ca_crl}, .revocation = REVOCATION_HARD, .scope = REVOCATION_LEAF};
	expect(trust, &leaf, CERTS(a.leaf, a.ca), NONE);
	trust_free(&trust);
}

static void a_revoked_intermediate_gives_way_to_a_valid_path(void)
{
	struct authority a = make_authority();
	struct trust *both = trust_in(a.root, a.other_root);
	struct pki_lists_spec spec = {
		.crls = {crl_with(a.root, a.ca), a.other_crl, a.ca_crl},
		.revocation = REVOCATION_HARD,
	};
	expect(both, &spec, CERTS(a.leaf, a.ca, a.crossed), NONE);
	expect(both, &spec, CERTS(a.leaf, a.crossed, a.ca), NONE);
	expect(both, &spec, CERTS(a.leaf, a.ca), FAULTS({CLASS_REVOKED, 1}));
	/* No CRL of the other root: with hard both paths have a fault, and the milder counts. */
	struct pki_lists_spec less = {.crls = {crl_with(a.root, a.ca), a.ca_crl},
	                              .revocation = REVOCATION_HARD};
	expect(both, &less, CERTS(a.leaf, a.ca, a.crossed), FAULTS({CLASS_REVOCATION_UNKNOWN, 1}));
	expect(both, &less, CERTS(a.leaf, a.crossed, a.ca), FAULTS({CLASS_REVOCATION_UNKNOWN, 1}));
	trust_free(&both);
}

static void without_a_path_revocation_is_not_evaluated(void)
{
	struct authority a = make_authority();
	struct trust *trust = trust_in(stranger(), NULL);
	struct pki_lists_spec spec = {.crls = {crl_with(a.ca, a.leaf)},
	                              .revocation = REVOCATION_HARD};
	struct lists *lists = pki_lists(trust, &spec);
	struct verdict *verdict = pki_judge_by(trust, lists, CERTS(a.leaf, a.ca), PKI_NOW);
	has(verdict, FAULTS({CLASS_UNKNOWN_ISSUER, 1}));
	CU_ASSERT_TRUE(verdict->revocation.checked);
	CU_ASSERT_EQUAL(verdict->revocation.source, REVOCATION_SOURCE_NONE);
	CU_ASSERT_EQUAL(verdict->revocation.status, REVOCATION_UNKNOWN);
	verdict_unref(&verdict);
	lists_unref(&lists);
	const struct pki_cert *own =
		pki_make(&(struct pki_spec){.subject = "CN=own", .key = PKI_P256_C});
	expect(trust, &spec, CERTS(own), FAULTS({CLASS_SELF_SIGNED, 0}));
	trust_free(&trust);
}

/* --- work --- */

static void small_limits_end_in_limit_exceeded(void)
{
	struct authority a = make_authority();
	struct pki_lists_spec spec = {.crls = {a.root_crl, a.ca_crl}, .revocation = REVOCATION_HARD};
	for (unsigned allowed = 1; allowed <= 5; allowed++) {
		struct trust *trust =
			pki_trust(&(struct pki_trust_spec){.anchors = {a.root},
		                                           .profile = PROFILE_MEDIUM,
		                                           .max_depth = 4,
		                                           .limits = {.signature_checks = allowed}});
		struct lists *lists = pki_lists(trust, &spec);
		struct verdict *verdict = pki_judge_by(trust, lists, CERTS(a.leaf, a.ca), PKI_NOW);
		bool enough = allowed >= 4;
		CU_ASSERT_EQUAL(verdict->signature_checks, enough ? 4 : allowed);
		CU_ASSERT_EQUAL(verdict->class, enough ? CLASS_OK : CLASS_LIMIT_EXCEEDED);
		CU_ASSERT_EQUAL(verdict->finding_count, enough ? 0 : 1);
		CU_ASSERT_EQUAL(verdict->path_count, enough ? 3 : 0);
		verdict_unref(&verdict);
		/* Nothing is left of what the lists would say. */
		struct pki_lists_spec denied = {.deny = {entry(ENTRY_SHA256, a.leaf)}};
		expect(trust, &denied, CERTS(a.leaf, a.ca),
		       allowed >= 2 ? FAULTS({CLASS_DENYLISTED, 0})
		                    : FAULTS({CLASS_LIMIT_EXCEEDED, 0}));
		lists_unref(&lists);
		trust_free(&trust);
	}
}

static void names_compared_are_counted_and_bounded(void)
{
	unsigned needed = 0;
	for (unsigned allowed = 1; allowed <= 16; allowed++) {
		struct trust *trust =
			pki_trust(&(struct pki_trust_spec){.anchors = {pki_root()},
		                                           .profile = PROFILE_MEDIUM,
		                                           .max_depth = 4,
		                                           .limits = {.name_comparisons = allowed}});
		struct verdict *verdict = pki_judge_certs(
			trust, CERTS(pki_leaf(), stranger(), pki_intermediate()), PKI_NOW);
		CU_ASSERT(verdict->name_comparisons <= allowed);
		if (verdict->class == CLASS_OK) {
			needed = needed == 0 ? verdict->name_comparisons : needed;
			CU_ASSERT_EQUAL(verdict->name_comparisons, needed);
		} else {
			CU_ASSERT_EQUAL(verdict->class, CLASS_LIMIT_EXCEEDED);
			CU_ASSERT_EQUAL(verdict->name_comparisons, allowed);
			CU_ASSERT_EQUAL(needed, 0);
		}
		verdict_unref(&verdict);
		trust_free(&trust);
	}
	CU_ASSERT(needed > 1);
}

static void crls_are_not_asked_about_a_path_that_cannot_win(void)
{
	struct authority a = make_authority();
	struct trust *both = trust_in(a.root, a.other_root);
	struct pki_lists_spec spec = {.crls = {a.root_crl, a.other_crl, a.ca_crl},
	                              .revocation = REVOCATION_HARD};
	struct pki_spec late = {
		.subject = "CN=late", .key = PKI_P256_C, .issuer = a.ca, .not_after = PKI_NOW - 1};
	struct lists *lists = pki_lists(both, &spec);
	struct verdict *verdict =
		pki_judge_by(both, lists, CERTS(pki_make(&late), a.ca, a.crossed), PKI_NOW);
	has(verdict, FAULTS({CLASS_EXPIRED, 0}));
	/* Two of each path, and of CRLs the two of the first. */
	CU_ASSERT_EQUAL(verdict->signature_checks, 6);
	verdict_unref(&verdict);
	lists_unref(&lists);
	trust_free(&both);
}

static void more_faults_than_are_kept_are_never_all_tolerable(void)
{
	struct findings findings = {0};
	/* The gravest last. */
	for (int depth = 39; depth >= 0; depth--) {
		findings_add(&findings, CLASS_EXPIRED, depth, 0, 0, NULL);
		CU_ASSERT(findings.count <= VERDICT_FINDINGS_MAX);
		size_t added = (size_t)(40 - depth);
		enum peer_class last = findings.items[findings.count - 1].class;
		CU_ASSERT_EQUAL(last, added > VERDICT_FINDINGS_MAX ? CLASS_LIMIT_EXCEEDED
		                                                   : CLASS_EXPIRED);
	}
	CU_ASSERT_EQUAL(findings.count, VERDICT_FINDINGS_MAX);
	for (int i = 0; i < VERDICT_FINDINGS_MAX - 1; i++) {
		CU_ASSERT_EQUAL(findings.items[i].class, CLASS_EXPIRED);
		CU_ASSERT_EQUAL(findings.items[i].depth, i);
	}
	/* One that comes behind all that are there, one that is there already, and one before. */
	findings_add(&findings, CLASS_REVOCATION_UNKNOWN, 0, 0, 0, NULL);
	findings_add(&findings, CLASS_EXPIRED, 3, 0, 0, NULL);
	CU_ASSERT_EQUAL(findings.items[VERDICT_FINDINGS_MAX - 2].depth, VERDICT_FINDINGS_MAX - 2);
	findings_add(&findings, CLASS_SELF_SIGNED, 0, 0, 0, NULL);
	CU_ASSERT_EQUAL(findings.count, VERDICT_FINDINGS_MAX);
	CU_ASSERT_EQUAL(findings.items[0].class, CLASS_SELF_SIGNED);
	CU_ASSERT_EQUAL(findings.items[VERDICT_FINDINGS_MAX - 2].depth, VERDICT_FINDINGS_MAX - 3);
	CU_ASSERT_EQUAL(findings.items[VERDICT_FINDINGS_MAX - 1].class, CLASS_LIMIT_EXCEEDED);
	CU_ASSERT_FALSE(peer_class_row(CLASS_LIMIT_EXCEEDED)->tolerable);
}

static const struct unit_test tests[] = {
	{"denied leaves are refused by every kind of entry",
         denied_leaves_are_refused_by_every_kind_of_entry},
	{"every certificate of the path can be denied", every_certificate_of_the_path_can_be_denied},
	{"without a path everything presented can be denied",
         without_a_path_everything_presented_can_be_denied},
	{"deny lists count without a CA", deny_lists_count_without_a_ca},
	{"malformed certificates are denied by their fingerprint",
         malformed_certificates_are_denied_by_their_fingerprint},
	{"a denied intermediate gives way to another path",
         a_denied_intermediate_gives_way_to_another_path},
	{"only listed leaves are allowed", only_listed_leaves_are_allowed},
	{"denial beats permission", denial_beats_permission},
	{"an unproven serial allows nobody", an_unproven_serial_allows_nobody},
	{"allow lists count without a CA", allow_lists_count_without_a_ca},
	{"one of the issuers has to be in the path", one_of_the_issuers_has_to_be_in_the_path},
	{"a renewed issuer is the same, and a namesake is not",
         a_renewed_issuer_is_the_same_and_a_namesake_is_not},
	{"the path through an issuer that is asked for wins",
         the_path_through_an_issuer_that_is_asked_for_wins},
	{"issuers count where no anchor is reached", issuers_count_where_no_anchor_is_reached},
	{"pinned certificates are good whoever signed them",
         pinned_certificates_are_good_whoever_signed_them},
	{"who is not pinned is not allowed", who_is_not_pinned_is_not_allowed},
	{"faults of a pinned certificate count", faults_of_a_pinned_certificate_count},
	{"a pinned certificate can be denied", a_pinned_certificate_can_be_denied},
	{"what a pinned client sends along is not looked at",
         what_a_pinned_client_sends_along_is_not_looked_at},
	{"names with control bytes are found", names_with_control_bytes_are_found},
	{"revoked leaves are refused, and evidence says by whom",
         revoked_leaves_are_refused_and_evidence_says_by_whom},
	{"hard and soft part where nothing is known", hard_and_soft_part_where_nothing_is_known},
	{"a revoked intermediate gives way to a valid path",
         a_revoked_intermediate_gives_way_to_a_valid_path},
	{"without a path revocation is not evaluated", without_a_path_revocation_is_not_evaluated},
	{"small limits end in limit_exceeded", small_limits_end_in_limit_exceeded},
	{"names compared are counted and bounded", names_compared_are_counted_and_bounded},
	{"CRLs are not asked about a path that cannot win",
         crls_are_not_asked_about_a_path_that_cannot_win},
	{"more faults than are kept are never all tolerable",
         more_faults_than_are_kept_are_never_all_tolerable},
};

int main(void)
{
	int code = unit_run("peer/classify_lists", tests, sizeof(tests) / sizeof(tests[0]));
	crl_pki_release();
	return code;
}
