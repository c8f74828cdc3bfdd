/* The whole proxy: configuration, sockets, journal and shards, started, reloaded and stopped by the main thread.
 *
 * Thread: the main thread. */
#pragma once

struct engine;

/* Reads and checks the configuration, binds, drops to `user`, opens the journal, records audit.start and audit.config, and only
 * then accepts. Says on stderr what is wrong. E_INVALID: the configuration; others: the machine. */
int engine_start(struct engine **out, const char *config_path);
/* Serves until SIGTERM or SIGINT, reloads on SIGHUP. Returns when everything is drained and recorded. */
void engine_run(struct engine *e);
/* Frees. */
void engine_stop(struct engine **e);
