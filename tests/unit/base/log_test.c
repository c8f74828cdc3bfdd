#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

/* Catches stderr in a file from begin() to end(); the text is valid until the next begin(). */
static int saved_fd = -1;
static FILE *caught;
static char text[4096];

static void begin(void)
{
	saved_fd = dup(STDERR_FILENO);
	caught = tmpfile();
	CU_ASSERT_PTR_NOT_NULL_FATAL(caught);
	dup2(fileno(caught), STDERR_FILENO);
}

static const char *end(void)
{
	dup2(saved_fd, STDERR_FILENO);
	close(saved_fd);
	rewind(caught);
	text[fread(text, 1, sizeof(text) - 1, caught)] = '\0';
	fclose(caught);
	return text;
}

static void sentences_carry_their_level_in_words(void)
{
	unsetenv("JOURNAL_STREAM");
	begin();
	log_init(LOG_LEVEL_DEBUG);
	log_error("cannot open %s", "x");
	log_warning("late");
	log_info("listening on %d", 443);
	log_debug("detail");
	CU_ASSERT_STRING_EQUAL(end(), "tlscribe: error: cannot open x\n"
	                              "tlscribe: warning: late\n"
	                              "tlscribe: listening on 443\n"
	                              "tlscribe: debug: detail\n");
}

static void less_urgent_levels_stay_silent(void)
{
	unsetenv("JOURNAL_STREAM");
	begin();
	log_init(LOG_LEVEL_WARNING);
	log_info("not this");
	log_debug("nor this");
	log_warning("this");
	CU_ASSERT_STRING_EQUAL(end(), "tlscribe: warning: this\n");
}

static void under_systemd_lines_start_with_a_number(void)
{
	begin();
	struct stat st;
	char stream[64];
	CU_ASSERT_EQUAL_FATAL(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
	         (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_init(LOG_LEVEL_INFO);
	log_error("bad");
	log_info("good");
	CU_ASSERT_STRING_EQUAL(end(), "<3>bad\n<6>good\n");
	unsetenv("JOURNAL_STREAM");
}

static void a_journal_stream_that_is_not_ours_is_ignored(void)
{
	static const char *const streams[] = {"1:2", "", "x", "7", "99999999999999999999999:1"};
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		begin();
		setenv("JOURNAL_STREAM", streams[i], 1);
		log_init(LOG_LEVEL_INFO);
		log_info("plain");
		CU_ASSERT_STRING_EQUAL(end(), "tlscribe: plain\n");
	}
	unsetenv("JOURNAL_STREAM");
}

static void a_long_sentence_is_cut_and_keeps_its_newline(void)
{
	char sentence[3000];
	memset(sentence, 'x', sizeof(sentence) - 1);
	sentence[sizeof(sentence) - 1] = '\0';
	begin();
	log_init(LOG_LEVEL_INFO);
	log_info("%s", sentence);
	log_info("next");
	const char *got = end();
	const char *newline = strchr(got, '\n');
	CU_ASSERT_PTR_NOT_NULL_FATAL(newline);
	CU_ASSERT_EQUAL(newline - got, 1023);
	CU_ASSERT_STRING_EQUAL(newline + 1, "tlscribe: next\n");
}

static const struct unit_test tests[] = {
	{"sentences carry their level in words", sentences_carry_their_level_in_words},
	{"less urgent levels stay silent", less_urgent_levels_stay_silent},
	{"under systemd lines start with a number", under_systemd_lines_start_with_a_number},
	{"a journal stream that is not ours is ignored",
         a_journal_stream_that_is_not_ours_is_ignored},
	{"a long sentence is cut and keeps its newline",
         a_long_sentence_is_cut_and_keeps_its_newline},
};
UNIT_MAIN("base/log", tests)
