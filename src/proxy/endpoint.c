#include "proxy/endpoint.h"

#include <netinet/in.h>
#include <string.h>

void endpoint_of(struct endpoint *out, const struct sockaddr *sa)
{
	*out = (struct endpoint){.family = sa->sa_family};
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
		memcpy(out->ip, &in->sin_addr, 4);
		out->port = ntohs(in->sin_port);
	} else if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
		out->port = ntohs(in6->sin6_port);
		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
			out->family = AF_INET;
			memcpy(out->ip, in6->sin6_addr.s6_addr + 12, 4);
		} else {
			memcpy(out->ip, &in6->sin6_addr, 16);
		}
	}
}

void endpoint_sockaddr(struct sockaddr_storage *out, const struct endpoint *endpoint)
{
	*out = (struct sockaddr_storage){.ss_family = (sa_family_t)endpoint->family};
	if (endpoint->family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;
		memcpy(&in->sin_addr, endpoint->ip, 4);
		in->sin_port = htons(endpoint->port);
	} else if (endpoint->family == AF_INET6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
		memcpy(&in6->sin6_addr, endpoint->ip, 16);
		in6->sin6_port = htons(endpoint->port);
	}
}

void endpoint_own(struct endpoint *out, int fd)
{
	struct sockaddr_storage sa = {.ss_family = 0};
	socklen_t len = sizeof(sa);
	*out = (struct endpoint){0};
	if (getsockname(fd, (struct sockaddr *)&sa, &len) == 0) {
		endpoint_of(out, (const struct sockaddr *)&sa);
	}
}

void endpoint_peer(struct endpoint *out, int fd)
{
	struct sockaddr_storage sa = {.ss_family = 0};
	socklen_t len = sizeof(sa);
	*out = (struct endpoint){0};
	if (getpeername(fd, (struct sockaddr *)&sa, &len) == 0) {
		endpoint_of(out, (const struct sockaddr *)&sa);
	}
}
