#include "config/value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/bug.h"

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit sizes[] = {
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {NULL, 0}};
static const struct unit durations[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000},
                                        {"s", 1000},     {"ms", 1},      {NULL, 0}};

/* Reads digits up to the first other character. */
static bool digits(const char **text, int64_t *out)
{
	const char *p = *text;
	int64_t n = 0;
	if (!isdigit((unsigned char)*p)) {
		return false;
	}
	for (; isdigit((unsigned char)*p); p++) {
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *p - '0', &n)) {
			return false;
		}
	}
	*text = p;
	*out = n;
	return true;
}

bool value_count(const char *text, int64_t *out)
{
	return digits(&text, out) && *text == '\0';
}

static bool with_unit(const char *text, const struct unit *units, int64_t *out)
{
	int64_t n;
	if (!digits(&text, &n)) {
		return false;
	}
	for (const struct unit *unit = units; unit->name != NULL; unit++) {
		if (strcmp(text, unit->name) == 0) {
			return !__builtin_mul_overflow(n, unit->factor, out);
		}
	}
	return false;
}

bool value_size(const char *text, int64_t *out)
{
	return with_unit(text, sizes, out);
}

bool value_duration(const char *text, int64_t *out_ms)
{
	return with_unit(text, durations, out_ms);
}

bool value_date(const char *text, int64_t *out_s)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:ddZ";
	size_t len = strlen(text);
	if (len != 10 && len != sizeof(shape) - 1) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		if (shape[i] == 'd' ? !isdigit((unsigned char)text[i]) : text[i] != shape[i]) {
			return false;
		}
	}
	int year, month, day, hour = 0, minute = 0, second = 0;
	int got = sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2dZ", &year, &month, &day, &hour, &minute,
	                 &second);
	if (got != (len == 10 ? 3 : 6) || year < 1970) {
		return false;
	}
	struct tm tm = {.tm_year = year - 1900,
	                .tm_mon = month - 1,
	                .tm_mday = day,
	                .tm_hour = hour,
	                .tm_min = minute,
	                .tm_sec = second};
	*out_s = (int64_t)timegm(&tm);
	/* timegm() takes the 31st of February for the 3rd of March. */
	return tm.tm_year == year - 1900 && tm.tm_mon == month - 1 && tm.tm_mday == day &&
	       tm.tm_hour == hour && tm.tm_min == minute && tm.tm_sec == second;
}

bool value_mode(const char *text, int64_t *out)
{
	size_t len = strlen(text);
	if (len < 3 || len > 4 || strspn(text, "01234567") != len) {
		return false;
	}
	*out = 0;
	for (const char *p = text; *p != '\0'; p++) {
		*out = *out * 8 + (*p - '0');
	}
	return true;
}

static const char *print_unit(char out[static VALUE_TEXT_MAX], int64_t n, const struct unit *units)
{
	const struct unit *unit = units;
	while (unit->factor > 1 && (n == 0 || n % unit->factor != 0)) {
		unit++;
	}
	snprintf(out, VALUE_TEXT_MAX, "%lld%s", (long long)(n / unit->factor), unit->name);
	return out;
}

const char *value_print_size(char out[static VALUE_TEXT_MAX], int64_t bytes)
{
	return print_unit(out, bytes, sizes);
}

const char *value_print_duration(char out[static VALUE_TEXT_MAX], int64_t ms)
{
	return print_unit(out, ms, durations);
}

const char *value_print_date(char out[static VALUE_TEXT_MAX], int64_t s)
{
	time_t t = (time_t)s;
	struct tm tm;
	if (gmtime_r(&t, &tm) == NULL) {
		snprintf(out, VALUE_TEXT_MAX, "%lld", (long long)s);
		return out;
	}
	strftime(out, VALUE_TEXT_MAX, s % 86400 == 0 ? "%Y-%m-%d" : "%Y-%m-%dT%H:%M:%SZ", &tm);
	return out;
}

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

static const char *check_host(const char *name)
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

static bool is_ip(const char *text)
{
	struct in6_addr ignored;
	return inet_pton(AF_INET, text, &ignored) == 1 || inet_pton(AF_INET6, text, &ignored) == 1;
}

static const char *check_server_name(char *text)
{
	for (char *p = text; *p != '\0'; p++) {
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
	}
	if (strcmp(text, "*") == 0) {
		return "would take every name: say `default: true` instead";
	}
	/* RFC 6066 3 */
	if (is_ip(text)) {
		return "is an IP address, which clients never send as a server name";
	}
	size_t len = strlen(text);
	if (len > 0 && text[len - 1] == '.') {
		return "ends with a dot, which clients never send";
	}
	return check_host(strncmp(text, "*.", 2) == 0 ? text + 2 : text);
}

static const char *check_port(const char *text)
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
		               ? check_port(colon + 1)
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
		return inet_pton(AF_INET, host, &ignored) == 1 ? check_port(colon + 1)
		                                               : "has no valid IPv4 address";
	}
	const char *why = check_host(host);
	return why != NULL ? why : check_port(colon + 1);
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
		if (!digits(&p, &arc) || (*start == '0' && p - start > 1) || arc > UINT32_MAX) {
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
