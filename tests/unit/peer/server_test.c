/* Servers of an upstream, judged: what differs from clients. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "peer/classify.h"
#include "pki.h"
#include "unit.h"

#define CERTS(...) ((const struct pki_cert *const[]){__VA_ARGS__, NULL})
#define NAME "backend.example"

static const struct pki_cert *server_with(struct pki_spec spec)
{
	spec.subject = spec.subject == NULL ? "CN=server" : spec.subject;
	spec.issuer = spec.issuer == NULL ? pki_intermediate() : spec.issuer;
	spec.key = spec.key == 0 ? PKI_P256_D : spec.key;
	if (spec.dns[0] == NULL && spec.extensions[0].oid == NULL) {
		spec.dns[0] = NAME;
	}
	if (spec.purposes[0] == NULL) {
		spec.purposes[0] = GNUTLS_KP_TLS_WWW_SERVER;
	}
	return pki_make(&spec);
}

/* The primary finding, and how many there are. */
static void expect_for(const struct trust *trust, const struct pki_cert *const *certs,
                       enum peer_class class, unsigned code, size_t findings)
{
	struct verdict *verdict = pki_judge_certs(trust, certs, PKI_NOW);
	if (verdict->class != class || verdict->finding_count != findings) {
		printf("\n    got %s, %zu findings", peer_class_row(verdict->class)->name,
		       verdict->finding_count);
	}
	CU_ASSERT_EQUAL(verdict->class, class);
	CU_ASSERT_EQUAL(verdict->code, code);
	CU_ASSERT_EQUAL(verdict->depth, 0);
	CU_ASSERT_EQUAL(verdict->finding_count, findings);
	verdict_unref(&verdict);
}

static void expect(const char *name, const struct pki_cert *leaf, enum peer_class class,
                   unsigned code)
{
	struct trust *trust = pki_server_trust(CERTS(pki_root()), name);
	expect_for(trust, CERTS(leaf, pki_intermediate()), class, code, class == CLASS_OK ? 0 : 1);
	trust_free(&trust);
}

static void a_server_of_the_name_is_ok(void)
{
	expect(NAME, server_with((struct pki_spec){0}), CLASS_OK, 0);
	expect("Backend.Example.", server_with((struct pki_spec){0}), CLASS_OK, 0);
	expect("a.backend.example",
	       server_with((struct pki_spec){.dns = {"b.example", "*.backend.example"}}), CLASS_OK,
	       0);
}

static struct pki_extension address_name(struct slice bytes)
{
	return (struct pki_extension){"2.5.29.17", pki_tlv(0x30, pki_tlv(0x87, bytes)), false};
}

static void a_server_of_the_address_is_ok(void)
{
	static const uint8_t v6[16] = {[15] = 1};
	const struct pki_cert *four = server_with(
		(struct pki_spec){.extensions = {address_name(SLICE("\x7f\x00\x00\x01"))}});
	const struct pki_cert *six =
		server_with((struct pki_spec){.extensions = {address_name(slice_of(v6, 16))}});
	expect("127.0.0.1", four, CLASS_OK, 0);
	expect("127.0.0.2", four, CLASS_WRONG_NAME, 62);
	expect("::1", six, CLASS_OK, 0);
	expect("::2", six, CLASS_WRONG_NAME, 62);
	expect("127.0.0.1", server_with((struct pki_spec){.dns = {"127.0.0.1"}}), CLASS_WRONG_NAME,
	       62);
}

static void another_name_is_a_finding(void)
{
	expect(NAME, server_with((struct pki_spec){.dns = {"other.example"}}), CLASS_WRONG_NAME, 62);
	expect(NAME, server_with((struct pki_spec){.dns = {"*.backend.example"}}), CLASS_WRONG_NAME,
	       62);
	expect("a.b.backend.example", server_with((struct pki_spec){.dns = {"*.backend.example"}}),
	       CLASS_WRONG_NAME, 62);
}

/* RFC 9525 6.1 */
static void a_common_name_is_no_name(void)
{
	const struct pki_cert *leaf = pki_make(&(struct pki_spec){
		.subject = "CN=" NAME,
		.key = PKI_P256_D,
		.issuer = pki_intermediate(),
		.purposes = {GNUTLS_KP_TLS_WWW_SERVER},
	});
	expect(NAME, leaf, CLASS_WRONG_NAME, 62);
	expect(NAME, server_with((struct pki_spec){.subject = "CN=" NAME, .dns = {"other.example"}}),
	       CLASS_WRONG_NAME, 62);
}

/* RFC 5280 4.2.1.12 */
static void a_certificate_for_clients_is_for_the_wrong_purpose(void)
{
	expect(NAME, server_with((struct pki_spec){.purposes = {GNUTLS_KP_TLS_WWW_CLIENT}}),
	       CLASS_WRONG_PURPOSE, 26);
	expect(NAME, server_with((struct pki_spec){.purposes = {GNUTLS_KP_EMAIL_PROTECTION}}),
	       CLASS_WRONG_PURPOSE, 26);
	expect(NAME,
	       server_with((struct pki_spec){
		       .purposes = {GNUTLS_KP_TLS_WWW_CLIENT, GNUTLS_KP_TLS_WWW_SERVER}}),
	       CLASS_OK, 0);
	expect(NAME, server_with((struct pki_spec){.purposes = {GNUTLS_KP_ANY}}), CLASS_OK, 0);
	/* Without the extension there is no restriction, as for clients. */
	expect(NAME,
	       pki_make(&(struct pki_spec){.subject = "CN=server",
	                                   .key = PKI_P256_D,
	                                   .issuer = pki_intermediate(),
	                                   .dns = {NAME}}),
	       CLASS_OK, 0);
}

static void a_certificate_for_servers_is_none_for_clients(void)
{
	struct trust *trust = pki_trust(&(struct pki_trust_spec){
		.anchors = {pki_root()}, .profile = PROFILE_MEDIUM, .max_depth = 4});
	expect_for(trust, CERTS(server_with((struct pki_spec){0}), pki_intermediate()),
	           CLASS_WRONG_PURPOSE, 26, 1);
	trust_free(&trust);
}

static void the_usual_faults_are_found(void)
{
	expect(NAME, server_with((struct pki_spec){.not_after = PKI_NOW - PKI_DAY}), CLASS_EXPIRED,
	       10);
	expect(NAME, server_with((struct pki_spec){.not_before = PKI_NOW + PKI_DAY}),
	       CLASS_NOT_YET_VALID, 9);
	expect(NAME, server_with((struct pki_spec){.wrong_signature = true}), CLASS_BAD_SIGNATURE,
	       7);
	/* Profile medium, whatever services have. */
	expect(NAME, server_with((struct pki_spec){.key = PKI_RSA1024}), CLASS_WEAK_ALGORITHM, 1006);

	struct trust *trust = pki_server_trust(CERTS(pki_root()), NAME);
	const struct pki_cert *stranger = pki_make(
		&(struct pki_spec){.subject = "CN=Stranger", .key = PKI_P256_A, .ca = true});
	expect_for(trust, CERTS(server_with((struct pki_spec){.issuer = stranger})),
	           CLASS_UNKNOWN_ISSUER, 20, 1);
	struct pki_spec own = {.subject = "CN=server",
	                       .key = PKI_P256_D,
	                       .dns = {NAME},
	                       .purposes = {GNUTLS_KP_TLS_WWW_SERVER}};
	expect_for(trust, CERTS(pki_make(&own)), CLASS_SELF_SIGNED, 18, 1);
	/* All at once: the gravest first. */
	own.dns[0] = "other.example";
	own.purposes[0] = GNUTLS_KP_TLS_WWW_CLIENT;
	own.not_after = PKI_NOW - PKI_DAY;
	expect_for(trust, CERTS(pki_make(&own)), CLASS_SELF_SIGNED, 18, 4);
	trust_free(&trust);
}

static void a_self_signed_certificate_in_the_trusted_file_is_ok_for_its_name(void)
{
	const struct pki_cert *own =
		pki_make(&(struct pki_spec){.subject = "CN=server",
	                                    .key = PKI_P256_D,
	                                    .dns = {NAME},
	                                    .purposes = {GNUTLS_KP_TLS_WWW_SERVER}});
	struct trust *trust = pki_server_trust(CERTS(own), NAME);
	expect_for(trust, CERTS(own), CLASS_OK, 0, 0);
	trust_free(&trust);
	trust = pki_server_trust(CERTS(own), "other.example");
	expect_for(trust, CERTS(own), CLASS_WRONG_NAME, 62, 1);
	trust_free(&trust);
}

/* ca, cas below it, and a leaf: 4 intermediates are the most */
static void chains_have_four_intermediates_at_most(void)
{
	struct trust *trust = pki_server_trust(CERTS(pki_root()), NAME);
	const struct pki_cert *chain[8] = {0};
	const struct pki_cert *issuer = pki_root();
	for (int depth = 1; depth <= 5; depth++) {
		char subject[32];
		snprintf(subject, sizeof(subject), "CN=Sub %d", depth);
		issuer = pki_make(&(struct pki_spec){
			.subject = subject, .key = PKI_P256_B, .issuer = issuer, .ca = true});
		chain[6 - depth] = issuer;
		if (depth >= 4) {
			const struct pki_cert *certs[8] = {
				server_with((struct pki_spec){.issuer = issuer})};
			memcpy(certs + 1, chain + 6 - depth, (size_t)depth * sizeof(certs[0]));
			struct verdict *verdict = pki_judge_certs(trust, certs, PKI_NOW);
			CU_ASSERT_EQUAL(verdict->class,
			                depth == 4 ? CLASS_OK : CLASS_CHAIN_TOO_LONG);
			verdict_unref(&verdict);
		}
	}
	trust_free(&trust);
}

static void verify_none_checks_nothing(void)
{
	struct trust *trust = pki_server_trust(CERTS(NULL), NAME);
	CU_ASSERT_EQUAL(trust_anchor_count(trust), 0);
	const struct pki_cert *stranger =
		pki_make(&(struct pki_spec){.subject = "CN=Stranger", .key = PKI_P256_A});
	expect_for(trust, CERTS(stranger), CLASS_NOT_CHECKED, 1010, 0);
	trust_free(&trust);
	trust = pki_server_trust(CERTS(NULL), NULL);
	expect_for(trust, CERTS(stranger), CLASS_NOT_CHECKED, 1010, 0);
	trust_free(&trust);
}

/* The last one differs by direction alone: same file, purpose, profile and depth. */
static void each_name_and_direction_has_its_own_id(void)
{
	static const char *const names[] = {"a.example",   "b.example", "192.0.2.1",
	                                    "2001:db8::1", "192.0.2.2", "aa.example"};
	enum { NAMES = sizeof(names) / sizeof(names[0]), COUNT = NAMES + 2 };
	struct trust *trusts[COUNT];
	for (size_t i = 0; i < NAMES; i++) {
		trusts[i] = pki_server_trust(CERTS(pki_root()), names[i]);
	}
	trusts[NAMES] = pki_server_trust(CERTS(NULL), NULL);
	trusts[NAMES + 1] = pki_trust(&(struct pki_trust_spec){.anchors = {pki_root()},
	                                                       .purpose = "1.3.6.1.5.5.7.3.1",
	                                                       .profile = PROFILE_MEDIUM,
	                                                       .max_depth = 4});
	for (size_t i = 0; i < COUNT; i++) {
		for (size_t k = 0; k < i; k++) {
			CU_ASSERT_NOT_EQUAL(memcmp(trust_id(trusts[i]), trust_id(trusts[k]), 32), 0);
		}
	}
	for (size_t i = 0; i < COUNT; i++) {
		trust_free(&trusts[i]);
	}
}

static void what_cannot_verify_anybody_is_refused(void)
{
	char *path = pki_file(pki_pem(pki_root()->der));
	char wrong[] = "/tmp/tlscribe-no-such-file";
	struct config_text files[] = {{path, {7, 3}}, {wrong, {8, 3}}};
	char server_name[] = "given";
	static const struct {
		enum upstream_verify verify;
		size_t files;
		bool given; /* the name is tls.server_name, at 9:3 */
		const char *name;
		unsigned errors;
		unsigned line;
		const char *words;
	} rows[] = {
		{UPSTREAM_VERIFY_REQUIRED, 1, false, NAME, 0, 0, NULL},
		{UPSTREAM_VERIFY_REQUIRED, 0, false, NAME, 1, 6, "needs tls.ca"},
		{UPSTREAM_VERIFY_REQUIRED, 1, false, NULL, 1, 6, "server_name is needed"},
		{UPSTREAM_VERIFY_REQUIRED, 1, true, "*.example", 1, 9, "\"*.example\" is no name"},
		{UPSTREAM_VERIFY_REQUIRED, 1, false, "a b", 1, 6, "is no name"},
		{UPSTREAM_VERIFY_REQUIRED, 2, false, NAME, 1, 8, "no-such-file"},
		{UPSTREAM_VERIFY_REQUIRED, 2, true, "a b", 2, 8, "no-such-file"},
		{UPSTREAM_VERIFY_NONE, 2, false, NULL, 0, 0, NULL},
		{UPSTREAM_VERIFY_NONE, 0, true, "a b", 1, 9, "is no name"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config_upstream_tls config = {
			.at = {6, 1},
			.verify = rows[i].verify,
			.ca = {files, rows[i].files, {7, 1}},
			.server_name = {rows[i].given ? server_name : NULL, {9, 3}},
		};
		struct diag diag;
		diag_init(&diag);
		struct trust *trust = NULL;
		int err = trust_new_server(&trust, &config, rows[i].name, "conf.yaml", &diag);
		CU_ASSERT_EQUAL(err, rows[i].errors == 0 ? E_OK : E_INVALID);
		CU_ASSERT_EQUAL(trust != NULL, rows[i].errors == 0);
		CU_ASSERT_EQUAL(diag.errors, rows[i].errors);
		if (diag.errors > 0 && rows[i].errors > 0) {
			CU_ASSERT_EQUAL(diag.first->at.line, rows[i].line);
			CU_ASSERT_PTR_NOT_NULL(strstr(diag.first->text, rows[i].words));
		}
		diag_release(&diag);
		trust_free(&trust);
	}
}

static const struct unit_test tests[] = {
	{"a server of the name is ok", a_server_of_the_name_is_ok},
	{"a server of the address is ok", a_server_of_the_address_is_ok},
	{"another name is a finding", another_name_is_a_finding},
	{"a common name is no name", a_common_name_is_no_name},
	{"a certificate for clients is for the wrong purpose",
         a_certificate_for_clients_is_for_the_wrong_purpose},
	{"a certificate for servers is none for clients",
         a_certificate_for_servers_is_none_for_clients},
	{"the usual faults are found", the_usual_faults_are_found},
	{"a self-signed certificate in the trusted file is ok for its name",
         a_self_signed_certificate_in_the_trusted_file_is_ok_for_its_name},
	{"chains have four intermediates at most", chains_have_four_intermediates_at_most},
	{"verify none checks nothing", verify_none_checks_nothing},
	{"each name and direction has its own id", each_name_and_direction_has_its_own_id},
	{"what cannot verify anybody is refused", what_cannot_verify_anybody_is_refused},
};

int main(void)
{
	int code = unit_run("peer/server", tests, sizeof(tests) / sizeof(tests[0]));
	pki_release();
	return code;
}
