#include "proxy/audit.h"

#include <string.h>

#include "base/clock.h"
#include "base/err.h"

#define DURABLE_MS 10000

/* An empty body and the id of the entry that it will be. */
static struct buf begin(struct auditor *a, char id[static ID_MAX + 1])
{
	id_next(&a->ids, id);
	struct buf body;
	buf_init_fixed(&body, a->body, sizeof(a->body));
	return body;
}

static int submit(struct auditor *a, const struct buf *body, uint64_t *ticket)
{
	return body->err != E_OK ? body->err : journal_submit(a->producer, buf_slice(body), ticket);
}

static int submit_durable(struct auditor *a, const struct buf *body)
{
	uint64_t ticket = 0;
	int err = submit(a, body, &ticket);
	return err == E_OK ? journal_wait(a->producer, ticket, DURABLE_MS) : err;
}

int audit_record_start(struct auditor *a, const struct audit_start *start)
{
	char id[ID_MAX + 1];
	struct buf body = begin(a, id);
	event_encode_audit_start(&body, &a->source, id, start);
	return submit_durable(a, &body);
}

int audit_record_stop(struct auditor *a, const struct audit_stop *stop)
{
	char id[ID_MAX + 1];
	struct buf body = begin(a, id);
	event_encode_audit_stop(&body, &a->source, id, stop);
	return submit_durable(a, &body);
}

int audit_record_heartbeat(struct auditor *a, const struct audit_heartbeat *heartbeat)
{
	char id[ID_MAX + 1];
	struct buf body = begin(a, id);
	event_encode_audit_heartbeat(&body, &a->source, id, heartbeat);
	uint64_t ticket = 0;
	return submit(a, &body, &ticket);
}

int audit_record_gap(struct auditor *a, const struct audit_gap *gap)
{
	char id[ID_MAX + 1];
	struct buf body = begin(a, id);
	event_encode_audit_gap(&body, &a->source, id, gap);
	uint64_t ticket = 0;
	return submit(a, &body, &ticket);
}

int audit_record_config(struct auditor *a, const struct snapshot *snapshot, const char *reason)
{
	struct audit_config config = {
		.at_us = clock_wall_us(),
		.epoch = snapshot_epoch(snapshot),
		.sha256 = snapshot_sha256(snapshot),
		.reason = reason,
		.previous_sha256 = a->has_config ? a->sha256 : NULL,
		.text = snapshot_config(snapshot)->canonical,
	};
	config.files = snapshot_files(snapshot, &config.file_count);
	unsigned parts = event_audit_config_parts(&config);
	uint64_t ticket = 0;
	for (unsigned part = 1; part <= parts; part++) {
		char id[ID_MAX + 1];
		struct buf body = begin(a, id);
		event_encode_audit_config(&body, &a->source, id, &config, part);
		int err = submit(a, &body, &ticket);
		if (err != E_OK) {
			return err;
		}
	}
	int err = journal_wait(a->producer, ticket, DURABLE_MS);
	if (err == E_OK) {
		memcpy(a->sha256, config.sha256, sizeof(a->sha256));
		a->has_config = true;
	}
	return err;
}
