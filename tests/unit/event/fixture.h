/* Handshakes made by hand: plain structs, as peer/ and tls/ would fill them. */
#pragma once

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "event/event.h"
#include "event/fields.h"
#include "peer/qualified.h"
#include "unit.h"

struct fixture {
	struct event_source from;
	struct event_service service;
	struct handshake hs;
	struct chain chain;
	struct cert certs[2];
	struct verdict verdict;
};

/* SLICE() of a static array's initializer. */
#define SLICE_OF(literal) \
	{ \
		(const uint8_t *)(literal), sizeof(literal) - 1 \
	}

static struct dn_value fixture_subject_values[] = {
	{DN_COMMON_NAME, {(const uint8_t *)"acme-7", 6}},
	{DN_ORGANIZATION, {(const uint8_t *)"Acme", 4}},
};
static struct dn_value fixture_issuer_values[] = {
	{DN_COMMON_NAME, {(const uint8_t *)"Partner A CA", 12}},
};
static struct san fixture_sans[] = {
	{SAN_DNS, {(const uint8_t *)"acme-7.example", 14}, {NULL, 0}},
	{SAN_IP, {(const uint8_t *)"\xc0\x00\x02\x07", 4}, {NULL, 0}},
	{SAN_OTHER,
         {(const uint8_t *)"\x0c\x01x", 3},
         {(const uint8_t *)"1.3.6.1.4.1.311.20.2.3", 22}},
};
static struct slice fixture_purposes[] = {{(const uint8_t *)"clientAuth", 10}};
static const char *fixture_key_usages[] = {"digitalSignature"};
static struct slice fixture_policies[] = {{(const uint8_t *)"1.3.6.1.4.1.99999.1", 19}};
static char fixture_anchor[] = "/etc/tlscribe/partner-a-ca.pem";
static char fixture_subjects[2][40] = {"CN=acme-7,O=Acme", "CN=Partner A CA"};
static uint8_t fixture_policy[32] = {0xc0, 0xff, 0xee};

#define FIXTURE_NOW_S 1795249800LL /* 2026-11-21T08:30:00Z */
#define FIXTURE_DAY_S 86400

static inline struct endpoint fixture_ipv4(const char *ip, uint16_t port)
{
	struct endpoint e = {.family = AF_INET, .port = port};
	memcpy(e.ip, ip, 4);
	return e;
}

static inline void fixture_fill(uint8_t *to, size_t len, uint8_t first)
{
	for (size_t i = 0; i < len; i++) {
		to[i] = (uint8_t)(first + i);
	}
}

static inline void fixture_cert(struct cert *cert)
{
	*cert = (struct cert){
		.parsed = true,
		.version = 3,
		.serial = SLICE("\x00\xa1\x0b"),
		.subject = {SLICE("CN=acme-7,O=Acme"), fixture_subject_values, 2},
		.issuer = {SLICE("CN=Partner A CA"), fixture_issuer_values, 1},
		.not_before_s = FIXTURE_NOW_S - 100 * FIXTURE_DAY_S,
		.not_after_s = FIXTURE_NOW_S + 30 * FIXTURE_DAY_S,
		.key_algorithm = "ECDSA",
		.key_bits = 256,
		.key_curve = "P-256",
		.signature_algorithm = "ECDSA-SHA256",
		.sans = fixture_sans,
		.san_count = 3,
		.purposes = fixture_purposes,
		.purpose_count = 1,
		.key_usages = fixture_key_usages,
		.key_usage_count = 1,
		.policies = fixture_policies,
		.policy_count = 1,
	};
	fixture_fill(cert->sha256, 32, 0xa0);
	fixture_fill(cert->sha1, 20, 0xb0);
	fixture_fill(cert->spki_sha256, 32, 0xc0);
}

static inline void fixture_hello(struct hello *hello)
{
	*hello = (struct hello){
		.seen = true,
		.has_server_name = true,
		.server_name_len = 11,
		.server_name = "api.example",
		.versions = {0x0304, 0x0303, 0x7f1c},
		.version_count = 3,
		.cipher_count = 17,
		.alpn = "\x02h2\x08http/1.1",
		.alpn_len = 12,
		.ja3 = "66918128f1b9b03303d77c6f2eefd128",
		.ja4 = "t13d1615h2_46e7e9700bed_45f260be83e2",
	};
	fixture_fill(hello->sha256, 32, 0x10);
}

/* A good handshake of a known client. */
static inline void fixture_init(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->from = (struct event_source){"edge-1", "audit.example/edge-1/1", "q3k9c1m2x7w4a",
	                                SLICE("{\"site\":\"ams1\"}")};
	f->service = (struct event_service){"partner-a", "required",
	                                    SLICE("{\"site\":\"ams1\",\"tier\":\"gold\"}")};
	fixture_cert(&f->certs[0]);
	fixture_cert(&f->certs[1]);
	f->chain = (struct chain){.refs = 1, .count = 2, .certs = f->certs, .parsed = true};
	fixture_fill(f->chain.sha256, 32, 0xd0);
	f->verdict = (struct verdict){
		.refs = 1,
		.class = CLASS_OK,
		.path_count = 2,
		.path = {{.subject = fixture_subjects[0]}, {.subject = fixture_subjects[1]}},
		.anchor_file = fixture_anchor,
	};
	fixture_fill(f->verdict.path[0].sha256, 32, 0xa0);
	fixture_fill(f->verdict.path[1].sha256, 32, 0xe0);
	f->hs = (struct handshake){
		.id = "q3k9c1m2x7w4a-2-18f",
		.start_us = FIXTURE_NOW_S * 1000000 + 123456,
		.end_us = FIXTURE_NOW_S * 1000000 + 125290,
		.duration_ns = 1834000,
		.client_hello_us = 210,
		.handshake_us = 1600,
		.verify_us = 180,
		.source = fixture_ipv4("\xc0\x00\x02\x07", 51514),
		.destination = fixture_ipv4("\xc6\x33\x64\x01", 443),
		.source_bytes = 2310,
		.destination_bytes = 1890,
		.service = &f->service,
		.tls =
			{
				.version = TLS_VERSION_1_3,
				.cipher = "TLS_AES_128_GCM_SHA256",
				.group = "x25519",
				.alpn_len = 8,
				.alpn = "http/1.1",
				.established = true,
				.alert_sent = -1,
				.alert_received = -1,
				.has_server_certificate = true,
			},
		.requested = true,
		.ca_names = true,
		.presented = true,
		.possession = POSSESSION_PROVEN,
		.chain = &f->chain,
		.verdict = &f->verdict,
		.class = CLASS_OK,
		.decision = DECISION_ALLOW,
		.verified = true,
		.policy_epoch = 12,
		.policy_sha256 = fixture_policy,
	};
	fixture_hello(&f->hs.hello);
	fixture_fill(f->hs.tls.server_certificate_sha256, 32, 0xf0);
}

/* A payment service provider's certificate, and what a CRL says of it. */
static inline void fixture_psd2(struct fixture *f)
{
	static struct slice identifiers[] = {SLICE_OF("PSDDE-BAFIN-123456")};
	static struct slice statements[] = {
		SLICE_OF("qcCompliance"),
		SLICE_OF("qcType:web"),
		SLICE_OF("psd2Role:PSP_PI"),
		SLICE_OF("psd2Role:PSP_AI"),
		SLICE_OF("psd2NCAName:Federal Authority"),
		SLICE_OF("psd2NCAId:DE-BAFIN"),
	};
	static struct slice roles[] = {SLICE_OF("PSP_PI"), SLICE_OF("PSP_AI")};
	static const struct qualified qualified = {identifiers, 1, statements, 6, roles, 2};
	f->certs[0].qualified = &qualified;
	f->verdict.revocation = (struct revocation){
		.source = REVOCATION_SOURCE_CRL,
		.status = REVOCATION_GOOD,
		.checked = true,
		.number = "01F4",
		.this_update_s = FIXTURE_NOW_S - 3600,
		.next_update_s = FIXTURE_NOW_S + FIXTURE_DAY_S,
	};
}

/* One fault at the leaf. */
static inline void fixture_fault(struct fixture *f, enum peer_class class)
{
	f->verdict.class = class;
	f->verdict.code = peer_class_row(class)->code_leaf;
	f->verdict.finding_count = 1;
	f->verdict.findings[0] = (struct finding){.class = class, .code = f->verdict.code};
	f->hs.class = class;
	f->hs.code = f->verdict.code;
	f->hs.verified = false;
	f->hs.decision = DECISION_DENY;
	f->hs.denied_by = DENIED_BY_VERIFY;
	f->hs.tls.alert_sent = (int)peer_class_row(class)->alert;
}

/* Ended before a verdict, and before a ClientHello. */
static inline void fixture_nothing(struct fixture *f, enum peer_class class)
{
	struct handshake *hs = &f->hs;
	memset(&hs->hello, 0, sizeof(hs->hello));
	memset(&hs->tls, 0, sizeof(hs->tls));
	hs->tls.alert_sent = -1;
	hs->tls.alert_received = -1;
	hs->client_hello_us = -1;
	hs->handshake_us = -1;
	hs->verify_us = -1;
	hs->service = NULL;
	hs->requested = false;
	hs->ca_names = false;
	hs->presented = false;
	hs->possession = POSSESSION_UNSET;
	hs->chain = NULL;
	hs->verdict = NULL;
	hs->class = class;
	hs->code = peer_class_row(class)->code_leaf;
	hs->decision = DECISION_DENY;
	hs->denied_by = DENIED_BY_HANDSHAKE;
	hs->verified = false;
	hs->policy_sha256 = NULL;
}

/* Ours with a server of an upstream: a good one, for the connection of fixture_init(). */
static inline void fixture_egress(struct fixture *f)
{
	struct handshake *hs = &f->hs;
	hs->egress = true;
	hs->connection = "q3k9c1m2x7w4a-2-18f";
	memcpy(hs->id, "q3k9c1m2x7w4a-2-19a", sizeof("q3k9c1m2x7w4a-2-19a"));
	hs->server = "backend.example:8443";
	hs->verify_mode = "required";
	hs->client_hello_us = -1;
	hs->source = fixture_ipv4("\x0a\x00\x00\x02", 40312);
	hs->destination = fixture_ipv4("\x0a\x00\x00\x07", 8443);
	hs->requested = false;
	hs->ca_names = false;
	hs->hello = (struct hello){
		.has_server_name = true, .server_name_len = 15, .server_name = "backend.example"};
}

static char fixture_request_id[] = "q3k9c1m2x7w4a-2-1a0";

/* One that was answered, within the connection of fixture_init(). */
static inline struct request_event fixture_request(const struct fixture *f)
{
	struct request_event request = {
		.connection = f->hs.id,
		.start_us = f->hs.end_us + 1000,
		.end_us = f->hs.end_us + 4500,
		.duration_ns = 3500000,
		.source = f->hs.source,
		.destination = f->hs.destination,
		.service = &f->service,
		.method = SLICE("POST"),
		.host = SLICE("api.example"),
		.path = SLICE("/v1/orders"),
		.status = 201,
		.request_bytes = 512,
		.response_bytes = 70000,
		.upstream = "10.0.0.7:8080",
		.class = CLASS_OK,
		.verified = true,
		.user_name = SLICE("acme-7"),
	};
	memcpy(request.id, fixture_request_id, sizeof(fixture_request_id));
	return request;
}

static inline void fixture_deny(struct request_event *request, enum denied_by by, unsigned status,
                                const char *detail)
{
	request->denied = true;
	request->denied_by = by;
	request->status = status;
	request->detail = detail;
	request->upstream = NULL;
}

/* The whole entry, as the journal will have it. */
static inline void fixture_head(struct buf *line)
{
	buf_init(line, EVENT_MAX);
	buf_append_text(line, EVENT_HEAD "0,");
}

static inline void fixture_line(struct buf *line, const struct fixture *f)
{
	fixture_head(line);
	CU_ASSERT_EQUAL(event_encode_handshake(line, &f->from, &f->hs), E_OK);
}

/* What the fixture's handshake is now; times and TLS session are not looked at. */
static inline struct connection_revoked fixture_revoked(const struct fixture *f)
{
	struct connection_revoked revoked = {
		.connection = "q3k9c1m2x7w4a-2-18f",
		.at_us = FIXTURE_NOW_S * 1000000 + 500000,
		.now = &f->hs,
		.before = DECISION_ALLOW,
		.cause = "list",
		.closed = true,
	};
	memcpy(revoked.id, "q3k9c1m2x7w4a-2-1b0", sizeof("q3k9c1m2x7w4a-2-1b0"));
	return revoked;
}

static inline void fixture_revoked_line(struct buf *line, const struct fixture *f,
                                        const struct connection_revoked *revoked)
{
	fixture_head(line);
	CU_ASSERT_EQUAL(event_encode_connection_revoked(line, &f->from, revoked), E_OK);
}

static inline void fixture_request_line(struct buf *line, const struct fixture *f,
                                        const struct request_event *request)
{
	fixture_head(line);
	CU_ASSERT_EQUAL(event_encode_request(line, &f->from, request), E_OK);
}

/* Parsed strictly; every byte printable ASCII. Ends with json_decref(). */
static inline json_t *fixture_parse(const struct buf *line)
{
	for (size_t i = 0; i < line->len; i++) {
		if (line->data[i] < 0x20 || line->data[i] > 0x7e) {
			CU_FAIL("a byte that is not printable ASCII");
			return NULL;
		}
	}
	json_error_t error;
	json_t *entry =
		json_loadb((const char *)line->data, line->len, JSON_REJECT_DUPLICATES, &error);
	if (entry == NULL) {
		fprintf(stderr, "%s at %d: %.*s\n", error.text, error.position, (int)line->len,
		        (const char *)line->data);
		CU_FAIL("jansson does not take the line");
	}
	return entry;
}

/* "tls.client.subject"; NULL if it is not there. Borrowed. */
static inline json_t *fixture_get(json_t *entry, const char *path)
{
	char name[64];
	while (entry != NULL && *path != '\0') {
		size_t len = strcspn(path, ".");
		snprintf(name, sizeof(name), "%.*s", (int)len, path);
		entry = json_object_get(entry, name);
		path += len + (path[len] == '.' ? 1 : 0);
	}
	return entry;
}

static inline const char *fixture_string(json_t *entry, const char *path)
{
	const char *text = json_string_value(fixture_get(entry, path));
	return text != NULL ? text : "(absent)";
}

/* Whether tlscribe.truncated names the field. */
static inline bool fixture_is_cut(json_t *entry, const char *path)
{
	size_t i;
	json_t *name;
	json_array_foreach(fixture_get(entry, "tlscribe.truncated"), i, name)
	{
		if (strcmp(json_string_value(name), path) == 0) {
			return true;
		}
	}
	return false;
}

/* A file of the source tree; NULL if it cannot be read. Ends with free(). */
static inline char *fixture_file(const char *path, size_t *len)
{
	char whole[4096];
	const char *srcdir = getenv("srcdir");
	snprintf(whole, sizeof(whole), "%s/%s", srcdir != NULL ? srcdir : ".", path);
	FILE *file = fopen(whole, "rb");
	if (file == NULL) {
		perror(whole);
		return NULL;
	}
	enum { FILE_MAX = 1 << 20 };
	char *text = malloc(FILE_MAX);
	*len = text == NULL ? 0 : fread(text, 1, FILE_MAX, file);
	fclose(file);
	return text;
}
