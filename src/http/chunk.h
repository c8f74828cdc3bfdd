/* The chunked transfer coding (RFC 9112 7.1), decoded: sizes and CRLFs are checked byte by byte, data is handed on where it lies.
 *
 * Refused: a size without or with other than hexadecimal digits, of more than 16 of them or beyond 2^63 - 1, white space around the size, line ends
 * other than CRLF, extensions of more than HTTP_CHUNK_EXTENSIONS bytes a chunk or with control bytes (CR and LF hide chunks: CVE-2025-55315),
 * trailer sections beyond their limits. Extensions are dropped: nobody on the way needs them (RFC 9112 7.1.1).
 *
 * Thread: one at a time. */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "http/head.h"

#define HTTP_CHUNK_EXTENSIONS 256

enum http_chunk {
	HTTP_CHUNK_MORE, /* all of `bytes` was taken, the body goes on */
	HTTP_CHUNK_DATA, /* *data is the next piece of the body, inside of `bytes` */
	HTTP_CHUNK_END, /* the body is over; *bytes begins behind it; trailer() has what came last */
	HTTP_CHUNK_BAD
};

struct http_chunked {
	int state;
	uint64_t left; /* of the chunk's data, or its size so far */
	unsigned digits;
	unsigned extension; /* bytes of this chunk's */
	struct buf trailer; /* the section's lines with their empty line, kept only if there is a field */
	const char *bad; /* HTTP_CHUNK_BAD: a few words, static */
};

/* `trailer_max`: bytes of the trailer section. Ends with http_chunked_release(). */
void http_chunked_init(struct http_chunked *c, size_t trailer_max);
void http_chunked_release(struct http_chunked *c);
/* One step: takes from the front of *bytes. Call again until it says MORE, END or BAD. */
enum http_chunk http_chunked_next(struct http_chunked *c, struct slice *bytes, struct slice *data);
/* After END: the trailer section for http_trailer_parse(); empty: there is none. */
struct slice http_chunked_trailer(const struct http_chunked *c);
