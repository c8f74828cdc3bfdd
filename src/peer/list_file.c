#include "peer/list_file.h"

#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "peer/arena.h"
#include "peer/cert.h"
#include "peer/list_file_keys.h"

#define SERIAL_BYTES_MAX 64 /* RFC 5280 4.1.2.2 has 20; some CAs have more */

struct list_file {
	struct keys sha256;
	struct keys sha1;
	struct keys spki;
	struct serials serials;
	size_t entries;
	uint8_t file_sha256[SHA256_BYTES];
};

struct reader {
	struct list_file *list;
	enum list_use use;
	const char *path;
	struct diag *diag;
	struct slice rest;   /* behind the current line */
	unsigned line;       /* from 1 */
	unsigned wrong;      /* lines */
	bool keys_pinned;    /* LIST_PINNED has an spki entry */
	unsigned no_comment; /* the first line with what looks like a comment behind an issuer */
};

/* --- text --- */

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct slice trim(struct slice s)
{
	while (s.len > 0 && is_blank(s.data[0])) {
		s = slice_of(s.data + 1, s.len - 1);
	}
	while (s.len > 0 && is_blank(s.data[s.len - 1])) {
		s.len--;
	}
	return s;
}

static struct slice without_comment(struct slice s)
{
	const uint8_t *at = s.len == 0 ? NULL : memchr(s.data, '#', s.len);
	return trim(at == NULL ? s : slice_of(s.data, (size_t)(at - s.data)));
}

/* Takes the first word off if it is this one. */
static bool take_word(struct slice *s, const char *word)
{
	size_t n = strlen(word);
	if (s->len <= n || !is_blank(s->data[n]) ||
	    strncasecmp((const char *)s->data, word, n) != 0) {
		return false;
	}
	*s = trim(slice_of(s->data + n, s->len - n));
	return true;
}

static bool starts_with(struct slice s, const char *what)
{
	return s.len >= strlen(what) && memcmp(s.data, what, strlen(what)) == 0;
}

/* What `openssl x509 -fingerprint` prints between the name of the hash and its digits. */
static struct slice without_label(struct slice s)
{
	static const char label[] = "Fingerprint=";
	return starts_with(s, label) ? slice_of(s.data + strlen(label), s.len - strlen(label)) : s;
}

static int digit_of(uint8_t c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Number of digits, at most 2 * cap, written right-aligned: an odd one has a zero before it. 0: something else stands there, or
 * more. */
static size_t read_hex(uint8_t *out, size_t cap, struct slice text)
{
	size_t digits = 0;
	for (size_t i = 0; i < text.len; i++) {
		bool between = is_blank(text.data[i]) || text.data[i] == ':';
		if (!between && (digit_of(text.data[i]) < 0 || digits == 2 * cap)) {
			return 0;
		}
		digits += between ? 0 : 1;
	}
	size_t at = digits % 2;
	memset(out, 0, (digits + 1) / 2);
	for (size_t i = 0; i < text.len; i++) {
		int digit = digit_of(text.data[i]);
		if (digit >= 0) {
			out[at / 2] = (uint8_t)(out[at / 2] | digit << (at % 2 == 0 ? 4 : 0));
			at++;
		}
	}
	return digits;
}

static int base64_of(uint8_t c)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c == 0 ? NULL : strchr(alphabet, c);
	return at == NULL ? -1 : (int)(at - alphabet);
}

/* RFC 4648 4, of exactly 32 bytes: 43 characters and the padding. */
static bool read_base64(uint8_t out[static SHA256_BYTES], struct slice text)
{
	if (text.len != 44 || text.data[43] != '=') {
		return false;
	}
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;
	for (size_t i = 0; i < 43; i++) {
		int value = base64_of(text.data[i]);
		if (value < 0) {
			return false;
		}
		bits = (bits << 6 | (uint32_t)value) & 0xffff;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (uint8_t)(bits >> have);
		}
	}
	/* 3.5: bits that stand for nothing are zero */
	return (bits & ((1U << have) - 1)) == 0;
}

/* --- entries --- */

/* Notes what is wrong with the current line. */
static int wrong(struct reader *r, const char *sentence)
{
	struct mark at = {r->line, 1};
	if (++r->wrong <= LIST_FILE_ERRORS_MAX) {
		diag_error(r->diag, r->path, at, "%s", sentence);
	} else {
		diag_error(r->diag, r->path, at, "and more wrong lines from here on");
		r->rest.len = 0;
	}
	return E_OK;
}

static int add_hex(struct reader *r, struct keys *keys, struct slice text, const char *otherwise)
{
	uint8_t key[SHA256_BYTES];
	if (read_hex(key, keys->width, text) != 2 * keys->width) {
		return wrong(r, otherwise);
	}
	r->list->entries++;
	return keys_add(keys, key);
}

static int read_sha1(struct reader *r, struct slice text)
{
	if (r->use != LIST_DENY) {
		return wrong(r, "sha1 is for deny lists alone: two certificates can be made to "
		                "share one");
	}
	return add_hex(r, &r->list->sha1, text, "sha1 takes 40 hexadecimal digits");
}

static int read_spki(struct reader *r, struct slice text)
{
	uint8_t key[SHA256_BYTES];
	r->keys_pinned = r->use == LIST_PINNED;
	if (!read_base64(key, text)) {
		return add_hex(r, &r->list->spki, text,
		               "spki takes 64 hexadecimal digits, or base64 of 44 characters");
	}
	r->list->entries++;
	return keys_add(&r->list->spki, key);
}

static bool has_comment(struct slice issuer)
{
	for (size_t i = 1; i < issuer.len; i++) {
		if (issuer.data[i] == '#' && is_blank(issuer.data[i - 1])) {
			return true;
		}
	}
	return false;
}

static int read_serial(struct reader *r, struct slice text)
{
	static const char shape[] = "a serial number is written: serial 0A1B issuer CN=Some CA";
	if (r->use == LIST_PINNED) {
		return wrong(r, "serial is not for trust: pinned: anybody can write one into a "
		                "certificate");
	}
	/* Digits and what may stand between them, up to the word. */
	size_t end = 0;
	while (end < text.len && (digit_of(text.data[end]) >= 0 || is_blank(text.data[end]) ||
	                          text.data[end] == ':')) {
		end++;
	}
	uint8_t serial[SERIAL_BYTES_MAX];
	size_t digits = read_hex(serial, sizeof(serial), slice_of(text.data, end));
	struct slice issuer = slice_of(text.data + end, text.len - end);
	bool apart = end > 0 && is_blank(text.data[end - 1]);
	if (digits == 0 || !apart || !take_word(&issuer, "issuer")) {
		return wrong(r, shape);
	}
	if (r->no_comment == 0 && has_comment(issuer)) {
		r->no_comment = r->line;
	}
	r->list->entries++;
	return serials_add(&r->list->serials, slice_of(serial, (digits + 1) / 2), issuer);
}

/* --- PEM --- */

/* Certificates are read, too: a broken one would be on a list for nothing. */
static int add_certificate(struct reader *r, struct slice der)
{
	struct arena arena = {0};
	struct cert cert = {.der = der};
	int err = cert_parse(&cert, &arena);
	if (err == E_OK && cert.parsed) {
		r->list->entries++;
		err = keys_add(&r->list->sha256, cert.sha256);
	} else if (err == E_OK) {
		err = wrong(r, "this certificate cannot be parsed");
	}
	cert_release(&cert);
	arena_release(&arena);
	return err;
}

static struct slice next_line(struct reader *r)
{
	const uint8_t *end = memchr(r->rest.data, '\n', r->rest.len);
	size_t len = end == NULL ? r->rest.len : (size_t)(end - r->rest.data);
	size_t taken = end == NULL ? len : len + 1;
	struct slice line = slice_of(r->rest.data, len);
	r->rest = slice_of(r->rest.data + taken, r->rest.len - taken);
	r->line++;
	return trim(line);
}

/* `first` is the BEGIN line; goes on behind the END line. What is wrong is told at the BEGIN line. */
static int read_pem(struct reader *r, struct slice first)
{
	unsigned begin = r->line;
	struct slice block = {0};
	while (r->rest.len > 0 && block.len == 0) {
		struct reader before = *r;
		struct slice line = next_line(r);
		if (starts_with(line, "-----BEGIN ")) {
			*r = before;
			break;
		}
		if (starts_with(line, "-----END ")) {
			block = slice_of(first.data, (size_t)(line.data + line.len - first.data));
		}
	}
	unsigned end = r->line;
	r->line = begin;
	int err;
	gnutls_datum_t pem = {(unsigned char *)block.data, (unsigned)block.len};
	gnutls_datum_t der;
	if (block.len == 0) {
		err = wrong(r, "this PEM block has no end");
	} else if (!starts_with(first, "-----BEGIN CERTIFICATE-----")) {
		err = wrong(r, "of PEM blocks only CERTIFICATE can be listed");
	} else if (gnutls_pem_base64_decode2("CERTIFICATE", &pem, &der) < 0) {
		err = wrong(r, "this certificate cannot be parsed");
	} else {
		err = add_certificate(r, slice_of(der.data, der.size));
		gnutls_free(der.data);
	}
	r->line = end;
	return err;
}

/* --- the file --- */

static int read_line(struct reader *r, struct slice line)
{
	if (line.len == 0 || line.data[0] == '#') {
		return E_OK;
	}
	if (starts_with(line, "-----BEGIN ")) {
		return read_pem(r, line);
	}
	if (take_word(&line, "serial")) {
		return read_serial(r, line);
	}
	line = without_comment(line);
	if (take_word(&line, "sha1")) {
		return read_sha1(r, without_label(line));
	}
	if (take_word(&line, "spki")) {
		return read_spki(r, line);
	}
	if (take_word(&line, "sha256")) {
		return add_hex(r, &r->list->sha256, without_label(line),
		               "sha256 takes 64 hexadecimal digits");
	}
	return add_hex(r, &r->list->sha256, line,
	               "neither a SHA-256 fingerprint of 64 hexadecimal digits nor sha256, sha1, "
	               "spki, serial or a PEM certificate");
}

static int read_lines(struct reader *r)
{
	/* Editors of some systems put a byte order mark there. */
	if (starts_with(r->rest, "\xef\xbb\xbf")) {
		r->rest = slice_of(r->rest.data + 3, r->rest.len - 3);
	}
	int err = E_OK;
	while (err == E_OK && r->rest.len > 0) {
		err = read_line(r, next_line(r));
	}
	return err != E_OK ? err : r->wrong > 0 ? E_INVALID : E_OK;
}

static void finish(struct list_file *list)
{
	keys_sort(&list->sha256);
	keys_sort(&list->sha1);
	keys_sort(&list->spki);
	serials_sort(&list->serials);
}

static void warn(const struct reader *r, const struct config_text *path, const char *file)
{
	if (r->no_comment != 0) {
		diag_warn(r->diag, r->path, (struct mark){r->no_comment, 1},
		          "behind an issuer `#` begins no comment: it is taken for a part of the "
		          "name");
	}
	if (r->list->entries == 0 && r->use != LIST_DENY) {
		diag_warn(r->diag, file, path->at, "allow list %s is empty: nobody is on it",
		          path->text);
	}
	if (r->keys_pinned) {
		diag_warn(r->diag, file, path->at,
		          "allow list %s: spki with trust: pinned trusts a key, whatever names its "
		          "holder writes into a certificate",
		          path->text);
	}
}

/* *why then is a static sentence. */
static int load_file(struct buf *text, const char *path, const char **why)
{
	struct stat st;
	int err = stat(path, &st) == -1 ? err_from_errno() : E_OK;
	/* Opening a FIFO would wait for somebody. */
	if (err == E_OK && !S_ISREG(st.st_mode)) {
		*why = "it is no regular file";
		return E_INVALID;
	}
	err = err == E_OK ? file_load(text, path, LIST_FILE_BYTES_MAX) : err;
	*why = err == E_LIMIT ? "is larger than 64 MiB" : err_text(err);
	return err;
}

int list_file_read(struct list_file **out, const struct config_text *path, enum list_use use,
                   const char *file, struct diag *diag)
{
	struct buf text;
	buf_init(&text, LIST_FILE_BYTES_MAX);
	struct list_file *list = calloc(1, sizeof(*list));
	const char *why = err_text(E_NOMEM);
	int err = list == NULL ? E_NOMEM : load_file(&text, path->text, &why);
	if (err != E_OK) {
		diag_error(diag, file, path->at, "%s list %s: %s",
		           use == LIST_DENY ? "deny" : "allow", path->text, why);
		goto release_text;
	}
	list->sha256.width = SHA256_BYTES;
	list->spki.width = SHA256_BYTES;
	list->sha1.width = SHA1_BYTES;
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, text.len == 0 ? "" : (const char *)text.data,
	                     text.len, list->file_sha256) < 0) {
		err = E_NOMEM;
		goto release_text;
	}
	struct reader reader = {
		.list = list, .use = use, .path = path->text, .diag = diag, .rest = buf_slice(&text)};
	err = read_lines(&reader);
	if (err == E_OK) {
		finish(list);
		warn(&reader, path, file);
		*out = list;
		list = NULL;
	}

release_text:
	list_file_free(&list);
	buf_release(&text);
	return err == E_OK || err == E_NOMEM ? err : E_INVALID;
}

void list_file_free(struct list_file **list)
{
	struct list_file *l = *list;
	*list = NULL;
	if (l == NULL) {
		return;
	}
	keys_release(&l->sha256);
	keys_release(&l->sha1);
	keys_release(&l->spki);
	serials_release(&l->serials);
	free(l);
}

size_t list_file_entries(const struct list_file *list)
{
	return list->entries;
}

const uint8_t *list_file_sha256(const struct list_file *list)
{
	return list->file_sha256;
}

bool list_file_has(const struct list_file *list, const uint8_t sha256[static 32],
                   const uint8_t sha1[static 20], const char **what)
{
	if (keys_have(&list->sha256, sha256)) {
		*what = "SHA-256 fingerprint";
		return true;
	}
	if (keys_have(&list->sha1, sha1)) {
		*what = "SHA-1 fingerprint";
		return true;
	}
	return false;
}

bool list_file_find(const struct list_file *list, const struct cert *cert, bool proven,
                    const char **what)
{
	if (list_file_has(list, cert->sha256, cert->sha1, what)) {
		return true;
	}
	if (cert->parsed && keys_have(&list->spki, cert->spki_sha256)) {
		*what = "public key";
		return true;
	}
	if (cert->parsed && proven && serials_have(&list->serials, cert->serial, cert->issuer.text)) {
		*what = "serial number and issuer";
		return true;
	}
	return false;
}
