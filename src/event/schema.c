/* The rows of fields.def as a tree of JSON Schema objects.
 *
 * A parent's rows stand together in the table, so a subtree is a range of rows. Members that all
 * entries have are required where they are described; those of one action in a condition on
 * event.action at the end. */
#include "event/schema.h"

#include <string.h>

#include "event/event.h"
#include "event/fields.h"
#include "event/handshake.h"
#include "event/json.h"
#include "peer/classes.h"

#define BUILT_ACTIONS ((1u << ACTION_BUILT_COUNT) - 1)

/* Rows [first, last) whose paths begin with the `prefix_len` bytes that the first one has. */
struct subtree {
	int first, last;
	size_t prefix_len;
};

static const struct field_row *row_at(int i)
{
	return field_row((enum event_field)i);
}

/* The member that begins at row `i`: its name, and where its rows end. */
static struct slice member_at(const struct subtree *tree, int i, int *end)
{
	const char *name = row_at(i)->path + tree->prefix_len;
	size_t len = strcspn(name, ".");
	*end = i + 1;
	while (*end < tree->last) {
		const char *other = row_at(*end)->path + tree->prefix_len;
		if (strncmp(other, name, len) != 0 || other[len] != '.') {
			break;
		}
		(*end)++;
	}
	return slice_of(name, len);
}

/* The rows below the member: all of them, or those after the row of an array of objects. */
static struct subtree below(const struct subtree *tree, int i, int end, struct slice name)
{
	bool own_row = row_at(i)->path[tree->prefix_len + name.len] == '\0';
	return (struct subtree){own_row ? i + 1 : i, end, tree->prefix_len + name.len + 1};
}

static bool has_built(int first, int last)
{
	for (int i = first; i < last; i++) {
		if ((row_at(i)->flags & FIELD_RESERVED) == 0) {
			return true;
		}
	}
	return false;
}

static void line(struct buf *out, int depth)
{
	buf_append_byte(out, '\n');
	for (int i = 0; i < depth; i++) {
		buf_append_text(out, "  ");
	}
}

static void string(struct buf *out, const char *text)
{
	uint8_t escaped[JSON_TEXT_MAX];
	size_t used;
	size_t len = json_escape(escaped, sizeof(escaped), slice_text(text), &used);
	buf_append_byte(out, '"');
	buf_append(out, escaped, len);
	buf_append_byte(out, '"');
}

/* What denies a request alone; NULL after the last. */
static const char *request_denied_by(int i)
{
	int by = DENIED_BY_ROUTE + i;
	return by < DENIED_BY_COUNT ? denied_by_name((enum denied_by)by) : NULL;
}

/* What the fields of a closed list can say; NULL after the last. */
static const char *value_at(enum event_field field, int i)
{
	static const char *const outcomes[] = {"success", "failure", "unknown", NULL};
	static const char *const directions[] = {"ingress", "egress", NULL};
	static const char *const sources[] = {"crl", "ocsp", NULL};
	static const char *const statuses[] = {"good", "revoked", "unknown", NULL};
	static const char *const causes[] = {"date", "list", "policy", "removed", NULL};
	static const char *const kinds[] = {"ca",    "certificate", "issuer", "crl",
	                                    "allow", "deny",        NULL};
	static const char *const modes[] = {"none", "optional", "required", "passthrough", NULL};
	switch (field) {
	case FIELD_EVENT_ACTION:
		return i < ACTION_BUILT_COUNT ? action_name((enum event_action)i) : NULL;
	case FIELD_EVENT_OUTCOME:
		return outcomes[i];
	case FIELD_EVENT_REASON:
		return i < CLASS_COUNT ? peer_class_row((enum peer_class)i)->name
		                       : request_denied_by(i - CLASS_COUNT);
	case FIELD_TLSCRIBE_CLASS:
	case FIELD_TLSCRIBE_FINDINGS_CLASS:
		return i < CLASS_COUNT ? peer_class_row((enum peer_class)i)->name : NULL;
	case FIELD_NETWORK_DIRECTION:
		return directions[i];
	case FIELD_TLSCRIBE_REVOCATION_SOURCE:
		return sources[i];
	case FIELD_TLSCRIBE_REVOCATION_STATUS:
		return statuses[i];
	case FIELD_TLSCRIBE_REVOKED_CAUSE:
		return causes[i];
	case FIELD_TLSCRIBE_AUDIT_FILES_KIND:
		return kinds[i];
	case FIELD_TLSCRIBE_REVOKED_DECISION_BEFORE:
	case FIELD_TLSCRIBE_DECISION:
		return i < DECISION_COUNT ? decision_name((enum decision)i) : NULL;
	case FIELD_TLSCRIBE_DENIED_BY:
		return i + 1 < DENIED_BY_COUNT ? denied_by_name((enum denied_by)(i + 1)) : NULL;
	case FIELD_TLSCRIBE_EVIDENCE_POSSESSION:
		return i < 3 ? possession_name((enum possession)(i + 1)) : NULL;
	case FIELD_TLSCRIBE_VERIFY_MODE:
		return modes[i];
	default:
		return NULL;
	}
}

static void write_scalar(struct buf *out, enum event_field field)
{
	const struct field_row *row = field_row(field);
	switch (row->type) {
	case FIELD_TYPE_N:
		buf_append_text(out, "\"type\": \"integer\"");
		return;
	case FIELD_TYPE_B:
		buf_append_text(out, "\"type\": \"boolean\"");
		return;
	case FIELD_TYPE_T:
		buf_append_text(out, "\"type\": \"string\", \"pattern\": "
		                     "\"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\\\."
		                     "[0-9]{6}Z$\"");
		return;
	case FIELD_TYPE_IP:
	case FIELD_TYPE_IPS:
		buf_append_text(out, "\"type\": \"string\", \"pattern\": \"^[0-9a-f:.]{2,45}$\"");
		return;
	default:
		break;
	}
	buf_append_text(out, "\"type\": \"string\", \"minLength\": 1");
	if ((row->flags & FIELD_UNCUT) == 0) {
		buf_append_text(out, ", \"maxLength\": 1024");
	}
	for (int i = 0; value_at(field, i) != NULL; i++) {
		buf_append_text(out, i == 0 ? ", \"enum\": [" : ", ");
		string(out, value_at(field, i));
	}
	if (value_at(field, 0) != NULL) {
		buf_append_byte(out, ']');
	}
}

static void write_object(struct buf *out, const struct subtree *tree, int depth, bool is_element);

static void write_member(struct buf *out, const struct subtree *tree, int i, int end,
                         struct slice name, int depth)
{
	const struct field_row *row = row_at(i);
	bool own_row = row->path[tree->prefix_len + name.len] == '\0';
	struct subtree sub = below(tree, i, end, name);

	buf_append_byte(out, '{');
	if (own_row) {
		buf_append_text(out, "\"description\": ");
		string(out, row->doc);
		buf_append_text(out, ", ");
	}
	if (!own_row) {
		write_object(out, &sub, depth, false);
	} else if (row->type == FIELD_TYPE_MAP) {
		buf_append_text(
			out,
			"\"type\": \"object\", \"additionalProperties\": {\"type\": \"string\"}");
	} else if (field_is_array(row->type)) {
		buf_append_text(out, "\"type\": \"array\", \"minItems\": 1, ");
		if ((row->flags & FIELD_UNCUT) == 0) {
			buf_append_text(out, "\"maxItems\": 32, ");
		}
		buf_append_text(out, "\"items\": {");
		if (row->type == FIELD_TYPE_OS) {
			write_object(out, &sub, depth, true);
		} else {
			write_scalar(out, (enum event_field)i);
		}
		buf_append_byte(out, '}');
	} else {
		write_scalar(out, (enum event_field)i);
	}
	buf_append_byte(out, '}');
}

/* Whether a row of [first, last) is one that every entry of these actions has. Rows of array
 * elements do not count: the array itself may be absent. */
static bool any_required(int first, int last, unsigned actions, unsigned except)
{
	bool in_elements = false;
	size_t elements_len = 0;
	const char *elements = NULL;
	for (int i = first; i < last; i++) {
		const struct field_row *row = row_at(i);
		in_elements = elements != NULL && strncmp(row->path, elements, elements_len) == 0 &&
		              row->path[elements_len] == '.';
		if (row->type == FIELD_TYPE_OS) {
			elements = row->path;
			elements_len = strlen(row->path);
		}
		bool everywhere = except != 0 && (row->required & except) == except;
		if (!in_elements && (row->required & actions) == actions && !everywhere) {
			return true;
		}
	}
	return false;
}

/* `"required": [...]` for the members with a row that `actions` always have and `except` does
 * not. */
static void write_required(struct buf *out, const struct subtree *tree, unsigned actions,
                           unsigned except)
{
	bool first = true;
	int end;
	for (int i = tree->first; i < tree->last; i = end) {
		struct slice name = member_at(tree, i, &end);
		if (any_required(i, end, actions, except)) {
			buf_append_text(out, first ? "\"required\": [\"" : ", \"");
			buf_append_slice(out, name);
			buf_append_byte(out, '"');
			first = false;
		}
	}
	if (!first) {
		buf_append_byte(out, ']');
	}
}

static void write_object(struct buf *out, const struct subtree *tree, int depth, bool is_element)
{
	buf_append_text(
		out,
		"\"type\": \"object\", \"additionalProperties\": false, \"minProperties\": 1, ");
	if (is_element) {
		bool first = true;
		for (int i = tree->first; i < tree->last; i++) {
			if (row_at(i)->required != 0) {
				buf_append_text(out, first ? "\"required\": [\"" : ", \"");
				buf_append_text(out, row_at(i)->name);
				buf_append_byte(out, '"');
				first = false;
			}
		}
		buf_append_text(out, first ? "" : "], ");
	} else if (any_required(tree->first, tree->last, BUILT_ACTIONS, 0)) {
		write_required(out, tree, BUILT_ACTIONS, 0);
		buf_append_text(out, ", ");
	}
	buf_append_text(out, "\"properties\": {");
	bool first = true;
	int end;
	for (int i = tree->first; i < tree->last; i = end) {
		struct slice name = member_at(tree, i, &end);
		if (!has_built(i, end)) {
			continue;
		}
		buf_append_text(out, first ? "" : ",");
		line(out, depth + 1);
		first = false;
		buf_append_byte(out, '"');
		buf_append_slice(out, name);
		buf_append_text(out, "\": ");
		write_member(out, tree, i, end, name, depth + 1);
	}
	line(out, depth);
	buf_append_byte(out, '}');
}

/* What entries of one action have beyond what all have. */
static void write_requirements(struct buf *out, const struct subtree *tree, unsigned action)
{
	write_required(out, tree, action, BUILT_ACTIONS);
	bool first = true;
	int end;
	for (int i = tree->first; i < tree->last; i = end) {
		struct slice name = member_at(tree, i, &end);
		bool own_row = row_at(i)->path[tree->prefix_len + name.len] == '\0';
		if (own_row || !any_required(i, end, action, BUILT_ACTIONS)) {
			continue;
		}
		buf_append_text(out, first ? ", \"properties\": {\"" : ", \"");
		first = false;
		buf_append_slice(out, name);
		buf_append_text(out, "\": {");
		struct subtree sub = below(tree, i, end, name);
		write_requirements(out, &sub, action);
		buf_append_byte(out, '}');
	}
	buf_append_text(out, first ? "" : "}");
}

void event_schema_write(struct buf *out)
{
	struct subtree all = {0, FIELD_COUNT, 0};
	buf_append_text(out, "{");
	line(out, 1);
	buf_append_text(out, "\"$schema\": \"https://json-schema.org/draft/2020-12/schema\",");
	line(out, 1);
	buf_append_text(out, "\"title\": \"An event of tlscribe, schema " FIELDS_VERSION "\",");
	line(out, 1);
	write_object(out, &all, 1, false);
	buf_append_text(out, ",");
	line(out, 1);
	buf_append_text(out, "\"allOf\": [");
	for (int action = 0; action < ACTION_BUILT_COUNT; action++) {
		buf_append_text(out, action == 0 ? "" : ",");
		line(out, 2);
		buf_append_text(out, "{\"if\": {\"properties\": {\"event\": {\"properties\": "
		                     "{\"action\": {\"const\": ");
		string(out, action_name((enum event_action)action));
		buf_append_text(out, "}}}}},");
		line(out, 3);
		buf_append_text(out, "\"then\": {");
		write_requirements(out, &all, 1u << action);
		buf_append_text(out, "}}");
	}
	line(out, 1);
	buf_append_text(out, "]\n}\n");
}
