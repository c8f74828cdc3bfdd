/* What a client presented: raw certificates, leaf first, and what was read from them.
 *
 * One reference-counted object per worker and SHA-256, shared by the verdict cache, the event and
 * later users. Parsing happens once, at chain_parse(); everything an event needs of the leaf is
 * then plain data. Lists keep their first 64 values (CERT_VALUES_MAX), as events do not show more;
 * the judge looks at all of them.
 *
 * Thread: the worker that made it (the count is not atomic). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define CERT_VALUES_MAX 64

/* Which attribute of a distinguished name; the ones that events show apart (event-fields:
 * x509.subject.*). */
enum dn_attribute {
	DN_COMMON_NAME,
	DN_ORGANIZATION,
	DN_ORGANIZATIONAL_UNIT,
	DN_COUNTRY,
	DN_LOCALITY,
	DN_STATE_OR_PROVINCE,
	DN_ATTRIBUTE_COUNT,
};

struct dn_value {
	enum dn_attribute attribute;
	struct slice value; /* raw bytes of the peer; 16 and 32 bit strings as UTF-8 */
};

struct dn {
	/* RFC 4514, the last RDN first. Always valid UTF-8 without NUL and control characters:
	 * such bytes of the peer, and those that are no UTF-8, stand there as `\xx` (two
	 * hexadecimal digits in lower case). */
	struct slice text;
	struct dn_value *values; /* in the order of the certificate; at most CERT_VALUES_MAX */
	size_t value_count;
};

enum san_type { SAN_DNS, SAN_EMAIL, SAN_URI, SAN_IP, SAN_DN, SAN_OTHER };

struct san {
	enum san_type type;
	struct slice value; /* raw; SAN_IP: 4 or 16 (or wrong) bytes; SAN_OTHER: DER of the value; SAN_DN: as dn.text */
	struct slice oid; /* SAN_OTHER: dotted text */
};

struct cert_x509;
struct qualified;
struct arena;

/* One certificate: evidence. Everything here lives as long as its chain. */
struct cert {
	struct slice der;
	bool parsed; /* false: only der and the fingerprints are set */
	uint8_t sha256[32];
	uint8_t sha1[20];
	uint8_t spki_sha256[32];
	unsigned version;    /* 1-3 */
	struct slice serial; /* raw INTEGER content, big-endian, never empty */
	struct dn subject;
	struct dn issuer;
	int64_t not_before_s; /* seconds since 1970 UTC */
	int64_t not_after_s;
	const char *key_algorithm; /* "RSA", "RSA-PSS", "ECDSA", "Ed25519", "Ed448", "DSA"; NULL: unknown */
	unsigned key_bits;         /* 0: unknown */
	const char *key_curve; /* "P-256", ...; NULL */
	const char *signature_algorithm; /* Go names: "SHA256-RSA", "ECDSA-SHA256", "Ed25519", ...; NULL: unknown */
	struct san *sans; /* dNSName, rfc822Name, URI, iPAddress, directoryName, otherName; other forms are left out */
	size_t san_count;       /* at most CERT_VALUES_MAX */
	struct slice *purposes; /* extended key usages as dotted OIDs or short names ("clientAuth") */
	size_t purpose_count;   /* at most CERT_VALUES_MAX */
	const char **key_usages; /* "digitalSignature", ... static names */
	size_t key_usage_count;
	struct slice *policies;            /* dotted OIDs */
	size_t policy_count;               /* at most CERT_VALUES_MAX */
	const struct qualified *qualified; /* peer/qualified.h; NULL: not one of its values is there */
	struct cert_x509 *x509;            /* for peer/ alone; NULL unless parsed */
};

/* What makes a name of the certificate unfit for comparing and for passing on ("NUL in the common name"), static. NULL: nothing, or it
 * was not read. */
const char *cert_identity_fault(const struct cert *cert);
/* Can TLS prove that somebody holds its key? False also if it was not read. */
bool cert_is_for_tls(const struct cert *cert);

struct chain {
	unsigned refs;
	uint8_t sha256[32]; /* over the certificates' DER, each preceded by its 4-byte big-endian length */
	size_t bytes; /* sum of the DER lengths */
	size_t count;
	struct cert *certs;  /* count, leaf first */
	bool parsed;         /* chain_parse() was called */
	struct arena *arena; /* owns everything that hangs below */
};

/* Copies `count` DER certificates (count > 0). Starts with one reference. E_NOMEM. */
int chain_new(struct chain **out, const struct slice *der, size_t count);
#define CHAIN_FILE_MAX 256
/* From the content of a file: its PEM CERTIFICATE blocks, or if there are none all of it as one. Bytes that are no certificate become one that cannot
 * be read. E_LIMIT: more than CHAIN_FILE_MAX; E_NOMEM. */
int chain_read(struct chain **out, struct slice file);
/* Reads every certificate; what cannot be read stays `parsed == false`, that is no error. Does
 * nothing the second time. E_NOMEM only. */
int chain_parse(struct chain *chain);
struct chain *chain_ref(struct chain *chain);
/* Takes *chain and leaves NULL there; NULL is fine. */
void chain_unref(struct chain **chain);
/* The hash that names a chain, as in struct chain. E_NOMEM. */
int chain_hash(uint8_t out[static 32], const struct slice *der, size_t count);
/* Heap behind it, in bytes; GnuTLS's key objects are estimated. */
size_t chain_memory(const struct chain *chain);
