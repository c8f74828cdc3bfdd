#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "config/config.h"
#include "fixture.h"
#include "unit.h"

static const char minimal[] = "state: /var/lib/tlscribe\n"
			      "node: edge\n"
			      "listeners: [{bind: \"127.0.0.1:8443\"}]\n"
			      "services:\n"
			      "  - name: a\n"
			      "    server_names: [A.Example, \"*.B.example\"]\n"
			      "    certificates: [{chain: a.pem, key: /keys/a.key}]\n"
			      "    client: {verify: required, ca: [ca.pem]}\n"
			      "    mode: tcp\n"
			      "    upstream: {servers: [127.0.0.1:9000]}\n";

static int is_fixture(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* Each folder below `kind` is a promise: input.yaml gives err and exactly the lines of `error`, "input.yaml:" left out. */
static void check_fixtures(const char *kind, int expected_err, int at_least)
{
	char folder[2048];
	struct dirent **entries = NULL;
	snprintf(folder, sizeof(folder), "%s/tests/unit/config/%s", SRCDIR, kind);
	int count = scandir(folder, &entries, is_fixture, alphasort);
	CU_ASSERT_FATAL(count >= at_least);
	for (int i = 0; i < count; i++) {
		char path[4096];
		size_t len, error_len;
		snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		char *text = fixture_read(path, "input.yaml", &len);
		char *expected = fixture_read(path, "error", &error_len);
		struct diag diag;
		diag_init(&diag);
		struct config *config = NULL;
		int err = config_parse(&config, "input.yaml", text, len, &diag);
		char *said = fixture_said(&diag);
		/* Each line begins with the name; a place follows at once, a sentence behind a blank. */
		char *to = said;
		for (const char *line = said; *line != '\0';) {
			size_t n = strcspn(line, "\n");
			size_t skip = strncmp(line, "input.yaml:", 11) == 0 ? 11 : 0;
			skip += skip > 0 && line[skip] == ' ';
			memmove(to, line + skip, n + 1 - skip);
			to += n + 1 - skip;
			line += n + 1;
		}
		*to = '\0';
		if (err != expected_err || strcmp(said, expected) != 0) {
			fprintf(stderr, "\n%s: %d, says\n%s--- expected\n%s", entries[i]->d_name,
			        err, said, expected);
		}
		CU_ASSERT_EQUAL(err, expected_err);
		CU_ASSERT_STRING_EQUAL(said, expected);
		CU_ASSERT_EQUAL(config == NULL, expected_err != E_OK);
		config_free(&config);
		diag_release(&diag);
		free(said);
		free(text);
		free(expected);
		free(entries[i]);
	}
	free(entries);
}

static void what_is_wrong_is_said_with_its_place(void)
{
	check_fixtures("invalid", E_INVALID, 195);
}

static void what_is_dangerous_is_warned_of(void)
{
	check_fixtures("warned", E_OK, 12);
}

static void a_file_larger_than_4_mib_is_refused(void)
{
	size_t len = 4 * 1024 * 1024 + 1;
	char *text = malloc(len + 1);
	memset(text, '#', len);
	text[len] = '\0';
	struct config *config = NULL;
	struct diag diag;
	diag_init(&diag);
	CU_ASSERT_EQUAL(config_parse(&config, "x", text, len, &diag), E_INVALID);
	CU_ASSERT_STRING_EQUAL(diag.first->text, "the file is larger than 4 MiB");
	CU_ASSERT_PTR_NULL(config);
	diag_release(&diag);

	char path[] = "/tmp/config-load-XXXXXX";
	int fd = mkstemp(path);
	CU_ASSERT_FATAL(fd != -1);
	CU_ASSERT_EQUAL(write(fd, text, len), (ssize_t)len);
	close(fd);
	diag_init(&diag);
	CU_ASSERT_EQUAL(config_load(&config, path, &diag), E_INVALID);
	CU_ASSERT_STRING_EQUAL(diag.first->text, "the file is larger than 4 MiB");
	diag_release(&diag);
	unlink(path);
	free(text);
}

static void more_than_200000_values_are_refused(void)
{
	size_t count = 200001;
	char *text = malloc(2 * count + 16);
	size_t n = (size_t)sprintf(text, "x: [");
	for (size_t i = 0; i < count; i++) {
		text[n++] = '1';
		text[n++] = ',';
	}
	text[n++] = ']';
	struct config *config = NULL;
	struct diag diag;
	diag_init(&diag);
	CU_ASSERT_EQUAL(config_parse(&config, "x", text, n, &diag), E_INVALID);
	CU_ASSERT_STRING_EQUAL(diag.first->text, "the file has more than 200000 values");
	diag_release(&diag);
	free(text);
}

static void a_missing_file_is_an_error_without_a_place(void)
{
	struct config *config = NULL;
	struct diag diag;
	diag_init(&diag);
	CU_ASSERT_EQUAL(config_load(&config, "/no/such/file.yaml", &diag), E_NOT_FOUND);
	CU_ASSERT_EQUAL(diag.errors, 1);
	char *said = fixture_said(&diag);
	CU_ASSERT_STRING_EQUAL(said,
	                       "/no/such/file.yaml: cannot be opened: No such file or directory\n");
	free(said);
	diag_release(&diag);
	diag_init(&diag);
	CU_ASSERT_NOT_EQUAL(config_load(&config, "/tmp", &diag), E_OK);
	CU_ASSERT_EQUAL(diag.errors, 1);
	CU_ASSERT_PTR_NULL(config);
	diag_release(&diag);
}

static void defaults_are_those_of_the_documentation(void)
{
	struct config *config = fixture_parse(minimal);
	const struct config_service *service = &config->services[0];

	CU_ASSERT_STRING_EQUAL(config->origin.text, "edge");
	CU_ASSERT_FALSE(config->zero_tolerance);
	CU_ASSERT_EQUAL(config->workers, 0);
	CU_ASSERT_PTR_NULL(config->user.text);
	CU_ASSERT_EQUAL(config->labels.count, 0);
	CU_ASSERT_EQUAL(config->limits.connections, 100000);
	CU_ASSERT_EQUAL(config->limits.connections_per_source, 1000);
	CU_ASSERT_EQUAL(config->limits.handshake_time_ms, 10000);
	CU_ASSERT_EQUAL(config->limits.client_hello_bytes, 65536);
	CU_ASSERT_EQUAL(config->limits.certificate_chain_bytes, 65536);
	CU_ASSERT_EQUAL(config->limits.certificates, 16);
	CU_ASSERT_EQUAL(config->timeouts.connect_ms, 5000);
	CU_ASSERT_EQUAL(config->timeouts.idle_ms, 300000);
	CU_ASSERT_EQUAL(config->timeouts.drain_ms, 30000);
	CU_ASSERT_EQUAL(config->timeouts.park_ms, 10000);
	CU_ASSERT_EQUAL(config->record, RECORD_BEFORE_TRAFFIC);
	CU_ASSERT_EQUAL(config->listeners[0].mode, 0);
	CU_ASSERT_EQUAL(config->listeners[0].services.count, 0);
	CU_ASSERT_FALSE(service->is_default);
	CU_ASSERT_STRING_EQUAL(service->tls.min.text, "1.2");
	CU_ASSERT_EQUAL(service->tls.alpn.count, 0);
	CU_ASSERT_PTR_NULL(service->tls.priority.text);
	CU_ASSERT_TRUE(service->client.ca_names);
	CU_ASSERT_STRING_EQUAL(service->client.purpose.text, "clientAuth");
	CU_ASSERT_EQUAL(service->client.profile, PROFILE_MEDIUM);
	CU_ASSERT_EQUAL(service->client.max_depth, 4);
	CU_ASSERT_EQUAL(service->client.tolerate.mode, TOLERATE_NONE);
	CU_ASSERT_EQUAL(service->deny, DENY_ALERT);
	CU_ASSERT_FALSE(service->connection_end);
	config_free(&config);
	CU_ASSERT_PTR_NULL(config);
	config_free(&config);
}

static void ca_names_follow_passthrough_unless_given(void)
{
	static const char text[] = "state: /x\n"
				   "listeners: [{bind: \"127.0.0.1:1\"}]\n"
				   "services:\n"
				   "  - {name: a, server_names: [a.b], certificates: [{chain: c, "
				   "key: k}], client: {verify: passthrough}, mode: tcp,\n"
				   "     upstream: {servers: [unix:/a]}}\n"
				   "  - {name: b, default: true, certificates: [{chain: c, key: "
				   "k}], client: {verify: passthrough, ca_names: true},\n"
				   "     mode: tcp, upstream: {servers: [unix:/a]}}\n";
	struct config *config = fixture_parse(text);
	CU_ASSERT_FALSE(config->services[0].client.ca_names);
	CU_ASSERT_TRUE(config->services[1].client.ca_names);
	CU_ASSERT_TRUE(config->services[1].is_default);
	config_free(&config);
}

static void every_value_arrives_where_it_belongs(void)
{
	static const char text[] =
		"node: 10\n"
		"origin: audit.example/prod\n"
		"state: \"state\"\n"
		"labels: {site: ams1, rack: 10, \"on\": true}\n"
		"workers: 3\n"
		"user: root\n"
		"limits: {connections: 7, connections_per_source: 5, handshake_time: 1500ms, "
		"client_hello: 1KiB,\n"
		"         certificate_chain: 1MiB, certificates: 2}\n"
		"timeouts: {connect: 1s, idle: 2h, drain: 0s, park: 1m}\n"
		"listeners:\n"
		"  - {bind: \"[::1]:443\"}\n"
		"  - {bind: unix:/run/x.sock, mode: 0660, services: [a]}\n"
		"services:\n"
		"  - name: a\n"
		"    default: true\n"
		"    labels: {partner: acme}\n"
		"    certificates: [{chain: c1, key: k1}, {chain: c2, key: k2}]\n"
		"    tls: {min: 1.3, alpn: [h2, http/1.1], resumption: off, priority: NORMAL}\n"
		"    client:\n"
		"      verify: optional\n"
		"      ca: [one.pem, /two.pem]\n"
		"      ca_names: false\n"
		"      purpose: 1.3.6.1.5.5.7.3.1\n"
		"      profile: high\n"
		"      max_depth: 0\n"
		"      tolerate: [unknown_issuer, 10, {class: expired, depth: 0, for: 7d, until: "
		"2099-01-31}]\n"
		"    mode: tcp\n"
		"    deny: alert\n"
		"    connection_end: true\n"
		"    upstream: {servers: [localhost:9000, {address: unix:/b.sock}]}\n"
		"journal: {record: async}\n";
	struct config *config = fixture_parse(text);
	const struct config_service *service = &config->services[0];
	const struct config_client *client = &service->client;
	char here[2048], path[4096];
	CU_ASSERT_PTR_NOT_NULL_FATAL(getcwd(here, sizeof(here)));

	CU_ASSERT_STRING_EQUAL(config->path, "test.yaml");
	CU_ASSERT_STRING_EQUAL(config->node.text, "10");
	CU_ASSERT_EQUAL(config->node.at.line, 1);
	CU_ASSERT_EQUAL(config->node.at.column, 7);
	CU_ASSERT_STRING_EQUAL(config->origin.text, "audit.example/prod");
	snprintf(path, sizeof(path), "%s/state", here);
	CU_ASSERT_STRING_EQUAL(config->state.text, path);
	CU_ASSERT_EQUAL_FATAL(config->labels.count, 3);
	CU_ASSERT_STRING_EQUAL(config->labels.items[1].name.text, "rack");
	CU_ASSERT_STRING_EQUAL(config->labels.items[1].value.text, "10");
	CU_ASSERT_STRING_EQUAL(config->labels.items[2].value.text, "true");
	CU_ASSERT_EQUAL(config->workers, 3);
	CU_ASSERT_STRING_EQUAL(config->user.text, "root");
	CU_ASSERT_EQUAL(config->limits.connections, 7);
	CU_ASSERT_EQUAL(config->limits.connections_per_source, 5);
	CU_ASSERT_EQUAL(config->limits.handshake_time_ms, 1500);
	CU_ASSERT_EQUAL(config->limits.client_hello_bytes, 1024);
	CU_ASSERT_EQUAL(config->limits.certificate_chain_bytes, 1048576);
	CU_ASSERT_EQUAL(config->limits.certificates, 2);
	CU_ASSERT_EQUAL(config->timeouts.connect_ms, 1000);
	CU_ASSERT_EQUAL(config->timeouts.idle_ms, 7200000);
	CU_ASSERT_EQUAL(config->timeouts.drain_ms, 0);
	CU_ASSERT_EQUAL(config->timeouts.park_ms, 60000);
	CU_ASSERT_EQUAL_FATAL(config->listener_count, 2);
	CU_ASSERT_STRING_EQUAL(config->listeners[0].bind.text, "[::1]:443");
	CU_ASSERT_EQUAL(config->listeners[1].mode, 0660);
	CU_ASSERT_EQUAL_FATAL(config->listeners[1].services.count, 1);
	CU_ASSERT_STRING_EQUAL(config->listeners[1].services.items[0].text, "a");
	CU_ASSERT_EQUAL(service->at.line, 14);
	CU_ASSERT_TRUE(service->is_default);
	CU_ASSERT_EQUAL(service->default_at.line, 15);
	CU_ASSERT_EQUAL_FATAL(service->labels.count, 1);
	CU_ASSERT_EQUAL_FATAL(service->certificate_count, 2);
	snprintf(path, sizeof(path), "%s/k2", here);
	CU_ASSERT_STRING_EQUAL(service->certificates[1].key.text, path);
	CU_ASSERT_STRING_EQUAL(service->tls.min.text, "1.3");
	CU_ASSERT_EQUAL_FATAL(service->tls.alpn.count, 2);
	CU_ASSERT_STRING_EQUAL(service->tls.alpn.items[1].text, "http/1.1");
	CU_ASSERT_STRING_EQUAL(service->tls.priority.text, "NORMAL");
	CU_ASSERT_EQUAL(client->at.line, 20);
	CU_ASSERT_EQUAL(client->verify, VERIFY_OPTIONAL);
	CU_ASSERT_EQUAL_FATAL(client->ca.count, 2);
	CU_ASSERT_STRING_EQUAL(client->ca.items[1].text, "/two.pem");
	CU_ASSERT_FALSE(client->ca_names);
	CU_ASSERT_STRING_EQUAL(client->purpose.text, "1.3.6.1.5.5.7.3.1");
	CU_ASSERT_EQUAL(client->profile, PROFILE_HIGH);
	CU_ASSERT_EQUAL(client->max_depth, 0);
	CU_ASSERT_EQUAL(client->tolerate.mode, TOLERATE_LIST);
	CU_ASSERT_EQUAL_FATAL(client->tolerate.count, 3);
	CU_ASSERT_STRING_EQUAL(client->tolerate.items[1].name.text, "10");
	CU_ASSERT_EQUAL(client->tolerate.items[1].depth, -1);
	CU_ASSERT_EQUAL(client->tolerate.items[1].for_s, -1);
	CU_ASSERT_EQUAL(client->tolerate.items[1].until_s, INT64_MAX);
	CU_ASSERT_STRING_EQUAL(client->tolerate.items[2].name.text, "expired");
	CU_ASSERT_EQUAL(client->tolerate.items[2].depth, 0);
	CU_ASSERT_EQUAL(client->tolerate.items[2].for_s, 7 * 86400);
	CU_ASSERT_EQUAL(client->tolerate.items[2].until_s, 4073500800); /* date -ud 2099-01-31 +%s */
	CU_ASSERT_TRUE(service->connection_end);
	CU_ASSERT_EQUAL_FATAL(service->upstream.server_count, 2);
	CU_ASSERT_STRING_EQUAL(service->upstream.servers[0].address.text, "localhost:9000");
	CU_ASSERT_STRING_EQUAL(service->upstream.servers[1].address.text, "unix:/b.sock");
	CU_ASSERT_EQUAL(config->record, RECORD_ASYNC);
	config_free(&config);
}

static const char http[] =
	"state: /var/lib/tlscribe\n"
	"node: edge\n"
	"limits: {request_line: 4KiB, head: 8KiB, head_fields: 64}\n"
	"timeouts: {header: 3s, request: 4s, upstream: 5s}\n"
	"listeners:\n"
	"  - {bind: \"127.0.0.1:8443\", proxy_protocol: [10.0.0.0/8, \"fd00::/8\", 192.0.2.1]}\n"
	"  - {bind: unix:/run/x.sock, proxy_protocol: [unix]}\n"
	"services:\n"
	"  - name: a\n"
	"    default: true\n"
	"    certificates: [{chain: a.pem, key: a.key}]\n"
	"    client: {verify: optional, ca: [ca.pem]}\n"
	"    mode: http\n"
	"    deny: http\n"
	"    status: {default: 404, no_certificate: 401}\n"
	"    sni_host: exact\n"
	"    quarantine: {servers: [127.0.0.1:9100]}\n"
	"    upstream:\n"
	"      servers: [127.0.0.1:1, {address: \"b.example:2\", weight: 2, backup: true}]\n"
	"      balance: least-connections\n"
	"      proxy_protocol: v2\n"
	"      tls: {ca: [/b-ca.pem], certificate: {chain: /e.pem, key: /e.key}, server_name: "
	"Backend.Internal}\n"
	"      host: Api.example:8443\n"
	"      check: {path: \"/healthz?x=1\", host: h.example, interval: 7s, timeout: 1s, "
	"unhealthy: 4,\n"
	"              healthy: 5, expect: 204}\n"
	"      failures: 6\n"
	"      back_off: 2s\n"
	"      resolve: 1m\n"
	"    routes:\n"
	"      - path: /admin/\n"
	"        require: verified\n"
	"        rewrite: /\n"
	"        upstream:\n"
	"          servers: [127.0.0.1:3, {address: unix:/r.sock, weight: 9}]\n"
	"          tls: {verify: none}\n"
	"          check: {path: /, expect: 200-299}\n"
	"      - {exact: /a, host: \"*.X.example\"}\n"
	"    identity_headers:\n"
	"      - rfc9440\n"
	"      - {preset: azure, only: [X-ARR-ClientCert], names: {X-ARR-ClientCert: X-Cert}, "
	"absent: empty}\n"
	"      - {preset: akamai, attributes: [cn, sha256]}\n"
	"    headers: {X-Partner: \"{event.id}\", X-Claim: {value: c, unverified: true}}\n"
	"    event_id_header: X-Id\n"
	"    forwarded: rfc7239\n"
	"    requests: all\n"
	"    request_query: true\n"
	"    body_limit: 10MiB\n";

static void every_value_of_an_upstream_arrives_where_it_belongs(void)
{
	struct config *config = fixture_parse(http);
	const struct config_upstream *upstream = &config->services[0].upstream;

	CU_ASSERT_EQUAL_FATAL(upstream->server_count, 2);
	CU_ASSERT_EQUAL(upstream->servers[0].weight, 1);
	CU_ASSERT_FALSE(upstream->servers[0].backup);
	CU_ASSERT_EQUAL(upstream->servers[1].weight, 2);
	CU_ASSERT_TRUE(upstream->servers[1].backup);
	CU_ASSERT_EQUAL(upstream->balance, BALANCE_LEAST_CONNECTIONS);
	CU_ASSERT_EQUAL(upstream->proxy_protocol, PROXY_PROTOCOL_V2);
	CU_ASSERT_EQUAL(upstream->tls.at.line, 22);
	CU_ASSERT_EQUAL(upstream->tls.verify, UPSTREAM_VERIFY_REQUIRED);
	CU_ASSERT_EQUAL(upstream->tls.verify_at.line, 0);
	CU_ASSERT_EQUAL_FATAL(upstream->tls.ca.count, 1);
	CU_ASSERT_STRING_EQUAL(upstream->tls.ca.items[0].text, "/b-ca.pem");
	CU_ASSERT_STRING_EQUAL(upstream->tls.certificate.chain.text, "/e.pem");
	CU_ASSERT_STRING_EQUAL(upstream->tls.certificate.key.text, "/e.key");
	CU_ASSERT_STRING_EQUAL(upstream->tls.server_name.text, "backend.internal");
	CU_ASSERT_STRING_EQUAL(upstream->host.text, "api.example:8443");
	CU_ASSERT_EQUAL(upstream->check.at.line, 24);
	CU_ASSERT_STRING_EQUAL(upstream->check.path.text, "/healthz?x=1");
	CU_ASSERT_STRING_EQUAL(upstream->check.host.text, "h.example");
	CU_ASSERT_EQUAL(upstream->check.interval_ms, 7000);
	CU_ASSERT_EQUAL(upstream->check.timeout_ms, 1000);
	CU_ASSERT_EQUAL(upstream->check.unhealthy, 4);
	CU_ASSERT_EQUAL(upstream->check.healthy, 5);
	CU_ASSERT_EQUAL(upstream->check.expect_from, 204);
	CU_ASSERT_EQUAL(upstream->check.expect_to, 204);
	CU_ASSERT_EQUAL(upstream->failures, 6);
	CU_ASSERT_EQUAL(upstream->back_off_ms, 2000);
	CU_ASSERT_EQUAL(upstream->resolve_ms, 60000);
	config_free(&config);
}

static void every_value_of_mode_http_arrives_where_it_belongs(void)
{
	struct config *config = fixture_parse(http);
	const struct config_service *service = &config->services[0];

	CU_ASSERT_EQUAL(config->limits.request_line_bytes, 4096);
	CU_ASSERT_EQUAL(config->limits.head_bytes, 8192);
	CU_ASSERT_EQUAL(config->limits.head_fields, 64);
	CU_ASSERT_EQUAL(config->timeouts.header_ms, 3000);
	CU_ASSERT_EQUAL(config->timeouts.request_ms, 4000);
	CU_ASSERT_EQUAL(config->timeouts.upstream_ms, 5000);
	CU_ASSERT_EQUAL_FATAL(config->listeners[0].proxy_protocol.count, 3);
	CU_ASSERT_STRING_EQUAL(config->listeners[0].proxy_protocol.items[1].text, "fd00::/8");
	CU_ASSERT_EQUAL(service->mode, MODE_HTTP);
	CU_ASSERT_EQUAL(service->deny, DENY_HTTP);
	CU_ASSERT_EQUAL(service->deny_at.line, 14);
	CU_ASSERT_EQUAL_FATAL(service->status_count, 2);
	CU_ASSERT_STRING_EQUAL(service->statuses[0].class.text, "default");
	CU_ASSERT_EQUAL(service->statuses[0].status, 404);
	CU_ASSERT_STRING_EQUAL(service->statuses[1].class.text, "no_certificate");
	CU_ASSERT_EQUAL(service->statuses[1].class.at.line, 15);
	CU_ASSERT_EQUAL(service->statuses[1].status, 401);
	CU_ASSERT_EQUAL(service->sni_host, SNI_HOST_EXACT);
	CU_ASSERT_EQUAL(service->quarantine.at.line, 17);
	CU_ASSERT_EQUAL_FATAL(service->quarantine.server_count, 1);
	CU_ASSERT_EQUAL(service->quarantine.failures, 3);
	CU_ASSERT_EQUAL_FATAL(service->identity_count, 3);
	CU_ASSERT_STRING_EQUAL(service->identities[0].preset.text, "rfc9440");
	CU_ASSERT_EQUAL(service->identities[0].absent, ABSENT_DEFAULT);
	CU_ASSERT_EQUAL(service->identities[1].at.line, 40);
	CU_ASSERT_EQUAL_FATAL(service->identities[1].only.count, 1);
	CU_ASSERT_EQUAL_FATAL(service->identities[1].names.count, 1);
	CU_ASSERT_STRING_EQUAL(service->identities[1].names.items[0].name.text, "X-ARR-ClientCert");
	CU_ASSERT_STRING_EQUAL(service->identities[1].names.items[0].value.text, "X-Cert");
	CU_ASSERT_EQUAL(service->identities[1].absent, ABSENT_EMPTY);
	CU_ASSERT_EQUAL(service->identities[2].attributes.count, 2);
	CU_ASSERT_EQUAL_FATAL(service->header_count, 2);
	CU_ASSERT_STRING_EQUAL(service->headers[0].name.text, "X-Partner");
	CU_ASSERT_STRING_EQUAL(service->headers[0].value.text, "{event.id}");
	CU_ASSERT_FALSE(service->headers[0].unverified);
	CU_ASSERT_STRING_EQUAL(service->headers[1].value.text, "c");
	CU_ASSERT_TRUE(service->headers[1].unverified);
	CU_ASSERT_STRING_EQUAL(service->event_id_header.text, "X-Id");
	CU_ASSERT_EQUAL(service->forwarded, FORWARDED_RFC7239);
	CU_ASSERT_EQUAL(service->requests, REQUESTS_ALL);
	CU_ASSERT_TRUE(service->request_query);
	CU_ASSERT_EQUAL(service->body_limit_bytes, 10 << 20);
	config_free(&config);
}

static void every_value_of_a_route_arrives_where_it_belongs(void)
{
	struct config *config = fixture_parse(http);
	const struct config_service *service = &config->services[0];
	CU_ASSERT_EQUAL_FATAL(service->route_count, 2);
	const struct config_route *admin = &service->routes[0], *exact = &service->routes[1];

	CU_ASSERT_EQUAL(admin->at.line, 30);
	CU_ASSERT_STRING_EQUAL(admin->path.text, "/admin/");
	CU_ASSERT_PTR_NULL(admin->exact.text);
	CU_ASSERT_PTR_NULL(admin->host.text);
	CU_ASSERT_STRING_EQUAL(admin->rewrite.text, "/");
	CU_ASSERT_EQUAL(admin->require, REQUIRE_VERIFIED);
	CU_ASSERT_EQUAL_FATAL(admin->upstream.server_count, 2);
	CU_ASSERT_STRING_EQUAL(admin->upstream.servers[1].address.text, "unix:/r.sock");
	CU_ASSERT_EQUAL(admin->upstream.servers[1].weight, 9);
	CU_ASSERT_EQUAL(admin->upstream.tls.verify, UPSTREAM_VERIFY_NONE);
	CU_ASSERT_EQUAL(admin->upstream.check.expect_from, 200);
	CU_ASSERT_EQUAL(admin->upstream.check.expect_to, 299);
	CU_ASSERT_EQUAL(admin->upstream.check.interval_ms, 5000);
	CU_ASSERT_EQUAL(admin->upstream.back_off_ms, 1000);
	CU_ASSERT_STRING_EQUAL(exact->exact.text, "/a");
	CU_ASSERT_STRING_EQUAL(exact->host.text, "*.x.example");
	CU_ASSERT_EQUAL(exact->require, REQUIRE_NOTHING);
	CU_ASSERT_EQUAL(exact->upstream.at.line, 0);
	CU_ASSERT_EQUAL(exact->upstream.server_count, 0);
	config_free(&config);
}

static void defaults_of_mode_http_are_those_of_the_documentation(void)
{
	char text[1024];
	const char *mode = strstr(minimal, "mode: tcp");
	snprintf(text, sizeof(text), "%.*smode: http%s", (int)(mode - minimal), minimal, mode + 9);
	struct config *config = fixture_parse(text);
	const struct config_service *service = &config->services[0];

	CU_ASSERT_EQUAL(config->limits.request_line_bytes, 8192);
	CU_ASSERT_EQUAL(config->limits.head_bytes, 32768);
	CU_ASSERT_EQUAL(config->limits.head_fields, 100);
	CU_ASSERT_EQUAL(config->timeouts.header_ms, 10000);
	CU_ASSERT_EQUAL(config->timeouts.request_ms, 30000);
	CU_ASSERT_EQUAL(config->timeouts.upstream_ms, 60000);
	CU_ASSERT_EQUAL(config->listeners[0].proxy_protocol.count, 0);
	CU_ASSERT_EQUAL_FATAL(service->tls.alpn.count, 1);
	CU_ASSERT_STRING_EQUAL(service->tls.alpn.items[0].text, "http/1.1");
	CU_ASSERT_EQUAL(service->deny, DENY_ALERT);
	CU_ASSERT_EQUAL(service->status_count, 0);
	CU_ASSERT_PTR_NULL(service->redirect.text);
	CU_ASSERT_EQUAL(service->sni_host, SNI_HOST_SERVICE);
	CU_ASSERT_EQUAL(service->quarantine.at.line, 0);
	CU_ASSERT_EQUAL(service->quarantine.server_count, 0);
	CU_ASSERT_EQUAL(service->route_count, 0);
	CU_ASSERT_EQUAL(service->identity_count, 0);
	CU_ASSERT_EQUAL(service->header_count, 0);
	CU_ASSERT_STRING_EQUAL(service->event_id_header.text, "X-TLS-Event-Id");
	CU_ASSERT_EQUAL(service->forwarded, FORWARDED_X);
	CU_ASSERT_EQUAL(service->requests, REQUESTS_NONE);
	CU_ASSERT_FALSE(service->request_query);
	CU_ASSERT_EQUAL(service->body_limit_bytes, UINT64_MAX);
	CU_ASSERT_EQUAL(service->upstream.balance, BALANCE_ROUND_ROBIN);
	CU_ASSERT_EQUAL(service->upstream.proxy_protocol, PROXY_PROTOCOL_NONE);
	CU_ASSERT_EQUAL(service->upstream.tls.at.line, 0);
	CU_ASSERT_EQUAL(service->upstream.check.at.line, 0);
	CU_ASSERT_PTR_NULL(service->upstream.host.text);
	CU_ASSERT_EQUAL(service->upstream.failures, 3);
	CU_ASSERT_EQUAL(service->upstream.back_off_ms, 1000);
	CU_ASSERT_EQUAL(service->upstream.resolve_ms, 30000);
	config_free(&config);
}

static void alpn_may_be_empty_in_mode_http_if_it_says_so(void)
{
	char text[1024];
	const char *mode = strstr(minimal, "mode: tcp");
	snprintf(text, sizeof(text), "%.*smode: http\n    tls: {alpn: []}%s", (int)(mode - minimal),
	         minimal, mode + 9);
	struct config *config = fixture_parse(text);
	CU_ASSERT_EQUAL(config->services[0].tls.alpn.count, 0);
	config_free(&config);
}

static void server_names_become_lower_case(void)
{
	struct config *config = fixture_parse(minimal);
	CU_ASSERT_EQUAL_FATAL(config->services[0].server_names.count, 2);
	CU_ASSERT_STRING_EQUAL(config->services[0].server_names.items[0].text, "a.example");
	CU_ASSERT_STRING_EQUAL(config->services[0].server_names.items[1].text, "*.b.example");
	config_free(&config);
}

static void a_name_may_have_another_service_on_another_listener(void)
{
	static const char text[] =
		"state: /x\n"
		"listeners:\n"
		"  - {bind: \"127.0.0.1:1\", services: [a]}\n"
		"  - {bind: \"127.0.0.1:2\", services: [b]}\n"
		"services:\n"
		"  - {name: a, server_names: [x.y], default: true, certificates: [{chain: c, key: "
		"k}], client: {verify: none}, mode: tcp,\n"
		"     upstream: {servers: [unix:/a]}}\n"
		"  - {name: b, server_names: [X.y], default: true, certificates: [{chain: c, key: "
		"k}], client: {verify: none}, mode: tcp,\n"
		"     upstream: {servers: [unix:/a]}}\n";
	struct config *config = fixture_parse(text);
	CU_ASSERT_EQUAL(config->service_count, 2);
	config_free(&config);
}

static void a_default_may_be_written_as_null_where_there_is_none(void)
{
	char text[1024];
	snprintf(text, sizeof(text), "%suser: null\n", minimal);
	struct config *config = fixture_parse(text);
	CU_ASSERT_PTR_NULL(config->user.text);
	config_free(&config);
}

static void relative_paths_count_from_the_folder_of_the_file(void)
{
	char folder[] = "/tmp/config-load-XXXXXX", path[64], expected[64];
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/c.yaml", folder);
	FILE *file = fopen(path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fputs(minimal, file);
	fclose(file);

	struct config *config = NULL;
	struct diag diag;
	diag_init(&diag);
	CU_ASSERT_EQUAL_FATAL(config_load(&config, path, &diag), E_OK);
	snprintf(expected, sizeof(expected), "%s/a.pem", folder);
	CU_ASSERT_STRING_EQUAL(config->services[0].certificates[0].chain.text, expected);
	CU_ASSERT_STRING_EQUAL(config->services[0].certificates[0].key.text, "/keys/a.key");
	config_free(&config);
	diag_release(&diag);
	unlink(path);
	rmdir(folder);
}

static void the_canonical_copy_reads_back_as_itself(void)
{
	struct config *config = fixture_parse(minimal);
	struct config *again = fixture_parse(config->canonical);
	CU_ASSERT_STRING_EQUAL(config->canonical, again->canonical);
	CU_ASSERT_PTR_NOT_NULL(strstr(config->canonical, "\"handshake_time\":\"10s\""));
	config_free(&again);
	config_free(&config);
}

static void the_canonical_copy_has_all_of_mode_http(void)
{
	static const char *const parts[] = {
		"\"proxy_protocol\":[\"10.0.0.0/8\",\"fd00::/8\",\"192.0.2.1\"]",
		"\"status\":{\"default\":404,\"no_certificate\":401}",
		"\"tls\":{\"verify\":\"required\",\"ca\":[\"/"
		"b-ca.pem\"],\"certificate\":{\"chain\":\"/"
		"e.pem\",\"key\":\"/e.key\"}",
		"\"expect\":\"204\"",
		"\"expect\":\"200-299\"",
		"\"host\":\"keep\"",
		"\"headers\":{\"X-Partner\":{\"value\":\"{event.id}\",\"unverified\":false}",
		"\"names\":{\"X-ARR-ClientCert\":\"X-Cert\"}",
		"\"body_limit\":\"10MiB\"",
	};
	struct config *config = fixture_parse(http);
	struct config *again = fixture_parse(config->canonical);
	CU_ASSERT_STRING_EQUAL(config->canonical, again->canonical);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (strstr(config->canonical, parts[i]) == NULL) {
			fprintf(stderr, "\n%s is not in %s\n", parts[i], config->canonical);
		}
		CU_ASSERT_PTR_NOT_NULL(strstr(config->canonical, parts[i]));
	}
	config_free(&again);
	config_free(&config);

	char text[4096];
	const char *limit = strstr(http, "    body_limit");
	snprintf(text, sizeof(text), "%.*s", (int)(limit - http), http);
	config = fixture_parse(text);
	again = fixture_parse(config->canonical);
	CU_ASSERT_PTR_NOT_NULL(strstr(config->canonical, "\"body_limit\":null"));
	CU_ASSERT_STRING_EQUAL(config->canonical, again->canonical);
	config_free(&again);
	config_free(&config);
}

static void the_canonical_copy_does_not_depend_on_order_and_comments(void)
{
	char text[2048];
	/* The first line goes last. */
	const char *rest = strchr(minimal, '\n') + 1;
	snprintf(text, sizeof(text), "# comment\n%s\n%.*s\n", rest, (int)(rest - minimal - 1),
	         minimal);
	struct config *config = fixture_parse(minimal);
	struct config *again = fixture_parse(text);
	CU_ASSERT_STRING_EQUAL(config->canonical, again->canonical);
	CU_ASSERT_NOT_EQUAL(memcmp(config->sha256, again->sha256, sizeof(config->sha256)), 0);
	config_free(&again);
	config_free(&config);
}

static void the_hash_is_sha256_of_the_bytes(void)
{
	/* sha256sum of `minimal`, so that a change of the text shows here too */
	static const uint8_t expected[32] = {
		0x2a, 0x1a, 0x61, 0xb1, 0x78, 0xe0, 0xef, 0xe0, 0x8e, 0x8f, 0xed,
		0xb5, 0xc6, 0x12, 0xb3, 0x2e, 0xe4, 0x35, 0x46, 0x4a, 0x90, 0xd9,
		0xf7, 0xc0, 0xa1, 0x56, 0x37, 0xde, 0x92, 0xb2, 0x0d, 0x2b,
	};
	struct config *config = fixture_parse(minimal);
	CU_ASSERT_EQUAL(memcmp(config->sha256, expected, 32), 0);
	config_free(&config);
}

static const struct unit_test tests[] = {
	{"what is wrong is said with its place", what_is_wrong_is_said_with_its_place},
	{"what is dangerous is warned of", what_is_dangerous_is_warned_of},
	{"a file larger than 4 MiB is refused", a_file_larger_than_4_mib_is_refused},
	{"more than 200000 values are refused", more_than_200000_values_are_refused},
	{"a missing file is an error without a place", a_missing_file_is_an_error_without_a_place},
	{"defaults are those of the documentation", defaults_are_those_of_the_documentation},
	{"ca_names follow passthrough unless given", ca_names_follow_passthrough_unless_given},
	{"every value arrives where it belongs", every_value_arrives_where_it_belongs},
	{"every value of an upstream arrives where it belongs",
         every_value_of_an_upstream_arrives_where_it_belongs},
	{"every value of mode http arrives where it belongs",
         every_value_of_mode_http_arrives_where_it_belongs},
	{"every value of a route arrives where it belongs",
         every_value_of_a_route_arrives_where_it_belongs},
	{"defaults of mode http are those of the documentation",
         defaults_of_mode_http_are_those_of_the_documentation},
	{"ALPN may be empty in mode http if it says so",
         alpn_may_be_empty_in_mode_http_if_it_says_so},
	{"server names become lower case", server_names_become_lower_case},
	{"a name may have another service on another listener",
         a_name_may_have_another_service_on_another_listener},
	{"a default may be written as null where there is none",
         a_default_may_be_written_as_null_where_there_is_none},
	{"relative paths count from the folder of the file",
         relative_paths_count_from_the_folder_of_the_file},
	{"the canonical copy reads back as itself", the_canonical_copy_reads_back_as_itself},
	{"the canonical copy has all of mode http", the_canonical_copy_has_all_of_mode_http},
	{"the canonical copy does not depend on order and comments",
         the_canonical_copy_does_not_depend_on_order_and_comments},
	{"the hash is SHA-256 of the bytes", the_hash_is_sha256_of_the_bytes},
};
UNIT_MAIN("config/load", tests)
