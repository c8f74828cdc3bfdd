#include "event/certificate.h"

#include <sys/socket.h>

#include "peer/qualified.h"

#define ALTERNATIVE_NAME_MAX \
	(JSON_TEXT_MAX + 16) /* of a prefix and what can be seen of the value */

const struct cert *certificate_leaf(const struct handshake *hs)
{
	const struct chain *chain = hs->chain;
	if (chain == NULL || !chain->parsed || chain->count == 0 || !chain->certs[0].parsed) {
		return NULL;
	}
	return &chain->certs[0];
}

struct slice certificate_common_name(const struct dn *name)
{
	for (size_t i = 0; i < name->value_count; i++) {
		if (name->values[i].attribute == DN_COMMON_NAME && name->values[i].value.len > 0) {
			return name->values[i].value;
		}
	}
	return (struct slice){0};
}

struct slice certificate_identity(const struct cert *leaf)
{
	struct slice name = certificate_common_name(&leaf->subject);
	if (name.len > 0) {
		return name;
	}
	for (size_t i = 0; i < leaf->san_count; i++) {
		const struct san *san = &leaf->sans[i];
		if ((san->type == SAN_DNS || san->type == SAN_EMAIL || san->type == SAN_URI) &&
		    san->value.len > 0) {
			return san->value;
		}
	}
	return leaf->subject.text;
}

/* `first` is the row of DN_COMMON_NAME; the others follow in the order of enum dn_attribute. */
static void put_name(struct encoder *e, enum event_field first, const struct dn *name)
{
	for (int attribute = 0; attribute < DN_ATTRIBUTE_COUNT; attribute++) {
		enum event_field field = (enum event_field)((int)first + attribute);
		struct json_mark mark;
		if (name->value_count == 0 || !open_array(e, field, &mark)) {
			continue;
		}
		unsigned put = 0;
		for (size_t i = 0; i < name->value_count; i++) {
			if ((int)name->values[i].attribute == attribute) {
				put_element(e, field, name->values[i].value, &put);
			}
		}
		close_array(e, field, mark);
	}
}

static size_t append(uint8_t *text, size_t len, struct slice more)
{
	size_t room = ALTERNATIVE_NAME_MAX - len;
	size_t n = more.len < room ? more.len : room;
	if (n > 0) {
		memcpy(text + len, more.data, n);
	}
	return len + n;
}

static size_t append_ip(uint8_t *text, size_t len, struct slice ip)
{
	static const char digits[] = "0123456789ABCDEF";
	if (ip.len == 4 || ip.len == 16) {
		struct endpoint endpoint = {.family = ip.len == 4 ? AF_INET : AF_INET6};
		memcpy(endpoint.ip, ip.data, ip.len);
		char printed[ENDPOINT_IP_MAX];
		return append(text, len, slice_of(printed, endpoint_ip(printed, &endpoint)));
	}
	/* RFC 5280 4.2.1.6 knows 4 and 16 bytes only; what else came is shown as it is. */
	len = append(text, len, SLICE("#"));
	for (size_t i = 0; i < ip.len && len < ALTERNATIVE_NAME_MAX - 2; i++) {
		text[len++] = (uint8_t)digits[ip.data[i] >> 4];
		text[len++] = (uint8_t)digits[ip.data[i] & 15];
	}
	return len;
}

static size_t alternative_name(uint8_t text[static ALTERNATIVE_NAME_MAX], const struct san *san)
{
	switch (san->type) {
	case SAN_DNS:
		return append(text, append(text, 0, SLICE("dns:")), san->value);
	case SAN_EMAIL:
		return append(text, append(text, 0, SLICE("email:")), san->value);
	case SAN_URI:
		return append(text, append(text, 0, SLICE("uri:")), san->value);
	case SAN_IP:
		return append_ip(text, append(text, 0, SLICE("ip:")), san->value);
	case SAN_DN:
		return append(text, append(text, 0, SLICE("dn:")), san->value);
	case SAN_OTHER:
		break;
	}
	return append(text, append(text, 0, SLICE("other:")), san->oid);
}

static void put_alternative_names(struct encoder *e, enum event_field field, const struct cert *leaf)
{
	struct json_mark mark;
	if (leaf->san_count == 0 || !open_array(e, field, &mark)) {
		return;
	}
	unsigned put = 0;
	for (size_t i = 0; i < leaf->san_count; i++) {
		uint8_t text[ALTERNATIVE_NAME_MAX];
		/* The prefix makes every name longer than nothing. */
		if (!put_element(e, field, slice_of(text, alternative_name(text, &leaf->sans[i])),
		                 &put)) {
			break;
		}
	}
	close_array(e, field, mark);
}

/* The leading zero bytes of the INTEGER only say that it is positive: other tools leave them
 * out, too. */
static struct slice significant(struct slice serial)
{
	while (serial.len > 1 && serial.data[0] == 0) {
		serial.data++;
		serial.len--;
	}
	return serial;
}

/* The row for the peer's side, a constant where `server` is one: the names below are the same. */
#define SIDE(server, name) ((server) ? FIELD_TLS_SERVER_##name : FIELD_TLS_CLIENT_##name)

ENCODER_INLINE void put_x509(struct encoder *e, const struct cert *leaf, bool server)
{
	struct json_mark x509 = open_object(e, "x509");
	if (leaf->version != 0) {
		put_key(e, SIDE(server, X509_VERSION_NUMBER));
		json_u64_text(&e->json, leaf->version);
	}
	put_hex(e, SIDE(server, X509_SERIAL_NUMBER), significant(leaf->serial));
	struct json_mark subject = open_object(e, "subject");
	put_name(e, SIDE(server, X509_SUBJECT_COMMON_NAME), &leaf->subject);
	close_object(e, subject);
	struct json_mark issuer = open_object(e, "issuer");
	put_name(e, SIDE(server, X509_ISSUER_COMMON_NAME), &leaf->issuer);
	close_object(e, issuer);
	put_alternative_names(e, SIDE(server, X509_ALTERNATIVE_NAMES), leaf);
	put_string(e, SIDE(server, X509_PUBLIC_KEY_ALGORITHM), leaf->key_algorithm);
	if (leaf->key_bits != 0) {
		put_u64(e, SIDE(server, X509_PUBLIC_KEY_SIZE), leaf->key_bits);
	}
	put_string(e, SIDE(server, X509_PUBLIC_KEY_CURVE), leaf->key_curve);
	put_string(e, SIDE(server, X509_SIGNATURE_ALGORITHM), leaf->signature_algorithm);
	close_object(e, x509);
}

ENCODER_INLINE void put_leaf(struct encoder *e, const struct handshake *hs, bool server)
{
	const struct chain *chain = hs->chain;
	if (chain == NULL || !chain->parsed || chain->count == 0) {
		return;
	}
	const struct cert *leaf = certificate_leaf(hs);
	if (leaf != NULL) {
		put_text(e, SIDE(server, SUBJECT), leaf->subject.text);
		put_text(e, SIDE(server, ISSUER), leaf->issuer.text);
		put_time_s(e, SIDE(server, NOT_BEFORE), leaf->not_before_s);
		put_time_s(e, SIDE(server, NOT_AFTER), leaf->not_after_s);
	}
	struct json_mark hash = open_object(e, "hash");
	put_hex(e, SIDE(server, HASH_SHA256), slice_of(chain->certs[0].sha256, 32));
	put_hex(e, SIDE(server, HASH_SHA1), slice_of(chain->certs[0].sha1, 20));
	close_object(e, hash);
	if (leaf != NULL) {
		put_x509(e, leaf, server);
	}
}

void put_certificate(struct encoder *e, const struct handshake *hs)
{
	if (hs->egress) {
		put_leaf(e, hs, true);
	} else {
		put_leaf(e, hs, false);
	}
}

static void put_key_usages(struct encoder *e, const struct cert *leaf)
{
	const enum event_field field = FIELD_TLSCRIBE_CERTIFICATE_KEY_USAGE;
	struct json_mark mark;
	if (leaf->key_usage_count == 0 || !open_array(e, field, &mark)) {
		return;
	}
	unsigned put = 0;
	for (size_t i = 0; i < leaf->key_usage_count; i++) {
		put_element(e, field, slice_text(leaf->key_usages[i]), &put);
	}
	close_array(e, field, mark);
}

void put_usages(struct encoder *e, const struct cert *leaf)
{
	struct json_mark certificate = open_object(e, "certificate");
	put_texts(e, FIELD_TLSCRIBE_CERTIFICATE_PURPOSES, leaf->purposes, leaf->purpose_count);
	put_key_usages(e, leaf);
	put_texts(e, FIELD_TLSCRIBE_CERTIFICATE_POLICIES, leaf->policies, leaf->policy_count);
	const struct qualified *qualified = leaf->qualified;
	if (qualified != NULL) {
		put_texts(e, FIELD_TLSCRIBE_CERTIFICATE_ORGANIZATION_IDENTIFIER,
		          qualified->organization_identifiers,
		          qualified->organization_identifier_count);
		put_texts(e, FIELD_TLSCRIBE_CERTIFICATE_QC_STATEMENTS, qualified->statements,
		          qualified->statement_count);
	}
	close_object(e, certificate);
}

void put_roles(struct encoder *e, const struct qualified *qualified)
{
	if (qualified != NULL) {
		put_texts(e, FIELD_USER_ROLES, qualified->roles, qualified->role_count);
	}
}
