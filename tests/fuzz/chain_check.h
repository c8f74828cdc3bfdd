/* What holds of every chain and every verdict, whatever was presented. */
#pragma once

#include "chain_input.h"
#include "fuzz_pki.h"
#include "peer/chain.h"
#include "peer/verdict.h"

/* From exact copies of the input's certificates, so that AddressSanitizer sees whoever reads beyond. NULL: a file with too many. The
 * caller's reference. */
struct chain *chain_check_new(const struct chain_input *in, const uint8_t *data, size_t size);
/* UTF-8 without control characters. */
void chain_check_text(struct slice text);
/* Of a parsed one: texts, lists and times within their bounds. */
void chain_check_evidence(const struct chain *chain);
/* Of a verdict under this trust at now_s: work within its limits, findings sorted, the class theirs, the path within the chain and
 * the anchors. */
void chain_check_verdict(const struct verdict *verdict, const struct fuzz_trust *trust,
                         const struct chain *chain, int64_t now_s);
/* The same in everything that somebody could see; `work`: in the counters, too. */
void chain_check_same(const struct verdict *a, const struct verdict *b, bool work);
