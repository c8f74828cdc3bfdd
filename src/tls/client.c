#include "tls/client.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/err.h"
#include "tls/creds_private.h"

int tls_client_new(struct tls_client **out, const struct config_upstream_tls *config,
                   const char *file, struct diag *diag)
{
	static _Atomic uint64_t numbers;
	struct tls_client *client = calloc(1, sizeof(*client));
	if (client == NULL) {
		return E_NOMEM;
	}
	client->number = atomic_fetch_add(&numbers, 1) + 1;
	int err = E_NOMEM;
	if (gnutls_priority_init(&client->priority, TLS_PRIORITY_12, NULL) != 0 ||
	    gnutls_certificate_allocate_credentials(&client->credentials) != 0) {
		goto free_client;
	}
	if (config->certificate.chain.text != NULL) {
		err = certificate_load(client->credentials, &client->certificate, "client",
		                       &config->certificate, file, diag);
		if (err != E_OK) {
			goto free_client;
		}
		client->has_certificate = true;
	}
	*out = client;
	return E_OK;

free_client:
	tls_client_free(&client);
	return err;
}

void tls_client_free(struct tls_client **client)
{
	struct tls_client *c = *client;
	if (c == NULL) {
		return;
	}
	certificate_release(&c->certificate);
	if (c->credentials != NULL) {
		gnutls_certificate_free_credentials(c->credentials);
	}
	if (c->priority != NULL) {
		gnutls_priority_deinit(c->priority);
	}
	free(c);
	*client = NULL;
}

bool tls_client_certificate(const struct tls_client *client, struct tls_certificate_info *info)
{
	if (client->has_certificate) {
		*info = certificate_info(&client->certificate);
	}
	return client->has_certificate;
}
