/* One certificate revocation list, read and made small: RFC 5280 section 5.
 *
 * Entries take 16 bytes each and are looked up by a hash of the serial number, so that 500,000 of them are 8 MiB and found
 * in well below a microsecond; the file itself is not kept. Immutable, atomically counted: one object serves every worker and every
 * service that names it.
 *
 * Refused when read, with a sentence: indirect CRLs and those with an unknown critical extension (5.2.5, 5.3.3), delta CRLs
 * (5.2.4: one says nothing by itself), versions other than 2 but for v1 without extensions, what breaks DER. Whether its
 * issuer really signed it is a question to each path: crl_is_signed_by(). Entries of any reason revoke, and so does one whose reason is unknown.
 *
 * What an EdDSA key signed is kept whole, since such a signature cannot be checked by a digest (RFC 8032 5.1.7): then the file's size
 * comes on top.
 *
 * Thread: made by the main thread; read by every worker. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "config/config.h"
#include "peer/cert.h"

#define CRL_BYTES_MAX (256 << 20)

struct crl;

struct crl_entry {
	int64_t revoked_at_s;
	unsigned reason; /* RFC 5280 5.3.1; 0: unspecified */
};

/* What events and people are told. */
struct crl_info {
	const char *issuer;            /* RFC 4514 text as in dn.text */
	struct slice issuer_der;       /* the Name, whole */
	struct slice issuer_folded;    /* the same, as names are compared (name_fold()) */
	struct slice authority_key_id; /* empty: none */
	char number[41];               /* upper-case hexadecimal; "": none */
	int64_t this_update_s;
	int64_t next_update_s; /* 0: none is given */
	size_t entries;
	size_t bytes; /* of memory behind it */
	bool only_users,
		only_cas; /* issuingDistributionPoint: onlyContainsUserCerts, onlyContainsCACerts */
};

/* Reads one DER CRL. E_INVALID: *why says what is wrong, a static sentence; E_NOMEM. One reference. */
int crl_parse(struct crl **out, struct slice der, const char **why);
struct crl *crl_ref(struct crl *crl);
/* Takes *crl and leaves NULL there; NULL is fine. */
void crl_unref(struct crl **crl);
/* There is more than one reference. */
bool crl_is_shared(const struct crl *crl);
const struct crl_info *crl_info(const struct crl *crl);
/* The certificate with this serial (raw INTEGER content, as struct cert has it) is on it. Dates before 1970 and after 2106 are held at
 * these ends. */
bool crl_find(const struct crl *crl, struct slice serial, struct crl_entry *entry);
/* Did this CA's key sign it (5.1.1.3)? One signature check; it is up to the caller to count it. The names are not compared. An
 * issuer that was not parsed signed nothing. */
bool crl_is_by_key_of(const struct crl *crl, const struct cert *issuer);
/* The same, and does this certificate let it (keyUsage cRLSign if there is a keyUsage, 4.2.1.3)? */
bool crl_is_signed_by(const struct crl *crl, const struct cert *issuer);
/* Would this certificate of its issuer be on it, once revoked (5.2.5, 6.3.3 b 2)? Not if the CRL is for users or for CAs only, or for
 * a distribution point that the certificate does not name. */
bool crl_covers(const struct crl *crl, const struct cert *cert);
/* NULL, or why its signature is too weak for this profile, static. */
const char *crl_weakness(const struct crl *crl, enum profile profile);
