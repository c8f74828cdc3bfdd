"""mode http: each request has its turn, whatever connection it comes on, and without a server clients are told so."""

import json

import pytest

from lib import procs
from lib.httpclient import Http
from lib.named import GOOD, SICK, HttpNamed, balanced


@pytest.fixture
def start(own_proxies, pki):
    """Starts a proxy with one service, `web`."""
    def make(servers, **options):
        proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [balanced("web", pki, servers, "http", **options)])
        return proxy, proxy.config["listeners"][0]["bind"]
    return make


@pytest.fixture
def named():
    """Makes back ends that end with the test."""
    made = []

    def make(name, **more):
        made.append(HttpNamed(name, **more))
        return made[-1]
    yield make
    for one in made:
        one.close()


def answers(address, count):
    """Who answers so many requests of one connection, sorted."""
    with Http(address, "web.example") as one:
        return sorted(one.ask("/").body.decode() for _ in range(count))


def test_requests_of_one_connection_are_shared_by_weight(start, named):
    one, two = named("one"), named("two")
    _, address = start([{"address": one.address, "weight": 2}, two.address])
    assert answers(address, 9) == ["one"] * 6 + ["two"] * 3
    assert answers(address, 3) == ["one"] * 2 + ["two"]


def test_a_dead_server_costs_no_request(start, named):
    dead = "127.0.0.1:%d" % procs.free_port()
    proxy, address = start([dead, named("two").address], failures=2, back_off="1h")
    assert answers(address, 8) == ["two"] * 8
    proxy.wait_log(f"service web: {dead} is left out: it failed 2 times in a row")


def test_a_dead_pool_says_so_with_the_events_id(start):
    dead = "127.0.0.1:%d" % procs.free_port()
    proxy, address = start([dead], failures=1, back_off="1h")
    with Http(address, "web.example") as one:
        for _ in range(2):  # the one that finds out, and one that is not even tried
            got = one.ask("/")
            assert got.status == 503
            assert json.loads(got.body)["event_id"] == proxy.event_of(one.local)["event"]["id"]


def test_checks_take_a_server_from_requests_and_give_it_back(start, named):
    one, two = named("one"), named("two")
    proxy, address = start([one.address, two.address],
                           check={"path": "/healthz", "interval": "20ms", "unhealthy": 2, "healthy": 2})
    assert answers(address, 4) == ["one", "one", "two", "two"]
    one.health = SICK
    proxy.wait_log(f"service web: {one.address} is down: 2 bad checks in a row, the last one: status 503")
    assert answers(address, 4) == ["two"] * 4
    two.health = SICK
    proxy.wait_log(f"service web: {two.address} is down")
    with Http(address, "web.example") as client:
        assert client.ask("/").status == 503
        one.health = GOOD
        proxy.wait_log(f"service web: {one.address} is up")
        assert client.ask("/").body == b"one"


def test_checks_ask_with_the_upstreams_host(start, named):
    one = named("one")
    start([one.address], host="internal.example", check={"path": "/healthz", "interval": "1h"})
    assert b"\r\nHost: internal.example\r\n" in one.wait_note()[0]


def test_a_route_has_its_own_servers_and_checks(own_proxies, pki, named):
    usual, routed, spare = named("usual"), named("routed", health=SICK), named("spare")
    web = balanced("web", pki, [usual.address], "http")
    web["routes"] = [{"path": "/api", "upstream": {
        "servers": [routed.address, {"address": spare.address, "backup": True}],
        "check": {"path": "/healthz", "interval": "20ms", "unhealthy": 1, "healthy": 1}}}]
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [web])
    address = proxy.config["listeners"][0]["bind"]
    proxy.wait_log(f"service web: {routed.address} is down: 1 bad check in a row")
    with Http(address, "web.example") as one:
        assert [one.ask(path).body for path in ("/", "/api", "/api/1")] == [b"usual", b"spare", b"spare"]
        routed.health = GOOD
        proxy.wait_log(f"service web: {routed.address} is up")
        assert [one.ask(path).body for path in ("/", "/api", "/api/1")] == [b"usual", b"routed", b"routed"]
