/* A configuration file as plain, checked data: names, numbers and lists, each with its place in the file.
 *
 * Made by config_load(); bound to YAML by options.def. Nothing is compiled here: certificates, CAs,
 * tolerance and addresses are opened by the rooms that use them (tls/creds, peer/trust, policy, net), which
 * report into the same struct diag with the marks kept here. Paths are absolute already (relative ones
 * count from the folder of the configuration file).
 *
 * Thread: immutable once loaded; shared freely. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"

struct config_text {
	char *text; /* NULL: not given and no default */
	struct mark at;
};

struct config_texts {
	struct config_text *items;
	size_t count;
	struct mark at; /* of the list itself */
};

struct config_label {
	struct config_text name;
	struct config_text value;
};

struct config_labels {
	struct config_label *items;
	size_t count;
};

enum verify_mode { VERIFY_NONE, VERIFY_OPTIONAL, VERIFY_REQUIRED, VERIFY_PASSTHROUGH };
enum profile { PROFILE_LEGACY, PROFILE_MEDIUM, PROFILE_HIGH };
enum service_mode { MODE_TCP, MODE_HTTP };
enum deny_mode { DENY_ALERT, DENY_HTTP };
enum sni_host { SNI_HOST_SERVICE, SNI_HOST_EXACT, SNI_HOST_OFF };
enum requests_mode { REQUESTS_NONE, REQUESTS_DENIED, REQUESTS_ALL };
enum forwarded_mode { FORWARDED_X, FORWARDED_RFC7239, FORWARDED_NONE };
enum balance_mode { BALANCE_ROUND_ROBIN, BALANCE_LEAST_CONNECTIONS };
enum proxy_protocol_mode { PROXY_PROTOCOL_NONE, PROXY_PROTOCOL_V2 };
enum upstream_verify { UPSTREAM_VERIFY_REQUIRED, UPSTREAM_VERIFY_NONE };
enum identity_absent { ABSENT_DEFAULT, ABSENT_EMPTY, ABSENT_OMIT, ABSENT_NONE };
enum route_require { REQUIRE_NOTHING, REQUIRE_VERIFIED };
enum trust_mode { TRUST_CA, TRUST_PINNED };
enum revocation_mode { REVOCATION_OFF, REVOCATION_SOFT, REVOCATION_HARD };
enum revocation_scope { REVOCATION_PATH, REVOCATION_LEAF };
enum on_change { ON_CHANGE_CLOSE, ON_CHANGE_LOG };
enum alert_mode { ALERT_CLASS, ALERT_GENERIC };
enum record_mode { RECORD_BEFORE_TRAFFIC, RECORD_ASYNC };
enum tolerate_mode { TOLERATE_NONE, TOLERATE_ALL, TOLERATE_LIST };

/* One element of `tolerate`: `expired`, or {class: expired, depth: 0, for: 7d, until: 2027-01-31}. */
struct config_tolerate_item {
	struct config_text name; /* class name, X509_V_ERR_ name or number: policy/tolerate.c knows them */
	int depth;               /* -1: any */
	int64_t for_s;           /* age of the fault at most, seconds; -1: any */
	int64_t until_s; /* the tolerance itself ends, seconds since 1970 UTC; INT64_MAX: never */
};

struct config_tolerate {
	enum tolerate_mode mode;
	struct mark at;
	struct config_tolerate_item *items;
	size_t count;
};

struct config_certificate {
	struct config_text chain; /* PEM file, leaf first */
	struct config_text key;   /* PEM file */
};

struct config_tls {
	struct config_text min;      /* "1.2" or "1.3" */
	struct config_texts alpn;    /* default [] in tcp mode */
	struct config_text priority; /* GnuTLS priority string; NULL: our own */
	bool resumption;             /* of TLS 1.3, by tickets; default off */
};

/* CRLs that are fetched: from these URLs alone, never from addresses that a certificate names. */
struct config_crl_fetch {
	struct mark at;           /* line 0: not given */
	struct config_texts urls; /* absolute http or https URLs */
	uint64_t interval_ms;     /* default 1h; also when a nextUpdate comes before that */
	uint64_t timeout_ms;      /* of one attempt; default 30s */
	uint64_t max_bytes;       /* of one CRL; default 64 MiB */
};

struct config_ocsp {
	struct mark at;               /* line 0: not given */
	enum revocation_mode mode;    /* default off */
	struct mark mode_at;          /* line 0: not given */
	struct config_text responder; /* absolute http or https URL; NULL: none */
	struct config_texts
		aia; /* URL prefixes: what the certificate's AIA names is asked if it begins with one; empty: never */
	uint64_t timeout_ms; /* a handshake waits at most this long; default 2s */
	bool nonce;          /* default false */
};

struct config_client {
	struct mark at;
	enum verify_mode verify;
	struct mark verify_at;
	bool ca_names;           /* default: true, false for passthrough */
	struct mark ca_names_at; /* line 0: not given */
	enum trust_mode trust; /* pinned: `allow` alone says who is trusted, no CA is needed or taken */
	struct mark trust_at;
	struct config_texts ca;      /* PEM files */
	struct config_texts issuers; /* PEM files; not empty: one of these CAs has to be in the path */
	struct config_texts crl;     /* files and folders, PEM or DER */
	struct config_crl_fetch crl_fetch;
	enum revocation_mode revocation;        /* default: hard with crl or crl_fetch, else off */
	struct mark revocation_at;              /* line 0: not given */
	enum revocation_scope revocation_scope; /* default path */
	struct config_ocsp ocsp;
	struct config_texts allow; /* list files, peer/list_file.h */
	struct config_texts deny;
	enum on_change on_change;   /* of live connections whose verdict turns bad; default close */
	enum alert_mode alert;      /* default class */
	struct config_text purpose; /* "clientAuth", "any" or a dotted OID */
	enum profile profile;
	unsigned max_depth; /* intermediates */
	struct config_tolerate tolerate;
};

struct config_server {
	struct config_text address; /* HOST:PORT, [IPv6]:PORT or unix:/path; checked for shape */
	unsigned weight;            /* 1-256; default 1 */
	bool backup;                /* only when no other server is up */
};

struct config_upstream_tls {
	struct mark at; /* line 0: not given, plain */
	enum upstream_verify verify;
	struct mark verify_at;
	struct config_texts ca;                /* PEM files; needed by `required` */
	struct config_certificate certificate; /* ours; chain.text NULL: none is shown */
	struct mark certificate_at;            /* line 0: not given */
	struct config_text server_name; /* SNI and the name to verify; NULL: the host of the server's address */
};

struct config_check {
	struct mark at; /* line 0: not given, no active checks */
	struct config_text path;
	struct config_text host; /* Host sent; NULL: `host` of the upstream if set, else the server's address */
	uint64_t interval_ms, timeout_ms;
	unsigned unhealthy, healthy;     /* in a row */
	unsigned expect_from, expect_to; /* status codes, both inclusive; "200-399" or "204" */
};

struct config_upstream {
	struct mark at; /* line 0: not given (quarantine, routes[].upstream) */
	struct config_server *servers;
	size_t server_count;
	enum balance_mode balance;
	enum proxy_protocol_mode proxy_protocol;
	struct config_upstream_tls tls;
	struct config_text host; /* sent to the back end; NULL: keep the client's */
	struct config_check check;
	unsigned failures;    /* passive: so many in a row take a server out; default 3 */
	uint64_t back_off_ms; /* for so long, doubled each time up to 16 times; default 1s */
	uint64_t resolve_ms;  /* host names are resolved again; default 30s */
};

struct config_route {
	struct mark at;
	struct config_text host;    /* exact or "*.rest", lower case; NULL: any */
	struct config_text path;    /* prefix, begins with "/"; NULL */
	struct config_text exact;   /* whole path; NULL. One of path, exact, host at least */
	struct config_text rewrite; /* in place of the prefix, begins with "/"; NULL */
	enum route_require require;
	struct config_upstream upstream; /* at.line 0: the service's */
};

/* One element of identity_headers: `rfc9440`, or {preset: azure, only: [...], names: {X-ARR-ClientCert: X-Cert}}. */
struct config_identity {
	struct mark at;
	struct config_text preset; /* checked: one of the known words */
	struct config_texts only; /* header names of the preset; empty: all. http/identity.c checks them */
	struct config_labels names; /* header of the preset: name in its place */
	enum identity_absent absent;
	struct config_texts
		attributes; /* akamai: subject, cn, sha256, issuer in place of the certificate; empty: complete */
};

struct config_header {
	struct config_text name;
	struct config_text value; /* a template; event/template.c checks it */
	bool unverified;          /* also of a certificate that was not verified */
};

struct config_status {
	struct config_text class; /* "default" or a class of peer/classes.def; checked */
	unsigned status;          /* 400-599 */
};

struct config_service {
	struct config_text name;
	struct mark at;
	struct config_texts server_names; /* lower case; exact or "*.rest" */
	bool is_default;
	struct mark default_at;
	struct config_labels labels;
	struct config_certificate *certificates;
	size_t certificate_count;
	struct config_tls tls;
	struct config_client client;
	enum service_mode mode;
	struct mark mode_at;
	enum deny_mode deny; /* http only in mode http */
	struct mark deny_at;
	bool connection_end;
	struct config_upstream upstream;

	struct config_upstream quarantine; /* at.line 0: none */

	/* mode http alone; given in mode tcp they are an error */
	struct config_status *statuses; /* of denials with deny: http */
	size_t status_count;
	struct config_text redirect; /* absolute http or https URL for those that are denied; NULL: none; needs deny: http */
	enum sni_host sni_host;
	struct config_route *routes;
	size_t route_count;
	struct config_identity *identities;
	size_t identity_count;
	struct config_header *headers;
	size_t header_count;
	struct config_text event_id_header; /* default "X-TLS-Event-Id" */
	enum forwarded_mode forwarded;      /* default x-forwarded */
	enum requests_mode requests;
	bool request_query;        /* the query goes into request events, too */
	uint64_t body_limit_bytes; /* of requests; UINT64_MAX: none, the default (null) */
};

struct config_listener {
	struct config_text bind; /* HOST:PORT, [IPv6]:PORT or unix:/path; checked for shape */
	unsigned mode;           /* of the unix socket; 0: left to the umask */
	struct config_texts
		proxy_protocol; /* networks (10.0.0.0/8, fd00::/8, or "unix" for every peer of a unix socket)
	                                     * whose PROXY header is believed, and needed; empty: none is read */
	struct config_texts services; /* names; empty: every service */
};

struct config_limits {
	uint64_t connections;
	uint64_t connections_per_source;
	uint64_t handshake_time_ms;
	uint64_t client_hello_bytes;
	uint64_t certificate_chain_bytes;
	uint64_t certificates;
	uint64_t request_line_bytes; /* 8 KiB */
	struct mark request_line_at;
	uint64_t head_bytes; /* of requests and responses; 32 KiB */
	struct mark head_at;
	uint64_t signature_checks; /* of one chain; 32 */
	uint64_t name_comparisons; /* of one chain; 65536 */
	uint64_t head_fields;      /* of requests, responses and trailers; 100; 256 at most */
};

struct config_timeouts {
	uint64_t connect_ms;
	uint64_t idle_ms;
	uint64_t drain_ms;
	uint64_t park_ms;
	uint64_t header_ms;  /* a request's head, from its first byte; 10s */
	uint64_t request_ms; /* each further KiB of a request's body; 30s */
	uint64_t upstream_ms; /* for the response's head, and for each further part of its body; 60s */
};

struct config {
	char *path; /* as given on the command line */
	char *canonical; /* the document re-printed in one canonical form, for audit.config; no secrets are in it */
	uint8_t sha256[32]; /* of the file's bytes */

	struct config_text node;
	struct config_text origin;
	struct config_text state;
	struct config_labels labels;
	bool zero_tolerance;
	unsigned workers; /* 0: one per core */
	struct config_text user;
	struct config_limits limits;
	struct config_timeouts timeouts;
	struct config_listener *listeners;
	size_t listener_count;
	struct config_service *services;
	size_t service_count;
	enum record_mode record; /* journal.record */
};

/* Reads and checks `path`. All problems go to `diag`, as many as can be found in one pass; *out is set
 * only when none of them is an error. E_INVALID: the file is wrong; E_NOT_FOUND, E_ACCESS, E_IO: it cannot be read. */
int config_load(struct config **out, const char *path, struct diag *diag);
/* The same from memory (`name` stands for the path, relative paths count from the working directory). */
int config_parse(struct config **out, const char *name, const void *text, size_t len,
                 struct diag *diag);
void config_free(struct config **config);
