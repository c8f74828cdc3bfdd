/* Each server has one check, which is either waiting for its turn or under way:
 *
 *   wait ──interval──▶ link_open ──▶ write the request ──▶ read the answer's head ──▶ judge ──▶ wait
 *                          └──────────────┴───────────timeout, or it broke─────────────┘
 */
#include "proxy/check.h"

#include <stdio.h>
#include <stdlib.h>

#include <ev.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "http/head.h"
#include "net/proxy_protocol.h"
#include "proxy/link.h"
#include "proxy/shard.h"
#include "proxy/snapshot.h"
#include "proxy/upstream.h"

/* Between the first checks of two servers, so that a back end that they share does not get all at once; less where the
 * interval has no room for it. */
#define STAGGER_MS 100
/* Interim answers (RFC 9110 15.2) that are passed over; nobody has a reason to send more. */
#define INTERIM_MAX 8
#define REASON_MAX 128

struct check {
	struct checks *all;
	struct upstream *upstream;
	size_t server;
	const struct service *service; /* the one in whose name it asks */
	bool up;
	unsigned contrary; /* answers in a row that say otherwise */

	struct ev_timer timer; /* the next check, or the end of this one's time */
	ev_tstamp began;
	struct link *link; /* NULL: between two */
	struct buf request;
	size_t sent;
	struct buf answer;
	struct http_scan scan;
	unsigned interim;
};

struct checks {
	struct shard *shard;
	struct snapshot *snapshot;
	struct http_limits limits;
	size_t count;
	struct check items[];
};

static const struct config_check *config_of(const struct check *check)
{
	return &upstream_config(check->upstream)->check;
}

static void set_timer(struct check *check, ev_tstamp after)
{
	struct ev_loop *loop = check->all->shard->loop;
	ev_timer_stop(loop, &check->timer);
	ev_timer_set(&check->timer, after > 0 ? after : 0, 0);
	ev_timer_start(loop, &check->timer);
}

/* --- the verdict --- */

static void turn(struct check *check, bool up, const char *why)
{
	const char *owner = upstream_owner(check->upstream);
	const char *name = upstream_name(check->upstream, check->server);
	unsigned times = check->contrary;
	const char *plural = times == 1 ? "" : "s";
	check->up = up;
	check->contrary = 0;
	upstream_checked(check->upstream, check->server, up);
	if (up) {
		log_info("service %s: %s is up: %u good check%s in a row", owner, name, times,
		         plural);
	} else {
		log_warning("service %s: %s is down: %u bad check%s in a row, the last one: %s",
		            owner, name, times, plural, why);
	}
}

/* Lets go of the connection and waits for the next turn. */
static void rest(struct check *check)
{
	link_close(&check->link, false);
	buf_release(&check->request);
	buf_release(&check->answer);
	ev_now_update(check->all->shard->loop);
	set_timer(check, check->began + (double)config_of(check)->interval_ms / 1e3 -
	                         ev_now(check->all->shard->loop));
}

static void judge(struct check *check, bool good, const char *why)
{
	rest(check);
	if (good == check->up) {
		check->contrary = 0;
		return;
	}
	const struct config_check *config = config_of(check);
	if (++check->contrary >= (check->up ? config->unhealthy : config->healthy)) {
		turn(check, good, why);
	}
}

/* --- the answer --- */

/* True: the check has its verdict. */
static bool read_head(struct check *check)
{
	struct http_field fields[HTTP_FIELDS_MAX];
	struct http_head head = {.fields = fields};
	const struct config_check *config = config_of(check);
	char why[REASON_MAX];
	for (;;) {
		switch (http_response_parse(&head, &check->scan, &check->all->limits,
		                            buf_slice(&check->answer), HTTP_GET)) {
		case HTTP_MORE:
			return false;
		case HTTP_BAD:
			snprintf(why, sizeof(why), "the answer is no HTTP: %s", head.bad);
			judge(check, false, why);
			return true;
		case HTTP_DONE:
			break;
		}
		if (head.status >= 200 || head.status == 101 || ++check->interim > INTERIM_MAX) {
			snprintf(why, sizeof(why), "status %u", head.status);
			judge(check,
			      head.status >= config->expect_from && head.status <= config->expect_to,
			      why);
			return true;
		}
		check->answer.len -= head.bytes;
		memmove(check->answer.data, check->answer.data + head.bytes, check->answer.len);
		check->scan = (struct http_scan){0};
	}
}

static void read_answer(struct check *check)
{
	for (;;) {
		uint8_t *room = buf_reserve(&check->answer, 1024);
		if (room == NULL) {
			judge(check, false, "the answer's head is too long");
			return;
		}
		size_t n = 0;
		switch (link_read(check->link, room, 1024, &n)) {
		case LINK_DONE:
			check->answer.len += n;
			if (read_head(check)) {
				return;
			}
			break;
		case LINK_AGAIN:
			link_wait(check->link, EV_READ);
			return;
		case LINK_EOF:
			judge(check, false, "it closed the connection without an answer");
			return;
		case LINK_RESET:
			judge(check, false, "it reset the connection");
			return;
		}
	}
}

/* --- the question --- */

/* RFC 9110 7.2: the authority; a unix socket has none, and RFC 9112 3.2 wants the field all the same. */
static const char *host_of(const struct check *check)
{
	const struct config_upstream *upstream = upstream_config(check->upstream);
	if (upstream->check.host.text != NULL) {
		return upstream->check.host.text;
	}
	if (upstream->host.text != NULL) {
		return upstream->host.text;
	}
	return upstream_host(check->upstream, check->server) == NULL
	               ? "localhost"
	               : upstream_name(check->upstream, check->server);
}

static void write_request(struct check *check)
{
	while (check->sent < check->request.len) {
		size_t n = 0;
		switch (link_write(check->link, check->request.data + check->sent,
		                   check->request.len - check->sent, &n)) {
		case LINK_DONE:
			check->sent += n;
			break;
		case LINK_AGAIN:
			link_wait(check->link, EV_WRITE);
			return;
		default:
			judge(check, false, "it reset the connection");
			return;
		}
	}
	switch (link_flush(check->link)) {
	case LINK_DONE:
		read_answer(check);
		return;
	case LINK_AGAIN:
		link_wait(check->link, EV_WRITE);
		return;
	default:
		judge(check, false, "it reset the connection");
		return;
	}
}

/* --- what the link says --- */

static void on_open(void *owner)
{
	write_request(owner);
}

static void on_failed(void *owner, enum link_failure failure, const char *why)
{
	struct check *check = owner;
	check->link = NULL; /* closed by itself */
	/* Our own trouble says nothing about the server. */
	if (failure == LINK_RECORD || failure == LINK_SHORT) {
		rest(check);
		return;
	}
	judge(check, false, why);
}

static void on_ready(void *owner, int events)
{
	struct check *check = owner;
	(void)events;
	write_request(check); /* and reads, once nothing is left to be written */
}

static const struct link_ops link_ops = {.open = on_open, .failed = on_failed, .ready = on_ready};

/* --- turns --- */

static int open_link(struct check *check)
{
	struct checks *all = check->all;
	struct buf header;
	buf_init(&header, PROXY_HEADER_BUDGET);
	if (upstream_config(check->upstream)->proxy_protocol == PROXY_PROTOCOL_V2) {
		const struct proxy_announce announce = {.local = true};
		proxy_header_write(&header, &announce);
	}
	const struct link_purpose purpose = {
		.snapshot = all->snapshot,
		.service = &check->service->event,
		.proxy_header = buf_slice(&header),
		.check = true,
	};
	int err = header.err != E_OK ? header.err
	                             : link_open(&check->link, all->shard, check->upstream,
	                                         check->server, &purpose, &link_ops, check);
	buf_release(&header);
	return err;
}

static void begin(struct check *check)
{
	const struct config_check *config = config_of(check);
	ev_now_update(check->all->shard->loop);
	check->began = ev_now(check->all->shard->loop);
	check->sent = 0;
	check->interim = 0;
	check->scan = (struct http_scan){0};
	buf_init(&check->answer, check->all->limits.head);
	buf_init(&check->request, 4096);
	buf_printf(&check->request,
	           "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: tlscribe-check\r\n"
	           "Connection: close\r\n\r\n",
	           config->path.text, host_of(check));
	if (check->request.err != E_OK || open_link(check) != E_OK) {
		rest(check); /* out of memory: says nothing about the server */
		return;
	}
	set_timer(check, (double)config->timeout_ms / 1e3);
}

static void on_timer(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	struct check *check = timer->data;
	if (check->link == NULL) {
		begin(check);
	} else {
		link_expire(&check->link);
		judge(check, false, "no answer within the check's timeout");
	}
}

/* --- from outside --- */

static size_t count_checks(const struct snapshot *snapshot)
{
	size_t count = 0;
	for (size_t i = 0; i < snapshot_upstream_count(snapshot); i++) {
		const struct upstream *upstream = snapshot_upstream(snapshot, i);
		count += upstream_config(upstream)->check.at.line == 0 ? 0
		                                                       : upstream_count(upstream);
	}
	return count;
}

static void add_checks(struct checks *all, struct upstream *upstream, const struct service *service)
{
	const struct config_check *config = &upstream_config(upstream)->check;
	size_t servers = upstream_count(upstream);
	uint64_t stagger_ms = config->interval_ms / servers;
	stagger_ms = stagger_ms > STAGGER_MS ? STAGGER_MS : stagger_ms;
	for (size_t i = 0; i < servers; i++) {
		struct check *check = &all->items[all->count++];
		check->all = all;
		check->upstream = upstream;
		check->server = i;
		check->service = service;
		check->up = upstream_is_up(upstream, i);
		ev_timer_init(&check->timer, on_timer, 0, 0);
		check->timer.data = check;
		set_timer(check, (double)(i * stagger_ms) / 1e3);
	}
}

int checks_new(struct checks **out, struct shard *s, struct snapshot *snapshot)
{
	size_t count = count_checks(snapshot);
	struct checks *all = calloc(1, sizeof(*all) + count * sizeof(all->items[0]));
	if (all == NULL) {
		return E_NOMEM;
	}
	const struct config_limits *limits = &snapshot_config(snapshot)->limits;
	all->shard = s;
	all->snapshot = snapshot_ref(snapshot);
	all->limits = (struct http_limits){.line = limits->request_line_bytes,
	                                   .head = limits->head_bytes,
	                                   .fields = (unsigned)limits->head_fields};
	ev_now_update(s->loop);
	for (size_t i = 0; i < snapshot_upstream_count(snapshot); i++) {
		struct upstream *upstream = snapshot_upstream(snapshot, i);
		if (upstream_config(upstream)->check.at.line != 0) {
			add_checks(all, upstream, snapshot_upstream_service(snapshot, i));
		}
	}
	*out = all;
	return E_OK;
}

void checks_renew(struct checks *checks, struct snapshot *snapshot)
{
	snapshot_unref(&checks->snapshot);
	checks->snapshot = snapshot_ref(snapshot);
}

void checks_free(struct checks **checks)
{
	struct checks *all = *checks;
	*checks = NULL;
	if (all == NULL) {
		return;
	}
	for (size_t i = 0; i < all->count; i++) {
		struct check *check = &all->items[i];
		ev_timer_stop(all->shard->loop, &check->timer);
		link_close(&check->link, false);
		buf_release(&check->request);
		buf_release(&check->answer);
	}
	snapshot_unref(&all->snapshot);
	free(all);
}
