/* Who answers where: listeners, the services on them, and the server names that those take.
 *
 * Thread: one at a time. */
#pragma once

#include "base/diag.h"
#include "config/config.h"

/* Errors: two listeners on one address, a listener that names an unknown service or one twice, two services for one
 * name on one listener, more than one default there. Warning: a service that is on no listener. */
void routes_check(const struct config *config, struct diag *diag);
