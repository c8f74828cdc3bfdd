#include "event/fields.h"
#include "event/schema.h"
#include "fixture.h"

static void every_path_stands_once_and_is_found(void)
{
	for (int i = 0; i < FIELD_COUNT; i++) {
		const struct field_row *row = field_row((enum event_field)i);
		CU_ASSERT_EQUAL(field_by_path(slice_text(row->path)), i);
		CU_ASSERT(strlen(row->doc) > 0);
	}
	CU_ASSERT_EQUAL(field_by_path(SLICE("tlscribe")), FIELD_COUNT);
	CU_ASSERT_EQUAL(field_by_path(SLICE("event.id ")), FIELD_COUNT);
}

/* Encoder and schema open every object once. */
static void the_rows_of_an_object_stand_together(void)
{
	for (int i = 0; i < FIELD_COUNT; i++) {
		const char *path = field_row((enum event_field)i)->path;
		for (const char *dot = strchr(path, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
			size_t len = (size_t)(dot - path) + 1;
			bool left = false;
			for (int later = i + 1; later < FIELD_COUNT; later++) {
				bool inside = strncmp(field_row((enum event_field)later)->path,
				                      path, len) == 0;
				CU_ASSERT(!(inside && left));
				left = left || !inside;
			}
		}
	}
}

static void what_is_required_is_allowed_and_built(void)
{
	for (int i = 0; i < FIELD_COUNT; i++) {
		const struct field_row *row = field_row((enum event_field)i);
		CU_ASSERT_EQUAL(row->required & ~row->actions, 0);
		CU_ASSERT(row->actions != 0);
		CU_ASSERT((row->flags & FIELD_RESERVED) == 0 || row->required == 0);
	}
}

static void every_action_has_its_name(void)
{
	for (int i = 0; i < ACTION_COUNT; i++) {
		CU_ASSERT_EQUAL(action_by_name(action_name((enum event_action)i)), i);
	}
	CU_ASSERT_EQUAL(action_by_name("audit"), ACTION_COUNT);
}

static void is_file(void (*write)(struct buf *), const char *path)
{
	struct buf out;
	size_t len;
	buf_init(&out, 1 << 20);
	write(&out);
	CU_ASSERT_EQUAL(out.err, E_OK);
	char *text = fixture_file(path, &len);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	bool same = slice_equal(buf_slice(&out), slice_of(text, len));
	if (!same) {
		printf("\n%s is not what `tlscribe schema` prints\n", path);
	}
	CU_ASSERT(same);
	free(text);
	buf_release(&out);
}

static void the_schema_in_the_tree_is_the_one_of_the_table(void)
{
	is_file(event_schema_write, "schemas/event.schema.json");
}

static void the_list_in_the_tree_is_the_one_of_the_table(void)
{
	is_file(event_fields_write, "schemas/fields.md");
}

static void the_schema_is_json(void)
{
	struct buf out;
	buf_init(&out, 1 << 20);
	event_schema_write(&out);
	json_t *schema = json_loadb((const char *)out.data, out.len, JSON_REJECT_DUPLICATES, NULL);
	CU_ASSERT_PTR_NOT_NULL(schema);
	CU_ASSERT_STRING_EQUAL(
		fixture_string(schema, "properties.tls.properties.client.properties.subject.type"),
		"string");
	CU_ASSERT_PTR_NOT_NULL(fixture_get(schema, "properties.url.properties.query"));
	/* Reserved names are no members. */
	CU_ASSERT_PTR_NOT_NULL(fixture_get(schema, "properties.tlscribe.properties.class"));
	CU_ASSERT_PTR_NULL(fixture_get(schema, "properties.tlscribe.properties.rule"));
	json_decref(schema);
	buf_release(&out);
}

static const struct unit_test tests[] = {
	{"every path stands once and is found", every_path_stands_once_and_is_found},
	{"the rows of an object stand together", the_rows_of_an_object_stand_together},
	{"what is required is allowed and built", what_is_required_is_allowed_and_built},
	{"every action has its name", every_action_has_its_name},
	{"the schema in the tree is the one of the table",
         the_schema_in_the_tree_is_the_one_of_the_table},
	{"the list in the tree is the one of the table",
         the_list_in_the_tree_is_the_one_of_the_table},
	{"the schema is JSON", the_schema_is_json},
};
UNIT_MAIN("event/fields", tests)
