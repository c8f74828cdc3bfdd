#include "peer/lists_judge.h"

void lists_judge_denied(struct findings *findings, const struct lists *lists,
                        const struct cert *cert, int depth)
{
	const char *what;
	for (size_t i = 0; lists != NULL && i < lists->deny_count; i++) {
		/* Whoever claims to be one that is denied is refused, proven or not. */
		if (list_file_find(lists->deny[i], cert, true, &what)) {
			findings_add(findings, CLASS_DENYLISTED, depth, 0, 0, what);
			return;
		}
	}
}

void lists_judge_allowed(struct findings *findings, const struct lists *lists, bool needed,
                         const struct cert *leaf, bool proven)
{
	size_t count = lists == NULL ? 0 : lists->allow_count;
	const char *what;
	for (size_t i = 0; i < count; i++) {
		if (list_file_find(lists->allow[i], leaf, proven, &what)) {
			return;
		}
	}
	if (needed || count > 0) {
		findings_add(findings, CLASS_NOT_ALLOWLISTED, 0, 0, 0, NULL);
	}
}

bool lists_revoke(const struct lists *lists)
{
	return lists != NULL && lists->revocation.mode != REVOCATION_OFF;
}
