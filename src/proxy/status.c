#include "proxy/status.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/err.h"
#include "proxy/status_cache.h"
#include "proxy/status_question.h"
#include "proxy/status_responder.h"
#include "tls/digest.h"

#define URL_BYTES_MAX 2048

struct status_desk {
	struct ev_loop *loop;
	struct fetcher *fetcher;
	struct status_cache *cache;
	struct responders responders;
	struct status_question *questions; /* open */
	unsigned question_count;
	struct queue arrived;
	struct ev_async bell;
};

/* --- waiting --- */

static void join(struct status_query *query, struct status_question *question)
{
	query->question = question;
	query->previous = NULL;
	query->next = question->first;
	if (question->first != NULL) {
		question->first->previous = query;
	}
	question->first = query;
}

void status_cancel(struct status_desk *desk, struct status_query *query)
{
	if (query->question == NULL) {
		return;
	}
	ev_timer_stop(desk->loop, &query->patience);
	*(query->previous == NULL ? &query->question->first : &query->previous->next) = query->next;
	if (query->next != NULL) {
		query->next->previous = query->previous;
	}
	query->question = NULL;
}

static void tell(struct status_desk *desk, struct status_query *query,
                 const struct ocsp_answer *answer, const char *why)
{
	status_cancel(desk, query);
	query->answered(query->owner, answer, why);
}

static void on_patience(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	struct status_query *query = timer->data;
	struct status_question *question = query->question;
	if (!question->late) {
		question->late = true;
		responder_failed(question->responder, clock_mono_ns(), "no answer in time");
	}
	tell(question->desk, query, NULL, "the OCSP responder did not answer in time");
}

/* --- the fetcher's thread --- */

static void on_fetched(struct fetch *fetch)
{
	struct status_question *question = fetch->arg;
	struct status_desk *desk = question->desk;
	status_question_read(question);
	queue_push(&desk->arrived, &question->node);
	ev_async_send(desk->loop, &desk->bell);
}

/* --- arrived --- */

static void close_question(struct status_desk *desk, struct status_question *question)
{
	*(question->previous == NULL ? &desk->questions : &question->previous->next) =
		question->next;
	if (question->next != NULL) {
		question->next->previous = question->previous;
	}
	desk->question_count--;
	question->responder->open--;
}

static void note_responder(struct status_question *question, uint64_t now_ns)
{
	const struct fetch *fetch = &question->fetch;
	if (!question->unwell) {
		if (fetch->err == E_OK) {
			responder_answered(question->responder);
		}
	} else if (!question->late) { /* else that was counted when somebody gave up */
		responder_failed(question->responder, now_ns,
		                 fetch->err == E_OK ? question->why : fetch->error);
	}
}

static void keep(struct status_desk *desk, const struct status_question *question, uint64_t now_ns)
{
	int64_t until_s = question->answer.until_s;
	int64_t soon_s = clock_wall_us() / 1000000 + STATUS_UNKNOWN_S;
	if (question->answer.status == REVOCATION_UNKNOWN && until_s > soon_s) {
		until_s = soon_s;
	}
	status_cache_put(desk->cache, question->key, &question->answer, until_s, question->why,
	                 now_ns + UINT64_C(1000000) * STATUS_RETRY_MS);
}

static void settle(struct status_desk *desk, struct status_question *question)
{
	uint64_t now_ns = clock_mono_ns();
	note_responder(question, now_ns);
	keep(desk, question, now_ns);
	close_question(desk, question);
	/* From the front, one at a time: who is told may cancel others, or ask again and find what was kept. */
	while (question->first != NULL) {
		tell(desk, question->first, question->why == NULL ? &question->answer : NULL,
		     question->why);
	}
	status_question_free(question);
}

static void on_bell(struct ev_loop *loop, struct ev_async *bell, int events)
{
	(void)loop;
	(void)events;
	struct status_desk *desk = bell->data;
	struct queue_node *node;
	while ((node = queue_pop(&desk->arrived)) != NULL) {
		settle(desk, (struct status_question *)node);
	}
}

/* --- asking --- */

/* Who is asked: the URL, and the name by which the configuration knows it; NULL: nobody. */
static const char *choose(const struct config_ocsp *config, struct slice leaf,
                          char url[static URL_BYTES_MAX])
{
	const char *responder = config->responder.text;
	if (responder != NULL) {
		size_t len = strlen(responder);
		if (len >= URL_BYTES_MAX) {
			return NULL;
		}
		memcpy(url, responder, len + 1);
		return responder;
	}
	if (config->aia.count == 0 || !ocsp_url(url, URL_BYTES_MAX, leaf)) {
		return NULL;
	}
	return status_allowed_prefix(config, url);
}

/* What an answer depends on: an answer that counts for one profile, or without a nonce, is none for another one. */
static int make_key(uint8_t key[static STATUS_KEY_LEN], const struct service *service,
                    struct slice leaf, struct slice issuer, const char *url)
{
	const struct config_client *client = &service->config->client;
	const uint8_t rules[] = {(uint8_t)client->profile, client->ocsp.nonce ? 1 : 0};
	struct ocsp_id id;
	int err = ocsp_id(&id, leaf, issuer);
	if (err == E_OK) {
		const struct slice parts[] = {slice_of(id.sha256, sizeof(id.sha256)),
		                              slice_of(rules, sizeof(rules)), slice_text(url)};
		digest_sha256(key, parts, 3);
	}
	return err;
}

static void open_question(struct status_desk *desk, struct status_question *question,
                          struct responder *responder, const uint8_t *key)
{
	question->desk = desk;
	question->fetch.done = on_fetched;
	memcpy(question->key, key, STATUS_KEY_LEN);
	question->responder = responder;
	responder->open++;
	question->next = desk->questions;
	if (desk->questions != NULL) {
		desk->questions->previous = question;
	}
	desk->questions = question;
	desk->question_count++;
	fetcher_submit(desk->fetcher, &question->fetch);
}

static struct status_question *find_question(struct status_desk *desk, const uint8_t *key)
{
	struct status_question *question = desk->questions;
	while (question != NULL && memcmp(question->key, key, STATUS_KEY_LEN) != 0) {
		question = question->next;
	}
	return question;
}

/* A new question; else as status_ask(). */
static int ask(struct status_question **out, struct status_desk *desk,
               const struct service *service, struct slice leaf, struct slice issuer,
               const uint8_t *key, const char *url, const char *name, const char **why)
{
	struct responder *responder = desk->question_count < STATUS_QUESTIONS_MAX
	                                      ? responders_find(&desk->responders, name)
	                                      : NULL;
	if (responder == NULL) {
		*why = "too many OCSP questions wait for their answers";
		return E_LIMIT;
	}
	if (!responder_may_be_asked(responder, clock_mono_ns())) {
		*why = "the OCSP responder failed several times in a row";
		return E_NOT_FOUND;
	}
	struct status_question *question =
		status_question_new(&service->config->client, leaf, issuer, url);
	if (question == NULL) {
		*why = "the question for the OCSP responder cannot be made";
		return E_NOT_FOUND;
	}
	open_question(desk, question, responder, key);
	*out = question;
	return E_OK;
}

/* E_AGAIN: nothing is known that counts now. */
static int recall(struct status_desk *desk, const uint8_t *key, int64_t now_s,
                  struct ocsp_answer *answer, const char **why)
{
	const struct status_entry *entry = status_cache_find(desk->cache, key);
	if (entry == NULL) {
		return E_AGAIN;
	}
	if (entry->why != NULL) {
		*why = entry->why;
		return clock_mono_ns() < entry->retry_at_ns ? E_NOT_FOUND : E_AGAIN;
	}
	/* Both ends: clocks step back. */
	if (now_s >= entry->until_s || now_s < entry->answer.this_update_s - OCSP_SKEW_S) {
		return E_AGAIN;
	}
	*answer = entry->answer;
	return E_OK;
}

int status_ask(struct status_desk *desk, const struct service *service, struct slice leaf,
               struct slice issuer, int64_t now_s, struct status_query *query,
               struct ocsp_answer *answer, const char **why)
{
	BUG_IF(query->question != NULL);
	const struct config_ocsp *config = &service->config->client.ocsp;
	char url[URL_BYTES_MAX];
	uint8_t key[STATUS_KEY_LEN];
	const char *name = choose(config, leaf, url);
	if (name == NULL) {
		*why = "no OCSP responder is known that may be asked";
		return E_NOT_FOUND;
	}
	if (make_key(key, service, leaf, issuer, url) != E_OK) {
		*why = "the question for the OCSP responder cannot be made";
		return E_NOT_FOUND;
	}
	int err = recall(desk, key, now_s, answer, why);
	if (err != E_AGAIN) {
		return err;
	}
	struct status_question *question = find_question(desk, key);
	if (question != NULL && question->late) {
		*why = "the OCSP responder did not answer in time";
		return E_NOT_FOUND;
	}
	if (question == NULL) {
		err = ask(&question, desk, service, leaf, issuer, key, url, name, why);
		if (err != E_OK) {
			return err;
		}
	}
	join(query, question);
	ev_timer_init(&query->patience, on_patience, (double)config->timeout_ms / 1e3, 0);
	query->patience.data = query;
	ev_timer_start(desk->loop, &query->patience);
	return E_AGAIN;
}

/* --- the desk --- */

int status_desk_new(struct status_desk **out, struct ev_loop *loop, struct fetcher *fetcher)
{
	struct status_desk *desk = calloc(1, sizeof(*desk));
	if (desk == NULL) {
		return E_NOMEM;
	}
	int err = status_cache_new(&desk->cache, STATUS_KEPT_MAX);
	if (err != E_OK) {
		free(desk);
		return err;
	}
	desk->loop = loop;
	desk->fetcher = fetcher;
	queue_init(&desk->arrived);
	ev_async_init(&desk->bell, on_bell);
	desk->bell.data = desk;
	ev_async_start(loop, &desk->bell);
	*out = desk;
	return E_OK;
}

void status_desk_free(struct status_desk **out)
{
	struct status_desk *desk = *out;
	*out = NULL;
	if (desk == NULL) {
		return;
	}
	struct queue_node *node;
	while ((node = queue_pop(&desk->arrived)) != NULL) {
		struct status_question *question = (struct status_question *)node;
		BUG_IF(question->first != NULL);
		close_question(desk, question);
		status_question_free(question);
	}
	BUG_IF(desk->question_count != 0);
	ev_async_stop(desk->loop, &desk->bell);
	queue_release(&desk->arrived);
	responders_release(&desk->responders);
	status_cache_free(&desk->cache);
	free(desk);
}
