#include "peer/hostname.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "peer/der.h"

/* GeneralName's forms that count (RFC 5280 4.2.1.6). */
enum { NAME_DNS = DER_CONTEXT | 2, NAME_ADDRESS = DER_CONTEXT | 7 };

static bool is_label_byte(uint8_t c)
{
	/* Underscores are in no host name and in many certificates. */
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

/* Labels of 1 to 63 letters, digits, hyphens and underscores (RFC 1034 3.5); gives how many, 0: it is no name. NUL, spaces, `*` and
 * bytes beyond ASCII are in none. */
static size_t count_labels(struct slice name)
{
	size_t labels = 1;
	size_t len = 0;
	for (size_t i = 0; i < name.len; i++) {
		if (name.data[i] == '.' && len > 0) {
			labels++;
			len = 0;
		} else if (!is_label_byte(name.data[i]) || ++len > 63) {
			return 0;
		}
	}
	return len > 0 && name.len <= HOSTNAME_MAX ? labels : 0;
}

/* RFC 3696 2, RFC 1123 2.1: a last label of digits alone is of an address, or of what somebody takes for one. */
static bool ends_in_digits(struct slice name)
{
	for (size_t i = name.len; i > 0 && name.data[i - 1] != '.'; i--) {
		if (name.data[i - 1] < '0' || name.data[i - 1] > '9') {
			return false;
		}
	}
	return true;
}

int hostname_parse(struct hostname *out, const char *text)
{
	*out = (struct hostname){0};
	if (inet_pton(AF_INET, text, out->bytes) == 1) {
		out->kind = HOSTNAME_ADDRESS;
		out->len = 4;
		return E_OK;
	}
	if (inet_pton(AF_INET6, text, out->bytes) == 1) {
		out->kind = HOSTNAME_ADDRESS;
		out->len = 16;
		return E_OK;
	}
	struct slice name = slice_text(text);
	if (name.len > 1 && name.data[name.len - 1] == '.') {
		name.len--;
	}
	if (count_labels(name) == 0 || ends_in_digits(name)) {
		return E_INVALID;
	}
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.data[i];
		out->bytes[i] = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
	}
	out->kind = HOSTNAME_DNS;
	out->len = (uint8_t)name.len;
	return E_OK;
}

static bool equal_fold(struct slice a, struct slice b)
{
	return a.len == b.len && strncasecmp((const char *)a.data, (const char *)b.data, a.len) == 0;
}

/* RFC 9525 6.3 */
static bool dns_matches(struct slice wanted, struct slice presented)
{
	bool wildcard = presented.len > 2 && presented.data[0] == '*' && presented.data[1] == '.';
	if (!wildcard) {
		/* A byte that is in no name, NUL among them, is in no wanted one either. */
		return equal_fold(wanted, presented);
	}
	struct slice base = slice_of(presented.data + 2, presented.len - 2);
	const uint8_t *dot = memchr(wanted.data, '.', wanted.len);
	if (dot == NULL || count_labels(base) < 2) {
		return false;
	}
	size_t skip = (size_t)(dot - wanted.data) + 1;
	return equal_fold(slice_of(wanted.data + skip, wanted.len - skip), base);
}

bool hostname_matches(const struct hostname *hostname, const struct cert *cert)
{
	struct slice wanted = slice_of(hostname->bytes, hostname->len);
	struct slice names = cert->x509->names;
	while (names.len > 0) {
		uint8_t form;
		struct slice name;
		if (!der_any(&names, &form, &name, NULL)) {
			return false;
		}
		if (hostname->kind == HOSTNAME_DNS && form == NAME_DNS && dns_matches(wanted, name)) {
			return true;
		}
		if (hostname->kind == HOSTNAME_ADDRESS && form == NAME_ADDRESS &&
		    slice_equal(wanted, name)) {
			return true;
		}
	}
	return false;
}
