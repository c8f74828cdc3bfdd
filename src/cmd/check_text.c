/* The policy for people: names first, one line a rule. */
#include <stdio.h>
#include <string.h>

#include "cmd/check.h"
#include "config/value.h"
#include "peer/lists.h"
#include "peer/trust.h"
#include "policy/tolerate.h"

#define DAY_S 86400

const char *const check_verify_names[] = {
	[VERIFY_NONE] = "none",
	[VERIFY_OPTIONAL] = "optional",
	[VERIFY_REQUIRED] = "required",
	[VERIFY_PASSTHROUGH] = "passthrough",
};
const char *const check_profile_names[] = {
	[PROFILE_LEGACY] = "legacy",
	[PROFILE_MEDIUM] = "medium",
	[PROFILE_HIGH] = "high",
};
const char *const check_sni_host_names[] = {
	[SNI_HOST_SERVICE] = "service",
	[SNI_HOST_EXACT] = "exact",
	[SNI_HOST_OFF] = "off",
};
const char *const check_requests_names[] = {
	[REQUESTS_NONE] = "none",
	[REQUESTS_DENIED] = "denied",
	[REQUESTS_ALL] = "all",
};
const char *const check_revocation_names[] = {
	[REVOCATION_OFF] = "off",
	[REVOCATION_SOFT] = "soft",
	[REVOCATION_HARD] = "hard",
};

int64_t check_days_left(int64_t not_after_s, int64_t now_s)
{
	int64_t left = not_after_s - now_s;
	return left >= 0 ? left / DAY_S : -((-left + DAY_S - 1) / DAY_S);
}

const char *check_format_time(char out[static CLOCK_TEXT_LEN + 1], int64_t s)
{
	/* The years that clock_format() shows, so that the product below cannot overflow. */
	const int64_t last_s = 253402300799;
	clock_format(out, (s < 0 ? 0 : s > last_s ? last_s : s) * 1000000);
	strcpy(out + sizeof("2027-01-31T12:00:00") - 1, "Z");
	return out;
}

/* "until DAY (N days left)", or how one says that it is over. */
static void print_end(int64_t end_s, int64_t now_s, const char *over)
{
	char until[CLOCK_TEXT_LEN + 1];
	int64_t days = check_days_left(end_s, now_s);
	printf("until %.10s (", check_format_time(until, end_s));
	if (days < 0) {
		printf("%s)\n", over);
	} else {
		printf("%lld days left)\n", (long long)days);
	}
}

static void print_anchors(const struct trust *trust, int64_t now_s)
{
	for (size_t i = 0; i < trust_anchor_count(trust); i++) {
		const struct trust_anchor *anchor = trust_anchor_at(trust, i);
		printf("    %-11s%s, ", i == 0 ? "ca" : "", anchor->subject);
		print_end(anchor->not_after_s, now_s, "expired");
	}
}

static void label(const char *name)
{
	printf("    %-11s", name);
}

/* Between the parts of a list; counts them. */
static void separate(size_t *count)
{
	printf("%s", (*count)++ == 0 ? "" : ", ");
}

static void print_texts(const char *name, const struct config_texts *texts)
{
	for (size_t i = 0; i < texts->count; i++) {
		label(i == 0 ? name : "");
		printf("%s\n", texts->items[i].text);
	}
}

/* The files of one kind, as they were read. */
static void print_files(const struct lists *lists, const char *kind, int64_t now_s)
{
	bool first = true;
	for (size_t i = 0; i < lists_file_count(lists); i++) {
		const struct lists_file *file = lists_file_at(lists, i);
		if (strcmp(file->kind, kind) != 0) {
			continue;
		}
		label(first ? kind : "");
		first = false;
		printf("%s, %zu %s", file->issuer != NULL ? file->issuer : file->path,
		       file->entries, file->entries == 1 ? "entry" : "entries");
		if (file->issuer != NULL && file->next_update_s != 0) {
			printf(", ");
			print_end(file->next_update_s, now_s, "out of date");
		} else {
			printf("%s\n", file->issuer != NULL ? ", without an end" : "");
		}
	}
}

static void print_revocation(const struct config_client *client, const struct lists *lists,
                             int64_t now_s)
{
	const struct config_ocsp *ocsp = &client->ocsp;
	char wait[VALUE_TEXT_MAX];
	label("revocation");
	printf("%s", check_revocation_names[client->revocation]);
	if (client->revocation != REVOCATION_OFF) {
		printf(client->revocation_scope == REVOCATION_LEAF ? ", of the leaf alone"
		                                                   : ", of the whole path");
	}
	printf("\n");
	print_files(lists, "crl", now_s);
	print_texts("crl from", &client->crl_fetch.urls);
	if (ocsp->mode == REVOCATION_OFF) {
		return;
	}
	label("ocsp");
	printf("%s, waits %s at most%s\n", check_revocation_names[ocsp->mode],
	       value_print_duration(wait, (int64_t)ocsp->timeout_ms),
	       ocsp->nonce ? ", with a nonce" : "");
	if (ocsp->responder.text != NULL) {
		label("ocsp from");
		printf("%s\n", ocsp->responder.text);
		return;
	}
	for (size_t i = 0; i < ocsp->aia.count; i++) {
		label("ocsp from");
		printf("what certificates name below %s\n", ocsp->aia.items[i].text);
	}
}

static void print_client(const struct service *service, const struct lists *lists, int64_t now_s)
{
	const struct config_client *client = &service->config->client;
	char tolerance[CHECK_TOLERANCE_MAX];
	if (client->trust == TRUST_PINNED) {
		label("trust");
		printf("pinned\n");
	}
	tolerate_describe(service->tolerate, tolerance, sizeof(tolerance));
	print_anchors(service->trust, now_s);
	print_texts("issuers", &client->issuers);
	label("ca names");
	printf("%s\n",
	       client->ca_names && trust_anchor_count(service->trust) > 0 ? "sent" : "not sent");
	print_revocation(client, lists, now_s);
	print_files(lists, "allow", now_s);
	print_files(lists, "deny", now_s);
	label("tolerate");
	printf("%s\n", tolerance);
	label("profile");
	printf("%s\n", check_profile_names[client->profile]);
	label("purpose");
	printf("%s\n", client->purpose.text);
	if (client->trust == TRUST_CA) {
		label("max depth");
		printf("%u intermediates\n", client->max_depth);
	}
	label("on change");
	printf("%s\n", client->on_change == ON_CHANGE_CLOSE ? "close" : "log");
	if (client->alert == ALERT_GENERIC) {
		label("alert");
		printf("generic\n");
	}
}

static void print_upstream(const struct config_upstream *upstream)
{
	for (size_t i = 0; i < upstream->server_count; i++) {
		const struct config_server *server = &upstream->servers[i];
		printf("%s%s", i == 0 ? "" : ", ", server->address.text);
		if (server->weight != 1) {
			printf(" (weight %u)", server->weight);
		}
		if (server->backup) {
			printf(" (backup)");
		}
	}
	const struct config_upstream_tls *tls = &upstream->tls;
	if (tls->at.line != 0) {
		const char *name = tls->server_name.text;
		printf(tls->verify == UPSTREAM_VERIFY_NONE ? "; TLS, not verified"
		                                           : "; TLS, verified as %s",
		       name != NULL ? name : "the host of the address");
		printf("%s", tls->certificate.chain.text != NULL ? ", with our certificate" : "");
	}
	printf("%s", upstream->proxy_protocol == PROXY_PROTOCOL_V2 ? "; PROXY v2" : "");
	if (upstream->host.text != NULL) {
		printf("; Host %s", upstream->host.text);
	}
	if (upstream->check.at.line != 0) {
		printf("; checked by %s", upstream->check.path.text);
	}
	printf("\n");
}

static void print_denials(const struct config_service *config)
{
	label("denials");
	if (config->deny == DENY_ALERT) {
		printf("TLS alert\n");
		return;
	}
	if (config->redirect.text != NULL) {
		printf("302 to %s\n", config->redirect.text);
		return;
	}
	unsigned otherwise = 403;
	for (size_t i = 0; i < config->status_count; i++) {
		const struct config_status *status = &config->statuses[i];
		if (strcmp(status->class.text, "default") == 0) {
			otherwise = status->status;
		} else {
			printf("%s %u, ", status->class.text, status->status);
		}
	}
	printf("%s%u\n", config->status_count > 1 ? "else " : "", otherwise);
}

static void print_route(const struct config_route *route)
{
	label("route");
	printf("%s%s%s", route->host.text != NULL ? route->host.text : "",
	       route->exact.text != NULL  ? route->exact.text
	       : route->path.text != NULL ? route->path.text
	                                  : "/",
	       route->exact.text != NULL ? "" : "...");
	if (route->rewrite.text != NULL) {
		printf(" as %s%s", route->rewrite.text, route->exact.text != NULL ? "" : "...");
	}
	printf("%s: ", route->require == REQUIRE_VERIFIED ? ", verified clients alone" : "");
	if (route->upstream.at.line != 0) {
		print_upstream(&route->upstream);
	} else {
		printf("the upstream\n");
	}
}

/* What goes to the back end about the client: presets, headers of the configuration's own, the event's id. */
static void print_headers(const struct config_service *config)
{
	size_t count = 0;
	label("headers");
	for (size_t i = 0; i < config->identity_count; i++) {
		const struct config_identity *identity = &config->identities[i];
		separate(&count);
		printf("%s", identity->preset.text);
		for (size_t n = 0; n < identity->only.count; n++) {
			printf("%s%s", n == 0 ? " (only " : " ", identity->only.items[n].text);
		}
		printf("%s", identity->only.count != 0 ? ")" : "");
		for (size_t n = 0; n < identity->names.count; n++) {
			const struct config_label *name = &identity->names.items[n];
			printf(" (%s is %s)", name->name.text, name->value.text);
		}
	}
	for (size_t i = 0; i < config->header_count; i++) {
		separate(&count);
		printf("%s%s", config->headers[i].name.text,
		       config->headers[i].unverified ? " (also unverified)" : "");
	}
	separate(&count);
	printf("%s\n", config->event_id_header.text);
}

static void print_http(const struct config_service *config)
{
	for (size_t i = 0; i < config->route_count; i++) {
		print_route(&config->routes[i]);
	}
	print_headers(config);
	label("sni host");
	printf("%s\n", check_sni_host_names[config->sni_host]);
	print_denials(config);
	label("requests");
	printf("%s recorded\n", check_requests_names[config->requests]);
}

static void print_policy(const struct snapshot *snapshot, const struct service *service,
                         int64_t now_s)
{
	const struct config_service *config = service->config;

	printf("    %-11s%s\n", "service", config->name.text);
	if (config->mode == MODE_HTTP) {
		printf("    %-11s%s\n", "mode", "http");
	}
	printf("    %-11s%s\n", "verify", check_verify_names[config->client.verify]);
	if (config->client.verify != VERIFY_NONE) {
		print_client(service, snapshot_lists(snapshot, service), now_s);
	}
	printf("    %-11s%s\n", "resumption", config->tls.resumption ? "on" : "off");
	label("upstream");
	print_upstream(&config->upstream);
	if (config->quarantine.at.line != 0) {
		label("quarantine");
		print_upstream(&config->quarantine);
	}
	if (config->mode == MODE_HTTP) {
		print_http(config);
	}
}

void check_print_text(const struct snapshot *snapshot, int64_t now_s)
{
	for (size_t i = 0; i < snapshot_listener_count(snapshot); i++) {
		const struct listener_routes *routes = snapshot_listener(snapshot, i);
		printf("%slistener %s\n", i == 0 ? "" : "\n", routes->config->bind.text);
		for (size_t n = 0; n < routes->name_count; n++) {
			printf("  %s\n", routes->names[n].name);
			print_policy(snapshot, routes->names[n].service, now_s);
		}
		if (routes->fallback != NULL) {
			printf("  any other name, or none\n");
			print_policy(snapshot, routes->fallback, now_s);
		} else {
			printf("  any other name, or none: refused\n");
		}
	}
}
