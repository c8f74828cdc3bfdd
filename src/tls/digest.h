/* SHA-256 for the rooms that have no crypto library of their own. Thread: any. */
#pragma once

#include <stdint.h>

#include "base/slice.h"

/* Over the parts one after the other. */
void digest_sha256(uint8_t out[32], const struct slice *parts, size_t count);
