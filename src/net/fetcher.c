#include "net/fetcher.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/err.h"

#define REDIRECTS_MAX 3L
#define HEAD_BYTES_MAX (64 << 10)
/* Long enough for two lost SYNs; what is to be quicker has a shorter timeout as a whole. */
#define CONNECT_MS_MAX 10000
/* Connections kept for the next fetch of the same server. */
#define KEPT_CONNECTIONS 16L
/* Nothing to do: as long as poll(2) takes. A submit rings. */
#define IDLE_MS 60000

struct transfer {
	struct fetch *fetch; /* NULL: this one is free */
	CURL *easy;
	struct curl_slist *headers;
	struct buf body;
	size_t head_bytes;
	bool head_too_large;
};

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

static void describe_timeout(struct fetch *fetch)
{
	fetch->err = E_TIMEOUT;
	snprintf(fetch->error, sizeof(fetch->error), "no whole answer within %llu ms",
	         (unsigned long long)fetch->timeout_ms);
}

static void describe_connect(struct fetch *fetch, CURL *easy)
{
	long number = 0;
	char text[64];
	curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &number);
	fetch->err = E_IO;
	snprintf(fetch->error, sizeof(fetch->error), "cannot connect%s%s", number == 0 ? "" : ": ",
	         number == 0 ? "" : strerror_r((int)number, text, sizeof(text)));
}

static void describe_body(struct fetch *fetch, int err)
{
	fetch->err = err;
	if (err == E_LIMIT) {
		snprintf(fetch->error, sizeof(fetch->error),
		         "the answer has more than the %zu bytes that are allowed",
		         fetch->max_bytes);
	} else {
		snprintf(fetch->error, sizeof(fetch->error), "%s", err_text(err));
	}
}

/* libcurl's own sentences say milliseconds, and what a server wrote: the same failure would be another one each time. */
static void describe(struct transfer *transfer, CURLcode code)
{
	struct fetch *fetch = transfer->fetch;
	const char *error = "";
	fetch->err = E_IO;
	switch (code) {
	case CURLE_OK:
		fetch->err = E_OK;
		break;
	case CURLE_OPERATION_TIMEDOUT:
		describe_timeout(fetch);
		return;
	case CURLE_COULDNT_CONNECT:
		describe_connect(fetch, transfer->easy);
		return;
	case CURLE_FILESIZE_EXCEEDED:
		describe_body(fetch, E_LIMIT);
		return;
	case CURLE_WRITE_ERROR:
		if (transfer->head_too_large) {
			fetch->err = E_LIMIT;
			error = "the head of the answer has more than 64 KiB";
		} else if (transfer->body.err != E_OK) {
			describe_body(fetch, transfer->body.err);
			return;
		} else {
			error = curl_easy_strerror(code);
		}
		break;
	case CURLE_OUT_OF_MEMORY:
		fetch->err = E_NOMEM;
		error = err_text(E_NOMEM);
		break;
	case CURLE_COULDNT_RESOLVE_HOST:
		error = "the name of the host cannot be resolved";
		break;
	case CURLE_UNSUPPORTED_PROTOCOL:
		error = "it leads to something else than http or https";
		break;
	case CURLE_TOO_MANY_REDIRECTS:
		error = "it is redirected too often";
		break;
	case CURLE_LOGIN_DENIED:
		error = "it leads to a URL with a user name";
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
		error = "the server's certificate does not verify";
		break;
	default:
		error = curl_easy_strerror(code);
		break;
	}
	snprintf(fetch->error, sizeof(fetch->error), "%s", error);
}

static void release(struct transfer *transfer)
{
	curl_easy_cleanup(transfer->easy); /* NULL is fine */
	curl_slist_free_all(transfer->headers);
	buf_release(&transfer->body);
	*transfer = (struct transfer){0};
}

/* Only once the handle has left the multi handle. */
static void end_transfer(struct fetcher *f, struct transfer *transfer)
{
	struct fetch *fetch = transfer->fetch;
	fetch->body = fetch->err == E_OK ? buf_slice(&transfer->body) : (struct slice){0};
	fetch->done(fetch);
	release(transfer);
	f->running--;
}

static void complete(struct fetcher *f, struct transfer *transfer, CURLcode code)
{
	struct fetch *fetch = transfer->fetch;
	curl_off_t modified = -1;
	describe(transfer, code);
	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &fetch->status);
	curl_easy_getinfo(transfer->easy, CURLINFO_FILETIME_T, &modified);
	fetch->last_modified_s = modified > 0 ? (int64_t)modified : 0;
	curl_multi_remove_handle(f->multi, transfer->easy);
	end_transfer(f, transfer);
}

/* --- its beginning --- */

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct transfer *transfer = arg;
	buf_append(&transfer->body, data, size * count);
	return transfer->body.err == E_OK ? size * count : 0;
}

/* libcurl bounds a line, but not how many of them there are. */
static size_t on_head(char *data, size_t size, size_t count, void *arg)
{
	(void)data;
	struct transfer *transfer = arg;
	transfer->head_bytes += size * count;
	transfer->head_too_large = transfer->head_bytes > HEAD_BYTES_MAX;
	return transfer->head_too_large ? 0 : size * count;
}

/* False: out of memory. */
static bool add_header(struct transfer *transfer, const char *name, const char *value)
{
	char line[256];
	int n = snprintf(line, sizeof(line), "%s:%s%s", name, value[0] == '\0' ? "" : " ", value);
	BUG_IF(n < 0 || (size_t)n >= sizeof(line)); /* media types and dates of ours */
	struct curl_slist *longer = curl_slist_append(transfer->headers, line);
	if (longer == NULL) {
		return false;
	}
	transfer->headers = longer;
	return true;
}

/* CURLOPT_TIMECONDITION would drop the body of a 200 whose Last-Modified it finds too old: what the server says counts. */
static bool add_condition(struct transfer *transfer, int64_t modified_s)
{
	/* RFC 9110 5.6.7: in English whatever the locale is. */
	static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
	                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t seconds = (time_t)modified_s;
	struct tm tm;
	char date[64];
	if (gmtime_r(&seconds, &tm) == NULL || tm.tm_year > 9999 - 1900) {
		return true;
	}
	snprintf(date, sizeof(date), "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday],
	         tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	return add_header(transfer, "If-Modified-Since", date);
}

static bool set_method(struct transfer *transfer)
{
	const struct fetch *fetch = transfer->fetch;
	CURL *easy = transfer->easy;
	bool fine = true;
	if (fetch->content_type != NULL) {
		fine = curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK && fine;
		fine = curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
		                        fetch->post.len == 0 ? "" : (const char *)fetch->post.data) ==
		               CURLE_OK &&
		       fine;
		fine = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
		                        (curl_off_t)fetch->post.len) == CURLE_OK &&
		       fine;
		/* A redirect does not make another question of it. */
		fine = curl_easy_setopt(easy, CURLOPT_POSTREDIR, (long)CURL_REDIR_POST_ALL) ==
		               CURLE_OK &&
		       fine;
		fine = fine && add_header(transfer, "Content-Type", fetch->content_type) &&
		       add_header(transfer, "Expect", ""); /* one round trip, not two */
	} else if (fetch->if_modified_since_s > 0) {
		fine = add_condition(transfer, fetch->if_modified_since_s);
	}
	if (fetch->accept != NULL) {
		fine = fine && add_header(transfer, "Accept", fetch->accept);
	}
	return fine && (transfer->headers == NULL ||
	                curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers) == CURLE_OK);
}

static bool set_options(struct transfer *transfer, uint64_t left_ms)
{
	CURL *easy = transfer->easy;
	long timeout_ms = left_ms > INT32_MAX ? INT32_MAX : (long)left_ms;
	long connect_ms = timeout_ms > CONNECT_MS_MAX ? CONNECT_MS_MAX : timeout_ms;
	bool fine = true;
#define SET(option, value) \
	(fine = curl_easy_setopt(easy, CURLOPT_##option, (value)) == CURLE_OK && fine)
	SET(URL, transfer->fetch->url);
	SET(PROTOCOLS_STR, "http,https");
	SET(REDIR_PROTOCOLS_STR, "http,https");
	SET(FOLLOWLOCATION, 1L);
	SET(MAXREDIRS, REDIRECTS_MAX);
	SET(DISALLOW_USERNAME_IN_URL, 1L);
	SET(PROXY, ""); /* not even from the environment */
	SET(NETRC, (long)CURL_NETRC_IGNORED);
	SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(USERAGENT, "tlscribe/" PACKAGE_VERSION);
	SET(NOSIGNAL, 1L);
	/* A name server that is silent keeps this transfer waiting, until its timeout, but not the thread: the look-up is left to itself. */
	SET(QUICK_EXIT, 1L);
	SET(TCP_KEEPALIVE, 1L);
	SET(TIMEOUT_MS, timeout_ms);
	SET(CONNECTTIMEOUT_MS, connect_ms);
	SET(MAXFILESIZE_LARGE, (curl_off_t)transfer->fetch->max_bytes);
	SET(FILETIME, 1L);
	SET(WRITEFUNCTION, on_body);
	SET(WRITEDATA, transfer);
	SET(HEADERFUNCTION, on_head);
	SET(HEADERDATA, transfer);
	SET(PRIVATE, transfer);
#undef SET
	return fine && set_method(transfer);
}

static void begin(struct fetcher *f, struct fetch *fetch)
{
	uint64_t now_ns = clock_mono_ns();
	if (fetch->due_ns <= now_ns) {
		describe_timeout(fetch);
		fetch->done(fetch);
		return;
	}
	struct transfer *transfer = f->transfers;
	while (transfer->fetch != NULL) {
		transfer++;
	}
	transfer->fetch = fetch;
	buf_init(&transfer->body, fetch->max_bytes);
	transfer->easy = curl_easy_init();
	if (transfer->easy == NULL ||
	    !set_options(transfer, (fetch->due_ns - now_ns + 999999) / 1000000) ||
	    curl_multi_add_handle(f->multi, transfer->easy) != CURLM_OK) {
		release(transfer);
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
			describe_timeout(fetch);
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
