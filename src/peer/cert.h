/* One certificate read: the evidence in struct cert, and apart from it what the judge alone needs.
 *
 * Private to peer/. Reading is strict (RFC 5280 4.1, DER): what breaks the format stays `parsed
 * == false`, and so does what GnuTLS refuses to import, so that TLS 1.2 and 1.3 agree on what is
 * malformed. Thread: one at a time while reading, then immutable: anchors are read by every
 * worker. */
#pragma once

#include <gnutls/abstract.h>
#include <stdbool.h>
#include <stdint.h>

#include "peer/algorithm.h"
#include "peer/arena.h"
#include "peer/chain.h"

#define CERT_EXTENSIONS_MAX \
	256 /* more make a certificate malformed: they are compared with each other */

enum key_usage_bit {
	KEY_USAGE_DIGITAL_SIGNATURE = 1 << 0,
	KEY_USAGE_KEY_CERT_SIGN = 1 << 5,
	KEY_USAGE_CRL_SIGN = 1 << 6,
};

struct cert_x509 {
	struct slice tbs;       /* what is signed */
	struct slice signature; /* octets of the BIT STRING */
	struct slice issuer;    /* the Name, whole */
	struct slice subject;   /* the Name, whole */
	/* The same as RFC 5280 7.1 compares them (name_fold()): who issued is found by these. */
	struct slice issuer_folded;
	struct slice subject_folded;
	struct slice spki; /* whole */
	struct signature_kind signature_kind;
	struct key_kind key_kind;
	gnutls_pubkey_t key;        /* NULL: of a kind that we cannot use */
	bool self_issued;           /* subject and issuer are the same name */
	bool identity_malformed;    /* a name has what no name should hold */
	const char *identity_fault; /* what, static (identity.h); NULL: nothing */

	bool ca;
	bool has_path_length;
	uint32_t path_length;
	bool has_key_usage;
	unsigned key_usage; /* KEY_USAGE_* */
	bool has_purposes;
	struct slice purposes; /* content of ExtKeyUsageSyntax; its elements are OIDs, checked */
	struct slice authority_key_id; /* keyIdentifier; empty: none */
	struct slice subject_key_id;   /* empty: none */
	bool has_names;
	struct slice names; /* content of the subject alternative name's GeneralNames, checked */
	bool has_constraints;
	struct slice permitted; /* content of permittedSubtrees, empty: none */
	struct slice excluded;
	struct slice qc_statements; /* the extension's content, unread; empty: none */
	bool unknown_critical;      /* an extension is critical and not among those judged here */
	/* The fingerprints of its other self (ecdsa.h); unset without one. */
	bool has_twin;
	uint8_t twin_sha256[32];
	uint8_t twin_sha1[20];
};

/* Reads cert->der, which has to outlive the cert: nothing is copied that can point there. Sets
 * everything but `der`. E_OK also when it cannot be read. E_NOMEM only. Ends with
 * cert_release(). */
int cert_parse(struct cert *cert, struct arena *arena);
/* What an arena cannot free. A cert that was never parsed is fine. */
void cert_release(struct cert *cert);

/* The extensions of a TBSCertificate, content of the outer SEQUENCE. E_INVALID: malformed;
 * E_NOMEM. */
int cert_read_extensions(struct cert *cert, struct arena *arena, struct slice extensions);
