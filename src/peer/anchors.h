/* A compiled trust as the judge sees it. Private to peer/. Thread: immutable, read by every
 * worker. */
#pragma once

#include <stdbool.h>

#include "config/config.h"
#include "peer/arena.h"
#include "peer/cert.h"
#include "peer/hostname.h"
#include "peer/trust.h"

struct anchor {
	struct trust_anchor shown;
	struct cert cert;
};

struct trust {
	struct anchor *anchors; /* in the order of the configuration, each certificate once */
	size_t count;
	size_t cap;
	const struct anchor **by_subject; /* sorted by the subject's bytes, then by order */
	struct arena arena;
	bool any_purpose;
	struct slice purpose; /* content of the OID; unset with any_purpose */
	enum profile profile;
	unsigned max_depth;
	bool servers;         /* of an upstream; else clients */
	struct hostname name; /* of the server; HOSTNAME_NONE for clients */
	uint8_t id[32];
};

/* The anchors with this subject (a whole Name, compared byte by byte): how many, and the first
 * of a row of pointers. */
size_t trust_find(const struct trust *trust, struct slice subject,
                  const struct anchor *const **first);
/* The anchor that is this very certificate; NULL. */
const struct anchor *trust_find_cert(const struct trust *trust, const struct cert *cert);

/* Reads one CA file into `trust`: every PEM CERTIFICATE block of it. What is wrong goes to
 * `diag` at `path`'s mark. */
int anchors_read(struct trust *trust, const struct config_text *path, const char *file,
                 struct diag *diag);
