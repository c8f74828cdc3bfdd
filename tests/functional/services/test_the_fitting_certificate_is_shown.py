"""RSA and ECDSA side by side, CA names in the request, and the protocols of a service."""

import pytest

from lib import clients, expect, procs
from lib.proxy import service


@pytest.fixture(scope="module")
def proxy(proxies, pki, echo):
    services = [service("both", pki, echo, "none", rsa=True),
                service("named", pki, echo, "required"),
                service("unnamed", pki, echo, "required", client={"ca_names": False}),
                service("quiet", pki, echo, "passthrough"),
                service("loud", pki, echo, "passthrough", client={"ca_names": True}),
                service("labelled", pki, echo, "none", labels={"tier": "gold"})]
    return proxies(["127.0.0.1:%d" % procs.free_port()], services, labels={"site": "ams1", "tier": "base"})


@pytest.fixture
def address(proxy):
    return proxy.config["listeners"][0]["bind"]


@pytest.mark.parametrize("suite, key, shown", [
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "RSA", "server_rsa"),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDSA", "server")])
def test_by_cipher_suite_in_tls12(proxy, pki, address, suite, key, shown):
    seen = clients.probe(address, "both.example", version="1.2", ciphers=suite)
    assert seen.echo and seen.server_key == key and seen.cipher == suite
    event = proxy.event_of(seen.local)
    assert event["tls"]["cipher"] == suite
    assert event["tls"]["server"]["hash"]["sha256"] == seen.server_sha256 == getattr(pki, shown).sha256


@pytest.mark.parametrize("signatures, shown", [("RSA-PSS+SHA256", "server_rsa"), ("ECDSA+SHA256", "server")])
def test_by_signature_in_tls13(proxy, pki, address, signatures, shown):
    mark = proxy.mark()
    said = clients.s_client(address, "both.example", None, "1.3", "ping\n", "-sigalgs", signatures)
    assert "ping" in said
    event = proxy.since(mark)[0]
    assert event["tls"]["server"]["hash"]["sha256"] == getattr(pki, shown).sha256


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("name, names", [("named", True), ("unnamed", False), ("quiet", False), ("loud", True)])
def test_ca_names(proxy, pki, address, name, names, version):
    """A client that chooses by the names stays silent when its own issuer is not among them."""
    foreign = clients.probe(address, f"{name}.example", pki.client("self_signed"), version, choose=True)
    event = proxy.event_of(foreign.local)
    assert foreign.requested and (foreign.ca_names > 0) is names
    assert event["tlscribe"]["evidence"]["ca_names"] is names
    assert event["tlscribe"]["class"] == ("no_certificate" if names else "self_signed")
    good = clients.probe(address, f"{name}.example", pki.client("good"), version, choose=True)
    expect.check(proxy.event_of(good.local), "ok", decision="allow", verified=True)


def test_nothing_is_asked_where_nothing_is_verified(proxy, pki, address):
    seen = clients.probe(address, "both.example", pki.client("good"))
    assert seen.echo and not seen.requested
    evidence = proxy.event_of(seen.local)["tlscribe"]["evidence"]
    assert evidence["requested"] is False and not evidence.get("presented")


def test_labels_of_node_and_service(proxy, address):
    one = proxy.event_of(clients.probe(address, "labelled.example").local)
    other = proxy.event_of(clients.probe(address, "both.example").local)
    assert one["labels"] == {"site": "ams1", "tier": "gold"}
    assert other["labels"] == {"site": "ams1", "tier": "base"}


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_nothing_is_resumed(proxy, pki, address, version, tmp_path):
    """No tickets, no session ids: a second connection with the first one's session is a whole handshake."""
    session = tmp_path / "session"
    mark = proxy.mark()
    first = clients.s_client(address, "named.example", pki.client("good"), version, "ping\n", "-sess_out", str(session))
    assert "ping" in first and "Reused, " not in first
    if session.exists():
        second = clients.s_client(address, "named.example", pki.client("good"), version, "ping\n", "-sess_in", str(session))
        assert "ping" in second and "Reused, " not in second
    assert "New Session Ticket arrived" not in first
    for event in proxy.since(mark):
        expect.check(event, "ok", decision="allow", verified=True)
        assert event["tls"]["resumed"] is False
        assert event["tlscribe"]["evidence"]["presented"] is True


@pytest.mark.parametrize("version, cipher", [("1.2", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
                                             ("1.2", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384")])
def test_cipher_and_group_as_negotiated(proxy, address, version, cipher):
    for group, name in (("P-256", "secp256r1"), ("X25519", "x25519"), ("P-384", "secp384r1")):
        seen = clients.probe(address, "both.example", version=version, ciphers=cipher, groups=group)
        event = proxy.event_of(seen.local)
        assert seen.echo and seen.cipher == event["tls"]["cipher"] == cipher
        assert event["tls"]["curve"] == name
