#include "peer/crl_read.h"

#include "base/err.h"
#include "peer/der.h"

#define DER_ENUMERATED 0x0a

#define EXTENSIONS_MAX 32 /* of a CRL, and of an entry: they are compared with each other */
#define EXTENSIONS_BYTES_MAX (64 << 10) /* of a CRL; they are kept */
#define NAME_BYTES_MAX (64 << 10)
#define NUMBER_BYTES_MAX 20 /* RFC 5280 4.1.2.2, 5.2.3 */

/* Of id-ce, 2.5.29: the last arc. */
enum extension {
	EXTENSION_OTHER = 0,
	EXTENSION_CRL_NUMBER = 20,
	EXTENSION_REASON_CODE = 21,
	EXTENSION_HOLD_INSTRUCTION = 23,
	EXTENSION_INVALIDITY_DATE = 24,
	EXTENSION_DELTA_CRL_INDICATOR = 27,
	EXTENSION_ISSUING_DISTRIBUTION_POINT = 28,
	EXTENSION_CERTIFICATE_ISSUER = 29,
	EXTENSION_AUTHORITY_KEY_ID = 35,
};

/* Takes one extension; NULL, or what is wrong with it. */
typedef const char *take_fn(void *context, enum extension which, bool critical, struct slice value);

static int refuse(const char **why, const char *sentence)
{
	*why = sentence;
	return E_INVALID;
}

static enum extension which_extension(struct slice oid)
{
	if (oid.len != 3 || oid.data[0] != 0x55 || oid.data[1] != 0x1d) {
		return EXTENSION_OTHER;
	}
	return oid.data[2];
}

/* Content of Extensions; NULL, or what is wrong. */
static const char *read_extensions(struct slice extensions, take_fn *take, void *context)
{
	struct slice seen[EXTENSIONS_MAX];
	size_t count = 0;
	if (extensions.len == 0) {
		return "a list of extensions is empty";
	}
	while (extensions.len > 0) {
		struct slice extension;
		struct slice oid;
		struct slice field;
		struct slice value;
		bool critical = false;
		if (count == EXTENSIONS_MAX) {
			return "it has too many extensions";
		}
		if (!der_get(&extensions, DER_SEQUENCE, &extension) ||
		    !der_get(&extension, DER_OID, &oid) ||
		    (der_get(&extension, DER_BOOLEAN, &field) && !der_bool(field, &critical)) ||
		    !der_get(&extension, DER_OCTET_STRING, &value) || extension.len != 0) {
			return "an extension is malformed";
		}
		/* RFC 5280 4.2: never two of a kind */
		for (size_t i = 0; i < count; i++) {
			if (slice_equal(seen[i], oid)) {
				return "an extension is there twice";
			}
		}
		seen[count++] = oid;
		const char *wrong = take(context, which_extension(oid), critical, value);
		if (wrong != NULL) {
			return wrong;
		}
	}
	return NULL;
}

/* RFC 5280 5.2.5. Of its fields those are understood that say about which certificates the CRL
 * speaks. */
static const char *read_issuing_distribution_point(struct crl_parts *out, struct slice value)
{
	struct slice in;
	struct slice field;
	bool flag = false;
	if (!der_get(&value, DER_SEQUENCE, &in) || value.len != 0) {
		return "its issuing distribution point is malformed";
	}
	if (der_get(&in, DER_CONTEXT_CONSTRUCTED | 0, &out->distribution_point) &&
	    out->distribution_point.len == 0) {
		return "its issuing distribution point is malformed";
	}
	if ((der_get(&in, DER_CONTEXT | 1, &field) && !der_bool(field, &out->only_users)) ||
	    (der_get(&in, DER_CONTEXT | 2, &field) && !der_bool(field, &out->only_cas))) {
		return "its issuing distribution point is malformed";
	}
	if (der_get(&in, DER_CONTEXT | 3, &field)) {
		return "it covers some reasons of revocation only";
	}
	if (der_get(&in, DER_CONTEXT | 4, &field)) {
		if (!der_bool(field, &flag)) {
			return "its issuing distribution point is malformed";
		}
		if (flag) {
			return "it is an indirect CRL, which is not supported";
		}
	}
	if (der_get(&in, DER_CONTEXT | 5, &field)) {
		if (!der_bool(field, &flag)) {
			return "its issuing distribution point is malformed";
		}
		if (flag) {
			return "it is about attribute certificates only";
		}
	}
	if (in.len != 0) {
		return "its issuing distribution point is malformed";
	}
	return out->only_users && out->only_cas
	               ? "it is for users only and for CAs only at the same time"
	               : NULL;
}

/* RFC 5280 5.2.3: not negative, at most 20 octets. Its issuer has to give one, and `openssl ca` does only when told where to
 * count: a list without is taken, since refusing it would make nobody safer. */
static const char *read_number(struct crl_parts *out, struct slice value)
{
	struct slice number;
	uint32_t unused;
	if (!der_get(&value, DER_INTEGER, &number) || value.len != 0 || !der_uint(number, &unused)) {
		return "its number is malformed";
	}
	if (number.len > 1 && number.data[0] == 0) {
		number = slice_of(number.data + 1, number.len - 1);
	}
	if (number.len > NUMBER_BYTES_MAX) {
		return "its number is longer than 20 octets";
	}
	out->number = number;
	return NULL;
}

static const char *read_authority_key_id(struct crl_parts *out, struct slice value)
{
	struct slice in;
	if (!der_get(&value, DER_SEQUENCE, &in) || value.len != 0) {
		return "its authority key identifier is malformed";
	}
	der_get(&in, DER_CONTEXT | 0, &out->authority_key_id);
	while (in.len > 0) {
		uint8_t tag;
		if (!der_any(&in, &tag, NULL, NULL)) {
			return "its authority key identifier is malformed";
		}
	}
	return NULL;
}

static const char *take_crl_extension(void *context, enum extension which, bool critical,
                                      struct slice value)
{
	switch (which) {
	case EXTENSION_ISSUING_DISTRIBUTION_POINT:
		return read_issuing_distribution_point(context, value);
	case EXTENSION_DELTA_CRL_INDICATOR:
		return "it is a delta CRL, which is not supported";
	default:
		break;
	}
	/* Key identifier and number have to be non-critical (RFC 5280 5.2.1, 5.2.3): who marks them means
	 * something that is not known here. */
	if (critical) {
		return "it has a critical extension that is not understood";
	}
	switch (which) {
	case EXTENSION_CRL_NUMBER:
		return read_number(context, value);
	case EXTENSION_AUTHORITY_KEY_ID:
		return read_authority_key_id(context, value);
	default:
		return NULL;
	}
}

/* RFC 5280 5.3.1. A reason that the RFC does not have revokes as well, so it must not cost the whole
 * list. */
static const char *read_reason(struct crl_entry *entry, struct slice value)
{
	struct slice reason;
	if (!der_get(&value, DER_ENUMERATED, &reason) || value.len != 0 || reason.len != 1) {
		return "the reason of an entry is malformed";
	}
	unsigned code = reason.data[0];
	entry->reason = code <= 10 && code != 7 ? code : 0;
	return NULL;
}

static const char *take_entry_extension(void *context, enum extension which, bool critical,
                                        struct slice value)
{
	/* RFC 5280 5.3.3: this and all entries behind it are then of another CA */
	if (which == EXTENSION_CERTIFICATE_ISSUER) {
		return "it is an indirect CRL, which is not supported";
	}
	if (critical) {
		return "an entry has a critical extension that is not understood";
	}
	if (which == EXTENSION_REASON_CODE) {
		return read_reason(context, value);
	}
	if (which == EXTENSION_INVALIDITY_DATE) {
		struct slice time;
		int64_t unused;
		return der_get(&value, DER_GENERALIZED_TIME, &time) && value.len == 0 &&
		                       der_time(DER_GENERALIZED_TIME, time, &unused)
		               ? NULL
		               : "the invalidity date of an entry is malformed";
	}
	return NULL;
}

/* The shortest form, and at most 20 octets of value. Zero and negative ones break RFC 5280
 * 4.1.2.2 too, but CAs gave them to certificates, which have to stay revocable. */
static bool is_serial(struct slice serial)
{
	if (serial.len == 0) {
		return false;
	}
	if (serial.len > 1 && ((serial.data[0] == 0x00 && serial.data[1] < 0x80) ||
	                       (serial.data[0] == 0xff && serial.data[1] >= 0x80))) {
		return false;
	}
	return serial.len <= NUMBER_BYTES_MAX + (serial.data[0] == 0x00 ? 1U : 0U);
}

bool crl_read_entry(struct slice *revoked, unsigned version, struct slice *serial,
                    struct crl_entry *entry, const char **why)
{
	struct slice in;
	struct slice time;
	struct slice extensions;
	uint8_t tag;
	*why = NULL;
	*entry = (struct crl_entry){0};
	if (revoked->len == 0) {
		return false;
	}
	if (!der_get(revoked, DER_SEQUENCE, &in) || !der_get(&in, DER_INTEGER, serial) ||
	    !is_serial(*serial)) {
		*why = "the serial number of an entry is malformed";
		return false;
	}
	if (!der_any(&in, &tag, &time, NULL) || !der_time(tag, time, &entry->revoked_at_s)) {
		*why = "the date of an entry is malformed";
		return false;
	}
	if (in.len == 0) {
		return true;
	}
	if (version < 2 || !der_get(&in, DER_SEQUENCE, &extensions) || in.len != 0) {
		*why = "an entry is malformed";
		return false;
	}
	*why = read_extensions(extensions, take_entry_extension, entry);
	return *why == NULL;
}

static int count_entries(struct crl_parts *out, const char **why)
{
	struct slice rest = out->revoked;
	struct slice serial;
	struct crl_entry entry;
	while (crl_read_entry(&rest, out->version, &serial, &entry, why)) {
		out->entries++;
	}
	return *why == NULL ? E_OK : E_INVALID;
}

static int read_version(struct crl_parts *out, struct slice *tbs, const char **why)
{
	struct slice number;
	uint32_t version;
	out->version = 1;
	if (!der_next_is(*tbs, DER_INTEGER)) {
		return E_OK;
	}
	if (!der_get(tbs, DER_INTEGER, &number) || !der_uint(number, &version)) {
		return refuse(why, "its version is malformed");
	}
	/* RFC 5280 5.1.2.1: 1 stands for v2; v1 has no such field */
	if (version != 1) {
		return refuse(why, "it is of a version other than 2");
	}
	out->version = 2;
	return E_OK;
}

static int read_times(struct crl_parts *out, struct slice *tbs, const char **why)
{
	uint8_t tag;
	struct slice time;
	if (!der_any(tbs, &tag, &time, NULL) || !der_time(tag, time, &out->this_update_s)) {
		return refuse(why, "its thisUpdate is malformed");
	}
	if (!der_next_is(*tbs, DER_UTC_TIME) && !der_next_is(*tbs, DER_GENERALIZED_TIME)) {
		return E_OK;
	}
	if (!der_any(tbs, &tag, &time, NULL) || !der_time(tag, time, &out->next_update_s)) {
		return refuse(why, "its nextUpdate is malformed");
	}
	/* 0 means none; a CRL is never so old. */
	return out->next_update_s <= 0 || out->next_update_s < out->this_update_s
	               ? refuse(why, "its nextUpdate comes before its thisUpdate")
	               : E_OK;
}

static int read_crl_extensions(struct crl_parts *out, struct slice *tbs, const char **why)
{
	struct slice outer;
	struct slice extensions;
	if (!der_next_is(*tbs, DER_CONTEXT_CONSTRUCTED | 0)) {
		return E_OK;
	}
	if (out->version < 2) {
		return refuse(why, "it is of version 1 and has extensions");
	}
	if (!der_get(tbs, DER_CONTEXT_CONSTRUCTED | 0, &outer) ||
	    !der_get(&outer, DER_SEQUENCE, &extensions) || outer.len != 0) {
		return refuse(why, "its extensions are malformed");
	}
	if (extensions.len > EXTENSIONS_BYTES_MAX) {
		return refuse(why, "its extensions are too long");
	}
	*why = read_extensions(extensions, take_crl_extension, out);
	return *why == NULL ? E_OK : E_INVALID;
}

/* RFC 5280 5.1.2, in its order */
static int read_tbs(struct crl_parts *out, struct slice tbs, struct slice outer_algorithm,
                    const char **why)
{
	struct slice algorithm;
	int err = read_version(out, &tbs, why);
	if (err != E_OK) {
		return err;
	}
	/* RFC 5280 5.1.1.2: the algorithm that is signed has to be the one that is used */
	if (!der_get(&tbs, DER_SEQUENCE, &algorithm) || !slice_equal(algorithm, outer_algorithm)) {
		return refuse(why, "its two signature algorithms differ");
	}
	if (!signature_kind_read(&out->kind, algorithm)) {
		return refuse(why, "its signature algorithm is malformed");
	}
	if (out->kind.algorithm == GNUTLS_SIGN_UNKNOWN) {
		return refuse(why, "its signature algorithm is not supported");
	}
	/* RFC 5280 5.1.2.3: never an empty name */
	if (!der_get_whole(&tbs, DER_SEQUENCE, &out->issuer_content, &out->issuer) ||
	    out->issuer_content.len == 0 || out->issuer.len > NAME_BYTES_MAX) {
		return refuse(why, "its issuer is malformed");
	}
	err = read_times(out, &tbs, why);
	if (err != E_OK) {
		return err;
	}
	der_get(&tbs, DER_SEQUENCE, &out->revoked);
	err = count_entries(out, why);
	if (err != E_OK) {
		return err;
	}
	err = read_crl_extensions(out, &tbs, why);
	if (err == E_OK && tbs.len != 0) {
		return refuse(why, "it is malformed");
	}
	return err;
}

int crl_read(struct crl_parts *out, struct slice der, const char **why)
{
	struct slice list;
	struct slice tbs;
	struct slice algorithm;
	struct slice bits;
	unsigned unused;
	*out = (struct crl_parts){0};
	*why = NULL;
	if (der.len > CRL_BYTES_MAX) {
		return refuse(why, "it is too large");
	}
	if (!der_get(&der, DER_SEQUENCE, &list)) {
		return refuse(why, "it is no DER, or not whole");
	}
	if (der.len != 0) {
		return refuse(why, "something stands behind its end");
	}
	if (!der_get_whole(&list, DER_SEQUENCE, &tbs, &out->tbs) ||
	    !der_get(&list, DER_SEQUENCE, &algorithm) || !der_get(&list, DER_BIT_STRING, &bits) ||
	    list.len != 0 || !der_bits(bits, &out->signature, &unused) || unused != 0) {
		return refuse(why, "it is no CRL");
	}
	return read_tbs(out, tbs, algorithm, why);
}
