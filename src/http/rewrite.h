/* Heads as we write them: what belongs to one hop is left behind, what no client may say is gone, and ours is said.
 *
 * Left out of both directions: the hop-by-hop fields (RFC 9110 7.6.1), those that Connection names, and all framing, which is written
 * anew from what the parser understood, so that the next reader cannot understand anything else. Out of requests also: identity headers,
 * Forwarded and X-Forwarded-*, Expect unless it is passed on. The order of what stays is kept.
 *
 * Thread: any; nothing is kept. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "http/head.h"
#include "http/identity.h"

struct http_outgoing {
	struct slice path;                  /* in place of the request's */
	struct slice host;                  /* Host; never empty */
	struct slice own;                   /* our fields, each "Name: value\r\n" */
	const struct identity_names *never; /* names that no client may send */
	bool websocket;                     /* pass the upgrade on */
	enum forwarded {
		HTTP_FORWARD_NOTHING,
		HTTP_FORWARD_X, /* X-Forwarded-Host; what is the same for all requests is in `own` */
		HTTP_FORWARD_RFC7239
	} forwarded;
	struct slice forwarded_for; /* RFC 7239 6: node, quoted where it has to be */
};

/* RFC 9110 7.6.2: over how many more hops a TRACE or OPTIONS may go; at 0 it is not passed on. False: it does not say so. */
bool http_max_forwards(const struct http_head *request, uint64_t *hops);
/* The request line, Host, what stays of the client's fields, ours, Via (RFC 9110 7.6.3), and the framing: chunked stays chunked, a length a length.
 * A Max-Forwards becomes one less. */
void http_request_write(struct buf *out, const struct http_head *head,
                        const struct http_outgoing *o);

/* The status line and fields of a response. The framing for the client is `framing` with `length`, which need not be the one that the
 * response came with. `close`: says so. `switching`: a 101 whose Upgrade stays. */
void http_response_write(struct buf *out, const struct http_head *head, enum http_framing framing,
                         uint64_t length, bool close, bool switching);

/* "SIZE CRLF": the line before a chunk's data; the data and a CRLF follow. size > 0. */
void http_chunk_begin(struct buf *out, size_t size);
/* What of a response's trailer section may go on, and the end of the body: fields that are framing, routing, or of this hop are left out
 * (RFC 9110 6.5.1). trailer NULL: none. */
void http_chunk_end(struct buf *out, const struct http_head *trailer);

/* The Upgrade field names websocket and nothing else, with the key and version that RFC 6455 4.2.1 wants. `key` is the client's. */
bool http_wants_websocket(const struct http_head *request, struct slice *key);
/* The first value of that name; empty: none. */
struct slice http_field_value(const struct http_head *head, struct slice name);
