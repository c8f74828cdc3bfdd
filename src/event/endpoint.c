#include <string.h>
#include <sys/socket.h>

#include "event/handshake.h"

static char *decimal(char *to, unsigned byte)
{
	if (byte >= 100) {
		*to++ = (char)('0' + byte / 100);
	}
	if (byte >= 10) {
		*to++ = (char)('0' + byte / 10 % 10);
	}
	*to++ = (char)('0' + byte % 10);
	return to;
}

static char *hex(char *to, unsigned group)
{
	static const char digits[] = "0123456789abcdef";
	/* RFC 5952 4.1, 4.3: no leading zeros, lower case. */
	for (int shift = 12; shift >= 0; shift -= 4) {
		if (group >> shift != 0 || shift == 0) {
			*to++ = digits[group >> shift & 15];
		}
	}
	return to;
}

static char *ipv6(char *to, const uint8_t *ip)
{
	unsigned group[8];
	for (int i = 0; i < 8; i++) {
		group[i] = (unsigned)ip[2 * i] << 8 | ip[2 * i + 1];
	}
	/* RFC 5952 4.2: the longest run of zeros, the first of equals, and never a single one. */
	int best = -1;
	int best_len = 1;
	for (int i = 0; i < 8; i++) {
		int len = 0;
		while (i + len < 8 && group[i + len] == 0) {
			len++;
		}
		if (len > best_len) {
			best = i;
			best_len = len;
		}
		i += len;
	}
	for (int i = 0; i < 8; i++) {
		if (i == best) {
			*to++ = ':';
			*to++ = ':';
			i += best_len - 1;
			continue;
		}
		if (i > 0 && to[-1] != ':') {
			*to++ = ':';
		}
		to = hex(to, group[i]);
	}
	return to;
}

size_t endpoint_ip(char out[static ENDPOINT_IP_MAX], const struct endpoint *endpoint)
{
	char *to = out;
	if (endpoint->family == AF_INET) {
		for (int i = 0; i < 4; i++) {
			if (i > 0) {
				*to++ = '.';
			}
			to = decimal(to, endpoint->ip[i]);
		}
	} else if (endpoint->family == AF_INET6) {
		to = ipv6(to, endpoint->ip);
	}
	*to = '\0';
	return (size_t)(to - out);
}
