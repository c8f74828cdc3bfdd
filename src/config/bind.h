/* From the tree of a file to struct config, by the table in options.def; and back.
 *
 * Thread: one at a time. */
#pragma once

#include "base/buf.h"
#include "base/diag.h"
#include "config/config.h"
#include "config/yaml.h"

/* Fills a zeroed `config`: values, defaults that stand in the table, marks. `folder` is absolute; relative paths count
 * from it. What is wrong goes to `diag`, and its place in `config` stays empty: with errors, `config` is good for
 * further checks that expect this, and for bind_release(). E_OK (look at diag->errors) or E_NOMEM. */
int bind_tree(struct config *config, const char *file, const char *folder,
              const struct yaml_node *root, struct diag *diag);
/* Frees what bind_tree() and config_load() put there, not `config` itself. */
void bind_release(struct config *config);
/* Everything that is in force, as one line of JSON in the order of the table; reads back as the same configuration. */
void bind_print(const struct config *config, struct buf *out);
