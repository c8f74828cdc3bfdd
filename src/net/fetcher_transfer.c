#include "net/fetcher_transfer.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/bug.h"
#include "base/err.h"

#define REDIRECTS_MAX 3L
#define HEAD_BYTES_MAX (64 << 10)
/* Long enough for two lost SYNs; what is to be quicker has a shorter timeout as a whole. */
#define CONNECT_MS_MAX 10000

/* --- what is asked --- */

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
	/* RFC 9110 15.4: nobody on the way can have a hand in what was asked for over https. */
	SET(REDIR_PROTOCOLS_STR,
	    strncasecmp(transfer->fetch->url, "https:", 6) == 0 ? "https" : "http,https");
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

bool transfer_init(struct transfer *transfer, struct fetch *fetch, uint64_t left_ms)
{
	transfer->fetch = fetch;
	buf_init(&transfer->body, fetch->max_bytes);
	transfer->easy = curl_easy_init();
	if (transfer->easy == NULL || !set_options(transfer, left_ms)) {
		transfer_release(transfer);
		return false;
	}
	return true;
}

void transfer_release(struct transfer *transfer)
{
	curl_easy_cleanup(transfer->easy); /* NULL is fine */
	curl_slist_free_all(transfer->headers);
	buf_release(&transfer->body);
	*transfer = (struct transfer){0};
}

/* --- what came of it --- */

void transfer_describe_timeout(struct fetch *fetch)
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
static void describe_error(struct transfer *transfer, CURLcode code)
{
	struct fetch *fetch = transfer->fetch;
	const char *error = "";
	fetch->err = E_IO;
	switch (code) {
	case CURLE_OK:
		fetch->err = E_OK;
		break;
	case CURLE_OPERATION_TIMEDOUT:
		transfer_describe_timeout(fetch);
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
		error = strncasecmp(fetch->url, "https:", 6) == 0
		                ? "it leads to something else than https"
		                : "it leads to something else than http or https";
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

void transfer_describe(struct transfer *transfer, CURLcode code)
{
	struct fetch *fetch = transfer->fetch;
	curl_off_t modified = -1;
	describe_error(transfer, code);
	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &fetch->status);
	curl_easy_getinfo(transfer->easy, CURLINFO_FILETIME_T, &modified);
	fetch->last_modified_s = modified > 0 ? (int64_t)modified : 0;
}
