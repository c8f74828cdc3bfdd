#include "base/clock.h"

#include <time.h>

#include "base/bug.h"

#define YEAR_0000_S (-62167219200LL)
#define YEAR_9999_END_S 253402300799LL

int64_t clock_wall_us(void)
{
	struct timespec t;
	BUG_IF(clock_gettime(CLOCK_REALTIME, &t) != 0);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

uint64_t clock_mono_ns(void)
{
	struct timespec t;
	BUG_IF(clock_gettime(CLOCK_MONOTONIC, &t) != 0);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void digits(char *out, int64_t n, int width)
{
	for (int i = width - 1; i >= 0; i--) {
		out[i] = (char)('0' + n % 10);
		n /= 10;
	}
}

void clock_format(char out[static CLOCK_TEXT_LEN + 1], int64_t wall_us)
{
	int64_t s = wall_us / 1000000;
	int64_t us = wall_us % 1000000;
	if (us < 0) {
		us += 1000000;
		s--;
	}
	if (s < YEAR_0000_S) {
		s = YEAR_0000_S;
		us = 0;
	} else if (s > YEAR_9999_END_S) {
		s = YEAR_9999_END_S;
		us = 999999;
	}
	/* Civil date from days since 0000-03-01 in whole 400-year eras: gmtime_r() without its
	 * locale and time zone look-ups, which show in the profile of a busy worker. */
	int64_t days = s / 86400;
	int64_t rest = s % 86400;
	if (rest < 0) {
		rest += 86400;
		days--;
	}
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t doe = days - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	int64_t month = mp < 10 ? mp + 3 : mp - 9;
	int64_t year = yoe + era * 400 + (month <= 2 ? 1 : 0);
	digits(out, year, 4);
	out[4] = '-';
	digits(out + 5, month, 2);
	out[7] = '-';
	digits(out + 8, doy - (153 * mp + 2) / 5 + 1, 2);
	out[10] = 'T';
	digits(out + 11, rest / 3600, 2);
	out[13] = ':';
	digits(out + 14, rest / 60 % 60, 2);
	out[16] = ':';
	digits(out + 17, rest % 60, 2);
	out[19] = '.';
	digits(out + 20, us, 6);
	out[26] = 'Z';
	out[27] = '\0';
}
