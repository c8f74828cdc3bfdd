/* Is a CRL that was split off for one distribution point for this certificate? Private to peer/.
 *
 * CAs cut long CRLs into parts, and each certificate names the part that it would be on. That a certificate is missing on the part
 * of others says nothing (RFC 5280 6.3.3 b 2 i). Thread: any. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"
#include "peer/cert.h"

/* `point` is the DistributionPointName of a CRL. True: the certificate has a distribution point by one of these names, not
 * one for some reasons of revocation or of another CRL issuer only, or the certificate's issuer is among the names. At most 4,096 pairs of
 * names are compared; what would take more is not found. */
bool crl_scope_names(struct slice point, const struct cert_x509 *cert);
