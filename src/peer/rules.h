/* What a path and its certificates have to keep, whoever signed them. Private to peer/. Thread:
 * one worker. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peer/anchors.h"
#include "peer/cert.h"
#include "peer/findings.h"

enum role { ROLE_LEAF, ROLE_ISSUER, ROLE_ANCHOR };

/* The certificate alone: dates, purpose, strength, critical extensions, kind of key.
 * The anchor's own signature is not looked at: its key is trusted by configuration. */
void rules_check_cert(struct findings *findings, const struct trust *trust, const struct cert *cert,
                      int depth, enum role role, int64_t now_s);
/* A path, leaf first; `anchored`: its last certificate is an anchor. Each certificate, and what
 * they are to each other: CA flag, certificate signing, path length, number of intermediates,
 * name constraints. False: `comparisons`, the names that may still be compared, went down to 0;
 * the findings are worth nothing then. */
bool rules_check_path(struct findings *findings, const struct trust *trust,
                      const struct cert *const *path, size_t count, bool anchored, int64_t now_s,
                      unsigned *comparisons);

/* Narrows [*from_s, *until_s), which holds now_s, to where no date of the certificate passes. */
void rules_narrow(const struct cert *cert, int64_t now_s, int64_t *from_s, int64_t *until_s);
