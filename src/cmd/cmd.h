/* The subcommands, one file each. Each gets its own argv (argv[0] = its name), parses it with getopt_long, answers
 * --help on stdout with exit 0, and returns the exit code: 0 good, 1 the thing asked about is bad, 2 wrong usage. */
#pragma once

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_classify(int argc, char **argv);
int cmd_query(int argc, char **argv);
int cmd_schema(int argc, char **argv);
int cmd_demo(int argc, char **argv);
