#include "proxy/client.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/err.h"
#include "event/certificate.h"
#include "event/template.h"
#include "peer/chain.h"
#include "peer/classes.h"
#include "proxy/service.h"

static int keep(struct slice *out, struct slice from)
{
	*out = slice_of(NULL, 0);
	if (from.len == 0) {
		return E_OK;
	}
	uint8_t *copy = malloc(from.len);
	if (copy == NULL) {
		return E_NOMEM;
	}
	memcpy(copy, from.data, from.len);
	*out = slice_of(copy, from.len);
	return E_OK;
}

/* --- the certificate as plain data for http/identity --- */

struct parts {
	struct slice chain[64];
	struct identity_attribute subject[CERT_VALUES_MAX], issuer[CERT_VALUES_MAX];
	struct identity_san sans[CERT_VALUES_MAX];
};

static size_t attributes_of(struct identity_attribute *out, const struct dn *dn)
{
	static const char *const names[DN_ATTRIBUTE_COUNT] = {
		[DN_COMMON_NAME] = "CN", [DN_ORGANIZATION] = "O", [DN_ORGANIZATIONAL_UNIT] = "OU",
		[DN_COUNTRY] = "C",      [DN_LOCALITY] = "L",     [DN_STATE_OR_PROVINCE] = "ST",
	};
	for (size_t i = 0; i < dn->value_count; i++) {
		out[i] = (struct identity_attribute){names[dn->values[i].attribute],
		                                     dn->values[i].value};
	}
	return dn->value_count;
}

static size_t sans_of(struct identity_san *out, const struct cert *leaf)
{
	size_t n = 0;
	for (size_t i = 0; i < leaf->san_count; i++) {
		enum identity_san_type type;
		switch (leaf->sans[i].type) {
		case SAN_DNS:
			type = IDENTITY_SAN_DNS;
			break;
		case SAN_URI:
			type = IDENTITY_SAN_URI;
			break;
		case SAN_EMAIL:
			type = IDENTITY_SAN_EMAIL;
			break;
		case SAN_IP:
			type = IDENTITY_SAN_IP;
			break;
		default: /* no preset has a place for it */
			continue;
		}
		out[n++] = (struct identity_san){type, leaf->sans[i].value};
	}
	return n;
}

/* Possession is what makes it somebody's: a certificate alone is public. */
static void describe_certificate(struct identity *identity, const struct handshake *hs,
                                 struct parts *parts)
{
	const struct chain *chain = hs->chain;
	if (chain == NULL || hs->possession != POSSESSION_PROVEN || !chain->certs[0].parsed) {
		return;
	}
	const struct cert *leaf = &chain->certs[0];
	size_t most = sizeof(parts->chain) / sizeof(parts->chain[0]);
	identity->used = true;
	identity->sha256 = leaf->sha256;
	identity->sha1 = leaf->sha1;
	identity->serial = leaf->serial;
	identity->not_before_s = leaf->not_before_s;
	identity->not_after_s = leaf->not_after_s;
	/* Names that readers would take for others are for the event alone; so is the certificate that they stand in. */
	if (cert_identity_fault(leaf) != NULL) {
		return;
	}
	identity->der = leaf->der;
	for (size_t i = 1; i < chain->count && identity->chain_count < most; i++) {
		parts->chain[identity->chain_count++] = chain->certs[i].der;
	}
	identity->chain = parts->chain;
	identity->subject = leaf->subject.text;
	identity->issuer = leaf->issuer.text;
	identity->subject_attributes = parts->subject;
	identity->subject_attribute_count = attributes_of(parts->subject, &leaf->subject);
	identity->issuer_attributes = parts->issuer;
	identity->issuer_attribute_count = attributes_of(parts->issuer, &leaf->issuer);
	identity->sans = parts->sans;
	identity->san_count = sans_of(parts->sans, leaf);
}

/* --- the fields that are the same for every request --- */

static void append_line(struct buf *out, const char *name, const char *value)
{
	buf_append_text(out, name);
	buf_append_text(out, ": ");
	buf_append_text(out, value);
	buf_append_text(out, "\r\n");
}

static void append_forwarded(struct client *client, const struct handshake *hs,
                             enum forwarded_mode mode)
{
	char ip[ENDPOINT_IP_MAX];
	size_t len = endpoint_ip(ip, &hs->source);
	struct buf node;
	buf_init_fixed(&node, client->node, sizeof(client->node));
	if (len == 0) {
		buf_append_text(&node, "unknown"); /* a unix socket has no address */
	} else if (hs->source.family == AF_INET6) {
		buf_printf(&node, "\"[%s]\"", ip);
	} else {
		buf_append_text(&node, ip);
	}
	buf_append_byte(&node, '\0');
	if (mode != FORWARDED_X) {
		return;
	}
	struct buf *out = &client->fields;
	if (len > 0) {
		append_line(out, "X-Forwarded-For", ip);
	}
	append_line(out, "X-Forwarded-Proto", "https");
	if (hs->destination.port != 0) {
		buf_append_text(out, "X-Forwarded-Port: ");
		buf_append_u64(out, hs->destination.port);
		buf_append_text(out, "\r\n");
	}
}

int client_describe(struct client *client, const struct handshake *hs,
                    const struct service *service, struct identity_omitted *omitted)
{
	client->denied = hs->decision == DECISION_DENY;
	client->verified = hs->verified;
	client->class = hs->class;
	client->unnameable = hs->chain != NULL && cert_identity_fault(&hs->chain->certs[0]) != NULL;
	const struct chain *chain = hs->chain;
	struct slice user = hs->verified && chain != NULL ? certificate_identity(&chain->certs[0])
	                                                  : slice_of(NULL, 0);
	const struct qualified *qualified =
		hs->verified && chain != NULL ? chain->certs[0].qualified : NULL;
	client->role_count = qualified != NULL ? qualified->role_count : 0;
	for (size_t i = 0; i < client->role_count; i++) {
		client->roles[i] = qualified->roles[i];
	}
	if (keep(&client->user_name, user) != E_OK ||
	    keep(&client->server_name,
	         slice_of(hs->hello.server_name, hs->hello.server_name_len)) != E_OK) {
		return E_NOMEM;
	}
	const struct peer_class_row *row = peer_class_row(hs->class);
	struct parts parts;
	struct identity identity = {
		.verified = hs->verified,
		.class_name = row->name,
		.sentence = row->sentence,
		.code = hs->code,
		.now_s = hs->start_us / 1000000,
	};
	describe_certificate(&identity, hs, &parts);
	if (hs->tls.has_server_certificate) {
		identity.by = service_uri(service, hs->tls.server_certificate_sha256);
	}
	buf_init(&client->fields, CLIENT_FIELDS_MAX);
	identity_headers_write(service->identity, &client->fields, &identity, omitted);
	append_line(&client->fields, service->config->event_id_header.text, hs->id);
	append_forwarded(client, hs, service->config->forwarded);
	return client->fields.err;
}

bool client_describe_custom(struct client *client, const struct service *service,
                            struct slice event_body, struct identity_omitted *omitted)
{
	bool more = false;
	struct buf *out = &client->fields;
	uint8_t room[IDENTITY_VALUE_MAX];
	for (size_t i = 0; i < service->config->header_count; i++) {
		const struct config_header *header = &service->config->headers[i];
		if (template_tells_of_certificate(service->headers[i]) &&
		    (client->unnameable || (!client->verified && !header->unverified))) {
			continue;
		}
		size_t left = out->len < IDENTITY_TOTAL_MAX ? IDENTITY_TOTAL_MAX - out->len : 0;
		struct buf value;
		buf_init_fixed(&value, room, left < sizeof(room) ? left : sizeof(room));
		if (!template_render(service->headers[i], &value, event_body)) {
			continue;
		}
		if (value.err == E_OK) {
			buf_append_text(out, header->name.text);
			buf_append_text(out, ": ");
			buf_append_slice(out, buf_slice(&value));
			buf_append_text(out, "\r\n");
		} else if (omitted->count < IDENTITY_OMITTED_MAX) {
			omitted->names[omitted->count++] = header->name.text;
			more = true;
		}
	}
	return more;
}

void client_release(struct client *client)
{
	free((void *)client->user_name.data);
	free((void *)client->server_name.data);
	buf_release(&client->fields);
	*client = (struct client){0};
}
