#include "net/limits.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "unit.h"

static struct sockaddr_storage address(const char *text)
{
	struct sockaddr_storage sa;
	memset(&sa, 0, sizeof(sa));
	struct sockaddr_in *in = (struct sockaddr_in *)&sa;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&sa;
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
	} else {
		CU_ASSERT_FATAL(inet_pton(AF_INET6, text, &in6->sin6_addr) == 1);
		in6->sin6_family = AF_INET6;
	}
	return sa;
}

static enum limits_answer acquire(struct limits *limits, const char *text, uint64_t all,
                                  uint64_t per_source)
{
	struct sockaddr_storage sa = address(text);
	return limits_acquire(limits, (struct sockaddr *)&sa, all, per_source);
}

static void release(struct limits *limits, const char *text)
{
	struct sockaddr_storage sa = address(text);
	limits_release(limits, (struct sockaddr *)&sa);
}

static void a_source_is_an_address_or_a_64(void)
{
	struct limits *limits = NULL;
	CU_ASSERT_FATAL(limits_new(&limits) == 0);
	CU_ASSERT_EQUAL(acquire(limits, "192.0.2.1", 10, 1), LIMITS_GRANTED);
	CU_ASSERT_EQUAL(acquire(limits, "192.0.2.1", 10, 1), LIMITS_TOO_MANY_OF_SOURCE);
	CU_ASSERT_EQUAL(acquire(limits, "::ffff:192.0.2.1", 10, 1), LIMITS_TOO_MANY_OF_SOURCE);
	CU_ASSERT_EQUAL(acquire(limits, "192.0.2.2", 10, 1), LIMITS_GRANTED);
	CU_ASSERT_EQUAL(acquire(limits, "2001:db8:0:1::1", 10, 1), LIMITS_GRANTED);
	CU_ASSERT_EQUAL(acquire(limits, "2001:db8:0:1:ffff::2", 10, 1), LIMITS_TOO_MANY_OF_SOURCE);
	CU_ASSERT_EQUAL(acquire(limits, "2001:db8:0:2::1", 10, 1), LIMITS_GRANTED);
	CU_ASSERT_EQUAL(limits_count(limits), 4);
	release(limits, "192.0.2.1");
	CU_ASSERT_EQUAL(acquire(limits, "192.0.2.1", 10, 1), LIMITS_GRANTED);
	release(limits, "192.0.2.1");
	release(limits, "192.0.2.2");
	release(limits, "2001:db8:0:1:abcd::9");
	release(limits, "2001:db8:0:2::1");
	CU_ASSERT_EQUAL(limits_count(limits), 0);
	limits_free(&limits);
}

static void the_total_is_bounded_and_unix_counts_there_alone(void)
{
	struct limits *limits = NULL;
	CU_ASSERT_FATAL(limits_new(&limits) == 0);
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	CU_ASSERT_EQUAL(limits_acquire(limits, (struct sockaddr *)&un, 2, 1), LIMITS_GRANTED);
	CU_ASSERT_EQUAL(limits_acquire(limits, (struct sockaddr *)&un, 2, 1), LIMITS_GRANTED);
	CU_ASSERT_EQUAL(limits_acquire(limits, (struct sockaddr *)&un, 2, 1), LIMITS_TOO_MANY);
	CU_ASSERT_EQUAL(acquire(limits, "192.0.2.1", 2, 1), LIMITS_TOO_MANY);
	limits_release(limits, (struct sockaddr *)&un);
	limits_release(limits, (struct sockaddr *)&un);
	limits_free(&limits);
}

/* The announced source of a PROXY header is known only some time after the connection was counted. */
static void a_connection_moves_to_the_source_it_is_found_to_be_of(void)
{
	struct limits *limits = NULL;
	CU_ASSERT_FATAL(limits_new(&limits) == 0);
	struct sockaddr_storage none, a = address("192.0.2.1"), b = address("192.0.2.2");
	memset(&none, 0, sizeof(none));
	const struct sockaddr *unknown = (struct sockaddr *)&none;
	const struct sockaddr *first = (struct sockaddr *)&a, *second = (struct sockaddr *)&b;
	CU_ASSERT_EQUAL(limits_acquire(limits, unknown, 2, 1), LIMITS_GRANTED);
	CU_ASSERT_EQUAL(limits_acquire(limits, unknown, 2, 1), LIMITS_GRANTED);
	CU_ASSERT_EQUAL(limits_acquire(limits, unknown, 2, 1), LIMITS_TOO_MANY);
	/* At the total's bound, and without a place more. */
	CU_ASSERT_EQUAL(limits_move(limits, unknown, first, 1), LIMITS_GRANTED);
	CU_ASSERT_EQUAL(limits_count(limits), 2);
	/* Refused: it stays where it was. */
	CU_ASSERT_EQUAL(limits_move(limits, unknown, first, 1), LIMITS_TOO_MANY_OF_SOURCE);
	CU_ASSERT_EQUAL(limits_count(limits), 2);
	limits_release(limits, unknown);
	/* The source it left has its place again. */
	CU_ASSERT_EQUAL(limits_move(limits, first, second, 1), LIMITS_GRANTED);
	CU_ASSERT_EQUAL(limits_acquire(limits, first, 2, 1), LIMITS_GRANTED);
	CU_ASSERT_EQUAL(limits_move(limits, second, unknown, 1), LIMITS_GRANTED);
	limits_release(limits, unknown);
	limits_release(limits, first);
	CU_ASSERT_EQUAL(limits_count(limits), 0);
	limits_free(&limits);
}

static const struct unit_test tests[] = {
	{"a connection moves to the source it is found to be of",
         a_connection_moves_to_the_source_it_is_found_to_be_of},
	{"a source is an address or a /64", a_source_is_an_address_or_a_64},
	{"the total is bounded and unix counts there alone",
         the_total_is_bounded_and_unix_counts_there_alone},
};
UNIT_MAIN("net/limits", tests)
