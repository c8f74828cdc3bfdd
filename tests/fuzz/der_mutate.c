/* What can be done to an element of a tree. */
#include "der_tree.h"
#include "fuzz.h"
#include "peer/der.h"

/* OIDs that mean something to somebody here: extensions, purposes, algorithms, attributes. */
static const struct slice oids[] = {
	SLICE("\x55\x1d\x0e"),
	SLICE("\x55\x1d\x0f"),
	SLICE("\x55\x1d\x11"),
	SLICE("\x55\x1d\x13"),
	SLICE("\x55\x1d\x14"),
	SLICE("\x55\x1d\x15"),
	SLICE("\x55\x1d\x18"),
	SLICE("\x55\x1d\x1b"),
	SLICE("\x55\x1d\x1c"),
	SLICE("\x55\x1d\x1d"),
	SLICE("\x55\x1d\x1e"),
	SLICE("\x55\x1d\x1f"),
	SLICE("\x55\x1d\x20"),
	SLICE("\x55\x1d\x21"),
	SLICE("\x55\x1d\x23"),
	SLICE("\x55\x1d\x24"),
	SLICE("\x55\x1d\x25"),
	SLICE("\x55\x1d\x25\x00"),
	SLICE("\x55\x1d\x36"),
	SLICE("\x2b\x06\x01\x05\x05\x07\x01\x01"),
	SLICE("\x2b\x06\x01\x05\x05\x07\x01\x03"),
	SLICE("\x2b\x06\x01\x05\x05\x07\x03\x01"),
	SLICE("\x2b\x06\x01\x05\x05\x07\x03\x02"),
	SLICE("\x2b\x06\x01\x05\x05\x07\x03\x09"),
	SLICE("\x2b\x06\x01\x05\x05\x07\x30\x01"),
	SLICE("\x2b\x06\x01\x05\x05\x07\x30\x01\x02"),
	SLICE("\x2b\x06\x01\x05\x05\x07\x30\x01\x05"),
	SLICE("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"),
	SLICE("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04"),
	SLICE("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05"),
	SLICE("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"),
	SLICE("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"),
	SLICE("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"),
	SLICE("\x2a\x86\x48\xce\x3d\x02\x01"),
	SLICE("\x2a\x86\x48\xce\x3d\x03\x01\x07"),
	SLICE("\x2a\x86\x48\xce\x3d\x04\x01"),
	SLICE("\x2a\x86\x48\xce\x3d\x04\x03\x02"),
	SLICE("\x2a\x86\x48\xce\x3d\x04\x03\x03"),
	SLICE("\x2b\x81\x04\x00\x22"),
	SLICE("\x2b\x65\x70"),
	SLICE("\x2b\x65\x71"),
	SLICE("\x2b\x0e\x03\x02\x1a"),
	SLICE("\x60\x86\x48\x01\x65\x03\x04\x02\x01"),
	SLICE("\x60\x86\x48\x01\x86\xf8\x42\x01\x01"),
	SLICE("\x55\x04\x03"),
	SLICE("\x55\x04\x06"),
	SLICE("\x55\x04\x0a"),
	SLICE("\x55\x04\x61"),
};

static const struct slice contents[] = {
	SLICE(""),
	SLICE("\x00"),
	SLICE("\x01"),
	SLICE("\x7f"),
	SLICE("\x80"),
	SLICE("\xff"),
	SLICE("\x00\x80"),
	SLICE("\x00\xff"),
	SLICE("\xff\xff"),
	SLICE("\x05\xa0"),
	SLICE("\x07\x80"),
	SLICE("\x01\x06"),
	SLICE("\x7f\xff\xff\xff"),
	SLICE("\x00\x80\x00\x00\x00"),
	SLICE("\x7f\xff\xff\xff\xff\xff\xff\xff"),
	SLICE("\x00\xff\xff\xff\xff\xff\xff\xff\xff"),
	SLICE("260101000000Z"),
	SLICE("270115080000Z"),
	SLICE("270115075959Z"),
	SLICE("280101000000Z"),
	SLICE("491231235959Z"),
	SLICE("500101000000Z"),
	SLICE("000230000000Z"),
	SLICE("2701150800Z"),
	SLICE("20270115080000Z"),
	SLICE("20270115080000.5Z"),
	SLICE("20270115080000+0100"),
	SLICE("99991231235959Z"),
	SLICE("00000101000000Z"),
	SLICE("20260101000000Z"),
	SLICE("*.fuzz.example"),
	SLICE(".fuzz.example"),
	SLICE("fuzz.example"),
	SLICE("a@fuzz.example"),
	SLICE("http://a.fuzz.example/"),
	SLICE("spiffe://fuzz.example/a"),
	SLICE("a\0b"),
	SLICE("a\nb"),
	SLICE("\x0a\x00\x00\x01"),
	SLICE("\x0a\x00\x00\x00\xff\x00\x00\x00"),
	SLICE("\xc3\x28"),
	SLICE("\xd8\x00\xdc\x00"),
	SLICE("Root"),
	SLICE("Intermediate"),
	SLICE("Fuzz"),
	SLICE(" F UZZ "),
};

static const uint8_t tags[] = {
	0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0a, 0x0c, 0x12, 0x13, 0x14,
	0x16, 0x17, 0x18, 0x1a, 0x1c, 0x1e, 0x30, 0x31, 0x80, 0x81, 0x82,
	0x86, 0x87, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0x00, 0x1f,
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* 0 to most - 1 */
static size_t below(uint32_t *state, size_t most)
{
	return fuzz_step(state, most) - 1;
}

/* The one that points to it, as its first child or as its next one. */
static unsigned *link_to(struct der_tree *tree, unsigned node)
{
	for (unsigned i = 0; i < tree->count; i++) {
		if (tree->nodes[i].parent && tree->nodes[i].child == node) {
			return &tree->nodes[i].child;
		}
		if (tree->nodes[i].next == node) {
			return &tree->nodes[i].next;
		}
	}
	return NULL; /* removed before */
}

static void delete_node(struct der_tree *tree, unsigned node)
{
	unsigned *link = link_to(tree, node);
	if (link != NULL) {
		*link = tree->nodes[node].next;
	}
}

static void insert_behind(struct der_tree *tree, unsigned node, unsigned other)
{
	if (other != 0) {
		tree->nodes[other].next = tree->nodes[node].next;
		tree->nodes[node].next = other;
	}
}

static void swap_with_next(struct der_tree *tree, unsigned node)
{
	unsigned next = tree->nodes[node].next;
	unsigned *link = link_to(tree, node);
	if (next != 0 && link != NULL) {
		tree->nodes[node].next = tree->nodes[next].next;
		tree->nodes[next].next = node;
		*link = next;
	}
}

/* Its bytes, to be changed where they are. */
static uint8_t *own_content(struct der_tree *tree, unsigned node, size_t more)
{
	struct der_node *n = &tree->nodes[node];
	size_t len = n->content.len;
	if (tree->made.cap - tree->made.len < len + more + 1) {
		return NULL;
	}
	uint8_t *bytes = tree->made.data + tree->made.len;
	if (len > 0) {
		memmove(bytes, n->content.data, len);
	}
	memset(bytes + len, 0, more);
	tree->made.len += len + more + 1;
	n->content = slice_of(bytes, len + more);
	return bytes;
}

static void change_bytes(struct der_tree *tree, unsigned node, uint32_t *state)
{
	size_t len = tree->nodes[node].content.len;
	uint8_t *bytes = len > 0 ? own_content(tree, node, 0) : NULL;
	for (size_t n = 1 + below(state, 3); bytes != NULL && n > 0; n--) {
		size_t at = below(state, len);
		bytes[at] = below(state, 2) == 0 ? (uint8_t)(bytes[at] ^ 1U << below(state, 8))
		                                 : (uint8_t)below(state, 256);
	}
}

static void resize(struct der_tree *tree, unsigned node, uint32_t *state)
{
	struct der_node *n = &tree->nodes[node];
	if (below(state, 2) == 0) {
		n->content.len = n->content.len == 0 ? 0 : below(state, n->content.len);
		return;
	}
	static const size_t more[] = {1, 2, 20, 128, 300};
	own_content(tree, node, more[below(state, COUNT(more))]);
}

static void set_form(struct der_node *node, uint32_t *state)
{
	node->form = (enum der_form)(1 + below(state, 3));
	node->lie = (int)below(state, 9) - 4;
}

/* An element of its own around it. */
static void wrap(struct der_tree *tree, unsigned node, uint32_t *state)
{
	unsigned copy = der_tree_copy(tree, node);
	if (copy != 0) {
		tree->nodes[node].raw = false;
		tree->nodes[node].tag = tags[below(state, COUNT(tags))];
		tree->nodes[node].form = DER_FORM_SHORTEST;
		der_tree_set(tree, node, (struct slice){0});
		tree->nodes[node].parent = true;
		tree->nodes[node].child = copy;
	}
}

/* What another element is, in its place. */
static void replace(struct der_tree *tree, unsigned node, unsigned other)
{
	unsigned copy = der_tree_copy(tree, other);
	if (copy != 0) {
		unsigned next = tree->nodes[node].next;
		tree->nodes[node] = tree->nodes[copy];
		tree->nodes[node].next = next;
	}
}

static void change_content(struct der_tree *tree, unsigned node, uint32_t *state)
{
	const struct der_node *n = &tree->nodes[node];
	if (n->tag == DER_OID && below(state, 4) != 0) {
		der_tree_set(tree, node, oids[below(state, COUNT(oids))]);
	} else if (n->tag == DER_BOOLEAN) {
		der_tree_set(tree, node, below(state, 2) == 0 ? SLICE("\xff") : SLICE("\0"));
	} else {
		der_tree_set(tree, node, contents[below(state, COUNT(contents))]);
	}
}

static void mutate_leaf(struct der_tree *tree, unsigned node, uint32_t *state)
{
	switch (below(state, 4)) {
	case 0:
		resize(tree, node, state);
		break;
	case 1:
		change_content(tree, node, state);
		break;
	default:
		change_bytes(tree, node, state);
		break;
	}
}

void der_tree_mutate(struct der_tree *tree, uint32_t *state)
{
	if (tree->count < 2) {
		return;
	}
	unsigned node = 1 + (unsigned)below(state, tree->count - 1);
	unsigned other = 1 + (unsigned)below(state, tree->count - 1);
	switch (below(state, 12)) {
	case 0:
		delete_node(tree, node);
		break;
	case 1:
		insert_behind(tree, node, der_tree_copy(tree, node));
		break;
	case 2:
		insert_behind(tree, node, der_tree_copy(tree, other));
		break;
	case 3:
		replace(tree, node, other);
		break;
	case 4:
		swap_with_next(tree, node);
		break;
	case 5:
		tree->nodes[node].tag = tags[below(state, COUNT(tags))];
		break;
	case 6:
		/* Rarely: hardly anybody reads on behind a wrong length. */
		if (below(state, 4) == 0) {
			set_form(&tree->nodes[node], state);
			break;
		}
		wrap(tree, node, state);
		break;
	case 7:
		change_content(tree, node, state);
		break;
	default:
		if (!tree->nodes[node].parent) {
			mutate_leaf(tree, node, state);
		} else {
			delete_node(tree, node);
		}
		break;
	}
}
