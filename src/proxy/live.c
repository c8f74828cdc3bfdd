#include "proxy/live.h"

#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "proxy/conn.h"
#include "proxy/exchange.h"
#include "proxy/judge.h"
#include "proxy/link.h"
#include "proxy/shard.h"

#define LOOK_S 1.0     /* a date that passed is seen within this time */
#define ASK_AGAIN_S 60 /* a responder that had no answer */
#define TURN 128       /* connections in one go: others have a turn, too */

static int64_t now_s(void)
{
	return clock_wall_us() / 1000000;
}

/* --- what a connection keeps --- */

static void narrow(struct shard *s, const struct live *live)
{
	if (live->holds_from_s > s->sweep.from_s) {
		s->sweep.from_s = live->holds_from_s;
	}
	if (live->holds_until_s < s->sweep.until_s) {
		s->sweep.until_s = live->holds_until_s;
	}
}

/* No responder had a word about it when it was asked. */
static bool is_unanswered(const struct handshake *hs, const struct service *service)
{
	const struct revocation *revocation = &hs->verdict->revocation;
	return service->config->client.ocsp.mode != REVOCATION_OFF && revocation->checked &&
	       revocation->source == REVOCATION_SOURCE_NONE;
}

static void hold(struct conn *c, const struct handshake *hs, const struct service *service,
                 int64_t at_s)
{
	struct live *live = &c->live;
	live->holds_from_s = INT64_MIN;
	live->holds_until_s = INT64_MAX;
	if (hs->verdict != NULL) {
		live->holds_from_s = hs->verdict->holds_from_s;
		live->holds_until_s = hs->verdict->holds_until_s;
		if (service->tolerate != NULL) {
			tolerate_narrow(service->tolerate, hs->verdict, at_s, &live->holds_from_s,
			                &live->holds_until_s);
		}
		if (is_unanswered(hs, service) && at_s + ASK_AGAIN_S < live->holds_until_s) {
			live->holds_until_s = at_s + ASK_AGAIN_S;
		}
	}
	narrow(c->shard, live);
}

void live_begin(struct conn *c, const struct handshake *hs)
{
	struct live *live = &c->live;
	live->chain = hs->chain == NULL ? NULL : chain_ref(hs->chain);
	live->decision = hs->decision;
	live->verified = hs->verified;
	live->requested = hs->requested;
	live->version = hs->tls.version;
	hold(c, hs, c->service, now_s());
}

void live_end(struct conn *c)
{
	struct shard *s = c->shard;
	if (s->sweep.next == c) {
		s->sweep.next = c->next;
	}
	status_cancel(s->desk, &c->status);
	chain_unref(&c->live.chain);
}

/* --- judging again --- */

static const struct service *find_service(const struct snapshot *snapshot, const char *name)
{
	for (size_t i = 0; i < snapshot_service_count(snapshot); i++) {
		const struct service *service = snapshot_service(snapshot, i);
		if (strcmp(service->event.name, name) == 0) {
			return service;
		}
	}
	return NULL;
}

static void describe(const struct conn *c, const struct service *service, struct handshake *hs)
{
	const struct live *live = &c->live;
	const struct snapshot *policy = c->shard->snapshot;
	*hs = (struct handshake){
		.source = c->source,
		.destination = c->destination,
		.peer = c->announcer,
		.service = service != NULL ? &service->event : &c->service->event,
		.requested = live->requested,
		.presented = live->chain != NULL,
		.possession = live->chain != NULL ? POSSESSION_PROVEN : POSSESSION_UNSET,
		.chain = live->chain,
		.policy_epoch = snapshot_epoch(policy),
		.policy_sha256 = snapshot_sha256(policy),
	};
	/* Now it would not be asked for its certificate. */
	if (service != NULL && service->policy.verify == VERIFY_NONE) {
		hs->presented = hs->requested = false;
		hs->possession = POSSESSION_UNSET;
		hs->chain = NULL;
	}
}

static bool is_worse(const struct live *live, const struct handshake *hs)
{
	return hs->decision == DECISION_DENY || (live->verified && !hs->verified) ||
	       (hs->decision == DECISION_QUARANTINE && live->decision != DECISION_QUARANTINE);
}

static void end_live(struct conn *c, const struct handshake *hs, const struct service *service)
{
	struct shard *s = c->shard;
	struct connection_revoked revoked = {
		.connection = c->id,
		.at_us = clock_wall_us(),
		.now = hs,
		.before = c->live.decision,
		.cause = service == NULL ? "removed" : s->sweep.cause,
		.closed = service == NULL || service->config->client.on_change == ON_CHANGE_CLOSE,
	};
	id_next(&s->ids, revoked.id);
	struct buf body;
	buf_init_fixed(&body, s->event, sizeof(s->event));
	event_encode_connection_revoked(&body, &s->source, &revoked);
	uint64_t ticket;
	if (!shard_submit(s, &body, &ticket)) {
		log_error(
			"out of memory: that connection %s is no longer good is not on the record",
			c->id);
	}
	if (revoked.closed) {
		conn_revoke(c, policy_alert_shown(c->service->config->client.alert,
		                                  policy_alert(hs->class, c->live.version)));
	} else {
		c->live.told = true;
	}
}

/* So that the lists of before can go: everything else of the two is the same. */
static void adopt(struct conn *c)
{
	struct snapshot *policy = c->shard->snapshot;
	if (c->snapshot == policy || !snapshot_same_plan(c->snapshot, policy)) {
		return;
	}
	snapshot_unref(&c->snapshot);
	c->snapshot = snapshot_ref(policy);
	if (c->relay.link != NULL) {
		link_renew(c->relay.link, policy);
	}
	if (c->http != NULL) {
		exchange_renew(c->http, policy);
	}
}

/* The new decision stands in `hs`. May free c. */
static void settle(struct conn *c, struct handshake *hs, const struct service *service)
{
	struct verdict *verdict = hs->verdict; /* hs does not own it */
	if (is_worse(&c->live, hs)) {
		c->live.holds_from_s = INT64_MIN;
		c->live.holds_until_s = INT64_MAX;
		end_live(c, hs, service);
	} else {
		hold(c, hs, service, now_s());
		adopt(c);
	}
	verdict_unref(&verdict);
}

/* Not even the lists of its service changed. */
static bool is_untouched(const struct conn *c)
{
	const struct snapshot *policy = c->shard->snapshot;
	return snapshot_same_plan(c->snapshot, policy) &&
	       memcmp(lists_id(snapshot_lists(c->snapshot, c->service)),
	              lists_id(snapshot_lists(policy, c->service)), 32) == 0;
}

static void judge_again(struct conn *c);

static void on_status(void *owner, const struct ocsp_answer *answer, const char *why)
{
	struct conn *c = owner;
	const struct service *service = find_service(c->shard->snapshot, c->service->event.name);
	struct handshake hs;
	if (service == NULL) {
		judge_again(c);
		return;
	}
	describe(c, service, &hs);
	struct judge judge = conn_judge(c, service, c->shard->snapshot);
	/* The chain is judged as of now, too: the policy may have changed while the answer was on its way. */
	judge.desk = NULL;
	judge_presented(&hs, &judge);
	judge_answer(&hs, &judge, answer, why);
	settle(c, &hs, service);
}

static void judge_again(struct conn *c)
{
	if (c->status.question != NULL) {
		return; /* on_status() judges by the policy of its own time */
	}
	struct handshake hs;
	const struct service *service = find_service(c->shard->snapshot, c->service->event.name);
	describe(c, service, &hs);
	if (service == NULL) {
		judge_end(&hs, CLASS_UNKNOWN_SERVER_NAME, "the service is gone");
		settle(c, &hs, NULL);
		return;
	}
	struct judge judge = conn_judge(c, service, c->shard->snapshot);
	c->status.answered = on_status;
	c->status.owner = c;
	if (judge_presented(&hs, &judge) == JUDGE_WAITS) {
		verdict_unref(&hs.verdict);
		return; /* on_status() goes on */
	}
	settle(c, &hs, service);
}

/* --- who is looked at, and when --- */

/* Nobody whose handshake is still going on: that is judged by the policy in force when it is over. */
static bool is_live(const struct conn *c)
{
	return c->recorded && c->allowed && c->state != CONN_REFUSED && !c->live.told;
}

static bool is_due(const struct conn *c, int64_t at_s)
{
	return !is_untouched(c) || at_s < c->live.holds_from_s || at_s >= c->live.holds_until_s;
}

static void on_slice(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)events;
	struct shard *s = timer->data;
	int64_t at_s = now_s();
	for (unsigned n = 0; n < TURN && s->sweep.next != NULL; n++) {
		struct conn *c = s->sweep.next;
		s->sweep.next = c->next;
		if (!is_live(c)) {
			continue;
		}
		if (is_due(c, at_s)) {
			judge_again(c); /* frees c at most */
		} else {
			narrow(s, &c->live);
			adopt(c);
		}
	}
	if (s->sweep.next == NULL) {
		ev_timer_stop(loop, timer);
	}
}

static void sweep(struct shard *s, const char *cause)
{
	/* A sweep for a date that is still going on becomes one for everybody, never the other way round. */
	if (s->sweep.next == NULL || strcmp(cause, "date") != 0) {
		s->sweep.cause = cause;
	}
	s->sweep.from_s = INT64_MIN;
	s->sweep.until_s = INT64_MAX;
	s->sweep.next = s->conns;
	/* A timer that is due at once, and not an event that is fed: others have their turn in between. */
	if (!ev_is_active(&s->live_slice)) {
		ev_timer_set(&s->live_slice, 0, 1e-9);
		ev_timer_start(s->loop, &s->live_slice);
	}
}

void live_policy_changed(struct shard *s, const char *cause)
{
	sweep(s, cause);
}

static void on_look(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	struct shard *s = timer->data;
	int64_t at_s = now_s();
	if (s->sweep.next == NULL && (at_s < s->sweep.from_s || at_s >= s->sweep.until_s)) {
		sweep(s, "date");
	}
}

void live_start(struct shard *s)
{
	s->sweep.from_s = INT64_MIN;
	s->sweep.until_s = INT64_MAX;
	ev_timer_init(&s->live_look, on_look, LOOK_S, LOOK_S);
	ev_timer_init(&s->live_slice, on_slice, 0, 0);
	s->live_look.data = s->live_slice.data = s;
	ev_timer_start(s->loop, &s->live_look);
}

void live_stop(struct shard *s)
{
	ev_timer_stop(s->loop, &s->live_look);
	ev_timer_stop(s->loop, &s->live_slice);
}
