#include "peer/identity.h"

#include "peer/der.h"
#include "peer/name.h"
#include "peer/text.h"

enum place {
	PLACE_COMMON_NAME,
	PLACE_SUBJECT,
	PLACE_ISSUER,
	PLACE_EMAIL,
	PLACE_DNS,
	PLACE_URI,
	PLACE_DIRECTORY,
	PLACE_PRINCIPAL,
	PLACE_COUNT
};

#define FAULTS_IN(place) \
	{ \
		[TEXT_NUL] = ("NUL in " place), [TEXT_CONTROL] = ("control characters in " place), \
		[TEXT_NOT_UNICODE] = ("no valid Unicode in " place), \
		[TEXT_NOT_STRING] = ("no string in " place), \
		[TEXT_NOT_ASCII] = ("bytes beyond ASCII in " place), [TEXT_EMPTY] = ("nothing in " place), \
	}

static const char *const words[PLACE_COUNT][TEXT_FAULTS] = {
	[PLACE_COMMON_NAME] = FAULTS_IN("the common name"),
	[PLACE_SUBJECT] = FAULTS_IN("the subject"),
	[PLACE_ISSUER] = FAULTS_IN("the issuer's name"),
	[PLACE_EMAIL] = FAULTS_IN("an e-mail address"),
	[PLACE_DNS] = FAULTS_IN("a DNS name"),
	[PLACE_URI] = FAULTS_IN("a URI"),
	[PLACE_DIRECTORY] = FAULTS_IN("a directory name"),
	[PLACE_PRINCIPAL] = FAULTS_IN("a user principal name"),
};

static const uint8_t common_name_oid[] = {0x55, 0x04, 0x03};
/* 1.3.6.1.4.1.311.20.2.3: who a Windows domain takes a smart card for. */
static const uint8_t principal_oid[] = {0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x14, 0x02, 0x03};

/* id-at: the attributes of X.520 are strings, but for the unique identifier of bits (45). */
static bool has_to_be_a_string(struct slice oid)
{
	return oid.len == 3 && oid.data[0] == 0x55 && oid.data[1] == 0x04 && oid.data[2] != 45;
}

static const char *attribute_fault(const struct ava *ava, enum place place)
{
	if (place == PLACE_SUBJECT &&
	    slice_equal(ava->oid, slice_of(common_name_oid, sizeof(common_name_oid)))) {
		place = PLACE_COMMON_NAME;
	}
	enum text_fault fault = text_fault(ava->tag, ava->value);
	if (fault == TEXT_NOT_STRING && !has_to_be_a_string(ava->oid)) {
		return NULL;
	}
	if (place == PLACE_ISSUER && fault != TEXT_NUL && fault != TEXT_CONTROL) {
		return NULL;
	}
	return words[place][fault];
}

/* Of a Name with its SEQUENCE, which was read before. */
static const char *name_fault(struct slice whole, enum place place)
{
	struct slice rdns;
	struct slice rdn;
	const char *fault = NULL;
	if (!der_get(&whole, DER_SEQUENCE, &rdns)) {
		return NULL;
	}
	while (fault == NULL && rdns.len > 0 && der_get(&rdns, DER_SET, &rdn)) {
		struct ava ava;
		while (fault == NULL && rdn.len > 0 && name_next_ava(&rdn, &ava)) {
			fault = attribute_fault(&ava, place);
		}
	}
	return fault;
}

/* Of the other names only this one is read by those who log people in. */
static const char *other_name_fault(struct slice content)
{
	struct slice oid;
	struct slice value;
	struct slice text;
	uint8_t tag;
	if (!der_get(&content, DER_OID, &oid) ||
	    !slice_equal(oid, slice_of(principal_oid, sizeof(principal_oid))) ||
	    !der_get(&content, DER_CONTEXT_CONSTRUCTED | 0, &value)) {
		return NULL;
	}
	if (!der_any(&value, &tag, &text, NULL) || value.len != 0) {
		return words[PLACE_PRINCIPAL][TEXT_NOT_STRING];
	}
	return words[PLACE_PRINCIPAL][text_fault(tag, text)];
}

static const char *general_name_fault(uint8_t form, struct slice content)
{
	switch (form) {
	case DER_CONTEXT_CONSTRUCTED | 0:
		return other_name_fault(content);
	case DER_CONTEXT | 1:
		return words[PLACE_EMAIL][text_ia5_fault(content)];
	case DER_CONTEXT | 2:
		return words[PLACE_DNS][text_ia5_fault(content)];
	case DER_CONTEXT_CONSTRUCTED | 4:
		return name_fault(content, PLACE_DIRECTORY);
	case DER_CONTEXT | 6:
		return words[PLACE_URI][text_ia5_fault(content)];
	case DER_CONTEXT | 7: /* RFC 5280 4.2.1.6: an address of IPv4 or IPv6 */
		return content.len == 4 || content.len == 16 ? NULL
		                                             : "an IP address of a wrong length";
	default:
		return NULL;
	}
}

const char *identity_fault(const struct cert_x509 *x)
{
	const char *fault = name_fault(x->subject, PLACE_SUBJECT);
	fault = fault != NULL ? fault : name_fault(x->issuer, PLACE_ISSUER);
	struct slice names = x->names;
	while (fault == NULL && names.len > 0) {
		uint8_t form;
		struct slice content;
		if (!der_any(&names, &form, &content, NULL)) {
			break;
		}
		fault = general_name_fault(form, content);
	}
	return fault;
}
