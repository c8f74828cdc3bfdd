#include "tls/ja.h"

#include <gnutls/crypto.h>

#include "base/bug.h"

enum {
	EXT_SERVER_NAME = 0,
	EXT_ALPN = 16,
	JA4_HASH_DIGITS = 12,
};

static const char digits[] = "0123456789abcdef";

/* --- a text that is only hashed --- */

/* What fits into `bytes`, and that is every usual hello, is hashed in one go. */
struct text {
	gnutls_digest_algorithm_t algorithm;
	gnutls_hash_hd_t hash; /* NULL until `bytes` was full once */
	bool failed;
	bool any; /* something was written */
	size_t len;
	uint8_t bytes[1024];
};

static void text_begin(struct text *t, gnutls_digest_algorithm_t algorithm)
{
	t->algorithm = algorithm;
	t->hash = NULL;
	t->failed = false;
	t->any = false;
	t->len = 0;
}

static void text_flush(struct text *t)
{
	if (t->hash == NULL && !t->failed && gnutls_hash_init(&t->hash, t->algorithm) < 0) {
		t->hash = NULL;
		t->failed = true;
	}
	if (!t->failed && gnutls_hash(t->hash, t->bytes, t->len) < 0) {
		t->failed = true;
	}
	t->len = 0;
}

static void text_byte(struct text *t, char c)
{
	if (t->len == sizeof(t->bytes)) {
		text_flush(t);
	}
	t->bytes[t->len++] = (uint8_t)c;
	t->any = true;
}

/* False: there is no such hash in this process. */
static bool text_end(struct text *t, uint8_t digest[static 32])
{
	if (t->hash == NULL && !t->failed) {
		return gnutls_hash_fast(t->algorithm, t->bytes, t->len, digest) == 0;
	}
	text_flush(t);
	if (t->hash != NULL) {
		gnutls_hash_deinit(t->hash, digest);
	}
	return !t->failed;
}

static void text_decimal(struct text *t, uint16_t n)
{
	char number[5];
	size_t at = sizeof(number);
	do {
		number[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n != 0);
	while (at < sizeof(number)) {
		text_byte(t, number[at++]);
	}
}

static void text_hex(struct text *t, uint16_t n)
{
	for (int shift = 12; shift >= 0; shift -= 4) {
		text_byte(t, digits[n >> shift & 15]);
	}
}

static void hex(char *out, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = '\0';
}

/* --- the hello's lists --- */

static uint16_t read_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* The next number that is no GREASE; false: that was the last one. */
static bool next_code(struct slice *list, uint16_t *code)
{
	while (list->len >= 2) {
		*code = read_u16(list->data);
		*list = slice_of(list->data + 2, list->len - 2);
		if (!ja_is_grease(*code)) {
			return true;
		}
	}
	return false;
}

/* The type of the next extension that is no GREASE; false: that was the last one, or what is
 * left is none. */
static bool next_extension(struct slice *in, uint16_t *type)
{
	while (in->len >= 4) {
		size_t len = (size_t)4 + read_u16(in->data + 2);
		if (len > in->len) {
			return false;
		}
		*type = read_u16(in->data);
		*in = slice_of(in->data + len, in->len - len);
		if (!ja_is_grease(*type)) {
			return true;
		}
	}
	return false;
}

/* --- JA3 --- */

static void ja3_list(struct text *t, struct slice list)
{
	uint16_t code;
	for (bool first = true; next_code(&list, &code); first = false) {
		if (!first) {
			text_byte(t, '-');
		}
		text_decimal(t, code);
	}
}

void ja3(char out[static JA3_MAX], const struct ja_hello *hello)
{
	struct text t;
	text_begin(&t, GNUTLS_DIG_MD5);
	text_decimal(&t, hello->version);
	text_byte(&t, ',');
	ja3_list(&t, hello->suites);
	text_byte(&t, ',');
	struct slice extensions = hello->extensions;
	uint16_t type;
	for (bool first = true; next_extension(&extensions, &type); first = false) {
		if (!first) {
			text_byte(&t, '-');
		}
		text_decimal(&t, type);
	}
	text_byte(&t, ',');
	ja3_list(&t, hello->groups);
	text_byte(&t, ',');
	for (size_t i = 0; i < hello->formats.len; i++) {
		if (i > 0) {
			text_byte(&t, '-');
		}
		text_decimal(&t, hello->formats.data[i]);
	}
	uint8_t digest[32];
	out[0] = '\0';
	if (text_end(&t, digest) && extensions.len == 0) {
		hex(out, digest, 16);
	}
}

/* --- JA4 --- */

/* A sorted list; what does not fit is only counted. */
struct codes {
	size_t count;
	uint16_t code[JA_CODES_MAX];
};

static void codes_add(struct codes *codes, uint16_t code)
{
	if (codes->count < JA_CODES_MAX) {
		codes->code[codes->count] = code;
	}
	codes->count++;
}

/* By the low byte, then by the high one, each time keeping the order: no list takes long. */
static void codes_sort(struct codes *codes)
{
	uint16_t other[JA_CODES_MAX];
	uint16_t *from = codes->code;
	uint16_t *to = other;
	for (int shift = 0; shift <= 8; shift += 8) {
		uint16_t start[257] = {0};
		for (size_t i = 0; i < codes->count; i++) {
			start[(from[i] >> shift & 255) + 1]++;
		}
		for (size_t i = 1; i < 257; i++) {
			start[i] = (uint16_t)(start[i] + start[i - 1]);
		}
		for (size_t i = 0; i < codes->count; i++) {
			to[start[from[i] >> shift & 255]++] = from[i];
		}
		uint16_t *swap = from;
		from = to;
		to = swap;
	}
	/* After two passes it is back where it was. */
	BUG_IF(from != codes->code);
}

static void ja4_codes(struct text *t, const struct codes *codes)
{
	for (size_t i = 0; i < codes->count; i++) {
		if (i > 0) {
			text_byte(t, ',');
		}
		text_hex(t, codes->code[i]);
	}
}

/* The first 12 digits of the hash; of nothing, as many zeros. */
static bool ja4_hash(char *out, struct text *t)
{
	uint8_t digest[32] = {0};
	if (t->any && !text_end(t, digest)) {
		return false;
	}
	hex(out, digest, JA4_HASH_DIGITS / 2);
	return true;
}

static const char *ja4_version(const struct ja_hello *hello)
{
	struct slice versions = hello->versions;
	uint16_t highest = versions.data == NULL ? hello->version : 0;
	uint16_t version;
	while (next_code(&versions, &version)) {
		highest = version > highest ? version : highest;
	}
	switch (highest) {
	case 0x0304:
		return "13";
	case 0x0303:
		return "12";
	case 0x0302:
		return "11";
	case 0x0301:
		return "10";
	case 0x0300:
		return "s3";
	case 0x0002:
		return "s2";
	case 0xfeff:
		return "d1";
	case 0xfefd:
		return "d2";
	case 0xfefc:
		return "d3";
	default:
		return "00";
	}
}

static bool is_alphanumeric(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static void ja4_alpn(char out[static 2], struct slice alpn)
{
	out[0] = out[1] = '0';
	if (alpn.len < 2 || alpn.data[0] == 0 || alpn.data[0] > alpn.len - 1) {
		return;
	}
	uint8_t first = alpn.data[1];
	uint8_t last = alpn.data[alpn.data[0]];
	bool plain = is_alphanumeric(first) && is_alphanumeric(last);
	out[0] = plain ? (char)first : digits[first >> 4];
	out[1] = plain ? (char)last : digits[last & 15];
}

static void two_digits(char out[static 2], size_t n)
{
	n = n < 99 ? n : 99;
	out[0] = (char)('0' + n / 10);
	out[1] = (char)('0' + n % 10);
}

/* "_" and the suites. */
static bool ja4_suites(char *out, struct codes *codes)
{
	struct text t;
	text_begin(&t, GNUTLS_DIG_SHA256);
	codes_sort(codes);
	ja4_codes(&t, codes);
	*out = '_';
	return ja4_hash(out + 1, &t);
}

/* "_" and the extensions, without those that the first part tells of, and the signature
 * algorithms as they were sent. */
static bool ja4_extensions(char *out, struct codes *codes, struct slice signatures)
{
	struct text t;
	text_begin(&t, GNUTLS_DIG_SHA256);
	codes_sort(codes);
	ja4_codes(&t, codes);
	uint16_t signature;
	for (char between = '_'; t.any && next_code(&signatures, &signature); between = ',') {
		text_byte(&t, between);
		text_hex(&t, signature);
	}
	*out = '_';
	return ja4_hash(out + 1, &t);
}

void ja4(char out[static JA4_MAX], const struct ja_hello *hello)
{
	struct codes suites = {.count = 0};
	struct codes extensions = {.count = 0};
	struct slice list = hello->suites;
	uint16_t code;
	while (next_code(&list, &code)) {
		codes_add(&suites, code);
	}
	bool has_name = false;
	size_t all = 0;
	list = hello->extensions;
	for (; next_extension(&list, &code); all++) {
		has_name = has_name || code == EXT_SERVER_NAME;
		if (code != EXT_SERVER_NAME && code != EXT_ALPN) {
			codes_add(&extensions, code);
		}
	}
	const char *version = ja4_version(hello);
	char text[JA4_MAX];
	text[0] = 't';
	text[1] = version[0];
	text[2] = version[1];
	text[3] = has_name ? 'd' : 'i';
	two_digits(text + 4, suites.count);
	two_digits(text + 6, all);
	ja4_alpn(text + 8, hello->alpn);
	out[0] = '\0';
	if (list.len == 0 && suites.count <= JA_CODES_MAX && extensions.count <= JA_CODES_MAX &&
	    ja4_suites(text + 10, &suites) &&
	    ja4_extensions(text + 10 + 1 + JA4_HASH_DIGITS, &extensions, hello->signatures)) {
		memcpy(out, text, JA4_MAX);
	}
}
