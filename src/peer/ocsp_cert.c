#include "peer/ocsp_cert.h"

#include <gnutls/crypto.h>

#include "base/err.h"
#include "peer/der.h"
#include "peer/ocsp.h"

#define URL_BYTES_MAX 2000

static const uint8_t sha1_oid[] = {0x2b, 0x0e, 0x03, 0x02, 0x1a};
static const uint8_t sha256_oid[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01};

static const struct {
	struct slice oid;
	gnutls_digest_algorithm_t digest;
	size_t bytes;
} hashes[OCSP_HASH_COUNT] = {
	[OCSP_SHA1] = {{sha1_oid, sizeof(sha1_oid)}, GNUTLS_DIG_SHA1, OCSP_SHA1_BYTES},
	[OCSP_SHA256] = {{sha256_oid, sizeof(sha256_oid)}, GNUTLS_DIG_SHA256, 32},
};

struct slice ocsp_hash_oid(enum ocsp_hash hash)
{
	return hashes[hash].oid;
}

size_t ocsp_hash(enum ocsp_hash hash, struct slice bytes, uint8_t out[static OCSP_HASH_BYTES_MAX])
{
	return gnutls_hash_fast(hashes[hash].digest, bytes.data, bytes.len, out) < 0
	               ? 0
	               : hashes[hash].bytes;
}

/* RFC 5280 4.1, in its order */
static bool read_tbs(struct ocsp_cert *out, struct slice tbs)
{
	struct slice field;
	struct slice spki;
	struct slice bits;
	unsigned unused;
	der_get(&tbs, DER_CONTEXT_CONSTRUCTED | 0, &field); /* version */
	if (!der_get(&tbs, DER_INTEGER, &out->serial) || out->serial.len == 0 ||
	    !der_get(&tbs, DER_SEQUENCE, &field) ||                      /* signature */
	    !der_get_whole(&tbs, DER_SEQUENCE, &field, &out->issuer) ||  /* issuer */
	    !der_get(&tbs, DER_SEQUENCE, &field) ||                      /* validity */
	    !der_get_whole(&tbs, DER_SEQUENCE, &field, &out->subject) || /* subject */
	    !der_get_whole(&tbs, DER_SEQUENCE, &spki, &out->spki) ||     /* the key */
	    !der_get(&spki, DER_SEQUENCE, &field) ||                     /* its algorithm */
	    !der_get(&spki, DER_BIT_STRING, &bits) || spki.len != 0 ||
	    !der_bits(bits, &out->key, &unused)) {
		return false;
	}
	der_get(&tbs, DER_CONTEXT | 1, &field);
	der_get(&tbs, DER_CONTEXT | 2, &field);
	out->extensions = (struct slice){0};
	if (der_get(&tbs, DER_CONTEXT_CONSTRUCTED | 3, &field) &&
	    (!der_get(&field, DER_SEQUENCE, &out->extensions) || field.len != 0)) {
		return false;
	}
	return tbs.len == 0;
}

bool ocsp_cert_read(struct ocsp_cert *out, struct slice der)
{
	struct slice certificate;
	struct slice tbs;
	return der_get(&der, DER_SEQUENCE, &certificate) && der.len == 0 &&
	       der_get(&certificate, DER_SEQUENCE, &tbs) && read_tbs(out, tbs);
}

bool ocsp_next_extension(struct slice *in, struct ocsp_extension *out)
{
	struct slice extension;
	struct slice field;
	*out = (struct ocsp_extension){0};
	return der_get(in, DER_SEQUENCE, &extension) && der_get(&extension, DER_OID, &out->oid) &&
	       (!der_get(&extension, DER_BOOLEAN, &field) || der_bool(field, &out->critical)) &&
	       der_get(&extension, DER_OCTET_STRING, &out->value) && extension.len == 0;
}

/* A length goes before each part, so that no two pairs have the same bytes. */
static int hash_part(gnutls_hash_hd_t hash, struct slice part)
{
	uint8_t head[4] = {(uint8_t)(part.len >> 24), (uint8_t)(part.len >> 16),
	                   (uint8_t)(part.len >> 8), (uint8_t)part.len};
	int code = gnutls_hash(hash, head, sizeof(head));
	return code < 0 ? code : gnutls_hash(hash, part.data, part.len);
}

int ocsp_id(struct ocsp_id *out, struct slice leaf, struct slice issuer)
{
	struct ocsp_cert of;
	struct ocsp_cert by;
	if (!ocsp_cert_read(&of, leaf) || !ocsp_cert_read(&by, issuer)) {
		return E_INVALID;
	}
	gnutls_hash_hd_t hash;
	if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) < 0) {
		return E_NOMEM;
	}
	int code = hash_part(hash, issuer);
	code = code < 0 ? code : hash_part(hash, of.serial);
	gnutls_hash_deinit(hash, out->sha256);
	return code < 0 ? E_NOMEM : E_OK;
}

static bool begins_with(struct slice text, const char *lower)
{
	for (size_t i = 0; lower[i] != '\0'; i++) {
		if (i == text.len) {
			return false;
		}
		uint8_t c = text.data[i];
		if ((c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c) != lower[i]) {
			return false;
		}
	}
	return true;
}

static bool is_usable(struct slice url)
{
	size_t at;
	if (begins_with(url, "http://")) {
		at = sizeof("http://") - 1;
	} else if (begins_with(url, "https://")) {
		at = sizeof("https://") - 1;
	} else {
		return false;
	}
	if (url.len > URL_BYTES_MAX || at == url.len) {
		return false;
	}
	bool in_authority = true;
	for (; at < url.len; at++) {
		uint8_t c = url.data[at];
		/* A backslash is a slash to some, and no character of a URL (RFC 3986 2). */
		if (c <= ' ' || c >= 0x7f || c == '\\' || (in_authority && c == '@')) {
			return false;
		}
		in_authority = in_authority && c != '/' && c != '?' && c != '#';
	}
	return true;
}

/* RFC 5280 4.2.2.1: AccessDescriptions; `url` becomes the first that can be asked. */
static bool find_url(struct slice descriptions, struct slice *url)
{
	static const uint8_t method_ocsp[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01};
	struct slice in;
	if (!der_get(&descriptions, DER_SEQUENCE, &in) || descriptions.len != 0) {
		return false;
	}
	while (in.len > 0) {
		struct slice description;
		struct slice method;
		if (!der_get(&in, DER_SEQUENCE, &description) ||
		    !der_get(&description, DER_OID, &method)) {
			return false;
		}
		if (slice_equal(method, slice_of(method_ocsp, sizeof(method_ocsp))) &&
		    der_get(&description, DER_CONTEXT | 6, url) && description.len == 0 &&
		    is_usable(*url)) {
			return true;
		}
	}
	return false;
}

bool ocsp_url(char *out, size_t cap, struct slice leaf)
{
	static const uint8_t aia[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x01};
	struct ocsp_cert cert;
	if (!ocsp_cert_read(&cert, leaf)) {
		return false;
	}
	while (cert.extensions.len > 0) {
		struct ocsp_extension extension;
		struct slice url;
		if (!ocsp_next_extension(&cert.extensions, &extension)) {
			return false;
		}
		if (!slice_equal(extension.oid, slice_of(aia, sizeof(aia)))) {
			continue;
		}
		if (!find_url(extension.value, &url) || url.len >= cap) {
			return false;
		}
		memcpy(out, url.data, url.len);
		out[url.len] = '\0';
		return true;
	}
	return false;
}
