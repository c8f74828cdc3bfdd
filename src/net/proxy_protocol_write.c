#include <netinet/in.h>
#include <string.h>

#include "base/bug.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "net/proxy_protocol.h"
#include "net/proxy_protocol_v2.h"

#define TLV_HEAD_LEN 3
#define UNIQUE_ID_MAX 128 /* 2.2.5 */

struct block {
	size_t len;
	uint8_t bytes[PROXY_HEADER_MAX];
};

static size_t room(const struct block *b)
{
	return sizeof(b->bytes) - b->len;
}

static void put(struct block *b, const void *data, size_t len)
{
	BUG_IF(len > room(b));
	if (len > 0) {
		memcpy(b->bytes + b->len, data, len);
		b->len += len;
	}
}

static void set_u16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void set_u32(uint8_t *at, uint32_t value)
{
	set_u16(at, value >> 16);
	set_u16(at + 2, value & 0xffff);
}

static void put_tlv(struct block *b, uint8_t type, struct slice value)
{
	uint8_t head[TLV_HEAD_LEN] = {type};
	set_u16(head + 1, value.len);
	put(b, head, sizeof(head));
	put(b, value.data, value.len);
}

/* Leaves `keep` bytes for what has to follow. Empty values are left out, too. */
static void put_fitting(struct block *b, uint8_t type, struct slice value, size_t keep)
{
	if (value.len > 0 && value.len + TLV_HEAD_LEN + keep <= room(b)) {
		put_tlv(b, type, value);
	}
}

/* --- addresses --- */

static bool internet(const struct sockaddr *sa)
{
	return sa != NULL && (sa->sa_family == AF_INET || sa->sa_family == AF_INET6);
}

/* 16 bytes, an IPv4 address as an IPv4-mapped one (RFC 4291 2.5.5.2), and its port. */
static void read_address(uint8_t ip[static 16], uint8_t port[static 2], const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
		memcpy(ip, &in6->sin6_addr, 16);
		memcpy(port, &in6->sin6_port, 2);
		return;
	}
	const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
	memset(ip, 0, 10);
	memset(ip + 10, 0xff, 2);
	memcpy(ip + 12, &in->sin_addr, 4);
	memcpy(port, &in->sin_port, 2);
}

/* Both have to be of one family: with one IPv6 among them both are. */
static void put_addresses(struct block *b, const struct proxy_announce *announce)
{
	const struct sockaddr *source = announce->source, *destination = announce->destination;
	uint8_t from[16], to[16], ports[4];
	if (announce->local || !internet(source) || !internet(destination)) {
		b->bytes[13] = PP2_FAMILY_UNSPEC << 4;
		return;
	}
	read_address(from, ports, source);
	read_address(to, ports + 2, destination);
	if (source->sa_family == AF_INET && destination->sa_family == AF_INET) {
		b->bytes[13] = PP2_FAMILY_INET << 4 | PP2_TRANSPORT_STREAM;
		put(b, from + 12, 4);
		put(b, to + 12, 4);
	} else {
		b->bytes[13] = PP2_FAMILY_INET6 << 4 | PP2_TRANSPORT_STREAM;
		put(b, from, 16);
		put(b, to, 16);
	}
	put(b, ports, sizeof(ports));
}

/* --- TLS --- */

/* 2.2.6. */
static void put_tls(struct block *b, const struct proxy_announce *announce)
{
	size_t at = b->len;
	uint8_t fixed[TLV_HEAD_LEN + 5] = {PP2_TYPE_SSL};
	fixed[3] = PP2_CLIENT_SSL;
	if (announce->certificate) {
		fixed[3] |= PP2_CLIENT_CERT_SESS;
		fixed[3] |= announce->resumed ? 0 : PP2_CLIENT_CERT_CONN;
	}
	set_u32(fixed + 4, announce->verify);
	put(b, fixed, sizeof(fixed));
	put_fitting(b, PP2_SUBTYPE_SSL_VERSION, slice_text(announce->version), 0);
	put_fitting(b, PP2_SUBTYPE_SSL_CIPHER, slice_text(announce->cipher), 0);
	put_fitting(b, PP2_SUBTYPE_SSL_SIG_ALG, slice_text(announce->signature_algorithm), 0);
	put_fitting(b, PP2_SUBTYPE_SSL_KEY_ALG, slice_text(announce->key_algorithm), 0);
	if (announce->certificate) {
		put_fitting(b, PP2_SUBTYPE_SSL_CN, announce->common_name, 0);
		put_fitting(b, PP2_SUBTYPE_SSL_CLIENT_CERT, announce->der, 0);
	}
	set_u16(b->bytes + at + 1, b->len - at - TLV_HEAD_LEN);
}

/* What comes after the server name and is never to be crowded out by it. */
#define REST_LEN (TLV_HEAD_LEN + UNIQUE_ID_MAX + 512)

void proxy_header_write(struct buf *out, const struct proxy_announce *announce)
{
	BUG_IF(announce->unique_id.len > UNIQUE_ID_MAX);
	BUG_IF(announce->certificate && !announce->tls);
	struct block b = {.len = 0};
	put(&b, PP2_SIGNATURE, PP2_SIGNATURE_LEN);
	const uint8_t command[4] = {2 << 4 |
	                            (announce->local ? PP2_COMMAND_LOCAL : PP2_COMMAND_PROXY)};
	put(&b, command, sizeof(command));
	put_addresses(&b, announce);
	size_t checksum_at = b.len + TLV_HEAD_LEN;
	put_tlv(&b, PP2_TYPE_CRC32C, SLICE("\0\0\0\0"));
	put_fitting(&b, PP2_TYPE_AUTHORITY, announce->authority, REST_LEN);
	put_fitting(&b, PP2_TYPE_UNIQUE_ID, announce->unique_id, 0);
	if (announce->tls) {
		put_tls(&b, announce);
	}
	set_u16(b.bytes + 14, b.len - PP2_FIXED_LEN);
	set_u32(b.bytes + checksum_at, crc32c(0, b.bytes, b.len));
	buf_append(out, b.bytes, b.len);
}
