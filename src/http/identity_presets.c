/* The headers that have one value each, and the table of all of them. */
#include "base/bug.h"
#include "base/err.h"
#include "http/identity_encode.h"
#include "http/identity_private.h"

#define DAY_S 86400

static bool render_sf_cert(struct identity_value *v)
{
	/* RFC 9440 2.1 */
	encode_sf_bytes(&v->out, v->identity->der);
	return v->identity->der.len > 0;
}

static bool render_sf_chain(struct identity_value *v)
{
	/* RFC 9440 2.2: the order of the handshake, without the leaf */
	for (size_t i = 0; i < v->identity->chain_count && v->out.err == E_OK; i++) {
		if (i > 0) {
			buf_append_text(&v->out, ", ");
		}
		encode_sf_bytes(&v->out, v->identity->chain[i]);
	}
	return v->identity->chain_count > 0;
}

static bool render_sf_verified(struct identity_value *v)
{
	/* RFC 8941 3.3.6 with a parameter; names of classes are tokens */
	buf_append_text(&v->out, v->identity->verified ? "?1;class=" : "?0;class=");
	buf_append_text(&v->out, v->identity->class_name);
	return true;
}

static bool render_code(struct identity_value *v)
{
	if (v->identity->used) {
		buf_append_u64(&v->out, v->identity->code);
	} else if (v->use->absent == ABSENT_NONE) {
		buf_append_text(&v->out, "NONE");
	}
	return true;
}

static bool render_present(struct identity_value *v)
{
	buf_append_text(&v->out, v->identity->used ? "1" : "0");
	return true;
}

static bool render_verified(struct identity_value *v)
{
	buf_append_text(&v->out, v->identity->verified ? "1" : "0");
	return true;
}

static bool render_class(struct identity_value *v)
{
	buf_append_text(&v->out, v->identity->class_name);
	return true;
}

static bool render_result(struct identity_value *v)
{
	if (!v->identity->used) {
		buf_append_text(&v->out, "NONE");
	} else if (v->identity->verified) {
		buf_append_text(&v->out, "SUCCESS");
	} else {
		buf_append_text(&v->out, "FAILED:");
		buf_append_text(&v->out, v->identity->class_name);
	}
	return true;
}

struct slice identity_common_name(const struct identity *identity)
{
	for (size_t i = 0; i < identity->subject_attribute_count; i++) {
		const struct identity_attribute *a = &identity->subject_attributes[i];
		if (strcmp(a->name, "CN") == 0 && a->value.len > 0) {
			return a->value;
		}
	}
	return (struct slice){0};
}

static bool render_common_name(struct identity_value *v)
{
	struct slice name = identity_common_name(v->identity);
	encode_percent(&v->out, name, PERCENT_TEXT);
	return name.len > 0;
}

/* As nginx says it. */
static bool render_reason(struct identity_value *v)
{
	if (!v->identity->used || v->identity->verified) {
		return render_result(v);
	}
	buf_append_text(&v->out, "FAILED:");
	buf_append_text(&v->out, v->identity->sentence);
	return true;
}

static bool render_subject(struct identity_value *v)
{
	encode_dn(&v->out, v->identity->subject, DN_PLAIN);
	return v->identity->subject.len > 0;
}

static bool render_issuer(struct identity_value *v)
{
	encode_dn(&v->out, v->identity->issuer, DN_PLAIN);
	return v->identity->issuer.len > 0;
}

/* The leading zero bytes of the INTEGER only say that it is positive; events leave them out, too. */
static struct slice significant(struct slice serial)
{
	while (serial.len > 1 && serial.data[0] == 0) {
		serial.data++;
		serial.len--;
	}
	return serial;
}

static bool render_serial(struct identity_value *v)
{
	buf_append_hex(&v->out, significant(v->identity->serial), true);
	return v->identity->serial.len > 0;
}

static bool render_serial_colons(struct identity_value *v)
{
	struct slice serial = significant(v->identity->serial);
	for (size_t i = 0; i < serial.len && v->out.err == 0; i++) {
		if (i > 0) {
			buf_append_byte(&v->out, ':');
		}
		buf_append_hex(&v->out, slice_of(serial.data + i, 1), true);
	}
	return serial.len > 0;
}

static bool render_not_before(struct identity_value *v)
{
	return encode_time(&v->out, v->identity->not_before_s, TIME_ASN1);
}

static bool render_not_after(struct identity_value *v)
{
	return encode_time(&v->out, v->identity->not_after_s, TIME_ASN1);
}

static bool render_start(struct identity_value *v)
{
	return encode_time(&v->out, v->identity->not_before_s, TIME_PLAIN);
}

static bool render_end(struct identity_value *v)
{
	return encode_time(&v->out, v->identity->not_after_s, TIME_PLAIN);
}

static bool render_remain(struct identity_value *v)
{
	const struct identity *identity = v->identity;
	uint64_t left = identity->not_after_s > identity->now_s
	                        ? (uint64_t)identity->not_after_s - (uint64_t)identity->now_s
	                        : 0;
	buf_append_u64(&v->out, left / DAY_S);
	return true;
}

static bool render_sha1(struct identity_value *v)
{
	buf_append_hex(&v->out, slice_of(v->identity->sha1, 20), true);
	return true;
}

static bool render_sha256(struct identity_value *v)
{
	buf_append_hex(&v->out, slice_of(v->identity->sha256, 32), true);
	return true;
}

static bool render_fingerprint(struct identity_value *v)
{
	buf_append_hex(&v->out, slice_of(v->identity->sha1, 20), false);
	return true;
}

static bool render_url_pem(struct identity_value *v)
{
	encode_url_pem(&v->out, v->identity->der);
	return v->identity->der.len > 0;
}

static bool render_base64_der(struct identity_value *v)
{
	encode_base64(&v->out, v->identity->der);
	return v->identity->der.len > 0;
}

#define render_xfcc identity_render_xfcc
#define render_akamai identity_render_akamai
#define render_traefik_cert identity_render_traefik_cert
#define render_traefik_info identity_render_traefik_info

static const struct identity_row rows[] = {
#define PRESET(symbol, word, absent)
#define HEADER(preset, name, renderer, kind) \
	{PRESET_##preset, name, IDENTITY_##kind, render_##renderer},
#include "http/identity.def"
#undef HEADER
#undef PRESET
};

static const struct {
	const char *word;
	enum identity_absent absent;
} presets[PRESET_COUNT] = {
#define PRESET(symbol, word, absent) {word, ABSENT_##absent},
#define HEADER(preset, name, renderer, kind)
#include "http/identity.def"
#undef HEADER
#undef PRESET
};

size_t identity_row_count(void)
{
	return sizeof(rows) / sizeof(rows[0]);
}

const struct identity_row *identity_row_at(size_t i)
{
	BUG_IF(i >= identity_row_count());
	return &rows[i];
}

const char *identity_preset_word(enum identity_preset preset)
{
	BUG_IF(preset >= PRESET_COUNT);
	return presets[preset].word;
}

enum identity_absent identity_preset_absent(enum identity_preset preset)
{
	BUG_IF(preset >= PRESET_COUNT);
	return presets[preset].absent;
}
