#include "event/certificate.h"
#include "event/encoder.h"
#include "event/parts.h"
#include "peer/classes.h"

#define DAY_S 86400

/* Of a name as it was offered; the table of RFC 8446 B.1 and older. */
static struct slice version_name(uint16_t version, char text[static 6])
{
	static const char digits[] = "0123456789abcdef";
	switch (version) {
	case 0x0304:
		return SLICE("1.3");
	case 0x0303:
		return SLICE("1.2");
	case 0x0302:
		return SLICE("1.1");
	case 0x0301:
		return SLICE("1.0");
	default:
		break;
	}
	text[0] = '0';
	text[1] = 'x';
	for (int i = 0; i < 4; i++) {
		text[2 + i] = digits[version >> (12 - 4 * i) & 15];
	}
	return slice_of(text, 6);
}

static void put_versions(struct encoder *e, const struct hello *hello)
{
	const enum event_field field = FIELD_TLSCRIBE_CLIENT_HELLO_VERSIONS;
	struct json_mark mark;
	if (!open_array(e, field, &mark)) {
		return;
	}
	unsigned put = 0;
	for (unsigned i = 0; i < hello->version_count && i < HELLO_VERSIONS_MAX; i++) {
		char text[6];
		put_element(e, field, version_name(hello->versions[i], text), &put);
	}
	close_array(e, field, mark);
}

/* RFC 7301 3.1: names, each behind its length. */
static void put_alpn(struct encoder *e, const struct hello *hello)
{
	const enum event_field field = FIELD_TLSCRIBE_CLIENT_HELLO_ALPN;
	struct json_mark mark;
	if (hello->alpn_len == 0 || hello->alpn_len > HELLO_ALPN_MAX ||
	    !open_array(e, field, &mark)) {
		return;
	}
	unsigned put = 0;
	size_t at = 0;
	while (at < hello->alpn_len) {
		size_t len = hello->alpn[at++];
		if (len > hello->alpn_len - at) {
			break;
		}
		put_element(e, field, slice_of(hello->alpn + at, len), &put);
		at += len;
	}
	close_array(e, field, mark);
}

static void put_client_hello(struct encoder *e, const struct hello *hello)
{
	if (!hello->seen) {
		return;
	}
	struct json_mark object = open_object(e, "client_hello");
	put_hex(e, FIELD_TLSCRIBE_CLIENT_HELLO_SHA256, slice_of(hello->sha256, 32));
	put_versions(e, hello);
	put_alpn(e, hello);
	put_u64(e, FIELD_TLSCRIBE_CLIENT_HELLO_CIPHER_COUNT, hello->cipher_count);
	put_string(e, FIELD_TLSCRIBE_CLIENT_HELLO_JA4, hello->ja4);
	close_object(e, object);
}

static void put_finding(struct encoder *e, enum peer_class class, int depth, const char *detail,
                        bool tolerated)
{
	struct json_mark element = open_element(e);
	put_string(e, FIELD_TLSCRIBE_FINDINGS_CLASS, peer_class_row(class)->name);
	if (depth >= 0) {
		put_u64(e, FIELD_TLSCRIBE_FINDINGS_DEPTH, (uint64_t)depth);
	}
	put_string(e, FIELD_TLSCRIBE_FINDINGS_DETAIL, detail);
	if (tolerated) {
		put_bool(e, FIELD_TLSCRIBE_FINDINGS_TOLERATED, true);
	}
	close_element(e, element);
}

static void put_findings(struct encoder *e, const struct handshake *hs)
{
	struct json_mark mark;
	if (!open_array(e, FIELD_TLSCRIBE_FINDINGS, &mark)) {
		return;
	}
	const struct verdict *verdict = hs->verdict;
	if (verdict == NULL) {
		if (hs->detail != NULL) {
			put_finding(e, hs->class, -1, hs->detail, false);
		}
	} else {
		for (size_t i = 0; i < verdict->finding_count && i < VERDICT_FINDINGS_MAX; i++) {
			const struct finding *f = &verdict->findings[i];
			put_finding(e, f->class, f->depth, f->detail, (hs->tolerated >> i & 1) != 0);
		}
	}
	close_array(e, FIELD_TLSCRIBE_FINDINGS, mark);
}

static void put_asked(struct encoder *e, const struct handshake *hs)
{
	/* Of a server it is always asked for, and without a list of CAs. */
	bool requested = hs->requested || hs->egress;
	put_bool(e, FIELD_TLSCRIBE_EVIDENCE_REQUESTED, requested);
	if (requested && !hs->egress) {
		put_bool(e, FIELD_TLSCRIBE_EVIDENCE_CA_NAMES, hs->ca_names);
	}
	if (requested) {
		put_bool(e, FIELD_TLSCRIBE_EVIDENCE_PRESENTED, hs->presented);
	}
	put_string(e, FIELD_TLSCRIBE_EVIDENCE_POSSESSION, possession_name(hs->possession));
}

static void put_evidence(struct encoder *e, const struct handshake *hs, bool whole)
{
	struct json_mark evidence = open_object(e, "evidence");
	if (whole) {
		put_asked(e, hs);
	}
	if (hs->chain != NULL) {
		put_u64(e, FIELD_TLSCRIBE_EVIDENCE_CHAIN_LENGTH, hs->chain->count);
		put_hex(e, FIELD_TLSCRIBE_EVIDENCE_CHAIN_SHA256, slice_of(hs->chain->sha256, 32));
	}
	close_object(e, evidence);
}

static void put_path(struct encoder *e, const struct verdict *verdict)
{
	struct json_mark mark;
	if (verdict->path_count > 0 && open_array(e, FIELD_TLSCRIBE_PATH, &mark)) {
		for (size_t i = 0; i < verdict->path_count && i < VERDICT_PATH_MAX; i++) {
			struct json_mark element = open_element(e);
			put_string(e, FIELD_TLSCRIBE_PATH_SUBJECT, verdict->path[i].subject);
			put_hex(e, FIELD_TLSCRIBE_PATH_SHA256,
			        slice_of(verdict->path[i].sha256, 32));
			close_element(e, element);
		}
		close_array(e, FIELD_TLSCRIBE_PATH, mark);
	}
	put_string(e, FIELD_TLSCRIBE_ANCHOR_FILE, verdict->anchor_file);
}

static const char *source_name(enum revocation_source source)
{
	switch (source) {
	case REVOCATION_SOURCE_CRL:
		return "crl";
	case REVOCATION_SOURCE_OCSP:
		return "ocsp";
	case REVOCATION_SOURCE_NONE:
		break;
	}
	return NULL;
}

static const char *status_name(enum revocation_status status)
{
	switch (status) {
	case REVOCATION_GOOD:
		return "good";
	case REVOCATION_REVOKED:
		return "revoked";
	case REVOCATION_UNKNOWN:
		break;
	}
	return "unknown";
}

void put_revocation(struct encoder *e, const struct revocation *told, int64_t now_us)
{
	if (!told->checked) {
		return;
	}
	struct json_mark object = open_object(e, "revocation");
	put_string(e, FIELD_TLSCRIBE_REVOCATION_SOURCE, source_name(told->source));
	put_string(e, FIELD_TLSCRIBE_REVOCATION_STATUS, status_name(told->status));
	if (told->source != REVOCATION_SOURCE_NONE) {
		int64_t age_s = now_us / 1000000 - encoder_us(told->this_update_s) / 1000000;
		put_string(e, FIELD_TLSCRIBE_REVOCATION_NUMBER, told->number);
		put_time_s(e, FIELD_TLSCRIBE_REVOCATION_THIS_UPDATE, told->this_update_s);
		if (told->next_update_s != 0) {
			put_time_s(e, FIELD_TLSCRIBE_REVOCATION_NEXT_UPDATE, told->next_update_s);
		}
		/* The issuer's clock may be a little ahead of ours. */
		put_i64(e, FIELD_TLSCRIBE_REVOCATION_AGE_S, age_s > 0 ? age_s : 0);
	}
	close_object(e, object);
}

static void put_revoked(struct encoder *e, const struct connection_revoked *revoked)
{
	struct json_mark object = open_object(e, "revoked");
	put_string(e, FIELD_TLSCRIBE_REVOKED_CAUSE, revoked->cause);
	put_bool(e, FIELD_TLSCRIBE_REVOKED_CLOSED, revoked->closed);
	put_string(e, FIELD_TLSCRIBE_REVOKED_DECISION_BEFORE, decision_name(revoked->before));
	close_object(e, object);
}

/* Rounded down, so that a certificate that has just expired does not have 0 days left. */
static int64_t days_left(int64_t now_us, int64_t not_after_s)
{
	int64_t left_s = encoder_us(not_after_s) / 1000000 - now_us / 1000000;
	return left_s >= 0 ? left_s / DAY_S : -((-left_s + DAY_S - 1) / DAY_S);
}

static void put_timing(struct encoder *e, const struct handshake *hs)
{
	struct json_mark timing = open_object(e, "timing");
	if (hs->client_hello_us >= 0) {
		put_i64(e, FIELD_TLSCRIBE_TIMING_CLIENT_HELLO_US, hs->client_hello_us);
	}
	if (hs->handshake_us >= 0) {
		put_i64(e, FIELD_TLSCRIBE_TIMING_HANDSHAKE_US, hs->handshake_us);
	}
	if (hs->verify_us >= 0) {
		put_i64(e, FIELD_TLSCRIBE_TIMING_VERIFY_US, hs->verify_us);
	}
	close_object(e, timing);
}

static void put_headers(struct encoder *e, const struct handshake *hs)
{
	struct json_mark headers = open_object(e, "headers");
	struct json_mark mark;
	if (hs->omitted_header_count > 0 && open_array(e, FIELD_TLSCRIBE_HEADERS_OMITTED, &mark)) {
		unsigned put = 0;
		for (size_t i = 0; i < hs->omitted_header_count; i++) {
			put_element(e, FIELD_TLSCRIBE_HEADERS_OMITTED,
			            slice_text(hs->omitted_headers[i]), &put);
		}
		close_array(e, FIELD_TLSCRIBE_HEADERS_OMITTED, mark);
	}
	close_object(e, headers);
}

static const char *verify_mode(const struct handshake *hs)
{
	if (hs->egress) {
		return hs->verify_mode;
	}
	return hs->service != NULL ? hs->service->verify_mode : NULL;
}

static void put_alert_and_policy(struct encoder *e, const struct handshake *hs)
{
	struct json_mark alert = open_object(e, "alert");
	if (hs->tls.alert_sent >= 0) {
		put_i64(e, FIELD_TLSCRIBE_ALERT_SENT, hs->tls.alert_sent);
	}
	if (hs->tls.alert_received >= 0) {
		put_i64(e, FIELD_TLSCRIBE_ALERT_RECEIVED, hs->tls.alert_received);
	}
	close_object(e, alert);
	if (hs->policy_sha256 != NULL) {
		struct json_mark policy = open_object(e, "policy");
		put_u64(e, FIELD_TLSCRIBE_POLICY_EPOCH, hs->policy_epoch);
		put_hex(e, FIELD_TLSCRIBE_POLICY_SHA256, slice_of(hs->policy_sha256, 32));
		close_object(e, policy);
	}
}

static const char *connection_of(const struct handshake *hs,
                                 const struct connection_revoked *revoked)
{
	if (revoked != NULL) {
		return revoked->connection;
	}
	return hs->egress ? hs->connection : NULL;
}

void put_tlscribe(struct encoder *e, const struct handshake *hs, const struct ips *ips,
                  const struct connection_revoked *revoked)
{
	const struct cert *leaf = certificate_leaf(hs);
	struct json_mark object = open_object(e, "tlscribe");
	put_log(e);
	put_string(e, FIELD_TLSCRIBE_CONNECTION, connection_of(hs, revoked));
	put_peer(e, ips, &hs->peer);
	put_client_hello(e, &hs->hello);
	put_string(e, FIELD_TLSCRIBE_CLASS, peer_class_row(hs->class)->name);
	put_findings(e, hs);
	put_bool(e, FIELD_TLSCRIBE_VERIFIED, hs->verified);
	put_string(e, FIELD_TLSCRIBE_VERIFY_MODE, verify_mode(hs));
	put_string(e, FIELD_TLSCRIBE_DECISION, decision_name(hs->decision));
	put_string(e, FIELD_TLSCRIBE_DENIED_BY, denied_by_name(hs->denied_by));
	put_evidence(e, hs, revoked == NULL);
	if (hs->verdict != NULL) {
		put_path(e, hs->verdict);
	}
	if (leaf != NULL) {
		put_i64(e, FIELD_TLSCRIBE_DAYS_LEFT, days_left(hs->end_us, leaf->not_after_s));
		put_hex(e, FIELD_TLSCRIBE_SPKI_SHA256, slice_of(leaf->spki_sha256, 32));
		put_usages(e, leaf);
	}
	if (hs->verdict != NULL) {
		put_revocation(e, &hs->verdict->revocation, hs->end_us);
	}
	put_headers(e, hs);
	put_alert_and_policy(e, hs);
	put_timing(e, hs);
	if (revoked != NULL) {
		put_revoked(e, revoked);
	}
	put_truncated(e);
	close_object(e, object);
}
