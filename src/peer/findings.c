#include "peer/findings.h"

#include <string.h>

static int compare(const struct finding *a, const struct finding *b)
{
	if (a->class != b->class) {
		return a->class < b->class ? -1 : 1;
	}
	return a->depth < b->depth ? -1 : a->depth > b->depth ? 1 : 0;
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
	if (at == VERDICT_FINDINGS_MAX ||
	    (at < findings->count && compare(&findings->items[at], &new) == 0)) {
		return;
	}
	if (findings->count == VERDICT_FINDINGS_MAX) {
		findings->count--;
	}
	memmove(&findings->items[at + 1], &findings->items[at],
	        (findings->count - at) * sizeof(new));
	findings->items[at] = new;
	findings->count++;
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
