/* Encoders: hello + verdict + decision -> canonical bytes, once, never touched again.
 *
 * An encoder writes everything of the line but its head: the journal puts
 * `{"event":{"sequence":N,` (EVENT_HEAD) before what is written here, so a body starts at
 * `"id":"...` and ends with the closing brace. ASCII only, compact, key order = order of
 * fields.def, at most EVENT_BODY_MAX bytes; the same input always gives the same bytes. Strings
 * are cut at 1,024 encoded bytes, arrays at 32 elements; tlscribe.truncated names what was cut.
 *
 * Thread: any; nothing is kept. */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "event/handshake.h"

#define EVENT_MAX 65535 /* a whole entry: tlog-tiles bundles count in uint16 */
#define EVENT_HEAD "{\"event\":{\"sequence\":"
#define EVENT_BODY_MAX (EVENT_MAX - (sizeof(EVENT_HEAD) - 1) - 20 - 1) /* 20 digits and a comma */

#define EVENT_MINIMAL_MAX 4096
#define EVENT_LABELS_MAX 16384

/* What every entry of this process says; constant after start. */
struct event_source {
	const char *node;
	const char *log;  /* "<origin>/<node>/<epoch>" */
	const char *boot; /* ID_BOOT_LEN characters */
	struct slice labels; /* event_labels_encode() of the node's labels, for entries without a service */
};

struct event_label {
	const char *name;
	const char *value;
};

/* Writes the `labels` object's text, e.g. {"site":"ams1"}; nothing for no labels. Later names
 * win, and an empty value takes a name away. E_LIMIT: a name or value over 1,024 encoded bytes,
 * or EVENT_LABELS_MAX in all: labels come from the configuration, so they are refused at start
 * and never cut. */
int event_labels_encode(struct buf *out, const struct event_label *labels, size_t count);

/* E_OK, or buf's error (E_LIMIT cannot happen with EVENT_BODY_MAX of room: see the cutting
 * rules). */
int event_encode_handshake(struct buf *out, const struct event_source *from,
                           const struct handshake *hs);

/* The event that is possible without any memory: id, times, class internal_error. Always fits
 * EVENT_MINIMAL_MAX bytes. */
int event_encode_minimal(struct buf *out, const struct event_source *from,
                         const struct handshake *hs);

/* request and request-denied. */
struct request_event {
	char id[ID_MAX + 1];
	const char *connection;   /* id of the handshake */
	bool denied;              /* action request-denied; outcome failure */
	enum denied_by denied_by; /* with `denied`: verify, route, authority or request */
	const char *detail;       /* with `denied`: a few words, static; NULL */
	int64_t start_us, end_us; /* head complete; last byte of the answer */
	uint64_t duration_ns;
	struct endpoint source, destination, peer; /* as in struct handshake */
	const struct event_service *service;
	/* As the client sent them, any byte but those that the parser refuses; empty: unknown. */
	struct slice method;
	struct slice host; /* without port */
	struct slice path;
	struct slice query; /* only where the service allows it; without "?" */
	unsigned status;    /* of the answer; 0: none was sent */
	bool cut_off;       /* with a status: not all of the answer was sent */
	uint64_t request_bytes,
		response_bytes; /* of the bodies; the second means nothing without a status */
	const char *upstream;   /* address of the server it went to; NULL */
	enum peer_class class;  /* of the connection's handshake */
	bool verified;
	struct slice user_name;    /* empty unless verified */
	const struct slice *roles; /* as struct qualified has them; shown only if verified */
	size_t role_count;
};
/* E_OK, or buf's error. BUG: `denied` without a denied_by, or one without `denied`. */
int event_encode_request(struct buf *out, const struct event_source *from,
                         const struct request_event *request);

/* connection-end. */
struct connection_end {
	char id[ID_MAX + 1];
	const char *connection; /* id of the handshake */
	int64_t start_us, end_us;
	uint64_t duration_ns;
	struct endpoint source, destination;
	struct endpoint peer;                     /* as in struct handshake */
	uint64_t source_bytes, destination_bytes; /* application bytes from and to the client */
	const struct event_service *service;
	const char *close_reason; /* proxy/close_reasons.def */
	const char *sentence;
	bool failed; /* the row says whose fault; outcome failure */
};
int event_encode_connection_end(struct buf *out, const struct event_source *from,
                                const struct connection_end *end);

/* connection-revoked: what was said of a client's live connection is no longer true. */
struct connection_revoked {
	char id[ID_MAX + 1];
	const char *connection; /* id of the handshake */
	int64_t at_us;
	/* As of now: endpoints, service, chain, verdict, class, decision, tolerated, verified and
	 * policy of a handshake that would come now. What belongs to the TLS session alone (hello,
	 * tls, times, evidence but for the chain) is not looked at. */
	const struct handshake *now;
	enum decision before; /* the decision that it was let in with */
	const char *cause;    /* "date", "list", "policy", "removed": what changed; static */
	bool closed;          /* false: only logged (on_change: log) */
};
/* E_OK, or buf's error. BUG: `now` is an egress handshake, or without a policy. */
int event_encode_connection_revoked(struct buf *out, const struct event_source *from,
                                    const struct connection_revoked *revoked);

/* audit.*: one function each. `id` is the entry's own. */
struct audit_start {
	const char *version;
	int64_t at_us;
	bool last_stop_clean;       /* false also when there was no earlier run: see first */
	bool first;                 /* an empty journal */
	uint64_t recovered_entries; /* durable entries found */
	uint64_t torn_bytes;        /* cut off behind the last valid commit */
	unsigned workers;
	long pid;
};
int event_encode_audit_start(struct buf *out, const struct event_source *from, const char *id,
                             const struct audit_start *a);

struct audit_stop {
	int64_t at_us;
	const char *reason;        /* "SIGTERM", ... */
	uint64_t handshakes;       /* of this run */
	uint64_t open_connections; /* cut off at the drain deadline */
};
int event_encode_audit_stop(struct buf *out, const struct event_source *from, const char *id,
                            const struct audit_stop *a);

struct audit_heartbeat {
	int64_t at_us;
	uint64_t connections; /* open now */
	uint64_t handshakes;  /* of this run */
	uint64_t refused;     /* closed at accept because the journal could not be written */
};
int event_encode_audit_heartbeat(struct buf *out, const struct event_source *from, const char *id,
                                 const struct audit_heartbeat *a);

/* audit.config spans as many entries as it needs (tlscribe.audit.part of .parts). */
struct audit_file {
	const char *path;
	const char *kind; /* "ca", "certificate", "issuer", "crl", "allow", "deny" */
	uint8_t sha256[32];
	const char *subject; /* of the first certificate; of a CRL, its issuer; NULL */
	int64_t not_before_s, not_after_s; /* of a certificate with a subject */
	size_t entries;                    /* of "crl", "allow" and "deny" */
	int64_t this_update_s;             /* of "crl" */
	int64_t next_update_s;             /* of "crl"; 0: none is given */
};
struct audit_config {
	int64_t at_us;
	uint64_t epoch;
	const uint8_t *sha256; /* of the configuration: file bytes and content of all it names */
	const char *reason;    /* "start", "reload" or "lists" */
	const uint8_t *previous_sha256; /* of the one before in this run; NULL */
	const char *text;               /* redacted copy */
	const struct audit_file *files;
	size_t file_count;
};
/* How many entries it takes. */
unsigned event_audit_config_parts(const struct audit_config *a);
/* Writes part `part` (from 1). */
int event_encode_audit_config(struct buf *out, const struct event_source *from, const char *id,
                              const struct audit_config *a, unsigned part);

/* audit.gap: `count` connections were closed at accept between the two moments because the
 * journal could not be written. */
struct audit_gap {
	int64_t at_us, from_us, until_us;
	uint64_t count;
	const char *cause; /* a few words */
};
int event_encode_audit_gap(struct buf *out, const struct event_source *from, const char *id,
                           const struct audit_gap *a);
