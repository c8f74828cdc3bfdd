/* The policy for programs. What YAML let in is UTF-8; where a value could not be made, the dump fails and says so. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "cmd/check.h"
#include "peer/lists.h"
#include "peer/trust.h"
#include "policy/tolerate.h"

static json_t *make_anchors(const struct trust *trust, int64_t now_s)
{
	json_t *list = json_array();
	for (size_t i = 0; i < trust_anchor_count(trust); i++) {
		const struct trust_anchor *anchor = trust_anchor_at(trust, i);
		char until[CLOCK_TEXT_LEN + 1];
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:I}", "subject", anchor->subject, "file",
		                        anchor->file, "not_after",
		                        check_format_time(until, anchor->not_after_s), "days_left",
		                        (json_int_t)check_days_left(anchor->not_after_s, now_s)));
	}
	return list;
}

static json_t *make_upstream(const struct config_upstream *upstream)
{
	json_t *servers = json_array();
	for (size_t i = 0; i < upstream->server_count; i++) {
		const struct config_server *server = &upstream->servers[i];
		json_array_append_new(
			servers, json_pack("{s:s, s:i, s:b}", "address", server->address.text,
		                           "weight", (int)server->weight, "backup", server->backup));
	}
	json_t *tls = json_null();
	if (upstream->tls.at.line != 0) {
		tls = json_pack("{s:s, s:s?, s:b}", "verify",
		                upstream->tls.verify == UPSTREAM_VERIFY_NONE ? "none" : "required",
		                "server_name", upstream->tls.server_name.text, "certificate",
		                upstream->tls.certificate.chain.text != NULL);
	}
	return json_pack("{s:o, s:o, s:s, s:s, s:s?}", "servers", servers, "tls", tls,
	                 "proxy_protocol",
	                 upstream->proxy_protocol == PROXY_PROTOCOL_V2 ? "v2" : "none", "host",
	                 upstream->host.text != NULL ? upstream->host.text : "keep", "check",
	                 upstream->check.at.line != 0 ? upstream->check.path.text : NULL);
}

static json_t *make_routes(const struct config_service *config)
{
	json_t *list = json_array();
	for (size_t i = 0; i < config->route_count; i++) {
		const struct config_route *route = &config->routes[i];
		json_array_append_new(
			list,
			json_pack("{s:s?, s:s?, s:s?, s:s?, s:s, s:o}", "host", route->host.text,
		                  "path", route->path.text, "exact", route->exact.text, "rewrite",
		                  route->rewrite.text, "require",
		                  route->require == REQUIRE_VERIFIED ? "verified" : "nothing",
		                  "upstream",
		                  route->upstream.at.line != 0 ? make_upstream(&route->upstream)
		                                               : json_null()));
	}
	return list;
}

static json_t *make_statuses(const struct config_service *config)
{
	json_t *map = json_pack("{s:i}", "default", 403);
	for (size_t i = 0; i < config->status_count; i++) {
		json_object_set_new(map, config->statuses[i].class.text,
		                    json_integer(config->statuses[i].status));
	}
	return map;
}

static json_t *make_http(const struct config_service *config)
{
	json_t *presets = json_array();
	for (size_t i = 0; i < config->identity_count; i++) {
		const struct config_identity *identity = &config->identities[i];
		json_t *only = json_array();
		for (size_t n = 0; n < identity->only.count; n++) {
			json_array_append_new(only, json_string(identity->only.items[n].text));
		}
		json_t *names = json_object();
		for (size_t n = 0; n < identity->names.count; n++) {
			json_object_set_new(names, identity->names.items[n].name.text,
			                    json_string(identity->names.items[n].value.text));
		}
		json_array_append_new(presets,
		                      json_pack("{s:s, s:o, s:o}", "preset", identity->preset.text,
		                                "only", only, "names", names));
	}
	json_t *headers = json_object();
	for (size_t i = 0; i < config->header_count; i++) {
		const struct config_header *header = &config->headers[i];
		json_object_set_new(headers, header->name.text,
		                    json_pack("{s:s, s:b}", "value", header->value.text,
		                              "unverified", header->unverified));
	}
	return json_pack("{s:o, s:o, s:o, s:s, s:s, s:s, s:o, s:s?, s:s}", "routes",
	                 make_routes(config), "identity_headers", presets, "headers", headers,
	                 "event_id_header", config->event_id_header.text, "sni_host",
	                 check_sni_host_names[config->sni_host], "deny",
	                 config->deny == DENY_HTTP ? "http" : "alert", "status",
	                 make_statuses(config), "redirect", config->redirect.text, "requests",
	                 check_requests_names[config->requests]);
}

static json_t *make_texts(const struct config_texts *texts)
{
	json_t *list = json_array();
	for (size_t i = 0; i < texts->count; i++) {
		json_array_append_new(list, json_string(texts->items[i].text));
	}
	return list;
}

static json_t *make_time(int64_t s)
{
	char text[CLOCK_TEXT_LEN + 1];
	return s == 0 ? json_null() : json_string(check_format_time(text, s));
}

/* The files of one kind, as they were read. */
static json_t *make_files(const struct lists *lists, const char *kind)
{
	json_t *list = json_array();
	for (size_t i = 0; i < lists_file_count(lists); i++) {
		const struct lists_file *file = lists_file_at(lists, i);
		if (strcmp(file->kind, kind) != 0) {
			continue;
		}
		char sha256[65];
		struct buf hex;
		buf_init_fixed(&hex, sha256, 64);
		buf_append_hex(&hex, slice_of(file->sha256, sizeof(file->sha256)), false);
		sha256[hex.len] = '\0';
		/* In a folder a name may hold bytes that are not UTF-8; JSON cannot show it then. */
		json_t *path = json_string(file->path);
		json_t *row = json_pack("{s:o, s:s, s:I}", "file", path == NULL ? json_null() : path,
		                        "sha256", sha256, "entries", (json_int_t)file->entries);
		if (row != NULL && file->issuer != NULL) {
			json_object_set_new(row, "issuer", json_string(file->issuer));
			json_object_set_new(row, "this_update", make_time(file->this_update_s));
			json_object_set_new(row, "next_update", make_time(file->next_update_s));
		}
		json_array_append_new(list, row);
	}
	return list;
}

static json_t *make_ocsp(const struct config_ocsp *ocsp)
{
	return json_pack("{s:s, s:s?, s:o, s:I, s:b}", "mode", check_revocation_names[ocsp->mode],
	                 "responder", ocsp->responder.text, "aia", make_texts(&ocsp->aia),
	                 "timeout_ms", (json_int_t)ocsp->timeout_ms, "nonce", ocsp->nonce);
}

/* What is asked of clients; `lists` is what changes of it. */
static json_t *make_client(const struct service *service, const struct lists *lists, int64_t now_s)
{
	const struct config_client *client = &service->config->client;
	char tolerance[CHECK_TOLERANCE_MAX];
	tolerate_describe(service->tolerate, tolerance, sizeof(tolerance));
	return json_pack(
		"{s:s, s:s, s:o, s:o, s:b, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:i, "
		"s:s, s:s}",
		"verify", check_verify_names[client->verify], "trust",
		client->trust == TRUST_PINNED ? "pinned" : "ca", "ca",
		make_anchors(service->trust, now_s), "issuers", make_texts(&client->issuers),
		"ca_names", client->ca_names && trust_anchor_count(service->trust) > 0,
		"revocation", check_revocation_names[client->revocation], "revocation_scope",
		client->revocation_scope == REVOCATION_LEAF ? "leaf" : "path", "crl",
		make_files(lists, "crl"), "crl_fetch", make_texts(&client->crl_fetch.urls), "ocsp",
		make_ocsp(&client->ocsp), "allow_list", make_files(lists, "allow"), "deny_list",
		make_files(lists, "deny"), "tolerate", tolerance, "profile",
		check_profile_names[client->profile], "purpose", client->purpose.text, "max_depth",
		(int)client->max_depth, "on_change",
		client->on_change == ON_CHANGE_CLOSE ? "close" : "log", "alert",
		client->alert == ALERT_GENERIC ? "generic" : "class");
}

static json_t *make_policy(const struct snapshot *snapshot, const char *name,
                           const struct service *service, int64_t now_s)
{
	const struct config_service *config = service->config;
	json_t *policy = json_pack(
		"{s:s?, s:s, s:s, s:b, s:o}", "server_name", name, "service", config->name.text,
		"mode", config->mode == MODE_HTTP ? "http" : "tcp", "resumption",
		config->tls.resumption, "upstream", make_upstream(&config->upstream));
	if (json_object_update_new(
		    policy, make_client(service, snapshot_lists(snapshot, service), now_s)) != 0) {
		json_decref(policy);
		return NULL;
	}
	if (config->quarantine.at.line != 0 &&
	    json_object_set_new(policy, "quarantine", make_upstream(&config->quarantine)) != 0) {
		json_decref(policy);
		return NULL;
	}
	if (config->mode == MODE_HTTP && json_object_update_new(policy, make_http(config)) != 0) {
		json_decref(policy);
		return NULL;
	}
	return policy;
}

static json_t *make_listener(const struct snapshot *snapshot, const struct listener_routes *routes,
                             int64_t now_s)
{
	json_t *names = json_array();
	for (size_t n = 0; n < routes->name_count; n++) {
		json_array_append_new(names, make_policy(snapshot, routes->names[n].name,
		                                         routes->names[n].service, now_s));
	}
	json_t *fallback = routes->fallback == NULL
	                           ? json_null()
	                           : make_policy(snapshot, NULL, routes->fallback, now_s);
	return json_pack("{s:s, s:o, s:o}", "bind", routes->config->bind.text, "names", names,
	                 "default", fallback);
}

static json_t *make_complaints(const struct diag *diag)
{
	json_t *list = json_array();
	for (const struct diag_item *item = diag->first; item != NULL; item = item->next) {
		/* A path may hold bytes that are not UTF-8; JSON cannot show it then. */
		json_t *file = item->file == NULL ? json_null() : json_string(item->file);
		json_t *text =
			item->text == NULL ? json_string("out of memory") : json_string(item->text);
		json_array_append_new(list,
		                      json_pack("{s:s, s:o, s:i, s:i, s:o}", "level",
		                                item->level == DIAG_ERROR ? "error" : "warning",
		                                "file", file == NULL ? json_null() : file, "line",
		                                (int)item->at.line, "column", (int)item->at.column,
		                                "text", text == NULL ? json_null() : text));
	}
	return list;
}

bool check_print_json(const struct snapshot *snapshot, const struct diag *diag, int64_t now_s)
{
	json_t *listeners = json_array();
	for (size_t i = 0; snapshot != NULL && i < snapshot_listener_count(snapshot); i++) {
		json_array_append_new(
			listeners, make_listener(snapshot, snapshot_listener(snapshot, i), now_s));
	}
	json_t *all = json_pack("{s:b, s:o, s:o}", "valid", snapshot != NULL, "complaints",
	                        make_complaints(diag), "listeners", listeners);
	if (all == NULL || json_dumpf(all, stdout, JSON_INDENT(2)) != 0) {
		json_decref(all);
		return false;
	}
	json_decref(all);
	return putchar('\n') != EOF;
}
