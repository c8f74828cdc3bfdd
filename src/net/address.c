#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define HOST_MAX 255

static int parse_unix(struct address *out, const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	if (len == 0 || len >= sizeof(un.sun_path)) {
		return E_INVALID;
	}
	memcpy(un.sun_path, path, len + 1);
	memset(out, 0, sizeof(*out));
	memcpy(&out->sa, &un, sizeof(un));
	out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	return E_OK;
}

/* Splits at the last colon; brackets around an IPv6 address go. */
static int split(const char *text, char host[static HOST_MAX + 1], char port[static 6],
                 bool *bracketed)
{
	const char *colon = strrchr(text, ':');
	if (colon == NULL || strlen(colon + 1) == 0 || strlen(colon + 1) > 5 ||
	    strspn(colon + 1, "0123456789") != strlen(colon + 1) || atoi(colon + 1) > 65535) {
		return E_INVALID;
	}
	strcpy(port, colon + 1);
	size_t len = (size_t)(colon - text);
	*bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';
	if (*bracketed) {
		text++;
		len -= 2;
	}
	if (len == 0 || len > HOST_MAX) {
		return E_INVALID;
	}
	memcpy(host, text, len);
	host[len] = '\0';
	return *bracketed == (strchr(host, ':') != NULL) ? E_OK : E_INVALID;
}

static int lookup(struct address *out, size_t *count, const char *text, int flags)
{
	char host[HOST_MAX + 1], port[6];
	bool bracketed = false;
	if (split(text, host, port, &bracketed) != E_OK) {
		return E_INVALID;
	}
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
	struct addrinfo *list = NULL;
	if (getaddrinfo(host, port, &hints, &list) != 0) {
		return (flags & AI_NUMERICHOST) != 0 ? E_INVALID : E_NOT_FOUND;
	}
	size_t room = *count;
	*count = 0;
	for (struct addrinfo *ai = list; ai != NULL && *count < room; ai = ai->ai_next) {
		memset(&out[*count], 0, sizeof(*out));
		memcpy(&out[*count].sa, ai->ai_addr, ai->ai_addrlen);
		out[(*count)++].len = ai->ai_addrlen;
	}
	freeaddrinfo(list);
	return *count > 0 ? E_OK : E_NOT_FOUND;
}

int address_parse(struct address *out, const char *text)
{
	if (strncmp(text, "unix:", 5) == 0) {
		return parse_unix(out, text + 5);
	}
	size_t one = 1;
	return lookup(out, &one, text, AI_NUMERICHOST);
}

int address_resolve(struct address *out, size_t *count, const char *text)
{
	if (strncmp(text, "unix:", 5) == 0) {
		*count = 1;
		return parse_unix(out, text + 5);
	}
	return lookup(out, count, text, 0);
}

bool address_equal(const struct address *a, const struct address *b)
{
	return a->len == b->len && memcmp(&a->sa, &b->sa, a->len) == 0;
}
