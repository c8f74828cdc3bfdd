/* Who the client is, in header fields for the back end: the presets, and the set of names that no client may send.
 *
 * The headers of each preset stand in identity.def, their grammar is told in docs/headers.md. Values never hold CR, LF, NUL or other control bytes; a value that would be longer
 * than IDENTITY_VALUE_MAX is never cut inside: parts that the grammar lets be absent are left out, else the whole header, and it is told
 * which (tlscribe.headers.omitted of the event). Rendered once a connection, when its handshake is over.
 *
 * Thread: compiled ones are immutable; rendering any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"
#include "config/config.h"

#define IDENTITY_VALUE_MAX 8000 /* nginx and many others take 8 KiB a line */
#define IDENTITY_TOTAL_MAX \
	32000 /* of all values together: 4 times 8 KiB is what nginx takes of a head */
#define IDENTITY_OMITTED_MAX \
	64 /* more than all presets have; the event says if it had to cut its list */
#define IDENTITY_EVENT_ID_HEADER "X-TLS-Event-Id" /* unless the service calls it something else */

enum identity_san_type { IDENTITY_SAN_DNS, IDENTITY_SAN_URI, IDENTITY_SAN_EMAIL, IDENTITY_SAN_IP };

struct identity_san {
	enum identity_san_type type;
	struct slice value; /* raw bytes of the certificate */
};

struct identity_attribute { /* of a distinguished name, in the order of the certificate */
	const char *name;   /* "CN", "O", "OU", "C", "L", "ST" */
	struct slice value; /* raw bytes */
};

/* What a handshake found out, as plain data that outlives the call. */
struct identity {
	bool used; /* a certificate was presented and its key's possession proven; all below `now_s` is unset otherwise */
	bool verified;          /* class ok and nothing tolerated */
	const char *class_name; /* "ok", "expired", "no_certificate", ... */
	const char *sentence;   /* of the class; ASCII */
	unsigned code;          /* X509_V_ERR number or ours; 0 exactly for class ok */
	int64_t now_s;

	struct slice der; /* of the leaf; empty, as the chain and the names are: one whose names are malformed goes into no header */
	const struct slice *chain; /* DER of what was presented behind the leaf, in the client's order */
	size_t chain_count;
	const uint8_t *sha256, *sha1; /* of the leaf: 32, 20 bytes */
	struct slice subject, issuer; /* RFC 4514, UTF-8 without control characters */
	const struct identity_attribute *subject_attributes, *issuer_attributes;
	size_t subject_attribute_count, issuer_attribute_count;
	struct slice serial; /* big-endian bytes */
	int64_t not_before_s, not_after_s;
	const struct identity_san *sans;
	size_t san_count;
	struct slice by; /* URI name of our own certificate, for xfcc; empty: none */
};

/* Names of preset headers that had to be left out, and "Header: part" where a part was. Static or the configuration's. */
struct identity_omitted {
	size_t count;
	const char *names[IDENTITY_OMITTED_MAX];
};

struct identity_headers;

/* Compiles service->identities, whose texts have to outlive it. Errors go to `diag` with their marks: a header in `only` or `names` that the preset does not have,
 * two headers of one name (custom ones and the event id's included), `absent` that the preset cannot do, `attributes` beside another preset than akamai. E_INVALID, E_NOMEM. */
int identity_headers_new(struct identity_headers **out, const struct config_service *service,
                         const char *file, struct diag *diag);
void identity_headers_free(struct identity_headers **headers);
/* Appends "Name: value\r\n" for every header of every preset that the service wants. */
void identity_headers_write(const struct identity_headers *headers, struct buf *out,
                            const struct identity *identity, struct identity_omitted *omitted);

/* The set of header names that only we may send: every preset's, on every service, plus what was added. Folded: ASCII case,
 * and `_` counts as `-`. Immutable once built. */
struct identity_names;
/* Begins with every header of every preset, and IDENTITY_EVENT_ID_HEADER. */
int identity_names_new(struct identity_names **out);
/* A renamed or custom header, or the event id's. E_NOMEM. */
int identity_names_add(struct identity_names *names, const char *name);
/* What service->identities[].names, headers and event_id_header add. */
int identity_names_add_service(struct identity_names *names, const struct config_service *service);
void identity_names_free(struct identity_names **names);
/* Is called for every field of every request: a look at length and first letter goes before the search. */
bool identity_names_has(const struct identity_names *names, struct slice name);
