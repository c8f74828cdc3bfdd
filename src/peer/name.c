#include "peer/name.h"

#include <gnutls/x509.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "peer/der.h"
#include "peer/text.h"

#define RDN_AVAS_MAX 16 /* an RDN of more is not compared with a subtree */

/* 2.5.4.n, by the last octet of the OID. */
static const struct {
	uint8_t last;
	enum dn_attribute attribute;
} shown[] = {
	{3, DN_COMMON_NAME}, {10, DN_ORGANIZATION}, {11, DN_ORGANIZATIONAL_UNIT},
	{6, DN_COUNTRY},     {7, DN_LOCALITY},      {8, DN_STATE_OR_PROVINCE},
};

static const uint8_t email_oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01};

bool name_next_ava(struct slice *rdn, struct ava *out)
{
	struct slice ava;
	return der_get(rdn, DER_SEQUENCE, &ava) && der_get(&ava, DER_OID, &out->oid) &&
	       der_any(&ava, &out->tag, &out->value, &out->value_whole) && ava.len == 0;
}

/* RFC 4514 2.4; control bytes and what is no UTF-8 become hex pairs. */
static void put_escaped(struct buf *b, struct slice s)
{
	for (size_t i = 0; i < s.len;) {
		uint32_t c = 0;
		size_t n = text_utf8_char(slice_of(s.data + i, s.len - i), &c);
		if (n == 0 || text_is_control(c)) {
			buf_append_byte(b, '\\');
			buf_append_hex(b, slice_of(s.data + i, 1), false);
			i++;
			continue;
		}
		bool edge = (c == ' ' && (i == 0 || i + 1 == s.len)) || (c == '#' && i == 0);
		if (edge || (c < 0x80 && strchr("\"+,;<>\\", (int)c) != NULL)) {
			buf_append_byte(b, '\\');
		}
		buf_append(b, s.data + i, n);
		i += n;
	}
}

/* A value as text: raw bytes of the peer, wide strings as UTF-8. False: it is no string. */
static bool value_text(struct arena *arena, const struct ava *ava, struct slice *out, bool *nomem)
{
	if (text_is_byte_string(ava->tag)) {
		*out = ava->value;
		return true;
	}
	if (!text_is_wide_string(ava->tag)) {
		return false;
	}
	struct buf wide;
	buf_init(&wide, ava->value.len * 2 + 8);
	bool ok = text_widen(&wide, ava->tag, ava->value);
	*nomem = wide.err != E_OK || !arena_copy(arena, out, buf_slice(&wide));
	buf_release(&wide);
	return ok && !*nomem;
}

static int put_ava(struct arena *arena, struct buf *b, const struct ava *ava)
{
	char oid[DER_OID_TEXT_MAX];
	const char *type = NULL;
	if (der_oid_text(ava->oid, oid, sizeof(oid))) {
		type = gnutls_x509_dn_oid_name(oid, 0);
		buf_append_text(b, type != NULL ? type : oid);
	} else {
		/* Not to be written with dots: its octets, so that two of them stay apart. */
		buf_append_byte(b, '#');
		buf_append_hex(b, ava->oid, false);
	}
	buf_append_byte(b, '=');
	bool nomem = false;
	struct slice text;
	if (type != NULL && value_text(arena, ava, &text, &nomem)) {
		put_escaped(b, text);
	} else {
		/* RFC 4514 2.4: a type without a short name, or a value that is no string */
		buf_append_byte(b, '#');
		buf_append_hex(b, ava->value_whole, false);
	}
	return nomem ? E_NOMEM : E_OK;
}

static bool is_shown(struct slice oid, enum dn_attribute *out)
{
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		if (oid.len == 3 && oid.data[0] == 0x55 && oid.data[1] == 0x04 &&
		    oid.data[2] == shown[i].last) {
			*out = shown[i].attribute;
			return true;
		}
	}
	return false;
}

/* Checks the structure and counts. */
static bool measure(struct slice content, size_t *rdns, size_t *values)
{
	*rdns = 0;
	*values = 0;
	while (content.len > 0) {
		struct slice rdn;
		if (!der_get(&content, DER_SET, &rdn) || rdn.len == 0) {
			return false;
		}
		(*rdns)++;
		while (rdn.len > 0) {
			struct ava ava;
			enum dn_attribute attribute;
			if (!name_next_ava(&rdn, &ava)) {
				return false;
			}
			*values += is_shown(ava.oid, &attribute) ? 1 : 0;
		}
	}
	return true;
}

static int keep_value(struct arena *arena, struct dn *out, const struct ava *ava)
{
	enum dn_attribute attribute;
	if (out->value_count == NAME_VALUES_MAX || !is_shown(ava->oid, &attribute)) {
		return E_OK;
	}
	bool nomem = false;
	struct slice text;
	if (!value_text(arena, ava, &text, &nomem)) {
		text = ava->value;
	}
	out->values[out->value_count++] = (struct dn_value){attribute, text};
	return nomem ? E_NOMEM : E_OK;
}

static int put_rdn(struct arena *arena, struct buf *b, struct slice rdn)
{
	int err = E_OK;
	for (bool first = true; err == E_OK && rdn.len > 0; first = false) {
		struct ava ava;
		if (!name_next_ava(&rdn, &ava)) {
			return E_INVALID;
		}
		if (!first) {
			buf_append_byte(b, '+');
		}
		err = put_ava(arena, b, &ava);
	}
	return err;
}

int name_read(struct arena *arena, struct dn *out, struct slice content)
{
	*out = (struct dn){0};
	size_t rdn_count;
	size_t value_count;
	if (!measure(content, &rdn_count, &value_count)) {
		return E_INVALID;
	}
	struct slice *rdns = arena_array(arena, rdn_count, sizeof(*rdns));
	size_t kept = value_count < NAME_VALUES_MAX ? value_count : NAME_VALUES_MAX;
	out->values = arena_array(arena, kept, sizeof(*out->values));
	if (rdns == NULL || out->values == NULL) {
		return E_NOMEM;
	}
	for (size_t i = 0; i < rdn_count; i++) {
		if (!der_get(&content, DER_SET, &rdns[i])) {
			return E_INVALID;
		}
		struct slice rest = rdns[i];
		struct ava ava;
		while (rest.len > 0 && name_next_ava(&rest, &ava)) {
			int err = keep_value(arena, out, &ava);
			if (err != E_OK) {
				return err;
			}
		}
	}
	struct buf text;
	buf_init(&text, SIZE_MAX / 4);
	int err = E_OK;
	/* RFC 4514 2.1: the last RDN comes first */
	for (size_t i = rdn_count; err == E_OK && i > 0; i--) {
		if (i < rdn_count) {
			buf_append_byte(&text, ',');
		}
		err = put_rdn(arena, &text, rdns[i - 1]);
	}
	if (err == E_OK && (text.err != E_OK || !arena_copy(arena, &out->text, buf_slice(&text)))) {
		err = E_NOMEM;
	}
	buf_release(&text);
	return err;
}

/* The next character of a string with runs of spaces as one, and none at the ends; -1 at its
 * end. */
static int folded(struct slice *s, bool *begun)
{
	size_t spaces = 0;
	while (spaces < s->len && s->data[spaces] == ' ') {
		spaces++;
	}
	*s = slice_of(s->data + spaces, s->len - spaces);
	if (s->len == 0) {
		return -1;
	}
	if (spaces > 0 && *begun) {
		*begun = false;
		return ' ';
	}
	int c = s->data[0];
	*s = slice_of(s->data + 1, s->len - 1);
	*begun = true;
	return c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c;
}

static bool is_unsafe(const struct ava *ava)
{
	enum text_fault fault = text_fault(ava->tag, ava->value);
	return fault != TEXT_FINE && fault != TEXT_NOT_STRING;
}

static enum name_match compare_values(const struct ava *a, const struct ava *b)
{
	/* What has NUL in it is whatever its reader makes of it. */
	if (is_unsafe(a) || is_unsafe(b)) {
		return NAME_UNDECIDED;
	}
	if (slice_equal(a->value_whole, b->value_whole)) {
		return NAME_WITHIN;
	}
	if (!text_is_byte_string(a->tag) || !text_is_byte_string(b->tag)) {
		return NAME_UNDECIDED;
	}
	struct slice left = a->value;
	struct slice right = b->value;
	bool left_begun = false;
	bool right_begun = false;
	enum name_match result = NAME_WITHIN;
	bool ascii = true;
	for (;;) {
		int l = folded(&left, &left_begun);
		int r = folded(&right, &right_begun);
		if (l >= 0x80 || r >= 0x80) {
			ascii = false;
		}
		if (l != r) {
			result = NAME_OUTSIDE;
		}
		if (l < 0 || r < 0) {
			break;
		}
	}
	/* Beyond ASCII, folding needs tables that we do not have (RFC 4518): different bytes may
	 * be the same name. */
	for (size_t i = 0; i < left.len; i++) {
		ascii = ascii && left.data[i] < 0x80;
	}
	for (size_t i = 0; i < right.len; i++) {
		ascii = ascii && right.data[i] < 0x80;
	}
	return ascii || result == NAME_WITHIN ? result : NAME_UNDECIDED;
}

static size_t count_avas(struct slice rdn)
{
	size_t count = 0;
	struct ava ava;
	while (rdn.len > 0 && name_next_ava(&rdn, &ava)) {
		count++;
	}
	return count;
}

/* Two RDNs: the same attributes, in any order. */
static enum name_match compare_rdns(struct slice name, struct slice base)
{
	struct ava ava;
	size_t name_count = count_avas(name);
	size_t base_count = count_avas(base);
	/* Each of one is compared with each of the other: work that a stranger would choose. */
	if (name_count > RDN_AVAS_MAX || base_count > RDN_AVAS_MAX) {
		return NAME_UNDECIDED;
	}
	enum name_match result = NAME_WITHIN;
	for (struct slice rest = base; rest.len > 0;) {
		struct ava wanted;
		if (!name_next_ava(&rest, &wanted)) {
			return NAME_UNDECIDED;
		}
		enum name_match best = NAME_OUTSIDE;
		for (struct slice in = name;
		     in.len > 0 && name_next_ava(&in, &ava) && best != NAME_WITHIN;) {
			if (slice_equal(ava.oid, wanted.oid)) {
				enum name_match match = compare_values(&ava, &wanted);
				best = match == NAME_OUTSIDE ? best : match;
			}
		}
		if (best == NAME_OUTSIDE) {
			return NAME_OUTSIDE;
		}
		result = best == NAME_UNDECIDED ? NAME_UNDECIDED : result;
	}
	return name_count == base_count ? result : NAME_OUTSIDE;
}

enum name_match name_within(struct slice name, struct slice base)
{
	enum name_match result = NAME_WITHIN;
	while (base.len > 0) {
		struct slice name_rdn;
		struct slice base_rdn;
		if (!der_get(&base, DER_SET, &base_rdn)) {
			return NAME_UNDECIDED;
		}
		if (!der_get(&name, DER_SET, &name_rdn)) {
			return NAME_OUTSIDE;
		}
		enum name_match match = compare_rdns(name_rdn, base_rdn);
		if (match == NAME_OUTSIDE) {
			return NAME_OUTSIDE;
		}
		result = match == NAME_UNDECIDED ? NAME_UNDECIDED : result;
	}
	return result;
}

bool name_each_email(struct slice content, bool (*use)(void *context, struct slice email),
                     void *context)
{
	struct slice rdn;
	while (content.len > 0 && der_get(&content, DER_SET, &rdn)) {
		struct ava ava;
		while (rdn.len > 0 && name_next_ava(&rdn, &ava)) {
			if (slice_equal(ava.oid, slice_of(email_oid, sizeof(email_oid))) &&
			    !use(context, ava.value)) {
				return false;
			}
		}
	}
	return true;
}
