#include "proxy/crl_fetch.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "peer/crl_store.h"
#include "proxy/crl_fetch_source.h"
#include "proxy/crl_fetch_time.h"
#include "proxy/snapshot.h"

#define PATH_BYTES_MAX 4096

struct crl_fetch {
	struct ev_loop *loop;
	struct fetcher *fetcher;
	char *folder;
	void (*changed)(void *arg);
	void *arg;
	struct snapshot *snapshot; /* watched; NULL: none yet */
	struct source *sources;
	struct queue arrived;
	struct ev_async bell;
};

/* --- the fetcher's thread --- */

static void on_fetched(struct fetch *fetch)
{
	struct source *source = fetch->arg;
	if (fetch->err != E_END) {
		source_evaluate(source);
	}
	queue_push(&source->owner->arrived, &source->node);
	ev_async_send(source->owner->loop, &source->owner->bell);
}

/* --- when --- */

static void free_source(struct source *source)
{
	ev_timer_stop(source->owner->loop, &source->timer);
	snapshot_unref(&source->whose);
	buf_release(&source->path);
	free(source->url);
	free(source);
}

/* The date of what is there, to ask only for what is newer; 0: asks for all of it. */
static int64_t modified_since(const struct source *source)
{
	struct stat st;
	bool stale = source->facts.next_update_s != 0 &&
	             source->facts.next_update_s <= clock_wall_us() / 1000000;
	if (source->whole || stale || stat((const char *)source->path.data, &st) == -1) {
		return 0;
	}
	/* What an earlier life left was settled if it was old when it was written. */
	bool settled = source->settled || st.st_ctime - st.st_mtime > CRL_FETCH_SETTLED_S;
	return settled && st.st_mtime > 0 ? (int64_t)st.st_mtime : 0;
}

static void fetch(struct source *source)
{
	struct crl_fetch *c = source->owner;
	BUG_IF(source->running);
	/* It may be due in this very turn of the loop, behind whoever wants a fetch now: then it is not active, and would ask for another one. */
	ev_timer_stop(c->loop, &source->timer);
	source->fetch = (struct fetch){
		.url = source->url,
		.if_modified_since_s = modified_since(source),
		.timeout_ms = source->timeout_ms,
		.max_bytes = source->max_bytes,
		.done = on_fetched,
		.arg = source,
	};
	source->whose = snapshot_ref(c->snapshot);
	source->running = true;
	fetcher_submit(c->fetcher, &source->fetch);
}

static void on_timer(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	fetch(timer->data);
}

static void schedule(struct source *source)
{
	struct crl_fetch *c = source->owner;
	uint32_t random = 0;
	/* Without a random number it is only a little less polite. */
	ssize_t ignored = getrandom(&random, sizeof(random), GRND_NONBLOCK);
	(void)ignored;
	uint64_t delay_ms =
		crl_fetch_delay_ms(source->interval_ms, source->failures,
	                           source->facts.next_update_s, clock_wall_us() / 1000000, random);
	source->planned_ms = source->interval_ms;
	ev_timer_stop(c->loop, &source->timer);
	ev_now_update(c->loop);
	ev_timer_set(&source->timer, (double)delay_ms / 1e3, 0);
	ev_timer_start(c->loop, &source->timer);
}

/* True: a file has changed. */
static bool settle(struct source *source)
{
	source->running = false;
	snapshot_unref(&source->whose);
	if (source->fetch.err == E_END || !source->wanted) {
		return false;
	}
	if (source->error[0] != '\0') {
		source->failures++;
		source->whole = true;
		source_complain(source);
	} else {
		source->failures = 0;
		source->whole = false;
		source_tell_well(source);
	}
	schedule(source);
	return source->changed;
}

static void drop_unwanted(struct crl_fetch *c)
{
	struct source **link = &c->sources;
	while (*link != NULL) {
		struct source *source = *link;
		if (source->wanted || source->running) {
			link = &source->next;
			continue;
		}
		*link = source->next;
		free_source(source);
	}
}

static void on_bell(struct ev_loop *loop, struct ev_async *bell, int events)
{
	(void)loop;
	(void)events;
	struct crl_fetch *c = bell->data;
	struct queue_node *node;
	bool changed = false;
	while ((node = queue_pop(&c->arrived)) != NULL) {
		changed = settle((struct source *)node) || changed;
	}
	drop_unwanted(c);
	if (changed) {
		c->changed(c->arg);
	}
}

/* --- what --- */

static struct source *find(struct crl_fetch *c, const char *url)
{
	struct source *source = c->sources;
	while (source != NULL && strcmp(source->url, url) != 0) {
		source = source->next;
	}
	return source;
}

static struct source *find_or_make(struct crl_fetch *c, const char *url)
{
	struct source *source = find(c, url);
	if (source != NULL) {
		return source;
	}
	source = calloc(1, sizeof(*source));
	BUG_IF(source == NULL); /* start or reload: a few bytes */
	source->owner = c;
	source->url = strdup(url);
	buf_init(&source->path, PATH_BYTES_MAX);
	crl_cache_path(&source->path, c->folder, url);
	BUG_IF(source->url == NULL || source->path.err != E_OK);
	ev_timer_init(&source->timer, on_timer, 0, 0);
	source->timer.data = source;
	source->next = c->sources;
	c->sources = source;
	return source;
}

/* Where services differ, the one that wants it more often, or larger, or has more patience. */
static void want(struct source *source, const struct config_client *client)
{
	const struct config_crl_fetch *config = &client->crl_fetch;
	bool first = !source->wanted;
	bool hard = client->revocation == REVOCATION_HARD;
	if (first || config->interval_ms < source->interval_ms) {
		source->interval_ms = config->interval_ms;
	}
	if (first || config->timeout_ms > source->timeout_ms) {
		source->timeout_ms = config->timeout_ms;
	}
	if (first || config->max_bytes > source->max_bytes) {
		source->max_bytes = config->max_bytes;
	}
	source->hard = first ? hard : source->hard || hard;
	source->wanted = true;
}

static void make_folder(const char *folder)
{
	if (mkdir(folder, 0700) == -1 && err_from_errno() != E_EXISTS) {
		log_error("cannot make %s, where fetched CRLs are kept: %s", folder,
		          err_text(err_from_errno()));
	}
}

/* At once what is new; what waits may have got another interval. */
static void plan(struct source *source)
{
	if (source->running) {
		return; /* settle() looks further */
	}
	if (!ev_is_active(&source->timer)) {
		fetch(source);
	} else if (source->interval_ms != source->planned_ms) {
		schedule(source);
	}
}

void crl_fetch_watch(struct crl_fetch *c, struct snapshot *snapshot)
{
	struct snapshot *old = c->snapshot;
	c->snapshot = snapshot_ref(snapshot);
	snapshot_unref(&old);
	for (struct source *source = c->sources; source != NULL; source = source->next) {
		source->wanted = false;
	}
	for (size_t i = 0; i < snapshot_service_count(snapshot); i++) {
		const struct config_client *client = &snapshot_service(snapshot, i)->config->client;
		for (size_t u = 0; u < client->crl_fetch.urls.count; u++) {
			want(find_or_make(c, client->crl_fetch.urls.items[u].text), client);
		}
	}
	drop_unwanted(c);
	if (c->sources != NULL) {
		make_folder(c->folder);
	}
	for (struct source *source = c->sources; source != NULL; source = source->next) {
		plan(source);
	}
}

/* --- from outside --- */

int crl_fetch_start(struct crl_fetch **out, struct ev_loop *loop, struct fetcher *fetcher,
                    const char *folder, void (*changed)(void *arg), void *arg)
{
	struct crl_fetch *c = calloc(1, sizeof(*c));
	if (c == NULL) {
		return E_NOMEM;
	}
	c->folder = strdup(folder);
	if (c->folder == NULL) {
		free(c);
		return E_NOMEM;
	}
	c->loop = loop;
	c->fetcher = fetcher;
	c->changed = changed;
	c->arg = arg;
	queue_init(&c->arrived);
	ev_async_init(&c->bell, on_bell);
	c->bell.data = c;
	ev_async_start(loop, &c->bell);
	*out = c;
	return E_OK;
}

void crl_fetch_stop(struct crl_fetch **out)
{
	struct crl_fetch *c = *out;
	*out = NULL;
	if (c == NULL) {
		return;
	}
	struct queue_node *node;
	while ((node = queue_pop(&c->arrived)) != NULL) {
		((struct source *)node)->running = false;
	}
	for (struct source *source = c->sources; source != NULL; source = source->next) {
		BUG_IF(source->running);
		source->wanted = false;
	}
	drop_unwanted(c);
	ev_async_stop(c->loop, &c->bell);
	queue_release(&c->arrived);
	snapshot_unref(&c->snapshot);
	free(c->folder);
	free(c);
}
