#include "config/reference.h"

#include <ctype.h>

#include "base/err.h"
#include "config/config.h"
#include "config/options.h"
#include "config/yaml.h"
#include "fixture.h"
#include "unit.h"

/* The text of conf/tlscribe.yaml with its commented options (#option: value) switched on. */
static char *read_all_options(void)
{
	size_t len;
	char *text = fixture_read(SRCDIR, "conf/tlscribe.yaml", &len);
	bool in_blanks = true;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '#' && in_blanks && islower((unsigned char)text[i + 1])) {
			/* The rest of the line moves to where the # stood. */
			memmove(text + i, text + i + 1, len - i);
			len--;
		}
		in_blanks = text[i] == '\n' || (in_blanks && text[i] == ' ');
	}
	return text;
}

static void check_same(const char *path, void (*write)(struct buf *))
{
	size_t len;
	struct buf made;
	char *stored = fixture_read(SRCDIR, path, &len);
	buf_init(&made, 1 << 20);
	write(&made);
	CU_ASSERT_EQUAL(made.err, E_OK);
	if (made.len != len || memcmp(made.data, stored, len) != 0) {
		fprintf(stderr, "\n%s is not what src/config/options.def makes: write it anew with `tlscribe schema`\n",
		        path);
	}
	CU_ASSERT_EQUAL_FATAL(made.len, len);
	CU_ASSERT_EQUAL(memcmp(made.data, stored, len), 0);
	buf_release(&made);
	free(stored);
}

static void the_stored_schema_is_the_generated_one(void)
{
	check_same("schemas/config.schema.json", config_schema_write);
}

static void the_stored_reference_is_the_generated_one(void)
{
	check_same("docs/options.md", config_reference_write);
}

static const struct yaml_node *find_key(const struct yaml_node *map, const char *name)
{
	for (const struct yaml_node *node = map->first; node != NULL; node = node->next) {
		if (node->key != NULL && strcmp(node->key, name) == 0) {
			return node;
		}
	}
	return NULL;
}

/* The first value of a path such as services[].client.verify; any element of a list will do. */
static const struct yaml_node *find_path(const struct yaml_node *node, const char *path)
{
	char key[64];
	size_t n = strcspn(path, ".[{");
	snprintf(key, sizeof(key), "%.*s", (int)n, path);
	const struct yaml_node *found = node->kind == YAML_MAP ? find_key(node, key) : NULL;
	if (found == NULL || path[n] == '\0') {
		return found;
	}
	if (path[n] == '.') {
		return find_path(found, path + n + 1);
	}
	for (const struct yaml_node *item = found->first; item != NULL; item = item->next) {
		/* Behind a name the value may stand alone. */
		const struct yaml_node *inside = path[n] == '{' && item->kind == YAML_SCALAR
		                                         ? item
		                                         : find_path(item, path + n + 3);
		if (inside != NULL) {
			return inside;
		}
	}
	return NULL;
}

/* The option whose map or list another one stands in, nearest first; NULL: none. */
static const struct config_option *find_around(const char *path)
{
	const struct config_option *around = NULL;
	for (size_t i = 0; i < option_count(); i++) {
		const struct config_option *o = option_at(i);
		size_t len = strlen(o->path);
		if (option_is_map(o) && strncmp(o->path, path, len) == 0 &&
		    strchr(".[{", path[len]) != NULL && path[len] != '\0') {
			around = o;
		}
	}
	return around;
}

/* Stands in a list that is empty by default, so that it can only be shown with values of its own. */
static bool is_example(const char *path)
{
	const struct config_option *o = find_around(path);
	for (; o != NULL; o = find_around(o->path)) {
		if (o->kind != OPTION_OBJECT && !o->required) {
			return true;
		}
	}
	return false;
}

/* Stands in a map that has the options of another one, where they are shown. */
static bool is_repeated(const char *path)
{
	const struct config_option *o = find_around(path);
	for (; o != NULL; o = find_around(o->path)) {
		if (o->like != NULL) {
			return true;
		}
	}
	return false;
}

static void conf_tlscribe_yaml_has_every_option_with_its_default(void)
{
	char *text = read_all_options();
	struct yaml_node *root = NULL;
	struct diag diag;
	diag_init(&diag);
	CU_ASSERT_EQUAL_FATAL(yaml_parse(&root, "conf/tlscribe.yaml", text, strlen(text), &diag),
	                      E_OK);
	CU_ASSERT_EQUAL(diag.errors, 0);
	CU_ASSERT(option_count() > 50);
	for (size_t i = 0; i < option_count(); i++) {
		const struct config_option *o = option_at(i);
		if (o->key || is_repeated(o->path)) {
			continue;
		}
		const struct yaml_node *node = find_path(root, o->path);
		if (node == NULL) {
			fprintf(stderr, "\n%s is not in conf/tlscribe.yaml\n", o->path);
		}
		CU_ASSERT_PTR_NOT_NULL(node);
		if (node == NULL || o->preset == NULL || is_example(o->path)) {
			continue;
		}
		bool is_empty = strcmp(o->preset, "[]") == 0 || strcmp(o->preset, "{}") == 0;
		bool same = node->kind == YAML_SCALAR ? strcmp(node->text, o->preset) == 0
		                                      : is_empty && node->count == 0;
		if (!same) {
			fprintf(stderr, "\n%s has another default in conf/tlscribe.yaml\n", o->path);
		}
		CU_ASSERT_TRUE(same);
	}
	yaml_free(root);
	diag_release(&diag);
	free(text);
}

/* Loads a file of the repository; `user: tlscribe` becomes root, who is there on every machine. */
static void check_loads(const char *path, char *text, unsigned warnings)
{
	char *user = strstr(text, "\nuser: tlscribe\n");
	if (user != NULL) {
		memcpy(user, "\nuser: root    \n", 16);
	}
	struct config *config = NULL;
	struct diag diag;
	diag_init(&diag);
	int err = config_parse(&config, path, text, strlen(text), &diag);
	if (err != E_OK || diag.warnings != warnings) {
		diag_print(&diag, stderr);
	}
	CU_ASSERT_EQUAL(err, E_OK);
	CU_ASSERT_EQUAL(diag.warnings, warnings);
	config_free(&config);
	diag_release(&diag);
}

static void conf_tlscribe_yaml_loads_as_it_is_and_with_everything_switched_on(void)
{
	size_t len;
	char *text = fixture_read(SRCDIR, "conf/tlscribe.yaml", &len);
	check_loads("conf/tlscribe.yaml", text, 0);
	free(text);
	text = read_all_options();
	check_loads("conf/tlscribe.yaml", text, 0);
	free(text);
}

static void the_examples_load(void)
{
	static const struct {
		const char *path;
		unsigned warnings;
	} examples[] = {
		{"conf/examples/behind-a-load-balancer.yaml", 0},
		{"conf/examples/http-api.yaml", 0},
		{"conf/examples/upstream-mtls.yaml", 0},
		{"conf/examples/strict-partner-api.yaml", 0},
		{"conf/examples/permissive-rollout.yaml", 1},
		{"conf/examples/several-listeners.yaml", 0},
	};
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		size_t len;
		char *text = fixture_read(SRCDIR, examples[i].path, &len);
		check_loads(examples[i].path, text, examples[i].warnings);
		free(text);
	}
}

static void every_option_says_what_it_is_and_why(void)
{
	for (size_t i = 0; i < option_count(); i++) {
		const struct config_option *o = option_at(i);
		bool is_map = option_is_map(o);
		CU_ASSERT_PTR_NOT_NULL_FATAL(o->help);
		CU_ASSERT(is_map || o->why != NULL);
		/* A default stands in one way, and not beside `required`. */
		CU_ASSERT((o->preset != NULL) + (o->computed != NULL) + o->required + is_map >= 1);
		CU_ASSERT((o->preset != NULL) + (o->computed != NULL) + o->required <= 1);
		CU_ASSERT_PTR_EQUAL(strchr(o->help, '|'), NULL); /* would break a Markdown table */
	}
}

static const struct unit_test tests[] = {
	{"the stored schema is the generated one", the_stored_schema_is_the_generated_one},
	{"the stored reference is the generated one", the_stored_reference_is_the_generated_one},
	{"conf/tlscribe.yaml has every option with its default",
         conf_tlscribe_yaml_has_every_option_with_its_default},
	{"conf/tlscribe.yaml loads as it is and with everything switched on",
         conf_tlscribe_yaml_loads_as_it_is_and_with_everything_switched_on},
	{"the examples load", the_examples_load},
	{"every option says what it is and why", every_option_says_what_it_is_and_why},
};
UNIT_MAIN("config/reference", tests)
