#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "config/format.h"

/* Fields that say where a message ends, who it is for, or what becomes of the connection: written by the forwarding alone
 * (RFC 9110 7.6.1, RFC 9112 6). */
static const char *const hop_by_hop[] = {
	"connection",
	"content-length",
	"expect",
	"host",
	"http2-settings",
	"keep-alive",
	"max-forwards",
	"proxy-authenticate",
	"proxy-authorization",
	"proxy-authentication-info",
	"proxy-connection",
	"te",
	"trailer",
	"transfer-encoding",
	"upgrade",
	"via",
};
/* Written by `forwarded`. */
static const char *const forwarded[] = {
	"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto",
};

bool value_same_header(const char *a, const char *b)
{
	for (;; a++, b++) {
		int x = *a == '_' ? '-' : tolower((unsigned char)*a);
		int y = *b == '_' ? '-' : tolower((unsigned char)*b);
		if (x != y) {
			return false;
		}
		if (x == '\0') {
			return true;
		}
	}
}

static bool is_one_of(const char *text, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (value_same_header(text, names[i])) {
			return true;
		}
	}
	return false;
}

const char *format_header(char *text)
{
	if (text[0] == '\0') {
		return "is empty";
	}
	/* RFC 9110 5.6.2 */
	for (const char *p = text; *p != '\0'; p++) {
		if (!isascii((unsigned char)*p) ||
		    (!isalnum((unsigned char)*p) && strchr("!#$%&'*+-.^_`|~", *p) == NULL)) {
			return "has a character that no header name may have";
		}
	}
	if (is_one_of(text, hop_by_hop, sizeof(hop_by_hop) / sizeof(hop_by_hop[0]))) {
		return "is a header that the forwarding of messages depends on";
	}
	if (is_one_of(text, forwarded, sizeof(forwarded) / sizeof(forwarded[0]))) {
		return "is written as the option `forwarded` says";
	}
	return NULL;
}

/* Requests are looked up by one plain way to write a path; a route that is written in another one would never be found. */
const char *format_path(char *text)
{
	if (text[0] != '/') {
		return "does not begin with /";
	}
	for (const char *p = text; *p != '\0'; p++) {
		if (!isascii((unsigned char)*p) ||
		    (!isalnum((unsigned char)*p) && strchr("/-._~!$&'()*+,=:@", *p) == NULL)) {
			return "has a character other than letters, digits and /-._~!$&'()*+,=:@";
		}
	}
	for (const char *p = strchr(text, '/'); p != NULL; p = strchr(p + 1, '/')) {
		size_t len = strcspn(p + 1, "/");
		if (len == 0 && p[1] == '/') {
			return "has an empty segment";
		}
		if ((len == 1 && p[1] == '.') || (len == 2 && p[1] == '.' && p[2] == '.')) {
			return "has a segment . or ..";
		}
	}
	return NULL;
}

/* RFC 9112 3.2.1, and what back ends take besides. */
const char *format_target(char *text)
{
	if (text[0] != '/') {
		return "does not begin with /";
	}
	for (const char *p = text; *p != '\0'; p++) {
		if (*p <= ' ' || *p > '~' || strchr("\"#<>\\^`{|}", *p) != NULL) {
			return "has a character that no request target may have";
		}
	}
	return NULL;
}

/* RFC 9110 7.2 */
const char *format_authority(char *text)
{
	char host[256];
	size_t len = strcspn(text, ":");
	format_lower(text);
	if (text[0] == '[') {
		struct in6_addr ignored;
		const char *end = strchr(text, ']');
		if (end == NULL || end - text - 1 >= (long)sizeof(host)) {
			return "is not [IPv6] or [IPv6]:PORT";
		}
		snprintf(host, sizeof(host), "%.*s", (int)(end - text - 1), text + 1);
		if (inet_pton(AF_INET6, host, &ignored) != 1) {
			return "has no IPv6 address in its brackets";
		}
		len = (size_t)(end - text) + 1;
	} else {
		if (len == 0 || len >= sizeof(host)) {
			return "has no host name";
		}
		snprintf(host, sizeof(host), "%.*s", (int)len, text);
		const char *why = format_is_ip(host) ? NULL : format_host(host);
		if (why != NULL) {
			return why;
		}
	}
	if (text[len] == '\0') {
		return NULL;
	}
	return text[len] == ':' ? format_port(text + len + 1)
	                        : "has more behind its bracket than a port";
}

const char *format_route_host(char *text)
{
	format_lower(text);
	if (strcmp(text, "*") == 0) {
		return "would take every host: leave it out instead";
	}
	return format_host(strncmp(text, "*.", 2) == 0 ? text + 2 : text);
}

/* The length of the scheme with its slashes; 0: it is none of ours. */
static size_t scheme_len(const char *text)
{
	return strncmp(text, "https://", 8) == 0 ? 8 : strncmp(text, "http://", 7) == 0 ? 7 : 0;
}

/* Copies the authority of a URL, and leads to what stands behind it. */
static const char *split_url(char *text, char authority[static 300], char **rest)
{
	size_t scheme = scheme_len(text);
	if (scheme == 0) {
		return "does not begin with http:// or https://";
	}
	size_t len = strcspn(text + scheme, "/?#");
	if (len >= 300) {
		return "has a host that is too long";
	}
	snprintf(authority, 300, "%.*s", (int)len, text + scheme);
	*rest = text + scheme + len;
	return NULL;
}

/* RFC 3986 2 */
static const char *check_url_rest(const char *rest)
{
	for (const char *p = rest; *p != '\0'; p++) {
		if (*p <= ' ' || *p > '~' || strchr("\"<>\\^`{|}", *p) != NULL) {
			return "has a character that no URL may have";
		}
	}
	return NULL;
}

/* It becomes the value of a Location header as it stands. */
const char *format_url(char *text)
{
	char authority[300], *rest;
	const char *why = split_url(text, authority, &rest);
	if (why == NULL) {
		why = format_authority(authority);
	}
	return why != NULL ? why : check_url_rest(rest);
}

const char *format_fetch(char *text)
{
	char authority[300], *rest;
	const char *why = split_url(text, authority, &rest);
	if (why != NULL) {
		return why;
	}
	/* RFC 3986 3.2.1: the file is read by many, and goes into the record. */
	if (strchr(authority, '@') != NULL) {
		return "has credentials, and the configuration is no place for them";
	}
	why = format_authority(authority);
	if (why != NULL) {
		return why;
	}
	/* RFC 3986 3.5: never sent, so whoever wrote it expects something else. */
	if (strchr(rest, '#') != NULL) {
		return "has a fragment, which is never sent";
	}
	memcpy(rest - strlen(authority), authority, strlen(authority));
	return check_url_rest(rest);
}

const char *format_fetch_prefix(char *text)
{
	const char *why = format_fetch(text);
	if (why != NULL) {
		return why;
	}
	/* `http://ca.example` would be the beginning of `http://ca.example.evil.test/`, too. */
	if (text[scheme_len(text) + strcspn(text + scheme_len(text), "/?")] != '/') {
		return "has no / behind its host: it would fit other hosts, too";
	}
	return NULL;
}
