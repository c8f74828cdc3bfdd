/* What one service trusts of clients, or one upstream of a server: its anchors and the rules that a chain has to keep,
 * compiled and immutable.
 *
 * Anchors are trusted keys (RFC 5280 6.1.1 d): an intermediate CA can be one. Dates, CA flag, key
 * usage, path length and name constraints of an anchor count like those of any other issuer; only
 * its own signature does not. A leaf that is an anchor itself is accepted when it is
 * self-signed, and by nothing else: an anchor signed by somebody else needs its path as every
 * certificate.
 *
 * A pinned trust has no anchors: who is trusted stands in allow lists alone (lists.h), certificate by certificate.
 *
 * Thread: made by the main thread; read by every worker (counted by the snapshot that owns it). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/slice.h"
#include "config/config.h"
#include "peer/chain.h"
#include "peer/verdict.h"

struct crl;
struct trust;

/* Reads client.ca and client.issuers, and compiles purpose, profile, max_depth and, of `limits`, the work that a chain may
 * make (signature_checks, name_comparisons; 0: the default, 32 and 65,536). `file` is the configuration's
 * name for `diag`. Errors: missing, empty or unparsable file (each of its PEM certificates has to parse; at most 16 MiB), bad
 * purpose, issuers without a CA; with `trust: pinned` whatever asks for a CA (ca, issuers, crl, crl_fetch, revocation, ocsp), and no
 * `allow`. Warnings: a CA expired, not yet valid or within 30
 * days of its end, one that is no CA, one with a key that the profile refuses; an issuer that is no CA, or an anchor itself and so in every path. E_INVALID when
 * `diag` got an error; E_NOMEM. Nothing of `client` is kept. */
int trust_new(struct trust **out, const struct config_client *client,
              const struct config_limits *limits, const char *file, struct diag *diag);
/* The same for a server of an upstream: its CAs, purpose serverAuth, profile medium, 4 intermediates at most, and the name that
 * the leaf has to carry (hostname.h): a host name or, where `name` is one, an address. Another one is a finding `wrong_name`.
 * `verify: none`: no file is read and there are no anchors, so that verdicts are not_checked. More errors: no `ca` or
 * no `name` (NULL) with `verify: required`; a `name` that none can be. `name` is copied. Each call tells about the files
 * anew. */
int trust_new_server(struct trust **out, const struct config_upstream_tls *config, const char *name,
                     const char *file, struct diag *diag);
/* Takes *trust and leaves NULL there; NULL is fine. */
void trust_free(struct trust **trust);

/* Everything that can change a verdict, hashed: anchors' content and files, issuers, purpose, profile,
 * depth, bounds of work, whether clients or servers are judged, pinned or by path, the name, and the judging code's own
 * version. 32 bytes. */
const uint8_t *trust_id(const struct trust *trust);

struct trust_anchor {
	const char *subject; /* RFC 4514 text as in dn.text: UTF-8 without control characters */
	struct slice subject_der; /* the Name as it goes into CertificateRequest */
	struct slice der;
	int64_t not_before_s;
	int64_t not_after_s;
	const char *file;
	struct mark at; /* where the configuration names the file */
	uint8_t sha256[32];
};

/* Each certificate once, in the order of the files. 0 when the service has no CA (passthrough, mode none or
 * pinned), and for servers with `verify: none`. */
size_t trust_anchor_count(const struct trust *trust);
const struct trust_anchor *trust_anchor_at(const struct trust *trust, size_t i);

/* Whose CRL it is, by the CAs that the operator named: anchors and issuers of this trust. */
enum crl_signer {
	CRL_SIGNER_UNKNOWN, /* none of them has its issuer's name (RFC 5280 7.1): an intermediate's, maybe */
	CRL_SIGNER_FALSE, /* they have the name, and none of their keys signed it */
	CRL_SIGNER_TRUE,
};
/* Thread: any; one signature check for each CA of that name. */
enum crl_signer trust_crl_signer(const struct trust *trust, const struct crl *crl);
