"""`tolerate`: by class name, OpenSSL's name or number, depth and age; what was tolerated stays in the event."""

import pytest

from lib import clients, expect, procs
from lib.proxy import service

SERVICES = {
    "none": "none",
    "all": "all",
    "expired": ["expired"],
    "openssl": ["X509_V_ERR_CERT_HAS_EXPIRED"],
    "number": [10],
    "two": ["unknown_issuer", "expired"],
    "leaf": [{"class": "expired", "depth": 0}],
    "issuer": [{"class": "expired", "depth": 1}],
    "week": [{"class": "expired", "for": "7d"}],
    "selfsigned": ["X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT"],
    "ended": [{"class": "expired", "until": "2020-01-01"}],
}
TOLERATED = "allow_tolerated"


@pytest.fixture(scope="module")
def proxy(proxies, pki, echo):
    services = [service(name, pki, echo, client={"tolerate": rule}) for name, rule in SERVICES.items()]
    services.append(service("optional", pki, echo, "optional", client={"tolerate": ["expired"]}))
    services.append(service("passthrough", pki, echo, "passthrough", client={"tolerate": ["expired"]}))
    return proxies(["127.0.0.1:%d" % procs.free_port()], services)


@pytest.mark.parametrize("name, kind, cls, decision", [
    ("none", "expired", "expired", "deny"),
    ("all", "expired", "expired", TOLERATED),
    ("all", "self_signed", "self_signed", TOLERATED),
    ("all", "unknown_issuer", "unknown_issuer", TOLERATED),
    ("all", "bad_signature", "bad_signature", "deny"),
    ("all", "weak_and_expired", "wrong_purpose", TOLERATED),
    ("all", "possession_failed", "possession_failed", "deny"),
    ("all", "malformed_certificate", "malformed_certificate", "deny"),
    ("all", "unsupported_key", "unsupported_key", "deny"),
    ("all", None, "no_certificate", "deny"),
    ("expired", "expired", "expired", TOLERATED),
    ("expired", "expired_issuer", "expired", TOLERATED),
    ("expired", "not_yet_valid", "not_yet_valid", "deny"),
    ("expired", "weak_and_expired", "wrong_purpose", "deny"),
    ("openssl", "expired", "expired", TOLERATED),
    ("openssl", "self_signed", "self_signed", "deny"),
    ("number", "expired", "expired", TOLERATED),
    ("number", "not_yet_valid", "not_yet_valid", "deny"),
    ("two", "unknown_issuer", "unknown_issuer", TOLERATED),
    ("two", "unknown_root", "unknown_issuer", TOLERATED),
    ("two", "self_signed", "self_signed", "deny"),
    ("leaf", "expired", "expired", TOLERATED),
    ("leaf", "expired_issuer", "expired", "deny"),
    ("issuer", "expired", "expired", "deny"),
    ("issuer", "expired_issuer", "expired", TOLERATED),
    ("week", "expired", "expired", TOLERATED),
    ("week", "expired_long_ago", "expired", "deny"),
    ("selfsigned", "self_signed", "self_signed", TOLERATED),
    ("selfsigned", "unknown_issuer", "unknown_issuer", "deny"),
    ("ended", "expired", "expired", "deny"),
    ("optional", "expired", "expired", TOLERATED),
    ("optional", "self_signed", "self_signed", "deny"),
    ("optional", None, "no_certificate", "allow_anonymous"),
    ("passthrough", "self_signed", "self_signed", "allow_unverified"),
    ("passthrough", "good", "ok", "allow"),
    ("all", "good", "ok", "allow"),
])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_tolerance(proxy, pki, version, name, kind, cls, decision):
    address = proxy.config["listeners"][0]["bind"]
    seen = clients.probe(address, f"{name}.example", pki.client(kind) if kind else None, version)
    event = proxy.event_of(seen.local)
    expect.check(event, cls, decision=decision, denied_by="verify" if decision == "deny" else None, version=version,
                 code=event["event"]["code"], verified=cls == "ok")
    assert seen.echo is (decision != "deny")
    found = event["tlscribe"].get("findings", [])
    if decision == TOLERATED:
        assert found and all(f.get("tolerated") is True for f in found), found


def test_a_rejected_or_tolerated_identity_is_nobodys(proxy, pki):
    """user.name is for the verified alone; the subject stands in tls.client."""
    address = proxy.config["listeners"][0]["bind"]
    for name, kind in (("none", "expired"), ("all", "expired"), ("passthrough", "self_signed")):
        event = proxy.event_of(clients.probe(address, f"{name}.example", pki.client(kind)).local)
        assert "user" not in event
        assert event["tls"]["client"]["subject"].startswith(f"CN={pki.client(kind).label}")
    event = proxy.event_of(clients.probe(address, "none.example", pki.client("good")).local)
    assert "good" in event["user"]["name"] and event["tlscribe"]["verified"] is True
