#include "http/identity_parts.h"

#include "base/bug.h"
#include "base/err.h"

/* Writes all parts that are not in `dropped`. False: no room. */
static bool write_parts(struct identity_value *v, const struct identity_part *parts, size_t count,
                        unsigned dropped, const char *between)
{
	struct buf *out = &v->out;
	buf_reset(out);
	for (size_t i = 0; i < count; i++) {
		if ((dropped >> i & 1) != 0) {
			continue;
		}
		size_t before = out->len;
		if (before > 0) {
			buf_append_text(out, between);
		}
		size_t start = out->len;
		parts[i].write(v);
		if (out->len == start) {
			buf_truncate(out, before);
		}
	}
	return out->err == E_OK;
}

/* The part to leave out next; `count`: none is left. */
static size_t next_drop(const struct identity_part *parts, size_t count, unsigned dropped)
{
	size_t next = count;
	for (size_t i = 0; i < count; i++) {
		if (parts[i].drop != 0 && (dropped >> i & 1) == 0 &&
		    (next == count || parts[i].drop < parts[next].drop)) {
			next = i;
		}
	}
	return next;
}

/* Whether the certificate has such a thing at all. */
static bool has_part(struct identity_value *v, const struct identity_part *part)
{
	buf_reset(&v->out);
	part->write(v);
	return v->out.len > 0 || v->out.err != E_OK;
}

bool identity_parts_write(struct identity_value *v, const struct identity_part *parts, size_t count,
                          const char *between)
{
	BUG_IF(count > IDENTITY_PARTS_MAX);
	unsigned dropped = 0;
	unsigned missing = 0; /* of these, what there was to leave out */
	while (!write_parts(v, parts, count, dropped, between)) {
		size_t next = next_drop(parts, count, dropped);
		if (next == count) {
			return false; /* out.err says so: the whole header is left out */
		}
		dropped |= 1u << next;
		missing |= (unsigned)has_part(v, &parts[next]) << next;
	}
	for (size_t i = 0; i < count; i++) {
		if ((missing >> i & 1) != 0) {
			identity_omit(v->omitted, parts[i].name);
		}
	}
	return v->out.len > 0;
}
