#include "proxy/crl_fetch_time.h"

#define DOUBLINGS_MAX 20 /* 121 days */

static uint64_t shorter(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t jitter(uint64_t delay_ms, uint32_t random)
{
	return delay_ms - delay_ms / 10 * (random / 65536) / 65536;
}

uint64_t crl_fetch_delay_ms(uint64_t interval_ms, unsigned failures, int64_t next_update_s,
                            int64_t now_s, uint32_t random)
{
	if (failures > 0) {
		unsigned doublings = failures - 1 < DOUBLINGS_MAX ? failures - 1 : DOUBLINGS_MAX;
		uint64_t back_off_ms = (uint64_t)CRL_FETCH_RETRY_MS << doublings;
		return jitter(shorter(back_off_ms, interval_ms), random);
	}
	uint64_t delay_ms = jitter(interval_ms, random);
	if (next_update_s == 0) {
		return delay_ms;
	}
	uint64_t left_s = next_update_s > now_s ? (uint64_t)(next_update_s - now_s) : 0;
	/* Nothing is due later than an interval: no need to multiply what may be centuries. */
	if (left_s <= interval_ms / 500) {
		uint64_t early_ms = jitter(left_s * 900, random);
		delay_ms = shorter(delay_ms, early_ms > CRL_FETCH_SOONEST_MS ? early_ms
		                                                             : CRL_FETCH_SOONEST_MS);
	}
	return delay_ms;
}
