/* What a client presented: raw certificates, leaf first, and what was read from them.
 *
 * One reference-counted object per worker and SHA-256, shared by the verdict cache, the event and later users.
 * Parsing happens once, at chain_parse(); everything an event needs of the leaf is then plain data.
 *
 * Thread: the worker that made it (the count is not atomic). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* Which attribute of a distinguished name; the ones that events show apart (event-fields: x509.subject.*). */
enum dn_attribute { DN_COMMON_NAME, DN_ORGANIZATION, DN_ORGANIZATIONAL_UNIT, DN_COUNTRY, DN_LOCALITY, DN_STATE_OR_PROVINCE, DN_ATTRIBUTE_COUNT };

struct dn_value {
	enum dn_attribute attribute;
	struct slice value; /* raw bytes of the peer */
};

struct dn {
	struct slice text; /* RFC 4514; may hold any byte of the peer: invalid UTF-8, NUL and control bytes are escaped by whoever prints */
	struct dn_value *values;
	size_t value_count;
};

enum san_type { SAN_DNS, SAN_EMAIL, SAN_URI, SAN_IP, SAN_DN, SAN_OTHER };

struct san {
	enum san_type type;
	struct slice value; /* raw; SAN_IP: 4 or 16 (or wrong) bytes; SAN_OTHER: DER of the value; SAN_DN: RFC 4514 text */
	struct slice oid;   /* SAN_OTHER: dotted text */
};

/* One certificate: evidence. Everything here lives as long as its chain. */
struct cert {
	struct slice der;
	bool parsed; /* false: only der and the fingerprints are set */
	uint8_t sha256[32];
	uint8_t sha1[20];
	uint8_t spki_sha256[32];
	unsigned version; /* 1-3 */
	struct slice serial; /* raw INTEGER content, big-endian */
	struct dn subject;
	struct dn issuer;
	int64_t not_before_s; /* seconds since 1970 UTC */
	int64_t not_after_s;
	const char *key_algorithm; /* Go names as ECS wants: "RSA", "EC" -> "ECDSA", "Ed25519", "DSA", ...; NULL: unknown */
	unsigned key_bits;
	const char *key_curve;           /* "P-256", ...; NULL */
	const char *signature_algorithm; /* Go names: "SHA256-RSA", "ECDSA-SHA256", "Ed25519", ...; NULL: unknown */
	struct san *sans;
	size_t san_count;
	struct slice *purposes; /* extended key usages as dotted OIDs or short names ("clientAuth") */
	size_t purpose_count;
	const char **key_usages; /* "digitalSignature", ... static names */
	size_t key_usage_count;
	struct slice *policies; /* dotted OIDs */
	size_t policy_count;
	void *crt; /* gnutls_x509_crt_t, for peer/ alone */
};

struct chain {
	unsigned refs;
	uint8_t sha256[32]; /* over the certificates' DER, each preceded by its 4-byte big-endian length */
	size_t bytes;       /* sum of the DER lengths */
	size_t count;
	struct cert *certs; /* count, leaf first */
	bool parsed;        /* chain_parse() was called */
	void *arena;        /* owns everything that hangs below */
};

/* Copies `count` DER certificates (count > 0). Starts with one reference. */
int chain_new(struct chain **out, const struct slice *der, size_t count);
/* Reads every certificate; what cannot be read stays `parsed == false`, that is no error. E_NOMEM only. */
int chain_parse(struct chain *chain);
struct chain *chain_ref(struct chain *chain);
/* Takes *chain and leaves NULL there; NULL is fine. */
void chain_unref(struct chain **chain);
