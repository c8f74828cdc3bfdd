"""`trust: pinned`: whoever was registered gets in, self-signed or not; everybody else does not, whoever signed for them."""

import hashlib
import re

import pytest

from lib import clients, der, expect, procs
from lib.crl import serial_of
from lib.pki import DAY, Identity, certificate, new_key, now, pem, spki
from lib.proxy import service
from lib.renewal import wait_renewal
from lib.site import Site

VERSIONS = ["1.2", "1.3"]


class World:
    def __init__(self, pki, folder):
        self.pki, self.folder = pki, folder
        folder.mkdir()
        self.mine, self.other = self.self_signed("pin-mine"), self.self_signed("pin-other")
        self.rsa, self.ed25519 = (self.self_signed("pin-" + kind, key=new_key(kind)) for kind in ("RSA-2048", "ed25519"))
        self.expired = self.self_signed("pin-expired", not_before=now() - 30 * DAY, not_after=now() - DAY)
        self.early = self.self_signed("pin-early", not_before=now() + DAY, not_after=now() + 9 * DAY)
        self.weak = self.self_signed("pin-weak", key=new_key("RSA-1024"))
        self.server = self.self_signed("pin-server", purposes=["serverAuth"])
        # Registered, though nobody here knows its CA; and one of a CA that everybody else trusts.
        self.foreign, self.partner = pki.client("unknown_issuer"), pki.client("good")
        # The same key and names in another certificate, and the same certificate in hands without the key.
        self.again = self.self_signed("pin-again", key=self.mine.key, subject=self.mine.subject)
        self.copied = Identity(pki.folder, "pin-copied", new_key(), self.mine.chain)
        # A certificate that the registered one signed.
        self.below = pki.leaf("pin-below", self.mine)
        # The registered one, with others behind it.
        self.extra = Identity(pki.folder, "pin-extra", self.mine.key, self.mine.chain + pki.dev.chain + pki.tst.chain)
        self.second = Identity(pki.folder, "pin-second", self.other.key, self.other.chain + self.mine.chain)

    def self_signed(self, label, key=None, subject=None, purposes=("clientAuth",), **how):
        key, subject = key or new_key(), subject or self.pki.name(label)
        one = certificate(subject=subject, issuer=subject, key=key, signer=key, extensions=[
            der.key_usage("digitalSignature"), der.extended_key_usage(*purposes)], **how)
        return Identity(self.pki.folder, label, key, [one], subject)

    def list(self, name, *kinds):
        path = self.folder / name
        path.write_text("".join(f"{getattr(self, kind).sha256}\n" for kind in kinds))
        return path

    def client(self, kind):
        return None if kind is None else getattr(self, kind)


REGISTERED = ["mine", "rsa", "ed25519", "expired", "early", "weak", "server", "foreign", "partner"]


@pytest.fixture(scope="module")
def world(pki, folder):
    return World(pki, folder / "pins")


@pytest.fixture(scope="module")
def proxy(proxies, world, pki, echo):
    file = world.list("registered", *REGISTERED)
    whole = world.folder / "whole"
    whole.write_bytes(b"# what the partner sent\n" + pem(world.mine.chain[0]))
    key = world.folder / "key"
    key.write_text("spki " + spki_sha256(world.mine) + "\n")
    services = []
    for name, verify, client in (
            ("pinned", "required", {}), ("pem", "required", {"allow": [whole]}), ("key", "required", {"allow": [key]}),
            ("denied", "required", {"deny": [world.list("denied", "mine")]}), ("tolerant", "required", {"tolerate": "all"}),
            ("week", "required", {"tolerate": [{"class": "expired", "depth": 0, "for": "7d"}]}),
            ("optional", "optional", {}), ("passthrough", "passthrough", {}), ("any", "required", {"purpose": "any"})):
        services.append(service(name, pki, echo, verify, ca=None, client={"trust": "pinned", "allow": [file], **client}))
    return proxies(["127.0.0.1:%d" % procs.free_port()], services)


def spki_sha256(client):
    return hashlib.sha256(spki(client.key)).hexdigest()


def judged(proxy, world, name, kind, version="1.3"):
    seen = clients.probe(proxy.config["listeners"][0]["bind"], f"{name}.example", world.client(kind), version)
    return seen, proxy.event_of(seen.local)


@pytest.mark.parametrize("name, kind, cls, decision", [
    ("pinned", "mine", "ok", "allow"), ("pinned", "rsa", "ok", "allow"), ("pinned", "ed25519", "ok", "allow"),
    ("pinned", "foreign", "ok", "allow"), ("pinned", "partner", "ok", "allow"), ("pinned", "extra", "ok", "allow"),
    ("pinned", "other", "not_allowlisted", "deny"), ("pinned", "again", "not_allowlisted", "deny"),
    ("pinned", "below", "not_allowlisted", "deny"), ("pinned", "second", "not_allowlisted", "deny"),
    # Registered is not for ever, nor for everything.
    ("pinned", "expired", "expired", "deny"), ("pinned", "early", "not_yet_valid", "deny"),
    ("pinned", "weak", "weak_algorithm", "deny"), ("pinned", "server", "wrong_purpose", "deny"), ("any", "server", "ok", "allow"),
    ("pinned", "copied", "possession_failed", "deny"), ("pinned", None, "no_certificate", "deny"),
    ("pem", "mine", "ok", "allow"), ("pem", "rsa", "not_allowlisted", "deny"),
    ("key", "mine", "ok", "allow"), ("key", "again", "ok", "allow"), ("key", "rsa", "not_allowlisted", "deny"),
    ("denied", "mine", "denylisted", "deny"), ("denied", "rsa", "ok", "allow"),
    ("tolerant", "expired", "expired", "allow_tolerated"), ("tolerant", "other", "not_allowlisted", "deny"),
    ("week", "expired", "expired", "allow_tolerated"), ("week", "early", "not_yet_valid", "deny"),
    ("optional", "mine", "ok", "allow"), ("optional", "other", "not_allowlisted", "deny"),
    ("optional", None, "no_certificate", "allow_anonymous"),
    ("passthrough", "mine", "ok", "allow"), ("passthrough", "other", "not_allowlisted", "allow_unverified"),
    ("passthrough", "copied", "possession_failed", "deny"),
])
@pytest.mark.parametrize("version", VERSIONS)
def test_the_verdict(proxy, world, version, name, kind, cls, decision):
    seen, event = judged(proxy, world, name, kind, version)
    expect.check(event, cls, decision=decision, denied_by="verify" if decision == "deny" else None, version=version,
                 verified=cls == "ok")
    assert seen.echo is (decision != "deny")
    if decision == "deny" and seen.alert != -1:
        assert seen.alert == expect.alert(cls, version)


def test_who_is_pinned_is_somebody(proxy, world):
    """Verified as if a CA had signed; who signed is no fault, nor told of as one."""
    _, event = judged(proxy, world, "pinned", "mine")
    assert event["tlscribe"].get("findings", []) == [] and event["user"]["name"]
    assert "anchor_file" not in event["tlscribe"]
    assert event["tls"]["client"]["hash"]["sha256"] == world.mine.sha256
    _, event = judged(proxy, world, "pinned", "other")
    assert [f["class"] for f in event["tlscribe"]["findings"]] == ["not_allowlisted"]


def test_clients_are_not_told_names_of_cas(proxy, world):
    """There are none; a client that chooses by them still shows its certificate."""
    seen, event = judged(proxy, world, "pinned", "mine")
    assert seen.requested and seen.ca_names == 0
    assert event["tlscribe"]["evidence"]["requested"] is True
    address = proxy.config["listeners"][0]["bind"]
    seen = clients.probe(address, "pinned.example", world.mine, "1.3", choose=True, pem=True)
    assert seen.echo


def test_registering_and_removing_works_at_once(own_proxies, world, pki, echo):
    file = world.list("changing", "mine")
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()],
                        [service("one", pki, echo, ca=None, client={"trust": "pinned", "allow": [file]})])
    assert judged(proxy, world, "one", "other")[1]["tlscribe"]["class"] == "not_allowlisted"
    world.list("changing", "other")
    wait_renewal(proxy, 0)
    assert judged(proxy, world, "one", "other")[1]["tlscribe"]["class"] == "ok"
    assert judged(proxy, world, "one", "mine")[1]["tlscribe"]["class"] == "not_allowlisted"


@pytest.mark.parametrize("option, value", [("ca", "root"), ("issuers", "root"), ("crl", "root"),
                                           ("ocsp", {"mode": "hard", "responder": "http://127.0.0.1/"}),
                                           ("crl_fetch", {"urls": ["http://127.0.0.1/"]})])
def test_what_needs_a_ca_is_refused_beside_it(tmp_path, world, pki, option, value):
    value = [str(getattr(pki, value).chain_file)] if isinstance(value, str) else value
    site = Site(tmp_path, [service("a", pki, "127.0.0.1:9000", ca=None,
                                   client={"trust": "pinned", "allow": [world.list("a", "mine")], option: value})])
    got = site.check()
    assert got.returncode == 1
    assert re.search(rf"^{site.file}:\d+:\d+: {option} .*trust: pinned", got.stderr, re.M), got.stderr


def test_a_serial_number_cannot_be_pinned(tmp_path, world, pki):
    file = tmp_path / "pins"
    file.write_text(f"{world.mine.sha256}\nserial {serial_of(world.mine):X} issuer CN=a\n")
    got = Site(tmp_path, [service("a", pki, "127.0.0.1:9000", ca=None, client={"trust": "pinned", "allow": [file]})]).check()
    assert got.returncode == 1
    assert re.search(rf"^{file}:2(:\d+)?: serial is not for trust: pinned", got.stderr, re.M), got.stderr


def test_a_pinned_key_is_warned_of(tmp_path, world, pki):
    file = tmp_path / "pins"
    file.write_text(f"spki {spki_sha256(world.mine)}\n")
    site = Site(tmp_path, [service("a", pki, "127.0.0.1:9000", ca=None, client={"trust": "pinned", "allow": [str(file)]})])
    site.write()
    site.warned(str(file), f"allow list {re.escape(str(file))}: spki with trust: pinned trusts a key, .*")
