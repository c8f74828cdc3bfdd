"""`requests: none | denied | all`: events of requests, each with the id of its handshake, and nothing in them that nobody asked for."""

import json

import pytest

from lib import expect, procs, schema
from lib.httpclient import Http, chunks, request
from lib.proxy import service
from lib.recorder import Recorder, answer


@pytest.fixture(scope="module")
def recorder():
    one = Recorder(lambda r: answer("x" * 7, "404 Not Found") if r.target.startswith("/missing") else answer("body"))
    yield one
    one.close()


@pytest.fixture(scope="module")
def proxy(proxies, pki, recorder):
    def web(name, back=recorder.address, **more):
        return service(name, pki, back, mode="http", body_limit="100B", routes=[{"path": "/closed/", "require": "verified"}], **more)
    dead = "127.0.0.1:%d" % procs.free_port()
    return proxies(["127.0.0.1:%d" % procs.free_port()],
                   [web("none"), web("denied", requests="denied"), web("all", requests="all"),
                    web("query", requests="all", request_query=True), web("dead", dead, requests="all"),
                    service("anyone", pki, recorder.address, "optional", mode="http", requests="all",
                            routes=[{"path": "/closed/", "require": "verified"}])], workers=1)


@pytest.fixture
def address(proxy):
    return proxy.config["listeners"][0]["bind"]


def of(proxy, connection):
    return [e for e in proxy.events() if e["tlscribe"].get("connection") == connection and e["event"]["action"].startswith("request")]


def wait_of(proxy, connection, count):
    procs.wait_for(lambda: len(of(proxy, connection)) >= count, lambda: f"{count} request events\n{proxy.report()}")
    return of(proxy, connection)


def test_all_requests_are_on_the_record_in_their_order(proxy, address, recorder, pki):
    with Http(address, "all.example", pki.client("good")) as one:
        one.ask("/a/b?token=secret")
        one.ask("/missing", method="POST", body=b"12345", host="ALL.example:8443")
        one.send(request("/chunks", "all.example", "PUT", fields={"Transfer-Encoding": "chunked"}) + chunks(b"123", b"4567"))
        one.response()
        one.ask("/", method="HEAD")
        connection = proxy.event_of(one.local)["event"]["id"]
        events = wait_of(proxy, connection, 4)
    about = {"service": "all", "server": recorder.address}
    expect.check_request(events[0], connection, status=200, method="GET", host="all.example", path="/a/b", **about)
    expect.check_request(events[1], connection, status=404, method="POST", path="/missing", **about)
    expect.check_request(events[2], connection, status=200, method="PUT", path="/chunks", **about)
    expect.check_request(events[3], connection, status=200, method="HEAD", path="/", **about)
    assert [e["http"]["request"].get("body", {}).get("bytes") for e in events] == [0, 5, 7, 0]
    assert [e["http"]["response"].get("body", {}).get("bytes") for e in events] == [4, 7, 4, 0]
    assert all(e["event"]["duration"] > 0 and e["event"]["start"] <= e["event"]["end"] for e in events)
    handshake = [e for e in proxy.handshakes() if e["event"]["id"] == connection][0]
    assert all(e["network"]["protocol"] == "http" and e["user"] == handshake["user"] for e in events)
    for line in proxy.lines():
        if b'"action":"request' in line:
            schema.check_line(line, every=True)
            assert b"secret" not in line


def test_the_query_is_on_the_record_where_it_is_allowed(proxy, address, pki):
    with Http(address, "query.example", pki.client("good")) as one:
        for target in ("/x?token=secret&y=%20", "/x?", "/x"):
            one.ask(target)
        connection = proxy.event_of(one.local)["event"]["id"]
        events = wait_of(proxy, connection, 3)
    for event, query in zip(events, ("token=secret&y=%20", None, None)):
        expect.check_request(event, connection, status=200, path="/x", query=query)


def test_only_denied_ones_are_on_the_record_where_only_they_are_wanted(proxy, address, pki):
    with Http(address, "denied.example", pki.client("good")) as one:
        one.ask("/a")
        assert one.ask("/b", method="POST", body=b"x" * 101).status == 413
        connection = proxy.event_of(one.local)["event"]["id"]
        events = wait_of(proxy, connection, 1)
    assert len(events) == 1
    expect.check_request(events[0], connection, status=413, denied_by="request", method="POST", path="/b", host="denied.example",
                         service="denied")
    with Http(address, "denied.example", pki.client("good")) as one:
        one.send(b"GET / HTTP/1.1\nHost: x\r\n\r\n")
        got = one.response()
        connection = proxy.event_of(one.local)["event"]["id"]
        events = wait_of(proxy, connection, 1)
    expect.check_request(events[0], connection, status=400, denied_by="request", service="denied")
    assert json.loads(got.body)["event_id"] == events[0]["event"]["id"]
    assert "LF" in events[0]["tlscribe"]["detail"] and "method" not in events[0]["http"].get("request", {})


def test_none_but_denials_by_authority_and_route_are_on_the_record_by_default(proxy, address, pki):
    with Http(address, "none.example", pki.client("good")) as one:
        one.ask("/a")
        assert one.ask("/b", method="POST", body=b"x" * 101).status == 413
        first = proxy.event_of(one.local)["event"]["id"]
    with Http(address, "none.example", pki.client("good")) as one:
        assert one.ask("/b", host="all.example").status == 421
        second = proxy.event_of(one.local)["event"]["id"]
        events = wait_of(proxy, second, 1)
    expect.check_request(events[0], second, status=421, denied_by="authority", path="/b", host="all.example", service="none")
    assert of(proxy, first) == []


def test_a_request_that_no_back_end_answered_is_on_the_record(proxy, address, pki):
    with Http(address, "dead.example", pki.client("good")) as one:
        assert one.ask("/x").status == 503
        connection = proxy.event_of(one.local)["event"]["id"]
        events = wait_of(proxy, connection, 1)
    assert events[0]["http"]["response"]["status_code"] == 503 and events[0]["url"]["path"] == "/x"


def test_who_had_no_certificate_is_nobody(proxy, address):
    with Http(address, "anyone.example") as one:
        one.ask("/x")
        assert one.ask("/closed/x").status == 403
        connection = proxy.event_of(one.local)["event"]["id"]
        events = wait_of(proxy, connection, 2)
    expect.check_request(events[0], connection, status=200, path="/x", name="no_certificate", verified=False)
    expect.check_request(events[1], connection, status=403, denied_by="route", path="/closed/x", name="no_certificate", verified=False)


def test_hostile_bytes_of_a_request_become_ascii(proxy, address, recorder, pki):
    with Http(address, "all.example", pki.client("good")) as one:
        one.ask("/\"<>\\^`{|}'%00%0a", method="A!#$%&'*+-.^_`|~z")
        connection = proxy.event_of(one.local)["event"]["id"]
        events = wait_of(proxy, connection, 1)
    assert events[0]["url"]["path"] == "/\"<>\\^`{|}'%00%0a" and events[0]["http"]["request"]["method"] == "A!#$%&'*+-.^_`|~z"


def test_a_long_path_is_cut_and_says_so(proxy, address, pki):
    with Http(address, "all.example", pki.client("good")) as one:
        one.ask("/" + "a" * 8000)
        connection = proxy.event_of(one.local)["event"]["id"]
        event = wait_of(proxy, connection, 1)[0]
    path = event["url"]["path"]
    assert path == "/" + "a" * (len(path) - 1)
    assert len(path) == 8001 or "url.path" in event["tlscribe"]["truncated"]


def test_as_many_events_as_requests(proxy, address, pki):
    with Http(address, "all.example", pki.client("good")) as one:
        for block in range(4):
            one.send(b"".join(request(f"/{block}/{i}", "all.example") for i in range(50)))
            for _ in range(50):
                assert one.response().status == 200
        connection = proxy.event_of(one.local)["event"]["id"]
        events = wait_of(proxy, connection, 200)
    assert [e["url"]["path"] for e in events] == [f"/{block}/{i}" for block in range(4) for i in range(50)]
