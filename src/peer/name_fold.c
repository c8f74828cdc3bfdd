/* Names made comparable: RFC 5280 7.1, as far as it goes without the tables of Unicode. */
#include "base/buf.h"
#include "base/err.h"
#include "peer/der.h"
#include "peer/name.h"
#include "peer/text.h"

/* An RDN of more attributes keeps their order: sorting them is work that a stranger would choose. */
#define SORTED_MAX 16

static void put_length(struct buf *b, size_t len)
{
	const uint8_t bytes[] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
	                         (uint8_t)len};
	buf_append(b, bytes, sizeof(bytes));
}

/* RFC 4518 2.6.1, and case mapping of ASCII letters. Returns how many bytes it wrote, at most s.len. */
static size_t fold_text(uint8_t *out, struct slice s)
{
	size_t len = 0;
	bool space = false;
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.data[i];
		if (c == ' ') {
			space = len > 0;
			continue;
		}
		if (space) {
			out[len++] = ' ';
			space = false;
		}
		out[len++] = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
	}
	return len;
}

/* Every part with its length before it: no bytes of one can be taken for the next. */
static void put_ava(struct buf *b, const struct ava *ava)
{
	bool text = text_is_byte_string(ava->tag) && ava->tag != DER_T61_STRING;
	put_length(b, ava->oid.len);
	buf_append_slice(b, ava->oid);
	buf_append_byte(b, text ? DER_UTF8_STRING : ava->tag);
	if (!text) {
		put_length(b, ava->value.len);
		buf_append_slice(b, ava->value);
		return;
	}
	uint8_t *at = buf_reserve(b, ava->value.len + 4);
	if (at == NULL) {
		return;
	}
	size_t len = fold_text(at + 4, ava->value);
	put_length(b, len);
	b->len += len;
}

static int compare(struct slice a, struct slice b)
{
	size_t common = a.len < b.len ? a.len : b.len;
	int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
	return order != 0 ? order : a.len < b.len ? -1 : a.len > b.len ? 1 : 0;
}

/* X.501 9.4: an RDN is a set. DER sorts it by what is not folded yet. */
static void put_sorted(struct buf *b, struct slice rdn)
{
	struct slice parts[SORTED_MAX];
	size_t count = 0;
	struct buf scratch;
	buf_init(&scratch, SIZE_MAX / 4);
	size_t ends[SORTED_MAX];
	struct ava ava;
	while (rdn.len > 0 && name_next_ava(&rdn, &ava)) {
		put_ava(&scratch, &ava);
		ends[count++] = scratch.len;
	}
	if (scratch.err != E_OK) {
		b->err = b->err != E_OK ? b->err : scratch.err;
		count = 0;
	}
	for (size_t i = 0; i < count; i++) {
		size_t from = i == 0 ? 0 : ends[i - 1];
		struct slice part = slice_of(scratch.data + from, ends[i] - from);
		size_t at = i;
		for (; at > 0 && compare(parts[at - 1], part) > 0; at--) {
			parts[at] = parts[at - 1];
		}
		parts[at] = part;
	}
	for (size_t i = 0; i < count; i++) {
		buf_append_slice(b, parts[i]);
	}
	buf_release(&scratch);
}

/* False: it cannot be read. */
static bool put_rdn(struct buf *b, struct slice rdn)
{
	size_t count = 0;
	struct ava ava;
	for (struct slice rest = rdn; rest.len > 0; count++) {
		if (!name_next_ava(&rest, &ava)) {
			return false;
		}
	}
	put_length(b, count);
	if (count > 1 && count <= SORTED_MAX) {
		put_sorted(b, rdn);
		return true;
	}
	while (rdn.len > 0 && name_next_ava(&rdn, &ava)) {
		put_ava(b, &ava);
	}
	return true;
}

int name_fold(struct arena *arena, struct slice *out, struct slice whole)
{
	*out = slice_of(NULL, 0);
	struct slice rdns;
	if (!der_get(&whole, DER_SEQUENCE, &rdns) || whole.len != 0) {
		return E_OK;
	}
	struct buf folded;
	buf_init(&folded, SIZE_MAX / 4);
	bool ok = true;
	while (ok && rdns.len > 0) {
		struct slice rdn;
		ok = der_get(&rdns, DER_SET, &rdn) && put_rdn(&folded, rdn);
	}
	int err = folded.err;
	if (err == E_OK && ok && !arena_copy(arena, out, buf_slice(&folded))) {
		err = E_NOMEM;
	}
	buf_release(&folded);
	return err == E_OK ? E_OK : E_NOMEM;
}
