/* The journal of the journal, as far as the proxy writes it: audit.start, .stop, .config, .heartbeat, .gap.
 *
 * Thread: the main thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"
#include "event/event.h"
#include "journal/journal.h"
#include "proxy/snapshot.h"

struct auditor {
	struct journal_producer *producer;
	struct event_source source; /* with the labels of the configuration in force */
	struct id_source ids;
	bool has_config;
	uint8_t sha256[32]; /* of the newest configuration on record */
	uint8_t body[EVENT_BODY_MAX];
};

/* Each submits its entry; durable ones wait for it. E_OK, E_NOMEM, E_TIMEOUT, E_IO. */
int audit_record_start(struct auditor *a, const struct audit_start *start);
int audit_record_stop(struct auditor *a, const struct audit_stop *stop);
int audit_record_heartbeat(struct auditor *a, const struct audit_heartbeat *heartbeat);
int audit_record_gap(struct auditor *a, const struct audit_gap *gap);
/* All parts, durable when it returns E_OK. `reason`: "start" or "reload". */
int audit_record_config(struct auditor *a, const struct snapshot *snapshot, const char *reason);
