/* CA files: PEM blocks to anchors. Nothing is skipped quietly that could be a CA somebody counts
 * on. */
#include "peer/anchors.h"

#include <gnutls/x509.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"

#define FILE_BYTES_MAX (16U << 20)

struct source {
	struct anchor_set *set;
	struct arena *arena;
	const struct config_text *path;
	const char *what;
	const char *file;
	struct diag *diag;
};

#define complain(source, format, ...) \
	diag_error((source)->diag, (source)->file, (source)->path->at, "%s %s: " format, \
	           (source)->what, (source)->path->text, __VA_ARGS__)

static bool already_there(const struct anchor_set *set, const struct cert *cert)
{
	for (size_t i = 0; i < set->count; i++) {
		if (slice_equal(set->items[i].cert.der, cert->der)) {
			return true;
		}
	}
	return false;
}

static int grow(struct anchor_set *set)
{
	if (set->count < set->cap) {
		return E_OK;
	}
	size_t cap = set->cap == 0 ? 16 : set->cap * 2;
	struct anchor *items = reallocarray(set->items, cap, sizeof(*items));
	if (items == NULL) {
		return E_NOMEM;
	}
	set->items = items;
	set->cap = cap;
	return E_OK;
}

/* The same CA in two files or twice in one is one anchor, of the first file. */
static int add(const struct source *source, const char *path, struct slice der, bool *parsed)
{
	struct anchor_set *set = source->set;
	*parsed = true;
	if (grow(set) != E_OK) {
		return E_NOMEM;
	}
	struct anchor *anchor = &set->items[set->count];
	*anchor = (struct anchor){0};
	if (!arena_copy(source->arena, &anchor->cert.der, der)) {
		return E_NOMEM;
	}
	int err = cert_parse(&anchor->cert, source->arena);
	if (err != E_OK) {
		return err;
	}
	*parsed = anchor->cert.parsed;
	if (!*parsed || already_there(set, &anchor->cert)) {
		cert_release(&anchor->cert);
		return E_OK;
	}
	/* The text has no NUL in it; the arena gives a zeroed byte behind it. */
	char *subject = arena_alloc(source->arena, anchor->cert.subject.text.len + 1);
	if (subject == NULL) {
		cert_release(&anchor->cert);
		return E_NOMEM;
	}
	if (anchor->cert.subject.text.len > 0) {
		memcpy(subject, anchor->cert.subject.text.data, anchor->cert.subject.text.len);
	}
	anchor->shown = (struct trust_anchor){
		.subject = subject,
		.subject_der = anchor->cert.x509->subject,
		.der = anchor->cert.der,
		.not_before_s = anchor->cert.not_before_s,
		.not_after_s = anchor->cert.not_after_s,
		.file = path,
		.at = source->path->at,
	};
	memcpy(anchor->shown.sha256, anchor->cert.sha256, sizeof(anchor->shown.sha256));
	set->count++;
	return E_OK;
}

static struct slice rest_from(struct slice text, const uint8_t *at)
{
	return slice_of(at, text.len - (size_t)(at - text.data));
}

static const uint8_t *find(struct slice in, const char *what)
{
	return in.len == 0 ? NULL : memmem(in.data, in.len, what, strlen(what));
}

static bool starts_with(struct slice in, const char *what)
{
	return in.len >= strlen(what) && memcmp(in.data, what, strlen(what)) == 0;
}

/* One block, from its BEGIN line to behind its END line. */
static int read_block(const struct source *source, const char *path, struct slice block,
                      unsigned number)
{
	gnutls_datum_t pem = {(unsigned char *)block.data, (unsigned)block.len};
	gnutls_datum_t der;
	bool parsed = false;
	int err = E_OK;
	if (gnutls_pem_base64_decode2("CERTIFICATE", &pem, &der) >= 0) {
		err = add(source, path, slice_of(der.data, der.size), &parsed);
		gnutls_free(der.data);
	}
	if (err != E_OK) {
		complain(source, "%s", err_text(err));
	} else if (!parsed) {
		err = E_INVALID;
		complain(source, "certificate block %u cannot be parsed", number);
	}
	return err;
}

static int read_blocks(const struct source *source, const char *path, struct slice text)
{
	static const char begin[] = "-----BEGIN ";
	static const char end[] = "-----END CERTIFICATE-----";
	unsigned number = 0;
	int err = E_OK;
	const uint8_t *at;
	while ((at = find(text, begin)) != NULL) {
		text = rest_from(text, at);
		if (starts_with(text, "-----BEGIN TRUSTED CERTIFICATE-----") ||
		    starts_with(text, "-----BEGIN X509 CERTIFICATE-----")) {
			number++;
			complain(source, "certificate block %u is not a plain CERTIFICATE", number);
			err = E_INVALID;
		} else if (starts_with(text, "-----BEGIN CERTIFICATE-----")) {
			number++;
			const uint8_t *last = find(text, end);
			struct slice inside = slice_of(text.data + sizeof(begin) - 1,
			                               text.len - (sizeof(begin) - 1));
			const uint8_t *next = find(inside, begin);
			if (last == NULL || (next != NULL && next < last)) {
				complain(source, "certificate block %u has no end", number);
				err = E_INVALID;
			} else {
				size_t len = (size_t)(last - text.data) + sizeof(end) - 1;
				int block_err =
					read_block(source, path, slice_of(text.data, len), number);
				err = block_err != E_OK ? block_err : err;
			}
		}
		text = slice_of(text.data + sizeof(begin) - 1, text.len - (sizeof(begin) - 1));
	}
	if (number == 0 && err == E_OK) {
		complain(source, "%s", text.len == 0 ? "is empty" : "has no PEM CERTIFICATE block");
		err = E_INVALID;
	}
	return err;
}

int anchors_read(struct anchor_set *set, struct arena *arena, const struct config_text *path,
                 const char *what, const char *file, struct diag *diag)
{
	struct source source = {set, arena, path, what, file, diag};
	struct buf text;
	buf_init(&text, FILE_BYTES_MAX);
	int err = file_load(&text, path->text, FILE_BYTES_MAX);
	if (err == E_LIMIT) {
		complain(&source, "is larger than %u MiB", FILE_BYTES_MAX >> 20);
	} else if (err != E_OK) {
		complain(&source, "%s", err_text(err));
	}
	if (err != E_OK) {
		goto release_text;
	}
	/* The configuration may go before the trust does. */
	size_t name_len = strlen(path->text);
	char *name = arena_alloc(arena, name_len + 1);
	if (name == NULL) {
		complain(&source, "%s", err_text(E_NOMEM));
		err = E_NOMEM;
		goto release_text;
	}
	memcpy(name, path->text, name_len);
	err = read_blocks(&source, name, buf_slice(&text));

release_text:
	buf_release(&text);
	return err;
}

void anchors_release(struct anchor_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		cert_release(&set->items[i].cert);
	}
	free(set->items);
	*set = (struct anchor_set){0};
}
