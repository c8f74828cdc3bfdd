"""SIGTERM and SIGHUP: answers in flight are completed, idle connections are closed, and a request lives by the configuration that its
connection began with."""

import signal
import socket
import ssl
import threading

import pytest

from lib import procs
from lib.httpclient import Http, once, request
from lib.proxy import service
from lib.recorder import Recorder, answer


@pytest.fixture
def slow():
    """A back end that answers /slow when it is let."""
    gate = threading.Event()
    one = Recorder(lambda r: (r.target != "/slow" or gate.wait(procs.PATIENCE)) and answer(r.target))
    one.gate = gate
    yield one
    gate.set()
    one.check()
    one.close()


@pytest.fixture
def proxy(own_proxies, pki, slow):
    return own_proxies(["127.0.0.1:%d" % procs.free_port()],
                       [service("web", pki, slow.address, "none", mode="http", connection_end=True)], timeouts={"drain": "20s"})


def test_a_stop_completes_answers_and_closes_idle_connections(proxy, slow):
    address = proxy.config["listeners"][0]["bind"]
    with Http(address, "web.example") as busy, Http(address, "web.example") as idle, Http(address, "web.example") as silent:
        assert idle.ask("/").status == 200
        busy.send(request("/slow", "web.example"))
        slow.wait(lambda r: any(one.target == "/slow" for one in r.requests), "the slow request")
        proxy.send_signal(signal.SIGTERM)
        assert idle.wait_end() == b"" and idle.end == "closed"
        assert silent.wait_end() == b"" and silent.end == "closed"
        slow.gate.set()
        got = busy.response()
        # RFC 9112 9.6
        assert got.body == b"/slow" and got.value("Connection") == "close"
        assert busy.wait_end() == b"" and busy.end == "closed"
    code = procs.wait_for(lambda: [proxy.process.poll()] if proxy.process.poll() is not None else None, "the proxy's end")
    assert code == [0]
    assert {e["tlscribe"]["close_reason"] for e in proxy.actions("connection-end")} <= {"shutdown", "client_closed"}


def test_a_stop_ends_a_connection_whose_handshake_was_going_on(proxy):
    """It is nobody's answer that such a client waits for."""
    address = proxy.config["listeners"][0]["bind"]
    host, port = address.rsplit(":", 1)
    before = procs.descriptors(proxy.pid)
    with socket.create_connection((host, int(port)), procs.PATIENCE) as raw:
        procs.wait_for(lambda: procs.descriptors(proxy.pid) > before, "the connection to be accepted")
        proxy.send_signal(signal.SIGTERM)
        procs.wait_for(lambda: not procs.listening(address), "the listener's end")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(raw, server_hostname="web.example") as tls:
            assert tls.recv(100) == b""
    assert proxy.stop() == 0
    assert [e["tlscribe"]["close_reason"] for e in proxy.actions("connection-end")] == ["shutdown"]


def test_a_stop_completes_a_body_that_streams_in_either_direction(own_proxies, pki):
    got, more = threading.Event(), threading.Event()

    def script(r):
        r.connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        got.set()
        more.wait(procs.PATIENCE)
        total = sum(len(p) for p in r.pieces(r.length))
        text = str(total).encode()
        r.connection.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(text), text))
    back = Recorder(script, lazy=True)
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("web", pki, back.address, "none", mode="http")])
    with Http(proxy.config["listeners"][0]["bind"], "web.example") as one:
        one.send(request("/", "web.example", "POST", fields={"Content-Length": 300000}) + b"x" * 1000)
        assert got.wait(procs.PATIENCE)
        head = one.head()
        pieces = head.pieces(head.length)
        assert next(pieces) == b"first"
        proxy.send_signal(signal.SIGTERM)
        procs.wait_for(lambda: not procs.listening(proxy.config["listeners"][0]["bind"]), "the listener's end")
        more.set()
        one.send(b"x" * 299000)
        assert b"".join(pieces) == b"300000"
        one.rest = head.rest
        assert one.wait_end() == b"" and one.end == "closed"
    assert proxy.stop() == 0
    back.close()


def test_a_stop_cuts_off_what_lasts_longer_than_the_drain(own_proxies, pki, slow):
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()],
                        [service("web", pki, slow.address, "none", mode="http", connection_end=True)], timeouts={"drain": "300ms"})
    with Http(proxy.config["listeners"][0]["bind"], "web.example") as one:
        one.send(request("/slow", "web.example"))
        slow.wait_request(1)
        assert proxy.stop() == 0
        assert one.wait_end() == b"" and one.end == "cut"
    assert [e["tlscribe"]["close_reason"] for e in proxy.actions("connection-end")] == ["shutdown"]


def test_a_reload_takes_nothing_from_requests_in_flight(proxy, slow, pki):
    address = proxy.config["listeners"][0]["bind"]
    other = Recorder(lambda r: answer("new " + r.target))
    with Http(address, "web.example") as busy, Http(address, "web.example") as idle:
        assert idle.ask("/").status == 200
        busy.send(request("/slow", "web.example"))
        slow.wait(lambda r: any(one.target == "/slow" for one in r.requests), "the slow request")
        proxy.reload(services=[service("web", pki, other.address, "none", mode="http")])
        procs.wait_for(lambda: once(address, "web.example", "/x").body == b"new /x", "the new configuration")
        slow.gate.set()
        # Each connection ends by the configuration that it began with, and with its next answer.
        for one, got in ((busy, busy.response()), (idle, idle.ask("/idle"))):
            assert got.body in (b"/slow", b"/idle") and got.value("Connection") == "close"
            assert one.wait_end() == b"" and one.end == "closed"
    other.check()
    other.close()


def test_kept_connections_of_an_old_configuration_are_given_up(proxy, slow, pki):
    """The back end of a service that is gone is not held."""
    address = proxy.config["listeners"][0]["bind"]
    other = Recorder(lambda r: answer("new"))
    for _ in range(8):
        assert once(address, "web.example").status == 200
    log = len(proxy.log())
    proxy.reload(services=[service("web", pki, other.address, "none", mode="http")])
    proxy.wait_log("reloaded", after=log)
    slow.wait(lambda r: all(c.ended for c in r.connections), "waited for kept connections to be closed")
    assert once(address, "web.example").body == b"new"
    other.close()


def test_reloads_lose_no_request(proxy, slow, pki):
    """Requests all the time, and ten reloads meanwhile."""
    address = proxy.config["listeners"][0]["bind"]
    over, served, faults = threading.Event(), [0], []

    def ask():
        while not over.is_set():
            try:
                with Http(address, "web.example") as one:
                    for i in range(20):
                        got = one.ask(f"/{i}", method="POST", body=b"x")
                        assert got.body == f"/{i}".encode()
                        served[0] += 1
                        if "Connection" in got:
                            break
            except (AssertionError, OSError) as e:
                faults.append(repr(e))
    askers = [threading.Thread(target=ask) for _ in range(4)]
    for one in askers:
        one.start()
    try:
        for epoch in range(10):
            before, log = served[0], len(proxy.log())
            proxy.reload(labels={"epoch": str(epoch)})
            proxy.wait_log("reloaded", after=log)
            procs.wait_for(lambda b=before: served[0] > b + 20, lambda: f"requests to go on; {faults}")
    finally:
        over.set()
        for one in askers:
            one.join()
    assert not faults, faults[:5]
