#include "base/diag.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

/* What diag_print() writes; the caller frees it. */
static char *printed(const struct diag *d)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);
	CU_ASSERT_PTR_NOT_NULL_FATAL(to);
	diag_print(d, to);
	fclose(to);
	return text;
}

static void items_stand_in_order_of_their_place(void)
{
	struct diag d;
	diag_init(&d);
	diag_error(&d, "a.yaml", (struct mark){9, 1}, "third");
	diag_warn(&d, "a.yaml", (struct mark){2, 7}, "second %d", 2);
	diag_error(&d, "a.yaml", (struct mark){2, 3}, "first");
	diag_error(&d, "a.yaml", (struct mark){9, 1}, "fourth, found later");
	char *text = printed(&d);
	CU_ASSERT_STRING_EQUAL(text, "a.yaml:2:3: first\n"
	                             "a.yaml:2:7: warning: second 2\n"
	                             "a.yaml:9:1: third\n"
	                             "a.yaml:9:1: fourth, found later\n");
	free(text);
	CU_ASSERT_EQUAL(d.errors, 3);
	CU_ASSERT_EQUAL(d.warnings, 1);
	CU_ASSERT_STRING_EQUAL(d.first->text, "first");
	CU_ASSERT_STRING_EQUAL(d.last->text, "fourth, found later");
	diag_release(&d);
}

static void what_has_no_place_comes_first_and_says_none(void)
{
	struct diag d;
	diag_init(&d);
	diag_error(&d, "a.yaml", (struct mark){1, 1}, "in the file");
	diag_error(&d, "a.yaml", (struct mark){0, 0}, "the file");
	diag_warn(&d, NULL, (struct mark){0, 0}, "no file");
	char *text = printed(&d);
	CU_ASSERT_STRING_EQUAL(text, "a.yaml: the file\n"
	                             "warning: no file\n"
	                             "a.yaml:1:1: in the file\n");
	free(text);
	diag_release(&d);
}

static void everything_is_copied(void)
{
	struct diag d;
	diag_init(&d);
	char file[] = "a.yaml";
	char word[] = "word";
	diag_error(&d, file, (struct mark){1, 2}, "%s", word);
	memset(file, 'x', sizeof(file) - 1);
	memset(word, 'x', sizeof(word) - 1);
	char *text = printed(&d);
	CU_ASSERT_STRING_EQUAL(text, "a.yaml:1:2: word\n");
	free(text);
	diag_release(&d);
}

static void released_means_empty(void)
{
	struct diag d;
	diag_init(&d);
	diag_error(&d, NULL, (struct mark){0, 0}, "gone");
	diag_release(&d);
	CU_ASSERT_EQUAL(d.errors, 0);
	CU_ASSERT_PTR_NULL(d.first);
	CU_ASSERT_PTR_NULL(d.last);
	diag_release(&d);
}

static const struct unit_test tests[] = {
	{"items stand in order of their place", items_stand_in_order_of_their_place},
	{"what has no place comes first and says none", what_has_no_place_comes_first_and_says_none},
	{"everything is copied", everything_is_copied},
	{"released means empty", released_means_empty},
};
UNIT_MAIN("base/diag", tests)
