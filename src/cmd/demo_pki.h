/* The throw-away PKI of the demo: CAs, a server certificate and one client identity for everything that can be wrong.
 *
 * Root, below it the intermediates DEV (which most of the demo's services trust) and TST (which one of them does, and no DEV). Every identity is
 * a row in demo_pki.c. Files go into one directory, PEM, "<name>.pem" (leaf first) and "<name>.key".
 *
 * Thread: one at a time while it is made, constant afterwards. */
#pragma once

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include "base/slice.h"

enum demo_id {
	DEMO_ROOT,
	DEMO_DEV,
	DEMO_TST,
	DEMO_SUB1,
	DEMO_SUB2,
	DEMO_LAST_CA,
	DEMO_ONE_MORE_CA,
	DEMO_NARROW_CA,
	DEMO_SERVER,
	DEMO_VALID,
	DEMO_EXPIRED,
	DEMO_EARLY,
	DEMO_UNTRUSTED,
	DEMO_SELF_SIGNED,
	DEMO_SERVER_ONLY,
	DEMO_WEAK,
	DEMO_TAMPERED,
	DEMO_BELOW_LEAF,
	DEMO_DEEP,
	DEMO_GARBAGE,
	DEMO_UNKNOWN_CURVE,
	DEMO_STOLEN,
	DEMO_TOO_LONG,
	DEMO_CRITICAL,
	DEMO_OTHER_NAME,
	DEMO_DENIED,
	DEMO_REVOKED,
	DEMO_NO_CRL,
	DEMO_NUL_NAME,
	DEMO_ID_COUNT,
	DEMO_NOBODY = DEMO_ID_COUNT, /* a client without a certificate */
};

#define DEMO_CHAIN_MAX 4

/* What a client presents. The private key need not fit: a stolen certificate comes with another one. */
struct demo_identity {
	const char *name;
	gnutls_privkey_t key;
	gnutls_pubkey_t pubkey; /* of `key`: the client chooses its signature by it, whatever the certificate says */
	gnutls_datum_t der;
	gnutls_pcert_st chain[DEMO_CHAIN_MAX]; /* borrows the DER of this one and its issuers, without the root */
	unsigned chain_count;
};

struct demo_pki {
	const char *dir;
	struct demo_identity ids[DEMO_ID_COUNT];
};

/* Writes a new file <dir>/<name><suffix>. E_LIMIT: the path is too long; else what open(2) or write(2) met. */
int demo_pki_write(const char *dir, const char *name, const char *suffix, struct slice content);

/* Makes everything and writes it below `dir` (kept by the caller, for as long as the PKI). E_IO, E_NOMEM, E_LIMIT, said
 * on stderr already. After any result demo_pki_release() frees what there is; the files are the caller's to remove. */
int demo_pki_make(struct demo_pki *pki, const char *dir);
void demo_pki_release(struct demo_pki *pki);
