"""It ends in whatever state it is: between two requests, in the middle of one, as a tunnel, before its back end answers, before its own
event is durable. Nothing that was cut off looks complete to either side."""

import ssl
import threading

import pytest

from lib import backends, clients, live, procs
from lib.fault import Injection
from lib.httpclient import request
from lib.proxy import service
from lib.recorder import Recorder, answer

UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
           "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
SWITCHING = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
             b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")


@pytest.fixture
def back():
    """Answers when the gate is open; /part has half of an answer before it."""
    gate = threading.Event()

    def script(r):
        if r.target == "/part":
            r.connection.send(answer("x" * 1000)[:-500])
        if r.target == "/socket":
            r.connection.send(SWITCHING)
            while got := r.connection.receive():
                r.connection.send(got)
            return None
        if r.target in ("/slow", "/part"):
            gate.wait(procs.PATIENCE)
            return None
        return answer(r.target)
    one = Recorder(script, lazy=True)
    one.gate = gate
    yield one
    gate.set()
    one.close()


@pytest.fixture
def stage(own_proxies, pki, back, tmp_path):
    return live.Stage(own_proxies, pki, back.address, tmp_path, lists=["deny"], mode="http", requests="all")


def told(stage, one):
    """Why it ended, by the record: (class of the connection-revoked, reason of the connection-end, status of its last request)."""
    reason = stage.end_of(one)
    asked = [e for e in stage.proxy.actions("request") if e["tlscribe"]["connection"] == one.id]
    status = asked[-1]["http"].get("response", {}).get("status_code") if asked else "none"
    return stage.revoked(one, "denylisted", "list")["tlscribe"]["class"], reason, status


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_before_the_first_request_and_between_two(stage, pki, version):
    silent, idle, stays = (live.http(stage, client, version) for client in
                           (pki.client("good"), pki.client("good"), pki.client("good_rsa")))
    assert idle.ask("/a").status == 200
    stage.write_deny(pki.client("good"))
    assert silent.ended(49) == b"" and idle.ended(49).endswith(b"\r\n\r\n/a")
    assert told(stage, silent) == ("denylisted", "revoked", "none")
    assert told(stage, idle) == ("denylisted", "revoked", 200)
    assert stays.ask("/b").body == b"/b"


def test_while_the_back_end_thinks(stage, pki, back):
    one = live.http(stage, pki.client("good"))
    one.send(request("/slow", "one.example"))
    back.wait_request()
    stage.write_deny(pki.client("good"))
    assert one.ended(49) == b""
    assert told(stage, one) == ("denylisted", "revoked", None)


def test_while_a_body_goes_up(stage, pki, back):
    one = live.http(stage, pki.client("good"))
    one.send(request("/slow", "one.example", "POST", fields={"Content-Length": "1000"}) + b"x" * 500)
    procs.wait_for(lambda: b"xxx" in back.raw(), "the first half")
    stage.write_deny(pki.client("good"))
    assert one.ended(49) == b""
    assert told(stage, one) == ("denylisted", "revoked", None)
    back.gate.set()
    back.wait_connections_ended()
    assert all(connection.cut for connection in back.connections), "it was not complete"


def test_while_an_answer_comes_down(stage, pki, back):
    one = live.http(stage, pki.client("good"))
    one.send(request("/part", "one.example"))
    procs.wait_for(lambda: one.readable(0) and one.receive() and one.raw.endswith(b"x" * 500), lambda: f"half; there is {one.raw}")
    stage.write_deny(pki.client("good"))
    assert one.ended(49).endswith(b"\r\n\r\n" + b"x" * 500)
    assert told(stage, one)[:2] == ("denylisted", "revoked")


def test_as_a_tunnel(stage, pki, back):
    one = live.http(stage, pki.client("good"))
    one.send(request("/socket", "one.example", fields=UPGRADE))
    assert one.one().status == 101
    one.send(b"\x81\x02hi")
    procs.wait_for(lambda: one.rest.endswith(b"hi") or one.receive().endswith(b"hi"), "the echo")
    stage.write_deny(pki.client("good"))
    one.ended(49)
    assert told(stage, one) == ("denylisted", "revoked", 101)
    back.wait_connections_ended()


def test_a_link_of_one_that_ended_goes_to_nobody_else(stage, pki, back):
    """What the back end still has to say on it would be taken for the next client's answer."""
    one = live.http(stage, pki.client("good"))
    one.send(request("/slow", "one.example"))
    back.wait_request()
    stage.write_deny(pki.client("good"))
    one.ended(49)
    back.gate.set()
    with live.http(stage, pki.client("good_rsa")) as other:
        assert other.ask("/other").body == b"/other"
    assert back.opened == 2


def test_in_the_quarantine(own_proxies, pki, echo, tmp_path):
    """Who is there stays there: it cannot get worse. Who was not is put there, which takes a new connection."""
    ward = backends.Server(backends.greeter(b"ward\n"))
    at = live.Stage(own_proxies, pki, echo, tmp_path, lists=["deny"], quarantine={"servers": [ward.address]})
    try:
        ends = at.hold(pki.client("good"))
        ill = live.Held(at.address, "one.example", pki.client("expired"))
        at.holder.open.append(ill)
        assert ill.socket.recv(5) == b"ward\n"
        at.write_deny(pki.client("good"), pki.client("expired"))
        ends.ended(49)
        at.revoked(ends, "denylisted", "list", decision="quarantine")
        assert ill.ask() == b"ping\n"
        with live.Held(at.address, "one.example", pki.client("good")) as again:
            assert again.socket.recv(5) == b"ward\n"
        # Without a quarantine there is no place for it.
        del at.options["quarantine"]
        at.reload(at.service())
        ill.ended(49)
        event = at.proxy.event_of(ill.local)
        ill.handshake, ill.id = event, event["event"]["id"]
        at.revoked(ill, "denylisted", "policy")
    finally:
        ward.close()


def test_before_its_back_end_answers(own_proxies, pki, tmp_path):
    """A back end that takes connections and never says a word of TLS."""
    silent = backends.Server(lambda peer, server: server.note("came") or peer.recv(65536) and server.note("hello") or peer.recv(1))
    at = live.Stage(own_proxies, pki, {"servers": [silent.address], "tls": {"verify": "none"}}, tmp_path, lists=["deny"])
    try:
        one = live.Held(at.address, "one.example", pki.client("good"))
        at.holder.open.append(one)
        silent.wait_note(2)
        one.handshake = at.proxy.event_of(one.local)
        one.id = one.handshake["event"]["id"]
        at.write_deny(pki.client("good"))
        one.ended(49)
        at.revoked(one, "denylisted", "list")
        assert at.end_of(one) == "revoked"
    finally:
        silent.close()


def test_before_its_own_event_is_durable(own_proxies, pki, tmp_path):
    """Each commit takes long. A client that comes while the entry of the new lists is being written is judged by the old ones, and is
    parked when the new ones come into force: it is out before it was in, and no back end hears of it."""
    came = backends.Server(lambda peer, server: server.note(peer.recv(1)))
    at = live.Stage(own_proxies, pki, came.address, tmp_path, lists=["deny"])
    held = []
    try:
        with Injection(at.proxy.pid, "fdatasync:delay_enter=1000000", tmp_path):
            at.write_deny(pki.client("good"))

            def one_more():
                held.append(live.Held(at.address, "one.example", pki.client("good")))
                return "CRLs and lists changed" in at.proxy.log()
            procs.wait_for(one_more, "the new lists", pause=0.04)
            ends = [one.wait_end() for one in held]
        assert {end for end in ends} == {(b"", 49)}
        events = [at.proxy.event_of(one.local) for one in held]
        let_in = [e["event"]["id"] for e in events if e["tlscribe"]["decision"] == "allow"]
        at.proxy.wait_action("connection-revoked", len(let_in))
        assert sorted(e["tlscribe"]["connection"] for e in at.proxy.actions("connection-revoked")) == sorted(let_in)
        parked = len(let_in) - len(came.seen)
        assert parked > 0, f"{len(let_in)} were let in, {len(came.seen)} of them got to the back end"
    finally:
        for one in held:
            one.close()
        came.close()


class Paused:
    """A handshake that stops where the client has all it needs and has not said its last word."""

    def __init__(self, address, name, client, version):
        context = clients.client_context(client, version)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name)
        self.wire = clients.socket.create_connection((address.rsplit(":", 1)[0], int(address.rsplit(":", 1)[1])), procs.PATIENCE,
                                                     (procs.own_source(address), 0))
        self.local = "%s:%d" % self.wire.getsockname()[:2]
        assert not self.step()
        self.wire.sendall(self.outgoing.read())
        # The server's flight ends where the client has an answer to it.
        while not self.outgoing.pending:
            self.incoming.write(self.wire.recv(65536))
            self.step()

    def step(self):
        try:
            self.tls.do_handshake()
            return True
        except ssl.SSLWantReadError:
            return False

    def go_on(self):
        self.wire.sendall(self.outgoing.read())

    def alert(self):
        """The one that it ends with."""
        while True:
            try:
                self.tls.read(65536)
            except ssl.SSLWantReadError:
                got = self.wire.recv(65536)
                assert got, "it ended without an alert"
                self.incoming.write(got)
            except ssl.SSLError as e:
                return live.ALERTS[e.reason]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_during_its_handshake(own_proxies, pki, echo, tmp_path, version):
    """A reload comes in between: it is judged by the policy that it began with, as the record says, and then by the one in force."""
    at = live.Stage(own_proxies, pki, echo, tmp_path)
    one = Paused(at.address, "one.example", pki.client("good"), version)
    try:
        at.reload(at.service(ca=[pki.other.chain_file]))
        one.go_on()
        assert one.alert() == 48
        event = at.proxy.event_of(one.local)
        assert event["tlscribe"]["decision"] == "allow" and event["tlscribe"]["policy"]["epoch"] == 1
        one.handshake, one.id = event, event["event"]["id"]
        at.revoked(one, "unknown_issuer", "policy")
    finally:
        one.wire.close()


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_lists_that_change_during_its_handshake(own_proxies, pki, echo, tmp_path, version):
    """Of those it is the newest that counts: the handshake itself is denied."""
    at = live.Stage(own_proxies, pki, echo, tmp_path, lists=["deny"])
    one = Paused(at.address, "one.example", pki.client("good"), version)
    try:
        at.write_deny(pki.client("good"))
        live.wait_lists(at.proxy, 0)
        one.go_on()
        assert one.alert() == 49
        event = at.proxy.event_of(one.local)
        assert event["tlscribe"]["class"] == "denylisted" and event["tlscribe"]["policy"]["epoch"] == 2
        assert at.proxy.actions("connection-revoked") == []
    finally:
        one.wire.close()


def test_hundreds_at_once(own_proxies, pki, echo, tmp_path):
    """Half of them are named: each of those is told and recorded once, and the other half does not notice."""
    count = 300
    deny = tmp_path / "deny"
    live.write_list(deny, [])
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()],
                        [service("one", pki, echo, client={"deny": [deny]}, connection_end=True)])
    address = proxy.config["listeners"][0]["bind"]
    held = [live.Held(address, "one.example", pki.client("good_rsa" if n % 2 else "good"), "1.2" if n % 3 else "1.3")
            for n in range(count)]
    try:
        for one in held:
            assert one.ask() == b"ping\n"
        live.write_list(deny, [pki.client("good")])
        for one in held[::2]:
            one.ended(49)
        for one in held[1::2]:
            assert one.ask(b"still\n") == b"still\n"
        ids = {f"{e['source']['ip']}:{e['source']['port']}": e["event"]["id"] for e in proxy.since(0, count)}
        out = sorted(ids[one.local] for one in held[::2])
        proxy.wait_action("connection-end", len(out))
        for action in ("connection-revoked", "connection-end"):
            assert sorted(e["tlscribe"]["connection"] for e in proxy.actions(action)) == out
    finally:
        for one in held:
            one.close()
