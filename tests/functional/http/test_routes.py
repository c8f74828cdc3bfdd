"""Routes: who serves which host and path, the most precise one first; and no way of writing a path that gets around one."""

import json

import pytest

from lib import expect, procs
from lib.httpclient import Http, request
from lib.proxy import service
from lib.recorder import Recorder, answer

NAMES = ("main", "api", "v2", "page", "host", "wild", "admin", "star")


@pytest.fixture(scope="module")
def backs():
    made = {name: Recorder(lambda r, name=name: answer(f"{name} {r.target}")) for name in NAMES}
    yield made
    for one in made.values():
        one.close()


@pytest.fixture(scope="module")
def proxy(proxies, pki, backs):
    def to(name):
        return {"servers": [backs[name].address]}
    routes = [{"path": "/api/", "upstream": to("api"), "rewrite": "/"}, {"path": "/api/v2/", "upstream": to("v2"), "rewrite": "/new/"},
              {"exact": "/api/v2/page", "upstream": to("page")}, {"path": "/exact", "upstream": to("api")},
              {"exact": "/exact", "upstream": to("page")},
              {"host": "b.example", "upstream": to("host")}, {"host": "b.example", "path": "/api/", "upstream": to("v2")},
              {"host": "*.c.example", "path": "/x", "upstream": to("wild")},
              {"path": "/admin/", "require": "verified", "upstream": to("admin")}, {"path": "/admin/open/", "upstream": to("star")},
              {"exact": "/secret", "require": "verified"}, {"path": "/static", "rewrite": "/files"}]
    return proxies(["127.0.0.1:%d" % procs.free_port()],
                   [service("web", pki, backs["main"].address, "optional", mode="http", default=True, sni_host="off", routes=routes)],
                   workers=1)


@pytest.fixture
def address(proxy):
    return proxy.config["listeners"][0]["bind"]


@pytest.mark.parametrize("host,target,served", [
    ("web.example", "/", "main /"), ("web.example", "/other?q=/api/", "main /other?q=/api/"), ("web.example", "/api", "main /api"),
    ("web.example", "/api/", "api /"), ("web.example", "/api/x/y?z", "api /x/y?z"), ("web.example", "/API/x", "main /API/x"),
    ("web.example", "/api/v2/", "v2 /new/"), ("web.example", "/api/v2/x", "v2 /new/x"), ("web.example", "/api/v2", "api /v2"),
    ("web.example", "/api/v2/page", "page /api/v2/page"), ("web.example", "/api/v2/page?x", "page /api/v2/page?x"),
    ("web.example", "/api/v2/page/", "v2 /new/page/"), ("web.example", "/exact", "page /exact"), ("web.example", "/exactly", "api /exactly"),
    ("b.example", "/", "host /"), ("B.Example", "/x", "host /x"), ("b.example:8443", "/x", "host /x"),
    ("b.example", "/api/x", "v2 /api/x"),
    ("b.example", "/api/v2/page", "v2 /api/v2/page"), ("xb.example", "/", "main /"),
    ("a.c.example", "/x", "wild /x"), ("A.C.example", "/xy", "wild /xy"), ("a.c.example", "/y", "main /y"), ("c.example", "/x", "main /x"),
    ("a.b.c.example", "/x", "main /x"), (".c.example", "/x", "main /x"),
    ("web.example", "/static/a.css", "main /files/a.css"), ("web.example", "/statics", "main /filess"),
    ("web.example", "http://web.example/api/x", "api /x"), ("web.example", "/admin/open/x", "star /admin/open/x")])
def test_the_most_precise_route_serves(address, backs, host, target, served):
    with Http(address, "web.example") as one:
        full = target.replace("web.example", host)
        assert one.ask(full, host=host).body.decode() == served
    backs[served.split()[0]].check()


def test_one_connection_goes_to_as_many_back_ends_as_its_requests_say(address):
    with Http(address, "web.example") as one:
        for _ in range(5):
            for target, served in (("/", "main /"), ("/api/x", "api /x"), ("/api/v2/x", "v2 /new/x"), ("/exact", "page /exact")):
                assert one.ask(target).body.decode() == served


def test_options_of_the_whole_server_belong_to_no_path(address):
    with Http(address, "web.example") as one:
        assert one.ask("*", method="OPTIONS").body == b"main *"


@pytest.mark.parametrize("target", ["/admin/", "/admin/x?y=z", "/secret", "/secret?x"])
def test_a_route_that_wants_a_verified_client_refuses_others_and_records_it(proxy, address, backs, pki, target):
    backs["admin"].forget()
    with Http(address, "web.example", pki.client("good")) as one:
        assert one.ask(target).status == 200
    with Http(address, "web.example") as one:
        assert one.ask("/").body == b"main /"  # open parts stay open
        got = one.ask(target)
        assert got.status == 403 and got.value("Content-Type") == "application/problem+json" and got.value("Connection") == "close"
        assert one.wait_end() == b"" and one.end == "closed"
        connection = proxy.event_of(one.local)["event"]["id"]
    told = json.loads(got.body)
    assert set(told) == {"type", "title", "status", "event_id"}
    event = proxy.wait_action("request-denied", where=lambda e: e["event"]["id"] == told["event_id"])[0]
    expect.check_request(event, connection, status=403, denied_by="route", method="GET", host="web.example", path=target.split("?")[0],
                         service="web", name="no_certificate", verified=False)
    # The query is left out: tokens and names of people stand there.
    assert "y=z" not in json.dumps(event)


@pytest.mark.parametrize("mode,kind,opens", [("passthrough", "expired", False), ("passthrough", "good", True), ("passthrough", None, False),
                                             ("tolerate", "expired", False), ("passthrough", "self_signed", False)])
def test_verified_means_class_ok_with_nothing_tolerated(own_proxies, pki, backs, mode, kind, opens):
    client = {"tolerate": ["expired"]} if mode == "tolerate" else {}
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()],
                        [service("web", pki, backs["main"].address, "optional" if mode == "tolerate" else mode, mode="http", client=client,
                                 routes=[{"path": "/admin/", "require": "verified"}])])
    with Http(proxy.config["listeners"][0]["bind"], "web.example", pki.client(kind) if kind else None) as one:
        assert one.ask("/").status == 200
        assert one.ask("/admin/").status == (200 if opens else 403)


@pytest.mark.parametrize("target", [
    "//admin/x", "/./admin/x", "/x/../admin/x", "/%61dmin/x", "/%2fadmin/x", "/x/%2e%2e/admin/x", "/x/..%2fadmin/x", "/admin;v=1/x",
    "/;/admin/x", "/\\admin/x", "/x\\..\\admin\\x", "/%5cadmin/x", "/%2561dmin/x", "/x/%252e%252e/admin/x", "/x//../admin/x",
    "/x/..;/admin/x", "/.//admin/x", "/admin%2fx", "/admin\\x", "/%61%64%6d%69%6e/", "/admin/open/../x", "/admin/open/%2e%2e/x",
    "/admin/open/..;/x", "/secret;x", "/%73ecret", "/./secret", "/x/../secret", "/secret%3b", "//secret",
    "/api/..%5cadmin/x", "/api/%2e%2e%2fadmin%2fx"])
def test_a_path_that_can_be_read_as_a_closed_one_is_refused(address, backs, target):
    """CVE-2026-33433 and its kin: what one back end resolves another one does not, so the writing must not decide."""
    for back in backs.values():
        back.forget()
    with Http(address, "web.example") as one:
        got = one.ask(target)
        assert got.status in (400, 403), f"{got.status} {got.body!r}"
        assert one.wait_end() == b"" and one.end == "closed"
    assert all(back.requests == [] for back in backs.values())


@pytest.mark.parametrize("target,served", [
    ("/a%20b", "main /a%20b"), ("/a;b=c/d", "main /a;b=c/d"), ("/x/../y", "main /x/../y"), ("/%00", "main /%00"), ("/%zz%", "main /%zz%"),
    ("/a//b", "main /a//b"), ("/.well-known/x", "main /.well-known/x"), ("/api/a%2Fb", "api /a%2Fb"), ("/api/..x/y", "api /..x/y"),
    ("/x?p=/../admin/", "main /x?p=/../admin/"), ("/x/...", "main /x/..."), ("/%2e%2e", "main /%2e%2e")])
def test_a_path_that_leads_to_one_place_however_it_is_read_passes_as_it_is(address, target, served):
    with Http(address, "web.example") as one:
        assert one.ask(target).body.decode() == served


def test_pipelined_requests_behind_a_refused_one_are_not_served(address, backs):
    backs["main"].forget()
    with Http(address, "web.example") as one:
        one.send(request("/1", "web.example") + request("/admin/", "web.example") + request("/2", "web.example"))
        assert one.response().body == b"main /1"
        assert one.response().status == 403
        assert one.wait_end() == b""
    assert [r.target for r in backs["main"].requests] == ["/1"]
