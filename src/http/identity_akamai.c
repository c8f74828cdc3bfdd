/* Client-to-Edge-HTTP-Auth. */
#include "base/err.h"
#include "http/identity_encode.h"
#include "http/identity_parts.h"

/* A dictionary of RFC 8941 3.2. */
static void akamai_status(struct identity_value *v)
{
	const struct identity *identity = v->identity;
	buf_append_text(&v->out, "validation-status=");
	buf_append_text(&v->out, !identity->used      ? "none"
	                         : identity->verified ? "valid"
	                                              : "invalid");
	buf_append_text(&v->out, ";class=");
	buf_append_text(&v->out, identity->class_name);
}

static bool akamai_wants(const struct identity_value *v, unsigned attribute)
{
	return v->identity->used && (v->use->attributes & attribute) != 0;
}

static void akamai_certificate(struct identity_value *v)
{
	if (v->identity->der.len > 0 && v->use->attributes == 0) {
		buf_append_text(&v->out, "certificate=");
		encode_sf_bytes(&v->out, v->identity->der);
	}
}

static void akamai_string(struct identity_value *v, const char *key, struct buf *text)
{
	/* What is cut off by its limit would be another name. */
	if (text->err != E_OK) {
		v->out.err = text->err;
		return;
	}
	buf_append_text(&v->out, key);
	encode_sf_string(&v->out, buf_slice(text));
}

static void akamai_dn(struct identity_value *v, const char *key, struct slice dn)
{
	uint8_t room[IDENTITY_VALUE_MAX];
	struct buf text;
	buf_init_fixed(&text, room, sizeof(room));
	encode_dn(&text, dn, DN_HEX);
	if (dn.len > 0) {
		akamai_string(v, key, &text);
	}
}

static void akamai_subject(struct identity_value *v)
{
	if (akamai_wants(v, AKAMAI_SUBJECT)) {
		akamai_dn(v, "subject=", v->identity->subject);
	}
}

static void akamai_issuer(struct identity_value *v)
{
	if (akamai_wants(v, AKAMAI_ISSUER)) {
		akamai_dn(v, "issuer=", v->identity->issuer);
	}
}

static void akamai_cn(struct identity_value *v)
{
	struct slice cn = identity_common_name(v->identity);
	if (!akamai_wants(v, AKAMAI_CN) || cn.len == 0) {
		return;
	}
	uint8_t room[IDENTITY_VALUE_MAX];
	struct buf text;
	buf_init_fixed(&text, room, sizeof(room));
	encode_percent(&text, cn, PERCENT_NAME);
	akamai_string(v, "cn=", &text);
}

static void akamai_sha256(struct identity_value *v)
{
	if (akamai_wants(v, AKAMAI_SHA256)) {
		buf_append_text(&v->out, "sha256=\"");
		buf_append_hex(&v->out, slice_of(v->identity->sha256, 32), true);
		buf_append_byte(&v->out, '"');
	}
}

bool identity_render_akamai(struct identity_value *v)
{
	/* `absent: empty` asks for nothing at all: the one header of this preset is status and data in one. */
	if (!v->identity->used && v->use->absent == ABSENT_EMPTY) {
		return true;
	}
	static const struct identity_part parts[] = {
		{akamai_status, 0, NULL},
		{akamai_sha256, 0, NULL},
		{akamai_subject, 2, "Client-to-Edge-HTTP-Auth: subject"},
		{akamai_cn, 3, "Client-to-Edge-HTTP-Auth: cn"},
		{akamai_issuer, 1, "Client-to-Edge-HTTP-Auth: issuer"},
		{akamai_certificate, 1, "Client-to-Edge-HTTP-Auth: certificate"},
	};
	return identity_parts_write(v, parts, sizeof(parts) / sizeof(parts[0]), ", ");
}
