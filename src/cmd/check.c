/* tlscribe check: is this configuration good, and what does it mean for each name on each listener? */
#include <getopt.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "cmd/check.h"
#include "cmd/cmd.h"
#include "config/config.h"
#include "config/permissions.h"
#include "proxy/snapshot.h"

static void usage(FILE *to)
{
	fputs("usage: tlscribe check -c FILE [--json]\n\n"
	      "Reads a configuration and every file that it names, says what is wrong with it\n"
	      "(FILE:LINE:COLUMN: sentence, on stderr), and prints the policy that is in force "
	      "for\n"
	      "each server name on each listener.\n\n"
	      "  -c, --config FILE  the configuration\n"
	      "      --json         print the policy as one JSON object, the complaints included\n"
	      "  -h, --help         this text\n\n"
	      "Exits with 0 when the configuration can be used, 1 when it cannot, 2 for wrong "
	      "usage.\n",
	      to);
}

/* Everything that run and a reload would find, in their order. */
static int build(struct snapshot **out, const char *path, struct diag *diag)
{
	struct config *config = NULL;
	int err = config_load(&config, path, diag);
	if (err != E_OK) {
		return err;
	}
	int permissions = config_check_permissions(config, diag);
	err = snapshot_build(out, &config, 1, NULL, diag);
	if (err == E_OK && permissions != E_OK) {
		snapshot_unref(out);
		return permissions;
	}
	return err;
}

static int check(const char *path, bool json)
{
	struct diag diag;
	diag_init(&diag);
	struct snapshot *snapshot = NULL;
	int64_t now_s = clock_wall_us() / 1000000;
	int err = build(&snapshot, path, &diag);
	if (err != E_OK && diag.errors == 0) {
		diag_error(&diag, path, (struct mark){0}, "%s", err_text(err));
	}
	diag_print(&diag, stderr);
	bool printed = true;
	if (json) {
		printed = check_print_json(snapshot, &diag, now_s);
	} else if (snapshot != NULL) {
		check_print_text(snapshot, now_s);
	}
	if (!printed || fflush(stdout) != 0) {
		fputs("tlscribe check: the policy could not be printed\n", stderr);
		err = err == E_OK ? E_IO : err;
	}
	snapshot_unref(&snapshot);
	diag_release(&diag);
	return err == E_OK ? 0 : 1;
}

int cmd_check(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const char *path = NULL;
	bool json = false;
	int option;
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (path == NULL || optind != argc) {
		usage(stderr);
		return 2;
	}
	return check(path, json);
}
