/* The extensions of a certificate (RFC 5280 4.2): evidence for events, facts for the judge. */
#include <string.h>

#include "base/err.h"
#include "peer/cert.h"
#include "peer/der.h"
#include "peer/name.h"

struct reading {
	struct cert *cert;
	struct arena *arena;
};

/* Each gets what stands in the extension's OCTET STRING. E_OK, E_INVALID, E_NOMEM. */
typedef int read_fn(struct reading *r, struct slice value);

static int read_basic_constraints(struct reading *r, struct slice value)
{
	struct cert_x509 *x = r->cert->x509;
	struct slice in;
	struct slice field;
	if (!der_get(&value, DER_SEQUENCE, &in) || value.len != 0 ||
	    (der_get(&in, DER_BOOLEAN, &field) && !der_bool(field, &x->ca))) {
		return E_INVALID;
	}
	if (der_get(&in, DER_INTEGER, &field)) {
		x->has_path_length = true;
		if (!der_uint(field, &x->path_length)) {
			return E_INVALID;
		}
	}
	return in.len == 0 ? E_OK : E_INVALID;
}

static int read_key_usage(struct reading *r, struct slice value)
{
	static const char *const names[] = {"digitalSignature", "nonRepudiation", "keyEncipherment",
	                                    "dataEncipherment", "keyAgreement",   "keyCertSign",
	                                    "cRLSign",          "encipherOnly",   "decipherOnly"};
	enum { NAMES = sizeof(names) / sizeof(names[0]) };
	struct slice field;
	struct slice octets;
	unsigned unused;
	if (!der_get(&value, DER_BIT_STRING, &field) || value.len != 0 ||
	    !der_bits(field, &octets, &unused)) {
		return E_INVALID;
	}
	struct cert *cert = r->cert;
	cert->key_usages = arena_array(r->arena, NAMES, sizeof(*cert->key_usages));
	if (cert->key_usages == NULL) {
		return E_NOMEM;
	}
	cert->x509->has_key_usage = true;
	for (unsigned i = 0; i < NAMES && i / 8 < octets.len; i++) {
		if ((octets.data[i / 8] & (0x80 >> i % 8)) != 0) {
			cert->x509->key_usage |= 1U << i;
			cert->key_usages[cert->key_usage_count++] = names[i];
		}
	}
	return E_OK;
}

/* How many elements to keep room for. False: it is no list of elements. */
static bool count_elements(struct slice in, size_t *kept)
{
	size_t count = 0;
	for (; in.len > 0; count++) {
		uint8_t tag;
		if (!der_any(&in, &tag, NULL, NULL)) {
			return false;
		}
	}
	*kept = count < CERT_VALUES_MAX ? count : CERT_VALUES_MAX;
	return true;
}

/* An OID as text of the arena: its short name, dotted, or for the unspeakable its octets. */
static int oid_text(struct arena *arena, struct slice oid, struct slice *out)
{
	static const struct {
		const char *oid;
		const char *name;
	} purposes[] = {
		{"1.3.6.1.5.5.7.3.1", "serverAuth"},    {"1.3.6.1.5.5.7.3.2", "clientAuth"},
		{"1.3.6.1.5.5.7.3.3", "codeSigning"},   {"1.3.6.1.5.5.7.3.4", "emailProtection"},
		{"1.3.6.1.5.5.7.3.8", "timeStamping"},  {"1.3.6.1.5.5.7.3.9", "OCSPSigning"},
		{"2.5.29.37.0", "anyExtendedKeyUsage"},
	};
	static const char digits[] = "0123456789abcdef";
	char text[DER_OID_TEXT_MAX];
	if (!der_oid_text(oid, text, sizeof(text))) {
		size_t len = 0;
		text[len++] = '#';
		for (size_t i = 0; i < oid.len && len + 2 < sizeof(text); i++) {
			text[len++] = digits[oid.data[i] >> 4];
			text[len++] = digits[oid.data[i] & 15];
		}
		text[len] = '\0';
	}
	for (size_t i = 0; i < sizeof(purposes) / sizeof(purposes[0]); i++) {
		if (strcmp(text, purposes[i].oid) == 0) {
			*out = slice_text(purposes[i].name);
			return E_OK;
		}
	}
	return arena_copy(arena, out, slice_text(text)) ? E_OK : E_NOMEM;
}

static int read_purposes(struct reading *r, struct slice value)
{
	struct cert *cert = r->cert;
	struct slice in;
	size_t kept;
	/* An empty list breaks RFC 5280 4.2.1.12; it is read, and permits nothing. */
	if (!der_get(&value, DER_SEQUENCE, &in) || value.len != 0 || !count_elements(in, &kept)) {
		return E_INVALID;
	}
	cert->x509->has_purposes = true;
	cert->x509->purposes = in;
	cert->purposes = arena_array(r->arena, kept, sizeof(*cert->purposes));
	if (cert->purposes == NULL) {
		return E_NOMEM;
	}
	while (in.len > 0) {
		struct slice oid;
		if (!der_get(&in, DER_OID, &oid)) {
			return E_INVALID;
		}
		if (cert->purpose_count < kept) {
			int err = oid_text(r->arena, oid, &cert->purposes[cert->purpose_count++]);
			if (err != E_OK) {
				return err;
			}
		}
	}
	return E_OK;
}

static int read_policies(struct reading *r, struct slice value)
{
	struct cert *cert = r->cert;
	struct slice in;
	size_t kept;
	/* RFC 5280 4.2.1.4: one at least */
	if (!der_get(&value, DER_SEQUENCE, &in) || value.len != 0 || in.len == 0 ||
	    !count_elements(in, &kept)) {
		return E_INVALID;
	}
	cert->policies = arena_array(r->arena, kept, sizeof(*cert->policies));
	if (cert->policies == NULL) {
		return E_NOMEM;
	}
	while (in.len > 0) {
		struct slice policy;
		struct slice oid;
		if (!der_get(&in, DER_SEQUENCE, &policy) || !der_get(&policy, DER_OID, &oid)) {
			return E_INVALID;
		}
		if (cert->policy_count < kept) {
			int err = oid_text(r->arena, oid, &cert->policies[cert->policy_count++]);
			if (err != E_OK) {
				return err;
			}
		}
	}
	return E_OK;
}

static int read_subject_key_id(struct reading *r, struct slice value)
{
	return der_get(&value, DER_OCTET_STRING, &r->cert->x509->subject_key_id) && value.len == 0
	               ? E_OK
	               : E_INVALID;
}

/* RFC 5280 4.2.1.1: [0] keyIdentifier; issuer [1] and serial number [2] behind it are hints that we have no use for. */
static int read_authority_key_id(struct reading *r, struct slice value)
{
	struct slice in;
	struct slice unused;
	if (!der_get(&value, DER_SEQUENCE, &in) || value.len != 0) {
		return E_INVALID;
	}
	der_get(&in, DER_CONTEXT | 0, &r->cert->x509->authority_key_id);
	der_get(&in, DER_CONTEXT_CONSTRUCTED | 1, &unused);
	der_get(&in, DER_CONTEXT | 2, &unused);
	return in.len == 0 ? E_OK : E_INVALID;
}

/* otherName: its type and the DER of its value. */
static int read_other_name(struct reading *r, struct san *out, struct slice content)
{
	struct slice oid;
	if (!der_get(&content, DER_OID, &oid) ||
	    !der_get(&content, DER_CONTEXT_CONSTRUCTED | 0, &out->value) || content.len != 0) {
		return E_INVALID;
	}
	out->type = SAN_OTHER;
	return oid_text(r->arena, oid, &out->oid);
}

static int read_directory_name(struct reading *r, struct san *out, struct slice content)
{
	struct slice name;
	struct dn dn;
	/* A CHOICE, so its tag is explicit (X.680 31.2.7). */
	if (!der_get(&content, DER_SEQUENCE, &name) || content.len != 0) {
		return E_INVALID;
	}
	int err = name_read(r->arena, &dn, name);
	out->type = SAN_DN;
	out->value = dn.text;
	return err;
}

/* One GeneralName (RFC 5280 4.2.1.6). *known is false for the forms that events do not show. */
static int read_general_name(struct reading *r, struct san *out, uint8_t tag, struct slice content,
                             bool *known)
{
	*known = true;
	*out = (struct san){.value = content};
	switch (tag) {
	case DER_CONTEXT_CONSTRUCTED | 0:
		return read_other_name(r, out, content);
	case DER_CONTEXT | 1:
		out->type = SAN_EMAIL;
		return E_OK;
	case DER_CONTEXT | 2:
		out->type = SAN_DNS;
		return E_OK;
	case DER_CONTEXT_CONSTRUCTED | 4:
		return read_directory_name(r, out, content);
	case DER_CONTEXT | 6:
		out->type = SAN_URI;
		return E_OK;
	case DER_CONTEXT | 7:
		out->type = SAN_IP;
		return E_OK;
	case DER_CONTEXT_CONSTRUCTED | 3: /* x400Address */
	case DER_CONTEXT_CONSTRUCTED | 5: /* ediPartyName */
	case DER_CONTEXT | 8:             /* registeredID */
		*known = false;
		return E_OK;
	default:
		return E_INVALID;
	}
}

static int read_names(struct reading *r, struct slice value)
{
	struct cert *cert = r->cert;
	struct slice in;
	size_t kept;
	if (!der_get(&value, DER_SEQUENCE, &in) || value.len != 0 || in.len == 0 ||
	    !count_elements(in, &kept)) {
		return E_INVALID;
	}
	cert->x509->has_names = true;
	cert->x509->names = in;
	cert->sans = arena_array(r->arena, kept, sizeof(*cert->sans));
	if (cert->sans == NULL) {
		return E_NOMEM;
	}
	while (in.len > 0) {
		uint8_t tag;
		struct slice content;
		struct san san;
		bool known;
		if (!der_any(&in, &tag, &content, NULL)) {
			return E_INVALID;
		}
		int err = read_general_name(r, &san, tag, content, &known);
		if (err != E_OK) {
			return err;
		}
		if (known && cert->san_count < kept) {
			cert->sans[cert->san_count++] = san;
		}
	}
	return E_OK;
}

/* RFC 5280 4.2.1.10: one of the two at least, and none of them empty */
static int read_constraints(struct reading *r, struct slice value)
{
	struct cert_x509 *x = r->cert->x509;
	struct slice in;
	if (!der_get(&value, DER_SEQUENCE, &in) || value.len != 0 || in.len == 0) {
		return E_INVALID;
	}
	x->has_constraints = true;
	if ((der_get(&in, DER_CONTEXT_CONSTRUCTED | 0, &x->permitted) && x->permitted.len == 0) ||
	    (der_get(&in, DER_CONTEXT_CONSTRUCTED | 1, &x->excluded) && x->excluded.len == 0)) {
		return E_INVALID;
	}
	return in.len == 0 ? E_OK : E_INVALID;
}

/* RFC 5280 4.2.2.1: read by whoever asks for a certificate's status, so its form counts */
static int read_authority_info(struct reading *r, struct slice value)
{
	(void)r;
	struct slice in;
	if (!der_get(&value, DER_SEQUENCE, &in) || value.len != 0 || in.len == 0) {
		return E_INVALID;
	}
	while (in.len > 0) {
		struct slice access;
		struct slice method;
		uint8_t form;
		if (!der_get(&in, DER_SEQUENCE, &access) || !der_get(&access, DER_OID, &method) ||
		    !der_any(&access, &form, NULL, NULL) || access.len != 0 ||
		    (form & DER_CONTEXT) == 0) {
			return E_INVALID;
		}
	}
	return E_OK;
}

/* The extensions that are read: below id-ce, and one of id-pe. Whatever else is critical makes a certificate
 * unusable (RFC 5280 4.2): policyConstraints, policyMappings and inhibitAnyPolicy too, since policies
 * are not processed here, key identifiers and authority information, which must not be critical, and
 * proxy certificates, which would let a leaf issue another one. */
#define ID_CE(n) SLICE("\x55\x1d" n)

static const struct {
	struct slice oid;
	bool may_be_critical;
	read_fn *read;
} known_extensions[] = {
	{ID_CE("\x13"), true, read_basic_constraints},
	{ID_CE("\x0f"), true, read_key_usage},
	{ID_CE("\x25"), true, read_purposes},
	{ID_CE("\x11"), true, read_names},
	{ID_CE("\x1e"), true, read_constraints},
	{ID_CE("\x20"), true, read_policies},
	{ID_CE("\x0e"), false, read_subject_key_id},
	{ID_CE("\x23"), false, read_authority_key_id},
	{SLICE("\x2b\x06\x01\x05\x05\x07\x01\x01"), false, read_authority_info},
};

static int read_extension(struct reading *r, struct slice oid, bool critical, struct slice value)
{
	for (size_t i = 0; i < sizeof(known_extensions) / sizeof(known_extensions[0]); i++) {
		if (slice_equal(oid, known_extensions[i].oid)) {
			if (critical && !known_extensions[i].may_be_critical) {
				r->cert->x509->unknown_critical = true;
			}
			return known_extensions[i].read(r, value);
		}
	}
	/* RFC 3739 3.2.6: evidence, and nothing that could be judged */
	if (slice_equal(oid, SLICE("\x2b\x06\x01\x05\x05\x07\x01\x03"))) {
		r->cert->x509->qc_statements = value;
	}
	if (critical) {
		r->cert->x509->unknown_critical = true;
	}
	return E_OK;
}

int cert_read_extensions(struct cert *cert, struct arena *arena, struct slice extensions)
{
	struct reading r = {cert, arena};
	struct slice seen[CERT_EXTENSIONS_MAX];
	size_t count = 0;
	while (extensions.len > 0) {
		struct slice extension;
		struct slice oid;
		struct slice field;
		struct slice value;
		bool critical = false;
		if (count == CERT_EXTENSIONS_MAX || !der_get(&extensions, DER_SEQUENCE, &extension) ||
		    !der_get(&extension, DER_OID, &oid) ||
		    (der_get(&extension, DER_BOOLEAN, &field) && !der_bool(field, &critical)) ||
		    !der_get(&extension, DER_OCTET_STRING, &value) || extension.len != 0) {
			return E_INVALID;
		}
		/* RFC 5280 4.2: never two of a kind */
		for (size_t i = 0; i < count; i++) {
			if (slice_equal(seen[i], oid)) {
				return E_INVALID;
			}
		}
		seen[count++] = oid;
		int err = read_extension(&r, oid, critical, value);
		if (err != E_OK) {
			return err;
		}
	}
	return count > 0 ? E_OK : E_INVALID;
}
