/* Who may read what the configuration names: keys by too many, or by too few after the change of user.
 *
 * Thread: the main one; forks for a moment. */
#pragma once

#include "base/diag.h"
#include "base/err.h"
#include "config/config.h"

/* Warns of private keys that others can read or write. As root with `user` set, a child becomes that user and tries
 * every file that is named (certificates, keys, CAs, CRLs and their folders, lists) and the state folder: what this process can use and the user cannot is an error.
 * Without a change of user, files are left to whoever opens them (snapshot_build()), and the state folder is tried as
 * it is; `user` set without being root is a warning, unless it is the current user. A state folder that is not there
 * yet is no fault. E_OK, E_INVALID when `diag` got an error, or what kept us from trying. */
int config_check_permissions(const struct config *config, struct diag *diag);
