#include "peer/classify.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/err.h"
#include "peer/findings.h"
#include "peer/path.h"

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

static int judge_with_anchors(struct verdict *verdict, const struct trust *trust,
                              const struct chain *chain, int64_t now_s)
{
	struct path_result result;
	path_search(&result, trust, chain, now_s);
	verdict->signature_checks = result.signature_checks;
	struct findings findings = {0};
	if (result.limited) {
		findings_add(&findings, CLASS_LIMIT_EXCEEDED, 0, 0, 0,
		             "the chain is too much work to verify");
		take_findings(verdict, &findings);
		/* Any change of a date may change how the search goes. */
		verdict->holds_from_s = result.holds_from_s;
		verdict->holds_until_s = result.holds_until_s;
		return E_OK;
	}
	findings = result.best.findings;
	find_malformed(&findings, chain);
	/* Whatever the path, so not part of the search for one. */
	if (trust->name.kind != HOSTNAME_NONE && !hostname_matches(&trust->name, &chain->certs[0])) {
		findings_add(&findings, CLASS_WRONG_NAME, 0, 0, 0, NULL);
	}
	take_findings(verdict, &findings);
	verdict->holds_from_s = result.holds_from_s;
	verdict->holds_until_s = result.holds_until_s;
	return take_path(verdict, &result.best);
}

int peer_judge(struct verdict **out, const struct trust *trust, const struct lists *lists,
               struct chain *chain, int64_t now_s)
{
	(void)lists;
	int err = chain_parse(chain);
	if (err != E_OK) {
		return err;
	}
	struct verdict *verdict = verdict_new(trust->ca.count == 0 ? CLASS_NOT_CHECKED : CLASS_OK);
	if (verdict == NULL) {
		return E_NOMEM;
	}
	if (chain->certs[0].parsed && trust->ca.count > 0) {
		err = judge_with_anchors(verdict, trust, chain, now_s);
	} else {
		struct findings findings = {0};
		find_malformed(&findings, chain);
		if (chain->certs[0].parsed && chain->certs[0].x509->key == NULL) {
			findings_add(&findings, CLASS_UNSUPPORTED_KEY, 0, 0, 0, NULL);
		}
		take_findings(verdict, &findings);
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
