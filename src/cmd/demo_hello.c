#include "cmd/demo_hello.h"

#include <string.h>

#include <gnutls/crypto.h>

#define RECORD_MAX 16384 /* RFC 8446 5.1 */
#define HANDSHAKE 22
#define CLIENT_HELLO 1

static void put16(struct buf *out, size_t n)
{
	buf_append_byte(out, (uint8_t)(n >> 8));
	buf_append_byte(out, (uint8_t)n);
}

static void put24(struct buf *out, size_t n)
{
	buf_append_byte(out, (uint8_t)(n >> 16));
	put16(out, n);
}

static void put_random(struct buf *out, size_t n)
{
	uint8_t *to = buf_reserve(out, n);
	if (to != NULL && gnutls_rnd(GNUTLS_RND_NONCE, to, n) == 0) {
		out->len += n;
	}
}

static size_t count(const uint16_t *list)
{
	size_t n = 0;
	while (list[n] != 0) {
		n++;
	}
	return n;
}

static void put_list(struct buf *out, const uint16_t *list)
{
	for (; *list != 0; list++) {
		put16(out, *list);
	}
}

static void put_server_name(struct buf *out, const char *name)
{
	size_t len = strlen(name);
	put16(out, 0); /* server_name, RFC 6066 3 */
	put16(out, len + 5);
	put16(out, len + 3);
	buf_append_byte(out, 0);
	put16(out, len);
	buf_append(out, name, len);
}

static void put_groups(struct buf *out, const uint16_t *groups)
{
	put16(out, 10); /* supported_groups, RFC 8446 4.2.7 */
	put16(out, 2 * count(groups) + 2);
	put16(out, 2 * count(groups));
	put_list(out, groups);
}

static void put_signatures(struct buf *out)
{
	static const uint16_t schemes[] = {0x0403, 0x0804, 0x0401, 0};
	put16(out, 13); /* signature_algorithms, RFC 8446 4.2.3 */
	put16(out, 2 * count(schemes) + 2);
	put16(out, 2 * count(schemes));
	put_list(out, schemes);
}

static void put_versions(struct buf *out, const uint16_t *versions)
{
	put16(out, 43); /* supported_versions, RFC 8446 4.2.1 */
	put16(out, 2 * count(versions) + 1);
	buf_append_byte(out, (uint8_t)(2 * count(versions)));
	put_list(out, versions);
}

static void put_key_share(struct buf *out, uint16_t group)
{
	const size_t len = 65;
	put16(out, 51); /* key_share, RFC 8446 4.2.8 */
	put16(out, len + 6);
	put16(out, len + 4);
	put16(out, group);
	put16(out, len);
	buf_append_byte(out, 4);
	put_random(out, len - 1);
}

/* Version, random, an empty session id. */
static void put_start(struct buf *out, uint16_t version)
{
	put16(out, version);
	put_random(out, 32);
	buf_append_byte(out, 0);
}

/* Puts handshake and record headers before a body. */
static void put_message(struct buf *out, const struct buf *body, uint32_t claimed)
{
	struct buf message;
	buf_init(&message, body->len + 4);
	buf_append_byte(&message, CLIENT_HELLO);
	put24(&message, claimed);
	buf_append_slice(&message, buf_slice(body));
	for (size_t at = 0; at < message.len; at += RECORD_MAX) {
		size_t n = message.len - at < RECORD_MAX ? message.len - at : RECORD_MAX;
		buf_append_byte(out, HANDSHAKE);
		put16(out, 0x0301);
		put16(out, n);
		buf_append(out, message.data + at, n);
	}
	if (out->err == 0 && (message.err != 0 || body->err != 0)) {
		out->err = message.err != 0 ? message.err : body->err;
	}
	buf_release(&message);
}

void demo_hello_write(struct buf *out, const struct demo_hello *hello)
{
	struct buf extensions, body;
	buf_init(&extensions, 4096);
	put_server_name(&extensions, hello->server_name);
	put_groups(&extensions, hello->groups);
	put_signatures(&extensions);
	if (hello->versions != NULL) {
		put_versions(&extensions, hello->versions);
		put_key_share(&extensions, hello->groups[0]);
	}

	buf_init(&body, 8192);
	put_start(&body, hello->legacy_version);
	put16(&body, 2 * count(hello->ciphers));
	put_list(&body, hello->ciphers);
	buf_append(&body, "\x01\x00", 2); /* no compression */
	put16(&body, extensions.len);
	buf_append_slice(&body, buf_slice(&extensions));
	put_message(out, &body, (uint32_t)body.len);
	buf_release(&body);
	buf_release(&extensions);
}

void demo_hello_write_broken(struct buf *out)
{
	struct buf body;
	buf_init(&body, 64);
	put_start(&body, 0x0303);
	if (body.err == 0) {
		body.data[34] = 255;
	}
	buf_append(&body, "\x00\x02\x13\x01\x01\x00", 6);
	put_message(out, &body, (uint32_t)body.len);
	buf_release(&body);
}

void demo_hello_write_huge(struct buf *out, uint32_t bytes)
{
	struct buf body;
	buf_init(&body, bytes);
	put_start(&body, 0x0303);
	buf_append(&body, "\x00\x02\x13\x01\x01\x00", 6);
	size_t rest = bytes - body.len;
	uint8_t *padding = buf_reserve(&body, rest);
	if (padding != NULL) {
		memset(padding, 0, rest);
		body.len += rest;
	}
	put_message(out, &body, bytes);
	buf_release(&body);
}
