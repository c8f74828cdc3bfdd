"""How strong keys and signatures have to be and what certificates have to be for: each service by its own configuration, and
`classify` by its options."""

import pytest

from lib import classify, clients, der, expect, procs, specimens
from lib.pki import new_key
from lib.proxy import service

LEGACY, MEDIUM, HIGH = PROFILES = ("legacy", "medium", "high")
# What is in the chain: the profiles that take it. The key of the leaf; the digest that signs it; both of a CA above.
STRENGTHS = {
    "leaf RSA-1024": {LEGACY}, "leaf RSA-2048": {LEGACY, MEDIUM}, "leaf RSA-3072": set(PROFILES), "leaf P-256": set(PROFILES),
    "leaf P-384": set(PROFILES), "leaf ed25519": set(PROFILES),
    "signed sha1": {LEGACY}, "signed sha224": {LEGACY}, "signed sha256": set(PROFILES), "signed sha512": set(PROFILES),
    "issuer RSA-1024": {LEGACY}, "issuer RSA-2048": {LEGACY, MEDIUM}, "issuer P-384": set(PROFILES),
    "issuer ed25519": set(PROFILES),
    "issuer-signed sha1": {LEGACY}, "issuer-signed sha224": {LEGACY}, "issuer-signed sha512": set(PROFILES),
    "anchor RSA-1024": {LEGACY}, "anchor RSA-2048": {LEGACY, MEDIUM}, "anchor P-384": set(PROFILES),
    # Nobody has to verify the signature of an anchor.
    "anchor-signed sha1": set(PROFILES),
}
DEPTHS = {"leaf": 0, "signed": 0, "issuer": 1, "issuer-signed": 1, "anchor": 2}
# Too weak for TLS itself; `classify` alone gets to see them.
NEVER = ("leaf RSA-512", "leaf P-224", "issuer RSA-512", "issuer P-224")

ANY_PURPOSE, OWN = "2.5.29.37.0", "1.3.6.1.4.1.32473.2"
PURPOSES = {"client": ["clientAuth"], "server": ["serverAuth"], "both": ["serverAuth", "clientAuth"], "every": [ANY_PURPOSE],
            "own": [OWN], "unsaid": []}
# By the option; None: left out.
TAKEN = {None: {"client", "both", "every", "unsaid"}, "clientAuth": {"client", "both", "every", "unsaid"}, "any": set(PURPOSES),
         "1.3.6.1.5.5.7.3.1": {"server", "both", "every", "unsaid"}, OWN: {"own", "every", "unsaid"}}
SERVICES = {None: "unset", "clientAuth": "named", "any": "any", "1.3.6.1.5.5.7.3.1": "server", OWN: "own"}


class Strength:
    """A chain of three in which one thing is as named, and all else as strong as can be."""

    def __init__(self, pki, keys, text):
        where, what = text.split()
        self.depth = DEPTHS.get(where)
        line = specimens.Line(pki, "ecdsa", 0, tag="strength-" + text.lower().replace(" ", "-"), keys=keys)

        def key(place):
            return new_key(what) if place == where else None

        def digest(place):
            return what if place == where else "sha256"
        self.root = line.ca("anchor", None, key=key("anchor"), digest=digest("anchor-signed"))
        issuer = line.ca("issuer", self.root, key=key("issuer"), digest=digest("issuer-signed"))
        self.client = line.leaf("leaf", issuer, key=key("leaf"), digest=digest("signed"))


def strong(keys):
    if "strong" not in keys:
        keys["strong"] = new_key("RSA-3072")
    return keys["strong"]


@pytest.fixture(scope="module")
def keys():
    return {}


@pytest.fixture(scope="module")
def strengths(pki, keys):
    return {text: Strength(pki, keys, text) for text in STRENGTHS}


@pytest.fixture(scope="module")
def line(pki, keys):
    return specimens.Line(pki, "ecdsa", 1, tag="purposes", keys=keys)


@pytest.fixture(scope="module")
def proxy(proxies, pki, echo, strengths, line):
    roots = [one.root.chain_file for one in strengths.values()]
    services = [service(profile, pki, echo, client={"ca": roots, "profile": profile}) for profile in PROFILES]
    services.append(service("default", pki, echo, client={"ca": roots}))
    services += [service(name, pki, echo, client={"ca": [line.root.chain_file], **({"purpose": purpose} if purpose else {})})
                 for purpose, name in SERVICES.items()]
    return proxies(["127.0.0.1:%d" % procs.free_port()], services)


def ask(proxy, name, client, version="1.3"):
    seen = clients.probe(proxy.config["listeners"][0]["bind"], f"{name}.example", client, version)
    return seen, proxy.event_of(seen.local)


def judged(proxy, name, client, found, depth):
    for version in ("1.2", "1.3"):
        seen, event = ask(proxy, name, client, version)
        good = found == "ok"
        expect.check(event, found, decision="allow" if good else "deny", denied_by=None if good else "verify", verified=good,
                     depth=None if good else depth, possession="proven")
        assert seen.echo is good and seen.alert == (-1 if good else expect.alert(found, version))
    return event


@pytest.mark.parametrize("profile", [*PROFILES, "default"])
@pytest.mark.parametrize("text", STRENGTHS)
def test_a_profile_takes_what_is_strong_enough_for_it(proxy, strengths, text, profile):
    one = strengths[text]
    meant = MEDIUM if profile == "default" else profile
    found = "ok" if meant in STRENGTHS[text] else "weak_algorithm"
    event = judged(proxy, profile, one.client, found, one.depth)
    option = {} if profile == "default" else {"profile": profile}
    told = classify.verdict(one.client.chain_file, [one.root.chain_file], **option)
    assert told["class"] == found and classify.findings(told) == classify.findings(event["tlscribe"])


@pytest.mark.parametrize("text", NEVER)
def test_no_profile_takes_what_tls_does_not(pki, keys, text):
    one = Strength(pki, keys, text)
    for profile in PROFILES:
        told = classify.verdict(one.client.chain_file, [one.root.chain_file], profile=profile)
        assert told["class"] == "weak_algorithm" and [f["depth"] for f in told["findings"]] == [one.depth], (profile, told)


@pytest.mark.parametrize("profile", PROFILES)
def test_md5_is_never_taken(pki, keys, profile):
    line = specimens.Line(pki, "ecdsa", 0, tag=f"md5-{profile}", keys=keys)
    root = line.ca("anchor", None, key=strong(keys))
    client = line.leaf("leaf", root, key=strong(keys), digest="md5", chain=[])
    told = classify.verdict(client.chain_file, [root.chain_file], profile=profile)
    assert told["class"] == "weak_algorithm", told
    assert classify.findings(told) == [{"class": "weak_algorithm", "depth": 0, "detail": "the signature is over MD5 or MD2"}]


@pytest.mark.parametrize("kind", PURPOSES)
@pytest.mark.parametrize("purpose", TAKEN)
def test_a_purpose_of_the_leaf(proxy, line, purpose, kind):
    client = line.leaf(f"for-{kind}", purposes=PURPOSES[kind])
    found = "ok" if kind in TAKEN[purpose] else "wrong_purpose"
    event = judged(proxy, SERVICES[purpose], client, found, 0)
    assert event["tlscribe"].get("certificate", {}).get("purposes", []) == [
        {ANY_PURPOSE: "anyExtendedKeyUsage"}.get(one, one) for one in PURPOSES[kind]]
    told = classify.verdict(client.chain_file, [line.root.chain_file], **({"purpose": purpose} if purpose else {}))
    assert told["class"] == found and classify.findings(told) == classify.findings(event["tlscribe"])


@pytest.mark.parametrize("kind", PURPOSES)
@pytest.mark.parametrize("purpose", TAKEN)
def test_a_purpose_of_an_issuer_binds_everybody_below(proxy, line, purpose, kind):
    extra = [der.extended_key_usage(*PURPOSES[kind])] if PURPOSES[kind] else []
    above = line.ca(f"ca-for-{kind}", line.root, extensions=specimens.ca_extensions(extra=extra))
    client = line.leaf(f"below-{kind}", above, purposes=[])
    found = "ok" if kind in TAKEN[purpose] else "wrong_purpose"
    judged(proxy, SERVICES[purpose], client, found, 1)


@pytest.mark.parametrize("purpose", SERVICES)
def test_key_usage_is_asked_whatever_the_purpose(proxy, line, purpose):
    """RFC 8446 4.4.2.4: digitalSignature, if there is a key usage at all; and keyCertSign is for CAs (RFC 5280 4.2.1.3)."""
    for label, usage in (("encipher", ["keyEncipherment"]), ("ca-like", ["digitalSignature", "keyCertSign"])):
        client = line.leaf(f"usage-{label}", purposes=[], usage=usage)
        event = judged(proxy, SERVICES[purpose], client, "wrong_purpose", 0)
        assert event["tlscribe"]["certificate"]["key_usage"] == usage
    judged(proxy, SERVICES[purpose], line.leaf("usage-signing", purposes=[]), "ok", None)
