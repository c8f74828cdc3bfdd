#include "event/judgement.h"

#include "base/err.h"
#include "event/certificate.h"
#include "event/encoder.h"
#include "peer/classes.h"

/* A key that no event has. */
#define put_own_key(e, name) json_raw(&(e)->json, "\"" name "\":", sizeof("\"" name "\":") - 1)

static void put_own_text(struct encoder *e, const char *text)
{
	json_text(&e->json, slice_text(text));
}

static void put_finding(struct encoder *e, const struct finding *finding)
{
	struct json_mark element = open_element(e);
	put_own_key(e, "class");
	put_own_text(e, peer_class_row(finding->class)->name);
	put_own_key(e, "code");
	json_u64(&e->json, finding->code);
	put_own_key(e, "depth");
	json_i64(&e->json, finding->depth);
	if (finding->detail != NULL) {
		put_own_key(e, "detail");
		put_own_text(e, finding->detail);
	}
	if (finding->at_s != 0) {
		put_own_key(e, "at");
		json_time(&e->json, encoder_us(finding->at_s));
	}
	close_element(e, element);
}

/* Always there: an empty list says that there is no fault. */
static void put_findings(struct encoder *e, const struct verdict *verdict)
{
	put_own_key(e, "findings");
	if (verdict->finding_count == 0) {
		json_raw(&e->json, "[],", 3);
		return;
	}
	struct json_mark list = json_open(&e->json, "[", 1);
	for (size_t i = 0; i < verdict->finding_count; i++) {
		put_finding(e, &verdict->findings[i]);
	}
	json_close(&e->json, list, ']');
}

static void put_path(struct encoder *e, const struct verdict *verdict)
{
	if (verdict->path_count == 0) {
		return;
	}
	put_own_key(e, "path");
	struct json_mark list = json_open(&e->json, "[", 1);
	for (size_t i = 0; i < verdict->path_count; i++) {
		struct json_mark element = open_element(e);
		put_string(e, FIELD_TLSCRIBE_PATH_SUBJECT, verdict->path[i].subject);
		put_hex(e, FIELD_TLSCRIBE_PATH_SHA256, slice_of(verdict->path[i].sha256, 32));
		close_element(e, element);
	}
	json_close(&e->json, list, ']');
	put_string(e, FIELD_TLSCRIBE_ANCHOR_FILE, verdict->anchor_file);
}

/* Who the leaf says it is, as tls.client of an event does, and its fingerprints. */
static void put_leaf(struct encoder *e, const struct chain *chain)
{
	const struct handshake hs = {.presented = true, .chain = (struct chain *)chain};
	const struct cert *leaf = certificate_leaf(&hs);
	struct json_mark identity = open_object(e, "identity");
	put_certificate(e, &hs);
	if (leaf != NULL) {
		put_hex(e, FIELD_TLSCRIBE_SPKI_SHA256, slice_of(leaf->spki_sha256, 32));
		put_usages(e, leaf);
	}
	close_object(e, identity);
}

static void put_work(struct encoder *e, const struct chain *chain, const struct verdict *verdict)
{
	put_own_key(e, "chain_length");
	json_u64(&e->json, chain->count);
	struct json_mark work = open_object(e, "work");
	put_own_key(e, "signature_checks");
	json_u64(&e->json, verdict->signature_checks);
	put_own_key(e, "name_comparisons");
	json_u64(&e->json, verdict->name_comparisons);
	close_object(e, work);
}

int event_encode_judgement(struct buf *out, const struct chain *chain,
                           const struct verdict *verdict, int64_t at_s)
{
	const struct peer_class_row *row = peer_class_row(verdict->class);
	struct encoder e = {0};
	json_begin(&e.json, out, JUDGEMENT_MAX);
	struct json_mark object = open_element(&e);
	put_own_key(&e, "class");
	put_own_text(&e, row->name);
	put_own_key(&e, "code");
	json_u64(&e.json, verdict->code);
	put_own_key(&e, "depth");
	json_i64(&e.json, verdict->depth);
	put_own_key(&e, "message");
	put_own_text(&e, row->sentence);
	put_own_key(&e, "time");
	json_time(&e.json, encoder_us(at_s));
	put_findings(&e, verdict);
	put_path(&e, verdict);
	put_leaf(&e, chain);
	put_revocation(&e, &verdict->revocation, at_s * 1000000);
	put_work(&e, chain, verdict);
	close_element(&e, object);
	return json_finish(&e.json);
}
