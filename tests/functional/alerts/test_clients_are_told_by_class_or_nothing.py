"""`alert: class` tells a client which fault was found, as RFC 8446 6.2 names them; `alert: generic` is handshake_failure for all of them.
The record has the fault and the alert that was sent, either way."""

import pytest

from lib import clients, hello, procs, specimens
from lib.proxy import service

# RFC 8446 6: the alerts that a client can get here.
HANDSHAKE_FAILURE, BAD, UNSUPPORTED, REVOKED, EXPIRED, UNKNOWN = 40, 42, 43, 44, 45, 46
UNKNOWN_CA, ACCESS_DENIED, DECRYPT_ERROR, PROTOCOL_VERSION = 48, 49, 51, 70
UNRECOGNIZED_NAME, CERTIFICATE_REQUIRED, NO_APPLICATION_PROTOCOL = 112, 116, 120

# Specimen: class, alert, the service by which it is judged.
FAULTS = {
    "malformed_leaf": ("malformed_certificate", BAD, "plain"),
    "malformed_issuer": ("malformed_certificate", BAD, "plain"),
    "unsupported_key": ("unsupported_key", UNSUPPORTED, "plain"),
    "possession_failed": ("possession_failed", DECRYPT_ERROR, "plain"),
    "bad_signature": ("bad_signature", BAD, "plain"),
    "self_signed": ("self_signed", UNKNOWN_CA, "plain"),
    "unknown_issuer": ("unknown_issuer", UNKNOWN_CA, "plain"),
    "issuer_not_ca": ("issuer_not_ca", BAD, "plain"),
    "path_length_exceeded": ("path_length_exceeded", BAD, "plain"),
    "chain_too_long": ("chain_too_long", BAD, "plain"),
    "unknown_critical_extension": ("unknown_critical_extension", UNSUPPORTED, "plain"),
    "name_not_permitted": ("name_not_permitted", BAD, "plain"),
    "issuer_not_allowed": ("issuer_not_allowed", ACCESS_DENIED, "issuers"),
    "denylisted": ("denylisted", ACCESS_DENIED, "lists"),
    "revoked": ("revoked", REVOKED, "crl"),
    "not_allowlisted": ("not_allowlisted", ACCESS_DENIED, "lists"),
    "wrong_purpose": ("wrong_purpose", UNSUPPORTED, "plain"),
    "weak_algorithm": ("weak_algorithm", BAD, "plain"),
    "not_yet_valid": ("not_yet_valid", EXPIRED, "plain"),
    "expired": ("expired", EXPIRED, "plain"),
    "revocation_unknown": ("revocation_unknown", UNKNOWN, "crl"),
    "identity_malformed": ("identity_malformed", BAD, "plain"),
}
VERSIONS = ["1.2", "1.3"]
MODES = ["class", "generic"]


@pytest.fixture(scope="module")
def line(pki):
    return specimens.Line(pki, "ecdsa", 1)


@pytest.fixture(scope="module")
def proxy(proxies, pki, echo, line, folder):
    deny, allow = folder / "alerts.deny", folder / "alerts.allow"
    deny.write_text(specimens.fingerprint(line.specimen("denylisted").chain[0]) + "\n")
    allow.write_text("".join(specimens.fingerprint(line.specimen(name).chain[0]) + "\n" for name in ("good", "denylisted")))
    options = {"plain": {}, "crl": {"crl": line.crls()}, "lists": {"deny": [deny], "allow": [allow]},
               "issuers": {"issuers": [pki.dev.chain_file]}}
    services = [service(f"{name}-{mode}", pki, echo, client={"ca": [line.root.chain_file], "alert": mode, **more},
                        connection_end=True) for name, more in options.items() for mode in MODES]
    services += [service(f"modern-{mode}", pki, echo, client={"alert": mode}, tls={"min": "1.3", "alpn": ["spoken"]})
                 for mode in MODES]
    return proxies(["127.0.0.1:%d" % procs.free_port()], services)


@pytest.fixture
def address(proxy):
    return proxy.config["listeners"][0]["bind"]


def told(proxy, local, name, alert):
    """The record has the class and the alert that went out."""
    event = proxy.event_of(local)
    assert event["tlscribe"]["class"] == name and event["tlscribe"]["decision"] == "deny", event
    assert event["tlscribe"]["alert"]["sent"] == alert, event
    return event


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", FAULTS)
def test_of_a_certificate(proxy, address, line, kind, mode, version):
    name, alert, at = FAULTS[kind]
    wanted = alert if mode == "class" else HANDSHAKE_FAILURE
    seen = clients.probe(address, f"{at}-{mode}.example", line.specimen(kind), version)
    assert seen.alert == wanted and seen.received == 0, seen
    event = told(proxy, seen.local, name, wanted)
    if kind not in ("possession_failed", "malformed_leaf", "unsupported_key"):
        assert event["tlscribe"]["findings"] and event["event"]["code"] != "0", "the detail stands here"


@pytest.mark.parametrize("version, alert", [("1.2", HANDSHAKE_FAILURE), ("1.3", CERTIFICATE_REQUIRED)])
@pytest.mark.parametrize("mode", MODES)
def test_of_none(proxy, address, mode, version, alert):
    """RFC 8446 6.2: certificate_required is new in 1.3."""
    wanted = alert if mode == "class" else HANDSHAKE_FAILURE
    seen = clients.probe(address, f"plain-{mode}.example", None, version)
    assert seen.alert == wanted
    told(proxy, seen.local, "no_certificate", wanted)


HELLOS = {
    "no_common_version": (PROTOCOL_VERSION, {"versions": (hello.TLS12,)}),
    "no_common_protocol": (NO_APPLICATION_PROTOCOL, {"protocols": ["other"]}),
    "no_common_cipher": (HANDSHAKE_FAILURE, {"suites": [0x1399], "protocols": ["spoken"]}),
    "no_common_group": (HANDSHAKE_FAILURE, {"groups": [hello.BRAINPOOL], "shares": [(hello.BRAINPOOL, bytes(65))],
                                            "protocols": ["spoken"]}),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", HELLOS)
def test_of_a_hello(proxy, address, name, mode):
    alert, fields = HELLOS[name]
    wanted = alert if mode == "class" else HANDSHAKE_FAILURE
    with hello.Wire(address) as wire:
        wire.send(hello.records(hello.client_hello(f"modern-{mode}.example", **fields)))
        assert hello.alert_of(wire.rest()) == wanted
    told(proxy, wire.local, name, wanted)


@pytest.mark.parametrize("version", VERSIONS)
def test_of_a_name_that_is_nobody_s(proxy, address, version):
    """No service has said yet how much it wants to tell."""
    seen = clients.probe(address, "nobody.example", None, version)
    assert seen.alert == UNRECOGNIZED_NAME
    told(proxy, seen.local, "unknown_server_name", UNRECOGNIZED_NAME)


@pytest.mark.parametrize("mode", MODES)
def test_who_is_let_in_gets_none(proxy, address, line, mode):
    for version in VERSIONS:
        seen = clients.probe(address, f"lists-{mode}.example", line.specimen("good"), version)
        assert seen.echo and seen.alert == -1
        assert "sent" not in proxy.event_of(seen.local)["tlscribe"].get("alert", {})


@pytest.mark.parametrize("version", VERSIONS)
def test_generic_is_the_same_for_every_fault(proxy, address, line, version):
    """Alert and bytes: whoever tries things out learns nothing by them. Where the handshake could be completed, that is; it is the
    library that ends the others."""
    lengths = {}
    for kind, (_, _, at) in FAULTS.items():
        if kind not in ("malformed_leaf", "malformed_issuer", "unsupported_key", "possession_failed"):
            seen = clients.probe(address, f"{at}-generic.example", line.specimen(kind), version)
            lengths[kind] = (seen.alert, seen.handshake, seen.received, seen.eof, seen.error)
    assert len(set(lengths.values())) == 1, lengths
