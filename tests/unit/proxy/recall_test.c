/* Sessions are used once, newest first, bounded, and never outlive what they were given under. */
#include "proxy/recall.h"

#include <stdlib.h>

#include "base/err.h"
#include "unit.h"

/* Only ever compared. */
static const struct upstream *const one = (const struct upstream *)0x1000;
static const struct upstream *const other = (const struct upstream *)0x1000000;

static struct recall *new (void)
{
	struct recall *recall = NULL;
	if (recall_new(&recall) != E_OK) {
		abort();
	}
	return recall;
}

static void put(struct recall *recall, const struct upstream *upstream, size_t server,
                const char *text)
{
	struct recall_session session = {0};
	struct slice der = slice_text(text);
	buf_init(&session.data, RECALL_SESSION_BYTES);
	buf_append_text(&session.data, text);
	if (chain_new(&session.chain, &der, 1) != E_OK) {
		abort();
	}
	recall_put(recall, upstream, server, &session);
	CU_ASSERT_PTR_NULL(session.chain);
}

static bool takes(struct recall *recall, const struct upstream *upstream, size_t server,
                  const char *text)
{
	struct recall_session session;
	if (!recall_take(recall, upstream, server, &session)) {
		return text == NULL;
	}
	bool same = text != NULL && slice_equal(buf_slice(&session.data), slice_text(text)) &&
	            slice_equal(session.chain->certs[0].der, slice_text(text));
	recall_session_release(&session);
	return same;
}

static void a_session_is_used_once_the_newest_first(void)
{
	struct recall *recall = new ();
	put(recall, one, 0, "a");
	put(recall, one, 0, "b");
	CU_ASSERT(takes(recall, one, 0, "b"));
	CU_ASSERT(takes(recall, one, 0, "a"));
	CU_ASSERT(takes(recall, one, 0, NULL));
	recall_free(&recall);
}

static void a_session_is_of_one_server_alone(void)
{
	struct recall *recall = new ();
	put(recall, one, 0, "a");
	CU_ASSERT(takes(recall, one, 1, NULL));
	CU_ASSERT(takes(recall, other, 0, NULL));
	CU_ASSERT(takes(recall, one, 0, "a"));
	/* In one bucket of the table, too. */
	for (size_t server = 0; server < 1000; server++) {
		put(recall, one, server, server % 2 == 0 ? "even" : "odd");
	}
	for (size_t server = 0; server < 1000; server++) {
		CU_ASSERT(takes(recall, one, server, server % 2 == 0 ? "even" : "odd"));
		CU_ASSERT(takes(recall, one, server, NULL));
	}
	recall_free(&recall);
}

static void the_oldest_goes_when_there_are_too_many(void)
{
	static const char *const texts[] = {"0", "1", "2", "3", "4", "5"};
	struct recall *recall = new ();
	for (size_t i = 0; i < 6; i++) {
		put(recall, one, 0, texts[i]);
	}
	for (size_t i = 0; i < RECALL_SESSIONS; i++) {
		CU_ASSERT(takes(recall, one, 0, texts[5 - i]));
	}
	CU_ASSERT(takes(recall, one, 0, NULL));
	recall_free(&recall);
}

static void what_is_forgotten_is_not_given_out(void)
{
	struct recall *recall = new ();
	put(recall, one, 0, "a");
	put(recall, one, 0, "b");
	put(recall, one, 1, "c");
	recall_forget(recall, one, 0);
	CU_ASSERT(takes(recall, one, 0, NULL));
	CU_ASSERT(takes(recall, one, 1, "c"));
	put(recall, one, 1, "d");
	recall_clear(recall);
	CU_ASSERT(takes(recall, one, 1, NULL));
	put(recall, one, 1, "e");
	CU_ASSERT(takes(recall, one, 1, "e"));
	recall_free(&recall);
}

static void an_outcome_is_news_once(void)
{
	struct recall *recall = new ();
	CU_ASSERT(recall_changed(recall, one, 0, CLASS_OK));
	CU_ASSERT(!recall_changed(recall, one, 0, CLASS_OK));
	CU_ASSERT(recall_changed(recall, one, 1, CLASS_OK));
	CU_ASSERT(recall_changed(recall, one, 0, CLASS_EXPIRED));
	CU_ASSERT(!recall_changed(recall, one, 0, CLASS_EXPIRED));
	CU_ASSERT(recall_changed(recall, one, 0, CLASS_OK));
	recall_clear(recall);
	CU_ASSERT(recall_changed(recall, one, 0, CLASS_OK));
	recall_free(&recall);
}

static const struct unit_test tests[] = {
	{"a session is used once, the newest first", a_session_is_used_once_the_newest_first},
	{"a session is of one server alone", a_session_is_of_one_server_alone},
	{"the oldest goes when there are too many", the_oldest_goes_when_there_are_too_many},
	{"what is forgotten is not given out", what_is_forgotten_is_not_given_out},
	{"an outcome is news once", an_outcome_is_news_once},
};
UNIT_MAIN("proxy/recall", tests)
