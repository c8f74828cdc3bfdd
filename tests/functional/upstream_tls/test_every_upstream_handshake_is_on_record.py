"""One egress event for each handshake with a back end, whatever came of it, before a byte of the client goes there."""

import re
import socket

import pytest

from lib import backends, clients, expect, procs, tls_backends as tb
from lib.fault import Injection
from lib.proxy import service


def to(pki, name, server, **tls):
    made = service(name, pki, server, connection_end=True)
    made["upstream"]["tls"] = tb.upstream_tls(pki, **tls)
    return made


@pytest.fixture(scope="module")
def identity(pki):
    return tb.servers_of(pki)["good"]


def start(make, services, **settings):
    proxy = make(["127.0.0.1:%d" % procs.free_port()], services, **settings)
    return proxy, proxy.config["listeners"][0]["bind"]


def refused(proxy, pki, address, name):
    """(ingress event, egress event) of a client that was let in and found no back end."""
    seen = clients.probe(address, f"{name}.example", pki.client("good"))
    assert seen.handshake and not seen.echo and seen.received == 0, seen
    ingress = proxy.event_of(seen.local)
    expect.check(ingress, "ok", decision="allow", verified=True)
    one, = tb.egress(proxy, ingress["event"]["id"])
    end, = proxy.wait_action("connection-end", where=lambda e: e["tlscribe"]["connection"] == ingress["event"]["id"])
    return ingress, one, end


def test_each_connection_has_its_own(own_proxies, pki, identity):
    server = tb.TlsServer(backends.echo, tb.context(identity))
    try:
        proxy, address = start(own_proxies, [to(pki, "many", server.address)])
        for _ in range(20):
            with clients.Tls(address, "many.example", pki.client("good")) as one:
                assert one.ask() == b"ping\n"
        ingress = {e["event"]["id"] for e in proxy.since(0, 20)}
        got = tb.egress(proxy, count=20)
        assert len(ingress) == len(got) == 20
        assert {e["tlscribe"]["connection"] for e in got} == ingress
        for event in got:
            assert event["source"]["ip"] == "127.0.0.1" and event["source"]["port"]
            assert f"127.0.0.1:{event['destination']['port']}" == server.address == event["server"]["address"]
            assert event["tlscribe"]["policy"]["epoch"] == 1
            assert event["source"]["bytes"] > 100 and event["destination"]["bytes"] > 100
    finally:
        server.close()


def test_a_plain_back_end_leaves_none(own_proxies, pki, echo):
    proxy, address = start(own_proxies, [service("plain", pki, echo)])
    assert clients.probe(address, "plain.example", pki.client("good")).echo
    assert proxy.stop() == 0
    assert tb.egress_now(proxy) == []


def test_a_server_that_is_no_tls(own_proxies, pki):
    server = backends.Server(backends.greeter(b"220 ready\r\n"))
    try:
        proxy, address = start(own_proxies, [to(pki, "plain", server.address)])
        ingress, one, end = refused(proxy, pki, address, "plain")
        expect.check(one, "not_tls", decision="deny", denied_by="handshake", direction="egress", mode="required",
                     connection=ingress["event"]["id"], sent=one["tlscribe"].get("alert", {}).get("sent"))
        assert end["tlscribe"]["close_reason"] == "upstream_unreachable"
    finally:
        server.close()


def test_a_server_that_hangs_up(own_proxies, pki):
    server = backends.Server(lambda peer, _: peer.recv(10000))
    try:
        proxy, address = start(own_proxies, [to(pki, "gone", server.address)])
        ingress, one, _ = refused(proxy, pki, address, "gone")
        expect.check(one, "peer_closed", decision="deny", denied_by="handshake", direction="egress", mode="required",
                     connection=ingress["event"]["id"])
    finally:
        server.close()


def test_a_server_that_never_answers(own_proxies, pki):
    """timeouts.connect is for connecting and handshake together."""
    silent, server = tb.silent_listener()
    with silent:
        proxy, address = start(own_proxies, [to(pki, "silent", server)], timeouts={"connect": "300ms"})
        ingress, one, end = refused(proxy, pki, address, "silent")
        expect.check(one, "timeout", decision="deny", denied_by="handshake", direction="egress", mode="required",
                     connection=ingress["event"]["id"])
        assert end["tlscribe"]["close_reason"] == "upstream_unreachable"
        proxy.wait_log(r"no back end could be reached; the last one tried was 127\.0\.0\.1:\d+: .*timeout")


def test_a_server_that_cannot_be_reached_leaves_none(own_proxies, pki):
    """No TLS was begun."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        proxy, address = start(own_proxies, [to(pki, "down", "127.0.0.1:%d" % bound.getsockname()[1])])
        seen = clients.probe(address, "down.example", pki.client("good"))
        assert seen.handshake and not seen.echo
        proxy.event_of(seen.local)
        assert proxy.stop() == 0
        assert tb.egress_now(proxy) == []


def test_a_shutdown_ends_a_handshake_on_record(own_proxies, pki):
    silent, server = tb.silent_listener()
    with silent:
        proxy, address = start(own_proxies, [to(pki, "silent", server)], timeouts={"connect": "60s", "drain": "200ms"})
        with clients.Tls(address, "silent.example", pki.client("good")) as one:
            silent.settimeout(procs.PATIENCE)
            peer, _ = silent.accept()
            with peer:
                assert peer.recv(1) == b"\x16"
                assert proxy.stop() == 0
        ingress = proxy.event_of(one.local)
        event, = tb.egress(proxy, ingress["event"]["id"])
        expect.check(event, "shutdown", decision="deny", denied_by="shutdown", direction="egress", mode="required",
                     connection=ingress["event"]["id"])


class Witness:
    """A TLS back end that looks, when a byte of a client arrives, for the egress events on record by then."""

    def __init__(self, identity, version):
        self.proxy = None
        self.server = tb.TlsServer(self.handle, tb.context(identity, version))

    def handle(self, peer, server):
        data = peer.recv(100)
        server.note(len(tb.egress_now(self.proxy)))
        peer.sendall(data)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("record,seen", [("before-traffic", 1), ("async", 0)])
def test_no_byte_of_the_client_goes_before_its_event(own_proxies, pki, identity, tmp_path, version, record, seen):
    """`async` is the opposite, which shows that the other could fail."""
    witness = Witness(identity, version)
    try:
        proxy, address = start(own_proxies, [to(pki, "one", witness.server.address)], journal={"record": record},
                               timeouts={"park": "30s"})
        witness.proxy = proxy
        with Injection(proxy.pid, "fdatasync:delay_enter=1500000", tmp_path) as fault:
            with clients.Tls(address, "one.example", pki.client("good")) as one:
                assert one.ask() == b"ping\n"
            assert witness.server.wait_note() == [seen]
            proxy.event_of(one.local)
            tb.egress(proxy)
            assert fault.hits() >= 1
    finally:
        witness.server.close()


def test_a_server_whose_event_cannot_be_written_gets_no_byte(own_proxies, pki, identity, tmp_path):
    """The disk dies between the client's handshake and the back end's: the connection is closed, for that reason."""
    asked, go_on = [], tmp_path / "go"

    def hold(peer, _):
        """The handshake waits until the disk is broken."""
        peer.recv(1, socket.MSG_PEEK)
        asked.append(1)
        procs.wait_for(go_on.exists, "the disk to break")

    def handle(peer, server):
        server.note(peer.recv(100))

    server = tb.TlsServer(handle, tb.context(identity), before=hold)
    try:
        proxy, address = start(own_proxies, [to(pki, "one", server.address)], timeouts={"park": "20s", "connect": "20s"})
        with clients.Tls(address, "one.example", pki.client("good")) as one:
            one.socket.sendall(b"secret")
            procs.wait_for(lambda: asked, "the handshake with the back end")
            ingress = proxy.event_of(one.local)
            with Injection(proxy.pid, "fdatasync,fsync,pwrite64,pwritev:error=EIO", tmp_path):
                go_on.touch()
                try:
                    assert one.socket.recv(100) == b""
                except OSError:
                    pass
        end, = proxy.wait_action("connection-end", where=lambda e: e["tlscribe"]["connection"] == ingress["event"]["id"])
        assert end["tlscribe"]["close_reason"] == "journal_failed"
        tb.egress(proxy, ingress["event"]["id"])
        assert b"secret" not in server.seen
    finally:
        server.close()


def test_a_refused_server_is_in_the_log(own_proxies, pki):
    wrong = tb.servers_of(pki)["expired"]
    server = tb.TlsServer(backends.echo, tb.context(wrong))
    try:
        proxy, address = start(own_proxies, [to(pki, "one", server.address)])
        refused(proxy, pki, address, "one")
        proxy.wait_log("the last one tried was " + re.escape(server.address) + r": its certificate was refused \(expired\)")
    finally:
        server.close()


def test_a_pooled_connection_has_one_at_its_handshake(own_proxies, pki, identity, tmp_path):
    """Mode http: requests of several clients share a link to the back end, and its event names the first of them."""
    nginx = tb.NginxTls(tmp_path / "nginx", identity, pki.root.chain_file)
    try:
        made = to(pki, "web", nginx.address, client=pki.leaf("edge-client", pki.dev))
        made["mode"] = "http"
        proxy, address = start(own_proxies, [made], workers=1)
        for _ in range(5):
            got = clients.curl(address, "web.example", "/who", client=pki.client("good"))
            assert got.stdout.startswith(b"SUCCESS|CN=edge-client"), got
        ingress = [e["event"]["id"] for e in proxy.since(0, 5)]
        one, = tb.egress(proxy)
        assert len(ingress) == 5 and one["tlscribe"]["connection"] == ingress[0]
    finally:
        nginx.close()


def test_an_untrusted_back_end_is_a_bad_gateway(own_proxies, pki):
    """Mode http: 502, and the record says why."""
    server = tb.TlsServer(backends.echo, tb.context(tb.servers_of(pki)["unknown_issuer"]))
    try:
        made = to(pki, "web", server.address)
        made["mode"] = "http"
        proxy, address = start(own_proxies, [made])
        got = clients.curl(address, "web.example", "--include", "/", client=pki.client("good"))
        assert got.stdout.startswith(b"HTTP/1.1 502 "), got
        one, = tb.egress(proxy)
        assert one["tlscribe"]["class"] == "unknown_issuer" and one["tlscribe"]["decision"] == "deny"
        assert server.seen == []
    finally:
        server.close()
