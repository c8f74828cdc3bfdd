/* CRC-32C (Castagnoli, reflected, as in RFC 3720 B.4): "123456789" gives E3069283. Thread: any. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Continues `crc` (0 to begin) over n bytes; with SSE 4.2 where the processor has it. */
uint32_t crc32c(uint32_t crc, const void *data, size_t n);
