/* tlscribe check: is this configuration good, and what does it mean for each name on each listener? */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "cmd/cmd.h"
#include "config/config.h"
#include "config/permissions.h"
#include "proxy/snapshot.h"

#define TOLERANCE_MAX 4096
#define DAY_S 86400

static const char *const verify_names[] = {
	[VERIFY_NONE] = "none",
	[VERIFY_OPTIONAL] = "optional",
	[VERIFY_REQUIRED] = "required",
	[VERIFY_PASSTHROUGH] = "passthrough",
};
static const char *const profile_names[] = {
	[PROFILE_LEGACY] = "legacy",
	[PROFILE_MEDIUM] = "medium",
	[PROFILE_HIGH] = "high",
};

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

/* Whole days, rounded down: -1 from the first second after the end. */
static int64_t days_left(int64_t not_after_s, int64_t now_s)
{
	int64_t left = not_after_s - now_s;
	return left >= 0 ? left / DAY_S : -((-left + DAY_S - 1) / DAY_S);
}

/* "2027-01-31T12:00:00Z"; returns `out`. */
static const char *format_time(char out[static CLOCK_TEXT_LEN + 1], int64_t s)
{
	/* The years that clock_format() shows, so that the product below cannot overflow. */
	const int64_t last_s = 253402300799;
	clock_format(out, (s < 0 ? 0 : s > last_s ? last_s : s) * 1000000);
	strcpy(out + sizeof("2027-01-31T12:00:00") - 1, "Z");
	return out;
}

/* --- for people --- */

static void print_anchors(const struct trust *trust, int64_t now_s)
{
	for (size_t i = 0; i < trust_anchor_count(trust); i++) {
		const struct trust_anchor *anchor = trust_anchor_at(trust, i);
		char until[CLOCK_TEXT_LEN + 1];
		int64_t days = days_left(anchor->not_after_s, now_s);
		format_time(until, anchor->not_after_s);
		printf("    %-11s%s, until %.10s (", i == 0 ? "ca" : "", anchor->subject, until);
		if (days < 0) {
			printf("expired)\n");
		} else {
			printf("%lld days left)\n", (long long)days);
		}
	}
}

static void print_policy(const struct service *service, int64_t now_s)
{
	const struct config_service *config = service->config;
	const struct config_client *client = &config->client;
	char tolerance[TOLERANCE_MAX];

	printf("    %-11s%s\n", "service", config->name.text);
	printf("    %-11s%s\n", "verify", verify_names[client->verify]);
	if (client->verify != VERIFY_NONE) {
		tolerate_describe(service->tolerate, tolerance, sizeof(tolerance));
		print_anchors(service->trust, now_s);
		printf("    %-11s%s\n", "ca names", client->ca_names ? "sent" : "not sent");
		printf("    %-11s%s\n", "tolerate", tolerance);
		printf("    %-11s%s\n", "profile", profile_names[client->profile]);
		printf("    %-11s%s\n", "purpose", client->purpose.text);
		printf("    %-11s%u intermediates\n", "max depth", client->max_depth);
	}
	printf("    %-11s", "upstream");
	for (size_t i = 0; i < config->upstream.server_count; i++) {
		printf("%s%s", i == 0 ? "" : ", ", config->upstream.servers[i].address.text);
	}
	printf("\n");
}

static void print_all(const struct snapshot *snapshot, int64_t now_s)
{
	for (size_t i = 0; i < snapshot_listener_count(snapshot); i++) {
		const struct listener_routes *routes = snapshot_listener(snapshot, i);
		printf("%slistener %s\n", i == 0 ? "" : "\n", routes->config->bind.text);
		for (size_t n = 0; n < routes->name_count; n++) {
			printf("  %s\n", routes->names[n].name);
			print_policy(routes->names[n].service, now_s);
		}
		if (routes->fallback != NULL) {
			printf("  any other name, or none\n");
			print_policy(routes->fallback, now_s);
		} else {
			printf("  any other name, or none: refused\n");
		}
	}
}

/* --- for programs --- */

static json_t *make_anchors(const struct trust *trust, int64_t now_s)
{
	json_t *list = json_array();
	for (size_t i = 0; i < trust_anchor_count(trust); i++) {
		const struct trust_anchor *anchor = trust_anchor_at(trust, i);
		char until[CLOCK_TEXT_LEN + 1];
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:I}", "subject", anchor->subject, "file",
		                        anchor->file, "not_after",
		                        format_time(until, anchor->not_after_s), "days_left",
		                        (json_int_t)days_left(anchor->not_after_s, now_s)));
	}
	return list;
}

static json_t *make_policy(const char *name, const struct service *service, int64_t now_s)
{
	const struct config_service *config = service->config;
	const struct config_client *client = &config->client;
	char tolerance[TOLERANCE_MAX];
	tolerate_describe(service->tolerate, tolerance, sizeof(tolerance));
	json_t *servers = json_array();
	for (size_t i = 0; i < config->upstream.server_count; i++) {
		json_array_append_new(servers,
		                      json_string(config->upstream.servers[i].address.text));
	}
	return json_pack("{s:s?, s:s, s:s, s:o, s:b, s:s, s:s, s:s, s:i, s:o}", "server_name", name,
	                 "service", config->name.text, "verify", verify_names[client->verify], "ca",
	                 make_anchors(service->trust, now_s), "ca_names",
	                 client->verify != VERIFY_NONE && client->ca_names, "tolerate", tolerance,
	                 "profile", profile_names[client->profile], "purpose", client->purpose.text,
	                 "max_depth", (int)client->max_depth, "upstream", servers);
}

static json_t *make_listener(const struct listener_routes *routes, int64_t now_s)
{
	json_t *names = json_array();
	for (size_t n = 0; n < routes->name_count; n++) {
		json_array_append_new(
			names, make_policy(routes->names[n].name, routes->names[n].service, now_s));
	}
	json_t *fallback =
		routes->fallback == NULL ? json_null() : make_policy(NULL, routes->fallback, now_s);
	return json_pack("{s:s, s:o, s:o}", "bind", routes->config->bind.text, "names", names,
	                 "default", fallback);
}

static json_t *make_complaints(const struct diag *diag)
{
	json_t *list = json_array();
	for (const struct diag_item *item = diag->first; item != NULL; item = item->next) {
		/* A path may hold bytes that are not UTF-8; JSON cannot show it then. */
		json_t *file = item->file == NULL ? json_null() : json_string(item->file);
		json_t *text =
			item->text == NULL ? json_string("out of memory") : json_string(item->text);
		json_array_append_new(list,
		                      json_pack("{s:s, s:o, s:i, s:i, s:o}", "level",
		                                item->level == DIAG_ERROR ? "error" : "warning",
		                                "file", file == NULL ? json_null() : file, "line",
		                                (int)item->at.line, "column", (int)item->at.column,
		                                "text", text == NULL ? json_null() : text));
	}
	return list;
}

/* `snapshot` is NULL when there is none. False: not all of it could be made. */
static bool print_json(const struct snapshot *snapshot, const struct diag *diag, int64_t now_s)
{
	json_t *listeners = json_array();
	for (size_t i = 0; snapshot != NULL && i < snapshot_listener_count(snapshot); i++) {
		json_array_append_new(listeners,
		                      make_listener(snapshot_listener(snapshot, i), now_s));
	}
	json_t *all = json_pack("{s:b, s:o, s:o}", "valid", snapshot != NULL, "complaints",
	                        make_complaints(diag), "listeners", listeners);
	if (all == NULL || json_dumpf(all, stdout, JSON_INDENT(2)) != 0) {
		json_decref(all);
		return false;
	}
	json_decref(all);
	return putchar('\n') != EOF;
}

/* --- the command --- */

/* Everything that run and a reload would find, in their order. */
static int build(struct snapshot **out, const char *path, struct diag *diag)
{
	struct config *config = NULL;
	int err = config_load(&config, path, diag);
	if (err != E_OK) {
		return err;
	}
	int permissions = config_check_permissions(config, diag);
	err = snapshot_build(out, &config, 1, diag);
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
		printed = print_json(snapshot, &diag, now_s);
	} else if (snapshot != NULL) {
		print_all(snapshot, now_s);
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
