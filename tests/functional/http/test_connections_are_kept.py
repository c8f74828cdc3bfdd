"""Keep-alive on both sides (RFC 9112 9.3): one connection of a client serves many requests in their order, one to the back end serves many
clients, and none is used by two at a time."""

import ssl
import threading

import pytest

from lib import procs
from lib.httpclient import Http, chunks, once, request
from lib.proxy import service
from lib.recorder import Recorder, answer


@pytest.fixture
def fresh(recorder):
    recorder.script = lambda r: answer(r.target)
    recorder.forget()
    yield recorder
    recorder.check()


@pytest.fixture(scope="module")
def address(proxies, pki, recorder):
    proxy = proxies(["127.0.0.1:%d" % procs.free_port()], [service("web", pki, recorder.address, "none", mode="http")], workers=1)
    return proxy.config["listeners"][0]["bind"]


def test_a_connection_serves_many_requests(address, fresh):
    with Http(address, "web.example") as one:
        for i in range(200):
            got = one.ask(f"/{i}", method="POST" if i % 3 else "GET", body=b"x" * i)
            assert got.body == f"/{i}".encode() and "Connection" not in got and "Keep-Alive" not in got
    assert [len(r.body) for r in fresh.requests] == list(range(200))
    assert fresh.opened <= 1


def test_one_connection_to_the_back_end_serves_many_clients(address, fresh):
    for i in range(20):
        assert once(address, "web.example", f"/{i}").body == f"/{i}".encode()
    assert fresh.opened <= 1 and len(fresh.requests) == 20


def test_as_many_connections_as_requests_at_a_time_and_no_more(address, fresh):
    fresh.script = lambda r: gate.wait(procs.PATIENCE) and answer(r.target)
    gate = threading.Event()
    opened = [Http(address, "web.example") for _ in range(8)]
    try:
        for i, one in enumerate(opened):
            one.send(request(f"/{i}", "web.example"))
        fresh.wait_request(8)
        assert len({id(r.connection) for r in fresh.requests}) == 8
        gate.set()
        for i, one in enumerate(opened):
            assert one.response().body == f"/{i}".encode()
        before = fresh.opened
        for i, one in enumerate(opened):
            assert one.ask(f"/again/{i}").body == f"/again/{i}".encode()
        assert fresh.opened == before
    finally:
        gate.set()
        for one in opened:
            one.close()


def test_pipelined_requests_are_answered_in_their_order(address, fresh):
    """RFC 9112 9.3.2, also when the first answer is the slowest."""
    gate = threading.Event()

    def script(r):
        if r.target == "/0":
            gate.wait(procs.PATIENCE)
        return answer(r.target)
    fresh.script = script
    with Http(address, "web.example") as one:
        one.send(b"".join(request(f"/{i}", "web.example", "POST" if i % 2 else "GET", b"x" * (i % 7)) for i in range(50)))
        fresh.wait_request(1)
        # Nobody is asked before the one in front is answered: what it does may be what the next one depends on.
        assert len(fresh.requests) == 1
        gate.set()
        for i in range(50):
            assert one.response().body == f"/{i}".encode()
    assert [r.target for r in fresh.requests] == [f"/{i}" for i in range(50)]
    assert fresh.opened <= 1


def test_pipelined_requests_with_bodies_of_every_kind_keep_apart(address, fresh):
    parts = [request("/length", "web.example", "POST", b"GET /in-a-body HTTP/1.1\r\nHost: web.example\r\n\r\n"),
             request("/chunks", "web.example", "POST", fields={"Transfer-Encoding": "chunked"}) + chunks(b"0\r\n\r\n", b"GET "),
             request("/none", "web.example", "DELETE"), request("/large", "web.example", "PUT", b"y" * 100000),
             request("/head", "web.example", "HEAD"), request("/empty", "web.example", "POST", b""), request("/last", "web.example")]
    verbs = ["POST", "POST", "DELETE", "PUT", "HEAD", "POST", "GET"]
    fresh.script = lambda r: answer(r.target)[:-5] if r.method == "HEAD" else answer(r.target)
    for split in (None, 1000, 7):
        fresh.forget()
        raw = b"".join(parts)
        with Http(address, "web.example") as one:
            step = split or len(raw)
            sender = threading.Thread(target=lambda one=one, step=step: [one.send(raw[i:i + step]) for i in range(0, len(raw), step)])
            sender.start()
            targets = [r.decode().split(" ")[1] for r in (p.split(b"\r\n")[0] for p in parts)]
            for target, verb in zip(targets, verbs):
                got = one.response(verb)
                assert got.body == (b"" if verb == "HEAD" else target.encode())
            sender.join()
        assert [(r.method, r.target) for r in fresh.requests] == list(zip(verbs, targets))
        assert fresh.requests[0].body.startswith(b"GET /in-a-body") and fresh.requests[1].body == b"0\r\n\r\nGET "


def test_a_client_that_asks_to_close_is_closed_behind_the_answer(address, fresh):
    for raw in (request("/", "web.example", fields={"Connection": "close"}), request("/", "web.example", version="1.0"),
                request("/", "web.example", version="1.0", fields={"Connection": "keep-alive"})):
        with Http(address, "web.example") as one:
            one.send(raw + request("/never", "web.example"))
            got = one.one()
            assert got.body == b"/" and got.value("Connection") == "close"
            assert one.wait_end() == b"" and one.end == "closed"
    # Closed to the client; the one to the back end is as good as before.
    assert fresh.opened <= 1 and [r.target for r in fresh.requests] == ["/"] * 3
    assert all("Connection" not in r for r in fresh.requests)


def test_a_client_that_ends_its_side_behind_a_request_is_answered(address, fresh):
    gate = threading.Event()
    fresh.script = lambda r: gate.wait(procs.PATIENCE) and answer(r.target)
    with Http(address, "web.example") as one:
        one.send(request("/half", "web.example"))
        fresh.wait_request(1)
        before = len(one.raw)
        assert one.end_side()
        gate.set()
        # OpenSSL gives no data to who has ended his side: its error says that some came.
        with pytest.raises(ssl.SSLError, match="(?i)after.close.notify|application data"):
            one.end_side(wait=True)
        assert len(one.raw) == before


def test_an_idle_connection_is_closed_with_close_notify(own_proxies, pki, recorder):
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()],
                        [service("web", pki, recorder.address, "none", mode="http", connection_end=True)], timeouts={"idle": "300ms"})
    recorder.script = lambda r: answer(r.target)
    with Http(proxy.config["listeners"][0]["bind"], "web.example") as one:
        assert one.ask("/").status == 200
        assert one.wait_end() == b"" and one.end == "closed"
    end = proxy.wait_action("connection-end")[0]
    assert end["tlscribe"]["close_reason"] == "idle_timeout"


def test_a_client_that_never_asks_anything_costs_no_connection_to_the_back_end(address, fresh):
    for _ in range(3):
        with Http(address, "web.example"):
            pass
    assert once(address, "web.example").status == 200
    assert fresh.opened <= 1


def test_every_worker_keeps_its_own_connections(own_proxies, pki):
    """As many as workers at the most, when requests come one by one."""
    recorder = Recorder(lambda r: answer(r.target))
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("web", pki, recorder.address, "none", mode="http")], workers=3)
    for i in range(30):
        assert once(proxy.config["listeners"][0]["bind"], "web.example", f"/{i}").status == 200
    assert 1 <= recorder.opened <= 3
    recorder.close()
