#include "net/fetcher.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/err.h"
#include "net/fetcher_transfer.h"

/* Connections kept for the next fetch of the same server. */
#define KEPT_CONNECTIONS 16L
/* Nothing to do: as long as poll(2) takes. A submit rings. */
#define IDLE_MS 60000

struct fetcher {
	pthread_t thread;
	CURLM *multi;
	_Atomic bool stop;
	struct queue submitted;
	/* of the thread alone */
	struct queue_node *waiting, *waiting_last;
	unsigned running;
	struct transfer transfers[FETCHER_RUNNING_MAX];
};

/* --- the end of a fetch --- */

static void finish(struct fetch *fetch, int err, const char *error)
{
	fetch->err = err;
	snprintf(fetch->error, sizeof(fetch->error), "%s", error);
	fetch->done(fetch);
}

/* Only once the handle has left the multi handle. */
static void end_transfer(struct fetcher *f, struct transfer *transfer)
{
	struct fetch *fetch = transfer->fetch;
	fetch->body = fetch->err == E_OK ? buf_slice(&transfer->body) : (struct slice){0};
	fetch->done(fetch);
	transfer_release(transfer);
	f->running--;
}

static void complete(struct fetcher *f, struct transfer *transfer, CURLcode code)
{
	transfer_describe(transfer, code);
	curl_multi_remove_handle(f->multi, transfer->easy);
	end_transfer(f, transfer);
}

/* --- its beginning --- */

static void begin(struct fetcher *f, struct fetch *fetch)
{
	uint64_t now_ns = clock_mono_ns();
	if (fetch->due_ns <= now_ns) {
		transfer_describe_timeout(fetch);
		fetch->done(fetch);
		return;
	}
	struct transfer *transfer = f->transfers;
	while (transfer->fetch != NULL) {
		transfer++;
	}
	if (!transfer_init(transfer, fetch, (fetch->due_ns - now_ns + 999999) / 1000000)) {
		finish(fetch, E_NOMEM, err_text(E_NOMEM));
		return;
	}
	if (curl_multi_add_handle(f->multi, transfer->easy) != CURLM_OK) {
		transfer_release(transfer);
		finish(fetch, E_NOMEM, err_text(E_NOMEM));
		return;
	}
	f->running++;
}

/* --- the thread --- */

static void take_submitted(struct fetcher *f)
{
	struct queue_node *node;
	while ((node = queue_pop(&f->submitted)) != NULL) {
		node->next = NULL;
		if (f->waiting == NULL) {
			f->waiting = node;
		} else {
			f->waiting_last->next = node;
		}
		f->waiting_last = node;
	}
}

static struct fetch *take_waiting(struct fetcher *f)
{
	struct queue_node *node = f->waiting;
	if (node != NULL) {
		f->waiting = node->next;
	}
	return (struct fetch *)node;
}

static void begin_waiting(struct fetcher *f)
{
	while (f->running < FETCHER_RUNNING_MAX && f->waiting != NULL) {
		begin(f, take_waiting(f));
	}
}

/* Those whose time went by while they waited; returns how long the next of them has. */
static int expire_waiting(struct fetcher *f)
{
	uint64_t now_ns = clock_mono_ns(), first_ns = UINT64_MAX;
	struct queue_node **link = &f->waiting;
	f->waiting_last = NULL;
	while (*link != NULL) {
		struct fetch *fetch = (struct fetch *)*link;
		if (fetch->due_ns <= now_ns) {
			*link = fetch->node.next;
			transfer_describe_timeout(fetch);
			fetch->done(fetch);
			continue;
		}
		first_ns = fetch->due_ns < first_ns ? fetch->due_ns : first_ns;
		f->waiting_last = *link;
		link = &fetch->node.next;
	}
	uint64_t left_ms = first_ns == UINT64_MAX ? IDLE_MS : (first_ns - now_ns) / 1000000 + 1;
	return left_ms < IDLE_MS ? (int)left_ms : IDLE_MS;
}

static void complete_all(struct fetcher *f)
{
	CURLMsg *message;
	int left;
	while ((message = curl_multi_info_read(f->multi, &left)) != NULL) {
		if (message->msg == CURLMSG_DONE) {
			struct transfer *transfer = NULL;
			curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE,
			                  (char **)&transfer);
			complete(f, transfer, message->data.result);
		}
	}
}

static void stop_all(struct fetcher *f)
{
	for (size_t i = 0; i < FETCHER_RUNNING_MAX; i++) {
		struct transfer *transfer = &f->transfers[i];
		if (transfer->fetch != NULL) {
			curl_multi_remove_handle(f->multi, transfer->easy);
			transfer->fetch->err = E_END;
			snprintf(transfer->fetch->error, sizeof(transfer->fetch->error), "stopped");
			end_transfer(f, transfer);
		}
	}
	take_submitted(f);
	struct fetch *fetch;
	while ((fetch = take_waiting(f)) != NULL) {
		finish(fetch, E_END, "stopped");
	}
}

static void *run(void *arg)
{
	struct fetcher *f = arg;
	while (!atomic_load(&f->stop)) {
		take_submitted(f);
		begin_waiting(f);
		int running;
		CURLMcode code = curl_multi_perform(f->multi, &running);
		complete_all(f);
		/* Places may have become free: no need to wait for anything then. */
		begin_waiting(f);
		int timeout_ms = expire_waiting(f);
		if (code == CURLM_OK) {
			code = curl_multi_poll(f->multi, NULL, 0, timeout_ms, NULL);
		}
		if (code != CURLM_OK) {
			poll(NULL, 0, 100); /* out of memory: again, but not at full speed */
		}
	}
	stop_all(f);
	return NULL;
}

/* --- from outside --- */

int fetcher_start(struct fetcher **out)
{
	struct fetcher *f = calloc(1, sizeof(*f));
	if (f == NULL) {
		return E_NOMEM;
	}
	int err = E_IO;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		goto free_fetcher;
	}
	f->multi = curl_multi_init();
	if (f->multi == NULL) {
		err = E_NOMEM;
		goto end_curl;
	}
	curl_multi_setopt(f->multi, CURLMOPT_MAXCONNECTS, KEPT_CONNECTIONS);
	queue_init(&f->submitted);
	/* Signals are the main thread's. */
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int ret = pthread_create(&f->thread, NULL, run, f);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret != 0) {
		err = E_LIMIT;
		goto release_queue;
	}
	pthread_setname_np(f->thread, "fetcher");
	*out = f;
	return E_OK;

release_queue:
	queue_release(&f->submitted);
	curl_multi_cleanup(f->multi);
end_curl:
	curl_global_cleanup();
free_fetcher:
	free(f);
	return err;
}

void fetcher_stop(struct fetcher **fetcher)
{
	struct fetcher *f = *fetcher;
	*fetcher = NULL;
	if (f == NULL) {
		return;
	}
	atomic_store(&f->stop, true);
	curl_multi_wakeup(f->multi);
	pthread_join(f->thread, NULL);
	stop_all(f); /* what came while the thread was on its way out */
	curl_multi_cleanup(f->multi);
	queue_release(&f->submitted);
	curl_global_cleanup();
	free(f);
}

void fetcher_submit(struct fetcher *fetcher, struct fetch *fetch)
{
	BUG_IF(fetch->timeout_ms == 0);
	fetch->due_ns = clock_mono_ns() + fetch->timeout_ms * 1000000;
	fetch->err = E_OK;
	fetch->status = 0;
	fetch->body = (struct slice){0};
	fetch->last_modified_s = 0;
	fetch->error[0] = '\0';
	queue_push(&fetcher->submitted, &fetch->node);
	curl_multi_wakeup(fetcher->multi);
}
