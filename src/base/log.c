#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static enum log_level max_level = LOG_LEVEL_INFO;
static bool under_systemd;

/* systemd.exec(5): JOURNAL_STREAM holds device and inode of the stream that stdout or stderr is. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	if (stream == NULL) {
		return false;
	}
	char *end = NULL;
	unsigned long long device = strtoull(stream, &end, 10);
	if (*end != ':') {
		return false;
	}
	unsigned long long inode = strtoull(end + 1, NULL, 10);
	struct stat st;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_init(enum log_level max)
{
	max_level = max;
	under_systemd = stderr_is_journal();
}

static const char *level_word(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "error: ";
	case LOG_LEVEL_WARNING:
		return "warning: ";
	case LOG_LEVEL_DEBUG:
		return "debug: ";
	case LOG_LEVEL_INFO:
		break;
	}
	return "";
}

void log_write(enum log_level level, const char *format, ...)
{
	if (level > max_level) {
		return;
	}
	char line[1024];
	int n = under_systemd ? snprintf(line, sizeof(line), "<%d>", (int)level)
	                      : snprintf(line, sizeof(line), "tlscribe: %s", level_word(level));
	va_list args;
	va_start(args, format);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n, format, args);
	va_end(args);
	if ((size_t)n > sizeof(line) - 1) {
		n = sizeof(line) - 1;
	}
	line[n++] = '\n';
	/* Nobody can be told that stderr is gone. */
	ssize_t ignored = write(STDERR_FILENO, line, (size_t)n);
	(void)ignored;
}
