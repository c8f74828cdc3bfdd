#include "net/address.h"

#include <netinet/in.h>

#include "base/err.h"
#include "unit.h"

static void the_three_forms_are_read(void)
{
	struct address a, b;
	CU_ASSERT_EQUAL(address_parse(&a, "127.0.0.1:8443"), E_OK);
	CU_ASSERT_EQUAL(ntohs(((struct sockaddr_in *)&a.sa)->sin_port), 8443);
	CU_ASSERT_EQUAL(address_parse(&b, "127.0.0.1:8443"), E_OK);
	CU_ASSERT(address_equal(&a, &b));
	CU_ASSERT_EQUAL(address_parse(&b, "127.0.0.1:8444"), E_OK);
	CU_ASSERT(!address_equal(&a, &b));
	CU_ASSERT_EQUAL(address_parse(&a, "[::1]:1"), E_OK);
	CU_ASSERT_EQUAL(a.sa.ss_family, AF_INET6);
	CU_ASSERT_EQUAL(address_parse(&a, "[::]:1"), E_OK);
	CU_ASSERT_EQUAL(address_parse(&a, "0.0.0.0:1"), E_OK);
	CU_ASSERT_EQUAL(address_parse(&a, "unix:/tmp/x.sock"), E_OK);
	CU_ASSERT_EQUAL(a.sa.ss_family, AF_UNIX);
}

static void other_forms_are_refused(void)
{
	static const char *const bad[] = {
		"",
		":",
		"127.0.0.1",
		"127.0.0.1:",
		"127.0.0.1:65536",
		"127.0.0.1:123456",
		"127.0.0.1:+1",
		"::1:80",
		"[127.0.0.1]:80",
		"[::1]",
		"[]:80",
		"example:80",
		"unix:",
		"127.0.0.1:80 ",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct address a;
		CU_ASSERT_EQUAL(address_parse(&a, bad[i]), E_INVALID);
	}
	char path[200] = "unix:/";
	memset(path + 6, 'a', sizeof(path) - 7);
	path[sizeof(path) - 1] = '\0';
	struct address a;
	CU_ASSERT_EQUAL(address_parse(&a, path), E_INVALID);
}

static const struct unit_test tests[] = {
	{"the three forms are read", the_three_forms_are_read},
	{"other forms are refused", other_forms_are_refused},
};
UNIT_MAIN("net/address", tests)
