"""CRLs from files and folders: who is on one is out, and with `hard` so is everybody whom no current one speaks of."""

import pytest

from lib import clients, crl, der, expect, procs
from lib.pki import DAY, certificate, new_key, now
from lib.proxy import service

VERSIONS = ["1.2", "1.3"]
NUMBER = 0x0123456789ABCDEF


class World:
    """`root` signs for `dev`, `gone` (which it revoked) and `mute` (which may sign no CRLs)."""

    def __init__(self, pki, folder):
        self.pki, self.folder = pki, folder
        folder.mkdir()
        self.good = pki.client("good")
        self.revoked = pki.leaf("crl-revoked", pki.dev)
        self.gone = pki.authority("crl-gone", above=pki.root)
        self.below_gone = pki.leaf("crl-below-gone", self.gone)
        self.mute = pki.authority("crl-mute", above=pki.root)
        self.mute.chain[0] = certificate(subject=self.mute.subject, issuer=pki.root.subject, key=self.mute.key, signer=pki.root.key,
                                         extensions=[der.basic_constraints(True), der.key_usage("keyCertSign")])
        self.below_mute = pki.leaf("crl-below-mute", self.mute)
        self.revoked_and_expired = pki.leaf("crl-revoked-expired", pki.dev, not_before=now() - 30 * DAY, not_after=now() - DAY)
        self.serials = [crl.entry(crl.serial_of(self.revoked), crl.reason(crl.KEY_COMPROMISE)), self.revoked_and_expired]
        self.root_crl = self.file("root.crl", crl.crl(pki.root, [self.gone], number=7))
        self.gone_crl = self.file("gone.crl", crl.crl(self.gone))
        self.dev_crl = self.file("dev.crl", self.of_dev(number=NUMBER))

    def of_dev(self, **how):
        return crl.crl(self.pki.dev, self.serials, **how)

    def file(self, name, *crls, pem=True):
        return crl.put(self.folder / name, crl.pem(*crls) if pem else b"".join(crls))

    def client(self, kind):
        return None if kind is None else getattr(self, kind)


@pytest.fixture(scope="module")
def world(pki, folder):
    return World(pki, folder / "crls")


def services(world, pki, echo):
    file, of_dev = world.file, world.of_dev
    mixed = world.folder / "mixed"
    mixed.mkdir()
    crl.put(mixed / "a.pem", crl.pem(crl.crl(pki.root, [world.gone])))
    crl.put(mixed / "b.der", of_dev())
    crl.put(mixed / "c.crl", crl.crl(world.gone))
    (mixed / ".not-this-one").write_text("no CRL")
    (mixed / "nor-this-one").mkdir()
    leaf = {"revocation_scope": "leaf"}
    files = {
        "hard": {"crl": [world.root_crl, world.dev_crl, world.gone_crl]},
        "one-file": {"crl": [file("all.crl", crl.crl(pki.root, [world.gone]), of_dev(), crl.crl(world.gone))]},
        "der": {"crl": [file("root.der", crl.crl(pki.root, [world.gone]), pem=False), file("dev.der", of_dev(), pem=False),
                        file("gone.der", crl.crl(world.gone), pem=False)]},
        "folder": {"crl": [mixed]},
        "soft": {"crl": [world.root_crl, world.dev_crl], "revocation": "soft"},
        "leaf": {"crl": [world.dev_crl, world.gone_crl], **leaf},
        "no-root": {"crl": [world.dev_crl, world.gone_crl]},
        "no-dev": {"crl": [world.root_crl]},
        "no-dev-soft": {"crl": [world.root_crl], "revocation": "soft"},
        "tolerant": {"crl": [world.root_crl, world.dev_crl], "tolerate": "all"},
        "mute": {"crl": [world.root_crl, file("mute.crl", crl.crl(world.mute))]},
    }
    for name, how in (("expired", {"until": now() - DAY / 24, "since": now() - DAY}), ("early", {"since": now() + DAY}),
                      ("foreign", {"signer": pki.tst}), ("endless", {"until": crl.NEVER}), ("unnumbered", {"number": None}),
                      ("cas-only", {"extensions": [crl.only_cas()]}), ("sha1", {"digest": "sha1"})):
        path = file(name + ".crl", of_dev(**how))
        files[name] = {"crl": [path], **leaf}
        files[name + "-soft"] = {"crl": [path], "revocation": "soft", **leaf}
    # An old one beside a new one, and a foreign one beside an own one, do no harm.
    files["both"] = {"crl": [file("both.crl", of_dev(until=now() - DAY, since=now() - 2 * DAY), of_dev(signer=pki.tst), of_dev())], **leaf}
    made = [service(name, pki, echo, client=client) for name, client in files.items()]
    both = {"crl": [world.root_crl, world.dev_crl]}
    made += [service("optional", pki, echo, "optional", client=both), service("passthrough", pki, echo, "passthrough", client=both),
             service("quarantined", pki, echo, client=both, quarantine={"servers": [echo]})]
    return made


@pytest.fixture(scope="module")
def proxy(proxies, world, pki, echo):
    return proxies(["127.0.0.1:%d" % procs.free_port()], services(world, pki, echo))


def judged(proxy, world, name, kind, version="1.3"):
    seen = clients.probe(proxy.config["listeners"][0]["bind"], f"{name}.example", world.client(kind), version)
    return seen, proxy.event_of(seen.local)


OK = ("ok", 0, None, None)
CASES = [
    ("hard", "good", *OK),
    ("hard", "revoked", "revoked", 23, 0, "key compromise"),
    ("hard", "below_gone", "revoked", 23, 1, None),
    ("one-file", "good", *OK), ("one-file", "revoked", "revoked", 23, 0, "key compromise"),
    ("one-file", "below_gone", "revoked", 23, 1, None),
    ("der", "good", *OK), ("der", "revoked", "revoked", 23, 0, "key compromise"), ("der", "below_gone", "revoked", 23, 1, None),
    ("folder", "good", *OK), ("folder", "revoked", "revoked", 23, 0, "key compromise"), ("folder", "below_gone", "revoked", 23, 1, None),
    ("soft", "good", *OK), ("soft", "revoked", "revoked", 23, 0, "key compromise"), ("soft", "below_gone", "revoked", 23, 1, None),
    # RFC 5280 6.3: each certificate of the path is a question of its own.
    ("leaf", "good", *OK), ("leaf", "revoked", "revoked", 23, 0, "key compromise"), ("leaf", "below_gone", *OK),
    ("no-root", "good", "revocation_unknown", 3, 1, "there is no CRL of the issuer"),
    ("no-dev", "good", "revocation_unknown", 3, 0, "there is no CRL of the issuer"),
    ("no-dev-soft", "good", *OK), ("no-dev-soft", "below_gone", "revoked", 23, 1, None),
    ("mute", "below_mute", "revocation_unknown", 35, 0, "the issuer may not sign CRLs"),
    ("expired", "good", "revocation_unknown", 12, 0, "the CRL has expired"),
    ("expired", "revoked", "revoked", 23, 0, "key compromise"),
    ("expired-soft", "good", *OK), ("expired-soft", "revoked", "revoked", 23, 0, "key compromise"),
    ("early", "good", "revocation_unknown", 11, 0, "the CRL is not yet valid"),
    ("early-soft", "good", *OK), ("early-soft", "revoked", "revoked", 23, 0, "key compromise"),
    ("foreign", "good", "revocation_unknown", 8, 0, "the issuer did not sign the CRL"),
    # Who is on a list that a stranger made is not revoked by it, and not cleared either.
    ("foreign", "revoked", "revocation_unknown", 8, 0, "the issuer did not sign the CRL"),
    ("foreign-soft", "revoked", *OK),
    ("endless", "good", *OK), ("endless", "revoked", "revoked", 23, 0, "key compromise"),
    ("unnumbered", "good", *OK), ("unnumbered", "revoked", "revoked", 23, 0, "key compromise"),
    ("cas-only", "good", "revocation_unknown", 44, 0, "the CRLs of the issuer are for other certificates"),
    ("cas-only-soft", "good", *OK),
    ("sha1", "revoked", "revoked", 23, 0, "key compromise"),
    ("both", "good", *OK), ("both", "revoked", "revoked", 23, 0, "key compromise"),
    # Of several faults the gravest is the class, the others stay findings.
    ("hard", "revoked_and_expired", "revoked", 23, 0, None),
    ("tolerant", "revoked", "revoked", 23, 0, "key compromise"),
    ("tolerant", "revoked_and_expired", "revoked", 23, 0, None),
]


@pytest.mark.parametrize("name, kind, cls, code, depth, detail", CASES, ids=[f"{row[0]}-{row[1]}" for row in CASES])
@pytest.mark.parametrize("version", VERSIONS)
def test_the_verdict(proxy, world, version, name, kind, cls, code, depth, detail):
    seen, event = judged(proxy, world, name, kind, version)
    ok = cls == "ok"
    expect.check(event, cls, decision="allow" if ok else "deny", denied_by=None if ok else "verify", version=version, verified=ok,
                 code=code, depth=depth, possession="proven")
    assert seen.echo is ok
    if detail is not None:
        [finding] = [f for f in event["tlscribe"]["findings"] if f["class"] == cls]
        assert finding["detail"] == detail
    if not ok:
        assert seen.alert == expect.alert(cls, version)


def test_a_weak_signature_clears_nobody(proxy, world):
    _, event = judged(proxy, world, "sha1", "good")
    expect.check(event, "revocation_unknown", decision="deny", denied_by="verify", code=8, depth=0)


def test_the_event_says_which_crl_spoke(proxy, world):
    told = judged(proxy, world, "hard", "good")[1]["tlscribe"]["revocation"]
    age = told.pop("age_s")
    assert age >= 3600, age
    assert told.pop("this_update") < told.pop("next_update")
    assert told == {"source": "crl", "status": "good", "number": "0123456789ABCDEF"}
    told = judged(proxy, world, "hard", "revoked")[1]["tlscribe"]["revocation"]
    assert (told["source"], told["status"], told["number"]) == ("crl", "revoked", "0123456789ABCDEF")


def test_the_event_says_that_nobody_spoke(proxy, world):
    for name in ("expired", "no-dev", "foreign", "no-dev-soft"):
        assert judged(proxy, world, name, "good")[1]["tlscribe"]["revocation"] == {"status": "unknown"}, name
    endless = judged(proxy, world, "endless", "good")[1]["tlscribe"]["revocation"]
    assert endless["status"] == "good" and "this_update" in endless and "next_update" not in endless
    assert "number" not in judged(proxy, world, "unnumbered", "good")[1]["tlscribe"]["revocation"]


def test_all_faults_are_findings(proxy, world):
    _, event = judged(proxy, world, "hard", "revoked_and_expired")
    assert [(f["class"], f["depth"]) for f in event["tlscribe"]["findings"]] == [("revoked", 0), ("expired", 0)]


def test_no_tolerance_forgives_a_revocation(proxy, world):
    """`all` means what CAs and clocks get wrong; of a revoked and expired certificate the expiry alone is forgiven."""
    seen, event = judged(proxy, world, "tolerant", "revoked_and_expired")
    assert not seen.echo and event["tlscribe"]["decision"] == "deny"
    assert {f["class"]: f.get("tolerated", False) for f in event["tlscribe"]["findings"]} == {"revoked": False, "expired": True}


@pytest.mark.parametrize("name, kind, cls, decision, denied_by", [
    ("optional", "revoked", "revoked", "deny", "verify"), ("optional", None, "no_certificate", "allow_anonymous", None),
    ("optional", "good", "ok", "allow", None),
    ("passthrough", "revoked", "revoked", "allow_unverified", None), ("passthrough", "good", "ok", "allow", None),
    ("quarantined", "revoked", "revoked", "quarantine", None)])
@pytest.mark.parametrize("version", VERSIONS)
def test_each_mode_does_with_it_what_it_is_for(proxy, world, version, name, kind, cls, decision, denied_by):
    seen, event = judged(proxy, world, name, kind, version)
    expect.check(event, cls, decision=decision, denied_by=denied_by, version=version, verified=cls == "ok")
    assert seen.echo is (decision != "deny")


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("kind", ["RSA-2048", "P-256", "P-384", "ed25519"])
def test_every_kind_of_key_can_revoke(own_proxies, pki, echo, tmp_path, kind, steps):
    """The CRLs of RSA, ECDSA and Ed25519 CAs, below one and two intermediates: the leaf, and the last intermediate."""
    cas = [pki.root]
    for step in range(steps):
        cas.append(pki.authority(f"crl-{kind}-{steps}-{step}", above=cas[-1], key=new_key(kind)))
    good = pki.leaf(f"crl-{kind}-{steps}-good", cas[-1])
    revoked = pki.leaf(f"crl-{kind}-{steps}-revoked", cas[-1], key=new_key(kind))
    file, issuer = tmp_path / "leaf.crl", tmp_path / "issuer.crl"
    file.write_bytes(crl.pem(*[crl.crl(ca) for ca in cas[:-1]], crl.crl(cas[-1], [revoked])))
    issuer.write_bytes(crl.pem(*[crl.crl(ca) for ca in cas if ca is not cas[-2]], crl.crl(cas[-2], [cas[-1]])))
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("one", pki, echo, client={"crl": [file]}),
                                                              service("two", pki, echo, client={"crl": [issuer]})])
    address = proxy.config["listeners"][0]["bind"]
    for version in VERSIONS:
        for name, client, cls, depth in (("one", good, "ok", None), ("one", revoked, "revoked", 0), ("two", good, "revoked", 1)):
            event = proxy.event_of(clients.probe(address, f"{name}.example", client, version).local)
            assert event["tlscribe"]["class"] == cls, (version, name, client.label, event)
            if depth is not None:
                assert event["tlscribe"]["findings"][0]["depth"] == depth


def test_real_clients_see_that_they_are_revoked(proxy, world):
    address = proxy.config["listeners"][0]["bind"]
    for version in VERSIONS:
        said = clients.s_client(address, "hard.example", world.revoked, version)
        assert clients.alert_in(said) == 44, said
        said = clients.gnutls_cli(address, "hard.example", world.revoked, version)
        assert clients.alert_in(said) == 44, said
    assert "revoked" in clients.python_alert(address, "hard.example", world.revoked, "1.3")
