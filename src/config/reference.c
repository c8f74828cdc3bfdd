#include "config/reference.h"

#include <string.h>

#include "config/options.h"

static void write_words_said(struct buf *out, const char *words)
{
	for (const char *p = words; *p != '\0';) {
		size_t n = strcspn(p, "|");
		buf_printf(out, "%s`%.*s`", p == words ? "" : ", ", (int)n, p);
		p += n + (p[n] == '|');
	}
}

static void write_bounds_said(struct buf *out, const struct config_option *o)
{
	char min[VALUE_TEXT_MAX], max[VALUE_TEXT_MAX];
	switch (o->kind) {
	case OPTION_COUNT:
		buf_printf(out, "%lld to %lld", (long long)o->min, (long long)o->max);
		break;
	case OPTION_SIZE:
		buf_printf(out, "size, %s to %s", value_print_size(min, o->min),
		           value_print_size(max, o->max));
		break;
	case OPTION_DURATION:
		buf_printf(out, "duration, %s to %s", value_print_duration(min, o->min * o->unit_ms),
		           value_print_duration(max, o->max * o->unit_ms));
		break;
	case OPTION_DATE:
		buf_append_text(out, "date or time");
		break;
	default:
		buf_append_text(out, "octal, in quotes");
	}
	if (o->word != NULL) {
		buf_printf(out, ", or `%s`", o->word);
	}
}

static void write_type_said(struct buf *out, const struct config_option *o)
{
	switch (o->kind) {
	case OPTION_TEXT:
	case OPTION_CHOICE:
		if (o->words != NULL) {
			write_words_said(out, o->words);
		} else {
			buf_append_text(out, value_format_said(o->format));
		}
		if (o->word != NULL) {
			buf_printf(out, ", or `%s`", o->word);
		}
		return;
	case OPTION_TEXTS:
		buf_append_text(out, "list: ");
		if (o->words != NULL) {
			write_words_said(out, o->words);
		} else {
			buf_append_text(out, value_format_said(o->format));
		}
		return;
	case OPTION_BOOL:
		buf_append_text(out, "`true`, `false`");
		return;
	case OPTION_LABELS:
		buf_append_text(out, "map of texts");
		return;
	case OPTION_RANGE:
		buf_printf(out, "number, or two with a `-`, %lld to %lld", (long long)o->min,
		           (long long)o->max);
		return;
	case OPTION_OBJECT:
		if (o->like != NULL) {
			buf_printf(out, "map like `%s`", o->like);
		} else {
			buf_append_text(out, "map, see below");
		}
		return;
	case OPTION_MEMBERS:
		buf_append_text(out, "map of names, see below");
		return;
	case OPTION_ELEMENTS:
		if (o->words != NULL) {
			write_words_said(out, o->words);
			buf_append_text(out, ", or ");
		}
		buf_append_text(out, o->brief ? "list of texts or maps, see below"
		                              : "list of maps, see below");
		return;
	default:
		write_bounds_said(out, o);
	}
}

static void write_row(struct buf *out, const struct config_option *o)
{
	buf_printf(out, o->key ? "| NAME, the key (`%s`) | " : "| `%s` | ", option_name(o));
	write_type_said(out, o);
	if (o->optional) {
		buf_append_text(out, " | none | ");
	} else if (o->required) {
		buf_append_text(out, " | **required** | ");
	} else if (o->preset != NULL) {
		buf_printf(out, " | `%s` | ", o->preset);
	} else {
		buf_printf(out, " | %s | ", o->computed == NULL ? "see below" : o->computed);
	}
	buf_printf(out, "%s%s%s%s |\n", o->http ? "*mode http* " : "", o->help,
	           o->why == NULL ? "" : " ", o->why == NULL ? "" : o->why);
}

/* A table of the group, then the groups inside it. */
static void write_section(struct buf *out, const char *group)
{
	char inner[OPTION_GROUP_MAX];
	buf_printf(out, "\n## %s%s%s\n\n", group[0] == '\0' ? "The file" : "`", group,
	           group[0] == '\0' ? "" : "`");
	buf_append_text(out, "| option | value | default | meaning |\n|---|---|---|---|\n");
	const struct config_option *o = NULL;
	while ((o = option_next(group, o)) != NULL) {
		write_row(out, o);
	}
	while ((o = option_next(group, o)) != NULL) {
		if (option_is_map(o) && o->like == NULL) {
			write_section(out, option_group(inner, o));
		}
	}
}

void config_reference_write(struct buf *out)
{
	buf_append_text(out, "# Options\n\n"
	                     "<!-- Generated from src/config/options.def. -->\n\n"
	                     "A configuration is one YAML document in UTF-8, up to 4 MiB, without "
	                     "anchors, aliases and tags; every key once.\n"
	                     "`tlscribe check -c FILE` says with line and column what is wrong, "
	                     "and what the file means.\n\n"
	                     "- Sizes: `B`, `KiB`, `MiB`, `GiB`. Durations: `ms`, `s`, `m`, `h`, "
	                     "`d`. Both are whole numbers with their unit.\n"
	                     "- Addresses: `HOST:PORT`, `[IPv6]:PORT`, `unix:/path`. Relative "
	                     "paths of files count from the folder of the configuration.\n"
	                     "- Booleans are `true` and `false`.\n"
	                     "- *mode http*: for services with `mode: http`, and refused beside "
	                     "`mode: tcp`.\n");
	write_section(out, "");
}
