/* One URL of a CRL: what came from there, and what the operator is told of it. Private to crl_fetch.c.
 *
 * Thread: the main thread, but for source_evaluate(). */
#pragma once

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/queue.h"
#include "net/fetcher.h"
#include "proxy/crl_fetch_file.h"

#define CRL_FETCH_SENTENCE_LEN 1024
/* RFC 9110 8.8.2.2: what was modified in the very second in which it was fetched may be modified once more, and Last-Modified stay.
 * Until it is so old, with room for clocks that differ, the next fetch is unconditional. */
#define CRL_FETCH_SETTLED_S 60

struct crl_fetch;
struct snapshot;

/* The fetcher's thread has what is below "fetched" while it is running, and reads url, path and whose. */
struct source {
	struct queue_node node;
	struct crl_fetch *owner;
	struct source *next;
	char *url;
	struct buf path; /* with its NUL */
	uint64_t interval_ms, timeout_ms;
	uint64_t planned_ms; /* the interval that `timer` runs by */
	size_t max_bytes;
	bool hard;   /* one of its services refuses whom no current CRL speaks of */
	bool wanted; /* by the watched snapshot */
	bool running;
	bool whole; /* the next fetch is unconditional */
	bool told_well;
	unsigned failures; /* in a row */
	struct ev_timer timer;
	char told[CRL_FETCH_SENTENCE_LEN]; /* the last complaint; "" once all is well */
	/* fetched */
	struct fetch fetch;
	struct snapshot *whose; /* a reference while it is running: for its trust */
	struct crl_facts facts; /* of what is there */
	bool looked;            /* `facts` are known */
	bool settled;           /* what is there was no longer new when it came */
	bool changed;
	char error[CRL_FETCH_ERROR_LEN]; /* "": it went well */
};

/* What was fetched, for better or worse: writes the file, and sets facts, changed and error. While `done` runs, in the fetcher's thread. */
void source_evaluate(struct source *source);
/* Logs `error` and what it means for the services, unless that was said last. */
void source_complain(struct source *source);
/* Logs that all is well, the first time and after complaints. */
void source_tell_well(struct source *source);
