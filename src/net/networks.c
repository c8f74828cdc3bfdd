#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "net/proxy_protocol.h"

struct network {
	int family; /* AF_INET, AF_INET6, AF_UNIX */
	unsigned bits;
	uint8_t ip[16];
};

struct networks {
	size_t count;
	struct network items[];
};

/* Of the first `bits` bits. */
static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	if (memcmp(a, b, bits / 8) != 0) {
		return false;
	}
	unsigned rest = bits % 8;
	return rest == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0;
}

/* Decimal, without leading zeros, `most` at most. */
static bool read_bits(unsigned *out, const char *text, unsigned most)
{
	size_t len = strlen(text);
	if (len == 0 || len > 3 || strspn(text, "0123456789") != len || (len > 1 && text[0] == '0')) {
		return false;
	}
	*out = (unsigned)atoi(text);
	return *out <= most;
}

static bool read_network(struct network *out, const char *text)
{
	*out = (struct network){.family = AF_UNIX};
	if (strcmp(text, "unix") == 0) {
		return true;
	}
	char ip[INET6_ADDRSTRLEN];
	size_t len = strcspn(text, "/");
	if (len >= sizeof(ip)) {
		return false;
	}
	memcpy(ip, text, len);
	ip[len] = '\0';
	out->family = strchr(ip, ':') == NULL ? AF_INET : AF_INET6;
	unsigned most = out->family == AF_INET ? 32 : 128;
	out->bits = most;
	return inet_pton(out->family, ip, out->ip) == 1 &&
	       (text[len] == '\0' || read_bits(&out->bits, text + len + 1, most));
}

static bool bits_beyond(const struct network *network)
{
	size_t len = network->family == AF_INET ? 4 : network->family == AF_INET6 ? 16 : 0;
	for (size_t i = network->bits; i < 8 * len; i++) {
		if ((network->ip[i / 8] & 0x80 >> i % 8) != 0) {
			return true;
		}
	}
	return false;
}

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* RFC 4291 2.5.5.2: the IPv4 network that is meant. */
static void unmap(struct network *network)
{
	if (network->family == AF_INET6 && network->bits >= 96 &&
	    memcmp(network->ip, mapped_prefix, sizeof(mapped_prefix)) == 0) {
		network->family = AF_INET;
		network->bits -= 96;
		memmove(network->ip, network->ip + 12, 4);
	}
}

int networks_new(struct networks **out, const struct config_texts *texts, const char *file,
                 struct diag *diag)
{
	*out = NULL;
	if (texts->count == 0) {
		return E_OK;
	}
	struct networks *networks =
		calloc(1, sizeof(*networks) + texts->count * sizeof(networks->items[0]));
	if (networks == NULL) {
		return E_NOMEM;
	}
	int err = E_OK;
	for (size_t i = 0; i < texts->count; i++) {
		const struct config_text *text = &texts->items[i];
		struct network *network = &networks->items[networks->count++];
		if (!read_network(network, text->text)) {
			diag_error(diag, file, text->at,
			           "proxy_protocol: \"%s\" is no ADDRESS, ADDRESS/BITS or unix",
			           text->text);
			err = E_INVALID;
		} else if (bits_beyond(network)) {
			diag_error(diag, file, text->at,
			           "proxy_protocol: \"%s\" has bits set beyond its first %u",
			           text->text, network->bits);
			err = E_INVALID;
		}
		unmap(network);
	}
	if (err != E_OK) {
		networks_free(&networks);
		return err;
	}
	*out = networks;
	return E_OK;
}

void networks_free(struct networks **networks)
{
	free(*networks);
	*networks = NULL;
}

bool networks_have(const struct networks *networks, const struct sockaddr *peer)
{
	if (networks == NULL) {
		return false;
	}
	int family = peer->sa_family;
	const uint8_t *ip = NULL;
	if (family == AF_INET) {
		ip = (const uint8_t *)&((const struct sockaddr_in *)peer)->sin_addr;
	} else if (family == AF_INET6) {
		ip = ((const struct sockaddr_in6 *)peer)->sin6_addr.s6_addr;
		if (memcmp(ip, mapped_prefix, sizeof(mapped_prefix)) == 0) {
			family = AF_INET;
			ip += 12;
		}
	}
	for (size_t i = 0; i < networks->count; i++) {
		const struct network *network = &networks->items[i];
		if (network->family == family &&
		    (family == AF_UNIX ||
		     (ip != NULL && same_prefix(ip, network->ip, network->bits)))) {
			return true;
		}
	}
	return false;
}
