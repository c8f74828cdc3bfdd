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
#define ASK_LATER_S 1  /* too many questions were open */
/* In one go, as others have a turn, too: so many connections, or so much time, as a fresh verdict can take a millisecond. */
#define TURN 128
#define TURN_NS 2000000

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

/* No responder had a word about it when it was asked, or none that says anything. A CRL may have had. */
static bool is_unanswered(const struct handshake *hs, const struct service *service)
{
	const struct revocation *revocation = &hs->verdict->revocation;
	return service->config->client.ocsp.mode != REVOCATION_OFF &&
	       hs->decision != DECISION_QUARANTINE && hs->verdict->path_count > 1 &&
	       (revocation->source != REVOCATION_SOURCE_OCSP ||
	        revocation->status == REVOCATION_UNKNOWN);
}

static void hold(struct conn *c, const struct handshake *hs, const struct service *service,
                 int64_t at_s)
{
	struct live *live = &c->live;
	live->holds_from_s = INT64_MIN;
	live->holds_until_s = INT64_MAX;
	if (live->behind) {
		live->holds_until_s = INT64_MIN;
	} else if (hs->verdict != NULL) {
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
	live->epoch = snapshot_epoch(c->snapshot);
	/* The sweep for the new policy passes handshakes by: this one was judged by the one of before. */
	live->behind = !snapshot_same_plan(c->snapshot, c->shard->snapshot);
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
		.cause = service == NULL  ? "removed"
	                 : c->live.behind ? "policy"
	                                  : s->sweep.cause,
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
		c->live.told = c->live.behind = false;
		c->live.epoch = snapshot_epoch(c->shard->snapshot);
		hold(c, hs, service, now_s());
		adopt(c);
	}
	verdict_unref(&verdict);
}

/* Not even the lists of its service changed. */
static bool is_untouched(const struct conn *c)
{
	const struct snapshot *policy = c->shard->snapshot;
	if (c->live.epoch == snapshot_epoch(policy)) {
		return true; /* judged by it, even where its own snapshot is of an older configuration */
	}
	return snapshot_same_plan(c->snapshot, policy) &&
	       memcmp(lists_id(snapshot_lists(c->snapshot, c->service)),
	              lists_id(snapshot_lists(policy, c->service)), 32) == 0;
}

/* Nobody whose handshake is still going on: that is judged when it is over. */
static bool is_live(const struct conn *c)
{
	return c->recorded && c->allowed && c->state != CONN_REFUSED;
}

static void judge_again(struct conn *c);

static void on_status(void *owner, const struct ocsp_answer *answer, const char *why)
{
	struct conn *c = owner;
	struct handshake hs;
	if (!is_live(c)) {
		return; /* it is being refused, or ends, for another reason */
	}
	if (c->live.asked_epoch != snapshot_epoch(c->shard->snapshot)) {
		judge_again(
			c); /* who is asked, and how, may be another matter now; if not, the answer is kept */
		return;
	}
	const struct service *service = find_service(c->shard->snapshot, c->service->event.name);
	describe(c, service, &hs);
	struct judge judge = conn_judge(c, service, c->shard->snapshot);
	judge_answer(&hs, &judge, answer, why);
	settle(c, &hs, service);
}

/* It stays due. */
static void put_off(struct conn *c, int64_t at_s)
{
	struct live_sweep *sweep = &c->shard->sweep;
	if (at_s + ASK_LATER_S < sweep->until_s) {
		sweep->until_s = at_s + ASK_LATER_S;
	}
}

static void judge_again(struct conn *c)
{
	if (c->status.question != NULL && c->live.asked_epoch == snapshot_epoch(c->shard->snapshot)) {
		return; /* on_status() goes on */
	}
	/* By a new policy it may be out whatever the answer is. */
	status_cancel(c->shard->desk, &c->status);
	struct handshake hs;
	const struct service *service = find_service(c->shard->snapshot, c->service->event.name);
	describe(c, service, &hs);
	if (service == NULL) {
		judge_end(&hs, CLASS_UNKNOWN_SERVER_NAME, "the service is gone");
		settle(c, &hs, NULL);
		return;
	}
	struct judge judge = conn_judge(c, service, c->shard->snapshot);
	judge.patient = true;
	c->status.answered = on_status;
	c->status.owner = c;
	c->live.asked_epoch = snapshot_epoch(c->shard->snapshot);
	switch (judge_presented(&hs, &judge)) {
	case JUDGE_DECIDED:
		settle(c, &hs, service);
		return;
	case JUDGE_WAITS: /* on_status() goes on */
		break;
	case JUDGE_LATER:
		put_off(c, now_s());
		break;
	}
	verdict_unref(&hs.verdict);
}

/* --- who is looked at, and when --- */

/* Of those who were told that a log is all that comes of it: is that so still? */
static bool is_done_with(const struct conn *c)
{
	const struct service *service = find_service(c->shard->snapshot, c->service->event.name);
	return c->live.told && service != NULL && service->config->client.on_change == ON_CHANGE_LOG;
}

static bool is_due(const struct conn *c, int64_t at_s)
{
	return !is_untouched(c) || at_s < c->live.holds_from_s || at_s >= c->live.holds_until_s;
}

static void begin_sweep(struct shard *s, const char *cause)
{
	s->sweep.cause = cause;
	s->sweep.again = NULL;
	s->sweep.from_s = INT64_MIN;
	s->sweep.until_s = INT64_MAX;
	s->sweep.next = s->conns;
	/* A timer that is due at once, and not an event that is fed: others have their turn in between. */
	if (!ev_is_active(&s->live_slice)) {
		ev_timer_set(&s->live_slice, 0, 1e-9);
		ev_timer_start(s->loop, &s->live_slice);
	}
}

/* Frees c at most. */
static void look_at(struct conn *c, int64_t at_s)
{
	if (!is_live(c)) {
		return;
	}
	if (!is_done_with(c) && is_due(c, at_s)) {
		judge_again(c);
		return;
	}
	narrow(c->shard, &c->live);
	adopt(c);
}

static void on_slice(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)events;
	struct shard *s = timer->data;
	int64_t at_s = now_s();
	uint64_t end_ns = clock_mono_ns() + TURN_NS;
	for (unsigned n = 0; n < TURN && s->sweep.next != NULL && clock_mono_ns() < end_ns; n++) {
		struct conn *c = s->sweep.next;
		s->sweep.next = c->next;
		look_at(c, at_s);
	}
	if (s->sweep.next != NULL) {
		return;
	}
	if (s->sweep.again != NULL) {
		begin_sweep(s, s->sweep.again);
	} else {
		ev_timer_stop(loop, timer);
	}
}

void live_policy_changed(struct shard *s, const char *cause)
{
	struct live_sweep *sweep = &s->sweep;
	if (sweep->next == NULL) {
		begin_sweep(s, cause);
		return;
	}
	/* Whom it still comes to is judged by what is new already. */
	if (strcmp(sweep->cause, "date") == 0) {
		sweep->cause = cause;
	}
	if (sweep->again == NULL || strcmp(cause, "policy") == 0) {
		sweep->again = cause;
	}
}

static void on_look(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	struct shard *s = timer->data;
	int64_t at_s = now_s();
	if (s->sweep.next == NULL && (at_s < s->sweep.from_s || at_s >= s->sweep.until_s)) {
		begin_sweep(s, "date");
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
