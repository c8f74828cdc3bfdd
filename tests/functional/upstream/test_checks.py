"""Active checks: what they ask, which answers are good, and how many it takes to bring a server out or in."""

import re

import pytest

from lib import procs
from lib.named import GOOD, SICK, Named, balanced, served

FAST = {"path": "/healthz", "interval": "20ms", "timeout": "5s", "unhealthy": 2, "healthy": 2}


@pytest.fixture
def start(own_proxies, pki):
    """Starts a proxy with one service, `api`."""
    def make(servers, check, **options):
        proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()],
                            [balanced("api", pki, servers, check=check, **options)], workers=3)
        return proxy, proxy.config["listeners"][0]["bind"]
    return make


@pytest.fixture
def named():
    """Makes back ends that end with the test."""
    made = []

    def make(name, **more):
        made.append(Named(name, **more))
        return made[-1]
    yield make
    for one in made:
        one.close()


def test_a_sick_server_goes_and_comes_back(start, named):
    one, two = named("one"), named("two")
    proxy, address = start([one.address, two.address], FAST)
    assert served(address, "api", 4) == ["one", "one", "two", "two"]
    one.health = SICK
    proxy.wait_log(f"service api: {one.address} is down: 2 bad checks in a row, the last one: status 503")
    assert served(address, "api", 4) == ["two"] * 4
    one.health = GOOD
    proxy.wait_log(f"service api: {one.address} is up: 2 good checks in a row")
    assert served(address, "api", 4) == ["one", "one", "two", "two"]


def test_a_dead_server_goes_before_a_client_comes(start, named):
    dead = "127.0.0.1:%d" % procs.free_port()
    proxy, address = start([dead, named("two").address], FAST)
    proxy.wait_log(f"service api: {dead} is down: 2 bad checks in a row")
    assert "is left out" not in proxy.log()
    assert served(address, "api", 4) == ["two"] * 4
    named("one", address=dead)
    proxy.wait_log(f"service api: {dead} is up")
    assert served(address, "api", 4) == ["one", "one", "two", "two"]


def test_only_bad_answers_in_a_row_count(start, named):
    script = [SICK, SICK, GOOD] * 3
    one = named("one", script=script)
    proxy, address = start([one.address], {**FAST, "unhealthy": 3})
    one.wait_note(len(script) + 1)
    assert "is down" not in proxy.log()
    assert served(address, "api", 2) == ["one"] * 2


def test_only_good_answers_in_a_row_count(start, named):
    script = [SICK, SICK] + [GOOD, GOOD, SICK] * 3
    one = named("one", script=script, health=SICK)
    proxy, address = start([one.address], {**FAST, "healthy": 3})
    one.wait_note(len(script) + 1)
    assert len(re.findall("is down", proxy.log())) == 1
    assert "is up" not in proxy.log()
    assert served(address, "api", 2) == ["", ""]
    proxy.wait_log("service api: no back end is up")


def test_a_server_is_asked_once_an_interval_whatever_the_number_of_workers(start, named):
    one = named("one")
    _, address = start([one.address], {**FAST, "interval": "1h"})
    one.wait_note()
    assert served(address, "api", 6) == ["one"] * 6  # every worker runs
    assert len(one.seen) == 1


def test_a_reload_keeps_in_mind_who_is_down(start, named):
    one, two = named("one", health=SICK), named("two")
    proxy, address = start([one.address, two.address], FAST)
    proxy.wait_log(f"service api: {one.address} is down")
    size = len(proxy.log())
    proxy.config["services"][0]["upstream"]["check"] = {**FAST, "interval": "1h"}
    proxy.reload()
    proxy.wait_log("configuration 2 is in force", size)
    assert served(address, "api", 4) == ["two"] * 4
    # and without checks nobody is down for good
    del proxy.config["services"][0]["upstream"]["check"]
    proxy.reload()
    proxy.wait_log("configuration 3 is in force", size)
    assert served(address, "api", 4) == ["one", "one", "two", "two"]


@pytest.mark.parametrize("options,check,host", [
    ({}, {}, None), ({}, {"host": "health.example:8080"}, "health.example:8080"),
])
def test_what_is_asked(start, named, options, check, host):
    one = named("one")
    start([one.address], {**FAST, **check, "path": "/health?full=1"}, **options)
    assert one.wait_note()[0] == (f"GET /health?full=1 HTTP/1.1\r\nHost: {host or one.address}\r\n"
                                  "User-Agent: tlscribe-check\r\nConnection: close\r\n\r\n").encode()


def test_a_unix_socket_is_asked_as_localhost(start, named, folder):
    one = named("one", address=f"unix:{folder}/checked.sock")
    start([one.address], FAST)
    assert b"\r\nHost: localhost\r\n" in one.wait_note()[0]


def test_a_back_end_that_wants_proxy_headers_gets_one(start, named):
    """haproxy's proxy-protocol.txt 2.2: LOCAL, as the connection is nobody's but ours."""
    one = named("one")
    start([one.address], FAST, proxy_protocol="v2")
    got = one.wait_note()[0]
    assert got.startswith(b"\r\n\r\n\0\r\nQUIT\n\x20"), got
    length = int.from_bytes(got[14:16], "big")
    assert got[16 + length:].startswith(b"GET /healthz HTTP/1.1\r\n")


# --- answers

LONG = b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70000 + b"\r\n\r\n"
GOOD_ONES = {
    "no-content": (b"HTTP/1.1 204 No Content\r\n\r\n", {}),
    "old": (b"HTTP/1.0 200 OK\r\n\r\nbody", {}),
    "redirect": (b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n", {}),
    "interim": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + GOOD, {}),
    "expected": (b"HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n", {"expect": "418"}),
    "range": (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", {"expect": "200-499"}),
}
BAD_ONES = {
    "not-found": (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", {}, "status 404"),
    "not-expected": (GOOD, {"expect": "204"}, "status 200"),
    "below": (GOOD, {"expect": "201-299"}, "status 200"),
    "above": (b"HTTP/1.1 300 Choices\r\nContent-Length: 0\r\n\r\n", {"expect": "200-299"}, "status 300"),
    "switched": (b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", {}, "status 101"),
    "endless-interim": (b"HTTP/1.1 100 Continue\r\n\r\n" * 50, {"expect": "200-399"}, "status 100"),
    "other": (b"220 ftp ready\r\n", {}, "the answer is no HTTP: "),
    "nothing": (b"", {}, "it closed the connection without an answer"),
    "half": (b"HTTP/1.1 200 OK\r\nContent-", {}, "it closed the connection without an answer"),
    "long": (LONG, {}, "the answer"),
}


@pytest.fixture(scope="module")
def judged(proxies, pki):
    """One proxy with a service for every answer."""
    made, services = {}, []
    for name, (answer, check, *_) in {**GOOD_ONES, **BAD_ONES}.items():
        made[name] = Named(name, health=answer)
        services.append(balanced(name, pki, [made[name].address], check={**FAST, "unhealthy": 1, **check}))
    yield proxies(["127.0.0.1:%d" % procs.free_port()], services), made
    for one in made.values():
        one.close()


@pytest.mark.parametrize("name", GOOD_ONES)
def test_a_good_answer(judged, name):
    proxy, made = judged
    made[name].wait_note(3)
    assert f"service {name}: " not in proxy.log()
    assert served(proxy.config["listeners"][0]["bind"], name, 1) == [name]


@pytest.mark.parametrize("name", BAD_ONES)
def test_a_bad_answer(judged, name):
    proxy, made = judged
    proxy.wait_log(f"service {name}: {made[name].address} is down: 1 bad check in a row, the last one: {BAD_ONES[name][2]}")
    assert served(proxy.config["listeners"][0]["bind"], name, 1) == [""]


def test_silence_is_a_bad_answer(start, named):
    """It takes the question, and says nothing for as long as it is listened to."""
    class Silent(Named):
        def answer(self, peer):
            while peer.recv(4096):
                self.note("asked")

    one = Silent("one")
    try:
        proxy, _ = start([one.address], {**FAST, "timeout": "50ms", "unhealthy": 1})
        proxy.wait_log(f"{one.address} is down: 1 bad check in a row, the last one: no answer within the check's timeout")
    finally:
        one.close()
