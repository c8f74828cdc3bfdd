#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "net/proxy_protocol.h"
#include "unit.h"

/* Up to four texts, "" from where there are no more. */
static int make(struct networks **out, const char *const list[4], unsigned *errors)
{
	struct config_text items[4];
	struct config_texts texts = {.items = items};
	for (; texts.count < 4 && list[texts.count] != NULL; texts.count++) {
		items[texts.count] = (struct config_text){(char *)list[texts.count], {7, 3}};
	}
	struct diag diag;
	diag_init(&diag);
	int err = networks_new(out, &texts, "t.yaml", &diag);
	*errors = diag.errors;
	diag_release(&diag);
	return err;
}

static struct networks *good(const char *a, const char *b, const char *c)
{
	struct networks *networks = NULL;
	unsigned errors = 0;
	CU_ASSERT_EQUAL(make(&networks, (const char *const[4]){a, b, c}, &errors), E_OK);
	CU_ASSERT_EQUAL(errors, 0);
	return networks;
}

static bool have(const struct networks *networks, const char *text)
{
	struct sockaddr_storage sa;
	memset(&sa, 0, sizeof(sa));
	if (strcmp(text, "unix") == 0) {
		sa.ss_family = AF_UNIX;
	} else if (inet_pton(AF_INET, text, &((struct sockaddr_in *)&sa)->sin_addr) == 1) {
		sa.ss_family = AF_INET;
	} else {
		CU_ASSERT_FATAL(
			inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&sa)->sin6_addr) == 1);
		sa.ss_family = AF_INET6;
	}
	return networks_have(networks, (const struct sockaddr *)&sa);
}

static void a_network_has_its_addresses_and_no_others(void)
{
	struct networks *networks = good("10.0.0.0/8", "192.0.2.128/25", "2001:db8::/33");
	CU_ASSERT(have(networks, "10.0.0.0"));
	CU_ASSERT(have(networks, "10.255.255.255"));
	CU_ASSERT_FALSE(have(networks, "9.255.255.255"));
	CU_ASSERT_FALSE(have(networks, "11.0.0.0"));
	CU_ASSERT(have(networks, "192.0.2.128"));
	CU_ASSERT(have(networks, "192.0.2.255"));
	CU_ASSERT_FALSE(have(networks, "192.0.2.127"));
	CU_ASSERT(have(networks, "2001:db8:7fff:ffff::"));
	CU_ASSERT_FALSE(have(networks, "2001:db8:8000::"));
	CU_ASSERT_FALSE(have(networks, "unix"));
	networks_free(&networks);
	CU_ASSERT(networks == NULL);
}

static void an_address_alone_is_itself(void)
{
	struct networks *networks = good("192.0.2.1", "2001:db8::1", NULL);
	CU_ASSERT(have(networks, "192.0.2.1"));
	CU_ASSERT_FALSE(have(networks, "192.0.2.0"));
	CU_ASSERT(have(networks, "2001:db8::1"));
	CU_ASSERT_FALSE(have(networks, "2001:db8::"));
	networks_free(&networks);
}

/* RFC 4291 2.5.5.2: what a dual-stack socket says of an IPv4 peer. */
static void mapped_addresses_count_as_ipv4(void)
{
	struct networks *networks = good("192.0.2.0/24", NULL, NULL);
	CU_ASSERT(have(networks, "::ffff:192.0.2.7"));
	CU_ASSERT_FALSE(have(networks, "::ffff:192.0.3.7"));
	CU_ASSERT_FALSE(have(networks, "::192.0.2.7"));
	networks_free(&networks);
	networks = good("::ffff:192.0.2.0/120", NULL, NULL);
	CU_ASSERT(have(networks, "192.0.2.7"));
	CU_ASSERT(have(networks, "::ffff:192.0.2.7"));
	CU_ASSERT_FALSE(have(networks, "192.0.3.7"));
	networks_free(&networks);
	networks = good("::/0", NULL, NULL);
	CU_ASSERT(have(networks, "2001:db8::1"));
	CU_ASSERT_FALSE(have(networks, "::ffff:192.0.2.7"));
	CU_ASSERT_FALSE(have(networks, "192.0.2.7"));
	networks_free(&networks);
}

static void everybody_and_unix_can_be_named(void)
{
	struct networks *networks = good("0.0.0.0/0", "unix", NULL);
	CU_ASSERT(have(networks, "255.255.255.255"));
	CU_ASSERT(have(networks, "unix"));
	CU_ASSERT_FALSE(have(networks, "::1"));
	networks_free(&networks);
}

static void no_networks_have_nobody(void)
{
	struct networks *networks = good(NULL, NULL, NULL);
	CU_ASSERT(networks == NULL);
	CU_ASSERT_FALSE(have(networks, "127.0.0.1"));
	CU_ASSERT_FALSE(have(networks, "unix"));
	networks_free(&networks);
}

static void everything_else_is_refused_each_with_its_sentence(void)
{
	static const char *const wrong[] = {
		"",
		"/8",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.0/08",
		"10.0.0.0/+8",
		"10.0.0.0/8 ",
		" 10.0.0.0/8",
		"10.0.0/8",
		"10.0.0.1/8",
		"::/129",
		"2001:db8::1/64",
		"[::1]/128",
		"::1%lo",
		"localhost",
		"unix:/run",
		"UNIX",
		"10.0.0.0/8/8",
		"010.0.0.0/8",
		"0.0.0.1/0",
		"2001:db8:0000:0000:0000:0000:0000:0000:0000:0000:0000/64",
	};
	struct networks *networks;
	unsigned errors;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		CU_ASSERT_EQUAL(make(&networks, (const char *const[4]){wrong[i]}, &errors),
		                E_INVALID);
		CU_ASSERT(networks == NULL);
		CU_ASSERT_EQUAL(errors, 1);
	}
	CU_ASSERT_EQUAL(
		make(&networks, (const char *const[4]){"x", "10.0.0.0/8", "10.0.0.1/8"}, &errors),
		E_INVALID);
	CU_ASSERT_EQUAL(errors, 2);
}

static const struct unit_test tests[] = {
	{"a network has its addresses and no others", a_network_has_its_addresses_and_no_others},
	{"an address alone is itself", an_address_alone_is_itself},
	{"mapped addresses count as IPv4", mapped_addresses_count_as_ipv4},
	{"everybody and unix can be named", everybody_and_unix_can_be_named},
	{"no networks have nobody", no_networks_have_nobody},
	{"everything else is refused, each with its sentence",
         everything_else_is_refused_each_with_its_sentence},
};
UNIT_MAIN("net/networks", tests)
