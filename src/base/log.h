/* Plain sentences to stderr for whoever runs the daemon; the audit trail is the journal, not this.
 *
 * Under systemd (JOURNAL_STREAM names our stderr) each line starts with its sd-daemon level, "<3>".
 * Elsewhere "tlscribe: error: ...". Never pass secrets, never bytes of a peer. A sentence is cut
 * at 1,000 bytes or so.
 *
 * Thread: any after log_init(); a line is one write(). */
#pragma once

enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7
};

/* Looks at the environment once; `max` is the least urgent level that is written. Main thread. */
void log_init(enum log_level max);
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
