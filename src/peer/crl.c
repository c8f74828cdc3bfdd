#include "peer/crl.h"

#include <gnutls/crypto.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/err.h"
#include "peer/arena.h"
#include "peer/crl_read.h"
#include "peer/crl_scope.h"
#include "peer/crl_table.h"
#include "peer/name.h"
#include "peer/signature.h"

#define DIGEST_BYTES_MAX 64

struct crl {
	atomic_uint refs;
	struct arena arena;
	struct crl_table table;
	struct crl_info info;
	struct signature_kind kind;
	struct slice signed_bytes; /* the digest of the TBSCertList; with EdDSA the TBSCertList */
	bool whole;                /* the latter */
	struct slice signature;
	struct slice distribution_point; /* empty: of any */
};

static int keep_text(struct crl *crl, struct slice name)
{
	struct dn dn;
	int err = name_read(&crl->arena, &dn, name);
	if (err != E_OK) {
		return err;
	}
	/* The text has no NUL in it; the arena gives a zeroed byte behind it. */
	char *text = arena_alloc(&crl->arena, dn.text.len + 1);
	if (text == NULL) {
		return E_NOMEM;
	}
	if (dn.text.len > 0) {
		memcpy(text, dn.text.data, dn.text.len);
	}
	crl->info.issuer = text;
	return E_OK;
}

static int keep_signed(struct crl *crl, const struct crl_parts *parts)
{
	crl->kind = parts->kind;
	crl->whole = parts->kind.algorithm == GNUTLS_SIGN_EDDSA_ED25519 ||
	             parts->kind.algorithm == GNUTLS_SIGN_EDDSA_ED448;
	if (crl->whole) {
		return arena_copy(&crl->arena, &crl->signed_bytes, parts->tbs) ? E_OK : E_NOMEM;
	}
	gnutls_digest_algorithm_t hash = gnutls_sign_get_hash_algorithm(parts->kind.algorithm);
	uint8_t digest[DIGEST_BYTES_MAX];
	unsigned len = gnutls_hash_get_len(hash);
	BUG_IF(len == 0 || len > sizeof(digest));
	if (gnutls_hash_fast(hash, parts->tbs.data, parts->tbs.len, digest) < 0) {
		return E_NOMEM;
	}
	return arena_copy(&crl->arena, &crl->signed_bytes, slice_of(digest, len)) ? E_OK : E_NOMEM;
}

static int keep_entries(struct crl *crl, const struct crl_parts *parts)
{
	int err = crl_table_init(&crl->table, parts->entries);
	if (err != E_OK) {
		return err;
	}
	struct slice rest = parts->revoked;
	struct slice serial;
	struct crl_entry entry;
	const char *why;
	while (crl_read_entry(&rest, parts->version, &serial, &entry, &why)) {
		crl_table_add(&crl->table, serial, &entry);
	}
	crl_table_sort(&crl->table);
	return E_OK;
}

static void put_number(char out[static 41], struct slice number)
{
	static const char digits[] = "0123456789ABCDEF";
	BUG_IF(number.len > 20);
	for (size_t i = 0; i < number.len; i++) {
		out[2 * i] = digits[number.data[i] >> 4];
		out[2 * i + 1] = digits[number.data[i] & 15];
	}
	out[2 * number.len] = '\0';
}

static int keep(struct crl *crl, const struct crl_parts *parts)
{
	struct crl_info *info = &crl->info;
	if (!arena_copy(&crl->arena, &info->issuer_der, parts->issuer) ||
	    !arena_copy(&crl->arena, &info->authority_key_id, parts->authority_key_id) ||
	    !arena_copy(&crl->arena, &crl->distribution_point, parts->distribution_point) ||
	    !arena_copy(&crl->arena, &crl->signature, parts->signature)) {
		return E_NOMEM;
	}
	int err = keep_text(crl, parts->issuer_content);
	err = err != E_OK ? err : name_fold(&crl->arena, &info->issuer_folded, parts->issuer);
	if (err != E_OK) {
		return err;
	}
	err = keep_signed(crl, parts);
	if (err != E_OK) {
		return err;
	}
	err = keep_entries(crl, parts);
	if (err != E_OK) {
		return err;
	}
	put_number(info->number, parts->number);
	info->this_update_s = parts->this_update_s;
	info->next_update_s = parts->next_update_s;
	info->entries = parts->entries;
	info->only_users = parts->only_users;
	info->only_cas = parts->only_cas;
	info->bytes = sizeof(*crl) + crl->arena.bytes + parts->entries * sizeof(struct crl_row);
	return E_OK;
}

int crl_parse(struct crl **out, struct slice der, const char **why)
{
	struct crl_parts parts;
	int err = crl_read(&parts, der, why);
	if (err != E_OK) {
		return err;
	}
	struct crl *crl = calloc(1, sizeof(*crl));
	if (crl == NULL) {
		*why = err_text(E_NOMEM);
		return E_NOMEM;
	}
	atomic_init(&crl->refs, 1);
	err = keep(crl, &parts);
	if (err != E_OK) {
		*why = err == E_INVALID ? "its issuer is malformed" : err_text(err);
		crl_unref(&crl);
		return err;
	}
	*out = crl;
	return E_OK;
}

struct crl *crl_ref(struct crl *crl)
{
	atomic_fetch_add_explicit(&crl->refs, 1, memory_order_relaxed);
	return crl;
}

void crl_unref(struct crl **crl)
{
	struct crl *c = *crl;
	*crl = NULL;
	if (c == NULL) {
		return;
	}
	unsigned before = atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel);
	BUG_IF(before == 0);
	if (before > 1) {
		return;
	}
	crl_table_release(&c->table);
	arena_release(&c->arena);
	free(c);
}

bool crl_is_shared(const struct crl *crl)
{
	return atomic_load_explicit(&crl->refs, memory_order_acquire) > 1;
}

const struct crl_info *crl_info(const struct crl *crl)
{
	return &crl->info;
}

bool crl_find(const struct crl *crl, struct slice serial, struct crl_entry *entry)
{
	return crl_table_find(&crl->table, serial, entry);
}

bool crl_is_by_key_of(const struct crl *crl, const struct cert *issuer)
{
	if (!issuer->parsed) {
		return false;
	}
	enum signature_result result =
		crl->whole ? signature_verify_bytes(&crl->kind, crl->signed_bytes, crl->signature,
	                                            issuer)
			   : signature_verify_digest(&crl->kind, crl->signed_bytes, crl->signature,
	                                             issuer);
	return result == SIGNATURE_GOOD;
}

bool crl_is_signed_by(const struct crl *crl, const struct cert *issuer)
{
	return issuer->parsed &&
	       (!issuer->x509->has_key_usage ||
	        (issuer->x509->key_usage & KEY_USAGE_CRL_SIGN) != 0) &&
	       crl_is_by_key_of(crl, issuer);
}

bool crl_covers(const struct crl *crl, const struct cert *cert)
{
	const struct crl_info *info = &crl->info;
	/* RFC 5280 6.3.3 (b) (2) (ii) and (iii) */
	if (info->only_users ? cert->x509->ca : info->only_cas && !cert->x509->ca) {
		return false;
	}
	return crl->distribution_point.len == 0 ||
	       crl_scope_names(crl->distribution_point, cert->x509);
}

const char *crl_weakness(const struct crl *crl, enum profile profile)
{
	return signature_weakness(&crl->kind, profile);
}
