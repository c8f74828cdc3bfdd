#include "differential.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/bug.h"

#define CERTS_MAX 1024

/* GnuTLS 3.7.9 loses name constraints that it does not know, while it verifies; their loss is not ours. */
#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/lsan_interface.h>
#else
static void __lsan_disable(void)
{
}

static void __lsan_enable(void)
{
}
#endif

const char *differential_name(enum differential_library library)
{
	return library == DIFFERENTIAL_GNUTLS ? "GnuTLS" : "OpenSSL";
}

/* What a library is given: leaf first, and who is trusted. */
struct given {
	struct slice certs[CERTS_MAX];
	size_t count;
	const struct slice *anchors;
	size_t anchor_count;
};

static void give_all(struct given *out, const struct differential_question *q)
{
	out->count = 0;
	for (size_t i = 0; i < q->chain->count && i < CERTS_MAX; i++) {
		out->certs[out->count++] = q->chain->certs[i].der;
	}
	out->anchors = q->anchors;
	out->anchor_count = q->anchor_count;
}

static bool has_hash(struct slice der, const uint8_t *sha256)
{
	uint8_t digest[32];
	BUG_IF(gnutls_hash_fast(GNUTLS_DIG_SHA256, der.data, der.len, digest) < 0);
	return memcmp(digest, sha256, sizeof(digest)) == 0;
}

size_t differential_path(struct slice out[static VERDICT_PATH_MAX],
                         const struct differential_question *question)
{
	const struct verdict *v = question->verdict;
	const struct chain *chain = question->chain;
	size_t count = 0;
	for (size_t i = 0; i < v->path_count; i++) {
		struct slice found = {0};
		for (size_t k = 0; k < chain->count && found.len == 0; k++) {
			if (memcmp(chain->certs[k].sha256, v->path[i].sha256, 32) == 0) {
				found = chain->certs[k].der;
			}
		}
		for (size_t k = 0; k < question->anchor_count && found.len == 0; k++) {
			if (has_hash(question->anchors[k], v->path[i].sha256)) {
				found = question->anchors[k];
			}
		}
		BUG_IF(found.len == 0);
		out[count++] = found;
	}
	return count;
}

/* The path without its anchor, unless that is the leaf itself. */
static void give_path(struct given *out, const struct differential_question *q)
{
	struct slice path[VERDICT_PATH_MAX];
	size_t count = differential_path(path, q);
	out->count = count > 1 ? count - 1 : count;
	memcpy(out->certs, path, out->count * sizeof(path[0]));
	out->anchors = q->anchors;
	out->anchor_count = q->anchor_count;
}

/* --- OpenSSL --- */

static X509 *read_x509(struct slice der)
{
	const unsigned char *p = der.data;
	X509 *x = d2i_X509(NULL, &p, (long)der.len);
	if (x != NULL && p != der.data + der.len) {
		X509_free(x);
		x = NULL;
	}
	return x;
}

static void set_parameters(X509_VERIFY_PARAM *param, const struct differential_question *q)
{
	/* Security levels are of 0, 112 and 128 bits here, as the profiles. */
	static const int levels[] = {[PROFILE_LEGACY] = 0, [PROFILE_MEDIUM] = 2, [PROFILE_HIGH] = 3};
	X509_VERIFY_PARAM_set_time(param, (time_t)q->now_s);
	X509_VERIFY_PARAM_set_depth(param, (int)q->max_depth);
	X509_VERIFY_PARAM_set_auth_level(param, levels[q->profile]);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	if (!q->any_purpose) {
		X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_CLIENT);
	}
}

/* Why it could not be read: the error that came last, the outermost one but for those that only say where. */
static void tell_unreadable(struct differential_answer *out)
{
	unsigned long code;
	const char *reason = NULL;
	while ((code = ERR_get_error()) != 0) {
		if (ERR_GET_REASON(code) != ERR_R_NESTED_ASN1_ERROR) {
			reason = ERR_reason_error_string(code);
		}
	}
	*out = (struct differential_answer){.code = DIFFERENTIAL_UNREADABLE,
	                                    .by_path = out->by_path};
	snprintf(out->text, sizeof(out->text), "it cannot read a certificate of the path: %s",
	         reason == NULL ? "?" : reason);
}

static void ask_openssl(struct differential_answer *out, const struct given *given,
                        const struct differential_question *q)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	STACK_OF(X509) *untrusted = sk_X509_new_null();
	ERR_clear_error();
	X509 *leaf = read_x509(given->certs[0]);
	bool unreadable = leaf == NULL;
	BUG_IF(store == NULL || context == NULL || untrusted == NULL);
	for (size_t i = 0; i < given->anchor_count; i++) {
		X509 *anchor = read_x509(given->anchors[i]);
		if (anchor != NULL) {
			X509_STORE_add_cert(store, anchor);
			X509_free(anchor);
		}
	}
	for (size_t i = 1; i < given->count; i++) {
		X509 *x = read_x509(given->certs[i]);
		unreadable = unreadable || (x == NULL && out->by_path);
		if (x != NULL) {
			BUG_IF(sk_X509_push(untrusted, x) <= 0);
		}
	}
	if (unreadable) {
		tell_unreadable(out);
	} else {
		BUG_IF(X509_STORE_CTX_init(context, store, leaf, untrusted) != 1);
		set_parameters(X509_STORE_CTX_get0_param(context), q);
		out->agrees = X509_verify_cert(context) == 1;
		out->code = X509_STORE_CTX_get_error(context);
		out->depth = X509_STORE_CTX_get_error_depth(context);
		snprintf(out->text, sizeof(out->text), "%s",
		         X509_verify_cert_error_string(out->code));
	}
	X509_free(leaf);
	sk_X509_pop_free(untrusted, X509_free);
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
}

/* --- GnuTLS --- */

static int64_t gnutls_now_s;

static time_t tell_time(time_t *at)
{
	if (at != NULL) {
		*at = (time_t)gnutls_now_s;
	}
	return (time_t)gnutls_now_s;
}

static unsigned flags_of(enum profile profile)
{
	switch (profile) {
	case PROFILE_LEGACY:
		return GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_VERY_WEAK) |
		       GNUTLS_VERIFY_ALLOW_SIGN_WITH_SHA1;
	case PROFILE_MEDIUM:
		return GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_MEDIUM);
	case PROFILE_HIGH:
		return GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_HIGH);
	}
	return 0;
}

static gnutls_x509_crt_t read_crt(struct slice der)
{
	gnutls_datum_t in = {(unsigned char *)der.data, (unsigned)der.len};
	gnutls_x509_crt_t crt;
	BUG_IF(gnutls_x509_crt_init(&crt) < 0);
	if (gnutls_x509_crt_import(crt, &in, GNUTLS_X509_FMT_DER) < 0) {
		gnutls_x509_crt_deinit(crt);
		return NULL;
	}
	return crt;
}

static void ask_gnutls(struct differential_answer *out, const struct given *given,
                       const struct differential_question *q)
{
	gnutls_x509_trust_list_t list;
	gnutls_x509_crt_t certs[CERTS_MAX];
	unsigned count = 0;
	unsigned status = 0;
	gnutls_typed_vdata_st purpose = {GNUTLS_DT_KEY_PURPOSE_OID,
	                                 (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT, 0};
	gnutls_now_s = q->now_s;
	gnutls_global_set_time_function(tell_time);
	BUG_IF(gnutls_x509_trust_list_init(&list, 0) < 0);
	for (size_t i = 0; i < given->anchor_count; i++) {
		gnutls_x509_crt_t anchor = read_crt(given->anchors[i]);
		/* The list keeps it. */
		BUG_IF(anchor != NULL && gnutls_x509_trust_list_add_cas(list, &anchor, 1, 0) != 1);
	}
	for (size_t i = 0; i < given->count; i++) {
		certs[count] = read_crt(given->certs[i]);
		count += certs[count] != NULL ? 1 : 0;
	}
	__lsan_disable();
	int code = count == 0 ? GNUTLS_E_NO_CERTIFICATE_FOUND
	                      : gnutls_x509_trust_list_verify_crt2(
					list, certs, count, &purpose, q->any_purpose ? 0 : 1,
					flags_of(q->profile), &status, NULL);
	__lsan_enable();
	out->agrees = code >= 0 && status == 0;
	out->code = code < 0 ? code : (int)status;
	gnutls_datum_t words = {0};
	if (code < 0) {
		snprintf(out->text, sizeof(out->text), "%s", gnutls_strerror(code));
	} else if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &words,
	                                                        0) >= 0) {
		snprintf(out->text, sizeof(out->text), "%s", (const char *)words.data);
		gnutls_free(words.data);
	}
	for (unsigned i = 0; i < count; i++) {
		gnutls_x509_crt_deinit(certs[i]);
	}
	gnutls_x509_trust_list_deinit(list, 1);
	gnutls_global_set_time_function(time);
}

void differential_ask(struct differential_answer *out, enum differential_library library,
                      const struct differential_question *question)
{
	static struct given given;
	*out = (struct differential_answer){0};
	give_all(&given, question);
	for (int i = 0; i < 2 && !out->agrees; i++) {
		*out = (struct differential_answer){.by_path = i == 1};
		if (i == 1) {
			give_path(&given, question);
		}
		if (library == DIFFERENTIAL_GNUTLS) {
			ask_gnutls(out, &given, question);
		} else {
			ask_openssl(out, &given, question);
		}
	}
}
