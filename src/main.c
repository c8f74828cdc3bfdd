/* Picks the subcommand. */
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{"run", cmd_run, "run the proxy in the foreground"},
	{"check", cmd_check, "check a configuration and print the effective policy"},
	{"classify", cmd_classify, "judge a certificate chain offline"},
	{"query", cmd_query, "print journalled events as JSON lines"},
	{"demo", cmd_demo, "watch real handshakes become events"},
	{"schema", cmd_schema, "print the generated schemas and tables"},
};

static void usage(FILE *to)
{
	fputs("usage: tlscribe COMMAND [OPTION...]\n\n", to);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].help);
	}
	fputs("\nEvery command answers --help. tlscribe --version prints the version.\n", to);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return 2;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		usage(stdout);
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		puts("tlscribe " PACKAGE_VERSION);
		return 0;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name) == 0) {
			return commands[i].run(argc - 1, argv + 1);
		}
	}
	fprintf(stderr, "tlscribe: no such command: %s\n\n", argv[1]);
	usage(stderr);
	return 2;
}
