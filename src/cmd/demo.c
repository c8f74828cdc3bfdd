/* tlscribe demo: a proxy, a back end and a client for every class, and what the journal says about each. */
#include "cmd/cmd.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/log.h"
#include "cmd/demo_backend.h"
#include "cmd/demo_client.h"
#include "cmd/demo_pki.h"
#include "cmd/demo_places.h"
#include "cmd/demo_proxy.h"
#include "cmd/demo_table.h"
#include "journal/reader.h"

#define START_PATIENCE_MS 15000
#define RECORD_PATIENCE_MS 10000

/* A client that has dialled, and what its event has to say. */
struct expected {
	const struct demo_case *what;
	struct demo_dialled dialled;
	bool dialled_at_all;
	bool seen;
	bool good;
};

struct demo {
	bool once;
	struct demo_places places;
	struct demo_pki pki;
	struct demo_backend *backend;
	struct demo_proxy proxy;
	struct journal_reader *reader;
	struct diag diag;
	struct demo_table table;
	struct expected *expected;
	size_t expected_count;
	size_t dialled_count;
};

/* Connecting and leaving at once is how the demo sees that a port answers. It is a client like any other. */
static const struct demo_case probes[DEMO_LISTENER_COUNT] = {
	{DEMO_STRICT, NULL, DEMO_ACT_LEAVE, DEMO_NOBODY, CLASS_PEER_CLOSED, DECISION_DENY},
	{DEMO_PASSTHROUGH, NULL, DEMO_ACT_LEAVE, DEMO_NOBODY, CLASS_PEER_CLOSED, DECISION_DENY},
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	stop = number;
}

static uint64_t now_ms(void)
{
	return clock_mono_ns() / 1000000;
}

static void nap(void)
{
	const struct timespec ms20 = {0, 20 * 1000 * 1000};
	nanosleep(&ms20, NULL);
}

static const char *listener_name(enum demo_listener listener)
{
	return listener == DEMO_STRICT ? "strict" : "passthrough";
}

static void compare(struct demo *demo, struct expected *e, const struct demo_row *row)
{
	const char *class = peer_class_row(e->what->class)->name;
	const char *decision = decision_name(e->what->decision);
	e->seen = true;
	e->good = strcmp(row->class, class) == 0 && strcmp(row->decision, decision) == 0;
	if (!e->good) {
		demo_table_remark(&demo->table, "expected %s, %s", class, decision);
		return;
	}
	if (e->dialled.answered != (e->what->decision != DECISION_DENY)) {
		e->good = false;
		demo_table_remark(&demo->table, e->dialled.answered
		                                        ? "yet the back end answered"
		                                        : "yet the client got no answer");
	}
}

static void take_event(struct demo *demo, struct slice event)
{
	struct demo_row row;
	if (!demo_row_read(&row, event)) {
		return;
	}
	demo_table_row(&demo->table, &row);
	for (size_t i = 0; i < demo->dialled_count; i++) {
		struct expected *e = &demo->expected[i];
		/* Two connections may share a source port where they go to different listeners. */
		if (e->dialled_at_all && !e->seen && e->dialled.port == row.source_port &&
		    demo->proxy.ports[e->what->listener] == row.destination_port) {
			compare(demo, e, &row);
			return;
		}
	}
}

/* Said, or no error after all. */
static void forget_diag(struct demo *demo)
{
	diag_release(&demo->diag);
	diag_init(&demo->diag);
}

/* Follows the journal until *until, a signal, the proxy's end or the deadline. NULL: until nothing. */
static void follow(struct demo *demo, const bool *until, uint64_t deadline_ms)
{
	while (stop == 0 && (until == NULL || !*until)) {
		struct slice event;
		uint64_t sequence;
		int err = journal_reader_next(demo->reader, &event, &sequence);
		if (err == E_OK) {
			take_event(demo, event);
			continue;
		}
		if (err != E_END) {
			diag_print(&demo->diag, stderr);
			forget_diag(demo);
		}
		if (err == E_CORRUPT) {
			continue;
		}
		if (err != E_END) {
			return;
		}
		if (now_ms() >= deadline_ms || !demo_proxy_alive(&demo->proxy)) {
			return;
		}
		journal_reader_wait(demo->reader, 100);
	}
}

static struct expected *expect(struct demo *demo, const struct demo_case *what)
{
	struct expected *e = &demo->expected[demo->dialled_count++];
	*e = (struct expected){.what = what, .dialled = {.fd = -1, .alert = -1}};
	return e;
}

static int await_port(struct demo *demo, const struct demo_case *probe)
{
	struct expected *e = expect(demo, probe);
	uint64_t deadline = now_ms() + START_PATIENCE_MS;
	while (stop == 0 && now_ms() < deadline && demo_proxy_alive(&demo->proxy)) {
		int fd;
		if (demo_connect(demo->proxy.ports[probe->listener], &fd, &e->dialled.port) == E_OK) {
			close(fd);
			e->dialled_at_all = true;
			return E_OK;
		}
		nap();
	}
	if (stop == 0) {
		log_error("demo: the proxy does not answer");
		demo_proxy_show_log(&demo->proxy);
	}
	return E_TIMEOUT;
}

/* An older journal may be there already (--state): rows begin behind its end. */
static int old_end(struct demo *demo, uint64_t *first_new)
{
	struct journal_reader *reader;
	*first_new = 0;
	int err = journal_reader_open(&reader, demo->places.state, &demo->diag);
	if (err != E_OK) {
		return err == E_NOT_FOUND ? E_OK : err;
	}
	err = journal_reader_end(reader, first_new);
	journal_reader_close(&reader);
	return err;
}

/* The proxy listens before it opens its journal, so that may take a moment more. */
static int open_journal(struct demo *demo, uint64_t first_new)
{
	uint64_t deadline = now_ms() + START_PATIENCE_MS;
	int err;
	forget_diag(demo);
	while ((err = journal_reader_open(&demo->reader, demo->places.state, &demo->diag)) ==
	               E_NOT_FOUND &&
	       stop == 0 && now_ms() < deadline && demo_proxy_alive(&demo->proxy)) {
		forget_diag(demo);
		nap();
	}
	return err == E_OK ? journal_reader_seek(demo->reader, first_new) : err;
}

static int start(struct demo *demo)
{
	int err = demo_pki_make(&demo->pki, demo->places.dir);
	if (err != E_OK) {
		return err;
	}
	uint64_t first_new;
	uint16_t port;
	err = old_end(demo, &first_new);
	if (err != E_OK) {
		diag_print(&demo->diag, stderr);
		log_error("demo: cannot read the journal in %s: %s", demo->places.state,
		          err_text(err));
		return err;
	}
	err = demo_backend_start(&demo->backend, &port);
	if (err != E_OK) {
		log_error("demo: cannot start the back end: %s", err_text(err));
		return err;
	}
	err = demo_proxy_start(&demo->proxy, demo->places.dir, demo->places.state, port);
	for (size_t i = 0; err == E_OK && i < DEMO_LISTENER_COUNT; i++) {
		err = await_port(demo, &probes[i]);
	}
	if (err != E_OK) {
		return err;
	}
	err = open_journal(demo, first_new);
	if (err != E_OK && stop == 0) {
		diag_print(&demo->diag, stderr);
		log_error("demo: cannot open the journal in %s: %s", demo->places.state,
		          err_text(err));
		demo_proxy_show_log(&demo->proxy);
	}
	return err;
}

static void dial_all(struct demo *demo)
{
	demo_table_head(&demo->table);
	for (size_t i = 0; i < demo_case_count && stop == 0; i++) {
		const struct demo_case *what = &demo_cases[i];
		struct expected *e = expect(demo, what);
		int err =
			demo_dial(&e->dialled, what, demo->proxy.ports[what->listener], &demo->pki);
		if (err != E_OK) {
			log_error("demo: a client cannot dial: %s", err_text(err));
			continue;
		}
		e->dialled_at_all = true;
		if (e->dialled.fd == -1) {
			follow(demo, &e->seen, now_ms() + RECORD_PATIENCE_MS);
		}
	}
	/* Those whose event takes its time by design. */
	for (size_t i = 0; i < demo->dialled_count; i++) {
		struct expected *e = &demo->expected[i];
		if (e->dialled_at_all) {
			follow(demo, &e->seen,
			       now_ms() + DEMO_HANDSHAKE_S * 1000 + RECORD_PATIENCE_MS);
		}
		if (e->dialled.fd != -1) {
			close(e->dialled.fd);
			e->dialled.fd = -1;
		}
	}
}

static bool summarise(const struct demo *demo)
{
	size_t good = 0;
	for (size_t i = 0; i < demo->dialled_count; i++) {
		const struct expected *e = &demo->expected[i];
		if (e->good) {
			good++;
			continue;
		}
		printf("%s: %s, %s at the %s listener, source port %u\n",
		       e->seen ? "different" : "missing", peer_class_row(e->what->class)->name,
		       decision_name(e->what->decision), listener_name(e->what->listener),
		       (unsigned)e->dialled.port);
	}
	printf("%zu of %zu handshakes recorded as expected\n", good, demo->expected_count);
	return good == demo->expected_count;
}

static void print_hints(const struct demo *demo)
{
	unsigned strict = demo->proxy.ports[DEMO_STRICT];
	unsigned passthrough = demo->proxy.ports[DEMO_PASSTHROUGH];
	const char *dir = demo->places.dir;
	printf("\nThe proxy stays up. Dial in yourself: strict on port %u, passthrough on port "
	       "%u.\n\n",
	       strict, passthrough);
	const struct {
		const char *identity;
		unsigned port;
	} curls[] = {{"valid", strict}, {"expired", strict}, {"expired", passthrough}};
	for (size_t i = 0; i < sizeof(curls) / sizeof(curls[0]); i++) {
		printf("curl --cacert '%s/root.pem' --cert '%s/%s.pem' --key '%s/%s.key' \\\n"
		       "     --resolve api.demo.test:%u:127.0.0.1 https://api.demo.test:%u/\n",
		       dir, dir, curls[i].identity, dir, curls[i].identity, curls[i].port,
		       curls[i].port);
	}
	printf("openssl s_client -connect 127.0.0.1:%u -servername api.demo.test -CAfile "
	       "'%s/root.pem' \\\n"
	       "     -cert '%s/self-signed.pem' -key '%s/self-signed.key'\n",
	       strict, dir, dir, dir);
	printf("tlscribe query --state '%s' --follow\n\nCtrl-C ends it.\n\n", demo->places.state);
	fflush(stdout);
}

static void finish(struct demo *demo)
{
	for (size_t i = 0; i < demo->dialled_count; i++) {
		if (demo->expected[i].dialled.fd != -1) {
			close(demo->expected[i].dialled.fd);
		}
	}
	demo_proxy_stop(&demo->proxy);
	demo_backend_stop(&demo->backend);
	journal_reader_close(&demo->reader);
	demo_pki_release(&demo->pki);
	diag_release(&demo->diag);
	free(demo->expected);
	demo_places_remove(&demo->places);
}

static int run(struct demo *demo)
{
	const struct sigaction act = {.sa_handler = on_signal}; /* no SA_RESTART: waits end */
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	signal(SIGPIPE, SIG_IGN);

	diag_init(&demo->diag);
	demo_table_init(&demo->table, stdout);
	demo->expected_count = demo_case_count + DEMO_LISTENER_COUNT;
	demo->expected = calloc(demo->expected_count, sizeof(*demo->expected));
	bool good = false;
	if (demo->expected == NULL) {
		log_error("demo: %s", err_text(E_NOMEM));
	} else if (start(demo) == E_OK) {
		dial_all(demo);
		good = summarise(demo);
		if (!demo_proxy_alive(&demo->proxy)) {
			good = false;
			log_error("demo: the proxy has ended");
			demo_proxy_show_log(&demo->proxy);
		} else if (!demo->once && stop == 0) {
			print_hints(demo);
			follow(demo, NULL, UINT64_MAX);
		}
	}
	finish(demo);
	return good ? 0 : 1;
}

static void usage(FILE *to)
{
	fputs("usage: tlscribe demo [--once] [--state DIR]\n\n"
	      "Starts a proxy with a throw-away PKI on loopback, dials in with a client of every "
	      "class and\n"
	      "shows each handshake as it is recorded. Then stays up until Ctrl-C.\n\n"
	      "  --once       end after the last client; exit 1 unless all was recorded as "
	      "expected\n"
	      "  --state DIR  keep the journal in DIR; default: a temporary directory, removed at "
	      "the end\n"
	      "  --help       this text\n",
	      to);
}

int cmd_demo(int argc, char **argv)
{
	static const struct option options[] = {
		{"once", no_argument, NULL, 'o'},
		{"state", required_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	static struct demo demo;
	const char *state = NULL;
	int option;
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 'o':
			demo.once = true;
			break;
		case 's':
			state = optarg;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind != argc || (state != NULL && *state == '\0')) {
		usage(stderr);
		return 2;
	}
	if (demo_places_make(&demo.places, state) != E_OK) {
		return 1;
	}
	return run(&demo);
}
