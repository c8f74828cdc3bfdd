/* What fields.def says, for others: as JSON Schema 2020-12 and as Markdown. The copies in
 * schemas/ are these bytes. Thread: any; nothing is kept. */
#pragma once

#include "base/buf.h"

/* The schema of a whole entry, event.sequence included. Errors stick to `out`. */
void event_schema_write(struct buf *out);
void event_fields_write(struct buf *out);
