/* What is read of a PROXY header; sections are those of haproxy's proxy-protocol.txt. */
#include "net/proxy_protocol.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define INET_BLOCK "\xc0\x00\x02\x01\xc0\x00\x02\x02\x1f\x90\x01\xbb"
#define INET_ONLY SIGNATURE "\x21\x11\0\x0c" INET_BLOCK

/* In memory of exactly that size, so that a sanitizer sees a read beyond it. */
static enum proxy_parsed parse(struct proxy_header *out, struct slice bytes)
{
	uint8_t *copy = malloc(bytes.len > 0 ? bytes.len : 1);
	CU_ASSERT_FATAL(copy != NULL);
	memcpy(copy, bytes.data, bytes.len);
	enum proxy_parsed parsed = proxy_header_parse(out, slice_of(copy, bytes.len));
	free(copy);
	return parsed;
}

static void address_text(char out[static 64], const struct sockaddr_storage *sa)
{
	char ip[INET6_ADDRSTRLEN] = "?";
	const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
	bool v4 = sa->ss_family == AF_INET;
	inet_ntop(sa->ss_family, v4 ? (const void *)&in->sin_addr : (const void *)&in6->sin6_addr,
	          ip, sizeof(ip));
	snprintf(out, 64, "%s %u", ip, ntohs(v4 ? in->sin_port : in6->sin6_port));
}

static bool reads_as(struct slice bytes, const char *source, const char *destination)
{
	struct proxy_header header;
	char from[64], to[64];
	if (parse(&header, bytes) != PROXY_DONE || header.local || header.bytes != bytes.len) {
		return false;
	}
	address_text(from, &header.source);
	address_text(to, &header.destination);
	return strcmp(from, source) == 0 && strcmp(to, destination) == 0;
}

static bool reads_as_local(struct slice bytes)
{
	struct proxy_header header;
	return parse(&header, bytes) == PROXY_DONE && header.local && header.bytes == bytes.len;
}

/* Refused with this reason, and with no other. */
static bool refused(struct slice bytes, const char *why)
{
	struct proxy_header header;
	enum proxy_parsed parsed = parse(&header, bytes);
	if (parsed != PROXY_BAD || strcmp(header.bad, why) != 0) {
		fprintf(stderr, "parsed %d, \"%s\" instead of \"%s\"\n", (int)parsed,
		        header.bad == NULL ? "" : header.bad, why);
		return false;
	}
	return true;
}

/* --- version 1 --- */

static void version_1_is_read(void)
{
	CU_ASSERT(reads_as(SLICE("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n"),
	                   "192.0.2.1 56324", "198.51.100.7 443"));
	CU_ASSERT(reads_as(SLICE("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
	                   "255.255.255.255 65535", "255.255.255.255 65535"));
	CU_ASSERT(reads_as(SLICE("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), "0.0.0.0 0", "0.0.0.0 0"));
	CU_ASSERT(reads_as(SLICE("PROXY TCP6 2001:db8::1 2001:DB8:0:0::2 1 2\r\n"), "2001:db8::1 1",
	                   "2001:db8::2 2"));
	CU_ASSERT(reads_as(SLICE("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"), "::ffff:192.0.2.1 1",
	                   "::1 2"));
	CU_ASSERT(reads_as(SLICE("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	                         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	                   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535",
	                   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535"));
}

/* 2.1: "the receiver must ignore anything presented before the CRLF is found". */
static void version_1_unknown_leaves_the_connections_own_addresses(void)
{
	CU_ASSERT(reads_as_local(SLICE("PROXY UNKNOWN\r\n")));
	CU_ASSERT(reads_as_local(SLICE("PROXY UNKNOWN \r\n")));
	CU_ASSERT(reads_as_local(SLICE("PROXY UNKNOWN 192.0.2.1 x \0 y\r\n")));
	CU_ASSERT(reads_as_local(SLICE("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	                               "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n")));
}

static void version_1_addresses_and_ports_are_strict(void)
{
	static const char address[] = "malformed address in the PROXY header";
	static const char port[] = "malformed port in the PROXY header";
	static const char *const addresses[] = {
		"TCP4 192.0.2.01 192.0.2.2 1 2",
		"TCP4 192.0.2 192.0.2.2 1 2",
		"TCP4 192.0.2.256 192.0.2.2 1 2",
		"TCP4 192.0.2.1.1 192.0.2.2 1 2",
		"TCP4 0x7f.0.0.1 192.0.2.2 1 2",
		"TCP4  192.0.2.1 192.0.2.2 1 2",
		"TCP4 192.0.2.1  192.0.2.2 1 2",
		"TCP4 192.0.2.1\t192.0.2.2 1 2",
		"TCP4 2001:db8::1 2001:db8::2 1 2",
		"TCP4 192.0.2.1 2001:db8::2 1 2",
		"TCP6 192.0.2.1 192.0.2.2 1 2",
		"TCP6 2001:db8::1::2 2001:db8::2 1 2",
		"TCP6 2001:db8:1 2001:db8::2 1 2",
		"TCP6 fe80::1%lo 2001:db8::2 1 2",
		"TCP6 [2001:db8::1] 2001:db8::2 1 2",
		"TCP6 2001:db8::12345 2001:db8::2 1 2",
		"TCP4 192.0.2.1",
		"TCP4 ",
		"TCP4 unix unix 1 2",
	};
	static const char *const ports[] = {
		"TCP4 192.0.2.1 192.0.2.2 65536 2", "TCP4 192.0.2.1 192.0.2.2 1 65536",
		"TCP4 192.0.2.1 192.0.2.2 99999 2", "TCP4 192.0.2.1 192.0.2.2 01 2",
		"TCP4 192.0.2.1 192.0.2.2 1 00",    "TCP4 192.0.2.1 192.0.2.2 +1 2",
		"TCP4 192.0.2.1 192.0.2.2 -1 2",    "TCP4 192.0.2.1 192.0.2.2 1 ",
		"TCP4 192.0.2.1 192.0.2.2 1",       "TCP4 192.0.2.1 192.0.2.2  1 2",
		"TCP4 192.0.2.1 192.0.2.2 1 2 ",    "TCP4 192.0.2.1 192.0.2.2 1 2 3",
		"TCP4 192.0.2.1 192.0.2.2 0x1 2",   "TCP4 192.0.2.1 192.0.2.2 1 000002",
	};
	char line[128];
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		int len = snprintf(line, sizeof(line), "PROXY %s\r\n", addresses[i]);
		CU_ASSERT(refused(slice_of(line, (size_t)len), address));
	}
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		int len = snprintf(line, sizeof(line), "PROXY %s\r\n", ports[i]);
		CU_ASSERT(refused(slice_of(line, (size_t)len), port));
	}
	/* A NUL must not end an address early. */
	CU_ASSERT(refused(SLICE("PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n"), address));
}

static void version_1_protocols_are_strict(void)
{
	static const char why[] = "unknown protocol in the PROXY header";
	CU_ASSERT(refused(SLICE("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n"), why));
	CU_ASSERT(refused(SLICE("PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n"), why));
	CU_ASSERT(refused(SLICE("PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), why));
	CU_ASSERT(refused(SLICE("PROXY TCP44 192.0.2.1 192.0.2.2 1 2\r\n"), why));
	CU_ASSERT(refused(SLICE("PROXY UNKNOWNS\r\n"), why));
	CU_ASSERT(refused(SLICE("PROXY TCP4\r\n"), why));
	CU_ASSERT(refused(SLICE("PROXY \r\n"), why));
}

/* 2.1: "must not tolerate a single CR or LF"; no CRLF in the first 107 bytes: invalid. */
static void version_1_lines_end_in_crlf_and_in_time(void)
{
	static const char alone[] = "a CR or LF alone in the PROXY header";
	static const char endless[] = "the PROXY header's line does not end";
	CU_ASSERT(refused(SLICE("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n"), alone));
	CU_ASSERT(refused(SLICE("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rx"), alone));
	CU_ASSERT(refused(SLICE("PROXY UNKNOWN a\rb\r\n"), alone));
	CU_ASSERT(refused(SLICE("PROXY UNKNOWN a\nb\r\n"), alone));
	char line[200];
	struct proxy_header header;
	memset(line, 'x', sizeof(line));
	memcpy(line, "PROXY UNKNOWN ", 14);
	memcpy(line + 105, "\r\n", 2);
	CU_ASSERT(reads_as_local(slice_of(line, 107)));
	memset(line + 105, 'x', 2);
	memcpy(line + 106, "\r\n", 2);
	CU_ASSERT(refused(slice_of(line, 108), endless));
	CU_ASSERT(refused(slice_of(line, 107), endless));
	CU_ASSERT(refused(slice_of(line, 106), endless));
	CU_ASSERT_EQUAL(parse(&header, slice_of(line, 105)), PROXY_MORE);
}

/* --- version 2 --- */

static void version_2_is_read(void)
{
	CU_ASSERT(reads_as(SLICE(INET_ONLY), "192.0.2.1 8080", "192.0.2.2 443"));
	CU_ASSERT(reads_as(SLICE(SIGNATURE "\x21\x21\0\x24"
	                                   "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
	                                   "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x01"
	                                   "\xff\xff\0\0"),
	                   "2001:db8::1 65535", "::ffff:192.0.2.1 0"));
	CU_ASSERT(reads_as(SLICE(SIGNATURE "\x21\x11\0\x15" INET_BLOCK "\x04\0\x01\0"
	                                   "\xe0\0\x02xy"),
	                   "192.0.2.1 8080", "192.0.2.2 443"));
	uint8_t path[16 + 216] = SIGNATURE "\x21\x31\0\xd8";
	memset(path + 16, 'p', 216);
	struct proxy_header header;
	CU_ASSERT_EQUAL(parse(&header, slice_of(path, sizeof(path))), PROXY_DONE);
	CU_ASSERT_FALSE(header.local);
	CU_ASSERT_EQUAL(header.source.ss_family, AF_UNIX);
	CU_ASSERT_EQUAL(header.destination.ss_family, AF_UNIX);
}

/* 2.2: LOCAL discards the block and ignores the family; AF_UNSPEC and what is not supported but valid fall back to it. */
static void version_2_without_a_stream_leaves_the_connections_own_addresses(void)
{
	CU_ASSERT(reads_as_local(SLICE(SIGNATURE "\x20\0\0\0")));
	CU_ASSERT(reads_as_local(SLICE(SIGNATURE "\x20\x11\0\x0c" INET_BLOCK)));
	CU_ASSERT(reads_as_local(SLICE(SIGNATURE "\x20\xff\0\x02\xff\xff")));
	CU_ASSERT(reads_as_local(SLICE(SIGNATURE "\x21\0\0\0")));
	CU_ASSERT(reads_as_local(SLICE(SIGNATURE "\x21\0\0\x02\xff\xff")));
	CU_ASSERT(reads_as_local(SLICE(SIGNATURE "\x21\x01\0\0")));
	CU_ASSERT(reads_as_local(SLICE(SIGNATURE "\x21\x12\0\x0c" INET_BLOCK)));
	CU_ASSERT(reads_as_local(SLICE(SIGNATURE "\x21\x10\0\x0c" INET_BLOCK)));
}

static void version_2_is_strict_in_its_fixed_part(void)
{
	static const char command[] = "unknown version or command in the PROXY header";
	static const char protocol[] = "unknown protocol in the PROXY header";
	CU_ASSERT(refused(SLICE(SIGNATURE "\x11\x11\0\x0c" INET_BLOCK), command));
	CU_ASSERT(refused(SLICE(SIGNATURE "\x31\x11\0\x0c" INET_BLOCK), command));
	CU_ASSERT(refused(SLICE(SIGNATURE "\x22\x11\0\x0c" INET_BLOCK), command));
	CU_ASSERT(refused(SLICE(SIGNATURE "\x2f\x11\0\x0c" INET_BLOCK), command));
	CU_ASSERT(refused(SLICE(SIGNATURE "\x2f"), command)); /* as soon as it can be told */
	CU_ASSERT(refused(SLICE(SIGNATURE "\x21\x41\0\x0c" INET_BLOCK), protocol));
	CU_ASSERT(refused(SLICE(SIGNATURE "\x21\x13\0\x0c" INET_BLOCK), protocol));
	CU_ASSERT(refused(SLICE(SIGNATURE "\x21\x03"), protocol));
}

static void version_2_blocks_too_short_are_refused(void)
{
	static const char why[] = "the PROXY header is too short for its addresses";
	static const size_t needs[] = {0, 12, 36, 216};
	uint8_t bytes[16 + 216] = SIGNATURE;
	for (unsigned family = 1; family <= 3; family++) {
		for (size_t len = 0; len < needs[family]; len++) {
			bytes[12] = 0x21;
			bytes[13] = (uint8_t)(family << 4 | 1);
			bytes[15] = (uint8_t)len;
			CU_ASSERT(refused(slice_of(bytes, 16 + len), why));
		}
	}
}

static void tlvs_have_to_fill_the_header(void)
{
	static const char inside[] = "the PROXY header ends inside of a TLV";
	static const char beyond[] = "a TLV is longer than the PROXY header";
	CU_ASSERT(refused(SLICE(SIGNATURE "\x21\x11\0\x0d" INET_BLOCK "\x01"), inside));
	CU_ASSERT(refused(SLICE(SIGNATURE "\x21\x11\0\x0e" INET_BLOCK "\x01\0"), inside));
	CU_ASSERT(refused(SLICE(SIGNATURE "\x21\x11\0\x0f" INET_BLOCK "\x01\0\x01"), beyond));
	CU_ASSERT(refused(SLICE(SIGNATURE "\x21\x11\0\x10" INET_BLOCK "\x01\xff\xffx"), beyond));
	CU_ASSERT(refused(SLICE(SIGNATURE "\x21\x11\0\x11" INET_BLOCK "\x01\0\x01xy"), inside));
	CU_ASSERT(refused(SLICE(SIGNATURE "\x21\x12\0\x0d" INET_BLOCK "\x01"), inside));
}

/* RFC 9260 appendix A, bit by bit: not the code under test. */
static uint32_t castagnoli(const uint8_t *p, size_t n)
{
	uint32_t crc = 0xffffffff;
	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++) {
			crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
		}
	}
	return ~crc;
}

/* 2.2.3. */
static void a_checksum_has_to_be_right(void)
{
	static const char wrong[] = "wrong checksum in the PROXY header";
	static const char malformed[] = "malformed checksum in the PROXY header";
	uint8_t bytes[] = SIGNATURE "\x21\x11\0\x17" INET_BLOCK "\x03\0\x04\0\0\0\0\xe0\0\x01x";
	size_t len = sizeof(bytes) - 1;
	uint32_t crc = castagnoli(bytes, len);
	bytes[31] = (uint8_t)(crc >> 24);
	bytes[32] = (uint8_t)(crc >> 16);
	bytes[33] = (uint8_t)(crc >> 8);
	bytes[34] = (uint8_t)crc;
	CU_ASSERT(reads_as(slice_of(bytes, len), "192.0.2.1 8080", "192.0.2.2 443"));
	/* Every bit of what it covers counts, and of itself. */
	for (size_t i = 16; i < len; i++) {
		if (i >= 28 && i < 31) {
			continue; /* the type and length of the checksum */
		}
		for (int bit = 0; bit < 8; bit++) {
			struct proxy_header header;
			bytes[i] ^= (uint8_t)(1 << bit);
			CU_ASSERT_EQUAL(parse(&header, slice_of(bytes, len)), PROXY_BAD);
			bytes[i] ^= (uint8_t)(1 << bit);
		}
	}
	bytes[34] ^= 1;
	CU_ASSERT(refused(slice_of(bytes, len), wrong));
	CU_ASSERT(refused(SLICE(SIGNATURE "\x21\x11\0\x12" INET_BLOCK "\x03\0\x03\0\0\0"),
	                  malformed));
	CU_ASSERT(refused(SLICE(SIGNATURE "\x21\x11\0\x0f" INET_BLOCK "\x03\0\0"), malformed));
	CU_ASSERT(refused(SLICE(SIGNATURE "\x21\x11\0\x1a" INET_BLOCK "\x03\0\x04\0\0\0\0"
	                                  "\x03\0\x04\0\0\0\0"),
	                  malformed));
	/* Also where the addresses do not count. */
	CU_ASSERT(refused(SLICE(SIGNATURE "\x20\0\0\x07\x03\0\x04\0\0\0\0"), wrong));
	CU_ASSERT(refused(SLICE(SIGNATURE "\x21\0\0\x07\x03\0\x04\0\0\0\0"), wrong));
}

static void a_long_header_is_told_from_its_length(void)
{
	struct proxy_header header;
	uint8_t bytes[PROXY_HEADER_BUDGET] = SIGNATURE "\x20\0\x0f\xf0";
	CU_ASSERT_EQUAL(parse(&header, slice_of(bytes, 16)), PROXY_MORE);
	CU_ASSERT_EQUAL(parse(&header, slice_of(bytes, sizeof(bytes))), PROXY_DONE);
	CU_ASSERT_EQUAL(header.bytes, PROXY_HEADER_BUDGET);
	bytes[15]++;
	CU_ASSERT_EQUAL(parse(&header, slice_of(bytes, 16)), PROXY_LONG);
	bytes[14] = bytes[15] = 0xff;
	CU_ASSERT_EQUAL(parse(&header, slice_of(bytes, 16)), PROXY_LONG);
}

/* --- both --- */

static void what_is_no_header_is_told_at_its_first_wrong_byte(void)
{
	static const char why[] = "no PROXY header";
	struct proxy_header header;
	CU_ASSERT(refused(SLICE("\x16\x03\x01"), why));
	CU_ASSERT(refused(SLICE("\x16"), why));
	CU_ASSERT(refused(SLICE("GET / HTTP/1.1\r\n"), why));
	CU_ASSERT(refused(SLICE("PROXY\tTCP4"), why));
	CU_ASSERT(refused(SLICE("proxy TCP4"), why));
	CU_ASSERT(refused(SLICE("\r\n\r\n\r"), why));
	CU_ASSERT(refused(SLICE(" PROXY "), why));
	uint8_t bytes[12];
	for (size_t i = 0; i < sizeof(bytes); i++) {
		memcpy(bytes, SIGNATURE, sizeof(bytes));
		bytes[i] ^= 0x40;
		CU_ASSERT_EQUAL(parse(&header, slice_of(bytes, i + 1)), PROXY_BAD);
	}
}

/* Every beginning of a good header wants more, and what stands behind it is not looked at. */
static bool comes_in_pieces(struct slice whole)
{
	struct proxy_header header;
	for (size_t len = 0; len < whole.len; len++) {
		if (parse(&header, slice_of(whole.data, len)) != PROXY_MORE) {
			return false;
		}
	}
	uint8_t *longer = malloc(whole.len + 3);
	CU_ASSERT_FATAL(longer != NULL);
	memcpy(longer, whole.data, whole.len);
	memcpy(longer + whole.len, "\x16\x03\x01", 3);
	bool good = parse(&header, slice_of(longer, whole.len + 3)) == PROXY_DONE &&
	            header.bytes == whole.len;
	free(longer);
	return good;
}

static void headers_may_come_byte_by_byte_and_end_where_they_say(void)
{
	CU_ASSERT(comes_in_pieces(SLICE("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n")));
	CU_ASSERT(comes_in_pieces(SLICE("PROXY TCP6 2001:db8::1 ::2 1 2\r\n")));
	CU_ASSERT(comes_in_pieces(SLICE("PROXY UNKNOWN\r\n")));
	CU_ASSERT(comes_in_pieces(SLICE(INET_ONLY)));
	CU_ASSERT(comes_in_pieces(SLICE(SIGNATURE "\x20\0\0\0")));
	CU_ASSERT(comes_in_pieces(SLICE(SIGNATURE "\x21\x11\0\x11" INET_BLOCK "\x02\0\x02zz")));
}

static const struct unit_test tests[] = {
	{"version 1 is read", version_1_is_read},
	{"version 1 UNKNOWN leaves the connection's own addresses",
         version_1_unknown_leaves_the_connections_own_addresses},
	{"version 1 addresses and ports are strict", version_1_addresses_and_ports_are_strict},
	{"version 1 protocols are strict", version_1_protocols_are_strict},
	{"version 1 lines end in CRLF and in time", version_1_lines_end_in_crlf_and_in_time},
	{"version 2 is read", version_2_is_read},
	{"version 2 without a stream leaves the connection's own addresses",
         version_2_without_a_stream_leaves_the_connections_own_addresses},
	{"version 2 is strict in its fixed part", version_2_is_strict_in_its_fixed_part},
	{"version 2 blocks too short are refused", version_2_blocks_too_short_are_refused},
	{"TLVs have to fill the header", tlvs_have_to_fill_the_header},
	{"a checksum has to be right", a_checksum_has_to_be_right},
	{"a long header is told from its length", a_long_header_is_told_from_its_length},
	{"what is no header is told at its first wrong byte",
         what_is_no_header_is_told_at_its_first_wrong_byte},
	{"headers may come byte by byte and end where they say",
         headers_may_come_byte_by_byte_and_end_where_they_say},
};
UNIT_MAIN("net/proxy_protocol", tests)
