#include "peer/crl_scope.h"

#include <stddef.h>

#include "peer/der.h"

#define COMPARISONS_MAX 4096

static const uint8_t distribution_points_oid[] = {0x55, 0x1d, 0x1f};

/* What stands in the extension's OCTET STRING; the certificate was read already. */
static bool find_extension(struct slice *out, const struct cert_x509 *cert, struct slice wanted)
{
	struct slice whole = cert->tbs;
	struct slice tbs;
	struct slice outer;
	struct slice extensions;
	if (!der_get(&whole, DER_SEQUENCE, &tbs)) {
		return false;
	}
	while (!der_next_is(tbs, DER_CONTEXT_CONSTRUCTED | 3)) {
		uint8_t tag;
		if (!der_any(&tbs, &tag, NULL, NULL)) {
			return false;
		}
	}
	if (!der_get(&tbs, DER_CONTEXT_CONSTRUCTED | 3, &outer) ||
	    !der_get(&outer, DER_SEQUENCE, &extensions)) {
		return false;
	}
	struct slice extension;
	while (der_get(&extensions, DER_SEQUENCE, &extension)) {
		struct slice oid;
		struct slice critical;
		if (!der_get(&extension, DER_OID, &oid)) {
			return false;
		}
		der_get(&extension, DER_BOOLEAN, &critical);
		if (slice_equal(oid, wanted)) {
			return der_get(&extension, DER_OCTET_STRING, out);
		}
	}
	return false;
}

/* Does one of the general names of `a` stand in `b`, byte for byte? */
static bool share_name(struct slice a, struct slice b, unsigned *left)
{
	struct slice name;
	struct slice other;
	uint8_t tag;
	while (der_any(&a, &tag, NULL, &name)) {
		struct slice rest = b;
		while (der_any(&rest, &tag, NULL, &other)) {
			if (*left == 0) {
				return false;
			}
			(*left)--;
			if (slice_equal(name, other)) {
				return true;
			}
		}
	}
	return false;
}

/* Two DistributionPointNames. Names relative to the CRL's issuer are relative to the same one. */
static bool same_point(struct slice a, struct slice b, unsigned *left)
{
	struct slice names;
	struct slice others;
	if (slice_equal(a, b)) {
		return true;
	}
	return der_get(&a, DER_CONTEXT_CONSTRUCTED | 0, &names) &&
	       der_get(&b, DER_CONTEXT_CONSTRUCTED | 0, &others) && share_name(names, others, left);
}

/* RFC 5280 6.3.3: of a certificate without a distribution point the issuer's name is one */
static bool names_issuer(struct slice point, struct slice issuer, unsigned *left)
{
	struct slice names;
	struct slice name;
	uint8_t tag;
	if (!der_get(&point, DER_CONTEXT_CONSTRUCTED | 0, &names)) {
		return false;
	}
	while (*left > 0 && der_any(&names, &tag, &name, NULL)) {
		(*left)--;
		if (tag == (DER_CONTEXT_CONSTRUCTED | 4) && slice_equal(name, issuer)) {
			return true;
		}
	}
	return false;
}

bool crl_scope_names(struct slice point, const struct cert_x509 *cert)
{
	unsigned left = COMPARISONS_MAX;
	struct slice value;
	struct slice points;
	struct slice in;
	if (names_issuer(point, cert->issuer, &left)) {
		return true;
	}
	if (!find_extension(&value, cert,
	                    slice_of(distribution_points_oid, sizeof(distribution_points_oid))) ||
	    !der_get(&value, DER_SEQUENCE, &points)) {
		return false;
	}
	while (left > 0 && der_get(&points, DER_SEQUENCE, &in)) {
		struct slice name;
		/* [1] reasons and [2] cRLIssuer, if any, are all that may follow. */
		if (der_get(&in, DER_CONTEXT_CONSTRUCTED | 0, &name) && in.len == 0 &&
		    same_point(name, point, &left)) {
			return true;
		}
	}
	return false;
}
