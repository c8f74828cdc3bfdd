#include "cmd/demo_table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <jansson.h>

#define TIME_WIDTH 12
#define SOURCE_WIDTH 15
#define NAME_WIDTH 20
#define CLASS_WIDTH 26
#define DECISION_WIDTH 16

#define RED "\033[31m"
#define GREEN "\033[32m"
#define YELLOW "\033[33m"
#define BOLD "\033[1m"
#define PLAIN "\033[0m"

/* Printable ASCII as it is, every other byte as \xx: names come from clients, and terminals obey escapes. */
static void copy_safe(char *out, size_t cap, const char *text)
{
	size_t at = 0;
	for (; text != NULL && *text != '\0' && at + 4 <= cap; text++) {
		unsigned char c = (unsigned char)*text;
		if (c >= 0x20 && c < 0x7f) {
			out[at++] = (char)c;
		} else {
			at += (size_t)snprintf(out + at, cap - at, "\\%02x", c);
		}
	}
	out[at] = '\0';
}

/* The string at a path like "tls.client.subject"; NULL if there is none. */
static const char *text_at(json_t *event, const char *a, const char *b, const char *c)
{
	json_t *at = json_object_get(event, a);
	if (b != NULL) {
		at = json_object_get(at, b);
	}
	if (c != NULL) {
		at = json_object_get(at, c);
	}
	return json_string_value(at);
}

static uint16_t port_of(const json_t *json, const char *side)
{
	json_int_t port = json_integer_value(json_object_get(json_object_get(json, side), "port"));
	return (uint16_t)(port > 0 && port <= UINT16_MAX ? port : 0);
}

bool demo_row_read(struct demo_row *row, struct slice event)
{
	json_t *json = json_loadb((const char *)event.data, event.len, JSON_ALLOW_NUL, NULL);
	if (json == NULL) {
		return false;
	}
	const char *action = text_at(json, "event", "action", NULL);
	if (action == NULL || strcmp(action, "tls-handshake") != 0) {
		json_decref(json);
		return false;
	}
	memset(row, 0, sizeof(*row));
	row->source_port = port_of(json, "source");
	row->destination_port = port_of(json, "destination");

	/* "2026-11-21T08:30:00.123456Z": the time of day to the millisecond */
	const char *stamp = text_at(json, "@timestamp", NULL, NULL);
	if (stamp != NULL && strlen(stamp) == 27) {
		copy_safe(row->time, sizeof(row->time), stamp + 11);
		row->time[TIME_WIDTH] = '\0';
	}
	char ip[40];
	copy_safe(ip, sizeof(ip), text_at(json, "source", "ip", NULL));
	snprintf(row->source, sizeof(row->source), strchr(ip, ':') == NULL ? "%s:%u" : "[%s]:%u",
	         ip, (unsigned)row->source_port);
	copy_safe(row->server_name, sizeof(row->server_name),
	          text_at(json, "tls", "client", "server_name"));
	copy_safe(row->class, sizeof(row->class), text_at(json, "tlscribe", "class", NULL));
	copy_safe(row->decision, sizeof(row->decision), text_at(json, "tlscribe", "decision", NULL));
	copy_safe(row->subject, sizeof(row->subject), text_at(json, "tls", "client", "subject"));
	json_decref(json);
	return true;
}

void demo_table_init(struct demo_table *table, FILE *to)
{
	table->to = to;
	table->colour = false;
	table->width = 0;
	if (isatty(fileno(to)) == 0) {
		return;
	}
	struct winsize size;
	table->width =
		ioctl(fileno(to), TIOCGWINSZ, &size) == 0 && size.ws_col >= 40 ? size.ws_col : 100;
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	table->colour = (no_color == NULL || *no_color == '\0') && term != NULL &&
	                strcmp(term, "dumb") != 0;
}

/* Writes the line, cut to the terminal's width; `from` and `to` bound what is coloured. */
static void put_line(const struct demo_table *table, char *line, int from, int to,
                     const char *colour)
{
	int len = (int)strlen(line);
	if (table->width > 0 && len > table->width) {
		len = table->width;
	}
	while (len > 0 && line[len - 1] == ' ') {
		len--;
	}
	if (!table->colour || colour == NULL || from >= len) {
		fprintf(table->to, "%.*s\n", len, line);
	} else {
		int end = to < len ? to : len;
		fprintf(table->to, "%.*s%s%.*s" PLAIN "%.*s\n", from, line, colour, end - from,
		        line + from, len - end, line + end);
	}
	fflush(table->to);
}

#define BEFORE_CLASS (TIME_WIDTH + 2 + SOURCE_WIDTH + 2 + NAME_WIDTH + 2)

static void put_columns(const struct demo_table *table, const struct demo_row *row, int from,
                        const char *colour)
{
	char line[512];
	snprintf(line, sizeof(line), "%-*s  %-*s  %-*s  %-*s  %-*s  %s", TIME_WIDTH, row->time,
	         SOURCE_WIDTH, row->source, NAME_WIDTH,
	         row->server_name[0] == '\0' ? "-" : row->server_name, CLASS_WIDTH, row->class,
	         DECISION_WIDTH, row->decision, row->subject[0] == '\0' ? "-" : row->subject);
	put_line(table, line, from,
	         from == 0 ? (int)sizeof(line) : BEFORE_CLASS + CLASS_WIDTH + 2 + DECISION_WIDTH,
	         colour);
}

void demo_table_head(const struct demo_table *table)
{
	static const struct demo_row head = {.time = "time (UTC)",
	                                     .source = "source",
	                                     .server_name = "server name",
	                                     .class = "class",
	                                     .decision = "decision",
	                                     .subject = "subject"};
	put_columns(table, &head, 0, BOLD);
}

void demo_table_row(const struct demo_table *table, const struct demo_row *row)
{
	const char *colour = GREEN;
	if (strcmp(row->decision, "deny") == 0) {
		colour = RED;
	} else if (strcmp(row->class, "ok") != 0) {
		colour = YELLOW;
	}
	put_columns(table, row, BEFORE_CLASS, colour);
}

void demo_table_remark(const struct demo_table *table, const char *format, ...)
{
	char line[512];
	int at = snprintf(line, sizeof(line), "%*s^ ", BEFORE_CLASS, "");
	va_list args;
	va_start(args, format);
	vsnprintf(line + at, sizeof(line) - (size_t)at, format, args);
	va_end(args);
	put_line(table, line, BEFORE_CLASS, (int)sizeof(line), BOLD RED);
}
