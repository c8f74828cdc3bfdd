/* ClientHello messages made by hand, for clients that no TLS library wants to be. Thread: any. */
#pragma once

#include <stdint.h>

#include "base/buf.h"

/* What a ClientHello offers: zero-terminated lists. */
struct demo_hello {
	const char *server_name;
	uint16_t legacy_version;
	const uint16_t *versions; /* supported_versions; NULL: without the extension, as before TLS 1.3 */
	const uint16_t *ciphers;
	const uint16_t *groups; /* with a key share of random bytes for the first one if `versions` is there */
};

/* A well-formed ClientHello in its record. The result is in out->err. */
void demo_hello_write(struct buf *out, const struct demo_hello *hello);
/* The same hello, broken: its session id claims more bytes than the message has. */
void demo_hello_write_broken(struct buf *out);
/* A hello of `bytes` bytes of handshake, mostly padding, in as many records as that takes. */
void demo_hello_write_huge(struct buf *out, uint32_t bytes);
