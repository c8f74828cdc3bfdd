/* Active checks: every server of an upstream with `check` is asked `GET path` every interval, and taken out or in when the
 * answers say so often enough in a row.
 *
 * They run on one loop, the first worker's, for all workers: a server is asked once an interval whatever the number of those.
 *
 * Thread: that worker. */
#pragma once

struct checks;
struct shard;
struct snapshot;

/* Starts the checks of all upstreams of `snapshot`, of which a reference is kept. E_NOMEM. */
int checks_new(struct checks **out, struct shard *s, struct snapshot *snapshot);
/* A snapshot with the same plan is in force: holds on to that one from now on. */
void checks_renew(struct checks *checks, struct snapshot *snapshot);
/* Ends them, the ones under way too. Takes *checks and leaves NULL there; NULL is fine. */
void checks_free(struct checks **checks);
