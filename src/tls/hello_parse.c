#include "tls/hello_parse.h"

#include <string.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "base/err.h"
#include "tls/ja.h"

/* IANA TLS ExtensionType values. */
enum {
	EXT_SERVER_NAME = 0,
	EXT_SUPPORTED_GROUPS = 10,
	EXT_POINT_FORMATS = 11,
	EXT_SIGNATURE_ALGORITHMS = 13,
	EXT_ALPN = 16,
	EXT_SUPPORTED_VERSIONS = 43,
};

struct parse {
	struct hello *hello;
	struct hello_offer *offer;
	struct ja_hello ja;
	bool whole; /* ja.extensions is the rest of the message */
	unsigned seen; /* bit per extension that is judged: a second one is a protocol error (RFC 8446 4.2) */
	bool failed;
};

static uint16_t read_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* RFC 6066 3: one host_name at most. What GnuTLS would take for the name must be what we take. */
static bool parse_server_name(struct hello *hello, const uint8_t *p, size_t len)
{
	if (len < 2 || read_u16(p) != len - 2) {
		return false;
	}
	p += 2;
	len -= 2;
	while (len > 0) {
		if (len < 3 || (size_t)read_u16(p + 1) > len - 3) {
			return false;
		}
		uint8_t type = p[0];
		size_t name_len = read_u16(p + 1);
		if (type == 0) {
			if (hello->has_server_name || name_len == 0) {
				return false;
			}
			hello->has_server_name = true;
			hello->server_name_len =
				(uint16_t)(name_len < HELLO_NAME_MAX ? name_len : HELLO_NAME_MAX);
			for (size_t i = 0; i < hello->server_name_len; i++) {
				uint8_t c = p[3 + i];
				hello->server_name[i] =
					c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
			}
		}
		p += 3 + name_len;
		len -= 3 + name_len;
	}
	return true;
}

static bool parse_versions(struct hello *hello, const uint8_t *p, size_t len)
{
	if (len < 3 || p[0] != len - 1 || p[0] % 2 != 0) {
		return false;
	}
	hello->version_count = 0;
	for (size_t i = 1; i + 1 < len; i += 2) {
		uint16_t version = read_u16(p + i);
		if (!ja_is_grease(version) && hello->version_count < HELLO_VERSIONS_MAX) {
			hello->versions[hello->version_count++] = version;
		}
	}
	return true;
}

/* RFC 7301 3.1. */
static bool parse_alpn(struct hello *hello, const uint8_t *p, size_t len)
{
	if (len < 2 || read_u16(p) != len - 2) {
		return false;
	}
	p += 2;
	len -= 2;
	bool cut = false;
	for (size_t at = 0; at < len;) {
		size_t name_len = p[at];
		if (name_len == 0 || name_len > len - at - 1) {
			return false;
		}
		cut = cut || hello->alpn_len + 1 + name_len > HELLO_ALPN_MAX;
		if (!cut) {
			memcpy(hello->alpn + hello->alpn_len, p + at, 1 + name_len);
			hello->alpn_len = (uint16_t)(hello->alpn_len + 1 + name_len);
		}
		at += 1 + name_len;
	}
	return true;
}

static bool parse_u16_list(struct slice *out, const uint8_t *p, size_t len)
{
	if (len < 2 || read_u16(p) != len - 2 || len % 2 != 0) {
		return false;
	}
	*out = slice_of(p + 2, len - 2);
	return true;
}

static int on_extension(void *arg, unsigned id, const unsigned char *data, unsigned len)
{
	struct parse *parse = arg;
	static const uint8_t known[] = {EXT_SERVER_NAME, EXT_SUPPORTED_GROUPS,
	                                EXT_SIGNATURE_ALGORITHMS, EXT_ALPN, EXT_SUPPORTED_VERSIONS};
	for (size_t i = 0; i < sizeof(known); i++) {
		if (known[i] == id) {
			parse->failed = parse->failed || (parse->seen & 1u << i) != 0;
			parse->seen |= 1u << i;
		}
	}
	bool good = true;
	switch (id) {
	case EXT_SERVER_NAME:
		good = parse_server_name(parse->hello, data, len);
		break;
	case EXT_SUPPORTED_VERSIONS:
		good = parse_versions(parse->hello, data, len);
		parse->offer->has_versions = true;
		parse->ja.versions = good ? slice_of(data + 1, len - 1) : (struct slice){0};
		break;
	case EXT_ALPN:
		good = parse_alpn(parse->hello, data, len);
		parse->offer->alpn = len > 2 ? slice_of(data + 2, len - 2) : slice_of(NULL, 0);
		break;
	case EXT_SUPPORTED_GROUPS:
		good = parse_u16_list(&parse->offer->groups, data, len);
		break;
	case EXT_SIGNATURE_ALGORITHMS:
		good = parse_u16_list(&parse->offer->signatures, data, len);
		break;
	case EXT_POINT_FORMATS:
		/* RFC 8422 5.1.2. What is wrong with it is for GnuTLS to find: it is of no use here
		 * but as evidence. */
		if (len > 0 && data[0] == len - 1) {
			parse->ja.formats = slice_of(data + 1, len - 1);
		}
		break;
	default:
		break;
	}
	parse->failed = parse->failed || !good;
	return parse->failed ? GNUTLS_E_UNEXPECTED_PACKET_LENGTH : 0;
}

/* What stands behind the suites (RFC 8446 4.1.2). False: not what it should be, in a message that
 * GnuTLS may take all the same. */
static bool find_extensions(struct slice *extensions, struct slice rest)
{
	size_t methods = rest.len > 0 ? rest.data[0] : 0;
	if (rest.len < 1 + methods) {
		return false;
	}
	rest = slice_of(rest.data + 1 + methods, rest.len - 1 - methods);
	if (rest.len == 0) {
		return true;
	}
	if (rest.len < 2 || read_u16(rest.data) != rest.len - 2) {
		return false;
	}
	*extensions = slice_of(rest.data + 2, rest.len - 2);
	return true;
}

/* RFC 8446 4.1.2: what stands before the extensions. */
static bool parse_fixed_part(struct parse *parse, struct slice body)
{
	struct hello *hello = parse->hello;
	const size_t random_end = 2 + 32;
	if (body.len < random_end + 1) {
		return false;
	}
	hello->versions[0] = read_u16(body.data);
	hello->version_count = 1;
	size_t at = random_end + 1 + body.data[random_end];
	if (body.len < at + 2) {
		return false;
	}
	size_t suites = read_u16(body.data + at);
	at += 2;
	if (suites == 0 || suites % 2 != 0 || body.len - at < suites) {
		return false;
	}
	parse->offer->suites = slice_of(body.data + at, suites);
	hello->cipher_count = (uint16_t)(suites / 2);
	at += suites;
	parse->whole =
		find_extensions(&parse->ja.extensions, slice_of(body.data + at, body.len - at));
	return true;
}

/* Of whole, well-formed hellos alone: half of one has the fingerprint of no client. */
static void take_fingerprints(struct parse *parse)
{
	if (!parse->whole) {
		return;
	}
	struct ja_hello *ja = &parse->ja;
	ja->suites = parse->offer->suites;
	ja->groups = parse->offer->groups;
	ja->signatures = parse->offer->signatures;
	ja->alpn = parse->offer->alpn;
	ja3(parse->hello->ja3, ja);
	ja4(parse->hello->ja4, ja);
}

static void hash_message(uint8_t out[32], struct slice body)
{
	uint8_t header[4] = {1, (uint8_t)(body.len >> 16), (uint8_t)(body.len >> 8),
	                     (uint8_t)body.len};
	gnutls_hash_hd_t hash;
	if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) != 0) {
		memset(out, 0, 32);
		return;
	}
	gnutls_hash(hash, header, sizeof(header));
	gnutls_hash(hash, body.data, body.len);
	gnutls_hash_deinit(hash, out);
}

int hello_parse(struct hello *hello, struct hello_offer *offer, struct slice body)
{
	*offer = (struct hello_offer){0};
	memset(hello, 0, sizeof(*hello));
	hash_message(hello->sha256, body);
	hello->seen = true;
	struct parse parse = {.hello = hello, .offer = offer};
	if (!parse_fixed_part(&parse, body)) {
		return E_INVALID;
	}
	parse.ja.version = hello->versions[0];
	gnutls_datum_t message = {(unsigned char *)body.data, (unsigned)body.len};
	int ret = gnutls_ext_raw_parse(&parse, on_extension, &message,
	                               GNUTLS_EXT_RAW_FLAG_TLS_CLIENT_HELLO);
	/* A hello without any extension is old but well-formed. */
	if (parse.failed || (ret < 0 && ret != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)) {
		return E_INVALID;
	}
	take_fingerprints(&parse);
	return E_OK;
}
