/* What is written as a PROXY header, byte by byte; sections are those of haproxy's proxy-protocol.txt. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "net/proxy_protocol.h"
#include "unit.h"

static struct sockaddr_storage address(const char *text, uint16_t port)
{
	struct sockaddr_storage sa;
	memset(&sa, 0, sizeof(sa));
	struct sockaddr_in *in = (struct sockaddr_in *)&sa;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&sa;
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
	} else {
		CU_ASSERT_FATAL(inet_pton(AF_INET6, text, &in6->sin6_addr) == 1);
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
	}
	return sa;
}

static struct buf out;

static struct slice written(const struct proxy_announce *announce)
{
	buf_release(&out);
	buf_init(&out, PROXY_HEADER_MAX);
	proxy_header_write(&out, announce);
	CU_ASSERT_EQUAL(out.err, E_OK);
	/* What is written is read: lengths and checksum are right. */
	struct proxy_header header;
	CU_ASSERT_EQUAL(proxy_header_parse(&header, buf_slice(&out)), PROXY_DONE);
	CU_ASSERT_EQUAL(header.bytes, out.len);
	return buf_slice(&out);
}

/* The value of the one TLV of this type in `bytes`; data NULL: none. More than one is a failure. */
static struct slice tlv(struct slice bytes, uint8_t type)
{
	struct slice found = {0};
	size_t at = 0;
	while (at < bytes.len) {
		CU_ASSERT_FATAL(bytes.len - at >= 3);
		size_t len = (size_t)bytes.data[at + 1] << 8 | bytes.data[at + 2];
		CU_ASSERT_FATAL(len <= bytes.len - at - 3);
		if (bytes.data[at] == type) {
			CU_ASSERT(found.data == NULL);
			found = slice_of(bytes.data + at + 3, len);
		}
		at += 3 + len;
	}
	return found;
}

static struct slice behind(struct slice bytes, size_t n)
{
	CU_ASSERT_FATAL(bytes.len >= n);
	return slice_of(bytes.data + n, bytes.len - n);
}

static struct slice announced(const struct proxy_announce *announce, const char *source,
                              const char *destination)
{
	struct sockaddr_storage from = address(source, 0x1234), to = address(destination, 0x5678);
	struct proxy_announce with = *announce;
	with.source = (const struct sockaddr *)&from;
	with.destination = (const struct sockaddr *)&to;
	return written(&with);
}

static void addresses_stand_in_network_order(void)
{
	const struct proxy_announce none = {0};
	struct slice got = announced(&none, "192.0.2.1", "198.51.100.7");
	CU_ASSERT_EQUAL(got.len, 16 + 12 + 7);
	CU_ASSERT_EQUAL(memcmp(got.data,
	                       "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x13\xc0\0\x02\x01\xc6\x33\x64\x07"
	                       "\x12\x34\x56\x78\x03\0\x04",
	                       31),
	                0);
	got = announced(&none, "2001:db8::1", "2001:db8::2");
	CU_ASSERT_EQUAL(memcmp(got.data + 12,
	                       "\x21\x21\0\x2b\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
	                       "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x12\x34\x56\x78",
	                       40),
	                0);
}

static void one_ipv6_address_makes_both(void)
{
	const struct proxy_announce none = {0};
	struct slice got = announced(&none, "192.0.2.1", "2001:db8::2");
	CU_ASSERT_EQUAL(got.data[13], 0x21);
	CU_ASSERT_EQUAL(memcmp(got.data + 16, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x01", 16), 0);
	got = announced(&none, "2001:db8::2", "192.0.2.1");
	CU_ASSERT_EQUAL(memcmp(got.data + 32, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x01", 16), 0);
}

static void without_addresses_it_is_unspecified_and_our_own_is_local(void)
{
	struct sockaddr_storage un = {.ss_family = AF_UNIX}, in = address("192.0.2.1", 1);
	struct proxy_announce announce = {.unique_id = SLICE("id")};
	struct slice got = written(&announce);
	CU_ASSERT_EQUAL(memcmp(got.data + 12, "\x21\0\0\x0c", 4), 0);
	CU_ASSERT(slice_equal(tlv(behind(got, 16), 5), SLICE("id")));
	announce.source = (const struct sockaddr *)&un;
	announce.destination = (const struct sockaddr *)&in;
	got = written(&announce);
	CU_ASSERT_EQUAL(memcmp(got.data + 12, "\x21\0\0\x0c", 4), 0);
	announce = (struct proxy_announce){.local = true};
	announce.source = announce.destination = (const struct sockaddr *)&in;
	got = written(&announce);
	CU_ASSERT_EQUAL(memcmp(got.data + 12, "\x20\0\0\x07", 4), 0);
}

static const struct proxy_announce full = {
	.authority = {(const uint8_t *)"a.example", 9},
	.unique_id = {(const uint8_t *)"0123", 4},
	.tls = true,
	.version = "TLSv1.3",
	.cipher = "TLS_AES_128_GCM_SHA256",
	.signature_algorithm = "RSA-SHA256",
	.key_algorithm = "RSA2048",
	.certificate = true,
	.verify = 0x01020304,
	.common_name = {(const uint8_t *)"client", 6},
	.der = {(const uint8_t *)"\x30\x00", 2},
};

/* 2.2.6. */
static void the_tls_part_holds_what_was_found(void)
{
	struct slice tlvs = behind(announced(&full, "192.0.2.1", "192.0.2.2"), 28);
	CU_ASSERT(slice_equal(tlv(tlvs, 0x02), SLICE("a.example")));
	CU_ASSERT(slice_equal(tlv(tlvs, 0x05), SLICE("0123")));
	struct slice tls = tlv(tlvs, 0x20);
	CU_ASSERT_FATAL(tls.len > 5);
	CU_ASSERT_EQUAL(memcmp(tls.data, "\x07\x01\x02\x03\x04", 5), 0);
	struct slice inner = behind(tls, 5);
	CU_ASSERT(slice_equal(tlv(inner, 0x21), SLICE("TLSv1.3")));
	CU_ASSERT(slice_equal(tlv(inner, 0x22), SLICE("client")));
	CU_ASSERT(slice_equal(tlv(inner, 0x23), SLICE("TLS_AES_128_GCM_SHA256")));
	CU_ASSERT(slice_equal(tlv(inner, 0x24), SLICE("RSA-SHA256")));
	CU_ASSERT(slice_equal(tlv(inner, 0x25), SLICE("RSA2048")));
	CU_ASSERT(slice_equal(tlv(inner, 0x28), SLICE("\x30\x00")));
}

/* 2.2.6: PP2_CLIENT_CERT_CONN is of the current connection, PP2_CLIENT_CERT_SESS of the session. */
static void a_resumed_session_has_its_certificate_from_before(void)
{
	struct proxy_announce announce = full;
	announce.resumed = true;
	struct slice tls = tlv(behind(announced(&announce, "192.0.2.1", "192.0.2.2"), 28), 0x20);
	CU_ASSERT_FATAL(tls.len > 5);
	CU_ASSERT_EQUAL(memcmp(tls.data, "\x05\x01\x02\x03\x04", 5), 0);
	CU_ASSERT(slice_equal(tlv(behind(tls, 5), 0x28), SLICE("\x30\x00")));
	announce.certificate = false;
	tls = tlv(behind(announced(&announce, "192.0.2.1", "192.0.2.2"), 28), 0x20);
	CU_ASSERT_FATAL(tls.len > 5);
	CU_ASSERT_EQUAL(tls.data[0], 0x01);
}

static void without_a_certificate_nothing_of_one_is_said(void)
{
	struct proxy_announce announce = full;
	announce.certificate = false;
	announce.verify = 1008;
	announce.authority = announce.unique_id = slice_of(NULL, 0);
	announce.key_algorithm = NULL;
	announce.cipher = "";
	struct slice tlvs = behind(announced(&announce, "192.0.2.1", "192.0.2.2"), 28);
	CU_ASSERT(tlv(tlvs, 0x02).data == NULL);
	CU_ASSERT(tlv(tlvs, 0x05).data == NULL);
	struct slice tls = tlv(tlvs, 0x20);
	CU_ASSERT_FATAL(tls.len > 5);
	CU_ASSERT_EQUAL(memcmp(tls.data, "\x01\x00\x00\x03\xf0", 5), 0);
	CU_ASSERT(tlv(behind(tls, 5), 0x22).data == NULL);
	CU_ASSERT(tlv(behind(tls, 5), 0x23).data == NULL);
	CU_ASSERT(tlv(behind(tls, 5), 0x25).data == NULL);
	CU_ASSERT(tlv(behind(tls, 5), 0x28).data == NULL);
	announce.tls = false;
	tlvs = behind(announced(&announce, "192.0.2.1", "192.0.2.2"), 28);
	CU_ASSERT(tlv(tlvs, 0x20).data == NULL);
}

static uint8_t big[70000];

static struct slice inner_of(const struct proxy_announce *announce)
{
	return behind(tlv(behind(announced(announce, "192.0.2.1", "192.0.2.2"), 28), 0x20), 5);
}

static void what_does_not_fit_is_left_out_and_the_certificate_first(void)
{
	struct proxy_announce announce = full;
	announce.der = slice_of(big, sizeof(big));
	struct slice inner = inner_of(&announce);
	CU_ASSERT(tlv(inner, 0x28).data == NULL);
	CU_ASSERT(slice_equal(tlv(inner, 0x22), SLICE("client")));
	/* To the byte. */
	size_t left = PROXY_HEADER_MAX - out.len - 3;
	announce.der.len = left + 1;
	CU_ASSERT(tlv(inner_of(&announce), 0x28).data == NULL);
	announce.der.len = left;
	CU_ASSERT_EQUAL(tlv(inner_of(&announce), 0x28).len, left);
	CU_ASSERT_EQUAL(out.len, PROXY_HEADER_MAX);
	announce.common_name = slice_of(big, sizeof(big));
	inner = inner_of(&announce);
	CU_ASSERT(tlv(inner, 0x22).data == NULL);
	CU_ASSERT(slice_equal(tlv(inner, 0x25), SLICE("RSA2048")));
	announce.authority = slice_of(big, sizeof(big));
	inner = inner_of(&announce);
	CU_ASSERT(slice_equal(tlv(inner, 0x25), SLICE("RSA2048")));
	CU_ASSERT(tlv(behind(buf_slice(&out), 28), 0x02).data == NULL);
	CU_ASSERT(slice_equal(tlv(behind(buf_slice(&out), 28), 0x05), SLICE("0123")));
}

static const struct unit_test tests[] = {
	{"addresses stand in network order", addresses_stand_in_network_order},
	{"one IPv6 address makes both", one_ipv6_address_makes_both},
	{"without addresses it is unspecified, and our own is local",
         without_addresses_it_is_unspecified_and_our_own_is_local},
	{"the TLS part holds what was found", the_tls_part_holds_what_was_found},
	{"a resumed session has its certificate from before",
         a_resumed_session_has_its_certificate_from_before},
	{"without a certificate nothing of one is said",
         without_a_certificate_nothing_of_one_is_said},
	{"what does not fit is left out, and the certificate first",
         what_does_not_fit_is_left_out_and_the_certificate_first},
};

int main(void)
{
	int failed = unit_run("net/proxy_protocol_write", tests, sizeof(tests) / sizeof(tests[0]));
	buf_release(&out);
	return failed;
}
