#include <string.h>

#include "event/event.h"
#include "event/fields.h"
#include "event/schema.h"

static const char *type_name(enum field_type type)
{
	switch (type) {
	case FIELD_TYPE_K:
		return "keyword";
	case FIELD_TYPE_N:
		return "integer";
	case FIELD_TYPE_B:
		return "boolean";
	case FIELD_TYPE_T:
		return "time";
	case FIELD_TYPE_IP:
		return "ip";
	case FIELD_TYPE_MAP:
		return "object of keywords";
	case FIELD_TYPE_KS:
		return "keywords";
	case FIELD_TYPE_IPS:
		return "ips";
	case FIELD_TYPE_OS:
		return "objects";
	}
	return "";
}

static void write_actions(struct buf *out, const struct field_row *row)
{
	if (row->actions == (1u << ACTION_COUNT) - 1) {
		buf_append_text(out, row->required == row->actions ? "all, always" : "all");
		return;
	}
	const char *between = "";
	for (int i = 0; i < ACTION_COUNT; i++) {
		if ((row->actions >> i & 1) != 0) {
			buf_append_text(out, between);
			buf_append_text(out, action_name((enum event_action)i));
			buf_append_text(out, (row->required >> i & 1) != 0 ? ", always" : "");
			between = "; ";
		}
	}
}

static void write_row(struct buf *out, const struct field_row *row)
{
	buf_append_text(out, "| `");
	buf_append_text(out, row->path);
	buf_append_text(out, "` | ");
	buf_append_text(out, type_name(row->type));
	buf_append_text(out, (row->flags & FIELD_INDEXED) != 0 ? " | yes | " : " | | ");
	write_actions(out, row);
	buf_append_text(out, (row->flags & FIELD_ECS) != 0 ? " | yes | " : " | | ");
	buf_append_text(out, row->ocsf);
	buf_append_text(out, row->ocsf[0] == '\0' ? "| " : " | ");
	buf_append_text(out, row->cef);
	buf_append_text(out, row->cef[0] == '\0' ? "| " : " | ");
	buf_append_text(out, row->doc);
	buf_append_text(out, " |\n");
}

static void write_rows(struct buf *out, bool reserved)
{
	buf_append_text(out, "| Field | Type | Indexed | Entries | ECS | OCSF 4001 | CEF | What |\n"
	                     "|---|---|---|---|---|---|---|---|\n");
	for (int i = 0; i < FIELD_COUNT; i++) {
		const struct field_row *row = field_row((enum event_field)i);
		if (((row->flags & FIELD_RESERVED) != 0) == reserved) {
			write_row(out, row);
		}
	}
}

void event_fields_write(struct buf *out)
{
	buf_append_text(
		out,
		"# The fields of an event\n\n"
		"Schema version " FIELDS_VERSION ", names of ECS " FIELDS_ECS_VERSION
		" and, where it lacks one, below `tlscribe`. "
		"An event is one line of compact ASCII JSON of at most 65,535 bytes, its members "
		"in the order of this list; "
		"the same handshake always gives the same bytes. A field without a value is left "
		"out.\n\n"
		"Strings are cut at 1,024 encoded bytes, never inside of an escape, and arrays at "
		"32 elements. If an event is "
		"still too long, the arrays of `tlscribe` and then those of `tls.client.x509` or "
		"`tls.server.x509` are left out, last first. "
		"`tlscribe.truncated` names all of these. Times are UTC with microseconds, hashes "
		"upper-case hex without colons. "
		"NUL and bytes that are no UTF-8 are shown as a backslash and two hex digits.\n\n"
		"A handshake is a client's with us (`network.direction` is `ingress`) or ours with "
		"a server of an upstream (`egress`). Below `tls`, client and server are those of "
		"the handshake: the peer's certificate is in `tls.client` of an ingress and in "
		"`tls.server` of an egress handshake. Below `tlscribe` everything is about the "
		"peer.\n\n"
		"*Entries* are values of `event.action`; *always* means that such an entry, or "
		"such an element of an array, "
		"has the field without exception.\n\n");
	write_rows(out, false);
	buf_append_text(out, "\n## Reserved names\n\nNo entry of this version has them.\n\n");
	write_rows(out, true);
}
