"""Names of every type, SPIFFE, PSD2 and names that no certificate should hold: in the event as they are, and nowhere as somebody's
identity unless the client is verified."""

import pytest

from lib import backends, classify, clients, der, expect, procs, tls_backends
from lib.httpclient import once
from lib.pki import DAY, now
from lib.proxy import service

QC_STATEMENTS, ORGANIZATION_IDENTIFIER = "1.3.6.1.5.5.7.1.3", "2.5.4.97"
PSD2, ROLES = "0.4.0.19495.2", {"PSP_AS": "0.4.0.19495.1.1", "PSP_PI": "0.4.0.19495.1.2", "PSP_AI": "0.4.0.19495.1.3",
                                "PSP_IC": "0.4.0.19495.1.4"}
PRINCIPAL = "1.3.6.1.4.1.311.20.2.3"
IPV6 = bytes.fromhex("20010db8000000000000000000000007")


def utf8(text):
    return der.tlv(der.UTF8, text if isinstance(text, bytes) else text.encode())


def names(*general):
    """Each one DER of a GeneralName."""
    return der.extension("2.5.29.17", der.sequence(*general))


def general(kind, text):
    return der.implicit(kind, text if isinstance(text, bytes) else text.encode())


def other(dotted, *value):
    return der.explicit(0, der.oid(dotted), der.explicit(0, *value))


def statement(dotted, *info):
    return der.sequence(der.oid(dotted), *info)


def psd2(roles, authority, identifier):
    told = [der.sequence(der.oid(dotted), utf8(name)) for name, dotted in roles]
    return statement(PSD2, der.sequence(der.sequence(*told), utf8(authority), utf8(identifier)))


@pytest.fixture(scope="module")
def proxy(proxies, pki, echo):
    services = [service("strict", pki, echo), service("optional", pki, echo, "optional"),
                service("forgiving", pki, echo, client={"tolerate": "all"}),
                service("watching", pki, echo, "passthrough")]
    return proxies(["127.0.0.1:%d" % procs.free_port()], services)


def ask(proxy, name, client, version="1.3"):
    seen = clients.probe(proxy.config["listeners"][0]["bind"], f"{name}.example", client, version)
    return seen, proxy.event_of(seen.local)


def identity(told):
    """Of a verdict: what an event has at two places."""
    return {key: value for key, value in told["identity"].items() if key not in ("spki_sha256", "certificate")}


def certificate_in(event):
    return {key: value for key, value in event["tls"]["client"].items() if key not in ("server_name", "ja3")}


def same_offline(event, client, pki):
    told = classify.verdict(client.chain_file, [pki.root.chain_file])
    assert identity(told) == certificate_in(event)
    assert told["identity"]["certificate"] == event["tlscribe"]["certificate"]
    assert told["identity"]["spki_sha256"] == event["tlscribe"]["spki_sha256"]
    return told


# alternative names

def test_every_type_of_alternative_name_is_told_with_its_type(proxy, pki):
    every = names(general(der.DNS, "one.partner.example"), general(der.DNS, "*.partner.example"),
                  general(der.EMAIL, "a@partner.example"), general(der.URI, "https://partner.example/a?b=c"),
                  general(der.IP, bytes([192, 0, 2, 7])), general(der.IP, IPV6),
                  der.explicit(4, der.name((der.ORGANIZATION, "Partner, Inc"), (der.CN, "named"))),
                  other(PRINCIPAL, utf8("user@partner.example")), other("1.3.6.1.4.1.32473.7", der.integer(1)))
    client = pki.leaf("every-name", pki.dev, extra=[every])
    seen, event = ask(proxy, "strict", client)
    assert seen.echo
    assert event["tls"]["client"]["x509"]["alternative_names"] == [
        "dns:one.partner.example", "dns:*.partner.example", "email:a@partner.example", "uri:https://partner.example/a?b=c",
        "ip:192.0.2.7", "ip:2001:db8::7", "dn:CN=named,O=Partner\\, Inc", f"other:{PRINCIPAL}", "other:1.3.6.1.4.1.32473.7"]
    same_offline(event, client, pki)


def test_a_spiffe_identity_names_the_user_where_there_is_no_common_name(proxy, pki):
    uri = "spiffe://partner.example/ns/pay/sa/batch"
    client = pki.leaf("spiffe", pki.dev, subject=der.name((der.ORGANIZATION, "SPIRE")), names=[(der.URI, uri)])
    _, event = ask(proxy, "strict", client)
    expect.check(event, "ok", decision="allow", verified=True)
    assert event["tls"]["client"]["x509"]["alternative_names"] == [f"uri:{uri}"]
    assert event["user"] == {"name": uri}


def test_what_was_not_verified_names_no_user(proxy, pki):
    uri = "spiffe://partner.example/ns/pay/sa/old"
    client = pki.leaf("spiffe-old", pki.dev, subject=der.name(), names=[(der.URI, uri)],
                      not_before=now() - 30 * DAY, not_after=now() - DAY)
    for name, decision in (("strict", "deny"), ("forgiving", "allow_tolerated"), ("watching", "allow_unverified")):
        _, event = ask(proxy, name, client)
        expect.check(event, "expired", decision=decision, denied_by="verify" if decision == "deny" else None)
        assert event["tls"]["client"]["x509"]["alternative_names"] == [f"uri:{uri}"]


# PSD2

@pytest.fixture(scope="module")
def provider(pki):
    """A qualified certificate for websites (QWAC) of a payment service provider, with two of the four roles."""
    def make(label, statements, **more):
        subject = der.name((der.COUNTRY, "DE"), (der.ORGANIZATION, "Pay AG"), (ORGANIZATION_IDENTIFIER, "PSDDE-BAFIN-123456"),
                           (der.CN, label))
        return pki.leaf(label, pki.dev, subject=subject, purposes=["clientAuth", "serverAuth"],
                        extra=[der.extension(QC_STATEMENTS, statements)], **more)
    return make


GENUINE = [statement("0.4.0.1862.1.1"), statement("0.4.0.1862.1.4"),
           statement("0.4.0.1862.1.6", der.sequence(der.oid("0.4.0.1862.1.6.3"))),
           psd2([("PSP_PI", ROLES["PSP_PI"]), ("PSP_AI", ROLES["PSP_AI"])], "Bundesanstalt für Finanzdienstleistungsaufsicht",
                "DE-BAFIN")]
TOLD = ["qcCompliance", "qcSSCD", "qcType:web", "psd2Role:PSP_PI", "psd2Role:PSP_AI",
        "psd2NCAName:Bundesanstalt für Finanzdienstleistungsaufsicht", "psd2NCAId:DE-BAFIN"]


def test_psd2_roles_authority_and_organization_are_evidence(proxy, pki, provider):
    client = provider("qwac", der.sequence(*GENUINE))
    for version in ("1.2", "1.3"):
        _, event = ask(proxy, "strict", client, version)
        expect.check(event, "ok", decision="allow", verified=True)
        told = event["tlscribe"]["certificate"]
        assert told["organization_identifier"] == ["PSDDE-BAFIN-123456"] and told["qc_statements"] == TOLD
        assert told["purposes"] == ["clientAuth", "serverAuth"] and told["key_usage"] == ["digitalSignature"]
        assert event["user"] == {"name": "qwac", "roles": ["PSP_PI", "PSP_AI"]}
        same_offline(event, client, pki)


def test_roles_of_who_is_not_verified_are_nobodys(proxy, provider):
    client = provider("qwac-old", der.sequence(*GENUINE), not_before=now() - 30 * DAY, not_after=now() - DAY)
    for name, decision in (("strict", "deny"), ("forgiving", "allow_tolerated"), ("watching", "allow_unverified")):
        _, event = ask(proxy, name, client)
        expect.check(event, "expired", decision=decision, denied_by="verify" if decision == "deny" else None)
        assert event["tlscribe"]["certificate"]["qc_statements"] == TOLD and "user" not in event


@pytest.mark.parametrize("label, statements", [
    ("role-of-another-name", der.sequence(GENUINE[0], psd2([("PSP_AS", ROLES["PSP_AI"])], "BaFin", "DE-BAFIN"))),
    ("two-answers", der.sequence(GENUINE[3], GENUINE[3])),
    ("no-role", der.sequence(psd2([], "BaFin", "DE-BAFIN"))),
    ("no-sequence", b"\x04\x00"),
    ("cut-off", der.sequence(*GENUINE)[:-3]),
])
def test_statements_that_break_the_format_are_no_evidence_and_no_fault(proxy, pki, provider, label, statements):
    client = provider(label, statements)
    _, event = ask(proxy, "strict", client)
    expect.check(event, "ok", decision="allow", verified=True)
    told = event["tlscribe"]["certificate"]
    assert "qc_statements" not in told and told["organization_identifier"] == ["PSDDE-BAFIN-123456"]
    assert event["user"] == {"name": label}
    same_offline(event, client, pki)


# names that no certificate should hold

SUBJECTS = {
    "nul": (b"good.partner.example\0.evil.example", "CN=good.partner.example\\00.evil.example", "NUL in the common name"),
    "line": (b"good\r\nX-SSL-Verified: 1", "CN=good\\0d\\0aX-SSL-Verified: 1", "control characters in the common name"),
    "escape": (b"good\x1b[2J", "CN=good\\1b[2J", "control characters in the common name"),
    "delete": (b"good\x7f", "CN=good\\7f", "control characters in the common name"),
    "latin-1": (b"J\xfcrgen", "CN=J\\fcrgen", "no valid Unicode in the common name"),
}
ALTERNATIVES = {
    "dns-nul": (general(der.DNS, b"good.partner.example\0.evil.example"), "dns:good.partner.example\\00.evil.example",
                "NUL in a DNS name"),
    "dns-line": (general(der.DNS, b"good\n.partner.example"), "dns:good\n.partner.example", "control characters in a DNS name"),
    "email-nul": (general(der.EMAIL, b"good@partner.example\0"), "email:good@partner.example\\00", "NUL in an e-mail address"),
    "uri-nul": (general(der.URI, b"spiffe://partner.example/\0admin"), "uri:spiffe://partner.example/\\00admin", "NUL in a URI"),
    "directory": (der.explicit(4, der.name((der.CN, b"good\0"))), "dn:CN=good\\00", "NUL in a directory name"),
    "principal": (other(PRINCIPAL, utf8(b"admin\0@partner.example")), f"other:{PRINCIPAL}", "NUL in a user principal name"),
    "address": (general(der.IP, b"\x7f\0\0"), "ip:#7F0000", "an IP address of a wrong length"),
}


def malformed(pki, label):
    if label in SUBJECTS:
        return pki.leaf(f"malformed-{label}", pki.dev, subject=der.name((der.CN, SUBJECTS[label][0])))
    return pki.leaf(f"malformed-{label}", pki.dev, extra=[names(ALTERNATIVES[label][0])])


def shown(event, label):
    """The name in the event and what it has to be; JSON's own escapes are undone already."""
    leaf = event["tls"]["client"]
    if label in SUBJECTS:
        return leaf["subject"], SUBJECTS[label][1]
    return leaf["x509"]["alternative_names"], [ALTERNATIVES[label][1]]


@pytest.mark.parametrize("label", [*SUBJECTS, *ALTERNATIVES])
def test_a_malformed_identity_is_denied_and_kept_escaped(proxy, pki, label):
    client = malformed(pki, label)
    detail = (SUBJECTS.get(label) or ALTERNATIVES[label])[2]
    for name in ("strict", "optional", "forgiving"):
        seen, event = ask(proxy, name, client)
        expect.check(event, "identity_malformed", decision="deny", denied_by="verify", depth=0, possession="proven")
        assert event["tlscribe"]["findings"] == [{"class": "identity_malformed", "depth": 0, "detail": detail}]
        assert seen.alert == 42 and not seen.echo
        found, wanted = shown(event, label)
        assert found == wanted
    told = same_offline(event, client, pki)
    assert (told["class"], told["code"]) == ("identity_malformed", 1007)


@pytest.mark.parametrize("label", ["nul", "line", "dns-nul"])
def test_a_malformed_identity_that_is_watched_is_nobody(proxy, pki, label):
    seen, event = ask(proxy, "watching", malformed(pki, label))
    expect.check(event, "identity_malformed", decision="allow_unverified", depth=0)
    assert seen.echo and event["tlscribe"]["verified"] is False
    assert "user" not in event and "user" not in event.get("related", {})


def test_being_on_an_allow_list_or_pinned_does_not_excuse_a_malformed_identity(own_proxies, pki, echo, folder):
    client = malformed(pki, "nul")
    entries = folder / "malformed.allow"
    entries.write_text(client.sha256 + "\n")
    services = [service("listed", pki, echo, client={"allow": [entries]}),
                service("pinned", pki, echo, ca=None, client={"trust": "pinned", "allow": [entries]})]
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], services)
    for name in ("listed", "pinned"):
        _, event = ask(proxy, name, client)
        expect.check(event, "identity_malformed", decision="deny", denied_by="verify", depth=0)


def test_a_malformed_identity_denied_over_http_reaches_no_back_end(own_proxies, pki, recorder):
    every = ["rfc9440", "x-ssl", "xfcc", "nginx", "azure", "akamai", "traefik", "azion"]
    proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [
        service(name, pki, recorder.address, client={"tolerate": "all"}, mode="http", deny=how, identity_headers=every)
        for name, how in (("page", "http"), ("alert", "alert"))])
    client = malformed(pki, "line")
    recorder.forget()
    got = once(proxy.config["listeners"][0]["bind"], "page.example", "/", client)
    assert got.status == 403 and b"X-SSL" not in got.head + got.body and b"good" not in got.head + got.body
    _, event = ask(proxy, "alert", client)
    expect.check(event, "identity_malformed", decision="deny", denied_by="verify", depth=0)
    assert recorder.requests == [] and recorder.raw() == b""


SERVERS = {"genuine": b"backend.partner.example", "cut-short": b"backend.partner.example\0.evil.example",
           "line-behind": b"backend.partner.example\n", "nul-behind": b"backend.partner.example\0"}


def test_a_malformed_name_of_a_server_matches_nothing(own_proxies, pki):
    """A certificate for a name of one's own, with somebody else's before the NUL, was once good for that of somebody else."""
    made = {label: tls_backends.TlsServer(backends.echo, tls_backends.context(
        pki.leaf(f"server-{label}", pki.edge, purposes=["serverAuth"], names=[(der.DNS, name)])))
        for label, name in SERVERS.items()}
    try:
        tls = {**tls_backends.upstream_tls(pki), "server_name": "backend.partner.example"}
        proxy = own_proxies(["127.0.0.1:%d" % procs.free_port()], [
            service(label, pki, {"servers": [one.address], "tls": tls}, "none") for label, one in made.items()])
        for label in SERVERS:
            seen, event = ask(proxy, label, None)
            outward, = [e for e in proxy.actions("tls-handshake") if e["tlscribe"].get("connection") == event["event"]["id"]]
            assert outward["tlscribe"]["class"] == ("ok" if label == "genuine" else "wrong_name"), outward
            assert seen.echo is (label == "genuine")
    finally:
        for one in made.values():
            one.close()
