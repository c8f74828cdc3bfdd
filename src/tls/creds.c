#include "tls/creds_private.h"

#include <stdlib.h>
#include <string.h>

#include <gnutls/x509.h>

#include "base/bug.h"
#include "base/err.h"

/* IANA TLS Supported Groups. */
static uint16_t group_number(gnutls_group_t group)
{
	switch (group) {
	case GNUTLS_GROUP_SECP192R1:
		return 19;
	case GNUTLS_GROUP_SECP224R1:
		return 21;
	case GNUTLS_GROUP_SECP256R1:
		return 23;
	case GNUTLS_GROUP_SECP384R1:
		return 24;
	case GNUTLS_GROUP_SECP521R1:
		return 25;
	case GNUTLS_GROUP_X25519:
		return 29;
	case GNUTLS_GROUP_X448:
		return 30;
	case GNUTLS_GROUP_FFDHE2048:
		return 256;
	case GNUTLS_GROUP_FFDHE3072:
		return 257;
	case GNUTLS_GROUP_FFDHE4096:
		return 258;
	case GNUTLS_GROUP_FFDHE6144:
		return 259;
	case GNUTLS_GROUP_FFDHE8192:
		return 260;
	default:
		return 0;
	}
}

static void list_suites(struct tls_service *service)
{
	for (unsigned i = 0; service->suite_count < TLS_SUITES_MAX; i++) {
		unsigned index = 0;
		int ret = gnutls_priority_get_cipher_suite_index(service->priority, i, &index);
		if (ret == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) {
			return;
		}
		if (ret != 0) { /* a suite of the list that this GnuTLS lacks */
			continue;
		}
		unsigned char id[2];
		gnutls_kx_algorithm_t kx;
		gnutls_protocol_t min;
		if (gnutls_cipher_suite_info(index, id, &kx, NULL, NULL, &min) == NULL) {
			continue;
		}
		service->suites[service->suite_count++] = (struct tls_suite){
			.id = (uint16_t)(id[0] << 8 | id[1]),
			.tls13 = min == GNUTLS_TLS1_3,
			.rsa = kx == GNUTLS_KX_ECDHE_RSA || kx == GNUTLS_KX_DHE_RSA ||
		               kx == GNUTLS_KX_RSA,
			.ecdsa = kx == GNUTLS_KX_ECDHE_ECDSA,
		};
	}
}

static int compile_priority(struct tls_service *service, const struct config_tls *tls,
                            const char *file, struct diag *diag)
{
	bool min13 = tls->min.text != NULL && strcmp(tls->min.text, "1.3") == 0;
	const char *text = tls->priority.text != NULL ? tls->priority.text
	                   : min13                    ? TLS_PRIORITY_13
	                                              : TLS_PRIORITY_12;
	const char *where = NULL;
	int ret = gnutls_priority_init(&service->priority, text, &where);
	if (ret != 0) {
		diag_error(diag, file, tls->priority.at,
		           "tls.priority is refused by GnuTLS (%s) at \"%s\"", gnutls_strerror(ret),
		           where == NULL ? "" : where);
		return E_INVALID;
	}
	/* A name of the system's configuration (@NAME) can hold anything. */
	service->client_order =
		strcasestr(text, "SERVER_PRECEDENCE") == NULL && strchr(text, '@') == NULL;
	const unsigned *list = NULL;
	int count = gnutls_priority_protocol_list(service->priority, &list);
	for (int i = 0; i < count; i++) {
		service->tls12 = service->tls12 || (list[i] == GNUTLS_TLS1_2 && !min13);
		service->tls13 = service->tls13 || list[i] == GNUTLS_TLS1_3;
		if (list[i] != GNUTLS_TLS1_2 && list[i] != GNUTLS_TLS1_3) {
			diag_error(diag, file, tls->priority.at,
			           "tls.priority allows %s; only TLS 1.2 and 1.3 are spoken here",
			           gnutls_protocol_get_name(list[i]));
			return E_INVALID;
		}
		if (list[i] == GNUTLS_TLS1_2 && min13) {
			diag_error(diag, file, tls->priority.at,
			           "tls.priority allows TLS 1.2, tls.min is \"1.3\"");
			return E_INVALID;
		}
	}
	count = gnutls_priority_group_list(service->priority, &list);
	for (int i = 0; i < count && service->group_count < TLS_GROUPS_MAX; i++) {
		service->groups[service->group_count++] = group_number(list[i]);
	}
	list_suites(service);
	return E_OK;
}

static const char *resumption_fault(const struct tls_service *service)
{
	const unsigned *list = NULL;
	int count = gnutls_priority_kx_list(service->priority, &list);
	for (int i = 0; i < count; i++) {
		if (list[i] == GNUTLS_KX_PSK || list[i] == GNUTLS_KX_RSA_PSK ||
		    list[i] == GNUTLS_KX_DHE_PSK || list[i] == GNUTLS_KX_ECDHE_PSK) {
			return "allows PSK key exchange, and sessions would be resumed without "
			       "forward "
			       "secrecy";
		}
	}
	for (size_t i = 0; i < service->group_count; i++) {
		if (service->groups[i] == 0) {
			return "allows groups that have no place in it";
		}
	}
	return service->tls13 ? NULL : "does not allow TLS 1.3";
}

/* Random, in memory alone: what it sealed is opened by this service, as it is now, and by nothing else. It is not changed
 * as long as the service lives: with psk_dhe_ke alone it opens no session's traffic to who gets it later. */
static int make_ticket_key(struct tls_service *service, const struct config_tls *tls,
                           const char *file, struct diag *diag)
{
	const char *fault = resumption_fault(service);
	if (fault != NULL) {
		diag_error(diag, file, tls->priority.at,
		           "tls.resumption is on, and tls.priority %s", fault);
		return E_INVALID;
	}
	return gnutls_session_ticket_key_generate(&service->ticket_key) == 0 ? E_OK : E_NOMEM;
}

static int set_ca_names(struct tls_service *service, const struct slice *certs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		gnutls_datum_t der = {(unsigned char *)certs[i].data, (unsigned)certs[i].len};
		/* Nothing of this list is ever used to verify: peer/ does that. It is the source of the names. */
		if (gnutls_certificate_set_x509_trust_mem(service->credentials, &der,
		                                          GNUTLS_X509_FMT_DER) < 0) {
			return E_NOMEM;
		}
	}
	return E_OK;
}

int tls_service_new(struct tls_service **out, const struct config_service *config,
                    const struct slice *ca_certs, size_t ca_count, const char *file,
                    struct diag *diag)
{
	struct tls_service *service = calloc(1, sizeof(*service));
	if (service == NULL) {
		return E_NOMEM;
	}
	service->request = config->client.verify != VERIFY_NONE;
	service->ca_names = service->request && config->client.ca_names && ca_count > 0;
	int err = compile_priority(service, &config->tls, file, diag);
	if (err == E_OK && config->tls.resumption) {
		err = make_ticket_key(service, &config->tls, file, diag);
	}
	if (err != E_OK) {
		goto free_service;
	}
	err = E_NOMEM;
	if (gnutls_certificate_allocate_credentials(&service->credentials) != 0) {
		goto free_service;
	}
	if (config->certificate_count > TLS_CERTIFICATES_MAX ||
	    config->tls.alpn.count > TLS_ALPN_MAX) {
		diag_error(diag, file, config->at,
		           "service %s: at most %d certificates and %d alpn names",
		           config->name.text, TLS_CERTIFICATES_MAX, TLS_ALPN_MAX);
		err = E_INVALID;
		goto free_service;
	}
	for (size_t i = 0; i < config->tls.alpn.count; i++) {
		char *name = config->tls.alpn.items[i].text;
		service->alpn[service->alpn_count++] =
			(gnutls_datum_t){(unsigned char *)name, (unsigned)strlen(name)};
	}
	err = E_OK;
	for (size_t i = 0; i < config->certificate_count; i++) {
		int one = certificate_load(service->credentials,
		                           &service->certificates[service->certificate_count],
		                           "server", &config->certificates[i], file, diag);
		service->certificate_count += one == E_OK ? 1 : 0;
		err = err == E_OK ? one : err;
	}
	if (err == E_OK && service->ca_names) {
		err = set_ca_names(service, ca_certs, ca_count);
	}
	if (err != E_OK) {
		goto free_service;
	}
	*out = service;
	return E_OK;

free_service:
	tls_service_free(&service);
	return err;
}

void tls_service_free(struct tls_service **service)
{
	struct tls_service *s = *service;
	if (s == NULL) {
		return;
	}
	for (size_t i = 0; i < TLS_CERTIFICATES_MAX; i++) {
		certificate_release(&s->certificates[i]);
	}
	if (s->credentials != NULL) {
		gnutls_certificate_free_credentials(s->credentials);
	}
	if (s->priority != NULL) {
		gnutls_priority_deinit(s->priority);
	}
	if (s->ticket_key.data != NULL) {
		gnutls_memset(s->ticket_key.data, 0, s->ticket_key.size);
		gnutls_free(s->ticket_key.data);
	}
	free(s);
	*service = NULL;
}

bool tls_service_requests(const struct tls_service *service)
{
	return service->request;
}

bool tls_service_sends_ca_names(const struct tls_service *service)
{
	return service->ca_names;
}

struct tls_certificate_info tls_service_certificate(const struct tls_service *service, size_t i)
{
	BUG_IF(i >= service->certificate_count);
	return certificate_info(&service->certificates[i]);
}
