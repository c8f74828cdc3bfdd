/* Reads a ClientHello message: evidence for the event, and what is on offer for the negotiation.
 *
 * Only whole messages as GnuTLS put them together from their records are parsed, never a stream
 * (CVE-2026-32305: a proxy that sniffed records took a split hello for one without a name).
 * Thread: any. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"
#include "tls/hello.h"

/* Borrowed from the message: two-byte numbers in network order, alpn as RFC 7301 list. */
struct hello_offer {
	bool has_versions; /* hello.versions is from supported_versions; else it is the legacy field, a maximum */
	struct slice suites;
	struct slice groups;     /* data NULL: the extension is absent */
	struct slice signatures; /* data NULL: the extension is absent */
	struct slice alpn;       /* data NULL: the extension is absent */
};

/* `body` is the handshake message without its 4-byte header. E_INVALID: malformed, or an extension twice; what was
 * read before the fault stays in `hello` as evidence. */
int hello_parse(struct hello *hello, struct hello_offer *offer, struct slice body);
