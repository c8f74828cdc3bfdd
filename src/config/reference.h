/* What people and editors read about the options, made from options.def. Thread: any. */
#pragma once

#include "base/buf.h"

/* JSON Schema, draft 2020-12: schemas/config.schema.json. */
void config_schema_write(struct buf *out);
/* Markdown: docs/options.md. */
void config_reference_write(struct buf *out);
