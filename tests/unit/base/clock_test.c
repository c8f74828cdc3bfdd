#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "unit.h"

static void text_has_microseconds_in_utc(void)
{
	char text[CLOCK_TEXT_LEN + 1];
	clock_format(text, 1795249800123456);
	CU_ASSERT_STRING_EQUAL(text, "2026-11-21T08:30:00.123456Z");
	clock_format(text, 0);
	CU_ASSERT_STRING_EQUAL(text, "1970-01-01T00:00:00.000000Z");
	CU_ASSERT_EQUAL(strlen(text), CLOCK_TEXT_LEN);
}

static void times_before_1970_count_backwards(void)
{
	char text[CLOCK_TEXT_LEN + 1];
	clock_format(text, -1);
	CU_ASSERT_STRING_EQUAL(text, "1969-12-31T23:59:59.999999Z");
	clock_format(text, -1000000);
	CU_ASSERT_STRING_EQUAL(text, "1969-12-31T23:59:59.000000Z");
}

static void years_outside_of_four_digits_are_held_at_the_end(void)
{
	char text[CLOCK_TEXT_LEN + 1];
	clock_format(text, INT64_MAX);
	CU_ASSERT_STRING_EQUAL(text, "9999-12-31T23:59:59.999999Z");
	clock_format(text, INT64_MIN);
	CU_ASSERT_STRING_EQUAL(text, "0000-01-01T00:00:00.000000Z");
}

static void every_day_of_ten_thousand_years_is_the_calendars(void)
{
	unsigned wrong = 0;
	unsigned days = 0;
	for (int64_t s = -62167219200; s <= 253402300799; s += 86400) {
		/* A different second each day, so that the time of day is covered, too. */
		time_t at = (time_t)(s + days % 86400);
		struct tm tm;
		char want[CLOCK_TEXT_LEN + 30];
		char got[CLOCK_TEXT_LEN + 1];
		gmtime_r(&at, &tm);
		snprintf(want, sizeof(want), "%04d-%02d-%02dT%02d:%02d:%02d.000000Z",
		         tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
		         tm.tm_sec);
		clock_format(got, (int64_t)at * 1000000);
		wrong += strcmp(want, got) != 0;
		days++;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(days, 3652425);
}

static void monotonic_time_never_steps_back(void)
{
	uint64_t before = clock_mono_ns();
	for (int i = 0; i < 1000; i++) {
		uint64_t now = clock_mono_ns();
		CU_ASSERT_FATAL(now >= before);
		before = now;
	}
}

static void wall_time_is_the_systems(void)
{
	int64_t before = (int64_t)time(NULL);
	int64_t now_us = clock_wall_us();
	int64_t after = (int64_t)time(NULL);
	/* time() may lag behind by a tick of the coarse clock. */
	CU_ASSERT(now_us >= before * 1000000);
	CU_ASSERT(now_us < (after + 2) * 1000000);
}

static const struct unit_test tests[] = {
	{"text has microseconds in UTC", text_has_microseconds_in_utc},
	{"times before 1970 count backwards", times_before_1970_count_backwards},
	{"years outside of four digits are held at the end",
         years_outside_of_four_digits_are_held_at_the_end},
	{"every day of ten thousand years is the calendar's",
         every_day_of_ten_thousand_years_is_the_calendars},
	{"monotonic time never steps back", monotonic_time_never_steps_back},
	{"wall time is the system's", wall_time_is_the_systems},
};
UNIT_MAIN("base/clock", tests)
