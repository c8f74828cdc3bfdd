/* The load of the benchmark: mutual TLS 1.3 handshakes, each with one small HTTP exchange or with many, over loopback.
 *
 *   load rate PORT NAME SECONDS IN_FLIGHT CERT:KEY...    closed loop: a new connection for each that ended
 *   load requests PORT NAME SECONDS IN_FLIGHT SIZE CERT:KEY...   the same connections all the time, a new request for each answer of SIZE bytes
 *   load hold PORT NAME COUNT CERT:KEY...                opens COUNT, one exchange each, keeps them until stdin ends
 *
 * `rate` and `requests` print one JSON line at the end: exchanges done and failed, the seconds they took, and the latency of a whole one
 * (connect, or the request, to the last byte) and of its handshake alone. Nothing is in flight when the line is printed, so that whoever reads
 * the server's CPU time before and after can divide. `hold` prints {"held": N} once all are up. The certificates are used
 * in turn. One thread, epoll, OpenSSL. The server's chain is not verified: that is work of this side only. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define SAMPLES_MAX 2000000
#define SOURCES 8 /* 127.0.0.1 ... 127.0.0.8: ports in TIME_WAIT do not run out */
#define PATIENCE_NS 30000000000LL

enum stage { STAGE_HANDSHAKE, STAGE_WRITE, STAGE_READ, STAGE_HELD };

struct client {
	int fd; /* -1: not in use */
	SSL *ssl;
	enum stage stage;
	int64_t started_ns;
	int64_t shaken_ns;
	size_t got;
	char first[16];
	size_t need; /* requests: bytes of the answer still to come */
};

struct load {
	uint16_t port;
	const char *name;
	bool hold;
	bool requests;
	SSL_CTX **contexts;
	size_t context_count;
	int epoll;
	struct client *clients;
	size_t client_count;
	char request[512];
	int request_len;
	int64_t until_ns;
	unsigned long opened;
	unsigned long done;
	unsigned long failed;
	size_t live;
	size_t held;
	uint32_t *whole_us;
	uint32_t *shake_us;
	size_t samples;
};

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	ERR_print_errors_fp(stderr);
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static SSL_CTX *make_context(char *pair)
{
	char *colon = strchr(pair, ':');
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	if (colon == NULL || ctx == NULL) {
		die("CERT:KEY");
	}
	*colon = '\0';
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	if (SSL_CTX_set1_groups_list(ctx, "X25519:P-256") != 1 ||
	    SSL_CTX_use_certificate_chain_file(ctx, pair) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, colon + 1, SSL_FILETYPE_PEM) != 1) {
		die(pair);
	}
	return ctx;
}

static void open_client(struct load *load, struct client *c)
{
	unsigned long n = load->opened++;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd == -1) {
		die("socket");
	}
	const int one = 1;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	struct sockaddr_in at = {.sin_family = AF_INET};
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(n % SOURCES));
	if (bind(c->fd, (struct sockaddr *)&at, sizeof(at)) == -1) {
		die("bind");
	}
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	at.sin_port = htons(load->port);
	c->started_ns = now_ns();
	if (connect(c->fd, (struct sockaddr *)&at, sizeof(at)) == -1 && errno != EINPROGRESS) {
		die("connect");
	}
	c->ssl = SSL_new(load->contexts[n % load->context_count]);
	if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1 ||
	    SSL_set_tlsext_host_name(c->ssl, load->name) != 1) {
		die("SSL_new");
	}
	SSL_set_connect_state(c->ssl);
	c->stage = STAGE_HANDSHAKE;
	c->got = c->need = 0;
	load->live++;
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
	if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, c->fd, &ev) == -1) {
		die("epoll_ctl");
	}
}

static void count(struct load *load, const struct client *c, int64_t now)
{
	load->done++;
	if (load->samples < SAMPLES_MAX) {
		load->whole_us[load->samples] = (uint32_t)((now - c->started_ns) / 1000);
		load->shake_us[load->samples] = (uint32_t)((c->shaken_ns - c->started_ns) / 1000);
		load->samples++;
	}
}

static void close_client(struct load *load, struct client *c, bool good)
{
	int64_t now = now_ns();
	if (good) {
		SSL_shutdown(c->ssl);
		if (!load->requests) {
			count(load, c, now);
		}
	} else {
		load->failed++;
		ERR_clear_error();
	}
	SSL_free(c->ssl);
	close(c->fd);
	c->fd = -1;
	load->live--;
	if (!load->hold && now < load->until_ns) {
		open_client(load, c);
	}
}

/* True: there is nothing to do until the socket says so. */
static bool must_wait(const struct client *c, int result)
{
	int why = SSL_get_error(c->ssl, result);
	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

/* Bytes of the answer whose head stands at the start of what was read; 0: it is none. */
static size_t answer_length(const char *bytes, size_t n)
{
	const char *end = memmem(bytes, n, "\r\n\r\n", 4);
	const char *length = memmem(bytes, n, "ength: ", 7); /* haproxy writes it in lower case */
	if (end == NULL || length == NULL || n < 12 || memcmp(bytes, "HTTP/1.1 200", 12) != 0) {
		return 0;
	}
	return (size_t)(end - bytes) + 4 + (size_t)atol(length + 7);
}

/* Many answers on one connection. False: it is over. */
static bool take_answer(struct load *load, struct client *c, const char *bytes, size_t n)
{
	if (c->need == 0) {
		c->need = answer_length(bytes, n);
	}
	if (c->need < n) { /* more than was asked for, or no answer at all */
		close_client(load, c, false);
		return false;
	}
	c->need -= n;
	if (c->need > 0) {
		return true;
	}
	int64_t now = now_ns();
	count(load, c, now);
	if (now >= load->until_ns) {
		close_client(load, c, true);
		return false;
	}
	c->started_ns = now;
	if (SSL_write(c->ssl, load->request, load->request_len) <= 0) { /* some 100 bytes always go */
		close_client(load, c, false);
		return false;
	}
	return true;
}

static void read_answer(struct load *load, struct client *c)
{
	char bytes[16384];
	for (;;) {
		int n = SSL_read(c->ssl, bytes, sizeof(bytes));
		if (n > 0 && load->requests) {
			if (!take_answer(load, c, bytes, (size_t)n)) {
				return;
			}
			continue;
		}
		if (n > 0) {
			for (int i = 0; i < n && c->got + (size_t)i < sizeof(c->first); i++) {
				c->first[c->got + (size_t)i] = bytes[i];
			}
			c->got += (size_t)n;
			/* The back end's answer is small and comes in one write. */
			if (load->hold) {
				c->stage = STAGE_HELD;
				load->held++;
				load->done++;
				return;
			}
			continue;
		}
		if (must_wait(c, n)) {
			return;
		}
		close_client(load, c, c->got > 12 && memcmp(c->first, "HTTP/1.1 200", 12) == 0);
		return;
	}
}

static void advance(struct load *load, struct client *c)
{
	if (c->stage == STAGE_HANDSHAKE) {
		int result = SSL_do_handshake(c->ssl);
		if (result != 1) {
			if (!must_wait(c, result)) {
				close_client(load, c, false);
			}
			return;
		}
		c->shaken_ns = now_ns();
		if (load->requests) {
			c->started_ns = c->shaken_ns;
		}
		c->stage = STAGE_WRITE;
	}
	if (c->stage == STAGE_WRITE) {
		int n = SSL_write(c->ssl, load->request, load->request_len);
		if (n <= 0) {
			if (!must_wait(c, n)) {
				close_client(load, c, false);
			}
			return;
		}
		c->stage = STAGE_READ;
	}
	if (c->stage == STAGE_READ) {
		read_answer(load, c);
	} else if (c->stage == STAGE_HELD) {
		char byte;
		int n = SSL_read(c->ssl, &byte, 1);
		if (n <= 0 && !must_wait(c, n)) {
			load->held--;
			close_client(load, c, false);
		}
	}
}

static void poll_once(struct load *load, int timeout_ms)
{
	struct epoll_event ready[256];
	int n = epoll_wait(load->epoll, ready, 256, timeout_ms);
	for (int i = 0; i < n; i++) {
		struct client *c = ready[i].data.ptr;
		if (c != NULL && c->fd != -1) {
			advance(load, c);
		}
	}
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static unsigned quantile(const uint32_t *sorted, size_t n, double q)
{
	return n == 0 ? 0 : sorted[(size_t)(q * (double)(n - 1) + 0.5)];
}

static int rate(struct load *load)
{
	int64_t start = now_ns();
	for (size_t i = 0; i < load->client_count; i++) {
		open_client(load, &load->clients[i]);
	}
	while (load->live > 0 && now_ns() < load->until_ns + PATIENCE_NS) {
		poll_once(load, 100);
	}
	double seconds = (double)(now_ns() - start) / 1e9;
	qsort(load->whole_us, load->samples, sizeof(uint32_t), by_size);
	qsort(load->shake_us, load->samples, sizeof(uint32_t), by_size);
	printf("{\"done\": %lu, \"failed\": %lu, \"seconds\": %.4f, \"p50_us\": %u, \"p99_us\": "
	       "%u, "
	       "\"handshake_p50_us\": %u, \"handshake_p99_us\": %u}\n",
	       load->done, load->failed + load->live, seconds,
	       quantile(load->whole_us, load->samples, 0.5),
	       quantile(load->whole_us, load->samples, 0.99),
	       quantile(load->shake_us, load->samples, 0.5),
	       quantile(load->shake_us, load->samples, 0.99));
	return 0;
}

static int hold(struct load *load)
{
	struct rlimit files;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) == -1 || files.rlim_cur < load->client_count + 16) {
		errno = EMFILE;
		die("RLIMIT_NOFILE");
	}
	int64_t deadline = now_ns() + 8 * PATIENCE_NS;
	for (size_t i = 0; i < load->client_count; i++) {
		/* A few at a time: the listen queue of each server is finite. */
		while (load->live - load->held >= 32 && now_ns() < deadline) {
			poll_once(load, 100);
		}
		open_client(load, &load->clients[i]);
	}
	while (load->held + load->failed < load->client_count && now_ns() < deadline) {
		poll_once(load, 100);
	}
	printf("{\"held\": %zu, \"failed\": %lu}\n", load->held, load->failed);
	fflush(stdout);
	/* Whoever measures closes our stdin when done. */
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
	if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &ev) == -1) {
		die("stdin has to be a pipe");
	}
	char byte;
	fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
	while (read(STDIN_FILENO, &byte, 1) != 0) {
		poll_once(load, 1000);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct load load = {0};
	load.requests = argc > 7 && strcmp(argv[1], "requests") == 0;
	bool rating = load.requests || (argc > 6 && strcmp(argv[1], "rate") == 0);
	load.hold = argc > 5 && strcmp(argv[1], "hold") == 0;
	if (!rating && !load.hold) {
		fprintf(stderr,
		        "usage: load rate PORT NAME SECONDS IN_FLIGHT CERT:KEY...\n"
		        "       load requests PORT NAME SECONDS IN_FLIGHT SIZE CERT:KEY...\n"
		        "       load hold PORT NAME COUNT CERT:KEY...\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	load.port = (uint16_t)atoi(argv[2]);
	load.name = argv[3];
	load.client_count = (size_t)atol(argv[rating ? 5 : 4]);
	int first = load.requests ? 7 : rating ? 6 : 5;
	load.context_count = (size_t)(argc - first);
	load.contexts = calloc(load.context_count, sizeof(SSL_CTX *));
	load.clients = calloc(load.client_count, sizeof(struct client));
	load.whole_us = calloc(SAMPLES_MAX, sizeof(uint32_t));
	load.shake_us = calloc(SAMPLES_MAX, sizeof(uint32_t));
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (load.contexts == NULL || load.clients == NULL || load.whole_us == NULL ||
	    load.shake_us == NULL || load.epoll == -1) {
		die("start");
	}
	for (int i = first; i < argc; i++) {
		load.contexts[i - first] = make_context(argv[i]);
	}
	load.request_len = snprintf(load.request, sizeof(load.request),
	                            "GET /%s HTTP/1.1\r\nHost: %s\r\nConnection: %s\r\n\r\n",
	                            load.requests ? argv[6] : "", load.name,
	                            load.hold || load.requests ? "keep-alive" : "close");
	load.until_ns = now_ns() + (rating ? (int64_t)(atof(argv[4]) * 1e9) : 0);
	return rating ? rate(&load) : hold(&load);
}
