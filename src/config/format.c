#include "config/format.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "base/bug.h"

static const char *check_plain(char *text)
{
	return text[0] == '\0' ? "is empty" : NULL;
}

static const char *check_letters(const char *text, const char *others)
{
	if (!isalnum((unsigned char)text[0])) {
		return "does not begin with a letter or a digit";
	}
	for (const char *p = text; *p != '\0'; p++) {
		if (!(isascii((unsigned char)*p) && isalnum((unsigned char)*p)) &&
		    strchr(others, *p) == NULL) {
			return "has a character that is neither a letter nor a digit nor one of . "
			       "_ -";
		}
	}
	return NULL;
}

static const char *check_name(char *text)
{
	return check_letters(text, "._-");
}

static const char *check_origin(char *text)
{
	if (strstr(text, "//") != NULL || (text[0] != '\0' && text[strlen(text) - 1] == '/')) {
		return "has an empty part";
	}
	return check_letters(text, "._-/");
}

static const char *check_user(char *text)
{
	return text[0] == '_' ? check_letters(text + 1, "._-") : check_letters(text, "._-");
}

static const char *check_label(const char *label, size_t len)
{
	if (len == 0) {
		return "has an empty label between its dots";
	}
	/* RFC 1035 2.3.4 */
	if (len > 63) {
		return "has a label of more than 63 characters";
	}
	/* RFC 1123 2.1 */
	if (label[0] == '-' || label[len - 1] == '-') {
		return "has a label that begins or ends with a hyphen";
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)label[i];
		if (c == '_') {
			return "has an underscore, which no host name may have";
		}
		if (c == '*') {
			return "has a * that is not the whole first label";
		}
		if (c >= 0x80) {
			return "is not ASCII: write it in its xn-- form";
		}
		if (!isalnum(c) && c != '-') {
			return "has a character that no host name may have";
		}
	}
	return NULL;
}

const char *format_host(const char *name)
{
	if (strlen(name) > 253) {
		return "is longer than 253 characters";
	}
	const char *label = name;
	for (;;) {
		size_t len = strcspn(label, ".");
		const char *why = check_label(label, len);
		if (why != NULL) {
			return why;
		}
		if (label[len] == '\0') {
			break;
		}
		label += len + 1;
	}
	return NULL;
}

bool format_is_ip(const char *text)
{
	struct in6_addr ignored;
	return inet_pton(AF_INET, text, &ignored) == 1 || inet_pton(AF_INET6, text, &ignored) == 1;
}

void format_lower(char *text)
{
	for (char *p = text; *p != '\0'; p++) {
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
	}
}

static const char *check_server_name(char *text)
{
	format_lower(text);
	if (strcmp(text, "*") == 0) {
		return "would take every name: say `default: true` instead";
	}
	/* RFC 6066 3 */
	if (format_is_ip(text)) {
		return "is an IP address, which clients never send as a server name";
	}
	size_t len = strlen(text);
	if (len > 0 && text[len - 1] == '.') {
		return "ends with a dot, which clients never send";
	}
	return format_host(strncmp(text, "*.", 2) == 0 ? text + 2 : text);
}

const char *format_port(const char *text)
{
	int64_t port;
	if (!value_count(text, &port) || port < 1 || port > 65535) {
		return "has no port from 1 to 65535";
	}
	return NULL;
}

static const char *check_address(char *text)
{
	if (strncmp(text, "unix:", 5) == 0) {
		if (text[5] != '/' || text[6] == '\0') {
			return "has no absolute path behind unix:";
		}
		return strlen(text + 5) > VALUE_SUN_PATH_MAX
		               ? "has a path longer than 107 bytes, the most a socket can have"
		               : NULL;
	}
	char *colon = strrchr(text, ':');
	if (colon == NULL) {
		return "has no port: expected HOST:PORT, [IPv6]:PORT or unix:/path";
	}
	char host[256];
	size_t len = (size_t)(colon - text);
	struct in6_addr ignored;
	if (text[0] == '[') {
		if (len < 3 || text[len - 1] != ']' || len - 2 >= sizeof(host)) {
			return "is not [IPv6]:PORT";
		}
		memcpy(host, text + 1, len - 2);
		host[len - 2] = '\0';
		return inet_pton(AF_INET6, host, &ignored) == 1
		               ? format_port(colon + 1)
		               : "has no IPv6 address in its brackets";
	}
	if (memchr(text, ':', len) != NULL) {
		return "has an IPv6 address without brackets: write [IPv6]:PORT";
	}
	if (len == 0 || len >= sizeof(host)) {
		return "has no host before its port";
	}
	memcpy(host, text, len);
	host[len] = '\0';
	/* Digits and dots alone can only be meant as an IPv4 address. */
	if (strspn(host, "0123456789.") == len) {
		return inet_pton(AF_INET, host, &ignored) == 1 ? format_port(colon + 1)
		                                               : "has no valid IPv4 address";
	}
	const char *why = format_host(host);
	return why != NULL ? why : format_port(colon + 1);
}

static const char *check_peer_name(char *text)
{
	if (format_is_ip(text)) {
		return NULL;
	}
	if (strchr(text, '*') != NULL) {
		return "has a *, and has to be one name";
	}
	format_lower(text);
	/* Digits and dots alone can only be meant as an IPv4 address. */
	return strspn(text, "0123456789.") == strlen(text) ? "is no valid IPv4 address"
	                                                   : format_host(text);
}

static const char *check_network(char *text)
{
	static const char why[] = "is not ADDRESS, ADDRESS/BITS or unix";
	if (strcmp(text, "unix") == 0) {
		return NULL;
	}
	char address[INET6_ADDRSTRLEN];
	size_t len = strcspn(text, "/");
	if (len >= sizeof(address)) {
		return why;
	}
	memcpy(address, text, len);
	address[len] = '\0';
	if (!format_is_ip(address)) {
		return why;
	}
	int64_t bits;
	if (text[len] == '/' && (!value_count(text + len + 1, &bits) ||
	                         bits > (strchr(address, ':') != NULL ? 128 : 32))) {
		return "has no number of bits behind its /, up to 32 for IPv4 and 128 for IPv6";
	}
	return NULL;
}

static const char *check_alpn(char *text)
{
	size_t len = strlen(text);
	if (len == 0 || len > 255) {
		return "is not 1 to 255 bytes long";
	}
	for (const char *p = text; *p != '\0'; p++) {
		if (*p <= ' ' || *p > '~') {
			return "has a character that is not printable ASCII";
		}
	}
	return NULL;
}

static const char *check_purpose(char *text)
{
	static const char why[] =
		"is neither clientAuth nor any nor an OID such as 1.3.6.1.5.5.7.3.2";
	if (strcmp(text, "clientAuth") == 0 || strcmp(text, "any") == 0) {
		return NULL;
	}
	/* X.660: the first arc is 0 to 2, and below 40 in the second one for 0 and 1. */
	unsigned arcs = 0;
	for (const char *p = text;; p++) {
		int64_t arc;
		const char *start = p;
		if (!value_digits(&p, &arc) || (*start == '0' && p - start > 1) || arc > UINT32_MAX) {
			return why;
		}
		if ((arcs == 0 && arc > 2) || (arcs == 1 && text[0] < '2' && arc > 39)) {
			return why;
		}
		arcs++;
		if (*p == '\0') {
			return arcs < 2 || strlen(text) > 128 ? why : NULL;
		}
		if (*p != '.') {
			return why;
		}
	}
}

static const struct {
	const char *(*check)(char *text);
	const char *said;
	const char *pattern;
} formats[FORMAT_COUNT] = {
	[FORMAT_PLAIN] = {check_plain, "text", NULL},
	[FORMAT_NAME] = {check_name, "name of letters, digits, `.`, `_`, `-`",
                         "^[A-Za-z0-9][A-Za-z0-9._-]*$"},
	[FORMAT_ORIGIN] = {check_origin, "name such as a domain", "^[A-Za-z0-9][A-Za-z0-9._/-]*$"},
	[FORMAT_USER] = {check_user, "user name", "^[A-Za-z0-9_][A-Za-z0-9._-]*$"},
	[FORMAT_FILE] = {check_plain, "path", NULL},
	[FORMAT_ADDRESS] =
		{check_address, "`HOST:PORT`, `[IPv6]:PORT` or `unix:/path`",
                 "^(unix:/.+|\\[[0-9A-Fa-f:.]+\\]:[0-9]{1,5}|[A-Za-z0-9.-]+:[0-9]{1,5})$"},
	[FORMAT_SERVER_NAME] = {check_server_name, "host name, or `*.` and the rest of one",
                                "^(\\*\\.)?[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\\.[A-Za-z0-9](["
                                "A-Za-z0-9-]*[A-Za-z0-9])?)*$"},
	[FORMAT_ALPN] = {check_alpn, "ALPN protocol", "^[!-~]{1,255}$"},
	[FORMAT_PEER_NAME] = {check_peer_name, "host name or IP address", "^[A-Za-z0-9:.-]+$"},
	[FORMAT_NETWORK] = {check_network, "`ADDRESS`, `ADDRESS/BITS` or `unix`",
                            "^(unix|[0-9A-Fa-f:.]+(/[0-9]{1,3})?)$"},
	[FORMAT_HEADER] = {format_header, "header name", "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"},
	[FORMAT_PATH] = {format_path, "path such as `/api/`", "^/[A-Za-z0-9/._~!$&'()*+,=:@-]*$"},
	[FORMAT_TARGET] = {format_target, "path such as `/healthz?full=1`", "^/[!-~]*$"},
	[FORMAT_AUTHORITY] = {format_authority, "`HOST` or `HOST:PORT`",
                              "^(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?$"},
	[FORMAT_ROUTE_HOST] = {format_route_host, "host name, or `*.` and the rest of one",
                               "^(\\*\\.)?[A-Za-z0-9.-]+$"},
	[FORMAT_URL] = {format_url, "`http://` or `https://` URL", "^https?://[^ ]+$"},
	[FORMAT_FETCH] = {format_fetch, "`http://` or `https://` URL",
                          "^https?://[^ #@/?]+([/?][^ #]*)?$"},
	[FORMAT_FETCH_PREFIX] = {format_fetch_prefix, "beginning of a URL, at least `https://HOST/`",
                                 "^https?://[^ #@/?]+/[^ #]*$"},
	[FORMAT_PURPOSE] = {check_purpose, "`clientAuth`, `any` or an OID",
                            "^(clientAuth|any|[0-2](\\.[0-9]+)+)$"},
};

const char *value_check(enum value_format format, char *text)
{
	BUG_IF(format >= FORMAT_COUNT);
	return formats[format].check(text);
}

const char *value_format_said(enum value_format format)
{
	BUG_IF(format >= FORMAT_COUNT);
	return formats[format].said;
}

const char *value_format_pattern(enum value_format format)
{
	BUG_IF(format >= FORMAT_COUNT);
	return formats[format].pattern;
}
