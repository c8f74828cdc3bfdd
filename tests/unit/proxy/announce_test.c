/* What is told to back ends of a handshake, and what is kept back. */
#include "proxy/announce.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "net/proxy_protocol.h"
#include "proxy/snapshot.h"
#include "unit.h"

static struct handshake hs;
static struct announcer *announcer;
static uint8_t bytes[PROXY_HEADER_MAX];
static struct buf out;

/* Anew for every test: an ingress handshake without a certificate, and a service whose back end wants a header. */
static struct service begin(void)
{
	const struct config_service config = {.upstream.proxy_protocol = PROXY_PROTOCOL_V2};
	memset(&hs, 0, sizeof(hs));
	memcpy(hs.id, "abc-0-1", 8);
	hs.source = (struct endpoint){AF_INET, 1000, {192, 0, 2, 1}};
	hs.destination = (struct endpoint){AF_INET, 443, {192, 0, 2, 2}};
	hs.class = CLASS_NOT_REQUESTED;
	hs.code = 1009;
	hs.tls.version = TLS_VERSION_1_3;
	CU_ASSERT_EQUAL_FATAL(announcer_new(&announcer, &config, NULL), E_OK);
	CU_ASSERT_PTR_NOT_NULL_FATAL(announcer);
	return (struct service){.announcer = announcer};
}

/* The header's TLVs. */
static struct slice announced(const struct service *service)
{
	struct proxy_header header;
	buf_init_fixed(&out, bytes, sizeof(bytes));
	announce_handshake(&out, &hs, service);
	CU_ASSERT_EQUAL(out.err, E_OK);
	CU_ASSERT_EQUAL_FATAL(proxy_header_parse(&header, buf_slice(&out)), PROXY_DONE);
	CU_ASSERT_EQUAL(header.bytes, out.len);
	size_t addresses = out.data[13] == 0x11 ? 12 : 0;
	return slice_of(out.data + 16 + addresses, out.len - 16 - addresses);
}

static struct slice tlv(struct slice in, uint8_t type)
{
	while (in.len >= 3) {
		size_t len = (size_t)in.data[1] << 8 | in.data[2];
		if (in.data[0] == type) {
			return slice_of(in.data + 3, len);
		}
		in = slice_of(in.data + 3 + len, in.len - 3 - len);
	}
	return slice_of(NULL, 0);
}

static uint32_t verify_of(const struct service *service)
{
	struct slice tls = tlv(announced(service), 0x20);
	CU_ASSERT_FATAL(tls.len > 5);
	return (uint32_t)tls.data[1] << 24 | (uint32_t)tls.data[2] << 16 |
	       (uint32_t)tls.data[3] << 8 | tls.data[4];
}

static void no_back_end_that_wants_one_no_announcement(void)
{
	struct config_route route = {.upstream.proxy_protocol = PROXY_PROTOCOL_V2};
	/* Neither a quarantine nor a route's own upstream that were not given. */
	struct config_service config = {
		.quarantine.proxy_protocol = PROXY_PROTOCOL_V2, .routes = &route, .route_count = 1};
	CU_ASSERT_EQUAL(announcer_new(&announcer, &config, NULL), E_OK);
	CU_ASSERT_PTR_NULL(announcer);
	const struct service service = {.announcer = NULL};
	buf_init_fixed(&out, bytes, sizeof(bytes));
	memset(&hs, 0, sizeof(hs));
	announce_handshake(&out, &hs, &service);
	CU_ASSERT_EQUAL(out.len, 0);
	CU_ASSERT_EQUAL(out.err, E_OK);
	route.upstream.at.line = 1;
	CU_ASSERT_EQUAL(announcer_new(&announcer, &config, NULL), E_OK);
	CU_ASSERT_PTR_NOT_NULL(announcer);
	announcer_free(&announcer);
	config.route_count = 0;
	config.quarantine.at.line = 1;
	CU_ASSERT_EQUAL(announcer_new(&announcer, &config, NULL), E_OK);
	CU_ASSERT_PTR_NOT_NULL(announcer);
	announcer_free(&announcer);
	CU_ASSERT_PTR_NULL(announcer);
}

static void a_server_name_is_told_if_it_can_be_one(void)
{
	struct service service = begin();
	static const struct {
		const char *name;
		size_t len;
		bool told;
	} names[] = {
		{"a.example", 9, true}, {"xn--zo-gka.example", 18, true},
		{"a b", 3, false},      {"a\0b", 3, false},
		{"a\nb", 3, false},     {"\xc3\xa9", 2, false},
		{"a\x7f", 2, false},    {"", 0, false},
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		hs.hello.has_server_name = true;
		hs.hello.server_name_len = (uint16_t)names[i].len;
		memcpy(hs.hello.server_name, names[i].name, names[i].len);
		struct slice told = tlv(announced(&service), 0x02);
		CU_ASSERT(slice_equal(told,
		                      slice_of(names[i].name, names[i].told ? names[i].len : 0)));
	}
	/* RFC 1035 2.3.4: 255 bytes at most. */
	memset(hs.hello.server_name, 'a', HELLO_NAME_MAX);
	hs.hello.server_name_len = 255;
	CU_ASSERT_EQUAL(tlv(announced(&service), 0x02).len, 255);
	hs.hello.server_name_len = 256;
	CU_ASSERT_EQUAL(tlv(announced(&service), 0x02).len, 0);
	hs.hello.server_name_len = HELLO_NAME_MAX;
	CU_ASSERT_EQUAL(tlv(announced(&service), 0x02).len, 0);
	announcer_free(&announcer);
}

static void nothing_but_verified_reads_as_zero(void)
{
	struct service service = begin();
	CU_ASSERT_EQUAL(verify_of(&service), 1009);
	hs.code = 0; /* of a class that has none: still not zero */
	CU_ASSERT_EQUAL(verify_of(&service), 1);
	hs.code = 10;
	CU_ASSERT_EQUAL(verify_of(&service), 10);
	struct slice der = SLICE("\x30\x00");
	CU_ASSERT_EQUAL_FATAL(chain_new(&hs.chain, &der, 1), E_OK);
	CU_ASSERT_EQUAL_FATAL(chain_parse(hs.chain), E_OK);
	hs.possession = POSSESSION_PROVEN;
	CU_ASSERT_EQUAL(verify_of(&service), 10);
	hs.verified = true;
	hs.code = 0;
	CU_ASSERT_EQUAL(verify_of(&service), 0);
	CU_ASSERT(slice_equal(tlv(slice_of(tlv(announced(&service), 0x20).data + 5,
	                                   tlv(announced(&service), 0x20).len - 5),
	                          0x28),
	                      der));
	chain_unref(&hs.chain);
	announcer_free(&announcer);
}

static void a_certificate_without_its_key_is_not_told(void)
{
	struct service service = begin();
	struct slice der = SLICE("\x30\x00");
	CU_ASSERT_EQUAL_FATAL(chain_new(&hs.chain, &der, 1), E_OK);
	CU_ASSERT_EQUAL_FATAL(chain_parse(hs.chain), E_OK);
	static const enum possession none[] = {POSSESSION_UNSET, POSSESSION_FAILED,
	                                       POSSESSION_NOT_REACHED};
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		hs.possession = none[i];
		struct slice tls = tlv(announced(&service), 0x20);
		CU_ASSERT_FATAL(tls.len >= 5);
		CU_ASSERT_EQUAL(tls.data[0], 0x01);
		CU_ASSERT_EQUAL(tlv(slice_of(tls.data + 5, tls.len - 5), 0x28).len, 0);
	}
	chain_unref(&hs.chain);
	announcer_free(&announcer);
}

static void a_client_without_an_address_is_unspecified(void)
{
	struct service service = begin();
	hs.source = (struct endpoint){.family = AF_UNIX};
	CU_ASSERT(slice_equal(tlv(announced(&service), 0x05), SLICE("abc-0-1")));
	CU_ASSERT_EQUAL(out.data[12], 0x21);
	CU_ASSERT_EQUAL(out.data[13], 0x00);
	announcer_free(&announcer);
}

static const struct unit_test tests[] = {
	{"no back end that wants one, no announcement", no_back_end_that_wants_one_no_announcement},
	{"a server name is told if it can be one", a_server_name_is_told_if_it_can_be_one},
	{"nothing but verified reads as zero", nothing_but_verified_reads_as_zero},
	{"a certificate without its key is not told", a_certificate_without_its_key_is_not_told},
	{"a client without an address is unspecified", a_client_without_an_address_is_unspecified},
};
UNIT_MAIN("proxy/announce", tests)
