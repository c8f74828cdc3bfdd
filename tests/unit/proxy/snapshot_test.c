/* Who serves which name on which listener, and lists that are read anew. A certificate is made on the fly: a service needs one to be built. */
#include "proxy/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/x509.h>

#include "base/err.h"
#include "unit.h"

static char folder[] = "/tmp/snapshot-test-XXXXXX";

static void write_file(const char *name, const gnutls_datum_t *content)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	if (f == NULL || fwrite(content->data, 1, content->size, f) != content->size ||
	    fclose(f) != 0) {
		abort();
	}
}

static void remove_file(const char *name)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	unlink(path);
}

static void check(int ret)
{
	if (ret < 0) {
		fprintf(stderr, "%s\n", gnutls_strerror(ret));
		abort();
	}
}

static void make_certificate(void)
{
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	gnutls_datum_t pem;
	check(gnutls_x509_privkey_init(&key));
	check(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
	                                   GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
	check(gnutls_x509_crt_init(&crt));
	check(gnutls_x509_crt_set_version(crt, 3));
	check(gnutls_x509_crt_set_serial(crt, "\x01", 1));
	check(gnutls_x509_crt_set_dn(crt, "CN=server", NULL));
	check(gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600));
	check(gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 90 * 86400));
	check(gnutls_x509_crt_set_key(crt, key));
	check(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0));
	check(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem));
	write_file("s.pem", &pem);
	gnutls_free(pem.data);
	check(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem));
	write_file("s.key", &pem);
	gnutls_free(pem.data);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
}

/* Built once; the certificate is not needed any more afterwards. */
static struct snapshot *snapshot;

#define LISTED \
	"  - name: listed\n    server_names: [listed.example]\n" \
	"    certificates: [{chain: %1$s/s.pem, key: %1$s/s.key}]\n" \
	"    client: {verify: required, trust: pinned, allow: [%1$s/allow]}\n" \
	"    mode: tcp\n    upstream: {servers: [127.0.0.1:9]}\n"

#define REST(name, names, more) \
	"  - name: " name "\n    server_names: " names "\n    " more "\n" \
	"    certificates: [{chain: %1$s/s.pem, key: %1$s/s.key}]\n" \
	"    client: {verify: none}\n    mode: tcp\n    upstream: {servers: [127.0.0.1:9]}\n"

static const char text[] =
	"state: /nonexistent\nnode: n\nlisteners:\n"
	"  - {bind: \"127.0.0.1:1\", services: [exact, wild, other, deep]}\n"
	"  - {bind: \"127.0.0.1:2\", services: [second, fallback]}\n"
	"services:\n" REST("exact", "[api.a.example]", "default: false")
		REST("wild", "[\"*.a.example\"]", "default: false")
			REST("other", "[Plain.Example, 10.example]", "default: false")
				REST("deep", "[\"*.x.a.example\"]", "default: false")
					REST("second", "[api.a.example]", "default: false")
						REST("fallback", "[f.example]", "default: true")
							LISTED;

/* An allow list of one entry, which begins with this digit. */
static void write_allow(char digit)
{
	char line[] = "0000000000000000000000000000000000000000000000000000000000000000\n";
	line[0] = digit;
	write_file("allow", &(gnutls_datum_t){(unsigned char *)line, sizeof(line) - 1});
}

static void build(void)
{
	if (mkdtemp(folder) == NULL) {
		abort();
	}
	make_certificate();
	write_allow('1');
	char config_text[8192];
	int len = snprintf(config_text, sizeof(config_text), text, folder);
	struct diag diag;
	diag_init(&diag);
	struct config *config = NULL;
	int err = config_parse(&config, "test.yaml", config_text, (size_t)len, &diag);
	if (err == E_OK) {
		err = snapshot_build(&snapshot, &config, 7, NULL, &diag);
	}
	if (err != E_OK) {
		diag_print(&diag, stderr);
		abort();
	}
	diag_release(&diag);
	remove_file("s.pem");
	remove_file("s.key");
}

/* The name of who takes it; "-": nobody. */
static const char *taker(size_t listener, struct slice name)
{
	const struct service *service = snapshot_match(snapshot, listener, name);
	return service == NULL ? "-" : service->config->name.text;
}

static void exact_comes_before_wildcard(void)
{
	CU_ASSERT_STRING_EQUAL(taker(0, SLICE("api.a.example")), "exact");
	CU_ASSERT_STRING_EQUAL(taker(0, SLICE("www.a.example")), "wild");
	CU_ASSERT_STRING_EQUAL(taker(0, SLICE("apis.a.example")), "wild");
}

static void a_wildcard_is_one_whole_label(void)
{
	CU_ASSERT_STRING_EQUAL(taker(0, SLICE("a.example")), "-");
	CU_ASSERT_STRING_EQUAL(taker(0, SLICE(".a.example")), "-");
	CU_ASSERT_STRING_EQUAL(taker(0, SLICE("b.c.a.example")), "-");
	CU_ASSERT_STRING_EQUAL(taker(0, SLICE("x.a.example")), "wild");
	CU_ASSERT_STRING_EQUAL(taker(0, SLICE("b.x.a.example")), "deep");
	CU_ASSERT_STRING_EQUAL(taker(0, SLICE("wwwa.example")), "-");
	CU_ASSERT_STRING_EQUAL(taker(0, SLICE("*.a.example")), "-");
	CU_ASSERT_STRING_EQUAL(taker(0, SLICE("a*.a.example")), "-");
	CU_ASSERT_STRING_EQUAL(taker(0, SLICE("www.a.example.")), "-");
	CU_ASSERT_STRING_EQUAL(taker(0, SLICE("www.a.example.com")), "-");
}

static void letter_case_does_not_count(void)
{
	CU_ASSERT_STRING_EQUAL(taker(0, SLICE("API.A.Example")), "exact");
	CU_ASSERT_STRING_EQUAL(taker(0, SLICE("WWW.a.EXAMPLE")), "wild");
	CU_ASSERT_STRING_EQUAL(taker(0, SLICE("plain.example")), "other");
	CU_ASSERT_STRING_EQUAL(taker(0, SLICE("PLAIN.EXAMPLE")), "other");
}

static void each_listener_has_its_own_names(void)
{
	CU_ASSERT_STRING_EQUAL(taker(1, SLICE("api.a.example")), "second");
	CU_ASSERT_STRING_EQUAL(taker(1, SLICE("www.a.example")), "fallback");
	CU_ASSERT_STRING_EQUAL(taker(0, SLICE("f.example")), "-");
}

static void without_a_default_unknown_names_have_no_service(void)
{
	CU_ASSERT_STRING_EQUAL(taker(0, SLICE("")), "-");
	CU_ASSERT_STRING_EQUAL(taker(0, SLICE("unknown.example")), "-");
	CU_ASSERT_STRING_EQUAL(taker(1, SLICE("")), "fallback");
	CU_ASSERT_STRING_EQUAL(taker(1, SLICE("unknown.example")), "fallback");
	CU_ASSERT_STRING_EQUAL(taker(1, SLICE(".")), "fallback");
}

static void a_nul_does_not_end_a_name(void)
{
	CU_ASSERT_STRING_EQUAL(taker(0, SLICE("api.a.example\0")), "-");
	CU_ASSERT_STRING_EQUAL(taker(0, SLICE("api.a.example\0.evil.example")), "-");
	CU_ASSERT_STRING_EQUAL(taker(0, SLICE("evil\0.a.example")), "-");
	CU_ASSERT_STRING_EQUAL(taker(0, SLICE("\0")), "-");
	CU_ASSERT_STRING_EQUAL(taker(1, SLICE("api.a.example\0")), "fallback");
}

/* RFC 1035 3.1: at most 253 characters as text; longer ones must neither match nor overflow anything. */
static void a_name_of_any_length_is_looked_up(void)
{
	char name[2048];
	const char tail[] = ".a.example";
	for (size_t label = 1; label < 1100; label++) {
		memset(name, 'w', label);
		memcpy(name + label, tail, sizeof(tail) - 1);
		size_t len = label + sizeof(tail) - 1;
		/* On the heap, so that a sanitizer sees a byte read too many. */
		char *copy = malloc(len);
		memcpy(copy, name, len);
		const char *who = taker(0, slice_of(copy, len));
		if (len <= 253) {
			CU_ASSERT_STRING_EQUAL(who, "wild");
		} else if (len > 254) {
			CU_ASSERT_STRING_EQUAL(who, "-");
		}
		free(copy);
	}
}

static const struct audit_file *find_file(const struct snapshot *s, const char *kind)
{
	size_t count;
	const struct audit_file *files = snapshot_files(s, &count);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(files[i].kind, kind) == 0) {
			return &files[i];
		}
	}
	return NULL;
}

/* As renew.c does it. */
static int renew(struct snapshot **out, unsigned *errors)
{
	struct crl_store *store;
	struct diag diag;
	diag_init(&diag);
	CU_ASSERT_EQUAL_FATAL(crl_store_new(&store), E_OK);
	int err = snapshot_renew(out, snapshot, 8, store, &diag);
	*errors = (unsigned)diag.errors;
	crl_store_free(&store);
	diag_release(&diag);
	return err;
}

/* What the configuration was made of is in force whatever became of its files: they are gone here. */
static void lists_are_renewed_and_nothing_else_is_read(void)
{
	struct snapshot *renewed = NULL;
	unsigned errors;
	CU_ASSERT_EQUAL(renew(&renewed, &errors), E_END);
	write_allow('2');
	CU_ASSERT_EQUAL_FATAL(renew(&renewed, &errors), E_OK);
	CU_ASSERT_EQUAL(errors, 0);
	CU_ASSERT(snapshot_same_plan(renewed, snapshot));
	CU_ASSERT_EQUAL(snapshot_epoch(renewed), 8);
	CU_ASSERT_NOT_EQUAL(memcmp(snapshot_sha256(renewed), snapshot_sha256(snapshot), 32), 0);
	CU_ASSERT_NOT_EQUAL(memcmp(find_file(renewed, "allow")->sha256,
	                           find_file(snapshot, "allow")->sha256, 32),
	                    0);
	const struct audit_file *certificate = find_file(renewed, "certificate");
	CU_ASSERT_PTR_NOT_NULL_FATAL(certificate);
	CU_ASSERT_EQUAL(memcmp(certificate->sha256, find_file(snapshot, "certificate")->sha256, 32),
	                0);
	CU_ASSERT_STRING_EQUAL(certificate->subject, "CN=server");
	snapshot_unref(&renewed);
	/* The same lists are the same configuration, however it came to be. */
	write_allow('1');
	CU_ASSERT_EQUAL(renew(&renewed, &errors), E_END);
}

static void lists_that_cannot_be_read_change_nothing(void)
{
	struct snapshot *renewed = NULL;
	unsigned errors;
	write_allow('x');
	CU_ASSERT_EQUAL(renew(&renewed, &errors), E_END);
	CU_ASSERT_EQUAL(errors, 1);
	remove_file("allow");
	CU_ASSERT_EQUAL(renew(&renewed, &errors), E_END);
	CU_ASSERT_EQUAL(errors, 1);
}

static void it_outlives_its_maker(void)
{
	struct snapshot *mine = snapshot_ref(snapshot);
	snapshot_unref(&snapshot);
	CU_ASSERT_PTR_NULL(snapshot);
	CU_ASSERT_EQUAL(snapshot_epoch(mine), 7);
	CU_ASSERT_PTR_NOT_NULL(snapshot_match(mine, 0, SLICE("api.a.example")));
	snapshot_unref(&mine);
	CU_ASSERT_PTR_NULL(mine);
}

static const struct unit_test tests[] = {
	{"an exact name comes before a wildcard", exact_comes_before_wildcard},
	{"a wildcard stands for one whole label", a_wildcard_is_one_whole_label},
	{"letter case does not count", letter_case_does_not_count},
	{"each listener has its own names", each_listener_has_its_own_names},
	{"without a default unknown names have no service",
         without_a_default_unknown_names_have_no_service},
	{"a NUL does not end a name", a_nul_does_not_end_a_name},
	{"a name of any length is looked up", a_name_of_any_length_is_looked_up},
	{"lists are renewed, and nothing else is read", lists_are_renewed_and_nothing_else_is_read},
	{"lists that cannot be read change nothing", lists_that_cannot_be_read_change_nothing},
	{"a snapshot outlives its maker", it_outlives_its_maker},
};

int main(void)
{
	build();
	int status = unit_run("proxy/snapshot", tests, sizeof(tests) / sizeof(tests[0]));
	remove_file("allow");
	rmdir(folder);
	return status;
}
