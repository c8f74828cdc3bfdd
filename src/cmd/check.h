/* The policy that is in force, as `tlscribe check` prints it: for people, and for programs.
 *
 * Thread: main. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/diag.h"
#include "config/config.h"
#include "proxy/snapshot.h"

/* Longest text of tolerate_describe() that is shown whole. */
#define CHECK_TOLERANCE_MAX 4096

/* Words of the configuration, by their enums. */
extern const char *const check_verify_names[];
extern const char *const check_profile_names[];
extern const char *const check_sni_host_names[];
extern const char *const check_requests_names[];
extern const char *const check_revocation_names[];

/* Whole days, rounded down: -1 from the first second after the end. */
int64_t check_days_left(int64_t not_after_s, int64_t now_s);
/* "2027-01-31T12:00:00Z"; returns `out`. */
const char *check_format_time(char out[static CLOCK_TEXT_LEN + 1], int64_t s);

/* To stdout, whose errors the caller looks for. */
void check_print_text(const struct snapshot *snapshot, int64_t now_s);
/* One JSON object to stdout; `snapshot` is NULL when there is none. False: not all of it could be made. */
bool check_print_json(const struct snapshot *snapshot, const struct diag *diag, int64_t now_s);
