/* What a certificate says of itself as a qualified one: its organization's identifier, and the
 * statements of eIDAS and PSD2 with the roles of a payment service provider.
 *
 * RFC 3739 3.2.6 and ETSI EN 319 412-5 (statements), EN 319 412-1 5.1.4 (organizationIdentifier),
 * TS 119 495 (PSD2). Evidence alone: it decides nothing, and what breaks the format is no evidence
 * and no fault of the certificate either. Reading is strict and linear in its length.
 *
 * Thread: one at a time while reading, then immutable. */
#pragma once

#include "base/slice.h"
#include "peer/arena.h"

#define QUALIFIED_ROLES_MAX 4

/* Lists keep their first CERT_VALUES_MAX values. Texts are the peer's bytes behind our words: any
 * byte can stand in them. */
struct qualified {
	/* 2.5.4.97 of the subject: "PSDDE-BAFIN-123456" */
	struct slice *organization_identifiers;
	size_t organization_identifier_count;
	/* A word each, with a value behind a colon where it has one: "qcCompliance", "qcSSCD",
	 * "qcType:web", "qcRetentionPeriod:10", "qcCClegislation:DE", "psd2Role:PSP_AI",
	 * "psd2NCAName:...", "psd2NCAId:DE-BAFIN"; unknown ones as their OID. */
	struct slice *statements;
	size_t statement_count;
	/* Those of PSD2 among them, each once, static texts: "PSP_AS", "PSP_PI", "PSP_AI",
	 * "PSP_IC". */
	struct slice *roles;
	size_t role_count;
};

/* `subject` is a well-formed Name, whole, and has to outlive *out; `statements` is the content of
 * the extension 1.3.6.1.5.5.7.1.3, empty: there is none. *out belongs to the arena; NULL: neither
 * of the two says anything. E_NOMEM only. */
int qualified_read(const struct qualified **out, struct arena *arena, struct slice subject,
                   struct slice statements);
