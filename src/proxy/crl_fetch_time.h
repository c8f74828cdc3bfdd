/* When a CRL is fetched next. Private to crl_fetch.c. Thread: any. */
#pragma once

#include <stdint.h>

#define CRL_FETCH_RETRY_MS 10000   /* after the first failure, then twice as long each time */
#define CRL_FETCH_SOONEST_MS 30000 /* because of a nextUpdate */

/* Milliseconds from now. `failures` in a row, 0: it went well; `next_update_s` of what is there, 0: none; `random` is any number. Always at most
 * interval_ms, and up to a tenth earlier than it could be. Before a nextUpdate there is time left to fail: a tenth of what was left. */
uint64_t crl_fetch_delay_ms(uint64_t interval_ms, unsigned failures, int64_t next_update_s,
                            int64_t now_s, uint32_t random);
