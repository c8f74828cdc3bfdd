"""Allow and deny lists: every kind of entry in every spelling, and nothing forgives either."""

import base64
import hashlib
import re

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from lib import clients, expect, procs
from lib.crl import serial_of
from lib.pki import DAY, Identity, certificate, new_key, now, pem
from lib.proxy import service
from lib.site import Site

VERSIONS = ["1.2", "1.3"]


def spki_of(client):
    public = x509.load_der_x509_certificate(client.chain[0]).public_key()
    return hashlib.sha256(public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)).digest()


def pairs(text, between=":"):
    return between.join(text[i:i + 2] for i in range(0, len(text), 2))


ISSUER = "CN=dev CA,O=Test,C=NL"
PERSON = {
    "bare": lambda c: c.sha256,
    "lower": lambda c: c.sha256.lower(),
    "colons": lambda c: pairs(c.sha256),
    "lower-colons": lambda c: pairs(c.sha256.lower()),
    "blanks": lambda c: pairs(c.sha256, " "),
    "mixed": lambda c: " \t" + pairs(c.sha256[:32], ":") + "  " + c.sha256[32:].lower() + "\t # its laptop",
    "named": lambda c: "sha256 " + c.sha256,
    "named-colons": lambda c: "sha256 " + pairs(c.sha256).lower(),
    "crlf": lambda c: "# from another system\r\n\r\n" + c.sha256 + "\r",
    "without-end": lambda c: c.sha256,
    "spki-hex": lambda c: "spki " + spki_of(c).hex(),
    "spki-colons": lambda c: "spki " + pairs(spki_of(c).hex().upper()),
    "spki-base64": lambda c: "spki " + base64.b64encode(spki_of(c)).decode(),
    "serial": lambda c: f"serial {serial_hex(c)} issuer {ISSUER}",
    "serial-colons": lambda c: f"serial {pairs(serial_hex(c).lower())} issuer {ISSUER}",
    "serial-blanks": lambda c: f"serial  {serial_hex(c)}  issuer  cn=DEV CA , o=test , C=nl ",
    "pem": lambda c: pem(c.chain[0]).decode(),
    "pem-among-lines": lambda c: "# one\n" + "ab" * 32 + "\n" + pem(c.chain[0]).decode() + "# two\n",
}
DENIED_ONLY = {
    "sha1": lambda c: "sha1 " + hashlib.sha1(c.chain[0]).hexdigest(),
    "sha1-colons": lambda c: "sha1 " + pairs(hashlib.sha1(c.chain[0]).hexdigest().upper()),
}


def serial_hex(client):
    text = "%X" % serial_of(client)
    return text.zfill(len(text) + len(text) % 2)


class World:
    def __init__(self, pki, folder):
        self.pki, self.folder = pki, folder
        folder.mkdir()
        self.good, self.other = pki.client("good"), pki.client_cached("lists-other")
        self.expired = pki.leaf("lists-expired", pki.dev, not_before=now() - 30 * DAY, not_after=now() - DAY)
        self.self_signed, self.unknown = pki.client("self_signed"), pki.client("unknown_issuer")
        # The same key in a newer certificate: known by its key, and by nothing else.
        self.renewed = pki.leaf("lists-renewed", pki.dev, key=self.good.key)
        # Whoever cannot sign as the CA can still write its name, and any serial number.
        self.claims = self.claimed("lists-claims", self.good)

    def claimed(self, label, whom):
        key = new_key()
        one = certificate(subject=self.pki.name(label), issuer=self.pki.dev.subject, key=key, signer=new_key(), serial=serial_of(whom),
                          extensions=[])
        return Identity(self.folder, label, key, [one] + self.pki.dev.chain)

    def list(self, name, *lines):
        path = self.folder / name
        path.write_text("\n".join(lines) + ("\n" if name != "without-end" else ""), newline="")
        return path

    def client(self, kind):
        return None if kind is None else getattr(self, kind)


@pytest.fixture(scope="module")
def world(pki, folder):
    return World(pki, folder / "lists")


@pytest.fixture(scope="module")
def proxy(proxies, world, pki, echo):
    services = []
    for name, write in PERSON.items():
        services.append(service("allow-" + name, pki, echo, client={"allow": [world.list(name, write(world.good))]}))
    for name, write in {**PERSON, **DENIED_ONLY}.items():
        services.append(service("deny-" + name, pki, echo, client={"deny": [world.list("deny-" + name, write(world.good))]}))
    good, all_ = world.list("good", world.good.sha256), world.list("all", *[one.sha256 for one in (
        world.good, world.expired, world.self_signed, world.unknown)])
    nobody, issuer = world.list("nobody", "# nobody yet"), world.list("issuer", hashlib.sha256(pki.dev.chain[0]).hexdigest())
    serial = world.list("serial-claimed", PERSON["serial"](world.good))
    for name, verify, client in (
            ("both", "required", {"allow": [good], "deny": [good]}), ("two-files", "required", {"allow": [nobody, good]}),
            ("deny-nobody", "required", {"deny": [nobody]}), ("deny-issuer", "required", {"deny": [nobody, issuer]}),
            ("deny-all", "required", {"deny": [all_]}), ("tolerant", "required", {"deny": [all_], "tolerate": "all"}),
            ("tolerant-allow", "required", {"allow": [good], "tolerate": "all"}),
            ("allow-all", "required", {"allow": [all_]}), ("deny-serial-claimed", "required", {"deny": [serial]}),
            ("allow-serial-claimed", "required", {"allow": [serial], "tolerate": "all"}),
            ("allow-key", "required", {"allow": [world.list("key", PERSON["spki-hex"](world.good))]}),
            ("deny-key", "required", {"deny": [world.list("deny-key", PERSON["spki-hex"](world.good))]}),
            ("optional", "optional", {"deny": [good]}), ("optional-allow", "optional", {"allow": [good]}),
            ("passthrough", "passthrough", {"deny": [good]}), ("passthrough-allow", "passthrough", {"allow": [good]}),
    ):
        services.append(service(name, pki, echo, verify, client=client))
    services.append(service("unchecked", pki, echo, "passthrough", ca=None, client={"deny": [good]}))
    services.append(service("quarantined", pki, echo, client={"deny": [good]}, quarantine={"servers": [echo]}))
    return proxies(["127.0.0.1:%d" % procs.free_port()], services)


def judged(proxy, world, name, kind, version="1.3"):
    seen = clients.probe(proxy.config["listeners"][0]["bind"], f"{name}.example", world.client(kind), version)
    return seen, proxy.event_of(seen.local)


def denied(proxy, world, name, kind, cls, version="1.3", depth=0):
    seen, event = judged(proxy, world, name, kind, version)
    expect.check(event, cls, decision="deny", denied_by="verify", version=version, depth=depth)
    assert not seen.echo and seen.alert == expect.alert(cls, version)
    return [f for f in event["tlscribe"]["findings"] if f["class"] == cls][0]


def allowed(proxy, world, name, kind, version="1.3"):
    seen, event = judged(proxy, world, name, kind, version)
    expect.check(event, "ok", decision="allow", version=version, verified=True)
    assert seen.echo


WORDS = {"spki": "public key", "serial": "serial number and issuer", "sha1": "SHA-1 fingerprint"}


@pytest.mark.parametrize("spelling", PERSON)
def test_who_is_on_an_allow_list_gets_in_and_nobody_else(proxy, world, spelling):
    allowed(proxy, world, "allow-" + spelling, "good")
    denied(proxy, world, "allow-" + spelling, "other", "not_allowlisted")


@pytest.mark.parametrize("spelling", [*PERSON, *DENIED_ONLY])
def test_who_is_on_a_deny_list_does_not_get_in(proxy, world, spelling):
    finding = denied(proxy, world, "deny-" + spelling, "good", "denylisted")
    assert finding["detail"] == WORDS.get(spelling.split("-")[0], "SHA-256 fingerprint")
    allowed(proxy, world, "deny-" + spelling, "other")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_codes_and_alerts(proxy, world, version):
    denied(proxy, world, "both", "good", "denylisted", version)
    denied(proxy, world, "allow-bare", "other", "not_allowlisted", version)
    assert judged(proxy, world, "both", "good", version)[1]["event"]["code"] == "1004"
    assert judged(proxy, world, "allow-bare", "other", version)[1]["event"]["code"] == "1005"


def test_deny_goes_before_allow(proxy, world):
    denied(proxy, world, "both", "good", "denylisted")
    _, event = judged(proxy, world, "both", "other")
    assert [f["class"] for f in event["tlscribe"]["findings"]] == ["not_allowlisted"]


def test_one_of_several_lists_is_enough(proxy, world):
    allowed(proxy, world, "two-files", "good")
    denied(proxy, world, "two-files", "other", "not_allowlisted")
    allowed(proxy, world, "deny-nobody", "good")


def test_an_issuer_on_a_deny_list_takes_all_of_its_clients_along(proxy, world):
    for kind in ("good", "other"):
        finding = denied(proxy, world, "deny-issuer", kind, "denylisted", depth=1)
        assert finding["detail"] == "SHA-256 fingerprint"


def test_a_key_is_known_in_every_certificate(proxy, world):
    allowed(proxy, world, "allow-key", "renewed")
    denied(proxy, world, "deny-key", "renewed", "denylisted")
    denied(proxy, world, "allow-bare", "renewed", "not_allowlisted")


def test_an_allow_list_is_no_ca(proxy, world):
    """Whoever is on it still has to be good in every other way."""
    for kind, cls, depth in (("expired", "expired", 0), ("self_signed", "self_signed", 0), ("unknown", "unknown_issuer", 1)):
        denied(proxy, world, "allow-all", kind, cls, depth=depth)


def test_a_serial_number_that_anybody_wrote_allows_nobody_and_denies(proxy, world):
    """Without the CA's signature it is a claim: good enough to be refused for, not to be let in for."""
    seen, event = judged(proxy, world, "allow-serial-claimed", "claims")
    assert not seen.echo
    assert "not_allowlisted" in [f["class"] for f in event["tlscribe"]["findings"] if not f.get("tolerated")]
    _, event = judged(proxy, world, "deny-serial-claimed", "claims")
    assert "denylisted" in [f["class"] for f in event["tlscribe"]["findings"]]
    allowed(proxy, world, "allow-serial-claimed", "good")
    denied(proxy, world, "deny-serial-claimed", "good", "denylisted")


@pytest.mark.parametrize("kind, others", [("expired", {"expired"}), ("self_signed", {"self_signed"}), ("unknown", {"unknown_issuer"})])
def test_no_tolerance_forgives_a_deny_list(proxy, world, kind, others):
    """Whatever the class: all findings have to be forgiven, and this one never is."""
    seen, event = judged(proxy, world, "tolerant", kind)
    assert not seen.echo and event["tlscribe"]["decision"] == "deny"
    told = {f["class"]: f.get("tolerated", False) for f in event["tlscribe"]["findings"]}
    assert told == {"denylisted": False, **{one: True for one in others}}


def test_no_tolerance_forgives_an_absence_from_an_allow_list(proxy, world):
    seen, event = judged(proxy, world, "tolerant-allow", "expired")
    assert not seen.echo
    assert {f["class"]: f.get("tolerated", False) for f in event["tlscribe"]["findings"]} == {"not_allowlisted": False, "expired": True}


@pytest.mark.parametrize("name, kind, cls, decision, denied_by", [
    ("optional", "good", "denylisted", "deny", "verify"), ("optional", "other", "ok", "allow", None),
    ("optional", None, "no_certificate", "allow_anonymous", None),
    ("optional-allow", "other", "not_allowlisted", "deny", "verify"), ("optional-allow", None, "no_certificate", "allow_anonymous", None),
    ("passthrough", "good", "denylisted", "allow_unverified", None), ("passthrough", "other", "ok", "allow", None),
    ("passthrough-allow", "other", "not_allowlisted", "allow_unverified", None), ("passthrough-allow", "good", "ok", "allow", None),
    ("unchecked", "good", "denylisted", "allow_unverified", None), ("unchecked", "other", "not_checked", "allow_unverified", None),
    ("quarantined", "good", "denylisted", "quarantine", None),
])
@pytest.mark.parametrize("version", VERSIONS)
def test_each_mode_does_with_it_what_it_is_for(proxy, world, version, name, kind, cls, decision, denied_by):
    seen, event = judged(proxy, world, name, kind, version)
    expect.check(event, cls, decision=decision, denied_by=denied_by, version=version, verified=cls == "ok")
    assert seen.echo is (decision != "deny")


# What cannot be read


@pytest.mark.parametrize("option, line, words", [
    ("allow", "ab" * 31, "neither a SHA-256 fingerprint .*"), ("allow", "ab" * 33, "neither a SHA-256 fingerprint .*"),
    ("deny", "g" * 64, "neither a SHA-256 fingerprint .*"), ("deny", "md5 " + "ab" * 16, "neither a SHA-256 fingerprint .*"),
    ("allow", "sha1 " + "ab" * 20, "sha1 is for deny lists alone.*"), ("deny", "sha1 " + "ab" * 19, "sha1 takes 40 hexadecimal digits"),
    ("deny", "spki nonsense", "spki takes 64 hexadecimal digits.*"), ("deny", "sha256 " + "ab" * 20, "sha256 takes 64 hexadecimal digits"),
    ("deny", "serial 0A1B", "a serial number is written.*"), ("deny", "serial XY issuer CN=a", "a serial number is written.*"),
    ("deny", "serial 0A1B issuer", "a serial number is written.*"),
    ("deny", "-----BEGIN CERTIFICATE-----", "this PEM block has no end"),
    ("deny", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "of PEM blocks only CERTIFICATE can be listed"),
    ("deny", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "this certificate cannot be parsed")])
def test_a_wrong_line_is_refused_with_its_number(tmp_path, pki, option, line, words):
    """At the line of the list itself; the good ones around it do not help."""
    file = tmp_path / "list"
    file.write_text("# a list\n" + "cd" * 32 + "\n\n" + line + "\n")
    got = Site(tmp_path, [service("a", pki, "127.0.0.1:9000", client={option: [file]})]).check()
    assert got.returncode == 1
    said = got.stderr.splitlines()
    assert re.match(rf"{re.escape(str(file))}:4(:\d+)?: {words}$", said[0]), got.stderr


def test_every_wrong_line_is_told_up_to_a_point(tmp_path, pki):
    file = tmp_path / "list"
    file.write_text("wrong\n" * 500)
    got = Site(tmp_path, [service("a", pki, "127.0.0.1:9000", client={"deny": [file]})]).check()
    said = [line for line in got.stderr.splitlines() if line.startswith(f"{file}:")]
    assert got.returncode == 1 and len(said) == 21
    assert "and more wrong lines from here on" in said[-1]


def test_an_allow_list_of_nobody_is_warned_of(tmp_path, pki):
    file = tmp_path / "list"
    file.write_text("# nobody yet\n")
    site = Site(tmp_path, [service("a", pki, "127.0.0.1:9000", client={"allow": [str(file)]})])
    site.write()
    site.warned(str(file), f"allow list {re.escape(str(file))} is empty: nobody is on it")
