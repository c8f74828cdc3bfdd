#include "peer/rules.h"

#include "peer/constraints.h"
#include "peer/der.h"

#define SERIAL_OCTETS_MAX 20

static const uint8_t any_purpose_oid[] = {0x55, 0x1d, 0x25, 0x00};

static void check_dates(struct findings *findings, const struct cert *cert, int depth, int64_t now_s)
{
	/* RFC 5280 4.1.2.5: from notBefore through notAfter, inclusive */
	if (now_s < cert->not_before_s) {
		findings_add(findings, CLASS_NOT_YET_VALID, depth, 0, cert->not_before_s, NULL);
	}
	if (now_s > cert->not_after_s) {
		findings_add(findings, CLASS_EXPIRED, depth, 0, cert->not_after_s, NULL);
	}
}

/* RFC 5280 4.1.2.2: 20 octets at most. A zero before them is the sign. Zero and negative numbers are to be taken
 * gracefully, which means here: like any other. */
static void check_serial(struct findings *findings, const struct cert *cert, int depth)
{
	struct slice serial = cert->serial;
	size_t sign = serial.data[0] == 0 ? 1 : 0;
	if (serial.len - sign > SERIAL_OCTETS_MAX) {
		findings_add(findings, CLASS_MALFORMED_CERTIFICATE, depth, 0, 0,
		             "a serial number of more than 20 octets");
	}
}

/* What only CAs may have. It would not be listened to in a leaf, but one that has it was not issued with care. */
static void check_leaf(struct findings *findings, const struct cert *cert, int depth)
{
	const struct cert_x509 *x = cert->x509;
	if (x->ca) {
		return;
	}
	/* RFC 5280 4.2.1.10 */
	if (x->has_constraints) {
		findings_add(findings, CLASS_NAME_NOT_PERMITTED, depth, 0, 0,
		             "name constraints in a certificate that is no CA");
	}
	/* RFC 5280 4.2.1.3, 4.2.1.9 */
	if (x->has_key_usage && (x->key_usage & KEY_USAGE_KEY_CERT_SIGN) != 0) {
		findings_add(findings, CLASS_WRONG_PURPOSE, depth, 0, 0,
		             "key usage keyCertSign in a certificate that is no CA");
	}
}

static bool permits_purpose(const struct cert_x509 *x, struct slice purpose)
{
	struct slice in = x->purposes;
	struct slice oid;
	while (in.len > 0 && der_get(&in, DER_OID, &oid)) {
		if (slice_equal(oid, purpose) ||
		    slice_equal(oid, slice_of(any_purpose_oid, sizeof(any_purpose_oid)))) {
			return true;
		}
	}
	return false;
}

static void check_purpose(struct findings *findings, const struct trust *trust,
                          const struct cert *cert, int depth, enum role role)
{
	const struct cert_x509 *x = cert->x509;
	/* RFC 5280 4.2.1.12; of issuers too, as every other implementation does: a CA for
	 * servers makes no clients. */
	if (!trust->any_purpose && x->has_purposes && !permits_purpose(x, trust->purpose)) {
		findings_add(findings, CLASS_WRONG_PURPOSE, depth, 0, 0, "extended key usage");
	}
	/* RFC 8446 4.4.2.4: a key that is not for signatures proves nothing in a handshake */
	if (role == ROLE_LEAF && x->has_key_usage &&
	    (x->key_usage & KEY_USAGE_DIGITAL_SIGNATURE) == 0) {
		findings_add(findings, CLASS_WRONG_PURPOSE, depth, 0, 0,
		             "key usage without digitalSignature");
	}
}

static void check_strength(struct findings *findings, const struct trust *trust,
                           const struct cert *cert, int depth, enum role role)
{
	const struct cert_x509 *x = cert->x509;
	const char *weakness = key_weakness(&x->key_kind, trust->profile);
	if (weakness == NULL && role != ROLE_ANCHOR) {
		weakness = signature_weakness(&x->signature_kind, trust->profile);
	}
	if (weakness != NULL) {
		findings_add(findings, CLASS_WEAK_ALGORITHM, depth, 0, 0, weakness);
	}
}

void rules_check_cert(struct findings *findings, const struct trust *trust, const struct cert *cert,
                      int depth, enum role role, int64_t now_s)
{
	if (role == ROLE_LEAF && cert->x509->key == NULL) {
		findings_add(findings, CLASS_UNSUPPORTED_KEY, depth, 0, 0, NULL);
	}
	if (cert->x509->unknown_critical) {
		findings_add(findings, CLASS_UNKNOWN_CRITICAL_EXTENSION, depth, 0, 0, NULL);
	}
	check_serial(findings, cert, depth);
	check_dates(findings, cert, depth, now_s);
	check_purpose(findings, trust, cert, depth, role);
	check_strength(findings, trust, cert, depth, role);
	if (role == ROLE_LEAF) {
		check_leaf(findings, cert, depth);
	}
}

static void check_issuer(struct findings *findings, const struct cert *cert, int depth)
{
	const struct cert_x509 *x = cert->x509;
	/* RFC 5280 6.1.4 (k): version 1 and 2 certificates, which cannot say it, are no CAs here
	 * either */
	if (!x->ca) {
		findings_add(findings, CLASS_ISSUER_NOT_CA, depth, 0, 0, "basic constraints");
	} else if (x->has_key_usage && (x->key_usage & KEY_USAGE_KEY_CERT_SIGN) == 0) {
		/* RFC 5280 6.1.4 (n) */
		findings_add(findings, CLASS_ISSUER_NOT_CA, depth, 0, 0,
		             "key usage without keyCertSign");
	}
}

/* RFC 5280 4.2.1.9: how many intermediates that are not self-issued may stand between it and the
 * leaf */
static void check_path_lengths(struct findings *findings, const struct cert *const *path,
                               size_t count)
{
	uint32_t below = 0;
	for (size_t i = 1; i < count; i++) {
		const struct cert_x509 *x = path[i]->x509;
		if (x->ca && x->has_path_length && below > x->path_length) {
			findings_add(findings, CLASS_PATH_LENGTH_EXCEEDED, (int)i, 0, 0, NULL);
		}
		below += x->self_issued ? 0 : 1;
	}
}

/* RFC 5280 6.1.3 (b), (c): every certificate against the constraints of all above it */
static bool check_names(struct findings *findings, const struct cert *const *path, size_t count,
                        unsigned *comparisons)
{
	for (size_t i = 1; i < count; i++) {
		if (!path[i]->x509->has_constraints) {
			continue;
		}
		for (size_t k = 0; k < i; k++) {
			/* Self-issued intermediates are exempt: a CA may rename nothing by
			 * changing its key. */
			if (k > 0 && path[k]->x509->self_issued) {
				continue;
			}
			const char *detail = constraints_check(path[i], path[k], comparisons);
			if (*comparisons == 0) {
				return false;
			}
			if (detail != NULL) {
				findings_add(findings, CLASS_NAME_NOT_PERMITTED, (int)k, 0, 0,
				             detail);
			}
		}
	}
	return true;
}

bool rules_check_path(struct findings *findings, const struct trust *trust,
                      const struct cert *const *path, size_t count, bool anchored, int64_t now_s,
                      unsigned *comparisons)
{
	for (size_t i = 0; i < count; i++) {
		enum role role = i == 0                       ? ROLE_LEAF
		                 : anchored && i + 1 == count ? ROLE_ANCHOR
		                                              : ROLE_ISSUER;
		rules_check_cert(findings, trust, path[i], (int)i, role, now_s);
		if (i > 0) {
			check_issuer(findings, path[i], (int)i);
		}
	}
	check_path_lengths(findings, path, count);
	/* Leaf and root are no intermediates, be the root trusted or not. */
	size_t above = count - 1;
	bool rooted = anchored || path[count - 1]->x509->self_issued;
	size_t intermediates = rooted && above > 0 ? above - 1 : above;
	if (intermediates > trust->max_depth) {
		findings_add(findings, CLASS_CHAIN_TOO_LONG, (int)trust->max_depth + 1, 0, 0, NULL);
	}
	return check_names(findings, path, count, comparisons);
}

void rules_narrow(const struct cert *cert, int64_t now_s, int64_t *from_s, int64_t *until_s)
{
	/* The first second of each state. */
	const int64_t changes[] = {cert->not_before_s, cert->not_after_s + 1};
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		if (changes[i] <= now_s && changes[i] > *from_s) {
			*from_s = changes[i];
		}
		if (changes[i] > now_s && changes[i] < *until_s) {
			*until_s = changes[i];
		}
	}
}
