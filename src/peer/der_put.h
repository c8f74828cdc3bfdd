/* Writes DER (X.690): tags below 31, lengths in their shortest form. Errors stay in the buffer. Private to peer/. Thread: any. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

/* How long an element with this content is. */
size_t der_put_len(size_t content);
/* Tag and length; `content` bytes are to follow. */
void der_put_head(struct buf *out, uint8_t tag, size_t content);
void der_put(struct buf *out, uint8_t tag, struct slice content);
