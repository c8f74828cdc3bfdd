#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "event/handshake.h"
#include "unit.h"

static bool is(const char *expected)
{
	struct endpoint e = {.family = strchr(expected, ':') != NULL ? AF_INET6 : AF_INET};
	CU_ASSERT_EQUAL(inet_pton(e.family, expected, e.ip), 1);
	char text[ENDPOINT_IP_MAX];
	size_t len = endpoint_ip(text, &e);
	if (strcmp(text, expected) != 0) {
		printf("\n%s instead of %s\n", text, expected);
	}
	return strcmp(text, expected) == 0 && len == strlen(expected);
}

/* RFC 5952 4 */
static void ipv6_is_written_in_its_canonical_form(void)
{
	CU_ASSERT(is("::"));
	CU_ASSERT(is("::1"));
	CU_ASSERT(is("1::"));
	CU_ASSERT(is("2001:db8::1"));
	CU_ASSERT(is("2001:db8::2:1"));
	CU_ASSERT(is("2001:db8:0:1:1:1:1:1")); /* 4.2.2: a single zero is no run */
	CU_ASSERT(is("2001:0:0:1::1"));        /* 4.2.3: the longest run */
	CU_ASSERT(is("2001:db8::1:0:0:1"));    /* the first of equal ones */
	CU_ASSERT(is("2001:db8:aaaa:bbbb:cccc:dddd:eeee:aaaa"));
	CU_ASSERT(is("fe80::abc:10:f00"));
	CU_ASSERT(is("0:1::"));
	CU_ASSERT(is("1:2:3:4:5:6::"));
}

static void ipv4_is_written_in_dotted_decimals(void)
{
	CU_ASSERT(is("0.0.0.0"));
	CU_ASSERT(is("255.255.255.255"));
	CU_ASSERT(is("192.0.2.10"));
	CU_ASSERT(is("1.20.100.9"));
}

/* glibc writes the same, but for the addresses that it shows with an IPv4 tail. */
static void all_patterns_of_zeros_are_as_inet_ntop_has_them(void)
{
	for (unsigned pattern = 0; pattern < 256; pattern++) {
		struct endpoint e = {.family = AF_INET6};
		for (unsigned group = 0; group < 8; group++) {
			e.ip[2 * group + 1] = (pattern >> group & 1) != 0 ? (uint8_t)(group + 9) : 0;
		}
		bool has_tail = (pattern & 0x3f) == 0 && (pattern & 0x40) != 0;
		char text[ENDPOINT_IP_MAX];
		char expected[INET6_ADDRSTRLEN];
		endpoint_ip(text, &e);
		CU_ASSERT_PTR_NOT_NULL(inet_ntop(AF_INET6, e.ip, expected, sizeof(expected)));
		CU_ASSERT(has_tail || strcmp(text, expected) == 0);
	}
}

static void other_families_have_no_address(void)
{
	char text[ENDPOINT_IP_MAX] = "x";
	CU_ASSERT_EQUAL(endpoint_ip(text, &(struct endpoint){.family = AF_UNIX}), 0);
	CU_ASSERT_STRING_EQUAL(text, "");
	CU_ASSERT_EQUAL(endpoint_ip(text, &(struct endpoint){.family = 0}), 0);
}

static const struct unit_test tests[] = {
	{"IPv6 is written in its canonical form", ipv6_is_written_in_its_canonical_form},
	{"IPv4 is written in dotted decimals", ipv4_is_written_in_dotted_decimals},
	{"all patterns of zeros are as inet_ntop has them",
         all_patterns_of_zeros_are_as_inet_ntop_has_them},
	{"other families have no address", other_families_have_no_address},
};
UNIT_MAIN("event/endpoint", tests)
