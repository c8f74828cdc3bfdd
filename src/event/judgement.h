/* A verdict by itself, outside of any handshake: one JSON object, as `tlscribe classify` prints it.
 *
 * Names and spelling are those of a handshake event wherever that has the same. Thread: any; nothing is kept. */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "peer/chain.h"
#include "peer/verdict.h"

#define JUDGEMENT_MAX (1 << 20)

/* `chain` is parsed and was judged as of at_s. ASCII, one line, without its end. E_OK, or buf's error. */
int event_encode_judgement(struct buf *out, const struct chain *chain,
                           const struct verdict *verdict, int64_t at_s);
