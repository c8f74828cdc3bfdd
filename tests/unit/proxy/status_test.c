/* Answers are shared and kept as long as they are current, and no responder can make handshakes wait for more than their timeout.
 *
 * The responder is a real HTTP server; what it says is read by a peer/ocsp of the test's own, and so is the time. */
#include "proxy/status.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../net/http_server.h"
#include "base/clock.h"
#include "base/err.h"
#include "proxy/status_cache.h"
#include "proxy/status_responder.h"
#include "unit.h"

#define NOW 1800000000

/* --- the clocks --- */

static _Atomic uint64_t ahead_ns;

uint64_t clock_mono_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec + atomic_load(&ahead_ns);
}

int64_t clock_wall_us(void)
{
	return (int64_t)NOW * 1000000;
}

static void let_pass_ms(uint64_t ms)
{
	atomic_fetch_add(&ahead_ns, ms * 1000000);
}

/* --- peer/ocsp: a certificate is a text, "name" or "name@URL of its AIA"; an answer is "good 500", current for 500 s --- */

int ocsp_id(struct ocsp_id *out, struct slice leaf, struct slice issuer)
{
	*out = (struct ocsp_id){0};
	(void)issuer;
	if (slice_equal(leaf, SLICE("unreadable"))) {
		return E_INVALID;
	}
	memcpy(out->sha256, leaf.data, leaf.len < 32 ? leaf.len : 32);
	return E_OK;
}

int ocsp_request(struct buf *out, struct slice leaf, struct slice issuer, const uint8_t *nonce)
{
	buf_append_slice(out, leaf);
	buf_append_byte(out, '/');
	buf_append_slice(out, issuer);
	if (nonce != NULL) {
		buf_append_byte(out, '/');
		buf_append_hex(out, slice_of(nonce, OCSP_NONCE_BYTES), false);
	}
	return out->err;
}

int ocsp_read(struct ocsp_answer *out, struct slice response, struct slice leaf, struct slice issuer,
              const uint8_t *nonce, enum profile profile, int64_t now_s, const char **why)
{
	char text[512] = "", word[16] = "", nonce_text[2 * OCSP_NONCE_BYTES + 1] = "";
	long seconds = 0;
	(void)profile;
	CU_ASSERT_FATAL(response.len < sizeof(text));
	CU_ASSERT(slice_equal(issuer, SLICE("issuer")));
	CU_ASSERT(leaf.len > 0);
	memcpy(text, response.data, response.len);
	*out = (struct ocsp_answer){.this_update_s = now_s};
	if (sscanf(text, "%15s %ld %64s", word, &seconds, nonce_text) < 2) {
		*why = "no OCSP answer";
		return E_INVALID;
	}
	if (nonce != NULL) {
		char expected[2 * OCSP_NONCE_BYTES + 1];
		struct buf hex;
		buf_init_fixed(&hex, expected, sizeof(expected));
		buf_append_hex(&hex, slice_of(nonce, OCSP_NONCE_BYTES), false);
		buf_append_byte(&hex, '\0');
		CU_ASSERT_STRING_EQUAL(nonce_text, expected);
	}
	out->status = strcmp(word, "good") == 0      ? REVOCATION_GOOD
	              : strcmp(word, "revoked") == 0 ? REVOCATION_REVOKED
	                                             : REVOCATION_UNKNOWN;
	out->until_s = now_s + seconds;
	return E_OK;
}

bool ocsp_url(char *out, size_t cap, struct slice leaf)
{
	const char *at = memchr(leaf.data, '@', leaf.len);
	size_t len = at == NULL ? 0 : leaf.len - (size_t)(at + 1 - (const char *)leaf.data);
	if (at == NULL || len >= cap) {
		return false;
	}
	memcpy(out, at + 1, len);
	out[len] = '\0';
	return true;
}

/* --- the responder --- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news = PTHREAD_COND_INITIALIZER;
static bool gate_closed; /* guarded by the lock, with `failing` and `asked` */
static bool failing;
static char asked[4][512]; /* the last requests: bodies, the newest first */
static char asked_head[4096];

static void set(bool *what, bool value)
{
	pthread_mutex_lock(&lock);
	*what = value;
	pthread_cond_broadcast(&news);
	pthread_mutex_unlock(&lock);
}

/* "good-1", "good-2": each certificate's name is its answer. */
static void serve(struct http_server *server, int fd, const struct http_request *request, void *arg)
{
	(void)arg;
	char answer[256], text[512] = "";
	const char *nonce = "";
	memcpy(text, request->body.data,
	       request->body.len < sizeof(text) - 1 ? request->body.len : sizeof(text) - 1);
	pthread_mutex_lock(&lock);
	memmove(asked[1], asked[0], sizeof(asked) - sizeof(asked[0]));
	memcpy(asked[0], text, sizeof(text));
	memcpy(asked_head, request->head, sizeof(asked_head));
	while (gate_closed) {
		pthread_cond_wait(&news, &lock);
	}
	bool fail = failing;
	pthread_mutex_unlock(&lock);
	if (strncmp(text, "hang", 4) == 0) {
		http_server_hang(server);
		return;
	}
	if (strrchr(text, '/') != strchr(text, '/')) {
		nonce = strrchr(text, '/') + 1;
	}
	const char *word = strncmp(text, "good", 4) == 0      ? "good"
	                   : strncmp(text, "revoked", 7) == 0 ? "revoked"
	                   : strncmp(text, "unknown", 7) == 0 ? "unknown"
	                                                      : "nonsense";
	snprintf(answer, sizeof(answer), "%s 500 %s", word, nonce);
	http_server_reply(fd, fail ? 503 : 200, "",
	                  strcmp(word, "nonsense") == 0 ? slice_text(word) : slice_text(answer));
}

/* --- who asks --- */

struct asker {
	struct status_query query;
	struct status_desk *desk;
	unsigned calls;
	bool has_answer;
	struct ocsp_answer answer;
	const char *why;
	struct asker *cancels; /* when it is told */
};

struct scene {
	struct http_server *server;
	struct ev_loop *loop;
	struct fetcher *fetcher;
	struct status_desk *desk;
	struct config_service config;
	struct service service;
	char responder[128];
};

static void on_answered(void *owner, const struct ocsp_answer *answer, const char *why)
{
	struct asker *asker = owner;
	asker->calls++;
	asker->has_answer = answer != NULL;
	asker->answer = answer == NULL ? (struct ocsp_answer){0} : *answer;
	asker->why = why;
	if (asker->cancels != NULL) {
		status_cancel(asker->desk, &asker->cancels->query);
	}
}

static void begin(struct scene *s)
{
	*s = (struct scene){0};
	gate_closed = failing = false;
	s->server = http_server_start(serve, NULL);
	s->loop = ev_loop_new(EVFLAG_NOENV);
	snprintf(s->responder, sizeof(s->responder), "%s", http_server_url(s->server, "/ocsp"));
	s->config.client.ocsp.responder.text = s->responder;
	s->config.client.ocsp.timeout_ms = 60000;
	s->config.client.profile = PROFILE_MEDIUM;
	s->service.config = &s->config;
	if (fetcher_start(&s->fetcher) != E_OK ||
	    status_desk_new(&s->desk, s->loop, s->fetcher) != E_OK) {
		abort();
	}
}

static void end(struct scene *s)
{
	set(&gate_closed, false);
	fetcher_stop(&s->fetcher);
	status_desk_free(&s->desk);
	CU_ASSERT_PTR_NULL(s->desk);
	ev_loop_destroy(s->loop);
	http_server_stop(&s->server);
}

static int ask_at(struct scene *s, struct asker *asker, const char *leaf, int64_t now_s)
{
	*asker = (struct asker){.query = {.answered = on_answered, .owner = asker}, .desk = s->desk};
	return status_ask(s->desk, &s->service, slice_text(leaf), SLICE("issuer"), now_s,
	                  &asker->query, &asker->answer, &asker->why);
}

static int ask(struct scene *s, struct asker *asker, const char *leaf)
{
	return ask_at(s, asker, leaf, NOW);
}

static void wait_for(struct scene *s, const struct asker *asker)
{
	while (asker->calls == 0) {
		ev_run(s->loop, EVRUN_ONCE);
	}
}

/* Asks, waits if need be, and says whether there was an answer. */
static bool learns(struct scene *s, struct asker *asker, const char *leaf)
{
	int err = ask(s, asker, leaf);
	if (err == E_AGAIN) {
		wait_for(s, asker);
		return asker->has_answer;
	}
	return err == E_OK;
}

/* --- tests --- */

static void an_answer_is_asked_for_once_and_kept(void)
{
	struct scene s;
	struct asker a;
	begin(&s);
	CU_ASSERT_EQUAL(ask(&s, &a, "good"), E_AGAIN);
	CU_ASSERT_EQUAL(a.calls, 0);
	wait_for(&s, &a);
	CU_ASSERT_EQUAL(a.calls, 1);
	CU_ASSERT(a.has_answer);
	CU_ASSERT_EQUAL(a.answer.status, REVOCATION_GOOD);
	CU_ASSERT_EQUAL(a.answer.until_s, NOW + 500);
	CU_ASSERT_STRING_EQUAL(asked[0], "good/issuer");
	/* RFC 6960 A.1 */
	CU_ASSERT_EQUAL(strncmp(asked_head, "POST /ocsp HTTP/1.1\r\n", 21), 0);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(asked_head, "\r\nContent-Type: application/ocsp-request\r\n"));
	CU_ASSERT_EQUAL(ask(&s, &a, "good"), E_OK);
	CU_ASSERT_EQUAL(a.answer.status, REVOCATION_GOOD);
	CU_ASSERT(learns(&s, &a, "revoked"));
	CU_ASSERT_EQUAL(a.answer.status, REVOCATION_REVOKED);
	CU_ASSERT_EQUAL(http_server_requests(s.server), 2);
	end(&s);
}

static void many_who_ask_the_same_share_one_question(void)
{
	struct scene s;
	struct asker a[10];
	begin(&s);
	for (size_t i = 0; i < 10; i++) {
		CU_ASSERT_EQUAL(ask(&s, &a[i], "good"), E_AGAIN);
	}
	for (size_t i = 0; i < 10; i++) {
		wait_for(&s, &a[i]);
		CU_ASSERT_EQUAL(a[i].calls, 1);
		CU_ASSERT(a[i].has_answer);
	}
	CU_ASSERT_EQUAL(http_server_requests(s.server), 1);
	end(&s);
}

static void who_cancels_is_not_told(void)
{
	struct scene s;
	struct asker first, middle, last;
	begin(&s);
	ask(&s, &first, "good");
	ask(&s, &middle, "good");
	ask(&s, &last, "good");
	status_cancel(s.desk, &middle.query);
	status_cancel(s.desk, &middle.query);
	/* And so is one that another one cancels while it is told. */
	last.cancels = &first;
	first.cancels = &last;
	while (first.calls + last.calls == 0) {
		ev_run(s.loop, EVRUN_ONCE);
	}
	CU_ASSERT_EQUAL(first.calls + last.calls, 1);
	CU_ASSERT_EQUAL(middle.calls, 0);
	end(&s);
}

static void an_answer_that_nobody_waits_for_is_kept(void)
{
	struct scene s;
	struct asker a, other;
	begin(&s);
	ask(&s, &a, "good");
	status_cancel(s.desk, &a.query);
	/* One connection, one after the other: the first answer is there before the second. */
	CU_ASSERT_EQUAL(ask(&s, &other, "good"), E_AGAIN);
	wait_for(&s, &other);
	CU_ASSERT_EQUAL(a.calls, 0);
	CU_ASSERT_EQUAL(ask(&s, &a, "good"), E_OK);
	CU_ASSERT_EQUAL(http_server_requests(s.server), 1);
	end(&s);
}

static void an_answer_counts_between_its_two_ends_alone(void)
{
	struct scene s;
	struct asker a;
	begin(&s);
	CU_ASSERT(learns(&s, &a, "good"));
	CU_ASSERT_EQUAL(ask_at(&s, &a, "good", NOW + 499), E_OK);
	CU_ASSERT_EQUAL(ask_at(&s, &a, "good", NOW - OCSP_SKEW_S), E_OK);
	CU_ASSERT_EQUAL(http_server_requests(s.server), 1);
	CU_ASSERT_EQUAL(ask_at(&s, &a, "good", NOW + 500), E_AGAIN);
	wait_for(&s, &a);
	CU_ASSERT_EQUAL(ask_at(&s, &a, "good", NOW - OCSP_SKEW_S - 1), E_AGAIN);
	wait_for(&s, &a);
	CU_ASSERT_EQUAL(http_server_requests(s.server), 3);
	end(&s);
}

static void that_nobody_knows_it_is_kept_for_a_minute(void)
{
	struct scene s;
	struct asker a;
	begin(&s);
	CU_ASSERT(learns(&s, &a, "unknown"));
	CU_ASSERT_EQUAL(a.answer.status, REVOCATION_UNKNOWN);
	CU_ASSERT_EQUAL(ask_at(&s, &a, "unknown", NOW + STATUS_UNKNOWN_S - 1), E_OK);
	CU_ASSERT_EQUAL(ask_at(&s, &a, "unknown", NOW + STATUS_UNKNOWN_S), E_AGAIN);
	wait_for(&s, &a);
	end(&s);
}

static void what_failed_is_left_alone_for_some_seconds(void)
{
	struct scene s;
	struct asker a;
	begin(&s);
	failing = true;
	CU_ASSERT_FALSE(learns(&s, &a, "good"));
	CU_ASSERT_STRING_EQUAL(a.why,
	                       "the OCSP responder answered with another HTTP status than 200");
	CU_ASSERT_FALSE(learns(&s, &a, "nonsense"));
	CU_ASSERT_EQUAL(http_server_requests(s.server), 2);
	set(&failing, false);
	CU_ASSERT_EQUAL(ask(&s, &a, "good"), E_NOT_FOUND);
	CU_ASSERT_STRING_EQUAL(a.why,
	                       "the OCSP responder answered with another HTTP status than 200");
	let_pass_ms(STATUS_RETRY_MS);
	CU_ASSERT(learns(&s, &a, "good"));
	CU_ASSERT_FALSE(learns(&s, &a, "nonsense"));
	CU_ASSERT_STRING_EQUAL(a.why, "no OCSP answer");
	CU_ASSERT_EQUAL(ask(&s, &a, "nonsense"), E_NOT_FOUND);
	CU_ASSERT_STRING_EQUAL(a.why, "no OCSP answer");
	CU_ASSERT_EQUAL(http_server_requests(s.server), 4);
	end(&s);
}

static void a_silent_responder_costs_one_timeout(void)
{
	struct scene s;
	struct asker a, b;
	begin(&s);
	s.config.client.ocsp.timeout_ms = 20;
	gate_closed = true;
	CU_ASSERT_EQUAL(ask(&s, &a, "good"), E_AGAIN);
	wait_for(&s, &a);
	CU_ASSERT_FALSE(a.has_answer);
	CU_ASSERT_STRING_EQUAL(a.why, "the OCSP responder did not answer in time");
	/* Nobody else waits for this one ... */
	CU_ASSERT_EQUAL(ask(&s, &b, "good"), E_NOT_FOUND);
	CU_ASSERT_STRING_EQUAL(b.why, "the OCSP responder did not answer in time");
	/* ... but when it is there after all, it counts. */
	set(&gate_closed, false);
	while (ask(&s, &b, "good") == E_NOT_FOUND) {
		ev_run(s.loop, EVRUN_ONCE);
	}
	CU_ASSERT_EQUAL(ask(&s, &b, "good"), E_OK);
	CU_ASSERT_EQUAL(http_server_requests(s.server), 1);
	end(&s);
}

static void a_responder_that_is_down_is_asked_one_question_at_a_time(void)
{
	struct scene s;
	struct asker a, b;
	begin(&s);
	failing = true;
	CU_ASSERT_FALSE(learns(&s, &a, "good-1"));
	CU_ASSERT_FALSE(learns(&s, &a, "good-2"));
	CU_ASSERT_FALSE(learns(&s, &a, "good-3"));
	CU_ASSERT_EQUAL(http_server_requests(s.server), STATUS_FAILURES_MAX);
	CU_ASSERT_EQUAL(ask(&s, &a, "good-4"), E_NOT_FOUND);
	CU_ASSERT_STRING_EQUAL(a.why, "the OCSP responder failed several times in a row");
	let_pass_ms(STATUS_RETRY_MS);
	CU_ASSERT_EQUAL(ask(&s, &a, "good-4"), E_AGAIN);
	CU_ASSERT_EQUAL(ask(&s, &b, "good-5"), E_NOT_FOUND);
	wait_for(&s, &a);
	CU_ASSERT_EQUAL(ask(&s, &b, "good-5"), E_NOT_FOUND);
	CU_ASSERT_EQUAL(http_server_requests(s.server), STATUS_FAILURES_MAX + 1);
	let_pass_ms(STATUS_RETRY_MS);
	set(&failing, false);
	CU_ASSERT(learns(&s, &a, "good-4"));
	CU_ASSERT_EQUAL(ask(&s, &a, "good-5"), E_AGAIN);
	CU_ASSERT_EQUAL(ask(&s, &b, "good-6"), E_AGAIN);
	wait_for(&s, &a);
	wait_for(&s, &b);
	end(&s);
}

static void silence_counts_as_a_failure_of_the_responder(void)
{
	static const char *const leaves[STATUS_FAILURES_MAX] = {"hang-1", "hang-2", "hang-3"};
	struct scene s;
	struct asker a[STATUS_FAILURES_MAX], b;
	begin(&s);
	s.config.client.ocsp.timeout_ms = 20;
	for (size_t i = 0; i < STATUS_FAILURES_MAX; i++) {
		CU_ASSERT_FALSE(learns(&s, &a[i], leaves[i]));
	}
	CU_ASSERT_EQUAL(ask(&s, &b, "good"), E_NOT_FOUND);
	CU_ASSERT_STRING_EQUAL(b.why, "the OCSP responder failed several times in a row");
	end(&s);
}

static void a_refusal_about_one_certificate_is_no_failure_of_the_responder(void)
{
	static const char *const leaves[] = {"nonsense-1", "nonsense-2", "nonsense-3", "nonsense-4"};
	struct scene s;
	struct asker a;
	begin(&s);
	for (size_t i = 0; i < 4; i++) {
		CU_ASSERT_FALSE(learns(&s, &a, leaves[i]));
		CU_ASSERT_STRING_EQUAL(a.why, "no OCSP answer");
	}
	CU_ASSERT(learns(&s, &a, "good"));
	end(&s);
}

static void an_answer_for_other_rules_is_not_taken(void)
{
	struct scene s;
	struct asker a;
	begin(&s);
	CU_ASSERT(learns(&s, &a, "good"));
	s.config.client.profile = PROFILE_HIGH;
	CU_ASSERT_EQUAL(ask(&s, &a, "good"), E_AGAIN);
	wait_for(&s, &a);
	s.config.client.ocsp.nonce = true;
	CU_ASSERT_EQUAL(ask(&s, &a, "good"), E_AGAIN);
	wait_for(&s, &a);
	CU_ASSERT(a.has_answer);
	char other[160];
	snprintf(other, sizeof(other), "%s", http_server_url(s.server, "/other"));
	s.config.client.ocsp.responder.text = other;
	CU_ASSERT_EQUAL(ask(&s, &a, "good"), E_AGAIN);
	wait_for(&s, &a);
	CU_ASSERT_EQUAL(http_server_requests(s.server), 4);
	/* RFC 8954: another nonce each time. */
	CU_ASSERT_EQUAL(strlen(asked[0]), strlen("good/issuer/") + 64);
	CU_ASSERT_EQUAL(strlen(asked[1]), strlen("good/issuer/") + 64);
	CU_ASSERT_STRING_NOT_EQUAL(asked[0], asked[1]);
	end(&s);
}

static void what_a_certificate_names_is_asked_if_allowed(void)
{
	struct scene s;
	struct asker a;
	struct config_text prefix = {0};
	char text[128], leaf[256];
	begin(&s);
	snprintf(text, sizeof(text), "%s", http_server_url(s.server, "/of-the-ca/"));
	snprintf(leaf, sizeof(leaf), "good@%ssub", text);
	s.config.client.ocsp.responder.text = NULL;
	CU_ASSERT_EQUAL(ask(&s, &a, leaf), E_NOT_FOUND);
	CU_ASSERT_STRING_EQUAL(a.why, "no OCSP responder is known that may be asked");
	s.config.client.ocsp.aia = (struct config_texts){.items = &prefix, .count = 1};
	prefix.text = (char *)"http://127.0.0.1/";
	CU_ASSERT_EQUAL(ask(&s, &a, leaf), E_NOT_FOUND);
	CU_ASSERT_EQUAL(http_server_requests(s.server), 0);
	prefix.text = text;
	CU_ASSERT_EQUAL(ask(&s, &a, "good"), E_NOT_FOUND);
	CU_ASSERT(learns(&s, &a, leaf));
	CU_ASSERT_EQUAL(strncmp(asked_head, "POST /of-the-ca/sub HTTP", 24), 0);
	/* The configured one comes first. */
	s.config.client.ocsp.responder.text = s.responder;
	CU_ASSERT(learns(&s, &a, leaf));
	CU_ASSERT_EQUAL(strncmp(asked_head, "POST /ocsp HTTP", 15), 0);
	end(&s);
}

static void a_certificate_that_cannot_be_read_asks_nobody(void)
{
	struct scene s;
	struct asker a;
	begin(&s);
	CU_ASSERT_EQUAL(ask(&s, &a, "unreadable"), E_NOT_FOUND);
	CU_ASSERT_EQUAL(http_server_requests(s.server), 0);
	end(&s);
}

static void open_questions_are_bounded_and_end_with_the_fetcher(void)
{
	static struct asker a[STATUS_QUESTIONS_MAX];
	struct scene s;
	struct asker more;
	char leaf[32];
	begin(&s);
	gate_closed = true;
	for (unsigned i = 0; i < STATUS_QUESTIONS_MAX; i++) {
		snprintf(leaf, sizeof(leaf), "good-%u", i);
		CU_ASSERT_EQUAL(ask(&s, &a[i], leaf), E_AGAIN);
	}
	CU_ASSERT_EQUAL(ask(&s, &more, "good"), E_LIMIT);
	CU_ASSERT_STRING_EQUAL(more.why, "too many OCSP questions wait for their answers");
	CU_ASSERT_EQUAL(ask(&s, &more, "good-0"), E_AGAIN);
	fetcher_stop(&s.fetcher);
	ev_run(s.loop, EVRUN_NOWAIT);
	for (unsigned i = 0; i < STATUS_QUESTIONS_MAX; i++) {
		CU_ASSERT_EQUAL(a[i].calls, 1);
		CU_ASSERT_FALSE(a[i].has_answer);
	}
	CU_ASSERT_EQUAL(more.calls, 1);
	end(&s);
}

static void what_arrives_after_the_loop_is_freed(void)
{
	struct scene s;
	struct asker a;
	begin(&s);
	gate_closed = true;
	ask(&s, &a, "good");
	status_cancel(s.desk, &a.query);
	end(&s); /* under a leak checker */
	CU_ASSERT_EQUAL(a.calls, 0);
}

static void prefixes_end_where_they_are_meant_to(void)
{
	static const struct {
		const char *prefix, *url;
		bool allowed;
	} cases[] = {
		{"http://ocsp.a/", "http://ocsp.a/", true},
		{"http://ocsp.a/", "http://ocsp.a/x?y", true},
		{"http://ocsp.a/", "HTTP://OCSP.A/x", true},
		{"HTTP://Ocsp.A/", "http://ocsp.a/x", true},
		{"http://ocsp.a/ca", "http://ocsp.a/ca", true},
		{"http://ocsp.a/ca", "http://ocsp.a/ca2", true},
		{"http://ocsp.a/ca", "http://ocsp.a/CA", false},
		{"http://ocsp.a/ca/", "http://ocsp.a/ca", false},
		{"http://ocsp.a", "http://ocsp.a/", false},
		{"http://ocsp.a", "http://ocsp.a.evil/", false},
		{"http://ocsp.a/", "http://ocsp.a", false},
		{"http://ocsp.a/", "http://ocsp.a.evil/", false},
		{"http://ocsp.a/", "http://ocsp.a@evil/", false},
		{"http://ocsp.a/", "http://ocsp.a:80/", false},
		{"http://ocsp.a:8080/", "http://ocsp.a:8080/", true},
		{"http://ocsp.a/", "https://ocsp.a/", false},
		{"http://ocsp.a/", "http:///ocsp.a/", false},
		{"http://", "http://ocsp.a/", false},
		{"http:///", "http:///", false},
		{"", "http://ocsp.a/", false},
		{"http://ocsp.a/", "", false},
		{"http://ocsp.a/ca/", "http://ocsp.a/ca/../admin", false},
		{"http://ocsp.a/ca/", "http://ocsp.a/ca/..", false},
		{"http://ocsp.a/ca/", "http://ocsp.a/ca/./x", false},
		{"http://ocsp.a/ca/", "http://ocsp.a/ca/%2E%2e/admin", false},
		{"http://ocsp.a/ca/", "http://ocsp.a/ca/..%2fadmin", false},
		{"http://ocsp.a/ca/", "http://ocsp.a/ca/..\\admin", false},
		{"http://ocsp.a/ca/", "http://ocsp.a/ca/..?x", false},
		{"http://ocsp.a/ca/", "http://ocsp.a/ca/a..b/.c", true},
		{"http://ocsp.a/ca/", "http://ocsp.a/ca/x?y=/../", true},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config_text prefixes[] = {{.text = (char *)"https://other.example/"},
		                                 {.text = (char *)cases[i].prefix}};
		struct config_ocsp config = {.aia = {.items = prefixes, .count = 2}};
		const char *found = status_allowed_prefix(&config, cases[i].url);
		if ((found != NULL) != cases[i].allowed) {
			printf("\n%s %s", cases[i].prefix, cases[i].url);
		}
		CU_ASSERT_EQUAL(found != NULL, cases[i].allowed);
		CU_ASSERT(found == NULL || found == cases[i].prefix);
	}
}

static const uint8_t *key_of(unsigned n)
{
	static uint8_t key[STATUS_KEY_LEN];
	memset(key, 0, sizeof(key)); /* the first bytes, and so the bucket, are the same for all */
	memcpy(key + 8, &n, sizeof(n));
	return key;
}

static void the_cache_lets_go_of_what_was_not_used(void)
{
	struct status_cache *cache = NULL;
	CU_ASSERT_EQUAL_FATAL(status_cache_new(&cache, 3), E_OK);
	for (unsigned i = 0; i < 3; i++) {
		status_cache_put(cache, key_of(i), NULL, 0, "no", i);
	}
	CU_ASSERT_PTR_NOT_NULL(status_cache_find(cache, key_of(0)));
	const struct ocsp_answer answer = {.status = REVOCATION_REVOKED};
	status_cache_put(cache, key_of(2), &answer, 7, NULL, 0);
	status_cache_put(cache, key_of(3), NULL, 0, "no", 0);
	CU_ASSERT_PTR_NULL(status_cache_find(cache, key_of(1)));
	const struct status_entry *entry = status_cache_find(cache, key_of(2));
	CU_ASSERT_PTR_NOT_NULL_FATAL(entry);
	CU_ASSERT_PTR_NULL(entry->why);
	CU_ASSERT_EQUAL(entry->answer.status, REVOCATION_REVOKED);
	CU_ASSERT_EQUAL(entry->until_s, 7);
	for (unsigned i = 4; i < 1000; i++) {
		status_cache_put(cache, key_of(i), NULL, 0, "no", i);
		CU_ASSERT_PTR_NOT_NULL(status_cache_find(cache, key_of(i - 1)));
	}
	CU_ASSERT_PTR_NULL(status_cache_find(cache, key_of(996)));
	status_cache_free(&cache);
	status_cache_free(&cache);
}

static void responders_are_bounded_and_the_busy_stay(void)
{
	struct responders table = {0};
	char name[32];
	struct responder *busy = responders_find(&table, "busy");
	CU_ASSERT_PTR_NOT_NULL_FATAL(busy);
	busy->open = 1;
	for (unsigned i = 0; i < 2 * STATUS_RESPONDERS_MAX; i++) {
		snprintf(name, sizeof(name), "r%u", i);
		CU_ASSERT_PTR_NOT_NULL(responders_find(&table, name));
	}
	CU_ASSERT_EQUAL(table.count, STATUS_RESPONDERS_MAX);
	CU_ASSERT_PTR_EQUAL(responders_find(&table, "busy"), busy);
	for (size_t i = 0; i < table.count; i++) {
		table.items[i]->open = 1;
	}
	CU_ASSERT_PTR_NULL(responders_find(&table, "one more"));
	for (size_t i = 0; i < table.count; i++) {
		table.items[i]->open = 0;
	}
	responders_release(&table);
}

static const struct unit_test tests[] = {
	{"an answer is asked for once and kept", an_answer_is_asked_for_once_and_kept},
	{"many who ask the same share one question", many_who_ask_the_same_share_one_question},
	{"who cancels is not told", who_cancels_is_not_told},
	{"an answer that nobody waits for is kept", an_answer_that_nobody_waits_for_is_kept},
	{"an answer counts between its two ends alone", an_answer_counts_between_its_two_ends_alone},
	{"that nobody knows a certificate is kept for a minute",
         that_nobody_knows_it_is_kept_for_a_minute},
	{"what failed is left alone for some seconds", what_failed_is_left_alone_for_some_seconds},
	{"a silent responder costs one timeout", a_silent_responder_costs_one_timeout},
	{"a responder that is down is asked one question at a time",
         a_responder_that_is_down_is_asked_one_question_at_a_time},
	{"silence counts as a failure of the responder",
         silence_counts_as_a_failure_of_the_responder},
	{"a refusal about one certificate is no failure of the responder",
         a_refusal_about_one_certificate_is_no_failure_of_the_responder},
	{"an answer for other rules is not taken", an_answer_for_other_rules_is_not_taken},
	{"what a certificate names is asked if allowed",
         what_a_certificate_names_is_asked_if_allowed},
	{"a certificate that cannot be read asks nobody",
         a_certificate_that_cannot_be_read_asks_nobody},
	{"open questions are bounded, and end with the fetcher",
         open_questions_are_bounded_and_end_with_the_fetcher},
	{"what arrives after the loop is freed", what_arrives_after_the_loop_is_freed},
	{"prefixes end where they are meant to", prefixes_end_where_they_are_meant_to},
	{"the cache lets go of what was not used", the_cache_lets_go_of_what_was_not_used},
	{"responders are bounded, and the busy stay", responders_are_bounded_and_the_busy_stay},
};

UNIT_MAIN("proxy/status", tests)
