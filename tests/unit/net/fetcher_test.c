/* Whatever a server does, each fetch ends once, in bounded time and memory, with an outcome that can be told from others. */
#include "net/fetcher.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "http_server.h"
#include "unit.h"

/* Nothing here lasts as long; a fetch that should end by itself and does not fails its test by E_TIMEOUT. */
#define LONG_MS 60000

/* --- fetches to wait for --- */

struct waiter {
	struct fetch fetch;
	char body[256]; /* its beginning */
	size_t body_len;
	unsigned calls;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news = PTHREAD_COND_INITIALIZER;

static void on_done(struct fetch *fetch)
{
	struct waiter *w = fetch->arg;
	pthread_mutex_lock(&lock);
	w->body_len = fetch->body.len;
	if (fetch->body.len > 0) {
		memcpy(w->body, fetch->body.data,
		       fetch->body.len < sizeof(w->body) ? fetch->body.len : sizeof(w->body));
	}
	w->calls++;
	pthread_cond_broadcast(&news);
	pthread_mutex_unlock(&lock);
}

static void wait_for(struct waiter *w)
{
	pthread_mutex_lock(&lock);
	while (w->calls == 0) {
		pthread_cond_wait(&news, &lock);
	}
	pthread_mutex_unlock(&lock);
}

static struct waiter asking(struct waiter *w, const char *url)
{
	return (struct waiter){.fetch = {.url = url,
	                                 .timeout_ms = LONG_MS,
	                                 .max_bytes = 1000,
	                                 .done = on_done,
	                                 .arg = w}};
}

static struct fetcher *start(void)
{
	struct fetcher *f = NULL;
	if (fetcher_start(&f) != E_OK) {
		abort();
	}
	return f;
}

static void fetch(struct fetcher *f, struct waiter *w, const char *url)
{
	*w = asking(w, url);
	fetcher_submit(f, &w->fetch);
	wait_for(w);
}

static bool body_is(const struct waiter *w, const char *text)
{
	return slice_equal(slice_of(w->body, w->body_len), slice_text(text));
}

/* --- the name server: silent about one name --- */

static bool silent = true; /* guarded by the lock, with `looking` */
static unsigned looking, looked;

/* In place of libc's, for libcurl, too. */
int getaddrinfo(const char *restrict node, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict found)
{
	if (node == NULL || strcmp(node, "silent.test") != 0) {
		int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
		void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
		memcpy(&next, &symbol, sizeof(next));
		return next(node, service, hints, found);
	}
	pthread_mutex_lock(&lock);
	looking++;
	while (silent) {
		pthread_cond_wait(&news, &lock);
	}
	looked++;
	pthread_cond_broadcast(&news);
	pthread_mutex_unlock(&lock);
	return EAI_AGAIN;
}

/* --- the server --- */

static char seen[4096]; /* the last head; read only once the answer is there */
static _Atomic unsigned at_once, at_once_max;

static void answer_redirect(struct http_server *server, int fd, const char *path)
{
	char header[600];
	if (strcmp(path, "/redirect/file") == 0) {
		snprintf(header, sizeof(header), "Location: file:///etc/hostname\r\n");
	} else if (strcmp(path, "/redirect/ftp") == 0) {
		snprintf(header, sizeof(header), "Location: ftp://127.0.0.1/\r\n");
	} else if (strcmp(path, "/redirect/user") == 0) {
		snprintf(header, sizeof(header), "Location: http://me:secret@127.0.0.1/\r\n");
	} else if (strcmp(path, "/redirect/0") == 0) {
		snprintf(header, sizeof(header), "Location: /echo\r\n");
	} else {
		snprintf(header, sizeof(header), "Location: /redirect/%lu\r\n",
		         strtoul(path + strlen("/redirect/"), NULL, 10) - 1);
	}
	(void)server;
	http_server_reply(fd, 301, header, SLICE("elsewhere"));
}

static void serve(struct http_server *server, int fd, const struct http_request *request, void *arg)
{
	(void)arg;
	static const char thousand_and_one[1001];
	pthread_mutex_lock(&lock);
	memcpy(seen, request->head, sizeof(seen));
	pthread_mutex_unlock(&lock);
	const char *path = request->path;
	if (strncmp(path, "/redirect/", 10) == 0) {
		answer_redirect(server, fd, path);
	} else if (strcmp(path, "/hang") == 0) {
		http_server_hang(server);
	} else if (strcmp(path, "/half") == 0) {
		http_server_write(fd, SLICE("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"));
		http_server_hang(server);
	} else if (strcmp(path, "/cut") == 0) {
		http_server_write(fd, SLICE("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"));
		shutdown(fd, SHUT_RDWR);
	} else if (strcmp(path, "/thousand") == 0) {
		http_server_reply(fd, 200, "", slice_of(thousand_and_one, 1000));
	} else if (strcmp(path, "/large") == 0) {
		http_server_reply(fd, 200, "", slice_of(thousand_and_one, 1001));
	} else if (strcmp(path, "/endless") == 0) {
		http_server_write(fd, SLICE("HTTP/1.1 200 OK\r\n\r\n"));
		for (int i = 0; i < 2; i++) {
			http_server_write(fd, slice_of(thousand_and_one, 1001));
		}
		http_server_hang(server);
	} else if (strcmp(path, "/heads") == 0) {
		http_server_write(fd, SLICE("HTTP/1.1 200 OK\r\n"));
		for (int i = 0; i < 3000; i++) {
			http_server_write(fd, SLICE("X-Filler: 012345678901234567890\r\n"));
		}
		http_server_hang(server);
	} else if (strcmp(path, "/nonsense") == 0) {
		http_server_write(fd, SLICE("no HTTP at all\r\n\r\n"));
		shutdown(fd, SHUT_RDWR);
	} else if (strcmp(path, "/missing") == 0) {
		http_server_reply(fd, 404, "", SLICE("not here"));
	} else if (strcmp(path, "/unchanged") == 0) {
		http_server_write(fd, SLICE("HTTP/1.1 304 Not Modified\r\n\r\n"));
	} else if (strcmp(path, "/dated") == 0) {
		http_server_reply(fd, 200, "Last-Modified: Sat, 21 Nov 2026 08:30:00 GMT\r\n",
		                  SLICE("dated"));
	} else {
		http_server_reply(fd, 200, "",
		                  request->body.len > 0 ? request->body : SLICE("hello"));
	}
}

static void serve_counting(struct http_server *server, int fd, const struct http_request *request,
                           void *arg)
{
	(void)request;
	unsigned now = atomic_fetch_add(&at_once, 1) + 1;
	unsigned most = atomic_load(&at_once_max);
	while (most < now && !atomic_compare_exchange_weak(&at_once_max, &most, now)) {
	}
	/* The first ones answer only when as many as may run are here. */
	http_server_wait_requests(server, *(const unsigned *)arg);
	atomic_fetch_sub(&at_once, 1);
	http_server_reply(fd, 200, "", SLICE("hello"));
}

/* --- tests --- */

static void a_get_brings_status_and_body(void)
{
	struct http_server *server = http_server_start(serve, NULL);
	struct fetcher *f = start();
	struct waiter w;
	fetch(f, &w, http_server_url(server, "/"));
	CU_ASSERT_EQUAL(w.fetch.err, E_OK);
	CU_ASSERT_EQUAL(w.fetch.status, 200);
	CU_ASSERT_EQUAL(w.fetch.last_modified_s, 0);
	CU_ASSERT_STRING_EQUAL(w.fetch.error, "");
	CU_ASSERT(body_is(&w, "hello"));
	CU_ASSERT_EQUAL(strncmp(seen, "GET / HTTP/1.1\r\n", 16), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(seen, "\r\nUser-Agent: tlscribe/" PACKAGE_VERSION "\r\n"));
	CU_ASSERT_PTR_NULL(strstr(seen, "Accept-Encoding"));
	fetch(f, &w, http_server_url(server, "/dated"));
	CU_ASSERT_EQUAL(w.fetch.last_modified_s, 1795249800);
	fetcher_stop(&f);
	http_server_stop(&server);
}

static void a_post_sends_its_bytes_and_their_type(void)
{
	struct http_server *server = http_server_start(serve, NULL);
	struct fetcher *f = start();
	struct waiter w;
	w = asking(&w, http_server_url(server, "/echo"));
	w.fetch.content_type = "application/ocsp-request";
	w.fetch.accept = "application/ocsp-response";
	w.fetch.post = SLICE("a\0b");
	fetcher_submit(f, &w.fetch);
	wait_for(&w);
	CU_ASSERT_EQUAL(w.fetch.err, E_OK);
	CU_ASSERT_EQUAL(w.body_len, 3);
	CU_ASSERT_EQUAL(memcmp(w.body, "a\0b", 3), 0);
	CU_ASSERT_EQUAL(strncmp(seen, "POST /echo HTTP/1.1\r\n", 21), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(seen, "\r\nContent-Type: application/ocsp-request\r\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(seen, "\r\nAccept: application/ocsp-response\r\n"));
	CU_ASSERT_PTR_NULL(strstr(seen, "Expect:"));
	fetcher_stop(&f);
	http_server_stop(&server);
}

static void a_redirected_post_stays_a_post(void)
{
	struct http_server *server = http_server_start(serve, NULL);
	struct fetcher *f = start();
	struct waiter w;
	w = asking(&w, http_server_url(server, "/redirect/2"));
	w.fetch.content_type = "text/plain";
	w.fetch.post = SLICE("question");
	fetcher_submit(f, &w.fetch);
	wait_for(&w);
	CU_ASSERT_EQUAL(w.fetch.err, E_OK);
	CU_ASSERT_EQUAL(w.fetch.status, 200);
	CU_ASSERT(body_is(&w, "question"));
	fetcher_stop(&f);
	http_server_stop(&server);
}

static void a_condition_is_sent_and_304_told(void)
{
	struct http_server *server = http_server_start(serve, NULL);
	struct fetcher *f = start();
	struct waiter w;
	w = asking(&w, http_server_url(server, "/unchanged"));
	w.fetch.if_modified_since_s = 1795249800;
	fetcher_submit(f, &w.fetch);
	wait_for(&w);
	CU_ASSERT_EQUAL(w.fetch.err, E_OK);
	CU_ASSERT_EQUAL(w.fetch.status, 304);
	CU_ASSERT_EQUAL(w.body_len, 0);
	/* RFC 9110 13.1.3, 5.6.7 */
	CU_ASSERT_PTR_NOT_NULL(
		strstr(seen, "\r\nIf-Modified-Since: Sat, 21 Nov 2026 08:30:00 GMT\r\n"));
	/* A server that answers all the same is believed, whatever date it has. */
	w = asking(&w, http_server_url(server, "/dated"));
	w.fetch.if_modified_since_s = 1795249800 + 86400;
	fetcher_submit(f, &w.fetch);
	wait_for(&w);
	CU_ASSERT_EQUAL(w.fetch.status, 200);
	CU_ASSERT(body_is(&w, "dated"));
	fetcher_stop(&f);
	http_server_stop(&server);
}

static void a_failing_status_is_an_answer(void)
{
	struct http_server *server = http_server_start(serve, NULL);
	struct fetcher *f = start();
	struct waiter w;
	fetch(f, &w, http_server_url(server, "/missing"));
	CU_ASSERT_EQUAL(w.fetch.err, E_OK);
	CU_ASSERT_EQUAL(w.fetch.status, 404);
	CU_ASSERT(body_is(&w, "not here"));
	fetcher_stop(&f);
	http_server_stop(&server);
}

static void three_redirects_are_followed_and_no_more(void)
{
	struct http_server *server = http_server_start(serve, NULL);
	struct fetcher *f = start();
	struct waiter w;
	fetch(f, &w, http_server_url(server, "/redirect/2"));
	CU_ASSERT_EQUAL(w.fetch.err, E_OK);
	CU_ASSERT_EQUAL(w.fetch.status, 200);
	CU_ASSERT(body_is(&w, "hello"));
	fetch(f, &w, http_server_url(server, "/redirect/3"));
	CU_ASSERT_EQUAL(w.fetch.err, E_IO);
	CU_ASSERT_STRING_EQUAL(w.fetch.error, "it is redirected too often");
	CU_ASSERT_EQUAL(w.body_len, 0);
	fetcher_stop(&f);
	http_server_stop(&server);
}

static void other_schemes_are_refused(void)
{
	static const char *const paths[] = {"/redirect/file", "/redirect/ftp"};
	struct http_server *server = http_server_start(serve, NULL);
	struct fetcher *f = start();
	struct waiter w;
	for (size_t i = 0; i < 2; i++) {
		fetch(f, &w, http_server_url(server, paths[i]));
		CU_ASSERT_EQUAL(w.fetch.err, E_IO);
		CU_ASSERT_STRING_EQUAL(w.fetch.error,
		                       "it leads to something else than http or https");
		CU_ASSERT_EQUAL(w.body_len, 0);
	}
	fetch(f, &w, "file:///etc/hostname");
	CU_ASSERT_EQUAL(w.fetch.err, E_IO);
	CU_ASSERT_EQUAL(w.body_len, 0);
	fetcher_stop(&f);
	http_server_stop(&server);
}

static void user_names_in_urls_are_refused_and_never_told(void)
{
	struct http_server *server = http_server_start(serve, NULL);
	struct fetcher *f = start();
	struct waiter w;
	fetch(f, &w, http_server_url(server, "/redirect/user"));
	CU_ASSERT_EQUAL(w.fetch.err, E_IO);
	CU_ASSERT_STRING_EQUAL(w.fetch.error, "it leads to a URL with a user name");
	fetcher_stop(&f);
	http_server_stop(&server);
}

static void a_proxy_of_the_environment_is_not_asked(void)
{
	struct http_server *server = http_server_start(serve, NULL);
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("all_proxy", "http://127.0.0.1:1", 1);
	struct fetcher *f = start();
	struct waiter w;
	fetch(f, &w, http_server_url(server, "/"));
	CU_ASSERT_EQUAL(w.fetch.err, E_OK);
	CU_ASSERT(body_is(&w, "hello"));
	fetcher_stop(&f);
	unsetenv("http_proxy");
	unsetenv("all_proxy");
	http_server_stop(&server);
}

static void a_body_beyond_the_limit_ends_the_fetch(void)
{
	static const char *const paths[] = {"/large", "/endless"};
	struct http_server *server = http_server_start(serve, NULL);
	struct fetcher *f = start();
	struct waiter w;
	fetch(f, &w, http_server_url(server, "/thousand"));
	CU_ASSERT_EQUAL(w.fetch.err, E_OK);
	CU_ASSERT_EQUAL(w.body_len, 1000);
	for (size_t i = 0; i < 2; i++) {
		fetch(f, &w, http_server_url(server, paths[i]));
		CU_ASSERT_EQUAL(w.fetch.err, E_LIMIT);
		CU_ASSERT_STRING_EQUAL(w.fetch.error,
		                       "the answer has more than the 1000 bytes that are allowed");
		CU_ASSERT_EQUAL(w.body_len, 0);
	}
	fetcher_stop(&f);
	http_server_stop(&server);
}

static void a_head_beyond_the_limit_ends_the_fetch(void)
{
	struct http_server *server = http_server_start(serve, NULL);
	struct fetcher *f = start();
	struct waiter w;
	fetch(f, &w, http_server_url(server, "/heads"));
	CU_ASSERT_EQUAL(w.fetch.err, E_LIMIT);
	CU_ASSERT_STRING_EQUAL(w.fetch.error, "the head of the answer has more than 64 KiB");
	fetcher_stop(&f);
	http_server_stop(&server);
}

static void a_server_that_hangs_is_left_at_the_timeout(void)
{
	static const char *const paths[] = {"/hang", "/half"};
	struct http_server *server = http_server_start(serve, NULL);
	struct fetcher *f = start();
	for (size_t i = 0; i < 2; i++) {
		struct waiter w;
		w = asking(&w, http_server_url(server, paths[i]));
		w.fetch.timeout_ms = 50;
		fetcher_submit(f, &w.fetch);
		wait_for(&w);
		CU_ASSERT_EQUAL(w.fetch.err, E_TIMEOUT);
		CU_ASSERT_STRING_EQUAL(w.fetch.error, "no whole answer within 50 ms");
		CU_ASSERT_EQUAL(w.body_len, 0);
	}
	fetcher_stop(&f);
	http_server_stop(&server);
}

static void answers_that_are_cut_or_no_http_fail(void)
{
	static const char *const paths[] = {"/cut", "/nonsense"};
	struct http_server *server = http_server_start(serve, NULL);
	struct fetcher *f = start();
	struct waiter w;
	for (size_t i = 0; i < 2; i++) {
		fetch(f, &w, http_server_url(server, paths[i]));
		CU_ASSERT_EQUAL(w.fetch.err, E_IO);
		CU_ASSERT_STRING_NOT_EQUAL(w.fetch.error, "");
		CU_ASSERT_EQUAL(w.body_len, 0);
	}
	fetcher_stop(&f);
	http_server_stop(&server);
}

static void a_refused_connection_is_told(void)
{
	/* Bound and not listening: nobody else gets this port meanwhile. */
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	CU_ASSERT_EQUAL_FATAL(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	char url[64];
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", ntohs(at.sin_port));
	struct fetcher *f = start();
	struct waiter w;
	fetch(f, &w, url);
	CU_ASSERT_EQUAL(w.fetch.err, E_IO);
	CU_ASSERT_STRING_EQUAL(w.fetch.error, "cannot connect: Connection refused");
	fetcher_stop(&f);
	close(fd);
}

static void what_is_no_url_fails(void)
{
	static const char *const urls[] = {"", "http://", "nonsense://host/", "http://[::1/"};
	struct fetcher *f = start();
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct waiter w;
		fetch(f, &w, urls[i]);
		CU_ASSERT_EQUAL(w.fetch.err, E_IO);
		CU_ASSERT_STRING_NOT_EQUAL(w.fetch.error, "");
	}
	fetcher_stop(&f);
}

static void a_connection_serves_the_next_fetch(void)
{
	struct http_server *server = http_server_start(serve, NULL);
	struct fetcher *f = start();
	struct waiter w;
	for (unsigned i = 0; i < 5; i++) {
		fetch(f, &w, http_server_url(server, "/"));
		CU_ASSERT_EQUAL(w.fetch.err, E_OK);
	}
	CU_ASSERT_EQUAL(http_server_requests(server), 5);
	CU_ASSERT_EQUAL(http_server_connections(server), 1);
	fetcher_stop(&f);
	http_server_stop(&server);
}

static void one_that_hangs_keeps_no_other_waiting(void)
{
	struct http_server *server = http_server_start(serve, NULL);
	struct fetcher *f = start();
	struct waiter hanging, w;
	hanging = asking(&hanging, http_server_url(server, "/hang"));
	fetcher_submit(f, &hanging.fetch);
	http_server_wait_requests(server, 1);
	fetch(f, &w, http_server_url(server, "/"));
	CU_ASSERT_EQUAL(w.fetch.err, E_OK);
	CU_ASSERT_EQUAL(hanging.calls, 0);
	fetcher_stop(&f);
	http_server_stop(&server);
}

static void a_silent_name_server_keeps_no_other_waiting(void)
{
	struct http_server *server = http_server_start(serve, NULL);
	struct fetcher *f = start();
	struct waiter w;
	w = asking(&w, "http://silent.test/");
	w.fetch.timeout_ms = 50;
	fetcher_submit(f, &w.fetch);
	wait_for(&w);
	CU_ASSERT_EQUAL(w.fetch.err, E_TIMEOUT);
	CU_ASSERT_EQUAL(looking, 1);
	fetch(f, &w, http_server_url(server, "/"));
	CU_ASSERT_EQUAL(w.fetch.err, E_OK);
	/* Nor the end of the program. */
	fetcher_stop(&f);
	pthread_mutex_lock(&lock);
	CU_ASSERT_EQUAL(looked, 0);
	silent = false;
	pthread_cond_broadcast(&news);
	while (looked < looking) {
		pthread_cond_wait(&news, &lock);
	}
	pthread_mutex_unlock(&lock);
	http_server_stop(&server);
}

static void many_run_at_once_and_the_rest_after_them(void)
{
	enum { MANY = FETCHER_RUNNING_MAX + 40 };
	static struct waiter w[MANY];
	unsigned together = FETCHER_RUNNING_MAX;
	atomic_store(&at_once, 0);
	atomic_store(&at_once_max, 0);
	struct http_server *server = http_server_start(serve_counting, &together);
	struct fetcher *f = start();
	const char *url = http_server_url(server, "/");
	for (unsigned i = 0; i < MANY; i++) {
		w[i] = asking(&w[i], url);
		fetcher_submit(f, &w[i].fetch);
	}
	for (unsigned i = 0; i < MANY; i++) {
		wait_for(&w[i]);
		CU_ASSERT_EQUAL(w[i].fetch.err, E_OK);
		CU_ASSERT_EQUAL(w[i].calls, 1);
	}
	/* Had fewer run at once, none of them would have been answered. */
	CU_ASSERT(atomic_load(&at_once_max) <= FETCHER_RUNNING_MAX);
	fetcher_stop(&f);
	http_server_stop(&server);
}

static void waiting_for_a_place_counts_as_time(void)
{
	static struct waiter w[FETCHER_RUNNING_MAX];
	struct http_server *server = http_server_start(serve, NULL);
	struct fetcher *f = start();
	const char *hang = http_server_url(server, "/hang");
	for (unsigned i = 0; i < FETCHER_RUNNING_MAX; i++) {
		w[i] = asking(&w[i], hang);
		fetcher_submit(f, &w[i].fetch);
	}
	struct waiter late;
	late = asking(&late, http_server_url(server, "/"));
	late.fetch.timeout_ms = 50;
	fetcher_submit(f, &late.fetch);
	wait_for(&late);
	CU_ASSERT_EQUAL(late.fetch.err, E_TIMEOUT);
	fetcher_stop(&f);
	http_server_stop(&server);
}

static void a_stop_ends_what_runs_and_what_waits(void)
{
	enum { MANY = FETCHER_RUNNING_MAX + 10 };
	static struct waiter w[MANY];
	struct http_server *server = http_server_start(serve, NULL);
	struct fetcher *f = start();
	const char *url = http_server_url(server, "/half");
	for (unsigned i = 0; i < MANY; i++) {
		w[i] = asking(&w[i], url);
		fetcher_submit(f, &w[i].fetch);
	}
	http_server_wait_requests(server, 1);
	fetcher_stop(&f);
	CU_ASSERT_PTR_NULL(f);
	for (unsigned i = 0; i < MANY; i++) {
		CU_ASSERT_EQUAL(w[i].calls, 1);
		CU_ASSERT_EQUAL(w[i].fetch.err, E_END);
		CU_ASSERT_STRING_EQUAL(w[i].fetch.error, "stopped");
		CU_ASSERT_EQUAL(w[i].body_len, 0);
	}
	http_server_stop(&server);
	fetcher_stop(&f);
}

static const struct unit_test tests[] = {
	{"a GET brings status and body", a_get_brings_status_and_body},
	{"a POST sends its bytes and their type", a_post_sends_its_bytes_and_their_type},
	{"a redirected POST stays a POST", a_redirected_post_stays_a_post},
	{"a condition is sent, and 304 told", a_condition_is_sent_and_304_told},
	{"a failing status is an answer", a_failing_status_is_an_answer},
	{"three redirects are followed and no more", three_redirects_are_followed_and_no_more},
	{"schemes other than http and https are refused", other_schemes_are_refused},
	{"user names in URLs are refused, and never told",
         user_names_in_urls_are_refused_and_never_told},
	{"a proxy of the environment is not asked", a_proxy_of_the_environment_is_not_asked},
	{"a body beyond the limit ends the fetch", a_body_beyond_the_limit_ends_the_fetch},
	{"a head beyond the limit ends the fetch", a_head_beyond_the_limit_ends_the_fetch},
	{"a server that hangs is left at the timeout", a_server_that_hangs_is_left_at_the_timeout},
	{"answers that are cut, or no HTTP, fail", answers_that_are_cut_or_no_http_fail},
	{"a refused connection is told", a_refused_connection_is_told},
	{"what is no URL fails", what_is_no_url_fails},
	{"a connection serves the next fetch", a_connection_serves_the_next_fetch},
	{"one that hangs keeps no other waiting", one_that_hangs_keeps_no_other_waiting},
	{"a silent name server keeps no other waiting", a_silent_name_server_keeps_no_other_waiting},
	{"many run at once, and the rest after them", many_run_at_once_and_the_rest_after_them},
	{"waiting for a place counts as time", waiting_for_a_place_counts_as_time},
	{"a stop ends what runs and what waits", a_stop_ends_what_runs_and_what_waits},
};

UNIT_MAIN("net/fetcher", tests)
