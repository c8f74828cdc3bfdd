#include "proxy/judge.h"

#include "base/bug.h"
#include "base/clock.h"
#include "base/err.h"
#include "peer/classify.h"
#include "peer/ocsp.h"
#include "policy/decide.h"

static int64_t now_s(void)
{
	return clock_wall_us() / 1000000;
}

/* False: out of memory. */
static bool look_up(struct handshake *hs, const struct judge *judge)
{
	uint64_t before_ns = clock_mono_ns();
	int err = peer_cache_judge(judge->cache, &hs->verdict, judge->trust, judge->lists,
	                           hs->chain, now_s());
	hs->verify_us = (int64_t)((clock_mono_ns() - before_ns) / 1000);
	return err == E_OK;
}

void judge_end(struct handshake *hs, enum peer_class class, const char *detail)
{
	/* Nothing was proven, but what was claimed is evidence; without memory for it only its hash is told. */
	if (hs->chain != NULL) {
		(void)chain_parse(hs->chain);
	}
	verdict_unref(
		&hs->verdict); /* one that waited for an answer, and is not the word of this event */
	policy_end(hs, class, detail);
}

static bool lets_in(const struct handshake *hs)
{
	return hs->decision != DECISION_DENY && hs->decision != DECISION_QUARANTINE;
}

/* Only about those who would get in otherwise, so that no stranger makes us ask; and only where there is an issuer who could answer. */
static bool wants_answer(const struct handshake *hs, const struct judge *judge, struct slice *issuer)
{
	if (judge->desk == NULL || !hs->presented || !lets_in(hs) ||
	    judge->service->config->client.ocsp.mode == REVOCATION_OFF) {
		return false;
	}
	*issuer = ocsp_issuer(hs->verdict, judge->trust, hs->chain);
	return issuer->len > 0;
}

/* `hs` was let in by all else. */
static void take_answer(struct handshake *hs, const struct judge *judge,
                        const struct ocsp_answer *answer, const char *why)
{
	struct verdict *verdict = NULL;
	bool hard = judge->service->config->client.ocsp.mode == REVOCATION_HARD;
	if (ocsp_verdict(&verdict, hs->verdict, answer, hard, why, now_s()) != E_OK) {
		judge_end(hs, CLASS_INTERNAL_ERROR, "out of memory");
		return;
	}
	verdict_unref(&hs->verdict);
	hs->verdict = verdict;
	policy_decide(hs, judge->policy, now_s());
}

enum judge_step judge_presented(struct handshake *hs, const struct judge *judge)
{
	if (hs->presented && !look_up(hs, judge)) {
		judge_end(hs, CLASS_INTERNAL_ERROR, "out of memory");
		return JUDGE_DECIDED;
	}
	policy_decide(hs, judge->policy, now_s());
	struct slice issuer;
	if (!wants_answer(hs, judge, &issuer)) {
		return JUDGE_DECIDED;
	}
	struct ocsp_answer answer;
	const char *why = NULL;
	int err = status_ask(judge->desk, judge->service, hs->chain->certs[0].der, issuer, now_s(),
	                     judge->query, &answer, &why);
	if (err == E_AGAIN) {
		return JUDGE_WAITS;
	}
	if (err == E_LIMIT && judge->patient) {
		return JUDGE_LATER;
	}
	take_answer(hs, judge, err == E_OK ? &answer : NULL, why);
	return JUDGE_DECIDED;
}

void judge_answer(struct handshake *hs, const struct judge *judge, const struct ocsp_answer *answer,
                  const char *why)
{
	enum revocation_mode mode = judge->service->config->client.ocsp.mode;
	struct judge silent = *judge;
	int64_t before_us = hs->verify_us;
	silent.desk = NULL;
	verdict_unref(&hs->verdict);
	judge_presented(hs, &silent);
	hs->verify_us += before_us;
	if (hs->verdict != NULL && lets_in(hs) && mode != REVOCATION_OFF) {
		take_answer(hs, judge, answer, why);
	}
}

enum judge_step judge_complete(struct handshake *hs, const struct judge *judge,
                               const struct tls_session *tls)
{
	if (hs->presented) {
		/* A completed handshake with a certificate has its CertificateVerify checked: GnuTLS sees to it, and we look. */
		BUG_IF(!tls_session_possession_proven(tls));
		hs->possession = POSSESSION_PROVEN;
	}
	return judge_presented(hs, judge);
}

/* A leaf that nobody can prove anything with: malformed, or of a kind that TLS does not know. The verdict is kept then. */
static bool judge_unusable(struct handshake *hs, const struct judge *judge)
{
	if (!look_up(hs, judge)) {
		return false;
	}
	enum peer_class class = hs->verdict->class;
	if (class != CLASS_MALFORMED_CERTIFICATE && class != CLASS_UNSUPPORTED_KEY) {
		verdict_unref(&hs->verdict);
		return false;
	}
	policy_end(hs, class, NULL);
	return true;
}

/* One finding at the leaf. False: out of memory. */
static bool judge_as(struct handshake *hs, enum peer_class class, const char *detail)
{
	if (verdict_single(&hs->verdict, class, 0, detail) != E_OK) {
		return false;
	}
	policy_end(hs, class, NULL);
	return true;
}

/* The certificate's own fault if our reading of it finds one; else it is the library's word or a failed proof. */
static bool judge_certificate(struct handshake *hs, const struct judge *judge,
                              enum tls_failure failure)
{
	if (judge_unusable(hs, judge)) {
		return true;
	}
	/* Its signature could be verified all the same, so the verdict alone does not say it. */
	if (!cert_is_for_tls(&hs->chain->certs[0])) {
		return judge_as(hs, CLASS_UNSUPPORTED_KEY, "the TLS library cannot use its key");
	}
	if (failure == TLS_FAILURE_POSSESSION) {
		hs->possession = POSSESSION_FAILED;
		return judge_as(hs, CLASS_POSSESSION_FAILED, NULL);
	}
	return judge_as(hs, CLASS_MALFORMED_CERTIFICATE, "the TLS library cannot read it");
}

struct judged judge_failure(struct handshake *hs, const struct judge *judge,
                            const struct tls_session *tls)
{
	static const struct {
		enum peer_class class;
		const char *detail;
	} classes[] = {
		[TLS_FAILURE_UNKNOWN_NAME] = {CLASS_UNKNOWN_SERVER_NAME, NULL},
		[TLS_FAILURE_NO_VERSION] = {CLASS_NO_COMMON_VERSION, NULL},
		[TLS_FAILURE_NO_CIPHER] = {CLASS_NO_COMMON_CIPHER, "no common cipher suite"},
		[TLS_FAILURE_NO_SIGNATURE] = {CLASS_NO_COMMON_CIPHER,
	                                      "no common signature algorithm"},
		[TLS_FAILURE_NO_GROUP] = {CLASS_NO_COMMON_GROUP, NULL},
		[TLS_FAILURE_NO_PROTOCOL] = {CLASS_NO_COMMON_PROTOCOL, NULL},
		[TLS_FAILURE_PEER_ALERT] = {CLASS_PEER_ALERT, NULL},
		[TLS_FAILURE_PEER_CLOSED] = {CLASS_PEER_CLOSED, NULL},
		[TLS_FAILURE_NOT_TLS] = {CLASS_NOT_TLS, NULL},
		[TLS_FAILURE_NAME_CHANGED] = {CLASS_PROTOCOL_ERROR,
	                                      "the server name changed after HelloRetryRequest"},
		[TLS_FAILURE_CERTIFICATES_LIMIT] = {CLASS_LIMIT_EXCEEDED,
	                                            "too many certificates, or too long"},
		[TLS_FAILURE_PROTOCOL] = {CLASS_PROTOCOL_ERROR, NULL},
		[TLS_FAILURE_CERTIFICATE] = {CLASS_INTERNAL_ERROR, "out of memory"},
		[TLS_FAILURE_POSSESSION] = {CLASS_INTERNAL_ERROR, "out of memory"},
		[TLS_FAILURE_INTERNAL] = {CLASS_INTERNAL_ERROR, NULL},
	};
	enum tls_failure failure = tls_session_failure(tls);
	BUG_IF(failure == TLS_FAILURE_NONE);
	if ((failure == TLS_FAILURE_CERTIFICATE || failure == TLS_FAILURE_POSSESSION) &&
	    judge_certificate(hs, judge, failure)) {
		return (struct judged){.verdict = true};
	}
	if (failure == TLS_FAILURE_CERTIFICATES_LIMIT) {
		hs->presented = true;
		hs->possession = POSSESSION_NOT_REACHED;
	}
	struct judged judged = {.class = classes[failure].class, .detail = classes[failure].detail};
	judged.alert = policy_alert(judged.class, hs->tls.version);
	if (judged.class == CLASS_PROTOCOL_ERROR && tls_session_failure_alert(tls) >= 0) {
		judged.alert = tls_session_failure_alert(tls);
	}
	return judged;
}
