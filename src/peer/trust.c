#include "peer/trust.h"

#include <gnutls/crypto.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/err.h"
#include "peer/anchors.h"
#include "peer/crl.h"
#include "peer/der.h"

/* Changes with every change of the judge that can change a verdict. */
#define JUDGE_VERSION "tlscribe judge 4"
#define OID_SERVER_AUTH "1.3.6.1.5.5.7.3.1"
#define OID_CLIENT_AUTH "1.3.6.1.5.5.7.3.2"
#define SERVER_DEPTH_MAX 4 /* intermediates, as is the default for clients */
#define OID_BYTES_MAX 128
#define SIGNATURE_CHECKS_DEFAULT 32
#define NAME_COMPARISONS_DEFAULT 65536
#define NAME_COMPARISONS_MAX (1U << 30)

/* `oid` is dotted. E_INVALID: it is none. */
static int set_purpose(struct trust *trust, const char *oid)
{
	uint8_t bytes[OID_BYTES_MAX];
	size_t len = der_oid_from_text(oid, bytes, sizeof(bytes));
	if (len == 0) {
		return E_INVALID;
	}
	return arena_copy(&trust->arena, &trust->purpose, slice_of(bytes, len)) ? E_OK : E_NOMEM;
}

static int compile_purpose(struct trust *trust, const struct config_client *client,
                           const char *file, struct diag *diag)
{
	const char *text = client->purpose.text == NULL ? "clientAuth" : client->purpose.text;
	if (strcmp(text, "any") == 0) {
		trust->any_purpose = true;
		return E_OK;
	}
	int err = set_purpose(trust, strcmp(text, "clientAuth") == 0 ? OID_CLIENT_AUTH : text);
	if (err == E_INVALID) {
		diag_error(
			diag, file,
			client->purpose.at, "purpose is clientAuth, any or an OID such as 1.3.6.1.5.5.7.3.2, not \"%s\"",
			text);
	}
	return err;
}

static int compare_subjects(struct slice a, struct slice b)
{
	if (a.len != b.len) {
		return a.len < b.len ? -1 : 1;
	}
	return a.len == 0 ? 0 : memcmp(a.data, b.data, a.len);
}

static int compare_anchors(const void *a, const void *b)
{
	const struct anchor *const *left = a;
	const struct anchor *const *right = b;
	int by_name = compare_subjects((*left)->cert.x509->subject_folded,
	                               (*right)->cert.x509->subject_folded);
	if (by_name != 0) {
		return by_name;
	}
	return *left < *right ? -1 : *left > *right ? 1 : 0;
}

static int index_anchors(struct trust *trust)
{
	size_t count = trust->ca.count;
	trust->by_subject = arena_array(&trust->arena, count, sizeof(struct anchor *));
	if (trust->by_subject == NULL) {
		return E_NOMEM;
	}
	for (size_t i = 0; i < count; i++) {
		trust->by_subject[i] = &trust->ca.items[i];
	}
	if (count > 0) {
		qsort(trust->by_subject, count, sizeof(struct anchor *), compare_anchors);
	}
	return E_OK;
}

static int hash_text(gnutls_hash_hd_t hash, const char *text)
{
	/* With its NUL, so that two texts in a row cannot be read as two others. */
	return gnutls_hash(hash, text, strlen(text) + 1);
}

static int hash_u32(gnutls_hash_hd_t hash, uint32_t n)
{
	const uint8_t bytes[] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
	                         (uint8_t)n};
	return gnutls_hash(hash, bytes, sizeof(bytes));
}

static int hash_slice(gnutls_hash_hd_t hash, struct slice bytes)
{
	int code = hash_u32(hash, (uint32_t)bytes.len);
	return code < 0 || bytes.len == 0 ? code : gnutls_hash(hash, bytes.data, bytes.len);
}

static int hash_rules(gnutls_hash_hd_t hash, const struct trust *trust)
{
	const uint32_t numbers[] = {
		trust->any_purpose,
		(uint32_t)trust->profile,
		trust->max_depth,
		trust->servers,
		trust->pinned,
		trust->signature_checks,
		trust->name_comparisons,
		(uint32_t)trust->name.kind,
		(uint32_t)trust->ca.count,
		(uint32_t)trust->issuers.count,
	};
	int code = hash_text(hash, JUDGE_VERSION);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && code >= 0; i++) {
		code = hash_u32(hash, numbers[i]);
	}
	code = code < 0 ? code : hash_slice(hash, trust->purpose);
	return code < 0 ? code : hash_slice(hash, slice_of(trust->name.bytes, trust->name.len));
}

static int compile_id(struct trust *trust)
{
	gnutls_hash_hd_t hash;
	if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) < 0) {
		return E_NOMEM;
	}
	int code = hash_rules(hash, trust);
	/* In order, with their files: both can be seen in a verdict. */
	for (size_t i = 0; i < trust->ca.count && code >= 0; i++) {
		const struct trust_anchor *shown = &trust->ca.items[i].shown;
		code = gnutls_hash(hash, shown->sha256, sizeof(shown->sha256));
		code = code < 0 ? code : hash_text(hash, shown->file);
	}
	for (size_t i = 0; i < trust->issuers.count && code >= 0; i++) {
		code = gnutls_hash(hash, trust->issuers.items[i].shown.sha256, 32);
	}
	gnutls_hash_deinit(hash, trust->id);
	return code < 0 ? E_NOMEM : E_OK;
}

static int read_all(struct anchor_set *set, struct trust *trust, const struct config_texts *paths,
                    const char *what, const char *file, struct diag *diag)
{
	int err = E_OK;
	for (size_t i = 0; i < paths->count; i++) {
		int read_err = anchors_read(set, &trust->arena, &paths->items[i], what, file, diag);
		err = err != E_OK ? err : read_err;
	}
	return err;
}

/* Everything but the rules. `err` is what was wrong with those; all files are read all the same, so that one run of
 * `check` finds what is wrong with all. Takes *trust; gives it to *out with E_OK. */
static int finish(struct trust **out, struct trust **trust, int err, const struct config_texts *ca,
                  const struct config_texts *issuers, const char *file, struct diag *diag)
{
	struct trust *t = *trust;
	int ca_err = read_all(&t->ca, t, ca, "CA file", file, diag);
	int issuer_err = read_all(&t->issuers, t, issuers, "issuer file", file, diag);
	err = err != E_OK ? err : ca_err;
	err = err != E_OK ? err : issuer_err;
	err = err != E_OK ? err : index_anchors(t);
	err = err != E_OK ? err : compile_id(t);
	if (err != E_OK) {
		trust_free(trust);
		return err == E_NOMEM ? E_NOMEM : E_INVALID;
	}
	trust_warn(t, file, diag);
	*out = t;
	*trust = NULL;
	return E_OK;
}

static unsigned bound_of(uint64_t given, unsigned fallback, unsigned most)
{
	return given == 0 ? fallback : given > most ? most : (unsigned)given;
}

/* What a service without CAs cannot honour is an error: nobody may believe that it is in force. */
static int check_pinned(const struct config_client *client, const char *file, struct diag *diag)
{
	const struct {
		bool given;
		struct mark at;
		const char *option;
	} others[] = {
		{client->ca.count > 0, client->ca.at, "ca"},
		{client->issuers.count > 0, client->issuers.at, "issuers"},
		{client->crl.count > 0, client->crl.at, "crl"},
		{client->crl_fetch.at.line > 0, client->crl_fetch.at, "crl_fetch"},
		{client->revocation != REVOCATION_OFF, client->revocation_at, "revocation"},
		{client->ocsp.mode != REVOCATION_OFF, client->ocsp.at, "ocsp"},
	};
	int err = E_OK;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (others[i].given) {
			diag_error(diag, file, others[i].at,
			           "%s does not go with trust: pinned, which knows no CA",
			           others[i].option);
			err = E_INVALID;
		}
	}
	if (client->allow.count == 0) {
		diag_error(diag, file, client->trust_at,
		           "trust: pinned needs allow, the list of who is trusted");
		err = E_INVALID;
	}
	return err;
}

static int check_sources(const struct config_client *client, const char *file, struct diag *diag)
{
	if (client->trust == TRUST_PINNED) {
		return check_pinned(client, file, diag);
	}
	if (client->issuers.count > 0 && client->ca.count == 0) {
		diag_error(diag, file, client->issuers.at,
		           "issuers needs ca: without one there is no path to find them in");
		return E_INVALID;
	}
	return E_OK;
}

int trust_new(struct trust **out, const struct config_client *client,
              const struct config_limits *limits, const char *file, struct diag *diag)
{
	struct trust *trust = calloc(1, sizeof(*trust));
	if (trust == NULL) {
		return E_NOMEM;
	}
	trust->pinned = client->trust == TRUST_PINNED;
	trust->profile = client->profile;
	trust->max_depth = client->max_depth;
	trust->signature_checks =
		bound_of(limits->signature_checks, SIGNATURE_CHECKS_DEFAULT, TRUST_SIGNATURES_MAX);
	trust->name_comparisons =
		bound_of(limits->name_comparisons, NAME_COMPARISONS_DEFAULT, NAME_COMPARISONS_MAX);
	int sources_err = check_sources(client, file, diag);
	int err = compile_purpose(trust, client, file, diag);
	err = err != E_OK ? err : sources_err;
	return finish(out, &trust, err, &client->ca, &client->issuers, file, diag);
}

static int compile_name(struct trust *trust, const struct config_upstream_tls *config,
                        const char *name, const char *file, struct diag *diag)
{
	struct mark at = config->server_name.text != NULL ? config->server_name.at : config->at;
	if (name != NULL && hostname_parse(&trust->name, name) != E_OK) {
		diag_error(diag, file, at,
		           "\"%s\" is no name that a server certificate can be for: neither a host "
		           "name nor an address",
		           name);
		return E_INVALID;
	}
	if (name == NULL && config->verify == UPSTREAM_VERIFY_REQUIRED) {
		diag_error(diag, file, at,
		           "tls.server_name is needed: the server's address has no name to verify");
		return E_INVALID;
	}
	return E_OK;
}

int trust_new_server(struct trust **out, const struct config_upstream_tls *config, const char *name,
                     const char *file, struct diag *diag)
{
	static const struct config_texts nobody = {0};
	bool required = config->verify == UPSTREAM_VERIFY_REQUIRED;
	struct trust *trust = calloc(1, sizeof(*trust));
	if (trust == NULL) {
		return E_NOMEM;
	}
	trust->servers = true;
	trust->profile = PROFILE_MEDIUM;
	trust->max_depth = SERVER_DEPTH_MAX;
	trust->signature_checks = SIGNATURE_CHECKS_DEFAULT;
	trust->name_comparisons = NAME_COMPARISONS_DEFAULT;
	int err = set_purpose(trust, OID_SERVER_AUTH);
	err = err != E_OK ? err : compile_name(trust, config, name, file, diag);
	/* Without an anchor everybody would be not_checked, and so let be. */
	if (err == E_OK && required && config->ca.count == 0) {
		diag_error(diag, file, config->at, "tls.verify: required needs tls.ca");
		err = E_INVALID;
	}
	return finish(out, &trust, err, required ? &config->ca : &nobody, &nobody, file, diag);
}

void trust_free(struct trust **trust)
{
	struct trust *t = *trust;
	*trust = NULL;
	if (t == NULL) {
		return;
	}
	anchors_release(&t->ca);
	anchors_release(&t->issuers);
	arena_release(&t->arena);
	free(t);
}

const uint8_t *trust_id(const struct trust *trust)
{
	return trust->id;
}

size_t trust_anchor_count(const struct trust *trust)
{
	return trust->ca.count;
}

const struct trust_anchor *trust_anchor_at(const struct trust *trust, size_t i)
{
	BUG_IF(i >= trust->ca.count);
	return &trust->ca.items[i].shown;
}

size_t trust_find(const struct trust *trust, struct slice subject,
                  const struct anchor *const **first)
{
	size_t low = 0;
	size_t high = trust->ca.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare_subjects(trust->by_subject[middle]->cert.x509->subject_folded,
		                     subject) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	size_t n = 0;
	while (low + n < trust->ca.count &&
	       compare_subjects(trust->by_subject[low + n]->cert.x509->subject_folded, subject) ==
	               0) {
		n++;
	}
	*first = n == 0 ? NULL : &trust->by_subject[low];
	return n;
}

const struct anchor *trust_find_cert(const struct trust *trust, const struct cert *cert)
{
	const struct anchor *const *row;
	size_t n = trust_find(trust, cert->x509->subject_folded, &row);
	for (size_t i = 0; i < n; i++) {
		if (slice_equal(row[i]->cert.der, cert->der)) {
			return row[i];
		}
	}
	return NULL;
}

bool trust_is_same_ca(const struct cert *a, const struct cert *b)
{
	return slice_equal(a->x509->subject_folded, b->x509->subject_folded) &&
	       slice_equal(a->x509->spki, b->x509->spki);
}

bool trust_is_issuer(const struct trust *trust, const struct cert *cert)
{
	for (size_t i = 0; i < trust->issuers.count; i++) {
		if (trust_is_same_ca(&trust->issuers.items[i].cert, cert)) {
			return true;
		}
	}
	return false;
}

enum crl_signer trust_crl_signer(const struct trust *trust, const struct crl *crl)
{
	struct slice name = crl_info(crl)->issuer_folded;
	const struct anchor *const *row;
	size_t n = trust_find(trust, name, &row);
	bool named = n > 0;
	for (size_t i = 0; i < n; i++) {
		if (crl_is_by_key_of(crl, &row[i]->cert)) {
			return CRL_SIGNER_TRUE;
		}
	}
	for (size_t i = 0; i < trust->issuers.count; i++) {
		const struct cert *issuer = &trust->issuers.items[i].cert;
		if (!slice_equal(issuer->x509->subject_folded, name)) {
			continue;
		}
		if (crl_is_by_key_of(crl, issuer)) {
			return CRL_SIGNER_TRUE;
		}
		named = true;
	}
	return named ? CRL_SIGNER_FALSE : CRL_SIGNER_UNKNOWN;
}
