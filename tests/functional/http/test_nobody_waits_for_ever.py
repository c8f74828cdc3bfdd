"""Timeouts and limits of requests: who is slow is told so (408, 504) or cut off, and keeps nothing busy."""

import threading

import pytest

from lib import procs
from lib.httpclient import Http, chunks, request
from lib.message import Cut
from lib.proxy import service
from lib.recorder import Recorder, answer

LARGE = 64 * 1024 * 1024


@pytest.fixture(scope="module")
def recorder():
    one = Recorder(lazy=True)
    yield one
    one.close()


@pytest.fixture(scope="module")
def proxy(proxies, pki, recorder):
    back = {"servers": [recorder.address], "failures": 1000}
    return proxies(["127.0.0.1:%d" % procs.free_port()],
                   [service("web", pki, back, "none", mode="http", connection_end=True),
                    service("small", pki, back, "none", mode="http", body_limit="1000B", requests="denied"),
                    service("nobody", pki, back, "none", mode="http", body_limit="0B")],
                   workers=1, timeouts={"header": "400ms", "request": "400ms", "upstream": "700ms", "idle": "1500ms"})


@pytest.fixture
def address(proxy):
    return proxy.config["listeners"][0]["bind"]


@pytest.fixture
def fresh(recorder):
    def script(r):
        return answer(str(sum(len(p) for p in r.pieces(r.length))))
    recorder.script = script
    recorder.forget()
    yield recorder
    recorder.check()


def drip(one, data):
    """A byte now and then, until the other side has had enough."""
    for byte in data:
        one.send(bytes([byte]))
        if one.readable(0.05):
            return
    raise AssertionError("all of it was taken")


@pytest.mark.parametrize("raw", [b"G", request("/", "web.example")[:-2], request("/", "web.example")[:-1]])
def test_a_head_that_stops_gets_408(address, fresh, raw):
    with Http(address, "web.example") as one:
        one.send(raw)
        got = one.response()
        assert got.status == 408 and got.value("Connection") == "close"
        assert one.wait_end() == b"" and one.end == "closed"
    assert fresh.requests == []


def test_a_head_that_drips_gets_408(address, fresh):
    """The time is for all of the head: a byte now and then buys nothing."""
    with Http(address, "web.example") as one:
        drip(one, request("/", "web.example", fields={"A": "b" * 1000}))
        assert one.response().status == 408
    assert fresh.requests == []


def test_a_second_head_that_stops_gets_408_and_the_first_its_answer(address, fresh):
    with Http(address, "web.example") as one:
        one.send(request("/", "web.example") + b"GET / HTT")
        assert one.response().status == 200
        assert one.response().status == 408


@pytest.mark.parametrize("raw", [request("/", "web.example", "POST", fields={"Content-Length": 10}) + b"123",
                                 request("/", "web.example", "POST", fields={"Transfer-Encoding": "chunked"}) + b"5\r\nhel"])
def test_a_body_that_stops_gets_408(address, fresh, raw):
    with Http(address, "web.example") as one:
        one.send(raw)
        got = one.response()
        assert got.status == 408 and got.value("Connection") == "close"
        assert one.wait_end() == b"" and one.end == "closed"
    fresh.wait_connections_ended()
    assert all(c.cut for c in fresh.connections)


def test_a_body_that_drips_gets_408(address, fresh):
    with Http(address, "web.example") as one:
        one.send(request("/", "web.example", "POST", fields={"Content-Length": LARGE}))
        drip(one, b"x" * 1000)
        assert one.response().status == 408


def test_a_body_that_is_fast_enough_may_last(address, fresh):
    """A KiB in each of the times, for longer than one of them."""
    with Http(address, "web.example") as one:
        one.send(request("/", "web.example", "POST", fields={"Content-Length": 20 * 2048}))
        for _ in range(20):
            one.send(b"x" * 2048)
            threading.Event().wait(0.06)  # the pace is what is tested: in all, three times as long as may pass without a byte
        assert one.response().body == b"40960"


def test_a_back_end_that_says_nothing_gives_504(address, fresh):
    gate = threading.Event()
    fresh.script = lambda r: gate.wait(procs.PATIENCE) and None
    with Http(address, "web.example") as one:
        got = one.ask("/")
        assert got.status == 504 and "Connection" not in got
        gate.set()
        # The client did nothing wrong: it may go on.
        fresh.script = lambda r: answer("well")
        assert one.ask("/").body == b"well"
    first = fresh.requests[0]
    fresh.wait(lambda r: first.connection.ended, "waited for the connection to be given up")


def test_a_back_end_that_never_says_go_on_gives_504(address, fresh):
    """A client that waits for its 100 (RFC 9110 10.1.1) is not the one who is slow."""
    gate = threading.Event()
    fresh.script = lambda r: gate.wait(procs.PATIENCE) and None
    with Http(address, "web.example") as one:
        one.send(request("/", "web.example", "POST", fields={"Content-Length": 5, "Expect": "100-continue"}))
        got = one.response()
        gate.set()
        assert got.status == 504 and got.value("Connection") == "close"
        assert one.wait_end() == b"" and one.end == "closed"


def test_a_client_that_was_told_to_go_on_and_does_not_gets_408(address, fresh):
    def script(r):
        r.connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        list(r.pieces(r.length))
    fresh.script = script
    with Http(address, "web.example") as one:
        one.send(request("/", "web.example", "POST", fields={"Content-Length": 5, "Expect": "100-continue"}))
        got = one.response()
        assert [b.status for b in got.before] == [100] and got.status == 408


def test_a_back_end_that_stops_within_its_answer_is_cut_off(address, fresh):
    gate = threading.Event()

    def script(r):
        r.connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        gate.wait(procs.PATIENCE)
    fresh.script = script
    with Http(address, "web.example") as one:
        one.send(request("/", "web.example"))
        with pytest.raises(Cut):
            one.one()
        assert one.end == "cut"
    gate.set()


def test_an_answer_that_is_slow_and_moves_may_last(address, fresh):
    def script(r):
        r.connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i in range(10):
            r.connection.send(b"1\r\n%d\r\n" % i)
            threading.Event().wait(0.15)  # in all, twice as long as may pass without a byte
        r.connection.send(b"0\r\n\r\n")
    fresh.script = script
    with Http(address, "web.example") as one:
        assert one.ask("/").body == b"0123456789"


def test_a_client_that_reads_nothing_is_cut_off(proxy, address, fresh):
    def script(r):
        r.connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n".encode())
        r.connection.send(bytes(LARGE))
    fresh.script = script
    with Http(address, "web.example") as one:
        one.send(request("/", "web.example"))
        event = proxy.event_of(one.local)
        ends = proxy.wait_action("connection-end", where=lambda e: e["tlscribe"]["connection"] == event["event"]["id"])
        assert ends[0]["tlscribe"]["close_reason"] == "client_timeout"
    fresh.wait_connections_ended()


def test_a_body_beyond_the_limit_gets_413(proxy, address, fresh):
    head = {"Transfer-Encoding": "chunked"}
    with Http(address, "small.example") as one:
        assert one.ask("/", method="POST", body=b"x" * 1000).body == b"1000"
        one.send(request("/", "small.example", "POST", fields=head) + chunks(b"x" * 500, b"y" * 500))
        assert one.response().body == b"1000"
    count = len(fresh.requests)
    for raw in (request("/too-long", "small.example", "POST", b"x" * 1001),
                request("/too-long", "small.example", "POST", fields={"Content-Length": 2 ** 62})):
        with Http(address, "small.example") as one:
            one.send_what_is_taken(raw)
            got = one.response()
            assert got.status == 413 and got.value("Connection") == "close"
            assert one.wait_end() == b"" and one.end == "closed"
    assert len(fresh.requests) == count  # of these nothing goes on
    for raw in (request("/too-long", "small.example", "POST", fields=head) + chunks(b"x" * 1001),
                request("/too-long", "small.example", "POST", fields=head) + chunks(*[b"x"] * 1001),
                request("/too-long", "small.example", "POST", fields={**head, "Expect": "100-continue"}) + chunks(b"x" * 1001)):
        with Http(address, "small.example") as one:
            one.send_what_is_taken(raw)
            assert one.response().status == 413
            assert one.wait_end() == b"" and one.end == "closed"
    denied = proxy.wait_action("request-denied", 5)
    assert all(e["http"]["response"]["status_code"] == 413 and e["tlscribe"]["denied_by"] == "request" for e in denied)


def test_a_limit_of_nothing_lets_requests_without_body_pass(address, fresh):
    with Http(address, "nobody.example") as one:
        assert one.ask("/").body == b"0"
        assert one.ask("/", method="POST", body=b"").body == b"0"
        assert one.ask("/", method="POST", body=b"x").status == 413


def test_many_slow_clients_keep_nobody_from_being_served(address, fresh):
    """Each has a place for a moment and no longer."""
    slow = []
    try:
        for i in range(150):
            slow.append(Http(address, "web.example"))
            slow[-1].send(request("/", "web.example")[:1 + i % 30])
            if i % 30 == 0:
                with Http(address, "web.example") as one:
                    assert one.ask("/").status == 200
        for one in slow:
            assert one.response().status == 408
    finally:
        for one in slow:
            one.close()
