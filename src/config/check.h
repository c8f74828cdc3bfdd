/* What can be said of a configuration from its data alone, without opening what it names.
 *
 * Thread: one at a time. */
#pragma once

#include <stdbool.h>

#include "base/diag.h"
#include "config/config.h"

/* Fills the defaults that depend on other things: node, origin, client.ca_names, client.revocation, tls.alpn. E_OK or E_NOMEM. */
int check_computed(struct config *config, struct diag *diag);
/* Errors and warnings go to `diag`. Bears with a configuration that has errors already, so that one run finds most of them. */
void check_config(const struct config *config, struct diag *diag);

/* Whether CRLs are named, in whatever way; also when what was given is wrong. */
bool check_has_crls(const struct config_client *client);
/* Parts of it: what is asked of clients and what is forgiven; how a service refuses, what it tells its back end, its routes; and its back ends. */
void check_client(const struct config *config, const struct config_service *service,
                  struct diag *diag);
void check_http(const struct config *config, const struct config_service *service,
                struct diag *diag);
void check_upstreams(const struct config *config, const struct config_service *service,
                     struct diag *diag);
