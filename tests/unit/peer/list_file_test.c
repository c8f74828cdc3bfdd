#include "peer/list_file.h"

#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "pki.h"
#include "unit.h"

static struct chain *chains[8];
static size_t chain_count;

/* A certificate, parsed; lives until the end. */
static const struct cert *read_cert(struct slice der)
{
	struct chain **chain = &chains[chain_count++];
	if (chain_new(chain, &der, 1) != E_OK || chain_parse(*chain) != E_OK) {
		exit(99);
	}
	return &(*chain)->certs[0];
}

static const struct cert *leaf(void)
{
	static const struct cert *cert;
	cert = cert != NULL ? cert : read_cert(pki_leaf()->der);
	return cert;
}

static const struct cert *other(void)
{
	static const struct cert *cert;
	cert = cert != NULL ? cert : read_cert(pki_intermediate()->der);
	return cert;
}

static struct slice text(const char *text)
{
	return pki_keep(slice_text(text));
}

/* Hexadecimal digits, `between` after each byte but the last. */
static struct slice hex(struct slice bytes, bool upper, const char *between)
{
	struct slice out = SLICE("");
	for (size_t i = 0; i < bytes.len; i++) {
		char digits[16];
		snprintf(digits, sizeof(digits), upper ? "%02X%s" : "%02x%s", bytes.data[i],
		         i + 1 < bytes.len ? between : "");
		out = pki_join(out, text(digits));
	}
	return out;
}

static struct slice base64(struct slice bytes)
{
	gnutls_datum_t in = {(unsigned char *)bytes.data, (unsigned)bytes.len};
	gnutls_datum_t out;
	if (gnutls_base64_encode2(&in, &out) < 0) {
		exit(99);
	}
	struct slice kept = pki_keep(slice_of(out.data, out.size));
	gnutls_free(out.data);
	return kept;
}

static struct slice line(const char *before, struct slice middle, const char *after)
{
	return pki_join(text(before), pki_join(middle, text(after)));
}

static struct list_file *load(struct slice content, enum list_use use, struct diag *diag)
{
	struct config_text path = {pki_file(content), {7, 3}};
	struct list_file *list = NULL;
	diag_init(diag);
	int err = list_file_read(&list, &path, use, "conf.yaml", diag);
	CU_ASSERT_EQUAL(err == E_OK, diag->errors == 0);
	CU_ASSERT(err == E_OK || err == E_INVALID);
	CU_ASSERT_EQUAL(err == E_OK, list != NULL);
	return list;
}

/* What found it; NULL: nothing did. Nobody else is on the list. */
static const char *finds(struct slice content, enum list_use use, const struct cert *cert,
                         bool proven)
{
	struct diag diag;
	struct list_file *list = load(content, use, &diag);
	const char *what = NULL;
	if (list == NULL) {
		diag_print(&diag, stdout);
		CU_FAIL("a list that should be good was refused");
	} else {
		bool found = list_file_find(list, cert, proven, &what);
		CU_ASSERT_EQUAL(found, what != NULL);
		const char *nothing;
		const struct cert *stranger = cert == leaf() ? other() : leaf();
		CU_ASSERT_FALSE(list_file_find(list, stranger, true, &nothing));
	}
	list_file_free(&list);
	diag_release(&diag);
	return what;
}

static struct slice sha256(void)
{
	return slice_of(leaf()->sha256, 32);
}

static struct slice sha1(void)
{
	return slice_of(leaf()->sha1, 20);
}

static struct slice spki(void)
{
	return slice_of(leaf()->spki_sha256, 32);
}

static void every_spelling_of_a_fingerprint_is_the_same(void)
{
	static const enum list_use uses[] = {LIST_ALLOW, LIST_DENY, LIST_PINNED};
	static const char kind[] = "SHA-256 fingerprint";
	const struct slice lines[] = {
		hex(sha256(), true, ""),
		hex(sha256(), false, ""),
		hex(sha256(), true, ":"),
		hex(sha256(), false, " "),
		hex(sha256(), true, ": \t"),
		line("sha256 ", hex(sha256(), true, ""), ""),
		line("SHA256\t", hex(sha256(), false, ":"), "\r"),
		line("sha256 Fingerprint=", hex(sha256(), true, ":"), "\n"), /* as openssl prints it */
		line("  ", hex(sha256(), true, ":"), "  # a comment\r\n"),
		line("# first\n\n  \t \n", hex(sha256(), true, ""), "#x\n\n# last"),
		line("\xef\xbb\xbf", hex(sha256(), true, ""), "\r\n"),
		pki_pem(pki_leaf()->der),
		line("# PEM\n", pki_pem(pki_leaf()->der), "# end"),
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		for (size_t k = 0; k < 3; k++) {
			const char *what = finds(lines[i], uses[k], leaf(), false);
			CU_ASSERT_PTR_NOT_NULL_FATAL(what);
			CU_ASSERT_STRING_EQUAL(what, kind);
		}
	}
}

static void public_keys_are_listed_in_hexadecimal_and_in_base64(void)
{
	const struct slice lines[] = {
		line("spki ", hex(spki(), true, ":"), ""),
		line("spki ", hex(spki(), false, ""), " # a key"),
		line("SPKI ", base64(spki()), ""),
		line("spki   ", base64(spki()), "\t# RFC 7469 2.4\r\n"),
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const char *what = finds(lines[i], LIST_ALLOW, leaf(), false);
		CU_ASSERT_PTR_NOT_NULL_FATAL(what);
		CU_ASSERT_STRING_EQUAL(what, "public key");
	}
	/* Another certificate of the same key is found, too. */
	struct pki_spec spec = {.subject = "CN=renewed", .key = PKI_P256_C};
	const struct cert *renewed = read_cert(pki_make(&spec)->der);
	struct diag diag;
	struct list_file *list = load(lines[0], LIST_DENY, &diag);
	const char *what;
	CU_ASSERT_TRUE(list_file_find(list, renewed, false, &what));
	list_file_free(&list);
	diag_release(&diag);
}

static void serial_and_issuer_are_found_however_they_are_spelt(void)
{
	struct slice serial = leaf()->serial;
	CU_ASSERT_EQUAL_FATAL(serial.data[0], 0x0a);
	struct slice short_serial = hex(serial, true, "");
	short_serial = slice_of(short_serial.data + 1, short_serial.len - 1);
	const struct slice lines[] = {
		line("serial ", hex(serial, true, ""), " issuer CN=Intermediate,O=Test"),
		line("serial ", hex(serial, false, ":"), " issuer CN=Intermediate,O=Test\r\n"),
		line("Serial ", short_serial, " Issuer CN=Intermediate,O=Test"),
		line("serial 00:00:", hex(serial, true, ":"), " issuer CN=Intermediate,O=Test"),
		line("serial ", hex(serial, true, " "), "  issuer   cn=intermediate , o=TEST  "),
		line("serial ", hex(serial, true, ""), " issuer CN = Intermediate, O = Test"),
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const char *what = finds(lines[i], LIST_ALLOW, leaf(), true);
		CU_ASSERT_PTR_NOT_NULL_FATAL(what);
		CU_ASSERT_STRING_EQUAL(what, "serial number and issuer");
		/* Anybody can write both into a certificate. */
		CU_ASSERT_PTR_NULL(finds(lines[i], LIST_ALLOW, leaf(), false));
	}
	const struct slice others[] = {
		line("serial 01", hex(serial, true, ""), " issuer CN=Intermediate,O=Test"),
		line("serial ", hex(serial, true, ""), "00 issuer CN=Intermediate,O=Test"),
		line("serial ", hex(serial, true, ""), " issuer CN=Intermediate,O=Tes"),
		line("serial ", hex(serial, true, ""), " issuer CN=Inter mediate,O=Test"),
		line("serial ", hex(serial, true, ""), " issuer O=Test,CN=Intermediate"),
		line("serial ", hex(serial, true, ""), " issuer CN=Intermediate\\,O=Test"),
		line("serial ", hex(serial, true, ""), " issuer CN=Intermediate,O=Test # x"),
	};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		CU_ASSERT_PTR_NULL(finds(others[i], LIST_DENY, leaf(), true));
	}
}

static void separators_within_an_issuers_values_are_kept(void)
{
	struct pki_spec ca_spec = {
		.subject = "CN=A\\, B\\+C #1\\ ,O=x = y", .key = PKI_P256_A, .ca = true};
	struct pki_spec spec = {.subject = "CN=c", .key = PKI_P256_C, .issuer = pki_make(&ca_spec)};
	const struct cert *cert = read_cert(pki_make(&spec)->der);
	CU_ASSERT(slice_equal(cert->issuer.text, SLICE("CN=A\\, B\\+C #1\\ ,O=x = y")));
	const struct slice both[] = {
		line("serial ", hex(cert->serial, true, ""), " issuer CN=A\\, B\\+C #1\\ ,O=x = y"),
		line("serial ", hex(cert->serial, true, ""),
	             " issuer CN = A\\, B\\+C #1\\   , O= x = y"),
	};
	CU_ASSERT_PTR_NOT_NULL(finds(both[0], LIST_DENY, cert, true));
	CU_ASSERT_PTR_NOT_NULL(finds(both[1], LIST_DENY, cert, true));
	CU_ASSERT_PTR_NULL(finds(
		line("serial ", hex(cert->serial, true, ""), " issuer CN=A\\,B\\+C #1\\ ,O=x = y"),
		LIST_DENY, cert, true));
}

static void sha1_is_for_deny_lists(void)
{
	struct slice entry = line("sha1 ", hex(sha1(), true, ":"), "");
	const char *what = finds(entry, LIST_DENY, leaf(), false);
	CU_ASSERT_PTR_NOT_NULL_FATAL(what);
	CU_ASSERT_STRING_EQUAL(what, "SHA-1 fingerprint");
	entry = line("SHA1 Fingerprint=", hex(sha1(), true, ":"), "");
	CU_ASSERT_PTR_NOT_NULL(finds(entry, LIST_DENY, leaf(), false));
	static const enum list_use others[] = {LIST_ALLOW, LIST_PINNED};
	for (size_t i = 0; i < 2; i++) {
		struct diag diag;
		CU_ASSERT_PTR_NULL(load(entry, others[i], &diag));
		CU_ASSERT_EQUAL(diag.errors, 1);
		CU_ASSERT_PTR_NOT_NULL(strstr(diag.first->text, "deny lists alone"));
		diag_release(&diag);
	}
}

static void malformed_certificates_are_known_by_their_fingerprint(void)
{
	const struct cert *garbage = read_cert(SLICE("garbage"));
	CU_ASSERT_FALSE(garbage->parsed);
	CU_ASSERT_PTR_NOT_NULL(
		finds(hex(slice_of(garbage->sha256, 32), true, ""), LIST_DENY, garbage, true));
	/* Its key and serial were not read, and are not found as zeros. */
	static const uint8_t zeros[32];
	struct slice entry =
		line("spki ", hex(slice_of(zeros, 32), true, ""), "\nserial 0 issuer x");
	CU_ASSERT_PTR_NULL(finds(entry, LIST_DENY, garbage, true));
}

/* One wrong line, the third, is told of at its place and with these words. */
static void wrong(enum list_use use, struct slice bad, const char *words)
{
	struct slice good = line("# a comment\n", hex(sha256(), true, ""), "\n");
	struct diag diag;
	struct list_file *list = load(pki_join(pki_join(good, bad), SLICE("\n# end\n")), use, &diag);
	CU_ASSERT_PTR_NULL(list);
	CU_ASSERT_EQUAL(diag.errors, 1);
	if (diag.first != NULL) {
		bool said = strstr(diag.first->text, words) != NULL;
		CU_ASSERT_TRUE(said);
		CU_ASSERT_EQUAL(diag.first->at.line, 3);
		CU_ASSERT_EQUAL(strncmp(diag.first->file, "/tmp/tlscribe-test-", 19), 0);
		if (!said) {
			printf("\n    %s", diag.first->text);
		}
	}
	diag_release(&diag);
	list_file_free(&list);
}

static void wrong_lines_are_refused_where_they_stand(void)
{
	struct slice fingerprint = hex(sha256(), true, "");
	static const char neither[] = "neither a SHA-256";
	wrong(LIST_DENY, slice_of(fingerprint.data, 63), neither);
	wrong(LIST_DENY, pki_join(fingerprint, SLICE("0")), neither);
	wrong(LIST_DENY, pki_join(fingerprint, SLICE("00")), neither);
	wrong(LIST_DENY, pki_join(SLICE("0x"), fingerprint), neither);
	wrong(LIST_DENY, hex(sha256(), true, "-"), neither);
	wrong(LIST_DENY, hex(sha1(), true, ""), neither);
	wrong(LIST_DENY, SLICE("md5 00"), neither);
	wrong(LIST_DENY, SLICE("sha256"), neither);
	wrong(LIST_DENY, pki_join(SLICE("sha256"), fingerprint), neither);
	wrong(LIST_DENY, base64(spki()), neither);
	wrong(LIST_DENY, SLICE("a\0b"), neither);
	wrong(LIST_DENY, SLICE("\xff\xfe"), neither);
	wrong(LIST_DENY, SLICE("sha256 12"), "sha256 takes 64");
	wrong(LIST_DENY, SLICE("sha256 Fingerprint="), "sha256 takes 64");
	wrong(LIST_DENY, pki_join(SLICE("sha1 "), fingerprint), "sha1 takes 40");
	wrong(LIST_DENY, SLICE("spki 00"), "spki takes");
	/* RFC 4648 3.5: the last two bits stand for nothing, and are zero */
	static const uint8_t zeros[32];
	struct slice encoded = base64(slice_of(zeros, 32));
	CU_ASSERT_EQUAL(encoded.len, 44);
	struct slice changed = pki_keep(encoded);
	((uint8_t *)changed.data)[42] = 'B';
	wrong(LIST_DENY, pki_join(SLICE("spki "), changed), "spki takes");
	((uint8_t *)changed.data)[42] = '=';
	wrong(LIST_DENY, pki_join(SLICE("spki "), changed), "spki takes");
	wrong(LIST_DENY, pki_join(SLICE("spki "), slice_of(encoded.data, 43)), "spki takes");
	static const char *const serials[] = {
		"serial",
		"serial 12",
		"serial issuer CN=x",
		"serial 12 issuer",
		"serial 12 CN=x",
		"serial 12issuer CN=x",
		"serial 1g issuer CN=x",
		"serial 12 issuerCN=x",
	};
	for (size_t i = 0; i < sizeof(serials) / sizeof(serials[0]); i++) {
		wrong(LIST_DENY, text(serials[i]), i == 0 ? neither : "is written: serial 0A1B");
	}
	static const uint8_t huge[65] = {1};
	wrong(LIST_DENY, line("serial ", hex(slice_of(huge, 65), true, ""), " issuer CN=x"),
	      "is written: serial 0A1B");
	wrong(LIST_PINNED, SLICE("serial 12 issuer CN=x"), "anybody can write one");
}

static void wrong_pem_is_refused_where_it_begins(void)
{
	struct slice pem = pki_pem(pki_leaf()->der);
	wrong(LIST_ALLOW, slice_of(pem.data, pem.len - 30), "has no end");
	wrong(LIST_ALLOW, pki_join(slice_of(pem.data, pem.len - 30), pki_join(SLICE("\n"), pem)),
	      "has no end");
	wrong(LIST_ALLOW, SLICE("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"),
	      "cannot be parsed");
	wrong(LIST_ALLOW, SLICE("-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----"),
	      "cannot be parsed");
	wrong(LIST_ALLOW, SLICE("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"),
	      "only CERTIFICATE");
}

static void many_wrong_lines_are_not_all_told(void)
{
	char *lines = malloc(200000);
	CU_ASSERT_PTR_NOT_NULL_FATAL(lines);
	for (size_t i = 0; i < 100000; i++) {
		memcpy(lines + 2 * i, "x\n", 2);
	}
	struct diag diag;
	CU_ASSERT_PTR_NULL(load(slice_of(lines, 200000), LIST_DENY, &diag));
	CU_ASSERT_EQUAL(diag.errors, LIST_FILE_ERRORS_MAX + 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(diag.last->text, "and more"));
	CU_ASSERT_EQUAL(diag.last->at.line, LIST_FILE_ERRORS_MAX + 1);
	diag_release(&diag);
	free(lines);
}

static void files_that_cannot_be_read_are_refused_where_they_are_named(void)
{
	static char *const paths[] = {(char *)"/tmp/tlscribe-no-such-list", (char *)"/tmp"};
	for (size_t i = 0; i < 2; i++) {
		struct config_text path = {paths[i], {7, 3}};
		struct list_file *list;
		struct diag diag;
		diag_init(&diag);
		CU_ASSERT_EQUAL(list_file_read(&list, &path, LIST_DENY, "conf.yaml", &diag),
		                E_INVALID);
		CU_ASSERT_EQUAL_FATAL(diag.errors, 1);
		CU_ASSERT_STRING_EQUAL(diag.first->file, "conf.yaml");
		CU_ASSERT_EQUAL(diag.first->at.line, 7);
		CU_ASSERT_PTR_NOT_NULL(strstr(diag.first->text, paths[i]));
		diag_release(&diag);
	}
}

static void a_fifo_is_refused_and_not_waited_for(void)
{
	char *fifo = pki_file(SLICE(""));
	CU_ASSERT_EQUAL_FATAL(unlink(fifo), 0);
	CU_ASSERT_EQUAL_FATAL(mkfifo(fifo, 0600), 0);
	struct config_text path = {fifo, {7, 3}};
	struct list_file *list;
	struct diag diag;
	diag_init(&diag);
	alarm(30); /* who waits for a writer waits for ever */
	CU_ASSERT_EQUAL(list_file_read(&list, &path, LIST_DENY, "conf.yaml", &diag), E_INVALID);
	alarm(0);
	CU_ASSERT_EQUAL_FATAL(diag.errors, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(diag.first->text, "it is no regular file"));
	diag_release(&diag);
}

/* The file is good, and this is said of it at the place where it is named; NULL: nothing. */
static void warns(struct slice content, enum list_use use, const char *words)
{
	struct diag diag;
	struct list_file *list = load(content, use, &diag);
	CU_ASSERT_PTR_NOT_NULL(list);
	CU_ASSERT_EQUAL(diag.warnings, words == NULL ? 0 : 1);
	if (words != NULL && diag.first != NULL) {
		CU_ASSERT_PTR_NOT_NULL(strstr(diag.first->text, words));
		CU_ASSERT_EQUAL(diag.first->at.line, 7);
	}
	list_file_free(&list);
	CU_ASSERT_PTR_NULL(list);
	list_file_free(&list);
	diag_release(&diag);
}

static void operators_are_warned_of_lists_that_surprise(void)
{
	warns(SLICE(""), LIST_ALLOW, "is empty");
	warns(SLICE("# nobody\n"), LIST_PINNED, "is empty");
	warns(SLICE(""), LIST_DENY, NULL);
	warns(hex(sha256(), true, ""), LIST_PINNED, NULL);
	/* A key is proven in the handshake; the names around it are not. */
	struct slice key = line("spki ", base64(spki()), "");
	warns(key, LIST_PINNED, "trusts a key");
	warns(key, LIST_ALLOW, NULL);
	warns(SLICE("serial 12 issuer CN=x#1"), LIST_DENY, NULL);
}

static void all_of_a_large_list_are_found(void)
{
	enum { COUNT = 20000 };
	char *lines = malloc(COUNT * 65 + 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(lines);
	for (unsigned i = 0; i < COUNT; i++) {
		/* In no order. */
		uint32_t key = i * 2654435761U;
		snprintf(lines + (size_t)i * 65, 66, "%08X%056X\n", key, i);
	}
	struct slice content = slice_of(lines, COUNT * 65);
	struct diag diag;
	struct list_file *list = load(content, LIST_DENY, &diag);
	CU_ASSERT_PTR_NOT_NULL_FATAL(list);
	CU_ASSERT_EQUAL(list_file_entries(list), COUNT);
	uint8_t expected[32];
	gnutls_hash_fast(GNUTLS_DIG_SHA256, content.data, content.len, expected);
	CU_ASSERT_EQUAL(memcmp(list_file_sha256(list), expected, 32), 0);
	unsigned found = 0;
	for (unsigned i = 0; i < COUNT + 1000; i++) {
		uint32_t key = i * 2654435761U;
		struct cert cert = {.parsed = false};
		const uint8_t head[] = {(uint8_t)(key >> 24), (uint8_t)(key >> 16),
		                        (uint8_t)(key >> 8), (uint8_t)key};
		const uint8_t tail[] = {(uint8_t)(i >> 8), (uint8_t)i};
		memcpy(cert.sha256, head, 4);
		memcpy(cert.sha256 + 30, tail, 2);
		const char *what;
		found += list_file_find(list, &cert, false, &what) ? 1 : 0;
	}
	CU_ASSERT_EQUAL(found, COUNT);
	list_file_free(&list);
	diag_release(&diag);
	free(lines);
}

/* Whoever writes one names an issuer that nobody has, and the entry finds nobody. */
static void a_comment_behind_an_issuer_is_told_of_once(void)
{
	struct diag diag;
	struct list_file *list = load(SLICE("serial 12 issuer CN=x\n"
	                                    "serial 13 issuer CN=x # stolen\n"
	                                    "serial 14 issuer CN=x # too\n"),
	                              LIST_DENY, &diag);
	CU_ASSERT_PTR_NOT_NULL(list);
	CU_ASSERT_EQUAL(diag.warnings, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(diag.first);
	CU_ASSERT_PTR_NOT_NULL(strstr(diag.first->text, "begins no comment"));
	CU_ASSERT_EQUAL(diag.first->at.line, 2);
	list_file_free(&list);
	diag_release(&diag);
}

static const struct unit_test tests[] = {
	{"every spelling of a fingerprint is the same", every_spelling_of_a_fingerprint_is_the_same},
	{"public keys are listed in hexadecimal and in base64",
         public_keys_are_listed_in_hexadecimal_and_in_base64},
	{"serial and issuer are found however they are spelt",
         serial_and_issuer_are_found_however_they_are_spelt},
	{"separators within an issuer's values are kept",
         separators_within_an_issuers_values_are_kept},
	{"SHA-1 is for deny lists", sha1_is_for_deny_lists},
	{"malformed certificates are known by their fingerprint",
         malformed_certificates_are_known_by_their_fingerprint},
	{"wrong lines are refused where they stand", wrong_lines_are_refused_where_they_stand},
	{"wrong PEM is refused where it begins", wrong_pem_is_refused_where_it_begins},
	{"many wrong lines are not all told", many_wrong_lines_are_not_all_told},
	{"files that cannot be read are refused where they are named",
         files_that_cannot_be_read_are_refused_where_they_are_named},
	{"a FIFO is refused and not waited for", a_fifo_is_refused_and_not_waited_for},
	{"operators are warned of lists that surprise", operators_are_warned_of_lists_that_surprise},
	{"all of a large list are found", all_of_a_large_list_are_found},
	{"a comment behind an issuer is told of once", a_comment_behind_an_issuer_is_told_of_once},
};

int main(void)
{
	int code = unit_run("peer/list_file", tests, sizeof(tests) / sizeof(tests[0]));
	for (size_t i = 0; i < chain_count; i++) {
		chain_unref(&chains[i]);
	}
	pki_release();
	return code;
}
