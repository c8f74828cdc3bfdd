/* The longest route wins, and no writing of a path leads around one. */
#include "proxy/route.h"

#include <stdlib.h>

#include "base/err.h"
#include "unit.h"

#define TEXT(t) \
	{ \
		.text = (char *)(t) \
	}

static struct config_route routes_config[] = {
	{.path = TEXT("/")},
	{.path = TEXT("/admin/"), .require = REQUIRE_VERIFIED},
	{.path = TEXT("/admin/public/")},
	{.exact = TEXT("/admin/health")},
	{.host = TEXT("other.example")},
	{.host = TEXT("*.wild.example"), .path = TEXT("/admin/")},
};

static struct routes *build(void)
{
	const struct config_service service = {
		.name = TEXT("s"),
		.routes = routes_config,
		.route_count = sizeof(routes_config) / sizeof(routes_config[0]),
	};
	struct diag diag;
	diag_init(&diag);
	struct routes *routes = NULL;
	if (routes_new(&routes, &service, "f", &diag) != E_OK) {
		abort();
	}
	diag_release(&diag);
	return routes;
}

/* The number of the route in the configuration, -1: none, -2: refused. */
static int find(const struct routes *routes, const char *host, const char *path)
{
	const struct route *route = NULL;
	if (!routes_find(routes, slice_text(host), slice_text(path), &route)) {
		return -2;
	}
	return route == NULL ? -1 : (int)(route->config - routes_config);
}

static void the_longest_prefix_wins(void)
{
	struct routes *routes = build();
	CU_ASSERT_EQUAL(find(routes, "a.example", "/x"), 0);
	CU_ASSERT_EQUAL(find(routes, "a.example", "/admin/x"), 1);
	CU_ASSERT_EQUAL(find(routes, "a.example", "/admin/public/x"), 2);
	CU_ASSERT_EQUAL(find(routes, "a.example", "/admin/publi"), 1);
	routes_free(&routes);
}

static void an_exact_path_goes_before_prefixes(void)
{
	struct routes *routes = build();
	CU_ASSERT_EQUAL(find(routes, "a.example", "/admin/health"), 3);
	CU_ASSERT_EQUAL(find(routes, "a.example", "/admin/healthy"), 1);
	routes_free(&routes);
}

static void a_host_goes_before_none(void)
{
	struct routes *routes = build();
	CU_ASSERT_EQUAL(find(routes, "OTHER.example", "/admin/health"), 4);
	CU_ASSERT_EQUAL(find(routes, "a.Wild.example", "/admin/x"), 5);
	CU_ASSERT_EQUAL(find(routes, "a.b.wild.example", "/admin/x"), 1);
	CU_ASSERT_EQUAL(find(routes, "wild.example", "/admin/x"), 1);
	CU_ASSERT_EQUAL(find(routes, ".wild.example", "/admin/x"), 1);
	routes_free(&routes);
}

static void no_writing_of_a_path_leads_around_a_route(void)
{
	static const char *const paths[] = {
		"//admin/x",         "/./admin/x",         "/x/../admin/x",
		"/x/%2e%2e/admin/x", "/x/%2E./admin/x",    "/%61dmin/x",
		"/admin%2fx",        "/admin%2Fx",         "/admin;v=1/x",
		"/;/admin/x",        "/x/..;/admin/x",     "/\\admin\\x",
		"/%5cadmin/x",       "/%2561dmin/x",       "/x/%252e%252e/admin/x",
		"/admin/../x",       "/admin/public/../x", "/admin/public/%2e%2e/x",
		"/admin/%2e%2e/x",   "/admin/health/.",    "/admin/health%00",
		"/admin/health;x",   "/x/../admin//..",    "/x/%2e%2e/admin/.%2f..",
	};
	struct routes *routes = build();
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		int found = find(routes, "a.example", paths[i]);
		/* Refused, or on the guarded route by every reading. */
		CU_ASSERT(found == -2 || found == 1);
		if (found != -2 && found != 1) {
			fprintf(stderr, "%s leads to %d\n", paths[i], found);
		}
	}
	routes_free(&routes);
}

static void odd_but_harmless_paths_pass(void)
{
	struct routes *routes = build();
	CU_ASSERT_EQUAL(find(routes, "a.example", "/caf%C3%A9"), 0);
	CU_ASSERT_EQUAL(find(routes, "a.example", "/a/../b"), 0);
	CU_ASSERT_EQUAL(find(routes, "a.example", "/a//b;c=d/%20"), 0);
	CU_ASSERT_EQUAL(find(routes, "a.example", "/.well-known/x"), 0);
	CU_ASSERT_EQUAL(find(routes, "a.example", "/admin/a%20b"), 1);
	CU_ASSERT_EQUAL(find(routes, "a.example", "/a//../b/./"), 0);
	routes_free(&routes);
}

static void the_whole_server_is_its_root(void)
{
	struct routes *routes = build();
	CU_ASSERT_EQUAL(find(routes, "a.example", "*"), 0); /* RFC 9110 9.3.7 */
	routes_free(&routes);
}

static void a_dot_behind_a_host_changes_nothing(void)
{
	struct routes *routes = build();
	CU_ASSERT_EQUAL(find(routes, "other.example.", "/x"), 4); /* RFC 1034 3.1 */
	CU_ASSERT_EQUAL(find(routes, "a.wild.example.", "/admin/x"), 5);
	CU_ASSERT_EQUAL(find(routes, ".", "/x"), 0);
	routes_free(&routes);
}

static void without_routes_everything_is_the_services(void)
{
	CU_ASSERT_EQUAL(find(NULL, "a.example", "/%2e%2e/x"), -1);
}

static const struct unit_test tests[] = {
	{"the longest prefix wins", the_longest_prefix_wins},
	{"an exact path goes before prefixes", an_exact_path_goes_before_prefixes},
	{"a host goes before none", a_host_goes_before_none},
	{"no writing of a path leads around a route", no_writing_of_a_path_leads_around_a_route},
	{"odd but harmless paths pass", odd_but_harmless_paths_pass},
	{"the whole server is its root", the_whole_server_is_its_root},
	{"a dot behind a host changes nothing", a_dot_behind_a_host_changes_nothing},
	{"without routes everything is the service's", without_routes_everything_is_the_services},
};
UNIT_MAIN("proxy/route", tests)
