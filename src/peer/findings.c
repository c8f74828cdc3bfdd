#include "peer/findings.h"

#include <string.h>

static int compare(const struct finding *a, const struct finding *b)
{
	if (a->class != b->class) {
		return a->class < b->class ? -1 : 1;
	}
	return a->depth < b->depth ? -1 : a->depth > b->depth ? 1 : 0;
}

/* The last place: its class comes behind those of all certificates. */
static void mark_overflow(struct finding *last)
{
	*last = (struct finding){
		.class = CLASS_LIMIT_EXCEEDED,
		.code = peer_class_row(CLASS_LIMIT_EXCEEDED)->code_leaf,
		.detail = "more faults than are kept",
	};
}

void findings_add(struct findings *findings, enum peer_class class, int depth, unsigned code,
                  int64_t at_s, const char *detail)
{
	const struct peer_class_row *row = peer_class_row(class);
	struct finding new = {
		.class = class,
		.depth = depth,
		.code = code != 0    ? code
	                : depth == 0 ? row->code_leaf
	                             : row->code_issuer,
		.at_s = at_s,
		.detail = detail,
	};
	size_t at = 0;
	while (at < findings->count && compare(&findings->items[at], &new) < 0) {
		at++;
	}
	if (at < findings->count && compare(&findings->items[at], &new) == 0) {
		return;
	}
	/* Where all places are taken, those of the last two go: one to the new one, one to the mark. */
	bool full = findings->count == VERDICT_FINDINGS_MAX;
	size_t end = full ? VERDICT_FINDINGS_MAX - 2 : findings->count;
	if (at <= end) {
		memmove(&findings->items[at + 1], &findings->items[at], (end - at) * sizeof(new));
		findings->items[at] = new;
	}
	if (full) {
		mark_overflow(&findings->items[VERDICT_FINDINGS_MAX - 1]);
	} else {
		findings->count++;
	}
}

bool findings_milder(const struct findings *a, const struct findings *b)
{
	if (a->count == 0 || b->count == 0) {
		return a->count == 0 && b->count > 0;
	}
	if (a->items[0].class != b->items[0].class) {
		return a->items[0].class > b->items[0].class;
	}
	return a->count < b->count;
}
