"""Every class that a client certificate can have, in TLS 1.2 and 1.3, in every mode."""

import pytest

from lib import clients, expect
from lib.proxy import service

# kind of client: class, depth of its finding, code where it is not the one of the class
KINDS = {
    "good": ("ok", None, None),
    "good_rsa": ("ok", None, None),
    "expired": ("expired", 0, None),
    "not_yet_valid": ("not_yet_valid", 0, None),
    "expired_issuer": ("expired", 1, None),
    "self_signed": ("self_signed", 0, None),
    "unknown_issuer": ("unknown_issuer", None, 20),
    "unknown_root": ("unknown_issuer", None, 19),
    "issuer_not_ca": ("issuer_not_ca", 1, None),
    "bad_signature": ("bad_signature", 0, None),
    "wrong_purpose": ("wrong_purpose", 0, None),
    "chain_too_long": ("chain_too_long", None, None),
    "weak_algorithm": ("weak_algorithm", 0, None),
    "weak_signature": ("weak_algorithm", 0, None),
    "malformed_certificate": ("malformed_certificate", 0, None),
    "malformed_issuer": ("malformed_certificate", 1, None),
    "unsupported_key": ("unsupported_key", 0, None),
    "described_curve": ("unsupported_key", 0, None),
    "possession_failed": ("possession_failed", 0, None),
    None: ("no_certificate", None, None),
}
MODES = ("none", "optional", "required", "passthrough", "unchecked")


@pytest.fixture(scope="module")
def proxy(proxies, pki, echo, folder):
    services = [service(mode, pki, echo, mode) for mode in MODES[:4]]
    services.append(service("unchecked", pki, echo, "passthrough", ca=None))
    return proxies([f"unix:{folder}/classes.sock", "127.0.0.1:%d" % clients.procs.free_port()], services)


def reached(kind, version):
    """Whether possession can be proven: see design, what GnuTLS cannot complete."""
    if kind in ("malformed_certificate", "unsupported_key", "described_curve"):
        return "not_reached"
    if kind == "malformed_issuer" and version == "1.2":
        return "not_reached"
    return "failed" if kind == "possession_failed" else "proven"


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k or "no_certificate")
def test_class(proxy, pki, kind, mode, version):
    name, depth, code = KINDS[kind]
    address = proxy.config["listeners"][1]["bind"]
    client = pki.client(kind) if kind else None
    seen = clients.probe(address, f"{mode}.example", client, version)
    event = proxy.event_of(seen.local)

    possession = reached(kind, version) if kind and mode != "none" else None
    found, decision, denied_by = expect.decision(mode, name)
    if possession == "not_reached":
        found, decision, denied_by = name, "deny", "verify"
    elif kind == "malformed_issuer" and mode in ("passthrough", "unchecked"):
        # The leaf is good and proven, so the handshake stands, and what is wrong with it is only told.
        found, decision, denied_by = name, "allow_unverified", None
    presented = len(client.chain) if client and mode != "none" else 0
    expect.check(event, found, decision=decision, denied_by=denied_by, version=version,
                 mode="passthrough" if mode == "unchecked" else mode, service=mode, possession=possession,
                 chain_length=presented, depth=depth if found == name and found != "ok" else None,
                 code=code if found == name else None, verified=found == "ok")
    assert event["tlscribe"]["evidence"]["requested"] is (mode != "none")
    assert event["tls"]["client"]["server_name"] == f"{mode}.example"
    assert event["tls"]["established"] is (possession in ("proven", None))

    if decision == "deny":
        assert not seen.echo and seen.received == 0
        assert seen.alert == expect.alert(name, version), seen
        # TLS 1.3 has no third flight; in 1.2 a handshake that can be completed is, and then comes the alert.
        assert seen.handshake is (version == "1.3" or possession in ("proven", None)), seen
    else:
        assert seen.echo and seen.alert == -1, seen
    if presented and possession != "not_reached":
        assert event["tls"]["client"]["hash"]["sha256"] == client.sha256


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_signature_of_nonsense_proves_nothing(proxy, pki, version):
    address = proxy.config["listeners"][1]["bind"]
    for mode in ("required", "optional", "passthrough", "unchecked"):
        seen = clients.probe(address, f"{mode}.example", pki.client("good"), version, garbage=True)
        event = proxy.event_of(seen.local)
        expect.check(event, "possession_failed", decision="deny", denied_by="verify", version=version,
                     possession="failed", chain_length=2)
        assert seen.alert == 51 and not seen.echo


def test_all_findings_are_kept_and_the_first_of_the_order_is_primary(proxy, pki):
    address = proxy.config["listeners"][1]["bind"]
    seen = clients.probe(address, "required.example", pki.client("weak_and_expired"), "1.3")
    event = proxy.event_of(seen.local)
    expect.check(event, "wrong_purpose", decision="deny", denied_by="verify", depth=0)
    found = [f["class"] for f in event["tlscribe"]["findings"] if f["depth"] == 0]
    assert found == ["wrong_purpose", "weak_algorithm", "expired"]
    assert seen.alert == 43


def test_the_same_verdict_again_is_the_same_event(proxy, pki):
    """The second one may come from the cache; nothing but time, ports and ids may differ."""
    address = proxy.config["listeners"][1]["bind"]
    for kind in ("good", "expired", "unknown_root", "chain_too_long"):
        events = []
        for _ in range(4):
            seen = clients.probe(address, "required.example", pki.client(kind), "1.3")
            event = proxy.event_of(seen.local)
            facts = event["tlscribe"]
            events.append({"findings": facts.get("findings"), "class": facts["class"], "code": event["event"]["code"],
                           "path": facts.get("path"), "anchor": facts.get("anchor_file"), "client": event["tls"]["client"],
                           "evidence": facts["evidence"], "user": event.get("user"), "days": facts.get("days_left")})
        assert all(one == events[0] for one in events), events


def test_an_anchor_may_be_an_intermediate(own_proxies, pki, echo):
    proxy = own_proxies(["127.0.0.1:%d" % clients.procs.free_port()], [service("dev", pki, echo, ca="dev"),
                                                                     service("tst", pki, echo, ca="tst")])
    address = proxy.config["listeners"][0]["bind"]
    for name, kind, wanted in (("dev", "good", "ok"), ("tst", "good", "unknown_issuer"),
                               ("tst", "unknown_issuer", "ok"), ("dev", "unknown_issuer", "unknown_issuer")):
        event = proxy.event_of(clients.probe(address, f"{name}.example", pki.client(kind)).local)
        assert event["tlscribe"]["class"] == wanted
        if wanted == "ok":
            assert event["tlscribe"]["anchor_file"] == str(getattr(pki, name).chain_file)
            assert [step["subject"].split(",")[0] for step in event["tlscribe"]["path"]] == [
                f"CN={pki.client(kind).label}", f"CN={name} CA"]


def test_profile_purpose_and_depth_are_the_services_own(own_proxies, pki, echo):
    services = [service("legacy", pki, echo, client={"profile": "legacy"}),
                service("high", pki, echo, client={"profile": "high"}),
                service("any", pki, echo, client={"purpose": "any"}),
                service("server", pki, echo, client={"purpose": "1.3.6.1.5.5.7.3.1"}),
                service("deep", pki, echo, client={"max_depth": 5}),
                service("flat", pki, echo, client={"max_depth": 0})]
    proxy = own_proxies(["127.0.0.1:%d" % clients.procs.free_port()], services)
    address = proxy.config["listeners"][0]["bind"]
    for name, kind, wanted in (("legacy", "weak_algorithm", "ok"), ("legacy", "weak_signature", "ok"),
                               ("high", "good_rsa", "weak_algorithm"), ("high", "good", "ok"),
                               ("any", "wrong_purpose", "ok"), ("server", "wrong_purpose", "ok"),
                               ("server", "good", "wrong_purpose"), ("deep", "chain_too_long", "ok"),
                               ("flat", "good", "chain_too_long")):
        event = proxy.event_of(clients.probe(address, f"{name}.example", pki.client(kind)).local)
        assert event["tlscribe"]["class"] == wanted, (name, kind, event)
