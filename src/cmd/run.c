#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "proxy/engine.h"

static const char help[] =
	"usage: tlscribe run -c FILE [-v]\n"
	"\n"
	"Runs the proxy in the foreground until SIGTERM or SIGINT; says on stderr what goes on.\n"
	"\n"
	"  -c, --config FILE  the configuration (see `tlscribe check`)\n"
	"  -v, --verbose      say more\n"
	"  -h, --help         this text\n"
	"\n"
	"Signals:\n"
	"  SIGTERM, SIGINT    accept what is queued, let open connections end for\n"
	"                     timeouts.drain, then stop; a second one ends them at once\n"
	"  SIGHUP             read the configuration again; a bad one is refused and the old\n"
	"                     one stays in force\n"
	"\n"
	"Exit codes: 0 stopped as asked, 1 could not start (stderr says why), 2 wrong usage\n";

/* Started without one of its three standard descriptors, a client's socket would get the number, and the log would be written
 * into it. */
static int fill_standard_descriptors(void)
{
	int fd;
	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0) {
		close(fd);
	}
	return fd >= 0 ? 0 : -1;
}

/* Left to itself, malloc takes blocks of up to 32 MiB from its heap after the first large one was freed, and a heap with something in use
 * behind them is never given back: each large CRL that takes the place of another one would leave its size behind. */
static void give_large_blocks_back(void)
{
	const int large_bytes = 4 << 20;
	mallopt(M_MMAP_THRESHOLD, large_bytes);
	/* Twice that, as malloc itself would have it: now neither is moved any more. */
	mallopt(M_TRIM_THRESHOLD, 2 * large_bytes);
}

int cmd_run(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"verbose", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const char *path = NULL;
	enum log_level level = LOG_LEVEL_INFO;
	int option;
	while ((option = getopt_long(argc, argv, "c:vh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 'v':
			level = LOG_LEVEL_DEBUG;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		default:
			fputs(help, stderr);
			return 2;
		}
	}
	if (path == NULL || optind != argc) {
		fputs(help, stderr);
		return 2;
	}
	if (fill_standard_descriptors() != 0) {
		return 1;
	}
	log_init(level);
	give_large_blocks_back();
	struct engine *engine = NULL;
	if (engine_start(&engine, path) != E_OK) {
		return 1;
	}
	engine_run(engine);
	engine_stop(&engine);
	return 0;
}
