/* What one service trusts: its anchors and the rules that a client chain has to keep, compiled and immutable.
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

struct trust;

/* Reads client.ca and compiles purpose, profile and max_depth. `file` is the configuration's name for `diag`.
 * Errors: missing, empty or unparsable CA file, bad purpose. Warnings: a CA expired, not yet valid or within
 * 30 days of it, one that is no CA. E_INVALID when `diag` got an error. */
int trust_new(struct trust **out, const struct config_client *client, const char *file, struct diag *diag);
void trust_free(struct trust **trust);

/* Everything that can change a verdict, hashed: anchors' content, purpose, profile, depth, and the
 * judging code's own version. 32 bytes. */
const uint8_t *trust_id(const struct trust *trust);

struct trust_anchor {
	const char *subject; /* RFC 4514 text, printable */
	struct slice subject_der; /* the Name as it goes into CertificateRequest */
	struct slice der;
	int64_t not_before_s;
	int64_t not_after_s;
	const char *file;
	uint8_t sha256[32];
};

/* 0 when the service has no CA (passthrough or mode none). */
size_t trust_anchor_count(const struct trust *trust);
const struct trust_anchor *trust_anchor_at(const struct trust *trust, size_t i);
