/* What a back end's servers are called, where they are, and how that changes. */
#include "proxy/upstream.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "unit.h"

#define SERVERS_MAX 4

static struct config_server servers[SERVERS_MAX];
static struct config_upstream config;
static struct diag diag;

static void fill(const char *const *names, size_t count)
{
	config = (struct config_upstream){.at = {1, 1}, .servers = servers, .server_count = count};
	for (size_t i = 0; i < count; i++) {
		servers[i] =
			(struct config_server){.address = {(char *)names[i], {7, 3}}, .weight = 1};
	}
}

static int try_make(struct upstream **out, const char *const *names, size_t count)
{
	fill(names, count);
	return upstream_new(out, &config, "api", "test.yaml", &diag);
}

static struct upstream *make(const char *const *names, size_t count)
{
	struct upstream *upstream = NULL;
	diag_init(&diag);
	if (try_make(&upstream, names, count) != E_OK) {
		diag_print(&diag, stderr);
		abort();
	}
	diag_release(&diag);
	return upstream;
}
#define MAKE(...) \
	make((const char *const[]){__VA_ARGS__}, \
	     sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static struct address literal(const char *text)
{
	struct address address;
	if (address_parse(&address, text) != E_OK) {
		abort();
	}
	return address;
}

static bool is_at(const struct upstream *upstream, size_t i, const char *text)
{
	struct address is, wanted = literal(text);
	upstream_address(upstream, i, &is);
	return address_equal(&is, &wanted);
}

static void hosts_come_without_port_and_brackets(void)
{
	struct upstream *upstream =
		MAKE("127.0.0.1:80", "[::1]:8080", "localhost:443", "unix:/run/app:1.sock");
	CU_ASSERT_STRING_EQUAL(upstream_host(upstream, 0), "127.0.0.1");
	CU_ASSERT_STRING_EQUAL(upstream_host(upstream, 1), "::1");
	CU_ASSERT_STRING_EQUAL(upstream_host(upstream, 2), "localhost");
	CU_ASSERT_PTR_NULL(upstream_host(upstream, 3));
	CU_ASSERT_STRING_EQUAL(upstream_name(upstream, 1), "[::1]:8080");
	CU_ASSERT_STRING_EQUAL(upstream_owner(upstream), "api");
	CU_ASSERT_PTR_EQUAL(upstream_config(upstream), &config);
	upstream_free(&upstream);
	CU_ASSERT_PTR_NULL(upstream);
}

static void only_host_names_are_looked_up_again(void)
{
	struct upstream *upstream =
		MAKE("127.0.0.1:80", "[::1]:80", "localhost:80", "unix:/run/app.sock");
	CU_ASSERT(!upstream_has_name(upstream, 0));
	CU_ASSERT(!upstream_has_name(upstream, 1));
	CU_ASSERT(upstream_has_name(upstream, 2));
	CU_ASSERT(!upstream_has_name(upstream, 3));
	upstream_free(&upstream);
}

/* --- tls --- */

/* With TLS to servers that need not be verified: no file is read. */
static struct upstream *make_tls(const char *server_name, const char *const *names, size_t count)
{
	struct upstream *upstream = NULL;
	diag_init(&diag);
	fill(names, count);
	config.tls = (struct config_upstream_tls){.at = {9, 1},
	                                          .verify = UPSTREAM_VERIFY_NONE,
	                                          .server_name = {(char *)server_name, {9, 9}}};
	if (upstream_new(&upstream, &config, "api", "test.yaml", &diag) != E_OK) {
		diag_print(&diag, stderr);
		abort();
	}
	diag_release(&diag);
	return upstream;
}

static void plain_servers_have_no_trust(void)
{
	struct upstream *upstream = MAKE("localhost:80");
	CU_ASSERT_PTR_NULL(upstream_tls(upstream));
	CU_ASSERT_PTR_NULL(upstream_trust(upstream, 0));
	CU_ASSERT_PTR_NULL(upstream_server_name(upstream, 0));
	upstream_free(&upstream);
}

static void names_are_asked_for_and_addresses_are_not(void)
{
	/* RFC 6066 3 */
	const char *const names[] = {"localhost:443", "127.0.0.1:443", "[::1]:443",
	                             "unix:/run/app.sock"};
	struct upstream *upstream = make_tls(NULL, names, 4);
	CU_ASSERT_PTR_NOT_NULL(upstream_tls(upstream));
	CU_ASSERT_STRING_EQUAL(upstream_server_name(upstream, 0), "localhost");
	for (size_t i = 1; i < 4; i++) {
		CU_ASSERT_PTR_NULL(upstream_server_name(upstream, i));
		CU_ASSERT_PTR_NOT_NULL(upstream_trust(upstream, i));
	}
	upstream_free(&upstream);
}

static void a_configured_name_is_everybodys(void)
{
	const char *const names[] = {"127.0.0.1:443", "unix:/run/app.sock"};
	struct upstream *upstream = make_tls("api.internal", names, 2);
	CU_ASSERT_STRING_EQUAL(upstream_server_name(upstream, 0), "api.internal");
	CU_ASSERT_STRING_EQUAL(upstream_server_name(upstream, 1), "api.internal");
	CU_ASSERT_PTR_EQUAL(upstream_trust(upstream, 0), upstream_trust(upstream, 1));
	upstream_free(&upstream);
	upstream = make_tls("10.0.0.1", names, 2);
	CU_ASSERT_PTR_NULL(upstream_server_name(upstream, 0));
	upstream_free(&upstream);
}

static void a_fault_that_all_servers_share_is_told_once(void)
{
	struct upstream *upstream = NULL;
	diag_init(&diag);
	const char *const names[] = {"127.0.0.1:443", "127.0.0.2:443", "127.0.0.3:443"};
	fill(names, 3);
	struct config_text ca = {(char *)"/nonexistent/ca.pem", {8, 5}};
	config.tls = (struct config_upstream_tls){
		.at = {9, 1}, .verify = UPSTREAM_VERIFY_REQUIRED, .ca = {&ca, 1, {8, 3}}};
	CU_ASSERT_EQUAL(upstream_new(&upstream, &config, "api", "test.yaml", &diag), E_INVALID);
	CU_ASSERT_EQUAL(diag.errors, 1);
	CU_ASSERT_EQUAL(diag.first->at.line, 8);
	diag_release(&diag);
}

static void every_bad_address_is_told_with_its_place(void)
{
	struct upstream *upstream = NULL;
	diag_init(&diag);
	const char *const names[] = {"127.0.0.1:80", "127.0.0.1", "unix:", "a b:c"};
	CU_ASSERT_EQUAL(try_make(&upstream, names, 4), E_INVALID);
	CU_ASSERT_PTR_NULL(upstream);
	CU_ASSERT_EQUAL(diag.errors, 3);
	CU_ASSERT_EQUAL(diag.first->at.line, 7);
	CU_ASSERT_PTR_NOT_NULL(strstr(diag.first->text, "127.0.0.1"));
	diag_release(&diag);
}

static void a_new_look_up_moves_a_server(void)
{
	struct upstream *upstream = MAKE("localhost:80", "localhost:80");
	const struct address found[] = {literal("127.0.0.7:80"), literal("127.0.0.8:80")};
	upstream_readdress(upstream, 0, found, 2);
	CU_ASSERT(is_at(upstream, 0, "127.0.0.7:80"));
	CU_ASSERT(!is_at(upstream, 1, "127.0.0.7:80"));
	upstream_free(&upstream);
}

static void the_address_in_use_stays_while_it_is_an_answer(void)
{
	struct upstream *upstream = MAKE("localhost:80");
	const struct address found[] = {literal("127.0.0.7:80"), literal("127.0.0.8:80"),
	                                literal("127.0.0.9:80")};
	const struct address rotated[] = {found[2], found[1], found[0]};
	upstream_readdress(upstream, 0, found, 3);
	upstream_readdress(upstream, 0, rotated, 3);
	CU_ASSERT(is_at(upstream, 0, "127.0.0.7:80"));
	upstream_readdress(upstream, 0, rotated, 2);
	CU_ASSERT(is_at(upstream, 0, "127.0.0.9:80"));
	upstream_free(&upstream);
}

static void a_name_that_is_lost_keeps_its_address(void)
{
	struct upstream *upstream = MAKE("localhost:80");
	const struct address found = literal("127.0.0.7:80");
	upstream_readdress(upstream, 0, &found, 1);
	upstream_readdress(upstream, 0, NULL, 0);
	CU_ASSERT(is_at(upstream, 0, "127.0.0.7:80"));
	upstream_free(&upstream);
}

static void a_failure_moves_on_to_the_next_address(void)
{
	struct upstream *upstream = MAKE("localhost:80");
	const struct address found[] = {literal("127.0.0.7:80"), literal("127.0.0.8:80")};
	upstream_readdress(upstream, 0, found, 2);
	upstream_failed(upstream, 0, 1);
	CU_ASSERT(is_at(upstream, 0, "127.0.0.8:80"));
	upstream_failed(upstream, 0, 1);
	CU_ASSERT(is_at(upstream, 0, "127.0.0.7:80"));
	upstream_free(&upstream);
}

static void every_address_is_tried_and_the_other_servers_before(void)
{
	struct upstream *upstream = MAKE("localhost:80", "127.0.0.1:81");
	const struct address found[] = {literal("127.0.0.7:80"), literal("127.0.0.8:80"),
	                                literal("127.0.0.9:80")};
	static const char *const wanted[] = {"127.0.0.7:80", "127.0.0.1:81", "127.0.0.8:80",
	                                     "127.0.0.9:80"};
	struct upstream_tried tried = {.rounds = 0};
	upstream_readdress(upstream, 0, found, 3);
	for (size_t k = 0; k < 4; k++) {
		size_t i = upstream_pick(upstream, &tried, 1);
		CU_ASSERT_FATAL(i < 2);
		CU_ASSERT(is_at(upstream, i, wanted[k]));
		upstream_failed(upstream, i, 1);
	}
	CU_ASSERT_EQUAL(upstream_pick(upstream, &tried, 1), UPSTREAM_NOBODY);
	CU_ASSERT_EQUAL(upstream_pick(upstream, &tried, 1), UPSTREAM_NOBODY);
	upstream_free(&upstream);
}

static void a_reload_keeps_the_address_that_works(void)
{
	struct upstream *old = MAKE("localhost:80");
	struct upstream *new = MAKE("localhost:80");
	const struct address found[] = {literal("127.0.0.7:80"), literal("127.0.0.8:80")};
	upstream_readdress(old, 0, found, 2);
	upstream_readdress(new, 0, found, 2);
	upstream_failed(old, 0, 1);
	upstream_inherit(new, old);
	CU_ASSERT(is_at(new, 0, "127.0.0.8:80"));
	upstream_free(&new);
	upstream_free(&old);
}

static void more_addresses_than_are_kept_do_no_harm(void)
{
	struct upstream *upstream = MAKE("localhost:80");
	struct address found[2 * UPSTREAM_ADDRESSES_MAX];
	for (size_t i = 0; i < 2 * UPSTREAM_ADDRESSES_MAX; i++) {
		char text[32];
		snprintf(text, sizeof(text), "127.0.1.%zu:80", i);
		found[i] = literal(text);
	}
	upstream_readdress(upstream, 0, found, 2 * UPSTREAM_ADDRESSES_MAX);
	for (size_t i = 0; i < UPSTREAM_ADDRESSES_MAX; i++) {
		upstream_failed(upstream, 0, 1);
	}
	CU_ASSERT(is_at(upstream, 0, "127.0.1.0:80"));
	upstream_free(&upstream);
}

static void a_closed_port_is_told(void)
{
	/* Bound and never listened on: nobody else can have it. */
	int s = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	CU_ASSERT_EQUAL_FATAL(bind(s, (struct sockaddr *)&in, sizeof(in)), 0);
	CU_ASSERT_EQUAL_FATAL(getsockname(s, (struct sockaddr *)&in, &len), 0);
	char name[32];
	snprintf(name, sizeof(name), "127.0.0.1:%u", ntohs(in.sin_port));
	struct upstream *upstream = MAKE(name, "unix:/nonexistent/socket");
	int fd = -1;
	int err = upstream_connect(upstream, 0, &fd);
	if (err == E_AGAIN) {
		err = upstream_connected(fd);
		close(fd);
	}
	CU_ASSERT_EQUAL(err, E_IO);
	CU_ASSERT_EQUAL(errno, ECONNREFUSED);
	CU_ASSERT_EQUAL(upstream_connect(upstream, 1, &fd), E_IO);
	CU_ASSERT_EQUAL(errno, ENOENT);
	upstream_free(&upstream);
	close(s);
}

static void a_dead_back_end_is_told_once_in_a_while(void)
{
	struct upstream *upstream = MAKE("127.0.0.1:80");
	CU_ASSERT(upstream_should_warn(upstream));
	CU_ASSERT(!upstream_should_warn(upstream));
	upstream_free(&upstream);
}

static const struct unit_test tests[] = {
	{"hosts come without port and brackets", hosts_come_without_port_and_brackets},
	{"only host names are looked up again", only_host_names_are_looked_up_again},
	{"plain servers have no trust", plain_servers_have_no_trust},
	{"names are asked for and addresses are not", names_are_asked_for_and_addresses_are_not},
	{"a configured name is everybody's", a_configured_name_is_everybodys},
	{"a fault that all servers share is told once", a_fault_that_all_servers_share_is_told_once},
	{"every bad address is told with its place", every_bad_address_is_told_with_its_place},
	{"a new look-up moves a server", a_new_look_up_moves_a_server},
	{"the address in use stays while it is an answer",
         the_address_in_use_stays_while_it_is_an_answer},
	{"a name that is lost keeps its address", a_name_that_is_lost_keeps_its_address},
	{"a failure moves on to the next address", a_failure_moves_on_to_the_next_address},
	{"every address is tried, and the other servers before",
         every_address_is_tried_and_the_other_servers_before},
	{"a reload keeps the address that works", a_reload_keeps_the_address_that_works},
	{"more addresses than are kept do no harm", more_addresses_than_are_kept_do_no_harm},
	{"a closed port is told", a_closed_port_is_told},
	{"a dead back end is told once in a while", a_dead_back_end_is_told_once_in_a_while},
};
UNIT_MAIN("proxy/upstream", tests)
