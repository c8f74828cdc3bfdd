/* Name constraints (RFC 5280 4.2.1.10, 6.1.3): may this CA certify these names? Private to peer/.
 *
 * Every doubt is a no. Decided here: dNSName, rfc822Name (of the subject too), URI, iPAddress,
 * directoryName. A form that we cannot compare violates any constraint of that form; so does a
 * name, or a constraint, that breaks its syntax. A DNS name with a wildcard violates an excluded
 * subtree that any of its names would. Thread: any. */
#pragma once

#include "peer/cert.h"

/* NULL when all names of `cert` are within what `issuer` may certify; else what violates it,
 * static. Counts *comparisons down, one for each name and subtree and one more for every 128 bytes of
 * them; at 0 it stops, and the answer is worth nothing. */
const char *constraints_check(const struct cert *issuer, const struct cert *cert,
                              unsigned *comparisons);
