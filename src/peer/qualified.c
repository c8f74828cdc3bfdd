#include "peer/qualified.h"

#include <stdio.h>

#include "base/err.h"
#include "peer/chain.h"
#include "peer/der.h"

#define VALUE_MAX 1024 /* octets of an NCA's name or id: 256 characters (TS 119 495, annex A) */

struct reading {
	struct qualified *qualified;
	struct arena *arena;
	bool has_psd2;
};

/* Gets the statementInfo, empty if there is none. E_OK, E_INVALID, E_NOMEM. */
typedef int read_fn(struct reading *r, const char *word, struct slice info);

/* A statement: the word, and the value behind a colon. */
static int add(struct reading *r, const char *word, struct slice value)
{
	struct qualified *q = r->qualified;
	if (q->statement_count == CERT_VALUES_MAX) {
		return E_OK;
	}
	struct slice text = slice_text(word);
	size_t len = text.len + (value.len > 0 ? 1 + value.len : 0);
	uint8_t *copy = arena_alloc(r->arena, len);
	if (copy == NULL) {
		return E_NOMEM;
	}
	memcpy(copy, text.data, text.len);
	if (value.len > 0) {
		copy[text.len] = ':';
		memcpy(copy + text.len + 1, value.data, value.len);
	}
	q->statements[q->statement_count++] = slice_of(copy, len);
	return E_OK;
}

/* --- EN 319 412-5 --- */

/* A statement whose information is not shown: one element, if any. */
static int read_word(struct reading *r, const char *word, struct slice info)
{
	uint8_t tag;
	if (info.len > 0 && (!der_any(&info, &tag, NULL, NULL) || info.len != 0)) {
		return E_INVALID;
	}
	return add(r, word, (struct slice){0});
}

/* 4.2.1 and 4.2.2: a statement that is complete in itself */
static int read_bare(struct reading *r, const char *word, struct slice info)
{
	return info.len == 0 ? add(r, word, info) : E_INVALID;
}

/* 4.3.3: years */
static int read_retention(struct reading *r, const char *word, struct slice info)
{
	struct slice number;
	uint32_t years;
	if (!der_get(&info, DER_INTEGER, &number) || info.len != 0 || !der_uint(number, &years)) {
		return E_INVALID;
	}
	char text[11];
	snprintf(text, sizeof(text), "%u", years);
	return add(r, word, slice_text(text));
}

/* 4.2.3: what the certificate is for */
static int read_type(struct reading *r, const char *word, struct slice info)
{
	static const struct {
		const char *oid;
		const char *name;
	} types[] = {
		{"0.4.0.1862.1.6.1", "esign"},
		{"0.4.0.1862.1.6.2", "eseal"},
		{"0.4.0.1862.1.6.3", "web"},
	};
	struct slice list;
	if (!der_get(&info, DER_SEQUENCE, &list) || info.len != 0 || list.len == 0) {
		return E_INVALID;
	}
	while (list.len > 0) {
		struct slice oid;
		char text[DER_OID_TEXT_MAX];
		if (!der_get(&list, DER_OID, &oid) || !der_oid_text(oid, text, sizeof(text))) {
			return E_INVALID;
		}
		const char *name = text;
		for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
			if (strcmp(text, types[i].oid) == 0) {
				name = types[i].name;
			}
		}
		int err = add(r, word, slice_text(name));
		if (err != E_OK) {
			return err;
		}
	}
	return E_OK;
}

/* 4.2.4: countries as ISO 3166-1 has them */
static int read_legislation(struct reading *r, const char *word, struct slice info)
{
	struct slice list;
	if (!der_get(&info, DER_SEQUENCE, &list) || info.len != 0 || list.len == 0) {
		return E_INVALID;
	}
	while (list.len > 0) {
		struct slice country;
		if (!der_get(&list, DER_PRINTABLE_STRING, &country) || country.len != 2) {
			return E_INVALID;
		}
		int err = add(r, word, country);
		if (err != E_OK) {
			return err;
		}
	}
	return E_OK;
}

/* --- PSD2, TS 119 495 annex A --- */

static void add_role(struct qualified *q, struct slice role)
{
	for (size_t i = 0; i < q->role_count; i++) {
		if (slice_equal(q->roles[i], role)) {
			return;
		}
	}
	q->roles[q->role_count++] = role;
}

/* RoleOfPSP. The OID says which one; a name that says another one makes it no evidence. */
static int read_role(struct reading *r, struct slice role)
{
	static const struct {
		const char *oid;
		const char *name;
	} known[QUALIFIED_ROLES_MAX] = {
		{"0.4.0.19495.1.1", "PSP_AS"},
		{"0.4.0.19495.1.2", "PSP_PI"},
		{"0.4.0.19495.1.3", "PSP_AI"},
		{"0.4.0.19495.1.4", "PSP_IC"},
	};
	struct slice oid;
	struct slice name;
	char text[DER_OID_TEXT_MAX];
	if (!der_get(&role, DER_OID, &oid) || !der_get(&role, DER_UTF8_STRING, &name) ||
	    role.len != 0 || !der_oid_text(oid, text, sizeof(text))) {
		return E_INVALID;
	}
	for (size_t i = 0; i < QUALIFIED_ROLES_MAX; i++) {
		if (strcmp(text, known[i].oid) != 0) {
			continue;
		}
		if (!slice_equal(name, slice_text(known[i].name))) {
			return E_INVALID;
		}
		add_role(r->qualified, slice_text(known[i].name));
		return add(r, "psd2Role", name);
	}
	/* Of another scheme, or 0.4.0.19495.1.0, unspecified: what it calls itself could be one of
	 * the names above. */
	return add(r, "psd2Role", slice_text(text));
}

static bool get_text(struct slice *in, struct slice *out)
{
	return der_get(in, DER_UTF8_STRING, out) && out->len > 0 && out->len <= VALUE_MAX;
}

/* PSD2QcType: roles, and the national competent authority's name and id */
static int read_psd2(struct reading *r, const char *word, struct slice info)
{
	(void)word;
	struct slice in;
	struct slice roles;
	struct slice name;
	struct slice id;
	/* Two of them would be two answers. */
	if (r->has_psd2 || !der_get(&info, DER_SEQUENCE, &in) || info.len != 0 ||
	    !der_get(&in, DER_SEQUENCE, &roles) || roles.len == 0 || !get_text(&in, &name) ||
	    !get_text(&in, &id) || in.len != 0) {
		return E_INVALID;
	}
	r->has_psd2 = true;
	while (roles.len > 0) {
		struct slice role;
		if (!der_get(&roles, DER_SEQUENCE, &role)) {
			return E_INVALID;
		}
		int err = read_role(r, role);
		if (err != E_OK) {
			return err;
		}
	}
	int err = add(r, "psd2NCAName", name);
	return err != E_OK ? err : add(r, "psd2NCAId", id);
}

/* --- the whole --- */

static const struct {
	const char *oid;
	const char *word;
	read_fn *read;
} known_statements[] = {
	{"0.4.0.1862.1.1", "qcCompliance", read_bare},
	{"0.4.0.1862.1.2", "qcLimitValue", read_word},
	{"0.4.0.1862.1.3", "qcRetentionPeriod", read_retention},
	{"0.4.0.1862.1.4", "qcSSCD", read_bare},
	{"0.4.0.1862.1.5", "qcPDS", read_word},
	{"0.4.0.1862.1.6", "qcType", read_type},
	{"0.4.0.1862.1.7", "qcCClegislation", read_legislation},
	{"0.4.0.19495.2", "psd2", read_psd2},
	/* RFC 3739 3.2.6.1 */
	{"1.3.6.1.5.5.7.11.1", "pkixQCSyntax-v1", read_word},
	{"1.3.6.1.5.5.7.11.2", "pkixQCSyntax-v2", read_word},
};

/* QCStatement */
static int read_statement(struct reading *r, struct slice statement)
{
	struct slice oid;
	char text[DER_OID_TEXT_MAX];
	if (!der_get(&statement, DER_OID, &oid) || !der_oid_text(oid, text, sizeof(text))) {
		return E_INVALID;
	}
	for (size_t i = 0; i < sizeof(known_statements) / sizeof(known_statements[0]); i++) {
		if (strcmp(text, known_statements[i].oid) == 0) {
			return known_statements[i].read(r, known_statements[i].word, statement);
		}
	}
	return read_word(r, text, statement);
}

static int read_statements(struct reading *r, struct slice in)
{
	struct qualified *q = r->qualified;
	struct slice list;
	if (!der_get(&in, DER_SEQUENCE, &list) || in.len != 0) {
		return E_INVALID;
	}
	q->statements = arena_array(r->arena, CERT_VALUES_MAX, sizeof(*q->statements));
	q->roles = arena_array(r->arena, QUALIFIED_ROLES_MAX, sizeof(*q->roles));
	if (q->statements == NULL || q->roles == NULL) {
		return E_NOMEM;
	}
	while (list.len > 0) {
		struct slice statement;
		if (!der_get(&list, DER_SEQUENCE, &statement)) {
			return E_INVALID;
		}
		int err = read_statement(r, statement);
		if (err != E_OK) {
			return err;
		}
	}
	return E_OK;
}

/* The next organizationIdentifier that is a string of bytes, as CAs have to write it (RFC 5280
 * 4.1.2.4); whatever else it is, the subject shows it. False: that was the last one. */
static bool next_identifier(struct slice *rdns, struct slice *rdn, struct slice *value)
{
	while (rdn->len > 0 || der_get(rdns, DER_SET, rdn)) {
		struct slice ava;
		struct slice oid;
		if (!der_get(rdn, DER_SEQUENCE, &ava) || !der_get(&ava, DER_OID, &oid)) {
			return false;
		}
		if (slice_equal(oid, SLICE("\x55\x04\x61")) &&
		    (der_get(&ava, DER_UTF8_STRING, value) ||
		     der_get(&ava, DER_PRINTABLE_STRING, value)) &&
		    value->len > 0) {
			return true;
		}
	}
	return false;
}

static int read_identifiers(struct reading *r, struct slice subject)
{
	struct qualified *q = r->qualified;
	struct slice rdns;
	struct slice rdn = {0};
	struct slice value;
	if (!der_get(&subject, DER_SEQUENCE, &rdns)) {
		return E_OK;
	}
	struct slice count_in = rdns;
	size_t count = 0;
	while (count < CERT_VALUES_MAX && next_identifier(&count_in, &rdn, &value)) {
		count++;
	}
	if (count == 0) {
		return E_OK;
	}
	q->organization_identifiers =
		arena_array(r->arena, count, sizeof(*q->organization_identifiers));
	if (q->organization_identifiers == NULL) {
		return E_NOMEM;
	}
	rdn = (struct slice){0};
	while (q->organization_identifier_count < count && next_identifier(&rdns, &rdn, &value)) {
		q->organization_identifiers[q->organization_identifier_count++] = value;
	}
	return E_OK;
}

int qualified_read(const struct qualified **out, struct arena *arena, struct slice subject,
                   struct slice statements)
{
	struct qualified q = {0};
	struct reading r = {.qualified = &q, .arena = arena};
	*out = NULL;
	int err = read_identifiers(&r, subject);
	if (err != E_OK) {
		return err;
	}
	if (statements.len > 0) {
		err = read_statements(&r, statements);
		if (err == E_INVALID) {
			/* Half of it is no evidence. */
			q.statement_count = 0;
			q.role_count = 0;
		} else if (err != E_OK) {
			return err;
		}
	}
	if (q.organization_identifier_count == 0 && q.statement_count == 0) {
		return E_OK;
	}
	struct qualified *kept = arena_alloc(arena, sizeof(*kept));
	if (kept == NULL) {
		return E_NOMEM;
	}
	*kept = q;
	*out = kept;
	return E_OK;
}
