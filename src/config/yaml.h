/* A YAML text as a small tree of scalars, lists and maps, each with its place. The only file that knows libfyaml.
 *
 * Only what a configuration needs is let in: one document in UTF-8, text keys, each once in its map. Aliases, anchors,
 * tags and control characters are refused, depth and size are bounded: a short text can never grow into a large tree.
 *
 * Thread: one at a time; the tree belongs to the caller. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"

#define YAML_BYTES_MAX (4 * 1024 * 1024)
#define YAML_DEPTH_MAX 16
#define YAML_NODES_MAX 200000
#define YAML_KEYS_MAX 256 /* of one map */

/* YAML_BAD: was refused and reported already; whoever meets it says nothing more. */
enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP, YAML_BAD };

struct yaml_node {
	struct yaml_node *next; /* sibling */
	struct yaml_node *first;
	struct yaml_node *last;
	size_t count;
	enum yaml_kind kind;
	bool plain; /* a scalar without quotes: may be meant as null, true, 10 */
	struct mark at;
	char *text; /* of a scalar; no control characters in it */
	char *key;  /* of a member of a map */
	struct mark key_at;
};

/* `text` holds len bytes and a NUL behind them. *out is set only on E_OK; it may still hold YAML_BAD nodes, whose
 * errors are in `diag`. E_INVALID: no tree can be made, `diag` says why. E_NOMEM. */
int yaml_parse(struct yaml_node **out, const char *file, const char *text, size_t len,
               struct diag *diag);
/* NULL is fine. */
void yaml_free(struct yaml_node *node);
/* null, ~ or nothing, without quotes. */
bool yaml_is_null(const struct yaml_node *node);
