/* Text of a file or of the table, made safe for a terminal or for JSON. Thread: any. */
#pragma once

#include "base/buf.h"

#define QUOTE_MAX 72

/* "text" in quotes for a sentence, cut after some 60 bytes, control bytes as \xNN; returns `out`. */
const char *quote(char out[static QUOTE_MAX], const char *text);
/* A JSON string with its quotes. `text` is valid UTF-8; it stays UTF-8. */
void quote_json(struct buf *out, const char *text);
