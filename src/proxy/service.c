#include "proxy/service.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "event/template.h"
#include "http/identity.h"
#include "peer/chain.h"
#include "peer/classes.h"
#include "proxy/announce.h"
#include "proxy/route.h"
#include "proxy/upstream.h"
#include "tls/creds.h"

static const char *const verify_names[] = {
	[VERIFY_NONE] = "none",
	[VERIFY_OPTIONAL] = "optional",
	[VERIFY_REQUIRED] = "required",
	[VERIFY_PASSTHROUGH] = "passthrough",
};

/* --- labels: the node's, then the service's (NULL: none) --- */

int service_labels(const struct config *config, const struct config_service *service,
                   struct slice *out)
{
	size_t own = service == NULL ? 0 : service->labels.count;
	size_t count = config->labels.count + own;
	if (count == 0) {
		*out = slice_of(NULL, 0);
		return E_OK;
	}
	struct event_label *labels = calloc(count, sizeof(*labels));
	if (labels == NULL) {
		return E_NOMEM;
	}
	size_t n = 0;
	for (size_t i = 0; i < config->labels.count; i++) {
		labels[n++] = (struct event_label){config->labels.items[i].name.text,
		                                   config->labels.items[i].value.text};
	}
	for (size_t i = 0; i < own; i++) {
		labels[n++] = (struct event_label){service->labels.items[i].name.text,
		                                   service->labels.items[i].value.text};
	}
	struct buf b;
	buf_init(&b, EVENT_LABELS_MAX);
	int err = event_labels_encode(&b, labels, n);
	free(labels);
	if (err != E_OK) {
		buf_release(&b);
		return err;
	}
	*out = buf_slice(&b); /* the service owns the memory now */
	return E_OK;
}

/* --- services --- */

static int build_tls(struct service *service, const char *file, struct diag *diag)
{
	/* Without a trust that could be built the certificates are looked at all the same: one check shows all. */
	size_t count = service->trust == NULL ? 0 : trust_anchor_count(service->trust);
	struct slice *ders = calloc(count + 1, sizeof(*ders));
	if (ders == NULL) {
		return E_NOMEM;
	}
	for (size_t i = 0; i < count; i++) {
		ders[i] = trust_anchor_at(service->trust, i)->der;
	}
	int err = tls_service_new(&service->tls, service->config, ders, count, file, diag);
	free(ders);
	return err;
}

/* --- mode http --- */

static int build_headers(struct service *service, const char *file, struct diag *diag)
{
	const struct config_service *config = service->config;
	service->headers = calloc(config->header_count + 1, sizeof(*service->headers));
	if (service->headers == NULL) {
		return E_NOMEM;
	}
	int err = E_OK;
	for (size_t i = 0; i < config->header_count; i++) {
		const struct config_text *value = &config->headers[i].value;
		int one = template_new(&service->headers[i], value->text, file, value->at, diag);
		err = err == E_OK ? one : err;
	}
	return err;
}

/* 403 unless the configuration says otherwise. */
static void build_statuses(struct service *service)
{
	const struct config_service *config = service->config;
	unsigned usual = 403;
	for (size_t i = 0; i < config->status_count; i++) {
		if (strcmp(config->statuses[i].class.text, "default") == 0) {
			usual = config->statuses[i].status;
		}
	}
	for (size_t class = 0; class < CLASS_COUNT; class ++) {
		service->status[class] = (uint16_t)usual;
	}
	for (size_t i = 0; i < config->status_count; i++) {
		enum peer_class class = peer_class_by_name(config->statuses[i].class.text);
		if (class != CLASS_COUNT) {
			service->status[class] = (uint16_t)config->statuses[i].status;
		}
	}
}

/* Our own certificates as evidence: xfcc names the URI of the one that was shown. */
static int build_certificates(struct service *service)
{
	size_t count = service->config->certificate_count;
	service->certificates = calloc(count + 1, sizeof(struct chain *));
	int err = service->certificates == NULL ? E_NOMEM : E_OK;
	for (size_t i = 0; err == E_OK && i < count; i++) {
		struct slice der = tls_service_certificate(service->tls, i).der;
		err = chain_new(&service->certificates[i], &der, 1);
		err = err == E_OK ? chain_parse(service->certificates[i]) : err;
	}
	return err;
}

struct slice service_uri(const struct service *service, const uint8_t *sha256)
{
	for (size_t i = 0; i < service->config->certificate_count; i++) {
		const struct cert *leaf = &service->certificates[i]->certs[0];
		if (memcmp(leaf->sha256, sha256, sizeof(leaf->sha256)) != 0) {
			continue;
		}
		for (size_t n = 0; n < leaf->san_count; n++) {
			if (leaf->sans[n].type == SAN_URI) {
				return leaf->sans[n].value;
			}
		}
	}
	return slice_of(NULL, 0);
}

static int build_http(struct service *service, const char *file, struct diag *diag)
{
	if (service->config->mode != MODE_HTTP) {
		return E_OK;
	}
	int certificates = service->tls == NULL ? E_OK : build_certificates(service);
	int routes = routes_new(&service->routes, service->config, file, diag);
	int identity = identity_headers_new(&service->identity, service->config, file, diag);
	int headers = build_headers(service, file, diag);
	build_statuses(service);
	const int all[] = {certificates, routes, identity, headers};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i] != E_OK) {
			return all[i];
		}
	}
	return E_OK;
}

/* --- the whole --- */

int service_build(struct service *service, const struct config *config,
                  const struct config_service *from, struct diag *diag)
{
	const char *file = config->path;
	service->config = from;
	int trust = trust_new(&service->trust, &from->client, &config->limits, file, diag);
	int tolerate = tolerate_new(&service->tolerate, &from->client.tolerate, file, diag);
	int upstream =
		upstream_new(&service->upstream, &from->upstream, from->name.text, file, diag);
	int quarantine = from->quarantine.at.line == 0
	                         ? E_OK
	                         : upstream_new(&service->quarantine, &from->quarantine,
	                                        from->name.text, file, diag);
	int tls = build_tls(service, file, diag);
	service->policy = (struct policy){.verify = from->client.verify,
	                                  .tolerate = service->tolerate,
	                                  .quarantine = from->quarantine.at.line > 0};
	service->event = (struct event_service){.name = from->name.text,
	                                        .verify_mode = verify_names[from->client.verify]};
	int labels = service_labels(config, from, &service->event.labels);
	if (labels == E_LIMIT) {
		diag_error(
			diag, file,
			from->at, "the labels of service %s are longer than %d bytes or one of them than 1,024",
			from->name.text, EVENT_LABELS_MAX);
	}
	int announcer = tls == E_OK ? announcer_new(&service->announcer, from, service->tls) : E_OK;
	int http = build_http(service, file, diag);
	const int all[] = {trust, tolerate, upstream, quarantine, tls, labels, announcer, http};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i] != E_OK) {
			return all[i];
		}
	}
	return E_OK;
}

void service_release(struct service *service)
{
	for (size_t i = 0; service->headers != NULL && i < service->config->header_count; i++) {
		template_free(&service->headers[i]);
	}
	free(service->headers);
	for (size_t i = 0; service->certificates != NULL && i < service->config->certificate_count;
	     i++) {
		chain_unref(&service->certificates[i]);
	}
	free(service->certificates);
	identity_headers_free(&service->identity);
	routes_free(&service->routes);
	announcer_free(&service->announcer);
	tls_service_free(&service->tls);
	upstream_free(&service->upstream);
	upstream_free(&service->quarantine);
	tolerate_free(&service->tolerate);
	trust_free(&service->trust);
	free((void *)service->event.labels.data);
}
