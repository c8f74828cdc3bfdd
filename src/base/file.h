/* Small files, read whole.
 *
 * Thread: any; blocks, so never on a worker. */
#pragma once

#include <stddef.h>

#include "base/buf.h"

/* Appends the content to `out`; nothing is appended on failure. E_LIMIT: longer than max bytes or
 * than `out` may grow; else errno as E_*. */
int file_load(struct buf *out, const char *path, size_t max);
