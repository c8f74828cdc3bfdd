#include "peer/constraints.h"

#include <strings.h>

#include "peer/der.h"
#include "peer/name.h"

/* The tags of the GeneralName forms that are compared; each is a CHOICE of its own in name and
 * subtree. */
enum form {
	FORM_EMAIL = DER_CONTEXT | 1,
	FORM_DNS = DER_CONTEXT | 2,
	FORM_DIRECTORY = DER_CONTEXT_CONSTRUCTED | 4,
	FORM_URI = DER_CONTEXT | 6,
	FORM_IP = DER_CONTEXT | 7,
};

/* Undecided: neither may it count as permitted nor as not excluded. */
enum verdict3 { OUTSIDE, WITHIN, UNDECIDED };

static bool equal_fold(struct slice a, struct slice b)
{
	return a.len == b.len &&
	       (a.len == 0 || strncasecmp((const char *)a.data, (const char *)b.data, a.len) == 0);
}

static struct slice tail(struct slice s, size_t from)
{
	return slice_of(s.data + from, s.len - from);
}

/* Letters, digits, hyphens and underscores in labels of 1 to 63 (RFC 1034 3.5; underscores are
 * in use). */
static bool is_host(struct slice s)
{
	size_t label = 0;
	if (s.len == 0 || s.len > 253) {
		return false;
	}
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.data[i];
		if (c == '.') {
			if (label == 0) {
				return false;
			}
			label = 0;
			continue;
		}
		bool known = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		             (c >= '0' && c <= '9') || c == '-' || c == '_';
		if (!known || ++label > 63) {
			return false;
		}
	}
	return label > 0;
}

/* Is `host` the name `base`, or below it? */
static bool below_or_equal(struct slice host, struct slice base)
{
	if (host.len == base.len) {
		return equal_fold(host, base);
	}
	return host.len > base.len && host.data[host.len - base.len - 1] == '.' &&
	       equal_fold(tail(host, host.len - base.len), base);
}

/* Is `host` truly below ".base"? */
static bool below_dotted(struct slice host, struct slice dotted)
{
	return host.len > dotted.len && equal_fold(tail(host, host.len - dotted.len), dotted);
}

static enum verdict3 dns_within(struct slice name, struct slice base, bool excluded)
{
	if (base.len == 0) {
		return WITHIN;
	}
	bool wildcard = name.len > 2 && name.data[0] == '*' && name.data[1] == '.';
	struct slice host = wildcard ? tail(name, 2) : name;
	if (!is_host(host) || !is_host(base)) {
		return UNDECIDED;
	}
	if (below_or_equal(host, base)) {
		return WITHIN;
	}
	/* *.a.example stands for b.a.example too, which the subtree b.a.example excludes. */
	if (wildcard && excluded) {
		size_t dot = 0;
		while (dot < base.len && base.data[dot] != '.') {
			dot++;
		}
		if (dot < base.len && equal_fold(host, tail(base, dot + 1))) {
			return WITHIN;
		}
	}
	return OUTSIDE;
}

/* Where the host of a mailbox begins, behind its only '@'; 0: it is no mailbox. */
static size_t mailbox_host(struct slice s)
{
	size_t at = 0;
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] <= ' ' || s.data[i] >= 0x7f) {
			return 0;
		}
		if (s.data[i] == '@') {
			if (at != 0 || i == 0) {
				return 0;
			}
			at = i + 1;
		}
	}
	return at != 0 && at < s.len && is_host(tail(s, at)) ? at : 0;
}

static enum verdict3 email_within(struct slice name, struct slice base)
{
	size_t at = mailbox_host(name);
	if (at == 0) {
		return UNDECIDED;
	}
	struct slice host = tail(name, at);
	size_t base_at = mailbox_host(base);
	if (base_at != 0) {
		/* The part before the '@' belongs to the host's administration: compared as it
		 * is. */
		bool same = base_at == at && memcmp(name.data, base.data, at) == 0 &&
		            equal_fold(host, tail(base, base_at));
		return same ? WITHIN : OUTSIDE;
	}
	if (base.len > 1 && base.data[0] == '.' && is_host(tail(base, 1))) {
		return below_dotted(host, base) ? WITHIN : OUTSIDE;
	}
	if (!is_host(base)) {
		return UNDECIDED;
	}
	return equal_fold(host, base) ? WITHIN : OUTSIDE;
}

/* The host of a URI with an authority (RFC 3986 3.2). Empty: there is none, or it is an address. */
static struct slice uri_host(struct slice uri)
{
	struct slice none = {0};
	/* RFC 3986 2: of visible ASCII alone. Readers stop at different bytes of anything else. */
	for (size_t i = 0; i < uri.len; i++) {
		if (uri.data[i] <= ' ' || uri.data[i] >= 0x7f) {
			return none;
		}
	}
	const uint8_t *slashes = uri.len == 0 ? NULL : memmem(uri.data, uri.len, "://", 3);
	if (slashes == NULL) {
		return none;
	}
	struct slice rest = tail(uri, (size_t)(slashes - uri.data) + 3);
	size_t end = 0;
	while (end < rest.len && rest.data[end] != '/' && rest.data[end] != '?' &&
	       rest.data[end] != '#') {
		end++;
	}
	struct slice host = slice_of(rest.data, end);
	for (size_t i = host.len; i > 0; i--) {
		if (host.data[i - 1] == '@') {
			host = tail(host, i);
			break;
		}
	}
	for (size_t i = 0; i < host.len; i++) {
		if (host.data[i] == ':') {
			host.len = i;
		}
	}
	/* A last label of digits makes it an IPv4 address; '[' of an IPv6 one is in no host. */
	bool letters = false;
	for (size_t i = host.len; i > 0 && host.data[i - 1] != '.'; i--) {
		letters = letters || host.data[i - 1] < '0' || host.data[i - 1] > '9';
	}
	return letters && is_host(host) ? host : none;
}

static enum verdict3 uri_within(struct slice name, struct slice base)
{
	struct slice host = uri_host(name);
	bool dotted = base.len > 1 && base.data[0] == '.';
	/* RFC 5280: a URI without a host name is refused where URIs are constrained */
	if (host.len == 0 || !is_host(dotted ? tail(base, 1) : base)) {
		return UNDECIDED;
	}
	return (dotted ? below_dotted(host, base) : equal_fold(host, base)) ? WITHIN : OUTSIDE;
}

static bool is_mask(const uint8_t *mask, size_t len)
{
	bool ended = false;
	for (size_t i = 0; i < len * 8; i++) {
		bool bit = (mask[i / 8] & (0x80 >> i % 8)) != 0;
		if (bit && ended) {
			return false;
		}
		ended = ended || !bit;
	}
	return true;
}

static enum verdict3 ip_within(struct slice name, struct slice base)
{
	if ((name.len != 4 && name.len != 16) || (base.len != 8 && base.len != 32) ||
	    !is_mask(base.data + base.len / 2, base.len / 2)) {
		return UNDECIDED;
	}
	if (base.len != name.len * 2) {
		return OUTSIDE;
	}
	for (size_t i = 0; i < name.len; i++) {
		if (((name.data[i] ^ base.data[i]) & base.data[name.len + i]) != 0) {
			return OUTSIDE;
		}
	}
	return WITHIN;
}

static enum verdict3 directory_within(struct slice name, struct slice base)
{
	struct slice rdns;
	if (!der_get(&base, DER_SEQUENCE, &rdns) || base.len != 0) {
		return UNDECIDED;
	}
	switch (name_within(name, rdns)) {
	case NAME_WITHIN:
		return WITHIN;
	case NAME_OUTSIDE:
		return OUTSIDE;
	case NAME_UNDECIDED:
		break;
	}
	return UNDECIDED;
}

static enum verdict3 within(uint8_t form, struct slice name, struct slice base, bool excluded)
{
	switch (form) {
	case FORM_EMAIL:
		return email_within(name, base);
	case FORM_DNS:
		return dns_within(name, base, excluded);
	case FORM_DIRECTORY:
		return directory_within(name, base);
	case FORM_URI:
		return uri_within(name, base);
	case FORM_IP:
		return ip_within(name, base);
	default:
		return UNDECIDED;
	}
}

/* One GeneralSubtree: its base. minimum and maximum must not be there (RFC 5280 4.2.1.10). */
static bool next_subtree(struct slice *subtrees, uint8_t *form, struct slice *base)
{
	struct slice subtree;
	return der_get(subtrees, DER_SEQUENCE, &subtree) && der_any(&subtree, form, base, NULL) &&
	       subtree.len == 0;
}

/* Bytes that a comparison may look at before it counts once more. */
#define COMPARISON_BYTES 128

struct check {
	const struct cert_x509 *issuer;
	unsigned *comparisons;
};

/* Long names and long subtrees take their time: a comparison costs by their length, too. */
static bool spend(struct check *check, struct slice name, struct slice base)
{
	size_t cost = 1 + (name.len + base.len) / COMPARISON_BYTES;
	*check->comparisons = cost < *check->comparisons ? *check->comparisons - (unsigned)cost : 0;
	return *check->comparisons > 0;
}

/* NULL: this name is within the constraints. */
static const char *check_name(struct check *check, uint8_t form, struct slice name)
{
	static const char syntax[] = "name constraints that cannot be read";
	bool constrained = false;
	bool permitted = false;
	struct slice base;
	uint8_t base_form;
	for (struct slice in = check->issuer->permitted; in.len > 0;) {
		if (!next_subtree(&in, &base_form, &base)) {
			return syntax;
		}
		if (!spend(check, name, base)) {
			return NULL;
		}
		if (base_form == form) {
			constrained = true;
			permitted = permitted || within(form, name, base, false) == WITHIN;
		}
	}
	for (struct slice in = check->issuer->excluded; in.len > 0;) {
		if (!next_subtree(&in, &base_form, &base)) {
			return syntax;
		}
		if (!spend(check, name, base)) {
			return NULL;
		}
		if (base_form == form && within(form, name, base, true) != OUTSIDE) {
			return "a name in an excluded subtree";
		}
	}
	return constrained && !permitted ? "a name outside of the permitted subtrees" : NULL;
}

struct email_check {
	struct check *check;
	const char *violation;
};

static bool check_email(void *context, struct slice email)
{
	struct email_check *c = context;
	c->violation = check_name(c->check, FORM_EMAIL, email);
	return c->violation == NULL;
}

static const char *check_subject(struct check *check, const struct cert_x509 *cert)
{
	struct slice whole = cert->subject;
	struct slice rdns;
	if (!der_get(&whole, DER_SEQUENCE, &rdns) || rdns.len == 0) {
		return NULL;
	}
	const char *violation = check_name(check, FORM_DIRECTORY, rdns);
	if (violation != NULL) {
		return violation;
	}
	/* RFC 5280 4.2.1.10: without a rfc822Name the addresses in the subject count. With one, too: whoever reads the
	 * subject knows nothing of the other one. */
	struct email_check emails = {check, NULL};
	name_each_email(rdns, check_email, &emails);
	return emails.violation;
}

/* RFC 5280 4.2.1.6: the CHOICE, whether it is compared here or not. */
static bool is_form(uint8_t tag)
{
	switch (tag) {
	case DER_CONTEXT_CONSTRUCTED | 0: /* otherName */
	case FORM_EMAIL:
	case FORM_DNS:
	case DER_CONTEXT_CONSTRUCTED | 3: /* x400Address */
	case FORM_DIRECTORY:
	case DER_CONTEXT_CONSTRUCTED | 5: /* ediPartyName */
	case FORM_URI:
	case FORM_IP:
	case DER_CONTEXT | 8: /* registeredID */
		return true;
	default:
		return false;
	}
}

/* A subtree with a syntax error refuses every certificate, not only those that have a name of
 * its form. */
static bool well_formed(struct check *check, struct slice subtrees)
{
	while (subtrees.len > 0) {
		uint8_t form;
		struct slice base;
		if (!next_subtree(&subtrees, &form, &base) || !is_form(form)) {
			return false;
		}
		if (!spend(check, base, base)) {
			return true;
		}
		/* RFC 5280 4.2.1.10: an address and its mask */
		if (form == FORM_IP && ((base.len != 8 && base.len != 32) ||
		                        !is_mask(base.data + base.len / 2, base.len / 2))) {
			return false;
		}
		if (form == FORM_DNS && base.len > 0 && !is_host(base)) {
			return false;
		}
		/* [4] is explicit: a Name stands inside, and nothing else. */
		struct slice name;
		if (form == FORM_DIRECTORY &&
		    (!der_get(&base, DER_SEQUENCE, &name) || base.len != 0)) {
			return false;
		}
	}
	return true;
}

const char *constraints_check(const struct cert *issuer, const struct cert *cert,
                              unsigned *comparisons)
{
	struct check check = {issuer->x509, comparisons};
	if (!well_formed(&check, issuer->x509->permitted) ||
	    !well_formed(&check, issuer->x509->excluded)) {
		return "name constraints that cannot be read";
	}
	for (struct slice in = cert->x509->names; in.len > 0;) {
		uint8_t form;
		struct slice name;
		if (!der_any(&in, &form, &name, NULL)) {
			return "names that cannot be read";
		}
		struct slice rdns = name;
		/* [4] is explicit: the Name stands inside. */
		if (form == FORM_DIRECTORY &&
		    (!der_get(&name, DER_SEQUENCE, &rdns) || name.len != 0)) {
			return "names that cannot be read";
		}
		const char *violation = check_name(&check, form, rdns);
		if (violation != NULL || *comparisons == 0) {
			return violation;
		}
	}
	return check_subject(&check, cert->x509);
}
