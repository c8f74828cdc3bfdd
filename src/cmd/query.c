/* tlscribe query: what is on the record, as JSON lines.
 *
 * stdout carries entries alone, whole lines at any end; every sentence goes to stderr. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/err.h"
#include "cmd/cmd.h"
#include "journal/reader.h"

#define OUTPUT_BUFFER (256u << 10)
/* How long one sleep of --follow may be; it ends earlier when there is something. */
#define FOLLOW_MS 1000

enum { EXIT_GOOD = 0, EXIT_BAD = 1, EXIT_USAGE = 2 };

struct query {
	const char *state;
	bool follow;
	bool has_lines;
	uint64_t lines;
	bool has_from;
	uint64_t from;
};

static volatile sig_atomic_t signalled;

static void note_signal(int number)
{
	signalled = number;
}

static void usage(FILE *to)
{
	fputs("usage: tlscribe query --state DIR [OPTION...]\n"
	      "\n"
	      "Prints the recorded events, oldest first, one JSON object a line. The daemon may "
	      "run or not.\n"
	      "\n"
	      "  -s, --state DIR          the state directory\n"
	      "  -f, --follow             go on with new events as they become durable\n"
	      "  -n, --lines N            only the last N\n"
	      "      --from-sequence N    only from event.sequence N on\n"
	      "  -h, --help               this text\n"
	      "\n"
	      "Exit: 0 good; 1 no journal, or one that is damaged; 2 wrong usage.\n",
	      to);
}

/* False, with a sentence: not a plain decimal number. */
static bool parse_number(const char *option, const char *text, uint64_t *out)
{
	char *end = NULL;
	errno = 0;
	unsigned long long n = strtoull(text, &end, 10);
	*out = n;
	/* strtoull() takes spaces and signs. */
	if (*text < '0' || *text > '9' || errno != 0 || *end != '\0') {
		fprintf(stderr, "tlscribe query: %s wants a number, not \"%s\"\n", option, text);
		return false;
	}
	return true;
}

/* EXIT_GOOD: go on; otherwise the exit code, except that *done says that all was said. */
static int parse(struct query *q, int argc, char **argv, bool *done)
{
	enum { FROM_SEQUENCE = 256 };
	static const struct option options[] = {
		{"state", required_argument, NULL, 's'},
		{"follow", no_argument, NULL, 'f'},
		{"lines", required_argument, NULL, 'n'},
		{"from-sequence", required_argument, NULL, FROM_SEQUENCE},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int option;
	optind = 1;
	while ((option = getopt_long(argc, argv, "s:fn:h", options, NULL)) != -1) {
		switch (option) {
		case 's':
			q->state = optarg;
			break;
		case 'f':
			q->follow = true;
			break;
		case 'n':
			q->has_lines = parse_number("--lines", optarg, &q->lines);
			if (!q->has_lines) {
				return EXIT_USAGE;
			}
			break;
		case FROM_SEQUENCE:
			q->has_from = parse_number("--from-sequence", optarg, &q->from);
			if (!q->has_from) {
				return EXIT_USAGE;
			}
			break;
		case 'h':
			usage(stdout);
			*done = true;
			return EXIT_GOOD;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "tlscribe query: what is \"%s\"?\n", argv[optind]);
		return EXIT_USAGE;
	}
	if (q->state == NULL || *q->state == '\0') {
		fputs("tlscribe query: --state is missing\n\n", stderr);
		usage(stderr);
		return EXIT_USAGE;
	}
	return EXIT_GOOD;
}

/* Says what was found, now: behind it a follower may live for weeks. */
static void tell(struct diag *diag)
{
	diag_print(diag, stderr);
	diag_release(diag);
	diag_init(diag);
}

/* The first sequence number to print. */
static int find_start(struct journal_reader *r, const struct query *q)
{
	uint64_t from = q->has_from ? q->from : 0;
	if (q->has_lines) {
		uint64_t end = 0;
		int err = journal_reader_end(r, &end);
		if (err != E_OK) {
			return err;
		}
		uint64_t last = end > q->lines ? end - q->lines : 0;
		from = last > from ? last : from;
	}
	return journal_reader_seek(r, from);
}

static bool print_entry(struct slice entry)
{
	return fwrite(entry.data, 1, entry.len, stdout) == entry.len && putchar('\n') != EOF;
}

/* A sentence, unless the reader has simply gone, or a signal ended the writing. */
static int fail_output(int code)
{
	if (signalled != 0) {
		return code;
	}
	if (errno != EPIPE) {
		fprintf(stderr, "tlscribe query: the output cannot be written: %s\n",
		        strerror(errno));
	}
	return EXIT_BAD;
}

/* Prints until the end, or until a signal. */
static int print_entries(struct journal_reader *r, const struct query *q, struct diag *diag)
{
	int code = EXIT_GOOD;
	while (signalled == 0) {
		struct slice entry;
		uint64_t sequence = 0;
		int err = journal_reader_next(r, &entry, &sequence);
		if (err == E_OK) {
			if (!print_entry(entry)) {
				return fail_output(code);
			}
			continue;
		}
		if (err == E_CORRUPT) {
			/* In order with the lines, should both go to one place. */
			fflush(stdout);
			tell(diag);
			code = EXIT_BAD;
			continue;
		}
		if (err != E_END) {
			tell(diag);
			return EXIT_BAD;
		}
		if (!q->follow) {
			break;
		}
		if (fflush(stdout) == EOF) {
			return fail_output(code);
		}
		journal_reader_wait(r, FOLLOW_MS);
	}
	return code;
}

static void catch_signals(void)
{
	/* Without SA_RESTART: a sleep ends. SIGPIPE keeps its meaning: who reads no more needs no
	 * more. */
	struct sigaction action = {.sa_handler = note_signal};
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

int cmd_query(int argc, char **argv)
{
	struct query q = {0};
	bool done = false;
	int code = parse(&q, argc, argv, &done);
	if (code != EXIT_GOOD || done) {
		return code;
	}
	struct diag diag;
	diag_init(&diag);
	struct journal_reader *r = NULL;
	int err = journal_reader_open(&r, q.state, &diag);
	if (err != E_OK) {
		if (diag.errors == 0) {
			fprintf(stderr, "tlscribe query: %s\n", err_text(err));
		}
		tell(&diag);
		diag_release(&diag);
		return EXIT_BAD;
	}
	bool damaged = diag.errors > 0;
	tell(&diag);
	setvbuf(stdout, NULL, _IOFBF, OUTPUT_BUFFER);
	catch_signals();
	err = find_start(r, &q);
	if (err == E_OK) {
		code = print_entries(r, &q, &diag);
	} else {
		tell(&diag);
		code = EXIT_BAD;
	}
	if (fflush(stdout) == EOF) {
		code = fail_output(code);
	}
	journal_reader_close(&r);
	diag_release(&diag);
	if (signalled != 0 && !q.follow) {
		/* Cut short: as the shell shows it. A follower has no other end. */
		return 128 + signalled;
	}
	return damaged ? EXIT_BAD : code;
}
