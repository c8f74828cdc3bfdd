#include "base/crc32c.h"

#include <string.h>

#define POLYNOMIAL 0x82f63b78u

static uint32_t table[256];

__attribute__((constructor)) static void fill_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;
		for (int bit = 0; bit < 8; bit++) {
			crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
		}
		table[i] = crc;
	}
}

static uint32_t by_table(uint32_t crc, const uint8_t *p, size_t n)
{
	for (; n > 0; n--) {
		crc = crc >> 8 ^ table[(crc ^ *p++) & 255];
	}
	return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t by_sse42(uint32_t crc, const uint8_t *p, size_t n)
{
	uint64_t wide = crc;
	for (; n >= 8; n -= 8, p += 8) {
		uint64_t word;
		memcpy(&word, p, 8);
		wide = __builtin_ia32_crc32di(wide, word);
	}
	crc = (uint32_t)wide;
	for (; n > 0; n--) {
		crc = __builtin_ia32_crc32qi(crc, *p++);
	}
	return crc;
}
#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t n)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2")) {
		return ~by_sse42(~crc, data, n);
	}
#endif
	return ~by_table(~crc, data, n);
}
