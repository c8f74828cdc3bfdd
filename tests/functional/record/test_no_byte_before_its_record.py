"""`record: before-traffic`: no application byte in either direction before the event is durable. `async`: bytes do not wait."""

import pytest

from lib import backends, clients, expect, procs
from lib.fault import Injection
from lib.proxy import service

# Long enough that a byte that does not wait arrives first, on a loaded machine and under sanitizers too.
DELAY = "fdatasync:delay_enter=1500000"


class Witness:
    """A back end that looks, at the moment a byte or a connection arrives, for what is on record by then."""

    def __init__(self, speaks_first):
        self.proxy = None
        self.speaks_first = speaks_first
        self.server = backends.Server(self.handle)

    def handle(self, peer, server):
        if self.speaks_first:
            peer.sendall(b"hello\n")
        data = peer.recv(100)
        if data:
            server.note(len(self.proxy.handshakes()))
            peer.sendall(data)
            peer.recv(1)


@pytest.fixture
def witness(request):
    made = Witness(request.param)
    yield made
    made.server.close()


def run(own_proxies, pki, witness, tmp_path, version, record):
    """(handshakes on record when the upstream got the first byte, ... when the client did)"""
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("one", pki, witness.server.address)],
                        journal={"record": record}, timeouts={"park": "30s"})
    witness.proxy = proxy
    address = proxy.config["listeners"][0]["bind"]
    assert proxy.mark() == 0
    with Injection(proxy.pid, DELAY, tmp_path) as fault:
        with clients.Tls(address, "one.example", pki.client("good"), version) as one:
            if witness.speaks_first:
                assert one.socket.recv(100) == b"hello\n"
                client = len(proxy.handshakes())
                one.socket.sendall(b"ping")
                one.socket.recv(100)
            else:
                one.socket.sendall(b"ping")
                assert one.socket.recv(100) == b"ping"
                client = len(proxy.handshakes())
        upstream = witness.server.wait_note()[0]
        event = proxy.event_of(one.local)
        assert fault.hits() >= 1
    expect.check(event, "ok", decision="allow", verified=True)
    return upstream, client


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("witness", [False, True], ids=["client-first", "upstream-first"], indirect=True)
def test_before_traffic_waits(own_proxies, pki, witness, tmp_path, version):
    assert run(own_proxies, pki, witness, tmp_path, version, "before-traffic") == (1, 1)


@pytest.mark.parametrize("witness", [False, True], ids=["client-first", "upstream-first"], indirect=True)
def test_async_does_not_wait(own_proxies, pki, witness, tmp_path):
    """The opposite, which shows that the test above could fail."""
    assert run(own_proxies, pki, witness, tmp_path, "1.3", "async")[1] == 0


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_refused_client_hears_of_it_after_its_record(own_proxies, pki, echo, tmp_path, version):
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("one", pki, echo)], timeouts={"park": "30s"})
    with Injection(proxy.pid, DELAY, tmp_path):
        said = clients.python_alert(proxy.config["listeners"][0]["bind"], "one.example", pki.client("expired"), version)
        assert len(proxy.handshakes()) == 1
    assert clients.alert_in(said.replace("_", " ")) == 45, said


def test_parking_ends(own_proxies, pki, echo, tmp_path):
    """A connection that waits longer than `park` is closed: with a connection-end, never a second handshake."""
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("one", pki, echo)], timeouts={"park": "300ms"})
    with Injection(proxy.pid, "fdatasync:delay_enter=3000000", tmp_path):
        seen = clients.probe(proxy.config["listeners"][0]["bind"], "one.example", pki.client("good"))
        assert not seen.echo and seen.received == 0
        assert proxy.handshakes() == []
    event = proxy.event_of(seen.local)
    expect.check(event, "ok", decision="allow", verified=True)
    end, = proxy.wait_action("connection-end")
    assert end["tlscribe"]["connection"] == event["event"]["id"]
