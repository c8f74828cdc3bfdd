/* What an operator should know of the CAs that a trust was made of: nothing of it is an error. */
#include "base/clock.h"
#include "peer/anchors.h"

#define SOON_S (30 * 86400)

static bool may_issue(const struct cert_x509 *x)
{
	return x->ca && (!x->has_key_usage || (x->key_usage & KEY_USAGE_KEY_CERT_SIGN) != 0);
}

static void warn_about(const struct trust *trust, const struct anchor *anchor, const char *file,
                       struct diag *diag, int64_t now_s)
{
	const struct trust_anchor *shown = &anchor->shown;
	const struct cert_x509 *x = anchor->cert.x509;
	struct mark at = shown->at;
	char when[CLOCK_TEXT_LEN + 1];
	if (now_s > shown->not_after_s) {
		clock_format(when, shown->not_after_s * 1000000);
		diag_warn(diag, file, at, "CA file %s: %s expired on %.10s", shown->file,
		          shown->subject, when);
	} else if (now_s < shown->not_before_s) {
		clock_format(when, shown->not_before_s * 1000000);
		diag_warn(diag, file, at, "CA file %s: %s is not valid before %.10s", shown->file,
		          shown->subject, when);
	} else if (shown->not_after_s - now_s <= SOON_S) {
		clock_format(when, shown->not_after_s * 1000000);
		diag_warn(diag, file, at, "CA file %s: %s expires on %.10s", shown->file,
		          shown->subject, when);
	}
	if (!may_issue(x)) {
		diag_warn(diag, file, at, "CA file %s: %s is no CA, so nothing it signs is accepted",
		          shown->file, shown->subject);
	}
	const char *weakness = key_weakness(&x->key_kind, trust->profile);
	if (x->key == NULL) {
		diag_warn(
			diag, file,
			at, "CA file %s: %s has a key of an unsupported kind, so nothing it signs is accepted",
			shown->file, shown->subject);
	} else if (weakness != NULL) {
		diag_warn(diag, file, at, "CA file %s: %s: %s for this profile", shown->file,
		          shown->subject, weakness);
	}
}

/* A file with a whole chain has the CA above the one that was meant, too. An intermediate that is an anchor among others is in
 * `issuers` for itself. */
static bool lets_all_in(const struct trust *trust, const struct anchor *issuer)
{
	for (size_t i = 0; i < trust->ca.count; i++) {
		const struct cert *ca = &trust->ca.items[i].cert;
		bool is_root = slice_equal(ca->x509->subject_folded, ca->x509->issuer_folded);
		if ((is_root || trust->ca.count == 1) && trust_is_same_ca(ca, &issuer->cert)) {
			return true;
		}
	}
	return false;
}

/* Dates do not count. */
static void warn_about_issuer(const struct trust *trust, const struct anchor *issuer,
                              const char *file, struct diag *diag)
{
	if (lets_all_in(trust, issuer)) {
		diag_warn(diag, file, issuer->shown.at,
		          "issuer file %s: %s stands in ca, too: issuers keeps nobody below it out",
		          issuer->shown.file, issuer->shown.subject);
	}
	if (!may_issue(issuer->cert.x509)) {
		diag_warn(diag, file, issuer->shown.at,
		          "issuer file %s: %s is no CA, so it is in no good path",
		          issuer->shown.file, issuer->shown.subject);
	}
}

void trust_warn(const struct trust *trust, const char *file, struct diag *diag)
{
	int64_t now_s = clock_wall_us() / 1000000;
	for (size_t i = 0; i < trust->ca.count; i++) {
		warn_about(trust, &trust->ca.items[i], file, diag, now_s);
	}
	for (size_t i = 0; i < trust->issuers.count; i++) {
		warn_about_issuer(trust, &trust->issuers.items[i], file, diag);
	}
}
