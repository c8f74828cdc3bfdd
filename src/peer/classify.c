#include "peer/classify.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/err.h"
#include "peer/findings.h"
#include "peer/lists_judge.h"
#include "peer/path.h"
#include "peer/rules.h"

static struct verdict *verdict_new(enum peer_class without_findings)
{
	struct verdict *verdict = calloc(1, sizeof(*verdict));
	if (verdict == NULL) {
		return NULL;
	}
	verdict->refs = 1;
	verdict->class = without_findings;
	verdict->code = peer_class_row(without_findings)->code_leaf;
	verdict->holds_from_s = INT64_MIN;
	verdict->holds_until_s = INT64_MAX;
	return verdict;
}

static void take_findings(struct verdict *verdict, const struct findings *findings)
{
	verdict->finding_count = findings->count;
	memcpy(verdict->findings, findings->items, findings->count * sizeof(findings->items[0]));
	if (findings->count > 0) {
		verdict->class = findings->items[0].class;
		verdict->code = findings->items[0].code;
		verdict->depth = findings->items[0].depth;
	}
}

static int take_path(struct verdict *verdict, const struct path *path)
{
	if (path->anchor == NULL) {
		return E_OK;
	}
	verdict->anchor_file = strdup(path->anchor->shown.file);
	if (verdict->anchor_file == NULL) {
		return E_NOMEM;
	}
	for (size_t i = 0; i < path->count; i++) {
		struct slice subject = path->certs[i]->subject.text;
		struct path_step *step = &verdict->path[i];
		step->subject =
			strndup(subject.len == 0 ? "" : (const char *)subject.data, subject.len);
		if (step->subject == NULL) {
			return E_NOMEM;
		}
		memcpy(step->sha256, path->certs[i]->sha256, sizeof(step->sha256));
		verdict->path_count++;
	}
	return E_OK;
}

static void find_malformed(struct findings *findings, const struct chain *chain)
{
	for (size_t i = 0; i < chain->count && i < INT32_MAX; i++) {
		if (!chain->certs[i].parsed) {
			findings_add(findings, CLASS_MALFORMED_CERTIFICATE, (int)i, 0, 0, NULL);
		}
	}
}

static void find_denied(struct findings *findings, const struct lists *lists,
                        const struct chain *chain)
{
	for (size_t i = 0; i < chain->count && i < INT32_MAX; i++) {
		lists_judge_denied(findings, lists, &chain->certs[i], (int)i);
	}
}

/* What is wrong with the leaf (parsed) whatever path leads from it. `proven`: one does. */
static void judge_leaf(struct findings *findings, const struct trust *trust,
                       const struct lists *lists, const struct cert *leaf, bool proven)
{
	lists_judge_denied(findings, lists, leaf, 0);
	lists_judge_allowed(findings, lists, trust->pinned, leaf, proven);
	if (leaf->x509->identity_malformed) {
		findings_add(findings, CLASS_IDENTITY_MALFORMED, 0, 0, 0,
		             leaf->x509->identity_fault);
	}
}

static int judge_by_path(struct verdict *verdict, const struct trust *trust,
                         const struct lists *lists, const struct chain *chain, int64_t now_s)
{
	struct path_result result;
	path_search(&result, trust, lists, chain, now_s);
	verdict->signature_checks = result.signature_checks;
	verdict->name_comparisons = result.name_comparisons;
	/* With too much work as well: any change of a date may change how the search goes. */
	verdict->holds_from_s = result.holds_from_s;
	verdict->holds_until_s = result.holds_until_s;
	struct findings findings = {0};
	if (result.limited) {
		findings_add(&findings, CLASS_LIMIT_EXCEEDED, 0, 0, 0,
		             "the chain is too much work to verify");
		take_findings(verdict, &findings);
		return E_OK;
	}
	findings = result.best.findings;
	find_malformed(&findings, chain);
	judge_leaf(&findings, trust, lists, &chain->certs[0], result.best.anchor != NULL);
	if (trust->name.kind != HOSTNAME_NONE && !hostname_matches(&trust->name, &chain->certs[0])) {
		findings_add(&findings, CLASS_WRONG_NAME, 0, 0, 0, NULL);
	}
	take_findings(verdict, &findings);
	verdict->revocation = result.best.revocation;
	return take_path(verdict, &result.best);
}

/* A registered certificate: who signed it, and what else was presented, is nobody's concern. */
static void judge_pinned(struct verdict *verdict, const struct trust *trust,
                         const struct lists *lists, const struct cert *leaf, int64_t now_s)
{
	struct findings findings = {0};
	rules_narrow(leaf, now_s, &verdict->holds_from_s, &verdict->holds_until_s);
	rules_check_cert(&findings, trust, leaf, 0, ROLE_LEAF, now_s);
	judge_leaf(&findings, trust, lists, leaf, false);
	take_findings(verdict, &findings);
}

static void judge_without_trust(struct verdict *verdict, const struct trust *trust,
                                const struct lists *lists, const struct chain *chain)
{
	struct findings findings = {0};
	const struct cert *leaf = &chain->certs[0];
	find_malformed(&findings, chain);
	find_denied(&findings, lists, chain);
	if (leaf->parsed && leaf->x509->key == NULL) {
		findings_add(&findings, CLASS_UNSUPPORTED_KEY, 0, 0, 0, NULL);
	}
	if (leaf->parsed) {
		judge_leaf(&findings, trust, lists, leaf, false);
	}
	take_findings(verdict, &findings);
}

int peer_judge(struct verdict **out, const struct trust *trust, const struct lists *lists,
               struct chain *chain, int64_t now_s)
{
	int err = chain_parse(chain);
	if (err != E_OK) {
		return err;
	}
	bool trusts = trust->pinned || trust->ca.count > 0;
	struct verdict *verdict = verdict_new(trusts ? CLASS_OK : CLASS_NOT_CHECKED);
	if (verdict == NULL) {
		return E_NOMEM;
	}
	if (!trusts || !chain->certs[0].parsed) {
		judge_without_trust(verdict, trust, lists, chain);
	} else if (trust->pinned) {
		judge_pinned(verdict, trust, lists, &chain->certs[0], now_s);
	} else {
		err = judge_by_path(verdict, trust, lists, chain, now_s);
	}
	if (err != E_OK) {
		verdict_unref(&verdict);
		return err;
	}
	*out = verdict;
	return E_OK;
}

int verdict_single(struct verdict **out, enum peer_class class, int depth, const char *detail)
{
	struct verdict *verdict = verdict_new(CLASS_OK);
	if (verdict == NULL) {
		return E_NOMEM;
	}
	struct findings findings = {0};
	findings_add(&findings, class, depth, 0, 0, detail);
	take_findings(verdict, &findings);
	*out = verdict;
	return E_OK;
}

struct verdict *verdict_ref(struct verdict *verdict)
{
	verdict->refs++;
	return verdict;
}

void verdict_unref(struct verdict **verdict)
{
	struct verdict *v = *verdict;
	*verdict = NULL;
	if (v == NULL) {
		return;
	}
	BUG_IF(v->refs == 0);
	if (--v->refs > 0) {
		return;
	}
	for (size_t i = 0; i < VERDICT_PATH_MAX; i++) {
		free(v->path[i].subject);
	}
	free(v->anchor_file);
	free(v);
}
