/* CRLs and lists are read again when their files change: no signal is needed, and nothing else of the configuration is looked at.
 *
 * The files are looked at once a second; what changed is taken when it has been the same for two looks, so that one that is
 * being written is left alone. What cannot be read leaves everything as it was, with a word in the log. The new lists are in force when their
 * audit.config entry (reason "lists") is durable.
 *
 * Thread: the main thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct engine;

struct renewal {
	uint8_t seen[32];    /* how the files were at the last look */
	uint8_t applied[32]; /* when they were read */
	bool failed;         /* when they were read, one could not be */
	int64_t stale_until_s; /* the next moment at which a CRL in force becomes out of date; 0: look for it */
};

/* Another configuration is in force. */
void renew_restart(struct engine *e);
/* Once a second. */
void renew_look(struct engine *e);
