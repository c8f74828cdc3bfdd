/* DER as a tree that can be broken on purpose: read, changed element by element, written with lengths that fit again, or do not.
 *
 * Contents of OCTET and BIT STRINGs that are elements themselves are read, too, so that what an extension holds can be
 * changed as everything else. Bounded: what is beyond stays as it is, as bytes. Thread: one at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

#define DER_NODES_MAX 4096
#define DER_DEPTH_MAX 32
#define DER_TREE_BYTES_MAX (1 << 20) /* of contents made by changes */

/* How the length is written. */
enum der_form {
	DER_FORM_SHORTEST,
	DER_FORM_LONG,       /* with a needless octet (X.690 10.1 forbids it) */
	DER_FORM_INDEFINITE, /* until two zero octets */
	DER_FORM_LIE,        /* `lie` is added to it */
};

struct der_node {
	uint8_t tag;
	bool raw;    /* no element: `content` alone */
	bool parent; /* of what begins with `child`; then `content` is the octet before it, if any */
	enum der_form form;
	int lie;
	struct slice content; /* borrowed from the input, or of `made` */
	unsigned child;       /* 0: none */
	unsigned next;        /* 0: the last one */
	size_t len;           /* while writing: of the content */
};

struct der_tree {
	struct der_node nodes[DER_NODES_MAX]; /* the first one is not written: its children are the input */
	unsigned count;
	struct buf made;
};

/* Reads; `der` has to outlive the tree. Ends with der_tree_release(). */
void der_tree_init(struct der_tree *tree, struct slice der);
void der_tree_release(struct der_tree *tree);
/* Appends the element and all that is below. */
void der_tree_write(struct der_tree *tree, unsigned node, struct buf *out);
/* Appends the whole. */
void der_tree_write_all(struct der_tree *tree, struct buf *out);

/* Keeps bytes for as long as the tree lives; empty when there is no more room. */
struct slice der_tree_keep(struct der_tree *tree, struct slice bytes);
/* The n-th child, from 0; 0: there is none. */
unsigned der_tree_child(const struct der_tree *tree, unsigned node, size_t n);
/* A copy of an element and all below it, of the same tree; 0: there is no room. */
unsigned der_tree_copy(struct der_tree *tree, unsigned node);
/* Bytes of an element's content instead of what was there. */
void der_tree_set(struct der_tree *tree, unsigned node, struct slice content);

/* One change, as `state` (fuzz_step()) has it; never of nothing as long as there is an element. */
void der_tree_mutate(struct der_tree *tree, uint32_t *state);
