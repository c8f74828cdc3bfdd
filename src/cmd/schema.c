#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "cmd/cmd.h"
#include "config/reference.h"
#include "event/schema.h"
#include "peer/classes.h"

#define OUTPUT_MAX (4 << 20)

static const struct {
	const char *name;
	void (*write)(struct buf *out);
	const char *help;
} topics[] = {
	{"event", event_schema_write, "JSON Schema of an event"},
	{"fields", event_fields_write, "every field of an event, as Markdown"},
	{"config", config_schema_write, "JSON Schema of the configuration"},
	{"options", config_reference_write, "every option of the configuration, as Markdown"},
	{"classes", peer_classes_write, "the verification classes, as Markdown"},
};

#define TOPIC_COUNT (sizeof(topics) / sizeof(topics[0]))

static void usage(FILE *to)
{
	fputs("usage: tlscribe schema TOPIC\n\nPrints what is generated from the tables of the "
	      "program:\n\n",
	      to);
	for (size_t i = 0; i < TOPIC_COUNT; i++) {
		fprintf(to, "  %-8s %s\n", topics[i].name, topics[i].help);
	}
	fputs("\n  --help   this text\n", to);
}

static int print(void (*write)(struct buf *out))
{
	struct buf out;
	buf_init(&out, OUTPUT_MAX);
	write(&out);
	int status = 0;
	if (out.err != E_OK) {
		fprintf(stderr, "tlscribe schema: %s\n", err_text(out.err));
		status = 1;
	} else if (fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout) != 0) {
		perror("tlscribe schema: standard output");
		status = 1;
	}
	buf_release(&out);
	return status;
}

int cmd_schema(int argc, char **argv)
{
	static const struct option options[] = {
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int option;
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		usage(option == 'h' ? stdout : stderr);
		return option == 'h' ? 0 : 2;
	}
	if (optind + 1 != argc) {
		usage(stderr);
		return 2;
	}
	for (size_t i = 0; i < TOPIC_COUNT; i++) {
		if (strcmp(argv[optind], topics[i].name) == 0) {
			return print(topics[i].write);
		}
	}
	fprintf(stderr, "tlscribe schema: no such topic: %s\n\n", argv[optind]);
	usage(stderr);
	return 2;
}
