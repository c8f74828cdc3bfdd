#include "chain_check.h"

struct chain *chain_check_new(const struct chain_input *in, const uint8_t *data, size_t size)
{
	struct chain *chain = NULL;
	if (in->pem) {
		uint8_t *copy = fuzz_copy(data, size);
		int err = chain_read(&chain, slice_of(copy, size));
		BUG_IF(err != E_OK && err != E_LIMIT);
		free(copy);
		return err == E_OK ? chain : NULL;
	}
	struct slice der[CHAIN_INPUT_MAX];
	for (size_t i = 0; i < in->count; i++) {
		der[i] = slice_of(fuzz_copy(in->der[i].data, in->der[i].len), in->der[i].len);
	}
	BUG_IF(chain_new(&chain, der, in->count) != E_OK);
	for (size_t i = 0; i < in->count; i++) {
		free((void *)der[i].data);
	}
	return chain;
}

/* RFC 3629 */
static bool is_utf8(struct slice s)
{
	size_t i = 0;
	while (i < s.len) {
		uint8_t c = s.data[i];
		size_t more = c < 0x80                ? 0
		              : c >= 0xc2 && c < 0xe0 ? 1
		              : c >= 0xe0 && c < 0xf0 ? 2
		                                      : 3;
		if (more == 3 && (c < 0xf0 || c > 0xf4)) {
			return false;
		}
		if (s.len - i <= more) {
			return false;
		}
		uint32_t code = more == 0 ? c : c & (0x3fU >> more);
		for (size_t k = 1; k <= more; k++) {
			if ((s.data[i + k] & 0xc0) != 0x80) {
				return false;
			}
			code = code << 6 | (s.data[i + k] & 0x3f);
		}
		static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
		if (code < least[more] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
			return false;
		}
		i += more + 1;
	}
	return true;
}

void chain_check_text(struct slice text)
{
	BUG_IF(!is_utf8(text));
	for (size_t i = 0; i < text.len; i++) {
		BUG_IF(text.data[i] < ' ' || text.data[i] == 0x7f);
		/* U+0080 to U+009F, the other control characters */
		BUG_IF(text.data[i] == 0xc2 && i + 1 < text.len && text.data[i + 1] < 0xa0);
	}
}

static void check_printable(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		BUG_IF(text.data[i] <= ' ' || text.data[i] >= 0x7f);
	}
}

static void check_cert(const struct cert *cert)
{
	chain_check_text(cert->subject.text);
	chain_check_text(cert->issuer.text);
	BUG_IF(cert->version < 1 || cert->version > 3 || cert->serial.len == 0);
	BUG_IF(cert->subject.value_count > CERT_VALUES_MAX);
	BUG_IF(cert->issuer.value_count > CERT_VALUES_MAX);
	BUG_IF(cert->san_count > CERT_VALUES_MAX || cert->purpose_count > CERT_VALUES_MAX);
	BUG_IF(cert->policy_count > CERT_VALUES_MAX || cert->key_usage_count > 9);
	for (size_t i = 0; i < cert->san_count; i++) {
		BUG_IF(cert->sans[i].type > SAN_OTHER);
		if (cert->sans[i].type == SAN_DN) {
			chain_check_text(cert->sans[i].value);
		}
		if (cert->sans[i].type == SAN_OTHER) {
			check_printable(cert->sans[i].oid);
		}
	}
	for (size_t i = 0; i < cert->purpose_count; i++) {
		check_printable(cert->purposes[i]);
	}
	for (size_t i = 0; i < cert->policy_count; i++) {
		check_printable(cert->policies[i]);
	}
}

void chain_check_evidence(const struct chain *chain)
{
	size_t bytes = 0;
	BUG_IF(!chain->parsed || chain->count == 0);
	for (size_t i = 0; i < chain->count; i++) {
		const struct cert *cert = &chain->certs[i];
		bytes += cert->der.len;
		if (cert->parsed) {
			check_cert(cert);
		} else {
			BUG_IF(cert->x509 != NULL || cert->subject.text.len != 0);
			BUG_IF(cert->san_count != 0 || cert_identity_fault(cert) != NULL);
		}
	}
	BUG_IF(bytes != chain->bytes);
}

static const struct cert *find_cert(const struct chain *chain, const uint8_t *sha256)
{
	for (size_t i = 0; i < chain->count; i++) {
		if (memcmp(chain->certs[i].sha256, sha256, 32) == 0) {
			return &chain->certs[i];
		}
	}
	return NULL;
}

static bool is_anchor(const struct trust *trust, const uint8_t *sha256)
{
	for (size_t i = 0; i < trust_anchor_count(trust); i++) {
		if (memcmp(trust_anchor_at(trust, i)->sha256, sha256, 32) == 0) {
			return true;
		}
	}
	return false;
}

static void check_path(const struct verdict *verdict, const struct fuzz_trust *trust,
                       const struct chain *chain)
{
	size_t count = verdict->path_count;
	BUG_IF(count > VERDICT_PATH_MAX);
	BUG_IF((count > 0) != (verdict->anchor_file != NULL));
	for (size_t i = 0; i < count; i++) {
		const uint8_t *sha256 = verdict->path[i].sha256;
		const struct cert *cert = find_cert(chain, sha256);
		BUG_IF(i == 0 && cert != &chain->certs[0]);
		BUG_IF(i > 0 && i + 1 < count && (cert == NULL || !cert->parsed));
		BUG_IF(i + 1 == count && !is_anchor(trust->trust, sha256));
		chain_check_text(slice_text(verdict->path[i].subject));
		for (size_t k = 0; k < i; k++) {
			BUG_IF(memcmp(verdict->path[k].sha256, sha256, 32) == 0);
		}
	}
}

static void check_findings(const struct verdict *verdict, const struct chain *chain)
{
	size_t deepest = chain->count > VERDICT_PATH_MAX ? chain->count : VERDICT_PATH_MAX;
	BUG_IF(verdict->finding_count > VERDICT_FINDINGS_MAX);
	for (size_t i = 0; i < verdict->finding_count; i++) {
		const struct finding *f = &verdict->findings[i];
		BUG_IF(f->depth < 0 || (size_t)f->depth > deepest);
		BUG_IF(f->class == CLASS_OK || f->class == CLASS_NOT_CHECKED || f->code == 0);
		BUG_IF(i > 0 && (f->class < f[-1].class ||
		                 (f->class == f[-1].class && f->depth <= f[-1].depth)));
	}
	if (verdict->finding_count > 0) {
		BUG_IF(verdict->class != verdict->findings[0].class);
		BUG_IF(verdict->code != verdict->findings[0].code);
		BUG_IF(verdict->depth != verdict->findings[0].depth);
	} else {
		BUG_IF(verdict->class != CLASS_OK && verdict->class != CLASS_NOT_CHECKED);
		BUG_IF(verdict->depth != 0);
	}
}

void chain_check_verdict(const struct verdict *verdict, const struct fuzz_trust *trust,
                         const struct chain *chain, int64_t now_s)
{
	BUG_IF(verdict->signature_checks > trust->signature_checks);
	BUG_IF(verdict->name_comparisons > trust->name_comparisons);
	BUG_IF(now_s < verdict->holds_from_s || now_s >= verdict->holds_until_s);
	check_findings(verdict, chain);
	check_path(verdict, trust, chain);
	if (verdict->class != CLASS_OK) {
		return;
	}
	/* Nobody is let in without a certificate that was read, and without a reason to believe it. */
	for (size_t i = 0; i < chain->count && i < (trust->pinned ? 1 : chain->count); i++) {
		BUG_IF(!chain->certs[i].parsed);
	}
	BUG_IF(!cert_is_for_tls(&chain->certs[0]));
	BUG_IF(cert_identity_fault(&chain->certs[0]) != NULL);
	BUG_IF(verdict->path_count == 0 && !trust->pinned);
	BUG_IF(verdict->path_count > 1 && verdict->signature_checks == 0);
	BUG_IF(now_s < chain->certs[0].not_before_s || now_s > chain->certs[0].not_after_s);
	BUG_IF(verdict->revocation.checked && trust->lists != NULL && !trust->pinned &&
	       verdict->revocation.status != REVOCATION_GOOD);
}

static bool same_text(const char *a, const char *b)
{
	return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

void chain_check_same(const struct verdict *a, const struct verdict *b, bool work)
{
	BUG_IF(a->class != b->class || a->code != b->code || a->depth != b->depth);
	BUG_IF(a->finding_count != b->finding_count || a->path_count != b->path_count);
	for (size_t i = 0; i < a->finding_count; i++) {
		const struct finding *f = &a->findings[i];
		const struct finding *g = &b->findings[i];
		BUG_IF(f->class != g->class || f->depth != g->depth || f->code != g->code);
		BUG_IF(f->at_s != g->at_s || !same_text(f->detail, g->detail));
	}
	for (size_t i = 0; i < a->path_count; i++) {
		BUG_IF(!same_text(a->path[i].subject, b->path[i].subject));
		BUG_IF(memcmp(a->path[i].sha256, b->path[i].sha256, 32) != 0);
	}
	BUG_IF(!same_text(a->anchor_file, b->anchor_file));
	const struct revocation *r = &a->revocation;
	const struct revocation *q = &b->revocation;
	BUG_IF(r->source != q->source || r->status != q->status || r->checked != q->checked);
	BUG_IF(strcmp(r->number, q->number) != 0 || r->this_update_s != q->this_update_s ||
	       r->next_update_s != q->next_update_s);
	if (work) {
		BUG_IF(a->holds_from_s != b->holds_from_s || a->holds_until_s != b->holds_until_s);
		BUG_IF(a->signature_checks != b->signature_checks);
		BUG_IF(a->name_comparisons != b->name_comparisons);
	}
}
