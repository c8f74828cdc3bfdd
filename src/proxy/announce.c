#include "proxy/announce.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/err.h"
#include "config/utf8.h"
#include "net/proxy_protocol.h"
#include "peer/chain.h"
#include "proxy/endpoint.h"
#include "proxy/snapshot.h"
#include "tls/creds.h"

#define HOST_NAME_MAX_LEN 255 /* RFC 1035 2.3.4 */
#define VERIFY_UNSPECIFIED 1  /* X509_V_ERR_UNSPECIFIED */

struct shown {
	uint8_t sha256[32];
	const char *signature; /* NULL: not known */
	char key[24];          /* empty: not known */
};

struct announcer {
	size_t count;
	struct shown certificates[];
};

/* --- our own certificates --- */

/* OpenSSL's short name of an algorithm (OBJ_nid2sn), which is what HAProxy sends; NULL. */
static const char *openssl_signature(const char *name)
{
	static const char *const names[][2] = {
		{"SHA1-RSA", "RSA-SHA1"},
		{"SHA224-RSA", "RSA-SHA224"},
		{"SHA256-RSA", "RSA-SHA256"},
		{"SHA384-RSA", "RSA-SHA384"},
		{"SHA512-RSA", "RSA-SHA512"},
		{"SHA256-RSAPSS", "RSASSA-PSS"},
		{"SHA384-RSAPSS", "RSASSA-PSS"},
		{"SHA512-RSAPSS", "RSASSA-PSS"},
		{"ECDSA-SHA1", "ecdsa-with-SHA1"},
		{"ECDSA-SHA224", "ecdsa-with-SHA224"},
		{"ECDSA-SHA256", "ecdsa-with-SHA256"},
		{"ECDSA-SHA384", "ecdsa-with-SHA384"},
		{"ECDSA-SHA512", "ecdsa-with-SHA512"},
		{"Ed25519", "ED25519"},
		{"Ed448", "ED448"},
	};
	for (size_t i = 0; name != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i][0]) == 0) {
			return names[i][1];
		}
	}
	return NULL;
}

static void name_key(char *out, size_t cap, const struct cert *cert)
{
	if (cert->key_algorithm == NULL) {
		return;
	}
	if (strcmp(cert->key_algorithm, "Ed25519") == 0) {
		snprintf(out, cap, "ED25519");
	} else if (strcmp(cert->key_algorithm, "Ed448") == 0) {
		snprintf(out, cap, "ED448");
	} else if (cert->key_bits > 0) {
		bool ec = strcmp(cert->key_algorithm, "ECDSA") == 0;
		snprintf(out, cap, "%s%u", ec ? "EC" : cert->key_algorithm, cert->key_bits);
	}
}

static int note(struct shown *out, struct slice der)
{
	struct chain *chain = NULL;
	int err = chain_new(&chain, &der, 1);
	if (err == E_OK) {
		err = chain_parse(chain);
	}
	if (err == E_OK) {
		const struct cert *cert = &chain->certs[0];
		memcpy(out->sha256, cert->sha256, sizeof(out->sha256));
		out->signature = openssl_signature(cert->signature_algorithm);
		name_key(out->key, sizeof(out->key), cert);
	}
	chain_unref(&chain);
	return err;
}

static bool wanted(const struct config_service *config)
{
	bool any = config->upstream.proxy_protocol == PROXY_PROTOCOL_V2 ||
	           (config->quarantine.at.line > 0 &&
	            config->quarantine.proxy_protocol == PROXY_PROTOCOL_V2);
	for (size_t i = 0; i < config->route_count; i++) {
		const struct config_upstream *upstream = &config->routes[i].upstream;
		any = any ||
		      (upstream->at.line > 0 && upstream->proxy_protocol == PROXY_PROTOCOL_V2);
	}
	return any;
}

int announcer_new(struct announcer **out, const struct config_service *config,
                  const struct tls_service *tls)
{
	*out = NULL;
	if (!wanted(config)) {
		return E_OK;
	}
	size_t count = config->certificate_count;
	struct announcer *announcer =
		calloc(1, sizeof(*announcer) + count * sizeof(announcer->certificates[0]));
	if (announcer == NULL) {
		return E_NOMEM;
	}
	for (; announcer->count < count; announcer->count++) {
		struct tls_certificate_info info = tls_service_certificate(tls, announcer->count);
		int err = note(&announcer->certificates[announcer->count], info.der);
		if (err != E_OK) {
			announcer_free(&announcer);
			return err;
		}
	}
	*out = announcer;
	return E_OK;
}

void announcer_free(struct announcer **announcer)
{
	free(*announcer);
	*announcer = NULL;
}

/* --- one handshake --- */

/* The name the client asked for. With a default service any bytes may come this far: what can be no host name is left out. */
static struct slice authority(const struct hello *hello)
{
	for (size_t i = 0; i < hello->server_name_len; i++) {
		if (hello->server_name[i] <= ' ' || hello->server_name[i] >= 0x7f) {
			return slice_of(NULL, 0);
		}
	}
	bool fits = hello->has_server_name && hello->server_name_len <= HOST_NAME_MAX_LEN;
	return slice_of(hello->server_name, fits ? hello->server_name_len : 0);
}

static bool clean(struct slice text)
{
	for (size_t i = 0; i < text.len;) {
		size_t len = utf8_length(text.data + i, text.len - i);
		if (len == 0 || utf8_is_control(text.data + i, false)) {
			return false;
		}
		i += len;
	}
	return true;
}

/* Empty where it can be misread: none or several of them, or bytes that are no text. Readers end strings at a NUL, and differ
 * in which of several is the one. */
static struct slice common_name(const struct cert *leaf)
{
	struct slice name = slice_of(NULL, 0);
	size_t count = 0;
	for (size_t i = 0; i < leaf->subject.value_count; i++) {
		if (leaf->subject.values[i].attribute == DN_COMMON_NAME) {
			name = leaf->subject.values[i].value;
			count++;
		}
	}
	bool whole = leaf->subject.value_count < CERT_VALUES_MAX;
	return count == 1 && whole && clean(name) ? name : slice_of(NULL, 0);
}

static void tell_tls(struct proxy_announce *announce, const struct handshake *hs,
                     const struct announcer *announcer)
{
	announce->tls = true;
	announce->version = hs->tls.version == TLS_VERSION_1_3   ? "TLSv1.3"
	                    : hs->tls.version == TLS_VERSION_1_2 ? "TLSv1.2"
	                                                         : NULL;
	announce->cipher = hs->tls.cipher;
	for (size_t i = 0; i < announcer->count && hs->tls.has_server_certificate; i++) {
		const struct shown *shown = &announcer->certificates[i];
		if (memcmp(shown->sha256, hs->tls.server_certificate_sha256, 32) == 0) {
			announce->signature_algorithm = shown->signature;
			announce->key_algorithm = shown->key;
		}
	}
	/* 2.2.6: zero if a certificate was presented and verified, and not zero otherwise. HAProxy sends zero without a
	 * certificate, too; who looks at nothing else would take that for a verified client. */
	announce->verify = hs->verified ? 0 : hs->code != 0 ? hs->code : VERIFY_UNSPECIFIED;
	if (hs->chain != NULL && hs->possession == POSSESSION_PROVEN) {
		const struct cert *leaf = &hs->chain->certs[0];
		announce->certificate = true;
		announce->resumed = hs->tls.resumed;
		/* Names that readers would take for others are for the event alone. */
		if (cert_identity_fault(leaf) == NULL) {
			announce->common_name = common_name(leaf);
			announce->der = leaf->der;
		}
	}
}

void announce_handshake(struct buf *out, const struct handshake *hs, const struct service *service)
{
	BUG_IF(hs->egress);
	BUG_IF(hs->verified && (hs->chain == NULL || hs->possession != POSSESSION_PROVEN));
	if (service->announcer == NULL) {
		return;
	}
	struct sockaddr_storage source, destination;
	endpoint_sockaddr(&source, &hs->source);
	endpoint_sockaddr(&destination, &hs->destination);
	struct proxy_announce announce = {
		.source = (const struct sockaddr *)&source,
		.destination = (const struct sockaddr *)&destination,
		.authority = authority(&hs->hello),
		.unique_id = slice_text(hs->id),
	};
	tell_tls(&announce, hs, service->announcer);
	proxy_header_write(out, &announce);
}
