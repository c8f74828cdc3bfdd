/* What is asked of clients: trust, revocation, lists, and what changes while a connection lives. */
#include "config/config.h"

#include "fixture.h"
#include "unit.h"

/* A service with these lines in its `client`, each behind six blanks. */
static struct config *parse_client(const char *client)
{
	char text[4096];
	snprintf(text, sizeof(text),
	         "state: /var/lib/tlscribe\n"
	         "node: edge\n"
	         "listeners: [{bind: \"127.0.0.1:8443\"}]\n"
	         "services:\n"
	         "  - name: a\n"
	         "    default: true\n"
	         "    certificates: [{chain: a.pem, key: a.key}]\n"
	         "    mode: tcp\n"
	         "    upstream: {servers: [127.0.0.1:9000]}\n"
	         "    client:\n"
	         "%s",
	         client);
	return fixture_parse(text);
}

static void defaults_check_nothing_but_the_path(void)
{
	struct config *config = parse_client("      {verify: required, ca: [ca.pem]}\n");
	const struct config_client *client = &config->services[0].client;

	CU_ASSERT_EQUAL(config->limits.signature_checks, 32);
	CU_ASSERT_EQUAL(config->limits.name_comparisons, 65536);
	CU_ASSERT_FALSE(config->services[0].tls.resumption);
	CU_ASSERT_EQUAL(client->trust, TRUST_CA);
	CU_ASSERT_EQUAL(client->issuers.count, 0);
	CU_ASSERT_EQUAL(client->crl.count, 0);
	CU_ASSERT_EQUAL(client->crl_fetch.at.line, 0);
	CU_ASSERT_EQUAL(client->crl_fetch.urls.count, 0);
	CU_ASSERT_EQUAL(client->revocation, REVOCATION_OFF);
	CU_ASSERT_EQUAL(client->revocation_at.line, 0);
	CU_ASSERT_EQUAL(client->revocation_scope, REVOCATION_PATH);
	CU_ASSERT_EQUAL(client->ocsp.at.line, 0);
	CU_ASSERT_EQUAL(client->ocsp.mode, REVOCATION_OFF);
	CU_ASSERT_PTR_NULL(client->ocsp.responder.text);
	CU_ASSERT_EQUAL(client->ocsp.aia.count, 0);
	CU_ASSERT_EQUAL(client->ocsp.timeout_ms, 2000);
	CU_ASSERT_FALSE(client->ocsp.nonce);
	CU_ASSERT_EQUAL(client->allow.count, 0);
	CU_ASSERT_EQUAL(client->deny.count, 0);
	CU_ASSERT_EQUAL(client->on_change, ON_CHANGE_CLOSE);
	CU_ASSERT_EQUAL(client->alert, ALERT_CLASS);
	config_free(&config);
}

static const char everything[] =
	"      verify: required\n"
	"      ca: [ca.pem]\n"
	"      issuers: [/i1.pem, /i2.pem]\n"
	"      crl: [/crls, /a.crl]\n"
	"      crl_fetch:\n"
	"        urls: [\"http://CA.Example/A.crl\", \"https://[::1]:8443/x?y=z\"]\n"
	"        interval: 5m\n"
	"        timeout: 7s\n"
	"        max_size: 20MiB\n"
	"      revocation: soft\n"
	"      revocation_scope: leaf\n"
	"      ocsp: {mode: hard, responder: \"http://OCSP.example/\", aia: "
	"[\"http://CA.example/o\"],\n"
	"             timeout: 900ms, nonce: true}\n"
	"      allow: [/allow.list]\n"
	"      deny: [/deny1.list, /deny2.list]\n"
	"      on_change: log\n"
	"      alert: generic\n"
	"    tls: {resumption: on}\n"
	"limits: {signature_checks: 1024, name_comparisons: 1}\n";

static void every_value_arrives_where_it_belongs(void)
{
	struct config *config = parse_client(everything);
	const struct config_client *client = &config->services[0].client;

	CU_ASSERT_EQUAL(config->limits.signature_checks, 1024);
	CU_ASSERT_EQUAL(config->limits.name_comparisons, 1);
	CU_ASSERT_TRUE(config->services[0].tls.resumption);
	CU_ASSERT_EQUAL_FATAL(client->issuers.count, 2);
	CU_ASSERT_STRING_EQUAL(client->issuers.items[1].text, "/i2.pem");
	CU_ASSERT_EQUAL(client->issuers.items[1].at.line, 13);
	CU_ASSERT_EQUAL_FATAL(client->crl.count, 2);
	CU_ASSERT_STRING_EQUAL(client->crl.items[0].text, "/crls");
	CU_ASSERT_EQUAL(client->crl_fetch.at.line, 16);
	CU_ASSERT_EQUAL_FATAL(client->crl_fetch.urls.count, 2);
	CU_ASSERT_STRING_EQUAL(client->crl_fetch.urls.items[0].text, "http://ca.example/A.crl");
	CU_ASSERT_STRING_EQUAL(client->crl_fetch.urls.items[1].text, "https://[::1]:8443/x?y=z");
	CU_ASSERT_EQUAL(client->crl_fetch.interval_ms, 300000);
	CU_ASSERT_EQUAL(client->crl_fetch.timeout_ms, 7000);
	CU_ASSERT_EQUAL(client->crl_fetch.max_bytes, 20 << 20);
	CU_ASSERT_EQUAL(client->revocation, REVOCATION_SOFT);
	CU_ASSERT_EQUAL(client->revocation_at.line, 20);
	CU_ASSERT_EQUAL(client->revocation_scope, REVOCATION_LEAF);
	CU_ASSERT_EQUAL(client->ocsp.at.line, 22);
	CU_ASSERT_EQUAL(client->ocsp.mode, REVOCATION_HARD);
	CU_ASSERT_EQUAL(client->ocsp.mode_at.line, 22);
	CU_ASSERT_STRING_EQUAL(client->ocsp.responder.text, "http://ocsp.example/");
	CU_ASSERT_EQUAL_FATAL(client->ocsp.aia.count, 1);
	CU_ASSERT_STRING_EQUAL(client->ocsp.aia.items[0].text, "http://ca.example/o");
	CU_ASSERT_EQUAL(client->ocsp.timeout_ms, 900);
	CU_ASSERT_TRUE(client->ocsp.nonce);
	CU_ASSERT_EQUAL_FATAL(client->allow.count, 1);
	CU_ASSERT_STRING_EQUAL(client->allow.items[0].text, "/allow.list");
	CU_ASSERT_EQUAL_FATAL(client->deny.count, 2);
	CU_ASSERT_STRING_EQUAL(client->deny.items[1].text, "/deny2.list");
	CU_ASSERT_EQUAL(client->on_change, ON_CHANGE_LOG);
	CU_ASSERT_EQUAL(client->alert, ALERT_GENERIC);
	config_free(&config);
}

static void crls_are_checked_hard_unless_it_says_else(void)
{
	static const struct {
		const char *client;
		enum revocation_mode mode;
	} cases[] = {
		{"      {verify: required, ca: [a], crl: [b]}\n", REVOCATION_HARD},
		{"      {verify: optional, ca: [a], crl_fetch: {urls: [\"http://a/\"]}}\n",
	         REVOCATION_HARD},
		{"      {verify: passthrough, ca: [a], crl: [b]}\n", REVOCATION_HARD},
		{"      {verify: required, ca: [a], crl: [b], revocation: hard}\n", REVOCATION_HARD},
		{"      {verify: required, ca: [a], crl: [b], revocation: soft}\n", REVOCATION_SOFT},
		{"      {verify: required, ca: [a], revocation: off}\n", REVOCATION_OFF},
		{"      {verify: none}\n", REVOCATION_OFF},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config *config = parse_client(cases[i].client);
		CU_ASSERT_EQUAL(config->services[0].client.revocation, cases[i].mode);
		config_free(&config);
	}
}

static void pinned_needs_no_ca(void)
{
	static const char *const modes[] = {"required", "optional", "passthrough"};
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		char text[128];
		snprintf(text, sizeof(text),
		         "      {verify: %s, trust: pinned, allow: [a], deny: [b]}\n", modes[i]);
		struct config *config = parse_client(text);
		CU_ASSERT_EQUAL(config->services[0].client.trust, TRUST_PINNED);
		CU_ASSERT_NOT_EQUAL(config->services[0].client.trust_at.line, 0);
		CU_ASSERT_EQUAL(config->services[0].client.ca.count, 0);
		config_free(&config);
	}
}

/* Machines that make configurations write out what means nothing. */
static void empty_lists_and_defaults_may_be_written_out(void)
{
	static const char *const cases[] = {
		"      {verify: none, trust: ca, issuers: [], allow: [], deny: [], revocation: "
		"off,\n"
		"       ocsp: {mode: off, responder: null, aia: []}, on_change: close, alert: "
		"class}\n",
		"      {verify: required, ca: [a], issuers: [], allow: [], deny: [],\n"
		"       ocsp: {mode: off, responder: null, timeout: 2s}}\n",
		"      {verify: required, trust: pinned, allow: [a], issuers: [], revocation: "
		"off,\n"
		"       ocsp: {mode: off}, revocation_scope: path}\n",
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config *config = parse_client(cases[i]);
		CU_ASSERT_EQUAL(config->services[0].client.issuers.count, 0);
		config_free(&config);
	}
}

/* What the audit trail keeps of a configuration has to mean the same. */
static void the_canonical_copy_reads_back_as_itself(void)
{
	static const char *const cases[] = {
		everything,
		"      {verify: none}\n",
		"      {verify: required, ca: [a], crl: [b]}\n",
		"      {verify: passthrough, trust: pinned, allow: [a]}\n",
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config *config = parse_client(cases[i]);
		struct config *again = fixture_parse(config->canonical);
		CU_ASSERT_STRING_EQUAL(config->canonical, again->canonical);
		CU_ASSERT_EQUAL(config->services[0].client.revocation,
		                again->services[0].client.revocation);
		config_free(&again);
		config_free(&config);
	}
	static const char *const parts[] = {
		"\"resumption\":\"on\"",
		"\"crl_fetch\":{\"urls\":[\"http://ca.example/A.crl\",\"https://[::1]:8443/"
		"x?y=z\"],\"interval\":\"5m\",\"timeout\":\"7s\",\"max_size\":\"20MiB\"}",
		"\"revocation\":\"soft\",\"revocation_scope\":\"leaf\"",
		"\"ocsp\":{\"mode\":\"hard\",\"responder\":\"http://ocsp.example/\","
		"\"aia\":[\"http://ca.example/o\"],\"timeout\":\"900ms\",\"nonce\":true}",
		"\"on_change\":\"log\",\"alert\":\"generic\"",
	};
	struct config *config = parse_client(everything);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (strstr(config->canonical, parts[i]) == NULL) {
			fprintf(stderr, "\n%s is not in %s\n", parts[i], config->canonical);
		}
		CU_ASSERT_PTR_NOT_NULL(strstr(config->canonical, parts[i]));
	}
	config_free(&config);
}

static const struct unit_test tests[] = {
	{"defaults check nothing but the path", defaults_check_nothing_but_the_path},
	{"every value arrives where it belongs", every_value_arrives_where_it_belongs},
	{"CRLs are checked hard unless it says else", crls_are_checked_hard_unless_it_says_else},
	{"pinned needs no CA", pinned_needs_no_ca},
	{"empty lists and defaults may be written out", empty_lists_and_defaults_may_be_written_out},
	{"the canonical copy reads back as itself", the_canonical_copy_reads_back_as_itself},
};
UNIT_MAIN("config/client", tests)
