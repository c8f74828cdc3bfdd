"""Every class that a client's certificate can cause: with RSA, ECDSA and Ed25519 keys, under one and two intermediates, in TLS 1.2
and 1.3. Class, code, depth, alert and decision are what the table says, and `tlscribe classify` finds the same."""

import pytest

from lib import classify, clients, expect, procs, specimens
from lib.proxy import service

PLAIN, CRL, LISTS, ISSUERS = "plain", "crl", "lists", "issuers"


class Case:
    """`depth` and `code` may depend on the line: functions of its length. `offline` is False where `classify` has no such
    option."""

    def __init__(self, name, depth=0, code=None, at=PLAIN, offline=True):
        self.name, self.depth, self.code, self.at, self.offline = name, depth, code, at, offline


def length(n):
    return n


CASES = {
    "good": Case("ok", None),
    "malformed_leaf": Case("malformed_certificate"),
    "malformed_issuer": Case("malformed_certificate", lambda n: n + 1),
    "unsupported_key": Case("unsupported_key"),
    "possession_failed": Case("possession_failed", offline=False),
    "bad_signature": Case("bad_signature"),
    "bad_signature_of_issuer": Case("bad_signature", length),
    "self_signed": Case("self_signed"),
    "unknown_issuer": Case("unknown_issuer", length, 20),
    "unknown_root": Case("unknown_issuer", lambda n: n + 1, 19),
    "issuer_not_ca": Case("issuer_not_ca", 1),
    "issuer_without_usage": Case("issuer_not_ca", 1),
    "path_length_exceeded": Case("path_length_exceeded", lambda n: n + 1),
    "chain_too_long": Case("chain_too_long", 5),
    "unknown_critical_extension": Case("unknown_critical_extension"),
    "unknown_critical_extension_of_issuer": Case("unknown_critical_extension", 1),
    "name_not_permitted": Case("name_not_permitted"),
    "name_excluded": Case("name_not_permitted"),
    "issuer_not_allowed": Case("issuer_not_allowed", at=ISSUERS, offline=False),
    "denylisted": Case("denylisted", at=LISTS, offline=False),
    "denylisted_issuer": Case("denylisted", 1, at=LISTS, offline=False),
    "revoked": Case("revoked", at=CRL),
    "revoked_issuer": Case("revoked", length, at=CRL),
    "not_allowlisted": Case("not_allowlisted", at=LISTS, offline=False),
    "wrong_purpose": Case("wrong_purpose"),
    "wrong_usage": Case("wrong_purpose"),
    "wrong_purpose_of_issuer": Case("wrong_purpose", 1),
    "weak_algorithm": Case("weak_algorithm"),
    "weak_issuer": Case("weak_algorithm", 1),
    "not_yet_valid": Case("not_yet_valid"),
    "not_yet_valid_issuer": Case("not_yet_valid", length),
    "expired": Case("expired"),
    "expired_issuer": Case("expired", length),
    "revocation_unknown": Case("revocation_unknown", 0, 3, at=CRL),
    "revocation_stale": Case("revocation_unknown", 0, 12, at=CRL),
    "identity_malformed": Case("identity_malformed"),
}
# Of classes.def, what no certificate of a client is the cause of: a name asked for, and how handshakes end without one.
NOT_OF_A_CERTIFICATE = {"wrong_name", "no_certificate", "not_requested", "not_checked"}


def test_no_class_of_a_certificate_is_left_out():
    names = list(expect.CLASSES)
    judged = set(names[:names.index("ok") + 1])
    assert {case.name for case in CASES.values()} == judged - NOT_OF_A_CERTIFICATE


@pytest.fixture(scope="module")
def lines(pki):
    return {(kind, n): specimens.Line(pki, kind, n) for kind in specimens.KINDS for n in specimens.LENGTHS}


@pytest.fixture(scope="module")
def crls(lines):
    return [file for line in lines.values() for file in line.crls()]


@pytest.fixture(scope="module")
def roots(lines):
    return [line.root.chain_file for line in lines.values()]


def write_list(path, entries):
    path.write_text("".join(f"{specimens.fingerprint(entry)}\n" for entry in entries))
    return path


@pytest.fixture(scope="module")
def proxy(proxies, pki, echo, lines, roots, crls, folder):
    every = list(lines.values())
    deny = [line.specimen("denylisted").chain[0] for line in every] + \
        [line.specimen("denylisted_issuer").chain[1] for line in every]
    allow = [line.specimen(name).chain[0] for line in every for name in ("good", "denylisted", "denylisted_issuer")]
    lists = {"deny": [write_list(folder / "classes.deny", deny)], "allow": [write_list(folder / "classes.allow", allow)]}
    clients_of = {PLAIN: {}, CRL: {"crl": crls}, LISTS: lists, ISSUERS: {"issuers": [pki.dev.chain_file]}}
    services = [service(name, pki, echo, client={"ca": roots, **more}) for name, more in clients_of.items()]
    return proxies(["127.0.0.1:%d" % procs.free_port()], services)


def value(what, n):
    return what(n) if callable(what) else what


def offline(case, line, client, roots, crls):
    """What `classify` says with the options of the service."""
    return classify.verdict(client.chain_file, roots, crls if case.at == CRL else ())


def finished(kind, version):
    """What GnuTLS cannot complete: see conn_handshake.c."""
    if kind in ("malformed_leaf", "unsupported_key"):
        return "not_reached"
    if kind == "malformed_issuer" and version == "1.2":
        return "not_reached"
    return "failed" if kind == "possession_failed" else "proven"


def judge(proxy, case, kind, line, client, roots, crls):
    address = proxy.config["listeners"][0]["bind"]
    depth, code = value(case.depth, line.length), value(case.code, line.length)
    good = case.name == "ok"
    told = offline(case, line, client, roots, crls) if case.offline else None
    if told:
        wanted = code if code is not None else \
            expect.CLASSES[case.name].issuer if depth else expect.CLASSES[case.name].leaf
        assert (told["class"], told["code"], told["depth"]) == (case.name, wanted, depth or 0), told
    for version in ("1.2", "1.3"):
        seen = clients.probe(address, f"{case.at}.example", client, version)
        event = proxy.event_of(seen.local)
        expect.check(event, case.name, decision="allow" if good else "deny", denied_by=None if good else "verify",
                     version=version, mode="required", service=case.at, possession=finished(kind, version),
                     chain_length=len(client.chain), depth=depth, code=code, verified=good)
        assert seen.echo is good, seen
        if not good:
            assert seen.alert == expect.alert(case.name, version) and seen.received == 0, seen
        if told:
            assert classify.findings(event["tlscribe"]) == classify.findings(told)
            assert event["event"]["code"] == str(told["code"])
            assert event["tlscribe"].get("path") == told.get("path")
            assert event["tlscribe"].get("revocation", {}).get("status") == told.get("revocation", {}).get("status")


@pytest.mark.parametrize("n", specimens.LENGTHS)
@pytest.mark.parametrize("key", specimens.KINDS)
@pytest.mark.parametrize("kind", CASES)
def test_class(proxy, lines, roots, crls, kind, key, n):
    line = lines[key, n]
    judge(proxy, CASES[kind], kind, line, line.specimen(kind), roots, crls)


@pytest.mark.parametrize("n", specimens.LENGTHS)
@pytest.mark.parametrize("key", specimens.KINDS)
def test_who_is_good_is_good_by_crls_and_lists_as_well(proxy, lines, roots, crls, key, n):
    line = lines[key, n]
    for at, told in ((CRL, True), (LISTS, False)):
        judge(proxy, Case("ok", None, at=at, offline=told), "good", line, line.specimen("good"), roots, crls)
