/* What a user has to be able to read or write for a configuration to work: private to permissions.
 *
 * Thread: the main one. */
#pragma once

#include "config/config.h"

enum trial_access {
	TRIAL_READ,   /* a file */
	TRIAL_LIST,   /* a folder whose files are trials of their own */
	TRIAL_CHANGE, /* a folder, files and all */
};

struct trial {
	const char *kind; /* the option, for people */
	char *path;
	struct mark at;
	enum trial_access access;
	int error; /* errno of the user's attempt; 0: fine, or wrong for us as well */
};

struct trials {
	struct trial *items;
	size_t count;
	size_t cap;
};

/* Everything that the configuration names, the state folder last. Of a folder that we cannot list, itself alone. E_NOMEM;
 * trials_release() then, too. */
int trials_collect(struct trials *trials, const struct config *config);
void trials_release(struct trials *trials);
/* errno, or 0 for fine. Only calls that are safe between fork() and exec(). */
int trial_attempt(const struct trial *trial);

/* Of all back ends of a service, as indices: its own, its quarantine, those of its routes. */
size_t trials_upstream_count(const struct config_service *service);
const struct config_upstream *trials_upstream_at(const struct config_service *service, size_t i);
