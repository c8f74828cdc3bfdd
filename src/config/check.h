/* What can be said of a configuration from its data alone, without opening what it names.
 *
 * Thread: one at a time. */
#pragma once

#include "base/diag.h"
#include "config/config.h"

/* Fills the defaults that depend on other things: node, origin, client.ca_names. E_OK or E_NOMEM. */
int check_computed(struct config *config, struct diag *diag);
/* Errors and warnings go to `diag`. Bears with a configuration that has errors already, so that one run finds most of them. */
void check_config(const struct config *config, struct diag *diag);
