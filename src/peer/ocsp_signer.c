#include "peer/ocsp_signer.h"

#include "base/err.h"
#include "peer/cert.h"
#include "peer/der.h"
#include "peer/name.h"
#include "peer/ocsp_cert.h"
#include "peer/signature.h"

#define DELEGATES_MAX 2

enum { USAGE_NON_REPUDIATION = 1 << 1 };

struct check {
	const struct ocsp_signed *answer;
	const struct cert *issuer;
	enum profile profile;
	int64_t now_s;
	int64_t *until_s;
	const char **why;
};

/* RFC 5280 7.1: written in another way it is the same. Of several certificates of its issuer, which write the name each in its own way, the client
 * chooses which one it sends. */
static int match_name(struct slice a, struct slice b, bool *matches)
{
	struct arena arena = {0};
	struct slice left;
	struct slice right;
	int err = name_fold(&arena, &left, a);
	err = err != E_OK ? err : name_fold(&arena, &right, b);
	*matches = err == E_OK && slice_equal(left, right);
	arena_release(&arena);
	return err;
}

/* Is it the one that the answer names (RFC 6960 4.2.1, ResponderID)? `key`: octets of the
 * subjectPublicKey. */
static int match_responder(const struct ocsp_signed *answer, struct slice subject, struct slice key,
                           bool *matches)
{
	if (!answer->by_key) {
		return match_name(answer->responder, subject, matches);
	}
	uint8_t hash[OCSP_HASH_BYTES_MAX];
	size_t len = ocsp_hash(OCSP_SHA1, key, hash);
	if (len == 0) {
		return E_NOMEM;
	}
	*matches = slice_equal(answer->responder, slice_of(hash, len));
	return E_OK;
}

/* NULL, or why this key's owner did not sign the answer. */
static const char *verify(const struct ocsp_signed *answer, const struct cert *signer)
{
	switch (signature_verify_bytes(&answer->kind, answer->tbs, answer->signature, signer)) {
	case SIGNATURE_GOOD:
		return NULL;
	case SIGNATURE_WRONG:
		return "the signature of the OCSP answer is wrong";
	case SIGNATURE_UNSUPPORTED:
		return "the OCSP answer is signed with an unsupported algorithm";
	case SIGNATURE_NO_KEY:
		break;
	}
	return "the responder's key is of an unsupported kind";
}

/* RFC 6960 4.2.2.2: said in so many words; anyExtendedKeyUsage is not enough. */
static bool may_sign(const struct cert_x509 *x)
{
	static const uint8_t ocsp_signing[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x09};
	struct slice in = x->purposes;
	struct slice oid;
	while (x->has_purposes && der_get(&in, DER_OID, &oid)) {
		if (slice_equal(oid, slice_of(ocsp_signing, sizeof(ocsp_signing)))) {
			return true;
		}
	}
	return false;
}

/* NULL, or why the issuer does not let this one answer. Costs a signature check if nothing
 * cheaper speaks against it. */
static const char *judge_delegate(const struct check *check, const struct cert *delegate)
{
	const struct cert_x509 *x = delegate->x509;
	if (!slice_equal(x->issuer_folded, check->issuer->x509->subject_folded)) {
		return "the responder's certificate is of another issuer";
	}
	if (!may_sign(x)) {
		return "the responder's certificate is not for OCSP signing";
	}
	/* RFC 5280 4.2.1.12: with id-kp-OCSPSigning one of the two is consistent */
	if (x->has_key_usage &&
	    (x->key_usage & (KEY_USAGE_DIGITAL_SIGNATURE | USAGE_NON_REPUDIATION)) == 0) {
		return "the responder's key is not for signatures";
	}
	if (x->unknown_critical) {
		return "the responder's certificate has an unknown critical extension";
	}
	if (check->now_s < delegate->not_before_s) {
		return "the responder's certificate is not yet valid";
	}
	if (check->now_s > delegate->not_after_s) {
		return "the responder's certificate has expired";
	}
	if (key_weakness(&x->key_kind, check->profile) != NULL) {
		return "the responder's key is too weak";
	}
	if (signature_weakness(&x->signature_kind, check->profile) != NULL) {
		return "the signature of the responder's certificate is too weak";
	}
	if (signature_verify(delegate, check->issuer) != SIGNATURE_GOOD) {
		return "the responder's certificate is not signed by the issuer";
	}
	return NULL;
}

static int try_delegate(const struct check *check, struct slice der)
{
	struct arena arena = {0};
	struct cert delegate = {.der = der};
	int err = cert_parse(&delegate, &arena);
	if (err != E_OK) {
		goto release;
	}
	err = E_INVALID;
	if (!delegate.parsed) {
		*check->why = "the responder's certificate cannot be parsed";
		goto release;
	}
	const char *fault = judge_delegate(check, &delegate);
	if (fault == NULL) {
		fault = verify(check->answer, &delegate);
	}
	if (fault != NULL) {
		*check->why = fault;
		goto release;
	}
	if (delegate.not_after_s + 1 < *check->until_s) {
		*check->until_s = delegate.not_after_s + 1;
	}
	err = E_OK;

release:
	cert_release(&delegate);
	arena_release(&arena);
	return err;
}

static int try_delegates(const struct check *check)
{
	struct slice in = check->answer->certs;
	unsigned left = DELEGATES_MAX;
	while (in.len > 0 && left > 0) {
		struct slice content;
		struct slice der;
		struct ocsp_cert cert;
		bool matches;
		if (!der_get_whole(&in, DER_SEQUENCE, &content, &der)) {
			*check->why = "the certificates of the OCSP answer are malformed";
			return E_INVALID;
		}
		/* Responders send the issuer along, too, and its key was tried. */
		if (!ocsp_cert_read(&cert, der) ||
		    slice_equal(cert.spki, check->issuer->x509->spki)) {
			continue;
		}
		int err = match_responder(check->answer, cert.subject, cert.key, &matches);
		if (err == E_OK && matches) {
			left--;
			err = try_delegate(check, der);
			if (err != E_INVALID) {
				return err;
			}
		} else if (err != E_OK) {
			return err;
		}
	}
	return E_INVALID;
}

static int check_all(const struct check *check)
{
	struct ocsp_cert cert;
	bool matches;
	if (!ocsp_cert_read(&cert, check->issuer->der)) {
		*check->why = "the issuer's certificate cannot be parsed";
		return E_INVALID;
	}
	int err = match_responder(check->answer, cert.subject, cert.key, &matches);
	if (err != E_OK) {
		return err;
	}
	*check->why = "the OCSP answer comes from nobody who may answer for the issuer";
	if (matches) {
		const char *fault = verify(check->answer, check->issuer);
		if (fault == NULL) {
			return E_OK;
		}
		*check->why = fault;
	}
	return try_delegates(check);
}

int ocsp_check_signer(const struct ocsp_signed *answer, struct slice issuer, enum profile profile,
                      int64_t now_s, int64_t *until_s, const char **why)
{
	if (signature_weakness(&answer->kind, profile) != NULL) {
		*why = "the signature of the OCSP answer is too weak";
		return E_INVALID;
	}
	struct arena arena = {0};
	struct cert parsed = {.der = issuer};
	struct check check = {answer, &parsed, profile, now_s, until_s, why};
	int err = cert_parse(&parsed, &arena);
	if (err == E_OK && !parsed.parsed) {
		*why = "the issuer's certificate cannot be parsed";
		err = E_INVALID;
	}
	err = err != E_OK ? err : check_all(&check);
	cert_release(&parsed);
	arena_release(&arena);
	return err;
}
