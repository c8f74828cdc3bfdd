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
enum service_mode { MODE_TCP };
enum deny_mode { DENY_ALERT };
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
};

struct config_client {
	struct mark at;
	enum verify_mode verify;
	struct mark verify_at;
	bool ca_names;              /* default: true, false for passthrough */
	struct mark ca_names_at;    /* line 0: not given */
	struct config_texts ca;     /* PEM files */
	struct config_text purpose; /* "clientAuth", "any" or a dotted OID */
	enum profile profile;
	unsigned max_depth; /* intermediates */
	struct config_tolerate tolerate;
};

struct config_server {
	struct config_text address; /* HOST:PORT, [IPv6]:PORT or unix:/path; checked for shape */
};

struct config_upstream {
	struct mark at;
	struct config_server *servers;
	size_t server_count;
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
	enum deny_mode deny;
	bool connection_end;
	struct config_upstream upstream;
};

struct config_listener {
	struct config_text bind;      /* HOST:PORT, [IPv6]:PORT or unix:/path; checked for shape */
	unsigned mode;                /* of the unix socket; 0: left to the umask */
	struct config_texts services; /* names; empty: every service */
};

struct config_limits {
	uint64_t connections;
	uint64_t connections_per_source;
	uint64_t handshake_time_ms;
	uint64_t client_hello_bytes;
	uint64_t certificate_chain_bytes;
	uint64_t certificates;
};

struct config_timeouts {
	uint64_t connect_ms;
	uint64_t idle_ms;
	uint64_t drain_ms;
	uint64_t park_ms;
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
