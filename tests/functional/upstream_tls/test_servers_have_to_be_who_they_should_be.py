"""A back end's certificate is judged before any byte of a client goes there, and every handshake with one is on record."""

import os
import threading

import pytest

from lib import backends, clients, der, expect, procs, tls_backends as tb
from lib.proxy import service

FAULTS = ["expired", "self_signed", "unknown_issuer", "wrong_name", "wrong_purpose"]
ALERT_WORDS = {"expired": "certificate expired", "self_signed": "unknown ca", "unknown_issuer": "unknown ca",
               "wrong_name": "bad certificate", "wrong_purpose": "unsupported certificate"}


def to(pki, name, servers, tls, **more):
    made = service(name, pki, servers, connection_end=True, **more)
    made["upstream"]["tls"] = tls
    return made


@pytest.fixture(scope="module")
def ours(pki):
    return pki.leaf("edge-client", pki.dev)


@pytest.fixture(scope="module")
def identities(pki):
    return tb.servers_of(pki)


@pytest.fixture(scope="module")
def wrong(identities):
    """One echoing server for every fault, with each version."""
    made = {(fault, version): tb.TlsServer(backends.echo, tb.context(identities[fault], version))
            for fault in FAULTS for version in ("1.2", "1.3")}
    yield made
    for one in made.values():
        one.close()


@pytest.fixture(scope="module")
def real(folder, pki, identities):
    ca, good = pki.root.chain_file, identities["good"]
    made = {}
    for version in ("1.2", "1.3"):
        made["nginx", version] = tb.NginxTls(folder / f"nginx-tls-{version}", good, ca, version)
        made["gnutls", version] = tb.gnutls_serv(folder, good, ca, version)
        made["openssl", version] = tb.s_server(folder, good, ca, version)
    yield made
    for one in made.values():
        one.close()


def label(*parts):
    return "-".join(parts).replace(".", "").replace("_", "-")


@pytest.fixture(scope="module")
def proxy(proxies, pki, ours, identities, wrong, real):
    services = []
    for (kind, version), one in real.items():
        services.append(to(pki, label(kind, version), one.address, tb.upstream_tls(pki, ours)))
        services.append(to(pki, label(kind, version, "bare"), one.address, tb.upstream_tls(pki)))
    for (fault, version), one in wrong.items():
        services.append(to(pki, label(fault, version), one.address, tb.upstream_tls(pki)))
        services.append(to(pki, label(fault, version, "any"), one.address, tb.upstream_tls(pki, verify="none", ca=None)))
    return proxies(["127.0.0.1:%d" % procs.free_port()], services)


@pytest.fixture
def address(proxy):
    return proxy.config["listeners"][0]["bind"]


def check_allowed(event, ingress, identities, ours, version, name):
    expect.check(event, "ok", decision="allow", verified=True, direction="egress", connection=ingress["event"]["id"],
                 mode="required", version=version, service=name, possession="proven", chain_length=2)
    tls = event["tls"]
    assert tls["established"] and tls["server"]["hash"]["sha256"] == identities["good"].sha256
    assert tls["client"]["server_name"] == "backend.example"
    assert tls["client"].get("hash", {}).get("sha256") == (ours and ours.sha256)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_nginx_sees_our_certificate_and_the_server_name(proxy, pki, address, identities, ours, version):
    name = label("nginx", version)
    before = proxy.mark()
    got = clients.curl(address, f"{name}.example", "/who", client=pki.client("good"))
    verified, subject, asked, protocol, _ = got.stdout.decode().strip().split("|")
    assert (verified, asked, protocol) == ("SUCCESS", "backend.example", "TLSv" + version), got
    assert "CN=edge-client" in subject
    ingress = proxy.since(before)[0]
    one, = tb.egress(proxy, ingress["event"]["id"])
    check_allowed(one, ingress, identities, ours, version, name)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_gnutls_serv_echoes_over_mutual_tls(proxy, pki, address, identities, ours, version):
    name = label("gnutls", version)
    seen = clients.probe(address, f"{name}.example", pki.client("good"))
    assert seen.echo, seen
    ingress = proxy.event_of(seen.local)
    one, = tb.egress(proxy, ingress["event"]["id"])
    check_allowed(one, ingress, identities, ours, version, name)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_openssl_s_server_answers_over_mutual_tls(proxy, pki, address, identities, ours, version):
    name = label("openssl", version)
    with clients.Tls(address, f"{name}.example", pki.client("good")) as one:
        one.socket.sendall(b"stressed\n")
        assert one.socket.recv(100) == b"desserts\n"
    ingress = proxy.event_of(one.local)
    event, = tb.egress(proxy, ingress["event"]["id"])
    check_allowed(event, ingress, identities, ours, version, name)


@pytest.mark.parametrize("kind", ["gnutls", "openssl"])
def test_a_server_that_refuses_us_is_told_by_its_alert(proxy, pki, address, kind):
    """TLS 1.2: it says so within the handshake."""
    seen = clients.probe(address, label(kind, "1.2", "bare") + ".example", pki.client("good"))
    assert seen.handshake and not seen.echo and seen.received == 0
    ingress = proxy.event_of(seen.local)
    one, = tb.egress(proxy, ingress["event"]["id"])
    expect.check(one, "peer_alert", decision="deny", denied_by="handshake", direction="egress", mode="required",
                 connection=ingress["event"]["id"], chain_length=2, possession="not_reached")
    # RFC 5246 7.4.6: "a fatal handshake_failure alert"; gnutls-serv gives its own for any trouble with a certificate.
    assert one["tlscribe"]["alert"]["received"] == {"openssl": 40, "gnutls": 50}[kind]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_certificate_is_refused(proxy, pki, address, wrong, fault, version):
    """The client is closed, the server gets the alert and not a byte more, and the record says why."""
    server, name = wrong[fault, version], label(fault, version)
    before = len(server.refused)
    seen = clients.probe(address, f"{name}.example", pki.client("good"))
    assert seen.handshake and not seen.echo and seen.received == 0, seen
    ingress = proxy.event_of(seen.local)
    expect.check(ingress, "ok", decision="allow", verified=True)
    one, = tb.egress(proxy, ingress["event"]["id"])
    expect.check(one, fault, decision="deny", denied_by="verify", direction="egress", mode="required", version=version,
                 connection=ingress["event"]["id"], service=name, possession="proven")
    assert "subject" in one["tls"]["server"]
    end, = proxy.wait_action("connection-end", where=lambda e: e["tlscribe"]["connection"] == ingress["event"]["id"])
    assert end["tlscribe"]["close_reason"] == "upstream_unreachable"
    assert ALERT_WORDS[fault] in server.wait_refused(before + 1)[-1].lower().replace("_", " ")
    assert server.seen == [] and not server.faults


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("fault", FAULTS)
def test_verify_none_takes_any_and_says_so(proxy, pki, address, fault, version):
    name = label(fault, version, "any")
    seen = clients.probe(address, f"{name}.example", pki.client("good"))
    assert seen.echo, seen
    ingress = proxy.event_of(seen.local)
    one, = tb.egress(proxy, ingress["event"]["id"])
    expect.check(one, "not_checked", decision="allow_unverified", direction="egress", mode="none", version=version,
                 connection=ingress["event"]["id"], service=name)
    assert one["tls"]["server"]["hash"]["sha256"]


def test_the_next_server_is_tried_and_each_leaves_its_event(own_proxies, pki, identities, wrong):
    good = tb.TlsServer(backends.echo, tb.context(identities["good"]))
    try:
        servers = [wrong["expired", "1.3"].address, wrong["wrong_name", "1.3"].address, good.address]
        proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [to(pki, "next", servers, tb.upstream_tls(pki))],
                            workers=1)
        seen = clients.probe(proxy.config["listeners"][0]["bind"], "next.example", pki.client("good"))
        assert seen.echo
        ingress = proxy.event_of(seen.local)
        got = tb.egress(proxy, ingress["event"]["id"], 3)
        assert [e["tlscribe"]["class"] for e in got] == ["expired", "wrong_name", "ok"]
        assert [e["server"]["address"] for e in got] == servers
    finally:
        good.close()


def test_refused_servers_that_stay_hold_few_descriptors(own_proxies, pki, identities):
    """They may read why they were refused, but not all of them at once: nobody counts their sockets."""
    made, done = tb.context(identities["expired"]), threading.Event()

    def stay(peer, _):
        with made.wrap_socket(peer, server_side=True):
            done.wait(procs.PATIENCE)

    server = backends.Server(stay)
    try:
        one = to(pki, "stays", server.address, tb.upstream_tls(pki))
        one["upstream"]["failures"] = 1000
        proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [one], workers=1)
        before, most = len(os.listdir(f"/proc/{proxy.pid}/fd")), 0
        for _ in range(200):
            with clients.Tls(proxy.config["listeners"][0]["bind"], "stays.example", pki.client("good")) as client:
                try:
                    assert client.socket.recv(1) == b""
                except OSError:
                    pass
            most = max(most, len(os.listdir(f"/proc/{proxy.pid}/fd")))
        assert most - before <= 64 + 8, "beside the refused ones a client or two"
        assert {e["tlscribe"]["class"] for e in tb.egress(proxy, count=200)} == {"expired"}
    finally:
        done.set()
        server.close()


def test_without_a_server_name_the_address_has_to_be_in_the_certificate(own_proxies, pki, identities):
    """No SNI is sent for an address (RFC 6066 3), and a certificate for names alone is for another server."""
    for_address = pki.leaf("backend-ip", pki.edge, purposes=["serverAuth"], names=[(der.IP, b"\x7f\0\0\1")])
    servers = [tb.TlsServer(backends.echo, tb.context(one)) for one in (for_address, identities["good"])]
    try:
        proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()],
                            [to(pki, "ip", servers[0].address, tb.upstream_tls(pki, name=None)),
                             to(pki, "names", servers[1].address, tb.upstream_tls(pki, name=None))])
        address = proxy.config["listeners"][0]["bind"]
        assert clients.probe(address, "ip.example", pki.client("good")).echo
        assert servers[0].names == [None]
        seen = clients.probe(address, "names.example", pki.client("good"))
        assert not seen.echo
        one, = tb.egress(proxy, proxy.event_of(seen.local)["event"]["id"])
        assert one["tlscribe"]["class"] == "wrong_name" and "server_name" not in one["tls"].get("client", {})
    finally:
        for one in servers:
            one.close()
