"""`issuers`: a partner's CA signs for many, and one of its intermediates for us."""

import json
import re

import pytest

from lib import clients, der, expect, procs
from lib.pki import DAY, Identity, certificate, new_key, now
from lib.proxy import service
from lib.site import Site

VERSIONS = ["1.2", "1.3"]


class World:
    """`root` signs for `ours` and `theirs`; `deep` is below `ours`."""

    def __init__(self, pki):
        self.pki = pki
        self.ours_ca, self.theirs_ca = pki.authority("issuers-ours", above=pki.root), pki.authority("issuers-theirs", above=pki.root)
        self.deep_ca = pki.authority("issuers-deep", above=self.ours_ca)
        self.ours, self.theirs = pki.leaf("issuers-a", self.ours_ca), pki.leaf("issuers-b", self.theirs_ca)
        self.deep = pki.leaf("issuers-c", self.deep_ca)
        self.direct = pki.leaf("issuers-direct", pki.root)
        self.expired = pki.leaf("issuers-expired", self.theirs_ca, not_before=now() - 30 * DAY, not_after=now() - DAY)
        self.self_signed, self.unknown = pki.client("self_signed"), pki.client("unknown_issuer")
        # The allowed one is shown, too, and has no part in the path.
        self.padded = Identity(pki.folder, "issuers-padded", self.theirs.key, self.theirs.chain + self.ours_ca.chain)
        self.swapped = Identity(pki.folder, "issuers-swapped", self.deep.key,
                                [self.deep.chain[0], self.ours_ca.chain[0], self.theirs_ca.chain[0], self.deep_ca.chain[0]])
        # The CA's certificate was renewed: the name and the key are what it is known by.
        self.renewed = Identity(pki.folder, "issuers-renewed", self.ours.key, [self.ours.chain[0], self.ca(self.ours_ca.key)])
        # The same name with another key, and the same key with another name, both signed by the root.
        namesake = new_key()
        self.namesake = self.below(namesake, self.ours_ca.subject, "issuers-namesake")
        self.renamed = self.below(self.ours_ca.key, pki.name("issuers-renamed"), "issuers-renamed")

    def ca(self, key, subject=None):
        return certificate(subject=subject or self.ours_ca.subject, issuer=self.pki.root.subject, key=key, signer=self.pki.root.key,
                           extensions=[der.basic_constraints(True), der.key_usage("keyCertSign", "cRLSign")])

    def below(self, key, subject, label):
        return self.pki.leaf(label, Identity(self.pki.folder, label + "-ca", key, [self.ca(key, subject)], subject))

    def client(self, kind):
        return None if kind is None else getattr(self, kind)


@pytest.fixture(scope="module")
def world(pki):
    return World(pki)


@pytest.fixture(scope="module")
def proxy(proxies, world, pki, echo):
    ours, theirs = world.ours_ca.chain_file, world.theirs_ca.chain_file
    services = [service(name, pki, echo, verify, client={"issuers": issuers, **client}) for name, verify, issuers, client in (
        ("ours", "required", [ours], {}), ("theirs", "required", [theirs], {}), ("both", "required", [ours, theirs], {}),
        ("root", "required", [pki.root.chain_file], {}), ("tolerant", "required", [ours], {"tolerate": "all"}),
        ("optional", "optional", [ours], {}), ("passthrough", "passthrough", [ours], {}))]
    services += [service("everybody", pki, echo),
                 service("quarantined", pki, echo, client={"issuers": [ours]}, quarantine={"servers": [echo]})]
    return proxies(["127.0.0.1:%d" % procs.free_port()], services)


def judged(proxy, world, name, kind, version="1.3"):
    seen = clients.probe(proxy.config["listeners"][0]["bind"], f"{name}.example", world.client(kind), version)
    return seen, proxy.event_of(seen.local)


NOT = "issuer_not_allowed"


@pytest.mark.parametrize("name, kind, cls, decision", [
    ("ours", "ours", "ok", "allow"), ("ours", "theirs", NOT, "deny"), ("ours", "deep", "ok", "allow"), ("ours", "direct", NOT, "deny"),
    ("theirs", "theirs", "ok", "allow"), ("theirs", "ours", NOT, "deny"), ("theirs", "deep", NOT, "deny"),
    ("both", "ours", "ok", "allow"), ("both", "theirs", "ok", "allow"), ("both", "direct", NOT, "deny"),
    ("root", "ours", "ok", "allow"), ("root", "direct", "ok", "allow"), ("root", "unknown", "unknown_issuer", "deny"),
    ("everybody", "ours", "ok", "allow"), ("everybody", "direct", "ok", "allow"), ("everybody", "namesake", "ok", "allow"),
    ("ours", "padded", NOT, "deny"), ("everybody", "padded", "ok", "allow"), ("ours", "swapped", "ok", "allow"),
    ("theirs", "swapped", NOT, "deny"), ("ours", "renewed", "ok", "allow"), ("ours", "namesake", NOT, "deny"),
    ("ours", "renamed", NOT, "deny"), ("ours", "unknown", "unknown_issuer", "deny"), ("ours", "self_signed", "self_signed", "deny"),
    ("ours", None, "no_certificate", "deny"),
    ("tolerant", "theirs", NOT, "deny"), ("tolerant", "ours", "ok", "allow"), ("tolerant", "expired", NOT, "deny"),
    ("tolerant", "self_signed", "self_signed", "deny"), ("tolerant", "unknown", "unknown_issuer", "deny"),
    ("optional", "theirs", NOT, "deny"), ("optional", "ours", "ok", "allow"), ("optional", None, "no_certificate", "allow_anonymous"),
    ("passthrough", "theirs", NOT, "allow_unverified"), ("passthrough", "ours", "ok", "allow"),
    ("quarantined", "theirs", NOT, "quarantine"),
])
@pytest.mark.parametrize("version", VERSIONS)
def test_the_verdict(proxy, world, version, name, kind, cls, decision):
    seen, event = judged(proxy, world, name, kind, version)
    expect.check(event, cls, decision=decision, denied_by="verify" if decision == "deny" else None, version=version,
                 verified=cls == "ok", code=1003 if cls == NOT else event["event"]["code"])
    assert seen.echo is (decision != "deny")
    if decision == "deny":
        assert seen.alert == expect.alert(cls, version)


def test_no_tolerance_forgives_another_issuer(proxy, world):
    told = {f["class"]: f.get("tolerated", False) for f in judged(proxy, world, "tolerant", "expired")[1]["tlscribe"]["findings"]}
    assert told == {NOT: False, "expired": True}


def test_the_path_shows_which_way_it_went(proxy, world):
    path = judged(proxy, world, "ours", "swapped")[1]["tlscribe"]["path"]
    assert [step["subject"].split(",")[0] for step in path] == ["CN=issuers-c", "CN=issuers-deep CA", "CN=issuers-ours CA", "CN=root CA"]


def test_a_reload_takes_other_issuers(own_proxies, world, pki, echo):
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()],
                        [service("one", pki, echo, client={"issuers": [world.ours_ca.chain_file]})])
    assert judged(proxy, world, "one", "theirs")[1]["tlscribe"]["class"] == NOT
    proxy.reload(services=[service("one", pki, echo, client={"issuers": [world.theirs_ca.chain_file]})])
    procs.wait_for(lambda: judged(proxy, world, "one", "theirs")[1]["tlscribe"]["class"] == "ok", proxy.report)
    assert judged(proxy, world, "one", "ours")[1]["tlscribe"]["class"] == NOT


def test_check_tells_them(tmp_path, world, pki):
    files = [str(world.ours_ca.chain_file), str(world.theirs_ca.chain_file)]
    site = Site(tmp_path, [service("a", pki, "127.0.0.1:9000", client={"issuers": files})])
    got = site.check("--json")
    assert (got.returncode, got.stderr) == (0, "")
    [name] = json.loads(got.stdout)["listeners"][0]["names"]
    assert name["issuers"] == files
    text = site.check().stdout
    assert all(re.search(rf"^ +(issuers +)?{re.escape(file)}$", text, re.M) for file in files), text


def test_one_that_is_no_ca_is_warned_of(tmp_path, world, pki):
    file = str(world.ours.der_files[0].with_name("issuers-a.pem"))
    site = Site(tmp_path, [service("a", pki, "127.0.0.1:9000", client={"issuers": [str(file)]})])
    got = site.check()
    assert got.returncode == 0
    assert re.search(rf"^{site.place(file)}: warning: issuer file {file}: CN=issuers-a,.* is no CA", got.stderr, re.M), got.stderr


def test_without_a_ca_they_are_refused(tmp_path, world, pki):
    site = Site(tmp_path, [service("a", pki, "127.0.0.1:9000", "passthrough", ca=None,
                                   client={"issuers": [str(world.ours_ca.chain_file)]})])
    got = site.check()
    assert got.returncode == 1
    assert re.search(rf"^{site.file}:\d+:\d+: issuers needs a? ?ca", got.stderr, re.M), got.stderr
