#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "peer/findings.h"
#include "peer/ocsp.h"
#include "peer/revocation.h"

struct slice ocsp_issuer(const struct verdict *verdict, const struct trust *trust,
                         const struct chain *chain)
{
	if (verdict->path_count < 2) {
		return (struct slice){0};
	}
	const uint8_t *wanted = verdict->path[1].sha256;
	for (size_t i = 1; i < chain->count; i++) {
		if (memcmp(chain->certs[i].sha256, wanted, sizeof(chain->certs[i].sha256)) == 0) {
			return chain->certs[i].der;
		}
	}
	for (size_t i = 0; i < trust_anchor_count(trust); i++) {
		const struct trust_anchor *anchor = trust_anchor_at(trust, i);
		if (memcmp(anchor->sha256, wanted, sizeof(anchor->sha256)) == 0) {
			return anchor->der;
		}
	}
	return (struct slice){0};
}

/* Copies what a verdict owns: its own texts, and no reference but the first. */
static struct verdict *copy(const struct verdict *base)
{
	struct verdict *v = malloc(sizeof(*v));
	if (v == NULL) {
		return NULL;
	}
	*v = *base;
	v->refs = 1;
	for (size_t i = 0; i < VERDICT_PATH_MAX; i++) {
		v->path[i].subject = NULL;
	}
	v->anchor_file = NULL;
	bool whole = true;
	for (size_t i = 0; i < VERDICT_PATH_MAX; i++) {
		if (base->path[i].subject != NULL) {
			v->path[i].subject = strdup(base->path[i].subject);
			whole = whole && v->path[i].subject != NULL;
		}
	}
	if (base->anchor_file != NULL) {
		v->anchor_file = strdup(base->anchor_file);
		whole = whole && v->anchor_file != NULL;
	}
	if (!whole) {
		verdict_unref(&v);
	}
	return v;
}

static void add_finding(struct verdict *v, enum peer_class class, int64_t at_s, const char *detail)
{
	struct findings findings = {.count = v->finding_count};
	memcpy(findings.items, v->findings, sizeof(findings.items));
	findings_add(&findings, class, 0, 0, at_s, detail);
	v->finding_count = findings.count;
	memcpy(v->findings, findings.items, sizeof(v->findings));
	v->class = v->findings[0].class;
	v->code = v->findings[0].code;
	v->depth = v->findings[0].depth;
}

static void tell(struct revocation *told, const struct ocsp_answer *answer)
{
	bool crl = told->checked && told->source == REVOCATION_SOURCE_CRL;
	if (crl && (answer == NULL || told->status == REVOCATION_REVOKED)) {
		return;
	}
	*told = (struct revocation){.checked = true, .status = REVOCATION_UNKNOWN};
	if (answer != NULL) {
		told->source = REVOCATION_SOURCE_OCSP;
		told->status = answer->status;
		told->this_update_s = answer->this_update_s;
		told->next_update_s = answer->next_update_s;
	}
}

/* The answer is current in this time and no other; now_s is within. */
static void narrow(struct verdict *v, const struct ocsp_answer *answer)
{
	int64_t from_s = answer->this_update_s - OCSP_SKEW_S;
	if (from_s > v->holds_from_s) {
		v->holds_from_s = from_s;
	}
	if (answer->until_s < v->holds_until_s) {
		v->holds_until_s = answer->until_s;
	}
}

int ocsp_verdict(struct verdict **out, const struct verdict *base, const struct ocsp_answer *answer,
                 bool hard, const char *detail, int64_t now_s)
{
	/* Nobody vouches for the leaf, so nobody can be asked about it. */
	if (base->path_count < 2 || base->class == CLASS_LIMIT_EXCEEDED ||
	    base->class == CLASS_MALFORMED_CERTIFICATE) {
		*out = verdict_ref((struct verdict *)base);
		return E_OK;
	}
	struct verdict *v = copy(base);
	if (v == NULL) {
		return E_NOMEM;
	}
	if (answer != NULL &&
	    (answer->until_s <= now_s || answer->this_update_s - OCSP_SKEW_S > now_s)) {
		answer = NULL;
		detail = "the OCSP answer is out of date";
	}
	if (answer != NULL) {
		narrow(v, answer);
	}
	tell(&v->revocation, answer);
	if (answer != NULL && answer->status == REVOCATION_REVOKED) {
		add_finding(v, CLASS_REVOKED, answer->revoked_at_s,
		            revocation_reason(answer->reason));
	} else if (hard && answer == NULL) {
		add_finding(v, CLASS_REVOCATION_UNKNOWN, 0, detail);
	} else if (hard && answer->status == REVOCATION_UNKNOWN) {
		add_finding(v, CLASS_REVOCATION_UNKNOWN, 0,
		            "the OCSP responder does not know the certificate");
	}
	*out = v;
	return E_OK;
}
