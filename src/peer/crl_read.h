/* The bytes of a CRL, read strictly: RFC 5280 5.1 to 5.3, DER. Private to peer/.
 *
 * Everything points into the bytes that were read. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "peer/algorithm.h"
#include "peer/crl.h"

struct crl_parts {
	struct slice tbs; /* what is signed */
	struct slice signature;
	struct signature_kind kind; /* one that can be verified */
	struct slice issuer;        /* the Name, whole, never empty */
	struct slice issuer_content;
	unsigned version; /* 1, 2 */
	int64_t this_update_s;
	int64_t next_update_s; /* 0: none is given */
	struct slice revoked;  /* content of revokedCertificates, every entry checked */
	size_t entries;
	struct slice number;             /* octets of the CRL number without sign; empty: none */
	struct slice authority_key_id;   /* empty: none */
	struct slice distribution_point; /* the DistributionPointName it is for; empty: any */
	bool only_users;
	bool only_cas;
};

/* E_INVALID: *why is a static sentence. */
int crl_read(struct crl_parts *out, struct slice der, const char **why);
/* The next one of `revoked`, with the content of its serial's INTEGER. False: there is none, or with *why set it is
 * malformed. */
bool crl_read_entry(struct slice *revoked, unsigned version, struct slice *serial,
                    struct crl_entry *entry, const char **why);
