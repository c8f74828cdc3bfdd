/* Read off the hello alone: who can be resumed, and be given a ticket. */
#include "tls/ticket_offer.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

/* IANA numbers */
enum { SECP256R1 = 23, SECP384R1 = 24, X25519 = 29, FFDHE2048 = 256 };

/* Extensions: type, length, content. Keys have one byte: GnuTLS looks at them. */
#define MODES_DHE "\x00\x2d\x00\x02\x01\x01"
#define MODES_PSK "\x00\x2d\x00\x02\x01\x00"
#define MODES_BOTH "\x00\x2d\x00\x03\x02\x00\x01"
#define MODES_UNKNOWN "\x00\x2d\x00\x03\x02\x07\x09"
#define MODES_NONE "\x00\x2d\x00\x01\x00"
#define MODES_EMPTY "\x00\x2d\x00\x00"
#define MODES_LONG "\x00\x2d\x00\x02\x02\x01"
#define GROUP_X "\x00\x0a\x00\x04\x00\x02\x00\x1d"
#define GROUP_P "\x00\x0a\x00\x04\x00\x02\x00\x17"
#define GROUPS_XP "\x00\x0a\x00\x06\x00\x04\x00\x1d\x00\x17"
#define GROUPS_PX "\x00\x0a\x00\x06\x00\x04\x00\x17\x00\x1d"
#define GROUPS_NEW_X "\x00\x0a\x00\x06\x00\x04\x11\xec\x00\x1d"
#define GROUPS_FX "\x00\x0a\x00\x06\x00\x04\x01\x00\x00\x1d"
#define GROUPS_OTHER "\x00\x0a\x00\x06\x00\x04\x11\xec\x00\x1e"
#define GROUPS_SHORT "\x00\x0a\x00\x04\x00\x04\x00\x1d"
#define GROUPS_ZERO "\x00\x0a\x00\x04\x00\x02\x00\x00"
#define GROUPS_EMPTY "\x00\x0a\x00\x00"
#define SHARE_X "\x00\x33\x00\x07\x00\x05\x00\x1d\x00\x01k"
#define SHARE_P "\x00\x33\x00\x07\x00\x05\x00\x17\x00\x01k"
#define SHARE_F "\x00\x33\x00\x07\x00\x05\x01\x00\x00\x01k"
#define SHARE_ZERO "\x00\x33\x00\x07\x00\x05\x00\x00\x00\x01k"
#define SHARES_PX "\x00\x33\x00\x0c\x00\x0a\x00\x17\x00\x01k\x00\x1d\x00\x01k"
#define SHARES_FX "\x00\x33\x00\x0c\x00\x0a\x01\x00\x00\x01k\x00\x1d\x00\x01k"
#define SHARES_NONE "\x00\x33\x00\x02\x00\x00"
#define SHARES_SHORT "\x00\x33\x00\x06\x00\x04\x00\x1d\x00\x01"
#define SHARES_LONG "\x00\x33\x00\x07\x00\x06\x00\x1d\x00\x01k"
#define SHARES_BROKEN "\x00\x33\x00\x0c\x00\x0a\x00\x17\x00\x09k\x00\x1d\x00\x01k"
#define SHARES_HIDDEN "\x00\x33\x00\x0c\x00\x0a\x00\x17\x00\x06k\x00\x1d\x00\x01k"
#define SHARES_EMPTY "\x00\x33\x00\x00"

#define CASE(extensions, fits) \
	{ \
		extensions, sizeof(extensions) - 1, fits \
	}
struct offer_case {
	const char *extensions;
	size_t len;
	bool fits;
};

/* RFC 8446 4.1.2: version, random, no session id, one suite, no compression. In memory of just its size. */
static uint8_t *hello_of(const struct offer_case *one, size_t *len)
{
	static const uint8_t rest[] = {0, 0, 2, 0x13, 0x01, 1, 0};
	uint8_t *body = calloc(1, 34 + sizeof(rest) + 2 + one->len);
	body[0] = body[1] = 3;
	memcpy(body + 34, rest, sizeof(rest));
	uint8_t *at = body + 34 + sizeof(rest);
	at[0] = (uint8_t)(one->len >> 8);
	at[1] = (uint8_t)one->len;
	memcpy(at + 2, one->extensions, one->len);
	*len = 34 + sizeof(rest) + 2 + one->len;
	return body;
}

static void check_order(const struct offer_case *cases, size_t n, const uint16_t *groups,
                        size_t count, bool client_order)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = 0;
		uint8_t *body = hello_of(&cases[i], &len);
		bool fits = ticket_offer_fits(slice_of(body, len), groups, count, client_order);
		if (fits != cases[i].fits) {
			fprintf(stderr, "case %zu\n", i);
		}
		CU_ASSERT_EQUAL(fits, cases[i].fits);
		free(body);
	}
}

static void check(const struct offer_case *cases, size_t n, const uint16_t *groups, size_t count)
{
	check_order(cases, n, groups, count, false);
}

static void the_mode_with_forward_secrecy_has_to_be_on_offer(void)
{
	static const uint16_t ours[] = {X25519, SECP256R1};
	static const struct offer_case cases[] = {
		CASE(MODES_DHE GROUP_X SHARE_X, true),
		CASE(MODES_BOTH GROUP_X SHARE_X, true),
		CASE(GROUP_X SHARE_X MODES_DHE, true),
		CASE(MODES_PSK GROUP_X SHARE_X, false),
		CASE(MODES_UNKNOWN GROUP_X SHARE_X, false),
		CASE(MODES_NONE GROUP_X SHARE_X, false),
		CASE(MODES_EMPTY GROUP_X SHARE_X, false),
		CASE(MODES_LONG GROUP_X SHARE_X, false),
		/* RFC 8446 4.2.9: without the extension no ticket fits */
		CASE(GROUP_X SHARE_X, false),
	};
	check(cases, sizeof(cases) / sizeof(cases[0]), ours, 2);
}

static void a_share_of_the_preferred_group_has_to_be_there(void)
{
	static const uint16_t ours[] = {X25519, SECP256R1};
	static const struct offer_case cases[] = {
		CASE(MODES_DHE GROUP_P SHARE_P, true),
		CASE(MODES_DHE GROUPS_XP SHARE_X, true),
		CASE(MODES_DHE GROUPS_PX SHARES_PX, true),
		CASE(MODES_DHE GROUPS_NEW_X SHARE_X, true),
		/* One of both sides' favourites is missing. */
		CASE(MODES_DHE GROUPS_XP SHARE_P, false),
		CASE(MODES_DHE GROUPS_PX SHARE_P, false),
		CASE(MODES_DHE GROUPS_PX SHARE_X, false),
		CASE(MODES_DHE GROUP_X SHARE_P, false),
		CASE(MODES_DHE GROUPS_OTHER SHARE_X, false),
		CASE(MODES_DHE GROUP_X SHARES_NONE, false),
		CASE(MODES_DHE GROUP_X, false),
		CASE(MODES_DHE SHARE_X, false),
	};
	check(cases, sizeof(cases) / sizeof(cases[0]), ours, 2);
	/* Where the client's order counts, its favourite is enough. */
	static const struct offer_case by_client[] = {
		CASE(MODES_DHE GROUPS_PX SHARE_P, true),
		CASE(MODES_DHE GROUPS_XP SHARE_X, true),
		CASE(MODES_DHE GROUPS_PX SHARE_X, false),
		CASE(MODES_DHE GROUPS_OTHER SHARE_X, false),
	};
	check_order(by_client, sizeof(by_client) / sizeof(by_client[0]), ours, 2, true);
	/* A group that nobody knows is no group in common. */
	static const uint16_t unknown[] = {0, SECP384R1};
	static const struct offer_case zero[] = {CASE(MODES_DHE GROUPS_ZERO SHARE_ZERO, false)};
	check(zero, 1, unknown, 2);
	check(zero, 1, unknown, 0);
}

static void finite_fields_are_left_alone(void)
{
	static const uint16_t ours[] = {X25519, FFDHE2048};
	static const uint16_t field_first[] = {FFDHE2048, X25519};
	static const struct offer_case cases[] = {
		CASE(MODES_DHE GROUPS_FX SHARE_F, false),
		CASE(MODES_DHE GROUPS_FX SHARES_FX, false),
	};
	check(cases, 2, ours, 2);
	check(cases, 2, field_first, 2);
	static const uint16_t without[] = {X25519};
	static const struct offer_case curve[] = {CASE(MODES_DHE GROUPS_FX SHARES_FX, true)};
	check(curve, 1, without, 1);
}

static void what_is_malformed_does_not_fit(void)
{
	static const uint16_t ours[] = {X25519, SECP256R1};
	static const struct offer_case cases[] = {
		CASE(MODES_DHE GROUPS_SHORT SHARE_X, false),
		CASE(MODES_DHE GROUPS_EMPTY SHARE_X, false),
		CASE(MODES_DHE GROUP_X SHARES_SHORT, false),
		CASE(MODES_DHE GROUP_X SHARES_LONG, false),
		CASE(MODES_DHE GROUP_X SHARES_BROKEN, false),
		/* Inside of another group's key. */
		CASE(MODES_DHE GROUP_X SHARES_HIDDEN, false),
		CASE(MODES_DHE GROUP_X SHARES_EMPTY, false),
		/* RFC 8446 4.2: no extension twice */
		CASE(MODES_DHE MODES_DHE GROUP_X SHARE_X, false),
		CASE(MODES_DHE GROUP_X GROUP_X SHARE_X, false),
		CASE(MODES_DHE GROUP_X SHARE_X SHARE_X, false),
		CASE("", false),
		CASE("\x00\x2d\x00\x09\x01\x01", false),
	};
	check(cases, sizeof(cases) / sizeof(cases[0]), ours, 2);
	/* Cut anywhere it is none, and nothing behind its end is read. */
	struct offer_case whole = CASE(MODES_BOTH GROUPS_PX SHARES_PX, true);
	size_t len = 0;
	uint8_t *body = hello_of(&whole, &len);
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *part = malloc(cut == 0 ? 1 : cut);
		memcpy(part, body, cut);
		CU_ASSERT_FALSE(ticket_offer_fits(slice_of(part, cut), ours, 2, false));
		free(part);
	}
	CU_ASSERT_TRUE(ticket_offer_fits(slice_of(body, len), ours, 2, false));
	free(body);
}

static const struct unit_test tests[] = {
	{"the mode with forward secrecy has to be on offer",
         the_mode_with_forward_secrecy_has_to_be_on_offer},
	{"a share of the preferred group has to be there",
         a_share_of_the_preferred_group_has_to_be_there},
	{"finite fields are left alone", finite_fields_are_left_alone},
	{"what is malformed does not fit", what_is_malformed_does_not_fit},
};
UNIT_MAIN("tls/ticket_offer", tests)
