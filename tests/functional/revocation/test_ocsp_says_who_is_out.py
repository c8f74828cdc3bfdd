"""OCSP: a real responder is asked about the client's own certificate, once, and only where nothing else is wrong with it."""

import hashlib

import pytest
from cryptography.x509 import ocsp as x509_ocsp

from lib import clients, crl, der, expect, ocsp, procs
from lib.pki import DAY, new_key, now
from lib.proxy import service
from lib.web import Web

VERSIONS = ["1.2", "1.3"]
AIA, AIA_OCSP = "1.3.6.1.5.5.7.1.1", "1.3.6.1.5.5.7.48.1"


def names_responder(url):
    """An authorityInfoAccess with one id-ad-ocsp (RFC 5280 4.2.2.1)."""
    return der.extension(AIA, der.sequence(der.sequence(der.oid(AIA_OCSP), der.implicit(6, url.encode()))))


class World:
    """Clients of `dev` and two responders of it: one that signs with the CA's key, one with a delegate's."""

    def __init__(self, pki, folder, web):
        self.pki, self.web = pki, web
        self.good, self.revoked, self.stranger = (pki.leaf("ocsp-" + kind, pki.dev) for kind in ("good", "revoked", "stranger"))
        self.expired = pki.leaf("ocsp-expired", pki.dev, not_before=now() - 30 * DAY, not_after=now() - DAY)
        self.expired_revoked = pki.leaf("ocsp-expired-revoked", pki.dev, not_before=now() - 30 * DAY, not_after=now() - DAY)
        self.delegate = ocsp.delegate(pki, "ocsp-delegate", pki.dev)
        self.direct = ocsp.Responder(folder / "direct", pki.dev)
        self.delegated = ocsp.Responder(folder / "delegated", pki.dev, self.delegate)
        for one in (self.direct, self.delegated):
            one.good(self.good, self.expired)
            one.revoke(self.revoked)
            one.revoke(self.expired_revoked, "superseded")

    def page(self, name, responder=None):
        """A URL at which this responder answers."""
        self.web.pages["/" + name] = (responder or self.direct).page
        return self.web.url("/" + name)

    def client(self, kind):
        return None if kind is None else getattr(self, kind)


@pytest.fixture(scope="module")
def web():
    server = Web()
    yield server
    server.close()


@pytest.fixture(scope="module")
def world(pki, folder, web):
    return World(pki, folder / "ocsp", web)


def asks(mode, url, **more):
    return {"ocsp": {"mode": mode, "responder": url, "timeout": "9s", **more}}


@pytest.fixture(scope="module")
def proxy(proxies, world, pki, echo, folder):
    page = world.page
    dev_crl = crl.put(folder / "ocsp" / "dev.crl", crl.crl(pki.dev, [world.stranger], number=3))
    denied = folder / "ocsp" / "denied"
    denied.write_text(world.stranger.sha256 + "\n")
    both = {"crl": [dev_crl], "revocation_scope": "leaf"}
    files = {
        "hard": asks("hard", page("hard")), "soft": asks("soft", page("soft")),
        "delegated": asks("hard", page("delegated", world.delegated)),
        "nonce": asks("hard", page("nonce"), nonce=True),
        "tolerant": {**asks("hard", page("tolerant")), "tolerate": "all"},
        "both": {**asks("hard", page("both")), **both}, "denied": {**asks("hard", page("denied")), "deny": [denied]},
    }
    services = [service(name, pki, echo, client=client) for name, client in files.items()]
    services += [service(mode, pki, echo, mode, client=asks("hard", page(mode))) for mode in ("optional", "passthrough")]
    services.append(service("quarantined", pki, echo, client=asks("hard", page("quarantined")), quarantine={"servers": [echo]}))
    # One worker: what it knows, it knows for all.
    return proxies(["127.0.0.1:%d" % procs.free_port()], services, workers=1)


def judged(proxy, world, name, kind, version="1.3"):
    client = world.client(kind) if kind is None or isinstance(kind, str) else kind
    seen = clients.probe(proxy.config["listeners"][0]["bind"], f"{name}.example", client, version)
    return seen, proxy.event_of(seen.local)


UNKNOWN = "the OCSP responder does not know the certificate"


@pytest.mark.parametrize("name, kind, cls, code, detail", [
    ("hard", "good", "ok", 0, None), ("hard", "revoked", "revoked", 23, "key compromise"),
    ("hard", "stranger", "revocation_unknown", 3, UNKNOWN),
    ("soft", "good", "ok", 0, None), ("soft", "revoked", "revoked", 23, "key compromise"), ("soft", "stranger", "ok", 0, None),
    ("delegated", "good", "ok", 0, None), ("delegated", "revoked", "revoked", 23, "key compromise"),
    ("nonce", "good", "ok", 0, None), ("nonce", "revoked", "revoked", 23, "key compromise"),
    ("both", "good", "ok", 0, None), ("both", "revoked", "revoked", 23, "key compromise"), ("both", "stranger", "revoked", 23, None),
    ("tolerant", "revoked", "revoked", 23, "key compromise"), ("tolerant", "expired_revoked", "revoked", 23, "superseded"),
    ("tolerant", "stranger", "revocation_unknown", 3, UNKNOWN),
])
@pytest.mark.parametrize("version", VERSIONS)
def test_the_verdict(proxy, world, version, name, kind, cls, code, detail):
    seen, event = judged(proxy, world, name, kind, version)
    ok = cls == "ok"
    expect.check(event, cls, decision="allow" if ok else "deny", denied_by=None if ok else "verify", version=version, verified=ok,
                 code=code, depth=None if ok else 0, possession="proven", chain_length=2)
    assert seen.echo is ok
    if not ok:
        assert seen.alert == expect.alert(cls, version)
        [finding] = [f for f in event["tlscribe"]["findings"] if f["class"] == cls]
        assert detail is None or finding["detail"] == detail


@pytest.mark.parametrize("name, kind, cls, decision, denied_by", [
    ("optional", "revoked", "revoked", "deny", "verify"), ("optional", "stranger", "revocation_unknown", "deny", "verify"),
    ("optional", None, "no_certificate", "allow_anonymous", None), ("optional", "good", "ok", "allow", None),
    ("passthrough", "revoked", "revoked", "allow_unverified", None), ("passthrough", "good", "ok", "allow", None),
    ("passthrough", "stranger", "revocation_unknown", "allow_unverified", None),
    ("passthrough", "expired_revoked", "revoked", "allow_unverified", None),
    ("quarantined", "revoked", "revoked", "quarantine", None),
])
@pytest.mark.parametrize("version", VERSIONS)
def test_each_mode_does_with_it_what_it_is_for(proxy, world, version, name, kind, cls, decision, denied_by):
    seen, event = judged(proxy, world, name, kind, version)
    expect.check(event, cls, decision=decision, denied_by=denied_by, version=version, verified=cls == "ok")
    assert seen.echo is (decision != "deny")


def test_the_event_says_what_the_responder_said(proxy, world):
    told = judged(proxy, world, "hard", "good")[1]["tlscribe"]["revocation"]
    assert told.pop("age_s") >= 0
    assert told.pop("this_update") < told.pop("next_update")
    assert told == {"source": "ocsp", "status": "good"}
    for name, kind, status in (("hard", "revoked", "revoked"), ("hard", "stranger", "unknown"), ("soft", "stranger", "unknown")):
        told = judged(proxy, world, name, kind)[1]["tlscribe"]["revocation"]
        assert (told["source"], told["status"]) == ("ocsp", status), (name, kind)


def test_the_crl_s_word_stays_where_it_was_the_reason(proxy, world):
    told = judged(proxy, world, "both", "stranger")[1]["tlscribe"]["revocation"]
    assert (told["source"], told["status"], told["number"]) == ("crl", "revoked", "03")
    assert judged(proxy, world, "both", "good")[1]["tlscribe"]["revocation"]["source"] == "ocsp"


def test_one_question_is_enough_for_many_handshakes(proxy, world, web, pki):
    client = pki.leaf("ocsp-often", pki.dev)
    world.direct.good(client)
    before = web.count("/hard")
    for round_ in range(6):
        assert judged(proxy, world, "hard", client, VERSIONS[round_ % 2])[0].echo
    assert web.count("/hard") == before + 1


def test_nobody_asks_about_who_is_out_anyway(proxy, world, web, pki):
    """No stranger makes us ask: only about those who would get in otherwise."""
    before = web.count()
    for kind, cls in (("expired", "expired"), ("self_signed", "self_signed"), ("unknown_issuer", "unknown_issuer"),
                      ("wrong_purpose", "wrong_purpose"), ("bad_signature", "bad_signature"), ("possession_failed", "possession_failed"),
                      ("malformed_certificate", "malformed_certificate"), ("weak_algorithm", "weak_algorithm")):
        client = pki.client(kind)
        assert judged(proxy, world, "hard", client)[1]["tlscribe"]["class"] == cls
        assert judged(proxy, world, "optional", client)[1]["tlscribe"]["class"] == cls
    assert judged(proxy, world, "hard", None)[1]["tlscribe"]["class"] == "no_certificate"
    assert judged(proxy, world, "both", "stranger")[1]["tlscribe"]["class"] == "revoked"
    assert judged(proxy, world, "denied", "stranger")[1]["tlscribe"]["class"] == "denylisted"
    assert web.count() == before


def test_the_tolerated_are_asked_about(proxy, world):
    _, event = judged(proxy, world, "tolerant", "expired")
    expect.check(event, "expired", decision="allow_tolerated")
    assert event["tlscribe"]["revocation"]["status"] == "good"
    seen, event = judged(proxy, world, "tolerant", "expired_revoked")
    assert not seen.echo
    assert [(f["class"], f.get("tolerated", False)) for f in event["tlscribe"]["findings"]] == [("revoked", False), ("expired", True)]


def test_a_server_of_openssl_is_asked(own_proxies, world, pki, echo, tmp_path):
    """Not only its answers: its HTTP, too."""
    responder = ocsp.Responder(tmp_path / "own", pki.dev, world.delegate)
    responder.good(world.good)
    responder.revoke(world.revoked)
    try:
        url = responder.serve()
        proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()],
                            [service("one", pki, echo, client=asks("hard", url, nonce=True)),
                             service("soft", pki, echo, client=asks("soft", url))], workers=1)
        for name, kind, cls in (("one", "good", "ok"), ("one", "revoked", "revoked"), ("one", "stranger", "revocation_unknown"),
                                ("soft", "good", "ok"), ("soft", "revoked", "revoked"), ("soft", "stranger", "ok")):
            assert judged(proxy, world, name, kind)[1]["tlscribe"]["class"] == cls, (name, kind)
    finally:
        responder.close()


@pytest.mark.parametrize("kind", ["RSA-2048", "P-384"])
def test_every_kind_of_ca_can_be_asked(own_proxies, world, pki, echo, tmp_path, kind):
    """Below two intermediates, so that the issuer is not the anchor; the CA signs itself, then a delegate does."""
    middle = pki.authority(f"ocsp-{kind}-middle", above=pki.root, key=new_key(kind))
    issuer = pki.authority(f"ocsp-{kind}", above=middle, key=new_key(kind))
    good, revoked = pki.leaf(f"ocsp-{kind}-good", issuer, key=new_key(kind)), pki.leaf(f"ocsp-{kind}-revoked", issuer)
    signers = {"direct": None, "delegated": ocsp.delegate(pki, f"ocsp-{kind}-delegate", issuer, key=new_key(kind))}
    services = []
    for name, signer in signers.items():
        responder = ocsp.Responder(tmp_path / name, issuer, signer)
        responder.good(good)
        responder.revoke(revoked)
        services.append(service(name, pki, echo, client=asks("hard", world.page(f"{name}-{kind}", responder))))
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], services)
    for name in signers:
        for version in VERSIONS:
            assert judged(proxy, world, name, good, version)[1]["tlscribe"]["class"] == "ok"
            assert judged(proxy, world, name, revoked, version)[1]["tlscribe"]["class"] == "revoked"


# Whom to ask


def test_an_address_in_a_certificate_is_asked_only_below_an_allowed_prefix(own_proxies, world, web, pki, echo):
    world.page("allowed/ocsp")
    world.page("secret")
    allowed = web.url("/allowed/")
    named = {path: pki.leaf("ocsp-aia-" + hashlib.sha256(path.encode()).hexdigest()[:8], pki.dev, extra=[names_responder(web.url(path))])
             for path in ("/allowed/ocsp", "/secret", "/allowed", "/allowed/../secret", "/allowed/%2e%2e/secret", "/allowedness")}
    world.direct.good(*named.values())
    elsewhere = pki.leaf("ocsp-aia-elsewhere", pki.dev, extra=[names_responder(f"http://127.0.0.1.example:{web.port}/allowed/ocsp")])
    user = pki.leaf("ocsp-aia-user", pki.dev, extra=[names_responder(f"http://me@127.0.0.1:{web.port}/allowed/ocsp")])
    file = pki.leaf("ocsp-aia-file", pki.dev, extra=[names_responder("file:///etc/passwd")])
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()],
                        [service("aia", pki, echo, client={"ocsp": {"mode": "hard", "aia": [allowed]}})], workers=1)
    before = web.count()
    for client in [one for path, one in named.items() if path != "/allowed/ocsp"] + [elsewhere, user, file, world.good]:
        _, event = judged(proxy, world, "aia", client)
        expect.check(event, "revocation_unknown", decision="deny", denied_by="verify", code=3, depth=0)
        assert event["tlscribe"]["findings"][0]["detail"] == "no OCSP responder is known that may be asked"
    assert web.count() == before
    assert judged(proxy, world, "aia", named["/allowed/ocsp"])[1]["tlscribe"]["class"] == "ok"
    assert web.paths[before:] == ["/allowed/ocsp"]


def test_the_configured_responder_goes_before_the_certificate_s(own_proxies, world, web, pki, echo):
    world.page("configured")
    world.page("certificate-s")
    client = pki.leaf("ocsp-aia-own", pki.dev, extra=[names_responder(web.url("/certificate-s"))])
    world.direct.good(client)
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [
        service("one", pki, echo, client=asks("hard", web.url("/configured"), aia=[web.url("/")])),
        service("never", pki, echo, client=asks("hard", web.url("/configured")))], workers=1)
    for name in ("one", "never"):
        assert judged(proxy, world, name, client)[1]["tlscribe"]["class"] == "ok"
    assert web.count("/certificate-s") == 0 and web.count("/configured") == 1


# What an answer is worth


def answers_with(web, path, make):
    """A page whose answers are made from the request's DER."""
    web.pages[path] = lambda request: ocsp.reply(make(request.body))
    return web.url(path)


def test_answers_that_do_not_count_clear_nobody(own_proxies, world, web, pki, echo):
    """Each with a responder of its own, asked with `hard`, then with `soft`."""
    good, dev = world.good, pki.dev
    late = {"since": now() - 2 * DAY, "until": now() - DAY}
    expired = ocsp.delegate(pki, "ocsp-expired-delegate", dev, not_before=now() - 9 * DAY, not_after=now() - DAY)
    foreign = ocsp.delegate(pki, "ocsp-foreign-delegate", pki.tst)
    made = world.direct.ask
    kinds = {
        "malformed": (lambda r: b"<html>come in</html>", "the OCSP answer is malformed"),
        "empty": (lambda r: b"", None),
        "cut": (lambda r: made(r)[:-1], "the OCSP answer is malformed"),
        "longer": (lambda r: made(r) + b"\0", None),
        "trylater": (lambda r: b"\x30\x03\x0a\x01\x03", "the OCSP responder wants to be asked later (tryLater)"),
        "unauthorized": (lambda r: b"\x30\x03\x0a\x01\x06", "the OCSP responder does not answer for this issuer (unauthorized)"),
        "stale": (lambda r: ocsp.forge(good, dev, dev, **late), "the OCSP answer is out of date"),
        "early": (lambda r: ocsp.forge(good, dev, dev, since=now() + DAY, until=now() + 2 * DAY), "the OCSP answer is from the future"),
        "another": (lambda r: ocsp.forge(world.stranger, dev, dev), "the OCSP answer is about another certificate"),
        "wrong-ca": (lambda r: ocsp.forge(good, dev, pki.tst), None),
        "wrong-key": (lambda r: ocsp.forge(good, dev, pki.tst, with_certificate=True), None),
        # RFC 6960 4.2.2.2: a delegate needs id-kp-OCSPSigning, of this very issuer, and today.
        "no-delegate": (lambda r: ocsp.forge(good, dev, world.stranger, with_certificate=True),
                        "the responder's certificate is not for OCSP signing"),
        "old-delegate": (lambda r: ocsp.forge(good, dev, expired, with_certificate=True), "the responder's certificate has expired"),
        "foreign-delegate": (lambda r: ocsp.forge(good, dev, foreign, with_certificate=True),
                             "the responder's certificate is of another issuer"),
        "flipped": (lambda r: flip(ocsp.forge(good, dev, dev)), None),
        "large": (lambda r: made(r) + bytes(70000), None),
    }
    services = []
    for kind, (make, _) in kinds.items():
        url = answers_with(web, "/" + kind, make)
        services += [service(kind, pki, echo, client=asks("hard", url)), service(kind + "-soft", pki, echo, client=asks("soft", url))]
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], services, workers=1)
    for kind, (_, detail) in kinds.items():
        event = judged(proxy, world, kind, good)[1]
        assert event["tlscribe"]["class"] == "revocation_unknown", (kind, event)
        expect.check(event, "revocation_unknown", decision="deny", denied_by="verify", code=3, depth=0)
        [finding] = event["tlscribe"]["findings"]
        assert detail is None or finding["detail"] == detail, (kind, finding)
        assert event["tlscribe"]["revocation"] == {"status": "unknown"}
        event = judged(proxy, world, kind + "-soft", good)[1]
        expect.check(event, "ok", decision="allow", verified=True)
        assert event["tlscribe"]["revocation"] == {"status": "unknown"}
        assert web.count("/" + kind) == 1, f"{kind}: what failed a moment ago was asked for again"


def flip(answer):
    """One bit of the signature; it stands at the end where no certificates follow."""
    out = bytearray(answer)
    out[-3] ^= 1
    return bytes(out)


def test_a_nonce_that_comes_back_has_to_be_ours(own_proxies, world, web, pki, echo):
    """RFC 8954: an old answer with another nonce is refused, one without a nonce is as good as its dates."""
    old = []

    def replay(request):
        old.append(world.direct.ask(request))
        return old[0]
    replayed = answers_with(web, "/replayed", replay)
    undecided = answers_with(web, "/without-nonce", lambda r: ocsp.forge(world.good, pki.dev, pki.dev))
    services = [service(name, pki, echo, client=asks("hard", url, nonce=True))
                for name, url in (("replayed", replayed), ("without", undecided))]
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], services, workers=1)
    assert judged(proxy, world, "replayed", "good")[1]["tlscribe"]["class"] == "ok"
    assert judged(proxy, world, "without", "good")[1]["tlscribe"]["class"] == "ok"
    other = pki.leaf("ocsp-good-2", pki.dev)
    world.direct.good(other)
    event = judged(proxy, world, "replayed", other)[1]
    assert event["tlscribe"]["class"] == "revocation_unknown"
    # The same answer again, about the right certificate, to a proxy that knows nothing of it: only the nonce is another one.
    proxy.stop()
    proxy.start()
    event = judged(proxy, world, "replayed", "good")[1]
    assert event["tlscribe"]["class"] == "revocation_unknown"
    assert event["tlscribe"]["findings"][0]["detail"] == "the OCSP answer is to another question (nonce)"


def test_soft_believes_who_says_revoked(own_proxies, world, web, pki, echo):
    revoked = answers_with(web, "/by-hand", lambda r: ocsp.forge(world.good, pki.dev, pki.dev, status=x509_ocsp.OCSPCertStatus.REVOKED))
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [service("one", pki, echo, client=asks("soft", revoked))], workers=1)
    event = judged(proxy, world, "one", "good")[1]
    expect.check(event, "revoked", decision="deny", denied_by="verify", code=23, depth=0)
