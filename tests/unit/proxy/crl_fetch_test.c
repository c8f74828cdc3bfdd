/* CRLs are fetched again and again, and only a better one ever takes the place of the one in use.
 *
 * Servers, CRLs and CAs are real; the snapshot is the test's own. */
#include "proxy/crl_fetch.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../net/http_server.h"
#include "../peer/crl_pki.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "peer/crl_store.h"
#include "proxy/crl_fetch_file.h"
#include "proxy/crl_fetch_time.h"
#include "proxy/snapshot.h"
#include "unit.h"

/* Nothing here waits for an hour. */
#define HOUR_MS 3600000
#define OFTEN_MS 20

/* --- the time: CRLs of servers count from the start, with more to spare than a test can take --- */

static int64_t started_s;

/* As the log has it. */
static const char *text_of(int64_t seconds)
{
	static char text[CLOCK_TEXT_LEN + 1];
	clock_format(text, seconds * 1000000);
	memcpy(text + 19, "Z", 2);
	return text;
}

/* --- the snapshot --- */

struct snapshot {
	unsigned refs;
	struct config_service configs[2];
	struct config_text urls[2];
	struct service services[2];
	size_t count;
};

struct snapshot *snapshot_ref(struct snapshot *s)
{
	s->refs++;
	return s;
}

void snapshot_unref(struct snapshot **s)
{
	if (*s != NULL) {
		(*s)->refs--;
	}
	*s = NULL;
}

size_t snapshot_service_count(const struct snapshot *s)
{
	return s->count;
}

const struct service *snapshot_service(const struct snapshot *s, size_t i)
{
	return &s->services[i];
}

/* Of anchors that no CRL here is of, but for the test that says so. */
static struct trust *trust;

static void add_service(struct snapshot *s, const char *url, uint64_t interval_ms)
{
	size_t i = s->count++;
	s->urls[i].text = (char *)url;
	s->configs[i].client.revocation = REVOCATION_HARD;
	s->configs[i].client.crl_fetch = (struct config_crl_fetch){
		.urls = {.items = &s->urls[i], .count = 1},
		.interval_ms = interval_ms,
		.timeout_ms = 60000,
		.max_bytes = 65536,
	};
	s->services[i].config = &s->configs[i];
	s->services[i].trust = trust;
}

/* --- CRLs --- */

static struct slice crl_of(const struct pki_cert *ca, int64_t this_update, int64_t next_update)
{
	return crl_pki_make(&(struct crl_pki_spec){
		.issuer = ca, .this_update = this_update, .next_update = next_update});
}

static const struct pki_cert *ca(void)
{
	return crl_pki_ca("CN=CA", PKI_P256_A, NULL);
}

/* cRLNumber of one octet */
static struct slice numbered_crl(const struct pki_cert *issuer, uint8_t number)
{
	const uint8_t value[] = {0x02, 0x01, number};
	return crl_pki_make(&(struct crl_pki_spec){
		.issuer = issuer,
		.this_update = PKI_NOW - 100,
		.extensions = {
			crl_pki_extension("2.5.29.20", false, slice_of(value, sizeof(value)))}});
}

/* --- files --- */

struct folder {
	char top[64];
	char path[80]; /* within; not there yet */
};

static void make_folder(struct folder *f)
{
	snprintf(f->top, sizeof(f->top), "/tmp/crl_fetch_test.XXXXXX");
	if (mkdtemp(f->top) == NULL) {
		abort();
	}
	snprintf(f->path, sizeof(f->path), "%s/crl", f->top);
}

static void remove_folder(struct folder *f)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -rf '%s'", f->top);
	CU_ASSERT_EQUAL(system(command), 0);
}

static bool file_holds(const char *path, struct slice bytes)
{
	struct buf content;
	buf_init(&content, 1 << 20);
	bool same = file_load(&content, path, 1 << 20) == E_OK &&
	            slice_equal(buf_slice(&content), bytes);
	buf_release(&content);
	return same;
}

static bool exists(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

/* --- one file --- */

static enum crl_signer says(void *context, const struct crl *crl)
{
	(void)crl;
	return *(const enum crl_signer *)context;
}

static enum crl_signer all_true = CRL_SIGNER_TRUE, all_false = CRL_SIGNER_FALSE,
		       all_unknown = CRL_SIGNER_UNKNOWN;
static const struct crl_checks trusting = {says, &all_true, false};

struct taken {
	int err;
	bool changed;
	struct crl_facts facts;
	char error[CRL_FETCH_ERROR_LEN];
};

static struct taken take_at(const char *path, struct slice body, int64_t now_s)
{
	struct taken t = {0};
	t.err = crl_file_take(path, body, 0, now_s, &trusting, &t.facts, &t.changed, t.error);
	return t;
}

static struct taken take(const char *path, struct slice body)
{
	return take_at(path, body, PKI_NOW);
}

static struct taken take_by(const char *path, struct slice body, const struct crl_checks *checks)
{
	struct taken t = {0};
	t.err = crl_file_take(path, body, 0, PKI_NOW, checks, &t.facts, &t.changed, t.error);
	return t;
}

/* For these words; more may follow. */
static bool is_refused_for(struct taken t, const char *words)
{
	char begin[CRL_FETCH_ERROR_LEN];
	snprintf(begin, sizeof(begin), "what came is refused: %s", words);
	if (strncmp(t.error, begin, strlen(begin)) != 0) {
		printf("\n\"%s\"", t.error);
	}
	return t.err == E_INVALID && !t.changed && strncmp(t.error, begin, strlen(begin)) == 0;
}

static bool is_refused(struct taken t, const char *error)
{
	if (strcmp(t.error, error) != 0) {
		printf("\n\"%s\"", t.error);
	}
	return t.err == E_INVALID && !t.changed && strcmp(t.error, error) == 0;
}

struct file_scene {
	struct folder folder;
	char path[128], temporary[136];
};

static void begin_file(struct file_scene *s)
{
	make_folder(&s->folder);
	snprintf(s->path, sizeof(s->path), "%s/a.crl", s->folder.top);
	snprintf(s->temporary, sizeof(s->temporary), "%s.new", s->path);
}

static void end_file(struct file_scene *s)
{
	CU_ASSERT_FALSE(exists(s->temporary));
	remove_folder(&s->folder);
}

static void a_crl_is_written_whole_and_private(void)
{
	struct file_scene s;
	struct stat st;
	begin_file(&s);
	struct slice der = crl_of(ca(), PKI_NOW - 1000, PKI_NOW + 1000);
	struct taken t = take(s.path, der);
	CU_ASSERT_EQUAL(t.err, E_OK);
	CU_ASSERT(t.changed);
	CU_ASSERT_STRING_EQUAL(t.error, "");
	CU_ASSERT_EQUAL(t.facts.count, 1);
	CU_ASSERT_EQUAL(t.facts.this_update_s, PKI_NOW - 1000);
	CU_ASSERT_EQUAL(t.facts.next_update_s, PKI_NOW + 1000);
	CU_ASSERT(file_holds(s.path, der));
	CU_ASSERT_EQUAL_FATAL(stat(s.path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0600);
	CU_ASSERT_EQUAL(st.st_mtime, PKI_NOW - 1000);
	/* As the server dates it. */
	der = crl_of(ca(), PKI_NOW - 900, PKI_NOW + 1000);
	t.err = crl_file_take(s.path, der, PKI_NOW - 50, PKI_NOW, &trusting, &t.facts, &t.changed,
	                      t.error);
	CU_ASSERT_EQUAL(t.err, E_OK);
	CU_ASSERT_EQUAL_FATAL(stat(s.path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mtime, PKI_NOW - 50);
	struct crl_facts facts;
	CU_ASSERT_EQUAL(crl_file_look(s.path, &facts), E_OK);
	CU_ASSERT_EQUAL(facts.this_update_s, PKI_NOW - 900);
	end_file(&s);
}

static void the_same_bytes_are_no_change(void)
{
	struct file_scene s;
	begin_file(&s);
	struct slice der = crl_of(ca(), 0, 0);
	CU_ASSERT(take(s.path, der).changed);
	struct taken t = take(s.path, der);
	CU_ASSERT_EQUAL(t.err, E_OK);
	CU_ASSERT_FALSE(t.changed);
	CU_ASSERT_EQUAL(t.facts.count, 1);
	end_file(&s);
}

static void pem_is_taken_also_with_several_crls(void)
{
	struct file_scene s;
	struct buf text;
	begin_file(&s);
	buf_init(&text, 65536);
	buf_append_slice(&text, crl_pki_pem(crl_of(ca(), PKI_NOW - 5, PKI_NOW + 7)));
	const struct pki_cert *other = crl_pki_ca("CN=Other", PKI_P256_B, NULL);
	buf_append_slice(&text, crl_pki_pem(crl_of(other, PKI_NOW - 6, PKI_NOW + 8)));
	struct taken t = take(s.path, buf_slice(&text));
	CU_ASSERT_EQUAL(t.err, E_OK);
	CU_ASSERT_EQUAL(t.facts.count, 2);
	CU_ASSERT_EQUAL(t.facts.this_update_s, PKI_NOW - 6);
	CU_ASSERT_EQUAL(t.facts.next_update_s, PKI_NOW + 7);
	/* Each of them counts. */
	CU_ASSERT(is_refused_for(take(s.path, crl_of(ca(), PKI_NOW - 5, PKI_NOW + 9)),
	                         "it is of another CA than the one in use"));
	CU_ASSERT(file_holds(s.path, buf_slice(&text)));
	buf_release(&text);
	end_file(&s);
}

static void what_is_no_crl_is_refused(void)
{
	struct file_scene s;
	begin_file(&s);
	struct slice der = crl_of(ca(), 0, 0);
	const struct slice bad[] = {
		SLICE(""),
		SLICE("<html>Not Found</html>"),
		SLICE("-----BEGIN X509 CRL-----\nAAAA\n"),
		ca()->der,
		slice_of(der.data, der.len - 1),
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct taken t = take(s.path, bad[i]);
		CU_ASSERT_EQUAL(t.err, E_INVALID);
		CU_ASSERT_EQUAL(strncmp(t.error, "what came is no CRL that can be used: ", 38), 0);
		CU_ASSERT_EQUAL(t.facts.count, 0);
		CU_ASSERT_FALSE(exists(s.path));
	}
	CU_ASSERT(take(s.path, der).changed);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct taken t = take(s.path, bad[i]);
		CU_ASSERT_EQUAL(t.err, E_INVALID);
		CU_ASSERT_EQUAL(t.facts.count, 1);
		CU_ASSERT(file_holds(s.path, der));
	}
	end_file(&s);
}

static void an_older_one_is_refused(void)
{
	struct file_scene s;
	begin_file(&s);
	struct slice newer = crl_of(ca(), PKI_NOW - 1000, PKI_NOW + 1000);
	CU_ASSERT(take(s.path, newer).changed);
	struct slice older = crl_of(ca(), PKI_NOW - 1001, PKI_NOW + 1000);
	CU_ASSERT(is_refused(take(s.path, older),
	                     "what came is refused: it is older than the one in use"));
	/* Also when the one in use is past its end: those revoked since would be forgotten. */
	CU_ASSERT(is_refused(take_at(s.path, older, PKI_NOW + 5000),
	                     "what came is refused: it is older than the one in use"));
	CU_ASSERT(file_holds(s.path, newer));
	end_file(&s);
}

static void of_the_same_date_the_lower_number_is_refused(void)
{
	struct file_scene s;
	begin_file(&s);
	CU_ASSERT(take(s.path, numbered_crl(ca(), 0x10)).changed);
	CU_ASSERT(is_refused(take(s.path, numbered_crl(ca(), 0x0f)),
	                     "what came is refused: it is older than the one in use"));
	CU_ASSERT(take(s.path, numbered_crl(ca(), 0x11)).changed);
	end_file(&s);
}

static void another_ca_never_takes_its_place(void)
{
	struct file_scene s;
	char words[CRL_FETCH_ERROR_LEN];
	begin_file(&s);
	const struct pki_cert *other = crl_pki_ca("CN=Other", PKI_P256_B, NULL);
	struct slice mine = crl_of(ca(), PKI_NOW - 10, PKI_NOW + 1000);
	struct slice theirs = crl_of(other, PKI_NOW - 10, PKI_NOW + 9000);
	CU_ASSERT(take(s.path, mine).changed);
	snprintf(words, sizeof(words),
	         "it is of another CA than the one in use; if that is right, remove %s", s.path);
	CU_ASSERT(is_refused_for(take(s.path, theirs), words));
	CU_ASSERT(is_refused_for(take_at(s.path, theirs, PKI_NOW + 5000), words));
	CU_ASSERT(file_holds(s.path, mine));
	/* RFC 5280 7.1: this is the same one. */
	CU_ASSERT(
		take(s.path, crl_of(crl_pki_ca("CN=  ca", PKI_P256_A, NULL), PKI_NOW - 5, 0)).changed);
	end_file(&s);
}

static void another_key_waits_until_the_one_in_use_has_ended(void)
{
	struct file_scene s;
	begin_file(&s);
	/* authorityKeyIdentifier with a keyIdentifier of one octet */
	const uint8_t key_id[] = {0x30, 0x03, 0x80, 0x01, 0x77};
	struct slice mine = crl_of(ca(), PKI_NOW - 10, PKI_NOW + 1000);
	struct slice next = crl_pki_make(&(struct crl_pki_spec){
		.issuer = ca(),
		.this_update = PKI_NOW - 5,
		.next_update = PKI_NOW + 9000,
		.extensions = {
			crl_pki_extension("2.5.29.35", false, slice_of(key_id, sizeof(key_id)))}});
	CU_ASSERT(take(s.path, mine).changed);
	CU_ASSERT(
		is_refused_for(take_at(s.path, next, PKI_NOW + 999),
	                       "it is of another key or scope than the one in use, which is still "
	                       "current; if that is right, remove "));
	CU_ASSERT(file_holds(s.path, mine));
	CU_ASSERT(take_at(s.path, next, PKI_NOW + 1000).changed);
	CU_ASSERT(file_holds(s.path, next));
	end_file(&s);
}

static void one_from_the_future_is_refused(void)
{
	struct file_scene s;
	begin_file(&s);
	CU_ASSERT(is_refused(
		take(s.path, crl_of(ca(), PKI_NOW + CRL_FETCH_SKEW_S + 1, PKI_NOW + 9000)),
		"what came is refused: it is from the future"));
	CU_ASSERT_FALSE(exists(s.path));
	CU_ASSERT(take(s.path, crl_of(ca(), PKI_NOW + CRL_FETCH_SKEW_S, PKI_NOW + 9000)).changed);
	end_file(&s);
}

static void one_that_its_ca_did_not_sign_is_refused(void)
{
	struct file_scene s;
	begin_file(&s);
	const struct crl_checks checks = {says, &all_false, true};
	CU_ASSERT(is_refused(take_by(s.path, crl_of(ca(), 0, 0), &checks),
	                     "what came is refused: it is not signed by the CA that it names"));
	CU_ASSERT_FALSE(exists(s.path));
	end_file(&s);
}

static void one_that_nobody_can_check_is_taken_where_there_is_none(void)
{
	struct file_scene s;
	begin_file(&s);
	const struct crl_checks checks = {says, &all_unknown, false};
	struct slice first = crl_of(ca(), PKI_NOW - 20, PKI_NOW + 1000);
	CU_ASSERT(take_by(s.path, first, &checks).changed);
	CU_ASSERT(is_refused_for(take_by(s.path, crl_of(ca(), PKI_NOW - 10, PKI_NOW + 1000), &checks),
	                         "nobody can tell whether its CA signed it"));
	CU_ASSERT(file_holds(s.path, first));
	/* The very same is no change. */
	struct taken t = take_by(s.path, first, &checks);
	CU_ASSERT_EQUAL(t.err, E_OK);
	CU_ASSERT_FALSE(t.changed);
	end_file(&s);
}

static void one_that_nobody_can_check_replaces_another_if_it_may(void)
{
	struct file_scene s;
	begin_file(&s);
	const struct crl_checks checks = {says, &all_unknown, true};
	CU_ASSERT(take_by(s.path, crl_of(ca(), PKI_NOW - 20, 0), &checks).changed);
	CU_ASSERT(take_by(s.path, crl_of(ca(), PKI_NOW - 10, 0), &checks).changed);
	end_file(&s);
}

static enum crl_signer by_number(void *context, const struct crl *crl)
{
	(void)context;
	return strcmp(crl_info(crl)->number, "01") == 0 ? CRL_SIGNER_TRUE : CRL_SIGNER_FALSE;
}

static void a_forged_one_from_before_gives_way_whatever_it_says(void)
{
	struct file_scene s;
	begin_file(&s);
	const struct crl_checks then = {says, &all_unknown, false};
	const struct crl_checks now = {by_number, NULL, false};
	struct slice right = numbered_crl(ca(), 1);
	CU_ASSERT(take_by(s.path, crl_of(ca(), PKI_NOW + 200, PKI_NOW + PKI_DAY), &then).changed);
	CU_ASSERT(take_by(s.path, right, &now).changed);
	CU_ASSERT(file_holds(s.path, right));
	end_file(&s);
}

static void what_cannot_be_read_is_replaced(void)
{
	struct file_scene s;
	begin_file(&s);
	FILE *file = fopen(s.path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fputs("damaged", file);
	fclose(file);
	CU_ASSERT(take(s.path, crl_of(ca(), 0, 0)).changed);
	end_file(&s);
}

static void what_a_crash_or_a_link_left_is_not_written_through(void)
{
	struct file_scene s;
	char victim[128];
	begin_file(&s);
	snprintf(victim, sizeof(victim), "%s/victim", s.folder.top);
	CU_ASSERT_EQUAL_FATAL(symlink(victim, s.temporary), 0);
	struct slice der = crl_of(ca(), 0, 0);
	CU_ASSERT(take(s.path, der).changed);
	CU_ASSERT_FALSE(exists(victim));
	CU_ASSERT(file_holds(s.path, der));
	end_file(&s);
}

static void a_folder_that_is_not_there_is_told(void)
{
	struct file_scene s;
	begin_file(&s);
	struct taken t = take("/nonexistent/a.crl", crl_of(ca(), 0, 0));
	CU_ASSERT_EQUAL(t.err, E_NOT_FOUND);
	CU_ASSERT_EQUAL(strncmp(t.error, "it cannot be kept below state: ", 31), 0);
	end_file(&s);
}

/* --- when --- */

static void a_fetch_is_due_after_the_interval_or_a_little_earlier(void)
{
	CU_ASSERT_EQUAL(crl_fetch_delay_ms(HOUR_MS, 0, 0, PKI_NOW, 0), HOUR_MS);
	uint64_t least = crl_fetch_delay_ms(HOUR_MS, 0, 0, PKI_NOW, UINT32_MAX);
	CU_ASSERT(least < HOUR_MS && least >= HOUR_MS / 10 * 9);
	CU_ASSERT_EQUAL(crl_fetch_delay_ms(1000, 0, 0, PKI_NOW, 0), 1000);
}

static void a_next_update_is_not_waited_for_to_pass(void)
{
	CU_ASSERT_EQUAL(crl_fetch_delay_ms(HOUR_MS, 0, PKI_NOW + 1000, PKI_NOW, 0), 900000);
	/* Far away it does not matter. */
	CU_ASSERT_EQUAL(crl_fetch_delay_ms(HOUR_MS, 0, PKI_NOW + 86400, PKI_NOW, 0), HOUR_MS);
	CU_ASSERT_EQUAL(crl_fetch_delay_ms(HOUR_MS, 0, PKI_NOW + 7000, PKI_NOW, 0), HOUR_MS);
	CU_ASSERT_EQUAL(crl_fetch_delay_ms(HOUR_MS, 0, INT64_MAX, PKI_NOW, 0), HOUR_MS);
	/* Near, or in the past, it makes nobody hurry beyond measure. */
	CU_ASSERT_EQUAL(crl_fetch_delay_ms(HOUR_MS, 0, PKI_NOW + 1, PKI_NOW, UINT32_MAX),
	                CRL_FETCH_SOONEST_MS);
	CU_ASSERT_EQUAL(crl_fetch_delay_ms(HOUR_MS, 0, PKI_NOW - 9000, PKI_NOW, UINT32_MAX),
	                CRL_FETCH_SOONEST_MS);
	CU_ASSERT_EQUAL(crl_fetch_delay_ms(5000, 0, PKI_NOW + 1, PKI_NOW, 0), 5000);
}

static void failures_are_retried_ever_more_rarely(void)
{
	CU_ASSERT_EQUAL(crl_fetch_delay_ms(HOUR_MS, 1, 0, PKI_NOW, 0), 10000);
	CU_ASSERT_EQUAL(crl_fetch_delay_ms(HOUR_MS, 2, 0, PKI_NOW, 0), 20000);
	CU_ASSERT_EQUAL(crl_fetch_delay_ms(HOUR_MS, 3, 0, PKI_NOW, 0), 40000);
	CU_ASSERT_EQUAL(crl_fetch_delay_ms(HOUR_MS, 9, 0, PKI_NOW, 0), 2560000);
	CU_ASSERT_EQUAL(crl_fetch_delay_ms(HOUR_MS, 10, 0, PKI_NOW, 0), HOUR_MS);
	CU_ASSERT_EQUAL(crl_fetch_delay_ms(HOUR_MS, UINT32_MAX, 0, PKI_NOW, 0), HOUR_MS);
	CU_ASSERT(crl_fetch_delay_ms(HOUR_MS, 1, 0, PKI_NOW, UINT32_MAX) >= 9000);
	CU_ASSERT_EQUAL(crl_fetch_delay_ms(1000, 7, 0, PKI_NOW, 0), 1000);
}

/* --- the server --- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slice content; /* guarded by the lock, with what follows */
static int status;
static int64_t content_modified_s;
static bool honours_condition;
static unsigned conditional; /* requests */
static unsigned for_a;       /* requests for /a.crl */

static void offer(struct slice body, int with_status)
{
	pthread_mutex_lock(&lock);
	content = body;
	status = with_status;
	pthread_mutex_unlock(&lock);
}

static void serve(struct http_server *server, int fd, const struct http_request *request, void *arg)
{
	(void)arg;
	pthread_mutex_lock(&lock);
	struct slice body = content;
	int with_status = status;
	bool is_conditional = strstr(request->head, "\r\nIf-Modified-Since: ") != NULL;
	conditional += is_conditional ? 1 : 0;
	for_a += strcmp(request->path, "/a.crl") == 0 ? 1 : 0;
	bool unchanged = is_conditional && honours_condition;
	pthread_mutex_unlock(&lock);
	if (strcmp(request->path, "/hang") == 0) {
		http_server_hang(server);
	} else if (unchanged) {
		http_server_write(fd, SLICE("HTTP/1.1 304 Not Modified\r\n\r\n"));
	} else if (with_status == 301) {
		http_server_reply(fd, 301, "Location: file:///etc/hostname\r\n", SLICE(""));
	} else {
		http_server_reply(fd, with_status,
		                  content_modified_s == 0
		                          ? ""
		                          : "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\n",
		                  body);
	}
}

/* --- everything together --- */

struct scene {
	struct folder folder;
	struct http_server *server;
	struct ev_loop *loop;
	struct fetcher *fetcher;
	struct crl_fetch *fetch;
	struct snapshot snapshot;
	char url[128];
	unsigned changes;
	int log; /* where standard error went */
	int saved_stderr;
	char log_text[16384];
};

static void on_changed(void *arg)
{
	struct scene *s = arg;
	s->changes++;
}

static void begin(struct scene *s)
{
	*s = (struct scene){0};
	make_folder(&s->folder);
	honours_condition = false;
	conditional = 0;
	content_modified_s = 0;
	started_s = clock_wall_us() / 1000000;
	trust = pki_trust(&(struct pki_trust_spec){.anchors = {pki_root()}});
	offer(crl_of(ca(), started_s - PKI_DAY, started_s + PKI_DAY), 200);
	s->server = http_server_start(serve, NULL);
	s->loop = ev_loop_new(EVFLAG_NOENV);
	snprintf(s->url, sizeof(s->url), "%s", http_server_url(s->server, "/a.crl"));
	char log[80];
	snprintf(log, sizeof(log), "%s/log", s->folder.top);
	s->log = open(log, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	s->saved_stderr = dup(STDERR_FILENO);
	if (s->log == -1 || dup2(s->log, STDERR_FILENO) == -1 || fetcher_start(&s->fetcher) != E_OK ||
	    crl_fetch_start(&s->fetch, s->loop, s->fetcher, s->folder.path, on_changed, s) != E_OK) {
		abort();
	}
}

static void end(struct scene *s)
{
	fetcher_stop(&s->fetcher);
	crl_fetch_stop(&s->fetch);
	CU_ASSERT_PTR_NULL(s->fetch);
	CU_ASSERT_EQUAL(s->snapshot.refs, 0);
	dup2(s->saved_stderr, STDERR_FILENO);
	close(s->saved_stderr);
	close(s->log);
	ev_loop_destroy(s->loop);
	http_server_stop(&s->server);
	remove_folder(&s->folder);
	trust_free(&trust);
}

static const char *path_of(const struct scene *s, const char *url)
{
	static char path[256];
	struct buf out;
	buf_init_fixed(&out, path, sizeof(path));
	crl_cache_path(&out, s->folder.path, url);
	return path;
}

static void wait_for_changes(struct scene *s, unsigned count)
{
	while (s->changes < count) {
		ev_run(s->loop, EVRUN_ONCE);
	}
}

/* Until so many requests came, and were dealt with but for the last one. */
static void wait_for_requests(struct scene *s, unsigned count)
{
	while (http_server_requests(s->server) < count) {
		ev_run(s->loop, EVRUN_ONCE);
	}
}

static unsigned logged(struct scene *s, const char *text)
{
	ssize_t n = pread(s->log, s->log_text, sizeof(s->log_text) - 1, 0);
	unsigned count = 0;
	s->log_text[n < 0 ? 0 : n] = '\0';
	for (const char *at = s->log_text; (at = strstr(at, text)) != NULL; at++) {
		count++;
	}
	return count;
}

/* Each pass of the loop may be one of several events. */
static void wait_for_log(struct scene *s, const char *text)
{
	while (logged(s, text) == 0) {
		ev_run(s->loop, EVRUN_ONCE);
	}
}

static void a_crl_is_fetched_at_once_and_kept_in_its_file(void)
{
	struct scene s;
	struct stat st;
	begin(&s);
	add_service(&s.snapshot, s.url, HOUR_MS);
	crl_fetch_watch(s.fetch, &s.snapshot);
	wait_for_changes(&s, 1);
	CU_ASSERT(file_holds(path_of(&s, s.url), content));
	CU_ASSERT_EQUAL_FATAL(stat(s.folder.path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0700);
	CU_ASSERT_EQUAL(http_server_requests(s.server), 1);
	CU_ASSERT_EQUAL(logged(&s, "is up to date: of "), 1);
	CU_ASSERT_EQUAL(logged(&s, text_of(started_s - PKI_DAY)), 1);
	CU_ASSERT_EQUAL(logged(&s, text_of(started_s + PKI_DAY)), 1);
	end(&s);
}

static void a_newer_one_takes_its_place(void)
{
	struct scene s;
	begin(&s);
	add_service(&s.snapshot, s.url, OFTEN_MS);
	crl_fetch_watch(s.fetch, &s.snapshot);
	wait_for_changes(&s, 1);
	offer(crl_of(ca(), started_s - 5, started_s + 86400), 200);
	wait_for_changes(&s, 2);
	CU_ASSERT(file_holds(path_of(&s, s.url), content));
	/* The good news once. */
	CU_ASSERT_EQUAL(logged(&s, "CRL "), 1);
	end(&s);
}

static void what_did_not_change_is_not_sent_again(void)
{
	struct scene s;
	struct stat st;
	begin(&s);
	content_modified_s = 1704067200;
	honours_condition = true;
	add_service(&s.snapshot, s.url, OFTEN_MS);
	crl_fetch_watch(s.fetch, &s.snapshot);
	wait_for_requests(&s, 5);
	CU_ASSERT(conditional >= 4);
	CU_ASSERT_EQUAL(s.changes, 1);
	CU_ASSERT_EQUAL(logged(&s, "cannot"), 0);
	CU_ASSERT_EQUAL_FATAL(stat(path_of(&s, s.url), &st), 0);
	CU_ASSERT_EQUAL(st.st_mtime, 1704067200);
	end(&s);
}

/* RFC 9110 8.8.2.2 */
static void what_may_change_within_its_second_is_asked_for_whole(void)
{
	struct scene s;
	begin(&s);
	/* Without Last-Modified, the date is when the CRL was made. */
	offer(crl_of(ca(), started_s, started_s + PKI_DAY), 200);
	honours_condition = true;
	add_service(&s.snapshot, s.url, OFTEN_MS);
	crl_fetch_watch(s.fetch, &s.snapshot);
	wait_for_requests(&s, 4);
	CU_ASSERT_EQUAL(conditional, 0);
	CU_ASSERT_EQUAL(s.changes, 1);
	end(&s);
}

static void what_an_earlier_life_left_is_used(void)
{
	struct scene s;
	begin(&s);
	struct slice der = crl_of(ca(), started_s - 3600, started_s + 86400);
	CU_ASSERT_EQUAL_FATAL(mkdir(s.folder.path, 0700), 0);
	CU_ASSERT(take_at(path_of(&s, s.url), der, started_s).changed);
	honours_condition = true;
	add_service(&s.snapshot, s.url, HOUR_MS);
	crl_fetch_watch(s.fetch, &s.snapshot);
	wait_for_log(&s, "is up to date: of ");
	CU_ASSERT_EQUAL(logged(&s, text_of(started_s - 3600)), 1);
	CU_ASSERT_EQUAL(conditional, 1);
	CU_ASSERT_EQUAL(s.changes, 0);
	CU_ASSERT(file_holds(path_of(&s, s.url), der));
	end(&s);
}

static void a_damaged_one_is_fetched_whole(void)
{
	struct scene s;
	begin(&s);
	CU_ASSERT_EQUAL_FATAL(mkdir(s.folder.path, 0700), 0);
	FILE *file = fopen(path_of(&s, s.url), "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fputs("damaged", file);
	fclose(file);
	/* Old, so that it is asked for by its date. */
	const struct timespec times[2] = {{.tv_sec = 1704067200}, {.tv_sec = 1704067200}};
	CU_ASSERT_EQUAL(utimensat(AT_FDCWD, path_of(&s, s.url), times, 0), 0);
	honours_condition = true;
	add_service(&s.snapshot, s.url, OFTEN_MS);
	crl_fetch_watch(s.fetch, &s.snapshot);
	wait_for_changes(&s, 1);
	CU_ASSERT(file_holds(path_of(&s, s.url), content));
	CU_ASSERT_EQUAL(logged(&s, "nothing new came, and what is there cannot be read"), 1);
	end(&s);
}

static void one_url_of_two_services_is_fetched_once(void)
{
	struct scene s;
	begin(&s);
	add_service(&s.snapshot, s.url, HOUR_MS);
	add_service(&s.snapshot, s.url, HOUR_MS);
	crl_fetch_watch(s.fetch, &s.snapshot);
	crl_fetch_watch(s.fetch, &s.snapshot);
	wait_for_changes(&s, 1);
	crl_fetch_watch(s.fetch, &s.snapshot);
	ev_run(s.loop, EVRUN_NOWAIT);
	CU_ASSERT_EQUAL(http_server_requests(s.server), 1);
	end(&s);
}

static void on_every_turn(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	struct scene *s = timer->data;
	crl_fetch_watch(s->fetch, &s->snapshot);
}

/* A new snapshot comes in each turn of the loop before anything else does, also in that in which the next fetch is due. */
static void one_that_is_due_when_a_snapshot_comes_is_fetched_once(void)
{
	struct scene s;
	struct ev_timer turn;
	begin(&s);
	add_service(&s.snapshot, s.url, OFTEN_MS);
	crl_fetch_watch(s.fetch, &s.snapshot);
	ev_timer_init(&turn, on_every_turn, 0, 1e-9);
	turn.data = &s;
	ev_set_priority(&turn, EV_MAXPRI);
	ev_timer_start(s.loop, &turn);
	wait_for_requests(&s, 4);
	ev_timer_stop(s.loop, &turn);
	end(&s);
}

static struct slice nothing(void)
{
	return SLICE("");
}

static struct slice nonsense(void)
{
	return SLICE("nonsense");
}

static struct slice too_much(void)
{
	static const char large[65537];
	return slice_of(large, sizeof(large));
}

static struct slice an_older_one(void)
{
	return crl_of(ca(), started_s - 2 * PKI_DAY, started_s + 2 * PKI_DAY);
}

static struct slice a_foreign_one(void)
{
	return crl_of(crl_pki_ca("CN=Other", PKI_P256_B, NULL), started_s - 5, started_s + PKI_DAY);
}

static void failures_leave_what_is_there_and_are_told_once(void)
{
	static const struct {
		int status;
		struct slice (*body)(void);
		const char *error;
	} cases[] = {
		{404, nonsense, "the server answered with status 404"},
		{500, nothing, "the server answered with status 500"},
		{200, nonsense, "what came is no CRL that can be used"},
		{200, nothing, "what came is no CRL that can be used"},
		{200, too_much, "the answer has more than the 65536 bytes that are allowed"},
		{301, nothing, "it leads to something else than http or https"},
		{200, an_older_one, "it is older than the one in use"},
		{200, a_foreign_one, "it is of another CA than the one in use"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scene s;
		begin(&s);
		struct slice good = content;
		add_service(&s.snapshot, s.url, OFTEN_MS);
		crl_fetch_watch(s.fetch, &s.snapshot);
		wait_for_changes(&s, 1);
		offer(cases[i].body(), cases[i].status);
		wait_for_log(&s, cases[i].error);
		wait_for_requests(&s, http_server_requests(s.server) + 3);
		CU_ASSERT_EQUAL(logged(&s, "warning: cannot fetch CRL "), 1);
		CU_ASSERT_EQUAL(logged(&s, "; the one of "), 1);
		CU_ASSERT_EQUAL(logged(&s, "Z stays in use\n"), 1);
		CU_ASSERT(file_holds(path_of(&s, s.url), good));
		CU_ASSERT_EQUAL(s.changes, 1);
		offer(good, 200);
		wait_for_log(&s, "is up to date again");
		CU_ASSERT_EQUAL(logged(&s, "cannot"), 1);
		end(&s);
	}
}

static void another_failure_is_told_again(void)
{
	struct scene s;
	begin(&s);
	offer(nothing(), 404);
	add_service(&s.snapshot, s.url, OFTEN_MS);
	crl_fetch_watch(s.fetch, &s.snapshot);
	wait_for_log(&s, "status 404; there is none, and revocation: hard refuses");
	offer(nothing(), 410);
	wait_for_log(&s, "status 410; there is none, and revocation: hard refuses");
	CU_ASSERT_EQUAL(logged(&s, "error: cannot fetch CRL "), 2);
	CU_ASSERT_FALSE(exists(path_of(&s, s.url)));
	CU_ASSERT_EQUAL(s.changes, 0);
	end(&s);
}

static void a_soft_service_is_not_said_to_refuse(void)
{
	struct scene s;
	begin(&s);
	offer(nothing(), 404);
	add_service(&s.snapshot, s.url, OFTEN_MS);
	s.snapshot.configs[0].client.revocation = REVOCATION_SOFT;
	crl_fetch_watch(s.fetch, &s.snapshot);
	wait_for_log(&s, "warning: cannot fetch CRL ");
	CU_ASSERT_EQUAL(logged(&s, "; there is none\n"), 1);
	end(&s);
}

static void one_past_its_end_is_used_and_told(void)
{
	struct scene s;
	begin(&s);
	offer(crl_of(ca(), started_s - 100, started_s - 50), 200);
	honours_condition = true;
	add_service(&s.snapshot, s.url, OFTEN_MS);
	crl_fetch_watch(s.fetch, &s.snapshot);
	wait_for_changes(&s, 1);
	CU_ASSERT(file_holds(path_of(&s, s.url), content));
	wait_for_log(&s, "error: cannot fetch CRL ");
	CU_ASSERT_EQUAL(logged(&s, "what the server has is past its nextUpdate; the one of "), 1);
	CU_ASSERT_EQUAL(logged(&s, text_of(started_s - 100)), 1);
	CU_ASSERT_EQUAL(logged(&s, text_of(started_s - 50)), 1);
	CU_ASSERT_EQUAL(logged(&s, ", and revocation: hard refuses whoever needs"), 1);
	/* Nobody may say that it did not change. */
	wait_for_requests(&s, 4);
	CU_ASSERT_EQUAL(conditional, 0);
	end(&s);
}

static void a_server_that_hangs_is_left_at_the_timeout(void)
{
	struct scene s;
	begin(&s);
	snprintf(s.url, sizeof(s.url), "%s", http_server_url(s.server, "/hang"));
	add_service(&s.snapshot, s.url, OFTEN_MS);
	s.snapshot.configs[0].client.crl_fetch.timeout_ms = 30;
	crl_fetch_watch(s.fetch, &s.snapshot);
	wait_for_log(&s, "no whole answer within 30 ms");
	wait_for_requests(&s, 2);
	end(&s);
}

static void an_anchor_of_that_name_has_to_have_signed_it(void)
{
	struct scene s;
	begin(&s);
	struct slice forged =
		crl_pki_make(&(struct crl_pki_spec){.issuer = ca(),
	                                            .wrong_signature = true,
	                                            .this_update = started_s - 1,
	                                            .next_update = started_s + PKI_DAY});
	struct slice good = content;
	struct trust *signer = pki_trust(&(struct pki_trust_spec){.anchors = {ca()}});
	add_service(&s.snapshot, s.url, OFTEN_MS);
	s.snapshot.services[0].trust = signer;
	crl_fetch_watch(s.fetch, &s.snapshot);
	wait_for_changes(&s, 1);
	offer(forged, 200);
	wait_for_log(&s, "what came is refused: it is not signed by the CA that it names");
	CU_ASSERT(file_holds(path_of(&s, s.url), good));
	end(&s);
	trust_free(&signer);
}

/* A CRL that the CA of this name did not sign is told from one that it did. */
static void check_forged_one_is_told(struct trust *signer)
{
	struct scene s;
	begin(&s);
	struct slice forged =
		crl_pki_make(&(struct crl_pki_spec){.issuer = ca(),
	                                            .wrong_signature = true,
	                                            .this_update = started_s - 1,
	                                            .next_update = started_s + PKI_DAY});
	add_service(&s.snapshot, s.url, OFTEN_MS);
	s.snapshot.configs[0].client.revocation = REVOCATION_SOFT;
	s.snapshot.services[0].trust = signer;
	crl_fetch_watch(s.fetch, &s.snapshot);
	wait_for_changes(&s, 1);
	offer(forged, 200);
	wait_for_log(&s, "what came is refused: it is not signed by the CA that it names");
	offer(crl_of(ca(), started_s - 5, started_s + PKI_DAY), 200);
	wait_for_changes(&s, 2);
	end(&s);
}

static void a_ca_is_found_by_its_name_as_it_is_compared(void)
{
	struct trust *signer = pki_trust(
		&(struct pki_trust_spec){.anchors = {crl_pki_ca("CN=cA ", PKI_P256_A, NULL)}});
	check_forged_one_is_told(signer);
	trust_free(&signer);
}

static void one_of_the_issuers_signs_as_well_as_an_anchor(void)
{
	struct trust *signer =
		pki_trust(&(struct pki_trust_spec){.anchors = {pki_root()}, .issuers = {ca()}});
	check_forged_one_is_told(signer);
	trust_free(&signer);
}

static void of_a_ca_that_is_no_anchor_none_replaces_another_for_soft_services(void)
{
	struct scene s;
	begin(&s);
	struct slice good = content;
	add_service(&s.snapshot, s.url, OFTEN_MS);
	add_service(&s.snapshot, s.url, OFTEN_MS);
	s.snapshot.configs[1].client.revocation = REVOCATION_SOFT;
	crl_fetch_watch(s.fetch, &s.snapshot);
	wait_for_changes(&s, 1);
	offer(crl_of(ca(), started_s - 5, started_s + PKI_DAY), 200);
	wait_for_log(&s, "name the CA under `ca` or `issuers`");
	CU_ASSERT(file_holds(path_of(&s, s.url), good));
	CU_ASSERT_EQUAL(s.changes, 1);
	end(&s);
}

static void of_a_ca_that_is_no_anchor_it_is_taken(void)
{
	struct scene s;
	begin(&s);
	add_service(&s.snapshot, s.url, HOUR_MS);
	crl_fetch_watch(s.fetch, &s.snapshot);
	wait_for_changes(&s, 1); /* of an intermediate, maybe: whoever uses it has its certificate */
	CU_ASSERT(file_holds(path_of(&s, s.url), content));
	end(&s);
}

static void what_is_not_watched_any_more_is_not_fetched(void)
{
	struct scene s;
	static struct snapshot next;
	char other[128];
	begin(&s);
	next = (struct snapshot){0};
	add_service(&s.snapshot, s.url, OFTEN_MS);
	crl_fetch_watch(s.fetch, &s.snapshot);
	wait_for_changes(&s, 1);
	snprintf(other, sizeof(other), "%s", http_server_url(s.server, "/other.crl"));
	add_service(&next, other, HOUR_MS);
	crl_fetch_watch(s.fetch, &next);
	wait_for_changes(&s, 2);
	/* What ran at that moment is over, and its reference gone. */
	while (s.snapshot.refs > 0) {
		ev_run(s.loop, EVRUN_ONCE);
	}
	unsigned requests = http_server_requests(s.server), before = for_a;
	next.configs[0].client.crl_fetch.interval_ms = OFTEN_MS;
	crl_fetch_watch(s.fetch, &next);
	wait_for_requests(&s, requests + 3);
	CU_ASSERT_EQUAL(for_a, before);
	CU_ASSERT(exists(path_of(&s, other)));
	end(&s);
	CU_ASSERT_EQUAL(next.refs, 0);
}

static void a_stop_while_it_runs_ends_everything(void)
{
	struct scene s;
	begin(&s);
	snprintf(s.url, sizeof(s.url), "%s", http_server_url(s.server, "/hang"));
	add_service(&s.snapshot, s.url, HOUR_MS);
	crl_fetch_watch(s.fetch, &s.snapshot);
	http_server_wait_requests(s.server, 1);
	end(&s); /* under a leak checker */
	CU_ASSERT_EQUAL(s.changes, 0);
}

static const struct unit_test tests[] = {
	{"a CRL is written whole and private", a_crl_is_written_whole_and_private},
	{"the same bytes are no change", the_same_bytes_are_no_change},
	{"PEM is taken, also with several CRLs", pem_is_taken_also_with_several_crls},
	{"what is no CRL is refused", what_is_no_crl_is_refused},
	{"an older one is refused", an_older_one_is_refused},
	{"of the same date, the lower number is refused",
         of_the_same_date_the_lower_number_is_refused},
	{"another CA never takes its place", another_ca_never_takes_its_place},
	{"another key waits until the one in use has ended",
         another_key_waits_until_the_one_in_use_has_ended},
	{"one from the future is refused", one_from_the_future_is_refused},
	{"one that its CA did not sign is refused", one_that_its_ca_did_not_sign_is_refused},
	{"one that nobody can check is taken where there is none",
         one_that_nobody_can_check_is_taken_where_there_is_none},
	{"one that nobody can check replaces another if it may",
         one_that_nobody_can_check_replaces_another_if_it_may},
	{"a forged one from before gives way, whatever it says",
         a_forged_one_from_before_gives_way_whatever_it_says},
	{"what cannot be read is replaced", what_cannot_be_read_is_replaced},
	{"what a crash or a link left is not written through",
         what_a_crash_or_a_link_left_is_not_written_through},
	{"a folder that is not there is told", a_folder_that_is_not_there_is_told},
	{"a fetch is due after the interval, or a little earlier",
         a_fetch_is_due_after_the_interval_or_a_little_earlier},
	{"a nextUpdate is not waited for to pass", a_next_update_is_not_waited_for_to_pass},
	{"failures are retried ever more rarely", failures_are_retried_ever_more_rarely},
	{"a CRL is fetched at once and kept in its file",
         a_crl_is_fetched_at_once_and_kept_in_its_file},
	{"a newer one takes its place", a_newer_one_takes_its_place},
	{"what did not change is not sent again", what_did_not_change_is_not_sent_again},
	{"what may change within its second is asked for whole",
         what_may_change_within_its_second_is_asked_for_whole},
	{"what an earlier life left is used", what_an_earlier_life_left_is_used},
	{"a damaged one is fetched whole", a_damaged_one_is_fetched_whole},
	{"one URL of two services is fetched once", one_url_of_two_services_is_fetched_once},
	{"one that is due when a snapshot comes is fetched once",
         one_that_is_due_when_a_snapshot_comes_is_fetched_once},
	{"failures leave what is there, and are told once",
         failures_leave_what_is_there_and_are_told_once},
	{"another failure is told again", another_failure_is_told_again},
	{"a soft service is not said to refuse", a_soft_service_is_not_said_to_refuse},
	{"one past its end is used, and told", one_past_its_end_is_used_and_told},
	{"a server that hangs is left at the timeout", a_server_that_hangs_is_left_at_the_timeout},
	{"an anchor of that name has to have signed it",
         an_anchor_of_that_name_has_to_have_signed_it},
	{"a CA is found by its name as it is compared", a_ca_is_found_by_its_name_as_it_is_compared},
	{"one of the issuers signs as well as an anchor",
         one_of_the_issuers_signs_as_well_as_an_anchor},
	{"of a CA that is no anchor it is taken", of_a_ca_that_is_no_anchor_it_is_taken},
	{"of a CA that is no anchor none replaces another for soft services",
         of_a_ca_that_is_no_anchor_none_replaces_another_for_soft_services},
	{"what is not watched any more is not fetched", what_is_not_watched_any_more_is_not_fetched},
	{"a stop while it runs ends everything", a_stop_while_it_runs_ends_everything},
};

int main(void)
{
	int status_of_all = unit_run("proxy/crl_fetch", tests, sizeof(tests) / sizeof(tests[0]));
	crl_pki_release();
	return status_of_all;
}
