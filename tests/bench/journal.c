/* What the journal alone can do: events per second and the wait for durability, with 1, 8 and 64
 * events in flight.
 *
 *     journal DIR [EVENTS [BYTES]]       default 20000 events of 800 bytes for each line
 *
 * DIR must not exist; STATE directories are made in it and left there. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/err.h"
#include "event/event.h"
#include "journal/journal.h"

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* `flight` tickets are open at any time; an event's wait is from its submission to when it was seen
 * durable. */
static int measure(const char *dir, size_t flight, size_t events, size_t bytes)
{
	char state[4096];
	snprintf(state, sizeof(state), "%s/flight-%zu", dir, flight);
	struct journal_options options = {.state = state, .origin = "bench.example", .node = "bench"};
	struct journal_found found;
	struct journal_producer *p = NULL;
	struct journal *j = NULL;
	struct diag diag;
	diag_init(&diag);
	char *body = malloc(bytes);
	uint64_t *submitted = calloc(events + 1, sizeof(*submitted));
	uint64_t *waits = calloc(events + 1, sizeof(*waits));
	int err = body == NULL || submitted == NULL || waits == NULL ? E_NOMEM : E_OK;
	if (err == E_OK) {
		memset(body, 'x', bytes);
		err = journal_open(&j, &options, &found, &diag);
	}
	if (err == E_OK) {
		err = journal_producer_new(j, &p, NULL, NULL);
	}
	if (err == E_OK) {
		err = journal_start(j);
	}
	uint64_t begin = clock_mono_ns();
	uint64_t ticket = 0;
	uint64_t durable = 0;
	while (err == E_OK && durable < events) {
		while (err == E_OK && ticket < events && ticket - durable < flight) {
			submitted[ticket + 1] = clock_mono_ns();
			err = journal_submit(p, slice_of(body, bytes), &ticket);
		}
		if (err == E_OK) {
			err = journal_wait(p, durable + 1, 60000);
		}
		uint64_t now = clock_mono_ns();
		for (uint64_t seen = journal_durable(p); durable < seen;) {
			durable++;
			waits[durable - 1] = now - submitted[durable];
		}
	}
	double seconds = (double)(clock_mono_ns() - begin) / 1e9;
	if (err == E_OK) {
		struct journal_stats stats;
		journal_stats(j, &stats);
		qsort(waits, events, sizeof(*waits), compare);
		printf("%9zu %12.0f %10.1f %10.1f %12.1f %8llu %6llu\n", flight,
		       (double)events / seconds, (double)waits[events / 2] / 1e3,
		       (double)waits[events * 99 / 100] / 1e3,
		       (double)events / (double)stats.commits, (unsigned long long)stats.files,
		       (unsigned long long)stats.prepared_late);
		fflush(stdout);
	} else {
		diag_print(&diag, stderr);
		fprintf(stderr, "journal: %s\n", err_text(err));
	}
	journal_stop(&j);
	diag_release(&diag);
	free(body);
	free(submitted);
	free(waits);
	return err;
}

int main(int argc, char **argv)
{
	static const size_t flights[] = {1, 8, 64, 1000, 20000};
	if (argc < 2 || argc > 4) {
		fputs("usage: journal DIR [EVENTS [BYTES]]\n", stderr);
		return 2;
	}
	size_t events = argc > 2 ? strtoul(argv[2], NULL, 10) : 20000;
	size_t bytes = argc > 3 ? strtoul(argv[3], NULL, 10) : 800;
	if (events == 0 || bytes == 0 || bytes > EVENT_BODY_MAX) {
		fprintf(stderr, "journal: 1 event at least, of 1 to %zu bytes\n",
		        (size_t)EVENT_BODY_MAX);
		return 2;
	}
	if (mkdir(argv[1], 0700) == -1) {
		fprintf(stderr, "journal: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	printf("%9s %12s %10s %10s %12s %8s %6s\n", "in flight", "events/s", "p50 us", "p99 us",
	       "events/sync", "files", "late");
	for (size_t i = 0; i < sizeof(flights) / sizeof(flights[0]); i++) {
		if (measure(argv[1], flights[i], events, bytes) != E_OK) {
			return 1;
		}
	}
	return 0;
}
