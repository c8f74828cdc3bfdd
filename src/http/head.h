/* The head of an HTTP/1.x message: read strictly, because whatever two parsers read differently can smuggle a request.
 *
 * A head is bytes in one piece of memory and slices into it; nothing is allocated or copied. Lines end with CRLF and with nothing
 * else (RFC 9112 2.2 allows a bare LF, and every smuggling vector of the last years used such a liberty). What is refused, with
 * which status, stands at the top of head.c.
 *
 * Thread: any; nothing is kept. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define HTTP_FIELDS_MAX 256

enum http_verb {
	HTTP_OTHER,
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_TRACE,
	HTTP_PATCH,
	HTTP_CONNECT
};

/* Fields that somebody on the way has to know; every other name is HTTP_FIELD_OTHER. */
enum http_field_id {
	HTTP_FIELD_OTHER,
	HTTP_FIELD_HOST,
	HTTP_FIELD_CONNECTION,
	HTTP_FIELD_KEEP_ALIVE,
	HTTP_FIELD_PROXY_CONNECTION,
	HTTP_FIELD_PROXY_AUTHENTICATE,
	HTTP_FIELD_PROXY_AUTHORIZATION,
	HTTP_FIELD_TE,
	HTTP_FIELD_TRAILER,
	HTTP_FIELD_TRANSFER_ENCODING,
	HTTP_FIELD_CONTENT_LENGTH,
	HTTP_FIELD_UPGRADE,
	HTTP_FIELD_HTTP2_SETTINGS,
	HTTP_FIELD_EXPECT,
	HTTP_FIELD_VIA,
	HTTP_FIELD_MAX_FORWARDS,
	HTTP_FIELD_FORWARDED,
	HTTP_FIELD_X_FORWARDED, /* every name that begins with x-forwarded-, and x-real-ip, with - or _ */
};

struct http_field {
	struct slice name;  /* a token (RFC 9110 5.6.2), as it was written */
	struct slice value; /* without the white space around it */
	enum http_field_id id;
};

enum http_framing { HTTP_NO_BODY, HTTP_LENGTH, HTTP_CHUNKED, HTTP_UNTIL_CLOSE };

struct http_limits {
	size_t line;     /* of a request line without CRLF: 414 beyond */
	size_t head;     /* all of it: 431 beyond (a response: bad) */
	unsigned fields; /* at most HTTP_FIELDS_MAX: 431 beyond */
};

/* How far an incomplete head was looked at already, so that a head that comes byte by byte is not read again each time. Zero
 * to begin with; kept beside the bytes, which may move. */
struct http_scan {
	size_t checked;  /* bytes whose lines were found good */
	unsigned fields; /* in them */
};

struct http_head {
	/* request */
	struct slice method;
	enum http_verb verb;
	struct slice target; /* as written */
	struct slice path; /* of origin-form and absolute-form; "/" for an empty one, but "*" of OPTIONS for the whole server */
	struct slice query; /* with its "?"; empty: none */
	struct slice authority; /* of Host, and the same as the target's if that is absolute: host and port as written */
	struct slice host; /* of it, without port; an IPv6 address in its brackets */
	uint16_t port;     /* 0: none */
	/* response */
	unsigned status;
	struct slice reason;
	/* both */
	unsigned minor;            /* HTTP/1.minor: 0 or 1 */
	size_t bytes;              /* of the head, its empty line included */
	struct http_field *fields; /* the caller's memory, HTTP_FIELDS_MAX */
	size_t field_count;
	enum http_framing framing;
	uint64_t length; /* HTTP_LENGTH */
	bool close;      /* the connection does not persist after this message (RFC 9112 9.3) */
	bool expect_continue; /* request: Expect: 100-continue of an HTTP/1.1 client that has content to send */
	bool upgrade; /* Connection names upgrade, and an Upgrade field is there; HTTP/1.1 alone */
	/* HTTP_BAD */
	unsigned bad_status; /* request: 400, 414, 417, 431, 501, 505; trailer: 400, 431; response: 502 */
	const char *bad; /* a few words, static */
};

enum http_parsed { HTTP_MORE, HTTP_DONE, HTTP_BAD };

/* Reads the request head at the start of `bytes`. HTTP_MORE: it is not whole yet, what there is of it is good so far. head->fields
 * is set by the caller and everything else here. A leading empty line before the request line is refused, too. */
enum http_parsed http_request_parse(struct http_head *head, struct http_scan *scan,
                                    const struct http_limits *limits, struct slice bytes);
/* The same for a response to a request of this verb, which decides on the framing (RFC 9112 6.3). */
enum http_parsed http_response_parse(struct http_head *head, struct http_scan *scan,
                                     const struct http_limits *limits, struct slice bytes,
                                     enum http_verb verb);
/* Field lines and their empty line alone: a trailer section. Sets fields, field_count, bytes; Content-Length,
 * Transfer-Encoding, Host and other fields that mean something before a body are no error here: the caller drops them. */
enum http_parsed http_trailer_parse(struct http_head *head, const struct http_limits *limits,
                                    struct slice bytes);

/* Which field a name is, case-insensitive; for HTTP_FIELD_X_FORWARDED and identity headers `_` counts as `-`. */
enum http_field_id http_field_id(struct slice name);
/* A valid host[:port] as in Host (RFC 3986 3.2.2 without userinfo, reg-name limited to letters, digits and -._~, percent-encoding
 * refused); *host is the part before the port. The empty authority is invalid. */
bool http_authority_parse(struct slice authority, struct slice *host, uint16_t *port);
/* RFC 9110 5.6.2 token; not empty. */
bool http_is_token(struct slice s);
/* The elements of a comma-separated list (RFC 9110 5.6.1), one each call, white space and empty elements left out. False: no more. */
bool http_list_next(struct slice *rest, struct slice *element);
/* ASCII case folded. */
bool http_equal_fold(struct slice a, struct slice b);
/* Of GET, HEAD, OPTIONS, TRACE, PUT, DELETE (RFC 9110 9.2.2). */
bool http_is_idempotent(enum http_verb verb);
