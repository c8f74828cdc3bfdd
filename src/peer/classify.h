/* The judge: a presented chain, a service's trust and a moment -> verdict.
 *
 * Thread: a worker. No sockets, no files, no policy. */
#pragma once

#include <stdint.h>

#include "peer/chain.h"
#include "peer/trust.h"
#include "peer/verdict.h"

/* Judges `chain` (parsed here if need be) as of now_s (seconds since 1970 UTC). Possession is not looked at.
 * A trust without anchors gives CLASS_NOT_CHECKED unless the leaf is malformed or unsupported. E_NOMEM only. */
int peer_judge(struct verdict **out, const struct trust *trust, struct chain *chain, int64_t now_s);

/* A verdict of one finding (CLASS_POSSESSION_FAILED, CLASS_LIMIT_EXCEEDED, ...). `detail` is static or NULL. */
int verdict_single(struct verdict **out, enum peer_class class, int depth, const char *detail);
