#include "base/err.h"
#include "ocsp_pki.h"
#include "unit.h"

#include <openssl/ocsp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define AIA "1.3.6.1.5.5.7.1.1"

static const uint8_t nonce[OCSP_NONCE_BYTES] = {0x4f, 0x00, 0xff, 1, 2, 3};

static struct slice request(struct slice leaf, struct slice issuer, const uint8_t *with)
{
	struct buf out;
	buf_init(&out, 1 << 20);
	CU_ASSERT_EQUAL_FATAL(ocsp_request(&out, leaf, issuer, with), E_OK);
	struct slice kept = pki_keep(buf_slice(&out));
	buf_release(&out);
	return kept;
}

static struct slice file_bytes(const char *path)
{
	static uint8_t bytes[OCSP_ANSWER_BYTES_MAX];
	FILE *file = fopen(path, "rb");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	size_t len = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	return pki_keep(slice_of(bytes, len));
}

/* `arguments` end with NULL. The file at the end of them is where it writes to. */
static struct slice openssl(const char *const *arguments)
{
	pid_t pid = fork();
	CU_ASSERT_TRUE_FATAL(pid != -1);
	if (pid == 0) {
		if (freopen("/dev/null", "w", stdout) == NULL ||
		    freopen("/dev/null", "w", stderr) == NULL) {
			_exit(98);
		}
		execvp("openssl", (char *const *)arguments);
		_exit(97);
	}
	int status;
	CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_TRUE_FATAL(WIFEXITED(status));
	CU_ASSERT_EQUAL_FATAL(WEXITSTATUS(status), 0);
	size_t last = 0;
	while (arguments[last + 1] != NULL) {
		last++;
	}
	return file_bytes(arguments[last]);
}

static char *pem_file(const struct pki_cert *cert)
{
	return pki_file(pki_pem(cert->der));
}

static void a_request_is_the_one_that_openssl_makes(void)
{
	const char *arguments[] = {"openssl",
	                           "ocsp",
	                           "-no_nonce",
	                           "-issuer",
	                           pem_file(pki_intermediate()),
	                           "-cert",
	                           pem_file(pki_leaf()),
	                           "-reqout",
	                           pki_file(SLICE("")),
	                           NULL};
	struct slice theirs = openssl(arguments);
	struct slice ours = request(pki_leaf()->der, pki_intermediate()->der, NULL);
	CU_ASSERT_TRUE(theirs.len > 0);
	CU_ASSERT_TRUE(slice_equal(ours, theirs));
}

static void a_nonce_stands_where_rfc_8954_has_it(void)
{
	struct slice ours = request(pki_leaf()->der, pki_intermediate()->der, nonce);
	const unsigned char *p = ours.data;
	OCSP_REQUEST *read = d2i_OCSP_REQUEST(NULL, &p, (long)ours.len);
	CU_ASSERT_PTR_NOT_NULL_FATAL(read);
	CU_ASSERT_PTR_EQUAL(p, ours.data + ours.len);
	/* The same question with the same nonce, in OpenSSL's words. */
	OCSP_REQUEST *made = OCSP_REQUEST_new();
	OCSP_CERTID *id = OCSP_CERTID_dup(OCSP_onereq_get0_id(OCSP_request_onereq_get0(read, 0)));
	CU_ASSERT_PTR_NOT_NULL_FATAL(OCSP_request_add0_id(made, id));
	CU_ASSERT_EQUAL(OCSP_request_add1_nonce(made, (unsigned char *)nonce, sizeof(nonce)), 1);
	unsigned char *der = NULL;
	int len = i2d_OCSP_REQUEST(made, &der);
	CU_ASSERT_TRUE(len > 0 && slice_equal(ours, slice_of(der, (size_t)len)));
	OPENSSL_free(der);
	OCSP_REQUEST_free(made);
	OCSP_REQUEST_free(read);
}

/* Only the parts that a question needs. */
static struct slice certificate(struct slice serial)
{
	struct slice name = pki_tlv(0x30, SLICE(""));
	struct slice sequence = pki_tlv(0x30, SLICE(""));
	struct slice spki = pki_tlv(0x30, pki_join(sequence, slice_of("\x03\x02\x00\x01", 4)));
	struct slice tbs = pki_join(pki_tlv(0x02, serial), sequence);
	tbs = pki_join(tbs, pki_join(name, sequence));
	tbs = pki_join(tbs, pki_join(name, spki));
	return pki_tlv(0x30, pki_tlv(0x30, tbs));
}

static void serial_numbers_of_any_length_are_written_in_der(void)
{
	static const size_t lens[] = {1, 20, 40, 60, 70, 127, 128, 200, 255, 256, 4000};
	static uint8_t serial[4000];
	memset(serial, 0x11, sizeof(serial));
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		struct slice leaf = certificate(slice_of(serial, lens[i]));
		struct slice ours = request(leaf, pki_intermediate()->der, i % 2 ? nonce : NULL);
		const unsigned char *p = ours.data;
		OCSP_REQUEST *read = d2i_OCSP_REQUEST(NULL, &p, (long)ours.len);
		CU_ASSERT_PTR_NOT_NULL_FATAL(read);
		CU_ASSERT_PTR_EQUAL(p, ours.data + ours.len);
		ASN1_INTEGER *number;
		OCSP_id_get0_info(NULL, NULL, NULL, &number,
		                  OCSP_onereq_get0_id(OCSP_request_onereq_get0(read, 0)));
		CU_ASSERT_EQUAL(ASN1_STRING_length(number), (int)lens[i]);
		unsigned char *der = NULL;
		int len = i2d_OCSP_REQUEST(read, &der);
		CU_ASSERT_TRUE(len > 0 && slice_equal(ours, slice_of(der, (size_t)len)));
		OPENSSL_free(der);
		OCSP_REQUEST_free(read);
	}
}

static void a_request_that_does_not_fit_is_an_error(void)
{
	uint8_t room[64];
	struct buf out;
	buf_init_fixed(&out, room, sizeof(room));
	CU_ASSERT_EQUAL(ocsp_request(&out, pki_leaf()->der, pki_intermediate()->der, NULL), E_LIMIT);
}

/* Asked with our request, a real responder answers what we read, nonce and all. */
static int ask_responder(const char *state, int64_t now_s, struct ocsp_answer *answer)
{
	gnutls_datum_t key;
	CU_ASSERT_TRUE_FATAL(gnutls_x509_privkey_export2(pki_key(pki_intermediate()->key),
	                                                 GNUTLS_X509_FMT_PEM, &key) >= 0);
	char *key_file = pki_file(slice_of(key.data, key.size));
	gnutls_free(key.data);
	uint8_t serial[32];
	size_t len = sizeof(serial);
	char hex[80];
	size_t hex_len = sizeof(hex);
	CU_ASSERT_TRUE_FATAL(gnutls_x509_crt_get_serial(pki_leaf()->crt, serial, &len) >= 0);
	gnutls_datum_t raw = {serial, (unsigned)len};
	CU_ASSERT_TRUE_FATAL(gnutls_hex_encode(&raw, hex, &hex_len) >= 0);
	for (char *p = hex; *p != '\0'; p++) {
		*p = (char)(*p >= 'a' && *p <= 'f' ? *p - 'a' + 'A' : *p);
	}
	char index[256];
	snprintf(index, sizeof(index), "%s\t%s\tunknown\t/CN=client\n", state, hex);
	struct slice ours = request(pki_leaf()->der, pki_intermediate()->der, nonce);
	char *ca = pem_file(pki_intermediate());
	const char *arguments[] = {"openssl",  "ocsp",
	                           "-index",   pki_file(slice_text(index)),
	                           "-CA",      ca,
	                           "-rsigner", ca,
	                           "-rkey",    key_file,
	                           "-ndays",   "1",
	                           "-reqin",   pki_file(ours),
	                           "-respout", pki_file(SLICE("")),
	                           NULL};
	const char *why;
	return ocsp_read(answer, openssl(arguments), pki_leaf()->der, pki_intermediate()->der,
	                 nonce, PROFILE_MEDIUM, now_s, &why);
}

static void a_real_responder_understands_and_is_understood(void)
{
	/* The responder knows no other time than the clock's. */
	int64_t now_s = time(NULL);
	struct ocsp_answer answer;
	CU_ASSERT_EQUAL_FATAL(ask_responder("V\t491231235959Z\t", now_s, &answer), E_OK);
	CU_ASSERT_EQUAL(answer.status, REVOCATION_GOOD);
	CU_ASSERT_EQUAL_FATAL(
		ask_responder("R\t491231235959Z\t200102030405Z,keyCompromise", now_s, &answer),
		E_OK);
	CU_ASSERT_EQUAL(answer.status, REVOCATION_REVOKED);
	CU_ASSERT_EQUAL(answer.revoked_at_s, 1577934245);
	CU_ASSERT_EQUAL(answer.reason, 1);
	/* After a day and the allowance for clocks. */
	CU_ASSERT_EQUAL(ask_responder("V\t491231235959Z\t", now_s + 86400 + 900, &answer),
	                E_INVALID);
}

static void an_id_is_that_of_issuer_and_serial_and_of_nothing_else(void)
{
	struct ocsp_id first;
	struct ocsp_id again;
	struct ocsp_id other;
	struct slice one = certificate(SLICE("\x01"));
	struct slice two = certificate(SLICE("\x02"));
	CU_ASSERT_EQUAL(ocsp_id(&first, one, pki_intermediate()->der), E_OK);
	CU_ASSERT_EQUAL(ocsp_id(&again, pki_keep(one), pki_intermediate()->der), E_OK);
	CU_ASSERT_EQUAL(memcmp(&first, &again, sizeof(first)), 0);
	CU_ASSERT_EQUAL(ocsp_id(&other, two, pki_intermediate()->der), E_OK);
	CU_ASSERT_NOT_EQUAL(memcmp(&first, &other, sizeof(first)), 0);
	CU_ASSERT_EQUAL(ocsp_id(&other, one, pki_root()->der), E_OK);
	CU_ASSERT_NOT_EQUAL(memcmp(&first, &other, sizeof(first)), 0);
}

static void what_is_no_certificate_is_refused(void)
{
	struct slice leaf = pki_leaf()->der;
	struct slice issuer = pki_intermediate()->der;
	struct ocsp_id id;
	struct ocsp_answer answer;
	const char *why;
	struct ocsp_pki_spec spec = {.leaf = pki_leaf(), .issuer = pki_intermediate()};
	struct slice bytes = ocsp_pki_answer(&spec);
	for (size_t len = 0; len < leaf.len; len += len < 40 ? 1 : 7) {
		struct slice cut = pki_keep(slice_of(leaf.data, len));
		struct buf out;
		char url[64];
		buf_init(&out, 4096);
		CU_ASSERT_EQUAL(ocsp_id(&id, cut, issuer), E_INVALID);
		CU_ASSERT_EQUAL(ocsp_id(&id, leaf, cut), E_INVALID);
		CU_ASSERT_EQUAL(ocsp_request(&out, cut, issuer, NULL), E_INVALID);
		CU_ASSERT_EQUAL(ocsp_request(&out, leaf, cut, nonce), E_INVALID);
		CU_ASSERT_EQUAL(out.len, 0);
		CU_ASSERT_EQUAL(
			ocsp_read(&answer, bytes, cut, issuer, NULL, PROFILE_MEDIUM, PKI_NOW, &why),
			E_INVALID);
		CU_ASSERT_EQUAL(
			ocsp_read(&answer, bytes, leaf, cut, NULL, PROFILE_MEDIUM, PKI_NOW, &why),
			E_INVALID);
		CU_ASSERT_FALSE(ocsp_url(url, sizeof(url), cut));
		buf_release(&out);
	}
}

/* AccessDescription: method id-ad-ocsp (1) or id-ad-caIssuers (2), a GeneralName. */
static struct slice described(uint8_t method, uint8_t tag, struct slice location)
{
	uint8_t oid[] = {0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, method};
	return pki_tlv(0x30, pki_join(slice_of(oid, sizeof(oid)), pki_tlv(tag, location)));
}

static bool url_of(struct slice descriptions, char *out, size_t cap)
{
	struct pki_spec spec = {
		.subject = "CN=client",
		.key = PKI_P256_C,
		.issuer = pki_intermediate(),
		.dns = {"client.example"},
		.extensions = {{.oid = AIA, .value = pki_tlv(0x30, descriptions)}},
	};
	return ocsp_url(out, cap, pki_make(&spec)->der);
}

static void the_first_usable_url_is_taken(void)
{
	char url[2048];
	struct slice http = SLICE("http://ocsp.example/a?b");
	struct slice https = SLICE("HTTPS://ocsp.example");
	CU_ASSERT_TRUE(url_of(described(1, 0x86, http), url, sizeof(url)));
	CU_ASSERT_STRING_EQUAL(url, "http://ocsp.example/a?b");
	CU_ASSERT_TRUE(url_of(described(1, 0x86, https), url, sizeof(url)));
	CU_ASSERT_STRING_EQUAL(url, "HTTPS://ocsp.example");
	struct slice before = pki_join(described(2, 0x86, SLICE("http://ca.example/ca.crt")),
	                               described(1, 0x86, SLICE("ldap://ocsp.example/")));
	before = pki_join(before, described(1, 0x82, SLICE("http://dns.example/")));
	CU_ASSERT_TRUE(url_of(
		pki_join(before, pki_join(described(1, 0x86, https), described(1, 0x86, http))),
		url, sizeof(url)));
	CU_ASSERT_STRING_EQUAL(url, "HTTPS://ocsp.example");
	CU_ASSERT_FALSE(url_of(before, url, sizeof(url)));
	CU_ASSERT_FALSE(ocsp_url(url, sizeof(url), pki_leaf()->der));
}

static void a_url_that_could_be_misread_is_not_taken(void)
{
	static const struct slice urls[] = {
		{(const uint8_t *)"", 0},
		{(const uint8_t *)"http://", 7},
		{(const uint8_t *)"http:/ocsp.example/", 19},
		{(const uint8_t *)"ftp://ocsp.example/", 19},
		{(const uint8_t *)"file:///etc/passwd", 18},
		{(const uint8_t *)" http://ocsp.example", 20},
		{(const uint8_t *)"http://ocsp.example/ ", 21},
		{(const uint8_t *)"http://ocsp.example/\r\nX: y", 26},
		{(const uint8_t *)"http://ocsp.example\0.evil.example", 33},
		{(const uint8_t *)"http://ocsp.example/\xc3\xa4", 22},
		{(const uint8_t *)"http://ocsp.example/\x7f", 21},
		{(const uint8_t *)"http://ocsp.example@evil.example/", 33},
		{(const uint8_t *)"http://evil.example\\@ocsp.example/", 34},
	};
	char url[2048];
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		CU_ASSERT_FALSE(url_of(described(1, 0x86, urls[i]), url, sizeof(url)));
	}
	CU_ASSERT_TRUE(
		url_of(described(1, 0x86, SLICE("http://ocsp.example/a@b")), url, sizeof(url)));
	CU_ASSERT_FALSE(url_of(slice_of("\x30\x80\x00\x00", 4), url, sizeof(url)));
}

static void a_url_has_to_fit(void)
{
	static char text[2002];
	char url[2048];
	memset(text, 'a', sizeof(text));
	memcpy(text, "http://", 7);
	CU_ASSERT_TRUE(url_of(described(1, 0x86, slice_of(text, 2000)), url, sizeof(url)));
	CU_ASSERT_EQUAL(strlen(url), 2000);
	CU_ASSERT_FALSE(url_of(described(1, 0x86, slice_of(text, 2001)), url, sizeof(url)));
	CU_ASSERT_TRUE(url_of(described(1, 0x86, slice_of(text, 30)), url, 31));
	CU_ASSERT_FALSE(url_of(described(1, 0x86, slice_of(text, 30)), url, 30));
}

static const struct unit_test tests[] = {
	{"a request is the one that openssl makes", a_request_is_the_one_that_openssl_makes},
	{"a nonce stands where RFC 8954 has it", a_nonce_stands_where_rfc_8954_has_it},
	{"serial numbers of any length are written in DER",
         serial_numbers_of_any_length_are_written_in_der},
	{"a request that does not fit is an error", a_request_that_does_not_fit_is_an_error},
	{"a real responder understands and is understood",
         a_real_responder_understands_and_is_understood},
	{"an id is that of issuer and serial and of nothing else",
         an_id_is_that_of_issuer_and_serial_and_of_nothing_else},
	{"what is no certificate is refused", what_is_no_certificate_is_refused},
	{"the first usable URL is taken", the_first_usable_url_is_taken},
	{"a URL that could be misread is not taken", a_url_that_could_be_misread_is_not_taken},
	{"a URL has to fit", a_url_has_to_fit},
};

int main(void)
{
	int code = unit_run("peer/ocsp_request", tests, sizeof(tests) / sizeof(tests[0]));
	pki_release();
	return code;
}
