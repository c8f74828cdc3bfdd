#include "peer/revocation.h"

#include <stdio.h>

/* Why nothing is known, as X509_V_ERR_ numbers (x509_vfy.h). Of 8 to 12, what a CRL of the issuer can
 * suffer from, the higher one is nearer to a CRL that counts. */
enum cause {
	CAUSE_NO_CRL = 3,
	CAUSE_SIGNATURE = 8,
	CAUSE_NOT_YET_VALID = 11,
	CAUSE_EXPIRED = 12,
	CAUSE_NO_CRL_SIGN = 35,
	CAUSE_SCOPE = 44,
};

/* One certificate that is being looked up. */
struct lookup {
	const struct revocation_check *check;
	const struct cert *cert;
	const struct cert *issuer;
	struct crl *const *crls; /* of the issuer's name, the newest first */
	size_t count;
	int64_t now_s;
	unsigned *signatures;
	bool limited; /* a signature more would have been needed */
};

static int compare_names(struct slice a, struct slice b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len > 0 ? memcmp(a.data, b.data, len) : 0;
	if (order != 0) {
		return order;
	}
	return a.len < b.len ? -1 : a.len > b.len;
}

int crl_compare(const void *a, const void *b)
{
	const struct crl_info *left = crl_info(*(struct crl *const *)a);
	const struct crl_info *right = crl_info(*(struct crl *const *)b);
	int order = compare_names(left->issuer_folded, right->issuer_folded);
	if (order != 0) {
		return order;
	}
	return left->this_update_s > right->this_update_s
	               ? -1
	               : left->this_update_s < right->this_update_s;
}

/* The CRLs of this name. */
static void find_crls(struct lookup *lookup)
{
	const struct revocation_check *check = lookup->check;
	struct slice name = lookup->issuer->x509->subject_folded;
	size_t low = 0;
	size_t high = check->crl_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare_names(crl_info(check->crls[middle])->issuer_folded, name) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	lookup->crls = check->crls + low;
	lookup->count = 0;
	while (low + lookup->count < check->crl_count &&
	       slice_equal(crl_info(lookup->crls[lookup->count])->issuer_folded, name)) {
		lookup->count++;
	}
}

static bool may_sign_crls(const struct cert *issuer)
{
	const struct cert_x509 *x = issuer->x509;
	return !x->has_key_usage || (x->key_usage & KEY_USAGE_CRL_SIGN) != 0;
}

/* By the issuer's key, whether its certificate lets it sign CRLs or not. */
static bool is_signed(struct lookup *lookup, const struct crl *crl)
{
	if (*lookup->signatures == 0) {
		lookup->limited = true;
		return false;
	}
	(*lookup->signatures)--;
	return crl_is_by_key_of(crl, lookup->issuer);
}

/* RFC 5280 6.3.3 (a) (1): through nextUpdate, inclusive */
static bool is_current(const struct crl_info *info, int64_t now_s)
{
	return now_s >= info->this_update_s &&
	       (info->next_update_s == 0 || now_s <= info->next_update_s);
}

/* The first second of each state. All of the name count, whether they would be looked at today or
 * not: with another one current, another one may be told of. */
static void narrow(const struct lookup *lookup, int64_t *from_s, int64_t *until_s)
{
	for (size_t i = 0; i < lookup->count; i++) {
		const struct crl_info *info = crl_info(lookup->crls[i]);
		const int64_t changes[] = {info->this_update_s, info->next_update_s + 1};
		size_t count = info->next_update_s == 0 ? 1 : 2;
		for (size_t k = 0; k < count; k++) {
			if (changes[k] <= lookup->now_s && changes[k] > *from_s) {
				*from_s = changes[k];
			}
			if (changes[k] > lookup->now_s && changes[k] < *until_s) {
				*until_s = changes[k];
			}
		}
	}
}

/* The one that revokes it, NULL if none does. It need not be current, nor strong: forging it could keep somebody out,
 * passing it over lets somebody in. Nor need the issuer's certificate allow CRLs: of several for one key, the client
 * chooses which one it sends. */
static const struct crl *find_revoking(struct lookup *lookup, struct crl_entry *entry)
{
	for (size_t i = 0; i < lookup->count && !lookup->limited; i++) {
		if (crl_find(lookup->crls[i], lookup->cert->serial, entry) &&
		    is_signed(lookup, lookup->crls[i])) {
			return lookup->crls[i];
		}
	}
	return NULL;
}

static bool lists(const struct lookup *lookup, const struct crl *crl)
{
	struct crl_entry entry;
	return crl_find(crl, lookup->cert->serial, &entry);
}

/* The newest one by which the certificate is not revoked; after find_revoking(), so that one that lists it is not its issuer's. What is certain
 * without its signature is looked at first: a CA may have cut its list into hundreds. */
static const struct crl *find_clearing(struct lookup *lookup)
{
	/* RFC 5280 6.3.3 (f) */
	if (!may_sign_crls(lookup->issuer)) {
		return NULL;
	}
	for (size_t i = 0; i < lookup->count && !lookup->limited; i++) {
		const struct crl *crl = lookup->crls[i];
		if (is_current(crl_info(crl), lookup->now_s) && crl_covers(crl, lookup->cert) &&
		    crl_weakness(crl, lookup->check->profile) == NULL && !lists(lookup, crl) &&
		    is_signed(lookup, crl)) {
			return crl;
		}
	}
	return NULL;
}

/* Why this one does not count. It covers the certificate, and does not revoke it. */
static enum cause cause_of(struct lookup *lookup, const struct crl *crl, const char **detail)
{
	bool current = is_current(crl_info(crl), lookup->now_s);
	const char *weakness = crl_weakness(crl, lookup->check->profile);
	/* Had the issuer signed one that lists it, or one that is current and strong, it would have
	 * counted. */
	if (lists(lookup, crl) || (current && weakness == NULL) || !is_signed(lookup, crl)) {
		*detail = "the issuer did not sign the CRL";
		return CAUSE_SIGNATURE;
	}
	if (weakness != NULL) {
		*detail = weakness;
		return CAUSE_SIGNATURE;
	}
	bool early = lookup->now_s < crl_info(crl)->this_update_s;
	*detail = early ? "the CRL is not yet valid" : "the CRL has expired";
	return early ? CAUSE_NOT_YET_VALID : CAUSE_EXPIRED;
}

/* Why none counts. */
static enum cause find_cause(struct lookup *lookup, const char **detail)
{
	if (lookup->count == 0) {
		*detail = "there is no CRL of the issuer";
		return CAUSE_NO_CRL;
	}
	if (!may_sign_crls(lookup->issuer)) {
		*detail = "the issuer may not sign CRLs";
		return CAUSE_NO_CRL_SIGN;
	}
	enum cause cause = CAUSE_SCOPE;
	*detail = "the CRLs of the issuer are for other certificates";
	for (size_t i = 0; i < lookup->count && !lookup->limited; i++) {
		const char *why;
		if (!crl_covers(lookup->crls[i], lookup->cert)) {
			continue;
		}
		enum cause found = cause_of(lookup, lookup->crls[i], &why);
		if (cause == CAUSE_SCOPE || found > cause) {
			cause = found;
			*detail = why;
		}
	}
	return cause;
}

const char *revocation_reason(unsigned reason)
{
	/* RFC 5280 5.3.1, by value */
	static const char *const texts[] = {
		NULL,
		"key compromise",
		"CA compromise",
		"affiliation changed",
		"superseded",
		"cessation of operation",
		"certificate hold",
		NULL,
		"remove from CRL",
		"privilege withdrawn",
		"AA compromise",
	};
	return reason < sizeof(texts) / sizeof(texts[0]) ? texts[reason] : NULL;
}

static void tell(struct revocation *told, enum revocation_status status, const struct crl *crl)
{
	*told = (struct revocation){.checked = true, .status = status};
	if (crl == NULL) {
		return;
	}
	const struct crl_info *info = crl_info(crl);
	told->source = REVOCATION_SOURCE_CRL;
	snprintf(told->number, sizeof(told->number), "%s", info->number);
	told->this_update_s = info->this_update_s;
	told->next_update_s = info->next_update_s;
}

/* One certificate. False: out of work. `told` is the leaf's, NULL for others. */
static bool check_cert(struct lookup *lookup, struct findings *findings, struct revocation *told,
                       int depth)
{
	struct crl_entry entry;
	const struct crl *crl = find_revoking(lookup, &entry);
	enum revocation_status status = REVOCATION_REVOKED;
	if (crl != NULL) {
		findings_add(findings, CLASS_REVOKED, depth, 0, entry.revoked_at_s,
		             revocation_reason(entry.reason));
	} else {
		crl = find_clearing(lookup);
		status = crl != NULL ? REVOCATION_GOOD : REVOCATION_UNKNOWN;
	}
	if (crl == NULL && !lookup->limited && lookup->check->mode == REVOCATION_HARD) {
		const char *detail;
		enum cause cause = find_cause(lookup, &detail);
		findings_add(findings, CLASS_REVOCATION_UNKNOWN, depth, cause, 0, detail);
	}
	if (told != NULL) {
		tell(told, status, crl);
	}
	return !lookup->limited;
}

bool revocation_check_path(const struct revocation_check *check, struct findings *findings,
                           struct revocation *told, const struct cert *const *path, size_t count,
                           int64_t now_s, int64_t *from_s, int64_t *until_s, unsigned *signatures)
{
	if (check->mode == REVOCATION_OFF) {
		return true;
	}
	size_t checked = count < 2 ? 0 : check->scope == REVOCATION_LEAF ? 1 : count - 1;
	for (size_t i = 0; i < checked; i++) {
		struct lookup lookup = {
			.check = check,
			.cert = path[i],
			.issuer = path[i + 1],
			.now_s = now_s,
			.signatures = signatures,
		};
		find_crls(&lookup);
		narrow(&lookup, from_s, until_s);
		if (!check_cert(&lookup, findings, i == 0 ? told : NULL, (int)i)) {
			return false;
		}
	}
	return true;
}
