#include "tls/creds_private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <gnutls/crypto.h>
#include <gnutls/x509.h>

#include "base/bug.h"
#include "base/err.h"
#include "tls/certificate_message.h"
#include "tls/offload.h"

/* ECDHE with AEAD only, our order: AES-128-GCM is the cheapest with AES-NI, ChaCha20 for clients without. */
#define PRIORITY_REST \
	":-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-" \
	"POLY1305:-MAC-ALL:+AEAD" \
	":-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1:%SERVER_" \
	"PRECEDENCE"
#define PRIORITY_12 "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" PRIORITY_REST
#define PRIORITY_13 "NORMAL:-VERS-ALL:+VERS-TLS1.3" PRIORITY_REST

#define WARN_DAYS 30
#define DAY_S 86400

/* IANA TLS Supported Groups. */
static uint16_t group_number(gnutls_group_t group)
{
	switch (group) {
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
	                   : min13                    ? PRIORITY_13
	                                              : PRIORITY_12;
	const char *where = NULL;
	int ret = gnutls_priority_init(&service->priority, text, &where);
	if (ret != 0) {
		diag_error(diag, file, tls->priority.at,
		           "tls.priority is refused by GnuTLS (%s) at \"%s\"", gnutls_strerror(ret),
		           where == NULL ? "" : where);
		return E_INVALID;
	}
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

static void warn_of_dates(const char *path, struct mark at, gnutls_x509_crt_t crt, const char *file,
                          struct diag *diag)
{
	time_t now = time(NULL);
	time_t until = gnutls_x509_crt_get_expiration_time(crt);
	time_t from = gnutls_x509_crt_get_activation_time(crt);
	if (until < now) {
		diag_warn(diag, file, at, "the server certificate in %s has expired", path);
	} else if (until < now + (time_t)WARN_DAYS * DAY_S) {
		diag_warn(diag, file, at, "the server certificate in %s expires in %ld days", path,
		          (long)((until - now) / DAY_S));
	} else if (from > now) {
		diag_warn(diag, file, at, "the server certificate in %s is not yet valid", path);
	}
}

/* What the chain's first certificate says of itself. */
static int note_leaf(struct tls_certificate *leaf, const gnutls_datum_t *der,
                     const struct config_certificate *config, const char *file, struct diag *diag)
{
	gnutls_x509_crt_t crt;
	if (gnutls_x509_crt_init(&crt) != 0) {
		return E_NOMEM;
	}
	int err = E_NOMEM;
	if (gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) == 0 &&
	    gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &leaf->der) == 0 &&
	    gnutls_x509_crt_get_dn3(crt, &leaf->subject, 0) == 0 &&
	    gnutls_hash_fast(GNUTLS_DIG_SHA256, leaf->der.data, leaf->der.size, leaf->sha256) == 0) {
		leaf->algorithm =
			(gnutls_pk_algorithm_t)gnutls_x509_crt_get_pk_algorithm(crt, &leaf->bits);
		leaf->not_before_s = gnutls_x509_crt_get_activation_time(crt);
		leaf->not_after_s = gnutls_x509_crt_get_expiration_time(crt);
		warn_of_dates(config->chain.text, config->chain.at, crt, file, diag);
		err = E_OK;
	}
	gnutls_x509_crt_deinit(crt);
	return err;
}

/* RSA and ECDSA keys sign through libcrypto (offload.h), others through GnuTLS itself. */
static int import_key(gnutls_privkey_t *key, const gnutls_datum_t *pem)
{
	if (offload_key_new(key, pem) == E_OK) {
		return 0;
	}
	int ret = gnutls_privkey_init(key);
	if (ret == 0) {
		ret = gnutls_privkey_import_x509_raw(*key, pem, GNUTLS_X509_FMT_PEM, NULL, 0);
		if (ret != 0) {
			gnutls_privkey_deinit(*key);
		}
	}
	return ret;
}

/* Gives chain and key to the credentials, which then own them. 0 or GnuTLS's code. */
static int set_key(struct tls_service *service, const gnutls_datum_t *chain,
                   const gnutls_datum_t *pem, struct tls_certificate *leaf,
                   const struct config_certificate *config, const char *file, struct diag *diag)
{
	gnutls_pcert_st certs[CERTIFICATES_MAX];
	unsigned count = CERTIFICATES_MAX;
	int ret = gnutls_pcert_list_import_x509_raw(certs, &count, chain, GNUTLS_X509_FMT_PEM,
	                                            GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED |
	                                                    GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
	if (ret < 0) {
		return ret;
	}
	if (note_leaf(leaf, &certs[0].cert, config, file, diag) != E_OK) {
		ret = GNUTLS_E_MEMORY_ERROR;
		goto free_certs;
	}
	gnutls_privkey_t key;
	ret = import_key(&key, pem);
	if (ret < 0) {
		goto free_certs;
	}
	/* It signs and verifies once, so a key that does not match is found here. */
	ret = gnutls_certificate_set_key(service->credentials, NULL, 0, certs, (int)count, key);
	if (ret >= 0) {
		return 0;
	}
	gnutls_privkey_deinit(key);
free_certs:
	for (unsigned i = 0; i < count; i++) {
		gnutls_pcert_deinit(&certs[i]);
	}
	return ret;
}

static int load_certificate(struct tls_service *service, const struct config_certificate *config,
                            const char *file, struct diag *diag)
{
	gnutls_datum_t chain = {NULL, 0};
	gnutls_datum_t key = {NULL, 0};
	int err = E_INVALID;
	if (gnutls_load_file(config->chain.text, &chain) != 0) {
		diag_error(diag, file, config->chain.at, "cannot read the certificate %s",
		           config->chain.text);
		goto out;
	}
	if (gnutls_load_file(config->key.text, &key) != 0) {
		diag_error(diag, file, config->key.at, "cannot read the private key %s",
		           config->key.text);
		goto out;
	}
	struct tls_certificate *leaf = &service->certificates[service->certificate_count];
	int ret = set_key(service, &chain, &key, leaf, config, file, diag);
	if (ret == GNUTLS_E_CERTIFICATE_KEY_MISMATCH) {
		diag_error(diag, file, config->key.at,
		           "the key %s does not belong to the certificate %s", config->key.text,
		           config->chain.text);
	} else if (ret < 0) {
		diag_error(diag, file, config->chain.at,
		           "the certificate %s with the key %s cannot be used: %s",
		           config->chain.text, config->key.text, gnutls_strerror(ret));
	} else {
		service->certificate_count++;
		err = E_OK;
	}
out:
	gnutls_free(chain.data);
	if (key.data != NULL) {
		gnutls_memset(key.data, 0, key.size);
	}
	gnutls_free(key.data);
	return err;
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
		int one = load_certificate(service, &config->certificates[i], file, diag);
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
		gnutls_free(s->certificates[i].der.data);
		gnutls_free(s->certificates[i].subject.data);
	}
	if (s->credentials != NULL) {
		gnutls_certificate_free_credentials(s->credentials);
	}
	if (s->priority != NULL) {
		gnutls_priority_deinit(s->priority);
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
	const struct tls_certificate *leaf = &service->certificates[i];
	return (struct tls_certificate_info){
		.subject = (const char *)leaf->subject.data,
		.not_before_s = leaf->not_before_s,
		.not_after_s = leaf->not_after_s,
		.der = slice_of(leaf->der.data, leaf->der.size),
	};
}
