"""A back end that dies: what may be sent again is sent again, what may have been done is never done twice, and a dead pool is told of."""

import json
import socket

import pytest

from lib import procs
from lib.httpclient import Http, chunks, request
from lib.proxy import service
from lib.recorder import answer

CHUNKED = {"Transfer-Encoding": "chunked"}


@pytest.fixture(scope="module")
def proxy(proxies, pki, recorder):
    dead = "127.0.0.1:%d" % procs.free_port()
    return proxies(["127.0.0.1:%d" % procs.free_port()],
                   [service("web", pki, {"servers": [recorder.address], "failures": 1000}, "none", mode="http"),
                    service("dead", pki, dead, "none", mode="http"),
                    service("half", pki, {"servers": [dead, recorder.address], "failures": 1000}, "none", mode="http")],
                   workers=1, timeouts={"connect": "2s"})


@pytest.fixture
def address(proxy):
    return proxy.config["listeners"][0]["bind"]


@pytest.fixture
def fresh(recorder):
    recorder.script = lambda r: answer(r.target)
    recorder.forget()
    yield recorder
    recorder.check()


def dying(fresh, times, how):
    """A back end whose connections die with a request in hand: `times` of them, then it is well."""
    left = [times]

    def script(r):
        if r.target == "/warm" or left[0] == 0:
            return answer(r.target)[:-len(r.target)] if r.method == "HEAD" else answer(r.target)
        left[0] -= 1
        if how == "reset":
            r.connection.reset()
        else:
            r.connection.peer.shutdown(socket.SHUT_RDWR)
        return None
    fresh.script = script


@pytest.mark.parametrize("how", ["end", "reset"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"])
def test_an_idempotent_request_on_a_dying_kept_connection_is_sent_again(address, fresh, method, how):
    """RFC 9112 9.3.1, RFC 9110 9.2.2: its connection may have been closed in the moment of its use."""
    dying(fresh, 1, how)
    with Http(address, "web.example") as one:
        assert one.ask("/warm").status == 200
        body = b"whole" if method == "PUT" else None
        got = one.ask("/once", method=method, body=body)
        assert got.status == 200 and one.ask("/warm").status == 200
    sent = [r for r in fresh.requests if r.target == "/once"]
    assert len(sent) == 2 and sent[0].connection is not sent[1].connection
    assert sent[0].head == sent[1].head and sent[0].body == sent[1].body == (body or b"")


@pytest.mark.parametrize("how", ["end", "reset"])
@pytest.mark.parametrize("method", ["POST", "PATCH", "PROPPATCH"])
def test_what_may_have_been_done_is_never_sent_again(address, fresh, method, how):
    dying(fresh, 1, how)
    with Http(address, "web.example") as one:
        assert one.ask("/warm").status == 200
        got = one.ask("/once", method=method, body=b"order")
        assert got.status == 502 and "event_id" in json.loads(got.body)
        assert one.ask("/warm").status == 200
    assert [r.target for r in fresh.requests] == ["/warm", "/once", "/warm"]


def test_an_idempotent_request_whose_body_is_not_all_here_is_not_sent_again(address, fresh):
    """What was passed on is not kept: memory stays bounded."""
    dying(fresh, 1, "end")
    with Http(address, "web.example") as one:
        assert one.ask("/warm").status == 200
        one.send(request("/once", "web.example", "PUT", fields=CHUNKED) + chunks(b"part"))
        assert one.response().status == 502
    assert [r.target for r in fresh.requests] == ["/warm", "/once"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_on_a_fresh_connection_that_dies_is_not_sent_again(address, fresh, method):
    """Here nobody had closed an idle connection: the back end had it, and fell over it."""
    dying(fresh, 1, "end")
    fresh.script, dies = (lambda r: r.connection.peer.shutdown(socket.SHUT_RDWR)), fresh.script
    with Http(address, "web.example") as one:
        # Whatever is kept goes first.
        assert one.ask("/", method="POST", body=b"").status == 502
        fresh.forget()
        fresh.script = dies
        assert one.ask("/once", method=method, body=b"" if method == "POST" else None).status == 502
        assert one.ask("/warm").status == 200
    assert [r.target for r in fresh.requests] == ["/once", "/warm"]


def test_a_connection_that_dies_twice_gives_502(address, fresh):
    dying(fresh, 2, "end")
    with Http(address, "web.example") as one:
        assert one.ask("/warm").status == 200
        assert one.ask("/once").status == 502
    assert [r.target for r in fresh.requests] == ["/warm", "/once", "/once"]


def test_an_answer_that_has_begun_is_not_asked_for_again(address, fresh):
    def script(r):
        if r.target == "/warm":
            return answer("warm")
        r.connection.send(b"HTTP/1.1 200 OK\r\nContent-Le")
        r.connection.peer.shutdown(socket.SHUT_RDWR)
        return None
    fresh.script = script
    with Http(address, "web.example") as one:
        assert one.ask("/warm").status == 200
        assert one.ask("/once").status == 502
    assert [r.target for r in fresh.requests] == ["/warm", "/once"]


def test_a_kept_connection_that_was_closed_serves_no_order(address, fresh):
    """POST, too, is not lost by a connection that the back end closed while it was idle."""
    for i in range(10):
        with Http(address, "web.example") as one:
            assert one.ask(f"/{i}").status == 200
            fresh.requests[-1].connection.peer.shutdown(socket.SHUT_RDWR)
            assert one.ask(f"/order/{i}", method="POST", body=b"x").status == 200
    assert sum(r.method == "POST" for r in fresh.requests) == 10


def test_a_request_that_reached_nobody_goes_to_the_next_server(address, fresh):
    """Nothing of it was sent, so that a POST, too, is tried elsewhere."""
    with Http(address, "half.example") as one:
        for i in range(6):
            assert one.ask(f"/{i}", method="POST", body=b"order").body == f"/{i}".encode()
    assert [r.target for r in fresh.requests] == [f"/{i}" for i in range(6)]


def test_a_dead_pool_gives_503_with_the_event_id(proxy, address):
    with Http(address, "dead.example") as one:
        for _ in range(6):  # before and after its servers are given up
            got = one.ask("/", method="POST", body=b"x")
            assert got.status == 503 and got.value("Content-Type") == "application/problem+json"
            assert json.loads(got.body)["event_id"] == proxy.event_of(one.local)["event"]["id"]
            assert set(json.loads(got.body)) == {"type", "title", "status", "event_id"}
        assert "Connection" not in got
