/* Whenever we say `ok`, GnuTLS and OpenSSL are asked the same: may this chain log in at this moment, under these anchors, for this
 * purpose, with keys and signatures of this strength?
 *
 * First with everything that was presented; if that is refused, with our path alone, since neither tries every path. Who still
 * refuses disagrees, and that has to be on a list of accepted disagreements, each with its reason (README.md). Thread: one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "config/config.h"
#include "peer/chain.h"
#include "peer/verdict.h"

struct differential_question {
	const struct chain *chain;     /* what was presented */
	const struct verdict *verdict; /* ours: ok, with a path */
	const struct slice *anchors;   /* DER */
	size_t anchor_count;
	enum profile profile;
	bool any_purpose; /* else clientAuth */
	unsigned max_depth;
	int64_t now_s;
};

enum differential_library { DIFFERENTIAL_GNUTLS, DIFFERENTIAL_OPENSSL, DIFFERENTIAL_COUNT };

#define DIFFERENTIAL_UNREADABLE (-1) /* code: OpenSSL cannot read a certificate of the path */

struct differential_answer {
	bool agrees;
	bool by_path; /* with our path alone */
	int code; /* OpenSSL: X509_V_ERR_; GnuTLS: bits of gnutls_certificate_status_t, or an error below 0 */
	int depth;      /* OpenSSL: of the certificate that it stopped at, else 0 */
	char text[200]; /* in words */
};

const char *differential_name(enum differential_library library);
void differential_ask(struct differential_answer *out, enum differential_library library,
                      const struct differential_question *question);

/* The certificates of our path, leaf first, its anchor last; how many. */
size_t differential_path(struct slice out[static VERDICT_PATH_MAX],
                         const struct differential_question *question);
/* Why a refusal is accepted, static; NULL: it is not. */
const char *differential_accepted(enum differential_library library,
                                  const struct differential_question *question,
                                  const struct differential_answer *answer);
