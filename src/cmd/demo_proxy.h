/* The proxy of the demo: a child process that is this very program, `tlscribe run`, with a configuration made for it.
 *
 * Thread: main. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cmd/demo_client.h"

#define DEMO_HANDSHAKE_S 2 /* limits.handshake_time: the silent client waits as long */

struct demo_proxy {
	const char *dir;   /* of the PKI; configuration and log go there, too */
	const char *state; /* absolute */
	uint16_t ports[DEMO_LISTENER_COUNT];
	pid_t pid;  /* 0: not running */
	int status; /* of waitpid(), once it has ended */
};

/* Writes DIR/tlscribe.yaml and starts the child; dir and state are kept by the caller. The ports answer a
 * little later. Errors were said on stderr. */
int demo_proxy_start(struct demo_proxy *proxy, const char *dir, const char *state,
                     uint16_t backend_port);
bool demo_proxy_alive(struct demo_proxy *proxy);
/* Copies what the child logged to stderr. */
void demo_proxy_show_log(const struct demo_proxy *proxy);
/* SIGTERM, then patience, then SIGKILL. Returns once the child is gone. */
void demo_proxy_stop(struct demo_proxy *proxy);
