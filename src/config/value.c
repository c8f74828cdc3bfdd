#include "config/value.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit sizes[] = {
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {NULL, 0}};
static const struct unit durations[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000},
                                        {"s", 1000},     {"ms", 1},      {NULL, 0}};

bool value_digits(const char **text, int64_t *out)
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
	return value_digits(&text, out) && *text == '\0';
}

static bool with_unit(const char *text, const struct unit *units, int64_t *out)
{
	int64_t n;
	if (!value_digits(&text, &n)) {
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

bool value_range(const char *text, int64_t *out_from, int64_t *out_to)
{
	if (!value_digits(&text, out_from)) {
		return false;
	}
	if (*text == '\0') {
		*out_to = *out_from;
		return true;
	}
	return *text == '-' && value_count(text + 1, out_to);
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
