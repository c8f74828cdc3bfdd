/* Values as people write them: sizes, durations, dates, addresses, names. Text in, number or yes-or-no out; no files, no net.
 *
 * Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a text may look like. */
enum value_format {
	FORMAT_PLAIN, /* any printable text */
	FORMAT_NAME, /* letters, digits, . _ - : node and service names, that become parts of ids and paths */
	FORMAT_ORIGIN,      /* a name, in parts between slashes */
	FORMAT_USER,        /* a user name */
	FORMAT_FILE,        /* a file or folder; made absolute by the binding */
	FORMAT_ADDRESS,     /* HOST:PORT, [IPv6]:PORT, unix:/path */
	FORMAT_SERVER_NAME, /* exact, or *. before the rest; made lower case */
	FORMAT_ALPN,        /* 1 to 255 printable ASCII characters (RFC 7301 3.1) */
	FORMAT_PURPOSE,     /* clientAuth, any, or a dotted OID */
	FORMAT_PEER_NAME,   /* a host name or an IP address; made lower case */
	FORMAT_NETWORK,     /* ADDRESS, ADDRESS/BITS, unix */
	FORMAT_HEADER,      /* a token, and none that HTTP itself is run by */
	FORMAT_PATH,        /* a path in its plainest form: no %, no empty or dotted segments */
	FORMAT_TARGET,      /* a path as it is sent, perhaps with a query */
	FORMAT_AUTHORITY,   /* HOST or HOST:PORT, as in the header Host; made lower case */
	FORMAT_ROUTE_HOST,  /* exact, or *. before the rest; made lower case */
	FORMAT_URL,         /* absolute, http or https */
	FORMAT_FETCH, /* the same to be fetched by us: no credentials, no fragment; host made lower case */
	FORMAT_FETCH_PREFIX, /* how such a URL begins, its host whole: a / behind it */
	FORMAT_COUNT,
};

#define VALUE_SUN_PATH_MAX 107 /* sockaddr_un, less its NUL */

/* Checks `text` and brings it into its one form in place. NULL: good; else why not, to go behind the value in a sentence. */
const char *value_check(enum value_format format, char *text);
/* For people: "HOST:PORT, [IPv6]:PORT or unix:/path"; and as a JSON Schema pattern, NULL when there is none. */
const char *value_format_said(enum value_format format);
const char *value_format_pattern(enum value_format format);

/* Whether two header names are one to those who take `_` for `-`; case does not count either. */
bool value_same_header(const char *a, const char *b);

/* Reads digits up to the first other character, where *text points then. */
bool value_digits(const char **text, int64_t *out);
/* "10": digits only. */
bool value_count(const char *text, int64_t *out);
/* "64KiB" in bytes. */
bool value_size(const char *text, int64_t *out);
/* "10s" in milliseconds. */
bool value_duration(const char *text, int64_t *out_ms);
/* "2027-01-31" (its first moment, UTC) or "2027-01-31T12:00:00Z" in seconds since 1970. */
bool value_date(const char *text, int64_t *out_s);
/* "200-399", or "204" for both. */
bool value_range(const char *text, int64_t *out_from, int64_t *out_to);
/* "0660" */
bool value_mode(const char *text, int64_t *out);

#define VALUE_PATTERN_SIZE "^[0-9]+(B|KiB|MiB|GiB)$"
#define VALUE_PATTERN_DURATION "^[0-9]+(ms|s|m|h|d)$"
#define VALUE_PATTERN_DATE "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?$"
#define VALUE_PATTERN_RANGE "^[0-9]+(-[0-9]+)?$"
#define VALUE_PATTERN_MODE "^[0-7]{3,4}$"

/* The other way, in the largest unit that divides; return `out`. */
#define VALUE_TEXT_MAX 32
const char *value_print_size(char out[static VALUE_TEXT_MAX], int64_t bytes);
const char *value_print_duration(char out[static VALUE_TEXT_MAX], int64_t ms);
const char *value_print_date(char out[static VALUE_TEXT_MAX], int64_t s);
