/* What one handshake event costs: nanoseconds and bytes, for a complete one, a refused one and
 * the longest one.
 *
 *   make tests/bench/encode && tests/bench/encode [ROUNDS] / */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/err.h"
#include "event/event.h"

static struct dn_value subject_values[] = {
	{DN_COMMON_NAME, {(const uint8_t *)"payments.acme.example", 21}},
	{DN_ORGANIZATION, {(const uint8_t *)"Acme Incorporated", 17}},
	{DN_COUNTRY, {(const uint8_t *)"NL", 2}},
};
static struct dn_value issuer_values[] = {
	{DN_COMMON_NAME, {(const uint8_t *)"Partner A Issuing CA 3", 22}},
	{DN_ORGANIZATION, {(const uint8_t *)"Partner A", 9}},
};
static struct san sans[] = {
	{SAN_DNS, {(const uint8_t *)"payments.acme.example", 21}, {NULL, 0}},
	{SAN_URI, {(const uint8_t *)"spiffe://acme.example/payments", 30}, {NULL, 0}},
};
static struct slice purposes[] = {{(const uint8_t *)"clientAuth", 10}};
static const char *key_usages[] = {"digitalSignature"};
static uint8_t policy[32];
static char path_subjects[3][64] = {
	"CN=payments.acme.example,O=Acme Incorporated,C=NL",
	"CN=Partner A Issuing CA 3,O=Partner A",
	"CN=Partner A Root CA,O=Partner A",
};
static char anchor_file[] = "/etc/tlscribe/partner-a-ca.pem";

static void make_cert(struct cert *cert)
{
	*cert = (struct cert){
		.parsed = true,
		.version = 3,
		.serial = SLICE("\x5a\x0b\x1c\x2d\x3e\x4f\x50\x61"),
		.subject = {slice_text(path_subjects[0]), subject_values, 3},
		.issuer = {slice_text(path_subjects[1]), issuer_values, 2},
		.not_before_s = 1780000000,
		.not_after_s = 1811536000,
		.key_algorithm = "ECDSA",
		.key_bits = 256,
		.key_curve = "P-256",
		.signature_algorithm = "ECDSA-SHA256",
		.sans = sans,
		.san_count = 2,
		.purposes = purposes,
		.purpose_count = 1,
		.key_usages = key_usages,
		.key_usage_count = 1,
	};
}

static void make_handshake(struct handshake *hs, const struct event_service *service,
                           struct chain *chain, struct verdict *verdict)
{
	*hs = (struct handshake){
		.id = "q3k9c1m2x7w4a-2-18f",
		.start_us = 1795249800123456,
		.end_us = 1795249800125290,
		.duration_ns = 1834000,
		.client_hello_us = 210,
		.handshake_us = 1600,
		.verify_us = 180,
		.source = {.family = AF_INET, .port = 51514, .ip = {192, 0, 2, 7}},
		.destination = {.family = AF_INET, .port = 443, .ip = {198, 51, 100, 1}},
		.source_bytes = 2310,
		.destination_bytes = 1890,
		.service = service,
		.hello =
			{
				.seen = true,
				.has_server_name = true,
				.server_name_len = 21,
				.server_name = "api.partner-a.example",
				.versions = {0x0304, 0x0303},
				.version_count = 2,
				.cipher_count = 17,
				.alpn = "\x02h2\x08http/1.1",
				.alpn_len = 12,
			},
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
		.chain = chain,
		.verdict = verdict,
		.class = CLASS_OK,
		.decision = DECISION_ALLOW,
		.verified = true,
		.policy_epoch = 12,
		.policy_sha256 = policy,
	};
}

static void measure(const char *what, const struct event_source *from, const struct handshake *hs,
                    unsigned rounds)
{
	struct buf out;
	buf_init(&out, EVENT_BODY_MAX);
	uint64_t best = UINT64_MAX;
	for (int batch = 0; batch < 5; batch++) {
		uint64_t start = clock_mono_ns();
		for (unsigned i = 0; i < rounds; i++) {
			buf_reset(&out);
			if (event_encode_handshake(&out, from, hs) != E_OK) {
				abort();
			}
		}
		uint64_t ns = (clock_mono_ns() - start) / rounds;
		best = ns < best ? ns : best;
	}
	printf("%-10s %6zu bytes %8llu ns\n", what, out.len, (unsigned long long)best);
	buf_release(&out);
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100000;
	if (rounds == 0) {
		fprintf(stderr, "usage: encode [ROUNDS]\n");
		return 2;
	}
	struct event_source from = {"edge-1", "audit.example/edge-1/1", "q3k9c1m2x7w4a",
	                            SLICE("{\"site\":\"ams1\"}")};
	struct event_service service = {"partner-a", "required",
	                                SLICE("{\"site\":\"ams1\",\"tier\":\"gold\"}")};
	struct cert cert;
	make_cert(&cert);
	struct chain chain = {.refs = 1, .count = 1, .certs = &cert, .parsed = true};
	struct verdict verdict = {
		.refs = 1, .class = CLASS_OK, .path_count = 3, .anchor_file = anchor_file};
	for (int i = 0; i < 3; i++) {
		verdict.path[i].subject = path_subjects[i];
	}
	struct handshake hs;
	make_handshake(&hs, &service, &chain, &verdict);
	measure("complete", &from, &hs, rounds);

	struct handshake refused = hs;
	refused.chain = NULL;
	refused.verdict = NULL;
	refused.presented = false;
	refused.verified = false;
	refused.class = CLASS_NO_CERTIFICATE;
	refused.decision = DECISION_DENY;
	refused.denied_by = DENIED_BY_VERIFY;
	measure("refused", &from, &refused, rounds);

	/* What a client can make us do at most: every array full, every element cut, and the
	 * line too long. */
	static uint8_t text[1100];
	static struct san many_sans[64];
	static struct dn_value many_values[64];
	memset(text, 0xff, sizeof(text));
	for (int i = 0; i < 64; i++) {
		many_sans[i] = (struct san){SAN_DNS, {text, sizeof(text)}, {NULL, 0}};
		many_values[i] = (struct dn_value){(enum dn_attribute)(i % DN_ATTRIBUTE_COUNT),
		                                   {text, sizeof(text)}};
	}
	cert.sans = many_sans;
	cert.san_count = 64;
	cert.subject = (struct dn){{text, sizeof(text)}, many_values, 64};
	cert.issuer = cert.subject;
	measure("longest", &from, &hs, rounds / 100 + 1);
	return 0;
}
