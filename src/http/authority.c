#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "http/head.h"
#include "http/syntax.h"

/* RFC 1035 3.1; no name that resolves is longer, and what compares hosts may keep them in this much. */
#define HOST_MAX 255

/* `text` begins with "[". Returns how many bytes the literal has with its brackets, 0: it is none. Zones (RFC 6874) are
 * percent-encoded, mean something to one machine alone, and are refused with IPvFuture. */
static size_t ipv6_literal(struct slice text)
{
	const uint8_t *close = memchr(text.data, ']', text.len);
	char copy[INET6_ADDRSTRLEN];
	size_t len = close == NULL ? 0 : (size_t)(close - text.data) - 1;
	if (len == 0 || len >= sizeof(copy) || memchr(text.data, '\0', len) != NULL) {
		return 0;
	}
	struct in6_addr address;
	memcpy(copy, text.data + 1, len);
	copy[len] = '\0';
	return inet_pton(AF_INET6, copy, &address) == 1 ? len + 2 : 0;
}

bool http_authority_parse(struct slice authority, struct slice *host, uint16_t *port)
{
	if (authority.len == 0) {
		return false;
	}
	const uint8_t *end = authority.data + authority.len;
	size_t len = authority.data[0] == '[' ? ipv6_literal(authority)
	                                      : http_run(authority.data, end, HTTP_CLASS_HOST);
	if (len == 0 || len > HOST_MAX) {
		return false;
	}
	uint64_t number = 0;
	if (len < authority.len) {
		struct slice digits = slice_of(authority.data + len + 1, authority.len - len - 1);
		/* RFC 3986 3.2.3 allows an empty port and leading zeros. No client sends them, and readers differ on them. */
		if (authority.data[len] != ':' || !http_decimal(digits, UINT16_MAX, &number) ||
		    digits.data[0] == '0') {
			return false;
		}
	}
	*host = slice_of(authority.data, len);
	*port = (uint16_t)number;
	return true;
}
