#include "peer/list_file.h"

#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "peer/arena.h"
#include "peer/cert.h"
#include "peer/list_file_keys.h"
#include "peer/list_file_line.h"

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
	if (line_read_hex(key, keys->width, text) != 2 * keys->width) {
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
	if (!line_read_base64(key, text)) {
		return add_hex(r, &r->list->spki, text,
		               "spki takes 64 hexadecimal digits, or base64 of 44 characters");
	}
	r->list->entries++;
	return keys_add(&r->list->spki, key);
}

static bool has_comment(struct slice issuer)
{
	for (size_t i = 1; i < issuer.len; i++) {
		if (issuer.data[i] == '#' && line_is_blank(issuer.data[i - 1])) {
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
	while (end < text.len && (line_is_digit(text.data[end]) || line_is_blank(text.data[end]) ||
	                          text.data[end] == ':')) {
		end++;
	}
	uint8_t serial[SERIAL_BYTES_MAX];
	size_t digits = line_read_hex(serial, sizeof(serial), slice_of(text.data, end));
	struct slice issuer = slice_of(text.data + end, text.len - end);
	bool apart = end > 0 && line_is_blank(text.data[end - 1]);
	if (digits == 0 || !apart || !line_take_word(&issuer, "issuer")) {
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
	return line_trim(line);
}

/* `first` is the BEGIN line; goes on behind the END line. What is wrong is told at the BEGIN line. */
static int read_pem(struct reader *r, struct slice first)
{
	unsigned begin = r->line;
	struct slice block = {0};
	while (r->rest.len > 0 && block.len == 0) {
		struct reader before = *r;
		struct slice line = next_line(r);
		if (line_starts_with(line, "-----BEGIN ")) {
			*r = before;
			break;
		}
		if (line_starts_with(line, "-----END ")) {
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
	} else if (!line_starts_with(first, "-----BEGIN CERTIFICATE-----")) {
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
	if (line_starts_with(line, "-----BEGIN ")) {
		return read_pem(r, line);
	}
	if (line_take_word(&line, "serial")) {
		return read_serial(r, line);
	}
	line = line_without_comment(line);
	if (line_take_word(&line, "sha1")) {
		return read_sha1(r, line_without_label(line));
	}
	if (line_take_word(&line, "spki")) {
		return read_spki(r, line);
	}
	if (line_take_word(&line, "sha256")) {
		return add_hex(r, &r->list->sha256, line_without_label(line),
		               "sha256 takes 64 hexadecimal digits");
	}
	return add_hex(r, &r->list->sha256, line,
	               "neither a SHA-256 fingerprint of 64 hexadecimal digits nor sha256, sha1, "
	               "spki, serial or a PEM certificate");
}

static int read_lines(struct reader *r)
{
	/* Editors of some systems put a byte order mark there. */
	if (line_starts_with(r->rest, "\xef\xbb\xbf")) {
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
