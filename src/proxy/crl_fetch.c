#include "proxy/crl_fetch.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "peer/chain.h"
#include "peer/crl_store.h"
#include "peer/trust.h"
#include "proxy/crl_fetch_file.h"
#include "proxy/crl_fetch_time.h"
#include "proxy/snapshot.h"

#define PATH_BYTES_MAX 4096
#define SENTENCE_LEN 512

/* One URL. The fetcher's thread has what is below "fetched" while it is running, and reads url, path and whose. */
struct source {
	struct queue_node node;
	struct crl_fetch *owner;
	struct source *next;
	char *url;
	struct buf path; /* with its NUL */
	uint64_t interval_ms, timeout_ms;
	uint64_t planned_ms; /* the interval that `timer` runs by */
	size_t max_bytes;
	bool hard;   /* one of its services refuses whom no current CRL speaks of */
	bool wanted; /* by the watched snapshot */
	bool running;
	bool whole; /* the next fetch is unconditional */
	bool told_well;
	unsigned failures; /* in a row */
	struct ev_timer timer;
	char told[SENTENCE_LEN]; /* the last complaint; "" once all is well */
	/* fetched */
	struct fetch fetch;
	struct snapshot *whose; /* a reference while it is running: for its trust */
	struct crl_facts facts; /* of what is there */
	bool looked;            /* `facts` are known */
	bool changed;
	char error[CRL_FETCH_ERROR_LEN]; /* "": it went well */
};

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

static int64_t now_s(void)
{
	return clock_wall_us() / 1000000;
}

/* --- the fetcher's thread --- */

static bool names(const struct service *service, const char *url)
{
	const struct config_texts *urls = &service->config->client.crl_fetch.urls;
	for (size_t i = 0; i < urls->count; i++) {
		if (strcmp(urls->items[i].text, url) == 0) {
			return true;
		}
	}
	return false;
}

/* True also where there is no memory to find out: whoever uses the CRL looks at its signature anyway. */
static bool anchor_signed(const struct trust_anchor *anchor, const struct crl *crl)
{
	struct chain *chain = NULL;
	bool does = true;
	if (chain_new(&chain, &anchor->der, 1) == E_OK && chain_parse(chain) == E_OK) {
		does = crl_is_signed_by(crl, &chain->certs[0]);
	}
	chain_unref(&chain);
	return does;
}

/* False: services that name the URL have anchors of the CRL's name, and none of them signed it. Over plain HTTP anybody on the way can make one up, and
 * should not be able to take the good one away. */
static bool signed_well(void *context, const struct crl *crl)
{
	const struct source *source = context;
	bool known = false;
	for (size_t i = 0; i < snapshot_service_count(source->whose); i++) {
		const struct service *service = snapshot_service(source->whose, i);
		if (!names(service, source->url)) {
			continue;
		}
		for (size_t a = 0; a < trust_anchor_count(service->trust); a++) {
			const struct trust_anchor *anchor = trust_anchor_at(service->trust, a);
			if (slice_equal(anchor->subject_der, crl_info(crl)->issuer_der)) {
				known = true;
				if (anchor_signed(anchor, crl)) {
					return true;
				}
			}
		}
	}
	return !known;
}

static void look(struct source *source)
{
	if (!source->looked) {
		source->looked = true;
		crl_file_look((const char *)source->path.data, &source->facts);
	}
}

static void evaluate(struct source *source)
{
	const struct fetch *fetch = &source->fetch;
	source->changed = false;
	source->error[0] = '\0';
	if (fetch->err != E_OK) {
		snprintf(source->error, sizeof(source->error), "%s", fetch->error);
	} else if (fetch->status == 200) {
		crl_file_take((const char *)source->path.data, fetch->body, fetch->last_modified_s,
		              now_s(), signed_well, source, &source->facts, &source->changed,
		              source->error);
		source->looked = true;
	} else if (fetch->status != 304 || fetch->if_modified_since_s == 0) {
		snprintf(source->error, sizeof(source->error),
		         "the server answered with status %ld", fetch->status);
	}
	look(source);
	if (source->error[0] != '\0') {
		return;
	}
	if (source->facts.count == 0) {
		snprintf(source->error, sizeof(source->error),
		         "nothing new came, and what is there cannot be read");
	} else if (source->facts.next_update_s != 0 && source->facts.next_update_s <= now_s()) {
		snprintf(source->error, sizeof(source->error),
		         "what the server has is past its nextUpdate");
	}
}

static void on_fetched(struct fetch *fetch)
{
	struct source *source = fetch->arg;
	if (fetch->err != E_END) {
		evaluate(source);
	}
	queue_push(&source->owner->arrived, &source->node);
	ev_async_send(source->owner->loop, &source->owner->bell);
}

/* --- what the operator is told --- */

/* To the second, as a CRL says it. */
static const char *print_time(char out[static CLOCK_TEXT_LEN + 1], int64_t seconds)
{
	clock_format(out, seconds * 1000000);
	memcpy(out + strlen("2026-11-21T08:30:00"), "Z", sizeof("Z"));
	return out;
}

static void complain(struct source *source)
{
	char sentence[SENTENCE_LEN], made[CLOCK_TEXT_LEN + 1], ended[CLOCK_TEXT_LEN + 1];
	const struct crl_facts *facts = &source->facts;
	bool stale =
		facts->count > 0 && facts->next_update_s != 0 && facts->next_update_s <= now_s();
	const char *refuses =
		source->hard ? ", and revocation: hard refuses whoever needs a current one" : "";
	if (facts->count == 0) {
		snprintf(sentence, sizeof(sentence), "%s; there is none%s", source->error, refuses);
	} else if (stale) {
		snprintf(sentence, sizeof(sentence),
		         "%s; the one of %s stays in use, but ended on %s%s", source->error,
		         print_time(made, facts->this_update_s),
		         print_time(ended, facts->next_update_s), refuses);
	} else {
		snprintf(sentence, sizeof(sentence), "%s; the one of %s stays in use",
		         source->error, print_time(made, facts->this_update_s));
	}
	if (strcmp(sentence, source->told) == 0) {
		return;
	}
	memcpy(source->told, sentence, sizeof(sentence));
	log_write(source->hard && (stale || facts->count == 0) ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING,
	          "cannot fetch CRL %s: %s", source->url, sentence);
}

static void tell_well(struct source *source)
{
	if (source->told_well && source->told[0] == '\0') {
		return;
	}
	char made[CLOCK_TEXT_LEN + 1], ends[CLOCK_TEXT_LEN + 1] = "further notice";
	const struct crl_facts *facts = &source->facts;
	if (facts->next_update_s != 0) {
		print_time(ends, facts->next_update_s);
	}
	log_info("CRL %s is up to date%s: of %s, until %s, %zu certificates revoked", source->url,
	         source->told[0] == '\0' ? "" : " again", print_time(made, facts->this_update_s),
	         ends, facts->entries);
	source->told_well = true;
	source->told[0] = '\0';
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

static void fetch(struct source *source)
{
	struct crl_fetch *c = source->owner;
	const char *path = (const char *)source->path.data;
	struct stat st;
	bool stale = source->facts.next_update_s != 0 && source->facts.next_update_s <= now_s();
	bool conditional = !source->whole && !stale && stat(path, &st) == 0 && st.st_mtime > 0;
	source->fetch = (struct fetch){
		.url = source->url,
		.if_modified_since_s = conditional ? (int64_t)st.st_mtime : 0,
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
	uint64_t delay_ms = crl_fetch_delay_ms(source->interval_ms, source->failures,
	                                       source->facts.next_update_s, now_s(), random);
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
		complain(source);
	} else {
		source->failures = 0;
		source->whole = false;
		tell_well(source);
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
