/* X-Forwarded-Client-Cert, as Envoy writes it. */
#include "base/err.h"
#include "http/identity_encode.h"
#include "http/identity_parts.h"

/* Envoy's grammar: a value with `,`, `;` or `=` stands in double quotes. There is neither `"` nor `\` in a value (the two are
 * percent-encoded, or hex pairs in a DN), because readers do not agree on what an escape within quotes is. */
static void xfcc_pair(struct identity_value *v, const char *key, struct slice raw,
                      enum percent_set set)
{
	struct buf *out = &v->out;
	bool quoted = false;
	for (size_t i = 0; i < raw.len; i++) {
		quoted = quoted || raw.data[i] == ',' || raw.data[i] == ';' || raw.data[i] == '=';
	}
	buf_append_text(out, key);
	buf_append_text(out, quoted ? "=\"" : "=");
	encode_percent(out, raw, set);
	buf_append_text(out, quoted ? "\"" : "");
}

static void xfcc_by(struct identity_value *v)
{
	if (v->identity->by.len > 0) {
		xfcc_pair(v, "By", v->identity->by, PERCENT_URI);
	}
}

static void xfcc_hash(struct identity_value *v)
{
	buf_append_text(&v->out, "Hash=");
	buf_append_hex(&v->out, slice_of(v->identity->sha256, 32), false);
}

static void xfcc_cert(struct identity_value *v)
{
	if (v->identity->der.len == 0) {
		return;
	}
	buf_append_text(&v->out, "Cert=\"");
	encode_url_pem(&v->out, v->identity->der);
	buf_append_byte(&v->out, '"');
}

static void xfcc_chain(struct identity_value *v)
{
	if (v->identity->der.len == 0) {
		return;
	}
	buf_append_text(&v->out, "Chain=\"");
	encode_url_pem(&v->out, v->identity->der);
	for (size_t i = 0; i < v->identity->chain_count && v->out.err == E_OK; i++) {
		encode_url_pem(&v->out, v->identity->chain[i]);
	}
	buf_append_byte(&v->out, '"');
}

static void xfcc_subject(struct identity_value *v)
{
	buf_append_text(&v->out, "Subject=\"");
	encode_dn(&v->out, v->identity->subject, DN_HEX);
	buf_append_byte(&v->out, '"');
}

static void xfcc_sans(struct identity_value *v, enum identity_san_type type, const char *key,
                      enum percent_set set)
{
	const char *between = "";
	for (size_t i = 0; i < v->identity->san_count && v->out.err == E_OK; i++) {
		const struct identity_san *san = &v->identity->sans[i];
		if (san->type == type && san->value.len > 0) {
			buf_append_text(&v->out, between);
			xfcc_pair(v, key, san->value, set);
			between = ";";
		}
	}
}

static void xfcc_uri(struct identity_value *v)
{
	xfcc_sans(v, IDENTITY_SAN_URI, "URI", PERCENT_URI);
}

static void xfcc_dns(struct identity_value *v)
{
	xfcc_sans(v, IDENTITY_SAN_DNS, "DNS", PERCENT_HOST);
}

bool identity_render_xfcc(struct identity_value *v)
{
	static const struct identity_part parts[] = {
		{xfcc_by, 0, NULL},
		{xfcc_hash, 0, NULL},
		{xfcc_cert, 2, "X-Forwarded-Client-Cert: Cert"},
		{xfcc_chain, 1, "X-Forwarded-Client-Cert: Chain"},
		{xfcc_subject, 5, "X-Forwarded-Client-Cert: Subject"},
		{xfcc_uri, 4, "X-Forwarded-Client-Cert: URI"},
		{xfcc_dns, 3, "X-Forwarded-Client-Cert: DNS"},
	};
	return identity_parts_write(v, parts, sizeof(parts) / sizeof(parts[0]), ";");
}
