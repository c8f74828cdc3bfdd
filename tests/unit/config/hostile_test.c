/* Damaged configurations: whatever the bytes are, the loader ends with a configuration or with errors, never otherwise. */
#include "base/err.h"
#include "config/config.h"
#include "fixture.h"
#include "unit.h"

/* libfyaml 0.7.12 forgets its list of chunks of a scalar with some dozen escapes, good or bad. Nothing of ours is
 * allocated from within it, so this hides no leak of ours. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libfyaml.so";
}

static void check_bytes(const char *text, size_t len)
{
	struct config *config = NULL;
	struct diag diag;
	diag_init(&diag);
	int err = config_parse(&config, "hostile.yaml", text, len, &diag);
	CU_ASSERT((err == E_OK) == (config != NULL));
	CU_ASSERT((err == E_OK) == (diag.errors == 0));
	CU_ASSERT(err == E_OK || err == E_INVALID);
	/* The place is in the file, or there is none. */
	for (const struct diag_item *item = diag.first; item != NULL; item = item->next) {
		CU_ASSERT(item->at.line <= len + 2 && item->at.column <= len + 2);
		CU_ASSERT_EQUAL(item->at.line == 0, item->at.column == 0);
	}
	config_free(&config);
	diag_release(&diag);
}

static void every_truncation_ends_well(void)
{
	size_t len;
	char *text = fixture_read(SRCDIR, "conf/tlscribe.yaml", &len);
	for (size_t n = 0; n < len; n += 3) {
		check_bytes(text, n);
	}
	free(text);
}

/* xorshift: the same damage in every run. */
static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void flipped_bytes_end_well(void)
{
	static const char spice[] = "{}[]:,&*!|>'\"%@`#?-\n\t ~\0\xff\xc3\x1b\\";
	size_t len;
	char *text = fixture_read(SRCDIR, "conf/tlscribe.yaml", &len);
	uint32_t random = 2463534242;
	for (unsigned i = 0; i < 3000; i++) {
		size_t at = next_random(&random) % len;
		char kept = text[at];
		uint32_t how = next_random(&random);
		text[at] = i % 2 == 0 ? spice[how % (sizeof(spice) - 1)]
		                      : (char)(kept ^ (1 << how % 8));
		check_bytes(text, len);
		text[at] = kept;
	}
	free(text);
}

static void lines_out_of_order_end_well(void)
{
	size_t len;
	char *text = fixture_read(SRCDIR, "conf/examples/several-listeners.yaml", &len);
	char *mixed = malloc(len + 1);
	uint32_t random = 88172645;
	CU_ASSERT_PTR_NOT_NULL_FATAL(mixed);
	for (unsigned i = 0; i < 1000; i++) {
		/* A piece of the text, copied over another one. */
		memcpy(mixed, text, len);
		size_t from = next_random(&random) % len, to = next_random(&random) % len;
		size_t n = next_random(&random) % 200;
		n = n < len - from ? n : len - from;
		n = n < len - to ? n : len - to;
		memcpy(mixed + to, text + from, n);
		check_bytes(mixed, len);
	}
	free(mixed);
	free(text);
}

static void deep_and_wide_texts_end_well(void)
{
	static const char *const units[] = {"[",   "{",    "- ",    "? ", "a: ", "!",
	                                    "&a ", "*a ",  "\"",    "'",  "|\n", "---\n",
	                                    "%\n", "[[],", "{a: {", "\n", " ",   "#"};
	size_t max = 100000;
	char *text = malloc(max + 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t unit = strlen(units[i]), n = 0;
		for (; n + unit <= max; n += unit) {
			memcpy(text + n, units[i], unit);
		}
		check_bytes(text, n);
	}
	free(text);
}

static const struct unit_test tests[] = {
	{"every truncation ends well", every_truncation_ends_well},
	{"flipped bytes end well", flipped_bytes_end_well},
	{"lines out of order end well", lines_out_of_order_end_well},
	{"deep and wide texts end well", deep_and_wide_texts_end_well},
};
UNIT_MAIN("config/hostile", tests)
