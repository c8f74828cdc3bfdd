#include "config/check.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "config/quote.h"
#include "config/routes.h"
#include "config/value.h"

/* Host names may be anything the administrator liked; a node name becomes part of ids and paths. */
static int default_node(struct config *config, struct diag *diag)
{
	char name[256] = "";
	if (gethostname(name, sizeof(name) - 1) == -1) {
		name[0] = '\0';
	}
	const char *why = value_check(FORMAT_NAME, name);
	if (why != NULL || strlen(name) > 64) {
		char shown[QUOTE_MAX];
		diag_error(diag, config->path, (struct mark){0},
		           "node is missing, and the host name %s cannot be it: it %s",
		           quote(shown, name), why != NULL ? why : "is longer than 64 bytes");
		return E_OK;
	}
	config->node.text = strdup(name);
	return config->node.text == NULL ? E_NOMEM : E_OK;
}

/* RFC 7301 6: what a service of mode http speaks. */
static int default_alpn(struct config_texts *alpn)
{
	alpn->items = calloc(1, sizeof(alpn->items[0]));
	if (alpn->items == NULL) {
		return E_NOMEM;
	}
	alpn->items[0].text = strdup("http/1.1");
	alpn->count = 1;
	return alpn->items[0].text == NULL ? E_NOMEM : E_OK;
}

int check_computed(struct config *config, struct diag *diag)
{
	int err = E_OK;
	/* With a line, it was given and is wrong. */
	if (config->node.text == NULL && diag->errors == 0) {
		err = default_node(config, diag);
	}
	if (err == E_OK && config->origin.text == NULL && config->node.text != NULL) {
		config->origin.text = strdup(config->node.text);
		err = config->origin.text == NULL ? E_NOMEM : E_OK;
	}
	for (size_t i = 0; i < config->service_count; i++) {
		struct config_client *client = &config->services[i].client;
		if (client->ca_names_at.line == 0) {
			client->ca_names = client->verify != VERIFY_PASSTHROUGH;
		}
		if (client->revocation_at.line == 0) {
			client->revocation =
				check_has_crls(client) ? REVOCATION_HARD : REVOCATION_OFF;
		}
		struct config_service *service = &config->services[i];
		if (err == E_OK && service->mode == MODE_HTTP && service->tls.alpn.at.line == 0) {
			err = default_alpn(&service->tls.alpn);
		}
	}
	return err;
}

static void check_user(const struct config *config, struct diag *diag)
{
	if (config->user.text == NULL) {
		return;
	}
	if (getpwnam(config->user.text) == NULL) {
		diag_error(diag, config->path, config->user.at,
		           "user: there is no user %s on this machine", config->user.text);
	}
}

static void check_names(const struct config *config, const struct config_service *service,
                        struct diag *diag)
{
	/* Without a name it was wrong as a whole, or has enough to answer for. */
	if (service->name.text != NULL && service->server_names.at.line == 0 &&
	    !service->is_default) {
		diag_error(diag, config->path, service->at,
		           "the service has neither server_names nor default: true: nobody could "
		           "reach it");
	}
}

struct service_name {
	const char *text;
	struct mark at;
};

static int compare_names(const void *a, const void *b)
{
	const struct service_name *x = a, *y = b;
	int order = strcmp(x->text, y->text);
	if (order != 0) {
		return order;
	}
	return x->at.line != y->at.line
	               ? (x->at.line > y->at.line) - (x->at.line < y->at.line)
	               : (x->at.column > y->at.column) - (x->at.column < y->at.column);
}

static void check_service_names(const struct config *config, struct diag *diag)
{
	struct service_name *names = calloc(config->service_count + 1, sizeof(names[0]));
	if (names == NULL) {
		diag_error(diag, config->path, (struct mark){0}, "out of memory");
		return;
	}
	size_t n = 0;
	for (size_t i = 0; i < config->service_count; i++) {
		const struct config_text *name = &config->services[i].name;
		if (name->text != NULL) {
			names[n++] = (struct service_name){name->text, name->at};
		}
	}
	qsort(names, n, sizeof(names[0]), compare_names);
	for (size_t i = 1; i < n; i++) {
		if (strcmp(names[i].text, names[i - 1].text) == 0) {
			diag_error(diag, config->path, names[i].at,
			           "a service named %s is in line %u already", names[i].text,
			           names[i - 1].at.line);
		}
	}
	free(names);
}

static void check_listener(const struct config *config, const struct config_listener *listener,
                           struct diag *diag)
{
	if (listener->bind.text == NULL) {
		return;
	}
	bool is_unix = strncmp(listener->bind.text, "unix:", 5) == 0;
	if (listener->mode != 0 && !is_unix) {
		diag_error(diag, config->path, listener->bind.at,
		           "mode is for unix sockets, and %s is none", listener->bind.text);
	}
	/* It would never match, and whoever wrote it counts on it. */
	for (size_t i = 0; i < listener->proxy_protocol.count; i++) {
		const struct config_text *network = &listener->proxy_protocol.items[i];
		if ((strcmp(network->text, "unix") == 0) != is_unix) {
			diag_error(diag, config->path, network->at,
			           "proxy_protocol: nobody comes from %s to %s: %s", network->text,
			           listener->bind.text,
			           is_unix ? "peers of a unix socket are `unix`"
			                   : "it is no unix socket");
		}
	}
}

/* RFC 9112 3: the first line is part of the head, and Host at least has to fit beside it. */
static void check_limits(const struct config *config, struct diag *diag)
{
	enum { REST_BYTES = 512 };
	const struct config_limits *limits = &config->limits;
	/* 0: it was given and is wrong. */
	if (limits->head_bytes != 0 && limits->head_bytes < limits->request_line_bytes + REST_BYTES) {
		diag_error(diag, config->path,
		           limits->head_at.line != 0 ? limits->head_at : limits->request_line_at,
		           "limits.head has to be at least %d bytes more than limits.request_line",
		           REST_BYTES);
	}
}

void check_config(const struct config *config, struct diag *diag)
{
	check_user(config, diag);
	check_limits(config, diag);
	check_service_names(config, diag);
	for (size_t i = 0; i < config->service_count; i++) {
		check_names(config, &config->services[i], diag);
		check_client(config, &config->services[i], diag);
		check_http(config, &config->services[i], diag);
		check_upstreams(config, &config->services[i], diag);
	}
	for (size_t i = 0; i < config->listener_count; i++) {
		check_listener(config, &config->listeners[i], diag);
	}
	routes_check(config, diag);
}
