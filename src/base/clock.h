/* The two clocks: wall time for people and certificates, monotonic time for durations.
 *
 * Thread: any. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Microseconds since 1970, UTC. May step. */
int64_t clock_wall_us(void);
/* Nanoseconds since an arbitrary point; never steps back. */
uint64_t clock_mono_ns(void);

/* RFC 3339, UTC, six digits of microseconds: "2026-11-21T08:30:00.123456Z". */
#define CLOCK_TEXT_LEN 27
/* Writes CLOCK_TEXT_LEN characters and a NUL. Years outside 0..9999 are held at the nearest end. */
void clock_format(char out[static CLOCK_TEXT_LEN + 1], int64_t wall_us);
