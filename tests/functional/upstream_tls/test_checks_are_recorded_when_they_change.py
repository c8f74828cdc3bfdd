"""Health checks over TLS: their handshakes are on record when the outcome is another one than before, and only then."""

from lib import clients, expect, procs, tls_backends as tb
from lib.proxy import service


def answer(peer, server):
    """One HTTP request, one answer."""
    got = b""
    while b"\r\n\r\n" not in got:
        part = peer.recv(4096)
        if not part:
            return
        got += part
    server.note(got.split(b"\r\n", 1)[0])
    peer.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")


def wait_checks(server, more):
    """That many further checks were answered."""
    server.wait_note(len(server.seen) + more)


def test_an_outcome_is_recorded_once(own_proxies, pki):
    identities = tb.servers_of(pki)
    server = tb.TlsServer(answer, tb.context(identities["good"]))
    try:
        made = service("one", pki, server.address)
        made["upstream"].update(tls=tb.upstream_tls(pki), check={"path": "/health", "interval": "20ms", "healthy": 1,
                                                                 "unhealthy": 1})
        proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [made])
        address = proxy.config["listeners"][0]["bind"]
        wait_checks(server, 5)
        first, = tb.egress(proxy)
        expect.check(first, "ok", decision="allow", verified=True, direction="egress", mode="required", service="one",
                     possession="proven")
        assert "connection" not in first["tlscribe"]

        # Another identity, with keys of its own for tickets: whatever was resumable is not any more.
        server.context = tb.context(identities["expired"])
        tb.egress(proxy, count=2)
        refused = len(server.refused)
        server.wait_refused(refused + 5)
        assert [e["tlscribe"]["class"] for e in tb.egress_now(proxy)] == ["ok", "expired"]
        seen = clients.probe(address, "one.example", pki.client("good"))
        assert not seen.echo and seen.received == 0, "its check took the server out"

        server.context = tb.context(identities["good"])
        tb.egress(proxy, count=3)
        wait_checks(server, 5)
        got = [e for e in tb.egress_now(proxy) if "connection" not in e["tlscribe"]]
        assert [e["tlscribe"]["class"] for e in got] == ["ok", "expired", "ok"]
    finally:
        server.close()


def test_a_server_that_never_answers_is_too_late(own_proxies, pki):
    """The check's timeout ends before timeouts.connect does."""
    silent, server = tb.silent_listener()
    with silent:
        made = service("one", pki, server)
        made["upstream"].update(tls=tb.upstream_tls(pki), check={"path": "/health", "interval": "100ms", "timeout": "50ms",
                                                                 "unhealthy": 2})
        proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [made])
        proxy.wait_log("is down: 2 bad checks in a row, the last one: no answer within the check's timeout")
        one, = tb.egress(proxy)
        expect.check(one, "timeout", decision="deny", denied_by="handshake", direction="egress", mode="required", service="one")


def test_checks_that_are_given_up_leave_none(own_proxies, pki):
    """By a reload, and by the end: what the server would have done nobody knows."""
    silent, server = tb.silent_listener()
    with silent:
        silent.settimeout(procs.PATIENCE)
        made = service("one", pki, server)
        made["upstream"].update(tls=tb.upstream_tls(pki), check={"path": "/health", "interval": "60s", "timeout": "60s"})
        proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [made], timeouts={"connect": "60s"})
        first, _ = silent.accept()
        with first:
            assert first.recv(1) == b"\x16"
            proxy.reload(labels={"changed": "yes"})
            second, _ = silent.accept()
            with second:
                assert second.recv(1) == b"\x16"
                assert proxy.stop() == 0
    assert tb.egress_now(proxy) == []


def test_a_clients_handshake_is_recorded_all_the_same(own_proxies, pki):
    """The checks' silence is theirs alone."""
    server = tb.TlsServer(answer, tb.context(tb.servers_of(pki)["good"]))
    try:
        made = service("one", pki, server.address)
        made["upstream"].update(tls=tb.upstream_tls(pki), check={"path": "/health", "interval": "20ms"})
        proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [made])
        address = proxy.config["listeners"][0]["bind"]
        wait_checks(server, 3)
        for _ in range(3):
            got = clients.curl(address, "one.example", "/", client=pki.client("good"))
            assert got.returncode == 0, got
        ingress = [e["event"]["id"] for e in proxy.since(0, 3)]
        got = [e["tlscribe"].get("connection", "") for e in tb.egress(proxy, count=4)]
        assert sorted(got) == sorted(["", *ingress])
    finally:
        server.close()
