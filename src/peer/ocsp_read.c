/* An OCSPResponse (RFC 6960 4.2.1) from its outer bytes to one struct ocsp_answer: what is cheap
 * is looked at first, the signature last. */
#include "base/err.h"
#include "peer/der.h"
#include "peer/ocsp.h"
#include "peer/ocsp_cert.h"
#include "peer/ocsp_signer.h"

enum { TAG_ENUMERATED = 0x0a };

struct cert_hashes {
	uint8_t issuer_name[OCSP_HASH_BYTES_MAX];
	uint8_t issuer_key[OCSP_HASH_BYTES_MAX];
	size_t len;
};

struct reading {
	struct ocsp_cert leaf;
	struct cert_hashes hashes[OCSP_HASH_COUNT];
	int64_t now_s;

	struct ocsp_signed signer;
	int64_t produced_at_s;
	struct slice singles;    /* content of `responses` */
	struct slice extensions; /* of the whole answer */

	bool found;              /* `answer` is set */
	const char *not_current; /* of an entry about our certificate; NULL */
	struct ocsp_answer answer;
};

static int refuse(const char **why, const char *sentence)
{
	*why = sentence;
	return E_INVALID;
}

static bool get_time(struct slice *in, int64_t *out)
{
	struct slice content;
	return der_get(in, DER_GENERALIZED_TIME, &content) &&
	       der_time(DER_GENERALIZED_TIME, content, out);
}

/* [number] EXPLICIT Extensions, which may be absent. */
static bool get_extensions(struct slice *in, uint8_t tag, struct slice *out)
{
	struct slice tagged;
	*out = (struct slice){0};
	return !der_get(in, tag, &tagged) ||
	       (der_get(&tagged, DER_SEQUENCE, out) && tagged.len == 0);
}

static const char *status_word(uint32_t status)
{
	switch (status) {
	case 1:
		return "the OCSP responder calls the request malformed";
	case 2:
		return "the OCSP responder failed (internalError)";
	case 3:
		return "the OCSP responder wants to be asked later (tryLater)";
	case 5:
		return "the OCSP responder wants signed requests (sigRequired)";
	case 6:
		return "the OCSP responder does not answer for this issuer (unauthorized)";
	default:
		return "the OCSP responder answered with an unknown status";
	}
}

/* OCSPResponse; `basic` becomes the content of the BasicOCSPResponse. */
static int open_response(struct slice in, struct slice *basic, const char **why)
{
	static const uint8_t basic_oid[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01};
	static const char malformed[] = "the OCSP answer is malformed";
	struct slice response;
	struct slice content;
	uint32_t status;
	if (in.len > OCSP_ANSWER_BYTES_MAX) {
		return refuse(why, "the OCSP answer is too large");
	}
	if (!der_get(&in, DER_SEQUENCE, &response) || in.len != 0 ||
	    !der_get(&response, TAG_ENUMERATED, &content) || !der_uint(content, &status)) {
		return refuse(why, malformed);
	}
	if (status != 0) {
		return refuse(why, status_word(status));
	}
	struct slice tagged;
	struct slice bytes;
	struct slice type;
	struct slice octets;
	if (!der_get(&response, DER_CONTEXT_CONSTRUCTED | 0, &tagged) || response.len != 0 ||
	    !der_get(&tagged, DER_SEQUENCE, &bytes) || tagged.len != 0 ||
	    !der_get(&bytes, DER_OID, &type) || !der_get(&bytes, DER_OCTET_STRING, &octets) ||
	    bytes.len != 0) {
		return refuse(why, malformed);
	}
	if (!slice_equal(type, slice_of(basic_oid, sizeof(basic_oid)))) {
		return refuse(why, "the OCSP answer is of an unknown type");
	}
	return der_get(&octets, DER_SEQUENCE, basic) && octets.len == 0 ? E_OK
	                                                                : refuse(why, malformed);
}

static bool read_responder(struct ocsp_signed *out, struct slice *in)
{
	struct slice tagged;
	struct slice content;
	out->by_key = der_next_is(*in, DER_CONTEXT_CONSTRUCTED | 2);
	if (out->by_key) {
		return der_get(in, DER_CONTEXT_CONSTRUCTED | 2, &tagged) &&
		       der_get(&tagged, DER_OCTET_STRING, &out->responder) && tagged.len == 0 &&
		       out->responder.len == OCSP_SHA1_BYTES;
	}
	return der_get(in, DER_CONTEXT_CONSTRUCTED | 1, &tagged) &&
	       der_get_whole(&tagged, DER_SEQUENCE, &content, &out->responder) && tagged.len == 0;
}

/* Version 1 alone; DER leaves it out, some responders do not. */
static bool read_version(struct slice *in)
{
	struct slice tagged;
	struct slice content;
	uint32_t version;
	return !der_get(in, DER_CONTEXT_CONSTRUCTED | 0, &tagged) ||
	       (der_get(&tagged, DER_INTEGER, &content) && tagged.len == 0 &&
	        der_uint(content, &version) && version == 0);
}

/* BasicOCSPResponse and its ResponseData, but for what stands in `singles` and `extensions`. */
static bool read_basic(struct reading *r, struct slice basic)
{
	struct slice tbs;
	struct slice algorithm;
	struct slice bits;
	unsigned unused;
	if (!der_get_whole(&basic, DER_SEQUENCE, &tbs, &r->signer.tbs) ||
	    !der_get(&basic, DER_SEQUENCE, &algorithm) ||
	    !signature_kind_read(&r->signer.kind, algorithm) ||
	    !der_get(&basic, DER_BIT_STRING, &bits) ||
	    !der_bits(bits, &r->signer.signature, &unused) || unused != 0 ||
	    !get_extensions(&basic, DER_CONTEXT_CONSTRUCTED | 0, &r->signer.certs) ||
	    basic.len != 0) {
		return false;
	}
	return read_version(&tbs) && read_responder(&r->signer, &tbs) &&
	       get_time(&tbs, &r->produced_at_s) && der_get(&tbs, DER_SEQUENCE, &r->singles) &&
	       get_extensions(&tbs, DER_CONTEXT_CONSTRUCTED | 1, &r->extensions) && tbs.len == 0;
}

/* RFC 5280 4.1.1.2: an OID, and parameters that may be absent. */
static bool read_hash_algorithm(struct slice in, struct slice *oid)
{
	uint8_t tag;
	return der_get(&in, DER_OID, oid) &&
	       (in.len == 0 || (der_any(&in, &tag, NULL, NULL) && in.len == 0));
}

/* CertID; hashes that are not known here cannot be about anybody. */
static bool read_cert_id(const struct reading *r, struct slice in, bool *ours)
{
	struct slice algorithm;
	struct slice oid;
	struct slice name;
	struct slice key;
	struct slice serial;
	if (!der_get(&in, DER_SEQUENCE, &algorithm) || !read_hash_algorithm(algorithm, &oid) ||
	    !der_get(&in, DER_OCTET_STRING, &name) || !der_get(&in, DER_OCTET_STRING, &key) ||
	    !der_get(&in, DER_INTEGER, &serial) || in.len != 0) {
		return false;
	}
	*ours = false;
	for (size_t i = 0; i < OCSP_HASH_COUNT; i++) {
		const struct cert_hashes *h = &r->hashes[i];
		if (slice_equal(oid, ocsp_hash_oid((enum ocsp_hash)i))) {
			*ours = slice_equal(name, slice_of(h->issuer_name, h->len)) &&
			        slice_equal(key, slice_of(h->issuer_key, h->len)) &&
			        slice_equal(serial, r->leaf.serial);
		}
	}
	return true;
}

/* CertStatus: good [0], revoked [1] with its time, unknown [2]. */
static bool read_status(struct slice *in, struct ocsp_answer *out)
{
	uint8_t tag;
	struct slice content;
	if (!der_any(in, &tag, &content, NULL)) {
		return false;
	}
	if (tag == (DER_CONTEXT | 0) || tag == (DER_CONTEXT | 2)) {
		out->status = tag == (DER_CONTEXT | 0) ? REVOCATION_GOOD : REVOCATION_UNKNOWN;
		return content.len == 0;
	}
	if (tag != (DER_CONTEXT_CONSTRUCTED | 1) || !get_time(&content, &out->revoked_at_s)) {
		return false;
	}
	out->status = REVOCATION_REVOKED;
	struct slice tagged;
	struct slice number;
	uint32_t reason;
	if (der_get(&content, DER_CONTEXT_CONSTRUCTED | 0, &tagged)) {
		if (!der_get(&tagged, TAG_ENUMERATED, &number) || tagged.len != 0 ||
		    !der_uint(number, &reason)) {
			return false;
		}
		/* A reason nobody knows is none: the certificate is revoked all the same. */
		out->reason = reason <= 10 ? reason : 0;
	}
	return content.len == 0;
}

static bool read_updates(struct slice *in, struct ocsp_answer *out)
{
	struct slice tagged;
	if (!get_time(in, &out->this_update_s)) {
		return false;
	}
	if (der_get(in, DER_CONTEXT_CONSTRUCTED | 0, &tagged) &&
	    (!get_time(&tagged, &out->next_update_s) || tagged.len != 0 ||
	     out->next_update_s < out->this_update_s)) {
		return false;
	}
	/* RFC 6960 4.2.2.1: through nextUpdate, inclusive; without one there is newer information
	 * at any time. */
	out->until_s = out->next_update_s != 0 ? out->next_update_s + 1
	                                       : out->this_update_s + OCSP_UNDATED_S;
	return true;
}

/* The worse, the higher. */
static int rank(enum revocation_status status)
{
	return status == REVOCATION_REVOKED ? 2 : status == REVOCATION_UNKNOWN ? 1 : 0;
}

/* One more entry about our certificate. Of several the gravest counts, and until the first of
 * them ends. */
static void take(struct reading *r, const struct ocsp_answer *entry)
{
	if (entry->this_update_s - OCSP_SKEW_S > r->now_s) {
		r->not_current = "the OCSP answer is from the future";
		return;
	}
	if (entry->until_s <= r->now_s) {
		r->not_current = "the OCSP answer is out of date";
		return;
	}
	int64_t until_s =
		r->found && r->answer.until_s < entry->until_s ? r->answer.until_s : entry->until_s;
	if (!r->found || rank(entry->status) > rank(r->answer.status)) {
		r->answer = *entry;
	}
	r->answer.until_s = until_s;
	r->found = true;
}

static int read_single(struct reading *r, struct slice in, const char **why)
{
	static const char malformed[] = "an entry of the OCSP answer is malformed";
	struct ocsp_answer entry = {0};
	struct slice id;
	struct slice extensions;
	bool ours;
	if (!der_get(&in, DER_SEQUENCE, &id) || !read_cert_id(r, id, &ours) ||
	    !read_status(&in, &entry) || !read_updates(&in, &entry) ||
	    !get_extensions(&in, DER_CONTEXT_CONSTRUCTED | 1, &extensions) || in.len != 0) {
		return refuse(why, malformed);
	}
	while (extensions.len > 0) {
		struct ocsp_extension extension;
		if (!ocsp_next_extension(&extensions, &extension)) {
			return refuse(why, malformed);
		}
		/* RFC 6960 4.4: none of them changes what the status means, so none is known. */
		if (ours && extension.critical) {
			return refuse(why, "the OCSP answer has an unknown critical extension");
		}
	}
	if (ours) {
		take(r, &entry);
	}
	return E_OK;
}

static int read_singles(struct reading *r, const char **why)
{
	struct slice in = r->singles;
	while (in.len > 0) {
		struct slice single;
		if (!der_get(&in, DER_SEQUENCE, &single)) {
			return refuse(why, "the OCSP answer is malformed");
		}
		int err = read_single(r, single, why);
		if (err != E_OK) {
			return err;
		}
	}
	/* An entry that is out of date does not outweigh one that says revoked today; beside any
	 * other it is one doubt too many. */
	bool revoked = r->found && r->answer.status == REVOCATION_REVOKED;
	if (r->not_current != NULL && !revoked) {
		return refuse(why, r->not_current);
	}
	return r->found ? E_OK : refuse(why, "the OCSP answer is about another certificate");
}

/* RFC 8954 2.1: what comes back is what was sent. A responder that keeps its answers ready has
 * none. */
static int read_extensions(const struct reading *r, const uint8_t *nonce, const char **why)
{
	static const uint8_t nonce_oid[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02};
	struct slice in = r->extensions;
	while (in.len > 0) {
		struct ocsp_extension extension;
		struct slice value;
		if (!ocsp_next_extension(&in, &extension)) {
			return refuse(why, "the OCSP answer is malformed");
		}
		if (!slice_equal(extension.oid, slice_of(nonce_oid, sizeof(nonce_oid)))) {
			if (extension.critical) {
				return refuse(why,
				              "the OCSP answer has an unknown critical extension");
			}
			continue;
		}
		if (nonce != NULL && (!der_get(&extension.value, DER_OCTET_STRING, &value) ||
		                      extension.value.len != 0 ||
		                      !slice_equal(value, slice_of(nonce, OCSP_NONCE_BYTES)))) {
			return refuse(why, "the OCSP answer is to another question (nonce)");
		}
	}
	return E_OK;
}

/* What a CertID about our certificate has (RFC 6960 4.1.1). */
static int hash_names(struct reading *r, const struct ocsp_cert *issuer)
{
	for (size_t i = 0; i < OCSP_HASH_COUNT; i++) {
		struct cert_hashes *h = &r->hashes[i];
		h->len = ocsp_hash((enum ocsp_hash)i, r->leaf.issuer, h->issuer_name);
		if (h->len == 0 || ocsp_hash((enum ocsp_hash)i, issuer->key, h->issuer_key) == 0) {
			return E_NOMEM;
		}
	}
	return E_OK;
}

int ocsp_read(struct ocsp_answer *out, struct slice response, struct slice leaf, struct slice issuer,
              const uint8_t *nonce, enum profile profile, int64_t now_s, const char **why)
{
	struct reading r = {.now_s = now_s};
	struct ocsp_cert by;
	struct slice basic;
	*why = NULL;
	int err = open_response(response, &basic, why);
	if (err != E_OK) {
		return err;
	}
	if (!ocsp_cert_read(&r.leaf, leaf) || !ocsp_cert_read(&by, issuer)) {
		return refuse(why, "the certificate or its issuer cannot be parsed");
	}
	if (!read_basic(&r, basic)) {
		return refuse(why, "the OCSP answer is malformed");
	}
	if (r.produced_at_s - OCSP_SKEW_S > now_s) {
		return refuse(why, "the OCSP answer is from the future");
	}
	err = hash_names(&r, &by);
	err = err != E_OK ? err : read_singles(&r, why);
	err = err != E_OK ? err : read_extensions(&r, nonce, why);
	err = err != E_OK
	              ? err
	              : ocsp_check_signer(&r.signer, issuer, profile, now_s, &r.answer.until_s, why);
	if (err == E_OK) {
		*out = r.answer;
		*why = NULL;
	}
	return err;
}
