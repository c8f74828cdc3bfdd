#include "der_tree.h"

#include "fuzz.h"
#include "peer/der.h"

static unsigned new_node(struct der_tree *tree)
{
	if (tree->count == DER_NODES_MAX) {
		return 0;
	}
	tree->nodes[tree->count] = (struct der_node){0};
	return tree->count++;
}

/* Is all of it elements, one at least? */
static bool is_elements(struct slice in)
{
	if (in.len == 0) {
		return false;
	}
	while (in.len > 0) {
		uint8_t tag;
		struct slice content;
		/* Octets of a key that look like an element are none. */
		if (!der_any(&in, &tag, &content, NULL) || tag == 0) {
			return false;
		}
	}
	return true;
}

static void read_children(struct der_tree *tree, unsigned parent, struct slice in, unsigned depth);

static void read_content(struct der_tree *tree, unsigned index, struct slice content, unsigned depth)
{
	struct der_node *node = &tree->nodes[index];
	bool bits = node->tag == DER_BIT_STRING && content.len > 1 && content.data[0] == 0;
	struct slice inner = bits ? slice_of(content.data + 1, content.len - 1) : content;
	bool opens = (node->tag & 0x20) != 0 || bits || node->tag == DER_OCTET_STRING;
	node->content = content;
	if (opens && depth < DER_DEPTH_MAX && is_elements(inner)) {
		node->parent = true;
		node->content.len = bits ? 1 : 0;
		read_children(tree, index, inner, depth + 1);
	}
}

static void read_children(struct der_tree *tree, unsigned parent, struct slice in, unsigned depth)
{
	unsigned last = 0;
	while (in.len > 0) {
		unsigned index = new_node(tree);
		if (index == 0) {
			return;
		}
		struct der_node *node = &tree->nodes[index];
		struct slice content = in;
		/* The last one that there is room for takes the rest. */
		if (tree->count == DER_NODES_MAX || !der_any(&in, &node->tag, &content, NULL)) {
			node->raw = true;
			node->content = in;
			in.len = 0;
		} else {
			read_content(tree, index, content, depth);
		}
		if (last == 0) {
			tree->nodes[parent].child = index;
		} else {
			tree->nodes[last].next = index;
		}
		last = index;
	}
}

void der_tree_init(struct der_tree *tree, struct slice der)
{
	tree->count = 0;
	buf_init(&tree->made, DER_TREE_BYTES_MAX);
	/* Slices point into it: it must not move. */
	buf_reserve(&tree->made, DER_TREE_BYTES_MAX);
	BUG_IF(tree->made.err != E_OK);
	new_node(tree);
	tree->nodes[0].parent = true;
	read_children(tree, 0, der, 0);
}

void der_tree_release(struct der_tree *tree)
{
	buf_release(&tree->made);
}

/* --- writing --- */

static size_t length_octets(const struct der_node *node)
{
	size_t octets = node->len < 0x80 ? 1 : node->len < 0x100 ? 2 : node->len < 0x10000 ? 3 : 4;
	return node->form == DER_FORM_LONG ? octets + 1 : octets;
}

static size_t whole_length(const struct der_node *node)
{
	if (node->raw) {
		return node->content.len;
	}
	if (node->form == DER_FORM_INDEFINITE) {
		return 2 + node->len + 2;
	}
	return 1 + length_octets(node) + node->len;
}

static void measure(struct der_tree *tree, unsigned index)
{
	struct der_node *node = &tree->nodes[index];
	node->len = node->content.len;
	for (unsigned i = node->parent ? node->child : 0; i != 0; i = tree->nodes[i].next) {
		measure(tree, i);
		node->len += whole_length(&tree->nodes[i]);
	}
}

static void write_length(const struct der_node *node, struct buf *out)
{
	if (node->form == DER_FORM_INDEFINITE) {
		buf_append_byte(out, 0x80);
		return;
	}
	size_t octets = length_octets(node);
	size_t len =
		node->form == DER_FORM_LIE ? node->len + (size_t)(ptrdiff_t)node->lie : node->len;
	if (octets == 1) {
		buf_append_byte(out, (uint8_t)len);
		return;
	}
	buf_append_byte(out, (uint8_t)(0x80 | (octets - 1)));
	for (size_t i = octets - 1; i > 0; i--) {
		buf_append_byte(out, (uint8_t)(len >> 8 * (i - 1)));
	}
}

static void write_measured(struct der_tree *tree, unsigned index, struct buf *out)
{
	const struct der_node *node = &tree->nodes[index];
	if (!node->raw && index != 0) {
		buf_append_byte(out, node->tag);
		write_length(node, out);
	}
	buf_append_slice(out, node->content);
	for (unsigned i = node->parent ? node->child : 0; i != 0; i = tree->nodes[i].next) {
		write_measured(tree, i, out);
	}
	if (node->form == DER_FORM_INDEFINITE && !node->raw && index != 0) {
		buf_append(out, "\0", 2);
	}
}

void der_tree_write(struct der_tree *tree, unsigned node, struct buf *out)
{
	measure(tree, node);
	write_measured(tree, node, out);
}

void der_tree_write_all(struct der_tree *tree, struct buf *out)
{
	der_tree_write(tree, 0, out);
}

/* --- changing --- */

struct slice der_tree_keep(struct der_tree *tree, struct slice bytes)
{
	struct slice none = {0};
	if (bytes.len == 0 || tree->made.cap - tree->made.len < bytes.len) {
		return none;
	}
	const uint8_t *at = tree->made.data + tree->made.len;
	buf_append_slice(&tree->made, bytes);
	return slice_of(at, bytes.len);
}

unsigned der_tree_child(const struct der_tree *tree, unsigned node, size_t n)
{
	unsigned i = tree->nodes[node].parent ? tree->nodes[node].child : 0;
	for (; i != 0 && n > 0; n--) {
		i = tree->nodes[i].next;
	}
	return i;
}

static unsigned size_of(const struct der_tree *tree, unsigned node)
{
	unsigned size = 1;
	for (unsigned i = der_tree_child(tree, node, 0); i != 0; i = tree->nodes[i].next) {
		size += size_of(tree, i);
	}
	return size;
}

static unsigned copy_fitting(struct der_tree *tree, unsigned node)
{
	unsigned copy = new_node(tree);
	unsigned last = 0;
	tree->nodes[copy] = tree->nodes[node];
	tree->nodes[copy].next = 0;
	for (unsigned i = der_tree_child(tree, node, 0); i != 0; i = tree->nodes[i].next) {
		unsigned child = copy_fitting(tree, i);
		if (last == 0) {
			tree->nodes[copy].child = child;
		} else {
			tree->nodes[last].next = child;
		}
		last = child;
	}
	return copy;
}

unsigned der_tree_copy(struct der_tree *tree, unsigned node)
{
	return size_of(tree, node) > DER_NODES_MAX - tree->count ? 0 : copy_fitting(tree, node);
}

void der_tree_set(struct der_tree *tree, unsigned node, struct slice content)
{
	tree->nodes[node].parent = false;
	tree->nodes[node].child = 0;
	tree->nodes[node].content = content;
}
