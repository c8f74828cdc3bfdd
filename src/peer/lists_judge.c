#include "peer/lists_judge.h"

/* Whoever claims to be one that is denied is refused, proven or not, and so is the same certificate with the other signature that everybody
 * can make for it. */
static bool denies(const struct list_file *list, const struct cert *cert, const char **what)
{
	return list_file_find(list, cert, true, what) ||
	       (cert->parsed && cert->x509->has_twin &&
	        list_file_has(list, cert->x509->twin_sha256, cert->x509->twin_sha1, what));
}

void lists_judge_denied(struct findings *findings, const struct lists *lists,
                        const struct cert *cert, int depth)
{
	const char *what;
	for (size_t i = 0; lists != NULL && i < lists->deny_count; i++) {
		if (denies(lists->deny[i], cert, &what)) {
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
