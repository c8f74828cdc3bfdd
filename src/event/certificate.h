/* The parts of a handshake event that come from the leaf that the peer presented: a client's,
 * or with `egress` a server's. Only for event/. */
#pragma once

#include "event/encoder.h"
#include "event/handshake.h"

/* The presented leaf, read; NULL if there is none or it cannot be read. */
const struct cert *certificate_leaf(const struct handshake *hs);
/* The first common name of a name; empty if there is none. */
struct slice certificate_common_name(const struct dn *name);
/* Who the leaf says it is: user.name of fields.def. Only for `verified` handshakes to be shown
 * as the user. */
struct slice certificate_identity(const struct cert *leaf);

/* tls.client.subject to tls.client.x509, or those of tls.server for egress; the fingerprints
 * alone if the leaf cannot be read. */
void put_certificate(struct encoder *e, const struct handshake *hs);
/* user.roles. `qualified` may be NULL. */
void put_roles(struct encoder *e, const struct qualified *qualified);
/* tlscribe.certificate. */
void put_usages(struct encoder *e, const struct cert *leaf);
/* tlscribe.revocation, as of now_us; nothing unless revocation was checked. */
void put_revocation(struct encoder *e, const struct revocation *told, int64_t now_us);
