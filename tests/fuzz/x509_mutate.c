#include "x509_mutate.h"

#include "chain_input.h"
#include "der_tree.h"
#include "fuzz.h"
#include "fuzz_pki.h"
#include "peer/der.h"

#define OBJECT_BYTES_MAX (64 << 10)

#ifdef LIBFUZZER
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
#endif

static size_t below(uint32_t *state, size_t most)
{
	return fuzz_step(state, most) - 1;
}

/* The first name that stands in `tbs`: the issuer's, as it comes before the subject, or the responder's. */
static enum fuzz_cert signer_of(struct slice tbs)
{
	enum fuzz_cert found = FUZZ_INTERMEDIATE;
	size_t best = tbs.len;
	for (int i = 0; i < FUZZ_CERT_COUNT; i++) {
		struct slice name = fuzz_cert_subject((enum fuzz_cert)i);
		const uint8_t *at =
			tbs.len == 0 ? NULL : memmem(tbs.data, tbs.len, name.data, name.len);
		if (at != NULL && (size_t)(at - tbs.data) < best) {
			best = (size_t)(at - tbs.data);
			found = (enum fuzz_cert)i;
		}
	}
	return found;
}

/* What is signed, an algorithm, a signature: the shape of certificates, CRLs and OCSP answers. */
static bool is_signed(const struct der_tree *tree, unsigned node)
{
	unsigned tbs = der_tree_child(tree, node, 0);
	unsigned algorithm = der_tree_child(tree, node, 1);
	unsigned signature = der_tree_child(tree, node, 2);
	return tree->nodes[node].tag == DER_SEQUENCE && signature != 0 &&
	       tree->nodes[tbs].tag == DER_SEQUENCE && tree->nodes[algorithm].tag == DER_SEQUENCE &&
	       tree->nodes[signature].tag == DER_BIT_STRING;
}

static void sign(struct der_tree *tree, unsigned node)
{
	uint8_t bits[1 + 512] = {0};
	struct buf tbs;
	buf_init(&tbs, OBJECT_BYTES_MAX);
	der_tree_write(tree, der_tree_child(tree, node, 0), &tbs);
	size_t len = 0;
	if (tbs.err == E_OK) {
		len = fuzz_sign(signer_of(buf_slice(&tbs)), buf_slice(&tbs), bits + 1,
		                sizeof(bits) - 1);
	}
	if (len > 0) {
		der_tree_set(tree, der_tree_child(tree, node, 2),
		             der_tree_keep(tree, slice_of(bits, len + 1)));
	}
	buf_release(&tbs);
}

static void sign_all(struct der_tree *tree, unsigned node)
{
	for (unsigned i = der_tree_child(tree, node, 0); i != 0; i = tree->nodes[i].next) {
		sign_all(tree, i);
	}
	if (node != 0 && is_signed(tree, node)) {
		sign(tree, node);
	}
}

/* Appends the object, changed; nothing when it got too large. */
static void mutate_object(struct buf *out, struct slice der, uint32_t *state)
{
	static struct der_tree tree;
	der_tree_init(&tree, der);
	for (size_t n = 1 + below(state, 4); n > 0; n--) {
		der_tree_mutate(&tree, state);
	}
	if (below(state, 2) == 0) {
		sign_all(&tree, 0);
	}
	der_tree_write_all(&tree, out);
	der_tree_release(&tree);
}

/* What was made, if it fits, else the input as it was. */
static size_t finish(struct buf *made, uint8_t *data, size_t size, size_t max_size)
{
	if (made->err == E_OK && made->len > 0 && made->len <= max_size) {
		memcpy(data, made->data, made->len);
		size = made->len;
	}
	buf_release(made);
	return size;
}

/* Bytes without a thought, as libFuzzer does. */
static bool mutate_bytes(uint8_t *data, size_t *size, size_t max_size, uint32_t *state)
{
#ifdef LIBFUZZER
	if (below(state, 16) == 0) {
		*size = LLVMFuzzerMutate(data, *size, max_size);
		return true;
	}
#endif
	(void)max_size;
	if (*size > 0 && below(state, 16) == 0) {
		data[below(state, *size)] ^= (uint8_t)(1U << below(state, 8));
		return true;
	}
	return false;
}

size_t x509_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	uint32_t state = seed * 2654435761U + 1;
	if (mutate_bytes(data, &size, max_size, &state)) {
		return size;
	}
	struct buf made;
	buf_init(&made, OBJECT_BYTES_MAX);
	mutate_object(&made, slice_of(data, size), &state);
	return finish(&made, data, size, max_size);
}

/* Certificates that come, go and change places. */
static void mutate_order(struct chain_input *in, uint32_t *state)
{
	size_t at = below(state, in->count);
	struct slice other = in->der[below(state, in->count)];
	switch (below(state, 5)) {
	case 0:
		if (in->count > 1) {
			in->count--;
			memmove(in->der + at, in->der + at + 1,
			        (in->count - at) * sizeof(in->der[0]));
		}
		break;
	case 1:
		other = fuzz_cert((enum fuzz_cert)below(state, FUZZ_CERT_COUNT));
		/* fall through */
	case 2:
		if (in->count < CHAIN_INPUT_MAX) {
			memmove(in->der + at + 1, in->der + at,
			        (in->count - at) * sizeof(in->der[0]));
			in->der[at] = other;
			in->count++;
		}
		break;
	case 3:
		in->der[at] = fuzz_cert((enum fuzz_cert)below(state, FUZZ_CERT_COUNT));
		break;
	default: {
		struct slice *with = &in->der[below(state, in->count)];
		other = in->der[at];
		in->der[at] = *with;
		*with = other;
		break;
	}
	}
}

size_t chain_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	uint32_t state = seed * 2654435761U + 1;
	struct chain_input in;
	chain_input_read(&in, data, size);
	if (in.pem || mutate_bytes(data, &size, max_size, &state)) {
		return size;
	}
	struct buf object;
	struct buf made;
	buf_init(&object, OBJECT_BYTES_MAX);
	buf_init(&made, OBJECT_BYTES_MAX);
	if (below(&state, 16) == 0) {
		in.how = (uint8_t)below(&state, 256);
		in.how = in.how == '-' ? 0 : in.how;
	}
	if (below(&state, 6) == 0) {
		mutate_order(&in, &state);
	} else {
		/* The leaf most of all. */
		size_t at = below(&state, 2) == 0 ? 0 : below(&state, in.count);
		mutate_object(&object, in.der[at], &state);
		in.der[at] = buf_slice(&object);
	}
	chain_input_write(&in, &made);
	made.err = made.err != E_OK ? made.err : object.err;
	size = finish(&made, data, size, max_size);
	buf_release(&object);
	return size;
}
