"""Sessions with a back end are resumed, with the certificate of the full handshake on record and judged at every use."""

import socket
import threading

import pytest

from lib import backends, clients, expect, pki as pkis, procs, tls_backends as tb, der
from lib.proxy import service


def to(pki, name, server, **tls):
    made = service(name, pki, server)
    made["upstream"]["tls"] = tb.upstream_tls(pki, **tls)
    return made


def ask(address, pki, name="one"):
    with clients.Tls(address, f"{name}.example", pki.client("good")) as one:
        assert one.ask() == b"ping\n"
        one.finish()
    return one.local


def serve(reused):
    def handle(peer, server):
        reused.append(peer.session_reused)
        backends.echo(peer, server)
    return handle


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_the_second_connection_resumes(own_proxies, pki, version):
    identity, reused = tb.servers_of(pki)["good"], []
    server = tb.TlsServer(serve(reused), tb.context(identity, version))
    try:
        proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [to(pki, "one", server.address)], workers=1)
        address = proxy.config["listeners"][0]["bind"]
        for _ in range(4):
            ask(address, pki)
        assert reused == [False, True, True, True]
        got = tb.egress(proxy, count=4)
        assert [e["tls"]["resumed"] for e in got] == reused
        for event in got:
            expect.check(event, "ok", decision="allow", verified=True, direction="egress", version=version,
                         mode="required", connection=event["tlscribe"]["connection"], possession="proven", chain_length=2)
            assert event["tls"]["server"]["hash"]["sha256"] == identity.sha256
    finally:
        server.close()


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_real_servers_resume(own_proxies, pki, tmp_path, version):
    identity, ours = tb.servers_of(pki)["good"], pki.leaf("edge-client", pki.dev)
    nginx = tb.NginxTls(tmp_path / "nginx", identity, pki.root.chain_file, version)
    gnutls = tb.gnutls_serv(tmp_path, identity, pki.root.chain_file, version)
    try:
        proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()],
                            [to(pki, "web", nginx.address, client=ours), to(pki, "one", gnutls.address, client=ours)],
                            workers=1)
        address = proxy.config["listeners"][0]["bind"]
        said = [clients.curl(address, "web.example", "/who", client=pki.client("good")).stdout.decode() for _ in range(3)]
        assert [line.strip().split("|")[-1] for line in said] == [".", "r", "r"], said
        assert all(line.startswith("SUCCESS|CN=edge-client") for line in said)
        for _ in range(2):
            ask(address, pki)
        got = tb.egress(proxy, count=5)
        assert [e["tls"]["resumed"] for e in got] == [False, True, True, False, True]
    finally:
        nginx.close()
        gnutls.close()


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_server_that_does_not_resume_is_asked_in_full(own_proxies, pki, version):
    """It forgot its keys: what was offered is passed over."""
    identity, reused = tb.servers_of(pki)["good"], []
    first = tb.TlsServer(serve(reused), tb.context(identity, version))
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [to(pki, "one", first.address)], workers=1)
    address = proxy.config["listeners"][0]["bind"]
    try:
        ask(address, pki)
    finally:
        first.close()
    second = tb.TlsServer(serve(reused), tb.context(identity, version), address=first.address)
    try:
        ask(address, pki)
        assert reused == [False, False]
        assert [e["tls"]["resumed"] for e in tb.egress(proxy, count=2)] == [False, False]
    finally:
        second.close()


def test_a_server_that_fails_with_a_session_is_offered_no_other(own_proxies, pki):
    identity, reused, broken = tb.servers_of(pki)["good"], [], threading.Event()

    def breaks(peer, _):
        if broken.is_set():
            peer.shutdown(socket.SHUT_RDWR)

    server = tb.TlsServer(serve(reused), tb.context(identity, "1.3"), before=breaks)
    try:
        proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [to(pki, "one", server.address)], workers=1)
        address = proxy.config["listeners"][0]["bind"]
        ask(address, pki)  # leaves two sessions
        broken.set()
        assert not clients.probe(address, "one.example", pki.client("good")).echo
        broken.clear()
        ask(address, pki)
        assert reused == [False, False]
    finally:
        server.close()


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_reload_forgets_sessions(own_proxies, pki, version):
    identity, reused = tb.servers_of(pki)["good"], []
    server = tb.TlsServer(serve(reused), tb.context(identity, version))
    try:
        proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [to(pki, "one", server.address)], workers=1)
        address = proxy.config["listeners"][0]["bind"]
        ask(address, pki)
        proxy.reload(labels={"changed": "yes"})
        proxy.wait_action("audit.config", 2)
        proxy.wait_log("reload|came into force|configuration 2")
        ask(address, pki)
        assert reused == [False, False]
        ask(address, pki)
        assert reused == [False, False, True]
    finally:
        server.close()


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_certificate_that_expired_is_no_longer_resumed(own_proxies, pki, version):
    """The server still knows the session; the certificate that it was trusted for is not good any more."""
    until = pkis.now() + 6 * (pkis.DAY / 86400)
    identity = pki.leaf(f"backend-short-{version}", pki.edge, purposes=["serverAuth"],
                        names=[(der.DNS, "backend.example")], not_after=until)
    reused = []
    server = tb.TlsServer(serve(reused), tb.context(identity, version))
    try:
        proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [to(pki, "one", server.address)], workers=1)
        address = proxy.config["listeners"][0]["bind"]
        ask(address, pki)
        ask(address, pki)
        assert reused == [False, True]
        procs.wait_for(lambda: (pkis.now() - until).total_seconds() > 1.5, "the certificate to expire", pause=0.1)
        seen = clients.probe(address, "one.example", pki.client("good"))
        assert not seen.echo
        one, = tb.egress(proxy, proxy.event_of(seen.local)["event"]["id"])
        assert one["tlscribe"]["class"] == "expired" and one["tlscribe"]["decision"] == "deny"
        assert one["tls"]["resumed"] is False, "a session with a chain that is not trusted is not even offered"
    finally:
        server.close()
