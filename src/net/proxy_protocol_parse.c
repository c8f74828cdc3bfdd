#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/crc32c.h"
#include "net/proxy_protocol.h"
#include "net/proxy_protocol_v2.h"

/* Section numbers are those of proxy-protocol.txt. */

#define V1_PREFIX "PROXY "
#define V1_MAX 107 /* 2.1: the longest line, its CRLF included */
#define NOT_HERE "no PROXY header"

static enum proxy_parsed bad(struct proxy_header *out, const char *why)
{
	out->bad = why;
	return PROXY_BAD;
}

/* --- version 1 --- */

/* The next word of a line: up to a space, which goes too, or the line's end. */
static struct slice word(struct slice *line)
{
	const uint8_t *space = memchr(line->data, ' ', line->len);
	size_t len = space == NULL ? line->len : (size_t)(space - line->data);
	struct slice found = slice_of(line->data, len);
	size_t gone = space == NULL ? len : len + 1;
	*line = slice_of(line->data + gone, line->len - gone);
	return found;
}

/* 2.1: 0 to 65535 without leading zeros. */
static bool read_port(uint16_t *out, struct slice text)
{
	if (text.len == 0 || text.len > 5 || (text.len > 1 && text.data[0] == '0')) {
		return false;
	}
	unsigned value = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9') {
			return false;
		}
		value = value * 10 + (text.data[i] - (unsigned)'0');
	}
	*out = htons((uint16_t)value);
	return value <= 65535;
}

static bool read_ip(struct sockaddr_storage *out, int family, struct slice text)
{
	char ip[INET6_ADDRSTRLEN];
	if (text.len >= sizeof(ip) || memchr(text.data, '\0', text.len) != NULL) {
		return false;
	}
	memcpy(ip, text.data, text.len);
	ip[text.len] = '\0';
	out->ss_family = (sa_family_t)family;
	/* Takes what 2.1 allows: four numbers without leading zeros, groups with one "::"; no scope. */
	return inet_pton(family, ip,
	                 family == AF_INET ? (void *)&((struct sockaddr_in *)out)->sin_addr
	                                   : (void *)&((struct sockaddr_in6 *)out)->sin6_addr) == 1;
}

static void set_port(struct sockaddr_storage *out, uint16_t port)
{
	if (out->ss_family == AF_INET) {
		((struct sockaddr_in *)out)->sin_port = port;
	} else {
		((struct sockaddr_in6 *)out)->sin6_port = port;
	}
}

/* `line` is what stands between "PROXY " and CRLF. */
static enum proxy_parsed parse_line(struct proxy_header *out, struct slice line)
{
	bool more = memchr(line.data, ' ', line.len) != NULL;
	struct slice protocol = word(&line);
	if (slice_equal(protocol, SLICE("UNKNOWN"))) { /* 2.1: the rest has to be ignored */
		out->local = true;
		return PROXY_DONE;
	}
	bool tcp4 = slice_equal(protocol, SLICE("TCP4"));
	if (!more || (!tcp4 && !slice_equal(protocol, SLICE("TCP6")))) {
		return bad(out, "unknown protocol in the PROXY header");
	}
	int family = tcp4 ? AF_INET : AF_INET6;
	if (!read_ip(&out->source, family, word(&line)) ||
	    !read_ip(&out->destination, family, word(&line))) {
		return bad(out, "malformed address in the PROXY header");
	}
	/* The last port ends the line: no space may follow it. */
	uint16_t source, destination;
	if (!read_port(&source, word(&line)) || !read_port(&destination, line)) {
		return bad(out, "malformed port in the PROXY header");
	}
	set_port(&out->source, source);
	set_port(&out->destination, destination);
	return PROXY_DONE;
}

static enum proxy_parsed parse_v1(struct proxy_header *out, struct slice bytes)
{
	size_t prefix = sizeof(V1_PREFIX) - 1;
	size_t most = bytes.len < V1_MAX ? bytes.len : V1_MAX;
	size_t end = prefix;
	while (end < most && bytes.data[end] != '\r' && bytes.data[end] != '\n') {
		end++;
	}
	if (end >= V1_MAX - 1) { /* a CR there has no room for its LF */
		return bad(out, "the PROXY header's line does not end");
	}
	if (end == bytes.len || (end + 1 == bytes.len && bytes.data[end] == '\r')) {
		return PROXY_MORE;
	}
	/* 2.1: neither CR nor LF ends the line alone. */
	if (bytes.data[end] != '\r' || bytes.data[end + 1] != '\n') {
		return bad(out, "a CR or LF alone in the PROXY header");
	}
	out->bytes = end + 2;
	return parse_line(out, slice_of(bytes.data + prefix, end - prefix));
}

/* --- version 2 --- */

/* 2.2.3: over the header with the value's four bytes as zeros. */
static uint32_t checksum(struct slice header, size_t value_at)
{
	static const uint8_t zeros[4];
	uint32_t crc = crc32c(0, header.data, value_at);
	crc = crc32c(crc, zeros, sizeof(zeros));
	return crc32c(crc, header.data + value_at + 4, header.len - value_at - 4);
}

/* The TLVs from `at` to the end of `header`; *well_formed tells whether they fill it. NULL: nothing is wrong. */
static const char *check_tlvs(struct slice header, size_t at, bool *well_formed)
{
	size_t crc_at = 0;
	*well_formed = false;
	while (at < header.len) {
		if (header.len - at < 3) {
			return "the PROXY header ends inside of a TLV";
		}
		unsigned type = header.data[at];
		size_t len = (size_t)header.data[at + 1] << 8 | header.data[at + 2];
		at += 3;
		if (len > header.len - at) {
			return "a TLV is longer than the PROXY header";
		}
		if (type == PP2_TYPE_CRC32C) {
			if (len != 4 || crc_at != 0) {
				return "malformed checksum in the PROXY header";
			}
			crc_at = at;
		}
		at += len;
	}
	*well_formed = true;
	if (crc_at == 0) {
		return NULL;
	}
	const uint8_t *p = header.data + crc_at;
	uint32_t told = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	return told == checksum(header, crc_at) ? NULL : "wrong checksum in the PROXY header";
}

static void read_inet(struct proxy_header *out, const uint8_t *p)
{
	struct sockaddr_in *source = (struct sockaddr_in *)&out->source;
	struct sockaddr_in *destination = (struct sockaddr_in *)&out->destination;
	source->sin_family = destination->sin_family = AF_INET;
	memcpy(&source->sin_addr, p, 4);
	memcpy(&destination->sin_addr, p + 4, 4);
	memcpy(&source->sin_port, p + 8, 2);
	memcpy(&destination->sin_port, p + 10, 2);
}

static void read_inet6(struct proxy_header *out, const uint8_t *p)
{
	struct sockaddr_in6 *source = (struct sockaddr_in6 *)&out->source;
	struct sockaddr_in6 *destination = (struct sockaddr_in6 *)&out->destination;
	source->sin6_family = destination->sin6_family = AF_INET6;
	memcpy(&source->sin6_addr, p, 16);
	memcpy(&destination->sin6_addr, p + 16, 16);
	memcpy(&source->sin6_port, p + 32, 2);
	memcpy(&destination->sin6_port, p + 34, 2);
}

/* The whole header is there. */
static enum proxy_parsed parse_block(struct proxy_header *out, struct slice header)
{
	static const size_t lengths[] = {0, PP2_LEN_INET, PP2_LEN_INET6, PP2_LEN_UNIX};
	unsigned family = header.data[13] >> 4, transport = header.data[13] & 0x0f;
	bool well_formed;
	/* 2.2: the command LOCAL has the family ignored, and who says AF_UNSPEC may pad with what he likes. Where it reads as
	 * TLVs all the same, a checksum among them counts. */
	if (out->local || family == PP2_FAMILY_UNSPEC) {
		out->local = true;
		const char *why = check_tlvs(header, PP2_FIXED_LEN, &well_formed);
		return why != NULL && well_formed ? bad(out, why) : PROXY_DONE;
	}
	size_t tlvs_at = PP2_FIXED_LEN + lengths[family];
	if (header.len < tlvs_at) {
		return bad(out, "the PROXY header is too short for its addresses");
	}
	const char *why = check_tlvs(header, tlvs_at, &well_formed);
	if (why != NULL) {
		return bad(out, why);
	}
	/* 2.2: other transports are valid, and who does not support them takes them as AF_UNSPEC. */
	if (transport != PP2_TRANSPORT_STREAM) {
		out->local = true;
	} else if (family == PP2_FAMILY_INET) {
		read_inet(out, header.data + PP2_FIXED_LEN);
	} else if (family == PP2_FAMILY_INET6) {
		read_inet6(out, header.data + PP2_FIXED_LEN);
	} else {
		out->source.ss_family = out->destination.ss_family = AF_UNIX;
	}
	return PROXY_DONE;
}

static enum proxy_parsed parse_v2(struct proxy_header *out, struct slice bytes)
{
	const uint8_t *p = bytes.data;
	if (bytes.len > 12 && (p[12] >> 4 != 2 || (p[12] & 0x0f) > PP2_COMMAND_PROXY)) {
		return bad(out, "unknown version or command in the PROXY header");
	}
	bool local = bytes.len > 12 && (p[12] & 0x0f) == PP2_COMMAND_LOCAL;
	if (bytes.len > 13 && !local && (p[13] >> 4 > PP2_FAMILY_UNIX || (p[13] & 0x0f) > 2)) {
		return bad(out, "unknown protocol in the PROXY header");
	}
	if (bytes.len < PP2_FIXED_LEN) {
		return PROXY_MORE;
	}
	out->bytes = PP2_FIXED_LEN + ((size_t)p[14] << 8 | p[15]);
	if (out->bytes > PROXY_HEADER_BUDGET) {
		return PROXY_LONG;
	}
	if (bytes.len < out->bytes) {
		return PROXY_MORE;
	}
	out->local = local;
	return parse_block(out, slice_of(p, out->bytes));
}

static bool begins(struct slice bytes, const char *with, size_t len)
{
	return memcmp(bytes.data, with, bytes.len < len ? bytes.len : len) == 0;
}

enum proxy_parsed proxy_header_parse(struct proxy_header *out, struct slice bytes)
{
	memset(out, 0, sizeof(*out));
	if (bytes.len == 0) {
		return PROXY_MORE;
	}
	/* The first byte tells the two apart. */
	bool v2 = begins(bytes, PP2_SIGNATURE, PP2_SIGNATURE_LEN);
	if (!v2 && !begins(bytes, V1_PREFIX, sizeof(V1_PREFIX) - 1)) {
		return bad(out, NOT_HERE);
	}
	out->version = v2 ? 2 : 1;
	if (bytes.len <= (v2 ? PP2_SIGNATURE_LEN : sizeof(V1_PREFIX) - 1)) {
		return PROXY_MORE;
	}
	return v2 ? parse_v2(out, bytes) : parse_v1(out, bytes);
}
