/* The judge: a presented chain, a service's trust and a moment -> verdict.
 *
 * A certificate that cannot be parsed is a finding wherever it stands in the chain: TLS 1.2 ends
 * there as well. Other certificates that the path does not need are not judged; when there is no
 * path to an anchor, all are. Critical extensions that are not processed make a path worthless
 * (which ones are: extensions.c); name constraints are processed (constraints.h). Too much work is
 * CLASS_LIMIT_EXCEEDED and nothing else (bounds: path.h). Issuer and subject names are linked as
 * RFC 5280 7.1 compares them, beyond ASCII by their bytes (name_fold()).
 *
 * Thread: a worker. No sockets, no files, no policy. */
#pragma once

#include <stdint.h>

#include "peer/chain.h"
#include "peer/lists.h"
#include "peer/trust.h"
#include "peer/verdict.h"

/* Judges `chain` (parsed here if need be) as of now_s (seconds since 1970 UTC). `lists` are those of
 * this trust; NULL: none, nothing is revoked or listed. Possession is not looked at. *out has one reference. E_NOMEM only.
 *
 * Deny lists are asked about every certificate of the path, and without one about everything presented; allow lists
 * about the leaf alone. `issuers` count with and without an anchor: none of them there is issuer_not_allowed. Revocation is
 * looked at on paths that lead to an anchor.
 *
 * A pinned trust looks at the leaf alone: its dates, purpose, strength and extensions, and the lists. A trust without
 * anchors that is not pinned gives CLASS_NOT_CHECKED unless a certificate is malformed, the leaf's key unsupported or its identity
 * malformed, or a list is against it. */
int peer_judge(struct verdict **out, const struct trust *trust, const struct lists *lists,
               struct chain *chain, int64_t now_s);

/* A verdict of one finding (CLASS_POSSESSION_FAILED, CLASS_LIMIT_EXCEEDED, ...). `detail` is
 * static or NULL. E_NOMEM. */
int verdict_single(struct verdict **out, enum peer_class class, int depth, const char *detail);
